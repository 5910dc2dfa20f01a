"""Usual hours: the same on the wall all year, and what is missing in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ibkr_adapter.model.bars import Bar, BarSize, GapKind
from ibkr_adapter.model.rules import Hours, Schedule
from ibkr_adapter.model.sessions import gaps, usual_week, zone_of

NEW_YORK = ZoneInfo("America/New_York")
SHARE = (("0930", "1600"),)


def at(day, time="0000", zone=NEW_YORK):
    return datetime.strptime(f"{day} {time}", "%Y-%m-%d %H%M").replace(tzinfo=zone).astimezone(UTC)


def schedule(hours, extended=(), zone="America/New_York"):
    """A schedule of ``(day, opens, closes)``, where a closing before its opening is on the next day."""

    def one(day, opens, closes):
        ends = at(day, closes, ZoneInfo(zone))
        return Hours(opens=at(day, opens, ZoneInfo(zone)), closes=ends + timedelta(days=closes <= opens))

    return Schedule(
        zone=zone, regular=tuple(one(*row) for row in hours), extended=tuple(one(*row) for row in extended)
    )


# Tuesday to Monday around Thanksgiving: no Thursday, half a Friday.
SHARES = schedule(
    [
        ("2026-11-24", "0930", "1600"),
        ("2026-11-25", "0930", "1600"),
        ("2026-11-27", "0930", "1300"),
        ("2026-11-30", "0930", "1600"),
    ],
    [("2026-11-24", "0400", "2000"), ("2026-11-25", "0400", "2000"), ("2026-11-30", "0400", "2000")],
)
FUTURES = schedule(
    [(f"2026-11-{day}", "1800", "1700") for day in ("22", "23", "24", "25", "26")], zone="America/New_York"
)


def bars(begins, step=60):
    return [Bar(moment, *[Decimal(1)] * 4) for moment in begins]


def minutes(day, first, last, step=60):
    moment, found = at(day, first), []
    while moment < at(day, last):
        found.append(moment)
        moment += timedelta(seconds=step)
    return found


def hours(week, since, until):
    return [(found.opens, found.closes) for found in week.sessions(since, until)]


def test_sessions_keep_the_time_of_the_wall_when_the_clocks_change():
    """In UTC they move by an hour on the first of November 2026."""
    week = usual_week(SHARES, outside_rth=False)

    found = hours(week, at("2026-10-30"), at("2026-11-03"))

    assert found == [
        (at("2026-10-30", "0930"), at("2026-10-30", "1600")),
        (at("2026-11-02", "0930"), at("2026-11-02", "1600")),
    ]
    assert (found[0][0].hour, found[1][0].hour) == (13, 14)


def test_a_holiday_among_the_days_around_now_hides_no_weekday():
    """Thursday is in no schedule that week, and Friday ends at one."""
    week = usual_week(SHARES, outside_rth=False)

    found = hours(week, at("2026-11-12"), at("2026-11-14"))

    assert found == [(at(day, "0930"), at(day, "1600")) for day in ("2026-11-12", "2026-11-13")]


def test_hours_beside_the_regular_ones_count_where_they_are_wanted():
    week = usual_week(SHARES, outside_rth=True)

    assert hours(week, at("2026-11-12"), at("2026-11-13")) == [
        (at("2026-11-12", "0400"), at("2026-11-12", "2000"))
    ]
    assert week.longest_day == 16 * 3600


def test_futures_trade_through_the_night_and_not_on_friday_evening():
    week = usual_week(FUTURES, outside_rth=False)

    found = hours(week, at("2026-11-13"), at("2026-11-16", "1200"))

    assert found == [
        (at("2026-11-12", "1800"), at("2026-11-13", "1700")),
        (at("2026-11-15", "1800"), at("2026-11-16", "1700")),
    ]
    assert week.closes(at("2026-11-15", "2300")) == at("2026-11-16", "1700")
    assert week.closes(at("2026-11-13", "1900")) is None


def test_what_never_closes_is_open_all_week():
    always = schedule([(f"2026-11-{day}", "0000", "0000") for day in range(23, 30)], zone="UTC")

    week = usual_week(always, outside_rth=False)

    assert len(hours(week, at("2026-11-07"), at("2026-11-09", "0100"))) >= 2
    assert week.longest_day == 24 * 3600
    assert (
        gaps(
            bars(minutes("2026-11-07", "0000", "2300")),
            BarSize.MINUTE,
            week,
            at("2026-11-07"),
            at("2026-11-07", "2300"),
        )
        == ()
    )


def test_without_a_schedule_there_are_no_usual_hours():
    unknown = Schedule(zone="Nowhere/None", regular=SHARES.regular, extended=())

    assert usual_week(None, outside_rth=False) is None
    assert usual_week(unknown, outside_rth=False) is None
    assert usual_week(Schedule(zone="UTC", regular=(), extended=()), outside_rth=False) is None
    assert (zone_of(None), zone_of(unknown)) == (None, None)


def test_a_market_of_the_weekend_has_its_own_days():
    """What trades on Saturdays alone trades on no other day."""
    fair = schedule([("2026-11-28", "1000", "1800")], zone="UTC")

    week = usual_week(fair, outside_rth=False)

    assert {found.opens.date() for found in week.sessions(at("2026-11-01"), at("2026-11-20"))} == {
        date(2026, 11, 7),
        date(2026, 11, 14),
    }


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (minutes("2026-11-12", "0930", "1600"), []),
        (minutes("2026-11-12", "0931", "1600"), [("0930", "0931", GapKind.EDGE)]),
        (minutes("2026-11-12", "0930", "1559"), [("1559", "1600", GapKind.EDGE)]),
        (
            minutes("2026-11-12", "0930", "1100") + minutes("2026-11-12", "1101", "1600"),
            [("1100", "1101", GapKind.INSIDE)],
        ),
        ([], [("0930", "1600", GapKind.SESSION)]),
        (minutes("2026-11-12", "0400", "0900"), [("0930", "1600", GapKind.SESSION)]),
    ],
)
def test_gaps_of_a_day_by_the_minute(there, found):
    week = usual_week(SHARES, outside_rth=False)

    told = gaps(bars(there), BarSize.MINUTE, week, at("2026-11-12"), at("2026-11-13"))

    assert [(gap.begins, gap.ends, gap.kind) for gap in told] == [
        (at("2026-11-12", begins), at("2026-11-12", ends), kind) for begins, ends, kind in found
    ]


def test_the_ends_of_a_span_make_no_gaps():
    """A bar that would begin before it or end after it was not asked for."""
    week = usual_week(SHARES, outside_rth=False)
    since, until = at("2026-11-12", "1015"), at("2026-11-12", "1245")
    half_hours = [at("2026-11-12", word) for word in ("1030", "1100", "1130", "1200")]

    assert gaps(bars(half_hours), BarSize.MINUTES_30, week, since, until) == ()
    assert gaps([], BarSize.HOUR, week, at("2026-11-12", "0950"), at("2026-11-12", "1030")) == ()
    assert gaps([], BarSize.DAY, week, since, until) == ()


def test_a_day_without_its_bar_is_a_gap():
    """Whether bars of days begin with the session or at midnight."""
    week = usual_week(SHARES, outside_rth=False)
    opens = [at(f"2026-11-{day}", "0930") for day in ("09", "10", "12")]
    midnights = [at(f"2026-11-{day}") for day in ("09", "10", "12")]

    for begins in (opens, midnights):
        (gap,) = gaps(bars(begins), BarSize.DAY, week, at("2026-11-09"), at("2026-11-13"))
        assert (gap.begins, gap.ends) == (at("2026-11-11", "0930"), at("2026-11-11", "1600"))


def test_a_days_bar_of_a_future_begins_on_the_evening_before():
    week = usual_week(FUTURES, outside_rth=False)

    told = gaps(
        bars([at("2026-11-15", "1800"), at("2026-11-17", "1800")]),
        BarSize.DAY,
        week,
        at("2026-11-15"),
        at("2026-11-19"),
    )

    assert [gap.begins for gap in told] == [at("2026-11-16", "1800")]


@pytest.mark.parametrize(("size", "step"), [(BarSize.WEEK, 7), (BarSize.MONTH, 31)])
def test_a_week_or_a_month_that_is_left_out_is_a_gap(size, step):
    week = usual_week(SHARES, outside_rth=False)
    begins = [at("2026-06-01") + timedelta(days=step * number) for number in (0, 1, 3)]

    (gap,) = gaps(bars(begins), size, week, begins[0], begins[-1])

    assert (gap.begins, gap.ends) == (begins[1] + size.length, begins[2])
