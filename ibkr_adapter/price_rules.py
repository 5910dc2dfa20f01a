"""Hold an order against the limits that need prices: its worth, its distance from the market.

Prices are those of this moment, sizes in US dollars those of :class:`~ibkr_adapter.model.sizing.Sizing`:
multiplier, magnifier and rate count. What cannot be read refuses and says so. When all this is asked
is for :mod:`ibkr_adapter.guardrails`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ibkr_adapter.connection import Connection
from ibkr_adapter.errors import Figure, GuardrailRefused, IBKRError, Limit
from ibkr_adapter.measures import Terms
from ibkr_adapter.model import guardrails as bounds
from ibkr_adapter.model.market import Quote
from ibkr_adapter.model.order import Ticket
from ibkr_adapter.model.sizing import Sizing
from ibkr_adapter.settings import Settings
from ibkr_adapter.wire.combos import DOLLAR

# By how much an order changes the position in each contract; ``None`` where nobody knows.
Effect = Sequence[tuple[Terms, Decimal | None]]

CLOSE_INSTEAD = "What only reduces a position is never refused: close_position, exits and cancels work."


class PriceRules:
    """The limits of one object that need prices."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._limits = settings.guardrails
        self._delayed = settings.allow_delayed_prices

    def check_cash(self, ticket: Ticket, effect: Effect) -> None:
        """Hold a size in money against ``max_quantity``, by how much it buys at the last price."""
        if ticket.cash_quantity is None or self._limits.max_quantity is None:
            return
        terms = effect[0][0]
        price = self._price(terms, "max_quantity", delayed=self._delayed)
        sizing = Sizing(
            multiplier=terms.contract.multiplier, magnifier=terms.rules.price_magnifier or Decimal(1)
        )
        size = sizing.quantity(ticket.cash_quantity, price)
        if size > self._limits.max_quantity:
            raise too_many(terms.contract.symbol, round(size, 8), self._limits.max_quantity)

    def check_collar(self, ticket: Ticket, effect: Effect) -> None:
        """Hold an entry's limit and stop against the last real-time price; of a combination, net of its legs."""
        limit = self._limits.price_collar
        if limit is None:
            return
        ratios = [1] if ticket.conidex is None else _ratios(ticket, effect)
        lasts = [self._price(terms, "price_collar", delayed=False) for terms, _ in effect]
        last = bounds.net(list(zip(lasts, ratios, strict=True)))
        for name, price in bounds.priced(ticket):
            away = bounds.distance(price, last)
            if away is None or away > limit:
                shown = f"{away:.2f} % away" if away is not None else "away"
                raise refused(
                    "price_collar",
                    f"the {name} {price:f} is {shown} from the last price {last:f}, and {limit:f} % are allowed",
                    figure=None if away is None else round(away, 4),
                    limit=limit,
                )

    def check_notional(self, ticket: Ticket, effect: Effect) -> None:
        """Hold what an order is worth in US dollars against ``max_notional``."""
        limit = self._limits.max_notional
        if limit is None:
            return
        total = self._worth(ticket, effect)
        if total > limit:
            raise refused(
                "max_notional",
                f"the order is worth {total:.2f} US dollars, and {limit:f} are allowed",
                figure=total,
                limit=limit,
            )

    def _worth(self, ticket: Ticket, effect: Effect) -> Decimal:
        """What an order moves in US dollars; a combination all that its legs do, whatever they net to."""
        terms = effect[0][0]
        money = ticket.cash_quantity if ticket.cash_quantity is not None else ticket.fx_quantity
        if money is not None:
            return bounds.value(Sizing(rate=self._rate(terms)), money, Decimal(1))
        total = Decimal(0)
        for terms, change in effect:
            if ticket.conidex is not None or bounds.needs_market(ticket):
                price = self._price(terms, "max_notional", delayed=self._delayed)
            else:
                price = None
            each = abs(price or Decimal(0)) if ticket.conidex is not None else bounds.dearest(ticket, price)
            sizing = Sizing(
                multiplier=terms.contract.multiplier,
                magnifier=terms.rules.price_magnifier or Decimal(1),
                rate=self._rate(terms),
            )
            total += bounds.value(sizing, change or Decimal(0), each)
        return total

    # Figures ------------------------------------------------------------------------------

    def _price(self, terms: Terms, rule: str, *, delayed: bool) -> Decimal:
        """The last price, of this moment unless settings allow others; its absence refuses."""
        symbol = terms.contract.symbol
        about: Mapping[str, Any] = {}
        try:
            quote: Quote = self._connection.market_data.quote(terms.contract.conid)
        except IBKRError as failure:
            why, about = failure.message, {"text": failure.text, "repeatable": failure.repeatable}
        else:
            shown = quote.display_price() if delayed else None
            price = quote.tradable_price() or (shown.price if shown is not None else None)
            if price is not None:
                return price
            why = quote.why_not_tradable() or "there is none"
        raise refused(
            rule, f"the price of {symbol} cannot be used: {why}", limit=getattr(self._limits, rule), **about
        )

    def _rate(self, terms: Terms) -> Decimal:
        limit, currency = self._limits.max_notional, terms.contract.currency
        about: Mapping[str, Any] = {}
        why = f"IBKR does not say in which currency {terms.contract.symbol} trades"
        if currency is not None:
            try:
                return self._connection.reference.rate(currency, DOLLAR)
            except IBKRError as failure:
                why = f"the rate of {currency} cannot be read ({failure.message})"
                about = {"text": failure.text, "repeatable": failure.repeatable}
        raise refused("max_notional", f"the order's worth is not known: {why}", limit=limit, **about)


def too_many(symbol: str, size: Decimal, limit: Decimal) -> GuardrailRefused:
    """Name the size that is larger than allowed."""
    return refused(
        "max_quantity",
        f"{size:f} {symbol} are more than the {limit:f} that are allowed",
        figure=size,
        limit=limit,
    )


def _ratios(ticket: Ticket, effect: Effect) -> list[int]:
    units = ticket.units * ticket.side.sign
    return [int((change or Decimal(0)) / units) for _, change in effect]


def refused(
    rule: str,
    why: str,
    *,
    figure: Figure | None = None,
    limit: Limit | None = None,
    remedy: str = CLOSE_INSTEAD,
    **about: Any,
) -> GuardrailRefused:
    """Say which rule stands in the way, by what figure and at what limit."""
    return GuardrailRefused(
        f"guardrail {rule}: {why}; nothing was sent.",
        rule=rule,
        figure=figure,
        limit=limit,
        remedy=remedy,
        **about,
    )
