"""The OAuth 1.0a login against a hand-played IBKR: handshake, signatures, refusals, third parties."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from login_doors import START, World, answer, dated

from ibkr_adapter.auth.oauth1a import OAuth1a, _new_exponent, _new_nonce
from ibkr_adapter.errors import (
    AuthenticationError,
    BrokerageUnavailable,
    ConfigurationError,
    LoginRequired,
    SessionError,
)
from ibkr_adapter.redact import redact
from ibkr_adapter.settings import Settings

API = "https://api.ibkr.com/v1/api"
LST = f"{API}/oauth/live_session_token"
CONSUMER, TOKEN = "TESTCONSU", "e84c11dc149cb96ee5bb"
SECRET = bytes(range(32))
PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF95"
    "19B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB"
    "5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3"
    "AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603"
    "9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFF"
    "FFFFFFFFFFFF",
    16,
)


@pytest.fixture(scope="module")
def pairs():
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def keys(pairs):
    signature, encryption = pairs
    sealed = encryption.public_key().encrypt(SECRET, padding.PKCS1v15())
    return {
        "consumer_key": CONSUMER,
        "access_token": TOKEN,
        "access_token_secret": base64.b64encode(sealed).decode(),
        "signature_key": pem(signature),
        "encryption_key": pem(encryption),
        "dh_prime": f"{PRIME:x}",
    }


def said(call):
    """What a call says in its header, unencoded."""
    header = call["headers"]["Authorization"]
    assert header.startswith("OAuth realm=")
    return {name: unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', header)}


class Counterpart:
    """IBKR's half of the handshake, computed on its own."""

    def __init__(
        self,
        *,
        exponent=7**80,
        lasts=timedelta(hours=24),
        half=None,
        proof=None,
        expiration=None,
        consumer=CONSUMER,
    ):
        self.exponent, self.lasts, self.consumer = exponent, lasts, consumer
        self.half, self.proof, self.expiration = half, proof, expiration
        self.token = b""

    def __call__(self, call):
        challenge = int(said(call)["diffie_hellman_challenge"], 16)
        number = pow(challenge, self.exponent, PRIME)
        shared = number.to_bytes((number.bit_length() + 8) // 8, "big")
        self.token = hmac.new(shared, SECRET, hashlib.sha1).digest()
        proof = hmac.new(self.token, self.consumer.encode(), hashlib.sha1).hexdigest()
        end = int((START + self.lasts).timestamp() * 1000)
        return answer(
            {
                "diffie_hellman_response": f"{pow(2, self.exponent, PRIME):x}"
                if self.half is None
                else self.half,
                "live_session_token_signature": self.proof or proof,
                "live_session_token_expiration": self.expiration or end,
            }
        )


def login(world, keys, **settings):
    return OAuth1a(Settings(base_url=API, **{**keys, **settings}), **world.doors)


def encoded(text):
    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in "-._~")
        else "".join(f"%{b:02X}" for b in char.encode())
        for char in text
    )


def base_of(call, method, url, prepend="", more=()):
    """The base string of a call, written here a second time."""
    signed = {k: v for k, v in said(call).items() if k not in {"realm", "oauth_signature"}}
    joined = "&".join(f"{k}={v}" for k, v in sorted([*signed.items(), *more]))
    return f"{prepend}{method}&{encoded(url)}&{encoded(joined)}"


# The live session token -----------------------------------------------------------------------


def test_the_handshake_is_signed_with_the_signature_key_over_the_decrypted_secret(keys, pairs):
    """With the secret in front, in hex, and nothing between."""
    ibkr = Counterpart()
    world = World(ibkr)
    auth = login(world, keys)

    auth.prepare(world.soon())

    call = world.transport.sent[0]
    assert (call["method"], call["url"], call["body"]) == ("POST", LST, None)
    spoken = said(call)
    assert (spoken["oauth_token"], spoken["oauth_signature_method"]) == (TOKEN, "RSA-SHA256")
    assert spoken["oauth_timestamp"] == str(int(START.timestamp()))
    base = base_of(call, "POST", LST, SECRET.hex())
    signature = base64.b64decode(spoken["oauth_signature"])
    pairs[0].public_key().verify(signature, base.encode(), padding.PKCS1v15(), SHA256())


def test_every_request_is_signed_with_the_token_and_its_query(keys):
    """Sorted in among the header's parameters and encoded once."""
    ibkr = Counterpart()
    world = World(ibkr)
    auth = login(world, keys)
    auth.prepare(world.soon())
    url = f"{API}/iserver/marketdata/snapshot"
    query = {"fields": "31,84", "conids": "265598"}

    call = {"headers": auth.headers("GET", url, query)}

    base = base_of(call, "GET", url, more=query.items())
    right = base64.b64encode(hmac.new(ibkr.token, base.encode(), hashlib.sha256).digest()).decode()
    assert said(call)["oauth_signature"] == right
    assert said(call)["oauth_signature_method"] == "HMAC-SHA256"


def test_the_query_can_be_left_out_of_the_signature(keys):
    """Some of IBKR's own samples do, should it ever change its mind."""
    ibkr = Counterpart()
    world = World(ibkr)
    auth = login(world, keys, sign_query=False)
    auth.prepare(world.soon())

    call = {"headers": auth.headers("GET", f"{API}/trsrv/stocks", {"symbols": "AAPL"})}

    base = base_of(call, "GET", f"{API}/trsrv/stocks")
    right = base64.b64encode(hmac.new(ibkr.token, base.encode(), hashlib.sha256).digest()).decode()
    assert said(call)["oauth_signature"] == right


def test_nothing_of_a_handshake_can_be_read_in_a_log(keys):
    """Whatever is sent, answered or computed on the way to a token is masked from then on."""
    ibkr = Counterpart()
    world = World(ibkr)
    auth = login(world, keys)

    auth.prepare(world.soon())

    call = world.transport.sent[0]
    signature = said(call)["oauth_signature"]
    half = f"{pow(2, ibkr.exponent, PRIME):x}"
    proof = hmac.new(ibkr.token, CONSUMER.encode(), hashlib.sha1).hexdigest()
    token = base64.b64encode(ibkr.token).decode()
    challenge = said(call)["diffie_hellman_challenge"]
    secrets = [signature, encoded(signature), half, proof, token, challenge, SECRET.hex()]
    assert [redact(f"a {secret} b") for secret in secrets] == ["a *** b"] * len(secrets)


def test_the_secret_number_of_a_handshake_is_as_long_as_it_should_be_and_new():
    """And a nonce is one of 16 bytes."""
    numbers = [_new_exponent() for _ in range(20)]

    assert {number.bit_length() for number in numbers} == {256}
    assert len(set(numbers)) == 20
    assert re.fullmatch(r"[0-9a-f]{32}", _new_nonce())


def test_keys_are_read_once(keys, pairs, tmp_path):
    """A renewal in the night needs no file that was there in the morning."""
    path = tmp_path / "signature.pem"
    path.write_text(keys["signature_key"])
    path.chmod(0o600)
    world = World(Counterpart(), Counterpart(exponent=11**80))
    auth = login(world, keys, signature_key=str(path))
    auth.prepare(world.soon())
    path.unlink()

    auth.renew(world.soon())

    assert auth.generation == 2


def test_no_nonce_is_used_twice_and_no_time_goes_back(keys):
    """Also where the same request is made again."""
    world = World(Counterpart())
    auth = login(world, keys)
    auth.prepare(world.soon())

    calls = []
    for _ in range(50):
        calls.append(said({"headers": auth.headers("GET", f"{API}/tickle", {})}))
        world.clock.sleep(0.4)

    stamps = [int(call["oauth_timestamp"]) for call in calls]
    assert len({call["oauth_nonce"] for call in calls}) == 50
    assert stamps == sorted(stamps)
    assert all(len(call["oauth_timestamp"]) == 10 for call in calls)


@pytest.mark.parametrize(
    ("consumer", "settings", "realm"),
    [
        ("TESTCONSU", {}, "limited_poa"),
        ("TESTCONS", {}, "test_realm"),
        ("TESTCONS", {"realm": "mine"}, "mine"),
    ],
)
def test_ibkrs_public_test_consumer_has_a_realm_of_its_own(keys, consumer, settings, realm):
    """A realm that was set by hand goes before it."""
    world = World(Counterpart(consumer=consumer))
    auth = login(world, keys, consumer_key=consumer, **settings)

    auth.prepare(world.soon())

    assert said(world.transport.sent[0])["realm"] == realm
    assert said({"headers": auth.headers("GET", f"{API}/tickle", {})})["realm"] == realm


@pytest.mark.parametrize("half", ["", "0", "1", f"{PRIME - 1:x}", "not hex"])
def test_an_empty_or_worthless_half_is_met_with_one_fresh_handshake(keys, half):
    """With another number of our own; the second one serves."""
    world = World(Counterpart(half=half), Counterpart())
    auth = login(world, keys)

    auth.prepare(world.soon())

    challenges = [said(call)["diffie_hellman_challenge"] for call in world.transport.sent]
    assert len(set(challenges)) == 2
    assert auth.generation == 1


def test_a_token_that_ibkr_does_not_prove_is_not_used(keys):
    """Every signature would be wrong. Twice is enough to say so."""
    world = World(Counterpart(proof="0" * 40))
    auth = login(world, keys)

    with pytest.raises(AuthenticationError, match="did not prove the common token") as refusal:
        auth.prepare(world.soon())

    assert len(world.transport.sent) == 2
    assert "dh_prime" in refusal.value.remedy


@pytest.mark.parametrize(
    "body", [None, [], {}, {"diffie_hellman_response": "ab"}, {"diffie_hellman_response": 1}]
)
def test_an_answer_of_another_shape_is_no_refusal(keys, body):
    """Something stands in between; the credentials may be good."""
    world = World(answer(body))
    auth = login(world, keys)

    with pytest.raises(BrokerageUnavailable, match="not what was asked for"):
        auth.prepare(world.soon())


def test_a_token_is_renewed_an_hour_before_its_end(keys):
    """As IBKR said in milliseconds when that is."""
    world = World(Counterpart(lasts=timedelta(hours=10)))
    auth = login(world, keys)
    auth.prepare(world.soon())
    world.clock.sleep(9 * 3600 - 1)
    auth.prepare(world.soon())
    early = auth.generation
    world.clock.sleep(2)
    auth.prepare(world.soon())

    assert (early, auth.generation) == (1, 2)


def test_renewing_after_a_refusal_makes_another_token(keys):
    """Once, and the next request is signed with it."""
    first, second = Counterpart(), Counterpart(exponent=11**80)
    world = World(first, second)
    auth = login(world, keys)
    auth.prepare(world.soon())
    auth.headers("GET", f"{API}/tickle", {})

    auth.renew(world.soon())

    assert first.token != second.token
    assert auth._renewal.use() == base64.b64encode(second.token).decode()


# Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "named", "remedy"),
    [
        (
            401,
            {"error": "id: 3931, error: invalid consumer", "statusCode": 401},
            "invalid consumer",
            "midnight",
        ),
        (
            401,
            {
                "error": "id: 118871, error: LST failed, error: No access secret key found for X",
                "statusCode": 401,
            },
            "no access secret",
            "Generate the access token anew",
        ),
        (401, None, "bad signature", "not exchanged"),
        (401, {"error": "Token expired"}, "expired", "clock"),
        (403, None, "forbidden", "ask IBKR"),
        (400, {"error": "missing oauth_nonce"}, "refused", "Check consumer_key"),
    ],
)
def test_a_refusal_names_the_step_the_reason_and_the_remedy(keys, status, body, named, remedy):
    """Each is met at another time of setting a login up."""
    world = World(answer(body, status))
    auth = login(world, keys)

    with pytest.raises(AuthenticationError) as refusal:
        auth.prepare(world.soon())

    assert f"OAuth 1.0a, {named} at the step live_session_token (HTTP {status}); nothing was sent." in str(
        refusal.value
    )
    assert remedy in refusal.value.remedy
    assert refusal.value.status == status
    assert refusal.value.endpoint == "POST /oauth/live_session_token"
    assert len(world.transport.sent) == 1


def test_a_refusal_at_a_wrong_time_names_the_skew(keys):
    """Most often that is the whole reason."""
    world = World(answer(None, 401, date=dated(START + timedelta(minutes=7))))
    auth = login(world, keys)

    with pytest.raises(AuthenticationError, match="clock is 7 min 0 s behind IBKR's"):
        auth.prepare(world.soon())

    stamps = [int(said(call)["oauth_timestamp"]) for call in world.transport.sent]
    assert stamps[1] - stamps[0] == 420


def test_an_outer_session_that_is_not_accepted_is_no_matter_of_a_browser(keys):
    """Nobody can log in to a page here."""
    refused = login(World(), keys).refused()

    assert isinstance(refused, SessionError)
    assert not isinstance(refused, LoginRequired)
    assert "another program" not in refused.message
    assert "no other program" in refused.remedy


# Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["consumer_key", "access_token", "access_token_secret", "signature_key", "encryption_key", "dh_prime"],
)
def test_what_is_missing_is_named_before_anything_is_sent(keys, name):
    """All at once would be long; one is mended at a time."""
    world = World()
    auth = login(world, {**keys, name: None}, auth_method="oauth1a")

    with pytest.raises(ConfigurationError, match=f"OAuth 1.0a needs {name}; nothing was sent"):
        auth.prepare(world.soon())

    assert world.transport.sent == []


@pytest.mark.parametrize(
    ("secret", "words"),
    [("not base64!", "is no base64"), (base64.b64encode(bytes(255)).decode(), "255 bytes and not 256")],
)
def test_a_secret_that_was_miscopied_is_told(keys, secret, words):
    """One character less is the usual way."""
    auth = login(World(), keys, access_token_secret=secret)

    with pytest.raises(ConfigurationError, match=words):
        auth.prepare(0.0)


def test_keys_that_are_exchanged_are_told(keys):
    """The secret does not open, or opens to nonsense that IBKR then refuses."""
    world = World(answer(None, 401))
    auth = login(world, keys, signature_key=keys["encryption_key"], encryption_key=keys["signature_key"])

    with pytest.raises((ConfigurationError, AuthenticationError)) as refusal:
        auth.prepare(world.soon())

    assert "not exchanged" in refusal.value.remedy


# The stream -----------------------------------------------------------------------------------


def test_the_stream_is_reached_with_the_access_token_and_the_sessions_cookie(keys):
    """Not with the live session token, and unsigned."""
    auth = login(World(), keys)

    door = auth.stream("0123abcd")

    assert door.url == f"wss://api.ibkr.com/v1/api/ws?oauth_token={TOKEN}"
    assert door.headers == {"Cookie": "api=0123abcd"}
    assert TOKEN not in repr(door)


# Third parties --------------------------------------------------------------------------------


def test_a_third_party_walks_to_an_access_token(keys, pairs):
    """Request token, the user's verifier, access token: each signed with the signature key alone."""
    world = World(
        answer({"oauth_token": "b9082d68cfef06b030de"}),
        answer({"is_paper": True, "oauth_token": "canary-token-1", "oauth_token_secret": "canary-secret-1"}),
    )
    only = {name: keys[name] for name in ("consumer_key", "signature_key")}
    auth = login(world, only)

    request_token = auth.request_token(world.soon())
    found = auth.exchange(request_token, "0ffb93ab9aa0d2177cc2", world.soon())

    assert (found.token, found.secret, found.is_paper) == ("canary-token-1", "canary-secret-1", True)
    first, second = world.transport.sent
    assert said(first)["oauth_callback"] == "oob"
    assert "oauth_token" not in said(first)
    assert said(second)["oauth_token"] == "b9082d68cfef06b030de"
    assert said(second)["oauth_verifier"] == "0ffb93ab9aa0d2177cc2"
    for call, step in ((first, "request_token"), (second, "access_token")):
        signature = base64.b64decode(said(call)["oauth_signature"])
        base = base_of(call, "POST", f"{API}/oauth/{step}")
        pairs[0].public_key().verify(signature, base.encode(), padding.PKCS1v15(), SHA256())
    assert "canary" not in redact("canary-token-1 canary-secret-1")
    assert "canary" not in repr(found)
    assert redact("b9082d68cfef06b030de 0ffb93ab9aa0d2177cc2") == "*** ***"  # request token and verifier


@pytest.mark.parametrize(("step", "words"), [("request_token", ()), ("exchange", ("a", "b"))])
def test_a_third_partys_step_that_answers_nonsense_is_told(keys, step, words):
    """Without a token there is nothing to go on with."""
    world = World(answer({"token": "x"}))
    auth = login(world, keys)

    with pytest.raises(BrokerageUnavailable, match="not what was asked for"):
        getattr(auth, step)(*words, deadline=world.soon())


def test_the_address_of_the_stream_has_one_query():
    """The helper of all three logins."""
    from ibkr_adapter.auth.gateway import GatewayAuth

    gateway = GatewayAuth("https://localhost:5000/v1/api")
    door = gateway.stream(None)

    assert parse_qs(urlsplit(door.url).query) == {}
    assert door.url == "wss://localhost:5000/v1/api/ws"
    assert door.headers == {}
    assert GatewayAuth("http://127.0.0.1:5000/v1/api").stream("s").url.startswith("ws://127.0.0.1:5000/")
    assert isinstance(gateway.refused(), LoginRequired)
