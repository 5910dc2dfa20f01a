"""A WebSocket server on a bare loopback socket: quick, and rude when a test wants it.

It shakes hands by hand and frames by hand, so that nothing of what is tested judges itself.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Self

SUCCESS = {"topic": "system", "success": "username", "isFT": False, "isPaper": True}
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(content: object, opcode: int = BINARY, *, final: bool = True) -> bytes:
    """Write a frame as a server does, unmasked."""
    payload = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
    head = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


class Talk:
    """One accepted line, after its handshake."""

    def __init__(self, line: socket.socket, head: str) -> None:
        self.line = line
        self.head = head
        self._unread = b""

    @property
    def target(self) -> str:
        return self.head.split(" ")[1]

    def header(self, name: str) -> str | None:
        for row in self.head.split("\r\n")[1:]:
            key, _, value = row.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def send(self, *contents: object) -> None:
        self.line.sendall(b"".join(frame(content) for content in contents))

    def send_raw(self, sent: bytes) -> None:
        self.line.sendall(sent)

    def read(self) -> tuple[int, bytes] | None:
        """Read one frame of the client's; ``None`` when it has gone."""
        try:
            first, second = self._exactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._exactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._exactly(8))
            mask = self._exactly(4)
            payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self._exactly(size)))
        except (EOFError, OSError):
            return None
        return first & 0x0F, payload

    def texts(self) -> Iterable[str]:
        """What the client writes, until it goes."""
        while (found := self.read()) is not None and found[0] != CLOSE:
            if found[0] == TEXT:
                yield found[1].decode()

    def reset(self) -> None:
        """Break the line with an RST."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.line.close()

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            more = self.line.recv(65536)
            if not more:
                raise EOFError
            self._unread += more
        part, self._unread = self._unread[:size], self._unread[size:]
        return part


class StreamServer:
    """Accepts lines and plays ``script`` on each, in a thread of its own."""

    def __init__(
        self,
        script: Callable[[Talk], None],
        *,
        tls: ssl.SSLContext | None = None,
        answer: Callable[[str], bytes | None] = lambda head: None,
        port: int = 0,
    ) -> None:
        self._script = script
        self._tls = tls
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", port), backlog=16)
        self.port: int = self._listener.getsockname()[1]
        self.talks: list[Talk] = []
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="stream server", daemon=True)
        self._stopping = False

    @property
    def url(self) -> str:
        return f"{'ws' if self._tls is None else 'wss'}://127.0.0.1:{self.port}/v1/api/ws"

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            pass
        self._acceptor.join(5)
        self._listener.close()
        for talk in self.talks:
            with contextlib.suppress(OSError):
                talk.line.shutdown(socket.SHUT_RDWR)
            talk.line.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            line, _ = self._listener.accept()
            if self._stopping:
                line.close()
                return
            thread = threading.Thread(target=self._serve, args=(line,), name="stream line", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, line: socket.socket) -> None:
        try:
            if self._tls is not None:
                line = self._tls.wrap_socket(line, server_side=True)
            talk = Talk(line, _head_of(line))
            self.talks.append(talk)
            refusal = self._answer(talk.head)
            if refusal is not None:
                line.sendall(refusal)
                line.close()
                return
            key = (talk.header("Sec-WebSocket-Key") or "").encode()
            accept = base64.b64encode(hashlib.sha1(key + _KEY).digest())  # noqa: S324 - the protocol's own
            line.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            self._script(talk)
        except (OSError, EOFError):
            line.close()


def until(what: Callable[[], object], seconds: float) -> None:
    """Wait until something holds on another thread.

    Raises:
        AssertionError: It does not, in so many seconds.
    """
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen in {seconds} seconds")
        time.sleep(0.01)


def _head_of(line: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        more = line.recv(65536)
        if not more:
            raise EOFError
        head += more
    return head.decode("latin-1")
