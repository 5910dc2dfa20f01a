"""What the host reads back, in its own shapes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from worlds import AAPL, MSFT

from ibkr_adapter.errors import (
    AmbiguousContract,
    ApiError,
    ConfigurationError,
    ContractNotFound,
    InvalidOrder,
    OrderRejected,
)
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.order import OrderType, Side, Tif
from ibkr_adapter.simulator.door import Answer

EVERY_LOGIN = True


def test_positions_have_the_hosts_shape(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 5)

    (position,) = ibkr.get_positions()

    assert set(position) == {
        "symbol",
        "positionAmt",
        "entryPrice",
        "markPrice",
        "unRealizedProfit",
        "unrealizedProfit",
        "notional",
        "positionSide",
        "leverage",
    }
    assert position["positionAmt"] == "5"
    assert isinstance(position["entryPrice"], float)
    assert ibkr.has_open_position("AAPL") is True
    assert ibkr.has_open_position("MSFT") is False
    assert ibkr.get_position("MSFT") is None


def test_a_ticker_is_text_and_says_how_fresh_it_is(ibkr):
    ticker = ibkr.get_ticker("AAPL")

    assert ticker["symbol"] == "AAPL"
    assert Decimal(ticker["lastPrice"]) > 0
    assert ticker["price"] == ticker["lastPrice"]
    assert ticker["realTime"] is True
    assert ticker["code"]
    assert ibkr.fetch_ticker("AAPL")["last"] > 0


@pytest.mark.parametrize("code", ["N", "O"])
def test_without_a_price_the_ticker_raises_and_never_says_zero(world, ibkr, code):
    world.gateway.set_options({"availability": {"*": code}})

    with pytest.raises(ApiError, match="no price"):
        ibkr.get_ticker("AAPL")
    with pytest.raises(ApiError, match="no price"):
        ibkr.fetch_ticker("AAPL")


@pytest.mark.parametrize("code", ["DPB", "ZB", "YB"])
def test_sizes_are_not_computed_from_prices_that_are_not_of_this_moment(world, code):
    world.gateway.set_options({"availability": {"*": code}})

    with pytest.raises(InvalidOrder, match=code) as refused:
        world.exchange().sizing_price("AAPL")

    assert "allow_delayed_prices" in refused.value.remedy
    assert world.exchange(allow_delayed_prices=True).sizing_price("AAPL") > 0


@pytest.mark.parametrize(("prefix", "word"), [("H", "halted"), ("C", "prior close")])
def test_halted_and_prior_close_prices_size_nothing(world, ibkr, prefix, word):
    world.gateway.set_options({"price_prefix": {str(AAPL): prefix}})

    with pytest.raises(InvalidOrder, match=word):
        ibkr.sizing_price("AAPL")


def test_orders_are_listed_by_symbol_and_state(world, ibkr):
    done = ibkr.place_market_order("AAPL", "buy", 1)
    rests = ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert [row["id"] for row in ibkr.get_open_orders()] == [rests["orderId"]]
    assert [row["id"] for row in ibkr.get_orders("AAPL")] == [done["orderId"]]
    assert len(ibkr.get_all_orders(None, 1)) == 1
    assert ibkr.get_open_orders("AAPL") == []
    row = ibkr.get_order("MSFT", rests["orderId"])
    assert (row["status"], row["side"], row["type"], row["price"]) == ("open", "buy", "limit", 300)
    assert ibkr.get_order(None, done["orderId"])["symbol"] == "AAPL"


def test_fills_come_newest_first(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 1)
    world.pass_time(5)
    ibkr.place_market_order("MSFT", "buy", 1)
    world.pass_time(5)

    fills = ibkr.get_trade_history()

    assert [fill["symbol"] for fill in fills] == ["MSFT", "AAPL"]
    assert fills[0]["side"] == "BUY"
    assert fills[0]["commission"] >= 0
    assert len(ibkr.get_trade_history("AAPL", 1)) == 1


def test_an_order_is_found_by_its_coid(world, ibkr):
    ack = ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert ibkr.find_order(ack["clientOrderId"])["orderId"] == ack["orderId"]
    assert ibkr.find_order("ibka-nobody") is None


def test_a_filled_order_is_found_by_its_coid_too(world, ibkr):
    ack = ibkr.place_market_order("AAPL", "buy", 1)

    assert ibkr.find_order(ack["clientOrderId"])["status"] == "filled"


def test_an_unknown_order_id_is_told(ibkr):
    with pytest.raises(OrderRejected, match="status"):
        ibkr.get_order("AAPL", 999999999)
    with pytest.raises(OrderRejected, match="lists no order"):
        ibkr.cancel_order("AAPL", 999999999)


def test_a_balance_summary_has_the_dashboards_names(ibkr):
    summary = ibkr.get_balance_summary()

    assert summary["success"] is True
    assert summary["exchange"] == "Interactive Brokers"
    assert summary["balance"] == summary["equity"] == 1000000
    assert summary["currency"] == "USD"
    assert summary["accountType"] == "paper"
    assert summary["totalUnrealizedPnl"] == 0


def test_waiting_for_an_order_ends_with_it_or_with_the_time(world, ibkr):
    done = ibkr.place_market_order("AAPL", "buy", 1)
    rests = ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert ibkr.wait_for(done["orderId"])["status"] == "filled"
    assert ibkr.wait_for(rests["orderId"], timeout=5)["status"] == "open"
    assert ibkr.wait_for(done["orderId"], timeout=float("inf"))["status"] == "filled"
    for wrong in (-1, float("nan")):
        with pytest.raises(InvalidOrder, match="no time to wait"):
            ibkr.wait_for(rests["orderId"], timeout=wrong)


@pytest.mark.parametrize(
    "symbol", ["", "   ", None, 265598, "265598", "A" * 300, "AA\nPL", "DROP;TABLE", "conid:0"]
)
def test_what_is_no_symbol_sends_nothing(world, ibkr, symbol):
    ibkr.open()
    before = len(world.doorway.sent)

    with pytest.raises(ContractNotFound):
        ibkr.get_ticker(symbol)

    assert len(world.doorway.sent) == before


def test_an_unknown_symbol_is_not_found_and_near_names_are_offered(ibkr):
    with pytest.raises(ContractNotFound, match="ZZZZ"):
        ibkr.get_ticker("ZZZZ")


def test_a_symbol_of_two_companies_is_ambiguous(ibkr):
    """GOLD is two companies here; picking one would be a guess with money."""
    with pytest.raises(AmbiguousContract) as refused:
        ibkr.place_market_order("GOLD", "buy", 1)

    assert len(refused.value.candidates) >= 2
    for candidate in refused.value.candidates:
        assert candidate.write in str(refused.value)
        assert ibkr.contracts.resolve(candidate.write).conid == candidate.conid


def test_a_listing_that_does_not_exist_is_told_with_those_that_do(ibkr):
    with pytest.raises(ContractNotFound, match="not listed on FWB") as refused:
        ibkr.contracts.resolve("FWB:MSFT")

    assert "NASDAQ" in refused.value.remedy


def test_a_conid_that_nobody_knows_is_not_found(ibkr):
    with pytest.raises(ContractNotFound):
        ibkr.contracts.resolve("conid:123456789")


def test_listings_survive_a_restart_on_disk(world, tmp_path):
    first = world.exchange()
    first.get_ticker("AAPL")
    first.close()

    world.exchange().get_ticker("AAPL")

    assert world.count("GET /trsrv/stocks") == 1


def test_a_broken_cache_costs_requests_and_not_safety(world, tmp_path, caplog):
    (tmp_path / "contracts.sqlite3").mkdir()

    exchange = world.exchange()
    exchange.get_ticker("AAPL")
    exchange.get_ticker("MSFT")

    warnings = [record for record in caplog.records if "memory only" in record.message]
    assert len(warnings) == 1


def test_the_simulator_is_there_only_where_it_was_asked_for(ibkr):
    with pytest.raises(ConfigurationError, match="no simulator"):
        _ = ibkr.simulator


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("IBKR_ADAPTER_BASE_URL", "http://127.0.0.1:5001/v1/api")
    monkeypatch.setenv("IBKR_ADAPTER_ALLOW_SHORT", "false")

    found = IBKRExchange.from_env()

    assert found.settings.base_url.endswith(":5001/v1/api")
    assert found.settings.allow_short is False


def test_a_query_behind_the_path_is_sent_as_parameters(ibkr):
    """And signed like them; what is given beside the path goes first."""
    assert list(ibkr.request("GET", "/trsrv/stocks?symbols=AAPL")) == ["AAPL"]
    assert list(ibkr.request("GET", "/trsrv/stocks?symbols=AAPL#top", {"symbols": "MSFT"})) == ["MSFT"]
    assert list(ibkr.request("GET", "/trsrv/stocks", {"symbols": "AAPL,MSFT", "more": None})) == [
        "AAPL",
        "MSFT",
    ]


def test_the_free_road_reads_and_changes(world, ibkr):
    assert ibkr.request("GET", "/iserver/accounts")["accounts"] == ["DU1234567"]
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]

    answer = ibkr.request("DELETE", f"/iserver/account/DU1234567/order/{order_id}")

    assert "submitted" in answer["msg"]
    world.pass_time(5)
    with pytest.raises(ApiError, match="HTTP 400"):
        ibkr.request("DELETE", f"/iserver/account/DU1234567/order/{order_id}")


def test_listeners_hear_of_every_request_until_they_stop(ibkr):
    heard = []
    stop = ibkr.on_call(heard.append)
    ibkr.get_available_margin()
    count = len(heard)

    stop()
    ibkr.get_available_margin()

    assert count == len(heard) > 0
    assert all(call.status == 200 for call in heard)


def test_a_listener_that_raises_does_not_lose_the_answer_to_an_order(world, ibkr):
    """The order has left when the listener is told: its error would stand where the acknowledgement was."""

    def broken(_):
        raise ValueError("no display")

    ibkr.on_call(broken)

    ack = ibkr.place_market_order("AAPL", "buy", 1)

    assert ack["status"] == "filled"
    assert len(world.orders()) == 1


def test_otoco_answers_with_the_real_ids_of_both_exits(world, ibkr):
    ack = ibkr.place_otoco_order("AAPL", "buy", 2, "market", None, 175, 155)

    assert {ack["takeProfitOrderId"], ack["stopLossOrderId"]} == {
        str(row["order_id"]) for row in world.working()
    }


def test_otoco_takes_a_trailing_stop_from_its_options(world, ibkr):
    ibkr.place_otoco_order("AAPL", "buy", 2, "market", None, 175, 155, {"trailingStop": 2})

    assert {row["type"] for row in ibkr.get_open_orders()} == {"limit", "trailing_stop"}


@pytest.mark.parametrize(
    ("order_type", "prices"),
    [("stop", {"price": 168}), ("stop_limit", {"price": 168.5, "stop_price": 168})],
)
def test_stop_entries_carry_exits_too(world, ibkr, order_type, prices):
    legs = ibkr.place_bracket_order(
        "AAPL", "buy", order_type, 2, **prices, take_profit_price=180, stop_loss_price=160
    )

    assert legs["entryOrder"]["type"] == order_type
    assert len(world.working()) == 3


def test_many_quotes_come_in_chunks(world, ibkr):
    quotes = ibkr.market_data.quotes([AAPL, MSFT])

    assert set(quotes) == {AAPL, MSFT}
    assert quotes[AAPL].bid < quotes[AAPL].ask
    ibkr.market_data.free([AAPL, MSFT])
    ibkr.market_data.free([AAPL])
    assert ibkr.market_data.quote(AAPL).last is not None


def test_the_portfolio_desk_reads_values(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 2)

    (position,) = ibkr.portfolio.paged("DU1234567") or ibkr.portfolio.positions("DU1234567")

    assert position.sec_type is SecType.STOCK
    assert position.quantity == 2
    assert any(row.currency == "USD" for row in ibkr.portfolio.ledger("DU1234567"))
    assert ibkr.portfolio.profit()[0].account_id == "DU1234567"


def test_positions_over_several_pages_are_all_there(tmp_path):
    from worlds import World

    world = World(tmp_path, filler_positions=230)

    positions = world.exchange().portfolio.paged("DU1234567")

    assert len(positions) == 230
    world.close()


def test_several_accounts_must_be_named(tmp_path):
    from worlds import World

    world = World(tmp_path, accounts=["DU7777777"])

    with pytest.raises(ConfigurationError, match="DU7777777"):
        world.exchange().get_balance()
    with pytest.raises(ConfigurationError, match="several accounts"):
        world.exchange().place_market_order("AAPL", "buy", 1)
    with pytest.raises(ConfigurationError, match="not an account"):
        world.exchange(account_id="DU1").get_balance()
    with pytest.raises(ConfigurationError, match="cannot be traded"):
        world.exchange(account_id="DU1").place_market_order("AAPL", "buy", 1)
    ack = world.exchange(account_id="DU7777777").place_market_order("AAPL", "buy", 1)

    (row,) = world.orders(order_id=int(ack["orderId"]))
    assert row["account"] == "DU7777777"
    world.close()


def test_the_typed_desk_places_and_finds(world, ibkr):
    placed = ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        limit_price=Decimal(162),
        tif=Tif.GTC,
    )

    assert ibkr.orders.find(placed.coid).order_id == placed.entry.order_id
    assert ibkr.orders.status(placed.entry.order_id).tif is Tif.GTC
    with pytest.raises(InvalidOrder, match="not placed here"):
        ibkr.orders.modify(424242, quantity=Decimal(2))


@pytest.mark.parametrize("quantity", ["x", None, True, "inf", -1, 0, [1]])
def test_a_quantity_that_is_none_is_refused(world, ibkr, quantity):
    with pytest.raises(InvalidOrder, match="quantity"):
        ibkr.place_market_order("AAPL", "buy", quantity)

    assert world.orders() == []


@pytest.mark.parametrize(("limit", "kind"), [(None, "stop"), (168.5, "stop_limit")])
def test_a_stop_entry_stands_alone(world, ibkr, limit, kind):
    ack = ibkr.place_stop_order("AAPL", "buy", 2, 168, limit)

    assert (ack["type"], ack["stopPrice"], ack["price"]) == (kind, 168, limit)
    assert len(world.working()) == 1


def test_a_modification_on_a_live_account_needs_permission_too(tmp_path):
    from worlds import World

    from ibkr_adapter.simulator.gateway import Gateway

    world = World(tmp_path)
    world.gateway = world.doorway.gateway = Gateway(world.clock, account="U7654321")
    order_id = world.exchange(environment="production").place_limit_order("AAPL", "buy", 1, 162)["orderId"]

    with pytest.raises(ConfigurationError, match="LIVE"):
        world.exchange().orders.modify(order_id, quantity=Decimal(5))
    world.close()


def test_without_near_real_time_positions_the_brokers_cache_is_dropped_first(world, ibkr):
    """A close is clamped on fresh figures wherever they come from."""
    ibkr.place_market_order("AAPL", "buy", 2)
    ibkr.portfolio.paged("DU1234567")
    ibkr.place_market_order("AAPL", "buy", 3)
    handle = world.gateway.handle

    def without_portfolio2(request):
        if request.path.startswith("/v1/api/portfolio2"):
            return Answer(
                status=404, headers=(("Content-Type", "text/html"),), body=b"<h1>Resource not found</h1>"
            )
        return handle(request)

    world.gateway.handle = without_portfolio2

    (position,) = ibkr.portfolio.positions("DU1234567")

    assert position.quantity == 5
    assert world.count("POST /portfolio/{accountId}/positions/invalidate") == 1
