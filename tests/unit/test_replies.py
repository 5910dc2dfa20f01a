"""The question loop: what is answered, what is declined, and what is made of a mixed answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.errors import ConfigurationError, NotSent, QuestionRefused
from ibkr_adapter.replies import (
    DECLINE_WITHIN,
    MOST_ROUNDS,
    Circumstances,
    DeclinedUnclear,
    ReplyHandler,
    ReplyPolicy,
)
from ibkr_adapter.wire.orders import Accepted, Asked, Refused, Unclear, classify
from ibkr_adapter.wire.response import decipher

DISCLOSURE = "Please be aware of the risks of stop orders"
ACK = {"order_id": "7", "order_status": "Submitted"}


def answer(body: Any, status: int = 200) -> Any:
    return decipher(status, "application/json", json.dumps(body).encode())


def asking(*ids: str) -> list[dict[str, Any]]:
    return [{"id": one, "message": [DISCLOSURE], "messageIds": ["o1"], "isSuppressed": False} for one in ids]


def asked(*ids: str) -> Any:
    return classify(answer(asking(*ids)))


class Line:
    """The session's side of a reply: answers in their turn, and what was sent."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.sent: list[tuple[str, bool]] = []
        self.deadlines: list[float] = []

    def change(self, _endpoint: Any, *, path: dict[str, str], body: Any, deadline: float, **_: Any) -> Any:
        self.deadlines.append(deadline)
        self.sent.append(
            (path["replyId"], body["confirmed"] if isinstance(body, dict) else json.loads(body)["confirmed"])
        )
        told = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(told, Exception):
            raise told
        return told


class Log:
    """A record that keeps in memory what a real one writes down."""

    def __init__(self, *, broken: bool = False) -> None:
        self.steps: list[Any] = []
        self._broken = broken

    def replying(self, question: Any, *, confirmed: bool) -> None:
        if self._broken and confirmed:
            raise ConfigurationError("the journal cannot be written.")
        self.steps.append((question.reply_id, confirmed))

    def heard(self, outcome: Any) -> None:
        self.steps.append(type(outcome).__name__)


def settle(line: Line, outcome: Any, log: Log | None = None, *, left: float = 45.0) -> Any:
    clock = ManualClock(datetime(2026, 11, 24, 15, 0, tzinfo=UTC), jump=True)
    handler = ReplyHandler(clock=clock, session=line, policy=ReplyPolicy(answer=["o1"]))
    return handler.settle(outcome, Circumstances(), clock.monotonic() + left, log or Log())


def test_each_reply_is_written_down_before_what_came_of_it():
    """A crash between the two leaves a question of which it is known that it was answered."""
    line, log = Line(answer([ACK])), Log()

    found = settle(line, asked("a"), log)

    assert isinstance(found, Accepted)
    assert [one.order_id for one in found.acknowledgements] == ["7"]
    assert log.steps == [("a", True), "Accepted"]


def test_a_question_that_comes_again_is_not_answered_again():
    """IBKR's second asking says that the first answer did something nobody knows."""
    line = Line(answer(asking("a")))

    found = settle(line, asked("a"))

    assert isinstance(found, Unclear)
    assert line.sent == [("a", True)]


def test_a_refusal_declines_what_else_is_open():
    """A question that nobody answers leaves its order half alive."""
    line = Line(answer({"error": "No trading permissions."}), answer({"error": "Declined."}))

    found = settle(line, asked("a", "b"))

    assert isinstance(found, Refused)
    assert line.sent == [("a", True), ("b", False)]


def test_a_refusal_beside_an_acknowledgement_is_neither():
    """One ticket stands, the other does not: that is looked up, not told as refused."""
    line = Line(answer([ACK]), answer({"error": "No trading permissions."}))

    found = settle(line, asked("a", "b"))

    assert isinstance(found, Unclear)


def test_a_dialogue_without_end_is_declined():
    """At the last round it is a loop and not a dialogue."""
    rounds = [answer(asking(f"q{number}")) for number in range(1, MOST_ROUNDS + 1)]
    line = Line(*rounds, answer({"error": "Declined."}))

    with pytest.raises(QuestionRefused, match="did not stop asking"):
        settle(line, asked("q0"))

    assert [yes for _, yes in line.sent] == [True] * MOST_ROUNDS + [False]


def test_a_dialogue_of_the_last_round_allowed_is_carried_through():
    rounds = [answer(asking(f"q{number}")) for number in range(1, MOST_ROUNDS)]
    line = Line(*rounds, answer([ACK]))

    found = settle(line, asked("q0"))

    assert isinstance(found, Accepted)
    assert len(line.sent) == MOST_ROUNDS


def test_after_the_deadline_nothing_is_agreed_to():
    """A late yes could make an order out of what was already told as over."""
    line = Line(answer({"error": "Declined."}))

    with pytest.raises(QuestionRefused):
        settle(line, asked("a"), left=0.0)

    assert line.sent == [("a", False)]


def test_a_yes_that_cannot_be_written_down_is_a_no():
    line = Line(answer({"error": "Declined."}))

    with pytest.raises(ConfigurationError):
        settle(line, asked("a"), Log(broken=True))

    assert line.sent == [("a", False)]


def test_a_reply_that_never_left_is_given_once_more():
    """Nobody has heard it; any other failure is not repeated."""
    line = Line(NotSent("reset."), answer([ACK]))

    found = settle(line, asked("a"))

    assert isinstance(found, Accepted)
    assert line.sent == [("a", True), ("a", True)]


def test_a_decline_that_is_lost_leaves_the_outcome_open():
    """Whether the order is gone is not known, so it is not told as refused."""
    line = Line(NotSent("reset."))
    outcome = Asked(questions=asked("a").questions, acknowledgements=())

    found = settle(line, outcome, left=0.0)

    assert isinstance(found, DeclinedUnclear)
    assert isinstance(found.refusal, QuestionRefused)


def test_a_decline_beside_an_acknowledgement_leaves_the_outcome_open():
    """IBKR dropped one ticket; the other stands."""
    stands = classify(answer([ACK])).acknowledgements
    outcome = Asked(questions=asked("a").questions, acknowledgements=stands)

    found = settle(Line(answer({"error": "Declined."})), outcome, left=0.0)

    assert isinstance(found, DeclinedUnclear)


def test_a_decline_has_seconds_of_its_own_and_its_answer_is_written_down():
    """The order's time is over, and a question that nobody answers leaves it half alive."""
    line, log = Line(answer({"error": "Declined."})), Log()

    with pytest.raises(QuestionRefused):
        settle(line, asked("a"), log, left=0.0)

    assert line.deadlines == [DECLINE_WITHIN]
    assert log.steps == [("a", False), "Refused"]
