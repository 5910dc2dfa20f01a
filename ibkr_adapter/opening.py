"""Bring the brokerage session up, step by step, and say which step failed.

Status, opening, status again until it is established, accounts, suppressed disclosures: in this
order, because before a session is established data calls answer with silence, and before the
accounts were asked for the rest is refused. Who may try when is for :mod:`ibkr_adapter.session`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.auth.base import Auth
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import BrokerageUnavailable, CompetingSession
from ibkr_adapter.wire import endpoints, portfolio
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.replies import suppress_body, words_of
from ibkr_adapter.wire.response import Form
from ibkr_adapter.wire.session import SessionStatus, init_body, read_status

log = logging.getLogger(__name__)

# How often the status is read while a fresh session comes up, and for how long (seconds).
POLL_EVERY = 0.5
ESTABLISH_WITHIN = 20.0


@attrs.frozen(kw_only=True)
class Opened:
    """A brokerage session that is up: its accounts, and the outer session it was opened under."""

    accounts: portfolio.BrokerageAccounts
    login: int


class Opening:
    """Opens one user name's brokerage session; it never takes it from another login unasked.

    ``alone`` keeps the other processes of the login from doing so at the same time, if there may be any.
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
        alone: Callable[[float], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._auth = auth
        self._renew = renew
        self._compete = compete
        self._suppress = suppress
        self._alone = alone

    def bring_up(self, deadline: float) -> Opened:
        """Do all steps and tell the accounts that may be traded.

        Raises:
            CompetingSession: Another login holds the session; it was left alone.
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
        if status is None or not status.connected:
            self._renew(deadline)
            login = self._auth.generation
            status = self.status(deadline)
        if status is None or not status.connected:
            raise self._auth.refused()
        if not status.ready:
            self._initialise(status, deadline)
        content = self._plain(endpoints.ACCOUNTS, deadline)
        accounts = portfolio.read_accounts(content)
        if not accounts.accounts:
            raise BrokerageUnavailable("IBKR lists no account yet: the brokerage session is not fully up.")
        self._send_suppressions(deadline)
        return Opened(accounts=accounts, login=login)

    def status(self, deadline: float) -> SessionStatus | None:
        """Read the state of both sessions; ``None`` where the outer one is gone."""
        answer = self._client.call(endpoints.AUTH_STATUS, deadline=deadline, urgent=True)
        if answer.status == verdicts.UNAUTHORISED or answer.login_page or answer.no_session:
            return None
        status = read_status(answer.content) if answer.form is Form.JSON else None
        if status is None:
            raise BrokerageUnavailable(
                f"IBKR cannot tell the state of the session (HTTP {answer.status}).",
                endpoint=endpoints.AUTH_STATUS.name,
                status=answer.status,
                text=answer.error or "",
            )
        return status

    def _initialise(self, status: SessionStatus, deadline: float) -> None:
        if status.competing and not self._compete:
            raise _competing(status)
        if not (status.authenticated and not status.competing):
            answer = self._client.call(
                endpoints.SSODH_INIT, deadline=deadline, body=init_body(compete=self._compete), urgent=True
            )
            fresh = read_status(answer.content) if answer.form is Form.JSON else None
            if answer.status in {verdicts.UNAUTHORISED, verdicts.GONE}:
                self._renew(deadline)
            elif fresh is None:
                raise BrokerageUnavailable(
                    "IBKR did not open the brokerage session.", status=answer.status, text=answer.error or ""
                )
            elif fresh.competing and not self._compete:
                raise _competing(fresh)
        until = min(deadline, self._clock.monotonic() + ESTABLISH_WITHIN)
        while True:
            found = self.status(deadline)
            if found is not None and found.ready:
                return
            if found is not None and found.competing and not self._compete:
                raise _competing(found)
            if self._clock.monotonic() + POLL_EVERY >= until:
                said = f" IBKR says: {words_of(found.message)}" if found and found.message else ""
                raise BrokerageUnavailable(f"the brokerage session was not established in time.{said}")
            self._clock.sleep(POLL_EVERY)

    def _send_suppressions(self, deadline: float) -> None:
        answer = self._client.call(
            endpoints.SUPPRESS, deadline=deadline, body=suppress_body(self._suppress), urgent=True
        )
        if answer.status != 200 or answer.error:  # noqa: PLR2004  (HTTP's own number)
            # Not worth failing for: the questions are asked then, and the policy answers them.
            log.warning("the disclosures could not be suppressed: HTTP %s", answer.status)

    def _plain(self, endpoint: Endpoint, deadline: float) -> Any:
        answer = self._client.call(endpoint, deadline=deadline, urgent=True)
        if verdicts.lost(endpoint, answer) or answer.accounts_first:
            raise BrokerageUnavailable(
                "the brokerage session went away while it was being opened.",
                endpoint=endpoint.name,
                status=answer.status,
                text=answer.error or "",
            )
        return verdicts.content(endpoint, answer, None)


def _competing(status: SessionStatus) -> CompetingSession:
    return CompetingSession(
        "another login of the same user name holds the brokerage session; nothing was sent.",
        text=status.message,
        remedy="Log out there (TWS, the mobile app, another program), or set compete to take the session over.",
    )
