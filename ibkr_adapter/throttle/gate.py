"""Make threads wait for their slot, in order, and tell those at once who would wait in vain.

Nobody books into the future: a waiting thread stands in line, and its departure is written down
with the moment at which it wakes and leaves, so waking late never breaks a window. Whenever the
line or the limits change, whoever may now leave sooner, or can no longer leave in time, is
woken to decide again. Decisions are made under the lock, waits happen outside it.
"""

from __future__ import annotations

import math
import threading
from bisect import insort
from datetime import timedelta
from types import TracebackType
from typing import Self

from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import Throttled
from ibkr_adapter.throttle.book import Book, OwnBook
from ibkr_adapter.throttle.pace import Pace, Pacing, Wish
from ibkr_adapter.wire.endpoints import TICKLE, Endpoint

# The shortest and the longest single nap in seconds: a difference lost in rounding must still
# move a manual clock, and the machine's own waits refuse very large figures.
_SHORTEST = 1e-6
_LONGEST = 3600.0
# How late a departure may be counted for its arrival: what a busy machine takes to carry it over.
_ARRIVES_WITHIN = 0.045
# The part of the margin that a late arrival may use up; the rest is for a meter that is not exact.
_COVERED = 2 / 3


class _Waiter:
    """A thread that stands in line; ``rank`` is its precedence, the lowest first."""

    __slots__ = ("flag", "left_at", "rank", "wakes_at", "wish")

    def __init__(self, wish: Wish, rank: tuple[bool, int], flag: Flag) -> None:
        self.wish = wish
        self.rank = rank
        self.flag = flag
        self.wakes_at = -math.inf
        self.left_at = -math.inf


def _rank(waiter: _Waiter) -> tuple[bool, int]:
    return waiter.rank


class Slot:
    """Leave to make one call: entering waits for it, leaving says that the call is over."""

    __slots__ = ("_booked", "_deadline", "_endpoint", "_throttle", "_urgent")

    def __init__(self, throttle: Throttle, endpoint: Endpoint, deadline: float, *, urgent: bool) -> None:
        self._throttle = throttle
        self._endpoint = endpoint
        self._deadline = deadline
        self._urgent = urgent
        self._booked = 0.0

    def __enter__(self) -> Self:
        """Wait for the slot as :meth:`Throttle.acquire` does."""
        self._booked = self._throttle.acquire(self._endpoint, deadline=self._deadline, urgent=self._urgent)
        return self

    def put_off(self) -> None:
        """Say that the call leaves only now, because its line had to be opened first."""
        self._booked = self._throttle.put_off(self._endpoint, self._booked)

    def renew(self, within: float) -> bool:
        """Take the slot anew for a call that could not leave at once, and wait ``within`` seconds for it at most.

        What was booked is given back first, so the call is not in its own way. The answer is whether it
        may leave now.
        """
        booked = self._throttle.renew(self._endpoint, self._booked, self._deadline, within)
        self._booked = self._booked if booked is None else booked
        return booked is not None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the place back, whatever became of the call."""
        self._throttle.over(self._endpoint, self._booked)


class Throttle:
    """The one gate through which every call of a login leaves; for any number of threads.

    ``book`` is where it is written what left when, if others share it, at the same ``margin``; without
    one the throttle keeps its own.
    """

    def __init__(
        self, clock: Clock, *, per_second: float = 10, margin: float = 0.015, book: Book | None = None
    ) -> None:
        self._clock = clock
        self._covered = margin * _COVERED
        self._book = book or OwnBook(Pace(per_second=per_second, margin=margin))
        self._lock = threading.Lock()
        self._line: list[_Waiter] = []
        self._joined = 0

    def slot(self, endpoint: Endpoint, *, deadline: float, urgent: bool = False) -> Slot:
        """Return a context manager that acquires on entering and releases on leaving."""
        return Slot(self, endpoint, deadline, urgent=urgent)

    def acquire(self, endpoint: Endpoint, *, deadline: float, urgent: bool = False) -> float:
        """Wait until the call may leave, book it as leaving now, and return that moment.

        Where the endpoint limits how many calls may be under way, every success must be followed
        by :meth:`release`; :meth:`slot` sees to that.

        Args:
            endpoint: What is to be called.
            deadline: The last moment on the clock at which leaving still makes sense.
            urgent: Overtake those in line that are not.

        Raises:
            Throttled: The slot cannot come before the deadline; nothing was booked. It is raised
                as soon as that is known, so a call that would wait for minutes fails at once.
        """
        with self._lock:
            if not self._line:
                with self._book.opened() as pace:
                    now = self._clock.monotonic()
                    if now <= deadline and pace.opens(endpoint, now, urgent=urgent) <= now:
                        pace.book(endpoint, now)
                        return now
            self._joined += 1
            wish = Wish(endpoint, deadline, urgent)
            waiter = _Waiter(wish, (not urgent, self._joined), self._clock.flag())
            insort(self._line, waiter, key=_rank)
        try:
            while (pause := self._decide(waiter)) > 0:
                waiter.flag.wait(pause)
        except BaseException:
            # An interrupt that hits the waiting thread must not leave a ghost in the line.
            with self._lock, self._book.opened() as pace:
                if waiter in self._line:
                    self._line.remove(waiter)
                else:
                    # It had just been let go, and nobody is left who would release it.
                    pace.finish(endpoint)
                self._foretell(pace, self._clock.monotonic())
            raise
        return waiter.left_at

    def put_off(self, endpoint: Endpoint, booked: float) -> float:
        """Move a departure from the moment it was booked for to now, and return that.

        A meter at the other end counts arrivals. Opening a line takes some milliseconds on
        loopback and a good part of a second across an ocean; counted from the earlier moment,
        the calls behind it would arrive too soon after it.
        """
        with self._lock, self._book.opened() as pace:
            now = self._clock.monotonic()
            self._move(pace, endpoint, booked, now, now)
            return now

    def renew(self, endpoint: Endpoint, booked: float, deadline: float, within: float) -> float | None:
        """Take a departure out of the book and acquire another one; ``None`` where that takes too long.

        For endpoints without a limit on calls under way: such a call would wait for its own end.
        """
        with self._lock, self._book.opened() as pace:
            now = self._clock.monotonic()
            pace.give_back(endpoint, booked)
        try:
            # It tells the line as well, whether it gets the slot or not.
            return self.acquire(endpoint, deadline=min(deadline, now + within), urgent=True)
        except Throttled:
            return None

    def release(self, endpoint: Endpoint) -> None:
        """Say that the call is over; endpoints without a limit on those under way take no notice."""
        if endpoint.concurrent is None:
            return
        with self._lock, self._book.opened() as pace:
            pace.finish(endpoint)
            self._foretell(pace, self._clock.monotonic())

    def over(self, endpoint: Endpoint, booked: float) -> None:
        """Say that the call is over which was booked for that moment.

        It arrived somewhere between then and now; on a busy machine the later moment is the safer
        one to count from, within bounds that cost next to no rate. What the margin covers
        anyway is not counted, so an answer that comes at once costs nothing.
        """
        arrived = min(self._clock.monotonic(), booked + _ARRIVES_WITHIN) - self._covered
        if endpoint.concurrent is None and arrived <= booked:
            return
        with self._lock, self._book.opened() as pace:
            now = self._clock.monotonic()
            if endpoint.concurrent is not None:
                pace.finish(endpoint)
                self._foretell(pace, now)
            self._move(pace, endpoint, booked, arrived, now)

    def close(self) -> None:
        """Close the book's file, if it has one; a later call opens it again."""
        with self._lock:
            self._book.close()

    def refused(self, endpoint: Endpoint, *, retry_after: float | None = None) -> float:
        """Say that IBKR answered 429, and be told for how many seconds the endpoint rests now.

        Who can no longer leave in time is told at once.

        The path closes for a minute, or for the ``retry_after`` seconds that the answer asks if
        those are more, and the global rate halves and recovers over an hour. A second refusal
        within five minutes stops everything for a quarter of an hour, but one tickle a
        minute. A refusal of an endpoint with a limit on calls under way closes that one only, for a
        quarter of an hour where it comes again soon after it has opened.
        """
        with self._lock, self._book.opened() as pace:
            now = self._clock.monotonic()
            pace.refuse(endpoint, now, retry_after)
            self._foretell(pace, now)
            return max(pace.boxed_for(now), pace.closed_for(endpoint, now))

    def state(self) -> Pacing:
        """Tell the rate, what is closed, the penalty box and the line, for people to read."""
        with self._lock, self._book.opened() as pace:
            now = self._clock.monotonic()
            return Pacing(
                rate=pace.rate(now),
                closed={endpoint.name: left for endpoint, left in pace.closed(now).items()},
                boxed_for=pace.boxed_for(now),
                waiting=len(self._line),
            )

    def _decide(self, waiter: _Waiter) -> float:
        """Let the waiter leave (the answer is 0), send it off, or say how long to nap."""
        wish = waiter.wish
        with self._lock, self._book.opened() as pace:
            now = self._clock.monotonic()
            moment = self._foretell(pace, now)[self._line.index(waiter)]
            waiter.flag.clear()
            if moment <= min(now, wish.deadline):
                pace.book(wish.endpoint, now)
                waiter.left_at = now
                self._line.remove(waiter)
                if wish.urgent:
                    self._book.claim(pace, None)
                return 0.0
            if now >= wish.deadline or wish.deadline < moment < math.inf:
                raise self._refusal(pace, wish, moment, now)
            waiter.wakes_at = min(moment, wish.deadline)
            if wish.urgent and pace.opens_alone(wish.endpoint) <= now and moment < math.inf:
                # It waits for the slots of all endpoints, and shall have the next one.
                self._book.claim(pace, moment)
            longest = self._book.look_again if moment == math.inf else _LONGEST
            return min(max(waiter.wakes_at - now, _SHORTEST), longest, _LONGEST)

    def _move(self, pace: Pace, endpoint: Endpoint, booked: float, moment: float, now: float) -> None:
        if moment > booked:
            pace.put_off(endpoint, booked, moment)
            self._foretell(pace, now)

    def _foretell(self, pace: Pace, now: float) -> list[float]:
        """Plan the whole line anew and wake those whose nap has become wrong."""
        if not self._line:
            return []
        moments = pace.plan(now, [waiter.wish for waiter in self._line])
        for waiter, moment in zip(self._line, moments, strict=True):
            in_vain = waiter.wish.deadline < moment < math.inf
            if in_vain or moment < waiter.wakes_at:
                waiter.wakes_at = -math.inf
                waiter.flag.set()
        return moments

    def _refusal(self, pace: Pace, wish: Wish, moment: float, now: float) -> Throttled:
        endpoint = wish.endpoint
        # Nobody knows when a call that is under way will end.
        wait = 0.0 if moment == math.inf else max(0.0, moment - now)
        boxed, closed = pace.boxed_for(now), pace.closed_for(endpoint, now)
        if boxed and endpoint is not TICKLE:
            cause = (
                "IBKR refused two calls within five minutes (429), so everything stops for "
                f"{boxed:.0f} s more, lest it lock this address out"
            )
        elif closed:
            cause = f"IBKR refused {endpoint.name} (429), so it stays closed for {closed:.0f} s more"
        elif moment == math.inf:
            cause = f"{endpoint.concurrent} calls of {endpoint.name} are under way and none ended in time"
        elif now > wish.deadline and not wait:
            cause = f"The time that {endpoint.name} may take was over before it could leave"
        else:
            left = max(0.0, wish.deadline - now)
            cause = (
                f"IBKR's pacing limits have no slot for {endpoint.name} within the {left:.1f} s it may take"
            )
        remedy = "Try again when fewer calls are made."
        if wait:
            opens = self._clock.now() + timedelta(seconds=wait)
            remedy = f"Try again in {math.ceil(wait)} s, at {opens:%H:%M:%S}Z."
        return Throttled(
            f"{cause}; nothing was sent.",
            retry_at=wait,
            endpoint=endpoint.name,
            remedy=remedy,
            repeatable=False,
        )
