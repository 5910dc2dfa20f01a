"""Write down what is about to be sent before its first byte leaves, and every step after it.

An order whose process died between sending and the answer would be forgotten, and sent again by
whoever starts next. So each request that changes orders has an entry on disk first: no journal, no
order. Cancels go out without it, because they can only reduce what may happen. What an
acknowledgement says is written together with the rows by which the orders are known as ours.

An entry is open until its end is known. Whether somebody is still at work on an open one, the
lifeline of its owner tells; what became of the others is found out by
:mod:`ibkr_adapter.settling`. No bodies are kept: a hash of them, and the tickets. What a
request is and which of its steps are worth a line is for :mod:`ibkr_adapter.records`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from ibkr_adapter import own_orders, written_tickets
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError, InvalidOrder
from ibkr_adapter.lifeline import Lifeline
from ibkr_adapter.model.order import Order, Ticket
from ibkr_adapter.redact import redact
from ibkr_adapter.state import StateUnavailable, Store

log = logging.getLogger(__name__)

SCHEMA_STEPS = (
    *own_orders.SCHEMA_STEPS,
    (
        """
        CREATE TABLE entry (
            id INTEGER PRIMARY KEY, login TEXT, account TEXT, kind TEXT, order_id TEXT, body_hash TEXT,
            about TEXT, owner TEXT, begun_at TEXT, step TEXT, ended TEXT, changed_at TEXT
        )
        """,
        "CREATE INDEX entry_by_end ON entry (ended, changed_at)",
        "CREATE TABLE entry_coid (coid TEXT, account TEXT, entry INTEGER)",
        "CREATE INDEX entry_by_coid ON entry_coid (coid, account)",
        "CREATE TABLE step (entry INTEGER, at TEXT, step TEXT, words TEXT)",
        "CREATE INDEX step_by_entry ON step (entry)",
        "CREATE TABLE proof (id INTEGER PRIMARY KEY, at TEXT)",
    ),
    (*own_orders.TICKETS_STEP, "ALTER TABLE entry ADD COLUMN tickets TEXT"),
)

# IBKR takes a cOID once in so many hours, and would book it again after them.
COID_HOURS = 24
# Entries that are over are kept so long, for people and for the check of cOIDs.
KEPT_DAYS = 14
_LONGEST_WORDS = 200


class Kind(StrEnum):
    """What a request was to do."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"


class End(StrEnum):
    """What became of an entry; ``SEEN`` is a change whose order was seen afterwards."""

    PLACED = "placed"
    PARTLY = "partly placed"
    REFUSED = "refused"
    ABSENT = "absent"
    NOT_SENT = "not sent"
    SEEN = "seen"


# The last step of an entry whose call has ended without knowing.
UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Intent:
    """One request that is about to be sent; ``about`` says in words what it trades."""

    kind: Kind
    account: str
    body_hash: str
    about: tuple[str, ...] = ()
    coids: tuple[str, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    order_id: str | None = None
    repeat: bool = False


@attrs.frozen(kw_only=True)
class Entry:
    """An open entry as it is on disk; ``begun_at`` is just before the request was to leave."""

    number: int
    kind: Kind
    account: str
    coids: tuple[str, ...]
    order_id: str | None
    about: tuple[str, ...]
    owner: str
    begun_at: datetime
    step: str
    tickets: tuple[Ticket, ...] = ()


class Journal:
    """The entries of one login, in a file that all logins and processes of a state folder share."""

    def __init__(self, *, clock: Clock, login: str, store: Callable[[], Store]) -> None:
        self._clock = clock
        self._login = login
        self._open_store = store
        self._lock = threading.Lock()
        self._life: Lifeline | None = None

    def demand(self) -> None:
        """See that entries can be written, before anything is done that an order must follow.

        Raises:
            ConfigurationError: They cannot; nothing was sent.
        """
        with self._refusing():
            self._open_store().write(
                "INSERT OR REPLACE INTO proof (id, at) VALUES (1, ?)", (self._clock.now().isoformat(),)
            )

    def abandoned(self, account: str, *, with_unknown: bool = False) -> tuple[Entry, ...]:
        """The open entries of an account at which nobody is at work any more.

        ``with_unknown`` adds those whose process lives, but whose call has ended without knowing.

        Raises:
            ConfigurationError: The journal cannot be read.
        """
        with self._refusing():
            rows = self._open_store().read(
                "SELECT id, kind, account, order_id, about, owner, begun_at, step, tickets FROM entry"
                " WHERE ended IS NULL AND login = ? AND account = ? ORDER BY id",
                (self._login, account),
            )
            found = []
            for number, kind, account_, order_id, about, owner, begun_at, step, tickets in rows:
                if not (with_unknown and step == UNKNOWN) and self._lifeline().lives(owner):
                    continue
                coids = self._open_store().read(
                    "SELECT coid FROM entry_coid WHERE entry = ? ORDER BY rowid", (number,)
                )
                found.append(
                    Entry(
                        number=number,
                        kind=Kind(kind),
                        account=account_,
                        coids=tuple(coid for (coid,) in coids),
                        order_id=order_id,
                        about=tuple(json.loads(about)),
                        owner=owner,
                        begun_at=datetime.fromisoformat(begun_at),
                        step=step,
                        tickets=written_tickets.read(tickets),
                    )
                )
            return tuple(found)

    def settle(
        self, entry: Entry, step: str, *, end: End | None = None, orders: Sequence[Order] = ()
    ) -> None:
        """Note what was found out about an entry; the orders found are ours from then on."""
        rows = [(order.order_id, entry.account, order.coid, None) for order in orders]
        self.note(entry.number, step, end=end, orders=rows)
        if end is not None and not self._lifeline().lives(entry.owner):
            self._lifeline().bury(entry.owner)

    def sent_before(self, intent: Intent) -> bool:
        """Tell whether a request under one of these cOIDs has gone out, or may have.

        Raises:
            ConfigurationError: The journal cannot be read; nothing was sent.
            InvalidOrder: It was for another order, or is on its way right now; nothing was sent.
        """
        with self._refusing():
            return any(self._used(self._open_store(), intent, coid) for coid in intent.coids)

    def close(self) -> None:
        """Let go: what is open now is for whoever comes next."""
        with self._lock:
            life, self._life = self._life, None
        if life is not None:
            life.close()

    # For records --------------------------------------------------------------------------

    def begin(self, intent: Intent) -> int:
        """Write an entry, durable on return.

        Raises:
            ConfigurationError: It cannot be written; nothing was sent.
            InvalidOrder: Its cOID was used already; nothing was sent.
        """
        now = self._clock.now()
        with self._refusing():
            store = self._open_store()
            self._prune(store, now)
            owner = self._lifeline().name()
            with store.transaction():
                self._check_coids(store, intent, now)
                store.write(
                    "INSERT INTO entry (login, account, kind, order_id, body_hash, about, owner, begun_at, step,"
                    " changed_at, tickets) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'sending', ?, ?)",
                    (
                        self._login,
                        intent.account,
                        intent.kind,
                        intent.order_id,
                        intent.body_hash,
                        json.dumps(intent.about),
                        owner,
                        now.isoformat(),
                        now.isoformat(),
                        written_tickets.write(intent.tickets),
                    ),
                )
                number = int(store.read("SELECT last_insert_rowid()")[0][0])
                for coid in intent.coids:
                    store.write(
                        "INSERT INTO entry_coid (coid, account, entry) VALUES (?, ?, ?)",
                        (coid, intent.account, number),
                    )
                _write_step(store, number, now, "sending", " | ".join(intent.about))
        return number

    def note(
        self,
        number: int,
        step: str,
        words: str = "",
        *,
        end: End | None = None,
        orders: Sequence[tuple[str, str, str | None, str | None]] = (),
        strict: bool = False,
    ) -> None:
        """Write a step of an open entry, and with it which orders are ours.

        The request is on its way or answered, so what cannot be written is logged and no more:
        the entry stays open and is looked up later. ``strict`` is for what is not sent yet.

        Raises:
            ConfigurationError: It cannot be written, and ``strict`` was asked for.
        """
        now = self._clock.now()
        try:
            store = self._open_store()
            with store.transaction():
                # The first end counts: two processes may look the same entry up.
                if store.write(
                    "UPDATE entry SET step = ?, ended = ?, changed_at = ? WHERE id = ? AND ended IS NULL",
                    (step, end, now.isoformat(), number),
                ):
                    _write_step(store, number, now, step, words)
                for row in orders:
                    store.write(own_orders.REMEMBER, row)
        except StateUnavailable as reason:
            if strict:
                raise _refusal(reason) from reason
            log.warning("the journal lacks that an entry is %s; it will be looked up again: %s", step, reason)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except StateUnavailable as reason:
            raise _refusal(reason) from reason
        except OSError as failure:
            path = self._open_store().path
            raise _refusal(StateUnavailable(path, failure.strerror or str(failure))) from failure

    def _lifeline(self) -> Lifeline:
        with self._lock:
            if self._life is None:
                self._life = Lifeline(self._open_store().path.parent)
            return self._life

    def _check_coids(self, store: Store, intent: Intent, now: datetime) -> None:
        for coid in intent.coids:
            for begun_at in self._used(store, intent, coid):
                age = now - datetime.fromisoformat(begun_at)
                if not intent.repeat or age >= timedelta(hours=COID_HOURS):
                    raise InvalidOrder(
                        f"an order with the cOID {coid} was sent at {begun_at}; nothing was sent.",
                        remedy="Look it up with find_order.",
                    )

    def _used(self, store: Store, intent: Intent, coid: str) -> list[str]:
        """When the same order was begun under a cOID before."""
        rows = store.read(
            "SELECT body_hash, begun_at, owner, ended, step FROM entry_coid"
            " JOIN entry ON entry.id = entry_coid.entry"
            " WHERE coid = ? AND entry_coid.account = ? AND ended IS NOT ?",
            (coid, intent.account, End.NOT_SENT),
        )
        for body_hash, begun_at, owner, ended, step in rows:
            if body_hash != intent.body_hash:
                raise InvalidOrder(f"the cOID {coid} was used for another order; nothing was sent.")
            if ended is None and step != UNKNOWN and self._lifeline().lives(owner):
                raise InvalidOrder(
                    f"another call, begun at {begun_at}, is at work on the cOID {coid}; this one sent nothing.",
                    remedy="Wait for that call, then look with find_order.",
                    repeatable=True,
                )
        return [row[1] for row in rows]

    def _prune(self, store: Store, now: datetime) -> None:
        before = (now - timedelta(days=KEPT_DAYS)).isoformat()
        old = "SELECT id FROM entry WHERE ended IS NOT NULL AND changed_at < ?"
        if not store.read(f"{old} LIMIT 1", (before,)):
            return
        with store.transaction():
            store.write(f"DELETE FROM step WHERE entry IN ({old})", (before,))  # noqa: S608  (a constant)
            store.write(f"DELETE FROM entry_coid WHERE entry IN ({old})", (before,))  # noqa: S608  (a constant)
            store.write("DELETE FROM entry WHERE ended IS NOT NULL AND changed_at < ?", (before,))


def _write_step(store: Store, number: int, now: datetime, step: str, words: str) -> None:
    store.write(
        "INSERT INTO step (entry, at, step, words) VALUES (?, ?, ?, ?)",
        (number, now.isoformat(), step, redact(words)[:_LONGEST_WORDS]),
    )


def _refusal(reason: StateUnavailable) -> ConfigurationError:
    return ConfigurationError(
        f"the order journal {reason.path} cannot be used, and without it no order goes out: {reason.reason};"
        " nothing was sent.",
        remedy="Make room on the disk or mend the folder; a broken journal must be looked at before it is moved away,"
        " because it may be all that tells which orders stand. Cancels go out without it.",
    )
