"""The main job over every floor, without sockets and without waiting."""

from __future__ import annotations

from decimal import Decimal

import pytest
from worlds import AAPL, MSFT, TOKEN_CALLS

from crowd import at_once
from ibkr_adapter.errors import ConfigurationError, InvalidOrder

EVERY_LOGIN = True


def test_a_limit_bracket_costs_eight_requests_from_a_cold_start(world, ibkr):
    """The promise of the README: eight to the acknowledgement, then one look at each leg."""
    ibkr.place_bracket_order("AAPL", "buy", "limit", 10, 162, take_profit_price=170, stop_loss_price=150)

    sent = [f"{method} {path}" for method, path, _ in world.doorway.sent]
    placed = sent.index("POST /iserver/account/DU1234567/orders")
    # A login by tokens makes its own calls before them.
    assert placed + 1 <= 8 + len(TOKEN_CALLS[world.login])
    assert all("order/status" in call for call in sent[placed + 1 :])
    assert len(sent) - placed - 1 == 3


def test_a_warm_limit_bracket_costs_one_request(world, ibkr):
    ibkr.place_bracket_order("AAPL", "buy", "limit", 10, 162, take_profit_price=170, stop_loss_price=150)
    before = len(world.doorway.sent)

    ibkr.place_bracket_order("AAPL", "buy", "limit", 5, 161, take_profit_price=171, stop_loss_price=149)

    sent = [path for _, path, _ in world.doorway.sent[before:]]
    assert sent[0].endswith("/orders")
    assert all("order/status" in path for path in sent[1:])


def test_a_bracket_is_one_submission_with_linked_legs(world, ibkr):
    """An exit can never open a position: the children hang on the entry."""
    legs = ibkr.place_bracket_order(
        "AAPL", "buy", "limit", 10, 162, take_profit_price=170, stop_loss_price=150
    )

    entry = int(legs["entryOrder"]["orderId"])
    rows = world.orders()
    assert world.count("POST /iserver/account/{accountId}/orders") == 1
    assert [row["parent_id"] for row in rows].count(entry) == 2
    assert legs["takeProfitOrder"]["price"] == 170
    assert legs["stopLossOrder"]["stopPrice"] == 150


def test_a_market_bracket_fills_and_its_exits_protect(world, ibkr):
    legs = ibkr.place_bracket_order(
        "AAPL", "BUY", "market", "3", take_profit_price=173.5, stop_loss_price="161.20"
    )

    assert legs["entryOrder"]["status"] == "filled"
    assert legs["entryOrder"]["avgPrice"] > 0
    position = ibkr.get_position("AAPL")
    assert position["positionAmt"] == "3"
    assert position["symbol"] == "AAPL"
    open_orders = ibkr.get_open_orders("AAPL")
    assert {order["type"] for order in open_orders} == {"limit", "stop"}
    assert {order["side"] for order in open_orders} == {"sell"}


def test_a_close_ends_the_exits_first_and_leaves_nothing(world, ibkr):
    ibkr.place_bracket_order("AAPL", "buy", "market", 3, take_profit_price=173.5, stop_loss_price=161.2)

    ack = ibkr.close_position("AAPL", "SELL", 3)

    assert ack["status"] == "filled"
    assert ack["side"] == "SELL"
    assert ibkr.get_position("AAPL") is None
    assert world.working() == []
    assert world.position() == 0


def test_balance_and_margin_are_the_accounts_own(ibkr):
    rows = ibkr.get_balance()

    assert rows[0] == {"asset": "USD", "availableBalance": 1000000, "balance": 1000000}
    assert ibkr.get_available_margin() == 4000000.0


def test_the_first_two_calls_in_parallel_log_in_once(world):
    """Hosts ask for margin and price at once, each on an object of its own."""
    first, second = world.exchange(), world.exchange()
    results: dict[str, object] = {}

    at_once(
        world,
        lambda: results.update(margin=first.get_available_margin()),
        lambda: results.update(ticker=second.get_ticker("AAPL")),
    )

    assert results["margin"] == 4000000.0
    assert Decimal(results["ticker"]["lastPrice"]) > 0
    assert world.count("POST /iserver/auth/ssodh/init") == 1


def test_a_live_account_is_refused_unless_production_is_written(tmp_path):
    from worlds import World

    from ibkr_adapter.doors import Doors
    from ibkr_adapter.simulator.gateway import Gateway

    world = World(tmp_path)
    world.gateway = world.doorway.gateway = Gateway(world.clock, account="U7654321")
    assert isinstance(world.doors, Doors)

    with pytest.raises(ConfigurationError, match="LIVE"):
        world.exchange().place_market_order("AAPL", "buy", 1)
    ack = world.exchange(environment="production", compete=False).place_market_order("AAPL", "buy", 1)

    assert ack["status"] == "filled"
    assert len(world.orders()) == 1
    world.close()


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        (("AAPL", "buy", "limit", 10, 160), {"take_profit_price": 159, "stop_loss_price": 150}),
        (("AAPL", "buy", "limit", 10, 160), {"take_profit_price": 170, "stop_loss_price": 160}),
        (("AAPL", "sell", "limit", 10, 160), {"take_profit_price": 170, "stop_loss_price": 150}),
        (("AAPL", "buy", "market", 10), {"stop_loss_price": 900}),
        (("AAPL", "buy", "limit", 0, 160), {"stop_loss_price": 150}),
        (("AAPL", "buy", "limit", 0.4, 160), {"stop_loss_price": 150}),
        (("AAPL", "hold", "limit", 1, 160), {"stop_loss_price": 150}),
        (("AAPL", "buy", "iceberg", 1, 160), {"stop_loss_price": 150}),
        (("AAPL", "buy", "limit", 1, "NaN"), {"stop_loss_price": 150}),
        (("AAPL", "buy", "limit", 1, 160), {}),
        (("AAPL", "buy", "limit", 1, 160), {"stop_loss_price": 150, "trailing_percent": 2}),
    ],
)
def test_a_bracket_that_makes_no_sense_sends_nothing(world, ibkr, arguments, keywords):
    with pytest.raises(InvalidOrder, match="othing was sent"):
        ibkr.place_bracket_order(*arguments, **keywords)

    assert world.orders() == []


def test_prices_snap_by_the_rounding_rules(world, ibkr):
    """A buyer pays no more, stops go away from the market, targets toward it."""
    legs = ibkr.place_bracket_order(
        "AAPL", "buy", "limit", 10, 162.019, take_profit_price=170.019, stop_loss_price=150.019
    )

    assert legs["entryOrder"]["price"] == 162.01
    assert legs["takeProfitOrder"]["price"] == 170.01
    assert legs["stopLossOrder"]["stopPrice"] == 150.01


def test_quantities_are_floored_and_answered(world, ibkr):
    ack = ibkr.place_market_order("AAPL", "buy", 3.64)

    assert ack["quantity"] == 3
    assert world.position() == 3


def test_two_objects_of_one_login_must_agree_on_the_connection(world):
    world.exchange().get_available_margin()

    with pytest.raises(ConfigurationError, match="compete"):
        world.exchange(compete=True).get_available_margin()


def test_the_callers_spelling_is_echoed(world, ibkr):
    ibkr.place_market_order("BRK.B", "buy", 1)

    assert ibkr.get_positions()[0]["symbol"] == "BRK.B"
    assert ibkr.get_ticker("MSFT")["symbol"] == "MSFT"
    assert ibkr.contracts.resolve(f"{MSFT}@SMART").conid == MSFT
    assert ibkr.contracts.resolve("NASDAQ:AAPL").conid == AAPL


def test_fractions_need_the_setting_the_rules_and_the_account(tmp_path):
    """All three, or the quantity is floored to whole shares."""
    from worlds import World

    allowed = World(tmp_path, fractions=True)
    refused = World(tmp_path, fractions=False)

    assert allowed.exchange(allow_fractional=True).place_market_order("AAPL", "buy", "1.5")["quantity"] == 1.5
    assert allowed.exchange().place_market_order("AAPL", "buy", "1.5")["quantity"] == 1
    assert refused.exchange(allow_fractional=True).place_market_order("AAPL", "buy", "1.5")["quantity"] == 1
    allowed.close()
    refused.close()


def test_a_live_account_may_be_read_and_its_orders_cancelled_without_permission_to_trade(tmp_path):
    """What reduces risk is never refused."""
    from worlds import World

    from ibkr_adapter.simulator.gateway import Gateway

    world = World(tmp_path)
    world.gateway = world.doorway.gateway = Gateway(world.clock, account="U7654321")
    order_id = world.exchange(environment="production").place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    careful = world.exchange()

    assert len(careful.get_open_orders()) == 1
    assert careful.cancel_order("AAPL", order_id)["status"] == "canceled"
    with pytest.raises(ConfigurationError, match="LIVE"):
        careful.close_position("AAPL")
    world.close()
