"""What a gateway that has not all of the API is still used for: what it lacks is asked for otherwise, or told as missing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from answers import AAPL, Desk, Page
from scripted import ACCOUNT

from ibkr_adapter.errors import (
    AmbiguousContract,
    ApiError,
    BrokerageUnavailable,
    ConfigurationError,
    InvalidOrder,
    OrderOutcomeUnknown,
    OrderRejected,
    OutcomeUnknown,
)

UP = {"connected": True, "authenticated": True, "established": True, "competing": False}
ROW = {"acctId": ACCOUNT, "conid": AAPL, "contractDesc": "AAPL", "position": 3.0, "currency": "USD"}
LIVE = "GET /iserver/account/orders"
SEARCH = "GET /iserver/secdef/search"


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=[404, 405, 501])
def lacks(desk, request):
    """Take some questions from the gateway."""

    def take(*names):
        for name in names:
            desk.book.book[name] = Page(request.param, {"error": "not found"})

    return take


# The session ----------------------------------------------------------------------------------


def test_the_status_is_asked_for_in_its_other_spelling(desk, lacks):
    lacks("POST /iserver/auth/status")
    desk.book.book["GET /iserver/auth/status"] = UP

    desk.exchange().open()

    assert desk.book.count("POST /iserver/auth/ssodh/init") == 0


def test_the_status_is_taken_from_a_tickle_where_nothing_else_tells_it(desk, lacks):
    lacks("POST /iserver/auth/status", "GET /iserver/auth/status")
    desk.book.book["POST /tickle"] = {"session": "s", "iserver": {"authStatus": UP}}

    desk.exchange().open()

    assert desk.book.count("POST /iserver/auth/ssodh/init") == 0


def test_a_session_of_which_nothing_tells_the_status_is_not_up(desk, lacks):
    lacks("POST /iserver/auth/status", "GET /iserver/auth/status")

    with pytest.raises(BrokerageUnavailable, match="cannot tell the state of the session"):
        desk.exchange().open()


# Contracts ------------------------------------------------------------------------------------


def hit(conid, exchange, symbol="AAPL", kind="STK"):
    return {
        "conid": str(conid),
        "symbol": symbol,
        "companyName": "APPLE INC",
        "description": exchange,
        "sections": [{"secType": kind}],
    }


def test_a_stock_is_searched_for_where_no_list_of_stocks_is(desk, lacks):
    """Only under exactly this symbol, and the one that is listed in the US."""
    lacks("GET /trsrv/stocks")
    desk.book.book[SEARCH] = [
        hit(38708077, "MEXI"),
        hit(AAPL, "NASDAQ"),
        hit(1, "NYSE", symbol="AAPLX"),
        hit(2, "NYSE", kind="IND"),
    ]

    assert desk.exchange().contracts.resolve("AAPL").conid == AAPL


def test_a_search_with_several_listings_abroad_decides_nothing(desk, lacks):
    lacks("GET /trsrv/stocks")
    desk.book.book[SEARCH] = [hit(38708077, "MEXI"), hit(3, "LSE")]

    with pytest.raises(AmbiguousContract):
        desk.exchange().contracts.resolve("AAPL")


def test_an_empty_answer_about_contract_and_rules_is_asked_for_one_by_one(desk):
    about = desk.book.contracts[AAPL]
    desk.book.book[f"GET /iserver/contract/{AAPL}/info-and-rules"] = {}
    desk.book.book[f"GET /iserver/contract/{AAPL}/info"] = about
    desk.book.book["POST /iserver/contract/rules"] = about["rules"]
    desk.book.listings["AAPL"] = AAPL

    assert desk.exchange().place_limit_order("AAPL", "buy", 1, 100)["status"] == "open"


DEFINED = {
    "conid": AAPL,
    "currency": "USD",
    "name": "APPLE INC",
    "assetClass": "STK",
    "ticker": "AAPL",
    "listingExchange": "NASDAQ",
    "incrementRules": [{"lowerEdge": 0.0, "increment": 0.05}],
}
DETAILS = (f"GET /iserver/contract/{AAPL}/info-and-rules", f"GET /iserver/contract/{AAPL}/info")
RULES = "POST /iserver/contract/rules"


def test_a_contract_without_rules_is_traded_on_the_ticks_of_its_definition(desk, lacks):
    lacks(*DETAILS, RULES)
    desk.book.listings["AAPL"] = AAPL
    desk.book.book["GET /trsrv/secdef"] = {"secdef": [DEFINED]}

    assert desk.exchange().place_limit_order("AAPL", "buy", 1, "99.97")["price"] == 99.95
    assert [ticket["conid"] for ticket in desk.book.tickets] == [AAPL]


def test_rules_are_kept_where_only_the_contract_is_not_told(desk, lacks):
    lacks(*DETAILS)
    desk.book.listings["AAPL"] = AAPL
    desk.book.book["GET /trsrv/secdef"] = {"secdef": [DEFINED]}
    desk.book.book[RULES] = desk.book.contracts[AAPL]["rules"] | {"orderTypes": ["market"]}

    with pytest.raises(InvalidOrder):
        desk.exchange().place_limit_order("AAPL", "buy", 1, 99)

    assert desk.book.tickets == []


def test_a_contract_of_which_nothing_is_told_is_not_traded(desk, lacks):
    lacks(*DETAILS, RULES)
    desk.book.listings["AAPL"] = AAPL

    with pytest.raises(ApiError, match="/iserver/contract/"):
        desk.exchange().place_limit_order("AAPL", "buy", 1, 99)

    assert desk.book.tickets == []


# Orders ---------------------------------------------------------------------------------------


def held(desk):
    """Three shares, and a list of stocks that has them."""
    desk.book.listings["AAPL"] = AAPL
    desk.book.book[f"GET /portfolio2/{ACCOUNT}/positions"] = [ROW | {"conid": str(AAPL)}]
    return desk.exchange()


@pytest.mark.parametrize("answer", [{"orders": []}, []])
def test_a_list_of_orders_that_is_empty_and_says_no_more_counts_at_the_second_time(desk, answer):
    desk.book.book[LIVE] = answer

    assert held(desk).close_position("AAPL")["quantity"] == 3
    assert desk.book.count(LIVE) >= 2


def test_a_list_of_orders_that_is_empty_and_says_no_more_proves_no_order_absent(desk):
    """It may be one that is not ready, and an order that is taken for absent would be sent once more."""
    desk.book.listings["AAPL"] = AAPL
    desk.book.book |= {
        LIVE: {"orders": []},
        "GET /iserver/account/trades": [],
        f"POST /iserver/account/{ACCOUNT}/orders": OutcomeUnknown("the line was cut"),
    }

    with pytest.raises(OrderOutcomeUnknown):
        desk.exchange().place_limit_order("AAPL", "buy", 1, 100)


def test_a_list_of_orders_that_calls_itself_not_ready_never_counts(desk):
    desk.book.book[LIVE] = {"orders": [], "snapshot": False}

    with pytest.raises(BrokerageUnavailable, match="does not list its orders yet"):
        held(desk).close_position("AAPL")

    assert desk.book.tickets == []


def listed(desk, **becomes):
    """An order that works, in the list and by its status."""
    ibkr = held(desk)
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 99)["orderId"]
    desk.book.rows[0] |= becomes
    return ibkr, order_id


def test_a_change_that_meets_nobody_is_told_as_not_done_at_once(desk, lacks):
    ibkr, order_id = listed(desk)
    lacks(
        f"DELETE /iserver/account/{ACCOUNT}/order/{order_id}",
        f"POST /iserver/account/{ACCOUNT}/order/{order_id}",
    )
    started = desk.clock.monotonic()

    with pytest.raises(OrderRejected, match="was not cancelled: not found"):
        ibkr.cancel_order("AAPL", order_id)
    with pytest.raises(OrderRejected, match="was not modified: not found"):
        ibkr.orders.modify(order_id, limit_price=Decimal(98))

    assert desk.clock.monotonic() - started < 1


def test_an_order_that_is_over_and_that_nobody_knows_any_more_is_told_as_it_ended(desk, lacks):
    ibkr, order_id = listed(desk, status="Filled", filledQuantity=1, remainingQuantity=0)
    lacks(f"DELETE /iserver/account/{ACCOUNT}/order/{order_id}")

    assert ibkr.cancel_order("AAPL", order_id)["status"] == "filled"


def test_a_status_without_the_order_is_completed_by_the_list(desk):
    ibkr, order_id = listed(desk)
    desk.book.book[f"GET /iserver/account/order/status/{order_id}"] = {
        "order_id": int(order_id),
        "order_status": "Submitted",
    }

    assert ibkr.get_order("AAPL", order_id)["price"] == 99


def test_an_empty_answer_about_trading_hours_tells_no_hours(desk):
    """Whether the market is open is for IBKR to say then."""
    desk.book.book["GET /contract/trading-schedule"] = {}

    assert held(desk).place_market_order("AAPL", "buy", 1)["status"] == "filled"


# Balances and positions -----------------------------------------------------------------------


def test_positions_are_read_by_page_where_there_is_no_cache_to_drop(desk, lacks):
    lacks(f"GET /portfolio2/{ACCOUNT}/positions", f"POST /portfolio/{ACCOUNT}/positions/invalidate")
    desk.book.book[f"GET /portfolio/{ACCOUNT}/positions/0"] = [ROW]

    assert desk.exchange().portfolio.position(AAPL).quantity == Decimal(3)


def test_a_cache_that_cannot_be_dropped_is_not_read(desk, lacks):
    """What is closed is never sized from it."""
    lacks(f"GET /portfolio2/{ACCOUNT}/positions")
    desk.book.book[f"POST /portfolio/{ACCOUNT}/positions/invalidate"] = Page(500, {"error": "no"})
    desk.book.book[f"GET /portfolio/{ACCOUNT}/positions/0"] = [ROW]

    with pytest.raises(ApiError):
        desk.exchange().portfolio.positions()


def test_what_may_be_bought_is_told_as_the_brokerage_session_sees_it(desk, lacks):
    lacks(f"GET /portfolio/{ACCOUNT}/summary")
    desk.book.book[f"GET /iserver/account/{ACCOUNT}/summary"] = {
        "netLiquidationValue": 101.0,
        "availableFunds": 90.0,
        "buyingPower": 360.0,
        "cashBalances": [{"currency": "Total (in USD)", "balance": 100.0}],
    }
    desk.book.book[f"GET /portfolio/{ACCOUNT}/ledger"] = {"BASE": {"cashbalance": 100.0, "currency": "BASE"}}
    ibkr = desk.exchange()

    assert ibkr.get_available_margin() == 360
    assert ibkr.get_balance() == [{"asset": "USD", "availableBalance": 90, "balance": 101}]


def test_a_login_without_accounts_is_not_said_to_have_several(desk):
    desk.book.book["GET /portfolio/accounts"] = []

    with pytest.raises(ConfigurationError, match="lists no account"):
        desk.exchange().get_balance()
