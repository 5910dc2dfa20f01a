"""Tell names that are several things at once: a share, a future, a coin.

A bare name is a stock. Only where the table of known roots and coins has it too is IBKR asked
whether it lists them, so an ordinary stock costs nothing here; and if it does, the caller has to
say which is meant. What the table does not know is taken for a stock.
"""

from __future__ import annotations

from datetime import date

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.discovery.futures import Futures
from ibkr_adapter.discovery.options import Options
from ibkr_adapter.discovery.pairs import Pairs
from ibkr_adapter.discovery.stocks import Stocks, listed_in_words, several
from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model import labels, products
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate
from ibkr_adapter.model.listing import front
from ibkr_adapter.model.query import ContractQuery

_SEVERAL = "is the name of several instruments"


class Bare:
    """Names without a class, over one session."""

    def __init__(
        self, *, clock: Clock, stocks: Stocks, futures: Futures, pairs: Pairs, options: Options
    ) -> None:
        self._clock = clock
        self._stocks = stocks
        self._futures = futures
        self._pairs = pairs
        self._options = options

    def struck(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find an option whose symbol is a share's and a future's: whichever exists, if only one."""
        found: list[Contract] = []
        missing: list[ContractNotFound] = []
        for kind in (SecType.OPTION, SecType.FUTURE_OPTION):
            try:
                found.append(self._options.find(query.but(sec_type=kind), deadline))
            except ContractNotFound as reason:
                missing.append(reason)
        if not found:
            raise missing[0]
        if len(found) > 1:
            candidates = [candidate(one, f"{one.sec_type.value}:{query}") for one in found]
            raise several(query, _SEVERAL, candidates)
        return found[0]

    def refuse_unclear(self, query: ContractQuery, deadline: float | None) -> None:
        """Refuse a bare name that is a stock and a future or a coin as well.

        Only names in the table are asked about, so an ordinary stock costs nothing here.
        """
        symbol = query.symbol
        others: list[Candidate] = []
        if symbol in products.FUTURES:
            listings = self._futures.listings(products.future_symbol(symbol), deadline)
            for each in front(listings, self._today())[:1]:
                future = Candidate(
                    conid=each.conid,
                    symbol=each.symbol,
                    name=f"the front month, which ends on {each.expires}",
                    exchange="",
                    sec_type=SecType.FUTURE,
                )
                others += (attrs.evolve(future, spelling=each) for each in (f"@{symbol}", f"FUT:{symbol}"))
        if symbol in products.COINS:
            venues = self._pairs.venues(symbol, deadline)
            others += (attrs.evolve(found, note="the coin") for found in venues)
        stocks = self._stocks.listings(symbol, deadline) if others else ()
        american = [found for found in stocks if found.is_us] or stocks
        if others and stocks:
            shares = [
                attrs.evolve(
                    found, note="the stock", spelling=f"STK:{symbol}" if len(american) == 1 else None
                )
                for found in american
            ]
            raise several(query, _SEVERAL, [*shares, *others])
        if others:
            raise ContractNotFound(
                f"IBKR lists no stock {query}, but other instruments of that name; nothing was sent.",
                remedy=f"Write {listed_in_words(others)}.",
                near=tuple(found.write for found in others),
            )

    def _today(self) -> date:
        return self._clock.now().date()


def candidate(contract: Contract, spelling: str | None = None) -> Candidate:
    """A contract as one of several that a name may mean."""
    return Candidate(
        conid=contract.conid,
        symbol=contract.symbol,
        name=contract.name or labels.long_name(contract),
        exchange=contract.exchange,
        currency=contract.currency,
        is_us=contract.is_us,
        sec_type=contract.sec_type,
        spelling=spelling or labels.host_name(contract),
    )
