"""Undo an answer's content encoding, and notice when the packed bytes end too early.

urllib3 would hand out what it has of a gzip stream that was cut, as a complete answer.
"""

from __future__ import annotations

import zlib

# The largest documents of the API are a few megabytes; what is beyond this is a fault or an attack.
MOST_BYTES = 64 * 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS


class Undecodable(ValueError):  # noqa: N818  (named by what the answer is)
    """The body is not what its encoding says."""


def unpack(body: bytes, encoding: str) -> bytes:
    """Return the content of ``body``, which is packed as the header ``encoding`` says.

    Raises:
        Undecodable: It is cut, damaged, far too large, or packed in a way that was not asked for.
    """
    name = encoding.strip().lower()
    # Servers name an encoding over an empty body, which then is just empty.
    if name in {"", "identity"} or not body:
        return body
    if name in {"gzip", "x-gzip"}:
        return _inflate(body, _GZIP)
    if name == "deflate":
        try:
            return _inflate(body, _ZLIB)
        except Undecodable:
            # Half of the servers that say "deflate" leave out its zlib wrapping.
            return _inflate(body, _RAW_DEFLATE)
    raise Undecodable("an encoding that was not asked for")


def _inflate(body: bytes, wrapping: int) -> bytes:
    content = b""
    while body:
        stream = zlib.decompressobj(wrapping)
        try:
            content += stream.decompress(body, MOST_BYTES - len(content) + 1)
        except zlib.error:
            raise Undecodable("damaged compression") from None
        if len(content) > MOST_BYTES:
            raise Undecodable("too large")
        if not stream.eof:
            raise Undecodable("compression that was cut")
        # A gzip body may have several members, one after another, and zeros as padding.
        body = stream.unused_data.lstrip(b"\0")
    return content
