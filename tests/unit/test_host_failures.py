"""An error comes back from disk as it went there, with what a host acts on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ibkr_adapter.errors import (
    GuardrailRefused,
    IBKRError,
    InvalidOrder,
    OrderError,
    OrderOutcomeUnknown,
    PartlyPlaced,
    QuestionRefused,
    Throttled,
)
from ibkr_adapter.host.failures import answer, read, written

SINCE = "So it was."
MOMENT = datetime(2026, 11, 24, 15, tzinfo=UTC)


def again(error):
    return read(json.loads(json.dumps(written(error))), since=SINCE)


@pytest.mark.parametrize(
    "error",
    [
        InvalidOrder("no.", remedy="do.", endpoint="GET /x", status=400, text="words"),
        OrderOutcomeUnknown("who knows.", coid="c1", sent_at=MOMENT, order_id="7", remedy="look."),
        PartlyPlaced("half.", placed={"entry": "1"}, missing=("stop_loss",), naked_quantity=Decimal("1.50")),
        QuestionRefused("asked.", question="sure?", message_ids=("o163",)),
        GuardrailRefused("too much.", rule="max_notional", figure=Decimal(5), limit=Decimal(3)),
        Throttled("slow.", retry_at=3.5, repeatable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_whole(error):
    found = again(error)

    assert type(found) is type(error)
    kept = {name: value for name, value in vars(found).items() if name not in {"message", "_resolver"}}
    assert kept == {name: value for name, value in vars(error).items() if name in kept}
    assert vars(error).keys() - {"_resolver"} <= vars(found).keys()
    assert found.message == f"{error.message} {SINCE}"
    assert str(found) == f"{found.message} {found.remedy}".strip()


def test_what_nobody_can_tell_any_more_says_so_when_it_is_resolved():
    """What looked it up was a call of a process that is gone."""
    found = again(OrderOutcomeUnknown("who knows.", coid="c1", sent_at=MOMENT, resolver=lambda: 1))

    with pytest.raises(OrderOutcomeUnknown) as still:
        found.resolve()

    assert still.value is found


@pytest.mark.parametrize("kind", ["NoSuchError", "redact", "Decimal", None])
def test_a_kind_that_nobody_knows_is_an_order_error(kind):
    """Another version may have written it, and no other thing of that name is made."""
    found = read({"errorType": kind, "error": "words."}, since=SINCE)

    assert type(found) is OrderError
    assert str(found) == f"words. {SINCE}"
    assert (found.remedy, found.repeatable) == ("", False)


def test_what_json_cannot_hold_is_left_out():
    error = IBKRError("no.")
    error.candidates = (object(),)
    error.limits = {"a": object()}

    assert {"candidates", "limits"} & written(error)["about"].keys() == set()


def test_a_host_is_answered_in_five_words():
    assert answer(Throttled("slow.", retry_at=3.5, repeatable=True)) == {
        "success": False,
        "action": "failed",
        "exchange": "ibkr",
        "error": "slow.",
        "errorType": "Throttled",
        "retryable": True,
    }
