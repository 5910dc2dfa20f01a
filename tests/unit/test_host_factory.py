"""Exchanges are found by name, made without asking anybody, and only for whom they belong to."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.host import factory as rooms
from ibkr_adapter.host.adapter import ADAPTER, TenantExchange, create
from ibkr_adapter.host.credentials import map_credentials_to_config
from ibkr_adapter.host.factory import ExchangeFactory
from ibkr_adapter.host.registry import GROUP, Adapter
from ibkr_adapter.settings import Settings

KEY = "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----"
OAUTH2 = {"clientId": "client", "privateKey": KEY, "clientKeyId": "kid", "credential": "user"}
OAUTH1A = {
    "consumerKey": "TESTCONS1",
    "accessToken": "token-of-mine",
    "accessTokenSecret": "c2VjcmV0",
    "signatureKey": KEY,
    "encryptionKey": KEY,
    "dhPrime": "ff" * 64,
}
GATEWAY = {"gatewayUrl": "https://localhost:5000/v1/api", "accountId": "DU1"}


class Other:
    """Another broker's adapter, of another package."""

    exchange_name = "other"

    def __init__(self, config):
        self.config = config

    def get_exchange_name(self):
        return self.exchange_name


OTHER = Adapter(
    name="other", title="Other", make=lambda config, _user, _doors: Other(config), map_credentials=dict
)
NO_ADAPTER = object()
HERE = __name__


@pytest.fixture
def factory():
    """Nothing but ours, whatever is installed here."""
    return ExchangeFactory(found=tuple)


def point(name, value):
    return EntryPoint(name=name, value=f"{HERE}:{value}", group=GROUP)


# By name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ibkr", "IBKR", " interactive-brokers", "interactive_brokers"])
def test_ours_has_its_names(factory, name):
    made = factory.create_exchange(name, {})

    assert isinstance(made, IBKRExchange)
    assert made.get_exchange_name() == "ibkr"


def test_an_unknown_name_is_told_in_the_hosts_words(factory):
    with pytest.raises(ConfigurationError) as refused:
        factory.create_exchange("kraken", {})

    assert str(refused.value) == (
        "Unknown exchange: kraken. Supported exchanges: ibkr, interactive-brokers, interactive_brokers."
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"authMethod": "oauth2", "clientId": "client"},
            (
                "Interactive Brokers requires clientId, privateKey, clientKeyId, and credential; missing: privateKey,"
                " clientKeyId, credential."
            ),
        ),
        (
            {key: value for key, value in OAUTH1A.items() if key != "dhPrime"},
            (
                "Interactive Brokers requires consumerKey, accessToken, accessTokenSecret, signatureKey, encryptionKey, and"
                " dhPrime; missing: dhPrime."
            ),
        ),
        ({"acountId": "DU1"}, "acountId is not a setting. Did you mean account_id?"),
    ],
)
def test_what_is_missing_is_told_when_the_object_is_made(factory, config, words):
    with pytest.raises(ConfigurationError) as refused:
        factory.create_exchange("ibkr", config)

    assert str(refused.value) == words
    assert "token-of-mine" not in str(refused.value)


@pytest.mark.parametrize("config", [OAUTH2, OAUTH1A, GATEWAY, {}])
def test_each_login_can_be_made(factory, config):
    assert isinstance(factory.create_exchange("ibkr", config), IBKRExchange)


def test_all_of_a_configuration_are_made_but_those_that_cannot_be(caplog):
    """One wrong section must not keep a host from starting."""
    factory = ExchangeFactory((ADAPTER, OTHER), found=tuple)
    full = {"ibkr": {"authMethod": "oauth2"}, "other": {"key": 1}, "telegram": {"token": "x"}, "port": 80}

    made = factory.create_all_exchanges(full)
    ours = factory.create_all_exchanges({"interactive-brokers": {}})

    assert list(made) == ["other"]
    assert made["other"].config == {"key": 1}
    assert "requires clientId" in caplog.text
    assert list(ours) == ["ibkr"]


# Other packages ----------------------------------------------------------------------------------


def test_ours_is_registered_as_any_other_package_would_be():
    project = Path(__file__).parents[2] / "pyproject.toml"
    if not project.exists():
        pytest.skip("the project file is not here: these are the tests of a built wheel")
    points = tomllib.loads(project.read_text("utf-8"))["project"]["entry-points"][GROUP]

    assert {name: EntryPoint(name, value, GROUP).load() for name, value in points.items()} == {
        "ibkr": ADAPTER
    }


def test_another_package_is_found_and_loaded_when_it_is_asked_for():
    points = [point("other", "OTHER"), point("broken", "NOT_THERE"), point("odd", "NO_ADAPTER")]
    factory = ExchangeFactory(found=lambda: points)

    assert factory.create_exchange("Other", {"a": 1}).config == {"a": 1}
    assert {"other", "broken", "ibkr"} <= set(factory.supported_exchanges())
    with pytest.raises(AttributeError):
        factory.create_exchange("broken", {})
    with pytest.raises(ConfigurationError, match="is no Adapter"):
        factory.create_exchange("odd", {})


def test_no_package_can_take_our_name():
    """It would be given our users' keys."""
    factory = ExchangeFactory(found=lambda: [point("ibkr", "OTHER")])

    assert isinstance(factory.create_exchange("ibkr", {}), IBKRExchange)
    with pytest.raises(ConfigurationError, match="taken by Interactive Brokers"):
        factory.register(Adapter(name="IBKR", title="Thief", make=OTHER.make, map_credentials=dict))


def test_the_short_forms_are_those_of_a_fresh_factory():
    assert isinstance(rooms.create_exchange("ibkr", {}), IBKRExchange)
    assert list(rooms.create_all_exchanges({"ibkr": {}})) == ["ibkr"]
    assert rooms.create_exchange_for_user("ann", "ibkr", load=lambda *_: None) is None


# Users -------------------------------------------------------------------------------------------


def row(**fields):
    return {"user_id": "ann", "exchange": "ibkr", "environment": "sandbox"} | fields


def gateway_row(**fields):
    return row(account_id="DU1", extra_metadata={"gatewayUrl": GATEWAY["gatewayUrl"]}, **fields)


def test_a_users_exchange_is_made_from_the_users_row(factory):
    asked = []

    def load(*about):
        asked.append(about)
        return row(
            api_key="client", api_secret=KEY, extra_metadata={"clientKeyId": "k", "credential": "ann1"}
        )

    made = factory.create_exchange_for_user("ann", "interactive-brokers", "sandbox", "row-7", load=load)

    assert asked == [("ann", "ibkr", "sandbox", "row-7")]
    assert isinstance(made, TenantExchange)
    assert made.settings.client_id == "client"
    assert "\n" in made.settings.private_key


def test_a_user_without_credentials_has_no_exchange(factory):
    assert factory.create_exchange_for_user("ann", "ibkr", load=lambda *_: None) is None
    assert factory.map_credentials_to_config("ibkr", "no row") is None
    bare = Adapter(name="bare", title="Bare", make=OTHER.make, map_credentials=lambda _row: None)
    mapped_to_none = ExchangeFactory((bare,), found=tuple)
    assert mapped_to_none.create_exchange_for_user("ann", "bare", load=lambda *_: {}) is None
    assert factory.map_credentials_to_config("kraken", {}) is None
    for no_row in ([], [{"user_id": "ann"}], "no row", 5):
        assert factory.create_exchange_for_user("ann", "ibkr", load=lambda *_, found=no_row: found) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"user_id": "bob"}, "another user's"),
        ({"userId": "Ann"}, "another user's"),
        ({"exchange": "kraken"}, "another exchange's"),
        ({"environment": "production"}, "another environment's"),
        ({"environment": "nonsense"}, "another environment's"),
    ],
)
def test_a_row_that_is_not_the_users_own_is_refused(factory, fields, words):
    """A loader by id finds anybody's."""
    with pytest.raises(ConfigurationError, match=words):
        factory.create_exchange_for_user(
            "ann", "ibkr", "sandbox", "7", load=lambda *_: gateway_row() | fields
        )


@pytest.mark.parametrize("given", ["sandbox", "testnet", "paper"])
def test_words_for_paper_mean_the_same(factory, given):
    found = factory.create_exchange_for_user("ann", "ibkr", given, load=lambda *_: gateway_row())

    assert found.settings.account_id == "DU1"


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({}, "gatewayUrl, accountId"),
        ({"account_id": "DU1"}, "gatewayUrl"),
        ({"extra": {"gatewayUrl": GATEWAY["gatewayUrl"]}}, "accountId"),
    ],
)
def test_a_user_of_a_gateway_names_it_and_the_account(factory, fields, missing):
    """Else an empty row would trade on whatever gateway runs beside the host."""
    with pytest.raises(ConfigurationError) as refused:
        factory.create_exchange_for_user("ann", "ibkr", "sandbox", load=lambda *_: row(**fields))

    assert str(refused.value) == f"Interactive Brokers requires gatewayUrl and accountId; missing: {missing}."


def test_settings_that_are_read_already_name_their_gateway():
    made = create(Settings(account_id="DU1"), user="ann")

    assert isinstance(made, TenantExchange)


# Credentials --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credentials", "config"),
    [
        (
            row(api_key="client", api_secret=KEY, extra_metadata={"clientKeyId": "k", "credential": "ann1"}),
            {
                "clientKeyId": "k",
                "credential": "ann1",
                "clientId": "client",
                "privateKey": KEY,
                "environment": "sandbox",
                "authMethod": "oauth2",
            },
        ),
        (
            {
                "userId": "ann",
                "apiKey": "TESTCONS1",
                "apiSecret": KEY,
                "accessToken": "token",
                "accountId": "U1",
                "extra": {"access_token_secret": "s", "dhPrime": "ff", "encryptionKey": KEY},
            },
            {
                "access_token_secret": "s",
                "dhPrime": "ff",
                "encryptionKey": KEY,
                "consumerKey": "TESTCONS1",
                "accessToken": "token",
                "signatureKey": KEY,
                "accountId": "U1",
                "authMethod": "oauth1a",
            },
        ),
        (
            row(api_key="TESTCONS1", api_secret="c2VjcmV0", extra={"authMethod": "oauth_1a"}),
            {
                "authMethod": "oauth_1a",
                "consumerKey": "TESTCONS1",
                "accessTokenSecret": "c2VjcmV0",
                "environment": "sandbox",
            },
        ),
        (
            row(api_key="", api_secret=" ", extra_metadata='{"gatewayUrl": "https://localhost:5000/v1/api"}'),
            {
                "gatewayUrl": "https://localhost:5000/v1/api",
                "environment": "sandbox",
                "authMethod": "gateway",
            },
        ),
        (
            row(
                webhook_secret="hush-hush", extra={"realm": "a"}, extra_metadata={"realm": "b", "scope": None}
            ),
            {"realm": "b", "environment": "sandbox", "webhookSecret": "hush-hush", "authMethod": "gateway"},
        ),
    ],
)
def test_a_row_becomes_a_configuration(credentials, config):
    assert map_credentials_to_config(credentials) == config


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (row(account_id="DU1", extra={"accountId": "DU2"}), "are the same setting: give one of them"),
        (row(account_id="DU1", extra={"account_id": "DU2"}), "are the same setting: give one of them"),
        (row(api_key="something", api_secret="else"), "is not a setting"),
        (row(extra_metadata="not json"), "extra_metadata is not a setting"),
        (row(extra_metadata=[1]), "extra_metadata is not a setting"),
        (row(extra={"colour": "red"}), "colour is not a setting"),
    ],
)
def test_what_cannot_be_mapped_is_refused_when_the_exchange_is_made(factory, credentials, words):
    """Mapping must not raise: hosts call it where nobody catches."""
    config = map_credentials_to_config(credentials)

    with pytest.raises(ConfigurationError, match=words):
        factory.create_exchange("ibkr", config)


@pytest.mark.parametrize("credentials", [None, "", 7, [], object()])
def test_no_row_is_no_configuration(credentials):
    assert map_credentials_to_config(credentials) is None


@pytest.mark.parametrize(
    "credentials",
    [
        {1: 2, None: None},
        {"extra": {1: {2: 3}}, "apiKey": 5, "apiSecret": object()},
        {"extra_metadata": "[" * 100_000},
        {"extra": {"authMethod": {"a": 1}}},
        {"account_id": ["x"], "environment": 1.5},
    ],
)
def test_no_row_makes_the_mapping_raise(credentials):
    assert isinstance(map_credentials_to_config(credentials), dict)
