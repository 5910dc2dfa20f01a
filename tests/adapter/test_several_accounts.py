"""Several accounts of one login traded from many threads at once.

IBKR answers for one account at a time, whoever asks: the status of another one's order is "not
available", and another one's list looks like an empty one. What was sent would be taken for lost, and
sent again; what protects a position would not be seen, and doubled.
"""

from __future__ import annotations

import functools
from decimal import Decimal

import pytest
from simulated_line import SimulatedLines
from worlds import AAPL, World

from crowd import at_once
from ibkr_adapter.errors import BrokerageUnavailable, OrderRejected
from ibkr_adapter.model.order import OrderState

EVERY_LOGIN = SAMPLED = True
FIRST, SECOND, THIRD = "DU1234567", "DU7654321", "DU5555555"


@pytest.fixture
def world(tmp_path, login):
    made = World(tmp_path, login, accounts=[SECOND, THIRD])
    yield made
    # A call of the keeper's may be on its way, which would wait for a clock that nobody moves.
    vars(made.doorway).pop("send", None)
    made.clock.sleep(1)
    made.close()


def slowly(world, seconds=0.02):
    """Have every call take a moment on its way there and back, in which others may come in between."""
    send = world.doorway.send

    def late(*given, **more):
        world.clock.sleep(seconds)
        try:
            return send(*given, **more)
        finally:
            world.clock.sleep(seconds)

    world.doorway.send = late


def desks(world, *names, **settings):
    return {name: world.exchange(account_id=name, answer_messages=["o163"], **settings) for name in names}


def held(world, account, conid=AAPL):
    rows = world.ledger()["positions"]
    return sum(Decimal(row["quantity"]) for row in rows if (row["account"], row["conid"]) == (account, conid))


def switched(world):
    return world.count("POST /iserver/account")


def failures_of(*works):
    """Wrap works for threads so that whatever one raises is kept."""
    raised = []

    def kept(work):
        try:
            work()
        except Exception as failure:  # noqa: BLE001  (told by the test)
            raised.append(failure)

    return raised, [functools.partial(kept, work) for work in works]


def test_each_account_is_traded_as_if_it_were_alone(world):
    """Brackets, exits and closes of three accounts at once: each sees its own orders, and ends flat."""
    ibkr = desks(world, FIRST, SECOND, THIRD)
    slowly(world)

    def trade(mine):
        mine.place_market_order("AAPL", "buy", 10)
        mine.place_stop_loss("AAPL", "sell", 10, 150)
        entry = mine.place_bracket_order(
            "MSFT", "buy", "limit", 5, 100, take_profit_price=110, stop_loss_price=90
        )
        listed = {order["orderId"] for order in mine.get_open_orders()}
        assert entry["entryOrder"]["orderId"] in listed
        assert len(listed) == 4
        mine.cancel_order("MSFT", entry["entryOrder"]["orderId"])
        closed = mine.close_position("AAPL")
        assert closed["status"] == "filled"

    raised, works = failures_of(*(functools.partial(trade, ibkr[name]) for name in (FIRST, SECOND, THIRD)))
    at_once(world, *works)

    assert raised == []
    assert [held(world, name) for name in (FIRST, SECOND, THIRD)] == [0, 0, 0]
    assert world.working() == []
    assert len(world.orders()) == 3 * 6


def test_an_order_whose_answer_was_lost_is_found_in_its_own_account(world):
    """Looked for in another one's list it would be proven absent, and a host would send it again."""
    ibkr = desks(world, FIRST, SECOND)
    for desk in ibkr.values():
        desk.get_open_orders()
    slowly(world)
    world.arm("F03", "POST /iserver/account/{accountId}/orders", times=1)
    told = []
    over = []

    def lose():
        try:
            told.append(ibkr[FIRST].place_limit_order("AAPL", "buy", 10, 162))
        finally:
            over.append(True)

    def disturb():
        while not over:
            ibkr[SECOND].get_open_orders()
            ibkr[SECOND].orders.status(ibkr[SECOND].place_limit_order("MSFT", "buy", 1, 50)["orderId"])

    raised, works = failures_of(lose, disturb)
    at_once(world, *works)

    assert raised == []
    (order,) = world.orders(account=FIRST)
    assert told[0]["orderId"] == str(order["order_id"])


def test_an_order_that_never_arrived_is_proven_absent_beside_another_account(world):
    """Its own lists are read often enough for that although the other account wants them all the time."""
    ibkr = desks(world, FIRST, SECOND, unknown_deadline=90)
    for desk in ibkr.values():
        desk.get_open_orders()
    slowly(world)
    world.arm("F10", "POST /iserver/account/{accountId}/orders", times=1)
    told = []
    over = []

    def lose():
        try:
            ibkr[FIRST].place_limit_order("AAPL", "buy", 10, 100)
        except OrderRejected as absent:
            told.append(absent)
        finally:
            over.append(True)

    def disturb():
        while not over:
            ibkr[SECOND].get_open_orders()

    raised, works = failures_of(lose, disturb)
    at_once(world, *works)

    assert raised == []
    assert "has reached IBKR" in told[0].message
    assert told[0].repeatable
    assert world.orders(account=FIRST) == []


def test_two_accounts_are_served_in_turn(world):
    """Each call of one goes on with the other's between them: nobody waits for a whole order of the other."""
    ibkr = desks(world, FIRST, SECOND)
    ids = {name: ibkr[name].place_limit_order("AAPL", "buy", 1, 100)["orderId"] for name in ibkr}
    slowly(world)
    seen = {FIRST: [], SECOND: []}

    def look(name):
        for _ in range(10):
            order = ibkr[name].orders.status(ids[name])
            seen[name].append((world.clock.monotonic(), None if order is None else order.state))

    at_once(world, *(functools.partial(look, name) for name in seen))

    assert None not in {state for rows in seen.values() for _, state in rows}
    ends = [rows[-1][0] for rows in seen.values()]
    assert abs(ends[0] - ends[1]) < 2.0


def test_one_account_from_many_threads_waits_for_nothing(world):
    """The session answers for it already, so its calls go side by side and nothing is selected."""
    mine = desks(world, FIRST)[FIRST]
    order_id = mine.place_limit_order("AAPL", "buy", 1, 100)["orderId"]
    before = world.count("GET /iserver/accounts"), switched(world)
    slowly(world, 1.0)
    begun = world.clock.monotonic()
    ends = []

    def look():
        mine.orders.status(order_id)
        ends.append(world.clock.monotonic())

    at_once(world, *[look] * 5)

    assert max(ends) - begun < 4.0
    assert (world.count("GET /iserver/accounts"), switched(world)) == before


def test_a_login_with_one_account_selects_nothing(tmp_path, login):
    alone = World(tmp_path, login)
    try:
        mine = alone.exchange()
        mine.place_market_order("AAPL", "buy", 1)
        mine.get_open_orders()
        mine.close_position("AAPL")

        assert switched(alone) == 0
        assert alone.count("GET /iserver/accounts") == 1
    finally:
        alone.close()


def test_what_another_program_selects_is_seen_and_taken_back(world):
    """Its list would look like ours with nothing in it."""
    mine = desks(world, FIRST)[FIRST]
    order_id = mine.place_limit_order("AAPL", "buy", 1, 100)["orderId"]
    mine.get_open_orders()
    world.clock.sleep(6)
    world.gateway.world.sessions.brokerage.selected = SECOND

    listed = mine.get_open_orders()
    world.gateway.world.sessions.brokerage.selected = SECOND
    order = mine.orders.status(order_id)

    assert [row["orderId"] for row in listed] == [order_id]
    assert order.state is OrderState.SUBMITTED
    assert mine.portfolio.selected() == FIRST


def test_a_session_that_is_lost_while_an_account_is_selected_comes_back_with_it(world):
    ibkr = desks(world, FIRST, SECOND)
    ids = {name: ibkr[name].place_limit_order("AAPL", "buy", 1, 100)["orderId"] for name in ibkr}
    world.doorway.before["POST /iserver/account"] = functools.partial(lose_once, world, [])

    order = ibkr[FIRST].orders.status(ids[FIRST])

    assert order.state is OrderState.SUBMITTED
    assert world.gateway.world.sessions.brokerage.selected == FIRST


def lose_once(world, done):
    if not done:
        done.append(True)
        world.gateway.change_session("drop")


def test_a_session_that_is_opened_again_answers_for_the_same_account(world):
    """Also for calls by hand, which select nothing."""
    mine = desks(world, SECOND)[SECOND]
    mine.place_limit_order("AAPL", "buy", 1, 100)
    world.gateway.change_session("drop")

    mine.session.tickle()
    mine.open()

    assert world.gateway.world.sessions.brokerage.selected == SECOND


def test_an_account_that_was_selected_by_hand_is_known(world):
    """The next call asks for its own again, at once and not after an answer for nobody."""
    mine = desks(world, FIRST)[FIRST]
    order_id = mine.place_limit_order("AAPL", "buy", 1, 100)["orderId"]
    mine.orders.status(order_id)
    mine.request("POST", "/iserver/account", json={"acctId": SECOND})
    before = world.count("GET /iserver/account/order/status/{orderId}")

    order = mine.orders.status(order_id)

    assert order.state.may_fill
    assert world.count("GET /iserver/account/order/status/{orderId}") == before + 1


def test_an_account_that_cannot_be_selected_sends_no_order(world):
    """What IBKR would make of it nobody knows."""
    ibkr = desks(world, FIRST, SECOND)
    ibkr[FIRST].place_limit_order("AAPL", "buy", 1, 100)
    world.arm("F11", "POST /iserver/account", times=100)

    with pytest.raises(BrokerageUnavailable, match=f"does not surely answer for {SECOND}"):
        ibkr[SECOND].place_limit_order("AAPL", "buy", 1, 100)

    assert world.orders(account=SECOND) == []


def test_profit_is_that_of_each_account_under_threads(world):
    """The guardrail for a day's loss must not read another account's gain."""
    ibkr = desks(world, FIRST, SECOND)
    slowly(world)
    seen = {FIRST: set(), SECOND: set()}

    def look(name):
        for _ in range(3):
            seen[name] |= {row.account_id for row in ibkr[name].portfolio.profit()}

    at_once(world, *(functools.partial(look, name) for name in seen))

    assert seen == {FIRST: {FIRST}, SECOND: {SECOND}}


def test_fills_of_another_account_are_not_taken_for_ours(world):
    """IBKR's list of trades says of nobody that it is somebody else's while it is empty."""
    mine = desks(world, FIRST)[FIRST]
    mine.place_market_order("AAPL", "buy", 1)
    mine.orders.fills()
    world.clock.sleep(6)
    world.gateway.world.sessions.brokerage.selected = SECOND

    fills = mine.orders.fills()

    assert [fill.quantity for fill in fills] == [1]


def test_a_list_that_was_overtaken_by_another_account_proves_nothing(world):
    """A slow answer must not keep an order of another account waiting, and may be for that one then."""
    ibkr = desks(world, FIRST, SECOND)
    ibkr[FIRST].place_market_order("AAPL", "buy", 1)
    ibkr[FIRST].orders.fills()
    # What is late on its way arrives too soon before the next one, by the broker's meter.
    world.gateway.set_options({"pacing": False})
    world.clock.sleep(6)
    slow = []
    done = []

    def once():
        if not slow:
            slow.append(True)
            world.clock.sleep(5)

    world.doorway.before["GET /iserver/account/trades"] = once

    def read():
        fills = ibkr[FIRST].orders.fills()
        done.append([fill.quantity for fill in fills])

    def place():
        world.clock.sleep(1)
        ibkr[SECOND].place_limit_order("AAPL", "buy", 1, 162)
        done.append("placed")

    at_once(world, read, place)

    assert done == ["placed", [1]]


def test_a_stream_has_the_orders_of_every_account_that_is_asked_for(world):
    """They share one topic, and IBKR lists one account at a time."""
    SimulatedLines(world)
    ibkr = desks(world, FIRST, SECOND)
    ids = {name: ibkr[name].place_limit_order("AAPL", "buy", 1, 100)["orderId"] for name in ibkr}
    with ibkr[FIRST].stream.keep_account(), ibkr[SECOND].stream.keep_account():
        world.clock.sleep(40)
        before = world.count("GET /iserver/account/orders")

        listed = {name: [row["orderId"] for row in ibkr[name].get_open_orders()] for name in ibkr}
        asked = world.count("GET /iserver/account/orders") - before

    assert listed == {name: [ids[name]] for name in ibkr}
    assert asked == 0


@pytest.mark.parametrize("answer", ["reset", "close"])
def test_a_selection_whose_answer_was_lost_is_looked_at_and_not_believed(world, answer):
    """It may have been made; nothing of the call that needed it has left."""
    ibkr = desks(world, FIRST, SECOND)
    ids = {name: ibkr[name].place_limit_order("AAPL", "buy", 1, 100)["orderId"] for name in ibkr}
    world.arm("F03", "POST /iserver/account", variant=answer, times=1)

    with pytest.raises(BrokerageUnavailable, match=f"does not surely answer for {FIRST}") as lost:
        ibkr[FIRST].orders.status(ids[FIRST])
    order = ibkr[FIRST].orders.status(ids[FIRST])

    assert lost.value.repeatable
    assert order.state.may_fill


def test_a_session_that_is_lost_before_an_order_leaves_sends_it_in_the_next_one(world):
    """It was to be selected for; the order leaves once, when the session answers for its account."""
    ibkr = desks(world, FIRST, SECOND)
    for desk in ibkr.values():
        desk.place_limit_order("AAPL", "buy", 1, 100)
    world.doorway.before["POST /iserver/account"] = functools.partial(lose_once, world, [])

    ibkr[FIRST].place_limit_order("AAPL", "buy", 2, 162)

    assert len(world.orders(account=FIRST)) == 2
    assert world.gateway.world.sessions.brokerage.selected == FIRST


def test_a_session_that_is_lost_while_it_is_switched_by_hand_is_switched_in_the_next_one(world):
    ibkr = desks(world, FIRST, SECOND)
    ibkr[SECOND].place_limit_order("AAPL", "buy", 1, 100)
    world.doorway.before["POST /iserver/account"] = functools.partial(lose_once, world, [])

    ibkr[FIRST].portfolio.switch()

    assert world.gateway.world.sessions.brokerage.selected == FIRST
