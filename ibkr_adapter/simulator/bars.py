"""Bars: what the prices were, gathered over minutes, hours, days, weeks or months.

A bar is made from the prices themselves, so it is the same bar whichever request covers it, the
bars of five minutes add up to that of the five, the close of the running one is the price now and
a price that was set by hand is in it. Only its end moves, and only while it is the running one.

What was long before the market's clock started is coarser: the price moves evenly between one
half hour and the next, so that years can be told in a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

import attrs

from ibkr_adapter.simulator.calendars import Calendar, Span, calendar_of
from ibkr_adapter.simulator.prices import snapped

if TYPE_CHECKING:
    from ibkr_adapter.simulator.instrument import Instrument
    from ibkr_adapter.simulator.prices import Prices

MINUTE, HOUR, DAY, WEEK, MONTH = 60, 3600, 86_400, 604_800, 2_678_400
_FINE, _COARSE = 20, 1800  # seconds between two looks at a price; both divide the hour
# How many days around a request its bars can reach.
_REACH = {WEEK: 7, MONTH: 31}
_RECENT = timedelta(days=10)
_MOST_KEPT = 50_000
_NOTHING = Decimal(0)


@attrs.frozen(kw_only=True)
class Bar:
    """One bar; ``mean`` is the average of the prices, ``volume`` in the instrument's units."""

    start: datetime
    opened: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    mean: Decimal
    volume: Decimal


@attrs.frozen(kw_only=True)
class Frame:
    """The sessions of one bar, the first of which begins it; a whole one ends with the last."""

    sessions: tuple[Span, ...]

    @property
    def start(self) -> datetime:
        """When the bar begins."""
        return self.sessions[0][0]


def frames(calendar: Calendar, span: Span, length: int, *, outside: bool) -> Iterator[Frame]:
    """The bars of a length that begin within a span, its end included, in order."""
    first, last = span
    # From before the first week or month, so that none is taken for one that begins later.
    days = _days(calendar, calendar.local_day(first), calendar.local_day(last), _REACH.get(length, 1))
    if length > DAY:
        groups = (
            [_hours(calendar, day, outside=outside) for day in group] for group in _grouped(days, length)
        )
        found: Iterable[Frame] = (Frame(sessions=tuple(group)) for group in groups)
    else:
        found = (
            Frame(sessions=(part,))
            for day in days
            for part in _parts(_hours(calendar, day, outside=outside), length)
        )
    return (one for one in found if first <= one.start <= last)


def _days(calendar: Calendar, first: date, last: date, reach: int) -> Iterator[date]:
    for number in range(-reach, (last - first).days + reach + 1):
        day = first + timedelta(days=number)
        if calendar.is_day(day):
            yield day


def _grouped(days: Iterable[date], length: int) -> Iterator[Iterator[date]]:
    def key(day: date) -> tuple[int, int]:
        return day.isocalendar()[:2] if length == WEEK else (day.year, day.month)

    for _, group in groupby(days, key):
        yield group


def _hours(calendar: Calendar, day: date, *, outside: bool) -> Span:
    return calendar.whole(day) if outside else calendar.liquid(day)


def _parts(session: Span, length: int) -> Iterator[Span]:
    at, close = session
    while at < close:
        yield at, min(at + timedelta(seconds=length), close)
        at += timedelta(seconds=length)


class BarMaker:
    """Make the bars of one market."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._kept: dict[tuple[int, datetime, datetime, float], Bar] = {}
        self._knots: dict[tuple[int, int, float], Decimal] = {}

    def bar(self, instrument: Instrument, frame: Frame, now: datetime) -> Bar | None:
        """One bar, up to now; none when nothing of it has happened yet."""
        parts = [
            self._session(instrument, start, min(end, now), is_whole=end <= now)
            for start, end in frame.sessions
            if start < now
        ]
        if not parts:
            return None
        return Bar(
            start=frame.start,
            opened=parts[0].opened,
            high=max(one.high for one in parts),
            low=min(one.low for one in parts),
            close=parts[-1].close,
            mean=sum((one.mean for one in parts), _NOTHING) / len(parts),
            volume=sum((one.volume for one in parts), _NOTHING),
        )

    def _session(self, instrument: Instrument, start: datetime, end: datetime, *, is_whole: bool) -> Bar:
        key = (instrument.conid, start, end, self._prices.walk)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        path = list(self._path(instrument, start, end))
        made = Bar(
            start=start,
            opened=path[0],
            close=path[-1],
            high=max(path),
            low=min(path),
            mean=sum(path, _NOTHING) / len(path),
            volume=self._prices.volume_between(instrument, start, end),
        )
        if is_whole:
            # What has happened stays as it was.
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = made
        return made

    def _path(self, instrument: Instrument, start: datetime, end: datetime) -> Iterator[Decimal]:
        """Prices from start to end, both included, at moments that all bars share."""
        is_fine = start >= self._prices.start - _RECENT
        step = _FINE if is_fine else _COARSE
        moments = [start, *_multiples(start, end, step), end]
        for before, after in pairwise(moments):
            yield self._at(instrument, before, is_fine=is_fine)
            if is_fine:
                yield from self._prices.set_between(instrument, before, after)
        yield self._at(instrument, end, is_fine=is_fine)

    def _at(self, instrument: Instrument, moment: datetime, *, is_fine: bool) -> Decimal:
        if is_fine:
            return self._prices.at(instrument, moment)
        index, part = divmod(int(moment.timestamp()), _COARSE)
        left = self._knot(instrument, index)
        if not part:
            return left
        right = self._knot(instrument, index + 1)
        return snapped(instrument, left + (right - left) * part / _COARSE)

    def _knot(self, instrument: Instrument, index: int) -> Decimal:
        key = (instrument.conid, index, self._prices.walk)
        if key not in self._knots:
            if len(self._knots) >= _MOST_KEPT:
                self._knots.clear()
            self._knots[key] = self._prices.at(instrument, datetime.fromtimestamp(index * _COARSE, UTC))
        return self._knots[key]


def _multiples(start: datetime, end: datetime, step: int) -> Iterator[datetime]:
    """The moments strictly between two at which all bars look."""
    at = start + timedelta(seconds=step - start.timestamp() % step)
    while at < end:
        yield at
        at += timedelta(seconds=step)


def trading_days_back(instrument: Instrument, moment: datetime, count: int) -> datetime:
    """The same time of day, so many trading days before."""
    calendar = calendar_of(instrument)
    day = calendar.local_day(moment)
    back = day
    while count > 0:
        back -= timedelta(days=1)
        count -= calendar.is_day(back)
    local = moment.astimezone(calendar.tz)
    return local.replace(year=back.year, month=back.month, day=back.day).astimezone(moment.tzinfo)
