"""Bring the brokerage session up, step by step, and say which step failed.

Status, opening, status again until it is established, accounts, the account that was selected before,
suppressed disclosures: in this order, because before a session is established data calls answer
with silence, and before the accounts were asked for the rest is refused. Who may try when is for
:mod:`ibkr_adapter.brokerage`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.auth.base import Auth
from ibkr_adapter.board import Board
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import BrokerageUnavailable, CompetingSession
from ibkr_adapter.wire import endpoints, portfolio
from ibkr_adapter.wire.replies import suppress_body, words_of
from ibkr_adapter.wire.response import Deciphered, Form
from ibkr_adapter.wire.session import SessionStatus, init_body, read_status, read_tickle

log = logging.getLogger(__name__)

# How often the status is read while a fresh session comes up, and for how long (seconds).
POLL_EVERY = 0.5
ESTABLISH_WITHIN = 20.0
# How long a session that calls itself established may take to tell its accounts.
LIST_WITHIN = 5.0
# Two programs that both compete would throw each other out for ever: so often the session is opened
# in competition, and then no more before so many seconds were quiet.
MOST_TAKEOVERS = 3
QUIET = 1800.0
_NO_TOKEN = "sso dh token"  # noqa: S105  (IBKR's words, not a secret)
_NOT_ENTITLED = "Try again once; if it stays, the login is good and its user is not entitled to a brokerage session by OAuth: ask IBKR."


@attrs.frozen(kw_only=True)
class Opened:
    """A brokerage session that is up: its accounts, and the outer session it was opened under."""

    accounts: portfolio.BrokerageAccounts
    login: int


class Takeovers:
    """Counts how often the session was opened in competition, and ends that for a while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._last = 0.0

    @property
    def spent(self) -> bool:
        """Whether that was done too often by now."""
        if self._clock.monotonic() - self._last >= QUIET:
            self._count = 0
        return self._count >= MOST_TAKEOVERS

    def note(self) -> None:
        """Count one."""
        self._count, self._last = self._count + 1, self._clock.monotonic()


class Opening:
    """Opens one user name's brokerage session; it never takes it from another login unasked.

    ``alone`` keeps the other processes of the login from doing so at the same time, if there may be any.
    ``board`` is where it is noted which account the session answers for, and ``hold`` keeps everybody
    else from changing that.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        client: Client,
        auth: Auth,
        renew: Callable[[float], None],
        compete: bool,
        suppress: tuple[str, ...],
        board: Board,
        alone: Callable[[float], AbstractContextManager[None]] | None = None,
        hold: Callable[[float], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._auth = auth
        self._renew = renew
        self._compete = compete
        self._suppress = suppress
        self._alone = alone
        self._board = board
        self._hold = hold
        # What a fresh session is told to answer for, where no other process has told it by then.
        self._account: str | None = None
        self._takeovers = Takeovers(clock)

    def bring_up(self, deadline: float) -> Opened:
        """Do all steps, have the session answer for the account that it did, and tell those that may be traded.

        Raises:
            CompetingSession: Another login holds the session; it was left alone, or took it back
                each time.
            LoginRequired: The outer session is gone, and a person must log in.
            AuthenticationError: It is gone, and IBKR does not accept the credentials.
            BrokerageUnavailable: It did not come up, or another process was at it for too long.
        """
        with nullcontext() if self._alone is None else self._alone(deadline):
            return self._bring_up(deadline)

    def _bring_up(self, deadline: float) -> Opened:
        # A login that is made later than this is looked at again; see SessionKeeper.ensure.
        self._client.prepare(deadline)
        login = self._auth.generation
        status = self.status(deadline)
        if status is None:
            self._renew(deadline)
            login = self._auth.generation
            status = self.status(deadline)
        if status is None:
            raise self._auth.refused()
        self._account = self._board.read().account or self._account
        # A status may be better than the truth: what counts is that the accounts are told.
        accounts = self._listed(deadline) if status.ready else None
        if accounts is None:
            self._forget(deadline)
            login = self._initialise(status, deadline, login)
        if accounts is None or not accounts.accounts:
            accounts = self._listed_soon(deadline)
        if len(accounts.accounts) > 1 and self._account is not None:
            accounts = self._answering(deadline)
        self._send_suppressions(deadline)
        return Opened(accounts=accounts, login=login)

    def status(self, deadline: float) -> SessionStatus | None:
        """Read the state of both sessions; ``None`` where the outer one is gone."""
        answer = self._asked(deadline)
        if answer.no_bridge:
            # Said of a login that is there; where it is not, opening tells.
            there = answer.status != verdicts.UNAUTHORISED
            return SessionStatus(connected=there, authenticated=False, established=False, competing=False)
        if answer.status == verdicts.UNAUTHORISED or answer.login_page or answer.no_session:
            return None
        status = read_status(answer.content) if answer.form is Form.JSON else None
        if status is None and answer.status in verdicts.UNHEARD_OF:
            status = self._in_passing(deadline)
        if status is None:
            raise BrokerageUnavailable(
                f"IBKR cannot tell the state of the session (HTTP {answer.status}).{_said(answer.error)}",
                endpoint=endpoints.AUTH_STATUS.name,
                status=answer.status,
                text=answer.error or "",
                maintenance=answer.maintenance,
            )
        return status

    def _asked(self, deadline: float) -> Deciphered:
        """Ask for the status, in its other spelling where a gateway does not know the one."""
        answer = self._client.call(endpoints.AUTH_STATUS, deadline=deadline, urgent=True)
        if answer.status in verdicts.UNHEARD_OF:
            return self._client.call(endpoints.AUTH_STATUS_READ, deadline=deadline, urgent=True)
        return answer

    def _in_passing(self, deadline: float) -> SessionStatus | None:
        """What a tickle says of the status, where nothing else does."""
        answer = self._client.call(endpoints.TICKLE, deadline=deadline, urgent=True)
        tickle = read_tickle(answer.content) if answer.form is Form.JSON and not answer.failed else None
        return tickle.status if tickle is not None else None

    def _initialise(self, status: SessionStatus, deadline: float, login: int) -> int:
        """Open it and wait until it is established; tell the login under which that was."""
        compete = self._compete and not self._takeovers.spent
        if status.competing and not compete:
            raise self._competing(status)
        # What is not connected comes up by nobody's doing, whatever else is said of it.
        is_up = status.connected and status.authenticated and not status.competing
        is_coming = is_up and not status.ready
        if not is_coming and not self._open(status, deadline, compete=compete):
            self._renew(deadline)
            login = self._auth.generation
            if not self._open(status, deadline, compete=compete):
                raise self._auth.refused()
        until = min(deadline, self._clock.monotonic() + ESTABLISH_WITHIN)
        while True:
            found = self.status(deadline)
            if found is not None and found.ready:
                return login
            late = self._clock.monotonic() + POLL_EVERY >= until
            if found is not None and found.competing and (late or not compete):
                raise self._competing(found)
            if late:
                said = _said(found.message if found else None)
                raise BrokerageUnavailable(f"the brokerage session was not established in time.{said}")
            self._clock.sleep(POLL_EVERY)

    def _open(self, status: SessionStatus, deadline: float, *, compete: bool) -> bool:
        """Ask for it; the answer is no where the outer session is gone, or too old for that (401, 410).

        "Not connected" is said of a login that is gone, and as well of a brokerage session that timed
        out or was never opened: only what opening answers tells the two apart.
        """
        answer = self._client.call(
            endpoints.SSODH_INIT, deadline=deadline, body=init_body(compete=compete), urgent=True
        )
        if answer.status in {verdicts.UNAUTHORISED, verdicts.GONE} or answer.login_page or answer.no_session:
            return False
        fresh = read_status(answer.content) if answer.form is Form.JSON else None
        if fresh is None:
            raise BrokerageUnavailable(
                f"IBKR did not open the brokerage session (HTTP {answer.status}).{_said(answer.error)}",
                endpoint=endpoints.SSODH_INIT.name,
                status=answer.status,
                text=answer.error or "",
                remedy=_NOT_ENTITLED if _NO_TOKEN in (answer.error or "").casefold() else "",
                maintenance=answer.maintenance,
            )
        if not (status.connected or fresh.connected or fresh.authenticated or fresh.competing):
            return False
        if fresh.competing and not compete:
            raise self._competing(fresh)
        # A rival need not have shown in the status before, so each opening counts that could end one.
        if compete:
            self._takeovers.note()
        return True

    def _holding(self, deadline: float) -> AbstractContextManager[None]:
        return nullcontext() if self._hold is None else self._hold(deadline)

    def _listed(self, deadline: float) -> portfolio.BrokerageAccounts | None:
        """Ask for the accounts; ``None`` where there is no brokerage session to ask."""
        answer = self._client.call(endpoints.ACCOUNTS, deadline=deadline, urgent=True)
        if answer.no_bridge:
            return None
        if verdicts.lost(endpoints.ACCOUNTS, answer) or answer.accounts_first:
            raise self._went_away(answer.status, answer.error or "")
        return portfolio.read_accounts(verdicts.content(endpoints.ACCOUNTS, answer, None))

    def _listed_soon(self, deadline: float) -> portfolio.BrokerageAccounts:
        """Ask for the accounts until they are told: a fresh session may have no bridge yet, or no account."""
        until = min(deadline, self._clock.monotonic() + LIST_WITHIN)
        while True:
            accounts = self._listed(deadline)
            if accounts is not None and accounts.accounts:
                return accounts
            if self._clock.monotonic() + POLL_EVERY >= until:
                if accounts is None:
                    raise self._went_away(None, "no bridge")
                raise BrokerageUnavailable(
                    "IBKR lists no account yet: the brokerage session is not fully up.",
                    endpoint=endpoints.ACCOUNTS.name,
                )
            self._clock.sleep(POLL_EVERY)

    def _forget(self, deadline: float) -> None:
        """Have nobody believe that a session which is being opened answers for the account of the last one."""
        if self._account is not None:
            with self._holding(deadline):
                self._board.write(None)

    def _answering(self, deadline: float) -> portfolio.BrokerageAccounts:
        """Have the session answer for the account that was selected before, or by another process since."""
        with self._holding(deadline):
            accounts = self._listed(deadline)
            if accounts is None:
                raise self._went_away(None, "no bridge")
            account = self._board.read().account or self._account
            if account not in accounts.accounts:
                self._board.write(None)
                return accounts
            if account != accounts.selected:
                self._board.write(None)
                accounts = self._choose(account, accounts, deadline)
            if self._board.read().account != account:
                self._board.write(account)
            return accounts

    def _choose(
        self, account: str, accounts: portfolio.BrokerageAccounts, deadline: float
    ) -> portfolio.BrokerageAccounts:
        """Select an account; naming the same one twice changes nothing, so a lost answer does no harm."""
        answer = self._client.call(
            endpoints.SWITCH_ACCOUNT, deadline=deadline, body={"acctId": account}, urgent=True
        )
        if answer.status != 200 or answer.error:  # noqa: PLR2004  (HTTP's own number)
            raise BrokerageUnavailable(
                f"the session came back with another account, and {account} could not be selected.",
                endpoint=endpoints.SWITCH_ACCOUNT.name,
                status=answer.status,
                text=answer.error or "",
            )
        return attrs.evolve(accounts, selected=account)

    def _competing(self, status: SessionStatus) -> CompetingSession:
        if self._compete and self._takeovers.spent:
            return CompetingSession(
                f"another login of the same user takes the brokerage session back each time; it was opened in"
                f" competition {MOST_TAKEOVERS} times and is left alone now; nothing was sent.",
                text=status.message,
                remedy=f"Give one of the two programs a user name of its own. The session comes back when the other"
                f" login leaves; it is taken again after {QUIET / 60:.0f} quiet minutes.",
            )
        return CompetingSession(
            "another login of the same user name holds the brokerage session; nothing was sent.",
            text=status.message,
            remedy="Log out there (TWS, the mobile app, another program), or set compete to take the session over.",
        )

    def _send_suppressions(self, deadline: float) -> None:
        answer = self._client.call(
            endpoints.SUPPRESS, deadline=deadline, body=suppress_body(self._suppress), urgent=True
        )
        if answer.status != 200 or answer.error:  # noqa: PLR2004  (HTTP's own number)
            # Not worth failing for: the questions are asked then, and the policy answers them.
            log.warning("the disclosures could not be suppressed: HTTP %s", answer.status)

    @staticmethod
    def _went_away(status: int | None, text: str) -> BrokerageUnavailable:
        return BrokerageUnavailable(
            "the brokerage session went away while it was being opened.",
            endpoint=endpoints.ACCOUNTS.name,
            status=status,
            text=text,
        )


def _said(words: str | None) -> str:
    return f" IBKR says: {words_of(words).rstrip('.')}." if words else ""
