"""Send one state-changing request and stay with it until IBKR stops asking.

The brokerage session is held, and answers for the order's account, from the first byte to the last
reply, and nothing is sent twice:
an answer that is lost or not understood ends the conversation as :class:`Lost`, and what it
means is found out elsewhere, by looking. Before the first byte leaves the journal has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.errors import (
    ConfigurationError,
    IBKRError,
    NotSent,
    OutcomeUnknown,
    SessionError,
    Throttled,
    TransportError,
)
from ibkr_adapter.journal import End
from ibkr_adapter.order_reads import OrderReads
from ibkr_adapter.records import Record
from ibkr_adapter.replies import Circumstances, DeclinedUnclear, ReplyHandler
from ibkr_adapter.selection import Selection
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire.endpoints import Endpoint
from ibkr_adapter.wire.orders import (
    Accepted,
    Asked,
    CancelRequested,
    Declined,
    Gone,
    Outcome,
    Prompted,
    Refused,
    Registered,
    Unclear,
)
from ibkr_adapter.wire.response import Deciphered


@attrs.frozen(kw_only=True)
class Lost:
    """The answer never came, or nobody understands it; ``declined`` where we had said no."""

    reason: str
    declined: IBKRError | None = None


Settled = Accepted | Refused | Registered | Declined | Gone | CancelRequested | Prompted | Lost


class Conversation:
    """Holds the one dialogue of a brokerage session, one request at a time."""

    def __init__(
        self, *, session: SessionKeeper, dialogue: Dialogue, selection: Selection, reads: OrderReads
    ) -> None:
        self._session = session
        self._dialogue = dialogue
        self._selection = selection
        self._reads = reads

    def hold(
        self,
        endpoint: Endpoint,
        *,
        account: str,
        path: Mapping[str, Any],
        body: Any,
        query: Mapping[str, Any] | None = None,
        read: Callable[[Deciphered], Outcome],
        replies: ReplyHandler | None,
        about: Circumstances,
        deadline: float,
        record: Record,
    ) -> Settled:
        """Send once and answer the questions.

        Args:
            endpoint: Place, modify or cancel.
            account: Whose order it is; the session answers for that account until the dialogue is over.
            path: Values for its template.
            body: What to send as JSON.
            query: Parameters beside it.
            read: Classifies the answer.
            replies: Answers the questions; without it a question ends the conversation.
            about: What the reply policy must know.
            deadline: When it must be over, on the clock.
            record: Where each step is written down before and after it.

        Raises:
            ConfigurationError: There is no journal; nothing was sent, or what was is dropped again.
            InvalidOrder: The journal has its cOID already; nothing was sent.
            QuestionRefused: The policy said no, and IBKR dropped the order.
            NotSent: It never left.
            SessionError: There was no session; nothing was sent.
            Throttled: The pacing limits do not allow it in time; nothing was sent.
        """
        while True:
            # Never inside the hold: whoever restores the session needs to get past it.
            self._session.ensure(deadline)
            with self._dialogue.hold(deadline):
                if not self._selection.ready(account, deadline):
                    continue
                record.begin()
                try:
                    try:
                        answer = self._session.change(
                            endpoint, path=path, query=query, body=body, deadline=deadline, prepare=False
                        )
                    except (NotSent, SessionError, Throttled, ConfigurationError):
                        record.end(End.NOT_SENT)
                        raise
                    outcome = read(answer)
                    record.heard(outcome)
                    if isinstance(outcome, Asked):
                        return self._settle(outcome, replies, about, deadline, record)
                    return outcome if not isinstance(outcome, Unclear) else Lost(reason=outcome.reason)
                except OutcomeUnknown as lost:
                    return Lost(reason=lost.message)
                finally:
                    self._reads.changed(account)

    def _settle(
        self,
        asked: Asked,
        replies: ReplyHandler | None,
        about: Circumstances,
        deadline: float,
        record: Record,
    ) -> Settled:
        if replies is None:
            return Lost(reason="IBKR asked a question that nobody is there to answer")
        try:
            outcome = replies.settle(asked, about, deadline, record)
        except (TransportError, SessionError, Throttled) as lost:
            # The order was sent, so even a reply that never left says nothing of it.
            return Lost(reason=f"the reply to a question was lost: {lost.message}")
        if isinstance(outcome, DeclinedUnclear):
            return Lost(reason="a declined question was not confirmed", declined=outcome.refusal)
        return outcome if not isinstance(outcome, Unclear) else Lost(reason=outcome.reason)
