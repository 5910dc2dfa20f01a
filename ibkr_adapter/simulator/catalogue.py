"""Find an instrument in the table of listings.

Knows the three ways IBKR is asked (by conid, by ticker, by venue) and that the answers keep the
table's order, foreign listing first where the table says so. The JSON shapes are for
:mod:`.views_contracts`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ibkr_adapter.simulator.listings import INSTRUMENTS, Instrument

# The all-conids answer echoes another spelling of the venue than the one that was asked for.
SHORT_VENUES = {"NASDAQ": "NMS", "NMS": "NMS"}


class Catalogue:
    """The instruments of one simulated broker, indexed."""

    def __init__(self, instruments: Iterable[Instrument] = INSTRUMENTS) -> None:
        self._by_conid: dict[int, Instrument] = {}
        self._by_symbol: dict[str, list[Instrument]] = {}
        for instrument in instruments:
            self.add(instrument)

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
        self._by_symbol.setdefault(instrument.symbol, []).append(instrument)

    def find(self, conid: int) -> Instrument | None:
        """The instrument with this conid, if it is listed."""
        return self._by_conid.get(conid)

    def of_symbol(self, symbol: str) -> list[Instrument]:
        """All listings under this exact ticker; tickers are case sensitive."""
        return list(self._by_symbol.get(symbol, ()))

    def companies(self, symbol: str) -> list[list[Instrument]]:
        """The listings of a ticker, grouped by company, in the table's order."""
        groups: dict[str, list[Instrument]] = {}
        for instrument in self.of_symbol(symbol):
            groups.setdefault(instrument.name, []).append(instrument)
        return list(groups.values())

    def named_like(self, text: str) -> list[Instrument]:
        """The listings whose company name contains ``text``, whatever its case."""
        wanted = text.upper()
        return [one for one in self._by_conid.values() if wanted in one.name]

    def on_exchange(self, exchange: str) -> list[Instrument]:
        """Everything listed at a venue, by conid."""
        wanted = "NASDAQ" if exchange == "NMS" else exchange
        found = [one for one in self._by_conid.values() if one.exchange == wanted]
        return sorted(found, key=lambda one: one.conid)

    def all(self) -> list[Instrument]:
        """Every instrument in the table's order."""
        return list(self._by_conid.values())
