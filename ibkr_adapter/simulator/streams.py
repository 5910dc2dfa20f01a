"""All streams of one broker: who is let in, and what reaches every one of them.

Knows the upgrade of a request to a stream, with the cookie that makes it usable, and what is sent
to all at once: bulletins, notes and prompts. One stream's life is :mod:`.stream_socket`'s; the
bytes on the line are :mod:`.stream_door`'s.

Guesses: that an upgrade with no token or a dead one is answered like any other call, that a stream
without a login is opened and closed with the code 1000, and that a request for the stream which is
no upgrade is a bad one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.desk import PRICE_CHOICES, PRICE_PROMPT
from ibkr_adapter.simulator.door import ABRUPT, Answer
from ibkr_adapter.simulator.login import Login
from ibkr_adapter.simulator.routes import Call, Needs, Route
from ibkr_adapter.simulator.stream_frames import frame
from ibkr_adapter.simulator.stream_socket import Socket
from ibkr_adapter.simulator.stream_spoiling import Spoiler
from ibkr_adapter.simulator.stream_topics import Bars

if TYPE_CHECKING:
    from threading import RLock

    from ibkr_adapter.simulator.door import Frame
    from ibkr_adapter.simulator.world import World

NAME = "GET /ws"
_SWITCHING = 101
_FIRST_BULLETIN = 1789618148
_FIRST_REQUEST = 29042
_MOST_REMEMBERED = 1000


class StreamRefusedError(Exception):
    """An upgrade that was answered like any other call."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"the stream was answered with status {answer.status}")
        self.answer = answer


class Streams:
    """Every stream of one world, and the endpoint at which they begin."""

    def __init__(
        self,
        world: World,
        login: Login,
        lock: RLock,
        *,
        accounts: Callable[[], dict[str, Any]],
        bars: Bars,
        validation: Callable[[], dict[str, Any]],
    ) -> None:
        self.world = world
        self.lock = lock
        self.spoiler: Spoiler  # set when the faults are there
        self.accounts = accounts
        self.bars = bars
        self.validation = validation
        self.sockets: list[Socket] = []
        self._login = login
        self._count = 0
        self._notes = 0
        self._fresh: Socket | None = None
        world.book.on_change = self.watch
        world.ask_by_stream = self._ask_about_price

    def routes(self) -> list[Route]:
        """The endpoint served here; a stream is not signed like other calls."""
        return [
            Route(
                methods=("GET",),
                template="/ws",
                needs=Needs.NOTHING,
                serve=self.upgrade,
                checks_itself=True,
            )
        ]

    def upgrade(self, call: Call) -> Answer:
        """Open a stream."""
        request = call.request
        if request.headers.get("upgrade", "").lower() != "websocket":
            return answers.bad_request("not a WebSocket upgrade")
        self._login.check_stream(request)
        session = _session_cookie(request.headers.get("cookie", ""))
        free = session is None and self.world.auth == "gateway" and self.world.options.stream_cookie == "free"
        self._count += 1
        socket = self._fresh = Socket(
            self, self._count, waits=not free and session != self.world.sessions.token
        )
        # Those that have ended are told of for a while.
        self.sockets = [*self.sockets[-_MOST_REMEMBERED:], socket]
        return Answer(status=_SWITCHING, stream=socket)

    def keep(self, answer: Answer) -> None:
        """End a stream that has just been opened if a fault keeps its client from hearing of it."""
        fresh, self._fresh = self._fresh, None
        if fresh is not None and (answer.stream is not fresh or answer.wire is not None):
            fresh.close(ABRUPT)

    @property
    def living(self) -> list[Socket]:
        """The streams that have not ended."""
        return [one for one in self.sockets if one.closed is None]

    def watch(self, moment: datetime) -> None:
        """Let every stream note what has just happened in the book."""
        for socket in self.living:
            socket.topics.watch(moment)

    def look(self) -> None:
        """Bring every stream up to now."""
        for socket in self.living:
            socket.look()

    def as_json(self) -> list[dict[str, Any]]:
        """What the ledger tells of them."""
        return [one.as_json() for one in self.sockets]

    def close_all(self, code: int = ABRUPT) -> int:
        """End every stream; tell how many there were."""
        living = self.living
        for socket in living:
            socket.close(code)
        return len(living)

    # What reaches everybody.

    def _broadcast(self, one: Frame) -> int:
        """Send to every open stream of a brokerage session; tell to how many."""
        heard = [socket for socket in self.living if socket.is_open] if self.world.sessions.is_up else []
        for socket in heard:
            socket.push(one)
            socket.wake()
        return len(heard)

    def bulletin(self, text: str) -> int:
        """Send a bulletin: an array, as recorded, not the documented object."""
        self._notes += 1
        row = {"id": _FIRST_BULLETIN + self._notes, "exchanges": None, "message": text}
        return self._broadcast(frame({"topic": "blt", "args": [row]}))

    def note(self, text: str, title: str | None = None, url: str | None = None) -> int:
        """Send a note: an array, too."""
        self._notes += 1
        row = {"id": str(self._notes), "text": text, "title": title, "url": url}
        return self._broadcast(frame({"topic": "ntf", "args": [row]}))

    def prompt(self, order_id: int, text: str, choices: list[str], message_id: str = "p12") -> str:
        """Ask about an order; answer the id under which it is to be answered."""
        self._notes += 1
        request = str(_FIRST_REQUEST + self._notes)
        row = {
            "orderId": order_id,
            "reqId": request,
            "dismissable": [],
            "text": text,
            "options": choices,
            "type": "M",
            "messageId": message_id,
            "prompt": True,
        }
        asked = {"order_id": order_id, "request": request, "text": text, "answer": None}
        self.world.prompts[request] = asked
        self._broadcast(frame({"topic": "ntf", "args": [row]}))
        return request

    def _ask_about_price(self, order_id: int) -> None:
        self.prompt(order_id, PRICE_PROMPT, PRICE_CHOICES)


def _session_cookie(cookies: str) -> str | None:
    """The session id in the cookie ``api``: bare, or inside JSON; nothing without the cookie."""
    for pair in cookies.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == "api":
            return _bare(value.strip())
    return None


def _bare(value: str) -> str:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return str(found.get("session", "")) if isinstance(found, dict) else value
