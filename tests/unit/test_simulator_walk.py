"""The walk to a derivative: search, strikes, contracts, in this order or in vain."""

from __future__ import annotations

import pytest
from simulator_client import AAPL, Broker

SPX, ES, CL, IBM = 416904, 11004968, 17340715, 8314
DECEMBER = {"conid": AAPL, "sectype": "OPT", "month": "DEC26"}


@pytest.fixture
def broker():
    return Broker().ready()


def search(broker, symbol, **query):
    return broker.get("/iserver/secdef/search", symbol=symbol, **query).body


def strikes(broker, **query):
    return broker.get("/iserver/secdef/strikes", **query)


def contracts(broker, **query):
    return broker.get("/iserver/secdef/info", **query)


def section(row, kind):
    return next(one for one in row["sections"] if one["secType"] == kind)


def walk(broker, symbol, **query):
    """The three steps; the rows they end with."""
    search(broker, symbol)
    strikes(broker, **{key: query[key] for key in ("conid", "sectype", "month", "exchange") if key in query})
    return contracts(broker, **query).body


def test_a_search_tells_months_and_exact_dates(broker):
    """Months are three letters and two digits; weeks have no code of their own."""
    row = search(broker, "AAPL")[0]

    assert section(row, "OPT")["months"].split(";")[:3] == ["NOV26", "DEC26", "JAN27"]
    assert section(row, "OPT")["exchange"].startswith("SMART;AMEX;CBOE")
    assert row["opt"].split(";")[:5] == ["20261127", "20261204", "20261211", "20261218", "20261224"]


def test_exact_dates_may_be_missing(broker):
    """The recordings lack them."""
    broker.gateway.set_options({"search_expiries": False})

    assert search(broker, "AAPL")[0]["opt"] is None


def test_strikes_are_those_of_the_whole_month(broker):
    """One alone may be missing on a date: the wide ones are on the monthly date only."""
    search(broker, "AAPL")
    found = strikes(broker, **DECEMBER).body

    everywhere = contracts(broker, **DECEMBER, strike=165).body
    far = contracts(broker, **DECEMBER, strike=230).body
    missing = contracts(broker, **DECEMBER, strike=166).body
    assert found["call"] == found["put"] == sorted(found["call"])
    assert {100.0, 162.5, 165.0, 230.0} <= set(found["call"])
    assert {row["maturityDate"] for row in everywhere} == {
        "20261204",
        "20261211",
        "20261218",
        "20261224",
        "20261231",
    }
    assert {row["maturityDate"] for row in far} == {"20261218"}
    assert missing == []


def test_without_a_search_strikes_are_empty_until_they_are_asked_after_one(broker):
    """Empty is ambiguous: search once, then it fills."""
    before = strikes(broker, **DECEMBER)
    search(broker, "AAPL")
    after = strikes(broker, **DECEMBER)

    assert (before.status, before.body) == (200, {"call": [], "put": []})
    assert len(after.body["call"]) > 20


def test_contracts_without_a_search_are_an_error_and_without_strikes_nothing(broker):
    """The words are those that were seen, with their blank."""
    lost = contracts(broker, **DECEMBER, strike=165)
    search(broker, "AAPL")
    skipped = contracts(broker, **DECEMBER, strike=165)
    strikes(broker, **DECEMBER)
    walked = contracts(broker, **DECEMBER, strike=165, right="P")

    assert (lost.status, lost.body) == (500, {"error": "No Contracts retrieved "})
    assert (skipped.status, skipped.body) == (200, [])
    assert {row["right"] for row in walked.body} == {"P"}


def test_a_search_by_name_forgets_the_walk(broker):
    """As documented: the next strikes are empty."""
    search(broker, "AAPL")

    search(broker, "AAPL", name="true")

    assert strikes(broker, **DECEMBER).body["call"] == []


def test_the_walk_belongs_to_the_brokerage_session(broker):
    """A new one has searched nothing."""
    search(broker, "AAPL")

    broker.ready()

    assert strikes(broker, **DECEMBER).body["call"] == []


def test_a_search_for_something_else_forgets_nothing(broker):
    """Several walks go on side by side."""
    search(broker, "AAPL")
    search(broker, "SPX")

    assert strikes(broker, **DECEMBER).body["call"]


@pytest.mark.parametrize(("order", "status", "found"), [("search", 500, 0), ("free", 200, 10)])
def test_the_walk_may_be_relaxed(order, status, found):
    """For a server that does not mind."""
    broker = Broker(walk_order=order).ready()

    reply = contracts(broker, **DECEMBER, strike=165)
    search(broker, "AAPL")

    assert reply.status == status
    assert (len(reply.body) if status == 200 else 0) == found
    assert len(contracts(broker, **DECEMBER, strike=165).body) == 10


def test_strikes_may_come_late():
    """Empty although everything was done, and filled when asked once more."""
    broker = Broker(empty_strikes=1).ready()
    search(broker, "AAPL")

    first, second, third = (strikes(broker, **DECEMBER).body["call"] for _ in range(3))

    assert first == []
    assert second == third != []


@pytest.mark.parametrize("month", ["202612", "Dec26", "dec26", "DEC2026", "XXX26", "999999"])
def test_a_month_that_is_none_has_no_strikes_and_no_contracts(broker, month):
    """200 and empty for the strikes, 500 for the contracts."""
    search(broker, "AAPL")

    assert strikes(broker, **DECEMBER | {"month": month}).body == {"call": [], "put": []}
    assert contracts(broker, **DECEMBER | {"month": month}, strike=165).status == 500


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"conid": 756733, "sectype": "OPT", "month": "202701"}, "strike"),
        ({"conid": 756733, "month": "JAN27", "strike": 1}, "sectype"),
        ({"conid": 756733, "sectype": "OPT", "strike": 1}, "month"),
        ({"sectype": "FUT", "month": "DEC26"}, "conid"),
        ({"conid": ES, "sectype": "FOP", "month": "DEC26"}, "exchange"),
        ({"conid": IBM, "sectype": "WAR", "month": "DEC26", "strike": 1}, "right"),
        ({"sectype": "BOND"}, "issuerId"),
    ],
)
def test_a_missing_parameter_is_400_and_named(broker, query, field):
    """The spelling is sectype, in small letters."""
    reply = contracts(broker, **query)

    assert reply.status == 400
    assert reply.body["invalidArguments"][0]["field"] == field


@pytest.mark.parametrize("order", ["strict", "free"])
def test_a_derivatives_own_conid_is_refused(broker, order):
    """Documented as allowed, seen as 500; also where the walk does not matter."""
    broker.gateway.set_options({"walk_order": order})
    conid = walk(broker, "AAPL", **DECEMBER, strike=165)[0]["conid"]

    assert contracts(broker, **DECEMBER | {"conid": conid}, strike=165).status == 500


def test_an_option_row_has_the_documented_words(broker):
    """Strike a number, right a letter, multiplier text."""
    row = walk(broker, "IBM", conid=IBM, sectype="OPT", month="DEC26", strike="187.5")[0]

    assert (row["strike"], row["right"], row["multiplier"]) == (187.5, "C", "100")
    assert row["desc2"] == "DEC 04 '26 187.5 Call"
    assert row["maturityDate"] == "20261204"
    assert row["coupon"] == "No Coupon"
    assert row["tradingClass"] == "IBM"


def test_one_date_of_an_index_has_two_trading_classes(broker):
    """The third Friday is settled in the morning and in the evening."""
    rows = walk(broker, "SPX", conid=SPX, sectype="OPT", month="DEC26", strike=6550, right="C")

    friday = {row["tradingClass"] for row in rows if row["maturityDate"] == "20261218"}
    assert friday == {"SPX", "SPXW"}
    assert {row["tradingClass"] for row in rows if row["maturityDate"] != "20261218"} == {"SPXW"}


def test_futures_are_found_by_their_product_and_month(broker):
    """No strikes in between; the product itself is an index."""
    row = next(one for one in search(broker, "ES", secType="FUT") if one["conid"] == str(ES))
    found = contracts(broker, conid=ES, sectype="FUT", month="DEC26", exchange="CME").body

    assert section(row, "FUT")["months"] == "DEC26;MAR27;JUN27;SEP27;DEC27"
    assert section(row, "FUT")["exchange"] == "CME;"
    assert [(one["conid"], one["maturityDate"], one["multiplier"]) for one in found] == [
        (515416632, "20261218", "50")
    ]
    assert contracts(broker, conid=ES, sectype="FUT", month="DEC26", exchange="NYMEX").body == []
    assert contracts(broker, conid=ES, sectype="FUT", month="JAN27").body == []


def test_a_ticker_may_be_a_share_and_a_future(broker):
    """CL is Colgate and crude oil; oil's month is that of delivery."""
    rows = search(broker, "CL")
    found = contracts(broker, conid=CL, sectype="FUT", month="JAN27").body

    assert [row["conid"] for row in rows[:2]] == ["5749", str(CL)]
    assert [row["conid"] for row in search(broker, "CL", secType="FUT")] == [str(CL)]
    assert found[0]["maturityDate"] == "20261221"


def test_futures_options_want_their_exchange(broker):
    """Smart routing has none; without a strike the whole month comes."""
    query = {"conid": ES, "sectype": "FOP", "month": "DEC26"}
    search(broker, "ES")
    smart = strikes(broker, **query).body["call"]
    listed = strikes(broker, **query, exchange="CME").body["call"]

    month = contracts(broker, **query, exchange="CME").body
    one = contracts(broker, **query, exchange="CME", strike=6600, right="C").body
    assert smart == []
    assert len(listed) > 100
    assert len(month) > 500
    assert {row["tradingClass"] for row in one} == {"ES", "EW", "EW1", "EW2", "EW4"}
    assert one[0]["desc2"] == "(ES) Dec18'26 6600 Call Fut.Option(50) @CME"


def test_a_warrant_needs_everything(broker):
    """Another currency than its share, a tenth of one for each."""
    found = walk(broker, "IBM", conid=IBM, sectype="WAR", month="DEC26", strike=190, right="C")

    assert [(row["currency"], row["multiplier"], row["secType"]) for row in found] == [("EUR", "0.1", "WAR")]


@pytest.mark.parametrize(
    ("conid", "sec_type", "ticker"),
    [
        (IBM, "STK", "IBM"),
        (12087792, "CASH", "EUR"),
        (SPX, "IND", "SPX"),
        (479624278, "CRYPTO", "BTC"),
        (900000121, "FUND", "VFIAX"),
    ],
)
def test_what_is_no_derivative_is_one_object(broker, conid, sec_type, ticker):
    """With other names, and without a walk."""
    body = contracts(broker, conid=conid, sectype=sec_type).body

    assert (body["conid"], body["secType"], body["ticker"]) == (conid, sec_type, ticker)
    assert (body["right"], body["strike"]) == ("?", 0.0)


@pytest.mark.parametrize(
    ("symbol", "query", "conids"),
    [
        ("BTC", {"secType": "CRYPTO"}, ["479624278", "541686651"]),
        ("EUR", {"secType": "CASH"}, ["12087792"]),
        ("USD.JPY", {}, ["15016059"]),
        ("JPY.USD", {}, []),
        ("SPX", {"secType": "IND"}, [str(SPX)]),
        ("VIX", {}, ["900000103"]),
        ("AAPL", {"secType": "IND"}, []),
    ],
)
def test_every_class_is_found_by_a_search(broker, symbol, query, conids):
    """A pair exists one way round only."""
    assert [row["conid"] for row in search(broker, symbol, **query)] == conids


def test_bonds_are_found_by_issuer_and_filters(broker):
    """A placeholder, filters, then rows; an unknown issuer has none and is no error."""
    hit = broker.post("/iserver/secdef/search", {"symbol": "IBKR", "secType": "BOND"}).body[0]
    issuer = hit["issuers"][0]["id"]
    filters = broker.get("/iserver/secdef/bond-filters", symbol="BOND", issuerId=issuer).body["bondFilters"]
    narrowed = contracts(broker, sectype="BOND", issuerId=issuer, filters="27:202812,5:USD").body

    assert hit["conid"] == "2147483647"
    assert [one["displayText"] for one in filters] == [
        "Exchange",
        "Maturity Date",
        "Issue Date",
        "Coupon",
        "Currency",
    ]
    assert filters[1]["options"][0] == {"text": "Dec 2028", "value": "202812"}
    assert len(contracts(broker, sectype="BOND", issuerId=issuer).body) == 5
    assert [(row["coupon"], row["currency"]) for row in narrowed] == [("4.25", "USD")]
    assert broker.get("/iserver/secdef/bond-filters", symbol="BOND", issuerId="INVALID").body == {
        "bondFilters": []
    }
    assert broker.get("/iserver/secdef/bond-filters", symbol="BOND").status == 400
    assert len(search(broker, "IBM", secType="BOND")[0]["issuers"]) == 4
