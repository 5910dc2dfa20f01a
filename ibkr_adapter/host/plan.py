"""Turn an entry webhook into figures: how much, at which prices, with which exits.

Pure. Knows how sizes follow from money and exits from percentages, and which side of the entry each
price must lie on. The market's price is an argument; whether it may be trusted was decided by who
asked for it. Snapping to ticks and flooring to what the contract trades is the exchange's, because
only it knows the contract.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from ibkr_adapter.model.order import Side
from ibkr_adapter.model.sizing import DOLLARS, Sizing

from .limits import refused
from .values import refusal
from .webhook import EntryType, Webhook

_HUNDRED = Decimal(100)
_ONE = Decimal(1)


@attrs.frozen(kw_only=True)
class Plan:
    """An entry as it is to be ordered; prices in the contract's currency, quantity in units.

    ``reference`` is the price that size and percentages were taken from, where one was needed.
    """

    symbol: str
    side: Side
    order_type: EntryType
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    trailing_percent: Decimal | None = None
    reference: Decimal | None = None

    @property
    def has_exits(self) -> bool:
        """Whether anything hangs on the entry."""
        exits = (self.take_profit_price, self.stop_loss_price, self.trailing_percent)
        return any(value is not None for value in exits)


def needs_market_price(webhook: Webhook) -> bool:
    """Tell whether the entry can only be planned with the market's price.

    A limit order brings its own. A stop must be on the far side of the market, and a market order
    has nothing else to take its size or its exits from.
    """
    if webhook.order_type is EntryType.LIMIT:
        return False
    if webhook.order_type in {EntryType.STOP, EntryType.STOP_LIMIT}:
        return True
    fixed = (
        webhook.stop_loss_percent,
        webhook.stop_loss_price,
        webhook.take_profit_percent,
        webhook.take_profit_price,
    )
    return webhook.quantity is None or any(value is not None for value in fixed)


def needs_sizing(webhook: Webhook) -> bool:
    """Tell whether the size can only be worked out by knowing what the contract is.

    Money buys nobody knows how many of an option, or of something in another currency.
    """
    return webhook.quantity is None


def needs_smallest(webhook: Webhook) -> bool:
    """Tell whether it matters in what steps the contract trades.

    Less than one is a size in crypto and a slip in shares.
    """
    return webhook.quantity is not None and webhook.quantity < 1


def plan_entry(
    webhook: Webhook,
    *,
    market: Decimal | None,
    default_usd: Decimal,
    fractional: bool = False,
    sizing: Sizing = DOLLARS,
    most_usd: Decimal | None = None,
) -> Plan:
    """Work out what to order for a buy or a sell.

    Args:
        webhook: The entry.
        market: The last price, where :func:`needs_market_price` asks for it.
        default_usd: US dollars for a webhook that names no size.
        fractional: Whether less than one unit may be ordered.
        sizing: What one unit costs and how small a size may be, where :func:`needs_sizing` or
            :func:`needs_smallest` ask for it.
        most_usd: What a size in money is cut down to, as hosts do: the user's limit, where there is one.

    Raises:
        GuardrailRefused: The limit buys less than one unit; nothing was sent.
        InvalidOrder: The money buys less than one unit, or a price is on the wrong side of the
            entry or of the market; nothing was sent.
    """
    side = webhook.side
    reference = _reference(webhook, market)
    _check_the_trigger(webhook, market)
    take_profit = _exit(webhook.take_profit_price, webhook.take_profit_percent, reference, side.sign)
    stop_loss = _exit(webhook.stop_loss_price, webhook.stop_loss_percent, reference, -side.sign)
    entries = [price for price in (webhook.price, webhook.stop_price) if price is not None]
    if not entries and reference is not None:
        entries = [reference]
    _check_the_sides(side, entries, take_profit=take_profit, stop_loss=stop_loss)
    return Plan(
        symbol=webhook.symbol,
        side=side,
        order_type=webhook.order_type,
        quantity=_quantity(webhook, reference, default_usd, sizing, most_usd, fractional=fractional),
        price=webhook.price,
        stop_price=webhook.stop_price,
        take_profit_price=take_profit,
        stop_loss_price=stop_loss,
        trailing_percent=webhook.trailing_stop_percent,
        reference=reference,
    )


def part_to_close(held: Decimal, sell_percentage: Decimal | None, smallest: Decimal = _ONE) -> Decimal:
    """Return how much of ``held`` to close: what trades, at least the smallest size, at most all of it."""
    if sell_percentage is None or sell_percentage == _HUNDRED:
        return held
    steps = (held * sell_percentage / _HUNDRED) // smallest
    return min(held, max(steps * smallest, smallest))


def _reference(webhook: Webhook, market: Decimal | None) -> Decimal | None:
    """The price that the entry is expected at, or the worst one it allows."""
    if webhook.order_type in {EntryType.LIMIT, EntryType.STOP_LIMIT}:
        return webhook.price
    if webhook.order_type is EntryType.STOP:
        return webhook.stop_price
    return market


def _check_the_trigger(webhook: Webhook, market: Decimal | None) -> None:
    if webhook.stop_price is None or market is None:
        return
    ahead = (webhook.stop_price - market) * webhook.side.sign
    if ahead <= 0:
        place = "above" if webhook.side is Side.BUY else "below"
        raise refusal(
            f"the stop price {webhook.stop_price:f} of a {webhook.action} must be {place} the market,"
            f" which is at {market:f}: it would be triggered at once"
        )


def _exit(
    price: Decimal | None, percent: Decimal | None, reference: Decimal | None, direction: int
) -> Decimal | None:
    if percent is None or reference is None:
        return price
    return reference * (_HUNDRED + direction * percent) / _HUNDRED


def _check_the_sides(
    side: Side, entries: list[Decimal], *, take_profit: Decimal | None, stop_loss: Decimal | None
) -> None:
    """See that every exit lies on its own side of all that the entry may be filled at."""
    if not entries:
        return
    what = "long" if side is Side.BUY else "short"
    for name, price, direction in (
        ("take-profit", take_profit, side.sign),
        ("stop-loss", stop_loss, -side.sign),
    ):
        if price is None:
            continue
        bound = max(entries) if direction > 0 else min(entries)
        if (price - bound) * direction <= 0:
            place = "above" if direction > 0 else "below"
            raise refusal(
                f"the {name} price {price:f} of a {what} position must be {place} its entry at {bound:f}"
            )


def _quantity(
    webhook: Webhook,
    reference: Decimal | None,
    default_usd: Decimal,
    sizing: Sizing,
    most_usd: Decimal | None,
    *,
    fractional: bool,
) -> Decimal:
    smallest = Decimal(0) if fractional else sizing.smallest
    if webhook.quantity is not None:
        if webhook.quantity < smallest:
            raise refusal(
                f"quantity {webhook.quantity:f} is less than {smallest:f}, the smallest size: allow_fractional is off"
            )
        return webhook.quantity
    wanted = default_usd if webhook.position_size_usd is None else webhook.position_size_usd
    money = wanted if most_usd is None else min(wanted, most_usd)
    if reference is None:
        raise refusal("a size in US dollars needs a price, and there is none")
    quantity = sizing.quantity(money, reference)
    if quantity < smallest:
        cost = "" if sizing.is_plain else f", which is {sizing.cost(reference):.2f} US dollars for one"
        few = f"buys less than {smallest:f} {webhook.symbol}, the smallest size, at {reference:f}{cost}"
        if money < wanted:
            raise refused(
                "max_position_size_usd",
                f"cuts {wanted:f} down to {money:f}, which {few}",
                wanted,
                limit=most_usd,
            )
        name = "default_order_usd" if webhook.position_size_usd is None else "position_size_usd"
        raise refusal(f"{name} {money:f} {few}: raise it, or give quantity")
    return quantity
