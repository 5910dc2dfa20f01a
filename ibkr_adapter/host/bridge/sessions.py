"""One session of the bridge: an exchange object, its lines, its keys, and the fills it has seen.

It is made for a configuration and a user, without a request; the first call logs in. What it has
seen stands in a list with numbers, from which every client reads at its own pace and sees where
something is missing. Closing one lets go of the connection and logs nobody out.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import IBKRError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.settings import Settings

from .calls import Work
from .fills import LOOK_EVERY, Fills, Source
from .keys import Keys, scope_of
from .lines import Job, Lines

log = logging.getLogger(__name__)

# Events that a slow reader may still fetch; beyond them it is told that it missed some.
KEPT_EVENTS = 1000


class Session:
    """What the calls of one user with one configuration have in common."""

    def __init__(
        self,
        name: str,
        exchange: IBKRExchange,
        *,
        user: str | None,
        clock: Clock,
        keys: Keys,
        fills: Source,
        wake: Callable[[], None],
    ) -> None:
        self.name = name
        self.user = user
        self.exchange = exchange
        self.keys = keys
        self.scope = scope_of(exchange.settings, user)
        self.lines = Lines(clock, f"ibkr-bridge-{name[:8]}")
        # The changes that are at work or wait, by their keys; guarded by the dispatcher's lock.
        self.at_work: dict[str, Work] = {}
        self.used_at = clock.monotonic()
        self.look_at: float | None = None
        self.clock = clock
        self._fills = fills
        self._watch: Fills | None = None
        # Up when the call that looks for the first time has done so.
        self._first_look: Flag | None = None
        self._lock = threading.Lock()
        self._events: deque[tuple[int, Mapping[str, Any]]] = deque(maxlen=KEPT_EVENTS)
        self._count = 0
        self._wake = wake

    @property
    def settings(self) -> Settings:
        """The settings that it was opened with."""
        return self.exchange.settings

    @property
    def is_busy(self) -> bool:
        """Whether something runs or waits."""
        return any(self.lines.counts())

    # Fills --------------------------------------------------------------------------------

    def watch(self, after: str | None = None) -> dict[str, Any]:
        """Begin to look for fills; what is there already counts as known, or what came up to ``after``.

        Returns:
            The number after which its events begin, and the fills after ``after`` that come before all
            events: another watcher, who came first, knew them.

        Raises:
            IBKRError: They cannot be read, so nothing is watched.
        """
        while True:
            with self._lock:
                if self._watch is not None:
                    numbers = [number for number, event in self._events if event["fill"]["id"] == after]
                    # A fill that is not among the events came before all of them.
                    last = self._count if after is None else (numbers or [0])[0]
                    older = [] if after is None or numbers else self._watch.untold(after)
                    return {"watching": True, "last": last, "fills": [dict(fill) for fill in older]}
                last, other = self._count, self._first_look
                if other is None:
                    looked = self._first_look = self.clock.flag()
            if other is None:
                self._begin_to_watch(after, looked)
                return {"watching": True, "last": last, "fills": []}
            # Two that look for the first time would both tell what is new.
            other.wait()

    def _begin_to_watch(self, after: str | None, looked: Flag) -> None:
        try:
            watch = self._fills(self.exchange, self._note, after)
            watch.look()
            with self._lock:
                self._watch = watch
                self.look_at = self.clock.monotonic() + LOOK_EVERY
        finally:
            with self._lock:
                self._first_look = None
            looked.set()

    def unwatch(self) -> None:
        """Look no more."""
        with self._lock:
            watch, self._watch, self.look_at = self._watch, None, None
        if watch is not None:
            watch.stop()

    def look_due(self, now: float) -> None:
        """Look, where it is time, on a thread of this session's."""
        with self._lock:
            watch = self._watch
            if watch is None or self.look_at is None or now < self.look_at:
                return
            self.look_at = None

        def work() -> None:
            try:
                watch.look()
            except IBKRError as failure:
                log.warning("the fills could not be read, they are looked at again: %s", failure)
            finally:
                with self._lock:
                    if self._watch is watch:
                        self.look_at = self.clock.monotonic() + LOOK_EVERY
                self._wake()

        self.lines.submit(Job(work=work))

    def events(self, after: int) -> dict[str, Any] | None:
        """The events after a number, or ``None`` if there are none yet."""
        with self._lock:
            found = [{"number": number, **event} for number, event in self._events if number > after]
            first = self._count - len(self._events) + 1
            if not found:
                return None
            return {"events": found, "last": self._count, "missed": max(0, first - after - 1)}

    def last_event(self) -> int:
        """The number of the latest event, 0 before the first."""
        with self._lock:
            return self._count

    def _note(self, fill: Mapping[str, Any]) -> None:
        with self._lock:
            self._count += 1
            self._events.append((self._count, {"fill": dict(fill)}))
        self._wake()

    # Life ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the connection; the user stays logged in."""
        self.unwatch()
        self.exchange.close()

    def health(self, now: float) -> dict[str, Any]:
        """What is told of it."""
        running, waiting = self.lines.counts()
        return {
            "session": self.name,
            "user": self.user,
            "running": running,
            "waiting": waiting,
            "idleSeconds": round(now - self.used_at, 3),
            "watching": self._watch is not None,
        }
