"""Bars on request: ``/iserver/marketdata/history``, and the older ``/hmds/history``.

Knows how periods and bars are written, where a request's bars begin and end, how many there may
be, and the recorded answer: volumes divided by a factor, prices of the extremes in words multiplied by
another, ``points`` one less than there are. How bars are made is :mod:`.bars`'s.

Guesses: that a period out of its range is answered like an invalid one, that days are counted
as trading days, the factors of everything but shares, and which bar a period has by default
between those that are documented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.bars import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    WEEK,
    Bar,
    BarMaker,
    frames,
    trading_days_back,
)
from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer, WireFault, WireFaultKind
from ibkr_adapter.simulator.figures import long_stamp, milliseconds, number, places_of
from ibkr_adapter.simulator.routes import Call, Needs, Route, both, get

if TYPE_CHECKING:
    from ibkr_adapter.simulator.instrument import Instrument
    from ibkr_adapter.simulator.world import World

MOST_POINTS = 1000
MOST_AT_ONCE = 5
_YEAR = 366 * DAY
_UNITS = {"min": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "m": MONTH, "y": _YEAR}
_MOST = {"min": 30, "h": 8, "d": 1000, "w": 792, "m": 182, "y": 15}
_SPAN = re.compile(r"^(\d{1,4})(min|[hdwmy])$")
_BARS = {
    **{f"{count}min": count * MINUTE for count in (1, 2, 3, 5, 10, 15, 30)},
    **{f"{count}h": count * HOUR for count in (1, 2, 3, 4, 8)},
    "1d": DAY,
    "1w": WEEK,
    "1m": MONTH,
}
# Periods up to so many seconds have this bar when none is wished for.
_DEFAULT_BARS = (
    (DAY, MINUTE),
    (WEEK, 15 * MINUTE),
    (MONTH, 30 * MINUTE),
    (2 * _YEAR, DAY),
    (15 * _YEAR, WEEK),
)
# The older service has words of its own.
_OLD_UNITS = {"S": 1, "d": DAY, "w": WEEK, "m": MONTH, "y": _YEAR}
_OLD_SPAN = re.compile(r"^(\d{1,5})\s?([Sdwmy])$")
_OLD_BARS = {"secs": 1, "mins": MINUTE, "hrs": HOUR, "d": DAY, "w": WEEK, "m": MONTH}
_OLD_BAR = re.compile(r"^(\d{1,2})\s?(secs|mins|hrs|[dwm])$")
_STAMP = "%Y%m%d-%H:%M:%S"
_DELAY_SECONDS = 900
_SHARES_FACTOR = 40
_WITHOUT_VOLUME = frozenset({"CASH", "IND"})
_HMDS = "hmds"
_NO_DATA = "No data."


@attrs.frozen(kw_only=True)
class Request:
    """A request for bars, read."""

    instrument: Instrument
    period: str
    first: datetime
    last: datetime
    length: int
    outside: bool
    source: str
    forward: bool = False


class HistoryEndpoints:
    """Serve bars of one world; ``wall`` measures how long requests take."""

    def __init__(self, world: World, wall: Callable[[], float]) -> None:
        self._world = world
        self._wall = wall
        self._maker = BarMaker(world.prices)
        self._served = 0
        self._busy_until: list[float] = []

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        return [
            get("/iserver/marketdata/history", self.history, Needs.ACCOUNTS),
            both("/hmds/auth/init", self.open_hmds, Needs.BROKERAGE),
            get("/hmds/history", self.old_history, Needs.BROKERAGE),
        ]

    def history(self, call: Call) -> Answer:
        """Bars up to now, up to a moment or from it on."""
        if self._is_crowded():
            return answers.refusal("Too many requests", 429)
        body = self.body(call.query.get("conid", ""), call.query)
        answer = answers.refusal(_NO_DATA, 500) if body is None else answers.json_answer(body)
        seconds = self._world.options.history_seconds
        if not seconds:
            return answer
        self._busy_until.append(self._wall() + seconds)
        return attrs.evolve(answer, wire=WireFault(kind=WireFaultKind.SILENCE, seconds=seconds))

    def _is_crowded(self) -> bool:
        now = self._wall()
        self._busy_until = [one for one in self._busy_until if one > now]
        return len(self._busy_until) >= MOST_AT_ONCE

    def body(self, conid: str, wishes: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer for a contract; nothing when it has no bars."""
        request = self._read(conid, wishes)
        if request is None:
            return None
        self._served += 1
        return self._told(request, self.bars(request))

    def _read(self, conid: str, wishes: Mapping[str, Any]) -> Request | None:
        instrument = self._found(conid)
        if instrument is None:
            return None
        # An invalid period was seen to be answered all the same.
        period = str(wishes.get("period", "1w"))
        seconds = _seconds(period) or WEEK
        wished = str(wishes.get("bar", ""))
        length = _BARS.get(wished) or next((bar for most, bar in _DEFAULT_BARS if seconds <= most), WEEK)
        moment = _moment(wishes.get("startTime"))
        forward = str(wishes.get("direction")) == "1" and moment is not None
        end = self._world.now if moment is None else min(moment, self._world.now)
        first, last = self._span(instrument, period, end, forward=forward)
        return Request(
            instrument=instrument,
            period=period,
            first=first,
            last=last,
            length=length,
            outside=_is_true(wishes.get("outsideRth", wishes.get("outsideRTH"))),
            source=str(wishes.get("source", "Last")).lower(),
            forward=forward,
        )

    def _found(self, conid: str) -> Instrument | None:
        number = whole(conid)
        instrument = None if number is None else self._world.catalogue.find(number)
        if instrument is None or instrument.is_over(self._world.now):
            return None
        return instrument

    @staticmethod
    def _span(
        instrument: Instrument, period: str, moment: datetime, *, forward: bool
    ) -> tuple[datetime, datetime]:
        seconds = _seconds(period) or WEEK
        if forward:
            return moment, moment + timedelta(seconds=seconds)
        if period.endswith("d") and _seconds(period):
            return trading_days_back(instrument, moment, seconds // DAY), moment
        return moment - timedelta(seconds=seconds), moment

    def bars(self, request: Request) -> list[Bar]:
        """The bars of a request, no more than there may be."""
        calendar = calendar_of(request.instrument)
        now = self._world.now
        around = frames(calendar, (request.first, request.last), request.length, outside=request.outside)
        spans = [one for one in around if one.start < now]
        spans = spans[:MOST_POINTS] if request.forward else spans[-MOST_POINTS:]
        made = (self._maker.bar(request.instrument, one, now) for one in spans)
        return [one for one in made if one is not None]

    # The answers.

    def _told(self, request: Request, bars: list[Bar]) -> dict[str, Any]:
        instrument = request.instrument
        places = places_of(instrument.tick_at(instrument.price))
        factor = 10**places
        volume_factor = _SHARES_FACTOR if instrument.sec_type == "STK" else 1
        rows = [_row(one, request, volume_factor) for one in bars]
        delayed = "D" in self._world.availability(instrument)
        start = bars[0].start if bars else self._world.now
        body: dict[str, Any] = {
            "serverId": str(20962328 + self._served),
            "symbol": instrument.symbol,
            "text": instrument.name,
            "priceFactor": factor,
            "startTime": long_stamp(start),
            "high": _extreme(rows, "h", factor, max),
            "low": _extreme(rows, "l", factor, min),
            "timePeriod": request.period,
            "barLength": request.length,
            "mdAvailability": "D" if delayed else "S",
            "mktDataDelay": _DELAY_SECONDS if delayed else 0,
            "outsideRth": request.outside,
            "volumeFactor": volume_factor,
            "priceDisplayRule": 1,
            "priceDisplayValue": str(places),
            "negativeCapable": False,
            "messageVersion": 2,
            "data": rows,
            "points": max(0, len(rows) - 1),
            "travelTime": 3,
        }
        if request.length < DAY:
            body["tradingDayDuration"] = self._day_minutes(request)
        return body

    def _day_minutes(self, request: Request) -> int:
        if request.outside:
            return DAY // MINUTE
        calendar = calendar_of(request.instrument)
        opening, close = calendar.liquid(calendar.trading_day(self._world.now))
        return int((close - opening).total_seconds()) // MINUTE

    # The older service.

    def open_hmds(self, _: Call) -> Answer:
        """Open the bridge to the older service; its answer is on no record."""
        if self._world.sessions.brokerage is not None:
            self._world.sessions.brokerage.warm.add(_HMDS)
        return answers.json_answer({"authenticated": True})

    def is_hmds_open(self) -> bool:
        """Tell whether the bridge is open; without it there is nothing there."""
        brokerage = self._world.sessions.brokerage
        return brokerage is not None and _HMDS in brokerage.warm

    def old_history(self, call: Call) -> Answer:
        """Bars in the older shape, with the older words for spans."""
        if not self.is_hmds_open():
            return answers.not_found()
        query = call.query
        instrument = self._found(query.get("conid", ""))
        if instrument is None:
            return answers.refusal(_NO_DATA, 500)
        period = _OLD_SPAN.match(query.get("period", "1 d"))
        bar = _OLD_BAR.match(query.get("bar", "1 mins"))
        if period is None or bar is None:
            return answers.bad_request("period or bar is not valid")
        seconds = int(period.group(1)) * _OLD_UNITS[period.group(2)]
        end = min(_moment(query.get("startTime")) or self._world.now, self._world.now)
        request = Request(
            instrument=instrument,
            period=query.get("period", ""),
            first=end - timedelta(seconds=seconds),
            last=end,
            # Nothing is finer than a minute here.
            length=max(MINUTE, int(bar.group(1)) * _OLD_BARS[bar.group(2)]),
            outside=_is_true(query.get("outsideRth")),
            source=query.get("barType", "Last").lower(),
        )
        bars = self.bars(request)
        rows = [_row(one, request, 1) for one in bars]
        start = bars[0].start if bars else end
        return answers.json_answer(
            {
                "startTime": long_stamp(start),
                "startTimeVal": milliseconds(start),
                "endTime": long_stamp(end),
                "endTimeVal": milliseconds(end),
                "data": rows,
                "points": max(0, len(rows) - 1),
                "mktDataDelay": _DELAY_SECONDS if "D" in self._world.availability(instrument) else 0,
            }
        )


def _seconds(text: str) -> int | None:
    """The seconds of a period, or nothing when it is none."""
    found = _SPAN.match(text)
    if found is None or not 1 <= int(found.group(1)) <= _MOST[found.group(2)]:
        return None
    return int(found.group(1)) * _UNITS[found.group(2)]


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.strptime(str(text), _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() == "true"


def _row(bar: Bar, request: Request, factor: int) -> dict[str, Any]:
    """One bar as it is told; without trades it has no volume."""
    instrument, source = request.instrument, request.source
    tick = instrument.tick_at(bar.close)
    row = {"o": bar.opened, "c": bar.close, "h": bar.high, "l": bar.low}
    if source == "bid_ask":
        # The averages of both sides, the highest ask and the lowest bid.
        row = {"o": bar.mean - tick, "c": bar.mean + tick, "h": bar.high + tick, "l": bar.low - tick}
    elif source in {"bid", "ask"}:
        side = tick if source == "ask" else -tick
        row = {key: price + side for key, price in row.items()}
    has_volume = source in {"last", "trades"} and instrument.sec_type not in _WITHOUT_VOLUME
    volume = bar.volume / factor if has_volume else Decimal(0)
    told: dict[str, Any] = {key: number(price, 8) for key, price in row.items()}
    return told | {"v": number(volume, 8), "t": milliseconds(bar.start)}


def _extreme(rows: Iterable[dict[str, Any]], key: str, factor: int, choose: Callable[..., Any]) -> str:
    """The text of the high or the low: price times factor, volume, minutes from the start."""
    told = list(rows)
    if not told:
        return "0/0/0"
    row = choose(told, key=lambda one: one[key])
    minutes = (row["t"] - told[0]["t"]) // 60_000
    return f"{round(row[key] * factor)}/{row['v']}/{minutes}"
