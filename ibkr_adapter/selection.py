"""Have the session answer for one account, and know for which it does.

IBKR answers for orders, fills and profit of one account, the selected one, whoever asks; another
one's order it does not know, and another one's list looks like an empty one. So a call that depends on
that leaves only while its account is selected: where another one is, the session is held, the
account selected, and the call made, before anybody else's leaves. No account is kept from the others
for longer than that, and a login with one account pays nothing. Where a change came while the answer
was on its way, or IBKR's own list shows another account, the answer proves nothing (:class:`Answered`).

Source: Web API reference, "Switch Account", and a recorded answer; docs/ibkr-facts.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.board import Board, Note
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.errors import ApiError, BrokerageUnavailable, OutcomeUnknown
from ibkr_adapter.session import SessionKeeper, SessionState
from ibkr_adapter.wire import endpoints, portfolio
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.response import Form

log = logging.getLogger(__name__)

_LOOK = "Read ibkr.portfolio.selected(), or call this again: selecting twice is harmless."


class _SessionLost(BrokerageUnavailable):
    """The session went while an account was to be selected; it is noted, and the call may be made again."""


@attrs.frozen
class Answered:
    """What IBKR answered, and whether it surely did so for the account that was meant."""

    content: Any
    sure: bool = True


class _Account:
    """What a call needs that is about ``account``; ``note`` is what stood on the board when it left."""

    def __init__(self, selection: Selection, account: str) -> None:
        self._selection = selection
        self._account = account
        self.note = Note()

    def met(self) -> bool:
        self.note = self._selection.noted()
        return self.note.account == self._account

    def bring_about(self, deadline: float) -> None:
        self._selection.settle(self._account, deadline)
        self.note = self._selection.noted()


class Selection:
    """Which account a session answers for; shared by every object of a connection."""

    def __init__(
        self,
        *,
        clock: Clock,
        client: Client,
        session: SessionKeeper,
        dialogue: Dialogue,
        board: Board,
        within: float,
    ) -> None:
        self._clock = clock
        self._client = client
        self._session = session
        self._dialogue = dialogue
        self._board = board
        self._within = within

    @property
    def several(self) -> bool:
        """Whether this login has several accounts; the session is brought up to know it."""
        return len(self._session.accounts().accounts) > 1

    @property
    def selected(self) -> str | None:
        """The account that the session answers for, as far as is known."""
        shown = self._session.accounts().selected
        return self._board.read().account or shown

    def noted(self) -> Note:
        """What stands on the board."""
        return self._board.read()

    # By hand ------------------------------------------------------------------------------

    def select(self, account_id: str) -> None:
        """See that the session answers for ``account_id``; nothing is sent where it does already.

        Waits until no order is in dialogue. A session that has to be opened again gets the same account
        before anything else is called.

        Raises:
            ApiError: IBKR refuses, or says yes and shows another account; the old one stays selected.
            OutcomeUnknown: The answer was lost; either account may be selected.
            BrokerageUnavailable: An order is in dialogue for too long, or there is no session; nothing was sent.
        """
        deadline = self._clock.monotonic() + self._within
        while True:
            if not self.several or self._board.read().account == account_id:
                return
            try:
                # Never restored inside the hold: whoever restores the session needs to get past it.
                with self._dialogue.hold(deadline):
                    self._have(account_id, deadline)
                    return
            except _SessionLost:
                self._check_time(deadline)

    # For calls that are about an account --------------------------------------------------

    def read(
        self,
        account: str,
        endpoint: Endpoint,
        *,
        deadline: float,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        empty: Any = None,
        verify: bool = False,
    ) -> Answered:
        """Make a read that IBKR answers for the selected account, for ``account``.

        Args:
            account: Whose answer is wanted.
            endpoint: What to call.
            deadline: When it must be over, on the clock.
            path: Values for the template.
            query: Parameters.
            empty: What an empty body stands for; without it an empty body is an error.
            verify: Whether to see in IBKR's own list that the account is selected when it has answered.

        Returns:
            The JSON; it is not sure where another account may have been selected when IBKR answered.

        Raises:
            IBKRError: As :meth:`ibkr_adapter.session.SessionKeeper.read` does.
            BrokerageUnavailable: The account could not be selected.
        """
        if not self.several:
            content = self._session.read(endpoint, path=path, query=query, deadline=deadline, empty=empty)
            return Answered(content)
        while True:
            needs = _Account(self, account)
            try:
                content = self._session.read(
                    endpoint, path=path, query=query, deadline=deadline, empty=empty, needs=needs
                )
            except _SessionLost:
                self._check_time(deadline)
                continue
            sure = self._board.read() == needs.note
            return Answered(content, sure=sure and (not verify or self.shows(account, deadline)))

    def shows(self, account: str, deadline: float) -> bool:
        """Tell whether IBKR's own list shows that ``account`` is selected; another program may have changed it."""
        shown, _ = self._shown(deadline)
        if shown is not None and shown != account:
            with self._dialogue.hold(deadline):
                # Another call of ours may have selected it since, and said so.
                if self._board.read().account == account:
                    log.warning("the session answers for %s, which nobody here has selected", shown)
                    self._board.write(None)
        return shown == account

    def settle(self, account: str, deadline: float) -> None:
        """See that the session answers for ``account``, with the dialogue held by the caller.

        Raises:
            BrokerageUnavailable: It does not, or nobody can tell; nothing else was sent.
            TransportError: The line failed before anything was sent.
            Throttled: The pacing limits do not allow it in time; nothing was sent.
        """
        try:
            self._have(account, deadline)
        except (ApiError, OutcomeUnknown) as failure:
            raise BrokerageUnavailable(
                f"the session does not surely answer for {account}, so nothing was asked or sent for it:"
                f" {failure.message}",
                endpoint=failure.endpoint,
                status=failure.status,
                text=failure.text,
                remedy="Try again: selecting an account twice is harmless.",
            ) from failure

    def ready(self, account: str, deadline: float) -> bool:
        """See, with the dialogue held, that an order may leave for ``account``.

        Returns:
            Whether it may; where not, the session was lost meanwhile, and must be brought up outside the hold.

        Raises:
            BrokerageUnavailable: The account could not be selected; nothing was sent.
            TransportError: The line failed before anything was sent.
            Throttled: The pacing limits do not allow it in time; nothing was sent.
        """
        listed = self._session.listed
        if self._session.state is not SessionState.READY or listed is None:
            return False
        if len(listed.accounts) <= 1:
            return True
        try:
            self.settle(account, deadline)
        except _SessionLost:
            self._check_time(deadline)
            return False
        return True

    # How it is done -----------------------------------------------------------------------

    def _have(self, account: str, deadline: float) -> None:
        noted = self._board.read().account
        if noted == account:
            return
        epoch = self._session.epoch
        if self._session.state is not SessionState.READY:
            raise _SessionLost("the session was lost just now; nothing was sent.")
        if noted is not None or self._shown(deadline, epoch)[0] != account:
            self._switch(account, deadline, epoch)
        self._board.write(account)
        self._session.chosen(account, epoch)

    def _switch(self, account: str, deadline: float, epoch: int) -> None:
        endpoint = endpoints.SWITCH_ACCOUNT
        self._board.write(None)
        answer = self._session.change(endpoint, body={"acctId": account}, deadline=deadline, prepare=False)
        if verdicts.lost(endpoint, answer) or answer.accounts_first:
            raise _SessionLost("the session was lost just now; no account was selected.")
        if answer.status != 200 or answer.error:  # noqa: PLR2004  (HTTP's own number)
            raise ApiError(
                f"account {account} could not be selected; no order was sent.",
                endpoint=endpoint.name,
                status=answer.status,
                text=answer.error or "",
            )
        shown, status = self._shown(deadline, epoch)
        if shown is None:
            raise OutcomeUnknown(
                f"{account} was asked for, and which account is selected cannot be read.",
                endpoint=endpoint.name,
                status=status,
                remedy=_LOOK,
            )
        if shown != account:
            raise ApiError(
                f"IBKR answered as if {account} were selected, and shows {shown}; no order was sent.",
                endpoint=endpoint.name,
                status=answer.status,
            )

    def _shown(self, deadline: float, epoch: int | None = None) -> tuple[str | None, int]:
        """The account that IBKR's own list shows, and the status of its answer; ``None`` where it does not."""
        answer = self._client.call(endpoints.ACCOUNTS, deadline=deadline, urgent=True)
        if verdicts.lost(endpoints.ACCOUNTS, answer):
            if epoch is not None:
                self._session.lose(epoch, f"HTTP {answer.status} on {endpoints.ACCOUNTS.name}")
                raise _SessionLost("the session was lost just now; no account was selected.")
            return None, answer.status
        if answer.form is not Form.JSON or answer.failed:
            return None, answer.status
        return portfolio.read_accounts(answer.content).selected, answer.status

    def _check_time(self, deadline: float) -> None:
        if self._clock.monotonic() >= deadline:
            raise BrokerageUnavailable(
                "the brokerage session was lost while an account was to be selected; nothing was sent."
            )
