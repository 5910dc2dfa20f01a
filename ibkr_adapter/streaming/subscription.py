"""What somebody holds who subscribed: events to take, by one of three ways, and an end.

Iterate over it, ask it for one event at a time as a queue, or give a callback when subscribing.
Leaving its ``with`` block, or :meth:`Subscription.close`, ends it at IBKR too unless others have the
same topic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import StreamClosed
from ibkr_adapter.model.stream import Event
from ibkr_adapter.streaming.channels import Channel
from ibkr_adapter.streaming.feed import Feed
from ibkr_adapter.streaming.mailbox import SIZE, Mailbox


class Subscription:
    """A consumer's own hold on one topic or several; for one thread at a time.

    Its events come in the order in which they arrived. Who has given a callback takes none here: it is
    called on the stream's thread, so it must be quick, and what it raises is logged.
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        channels: Sequence[Channel],
        *,
        size: int = SIZE,
        callback: Callable[[Event], None] | None = None,
    ) -> None:
        self._feed = feed
        self._box = Mailbox(clock, size=size, callback=callback)
        self._channels = [feed.attach(channel, self._box) for channel in channels]

    @property
    def topics(self) -> tuple[str, ...]:
        """What is subscribed to, in IBKR's words."""
        return tuple(channel.key for channel in self._channels)

    @property
    def waiting(self) -> int:
        """How many events have come and were not taken yet."""
        return self._box.waiting

    def get(self, timeout: float | None = None) -> Event | None:
        """Take the next event.

        Args:
            timeout: How many seconds to wait for one; 0 looks only, and without one it waits for ever.

        Returns:
            The event, or ``None`` where none came in time.

        Raises:
            StreamClosed: The subscription has ended and all it brought was taken; it says why.
        """
        return self._box.get(timeout)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        try:
            event = self._box.get()
        except StreamClosed:
            if self._box.ended_well:
                raise StopIteration from None
            raise
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """End it; whoever iterates over it on another thread comes to an end."""
        self._box.close()
        for channel in self._channels:
            self._feed.release(channel, self._box)
        self._channels = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
