"""Find stocks and ETFs: every listing under a symbol, and the one that was meant.

A symbol that fits several contracts is an error that lists them, never a guess: the first row of
a search is as likely a foreign listing as the share that was meant. Without an exchange or a
currency the listing in the US is meant, if there is one. Listings name no currency, so it is asked
for where it decides or is shown.

Source: Web API reference, "Security Stocks by Symbol", "Search the security definition by Contract
ID".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.discovery.kept import LISTINGS_KEPT_FOR, Kept
from ibkr_adapter.discovery.walk import Walker
from ibkr_adapter.errors import AmbiguousContract, ApiError, ContractNotFound
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate, SearchHit
from ibkr_adapter.model.query import ContractQuery, plain
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import contracts, discovery, endpoints

# IBKR takes no more in one request for definitions.
MOST_DEFINITIONS = 200
MOST_LISTED = 8
MOST_NEAR = 5
# What charts call an exchange, where IBKR may have the listing under another name.
_ALIASES: Mapping[str, frozenset[str]] = {
    "AMEX": frozenset({"AMEX", "ARCA"}),
    "NYSEARCA": frozenset({"ARCA"}),
    "XETR": frozenset({"IBIS", "IBIS2"}),
    "XETRA": frozenset({"IBIS", "IBIS2"}),
}
# What IBKR calls the exchanges in the US on which shares are listed; a search does not say where they are.
_AMERICAN = frozenset({"AMEX", "ARCA", "BATS", "CBOE", "IEX", "NASDAQ", "NYSE", "PINK"})


class Stocks:
    """Listings of stocks over one session."""

    def __init__(self, *, kept: Kept, session: SessionKeeper, walker: Walker) -> None:
        self._kept = kept
        self._session = session
        self._walker = walker

    def find(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find the one stock that is meant.

        Raises:
            ContractNotFound: IBKR lists none; ``near`` names what comes close.
            AmbiguousContract: Several fit; ``candidates`` says what to write for each.
        """
        if query.isin or query.cusip:
            return self._choose(query, self._identified(query, deadline), deadline)
        found = self.listings(query.symbol, deadline)
        if found:
            return self._choose(query, found, deadline)
        raise ContractNotFound(
            f"IBKR lists no stock {query}; nothing was sent.", near=self.near(query.symbol, deadline)
        )

    def listings(self, symbol: str, deadline: float | None) -> Sequence[Candidate]:
        """Every listing under a symbol, in whichever spelling IBKR has it."""
        for spelling in discovery.class_share_spellings(symbol):
            found = self._listed(spelling, deadline)
            if found:
                return found
        return ()

    def definitions(self, conids: Iterable[int], deadline: float | None) -> dict[int, Contract]:
        """Definitions of known contracts: their currency, their class, their table of ticks."""
        wanted = list(dict.fromkeys(conids))
        found: dict[int, Contract] = {}
        for start in range(0, len(wanted), MOST_DEFINITIONS):
            chunk = wanted[start : start + MOST_DEFINITIONS]
            found.update((row.conid, row) for row in self._defined(chunk, deadline))
        return found

    def near(self, symbol: str, deadline: float | None) -> tuple[str, ...]:
        """Names that come close to one that nobody lists; a hint is not worth an error of its own."""
        try:
            hits = discovery.read_search(self._walker.search(symbol, None, deadline))
        except ApiError:
            return ()
        names: list[str] = []
        for hit in hits:
            if hit.symbol is None:
                continue
            if plain(hit.symbol) != plain(symbol):
                names.append(hit.symbol)
            elif (kind := _other_kind(hit)) is not None:
                names.append(f"{kind.value}:{hit.symbol}")
        return tuple(dict.fromkeys(names))[:MOST_NEAR]

    def american(self, symbol: str, deadline: float | None) -> frozenset[int]:
        """The contracts under a symbol that are listed in the US."""
        return frozenset(found.conid for found in self.listings(symbol, deadline) if found.is_us)

    def _listed(self, spelling: str, deadline: float | None) -> Sequence[Candidate]:
        try:
            return self._published(spelling, deadline)
        except ApiError as refusal:
            if refusal.status not in verdicts.UNHEARD_OF:
                raise
        return self._searched(spelling, deadline)

    def _searched(self, spelling: str, deadline: float | None) -> Sequence[Candidate]:
        """The listings that a search has under exactly this symbol, where a gateway has no list of them."""
        return [
            Candidate(
                conid=hit.conid,
                symbol=spelling,
                name=hit.name or spelling,
                exchange=hit.exchange,
                is_us=hit.exchange.upper().split(".")[0] in _AMERICAN,
            )
            for hit in self._hits(spelling, deadline)
            if hit.conid and hit.exchange and hit.symbol == spelling and _is_stock(hit)
        ]

    def _hits(self, words: str, deadline: float | None) -> Sequence[SearchHit]:
        content = self._kept.asked(
            f"search/{words}", LISTINGS_KEPT_FOR, lambda: self._walker.search(words, None, deadline)
        )
        return discovery.read_search(content)

    def _published(self, spelling: str, deadline: float | None) -> Sequence[Candidate]:
        content = self._kept.asked(
            f"stocks/{spelling}",
            LISTINGS_KEPT_FOR,
            lambda: self._session.read(
                endpoints.TRSRV_STOCKS, query={"symbols": spelling}, deadline=deadline, empty={}
            ),
            lambda content: discovery.read_stocks(content, spelling),
        )
        return discovery.read_stocks(content, spelling)

    def _defined(self, conids: Sequence[int], deadline: float | None) -> Sequence[Contract]:
        listed = ",".join(str(conid) for conid in conids)
        content = self._kept.asked(
            f"secdef/{listed}",
            LISTINGS_KEPT_FOR,
            lambda: self._session.read(
                endpoints.TRSRV_SECDEF, query={"conids": listed}, deadline=deadline, empty={"secdef": []}
            ),
            contracts.read_secdef,
        )
        return contracts.read_secdef(content)

    def _choose(
        self, query: ContractQuery, candidates: Sequence[Candidate], deadline: float | None
    ) -> Contract:
        fitting = candidates
        if query.exchange is not None:
            fitting = [found for found in fitting if same_exchange(found.exchange, query.exchange)]
            if not fitting:
                listed = ", ".join(dict.fromkeys(found.exchange for found in candidates))
                raise ContractNotFound(
                    f"{query} is not listed on {query.exchange}; nothing was sent.",
                    remedy=f"It is listed on {listed}.",
                )
        if query.currency is not None:
            known = self._with_currency(fitting, deadline)
            fitting = [found for found in known if found.currency == query.currency]
            if not fitting:
                listed = ", ".join(dict.fromkeys(found.currency or "?" for found in known))
                raise ContractNotFound(
                    f"{query} is not traded in {query.currency}; nothing was sent.",
                    remedy=f"It is traded in {listed}.",
                )
        elif query.exchange is None:
            fitting = [found for found in fitting if found.is_us] or fitting
        if len({found.conid for found in fitting}) > 1:
            shown = self._with_currency(fitting, deadline)
            raise several(query, f"fits {len(shown)} contracts", shown)
        return _contract(fitting[0])

    def _with_currency(self, candidates: Sequence[Candidate], deadline: float | None) -> Sequence[Candidate]:
        try:
            known = self.definitions((found.conid for found in candidates), deadline)
        except ApiError:
            # The list is worth more than the currencies in it.
            return candidates
        return [
            attrs.evolve(found, currency=known[found.conid].currency) if found.conid in known else found
            for found in candidates
        ]

    def _identified(self, query: ContractQuery, deadline: float | None) -> Sequence[Candidate]:
        """Ask by ISIN or CUSIP; the answer does not repeat it, so only stocks are taken from it."""
        identifier = query.isin or query.cusip or ""
        hits = [
            hit for hit in self._hits(identifier, deadline) if hit.conid and hit.symbol and _is_stock(hit)
        ]
        if not hits:
            raise ContractNotFound(
                f"IBKR finds no stock under {query}; nothing was sent.",
                remedy="Not every identifier can be asked for; write the symbol.",
            )
        american = set().union(*(self.american(hit.symbol or "", deadline) for hit in hits))
        return [
            Candidate(
                conid=hit.conid or 0,
                symbol=hit.symbol or "",
                name=hit.name or hit.symbol or "",
                exchange=hit.exchange or "",
                is_us=hit.conid in american,
            )
            for hit in hits
        ]


def same_exchange(listed: str, asked: str) -> bool:
    """Whether two words are one exchange; some answers add a market segment behind a dot."""
    first, second = listed.upper().split(".")[0], asked.upper().split(".")[0]
    return first == second or first in _ALIASES.get(second, ())


def listed_in_words(candidates: Sequence[Candidate]) -> str:
    """The candidates of an ambiguous name in a sentence, each with what to write."""
    shown = [
        f"{found.write} ({', '.join(part for part in _about(found) if part)})"
        for found in candidates[:MOST_LISTED]
    ]
    more = len(candidates) - MOST_LISTED
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def several(
    query: ContractQuery,
    what: str,
    candidates: Sequence[Candidate],
    *,
    remedy: str = "Write one of these forms.",
) -> AmbiguousContract:
    """The error for a name that means more than one thing; ``what`` says in which way it does."""
    return AmbiguousContract(
        f"{query} {what}; nothing was sent. {listed_in_words(candidates)}",
        candidates=candidates,
        remedy=remedy,
    )


def _about(found: Candidate) -> tuple[str, ...]:
    elsewhere = f"in a host {found.for_host}" if found.for_host != found.write else ""
    return found.note, found.name, found.exchange, found.currency or "", elsewhere


def _is_stock(hit: SearchHit) -> bool:
    return not hit.sections or hit.section(SecType.STOCK) is not None


def _other_kind(hit: SearchHit) -> SecType | None:
    """What a hit is, if it is no stock."""
    if hit.section(SecType.STOCK) is not None:
        return None
    kinds = (SecType.INDEX, SecType.FUTURE, SecType.CRYPTO, SecType.FUND, SecType.BOND)
    return next((kind for kind in kinds if hit.section(kind) is not None), None)


def _contract(chosen: Candidate) -> Contract:
    return Contract(
        conid=chosen.conid,
        symbol=chosen.symbol,
        sec_type=SecType.STOCK,
        exchange=chosen.exchange,
        currency=chosen.currency,
        name=chosen.name,
        is_us=chosen.is_us,
    )
