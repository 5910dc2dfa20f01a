"""Give a call its turn: no dialogue of another thread is open, and its pacing slot has come.

A call and a login's own token calls wait here in the same line, because IBKR counts both, and
because either in the middle of an order dialogue can kill the question that is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.throttle import Slot, Throttle
from ibkr_adapter.wire.endpoints import Endpoint


class Turns:
    """The one line in which everything stands that is to leave for IBKR."""

    def __init__(self, *, throttle: Throttle, dialogue: Dialogue) -> None:
        self._throttle = throttle
        self._dialogue = dialogue

    @property
    def in_dialogue(self) -> bool:
        """Whether the calling thread is the one that holds the session for an order."""
        return self._dialogue.is_mine

    @contextmanager
    def take(self, endpoint: Endpoint, deadline: float, *, urgent: bool) -> Iterator[Slot]:
        """Wait for the session and for a slot, in such a way that the call leaves at once then.

        The slot comes first: a read that waited for it with its passage taken would leave in the
        middle of an order dialogue that had begun meanwhile, and kill the open question.

        Raises:
            BrokerageUnavailable: Another thread's dialogue did not end in time; nothing was sent.
            Throttled: The pacing limits do not allow it in time; nothing was sent.
        """
        while True:
            self._dialogue.wait(deadline)
            slot = self._throttle.slot(endpoint, deadline=deadline, urgent=urgent)
            with slot:
                call = self._dialogue.enter()
                if call is None:
                    # A dialogue began while we stood in line; the slot is lost, which is safe.
                    continue
                try:
                    yield slot
                finally:
                    self._dialogue.leave(call)
                return

    def refused(self, endpoint: Endpoint, retry_after: str | None) -> float:
        """Note that IBKR answered 429, with what it said of when to come back; tell how long the endpoint rests."""
        try:
            asked = float(retry_after) if retry_after is not None else None
        except ValueError:
            asked = None
        return self._throttle.refused(endpoint, retry_after=asked)
