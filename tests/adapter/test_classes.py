"""Every class is ordered with its own demands met, and none is guessed about."""

from __future__ import annotations

from decimal import Decimal

import pytest
from scripted import ACCOUNT, Floor, contract, option

from ibkr_adapter.errors import (
    ApiError,
    ContractError,
    ContractNotFound,
    InvalidOrder,
    MarketClosed,
    UnexpectedAnswer,
)
from ibkr_adapter.host.executor import TradeExecutor
from ibkr_adapter.model.order import OrderType, Side, Tif

D = Decimal
STOCK, FUTURE, OLD, OPTION, FOP, PENCE, EURO = 101, 102, 103, 104, 105, 106, 107
EUR_USD, USD_JPY, BTC, NO_CURRENCY, NEGATIVE = 12087792, 15016059, 479624278, 108, 109
TOLD = {"manualIndicator": False, "extOperator": ACCOUNT}
QUARTERS = {"incrementRules": [{"lowerEdge": 0, "increment": 0.25}], "tifTypes": ["DAY/o,a", "GTC/o,a"]}
FRACTIONS = {"fraqTypes": ["limit", "market"], "fraqInt": 4, "cqtTypes": ["limit", "market"]}
COINS = {"incrementRules": [{"lowerEdge": 0, "increment": 0.25}], "tifTypes": ["IOC/MARKET,LIMIT", "GTC"]}


def without_one_answer_for_both(broker, status=404):
    """An older gateway: a contract and its rules are asked for one by one."""
    plain = broker.answer

    def answer(method, path, query, content):
        if path.endswith("/info-and-rules"):
            return status, {"error": "Resource not found", "statusCode": status}
        if path == "/iserver/contract/rules":
            return 200, broker.contracts[content["conid"]]["rules"]
        status_, answered = plain(method, path, query, content)
        if path.endswith("/info") and status_ == 200:
            answered = {key: value for key, value in answered.items() if key != "rules"}
        return status_, answered

    broker.answer = answer


@pytest.fixture
def floor(tmp_path):
    made = Floor(
        tmp_path,
        contract(STOCK, "XYZ", rules=FRACTIONS),
        contract(FUTURE, "ES", "FUT", multiplier="50", maturity_date="20261218", rules=QUARTERS),
        contract(OLD, "ES", "FUT", maturity_date="20260918", rules=QUARTERS),
        option(OPTION, 400, "CALL"),
        contract(FOP, "ES", "FOP", multiplier="50", maturity_date="20261218", rules=QUARTERS),
        contract(PENCE, "VOD", currency="GBP", rules={"priceMagnifier": 100}),
        contract(EURO, "SAP", currency="EUR"),
        contract(EUR_USD, "EUR", "CASH", rules={"incrementRules": [{"lowerEdge": 0, "increment": 0.00005}]}),
        contract(USD_JPY, "USD", "CASH", currency="JPY"),
        contract(BTC, "BTC", "CRYPTO", rules=COINS),
        contract(NO_CURRENCY, "ABC", currency=None),
        contract(NEGATIVE, "CL", "FUT", multiplier="1000", rules={"negativeCapable": True}),
    )
    made.broker.prices = {BTC: 90000.0, OPTION: 5.2, PENCE: 80.0, EURO: 200.0, STOCK: 50.0, EUR_USD: 1.1}
    yield made
    made.close()


def place(ibkr, conid, **order):
    plain = {"side": Side.BUY, "order_type": OrderType.LIMIT, "quantity": D(1)}
    return ibkr.orders.place(f"conid:{conid}", **plain | order)


# Futures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_contract_and_its_rules_may_come_one_by_one(floor, status):
    without_one_answer_for_both(floor.broker, status)
    ibkr = floor.exchange()

    assert place(ibkr, FUTURE, limit_price=D("6000.25")).entry.ticket.limit_price == D("6000.25")

    (asked,) = floor.broker.calls("POST", "/iserver/contract/rules")
    assert asked == {"conid": FUTURE, "isBuy": True}
    with pytest.raises(InvalidOrder, match=r"6000\.1"):
        place(ibkr, FUTURE, limit_price=D("6000.1"))


def test_a_contract_that_is_not_known_is_no_question_that_is_not(floor):
    without_one_answer_for_both(floor.broker)

    with pytest.raises(ContractNotFound):
        floor.exchange().place_limit_order("999@SMART", "buy", 1, 10)


def test_rules_that_cannot_be_read_are_asked_for_in_no_other_way(floor):
    without_one_answer_for_both(floor.broker, 503)

    with pytest.raises(ApiError, match="503"):
        floor.exchange().place_limit_order("101@SMART", "buy", 1, 10)

    assert floor.broker.calls("POST", "/iserver/contract/rules") == []


@pytest.mark.parametrize("conid", [FUTURE, FOP])
def test_a_future_says_who_ordered_it_in_every_body_and_on_the_cancel(floor, conid):
    """Without it the exchange's rules have it refused."""
    ibkr = floor.exchange()
    legs = ibkr.place_bracket_order(
        f"{conid}@SMART", "buy", "limit", 1, "6000.1", take_profit_price=6100, stop_loss_price=5900
    )

    ibkr.orders.modify(legs["entryOrder"]["orderId"], limit_price=D(6001))
    ibkr.cancel_order(None, legs["entryOrder"]["orderId"])

    assert len(floor.broker.tickets) == 3
    assert all(ticket.items() >= TOLD.items() for ticket in floor.broker.tickets)
    assert floor.broker.tickets[0]["price"] == 6000
    (modified,) = floor.broker.calls("POST", "/order/")
    assert modified.items() >= TOLD.items()
    (query,) = floor.broker.calls("DELETE", "/order/")
    assert query == {"manualIndicator": "false", "extOperator": ACCOUNT}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ext_operator": "desk 7", "manual_indicator": True}, (True, "desk 7")),
        ({"manual_indicator": "true"}, (True, ACCOUNT)),
        ({"ext_operator": "robot"}, (False, "robot")),
    ],
)
def test_settings_say_who_operates(floor, settings, told):
    place(floor.exchange(**settings), FUTURE, limit_price=D(6000))

    (ticket,) = floor.broker.tickets
    assert (ticket["manualIndicator"], ticket["extOperator"]) == told


@pytest.mark.parametrize("conid", [STOCK, OPTION, EUR_USD])
def test_nothing_else_carries_it(floor, conid):
    place(floor.exchange(), conid, limit_price=D(1))

    assert not {"manualIndicator", "extOperator"} & floor.broker.tickets[0].keys()


def test_exits_and_closes_of_futures_carry_it_too(floor):
    ibkr = floor.exchange()
    floor.broker.positions = {FUTURE: 3}
    ibkr.place_stop_loss(f"{FUTURE}@SMART", "sell", 3, 5900)
    ibkr.place_take_profit(f"{FUTURE}@SMART", "sell", 3, 6100)
    ibkr.close_position(f"{FUTURE}@SMART")

    assert [ticket["orderType"] for ticket in floor.broker.tickets] == ["STP", "LMT", "STP", "MKT"]
    assert all(ticket.items() >= TOLD.items() for ticket in floor.broker.tickets)
    assert all(query["manualIndicator"] == "false" for query in floor.broker.calls("DELETE", "/order/"))


def test_a_combination_with_a_future_in_it_carries_it(floor):
    floor.broker.contracts[202] = contract(202, "ES", "FUT", maturity_date="20270319", rules=QUARTERS)

    ack = floor.exchange().place_combo_order([(FUTURE, 1), (202, -1)], "buy", 1, "-50.10")

    assert floor.broker.tickets[0].items() >= TOLD.items()
    assert ack["price"] == -50.25


def test_a_cancel_of_a_future_from_before_a_restart_says_who_cancels(floor, tmp_path):
    """The order's class is in its row; who cancels is not who placed it."""
    ack = floor.exchange().place_limit_order(f"{FUTURE}@SMART", "buy", 1, 6000)
    other = Floor(tmp_path)
    other.broker.contracts, other.broker.rows = floor.broker.contracts, floor.broker.rows

    other.exchange(ext_operator="night desk").cancel_order(None, ack["orderId"])

    (query,) = other.broker.calls("DELETE", "/order/")
    other.close()
    assert query == {"manualIndicator": "false", "extOperator": "night desk"}


def test_a_future_may_trade_below_zero_where_its_rules_say_so(floor):
    ibkr = floor.exchange()

    place(ibkr, NEGATIVE, limit_price=D("-37.63"))
    with pytest.raises(InvalidOrder, match="is not above 0"):
        place(ibkr, FUTURE, limit_price=D(-5))

    assert floor.broker.tickets[0]["price"] == -37.63


def test_an_expired_future_is_never_ordered_nor_closed(floor):
    ibkr = floor.exchange()
    floor.broker.positions = {OLD: 1}

    for attempt in (
        lambda: place(ibkr, OLD, limit_price=D(6000)),
        lambda: ibkr.close_position(f"{OLD}@SMART"),
    ):
        with pytest.raises(ContractError, match="expired on 2026-09-18"):
            attempt()

    assert floor.broker.tickets == []


def test_a_close_takes_the_time_in_force_that_the_contract_has(floor):
    """One that has no day orders at the market must not keep a position."""
    floor.broker.contracts[FUTURE]["rules"]["tifTypes"] = ["IOC/MARKET,LIMIT", "DAY/LIMIT"]
    floor.broker.contracts[FUTURE]["rules"]["orderTypesOutside"] = ["market"]
    floor.broker.positions = {FUTURE: -2}

    floor.exchange(outside_rth=True).close_position(f"{FUTURE}@SMART")

    (ticket,) = floor.broker.tickets
    assert (ticket["tif"], ticket["side"], ticket["quantity"]) == ("IOC", "BUY", 2)
    assert ticket["outsideRTH"] is True


# Options -----------------------------------------------------------------------------------------


def test_options_trade_in_whole_contracts_whatever_is_allowed(floor):
    ibkr = floor.exchange(allow_fractional=True)

    ack = ibkr.place_limit_order(f"{OPTION}@SMART", "buy", "2.9", "5.21")

    assert (ack["quantity"], ack["price"]) == (2, 5.2)
    with pytest.raises(InvalidOrder, match="less than the smallest size, 1"):
        ibkr.place_limit_order(f"{OPTION}@SMART", "buy", "0.9", "5.21")
    with pytest.raises(InvalidOrder, match="takes no size in money") as refused:
        place(ibkr, OPTION, quantity=None, cash_quantity=D(520), limit_price=D(5))
    assert refused.value.remedy == "Give a quantity."


def buy(floor, symbol, **fields):
    """A webhook on a contract that hosts name by its id."""
    ibkr = floor.exchange(**fields.pop("settings", {}))
    payload = {"action": "buy", "symbol": symbol, "orderType": "market"} | fields
    return TradeExecutor(ibkr, clock=floor.clock).execute_webhook(payload)


@pytest.mark.parametrize(
    ("conid", "money", "quantity"),
    [
        # 600 / (5.20 x 100) = 1.15
        (OPTION, 600, 1),
        # 600 / (0.80 pounds x 1.25) = 600
        (PENCE, 600, 600),
        # 600 / (200 euros x 1.10) = 2.7
        (EURO, 600, 2),
        (STOCK, 600, 12),
    ],
)
def test_dollars_buy_what_a_contract_really_costs(floor, conid, money, quantity):
    """Multiplier, pence and the other currency all count."""
    result = buy(floor, f"{conid}@SMART", position_size_usd=money)

    assert floor.broker.tickets[0]["quantity"] == result["quantity"] == quantity


@pytest.mark.parametrize(
    ("conid", "words"),
    [
        (OPTION, "buys less than 1 104@SMART, the smallest size, at 5.2, which is 520.00 US dollars for one"),
        (EURO, "the smallest size, at 200.0, which is 220.00 US dollars for one"),
    ],
)
def test_too_few_dollars_are_told_what_one_costs(floor, conid, words):
    with pytest.raises(InvalidOrder, match=words):
        buy(floor, f"{conid}@SMART", position_size_usd=200)

    assert floor.broker.tickets == []


def test_without_a_rate_or_a_currency_no_size_is_computed(floor):
    """Neither is taken for 1."""
    floor.broker.rates = {}
    floor.broker.prices[NO_CURRENCY] = 50.0

    with pytest.raises(UnexpectedAnswer, match="no exchange rate"):
        buy(floor, f"{EURO}@SMART", position_size_usd=600)
    with pytest.raises(InvalidOrder, match="does not say in which currency"):
        buy(floor, f"{NO_CURRENCY}@SMART", position_size_usd=600)
    assert buy(floor, f"{EURO}@SMART", quantity=2)["quantity"] == 2

    assert len(floor.broker.tickets) == 1


def test_a_rate_is_kept_for_a_minute(floor):
    ibkr = floor.exchange()
    ibkr.sizing(f"{EURO}@SMART")
    ibkr.sizing(f"{EURO}@SMART")
    floor.clock.advance(61)
    sizing = ibkr.sizing(f"{EURO}@SMART")

    assert len(floor.broker.calls("GET", "exchangerate")) == 2
    assert (sizing.rate, sizing.smallest) == (D("1.1"), D(1))


# Stocks by money and in fractions ----------------------------------------------------------------


def test_a_share_may_be_bought_for_a_sum_of_money(floor):
    ibkr = floor.exchange()

    placed = place(ibkr, STOCK, quantity=None, cash_quantity=D("99.50"), order_type=OrderType.MARKET)

    (ticket,) = floor.broker.tickets
    assert (ticket["cashQty"], "quantity" in ticket) == (99.5, False)
    assert placed.entry.ticket.quantity is None


def test_an_order_for_money_can_be_modified_in_price_and_not_in_quantity(floor):
    """Its quantity in the list is IBKR's figure, and speaks neither for nor against the change."""
    ibkr = floor.exchange()
    placed = place(ibkr, STOCK, quantity=None, cash_quantity=D(100), limit_price=D(50))

    seen = ibkr.orders.modify(placed.entry.order_id, limit_price=D(51))
    with pytest.raises(InvalidOrder, match="by one of them; nothing was sent"):
        ibkr.orders.modify(placed.entry.order_id, quantity=D(3))

    (body,) = floor.broker.calls("POST", "/order/")
    assert (seen.limit_price, body["cashQty"], body["price"]) == (51, 100, 51)


def test_an_order_for_money_is_made_smaller_by_quantity(floor):
    """A partial close brings our exits down, however they were sized."""
    ibkr = floor.exchange()
    floor.broker.positions = {STOCK: 10}
    place(ibkr, STOCK, side=Side.SELL, quantity=None, cash_quantity=D(500), limit_price=D(50))
    floor.broker.rows[0] |= {"totalSize": 10, "remainingQuantity": 10}

    ibkr.close_position("XYZ", "sell", 4)

    (body,) = floor.broker.calls("POST", "/order/")
    assert (body["quantity"], "cashQty" in body) == (6, False)
    assert floor.broker.tickets[-1]["quantity"] == 4


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"cash_quantity": D("99.505")}, "the sum of money 99.505 is not one"),
        ({"cash_quantity": D("0.001")}, "is no sum of money"),
        ({"cash_quantity": D("NaN")}, "is no number"),
        ({"cash_quantity": D(100), "quantity": D(1)}, "by one of them"),
        ({}, "by one of them"),
        (
            {"cash_quantity": D(100), "order_type": OrderType.STOP, "limit_price": None, "stop_price": D(60)},
            "takes no size in money for orders of type STP",
        ),
    ],
)
def test_a_size_that_is_no_sum_of_money_is_refused(floor, order, words):
    with pytest.raises(InvalidOrder, match=words):
        place(floor.exchange(), STOCK, **{"quantity": None, "limit_price": D(50)} | order)

    assert floor.broker.tickets == []


@pytest.mark.parametrize("said", [False, None])
def test_a_size_in_money_needs_the_account_too(floor, said):
    floor.broker.props = {"supportsCashQty": said}

    with pytest.raises(InvalidOrder, match=f"account {ACCOUNT} takes no size in money"):
        place(floor.exchange(), STOCK, quantity=None, cash_quantity=D(100), limit_price=D(50))


def test_a_sale_for_money_could_open_a_short_position(floor):
    with pytest.raises(InvalidOrder, match="could open a short position") as refused:
        place(
            floor.exchange(allow_short=False),
            STOCK,
            side=Side.SELL,
            quantity=None,
            cash_quantity=D(100),
            limit_price=D(50),
        )

    assert "allow_short" in refused.value.remedy


def test_fractions_are_for_the_order_types_that_take_them(floor):
    """A stop for half a share would come back refused."""
    ibkr = floor.exchange(allow_fractional=True)

    assert ibkr.place_limit_order("XYZ", "buy", "1.5", 50)["quantity"] == 1.5
    assert ibkr.place_stop_order("XYZ", "buy", "1.5", 60)["quantity"] == 1


def test_a_market_entry_for_money_is_refused_outside_hours(floor):
    """How much it would change a position is not known, so it is never taken for a close."""
    day = {"liquid_hours": [{"opening": 1795597200, "closing": 1795654800}]}
    floor.broker.hours = {"exchange_time_zone": "US/Eastern", "schedules": {"20261125": day}}
    floor.broker.positions = {STOCK: -100}

    with pytest.raises(MarketClosed):
        place(floor.exchange(), STOCK, quantity=None, cash_quantity=D(100), order_type=OrderType.MARKET)


# Forex -------------------------------------------------------------------------------------------


def test_a_pair_trades_in_whole_units_of_its_base(floor):
    ack = floor.exchange().place_limit_order(f"{EUR_USD}@SMART", "buy", "20000.75", "1.10003")

    assert (ack["quantity"], ack["price"]) == (20000, 1.1)
    assert "isCcyConv" not in floor.broker.tickets[0]


def test_dollars_buy_a_pair_by_its_own_price(floor):
    """EUR.USD is priced in dollars: 600 of them are 545 euros."""
    assert buy(floor, f"{EUR_USD}@SMART", position_size_usd=600)["quantity"] == 545


def test_a_conversion_is_sized_in_the_currency_of_the_price(floor):
    placed = floor.exchange().orders.convert(D("1000.50"), "usd", "EUR")

    (ticket,) = floor.broker.tickets
    assert ticket == {
        "acctId": ACCOUNT,
        "conid": EUR_USD,
        "orderType": "MKT",
        "side": "BUY",
        "fxQty": 1000.5,
        "isCcyConv": True,
        "tif": "DAY",
        "cOID": placed.coid,
    }


def test_a_conversion_leaves_no_spelling_of_its_own(floor):
    """The caller wrote two currencies, and no name of the pair, so IBKR's own name is shown."""
    ibkr = floor.exchange()
    ibkr.orders.convert(D(1000), "USD", "EUR")

    assert ibkr.contracts.written(EUR_USD, "EUR") == "EUR.USD"


def test_a_conversion_the_other_way_never_pays_more_than_was_asked(floor):
    """1000 euros at 1.10 or better are 1100 dollars or more for less than 1000 euros."""
    ibkr = floor.exchange()

    ibkr.orders.convert(D(1000), "EUR", "USD", limit_price=D("1.10"), tif="GTC")
    with pytest.raises(InvalidOrder, match="nobody knows how much EUR would be paid") as refused:
        ibkr.orders.convert(D(1000), "EUR", "USD")

    (ticket,) = floor.broker.tickets
    assert (ticket["side"], ticket["fxQty"], ticket["price"], ticket["tif"]) == ("SELL", 1100, 1.1, "GTC")
    assert refused.value.remedy == "Give a limit price."


@pytest.mark.parametrize(
    ("order", "error", "words"),
    [
        ((D(10), "USD", "usd"), InvalidOrder, "are no two currencies"),
        ((D(10), "USD", "euros"), InvalidOrder, "are no two currencies"),
        ((D(0), "USD", "EUR"), InvalidOrder, "is no sum of money"),
        ((D(10), "EUR", "JPY"), ContractNotFound, "lists no pair of EUR and JPY"),
        ((D(10), "CHF", "USD"), ContractNotFound, "lists no pair of CHF and USD"),
    ],
)
def test_a_conversion_that_makes_no_sense_is_refused(floor, order, error, words):
    with pytest.raises(error, match=words):
        floor.exchange().orders.convert(*order)

    assert floor.broker.tickets == []


def test_a_conversion_refuses_a_price_off_the_tick_and_a_contract_that_is_no_pair(floor):
    ibkr = floor.exchange()
    with pytest.raises(InvalidOrder, match="is not one that the contract trades"):
        ibkr.orders.convert(D(10), "USD", "EUR", limit_price=D("1.10001"))
    floor.broker.pairs["USD"] = [{"symbol": "EUR.USD", "conid": STOCK}]

    floor.clock.advance(24 * 3600)
    with pytest.raises(ContractError, match="which is XYZ in USD"):
        ibkr.orders.convert(D(10), "USD", "EUR")

    assert floor.broker.tickets == []


# Crypto ------------------------------------------------------------------------------------------


def test_coins_are_bought_at_the_market_with_money_and_at_once(floor):
    ibkr = floor.exchange()

    place(ibkr, BTC, quantity=None, cash_quantity=D(250), order_type=OrderType.MARKET)
    with pytest.raises(InvalidOrder, match="is bought at the market for a sum of money") as refused:
        place(ibkr, BTC, quantity=D("0.01"), order_type=OrderType.MARKET)

    (ticket,) = floor.broker.tickets
    assert (ticket["cashQty"], ticket["tif"], "quantity" in ticket) == (250, "IOC", False)
    assert "cash_quantity" in refused.value.remedy


def test_the_hosts_quantity_of_coins_becomes_money_at_the_last_price(floor):
    """Never a cent more than that quantity costs."""
    ack = floor.exchange().place_market_order(f"{BTC}@SMART", "buy", "0.0012345")

    assert floor.broker.tickets[0]["cashQty"] == 111.1
    assert (ack["quantity"], ack["cashQuantity"]) == (None, 111.1)


def test_coins_are_sold_by_quantity_and_at_once(floor):
    ibkr = floor.exchange()

    ibkr.place_market_order(f"{BTC}@SMART", "sell", "0.003658319")
    with pytest.raises(InvalidOrder, match="is sold by quantity, not for a sum of money"):
        place(ibkr, BTC, side=Side.SELL, quantity=None, cash_quantity=D(5), order_type=OrderType.MARKET)

    (ticket,) = floor.broker.tickets
    assert (ticket["quantity"], ticket["tif"]) == (0.00365831, "IOC")


def test_a_limit_in_coins_stands_for_five_minutes_unless_it_says_otherwise(floor):
    ibkr = floor.exchange(entry_tif="GTC")

    ibkr.place_limit_order(f"{BTC}@SMART", "buy", "0.5", "90000.10")
    place(ibkr, BTC, limit_price=D(90000), tif=Tif.GTC)

    assert [ticket["tif"] for ticket in floor.broker.tickets] == ["PAX", "GTC"]
    assert floor.broker.tickets[0]["quantity"] == 0.5


@pytest.mark.parametrize(
    ("conid", "order", "words"),
    [
        (
            BTC,
            {"order_type": OrderType.MARKET, "side": Side.SELL, "tif": Tif.DAY},
            "immediate or cancelled, not DAY",
        ),
        (
            BTC,
            {"order_type": OrderType.STOP, "stop_price": D(95000), "tif": "PAX"},
            "PAX is for limit orders",
        ),
        (STOCK, {"limit_price": D(50), "tif": "PAX"}, "PAX is for limit orders in crypto"),
        (BTC, {"limit_price": D(90000), "tif": "DAY"}, "does not take the time in force DAY"),
    ],
)
def test_coins_keep_to_their_own_times_in_force(floor, conid, order, words):
    with pytest.raises(InvalidOrder, match=words):
        place(floor.exchange(), conid, **order)

    assert floor.broker.tickets == []


def test_a_market_bracket_in_coins_would_have_exits_without_a_size(floor):
    ibkr = floor.exchange()

    with pytest.raises(InvalidOrder, match="its exits would have no size"):
        ibkr.place_bracket_order(f"{BTC}@SMART", "buy", "market", "0.1", stop_loss_price=80000)
    ibkr.place_bracket_order(f"{BTC}@SMART", "buy", "limit", "0.1", 90000, stop_loss_price=80000)

    assert [ticket["tif"] for ticket in floor.broker.tickets] == ["PAX", "GTC"]


@pytest.mark.parametrize(
    ("held", "percent", "sold"), [(0.00365831, None, 0.00365831), (0.5, 50, 0.25), (1, 25, 0.25)]
)
def test_a_fraction_of_a_coin_is_closed_to_the_last_digit(floor, held, percent, sold):
    """And half of it by half, where half a share would be none."""
    floor.broker.positions = {BTC: held}
    fields = {} if percent is None else {"sell_percentage": percent}

    buy(floor, f"{BTC}@SMART", action="close", **fields)

    (ticket,) = floor.broker.tickets
    assert (ticket["side"], ticket["quantity"], ticket["tif"]) == ("SELL", sold, "IOC")


def test_a_part_of_a_coin_is_floored_to_what_trades(floor):
    floor.broker.positions = {BTC: 0.5}

    floor.exchange().close_position(f"{BTC}@SMART", "sell", "0.123456789")

    assert floor.broker.tickets[0]["quantity"] == 0.12345678


def test_an_exit_of_coins_is_refused_where_it_could_not_stand(floor):
    """A target that is gone after five minutes protects nothing, so none is sent in its place."""
    floor.broker.contracts[BTC]["rules"]["tifTypes"] = ["IOC/MARKET,LIMIT", "PAX/LIMIT"]
    floor.broker.positions = {BTC: 0.5}

    with pytest.raises(InvalidOrder, match="does not take the time in force GTC") as refused:
        floor.exchange().place_take_profit(f"{BTC}@SMART", "sell", "0.5", 99000)

    assert refused.value.remedy == "It takes IOC, PAX."
    assert floor.broker.tickets == []


def test_less_than_one_coin_is_a_size_and_less_than_one_share_is_not(floor):
    result = buy(floor, f"{BTC}@SMART", orderType="limit", price=90000, quantity="0.01")

    assert result["quantity"] == 0.01
    with pytest.raises(InvalidOrder, match="allow_fractional is off"):
        buy(floor, "XYZ", quantity="0.5")


def test_dollars_buy_a_fraction_of_a_coin(floor):
    buy(floor, f"{BTC}@SMART", position_size_usd=250)
    buy(floor, f"{BTC}@SMART", position_size_usd=250, orderType="limit", price=100000)

    assert floor.broker.tickets[0]["cashQty"] == pytest.approx(250, abs=0.01)
    assert floor.broker.tickets[1]["quantity"] == 0.0025


def test_an_unreadable_class_trades_nothing(floor):
    floor.broker.contracts[STOCK]["instrument_type"] = "NEW"

    with pytest.raises(ApiError, match="of an unknown kind; nothing was sent"):
        place(floor.exchange(), STOCK, limit_price=D(50))
