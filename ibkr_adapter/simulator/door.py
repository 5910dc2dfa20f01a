"""The one seam between the simulated broker and the sockets in front of it.

The broker is a pure function of a :class:`Request` and the time; :mod:`.server` turns bytes into
requests and answers into bytes. What a healthy server never does (reset, cut, trickle) is
written on the answer as a :class:`WireFault` and done by the server, because only it has the
socket. A test that has no sockets reads the same note.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import attrs


class WireFaultKind(StrEnum):
    """What the server does to the connection instead of answering well."""

    REFUSE = "refuse"  # F01: nobody listens; the request never arrived
    RESET_UNREAD = "reset_unread"  # F02: RST before the body is read; nothing was processed
    CLOSE_UNREAD = "close_unread"  # F02: an orderly close instead, as of a line that was idle too long
    HALF_OPEN_UNREAD = "half_open_unread"  # F02: nothing is read, nothing comes, the line stays open
    RESET_ANSWERED = "reset_answered"  # F03: processed, then RST instead of an answer
    CLOSE_ANSWERED = "close_answered"  # F03: processed, then an orderly close
    SILENCE = "silence"  # F04: processed, the answer leaves after ``seconds``
    LATE = "late"  # F04: the same, also to a client that has hung up, and the line ends behind it
    HALF_OPEN = "half_open"  # F04: processed, nothing ever comes, the line stays open
    TRUNCATE = "truncate"  # F16: Content-Length promises more than is sent
    CUT_CHUNK = "cut_chunk"  # F16: a chunked body that ends inside a chunk
    CUT_UNFRAMED = "cut_unframed"  # F16: no length at all, closed half way: looks like a clean 200
    BROKEN_GZIP = "broken_gzip"  # F16: Content-Encoding: gzip over half of a gzip stream
    NOT_GZIP = "not_gzip"  # F16: Content-Encoding: gzip over plain text
    TWO_LENGTHS = "two_lengths"  # F16: two Content-Lengths that differ
    GARBAGE_CHUNK = "garbage_chunk"  # F16: a chunked body whose sizes are no numbers
    SURPLUS = "surplus"  # F16: bytes behind the body, which the next answer on the line comes after
    TRICKLE = "trickle"  # F17: one byte every ``seconds``
    ENDLESS_HEADERS = "endless_headers"  # F17: header lines that never end
    ENDLESS_BODY = "endless_body"  # F17: chunks of blanks that never end
    HALF_BODY = "half_body"  # F17: head and half of the body, then nothing on an open line
    EARLY_HINTS = "early_hints"  # F17: 103 before the answer
    GARBAGE_STATUS = "garbage_status"  # F17: a status line that is none
    GARBAGE_HEADER = "garbage_header"  # F17: lines behind the headers that are none
    BELOW_TLS = "below_tls"  # F36: processed, then bytes that are no TLS records


class HelloKind(StrEnum):
    """What the server does to the TLS handshake of a connection: F36."""

    EXPIRED = "expired"  # a certificate that is past its time
    WRONG_HOST = "wrong_host"  # one for another name
    SELF_SIGNED = "self_signed"  # a good one, that nobody has pinned
    PLAIN = "plain"  # plain http where TLS was expected
    OLD_VERSION = "old_version"  # an alert: no version of TLS that both speak
    RESET = "reset"
    SILENCE = "silence"
    CLOSE = "close"


@attrs.frozen(kw_only=True)
class HelloFault:
    """One thing to do to a handshake; ``seconds`` is how long a silence lasts."""

    kind: HelloKind
    seconds: float = 0.0


@attrs.frozen(kw_only=True)
class WireFault:
    """One thing to do to the connection; ``seconds`` is for the kinds that take time."""

    kind: WireFaultKind
    seconds: float = 0.0


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request as it arrived.

    ``path`` is the raw path from the root of the server, still percent-encoded, without the
    query; ``query`` is decoded, in order, ``raw_query`` as it was written; ``headers`` have
    lower-case names. ``local`` is the address and port at which it arrived, if that is known.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    client: str = "127.0.0.1"
    local: str = ""
    secure: bool = False
    raw_query: str = ""


@attrs.frozen(kw_only=True)
class Frame:
    """One frame of a stream as it shall leave: binary, unless it is ``text``.

    ``topic`` is what faults know it by.
    """

    payload: bytes
    topic: str = ""
    text: bool = False


ABRUPT = 1006  # the code of a stream that ended without a code


class Wire(Protocol):
    """One stream as its carrier sees it; all calls are quick and thread-safe.

    ``closed`` is the code with which it has ended, or nothing while it is open. ``wake`` is called,
    from any thread, when there is something to take.
    """

    wake: Callable[[], None]

    @property
    def closed(self) -> int | None:
        """The code with which it has ended."""

    def send(self, written: str | bytes) -> None:
        """Bring a frame of the client."""

    def take(self) -> list[Frame]:
        """Take what shall leave now."""

    def hang_up(self) -> None:
        """Say that the client is gone."""


@attrs.frozen(kw_only=True)
class Answer:
    """One HTTP answer as it shall leave, and what shall happen to the connection.

    With a ``stream`` the connection goes on as a WebSocket.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    wire: WireFault | None = None
    stream: Wire | None = attrs.field(default=None, eq=False)
