"""Find an instrument: in the tables of listings, or among the dated contracts.

Knows the three ways IBKR is asked (by conid, by ticker, by venue) and that the answers keep the
table's order, foreign listing first where the table says so. Dated contracts are found by conid
alone, also when they have expired. The JSON shapes are for :mod:`.views_contracts`.
"""

from __future__ import annotations

from ibkr_adapter.simulator import futures_calendar, option_ladders
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.other_listings import INSTRUMENTS

# The all-conids answer echoes another spelling of the venue than the one that was asked for.
SHORT_VENUES = {"NASDAQ": "NMS", "NMS": "NMS"}

_BY_CONID = {one.conid: one for one in INSTRUMENTS}
# A pair is found by its name and by the currency that stands first.
_BY_SYMBOL = {
    symbol: tuple(one for one in INSTRUMENTS if symbol in {one.symbol, one.base})
    for symbol in {name for one in INSTRUMENTS for name in (one.symbol, one.base) if name}
}


class Catalogue:
    """The instruments of one simulated broker, indexed."""

    def __init__(self) -> None:
        # Brokers are made by the hundred; what is the same for all of them is made once.
        self._by_conid = dict(_BY_CONID)
        self._by_symbol = dict(_BY_SYMBOL)

    def __len__(self) -> int:
        return len(self._by_conid)

    def add(self, instrument: Instrument) -> None:
        """List one more instrument, after those of the same ticker.

        Raises:
            ValueError: The conid is taken.
        """
        if instrument.conid in self._by_conid:
            raise ValueError(f"conid {instrument.conid} is listed already")
        self._by_conid[instrument.conid] = instrument
        self._by_symbol[instrument.symbol] = (*self._by_symbol.get(instrument.symbol, ()), instrument)

    def find(self, conid: int) -> Instrument | None:
        """The instrument with this conid, if it is listed or was once."""
        return self._by_conid.get(conid) or futures_calendar.find(conid) or option_ladders.find(conid)

    def of_symbol(self, symbol: str) -> list[Instrument]:
        """Everything under this exact ticker, of any class; tickers are case sensitive."""
        return list(self._by_symbol.get(symbol, ()))

    def stocks(self, symbol: str) -> list[Instrument]:
        """The stock listings under this exact ticker."""
        return [one for one in self.of_symbol(symbol) if one.sec_type == "STK"]

    def companies(self, symbol: str) -> list[list[Instrument]]:
        """The listings of a ticker, grouped by company, in the table's order."""
        groups: dict[str, list[Instrument]] = {}
        for instrument in self.stocks(symbol):
            groups.setdefault(instrument.name, []).append(instrument)
        return list(groups.values())

    def named_like(self, text: str) -> list[Instrument]:
        """The listings whose company name contains ``text``, whatever its case."""
        wanted = text.upper()
        return [one for one in self._by_conid.values() if wanted in one.name.upper()]

    def on_exchange(self, exchange: str) -> list[Instrument]:
        """The stocks listed at a venue, by conid."""
        wanted = "NASDAQ" if exchange == "NMS" else exchange
        found = [one for one in self._by_conid.values() if one.exchange == wanted and one.sec_type == "STK"]
        return sorted(found, key=lambda one: one.conid)

    def all(self) -> list[Instrument]:
        """Every instrument in the table's order."""
        return list(self._by_conid.values())
