"""Currencies and coins: two balances, conversions, sizes in money, five-minute orders."""

from __future__ import annotations

from decimal import Decimal

import pytest
from simulator_client import ACCOUNT, Broker, ticket

EURUSD, USDJPY, USDCHF, BTC = 12087792, 15016059, 12087820, 479624278
MARKET = {"orderType": "MKT", "price": None}
COIN = {**MARKET, "conid": BTC, "tif": "IOC"}


@pytest.fixture
def broker():
    return Broker(questions=False, first_reads_empty=False).ready()


def refused(broker, **changes):
    body = broker.place(ticket(**changes)).body
    return body["error"] if isinstance(body, dict) else body[0].get("text")


def filled(broker, **changes):
    reply = broker.place(ticket(**changes))
    assert reply.body[0].get("order_id", "-1") != "-1", reply.body
    broker.wait(2)
    return broker.ledger["executions"][-1]


def cash(broker):
    return broker.ledger["accounts"][0]["cash"]


# Currencies.


def test_buying_a_pair_moves_two_balances(broker):
    """Euros come, dollars go, the fee is in dollars; there is no position."""
    done = filled(broker, conid=EURUSD, quantity=20_000, **MARKET)

    assert done["price"] == 1.15405
    assert cash(broker) == {"EUR": 20_000.0, "USD": 1_000_000 - 23_081.0 - 2.0}
    assert broker.get(f"/portfolio2/{ACCOUNT}/positions").body == []


def test_selling_a_pair_moves_them_back(broker):
    """In the currency that is paid: yen for dollars."""
    filled(broker, conid=USDJPY, side="SELL", quantity=1000, **MARKET)

    assert cash(broker)["JPY"] == 156_245.0
    assert cash(broker)["USD"] == 1_000_000 - 1000 - 2


def test_the_account_is_worth_the_same_but_for_spread_and_fee(broker):
    """An exchange is no profit."""
    filled(broker, conid=EURUSD, quantity=100_000, **MARKET)

    account = broker.ledger["accounts"][0]
    assert account["realised"] == account["unrealised"] == 0.0
    assert account["net_liquidation"] == pytest.approx(1_000_000, abs=15)
    ledger = broker.get("/portfolio/accounts") and broker.get(f"/portfolio/{ACCOUNT}/ledger").body
    assert ledger["EUR"]["cashbalance"] == 100_000.0


def test_a_pair_may_show_as_a_position(broker):
    """Where the account keeps virtual ones; what only converts leaves none."""
    broker.gateway.set_options({"virtual_pairs": True})
    filled(broker, conid=EURUSD, quantity=20_000, **MARKET)
    filled(broker, conid=USDCHF, quantity=None, fxQty=1000, isCcyConv=True, **MARKET)

    rows = broker.get(f"/portfolio2/{ACCOUNT}/positions").body
    accounts = broker.get("/portfolio/accounts").body
    assert [(row["conid"], row["assetClass"], row["position"]) for row in rows] == [
        (str(EURUSD), "CASH", 20_000.0)
    ]
    assert broker.ledger["accounts"][0]["unrealised"] == 0.0
    assert accounts[0]["trackVirtualFXPortfolio"] is True


def test_a_conversion_is_sized_in_what_is_paid(broker):
    """Twenty-five hundred dollars into euros; the row is told in dollars."""
    filled(broker, conid=EURUSD, price=1.16, quantity=None, fxQty=2500, isCcyConv=True)

    row = broker.get("/iserver/account/orders").body["orders"][0]
    assert row["totalSize"] == 2166.37
    assert (row["totalCashSize"], row["sizeAndFills"]) == (2500.0, "2.5K USD")
    assert row["filledQuantity"] == 2500.1
    assert (row["listingExchange"], row["exchange"], row["ticker"]) == ("FXCONV", "IDEALPRO", "EUR")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fxQty": 2500, "quantity": None}, "Invalid order size fields"),
        ({"fxQty": 2500, "isCcyConv": True}, "Invalid order size fields"),
        ({"quantity": None}, "Invalid order size fields"),
        ({"quantity": 1000.005}, "does not conform"),
        ({"price": 1.15003}, "does not conform to the minimum variation of 0.00005"),
        ({"tif": "OPG"}, "Invalid time in force"),
        ({"orderType": "MIDPRICE", "price": None}, "Invalid order type"),
        ({"outsideRTH": True}, "Outside Regular Trading Hours"),
        ({"conid": None, "conidex": f"{EURUSD}@SMART"}, "Invalid destination exchange"),
        ({"conid": 265598, "price": 164.0, "isCcyConv": True}, "Only a pair"),
    ],
)
def test_what_a_pair_does_not_take_is_refused(broker, changes, words):
    """Two sizes, other ticks, other times, other venues."""
    assert words in refused(broker, **{"conid": EURUSD, "price": 1.15, "quantity": 1000} | changes)


def test_a_pair_may_be_sized_in_money(broker):
    """In the second currency, rounded down to cents of the first."""
    done = filled(broker, conid=None, conidex=f"{EURUSD}@IDEALPRO", quantity=None, cashQty=1000, **MARKET)

    assert done["quantity"] == float((Decimal(1000) / Decimal("1.154")).quantize(Decimal("0.01")))


def test_a_pair_trades_by_night_and_not_on_saturday(broker):
    """From Sunday to Friday."""
    broker.jump(hours=12)
    assert filled(broker, conid=EURUSD, quantity=1000, **MARKET)
    broker.jump(days=3, hours=12)

    assert "outside regular trading hours" in refused(broker, conid=EURUSD, quantity=1000, **MARKET)


def test_a_hundred_thousand_of_a_pair_draw_no_question_of_size():
    """Its size is money already."""
    broker = Broker().ready()

    assert "order_id" in broker.place(ticket(conid=EURUSD, quantity=200_000, price=1.15)).body[0]


def test_the_pair_of_two_currencies_is_asked_for_either_way(broker):
    """The symbol tells which way it is; the other way is the inverse."""
    francs = broker.get("/iserver/currency/pairs", currency="CHF").body["CHF"]
    forth = broker.get("/iserver/exchangerate", source="USD", target="CHF").body["rate"]
    back = broker.get("/iserver/exchangerate", source="CHF", target="USD").body["rate"]

    assert francs == [{"symbol": "USD.CHF", "conid": USDCHF, "ccyPair": "USD"}]
    assert forth * back == pytest.approx(1, abs=1e-7)
    assert broker.get("/iserver/currency/pairs").status == 400


# Coins.


def test_a_coin_is_bought_for_money(broker):
    """At once, rounded down to a hundred-millionth."""
    done = filled(broker, **COIN, quantity=None, cashQty=1000)

    assert done["quantity"] == 0.01096004
    assert cash(broker)["USD"] == pytest.approx(1_000_000 - 0.01096004 * 91240.75 - 1.8)
    row = broker.get(f"/portfolio2/{ACCOUNT}/positions").body[0]
    assert (row["assetClass"], row["description"], row["position"]) == ("CRYPTO", "BTC CRYPTO", 0.01096004)


def test_a_coin_is_sold_by_its_size(broker):
    """What was bought goes to the last digit."""
    filled(broker, **COIN, quantity=None, cashQty=1000)

    filled(broker, **COIN, side="SELL", quantity=0.01096004)

    assert broker.position(BTC) == 0.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tif": "DAY"}, "The crypto MKT order must be IOC"),
        ({"tif": "GTC"}, "The crypto MKT order must be IOC"),
        ({}, "You must set Cash Quantity for this order."),
        ({"orderType": "LMT", "price": 91000.0, "tif": "GTC"}, "Invalid time in force GTC"),
        ({"orderType": "LMT", "price": 91000.1, "tif": "PAX"}, "minimum variation of 0.25"),
        (
            {"orderType": "LMT", "price": 91000.0, "tif": "PAX", "quantity": 1e-9},
            "minimum variation of 0.00000001",
        ),
        ({"orderType": "STP", "price": 91000.0, "tif": "GTC"}, "Invalid order type"),
    ],
)
def test_what_a_coin_does_not_take_is_refused(broker, changes, words):
    """In the words of the same refusals elsewhere at the broker."""
    assert words in refused(broker, **COIN | {"quantity": 1} | changes)


def test_a_limit_order_for_a_coin_stands_for_five_minutes(broker):
    """Then it is cancelled by itself."""
    broker.place(ticket(conid=BTC, quantity=0.5, price=90000.0, tif="PAX", cOID="five"))
    broker.wait(290)
    standing = broker.order("five")["status"]
    broker.wait(20)

    assert standing == "Submitted"
    assert broker.order("five")["status"] == "Cancelled"


def test_coins_trade_on_saturday(broker):
    """And on holidays."""
    broker.jump(days=4)

    assert filled(broker, **COIN, quantity=None, cashQty=500)


def test_a_coin_has_a_conid_for_each_venue(broker):
    """The same coin, two contracts."""
    rows = broker.get("/iserver/secdef/search", symbol="ETH", secType="CRYPTO").body

    assert [row["sections"][0]["exchange"] for row in rows] == ["PAXOS;", "ZEROHASH;"]
    assert len({row["conid"] for row in rows}) == 2


# Shares sized in money.


@pytest.mark.parametrize(("fractions", "size"), [(True, 6.0606), (False, 6.0)])
def test_money_buys_as_many_shares_as_the_account_may_hold(fractions, size):
    """Fractions where it may trade them, whole shares where not."""
    broker = Broker(questions=False, fractions=fractions).ready()

    assert filled(broker, quantity=None, cashQty=1000, **MARKET)["quantity"] == size


def test_money_that_buys_no_whole_share_is_refused():
    """Rounded down to nothing."""
    broker = Broker(questions=False, fractions=False).ready()

    assert "The size, 0, does not conform" in refused(broker, quantity=None, cashQty=100, **MARKET)
