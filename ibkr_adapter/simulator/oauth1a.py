"""The arithmetic of OAuth 1.0a as IBKR does it: base strings, signatures, live session tokens.

Pure: no clock, no state. Differences from RFC 5849, all published: parameters are joined as they
are and encoded once, the realm is not signed, the request for a live session token is signed with
the access token's secret (in hex) glued before the base string, and that token is the HMAC-SHA1 of
the secret under a Diffie-Hellman number in the byte order of Java's ``BigInteger``. Who may have a
token, and when, is for :mod:`.serve_oauth1a`.

Pinned by the public vectors in ``tests/unit/test_simulator_oauth1a.py``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, unquote

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ibkr_adapter.simulator.door import Request

SIGNATURE = "oauth_signature"
_SCHEME = re.compile(r"oauth\s+", re.IGNORECASE)
_PAIR = re.compile(r'\s*([A-Za-z_]+)=(?:"([^"]*)"|([^",\s]*))\s*(?:,|$)')
_FORM = "application/x-www-form-urlencoded"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# Twice the digits of a prime that is in use; a longer number would only keep us busy.
_NUMBER = re.compile(r"[0-9a-fA-F]{1,1024}")


class HeaderError(ValueError):
    """An Authorization header that is none of OAuth 1.0a."""


@attrs.frozen(kw_only=True)
class Credential:
    """What an Authorization header says; ``parameters`` are decoded and without the realm."""

    realm: str | None
    parameters: Mapping[str, str]

    @property
    def signature(self) -> str:
        """The signature, in base64."""
        return self.parameters[SIGNATURE]

    @property
    def signed(self) -> list[tuple[str, str]]:
        """The parameters that are part of the base string."""
        return [(name, value) for name, value in self.parameters.items() if name != SIGNATURE]


def read_header(text: str) -> Credential:
    """Read an Authorization header; the realm may stand anywhere, and without quotes.

    Raises:
        HeaderError: It is another scheme, is cut, or says something twice.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise HeaderError("no OAuth header")
    found: dict[str, str] = {}
    at = scheme.end()
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise HeaderError("the OAuth header cannot be read")
        name, quoted, bare = pair.groups()
        if name in found or (quoted is None and name != "realm"):
            raise HeaderError(f"the OAuth header has {name} twice or without quotes")
        found[name] = unquote(bare if quoted is None else quoted)
        at = pair.end()
    realm = found.pop("realm", None)
    return Credential(realm=realm, parameters=found)


def encode(text: str) -> str:
    """Percent-encode all but the unreserved characters of RFC 3986."""
    return quote(text, safe="-._~")


def base_string(method: str, url: str, parameters: Iterable[tuple[str, str]], *, prepend: str = "") -> str:
    """Spell what is signed; the parameters are sorted here and encoded once, together."""
    joined = "&".join(f"{name}={value}" for name, value in sorted(parameters))
    return f"{prepend}{method}&{encode(url)}&{encode(joined)}"


def spellings(
    request: Request, credential: Credential, *, lenient: bool = False, prepend: str = ""
) -> list[str]:
    """The base strings under which a request is accepted, the documented one first.

    The lenient service takes a query that is left out, or that is signed as a part of the URL.
    """
    fields = [*credential.signed, *_form(request)]
    accepted = []
    for url in _urls(request):
        accepted.append(base_string(request.method, url, [*fields, *request.query], prepend=prepend))
        if lenient and request.query:
            accepted += [
                base_string(request.method, one, fields, prepend=prepend)
                for one in (url, f"{url}?{request.raw_query}")
            ]
    return accepted


def _urls(request: Request) -> list[str]:
    """The addresses that a client may have signed.

    Where its ``Host`` says so, and where it arrived: some clients always send the real service's
    name as ``Host``, wherever they call.
    """
    scheme = "https" if request.secure else "http"
    hosts = [request.headers.get("host", "").lower()]
    if request.local:
        port = request.local.rpartition(":")[2]
        hosts += [request.local, f"localhost:{port}"]
    plain = dict.fromkeys(host.removesuffix(_DEFAULT_PORTS[scheme]) for host in hosts)
    return [f"{scheme}://{host}{request.path}" for host in plain]


def _form(request: Request) -> list[tuple[str, str]]:
    if not request.headers.get("content-type", "").lower().startswith(_FORM):
        return []
    return parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)


def rsa_fits(key: rsa.RSAPublicKey, text: str, signature: str) -> bool:
    """Tell whether an RSA-SHA256 signature (PKCS#1 v1.5, base64) is that of the text."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


def hmac_fits(token: bytes, text: str, signature: str) -> bool:
    """Tell whether an HMAC-SHA256 signature (base64) is that of the text."""
    wanted = base64.b64encode(hmac.digest(token, text.encode(), "sha256"))
    return hmac.compare_digest(wanted, signature.encode())


def number_of(digits: str) -> int | None:
    """Read a hexadecimal number without prefix or sign; None when it is none."""
    return int(digits, 16) if _NUMBER.fullmatch(digits) else None


def java_bytes(number: int) -> bytes:
    """The bytes of Java's ``BigInteger.toByteArray()``: a zero goes first if the top bit is set."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def live_session_token(shared: int, secret: bytes) -> bytes:
    """Derive the token from the shared number and the access token's clear secret."""
    return hmac.digest(java_bytes(shared), secret, hashlib.sha1)


def token_signature(token: bytes, consumer_key: str) -> str:
    """What proves to the client that both sides have derived the same token."""
    return hmac.digest(token, consumer_key.encode(), hashlib.sha1).hex()
