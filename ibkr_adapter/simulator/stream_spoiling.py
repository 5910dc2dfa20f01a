"""What faults do to the frames of a stream on their way out.

A stream's fault waits for a topic, or for any frame, and strikes when one is about to leave: the
line ends or falls silent, something that is no frame leaves before it, or it comes twice, late, in
another order or not at all. Faults of requests are :mod:`.inflict`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from ibkr_adapter.simulator.door import ABRUPT, Frame
from ibkr_adapter.simulator.stream_frames import frame

if TYPE_CHECKING:
    from ibkr_adapter.simulator.faults import Armed, FaultBox
    from ibkr_adapter.simulator.stream_socket import Socket
    from ibkr_adapter.simulator.world import World

_NORMAL = 1000
_DELAY = 5.0
_REORDERED_FOR = 2.0  # seconds after which a frame that was held back comes in any case
_HUGE = 1_000_000
_BURST = 10_000
_LIFE = 900.0
_HTML = "<html><body>Service temporarily unavailable</body></html>"
_NO_UTF8 = b"\x99"
_ERROR = "Internal error"
_ORDER_IDS = ("acct", "conidex", "conid", "orderId", "isEventTrading")


@attrs.define(kw_only=True, eq=False)
class _Held:
    """A frame that is kept back, until a moment or until the next of its topic has left."""

    socket: Socket
    frame: Frame
    until: datetime
    by_next: bool


class Spoiler:
    """Do to the frames of one world what faults want."""

    def __init__(self, world: World, faults: FaultBox) -> None:
        self._world = world
        self._faults = faults
        self._held: list[_Held] = []
        self._lines: dict[str, Callable[[Armed, Socket, Frame], None]] = {
            "drop": lambda _, socket, __: socket.close(ABRUPT),
            "half_open": self._fall_silent,
            "close": lambda armed, socket, _: socket.close(int(armed.number("status", _NORMAL))),
        }
        self._keepers: dict[str, Callable[[Armed, Socket, Frame], None]] = {
            "reorder": self._reorder,
            "delay": self._delay,
            "ended": lambda armed, socket, _: self._end_quotes(armed, socket),
        }

    def spoil(self, socket: Socket, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames as they leave; when the line has ended or fallen silent, no more of them."""
        yield from self._due(socket)
        for one in frames:
            armed = self._faults.take_frame(one.topic.partition("+")[0], self._world.now)
            if armed is None:
                yield one
                yield from self._released(socket, one)
            elif armed.variant in self._lines:
                self._lines[armed.variant](armed, socket, one)
                return
            elif armed.variant in self._keepers:
                self._keepers[armed.variant](armed, socket, one)
            else:
                yield from _companions(armed, one)

    # The line.

    def _fall_silent(self, armed: Armed, socket: Socket, one: Frame) -> None:
        seconds = armed.wishes.get("seconds")
        socket.put_back(one)
        socket.fall_silent(None if seconds is None else self._world.now + timedelta(seconds=float(seconds)))

    # Frames that are kept back.

    def _reorder(self, _: Armed, socket: Socket, one: Frame) -> None:
        self._keep(socket, one, _REORDERED_FOR, by_next=True)

    def _delay(self, armed: Armed, socket: Socket, one: Frame) -> None:
        self._keep(socket, one, armed.number("seconds", _DELAY), by_next=False)

    def _keep(self, socket: Socket, one: Frame, seconds: float, *, by_next: bool) -> None:
        until = self._world.now + timedelta(seconds=seconds)
        self._held.append(_Held(socket=socket, frame=one, until=until, by_next=by_next))

    @staticmethod
    def _end_quotes(armed: Armed, socket: Socket) -> None:
        """End all quotes of the stream as if they had become old; the frame is the first that is missing."""
        socket.topics.age_quotes(armed.number("seconds", _LIFE))

    def _due(self, socket: Socket) -> Iterator[Frame]:
        now = self._world.now
        return self._let_go(lambda one: one.socket is socket and now >= one.until)

    def _released(self, socket: Socket, last: Frame) -> Iterator[Frame]:
        return self._let_go(
            lambda one: one.socket is socket and one.by_next and one.frame.topic == last.topic
        )

    def _let_go(self, fits: Callable[[_Held], bool]) -> Iterator[Frame]:
        going = [one for one in self._held if fits(one)]
        self._held = [one for one in self._held if one not in going and one.socket.closed is None]
        return (one.frame for one in going)


def _companions(armed: Armed, one: Frame) -> list[Frame]:
    """A frame, and what leaves with it."""
    if armed.variant == "invalid":
        return [attrs.evolve(one, payload=_with_a_bad_byte(one.payload))]
    if armed.variant == "text":
        return [attrs.evolve(one, text=True)]
    if armed.variant == "burst":
        return [one] * int(armed.number("count", _BURST))
    return [_BEFORE[armed.variant](armed, one), one]


def _huge(armed: Armed, _: Frame) -> Frame:
    filling = "x" * int(armed.number("count", _HUGE))
    row = {"id": "0", "text": filling, "title": None, "url": None}
    return frame({"topic": "ntf", "args": [row]})


def _with_a_bad_byte(payload: bytes) -> bytes:
    """A byte that is no UTF-8, inside the last text of the frame."""
    head, quote, tail = payload.rpartition(b'"')
    return head + _NO_UTF8 + quote + tail if quote else payload + _NO_UTF8


def _empty(one: Frame) -> Frame:
    """An update that says nothing: of an order its ids, of anything else its topic."""
    body = json.loads(one.payload)
    rows = body.get("args")
    if body.get("topic") == "sor" and rows:
        rows = [{key: row[key] for key in _ORDER_IDS if key in row} for row in rows]
        return frame({"topic": "sor", "args": rows})
    return frame({"topic": body.get("topic", "")})


# What leaves before a frame.
_BEFORE: dict[str, Callable[[Armed, Frame], Frame]] = {
    "garbage": lambda armed, _: Frame(payload=str(armed.wishes.get("body", _HTML)).encode()),
    "huge": _huge,
    "error": lambda armed, _: frame({"topic": "error", "error": str(armed.wishes.get("body", _ERROR))}),
    "unauthenticated": lambda _, __: frame({"topic": "sts", "args": {"authenticated": False}}),
    "empty": lambda _, one: _empty(one),
    "duplicate": lambda _, one: one,
}
