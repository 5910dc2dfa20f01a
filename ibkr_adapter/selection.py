"""Know which of several accounts the brokerage session answers for, and change that.

IBKR answers for orders, fills and profit of one account, the selected one, whoever asks. Selecting
another changes that for everybody at the session, so it is done while no order is in dialogue, and
it is believed when IBKR's own list of accounts shows it.

Source: Web API reference, "Switch Account", and a recorded answer; docs/ibkr-facts.md.
"""

from __future__ import annotations

from ibkr_adapter import verdicts
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.errors import ApiError, BrokerageUnavailable, OutcomeUnknown
from ibkr_adapter.session import SessionKeeper, SessionState
from ibkr_adapter.wire import endpoints, portfolio
from ibkr_adapter.wire.response import Deciphered, Form

_LOOK = "Read ibkr.session.accounts().selected, or call this again: selecting twice is harmless."


class Selection:
    """Which account a session has selected; shared by every object of a connection."""

    def __init__(
        self,
        *,
        clock: Clock,
        client: Client,
        session: SessionKeeper,
        dialogue: Dialogue,
        within: float,
    ) -> None:
        self._clock = clock
        self._client = client
        self._session = session
        self._dialogue = dialogue
        self._within = within

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
            accounts, epoch = self._session.accounts(), self._session.epoch
            if accounts.selected == account_id:
                self._session.chosen(account_id, epoch)
                return
            # Never restored inside the hold: whoever restores the session needs to get past it.
            with self._dialogue.hold(deadline):
                if self._session.state is SessionState.READY and self._session.epoch == epoch:
                    self._switch(account_id, deadline)
                    self._session.chosen(account_id, epoch)
                    return
            if self._clock.monotonic() >= deadline:
                raise BrokerageUnavailable(
                    f"the brokerage session was lost while {account_id} was to be selected; nothing was sent."
                )

    def _switch(self, account_id: str, deadline: float) -> None:
        endpoint = endpoints.SWITCH_ACCOUNT
        answer = self._session.change(endpoint, body={"acctId": account_id}, deadline=deadline, prepare=False)
        if answer.status != 200 or answer.error:  # noqa: PLR2004  (HTTP's own number)
            raise ApiError(
                f"account {account_id} could not be selected; no order was sent.",
                endpoint=endpoint.name,
                status=answer.status,
                text=answer.error or "",
            )
        shown = self._shown(deadline)
        if shown is None:
            raise OutcomeUnknown(
                f"{account_id} was asked for, and which account is selected cannot be read.",
                endpoint=endpoint.name,
                remedy=_LOOK,
            )
        if shown != account_id:
            raise ApiError(
                f"IBKR answered as if {account_id} were selected, and shows {shown}; no order was sent.",
                endpoint=endpoint.name,
                status=answer.status,
            )

    def _shown(self, deadline: float) -> str | None:
        answer: Deciphered = self._client.call(endpoints.ACCOUNTS, deadline=deadline)
        if answer.form is not Form.JSON or answer.failed or verdicts.lost(endpoints.ACCOUNTS, answer):
            return None
        return portfolio.read_accounts(answer.content).selected
