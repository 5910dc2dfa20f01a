"""Break connections on purpose, each way as it looks on a real line.

Knows what every :class:`~.door.WireFaultKind` is in bytes, in time and in socket options. Whether
a request meets a fault is the broker's decision; closing the listening port is the doorstep's.
How each way is felt by a client was tried against ``requests`` and ``http.client``, and is pinned
by ``tests/system/test_simulator_server.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import attrs

from .door import Answer, WireFault, WireFaultKind

# Waits so many seconds; False when the server stops meanwhile.
Pause = Callable[[float], Awaitable[bool]]

LONGEST_SECONDS = 120.0
# What a fault without a figure takes, in seconds; for the last three it is the time between two pieces.
DEFAULT_SECONDS = {
    WireFaultKind.REFUSE: 0.5,
    WireFaultKind.SILENCE: 1.0,
    WireFaultKind.LATE: 1.0,
    WireFaultKind.HALF_OPEN_UNREAD: LONGEST_SECONDS,
    WireFaultKind.HALF_OPEN: LONGEST_SECONDS,
    WireFaultKind.HALF_BODY: LONGEST_SECONDS,
    WireFaultKind.TRICKLE: 0.05,
    WireFaultKind.ENDLESS_HEADERS: 0.01,
    WireFaultKind.ENDLESS_BODY: 0.01,
}

# Nothing really is endless: a client that reads on for ever is let go some time.
MOST_PIECES = 20_000
_PIECE = b" " * 64
_SURPLUS_SECONDS = 0.005
# How often a line that is held is looked at.
_LOOK_SECONDS = 0.05

_EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </sso/Login>; rel=preload\r\n\r\n"
_NO_RECORDS = b"these are no TLS records\r\n"
_UNASKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
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
    if fault.kind is WireFaultKind.EARLY_HINTS:
        line.write(_EARLY_HINTS)
        return answer
    if fault.kind is WireFaultKind.SURPLUS:
        # Behind the answer, which leaves as soon as this returns, and on a line that lives on.
        asyncio.get_running_loop().call_later(_SURPLUS_SECONDS, _write_more, line)
        return answer
    if fault.kind in _SPOILED:
        return _SPOILED[fault.kind](answer)
    if fault.kind in _SPELLED:
        line.write(_SPELLED[fault.kind](answer))
        # What is cut or wrong ends there; what is only left unfinished stays as it is.
        if fault.kind in _LEFT_OPEN:
            await hold(line, pause, duration(fault))
        return None
    return await _suffer(fault, answer, line, pause)


async def _suffer(fault: WireFault, answer: Answer, line: asyncio.Transport, pause: Pause) -> Answer | None:
    seconds = duration(fault)
    match fault.kind:
        case WireFaultKind.SILENCE:
            return answer if await pause(seconds) else None
        case WireFaultKind.RESET_ANSWERED | WireFaultKind.RESET_UNREAD | WireFaultKind.REFUSE:
            reset(line)  # of the last two the listening port's part is done elsewhere
        case WireFaultKind.HALF_OPEN | WireFaultKind.HALF_OPEN_UNREAD:
            await hold(line, pause, seconds)
        case WireFaultKind.LATE:
            await _late(whole(answer), line, pause, seconds)
        case WireFaultKind.BELOW_TLS:
            _write_below(line, _NO_RECORDS)
        case WireFaultKind.TRICKLE:
            await _trickle(whole(answer), line, pause, seconds)
        case WireFaultKind.ENDLESS_HEADERS:
            await _endless(head(answer).removesuffix(b"\r\n"), _header_line, line, pause, seconds)
        case WireFaultKind.ENDLESS_BODY:
            begin = head(answer, ("Transfer-Encoding", "chunked"))
            await _endless(begin, _blank_chunk, line, pause, seconds)
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


def two_lengths(answer: Answer) -> bytes:
    """Spell an answer that says twice, and differently, how long it is."""
    size = len(answer.body)
    return head(answer, ("Content-Length", str(size)), ("Content-Length", str(size + 7))) + answer.body


def garbage_chunk(answer: Answer) -> bytes:
    """Spell a chunked answer whose sizes are no numbers."""
    return head(answer, ("Transfer-Encoding", "chunked")) + b"%zz?\r\n" + answer.body + b"\r\n0\r\n\r\n"


def garbage_header(answer: Answer) -> bytes:
    """Spell an answer with lines behind its headers that are none."""
    lines = head(answer, ("Content-Length", str(len(answer.body)))).removesuffix(b"\r\n")
    return lines + b"\x00\xff no header at all\r\n: nameless\r\n\r\n" + answer.body


def not_gzip(answer: Answer) -> Answer:
    """Call plain text compressed."""
    return attrs.evolve(answer, headers=(*answer.headers, ("Content-Encoding", "gzip")))


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


async def hold(line: asyncio.Transport, pause: Pause, seconds: float) -> None:
    """Keep a line open and say nothing, as long as the client stays, the server runs and it is not too long."""
    left = seconds
    while left > 0 and not line.is_closing() and await pause(min(left, _LOOK_SECONDS)):
        left -= _LOOK_SECONDS


async def _late(content: bytes, line: asyncio.Transport, pause: Pause, seconds: float) -> None:
    # A client that hangs up takes its transport along; a second descriptor keeps the line.
    with _second(line) as below:
        if not await pause(seconds):
            return
        if line.is_closing():
            # What arrives at a line that the other side has closed is answered with a reset there.
            with contextlib.suppress(OSError):
                below.send(content)
            return
    line.write(content)


def _write_more(line: asyncio.Transport) -> None:
    if not line.is_closing():
        line.write(_UNASKED)


def _write_below(line: asyncio.Transport, content: bytes) -> None:
    with _second(line) as below, contextlib.suppress(OSError):
        below.send(content)


def _second(line: asyncio.Transport) -> socket.socket:
    return socket.socket(fileno=os.dup(line.get_extra_info("socket").fileno()))


def _header_line(number: int) -> bytes:
    return b"X-More-%d: there is no end to it\r\n" % number


def _blank_chunk(_: int) -> bytes:
    return b"%x\r\n%b\r\n" % (len(_PIECE), _PIECE)


async def _endless(
    begin: bytes, piece: Callable[[int], bytes], line: asyncio.Transport, pause: Pause, seconds: float
) -> None:
    line.write(begin)
    for number in range(MOST_PIECES):
        if line.is_closing():
            return
        if line.get_write_buffer_size() < _UNREAD_LIMIT:
            line.write(piece(number))
        if not await pause(seconds):
            return


_SPOILED: dict[WireFaultKind, Callable[[Answer], Answer]] = {
    WireFaultKind.BROKEN_GZIP: half_gzip,
    WireFaultKind.NOT_GZIP: not_gzip,
}
_SPELLED: dict[WireFaultKind, Callable[[Answer], bytes]] = {
    WireFaultKind.TRUNCATE: lambda answer: cut(WireFaultKind.TRUNCATE, answer),
    WireFaultKind.HALF_BODY: lambda answer: cut(WireFaultKind.TRUNCATE, answer),
    WireFaultKind.CUT_CHUNK: lambda answer: cut(WireFaultKind.CUT_CHUNK, answer),
    WireFaultKind.CUT_UNFRAMED: lambda answer: cut(WireFaultKind.CUT_UNFRAMED, answer),
    WireFaultKind.GARBAGE_STATUS: lambda answer: b"%%% 200 fine\r\n" + whole(answer),
    WireFaultKind.GARBAGE_HEADER: garbage_header,
    WireFaultKind.GARBAGE_CHUNK: garbage_chunk,
    WireFaultKind.TWO_LENGTHS: two_lengths,
}
_LEFT_OPEN = frozenset({WireFaultKind.HALF_BODY})
