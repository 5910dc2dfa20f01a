"""Speak OAuth 1.0a the way IBKR does: base strings, signatures, the live session token.

Everything here is arithmetic on what is given; nonces, times and random numbers are arguments.
Fetching tokens and keeping them is for :mod:`ibkr_adapter.auth.oauth1a`, reading keys for
:mod:`ibkr_adapter.auth.keys`.

Where IBKR departs from RFC 5849: parameters are encoded once and not twice, the decrypted
token secret stands in front of one base string, the realm is never signed, and the key of the
last HMAC has the sign byte that Java gives to big numbers. The published examples, recomputed
in ``tests/unit/test_wire_oauth1a.py``, hold each of these.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import attrs

from ibkr_adapter.wire.response import Deciphered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

AUTHORIZE_URL = "https://www.interactivebrokers.com/authorize"
REALM, TEST_REALM = "limited_poa", "test_realm"
TEST_CONSUMER = "TESTCONS"
RSA = "RSA-SHA256"
HMAC = "HMAC-SHA256"
# A live session token is good for about a day, whatever its answer says of it.
LIFETIME = timedelta(hours=24)
_BELIEVABLE = timedelta(seconds=60)
_USUAL_PORTS = {"http": 80, "https": 443}
_UNAUTHORISED = 401
_FORBIDDEN = 403


class Refusal(StrEnum):
    """Why IBKR did not give a token, as far as its words tell."""

    CONSUMER = "invalid consumer"
    NO_SECRET = "no access secret"  # noqa: S105  (IBKR's words, not a secret)
    EXPIRED = "expired"
    SIGNATURE = "bad signature"
    FORBIDDEN = "forbidden"
    OTHER = "refused"


def encode(text: str) -> str:
    """Percent-encode all but letters, digits and ``-._~``, as RFC 3986 does."""
    return quote(text, safe="")


def parameters(
    *,
    consumer_key: str,
    nonce: str,
    timestamp: int,
    method: str,
    token: str | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Gather what the ``Authorization`` header will carry, but for realm and signature.

    Args:
        consumer_key: Who asks.
        nonce: A text that was never used before.
        timestamp: Seconds since 1970; milliseconds are refused by IBKR.
        method: :data:`RSA` for tokens, :data:`HMAC` for all else.
        token: The request or access token, where there is one.
        more: What one step has besides, such as ``oauth_verifier``.
    """
    found = {
        "oauth_consumer_key": consumer_key,
        "oauth_nonce": nonce,
        "oauth_signature_method": method,
        "oauth_timestamp": str(timestamp),
        **(more or {}),
    }
    if token is not None:
        found["oauth_token"] = token
    return found


def base_string(
    method: str,
    url: str,
    oauth: Mapping[str, str],
    query: Mapping[str, str] | None = None,
    *,
    prepend: str = "",
) -> str:
    """Build what is signed.

    Args:
        method: The HTTP method.
        url: The address without its query.
        oauth: The header's parameters, without realm and signature.
        query: The query's parameters, unencoded; leave them out to sign without them.
        prepend: The decrypted token secret in lower-case hex, for the live session token only.
    """
    pairs = sorted([*oauth.items(), *(query or {}).items()])
    # One encoding in all: IBKR does not encode the values by themselves first.
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{prepend}{method.upper()}&{encode(_plain_address(url))}&{encode(joined)}"


def _plain_address(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    if parts.port is not None and parts.port != _USUAL_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return f"{parts.scheme}://{host}{parts.path}"


def sign_with_rsa(base: str, key: RSAPrivateKey) -> str:
    """Sign a token request: RSA-SHA256 with PKCS#1 v1.5, in base64."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  (first use)
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  (first use)

    return _text(key.sign(base.encode(), PKCS1v15(), SHA256()))


def verify_with_rsa(base: str, signature: str, key: RSAPublicKey) -> bool:
    """Tell whether a token request was signed with the private half of ``key``."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  (first use)
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  (first use)
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  (first use)

    try:
        key.verify(base64.b64decode(signature, validate=True), base.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error):
        return False
    return True


def sign_with_token(base: str, live_session_token: bytes) -> str:
    """Sign any other request: HMAC-SHA256 with the live session token, in base64."""
    return _text(hmac.digest(live_session_token, base.encode(), "sha256"))


def header(realm: str, oauth: Mapping[str, str], signature: str) -> str:
    """Write the ``Authorization`` header: the realm first, the rest sorted and encoded once."""
    signed = {**oauth, "oauth_signature": signature}
    listed = ", ".join(f'{name}="{encode(value)}"' for name, value in sorted(signed.items()))
    return f'OAuth realm="{realm}", {listed}'


# The live session token -------------------------------------------------------------------------


def unseal(access_token_secret: str, key: RSAPrivateKey) -> bytes:
    """Decrypt the access token's secret with the encryption key.

    Its length is IBKR's business: 20 and 32 bytes were both seen. A wrong key does not always
    fail: it may give bytes that are no secret, and IBKR then refuses the signature.

    Raises:
        ValueError: It is no base64, of another size than the key, or not for this key.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415  (first use)

    try:
        sealed = base64.b64decode("".join(access_token_secret.split()), validate=True)
    except ValueError:
        # What binascii says would quote none of it, but nothing of use either.
        raise ValueError("it is no base64: perhaps a character is missing") from None
    wanted = (key.key_size + 7) // 8
    if len(sealed) != wanted:
        raise ValueError(
            f"it holds {len(sealed)} bytes and not {wanted}: perhaps it was cut, or is for another key"
        )
    try:
        return key.decrypt(sealed, PKCS1v15())
    except ValueError:
        raise ValueError("it cannot be decrypted with this key") from None


def challenge(exponent: int, *, prime: int, generator: int) -> str:
    """Make our half of the handshake, in hex without padding."""
    return f"{pow(generator, exponent, prime):x}"


def shared_key(response: str, exponent: int, *, prime: int) -> bytes | None:
    """Make the common key of the handshake from IBKR's half, as Java writes big numbers.

    The answer is ``None`` where the half is empty or worthless (0, 1 or -1): the whole handshake
    is to be made again then.
    """
    text = response.strip()
    if not re.fullmatch(r"[0-9a-fA-F]+", text):
        return None
    half = int(text, 16)
    if not 1 < half < prime - 1:
        return None
    return number_bytes(pow(half, exponent, prime))


def number_bytes(number: int) -> bytes:
    """Write a number in as few bytes as it takes with a sign.

    A number whose highest bit would read as a minus gets a zero byte in front. Without it half of
    all handshakes fail.
    """
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def live_session_token(shared: bytes, secret: bytes) -> bytes:
    """Derive the live session token."""
    return hmac.digest(shared, secret, "sha1")


def is_proven(token: bytes, consumer_key: str, signature: str) -> bool:
    """Tell whether IBKR holds the same live session token, by the signature it sent with its half."""
    ours = hmac.digest(token, consumer_key.encode(), "sha1").hex()
    return hmac.compare_digest(ours.encode(), signature.strip().lower().encode())


# Answers ----------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Handshake:
    """IBKR's half of the handshake; ``expiration`` as it was sent, in milliseconds."""

    response: str = attrs.field(repr=False)
    signature: str = attrs.field(repr=False)
    expiration: int | None = None


@attrs.frozen(kw_only=True)
class AccessToken:
    """What a third party is given for a user; ``is_paper`` where IBKR says so."""

    token: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    is_paper: bool | None = None


def read_handshake(content: Any) -> Handshake | None:
    """Read the answer to a challenge; an empty half is one that asks for another try."""
    if not isinstance(content, dict):
        return None
    response = content.get("diffie_hellman_response")
    signature = content.get("live_session_token_signature")
    if not isinstance(response, str) or not (isinstance(signature, str) or not response):
        return None
    expiration = content.get("live_session_token_expiration")
    usable = isinstance(expiration, int) and not isinstance(expiration, bool)
    return Handshake(
        response=response,
        signature=signature if isinstance(signature, str) else "",
        expiration=expiration if usable else None,
    )


def read_request_token(content: Any) -> str | None:
    """Read the token with which a user is sent to IBKR's page."""
    token = content.get("oauth_token") if isinstance(content, dict) else None
    return token if isinstance(token, str) and token else None


def read_access_token(content: Any) -> AccessToken | None:
    """Read what a verifier was exchanged for."""
    token = read_request_token(content)
    secret = content.get("oauth_token_secret") if token else None
    if token is None or not isinstance(secret, str) or not secret:
        return None
    paper = content.get("is_paper", content.get("is_true"))
    return AccessToken(token=token, secret=secret, is_paper=paper if isinstance(paper, bool) else None)


def authorize_address(request_token: str) -> str:
    """Name the page on which the user lets a third party in."""
    return f"{AUTHORIZE_URL}?oauth_token={encode(request_token)}"


def ends_at(expiration: int | None, now: datetime) -> datetime:
    """Tell when a live session token ends.

    One reading of the figure makes it the moment of issue, so one that is past or all but past
    stands for a day from now; and no token is believed to live longer than a day.
    """
    longest = now + LIFETIME
    if expiration is None or not 0 < expiration < int(longest.timestamp() * 1000):
        return longest
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=expiration)
    return longest if moment <= now + _BELIEVABLE else moment


_SAYINGS = (
    ("invalid consumer", Refusal.CONSUMER),
    ("no access secret", Refusal.NO_SECRET),
    ("expired", Refusal.EXPIRED),
    ("signature", Refusal.SIGNATURE),
)


def refusal(answer: Deciphered) -> Refusal:
    """Tell from a refused token request what was wrong with it."""
    said = (answer.error or "").casefold()
    for words, reason in _SAYINGS:
        if words in said:
            return reason
    if answer.status == _FORBIDDEN:
        return Refusal.FORBIDDEN
    # A wrong base string or signature is answered without any word.
    return Refusal.SIGNATURE if answer.status == _UNAUTHORISED and not said else Refusal.OTHER


def _text(signature: bytes) -> str:
    return base64.b64encode(signature).decode("ascii")
