"""Read one answer from the line: all of it, in time, and only if its end is certain.

:mod:`http.client` takes half a head for a whole one, an interim answer for the real one and a
body without a length for complete when the line closes; urllib3 takes half a gzip stream for a
text. After an order each of these hides that nobody knows what the broker did, so they end in
:class:`.call.LineBroken` here. The file that the answer is read from waits no longer than the
call may take in all, which the time-outs of ``requests`` do not see to: they begin anew with
every byte.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from typing import cast

from ibkr_adapter.transport.call import Call, LineBroken, OutOfTime, current_call
from ibkr_adapter.transport.unpacking import MOST_BYTES, Undecodable, unpack

_GULP = 16 * 1024
_REDIRECTS = range(300, 400)
_REFUSED = 400
_INTERIM = re.compile(rb"HTTP/\d\.\d[ \t]+1\d\d\b")

# The first that fits is told.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (OutOfTime, "its time ran out"),
    (TimeoutError, "no answer in time"),
    (http.client.RemoteDisconnected, "closed without an answer"),
    (http.client.IncompleteRead, "an answer that was cut"),
    (http.client.HTTPException, "an answer that is no HTTP"),
)


def reason_of(error: Exception) -> str:
    """Say what happened, without a word of what was sent or received."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    if isinstance(error, ssl.SSLError):
        # One that was raised in Python, as by a pin, has no reason.
        return f"TLS: {getattr(error, 'reason', None) or type(error).__name__}"
    return getattr(error, "strerror", None) or type(error).__name__


def system_error(error: Exception) -> OSError | None:
    """Return ``error`` if it is the system's; http.client's own carry parts of the answer."""
    return error if isinstance(error, OSError) and not isinstance(error, http.client.HTTPException) else None


class AnswerFile:
    """What :mod:`http.client` reads an answer from; it knows what is left over, and when to stop.

    It stands in both for the socket that is asked for a file and for that file.
    """

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call
        # Holds the socket open where http.client closes the connection before the body is read.
        self._held = sock.makefile("rb", buffering=0)
        self._unread = b""
        self._total = 0
        self.closed = False

    def makefile(self, _mode: str) -> AnswerFile:
        """Return the file itself."""
        return self

    def starts_with_interim(self) -> bool:
        """Tell whether a 1xx comes first; waits for the status line, and leaves it unread."""
        while b"\n" not in self._unread and len(self._unread) < _GULP and self._gulp():
            pass
        return _INTERIM.match(self._unread) is not None

    def has_leftovers(self) -> bool:
        """Tell whether bytes came that belong to no answer."""
        return bool(self._unread)

    def readline(self, limit: int = -1) -> bytes:
        """Return the next line with its end, cut at ``limit``; nothing if no answer came at all.

        Raises:
            LineBroken: The line's end never came. http.client would take half a head for a whole.
        """
        while True:
            end = self._unread.find(b"\n") + 1
            if end or 0 <= limit <= len(self._unread):
                return self._take(min(end or limit, limit) if limit >= 0 else end)
            if not self._gulp():
                if self._total:
                    raise LineBroken("an answer that was cut")
                return b""

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, or as many as come before the end."""
        if 0 <= size <= len(self._unread):
            return self._take(size)
        parts = []
        missing = size
        while self._unread or self._gulp():
            part = self._take(missing if size >= 0 else len(self._unread))
            parts.append(part)
            missing -= len(part)
            if missing == 0:
                break
        return b"".join(parts)

    def flush(self) -> None:
        """Do nothing; http.client asks for it."""

    def close(self) -> None:
        """Let go of the socket, which stays open if a connection holds it."""
        self.closed = True
        self._held.close()

    def _take(self, size: int) -> bytes:
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    def _gulp(self) -> bool:
        self._sock.settimeout(self._call.patience())
        gulp = self._sock.recv(_GULP)
        self._total += len(gulp)
        if self._total > MOST_BYTES:
            raise LineBroken("the answer is too large")
        self._unread += gulp
        return bool(gulp)


class WholeAnswer(http.client.HTTPResponse):
    """An answer that is complete and unmistakable, or an error."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        self._call = current_call()
        self._file = AnswerFile(sock, self._call)
        super().__init__(cast("socket.socket", self._file), debuglevel, method)

    def begin(self) -> None:
        """Read status and headers; refuse what leaves the end of the body, or the line, in doubt."""
        # After a 103 every later answer on this line would belong to the call before it.
        if self._file.starts_with_interim():
            raise LineBroken("an interim answer that nobody asked for")
        super().begin()
        lengths = self.headers.get_all("content-length", [])
        if self.headers.defects:
            raise self._broken("headers that cannot be read")
        if len(lengths) > 1 or (lengths and self.chunked):
            raise self._broken("more than one statement of the answer's length")
        if lengths and not re.fullmatch(r"[0-9]+", lengths[0].strip()):
            raise self._broken("a length that is no number")
        if self.length is not None and self.length > MOST_BYTES:
            raise self._broken("the answer is too large")
        if self._call.changes_state and self.status in _REDIRECTS:
            raise self._broken("a redirect, which is never followed")

    def read(self, amt: int | None = None) -> bytes:
        """Return the whole body, unpacked; the line is still ours, and is closed if this fails."""
        unmeasured = self.length is None and not self.chunked
        try:
            body = unpack(super().read(amt), self.headers.get("content-encoding", ""))
            if unmeasured and not self._shows_its_end(body):
                raise self._broken("an answer without a length, which may have been cut")
        except Undecodable as error:
            raise self._broken(f"a body that cannot be unpacked ({error})") from None
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(reason_of(error), system_error(error)) from None
        self._call.ended(leftovers=self._file.has_leftovers())
        return body

    def _shows_its_end(self, body: bytes) -> bool:
        """Tell whether a body that ends where the line does, as those of HTTP/1.0 do, is all of one.

        No beginning of an object or a list can be read as JSON. A read needs no more than the status
        of a refusal, and its page ends with a tag.
        """
        text = body.strip()
        if text[:1] in {b"{", b"["}:
            try:
                json.loads(text)
            except (ValueError, RecursionError):
                return False
            return True
        is_enough = self.status >= _REFUSED or text[-7:].lower() == b"</html>"
        return is_enough and not self._call.changes_state

    def _broken(self, reason: str, cause: OSError | None = None) -> LineBroken:
        return LineBroken(reason, cause, self.status)
