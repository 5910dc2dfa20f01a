"""Snapshots: warm up, ask again, say what did not come and how fresh the rest is.

The first snapshot of a contract only opens a stream at IBKR and carries no prices; later ones
bring what has arrived. So a quote costs two or three requests when cold and one when warm. What IBKR
computes when it is asked, such as greeks, comes seconds later and is waited for longer. What did not
come in all that time will not come with the next call either, so that one asks once.

Source: Web API reference, "Live Market Data Snapshot"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import NoMarketData
from ibkr_adapter.market.lines import Lines
from ibkr_adapter.model.market import Quote
from ibkr_adapter.model.table import Table
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints, marketdata
from ibkr_adapter.wire.fields import FIELD_SETS, LATE

# IBKR updates every half second; a little later the values are there.
POLL_EVERY = 0.6
MOST_POLLS = 5
# Computed values take up to ten seconds.
MOST_POLLS_LATE = 16
# What a regulatory snapshot has; it says nothing of its freshness, which is what is paid for.
REGULATORY = ("last", "bid", "ask", "bid_size", "ask_size", "last_size")


class Snapshots:
    """Reads quotes over one session; shared by every thread of a connection."""

    def __init__(self, *, clock: Clock, session: SessionKeeper, lines: Lines) -> None:
        self._clock = clock
        self._session = session
        self._lines = lines
        self._lock = threading.Lock()
        # What was waited for in vain, by brokerage session.
        self._in_vain: dict[int, frozenset[str]] = {}
        self._epoch = -1

    def read(self, conids: Iterable[int], names: Sequence[str]) -> dict[int, Quote]:
        """Read fields of any number of contracts, in chunks that IBKR takes.

        Returns:
            A quote for every contract asked for, in their order; an empty one where IBKR sent nothing.
        """
        wanted = list(dict.fromkeys(conids))
        found: dict[int, Quote] = {}
        self._session.ensure(self._clock.monotonic() + 30.0)
        most = min(marketdata.MOST_CONIDS, self._lines.state().most)
        for first in range(0, len(wanted), most):
            found.update(self._chunk(wanted[first : first + most], names))
        return found

    def regulatory(self, conid: int) -> Quote:
        """Buy the consolidated best bid and ask of a US stock: once, whatever comes back."""
        answer = self._session.change(
            endpoints.REGULATORY_SNAPSHOT,
            query={"conid": conid},
            deadline=self._clock.monotonic() + 30.0,
        )
        content = verdicts.content(endpoints.REGULATORY_SNAPSHOT, answer, None)
        if marketdata.conid_of(content) is None:
            raise NoMarketData(f"IBKR sent no regulatory snapshot of {conid}; it may have been charged.")
        return marketdata.quote_of(conid, content, REGULATORY)

    def _chunk(self, asked: Sequence[int], names: Sequence[str]) -> dict[int, Quote]:
        self._lines.take(asked)
        most = MOST_POLLS_LATE if LATE & set(names) else MOST_POLLS
        for poll in range(most):
            rows: dict[int, dict[str, Any]] = {}
            for query in marketdata.snapshot_params(asked, names):
                for conid, row in marketdata.rows_by_conid(
                    self._session.read(endpoints.SNAPSHOT, query=query)
                ):
                    rows.setdefault(conid, {}).update(row)
            quotes = {conid: marketdata.quote_of(conid, rows.get(conid, {}), names) for conid in asked}
            if all(self._settled(quotes[conid], names) for conid in asked):
                break
            if poll + 1 < most:
                self._clock.sleep(POLL_EVERY)
        else:
            self._gave_up(quotes, [conid for conid in asked if marketdata.is_preflight(rows.get(conid, {}))])
        return quotes

    def _settled(self, quote: Quote, names: Sequence[str]) -> bool:
        """Whether another poll would bring nothing more that matters."""
        if quote.availability is None:
            return False
        if quote.availability.cannot_come or quote.halted:
            return True
        if tuple(names) == FIELD_SETS["quote"]:
            # Hosts ask for it often, and a market that is closed has no bid.
            return quote.last is not None
        return not quote.missing - self._given_up(quote.conid)

    def _given_up(self, conid: int) -> frozenset[str]:
        with self._lock:
            if self._epoch != self._session.epoch:
                self._in_vain.clear()
                self._epoch = self._session.epoch
            return self._in_vain.get(conid, frozenset())

    def _gave_up(self, quotes: Mapping[int, Quote], bare: Sequence[int]) -> None:
        for conid, quote in quotes.items():
            if quote.availability is not None:
                before = self._given_up(conid)
                with self._lock:
                    self._in_vain[conid] = before | quote.missing
        if bare:
            self._lines.bare(bare)


def quote_table(
    quotes: Mapping[int, Quote], names: Sequence[str], written: Mapping[int, str]
) -> Table[Quote]:
    """Show quotes as a table, one line a contract under the name it was asked for by, with how fresh it is."""
    columns: dict[str, Callable[[Quote], Any]] = {"contract": _Asked(dict(written))}
    columns |= {name: _reader(name) for name in names if name != "availability"}
    columns |= {name: attrgetter(name) for name in ("freshness", "updated")}
    return Table(quotes.values(), columns, title=f"{len(quotes)} contracts")


def _reader(name: str) -> Callable[[Quote], Any]:
    return attrgetter(name) if name in marketdata.ATTRIBUTES else _Other(name)


# Values and not functions within functions: those could not be pickled, nor the table with them.
@attrs.frozen
class _Asked:
    """Reads the name that a contract was asked for by."""

    written: Mapping[int, str]

    def __call__(self, quote: Quote) -> str:
        return self.written[quote.conid]


@attrs.frozen
class _Other:
    """Reads a field that quotes have no attribute for."""

    name: str

    def __call__(self, quote: Quote) -> Any:
        return quote.others.get(self.name)
