"""IBKR's half of OAuth 2.0: two assertions, two tokens, one address."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from oauth_clients import ORIGIN, SESSION, TOKEN, Bearer, key_of, made
from simulator_client import ORDERS, PLACE, Broker, ticket

PROBLEM = "application/problem+json"
BAD = {"type": "/simple", "title": "Bad Request", "status": 400}
EXPIRED = {"type": "/simple", "title": "Unauthorized", "status": 401, "detail": "Access token expired"}
INVALID = EXPIRED | {"detail": "The access token request is invalid"}
ELSEWHERE = EXPIRED | {"detail": "Invalid source address"}
SCOPE = {
    "type": "/simple",
    "title": "Forbidden",
    "status": 403,
    "detail": "The access token fails to have sufficient scope",
}
MOVED = "198.51.100.9"


@pytest.fixture
def client():
    return Bearer().log_in()


@pytest.fixture(scope="module")
def stranger():
    return rsa.generate_private_key(65537, 2048)


def is_problem(reply, body):
    return (reply.status, reply.body, kind(reply)) == (body["status"], body, PROBLEM)


def kind(reply):
    return dict(reply.answer.headers).get("Content-Type")


def decoded(token):
    """Header and claims of a token, without looking at its signature."""
    parts = [part + "=" * (-len(part) % 4) for part in token.split(".")]
    return tuple(json.loads(base64.urlsafe_b64decode(part)) for part in parts[:2])


# The way in


def test_two_steps_open_the_outer_session():
    """Before them nobody is in, after them the portfolio answers, and trading wants its own session."""
    client = Bearer()
    before = client.get("/portfolio/accounts")
    client.log_in()

    assert is_problem(before, EXPIRED)
    assert client.get("/portfolio/accounts").status == 200
    assert client.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


def test_all_of_the_broker_works_behind_a_bearer():
    """To an order that is booked; both steps are counted by their names."""
    client = Bearer().ready()
    client.get("/iserver/accounts")

    placed = client.post(ORDERS, {"orders": [ticket(cOID="mine")]})

    counts = client.gateway.ledger()["requests"]
    assert placed.status == 200
    assert (counts[TOKEN], counts[SESSION], counts[PLACE]) == (1, 1, 1)


def test_the_first_token_has_the_documented_shape():
    """A JWT of IBKR's, by RS256, that says it is from /token."""
    client = Bearer()

    reply = client.ask_token()
    header, claims = decoded(reply.body["access_token"])

    assert {name: reply.body[name] for name in ("token_type", "scope", "expires_in")} == {
        "token_type": "Bearer",
        "scope": "sso-sessions.write",
        "expires_in": 86399,
    }
    assert len(reply.body) == 4
    assert (header["alg"], header["typ"], len(header["kid"])) == ("RS256", "JWT", 40)
    assert (claims["iss"], claims["sub"]) == ("/token", client.mine["client_id"])
    assert (claims["iat"], claims["exp"]) == (int(client.now), int(client.now) + 86399)
    body, _, signature = reply.body["access_token"].rpartition(".")
    made("oauth2").registered.token_key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), body.encode(), padding.PKCS1v15(), hashes.SHA256()
    )


def test_the_second_token_has_the_documented_shape(client):
    """Milliseconds in iat, and no exp: libraries that check these choke."""
    reply = client.ask_session()
    header, claims = decoded(reply.body["access_token"])

    assert (reply.body["active"], reply.body["token_type"], len(reply.body)) == (True, "Bearer", 3)
    assert header == {"typ": "JWT", "alg": "HS256"}
    assert (claims["sub"], claims["iss"]) == ("WEB_API", "com.ib.sso")
    assert claims["iat"] == client.now * 1000
    assert "exp" not in claims
    body, _, signature = reply.body["access_token"].rpartition(".")
    proof = hmac.digest(made("oauth2").registered.session_key, body.encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == proof


# The first step


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "application/json"}, "the body is no form"),
        ({"grant_type": "password"}, "grant type"),
        ({"grant_type": None}, "grant type"),
        ({"client_assertion_type": "jwt-bearer"}, "type is another one"),
        ({"client_assertion": ""}, "no JSON Web Token"),
        ({"client_assertion": "a.b"}, "no JSON Web Token"),
        ({"client_assertion": "a.b.c.d"}, "no JSON Web Token"),
        ({"client_assertion": "e30=.e30=.e30="}, "no JSON Web Token"),
        ({"client_assertion": "W10.W10.AAAA"}, "no JSON Web Token"),
        ({"client_assertion": "\u00fc.e30.e30"}, "no JSON Web Token"),
        ({"client_id": "Somebody"}, "names another client"),
        ({"scope": None}, "the scope is missing"),
        ({"scope": "sso-sessions.write root"}, "unknown"),
        ({"body": b"scope=a&scope=b"}, "twice"),
    ],
)
def test_a_form_that_is_not_right_is_a_bad_request(changes, reason):
    """The specification gives no reason; the control room has it."""
    client = Bearer()

    reply = client.ask_token(**changes)

    assert is_problem(reply, BAD)
    assert reason in client.reason


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "Somebody"}, "iss and sub"),
        ({"sub": "Somebody"}, "iss and sub"),
        ({"sub": None}, "iss and sub"),
        ({"aud": None}, "audience"),
        ({"aud": "token"}, "audience"),
        ({"aud": ["/token"]}, "audience"),
        ({"aud": f"{ORIGIN}/oauth2/api/v1/token"}, "audience"),
        ({"exp": None}, "not both there"),
        ({"iat": None}, "not both there"),
        ({"iat": "1795532400"}, "not both there"),
        ({"exp": True}, "not both there"),
    ],
)
def test_claims_that_are_not_right_are_a_bad_request(claims, reason):
    """Issuer and subject are the client, the audience is a path."""
    client = Bearer()

    reply = client.ask_token(client.jws(client.first(**claims)))

    assert is_problem(reply, BAD)
    assert reason in client.reason


def test_the_full_address_may_do_as_audience():
    """One client says so; it is an option."""
    client = Bearer(assertion_audience="either")

    whole = client.ask_token(client.jws(client.first(aud=f"{ORIGIN}/oauth2/api/v1/token")))
    foreign = client.ask_token(client.jws(client.first(aud="https://x/oauth2/api/v1/token")))

    assert (whole.status, client.ask_token().status, foreign.status) == (200, 200, 400)


def test_what_clients_send_besides_does_no_harm():
    """An id of the assertion, the client's name in the form, more scopes."""
    client = Bearer()

    reply = client.ask_token(
        client.jws(client.first(jti="1")),
        client_id=client.mine["client_id"],
        scope="echo.read sso-sessions.write",
        kind="application/x-www-form-urlencoded; charset=utf-8",
    )

    assert (reply.status, reply.body["scope"]) == (200, "echo.read sso-sessions.write")


HEADERS = {
    "none": {"alg": "none"},
    "RS512": {"alg": "RS512"},
    "hmac of the public key": {"alg": "HS256"},
    "other key id": {"kid": "second"},
    "other type": {"typ": "JOSE"},
}


def forged(client, stranger, how):
    """An assertion that somebody else, or another way of signing, has made."""
    claims, header = client.first(), HEADERS.get(how)
    right = client.jws(claims, header)
    head, _, signature = right.split(".")
    if how == "stranger":
        return client.jws(claims, key=stranger)
    if how == "none":
        return client.jws(claims, header, sign=b"")
    if how == "hmac of the public key":
        public = key_of(client.mine["private_key"]).public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        proof = hmac.digest(pem, right.rpartition(".")[0].encode(), "sha256")
        return client.jws(claims, header, sign=proof)
    if how == "changed claims":
        return ".".join((head, client.jws(client.first(exp=2_000_000_000)).split(".")[1], signature))
    return right


@pytest.mark.parametrize(
    "how",
    ["stranger", "none", "hmac of the public key", "RS512", "other key id", "other type", "changed claims"],
)
@pytest.mark.parametrize(("form", "status"), [("problem", 400), ("rfc6749", 401)])
def test_a_forged_assertion_is_refused(stranger, how, form, status):
    """RS256 by the registered key, and nothing else; two families of errors are known."""
    client = Bearer(oauth2_errors=form)

    reply = client.ask_token(forged(client, stranger, how))

    assert reply.status == status
    assert reply.body == (BAD if form == "problem" else {"error": "invalid_client"})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "root"}, "invalid_scope"),
        ({"kind": "text/plain"}, "invalid_request"),
    ],
)
def test_the_other_family_of_errors_names_them(changes, error):
    """As RFC 6749 does, with 400."""
    reply = Bearer(oauth2_errors="rfc6749").ask_token(**changes)

    assert (reply.status, reply.body) == (400, {"error": error})


@pytest.mark.parametrize(
    ("issued", "expires", "status"),
    [
        (-10, 20, 200),
        (60, 120, 200),
        (61, 120, 400),
        (-600, -59, 200),
        (-600, -60, 400),
        (0, 600, 200),
        pytest.param(10**400, 600, 400, id="issued beyond all time"),
        pytest.param(0, 10**400, 200, id="without end"),
    ],
)
def test_assertions_are_judged_by_the_wall_clock(issued, expires, status):
    """Within a tolerance; the market's clock, which is moved, does not matter."""
    client = Bearer()
    client.gateway.advance(3600)
    now = int(client.now)

    reply = client.ask_token(client.jws(client.first(iat=now + issued, exp=now + expires)))

    assert reply.status == status


# The second step


def test_a_session_wants_the_first_token(client):
    """None, another one, and the bearer of a session are invalid requests."""
    for wrong in ("nothing", client.bearer):
        assert is_problem(client.ask_session(bearer=wrong), INVALID)
    without = client.send("POST", f"{ORIGIN}/gw/api/v1/sso-sessions", {"content-type": "application/jwt"})
    assert is_problem(without, INVALID)


def test_a_session_wants_the_scope():
    """A token that may only be echoed opens nothing."""
    client = Bearer()
    client.access = client.ask_token(scope="echo.read").body["access_token"]

    assert is_problem(client.ask_session(), SCOPE)


@pytest.mark.parametrize(("kind", "status"), [("application/jwt; charset=utf-8", 200), ("text/plain", 400)])
def test_a_session_wants_its_content_type(client, kind, status):
    """The documented one."""
    assert client.ask_session(kind=kind).status == status


@pytest.mark.parametrize(
    ("claims", "fields"),
    [
        ({"credential": None}, {"credential": "Missing required parameter"}),
        (
            {"ip": None, "iss": None},
            {"ip": "Missing required parameter", "iss": "Missing required parameter"},
        ),
        ({"iss": "Somebody"}, {"iss": "Invalid parameter"}),
        ({"credential": "somebody"}, {"credential": "Invalid parameter"}),
        ({"ip": "example.org"}, {"ip": "Invalid parameter"}),
        ({"ip": 5}, {"ip": "Invalid parameter"}),
        ({"alternativeIps": "203.0.113.7"}, {"alternativeIps": "Invalid parameter"}),
        ({"alternativeIps": ["here"]}, {"alternativeIps": "Invalid parameter"}),
    ],
)
def test_missing_and_wrong_claims_are_named(client, claims, fields):
    """In the documented list."""
    reply = client.ask_session(client.jws(client.second(**claims)))

    rows = [{"field": name, "description": text} for name, text in fields.items()]
    assert is_problem(reply, BAD | {"type": "/invalid-argument", "invalidArguments": rows})


def test_subject_and_audience_are_not_needed_and_do_no_harm(client):
    """The samples leave them out."""
    assertion = client.jws(client.second(sub="x", aud="/sso-sessions", service="AM.LOGIN"))

    assert client.ask_session(assertion).status == 200


@pytest.mark.parametrize("how", ["stranger", "none", "other key id"])
def test_a_forged_second_assertion_is_an_invalid_request(client, stranger, how):
    """The same key and header as at the first step."""
    assert is_problem(client.ask_session(forged(client, stranger, how)), INVALID)


def test_an_expired_second_assertion_is_an_invalid_request(client):
    """By the wall clock."""
    now = int(client.now)

    reply = client.ask_session(client.jws(client.second(iat=now - 600, exp=now - 300)))

    assert is_problem(reply, INVALID)
    assert client.reason == "the assertion has expired"


# The bearer


@pytest.mark.parametrize("authorization", ["", "Bearer nothing", "OAuth x", "Bearer", "Bearer \u00fc"])
def test_another_bearer_is_an_expired_one(client, authorization):
    """Unknown and dead look the same."""
    assert is_problem(client.get("/portfolio/accounts", authorization=authorization or " "), EXPIRED)


def test_the_first_token_is_no_bearer_for_the_api(client):
    """Clients have mixed them up."""
    assert is_problem(client.get("/tickle", authorization=f"Bearer {client.access}"), EXPIRED)


def test_the_name_of_the_scheme_may_be_written_small(client):
    """As HTTP has it."""
    assert client.get("/tickle", authorization=f"bearer {client.bearer}").status == 200


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (lambda one: one.gateway.advance(86400), "expired"),
        (lambda one: one.get("/logout"), "asked"),
        (lambda one: one.gateway.change_session("revoke"), "revoked"),
    ],
    ids=["expired", "logout", "revoked"],
)
def test_a_session_that_ended_is_told_so_and_a_new_one_helps(how, why):
    """Both tiers end with it; the ledger says when and why."""
    client = Bearer().ready()

    how(client)
    dead = client.get("/portfolio/accounts")
    row = client.logins[1]
    client.log_in()

    assert is_problem(dead, EXPIRED)
    assert (row["kind"], row["why"]) == ("SSO session", why)
    assert client.get("/portfolio/accounts").status == 200
    assert client.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


def test_a_logout_leaves_the_first_token_alone(client):
    """Only a new session is needed; a revocation ends that too."""
    client.get("/logout")
    after_logout = client.ask_session().status
    client.gateway.change_session("revoke")

    assert after_logout == 200
    assert is_problem(client.ask_session(), INVALID)


def test_the_first_token_lives_as_long_as_it_says():
    """On the market's clock."""
    client = Bearer(access_token_lifetime=600.0)
    reply = client.ask_token()
    client.access = reply.body["access_token"]
    client.gateway.advance(599)
    before = client.ask_session().status
    client.gateway.advance(1)

    assert reply.body["expires_in"] == 600
    assert before == 200
    assert is_problem(client.ask_session(), INVALID)


@pytest.mark.parametrize(
    ("region", "hours", "why"),
    [("Asia", 1, "midnight"), ("EU", 8, "midnight"), ("EU", 2, None), ("US", 8, None)],
)
def test_a_token_ends_at_the_midnight_of_its_region_and_no_other(region, hours, why):
    """At ten in New York it is sixteen in Zürich and twenty-three in Hong Kong."""
    client = Bearer(nightly_reset=True, region=region).log_in()

    client.gateway.advance(hours * 3600 + 60)
    client.gateway.ledger()

    assert [one["why"] for one in client.logins] == [None, why]


def test_midnight_ends_sessions_and_not_the_first_token():
    """When the night is switched on."""
    client = Bearer(nightly_reset=True).log_in()
    client.gateway.advance(14 * 3600 + 60)

    assert is_problem(client.get("/portfolio/accounts"), EXPIRED)
    assert [one["why"] for one in client.logins] == [None, "midnight"]
    assert client.ask_session().status == 200


@pytest.mark.parametrize(("idle", "status"), [(None, 200), (600.0, 401)])
def test_idleness_may_end_a_session(idle, status):
    """Its real life is not known; a tickle in time keeps it in any case."""
    client = Bearer(bearer_idle=idle, idle_timeout=None).ready()
    for _ in range(3):
        client.gateway.advance(599)
        assert client.post("/tickle").status == 200

    client.gateway.advance(601)

    assert client.post("/tickle").status == status


def test_a_bearer_that_is_let_in_keeps_the_brokerage_session():
    """A tickle a minute does; a wrong bearer does not."""
    client = Bearer().ready()
    for _ in range(10):
        client.broker.clock.advance(60)
        client.post("/tickle")
    kept = client.get("/iserver/accounts").status
    for _ in range(4):
        client.broker.clock.advance(100)
        client.get("/tickle", authorization="Bearer nothing")

    assert kept == 200
    assert client.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


def test_several_sessions_live_side_by_side():
    """A new one is no rival of the one before."""
    client = Bearer().ready()
    first = client.bearer
    client.log_in()

    assert client.get("/iserver/accounts", authorization=f"Bearer {first}").status == 200
    assert client.get("/iserver/accounts").status == 200


@pytest.mark.parametrize("kept", [True, False])
def test_a_new_session_keeps_the_brokerage_session_or_not(kept):
    """Nobody says."""
    client = Bearer(keep_brokerage=kept).ready()
    client.log_in()

    assert (client.get("/iserver/accounts").status == 200) is kept


def test_disabled_credentials_are_refused_at_both_steps(client):
    """Until they are enabled."""
    client.broker.post("/simulator/session", {"action": "disable"})
    first, second, call = client.ask_token(), client.ask_session(), client.get("/tickle")
    client.broker.post("/simulator/session", {"action": "enable"})

    assert is_problem(first, BAD)
    assert is_problem(second, INVALID)
    assert is_problem(call, EXPIRED)
    assert client.log_in().get("/tickle").status == 200


# The address


def test_a_session_is_good_from_its_own_addresses_only():
    """The one it names, and the alternatives."""
    client = Bearer().log_in(alternativeIps=[MOVED, "2001:db8::7"])

    statuses = []
    for address in (client.mine["ip_address"], MOVED, "2001:db8::7", "198.51.100.10"):
        client.gateway.set_options({"public_ip": address})
        statuses.append(client.get("/tickle").status)

    assert statuses == [200, 200, 200, 401]


def test_moving_ends_the_session_until_there_is_one_for_the_new_address(client):
    """Moving back does not bring it to life again."""
    client.gateway.arm({"fault": "F37", "variant": "moved", "body": MOVED, "on": "GET /tickle"})

    first, later = client.get("/tickle"), client.get("/tickle")
    client.log_in()
    stale = client.get("/tickle")
    client.log_in(ip=MOVED)

    assert is_problem(first, ELSEWHERE)
    assert is_problem(later, EXPIRED)
    assert is_problem(stale, ELSEWHERE)
    assert client.get("/tickle").status == 200
    assert client.logins[1]["why"] == "used from another address"


def test_an_address_may_have_to_be_a_registered_one():
    """Which ones are is an option; without it any may be claimed."""
    client = Bearer(allowed_ips=["203.0.113.250"])
    client.access = client.ask_token().body["access_token"]

    own = client.ask_session()
    allowed = client.ask_session(client.jws(client.second(ip="203.0.113.250")))
    mixed = client.ask_session(client.jws(client.second(ip="203.0.113.250", alternativeIps=[MOVED])))

    assert own.body["invalidArguments"] == [{"field": "ip", "description": "Invalid parameter"}]
    assert (allowed.status, mixed.status) == (200, 400)


def test_a_single_call_may_be_refused_for_its_address(client):
    """Without any harm to the session."""
    client.gateway.arm({"fault": "F37"})

    assert is_problem(client.get("/tickle"), ELSEWHERE)
    assert client.get("/tickle").status == 200


# Session endpoints


def test_a_tickle_is_that_of_the_gateway_and_the_sso_can_be_validated(client):
    """Expected, not recorded."""
    assert {"session", "ssoExpires", "userId"} <= client.get("/tickle").body.keys()
    assert client.get("/sso/validate").body["RESULT"] is True


def test_the_endpoints_of_the_origin_are_not_below_the_api(client):
    """Nor are there pages, or the steps of the other login."""
    for path in ("/oauth2/api/v1/token", "/gw/api/v1/sso-sessions", "/oauth/live_session_token"):
        assert client.post(path).status == 404
    for path in ("/", "/gw/api/v1/echo/https", "/authorize"):
        assert client.send("GET", f"{ORIGIN}{path}", {}).status == 404
    assert client.broker.post("/simulator/authorize", {"oauth_token": "x"}).status == 404


def test_a_set_for_the_other_login_is_no_set():
    """A mistake of whoever makes the gateway."""
    with pytest.raises(ValueError, match="for the login 'oauth2', not for 'oauth1a'"):
        Broker(auth="oauth1a", credentials=made("oauth2"))


# Faults


@pytest.mark.parametrize("fault", ["F05", "F06"])
def test_the_401_faults_look_like_a_dead_bearer(client, fault):
    """In its dress."""
    client.gateway.arm({"fault": fault, "on": "GET /tickle"})

    assert is_problem(client.get("/tickle"), EXPIRED)


@pytest.mark.parametrize("on", [TOKEN, SESSION])
@pytest.mark.parametrize("fault", ["F01", "F02", "F03", "F04", "F05", "F10", "F14", "F16", "F17"])
def test_faults_strike_the_token_endpoints_too(client, on, fault):
    """By their names."""
    client.gateway.arm({"fault": fault, "on": on})

    reply = client.ask_token() if on == TOKEN else client.ask_session()

    assert reply.wire or reply.status in {401, 503} or kind(reply).startswith("text/html")
    assert client.gateway.ledger()["faults"][0]["consumed"] == 1


@pytest.mark.parametrize("early", [True, False])
def test_the_server_can_strike_the_token_endpoint_before_its_body_is_read(client, early):
    """The head is enough to find it; beside the API root too."""
    client.gateway.arm({"fault": "F02", "on": TOKEN})
    path = "/oauth2/api/v1/token" if early else "/oauth2/api/v1/tokens"

    assert (client.gateway.peek("POST", path) is not None) is early


def test_the_steps_are_paced_like_the_rest():
    """A login storm shows in the meter."""
    client = Bearer(pacing=True, requests_per_second=2)

    statuses = [client.ask_token().status for _ in range(3)]

    assert statuses == [200, 200, 429]
    assert client.gateway.ledger()["pacing_breaches"][0]["template"] == "/oauth2/api/v1/token"


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_wrong_wall_clock_refuses_assertions_that_are_right(client, seconds):
    """One that is corrected by the Date header gets in."""
    client.gateway.arm({"fault": "F34", "seconds": seconds})
    now = int(client.now) + seconds

    refused = client.ask_token()
    corrected = client.ask_token(client.jws(client.first(iat=now - 10, exp=now + 20)))

    assert is_problem(refused, BAD)
    assert corrected.status == 200
    assert client.get("/tickle").status == 200


@pytest.mark.parametrize(
    ("wishes", "first", "second"),
    [
        ({"variant": "refused"}, BAD, INVALID),
        ({"variant": "down"}, BAD | {"title": "Internal Server Error", "status": 500}, None),
        ({"variant": "down", "status": 503}, BAD | {"title": "Service Unavailable", "status": 503}, None),
    ],
)
def test_the_token_endpoints_may_refuse_while_calls_go_on(client, wishes, first, second):
    """Armed for everything it strikes only where tokens are handed out."""
    client.gateway.arm({"fault": "F35", "times": 2, **wishes})

    calls = client.get("/tickle").status
    replies = client.ask_token(), client.ask_session()

    assert calls == 200
    assert is_problem(replies[0], first)
    assert is_problem(replies[1], second or first)
    assert client.log_in()


def test_refused_at_the_first_step_has_the_other_family_too():
    """As a forged assertion has."""
    client = Bearer(oauth2_errors="rfc6749")
    client.gateway.arm({"fault": "F35"})

    assert (client.ask_token().status, client.ask_token().status) == (401, 200)


def test_a_session_may_expire_under_a_call(client):
    """The first token lives on."""
    client.gateway.arm({"fault": "F35", "variant": "expired", "on": "GET /tickle"})

    assert is_problem(client.get("/tickle"), EXPIRED)
    assert client.ask_session().status == 200


@pytest.mark.parametrize("on", [TOKEN, SESSION])
def test_a_new_token_may_be_dead_already(on):
    """The step is fine, the next one is not."""
    client = Bearer()
    client.gateway.arm({"fault": "F35", "variant": "expired", "on": on})

    client.access = client.ask_token().body["access_token"]
    session = client.ask_session()
    client.bearer = session.body.get("access_token", "")

    assert session.status == (401 if on == TOKEN else 200)
    assert is_problem(client.get("/tickle"), EXPIRED)


# What is kept and told


def test_nothing_secret_is_told(client):
    """Neither by the ledger nor by the log of requests, right or wrong."""
    client.get("/tickle", authorization="Bearer canary")
    client.ask_token(client_assertion="canary")
    client.ask_session(client.jws(client.second(credential="canary")))

    told = json.dumps(client.gateway.ledger()) + json.dumps(client.broker.get("/simulator/options").body)

    hidden = [client.access, client.bearer, "canary", "Bearer", client.mine["credential"]]
    assert [one for one in hidden if one in told] == []
    assert "session_key" not in repr(made("oauth2"))


def test_credentials_have_the_sizes_that_ibkr_asks_for():
    """A key of 3072 bits, and the names of the settings."""
    client = made("oauth2").client

    assert list(client) == [
        "auth_method",
        "client_id",
        "client_key_id",
        "private_key",
        "credential",
        "ip_address",
        "scope",
    ]
    assert key_of(client["private_key"]).key_size == 3072
    assert isinstance(made("oauth2").registered.key, rsa.RSAPublicKey)
