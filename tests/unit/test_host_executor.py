"""A webhook leads to the right calls on the exchange, or to none."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ibkr_adapter.clock import ManualClock, SystemClock
from ibkr_adapter.errors import (
    AmbiguousContract,
    AuthenticationError,
    BrokerageUnavailable,
    InvalidOrder,
    OrderError,
    OrderOutcomeUnknown,
    OrderRejected,
    UnexpectedAnswer,
)
from ibkr_adapter.host.executor import TradeExecutor
from ibkr_adapter.model.sizing import DOLLARS
from ibkr_adapter.settings import Settings

START = datetime(2026, 11, 24, 15, tzinfo=UTC)
D = Decimal


class Exchange:
    """A stand-in that answers like the exchange and keeps what it was told to do.

    ``positions`` are the answers of successive reads, the last one for good; an exception among
    the answers is raised.
    """

    def __init__(self, *, positions=(None,), prices=("165.20",), ack=None, **settings):
        self.settings = Settings(**settings)
        self.calls = []
        self.reads = 0
        self._positions = list(positions)
        self._prices = list(prices)
        self._ack = {"status": "open", "symbol": "AAPL"} | (ack or {})
        self._next_id = 100
        self.failure = None
        self.exits = {}
        self.sizes = DOLLARS
        self.held_elsewhere = []
        self.open_orders = []
        self.listed = {}
        self.coids = []
        self.contracts = []
        self.asked = []

    def host_symbol(self, query):
        found = self.contracts.pop(0)
        if isinstance(found, Exception):
            raise found
        self.asked.append(query)
        return found

    def sizing_price(self, symbol):
        price = self._prices.pop(0) if len(self._prices) > 1 else self._prices[0]
        if isinstance(price, Exception):
            raise price
        return D(price)

    def sizing(self, symbol):
        return self.sizes

    def smallest_size(self, symbol):
        return self.sizes.smallest

    def get_position(self, symbol):
        self.reads += 1
        held = self._positions.pop(0) if len(self._positions) > 1 else self._positions[0]
        if isinstance(held, Exception):
            raise held
        if held is None or isinstance(held, dict):
            return held
        return {"symbol": symbol, "positionAmt": held, "entryPrice": 1.0}

    def get_positions(self):
        return self.held_elsewhere

    def get_open_orders(self, symbol=None):
        return self.open_orders

    def find_order(self, coid):
        return self.listed.get(coid)

    def place_market_order(self, symbol, side, quantity, *, coid=None):
        self.coids.append(coid)
        return self._order("market", symbol, side, quantity)

    def place_limit_order(self, symbol, side, quantity, price, *, coid=None):
        self.coids.append(coid)
        return self._order("limit", symbol, side, quantity, price)

    def place_stop_order(self, symbol, side, quantity, stop_price, limit_price=None, *, coid=None):
        self.coids.append(coid)
        return self._order("stop", symbol, side, quantity, stop_price, limit_price)

    def place_bracket_order(self, symbol, side, order_type, quantity, price=None, *, coid=None, **exits):
        self.coids.append(coid)
        given = {name: value for name, value in exits.items() if value is not None}
        entry = self._order("bracket", symbol, side, order_type, quantity, price, given)
        legs = {"entryOrder": entry, "takeProfitOrder": None, "stopLossOrder": None}
        if "take_profit_price" in given:
            legs["takeProfitOrder"] = {"orderId": self._id()} | self.exits.get("takeProfitOrder", {})
        if {"stop_loss_price", "trailing_percent"} & set(given):
            legs["stopLossOrder"] = {"orderId": self._id()} | self.exits.get("stopLossOrder", {})
        return legs

    def close_position(self, symbol, side, quantity):
        return self._order("close", symbol, side, quantity)

    def _order(self, *call):
        if self.failure is not None and call[0] != "close":
            raise self.failure
        self.calls.append(call)
        return {"orderId": self._id()} | self._ack

    def _id(self):
        self._next_id += 1
        return str(self._next_id)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Webhooks are kept in a folder of the test's own."""
    monkeypatch.setenv("IBKR_ADAPTER_STATE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def clock():
    return ManualClock(START, jump=True)


def run(exchange, clock=None, /, **fields):
    payload = {"action": "buy", "symbol": "AAPL"} | fields
    result = TradeExecutor(exchange, clock=clock or SystemClock()).execute_webhook(payload)
    assert json.loads(json.dumps(result)) == result
    return result


def refused(exchange, clock=None, /, kind=InvalidOrder, **fields):
    with pytest.raises(kind) as caught:
        run(exchange, clock, **fields)
    return str(caught.value)


# Entries


def test_an_entry_with_percentages_is_one_submission():
    """Entry, stop and target go out together, or an exit could open a position."""
    exchange = Exchange()

    result = run(exchange, orderType="market", stop_loss_percent=2, take_profit_percent=5)

    ((kind, *about, exits),) = exchange.calls
    assert kind == "bracket"
    assert about == ["AAPL", "BUY", "market", D(600) / D("165.20"), None]
    assert exits == {"take_profit_price": D("173.46"), "stop_loss_price": D("161.896")}
    assert result == {
        "success": True,
        "action": "opened",
        "exchange": "ibkr",
        "symbol": "AAPL",
        "ignored": [],
        "side": "BUY",
        "orderType": "market",
        "quantity": float(D(600) / D("165.20")),
        "price": None,
        "stopPrice": None,
        "stopLossPrice": "161.896",
        "takeProfitPrice": "173.46",
        "trailingStopPercent": None,
        "stopLossOrderId": "103",
        "takeProfitOrderId": "102",
        "orderId": "101",
        "order_id": "101",
        "status": "open",
        "fill_price": None,
        "position": {
            "symbol": "AAPL",
            "side": "BUY",
            "quantity": float(D(600) / D("165.20")),
            "entryPrice": "165.2",
            "stopLossPrice": "161.896",
            "takeProfitPrice": "173.46",
            "trailingStopPercent": None,
            "stopLossOrderId": "103",
            "takeProfitOrderId": "102",
        },
    }


@pytest.mark.parametrize(
    ("fields", "call"),
    [
        ({"quantity": 3}, ("market", "AAPL", "BUY", D(3))),
        ({"action": "short", "quantity": "3"}, ("market", "AAPL", "SELL", D(3))),
        ({"orderType": "limit", "price": 300}, ("limit", "AAPL", "BUY", D(2), D(300))),
        (
            {"orderType": "limit", "price": 300, "quantity": 7, "trailingStop": "1.5"},
            ("bracket", "AAPL", "BUY", "limit", D(7), D(300), {"trailing_percent": D("1.5")}),
        ),
        (
            {"orderType": "stop", "stopPrice": 170, "quantity": 7},
            ("stop", "AAPL", "BUY", D(7), D(170), None),
        ),
        (
            {"orderType": "stop_limit", "stopPrice": 170, "price": 171, "quantity": 7},
            ("stop", "AAPL", "BUY", D(7), D(170), D(171)),
        ),
        (
            {"orderType": "stop", "stopPrice": 170, "quantity": 7, "stop_loss_price": 168},
            ("bracket", "AAPL", "BUY", "stop", D(7), D(170), {"stop_loss_price": D(168)}),
        ),
        (
            {
                "orderType": "stop_limit",
                "stopPrice": 170,
                "price": 171,
                "quantity": 7,
                "take_profit_price": 180,
            },
            (
                "bracket",
                "AAPL",
                "BUY",
                "stop_limit",
                D(7),
                D(171),
                {"take_profit_price": D(180), "stop_price": D(170)},
            ),
        ),
        (
            {"quantity": 100, "stop_loss_price": 160.00, "take_profit_price": 170.00},
            (
                "bracket",
                "AAPL",
                "BUY",
                "market",
                D(100),
                None,
                {"take_profit_price": D(170), "stop_loss_price": D(160)},
            ),
        ),
    ],
)
def test_each_kind_of_entry_is_ordered_as_what_it_is(fields, call):
    """The host would send everything but market as a limit order."""
    exchange = Exchange()

    run(exchange, **fields)

    assert exchange.calls == [call]


def test_what_the_exchange_really_ordered_is_what_the_answer_says():
    """It floors quantities and knows the fill; the plan knows neither."""
    exchange = Exchange(ack={"quantity": D("3"), "avgPrice": "165.25", "status": "filled"})

    result = run(exchange, price="n/a", comment="x")

    assert result["quantity"] == 3
    assert result["fill_price"] == 165.25
    assert result["status"] == "filled"
    assert result["position"]["entryPrice"] == "165.25"
    assert result["ignored"] == ["comment", "price"]


def test_snapped_prices_are_what_the_answer_says():
    """The exchange moves prices to ticks; a plan's 161.896 never reached the broker."""
    exchange = Exchange(ack={"price": 164.99, "stopPrice": None})
    exchange.exits = {"takeProfitOrder": {"price": 173.24}, "stopLossOrder": {"stopPrice": 161.69}}

    result = run(
        exchange, orderType="limit", price="164.999", quantity=1, stop_loss_percent=2, take_profit_percent=5
    )

    assert (result["price"], result["stopLossPrice"], result["takeProfitPrice"]) == (
        "164.99",
        "161.69",
        "173.24",
    )
    assert result["position"]["stopLossPrice"] == "161.69"


@pytest.mark.parametrize("price", ["0", "n/a", "NaN", None])
def test_a_fill_price_that_nobody_knows_is_none(price):
    """A price of 0 would be booked as a gift."""
    assert run(Exchange(ack={"avgPrice": price}), quantity=1)["fill_price"] is None


def test_the_setting_sizes_a_webhook_that_names_no_size():
    """Dollars by the last price; the exchange floors."""
    exchange = Exchange(prices=["100"], default_order_usd="250")

    run(exchange)

    assert exchange.calls == [("market", "AAPL", "BUY", D("2.5"))]


def test_fractions_are_planned_where_the_setting_allows_them():
    """Half a share is half a share then."""
    exchange = Exchange(prices=["100"], allow_fractional=True)

    run(exchange, position_size_usd=50)

    assert exchange.calls == [("market", "AAPL", "BUY", D("0.5"))]


def test_nonsense_is_refused_before_anybody_is_asked():
    """A limit entry needs no price from outside to be seen through."""
    exchange = Exchange(positions=[AssertionError("asked")])

    refused(exchange, orderType="limit", price=100, quantity=1, stop_loss_price=101)

    assert exchange.calls == []


def test_a_price_that_must_not_be_trusted_stops_the_entry():
    """The exchange names the code and the setting; nothing is sent."""
    exchange = Exchange(prices=[InvalidOrder("the price is delayed (D): see allow_delayed_prices")])

    assert "allow_delayed_prices" in refused(exchange)
    assert exchange.calls == []


# One position a symbol


@pytest.mark.parametrize(("action", "held"), [("buy", "5"), ("sell", "-5.0")])
def test_a_repeat_of_the_same_side_is_skipped(action, held):
    """Charts repeat their alerts; the position must not grow with each."""
    exchange = Exchange(positions=[held])

    result = run(exchange, action=action)

    assert exchange.calls == []
    assert (result["success"], result["action"]) == (False, "skipped")
    assert result["position"]["quantity"] == 5


@pytest.mark.parametrize(
    ("action", "held", "exit_side", "entry_side"),
    [("sell", "5", "SELL", "SELL"), ("buy", "-5", "BUY", "BUY")],
)
def test_the_other_side_closes_first_and_opens_when_the_position_is_gone(
    clock, action, held, exit_side, entry_side
):
    """Two orders at once would net, and the old exits would fire into the new position."""
    exchange = Exchange(positions=[held, held, held, None])

    result = run(exchange, clock, action=action, quantity=2)

    assert exchange.calls == [("close", "AAPL", exit_side, None), ("market", "AAPL", entry_side, D(2))]
    assert exchange.reads == 4
    assert clock.monotonic() == 1.0
    assert (result["action"], result["orderId"], result["closedOrderId"]) == ("opened", "102", "101")


def test_a_reversal_takes_its_prices_after_the_close(clock):
    """The close may have taken a while, and moved the market."""
    exchange = Exchange(positions=["-5", None], prices=["100", "110"])

    run(exchange, clock, stop_loss_percent=10, quantity=1)

    assert exchange.calls[1][-1] == {"stop_loss_price": D(99)}


def test_a_reversal_whose_entry_makes_no_sense_closes_nothing(clock):
    """It is seen through before the position is touched."""
    exchange = Exchange(positions=["-5"], prices=["100"])

    refused(exchange, clock, stop_loss_price=101, quantity=1)

    assert exchange.calls == []


def test_a_position_that_does_not_go_away_stops_the_reversal(clock):
    """Bounded, and the error says what is there now."""
    exchange = Exchange(positions=["-5", "-3"], order_deadline=3)

    message = refused(exchange, clock, kind=OrderError, quantity=1)

    assert [call[0] for call in exchange.calls] == ["close"]
    assert clock.monotonic() == 3.0
    assert "to close -5 AAPL there is order 101, and -3 are still there after 3 seconds" in message
    assert "nothing was opened" in message


def test_a_reversal_that_cannot_see_the_position_says_what_it_sent(clock):
    """The close is out; whoever reads the error must know."""
    exchange = Exchange(
        positions=["-5", BrokerageUnavailable("the brokerage session is down.", remedy="Wait.")]
    )

    message = refused(exchange, clock, kind=BrokerageUnavailable, quantity=1)

    assert message == (
        "the brokerage session is down. To close -5 AAPL there is order 101, and nothing was opened. Wait."
    )


@pytest.mark.parametrize(
    "failure",
    [
        OrderRejected("IBKR refused.", text="no buying power"),
        OrderOutcomeUnknown("no answer came.", coid="c-1", sent_at=START),
    ],
)
def test_a_failed_entry_of_a_reversal_says_that_the_position_was_closed(clock, failure):
    """The error keeps its kind and all that it carries."""
    exchange = Exchange(positions=["5", None])
    exchange.failure = failure

    with pytest.raises(type(failure)) as caught:
        run(exchange, clock, action="sell", quantity=1)

    assert caught.value is failure
    assert str(failure).endswith("Before this, the position of 5 AAPL was closed by order 101.")


def test_the_entry_of_a_flat_symbol_fails_in_the_exchanges_words():
    """Nothing had been done before, so nothing is added."""
    exchange = Exchange()
    exchange.failure = OrderRejected("IBKR refused.")

    assert refused(exchange, kind=OrderRejected, quantity=1) == "IBKR refused."


@pytest.mark.parametrize(
    "position", [{}, {"positionAmt": "many"}, {"positionAmt": "NaN"}, {"positionAmt": None}]
)
def test_a_position_without_a_size_stops_everything(position):
    """Taken for flat, it would be doubled; the host would send a close of nothing."""
    exchange = Exchange(positions=[position])

    assert "no size that can be read" in refused(exchange, kind=UnexpectedAnswer, quantity=1)
    assert exchange.calls == []


def test_a_row_of_nothing_is_flat():
    """Some views keep a row for what was closed today."""
    assert run(Exchange(positions=["0"]), quantity=1)["action"] == "opened"


# Shorts


def test_without_shorts_a_sell_of_nothing_is_refused():
    """The setting says so, and the error names it."""
    exchange = Exchange(allow_short=False)

    assert "allow_short is off" in refused(exchange, action="sell", quantity=1)
    assert exchange.calls == []


def test_without_shorts_a_sell_closes_what_is_held():
    """Getting out is never refused; only the other side is not opened."""
    exchange = Exchange(positions=["5"], allow_short=False, prices=[AssertionError("not needed")])

    result = run(exchange, action="sell")

    assert exchange.calls == [("close", "AAPL", "SELL", None)]
    assert (result["success"], result["action"], result["quantity"]) == (True, "closed", 5)
    assert "allow_short" in result["message"]


def test_without_shorts_a_buy_still_covers_one(clock):
    """A short from elsewhere may be turned around."""
    exchange = Exchange(positions=["-5", None], allow_short=False)

    assert run(exchange, clock, quantity=1)["action"] == "opened"


# Closes


@pytest.mark.parametrize(
    ("held", "fields", "call", "quantity", "action"),
    [
        ("5", {}, ("close", "AAPL", "SELL", None), 5, "closed"),
        ("-5.8", {}, ("close", "AAPL", "BUY", None), 5.8, "closed"),
        ("5", {"sell_percentage": 50}, ("close", "AAPL", "SELL", D(2)), 2, "partially_closed"),
        ("-5", {"sell_percentage": "0.1"}, ("close", "AAPL", "BUY", D(1)), 1, "partially_closed"),
        ("1", {"sell_percentage": 50}, ("close", "AAPL", "SELL", None), 1, "closed"),
        ("5", {"sell_percentage": 100}, ("close", "AAPL", "SELL", None), 5, "closed"),
    ],
)
def test_a_close_follows_the_position(held, fields, call, quantity, action):
    """Side and size come from what is there; all of it is all that is there when it is closed."""
    exchange = Exchange(positions=[held], ack={"avgPrice": 171.5, "status": "filled"})

    result = run(exchange, action="close", **fields)

    assert exchange.calls == [call]
    assert result == {
        "success": True,
        "action": action,
        "exchange": "ibkr",
        "symbol": "AAPL",
        "ignored": [],
        "side": call[2],
        "quantity": quantity,
        "orderId": "101",
        "order_id": "101",
        "status": "filled",
        "fill_price": 171.5,
    }


def test_a_close_answers_the_size_that_the_exchange_closed():
    """It clamps on the freshest position, which may be smaller by now."""
    assert run(Exchange(positions=["5"], ack={"quantity": 4}), action="close")["quantity"] == 4


def test_a_close_that_an_exit_has_done_says_so():
    """A stop may fill between the look and the close; then nothing is sent."""
    exchange = Exchange(positions=["5"], ack={"quantity": 0, "orderId": None, "message": "An exit did it."})

    result = run(exchange, action="close")

    assert (result["quantity"], result["orderId"], result["message"]) == (0, None, "An exit did it.")


def test_a_reversal_whose_position_went_by_itself_does_not_name_an_order(clock):
    """There may be none to name."""
    exchange = Exchange(positions=["5", None], ack={"orderId": None})
    exchange.failure = OrderRejected("IBKR refused.")

    message = refused(exchange, clock, kind=OrderRejected, action="sell", quantity=1)

    assert message.endswith("was closed by an exit that filled.")


def test_a_close_of_nothing_succeeds():
    """The host counts failures, and this is none."""
    exchange = Exchange()

    result = run(exchange, action="close", quantity=5)

    assert exchange.calls == []
    assert (result["success"], result["action"]) == (True, "none")
    assert "No position to close" in result["message"]
    assert result["ignored"] == ["quantity"]


# Who may


@pytest.mark.parametrize("secret", ["right-secret", "schlüssel-ñ"])
def test_the_right_secret_opens(secret):
    """Texts beyond ASCII are secrets too."""
    assert run(Exchange(webhook_secret=secret), secret=secret, quantity=1)["success"]


@pytest.mark.parametrize(
    "fields", [{"secret": "wrong-secret"}, {"secret": "\ud800"}, {"secret": 12345678}, {}]
)
def test_a_wrong_secret_gets_no_further(fields, caplog):
    """Nothing is asked, nothing is sent, and neither secret is told."""
    exchange = Exchange(positions=[AssertionError("asked")], webhook_secret="right-secret")
    caplog.set_level(logging.DEBUG)

    message = refused(exchange, kind=AuthenticationError, quantity=1, **fields)

    assert "webhook_secret" in message
    for secret in ("right-secret", "wrong-secret", "12345678"):
        assert secret not in message + caplog.text


def test_the_secret_is_asked_before_the_rest_is_looked_at():
    """A stranger learns nothing about what would be accepted."""
    exchange = Exchange(webhook_secret="right-secret")

    refused(exchange, kind=AuthenticationError, action="bogus")


def test_without_a_configured_secret_none_is_compared():
    """The host in front has done it then."""
    assert run(Exchange(), secret="whatever", quantity=1)["success"]


def test_the_log_says_what_was_done_without_the_secret(caplog):
    """One line a webhook."""
    caplog.set_level(logging.INFO, logger="ibkr_adapter.host")

    run(Exchange(webhook_secret="right-secret"), secret="right-secret", quantity=1)

    (record,) = caplog.records
    assert (record.symbol, record.action, record.order_id) == ("AAPL", "opened", "101")
    assert "right-secret" not in str(vars(record))


@pytest.mark.parametrize("name", ["ibkr", "IBKR", "interactive-brokers", "interactive_brokers"])
def test_the_exchange_goes_by_three_names(name):
    """The host and its dashboard do not agree on one."""
    assert run(Exchange(), exchange=name, quantity=1)["exchange"] == "ibkr"


def test_a_webhook_for_another_exchange_is_refused():
    """It went astray."""
    assert "exchange alpaca is not traded here" in refused(Exchange(), exchange="alpaca", quantity=1)


def test_a_webhook_of_another_user_is_refused():
    """One user's alert must not trade another's account."""
    executor = TradeExecutor(Exchange())
    payload = {"action": "buy", "symbol": "AAPL", "quantity": 1, "user_id": 7}

    with pytest.raises(InvalidOrder, match="user_id"):
        executor.execute_webhook(payload, "8")

    assert executor.execute_webhook(payload, "7")["success"]
    assert executor.execute_webhook(payload | {"user_id": None}, "8")["success"]


@pytest.mark.parametrize(
    ("asked", "configured", "goes"),
    [
        ("sandbox", "production", False),
        ("paper", "production", False),
        ("production", "production", True),
        ("live", "production", True),
        ("testnet", None, True),
        ("production", None, True),
        ("sandbox", "paper", True),
    ],
)
def test_a_webhook_for_paper_never_trades_a_live_account(asked, configured, goes):
    """The other way round it only trades paper, which costs nothing."""
    exchange = Exchange(environment=configured)

    if goes:
        assert run(exchange, environment=asked, quantity=1)["success"]
    else:
        assert "asks for a paper account" in refused(exchange, environment=asked, quantity=1)


def test_an_unknown_environment_is_refused():
    """It may mean live or paper, and a guess could cost money."""
    assert "environment moon is unknown" in refused(Exchange(), environment="moon", quantity=1)


def test_json_text_is_taken_as_it_was_posted():
    """A host may hand over the body itself."""
    exchange = Exchange()

    TradeExecutor(exchange).execute_webhook(
        b'{"action": "buy", "symbol": "AAPL", "orderType": "limit", "price": 300.10, "quantity": 1}'
    )

    assert exchange.calls == [("limit", "AAPL", "BUY", D(1), D("300.10"))]


# Contracts that fields name ---------------------------------------------------------------------

OPTION = {"action": "buy", "symbol": "AAPL", "right": "C", "strike": 170, "expiration": "2026-12-18"}


def test_an_option_by_its_fields_is_traded_under_the_name_that_hosts_have_for_it():
    """Every spelling of it is one symbol from then on: for the position, the order, the answer and the book."""
    exchange = Exchange()
    exchange.contracts = ["AAPL261218C00170000"] * 2
    executor = TradeExecutor(exchange, clock=ManualClock(START, jump=True))

    result = executor.execute_webhook(OPTION | {"quantity": 2})
    again = executor.execute_webhook(
        {"action": "buy", "symbol": "AAPL261218C00170000", "quantity": "2"}, None
    )

    assert exchange.calls == [("market", "AAPL261218C00170000", "BUY", D(2))]
    assert (result["symbol"], result["position"]["symbol"]) == ("AAPL261218C00170000",) * 2
    assert again == result | {"repeated": True}
    assert [str(query) for query in exchange.asked] == ["OPT:AAPL 2026-12-18 170 C"]


def test_several_contracts_are_refused_with_what_to_write_for_each_and_nothing_is_sent():
    """And the host's log of webhooks has it."""
    exchange = Exchange()
    exchange.contracts = [AmbiguousContract("SPX fits two options; nothing was sent.", candidates=())]
    executor = TradeExecutor(exchange, clock=ManualClock(START, jump=True))

    with pytest.raises(AmbiguousContract):
        executor.execute_webhook(OPTION | {"symbol": "SPX"})

    assert exchange.calls == []
    assert "two options" in json.dumps(executor.audit()[0]["answer"])
