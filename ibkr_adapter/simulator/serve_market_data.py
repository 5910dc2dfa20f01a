"""Snapshots, their streams, and bars.

A snapshot reads an open stream: the first call for a contract opens it and returns ids only,
values come when the stream has ticked, and a tag that is added later comes one call later.
Streams belong to the brokerage session; each takes one of the user's lines, and when there are
none left the row stays empty without a word. Values are display text, as recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.calendars import Span, calendar_of
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.faults import land
from ibkr_adapter.simulator.figures import long_stamp, milliseconds, number
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.market_tags import SLOW_TAGS
from ibkr_adapter.simulator.quote_rows import quote_values
from ibkr_adapter.simulator.routes import Call, Needs, Route, get, post
from ibkr_adapter.simulator.sessions import Brokerage, Stream
from ibkr_adapter.simulator.world import World

_MOST_CONIDS = 100
_MOST_FIELDS = 50
_MOST_POINTS = 1000
_MINUTE = 60
_DAY = 86400
_UNITS = {"min": _MINUTE, "h": 3600, "d": _DAY, "w": 7 * _DAY, "m": 31 * _DAY, "y": 366 * _DAY}
_SPAN = re.compile(r"^(\d{1,4})(min|[hdwmy])$")
_VOLUME_FACTOR = 40
_DELAY_SECONDS = 900
_SLOW_READS = 1  # so many reads of a tag are too early for its value
_WITHOUT_VOLUME = frozenset({"CASH", "IND"})


class MarketDataEndpoints:
    """Serve the market data endpoints of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._served = 0

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        accounts = Needs.ACCOUNTS
        return [
            get("/iserver/marketdata/snapshot", self.snapshot, accounts),
            post("/iserver/marketdata/unsubscribe", self.unsubscribe, Needs.BROKERAGE),
            get("/iserver/marketdata/unsubscribeall", self.unsubscribe_all, Needs.BROKERAGE),
            get("/iserver/marketdata/history", self.history, accounts),
        ]

    # Snapshots.

    def snapshot(self, call: Call) -> Answer:
        """One row for each contract asked for."""
        asked = [one for one in call.query.get("conids", "").split(",") if one]
        brokerage = self._world.sessions.brokerage
        if not asked or len(asked) > _MOST_CONIDS or brokerage is None:
            # Guess: more than a hundred are refused as a whole.
            return answers.bad_request("conids is not valid")
        fields = [one for one in call.query.get("fields", "").split(",") if one][:_MOST_FIELDS]
        bare = bool(call.twists.get("bare_rows"))
        if bare:
            land(call.twists)
        rows = [self._row(brokerage, one, fields, bare=bare) for one in asked]
        return answers.json_answer([one for one in rows if one is not None])

    def _row(
        self, brokerage: Brokerage, conidex: str, fields: list[str], *, bare: bool
    ) -> dict[str, Any] | None:
        head = conidex.partition("@")[0]
        if not head.isdigit():
            return None
        ids: dict[str, Any] = {"conidEx": conidex, "conid": int(head)}
        instrument = self._world.catalogue.find(int(head))
        if instrument is None:
            return ids
        world = self._world
        stream = brokerage.streams.get(head)
        if stream is None:
            if len(brokerage.streams) < world.options.market_data_lines:
                brokerage.streams[head] = Stream(opened=world.now, fields=dict.fromkeys(fields, 0))
            return ids
        known = [tag for tag, reads in stream.fields.items() if reads or tag in fields or not fields]
        fresh = [tag for tag in fields if tag not in stream.fields]
        ready = world.now - stream.opened >= timedelta(seconds=world.options.snapshot_delay)
        stream.fields |= dict.fromkeys(fresh, 0)
        if not ready or bare:
            return ids
        for tag in known:
            stream.fields[tag] += 1
        # Sensitivities are computed once somebody has asked for them.
        ripe = [tag for tag in known if tag not in SLOW_TAGS or stream.fields[tag] > _SLOW_READS]
        return ids | quote_values(world, instrument, ripe)

    def unsubscribe(self, call: Call) -> Answer:
        """Close one stream; closing none is an error."""
        body = call.json()
        conid = str(body.get("conid")) if isinstance(body, dict) else ""
        brokerage = self._world.sessions.brokerage
        if brokerage is None or brokerage.streams.pop(conid, None) is None:
            return answers.refusal("unknown", 500)
        return answers.json_answer({"success": True})

    def unsubscribe_all(self, _: Call) -> Answer:
        """Close every stream."""
        if self._world.sessions.brokerage is not None:
            self._world.sessions.brokerage.streams.clear()
        return answers.json_answer({"unsubscribed": True})

    # Bars.

    def history(self, call: Call) -> Answer:
        """Bars up to now or up to a moment; never more than a thousand."""
        query = call.query
        conid = query.get("conid", "")
        instrument = self._world.catalogue.find(int(conid)) if conid.isdigit() else None
        if instrument is None or instrument.is_over(self._world.now):
            return answers.refusal("No data.", 500)
        # An invalid period was seen to be answered all the same.
        period = _span(query.get("period", "1w")) or 7 * _DAY
        bar = _span(query.get("bar", "")) or (_MINUTE if period <= _DAY else _DAY)
        end = self._end(query.get("startTime"))
        outside = query.get("outsideRth") == "true"
        bars = self._bars(instrument, end - timedelta(seconds=period), end, bar, outside=outside)
        return answers.json_answer(self._history_body(instrument, bars, bar, query, outside=outside))

    def _end(self, text: str | None) -> datetime:
        if text is None:
            return self._world.now
        try:
            return min(self._world.now, datetime.strptime(text, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC))
        except ValueError:
            return self._world.now

    def _bars(
        self, instrument: Instrument, first: datetime, end: datetime, length: int, *, outside: bool
    ) -> list[dict[str, Any]]:
        spans: list[Span] = []
        days = (end - first).days + 1
        calendar = calendar_of(instrument)
        for day in calendar.days_from(calendar.local_day(first), max(1, days)):
            opening, closing = calendar.whole(day) if outside else calendar.liquid(day)
            step = timedelta(seconds=min(length, _DAY))
            at = opening
            while at < min(closing, end):
                if at >= first:
                    spans.append((at, min(at + step, closing, end)))
                at += step
        return [self._bar(instrument, *span) for span in spans[-_MOST_POINTS:]]

    def _bar(self, instrument: Instrument, start: datetime, end: datetime) -> dict[str, Any]:
        prices = self._world.prices
        path = [prices.last(instrument, start + (end - start) * part / 4) for part in range(5)]
        shares = int((end - start).total_seconds()) * 40 + instrument.conid % 97
        return {
            "o": number(path[0]),
            "c": number(path[-1]),
            "h": number(max(path)),
            "l": number(min(path)),
            "v": 0 if instrument.sec_type in _WITHOUT_VOLUME else shares / _VOLUME_FACTOR,
            "t": milliseconds(start),
        }

    def _history_body(
        self,
        instrument: Instrument,
        bars: list[dict[str, Any]],
        length: int,
        query: dict[str, str],
        *,
        outside: bool,
    ) -> dict[str, Any]:
        self._served += 1
        delayed = "D" in self._world.availability(instrument)
        body: dict[str, Any] = {
            "serverId": str(20962328 + self._served),
            "symbol": instrument.symbol,
            "text": instrument.name,
            "priceFactor": 100,
            "startTime": _start_text(bars, self._world.now),
            "high": _extreme(bars, "h", max),
            "low": _extreme(bars, "l", min),
            "timePeriod": query.get("period", "1w"),
            "barLength": length,
            "mdAvailability": "D" if delayed else "S",
            "mktDataDelay": _DELAY_SECONDS if delayed else 0,
            "outsideRth": outside,
            "volumeFactor": _VOLUME_FACTOR,
            "priceDisplayRule": 1,
            "priceDisplayValue": "2",
            "negativeCapable": False,
            "messageVersion": 2,
            "data": bars,
            "points": max(0, len(bars) - 1),
            "travelTime": 3,
        }
        if length < _DAY:
            body["tradingDayDuration"] = 1440 if outside else 390
        return body


def _span(text: str) -> int | None:
    """Seconds of a period or a bar, or nothing when it is none."""
    found = _SPAN.match(text)
    return int(found.group(1)) * _UNITS[found.group(2)] if found else None


def _start_text(bars: list[dict[str, Any]], now: datetime) -> str:
    return long_stamp(datetime.fromtimestamp(bars[0]["t"] / 1000, UTC) if bars else now)


def _extreme(bars: list[dict[str, Any]], key: str, choose: Callable[..., Any]) -> str:
    """The text of the high or the low: price times factor, volume, minutes from the start."""
    if not bars:
        return "0/0/0"
    bar = choose(bars, key=lambda one: one[key])
    minutes = (bar["t"] - bars[0]["t"]) // 60000
    return f"{round(bar[key] * 100)}/{bar['v']}/{minutes}"
