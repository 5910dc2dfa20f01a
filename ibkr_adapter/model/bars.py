"""Bars of price history: their sizes, what they were made of, and how they are shown.

A bar begins at a moment and holds what happened until the next one begins. Prices are in the
contract's currency, volumes in shares or contracts. Which moments a market trades at is in
:mod:`ibkr_adapter.model.sessions`, how IBKR writes bars in :mod:`ibkr_adapter.wire.history`.

Source: Web API reference, "Historical Market Data", table of step sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from operator import attrgetter
from typing import Any, overload
from zoneinfo import ZoneInfo

import attrs

from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.table import Table

_DAY = 86_400
# IBKR sends no more bars than this in one answer.
MOST_POINTS = 1000


class BarSize(StrEnum):
    """How long a bar lasts, in IBKR's spelling: ``m`` is a month and ``min`` a minute."""

    MINUTE = "1min"
    MINUTES_2 = "2min"
    MINUTES_3 = "3min"
    MINUTES_5 = "5min"
    MINUTES_10 = "10min"
    MINUTES_15 = "15min"
    MINUTES_30 = "30min"
    HOUR = "1h"
    HOURS_2 = "2h"
    HOURS_3 = "3h"
    HOURS_4 = "4h"
    HOURS_8 = "8h"
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1m"

    @property
    def seconds(self) -> int:
        """Its length; a month has 31 days here."""
        number, unit = int(self.value.rstrip("minhdw")), self.value.lstrip("0123456789")
        return number * {"min": 60, "h": 3600, "d": _DAY, "w": 7 * _DAY, "m": 31 * _DAY}[unit]

    @property
    def intraday(self) -> bool:
        """Whether several of them fit into a day."""
        return self.seconds < _DAY

    @property
    def length(self) -> timedelta:
        """Its length as a span of time."""
        return timedelta(seconds=self.seconds)

    @classmethod
    def of(cls, word: BarSize | str) -> BarSize:
        """Read a size as people write it: ``1min``, ``1 min``, ``5 mins``, ``1 hour``, ``1D``.

        Raises:
            InvalidRequest: IBKR has no bars of that size; it names those it has.
        """
        bare = "".join(str(word).split())
        # IBKR's own word, in which an m is a month; then words for people.
        sizes = {each.value: each for each in cls}
        if bare in sizes:
            return sizes[bare]
        number = bare.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
        unit = _UNITS.get(bare[len(number) :].lower().rstrip("s"), "")
        meant = sizes.get(f"{number or 1}{unit}")
        if meant is not None:
            return meant
        raise InvalidRequest(
            f"IBKR has no bars of {str(word)!r:.40}; nothing was sent.",
            near=get_close_matches(bare, list(cls), n=3),
            remedy=f"It has {', '.join(cls)}; m is a month, min a minute.",
        )


_UNITS = {
    "min": "min",
    "minute": "min",
    "h": "h",
    "hr": "h",
    "hour": "h",
    "d": "d",
    "day": "d",
    "w": "w",
    "week": "w",
    "month": "m",
}

# The longest period for which IBKR makes bars as short as this, and its days. Between two lines of
# its table the stricter one is kept.
_PERIODS: tuple[tuple[str, int, int], ...] = (
    ("15y", 15 * 366, 7 * _DAY),
    ("2y", 2 * 366, _DAY),
    ("1y", 366, 8 * 3600),
    ("6m", 184, 4 * 3600),
    ("3m", 92, 2 * 3600),
    ("1m", 31, 3600),
    ("1w", 7, 600),
    ("1d", 1, 60),
)
_SHORT_PERIOD = ("8h", timedelta(hours=8))


def page_period(size: BarSize, seconds_a_day: float = _DAY) -> tuple[str, timedelta]:
    """Tell the longest period of which all bars fit into one answer, in IBKR's word and as a span.

    Args:
        size: The bars.
        seconds_a_day: How long the market trades on its longest day, at most.
    """
    for word, days, shortest in _PERIODS:
        each_day = seconds_a_day / size.seconds if size.intraday else _DAY / size.seconds
        if size.seconds >= shortest and days * each_day <= MOST_POINTS:
            return word, timedelta(days=days)
    return _SHORT_PERIOD


class BarSource(StrEnum):
    """What bars are made of; of ``BID_ASK`` open is the mean bid, close the mean ask, high the highest ask, low the lowest bid."""

    LAST = "Last"
    MIDPOINT = "Midpoint"
    BID_ASK = "Bid_Ask"

    @classmethod
    def of(cls, word: BarSource | str) -> BarSource:
        """Read a source in any case; ``trades`` is an older word for ``Last``.

        Raises:
            InvalidRequest: There is no such source.
        """
        bare = str(word).strip().lower()
        found = next((each for each in cls if each.value.lower() == bare), None)
        if found is None and bare == "trades":
            return cls.LAST
        if found is None:
            raise InvalidRequest(
                f"bars are not made of {str(word)!r:.40}; nothing was sent.",
                remedy=f"The sources are {', '.join(cls)}.",
            )
        return found


@attrs.frozen
class Bar(Shown):
    """One bar; ``volume`` is missing where its source has none."""

    begins: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None


class GapKind(StrEnum):
    """Where bars are missing; only ``INSIDE`` is never a holiday or an early close."""

    INSIDE = "inside a session"
    EDGE = "at the edge of a session"
    SESSION = "a whole session"


@attrs.frozen
class Gap(Shown):
    """A stretch of usual trading hours without bars.

    A market that nobody trades in makes no bars, and holidays of the past are not known: a gap says
    what is not there, not that it was lost.
    """

    begins: datetime
    ends: datetime
    kind: GapKind


@attrs.frozen
class Overlap(Shown):
    """A bar that another one, which is left out, contradicts or runs into."""

    kept: Bar
    other: Bar


COLUMNS: Mapping[str, Callable[[Bar], Any]] = {
    name: attrgetter(name) for name in ("begins", "open", "high", "low", "close", "volume")
}


@attrs.frozen(kw_only=True)
class Report(Shown):
    """What must be known of bars before they are trusted.

    Attributes:
        delay: By how many seconds the newest prices were delayed; 0 where they were not.
        gaps: Where usual trading hours have no bars; ``None`` where the hours are not known.
        overlaps: What came twice and differed, and bars that run into the next.
        complete: Whether the span was read to its beginning; not where IBKR has nothing older.
        doubtful: Where an answer ended that seemed to be cut, and came the same a second time.
        volume_certain: Whether all volumes are whole numbers, as those of shares must be.
    """

    delay: int = 0
    gaps: tuple[Gap, ...] | None = None
    overlaps: tuple[Overlap, ...] = ()
    complete: bool = True
    doubtful: tuple[datetime, ...] = ()
    volume_certain: bool = True

    def __str__(self) -> str:
        """What is not as it should be, in a few words."""
        words = ["hours not known" if self.gaps is None else f"{len(self.gaps)} gaps"]
        words += [f"{len(self.overlaps)} overlaps"] if self.overlaps else []
        words += [f"delayed by {self.delay} s"] if self.delay else []
        words += [] if self.complete else ["nothing older at IBKR"]
        words += [f"{len(self.doubtful)} answers perhaps cut"] if self.doubtful else []
        words += [] if self.volume_certain else ["volumes uncertain"]
        return ", ".join(words)


class Bars(Table[Bar]):
    """Bars of one contract, the oldest first, each once.

    ``zone`` is the exchange's time zone, where IBKR told it.
    """

    def __init__(
        self,
        rows: Iterable[Bar],
        *,
        conid: int,
        size: BarSize,
        source: BarSource = BarSource.LAST,
        outside_rth: bool = False,
        zone: str | None = None,
        report: Report | None = None,
        title: str = "",
    ) -> None:
        super().__init__(rows, COLUMNS, title=title)
        self.conid = conid
        self.size = size
        self.source = source
        self.outside_rth = outside_rth
        self.zone = zone
        self.report = report or Report()

    def __repr__(self) -> str:
        return f"<{self.title or type(self).__name__}: {self._told()}>"

    # Said again for type checkers: a part of bars is bars.
    @overload
    def __getitem__(self, place: int) -> Bar: ...

    @overload
    def __getitem__(self, place: slice) -> Bars: ...

    def __getitem__(self, place: int | slice) -> Bar | Bars:
        return self._like(self._rows[place]) if isinstance(place, slice) else self._rows[place]

    def where(self, test: Callable[[Bar], bool]) -> Bars:
        """The bars for which ``test`` holds."""
        return self._like([bar for bar in self._rows if test(bar)])

    def _like(self, rows: Sequence[Bar]) -> Bars:
        gaps = self.report.gaps
        if gaps is not None:
            # What is missing outside of the part is not missing in it.
            gaps = tuple(
                gap for gap in gaps if rows and rows[0].begins <= gap.begins and gap.ends <= rows[-1].begins
            )
        return Bars(
            rows,
            conid=self.conid,
            size=self.size,
            source=self.source,
            outside_rth=self.outside_rth,
            zone=self.zone,
            report=attrs.evolve(self.report, gaps=gaps),
            title=self.title,
        )

    def to_frame(self, *, exact: bool = False, zone: str | None = None) -> Any:
        """Make a pandas data frame with the beginnings as its index.

        Args:
            exact: Keep figures as ``Decimal``; otherwise they are floats.
            zone: In which time zone the index is; the exchange's if unset, else UTC.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        frame = super().to_frame(exact=exact).set_index("begins")
        # An empty column has no type of its own.
        frame.index = frame.index.astype("datetime64[us, UTC]").tz_convert(zone or self.zone or "UTC")
        return frame

    def local(self, bar: Bar) -> datetime:
        """When a bar begins by the exchange's clock."""
        return bar.begins.astimezone(ZoneInfo(self.zone or "UTC"))

    def _left_out(self) -> list[str]:
        return [*super()._left_out(), self._told()]

    def _doubts(self) -> list[str]:
        delay = self.report.delay
        return [f"the newest prices are delayed by {delay} s"] if delay else []

    def _told(self) -> str:
        return f"{len(self)} bars of {self.size}, {self.report}"
