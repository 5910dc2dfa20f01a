"""Closing and protecting: no exit ever opens a position, nobody's order is touched but ours."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from worlds import AAPL

from ibkr_adapter.errors import InvalidOrder, NotSent, OrderRejected, PartlyPlaced
from ibkr_adapter.transport import Answer

EVERY_LOGIN = True

PLACE = "POST /iserver/account/{accountId}/orders"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"
POSITIONS = "GET /portfolio2/{accountId}/positions"


def long_with_exits(ibkr, quantity=10):
    return ibkr.place_bracket_order(
        "AAPL", "buy", "market", quantity, take_profit_price=175, stop_loss_price=155
    )


def test_a_close_follows_the_position_and_not_the_hosts_idea_of_the_side(world, ibkr):
    ibkr.place_market_order("AAPL", "sell", 5)

    ack = ibkr.close_position("AAPL", "SELL", 5)

    assert ack["side"] == "BUY"
    assert world.position() == 0


def test_a_close_of_more_than_is_held_closes_what_is_held(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 5)

    ack = ibkr.close_position("AAPL", "SELL", 500)

    assert ack["quantity"] == 5
    assert world.position() == 0


def test_a_close_when_flat_sends_nothing(world, ibkr):
    with pytest.raises(InvalidOrder, match="no position"):
        ibkr.close_position("AAPL", "SELL", 5)

    assert world.orders() == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_stop_that_fills_between_the_read_and_the_close_sells_nothing_twice(world, ibkr, moment):
    """The position is read, the stop fills, the close is sent: still only ten are sold."""
    legs = long_with_exits(ibkr)
    stop = legs["stopLossOrder"]["orderId"]
    fired = []

    def fill_stop():
        if not fired:
            fired.append(True)
            world.gateway.fill(stop)

    if moment == "after":
        world.doorway.after["GET /portfolio2/DU1234567/positions"] = fill_stop
    else:
        world.doorway.before[f"DELETE /iserver/account/DU1234567/order/{stop}"] = fill_stop

    ack = ibkr.close_position("AAPL", "SELL", 10)

    assert fired
    assert world.position() == 0
    assert ack["status"] == "filled"


def test_a_partial_close_brings_the_exits_down_to_what_remains(world, ibkr):
    long_with_exits(ibkr, 10)

    ack = ibkr.close_position("AAPL", "SELL", 4)

    assert ack["quantity"] == 4
    assert world.position() == 6
    assert {row["quantity"] for row in world.working()} == {6}


def test_a_close_whose_orders_cannot_be_ended_sends_nothing(world, ibkr):
    long_with_exits(ibkr)
    world.gateway.set_options({"cancel_latency": 10_000.0})

    with pytest.raises(PartlyPlaced, match="nothing was sent to close"):
        ibkr.close_position("AAPL", "SELL", 10)

    assert world.position() == 10
    assert world.count(PLACE) == 1


@pytest.mark.parametrize(
    ("quantity", "told"),
    [
        (None, r"our own orders {} were ended, and the position stands without them"),
        (2, "brought down to 3 at most"),
    ],
)
def test_a_close_that_cannot_leave_says_what_was_ended_for_it(world, ibkr, quantity, told):
    """Whoever reads that nothing was sent believes that the stop still stands."""
    ibkr.place_market_order("AAPL", "buy", 5)
    stop = ibkr.place_stop_loss("AAPL", "sell", 5, 155)

    def cut():
        raise NotSent("the line is gone; nothing was sent.")

    world.doorway.before["POST /iserver/account/DU1234567/orders"] = cut
    with pytest.raises(NotSent, match="nothing was sent") as lost:
        ibkr.close_position("AAPL", "sell", quantity)

    assert re.search(told.format(stop["orderId"]), str(lost.value))
    assert (world.position(), len(world.working())) == (5, 0 if quantity is None else 1)


def test_a_close_also_ends_our_own_pending_entry(world, ibkr):
    """An entry that fills after the close would open the position anew."""
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.place_limit_order("AAPL", "buy", 5, 162)

    ibkr.close_position("AAPL", "SELL", 5)

    assert world.working() == []
    assert world.position() == 0


def test_a_close_leaves_the_orders_of_others(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 5)
    (foreign,) = world.gateway.place_foreign(
        {"conid": AAPL, "side": "SELL", "orderType": "LMT", "price": 180, "quantity": 5, "tif": "GTC"}
    )

    ibkr.close_position("AAPL", "SELL", 5)

    assert [row["order_id"] for row in world.working()] == [foreign]


@pytest.mark.parametrize(
    "protect",
    [
        lambda ibkr: ibkr.place_stop_loss("AAPL", "SELL", 5, 155),
        lambda ibkr: ibkr.place_take_profit("AAPL", "SELL", 5, 175),
        lambda ibkr: ibkr.place_trailing_stop("AAPL", "SELL", 5, 2),
        lambda ibkr: ibkr.place_oco_order("AAPL", "SELL", 5, 175, 155),
    ],
)
def test_with_nothing_to_protect_no_exit_leaves(world, ibkr, protect):
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        protect(ibkr)

    assert world.orders() == []


def test_an_exit_is_clamped_to_the_position(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 3)

    ack = ibkr.place_stop_loss("AAPL", "SELL", "3.5", 155)

    assert ack["quantity"] == 3
    assert ack["type"] == "stop"


def test_a_second_exit_joins_the_first_as_a_pair(world, ibkr):
    """Stop and target sent one after the other must not sell the position twice."""
    ibkr.place_market_order("AAPL", "buy", 5)
    first = ibkr.place_stop_loss("AAPL", "SELL", 5, 155)

    second = ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    working = world.working()
    assert {row["quantity"] for row in working} == {5}
    assert len(working) == 2
    assert world.orders(order_id=int(first["orderId"]))[0]["status"] == "Cancelled"
    world.gateway.fill(second["orderId"])
    world.pass_time(5)
    assert world.position() == 0
    assert world.working() == []


def test_a_third_exit_is_refused(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.place_oco_order("AAPL", "SELL", 5, 175, 155)

    with pytest.raises(InvalidOrder, match="protect the whole position already"):
        ibkr.place_stop_loss("AAPL", "SELL", 5, 150)

    assert len(world.working()) == 2


def test_an_oco_pair_is_placed_for_a_position(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 5)

    ack = ibkr.place_oco_order("AAPL", "SELL", 5, "175", "155")

    assert ack["type"] == "stop"
    assert ack["takeProfitOrderId"] != ack["stopLossOrderId"]
    world.gateway.set_price(AAPL, Decimal(150))
    world.pass_time(5)
    assert world.position() == 0
    assert world.working() == []


def test_a_late_exit_hangs_on_the_entry_that_still_works(world, ibkr):
    """The host sends the stop right after an entry that has not filled."""
    entry = ibkr.place_limit_order("AAPL", "buy", 5, 162)

    ack = ibkr.place_stop_loss("AAPL", "SELL", 5, 155)

    (child,) = world.orders(order_id=int(ack["orderId"]))
    assert child["parent_id"] == int(entry["orderId"])


@pytest.mark.parametrize("late_parent", ["ignore", "refuse"])
def test_a_late_exit_that_is_not_attached_does_not_stay(world, late_parent):
    """Alone, it would open a short position when it fills before the entry."""
    world.gateway.set_options({"late_parent": late_parent})
    ibkr = world.exchange()
    entry = ibkr.place_limit_order("AAPL", "buy", 5, 162)

    with pytest.raises(OrderRejected):
        ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    assert [row["order_id"] for row in world.working()] == [int(entry["orderId"])]


def test_a_late_exit_that_is_not_attached_and_cannot_be_cancelled_is_told_as_working(world):
    """A refusal would be taken for one that left nothing behind."""
    world.gateway.set_options({"late_parent": "ignore"})
    ibkr = world.exchange()
    entry = ibkr.place_limit_order("AAPL", "buy", 5, 162)
    send = world.doorway.send

    def refusing(method, url, **about):
        if method != "DELETE":
            return send(method, url, **about)
        body = b'{"error": "Order cannot be cancelled"}'
        return Answer(status=400, headers={"content-type": "application/json"}, body=body)

    world.doorway.send = refusing

    with pytest.raises(PartlyPlaced, match="could not be cancelled") as told:
        ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    working = {str(row["order_id"]) for row in world.working()}
    assert set(told.value.placed.values()) == working
    assert told.value.placed["entry"] == entry["orderId"]
    assert len(working) == 2


def test_short_positions_are_closed_and_protected_by_buying(world, ibkr):
    ibkr.place_bracket_order("AAPL", "short", "market", 5, take_profit_price=155, stop_loss_price=175)

    assert world.position() == -5
    assert {order["side"] for order in ibkr.get_open_orders("AAPL")} == {"buy"}
    assert ibkr.get_position("AAPL")["positionAmt"] == "-5"
    ibkr.close_position("AAPL", "BUY", 5)
    assert world.position() == 0
    assert world.working() == []


def test_without_allow_short_a_sale_of_more_than_is_held_is_refused(world):
    ibkr = world.exchange(allow_short=False)
    ibkr.place_market_order("AAPL", "buy", 3)

    with pytest.raises(InvalidOrder, match="short position"):
        ibkr.place_market_order("AAPL", "sell", 4)

    ibkr.place_market_order("AAPL", "sell", 3)
    assert world.position() == 0


def test_a_bracket_exit_that_fills_takes_its_sibling_along(world, ibkr):
    long_with_exits(ibkr)

    world.gateway.set_price(AAPL, Decimal(176))
    world.pass_time(5)

    assert world.position() == 0
    assert world.working() == []


def test_cancel_all_orders_cancels_ours_on_the_symbol_only(world, ibkr):
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    ibkr.place_bracket_order("AAPL", "buy", "limit", 1, 162, take_profit_price=175, stop_loss_price=155)
    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    done = ibkr.cancel_all_orders("AAPL")

    assert {row["status"] for row in done} == {"canceled"}
    assert len(world.working()) == 1


def test_exits_that_outlived_a_restart_are_ended_by_a_close(world):
    """The next day their parent is not listed any more, and they carry no id of ours."""
    first = world.exchange()
    legs = long_with_exits(first)
    first.close()
    entry = int(legs["entryOrder"]["orderId"])
    second = world.exchange()
    listed = second.orders.live()
    forgotten = tuple(order for order in listed if order.order_id != str(entry))
    children = [order for order in forgotten if order.parent_id == str(entry)]

    ours = second.contracts and [
        order for order in children if second._connection.own.includes(order, forgotten)
    ]
    second.close_position("AAPL")

    assert len(ours) == 2
    assert world.working() == []
    assert world.position() == 0
