"""The record of one call on the line: how long it may take, and how much of it has left.

What left decides what a failure means, never the exception's type: the HTTP libraries raise the
same error for a request that never left and for one that IBKR carried out. The lines write the
record (:mod:`.lines`), :mod:`.failures` reads it; nothing here opens or sends anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ibkr_adapter.clock import Clock


class OutOfTime(TimeoutError):  # noqa: N818  (a TimeoutError that says which time-out)
    """The call's total deadline has passed."""


class LineBroken(Exception):  # noqa: N818  (named by what happened)
    """The call failed on the line, for ``reason``; ``cause`` is the system's own error.

    Not an :class:`OSError` on purpose: urllib3 swallows some of those while sending, and would
    go on to read the answer to a request that was never sent in full.
    """

    def __init__(self, reason: str, cause: OSError | None = None, status: int | None = None) -> None:
        self.reason = reason
        self.cause = cause
        self.status = status
        super().__init__(reason)


class Call:
    """One request, from its first connection attempt to the last byte of its answer.

    Times are seconds; ``deadline`` is on ``clock.monotonic()`` and covers everything, while
    ``silence`` is the longest pause in the answer, or ``None`` for as long as the deadline.
    """

    __slots__ = (
        "_body_size",
        "_ended_at",
        "_head_size",
        "_sent",
        "changes_state",
        "clock",
        "connecting",
        "deadline",
        "leftovers",
        "on_open",
        "shaking_hands",
        "silence",
    )

    def __init__(
        self,
        *,
        clock: Clock,
        deadline: float,
        silence: float | None,
        changes_state: bool,
        body_size: int,
        on_open: Callable[[], None] | None = None,
    ) -> None:
        self.clock = clock
        self.deadline = deadline
        self.silence = silence
        self.changes_state = changes_state
        self.connecting = False
        self.shaking_hands = False
        self.leftovers = False
        self.on_open = on_open
        self._ended_at = clock.monotonic()
        self._body_size = body_size
        self._head_size: int | None = None
        self._sent = 0

    def is_late(self) -> bool:
        """Tell whether the deadline has passed."""
        return self.clock.monotonic() >= self.deadline

    def left(self) -> float:
        """Return the seconds until the deadline.

        Raises:
            OutOfTime: There are none.
        """
        left = self.deadline - self.clock.monotonic()
        if left <= 0:
            raise OutOfTime("the deadline has passed")
        return left

    def patience(self) -> float:
        """Return how long to wait for the next bytes of the answer."""
        left = self.left()
        return left if self.silence is None or left < self.silence else self.silence

    def offer(self, size: int) -> None:
        """Note that ``size`` bytes are about to be handed to the kernel; the first are the head."""
        if self._head_size is None:
            self._head_size = size

    def took(self, size: int) -> None:
        """Note that the kernel took ``size`` bytes."""
        self._sent += size

    def ended(self, *, leftovers: bool) -> None:
        """Note that the answer was read, and whether more had come than belongs to it."""
        self.leftovers = leftovers
        self._ended_at = self.clock.monotonic()

    def idle_since(self, last: Call) -> float:
        """Return the seconds between the end of ``last``, on the same line, and now."""
        return self.clock.monotonic() - last._ended_at

    @property
    def may_have_been_acted_on(self) -> bool:
        """Whether enough has left for IBKR to act.

        A head that promises a body is nothing to act on without it. A request without a body is
        its head, and a server that is not strict might act on most of one.
        """
        if self._sent == 0 or self._head_size is None:
            return False
        return self._body_size == 0 or self._sent > self._head_size


class _Current(threading.local):
    call: Call | None = None


# urllib3 hands a connection nothing but method, target, headers and body; it does run the whole
# call on the thread that asked for it, so the record waits for the connection there.
current = _Current()


def current_call() -> Call:
    """Return the record of the call that this thread makes."""
    call = current.call
    if call is None:
        raise LineBroken("a line was used outside a call")
    return call
