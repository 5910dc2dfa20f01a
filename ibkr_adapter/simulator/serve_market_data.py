"""Snapshots and their streams.

A snapshot reads an open stream: the first call for a contract opens it and returns ids only,
values come when the stream has ticked, and a tag that is added later comes one call later.
Streams belong to the brokerage session; each takes one of the user's lines, and when there are
none left the row stays empty without a word. Values are display text, as recorded.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.faults import land
from ibkr_adapter.simulator.figures import price_text
from ibkr_adapter.simulator.market_tags import SLOW_TAGS
from ibkr_adapter.simulator.quote_rows import quote_values
from ibkr_adapter.simulator.routes import Call, Needs, Route, get, post
from ibkr_adapter.simulator.sessions import Brokerage, Stream
from ibkr_adapter.simulator.world import World

_MOST_CONIDS = 100
_MOST_FIELDS = 50
_ROUND_LOT = 100
_SLOW_READS = 1  # so many reads of a tag are too early for its value


class MarketDataEndpoints:
    """Serve the market data endpoints of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        accounts = Needs.ACCOUNTS
        return [
            get("/iserver/marketdata/snapshot", self.snapshot, accounts),
            post("/iserver/marketdata/unsubscribe", self.unsubscribe, Needs.BROKERAGE),
            get("/iserver/marketdata/unsubscribeall", self.unsubscribe_all, Needs.BROKERAGE),
            get("/md/regsnapshot", self.regulatory_snapshot, Needs.BROKERAGE),
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
        number = whole(head)
        if number is None:
            return None
        ids: dict[str, Any] = {"conidEx": conidex, "conid": number}
        instrument = self._world.catalogue.find(number)
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

    # What costs money.

    def regulatory_snapshot(self, call: Call) -> Answer:
        """The best sides of all venues, for a cent; numbers and texts differ from the snapshot's."""
        world, conid = self._world, whole(call.query.get("conid", ""))
        instrument = None if conid is None else world.catalogue.find(conid)
        is_quoted = instrument is not None and instrument.sec_type == "STK" and instrument.is_us
        if instrument is None or not is_quoted or not world.options.regulatory_snapshots:
            # Seen of a paper account; for an unknown contract a guess.
            return answers.bad_request()
        world.regulatory_snapshots += 1
        quote = world.prices.quote(instrument, world.now)
        tick = instrument.tick_at(quote.last)
        return answers.json_answer(
            {
                "conid": instrument.conid,
                "conidEx": str(conid),
                "sizeMinTick": 1.0,
                "BboExchange": "9c",
                "HasDelayed": False,
                "84": price_text(quote.bid, tick),
                "86": price_text(quote.ask, tick),
                # Documented in round lots.
                "88": int(quote.bid_size / _ROUND_LOT),
                "85": int(quote.ask_size / _ROUND_LOT),
                "BestBidExch": 512,
                "BestAskExch": 512,
                "31": price_text(quote.last, tick),
                "7059": int(quote.last_size / _ROUND_LOT),
                "LastExch": 8,
                "7057": "Q",
                "7068": "Q",
                "7058": "D",
            }
        )
