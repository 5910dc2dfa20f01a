"""What is sent once is sent once, whatever comes back; and nobody is told a lie about it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from worlds import AAPL

from ibkr_adapter.errors import (
    NotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    QuestionRefused,
)

EVERY_LOGIN = True

PLACE = "POST /iserver/account/{accountId}/orders"
REPLY = "POST /iserver/reply/{replyId}"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"


def bracket(ibkr):
    return ibkr.place_bracket_order(
        "AAPL", "buy", "limit", 10, 162, take_profit_price=170, stop_loss_price=150
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "F03"},
        {"fault": "F04"},
        {"fault": "F05", "variant": "processed"},
        {"fault": "F11"},
        {"fault": "F11", "variant": "html"},
        {"fault": "F14", "variant": "processed"},
        {"fault": "F16"},
        {"fault": "F15"},
        {"fault": "F15", "variant": "empty"},
    ],
    ids=lambda fault: "-".join(fault.values()),
)
def test_an_order_whose_answer_was_lost_is_found_and_stands_once(world, ibkr, fault):
    """I1 and I2: it is told as placed, with the id that the broker gave it."""
    ibkr.open()
    world.gateway.arm({**fault, "on": PLACE})

    legs = bracket(ibkr)

    entries = world.orders(parent_id=None)
    assert world.count(PLACE) == 1
    assert [str(row["order_id"]) for row in entries] == [legs["entryOrder"]["orderId"]]
    assert len(world.working()) == 3
    assert legs["stopLossOrder"]["orderId"] is not None


def test_an_order_that_was_found_by_looking_can_be_changed(world, ibkr):
    """What was sent is known, although no answer named its id."""
    ibkr.open()
    world.arm("F03", PLACE)
    order_id = ibkr.place_limit_order("AAPL", "buy", 5, 162)["orderId"]

    assert ibkr.orders.modify(order_id, quantity=Decimal(3)).quantity == 3


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "F05"},
        {"fault": "F14"},
        {"fault": "F10"},
    ],
    ids=lambda fault: "-".join(fault.values()),
)
def test_an_order_that_never_arrived_is_refused_only_when_that_is_proven(world, ibkr, fault):
    """Two reads of orders and trades each, begun fifteen seconds after it was sent."""
    ibkr.open()
    world.gateway.arm({**fault, "on": PLACE})
    started = world.clock.monotonic()

    with pytest.raises(OrderRejected, match="has reached IBKR") as refused:
        bracket(ibkr)

    assert world.orders() == []
    assert world.count(PLACE) == 1
    assert refused.value.repeatable
    assert 15 <= world.clock.monotonic() - started <= 45


def test_a_reset_before_the_request_was_read_is_not_sent(world, ibkr):
    ibkr.open()
    world.arm("F02", PLACE)

    with pytest.raises(NotSent):
        bracket(ibkr)

    assert world.orders() == []


def test_an_order_that_nobody_can_look_up_stays_unknown_and_can_be_resolved_later(world, ibkr):
    ibkr.open()
    world.arm("F03", PLACE)
    world.arm("F10", "GET /iserver/account/orders", times=None)
    world.arm("F10", "GET /iserver/account/trades", times=None)

    with pytest.raises(OrderOutcomeUnknown) as lost:
        bracket(ibkr)

    world.gateway.handle(_request("DELETE", "/simulator/faults"))
    assert lost.value.coid.startswith("ibka-")
    placed = lost.value.resolve()
    assert str(world.orders(coid=lost.value.coid)[0]["order_id"]) == placed.entry.order_id
    assert world.count(PLACE) == 1


def test_a_duplicate_coid_means_that_it_is_there(world, ibkr):
    """F20: 'already registered' is said of an order that stands."""
    ibkr.open()
    world.arm("F20", PLACE)

    legs = bracket(ibkr)

    assert len(world.orders(parent_id=None)) == 1
    assert legs["entryOrder"]["status"] == "open"


def test_a_refusal_inside_a_200_is_a_refusal(world, ibkr):
    ibkr.open()
    world.arm("F13", PLACE)

    with pytest.raises(OrderRejected) as refused:
        bracket(ibkr)

    assert refused.value.text
    assert world.orders() == []


def test_a_declined_question_leaves_nothing_working(world, ibkr):
    ibkr.open()

    with pytest.raises(QuestionRefused, match="o163") as refused:
        ibkr.place_limit_order("AAPL", "buy", 1, 100)

    assert refused.value.message_ids == ("o163",)
    assert "answer_messages" in refused.value.remedy
    assert world.working() == []
    assert world.ledger()["open_questions"] == []


def test_a_setting_allows_a_question(world):
    ack = world.exchange(answer_messages=["o163"]).place_limit_order("AAPL", "buy", 1, 100)

    assert ack["status"] == "open"
    assert len(world.working()) == 1


@pytest.mark.parametrize("variant", ["chain", "unknown", "twice", "reply_400", "reply_503", "reply_503_live"])
def test_every_way_a_dialogue_can_go_wrong_is_told_truly(world, ibkr, variant):
    """F18: placed if and only if it stands; refused if and only if it does not."""
    ibkr.open()
    world.arm("F18", variant=variant)

    try:
        legs = bracket(ibkr)
    except (OrderRejected, QuestionRefused):
        assert world.working() == []
    else:
        entries = world.orders(parent_id=None)
        assert [str(row["order_id"]) for row in entries] == [legs["entryOrder"]["orderId"]]
        assert len(world.working()) == 3
    assert world.count(PLACE) == 1


def test_a_lost_reply_is_looked_up_and_not_given_again(world, ibkr):
    ibkr.open()
    world.arm("F03", REPLY)

    ack = ibkr.place_market_order("AAPL", "buy", 1)

    assert world.count(REPLY) == 1
    assert ack["status"] == "filled"
    assert world.position(AAPL) == 1


@pytest.mark.parametrize("leg", [1, 2])
def test_an_entry_whose_protection_was_refused_does_not_stay(world, ibkr, leg):
    """F25: a bracket is not atomic at the broker, but it is here."""
    ibkr.open()
    world.arm("F25", leg=leg)

    with pytest.raises(OrderRejected, match="othing is working"):
        bracket(ibkr)

    assert world.working() == []
    assert world.position() == 0


@pytest.mark.parametrize("variant", ["lost", "crosses"])
def test_a_cancel_tells_how_the_order_really_ended(world, ibkr, variant):
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    world.arm("F24", CANCEL, variant=variant)

    answer = ibkr.cancel_order("AAPL", order_id)

    (row,) = world.orders(order_id=int(order_id))
    assert answer["status"] == {"Cancelled": "canceled", "Filled": "filled"}[row["status"]]
    assert world.count(CANCEL) == 1


def test_a_cancel_of_an_order_that_is_over_asks_nobody(world, ibkr):
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    ibkr.cancel_order("AAPL", order_id)
    before = len(world.doorway.sent)

    again = ibkr.cancel_order("AAPL", order_id)

    assert again["status"] == "canceled"
    assert len(world.doorway.sent) == before


@pytest.mark.parametrize("order_id", [-1, "-1", 0, "0", "bracket_sl", "oco_tp", "", None, True, 1.5])
def test_ids_that_could_cancel_everything_never_leave(world, ibkr, order_id):
    """IBKR cancels all orders for the id -1."""
    from ibkr_adapter.errors import InvalidOrder

    ibkr.open()
    before = len(world.doorway.sent)

    with pytest.raises(InvalidOrder):
        ibkr.cancel_order("AAPL", order_id)

    assert len(world.doorway.sent) == before


@pytest.mark.parametrize(
    "path", ["/iserver/account/DU1234567/order/-1", "/iserver/account/DU1234567/order/0"]
)
def test_the_free_road_does_not_cancel_everything_either(world, ibkr, path):
    from ibkr_adapter.errors import InvalidOrder

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    with pytest.raises(InvalidOrder):
        ibkr.request("DELETE", path)

    assert len(world.working()) == 1


def test_orders_of_others_are_left_alone(world, ibkr):
    from ibkr_adapter.errors import InvalidOrder

    ibkr.open()
    (foreign,) = world.gateway.place_foreign(
        {"conid": AAPL, "side": "BUY", "orderType": "LMT", "price": 150, "quantity": 1, "tif": "GTC"}
    )

    with pytest.raises(InvalidOrder, match="left alone"):
        ibkr.cancel_order("AAPL", foreign)
    ibkr.cancel_all_orders("AAPL")

    assert [row["order_id"] for row in world.working()] == [foreign]


def _request(method, path):
    from ibkr_adapter.simulator.door import Request

    return Request(method=method, path=path)


def test_a_bracket_that_cannot_be_seen_is_unknown_and_is_not_cancelled(world, ibkr):
    """Not being able to look is no reason to end what was acknowledged."""
    ibkr.open()
    status = "GET /iserver/account/order/status/{orderId}"
    world.arm("F10", status, times=None)
    world.arm("F10", "GET /iserver/account/orders", times=None)

    with pytest.raises(OrderOutcomeUnknown) as lost:
        bracket(ibkr)

    assert len(world.working()) == 3
    world.gateway.handle(_request("DELETE", "/simulator/faults"))
    assert len(lost.value.resolve().legs) == 3


def test_a_late_exit_that_cannot_be_seen_does_not_stay(world, ibkr):
    entry = ibkr.place_limit_order("AAPL", "buy", 5, 162)
    ibkr.get_open_orders()
    world.clock.sleep(6)
    ibkr.get_open_orders()
    world.arm("F10", "GET /iserver/account/orders", times=None, **{"for": 600})

    with pytest.raises(OrderRejected):
        ibkr.place_stop_loss("AAPL", "SELL", 5, 155)

    assert [row["order_id"] for row in world.working()] == [int(entry["orderId"])]
