"""Keep one line to IBKR's stream up, and give everybody what they subscribed to.

One thread does it all: it connects, writes, reads, merges and hands over, so that nothing is done
twice or told in another order than it came. Other threads put wishes down and wake it. A line that
is lost comes back: the session is looked at first, the pause doubles, all subscriptions are written
anew, and what the stream does not repeat is read over REST before anybody is told of the
:class:`~ibkr_adapter.model.stream.Gap` and of what had happened in it.

What one topic says is for :mod:`ibkr_adapter.streaming.channels`, how it fares for
:mod:`ibkr_adapter.streaming.running`, and how a line is opened and kept for
:mod:`ibkr_adapter.streaming.line`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar, cast

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import (
    BrokerageUnavailable,
    ConfigurationError,
    IBKRError,
    SessionError,
    StreamClosed,
    Throttled,
    TransportError,
    UnexpectedAnswer,
)
from ibkr_adapter.model.stream import Event, Gap, Refused, Stale, Unreadable
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.streaming.channels import Channel
from ibkr_adapter.streaming.line import Line
from ibkr_adapter.streaming.mailbox import Mailbox
from ibkr_adapter.streaming.running import Running
from ibkr_adapter.wire import stream
from ibkr_adapter.ws_link import Dial, Frame, LineLost

log = logging.getLogger(__name__)

C = TypeVar("C", bound=Channel)

# The pause after the first failure, the longest one, and after how long a line counts as good.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
GOOD_AFTER = 60.0
# How long a read may take that a new line waits for; less than the minute in which IBKR wants a word.
SEED_WITHIN = 45.0
# How long the thread may take to end.
END_WITHIN = 10.0


class Feed:
    """The stream of one login."""

    def __init__(
        self,
        *,
        clock: Clock,
        session: SessionKeeper,
        dial: Dial,
        jitter: Callable[[], float],
        good_after: float = GOOD_AFTER,
    ) -> None:
        self._clock = clock
        self._session = session
        self._jitter = jitter
        self._good_after = good_after
        self._line = Line(clock=clock, session=session, dial=dial)
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}
        self._thread: threading.Thread | None = None
        self._ended = clock.flag()
        self._woken = clock.flag()
        self._is_closed = False
        self._changed = False
        # Whether a channel may have to be seeded again.
        self._owing = False
        # Whether a read was made before its subscription is known to have been taken up.
        self._in_doubt = False
        # Whether the thread has just done something else for long.
        self._was_away = False
        # Counts the lines that were brought up: what was known on one may be old on the next.
        self.lines = 0
        # When something is due that is not a frame; only the stream's thread looks.
        self._due = 0.0
        session.on_change(lambda _: self._wake())

    # For other threads -----------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether the line is up, and was heard of lately."""
        return self._line.is_up

    def channels(self) -> Sequence[Channel]:
        """What anybody is subscribed to."""
        with self._lock:
            return tuple(running.channel for running in self._running.values() if running.is_wanted)

    @property
    def quoted(self) -> frozenset[int]:
        """The contracts whose quotes anybody is subscribed to; each holds a market data line."""
        return frozenset(found.quoted for found in self.channels() if found.quoted is not None)

    def attach(self, channel: C, box: Mailbox) -> C:
        """Give ``box`` what a channel brings; where its topic is subscribed to already, that one's is given.

        Raises:
            StreamClosed: The connection was closed.
        """
        with self._lock:
            if self._is_closed:
                raise StreamClosed("this connection was closed; nothing was subscribed to.")
            running = self._running.get(channel.key)
            if running is None:
                running = self._running[channel.key] = Running(channel)
            running.waiting += ((box, channel),)
            self._changed = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ibkr-stream", daemon=True)
                self._ended.clear()
                self._clock.expect(self._thread)
                self._thread.start()
        self._wake()
        # A topic has one kind of channel.
        return cast("C", running.channel)

    def release(self, channel: Channel, box: Mailbox) -> None:
        """Take a consumer off; the last one of a topic ends it, the last of all ends the thread."""
        with self._lock:
            running = self._running.get(channel.key)
            if running is not None:
                running.boxes = tuple(other for other in running.boxes if other is not box)
                running.waiting = tuple(pair for pair in running.waiting if pair[0] is not box)
            self._changed = True
            last = not any(found.is_wanted for found in self._running.values())
            thread = self._thread
        self._wake()
        if last:
            self._join(thread)

    def look(self) -> None:
        """Have the stream's thread look at its channels: one has been offered something."""
        self._wake()

    def close(self) -> None:
        """End everything and wait until the thread has ended."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._wake()
        self._join(thread)

    def _join(self, thread: threading.Thread | None) -> None:
        if thread is not None and thread is not threading.current_thread():
            self._ended.wait(END_WITHIN)
            thread.join(END_WITHIN)

    def _wake(self) -> None:
        self._woken.set()
        self._line.wake()

    # The thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        end = StreamClosed("the stream has failed; nothing more is told.", remedy="Subscribe again.")
        try:
            end = self._keep_up()
        finally:
            with self._lock:
                left, self._running, self._thread = list(self._running.values()), {}, None
            self._line.hang_up()
            for running in left:
                for box in (*running.boxes, *(box for box, _ in running.waiting)):
                    box.close(end)
            self._ended.set()

    def _keep_up(self) -> StreamClosed:
        """Have one line after the other, until nobody wants any; say why it ended."""
        pause = FIRST_PAUSE
        while self._is_wanted():
            began = self._clock.monotonic()
            try:
                self._one_line()
                continue
            except ConfigurationError as failure:
                return StreamClosed(failure.message, remedy=failure.remedy)
            except BrokerageUnavailable as failure:
                if not failure.repeatable:
                    break
                reason = str(failure)
            except (LineLost, IBKRError) as failure:
                reason = str(failure)
            self._down()
            if self._clock.monotonic() - began >= self._good_after:
                pause = FIRST_PAUSE
            rest = pause * (0.75 + 0.5 * self._jitter())
            log.warning("the stream is down (%s); it is tried again in %.1f seconds", reason, rest)
            self._rest(rest)
            pause = min(2 * pause, LONGEST_PAUSE)
        return StreamClosed("the stream was closed.")

    def _is_wanted(self) -> bool:
        with self._lock:
            return not self._is_closed and any(found.is_wanted for found in self._running.values())

    def _rest(self, seconds: float) -> None:
        """Wait, but not for those who want no more; a wake alone does not make it shorter."""
        until = self._clock.monotonic() + seconds
        while self._is_wanted() and (left := until - self._clock.monotonic()) > 0:
            self._woken.clear()
            if self._is_wanted():
                self._woken.wait(left)

    def _down(self) -> None:
        self._line.hang_up()
        for running in self._all():
            if running.is_live:
                running.is_live = False
                running.channel.lost()

    def _all(self) -> list[Running]:
        with self._lock:
            return list(self._running.values())

    def _one_line(self) -> None:
        """Open a line, bring everybody up to it, and read it to its end."""
        early = self._line.open(self._is_wanted)
        gap = self._line.silence()
        before = [running for running in self._all() if running.boxes]
        early = (*early, *self._begin(before))
        for running in before:
            self._seed(running, gap)
        self._line.begun()
        self.lines += 1
        self._due = 0.0
        self._hand_over(early)
        while True:
            self._reconcile()
            if not self._is_wanted():
                self._say_goodbye()
                return
            self._catch_up()
            now = self._clock.monotonic()
            if now >= self._due or (self._in_doubt and self._line.is_heeded):
                self._due = min(self._line.upkeep(), self._renew(now))
            frames = self._line.receive(max(0.0, self._due - now))
            if not frames:
                # Something is due, or somebody has a reason to have us look.
                self._due = 0.0
                self._owing = True
            self._hand_over(frames)
            if self._owing:
                self._owing = False
                for running in self._all():
                    if running.is_live and running.channel.owes:
                        self._seed(running, None)

    def _catch_up(self) -> None:
        """Hear what lies in the line since the thread was busy, before anything is called silent."""
        while self._was_away:
            frames = self._line.receive(0.0)
            self._was_away = bool(frames)
            self._hand_over(frames)

    def _reconcile(self) -> None:
        """End what nobody wants, and begin what somebody waits for."""
        if not self._changed:
            return
        self._changed = False
        self._due = 0.0
        self._end_unwanted()
        fresh = [running for running in self._all() if self._admit(running)]
        came = self._begin(fresh)
        for running in fresh:
            self._seed(running, None)
        self._hand_over(came)

    def _end_unwanted(self) -> None:
        with self._lock:
            gone = [found for found in self._running.values() if not found.is_wanted]
            for running in gone:
                del self._running[running.channel.key]
        for running in gone:
            if running.is_live:
                self._line.write(running.channel.end())

    def _admit(self, running: Running) -> bool:
        """Let in who waits for a channel; tell whether it is to be begun for them."""
        with self._lock:
            newcomers, running.waiting = running.waiting, ()
            running.boxes += tuple(box for box, _ in newcomers)
        if not newcomers:
            return False
        more = [running.channel.join(channel) for _, channel in newcomers if channel is not running.channel]
        if not running.is_live:
            return True
        if any(more):
            self._line.write(running.channel.renew())
        now = self._clock.now()
        for box, _ in newcomers:
            box.put(running.channel.current(now))
        return False

    def _begin(self, fresh: Sequence[Running]) -> Sequence[Frame]:
        """Subscribe; return what came until IBKR had taken up those of which something is read then."""
        for running in fresh:
            self._line.write(running.channel.begin())
            running.begun(self._clock.monotonic(), self._clock.now())
        read = [running for running in fresh if running.channel.reads_first]
        if not read:
            return ()
        came = self._line.settle(self._is_wanted)
        if not self._line.is_heeded:
            log.warning("IBKR's stream does not answer; what may have happened meanwhile is read once more")
            self._in_doubt = True
            for running in read:
                running.doubt(self._clock.monotonic())
        return came

    def _seed(self, running: Running, gap: Gap | None) -> None:
        """Read what the line does not repeat, and tell the gap and what it brought.

        What arrives meanwhile lies in the line, and is merged after it. The reads take less than the
        minute within which IBKR wants a word.
        """
        if running.channel.reads_first:
            self._line.say()
            self._was_away = True
        deadline = self._clock.monotonic() + SEED_WITHIN
        try:
            events = running.channel.seed(deadline, self._clock.now())
        except (SessionError, TransportError, Throttled):
            raise
        except IBKRError as failure:
            events = (Unreadable(at=self._clock.now(), topic=running.channel.key, text=failure.message),)
        self._tell(running, (*([gap] if gap is not None else ()), *events))

    def _say_goodbye(self) -> None:
        for running in self._all():
            if running.is_live:
                self._line.write(running.channel.end())

    def _renew(self, now: float) -> float:
        """Renew what would run out, say what is stale, read what is in doubt, and tell when to look again."""
        due = now + LONGEST_PAUSE
        heeded = self._line.is_heeded
        for running in self._all():
            if not running.is_live:
                continue
            if running.is_to_be_read(now, heeded=heeded):
                self._seed(running, None)
            silent_since = running.falls_silent(now)
            if silent_since is not None:
                at = self._clock.now()
                self._tell(running, (Stale(at=at, topic=running.channel.key, since=silent_since),))
            # A silence may be IBKR's, which ends a subscription without a word.
            if silent_since is not None or running.is_to_be_renewed(now):
                self._line.write(running.channel.renew())
                running.renewed(now)
            due = min(due, running.due())
        if self._in_doubt and not any(running.is_in_doubt for running in self._all()):
            self._in_doubt = False
            self._line.believe()
        return due

    # What arrives ----------------------------------------------------------------------------

    def _hand_over(self, frames: Sequence[Frame]) -> None:
        if not frames:
            return
        at, now = self._clock.now(), self._clock.monotonic()
        self._line.heard(at, now)
        told: dict[Mailbox, list[Event]] = {}
        try:
            for frame in frames:
                self._take(frame, at, now, told)
        finally:
            # What came before a frame that ends the line is told all the same.
            for box, events in told.items():
                box.put(events)

    def _take(self, frame: Frame, at: datetime, now: float, told: dict[Mailbox, list[Event]]) -> None:
        content = stream.read_frame(frame)
        if content is None:
            return
        running = self._running.get(stream.topic_of(content))
        refusal = self._line.take(content) if running is None else stream.refusal_of(content)
        if refusal is not None:
            # Not heard of, where it is of one subscription: that falls silent, and is asked for anew then.
            topic, concerned = ("", self._all()) if running is None else (running.channel.key, [running])
            log.warning("IBKR's stream refuses%s: %s", topic and f" {topic}", refusal)
            for box in (box for found in concerned for box in found.boxes):
                told.setdefault(box, []).append(Refused(at=at, text=refusal, topic=topic))
        if running is None or refusal is not None:
            return
        running.was_heard(now, at)
        try:
            events = running.channel.take(content, at)
        except UnexpectedAnswer as failure:
            events = (running.channel.unreadable(failure, at),)
        self._owing = self._owing or running.channel.owes
        for box in running.boxes:
            known = told.get(box)
            if known is None:
                told[box] = list(events)
            else:
                known += events

    @staticmethod
    def _tell(running: Running, events: Iterable[Event]) -> None:
        told = tuple(events)
        if told:
            for box in running.boxes:
                box.put(told)
