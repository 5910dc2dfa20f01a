"""Read price history of any span: page by page backwards, each page as long as IBKR allows.

IBKR has no pages of its own and at most a thousand bars in an answer. So each request asks for a
period of which all bars fit, ending where the one before began; nothing is assumed of how a period
is counted, because the next request begins at the first bar that came. Stretches in which nothing
traded are stepped over. Four requests at once is what the throttle lets out, over all threads.

A walk depends on nothing but the wish and the answers, so it can be broken off and gone on with at
any page. Keeping pages on disk is for :mod:`ibkr_adapter.market.downloads`.

Source: Web API reference, "Historical Market Data"; docs/ibkr-facts.md tells what is a guess.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ApiError, NoMarketData, Throttled
from ibkr_adapter.model.bars import Bar, Bars, BarSize, BarSource, Overlap, Report
from ibkr_adapter.model.sessions import Week, gaps
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints
from ibkr_adapter.wire.history import Page, history_query, is_empty, read_history

log = logging.getLogger(__name__)

# Waiting for one of the four places counts, too.
PAGE_WITHIN = 60.0
# The longest holidays of an exchange last nine days; where nothing came for longer, there is no more.
QUIET_FOR = timedelta(days=14)
# A refusal for pacing closes history for a minute; a longer wait is the caller's to decide on.
LONGEST_WAIT = 120.0
MOST_WAITS = 3
ASK_AGAIN_AFTER = 1.0


@attrs.frozen(kw_only=True)
class Wish:
    """Which bars are wanted: those that begin at ``since`` or later and had ended by ``until``.

    ``asked_at`` is the moment at which a bar counts as running or not. ``period`` is what one request
    asks for, and ``step`` the same as a span.
    """

    conid: int
    size: BarSize
    since: datetime
    until: datetime
    asked_at: datetime
    period: str
    step: timedelta
    source: BarSource = BarSource.LAST
    outside_rth: bool = False
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class Stage:
    """What one request brought: it asked up to ``asked``, and the next one asks up to ``then``.

    ``heard`` is the beginning of the oldest bar so far, or where the walk began.
    """

    asked: datetime
    then: datetime
    heard: datetime
    page: Page


class History:
    """Walks through history over one session."""

    def __init__(self, *, clock: Clock, session: SessionKeeper) -> None:
        self._clock = clock
        self._session = session

    def walk(self, wish: Wish, week: Week | None = None, after: Stage | None = None) -> Iterator[Stage]:
        """Ask page after page back to the beginning of the wish, or until IBKR has nothing older.

        Args:
            wish: What is wanted.
            week: When the market usually trades; that there is nothing is believed at once elsewhere.
            after: The stage to go on from.
        """
        cursor, heard = (wish.until, wish.until) if after is None else (after.then, after.heard)
        while cursor > wish.since and not is_quiet(wish, cursor, heard):
            page = self._page(wish, cursor, week)
            older = [bar.begins for bar in page.bars if bar.begins < cursor]
            then = min(older) if older else cursor - wish.step
            heard = then if older else heard
            yield Stage(asked=cursor, then=then, heard=heard, page=page)
            cursor = then

    def _page(self, wish: Wish, cursor: datetime, week: Week | None) -> Page:
        page = self._ask(wish, cursor)
        traded = week is None or any(week.sessions(cursor - wish.step, cursor))
        if page.cut if page is not None else traded:
            # Once more: it may be a slip. What comes twice is believed, and told if it looks cut.
            self._clock.sleep(ASK_AGAIN_AFTER)
            page = _both(page, self._ask(wish, cursor))
        return page or Page(bars=())

    def _ask(self, wish: Wish, cursor: datetime) -> Page | None:
        query = history_query(
            wish.conid,
            period=wish.period,
            size=wish.size,
            until=cursor,
            source=wish.source,
            outside_rth=wish.outside_rth,
            exchange=wish.exchange,
        )
        for waits in range(MOST_WAITS + 1):
            try:
                content = self._session.read(
                    endpoints.HISTORY, query=query, deadline=self._clock.monotonic() + PAGE_WITHIN
                )
                return read_history(content, wish.source)
            except Throttled as refusal:
                if waits == MOST_WAITS or refusal.retry_at > LONGEST_WAIT:
                    raise
                log.info("history waits for %.0f s: %s", refusal.retry_at, refusal)
                self._clock.sleep(refusal.retry_at)
            except ApiError as refusal:
                if not is_empty(refusal.text):
                    raise
                return None
        raise AssertionError("the last round returns or raises")


def _both(first: Page | None, second: Page | None) -> Page | None:
    """Two answers to one question: the second counts, and a bar that only the first one had is kept."""
    if first is None or second is None:
        return second or first
    bars = {bar.begins: bar for bar in (*first.bars, *second.bars)}
    return attrs.evolve(
        second,
        bars=tuple(bars[begins] for begins in sorted(bars)),
        whole_volumes=first.whole_volumes and second.whole_volumes,
    )


def is_quiet(wish: Wish, cursor: datetime, heard: datetime) -> bool:
    """Whether nothing came for so long that IBKR can have nothing older."""
    return heard - cursor >= max(QUIET_FOR, 2 * wish.step)


def put_together(
    wish: Wish, stages: Sequence[Stage], *, week: Week | None, zone: str | None, title: str
) -> Bars:
    """Make one list of what a walk brought.

    Raises:
        NoMarketData: Not one bar came.
    """
    kept: dict[datetime, Bar] = {}
    overlaps: list[Overlap] = []
    for bar in (bar for stage in stages for bar in stage.page.bars):
        # The same bar at the edge of two pages is whole in the later one of time, which came first.
        first = kept.setdefault(bar.begins, bar)
        if first != bar:
            overlaps.append(Overlap(first, bar))
    wanted = [kept[begins] for begins in sorted(kept) if _is_wanted(wish, kept[begins], week)]
    if not wanted:
        raise NoMarketData(
            f"IBKR has no bars of {wish.size} for {title} between {wish.since:%Y-%m-%d %H:%M} and "
            f"{wish.until:%Y-%m-%d %H:%M} UTC.",
            remedy="It keeps none of expired options, and of expired futures for two years; set until "
            "to a moment at which the contract traded.",
        )
    if wish.size.intraday:
        pairs = pairwise(wanted)
        overlaps += [Overlap(one, two) for one, two in pairs if two.begins - one.begins < wish.size.length]
    until = min(wish.until, wish.asked_at)
    pages = [stage.page for stage in stages]
    return Bars(
        wanted,
        conid=wish.conid,
        size=wish.size,
        source=wish.source,
        outside_rth=wish.outside_rth,
        zone=zone,
        report=Report(
            delay=max(page.delay for page in pages),
            gaps=None if week is None else gaps(wanted, wish.size, week, wish.since, until),
            overlaps=tuple(overlaps),
            complete=stages[-1].then <= wish.since,
            doubtful=tuple(stage.asked for stage in stages if stage.page.cut),
            volume_certain=all(page.whole_volumes for page in pages),
        ),
        title=title,
    )


def _is_wanted(wish: Wish, bar: Bar, week: Week | None) -> bool:
    """Whether a bar lies in the span and had ended."""
    if not wish.since <= bar.begins < wish.until:
        return False
    if wish.size.intraday:
        return bar.begins + wish.size.length <= min(wish.until, wish.asked_at)
    closes = week.closes(bar.begins) if week is not None and wish.size is BarSize.DAY else None
    return (closes or bar.begins + wish.size.length) <= wish.asked_at
