"""Turn a host's row of credentials into a configuration, whatever the row is like.

A host maps rows where nobody catches an exception, so mapping raises nothing: what cannot be mapped stays
in the configuration under its own name, and making the exchange says what is wrong with it. Two values for
one thing stay side by side for the same reason: which of two accounts is meant is not guessed.

The row is the host's table (``api_key``, ``api_secret``, ``account_id``, ``environment``, ``extra_metadata``)
or the object it makes of it (``apiKey``, ``extra``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from ibkr_adapter.errors import ConfigurationError

_OAUTH2 = frozenset({"client_id", "client_key_id", "credential", "private_key"})
_OAUTH1A = frozenset(
    {"consumer_key", "access_token", "access_token_secret", "signature_key", "encryption_key", "dh_prime"}
)
# Whose a row is.
OWNERS = ("userId", "user_id")
_EXTRAS = ("extra_config", "extra", "extra_metadata")


def map_credentials_to_config(credentials: Any) -> dict[str, Any] | None:
    """Map one row; ``None`` where it is no row at all. Nothing is raised, asked or opened."""
    if not isinstance(credentials, Mapping):
        return None
    row = {_snake(key): value for key, value in credentials.items() if not _is_blank(value)}
    config = _extras(row)
    told = {_snake(name) for name in config}
    method = _method(config, row, told)
    key, secret = row.get("api_key"), row.get("api_secret")
    if method == "oauth2":
        _put(config, "clientId", key)
        _put(config, "privateKey", secret)
    elif method == "oauth1a":
        _put(config, "consumerKey", key)
        _put(config, "accessToken", row.get("access_token"))
        _put(config, "signatureKey" if _is_key(secret) else "accessTokenSecret", secret)
    elif "auth_method" not in told:
        # Something to log in with that nobody can tell the meaning of must not become a gateway's login.
        _put(config, "apiKey", key)
        _put(config, "apiSecret", secret)
    _put(config, "accountId", row.get("account_id"))
    _put(config, "environment", row.get("environment"))
    _put(config, "webhookSecret", row.get("webhook_secret"))
    if "auth_method" not in told and method is not None:
        config["authMethod"] = method
    return config


def check_owner(row: Mapping[str, Any], user: str | None) -> None:
    """See that a row is this user's, where it says whose it is.

    Raises:
        ConfigurationError: It is another one's; nothing was sent.
    """
    owners = {str(row[key]) for key in OWNERS if row.get(key) is not None}
    if len(owners | ({user} - {None})) > 1:
        raise of_another("user")


def check_exchange_name(row: Mapping[str, Any], names: Collection[str]) -> None:
    """See that a row is for the exchange of these names, where it says for which it is.

    Raises:
        ConfigurationError: It is for another one; nothing was sent.
    """
    if row.get("exchange") is not None and str(row["exchange"]).strip().lower() not in names:
        raise of_another("exchange")


def of_another(what: str) -> ConfigurationError:
    """The error that a row is another user's, exchange's or environment's."""
    return ConfigurationError(
        f"these credentials are another {what}'s; nothing was sent.",
        remedy="Check the id of the credentials in the request.",
    )


def _extras(row: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in _EXTRAS:
        extra = row.get(name)
        if isinstance(extra, str):
            extra = _decoded(extra)
        if extra is None:
            continue
        if not isinstance(extra, Mapping):
            # Refused by its name when the exchange is made.
            config[name] = "unreadable"
            continue
        for key, value in extra.items():
            if _is_blank(value):
                continue
            same = next((known for known in config if _snake(known) == _snake(key)), None)
            config[str(key) if same is None else same] = value
    return config


def _method(config: Mapping[str, Any], row: Mapping[str, Any], told: set[str]) -> str | None:
    for name, value in config.items():
        if _snake(name) == "auth_method":
            return re.sub(r"[^a-z0-9]", "", str(value).lower())
    if told & _OAUTH2:
        return "oauth2"
    if told & _OAUTH1A or "access_token" in row:
        return "oauth1a"
    return None if "api_key" in row or "api_secret" in row else "gateway"


def _put(config: dict[str, Any], name: str, value: Any) -> None:
    """Add a value; beside another one for the same thing it stands in the other spelling, to be refused."""
    if value is None:
        return
    for known, given in config.items():
        if _snake(known) == _snake(name):
            if given != value:
                config[_snake(name) if known == name else name] = value
            return
    config[name] = value


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_key(secret: Any) -> bool:
    return isinstance(secret, str) and "-----BEGIN" in secret


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _snake(key: Any) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", str(key)).lower()
