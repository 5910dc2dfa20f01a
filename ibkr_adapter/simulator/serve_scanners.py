"""Scanners: what can be scanned, a scan, and the older scan with its own vocabulary.

Ranks follow the prices of the moment, so a gainer of a scan has gained in a snapshot too. As recorded, rows
do not bear the figure they are ranked by, the column's name stands in the first row only, and the
choices of a combination filter have no values. The list of parameters is a small one, of what the
catalogue can tell apart.

Guesses: that an unknown instrument or location is answered like an unknown type, that filters which
nobody knows are ignored, and that the older scan without filters is a bad request.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import long_stamp
from ibkr_adapter.simulator.routes import Call, Needs, Route, get, post

if TYPE_CHECKING:
    from ibkr_adapter.simulator.instrument import Instrument
    from ibkr_adapter.simulator.prices import Quote
    from ibkr_adapter.simulator.world import World

_MOST_ROWS, _MOST_OLD_ROWS = 50, 250
_HUNDRED = Decimal(100)
_Rank = Callable[["Quote"], Decimal]


def _change(quote: Quote) -> Decimal:
    return (quote.last / quote.prior_close - 1) * _HUNDRED


# Code -> what it is called, its column, and what it ranks by, the highest first.
_TYPES: dict[str, tuple[str, str, _Rank]] = {
    "TOP_PERC_GAIN": ("Top % Gainers", "Chg%", _change),
    "TOP_PERC_LOSE": ("Top % Losers", "Chg%", lambda quote: -_change(quote)),
    "MOST_ACTIVE": ("Most Active", "Volume", lambda quote: quote.volume),
    "MOST_ACTIVE_USD": ("Most Active ($)", "Volume", lambda quote: quote.volume * quote.last),
    "TOP_TRADE_COUNT": ("Top Trade Count", "Trades", lambda quote: quote.volume / _HUNDRED),
    "TOP_PRICE_RANGE": ("Top Price Range", "Range", lambda quote: quote.high - quote.low),
    "HIGH_OPEN_GAP": ("High Open Gap", "Gap%", lambda quote: quote.opened / quote.prior_close),
}
_FILTERS: dict[str, tuple[str, Callable[[Quote, Decimal], bool]]] = {
    "priceAbove": ("Price Above", lambda quote, value: quote.last >= value),
    "priceBelow": ("Price Below", lambda quote, value: quote.last <= value),
    "volumeAbove": ("Volume Above", lambda quote, value: quote.volume >= value),
    "volumeBelow": ("Volume Below", lambda quote, value: quote.volume <= value),
    "changePercAbove": ("Change % Above", lambda quote, value: _change(quote) >= value),
    "changePercBelow": ("Change % Below", lambda quote, value: _change(quote) <= value),
}
_Members = Callable[["Instrument"], bool]
# Instrument -> its name and what belongs to it; location -> the same, below an instrument.
_INSTRUMENTS: dict[str, tuple[str, _Members]] = {
    "STK": ("US Stocks", lambda one: one.sec_type == "STK" and one.kind != "ETF" and one.is_us),
    "ETF.EQ.US": ("US Equity ETFs", lambda one: one.kind == "ETF" and one.is_us),
    "STOCK.EU": (
        "Europe Stocks",
        lambda one: one.sec_type == "STK" and one.currency in {"EUR", "CHF", "GBP"},
    ),
}
_LOCATIONS: dict[str, dict[str, tuple[str, _Members]]] = {
    "STK": {
        "STK.US": ("US Stocks", lambda _: True),
        "STK.US.MAJOR": ("Listed/NASDAQ", lambda _: True),
        "STK.NASDAQ": ("NASDAQ", lambda one: one.exchange == "NASDAQ"),
        "STK.NYSE": ("NYSE", lambda one: one.exchange == "NYSE"),
    },
    "ETF.EQ.US": {"ETF.EQ.US.MAJOR": ("Listed/NASDAQ", lambda _: True)},
    "STOCK.EU": {"STK.EU": ("Europe", lambda _: True)},
}


class ScannerEndpoints:
    """Serve the scanners of one world."""

    def __init__(self, world: World, is_hmds_open: Callable[[], bool]) -> None:
        self._world = world
        self._is_hmds_open = is_hmds_open
        self._scans = 0

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        return [
            get("/iserver/scanner/params", self.parameters, Needs.BROKERAGE),
            post("/iserver/scanner/run", self.run, Needs.BROKERAGE),
            post("/hmds/scanner", self.old_run, Needs.BROKERAGE),
            post("/hmds/scanner/run", self.old_run, Needs.BROKERAGE),
        ]

    def parameters(self, _: Call) -> Answer:
        """What can be scanned."""
        filters: list[dict[str, Any]] = [
            {"group": code, "display_name": name, "code": code, "type": "non-range"}
            for code, (name, _) in _FILTERS.items()
        ]
        halted = {"vendor": None, "default": True}
        filters.append(
            {
                "group": "haltedIs",
                "display_name": "Halted",
                "code": "haltedIs",
                "combo_values": [halted],
                "type": "combo",
            }
        )
        # Keys of a row may be missing.
        filters.append({"group": "stkTypes", "code": "stkTypes", "type": "range"})
        return answers.json_answer(
            {
                "scan_type_list": [
                    {"display_name": name, "code": code, "instruments": list(_INSTRUMENTS)}
                    for code, (name, _, _) in _TYPES.items()
                ],
                "instrument_list": [
                    {"display_name": name, "type": code, "filters": list(_FILTERS)}
                    for code, (name, _) in _INSTRUMENTS.items()
                ],
                "filter_list": filters,
                "location_tree": [_branch(code) for code in _LOCATIONS],
            }
        )

    def run(self, call: Call) -> Answer:
        """Rank, fifty rows at most."""
        wishes = call.json()
        if not isinstance(wishes, dict) or str(wishes.get("type")) not in _TYPES:
            return answers.refusal("Invalid scanner type", 500)
        instrument, location = str(wishes.get("instrument")), str(wishes.get("location"))
        if location not in _LOCATIONS.get(instrument, {}):
            return answers.refusal("Invalid scanner location", 500)
        given = wishes.get("filter")
        pairs = (
            [(one.get("code"), one.get("value")) for one in given if isinstance(one, dict)]
            if isinstance(given, list)
            else []
        )
        code = str(wishes["type"])
        column = _TYPES[code][1]
        rows = [
            _row(one, rank)
            for rank, one in enumerate(self._ranked(code, instrument, location, pairs)[:_MOST_ROWS])
        ]
        if rows:
            rows[0] = {"server_id": "0", "column_name": column, **rows[0]}
        return answers.json_answer({"contracts": rows, "scan_data_column_name": column})

    def _ranked(
        self, code: str, instrument: str, location: str, pairs: list[tuple[Any, Any]]
    ) -> list[Instrument]:
        world = self._world
        belongs, stands = _INSTRUMENTS[instrument][1], _LOCATIONS[instrument][location][1]
        quoted = [
            (one, world.prices.quote(one, world.now))
            for one in world.catalogue.all()
            if belongs(one) and stands(one)
        ]
        for name, value in pairs:
            limit = _figure(value)
            if isinstance(name, str) and name in _FILTERS and limit is not None:
                passes = _FILTERS[name][1]
                quoted = [(one, quote) for one, quote in quoted if passes(quote, limit)]
        rank = _TYPES[code][2]
        quoted.sort(key=lambda pair: (-rank(pair[1]), pair[0].conid))
        return [one for one, _ in quoted]

    def old_run(self, call: Call) -> Answer:
        """Rank in the older shape: numbers of contracts only."""
        if not self._is_hmds_open():
            return answers.not_found()
        wishes = call.json()
        if not isinstance(wishes, dict) or not isinstance(wishes.get("filters"), list):
            return answers.bad_request("filters is missing")
        code, instrument = str(wishes.get("scanCode")), str(wishes.get("instrument"))
        location = str(wishes.get("locations"))
        if code not in _TYPES or location not in _LOCATIONS.get(instrument, {}):
            return answers.refusal("Invalid scanner", 500)
        pairs = [pair for one in wishes["filters"] if isinstance(one, dict) for pair in one.items()]
        found = self._ranked(code, instrument, location, pairs)
        wished = wishes.get("maxItems", _MOST_OLD_ROWS)
        most = min(wished, _MOST_OLD_ROWS) if isinstance(wished, int) else _MOST_OLD_ROWS
        self._scans += 1
        stamp = long_stamp(self._world.now)
        shown = [{"inScanTime": stamp, "contractID": str(one.conid)} for one in found[:most]]
        return answers.json_answer(
            {
                "total": str(len(found)),
                "size": str(len(shown)),
                "offset": "0",
                "scanTime": stamp,
                "id": f"scanner{self._scans}",
                "Contracts": {"Contract": shown},
            }
        )


def _branch(instrument: str) -> dict[str, Any]:
    """The places of an instrument; at a leaf there is a list without any, or none."""
    leaves: list[dict[str, Any]] = [
        {"display_name": name, "type": code, "locations": None if number else []}
        for number, (code, (name, _)) in enumerate(_LOCATIONS[instrument].items())
    ]
    return {"display_name": _INSTRUMENTS[instrument][0], "type": instrument, "locations": leaves}


def _row(instrument: Instrument, rank: int) -> dict[str, Any]:
    return {
        "server_id": str(rank),
        "symbol": instrument.symbol,
        "conidex": str(instrument.conid),
        "con_id": instrument.conid,
        "available_chart_periods": "#R|1",
        "company_name": instrument.name,
        "contract_description_1": instrument.symbol,
        "listing_exchange": instrument.tape,
        "sec_type": instrument.sec_type,
    }


def _figure(value: Any) -> Decimal | None:
    """A filter's value; one that is none lets everything pass."""
    if value is None or isinstance(value, bool):
        return None
    try:
        figure = Decimal(str(value))
    except InvalidOperation:
        return None
    return figure if figure.is_finite() else None
