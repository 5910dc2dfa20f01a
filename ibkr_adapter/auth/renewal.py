"""Keep one token for all threads: made once however many ask, renewed before it ends.

Whoever needs the token first makes it, and all others wait for that one. A login that IBKR
refuses is not simply tried again: the pauses double, and everybody who asks meanwhile is told
at once what was wrong. What a login consists of is for the two logins themselves.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import (
    AuthenticationError,
    BrokerageUnavailable,
    IBKRError,
    SessionError,
    Throttled,
    TransportError,
)
from ibkr_adapter.turns import Turns

log = logging.getLogger(__name__)

# Renewed an hour before the end, or a tenth of its life if that is less.
MARGIN = timedelta(hours=1)
# A token that lived shorter was no success, and so is not simply asked for again.
SETTLED = 600.0
# Seconds without another try after a refusal, doubling to the longest; likewise for a service
# that is down; and so little after a broken line that a read may still be repeated.
HOLD, LONGEST_HOLD, LONGEST_DOWN, BROKEN_HOLD = 5.0, 900.0, 60.0, 0.25


@attrs.frozen(kw_only=True)
class Grant:
    """A token with its end, on IBKR's clock."""

    token: str = attrs.field(repr=False)
    granted: datetime
    ends: datetime

    @property
    def due(self) -> datetime:
        """The moment from which it is to be renewed."""
        return self.ends - min(MARGIN, (self.ends - self.granted) / 10)


class Renewal:
    """Keeps one token: whoever needs it first makes it, all others wait for that one."""

    def __init__(
        self,
        *,
        clock: Clock,
        now: Callable[[], datetime],
        turns: Turns,
        login: Callable[[float], Grant],
    ) -> None:
        self._clock = clock
        self._now = now
        self._turns = turns
        self._login = login
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._grant: Grant | None = None
        self._generation = 0
        self._granted_at = 0.0
        self._making: Flag | None = None
        self._failure: IBKRError | None = None
        self._failures = 0
        self._hold_until = 0.0
        self._refused = 0
        self._in_vain = 0

    @property
    def generation(self) -> int:
        """Counts the tokens."""
        return self._generation

    def use(self) -> str:
        """Return the token for one request of this thread."""
        with self._lock:
            grant, self._thread.generation = self._grant, self._generation
        if grant is None:
            raise AuthenticationError("nobody is logged in yet; nothing was sent.")
        return grant.token

    def prepare(self, deadline: float) -> None:
        """See that there is a token; quick where none is due.

        Before its end it is renewed, except by a thread whose order is in dialogue.
        """
        in_dialogue = self._turns.in_dialogue
        while True:
            with self._lock:
                now, grant = self._now(), self._grant
                usable = grant is not None and now < grant.ends
                if grant is not None and usable and (in_dialogue or now < grant.due):
                    return
                held = self._held()
                if usable and (held is not None or self._making is not None):
                    return
                if held is not None:
                    raise held
                flag, mine = self._take(alone=in_dialogue)
            if not mine:
                self._wait(flag, deadline)
                continue
            moment = self._clock.monotonic()
            try:
                # While the old one is good, the call keeps half of its time for itself.
                self._make(flag, moment + (deadline - moment) / 2 if usable else deadline)
            except (SessionError, TransportError, Throttled) as failure:
                if not usable:
                    raise
                log.warning("the login could not be renewed before its end: %s", failure)
            return

    def renew(self, deadline: float) -> None:
        """Make the token anew, unless that was done since this thread used the last one."""
        used = getattr(self._thread, "generation", None)
        in_dialogue = self._turns.in_dialogue
        while True:
            with self._lock:
                used = self._generation if used is None else used
                if used != self._generation:
                    return
                held = self._held() if self._making is None else None
                if held is not None:
                    raise held
                if self._making is None and self._grant is not None:
                    self._judge()
                flag, mine = self._take(alone=in_dialogue)
            if mine:
                self._make(flag, deadline)
                return
            self._wait(flag, deadline)

    # Under the lock -----------------------------------------------------------------------

    def _take(self, *, alone: bool) -> tuple[Flag, bool]:
        """Return the flag of the login under way, and whether it is this thread's to make.

        A thread whose order is in dialogue makes its own beside another's: that one cannot send
        before the dialogue is over, so waiting for it would be waiting for oneself.
        """
        if self._making is not None and not alone:
            return self._making, False
        flag = self._clock.flag()
        if self._making is None:
            self._making = flag
        return flag, True

    def _held(self) -> IBKRError | None:
        left = self._hold_until - self._clock.monotonic()
        return _again(self._failure, left) if self._failure is not None and left > 0 else None

    def _judge(self) -> None:
        """Hold off if tokens are granted, only to be refused when they are used."""
        if self._refused == self._generation:
            return
        self._refused = self._generation
        young = self._clock.monotonic() - self._granted_at < SETTLED
        self._in_vain = self._in_vain + 1 if young else 0
        if self._in_vain > 1:
            self._failure = AuthenticationError(
                f"IBKR grants a session and then refuses it, {self._in_vain} times by now.",
                remedy="Perhaps it was revoked, this machine's public address has changed, or another program"
                " logs in with the same credentials.",
            )
            self._hold_until = self._clock.monotonic() + _doubled(HOLD, self._in_vain - 2, LONGEST_HOLD)
            held = self._held()
            if held is not None:
                raise held

    # ---------------------------------------------------------------------------------------

    def _wait(self, flag: Flag, deadline: float) -> None:
        if not flag.wait(max(0.0, deadline - self._clock.monotonic())):
            raise BrokerageUnavailable("the login was not over in time; nothing was sent.")

    def _make(self, flag: Flag, deadline: float) -> None:
        grant: Grant | None = None
        failure: IBKRError | None = None
        try:
            grant = self._login(deadline)
        except IBKRError as refusal:
            failure = refusal
            raise
        finally:
            with self._lock:
                now = self._clock.monotonic()
                if grant is not None:
                    self._grant, self._granted_at = grant, now
                    self._generation += 1
                    self._failure, self._failures = None, 0
                elif failure is not None and now < deadline:
                    # Where the time was too short for one caller, it need not be for the next.
                    self._hold(failure, now)
                if self._making is flag:
                    self._making = None
            flag.set()

    def _hold(self, failure: IBKRError, now: float) -> None:
        if isinstance(failure, AuthenticationError):
            pause = _doubled(HOLD, self._failures, LONGEST_HOLD)
        elif isinstance(failure, SessionError):
            pause = _doubled(1.0, self._failures, LONGEST_DOWN)
        elif isinstance(failure, TransportError):
            pause = BROKEN_HOLD
        else:
            return
        self._failures += not isinstance(failure, TransportError)
        self._failure, self._hold_until = failure, now + pause


def _doubled(first: float, times: int, longest: float) -> float:
    return float(min(first * 2 ** min(times, 20), longest))


def _again(failure: IBKRError, left: float) -> IBKRError:
    is_told = isinstance(failure, SessionError)
    return failure.again(f"The login is not tried again for {left:.0f} s." if is_told else "")
