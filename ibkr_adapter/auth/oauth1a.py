"""Log in by OAuth 1.0a: the live session token, the signature on every request, third parties.

The signatures and the handshake's arithmetic are those of :mod:`ibkr_adapter.wire.oauth1a`; here
they are given keys, nonces, times and a line to IBKR. The token calls are made by
:class:`~ibkr_adapter.auth.desk.TokenDesk`, and one token for all threads is kept by
:class:`~ibkr_adapter.auth.renewal.Renewal`. Nothing is stored.

Nothing here was tried against the real service; the published examples hold the arithmetic, and
reports of many users the meaning of the refusals.
"""

from __future__ import annotations

import base64
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import attrs

from ibkr_adapter.auth.base import StreamDoor, stream_cookie, stream_url
from ibkr_adapter.auth.desk import Written
from ibkr_adapter.auth.keys import dh_prime, plain_secret, private_key
from ibkr_adapter.auth.renewal import Grant
from ibkr_adapter.auth.token_login import TokenLogin
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import AuthenticationError, BrokerageUnavailable, ConfigurationError
from ibkr_adapter.lease import Lease
from ibkr_adapter.redact import remember
from ibkr_adapter.settings import Settings
from ibkr_adapter.transport import Transport
from ibkr_adapter.turns import Turns
from ibkr_adapter.wire import oauth1a as wire
from ibkr_adapter.wire.endpoints import (
    OAUTH_ACCESS_TOKEN,
    OAUTH_LIVE_SESSION_TOKEN,
    OAUTH_REQUEST_TOKEN,
    Endpoint,
)
from ibkr_adapter.wire.response import Deciphered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

log = logging.getLogger(__name__)

_EXPONENT_BITS = 256
_REMEDIES = {
    wire.Refusal.CONSUMER: "Check consumer_key, in capitals as IBKR's page shows it. A new one becomes active after"
    " the region's midnight at the earliest, sometimes after two weeks: wait, and do not make new keys meanwhile,"
    " because that starts the wait again. If it lasts, ask IBKR.",
    wire.Refusal.NO_SECRET: "Generate the access token anew on IBKR's OAuth page and set access_token and"
    " access_token_secret to the new ones; they are good within a minute, and the keys can stay.",
    wire.Refusal.SIGNATURE: "Check that signature_key and encryption_key are not exchanged and are the halves of"
    " what is registered for this consumer, and that access_token_secret belongs to access_token.",
    wire.Refusal.EXPIRED: "Check this machine's clock; if it is right, generate the access token anew on IBKR's"
    " OAuth page.",
    wire.Refusal.FORBIDDEN: "This machine's public address, or this user, is not let in by IBKR; ask IBKR.",
    wire.Refusal.OTHER: "Check consumer_key, access_token, access_token_secret and the keys.",
}


@attrs.frozen(kw_only=True)
class _Keys:
    signature: RSAPrivateKey = attrs.field(repr=False)
    secret: bytes = attrs.field(repr=False)
    prime: int = attrs.field(repr=False)


def _new_nonce() -> str:
    return secrets.token_hex(16)


def _new_exponent() -> int:
    # The highest bit is set, so that it is as long as it should be.
    return secrets.randbits(_EXPONENT_BITS) | 1 << (_EXPONENT_BITS - 1)


class OAuth1a(TokenLogin):
    """Keeps a live session token and signs every request with it.

    ``new_nonce`` gives a text that it never gave before, ``new_exponent`` the secret number of a
    handshake; tests put their own in.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        transport: Transport,
        turns: Turns,
        lease: Lease | None = None,
        new_nonce: Callable[[], str] = _new_nonce,
        new_exponent: Callable[[], int] = _new_exponent,
    ) -> None:
        super().__init__(settings, clock=clock, transport=transport, turns=turns, lease=lease)
        self._new_nonce = new_nonce
        self._new_exponent = new_exponent
        self._signing = threading.Lock()
        self._keys: _Keys | None = None

    def headers(self, method: str, url: str, query: Mapping[str, str]) -> Mapping[str, str]:
        """Sign one request with a nonce and a time of its own."""
        token = self._renewal.use()
        oauth = self._parameters(wire.HMAC, token=self._settings.access_token)
        signed = query if self._settings.sign_query else None
        base = wire.base_string(method, url, oauth, signed)
        # Not remembered for redaction: one a request would push the keys out of that registry.
        # Where it could be seen it stands behind its name, which is masked.
        signature = wire.sign_with_token(base, base64.b64decode(token))
        return {"Authorization": wire.header(self._realm(), oauth, signature)}

    def stream(self, session: str | None) -> StreamDoor:
        """Name the WebSocket; its address has the access token in it and is not signed."""
        query = urlencode({"oauth_token": self._settings.access_token or ""})
        return StreamDoor(url=stream_url(self._settings.base_url, query), headers=stream_cookie(session))

    def refused(self) -> AuthenticationError:
        """Say what may be wrong when a fresh live session token is not accepted."""
        return AuthenticationError(
            "IBKR gave a live session token and does not accept it; nothing was sent.",
            remedy="Check on IBKR's OAuth page that the access token still stands, and that no other program"
            " uses the same one; then try again.",
        )

    # Third parties -------------------------------------------------------------------------

    def request_token(self, deadline: float, *, callback: str = "oob") -> str:
        """Fetch the token with which a user is sent to :func:`.wire.oauth1a.authorize_address`.

        Raises:
            AuthenticationError: IBKR refuses; individuals begin with their access token instead.
        """
        answer = self._step(OAUTH_REQUEST_TOKEN, deadline, more={"oauth_callback": callback})
        token = wire.read_request_token(answer.content)
        if token is None:
            raise _nonsense(OAUTH_REQUEST_TOKEN, answer)
        remember(token)
        return token

    def exchange(self, request_token: str, verifier: str, deadline: float) -> wire.AccessToken:
        """Exchange what the user brought back for the access token and its secret; both last.

        Raises:
            AuthenticationError: IBKR refuses; a verifier is good for one exchange.
        """
        remember(verifier)
        more = {"oauth_verifier": verifier}
        answer = self._step(OAUTH_ACCESS_TOKEN, deadline, token=request_token, more=more)
        found = wire.read_access_token(answer.content)
        if found is None:
            raise _nonsense(OAUTH_ACCESS_TOKEN, answer)
        remember(found.token)
        remember(found.secret)
        return found

    # The live session token ---------------------------------------------------------------

    def _login(self, deadline: float) -> Grant:
        keys = self._ready()
        for _ in range(2):
            grant = self._handshake(keys, deadline)
            if grant is not None:
                log.info("logged in by OAuth 1.0a; the live session token ends at %s", grant.ends)
                return grant
            log.warning("the handshake for a live session token failed")
        raise AuthenticationError(
            "OAuth 1.0a, at the step live_session_token: twice IBKR's half of the handshake was empty or did not prove"
            " the common token; nothing was sent.",
            endpoint=OAUTH_LIVE_SESSION_TOKEN.name,
            remedy="Check that dh_prime is the one registered for this consumer, and that access_token_secret"
            " belongs to access_token.",
        )

    def _handshake(self, keys: _Keys, deadline: float) -> Grant | None:
        exponent = self._new_exponent()
        challenge = wire.challenge(exponent, prime=keys.prime, generator=self._settings.dh_generator)
        remember(challenge)
        answer = self._step(
            OAUTH_LIVE_SESSION_TOKEN,
            deadline,
            token=self._settings.access_token,
            more={"diffie_hellman_challenge": challenge},
            prepend=keys.secret.hex(),
        )
        found = wire.read_handshake(answer.content)
        if found is None:
            raise _nonsense(OAUTH_LIVE_SESSION_TOKEN, answer)
        remember(found.response)
        remember(found.signature)
        shared = wire.shared_key(found.response, exponent, prime=keys.prime)
        if shared is None:
            return None
        token = wire.live_session_token(shared, keys.secret)
        if not wire.is_proven(token, self._settings.consumer_key or "", found.signature):
            return None
        text = base64.b64encode(token).decode("ascii")
        remember(text)
        now = self._desk.now()
        return Grant(token=text, granted=now, ends=wire.ends_at(found.expiration, now))

    def _step(
        self,
        endpoint: Endpoint,
        deadline: float,
        *,
        token: str | None = None,
        more: Mapping[str, str],
        prepend: str = "",
    ) -> Deciphered:
        self._need("consumer_key", "signature_key")
        key = (
            self._keys.signature if self._keys else private_key(self._settings.signature_key, "signature_key")
        )
        url = f"{self._settings.base_url}{endpoint.template}"

        def write() -> Written:
            oauth = self._parameters(wire.RSA, token=token, more=more)
            signature = wire.sign_with_rsa(wire.base_string("POST", url, oauth, prepend=prepend), key)
            remember(signature)
            remember(wire.encode(signature))
            return {"Authorization": wire.header(self._realm(), oauth, signature)}, None

        answer = self._desk.post(endpoint, url, write, deadline)
        if answer.failed:
            raise self._refusal(endpoint, answer)
        return answer

    def _realm(self) -> str:
        """IBKR's public test consumer has a realm of its own."""
        realm = self._settings.realm
        test = self._settings.consumer_key == wire.TEST_CONSUMER and realm == wire.REALM
        return wire.TEST_REALM if test else realm

    def _parameters(
        self, method: str, *, token: str | None, more: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        # Together, so that a later nonce never has an earlier time.
        with self._signing:
            nonce, timestamp = self._new_nonce(), self._desk.stamp()
        return wire.parameters(
            consumer_key=self._settings.consumer_key or "",
            nonce=nonce,
            timestamp=timestamp,
            method=method,
            token=token,
            more=more,
        )

    def _refusal(self, endpoint: Endpoint, answer: Deciphered) -> AuthenticationError:
        reason = wire.refusal(answer)
        said = f" IBKR says: {answer.error}." if answer.error else ""
        step = endpoint.template.rpartition("/")[2]
        return AuthenticationError(
            f"OAuth 1.0a, {reason} at the step {step} (HTTP {answer.status}); nothing was sent.{said}{self._desk.skew()}",
            endpoint=endpoint.name,
            status=answer.status,
            text=answer.error or "",
            remedy=_REMEDIES[reason],
        )

    # Settings -----------------------------------------------------------------------------

    def _need(self, *names: str) -> None:
        missing = [name for name in names if not getattr(self._settings, name)]
        if missing:
            listed = ", ".join(missing)
            raise ConfigurationError(f"OAuth 1.0a needs {listed}; nothing was sent.", remedy=f"Set {listed}.")

    def _ready(self) -> _Keys:
        """See that every setting is there, and load the keys."""
        if self._keys is not None:
            return self._keys
        self._need(
            "consumer_key",
            "access_token",
            "access_token_secret",
            "signature_key",
            "encryption_key",
            "dh_prime",
        )
        settings = self._settings
        encryption = private_key(settings.encryption_key, "encryption_key")
        sealed = plain_secret(settings.access_token_secret or "", "access_token_secret")
        try:
            secret = wire.unseal(sealed, encryption)
        except ValueError as wrong:
            raise ConfigurationError(
                f"access_token_secret cannot be opened with encryption_key: {wrong}; nothing was sent.",
                remedy="Copy access_token_secret again, whole, and check that the two keys are not exchanged.",
            ) from None
        remember(secret.hex())
        self._keys = _Keys(
            signature=private_key(settings.signature_key, "signature_key"),
            secret=secret,
            prime=dh_prime(settings.dh_prime, "dh_prime", generator=settings.dh_generator),
        )
        return self._keys


def _nonsense(endpoint: Endpoint, answer: Deciphered) -> BrokerageUnavailable:
    return BrokerageUnavailable(
        f"IBKR's answer to {endpoint.name} is not what was asked for; nothing was sent.",
        endpoint=endpoint.name,
        status=answer.status,
    )
