"""Planned absences by region, and days that are fuller than any page."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from simulator_client import AAPL, Broker

from ibkr_adapter.simulator import windows
from thoroughly import examples

ZONES = [("US", "America/New_York"), ("EU", "Europe/Zurich"), ("Asia", "Asia/Hong_Kong")]


def at(zone, day, hour, minute=0):
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(zone))


def go(broker, moment):
    """Move the market's clock to a moment, and log in again there."""
    now = datetime.fromisoformat(broker.ledger["market"]["now"])
    broker.gateway.advance((moment - now).total_seconds())
    broker.gateway.change_session("login")


@pytest.mark.parametrize(("region", "zone"), ZONES)
@pytest.mark.parametrize(
    ("now", "day"),
    [((25, 0, 59), 24), ((25, 1), 25), ((28, 1), 28), ((29, 12), 28), ((30, 12), 28)],
)
def test_a_reset_is_at_one_after_each_weekday(region, zone, now, day):
    """The 28th is a Saturday: the night of Friday. Sunday's and Monday's mornings have none."""
    assert windows.last_reset(at(zone, *now), region) == at(zone, day, 1)


@pytest.mark.parametrize(("region", "zone"), ZONES)
def test_each_region_has_its_own_midnight_and_reset(region, zone):
    """A login that began an hour before ends at midnight; a session at one."""
    broker = Broker(nightly_reset=True, idle_timeout=None, region=region)
    go(broker, at(zone, 26, 23, 30))
    broker.ready()

    before = broker.post("/tickle").status
    broker.gateway.advance(1801)
    midnight = broker.post("/tickle").status
    broker.gateway.change_session("login")
    broker.ready()
    early = broker.get("/iserver/accounts").status
    broker.gateway.advance(3600)

    assert (before, midnight, early) == (200, 401, 200)
    assert broker.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"
    assert broker.post("/tickle").status == 200


def test_another_regions_night_is_none_of_ours():
    """Zürich's midnight is six in the evening in New York."""
    broker = Broker(nightly_reset=True, idle_timeout=None)
    go(broker, at("Europe/Zurich", 25, 23, 30))
    broker.ready()
    broker.gateway.advance(7200)

    assert broker.get("/iserver/accounts").status == 200


@pytest.mark.parametrize(
    ("face", "status", "begin"),
    [
        ("503", 503, b'{"error": "Service Unavailable"'),
        ("500", 500, b'{"error": "java.lang'),
        ("401", 401, b""),
        ("no bridge", 400, b'{"error": "Bad Request: no bridge"'),
        ("refused", 503, b'{"error": "xcredserv comm failed'),
        ("html", 503, b"<html>"),
    ],
)
def test_a_reset_is_felt_for_some_minutes_below_iserver_only(face, status, begin):
    """Not even an initialisation works; what needs no brokerage session goes on."""
    broker = Broker(maintenance=True, maintenance_face=face, idle_timeout=None)
    go(broker, at("America/New_York", 25, 1, 4))

    opened = broker.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True})
    outer = broker.get("/portfolio/accounts").status
    broker.gateway.advance(60)

    assert (opened.status, outer) == (status, 200)
    assert opened.answer.body.startswith(begin)
    assert broker.ready().get("/iserver/accounts").status == 200


@pytest.mark.parametrize(("region", "zone"), ZONES)
def test_everything_is_away_on_saturday_evening(region, zone):
    """And the brokerage session is gone afterwards."""
    broker = Broker(maintenance=True, idle_timeout=None, region=region)
    go(broker, at(zone, 28, 17, 59))
    broker.ready()
    statuses = [broker.get("/portfolio/accounts").status]
    broker.gateway.advance(60)
    statuses += [broker.post("/tickle").status, broker.get("/portfolio/accounts").status]
    broker.gateway.advance(timedelta(hours=6).total_seconds())

    assert statuses == [200, 503, 503]
    assert broker.post("/tickle").status == 200
    assert broker.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


def test_nothing_is_away_unless_it_is_switched_on():
    """Time is moved freely by other tests."""
    broker = Broker(idle_timeout=None)
    go(broker, at("America/New_York", 28, 19))

    assert broker.ready().get("/iserver/accounts").status == 200


def test_a_day_may_have_thousands_of_orders_and_executions():
    """F40: live orders end at a thousand, trades do not; what they traded is flat."""
    many = examples(10_000)
    broker = Broker(first_reads_empty=False, filler_orders=many, filler_executions=many).ready()

    orders = broker.get("/iserver/account/orders").body["orders"]
    trades = broker.get("/iserver/account/trades").body

    assert (len(orders), len(trades)) == (1000, many)
    assert len({one["orderId"] for one in orders}) == 1000
    assert [one["quantity"] for one in broker.ledger["positions"]] == [0.0]


def test_fillers_can_be_added_while_it_runs():
    """They only grow: what has happened is not undone."""
    broker = Broker(first_reads_empty=False, filler_executions=2).ready()
    for count in (5, 3):
        broker.post("/simulator/options", {"filler_executions": count, "filler_positions": count})

    assert len(broker.get("/iserver/account/trades").body) == 5
    assert sum(one["symbol"] != "FILT" for one in broker.ledger["positions"]) == 5
    assert AAPL not in {one["conid"] for one in broker.ledger["positions"]}
