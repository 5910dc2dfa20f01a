"""What one stream is subscribed to: topics are opened, closed and asked for news.

Knows which topics there are, which of them need a brokerage session, and what is said when one
is opened or closed, which is mostly nothing: what cannot be had stays silent. What a topic tells
is for its own room.

Guess: that what needs a brokerage session is dropped without a word where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator.stream_account import LedgerFeed, ProfitFeed, SummaryFeed
from ibkr_adapter.simulator.stream_charts import MOST_CHARTS, ChartFeed, LadderFeed
from ibkr_adapter.simulator.stream_frames import Feed, Wish, frame, unknown
from ibkr_adapter.simulator.stream_orders import OrderFeed, TradeFeed
from ibkr_adapter.simulator.stream_quotes import QuoteFeed, found, line_name, open_line

if TYPE_CHECKING:
    from ibkr_adapter.simulator.door import Frame
    from ibkr_adapter.simulator.world import World

Bars = Callable[[str, Mapping[str, Any]], "dict[str, Any] | None"]
NO_DATA = "No data."
_Handler = Callable[[Wish], list["Frame"]]


class Topics:
    """The subscriptions of one stream."""

    def __init__(self, world: World, bars: Bars) -> None:
        self._world = world
        self._bars = bars
        self._feeds: dict[str, tuple[Feed, int | None]] = {}
        self._handlers: dict[str, _Handler] = {
            "smd": self._quotes,
            "umd": self._no_quotes,
            "sor": self._orders,
            "uor": lambda _: self._close("sor"),
            "str": self._trades,
            "utr": lambda _: self._close("str"),
            "smh": self._charts,
            "umh": lambda wish: self._close(f"smh+{wish.target}"),
            "sbd": self._ladder,
            "ubd": lambda wish: self._close(f"sbd+{wish.target}"),
            "spl": lambda _: self._open("spl", ProfitFeed(self._world)),
            "upl": lambda _: self._close("spl"),
            "ssd": lambda wish: self._sums(wish, SummaryFeed),
            "usd": lambda wish: self._close(f"ssd+{wish.target}"),
            "sld": lambda wish: self._sums(wish, LedgerFeed),
            "uld": lambda wish: self._close(f"sld+{wish.target}"),
        }

    @property
    def names(self) -> list[str]:
        """What is subscribed to."""
        return list(self._feeds)

    def serve(self, wish: Wish) -> list[Frame]:
        """Do what a client has written."""
        handler = self._handlers.get(wish.topic)
        return [unknown(wish.topic)] if handler is None else handler(wish)

    def watch(self, moment: datetime) -> None:
        """Note what has just happened in the book."""
        for feed, _ in self._feeds.values():
            feed.watch(moment)

    def look(self, now: datetime) -> Iterator[Frame]:
        """What is to be sent now."""
        brokerage = self._world.sessions.brokerage
        number = brokerage.number if brokerage else None
        for name, (feed, of) in list(self._feeds.items()):
            if feed.of_brokerage and of != number:
                del self._feeds[name]
            else:
                yield from feed.look(now)

    def forget(self) -> None:
        """Lose every subscription, without a word."""
        self._feeds.clear()

    def age_quotes(self, seconds: float) -> int:
        """Let the quotes' quarter of an hour be over so much sooner; tell of how many."""
        feeds = [feed for feed, _ in self._feeds.values() if isinstance(feed, QuoteFeed)]
        for feed in feeds:
            feed.age(seconds)
        return len(feeds)

    # Opening and closing.

    def _open(self, name: str, feed: Feed) -> list[Frame]:
        brokerage = self._world.sessions.brokerage
        self._feeds[name] = (feed, brokerage.number if brokerage else None)
        return []

    def _close(self, name: str) -> list[Frame]:
        feed, _ = self._feeds.pop(name, (None, None))
        return feed.close() if feed else []

    @property
    def _is_cold(self) -> bool:
        """Tell whether the brokerage session is missing, or has not been asked for its accounts."""
        sessions = self._world.sessions
        return sessions.brokerage is None or not sessions.is_up or not sessions.brokerage.accounts_queried

    def _quotes(self, wish: Wish) -> list[Frame]:
        if self._is_cold:
            return []
        instrument = found(self._world, wish.target)
        if instrument is None:
            # Guess: the text is on record, not the occasion.
            return [frame({"topic": wish.key, "error": NO_DATA})]
        line = open_line(self._world, wish.target, wish.texts("fields"))
        running = self._feeds.get(wish.key, (None, None))[0]
        # Asking again adds tags; only one that is over begins anew.
        if line is None or (isinstance(running, QuoteFeed) and not running.is_over):
            return []
        return self._open(wish.key, QuoteFeed(self._world, wish, instrument, line))

    def _no_quotes(self, wish: Wish) -> list[Frame]:
        brokerage = self._world.sessions.brokerage
        if brokerage is not None and f"smd+{wish.target}" in self._feeds:
            brokerage.streams.pop(line_name(wish.target), None)
        return self._close(f"smd+{wish.target}")

    def _orders(self, wish: Wish) -> list[Frame]:
        return [] if self._is_cold else self._open("sor", OrderFeed(self._world, wish))

    def _trades(self, wish: Wish) -> list[Frame]:
        return [] if self._is_cold else self._open("str", TradeFeed(self._world, wish))

    def _charts(self, wish: Wish) -> list[Frame]:
        held = sum(isinstance(feed, ChartFeed) for feed, _ in self._feeds.values())
        if self._is_cold or held >= MOST_CHARTS:
            return []
        body = self._bars(wish.target, wish.arguments)
        if body is None:
            return [frame({"topic": wish.key, "error": NO_DATA})]
        feed = ChartFeed(wish, body, lambda: self._bars(wish.target, wish.arguments))
        feed.goes_on = self._world.options.bar_updates
        return self._open(f"smh+{feed.server_id}", feed)

    def _ladder(self, wish: Wish) -> list[Frame]:
        account, conid = (*wish.targets, "", "")[:2]
        instrument = found(self._world, conid)
        name = f"sbd+{account}"
        is_ours = account in self._world.accounts and self._world.options.depth and not self._is_cold
        if instrument is None or not is_ours or name in self._feeds:
            return []
        return self._open(name, LadderFeed(self._world, wish, instrument))

    def _sums(self, wish: Wish, kind: type[SummaryFeed | LedgerFeed]) -> list[Frame]:
        if wish.target not in self._world.accounts:
            return []
        return self._open(f"{wish.topic}+{wish.target}", kind(self._world, wish))
