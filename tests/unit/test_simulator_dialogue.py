"""Questions: which are asked, in which order, and what a reply does."""

from __future__ import annotations

import pytest
from simulator_client import AAPL, Broker, bracket, ticket

MARKET = {"orderType": "MKT", "price": None}


def ready(*suppressed, **options):
    return Broker(**options).ready(*(suppressed or ("o0",)))


def answer(broker, question, confirmed=True):
    return broker.post(f"/iserver/reply/{question.body[0]['id']}", {"confirmed": confirmed})


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"orderType": "STP", "side": "SELL", "price": 160.0}, ["o10331"]),
        ({"orderType": "STOP_LIMIT", "side": "SELL", "price": 160.0, "auxPrice": 160.5}, ["o10331"]),
        ({"orderType": "TRAIL", "price": None, "trailingAmt": 5, "trailingType": "amt"}, ["o10331"]),
        (MARKET, ["o10151", "o10153"]),
        ({"price": 150.0}, ["o163"]),
        ({"quantity": 501}, ["o383"]),
        ({"orderType": "STP", "price": 160.0}, ["o10331", "o403"]),
        ({"quantity": 1000}, ["o383", "o451"]),
    ],
)
def test_each_kind_of_order_asks_its_questions(changes, ids):
    """One element a round, in a fixed order."""
    broker = ready()
    reply, asked = broker.place(ticket(cOID="one", **changes)), []
    while "message" in reply.body[0]:
        asked += reply.body[0]["messageIds"]
        reply = answer(broker, reply)

    assert asked == ids
    assert broker.order("one")["questions"] == ids


def test_a_question_has_the_recorded_shape():
    """A fresh id each round, texts with line breaks, Yes and No."""
    broker = ready()

    first = broker.place(ticket(quantity=1000))
    second = answer(broker, first)

    assert set(first.body[0]) == {"id", "message", "isSuppressed", "messageIds", "messageOptions"}
    assert first.body[0]["messageOptions"] == ["Yes", "No"]
    assert first.body[0]["message"][0] == (
        'The following order "BUY 1000 AAPL NASDAQ.NMS" size exceeds the Size Limit of 500.\n'
        "Are you sure you want to submit this order?"
    )
    assert "164,000.00 USD exceeds \nthe Total Value Limit of 100,000 USD" in second.body[0]["message"][0]
    assert first.body[0]["id"] != second.body[0]["id"]


def test_the_percentage_question_names_order_price_and_constraint():
    """In the words on record."""
    text = ready().place(ticket(quantity=5, price=150.0)).body[0]["message"][0]

    assert text.startswith(
        'The following order "BUY 5 AAPL NASDAQ.NMS @ 150.00" price exceeds \nthe Percentage'
    )
    assert "constraint of 3%" in text


@pytest.mark.parametrize(("code", "asks"), [("RpB", False), ("ZB", False), ("DPB", True), ("N", True)])
def test_missing_market_data_is_asked_about(code, asks):
    """Delayed data is not market data."""
    reply = ready(availability={str(AAPL): code}).place(ticket())

    assert (reply.body[0].get("messageIds") == ["o354"]) is asks


def test_html_stands_in_some_texts():
    """Texts must be cleaned before they are shown or compared."""
    assert "<h4>" in ready().place(ticket(**MARKET)).body[0]["message"][1]


def test_two_pairs_of_ids_can_change_places():
    """Documents and one real account disagree."""
    reply = ready(swapped_ids=True).place(ticket(**MARKET))

    assert reply.body[0]["messageIds"] == ["o10164", "o10223"]


def test_all_texts_of_a_ticket_can_come_in_one_element():
    """Confirming one id confirms all of them."""
    broker = ready(several_messages=True)

    asked = broker.place(ticket(cOID="one", quantity=1000))

    assert asked.body[0]["messageIds"] == ["o383", "o451"]
    assert answer(broker, asked).body[0]["local_order_id"] == "one"


def test_questions_can_be_off_or_more():
    """Unknown ids have words that nobody knows."""
    quiet = ready(questions=False).place(ticket(**MARKET))
    extra = ready(extra_questions=["o777", "o10336"]).place(ticket())

    assert "order_id" in quiet.body[0]
    assert extra.body[0]["messageIds"] == ["o777"]
    assert "o777" in extra.body[0]["message"][0]


def test_market_orders_can_be_silent():
    """Some accounts are not asked."""
    assert "order_id" in ready(market_order_question=False).place(ticket(**MARKET)).body[0]


def test_exits_are_asked_about_their_type_only():
    """Unless the option has prices and sizes of children asked about too."""
    legs = bracket(target=200.0)

    quiet = ready("o10331", "o10151", "o10153").place(*legs)
    asked = ready("o10331", "o10151", "o10153", child_price_questions=True).place(*legs)

    assert "order_id" in quiet.body[0]
    assert asked.body[0]["messageIds"] == ["o163"]


def test_suppressed_questions_are_not_asked():
    """By id; the others still are."""
    broker = ready("o383")

    assert broker.place(ticket(quantity=1000)).body[0]["messageIds"] == ["o451"]


def test_suppression_replaces_and_can_be_reset_and_dies_with_the_session():
    """200 proves nothing; unknown ids are 200 too."""
    broker = ready("o163", "o383")
    broker.post("/iserver/questions/suppress", {"messageIds": ["o163", "nonsense"]})
    replaced = broker.place(ticket(quantity=501)).body[0]["messageIds"]
    kept = broker.place(ticket(price=150.0)).body[0]
    broker.post("/iserver/questions/suppress/reset")
    reset = broker.place(ticket(price=150.0)).body[0]["messageIds"]
    broker.post("/iserver/questions/suppress", {"messageIds": ["o163"]})
    broker.post("/iserver/auth/ssodh/init", {"publish": True})
    broker.get("/iserver/accounts")
    renewed = broker.place(ticket(price=150.0)).body[0]["messageIds"]

    assert (replaced, reset, renewed) == (["o383"], ["o163"], ["o163"])
    assert "order_id" in kept


@pytest.mark.parametrize("ids", [[], [f"o{n}" for n in range(52)], "o163"])
def test_a_senseless_suppression_is_500(ids):
    """None, more than 51, or no list."""
    assert ready().post("/iserver/questions/suppress", {"messageIds": ids}).status == 500


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"error": "Order not confirmed "}),
        (400, {"error": "order not confirmed", "statusCode": 400}),
    ],
)
def test_a_declined_order_is_discarded(status, body):
    """Both refusals are documented."""
    broker = ready(decline_status=status)

    declined = answer(broker, broker.place(ticket(cOID="one", price=150.0)), confirmed=False)

    assert (declined.status, declined.body) == (status, body)
    assert broker.ledger["orders"] == []


@pytest.mark.parametrize("body", [{"confirmed": "true"}, {"confirmed": 1}, {}, []])
def test_a_reply_is_a_json_boolean(body):
    """The text "true" was observed to be 500; the question stays open."""
    broker = ready()
    asked = broker.place(ticket(price=150.0))

    assert broker.post(f"/iserver/reply/{asked.body[0]['id']}", body).status == 500
    assert "order_id" in answer(broker, asked).body[0]


@pytest.mark.parametrize(
    ("manner", "status", "live"), [("400", 400, 0), ("503", 503, 0), ("503-but-live", 503, 1)]
)
def test_a_dead_question_fails_in_three_ways(manner, status, live):
    """One of them does create the order: a failed reply is no refusal."""
    broker = ready(dead_reply=manner)
    asked = broker.place(ticket(cOID="one", price=150.0))
    broker.place(ticket(cOID="two"))

    late = answer(broker, asked)

    assert late.status == status
    assert len([one for one in broker.ledger["orders"] if one["coid"] == "one"]) == live
    if manner == "400":
        assert late.body == {"error": f"reply id not found: '{asked.body[0]['id']}'"}


def test_a_message_id_is_no_reply_id():
    """Only the id of the element counts."""
    broker = ready()
    broker.place(ticket(price=150.0))

    assert broker.post("/iserver/reply/o163", {"confirmed": True}).status == 400


@pytest.mark.parametrize(("strict", "status"), [(True, 400), (False, 200)])
def test_in_strict_mode_any_other_request_kills_the_question(strict, status):
    """A tickle in between is enough."""
    broker = ready(strict_dialogue=strict)
    asked = broker.place(ticket(price=150.0))

    broker.post("/tickle")

    assert answer(broker, asked).status == status


def test_a_new_session_forgets_open_questions():
    """They belong to the brokerage session."""
    broker = ready(dead_reply="503-but-live")
    asked = broker.place(ticket(price=150.0))
    broker.post("/iserver/auth/ssodh/init", {"publish": True})

    answer(broker, asked)

    assert broker.ledger["orders"] == []


def test_the_ledger_tells_what_was_asked_and_answered():
    """For tests that count dialogues."""
    broker = ready()
    asked = broker.place(ticket(price=150.0))
    open_ids = broker.ledger["open_questions"]
    answer(broker, asked)

    assert open_ids == [asked.body[0]["id"]]
    assert broker.ledger["questions"] == [
        {"id": asked.body[0]["id"], "messageIds": ["o163"], "answer": "yes"}
    ]


def test_a_size_that_more_than_doubles_is_asked_about():
    """A guess at the condition of o10138."""
    broker = ready()
    order_id = broker.place(ticket()).body[0]["order_id"]

    asked = broker.post(f"/iserver/account/DU1234567/order/{order_id}", ticket(quantity=3))

    assert asked.body[0]["messageIds"] == ["o10138"]
