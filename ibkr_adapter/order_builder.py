"""Build tickets: an entry, what hangs on it, what protects a position, what closes it.

Sizes and prices are measured by :mod:`ibkr_adapter.measures`, whether the contract takes the order is
told by :mod:`ibkr_adapter.permits`. A leg that lands on the entry is refused here, and so is a price
on the wrong side.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ibkr_adapter import measures
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.measures import Terms, limit_price, stop_price, target_price
from ibkr_adapter.model.order import OrderType, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.permits import check_allowed, closing_tif, entry_tif, outside

# A trailing stop nearer than this fires at once, one farther than this never.
TRAILING_BOUNDS = (Decimal("0.01"), Decimal(99))


def single(  # noqa: PLR0913  (an order has so many parts)
    terms: Terms,
    *,
    side: Side,
    order_type: OrderType,
    coid: str,
    quantity_asked: Decimal | None = None,
    cash_asked: Decimal | None = None,
    limit: Decimal | None = None,
    stop: Decimal | None = None,
    trailing: Decimal | None = None,
    trailing_unit: TrailingUnit | None = None,
    tif: Tif | None = None,
) -> Ticket:
    """Build one order that hangs on nothing; its size is a quantity or a sum of money."""
    in_force = tif or entry_tif(terms, order_type)
    check_allowed(terms, order_type, in_force)
    if terms.is_crypto and order_type is OrderType.MARKET and side is Side.BUY and cash_asked is None:
        raise InvalidOrder(
            f"{terms.contract.symbol} is bought at the market for a sum of money; nothing was sent.",
            remedy="Give cash_quantity, or a limit price.",
        )
    return Ticket(
        account=terms.account,
        conid=terms.contract.conid,
        side=side,
        order_type=order_type,
        route=terms.contract.route,
        quantity=None if quantity_asked is None else measures.quantity(terms, quantity_asked, order_type),
        cash_quantity=None if cash_asked is None else measures.cash(terms, side, order_type, cash_asked),
        origin=terms.origin,
        tif=in_force,
        limit_price=limit_price(terms, side, limit) if limit is not None else None,
        stop_price=stop_price(terms, side, stop) if stop is not None else None,
        trailing=trailing,
        trailing_unit=trailing_unit,
        coid=coid,
        outside_rth=outside(terms, order_type),
    )


def stop_exit(
    terms: Terms,
    *,
    side: Side,
    size: Decimal,
    stop: Decimal,
    limit: Decimal | None = None,
    coid: str | None = None,
    parent: str | None = None,
) -> Ticket:
    """Build a protective stop; with ``limit`` a stop-limit. ``side`` is the order's own side."""
    order_type = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    check_allowed(terms, order_type, terms.exit_tif)
    return Ticket(
        account=terms.account,
        conid=terms.contract.conid,
        side=side,
        order_type=order_type,
        quantity=size,
        origin=terms.origin,
        tif=terms.exit_tif,
        stop_price=stop_price(terms, side, stop),
        limit_price=stop_price(terms, side, limit, "stop's limit price") if limit is not None else None,
        coid=coid,
        parent_coid=parent,
        outside_rth=outside(terms, order_type),
    )


def target_exit(
    terms: Terms,
    *,
    side: Side,
    size: Decimal,
    target: Decimal,
    coid: str | None = None,
    parent: str | None = None,
) -> Ticket:
    """Build a take-profit; ``side`` is the order's own side."""
    check_allowed(terms, OrderType.LIMIT, terms.exit_tif)
    return Ticket(
        account=terms.account,
        conid=terms.contract.conid,
        side=side,
        order_type=OrderType.LIMIT,
        quantity=size,
        origin=terms.origin,
        tif=terms.exit_tif,
        limit_price=target_price(terms, side, target),
        coid=coid,
        parent_coid=parent,
        outside_rth=outside(terms, OrderType.LIMIT),
    )


def trailing_exit(
    terms: Terms,
    *,
    side: Side,
    size: Decimal,
    percent: Decimal,
    coid: str | None = None,
    parent: str | None = None,
) -> Ticket:
    """Build a trailing stop at a distance in percent; ``side`` is the order's own side."""
    if not percent.is_finite() or not TRAILING_BOUNDS[0] <= percent <= TRAILING_BOUNDS[1]:
        raise InvalidOrder(
            f"a trailing distance of {percent} % is not between {TRAILING_BOUNDS[0]} and {TRAILING_BOUNDS[1]};"
            " nothing was sent."
        )
    check_allowed(terms, OrderType.TRAIL, terms.exit_tif)
    return Ticket(
        account=terms.account,
        conid=terms.contract.conid,
        side=side,
        order_type=OrderType.TRAIL,
        quantity=size,
        origin=terms.origin,
        tif=terms.exit_tif,
        trailing=percent,
        trailing_unit=TrailingUnit.PERCENT,
        coid=coid,
        parent_coid=parent,
    )


def conversion(
    terms: Terms,
    *,
    pair: str,
    amount: Decimal,
    buying: bool,
    limit: Decimal | None,
    tif: Tif | None,
    coid: str,
) -> Ticket:
    """Build a currency conversion that pays ``amount``, or less; it makes no position.

    ``buying`` where the amount is in the currency that the pair's price is in, and buys the other.
    """
    side = Side.BUY if buying else Side.SELL
    order_type = OrderType.MARKET if limit is None else OrderType.LIMIT
    in_force = tif or terms.entry_tif
    check_allowed(terms, order_type, in_force)
    worst = None if limit is None else limit_price(terms, side, limit)
    if not buying and worst is None:
        raise InvalidOrder(
            f"IBKR counts a conversion of {pair} in {pair[-3:]}, so at the market nobody knows how much"
            f" {pair[:3]} would be paid; nothing was sent.",
            remedy="Give a limit price.",
        )
    # The worse the price, the more would be paid for the same sum of the other currency.
    asked = measures.money(amount)
    sum_paid = asked if worst is None or buying else measures.money(asked * worst)
    return Ticket(
        account=terms.account,
        conid=terms.contract.conid,
        side=side,
        order_type=order_type,
        fx_quantity=sum_paid,
        tif=in_force,
        limit_price=worst,
        coid=coid,
    )


def closing(terms: Terms, *, side: Side, size: Decimal, coid: str) -> Ticket:
    """Build the market order that closes; it is checked against nothing that could hold it up."""
    return Ticket(
        account=terms.account,
        conid=terms.contract.conid,
        side=side,
        order_type=OrderType.MARKET,
        quantity=size,
        origin=terms.origin,
        tif=closing_tif(terms),
        coid=coid,
        outside_rth=outside(terms, OrderType.MARKET),
    )


def bracket(
    terms: Terms,
    entry: Ticket,
    *,
    reference: Decimal | None,
    take_profit: Decimal | None,
    stop_loss: Decimal | None,
    trailing_percent: Decimal | None,
) -> list[Ticket]:
    """Hang exits on an entry.

    Args:
        terms: What the tickets have in common.
        entry: The entry with its cOID.
        reference: The price that the entry will trade near; ``None`` where nobody knows it.
        take_profit: The target's price.
        stop_loss: The stop's price.
        trailing_percent: The trailing stop's distance, instead of ``stop_loss``.

    Raises:
        InvalidOrder: A leg is missing, double or on the wrong side; nothing was sent.
    """
    if stop_loss is not None and trailing_percent is not None:
        raise InvalidOrder("a bracket has a fixed stop or a trailing one, not both; nothing was sent.")
    if stop_loss is None and trailing_percent is None and take_profit is None:
        raise InvalidOrder("a bracket needs a take-profit, a stop or a trailing distance; nothing was sent.")
    side, parent = entry.side.opposite, entry.coid
    tickets = [entry]
    if take_profit is not None:
        tickets.append(target_exit(terms, side=side, size=entry.units, target=take_profit, parent=parent))
    if stop_loss is not None:
        tickets.append(stop_exit(terms, side=side, size=entry.units, stop=stop_loss, parent=parent))
    if trailing_percent is not None:
        tickets.append(
            trailing_exit(terms, side=side, size=entry.units, percent=trailing_percent, parent=parent)
        )
    check_sides(entry, tickets[1:], reference)
    return tickets


def check_sides(entry: Ticket, exits: Sequence[Ticket], reference: Decimal | None) -> None:
    """See that each exit is on its own side of the entry, after snapping.

    Raises:
        InvalidOrder: A stop or target would fill at once or lands on the entry; nothing was sent.
    """
    prices = (entry.limit_price, entry.stop_price, reference)
    at = next((price for price in prices if price is not None), None)
    target = next((exit_.limit_price for exit_ in exits if exit_.order_type is OrderType.LIMIT), None)
    stop = next((exit_.stop_price for exit_ in exits if exit_.order_type is not OrderType.LIMIT), None)
    word = "long" if entry.side is Side.BUY else "short"
    sign = entry.side.sign
    if at is not None and target is not None and (target - at) * sign <= 0:
        raise InvalidOrder(_side(word, "take-profit", target, "above" if sign > 0 else "below", at))
    if at is not None and stop is not None and (at - stop) * sign <= 0:
        raise InvalidOrder(_side(word, "stop", stop, "below" if sign > 0 else "above", at))
    if target is not None and stop is not None and (target - stop) * sign <= 0:
        raise InvalidOrder(_side(word, "take-profit", target, "above" if sign > 0 else "below", stop))


def _side(word: str, leg: str, value: Decimal, where: str, at: Decimal) -> str:
    return f"the {leg} {value:f} of a {word} entry must be {where} {at:f}; nothing was sent."
