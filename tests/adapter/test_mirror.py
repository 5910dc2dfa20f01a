"""What an account holds and has ordered, answered from the stream only where that is proven."""

from __future__ import annotations

from decimal import Decimal

import pytest
from stream_door import ScriptedServer
from worlds import AAPL, MSFT, World

from ibkr_adapter.exchange import IBKRExchange

POSITIONS = "GET /portfolio2/{accountId}/positions"
ORDERS = "GET /iserver/account/orders"
REAL_TIME = {"31": "170.00", "7635": "170.50", "6509": "RpB"}


@pytest.fixture
def server(world: World) -> ScriptedServer:
    made = ScriptedServer(world.clock)
    world.doors = made.doors(world.doors)
    return made


@pytest.fixture
def ibkr(world: World, server: ScriptedServer) -> IBKRExchange:
    return world.exchange()


def beats(world, server, seconds):
    """Let time pass as it does on a healthy line."""
    for _ in range(int(seconds // 5)):
        world.clock.sleep(5)
        server.say({"topic": "system", "hb": 1})
    world.clock.sleep(0.01)


def asked(world, ask, *templates):
    """What ``ask`` answers, and how many requests it cost."""
    before = [world.count(template) for template in templates]
    answer = ask()
    return answer, sum(world.count(template) for template in templates) - sum(before)


def held(world, server, ibkr, **quote):
    """An exchange with ten shares, whose mirror has read them when all was quiet."""
    ibkr.place_market_order("AAPL", "buy", 10)
    ibkr.stream.keep_account()
    beats(world, server, 20)
    ibkr.get_positions()
    beats(world, server, 10)
    ibkr.get_positions()
    beats(world, server, 5)
    server.say({"topic": f"smd+{AAPL}", "conid": AAPL, **(quote or REAL_TIME)})
    world.clock.sleep(0.01)


def test_positions_cost_no_request_and_have_the_price_of_this_moment(ibkr, server, world):
    held(world, server, ibkr)

    (position,), requests = asked(world, ibkr.get_positions, POSITIONS)

    assert requests == 0
    assert (position["positionAmt"], position["markPrice"]) == ("10", 170.5)
    assert position["notional"] == 1705
    assert position["unRealizedProfit"] == pytest.approx((170.5 - position["entryPrice"]) * 10)
    assert asked(world, lambda: ibkr.get_position("AAPL")["positionAmt"], POSITIONS) == ("10", 0)
    assert asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS) == (True, 0)
    assert asked(world, lambda: ibkr.has_open_position("MSFT"), POSITIONS) == (False, 0)


def test_without_a_mirror_everything_is_read(ibkr, server, world):
    held(world, server, ibkr)
    ibkr.stream.keep_account().close()

    assert asked(world, ibkr.get_positions, POSITIONS)[1] == 1
    assert asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1] == 1


FILL = {"execution_id": "9", "side": "S", "size": 1, "price": "170", "account": "DU1234567", "conid": AAPL}


@pytest.mark.parametrize(
    "news",
    [
        {"topic": "str", "args": [FILL]},
        {"topic": "str", "args": [{**FILL, "side": "ASSN"}]},
        {"topic": "str", "args": [{**FILL, "size": "many"}]},
        {"topic": "sor", "args": [{"orderId": 0, "filledQuantity": 11.0, "remainingQuantity": 0.0}]},
    ],
    ids=["an execution", "an assignment", "an unreadable execution", "a fill of an order"],
)
def test_whatever_may_have_changed_a_position_has_it_read_until_that_is_quiet(ibkr, server, world, news):
    """IBKR's positions may lag behind the execution, so a read at once proves nothing either."""
    held(world, server, ibkr)
    for row in news["args"]:
        if row.get("orderId") == 0:
            row["orderId"] = int(world.orders()[0]["order_id"])
    server.say(news)
    world.clock.sleep(0.01)

    costs = [asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1]]
    world.clock.sleep(2)
    costs.append(asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1])
    beats(world, server, 10)
    costs += [asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1] for _ in range(2)]

    assert costs == [1, 1, 1, 0]


def test_a_change_of_ours_has_positions_read(ibkr, server, world):
    """The fill is known to this process before the stream tells of it."""
    held(world, server, ibkr)
    ibkr.place_market_order("AAPL", "buy", 5)

    (position,), requests = asked(world, ibkr.get_positions, POSITIONS)

    assert (position["positionAmt"], requests) == ("15", 1)


def test_a_lost_line_proves_nothing_and_neither_does_the_next_one_by_itself(ibkr, server, world):
    held(world, server, ibkr)
    server.link.break_off()
    world.clock.sleep(0.1)
    down = asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1]
    beats(world, server, 20)
    again = [asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1] for _ in range(2)]
    beats(world, server, 10)
    ibkr.has_open_position("AAPL")

    assert (down, again) == (1, [1, 1])
    assert asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1] == 0
    # The mark that was known before the gap is no price of this moment.
    assert asked(world, ibkr.get_positions, POSITIONS)[1] == 1


def test_a_silent_line_proves_nothing(ibkr, server, world):
    """A half-open one takes everything and tells nothing."""
    held(world, server, ibkr)
    server.answers["tic"] = []
    world.clock.sleep(34)
    known = asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1]
    world.clock.sleep(1.05)

    assert known == 0
    assert asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1] == 1


def test_nothing_is_believed_for_longer_than_five_minutes(ibkr, server, world):
    """Transfers and splits make no sound."""
    held(world, server, ibkr)
    beats(world, server, 300)

    assert asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1] == 1


@pytest.mark.parametrize(
    "quote",
    [
        {"31": "170.00", "6509": "RpB"},
        {"7635": "170.50"},
        {**REAL_TIME, "6509": "DPB"},
        {**REAL_TIME, "31": "H170"},
    ],
    ids=["no mark", "of unknown age", "delayed", "halted"],
)
def test_a_price_that_is_not_of_this_moment_is_read(ibkr, server, world, quote):
    held(world, server, ibkr, **quote)

    assert asked(world, ibkr.get_positions, POSITIONS)[1] == 1
    assert asked(world, lambda: ibkr.has_open_position("AAPL"), POSITIONS)[1] == 0


def test_orders_cost_no_request_and_stand_as_the_stream_says(ibkr, server, world):
    order_id = ibkr.place_limit_order("AAPL", "buy", 10, 162)["orderId"]
    ibkr.stream.keep_account()
    beats(world, server, 20)
    server.say(
        {
            "topic": "sor",
            "args": [{"orderId": int(order_id), "filledQuantity": 4.0, "remainingQuantity": 6.0}],
        }
    )
    world.clock.sleep(0.01)

    (row,), requests = asked(world, ibkr.get_open_orders, ORDERS)

    assert requests == 0
    assert (row["orderId"], row["filledQuantity"], row["status"]) == (order_id, 4, "partially_filled")
    assert asked(world, lambda: len(ibkr.get_orders("AAPL")), ORDERS) == (1, 0)
    assert asked(world, lambda: ibkr.get_orders("MSFT"), ORDERS) == ([], 0)


def test_a_change_of_ours_has_orders_read_once(ibkr, server, world):
    """The order just placed must be in the list, whether the stream has told of it or not."""
    ibkr.stream.keep_account()
    beats(world, server, 20)
    order_id = ibkr.place_limit_order("AAPL", "buy", 10, 162)["orderId"]

    rows, requests = asked(world, ibkr.get_open_orders, ORDERS)
    beats(world, server, 10)

    assert ([row["orderId"] for row in rows], requests) == ([order_id], 1)
    assert asked(world, lambda: len(ibkr.get_open_orders()), ORDERS) == (1, 0)


def test_a_read_that_is_offered_takes_nothing_back(ibkr, server, world):
    """It was begun before the frame that came meanwhile."""
    ibkr.stream.keep_account()
    beats(world, server, 20)
    order_id = ibkr.place_limit_order("AAPL", "buy", 10, 162)["orderId"]
    ibkr.get_open_orders()
    beats(world, server, 10)
    ibkr.place_limit_order("MSFT", "buy", 1, 300)
    server.say({"topic": "sor", "args": [{"orderId": int(order_id), "price": "161.50"}]})
    world.clock.sleep(0.01)
    ibkr.get_open_orders()
    world.clock.sleep(0.01)

    rows, requests = asked(world, ibkr.get_open_orders, ORDERS)

    assert requests == 0
    assert {row["symbol"].split(".")[0]: row["price"] for row in rows} == {"AAPL": 161.5, "MSFT": 300}


def test_an_order_in_an_unknown_state_has_orders_read(ibkr, server, world):
    order_id = ibkr.place_limit_order("AAPL", "buy", 10, 162)["orderId"]
    ibkr.stream.keep_account()
    beats(world, server, 20)
    server.say({"topic": "sor", "args": [{"orderId": int(order_id), "status": "Levitating"}]})
    world.clock.sleep(0.01)

    assert asked(world, ibkr.get_open_orders, ORDERS)[1] == 1


def test_what_ends_and_protects_reads_for_itself(ibkr, server, world):
    """A close is never sized from a mirror, and a sweep ends what IBKR lists."""
    held(world, server, ibkr)
    before = world.count(POSITIONS)

    closed = ibkr.close_position("AAPL")

    assert closed["quantity"] == 10
    assert world.count(POSITIONS) > before


def test_keeping_an_account_twice_is_keeping_it_once(ibkr, server, world):
    with ibkr.stream.keep_account() as first:
        assert ibkr.stream.keep_account() is first
        beats(world, server, 20)
        assert server.texts("sor") == ["sor+{}"]

    with ibkr.stream.keep_account() as again:
        assert again is not first


def test_two_contracts_are_priced_each_by_its_own_quote(ibkr, server, world):
    ibkr.place_market_order("MSFT", "sell", 2)
    held(world, server, ibkr)
    server.say({"topic": f"smd+{MSFT}", "conid": MSFT, "31": "300", "7635": "301", "6509": "RpB"})
    world.clock.sleep(0.01)

    rows, requests = asked(world, ibkr.get_positions, POSITIONS)

    assert requests == 0
    assert {row["positionAmt"]: (row["markPrice"], row["notional"]) for row in rows} == {
        "10": (170.5, 1705),
        "-2": (301, -602),
    }
    assert Decimal(str(rows[0]["markPrice"])) != Decimal(str(rows[1]["markPrice"]))
