"""Make calls over the two sessions: see that what a call needs is up, and repeat a read the loss had spoilt.

Desks make their calls through :class:`SessionKeeper`. A read that met a lost session is made once
more after the session was restored, and waits through IBKR's maintenance where the settings say so;
what changes state is sent once. What state the sessions are in, and who brings them back, is for
:mod:`ibkr_adapter.brokerage`. Both call :mod:`ibkr_adapter.client`, never what would call them.

Source: Web API reference, "Session"; docs/ibkr-facts.md tells what was observed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.auth.base import Auth, StreamDoor
from ibkr_adapter.board import Board
from ibkr_adapter.brokerage import RESTORE_WITHIN, TICKLE_EVERY, Brokerage, SessionState
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import BrokerageUnavailable, NotSent, SessionError, Throttled
from ibkr_adapter.model.kinds import check_callable
from ibkr_adapter.model.maintenance import Region
from ibkr_adapter.turns import Needs
from ibkr_adapter.wire import endpoints, portfolio
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.response import Deciphered

__all__ = ["TICKLE_EVERY", "SessionKeeper", "SessionState"]

# Pure disclosures about stop orders; both ids mean that in every source.
DISCLOSURES = ("o10331", "o10152")
# How long a read waits before it asks a service again that is in maintenance, at least (seconds).
MAINTENANCE_PAUSE = 5.0

# What changes the account that the session answers for.
_SELECTING = frozenset({endpoints.SWITCH_ACCOUNT, endpoints.DYNAMIC_ACCOUNT})

T = TypeVar("T")


class SessionKeeper:
    """One user name's sessions; shared by every object and thread of a connection."""

    def __init__(  # noqa: PLR0913  (what the sessions of one login need)
        self,
        *,
        clock: Clock,
        client: Client,
        auth: Auth,
        compete: bool = False,
        suppress: tuple[str, ...] = (),
        read_deadline: float = 15.0,
        alone: Callable[[float], AbstractContextManager[None]] | None = None,
        board: Board | None = None,
        hold: Callable[[float], AbstractContextManager[None]] | None = None,
        region: Region = Region.NORTH_AMERICA,
        during_maintenance: str = "wait",
    ) -> None:
        self._clock = clock
        self._client = client
        self._auth = auth
        self._board = board or Board()
        self._brokerage = Brokerage(
            clock=clock,
            client=client,
            auth=auth,
            compete=compete,
            suppress=tuple(dict.fromkeys((*DISCLOSURES, *suppress))),
            alone=alone,
            board=self._board,
            hold=hold,
            region=region,
        )
        self._read_deadline = read_deadline
        self._waits = during_maintenance == "wait"
        self._lock = threading.Lock()
        self._portfolio: Any = None
        self._portfolio_of = 0
        self._warming: Flag | None = None

    @property
    def state(self) -> SessionState:
        """What was last known of the brokerage session."""
        return self._brokerage.state

    @property
    def epoch(self) -> int:
        """Counts brokerage sessions; what a session had warmed up is cold in the next one."""
        return self._brokerage.epoch

    def on_change(self, listener: Callable[[SessionState], None]) -> Callable[[], None]:
        """Have ``listener`` told of every change of :attr:`state`, in order; what is returned ends that.

        It is called on whichever thread finds the change, so it should be quick. What it raises is
        logged and changes nothing.
        """
        check_callable(listener, "listener")
        return self._brokerage.on_change(listener)

    def ensure(self, deadline: float) -> int:
        """See that the brokerage session is up, without waiting for maintenance, and return its number.

        Raises:
            SessionError: It could not be had; nothing was sent.
            TransportError: IBKR could not be asked.
        """
        return self._brokerage.ensure(deadline)

    def lose(self, epoch: int, why: str) -> None:
        """Note that the brokerage session of ``epoch`` is gone; a newer one is left alone."""
        self._brokerage.lose(epoch, why)

    def tickle(self) -> None:
        """Keep the sessions alive, and bring back what a tickle finds lost; for the keeper thread."""
        self._brokerage.tickle()

    @property
    def standing(self) -> tuple[int, int]:
        """Counts both sessions: what lives in one of them, as a stream does, ends when this changes."""
        return self._brokerage.epoch, self._auth.generation

    @contextmanager
    def stream_door(self, deadline: float) -> Iterator[StreamDoor]:
        """See that the sessions are up, and tell how a stream is opened while a request may leave.

        The tickle comes first: it is what gives a stream its session.

        Raises:
            SessionError: No session could be had; nothing was opened.
            TransportError: IBKR could not be asked.
            Throttled: The pacing limits do not allow it in time.
        """
        self.ensure(deadline)
        self.tickle()
        self.ensure(deadline)
        with self._client.turn(endpoints.WEBSOCKET, deadline):
            session = self._brokerage.stream_session
            yield attrs.evolve(self._auth.stream(session), session=session)

    def close(self) -> None:
        """Stop here; the user stays logged in."""
        self._brokerage.close()

    def accounts(self) -> portfolio.BrokerageAccounts:
        """Tell what ``/iserver/accounts`` said when this session was opened."""
        now = self._clock.monotonic()
        # Bringing it up may take longer than a read, but no read twice as long as it may take.
        until = now + min(RESTORE_WITHIN, 2 * self._read_deadline)
        self._patiently(now + self._read_deadline, lambda: self.ensure(until))
        accounts = self._brokerage.accounts
        if accounts is None:
            raise BrokerageUnavailable("the brokerage session was lost just now; nothing was done.")
        return accounts

    @property
    def listed(self) -> portfolio.BrokerageAccounts | None:
        """The accounts as they were told last, without a look at the session; ``None`` where it was never up."""
        return self._brokerage.accounts

    def chosen(self, account_id: str, epoch: int) -> None:
        """Note which account the session of ``epoch`` was last seen to answer for."""
        self._brokerage.choose(account_id, epoch)

    def portfolio_accounts(self, deadline: float | None = None) -> Any:
        """Tell what ``/portfolio/accounts`` says, asked for once however many threads come with a cold session.

        Without that call the other portfolio calls answer with silence or with old figures. Only
        one may be made in five seconds, so that several would keep the others waiting.

        Raises:
            BrokerageUnavailable: Another thread asks, and it was not answered in time.
            IBKRError: As :meth:`read` does.
        """
        until = self._clock.monotonic() + self._read_deadline if deadline is None else deadline
        while self._portfolio is None or self._portfolio_of != self._brokerage.losses:
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
        needs: Needs | None = None,
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
            needs: What must hold of the session when it leaves.

        Raises:
            SessionError: No session could be had, or IBKR is in maintenance; nothing was done.
            TransportError: The line failed, repeatedly.
            Throttled: The pacing limits do not allow it in time.
            ApiError: IBKR said no.
            UnexpectedAnswer: It answered what nobody understands.
        """
        until = self._clock.monotonic() + self._read_deadline if deadline is None else deadline
        return self._patiently(until, lambda: self._read(endpoint, path, query, body, until, empty, needs))

    def _read(
        self,
        endpoint: Endpoint,
        path: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        body: Any,
        until: float,
        empty: Any,
        needs: Needs | None,
    ) -> Any:
        login = self._auth.generation
        refused: Deciphered | None = None
        for last in (False, True):
            epoch, losses = self._prepare(endpoint, until), self._brokerage.losses
            about = {"deadline": until, "path": path, "query": query, "body": body, "needs": needs}
            answer = self._call(endpoint, refused=refused, **about)
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
                refused = None if endpoint.brokerage or losses != self._brokerage.losses else answer
                continue
            down = self._brokerage.maintenance(answer)
            if down is not None:
                down.endpoint = endpoint.name
                raise down
            content = verdicts.content(endpoint, answer, empty)
            if endpoint.brokerage:
                self._brokerage.heard(epoch)
            if endpoint is endpoints.PORTFOLIO_ACCOUNTS:
                self._portfolio, self._portfolio_of = content, losses
            return content
        raise AssertionError("the second round returns or raises")

    def _patiently(self, until: float, step: Callable[[], T]) -> T:
        """Do a read again while IBKR is in maintenance, where the settings say so and there is time."""
        while True:
            try:
                return step()
            except BrokerageUnavailable as down:
                pause = max(MAINTENANCE_PAUSE, self._brokerage.left_alone_for())
                if not (self._waits and down.maintenance) or self._clock.monotonic() + pause >= until:
                    raise
            self._clock.sleep(pause)

    def _call(self, endpoint: Endpoint, *, refused: Deciphered | None = None, **about: Any) -> Deciphered:
        try:
            return self._client.call(endpoint, **about)
        except Throttled:
            if refused is None:
                raise
            # The repeat would come too late, and the session was up: what was refused stays so.
            raise verdicts.refusal(endpoint, refused) from None
        except NotSent as failure:
            # A gateway that was restarted has forgotten the session.
            if failure.unreachable:
                self._brokerage.doubt()
            raise

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
        epoch = self._prepare(endpoint, deadline) if prepare else self.epoch
        try:
            answer = self._call(endpoint, deadline=deadline, path=path, query=query, body=body, urgent=True)
        finally:
            if endpoint in _SELECTING:
                # Whoever asked for it, and whatever is answered: nobody knows now.
                self._board.write(None)
        if verdicts.lost(endpoint, answer) or answer.accounts_first:
            self.lose(epoch, f"HTTP {answer.status} on {endpoint.name}")
        return answer

    # Lost or not ---------------------------------------------------------------------------

    def _prepare(self, endpoint: Endpoint, deadline: float) -> int:
        if endpoint.brokerage:
            return self.ensure(deadline)
        self._brokerage.refuse_without_login()
        if endpoint.template.startswith("/portfolio") and endpoint is not endpoints.PORTFOLIO_ACCOUNTS:
            self.portfolio_accounts(deadline)
        return self.epoch

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
        status = self._brokerage.status(deadline)
        if status is not None and status.connected:
            return endpoint is not endpoints.PORTFOLIO_ACCOUNTS
        self.lose(epoch, f"HTTP {answer.status} on {endpoint.name}")
        self._brokerage.renew(deadline)
        return True
