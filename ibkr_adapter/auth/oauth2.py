"""Log in by OAuth 2.0: an assertion for an access token, another for a session, its token on every call.

What is written and read is for :mod:`ibkr_adapter.wire.oauth2`, the calls themselves for
:class:`~ibkr_adapter.auth.desk.TokenDesk`, one token for all threads for
:class:`~ibkr_adapter.auth.renewal.Renewal`. Nothing is stored, and nobody but IBKR is asked for
anything: the public address comes from the settings.

Nothing here was tried against the real service; it follows the samples of IBKR's own staff.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ibkr_adapter.auth.base import StreamDoor, stream_cookie, stream_url
from ibkr_adapter.auth.desk import Written
from ibkr_adapter.auth.keys import private_key
from ibkr_adapter.auth.renewal import Grant
from ibkr_adapter.auth.token_login import TokenLogin
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import AuthenticationError, BrokerageUnavailable, ConfigurationError
from ibkr_adapter.lease import Lease
from ibkr_adapter.redact import remember
from ibkr_adapter.settings import Settings
from ibkr_adapter.transport import Transport
from ibkr_adapter.turns import Turns
from ibkr_adapter.wire import oauth2 as wire
from ibkr_adapter.wire.endpoints import OAUTH2_SSO_SESSION, OAUTH2_TOKEN, Endpoint
from ibkr_adapter.wire.response import Deciphered

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

log = logging.getLogger(__name__)

_REMEDIES = {
    wire.Refusal.SCOPE: "Ask IBKR to give this client the scope {scope}, or set scope to what it has.",
    wire.Refusal.ADDRESS: "IBKR sees another public address than ip_address says, or does not allow it for this"
    " client: set ip_address to the one from which calls leave, and have IBKR list it.",
    wire.Refusal.EXPIRED: "Check this machine's clock: an assertion is good for half a minute.",
    wire.Refusal.KEY: "Check that private_key is the half of the key that IBKR has registered as {client_key_id}.",
    wire.Refusal.AUDIENCE: "Check that base_url is IBKR's own: {base_url}.",
    wire.Refusal.CREDENTIAL: "Check that credential is the user name, as IBKR knows it, that this client may use.",
    wire.Refusal.CLIENT: "Check client_id and client_key_id as IBKR gave them, and that they are active by now.",
    wire.Refusal.OTHER: "Check client_id, client_key_id and private_key; a page that says Access Denied means that"
    " this machine's public address is not let in.",
}


class OAuth2(TokenLogin):
    """Logs in by private_key_jwt (RFC 7523) and bears the session's token on every call."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        transport: Transport,
        turns: Turns,
        lease: Lease | None = None,
    ) -> None:
        super().__init__(settings, clock=clock, transport=transport, turns=turns, lease=lease)
        self._key: RSAPrivateKey | None = None

    def headers(self, method: str, url: str, query: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002  (the protocol's arguments)
        """Bear the token, which does not depend on the call."""
        return {"Authorization": f"Bearer {self._renewal.use()}"}

    def stream(self, session: str | None) -> StreamDoor:
        """Name the WebSocket, with the session's token in its address as IBKR wants it."""
        query = urlencode({"bearer_token": self._renewal.use()})
        return StreamDoor(url=stream_url(self._settings.base_url, query), headers=stream_cookie(session))

    def refused(self) -> AuthenticationError:
        """Say what may be wrong when a fresh session is not accepted."""
        return AuthenticationError(
            "IBKR gave a session and does not accept it; nothing was sent.",
            remedy=f"Check that ip_address, {self._settings.ip_address}, is the public address from which calls leave"
            f" now, and that no other program logs in as {self._settings.credential}; then try again.",
        )

    def _login(self, deadline: float) -> Grant:
        settings = self._settings
        key = self._ready()
        client, key_id = settings.client_id or "", settings.client_key_id or ""
        start = wire.origin(settings.base_url)

        def ask() -> Written:
            assertion = wire.sign(wire.client_claims(client, self._desk.now()), key, key_id)
            remember(assertion)
            return {"Content-Type": wire.FORM}, wire.token_form(assertion, settings.scope)

        answer = self._desk.post(OAUTH2_TOKEN, f"{start}{OAUTH2_TOKEN.template}", ask, deadline)
        access = self._read(OAUTH2_TOKEN, "access token", answer)
        if access.scope and not set(settings.scope.split()) <= set(access.scope.split()):
            raise self._refusal(OAUTH2_TOKEN, "access token", answer, wire.Refusal.SCOPE)

        def open_session() -> Written:
            claims = wire.session_claims(
                client, settings.credential or "", _addresses(settings.ip_address), self._desk.now()
            )
            assertion = wire.sign(claims, key, key_id)
            remember(assertion)
            headers = {"Authorization": f"Bearer {access.text}", "Content-Type": wire.JWT}
            return headers, assertion.encode("ascii")

        where = f"{start}{OAUTH2_SSO_SESSION.template}"
        answer = self._desk.post(OAUTH2_SSO_SESSION, where, open_session, deadline)
        bearer = self._read(OAUTH2_SSO_SESSION, "SSO session", answer)
        if not bearer.active:
            raise self._refusal(OAUTH2_SSO_SESSION, "SSO session", answer, wire.Refusal.CREDENTIAL)
        log.info("logged in by OAuth 2.0")
        now = self._desk.now()
        return Grant(token=bearer.text, granted=now, ends=bearer.ends or now + wire.SESSION_LIFETIME)

    def _read(self, endpoint: Endpoint, step: str, answer: Deciphered) -> wire.Token:
        if answer.failed:
            raise self._refusal(endpoint, step, answer, wire.refusal(answer))
        token = wire.read_token(answer.content, self._desk.now())
        if token is None:
            raise BrokerageUnavailable(
                f"IBKR's answer to the OAuth 2.0 step {step} has no token in it; nothing was sent.",
                endpoint=endpoint.name,
                status=answer.status,
            )
        remember(token.text)
        return token

    def _refusal(
        self, endpoint: Endpoint, step: str, answer: Deciphered, reason: wire.Refusal
    ) -> AuthenticationError:
        words = wire.words(answer)
        said = f" IBKR says: {words}." if words else ""
        settings = self._settings
        remedy = _REMEDIES[reason].format(
            scope=settings.scope, client_key_id=settings.client_key_id, base_url=settings.base_url
        )
        return AuthenticationError(
            f"OAuth 2.0, {reason} at the step {step} (HTTP {answer.status}); nothing was sent.{said}{self._desk.skew()}",
            endpoint=endpoint.name,
            status=answer.status,
            text=words,
            remedy=remedy,
        )

    def _ready(self) -> RSAPrivateKey:
        """See that every setting is there, and load the key."""
        settings = self._settings
        for name in ("client_id", "client_key_id", "private_key", "credential"):
            if not getattr(settings, name):
                raise ConfigurationError(f"OAuth 2.0 needs {name}; nothing was sent.", remedy=f"Set {name}.")
        if settings.ip_address is None:
            raise ConfigurationError(
                "OAuth 2.0 needs ip_address, because IBKR binds the session to it; nothing was sent.",
                remedy="Set ip_address to the public address from which this machine's calls leave;"
                " no third party is asked for it.",
            )
        _addresses(settings.ip_address)
        if self._key is None:
            self._key = private_key(settings.private_key, "private_key")
        return self._key


def _addresses(text: str | None) -> list[str]:
    """Take the setting apart: one public address, or several with commas between them."""
    found = [part.strip() for part in (text or "").split(",")]
    try:
        return [str(ip_address(part)) for part in found]
    except ValueError:
        raise ConfigurationError(
            f"ip_address is {text!r:.60}, which is no address; nothing was sent.",
            remedy="Write it like 203.0.113.7; several have commas between them.",
        ) from None
