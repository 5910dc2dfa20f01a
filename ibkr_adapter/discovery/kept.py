"""What is known of contracts, in memory first and in one small file behind it.

Contract ids never change, so contracts are kept for good. Names, listings and chains can change
and are believed for a while only. The file is shared by all processes of a state folder; where it
cannot be had, everything goes on in memory, and one warning says so. Losing it costs requests, not
safety. When to ask again is for whoever asks.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.ticks import TickStep
from ibkr_adapter.state import StateUnavailable, Store

log = logging.getLogger(__name__)

DAY = 24 * 3600.0
LISTINGS_KEPT_FOR = 7 * DAY
CHAINS_KEPT_FOR = DAY
MOST_KEPT = 20_000

SCHEMA_STEPS = (
    ("CREATE TABLE listings (symbol TEXT PRIMARY KEY, rows TEXT NOT NULL, read_at REAL NOT NULL)",),
    (
        "DROP TABLE listings",
        "CREATE TABLE answers (key TEXT PRIMARY KEY, body TEXT NOT NULL, read_at REAL NOT NULL)",
        "CREATE TABLE contracts (conid INTEGER PRIMARY KEY, body TEXT NOT NULL)",
        "CREATE TABLE names (key TEXT PRIMARY KEY, conid INTEGER NOT NULL, until REAL NOT NULL)",
        "CREATE TABLE written (conid INTEGER PRIMARY KEY, text TEXT NOT NULL, until REAL)",
    ),
)
_DECIMALS = ("multiplier", "strike", "coupon")


@attrs.frozen
class Spelling:
    """How a caller wrote a contract; after ``until`` the name means another one."""

    text: str
    until: float | None = None


class Kept:
    """Contracts, names and answers, for every thread of a connection and every process of a user."""

    def __init__(self, *, clock: Clock, store: Callable[[], Store]) -> None:
        self._clock = clock
        self._open_store = store
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[Any, float]] = {}
        self._contracts: dict[int, Contract] = {}
        self._written: dict[int, Spelling | None] = {}
        self._warned = False

    # Answers ------------------------------------------------------------------------------

    def asked(
        self, key: str, max_age: float, ask: Callable[[], Any], worth: Callable[[Any], object] = bool
    ) -> Any:
        """Return the answer to a question, asked anew only where what is kept is too old.

        Args:
            key: Names the question.
            max_age: How many seconds an answer is believed.
            ask: Makes the request.
            worth: Tells whether an answer is worth keeping; "nothing" may be something tomorrow.
        """
        now = self._now()
        with self._lock:
            known = self._answers.get(key)
        if known is None:
            known = self._answer_on_disk(key)
        if known is not None and 0 <= now - known[1] < max_age:
            return known[0]
        content = ask()
        if worth(content):
            with self._lock:
                _make_room(self._answers)
                self._answers[key] = (content, now)
            self._write(
                "INSERT OR REPLACE INTO answers (key, body, read_at) VALUES (?, ?, ?)",
                (key, json.dumps(content, default=str), now),
            )
        return content

    def has(self, key: str, max_age: float) -> bool:
        """Whether :meth:`asked` would make no request."""
        with self._lock:
            known = self._answers.get(key)
        known = known or self._answer_on_disk(key)
        return known is not None and 0 <= self._now() - known[1] < max_age

    def _answer_on_disk(self, key: str) -> tuple[Any, float] | None:
        rows = self._read("SELECT body, read_at FROM answers WHERE key = ?", (key,))
        try:
            known = (json.loads(rows[0][0], parse_float=Decimal), float(rows[0][1])) if rows else None
        except ValueError:
            return None
        if known is not None:
            with self._lock:
                _make_room(self._answers)
                self._answers[key] = known
        return known

    # Contracts ----------------------------------------------------------------------------

    def contract(self, conid: int) -> Contract | None:
        """A contract that was seen before."""
        with self._lock:
            known = self._contracts.get(conid)
        if known is None:
            rows = self._read("SELECT body FROM contracts WHERE conid = ?", (conid,))
            known = _contract(rows[0][0]) if rows else None
            if known is not None:
                with self._lock:
                    _make_room(self._contracts)
                    self._contracts[conid] = known
        return known

    def keep(self, contracts: Iterable[Contract]) -> None:
        """Keep contracts for good; what an answer does not say stays as it was known."""
        fresh = []
        for found in contracts:
            known = self.contract(found.conid)
            merged = found if known is None else _filled(found, known)
            if merged != known:
                fresh.append(merged)
        with self._lock:
            _make_room(self._contracts)
            self._contracts.update((found.conid, found) for found in fresh)
        self._write_many(
            "INSERT OR REPLACE INTO contracts (conid, body) VALUES (?, ?)",
            [(found.conid, _body(found)) for found in fresh],
        )

    # Names --------------------------------------------------------------------------------

    def named(self, key: str) -> tuple[Contract, datetime] | None:
        """The contract that a name meant, and until when it does; a position may outlive its name."""
        rows = self._read("SELECT conid, until FROM names WHERE key = ?", (key,))
        found = self.contract(int(rows[0][0])) if rows else None
        return None if found is None else (found, datetime.fromtimestamp(float(rows[0][1]), tz=UTC))

    def keep_name(self, key: str, contract: Contract, until: datetime) -> None:
        """Remember what a name means, for this while."""
        self.keep([contract])
        self._write(
            "INSERT OR REPLACE INTO names (key, conid, until) VALUES (?, ?, ?)",
            (key, contract.conid, until.timestamp()),
        )

    def written(self, conid: int) -> str | None:
        """The caller's own spelling of a contract, also from before a restart."""
        with self._lock:
            known = self._written.get(conid)
            asked = conid in self._written
        if not asked:
            rows = self._read("SELECT text, until FROM written WHERE conid = ?", (conid,))
            known = Spelling(str(rows[0][0]), rows[0][1]) if rows else None
            with self._lock:
                _make_room(self._written)
                known = self._written.setdefault(conid, known)
        if known is None or (known.until is not None and self._now() >= known.until):
            return None
        return known.text

    def write_down(self, conid: int, spelling: Spelling | None) -> None:
        """Remember how the caller spells a contract; hosts come this way for every price."""
        known = self._written.get(conid)
        if spelling is None or spelling is known:
            return
        with self._lock:
            _make_room(self._written)
            self._written[conid] = spelling
        if spelling != known:
            self._write(
                "INSERT OR REPLACE INTO written (conid, text, until) VALUES (?, ?, ?)",
                (conid, spelling.text, spelling.until),
            )

    # The file -----------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _read(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return self._open_store().read(sql, params)
        except StateUnavailable as reason:
            self._warn(reason)
            return []

    def _write(self, sql: str, params: Sequence[Any]) -> None:
        try:
            self._open_store().write(sql, params)
        except StateUnavailable as reason:
            self._warn(reason)

    def _write_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        if not rows:
            return
        try:
            store = self._open_store()
            with store.transaction():
                for row in rows:
                    store.write(sql, row)
        except StateUnavailable as reason:
            self._warn(reason)

    def _warn(self, reason: StateUnavailable) -> None:
        if not self._warned:
            self._warned = True
            log.warning("contracts are kept in memory only: %s", reason)


def _make_room(kept: dict[Any, Any]) -> None:
    if len(kept) >= MOST_KEPT:
        kept.clear()


def _filled(found: Contract, known: Contract) -> Contract:
    missing = {
        field.name: getattr(known, field.name)
        for field in attrs.fields(Contract)
        if getattr(found, field.name) in (None, (), "")
    }
    return attrs.evolve(found, **missing)


def _body(contract: Contract) -> str:
    row = {
        field.name: value
        for field in attrs.fields(Contract)
        if (value := getattr(contract, field.name)) not in (None, ())
    }
    row["ticks"] = [[step.lower_edge, step.increment] for step in contract.ticks]
    return json.dumps(row, default=str, separators=(",", ":"))


def _contract(body: str) -> Contract | None:
    """Read a contract back; what another version wrote differently is asked for again."""
    try:
        row: Mapping[str, Any] = json.loads(body)
        known = {field.name: row[field.name] for field in attrs.fields(Contract) if field.name in row}
        known |= {name: Decimal(known[name]) for name in _DECIMALS if name in known}
        known["sec_type"] = SecType(known["sec_type"])
        known["ticks"] = tuple(
            TickStep(lower_edge=Decimal(edge), increment=Decimal(step)) for edge, step in known["ticks"]
        )
        known["valid_exchanges"] = tuple(known.get("valid_exchanges", ()))
        return Contract(**known)
    except (ValueError, ArithmeticError, TypeError, KeyError, AttributeError):
        return None
