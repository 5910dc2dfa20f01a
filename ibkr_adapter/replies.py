"""Answer IBKR's questions: the policy of what may be answered yes, and the bounded loop.

By default yes goes to pure disclosures, to every question on a cancel, and to known questions on
orders that can only reduce a position. Everything else is declined explicitly, because a
question that is left open can leave an order half alive. The owner of the order dialogue calls
this; nothing else may use the session meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, Protocol

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import (
    BrokerageUnavailable,
    ConfigurationError,
    IBKRError,
    NotSent,
    QuestionRefused,
    Throttled,
    TransportError,
)
from ibkr_adapter.model.order import Acknowledgement
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints, orders
from ibkr_adapter.wire.orders import Accepted, Asked, Declined, Ended, Outcome, Refused, Unclear
from ibkr_adapter.wire.replies import Message, Question, Topic, reply_body
from ibkr_adapter.wire.response import Deciphered

log = logging.getLogger(__name__)

# Brackets were seen to take a dozen rounds; twice that is a loop, not a dialogue.
MOST_ROUNDS = 24
# A decline is worth these seconds even when the order's own deadline is over.
DECLINE_WITHIN = 12.0

_DISCLOSURES = frozenset({Topic.STOP_RISK, Topic.MARKET_RISK, Topic.CAP_PRICE})


@attrs.frozen(kw_only=True)
class Circumstances:
    """What the policy must know of the order: can it only reduce a position, is it a change or a cancel of one."""

    reducing: bool = False
    changing: bool = False
    cancelling: bool = False


class Record(Protocol):
    """Where every step of a dialogue is written down."""

    def replying(self, question: Question, *, confirmed: bool) -> None:
        """Write that a question is about to be answered; raise ``ConfigurationError`` where a yes must not be."""

    def heard(self, outcome: Outcome) -> None:
        """Write what IBKR answered to it."""


class ReplyPolicy:
    """Which questions may be answered yes; settings go before the default."""

    def __init__(self, *, answer: Collection[str] = (), decline: Collection[str] = ()) -> None:
        self._answer = frozenset(answer)
        self._decline = frozenset(decline)

    def refused(self, question: Question, about: Circumstances) -> Message | None:
        """Return the first message that stands in the way of a yes, or ``None``."""
        if not question.messages:
            return Message(message_id="", words="(a question without words)", topic=Topic.UNKNOWN)
        return next((message for message in question.messages if not self._allows(message, about)), None)

    def _allows(self, message: Message, about: Circumstances) -> bool:
        if about.cancelling:
            return True
        if message.message_id in self._decline:
            return False
        if message.message_id in self._answer:
            return True
        if message.topic is Topic.UNKNOWN:
            return False
        return about.reducing or message.topic in _DISCLOSURES


@attrs.frozen(kw_only=True)
class DeclinedUnclear:
    """A question was declined, but the answer to that does not prove that the order is gone."""

    refusal: IBKRError


class ReplyHandler:
    """The question loop of one connection."""

    def __init__(self, *, clock: Clock, session: SessionKeeper, policy: ReplyPolicy) -> None:
        self._clock = clock
        self._session = session
        self._policy = policy

    def settle(
        self, outcome: Outcome, about: Circumstances, deadline: float, record: Record
    ) -> Ended | DeclinedUnclear:
        """Answer questions until IBKR stops asking.

        Args:
            outcome: What IBKR answered first.
            about: What the policy must know.
            deadline: When it must be over, on the clock.
            record: Each reply is written there before it leaves; a yes that cannot be is a no.

        Returns:
            The outcome that is no question; acknowledgements of all rounds are joined.

        Raises:
            QuestionRefused: The policy declined; IBKR confirmed that the order is dropped.
            ConfigurationError: A yes could not be written down; IBKR confirmed that the order is dropped.
        """
        acknowledged: list[Acknowledgement] = []
        pending: list[Question] = []
        seen: set[str] = set()
        rounds = 0
        while True:
            if isinstance(outcome, Asked):
                acknowledged += outcome.acknowledgements
                fresh = [question for question in outcome.questions if question.reply_id not in seen]
                if len(fresh) < len(outcome.questions):
                    return Unclear(reason="IBKR asked again what had been answered")
                seen.update(question.reply_id for question in fresh)
                pending = [*fresh, *pending]
            elif isinstance(outcome, Accepted):
                acknowledged += outcome.acknowledgements
            else:
                # A refusal of one ticket leaves the other questions open; they are declined so
                # that nothing waits half alive.
                self._decline_all(pending, record)
                return (
                    outcome
                    if not acknowledged
                    else Unclear(reason="some tickets were acknowledged, others refused")
                )
            if not pending:
                return Accepted(acknowledgements=tuple(acknowledged))
            question = pending[0]
            objection = self._policy.refused(question, about)
            rounds += 1
            refusal: IBKRError = _refusal(question, objection, about)
            if objection is None and rounds <= MOST_ROUNDS and self._clock.monotonic() < deadline:
                try:
                    record.replying(question, confirmed=True)
                except ConfigurationError as unwritten:
                    refusal = unwritten
                else:
                    pending.pop(0)
                    outcome = self._reply(question, deadline)
                    record.heard(outcome)
                    continue
            clear = self._decline_all(pending, record)
            if not clear or acknowledged:
                return DeclinedUnclear(refusal=refusal)
            raise refusal

    def _reply(self, question: Question, deadline: float) -> Outcome:
        log.info("answering yes to %s: %s", ", ".join(question.message_ids), question.words)
        try:
            return orders.classify(self._send(question, deadline, confirmed=True))
        except NotSent:
            # The question is still open and nobody has heard the answer, so it may be given again.
            return orders.classify(self._send(question, deadline, confirmed=True))

    def _decline_all(self, pending: list[Question], record: Record) -> bool:
        """Say no to every open question; tell whether IBKR confirmed each of them."""
        clear = True
        for question in pending:
            # Every one is declined, also when an earlier decline went wrong.
            clear = self._decline(question, record) and clear
        return clear

    def _decline(self, question: Question, record: Record) -> bool:
        log.warning("declining %s: %s", ", ".join(question.message_ids), question.words)
        record.replying(question, confirmed=False)
        try:
            answer = self._send(question, self._clock.monotonic() + DECLINE_WITHIN, confirmed=False)
        except (TransportError, Throttled, BrokerageUnavailable):
            return False
        outcome = orders.classify(answer)
        record.heard(outcome)
        return isinstance(outcome, (Declined, Refused))

    def _send(self, question: Question, deadline: float, *, confirmed: bool) -> Deciphered:
        return self._session.change(
            endpoints.REPLY,
            path={"replyId": question.reply_id},
            body=reply_body(confirmed=confirmed),
            deadline=deadline,
            prepare=False,
        )


def _refusal(question: Question, objection: Message | None, about: Circumstances) -> QuestionRefused:
    asked: dict[str, Any] = {"question": question.words, "message_ids": question.message_ids}
    left = "the order was declined and is not working"
    if about.changing or about.cancelling:
        left = f"the {'cancel' if about.cancelling else 'change'} was declined and the order stands as it was"
    if objection is None:
        return QuestionRefused(
            f"IBKR did not stop asking; {left}. Its last question: {question.words}", **asked
        )
    named = objection.message_id or "no id"
    remedy = (
        f"If you accept it, add {objection.message_id} to answer_messages."
        if objection.message_id
        else "Answer it in TWS."
    )
    return QuestionRefused(
        f"IBKR asks what the reply policy does not allow ({named}); {left}. It asked: {objection.words}",
        remedy=remedy,
        **asked,
    )
