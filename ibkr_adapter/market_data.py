"""Snapshots: warm up, ask again, say what did not come and how fresh the rest is.

The first snapshot of a contract only opens a stream at IBKR and carries no prices; later ones
bring what has arrived. So a quote costs two or three requests when cold and one when warm.

Source: Web API reference, "Live Market Data Snapshot"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ApiError
from ibkr_adapter.model.market import Quote
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints, marketdata

# IBKR updates every half second; a little later the values are there.
POLL_EVERY = 0.6
MOST_POLLS = 5


class MarketData:
    """Reads quotes over one session."""

    def __init__(self, *, clock: Clock, session: SessionKeeper) -> None:
        self._clock = clock
        self._session = session
        self._lock = threading.Lock()
        self._open: set[int] = set()
        self._epoch = -1

    def quote(self, conid: int) -> Quote:
        """One contract's quote; what is missing is named in it."""
        return self.quotes([conid])[conid]

    def quotes(self, conids: Iterable[int], fields: str = "quote") -> Mapping[int, Quote]:
        """Quotes of any number of contracts, in chunks that IBKR takes.

        Args:
            conids: The contracts.
            fields: The name of a set of fields.

        Returns:
            A quote for every contract asked for; an empty one where IBKR sent nothing.
        """
        wanted = list(dict.fromkeys(conids))
        tags = marketdata.FIELD_SETS[fields]
        found: dict[int, Quote] = {}
        self._session.ensure(self._clock.monotonic() + 30.0)
        for query in marketdata.snapshot_params(wanted, tags):
            asked = [int(conid) for conid in str(query["conids"]).split(",")]
            found.update(self._chunk(query, asked, tags))
        return found

    def free(self, conids: Sequence[int]) -> None:
        """Close streams: each open contract uses one of the user's market data lines."""
        for conid in conids:
            try:
                self._session.read(endpoints.UNSUBSCRIBE, body={"conid": conid}, empty={})
            except ApiError as refusal:
                # Closing a stream that is not open is answered with a 500.
                if refusal.status != 500:  # noqa: PLR2004  (HTTP's own number)
                    raise
            with self._lock:
                self._open.discard(conid)

    def _chunk(self, query: Mapping[str, Any], asked: Sequence[int], tags: Sequence[str]) -> dict[int, Quote]:
        found: dict[int, Quote] = {}
        for attempt in range(MOST_POLLS):
            rows = self._session.read(endpoints.SNAPSHOT, query=query)
            found.update({quote.conid: quote for quote in marketdata.read_snapshot(rows, tags)})
            if all(conid in found and _settled(found[conid]) for conid in asked):
                break
            if attempt + 1 < MOST_POLLS:
                self._clock.sleep(POLL_EVERY)
        with self._lock:
            if self._epoch != self._session.epoch:
                self._open.clear()
                self._epoch = self._session.epoch
            self._open.update(asked)
        return {conid: found.get(conid) or marketdata.empty_quote(conid, tags) for conid in asked}


def _settled(quote: Quote) -> bool:
    """Whether another poll would bring nothing more that matters."""
    if quote.availability is None:
        return False
    return quote.availability.cannot_come or quote.last is not None or quote.halted
