"""Know at which hours of a week a market trades, on any date, and which bars are therefore missing.

IBKR publishes the hours of the days around now. They are taken as a weekly pattern by the
exchange's own clock, so that changes to and from daylight-saving time move them as they move the
market. What cannot be known is which days of the past were holidays or ended early, so a missing
session is reported as that and nothing more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from ibkr_adapter.model.bars import Bar, BarSize, Gap, GapKind
from ibkr_adapter.model.rules import Hours, Schedule
from ibkr_adapter.model.shown import Shown

_SATURDAY = 5
_NEARLY_A_WEEK = timedelta(days=6)
# A month, with what weekends and holidays may move it by.
_LONGEST_MONTH = timedelta(days=36)
_LONGEST_WEEK = timedelta(days=12)


@attrs.frozen
class Stretch(Shown):
    """Trading from a time of day, for so long by the clock on the wall."""

    opens: time
    lasts: timedelta


@attrs.frozen(kw_only=True)
class Week(Shown):
    """The usual hours by weekday (Monday is 0), in the exchange's time zone."""

    zone: ZoneInfo
    days: Mapping[int, tuple[Stretch, ...]]

    @property
    def longest_day(self) -> float:
        """The most seconds of trading in a day."""
        return max(sum(each.lasts.total_seconds() for each in day) for day in self.days.values())

    def sessions(self, since: datetime, until: datetime) -> Iterator[Hours]:
        """The usual sessions of which a part lies between two moments, in order."""
        day = since.astimezone(self.zone).date() - timedelta(days=2)
        while day <= until.astimezone(self.zone).date():
            for hours in self._on(day):
                if hours.closes > since and hours.opens < until:
                    yield hours
            day += timedelta(days=1)

    def closes(self, moment: datetime) -> datetime | None:
        """When the session ends in which a moment lies."""
        day = moment.astimezone(self.zone).date()
        for back in range(3):
            for hours in self._on(day - timedelta(days=back)):
                if hours.opens <= moment < hours.closes:
                    return hours.closes
        return None

    def _on(self, day: date) -> Iterator[Hours]:
        for stretch in self.days.get(day.weekday(), ()):
            # By the clock on the wall first: that is what an exchange goes by.
            opens = datetime.combine(day, stretch.opens)
            yield Hours(opens=self._utc(opens), closes=self._utc(opens + stretch.lasts))

    def _utc(self, local: datetime) -> datetime:
        return local.replace(tzinfo=self.zone).astimezone(UTC)


def zone_of(schedule: Schedule | None) -> ZoneInfo | None:
    """The exchange's time zone, where it is one that is known here."""
    try:
        return None if schedule is None else ZoneInfo(schedule.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def usual_week(schedule: Schedule | None, *, outside_rth: bool) -> Week | None:
    """Make a weekly pattern of the days that a schedule tells; ``None`` where it tells none."""
    zone = zone_of(schedule)
    if schedule is None or zone is None:
        return None
    told = schedule.regular + schedule.extended if outside_rth or not schedule.regular else schedule.regular
    by_date: dict[date, list[Stretch]] = {}
    for hours in _joined(told):
        opens, closes = (
            moment.astimezone(zone).replace(tzinfo=None) for moment in (hours.opens, hours.closes)
        )
        by_date.setdefault(opens.date(), []).append(Stretch(opens.time(), closes - opens))
    days: dict[int, tuple[Stretch, ...]] = {}
    for day, stretches in by_date.items():
        # A day that ends early or begins late is not the usual one.
        days[day.weekday()] = max(days.get(day.weekday(), ()), tuple(stretches), key=_trading_time)
    return Week(zone=zone, days=_every_week(days)) if days else None


def _every_week(days: Mapping[int, tuple[Stretch, ...]]) -> dict[int, tuple[Stretch, ...]]:
    """What is usual, from the days that were told."""
    longest = max(stretch.lasts for day in days.values() for stretch in day)
    if longest >= _NEARLY_A_WEEK:
        return dict.fromkeys(range(7), (Stretch(time(), timedelta(days=1)),))
    if any(_runs_past_midnight(stretch) for day in days.values() for stretch in day):
        # Nobody can tell an evening on which it never opens from one before a holiday.
        return dict(days)
    working = {day: hours for day, hours in days.items() if day < _SATURDAY}
    if not working:
        return dict(days)
    ((usual, _),) = Counter(working.values()).most_common(1)
    # A holiday in the days around now hides its weekday, an early close shortens it.
    hidden = {day: max(working.get(day, ()), usual, key=_trading_time) for day in range(_SATURDAY)}
    return {**days, **hidden}


def gaps(bars: Sequence[Bar], size: BarSize, week: Week, since: datetime, until: datetime) -> tuple[Gap, ...]:
    """Tell which usual trading hours between two moments have no bars."""
    if size.intraday:
        return tuple(_gaps_of_a_day(bars, size.length, week, since, until))
    if size is BarSize.DAY:
        return tuple(_missing_days(bars, week, since, until))
    longest = _LONGEST_WEEK if size is BarSize.WEEK else _LONGEST_MONTH
    return tuple(
        Gap(first.begins + size.length, second.begins, GapKind.SESSION)
        for first, second in pairwise(bars)
        if second.begins - first.begins > longest
    )


def _missing_days(bars: Sequence[Bar], week: Week, since: datetime, until: datetime) -> Iterator[Gap]:
    begun = [bar.begins for bar in bars]
    # A bar that begins at midnight stands for its date.
    dates = {moment.astimezone(week.zone).date() for moment in begun if week.closes(moment) is None}
    for hours in week.sessions(since, until):
        # The bar of a session that lies only partly in the span may be left out or running.
        whole = since <= hours.opens and hours.closes <= until
        # A day's bar begins with its session, which may be on the evening before.
        place = bisect_left(begun, hours.opens)
        there = place < len(begun) and begun[place] < hours.closes
        if whole and not there and hours.closes.astimezone(week.zone).date() not in dates:
            yield Gap(hours.opens, hours.closes, GapKind.SESSION)


def _gaps_of_a_day(
    bars: Sequence[Bar], length: timedelta, week: Week, since: datetime, until: datetime
) -> Iterator[Gap]:
    begun = [bar.begins for bar in bars]
    for session in week.sessions(since, until):
        hours = Hours(opens=max(session.opens, since), closes=min(session.closes, until))
        inside = begun[bisect_left(begun, hours.opens) : bisect_left(begun, hours.closes)]
        if inside:
            yield from _inside(inside, length, hours)
        elif hours.closes - hours.opens >= length:
            # What is left of a session at either end of the span may be too short for a bar.
            yield Gap(hours.opens, hours.closes, GapKind.SESSION)


def _inside(begun: Sequence[datetime], length: timedelta, hours: Hours) -> Iterator[Gap]:
    if begun[0] - hours.opens >= length:
        yield Gap(hours.opens, begun[0], GapKind.EDGE)
    for first, second in pairwise(begun):
        if second - first > length:
            yield Gap(first + length, second, GapKind.INSIDE)
    if hours.closes - begun[-1] >= 2 * length:
        yield Gap(begun[-1] + length, hours.closes, GapKind.EDGE)


def _joined(told: Iterable[Hours]) -> list[Hours]:
    """Join stretches that touch or overlap, such as the hours before the regular ones."""
    joined: list[Hours] = []
    for hours in sorted(told, key=lambda each: each.opens):
        if joined and hours.opens <= joined[-1].closes:
            joined[-1] = Hours(opens=joined[-1].opens, closes=max(joined[-1].closes, hours.closes))
        else:
            joined.append(hours)
    return joined


def _runs_past_midnight(stretch: Stretch) -> bool:
    return datetime.combine(date.min, stretch.opens) + stretch.lasts > datetime.combine(
        date.min, time()
    ) + timedelta(days=1)


def _trading_time(day: tuple[Stretch, ...]) -> timedelta:
    return sum((stretch.lasts for stretch in day), timedelta())
