"""Whatever is held, pending and protected, exits of ours never come to more than the position.

The law is stated on the broker's own ledger: the exits that could fill now, a group of which one ends the
others counted once, are no more than what is held. What hangs on an entry that works counts as far as
that entry has filled.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import World

from ibkr_adapter.errors import IBKRError, InvalidOrder, OrderOutcomeUnknown, OrderRejected, PartlyPlaced
from thoroughly import examples

PLACE = "POST /iserver/account/{accountId}/orders"
REPLY = "POST /iserver/reply/{replyId}"
D = Decimal
SIDES = st.sampled_from(["BUY", "SELL"])
SIZES = st.integers(1, 6)

STEPS = st.one_of(
    st.tuples(st.just("enter"), SIDES, SIZES),
    st.tuples(st.just("pend"), SIDES, SIZES),
    st.tuples(st.just("bracket"), SIDES, SIZES),
    st.tuples(st.just("stop"), SIDES, SIZES),
    st.tuples(st.just("target"), SIDES, SIZES),
    st.tuples(st.just("trail"), SIDES, SIZES),
    st.tuples(st.just("oco"), SIDES, SIZES),
    st.tuples(st.just("close"), SIDES, SIZES),
    st.tuples(st.just("fill"), st.integers(0, 5), SIZES),
    st.tuples(st.just("refuse"), st.just("BUY"), st.integers(1, 2)),
)


def prices(side):
    """A limit far from the market, a stop and a target, of exits on that side."""
    return (162, 150, 180) if side == "SELL" else (167, 180, 150)


def act(world, ibkr, step, side, size):
    """Do one thing; what is refused is as good as what is done."""
    other = "SELL" if side == "BUY" else "BUY"
    limit, stop, target = prices(other)
    exit_stop, exit_target = prices(side)[1:]
    legs = {"take_profit_price": target, "stop_loss_price": stop}
    steps = {
        "enter": lambda: ibkr.place_market_order("AAPL", side, size),
        "pend": lambda: ibkr.place_limit_order("AAPL", side, size, limit),
        "bracket": lambda: ibkr.place_bracket_order("AAPL", side, "limit", size, limit, **legs),
        "stop": lambda: ibkr.place_stop_loss("AAPL", side, size, exit_stop),
        "target": lambda: ibkr.place_take_profit("AAPL", side, size, exit_target),
        "trail": lambda: ibkr.place_trailing_stop("AAPL", side, size, 5),
        "oco": lambda: ibkr.place_oco_order("AAPL", side, size, exit_target, exit_stop),
        "close": lambda: ibkr.close_position("AAPL", side, size),
        "refuse": lambda: world.arm("F13", PLACE, times=size),
        "fill": lambda: fill(world, side, size),
    }
    with suppress(IBKRError):
        steps[step]()


def fill(world, index, size):
    """Let one of the orders that can trade now trade a part."""
    held = {row["order_id"]: row for row in world.orders()}

    def trades(row):
        parent = held.get(row["parent_id"])
        return parent is None or parent["status"] == "Filled"

    able = [row for row in world.working() if trades(row)]
    if able:
        row = able[index % len(able)]
        rest = D(str(row["quantity"])) - D(str(row["filled"]))
        world.gateway.fill(str(row["order_id"]), min(D(size), rest))


def sold_together(world, side, mine):
    """How much the exits on a side could trade away now."""
    rows = {row["order_id"]: row for row in world.orders()}
    groups = {}
    for row in world.working():
        if row["side"] != side or row["order_id"] in mine:
            continue
        amount = D(str(row["quantity"])) - D(str(row["filled"]))
        parent = rows.get(row["parent_id"])
        if parent is not None and parent["status"] != "Filled":
            amount = max(D(0), amount - D(str(parent["quantity"])) + D(str(parent["filled"])))
        key = row["group"] or row["order_id"]
        groups[key] = max(groups.get(key, D(0)), amount)
    return sum(groups.values(), D(0))


@given(st.lists(STEPS, min_size=2, max_size=8))
@settings(
    max_examples=examples(60),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_exits_never_come_to_more_than_the_position(tmp_path, steps):
    """Entries of ours on the exits' side, which close the position themselves, are not counted."""
    world = World(tmp_path, fills=True, idle_timeout=None)
    ibkr = world.exchange()
    entries = set()
    try:
        for step, side, size in steps:
            before = {row["order_id"] for row in world.orders()}
            grows = step in {"enter", "pend", "bracket", "fill"}
            held = D(str(world.position()))
            together = {one: sold_together(world, one, entries) for one in ("BUY", "SELL")}
            act(world, ibkr, step, side, size)
            fresh = [row for row in world.orders() if row["order_id"] not in before]
            if grows:
                entries |= {row["order_id"] for row in fresh if row["parent_id"] is None}
            now = D(str(world.position()))
            for one, sign in (("SELL", 1), ("BUY", -1)):
                after = sold_together(world, one, entries)
                # A reversal by an entry of the caller's own can leave exits behind; no exit adds to that.
                if not grows:
                    assert after <= max(D(0), now * sign) or after <= together[one], (steps, one, held, now)
            if step not in {"enter", "pend", "bracket", "fill"}:
                assert held * now >= 0, "an exit or a close opened a position"
                assert abs(now) <= abs(held), "an exit or a close enlarged a position"
    finally:
        world.close()


def exits(world):
    return sold_together(world, "SELL", set())


def test_a_part_that_is_closed_brings_several_exits_down_together(world, ibkr):
    """Each of them alone would be small enough, and both would sell more than remains."""
    ibkr.place_market_order("AAPL", "buy", 6)
    ibkr.place_stop_loss("AAPL", "SELL", 3, 155)
    ibkr.place_stop_loss("AAPL", "SELL", 3, 150)

    ibkr.close_position("AAPL", "SELL", 4)

    assert (world.position(), exits(world)) == (2, 2)


def test_stops_keep_their_size_before_targets_do(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 6)
    ibkr.place_take_profit("AAPL", "SELL", 3, 175)
    ibkr.place_stop_loss("AAPL", "SELL", 3, 150)

    ibkr.close_position("AAPL", "SELL", 3)

    (left,) = world.working()
    assert (left["order_type"], left["quantity"]) == ("STP", 3)


def test_the_exits_of_an_entry_that_waits_are_none_of_the_position(world, ibkr):
    """They sleep until it fills: the position is protected beside them, and they stay whole."""
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.place_bracket_order("AAPL", "buy", "limit", 7, 162, take_profit_price=180, stop_loss_price=150)
    entry = next(row for row in world.working() if row["side"] == "BUY")

    ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    ibkr.place_oco_order("AAPL", "SELL", 5, 175, 154)
    ibkr.close_position("AAPL", "SELL", 2)

    children = [row for row in world.working() if row["parent_id"] == entry["order_id"]]
    assert [row["quantity"] for row in children] == [7, 7]
    assert (world.position(), exits(world)) == (3, 3)


def test_an_entry_that_only_closes_a_short_position_is_given_no_exit(world, ibkr):
    """The exit would open what it is to protect."""
    ibkr.place_market_order("AAPL", "sell", 5)
    ibkr.place_limit_order("AAPL", "buy", 5, 162)

    with pytest.raises(InvalidOrder, match="only closes"):
        ibkr.place_stop_loss("AAPL", "SELL", 5, 150)

    assert exits(world) == 0


def test_an_exit_on_a_reversal_is_for_what_it_opens(world, ibkr):
    ibkr.place_market_order("AAPL", "sell", 5)
    ibkr.place_limit_order("AAPL", "buy", 8, 162)

    ack = ibkr.place_stop_loss("AAPL", "SELL", 8, 150)

    assert ack["quantity"] == 3


# Late children --------------------------------------------------------------------------------


def test_stop_and_target_that_come_late_are_one_group_on_the_entry(world, ibkr):
    """The host sends them one after the other."""
    entry = ibkr.place_limit_order("AAPL", "buy", 5, 162)
    ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    target = ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    world.gateway.fill(entry["orderId"])
    world.gateway.fill(target["orderId"])
    world.pass_time(5)

    assert (world.position(), world.working()) == (0, [])


def test_a_second_late_exit_in_no_group_does_not_stay(world, ibkr):
    """Both could fill, and the second would open a position; its cancel takes the first one along."""
    entry = ibkr.place_limit_order("AAPL", "buy", 5, 162)
    first = ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    handle = world.gateway.handle

    def ungrouped(request):
        answer = handle(request)
        if request.path.endswith("/iserver/account/orders"):
            return type(answer)(
                status=answer.status,
                headers=answer.headers,
                body=answer.body.replace(b"ocaGroupId", b"someGroupId"),
            )
        return answer

    world.gateway.handle = ungrouped
    with pytest.raises(PartlyPlaced, match=f"took {first['orderId']} along") as partly:
        ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    assert partly.value.placed == {"entry": entry["orderId"]}
    assert [str(row["order_id"]) for row in world.working()] == [entry["orderId"]]


def test_a_late_exit_whose_entry_is_gone_is_not_said_to_protect_it(world, ibkr):
    entry = ibkr.place_limit_order("AAPL", "buy", 5, 162)
    world.doorway.after["POST /iserver/account/DU1234567/orders"] = lambda: world.gateway.handle(
        _delete(entry["orderId"])
    )
    world.gateway.set_options({"questions": False})

    with pytest.raises(OrderRejected):
        ibkr.place_stop_loss("AAPL", "SELL", 5, 155)

    assert world.working() == []


def test_a_late_exit_that_filled_off_its_entry_is_told_as_a_position(world):
    """It is no order that was refused: something was sold."""
    world.gateway.set_options({"late_parent": "ignore"})
    ibkr = world.exchange()
    ibkr.place_limit_order("AAPL", "buy", 5, 162)
    send = world.doorway.send

    def filling(method, url, **more):
        if method == "DELETE":
            row = next(row for row in world.working() if row["side"] == "SELL")
            world.gateway.fill(str(row["order_id"]), D(2))
        return send(method, url, **more)

    world.doorway.send = filling
    with pytest.raises(PartlyPlaced, match="after 2") as partly:
        ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    assert partly.value.naked_quantity == 2


# A pair in place of one -----------------------------------------------------------------------


@pytest.mark.parametrize("why", ["refused", "declined", "not sent"])
def test_a_pair_that_fails_for_any_reason_leaves_the_stop(world, ibkr, why):
    """The first exit is gone by then."""
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    if why == "declined":
        world.arm("F18", PLACE, variant="unknown", times=1)
    else:
        world.arm({"refused": "F13", "not sent": "F02"}[why], PLACE, times=1)

    with pytest.raises(PartlyPlaced, match="the stop stands alone") as partly:
        ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    (stop,) = world.working()
    assert (stop["order_type"], stop["quantity"]) == ("STP", 5)
    assert (partly.value.naked_quantity, partly.value.placed) == (0, {"stop_loss": str(stop["order_id"])})


def test_where_not_even_the_stop_stands_the_naked_quantity_is_said(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    world.arm("F13", PLACE, times=None)

    with pytest.raises(PartlyPlaced) as partly:
        ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    assert partly.value.naked_quantity == 5
    assert world.working() == []


def test_a_pair_of_which_nobody_knows_is_followed_by_no_stop(world):
    """It may stand, and a stop beside it would sell twice."""
    ibkr = world.exchange(unknown_deadline=5)
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    # The pair draws a question about its price, and is booked by the reply.
    world.arm("F03", "POST /iserver/reply/{replyId}", times=1)
    world.arm("F10", "GET /iserver/account/trades", times=None)
    path = "POST /iserver/account/DU1234567/orders"
    world.doorway.after[path] = lambda: world.arm("F10", "GET /iserver/account/orders", times=None)

    with pytest.raises(OrderOutcomeUnknown):
        ibkr.place_take_profit("AAPL", "SELL", 5, 175)

    assert (exits(world), len(world.working())) == (5, 2)


def test_a_rehearsed_exit_on_an_entry_changes_nothing(world, ibkr):
    ibkr.place_limit_order("AAPL", "buy", 5, 162)
    dry = world.exchange(guardrails={"dry_run": True})

    dry.place_stop_loss("AAPL", "SELL", 5, 155)

    assert len(world.working()) == 1


def _delete(order_id):
    from ibkr_adapter.simulator.door import Request

    return Request(method="DELETE", path=f"/v1/api/iserver/account/DU1234567/order/{order_id}")
