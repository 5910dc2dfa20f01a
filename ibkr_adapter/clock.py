"""Tell the time and wait, in one place, so that a test can own both.

Everything that sleeps, times out or asks for the date does it through a :class:`Clock`. The
:class:`SystemClock` is the machine's; the :class:`ManualClock` moves only when a test says so,
or, with ``jump=True``, whenever every thread that it knows is asleep.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

# How long a manual clock waits, in real seconds, for a running thread to go to sleep.
STALLED_AFTER = 10.0


class Flag(Protocol):
    """An event that a thread may wait for on the clock that made it."""

    def set(self) -> None:
        """Raise the flag and wake who waits for it."""

    def clear(self) -> None:
        """Lower the flag."""

    def is_set(self) -> bool:
        """Tell whether the flag is up."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the flag is up, at most ``timeout`` seconds; tell whether it is."""


class Clock(Protocol):
    """The two readings and the two ways of waiting that the library uses."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""

    def now(self) -> datetime:
        """The wall time, aware and in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait; nothing or a negative figure returns at once."""

    def flag(self) -> Flag:
        """Make a flag that belongs to this clock."""

    def expect(self, thread: threading.Thread) -> None:
        """Announce a thread before it is started, so that its first sleep is not missed."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Read :func:`time.monotonic`."""
        return time.monotonic()

    def now(self) -> datetime:
        """Read the machine's wall clock in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        if seconds > 0:
            time.sleep(seconds)

    def flag(self) -> Flag:
        """Return a plain event."""
        return threading.Event()

    def expect(self, thread: threading.Thread) -> None:
        """Do nothing: real time passes for every thread."""


class Redated:
    """A clock that runs like another one and tells another date, such as that of a simulated market."""

    def __init__(self, clock: Clock, now: Callable[[], datetime]) -> None:
        self._clock = clock
        self._now = now
        self.monotonic = clock.monotonic
        self.sleep = clock.sleep
        self.flag = clock.flag
        self.expect = clock.expect

    def now(self) -> datetime:
        """The other date, in UTC."""
        return self._now().astimezone(UTC)


class _Sleeper:
    def __init__(self, due: float | None, flag: _ManualFlag | None) -> None:
        self.due = due
        self.flag = flag
        self.woken = False


class _ManualFlag:
    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._up = False

    def set(self) -> None:
        with self._clock.condition:
            self._up = True
            self._clock.wake_waiters(self)

    def clear(self) -> None:
        with self._clock.condition:
            self._up = False

    def is_set(self) -> bool:
        return self._up

    def wait(self, timeout: float | None = None) -> bool:
        with self._clock.condition:
            # Like any other flag it only looks, where there is nothing to wait for.
            if not self._up and (timeout is None or timeout > 0):
                self._clock.rest(timeout, self)
            return self._up


class ManualClock:
    """A clock that a test moves.

    Every thread it knows is either asleep, with a due moment, or running. :meth:`advance` goes
    from due moment to due moment, wakes that moment's sleepers in the order in which they lay
    down, and goes on when all of them sleep again. With ``jump`` nobody advances: as soon as
    every known thread sleeps, the clock goes to the earliest due moment by itself.
    """

    def __init__(self, start: datetime, *, jump: bool = False) -> None:
        self.condition = threading.Condition()
        self._start = start
        self._elapsed = 0.0
        self._jump = jump
        self._closed = False
        # Whoever made the clock or has waited on it counts as running until it sleeps.
        self._known: set[threading.Thread] = {threading.current_thread()}
        self._asleep: dict[threading.Thread, _Sleeper] = {}

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        with self.condition:
            return self._elapsed

    def now(self) -> datetime:
        """The start plus what has passed."""
        with self.condition:
            return self._start + timedelta(seconds=self._elapsed)

    def sleep(self, seconds: float) -> None:
        """Sleep until the clock has been moved past ``seconds``."""
        if seconds <= 0:
            return
        with self.condition:
            self.rest(seconds, None)

    def flag(self) -> Flag:
        """Return a flag whose waiters count as asleep."""
        return _ManualFlag(self)

    def expect(self, thread: threading.Thread) -> None:
        """Count ``thread`` as running from now on, although it has not started yet."""
        with self.condition:
            self._known.add(thread)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Count the calling thread as asleep while it waits for something else, such as a join."""
        me = threading.current_thread()
        with self.condition:
            self._asleep[me] = _Sleeper(None, None)
            self.condition.notify_all()
        try:
            yield
        finally:
            with self.condition:
                self._asleep.pop(me, None)

    def close(self) -> None:
        """Wake everybody for good; later sleeps return almost at once, and their time has passed.

        So what waits in rounds until a deadline comes to its end, on whatever thread it was left.
        """
        with self.condition:
            self._closed = True
            for thread in list(self._asleep):
                self._wake(thread)

    def advance(self, seconds: float) -> None:
        """Move the clock by ``seconds``, stopping at every moment somebody waits for.

        Raises:
            RuntimeError: A thread neither slept nor ended; its name is in the message.
        """
        with self.condition:
            target = self._elapsed + seconds
            while True:
                self._wait_until_quiet()
                due = self._next_due()
                if due is None or due > target:
                    break
                self._go_to(due)
            self._elapsed = max(self._elapsed, target)

    # Below here the condition is held by the caller.

    def rest(self, seconds: float | None, flag: _ManualFlag | None) -> None:
        """Lay the calling thread down until ``flag`` is up or ``seconds`` have passed."""
        me = threading.current_thread()
        sleeper = _Sleeper(None if seconds is None else self._elapsed + max(0.0, seconds), flag)
        self._known.add(me)
        if self._closed:
            # Whoever was left behind looks round in peace, and takes no processor from the others.
            self.condition.wait(0.02)
            self._elapsed += max(0.0, seconds or 0.0)
            return
        self._asleep[me] = sleeper
        self.condition.notify_all()
        waited = 0.0
        while not sleeper.woken:
            if self._jump:
                self._jump_if_quiet()
                if sleeper.woken:
                    break
            # A thread that ends tells nobody, so the sleepers look again now and then.
            self.condition.wait(0.02)
            waited += 0.02
        self._asleep.pop(me, None)

    def wake_waiters(self, flag: _ManualFlag) -> None:
        """Wake the threads that wait for ``flag``."""
        for thread, sleeper in list(self._asleep.items()):
            if sleeper.flag is flag:
                self._wake(thread)

    def _wake(self, thread: threading.Thread) -> None:
        sleeper = self._asleep.pop(thread)
        sleeper.woken = True
        self.condition.notify_all()

    def _next_due(self) -> float | None:
        dues = [sleeper.due for sleeper in self._asleep.values() if sleeper.due is not None]
        return min(dues, default=None)

    def _go_to(self, due: float) -> None:
        self._elapsed = max(self._elapsed, due)
        for thread, sleeper in list(self._asleep.items()):
            if sleeper.due is not None and sleeper.due <= self._elapsed:
                self._wake(thread)

    def _running(self) -> list[threading.Thread]:
        me = threading.current_thread()
        running = []
        for thread in list(self._known):
            if thread in self._asleep or thread is me:
                continue
            # A thread that was announced but not started yet is alive for our purpose, and so is one that is
            # being started, which has a number before it counts itself among the living.
            if thread.ident is not None and thread not in threading.enumerate():
                self._known.discard(thread)
                continue
            running.append(thread)
        return running

    def _wait_until_quiet(self) -> None:
        waited = 0.0
        while running := self._running():
            if waited >= STALLED_AFTER:
                names = ", ".join(thread.name for thread in running)
                raise RuntimeError(f"the clock cannot move: {names} neither sleeps nor ends")
            self.condition.wait(0.02)
            waited += 0.02

    def _jump_if_quiet(self) -> None:
        if self._running():
            return
        due = self._next_due()
        if due is not None:
            self._go_to(due)
