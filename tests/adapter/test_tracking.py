"""An order is followed from change to change to its end, within bounds, and nothing is held meanwhile."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.errors import InvalidOrder, OrderError, UnexpectedAnswer
from ibkr_adapter.model.order import OrderState
from ibkr_adapter.tracking import BLIND_FOR

STATUS = "GET /iserver/account/order/status/{orderId}"
D = Decimal


def entry(ibkr, quantity=10):
    return ibkr.place_limit_order("AAPL", "buy", quantity, 162)["orderId"]


def test_each_change_is_given_once_and_the_end_ends_it(world, ibkr):
    order_id = entry(ibkr)
    seen = []

    for order in ibkr.orders.track(order_id, timeout=600):
        seen.append((order.state, order.filled))
        if order.filled < 10:
            world.gateway.fill(order_id, D(5))

    assert [filled for _, filled in seen][-3:] == [0, 5, 10]
    assert seen[-1][0] is OrderState.FILLED
    assert len(seen) == len(set(seen))


def test_it_takes_an_id_an_order_or_what_was_placed(world, ibkr):
    order_id = entry(ibkr)
    order = ibkr.orders.status(order_id)
    world.gateway.fill(order_id)

    ends = [list(ibkr.orders.track(one, timeout=5))[-1] for one in (order_id, int(order_id), order)]

    assert {end.state for end in ends} == {OrderState.FILLED}


def test_the_time_out_tells_the_last_state(world, ibkr):
    order_id = entry(ibkr)
    world.gateway.fill(order_id, D(3))
    started = world.clock.monotonic()
    seen = []

    with pytest.raises(OrderError, match=r"Submitted with 3.* of 10.* filled"):
        seen.extend(ibkr.orders.track(order_id, timeout=30))

    assert len(seen) <= 2, "what has not changed is not told again"
    assert 30 <= world.clock.monotonic() - started < 36
    assert len(world.working()) == 1


def test_a_session_that_is_lost_for_a_while_is_waited_for(world, ibkr):
    order_id = entry(ibkr)
    following = ibkr.orders.track(order_id, timeout=600)
    next(following)
    world.arm("F10", STATUS, times=None, **{"for": 60})
    world.gateway.fill(order_id)

    assert [order.state for order in following] == [OrderState.FILLED]


def test_an_order_that_nobody_can_see_is_not_followed_for_ever(world, ibkr):
    order_id = entry(ibkr)
    following = ibkr.orders.track(order_id, timeout=100_000)
    next(following)
    for unanswered in (STATUS, "GET /iserver/account/orders"):
        world.arm("F10", unanswered, times=None)
    started = world.clock.monotonic()

    with pytest.raises(OrderError, match="could not be seen"):
        list(following)

    assert BLIND_FOR <= world.clock.monotonic() - started < 3 * BLIND_FOR


def test_others_trade_between_two_states(world, ibkr):
    """Nothing is held while the caller has the word."""
    following = ibkr.orders.track(entry(ibkr), timeout=60)
    next(following)

    assert ibkr.place_limit_order("MSFT", "buy", 1, 300)["status"] == "open"


@pytest.mark.parametrize(("order", "timeout"), [(-1, 5), ("x", 5), ("5", 0), ("5", float("nan"))])
def test_nonsense_is_refused_at_once(world, ibkr, order, timeout):
    with pytest.raises(InvalidOrder):
        ibkr.orders.track(order, timeout=timeout)

    assert world.doorway.sent == []


def test_a_state_that_nobody_knows_is_not_slept_over(world, ibkr):
    order_id = entry(ibkr)
    world.arm("F15", STATUS, times=None)

    with pytest.raises((UnexpectedAnswer, OrderError)):
        list(ibkr.orders.track(order_id, timeout=600))
