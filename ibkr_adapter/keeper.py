"""One thread that keeps every connection of a process alive.

It tickles each session in its turn, once a minute; an error of one session is logged and changes
nothing for the others. The thread starts with the first session and ends with the last.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import IBKRError

log = logging.getLogger(__name__)


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
                due = [kept for kept, moment in self._due.items() if moment <= now]
                for kept in due:
                    self._due[kept] = now + self._every
                wait = min(self._due.values(), default=now + self._every) - now
                self._changed.clear()
            for kept in due:
                try:
                    kept.tickle()
                except IBKRError as failure:
                    log.warning("keeping a session alive failed: %s", failure)
            if not due:
                self._changed.wait(wait)
