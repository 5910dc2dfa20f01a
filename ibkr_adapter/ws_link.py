"""Hold one WebSocket line: the only room that knows ``websocket-client``.

It connects by itself, so that no proxy of the environment and no laxer TLS comes in between: the
context is that of :mod:`ibkr_adapter.tls`, and the library is handed a socket whose peer was
judged. All that happens on a line happens on one thread; :meth:`Link.wake` alone may be called
from others. Frames come in batches, as much as has arrived, because IBKR sends in bursts.

What the frames say is for :mod:`ibkr_adapter.wire.stream`, when to connect for
:mod:`ibkr_adapter.streaming`. Texts name the server and never the address, which has a token in it.
The room is loaded with the first stream; nobody who has none pays for its libraries.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import websocket

from ibkr_adapter import tls
from ibkr_adapter.clock import Clock

Frame = bytes | str

# How much is read and handed over at once, and what no frame of IBKR's comes near.
_CHUNK = 1 << 16
MOST_FRAMES = 1000
LONGEST_FRAME = 32 * 1024 * 1024
# The first byte of a frame that is all of a text or a binary message; how the length of a longer one is
# marked, and how long the head is then.
_PLAIN = frozenset({0x81, 0x82})
_TWO_BYTES_MORE = 126
_LONGEST_HEAD = 4
# A peer that does not take a few bytes for so long has gone.
SEND_WITHIN = 10.0

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_BROKEN = (OSError, ValueError, websocket.WebSocketException)


class LineLost(Exception):  # noqa: N818  (named by what happened)
    """The line is gone or was never there; ``status`` is that of a refused handshake.

    ``untrusted`` where the certificate was not believed. It never leaves the library.
    """

    def __init__(self, reason: str, *, status: int | None = None, untrusted: bool = False) -> None:
        self.status = status
        self.untrusted = untrusted
        super().__init__(reason)


class Link(Protocol):
    """A line that is open; everything but :meth:`wake` is for the thread that opened it."""

    def receive(self, seconds: float) -> Sequence[Frame]:
        """Return what has arrived, waiting for the first frame at most so long; nothing after :meth:`wake`.

        Raises:
            LineLost: It is gone.
        """

    def send(self, text: str) -> None:
        """Send one text frame.

        Raises:
            LineLost: It is gone; nobody knows what of it arrived.
        """

    def wake(self) -> None:
        """Have a :meth:`receive` that waits, or the next one that would, return now."""

    def close(self) -> None:
        """Hang up, and wait for nobody."""


# Opens a line: an address, headers, and the seconds it may take in all.
Dial = Callable[[str, Mapping[str, str], float], Link]


def dialer(clock: Clock, trust: tls.Trust, user_agent: str) -> Dial:
    """Make the function that opens lines to servers that are believed by ``trust``."""

    def dial(url: str, headers: Mapping[str, str], seconds: float) -> Link:
        return WsLink.open(url, {"User-Agent": user_agent, **headers}, seconds, clock=clock, trust=trust)

    return dial


class _Wire:
    """A connected socket that ``websocket-client`` takes for one that may be read without waiting.

    It keeps what has arrived and was not asked for yet. Once the line is open a read that finds
    nothing is a time-out, which loses no part of a frame; while it is being opened reads wait.
    """

    def __init__(self, line: socket.socket, clock: Clock, until: float) -> None:
        self.opening = True
        self._line = line
        self._clock = clock
        self._until = until
        self._unread = b""
        self._position = 0
        self._selector = selectors.DefaultSelector()
        self._ear, self._mouth = socket.socketpair()
        for end in (line, self._ear, self._mouth):
            end.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._selector.register(line, selectors.EVENT_READ)

    # What the library asks of a socket ------------------------------------------------------

    def recv(self, size: int) -> bytes:
        start = self._position
        if start >= len(self._unread):
            if not self.opening or not self.fill(self._until):
                raise TimeoutError("timed out")
            start = 0
        self._position = start + size
        return self._unread[start : self._position]

    def send(self, sent: bytes) -> int:
        until = self._until if self.opening else self._clock.monotonic() + SEND_WITHIN
        while True:
            try:
                return self._line.send(sent)
            except _WOULD_BLOCK:
                if not self._ready(selectors.EVENT_READ | selectors.EVENT_WRITE, until):
                    raise TimeoutError("timed out") from None

    def gettimeout(self) -> float:
        return SEND_WITHIN

    def close(self) -> None:
        self._selector.close()
        for line in (self._line, self._ear, self._mouth):
            line.close()

    # What a line needs ------------------------------------------------------------------------

    def shake_hands(self) -> None:
        """Finish the TLS handshake."""
        while True:
            try:
                self._line.do_handshake()  # type: ignore[attr-defined]  # it is a TLS socket here
            except _WOULD_BLOCK as need:
                events = (
                    selectors.EVENT_WRITE if isinstance(need, ssl.SSLWantWriteError) else selectors.EVENT_READ
                )
                if not self._ready(events, self._until):
                    raise TimeoutError("timed out") from None
            else:
                return

    def fill(self, until: float) -> bool:
        """Wait until something has arrived; tell whether it has."""
        while True:
            try:
                arrived = self._line.recv(_CHUNK)
            except _WOULD_BLOCK:
                if not self._ready(selectors.EVENT_READ, until):
                    return False
                continue
            if not arrived:
                raise ConnectionResetError("closed by the server")
            self._unread, self._position = arrived, 0
            return True

    def whole(self) -> bytes | None:
        """Take the next frame, if it has arrived whole, in one piece, and is a text or binary one."""
        unread, start = self._unread, self._position
        if len(unread) - start < _LONGEST_HEAD or unread[start] not in _PLAIN:
            return None
        size, start = unread[start + 1], start + 2
        if size == _TWO_BYTES_MORE:
            size, start = int.from_bytes(unread[start : start + 2]), start + 2
        elif size > _TWO_BYTES_MORE:
            return None
        end = start + size
        if end > len(unread):
            return None
        self._position = end
        return unread[start:end]

    def wake(self) -> None:
        # It may be full of wakes, or be closed by now: both are as good.
        with contextlib.suppress(OSError):
            self._mouth.send(b"!")

    def _ready(self, events: int, until: float) -> bool:
        """Wait for the socket; tell whether it is worth another try, or the time is over or a wake came."""
        left = until - self._clock.monotonic()
        if left <= 0:
            return False
        if events != selectors.EVENT_READ:
            self._selector.modify(self._line, events)
        found = self._selector.select(left)
        if events != selectors.EVENT_READ:
            self._selector.modify(self._line, selectors.EVENT_READ)
        woken = any(key.fileobj is self._ear for key, _ in found)
        if woken:
            self._ear.recv(_CHUNK)
        return bool(found) and not woken


class WsLink:
    """A line over ``websocket-client``."""

    def __init__(self, client: websocket.WebSocket, wire: _Wire, clock: Clock) -> None:
        self._client = client
        self._wire = wire
        self._clock = clock
        self._end: LineLost | None = None

    @classmethod
    def open(
        cls, url: str, headers: Mapping[str, str], seconds: float, *, clock: Clock, trust: tls.Trust
    ) -> WsLink:
        """Connect, judge the peer and shake hands, all within ``seconds``.

        Raises:
            LineLost: It could not be had.
            ConfigurationError: The settings of trust cannot be used.
        """
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "wss"
        where = f"{host}:{parts.port or (443 if secure else 80)}"
        context = tls.context(trust, host) if secure else None
        until = clock.monotonic() + seconds
        with contextlib.ExitStack() as undo:
            try:
                line = socket.create_connection((host, parts.port or (443 if secure else 80)), seconds)
                undo.callback(line.close)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if context is not None:
                    line.setblocking(False)
                    line = context.wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
                wire = _Wire(line, clock, until)
                undo.callback(wire.close)
                if context is not None:
                    wire.shake_hands()
                client = websocket.WebSocket(skip_utf8_validation=True, enable_multithread=False)
                client.connect(  # type: ignore[no-untyped-call]
                    url, socket=wire, header=dict(headers), redirect_limit=0
                )
            except ssl.SSLCertVerificationError as error:
                raise LineLost(f"{where} shows a certificate that is not trusted", untrusted=True) from error
            except websocket.WebSocketBadStatusException as error:
                # Its own text has the headers and the body of the answer in it.
                raise LineLost(
                    f"{where} refused the stream (HTTP {error.status_code})", status=error.status_code
                ) from None
            except _BROKEN as error:
                raise LineLost(f"{where} gave no stream ({type(error).__name__})") from None
            undo.pop_all()
        wire.opening = False
        return cls(client, wire, clock)

    def receive(self, seconds: float) -> Sequence[Frame]:
        """Return what has arrived, waiting for the first frame at most ``seconds``."""
        frames: list[Frame] = []
        if self._end is None:
            try:
                self._end = self._read(frames, self._clock.monotonic() + seconds)
            except _BROKEN as error:
                self._end = _broken(error)
        # What came before the end counts, and the next call tells of the end.
        if self._end is not None and not frames:
            raise self._end
        return frames

    def _read(self, frames: list[Frame], until: float) -> LineLost | None:
        """Read what is there; the answer is the end of the line, if there is one."""
        read, whole = self._client.recv_data, self._wire.whole
        begun, joined = self._client.frame_buffer, self._client.cont_frame
        while len(frames) < MOST_FRAMES:
            # Nearly all frames are plain ones, which need not go through the library's many hands; it must
            # not be in the middle of one itself.
            if begun.header is None and not begun.recv_buffer and not joined.recving_frames:
                while len(frames) < MOST_FRAMES and (plain := whole()) is not None:
                    frames.append(plain)
            try:
                opcode, content = read()
            except websocket.WebSocketTimeoutException:
                # All that had arrived was read; the beginning of a frame is kept for the rest of it.
                if (self._client.frame_buffer.length or 0) > LONGEST_FRAME:
                    return LineLost("a frame came that is longer than any of IBKR's")
                if frames or not self._wire.fill(until):
                    return None
                continue
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return LineLost("the server closed it")
            frames.append(content)
        return None

    def send(self, text: str) -> None:
        """Send one text frame."""
        try:
            self._client.send(text)
        except _BROKEN as error:
            raise _broken(error) from None

    def wake(self) -> None:
        """Have a call that waits return; for other threads."""
        self._wire.wake()

    def close(self) -> None:
        """Say goodbye if anybody is there, and hang up."""
        with contextlib.suppress(*_BROKEN):
            self._client.send_close()
        self._wire.close()


def _broken(error: Exception) -> LineLost:
    return LineLost(f"the line broke ({type(error).__name__})")
