"""Find currency pairs and coins.

IBKR lists each pair in one direction only: who writes the other one is told so, because sides and
prices would turn round. A coin is a contract of its own on each venue; where several list it, the
one that this login may trade is meant, and if that leaves more than one, the caller chooses.

Source: Web API reference, "Currency Pairs", "Search Contract by Symbol".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ibkr_adapter.discovery.kept import LISTINGS_KEPT_FOR, Kept
from ibkr_adapter.discovery.stocks import same_exchange, several
from ibkr_adapter.discovery.walk import Walker
from ibkr_adapter.errors import ApiError, ContractNotFound
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate
from ibkr_adapter.model.query import ContractQuery, plain
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import discovery, endpoints

RulesOf = Callable[[int, float | None], tuple[Contract, Rules]]


class Pairs:
    """Currency pairs and coins over one session."""

    def __init__(self, *, kept: Kept, session: SessionKeeper, walker: Walker, rules: RulesOf) -> None:
        self._kept = kept
        self._session = session
        self._walker = walker
        self._rules = rules

    def forex(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find a currency pair.

        Raises:
            ContractNotFound: IBKR does not list it; ``near`` has the other direction or others.
        """
        base, quote = query.symbol, query.currency or ""
        symbol = f"{base}.{quote}"
        there: list[str] = []
        for currency in (base, quote):
            pairs = self._pairs(currency, deadline)
            conid = next((pair.conid for pair in pairs if pair.symbol == symbol), None)
            if conid is not None:
                return self._rules(conid, deadline)[0]
            there += (pair.symbol for pair in pairs)
        turned = f"{quote}.{base}"
        if turned in there:
            raise ContractNotFound(
                f"IBKR trades {turned}, not {query}; nothing was sent.",
                remedy=f"Write {turned}, with the other side and the price turned round.",
                near=(turned,),
            )
        near = tuple(dict.fromkeys(name for name in there if base in name.split(".")))[:5]
        raise ContractNotFound(f"IBKR lists no pair {query}; nothing was sent.", near=near)

    def coin(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find a coin on the venue that is meant.

        Raises:
            ContractNotFound: No venue lists it, or not in that currency.
            AmbiguousContract: Several venues do, and this login may trade on more than one.
        """
        venues = self.venues(query.symbol, deadline)
        if not venues:
            raise ContractNotFound(f"IBKR lists no cryptocurrency {query}; nothing was sent.")
        fitting = venues
        if query.exchange is not None:
            fitting = [found for found in venues if same_exchange(found.exchange, query.exchange)]
        if not fitting:
            listed = ", ".join(found.exchange for found in venues)
            raise ContractNotFound(
                f"{query} is not listed on {query.exchange}; nothing was sent.",
                remedy=f"It is listed on {listed}.",
            )
        details = [self._rules(found.conid, deadline) for found in fitting]
        paid = [pair for pair in details if pair[0].currency in {None, query.currency}]
        if not paid:
            listed = ", ".join(contract.currency or "?" for contract, _ in details)
            raise ContractNotFound(
                f"{query} is not traded in {query.currency}; nothing was sent.",
                remedy=f"It is traded in {listed}.",
            )
        allowed = [contract for contract, rules in paid if self._may_trade(rules)]
        chosen = allowed or [contract for contract, _ in paid]
        if len(chosen) == 1:
            return chosen[0]
        conids = {contract.conid for contract in chosen}
        candidates = [found for found in fitting if found.conid in conids]
        raise several(query, f"is traded on {len(candidates)} venues", candidates)

    def venues(self, symbol: str, deadline: float | None) -> Sequence[Candidate]:
        """Every venue's contract of a coin; empty if it is none."""
        content = self._kept.asked(
            f"search/{symbol}/CRYPTO",
            LISTINGS_KEPT_FOR,
            lambda: self._walker.search(symbol, SecType.CRYPTO, deadline),
        )
        found = []
        for hit in discovery.read_search(content):
            section = hit.section(SecType.CRYPTO)
            conid = (section.conid if section is not None else None) or hit.conid
            if section is None or conid is None or plain(hit.symbol or "") != plain(symbol):
                continue
            exchange = section.exchanges[0] if section.exchanges else hit.exchange or ""
            found.append(
                Candidate(
                    conid=conid,
                    symbol=hit.symbol or symbol,
                    name=hit.name or symbol,
                    exchange=exchange,
                    sec_type=SecType.CRYPTO,
                    spelling=f"{symbol}.USD@{exchange}" if exchange else None,
                )
            )
        return found

    def _may_trade(self, rules: Rules) -> bool:
        allowed = rules.can_trade_accounts
        return allowed is None or bool(allowed & frozenset(self._session.accounts().accounts))

    def _pairs(self, currency: str, deadline: float | None) -> Sequence[discovery.Pair]:
        try:
            content = self._kept.asked(
                f"pairs/{currency}",
                LISTINGS_KEPT_FOR,
                lambda: self._session.read(
                    endpoints.CURRENCY_PAIRS, query={"currency": currency}, deadline=deadline, empty={}
                ),
                discovery.read_pairs,
            )
        except ApiError as refusal:
            if type(refusal) is not ApiError or refusal.status not in {200, 400, 404}:
                raise
            # A currency that nobody trades is refused in words.
            return ()
        return discovery.read_pairs(content)
