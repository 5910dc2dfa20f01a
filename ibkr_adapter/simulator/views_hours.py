"""Hours in the JSON of the two schedules.

The new one has epoch seconds for the next days, closed days are absent; the old one has wall
times for weekdays, where 20000101 stands for any Saturday, and the special days ahead.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.calendars import FUTURES, REGULAR, Calendar, Span, calendar_of
from ibkr_adapter.simulator.figures import seconds
from ibkr_adapter.simulator.instrument import Instrument

_SCHEDULE_DAYS = 6
_WEEKEND = (1, 2)
# The words of the old schedule, and the classes in whose listings the symbol is looked up.
CLASSES: dict[str, frozenset[str]] = {
    "STK": frozenset({"STK"}),
    "CFD": frozenset({"STK", "IND"}),
    "OPT": frozenset({"STK", "IND"}),
    "WAR": frozenset({"STK"}),
    "FUT": frozenset({"IND"}),
    "ICS": frozenset({"IND"}),
    "SWP": frozenset({"CASH"}),
    "FND": frozenset({"FUND"}),
    "BND": frozenset({"BOND"}),
}


def schedule(instrument: Instrument, now: datetime) -> dict[str, Any]:
    """Hours of the next trading days."""
    calendar = calendar_of(instrument)
    days: dict[str, Any] = {}
    for day in calendar.days_from(calendar.local_day(now), _SCHEDULE_DAYS):
        liquid, whole = calendar.liquid(day), calendar.whole(day)
        days[day.strftime("%Y%m%d")] = {
            "liquid_hours": [_seconds(liquid)],
            "extended_hours": [{"cancel_daily_orders": True, **_seconds(whole)}],
        }
    return {"exchange_time_zone": calendar.shown_zone, "schedules": days}


def _seconds(span: Span) -> dict[str, int]:
    return {"opening": seconds(span[0]), "closing": seconds(span[1])}


def weekly_schedule(instrument: Instrument, asset_class: str, now: datetime) -> dict[str, Any]:
    """Hours of one venue by weekday."""
    calendar = {"OPT": REGULAR, "WAR": REGULAR, "FUT": FUTURES, "ICS": FUTURES}.get(
        asset_class, calendar_of(instrument)
    )
    weekday = now.date() - timedelta(days=now.weekday())
    while not all(calendar.is_day(weekday + timedelta(days=one)) for one in range(5)):
        weekday += timedelta(days=7)
    rows = []
    for number in range(1, 8):
        # The first stands for a Saturday.
        day = weekday + timedelta(days=(number + 4) % 7)
        rows.append(_row(f"2000010{number}", calendar, day if calendar.is_day(day) else None))
    today = hours.local_day(now)
    if calendar.holidays:
        ahead = [day for day in sorted(hours.HOLIDAYS) if timedelta(0) <= day - today <= timedelta(days=30)]
        rows += [_row(day.strftime("%Y%m%d"), calendar, None) for day in ahead]
    return {
        "id": "p101781",
        "tradeVenueId": "v13038",
        "exchange": instrument.exchange,
        "description": instrument.exchange,
        "timezone": calendar.zone,
        "schedules": rows,
    }


def _row(text: str, calendar: Calendar, day: Any) -> dict[str, Any]:
    if day is None:
        return {
            "clearingCycleEndTime": "0000",
            "tradingScheduleDate": text,
            "sessions": [],
            "tradingtimes": [],
        }
    liquid, whole = _clock(calendar, calendar.liquid(day)), _clock(calendar, calendar.whole(day))
    return {
        "clearingCycleEndTime": whole["closingTime"],
        "tradingScheduleDate": text,
        "sessions": [{**liquid, "prop": "LIQUID"}],
        "tradingtimes": [{**whole, "cancelDayOrders": "Y"}],
    }


def _clock(calendar: Calendar, span: Span) -> dict[str, str]:
    opens, closes = (one.astimezone(calendar.tz) for one in span)
    return {"openingTime": f"{opens:%H%M}", "closingTime": f"{closes:%H%M}"}
