"""Look-ups: what is listed, how it is spelt, and what unknown things answer."""

from __future__ import annotations

from decimal import Decimal

import pytest
from simulator_client import AAPL, Broker

from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.instrument import PLACEHOLDER_CONID
from ibkr_adapter.simulator.other_listings import INSTRUMENTS


@pytest.fixture
def broker():
    return Broker().ready()


def stocks(broker, symbols):
    return broker.get("/trsrv/stocks", symbols=symbols).body


def test_there_is_enough_to_trade_and_no_conid_twice():
    """Stocks on five exchanges and more, and something of every other class."""
    stocks = [one for one in INSTRUMENTS if one.sec_type == "STK"]

    assert sum(1 for one in stocks if one.is_us) >= 60
    assert len({one.exchange for one in stocks}) >= 5
    assert {one.sec_type for one in INSTRUMENTS} == {"STK", "IND", "CASH", "CRYPTO", "FUND", "BOND"}
    assert len({one.conid for one in INSTRUMENTS}) == len(INSTRUMENTS)
    assert all(0 < one.conid < PLACEHOLDER_CONID for one in INSTRUMENTS)


def test_a_conid_is_listed_once():
    """A second one would hide the first."""
    catalogue = Catalogue()

    with pytest.raises(ValueError, match="265598 is listed already"):
        catalogue.add(catalogue.find(265598))
    assert len(catalogue) == len(INSTRUMENTS) == len(catalogue.all())


def test_stocks_are_grouped_by_company_then_listing(broker):
    """An unknown ticker has an empty list; tickers are case sensitive."""
    body = stocks(broker, "AAPL,ZZZZ,aapl")

    assert [one["name"] for one in body["AAPL"]] == ["APPLE INC", "APPLE INC-CDR"]
    assert body["AAPL"][0]["contracts"][0] == {"conid": AAPL, "exchange": "NASDAQ", "isUS": True}
    assert body["ZZZZ"] == [] == body["aapl"]


@pytest.mark.parametrize("symbol", ["GLD", "SHOP"])
def test_a_foreign_listing_may_come_first(broker, symbol):
    """The first row is not the one to take."""
    first = stocks(broker, symbol)[symbol][0]["contracts"][0]
    hit = broker.get("/iserver/secdef/search", symbol=symbol).body[0]

    assert first["isUS"] is False
    assert hit["conid"] == str(first["conid"])
    assert hit["sections"][0]["exchange"].endswith(";")


def test_one_ticker_may_be_two_american_companies(broker):
    """Ambiguous beyond listings."""
    companies = stocks(broker, "GOLD")["GOLD"]

    assert len(companies) == 2
    assert all(one["contracts"][0]["isUS"] for one in companies)


def test_class_shares_have_a_space(broker):
    """No dot, no dash, no slash."""
    body = stocks(broker, "BRK B,BRK.B,BRK-B")

    assert len(body["BRK B"]) == 1
    assert body["BRK.B"] == [] == body["BRK-B"]


@pytest.mark.parametrize(("symbol", "venue", "lot"), [("700", "SEHK", 100), ("7203", "TSEJ", 100)])
def test_some_stocks_trade_in_lots(broker, symbol, venue, lot):
    """A hundred at a time, which the rules tell by their size increment."""
    listing = stocks(broker, symbol)[symbol][0]["contracts"][0]

    rules = broker.post("/iserver/contract/rules", {"conid": listing["conid"]}).body

    assert listing["exchange"] == venue
    assert (rules["sizeIncrement"], rules["fraqInt"]) == (lot, 0)


def test_one_stock_is_listed_abroad_only(broker):
    """In its own currency and with a ladder of ticks."""
    conid = stocks(broker, "NESN")["NESN"][0]["contracts"][0]["conid"]
    row = broker.get("/trsrv/secdef", conids=conid).body["secdef"][0]

    assert (row["currency"], row["isUS"]) == ("CHF", False)
    assert len(row["incrementRules"]) == 7


@pytest.mark.parametrize(
    ("price", "tick"),
    [("0.3", "0.0005"), ("1", "0.001"), ("4.99", "0.001"), ("79.84", "0.02"), ("300", "0.05")],
)
def test_the_tick_is_that_of_the_largest_edge_below(price, tick):
    """Inclusive."""
    assert Catalogue().find(900000009).tick_at(Decimal(price)) == Decimal(tick)


def test_definitions_come_by_get_and_post_for_200_conids_at_most(broker):
    """Unknown ones are left out."""
    got = broker.get("/trsrv/secdef", conids="265598,8314,999")
    posted = broker.post("/trsrv/secdef", {"conids": [265598]})

    assert [row["ticker"] for row in got.body["secdef"]] == ["AAPL", "IBM"]
    assert posted.body["secdef"][0]["conid"] == AAPL
    assert broker.get("/trsrv/secdef", conids=",".join("1" * 201)).status == 400
    assert broker.get("/trsrv/secdef").status == 400
    assert broker.get("/trsrv/stocks").status == 400


def test_a_venue_is_echoed_in_another_spelling(broker):
    """NASDAQ becomes NMS; the list is by conid."""
    rows = broker.get("/trsrv/all-conids", exchange="NASDAQ").body

    assert {row["exchange"] for row in rows} == {"NMS"}
    assert [row["conid"] for row in rows] == sorted(row["conid"] for row in rows)
    assert broker.get("/trsrv/all-conids", exchange="NMS").body == rows
    assert broker.get("/trsrv/all-conids", exchange="NYSE").body[0]["exchange"] == "NYSE"


def test_a_search_ends_with_a_placeholder_of_bonds(broker):
    """Conids are text; that of the last row is no contract."""
    rows = broker.post("/iserver/secdef/search", {"symbol": "AAPL"}).body

    assert rows[0]["conid"] == str(AAPL)
    assert rows[-1]["conid"] == "2147483647"
    assert rows[-1]["symbol"] is None


def test_searches_by_name_and_for_bonds(broker):
    """A name search has little in its rows."""
    by_name = broker.get("/iserver/secdef/search", symbol="apple", name="true").body
    bonds = broker.post("/iserver/secdef/search", {"symbol": "IBKR", "secType": "BOND"}).body

    assert set(by_name[0]) == {"conid", "companyName", "companyHeader", "symbol"}
    assert [row["sections"] for row in bonds] == [[{"secType": "BOND"}]]
    assert broker.get("/iserver/secdef/search", symbol="ZZZZ", secType="BOND").body == []
    assert broker.get("/iserver/secdef/search", symbol="ZZZZNOTREAL99").body == []
    assert broker.get("/iserver/secdef/search").status == 400


def test_rules_say_what_may_be_ordered(broker):
    """The size increment is not a lot size."""
    rules = broker.post("/iserver/contract/rules", {"conid": AAPL, "isBuy": True}).body
    both = broker.get(f"/iserver/contract/{AAPL}/info-and-rules", isBuy="true").body

    assert (rules["increment"], rules["incrementDigits"], rules["sizeIncrement"]) == (0.01, 2, 100)
    assert rules["limitPrice"] == 165.0
    assert both["rules"] == rules
    assert both["con_id"] == AAPL == broker.get(f"/iserver/contract/{AAPL}/info").body["con_id"]


def test_rules_are_told_of_a_conid_that_is_a_text(broker):
    """As clients send it that keep ids as texts."""
    body = {"conid": AAPL, "isBuy": True}

    assert (
        broker.post("/iserver/contract/rules", body | {"conid": str(AAPL)}).body
        == broker.post("/iserver/contract/rules", body).body
    )
    assert broker.post("/iserver/contract/rules", body | {"conid": "AAPL"}).status == 400


def test_an_etf_has_its_own_trap(broker):
    """Forty, and one share trades all the same."""
    assert broker.post("/iserver/contract/rules", {"conid": 756733}).body["sizeIncrement"] == 40


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/iserver/contract/999999999/info", None, 400),
        ("GET", "/iserver/contract/999999999/info-and-rules", None, 400),
        ("GET", "/iserver/contract/999999999/algos", None, 503),
        ("POST", "/iserver/contract/rules", {"conid": 0}, 400),
        ("POST", "/iserver/contract/rules", [], 400),
        ("GET", "/contract/trading-schedule", None, 400),
    ],
)
def test_an_unknown_contract_is_another_error_everywhere(broker, method, path, body, status):
    """As observed."""
    assert broker.call(method, path, body).status == status


def test_algorithms_bring_their_parameters_on_the_second_call(broker):
    """And only when asked for."""
    path = f"/iserver/contract/{AAPL}/algos"
    first = broker.get(path, addParams=1, algos="Adaptive").body["algos"]
    second = broker.get(path, addParams=1, algos="Adaptive;Vwap").body["algos"]

    assert first == [{"name": "Adaptive", "id": "Adaptive"}]
    assert second[0]["parameters"][0]["required"] == "true"
    assert [row["id"] for row in second] == ["Adaptive", "Vwap"]
    assert "parameters" not in broker.get(path).body["algos"][0]


def test_schedules_leave_out_closed_days(broker):
    """Thanksgiving is absent, the day after is short."""
    days = broker.get("/contract/trading-schedule", conid=AAPL).body["schedules"]

    assert list(days) == ["20261124", "20261125", "20261127", "20261130", "20261201", "20261202"]
    short = days["20261127"]["liquid_hours"][0]
    assert short["closing"] - short["opening"] == 3.5 * 3600
    long = days["20261124"]["extended_hours"][0]
    assert long["closing"] - long["opening"] == 16 * 3600


def test_the_old_schedule_stands_for_weekdays_and_refuses_a_conid(broker):
    """20000101 is any Saturday; holidays are literal."""
    body = broker.get("/trsrv/secdef/schedule", assetClass="STK", symbol="SPY").body[0]

    rows = {row["tradingScheduleDate"]: row["sessions"] for row in body["schedules"]}
    assert rows["20000101"] == [] == rows["20261126"]
    assert rows["20000103"][0]["openingTime"] == "0930"
    assert broker.get("/trsrv/secdef/schedule", assetClass="STK", symbol="SPY", conid=1).status == 400
    assert broker.get("/trsrv/secdef/schedule", assetClass="STK", symbol="ZZZZ").body == []
    assert broker.get("/trsrv/secdef/schedule", assetClass="XXX", symbol="SPY").status == 400


def test_pairs_put_a_currency_on_either_side(broker):
    """The symbol tells the direction."""
    rows = broker.get("/iserver/currency/pairs", currency="EUR").body["EUR"]

    assert rows == [{"symbol": "EUR.USD", "conid": 12087792, "ccyPair": "USD"}]


def test_exchange_rates_are_targets_for_one_source(broker):
    """As recorded for dollars and euros."""
    assert broker.get("/iserver/exchangerate", source="USD", target="EUR").body == {"rate": 0.86656614}
    assert broker.get("/iserver/exchangerate", source="USD", target="USD").body == {"rate": 1.0}
    assert broker.get("/iserver/exchangerate", source="USD", target="XXX").status == 400
