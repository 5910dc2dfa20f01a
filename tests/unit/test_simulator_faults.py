"""Every fault: what is processed, what is answered, and that it is used up by the right call."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest
from simulator_client import AAPL, ACCOUNT, PLACE, Broker, bracket, ticket

from ibkr_adapter.simulator.door import WireFaultKind
from ibkr_adapter.simulator.faults import VARIANTS
from ibkr_adapter.simulator.spoiling import EVIL, spoil

ORDER = f"/iserver/account/{ACCOUNT}/order"
ROOT = "/v1/api"
REPLY = "POST /iserver/reply/{replyId}"


@pytest.fixture
def broker():
    return Broker(first_reads_empty=False).ready()


def arm(broker, fault, on=None, **wishes):
    """Arm a fault through the control room."""
    where = {} if on is None else {"on": on}
    reply = broker.post("/simulator/faults", {"fault": fault, **where, **wishes})
    assert reply.status == 200, reply.body


def consumed(broker):
    return [one["consumed"] for one in broker.ledger["faults"]]


@pytest.mark.parametrize(
    ("fault", "variant", "kind", "seconds", "booked"),
    [
        ("F01", "refuse", WireFaultKind.REFUSE, 0.5, 0),
        ("F02", "reset", WireFaultKind.RESET_UNREAD, 0.0, 0),
        ("F02", "close", WireFaultKind.CLOSE_UNREAD, 0.0, 0),
        ("F02", "half_open", WireFaultKind.HALF_OPEN_UNREAD, 120.0, 0),
        ("F03", "reset", WireFaultKind.RESET_ANSWERED, 0.0, 1),
        ("F03", "close", WireFaultKind.CLOSE_ANSWERED, 0.0, 1),
        ("F04", "silence", WireFaultKind.SILENCE, 5.0, 1),
        ("F04", "late", WireFaultKind.LATE, 5.0, 1),
        ("F04", "half_open", WireFaultKind.HALF_OPEN, 120.0, 1),
        ("F16", "truncate", WireFaultKind.TRUNCATE, 0.0, 1),
        ("F16", "cut_chunk", WireFaultKind.CUT_CHUNK, 0.0, 1),
        ("F16", "cut_unframed", WireFaultKind.CUT_UNFRAMED, 0.0, 1),
        ("F16", "broken_gzip", WireFaultKind.BROKEN_GZIP, 0.0, 1),
        ("F16", "not_gzip", WireFaultKind.NOT_GZIP, 0.0, 1),
        ("F16", "two_lengths", WireFaultKind.TWO_LENGTHS, 0.0, 1),
        ("F16", "garbage_chunk", WireFaultKind.GARBAGE_CHUNK, 0.0, 1),
        ("F16", "surplus", WireFaultKind.SURPLUS, 0.0, 1),
        ("F17", "trickle", WireFaultKind.TRICKLE, 0.05, 1),
        ("F17", "endless_headers", WireFaultKind.ENDLESS_HEADERS, 0.05, 1),
        ("F17", "endless_body", WireFaultKind.ENDLESS_BODY, 0.05, 1),
        ("F17", "half_body", WireFaultKind.HALF_BODY, 120.0, 1),
        ("F17", "early_hints", WireFaultKind.EARLY_HINTS, 0.0, 1),
        ("F17", "garbage_status", WireFaultKind.GARBAGE_STATUS, 0.0, 1),
        ("F17", "garbage_header", WireFaultKind.GARBAGE_HEADER, 0.0, 1),
        ("F36", "below_tls", WireFaultKind.BELOW_TLS, 0.0, 1),
    ],
)
def test_what_only_a_socket_can_do_is_written_on_the_answer(broker, fault, variant, kind, seconds, booked):
    """And whether the order was processed is what counts afterwards."""
    arm(broker, fault, PLACE, variant=variant)

    reply = broker.place(ticket())
    next_one = broker.get("/portfolio/accounts")

    assert (reply.wire.kind, reply.wire.seconds) == (kind, seconds)
    assert len(broker.ledger["orders"]) == booked
    assert consumed(broker) == [1]
    assert next_one.wire is None


def test_the_server_learns_of_an_unread_fault_before_it_reads_the_body(broker):
    """The raw path is enough; the call is struck once."""
    arm(broker, "F02", PLACE)
    path = f"{ROOT}/iserver/account/{ACCOUNT}/orders"

    other = broker.gateway.peek("GET", f"{ROOT}/iserver/account/orders")
    struck = broker.gateway.peek("POST", path)
    after = broker.gateway.peek("POST", path)

    assert (other, struck.kind, after) == (None, WireFaultKind.RESET_UNREAD, None)
    assert broker.gateway.peek("GET", "/simulator/ledger") is None
    assert broker.ledger["requests_log"][-1]["fault"] == "F02"
    assert PLACE not in broker.ledger["requests"]


def test_a_fault_for_a_read_request_is_not_taken_by_a_peek(broker):
    """It waits for the request itself."""
    arm(broker, "F05", "*")

    assert broker.gateway.peek("GET", f"{ROOT}/portfolio/accounts") is None
    assert broker.get("/portfolio/accounts").status == 401


def test_faults_strike_in_the_order_in_which_they_were_armed(broker):
    """Each call takes one; an unread fault behind another one waits its turn."""
    arm(broker, "F10", "*")
    arm(broker, "F02", "*")

    assert broker.gateway.peek("GET", f"{ROOT}/tickle") is None
    assert broker.get("/tickle").status == 503
    assert broker.get("/tickle").wire.kind is WireFaultKind.RESET_UNREAD


def test_seconds_can_be_given(broker):
    """Silence as long as a test wants it."""
    arm(broker, "F04", PLACE, seconds=0.3)

    assert broker.place(ticket()).wire.seconds == 0.3


@pytest.mark.parametrize(("variant", "booked"), [("unprocessed", 0), ("processed", 1)])
@pytest.mark.parametrize(("fault", "status"), [("F05", 401), ("F14", 200)])
def test_a_401_or_a_login_page_may_hide_a_booked_order(broker, fault, status, variant, booked):
    """Both are possible, so neither may be believed."""
    arm(broker, fault, PLACE, variant=variant)

    reply = broker.place(ticket())

    assert reply.status == status
    assert (b"<!DOCTYPE" in reply.answer.body) is (fault == "F14")
    assert len(broker.ledger["orders"]) == booked


def test_401_for_ever_does_not_tire(broker):
    """Until it is disarmed."""
    arm(broker, "F06")
    statuses = {broker.get("/portfolio/accounts").status for _ in range(20)}
    broker.call("DELETE", "/simulator/faults")

    assert statuses == {401}
    assert broker.get("/portfolio/accounts").status == 200


def test_another_login_takes_the_session_at_the_call(broker):
    """The very call already finds it gone; it comes back with time."""
    arm(broker, "F07", PLACE, seconds=60)

    reply = broker.place(ticket())
    competing = broker.post("/iserver/auth/status").body["competing"]
    broker.wait(60)

    assert reply.body["error"] == "Bad Request: no bridge"
    assert (competing, broker.post("/iserver/auth/status").body["competing"]) == (True, False)


def test_a_rival_without_seconds_stays(broker):
    """Until somebody competes."""
    arm(broker, "F07", "*")
    broker.get("/tickle")
    broker.wait(300)

    assert broker.post("/iserver/auth/status").body["competing"] is True


@pytest.mark.parametrize(("fault", "wished", "seconds"), [("F08", {}, 60), ("F09", {"retry_after": 5}, 5)])
def test_retry_after_may_be_a_date(broker, fault, wished, seconds):
    """By the wall clock that also dates the answers."""
    arm(broker, fault, "*", variant="date", **wished)

    headers = dict(broker.get("/tickle").answer.headers)

    until = parsedate_to_datetime(headers["Retry-After"])
    assert until - parsedate_to_datetime(headers["Date"]) == timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    ("fault", "variant", "booked"),
    [*(("F10", one, 0) for one in VARIANTS["F10"]), *(("F11", one, 1) for one in VARIANTS["F11"])],
)
def test_every_server_error_comes_with_and_without_the_work(broker, fault, booked, variant, status):
    """IBKR misuses them all, so the status tells nothing about the order."""
    arm(broker, fault, PLACE, variant=variant, status=status)

    reply = broker.place(ticket())

    assert reply.status == status
    assert (b"xcredserv comm failed" in reply.answer.body) is (variant == "refused")
    assert len(broker.ledger["orders"]) == booked


@pytest.mark.parametrize("status", [400, 401, 500, 503])
@pytest.mark.parametrize(
    ("variant", "words"), [("accounts", "Please query /accounts first"), ("no_bridge", "no bridge")]
)
def test_a_session_that_is_not_ready_says_so_with_any_status(broker, variant, words, status):
    """The body repeats the status of its answer."""
    arm(broker, "F12", PLACE, variant=variant, status=status)

    reply = broker.place(ticket())

    assert (reply.status, reply.body) == (status, {"error": f"Bad Request: {words}", "statusCode": status})
    assert broker.ledger["orders"] == []


def test_a_session_may_be_gone(broker):
    """410 without a word, and no brokerage session behind it."""
    arm(broker, "F12", PLACE, variant="gone")

    reply = broker.place(ticket())

    assert (reply.status, reply.answer.body) == (410, b"")
    assert broker.place(ticket()).body["error"] == "Bad Request: no bridge"


@pytest.mark.parametrize(("variant", "booked"), [("redirect", 0), ("redirect_processed", 1)])
@pytest.mark.parametrize("status", [302, 307])
def test_a_call_may_be_sent_to_the_login_page(broker, variant, booked, status):
    """A client that follows posts an order twice, or takes a page for an answer."""
    arm(broker, "F14", PLACE, variant=variant, status=status)

    reply = broker.place(ticket())

    assert reply.status == status
    assert dict(reply.answer.headers)["Location"].startswith("/sso/Login?")
    assert len(broker.ledger["orders"]) == booked


@pytest.mark.parametrize("after", [None, 7])
def test_429_comes_with_and_without_retry_after(broker, after):
    """It is not counted as a breach of the caller."""
    arm(broker, "F08", "*", **({} if after is None else {"retry_after": after}))

    reply = broker.get("/tickle")

    assert reply.status == 429
    assert dict(reply.answer.headers).get("Retry-After") == (None if after is None else "7")
    assert broker.ledger["pacing_breaches"] == []


def test_the_penalty_box_is_for_everything(broker):
    """On the wall clock."""
    arm(broker, "F09", "*", seconds=100)
    statuses = [broker.get("/tickle").status for _ in range(2)]
    broker.clock.advance(101)

    assert statuses == [429, 429]
    assert broker.get("/tickle").status == 200


@pytest.mark.parametrize(
    ("variant", "body"),
    [("json", b'{"error": "Service Unavailable", "statusCode": 503}'), ("empty", b""), ("html", b"<html>")],
)
def test_maintenance_has_three_faces_and_books_nothing(broker, variant, body):
    """For a span of time, if wanted."""
    arm(broker, "F10", "*", variant=variant, **{"for": 60})
    first = broker.place(ticket())
    second = broker.get("/tickle")
    broker.wait(60)

    assert first.answer.body.startswith(body)
    assert (first.status, second.status, broker.get("/tickle").status) == (503, 503, 200)
    assert broker.ledger["orders"] == []


@pytest.mark.parametrize(
    ("wishes", "status", "start"),
    [
        ({}, 500, b'{"error": "java.lang'),
        ({"status": 502, "variant": "html"}, 502, b"<html>"),
        ({"status": 504, "variant": "empty"}, 504, b""),
        ({"status": 503}, 503, b'{"error": "Service Unavailable"'),
    ],
)
def test_a_server_error_may_come_after_booking(broker, wishes, status, start):
    """The order stands."""
    arm(broker, "F11", PLACE, **wishes)

    reply = broker.place(ticket())

    assert reply.status == status
    assert reply.answer.body.startswith(start)
    assert len(broker.ledger["orders"]) == 1


def test_the_account_list_may_be_forgotten(broker):
    """Asking it again heals."""
    arm(broker, "F12", PLACE)

    first, second = broker.place(ticket()), broker.place(ticket())
    broker.get("/iserver/accounts")

    assert (
        first.body
        == second.body
        == {
            "error": "Bad Request: Please query /accounts first",
            "statusCode": 400,
        }
    )
    assert broker.place(ticket()).status == 200


def test_the_bridge_may_go(broker):
    """Then the session must be opened again; another status can be asked for."""
    arm(broker, "F12", "*", variant="no_bridge", status=500)

    first = broker.get("/iserver/accounts")

    assert (first.status, first.body["error"]) == (500, "Bad Request: no bridge")
    assert broker.get("/iserver/accounts").status == 400
    assert broker.ready().get("/iserver/accounts").status == 200


@pytest.mark.parametrize(
    ("wishes", "body"),
    [
        ({}, {"error": "No trading permissions."}),
        ({"body": "No."}, {"error": "No."}),
        ({"variant": "success"}, {"success": False}),
    ],
)
def test_an_error_inside_200_books_nothing(broker, wishes, body):
    """A definite refusal."""
    arm(broker, "F13", PLACE, **wishes)

    assert broker.place(ticket()).body == body
    assert broker.ledger["orders"] == []


@pytest.mark.parametrize("variant", VARIANTS["F15"])
def test_malformed_answers_come_after_the_work(broker, variant):
    """The order is booked, the answer is something else than usual."""
    usual = broker.place(ticket(cOID="a")).answer.body
    arm(broker, "F15", PLACE, variant=variant)

    reply = broker.place(ticket(cOID="b"))

    assert len(broker.ledger["orders"]) == 2
    if variant != "nan":
        assert reply.answer.body != usual.replace(b"1370093238", b"1370093239").replace(b'"a"', b'"b"')


@pytest.mark.parametrize(
    ("how", "result"),
    [
        ("types", {"a": "1", "b": [["x"]], "c": [None], "d": [True]}),
        ("nan", {"a": float("nan"), "b": ["x"], "c": None, "d": True}),
        ("null", {"a": None, "b": [None], "c": None, "d": None}),
        ("extra", {"a": 1, "b": ["x"], "c": None, "d": True, "unheardOf": {"of": [1, None]}}),
    ],
)
def test_answers_are_spoiled_value_by_value(how, result):
    """Numbers become texts, texts lists, and so on."""
    spoiled = json.loads(spoil(json.dumps({"a": 1, "b": ["x"], "c": None, "d": True}).encode(), how))

    assert repr(spoiled) == repr(result)


def test_damage_is_repeatable():
    """Prefixes stand before numbers in texts; half of the keys go; pages are broken too."""
    body = b'{"31": "123.45", "55": "AAPL", "84": "1", "86": "2"}'

    assert json.loads(spoil(body, "prefix")) == {"31": "C123.45", "55": "AAPL", "84": "C1", "86": "C2"}
    assert spoil(body, "missing") == spoil(body, "missing") != body
    assert spoil(b"<html>", "types") == b"<html><"
    assert spoil(body, "empty") == b""


def chain(broker, **wishes):
    """Place an order under F18 and confirm everything; tell the ids asked."""
    arm(broker, "F18", **wishes)
    reply, asked = broker.place(ticket(cOID="one")), []
    while isinstance(reply.body, list) and "message" in reply.body[0]:
        asked += reply.body[0]["messageIds"]
        reply = broker.post(f"/iserver/reply/{reply.body[0]['id']}", {"confirmed": True})
    return asked


@pytest.mark.parametrize("count", [1, 5])
def test_a_chain_of_questions_is_as_long_as_wanted(broker, count):
    """The order stands when all are answered."""
    asked = chain(broker, count=count)

    assert len(asked) == count
    assert broker.order("one")["questions"] == asked


@pytest.mark.parametrize(("variant", "ids"), [("unknown", ["o99999"]), ("twice", ["o354", "o354"])])
def test_questions_may_be_unknown_or_repeated(broker, variant, ids):
    """With words that nobody has seen."""
    assert chain(broker, variant=variant) == ids


@pytest.mark.parametrize(
    ("variant", "status", "live"),
    [("reply_400", 400, 0), ("reply_503", 503, 0), ("reply_503_live", 503, 1)],
)
def test_a_reply_may_find_its_question_dead(broker, variant, status, live):
    """And the order may be live all the same."""
    arm(broker, "F18", variant=variant)
    asked = broker.place(ticket(price=150.0))

    reply = broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})

    assert reply.status == status
    assert len(broker.ledger["orders"]) == live
    assert consumed(broker) == [1]


def test_a_call_between_question_and_reply_kills_that_dialogue(broker):
    """Only of the order that the fault struck."""
    arm(broker, "F19")
    asked = broker.place(ticket(price=150.0))
    broker.get("/tickle")

    reply = broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})

    assert reply.status == 400
    assert broker.ledger["orders"] == []


def test_a_booked_order_may_be_called_a_duplicate(broker):
    """Which means that it is there."""
    arm(broker, "F20")

    reply = broker.place(ticket(cOID="one"))

    assert reply.body == {"error": "Order couldn't be submitted: Local order ID=one is already registered."}
    assert broker.order("one")["status"] == "PreSubmitted"


def test_a_duplicate_of_nothing_is_answered_as_usual(broker):
    """A request without tickets cannot be one."""
    arm(broker, "F20")

    assert broker.post(f"/iserver/account/{ACCOUNT}/orders", []).body["error"] == "Missing order parameters"


def test_an_order_may_be_filled_and_gone_before_anyone_looks(broker):
    """Not in live orders: only executions and positions know."""
    arm(broker, "F23")

    reply = broker.place(ticket(cOID="one", price=164.0))

    assert reply.wire.kind is WireFaultKind.RESET_ANSWERED
    assert broker.get("/iserver/account/orders").body["orders"] == []
    assert broker.get("/iserver/account/trades").body[0]["order_ref"] == "one"
    assert broker.position() == 1


def test_the_answer_to_a_cancel_may_be_lost(broker):
    """The cancel was done."""
    broker.place(ticket(cOID="one"))
    arm(broker, "F24")

    reply = broker.delete(f"{ORDER}/{broker.order('one')['order_id']}")

    assert reply.wire.kind is WireFaultKind.RESET_ANSWERED
    assert broker.order("one")["status"] == "PendingCancel"


def test_a_cancel_may_cross_a_fill(broker):
    """Acknowledged, and filled."""
    broker.place(ticket(cOID="one"))
    arm(broker, "F24", variant="crosses")

    reply = broker.delete(f"{ORDER}/{broker.order('one')['order_id']}")

    assert reply.body["msg"] == "Request was submitted"
    assert broker.order("one")["status"] == "Filled"


def test_a_modification_may_make_two_incarnations(broker):
    """The old id is cancelled, a new one works under the same client id."""
    broker.place(ticket(cOID="one"))
    order_id = broker.order("one")["order_id"]
    arm(broker, "F24", variant="incarnations")

    reply = broker.post(f"{ORDER}/{order_id}", ticket(price=163.0))

    rows = [(one["order_id"], one["status"], one["coid"]) for one in broker.ledger["orders"]]
    assert reply.body[0]["order_id"] == str(order_id + 1)
    assert rows == [(order_id, "Cancelled", "one"), (order_id + 1, "PreSubmitted", "one")]


@pytest.mark.parametrize("on", ["POST /iserver/account/{accountId}/order/{orderId}", REPLY])
def test_the_answers_to_a_modification_and_to_a_reply_may_be_lost(broker, on):
    """What they asked for was done."""
    broker.place(ticket(cOID="one"))
    asked = broker.place(ticket(cOID="two", price=150.0))
    arm(broker, "F24", on)

    if on == REPLY:
        reply = broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})
    else:
        reply = broker.post(f"{ORDER}/{broker.order('one')['order_id']}", ticket(price=163.0))

    assert reply.wire.kind is WireFaultKind.RESET_ANSWERED
    assert consumed(broker) == [1]
    done = [(one["coid"], one["limit"]) for one in broker.ledger["orders"]]
    assert done == ([("one", 164.0), ("two", 150.0)] if on == REPLY else [("one", 163.0)])


def test_a_modification_may_cross_a_fill(broker):
    """Acknowledged, and filled at the old terms."""
    broker.place(ticket(cOID="one"))
    arm(broker, "F24", "POST /iserver/account/{accountId}/order/{orderId}", variant="crosses")

    reply = broker.post(f"{ORDER}/{broker.order('one')['order_id']}", ticket(price=163.0))

    one = broker.order("one")
    assert reply.body[0]["order_status"] == "Filled"
    assert (one["status"], one["average_price"], one["limit"]) == ("Filled", 164.0, 164.0)
    assert consumed(broker) == [1]


@pytest.mark.parametrize(
    ("wishes", "status", "words"),
    [({}, 200, "Order cannot be cancelled"), ({"body": "Too late.", "status": 400}, 400, "Too late.")],
)
def test_a_cancel_may_be_refused(broker, wishes, status, words):
    """The order works on."""
    broker.place(ticket(cOID="one"))
    arm(broker, "F24", variant="refused", **wishes)

    reply = broker.delete(f"{ORDER}/{broker.order('one')['order_id']}")

    assert (reply.status, reply.body) == (status, {"error": words})
    assert broker.order("one")["status"] == "PreSubmitted"


def test_a_cancel_may_take_long(broker):
    """Pending all the while, and then it is done."""
    broker.place(ticket(cOID="one"))
    arm(broker, "F24", variant="slow", seconds=40)
    broker.delete(f"{ORDER}/{broker.order('one')['order_id']}")

    broker.wait(39)
    early = broker.order("one")["status"]
    broker.wait(2)

    assert (early, broker.order("one")["status"]) == ("PendingCancel", "Cancelled")
    assert consumed(broker) == [1]


@pytest.mark.parametrize(
    ("leg", "lost"), [(-1, "S"), ("T", "T"), ("STP", "S"), ("LMT", "T"), (0, "T"), (9, "S")]
)
def test_a_parent_may_live_without_one_of_its_children(broker, leg, lost):
    """A naked entry, told inside a 200."""
    arm(broker, "F25", leg=leg)

    reply = broker.place(*bracket())

    assert [row["order_status"] for row in reply.body] == ["Failed", "PreSubmitted", "PreSubmitted"]
    assert {one["coid"] for one in broker.ledger["orders"]} == {"P", "T", "S"} - {lost}


def test_a_leg_that_no_bracket_has_is_waited_for(broker):
    """A misspelt name refuses nothing, and the ledger shows it."""
    arm(broker, "F25", leg="TRAIL")

    reply = broker.place(*bracket())

    assert "Failed" not in {row["order_status"] for row in reply.body}
    assert consumed(broker) == [0]


@pytest.mark.parametrize(
    ("wishes", "filled", "status"),
    [
        ({"variant": "filled"}, 10, "Filled"),
        ({"variant": "partly"}, 5, "PreSubmitted"),
        ({"variant": "partly", "count": 3}, 3, "PreSubmitted"),
    ],
)
def test_an_entry_may_have_filled_before_its_stop_is_refused(broker, wishes, filled, status):
    """Then there is a position without protection, and cancelling the entry does not help."""
    arm(broker, "F25", leg="STP", **wishes)

    reply = broker.place(*bracket(entry={"price": 164.0}))

    assert reply.body[0]["order_status"] == "Failed"
    assert (broker.position(), broker.order("P")["status"]) == (filled, status)
    assert {one["coid"] for one in broker.ledger["orders"]} == {"P", "T"}


def test_a_leg_that_is_sent_later_may_be_refused_too(broker):
    """Its entry fills meanwhile."""
    broker.place(ticket(cOID="P", quantity=10, price=164.0))
    arm(broker, "F25", variant="filled")

    reply = broker.place(bracket()[2])

    assert [row["order_status"] for row in reply.body] == ["Failed"]
    assert broker.position() == 10


def test_a_leg_may_vanish_after_it_was_acknowledged(broker):
    """Neither among the live orders nor by its id; its twin works on."""
    arm(broker, "F25", variant="vanishes", leg="STP")

    reply = broker.place(*bracket(entry={"price": 164.0}))

    gone = str(broker.order("S")["order_id"])
    assert gone in {row["order_id"] for row in reply.body}
    assert "Failed" not in {row["order_status"] for row in reply.body}
    assert gone not in {str(row["orderId"]) for row in broker.get("/iserver/account/orders").body["orders"]}
    assert broker.get(f"/iserver/account/order/status/{gone}").status == 400
    assert broker.delete(f"{ORDER}/{gone}").body == {"error": f"OrderID {gone} doesn't exist"}
    assert broker.order("T")["status"] == "PreSubmitted"


def test_legs_may_be_acknowledged_the_other_way_round(broker):
    """Usually children come first; nothing promises it."""
    usual = [row["local_order_id"] for row in broker.place(*bracket(entry={"price": 164.0})).body]
    broker.gateway.reset()
    broker.ready()
    arm(broker, "F25", variant="reordered")

    other = [row["local_order_id"] for row in broker.place(*bracket(entry={"price": 164.0})).body]

    assert usual == ["T", "S", "P"]
    assert other == ["P", "S", "T"]


def test_one_leg_of_a_group_may_be_refused(broker):
    """The other stands alone, and nothing will ever cancel it."""
    broker.gateway.seed_position(AAPL, Decimal(10))
    arm(broker, "F25", leg="STP")
    exits = [
        ticket(cOID="T", side="SELL", quantity=10, price=168.0, isSingleGroup=True),
        ticket(cOID="S", side="SELL", quantity=10, price=161.7, orderType="STP", isSingleGroup=True),
    ]

    reply = broker.place(*exits)

    assert [row["order_status"] for row in reply.body] == ["Failed", "PreSubmitted"]
    assert {one["coid"] for one in broker.ledger["orders"]} == {"T"}
    assert consumed(broker) == [1]


def test_or_nothing_of_a_bracket_lives(broker):
    """The other outcome that was observed."""
    arm(broker, "F25", variant="inactive")

    broker.place(*bracket())

    assert {one["status"] for one in broker.ledger["orders"]} == {"Inactive"}


def test_a_single_order_has_no_child_to_lose(broker):
    """The fault waits for an order that has some."""
    arm(broker, "F25")

    alone = broker.place(ticket())
    missed = consumed(broker)
    broker.place(*bracket())

    assert alone.body[0]["order_status"] == "PreSubmitted"
    assert (missed, consumed(broker)) == ([0], [1])


@pytest.mark.parametrize(("variant", "snapshot"), [("empty", False), ("lie", True)])
def test_live_orders_may_be_empty_although_there_are_some(broker, variant, snapshot):
    """Once honest about not being ready, once not."""
    broker.place(ticket())
    arm(broker, "F26", variant=variant)

    assert broker.get("/iserver/account/orders").body == {"orders": [], "snapshot": snapshot}
    assert len(broker.get("/iserver/account/orders").body["orders"]) == 1


def test_a_snapshot_may_lack_values_or_flip_types(broker):
    """After a proper pre-flight."""
    path = "/iserver/marketdata/snapshot"
    broker.get(path, conids=AAPL, fields="31")
    broker.wait(1)
    arm(broker, "F27", times=2)
    arm(broker, "F27", variant="types")

    rows = [broker.get(path, conids=AAPL).body[0] for _ in range(4)]

    assert ["31" in row for row in rows] == [False, False, True, True]
    assert rows[2]["31"] == ["165.00"]
    assert rows[3]["31"] == "165.00"


@pytest.mark.parametrize(("variant", "kept"), [("partial", slice(3, None)), ("cut", slice(0, 3))])
def test_bars_may_be_missing(broker, variant, kept):
    """The first half or the second."""
    query = {"conid": AAPL, "period": "1d", "bar": "1h", "startTime": "20261124-05:00:00"}
    whole = broker.get("/iserver/marketdata/history", **query).body["data"]
    arm(broker, "F28", variant=variant)

    assert broker.get("/iserver/marketdata/history", **query).body["data"] == whole[kept]


def test_there_may_be_no_bars(broker):
    """500, as reported; an error has no bars to cut."""
    arm(broker, "F28")
    arm(broker, "F28", variant="partial")

    reply = broker.get("/iserver/marketdata/history", conid=AAPL)

    assert (reply.status, reply.body) == (500, {"error": "No data."})
    assert broker.get("/iserver/marketdata/history", conid=1).status == 500


def test_the_gateway_may_restart_under_a_call(broker):
    """A new session id, no brokerage session, the login kept."""
    before = broker.post("/tickle").body["session"]
    arm(broker, "F33", PLACE)

    reply = broker.place(ticket())

    assert reply.body["error"] == "Bad Request: no bridge"
    assert broker.post("/tickle").body["session"] != before


def test_the_address_may_have_changed(broker):
    """401 in the dress of the newer layer."""
    arm(broker, "F37", "*")

    reply = broker.get("/portfolio/accounts")

    assert (reply.status, reply.body["status"]) == (401, 401)
    assert dict(reply.answer.headers)["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("variant", "status"), [("refused", 401), ("down", 503), ("expired", 200)])
def test_a_login_by_browser_has_no_tokens_to_refuse(broker, variant, status):
    """Armed for everything it strikes nothing; at a named endpoint it answers as for a token."""
    if variant != "expired":
        arm(broker, "F35", variant=variant)
        assert broker.get("/portfolio/accounts").status == 200
    arm(broker, "F35", "GET /portfolio/subaccounts", variant=variant)

    assert broker.get("/portfolio/subaccounts").status == status


@pytest.mark.parametrize(("fault", "variant"), [("F35", "expired"), ("F37", "moved")])
def test_a_fault_of_a_login_by_token_does_not_strike_one_by_browser(broker, fault, variant):
    """There is no token that could end, and nobody looks at an address: it waits."""
    arm(broker, fault, "GET /portfolio/accounts", variant=variant)

    assert broker.get("/portfolio/accounts").status == 200
    assert consumed(broker) == [0]


@pytest.mark.parametrize("variant", VARIANTS["F41"])
def test_texts_may_mean_harm(broker, variant):
    """Names and sentences, not figures; a question's words too."""
    arm(broker, "F41", "*", variant=variant, times=2)

    named = broker.get("/trsrv/secdef", conids=str(AAPL)).body["secdef"][0]
    asked = broker.place(ticket(price=150.0)).body[0]

    assert named["name"].endswith(EVIL[variant])
    assert named["conid"] == AAPL
    assert asked["message"][0].endswith(EVIL[variant])
    assert asked["messageIds"] == ["o163"]


def test_harm_waits_for_a_text(broker):
    """An answer of figures has nothing to spoil; the words can be chosen."""
    arm(broker, "F41", "*", body=" \x1b[1m")

    broker.get("/sso/ping")
    before = consumed(broker)
    refused = broker.place(ticket(conid=1))

    assert before == [0]
    assert refused.answer.body.endswith(b'\\u001b[1m"}')
    assert consumed(broker) == [1]


@pytest.mark.parametrize(
    ("fault", "variant"),
    [
        ("F15", "nan"),
        ("F18", "chain"),
        ("F19", "strict"),
        ("F20", "registered"),
        ("F23", "filled"),
        ("F25", "child"),
    ],
)
def test_a_call_that_a_fault_has_no_use_for_does_not_use_it_up(broker, fault, variant):
    """A refused order is not an order that was struck; the log says so as well."""
    arm(broker, fault, PLACE, variant=variant)

    refused = broker.place(ticket(quantity=0))

    assert "order_id" not in str(refused.body) or "-1" in str(refused.body)
    assert consumed(broker) == [0]
    assert broker.ledger["requests_log"][-1]["fault"] is None


def test_a_fault_of_an_order_that_is_asked_about_strikes_when_it_is_entered(broker):
    """Until then it is that order's, and nobody else's."""
    arm(broker, "F25", leg="STP")
    asked = broker.place(*bracket(entry={"price": 150.0, "orderType": "LMT"}))
    waiting = consumed(broker)

    reply = broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})
    names = {"P": "P2", "T": "T2", "S": "S2"}
    others = [{key: names.get(value, value) for key, value in leg.items()} for leg in bracket()]
    second = broker.place(*others)

    assert reply.body[0]["order_status"] == "Failed"
    assert "Failed" not in {row["order_status"] for row in second.body}
    assert (waiting, consumed(broker)) == ([0], [1])


def test_nobody_agrees_to_tokens_where_there_are_none(broker):
    """The control room says so."""
    reply = broker.post("/simulator/authorize", {"oauth_token": "x"})

    assert (reply.status, "no request tokens" in reply.body["error"]) == (404, True)


def test_unknown_paths_are_struck_too(broker):
    """By faults for everything."""
    arm(broker, "F10", "*")

    assert broker.get("/nowhere").status == 503
    assert broker.get("/nowhere").status == 404


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({}, "there is no fault (none named)"),
        ({"fault": "F99"}, "there is no fault F99"),
        ({"fault": "F29", "on": "GET /tickle"}, "no topic"),
        ({"fault": "F21"}, "inside the client"),
        ({"fault": "F40"}, "filler_orders"),
        ({"fault": "F03", "on": "GET /nowhere"}, "there is no endpoint GET /nowhere"),
        ({"fault": "F03", "variant": "loud"}, "F03 comes as reset, close"),
        ({"fault": "F03", "tmes": 2}, "a fault has no tmes"),
        ({"fault": "F03", "times": 0}, "times is"),
        ({"fault": "F03", "times": True}, "times is"),
        ({"fault": "F04", "seconds": "soon"}, "seconds is a number"),
        ({"fault": "F04", "seconds": None}, "seconds is a number"),
    ],
)
def test_what_cannot_be_armed_is_refused_with_a_sentence(broker, wishes, sentence):
    """Nothing is armed then."""
    reply = broker.post("/simulator/faults", wishes)

    assert reply.status == 400
    assert sentence in reply.body["error"]
    assert broker.ledger["faults"] == []


@pytest.mark.parametrize("fault", VARIANTS)
def test_every_fault_can_be_armed_and_is_listed(broker, fault):
    """With its default variant."""
    arm(broker, fault)

    assert broker.ledger["faults"][0]["variant"] == VARIANTS[fault][0]
    assert broker.call("DELETE", "/simulator/faults").body == {"cleared": 1}
