"""What every desk beside the orders has: whose account, which contract, and one way to change something.

An object's account is found with every call and kept nowhere, so that two objects of one login never
see each other's. A change is allowed first, sent once and told as it is. A refusal is :class:`~ibkr_adapter.errors.ApiError`; an answer that never came, or that a service in
trouble gives, is :class:`~ibkr_adapter.errors.OutcomeUnknown` and says where to look. IBKR uses 500
and 503 for both, so those are never taken for a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ibkr_adapter.connection import Connection
from ibkr_adapter.errors import ApiError, InvalidRequest, OutcomeUnknown, quoted
from ibkr_adapter.guardrails import Guard
from ibkr_adapter.model.identifiers import checked_conid
from ibkr_adapter.settings import Settings
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.response import Deciphered, Form

# Those of a session that is gone, of a service in trouble, of a limit: whether it acted nobody can tell.
# With 500 IBKR refuses now and then, and now and then it fails after it has acted.
_UNCLEAR = frozenset({401, 408, 410, 423, 429, 500, 502, 503, 504})


def check_switch(value: object, what: str) -> None:
    """See that something is to be switched on or off: the word ``"False"`` would switch it on.

    Raises:
        InvalidRequest: It is neither true nor false; nothing was sent.
    """
    if not isinstance(value, bool):
        raise InvalidRequest(f"{what}={quoted(value)} is neither True nor False; nothing was sent.")


class AccountDesk:
    """The calls of one object over a shared connection, under its settings and guardrails."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._session = connection.session
        self._books = connection.portfolio
        self._guard = Guard(connection, settings)

    # Whose, and what ----------------------------------------------------------------------

    def _named(self, account: str | None) -> str:
        # An empty name is not "the usual one": it names an account, and there is none of that name.
        return self._books.choose(self._settings.account_id if account is None else account).account_id

    def _several(self, accounts: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._named(name) for name in accounts)) or (self._named(None),)

    def _conid(self, contract: str | int) -> int:
        if not isinstance(contract, str):
            return checked_conid(contract)
        # What has expired can still be held and looked at.
        return self._connection.conids.resolve(contract, for_trading=False).conid

    # Changes ------------------------------------------------------------------------------

    def _check_change(self, what: str) -> None:
        """Refuse a change where nothing may be changed.

        Raises:
            GuardrailRefused: ``read_only`` is set; nothing was sent.
        """
        self._guard.check_writable(what)

    def _change(
        self,
        endpoint: Endpoint,
        *,
        what: str,
        look: str,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        silent: bool = False,
    ) -> Any:
        """Send a change once and return the JSON of its answer.

        Args:
            endpoint: What to call.
            what: The change in words, for errors: "deleting alert 7".
            look: What to call to see whether it was done.
            path: Values for the template.
            query: Parameters.
            body: JSON to send.
            silent: Whether an answer without a body, or of plain text, says yes.

        Raises:
            GuardrailRefused: This object may only read, or sends nothing; nothing was sent.
            ApiError: IBKR said no; nothing was changed.
            OutcomeUnknown: The answer was lost; it may or may not have been done.
            SessionError: There is no session; nothing was sent.
            NotSent: It never left.
            Throttled: The pacing limits do not allow it in time; nothing was sent.
        """
        self._guard.check_request(endpoint)
        deadline = self._connection.clock.monotonic() + self._settings.order_deadline
        try:
            answer = self._connection.session.change(
                endpoint, path=path, query=query, body=body, deadline=deadline
            )
        except OutcomeUnknown as lost:
            raise unknown(endpoint, what, look, text=lost.message) from lost
        readable = answer.form is Form.JSON or (silent and answer.form in {Form.EMPTY, Form.TEXT})
        if answer.status in _UNCLEAR or answer.login_page:
            raise unknown(endpoint, what, look, status=answer.status, text=answer.error or answer.excerpt)
        if answer.failed or not 200 <= answer.status < 300:  # noqa: PLR2004  (HTTP's own numbers)
            raise _refused(endpoint, what, answer)
        if not readable:
            raise unknown(endpoint, what, look, status=answer.status, text=answer.excerpt)
        return answer.content


def unknown(
    endpoint: Endpoint, what: str, look: str, *, status: int | None = None, text: str = ""
) -> OutcomeUnknown:
    """Make the error for a change of which nobody knows whether it was done."""
    return OutcomeUnknown(
        f"{what} was sent, and no answer says whether it was done.",
        endpoint=endpoint.name,
        status=status,
        text=text,
        remedy=f"Look with {look} before it is sent again.",
    )


def _refused(endpoint: Endpoint, what: str, answer: Deciphered) -> ApiError:
    said = answer.error or answer.excerpt or "no reason given"
    return ApiError(
        f"{what} was refused (HTTP {answer.status}): {said}; nothing was changed.",
        endpoint=endpoint.name,
        status=answer.status,
        text=said,
    )
