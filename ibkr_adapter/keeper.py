"""One thread that keeps every connection of a process alive.

It tickles each session in its turn, once a minute; an error of one session is logged and changes
nothing for the others. Where nobody answered the last time, the session comes after all others and
seldom, so that any number of them keep no other one waiting for longer than one of them does. The thread
starts with the first session and ends with the last.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import IBKRError

log = logging.getLogger(__name__)

# A failure that took longer than this was silence, and is left alone for so many times as long.
SLOW = 1.0
PATIENCE = 10.0


class Kept(Protocol):
    """What can be kept alive."""

    def tickle(self) -> None:
        """Do it once."""


class Keeper:
    """Calls :meth:`Kept.tickle` of everything it was given, every ``every`` seconds."""

    def __init__(self, clock: Clock, *, every: float) -> None:
        self._clock = clock
        self._every = every
        self._lock = threading.Lock()
        self._due: dict[Kept, float] = {}
        self._silent: set[Kept] = set()
        self._thread: threading.Thread | None = None
        self._changed = clock.flag()

    def keep(self, kept: Kept) -> None:
        """Begin to keep something alive; a thread that has ended is started anew."""
        with self._lock:
            self._due.setdefault(kept, self._clock.monotonic() + self._every)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ibkr-keeper", daemon=True)
                self._clock.expect(self._thread)
                self._thread.start()

    def drop(self, kept: Kept) -> None:
        """Stop keeping something; the thread ends when nothing is left."""
        with self._lock:
            self._due.pop(kept, None)
            self._silent.discard(kept)
            thread = self._thread if not self._due else None
            if thread is not None:
                self._thread = None
        self._changed.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5.0)

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._thread is not threading.current_thread():
                    return
                now = self._clock.monotonic()
                kept = self._next(now)
                if kept is not None:
                    self._due[kept] = now + self._every
                wait = min(self._due.values(), default=now + self._every) - now
                self._changed.clear()
            if kept is None:
                self._changed.wait(wait)
            else:
                self._tickle(kept)

    def _next(self, now: float) -> Kept | None:
        """The one that is due for longest, those that answer before those that do not."""
        due = [kept for kept, moment in self._due.items() if moment <= now]
        return min(due, key=lambda kept: (kept in self._silent, self._due[kept]), default=None)

    def _tickle(self, kept: Kept) -> None:
        begun, failed = self._clock.monotonic(), False
        try:
            kept.tickle()
        except IBKRError as failure:
            failed = True
            log.warning("keeping a session alive failed: %s", failure)
        now = self._clock.monotonic()
        with self._lock:
            self._silent.discard(kept)
            if failed and now - begun > SLOW and kept in self._due:
                self._silent.add(kept)
                self._due[kept] = now + max(self._every, PATIENCE * (now - begun))
