"""Carry frames over standard input and output, one a line.

Standard output belongs to the frames: it is taken away from everybody else before the first one,
so that whatever a library prints lands in the log. The end of standard input is the end of the
client: changes that run are brought to their end, and the process ends.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import BinaryIO

from . import frames
from .dispatcher import Bridge
from .frames import LARGEST_FRAME, Code
from .waiting import Client

log = logging.getLogger(__name__)


class Pipe:
    """One client at the other end of two streams."""

    def __init__(self, bridge: Bridge, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._bridge = bridge
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()
        self._is_gone = False

    def serve(self) -> None:
        """Answer until the client is gone; changes that run have ended on return."""
        client = Client(self._send, pushes=True)
        try:
            for line in self._lines(client):
                self._bridge.take(client, line)
        finally:
            self._bridge.leave(client)
            self._bridge.close()

    def _lines(self, client: Client) -> Iterator[bytes]:
        while line := self._incoming.readline(LARGEST_FRAME + 1):
            if len(line) > LARGEST_FRAME and not line.endswith(b"\n"):
                # It is read past and never kept, so that the next frame is understood again.
                while not line.endswith(b"\n") and (line := self._incoming.readline(LARGEST_FRAME)):
                    pass
                client.answer(
                    None, frames.error(Code.TOO_LARGE, f"A frame has {LARGEST_FRAME} bytes at most.")
                )
            elif line.strip():
                yield line

    def _send(self, raw: bytes) -> None:
        with self._lock:
            if self._is_gone:
                return
            try:
                self._outgoing.write(raw + b"\n")
                self._outgoing.flush()
            except (OSError, ValueError):
                # Nobody reads any more; what was done is kept under its key.
                self._is_gone = True
                log.warning("the client reads no more")


class _Told(BaseException):
    """A signal asked for the end; it is no error, and nobody who answers errors may hold it up."""


def run(bridge: Bridge) -> None:
    """Serve this process's own standard input and output until they end or SIGTERM comes."""
    with _own_streams() as (incoming, outgoing), _ended_by_signals(), suppress(_Told):
        Pipe(bridge, incoming, outgoing).serve()


@contextmanager
def _own_streams() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Take the two streams for the frames: what else is written goes to the log, nothing else reads."""
    sys.stdout.flush()
    kept_in, kept_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    with os.fdopen(kept_in, "rb") as incoming, os.fdopen(kept_out, "wb") as outgoing:
        yield incoming, outgoing


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    def tell(_: int, __: FrameType | None) -> None:
        # Once: a second signal must not cut short what is brought to its end.
        for number in former:
            signal.signal(number, signal.SIG_IGN)
        raise _Told

    former = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
