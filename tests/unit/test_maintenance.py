"""The calendar of IBKR's maintenance: by the clock of each region, through daylight saving."""

from __future__ import annotations

import sys
import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest

from ibkr_adapter.model.maintenance import Region, window_at


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("region", "before", "begins", "ends"),
    [
        (Region.NORTH_AMERICA, "2026-11-25 05:54:59", "2026-11-25 05:55", "2026-11-25 06:30"),
        (Region.NORTH_AMERICA, "2026-07-15 04:54:59", "2026-07-15 04:55", "2026-07-15 05:30"),
        (Region.EUROPE, "2026-11-24 23:54:59", "2026-11-24 23:55", "2026-11-25 00:30"),
        (Region.EUROPE, "2026-07-14 22:54:59", "2026-07-14 22:55", "2026-07-14 23:30"),
        (Region.ASIA, "2026-11-24 16:54:59", "2026-11-24 16:55", "2026-11-24 17:30"),
        (Region.ASIA, "2026-07-14 16:54:59", "2026-07-14 16:55", "2026-07-14 17:30"),
    ],
)
def test_a_region_is_reset_at_one_oclock_by_its_own_clock(region, before, begins, ends):
    """In summer an hour earlier in UTC where there is daylight saving; Hong Kong has none."""
    found = window_at(region, at(begins))

    assert found is not None
    assert (found.begins, found.ends) == (at(begins), at(ends))
    assert window_at(region, at(before)) is None
    assert window_at(region, at(ends) - timedelta(microseconds=1)) == found
    assert window_at(region, at(ends)) is None


@pytest.mark.parametrize("region", list(Region))
def test_the_weekends_maintenance_is_the_same_for_all(region):
    """Saturday evening in New York."""
    found = window_at(region, at("2026-11-29 01:00"))

    assert found is not None
    assert "weekend" in found.name
    assert (found.begins, found.ends) == (at("2026-11-28 23:00"), at("2026-11-29 05:00"))
    assert window_at(region, at("2026-11-29 05:00")) is None


def test_of_two_windows_the_one_that_ends_last_is_told():
    """On Sunday at one Zurich is in both; the longer one says when it is over."""
    found = window_at(Region.EUROPE, at("2026-11-29 00:10"))

    assert found is not None
    assert found.ends == at("2026-11-29 05:00")


def test_no_window_on_a_working_day():
    assert [window_at(region, at("2026-11-24 15:00")) for region in Region] == [None] * 3


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        # New York, 1 November 2026: 01:00 comes twice, 05:00 and 06:00 UTC; the first one counts.
        ("2026-11-01 04:56", True),
        ("2026-11-01 05:29", True),
        ("2026-11-01 05:56", False),
        # 8 March 2026: 02:00 is left out.
        ("2026-03-08 05:56", True),
        ("2026-03-08 06:29", True),
        ("2026-03-08 06:31", False),
    ],
)
def test_the_nights_on_which_the_clock_is_changed(moment, inside):
    assert (window_at(Region.NORTH_AMERICA, at(moment)) is not None) is inside


def test_a_window_tells_its_ends_to_a_person():
    found = window_at(Region.NORTH_AMERICA, at("2026-11-25 06:00"))

    assert str(found) == "the nightly reset (about 05:55 to Wednesday 25 November 2026 06:30 UTC)"


def test_without_time_zones_nothing_is_known(monkeypatch):
    """A bare Windows has none unless tzdata is there; a failure is told without its reason then."""
    before = zoneinfo.TZPATH
    for name in [name for name in sys.modules if name.partition(".")[0] == "tzdata"] or ["tzdata"]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        found = window_at(Region.NORTH_AMERICA, at("2026-11-25 06:00"))
    finally:
        zoneinfo.reset_tzpath(before)
        zoneinfo.ZoneInfo.clear_cache()

    assert found is None
