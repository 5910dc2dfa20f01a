"""Every setting, its spelling, its default and what makes it wrong.

A mapping in camelCase or snake_case (a host's credential row), or the environment, becomes a
:class:`Settings`; nothing is read, opened or asked for here. Unknown keys are refused by name,
because a misspelt guardrail that is ignored is worse than none.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import attrs

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.redact import remember

PREFIX = "IBKR_ADAPTER_"
GATEWAY_URL = "https://localhost:5000/v1/api"
DIRECT_URL = "https://api.ibkr.com/v1/api"
_FOREVER = 10**9


class AuthMethod(StrEnum):
    """The three ways to log in."""

    GATEWAY = "gateway"
    OAUTH1A = "oauth1a"
    OAUTH2 = "oauth2"


class Environment(StrEnum):
    """Whether live accounts may be traded: only ``PRODUCTION`` says so."""

    PRODUCTION = "production"
    PAPER = "paper"


# What hosts write for an environment that must never reach a live account.
_PAPER_WORDS = frozenset({"paper", "sandbox", "testnet", "test", "demo", "practice", "sim"})

# Spellings that hosts use beside the camelCase form of each name.
_ALIASES = {
    "gateway_url": "base_url",
    "api_url": "base_url",
    "account": "account_id",
    "account_number": "account_id",
}


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` names this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _UnshownError(ValueError):
    """A wrong value that may hold a secret, so it is not repeated."""


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004  (one kind of error for every wrong value)
    return value.strip() or None


def _pem(value: Any) -> str | None:
    text = _text(value)
    # A host's database column holds a PEM on one line with its line ends written out.
    return text.replace("\\n", "\n") if text is not None and "-----BEGIN" in text else text


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if word in {"true", "1", "yes", "on"}:
            return True
        if word in {"false", "0", "no", "off"}:
            return False
    if isinstance(value, int) and value in {0, 1}:
        return bool(value)
    raise ValueError("must be true or false")


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  (one kind of error for every wrong value)
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not number.is_finite() or number <= 0:
        raise ValueError("must be a number above 0")
    return number


def _seconds(value: Any) -> float:
    seconds = float(_number(value))
    if not 0 < seconds < _FOREVER:
        raise ValueError("must be a number above 0")
    return seconds


def _whole(value: Any) -> int:
    number = _number(value)
    if number > _FOREVER or number != number.to_integral_value():
        raise ValueError("must be a whole number")
    return int(number)


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple, set, frozenset)) or not all(
        isinstance(part, str) for part in parts
    ):
        raise ValueError("must be a list of texts")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _tif(value: Any) -> str:
    text = _text(value)
    if text is None or text.upper() not in {"DAY", "GTC", "IOC", "OPG", "OVT", "OND"}:
        raise ValueError("must be one of DAY, GTC, IOC, OPG, OVT, OND")
    return text.upper()


def _when_closed(value: Any) -> str:
    if value not in {"refuse", "queue"}:
        raise ValueError("must be refuse or queue")
    return str(value)


def _environment(value: Any) -> Environment | None:
    word = _text(value)
    if word is None:
        return None
    if word.lower() in {"production", "live"}:
        return Environment.PRODUCTION
    if word.lower() in _PAPER_WORDS:
        return Environment.PAPER
    raise ValueError("must be production, or paper (also sandbox, testnet)")


def _auth_method(value: Any) -> AuthMethod | None:
    word = _text(value)
    if word is None:
        return None
    try:
        return AuthMethod(word.lower().replace("_", "").replace(".", "").replace("-", ""))
    except ValueError:
        raise ValueError("must be gateway, oauth1a or oauth2") from None


def _fingerprint(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    digits = re.sub(r"[:\s]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError("must be the 64 hex digits of the certificate's SHA-256")
    return digits


def _url(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise _UnshownError(f"must be an address such as {GATEWAY_URL}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise _UnshownError("must hold no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https: plain http is for this machine only")
    path = parts.path.rstrip("/") or "/v1/api"
    if not path.endswith("/v1/api"):
        raise ValueError("must end in /v1/api")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _conids(value: Any) -> dict[str, int]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("must map currencies to conids")  # noqa: TRY004  (one kind of error for every wrong value)
    try:
        return {str(currency).upper(): _whole(conid) for currency, conid in value.items()}
    except ValueError:
        raise ValueError("must map currencies to conids") from None


def _guardrails(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("must be a mapping")  # noqa: TRY004  (one kind of error for every wrong value)
    if value:
        # An ignored guardrail would be believed in, so none is taken before all of them work.
        raise ValueError("is not available in this version: leave it out")
    return {}


def _plain(value: Any) -> str | None:
    return _text(value)


def _secret(default: Any = None, converter: Any = _plain) -> Any:
    return attrs.field(default=default, converter=converter, repr=False, metadata={"secret": True})


def _login(default: Any = None, converter: Any = _plain) -> Any:
    return attrs.field(default=default, converter=converter, metadata={"login": True})


def _connection(default: Any, converter: Any) -> Any:
    return attrs.field(default=default, converter=converter, metadata={"connection": True})


# How each setting is read; filled where the class below is made.
_CONVERTERS: dict[str, Any] = {}


def _named(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """Let a wrong value say which setting it is for, however the settings are made."""
    _CONVERTERS.update((field.name, field.converter) for field in fields)
    return [field.evolve(converter=partial(_converted, field)) for field in fields]


def _converted(field: attrs.Attribute[Any], value: Any, written: str = "") -> Any:
    try:
        return _CONVERTERS[field.name](value)
    except (ValueError, TypeError) as wrong:
        hidden = field.metadata.get("secret") or isinstance(wrong, _UnshownError)
        shown = "" if hidden else f", not {value!r:.80}"
        raise ConfigurationError(f"{written or field.name} {wrong}{shown}.") from None


@attrs.frozen(kw_only=True, field_transformer=_named)
class Settings:
    """How to log in, what to trade for and within which bounds; the table is in docs/settings.

    Seconds are seconds, ``default_order_usd`` is US dollars, ids are texts.
    """

    auth_method: AuthMethod = attrs.field(default=None, converter=_auth_method)
    base_url: str = attrs.field(default=None, converter=_url, metadata={"login": True})
    tls_fingerprint: str | None = _connection(None, _fingerprint)
    ca_file: str | None = _connection(None, _text)
    verify_tls: bool = _connection(True, _switch)

    consumer_key: str | None = _login()
    access_token: str | None = _secret()
    access_token_secret: str | None = _secret()
    signature_key: str | None = _secret(converter=_pem)
    encryption_key: str | None = _secret(converter=_pem)
    dh_prime: str | None = _secret(converter=_pem)
    dh_generator: int = _login(2, _whole)
    realm: str = _login("limited_poa")
    sign_query: bool = _connection(True, _switch)

    client_id: str | None = _login()
    client_key_id: str | None = _login()
    private_key: str | None = _secret(converter=_pem)
    credential: str | None = _login()
    ip_address: str | None = _login()
    scope: str = _login("sso-sessions.write")

    environment: Environment | None = attrs.field(default=None, converter=_environment)
    account_id: str | None = attrs.field(default=None, converter=_text)
    compete: bool = _connection(False, _switch)
    requests_per_second: float = _connection(10.0, _seconds)

    entry_tif: str = attrs.field(default="DAY", converter=_tif)
    exit_tif: str = attrs.field(default="GTC", converter=_tif)
    outside_rth: bool = attrs.field(default=False, converter=_switch)
    when_closed: str = attrs.field(default="refuse", converter=_when_closed)
    allow_delayed_prices: bool = attrs.field(default=False, converter=_switch)
    allow_short: bool = attrs.field(default=True, converter=_switch)
    allow_fractional: bool = attrs.field(default=False, converter=_switch)
    default_order_usd: Decimal = attrs.field(default=Decimal(600), converter=_number)

    suppress_messages: tuple[str, ...] = _connection((), _names)
    answer_messages: tuple[str, ...] = attrs.field(default=(), converter=_names)
    decline_messages: tuple[str, ...] = attrs.field(default=(), converter=_names)

    read_deadline: float = attrs.field(default=15.0, converter=_seconds)
    order_deadline: float = attrs.field(default=45.0, converter=_seconds)
    unknown_deadline: float = attrs.field(default=40.0, converter=_seconds)

    webhook_secret: str | None = _secret()
    ext_operator: str | None = attrs.field(default=None, converter=_text)
    manual_indicator: bool = attrs.field(default=False, converter=_switch)
    spread_conids: dict[str, int] = attrs.field(factory=dict, converter=_conids)
    guardrails: dict[str, Any] = attrs.field(factory=dict, converter=_guardrails)
    state_dir: str | None = _connection(None, _text)

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Settings):
            if field.metadata.get("secret"):
                remember(getattr(self, field.name))
        method = self.auth_method or self._guess()
        object.__setattr__(self, "auth_method", method)
        if self.base_url is None:
            url = GATEWAY_URL if method is AuthMethod.GATEWAY else DIRECT_URL
            object.__setattr__(self, "base_url", url)
        if not self.verify_tls and not is_loopback(self.host):
            raise ConfigurationError(
                f"verify_tls=False is refused for {self.host}: whoever stands in between could trade the account.",
                remedy="Pin the certificate with tls_fingerprint or name its ca_file; verification can only be off for this machine.",
            )

    @property
    def host(self) -> str:
        """The host name of ``base_url``."""
        return urlsplit(self.base_url).hostname or ""

    def login_key(self) -> tuple[Any, ...]:
        """What two objects must have in common to share one connection."""
        return (
            self.auth_method,
            *(
                getattr(self, field.name)
                for field in attrs.fields(Settings)
                if field.metadata.get("login")
                or (field.metadata.get("secret") and field.name != "webhook_secret")
            ),
        )

    def connection_settings(self) -> dict[str, Any]:
        """What belongs to the connection and must agree among the objects that share it."""
        return {
            field.name: getattr(self, field.name)
            for field in attrs.fields(Settings)
            if field.metadata.get("connection")
        }

    @classmethod
    def of(cls, config: Settings | Mapping[str, Any]) -> Settings:
        """Read a mapping with camelCase or snake_case keys.

        Raises:
            ConfigurationError: A key is unknown, given twice, or its value is wrong; nothing
                was opened or sent.
        """
        if isinstance(config, Settings):
            return config
        if not isinstance(config, Mapping):
            raise ConfigurationError(
                f"the configuration must be Settings or a mapping, not {type(config).__name__}."
            )
        found: dict[str, Any] = {}
        written: dict[str, str] = {}
        for key, value in config.items():
            name = _name_of(key)
            if name in found:
                raise ConfigurationError(f"{written[name]} and {key} are the same setting: give one of them.")
            found[name] = value
            written[name] = str(key)
        return cls._build(found, written)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the variables that begin with ``IBKR_ADAPTER_``; empty ones count as unset."""
        variables = os.environ if environ is None else environ
        given = {
            key.removeprefix(PREFIX).lower(): value
            for key, value in variables.items()
            if key.startswith(PREFIX) and value.strip()
        }
        return cls.of(given)

    @classmethod
    def _build(cls, found: Mapping[str, Any], written: Mapping[str, str]) -> Settings:
        arguments: dict[str, Any] = {}
        for field in attrs.fields(cls):
            if field.name not in found:
                continue
            value = found[field.name]
            if value is not None:
                arguments[field.name] = _converted(field, value, written[field.name])
        return cls(**arguments)

    def _guess(self) -> AuthMethod:
        if self.client_id or self.client_key_id or self.private_key:
            return AuthMethod.OAUTH2
        if self.consumer_key or self.access_token or self.signature_key:
            return AuthMethod.OAUTH1A
        return AuthMethod.GATEWAY


def _name_of(key: Any) -> str:
    if not isinstance(key, str):
        raise ConfigurationError(f"a setting's name must be a text, not {key!r}.")
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
    name = _ALIASES.get(snake, snake)
    known = [field.name for field in attrs.fields(Settings)]
    if name in known:
        return name
    near = difflib.get_close_matches(name, [*known, *_ALIASES], n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigurationError(f"{key} is not a setting.{hint}")
