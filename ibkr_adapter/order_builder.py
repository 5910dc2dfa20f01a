"""Build tickets from what a person wants: prices on the tick, sizes that the contract trades.

Arithmetic only; the contract, its rules and the settings are arguments. Entry limits snap to the
passive side, stops away from the market, targets toward it; a snap of more than one tick or a
leg that lands on the entry is refused, and so is a price on the wrong side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, Context, Decimal

import attrs

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.contract import Contract
from ibkr_adapter.model.order import OrderType, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.model.ticks import Rounding, TickStep, snap, tick_at

# A larger quantity is a slip of the finger; a context of our own, as the caller's may round up.
_LARGEST_POWER = 30
_EXACT = Context(prec=200)
# A trailing stop nearer than this fires at once, one farther than this never.
TRAILING_BOUNDS = (Decimal("0.01"), Decimal(99))
_OVERNIGHT = frozenset({Tif.OVT, Tif.OND})
# What most contracts do not take, and no rules name.
_OF_FEW = _OVERNIGHT | {Tif.PAX}


@attrs.frozen(kw_only=True)
class Terms:
    """What every ticket of one intent has in common."""

    account: str
    contract: Contract
    rules: Rules
    entry_tif: Tif
    exit_tif: Tif
    outside_rth: bool = False
    allow_fractional: bool = False

    @property
    def ticks(self) -> Sequence[TickStep]:
        """The contract's tick table."""
        return self.rules.ticks or self.contract.ticks


def quantity(terms: Terms, asked: Decimal) -> Decimal:
    """Floor a quantity to what the contract trades.

    IBKR's ``sizeIncrement`` is no lot size (it is 100 where one share trades), so stocks are
    floored to whole units, or to the rules' decimals where fractions are allowed.

    Raises:
        InvalidOrder: Nothing is left; nothing was sent.
    """
    if not asked.is_finite() or asked <= 0:
        raise InvalidOrder(f"the quantity {asked} is not above 0; nothing was sent.")
    if asked.adjusted() > _LARGEST_POWER:
        raise InvalidOrder(f"the quantity {asked:.3e} is more than any market has; nothing was sent.")
    digits = terms.rules.fraction_digits if terms.allow_fractional else None
    step = Decimal(1).scaleb(-digits) if digits else Decimal(1)
    floored = asked.quantize(step, rounding=ROUND_FLOOR, context=_EXACT)
    if floored <= 0:
        raise InvalidOrder(
            f"{asked:f} {terms.contract.symbol} is less than the smallest size, {step:f}; nothing was sent.",
            remedy="Raise the size"
            + ("." if digits or not terms.rules.fraction_digits else ", or set allow_fractional."),
        )
    whole = floored == floored.to_integral_value()
    return floored.quantize(Decimal(1), context=_EXACT) if whole else floored.normalize(_EXACT)


def price(terms: Terms, asked: Decimal, rounding: Rounding, what: str) -> Decimal:
    """Snap a price to the tick, by less than one tick.

    Raises:
        InvalidOrder: It is no price, or the tick table is missing; nothing was sent.
    """
    if not asked.is_finite() or asked <= 0:
        raise InvalidOrder(f"the {what} {asked} is not above 0; nothing was sent.")
    if not terms.ticks:
        raise InvalidOrder(
            f"IBKR gives no price increments for {terms.contract.symbol}; nothing was sent.",
            remedy="Without them no price can be placed safely: use a market order.",
        )
    snapped = snap(asked, terms.ticks, rounding)
    if snapped <= 0 or abs(snapped - asked) > tick_at(asked, terms.ticks):
        raise InvalidOrder(f"the {what} {asked:f} cannot be brought onto the tick; nothing was sent.")
    return snapped


def limit_price(terms: Terms, side: Side, asked: Decimal, what: str = "limit price") -> Decimal:
    """Snap an entry limit to the passive side: a buyer pays no more, a seller takes no less."""
    return price(terms, asked, Rounding.DOWN if side is Side.BUY else Rounding.UP, what)


def stop_price(terms: Terms, side: Side, asked: Decimal, what: str = "stop price") -> Decimal:
    """Snap a stop away from the market: a sell stop lower, a buy stop higher."""
    return price(terms, asked, Rounding.DOWN if side is Side.SELL else Rounding.UP, what)


def target_price(terms: Terms, side: Side, asked: Decimal, what: str = "take-profit price") -> Decimal:
    """Snap a target toward the market: a sell target lower, a buy target higher."""
    return price(terms, asked, Rounding.DOWN if side is Side.SELL else Rounding.UP, what)


def single(
    terms: Terms,
    *,
    side: Side,
    order_type: OrderType,
    quantity_asked: Decimal,
    coid: str,
    limit: Decimal | None = None,
    stop: Decimal | None = None,
    trailing: Decimal | None = None,
    trailing_unit: TrailingUnit | None = None,
    tif: Tif | None = None,
) -> Ticket:
    """Build one order that hangs on nothing."""
    check_allowed(terms, order_type, tif or terms.entry_tif)
    return Ticket(
        account=terms.account,
        conid=terms.contract.conid,
        side=side,
        order_type=order_type,
        quantity=quantity(terms, quantity_asked),
        tif=tif or terms.entry_tif,
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
        tif=terms.exit_tif,
        trailing=percent,
        trailing_unit=TrailingUnit.PERCENT,
        coid=coid,
        parent_coid=parent,
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
    at = entry.limit_price or entry.stop_price or reference
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


def check_allowed(terms: Terms, order_type: OrderType, tif: Tif) -> None:
    """See that the contract takes this type and time in force, alone and together.

    Raises:
        InvalidOrder: Its rules do not list it; nothing was sent.
    """
    symbol = terms.contract.symbol
    rules = terms.rules
    if rules.order_types and order_type.value not in rules.order_types:
        raise InvalidOrder(
            f"{symbol} does not take orders of type {order_type.value}; nothing was sent.",
            remedy=f"It takes {', '.join(sorted(rules.order_types))}.",
        )
    if tif in _OVERNIGHT:
        # The rules name the day's times in force only, and the night's by a mark of its own.
        if rules.overnight is False:
            raise _not_in_force(terms, tif.value)
    elif rules.tifs and tif.value not in rules.tifs:
        raise _not_in_force(terms, tif.value)
    elif rules.tifs and not rules.takes(tif.value, order_type.value):
        listed = sorted(rules.tifs[tif.value].order_types or ())
        raise InvalidOrder(
            f"{symbol} does not take {tif.value} for orders of type {order_type.value}; nothing was sent.",
            remedy=f"It takes {tif.value} for {', '.join(listed)}, and for this type"
            f" {_listed(one for one in _sendable(rules) if rules.takes(one, order_type.value))}.",
        )
    accounts = rules.can_trade_accounts
    if accounts is not None and terms.account not in accounts:
        raise InvalidOrder(f"account {terms.account} has no permission to trade {symbol}; nothing was sent.")


def time_in_force(terms: Terms, written: Tif | str | None) -> Tif | None:
    """Read a time in force that somebody wrote; ``None`` stays ``None``.

    Raises:
        InvalidOrder: The API has none such, whatever the contract's rules list; nothing was sent.
    """
    if written is None or isinstance(written, Tif):
        return written
    tif = Tif.named(written)
    if tif is None:
        raise _not_in_force(terms, f"{written!s:.20}".strip().upper())
    return tif


def _not_in_force(terms: Terms, written: str) -> InvalidOrder:
    if written in terms.rules.tifs:
        why = (
            f"the rules of {terms.contract.symbol} list {written}, but the Web API has no field for its date"
        )
    else:
        why = f"{terms.contract.symbol} does not take the time in force {written}"
    listed = _listed(_sendable(terms.rules)) or _listed(tif.value for tif in Tif if tif not in _OF_FEW)
    return InvalidOrder(f"{why}; nothing was sent.", remedy=f"It takes {listed}.")


def _sendable(rules: Rules) -> list[str]:
    """What the contract lists and the API can be sent: it has no field for the date of a GTD."""
    return [tif for tif in rules.tifs if Tif.named(tif) is not None]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def outside(terms: Terms, order_type: OrderType) -> bool:
    """Ask for trading outside regular hours only where the contract allows it for this type."""
    return terms.outside_rth and order_type.value in terms.rules.order_types_outside


def _side(word: str, leg: str, value: Decimal, where: str, at: Decimal) -> str:
    return f"the {leg} {value:f} of a {word} entry must be {where} {at:f}; nothing was sent."
