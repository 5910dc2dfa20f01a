"""Turn the names people write into the one contract they mean.

A symbol that fits several contracts is an error that lists them, never a guess: the first row of
a search is as likely a foreign listing as the share that was meant. Listings and rules are kept
in memory and on disk; conids never change, so a lost or broken cache costs requests, not safety.

Source: Web API reference, "Security Stocks by Symbol", "Contract information and rules".
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import AmbiguousContract, ApiError, ContractError, ContractNotFound
from ibkr_adapter.model.contract import Candidate, Contract, SecType
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.state import StateUnavailable, Store
from ibkr_adapter.wire import contracts, endpoints, numbers
from ibkr_adapter.wire.rules import read_rules

log = logging.getLogger(__name__)

# Rules hold tick tables and order types; a day is as long as they may be trusted.
RULES_KEPT_FOR = 24 * 3600.0
LISTINGS_KEPT_FOR = 7 * 24 * 3600.0
MOST_KEPT = 10_000
# The host's database holds no longer names.
LONGEST = 60

SCHEMA_STEPS = (
    ("CREATE TABLE listings (symbol TEXT PRIMARY KEY, rows TEXT NOT NULL, read_at REAL NOT NULL)",),
)

_CONID = re.compile(r"(?:conid:)?(\d{1,10})(?:@([A-Z0-9.]{1,20}))?", re.IGNORECASE)
# Exchanges that stand for "anywhere in the US".
_US = frozenset({"US", "USA", "SMART"})


@attrs.frozen(kw_only=True)
class Query:
    """What somebody wrote, taken apart: a conid, or a symbol with what narrows it."""

    text: str
    symbol: str = ""
    exchange: str | None = None
    conid: int | None = None


def read_query(text: object) -> Query:
    """Take a symbol apart.

    ``AAPL``, ``NASDAQ:AAPL``, ``BRK.B``, ``STK:AAPL``, ``conid:265598`` and ``265598@SMART`` are
    understood. Bare digits are refused: they are as likely a foreign ticker as a contract id.

    Raises:
        ContractNotFound: It is no name of a contract; nothing was sent.
    """
    if not isinstance(text, str) or not text.strip():
        raise ContractNotFound(
            f"{text!r:.60} is no symbol; nothing was sent.", remedy="Write a symbol such as AAPL."
        )
    written = text.strip()
    if len(written) > LONGEST or not written.isprintable():
        raise ContractNotFound(
            f"{written[:40]!r} is no symbol; nothing was sent.", remedy="Write a symbol such as AAPL."
        )
    if written.isdigit():
        raise ContractNotFound(
            f"{written} could be a ticker or a contract id; nothing was sent.",
            remedy=f"Write {written}@SMART or conid:{written} if it is a contract id.",
        )
    by_id = _CONID.fullmatch(written)
    if by_id is not None:
        conid = numbers.conid(by_id[1])
        if conid is None:
            raise ContractNotFound(f"{by_id[1]} is no contract id; nothing was sent.")
        exchange = by_id[2].upper() if by_id[2] else None
        return Query(text=written, conid=conid, exchange=None if exchange in _US else exchange)
    exchange, _, symbol = written.rpartition(":")
    exchange = exchange.strip().upper()
    symbol = symbol.strip().upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9 .\-/]{0,30}", symbol):
        raise ContractNotFound(
            f"{written!r} is no symbol; nothing was sent.", remedy="Write a symbol such as AAPL."
        )
    return Query(text=written, symbol=symbol, exchange=None if exchange in {"", "STK", *_US} else exchange)


class ConidResolver:
    """Finds contracts and their rules; shared by every object of a connection."""

    def __init__(self, *, clock: Clock, session: SessionKeeper, store: Callable[[], Store]) -> None:
        self._clock = clock
        self._session = session
        self._open_store = store
        self._lock = threading.Lock()
        self._contracts: dict[str, Contract] = {}
        self._by_conid: dict[int, tuple[Contract, Rules, float]] = {}
        self._written: dict[int, str] = {}
        self._warned = False

    def resolve(self, text: str, *, deadline: float | None = None) -> Contract:
        """Find the one contract that ``text`` means.

        Raises:
            ContractNotFound: IBKR knows none; ``near`` names what comes close.
            AmbiguousContract: Several fit; ``candidates`` says what to write for each.
        """
        key = str(text).strip()
        with self._lock:
            known = self._contracts.get(key)
        if known is not None:
            return known
        query = read_query(text)
        if query.conid is not None:
            contract, _ = self.rules(query.conid, deadline=deadline)
        else:
            contract = self._by_symbol(query, deadline)
        with self._lock:
            if len(self._contracts) >= MOST_KEPT:
                self._contracts.clear()
            self._contracts[key] = contract
            self._written[contract.conid] = query.text
        return contract

    def rules(self, conid: int, *, deadline: float | None = None) -> tuple[Contract, Rules]:
        """Read a contract with the rules that orders on it must keep; both are kept for a day."""
        now = self._clock.monotonic()
        with self._lock:
            known = self._by_conid.get(conid)
        if known is not None and now - known[2] < RULES_KEPT_FOR:
            return known[0], known[1]
        try:
            content = self._session.read(
                endpoints.INFO_AND_RULES, path={"conid": conid}, query={"isBuy": True}, deadline=deadline
            )
        except ApiError as refusal:
            if type(refusal) is ApiError and refusal.status == 400:  # noqa: PLR2004  (HTTP's own number)
                raise ContractNotFound(f"IBKR knows no contract {conid}; nothing was sent.") from refusal
            raise
        contract, rules = contracts.read_contract_info(content), read_rules(content, conid)
        if contract.conid != conid:
            raise ContractError(
                f"IBKR answered with contract {contract.conid} for {conid}; nothing was sent."
            )
        with self._lock:
            if len(self._by_conid) >= MOST_KEPT:
                self._by_conid.clear()
            self._by_conid[conid] = (contract, rules, now)
        return contract, rules

    def written(self, conid: int, symbol: str) -> str:
        """The caller's own spelling of a contract, or IBKR's symbol where nobody wrote one."""
        with self._lock:
            return self._written.get(conid, symbol)

    # Stocks -------------------------------------------------------------------------------

    def _by_symbol(self, query: Query, deadline: float | None) -> Contract:
        for spelling in contracts.class_share_spellings(query.symbol):
            candidates = self._listings(spelling, deadline)
            if candidates:
                return self._choose(query, candidates)
        raise ContractNotFound(
            f"IBKR lists no stock {query.text}; nothing was sent.",
            near=self._near(query.symbol, deadline),
        )

    def _choose(self, query: Query, candidates: Sequence[Candidate]) -> Contract:
        fitting = candidates
        if query.exchange is not None:
            fitting = [found for found in candidates if _same_exchange(found.exchange, query.exchange)]
            if not fitting:
                listed = ", ".join(dict.fromkeys(found.exchange for found in candidates))
                raise ContractNotFound(
                    f"{query.symbol} is not listed on {query.exchange}; nothing was sent.",
                    remedy=f"It is listed on {listed}.",
                )
        else:
            american = [found for found in candidates if found.is_us]
            fitting = american or candidates
        conids = {found.conid for found in fitting}
        if len(conids) > 1:
            raise AmbiguousContract(
                f"{query.text} fits {len(conids)} contracts; nothing was sent. {_listed(fitting)}",
                candidates=fitting,
                remedy="Write one of these forms.",
            )
        chosen = fitting[0]
        return Contract(
            conid=chosen.conid,
            symbol=chosen.symbol,
            sec_type=SecType.STOCK,
            exchange=chosen.exchange,
            currency=chosen.currency,
            name=chosen.name,
            is_us=chosen.is_us,
        )

    def _listings(self, symbol: str, deadline: float | None) -> Sequence[Candidate]:
        kept = self._kept(symbol)
        if kept is not None:
            return contracts.read_stocks(kept, symbol)
        content = self._session.read(
            endpoints.TRSRV_STOCKS, query={"symbols": symbol}, deadline=deadline, empty={}
        )
        found = contracts.read_stocks(content, symbol)
        if found:
            self._keep(symbol, content)
        return found

    def _near(self, symbol: str, deadline: float | None) -> tuple[str, ...]:
        try:
            content = self._session.read(
                endpoints.SECDEF_SEARCH, query={"symbol": symbol}, deadline=deadline, empty=[]
            )
            rows = contracts.read_search(content)
        except ApiError:
            # A hint is not worth an error of its own.
            return ()
        return tuple(dict.fromkeys(row.symbol for row in rows if row.symbol and row.symbol != symbol))[:5]

    # Kept on disk -------------------------------------------------------------------------

    def _kept(self, symbol: str) -> Any:
        try:
            rows = self._open_store().read("SELECT rows, read_at FROM listings WHERE symbol = ?", (symbol,))
        except StateUnavailable as reason:
            self._warn(reason)
            return None
        if not rows or self._clock.now().timestamp() - float(rows[0][1]) > LISTINGS_KEPT_FOR:
            return None
        try:
            return json.loads(rows[0][0])
        except ValueError:
            return None

    def _keep(self, symbol: str, content: Any) -> None:
        try:
            self._open_store().write(
                "INSERT OR REPLACE INTO listings (symbol, rows, read_at) VALUES (?, ?, ?)",
                (symbol, json.dumps(content, default=str), self._clock.now().timestamp()),
            )
        except StateUnavailable as reason:
            self._warn(reason)

    def _warn(self, reason: StateUnavailable) -> None:
        if not self._warned:
            self._warned = True
            log.warning("contracts are kept in memory only: %s", reason)


def _same_exchange(listed: str, asked: str) -> bool:
    first, second = listed.upper(), asked.upper()
    return first == second or first.split(".")[0] == second.split(".")[0]


def _listed(candidates: Sequence[Candidate]) -> str:
    return "; ".join(
        f"{found.write} ({found.name}, {found.exchange}{f', {found.currency}' if found.currency else ''})"
        for found in candidates[:8]
    )
