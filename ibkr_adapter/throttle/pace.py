"""Reckon when a call may leave: rolling windows, closed paths, the penalty box.

Pure arithmetic: the time is an argument, on one clock that never goes back; whoever calls keeps
the lock and does the waiting (:mod:`ibkr_adapter.throttle.gate`). That also lets several
processes keep one book: :mod:`ibkr_adapter.throttle.book` carries it between them.

A window holds its last departures themselves. A token bucket would earn credit in quiet times
and then overrun IBKR's rolling span.

The margin: a meter at the other end sees a call some milliseconds after it left, one more, the
next less, and a thread wakes late by as much. So every window is longer than IBKR's by
``margin`` for each of its seconds, for five of them at most because the jitter of the way does
not grow with the window. With 15 ms a call leaves at most 1.5 % later than allowed, and
with 10 ms no breach was left in trials over loopback; a longer way needs more.

What a 429 means is not documented beyond "an address that goes on may be put in a penalty box
for ten minutes", so the answer to it here is longer than that.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

import attrs

from ibkr_adapter.wire.endpoints import TICKLE, Endpoint

CLOSED_FOR = 60.0
RECOVERY = 3600.0
# Halving stops here, in calls a second, or an exit would wait for a slot too long.
SLOWEST = 1.0
# Two refusals no further apart than this put us into the box.
RELAPSE = 300.0
BOX = 900.0
PROBE_EVERY = 60.0
# A path that the broker closed by a figure of its own opens again within the hour.
LONGEST_CLOSED = 3600.0
_MARGIN_GROWS_UNTIL = 5.0


@attrs.frozen(kw_only=True)
class Pacing:
    """What the limits look like at one moment; times are seconds from then.

    Attributes:
        rate: Calls a second, all endpoints together.
        closed: The endpoints that IBKR refused, and how long each stays closed.
        boxed_for: How long everything but a probing tickle stops; 0 outside the box.
        waiting: How many calls stand in line.
    """

    rate: float
    closed: Mapping[str, float]
    boxed_for: float
    waiting: int


@attrs.frozen
class Wish:
    """A call that would like to leave, no later than its deadline."""

    endpoint: Endpoint
    deadline: float
    urgent: bool = False


def _key(endpoint: Endpoint) -> Endpoint:
    return endpoint.paced_as or endpoint


def _place(departures: deque[float], moment: float) -> int:
    """Tell behind how many departures a moment belongs."""
    place = len(departures)
    while place and departures[place - 1] > moment:
        place -= 1
    return place


def _joined(one: deque[float], other: deque[float]) -> deque[float]:
    # Both have what was known to both; two that left at one moment are two in each.
    return deque(sorted((Counter(one) | Counter(other)).elements()), maxlen=one.maxlen)


def _lengthened(seconds: float, margin: float) -> float:
    return seconds + margin * min(seconds, _MARGIN_GROWS_UNTIL)


@attrs.define(kw_only=True, eq=False)
class Path:
    """What holds for one endpoint besides the global rate."""

    length: float
    departures: deque[float]
    closed_until: float = -math.inf
    under_way: int = 0

    def opens(self) -> float:
        """Tell from which moment its own limits let the next call leave."""
        left = self.departures
        if left and len(left) == left.maxlen:
            return max(self.closed_until, left[0] + self.length)
        return self.closed_until


@attrs.define(kw_only=True, eq=False)
class Pace:
    """The book of departures and refusals of one login.

    ``kept`` departures are remembered at least, for whoever shares the book at a higher rate.
    ``yields_until`` is when an urgent call of somebody else who shares it will have left: until
    then only urgent ones leave here.
    """

    per_second: float
    margin: float
    kept: int = 1
    departures: deque[float] = attrs.field(
        default=attrs.Factory(
            lambda self: deque(maxlen=max(self.kept, math.ceil(self.per_second))), takes_self=True
        )
    )
    yields_until: float = -math.inf
    paths: dict[Endpoint, Path] = attrs.field(factory=dict)
    refused_at: float | None = None
    rate_then: float = 0.0
    boxed_until: float = -math.inf
    probe_at: float = -math.inf

    def opens(self, endpoint: Endpoint, now: float, *, urgent: bool = False) -> float:
        """Tell from which moment the call may leave if no other of ours leaves before it.

        The answer is infinite while as many are under way as may be.
        """
        if self.full(endpoint):
            return math.inf
        return max(self.opens_alone(endpoint), self.opens_for_all(now), self.yields(urgent=urgent))

    def book(self, endpoint: Endpoint, now: float) -> None:
        """Write down that the call leaves now."""
        self.departures.append(now)
        if endpoint is TICKLE and now < self.boxed_until:
            self.probe_at = now + PROBE_EVERY
        if endpoint.window is None and endpoint.concurrent is None:
            return
        path = self.path(endpoint)
        path.departures.append(now)
        if endpoint.concurrent is not None:
            path.under_way += 1

    def put_off(self, endpoint: Endpoint, booked: float, now: float) -> None:
        """Write down that a call which was booked at one moment leaves only now."""
        for departures in self._without(endpoint, booked):
            # Others may have been booked since; the oldest must stay first.
            departures.insert(_place(departures, now), now)

    def give_back(self, endpoint: Endpoint, booked: float) -> None:
        """Write down that a call which was booked at one moment has not left."""
        for _ in self._without(endpoint, booked):
            pass

    def _without(self, endpoint: Endpoint, booked: float) -> Iterator[deque[float]]:
        """Take a departure out of the pages that have it, and give each of them."""
        books = [self.departures]
        if endpoint.window is not None or endpoint.concurrent is not None:
            books.append(self.path(endpoint).departures)
        for departures in books:
            # It is among the newest: searched from there, a long book costs no more than a short one.
            place = _place(departures, booked)
            if place and departures[place - 1] == booked:
                del departures[place - 1]
                yield departures

    def finish(self, endpoint: Endpoint) -> None:
        """Write down that a call with a limit on those under way is over."""
        path = self.paths.get(_key(endpoint))
        if path is not None and path.under_way > 0:
            path.under_way -= 1

    def refuse(self, endpoint: Endpoint, now: float, retry_after: float | None = None) -> None:
        """Draw the consequences of a 429.

        The path closes for a minute, or as long as the answer asks. Unless it is a path with a
        limit on calls under way, whose refusals say nothing about the rate (such a path closes for a
        quarter of an hour where it is refused again soon after it has opened), the global rate
        halves and comes back in a straight line over an hour; and if the last refusal is no more
        than five minutes old, everything stops for a quarter of an hour, but for one tickle a
        minute that finds out whether we are heard again. A probe that is refused keeps the box
        shut for five more minutes at least.
        """
        asked = retry_after if retry_after is not None and math.isfinite(retry_after) else 0.0
        path = self.path(endpoint)
        # Who goes on at a broker's box keeps it shut. A call that left before the path closed does not go on.
        again = endpoint.concurrent is not None and 0 <= now - path.closed_until <= RELAPSE - CLOSED_FOR
        shut = max(BOX if again else CLOSED_FOR, asked)
        path.closed_until = max(path.closed_until, now + min(shut, LONGEST_CLOSED))
        if endpoint.concurrent is not None:
            return
        if now < self.boxed_until:
            self.boxed_until = max(self.boxed_until, now + RELAPSE)
            self.rate_then = self.rate(now)
        else:
            if self.refused_at is not None and now - self.refused_at <= RELAPSE:
                self.boxed_until = now + BOX
                self.probe_at = now + PROBE_EVERY
            self.rate_then = max(self.rate(now) / 2, min(SLOWEST, self.per_second))
        self.refused_at = now

    def rate(self, now: float) -> float:
        """Tell how many calls a second all endpoints together may make."""
        if self.refused_at is None:
            return self.per_second
        recovered = min(1.0, (now - self.refused_at) / RECOVERY)
        return self.rate_then + (self.per_second - self.rate_then) * recovered

    def boxed_for(self, now: float) -> float:
        """Tell how many seconds the penalty box lasts yet."""
        return max(0.0, self.boxed_until - now)

    def closed_for(self, endpoint: Endpoint, now: float) -> float:
        """Tell for how many seconds yet a refusal keeps this endpoint closed."""
        path = self.paths.get(_key(endpoint))
        return 0.0 if path is None else max(0.0, path.closed_until - now)

    def closed(self, now: float) -> dict[Endpoint, float]:
        """Tell which paths IBKR has closed, and for how many seconds yet."""
        return {
            endpoint: path.closed_until - now
            for endpoint, path in self.paths.items()
            if path.closed_until > now
        }

    def plan(self, now: float, line: Sequence[Wish]) -> list[float]:
        """Foretell when each call of the line leaves if nothing else happens.

        The line stands in the order of precedence: of those whose own limits are open when a
        slot of the global window comes, the first takes it, so a call that waits for a slow path
        holds up nobody. A moment beyond the wish's deadline means that it cannot leave in time,
        and takes no slot from the others; infinity, that it waits for one under way to end.
        """
        book = self.copy()
        moments = [math.inf] * len(line)
        pending = list(range(len(line)))
        moment = now
        while pending:
            for_all = max(moment, book.opens_for_all(now))
            first, moment_of_first = pending[0], math.inf
            for place in pending:
                endpoint = line[place].endpoint
                if book.full(endpoint):
                    continue
                opens = max(for_all, book.opens_alone(endpoint), book.yields(urgent=line[place].urgent))
                if opens < moment_of_first:
                    first, moment_of_first = place, opens
                    if opens == for_all:
                        break
            if moment_of_first == math.inf:
                break
            pending.remove(first)
            moments[first] = moment_of_first
            if moment_of_first <= line[first].deadline:
                book.book(line[first].endpoint, moment_of_first)
                moment = moment_of_first
        for place in pending:
            # It hangs on a call that is under way; but if its path stays closed for longer than
            # it can wait, that is known already.
            alone = book.opens_alone(line[place].endpoint)
            if alone > line[place].deadline:
                moments[place] = alone
        return moments

    def opens_for_all(self, now: float) -> float:
        """Tell from which moment the global window lets another call leave."""
        rate = self.rate(now)
        # A broken rate rounds the count up and lengthens the window: never more than ``count`` in
        # a second, and ``rate`` over a longer time.
        count = max(1, math.ceil(rate))
        if len(self.departures) < count:
            return -math.inf
        return self.departures[-count] + _lengthened(count / rate, self.margin)

    def opens_alone(self, endpoint: Endpoint) -> float:
        """Tell from which moment the endpoint's own window, a refusal and the box let it leave."""
        box = min(self.probe_at, self.boxed_until) if endpoint is TICKLE else self.boxed_until
        path = self.paths.get(_key(endpoint))
        return box if path is None else max(box, path.opens())

    def yields(self, *, urgent: bool) -> float:
        """Tell from which moment no urgent call of somebody else goes before this one."""
        return -math.inf if urgent else self.yields_until

    def full(self, endpoint: Endpoint) -> bool:
        """Tell whether as many calls of the endpoint are under way as may be."""
        if endpoint.concurrent is None:
            return False
        path = self.paths.get(_key(endpoint))
        return path is not None and path.under_way >= endpoint.concurrent

    def copy(self) -> Pace:
        """Make a twin in which a future can be tried out."""
        paths = {
            endpoint: attrs.evolve(path, departures=path.departures.copy())
            for endpoint, path in self.paths.items()
        }
        return attrs.evolve(self, departures=self.departures.copy(), paths=paths)

    def join(self, other: Pace) -> None:
        """Add what was written elsewhere while this book could not be had."""
        self.departures = _joined(self.departures, other.departures)
        self.boxed_until = max(self.boxed_until, other.boxed_until)
        self.probe_at = max(self.probe_at, other.probe_at)
        if other.refused_at is not None and other.refused_at > (self.refused_at or -math.inf):
            self.refused_at, self.rate_then = other.refused_at, other.rate_then
        for endpoint, theirs in other.paths.items():
            path = self.path(endpoint)
            path.closed_until = max(path.closed_until, theirs.closed_until)
            path.departures = _joined(path.departures, theirs.departures)

    def path(self, endpoint: Endpoint) -> Path:
        """Return the page of an endpoint, a fresh one where nothing was written yet."""
        key = _key(endpoint)
        path = self.paths.get(key)
        if path is None:
            count, seconds = endpoint.window or (0, 0.0)
            path = Path(length=_lengthened(seconds, self.margin), departures=deque(maxlen=count))
            self.paths[key] = path
        return path
