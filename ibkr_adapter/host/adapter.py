"""Interactive Brokers as one of a host's exchanges: its names, what it requires, and whose account it trades.

What the login needs is told in the host's wording when the object is made, before anybody is asked. A gateway
has no credentials that would tell its users apart, so for a user of many the gateway and the account
must be named, the account must be among those that ``/iserver/accounts`` lists, and it is one user's
(:mod:`.claims`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.setting_readers import AuthMethod
from ibkr_adapter.settings import Settings
from ibkr_adapter.state import state_directory

from .claims import Claims
from .credentials import map_credentials_to_config
from .registry import Adapter

if TYPE_CHECKING:
    from ibkr_adapter.connection import Connection
    from ibkr_adapter.doors import Doors

TITLE = "Interactive Brokers"
ALIASES = ("interactive-brokers", "interactive_brokers")
# What each login cannot do without, in the words of a configuration.
REQUIRED = {
    AuthMethod.OAUTH2: ("clientId", "privateKey", "clientKeyId", "credential"),
    AuthMethod.OAUTH1A: (
        "consumerKey",
        "accessToken",
        "accessTokenSecret",
        "signatureKey",
        "encryptionKey",
        "dhPrime",
    ),
    AuthMethod.GATEWAY: (),
}
_OF_A_TENANT = ("gatewayUrl", "accountId")
_FIELDS = {
    "clientId": "client_id",
    "privateKey": "private_key",
    "clientKeyId": "client_key_id",
    "credential": "credential",
    "consumerKey": "consumer_key",
    "accessToken": "access_token",
    "accessTokenSecret": "access_token_secret",
    "signatureKey": "signature_key",
    "encryptionKey": "encryption_key",
    "dhPrime": "dh_prime",
    "accountId": "account_id",
}


_claims = Claims()


class TenantExchange(IBKRExchange):
    """The exchange of one user of many, held to the account in that user's credentials."""

    def __init__(
        self,
        config: Settings | Mapping[str, Any],
        *,
        user: str,
        doors: Doors | None = None,
        claims: Claims | None = None,
    ) -> None:
        super().__init__(config, user=user, doors=doors)
        self._owner = user
        self._claims = claims or _claims
        # The process in which it was seen that the account is this user's.
        self._seen: int | None = None

    def request(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> Any:
        """Call any endpoint, where the login is this user's alone; at a gateway it could reach another's account."""
        if self.settings.auth_method is AuthMethod.GATEWAY:
            raise ConfigurationError(
                "requests of any kind are not for users of a shared gateway; nothing was sent.",
                remedy="Use the methods of the exchange.",
            )
        return super().request(method, path, params, json)

    def _link(self) -> Connection:
        link = super()._link()
        account = self.settings.account_id
        if self._seen != os.getpid() and account is not None:
            listed = link.session.accounts().accounts
            if account not in listed:
                # The others are other people's, so they are not told.
                raise ConfigurationError(
                    f"account_id {account} is not among the accounts of this login; nothing was sent.",
                    remedy="Set account_id to the account of the user whose credentials these are.",
                )
            if self.settings.auth_method is AuthMethod.GATEWAY:
                self._claim(account)
            self._seen = os.getpid()
        return link

    def _claim(self, account: str) -> None:
        from ibkr_adapter.doors import DEFAULT_DOORS  # noqa: PLC0415  (loaded with the first call)

        doors = self._doors or DEFAULT_DOORS
        folder = state_directory(self.settings.state_dir, os.environ) if doors.shared else None
        self._claims.take(self.settings.base_url, account, self._owner, folder=folder, clock=doors.clock)


def create(
    config: Settings | Mapping[str, Any], *, user: str | None = None, doors: Doors | None = None
) -> IBKRExchange:
    """Make an exchange; asks nobody and opens nothing.

    Args:
        config: The settings.
        user: Whose it is, where a host has many; then a gateway's address and account are required.
        doors: Another clock and transport, for tests.

    Raises:
        ConfigurationError: Something is missing or wrong; nothing was opened or sent.
    """
    settings = Settings.of(config)
    required = REQUIRED[settings.auth_method]
    lacking = [name for name in required if getattr(settings, _FIELDS[name]) is None]
    if user is not None and settings.auth_method is AuthMethod.GATEWAY:
        required = _OF_A_TENANT
        lacking = [] if _names_gateway(config) else ["gatewayUrl"]
        lacking += [] if settings.account_id else ["accountId"]
    if lacking:
        raise ConfigurationError(f"{TITLE} requires {_listed(required)}; missing: {', '.join(lacking)}.")
    if user is None:
        return IBKRExchange(config, doors=doors)
    return TenantExchange(config, user=user, doors=doors)


def _names_gateway(config: Settings | Mapping[str, Any]) -> bool:
    if isinstance(config, Settings):
        return True
    named = {"base_url", "baseUrl", "gateway_url", "gatewayUrl", "api_url", "apiUrl"}
    return any(config.get(name) for name in named)


def _listed(names: tuple[str, ...]) -> str:
    if len(names) < 3:  # noqa: PLR2004  (two need no commas)
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"


def _make(config: Mapping[str, Any], user: str | None, doors: Any) -> IBKRExchange:
    return create(config, user=user, doors=doors)


ADAPTER = Adapter(
    name=IBKRExchange.exchange_name,
    title=TITLE,
    aliases=ALIASES,
    make=_make,
    map_credentials=map_credentials_to_config,
)
