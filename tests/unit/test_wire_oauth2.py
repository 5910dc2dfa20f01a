"""OAuth 2.0 as IBKR speaks it: claims to the letter, and tokens read in spite of their oddities."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.wire import oauth2 as wire
from ibkr_adapter.wire.response import decipher

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
DAY = timedelta(hours=24)


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def part(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def token_with(claims):
    written = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{written}.c2lnbmVk"


def test_a_client_says_who_it_is_for_half_a_minute():
    """The audience is a path and not an address; ten seconds are given to a slow clock."""
    assert wire.client_claims("client-1", NOW) == {
        "iss": "client-1",
        "sub": "client-1",
        "aud": "/token",
        "exp": SECONDS + 20,
        "iat": SECONDS - 10,
    }


def test_a_session_is_asked_for_by_user_and_address_for_a_day():
    """Without subject and audience."""
    assert wire.session_claims("client-1", "user1", ["203.0.113.7"], NOW) == {
        "ip": "203.0.113.7",
        "credential": "user1",
        "iss": "client-1",
        "exp": SECONDS + 86400,
        "iat": SECONDS,
    }


def test_further_addresses_of_a_pool_are_alternatives():
    """Behind several public addresses calls may leave from any of them."""
    claims = wire.session_claims("client-1", "user1", ["203.0.113.7", "203.0.113.8"], NOW)

    assert claims["ip"] == "203.0.113.7"
    assert claims["alternativeIps"] == ["203.0.113.8"]


def test_an_assertion_is_signed_by_rs256_with_its_key_named(key):
    """Verified here without the library that made it."""
    claims = wire.client_claims("client-1", NOW)

    assertion = wire.sign(claims, key, "main")

    head, body, signature = assertion.split(".")
    assert part(head) == {"alg": "RS256", "typ": "JWT", "kid": "main"}
    assert part(body) == claims
    assert "=" not in assertion
    key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256()
    )


def test_the_request_for_an_access_token_is_a_form():
    """With exactly the four fields that every sample sends."""
    assert parse_qs(wire.token_form("a.b.c", "sso-sessions.write echo.read").decode()) == {
        "grant_type": ["client_credentials"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
        "client_assertion": ["a.b.c"],
        "scope": ["sso-sessions.write echo.read"],
    }


def test_the_token_endpoints_stand_beside_the_api():
    """At the root of the same server."""
    assert wire.origin("https://api.ibkr.com/v1/api") == "https://api.ibkr.com"
    assert wire.origin("http://127.0.0.1:5000/v1/api") == "http://127.0.0.1:5000"


def test_an_access_token_is_read():
    """The documented answer."""
    found = wire.read_token(
        {"access_token": "a.b.c", "token_type": "Bearer", "scope": "sso-sessions.write", "expires_in": 86399},
        NOW,
    )

    assert found == wire.Token(text="a.b.c", ends=NOW + timedelta(seconds=86399), scope="sso-sessions.write")
    assert "a.b.c" not in repr(found)


def test_a_session_token_with_milliseconds_and_no_end_is_read():
    """IBKR's own example; libraries that verify its claims refuse it."""
    text = token_with({"sub": "WEB_API", "iss": "com.ib.sso", "iat": 1768491592271, "ctp": "test_DU5240685"})

    found = wire.read_token({"active": True, "access_token": text, "token_type": "Bearer"}, NOW)

    assert found == wire.Token(text=text, ends=None)


@pytest.mark.parametrize(
    ("expires_in", "claims", "ends"),
    [
        (600, {"exp": SECONDS + 5}, NOW + timedelta(seconds=600)),
        ("600", {}, NOW + timedelta(seconds=600)),
        (Decimal("600.5"), {}, NOW + timedelta(seconds=600.5)),
        (999_999, {}, NOW + DAY),
        (None, {"exp": SECONDS + 60}, NOW + timedelta(seconds=60)),
        (None, {"exp": (SECONDS + 60) * 1000}, NOW + timedelta(seconds=60)),
        (None, {"exp": SECONDS + 9_999_999}, NOW + DAY),
        (0, {}, None),
        (True, {"exp": True}, None),
        ("soon", {"exp": "later"}, None),
        (None, {"exp": -1}, None),
        (10**400, {"exp": 10**400}, None),
    ],
)
def test_the_end_of_a_token_is_found_where_it_stands(expires_in, claims, ends):
    """In the answer, else in the token, in seconds or milliseconds; never beyond a day."""
    found = wire.read_token({"access_token": token_with(claims), "expires_in": expires_in}, NOW)

    assert found.ends == ends


def test_a_session_may_call_itself_inactive():
    """It is told apart from one that says nothing."""
    assert not wire.read_token({"access_token": "a.b.c", "active": False}, NOW).active
    assert wire.read_token({"access_token": "a.b.c"}, NOW).active


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "a.b.c",
        {},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\r\nX-Other: 1"},
        {"access_token": "a.b.c", "token_type": "mac"},
        {"access_token": "a.b.c", "token_type": None},
    ],
)
def test_another_shape_is_no_token(content):
    """What becomes a header is never more than a token."""
    assert wire.read_token(content, NOW) is None


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d", "a.é.c", "a.!!!.c", "a.W10.c", "a.bm8.c", "a.b.c"])
def test_a_token_that_cannot_be_read_has_no_claims(token):
    """It may be of any kind; bearing it needs no reading."""
    assert wire.claims_of(token) == {}


@given(st.text())
def test_no_token_makes_reading_it_fail(text):
    """Whatever a server sends."""
    assert isinstance(wire.claims_of(f"a.{text}.b"), dict)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, {"error": "invalid_client"}, wire.Refusal.CLIENT),
        (400, {"error": "invalid_scope"}, wire.Refusal.SCOPE),
        (401, {"error": "invalid_client", "error_description": "bad signature"}, wire.Refusal.KEY),
        (401, {"error": "invalid_client", "error_description": "unknown kid"}, wire.Refusal.KEY),
        (401, {"error": "invalid_client", "error_description": "assertion expired"}, wire.Refusal.EXPIRED),
        (401, {"error": "invalid_client", "error_description": "wrong aud"}, wire.Refusal.AUDIENCE),
        (400, {"type": "/simple", "title": "Bad Request", "status": 400}, wire.Refusal.OTHER),
        (
            400,
            {
                "type": "/invalid-argument",
                "title": "Bad Request",
                "status": 400,
                "invalidArguments": [{"field": "credential", "description": "Missing required parameter"}],
            },
            wire.Refusal.CREDENTIAL,
        ),
        (
            400,
            {
                "type": "/invalid-argument",
                "title": "Bad Request",
                "status": 400,
                "invalidArguments": [{"field": "ip", "description": "not allowed"}, 5, {"field": 7}],
            },
            wire.Refusal.ADDRESS,
        ),
        (
            401,
            {
                "type": "/simple",
                "title": "Unauthorized",
                "status": 401,
                "detail": "The access token request is invalid",
            },
            wire.Refusal.OTHER,
        ),
        (
            403,
            {
                "type": "/simple",
                "title": "Forbidden",
                "status": 403,
                "detail": "The access token fails to have sufficient scope",
            },
            wire.Refusal.SCOPE,
        ),
        (401, None, wire.Refusal.OTHER),
        (401, ["no"], wire.Refusal.OTHER),
    ],
)
def test_a_refusal_is_told_by_its_words(status, body, reason):
    """Both families of errors are read: RFC 6749 and RFC 9457."""
    raw = b"" if body is None else json.dumps(body).encode()

    assert wire.refusal(decipher(status, "application/problem+json", raw)) is reason


def test_the_fields_that_are_complained_of_are_in_the_words():
    """Without them the answer is only "Bad Request"."""
    body = {
        "type": "/invalid-argument",
        "title": "Bad Request",
        "status": 400,
        "invalidArguments": [{"field": "credential", "description": "Missing required parameter"}],
    }

    answer = decipher(400, "application/problem+json", json.dumps(body).encode())

    assert wire.words(answer) == "Bad Request; credential: Missing required parameter"
