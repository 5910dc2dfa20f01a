"""Keep the book of departures: in memory, or in a file that all processes of a machine share.

Opening the shared book makes what is read, decided and written in it one step for everybody; the
waiting is done outside, by :mod:`.gate`. A login's budget is one set of rows, the penalty box of an
address another: it is shared by all logins to the same host.

Departures are moments of the machine's monotonic clock, which is one for all processes; those
that lie ahead are from before a restart of the machine and are dropped. What must outlive one,
closed paths and the box, is written in wall time; where that was set back they end no later than
they could if they had begun just now. Of calls under way each process has its own
count, under a name that dies with it (:mod:`ibkr_adapter.lifeline`), so that nobody waits for
a call of a dead one.

Where the file cannot be used, pacing goes on in memory, says so once, and tries again each
minute.
"""

from __future__ import annotations

import logging
import math
import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.lifeline import Lifeline
from ibkr_adapter.state import StateUnavailable, Store
from ibkr_adapter.throttle.pace import BOX, LONGEST_CLOSED, PROBE_EVERY, Pace
from ibkr_adapter.wire.endpoints import Endpoint, find

log = logging.getLogger(__name__)

SCHEMA_STEPS = (
    (
        "CREATE TABLE rule (whose TEXT, name TEXT, marks BLOB, PRIMARY KEY (whose, name)) WITHOUT ROWID",
        """
        CREATE TABLE under_way (
            whose TEXT, name TEXT, process TEXT, calls INTEGER, PRIMARY KEY (whose, name, process)
        ) WITHOUT ROWID
        """,
    ),
)
# Who shares the book may be allowed a higher rate than we are.
_KEPT = 64
_RETRY = 60.0
# A claim ends by itself so long after the moment foretold for it, should its owner have died.
_CLAIMED_FOR = 0.05
_LONGEST_CLAIM = 5.0
# Nobody books into the future: a moment that lies further ahead is from before a restart.
_AHEAD = 1.0
# What a moment can move by between the two clocks.
_ROUNDING = 1.0
_ALL, _BOX = "all", "box"

# What is written of one rule: moments and figures.
Marks = tuple[float, ...]
_NO_CLAIM: Marks = (-math.inf, 0.0)


class Book(Protocol):
    """Where the pace of one login is written."""

    look_again: float
    """How long to nap at most for what no thread of ours will tell, in seconds."""

    def opened(self) -> AbstractContextManager[Pace]:
        """Lend the pace as it is now; what is written in it holds for all from the end of the block."""

    def claim(self, pace: Pace, until: float | None) -> None:
        """Have the next slot left to an urgent call of ours; ``None`` gives it up."""

    def close(self) -> None:
        """Close what is open; a later use opens it again."""


class OwnBook:
    """The book of one throttle alone."""

    look_again = math.inf

    def __init__(self, pace: Pace) -> None:
        self._opened = nullcontext(pace)

    def opened(self) -> AbstractContextManager[Pace]:
        """Lend it."""
        return self._opened

    def claim(self, pace: Pace, until: float | None) -> None:
        """Do nothing: nobody else takes slots."""

    def close(self) -> None:
        """Hold nothing."""


class SharedBook:
    """The book of one login, shared through a file.

    Args:
        clock: The machine's, or one that all who share the file have in common.
        store: Opens the file; its steps are :data:`SCHEMA_STEPS`.
        login: Whose budget it is.
        host: Whose penalty box it is.
        per_second: The rate of all endpoints together.
        margin: How much longer each second is taken.
    """

    # A call of another process ends without telling us.
    look_again = 0.1

    def __init__(
        self,
        clock: Clock,
        *,
        store: Callable[[], Store],
        login: str,
        host: str,
        per_second: float,
        margin: float,
    ) -> None:
        self._clock = clock
        self._open_store = store
        self._store: Store | None = None
        self._life: Lifeline | None = None
        self._login = login
        self._host = host
        self._pace = Pace(per_second=per_second, margin=margin, kept=_KEPT)
        # Tells our claims from those of others.
        self._number = float(int.from_bytes(os.urandom(6)))
        self._claim: Marks = _NO_CLAIM
        # Calls under way: ours by process, since a forked child has none, and the others'.
        self._mine: dict[tuple[int, str], int] = {}
        self._others: dict[str, int] = {}
        self._alone = False
        self._retry_at = -math.inf

    @contextmanager
    def opened(self) -> Iterator[Pace]:
        """Lend the pace as the file has it; others wait meanwhile."""
        if self._clock.monotonic() >= self._retry_at:
            lent = False
            try:
                store = self._file()
                with store.transaction():
                    before = self._read(store)
                    lent = True
                    yield self._pace
                    self._write(store, before)
                if self._alone:
                    log.warning("the pace is shared with other processes again")
                self._alone = False
            except StateUnavailable as reason:
                self._go_on_alone(reason)
            if lent or not self._alone:
                return
        yield self._pace
        self._note_mine()

    def claim(self, pace: Pace, until: float | None) -> None:
        """Write the claim beside the departures; one of another process gives way to it."""
        if until is not None:
            self._claim, pace.yields_until = (until + _CLAIMED_FOR, self._number), -math.inf
        elif self._claim[1] == self._number:
            self._claim = _NO_CLAIM

    def close(self) -> None:
        """Close the file for this process."""
        if self._store is not None:
            self._store.close()
        if self._life is not None:
            self._life.close()

    def _file(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _go_on_alone(self, reason: StateUnavailable) -> None:
        self._retry_at = self._clock.monotonic() + _RETRY
        self._others.clear()
        self._count()
        if not self._alone:
            self._alone = True
            log.warning(
                "IBKR's pacing limits are kept by this process for itself; several on one login may exceed them"
                " together, until this is mended: %s",
                reason,
            )

    # What is read --------------------------------------------------------------------------

    def _read(self, store: Store) -> dict[str, Marks]:
        """Take over what the file has; return that, as it would be written again."""
        now, pace = self._clock.monotonic(), self._pace
        ours = pace.copy() if self._alone else None
        found: dict[str, Marks] = {
            name: tuple(array("d", marks))
            for name, marks in store.read(
                "SELECT name, marks FROM rule WHERE whose IN (?, ?)", (self._login, self._host)
            )
        }
        # Moments that lie further ahead than they can: the machine's time was set back since.
        set_back: set[str] = set()

        def moment(name: str, dated: float, longest: float) -> float:
            told = self._moment(dated, now)
            if told > now + longest + _ROUNDING:
                set_back.add(name)
            return min(told, now + longest)

        for name, marks in found.items():
            if name == _BOX:
                pace.boxed_until = moment(name, marks[0], BOX)
                pace.probe_at = moment(name, marks[1], PROBE_EVERY)
            elif name == _ALL:
                refused, pace.rate_then, *claim = marks[:4]
                pace.refused_at = None if math.isnan(refused) else moment(name, refused, 0.0)
                self._claim = tuple(claim)
                pace.departures = _departures(marks[4:], now, pace.departures)
            else:
                path = pace.path(_endpoint(name))
                path.closed_until = moment(name, marks[0], LONGEST_CLOSED)
                path.departures = _departures(marks[1:], now, path.departures)
        theirs = self._claim[1] != self._number and self._claim[0] < now + _LONGEST_CLAIM
        pace.yields_until = self._claim[0] if theirs else -math.inf
        self._read_under_way(store)
        # What was set right here is written again, or it would lie ahead until the time has caught up.
        right = found.keys() - set_back
        before = {name: marks for name, marks in self._rows().items() if name in right}
        if ours is not None:
            pace.join(ours)
        return before

    def _read_under_way(self, store: Store) -> None:
        rows = store.read("SELECT name, process, calls FROM under_way WHERE whose = ?", (self._login,))
        self._others.clear()
        if rows:
            me, life = self._name(store), self._lifeline(store)
            for name, process, calls in rows:
                if process == me:
                    continue
                if life.lives(process):
                    self._others[name] = self._others.get(name, 0) + calls
                else:
                    store.write("DELETE FROM under_way WHERE process = ?", (process,))
        self._count()

    def _count(self) -> None:
        process = os.getpid()
        for endpoint, path in self._pace.paths.items():
            if endpoint.concurrent is not None:
                mine = self._mine.get((process, endpoint.name), 0)
                path.under_way = mine + self._others.get(endpoint.name, 0)

    # What is written -----------------------------------------------------------------------

    def _write(self, store: Store, before: dict[str, Marks]) -> None:
        now = self._clock.monotonic()
        for name, marks in self._rows().items():
            if marks == before.get(name):
                continue
            dated = 2 if name == _BOX else 1
            written = array("d", (*(self._dated(moment, now) for moment in marks[:dated]), *marks[dated:]))
            store.write(
                "INSERT OR REPLACE INTO rule (whose, name, marks) VALUES (?, ?, ?)",
                (self._host if name == _BOX else self._login, name, written.tobytes()),
            )
        for name, calls in self._note_mine().items():
            me = self._name(store)
            if calls:
                store.write(
                    "INSERT OR REPLACE INTO under_way (whose, name, process, calls) VALUES (?, ?, ?, ?)",
                    (self._login, name, me, calls),
                )
            else:
                store.write(
                    "DELETE FROM under_way WHERE whose = ? AND name = ? AND process = ?",
                    (self._login, name, me),
                )

    def _note_mine(self) -> dict[str, int]:
        """Count our own calls under way; return the figures that the file lacks."""
        process, changed = os.getpid(), {}
        for endpoint, path in self._pace.paths.items():
            if endpoint.concurrent is None:
                continue
            mine = path.under_way - self._others.get(endpoint.name, 0)
            if self._alone or mine != self._mine.get((process, endpoint.name), 0):
                self._mine[process, endpoint.name] = changed[endpoint.name] = mine
        return changed

    def _rows(self) -> dict[str, Marks]:
        pace = self._pace
        refused = math.nan if pace.refused_at is None else pace.refused_at
        rows: dict[str, Marks] = {
            _ALL: (refused, pace.rate_then, *self._claim, *pace.departures),
            _BOX: (pace.boxed_until, pace.probe_at),
        }
        for endpoint, path in pace.paths.items():
            rows[endpoint.name] = (path.closed_until, *path.departures)
        return rows

    def _dated(self, moment: float, now: float) -> float:
        return self._clock.now().timestamp() + (moment - now) if math.isfinite(moment) else moment

    def _moment(self, dated: float, now: float) -> float:
        return now + (dated - self._clock.now().timestamp()) if math.isfinite(dated) else dated

    def _lifeline(self, store: Store) -> Lifeline:
        if self._life is None:
            self._life = Lifeline(store.path.parent)
        return self._life

    def _name(self, store: Store) -> str:
        try:
            return self._lifeline(store).name()
        except OSError as failure:
            raise StateUnavailable(store.path, failure.strerror or str(failure)) from failure


def _departures(written: Marks, now: float, instead_of: deque[float]) -> deque[float]:
    """Take over what was written since the machine was started."""
    return deque((moment for moment in written if moment <= now + _AHEAD), maxlen=instead_of.maxlen)


def _endpoint(name: str) -> Endpoint:
    method, _, template = name.partition(" ")
    return find(method, template)
