"""Describe a request that changes orders, and follow it on its way, for the journal.

One record is one request: an order with its legs, a modification, a cancel. It knows what each
answer and each error means for the entry; how entries are kept is for :mod:`ibkr_adapter.journal`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ibkr_adapter import written_tickets
from ibkr_adapter.errors import (
    ConfigurationError,
    OrderOutcomeUnknown,
    OrderRejected,
    PartlyPlaced,
    QuestionRefused,
)
from ibkr_adapter.journal import UNKNOWN, End, Intent, Journal, Kind
from ibkr_adapter.model.algos import described
from ibkr_adapter.model.order import Acknowledgement, Ticket
from ibkr_adapter.wire import tickets as wire
from ibkr_adapter.wire.orders import Accepted, Asked, Outcome
from ibkr_adapter.wire.replies import Question

log = logging.getLogger(__name__)


def placing(tickets: Sequence[Ticket], *, repeat: bool = False) -> Intent:
    """Describe a submission; ``repeat`` is a caller's own word that it may be the same as before."""
    return Intent(
        kind=Kind.PLACE,
        account=tickets[0].account,
        body_hash=wire.body_hash(wire.place_body(tickets)),
        about=tuple(_told(ticket) for ticket in tickets),
        coids=tuple(ticket.coid for ticket in tickets if ticket.coid is not None),
        tickets=tuple(tickets),
        repeat=repeat,
    )


def changing(order_id: str, account: str, ticket: Ticket | None = None) -> Intent:
    """Describe a modification to ``ticket``, or a cancel."""
    return Intent(
        kind=Kind.CANCEL if ticket is None else Kind.MODIFY,
        account=account,
        body_hash=wire.body_hash(None if ticket is None else wire.modify_body(ticket)),
        about=() if ticket is None else (_told(ticket),),
        tickets=() if ticket is None else (ticket,),
        order_id=order_id,
    )


class Record:
    """The entry of one request on its way; without an entry its steps are not written."""

    def __init__(self, journal: Journal, intent: Intent) -> None:
        self._journal = journal
        self._intent = intent
        self._number: int | None = None
        self._acknowledged: dict[str, Acknowledgement] = {}

    def begin(self) -> None:
        """Write the entry; the request may leave when this returns.

        Raises:
            ConfigurationError: It cannot be written and is no cancel; nothing was sent.
            InvalidOrder: Its cOID was used already; nothing was sent.
        """
        try:
            self._number = self._journal.begin(self._intent)
        except ConfigurationError as refusal:
            if self._intent.kind is not Kind.CANCEL:
                raise
            log.warning("order %s is cancelled without a journal: %s", self._intent.order_id, refusal.message)

    def heard(self, outcome: Outcome) -> None:
        """Write what IBKR answered; the orders it acknowledged are ours by that."""
        acks = outcome.acknowledgements if isinstance(outcome, (Accepted, Asked)) else ()
        standing = [ack for ack in acks if not ack.refused]
        self._acknowledged |= {ack.order_id: ack for ack in acks}
        end = None
        if (
            isinstance(outcome, Accepted)
            and self._intent.kind is Kind.PLACE
            and len(self._intent.about) == len(self._acknowledged) == len(standing) == 1
        ):
            # One order, one acknowledgement: there is nothing left to find out.
            end = End.PLACED
        self._note(
            type(outcome).__name__.lower(),
            _words(outcome),
            end=end,
            orders=[
                (ack.order_id, self._intent.account, self._coid(ack), self._written(ack)) for ack in standing
            ],
        )

    def replying(self, question: Question, *, confirmed: bool) -> None:
        """Write that a question is about to be answered.

        Raises:
            ConfigurationError: A yes cannot be written down and is for no cancel, so it must not be said.
        """
        strict = confirmed and self._intent.kind is not Kind.CANCEL
        step = "confirming" if confirmed else "declining"
        self._note(step, f"{', '.join(question.message_ids)}: {question.words}", strict=strict)

    def looked_up(self, words: str) -> None:
        """Write that the answer is of no use and the order is being looked up."""
        self._note("looking", words)

    def end(self, end: End) -> None:
        """Write how it ended; the first end counts."""
        self._note(end, end=end)

    @property
    def intent(self) -> Intent:
        """What is to be sent."""
        return self._intent

    @contextmanager
    def concluding(self) -> Iterator[None]:
        """Write how it ended by how the block ends; what is none of the known ends is unknown."""
        try:
            yield
        except PartlyPlaced:
            self.end(End.PARTLY)
            raise
        except (OrderRejected, QuestionRefused):
            self.end(End.REFUSED)
            raise
        except OrderOutcomeUnknown as unknown:
            self._note(UNKNOWN, unknown.message)
            raise
        except BaseException as failure:
            self._note(UNKNOWN, f"{type(failure).__name__}")
            raise
        self.end(End.PLACED if self._intent.kind is Kind.PLACE else End.SEEN)

    def _note(self, step: str, words: str = "", *, end: End | None = None, **more: Any) -> None:
        if self._number is not None:
            self._journal.note(self._number, step, words, end=end, **more)
        if end is not None:
            self._number = None

    def _written(self, ack: Acknowledgement) -> str | None:
        """What was sent under the order's id; the legs of a bracket are told apart later, by looking."""
        if self._intent.kind is not Kind.PLACE:
            return None
        coid = self._coid(ack)
        ticket = next((one for one in self._intent.tickets if coid is not None and one.coid == coid), None)
        return None if ticket is None else written_tickets.write([ticket])

    def _coid(self, ack: Acknowledgement) -> str | None:
        return ack.coid or (
            self._intent.coids[0] if len(self._intent.about) == 1 and self._intent.coids else None
        )


def _told(ticket: Ticket) -> str:
    size = next(
        value for value in (ticket.quantity, ticket.cash_quantity, ticket.fx_quantity) if value is not None
    )
    algo = "" if ticket.algo is None else f" by {described(ticket.algo)}"
    return f"{ticket.side} {size:f} {ticket.conidex or ticket.conid} {ticket.order_type}{algo}"


def _words(outcome: Outcome) -> str:
    if isinstance(outcome, (Accepted, Asked)):
        acks = [f"{ack.order_id} {ack.state}" for ack in outcome.acknowledgements]
        asked = [question.words for question in outcome.questions] if isinstance(outcome, Asked) else []
        return "; ".join([*acks, *asked])
    return str(getattr(outcome, "text", "") or getattr(outcome, "reason", ""))
