"""IBKR's half of OAuth 1.0a: what is accepted, what is refused and how, and how tokens end."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from urllib.parse import quote

import attrs
import oauth1a_vectors as known
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oauth_clients import ACCESS, LIVE, ORIGIN, ROOT, Signer, made
from simulator_client import ACCOUNT, ORDERS, PLACE, Broker, ticket

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.simulator import oauth1a
from ibkr_adapter.simulator.credentials import PRIME, Consumer, Credentials, generate
from ibkr_adapter.simulator.door import Request
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.nonces import NonceError, Nonces
from ibkr_adapter.simulator.options import Options
from ibkr_adapter.simulator.tokens import Grant

INACTIVE = {"error": "id: 3931, error: invalid consumer", "statusCode": 401}
ONE = (("symbols", "AAPL"),)
TWO = (("conids", "265598,272093"), ("fields", "31,84"))


@pytest.fixture
def signer():
    return Signer().log_in()


def refused_bare(reply):
    return (reply.status, reply.answer.body) == (401, b"")


# Published numbers


def public_key():
    return serialization.load_der_public_key(base64.b64decode(known.TESTCONS_KEY))


def parts(base):
    """A base string, taken apart again; the published ones have no values with odd characters."""
    method, url, joined = base.split("&")
    pairs = joined.replace("%3D", "=").replace("%26", "&").split("&")
    return method, url.replace("%3A", ":").replace("%2F", "/"), [tuple(one.split("=")) for one in pairs]


def v3_base():
    return oauth1a.base_string(
        "POST",
        "https://api.ibkr.com/v1/api/oauth/live_session_token",
        [
            ("oauth_token", known.V3_TOKEN),
            ("diffie_hellman_challenge", known.V3_CHALLENGE),
            ("oauth_consumer_key", "TESTCONS"),
            ("oauth_timestamp", known.V3_TIME),
            ("oauth_signature_method", "RSA-SHA256"),
            ("oauth_nonce", known.V3_NONCE),
        ],
        prepend=known.V3_PREPEND,
    )


@pytest.mark.parametrize(
    ("base", "signature"),
    [(known.V1_BASE, known.V1_SIGNATURE), (known.V2_BASE, known.V2_SIGNATURE)],
    ids=["V1", "V2"],
)
def test_published_steps_are_spelt_and_verified(base, signature):
    """The live service accepted these; parameters come in any order."""
    method, url, pairs = parts(base)

    assert oauth1a.base_string(method, url, reversed(pairs)) == base
    assert oauth1a.rsa_fits(public_key(), base, signature)
    assert not oauth1a.rsa_fits(public_key(), base.replace("POST", "GET"), signature)


def test_the_published_request_for_a_live_session_token_is_verified():
    """One proof for the prepended secret, the single encoding and the unsigned realm."""
    base = v3_base()

    assert hashlib.sha256(base.encode()).hexdigest() == known.V3_SHA256
    assert oauth1a.rsa_fits(public_key(), base, known.V3_SIGNATURE)


@pytest.mark.parametrize(
    ("prime", "a", "b", "secret", "consumer", "token", "proof"),
    [
        (f"{PRIME:x}", known.V5_A, known.V5_B, known.V5_SECRET, "TESTCONS", known.V5_TOKEN, known.V5_PROOF),
        (f"{PRIME:x}", known.V6_A, known.V6_B, known.V6_SECRET, "TESTCONS", known.V6_TOKEN, known.V6_PROOF),
        (
            known.V7_PRIME,
            known.V7_A,
            known.V7_B,
            known.V7_SECRET,
            known.V7_CONSUMER,
            known.V7_TOKEN,
            known.V7_PROOF,
        ),
    ],
    ids=["V5-no-sign-byte", "V6-sign-byte", "V7-small-prime"],
)
def test_published_tokens_follow_from_the_shared_number(prime, a, b, secret, consumer, token, proof):
    """With the zero that Java puts before a number whose first bit is set, and without."""
    shared = pow(oauth1a.number_of(b), int(a, 16), int(prime, 16))

    found = oauth1a.live_session_token(shared, bytes.fromhex(secret))

    assert base64.b64encode(found).decode() == token
    assert oauth1a.token_signature(found, consumer) == proof


@pytest.mark.parametrize("byte", known.TESTCONS_EXCHANGES)
def test_the_servers_half_comes_to_the_same_token(byte):
    """From the challenge and an exponent of its own."""
    prime = int(known.TESTCONS_PRIME, 16)
    challenge = f"{pow(2, int(byte * 32, 16), prime):x}"
    shared = pow(oauth1a.number_of(challenge), int("0b" * 32, 16), prime)

    token = oauth1a.live_session_token(shared, bytes.fromhex(known.V3_PREPEND))

    wanted, proof = known.TESTCONS_EXCHANGES[byte]
    assert base64.b64encode(token).decode() == wanted
    assert oauth1a.token_signature(token, "TESTCONS") == proof


def test_the_published_proof_of_a_token():
    """The consumer key under the token, in hexadecimal digits."""
    token = base64.b64decode(known.V4_TOKEN)

    assert oauth1a.token_signature(token, "TESTCONS") == known.V4_PROOF


@pytest.mark.parametrize("token", known.V8_SIGNATURES)
def test_published_signatures_of_a_call_are_verified(token):
    """Another token does not fit."""
    key, signature = base64.b64decode(token), known.V8_SIGNATURES[token]
    other = next(one for one in known.V8_SIGNATURES if one != token)

    assert oauth1a.base_string(*parts(known.V8_BASE)) == known.V8_BASE
    assert oauth1a.hmac_fits(key, known.V8_BASE, signature)
    assert not oauth1a.hmac_fits(base64.b64decode(other), known.V8_BASE, signature)


@pytest.mark.parametrize(
    ("number", "raw"), [(0, [0]), (0x7F, [127]), (0x80, [0, 128]), (0xFF, [0, 255]), (0x1FF, [1, 255])]
)
def test_numbers_become_bytes_as_java_has_them(number, raw):
    """Two of these are IBKR's own examples."""
    assert list(oauth1a.java_bytes(number)) == raw


def known_consumer(at, **options):
    """A broker that knows TESTCONS, at the second of a published request."""
    consumer = Consumer(
        consumer_key="TESTCONS",
        signature_key=public_key(),
        encryption_key=public_key(),
        access_token=known.V3_TOKEN,
        secret=bytes.fromhex(known.V3_PREPEND),
        prime=int(known.TESTCONS_PRIME, 16),
        realm="test_realm",
    )
    return Gateway(
        ManualClock(datetime.fromtimestamp(int(at), UTC)),
        auth="oauth1a",
        credentials=Credentials(client={}, registered=consumer),
        options=options,
    )


def published(gateway, path, pairs, signature):
    rows = ", ".join(f'{name}="{value}"' for name, value in pairs)
    header = f'OAuth realm="test_realm", {rows}, oauth_signature="{quote(signature, safe="")}"'
    answer = gateway.handle(
        Request(
            method="POST",
            path=f"/v1/api/oauth/{path}",
            headers={"host": "api.ibkr.com", "authorization": header},
            secure=True,
        )
    )
    return answer.status, json.loads(answer.body or b"{}")


def test_the_published_requests_are_let_in_by_the_gateway():
    """As they were by the live service, each at its own second."""
    first = known_consumer("1605211001", third_party=True)
    second = known_consumer("1605211316", third_party=True)
    third = known_consumer(known.V3_TIME)
    challenge = {
        "oauth_consumer_key": "TESTCONS",
        "oauth_nonce": known.V3_NONCE,
        "oauth_timestamp": known.V3_TIME,
        "oauth_signature_method": "RSA-SHA256",
        "oauth_token": known.V3_TOKEN,
        "diffie_hellman_challenge": known.V3_CHALLENGE,
    }

    asked = published(first, "request_token", parts(known.V1_BASE)[2], known.V1_SIGNATURE)
    exchanged = published(second, "access_token", parts(known.V2_BASE)[2], known.V2_SIGNATURE)
    agreed = published(third, "live_session_token", challenge.items(), known.V3_SIGNATURE)

    assert asked[0] == agreed[0] == 200
    assert len(agreed[1]["diffie_hellman_response"]) == 512
    # Its request token was given by somebody else, which is noticed after the signature.
    assert exchanged == (401, {})
    reason = second.ledger()["requests_log"][-1]["refused"]
    assert reason == "the request token or its verifier is not good"


# The live session token


def test_a_live_session_token_opens_the_outer_session():
    """Before it nobody is in, with it the portfolio answers, and trading wants its own session."""
    signer = Signer()
    signer.token = b"x" * 20
    before = signer.get("/portfolio/accounts")
    signer.log_in()

    assert refused_bare(before)
    assert signer.get("/portfolio/accounts").status == 200
    assert signer.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


def test_all_of_the_broker_works_behind_a_signature():
    """To an order that is booked."""
    signer = Signer().ready()
    signer.get("/iserver/accounts")

    placed = signer.post(ORDERS, {"orders": [ticket(cOID="mine")]})

    assert placed.status == 200
    ledger = signer.gateway.ledger()
    assert ledger["requests"][PLACE] == 1
    assert ledger["requests"][LIVE] == 1


def test_the_answer_has_the_documented_shape(signer):
    """Hexadecimal of the prime's length, forty digits, milliseconds a day ahead."""
    _, reply = signer.ask()
    body = reply.body

    assert set(body) == {
        "diffie_hellman_response",
        "live_session_token_signature",
        "live_session_token_expiration",
    }
    assert len(body["diffie_hellman_response"]) == 512
    assert len(body["live_session_token_signature"]) == 40
    assert body["live_session_token_expiration"] == (signer.now + 86400) * 1000


def test_about_half_of_all_exchanges_need_the_sign_byte(signer):
    """A client without it fails on half of its starts, as at the live service."""
    fits = [signer.derive(*signer.ask(), sign_byte=False)[1] for _ in range(24)]

    assert 0 < sum(fits) < 24


@pytest.mark.parametrize(("sign_byte", "fits"), [("with", False), ("without", True)])
def test_the_sign_byte_can_be_had_on_demand(sign_byte, fits):
    """Every exchange needs it, or none does."""
    signer = Signer(sign_byte=sign_byte)

    for _ in range(4):
        mine, reply = signer.ask()
        assert signer.derive(mine, reply)[1] is True
        assert signer.derive(mine, reply, sign_byte=False)[1] is fits


def test_leading_zeros_of_the_response_can_be_dropped():
    """The number is the same, and shorter than the prime."""
    signer = Signer(short_response=True, sign_byte="with")

    mine, reply = signer.ask()

    assert len(reply.body["diffie_hellman_response"]) < 512
    assert signer.derive(mine, reply)[1] is True


def test_a_response_can_be_empty_for_a_while(signer):
    """Then nothing was granted, and the next try is fine."""
    signer.gateway.set_options({"empty_responses": 1})

    _, empty = signer.ask()
    still = signer.get("/portfolio/accounts").status
    signer.log_in()

    assert (empty.status, empty.body["diffie_hellman_response"]) == (200, "")
    assert still == 200
    assert len(signer.logins) == 2


def test_a_token_can_come_with_a_wrong_signature(signer):
    """Then it is none: a client that does not look is refused at its first call."""
    signer.gateway.set_options({"wrong_signatures": 1})

    mine, reply = signer.ask()
    token, fits = signer.derive(mine, reply)
    kept, signer.token = signer.token, token

    assert fits is False
    assert refused_bare(signer.get("/portfolio/accounts"))
    signer.token = kept
    assert signer.get("/portfolio/accounts").status == 200
    assert signer.derive(*signer.ask())[1] is True


def test_the_expiration_can_be_the_moment_of_issue():
    """One document reads it so."""
    signer = Signer(lst_expiration="issued").log_in()

    assert signer.expiration == signer.now * 1000
    assert signer.get("/portfolio/accounts").status == 200


@pytest.mark.parametrize(
    "challenge", ["0", "1", f"{PRIME - 1:x}", f"{PRIME:x}", "0x12", "-12", "0" * 1024 + "5"]
)
def test_a_challenge_that_is_no_number_of_the_group_is_named(challenge):
    """Nothing can be agreed on with it."""
    _, reply = Signer().ask(diffie_hellman_challenge=challenge)

    assert reply.status == 401
    assert "diffie_hellman_challenge" in reply.body["error"]


def test_a_prime_without_such_a_number_is_a_service_out_of_order():
    """Five bits are never eight; it gives up instead of drawing for ever."""
    registered = attrs.evolve(made("oauth1a").registered, prime=23)
    credentials = attrs.evolve(made("oauth1a"), registered=registered)
    signer = Signer(Broker(auth="oauth1a", credentials=credentials, sign_byte="with"))

    assert signer.ask(diffie_hellman_challenge="5")[1].status == 503


def test_the_last_token_wins_unless_told_otherwise():
    """Nobody says so, and it is likely; a switch lets both live."""
    alone, both = Signer().log_in(), Signer(last_token_wins=False).log_in()
    first = {one: one.token for one in (alone, both)}

    statuses = []
    for one in (alone, both):
        one.log_in()
        one.token = first[one]
        statuses.append(one.get("/portfolio/accounts").status)

    assert statuses == [401, 200]
    assert alone.logins[0]["why"] == "a newer token"


# What is checked


def test_every_way_of_writing_the_header_is_read(signer):
    """The realm first, last or bare; a comma with a blank or without."""
    url = f"{ROOT}/portfolio/accounts"

    def header(style):
        given = signer.parameters("HMAC-SHA256", oauth_token=signer.mine["access_token"])
        given["oauth_signature"] = signer.hmac(signer.text("GET", url, given.items()))
        rows = [f'{name}="{quote(value, safe="")}"' for name, value in sorted(given.items())]
        return {
            "first": 'OAuth realm="limited_poa", ' + ", ".join(rows),
            "bare": "OAuth realm=limited_poa, " + ", ".join(rows),
            "last": "OAuth " + ", ".join([*rows, 'realm="limited_poa"']),
            "narrow": "OAuth " + ",".join(['realm="limited_poa"', *rows]),
            "wide": 'oauth  realm="limited_poa" , ' + " ,  ".join(rows),
        }[style]

    for style in ("first", "bare", "last", "narrow", "wide"):
        assert signer.send("GET", url, {"authorization": header(style)}).status == 200, style


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "no OAuth header"),
        ("Bearer x", "no OAuth header"),
        ("OAuth realm", "cannot be read"),
        ('OAuth a="1', "cannot be read"),
        ('OAuth a="1", a="2"', "twice or without quotes"),
        ("OAuth oauth_token=x", "twice or without quotes"),
    ],
)
def test_a_header_that_cannot_be_read_is_a_bare_401(signer, header, reason):
    """Also none at all; the control room knows why."""
    reply = signer.send("GET", f"{ROOT}/portfolio/accounts", {"authorization": header})

    assert refused_bare(reply)
    assert reason in signer.reason


@pytest.mark.parametrize(
    "name",
    ["oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_signature_method", "oauth_token"],
)
def test_a_missing_parameter_is_named(signer, name):
    """Whichever it is; an empty one is missing too."""
    for nothing in (None, ""):
        reply = signer.get("/portfolio/accounts", **{name: nothing})

        assert (reply.status, reply.body["error"]) == (401, f"Missing parameter: {name}")


@pytest.mark.parametrize("name", ["oauth_token", "diffie_hellman_challenge"])
def test_the_steps_name_what_they_miss(name):
    """As everything else does."""
    _, reply = Signer().ask(**{name: None})

    assert (reply.status, reply.body["error"]) == (401, f"Missing parameter: {name}")


def test_a_missing_or_foreign_realm_is_named(signer):
    """It is not signed, and it must be there."""
    url = f"{ROOT}/portfolio/accounts"

    def header(**realm):
        given = signer.parameters("HMAC-SHA256", oauth_token=signer.mine["access_token"])
        given["oauth_signature"] = signer.hmac(signer.text("GET", url, given.items()))
        return {"authorization": signer.header(given, **realm)}

    foreign = signer.send("GET", url, header(realm="test_realm"))
    without = header()["authorization"].replace('realm="limited_poa", ', "")
    missing = signer.send("GET", url, {"authorization": without})

    assert foreign.body["error"] == "Invalid parameter: realm"
    assert missing.body["error"] == "Missing parameter: realm"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"oauth_signature_method": "RSA-SHA256"}, "oauth_signature_method"),
        ({"oauth_signature_method": "PLAINTEXT"}, "oauth_signature_method"),
        ({"oauth_token": "0" * 20}, "oauth_token"),
        ({"oauth_timestamp": "1795532400000"}, "oauth_timestamp"),
        ({"oauth_timestamp": "179553240"}, "oauth_timestamp"),
        ({"oauth_timestamp": "now"}, "oauth_timestamp"),
    ],
)
def test_a_parameter_that_cannot_be_right_is_named(signer, changes, named):
    """Method, token and the count of a timestamp's digits."""
    reply = signer.get("/portfolio/accounts", **changes)

    assert (reply.status, reply.body["error"]) == (401, f"Invalid parameter: {named}")


@pytest.mark.parametrize(
    "signature", ["AAAA", "not base64", "\u00fc", base64.b64encode(bytes(32)).decode()], ids=range(4)
)
def test_a_wrong_signature_is_a_bare_401(signer, signature):
    """And uses nothing up."""
    reply = signer.get("/portfolio/accounts", oauth_signature=signature, oauth_nonce="once")

    assert refused_bare(reply)
    assert signer.get("/portfolio/accounts", oauth_nonce="once").status == 200


@pytest.mark.parametrize("wrong", [{"key": "encryption_key"}, {"prepend": ""}, {"prepend": "00" * 32}])
def test_the_steps_want_the_signature_key_and_the_secret(wrong):
    """One document's prose names the other key; the live service does not take it."""
    _, reply = Signer().ask(**wrong)

    assert refused_bare(reply)


def test_method_path_and_host_are_signed(signer):
    """A signature is good for one request."""
    url = f"{ROOT}/portfolio/accounts"
    for changed in ("GET /tickle", "POST /portfolio/accounts"):
        method, path = changed.split()
        reply = signer.call(method, path, url=url if method == "GET" else f"{ROOT}/tickle")
        assert refused_bare(reply), changed
    assert refused_bare(signer.get("/portfolio/accounts", url=url.replace(":5000", ":5001")))
    assert refused_bare(signer.get("/portfolio/accounts", url=url.replace("http:", "https:")))


def test_a_nonce_is_good_once(signer):
    """Among all requests of the consumer, the steps too."""
    first = signer.get("/portfolio/accounts", oauth_nonce="same")
    again = signer.get("/portfolio/accounts", oauth_nonce="same")
    _, step = signer.ask(oauth_nonce="same")
    signer.ask(oauth_nonce="other")
    _, step_again = signer.ask(oauth_nonce="other")

    assert [one.status for one in (first, again, step, step_again)] == [200, 401, 401, 401]
    assert signer.reason == "the nonce was used before"


@pytest.mark.parametrize(("seconds", "status"), [(-61, 401), (-60, 200), (60, 200), (61, 401)])
def test_a_timestamp_is_close_to_the_wall_clock(signer, seconds, status):
    """The market's clock, which is moved, does not matter."""
    signer.gateway.advance(3600)

    reply = signer.get("/portfolio/accounts", oauth_timestamp=str(int(signer.now + seconds)))

    assert reply.status == status
    assert status == 200 or signer.reason == f"the timestamp is {seconds:+} s from the wall clock"


def test_the_tolerance_is_an_option():
    """Nobody knows the real one."""
    signer = Signer(clock_tolerance=5.0).log_in()

    assert signer.get("/portfolio/accounts", oauth_timestamp=str(int(signer.now - 6))).status == 401


@pytest.mark.parametrize(("rising", "status"), [(False, 200), (True, 401)])
def test_timestamps_may_have_to_rise(rising, status):
    """Documented; yet clients that sign in parallel are served."""
    signer = Signer(timestamps_rise=rising).log_in()
    signer.get("/portfolio/accounts", oauth_timestamp=str(int(signer.now + 2)))

    assert signer.get("/portfolio/accounts", oauth_timestamp=str(int(signer.now + 1))).status == status


def test_old_nonces_are_forgotten():
    """A run of days must not fill the memory."""
    nonces = Nonces(Options())
    used = [{"oauth_nonce": str(one), "oauth_timestamp": "1795532400"} for one in range(50_001)]
    for one in used:
        nonces.note(one)

    now = datetime.fromtimestamp(1795532400, UTC)
    nonces.check(used[0], now)
    with pytest.raises(NonceError, match="used before"):
        nonces.check(used[1], now)


def test_ended_tokens_are_forgotten_some_time(signer):
    """The ledger of a long run stays readable, and living ones stay."""
    world = signer.gateway.world
    for _ in range(10_000):
        grant = Grant(kind="x", value=b"", granted=world.now, expires=world.now, outer=False)
        world.tokens.grant(grant)
        world.tokens.end(grant, "expired", world.now)

    assert [one["kind"] for one in signer.logins] == ["live session token", "x"]


@pytest.mark.parametrize(
    ("case", "documented", "lenient"),
    [("sorted in", 200, 200), ("left out", 401, 200), ("in the url", 401, 200)],
)
def test_a_query_is_signed_as_documented_or_leniently(case, documented, lenient):
    """Three readings work in production; one is documented."""
    for reading, status in (("documented", documented), ("lenient", lenient)):
        signer = Signer(query_signing=reading).log_in()
        how = {
            "sorted in": {},
            "left out": {"signed": ()},
            "in the url": {"signed": (), "url": f"{ROOT}/trsrv/stocks?symbols=AAPL"},
        }[case]

        assert signer.get("/trsrv/stocks", query=ONE, **how).status == status, reading


def test_a_lenient_service_does_not_take_any_query():
    """A signed parameter must be the one that is sent."""
    signer = Signer(query_signing="lenient").log_in()

    assert refused_bare(signer.get("/trsrv/stocks", query=ONE, signed=(("symbols", "MSFT"),)))


def test_values_are_encoded_once_with_their_commas(signer):
    """Two encodings, as RFC 5849 has them, are not what IBKR checks."""
    signer.post("/iserver/auth/ssodh/init", {"publish": True})
    signer.post("/iserver/auth/status")
    signer.get("/iserver/accounts")
    twice = [(name, quote(value, safe="")) for name, value in TWO]

    assert signer.get("/iserver/marketdata/snapshot", query=TWO).status == 200
    assert refused_bare(signer.get("/iserver/marketdata/snapshot", query=TWO, signed=twice))


def test_fields_of_a_form_are_signed_and_json_is_not(signer):
    """As documented."""
    form = (("publish", "true"), ("compete", "true"))
    url = f"{ROOT}/iserver/auth/ssodh/init"
    given = signer.parameters("HMAC-SHA256", oauth_token=signer.mine["access_token"])
    given["oauth_signature"] = signer.hmac(signer.text("POST", url, given.items()))
    headers = {"authorization": signer.header(given), "content-type": "application/x-www-form-urlencoded"}

    unsigned = signer.send("POST", url, headers, b"publish=true&compete=true")
    signer.post("/iserver/auth/ssodh/init", form=form)

    assert refused_bare(unsigned)
    assert signer.reason is None
    assert signer.post("/iserver/auth/ssodh/init", {"publish": True}).status == 200


def test_a_default_port_is_not_part_of_the_address():
    """A client that names it signs without it."""
    signer = Signer().log_in()
    url = "http://api.ibkr.com/v1/api/portfolio/accounts"
    given = signer.parameters("HMAC-SHA256", oauth_token=signer.mine["access_token"])
    given["oauth_signature"] = signer.hmac(signer.text("GET", url, given.items()))

    reply = signer.send("GET", url, {"authorization": signer.header(given), "host": "API.ibkr.com:80"})

    assert reply.status == 200


# Consumers


@pytest.mark.parametrize("changes", [{"oauth_consumer_key": "SOMEBODY"}, {}])
def test_an_unknown_or_inactive_consumer_is_told_so(changes):
    """In the reported words, at the steps and at every call."""
    signer = Signer().log_in()
    if not changes:
        signer.gateway.set_options({"credentials_active": False})

    _, step = signer.ask(**changes)
    call = signer.get("/portfolio/accounts", **changes)

    assert (step.status, step.body) == (call.status, call.body) == (401, INACTIVE)


def test_a_lost_secret_is_told_in_the_reported_words(signer):
    """It happened out of the blue; a token that is alive goes on."""
    signer.gateway.set_options({"secret_missing": True})

    _, reply = signer.ask()

    assert reply.status == 401
    text = "id: 118871, error: LST failed, error: No access secret key found for"
    assert reply.body["error"].startswith(text)
    assert signer.get("/portfolio/accounts").status == 200


def test_an_access_token_of_somebody_else_has_no_secret():
    """Whatever signs it."""
    _, reply = Signer().ask(oauth_token="0" * 20)

    assert "No access secret key found" in reply.body["error"]


@pytest.mark.parametrize("name", ["request_token", "access_token"])
def test_first_parties_may_not_take_the_first_steps(name):
    """They have their access token from the self-service page."""
    reply = Signer().step(name, oauth_callback="oob", oauth_token="x", oauth_verifier="y")

    assert (reply.status, reply.body) == (401, INACTIVE)


def agreed(signer):
    token = signer.step("request_token", oauth_callback="oob").body["oauth_token"]
    page = signer.send("GET", f"{ORIGIN}/authorize", {}, query=(("oauth_token", token),))
    reply = signer.broker.post("/simulator/authorize", {"oauth_token": token})
    return token, page, reply


def test_a_third_party_comes_to_an_access_token():
    """The token is the user's one, its secret is new, and the former secret is worth nothing."""
    signer = Signer(third_party=True)
    token, page, verifier = agreed(signer)

    reply = signer.step("access_token", oauth_token=token, **verifier.body)
    _, former = signer.ask()
    signer.mine["access_token_secret"] = reply.body["oauth_token_secret"]
    signer.log_in()

    assert len(token) == len(verifier.body["oauth_verifier"]) == 20
    assert page.status == 200
    assert b"asks for access" in page.answer.body
    assert set(reply.body) == {"is_paper", "oauth_token", "oauth_token_secret"}
    assert (reply.body["is_paper"], reply.body["oauth_token"]) == (True, signer.mine["access_token"])
    assert refused_bare(former)
    assert signer.get("/portfolio/accounts").status == 200


def test_request_tokens_and_verifiers_are_good_once():
    """Agreed to once, exchanged once, and not for another verifier."""
    signer = Signer(third_party=True)
    token, _, verifier = agreed(signer)
    again = signer.broker.post("/simulator/authorize", {"oauth_token": token})
    page = signer.send("GET", f"{ORIGIN}/authorize", {}, query=(("oauth_token", token),))
    wrong = signer.step("access_token", oauth_token=token, oauth_verifier="0" * 20)
    right = signer.step("access_token", oauth_token=token, **verifier.body)
    twice = signer.step("access_token", oauth_token=token, **verifier.body)

    assert (again.status, page.status) == (404, 400)
    assert (wrong.status, right.status, twice.status) == (401, 200, 401)


def test_an_unanswered_request_token_is_not_exchanged():
    """The user has not agreed."""
    signer = Signer(third_party=True)
    token = signer.step("request_token", oauth_callback="oob").body["oauth_token"]

    assert refused_bare(signer.step("access_token", oauth_token=token, oauth_verifier="0" * 20))


# How tokens end


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (lambda one: one.gateway.advance(86400), "expired"),
        (lambda one: one.post("/logout"), "asked"),
        (lambda one: one.gateway.change_session("revoke"), "revoked"),
        (lambda one: one.gateway.change_session("logout"), "control room"),
    ],
    ids=["expired", "logout", "revoked", "control-room"],
)
def test_a_token_that_ended_is_a_bare_401_and_a_new_one_helps(how, why):
    """Both tiers end with it; the ledger says when and why."""
    signer = Signer().ready()

    how(signer)
    dead = signer.get("/portfolio/accounts")
    row = signer.logins[0]
    signer.log_in()

    assert refused_bare(dead)
    assert (row["login"], row["kind"], row["why"]) == ("oauth1a", "live session token", why)
    assert row["ended"] == signer.gateway.world.now.isoformat()
    assert signer.get("/portfolio/accounts").status == 200
    assert signer.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


def test_midnight_ends_tokens_and_one_in_the_morning_the_brokerage_session():
    """When the night is switched on; else the day is 24 hours long."""
    signer = Signer(idle_timeout=None).ready()
    signer.gateway.advance(14 * 3600 + 60)
    assert signer.get("/portfolio/accounts").status == 200

    signer = Signer(nightly_reset=True, idle_timeout=None).ready()
    signer.gateway.advance(14 * 3600 + 60)
    midnight = signer.get("/portfolio/accounts")
    signer.ready()
    signer.gateway.advance(3600)

    assert refused_bare(midnight)
    assert signer.logins[0]["why"] == "midnight"
    assert signer.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"
    assert signer.get("/portfolio/accounts").status == 200


def test_six_minutes_without_a_signed_request_end_the_brokerage_session_only():
    """A tickle in time keeps it; requests that were refused keep nothing alive."""
    signer = Signer().ready()
    for _ in range(10):
        signer.broker.clock.advance(60)
        signer.post("/tickle")
    assert signer.get("/iserver/accounts").status == 200

    for _ in range(4):
        signer.broker.clock.advance(100)
        signer.get("/portfolio/accounts", oauth_signature="AAAA")

    assert signer.get("/portfolio/accounts").status == 200
    assert signer.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


@pytest.mark.parametrize("kept", [True, False])
def test_a_new_token_keeps_the_brokerage_session_or_not(kept):
    """Nobody says; the session id changes in any case."""
    signer = Signer(keep_brokerage=kept).ready()
    before = signer.post("/tickle").body["session"]
    signer.log_in()

    assert (signer.get("/iserver/accounts").status == 200) is kept
    assert signer.post("/tickle").body["session"] != before


def test_disabled_credentials_are_refused_until_they_are_enabled(signer):
    """Unlike a revoked token, asking again does not help."""
    signer.broker.post("/simulator/session", {"action": "disable"})
    _, disabled = signer.ask()
    signer.broker.post("/simulator/session", {"action": "enable"})
    signer.log_in()
    signer.broker.post("/simulator/session", {"action": "enable"})

    assert signer.get("/portfolio/accounts").status == 200
    assert disabled.body == INACTIVE
    assert signer.logins[0]["why"] == "revoked"
    assert signer.log_in().get("/portfolio/accounts").status == 200


def test_nobody_logs_in_by_browser(signer):
    """There is no page for it, and the control room cannot do it either."""
    reply = signer.broker.post("/simulator/session", {"action": "login"})

    assert reply.status == 400
    assert "revoke, disable, enable" in reply.body["error"]
    for path in ("/", "/sso/Login", "/sso/Dispatcher"):
        assert signer.send("GET", f"{ORIGIN}{path}", {}).status == 404


def test_switching_logged_in_on_logs_nobody_in():
    """The option is the browser's."""
    signer = Signer()
    signer.gateway.set_options({"logged_in": True})

    assert signer.gateway.ledger()["sessions"][0]["logged_in"] is False


def test_a_reset_forgets_tokens_and_keeps_the_credentials(signer):
    """They are the broker's, not the world's."""
    signer.gateway.reset()

    assert refused_bare(signer.get("/portfolio/accounts"))
    assert signer.log_in().get("/portfolio/accounts").status == 200


# Session endpoints


def test_a_tickle_has_nothing_about_an_sso():
    """As recorded."""
    body = Signer().ready().post("/tickle").body

    assert set(body) == {"session", "hmds", "iserver"}
    assert {"established", "hardware_info"} <= body["iserver"]["authStatus"].keys()


def test_there_is_no_sso_to_validate(signer):
    """Documented for the gateway and OAuth 2.0 only."""
    assert refused_bare(signer.get("/sso/validate"))


def test_unknown_paths_are_404_for_who_is_let_in(signer):
    """And the steps of the other login do not exist here."""
    assert signer.get("/nowhere").status == 404
    assert signer.post("/gw/api/v1/sso-sessions").status == 404
    assert signer.send("POST", f"{ORIGIN}/oauth2/api/v1/token", {}).status == 404


# Faults


@pytest.mark.parametrize("fault", ["F05", "F06"])
def test_the_401_faults_look_like_a_dead_token(signer, fault):
    """Although it is alive."""
    signer.gateway.arm({"fault": fault, "on": "GET /portfolio/accounts"})

    assert refused_bare(signer.get("/portfolio/accounts"))
    assert signer.get("/trsrv/stocks", query=ONE).status == 200


@pytest.mark.parametrize("fault", ["F01", "F02", "F03", "F04", "F10", "F14", "F15", "F16", "F17"])
def test_faults_strike_the_token_endpoint_too(signer, fault):
    """By its name, and it is counted."""
    signer.gateway.arm({"fault": fault, "on": LIVE})

    _, reply = signer.ask()

    assert reply.wire or reply.status == 503 or "live_session_token_signature" not in str(reply.body)
    assert signer.gateway.ledger()["faults"][0]["consumed"] == 1


def test_the_token_endpoint_is_paced_like_the_rest():
    """A login storm shows in the meter."""
    signer = Signer(pacing=True, requests_per_second=2)

    statuses = [signer.ask()[1].status for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert signer.gateway.ledger()["pacing_breaches"][0]["template"] == "/oauth/live_session_token"


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_wrong_wall_clock_refuses_and_shows_itself_in_the_date(signer, seconds):
    """A client that corrects itself by the Date header gets in."""
    signer.gateway.arm({"fault": "F34", "seconds": seconds})

    refused = signer.get("/portfolio/accounts")
    date = dict(refused.answer.headers)["Date"]
    corrected = signer.get("/portfolio/accounts", oauth_timestamp=str(int(signer.now + seconds)))

    assert refused_bare(refused)
    assert date == datetime.fromtimestamp(signer.now + seconds, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert corrected.status == 200


def test_a_wrong_wall_clock_lies_under_other_faults(signer):
    """Both are consumed by one call; a page that has nothing to do with it has the right date."""
    signer.gateway.arm({"fault": "F34"})
    signer.gateway.arm({"fault": "F10", "on": "GET /portfolio/accounts"})

    struck = signer.get("/portfolio/accounts")
    page = signer.send("GET", f"{ORIGIN}/", {})

    assert struck.status == 503
    assert [one["consumed"] for one in signer.gateway.ledger()["faults"]] == [1, 1]
    assert "15:05:00" in dict(struck.answer.headers)["Date"]
    assert "15:00:00" in dict(page.answer.headers)["Date"]


def test_a_wrong_wall_clock_ends_with_its_count(signer):
    """Then the same request is right again."""
    signer.gateway.arm({"fault": "F34", "times": 1})

    assert refused_bare(signer.get("/portfolio/accounts"))
    assert signer.get("/portfolio/accounts").status == 200


def test_a_wrong_wall_clock_can_be_that_of_one_endpoint(signer):
    """The login fails, calls go on."""
    signer.gateway.arm({"fault": "F34", "on": LIVE})

    assert refused_bare(signer.ask()[1])
    assert signer.get("/portfolio/accounts").status == 200


@pytest.mark.parametrize(
    ("wishes", "status", "body"),
    [
        ({"variant": "refused"}, 401, INACTIVE),
        ({"variant": "down"}, 503, {"error": "Service Unavailable", "statusCode": 503}),
        ({"variant": "down", "status": 500}, 500, {"error": "java.lang.Exception: request failed"}),
    ],
)
def test_the_token_endpoint_may_refuse_while_calls_go_on(signer, wishes, status, body):
    """Armed for everything it strikes only where tokens are handed out."""
    signer.gateway.arm({"fault": "F35", **wishes})

    calls = signer.get("/portfolio/accounts").status
    _, reply = signer.ask()

    assert calls == 200
    assert (reply.status, reply.body) == (status, body)
    assert signer.log_in()


def test_tokens_may_expire_under_a_call(signer):
    """That call is refused already."""
    signer.gateway.arm({"fault": "F35", "variant": "expired", "on": "GET /portfolio/accounts"})

    assert refused_bare(signer.get("/portfolio/accounts"))
    assert signer.logins[0]["why"] == "expired"
    assert signer.log_in().get("/portfolio/accounts").status == 200


def test_a_new_token_may_be_dead_already(signer):
    """The handshake is fine, the first call is not."""
    signer.gateway.arm({"fault": "F35", "variant": "expired", "on": LIVE})

    signer.log_in()

    assert refused_bare(signer.get("/portfolio/accounts"))


def test_a_trigger_can_revoke_the_tokens_of_the_very_call(signer):
    """Before it is looked at."""
    wish = {"on": "GET /portfolio/accounts", "session": {"action": "revoke"}}
    signer.broker.post("/simulator/triggers", wish)

    assert refused_bare(signer.get("/portfolio/accounts"))


# What is kept and told


def test_nothing_secret_is_told():
    """Neither by the ledger nor by the log of requests, right or wrong."""
    signer = Signer(third_party=True)
    token, _, verifier = agreed(signer)
    signer.step("access_token", oauth_token=token, **verifier.body)
    signer = Signer(signer.broker)
    signer.mine["access_token_secret"] = made("oauth1a").client["access_token_secret"]
    signer.gateway.reset()
    signer.log_in()
    signer.get("/portfolio/accounts", oauth_nonce="canary-nonce")
    signer.get("/portfolio/accounts", oauth_nonce="canary-nonce", oauth_signature="Y2FuYXJ5")

    told = json.dumps(signer.gateway.ledger()) + json.dumps(signer.broker.get("/simulator/options").body)

    hidden = [signer.mine["access_token"], signer.secret().hex(), signer.token.hex(), "canary", "Y2FuYXJ5"]
    hidden += [base64.b64encode(signer.token).decode(), token, "OAuth realm"]
    assert [one for one in hidden if one in told] == []
    assert repr(made("oauth1a")).count(signer.mine["access_token"]) == 0


def test_the_gateways_half_has_no_private_key():
    """IBKR was given public keys only."""
    consumer = made("oauth1a").registered

    kinds = {type(value) for value in vars(Signer().gateway.login).values()}
    assert not any(isinstance(getattr(consumer, name), rsa.RSAPrivateKey) for name in consumer.__slots__)
    assert not any(issubclass(kind, rsa.RSAPrivateKey) for kind in kinds)


def test_credentials_have_the_sizes_that_ibkr_asks_for():
    """And the formats: PKCS#8, and the prime as openssl writes it."""
    client = made("oauth1a").client

    assert list(client) == [
        "auth_method",
        "consumer_key",
        "access_token",
        "access_token_secret",
        "signature_key",
        "encryption_key",
        "dh_prime",
        "dh_generator",
        "realm",
    ]
    assert len(client["consumer_key"]) == 9
    assert client["consumer_key"].isupper()
    assert len(bytes.fromhex(client["access_token"])) == 10
    assert len(base64.b64decode(client["access_token_secret"])) == 256
    assert len(Signer().secret()) == 32
    for name in ("signature_key", "encryption_key"):
        assert client[name].startswith("-----BEGIN PRIVATE KEY-----\n")
        assert serialization.load_pem_private_key(client[name].encode(), None).key_size == 2048


def test_the_prime_is_written_as_openssl_does(tmp_path):
    """A sequence of two numbers; any reader of PEM parameters takes it."""
    path = tmp_path / "dh.pem"
    path.write_text(made("oauth1a").client["dh_prime"])
    lines = path.read_text().splitlines()
    raw = base64.b64decode("".join(lines[1:-1]))

    assert (lines[0], lines[-1]) == ("-----BEGIN DH PARAMETERS-----", "-----END DH PARAMETERS-----")
    assert {len(line) for line in lines[1:-2]} == {64}
    assert raw[:9].hex() == "3082010802820101" + "00"
    assert int.from_bytes(raw[9:265], "big") == PRIME
    assert raw[265:].hex() == "020102"


def test_credentials_belong_to_their_login():
    """A set is for one of the two."""
    with pytest.raises(ValueError, match="for the login 'oauth1a', not for 'oauth2'"):
        Broker(auth="oauth2", credentials=made("oauth1a"))
    with pytest.raises(ValueError, match="not for 'gateway'"):
        Broker(credentials=made("oauth1a"))
    assert Broker().gateway.credentials == {}


def test_every_set_is_another_one():
    """Keys and names."""
    first, second = made("oauth1a").client, generate("oauth1a").client

    same = {name for name in first if first[name] == second[name]}
    assert same == {"auth_method", "dh_prime", "dh_generator", "realm"}


def test_the_login_by_browser_loads_no_cryptography():
    """Who only wants the broker does not pay for it."""
    words = (
        "import sys; from ibkr_adapter.clock import SystemClock;"
        "from ibkr_adapter.simulator.gateway import Gateway; Gateway(SystemClock());"
        "sys.exit('cryptography' in sys.modules)"
    )

    ended = subprocess.run([sys.executable, "-c", words], check=False)  # noqa: S603 - our own words

    assert ended.returncode == 0


def test_the_old_root_is_signed_too():
    """/v1/portal is the older name of /v1/api, and stands in the base string as it is."""
    signer = Signer().log_in()
    url = f"{ORIGIN}/v1/portal/portfolio/accounts"
    given = signer.parameters("HMAC-SHA256", oauth_token=signer.mine["access_token"])
    given["oauth_signature"] = signer.hmac(signer.text("GET", url, given.items()))

    assert signer.send("GET", url, {"authorization": signer.header(given)}).status == 200


def test_a_live_account_is_no_paper_account():
    """The third step tells which."""
    broker = Broker(auth="oauth1a", credentials=made("oauth1a"), account="U1234567", third_party=True)
    signer = Signer(broker)
    token, _, verifier = agreed(signer)

    assert signer.step("access_token", oauth_token=token, **verifier.body).body["is_paper"] is False
    assert ACCESS in signer.gateway.ledger()["requests"]
    assert ACCOUNT not in json.dumps(signer.gateway.ledger()["sessions"])
