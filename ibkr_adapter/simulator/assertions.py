"""Read and write JSON Web Tokens, by hand.

Knows the compact form (three parts, base64url without padding), RS256 and HS256, and which times
an assertion must have. It is written out here, so that the simulator and its clients cannot
share a library's opinion. What a claim must say is for :mod:`.serve_oauth2`.

Form: RFC 7515 and RFC 7519; algorithm and claims as IBKR's own samples send them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class AssertionRefusedError(ValueError):
    """An assertion that proves nothing; the message says why, without its content."""


@attrs.frozen(kw_only=True)
class Assertion:
    """A signed statement of a client: its key's id and its claims."""

    key_id: str | None
    claims: Mapping[str, Any] = attrs.field(repr=False)


def read(text: str, key: rsa.RSAPublicKey) -> Assertion:
    """Read a token that must be signed by RS256 with ``key``.

    Raises:
        AssertionRefusedError: It has another form or algorithm, or the signature is not the key's.
    """
    parts = text.split(".")
    try:
        head, claims, signature = (_decode(part) for part in parts)
        header, body = json.loads(head), json.loads(claims)
    except (ValueError, RecursionError):  # a wrong count of parts, wrong base64, UTF-8 and JSON alike
        raise AssertionRefusedError("the assertion is no JSON Web Token") from None
    if not isinstance(header, dict) or not isinstance(body, dict):
        raise AssertionRefusedError("the assertion is no JSON Web Token")
    # Taken from the header alone an algorithm could be "none", or the public key an HMAC's secret.
    if header.get("alg") != "RS256":
        raise AssertionRefusedError("the assertion is not signed by RS256")
    if header.get("typ", "JWT") != "JWT":
        raise AssertionRefusedError("the assertion's type is not JWT")
    try:
        key.verify(signature, ".".join(parts[:2]).encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise AssertionRefusedError("the assertion's signature is not the registered key's") from None
    return Assertion(key_id=header.get("kid"), claims=body)


def check_times(claims: Mapping[str, Any], now: datetime, tolerance: float) -> None:
    """Check ``exp`` and ``iat``, in seconds, against the wall clock.

    Raises:
        AssertionRefusedError: One is missing, or does not fit the time.
    """
    moments = [claims.get(name) for name in ("iat", "exp")]
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in moments):
        raise AssertionRefusedError("iat and exp are not both there as numbers")
    # As they are written: a whole number may be too large for a float.
    issued, expires = (one for one in moments if one is not None)
    if issued > now.timestamp() + tolerance:
        raise AssertionRefusedError("the assertion was issued in the future")
    if expires <= now.timestamp() - tolerance:
        raise AssertionRefusedError("the assertion has expired")


def rs256(header: Mapping[str, Any], claims: Mapping[str, Any], key: rsa.RSAPrivateKey) -> str:
    """Write a token signed with a private key."""
    body = _body({**header, "alg": "RS256", "typ": "JWT"}, claims)
    return f"{body}.{_encode(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def hs256(claims: Mapping[str, Any], key: bytes) -> str:
    """Write a token that only its maker can check."""
    body = _body({"typ": "JWT", "alg": "HS256"}, claims)
    return f"{body}.{_encode(hmac.digest(key, body.encode(), 'sha256'))}"


def _body(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return ".".join(_encode(json.dumps(one, separators=(",", ":")).encode()) for one in (header, claims))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    if "=" in part:
        raise ValueError("padded")
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as wrong:
        raise ValueError("no base64") from wrong
