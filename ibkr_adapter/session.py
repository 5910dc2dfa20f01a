"""Keep the two sessions alive: the outer one, and the one brokerage session of a user name.

Desks make their calls through :class:`SessionKeeper`; it sees to it that the session which a
call needs is up, restores a lost one once for all threads that wait, and repeats a read that
the loss had spoilt. It never takes the brokerage session from another login unless it was told
to. The keeper calls :mod:`ibkr_adapter.client`, never what would call the keeper.

Source: Web API reference, "Session"; docs/ibkr-facts.md tells what was observed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.auth.base import Auth
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import (
    ApiError,
    AuthenticationError,
    BrokerageUnavailable,
    CompetingSession,
    LoginRequired,
    SessionError,
    Throttled,
    TransportError,
)
from ibkr_adapter.opening import Opening
from ibkr_adapter.wire import endpoints, portfolio
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.response import Deciphered, Form
from ibkr_adapter.wire.session import read_tickle

log = logging.getLogger(__name__)

# IBKR ends a brokerage session after five to six minutes without a call.
TICKLE_EVERY = 60.0
TICKLE_DEADLINE = 12.0
# Pure disclosures about stop orders; both ids mean that in every source.
DISCLOSURES = ("o10331", "o10152")
RESTORE_WITHIN = 30.0
# After a failed restore nobody tries again before this many seconds, doubling up to the last.
HOLD_OFF = (1.0, 5.0)


class SessionState(StrEnum):
    """What the keeper last knew."""

    NEW = "new"
    READY = "ready"
    LOST = "lost"
    COMPETING = "competing"
    LOGIN_REQUIRED = "login required"
    CLOSED = "closed"


class SessionKeeper:
    """One user name's sessions; shared by every object and thread of a connection."""

    def __init__(
        self,
        *,
        clock: Clock,
        client: Client,
        auth: Auth,
        compete: bool = False,
        suppress: tuple[str, ...] = (),
        read_deadline: float = 15.0,
        alone: Callable[[float], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._auth = auth
        self._opening = Opening(
            clock=clock,
            client=client,
            auth=auth,
            renew=self._renew,
            compete=compete,
            suppress=tuple(dict.fromkeys((*DISCLOSURES, *suppress))),
            alone=alone,
        )
        self._read_deadline = read_deadline
        self._lock = threading.Lock()
        self._state = SessionState.NEW
        self._epoch = 0
        # Which outer session the brokerage session was opened under.
        self._login = 0
        self._restoring: Flag | None = None
        self._failure: SessionError | TransportError | None = None
        self._hold_until = 0.0
        self._hold = HOLD_OFF[0]
        self._portfolio: Any = None
        self._warming: Flag | None = None
        self._accounts: portfolio.BrokerageAccounts | None = None
        self._listeners: list[Callable[[SessionState], None]] = []
        self._stream_session: str | None = None

    @property
    def state(self) -> SessionState:
        """What the keeper last knew of the brokerage session."""
        return self._state

    @property
    def epoch(self) -> int:
        """Counts brokerage sessions; what a session had warmed up is cold in the next one."""
        return self._epoch

    def on_change(self, listener: Callable[[SessionState], None]) -> None:
        """Have ``listener`` told of every change of :attr:`state`."""
        self._listeners.append(listener)

    def accounts(self) -> portfolio.BrokerageAccounts:
        """Tell what ``/iserver/accounts`` said when this session was opened."""
        self.ensure(self._clock.monotonic() + RESTORE_WITHIN)
        accounts = self._accounts
        if accounts is None:
            raise BrokerageUnavailable("the brokerage session was lost just now; nothing was done.")
        return accounts

    def select(self, account_id: str) -> None:
        """Make one of several accounts the session's own; IBKR answers for that one only."""
        accounts = self.accounts()
        if accounts.selected == account_id:
            return
        deadline = self._clock.monotonic() + self._read_deadline
        answer = self.change(endpoints.SWITCH_ACCOUNT, body={"acctId": account_id}, deadline=deadline)
        if answer.status != 200 or answer.error:  # noqa: PLR2004  (HTTP's own number)
            raise ApiError(
                f"account {account_id} could not be selected; nothing was sent.",
                status=answer.status,
                text=answer.error or "",
            )
        with self._lock:
            self._accounts = attrs.evolve(accounts, selected=account_id)

    def portfolio_accounts(self, deadline: float | None = None) -> Any:
        """Tell what ``/portfolio/accounts`` says, asked for once however many threads come with a cold session.

        Without that call the other portfolio calls answer with silence or with old figures. Only
        one may be made in five seconds, so that several would keep the others waiting.

        Raises:
            BrokerageUnavailable: Another thread asks, and it was not answered in time.
            IBKRError: As :meth:`read` does.
        """
        until = self._clock.monotonic() + self._read_deadline if deadline is None else deadline
        while self._portfolio is None:
            with self._lock:
                flag, mine = self._warming, self._warming is None
                if flag is None:
                    flag = self._warming = self._clock.flag()
            if not mine:
                if not flag.wait(max(0.0, until - self._clock.monotonic())):
                    raise BrokerageUnavailable("the portfolio was not ready in time; nothing was done.")
                continue
            try:
                return self.read(endpoints.PORTFOLIO_ACCOUNTS, deadline=until)
            finally:
                with self._lock:
                    self._warming = None
                flag.set()
        return self._portfolio

    def read(
        self,
        endpoint: Endpoint,
        *,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        deadline: float | None = None,
        empty: Any = None,
    ) -> Any:
        """Make a call that changes nothing and return its JSON.

        A read that met a lost session is made once more after the session was restored.

        Args:
            endpoint: What to call.
            path: Values for the template.
            query: Parameters.
            body: JSON to send with a POST.
            deadline: The moment at which it must be over; ``read_deadline`` from now if unset.
            empty: What an empty body stands for; without it an empty body is an error.

        Raises:
            SessionError: No session could be had; nothing was done.
            TransportError: The line failed, repeatedly.
            Throttled: The pacing limits do not allow it in time.
            ApiError: IBKR said no.
            UnexpectedAnswer: It answered what nobody understands.
        """
        until = self._clock.monotonic() + self._read_deadline if deadline is None else deadline
        login = self._auth.generation
        for last in (False, True):
            epoch = self._prepare(endpoint, until)
            answer = self._client.call(endpoint, deadline=until, path=path, query=query, body=body)
            if answer.accounts_first and not last:
                self.lose(epoch, "the accounts were not asked for")
                continue
            if verdicts.lost(endpoint, answer):
                if (
                    last
                    and login not in {0, self._auth.generation}
                    and answer.status == verdicts.UNAUTHORISED
                ):
                    raise self._refused_again(endpoint, answer)
                if last or not self._really_lost(endpoint, epoch, answer, until):
                    raise verdicts.refusal(endpoint, answer)
                continue
            content = verdicts.content(endpoint, answer, empty)
            if endpoint is endpoints.PORTFOLIO_ACCOUNTS:
                self._portfolio = content
            return content
        raise AssertionError("the second round returns or raises")

    def change(
        self,
        endpoint: Endpoint,
        *,
        deadline: float,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        prepare: bool = True,
    ) -> Deciphered:
        """Make a call that changes state: once, whatever it answers.

        Args:
            endpoint: What to call.
            deadline: The moment at which it must be over.
            path: Values for the template.
            query: Parameters.
            body: JSON to send.
            prepare: See that the session is up first; a reply to an open question must not.

        Raises:
            SessionError: No session could be had; nothing was sent.
            NotSent: It never left.
            OutcomeUnknown: It left, and no usable answer came.
            Throttled: The pacing limits do not allow it in time; nothing was sent.
        """
        epoch = self._prepare(endpoint, deadline) if prepare else self._epoch
        answer = self._client.call(
            endpoint, deadline=deadline, path=path, query=query, body=body, urgent=True
        )
        if verdicts.lost(endpoint, answer) or answer.accounts_first:
            self.lose(epoch, f"HTTP {answer.status} on {endpoint.name}")
        return answer

    def ensure(self, deadline: float) -> int:
        """See that the brokerage session is up and return its number.

        Whoever comes first restores it; all others wait for that and share its outcome. It is
        looked at again after a new login, under which it may be gone.
        """
        if self._state is SessionState.READY:
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
                if self._failure is not None and now < self._hold_until:
                    raise _again(self._failure)
                flag = self._restoring
                mine = flag is None
                if flag is None:
                    flag = self._restoring = self._clock.flag()
            if mine:
                self._restore(flag, deadline)
            elif not flag.wait(max(0.0, deadline - now)):
                raise BrokerageUnavailable("the brokerage session was not up in time; nothing was sent.")

    def lose(self, epoch: int, why: str) -> None:
        """Note that the session of ``epoch`` is gone; a newer one is left alone."""
        with self._lock:
            if epoch != self._epoch or self._state is not SessionState.READY:
                return
            self._state = SessionState.LOST
        log.warning("brokerage session lost: %s", why)
        self._announce(SessionState.LOST)

    def tickle(self) -> None:
        """Keep the sessions alive and note what the answer says; for the keeper thread."""
        if self._state in {SessionState.NEW, SessionState.CLOSED}:
            return
        epoch = self._epoch
        deadline = self._clock.monotonic() + TICKLE_DEADLINE
        answer = self._client.call(endpoints.TICKLE, deadline=deadline)
        if answer.status == verdicts.UNAUTHORISED or answer.no_session:
            self.lose(epoch, "the outer session is gone")
        else:
            found = read_tickle(answer.content) if answer.form is Form.JSON else None
            if found is None:
                # Some tickles fail for no reason; one of them is no proof of anything.
                log.info("a tickle was answered with HTTP %s", answer.status)
                return
            self._stream_session = found.session or self._stream_session
            if found.status is not None and not found.status.ready:
                self.lose(epoch, "another login" if found.status.competing else "the tickle says so")
        if self._state in {SessionState.LOST, SessionState.COMPETING}:
            self.ensure(self._clock.monotonic() + RESTORE_WITHIN)

    def close(self) -> None:
        """Stop here; the user stays logged in."""
        with self._lock:
            self._state = SessionState.CLOSED
        self._announce(SessionState.CLOSED)

    # Outer session ------------------------------------------------------------------------

    def _stay_logged_in(self, deadline: float) -> None:
        try:
            self._client.prepare(deadline)
        except (SessionError, TransportError):
            self.lose(self._epoch, "the login has ended and could not be renewed")
            raise

    def _prepare(self, endpoint: Endpoint, deadline: float) -> int:
        if endpoint.brokerage:
            return self.ensure(deadline)
        with self._lock:
            failure = self._failure
            held = self._clock.monotonic() < self._hold_until
        # Without an outer session nothing answers; a competing login leaves it alone.
        if held and isinstance(failure, (LoginRequired, AuthenticationError)):
            raise _again(failure)
        if endpoint.template.startswith("/portfolio") and endpoint is not endpoints.PORTFOLIO_ACCOUNTS:
            self.portfolio_accounts(deadline)
        return self._epoch

    def _refused_again(self, endpoint: Endpoint, answer: Deciphered) -> SessionError:
        """Make the error for a call that is refused although its login was renewed for it."""
        failure = self._auth.refused()
        said = f" IBKR says: {answer.error}." if answer.error else ""
        return type(failure)(
            f"{failure.message}{said}",
            endpoint=endpoint.name,
            status=answer.status,
            text=answer.error or "",
            remedy=failure.remedy,
        )

    def _really_lost(self, endpoint: Endpoint, epoch: int, answer: Deciphered, deadline: float) -> bool:
        """Tell a lost session from a call that is refused for itself, and note the loss."""
        if endpoint.brokerage:
            self.lose(epoch, f"HTTP {answer.status} on {endpoint.name}")
            return True
        # A wrong account id is answered with 401 as well, so the session itself is asked.
        self._portfolio = None
        status = self._opening.status(deadline)
        if status is not None and status.connected:
            return endpoint is not endpoints.PORTFOLIO_ACCOUNTS
        self.lose(epoch, f"HTTP {answer.status} on {endpoint.name}")
        self._renew(deadline)
        return True

    def _renew(self, deadline: float) -> None:
        """Make the outer session anew, and let nobody try again at once where that failed."""
        try:
            self._auth.renew(deadline)
        except (LoginRequired, AuthenticationError) as failure:
            # Credentials that are refused now may be good later, without a person.
            by_hand = isinstance(failure, LoginRequired)
            state = SessionState.LOGIN_REQUIRED if by_hand else SessionState.LOST
            with self._lock:
                if self._state is not SessionState.CLOSED:
                    self._state = state
                self._hold_off(failure)
            self._announce(state)
            raise

    def _hold_off(self, failure: SessionError | TransportError) -> None:
        self._failure = failure
        self._hold_until = self._clock.monotonic() + self._hold
        self._hold = min(self._hold * 2, HOLD_OFF[1])

    # Brokerage session --------------------------------------------------------------------

    def _restore(self, flag: Flag, deadline: float) -> None:
        state = SessionState.LOST
        failure: SessionError | TransportError | None = None
        opened = None
        try:
            opened = self._opening.bring_up(min(deadline, self._clock.monotonic() + RESTORE_WITHIN))
            state = SessionState.READY
        except CompetingSession as refusal:
            failure, state = refusal, SessionState.COMPETING
        except LoginRequired as refusal:
            failure, state = refusal, SessionState.LOGIN_REQUIRED
        except (SessionError, TransportError) as refusal:
            failure = refusal
        except (ApiError, Throttled) as refusal:
            failure = BrokerageUnavailable(f"the brokerage session did not come up: {refusal}")
        finally:
            with self._lock:
                if self._state is not SessionState.CLOSED:
                    self._state = state
                if opened is not None:
                    self._epoch += 1
                    self._accounts, self._login = opened.accounts, opened.login
                    self._hold = HOLD_OFF[0]
                    self._failure = None
                elif failure is not None:
                    self._hold_off(failure)
                self._restoring = None
            flag.set()
        self._announce(state)
        if failure is not None:
            raise failure

    def _announce(self, state: SessionState) -> None:
        for listener in list(self._listeners):
            listener(state)


def _again(failure: SessionError | TransportError) -> SessionError | TransportError:
    """Copy a failure, so that threads do not share one traceback."""
    return type(failure)(
        failure.message,
        endpoint=failure.endpoint,
        status=failure.status,
        text=failure.text,
        remedy=failure.remedy,
        repeatable=failure.repeatable,
    )
