"""Hand events over from the stream's thread to a consumer's, and say so where that fails.

A consumer who is behind loses the oldest events that a later one replaces (quotes, ladders,
figures), never an order, a trade or a gap, and is told how many with a
:class:`~ibkr_adapter.model.stream.Dropped` in their place. What may not be lost is bounded too: a
consumer who takes none of a hundred thousand of those is no consumer, and the mailbox ends.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import StreamClosed
from ibkr_adapter.model.stream import Dropped, Event

log = logging.getLogger(__name__)

# Replaceable events that are kept for a consumer, unless it says otherwise.
SIZE = 10_000
# Of the others; about an hour of a very busy account.
MOST_KEPT = 100_000


class Mailbox:
    """What is on its way to one consumer, in order."""

    def __init__(
        self, clock: Clock, *, size: int = SIZE, callback: Callable[[Event], None] | None = None
    ) -> None:
        self._clock = clock
        self._size = size
        self._callback = callback
        self._lock = threading.Lock()
        self._filled = clock.flag()
        # Two lines, each event with its place in the order of both.
        self._lossy: deque[tuple[int, Event]] = deque()
        self._kept: deque[tuple[int, Event]] = deque()
        self._count = 0
        self._dropped = 0
        self._end: StreamClosed | None = None
        self._is_closed = False

    def put(self, events: Iterable[Event]) -> None:
        """Take events in; never waits for the consumer."""
        if self._callback is not None:
            self._call(self._callback, events)
            return
        with self._lock:
            if self._is_closed:
                return
            for event in events:
                self._count += 1
                if not event.replaceable:
                    self._kept.append((self._count, event))
                else:
                    if len(self._lossy) >= self._size:
                        self._lossy.popleft()
                        self._dropped += 1
                    self._lossy.append((self._count, event))
            if len(self._kept) > MOST_KEPT:
                self._is_closed = True
                self._end = StreamClosed(
                    f"nobody took {MOST_KEPT} events that may not be lost; the subscription was ended.",
                    remedy="Take events as they come, or subscribe to less.",
                )
        if not self._filled.is_set():
            self._filled.set()

    def get(self, timeout: float | None = None) -> Event | None:
        """Take the next event; ``None`` after ``timeout`` seconds, or at once where it is 0.

        Raises:
            StreamClosed: The subscription has ended, and all that it brought was taken.
        """
        until = None if timeout is None else self._clock.monotonic() + timeout
        while True:
            with self._lock:
                event = self._next()
                if event is not None:
                    return event
                if self._is_closed:
                    raise self._why()
                self._filled.clear()
            left = None if until is None else until - self._clock.monotonic()
            if (left is not None and left <= 0) or not self._filled.wait(left):
                return None

    @property
    def waiting(self) -> int:
        """How many events were not taken yet."""
        with self._lock:
            return len(self._lossy) + len(self._kept)

    @property
    def ended_well(self) -> bool:
        """Whether the consumer closed it, and not a failure."""
        return self._is_closed and self._end is None

    def close(self, end: StreamClosed | None = None) -> None:
        """Let nothing in any more; what is in it can still be taken."""
        with self._lock:
            if not self._is_closed:
                self._is_closed, self._end = True, end
        self._filled.set()

    def _next(self) -> Event | None:
        if self._dropped:
            oldest = self._lossy[0][1]
            event: Event = Dropped(at=oldest.at, count=self._dropped)
            self._dropped = 0
            return event
        if self._lossy and (not self._kept or self._lossy[0][0] < self._kept[0][0]):
            return self._lossy.popleft()[1]
        return self._kept.popleft()[1] if self._kept else None

    def _why(self) -> StreamClosed:
        return self._end.again() if self._end is not None else StreamClosed("the subscription was closed.")

    def _call(self, callback: Callable[[Event], None], events: Iterable[Event]) -> None:
        for event in events:
            if self._is_closed:
                return
            try:
                callback(event)
            except Exception:
                # It is the host's code, and the stream must not end for it.
                log.exception("a callback of the stream failed; it is given the next event all the same")
