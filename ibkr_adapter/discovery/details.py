"""Read what is known of one contract by its id: its details, its definition, its rules.

Details do not change and are kept for good; rules hold tick tables and order types, and are trusted
for a day. An expired contract may have no rules any more: its definition is enough to read a
position.

Source: Web API reference, "Contract information by Contract ID", "Find all Info and Rules",
"Search the security definition by Contract ID".
"""

from __future__ import annotations

import threading
from typing import Any

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.clock import Clock
from ibkr_adapter.discovery.kept import MOST_KEPT, Kept
from ibkr_adapter.discovery.stocks import Stocks
from ibkr_adapter.errors import ApiError, ContractError, ContractNotFound
from ibkr_adapter.model import labels
from ibkr_adapter.model.contract import Contract
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import contracts, endpoints
from ibkr_adapter.wire.rules import read_rules

RULES_KEPT_FOR = 24 * 3600.0


class Details:
    """Contracts by id, over one session."""

    def __init__(self, *, clock: Clock, kept: Kept, session: SessionKeeper, stocks: Stocks) -> None:
        self._clock = clock
        self._kept = kept
        self._session = session
        self._stocks = stocks
        self._lock = threading.Lock()
        self._by_conid: dict[int, tuple[Contract, Rules, float]] = {}

    def rules(self, conid: int, deadline: float | None) -> tuple[Contract, Rules]:
        """Read a contract with the rules that orders on it must keep; both are kept for a day."""
        now = self._clock.monotonic()
        with self._lock:
            known = self._by_conid.get(conid)
        if known is not None and now - known[2] < RULES_KEPT_FOR:
            return known[0], known[1]
        contract, rules = self._published(conid, deadline)
        self._check_id(contract, conid)
        with self._lock:
            if len(self._by_conid) >= MOST_KEPT:
                self._by_conid.clear()
            self._by_conid[conid] = (contract, rules, now)
        self._kept.keep([contract])
        return contract, rules

    def detail(self, conid: int, deadline: float | None) -> Contract:
        """A contract in all its detail; what was seen once costs nothing."""
        return self._kept.contract(conid) or self.rules(conid, deadline)[0]

    def to_read(self, conid: int, deadline: float | None) -> Contract:
        """The same for what may have expired: then only its definition may be left."""
        try:
            return self.detail(conid, deadline)
        except ContractNotFound as reason:
            try:
                defined = self._stocks.definitions([conid], deadline)
            except ApiError:
                defined = {}
            if conid not in defined:
                raise reason from None
            self._kept.keep([defined[conid]])
            return defined[conid]

    def described(self, conid: int, deadline: float | None) -> Contract:
        """A contract that cannot be traded, and so has no rules."""
        known = self._kept.contract(conid)
        if known is None:
            content = self._read_contract(endpoints.CONTRACT_INFO, conid, deadline)
            known = contracts.read_contract_info(content)
            self._check_id(known, conid)
            self._kept.keep([known])
        return known

    def _published(self, conid: int, deadline: float | None) -> tuple[Contract, Rules]:
        """Read a contract and its rules together, or one by one where a gateway has no such answer."""
        try:
            both = self._read_contract(endpoints.INFO_AND_RULES, conid, deadline)
        except ApiError as refusal:
            if refusal.status not in verdicts.UNHEARD_OF:
                raise
        else:
            if both:
                return contracts.read_contract_info(both), read_rules(both, conid)
        try:
            described = self._read_contract(endpoints.CONTRACT_INFO, conid, deadline)
            contract = contracts.read_contract_info(described)
        except ApiError as refusal:
            contract = self._defined(conid, refusal, deadline)
        body = {"conid": conid, "isBuy": True}
        try:
            ruled = self._session.read(endpoints.CONTRACT_RULES, body=body, deadline=deadline)
        except ApiError as refusal:
            # What no rule says IBKR decides; only the ticks must be known before.
            defined = self._defined(conid, refusal, deadline)
            return attrs.evolve(contract, ticks=defined.ticks), Rules(conid=conid)
        return contract, read_rules(ruled, conid)

    def _defined(self, conid: int, refusal: ApiError, deadline: float | None) -> Contract:
        """The definition of a contract, where a gateway does not know the question for more."""
        if refusal.status not in verdicts.UNHEARD_OF:
            raise refusal
        try:
            defined = self._stocks.definitions([conid], deadline)
        except ApiError:
            defined = {}
        if conid not in defined:
            raise refusal
        return defined[conid]

    def _read_contract(self, endpoint: endpoints.Endpoint, conid: int, deadline: float | None) -> Any:
        query = {"isBuy": True} if endpoint is endpoints.INFO_AND_RULES else None
        try:
            return self._session.read(endpoint, path={"conid": conid}, query=query, deadline=deadline)
        except ApiError as refusal:
            if type(refusal) is ApiError and refusal.status == 400:  # noqa: PLR2004  (HTTP's own number)
                raise ContractNotFound(f"IBKR knows no contract {conid}; nothing was sent.") from refusal
            raise

    @staticmethod
    def _check_id(contract: Contract, conid: int) -> None:
        if contract.conid != conid:
            raise ContractError(
                f"IBKR answered with contract {contract.conid} for {conid}; nothing was sent."
            )

    def routed(self, query: ContractQuery, contract: Contract) -> Contract:
        """Note the exchange that was named with a contract id, if the contract trades there."""
        if query.exchange is None:
            return contract
        if contract.valid_exchanges and query.exchange not in contract.valid_exchanges:
            raise ContractNotFound(
                f"{labels.long_name(contract)} ({query}) does not trade on {query.exchange}; nothing was sent.",
                remedy=f"It trades on {', '.join(contract.valid_exchanges[:12])}.",
            )
        return attrs.evolve(contract, route=query.exchange)
