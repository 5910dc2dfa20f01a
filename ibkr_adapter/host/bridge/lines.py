"""Run the calls of one session beside each other, and in order where order matters.

A session has threads of its own, made when there is work and gone when there is none, so that a
login that takes long holds up nobody but its own session. Reads and changes have separate
bounds: however many reads wait, an order or a cancel finds a thread. Changes of one line go one
after the other, in the order in which they came.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import attrs

from ibkr_adapter.clock import Clock

# Beyond these a session's calls wait for each other; IBKR's pacing is far below.
READERS, CHANGERS = 8, 16


@attrs.define(kw_only=True, eq=False)
class Job:
    """One thing to do; ``line`` names the line that it stands in, if it must stand in one.

    ``tell`` says what came of it, when it has left the line: whoever hears of it may ask for the next thing at
    once, and must not be told that this one is still at work.
    """

    work: Callable[[], None]
    tell: Callable[[], None] | None = None
    changes: bool = False
    line: str | None = None


class Lines:
    """The threads and lines of one session."""

    def __init__(self, clock: Clock, name: str) -> None:
        self._clock = clock
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []

    def submit(self, job: Job) -> None:
        """Have a job done as soon as there is a thread and its line is free."""
        with self._lock:
            self._waiting.append(job)
            self._hire()

    def counts(self) -> tuple[int, int]:
        """How many jobs run and how many wait."""
        with self._lock:
            return len(self._running), len(self._waiting)

    def _hire(self) -> None:
        """Start every job that may; called with the lock."""
        for job in list(self._waiting):
            if self._may_run(job):
                self._waiting.remove(job)
                self._running.append(job)
                thread = threading.Thread(target=self._do, args=(job,), name=self._name, daemon=True)
                self._clock.expect(thread)
                thread.start()

    def _may_run(self, job: Job) -> bool:
        beside = [other for other in self._running if other.changes is job.changes]
        if len(beside) >= (CHANGERS if job.changes else READERS):
            return False
        return job.line is None or all(job.line != other.line for other in beside)

    def _do(self, job: Job) -> None:
        try:
            job.work()
        finally:
            with self._lock:
                self._running.remove(job)
                self._hire()
            if job.tell is not None:
                job.tell()
