"""No answer to an order is taken for more than it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.model.order import OrderState
from ibkr_adapter.wire.orders import (
    Accepted,
    Asked,
    CancelRequested,
    Declined,
    Gone,
    Prompted,
    Refused,
    Registered,
    Unclear,
    classify,
    classify_cancel,
)
from ibkr_adapter.wire.replies import Topic
from ibkr_adapter.wire.response import Deciphered, Form, decipher

JSON = "application/json;charset=utf-8"
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "orders"
recorded = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout"
)

OUTCOMES = (Accepted, Asked, Prompted, Refused, Registered, Declined, Gone, CancelRequested, Unclear)
REPLY_ID = "99097238-9824-4830-84ef-46979aa22593"
ACK = {"order_id": "1370093239", "order_status": "PreSubmitted", "encrypt_message": "1"}
ASK = {
    "id": REPLY_ID,
    "message": ["You are submitting an order without market data. …\nAre you sure?"],
    "isSuppressed": False,
    "messageIds": ["o354"],
    "messageOptions": ["Yes", "No"],
}
FAILED = {
    "order_id": "-1",
    "order_status": "Failed",
    "text": "The size, 1, does not conform to the minimum variation of 100 for this contract.",
    "warning_message": "Order rejected by the exchange.",
}
PROMPT = {
    "orderId": 123456789,
    "reqId": "22170",
    "dismissable": [],
    "text": "If your order is not immediately executable, …\nUse the Price Management Algo?",
    "options": ["Use on this order", "Always use", "Do not use"],
    "type": "M",
    "messageId": "p12",
    "prompt": True,
}
REGISTERED = "Order couldn't be submitted: Local order ID=my-1 is already registered."


def answer(body, status=200, content_type=JSON):
    return decipher(status, content_type, body if isinstance(body, bytes) else json.dumps(body).encode())


# Answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "order_id", "state", "coid", "parent", "text"),
    [
        pytest.param([ACK], "1370093239", "PreSubmitted", None, None, "", id="A"),
        pytest.param(
            [
                ACK
                | {
                    "local_order_id": "my-1",
                    "parent_order_id": "77",
                    "text": "a",
                    "warning_message": "b<br>c",
                }
            ],
            "1370093239",
            "PreSubmitted",
            "my-1",
            "77",
            "a; b c",
            id="A2",
        ),
        pytest.param(
            {"order_id": "987654", "order_status": "Submitted"},
            "987654",
            "Submitted",
            None,
            None,
            "",
            id="A3",
        ),
        pytest.param(
            {"orderId": 987654, "orderStatus": "Filled", "local_order_id": True, "parent_order_id": " "},
            "987654",
            "Filled",
            None,
            None,
            "",
            id="A3 in the other spelling",
        ),
        pytest.param(
            [ACK | {"error": None}], "1370093239", "PreSubmitted", None, None, "", id="a null error"
        ),
        pytest.param(
            [{"order_id": "17437897932", "order_status": "Submitted", "text": " ", "warning_message": 5}],
            "17437897932",
            "Submitted",
            None,
            None,
            "",
            id="an id wider than 32 bits",
        ),
    ],
)
def test_an_acknowledgement_is_read(body, order_id, state, coid, parent, text):
    """Variants A to A3: lists and bare objects, with and without what ties the legs together."""
    outcome = classify(answer(body))

    assert isinstance(outcome, Accepted)
    (ack,) = outcome.acknowledgements
    assert (ack.order_id, ack.state.value, ack.coid, ack.parent_id) == (order_id, state, coid, parent)
    assert ack.text == text
    assert not ack.refused


def test_a_question_is_read_bare_or_in_a_list():
    """Variant B; the reply goes to the ``id``, the policy reads the message ids."""
    outcomes = [classify(answer(body)) for body in ([ASK], ASK)]

    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[0], Asked)
    (question,) = outcomes[0].questions
    assert question.reply_id == REPLY_ID
    assert question.message_ids == ("o354",)
    assert question.messages[0].topic is Topic.NO_MARKET_DATA


def test_questions_and_acknowledgements_may_come_together():
    """A bracket can be asked about one leg after another was taken; neither may be forgotten."""
    outcome = classify(answer([ACK, ASK, ASK | {"id": "second"}]))

    assert isinstance(outcome, Asked)
    assert [question.reply_id for question in outcome.questions] == [REPLY_ID, "second"]
    assert [ack.order_id for ack in outcome.acknowledgements] == ["1370093239"]


@pytest.mark.parametrize(
    "text",
    [
        "No trading permissions.",
        "We cannot accept an order at the limit price you selected.",
        "Invalid order price fields",
        "invalid order attribute : Outside Regular Trading Hours",
        "Retail clients can trade packaged products; it does not have a KID",
        "The crypto MKT order must be IOC",
        "Bad Request: Conid(s) missing",
        "Available funds are insufficient for this order.",
    ],
)
def test_a_refusal_in_a_200_is_a_refusal(text):
    """Variant C, free text: an error inside a 200 means that no order exists."""
    outcomes = [classify(answer(body)) for body in ({"error": text}, [{"error": text}])]

    assert outcomes == [Refused(text=text)] * 2


def test_a_refusal_carries_its_details():
    """Variant C2 hides what is wrong three levels down."""
    body = {"error": "Rejected", "cqe": {"post_payload": {"rejections": ["too <b>large</b>", 5, "too late"]}}}

    assert classify(answer(body)) == Refused(text="Rejected (too large; too late)")


@pytest.mark.parametrize(
    "cqe", [None, {}, {"post_payload": None}, {"post_payload": {"rejections": "no"}}, {"post_payload": {}}]
)
def test_details_in_another_shape_are_left_out(cqe):
    """The refusal counts without them."""
    assert classify(answer({"error": "Rejected", "cqe": cqe})) == Refused(text="Rejected")


def test_the_text_may_be_one_level_down():
    """Newer hosts wrap it."""
    assert classify(answer({"error": {"code": 5, "message": "Rejected"}})) == Refused(text="Rejected")


def test_two_refusals_make_one():
    """Every ticket of a bracket can be refused on its own."""
    outcome = classify(answer([{"error": "No trading permissions."}, {"error": "No such price."}]))

    assert outcome == Refused(text="No trading permissions.; No such price.")


@pytest.mark.parametrize(
    "error", ["no bridge", "Please query /accounts first", "not authenticated", "no session"]
)
def test_a_refusal_says_when_the_session_was_to_blame(error):
    """Then the same order may be placed again once the session is back."""
    outcome = classify(answer({"error": error}))

    assert isinstance(outcome, Refused)
    assert outcome.session_lost


@pytest.mark.parametrize("body", [{"success": False, "message": "nope"}, {"success": False, "text": "nope"}])
def test_success_false_is_a_refusal(body):
    """The other way in which a 200 says no."""
    assert classify(answer(body)) == Refused(text="nope")


def test_success_false_without_words_is_a_refusal_too():
    """There is nothing to show but that."""
    assert classify(answer({"success": False})) == Refused(text="success: false")


@pytest.mark.parametrize("body", [PROMPT, [PROMPT]])
def test_a_prompt_is_no_question(body):
    """Variant D is about an order that IBKR knows already, and a reply does not answer it."""
    outcome = classify(answer(body))

    assert isinstance(outcome, Prompted)
    assert outcome.prompt.order_id == "123456789"
    assert outcome.prompt.request_id == "22170"
    assert outcome.prompt.options == ("Use on this order", "Always use", "Do not use")


def test_a_refusal_dressed_as_an_acknowledgement_is_marked():
    """Variants E and F come with a 200 and an order id."""
    outcome = classify(answer([FAILED, {"order_id": "1760268467", "order_status": "Inactive"}]))

    assert isinstance(outcome, Accepted)
    assert [ack.refused for ack in outcome.acknowledgements] == [True, True]
    assert outcome.acknowledgements[0].text == (
        "The size, 1, does not conform to the minimum variation of 100 for this contract."
        "; Order rejected by the exchange."
    )


def test_a_bracket_can_be_refused_in_part():
    """Variant G: one element stands, the other does not, and their order says nothing."""
    outcome = classify(answer([FAILED, ACK]))

    assert isinstance(outcome, Accepted)
    assert [(ack.order_id, ack.refused) for ack in outcome.acknowledgements] == [
        ("-1", True),
        ("1370093239", False),
    ]


@pytest.mark.parametrize("status", [200, 400])
def test_a_dead_reply_says_nothing_of_the_order(status):
    """Variant H: the first of two questions died, and yet its order went live."""
    dead = {"error": f"reply id not found: '{REPLY_ID}'"}

    assert isinstance(classify(answer(dead, status)), Unclear)
    assert isinstance(classify_cancel(answer(dead, status)), Unclear)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"error": "Order not confirmed "}), (400, {"error": "order not confirmed", "statusCode": 400})],
)
def test_a_declined_question_drops_the_order(status, body):
    """Variant I, in both documented forms."""
    outcome = classify(answer(body, status))

    assert isinstance(outcome, Declined)
    assert outcome.text.lower() == "order not confirmed"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"error": REGISTERED}),
        (200, [{"error": REGISTERED}]),
        (200, {"success": False, "message": REGISTERED}),
        (400, {"error": REGISTERED}),
        (500, {"error": REGISTERED}),
    ],
)
def test_a_known_coid_means_that_an_attempt_arrived(status, body):
    """Read as a refusal it would be sent again under another cOID, and stand twice."""
    assert classify(answer(body, status)) == Registered(text=REGISTERED)


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "text", ["OrderID 1464106177 doesn't exist", "Order is inactive", "Order 1888681780 is not found"]
)
def test_an_order_that_is_gone_cannot_be_changed(text, status):
    """What a modification of a finished order is answered with."""
    assert classify(answer({"error": text}, status)) == Gone(text=text)


NON_200 = [
    pytest.param(400, b"Missing order parameters", "text/plain", Refused, id="bare array, text"),
    pytest.param(400, {"error": "Missing order parameters"}, JSON, Refused, id="bare array, JSON"),
    pytest.param(
        400,
        {"error": "orders request includes parameter with incorrect type"},
        JSON,
        Refused,
        id="a conid as text",
    ),
    pytest.param(
        400,
        {
            "type": "/invalid-argument",
            "title": "Bad Request",
            "status": 400,
            "detail": "quantity must be positive",
            "invalidArguments": [],
        },
        "application/problem+json",
        Refused,
        id="problem document",
    ),
    pytest.param(
        400,
        {"error": "Bad Request: Please query /accounts first", "statusCode": 400},
        JSON,
        Refused,
        id="accounts",
    ),
    pytest.param(
        400,
        {"error": "Bad Request: accountId is not valid: 11110000", "statusCode": 400},
        JSON,
        Refused,
        id="wrong account",
    ),
    pytest.param(400, {"error": "Bad Request: no bridge", "statusCode": 400}, JSON, Refused, id="no bridge"),
    pytest.param(400, {"error": "something new"}, JSON, Unclear, id="a 400 in unknown words"),
    pytest.param(400, {"type": ["x"], "title": "Bad", "detail": "?"}, JSON, Unclear, id="an unknown problem"),
    pytest.param(400, b"", None, Unclear, id="an empty 400"),
    pytest.param(400, {"error": "question not found"}, JSON, Unclear, id="something else is not found"),
    pytest.param(401, b"", None, Unclear, id="session gone, empty"),
    pytest.param(
        401,
        {"type": "/unauthorized", "title": "Unauthorized", "status": 401},
        "application/problem+json",
        Unclear,
        id="session gone, problem document",
    ),
    pytest.param(403, {"error": "Missing order parameters"}, JSON, Unclear, id="known words, another status"),
    pytest.param(404, {"error": "OrderID 5 doesn't exist"}, JSON, Unclear, id="not found"),
    pytest.param(410, b"Gone", "text/plain", Unclear, id="bridge gone"),
    pytest.param(429, {"error": "too many requests"}, JSON, Unclear, id="pacing"),
    pytest.param(
        500, {"error": 'java.lang.Exception: "No trading permissions."'}, JSON, Unclear, id="Java in a 500"
    ),
    pytest.param(500, {"error": "invalid request content"}, JSON, Unclear, id="a 500 in words"),
    pytest.param(502, b"<html><title>Bad Gateway</title></html>", "text/html", Unclear, id="the edge"),
    pytest.param(
        503, {"error": "Service Unavailable", "statusCode": 503}, JSON, Unclear, id="took over 10 s"
    ),
    pytest.param(302, [ACK], JSON, Unclear, id="a redirect with a good body"),
    pytest.param(101, [ACK], JSON, Unclear, id="no final answer"),
    pytest.param(500, [ACK], JSON, Unclear, id="a failure with a good body"),
]


@pytest.mark.parametrize(("status", "body", "content_type", "kind"), NON_200)
def test_only_a_400_in_known_words_is_a_refusal(status, body, content_type, kind):
    """Behind every other status an order may stand: it is looked up, not reported refused."""
    outcome = classify(answer(body, status, content_type))

    assert isinstance(outcome, kind)
    if isinstance(outcome, Unclear):
        assert str(status) in outcome.reason


@pytest.mark.parametrize(
    ("status", "body", "lost"),
    [
        (401, {"error": "x"}, True),
        (401, b"", True),
        (500, {"error": "no bridge"}, True),
        (400, {"error": "Bad Request: no bridge"}, True),
        (400, {"error": "Bad Request: Please query /accounts first"}, True),
        (400, {"error": "Missing order parameters"}, False),
        (503, {"error": "Service Unavailable"}, False),
        (200, {"error": "service unavailable"}, False),
    ],
)
def test_a_lost_session_is_told(status, body, lost):
    """Who restores the session must hear of it from an order's answer, too."""
    assert classify(answer(body, status)).session_lost is lost


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b"<!DOCTYPE html><html><title>Login</title></html>", "text/html", id="login page"),
        pytest.param(b"", JSON, id="nothing"),
        pytest.param(b'[{"order_id": "1370093239", "order_sta', JSON, id="cut off"),
        pytest.param(b"accepted", "text/plain", id="plain text"),
        pytest.param("Request was submitted", JSON, id="a JSON string"),
        pytest.param("x", JSON, id="a JSON string of one character"),
        pytest.param(5, JSON, id="a number"),
        pytest.param(None, JSON, id="null"),
        pytest.param([], JSON, id="empty list"),
        pytest.param({}, JSON, id="empty object"),
        pytest.param([[ACK]], JSON, id="a list too many"),
        pytest.param([5], JSON, id="a list of no object"),
        pytest.param([ACK, None], JSON, id="an element that is nothing"),
        pytest.param([ACK, {"error": "No trading permissions."}], JSON, id="a yes and a no"),
        pytest.param([ACK | {"error": "x"}, ACK], JSON, id="an id beside an error, in a list"),
        pytest.param(ACK | {"error": "x"}, JSON, id="an id beside an error"),
        pytest.param({"error": "x", "orderId": 5}, JSON, id="the other id beside an error"),
        pytest.param(
            {"success": False, "message": "x", "order_id": 5}, JSON, id="an id beside success: false"
        ),
        pytest.param(
            [{"error": "Service Unavailable"}, {"error": "nope"}], JSON, id="an unclear error in a list"
        ),
        pytest.param([{"error": REGISTERED}, {"error": "nope"}], JSON, id="one cOID known, one refused"),
        pytest.param([{"error": None}], JSON, id="a list of no error"),
        pytest.param({"error": None}, JSON, id="no error"),
        pytest.param({"error": " "}, JSON, id="an empty error"),
        pytest.param({"error": "null"}, JSON, id="a null in quotes"),
        pytest.param({"error": 5}, JSON, id="an error that is a number"),
        pytest.param({"error": {"code": 5}}, JSON, id="an error without a text"),
        pytest.param(
            {"error": "There was an error processing the request. Try again."}, JSON, id="transient"
        ),
        pytest.param(
            {"error": "xcredserv comm failed during getEvents due to Connection refused"},
            JSON,
            id="maintenance",
        ),
        pytest.param({"error": "Service Unavailable", "statusCode": 503}, JSON, id="a 503 inside a 200"),
        pytest.param({"success": False, "message": "request timed out"}, JSON, id="timed out"),
        pytest.param({"reqId": None} | ACK, JSON, id="a prompt without an id"),
        pytest.param(ACK | {"order_id": None}, JSON, id="no id"),
        pytest.param(ACK | {"order_id": True}, JSON, id="yes for an id"),
        pytest.param(ACK | {"order_id": 5.5}, JSON, id="a fraction for an id"),
        pytest.param(ACK | {"order_id": "12a"}, JSON, id="letters in the id"),
        pytest.param(ACK | {"order_id": "\u0663"}, JSON, id="another script's digit"),
        pytest.param(ACK | {"order_id": "9" * 21}, JSON, id="an endless id"),
        pytest.param(ACK | {"order_id": "-1"}, JSON, id="alive without an id"),
        pytest.param(ACK | {"order_id": 0}, JSON, id="alive with the id 0"),
        pytest.param(ACK | {"order_status": None}, JSON, id="no state"),
        pytest.param(ACK | {"order_status": "Sumbitted"}, JSON, id="an unknown state"),
        pytest.param({"order_id": "1"}, JSON, id="an id alone"),
    ],
)
def test_what_is_not_understood_is_neither_yes_nor_no(body, content_type):
    """A wrong "placed" loses a protection, a wrong "refused" doubles an order."""
    outcome = classify(answer(body, 200, content_type))

    assert isinstance(outcome, Unclear)
    assert "HTTP 200" in outcome.reason


def test_what_was_said_is_told():
    """Whoever looks an order up wants to read why."""
    outcome = classify(answer({"error": "<b>Service</b> Unavailable"}, 503))

    assert outcome == Unclear(reason="HTTP 503, json: Service Unavailable")


# Cancels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"msg": "Request was submitted", "order_id": 602801486, "conid": -1, "account": None},
        [{"msg": "Request was submitted", "order_id": "602801486", "conid": "265598", "account": "DU1"}],
    ],
)
def test_a_cancel_is_taken_not_done(body):
    """The answer does not say whether the order will end; a fill may still arrive."""
    assert classify_cancel(answer(body)) == CancelRequested(text="Request was submitted")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "OrderID 602801486 doesn't exist"}),
        (400, {"error": "Order is inactive"}),
        (400, {"error": "Order cannot be cancelled"}),
        (200, {"msg": "Order 602801486 cannot be cancelled, already filled"}),
        (200, {"error": "OrderID 602801486 doesn't exist"}),
    ],
)
def test_an_order_that_is_gone_cannot_be_cancelled(status, body):
    """It is over, which is what the caller wanted or must hear at once."""
    assert isinstance(classify_cancel(answer(body, status)), Gone)


def test_a_cancel_can_be_asked_about():
    """It then waits for its reply like an order."""
    assert isinstance(classify_cancel(answer([ASK])), Asked)


def test_an_acknowledged_cancel_was_taken():
    """A confirmed question on a cancel is answered like an order."""
    assert classify_cancel(answer([ACK])) == CancelRequested(text="acknowledged")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"msg": "?"}),
        (200, {"msg": 5}),
        (200, []),
        (500, {"msg": "Request was submitted"}),
        (400, {"error": "something new"}),
        (503, {"error": "Order 5 is not found", "statusCode": 503}),
        (200, b"<html></html>"),
    ],
)
def test_a_cancel_without_a_clear_answer_is_looked_up(status, body):
    """A cancel that is believed lost leaves an order alive."""
    assert isinstance(classify_cancel(answer(body, status)), Unclear)


def test_a_refused_cancel_is_refused():
    """The order goes on as it was."""
    assert classify_cancel(answer({"error": "No trading permissions."})) == Refused(
        text="No trading permissions."
    )


# Laws ------------------------------------------------------------------------------------------

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "1370093239",
            "-1",
            "0",
            "Submitted",
            "Filled",
            "Failed",
            "Inactive",
            "Cancelled",
            "PreSubmitted",
            REGISTERED,
            "Order not confirmed ",
            "Service Unavailable",
            "no bridge",
            "OrderID 5 doesn't exist",
            "Request was submitted",
            "o354",
        ]
    )
)
keys = st.sampled_from(
    [
        "order_id",
        "orderId",
        "order_status",
        "orderStatus",
        "local_order_id",
        "parent_order_id",
        "text",
        "warning_message",
        "id",
        "message",
        "messageIds",
        "messageOptions",
        "error",
        "cqe",
        "post_payload",
        "rejections",
        "success",
        "statusCode",
        "reqId",
        "prompt",
        "msg",
        "title",
        "type",
    ]
)
acknowledged = st.fixed_dictionaries(
    {"order_id": leaves, "order_status": leaves}, optional={"error": leaves, "local_order_id": leaves}
)
anything = st.recursive(
    leaves | acknowledged,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(keys | st.text(max_size=5), part, max_size=5),
    max_leaves=15,
)
statuses = st.sampled_from([200, 201, 302, 400, 401, 410, 429, 500, 503]) | st.integers(-5, 1000)


@given(
    body=anything,
    status=statuses,
    form=st.just(Form.JSON) | st.sampled_from(Form),
    error=st.none() | st.text(max_size=40),
)
@pytest.mark.parametrize("read", [classify, classify_cancel])
def test_every_answer_is_some_outcome(read, body, status, form, error):
    """Whatever comes back, a caller with money in the market needs one of nine plain words."""
    seen = Deciphered(status=status, form=form, content=body, error=error)

    assert isinstance(read(seen), OUTCOMES)


@given(body=anything | st.lists(acknowledged, max_size=3), status=statuses)
@example(body=[FAILED], status=200)
@example(body=[ACK | {"order_id": "-1"}], status=200)
def test_nothing_is_accepted_without_an_id_and_a_known_state(body, status):
    """An order that is reported placed must stand."""
    seen = Deciphered(status=status, form=Form.JSON, content=body)

    outcome = classify(seen)

    for ack in getattr(outcome, "acknowledgements", ()):
        assert isinstance(ack.state, OrderState)
        assert ack.order_id.isascii()
        assert int(ack.order_id) > 0 or ack.refused
    if isinstance(outcome, Accepted):
        assert 200 <= status < 300
        elements = body if isinstance(body, list) else [body]
        assert len(outcome.acknowledgements) == len(elements) > 0
        assert not any(element.get("error") for element in elements)


@given(
    named=st.dictionaries(st.sampled_from(["order_id", "orderId"]), leaves, min_size=1),
    said=st.dictionaries(st.sampled_from(["error", "success", "message", "text"]), leaves | st.just("No.")),
    others=st.lists(st.just({"error": "No."}) | acknowledged, max_size=2),
    bare=st.booleans(),
)
@example(named={"order_id": "5"}, said={"error": "No."}, others=[], bare=True)
@example(named={"orderId": 5}, said={"success": False}, others=[], bare=True)
def test_nothing_is_refused_that_has_an_order_id(named, said, others, bare):
    """Refused means that no order exists; one that has an id may."""
    body = named | said if bare else [*others, named | said]

    outcome = classify(answer(json.loads(json.dumps(body, default=str))))

    assert not isinstance(outcome, Refused)


@given(
    raw=st.binary(max_size=60),
    status=st.integers(100, 599),
    content_type=st.sampled_from([JSON, None, "text/html"]),
)
def test_raw_bytes_never_make_an_order(raw, status, content_type):
    """Neither yes nor no comes of noise."""
    outcome = classify(decipher(status, content_type, raw))

    assert isinstance(outcome, (Unclear, Refused))
    assert isinstance(outcome, Unclear) or b"error" in raw or b"success" in raw


# Recorded --------------------------------------------------------------------------------------


@pytest.mark.recorded
@recorded
@pytest.mark.parametrize(
    ("name", "read", "kind"),
    [
        ("conduit-POST-place-order-submitted", classify, Accepted),
        ("conduit-POST-reply-submitted", classify, Accepted),
        ("conduit-POST-modify-order-submitted", classify, Accepted),
        ("conduit-POST-place-order-confirmation", classify, Asked),
        ("conduit-DELETE-cancel-order", classify_cancel, CancelRequested),
        # Answers to other calls: whoever confuses the calls must not read an order into them.
        ("conduit-POST-whatif-order", classify, Unclear),
        ("conduit-POST-dismiss-notification", classify, Unclear),
        ("conduit-GET-live-orders", classify, Unclear),
        ("conduit-GET-trades", classify, Unclear),
        ("conduit-DELETE-cancel-order", classify, Unclear),
    ],
)
def test_recorded_answers_are_read(name, read, kind):
    """What a real account was answered."""
    found = json.loads((RECORDED / f"{name}.json").read_text())

    outcome = read(answer(found["body"], found["status"]))

    assert isinstance(outcome, kind)
