"""Behave as the web servers between a client and the broker do.

Knows what is refused before the broker hears of it (no user agent on a direct host, a body without
a length, a body that is too big) and what every answer carries whatever the broker said: date,
affinity cookie, compression. Pure apart from the clock; the sockets are in :mod:`.server`.

Guesses, because no public recording shows them: the words of the refusals, the limit of one
megabyte, and that a request with an unsuitable body also misses the broker on a local gateway.
"""

from __future__ import annotations

import gzip
from email.utils import format_datetime
from typing import TYPE_CHECKING

import attrs

from .door import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from ibkr_adapter.clock import Clock

CONTROL_ROOM = "/simulator/"
LARGEST_BODY = 1_000_000
COMPRESS_ABOVE = 1024

_AFFINITY_COOKIE = "x-sess-uuid"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


@attrs.frozen(kw_only=True)
class Edge:
    """What stands in front of the broker; ``direct`` is IBKR's own host, not a local gateway."""

    clock: Clock
    random: Random
    direct: bool = False

    def refusal(self, request: Request) -> Answer | None:
        """Refuse a request by its head alone, or return None to let it pass.

        The control room is no part of the broker and is never refused.
        """
        if request.path.startswith(CONTROL_ROOM):
            return None
        headers = request.headers
        if self.direct and not headers.get("user-agent"):
            return _page(403, "Access Denied", "You don't have permission to access this server.")
        unsized = request.method in _WITH_BODY and "content-length" not in headers
        if unsized or "transfer-encoding" in headers:
            return _page(411, "Length Required", "The request must carry a Content-Length.")
        if int(headers.get("content-length", "0")) > LARGEST_BODY:
            return _page(413, "Payload Too Large", "The request is larger than this server takes.")
        return None

    def dress(self, request: Request, answer: Answer) -> Answer:
        """Add the headers that every answer carries; a date that the broker gave stays."""
        now = self.clock.now()
        headers = list(answer.headers)
        if not any(name == "Date" for name, _ in headers):
            headers.append(("Date", format_datetime(now, usegmt=True)))
        known = _AFFINITY_COOKIE in request.headers.get("cookie", "")
        if not known and not request.path.startswith(CONTROL_ROOM):
            headers.append(("Set-Cookie", self._affinity(int(now.timestamp()))))
        return attrs.evolve(answer, headers=tuple(headers))

    def _affinity(self, epoch: int) -> str:
        before, after = self.random.getrandbits(32), self.random.getrandbits(32)
        return f"{_AFFINITY_COOKIE}=0.{before:08x}.{epoch}.{after:08x}; secure; HttpOnly"


def unreadable() -> Answer:
    """Refuse a body that cannot be unpacked."""
    return _page(400, "Bad Request", "The body of the request cannot be read.")


def compress(request: Request, answer: Answer) -> Answer:
    """Compress a body that is worth it, for a client that says it can read that."""
    encoded = any(name.lower() == "content-encoding" for name, _ in answer.headers)
    if encoded or len(answer.body) <= COMPRESS_ABOVE or not _takes_gzip(request.headers):
        return answer
    return attrs.evolve(
        answer,
        headers=(*answer.headers, ("Content-Encoding", "gzip")),
        body=gzip.compress(answer.body, mtime=0),
    )


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    for offer in headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = (part.strip() for part in offer.partition(";"))
        if coding in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _page(status: int, title: str, sentence: str) -> Answer:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{sentence}</p></body></html>\n"
    return Answer(status=status, headers=(("Content-Type", "text/html"),), body=page.encode())
