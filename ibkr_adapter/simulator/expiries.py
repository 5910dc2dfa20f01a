"""On which days contracts expire, and how a month is written.

Knows third Fridays, every Friday, quarter ends and the energy rule, each moved back to a trading
day; and the two spellings of a month, ``JAN27`` in walks and ``202701`` in contract details. A
contract of a week has no month code of its own: it is in the month of its date.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.digits import whole

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# The letters of futures' local symbols, January first.
MONTH_LETTERS = "FGHJKMNQUVXZ"
QUARTERS = frozenset({3, 6, 9, 12})
_DAY = timedelta(days=1)
_FRIDAY = 4
_CODE_LENGTH = 5


def month_code(day: date) -> str:
    """The month of a date as walks write it: ``JAN27``."""
    return f"{_MONTHS[day.month - 1]}{day:%y}"


def parse_month(code: str) -> date | None:
    """The first day of the month that a code means; nothing for any other text."""
    name, year = code[:3], code[3:]
    if len(code) != _CODE_LENGTH or name not in _MONTHS or whole(year) is None:
        return None
    return date(2000 + int(year), _MONTHS.index(name) + 1, 1)


def month_after(first: date, count: int = 1) -> date:
    """The first day of the month ``count`` months later."""
    total = first.year * 12 + first.month - 1 + count
    return date(total // 12, total % 12 + 1, 1)


def _traded(day: date) -> date:
    while not hours.is_trading_day(day):
        day -= _DAY
    return day


def nominal_third_friday(month: date) -> date:
    """The third Friday of a month, whether or not the market is open."""
    first = date(month.year, month.month, 1)
    return first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)


@lru_cache(maxsize=512)
def third_friday(month: date) -> date:
    """The trading day on which monthly contracts expire."""
    return _traded(nominal_third_friday(month))


@lru_cache(maxsize=512)
def last_trading_day(month: date) -> date:
    """The last trading day of a month."""
    return _traded(month_after(month) - _DAY)


def energy_day(month: date) -> date:
    """Three trading days before the 25th of the month before; holds for crude oil."""
    day = _traded(month_after(month, -1).replace(day=25))
    for _ in range(3):
        day = _traded(day - _DAY)
    return day


def friday_of(day: date) -> date:
    """The trading day on which contracts of this day's week expire."""
    return _traded(day + timedelta(days=_FRIDAY - day.weekday()))


def is_week_end(day: date) -> bool:
    """Tell whether contracts of a week expire on this day."""
    return day == friday_of(day)


def week_of_month(day: date) -> int:
    """Which Friday of its month the Friday of this day's week is, counted from one."""
    friday = day + timedelta(days=_FRIDAY - day.weekday())
    return (friday.day - 1) // 7 + 1


def months_from(today: date, count: int, expires: Callable[[date], date]) -> list[date]:
    """The next ``count`` months whose expiry is not behind ``today``, as first days."""
    first = date(today.year, today.month, 1)
    found: list[date] = []
    while len(found) < count:
        if expires(first) >= today:
            found.append(first)
        first = month_after(first)
    return found


def fridays_from(today: date, count: int) -> list[date]:
    """The next ``count`` weekly expiries."""
    found: list[date] = []
    day = today
    while len(found) < count:
        end = friday_of(day)
        if end >= today:
            found.append(end)
        day += timedelta(days=7)
    return found


def close_of(day: date, clock: time = hours.REGULAR_CLOSE) -> datetime:
    """The moment at which a contract that trades on this day for the last time ends."""
    if clock == hours.REGULAR_CLOSE and hours.is_trading_day(day):
        return hours.regular(day)[1]
    return hours.midnight(day) + timedelta(hours=clock.hour, minutes=clock.minute)
