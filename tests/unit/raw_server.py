"""A server on a bare loopback socket that can do to an answer whatever must be survived.

Its own log (``booked``) is the judge of what arrived: a request is in it once head and body have
been read in full, as an order would be.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

OK_BODY = b'{"ok":true}'


def answer(body: bytes = OK_BODY, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Compose a well-formed answer; every header line in ``headers`` ends in CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


@dataclass
class Request:
    """A request that arrived in full."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Conversation:
    """One accepted connection, as a script sees it."""

    server: RawServer
    raw: socket.socket
    line: socket.socket
    unread: bytes = b""
    heads: list[Request] = field(default_factory=list)

    def read_head(self) -> Request | None:
        """Read up to the blank line; ``None`` if the client closed."""
        while b"\r\n\r\n" not in self.unread:
            more = self.line.recv(65536)
            if not more:
                return None
            self.unread += more
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        request = Request(method, target, {name.lower(): value.strip() for name, _, value in pairs}, b"")
        self.heads.append(request)
        return request

    def read_request(self) -> Request | None:
        """Read a whole request and book it."""
        request = self.read_head()
        if request is None:
            return None
        size = int(request.headers.get("content-length", 0))
        while len(self.unread) < size:
            more = self.line.recv(65536)
            if not more:
                return None
            self.unread += more
        request.body, self.unread = self.unread[:size], self.unread[size:]
        self.server.booked.append(request)
        return request

    def send(self, sent: bytes) -> None:
        """Send bytes as they are."""
        self.line.sendall(sent)

    def reset(self) -> None:
        """Break the connection with an RST."""
        self.raw_close(linger=struct.pack("ii", 1, 0))

    def raw_close(self, linger: bytes | None = None) -> None:
        """Close below TLS."""
        if linger is not None:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        fd = self.line.detach()
        socket.close(fd)

    def send_below_tls(self, sent: bytes) -> None:
        """Send bytes that are no TLS records, on a TLS line."""
        with socket.socket(fileno=socket.dup(self.line.fileno())) as below:
            below.sendall(sent)

    def wait_for_close(self) -> None:
        """Say nothing until the client goes, or the server stops."""
        self.server.stopping.wait(5)


Script = Callable[[Conversation], None]


def serve_well(talk: Conversation) -> None:
    """Answer every request as it should be."""
    while talk.read_request() is not None:
        talk.send(answer())


def after_a_good_one(fault: Script) -> Script:
    """Warm the line with one good answer; then, on the next request of it, do ``fault``.

    Only the first line of a server is faulty, so that the call after it finds a sane one.
    """

    def script(talk: Conversation) -> None:
        if talk.server.accepted > 1:
            serve_well(talk)
            return
        assert talk.read_request() is not None
        talk.send(answer())
        fault(talk)

    return script


class RawServer:
    """Accepts connections on 127.0.0.1 and plays a script on each, in a thread of its own."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, greets: bool = True) -> None:
        self.script = script
        self.tls = tls
        self.greets = greets
        self.booked: list[Request] = []
        self.accepted = 0
        self.ended = 0
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._lines: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept, name="raw server")

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    def url(self, target: str = "/v1/api/tickle", *, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{target}"

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.booked if request.method != "GET"]

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        # Waking accept() by closing its socket is not reliable; a last connection is.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            pass
        self._acceptor.join(5)
        self._listener.close()
        for line in self._lines:
            # Wakes a conversation that waits for a client who keeps its line.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            raw, _ = self._listener.accept()
            if self.stopping.is_set():
                raw.close()
                return
            raw.settimeout(5)
            # Else small answers wait 40 ms for an acknowledgement of the one before.
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            thread = threading.Thread(target=self._converse, args=(raw,), name="raw conversation")
            self._threads.append(thread)
            thread.start()

    def _converse(self, raw: socket.socket) -> None:
        line = raw
        self._lines.append(raw)
        # A client that hangs up in the middle is what many of the scripts bring about.
        with contextlib.suppress(OSError):
            if self.tls is not None and self.greets:
                line = self.tls.wrap_socket(raw, server_side=True)
                self._lines.append(line)
            self.script(Conversation(self, raw, line))
        line.close()
        self.ended += 1
