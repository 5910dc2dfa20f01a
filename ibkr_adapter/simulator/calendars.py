"""Which hours each class of instrument keeps.

Shares keep the three sessions of :mod:`.hours`; options, indices and bonds the regular one only;
futures trade nearly round the clock from Sunday evening with an hour's break, currencies from
Sunday to Friday, coins always. A trading day is called by the date on which it ends. The futures'
hours are those of the documented schedule.

Simplifications: foreign venues keep New York hours, futures are closed on all of its holidays.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import attrs

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.instrument import Instrument

Span = tuple[datetime, datetime]
_WORK_WEEK = frozenset(range(5))
_EVERY_DAY = frozenset(range(7))
_LONGEST_BREAK = 10  # days; no run of closed days is longer
_UTC = ZoneInfo("UTC")


def _clock(hour: float) -> timedelta:
    return timedelta(hours=hour)


@attrs.frozen(kw_only=True, eq=False)
class Calendar:
    """The hours of one class; times are counted from midnight of the trading day in ``zone``.

    What is ``split`` trades outside its liquid hours only when an order asks for it.
    """

    name: str
    zone: str
    opens: timedelta
    closes: timedelta
    liquid_opens: timedelta
    liquid_closes: timedelta
    shown_zone: str = "US/Eastern"
    days: frozenset[int] = _WORK_WEEK
    holidays: bool = True
    short_closes: timedelta | None = None
    split: bool = False

    def is_day(self, day: date) -> bool:
        """Tell whether this is a trading day."""
        return day.weekday() in self.days and not (self.holidays and day in hours.HOLIDAYS)

    @property
    def tz(self) -> ZoneInfo:
        """The zone in which its day begins."""
        return ZoneInfo(self.zone)

    def _at(self, day: date, clock: timedelta) -> datetime:
        # Wall time, not elapsed time: on the days of the change midnight is elsewhere.
        local = datetime(day.year, day.month, day.day) + clock  # noqa: DTZ001 - the zone follows
        return local.replace(tzinfo=self.tz).astimezone(_UTC)

    def whole(self, day: date) -> Span:
        """Opening and closing of a trading day."""
        closes = self.closes
        if self.short_closes is not None and day in hours.SHORT_DAYS:
            closes = self.short_closes
        return self._at(day, self.opens), self._at(day, closes)

    def liquid(self, day: date) -> Span:
        """The part of a trading day in which it is busy."""
        closes = self.liquid_closes
        if self.short_closes is not None and day in hours.SHORT_DAYS:
            closes = min(closes, self.short_closes)
        return self._at(day, self.liquid_opens), self._at(day, closes)

    def span(self, day: date, *, outside: bool) -> Span:
        """The hours of a day in which an order can trade."""
        return self.whole(day) if outside or not self.split else self.liquid(day)

    def local_day(self, moment: datetime) -> date:
        """The date of a moment in this calendar's zone."""
        return moment.astimezone(self.tz).date()

    def is_open(self, moment: datetime, *, outside: bool = False) -> bool:
        """Tell whether an order can trade now."""
        return _is_open(self, moment, outside=outside)

    def days_from(self, first: date, count: int) -> list[date]:
        """The next ``count`` trading days from ``first`` on."""
        found: list[date] = []
        day = first
        while len(found) < count:
            if self.is_day(day):
                found.append(day)
            day += timedelta(days=1)
        return found

    def spans_around(self, moment: datetime, *, outside: bool) -> list[Span]:
        """The spans of the trading days before, on and after a moment, in order."""
        today = self.local_day(moment)
        days = (today + timedelta(days=one) for one in range(-_LONGEST_BREAK, _LONGEST_BREAK))
        return [self.span(day, outside=outside) for day in days if self.is_day(day)]

    def last_traded(self, moment: datetime) -> datetime:
        """The latest moment, up to ``moment``, at which prices moved."""
        return _last_traded(self, moment)

    def next_open(self, moment: datetime) -> datetime:
        """The first opening after ``moment``."""
        spans = self.spans_around(moment, outside=False)
        return next(opens for opens, _ in spans if opens > moment)

    def day_end(self, moment: datetime, *, outside: bool) -> datetime:
        """When a day order entered at ``moment`` expires: the first close still ahead."""
        spans = self.spans_around(moment, outside=outside)
        return next(closes for _, closes in spans if closes > moment)

    def next_boundary(self, moment: datetime) -> datetime:
        """The next moment, after ``moment``, at which trading begins or ends."""
        spans = self.spans_around(moment, outside=True)
        return min(edge for span in spans for edge in span if edge > moment)

    def trading_day(self, moment: datetime) -> date:
        """The trading day that is on, or the last one."""
        day = self.local_day(moment) + timedelta(days=1)
        while not self.is_day(day) or self.whole(day)[0] > moment:
            day -= timedelta(days=1)
        return day

    def previous_close(self, moment: datetime) -> datetime:
        """When the trading day before the present one ended."""
        day = self.trading_day(moment) - timedelta(days=1)
        while not self.is_day(day):
            day -= timedelta(days=1)
        return self.whole(day)[1]


class _StockCalendar(Calendar):
    """The hours of shares, which :mod:`.hours` knows and remembers."""

    def is_open(self, moment: datetime, *, outside: bool = False) -> bool:
        return hours.is_extended(moment) if outside else hours.is_regular(moment)

    def whole(self, day: date) -> Span:
        return hours.extended(day)

    def last_traded(self, moment: datetime) -> datetime:
        return hours.last_traded(moment)

    def next_boundary(self, moment: datetime) -> datetime:
        return hours.next_boundary(moment)


@lru_cache(maxsize=1024)
def _is_open(calendar: Calendar, moment: datetime, *, outside: bool) -> bool:
    # Every order asks for the same moment, and zone arithmetic is slow.
    today = calendar.local_day(moment)
    for day in (today, today + timedelta(days=1)):
        if calendar.is_day(day):
            opens, closes = calendar.span(day, outside=outside)
            if opens <= moment < closes:
                return True
    return False


@lru_cache(maxsize=1024)
def _last_traded(calendar: Calendar, moment: datetime) -> datetime:
    if calendar.is_open(moment, outside=True):
        return moment
    spans = calendar.spans_around(moment, outside=True)
    return max(closes for _, closes in spans if closes <= moment)


_NEW_YORK = "America/New_York"
STOCKS = _StockCalendar(
    name="shares",
    zone=_NEW_YORK,
    opens=_clock(4),
    closes=_clock(20),
    liquid_opens=_clock(9.5),
    liquid_closes=_clock(16),
    short_closes=_clock(13),
    split=True,
)
REGULAR = Calendar(
    name="regular",
    zone=_NEW_YORK,
    opens=_clock(9.5),
    closes=_clock(16),
    liquid_opens=_clock(9.5),
    liquid_closes=_clock(16),
    short_closes=_clock(13),
)
FUTURES = Calendar(
    name="futures",
    zone="America/Chicago",
    shown_zone="US/Central",
    opens=_clock(-7),
    closes=_clock(16),
    liquid_opens=_clock(8.5),
    liquid_closes=_clock(16),
    short_closes=_clock(12.25),
)
CURRENCIES = Calendar(
    name="currencies",
    zone=_NEW_YORK,
    opens=_clock(-6.75),
    closes=_clock(17),
    liquid_opens=_clock(-6.75),
    liquid_closes=_clock(17),
    holidays=False,
)
ALWAYS = Calendar(
    name="coins",
    zone="UTC",
    shown_zone="UTC",
    opens=_clock(0),
    closes=_clock(24),
    liquid_opens=_clock(0),
    liquid_closes=_clock(24),
    days=_EVERY_DAY,
    holidays=False,
)
_BY_CLASS = {
    "STK": STOCKS,
    "FUT": FUTURES,
    "FOP": FUTURES,
    "CASH": CURRENCIES,
    "CRYPTO": ALWAYS,
}
# The narrowest hours first: a combination trades when all of its legs do.
_NARROW = (REGULAR, STOCKS, CURRENCIES, FUTURES, ALWAYS)


def calendar_of(instrument: Instrument) -> Calendar:
    """The hours that an instrument keeps."""
    if instrument.legs:
        return min((calendar_of(one.instrument) for one in instrument.legs), key=_NARROW.index)
    if instrument.kind == "PRODUCT":
        return FUTURES
    return _BY_CLASS.get(instrument.sec_type, REGULAR)
