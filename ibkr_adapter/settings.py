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
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import attrs

from ibkr_adapter import setting_readers as read
from ibkr_adapter.errors import ConfigurationError, quoted
from ibkr_adapter.model.guardrails import Guardrails
from ibkr_adapter.model.maintenance import Region
from ibkr_adapter.redact import remember
from ibkr_adapter.setting_readers import (
    DIRECT_URL,
    FAR_MARGIN,
    GATEWAY_URL,
    NEAR_MARGIN,
    AuthMethod,
    Environment,
    UnshownError,
    is_loopback,
    names_a_place,
)

PREFIX = "IBKR_ADAPTER_"
KILL_SWITCH = f"{PREFIX}KILL_SWITCH"

# Spellings that hosts use beside the camelCase form of each name.
_ALIASES = {
    "gateway_url": "base_url",
    "api_url": "base_url",
    "account": "account_id",
    "account_number": "account_id",
}


def _secret(default: Any = None, converter: Any = read.text) -> Any:
    return attrs.field(default=default, converter=converter, repr=False, metadata={"secret": True})


def _key() -> Any:
    return attrs.field(default=None, converter=read.pem, repr=False, metadata={"secret": True, "key": True})


def _login(default: Any = None, converter: Any = read.text) -> Any:
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
        hidden = field.metadata.get("secret") or isinstance(wrong, UnshownError)
        shown = "" if hidden else f", not {quoted(value, 80)}"
        raise ConfigurationError(f"{written or field.name} {wrong}{shown}.") from None


@attrs.frozen(kw_only=True, field_transformer=_named)
class Settings:
    """How to log in, what to trade for and within which bounds; the table is in docs/settings.

    Seconds are seconds, ``default_order_usd`` is US dollars, ids are texts.
    """

    auth_method: AuthMethod = attrs.field(default=None, converter=read.auth_method)
    base_url: str = attrs.field(default=None, converter=read.url, metadata={"login": True})
    tls_fingerprint: str | None = _connection(None, read.fingerprint)
    ca_file: str | None = _connection(None, read.text)
    verify_tls: bool = _connection(True, read.switch)

    consumer_key: str | None = _login()
    access_token: str | None = _secret()
    access_token_secret: str | None = _secret()
    signature_key: str | None = _key()
    encryption_key: str | None = _key()
    dh_prime: str | None = _key()
    dh_generator: int = _login(2, read.whole)
    realm: str = _login("limited_poa")
    sign_query: bool = _connection(True, read.switch)

    client_id: str | None = _login()
    client_key_id: str | None = _login()
    private_key: str | None = _key()
    credential: str | None = _login()
    ip_address: str | None = _login()
    scope: str = _login("sso-sessions.write")

    environment: Environment | None = attrs.field(default=None, converter=read.environment)
    account_id: str | None = attrs.field(default=None, converter=read.text)
    compete: bool = _connection(False, read.switch)
    requests_per_second: float = _connection(10.0, read.seconds)
    pacing_margin: float = _connection(None, read.margin)
    market_data_lines: int = _connection(100, read.whole)
    region: Region = attrs.field(
        default=Region.NORTH_AMERICA, converter=read.region, metadata={"connection": True}
    )
    during_maintenance: str = _connection("wait", read.during_maintenance)

    entry_tif: str = attrs.field(default="DAY", converter=read.tif)
    exit_tif: str = attrs.field(default="GTC", converter=read.tif)
    outside_rth: bool = attrs.field(default=False, converter=read.switch)
    when_closed: str = attrs.field(default="refuse", converter=read.when_closed)
    missing_leg: str = _connection("protect", read.missing_leg)
    allow_delayed_prices: bool = attrs.field(default=False, converter=read.switch)
    allow_short: bool = attrs.field(default=True, converter=read.switch)
    allow_fractional: bool = attrs.field(default=False, converter=read.switch)
    default_order_usd: Decimal = attrs.field(default=Decimal(600), converter=read.number)

    suppress_messages: tuple[str, ...] = _connection((), read.names)
    answer_messages: tuple[str, ...] = attrs.field(default=(), converter=read.names)
    decline_messages: tuple[str, ...] = attrs.field(default=(), converter=read.names)

    read_deadline: float = attrs.field(default=15.0, converter=read.seconds)
    order_deadline: float = attrs.field(default=45.0, converter=read.seconds)
    unknown_deadline: float = attrs.field(default=40.0, converter=read.seconds)

    webhook_secret: str | None = _secret()
    ext_operator: str | None = attrs.field(default=None, converter=read.text)
    manual_indicator: bool = attrs.field(default=False, converter=read.switch)
    spread_conids: dict[str, int] = attrs.field(factory=dict, converter=read.conids)
    guardrails: Guardrails = attrs.field(factory=Guardrails, converter=read.guardrails)
    state_dir: str | None = _connection(None, read.place)

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Settings):
            value = getattr(self, field.name)
            # A path is no secret, and an error that masks it helps nobody.
            if field.metadata.get("secret") and not (
                field.metadata.get("key") and value and names_a_place(value)
            ):
                remember(value)
        method = self.auth_method or self._guess()
        object.__setattr__(self, "auth_method", method)
        if self.base_url is None:
            url = GATEWAY_URL if method is AuthMethod.GATEWAY else DIRECT_URL
            object.__setattr__(self, "base_url", url)
        if self.pacing_margin is None:
            margin = NEAR_MARGIN if is_loopback(self.host) else FAR_MARGIN
            object.__setattr__(self, "pacing_margin", margin)
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

    def login_name(self) -> tuple[Any, ...]:
        """What tells one login from another and is no secret."""
        return (
            self.auth_method,
            *(getattr(self, field.name) for field in attrs.fields(Settings) if field.metadata.get("login")),
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
        _check_mapping(config)
        found: dict[str, Any] = {}
        written: dict[str, str] = {}
        for key, value in config.items():
            name = name_of(key)
            if name in found:
                raise ConfigurationError(f"{written[name]} and {key} are the same setting: give one of them.")
            found[name] = value
            written[name] = str(key)
        return cls._build(found, written)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, overridden: Mapping[str, Any] | None = None
    ) -> Settings:
        """Read the variables that begin with ``IBKR_ADAPTER_``; empty ones count as unset.

        Args:
            environ: Other variables than this process's.
            overridden: Settings that go before them; ``None`` leaves the variable's value.
        """
        variables = os.environ if environ is None else environ
        for given_in in (variables, {} if overridden is None else overridden):
            _check_mapping(given_in)
        given: dict[str, Any] = {
            key.removeprefix(PREFIX).lower(): value
            for key, value in variables.items()
            # The kill switch is looked at whenever an order is about to leave, not once.
            if _is_given(key, value) and key != KILL_SWITCH
        }
        named = {key: value for key, value in (overridden or {}).items() if value is not None}
        return cls.of(given | named)

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


def _check_mapping(config: object) -> None:
    if not isinstance(config, Mapping):
        raise ConfigurationError(
            f"the configuration must be Settings or a mapping, not {type(config).__name__}."
        )


def _is_given(key: object, value: object) -> bool:
    """Whether a variable is one of ours and set; what is no text is for the reader of its setting."""
    return (
        isinstance(key, str) and key.startswith(PREFIX) and not (isinstance(value, str) and not value.strip())
    )


def name_of(key: Any) -> str:
    """Tell which setting a spelling means, without the prefix of variables."""
    if not isinstance(key, str):
        raise ConfigurationError(f"a setting's name must be a text, not {quoted(key)}.")
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
    name = _ALIASES.get(snake, snake)
    known = [field.name for field in attrs.fields(Settings)]
    if name in known:
        return name
    near = difflib.get_close_matches(name, [*known, *_ALIASES], n=1, cutoff=0.6)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigurationError(f"{key[:80]} is not a setting.{hint}")
