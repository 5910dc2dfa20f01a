"""When the simulated New York market is open, and what time it is there.

Knows the three sessions of a US stock day (extended 04:00-20:00, regular 09:30-16:00, overnight
20:00-03:50), weekends and a list of holidays and short days; every instrument keeps these hours.
The :class:`MarketClock` is the market *and* session clock: it starts on a Tuesday at ten, runs
with the injected clock and can be moved ahead.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from ibkr_adapter.clock import Clock

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 11, 24, 10, 0, tzinfo=NEW_YORK)

EXTENDED_OPEN = time(4, 0)
REGULAR_OPEN = time(9, 30)
REGULAR_CLOSE = time(16, 0)
EXTENDED_CLOSE = time(20, 0)
SHORT_CLOSE = time(13, 0)
SHORT_EXTENDED_CLOSE = time(17, 0)
OVERNIGHT_CLOSE = time(3, 50)
_SATURDAY = 5
_LONGEST_BREAK = 10  # days; no run of closed days is longer

HOLIDAYS = frozenset(
    {
        date(2026, 6, 19),
        date(2026, 11, 26),
        date(2026, 12, 25),
        date(2027, 1, 1),
        date(2027, 1, 18),
        date(2027, 2, 15),
        date(2027, 3, 26),
        date(2027, 5, 31),
        date(2027, 6, 18),
        date(2027, 7, 5),
        date(2027, 9, 6),
        date(2027, 11, 25),
        date(2027, 12, 24),
    }
)
SHORT_DAYS = frozenset({date(2026, 11, 27), date(2026, 12, 24), date(2027, 11, 26)})


class MarketClock:
    """The time of the market and of sessions; it starts at :data:`START` when it is made."""

    def __init__(self, clock: Clock, start: datetime = START) -> None:
        self._clock = clock
        self._origin = clock.monotonic()
        self._start = start.astimezone(UTC)
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The moment in UTC."""
        passed = timedelta(seconds=self._clock.monotonic() - self._origin)
        return self._start + passed + self._ahead

    def advance(self, seconds: float) -> None:
        """Move ahead of the injected clock by ``seconds`` more."""
        self._ahead += timedelta(seconds=seconds)


def is_trading_day(day: date) -> bool:
    """Tell whether there is a regular session on this New York day."""
    return day.weekday() < _SATURDAY and day not in HOLIDAYS


@lru_cache(maxsize=1024)
def _at(day: date, clock_time: time) -> datetime:
    return datetime.combine(day, clock_time, NEW_YORK).astimezone(UTC)


def local_day(moment: datetime) -> date:
    """The New York date of a moment."""
    return moment.astimezone(NEW_YORK).date()


def midnight(day: date) -> datetime:
    """The moment at which a New York day begins."""
    return _at(day, time(0))


def regular(day: date) -> tuple[datetime, datetime]:
    """Opening and closing of the regular session; only for trading days."""
    close = SHORT_CLOSE if day in SHORT_DAYS else REGULAR_CLOSE
    return _at(day, REGULAR_OPEN), _at(day, close)


def extended(day: date) -> tuple[datetime, datetime]:
    """Opening and closing of the extended session; only for trading days."""
    close = SHORT_EXTENDED_CLOSE if day in SHORT_DAYS else EXTENDED_CLOSE
    return _at(day, EXTENDED_OPEN), _at(day, close)


def overnight(day: date) -> tuple[datetime, datetime]:
    """The night that leads into a trading day: from the evening before."""
    return _at(day - timedelta(days=1), EXTENDED_CLOSE), _at(day, OVERNIGHT_CLOSE)


@lru_cache(maxsize=256)
def _sessions(moment: datetime) -> tuple[bool, bool, bool]:
    """Whether the regular, the extended and the overnight session are on."""
    # Every order asks for the same moment, and zone arithmetic is slow.
    day = local_day(moment)
    open_day = is_trading_day(day)
    nights = (overnight(one) for one in (day, day + timedelta(days=1)) if is_trading_day(one))
    return (
        open_day and _within(moment, regular(day)),
        open_day and _within(moment, extended(day)),
        any(_within(moment, night) for night in nights),
    )


def is_regular(moment: datetime) -> bool:
    """Tell whether the regular session is on."""
    return _sessions(moment)[0]


def is_extended(moment: datetime) -> bool:
    """Tell whether the extended session, which holds the regular one, is on."""
    return _sessions(moment)[1]


def is_overnight(moment: datetime) -> bool:
    """Tell whether the overnight session is on."""
    return _sessions(moment)[2]


def _within(moment: datetime, span: tuple[datetime, datetime]) -> bool:
    return span[0] <= moment < span[1]


def trading_days(first: date, count: int) -> list[date]:
    """The next ``count`` trading days from ``first`` on."""
    found: list[date] = []
    day = first
    while len(found) < count:
        if is_trading_day(day):
            found.append(day)
        day += timedelta(days=1)
    return found


def next_open(moment: datetime) -> datetime:
    """The first regular opening after ``moment``."""
    day = local_day(moment)
    for _ in range(_LONGEST_BREAK):
        if is_trading_day(day) and regular(day)[0] > moment:
            return regular(day)[0]
        day += timedelta(days=1)
    raise AssertionError(f"no opening within {_LONGEST_BREAK} days of {moment}")


def day_order_end(moment: datetime, *, outside: bool) -> datetime:
    """When a day order entered at ``moment`` expires: the first close still ahead."""
    day = local_day(moment)
    for _ in range(_LONGEST_BREAK):
        if is_trading_day(day):
            end = (extended(day) if outside else regular(day))[1]
            if end > moment:
                return end
        day += timedelta(days=1)
    raise AssertionError(f"no close within {_LONGEST_BREAK} days of {moment}")


def overnight_end(moment: datetime) -> datetime:
    """The end of the overnight session that is on, or of the next one."""
    day = local_day(moment)
    for _ in range(_LONGEST_BREAK):
        if is_trading_day(day) and overnight(day)[1] > moment:
            return overnight(day)[1]
        day += timedelta(days=1)
    raise AssertionError(f"no night within {_LONGEST_BREAK} days of {moment}")


def last_traded(moment: datetime) -> datetime:
    """The latest moment, up to ``moment``, at which prices moved."""
    if is_extended(moment):
        return moment
    day = local_day(moment)
    for _ in range(_LONGEST_BREAK):
        if is_trading_day(day) and extended(day)[1] <= moment:
            return extended(day)[1]
        day -= timedelta(days=1)
    raise AssertionError(f"no session within {_LONGEST_BREAK} days before {moment}")


def next_boundary(moment: datetime) -> datetime:
    """The next moment, after ``moment``, at which a session begins or ends."""
    day = local_day(moment)
    for _ in range(_LONGEST_BREAK):
        if is_trading_day(day):
            edges = (*overnight(day), *extended(day), *regular(day))
            ahead = [edge for edge in edges if edge > moment]
            if ahead:
                return min(ahead)
        day += timedelta(days=1)
    raise AssertionError(f"no boundary within {_LONGEST_BREAK} days of {moment}")
