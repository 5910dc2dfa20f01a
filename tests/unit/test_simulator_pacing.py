"""The broker's own meter: rolling spans, 429, the penalty box."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_client import Broker

from ibkr_adapter.simulator.options import Options
from ibkr_adapter.simulator.pacing import TABLE, Meter


def test_ten_requests_a_second_pass_and_the_eleventh_does_not():
    """In any second, not in seconds of the clock."""
    meter = Meter(Options())

    early = [meter.arrive("GET", "/x", at / 10 + 0.5) for at in range(10)]

    assert early == [False] * 10
    assert meter.arrive("GET", "/x", 1.49) is True
    assert meter.breaches[0]["rule"] == "10 a second"


def test_a_full_span_later_there_is_room():
    """Exactly one second counts as later."""
    meter = Meter(Options())
    for _ in range(10):
        meter.arrive("GET", "/x", 0.1)

    assert meter.arrive("GET", "/x", 1.1) is False


@pytest.mark.parametrize(("name", "row"), TABLE.items())
def test_every_row_of_the_table_is_measured(name, row):
    """The call after the last allowed one breaks the rule, a span later it does not."""
    count, seconds = row
    method, template = name.split()
    options = Options()
    options.requests_per_second = 1000
    meter = Meter(options)

    allowed = [meter.arrive(method, template, 0.0) for _ in range(count)]
    after = meter.arrive(method, template, seconds)

    assert allowed == [False] * count
    assert after is False
    assert meter.arrive(method, template, seconds + 0.0001) is (count == 1)


def test_tickles_are_counted_whatever_the_method():
    """GET and POST share their second."""
    meter = Meter(Options())
    meter.arrive("GET", "/tickle", 0.0)

    assert meter.arrive("POST", "/tickle", 0.5) is True


@given(st.lists(st.floats(0, 3), max_size=60).map(sorted))
def test_a_breach_is_noted_exactly_when_a_span_held_too_many(moments):
    """Against the plain definition: more than ten in the second up to now."""
    meter = Meter(Options())
    meter._options.penalty_seconds = 0.0

    told = [meter.arrive("GET", "/x", at) for at in moments]

    for index, at in enumerate(moments):
        within = [one for one in moments[: index + 1] if at - one < 1.0 - 1e-9]
        assert told[index] is (len(within) > 10)


def test_too_fast_is_answered_429_and_nothing_is_done():
    """The breach is in the ledger."""
    broker = Broker(pacing=True)
    broker.get("/portfolio/accounts")

    reply = broker.get("/portfolio/accounts")

    assert reply.status == 429
    assert broker.ledger["pacing_breaches"][0]["template"] == "/portfolio/accounts"
    assert broker.ledger["requests"]["GET /portfolio/accounts"] == 2


def test_a_second_429_within_five_minutes_is_the_penalty_box():
    """Fifteen minutes on the wall clock, whatever the market clock does."""
    broker = Broker(pacing=True, idle_timeout=None)
    broker.get("/portfolio/accounts")
    broker.get("/portfolio/accounts")
    broker.clock.advance(60)
    broker.get("/portfolio/accounts")
    broker.get("/portfolio/accounts")
    broker.gateway.advance(3600)
    boxed = broker.get("/sso/ping").status
    broker.clock.advance(899)
    still = broker.get("/sso/ping").status
    broker.clock.advance(1)

    assert (boxed, still, broker.get("/sso/ping").status) == (429, 429, 200)
    assert [one["rule"] for one in broker.ledger["pacing_breaches"][2:]] == ["penalty box"] * 2


def test_two_429_far_apart_do_not_box():
    """More than five minutes."""
    broker = Broker(pacing=True)
    for _ in range(2):
        broker.get("/portfolio/accounts")
        broker.get("/portfolio/accounts")
        broker.clock.advance(301)

    assert broker.get("/portfolio/accounts").status == 200


def test_the_control_room_is_not_measured():
    """Nor are the pages."""
    broker = Broker(pacing=True)

    statuses = {broker.call("GET", "/simulator/ledger").status for _ in range(30)}

    assert statuses == {200}
    assert broker.ledger["pacing_breaches"] == []


def test_pacing_can_be_off():
    """For tests of other things."""
    broker = Broker(pacing=False)

    assert {broker.get("/portfolio/accounts").status for _ in range(30)} == {200}
