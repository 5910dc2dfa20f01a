"""Find what only a search knows: indices, funds, CFDs and bonds.

A search names kinds, not contracts, so the one with the very symbol and the kind that was asked for
is taken, and anything less is an error. Bonds hang on issuers: what an issuer has is listed and
narrowed down by maturity and coupon here, because how IBKR wants its own filters written is
documented nowhere.

Source: Web API reference, "Search Contract by Symbol", "Search SecDef information by conid".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ibkr_adapter.discovery.kept import CHAINS_KEPT_FOR, LISTINGS_KEPT_FOR, Kept
from ibkr_adapter.discovery.stocks import Stocks, same_exchange, several
from ibkr_adapter.discovery.walk import Walker
from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate, SearchHit
from ibkr_adapter.model.query import KINDS, ContractQuery, ends, month_of, plain
from ibkr_adapter.wire import discovery

# Each issuer costs a request; more than these is a name that says too little.
MOST_ISSUERS = 8
# How the search is told which kind is meant; funds have a switch of their own.
_ASKED: Mapping[SecType, tuple[SecType | None, Mapping[str, Any]]] = {
    SecType.INDEX: (SecType.INDEX, {}),
    SecType.FUND: (None, {"fund": True}),
    SecType.CFD: (None, {}),
}


class Searched:
    """Indices, funds, CFDs and bonds over one session."""

    def __init__(
        self,
        *,
        kept: Kept,
        walker: Walker,
        stocks: Stocks,
        details: Callable[[int, float | None], Contract],
    ) -> None:
        self._kept = kept
        self._walker = walker
        self._stocks = stocks
        self._details = details

    def find(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find an index, a fund or a CFD.

        Raises:
            ContractNotFound: There is none under that name.
            AmbiguousContract: Several exchanges have one.
        """
        kind = query.sec_type or SecType.INDEX
        searched_as, more = _ASKED[kind]
        symbol = query.symbol or query.isin or query.cusip or ""
        content = self._kept.asked(
            f"search/{symbol}/{kind.value}",
            LISTINGS_KEPT_FOR,
            lambda: self._walker.search(symbol, searched_as, deadline, more=more),
        )
        hits = [
            hit
            for hit in discovery.read_search(content)
            if _conid(hit, kind) is not None
            and (not query.symbol or plain(hit.symbol or "") == plain(query.symbol))
            and (query.exchange is None or same_exchange(hit.exchange or "", query.exchange))
        ]
        if kind is SecType.CFD and len(hits) > 1:
            american = self._stocks.american(symbol, deadline)
            hits = [hit for hit in hits if hit.conid in american] or hits
        candidates = [_candidate(hit, kind) for hit in hits]
        if not candidates:
            raise ContractNotFound(
                f"IBKR finds no {KINDS[kind].partition(' ')[2]} {query}; nothing was sent.",
                near=self._stocks.near(symbol, deadline),
            )
        if len(candidates) > 1:
            raise several(query, f"fits {len(candidates)} contracts", candidates)
        return self._details(candidates[0].conid, deadline)

    def bond(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find a bond by its issuer, its maturity and its coupon, or by an identifier.

        Raises:
            ContractNotFound: No issuer of that name has it.
            AmbiguousContract: Several fit; each is named with its maturity and coupon.
        """
        symbol = query.symbol or query.cusip or query.isin or ""
        content = self._kept.asked(
            f"search/{symbol}/BOND",
            LISTINGS_KEPT_FOR,
            lambda: self._walker.search(symbol, SecType.BOND, deadline),
        )
        issuers = [issuer for hit in discovery.read_search(content) for issuer in hit.issuers]
        if not issuers:
            raise ContractNotFound(f"IBKR finds no issuer of bonds {query}; nothing was sent.")
        if len(issuers) > MOST_ISSUERS:
            names = ", ".join(name for _, name in issuers[:MOST_ISSUERS])
            raise ContractNotFound(
                f"{query} fits {len(issuers)} issuers of bonds; nothing was sent.",
                remedy=f"Write more of the name or the CUSIP. Among them: {names}.",
            )
        found = [row for key, _ in issuers for row in self._issued(symbol, key, deadline)]
        fitting = [row for row in found if _is_bond(query, row)]
        if not fitting:
            some = "; ".join(_described(row) for row in found[:MOST_ISSUERS])
            raise ContractNotFound(
                f"no bond {query}; nothing was sent.", remedy=f"There is: {some}." if some else ""
            )
        if len(fitting) > 1:
            raise several(
                query,
                f"fits {len(fitting)} contracts",
                [_bond(row) for row in fitting],
            )
        return fitting[0]

    def _issued(self, symbol: str, issuer: str, deadline: float | None) -> Sequence[Contract]:
        content = self._kept.asked(
            f"bonds/{issuer}", CHAINS_KEPT_FOR, lambda: self._walker.issued(symbol, issuer, deadline)
        )
        found = discovery.read_secdef_info(content)
        self._kept.keep(found)
        return found


def _conid(hit: SearchHit, kind: SecType) -> int | None:
    """The contract of a kind under a hit: its own, or where it has one that of the kind."""
    section = hit.section(kind)
    if section is None:
        return None
    return section.conid if kind is SecType.CFD else section.conid or hit.conid


def _candidate(hit: SearchHit, kind: SecType) -> Candidate:
    return Candidate(
        conid=_conid(hit, kind) or 0,
        symbol=hit.symbol or "",
        name=hit.name or hit.symbol or "",
        exchange=hit.exchange or "",
        sec_type=kind,
    )


def _is_bond(query: ContractQuery, row: Contract) -> bool:
    # The nine characters after the country in an American ISIN are the CUSIP.
    cusip = query.cusip or (query.isin[2:11] if query.isin and query.isin.startswith("US") else None)
    return (
        (cusip is None or row.cusip in {None, cusip})
        and (query.expiry is None or ends(row) == query.expiry)
        and (query.month is None or month_of(row) == query.month)
        and (query.coupon is None or row.coupon == query.coupon)
    )


def _bond(row: Contract) -> Candidate:
    return Candidate(
        conid=row.conid,
        symbol=row.symbol,
        name=row.name or row.symbol,
        exchange=row.exchange,
        currency=row.currency,
        sec_type=SecType.BOND,
        note=_described(row),
    )


def _described(row: Contract) -> str:
    parts = (row.name, f"{row.coupon:f} %" if row.coupon is not None else None, row.expiry, row.cusip)
    return " ".join(part for part in parts if part)
