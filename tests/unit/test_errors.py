"""Errors say what the host must know, keep what it needs, and repeat no secret."""

from __future__ import annotations

import inspect
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter import errors, redact
from ibkr_adapter.errors import (
    AmbiguousContract,
    BrokerageUnavailable,
    ContractNotFound,
    IBKRError,
    NotSent,
    OrderOutcomeUnknown,
    PartlyPlaced,
    QuestionRefused,
    Throttled,
)

AT = datetime(2026, 3, 26, 14, 30, tzinfo=UTC)
CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, IBKRError)]
NEEDED = {
    Throttled: {"retry_at": 60.0},
    QuestionRefused: {"question": "?"},
    PartlyPlaced: {"placed": {"entry": "1"}, "missing": ["stop_loss"]},
    OrderOutcomeUnknown: {"coid": "ibka-1", "sent_at": AT},
}


def make(kind, message="It failed.", **about):
    return kind(message, **NEEDED.get(kind, {}) | about)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_one_of_ours_and_documented(kind):
    """A caller who handles the base class has handled them all."""
    error = make(kind, endpoint="GET /x", status=500, text="said", remedy="Do this.")

    assert isinstance(error, IBKRError)
    assert str(error) == "It failed. Do this."
    assert (error.message, error.remedy) == ("It failed.", "Do this.")
    assert (error.endpoint, error.status, error.text) == ("GET /x", 500, "said")
    assert kind.__doc__


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_needs_no_more_than_its_sentence(kind):
    """Then the rest is empty, not missing."""
    error = make(kind)

    assert str(error) == "It failed."
    assert (error.endpoint, error.status, error.text, error.remedy) == ("", None, "", "")


@pytest.mark.parametrize("kind", CLASSES)
def test_only_what_was_provably_not_done_may_be_repeated(kind):
    """By kind; a single error may know better."""
    assert make(kind).repeatable is (kind in {NotSent, BrokerageUnavailable})
    assert make(kind, repeatable=True).repeatable is True
    assert make(kind, repeatable=False).repeatable is False


@pytest.mark.parametrize("kind", CLASSES)
@given(secret=st.text(alphabet="abcdefXYZ0123456789_-", min_size=6, max_size=30), around=st.text(max_size=10))
def test_no_error_repeats_a_secret(kind, secret, around):
    """Errors end up in logs, notifications and bug reports."""
    before = dict(redact._remembered)
    canary = f"canary-{secret}"
    said = f"{around}{canary}{around}"
    try:
        redact.remember(canary)
        asked = {"question": said} if kind is QuestionRefused else {}
        error = make(kind, said, text=said, remedy=said, **asked)
    finally:
        redact._remembered.clear()
        redact._remembered.update(before)

    assert canary not in str(error)
    assert canary not in repr(error)
    assert canary not in repr(error.args)
    assert canary not in repr(vars(error))


def test_each_error_carries_what_the_host_needs():
    """Lists are copied, so that nobody changes them afterwards."""
    placed = {"entry": "1"}

    partly = PartlyPlaced("x", placed=placed, missing=["stop_loss"], naked_quantity=Decimal(5))
    placed.clear()
    refused = QuestionRefused("x", question="Sure?", message_ids=["o163"])

    assert make(Throttled).retry_at == 60.0
    assert ContractNotFound("x", near=["AAPL"]).near == ("AAPL",)
    assert AmbiguousContract("x", candidates=[1, 2]).candidates == (1, 2)
    assert (partly.placed, partly.missing, partly.naked_quantity) == ({"entry": "1"}, ("stop_loss",), 5)
    assert (refused.question, refused.message_ids) == ("Sure?", ("o163",))


def test_an_unknown_outcome_can_be_looked_up():
    """Looking never sends; what was found is the answer."""
    unknown = OrderOutcomeUnknown("x", coid="ibka-1", sent_at=AT, order_id="5", resolver=lambda: "found")

    assert (unknown.coid, unknown.sent_at, unknown.order_id) == ("ibka-1", AT, "5")
    assert unknown.resolve() == "found"


def test_an_unknown_outcome_without_a_lookup_stays_unknown():
    """It is raised again, and nothing is guessed."""
    unknown = make(OrderOutcomeUnknown)

    with pytest.raises(OrderOutcomeUnknown) as again:
        unknown.resolve()

    assert again.value is unknown


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_crosses_to_another_process_whole(kind):
    """A pool whose worker raises what cannot be unpickled is broken for all that follows."""
    error = make(kind, endpoint="GET /x", status=503, text="busy", remedy="Wait.")

    other = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own bytes)

    assert type(other) is kind
    assert (str(other), vars(other)) == (str(error), vars(error))


def test_an_unknown_outcome_is_looked_up_where_it_was_sent():
    """The lookup holds a connection, which stays behind."""
    unknown = make(OrderOutcomeUnknown, resolver=lambda: "found")

    other = pickle.loads(pickle.dumps(unknown))  # noqa: S301  (our own bytes)

    assert unknown.resolve() == "found"
    with pytest.raises(OrderOutcomeUnknown):
        other.resolve()
