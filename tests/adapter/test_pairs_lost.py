"""A pair of exits whose answer was lost: each of the two is looked up, and told as it stands."""

from __future__ import annotations

from decimal import Decimal

import pytest
from worlds import AAPL, World

from ibkr_adapter.errors import OrderOutcomeUnknown, OrderRejected, PartlyPlaced
from ibkr_adapter.simulator.door import Request

PLACE = "POST /iserver/account/{accountId}/orders"
ORDERS = "GET /iserver/account/orders"
TRADES = "GET /iserver/account/trades"
PATH = "POST /iserver/account/DU1234567/orders"


@pytest.fixture
def world(tmp_path):
    """A broker that asks nothing: what it answers late, it has booked."""
    made = World(tmp_path, questions=False)
    yield made
    made.close()


@pytest.fixture
def holding(world, ibkr):
    """Five shares, and a count of what was sent for them."""
    ibkr.place_market_order("AAPL", "buy", 5)
    assert world.position() == 5
    return world.count(PLACE)


def pair(ibkr):
    return ibkr.place_oco_order("AAPL", "SELL", 5, 175, 155)


def then(world, change):
    """Have ``change`` happen once the next order has arrived."""

    def after():
        del world.doorway.after[PATH]
        change()

    world.doorway.after[PATH] = after


def blind(world):
    """Neither orders nor trades can be read."""
    for endpoint in (ORDERS, TRADES):
        world.arm("F13", endpoint, times=None)


def end(world, order_type):
    """The broker ends what works of this type."""
    (row,) = [row for row in world.working() if row["order_type"] == order_type]
    world.gateway.handle(
        Request(method="DELETE", path=f"/v1/api/iserver/account/{row['account']}/order/{row['order_id']}")
    )


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize("fault", ["F03", "F11", "F20"])
def test_both_of_a_pair_whose_answer_was_lost_are_found(world, ibkr, holding, fault):
    """I2: the ids are the broker's, and nothing was sent again."""
    world.arm(fault, PLACE)

    ack = pair(ibkr)

    assert world.count(PLACE) == holding + 1
    found = {row["order_type"]: str(row["order_id"]) for row in world.working()}
    assert found == {"LMT": ack["takeProfitOrderId"], "STP": ack["stopLossOrderId"]}
    # What was sent under each id is known, or it could not be changed.
    assert ibkr.orders.modify(ack["stopLossOrderId"], stop_price=Decimal(156)).stop_price == 156


def test_a_pair_that_never_arrived_is_said_to_be_absent(world, ibkr, holding):
    """Proven, so the stop may be sent alone: the position does not stay bare."""
    world.arm("F05", PLACE)

    with pytest.raises(
        PartlyPlaced, match=r"no order of the pair has reached IBKR.*the stop stands alone"
    ) as partly:
        pair(ibkr)

    (stop,) = world.working()
    assert (stop["order_type"], stop["quantity"]) == ("STP", 5)
    assert (partly.value.placed, partly.value.naked_quantity) == ({"stop_loss": str(stop["order_id"])}, 0)
    assert partly.value.__cause__.repeatable
    ended = ibkr.orders._connection._placed().read("SELECT ended FROM entry ORDER BY id")
    assert ended == [("placed",), ("absent",), ("placed",)]
    assert world.count(PLACE) == holding + 2


def test_a_pair_that_nobody_can_look_up_is_unknown_and_is_resolved_to_both(world, ibkr, holding):
    world.arm("F03", PLACE)
    then(world, lambda: blind(world))

    with pytest.raises(OrderOutcomeUnknown) as lost:
        pair(ibkr)

    world.gateway.handle(Request(method="DELETE", path="/simulator/faults"))
    placed = lost.value.resolve()
    assert {leg.name for leg in placed.legs} == {"take_profit", "stop_loss"}
    assert {leg.order_id for leg in placed.legs} == {str(row["order_id"]) for row in world.working()}
    assert world.count(PLACE) == holding + 1


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize("ended", ["LMT", "STP"])
def test_where_one_of_a_pair_does_not_stand_one_stop_is_left(world, ibkr, ended):
    """Whichever it was: two stops for one position would open another one."""
    world.arm("F03", PLACE)
    then(world, lambda: end(world, ended))

    with pytest.raises(PartlyPlaced, match="the stop stands alone") as partly:
        pair(ibkr)

    (stop,) = world.working()
    assert (stop["order_type"], stop["quantity"]) == ("STP", 5)
    assert partly.value.placed == {"stop_loss": str(stop["order_id"])}
    assert (partly.value.missing, partly.value.naked_quantity) == (("take_profit",), 0)


@pytest.mark.usefixtures("holding")
def test_where_both_of_a_pair_are_ended_the_stop_is_sent_again(world, ibkr):
    world.arm("F03", PLACE)
    then(world, lambda: (end(world, "LMT"), end(world, "STP")))

    with pytest.raises(PartlyPlaced, match=r"none stands.*the stop stands alone"):
        pair(ibkr)

    assert [row["order_type"] for row in world.working()] == ["STP"]


@pytest.mark.usefixtures("holding")
def test_a_target_that_has_filled_has_closed_the_position(world, ibkr):
    """The stop went with it, and is not missing."""
    world.arm("F03", PLACE)
    then(world, lambda: world.gateway.set_price(AAPL, Decimal(180)))

    ack = pair(ibkr)

    assert (world.position(), world.working()) == (0, [])
    assert ack["takeProfitOrderId"] is not None


def test_an_order_that_was_refused_after_its_answer_was_lost_is_refused(world, ibkr):
    """It was found, over, and nothing of it traded."""
    ibkr.open()
    world.arm("F03", PLACE)
    then(world, lambda: end(world, "LMT"))

    with pytest.raises(OrderRejected, match="is Cancelled"):
        ibkr.place_limit_order("AAPL", "buy", 5, 162)

    assert world.working() == []


def test_what_is_proven_absent_is_looked_up_no_more(world, ibkr):
    """The journal has its end, so the next process begins with its own order."""
    ibkr.open()
    world.arm("F05", PLACE)
    with pytest.raises(OrderRejected, match="has reached IBKR"):
        ibkr.place_limit_order("AAPL", "buy", 5, 162)
    ibkr.close()
    looked = world.count(TRADES)

    world.exchange().place_limit_order("AAPL", "buy", 5, 162)

    assert world.count(TRADES) == looked
    assert world.position(AAPL) == 0
    assert Decimal(str(world.working()[0]["quantity"])) == 5
