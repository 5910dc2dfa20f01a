"""A broker that keeps bars, written after the documents and not after the adapter.

Its market trades from 09:30 to 16:00 in New York, but on the days that a test calls holidays. A bar's
prices follow from its own beginning, so that whoever asks in another order gets the same.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scripted import Broker, Floor, contract

NEW_YORK = ZoneInfo("America/New_York")
AAPL = 265598
HISTORY = "/iserver/marketdata/history"
STEPS = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
PERIODS = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "m": 31 * 86_400, "y": 366 * 86_400}
# Thanksgiving ends early on the day after it.
HOURS = {f"2026112{day}": [("0930", "1300" if day == 7 else "1600")] for day in (4, 5, 7)} | {
    "20261130": [("0930", "1600")]
}


def stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)


class Archive(Broker):
    """The scripted broker with a history; ``before`` is called with the number of each request."""

    def __init__(self) -> None:
        super().__init__(contract(AAPL, "AAPL"))
        self.holidays: set[date] = set()
        self.missing: set[datetime] = set()
        self.listed_since = datetime(2020, 1, 1, tzinfo=UTC)
        self.by_sessions = False
        self.most = 1000
        self.before: Any = lambda number: None
        self.change: Any = lambda answer, number: answer
        self.asked: list[dict[str, str]] = []
        self.about: dict[str, Any] = {}
        self.hours = {"exchange_time_zone": "US/Eastern", "schedules": self._schedules()}

    def _schedules(self) -> dict[str, Any]:
        def moment(day: str, at: str) -> int:
            local = datetime.strptime(day + at, "%Y%m%d%H%M").replace(tzinfo=NEW_YORK)
            return int(local.timestamp())

        def rows(day: str, hours: list[tuple[str, str]]) -> list[dict[str, Any]]:
            return [
                {"opening": moment(day, a), "closing": moment(day, b), "cancel_daily_orders": False}
                for a, b in hours
            ]

        return {
            day: {
                "liquid_hours": rows(day, hours),
                "extended_hours": rows(day, [("0400", "2000")]),
            }
            for day, hours in HOURS.items()
        }

    def answer(self, method, path, query, content):
        if path != HISTORY:
            return super().answer(method, path, query, content)
        self.asked.append(query)
        number = len(self.asked)
        refusal = self.before(number)
        if refusal is not None:
            return refusal
        return self.change(self._history(query), number)

    # Bars ---------------------------------------------------------------------------------

    def session(self, day: date, *, outside: bool) -> tuple[datetime, datetime] | None:
        if day.weekday() > 4 or day in self.holidays:
            return None
        opens, closes = (time(4), time(20)) if outside else (time(9, 30), time(16))
        return tuple(datetime.combine(day, at, NEW_YORK).astimezone(UTC) for at in (opens, closes))

    def bars(self, since: datetime, until: datetime, step: int, *, outside: bool = False) -> list[datetime]:
        """The beginnings of all bars between two moments."""
        day, found = since.astimezone(NEW_YORK).date() - timedelta(days=1), []
        while day <= until.astimezone(NEW_YORK).date():
            hours = self.session(day, outside=outside)
            day += timedelta(days=1)
            if hours is None:
                continue
            if step >= 86_400:
                found.append(hours[0])
                continue
            at = hours[0]
            while at < hours[1]:
                found.append(at)
                at += timedelta(seconds=step)
        first = max(since, self.listed_since)
        return [at for at in found if first <= at < until and at not in self.missing]

    def _history(self, query):
        unit = query["bar"].lstrip("0123456789")
        step = int(query["bar"].removesuffix(unit)) * STEPS[unit]
        until = stamp(query["startTime"])
        unit = query["period"].lstrip("0123456789")
        length = int(query["period"].removesuffix(unit)) * PERIODS[unit]
        outside = query["outsideRth"] == "true"
        since = until - timedelta(seconds=length)
        if self.by_sessions and unit == "d":
            # The other reading: so many days of trading, whatever lies between them.
            days = {
                at.astimezone(NEW_YORK).date() for at in self.bars(until - timedelta(days=20), until, 3600)
            }
            first = sorted(days)[-int(query["period"].removesuffix(unit)) :]
            since = datetime.combine(first[0], time(), NEW_YORK).astimezone(UTC) if first else since
        begins = self.bars(since, until, step, outside=outside)[-self.most :]
        if not begins:
            return 500, {"error": "No data."}
        rows = [self.row(at) for at in begins]
        about = {
            "symbol": "AAPL",
            "priceFactor": 100,
            "startTime": begins[0].strftime("%Y%m%d-%H:%M:%S"),
            "high": f"{round(max(row['h'] for row in rows) * 100)}/1.0/0",
            "low": f"{round(min(row['l'] for row in rows) * 100)}/1.0/0",
            "timePeriod": query["period"],
            "barLength": step,
            "mdAvailability": "S",
            "mktDataDelay": 0,
            "volumeFactor": 40,
            "data": rows,
            "points": len(rows) - 1,
        }
        return 200, {**about, **self.about}

    def row(self, at: datetime) -> dict[str, Any]:
        place = int(at.timestamp()) // 60
        opened, closed = 15_000 + place * 7 % 997, 15_000 + (place + 1) * 7 % 997
        return {
            "t": int(at.timestamp() * 1000),
            "o": opened / 100,
            "c": closed / 100,
            "h": (max(opened, closed) + place % 5) / 100,
            "l": (min(opened, closed) - place % 3) / 100,
            "v": (place % 400) / 40,
        }


class Vault(Floor):
    """The archive, a clock that jumps, and the exchanges that speak to it."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.broker: Archive = Archive()
