"""Every setting is read in each of its spellings, and a wrong one is named before anything is opened."""

from __future__ import annotations

import re
from decimal import Decimal

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter import redact
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.model.guardrails import Guardrails
from ibkr_adapter.model.maintenance import Region
from ibkr_adapter.setting_readers import DIRECT_URL, GATEWAY_URL, AuthMethod, Environment, is_loopback
from ibkr_adapter.settings import Settings

NAMES = [field.name for field in attrs.fields(Settings)]
SECRETS = [
    "access_token",
    "access_token_secret",
    "signature_key",
    "encryption_key",
    "dh_prime",
    "private_key",
    "webhook_secret",
]


@pytest.fixture(autouse=True)
def _forgetful():
    """What these tests make the library remember must not be masked in others."""
    before = dict(redact._remembered)
    yield
    redact._remembered.clear()
    redact._remembered.update(before)


def camel(name):
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


def test_nothing_set_is_a_gateway_on_this_machine_with_careful_defaults():
    """The documented defaults; paper is all that trades without being told otherwise."""
    settings = Settings.of({})

    assert (settings.auth_method, settings.base_url) == (AuthMethod.GATEWAY, GATEWAY_URL)
    assert settings.host == "localhost"
    assert (settings.environment, settings.account_id, settings.compete) == (None, None, False)
    assert (settings.verify_tls, settings.sign_query, settings.requests_per_second) == (True, True, 10.0)
    assert (settings.entry_tif, settings.exit_tif, settings.outside_rth) == ("DAY", "GTC", False)
    assert (settings.when_closed, settings.allow_delayed_prices) == ("refuse", False)
    assert settings.missing_leg == "protect"
    assert (settings.allow_short, settings.allow_fractional) == (True, False)
    assert (settings.default_order_usd, settings.dh_generator) == (Decimal(600), 2)
    assert (settings.realm, settings.scope) == ("limited_poa", "sso-sessions.write")
    assert (settings.read_deadline, settings.order_deadline, settings.unknown_deadline) == (15.0, 45.0, 40.0)
    assert settings.suppress_messages == settings.answer_messages == settings.decline_messages == ()
    assert (settings.spread_conids, settings.guardrails) == ({}, Guardrails())


@pytest.mark.parametrize("name", NAMES)
def test_both_spellings_mean_the_same_setting(name):
    """Hosts keep rows in camelCase, Python writes snake_case; ``None`` counts as unset."""
    assert Settings.of({name: None}) == Settings.of({camel(name): None}) == Settings.of({})


@pytest.mark.parametrize(
    ("alias", "name", "value"),
    [
        ("gatewayUrl", "base_url", "https://localhost:5001/v1/api"),
        ("gateway_url", "base_url", "https://localhost:5001/v1/api"),
        ("apiUrl", "base_url", "https://localhost:5001/v1/api"),
        ("account", "account_id", "DU1"),
        ("accountNumber", "account_id", "DU1"),
    ],
)
def test_the_hosts_own_names_are_understood(alias, name, value):
    """They stand in rows that exist already."""
    assert getattr(Settings.of({alias: value}), name) == value


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("verfy_tls", "verfy_tls is not a setting. Did you mean verify_tls?"),
        ("readDeadlin", "readDeadlin is not a setting. Did you mean read_deadline?"),
        ("gatewayUrll", "Did you mean gateway_url?"),
        ("zzz", "zzz is not a setting."),
        (5, "a setting's name must be a text, not 5."),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key, words):
    """A misspelt guardrail that is ignored is worse than none."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.of({key: "x"})

    assert words in str(refused.value)


def test_a_setting_is_given_once():
    """Nobody could tell which of two counts."""
    with pytest.raises(
        ConfigurationError, match="gatewayUrl and base_url are the same setting: give one of them"
    ):
        Settings.of({"gatewayUrl": GATEWAY_URL, "base_url": GATEWAY_URL})


@pytest.mark.parametrize("config", [None, 5, "gateway", [("realm", "x")]])
def test_a_configuration_is_a_mapping_or_settings(config):
    """Anything else has no names to check."""
    with pytest.raises(ConfigurationError, match="must be Settings or a mapping, not"):
        Settings.of(config)


def test_settings_pass_as_they_are():
    """They were checked when they were made."""
    settings = Settings(account_id="DU1")

    assert Settings.of(settings) is settings


VALUES = [
    ("auth_method", "OAuth_1.0a", None),
    ("auth_method", "OAUTH2", AuthMethod.OAUTH2),
    ("auth_method", "o-auth1a", AuthMethod.OAUTH1A),
    ("auth_method", "", AuthMethod.GATEWAY),
    ("base_url", "https://api.ibkr.com", "https://api.ibkr.com/v1/api"),
    ("base_url", " https://localhost:5000/v1/api/ ", GATEWAY_URL),
    ("base_url", "http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/api"),
    ("base_url", "http://[::1]:8080/v1/api", "http://[::1]:8080/v1/api"),
    ("base_url", "https://proxy.example/ibkr/v1/api", "https://proxy.example/ibkr/v1/api"),
    ("base_url", "  ", GATEWAY_URL),
    ("base_url", "http://api.ibkr.com/v1/api", None),
    ("base_url", "https://api.ibkr.com/v2", None),
    ("base_url", "ftp://localhost/v1/api", None),
    ("base_url", "localhost:5000", None),
    ("base_url", "https://[::1", None),
    ("base_url", "https://localhost:99999/v1/api", None),
    ("base_url", "https://localhost:http/v1/api", None),
    ("base_url", "https://localhost:5000/v1/api?x=1", None),
    ("base_url", "https://localhost:5000/v1/api#x", None),
    ("base_url", "https://@localhost:5000/v1/api", None),
    ("base_url", 5, None),
    ("tls_fingerprint", ":".join(["AB"] * 32), "ab" * 32),
    ("tls_fingerprint", "", None.__class__),
    ("tls_fingerprint", "ab" * 20, None),
    ("tls_fingerprint", "zz" * 32, None),
    ("verify_tls", "no", False),
    ("verify_tls", "ON", True),
    ("verify_tls", 0, False),
    ("verify_tls", 1, True),
    ("verify_tls", False, False),
    ("verify_tls", "maybe", None),
    ("verify_tls", 2, None),
    ("verify_tls", 1.0, None),
    ("environment", "Production", Environment.PRODUCTION),
    ("environment", "live", Environment.PRODUCTION),
    ("environment", "sandbox", Environment.PAPER),
    ("environment", "testnet", Environment.PAPER),
    ("environment", "prod", None),
    ("requests_per_second", "50", 50.0),
    ("requests_per_second", 0, None),
    ("requests_per_second", "NaN", None),
    ("requests_per_second", "Infinity", None),
    ("requests_per_second", "1e400", None),
    ("requests_per_second", "1e-400", None),
    ("requests_per_second", True, None),
    ("requests_per_second", "fast", None),
    ("pacing_margin", "0.03", 0.03),
    ("pacing_margin", 0, 0.0),
    ("pacing_margin", "1", 1.0),
    ("pacing_margin", 15, None),
    ("pacing_margin", -0.1, None),
    ("pacing_margin", False, None),
    ("pacing_margin", "some", None),
    ("market_data_lines", "60", 60),
    ("market_data_lines", 0, None),
    ("market_data_lines", 1.5, None),
    ("default_order_usd", "750.50", Decimal("750.50")),
    ("default_order_usd", 0.1, Decimal("0.1")),
    ("default_order_usd", -1, None),
    ("dh_generator", "5", 5),
    ("dh_generator", "2.5", None),
    ("dh_generator", "two", None),
    ("entry_tif", "gtc", "GTC"),
    ("entry_tif", "FOREVER", None),
    ("exit_tif", "", None),
    ("when_closed", "queue", "queue"),
    ("when_closed", "wait", None),
    ("missing_leg", "leave", "leave"),
    ("missing_leg", "cancel", None),
    ("during_maintenance", "fail", "fail"),
    ("during_maintenance", "queue", None),
    ("region", "Europe", Region.EUROPE),
    ("region", "north-america", Region.NORTH_AMERICA),
    ("region", Region.ASIA, Region.ASIA),
    ("region", "antarctica", None),
    ("suppress_messages", "o163, o354,,o163", ("o163", "o354")),
    ("suppress_messages", ["o163 ", "o354"], ("o163", "o354")),
    ("answer_messages", {"o163"}, ("o163",)),
    ("answer_messages", [5], None),
    ("decline_messages", 5, None),
    ("spread_conids", {"eur": "12345"}, {"EUR": 12345}),
    ("spread_conids", {"eur": "x"}, None),
    ("spread_conids", {"eur": None}, None),
    ("spread_conids", {"eur": 1.5}, None),
    ("spread_conids", ["eur"], None),
    ("guardrails", {}, Guardrails()),
    ("guardrails", {"read_only": True}, Guardrails(read_only=True)),
    ("guardrails", {"read_only": "perhaps"}, None),
    ("guardrails", "read_only", None),
    ("account_id", " DU1 ", "DU1"),
    ("account_id", 5, None),
    ("signature_key", "-----BEGIN X-----\\nabc\\n-----END X-----", "-----BEGIN X-----\nabc\n-----END X-----"),
    ("signature_key", "C:\\new\\key.pem", "C:\\new\\key.pem"),
]


@pytest.mark.parametrize(("name", "given_value", "value"), VALUES)
def test_a_value_is_read_or_refused_by_name(name, given_value, value):
    """Before anything is opened, in a mapping and in the class itself."""
    if value is not None:
        expected = None if value is type(None) else value
        assert getattr(Settings.of({camel(name): given_value}), name) == expected
        assert getattr(Settings(**{name: given_value}), name) == expected
        return

    with pytest.raises(ConfigurationError) as in_mapping:
        Settings.of({camel(name): given_value})
    with pytest.raises(ConfigurationError) as in_class:
        Settings(**{name: given_value})

    assert str(in_mapping.value).startswith(f"{camel(name)} ")
    assert str(in_class.value).startswith(f"{name} ")


@pytest.mark.parametrize("name", ["suppress_messages", "spread_conids", "guardrails"])
def test_a_missing_collection_is_an_empty_one(name):
    """A host's row may hold a null."""
    assert not getattr(Settings(**{name: None}), name)


@pytest.mark.parametrize(
    ("keys", "method", "url"),
    [
        ({}, AuthMethod.GATEWAY, GATEWAY_URL),
        ({"consumer_key": "TESTCONS"}, AuthMethod.OAUTH1A, DIRECT_URL),
        ({"access_token": "a1b2c3d4"}, AuthMethod.OAUTH1A, DIRECT_URL),
        ({"signature_key": "/keys/s.pem"}, AuthMethod.OAUTH1A, DIRECT_URL),
        ({"client_id": "me"}, AuthMethod.OAUTH2, DIRECT_URL),
        ({"client_key_id": "main"}, AuthMethod.OAUTH2, DIRECT_URL),
        ({"private_key": "/keys/p.pem"}, AuthMethod.OAUTH2, DIRECT_URL),
        ({"consumer_key": "TESTCONS", "auth_method": "gateway"}, AuthMethod.GATEWAY, GATEWAY_URL),
        (
            {"client_id": "me", "base_url": "https://api.ibkr.eu"},
            AuthMethod.OAUTH2,
            "https://api.ibkr.eu/v1/api",
        ),
    ],
)
def test_the_way_to_log_in_is_guessed_from_the_keys_present(keys, method, url):
    """Unless it is named."""
    settings = Settings.of(keys)

    assert (settings.auth_method, settings.base_url) == (method, url)


@pytest.mark.parametrize("url", ["https://api.ibkr.com/v1/api", "https://192.168.1.5:5000/v1/api"])
def test_verification_is_off_on_this_machine_only(url):
    """Anywhere else whoever stands in between could trade the account."""
    with pytest.raises(ConfigurationError, match="verify_tls=False is refused") as refused:
        Settings(base_url=url, verify_tls=False)

    assert "tls_fingerprint" in refused.value.remedy
    assert not Settings(base_url=GATEWAY_URL, verify_tls=False).verify_tls


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("0.0.0.0", False),  # noqa: S104  (asked about, not bound)
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_this_machine_is_told_from_others(host, here):
    """Plain http and unverified TLS hang on it."""
    assert is_loopback(host) is here


def test_equal_logins_share_a_connection():
    """Account and policies belong to each object, the webhook's secret to none."""
    one = Settings(
        consumer_key="TESTCONS", access_token="token-1", account_id="DU1", webhook_secret="first-secret"
    )
    other = Settings(
        consumer_key="TESTCONS", access_token="token-1", account_id="DU2", webhook_secret="other-secret"
    )

    assert one.login_key() == other.login_key()
    assert hash(one.login_key())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("auth_method", "oauth1a"),
        ("base_url", "https://localhost:5001/v1/api"),
        *((name, "different-1") for name in SECRETS if name != "webhook_secret"),
        ("consumer_key", "different-1"),
        ("realm", "test_realm"),
        ("dh_generator", 5),
        ("client_id", "different-1"),
        ("credential", "different-1"),
        ("ip_address", "127.0.0.1"),
        ("scope", "other"),
    ],
)
def test_another_login_has_a_connection_of_its_own(name, value):
    """Two users must never trade through one session."""
    base = {"auth_method": "gateway"}

    assert Settings.of(base).login_key() != Settings.of(base | {name: value}).login_key()


def test_what_belongs_to_the_connection_is_told():
    """Its objects must agree on it."""
    assert Settings(compete=True).connection_settings() == {
        "tls_fingerprint": None,
        "ca_file": None,
        "verify_tls": True,
        "sign_query": True,
        "compete": True,
        "requests_per_second": 10.0,
        "missing_leg": "protect",
        "pacing_margin": 0.015,
        "market_data_lines": 100,
        "region": Region.NORTH_AMERICA,
        "during_maintenance": "wait",
        "suppress_messages": (),
        "state_dir": None,
    }


@pytest.mark.parametrize(("url", "margin"), [(GATEWAY_URL, 0.015), ("https://api.ibkr.com/v1/api", 0.05)])
def test_the_pacing_margin_is_wider_across_a_network(url, margin):
    """Requests that left evenly arrive less so, the longer the way."""
    assert Settings(base_url=url).pacing_margin == margin


def test_the_environment_is_read():
    """Empty variables count as unset, others' variables are none of our business."""
    settings = Settings.from_env(
        {
            "IBKR_ADAPTER_ACCOUNT_ID": "DU1",
            "IBKR_ADAPTER_COMPETE": "yes",
            "IBKR_ADAPTER_SUPPRESS_MESSAGES": "o163,o354",
            "IBKR_ADAPTER_REALM": " ",
            "HOME": "/root",
        }
    )

    assert (settings.account_id, settings.compete, settings.realm) == ("DU1", True, "limited_poa")
    assert settings.suppress_messages == ("o163", "o354")


def test_an_unknown_variable_is_refused_like_an_unknown_key():
    """It was meant for us."""
    with pytest.raises(ConfigurationError, match="read_onli is not a setting"):
        Settings.from_env({"IBKR_ADAPTER_READ_ONLI": "1"})


def test_the_process_has_an_environment(monkeypatch):
    """Which is what is read when no other is given."""
    monkeypatch.setenv("IBKR_ADAPTER_ACCOUNT_ID", "DU7")

    assert Settings.from_env().account_id == "DU7"


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_neither_shown_nor_repeated(name):
    """Not in the repr, not in an error about them, and masked wherever they turn up later."""
    settings = Settings(**{name: "canary-3f7a9c"})

    with pytest.raises(ConfigurationError) as refused:
        Settings.of({name: ["canary-3f7a9c"]})

    assert "canary" not in repr(settings)
    assert "canary" not in str(refused.value)
    assert "canary" not in redact.redact("sent canary-3f7a9c")


@pytest.mark.parametrize("path", ["~/ibkr/private_signature.pem", "C:\\keys\\sign.key", "keyring:ibkr/me"])
def test_the_place_of_a_key_is_no_secret(path):
    """An error that masks the file's name could not say which file to mend."""
    Settings(signature_key=path)

    assert path in redact.redact(f"run chmod 600 {path}")


@pytest.mark.parametrize(
    "key", ["MIIEvQIBADANBg/kqhkiG9w0BAQEF" * 4, "-----BEGIN PRIVATE KEY-----\nMIIE/vQ\n"]
)
def test_a_key_is_never_taken_for_a_path(key):
    """Pasted without its first line it has slashes too."""
    Settings(private_key=key)

    assert key.strip() not in redact.redact(f"no such file: {key}")


@pytest.mark.parametrize(
    "url",
    [
        "https://me:canary@api.ibkr.com/v1/api",
        "https://canary@api.ibkr.com/v1/api",
        "https://api.ibkr.com/v1/api?token=canary",
        "https://api.ibkr.com/v1/api#canary",
        "https://me:canary@api.ibkr.com:http/v1/api",
        "ftp://me:canary@localhost/v1/api",
    ],
)
def test_an_address_with_a_password_is_refused_without_repeating_it(url):
    """The error ends up in a host's log."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.of({"gatewayUrl": url})

    assert "canary" not in str(refused.value)


def test_another_wrong_value_is_repeated():
    """People look for what they typed."""
    with pytest.raises(ConfigurationError, match=r"^entryTif must be one of DAY, .*, not 'FOREVER'\.$"):
        Settings.of({"entryTif": "FOREVER"})


@given(
    st.dictionaries(
        st.sampled_from(NAMES + [camel(name) for name in NAMES]) | st.text(max_size=10),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.lists(st.text(max_size=3), max_size=2)
        | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
        max_size=4,
    )
)
@example({"base_url": "https://["})
@example({"base_url": "https://a:1/v1/api\x00"})
@example({"read_deadline": "9" * 5000})
@example({"dh_generator": "1e999999999"})
def test_any_mapping_becomes_settings_or_one_error(config):
    """The one error that says: a person must change something."""
    try:
        settings = Settings.of(config)
    except ConfigurationError:
        return

    assert settings.base_url.endswith("/v1/api")
    assert isinstance(settings.auth_method, AuthMethod)
    assert settings.verify_tls or is_loopback(settings.host)
    assert Settings.of(attrs.asdict(settings)) == settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("account_id", 10**5000, id="text"),
        pytest.param("requests_per_second", 10**5000, id="seconds"),
        ("default_order_usd", "1e999999999"),
        ("default_order_usd", Decimal("1e-999999")),
        ("spread_conids", {"EUR": 10**5000}),
        ("guardrails", {10**5000: 1}),
        pytest.param(10**5000, 1, id="name"),
    ],
)
def test_what_cannot_be_written_or_reckoned_with_is_no_setting(key, value):
    with pytest.raises(ConfigurationError, match=r"must be|must map|is no guardrail"):
        Settings.of({key: value})
