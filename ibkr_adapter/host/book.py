"""Keep what came by webhook, what it led to and how it ended: the same webhook is carried out once.

Hosts and alert services post again what was not answered in time, also to another process and
after a restart. So a webhook is written down before anything is sent for it, and its repeat is told
what the first one came to. A webhook with an id is known by it; one without is the same as another of
the same content while that one is at work, and for ten seconds after it. One webhook at a time works on
a symbol of a tenant, because two that look at once would both find the account flat.

A tenant is whatever the caller says it is: users and accounts do not meet here. No secret is kept: what
comes is masked before. Carrying out is for :mod:`.carrying`, deciding who may for :mod:`.executor`.
"""

from __future__ import annotations

import json
import logging
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError, OrderError
from ibkr_adapter.lifeline import Lifeline
from ibkr_adapter.redact import MASK, redact
from ibkr_adapter.state import StateUnavailable, Store

from .values import NOTHING_SENT, refusal

log = logging.getLogger(__name__)

SCHEMA_STEPS = (
    (
        """
        CREATE TABLE webhook (
            id INTEGER PRIMARY KEY, tenant TEXT, name TEXT, content TEXT, symbol TEXT, came TEXT, came_at TEXT,
            owner TEXT, state TEXT, answer TEXT, ended_at TEXT
        )
        """,
        "CREATE INDEX webhook_by_name ON webhook (tenant, name)",
        "CREATE INDEX webhook_by_content ON webhook (tenant, content)",
        "CREATE INDEX webhook_by_symbol ON webhook (tenant, symbol, state)",
        "CREATE INDEX webhook_by_end ON webhook (ended_at)",
        "CREATE TABLE webhook_step (webhook INTEGER, at TEXT, step TEXT, words TEXT)",
        "CREATE INDEX webhook_step_by_webhook ON webhook_step (webhook)",
    ),
)

BEGUN, SENDING, DONE, FAILED, REFUSED = "begun", "sending", "done", "failed", "refused"
# For so long after its end a webhook without an id stands for others of the same content.
SAME_FOR = timedelta(seconds=10)
KEPT_DAYS = 14
_HEARD = "heard"
# How often a webhook looks whether the one before it is over.
LOOK_EVERY = 0.25
_LONGEST_WORDS = 4000


@attrs.frozen(kw_only=True)
class Arrival:
    """A webhook as it came: whose it is, its id where it has one, a hash of its content, and it, masked."""

    tenant: str
    symbol: str
    name: str | None
    content: str
    came: str


@attrs.frozen(kw_only=True)
class Told:
    """What the first of several equal webhooks came to: a result, or the error as it was written."""

    state: str
    answer: dict[str, Any]


@attrs.frozen(kw_only=True)
class Step:
    """One call that could change something at the broker, as it was written before it was made."""

    call: str
    arguments: dict[str, Any]


class Entry:
    """A webhook that is being carried out; ``steps`` is what was sent for it by a process that died."""

    def __init__(
        self, book: WebhookBook | None, number: int, came_at: str, steps: Sequence[Step] = ()
    ) -> None:
        self._book = book
        self.number = number
        self.came_at = came_at
        self.steps = tuple(steps)

    @classmethod
    def unwritten(cls) -> Entry:
        """An entry of no book, for what must be carried out without one."""
        return cls(None, 0, "")

    def sending(self, call: str, arguments: Mapping[str, Any]) -> None:
        """Write a call that is about to be made; it may be made when this returns.

        Raises:
            ConfigurationError: It cannot be written; the call must not be made.
        """
        if self._book is not None:
            self._book.note(self.number, call, json.dumps(arguments, default=str), strict=True)

    def heard(self, answer: Mapping[str, Any]) -> None:
        """Write what a call came to."""
        if self._book is not None:
            self._book.note(self.number, _HEARD, json.dumps(answer, default=str))

    def end(self, state: str, answer: Mapping[str, Any]) -> None:
        """Write what it came to; a repeat is told so from now on, unless it was ``REFUSED``."""
        if self._book is not None:
            self._book.end(self.number, state, answer)

    def leave(self) -> None:
        """Stop working on it; what has no end by then is looked into by its next repeat."""
        if self._book is not None:
            self._book.leave(self.number)


class WebhookBook:
    """The webhooks of a state folder, shared by its processes."""

    def __init__(self, *, clock: Clock, store: Callable[[], Store]) -> None:
        self._clock = clock
        self._open_store = store
        self._lock = threading.Lock()
        self._life: Lifeline | None = None
        self._at_work: set[int] = set()

    def admit(self, arrival: Arrival, *, within: float) -> Entry | Told:
        """Let a webhook begin, or tell what its first came to; waits for others of its symbol.

        Raises:
            InvalidOrder: Its id was used for something else; nothing was sent.
            OrderError: Another one is still at work after ``within`` seconds; nothing was sent.
            ConfigurationError: It cannot be written down; nothing was sent.
        """
        until = self._clock.monotonic() + within
        while True:
            found = self._try(arrival)
            if found is not None:
                return found
            if self._clock.monotonic() >= until:
                raise OrderError(
                    f"another webhook for {arrival.symbol} is still being carried out after {within:g} seconds."
                    f" {NOTHING_SENT}",
                    remedy="Send this one again when that one is over.",
                    repeatable=True,
                )
            self._clock.sleep(LOOK_EVERY)

    def turn_away(self, tenant: str, came: str, answer: Mapping[str, Any]) -> None:
        """Write down, for people, a webhook that makes no sense; where it cannot be, that is logged."""
        now = self._clock.now().isoformat()
        try:
            self._open_store().write(
                "INSERT INTO webhook (tenant, came, came_at, state, answer, ended_at) VALUES (?, ?, ?, ?, ?, ?)",
                (tenant, _without_secrets(_shortened(came)), now, REFUSED, _written(answer), now),
            )
        except StateUnavailable as reason:
            log.warning("the book of webhooks lacks one that was turned away: %s", reason)

    def count(self, tenant: str, *, since: datetime, action: str | None = None) -> int:
        """How many webhooks of a tenant came since then; with ``action`` those that came to it."""
        with _refusing():
            rows = self._open_store().read(
                "SELECT answer FROM webhook WHERE tenant = ? AND came_at > ?", (tenant, since.isoformat())
            )
        if action is None:
            return len(rows)
        return sum(
            1 for (answer,) in rows if answer is not None and json.loads(answer).get("action") == action
        )

    def audit(self, tenant: str | None = None, *, limit: int = 100) -> list[dict[str, Any]]:
        """The latest webhooks, newest first: what came, what was sent for it, what it came to."""
        with _refusing():
            store = self._open_store()
            rows = store.read(
                "SELECT id, tenant, name, came, came_at, state, answer, ended_at FROM webhook"
                " WHERE ? IS NULL OR tenant = ? ORDER BY id DESC LIMIT ?",
                (tenant, tenant, limit),
            )
            return [
                {
                    "tenant": of,
                    "webhookId": name,
                    "came": json.loads(came),
                    "cameAt": came_at,
                    "steps": [
                        {"at": at, "step": step, "words": words}
                        for at, step, words in store.read(
                            "SELECT at, step, words FROM webhook_step WHERE webhook = ? ORDER BY rowid",
                            (number,),
                        )
                    ],
                    "state": state,
                    "answer": None if answer is None else json.loads(answer),
                    "endedAt": ended_at,
                }
                for number, of, name, came, came_at, state, answer, ended_at in rows
            ]

    def close(self) -> None:
        """Let go: what is open now is for whoever is sent the same webhook."""
        with self._lock:
            life, self._life = self._life, None
            self._at_work.clear()
        if life is not None:
            life.close()

    # For entries --------------------------------------------------------------------------

    def note(self, number: int, step: str, words: str, *, strict: bool = False) -> None:
        """Write a step; what is under way already is carried out even where it cannot be written."""
        now = self._clock.now().isoformat()
        try:
            store = self._open_store()
            with store.transaction():
                store.write("UPDATE webhook SET state = ? WHERE id = ?", (SENDING, number))
                store.write(
                    "INSERT INTO webhook_step (webhook, at, step, words) VALUES (?, ?, ?, ?)",
                    (number, now, step, _without_secrets(words)),
                )
        except StateUnavailable as reason:
            if strict:
                raise _unwritable(reason) from reason
            log.warning("the book of webhooks lacks what a call came to: %s", reason)

    def end(self, number: int, state: str, answer: Mapping[str, Any]) -> None:
        """Write how a webhook ended."""
        try:
            self._open_store().write(
                "UPDATE webhook SET state = ?, answer = ?, ended_at = ? WHERE id = ?",
                (state, _written(answer), self._clock.now().isoformat(), number),
            )
        except StateUnavailable as reason:
            log.warning(
                "the book of webhooks lacks how one ended, so a repeat will be looked into: %s", reason
            )

    def leave(self, number: int) -> None:
        """Note that nobody here works on a webhook any more."""
        with self._lock:
            self._at_work.discard(number)

    def _try(self, arrival: Arrival) -> Entry | Told | None:
        """Admit, or return ``None`` where another one is at work."""
        now = self._clock.now()
        with _refusing():
            store = self._open_store()
            self._prune(store, now)
            owner = self._lifeline().name()
            with store.transaction():
                first = self._first(store, arrival, now)
                if first is None and self._symbol_is_busy(store, arrival):
                    return None
                if first is not None:
                    number, state, answer, by, came_at = first
                    if state in {DONE, FAILED}:
                        return Told(state=state, answer=json.loads(answer))
                    if self._works(number, by):
                        return None
                    # Whoever began it died. Where nothing had been sent it begins anew.
                    store.write("UPDATE webhook SET owner = ? WHERE id = ?", (owner, number))
                    steps = self._steps(store, number) if state == SENDING else []
                else:
                    number, steps, came_at = self._insert(store, arrival, owner, now), [], now.isoformat()
                with self._lock:
                    self._at_work.add(number)
        return Entry(self, number, came_at, steps)

    def _first(self, store: Store, arrival: Arrival, now: datetime) -> tuple[int, str, str, str, str] | None:
        """The row that this webhook is a repeat of."""
        if arrival.name is not None:
            rows = store.read(
                "SELECT id, state, answer, owner, came_at, content FROM webhook WHERE tenant = ? AND name = ? AND state <> ?"
                " ORDER BY id DESC LIMIT 1",
                (arrival.tenant, arrival.name, REFUSED),
            )
            if rows and rows[0][5] != arrival.content:
                raise refusal(f"webhook_id {arrival.name} was given to another webhook before")
        else:
            rows = store.read(
                "SELECT id, state, answer, owner, came_at, content FROM webhook WHERE tenant = ? AND content = ?"
                " AND name IS NULL AND state <> ? AND (ended_at IS NULL OR ended_at >= ?) ORDER BY id DESC LIMIT 1",
                (arrival.tenant, arrival.content, REFUSED, (now - SAME_FOR).isoformat()),
            )
        if not rows:
            return None
        number, state, answer, owner, came_at, _ = rows[0]
        return number, state, answer, owner, came_at

    def _symbol_is_busy(self, store: Store, arrival: Arrival) -> bool:
        rows = store.read(
            "SELECT id, owner FROM webhook WHERE tenant = ? AND symbol = ? AND state IN (?, ?)",
            (arrival.tenant, arrival.symbol, BEGUN, SENDING),
        )
        return any(self._works(number, owner) for number, owner in rows)

    def _works(self, number: int, owner: str) -> bool:
        """Tell whether somebody is still at work on an open webhook."""
        if owner == self._lifeline().name():
            with self._lock:
                return number in self._at_work
        return self._lifeline().lives(owner)

    def _insert(self, store: Store, arrival: Arrival, owner: str, now: datetime) -> int:
        store.write(
            "INSERT INTO webhook (tenant, name, content, symbol, came, came_at, owner, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                arrival.tenant,
                arrival.name,
                arrival.content,
                arrival.symbol,
                _without_secrets(arrival.came),
                now.isoformat(),
                owner,
                BEGUN,
            ),
        )
        return int(store.read("SELECT last_insert_rowid()")[0][0])

    def _steps(self, store: Store, number: int) -> list[Step]:
        rows = store.read(
            "SELECT step, words FROM webhook_step WHERE webhook = ? AND step <> ? ORDER BY rowid",
            (number, _HEARD),
        )
        return [Step(call=step, arguments=json.loads(words)) for step, words in rows]

    def _lifeline(self) -> Lifeline:
        with self._lock:
            if self._life is None:
                self._life = Lifeline(self._open_store().path.parent)
            return self._life

    def _prune(self, store: Store, now: datetime) -> None:
        before = (now - timedelta(days=KEPT_DAYS)).isoformat()
        if not store.read("SELECT id FROM webhook WHERE ended_at < ? LIMIT 1", (before,)):
            return
        with store.transaction():
            store.write(
                "DELETE FROM webhook_step WHERE webhook IN (SELECT id FROM webhook WHERE ended_at < ?)",
                (before,),
            )
            store.write("DELETE FROM webhook WHERE ended_at < ?", (before,))


def _written(answer: Mapping[str, Any]) -> str:
    return _without_secrets(json.dumps(answer))


def _shortened(came: str) -> str:
    """What makes no sense may be long, and is for people only."""
    # Half of a secret is one that nobody knows any more.
    return came if len(came) <= _LONGEST_WORDS else json.dumps({"cut": redact(came)[:_LONGEST_WORDS]})


def _without_secrets(words: str) -> str:
    """Mask the secrets in a JSON text, which is one afterwards: it will be read again."""
    whole = redact(words)
    try:
        json.loads(whole)
    except ValueError:
        # A mask took the end of a text with it, or stands where a number stood.
        return json.dumps(_masked(json.loads(words)))
    return whole


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _masked_beside(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_masked(part) for part in value]
    return value


def _masked_beside(key: str, value: Any) -> Any:
    """Mask a value that may be known for a secret by its name alone."""
    together = f"{key}={value}"
    return MASK if isinstance(value, str) and redact(together) == f"{key}={MASK}" else _masked(value)


def shared_book(folder: Path, clock: Clock) -> WebhookBook:
    """The book of a state folder, one in a process for all who keep the same time; nothing is opened yet."""
    with _making:
        books = _shared.setdefault(clock, {})
        if folder not in books:
            store = Store(folder, "webhooks", steps=SCHEMA_STEPS, synchronous="FULL")
            books[folder] = book = WebhookBook(clock=clock, store=lambda: store)
            weakref.finalize(book, store.close)
        return books[folder]


_making = threading.Lock()
_shared: weakref.WeakKeyDictionary[Clock, dict[Path, WebhookBook]] = weakref.WeakKeyDictionary()


class _refusing:  # noqa: N801  (reads as a verb)
    """Turn a book that cannot be used into a refusal."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if isinstance(failure, StateUnavailable):
            raise _unwritable(failure) from failure
        if isinstance(failure, OSError):
            raise ConfigurationError(
                f"the book of webhooks cannot be used: {failure.strerror or failure}. {NOTHING_SENT}",
                remedy="Make room on the disk or mend the state folder.",
            ) from failure


def _unwritable(reason: StateUnavailable) -> ConfigurationError:
    return ConfigurationError(
        f"the book of webhooks {reason.path} cannot be used, and without it a repeat could be carried out twice:"
        f" {reason.reason}. {NOTHING_SENT}",
        remedy="Make room on the disk or mend the folder.",
    )
