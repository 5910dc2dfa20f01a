"""One stream's life: it waits for a session, opens after a moment, beats, and ends.

Knows the order of things on one connection: the question for the session where no usable cookie
came, the delay in which all that is written is dropped, the first frames, heartbeats, what is
told of the session and the accounts when they change, and answers to keep-alives. It has no
socket: a carrier brings what the client writes and takes what shall leave, or a test does.
Subscriptions are :mod:`.stream_topics`'s, what faults do to frames :mod:`.stream_spoiling`'s, all
streams together :mod:`.streams`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from ibkr_adapter.simulator.door import ABRUPT, Frame
from ibkr_adapter.simulator.figures import milliseconds
from ibkr_adapter.simulator.sessions import SERVER
from ibkr_adapter.simulator.stream_frames import frame, read, session_in, unknown
from ibkr_adapter.simulator.stream_topics import Topics

if TYPE_CHECKING:
    from threading import RLock

    from ibkr_adapter.simulator.stream_spoiling import Spoiler
    from ibkr_adapter.simulator.world import World

NORMAL = 1000
_USER = "simulated"
_KEEP_ALIVE, _OLD_KEEP_ALIVE = "tic", "ech+hb"


class Phase(StrEnum):
    """How far a stream has come."""

    WAITING = "waiting for session"
    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


class Home(Protocol):
    """What a stream needs of the broker around it."""

    world: World
    lock: RLock
    spoiler: Spoiler

    def accounts(self) -> dict[str, Any]:
        """The body of the account list."""

    def bars(self, conid: str, wishes: Mapping[str, Any]) -> dict[str, Any] | None:
        """The bars of a contract."""

    def validation(self) -> dict[str, Any]:
        """What there is to tell about the outer session."""


class Socket:
    """One stream, open until it is ``closed``; safe to use from any thread.

    ``send`` brings what the client writes, ``receive`` and ``take`` give what has come by now:
    receiving lets the market run until now, as a request does.
    """

    def __init__(self, home: Home, number: int, *, waits: bool) -> None:
        self.number = number
        self.phase = Phase.WAITING if waits else Phase.OPENING
        self.closed: int | None = None
        self.wake: Callable[[], None] = lambda: None
        self.topics = Topics(home.world, home.bars)
        self.counts = {"sent": 0, "received": 0, "dropped": 0, "unknown": 0}
        self._home = home
        self._world = home.world
        self._began = home.world.now
        self._session = home.world.sessions.token
        self._starts = home.world.sessions.starts
        self._out: deque[Frame] = deque()
        self._told: dict[str, Any] = {}
        self._accounts: dict[str, Any] = {}
        self._beat = home.world.now
        self._is_silent = False
        self._silent_until: datetime | None = None
        if waits:
            self._out.append(frame({"message": "waiting for session"}, topic="waiting"))

    # The client's side.

    def send(self, written: str | bytes) -> None:
        """Bring one frame that the client has written."""
        with self._home.lock:
            self._world.settle()
            self.look()
            self.counts["received"] += 1
            self._hear(written)
            self.look()
        self.wake()

    def receive(self) -> list[bytes]:
        """What has come by now, frame by frame; everything is handed out once."""
        return [one.payload for one in self.take()]

    def take(self) -> list[Frame]:
        """The same, with what a carrier must know of each frame."""
        with self._home.lock:
            self._world.settle()
            self.look()
            if self._is_mute():
                return []
            if self.closed is None:
                # Faults that struck end a stream here, between two frames.
                leaving = list(self._home.spoiler.spoil(self, self._drained()))
            else:
                leaving = list(self._drained())
            self.counts["sent"] += len(leaving)
            return leaving

    def hang_up(self) -> None:
        """Say that the client is gone."""
        with self._home.lock:
            self.wake = _nothing
            self.close(NORMAL)

    # The broker's side; under the lock.

    @property
    def is_open(self) -> bool:
        """Tell whether subscriptions are heard."""
        return self.phase is Phase.OPEN

    def close(self, code: int) -> None:
        """End it; what was not taken is lost when the end is abrupt."""
        if self.closed is not None:
            return
        self.closed, self.phase = code, Phase.CLOSED
        self.topics.forget()
        if code == ABRUPT:
            self._out.clear()
        self.wake()

    def fall_silent(self, until: datetime | None) -> None:
        """Let nothing leave until a moment, or ever again; the line stays open."""
        self._is_silent, self._silent_until = True, until

    def put_back(self, one: Frame) -> None:
        """Put a frame that was about to leave back to the front of the line."""
        self._out.appendleft(one)

    def _is_mute(self) -> bool:
        if self._silent_until is not None and self._world.now >= self._silent_until:
            self._is_silent, self._silent_until = False, None
        return self._is_silent and self.closed is None

    def push(self, one: Frame) -> None:
        """Put a frame in line."""
        self._out.append(one)
        # A client that reads nothing is let go before it fills the memory.
        if len(self._out) > self._world.options.stream_backlog:
            self.close(ABRUPT)

    def look(self) -> None:
        """Bring it up to now."""
        if self.closed is not None:
            return
        before = len(self._out)
        self._look(self._world.now)
        if len(self._out) > before:
            self.wake()

    def _look(self, now: datetime) -> None:
        sessions = self._world.sessions
        if sessions.starts != self._starts:
            self.close(ABRUPT)  # the program at the other end is a new one
            return
        if not sessions.is_logged_in:
            self.close(NORMAL)
            return
        if sessions.token != self._session:
            # A refreshed login: the subscriptions of the old one die without notice.
            self._session = sessions.token
            self.topics.forget()
        opened = self._began + timedelta(seconds=self._world.options.stream_opening)
        if self.phase is Phase.OPENING and now >= opened:
            self._open(now)
        if self.phase is Phase.OPEN:
            self._news(now)
            for one in self.topics.look(now):
                self.push(one)

    def _open(self, now: datetime) -> None:
        self.phase = Phase.OPEN
        self._beat = now
        self._tell("system", success=_USER, isFT=False, isPaper=self._is_paper)
        self._accounts = self._known_accounts()
        if self._accounts:
            self.push(frame({"topic": "act", "args": self._accounts}))
        self._told = self._state()
        self.push(_status({"authenticated": self._told["authenticated"]}))

    def _news(self, now: datetime) -> None:
        for part in self._changes():
            self.push(_status(part))
        accounts = self._known_accounts()
        if accounts and accounts | {"sessionId": None} != self._accounts | {"sessionId": None}:
            self._accounts = accounts
            self.push(frame({"topic": "act", "args": accounts}))
        rhythm = timedelta(seconds=self._world.options.heartbeat)
        if now - self._beat >= rhythm:
            # After a jump of the clock one beat stands for those that were missed.
            self._beat += (now - self._beat) // rhythm * rhythm
            self._tell("system", hb=milliseconds(now))

    def _changes(self) -> Iterator[dict[str, Any]]:
        """What has changed about the session: one field a frame, or all when it is back."""
        state = self._state()
        changed = {key: value for key, value in state.items() if self._told[key] != value}
        self._told = state
        if changed.get("authenticated"):
            yield state
            return
        for key, value in changed.items():
            if value is not None:
                yield {key: value}

    def _state(self) -> dict[str, Any]:
        sessions = self._world.sessions
        is_up = sessions.is_up
        server = SERVER if is_up else dict.fromkeys(SERVER)
        return {
            "authenticated": is_up,
            "competing": sessions.rival is not None,
            "message": "",
            "fail": "",
            "connected": True,
            "username": _USER,
            **server,
        }

    def _known_accounts(self) -> dict[str, Any]:
        """The account list while there is one; a new session id alone is no news."""
        return self._home.accounts() if self._world.sessions.is_up else {}

    @property
    def _is_paper(self) -> bool:
        return self._world.accounts[self._world.main_account].is_paper

    def _tell(self, topic: str, **fields: Any) -> None:
        name = "hb" if "hb" in fields else topic
        self.push(frame({"topic": topic, **fields}, topic=name))

    def _hear(self, written: str | bytes) -> None:
        if self.closed is not None:
            return
        if self.phase is Phase.WAITING:
            self._admit(written)
        elif self.phase is Phase.OPENING:
            self.counts["dropped"] += 1
        else:
            self._serve(written)

    def _admit(self, written: str | bytes) -> None:
        if session_in(written) == self._world.sessions.token:
            self.phase, self._began = Phase.OPENING, self._world.now
        else:
            self.counts["dropped"] += 1

    def _serve(self, written: str | bytes) -> None:
        if written == _OLD_KEEP_ALIVE:
            self.push(Frame(payload=_OLD_KEEP_ALIVE.encode(), topic=_KEEP_ALIVE))
            return
        wish = read(written)
        if wish is None:
            self.counts["unknown"] += 1
            self.push(unknown(None))
        elif wish.topic == _KEEP_ALIVE:
            self._tell(_KEEP_ALIVE, **self._home.validation())
        else:
            for one in self.topics.serve(wish):
                self.counts["unknown"] += one.topic == "error"
                self.push(one)

    def _drained(self) -> Iterator[Frame]:
        while self._out:
            yield self._out.popleft()

    def as_json(self) -> dict[str, Any]:
        """What the ledger tells of it."""
        return {
            "number": self.number,
            "phase": self.phase.value,
            "closed": self.closed,
            "subscriptions": self.topics.names,
            **self.counts,
        }


def _status(fields: dict[str, Any]) -> Frame:
    return frame({"topic": "sts", "args": fields})


def _nothing() -> None:
    """Wake nobody."""
