"""The typed desk of streams: what an object of a host's subscribes to, by names.

Names become contract ids here and accounts those of the object's settings. All objects of a login
share one line and one thread; what two of them want of the same contract is asked for once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.model.stream import Event
from ibkr_adapter.portfolio import Portfolio
from ibkr_adapter.settings import Settings
from ibkr_adapter.streaming.channels import STALE_QUOTES, Channel, Quotes
from ibkr_adapter.streaming.feed import Feed
from ibkr_adapter.streaming.mailbox import SIZE
from ibkr_adapter.streaming.subscription import Subscription
from ibkr_adapter.wire.marketdata import FIELD_SETS, TAGS

Callback = Callable[[Event], None]


class Shared(Protocol):
    """What the desk needs of a connection."""

    clock: Clock
    conids: ConidResolver
    portfolio: Portfolio


class StreamDesk:
    """Subscribes for one object of a host's, and ends with it."""

    def __init__(self, feed: Feed, connection: Shared, settings: Settings) -> None:
        self._feed = feed
        self._connection = connection
        self._settings = settings
        self._open: weakref.WeakSet[Subscription] = weakref.WeakSet()

    @property
    def is_up(self) -> bool:
        """Whether the line is up, heard of lately, and its session stands."""
        return self._feed.is_up

    def quotes(
        self,
        *symbols: str | int,
        fields: str | Sequence[str] = "quote",
        callback: Callback | None = None,
        size: int = SIZE,
        stale_after: float | None = STALE_QUOTES,
    ) -> Subscription:
        """Subscribe to quotes; each event has the whole quote as it stands.

        Each contract uses one of the user's market data lines, of which there are 100 unless more
        were bought; beyond them nothing comes, and IBKR says nothing.

        Args:
            symbols: Contracts by name, or by contract id.
            fields: The name of a set of fields, or names of fields.
            callback: Called with each event on the stream's thread, instead of keeping it.
            size: How many events are kept for a consumer who is behind; the oldest are dropped.
            stale_after: After how many seconds of silence you are told ``Stale``; ``None`` for never.

        Raises:
            ContractError: A name fits no contract, or several; nothing was subscribed to.
            ConfigurationError: There is no such field, or nothing was named.
            StreamClosed: The connection was closed.
        """
        names = FIELD_SETS.get(fields) if isinstance(fields, str) else tuple(fields)
        if names is None or not names or any(name not in TAGS for name in names):
            raise ConfigurationError(
                f"{fields!r} names no field, or no set of fields, of a quote; nothing was subscribed to.",
                remedy=f"The sets are {', '.join(FIELD_SETS)}; docs/streaming.md tells of the fields.",
            )
        conids = [self._conid(symbol) for symbol in symbols]
        channels = [Quotes(conid, None, names, stale_after) for conid in dict.fromkeys(conids)]
        return self._subscribe(channels, callback, size)

    def close(self) -> None:
        """End every subscription of this object."""
        for subscription in list(self._open):
            subscription.close()

    def _conid(self, symbol: str | int) -> int:
        if isinstance(symbol, int):
            return symbol
        # What can no longer be traded can still be looked at.
        return self._connection.conids.resolve(symbol, for_trading=False).conid

    def _subscribe(self, channels: Sequence[Channel], callback: Callback | None, size: int) -> Subscription:
        if not channels or size < 1:
            raise ConfigurationError(
                "a subscription needs something to subscribe to and a size of at least 1."
            )
        made = Subscription(self._feed, self._connection.clock, channels, size=size, callback=callback)
        self._open.add(made)
        return made
