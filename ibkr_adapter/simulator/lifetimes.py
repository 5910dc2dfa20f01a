"""When an order reaches its market, and when it ends by itself.

Both follow from the order's type, its time in force and the hours of its instrument. No order
outlives its contract.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.order import Ticket

# A limit order for a coin stands for five minutes.
_PAX_LIFE = timedelta(minutes=5)
# The opening auction takes what is there within a minute.
_OPENING = timedelta(minutes=1)


def due(ticket: Ticket, moment: datetime, latency: float) -> datetime:
    """When an order entered at ``moment`` reaches the market."""
    calendar = calendar_of(ticket.instrument)
    if ticket.tif == "OPG":
        return calendar.next_open(moment)
    if ticket.order_type in {"MOC", "LOC"}:
        return calendar.day_end(moment, outside=False)
    return moment + timedelta(seconds=latency)


def expiry(ticket: Ticket, moment: datetime) -> datetime | None:
    """When an order ends by itself: when its time is up, or its contract is."""
    ends = [one for one in (_term(ticket, moment), ticket.instrument.ends) if one is not None]
    return min(ends, default=None)


def _term(ticket: Ticket, moment: datetime) -> datetime | None:
    calendar = calendar_of(ticket.instrument)
    if ticket.tif == "GTC":
        return None
    if ticket.tif == "PAX":
        return moment + _PAX_LIFE
    if ticket.tif == "OPG":
        return calendar.next_open(moment) + _OPENING
    if ticket.tif == "OVT":
        return hours.overnight_end(moment)
    if ticket.tif == "OND":
        return calendar.day_end(hours.overnight_end(moment), outside=False)
    return calendar.day_end(moment, outside=ticket.outside_rth)
