"""Portfolio Analyst: series that fit the book, trades and what they realised."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from simulator_client import AAPL, ACCOUNT, MSFT, Broker, recorded, ticket

from ibkr_adapter.simulator import nav_history

OTHER = "DU7654321"
NESN = 900000009


@pytest.fixture
def broker():
    return Broker(accounts=[OTHER]).ready()


def trade(broker, side="BUY", quantity=10, **changes):
    broker.place(ticket(orderType="MKT", price=None, side=side, quantity=quantity, **changes))
    broker.wait(1)


def performance(broker, period="1M", *accounts):
    return broker.post("/pa/performance", {"acctIds": list(accounts) or [ACCOUNT], "period": period}).body


def all_periods(broker, *accounts):
    return broker.post("/pa/allperiods", {"acctIds": list(accounts) or [ACCOUNT]}).body


def transactions(broker, conid=AAPL, **changes):
    body = {"acctIds": [ACCOUNT], "conids": [conid], "currency": "USD", "days": 30} | changes
    return broker.post("/pa/transactions", body)


def shape(value):
    """Keys and types, of lists that of the first element."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(one) for one in value[:1]] if isinstance(value, list) else type(value).__name__


# Worth.


def test_a_period_has_a_point_for_each_weekday_and_ends_now(broker):
    """Holidays, too; the start value is that of the weekday before."""
    broker.gateway.seed_position(AAPL, Decimal(100), price=Decimal(160))
    broker.price(AAPL, 166)

    body = performance(broker, "7D")

    nav = body["nav"]
    assert nav["dates"] == ["20261118", "20261119", "20261120", "20261123", "20261124"]
    assert nav["data"][0]["startNAV"] == {"date": "20261117", "val": 1016500.0}
    assert nav["data"][0]["navs"] == [1016500.0] * 4 + [1016600.0]
    assert body["cps"]["data"][0]["returns"] == [0.0, 0.0, 0.0, 0.0, 0.00009838]
    assert body["tpps"]["dates"] == ["202611"]
    assert body["tpps"]["data"][0]["returns"] == [0.00009838]
    assert body["nd"] == 7


def test_the_last_point_is_what_the_account_says_now():
    """After trades at moving prices; yesterday's last point stays."""
    broker = Broker(walk=0.01).ready()
    trade(broker, quantity=100)
    broker.wait(120)
    first = performance(broker, "1D")["nav"]["data"][0]["navs"]
    told = broker.ledger["accounts"][0]["net_liquidation"]
    broker.jump(days=1)
    trade(broker, "SELL", 40)
    second = performance(broker, "1D")["nav"]["data"][0]

    assert first == [told]
    assert second["startNAV"]["val"] == performance(broker, "7D")["nav"]["data"][0]["navs"][-2]
    assert second["navs"] == [broker.ledger["accounts"][0]["net_liquidation"]]


def test_months_are_counted_from_the_end_of_the_one_before(broker):
    """Their returns together make the return of the period."""
    broker.gateway.set_options({"walk": 0.05})
    broker.gateway.seed_position(AAPL, Decimal(5000))

    body = performance(broker, "YTD")

    months = body["tpps"]["data"][0]["returns"]
    product = 1.0
    for one in months:
        product *= 1 + one
    assert body["tpps"]["dates"] == [f"2026{month:02}" for month in range(2, 12)]
    assert len(set(months)) > 5
    assert product - 1 == pytest.approx(body["cps"]["data"][0]["returns"][-1], abs=1e-6)


def test_no_series_begins_before_the_account(broker):
    """It was opened on the first of February, a Sunday."""
    body = performance(broker, "1Y")

    assert (body["nav"]["data"][0]["start"], body["nav"]["dates"][0]) == ("20260201", "20260202")
    assert body["nav"]["data"][0]["startNAV"]["date"] == "20260130"


def test_several_accounts_are_one_series(broker):
    """Added up."""
    body = performance(broker, "1D", ACCOUNT, OTHER)

    assert body["nav"]["data"][0]["navs"] == [2_000_000.0]
    assert (len(body["nav"]["data"]), body["included"]) == (1, [ACCOUNT, OTHER])


def test_all_periods_are_under_the_id_of_each_account(broker):
    """The query's one account wins over the body."""
    both = all_periods(broker, ACCOUNT, OTHER)
    one = broker.post("/pa/allperiods", {"acctIds": [ACCOUNT]}, param=OTHER).body

    assert [key for key in both if key.startswith("DU")] == [ACCOUNT, OTHER]
    assert list(both[ACCOUNT])[:7] == ["1D", "7D", "MTD", "1M", "YTD", "1Y", "periods"]
    assert one["view"] == [OTHER]
    assert ACCOUNT not in one


def test_a_series_may_begin_with_a_row_that_nobody_was_worth():
    """Seen on paper accounts, in the long periods."""
    body = all_periods(Broker(bogus_performance=True))

    assert (body[ACCOUNT]["YTD"]["nav"][0], body[ACCOUNT]["YTD"]["cps"][0]) == (7267.05, -0.99273295)
    assert body[ACCOUNT]["1M"]["nav"][0] == 1_000_000.0


@pytest.mark.recorded
def test_worth_is_told_as_recorded(broker):
    """The recorded keys and types in performance and all periods."""
    theirs = recorded("pa/ibkrdotnet-pa-performance-trimmed.json")
    periods = recorded("pa/conduit-POST-pa-allperiods.json")
    trade(broker)

    ours = performance(broker)
    all_ours = all_periods(broker)

    assert shape(ours) == shape(theirs)
    of_one, of_theirs = all_ours.pop(ACCOUNT), periods.pop("U1234567")
    assert shape(of_one).items() >= shape(of_theirs).items()
    assert shape(all_ours).items() >= shape(periods).items()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("performance", {"acctIds": [], "period": "1M"}, 400),
        ("performance", {"acctIds": [ACCOUNT], "period": "3M"}, 400),
        ("performance", {"acctIds": [ACCOUNT]}, 400),
        ("performance", {"acctIds": ["INVALID999"], "period": "1M"}, 500),
        ("allperiods", {}, 400),
        ("allperiods", [1], 400),
        ("allperiods", {"acctIds": ["INVALID999"]}, 500),
        ("allocation", {}, 400),
        ("allocation", [1], 400),
        ("allocation", {"acctIds": ["INVALID999"]}, 500),
    ],
)
def test_what_is_missing_is_400_and_an_unknown_account_500(broker, path, body, status):
    """An account that nobody has is a failure of the server, as recorded."""
    assert broker.post(f"/pa/{path}", body).status == status


@pytest.mark.recorded
def test_a_documented_period_is_refused_as_seen(broker):
    """3M is in the documents and not in the service."""
    assert performance(broker, "3M") == recorded("errors/pa-performance-bad-period.json")


@pytest.mark.parametrize(
    ("period", "day", "begin"),
    [
        ("1M", date(2026, 3, 31), date(2026, 2, 28)),
        ("1M", date(2027, 1, 15), date(2026, 12, 15)),
        ("1Y", date(2028, 2, 29), date(2027, 2, 28)),
        ("1Y", date(2026, 11, 30), date(2025, 11, 30)),
        ("MTD", date(2026, 11, 30), date(2026, 11, 1)),
        ("YTD", date(2026, 11, 30), date(2026, 1, 1)),
        ("7D", date(2026, 11, 3), date(2026, 10, 28)),
        ("1D", date(2026, 11, 3), date(2026, 11, 3)),
    ],
)
def test_periods_begin_on_the_same_day_or_the_last_of_the_month(period, day, begin):
    """A shorter month ends earlier."""
    assert nav_history.PERIODS[period](day) == begin


def test_a_period_without_a_weekday_has_the_last_one(broker):
    """On a Sunday the series of the day is Friday's."""
    broker.gateway.advance(5 * 86_400)

    assert nav_history.series(broker.gateway.world, [ACCOUNT], "1D").days == [date(2026, 11, 27)]


# Trades.


def test_trades_are_told_with_what_they_realised(broker):
    """Amounts of trades are numbers without commission, realised ones texts with it."""
    trade(broker)
    broker.price(AAPL, 170)
    trade(broker, "SELL", 4)

    body = transactions(broker).body

    bought, sold = body["transactions"]
    assert (bought["type"], bought["qty"], bought["pr"], bought["amt"]) == ("Buy", 10.0, 165.01, -1650.1)
    assert (sold["type"], sold["qty"], sold["amt"]) == ("Sell", -4.0, 679.96)
    assert sold["date"] == "Tue Nov 24 00:00:00 EST 2026"
    assert (sold["rawDate"], sold["isRealTime"], sold["desc"]) == ("20261124", True, "APPLE INC")
    realised = broker.ledger["positions"][0]["realised"]
    assert body["rpnl"]["amt"] == str(realised) == "18.52"
    (row,) = body["rpnl"]["data"]
    assert (row["amt"], row["side"], row["positionSide"]) == ("18.52", "L", "long")
    assert (body["nd"], body["to"] - body["from"]) == (31, 30 * 86_400_000)


def test_each_sale_realises_its_own_part(broker):
    """The sum is that of the ledger; a day's sales are one row."""
    trade(broker)
    broker.price(AAPL, 170)
    trade(broker, "SELL", 4)
    trade(broker, "SELL", 4)

    body = transactions(broker).body

    assert len(body["rpnl"]["data"]) == 1
    assert body["rpnl"]["amt"] == str(broker.ledger["positions"][0]["realised"]) == "37.04"


def test_what_was_held_short_is_told_so(broker):
    """Bought back at a loss: a negative amount on the short side."""
    trade(broker, "SELL", 10)
    broker.price(AAPL, 170)
    trade(broker, "BUY", 10)

    (row,) = transactions(broker).body["rpnl"]["data"]

    assert (row["side"], row["positionSide"], row["amt"]) == ("S", "short", "-52.2")


def test_only_the_days_and_the_contract_that_were_asked_for_are_told(broker):
    """Without days it is ninety; only the first conid counts, as a number or as text."""
    trade(broker)
    trade(broker, conid=MSFT)
    broker.jump(days=7)
    trade(broker, quantity=1)

    def sizes(**changes):
        return [one["qty"] for one in transactions(broker, **changes).body["transactions"]]

    assert sizes(days=2) == [1.0]
    assert sizes(days=30) == sizes(conids=[str(AAPL), MSFT]) == [10.0, 1.0]
    assert transactions(broker).body["transactions"][0]["isRealTime"] is False
    without = broker.post(
        "/pa/transactions", {"acctIds": [ACCOUNT], "conids": [MSFT], "currency": "USD"}
    ).body
    assert (without["nd"], len(without["transactions"])) == (91, 1)
    assert sizes(acctIds=[OTHER]) == []


def test_a_foreign_contract_is_told_with_its_rate(broker):
    """The sum of what was realised is in the currency that was asked for."""
    trade(broker, conid=NESN)
    broker.price(NESN, 90)
    trade(broker, "SELL", conid=NESN)

    body = transactions(broker, NESN).body

    (row,) = body["rpnl"]["data"]
    assert (row["cur"], row["fxRate"], body["transactions"][0]["fxRate"]) == ("CHF", 1.241, 1.241)
    assert float(body["rpnl"]["amt"]) == pytest.approx(float(row["amt"]) * 1.241)
    assert transactions(broker, NESN, currency="CHF").body["rpnl"]["data"][0]["fxRate"] == 1.0


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"conids": []}, 400),
        ({"acctIds": []}, 400),
        ({"currency": None}, 400),
        ({"currency": "XXX"}, 400),
        ({"conids": ["abc"]}, 400),
        ({"days": 0}, 400),
        ({"days": "30"}, 400),
        ({"acctIds": ["INVALID999"]}, 500),
    ],
)
def test_transactions_want_accounts_a_contract_and_a_currency(broker, changes, status):
    """All three; a bad one is 400, an unknown account 500."""
    assert transactions(broker, **changes).status == status
    assert broker.post("/pa/transactions", [1]).status == 400


@pytest.mark.recorded
def test_trades_are_told_as_recorded(broker):
    """The recorded keys and types."""
    theirs = recorded("pa/ibkrdotnet-pa-transactions-trimmed.json")
    trade(broker)
    trade(broker, "SELL")

    ours = transactions(broker).body

    assert shape(ours).items() >= shape(theirs).items()


# Kinds.


def test_holdings_are_sorted_in_five_ways(broker):
    """Longs and shorts apart; weights are parts of their side, cash has no place."""
    broker.gateway.seed_position(AAPL, Decimal(1000))
    broker.gateway.seed_position(NESN, Decimal(-10))

    body = broker.post("/pa/allocation", {"acctIds": [ACCOUNT]}).body

    ways = body["allocations"]
    kinds = ways["FINANCIAL_INSTRUMENT"]
    assert list(ways) == ["FINANCIAL_INSTRUMENT", "ASSET_CLASS", "COUNTRY", "SECTOR", "REGION"]
    assert [(one["id"], one["nav"]) for one in kinds["long"]["items"]] == [
        ("STK", 165_000.0),
        ("CASH_BALANCE", 1_000_000.0),
    ]
    assert sum(one["weight"] for one in kinds["long"]["items"]) == pytest.approx(1)
    assert kinds["short"]["items"][0]["nav"] < 0
    assert [one["id"] for one in ways["COUNTRY"]["long"]["items"]] == ["US"]
    assert [one["id"] for one in ways["REGION"]["short"]["items"]] == ["EUROPE"]
    assert [one["id"] for one in ways["ASSET_CLASS"]["long"]["items"]] == ["EQ", "CA"]


@pytest.mark.recorded
def test_kinds_are_told_as_recorded(broker):
    """The recorded keys and types."""
    theirs = recorded("pa/ibkrdotnet-pa-allocation.json")
    broker.gateway.seed_position(AAPL, Decimal(1))

    ours = broker.post("/pa/allocation", {"acctIds": [ACCOUNT]}).body

    for way, sides in theirs["allocations"].items():
        ours_there = ours["allocations"][way]["long"]
        assert shape(ours_there["total"]) == shape(sides["long"]["total"])
        assert shape(ours_there["items"])[0].items() >= shape(sides["long"]["items"])[0].items()


def test_an_empty_account_is_all_cash(broker):
    """And in debt it is short of it."""
    kinds = broker.post("/pa/allocation", {"acctIds": [ACCOUNT]}).body["allocations"]
    broker.gateway.world.accounts[OTHER].cash["USD"] = Decimal(0)

    assert kinds["ASSET_CLASS"]["long"]["items"][0]["weight"] == 1.0
    assert kinds["COUNTRY"] == {}
    nothing = broker.post("/pa/allocation", {"acctIds": [OTHER]}).body["allocations"]["ASSET_CLASS"]
    assert nothing["long"]["items"][0]["weight"] == 0.0
    assert performance(broker, "1D", OTHER)["cps"]["data"][0]["returns"] == [0.0]
