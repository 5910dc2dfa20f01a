"""Snapshots with their pre-flight, streams, bars, and the prices behind them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_client import AAPL, MSFT, Broker

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.options import Options
from ibkr_adapter.simulator.prices import Prices, snapped

SNAPSHOT = "/iserver/marketdata/snapshot"
HISTORY = "/iserver/marketdata/history"
INSTRUMENT = Catalogue().find(AAPL)


@pytest.fixture
def broker():
    return Broker().ready()


def snapshot(broker, conids=AAPL, **query):
    return broker.get(SNAPSHOT, conids=conids, **query).body


def values(broker, fields, conids=AAPL):
    snapshot(broker, conids, fields=fields)
    broker.wait(0.5)
    return snapshot(broker, conids)


def test_the_first_call_opens_the_stream_and_has_ids_only(broker):
    """Values come when the stream has ticked, not with the second call as such."""
    first = snapshot(broker, fields="31,84")
    too_soon = snapshot(broker, fields="31,84")
    broker.wait(0.3)
    row = snapshot(broker, fields="31,84")[0]

    assert first == too_soon == [{"conidEx": str(AAPL), "conid": AAPL}]
    assert (row["31"], row["84"], row["6509"]) == ("165.00", "164.99", "RpB")
    assert row["6119"] == row["server_id"]
    assert row["_updated"] == 1795532400300


def test_later_calls_may_leave_the_fields_out(broker):
    """The stream knows what it was opened for."""
    assert set(values(broker, "31,86")[0]) >= {"31", "86"}


def test_a_field_that_is_added_comes_one_call_later(broker):
    """A new cycle for the new tag alone."""
    values(broker, "31")
    second = snapshot(broker, fields="31,84")[0]
    third = snapshot(broker, fields="31,84")[0]

    assert ("31" in second, "84" in second) == (True, False)
    assert third["84"] == "164.99"


def test_sizes_and_volume_are_display_text(broker):
    """85 is the ask size, 88 the bid size, 7059 the last size, 87 the volume."""
    row = values(broker, "85,88,7059,87,7762")[0]

    assert row["87"][-1] in "KM"
    assert isinstance(row["87_raw"], float)
    assert row["7762"] == f"{row['87_raw']:.0f}"
    assert all(row[tag].replace(",", "").isdigit() for tag in ("85", "88", "7059"))


def test_every_tag_that_is_served_has_text(broker):
    """But for the conid, which is a number."""
    tags = "31,55,70,71,82,83,84,85,86,87,88,6004,6008,6070,7051,7059,7094,7184,7219,7221,7295,7296,7635,7741,7762,7768,9999"
    row = values(broker, tags)[0]

    assert row["6008"] == AAPL
    assert "9999" not in row
    texts = [tag for tag in tags.split(",") if tag not in {"6008", "9999"}]
    assert all(isinstance(row[tag], str) and row[tag] for tag in texts)
    assert Decimal(row["71"]) <= Decimal(row["31"]) <= Decimal(row["70"])


@pytest.mark.parametrize(("code", "has_price"), [("DPB", True), ("ZB", True), ("N", False), ("O", False)])
def test_the_code_tells_how_fresh_prices_are(code, has_price):
    """Without a subscription there is a code and nothing else, and no error."""
    broker = Broker(availability={str(AAPL): code}).ready()

    row = values(broker, "31")[0]

    assert (row["6509"], "31" in row) == (code, has_price)


def test_one_code_may_hold_for_everything():
    """But for contracts that have their own."""
    broker = Broker(availability={"*": "DPB", str(MSFT): "RpB"}).ready()

    rows = values(broker, "31", f"{AAPL},{MSFT}")

    assert [row["6509"] for row in rows] == ["DPB", "RpB"]


@pytest.mark.parametrize("prefix", ["C", "H"])
def test_a_price_may_have_a_prefix(prefix):
    """Prior close, or halted."""
    broker = Broker(price_prefix={str(AAPL): prefix}).ready()

    assert values(broker, "31")[0]["31"] == f"{prefix}165.00"


def test_prices_of_a_closed_market_are_frozen(broker):
    """Real time becomes frozen after the extended session."""
    broker.gateway.set_options({"idle_timeout": None})
    broker.gateway.advance(11 * 3600)

    assert values(broker, "31")[0]["6509"] == "ZpB"


def test_an_exchange_may_be_named_and_unknown_contracts_have_empty_rows(broker):
    """A row with ids for a number, nothing for letters."""
    rows = values(broker, "31", f"{AAPL}@ARCA,7,abc")

    assert [row["conidEx"] for row in rows] == [f"{AAPL}@ARCA", "7"]
    assert "31" not in rows[1]


def test_a_hundred_contracts_are_the_most(broker):
    """None are no request either."""
    assert broker.get(SNAPSHOT, conids=",".join(["1"] * 101)).status == 400
    assert broker.get(SNAPSHOT).status == 400


def test_lines_run_out_silently():
    """Rows stay empty, without an error, until a stream is closed."""
    broker = Broker(market_data_lines=1).ready()
    rows = values(broker, "31", f"{AAPL},{MSFT}")
    broker.post("/iserver/marketdata/unsubscribe", {"conid": AAPL})

    assert ["31" in row for row in rows] == [True, False]
    assert "31" in values(broker, "31", MSFT)[0]


def test_closing_a_stream_that_is_not_open_is_500(broker):
    """And the next snapshot of a closed one is a pre-flight again."""
    values(broker, "31")
    closed = broker.post("/iserver/marketdata/unsubscribe", {"conid": AAPL})
    again = broker.post("/iserver/marketdata/unsubscribe", {"conid": AAPL})

    assert closed.body == {"success": True}
    assert (again.status, again.body) == (500, {"error": "unknown"})
    assert broker.post("/iserver/marketdata/unsubscribe", []).status == 500
    assert snapshot(broker, fields="31") == [{"conidEx": str(AAPL), "conid": AAPL}]


def test_all_streams_close_together(broker):
    """Also with the session."""
    values(broker, "31")

    assert broker.get("/iserver/marketdata/unsubscribeall").body == {"unsubscribed": True}
    assert broker.ledger["sessions"][0]["streams"] == []


# Bars.


def test_bars_have_scaled_volume_and_points_less_one(broker):
    """Volume times the factor is a whole number; points is not the count."""
    body = broker.get(HISTORY, conid=AAPL, period="1d", bar="5min").body

    assert body["points"] == len(body["data"]) - 1
    assert all((bar["v"] * body["volumeFactor"]).is_integer() for bar in body["data"])
    assert all(bar["l"] <= min(bar["o"], bar["c"]) <= bar["h"] for bar in body["data"])
    assert body["startTime"] == "20261123-15:00:00"
    assert (body["barLength"], body["tradingDayDuration"]) == (300, 390)


def test_bars_keep_to_the_session_unless_told(broker):
    """A day of hours: six and a half, or sixteen."""
    regular = broker.get(HISTORY, conid=AAPL, period="1d", bar="1h", startTime="20261124-05:00:00").body
    longer = broker.get(
        HISTORY, conid=AAPL, period="1d", bar="1h", startTime="20261124-05:00:00", outsideRth="true"
    ).body

    assert (len(regular["data"]), len(longer["data"])) == (7, 16)
    assert longer["tradingDayDuration"] == 1440


def test_a_thousand_bars_are_the_most(broker):
    """The latest ones."""
    body = broker.get(HISTORY, conid=AAPL, period="1m", bar="1min").body

    assert len(body["data"]) == 1000
    assert body["data"][-1]["t"] == 1795532400000 - 60000


def test_bars_agree_with_the_price(broker):
    """The last close is the price now, also after the control room moved it."""
    broker.gateway.set_options({"idle_timeout": None})
    broker.wait(600)
    broker.price(AAPL, 170)
    broker.wait(60)

    bars = broker.get(HISTORY, conid=AAPL, period="1h", bar="1min").body["data"]

    assert (bars[-1]["c"], bars[0]["c"]) == (170.0, 165.0)


def test_an_invalid_period_is_answered_and_an_unknown_contract_is_not(broker):
    """200 for nonsense, 500 "No data." for nothing."""
    odd = broker.get(HISTORY, conid=AAPL, period="INVALID", bar="1min", startTime="yesterday")
    none = broker.get(HISTORY, conid=1, period="1d", bar="1min")

    assert (odd.status, odd.body["timePeriod"]) == (200, "INVALID")
    assert (none.status, none.body) == (500, {"error": "No data."})


def test_daily_bars_begin_with_the_session_and_delay_is_told():
    """No day duration; fifteen minutes in seconds."""
    broker = Broker(availability={"*": "DPB"}).ready()

    body = broker.get(HISTORY, conid=AAPL, period="1w", bar="1d").body

    assert len(body["data"]) == 5
    assert (body["mdAvailability"], body["mktDataDelay"]) == ("D", 900)
    assert "tradingDayDuration" not in body


def test_an_empty_span_has_no_bars(broker):
    """A night."""
    body = broker.get(HISTORY, conid=AAPL, period="30min", bar="1min", startTime="20261124-06:00:00").body

    assert (body["data"], body["points"], body["high"]) == ([], 0, "0/0/0")


# The prices themselves.


@given(st.integers(0, 10**6), st.integers(0, 5 * 86400))
def test_prices_stray_at_most_the_option_and_stay_on_the_tick(seed, later):
    """And are the same whoever asks, and when."""
    prices = Prices(seed, Options(), hours.START)
    moment = hours.START + timedelta(seconds=later)

    top = prices.top(INSTRUMENT, moment)

    assert abs(top.last / INSTRUMENT.price - 1) <= Decimal("0.0041")
    assert top.last % Decimal("0.01") == 0
    assert top.bid < top.last < top.ask
    assert Prices(seed, Options(), hours.START).top(INSTRUMENT, moment) == top


def test_prices_move_and_start_at_their_seed():
    """So that a demonstration reads the same every day."""
    prices = Prices(7, Options(), hours.START)

    seen = {prices.last(INSTRUMENT, hours.START + timedelta(minutes=n)) for n in range(30)}

    assert prices.last(INSTRUMENT, hours.START) == Decimal(165)
    assert len(seen) > 10


def test_a_price_that_was_moved_stands_until_it_may_walk():
    """And what was before stays as it was."""
    prices = Prices(7, Options(), hours.START)
    at, later = hours.START + timedelta(minutes=1), hours.START + timedelta(minutes=30)
    before = prices.last(INSTRUMENT, hours.START + timedelta(seconds=59))
    prices.set(INSTRUMENT, Decimal(200), at)
    pinned = prices.last(INSTRUMENT, later)
    prices.set(INSTRUMENT, Decimal(200), at, walks=True, bid=Decimal(190), ask=Decimal(210))
    walking = prices.top(INSTRUMENT, later)

    assert pinned == Decimal(200) != walking.last
    assert abs(walking.last / 200 - 1) <= Decimal("0.0041")
    assert (walking.bid, walking.ask) == (Decimal(190), Decimal(210))
    assert prices.last(INSTRUMENT, hours.START + timedelta(seconds=59)) == before


def test_a_snapped_price_is_never_nothing():
    """At least one tick."""
    assert snapped(INSTRUMENT, Decimal("0.001")) == Decimal("0.01")


def test_before_the_opening_the_day_has_one_price():
    """High and low of a session that has not begun."""
    prices = Prices(7, Options(), hours.START)

    quote = prices.quote(INSTRUMENT, hours.START - timedelta(hours=3))

    assert quote.opened == quote.high == quote.low == quote.last
