"""Give a call its turn: no dialogue of another thread is open, and its pacing slot has come.

A call and a login's own token calls wait here in the same line, because IBKR counts both, and
because either in the middle of an order dialogue can kill the question that is open. A call whose
answer depends on what the session was told before, such as its account, leaves only while that holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.throttle import Slot, Throttle
from ibkr_adapter.wire.endpoints import Endpoint

# How long a call may stand in line again when it has just brought about what it needs, in seconds;
# nobody else's call leaves meanwhile.
_AGAIN_WITHIN = 1.5


class Needs(Protocol):
    """What must hold of the session at the moment at which a call leaves."""

    def met(self) -> bool:
        """Tell whether it holds, at once; nobody can change it before the call has left."""

    def bring_about(self, deadline: float) -> None:
        """See that it holds, with the dialogue held: calls of its own leave meanwhile, and nobody else's."""


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
    def take(
        self, endpoint: Endpoint, deadline: float, *, urgent: bool, needs: Needs | None = None
    ) -> Iterator[Slot]:
        """Wait for the session and for a slot, in such a way that the call leaves at once then.

        Where ``needs`` are not met the call brings them about and leaves, all of it in one hold of the
        session: two threads with different needs could else undo each other's for ever.

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
                    if needs is None or needs.met():
                        yield slot
                        return
                finally:
                    self._dialogue.leave(call)
                with self._dialogue.hold(deadline):
                    needs.bring_about(deadline)
                    # Standing in line for long must not keep everybody else waiting.
                    if slot.renew(_AGAIN_WITHIN):
                        yield slot
                        return

    def refused(self, endpoint: Endpoint, retry_after: str | None) -> float:
        """Note that IBKR answered 429, with what it said of when to come back; tell how long the endpoint rests."""
        try:
            asked = float(retry_after) if retry_after is not None else None
        except ValueError:
            asked = None
        return self._throttle.refused(endpoint, retry_after=asked)
