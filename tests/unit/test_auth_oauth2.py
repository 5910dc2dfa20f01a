"""The OAuth 2.0 login against a hand-played IBKR: both steps, the bearer, refusals by step."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from login_doors import START, World, answer, dated

from ibkr_adapter.auth.oauth2 import OAuth2
from ibkr_adapter.errors import AuthenticationError, BrokerageUnavailable, ConfigurationError
from ibkr_adapter.redact import redact
from ibkr_adapter.settings import Settings

API = "https://api.ibkr.com/v1/api"
TOKEN_URL, SESSION_URL = (
    "https://api.ibkr.com/oauth2/api/v1/token",
    "https://api.ibkr.com/gw/api/v1/sso-sessions",
)


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def credentials(key):
    return {
        "client_id": "TESTCLIENT",
        "client_key_id": "main",
        "private_key": pem(key),
        "credential": "user1",
        "ip_address": "203.0.113.7",
    }


def login(world, credentials, **settings):
    return OAuth2(Settings(base_url=API, auth_method="oauth2", **{**credentials, **settings}), **world.doors)


def granted(token="canary-access-1", **more):
    return answer(
        {
            "access_token": token,
            "token_type": "Bearer",
            "scope": "sso-sessions.write",
            "expires_in": 86399,
            **more,
        }
    )


def session(token="canary-bearer-1", **more):
    return answer({"active": True, "access_token": token, "token_type": "Bearer", **more})


def problem(status, **more):
    body = {"type": "/simple", "title": "Unauthorized", "status": status, **more}
    return answer(body, status, content_type="application/problem+json")


def opened(jws, key):
    """Verify a JWS by hand and return its header and claims."""
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in jws.split(".")
    )
    signed = jws.rpartition(".")[0].encode()
    key.public_key().verify(signature, signed, padding.PKCS1v15(), SHA256())
    return json.loads(head), json.loads(claims)


def test_two_assertions_open_a_session_whose_token_every_call_bears(credentials, key):
    """Neither the first step's token nor an assertion is ever on a call."""
    world = World(granted(), session())
    auth = login(world, credentials)

    auth.prepare(world.soon())

    first, second = world.transport.sent
    form = {name: value[0] for name, value in parse_qs(first["body"].decode()).items()}
    head, claims = opened(form["client_assertion"], key)
    now = int(START.timestamp())
    assert (first["method"], first["url"]) == ("POST", TOKEN_URL)
    assert first["headers"] == {"Content-Type": "application/x-www-form-urlencoded"}
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "main"}
    assert claims == {
        "iss": "TESTCLIENT",
        "sub": "TESTCLIENT",
        "aud": "/token",
        "exp": now + 20,
        "iat": now - 10,
    }
    assert form["scope"] == "sso-sessions.write"
    head, claims = opened(second["body"].decode(), key)
    assert (second["method"], second["url"]) == ("POST", SESSION_URL)
    assert second["headers"] == {"Authorization": "Bearer canary-access-1", "Content-Type": "application/jwt"}
    assert claims == {
        "ip": "203.0.113.7",
        "credential": "user1",
        "iss": "TESTCLIENT",
        "exp": now + 86400,
        "iat": now,
    }
    assert auth.headers("GET", f"{API}/tickle", {}) == {"Authorization": "Bearer canary-bearer-1"}


def test_tokens_and_assertions_are_masked_from_then_on(credentials):
    """Wherever a listener, a log or an error would show them."""
    world = World(granted(), session())
    auth = login(world, credentials)

    auth.prepare(world.soon())

    first, second = world.transport.sent
    shown = redact(f"{first['body']!r} {second['body']!r} canary-access-1 and canary-bearer-1")
    assert "canary" not in shown
    assert second["body"].decode() not in shown


def test_a_session_may_be_asked_for_several_addresses(credentials, key):
    """Behind a pool any of them may be the one."""
    world = World(granted(), session())
    auth = login(world, credentials, ip_address="203.0.113.7, 2001:db8::7")

    auth.prepare(world.soon())

    claims = opened(world.transport.sent[1]["body"].decode(), key)[1]
    assert (claims["ip"], claims["alternativeIps"]) == ("203.0.113.7", ["2001:db8::7"])


@pytest.mark.parametrize(
    ("claims", "lasts"),
    [
        ({"iat": 1768491592271, "iss": "com.ib.sso"}, timedelta(hours=24)),
        ({"exp": int((START + timedelta(hours=6)).timestamp())}, timedelta(hours=6)),
        ({"exp": int((START + timedelta(hours=6)).timestamp() * 1000)}, timedelta(hours=6)),
    ],
)
def test_a_session_is_renewed_before_its_end_whatever_its_token_says_of_it(credentials, claims, lasts):
    """IBKR's has milliseconds and no end; then a day is believed in, and a 401 before that."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    world = World(granted(), session(f"aaaa.{middle}.cccc"), granted(), session())
    auth = login(world, credentials)
    auth.prepare(world.soon())
    margin = min(timedelta(hours=1), lasts / 10)
    world.clock.sleep((lasts - margin).total_seconds() - 1)
    auth.prepare(world.soon())
    early = auth.generation
    world.clock.sleep(2)
    auth.prepare(world.soon())

    assert (early, auth.generation) == (1, 2)


def test_renewing_after_a_401_runs_both_steps_again(credentials):
    """The first step's token may be what had ended."""
    world = World(granted(), session(), granted(), session("canary-bearer-2"))
    auth = login(world, credentials)
    auth.prepare(world.soon())
    auth.headers("GET", f"{API}/tickle", {})

    auth.renew(world.soon())

    assert [call["url"] for call in world.transport.sent] == [TOKEN_URL, SESSION_URL] * 2
    assert auth.headers("GET", f"{API}/tickle", {}) == {"Authorization": "Bearer canary-bearer-2"}


@pytest.mark.parametrize(
    ("answers", "step", "named", "remedy"),
    [
        ([answer({"error": "invalid_client"}, 401)], "access token", "unknown client", "Check client_id"),
        (
            [answer({"error": "invalid_client", "error_description": "signature verification failed"}, 401)],
            "access token",
            "wrong key",
            "registered as main",
        ),
        ([problem(401, detail="The assertion has expired")], "access token", "expired assertion", "clock"),
        (
            [answer({"error": "invalid_scope"}, 400)],
            "access token",
            "missing scope",
            "scope sso-sessions.write",
        ),
        ([granted(scope="echo.read")], "access token", "missing scope", "scope sso-sessions.write"),
        ([answer({"error": "wrong audience"}, 401)], "access token", "wrong audience", API),
        ([problem(400)], "access token", "refused", "Check client_id"),
        (
            [granted(), problem(403, detail="The access token fails to have sufficient scope")],
            "SSO session",
            "missing scope",
            "scope sso-sessions.write",
        ),
        (
            [
                granted(),
                problem(
                    400,
                    invalidArguments=[{"field": "credential", "description": "Missing required parameter"}],
                ),
            ],
            "SSO session",
            "wrong user name",
            "credential",
        ),
        (
            [granted(), problem(401, detail="ip address not allowed")],
            "SSO session",
            "wrong address",
            "ip_address",
        ),
        ([granted(), session(active=False)], "SSO session", "wrong user name", "credential"),
    ],
)
def test_a_refusal_names_the_step_the_reason_and_the_remedy(credentials, answers, step, named, remedy):
    """A client, its key, its clock, its scope, its user and its address fail each in its own way."""
    world = World(*answers)
    auth = login(world, credentials)

    with pytest.raises(AuthenticationError) as refusal:
        auth.prepare(world.soon())

    assert f"OAuth 2.0, {named} at the step {step} (HTTP " in str(refusal.value)
    assert "nothing was sent" in str(refusal.value)
    assert remedy in refusal.value.remedy
    assert len(world.transport.sent) == len(answers)


def test_a_wrong_clock_is_corrected_and_named(credentials, key):
    """The second assertion is made at IBKR's time."""
    theirs = START - timedelta(minutes=5)
    world = World(answer({"error": "invalid_client"}, 401, date=dated(theirs)), granted(), session())
    auth = login(world, credentials)

    auth.prepare(world.soon())

    again = parse_qs(world.transport.sent[1]["body"].decode())["client_assertion"][0]
    assert opened(again, key)[1]["exp"] == int(theirs.timestamp()) + 20


@pytest.mark.parametrize("answers", [[answer({"token": 1})], [granted(), answer([])], [granted(token="a b")]])
def test_an_answer_without_a_token_is_no_refusal(credentials, answers):
    """Something stands in between; the credentials may be good."""
    world = World(*answers)

    with pytest.raises(BrokerageUnavailable, match="has no token in it"):
        login(world, credentials).prepare(world.soon())


@pytest.mark.parametrize("name", ["client_id", "client_key_id", "private_key", "credential", "ip_address"])
def test_what_is_missing_is_named_before_anything_is_sent(credentials, name):
    """The address too: nobody else is asked for it."""
    world = World()

    with pytest.raises(ConfigurationError, match=f"OAuth 2.0 needs {name}"):
        login(world, {**credentials, name: None}).prepare(world.soon())

    assert world.transport.sent == []


@pytest.mark.parametrize("address", ["here", "203.0.113.7,", "203.0.113.777"])
def test_an_address_that_is_none_is_told(credentials, address):
    """Before IBKR says so in its own way."""
    with pytest.raises(ConfigurationError, match="which is no address"):
        login(World(), credentials, ip_address=address).prepare(0.0)


def test_another_algorithm_is_refused_by_name(credentials):
    """ES256 was seen nowhere."""
    other = pem(ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(ConfigurationError, match="would sign by ES256"):
        login(World(), credentials, private_key=other).prepare(0.0)


def test_an_outer_session_that_is_not_accepted_points_at_address_and_rivals(credentials):
    """The bearer is bound to the first; the user name has one session."""
    refused = login(World(), credentials).refused()

    assert isinstance(refused, AuthenticationError)
    assert "203.0.113.7" in refused.remedy
    assert "user1" in refused.remedy


def test_the_stream_is_reached_with_the_sessions_token(credentials):
    """Written into the address as IBKR wants it, and out of every repr."""
    world = World(granted(), session("canary.bearer+1"))
    auth = login(world, credentials)
    auth.prepare(world.soon())

    door = auth.stream("0123abcd")

    assert door.url == "wss://api.ibkr.com/v1/api/ws?bearer_token=canary.bearer%2B1"
    assert door.headers == {"Cookie": "api=0123abcd"}
    assert "canary" not in repr(door)
