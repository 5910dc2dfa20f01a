"""What a subscription is to the line: how it is asked for, read, renewed and ended; and those of the market.

A channel belongs to one topic of one login, however many consumers it has; it holds what has been
merged so far, and is touched by the stream's thread alone. Whom its events go to, and when to
write, is for :mod:`ibkr_adapter.streaming.feed`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.stream import BarsEvent, DepthEvent, DepthRow, Event, QuoteEvent, Unreadable
from ibkr_adapter.wire import stream, stream_rows
from ibkr_adapter.wire.fields import TAGS
from ibkr_adapter.wire.stream_quotes import RunningQuote

log = logging.getLogger(__name__)

# IBKR ends quotes silently after a quarter of an hour; nine minutes leave room for one that fails.
RENEW_QUOTES = 540.0
# A subscription of quotes that has been silent for so long is said to be stale.
STALE_QUOTES = 60.0


class Channel:
    """One topic; ``key`` is how its frames are marked."""

    renew_every: float | None = None
    stale_after: float | None = None
    # The contract whose quotes it has.
    quoted: int | None = None
    # Whether seeding it makes calls, and can keep the stream's thread for as long as it may take.
    reads_first = False

    def __init__(self, key: str) -> None:
        self.key = key

    def join(self, other: Channel) -> bool:
        """Take in what another consumer of the same topic wants; tell whether it must be asked for anew."""
        del other
        return False

    def begin(self) -> Sequence[str]:
        """What subscribes to it."""
        return ()

    def end(self) -> Sequence[str]:
        """What ends the subscription."""
        return ()

    def renew(self) -> Sequence[str]:
        """What is written before the subscription would run out, or when it is silent."""
        return (*self.end(), *self.begin())

    def lost(self) -> None:
        """Forget what cannot be relied upon any more: the line is gone."""

    def seed(self, deadline: float, at: datetime) -> Sequence[Event]:
        """Read how things stand, where the line tells only what changes; for each line anew.

        Raises:
            IBKRError: It could not be read.
        """
        del deadline, at
        return ()

    @property
    def owes(self) -> bool:
        """Whether something came that cannot be told before more is read; it is seeded again then."""
        return False

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Read a frame of it; a row that cannot be read takes no other with it."""
        raise NotImplementedError

    def unreadable(self, failure: UnexpectedAnswer, at: datetime) -> Event:
        """Say that a row, or all of a frame, was not understood."""
        log.warning("a frame of %s cannot be read: %s", self.key, failure)
        return Unreadable(at=at, topic=self.key, text=failure.message)

    def current(self, at: datetime) -> Sequence[Event]:
        """How it stands, for a consumer who comes later than others."""
        del at
        return ()


class Quotes(Channel):
    """One contract's quote."""

    renew_every = RENEW_QUOTES

    def __init__(
        self, conid: int, exchange: str | None, names: Iterable[str], stale_after: float | None
    ) -> None:
        self._target = str(conid) if exchange is None else f"{conid}@{exchange}"
        super().__init__(f"smd+{self._target}")
        self.names = list(dict.fromkeys(names))
        self._conid = self.quoted = conid
        self._running = RunningQuote(exchange, self.names)
        self._has_some = False
        self.stale_after = stale_after

    def join(self, other: Channel) -> bool:
        """Add the fields that another consumer wants, and be stale as early as anybody wants."""
        if not isinstance(other, Quotes):
            return False
        if other.stale_after is not None:
            self.stale_after = min(self.stale_after or other.stale_after, other.stale_after)
        fresh = [name for name in other.names if name not in self.names]
        self.names += fresh
        self._running.ask_for(fresh)
        return bool(fresh)

    def begin(self) -> Sequence[str]:
        """Ask for all fields that any consumer wants; the session has one set for a contract."""
        return (stream.quotes(self._target, [TAGS[name] for name in self.names]),)

    def end(self) -> Sequence[str]:
        """End it, which frees a market data line."""
        return (stream.no_quotes(self._target),)

    def lost(self) -> None:
        """Forget all figures: one that did not change again would never be told anew."""
        self._running.forget()
        self._has_some = False

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Merge what changed."""
        if not self._running.take(content):
            return ()
        self._has_some = True
        return self.current(at)

    def current(self, at: datetime) -> Sequence[Event]:
        """The quote as it stands, once there is one."""
        if not self._has_some:
            return ()
        return (QuoteEvent(at=at, conid=self._conid, fields=self._running.fields),)


class Depth(Channel):
    """One contract's price ladder, as one account sees it."""

    def __init__(self, account_id: str, conid: int, exchange: str | None) -> None:
        super().__init__(stream.depth(account_id, conid, exchange))
        self.account_id = account_id
        self._conid = conid
        self._rows: dict[int, DepthRow] = {}

    def begin(self) -> Sequence[str]:
        """Subscribe; the key is all there is to write."""
        return (self.key,)

    def end(self) -> Sequence[str]:
        """End the account's ladder."""
        return (stream.no_depth(self.account_id),)

    def lost(self) -> None:
        """Forget rows that would not be told again if they did not change."""
        self._rows.clear()

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Merge the rows that changed."""
        return self._event(stream_rows.ladder_after(content, self._rows), at)

    def current(self, at: datetime) -> Sequence[Event]:
        """The ladder as it stands."""
        return self._event(tuple(self._rows[row] for row in sorted(self._rows)), at)

    def _event(self, rows: tuple[DepthRow, ...], at: datetime) -> Sequence[Event]:
        if not rows:
            return ()
        return (DepthEvent(at=at, conid=self._conid, account_id=self.account_id, rows=rows),)


class Bars(Channel):
    """Live bars of one contract; a session has five places for them, and the server names each."""

    def __init__(self, conid: int, *, period: str, bar: str, outside_rth: bool, source: str) -> None:
        super().__init__(f"smh+{conid}")
        self.conid = conid
        self._wish = stream.bars(conid, period=period, bar=bar, outside_rth=outside_rth, source=source)
        # Only trades have a volume; a later frame need not repeat in which units it is.
        self._has_volume = source == stream.FROM_TRADES
        self._factor = Decimal(1)
        self._server_id: str | None = None
        self._last: Sequence[Event] = ()

    @property
    def wish(self) -> str:
        """What is written to subscribe; two consumers must want the same."""
        return self._wish

    def begin(self) -> Sequence[str]:
        """Subscribe."""
        return (self._wish,)

    def end(self) -> Sequence[str]:
        """Free the place by the server's name for it; without one the feed frees it when it comes."""
        return () if self._server_id is None else (stream.no_bars(self._server_id),)

    def lost(self) -> None:
        """Forget the server's name."""
        self._server_id, self._last = None, ()

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Read the bars of a frame."""
        self._server_id = stream.server_id_of(content) or self._server_id
        self._factor = stream_rows.volume_factor_of(content) or self._factor
        bars = stream_rows.bars_of(content, self._factor if self._has_volume else None)
        self._last = (BarsEvent(at=at, conid=self.conid, bars=bars),) if bars else ()
        return self._last

    def current(self, at: datetime) -> Sequence[Event]:
        """The bars of the latest frame."""
        del at
        return self._last
