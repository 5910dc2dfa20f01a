"""Profit, summary, ledger, bars and depth on a stream of the simulator."""

from __future__ import annotations

from decimal import Decimal

import pytest
from simulator_client import AAPL, ACCOUNT, MSFT, Broker
from stream_client import Listener

SEGMENTS = f"ssd+{ACCOUNT}"
LEDGER = f"sld+{ACCOUNT}"


@pytest.fixture
def broker():
    broker = Broker().ready()
    broker.gateway.seed_position(AAPL, Decimal(10), price=Decimal(160))
    return broker


@pytest.fixture
def stream(broker):
    return Listener(broker).opened()


# Profit.


def test_profit_is_told_whole_and_then_by_what_changes(broker, stream):
    """At most once a second, under the account's key."""
    (first,) = stream.write("spl+{}").of("spl")
    unmoved = stream.after(3).of("spl")
    broker.price(AAPL, 166)
    (later,) = stream.after(1).of("spl")

    row = first["args"][f"{ACCOUNT}.Core"]
    assert set(row) == {"rowType", "dpl", "nl", "upl", "el", "uel", "mv"}
    assert (row["rowType"], row["upl"], row["mv"]) == (1, 50.0, 1650.0)
    assert unmoved == []
    assert later["args"][f"{ACCOUNT}.Core"]["upl"] == 60.0


def test_profit_outlives_the_brokerage_session(broker, stream):
    """It needs none; neither do the sums. upl ends it."""
    stream.write("spl", SEGMENTS, LEDGER).new()
    broker.gateway.change_session("drop")
    broker.price(AAPL, 166)
    topics = [one["topic"] for one in stream.after(10).new()]
    stream.write("upl{}")
    broker.price(AAPL, 167)

    assert {"spl", SEGMENTS, LEDGER} <= set(topics)
    assert stream.after(2).of("spl") == []


# Summary.


def test_the_summary_has_money_and_texts(stream):
    """Under result, with the segment behind the name and stamps in seconds."""
    (frame,) = stream.write(SEGMENTS).of(SEGMENTS)
    rows = {row["key"]: row for row in frame["result"]}

    money, text = rows["ExcessLiquidity-S"], rows["Cushion"]
    assert set(money) == {"key", "currency", "monetaryValue", "severity", "timestamp"}
    assert set(text) == {"key", "value", "timestamp"}
    assert text["timestamp"] == 1795532401
    assert "NetLiquidation" in rows


def test_keys_and_fields_choose(stream):
    """What is not asked for is not told; unknown names are ignored."""
    wish = '+{"keys":["NetLiquidation","Cushion","Nonsense"],"fields":["currency","monetaryValue"]}'
    (frame,) = stream.write(SEGMENTS + wish).of(SEGMENTS)

    assert {row["key"]: set(row) for row in frame["result"]} == {
        "NetLiquidation": {"key", "currency", "monetaryValue", "timestamp"},
        "Cushion": {"key", "timestamp"},
    }


def test_the_summary_tells_changes_every_ten_seconds(broker, stream):
    """And nothing when there are none."""
    stream.write(SEGMENTS).new()
    unmoved = stream.after(30).of(SEGMENTS)
    broker.price(AAPL, 166)
    early = stream.after(5).of(SEGMENTS)
    (frame,) = stream.after(5).of(SEGMENTS)

    assert (unmoved, early) == ([], [])
    keys = {row["key"] for row in frame["result"]}
    assert "NetLiquidation" in keys
    assert "TotalCashValue" not in keys


@pytest.mark.parametrize(("topic", "name"), [("ssd", "summary"), ("sld", "ledger")])
def test_the_end_of_sums_is_confirmed(stream, topic, name):
    """Without a topic; and nothing is said about what was not open."""
    stream.write(f"{topic}+{ACCOUNT}").new()

    assert stream.write(f"u{topic[1:]}+{ACCOUNT}+{{}}").new() == [{"result": f"unsubscribed from {name}"}]
    assert stream.write(f"u{topic[1:]}+{ACCOUNT}+{{}}").new() == []


@pytest.mark.parametrize("written", ["ssd+{}", "sld", "ssd+DU9", "spl+DU9"])
def test_sums_need_an_account_of_the_user(stream, written):
    """Silent without; profit needs none."""
    assert len(stream.write(written).new()) == (1 if written.startswith("spl") else 0)


# Ledger.


def test_the_ledger_repeats_unchanged_currencies_by_name(broker, stream):
    """Every ten seconds."""
    (first,) = stream.write(LEDGER).of(LEDGER)
    (blank,) = stream.after(10).of(LEDGER)
    broker.price(AAPL, 166)
    (moved,) = stream.after(10).of(LEDGER)

    assert [row["key"] for row in first["result"]] == ["LedgerListUSD", "LedgerListBASE"]
    assert {"acctCode", "cashbalance", "exchangeRate", "secondKey"} <= set(first["result"][0])
    assert [set(row) for row in blank["result"]] == [{"key", "timestamp"}] * 2
    assert moved["result"][0]["stockMarketValue"] == 1660.0


def test_the_ledger_takes_names_in_their_documented_case(stream):
    """CashBalance asks for cashbalance."""
    wish = '+{"keys":["LedgerListBASE"],"fields":["cashBalance","exchangeRate"]}'
    (frame,) = stream.write(LEDGER + wish).of(LEDGER)

    (row,) = frame["result"]
    assert set(row) == {"key", "timestamp", "cashbalance", "exchangeRate"}


def test_long_numbers_are_in_e_notation():
    """As Java prints them, and JSON reads them."""
    broker = Broker(cash=202_011_317.91).ready()
    stream = Listener(broker).opened()

    (frame,) = stream.write(LEDGER).of(LEDGER)

    assert b'"cashbalance": 2.0201131791E8' in stream.raw[-1]
    assert frame["result"][0]["cashbalance"] == 202_011_317.91


# Bars.


def charts(stream, conid=AAPL, period="1d"):
    return stream.write(f'smh+{conid}+{{"period":"{period}","bar":"1h","outsideRth":false}}')


def test_bars_come_once(broker, stream):
    """The same as by request, with a topic."""
    (frame,) = charts(stream).of(f"smh+{AAPL}")
    asked = broker.get("/iserver/marketdata/history", conid=AAPL, period="1d", bar="1h").body
    broker.price(AAPL, 170)

    assert frame["data"] == asked["data"]
    assert set(asked) <= set(frame)
    assert charts(stream, 7).of("smh+7") == [{"topic": "smh+7", "error": "No data."}]
    assert stream.after(60).of(f"smh+{AAPL}") == []


def test_five_places_are_given_up_by_the_servers_id(stream):
    """By the conid they are not; the sixth is silent."""
    ids = [charts(stream).of(f"smh+{AAPL}")[0]["serverId"] for _ in range(5)]
    sixth = charts(stream).new()
    wrong = stream.write(f"umh+{AAPL}").new()
    right = stream.write(f"umh+{ids[0]}").new()

    assert len(set(ids)) == 5
    assert (sixth, wrong) == ([], [])
    assert right == [{"message": f"Unsubscribed {ids[0]}"}]
    assert len(charts(stream).of(f"smh+{AAPL}")) == 1


def test_bars_may_go_on(broker, stream):
    """The running bar, under the same id."""
    broker.gateway.set_options({"bar_updates": True})
    (first,) = charts(stream).of(f"smh+{AAPL}")
    early = stream.after(4).new()
    broker.price(AAPL, 170)
    (later,) = stream.after(2).of(f"smh+{AAPL}")

    assert early == []
    assert (later["serverId"], later["data"][0]["c"]) == (first["serverId"], 170.0)
    assert later["data"][0]["t"] >= first["data"][-1]["t"]


# Depth.


def test_a_ladder_is_whole_and_marks_the_last_trade(broker, stream):
    """Asks above bids, sizes as text."""
    (frame,) = stream.write(f"sbd+{ACCOUNT}+{AAPL}").after(0.5).of(f"sbd+{ACCOUNT}+{AAPL}")
    rows = frame["data"]

    assert [row["row"] for row in rows] == list(range(11))
    assert [row["focus"] for row in rows].index(1) == 5
    assert rows[5]["price"].endswith(" @ 165.00")
    assert (rows[4]["price"], rows[6]["price"]) == ("165.01", "164.99")
    assert "ask" in rows[0]
    assert "bid" in rows[10]


def test_an_account_has_one_ladder(broker, stream):
    """Another is silent until the first is given up."""
    stream.write(f"sbd+{ACCOUNT}+{AAPL}").after(0.5).new()
    second = stream.write(f"sbd+{ACCOUNT}+{MSFT}+ISLAND").after(5).of(f"sbd+{ACCOUNT}+{MSFT}+ISLAND")
    stream.write(f"ubd+{ACCOUNT}")
    third = stream.write(f"sbd+{ACCOUNT}+{MSFT}+ISLAND").after(0.5).of(f"sbd+{ACCOUNT}+{MSFT}+ISLAND")

    assert (second, len(third)) == ([], 1)


@pytest.mark.parametrize("written", [f"sbd+{ACCOUNT}+7", f"sbd+DU9+{AAPL}", f"sbd+{ACCOUNT}", "sbd"])
def test_a_ladder_of_nothing_is_silent(stream, written):
    """An unknown contract, or somebody else's account."""
    assert stream.write(written).after(1).new() == []


def test_without_the_subscription_there_is_no_depth(broker, stream):
    """Level two costs."""
    broker.gateway.set_options({"depth": False})

    assert stream.write(f"sbd+{ACCOUNT}+{AAPL}").after(1).new() == []
