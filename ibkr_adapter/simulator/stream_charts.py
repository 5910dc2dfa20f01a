"""Bars and depth on a stream: ``smh`` and ``sbd``.

Bars are answered once, and hold one of five places until they are given up by the *server's* id.
Depth is one ladder for an account, whole in every frame, with the last trade marked.

Guesses: that a sixth request for bars and a second ladder are silent, what bars that go on look
like (an option, because reports differ), how deep a ladder is and in which order its rows stand.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator.figures import grouped, price_text
from ibkr_adapter.simulator.stream_frames import Feed, Pace, Wish, frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from ibkr_adapter.simulator.door import Frame
    from ibkr_adapter.simulator.instrument import Instrument
    from ibkr_adapter.simulator.world import World

MOST_CHARTS = 5
_LEVELS = 5
_CHARTS_EVERY = timedelta(seconds=5)
# What a frame that goes on repeats.
_ONGOING = ("serverId", "symbol", "barLength", "mdAvailability", "volumeFactor", "priceFactor")


class ChartFeed(Feed):
    """The bars of one contract."""

    def __init__(self, wish: Wish, body: dict[str, Any], again: Callable[[], dict[str, Any] | None]) -> None:
        self._topic = wish.key
        self.server_id = str(body["serverId"])
        self._body: dict[str, Any] | None = body
        self._again = again
        self._due: datetime | None = None
        self._last: dict[str, Any] | None = body["data"][-1] if body["data"] else None
        self.goes_on = False

    def look(self, now: datetime) -> list[Frame]:
        """All bars once; then, if they go on, the one that is running."""
        body, self._body = self._body, None
        if body is not None:
            self._due = now + _CHARTS_EVERY
            return [frame({**body, "topic": self._topic})]
        if not self.goes_on or self._due is None or now < self._due:
            return []
        self._due = now + _CHARTS_EVERY
        fresh = self._again()
        if fresh is None or not fresh["data"] or fresh["data"][-1] == self._last:
            return []
        self._last = fresh["data"][-1]
        told = {key: fresh[key] for key in _ONGOING} | {"serverId": self.server_id}
        return [frame({**told, "data": [self._last], "points": 0, "topic": self._topic})]

    def close(self) -> list[Frame]:
        """Give the place up."""
        return [frame({"message": f"Unsubscribed {self.server_id}"}, topic="umh")]


class LadderFeed(Feed):
    """The book of one contract."""

    def __init__(self, world: World, wish: Wish, instrument: Instrument) -> None:
        self._world = world
        self._topic = wish.key
        self._instrument = instrument
        self._shown: list[dict[str, Any]] = []
        self._pace = Pace(world, world.now + timedelta(seconds=world.options.snapshot_delay))

    def look(self, now: datetime) -> list[Frame]:
        """The ladder, when it has changed."""
        if not self._pace.is_due(now):
            return []
        rows = self._rows(now)
        if rows == self._shown:
            return []
        self._shown = rows
        self._pace.sent(now)
        return [frame({"topic": self._topic, "data": rows})]

    def _rows(self, now: datetime) -> list[dict[str, Any]]:
        instrument, prices = self._instrument, self._world.prices
        top = prices.top(instrument, now)
        tick = instrument.tick_at(top.last)
        asks = [
            {"price": price_text(top.ask + tick * level, tick), "ask": grouped(size)}
            for level, size in enumerate(prices.depth(instrument, "ask", now, _LEVELS))
        ]
        bids = [
            {"price": price_text(top.bid - tick * level, tick), "bid": grouped(size)}
            for level, size in enumerate(prices.depth(instrument, "bid", now, _LEVELS))
            if top.bid - tick * level > 0
        ]
        size = grouped(prices.depth(instrument, "last", now, 1)[0])
        last = {"price": f"{size} @ {price_text(top.last, tick)}"}
        rows = [*reversed(asks), last, *bids]
        return [{"row": number, "focus": int(row is last), **row} for number, row in enumerate(rows)]
