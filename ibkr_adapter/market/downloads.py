"""Carry history over: into memory, or into a file that an interruption does not spoil.

What one run has read the next one goes on from, so a download that was broken off at any point ends
in the same file as one that was not: the span and what was asked for are fixed by the first run, and
pages follow from each other. How far it is can be shown as a bar in a terminal or a notebook.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from ibkr_adapter.errors import ConfigurationError, InvalidRequest, NoMarketData, quoted
from ibkr_adapter.market.barfiles import forget, part_of, put, told, writer
from ibkr_adapter.market.history import History, Stage, Wish, put_together
from ibkr_adapter.model.bars import Bars, BarSize, BarSource, page_period
from ibkr_adapter.model.kinds import check_callable, is_text
from ibkr_adapter.model.rules import Schedule
from ibkr_adapter.model.sessions import usual_week, zone_of
from ibkr_adapter.model.spans import When, moment

Progress = Callable[[int, int], None]
_DAY = 86_400
# IBKR's names of exchanges have a dozen letters.
_LONGEST_EXCHANGE = 40
_LONGEST_PATH = 4096


def _size(word: BarSize | str) -> BarSize:
    return BarSize.of(word)


def _source(word: BarSource | str) -> BarSource:
    return BarSource.of(word)


def _exchange(word: object) -> str | None:
    if word is None:
        return None
    if not is_text(word) or len(word) > _LONGEST_EXCHANGE:
        raise InvalidRequest(
            f"exchange={quoted(word)} is no exchange; no bar was asked for, nothing was sent."
        )
    return word


@attrs.frozen(kw_only=True)
class Asked:
    """What somebody asked for, before it is known what it means at this moment."""

    title: str
    size: BarSize = attrs.field(converter=_size)
    since: When
    until: When | None
    source: BarSource = attrs.field(converter=_source)
    outside_rth: bool
    exchange: str | None = attrs.field(converter=_exchange)

    def wish(self, conid: int, now: datetime, schedule: Schedule | None) -> Wish:
        """Tell what it means at a moment.

        Raises:
            InvalidRequest: It ends before it begins, or begins in the future.
        """
        zone = zone_of(schedule) or UTC
        # Moments go to IBKR in whole seconds.
        now = now.astimezone(UTC).replace(microsecond=0)
        end = now if self.until is None else moment(self.until, back_from=now, zone=zone)
        end = min(end, now).replace(microsecond=0)
        since = moment(self.since, back_from=end, zone=zone)
        if since >= end:
            raise InvalidRequest(
                f"the history would begin at {since:%Y-%m-%d %H:%M} and end at {end:%Y-%m-%d %H:%M} UTC; "
                "no bar was asked for.",
                remedy="since lies before until, and before now.",
            )
        week = usual_week(schedule, outside_rth=self.outside_rth)
        period, step = page_period(self.size, _DAY if week is None else week.longest_day)
        return Wish(
            conid=conid,
            size=self.size,
            since=since,
            until=end,
            asked_at=now,
            period=period,
            step=step,
            source=self.source,
            outside_rth=self.outside_rth,
            exchange=self.exchange,
        )

    def words(self, conid: int) -> dict[str, str]:
        """The same in words that do not depend on when it is asked, but for what it counts back from."""
        return {
            "conid": str(conid),
            "bars": self.size.value,
            "source": self.source.value,
            "outside_rth": str(self.outside_rth),
            "exchange": str(self.exchange),
            "since": str(self.since),
            "until": "now" if self.until is None else str(self.until),
        }


class Downloads:
    """Histories of any span, with the exchange's hours to hold them against."""

    def __init__(
        self,
        *,
        history: History,
        now: Callable[[], datetime],
        schedule: Callable[[int], Schedule | None],
    ) -> None:
        self._history = history
        self._now = now
        self._schedule = schedule

    def read(self, conid: int, asked: Asked, *, progress: Progress | bool = False) -> Bars:
        """Read into memory."""
        _check_progress(progress)
        schedule = self._schedule(conid)
        wish = asked.wish(conid, self._now(), schedule)
        with shown(progress, wish, asked.title) as tell:
            stages = list(self._told(wish, None, schedule, tell))
        return self._bars(asked, wish, stages, schedule)

    def save(
        self,
        conid: int,
        asked: Asked,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        progress: Progress | bool = False,
    ) -> Bars:
        """Read into a file, going on with what an earlier run has read."""
        _check_progress(progress)
        target = _path(path)
        write = writer(target)
        with told(target):
            is_there = target.exists()
        if is_there and not replace:
            raise InvalidRequest(
                f"{target} is there already; no bar was asked for.",
                remedy="Pass replace=True, or another name.",
            )
        schedule = self._schedule(conid)
        try:
            bars = self._carry_over(conid, asked, target, write, schedule, progress)
        except NoMarketData:
            # What is not there today may be there tomorrow.
            forget(target)
            raise
        forget(target)
        return bars

    def _carry_over(
        self,
        conid: int,
        asked: Asked,
        target: Path,
        write: Callable[[Path, Bars], None],
        schedule: Schedule | None,
        progress: Progress | bool,  # noqa: FBT001  (as the caller gave it)
    ) -> Bars:
        with part_of(target) as part:
            wish = part.begin(asked.words(conid), asked.wish(conid, self._now(), schedule))
            with shown(progress, wish, asked.title) as tell:
                last = part.stages[-1] if part.stages else None
                for stage in self._told(wish, last, schedule, tell):
                    part.add(stage)
            bars = self._bars(asked, wish, part.stages, schedule)
            put(target, bars, write)
        return bars

    def _told(
        self, wish: Wish, last: Stage | None, schedule: Schedule | None, tell: Progress
    ) -> Iterator[Stage]:
        total = _days(wish, wish.since)
        if last is not None:
            tell(_days(wish, last.then), total)
        week = usual_week(schedule, outside_rth=wish.outside_rth)
        for stage in self._history.walk(wish, week, last):
            yield stage
            tell(_days(wish, stage.then), total)

    def _bars(self, asked: Asked, wish: Wish, stages: list[Stage], schedule: Schedule | None) -> Bars:
        zone = zone_of(schedule)
        return put_together(
            wish,
            stages,
            week=usual_week(schedule, outside_rth=wish.outside_rth),
            zone=None if zone is None else zone.key,
            title=asked.title,
        )


def _path(path: object) -> Path:
    # No path has a zero byte in it, or so many letters; the disk would say it in errors of Python's.
    if not isinstance(path, str | os.PathLike) or "\0" in str(path) or len(str(path)) > _LONGEST_PATH:
        raise InvalidRequest(f"path={quoted(path)} is no path; no bar was asked for, nothing was sent.")
    return Path(path)


def _check_progress(progress: object) -> None:
    if not isinstance(progress, bool):
        check_callable(progress, "progress")


@contextmanager
def shown(progress: Progress | bool, wish: Wish, title: str) -> Iterator[Progress]:  # noqa: FBT001  (as the caller gave it)
    """Give what is told how many days of how many are done: a bar, the caller's own, or nothing.

    Raises:
        ConfigurationError: A bar is wanted and tqdm is not installed.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield lambda _done, _total: None
    else:
        bar = _bar(_days(wish, wish.since), title)
        try:
            yield lambda done, _total: bar.update(done - bar.n)
        finally:
            bar.close()


def _bar(total: int, title: str) -> Any:
    try:
        tqdm = importlib.import_module("tqdm.auto")
    except ImportError as missing:
        raise ConfigurationError(
            "a progress bar needs tqdm, which is not installed; no bar was asked for.",
            remedy="Install ibkr-adapter[notebook], or pass a function instead of True.",
        ) from missing
    return tqdm.tqdm(total=total, desc=title, unit="d")


def _days(wish: Wish, back_to: datetime) -> int:
    """How many days of the span are behind, the last one begun counting whole."""
    seconds = (wish.until - max(back_to, wish.since)).total_seconds()
    return -int(-seconds // _DAY)
