"""Keep one order dialogue per brokerage session, and everything else out of it.

Between a question and its reply any other request on the session can kill the order that waits
for the answer, and then the reply answers 503 while the order may still go live. So whoever
places, modifies or cancels *holds* the session until IBKR has stopped asking, and every other
call of the session takes a *passage*, which waits while somebody holds. Between processes
:mod:`ibkr_adapter.neighbours` does the same; a thread asks there when its own process lets it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import BrokerageUnavailable
from ibkr_adapter.neighbours import SURELY_SENT, Neighbours


class Dialogue:
    """The one conversation that a brokerage session can carry; the outermost lock.

    ``neighbours`` are the other processes at this session, where there may be any.
    """

    def __init__(self, clock: Clock, neighbours: Neighbours | None = None) -> None:
        self._clock = clock
        self._neighbours = neighbours
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._under_way: dict[object, float] = {}
        self._waiting: list[Flag] = []

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread holds the session."""
        with self._lock:
            return self._owner == threading.get_ident()

    @contextmanager
    def hold(self, deadline: float) -> Iterator[None]:
        """Own the session; the owning thread may hold again inside.

        Raises:
            BrokerageUnavailable: Somebody else's dialogue did not end before ``deadline``;
                nothing was sent.
        """
        me = threading.get_ident()
        again = self._take(me, deadline)
        try:
            if self._neighbours is None or again:
                self._drain(me)
            else:
                since = self._neighbours.take_floor(deadline)
                self._drain(me)
                self._neighbours.let_arrive(since)
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    if self._neighbours is not None:
                        self._neighbours.leave_floor()
                    self._owner = None
                    self._wake()

    @contextmanager
    def passage(self, deadline: float) -> Iterator[None]:
        """Make one call while nobody else holds the session.

        Raises:
            BrokerageUnavailable: A dialogue did not end before ``deadline``; nothing was sent.
        """
        while (call := self.enter()) is None:
            self.wait(deadline)
        try:
            yield
        finally:
            self.leave(call)

    def enter(self) -> object | None:
        """Begin a call now, or return ``None`` where somebody else holds the session.

        What it returns must be given to :meth:`leave`. A call is to leave at once after this:
        one that waits for its turn here would count as sent long before it is.
        """
        with self._lock:
            if self._owner is not None and self._owner != threading.get_ident():
                return None
            call = object()
            if self._owner is None:
                if self._neighbours is not None and not self._neighbours.enter():
                    return None
                self._under_way[call] = self._clock.monotonic()
            return call

    def leave(self, call: object) -> None:
        """End a call that was begun by :meth:`enter`."""
        with self._lock:
            if self._under_way.pop(call, None) is None:
                return
            if self._neighbours is not None:
                self._neighbours.leave()
            if self._owner is not None:
                self._wake()

    def wait(self, deadline: float) -> None:
        """Wait while somebody else holds the session.

        Raises:
            BrokerageUnavailable: The dialogue did not end before ``deadline``; nothing was sent.
        """
        while True:
            with self._lock:
                if self._owner == threading.get_ident():
                    return
                if self._owner is None:
                    break
                flag = self._queue()
            self._wait(flag, deadline)
        if self._neighbours is not None:
            self._neighbours.wait(deadline)

    def _take(self, me: int, deadline: float) -> bool:
        """Become the owner; tell whether this thread was that already."""
        while True:
            with self._lock:
                if self._owner is None or self._owner == me:
                    self._owner = me
                    self._depth += 1
                    return self._depth > 1
                flag = self._queue()
            self._wait(flag, deadline)

    def _drain(self, me: int) -> None:
        while True:
            with self._lock:
                now = self._clock.monotonic()
                fresh = [started for started in self._under_way.values() if now - started < SURELY_SENT]
                if self._owner != me or not fresh:
                    return
                flag = self._queue()
                wait = SURELY_SENT - (now - max(fresh))
            flag.wait(max(wait, 0.001))
            self._forget(flag)

    def _queue(self) -> Flag:
        flag = self._clock.flag()
        self._waiting.append(flag)
        return flag

    def _wait(self, flag: Flag, deadline: float) -> None:
        left = deadline - self._clock.monotonic()
        up = flag.wait(max(left, 0.0)) if left > 0 else False
        self._forget(flag)
        if not up and self._clock.monotonic() >= deadline:
            raise BrokerageUnavailable(
                "another order is still in dialogue with IBKR on this session; this call was not sent.",
                remedy="Try again in a moment.",
            )

    def _forget(self, flag: Flag) -> None:
        with self._lock:
            if flag in self._waiting:
                self._waiting.remove(flag)

    def _wake(self) -> None:
        for flag in self._waiting:
            flag.set()
        self._waiting.clear()
