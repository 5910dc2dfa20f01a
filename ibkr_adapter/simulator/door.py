"""The one seam between the simulated broker and the sockets in front of it.

The broker is a pure function of a :class:`Request` and the time; :mod:`.server` turns bytes into
requests and answers into bytes. What a healthy server never does (reset, cut, trickle) is
written on the answer as a :class:`WireFault` and done by the server, because only it has the
socket. A test that has no sockets reads the same note.
"""

from __future__ import annotations

from enum import StrEnum

import attrs


class WireFaultKind(StrEnum):
    """What the server does to the connection instead of answering well."""

    REFUSE = "refuse"  # F01: nobody listens; the request never arrived
    RESET_UNREAD = "reset_unread"  # F02: RST before the body is read; nothing was processed
    RESET_ANSWERED = "reset_answered"  # F03: processed, then RST instead of an answer
    CLOSE_ANSWERED = "close_answered"  # F03: processed, then an orderly close
    SILENCE = "silence"  # F04: processed, the answer leaves after ``seconds``
    TRUNCATE = "truncate"  # F16: Content-Length promises more than is sent
    CUT_CHUNK = "cut_chunk"  # F16: a chunked body that ends inside a chunk
    CUT_UNFRAMED = "cut_unframed"  # F16: no length at all, closed half way: looks like a clean 200
    BROKEN_GZIP = "broken_gzip"  # F16: Content-Encoding: gzip over half of a gzip stream
    TRICKLE = "trickle"  # F17: one byte every ``seconds``
    ENDLESS_HEADERS = "endless_headers"  # F17: header lines that never end
    EARLY_HINTS = "early_hints"  # 103 before the answer
    GARBAGE_STATUS = "garbage_status"  # a status line that is none


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
class Answer:
    """One HTTP answer as it shall leave, and what shall happen to the connection."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    wire: WireFault | None = None
