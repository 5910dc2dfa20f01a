"""Bars of the simulator: what they are made of, how far they reach, and how they are told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_client import AAPL, Broker, recorded

from ibkr_adapter.simulator.door import WireFaultKind

HISTORY = "/iserver/marketdata/history"
OLD = "/hmds/history"
EUR_USD, SPX, SPY_CALL = 12087792, 416904, 584891614
FINE, COARSE = "20261123-21:00:00", "20260316-21:00:00"  # Monday evenings, the second long ago


@pytest.fixture
def broker():
    return Broker(walk=0.004).ready()


@pytest.fixture(scope="module")
def shared():
    """One broker for tests that only read."""
    return Broker(walk=0.004).ready()


def history(broker, conid=AAPL, **query):
    return broker.get(HISTORY, conid=conid, **query).body


def bars(broker, conid=AAPL, **query):
    return history(broker, conid, **query)["data"]


def stamp(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y%m%d-%H:%M:%S")


# What they are made of.


@pytest.mark.parametrize("until", [FINE, COARSE])
def test_larger_bars_are_made_of_smaller_ones(shared, until):
    """First open, last close, extremes and the sum of volumes; on recent days and on old ones."""
    day = {"period": "6h", "startTime": until}
    minutes, fives = (bars(shared, bar=one, **day) for one in ("1min", "5min"))
    inside = [one for one in minutes if one["t"] >= fives[0]["t"]]

    for number, bar in enumerate(fives):
        part = inside[number * 5 : number * 5 + 5]
        assert (bar["o"], bar["c"]) == (part[0]["o"], part[-1]["c"])
        assert (bar["h"], bar["l"]) == (max(one["h"] for one in part), min(one["l"] for one in part))
        assert bar["v"] == pytest.approx(sum(one["v"] for one in part))


def test_a_day_is_made_of_its_minutes(shared):
    """The daily bar of a day that is over."""
    (day,) = bars(shared, period="1d", bar="1d", startTime="20261123-22:00:00")
    minutes = bars(shared, period="8h", bar="1min", startTime="20261123-22:00:00")

    assert len(minutes) == 390
    assert (day["o"], day["c"]) == (minutes[0]["o"], minutes[-1]["c"])
    assert (day["h"], day["l"]) == (max(one["h"] for one in minutes), min(one["l"] for one in minutes))


@given(minutes=st.integers(5, 20000), period=st.integers(1, 20))
@settings(max_examples=25)
def test_a_bar_is_the_same_whichever_request_covers_it(shared, minutes, period):
    """Whatever moment is asked for, and for how long."""
    now = shared.gateway.world.now.timestamp()
    until = stamp((now - minutes * 60) * 1000)
    known = {one["t"]: one for one in bars(shared, period=f"{period}min", bar="1min", startTime=until)}
    wider = bars(shared, period="8h", bar="1min", startTime=until)

    assert {key: one for key in known for one in wider if one["t"] == key} == known


def test_the_last_close_is_the_price_now(broker):
    """The running bar ends now, and its end moves."""
    broker.wait(90)
    running = bars(broker, period="30min", bar="5min")[-1]
    last = broker.gateway.world.last(broker.gateway.world.catalogue.find(AAPL))
    broker.wait(30)
    later = bars(broker, period="30min", bar="5min")[-1]

    assert running["c"] == float(last)
    assert (later["t"], later["o"]) == (running["t"], running["o"])
    assert later["v"] > running["v"]


def test_a_price_that_was_set_is_in_the_bar(broker):
    """Also when it was set and taken back within one minute."""
    broker.wait(5)
    broker.price(AAPL, 180)
    broker.wait(1)
    broker.price(AAPL, 165)
    broker.wait(60)

    assert max(one["h"] for one in bars(broker, period="10min", bar="1min")) == 180.0


def test_what_has_happened_stays(broker):
    """A price set today does not change yesterday."""
    before = bars(broker, period="6h", bar="1h", startTime=FINE)
    broker.price(AAPL, 180)

    assert bars(broker, period="6h", bar="1h", startTime=FINE) == before


def test_volume_adds_up_to_that_of_the_day(broker):
    """Bars outside regular hours too, times the factor, and the snapshot."""
    body = history(broker, period="8h", bar="1min", outsideRth="true")
    broker.get("/iserver/marketdata/snapshot", conids=AAPL, fields="87")
    broker.wait(0.5)
    shown = broker.get("/iserver/marketdata/snapshot", conids=AAPL, fields="87").body[0]

    assert sum(one["v"] for one in body["data"]) * body["volumeFactor"] == shown["87_raw"]


@pytest.mark.parametrize(
    ("source", "shift"), [("Midpoint", (0, 0, 0, 0)), ("Bid_Ask", None), ("bid", (-0.01,) * 4)]
)
def test_sources_other_than_trades_have_no_volume(broker, source, shift):
    """Bid and ask bars hold averages, the highest ask and the lowest bid."""
    span = {"period": "10min", "bar": "10min", "startTime": "20261124-14:50:00"}
    last = bars(broker, **span)[0]
    (bar, *_) = bars(broker, source=source, **span)

    assert bar["v"] == 0
    if shift is None:
        assert (bar["h"], bar["l"]) == pytest.approx((last["h"] + 0.01, last["l"] - 0.01))
        assert bar["c"] - bar["o"] == pytest.approx(0.02)
    else:
        assert [bar[key] for key in "ohlc"] == [
            pytest.approx(last[key] + by) for key, by in zip("ohlc", shift, strict=True)
        ]


@pytest.mark.parametrize(("conid", "factor", "volume"), [(EUR_USD, 10**5, 0), (SPX, 100, 0)])
def test_factors_follow_the_tick(broker, conid, factor, volume):
    """Pairs and indices have no volume."""
    body = history(broker, conid, period="1d", bar="1h")

    assert body["priceFactor"] == factor
    assert {one["v"] for one in body["data"]} == {volume}
    assert round(max(one["h"] for one in body["data"]) * factor) == int(body["high"].split("/")[0])


# How far they reach.


def test_the_period_is_counted_in_trading_days(shared):
    """A day before Monday is Friday."""
    body = history(shared, period="1d", bar="1h", startTime="20261123-15:00:00")

    assert body["startTime"] == "20261120-15:30:00"


def test_bars_may_begin_at_a_moment(shared):
    """Direction 1: forward from it."""
    rows = bars(shared, period="1h", bar="5min", startTime="20261120-15:00:00", direction="1")

    assert [stamp(one["t"]) for one in (rows[0], rows[-1])] == ["20261120-15:00:00", "20261120-16:00:00"]


def test_forward_without_a_moment_is_backward(shared):
    """It needs one."""
    assert bars(shared, period="1h", bar="5min", direction="1") == bars(shared, period="1h", bar="5min")


def test_forward_ends_now(shared):
    """There is no future."""
    rows = bars(shared, period="8h", bar="5min", startTime="20261124-14:30:00", direction="1")

    assert len(rows) == 6


def test_older_bars_are_had_from_the_first_one_on(shared):
    """The edge comes twice."""
    span = {"period": "1h", "bar": "5min", "outsideRth": "true"}
    later = bars(shared, **span)
    earlier = bars(shared, startTime=stamp(later[0]["t"]), **span)

    assert earlier[-1] == later[0]
    assert earlier[0]["t"] < later[0]["t"]


def test_the_thousand_bars_are_the_nearest_to_the_moment(shared):
    """The last ones backward, the first ones forward."""
    back = bars(shared, period="5d", bar="1min", startTime=FINE)
    forward = bars(shared, period="1w", bar="1min", startTime="20261109-14:30:00", direction="1")

    assert (len(back), stamp(back[-1]["t"])) == (1000, "20261123-20:59:00")
    assert (len(forward), stamp(forward[0]["t"])) == (1000, "20261109-14:30:00")


@pytest.mark.parametrize(
    ("bar", "starts"),
    [
        ("1w", ["20261026", "20261102", "20261109", "20261116", "20261123"]),
        ("1m", ["20261102"]),
    ],
)
def test_weeks_and_months_begin_with_their_first_session(shared, bar, starts):
    """Those that begin within the period, whole."""
    rows = bars(shared, period="1m", bar=bar)

    assert [stamp(one["t"])[:8] for one in rows] == starts


def test_a_week_is_made_of_its_days(shared):
    """Of trading days."""
    (week,) = bars(shared, period="5d", bar="1w", startTime="20261120-22:00:00")
    days = bars(shared, period="5d", bar="1d", startTime="20261120-22:00:00")

    assert len(days) == 5
    assert (week["o"], week["c"]) == (days[0]["o"], days[-1]["c"])
    assert week["h"] == max(one["h"] for one in days)


def test_the_session_keeps_its_local_hours_when_the_clocks_change(shared):
    """Half past nine in New York is 13:30 and then 14:30."""
    rows = bars(shared, period="2d", bar="1d", startTime="20261102-22:00:00")

    assert [stamp(one["t"]) for one in rows] == ["20261030-13:30:00", "20261102-14:30:00"]


def test_holidays_have_no_bars_and_short_days_are_short():
    """Thanksgiving and the day after."""
    broker = Broker().ready()
    broker.jump(days=7)

    rows = bars(broker, period="1w", bar="1h", startTime="20261128-00:00:00")

    days = [stamp(one["t"])[:8] for one in rows]
    assert "20261126" not in days
    assert days.count("20261127") == 4
    assert days.count("20261125") == 7


@pytest.mark.parametrize(
    ("period", "length"),
    [("1d", 60), ("1w", 900), ("1m", 1800), ("3m", 86400), ("2y", 86400), ("3y", 604800)],
)
def test_a_period_has_its_own_bar_when_none_is_wished_for(shared, period, length):
    """As documented."""
    assert history(shared, period=period)["barLength"] == length


@pytest.mark.parametrize("period", ["31min", "9h", "0d", "1001d", "16y", "1x", ""])
def test_a_period_out_of_range_is_answered_all_the_same(shared, period):
    """As an invalid one was: with a week."""
    body = history(shared, period=period, bar="1d")

    assert (body["timePeriod"], len(body["data"])) == (period, 5)


def test_years_are_told(shared):
    """A thousand days at most."""
    body = history(shared, period="15y", bar="1d")

    assert len(body["data"]) == 1000
    assert body["points"] == 999


def test_what_has_expired_has_no_history(broker):
    """Neither has anything unknown or nameless."""
    for conid in (SPY_CALL, 7, "abc"):
        reply = broker.get(HISTORY, conid=conid, period="1d", bar="1h")
        assert (reply.status, reply.body) == (500, {"error": "No data."})


# How many at once.


def test_the_sixth_at_once_is_refused():
    """While five are under way; each holds its line so long."""
    broker = Broker(history_seconds=2.0).ready()
    replies = [broker.get(HISTORY, conid=AAPL, period="1h", bar="5min") for _ in range(6)]
    broker.clock.advance(2.0)
    again = broker.get(HISTORY, conid=AAPL, period="1h", bar="5min")

    assert [one.status for one in replies] == [200] * 5 + [429]
    assert {(one.wire.kind, one.wire.seconds) for one in replies[:5]} == {(WireFaultKind.SILENCE, 2.0)}
    assert again.status == 200


# The older service.


def test_the_older_service_is_not_there_until_it_is_opened(broker):
    """404, by design."""
    before = broker.get(OLD, conid=AAPL, period="1 d", bar="5 mins")
    closed = broker.get("/tickle").body["hmds"]
    opened = broker.post("/hmds/auth/init", {})
    after = broker.get(OLD, conid=AAPL, period="1 d", bar="5mins", startTime=FINE)

    assert (before.status, opened.status, after.status) == (404, 200, 200)
    assert closed == {"error": "no bridge"}
    assert "error" not in broker.get("/tickle").body["hmds"]
    assert after.body["points"] == len(after.body["data"]) - 1
    assert set(after.body["data"][0]) == set("tochlv")
    assert after.body["endTimeVal"] - after.body["startTimeVal"] < 86_400_000


def test_the_older_service_has_words_of_its_own(broker):
    """Case counts, and what is none of them is a bad request."""
    broker.get("/hmds/auth/init")

    assert broker.get(OLD, conid=AAPL, period="1 d", bar="5 min").status == 400
    assert broker.get(OLD, conid=AAPL, period="3600 s", bar="5 mins").status == 400
    assert len(broker.get(OLD, conid=AAPL, period="3600 S", bar="10 secs").body["data"]) == 30
    assert broker.get(OLD, conid=1).status == 500
    assert broker.get(OLD, conid=AAPL, period="1d", bar="1hrs", startTime="20250101-00:00:00").status == 200


@pytest.mark.recorded
@pytest.mark.parametrize("symbol", ["AAPL", "BBVA", "CFC"])
def test_a_month_has_the_recorded_keys(shared, symbol):
    """But for the annotation of dividends, of which there are none."""
    recordings = recorded("market-data/ibind-history.json")
    if symbol not in recordings:
        pytest.skip(f"{symbol} is not recorded")
    theirs = recordings[symbol]

    ours = history(shared, period="1m", bar="1m")

    assert set(theirs) - {"chartAnnotations"} <= set(ours)
    assert theirs["barLength"] == ours["barLength"]
    assert set(theirs["data"][0]) == set(ours["data"][0])
