"""Keep the keys of calls that change something, so that one that is asked for again is not done again.

A client that lost our answer, or was restarted, asks again under the same key: a call that has
ended is answered as it was, one that another process is at work on is refused, and of one whose
process died it is said that nobody knows. What is then done about it is for :mod:`.calls`. A call
that provably sent nothing is forgotten, and may be made again.

Kept are hashes, times and answers; no arguments, no secrets.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError, InvalidOrder
from ibkr_adapter.lifeline import Lifeline
from ibkr_adapter.settings import Settings
from ibkr_adapter.state import StateUnavailable, Store

from . import frames

SCHEMA_STEPS = (
    (
        """
        CREATE TABLE call (
            scope TEXT, key TEXT, asked TEXT, owner TEXT, begun_at TEXT, state TEXT, outcome TEXT,
            PRIMARY KEY (scope, key)
        )
        """,
        "CREATE INDEX call_by_time ON call (begun_at)",
    ),
)
# As long as the journal of orders: a key that is forgotten would be taken for a new one.
KEPT_DAYS = 14
_RUNNING, _ENDED, _UNKNOWN = "running", "ended", "unknown"


@attrs.frozen(kw_only=True)
class Earlier:
    """A call that was made under the same key.

    ``outcome`` is how it ended, and ``None`` where nobody knows; ``told`` is what its caller was told.
    """

    begun_at: str
    outcome: dict[str, Any] | None
    told: dict[str, Any] | None


def scope_of(settings: Settings, user: str | None) -> str:
    """Name whose keys they are: a hash, because a token is in it."""
    named = (
        settings.auth_method,
        settings.base_url,
        settings.consumer_key,
        settings.access_token,
        settings.client_id,
        settings.credential,
        settings.account_id,
        user,
    )
    return hashlib.sha256("\n".join(map(str, named)).encode()).hexdigest()[:32]


def asked(method: str, arguments: Mapping[str, Any]) -> str:
    """A hash of what was asked for, by which the same call is known again."""
    written = json.dumps([method, arguments], sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:32]


class Keys:
    """The keys in one state folder, for all its sessions and processes."""

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock = clock
        self._store = store
        self._lock = threading.Lock()
        self._life = Lifeline(store.path.parent)

    def begin(self, scope: str, key: str, what: str) -> Earlier | None:
        """Write down that a call begins, durable on return, or tell of the one there was.

        Raises:
            InvalidOrder: The key was used for another call, or another process is at work on it;
                nothing was sent.
            ConfigurationError: It cannot be written down; nothing was sent.
        """
        now = self._clock.now()
        with self._refusing(), self._lock, self._store.transaction():
            old = (now - timedelta(days=KEPT_DAYS)).isoformat()
            self._store.write("DELETE FROM call WHERE begun_at < ?", (old,))
            rows = self._store.read(
                "SELECT asked, owner, begun_at, state, outcome FROM call WHERE scope = ? AND key = ?",
                (scope, key),
            )
            me = self._life.name()
            if not rows:
                self._store.write(
                    "INSERT INTO call VALUES (?, ?, ?, ?, ?, ?, NULL)",
                    (scope, key, what, me, now.isoformat(), _RUNNING),
                )
                return None
            before, owner, begun_at, state, outcome = rows[0]
            if before != what:
                raise InvalidOrder(f"the key {key} was used for another call; nothing was sent.")
            # What this process is at work on it knows better, so such a row lacks its end.
            if state == _RUNNING and owner != me and self._life.lives(owner):
                raise InvalidOrder(
                    f"another process, since {begun_at}, is at work on the key {key}; this call sent nothing.",
                    remedy="Wait for it, then ask again under the same key.",
                    repeatable=True,
                )
            if state != _ENDED:
                self._store.write(
                    "UPDATE call SET owner = ?, state = ? WHERE scope = ? AND key = ?",
                    (me, _RUNNING, scope, key),
                )
            told = None if outcome is None else json.loads(outcome)
            return Earlier(begun_at=begun_at, outcome=told if state == _ENDED else None, told=told)

    def end(self, scope: str, key: str, outcome: Mapping[str, Any]) -> None:
        """Keep how a call ended."""
        self._change(
            "UPDATE call SET state = ?, outcome = ? WHERE scope = ? AND key = ?",
            (_ENDED, frames.write(outcome).decode(), scope, key),
        )

    def leave(self, scope: str, key: str, told: Mapping[str, Any]) -> None:
        """Keep that a call has ended, that nobody knows how, and what its caller was told."""
        self._change(
            "UPDATE call SET state = ?, outcome = ? WHERE scope = ? AND key = ?",
            (_UNKNOWN, frames.write(told).decode(), scope, key),
        )

    def forget(self, scope: str, key: str) -> None:
        """Let a call that sent nothing be made again."""
        self._change("DELETE FROM call WHERE scope = ? AND key = ?", (scope, key))

    def close(self) -> None:
        """Let go: what has no end now, nobody knows the end of."""
        self._life.close()
        self._store.close()

    def _change(self, statement: str, params: tuple[Any, ...]) -> None:
        with self._refusing(), self._lock:
            self._store.write(statement, params)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (StateUnavailable, OSError) as failure:
            raise ConfigurationError(
                f"the keys of calls cannot be kept: {failure}; nothing was sent.",
                remedy="Make room on the disk or mend the state folder. cancelOrder goes out without it.",
            ) from failure
