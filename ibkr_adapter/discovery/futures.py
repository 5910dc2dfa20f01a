"""Find futures: by month, by day, or the front month; and show the chain with its roll days.

A listing tells days, not months, and crude oil for December expires in November. So a month is
looked for among the listings around it, and IBKR's own word for each one's month decides. Nothing
that has ended is found for trading. The rule of the front month is in
:mod:`ibkr_adapter.model.listing`.

Source: Web API reference, "Security Future by Symbol", "Contract information by Contract ID".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.discovery.kept import CHAINS_KEPT_FOR, Kept
from ibkr_adapter.discovery.stocks import Stocks, same_exchange, several
from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate
from ibkr_adapter.model.listing import (
    FUTURE_COLUMNS,
    FutureListing,
    FutureRow,
    front,
    listed,
    nearest_days,
)
from ibkr_adapter.model.months import LETTERS, Month, read_month
from ibkr_adapter.model.query import ContractQuery, month_of
from ibkr_adapter.model.table import Table
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import discovery, endpoints

# So many months around the one asked for are looked at, and so many contracts in all.
FURTHEST = 4
MOST_LOOKED_AT = 10
_LOCAL = re.compile(rf"([A-Z0-9]+?)\s*([{LETTERS}][0-9]{{1,2}})")


class Futures:
    """Dated futures over one session."""

    def __init__(
        self,
        *,
        clock: Clock,
        kept: Kept,
        session: SessionKeeper,
        stocks: Stocks,
        details: Callable[[int, float | None], Contract],
    ) -> None:
        self._clock = clock
        self._kept = kept
        self._session = session
        self._stocks = stocks
        self._details = details

    def listings(self, symbol: str, deadline: float | None) -> Sequence[FutureListing]:
        """What IBKR lists of a product, the first to expire first; empty if it is no product."""
        content = self._kept.asked(
            f"futures/{symbol}",
            CHAINS_KEPT_FOR,
            lambda: self._session.read(
                endpoints.TRSRV_FUTURES, query={"symbols": symbol}, deadline=deadline, empty={}
            ),
            lambda content: discovery.read_futures(content, symbol),
        )
        return listed(discovery.read_futures(content, symbol), self._today())

    def find(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find the one future that is meant.

        Raises:
            ContractNotFound: IBKR lists none, or it has expired; ``near`` names others.
            AmbiguousContract: Several sizes share the symbol and the day.
        """
        listings = self.listings(query.symbol, deadline)
        if not listings:
            raise ContractNotFound(
                f"IBKR lists no future of {query}; nothing was sent.",
                near=self._stocks.near(query.symbol, deadline),
            )
        if query.front:
            chosen = front(listings, self._today())
        elif query.expiry is not None:
            chosen = [each for each in listings if query.expiry == each.expires]
        else:
            return self._by_month(query, listings, deadline)
        if not chosen:
            raise self._none(query, listings)
        return self._one(query, [self._detailed(each, deadline) for each in chosen])

    def front_until(self, symbol: str, conid: int) -> datetime | None:
        """The moment from which on a contract is not the front month any more."""
        found = next((each for each in self.listings(symbol, None) if each.conid == conid), None)
        return datetime.combine(found.rolls_on, time(), UTC) if found is not None else None

    def chain(self, symbol: str, deadline: float | None) -> Table[FutureRow]:
        """All that is listed of a product, with its days and the front month."""
        listings = self.listings(symbol, deadline)
        if not listings:
            raise ContractNotFound(
                f"IBKR lists no future of {symbol}; nothing was sent.",
                near=self._stocks.near(symbol, deadline),
            )
        ahead = {each.conid for each in front(listings, self._today())}
        defined = self._stocks.definitions((each.conid for each in listings), deadline)
        rows = []
        for each in listings:
            known = self._kept.contract(each.conid)
            about = known or defined.get(each.conid)
            rows.append(
                FutureRow(
                    conid=each.conid,
                    symbol=each.symbol,
                    expires=each.expires,
                    last_trading_day=each.last_trading_day,
                    long_cutoff=each.long_cutoff,
                    short_cutoff=each.short_cutoff,
                    rolls_on=each.rolls_on,
                    front=each.conid in ahead,
                    month=known.contract_month if known is not None else None,
                    exchange=about.exchange if about is not None else None,
                    currency=about.currency if about is not None else None,
                    multiplier=about.multiplier if about is not None else None,
                    name=about.name if about is not None else None,
                )
            )
        title = f"{symbol} futures on {self._today()}; the front month is the first before its rolls_on"
        return Table(rows, FUTURE_COLUMNS, title=title)

    def _by_month(
        self, query: ContractQuery, listings: Sequence[FutureListing], deadline: float | None
    ) -> Contract:
        wanted = query.month or Month.of(self._today())
        looked_at = 0
        silent = True
        for group in _around(wanted, listings):
            if looked_at >= MOST_LOOKED_AT:
                break
            found = []
            # A group is looked at whole: a second one that fits must be seen.
            for each in group:
                looked_at += 1
                contract = self._detailed(each, deadline)
                month = month_of(contract) if contract.contract_month is not None else None
                silent = silent and month is None
                if month == wanted:
                    found.append(contract)
            if found:
                return self._one(query, found)
        if looked_at and silent:
            raise ContractNotFound(
                f"IBKR does not say which months its futures of {query.symbol} are for; nothing was sent.",
                remedy=f"Write the day: {_days(listings)}.",
            )
        raise self._none(query, listings)

    def _detailed(self, listing: FutureListing, deadline: float | None) -> Contract:
        known = self._details(listing.conid, deadline)
        # Some answers have the last trading day for it; one contract has one day.
        dated = attrs.evolve(known, expiry=f"{listing.expires:%Y%m%d}")
        month = _called(dated)
        return attrs.evolve(dated, contract_month=f"{month.year}{month.month:02d}") if month else dated

    def _one(self, query: ContractQuery, found: Sequence[Contract]) -> Contract:
        fitting = found
        if query.exchange is not None:
            wanted = query.exchange
            fitting = [one for one in found if any(same_exchange(word, wanted) for word in _venues(one))]
            if not fitting:
                venues = ", ".join(dict.fromkeys(word for one in found for word in _venues(one)))
                raise ContractNotFound(
                    f"{query} is not traded on {wanted}; nothing was sent.", remedy=f"It is on {venues}."
                )
        if len(fitting) > 1:
            candidates = [_candidate(one) for one in fitting]
            raise several(query, f"fits {len(candidates)} futures", candidates)
        return fitting[0]

    def _none(self, query: ContractQuery, listings: Sequence[FutureListing]) -> ContractNotFound:
        today = self._today()
        last = query.expiry or (query.month.last_day if query.month is not None else None)
        over = last is not None and last < today
        what = "has expired" if over else "is on its roll day" if query.front else "is not listed"
        around = nearest_days(last or today, (each.expires for each in listings))
        near = tuple(f"{query.symbol} {day.isoformat()}" for day in around)
        return ContractNotFound(
            f"the future {query} {what}; nothing was sent.",
            remedy=f"These are listed: {', '.join(near)}; @{query.symbol} is the front month.",
            near=near,
        )

    def _today(self) -> date:
        return self._clock.now().date()


def _around(wanted: Month, listings: Sequence[FutureListing]) -> list[list[FutureListing]]:
    """The listings by how far from a month they expire: in it, the month before, the one after."""
    groups: dict[tuple[int, int], list[FutureListing]] = {}
    for each in listings:
        distance = wanted.distance(Month.of(each.expires))
        if abs(distance) <= FURTHEST:
            groups.setdefault((abs(distance), distance), []).append(each)
    return [groups[key] for key in sorted(groups)]


def _called(contract: Contract) -> Month | None:
    """The month that a contract is called by, if IBKR says so or its local symbol does."""
    if contract.contract_month is not None:
        return month_of(contract)
    found = _LOCAL.fullmatch(contract.local_symbol or "")
    day = month_of(contract)
    if found is None or day is None:
        return None
    return read_month(found[2], day.last_day)


def _venues(contract: Contract) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in (contract.exchange, *contract.valid_exchanges) if word))


def _candidate(contract: Contract) -> Candidate:
    return Candidate(
        conid=contract.conid,
        symbol=contract.symbol,
        name=contract.local_symbol or contract.name or contract.symbol,
        exchange=contract.exchange,
        currency=contract.currency,
        sec_type=SecType.FUTURE,
        note=f"multiplier {contract.multiplier}, expires {contract.expiry}",
    )


def _days(listings: Sequence[FutureListing]) -> str:
    return ", ".join(f"{each.symbol} {each.expires.isoformat()}" for each in listings[:4])
