"""Have one line to IBKR's stream: opened when the session is up, written to when IBKR says so.

Before ``system`` ``success`` IBKR drops what is written, without a word, and on every line anew.
Then it wants a word once a minute and says one itself every ten seconds; a line that is silent for
longer is dead, whatever the socket believes. A stream does not outlive its session, although the
line stays up: it is left as soon as the session was opened anew.

Who subscribes to what is for :mod:`ibkr_adapter.streaming.feed`.
Source: docs/ibkr-facts.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.model.stream import Gap
from ibkr_adapter.redact import remember
from ibkr_adapter.session import SessionKeeper, SessionState
from ibkr_adapter.wire import stream
from ibkr_adapter.ws_link import Dial, Frame, LineLost, Link

log = logging.getLogger(__name__)

# How long the session may take to be seen to, the socket to open (orders wait meanwhile), and IBKR
# to give its leave to write.
OPEN_WITHIN = 30.0
DIAL_WITHIN = 5.0
SUCCESS_WITHIN = 10.0
# How long IBKR may take to answer the word that follows what it is to have read.
HEED_WITHIN = 3.0
TIC_EVERY = 30.0
SILENT_AFTER = 35.0


class Line:
    """The line that is up, or the next one; everything but :meth:`wake` is for one thread."""

    def __init__(self, *, clock: Clock, session: SessionKeeper, dial: Dial) -> None:
        self._clock = clock
        self._session = session
        self._dial = dial
        self._link: Link | None = None
        self._session_id: str | None = None
        self._is_up = False
        # Words said on this line, how many were answered, and which answer shows what is in doubt.
        self._said = self._answered = self._awaited = 0
        self._standing = (0, 0)
        self._heard = 0.0
        self._heard_at: datetime | None = None
        self._tic_at = 0.0

    @property
    def is_up(self) -> bool:
        """Whether the line is up, heeded, was heard of lately, and its session stands; for any thread."""
        return (
            self._is_up
            and self.is_heeded
            and self._clock.monotonic() - self._heard < SILENT_AFTER
            and self._session.state is SessionState.READY
            and self._session.standing == self._standing
        )

    def open(self, wanted: Callable[[], bool]) -> Sequence[Frame]:
        """Open it and wait for IBKR's leave to write; what came after that is returned.

        Args:
            wanted: Whether anybody still waits for it.

        Raises:
            LineLost: It could not be had.
            IBKRError: The session could not.
        """
        deadline = self._clock.monotonic() + OPEN_WITHIN
        with self._session.stream_door(deadline) as door:
            self._standing = self._session.standing
            self._session_id = door.session
            self._said = self._answered = self._awaited = 0
            remember(door.session)
            try:
                self._link = self._dial(door.url, door.headers, DIAL_WITHIN)
            except LineLost as lost:
                if not lost.untrusted:
                    raise
                raise ConfigurationError(
                    f"{lost}; the stream was not opened.",
                    remedy="Set tls_fingerprint or ca_file as for other calls; docs/authentication.md tells how.",
                ) from None
        until = self._clock.monotonic() + SUCCESS_WITHIN
        while wanted() and (left := until - self._clock.monotonic()) > 0:
            frames = self._link.receive(left)
            for place, frame in enumerate(frames):
                content = stream.read_frame(frame)
                if content is None:
                    continue
                if stream.has_begun(content):
                    return frames[place + 1 :]
                self.take(content)
        raise LineLost("IBKR did not say that the stream may be written to")

    def settle(self, wanted: Callable[[], bool]) -> Sequence[Frame]:
        """Have IBKR read all that was written, and return what came meanwhile, in its order.

        It reads a line in order, so that its answer to a word tells that it has read what was written
        before. What changes between a read and a subscription that it takes up later, nobody tells of.
        Where no answer comes in time, :attr:`is_heeded` says so.

        Args:
            wanted: Whether anybody still waits for it.

        Raises:
            LineLost: It is gone.
        """
        self.say()
        self._awaited = self._said
        came: list[Frame] = []
        until = self._clock.monotonic() + HEED_WITHIN
        while wanted() and not self.is_heeded and (left := until - self._clock.monotonic()) > 0:
            for frame in self._up().receive(left):
                content = stream.read_frame(frame)
                if content is not None and (
                    stream.topic_of(content) == stream.TIC or stream.waits_for_session(content)
                ):
                    self.take(content)
                else:
                    came.append(frame)
        return came

    @property
    def is_heeded(self) -> bool:
        """Whether IBKR has read all that was written before the last :meth:`settle`."""
        return self._answered >= self._awaited

    def believe(self) -> None:
        """Note that there is no doubt left, although no answer came: what was written is long since read."""
        self._awaited = self._answered

    def begun(self) -> None:
        """Note that everybody is subscribed: what arrives from now on is told."""
        now = self._clock.monotonic()
        self._heard, self._heard_at, self._tic_at = now, self._clock.now(), now + TIC_EVERY
        self._is_up = True

    def silence(self) -> Gap | None:
        """The time in which nothing could be heard, up to now; ``None`` on the first line."""
        if self._heard_at is None:
            return None
        now = self._clock.now()
        return Gap(at=now, since=self._heard_at, until=now)

    def heard(self, at: datetime, now: float) -> None:
        """Note that something has arrived; a line whose session is gone brings only signs of life."""
        self._heard = now
        if self._session.state is SessionState.READY:
            self._heard_at = at

    def upkeep(self) -> float:
        """Say a word if one is due, see whether the session stands, and tell when to look again.

        Raises:
            LineLost: It does not.
        """
        now = self._clock.monotonic()
        if self._session.standing != self._standing:
            raise LineLost("the session was opened anew")
        if now >= self._tic_at:
            self.say()
        return min(self._tic_at, self._heard + SILENT_AFTER)

    def say(self) -> None:
        """Say the word that IBKR wants once a minute; also before something that keeps this thread for long.

        Raises:
            LineLost: The line is gone.
        """
        self.write((stream.TIC,))
        self._said += 1
        self._tic_at = self._clock.monotonic() + TIC_EVERY

    def receive(self, seconds: float) -> Sequence[Frame]:
        """Return what has arrived, waiting at most so long.

        Raises:
            LineLost: It is gone, or nothing has arrived for so long that it must be.
        """
        frames = self._up().receive(seconds)
        # Only now: whoever was busy for long has not listened, and the frames lie there.
        silent = self._clock.monotonic() - self._heard
        if not frames and silent >= SILENT_AFTER:
            raise LineLost(f"nothing was heard for {silent:.0f} seconds")
        return frames

    def write(self, texts: Iterable[str]) -> None:
        """Write what a channel wants written."""
        for text in texts:
            self._up().send(text)

    def take(self, content: Mapping[str, Any]) -> str | None:
        """Take a frame that is about the line itself; what it refuses is returned.

        Raises:
            LineLost: It says that the brokerage session is gone.
        """
        topic = stream.topic_of(content)
        if topic == stream.TIC:
            self._answered += 1
            return None
        if topic == "sts" and stream.read_status(content).lost:
            self._session.lose(self._standing[0], "the stream says so")
            raise LineLost("the stream says that the brokerage session is gone")
        if stream.waits_for_session(content) and self._session_id is not None:
            # Only when asked: on a line that knows its session this is an unknown topic.
            self.write((stream.session_answer(self._session_id),))
            return None
        if topic.startswith("smh+") and (server_id := stream.server_id_of(content)) is not None:
            # Bars that nobody wants any more: the server keeps their place until it hears its own name for it.
            self.write((stream.no_bars(server_id),))
        return stream.refusal_of(content)

    def wake(self) -> None:
        """Have the thread that waits for frames look up; for other threads."""
        link = self._link
        if link is not None:
            link.wake()

    def hang_up(self) -> None:
        """Close what is open."""
        link, self._link, self._is_up = self._link, None, False
        if link is not None:
            link.close()

    def _up(self) -> Link:
        if self._link is None:
            raise LineLost("there is no line")
        return self._link
