"""Break connections on purpose, each way as it looks on a real line.

Knows what every :class:`~.door.WireFaultKind` is in bytes, in time and in socket options. Whether
a request meets a fault is the broker's decision; closing the listening port is the doorstep's.
How each way is felt by a client was tried against ``requests`` and ``http.client``, and is pinned
by ``tests/system/test_simulator_server.py``.
"""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

import attrs

from .door import Answer, WireFault, WireFaultKind

if TYPE_CHECKING:
    import asyncio

# Waits so many seconds; False when the server stops meanwhile.
Pause = Callable[[float], Awaitable[bool]]

# What a fault without a figure takes, in seconds; for the last two it is the time between bytes and lines.
DEFAULT_SECONDS = {
    WireFaultKind.REFUSE: 0.5,
    WireFaultKind.SILENCE: 1.0,
    WireFaultKind.TRICKLE: 0.05,
    WireFaultKind.ENDLESS_HEADERS: 0.01,
}
LONGEST_SECONDS = 120.0

# Headers "never" end, but a client that reads on for ever is let go some time.
MOST_HEADER_LINES = 20_000

_EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </sso/Login>; rel=preload\r\n\r\n"
# No more is written while a client does not read: the point is its patience, not our memory.
_UNREAD_LIMIT = 65_536


def duration(fault: WireFault) -> float:
    """Seconds that a fault takes: its own figure, bounded, or the default of its kind."""
    return min(fault.seconds or DEFAULT_SECONDS.get(fault.kind, 0.0), LONGEST_SECONDS)


def reset(line: asyncio.Transport) -> None:
    """Drop a connection so that the other side sees a reset instead of an orderly end."""
    sock = line.get_extra_info("socket")
    # Lingering for zero seconds makes the kernel send RST and forget what was not sent.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.abort()


async def inflict(fault: WireFault, answer: Answer, line: asyncio.Transport, pause: Pause) -> Answer | None:
    """Do to ``line`` what the fault says.

    Returns:
        The answer that shall still leave in the ordinary way, or None when the line has had all
        that it shall have and is to be closed.
    """
    seconds = duration(fault)
    match fault.kind:
        case WireFaultKind.SILENCE:
            return answer if await pause(seconds) else None
        case WireFaultKind.EARLY_HINTS:
            line.write(_EARLY_HINTS)
            return answer
        case WireFaultKind.BROKEN_GZIP:
            return half_gzip(answer)
        case WireFaultKind.RESET_ANSWERED | WireFaultKind.RESET_UNREAD | WireFaultKind.REFUSE:
            reset(line)  # of the last two the listening port's part is done elsewhere
        case WireFaultKind.TRICKLE:
            await _trickle(whole(answer), line, pause, seconds)
        case WireFaultKind.ENDLESS_HEADERS:
            await _endless(answer, line, pause, seconds)
        case WireFaultKind.TRUNCATE | WireFaultKind.CUT_CHUNK | WireFaultKind.CUT_UNFRAMED:
            line.write(cut(fault.kind, answer))
        case WireFaultKind.GARBAGE_STATUS:
            line.write(b"%%% 200 fine\r\n" + whole(answer))
    return None  # of a closed line nothing is heard at all, so there is no case for it


def head(answer: Answer, *framing: tuple[str, str]) -> bytes:
    """Spell a status line and headers, up to and with the empty line."""
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in (*answer.headers, *framing)]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def whole(answer: Answer) -> bytes:
    """Spell an answer that is right in every byte and the last one of its connection."""
    framing = (("Content-Length", str(len(answer.body))), ("Connection", "close"))
    return head(answer, *framing) + answer.body


def cut(kind: WireFaultKind, answer: Answer) -> bytes:
    """Spell an answer that stops in the middle of its body, framed as ``kind`` says."""
    half = answer.body[: len(answer.body) // 2]
    # An empty body is promised one byte, so that there is something to miss.
    promised = max(len(answer.body), 1)
    if kind is WireFaultKind.TRUNCATE:
        return head(answer, ("Content-Length", str(promised))) + half
    if kind is WireFaultKind.CUT_CHUNK:
        return head(answer, ("Transfer-Encoding", "chunked")) + b"%x\r\n" % promised + half
    return head(answer, ("Connection", "close")) + half


def half_gzip(answer: Answer) -> Answer:
    """Compress an answer and keep half of the stream; its length is honest, only its end is missing."""
    stream = gzip.compress(answer.body, mtime=0)
    headers = (*answer.headers, ("Content-Encoding", "gzip"))
    return attrs.evolve(answer, headers=headers, body=stream[: len(stream) // 2])


async def _trickle(content: bytes, line: asyncio.Transport, pause: Pause, seconds: float) -> None:
    for byte in content:
        if line.is_closing():
            return
        line.write(bytes((byte,)))
        if not await pause(seconds):
            return


async def _endless(answer: Answer, line: asyncio.Transport, pause: Pause, seconds: float) -> None:
    line.write(head(answer).removesuffix(b"\r\n"))
    for number in range(MOST_HEADER_LINES):
        if line.is_closing():
            return
        if line.get_write_buffer_size() < _UNREAD_LIMIT:
            line.write(b"X-More-%d: there is no end to it\r\n" % number)
        if not await pause(seconds):
            return
