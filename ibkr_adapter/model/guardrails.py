"""Bounds below the strategy as values, and the arithmetic that orders are held against.

What is ``None`` is off. Reading figures, and refusing, is for :mod:`ibkr_adapter.guardrails`; how the
bounds are spelt in settings for :mod:`ibkr_adapter.setting_readers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal

import attrs

from ibkr_adapter.model.order import Side, Ticket, TrailingUnit
from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.sizing import Sizing

# Neither rounding nor the caller's own context may bring a figure below its limit.
_EXACT = Context(prec=200)
_HUNDRED = Decimal(100)


@attrs.frozen(kw_only=True)
class Guardrails(Shown):
    """What orders must not exceed, whatever a strategy asks for; all of it is off unless set.

    ``max_quantity`` is in shares, contracts or coins of one order or leg, ``max_notional`` in US
    dollars, ``price_collar`` in percent, ``daily_loss`` in the account's base currency.
    """

    read_only: bool = False
    dry_run: bool = False
    max_quantity: Decimal | None = None
    max_notional: Decimal | None = None
    price_collar: Decimal | None = None
    orders_per_minute: int | None = None
    daily_loss: Decimal | None = None
    allowed_accounts: tuple[str, ...] | None = None
    allowed_symbols: tuple[str, ...] | None = None
    kill_switch_file: str | None = None

    def __bool__(self) -> bool:
        """Whether any of them is on."""
        return self != Guardrails()

    @property
    def names(self) -> tuple[str, ...]:
        """The limits that an entry is held against, beside the kill switch."""
        others = {"read_only", "dry_run", "kill_switch_file"}
        return tuple(name for name, limit in attrs.asdict(self).items() if limit and name not in others)

    @property
    def bound_entries(self) -> bool:
        """Whether there is such a limit."""
        return bool(self.names)


def needs_market(ticket: Ticket) -> bool:
    """Whether what an order may trade at depends on the market: a buyer's limit is a bound by itself."""
    return ticket.side is Side.SELL or ticket.limit_price is None or ticket.order_type.trails


def dearest(ticket: Ticket, last: Decimal | None) -> Decimal:
    """The farthest from zero that an order is expected to trade, from its own prices and the last one.

    A buyer's limit bounds it. A seller may be paid more than his limit, a stop fires at its price or,
    where it is through already, at the market; a trailing stop of a buyer starts above the market. How
    far a market order slips nobody knows.
    """
    if not needs_market(ticket) or last is None:
        found = [ticket.limit_price]
    else:
        found = [last, ticket.limit_price, ticket.stop_price]
    prices = [abs(price) for price in found if price is not None]
    highest = max(prices, default=Decimal(0))
    if ticket.trailing is None or ticket.side is Side.SELL:
        return highest
    percent = ticket.trailing_unit is TrailingUnit.PERCENT
    distance = _EXACT.multiply(highest, ticket.trailing / _HUNDRED) if percent else ticket.trailing
    return _EXACT.add(highest, distance)


def value(sizing: Sizing, quantity: Decimal, price: Decimal) -> Decimal:
    """What so many of a contract are worth at a price, in US dollars."""
    product = _EXACT.multiply(_EXACT.multiply(abs(quantity), abs(price)), sizing.multiplier)
    return _EXACT.divide(_EXACT.multiply(product, sizing.rate), sizing.magnifier)


def distance(price: Decimal, last: Decimal) -> Decimal | None:
    """How far a price is from the last one, in percent of that; ``None`` from a last price of zero."""
    if last == 0:
        return Decimal(0) if price == 0 else None
    return _EXACT.divide(_EXACT.multiply(abs(_EXACT.subtract(price, last)), _HUNDRED), abs(last))


def priced(ticket: Ticket) -> list[tuple[str, Decimal]]:
    """The prices of an entry that a collar holds, with their names."""
    prices = (("limit price", ticket.limit_price), ("stop price", ticket.stop_price))
    return [(name, price) for name, price in prices if price is not None]


def net(parts: Sequence[tuple[Decimal, int]]) -> Decimal:
    """What a buyer pays for one combination at its legs' prices, each with its signed ratio."""
    return sum((price * ratio for price, ratio in parts), Decimal(0))


def is_lowered(old: Ticket, new: Ticket) -> bool:
    """Whether a change makes an order smaller, or leaves it as it is, and touches nothing else."""
    if old.quantity is None or new.quantity is None:
        return old == new
    return new.quantity <= old.quantity and attrs.evolve(new, quantity=old.quantity) == old


def is_exit(old: Ticket, new: Ticket) -> bool:
    """Whether an order hangs on an entry and a change does not make it larger."""
    return (
        old.parent_coid is not None
        and old.quantity is not None
        and new.quantity is not None
        and new.quantity <= old.quantity
    )
