"""Keep the processes that share a session out of each other's way, by locks on files in the state folder.

What :mod:`ibkr_adapter.dialogue` is for threads this is for processes: whoever places, modifies
or cancels holds the *floor* until IBKR has stopped asking, and every other call looks whether
it is free and is counted while it is under way. A lock dies with its process, so
nobody waits for a dead one. Waiting is looking again every few milliseconds, because the system's
own waiting knows neither our clock nor our deadlines.

Where the folder cannot be used, only the threads of each process keep out of each other's way,
and that is logged once. Where there are no shared locks (Windows) calls that place no
order do not look. Costs some 20 µs a call.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import BrokerageUnavailable
from ibkr_adapter.filelocks import SHARED, Complaint, FileLock

log = logging.getLogger(__name__)

# A call that has been under way for this long has certainly been written to its socket, so it
# arrives before the order that now wants the session; a long download shall not delay an exit.
SURELY_SENT = 0.25
# How often a lock that somebody else holds is looked at again, in seconds.
LOOK_EVERY = 0.025


class Neighbours:
    """The other processes at the session of one login; ``name`` is what they all call it."""

    def __init__(self, clock: Clock, folder: Path, name: str) -> None:
        self._clock = clock
        self._folder = folder
        self._floor = FileLock(folder / f"{name}.floor")
        self._glance = FileLock(folder / f"{name}.floor")
        self._counted = FileLock(folder / f"{name}.calls")
        self._others = FileLock(folder / f"{name}.calls")
        self._lock = threading.Lock()
        # Calls of this process under way; a forked child has none.
        self._under_way = 0
        self._process = os.getpid()
        self._complaint = Complaint(log, "orders of other processes on this session are not waited for")

    def take_floor(self, deadline: float) -> float:
        """Wait for the floor; return the moment from which nobody else begins a call.

        Raises:
            BrokerageUnavailable: Another process did not leave it before ``deadline``.
        """
        while not self._try(self._floor):
            self._nap(deadline)
        return self._clock.monotonic()

    def leave_floor(self) -> None:
        """Let the next one have it."""
        self._floor.let_go()

    def let_arrive(self, since: float) -> None:
        """Wait until the calls that had begun before the floor was taken have surely been sent."""
        while SHARED and not self._try(self._others):
            left = since + SURELY_SENT - self._clock.monotonic()
            if left <= 0:
                return
            self._clock.sleep(min(left, LOOK_EVERY))
        self._others.let_go()

    def wait(self, deadline: float) -> None:
        """Wait while another process has the floor.

        Raises:
            BrokerageUnavailable: It did not leave it before ``deadline``; nothing was sent.
        """
        while True:
            with self._lock:
                if self._free():
                    return
            self._nap(deadline)

    def enter(self) -> bool:
        """Begin a call now, unless another process has the floor; it must be given to :meth:`leave`."""
        with self._lock:
            if self._process != os.getpid():
                self._process, self._under_way = os.getpid(), 0
            # Counted first, then looked: who takes the floor in between sees the call.
            if SHARED and not self._try(self._counted, shared=True):
                return False
            if not self._free():
                if not self._under_way:
                    self._counted.let_go()
                return False
            self._under_way += 1
            return True

    def leave(self) -> None:
        """End a call that was begun."""
        with self._lock:
            self._under_way = max(0, self._under_way - 1)
            if not self._under_way:
                self._counted.let_go()

    def _free(self) -> bool:
        if not SHARED:
            return True
        try:
            return self._try(self._glance, shared=True)
        finally:
            self._glance.let_go()

    def _try(self, lock: FileLock, *, shared: bool = False) -> bool:
        try:
            return lock.take(shared=shared)
        except OSError as failure:
            self._complaint.tell(self._folder, failure)
            return True

    def _nap(self, deadline: float) -> None:
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise BrokerageUnavailable(
                "an order of another process is still in dialogue with IBKR on this session; this call was not"
                " sent.",
                remedy="Try again in a moment.",
            )
        self._clock.sleep(min(left, LOOK_EVERY))


class OneAtATime:
    """Has processes bring the brokerage session up one after the other, so that none takes it from another."""

    def __init__(self, clock: Clock, path: Path) -> None:
        self._clock = clock
        self._lock = FileLock(path)
        self._complaint = Complaint(log, "several processes may bring up the session at once")

    @contextmanager
    def hold(self, deadline: float) -> Iterator[None]:
        """Be the one; whoever waited finds done what the one before has done.

        Raises:
            BrokerageUnavailable: Another process was not through before ``deadline``.
        """
        while not self._take():
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise BrokerageUnavailable(
                    "another process is bringing up the brokerage session and was not through in time; nothing"
                    " was sent."
                )
            self._clock.sleep(min(left, LOOK_EVERY))
        try:
            yield
        finally:
            self._lock.let_go()

    def _take(self) -> bool:
        try:
            return self._lock.take()
        except OSError as failure:
            self._complaint.tell(self._lock.path, failure)
            return True
