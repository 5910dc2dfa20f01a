"""A modification repeats every key that the order was sent with, by whichever process, and only what is new changes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.order import OrderType, Side, TrailingUnit

D = Decimal


def bodies(world):
    """The bodies of orders and modifications, in their order."""
    found = []
    for method, path, body in world.doorway.sent:
        if method == "POST" and path.startswith("/iserver/account/DU") and "/order" in path:
            read = json.loads(body)
            found += read.get("orders", [read])
    return found


def by_adaptive(ibkr):
    return ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=D(10),
        limit_price=D(162),
        algo="Adaptive",
        algo_parameters={"adaptivePriority": "Patient"},
    ).entry.order_id


def outside(ibkr):
    return ibkr.place_limit_order("AAPL", "buy", 10, 162)["orderId"]


def bracket_entry(ibkr):
    legs = ibkr.place_bracket_order(
        "AAPL", "buy", "limit", 10, 162, take_profit_price=175, stop_loss_price=155
    )
    return legs["entryOrder"]["orderId"]


def trailing(ibkr):
    return ibkr.orders.place(
        "AAPL",
        side=Side.SELL,
        order_type=OrderType.TRAIL,
        quantity=D(10),
        trailing=D(5),
        trailing_unit=TrailingUnit.AMOUNT,
    ).entry.order_id


@pytest.mark.parametrize("again", [False, True], ids=["same process", "after a restart"])
@pytest.mark.parametrize("place", [by_adaptive, outside, bracket_entry, trailing])
def test_every_key_comes_again(world, place, again):
    wanted = {"outside_rth": place is outside}
    ibkr = world.exchange(**wanted)
    order_id = place(ibkr)
    sent = bodies(world)[0]
    if again:
        ibkr.close()
        ibkr = world.exchange(**wanted)

    ibkr.orders.modify(order_id, quantity=D(8))

    assert bodies(world)[-1] == sent | {"quantity": 8}


@pytest.mark.parametrize("leg", ["stopLossOrder", "takeProfitOrder"])
def test_a_leg_keeps_its_parent_after_a_restart(world, leg):
    first = world.exchange()
    legs = first.place_bracket_order(
        "AAPL", "buy", "limit", 10, 162, take_profit_price=175, stop_loss_price=155
    )
    first.close()

    world.exchange().orders.modify(legs[leg]["orderId"], quantity=D(8))

    changed = bodies(world)[-1]
    assert changed["parentId"] == legs["entryOrder"]["clientOrderId"]
    assert changed in [body | {"quantity": 8} for body in bodies(world)[:3]]


def test_an_exit_of_a_pair_keeps_its_group_after_a_restart(world):
    first = world.exchange()
    first.place_market_order("AAPL", "buy", 5)
    ack = first.place_oco_order("AAPL", "SELL", 5, 175, 155)
    first.close()

    world.exchange().orders.modify(ack["stopLossOrderId"], stop_price=D(156))

    assert (bodies(world)[-1]["isSingleGroup"], bodies(world)[-1]["price"]) == (True, 156)


def test_a_change_of_another_process_is_not_undone(world):
    """An exit that was made smaller there must not grow again here."""
    first, second = world.exchange(), world.exchange(account_id="DU1234567")
    order_id = outside(first)
    ticket = first.orders._connection.own.ticket(order_id)
    second.orders.modify(order_id, quantity=D(6))
    first.orders._connection.own._tickets[order_id] = ticket

    first.orders.modify(order_id, limit_price=D(161))

    (row,) = world.working()
    assert (row["quantity"], row["limit"]) == (6, 161)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"limit_price": D("162.005")}, "not on the tick"),
        ({"quantity": D("2.5")}, "not one that AAPL trades"),
        ({"quantity": D(0)}, "not above 0"),
        ({"limit_price": D(-1)}, "not above 0"),
        ({"stop_price": D(160)}, "takes no stop price"),
    ],
)
def test_a_number_that_breaks_the_rules_never_leaves(world, ibkr, changed, why):
    order_id = outside(ibkr)

    with pytest.raises(InvalidOrder, match=why):
        ibkr.orders.modify(order_id, **changed)

    assert len(bodies(world)) == 1


def test_an_exit_may_be_made_smaller_whatever_the_guardrails_say(world):
    ibkr = world.exchange(guardrails={"max_quantity": 5})
    ibkr.place_market_order("AAPL", "buy", 5)
    ack = ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    ibkr.orders.kill("enough")

    assert ibkr.orders.modify(ack["orderId"], quantity=D(3)).quantity == 3
