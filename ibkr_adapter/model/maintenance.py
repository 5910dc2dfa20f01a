"""Tell when IBKR takes its brokerage sessions down, and when they should be back.

Each region resets its sessions nightly at about one o'clock by its own clock, and everything has its
maintenance on Saturday evening. IBKR publishes no more than that, so the edges of the windows are
our guesses: the calendar explains a failure and tells how long it may last, and nothing is ever
refused for the time of day alone.

Source: IBKR Web API documentation, "Scheduled Server Maintenance"; docs/ibkr-facts.md tells what is guessed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from ibkr_adapter.model.shown import Shown

# From when to when, in minutes after midnight of the region.
NIGHTLY = (55, 90)
# The same of the weekend's, in New York for all regions: there IBKR's week ends.
WEEKEND = (18 * 60, 24 * 60)
WEEKEND_ZONE = "America/New_York"
_SATURDAY = 5


class Region(StrEnum):
    """Where the servers are that a login belongs to."""

    NORTH_AMERICA = "north_america"
    EUROPE = "europe"
    ASIA = "asia"


ZONES = {
    Region.NORTH_AMERICA: "America/New_York",
    Region.EUROPE: "Europe/Zurich",
    Region.ASIA: "Asia/Hong_Kong",
}


@attrs.frozen(kw_only=True)
class Window(Shown):
    """A span in which sessions are expected to be down: what it is called, and its two ends in UTC."""

    name: str
    begins: datetime
    ends: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.begins <= moment < self.ends

    def __str__(self) -> str:
        return f"{self.name} (about {self.begins:%H:%M} to {self.ends:%A %d %B %Y %H:%M} UTC)"


def window_at(region: Region, moment: datetime) -> Window | None:
    """Find the window that ``moment`` lies in, the longer one where two overlap.

    ``None`` also where this machine knows no time zones.
    """
    found = [window for window in _near(region, moment) if moment in window]
    return max(found, key=lambda window: window.ends, default=None)


def _near(region: Region, moment: datetime) -> list[Window]:
    try:
        here, there = ZoneInfo(ZONES[region]), ZoneInfo(WEEKEND_ZONE)
    except (ZoneInfoNotFoundError, OSError):
        return []
    windows = [_window("the nightly reset", here, moment, NIGHTLY)]
    if moment.astimezone(there).weekday() == _SATURDAY:
        windows.append(_window("the weekend's maintenance", there, moment, WEEKEND))
    return windows


def _window(name: str, zone: ZoneInfo, moment: datetime, minutes: tuple[int, int]) -> Window:
    midnight = moment.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    # On the wall's clock: an hour that daylight saving adds or leaves out is none of the span.
    begins, ends = (
        (midnight + timedelta(minutes=after)).replace(fold=0).astimezone(UTC) for after in minutes
    )
    return Window(name=name, begins=begins, ends=ends)
