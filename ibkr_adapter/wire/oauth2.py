"""Speak OAuth 2.0 the way IBKR does: signed assertions, the access token, the session's bearer.

Two steps: a client assertion buys an access token, and with that a second assertion, which names
the user and the address that will call, opens a session whose token every call bears. Times are
arguments. Making the calls is for :mod:`ibkr_adapter.auth.oauth2`, reading keys for
:mod:`ibkr_adapter.auth.keys`. The only room that knows PyJWT.

Claims, lifetimes and the audience ``/token`` are those of the samples that IBKR's own staff
publish; error shapes are those of the published interface description (RFC 9457) and of RFC 6749.
Both are held by ``tests/unit/test_wire_oauth2.py``.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import attrs

from ibkr_adapter.wire.response import Deciphered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ALGORITHM = "RS256"
AUDIENCE = "/token"
FORM = "application/x-www-form-urlencoded"
JWT = "application/jwt"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# Seconds before and after now for which a client assertion is good.
_BEFORE, _AFTER = 10, 20
# What is asked for, and so the longest that a session's token is believed in.
SESSION_LIFETIME = timedelta(hours=24)
# Ten digits are seconds until the year 2286; IBKR's session token counts milliseconds.
_MILLISECONDS_FROM = 10**11
_TOO_FAR = 10**14


class Refusal(StrEnum):
    """Why IBKR did not give a token, as far as its words tell."""

    SCOPE = "missing scope"
    ADDRESS = "wrong address"
    EXPIRED = "expired assertion"
    KEY = "wrong key"
    AUDIENCE = "wrong audience"
    CREDENTIAL = "wrong user name"
    CLIENT = "unknown client"
    OTHER = "refused"


def origin(base_url: str) -> str:
    """Name the server below which the token endpoints stand, beside ``/v1/api``."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"


def client_claims(client_id: str, now: datetime) -> dict[str, Any]:
    """Say who asks for an access token, for half a minute."""
    moment = int(now.timestamp())
    return {
        "iss": client_id,
        "sub": client_id,
        "aud": AUDIENCE,
        "exp": moment + _AFTER,
        "iat": moment - _BEFORE,
    }


def session_claims(
    client_id: str, credential: str, addresses: Sequence[str], now: datetime
) -> dict[str, Any]:
    """Say for which user, and from which public addresses, a session is wanted; the first is the usual one."""
    moment = int(now.timestamp())
    first, *others = addresses
    return {
        **({"alternativeIps": others} if others else {}),
        "ip": first,
        "credential": credential,
        "iss": client_id,
        "exp": moment + int(SESSION_LIFETIME.total_seconds()),
        "iat": moment,
    }


def sign(claims: Mapping[str, Any], key: RSAPrivateKey, key_id: str) -> str:
    """Make a compact JWS of the claims; RS256 is the one algorithm that IBKR is known to take."""
    import jwt  # noqa: PLC0415  (loads on first use)

    return jwt.encode(dict(claims), key, algorithm=ALGORITHM, headers={"kid": key_id})


def token_form(assertion: str, scope: str) -> bytes:
    """Write the body of the request for an access token."""
    return urlencode(
        {
            "grant_type": "client_credentials",
            "client_assertion_type": _JWT_BEARER,
            "client_assertion": assertion,
            "scope": scope,
        }
    ).encode("ascii")


# Answers ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Token:
    """A token that IBKR gave; ``ends`` is ``None`` where nothing says when it does.

    ``active`` is what a session's answer says of itself, and ``scope`` what was granted.
    """

    text: str = attrs.field(repr=False)
    ends: datetime | None = None
    scope: str | None = None
    active: bool = True


def read_token(content: Any, now: datetime) -> Token | None:
    """Read the answer of either step; ``None`` if there is no token in it.

    The lifetime is ``expires_in``, else the token's own ``exp``.
    """
    if not isinstance(content, dict):
        return None
    text, kind = content.get("access_token"), content.get("token_type", "Bearer")
    # It becomes a header, into which nothing but a token may be written.
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", text):
        return None
    if not isinstance(kind, str) or kind.casefold() != "bearer":
        return None
    scope = content.get("scope")
    return Token(
        text=text,
        ends=_ends(content.get("expires_in"), text, now),
        scope=scope if isinstance(scope, str) else None,
        active=content.get("active") is not False,
    )


def _ends(expires_in: Any, token: str, now: datetime) -> datetime | None:
    seconds = _number(expires_in)
    if seconds is not None and 0 < seconds < _MILLISECONDS_FROM:
        return now + min(timedelta(seconds=seconds), SESSION_LIFETIME)
    moment = moment_of(claims_of(token).get("exp"))
    return min(moment, now + SESSION_LIFETIME) if moment is not None else None


def claims_of(token: str) -> dict[str, Any]:
    """Look into a token that is none of ours to verify; nothing where it is not to be read."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004  (head, claims, signature)
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def moment_of(claim: Any) -> datetime | None:
    """Read a claim that is a moment, in seconds or, as IBKR has it, in milliseconds."""
    number = _number(claim)
    if number is None or not 0 < number < _TOO_FAR:
        return None
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)


def _number(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        return float(value)
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


_SAYINGS = (
    (r"\bscopes?\b|invalid_scope", Refusal.SCOPE),
    (r"\bips?\b|\bip address", Refusal.ADDRESS),
    (r"expired|\bexp\b|\biat\b|not yet valid|in the future", Refusal.EXPIRED),
    (r"\baud\b|audience", Refusal.AUDIENCE),
    (r"signature|\bkid\b|\bkeys?\b", Refusal.KEY),
    (r"\bcredential\b|user ?name", Refusal.CREDENTIAL),
    (r"\bclient\b|_client|\biss\b|\bsub\b", Refusal.CLIENT),
)


def refusal(answer: Deciphered) -> Refusal:
    """Tell from a refused step what was wrong with it."""
    said = words(answer).casefold()
    for pattern, reason in _SAYINGS:
        if re.search(pattern, said):
            return reason
    return Refusal.OTHER


def words(answer: Deciphered) -> str:
    """Return all that an answer says of the failure, the fields it complains of included."""
    parts = [answer.error or ""]
    content = answer.content if isinstance(answer.content, dict) else {}
    complaints = content.get("invalidArguments")
    for complaint in complaints if isinstance(complaints, list) else ():
        if isinstance(complaint, dict):
            named = (complaint.get("field"), complaint.get("description"))
            parts.append(": ".join(text for text in named if isinstance(text, str)))
    return "; ".join(part for part in parts if part)
