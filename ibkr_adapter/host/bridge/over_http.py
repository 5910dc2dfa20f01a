"""Carry frames over HTTP on this machine, one a request, for several processes at once.

It listens on loopback only, and only with a token, which each request bears. Whatever a browser
could be made to send is refused: another host name, an origin, another kind of content. The
sessions outlive the processes that use them; a client that is gone does not stop a change that
runs, and finds its outcome under its key.

Source: RFC 9110 and 9112; docs/bridge.md has the addresses.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import signal
import socket
import sys
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import BoundedSemaphore, Thread
from typing import Any, TextIO

from ibkr_adapter.clock import Clock, SystemClock
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.redact import remember
from ibkr_adapter.setting_readers import is_loopback

from . import frames
from .dispatcher import Bridge
from .frames import LARGEST_FRAME, Code
from .waiting import Client

log = logging.getLogger(__name__)

PATH = f"/v{frames.PROTOCOL}/rpc"
# Where the token is looked for; it is no setting of the exchange's.
TOKEN = "IBKR_BRIDGE_TOKEN"  # noqa: S105  (a variable's name)
_SHORTEST_TOKEN = 32
# A client that says nothing for so many seconds is hung up on.
_SILENCE = 60.0
MOST_CONNECTIONS = 128
_MOST_DIGITS = 20


class Server(ThreadingHTTPServer):
    """The listener; ``start`` lets it answer from then on."""

    daemon_threads = True
    block_on_close = False
    # More may knock at once than are let in at once.
    request_queue_size = MOST_CONNECTIONS

    def __init__(
        self,
        bridge: Bridge,
        *,
        token: str | None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        if not is_loopback(host):
            raise ConfigurationError(
                f"the bridge does not listen at {host}: whoever reaches it could trade.",
                remedy="Listen at 127.0.0.1; to reach it from elsewhere, use a tunnel.",
            )
        if token is None or len(token) < _SHORTEST_TOKEN:
            raise ConfigurationError(
                f"the bridge does not listen without a token of {_SHORTEST_TOKEN} characters.",
                remedy=f"Set {TOKEN} in the environment of both sides, such as to what"
                " 'openssl rand -hex 32' prints.",
            )
        remember(token)
        self.bridge = bridge
        self.clock = clock or SystemClock()
        self.bearer = f"Bearer {token}".encode()
        self._slots = BoundedSemaphore(MOST_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        """Where clients post."""
        host, port = self.server_address[:2]
        named = f"[{host!s}]" if self.address_family == socket.AF_INET6 else str(host)
        return f"http://{named}:{port}{PATH}"

    def start(self) -> Thread:
        """Answer from now on, on a thread of its own."""
        thread = Thread(target=self.serve_forever, args=(0.1,), name="ibkr-bridge-http", daemon=True)
        thread.start()
        return thread

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  (the base's signature)
        """Let in as many at once as there is room for."""
        return self._slots.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (the base's signature)
        """Log that a connection failed; the base prints it with all that it knows."""
        log.warning("a connection failed: %s", type(sys.exception()).__name__)


class Handler(BaseHTTPRequestHandler):
    """One connection: each POST has a frame, and is answered with one."""

    protocol_version = "HTTP/1.1"
    server_version = "ibkr-bridge"
    sys_version = ""
    timeout = _SILENCE
    # Head and body leave as two writes; without this the second waits for the first to be confirmed.
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_POST(self) -> None:
        """Take a frame."""
        refused = self._refusal()
        if refused is not None:
            status, code, message = refused
            # What the body holds is not read, so the line cannot be used again.
            self.close_connection = True
            self._answer(status, frames.answer(None, frames.error(code, message)))
            return
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        told = self.server.clock.flag()
        answers: list[bytes] = []

        def send(answer: bytes) -> None:
            answers.append(answer)
            told.set()

        self.server.bridge.take(Client(send, greeted=True), raw)
        told.wait()
        self._answer(200, answers[0])

    def _refusal(self) -> tuple[int, Code, str] | None:
        """Why a request is not taken, or ``None`` if it is."""
        stranger = self._stranger()
        if stranger is not None:
            return stranger
        if self.path != PATH:
            return 404, Code.NO_HANDSHAKE, f"This bridge speaks protocol {frames.PROTOCOL}, at {PATH}."
        if self.headers.get_content_type() != "application/json":
            return 415, Code.NOT_A_CALL, "A frame is application/json."
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            return 411, Code.NOT_A_CALL, "A frame has a Content-Length."
        # Python reads no number of thousands of digits.
        if len(length) > _MOST_DIGITS or int(length) > LARGEST_FRAME:
            return 413, Code.TOO_LARGE, f"A frame has {LARGEST_FRAME} bytes at most."
        return None

    def _stranger(self) -> tuple[int, Code, str] | None:
        given = self.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self.server.bearer):
            return 401, Code.NOT_A_CALL, "The bearer token is missing or is not the bridge's."
        host = self.headers.get("Host", "").rpartition(":")
        if not is_loopback((host[0] or host[2]).strip("[]")) or self.headers.get("Origin") is not None:
            return 403, Code.NOT_A_CALL, "The bridge answers programs of this machine only."
        return None

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base's signature)
        """Say nothing: an address bar may hold anything."""


def run(
    bridge: Bridge, *, token: str | None, host: str = "127.0.0.1", port: int = 0, ready: TextIO | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; one line of JSON on standard output says where.

    Raises:
        ConfigurationError: The address is not this machine's own, or there is no token.
        OSError: The port is taken.
    """
    # A simple queue may be fed from a signal handler; setting an event there can deadlock.
    signals: SimpleQueue[int] = SimpleQueue()
    with ExitStack() as undo:
        server = Server(bridge, token=token, host=host, port=port)
        undo.callback(server.server_close)
        for number in (signal.SIGTERM, signal.SIGINT):
            undo.callback(signal.signal, number, signal.signal(number, lambda which, _: signals.put(which)))
        # Calls that wait are answered while the listener still stands.
        undo.callback(server.shutdown)
        undo.callback(bridge.close)
        server.start()
        stream = ready or sys.stdout
        stream.write(json.dumps({"ready": True, "url": server.url, "pid": os.getpid()}) + "\n")
        stream.flush()
        log.info("the bridge stops on signal %d", signals.get())
