"""The calendar: sessions, weekends, holidays, and the clock that moves through them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.simulator import hours

NY = hours.NEW_YORK


def at(day, clock):
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 11, day, hour, minute, tzinfo=NY)


@pytest.mark.parametrize(
    ("day", "clock", "regular", "extended", "overnight"),
    [
        (24, "10:00", True, True, False),
        (24, "09:29", False, True, False),
        (24, "09:30", True, True, False),
        (24, "16:00", False, True, False),
        (24, "20:00", False, False, True),
        (24, "03:00", False, False, True),
        (24, "03:55", False, False, False),
        (26, "10:00", False, False, False),
        (27, "13:00", False, True, False),
        (27, "17:00", False, False, False),
        (28, "10:00", False, False, False),
        (29, "21:00", False, False, True),
        (25, "21:00", False, False, False),
    ],
)
def test_sessions_of_a_week(day, clock, regular, extended, overnight):
    """With Thanksgiving on the 26th, a short Friday and a weekend; nights lead into open days."""
    moment = at(day, clock)

    assert hours.is_regular(moment) is regular
    assert hours.is_extended(moment) is extended
    assert hours.is_overnight(moment) is overnight


def test_a_day_order_ends_at_the_next_close():
    """The evening's order ends the next day, before a holiday the day after."""
    assert hours.day_order_end(at(24, "10:00"), outside=False) == at(24, "16:00")
    assert hours.day_order_end(at(24, "10:00"), outside=True) == at(24, "20:00")
    assert hours.day_order_end(at(25, "17:00"), outside=False) == at(27, "13:00")


def test_the_next_opening_skips_holidays_and_weekends():
    """From Wednesday's opening to Friday, from Friday to Monday."""
    assert hours.next_open(at(25, "09:30")) == at(27, "09:30")
    assert hours.next_open(at(27, "10:00")) == at(30, "09:30")


def test_prices_of_a_night_are_those_of_the_evening():
    """On a holiday, of the evening before."""
    assert hours.last_traded(at(24, "02:00")) == at(23, "20:00")
    assert hours.last_traded(at(26, "12:00")) == at(25, "20:00")
    assert hours.last_traded(at(24, "12:00")) == at(24, "12:00")


def test_overnight_ends_at_ten_to_four():
    """Of the next trading day."""
    assert hours.overnight_end(at(24, "10:00")) == at(25, "03:50")
    assert hours.overnight_end(at(24, "03:00")) == at(24, "03:50")


def test_trading_days_are_counted_from_the_first():
    """Itself included."""
    assert hours.trading_days(date(2026, 11, 25), 2) == [date(2026, 11, 25), date(2026, 11, 27)]


@given(st.integers(0, 300 * 86400))
def test_a_boundary_lies_ahead_and_sessions_change_only_there(offset):
    """Between now and the next boundary, nothing opens or closes."""
    moment = hours.START + timedelta(seconds=offset)
    boundary = hours.next_boundary(moment)
    just_before = boundary - timedelta(seconds=1)

    assert boundary > moment
    if just_before > moment:
        for is_on in (hours.is_regular, hours.is_extended, hours.is_overnight):
            assert is_on(moment) is is_on(just_before)


def test_the_market_clock_starts_on_tuesday_at_ten_and_can_be_moved():
    """It runs with the injected clock; advance comes on top."""
    clock = ManualClock(datetime(2030, 1, 1, tzinfo=NY))
    clock.advance(50)
    market = hours.MarketClock(clock)
    first = market.now()
    clock.advance(10)
    market.advance(900)

    assert first == at(24, "10:00")
    assert first.astimezone(NY).strftime("%A") == "Tuesday"
    assert market.now() - first == timedelta(seconds=910)
