"""A schedule says when a market is open, when it opens next, and when it cannot tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.model.rules import Hours, Rules, Schedule, TifRule


def at(hour, minute=0):
    return datetime(2026, 4, 2, hour, minute, tzinfo=UTC)


SCHEDULE = Schedule(
    zone="US/Eastern",
    regular=(Hours(opens=at(13, 30), closes=at(20)),),
    extended=(Hours(opens=at(8), closes=at(13, 30)), Hours(opens=at(20), closes=at(23))),
)


@pytest.mark.parametrize(
    ("moment", "regular", "outside"),
    [
        (at(7), False, False),
        (at(8), False, True),
        (at(13, 30), True, True),
        (at(19, 59), True, True),
        (at(20), False, True),
        (at(23), False, False),
    ],
)
def test_a_market_is_open_from_its_opening_until_just_before_its_closing(moment, regular, outside):
    assert SCHEDULE.is_open(moment) is regular
    assert SCHEDULE.is_open(moment, outside_rth=True) is outside


def test_the_next_opening_is_the_earliest_after_now():
    """A refused order says when to come back; beyond the schedule nobody knows."""
    assert SCHEDULE.next_open(at(7)) == at(13, 30)
    assert SCHEDULE.next_open(at(7), outside_rth=True) == at(8)
    assert SCHEDULE.next_open(at(13, 30)) is None


def test_hours_that_are_all_extended_are_all_there_is():
    """A market that marks none as regular is not closed for ever."""
    schedule = Schedule(zone="UTC", regular=(), extended=SCHEDULE.extended)

    assert schedule.is_open(at(9)) is True
    assert schedule.next_open(at(7)) == at(8)


@pytest.mark.parametrize(("moment", "reached"), [(at(7), True), (at(22, 59), True), (at(23), False)])
def test_beyond_its_last_closing_a_schedule_tells_nothing(moment, reached):
    """What was kept from last week must not say that today is closed."""
    assert SCHEDULE.reaches(moment) is reached


@pytest.mark.parametrize(
    ("read_at", "about"),
    [
        (at(14), True),
        (at(8) - timedelta(days=4), True),
        (at(8) - timedelta(days=11), False),
        (at(23), False),
    ],
)
def test_a_schedule_is_about_the_days_around_its_reading(read_at, about):
    """Long holidays are bridged; another clock's week is not ours."""
    assert SCHEDULE.is_about(read_at) is about


def test_a_schedule_that_began_days_ago_was_made_by_another_clock():
    """IBKR's begins with its own today, so one of the two clocks is wrong."""
    week = Schedule(
        zone="US/Eastern",
        regular=tuple(
            Hours(opens=at(13, 30) + timedelta(days=day), closes=at(20) + timedelta(days=day))
            for day in range(6)
        ),
        extended=(),
    )

    assert week.is_about(at(19)) is True
    assert week.is_about(at(13) + timedelta(days=2)) is True
    assert week.is_about(at(14) + timedelta(days=2)) is False
    assert Schedule(zone="US/Eastern", regular=(), extended=()).is_about(at(14)) is False


@given(hours=st.integers(-200, 200))
def test_a_market_that_is_closed_opens_later_or_beyond_the_schedule(hours):
    """The next opening is never one that has passed, and the market is open at it."""
    moment = at(0) + timedelta(hours=hours)

    opens = SCHEDULE.next_open(moment, outside_rth=True)

    if opens is None:
        assert moment >= at(20)
    else:
        assert opens > moment
        assert SCHEDULE.is_open(opens, outside_rth=True)


def test_a_time_in_force_is_taken_with_the_types_it_lists():
    rules = Rules(conid=1, tifs={"IOC": TifRule(order_types=frozenset({"MKT"})), "DAY": TifRule()})

    assert rules.takes("IOC", "MKT") is True
    assert rules.takes("IOC", "STP") is False
    assert rules.takes("DAY", "STP") is True
    assert rules.takes("GTC", "MKT") is False
