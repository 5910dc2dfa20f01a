"""Remember why the sessions are down, how long they are left alone, and when IBKR should be back.

A restore that failed is not tried again at once: the pauses double up to a bound, and further while
IBKR is in maintenance, because logging in all through a reset locks users out. The calendar of
:mod:`ibkr_adapter.model.maintenance` only explains what failed: while IBKR answers it is not asked.
Who restores is for :mod:`ibkr_adapter.brokerage`, which calls this under its lock.
"""

from __future__ import annotations

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import (
    AuthenticationError,
    BrokerageUnavailable,
    LoginRequired,
    SessionError,
    TransportError,
)
from ibkr_adapter.model.maintenance import Region, Window, window_at
from ibkr_adapter.wire.response import Deciphered

# Seconds after the first failed restore, doubling up to the longest.
HOLD, LONGEST_HOLD, LONGEST_IN_MAINTENANCE = 1.0, 10.0, 30.0
_BUSY = frozenset({502, 503, 504})

Failure = SessionError | TransportError


class Outage:
    """Why the brokerage session is down, if it is."""

    def __init__(self, clock: Clock, region: Region) -> None:
        self._clock = clock
        self._region = region
        self._failure: Failure | None = None
        self._next = HOLD
        self._until = 0.0

    def note(self, failure: Failure) -> None:
        """Have nobody try again for a while."""
        down = isinstance(failure, BrokerageUnavailable) and failure.maintenance
        longest = LONGEST_IN_MAINTENANCE if down else LONGEST_HOLD
        pause = min(self._next, longest)
        self._failure, self._until = failure, self._clock.monotonic() + pause
        self._next = min(pause * 2, longest)

    def end(self) -> None:
        """Forget it: the session is up."""
        self._failure, self._next = None, HOLD

    @property
    def left(self) -> float:
        """How many seconds nobody is to try again."""
        return max(0.0, self._until - self._clock.monotonic()) if self._failure is not None else 0.0

    def standing(self) -> Failure | None:
        """What is told to those who come before the next try."""
        return self._failure if self.left > 0 else None

    def explained(self, failure: Failure) -> Failure:
        """Say that it is IBKR's hour of maintenance, where that may be the reason."""
        window = self._window()
        if window is None:
            return failure
        if isinstance(failure, BrokerageUnavailable):
            return _unavailable(failure, window)
        if isinstance(failure, (LoginRequired, AuthenticationError)):
            return failure.again(f"IBKR's calendar has {window} at this hour, so it may come back by itself.")
        return failure

    def meant_by(self, answer: Deciphered) -> BrokerageUnavailable | None:
        """Make the error for a read whose answer says, or at this hour must mean, that IBKR is down."""
        window = self._window()
        if not (answer.maintenance or (window is not None and answer.status in _BUSY)):
            return None
        failure = BrokerageUnavailable(
            f"IBKR cannot answer now (HTTP {answer.status}).",
            status=answer.status,
            text=answer.error or "",
            maintenance=True,
        )
        return _unavailable(failure, window) if window is not None else failure

    def _window(self) -> Window | None:
        return window_at(self._region, self._clock.now())


def _unavailable(failure: BrokerageUnavailable, window: Window) -> BrokerageUnavailable:
    return BrokerageUnavailable(
        failure.message,
        endpoint=failure.endpoint,
        status=failure.status,
        text=failure.text,
        remedy=f"{failure.remedy} IBKR's calendar has {window} at this hour: try again then.".strip(),
        repeatable=failure.repeatable,
        maintenance=True,
        reopens_at=window.ends,
    )
