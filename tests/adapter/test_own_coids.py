"""A caller may ask twice for one order under a cOID of his own, and one order is booked."""

from __future__ import annotations

from decimal import Decimal

import pytest
from worlds import AAPL

from ibkr_adapter.errors import InvalidOrder, OrderOutcomeUnknown, OrderRejected
from ibkr_adapter.journal import Intent, Kind
from ibkr_adapter.model.order import OrderType, Side
from ibkr_adapter.records import Record
from ibkr_adapter.simulator.door import Request

PLACE = "POST /iserver/account/{accountId}/orders"
ORDERS = "GET /iserver/account/orders"
TRADES = "GET /iserver/account/trades"


def buy(ibkr, coid="host-7:1", *, price="162", **more):
    return ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        limit_price=Decimal(price),
        coid=coid,
        **more,
    )


def bracket(ibkr, coid):
    return ibkr.orders.bracket(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        limit_price=Decimal(162),
        take_profit=Decimal(170),
        stop_loss=Decimal(150),
        coid=coid,
    )


def blind(world, *, times=None):
    """Neither orders nor trades can be read."""
    for endpoint in (ORDERS, TRADES):
        world.gateway.arm({"fault": "F13", "on": endpoint, "times": times})


def seeing(world):
    world.gateway.handle(Request(method="DELETE", path="/simulator/faults"))


def test_the_callers_own_id_reaches_the_broker(world, ibkr):
    placed = buy(ibkr)

    (row,) = world.working()
    assert placed.coid == row["coid"] == "host-7:1"


def test_the_same_order_asked_for_again_is_answered_and_not_sent(world, ibkr):
    first = buy(ibkr)

    second = buy(ibkr)

    assert second.entry.order_id == first.entry.order_id
    assert world.count(PLACE) == 1


def test_a_bracket_asked_for_again_is_answered_with_its_legs(world, ibkr):
    first = bracket(ibkr, "host-8")

    second = bracket(ibkr, "host-8")

    assert {leg.order_id for leg in second.legs} == {leg.order_id for leg in first.legs}
    assert world.count(PLACE) == 1


def test_an_unknown_outcome_is_known_by_asking_again(world, ibkr):
    """The order stands, its answer and the first look-up were lost: the repeat finds it."""
    ibkr.open()
    world.gateway.arm({"fault": "F03", "on": PLACE})
    blind(world)
    with pytest.raises(OrderOutcomeUnknown):
        buy(ibkr, wait_for_outcome=2)
    seeing(world)

    placed = buy(ibkr)

    assert [placed.entry.order_id] == [str(row["order_id"]) for row in world.working()]
    assert world.count(PLACE) == 1
    assert ibkr.orders.unsettled() == ()


def test_an_order_that_never_arrived_is_sent_again_once_that_is_proven(world, ibkr):
    """Its own time is not used up by the proof."""
    ibkr.open()
    world.gateway.arm({"fault": "F10", "on": PLACE})
    with pytest.raises(OrderOutcomeUnknown):
        buy(ibkr, wait_for_outcome=0)
    started = world.clock.monotonic()

    placed = buy(ibkr)

    assert world.clock.monotonic() - started >= 15
    assert [placed.entry.order_id] == [str(row["order_id"]) for row in world.working()]
    assert world.count(PLACE) == 2
    assert ibkr.orders.unsettled() == ()


def test_where_nobody_can_tell_the_repeat_sends_nothing(world, ibkr):
    ibkr.open()
    world.gateway.arm({"fault": "F03", "on": PLACE})
    blind(world)
    with pytest.raises(OrderOutcomeUnknown):
        buy(ibkr, wait_for_outcome=2)

    with pytest.raises(OrderOutcomeUnknown, match="this call sent nothing") as unknown:
        buy(ibkr, wait_for_outcome=20)

    seeing(world)
    assert world.count(PLACE) == 1
    assert unknown.value.resolve().entry.order_id == str(world.working()[0]["order_id"])
    assert world.count(PLACE) == 1


def test_what_nobody_could_tell_can_prove_to_be_absent_later(world, ibkr):
    """Looking again says so in the words of a lost answer; it is for the caller to ask anew."""
    ibkr.open()
    world.gateway.arm({"fault": "F10", "on": PLACE})
    blind(world)
    with pytest.raises(OrderOutcomeUnknown):
        buy(ibkr, wait_for_outcome=2)
    with pytest.raises(OrderOutcomeUnknown) as unknown:
        buy(ibkr, wait_for_outcome=30)
    seeing(world)

    with pytest.raises(OrderRejected, match="has reached IBKR; nothing is working") as absent:
        unknown.value.resolve()

    assert absent.value.repeatable
    assert world.count(PLACE) == 1


def test_another_order_under_the_same_id_is_refused(world, ibkr):
    buy(ibkr)

    with pytest.raises(InvalidOrder, match="used for another order; nothing was sent"):
        buy(ibkr, price="161")

    assert world.count(PLACE) == 1


def test_an_id_that_another_call_is_at_work_on_is_refused(world, ibkr):
    """Two threads, or two processes, with one intent."""
    first = buy(ibkr)
    (hash_,) = {value for (value,) in ibkr.orders._connection._placed().read("SELECT body_hash FROM entry")}
    ibkr.orders._connection._placed().write("UPDATE entry SET ended = 'not sent'")
    about = Intent(kind=Kind.PLACE, account="DU1234567", body_hash=hash_, coids=("host-7:1",), repeat=True)
    Record(ibkr.orders._connection.journal, about).begin()

    with pytest.raises(InvalidOrder, match="at work on the cOID host-7:1; this one sent nothing") as refused:
        buy(ibkr)

    assert refused.value.repeatable
    assert [str(row["order_id"]) for row in world.working()] == [first.entry.order_id]


def test_two_that_write_at_the_same_moment_do_not_both_send(ibkr):
    """The look comes before the entry, so the entry itself looks again."""
    ibkr.open()
    about = Intent(kind=Kind.PLACE, account="DU1234567", body_hash="h", coids=("x",), repeat=True)
    journal = ibkr.orders._connection.journal
    assert not journal.sent_before(about)
    Record(journal, about).begin()

    with pytest.raises(InvalidOrder, match="at work"):
        Record(journal, about).begin()


def test_a_repeat_after_a_crash_finds_what_the_dead_process_sent(world, ibkr, tmp_path):
    first = buy(ibkr)
    link = ibkr.orders._connection
    link._placed().write("UPDATE entry SET ended = NULL, step = 'sending'")
    link.journal.close()

    second = buy(ibkr)

    assert second.entry.order_id == first.entry.order_id
    assert world.count(PLACE) == 1


def test_an_id_of_more_than_a_day_ago_is_used_no_more(world, ibkr):
    """IBKR would book it again."""
    buy(ibkr)
    ibkr.orders.cancel(ibkr.orders.live()[0].order_id)
    world.gateway.reset()
    ibkr.orders._connection._placed().write("UPDATE entry SET begun_at = '2026-11-22T15:00:00+00:00'")

    with pytest.raises(InvalidOrder, match=r"was sent at 2026-11-22.*nothing was sent"):
        buy(ibkr)

    assert world.working() == []


@pytest.mark.parametrize("coid", ["", " ", "a b", "x" * 65, "é", "a\n", 7, "<b>"], ids=repr)
def test_what_can_be_no_id_never_leaves(world, ibkr, coid):
    with pytest.raises(InvalidOrder, match="cannot be a client order id; nothing was sent"):
        buy(ibkr, coid)

    assert world.count(PLACE) == 0


@pytest.mark.parametrize("wait", [-1, float("nan"), float("inf"), 3601, "5"], ids=repr)
def test_a_wait_that_makes_no_sense_is_refused(world, ibkr, wait):
    with pytest.raises(InvalidOrder, match="wait_for_outcome"):
        buy(ibkr, wait_for_outcome=wait)

    assert world.count(PLACE) == 0


def test_a_longer_wait_settles_what_the_setting_would_leave_unknown(world):
    ibkr = world.exchange(unknown_deadline=1)
    ibkr.open()
    world.gateway.arm({"fault": "F10", "on": PLACE})

    with pytest.raises(OrderRejected, match="has reached IBKR"):
        buy(ibkr, wait_for_outcome=60)


def test_combinations_and_conversions_take_one_too(world):
    ibkr = world.exchange(answer_messages=["o10223", "o163"])
    first = ibkr.orders.convert(Decimal(100), "USD", "EUR", limit_price=Decimal("1.20"), coid="fx-1")

    second = ibkr.orders.convert(Decimal(100), "USD", "EUR", limit_price=Decimal("1.20"), coid="fx-1")

    assert first.coid == "fx-1"
    assert second.entry.order_id == first.entry.order_id
    assert world.count(PLACE) == 1
    assert AAPL not in {row["conid"] for row in world.working()}
