"""When an order trades, and at what price.

Pure arithmetic on one order and one top. A buyer who comes to the market pays the ask; an
order that has stood in the market is traded at its own limit. Stops trigger on the last price,
trailing stops follow it. Groups, children and sizes are for :mod:`.book`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.order import STOP_TYPES, TRAILING_TYPES, Order
from ibkr_adapter.simulator.prices import Top, snapped

_HUNDRED = Decimal(100)
_AT_THE_CLOSE = frozenset({"MOC", "LOC"})
_TOUCHED = frozenset({"MIT", "LIT"})


def may_trade(order: Order, moment: datetime) -> bool:
    """Tell whether the session that the order wants is on."""
    ticket = order.ticket
    if ticket.order_type in _AT_THE_CLOSE:
        return moment >= order.due
    if ticket.tif == "OVT":
        return hours.is_overnight(moment)
    if ticket.tif == "OND":
        return hours.is_overnight(moment) or hours.is_regular(moment)
    return calendar_of(ticket.instrument).is_open(moment, outside=ticket.outside_rth)


def follow(order: Order, top: Top) -> None:
    """Let a trailing stop follow the last price; it never gives way again."""
    ticket = order.ticket
    if ticket.order_type not in TRAILING_TYPES or order.triggered or ticket.trailing_amount is None:
        return
    distance = ticket.trailing_amount
    if ticket.trailing_type == "%":
        distance = top.last * distance / _HUNDRED
    wanted = snapped(ticket.instrument, top.last + distance if ticket.is_buy else top.last - distance)
    closer = min if ticket.is_buy else max
    order.stop = wanted if order.stop is None else closer(order.stop, wanted)
    if ticket.order_type == "TRAILLMT" and ticket.price is not None and ticket.aux_price is not None:
        order.limit = order.stop + (ticket.price - ticket.aux_price)


def trigger(order: Order, top: Top) -> bool:
    """Tell whether the order is awake, and wake it if the last price has reached its trigger."""
    order_type = order.ticket.order_type
    if order.triggered or order_type not in STOP_TYPES | _TOUCHED:
        return True
    if order.stop is None:
        return False
    # A stop waits for the price to go against the holder, a touched order for the opposite.
    rising = order.ticket.is_buy == (order_type in STOP_TYPES)
    order.triggered = top.last >= order.stop if rising else top.last <= order.stop
    return order.triggered


def trade_price(order: Order, top: Top) -> Decimal | None:
    """The price at which the order trades now, or nothing if it does not."""
    buys = order.ticket.is_buy
    market = top.ask if buys else top.bid
    limit = order.limit
    if order.ticket.order_type == "MIDPRICE":
        # Simplification: it trades at the middle, on the tick, when the cap allows.
        market = snapped(order.ticket.instrument, (top.bid + top.ask) / 2)
    if limit is None:
        return market
    reached = market <= limit if buys else market >= limit
    if not reached:
        return None
    return limit if order.rests else market
