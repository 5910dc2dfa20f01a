"""Know the state of the two sessions, and bring them back: once for all who wait, and never in a storm.

The states and what leads from one to another are in docs/session.md. Here is who may try when: one
thread restores and all others share its outcome; a restore that failed is not tried again at once;
what was not heard of for long is looked at before it is used. What makes a session up is for
:mod:`ibkr_adapter.opening`, the calls over it are for :mod:`ibkr_adapter.session`.

Source: Web API reference, "Session"; docs/ibkr-facts.md tells what was observed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.auth.base import Auth
from ibkr_adapter.board import Board
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import (
    ApiError,
    AuthenticationError,
    BrokerageUnavailable,
    CompetingSession,
    LoginRequired,
    NotSent,
    SessionError,
    Throttled,
    TransportError,
)
from ibkr_adapter.listeners import Listeners
from ibkr_adapter.model.maintenance import Region
from ibkr_adapter.opening import Opening
from ibkr_adapter.outage import Failure, Outage
from ibkr_adapter.redact import remember
from ibkr_adapter.wire import endpoints, portfolio
from ibkr_adapter.wire.response import Deciphered, Form
from ibkr_adapter.wire.session import SessionStatus, read_tickle

log = logging.getLogger(__name__)

# IBKR ends a brokerage session after five to six minutes without a call.
TICKLE_EVERY = 60.0
TICKLE_DEADLINE = 12.0
# Longer than two tickles without an answer, such as in a laptop that slept: it may be gone by now.
SILENCE = 150.0
RESTORE_WITHIN = 30.0


class SessionState(StrEnum):
    """What was last known of the brokerage session."""

    NEW = "new"
    READY = "ready"
    LOST = "lost"
    COMPETING = "competing"
    LOGIN_REQUIRED = "login required"
    CLOSED = "closed"


class Brokerage:
    """One user name's brokerage session, and what is known of the outer one."""

    def __init__(
        self,
        *,
        clock: Clock,
        client: Client,
        auth: Auth,
        compete: bool,
        suppress: tuple[str, ...],
        region: Region,
        board: Board,
        alone: Callable[[float], AbstractContextManager[None]] | None = None,
        hold: Callable[[float], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._auth = auth
        self._outage = Outage(clock, region)
        self._opening = Opening(
            clock=clock,
            client=client,
            auth=auth,
            renew=self._login_again,
            compete=compete,
            suppress=suppress,
            alone=alone,
            board=board,
            hold=hold,
        )
        self._lock = threading.Lock()
        self._state = SessionState.NEW
        self._listeners: Listeners[SessionState] = Listeners()
        self._epoch = 0
        self._losses = 0
        # Which outer session the brokerage session was opened under.
        self._login = 0
        self._accounts: portfolio.BrokerageAccounts | None = None
        self._restoring: Flag | None = None
        self._heard_at = (clock.monotonic(), clock.now())
        self._is_doubtful = False
        self.stream_session: str | None = None

    @property
    def state(self) -> SessionState:
        """What was last known."""
        return self._state

    @property
    def epoch(self) -> int:
        """Counts brokerage sessions."""
        return self._epoch

    @property
    def losses(self) -> int:
        """Counts what may have made the outer session's warm-ups cold."""
        return self._losses

    @property
    def accounts(self) -> portfolio.BrokerageAccounts | None:
        """What was told when the session was opened, with the account that was chosen since."""
        return self._accounts

    def on_change(self, listener: Callable[[SessionState], None]) -> Callable[[], None]:
        """Have ``listener`` told of every change of state."""
        return self._listeners.add(listener)

    def choose(self, account_id: str, epoch: int) -> None:
        """Note which account the session of ``epoch`` was last seen to answer for."""
        with self._lock:
            if self._accounts is not None and epoch == self._epoch:
                self._accounts = attrs.evolve(self._accounts, selected=account_id)

    def status(self, deadline: float) -> SessionStatus | None:
        """Ask for the state of both sessions; ``None`` where the outer one is gone."""
        try:
            return self._opening.status(deadline)
        except BrokerageUnavailable as down:
            raise self._outage.explained(down) from None

    # Up ------------------------------------------------------------------------------------

    def ensure(self, deadline: float) -> int:
        """See that the brokerage session is up and return its number.

        Whoever comes first restores it; all others wait for that and share its outcome. It is
        looked at again after a new login, under which it may be gone, and after a long silence.
        """
        if self._state is SessionState.READY:
            if self._is_silent():
                self.lose(self._epoch, "nothing was heard of it for a while; it is looked at")
            else:
                self._stay_logged_in(deadline)
        while True:
            with self._lock:
                if self._state is SessionState.READY and self._login == self._auth.generation:
                    return self._epoch
                if self._state is SessionState.CLOSED:
                    raise BrokerageUnavailable(
                        "this connection was closed; nothing was sent.",
                        remedy="Make a new object.",
                        repeatable=False,
                    )
                now = self._clock.monotonic()
                standing = self._outage.standing()
                if standing is not None:
                    raise standing.again()
                flag = self._restoring
                mine = flag is None
                if flag is None:
                    flag = self._restoring = self._clock.flag()
            if mine:
                self._restore(flag, deadline)
            elif not flag.wait(max(0.0, deadline - now)):
                raise BrokerageUnavailable("the brokerage session was not up in time; nothing was sent.")

    def _restore(self, flag: Flag, deadline: float) -> None:
        state = SessionState.LOST
        failure: Failure | None = None
        opened = None
        try:
            until = min(deadline, self._clock.monotonic() + RESTORE_WITHIN)
            opened = self._opening.bring_up(until)
            state = SessionState.READY
        except CompetingSession as refusal:
            failure, state = refusal, SessionState.COMPETING
        except LoginRequired as refusal:
            failure, state = self._outage.explained(refusal), SessionState.LOGIN_REQUIRED
        except (SessionError, TransportError) as refusal:
            failure = self._outage.explained(refusal)
        except (ApiError, Throttled) as refusal:
            failure = self._outage.explained(
                BrokerageUnavailable(f"the brokerage session did not come up: {refusal}")
            )
        finally:
            with self._lock:
                if opened is not None:
                    self._epoch += 1
                    self._accounts, self._login = opened.accounts, opened.login
                    self._outage.end()
                    self._note_heard()
                elif failure is not None:
                    self._outage.note(failure)
                self._change(state)
                self._restoring = None
            flag.set()
        self._listeners.tell()
        if failure is not None:
            raise failure

    def _stay_logged_in(self, deadline: float) -> None:
        try:
            self._client.prepare(deadline)
        except (SessionError, TransportError):
            self.lose(self._epoch, "the login has ended and could not be renewed")
            raise

    # Down ----------------------------------------------------------------------------------

    def lose(self, epoch: int, why: str) -> None:
        """Note that the session of ``epoch`` is gone; a newer one is left alone."""
        with self._lock:
            if epoch != self._epoch or self._state is not SessionState.READY:
                return
            self._losses += 1
            self._change(SessionState.LOST)
        log.warning("brokerage session lost: %s", why)
        self._listeners.tell()

    def doubt(self) -> None:
        """Have the session looked at before it is used again: nobody was there to take a call."""
        self._is_doubtful = True

    def heard(self, epoch: int) -> None:
        """Note that the session of ``epoch`` answered."""
        with self._lock:
            if epoch == self._epoch:
                self._note_heard()

    def _note_heard(self) -> None:
        self._heard_at = (self._clock.monotonic(), self._clock.now())
        self._is_doubtful = False

    def _is_silent(self) -> bool:
        # Where a machine sleeps one of the two clocks stands still; which one depends on the machine.
        moment, time = self._heard_at
        passed = max(self._clock.monotonic() - moment, (self._clock.now() - time).total_seconds())
        return self._is_doubtful or passed > SILENCE

    def renew(self, deadline: float) -> None:
        """Make the outer session anew, and let nobody try again at once where that failed."""
        try:
            self._login_again(deadline)
        except (LoginRequired, AuthenticationError) as refusal:
            failure = self._outage.explained(refusal)
            # Credentials that are refused now may be good later, without a person.
            by_hand = isinstance(failure, LoginRequired)
            with self._lock:
                self._outage.note(failure)
                self._change(SessionState.LOGIN_REQUIRED if by_hand else SessionState.LOST)
            self._listeners.tell()
            raise failure from None

    def _login_again(self, deadline: float) -> None:
        with self._lock:
            self._losses += 1
        self._auth.renew(deadline)

    def refuse_without_login(self) -> None:
        """Raise what stood in the way of the outer session, as long as it is not tried again.

        A competing login, or a brokerage session that is down, leaves the outer one alone.
        """
        with self._lock:
            standing = self._outage.standing()
        if isinstance(standing, (LoginRequired, AuthenticationError)):
            raise standing.again()

    def left_alone_for(self) -> float:
        """How many seconds nobody tries to restore it."""
        with self._lock:
            return self._outage.left

    def maintenance(self, answer: Deciphered) -> BrokerageUnavailable | None:
        """Make the error for a read whose answer says, or at this hour must mean, that IBKR is down."""
        return self._outage.meant_by(answer)

    def _change(self, state: SessionState) -> None:
        # Under the lock; told afterwards.
        if self._state not in {state, SessionState.CLOSED}:
            self._state = state
            self._listeners.note(state)

    # Kept alive -------------------------------------------------------------------------------

    def tickle(self) -> None:
        """Keep the sessions alive and note what the answer says; for the keeper thread."""
        if self._state in {SessionState.NEW, SessionState.CLOSED}:
            return
        epoch = self._epoch
        try:
            answer = self._client.call(endpoints.TICKLE, deadline=self._clock.monotonic() + TICKLE_DEADLINE)
        except NotSent as failure:
            if failure.unreachable:
                self.doubt()
            raise
        gone = answer.status == verdicts.UNAUTHORISED or answer.no_session or answer.login_page
        if gone:
            self.lose(epoch, "the outer session is gone")
        else:
            found = read_tickle(answer.content) if answer.form is Form.JSON else None
            if found is None:
                # Some tickles fail for no reason; one of them is no proof of anything.
                log.info("a tickle was answered with HTTP %s", answer.status)
                return
            # It opens a stream, whether one is wanted or not.
            remember(found.session)
            self.stream_session = found.session or self.stream_session
            if found.status is not None and found.status.ready:
                self.heard(epoch)
            elif found.status is not None:
                self.lose(epoch, "another login" if found.status.competing else "the tickle says so")
        # While nobody has logged in at the gateway there is nothing to bring back, and once somebody has, there is.
        waiting = {SessionState.LOST, SessionState.COMPETING} | (
            set() if gone else {SessionState.LOGIN_REQUIRED}
        )
        if self._state in waiting:
            self.ensure(self._clock.monotonic() + RESTORE_WITHIN)

    def close(self) -> None:
        """Stop here; the user stays logged in."""
        with self._lock:
            self._change(SessionState.CLOSED)
        self._listeners.tell()
