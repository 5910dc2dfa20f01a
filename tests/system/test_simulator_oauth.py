"""The simulator as a process that clients log in to by OAuth, over a socket, plain and TLS.

The clients here are written out by hand and know nothing but the ready line.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import signal
import ssl
import stat
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from ibkr_adapter import IBKRExchange
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.embedded import EmbeddedSimulator

PATIENCE = 20
AGENT = {"User-Agent": "by hand"}


@contextmanager
def running(*options):
    """The command as a process, and its ready line; told to end when the block does."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-m", "ibkr_adapter", "simulator", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module", params=["oauth1a", "oauth1a --tls", "oauth2", "oauth2 --tls"])
def simulator(request):
    with running("--auth", *request.param.split()) as (_, line):
        yield line


def send(line, method, path, headers=None, body=None):
    """Make one call; ``path`` is from the root of the server."""
    parts = urlsplit(line["url"])
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=line["ca_file"])
        connection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=PATIENCE, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    with closing(connection):
        connection.request(method, path, body, AGENT if headers is None else headers)
        response = connection.getresponse()
        raw = response.read()
    try:
        return response.status, json.loads(raw)
    except ValueError:
        return response.status, raw


def private_key(line, name):
    return serialization.load_pem_private_key(Path(line["credentials"][name]).read_bytes(), None)


def rs256(key, text):
    return key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())


# Two clients


def signed(line, method, path, sign, method_name, query=(), prepend="", **more):
    """The Authorization header of an OAuth 1.0a request."""
    given = {
        "oauth_consumer_key": line["credentials"]["consumer_key"],
        "oauth_token": line["credentials"]["access_token"],
        "oauth_nonce": secrets.token_hex(16),
        "oauth_timestamp": str(int(time.time())),
        "oauth_signature_method": method_name,
        **more,
    }
    origin = line["url"].removesuffix("/v1/api")
    joined = "&".join(f"{name}={value}" for name, value in sorted([*given.items(), *query]))
    text = f"{prepend}{method}&{quote(origin + path, safe='')}&{quote(joined, safe='')}"
    given["oauth_signature"] = base64.b64encode(sign(text)).decode()
    rows = ", ".join(f'{name}="{quote(value, safe="")}"' for name, value in sorted(given.items()))
    return {**AGENT, "Authorization": f'OAuth realm="{line["credentials"]["realm"]}", {rows}'}


def prime_of(path):
    """The first number of a file of Diffie-Hellman parameters."""
    raw = base64.b64decode("".join(path.read_text().splitlines()[1:-1]))
    at = raw.index(b"\x02\x82") + 4
    return int.from_bytes(raw[at : at + int.from_bytes(raw[at - 2 : at], "big")], "big")


def live_session_token(line):
    mine = line["credentials"]
    secret = private_key(line, "encryption_key").decrypt(
        base64.b64decode(mine["access_token_secret"]), padding.PKCS1v15()
    )
    prime, number = prime_of(Path(mine["dh_prime"])), secrets.randbits(256)
    path = "/v1/api/oauth/live_session_token"
    headers = signed(
        line,
        "POST",
        path,
        lambda text: rs256(private_key(line, "signature_key"), text),
        "RSA-SHA256",
        prepend=secret.hex(),
        diffie_hellman_challenge=f"{pow(mine['dh_generator'], number, prime):x}",
    )
    status, body = send(line, "POST", path, headers)
    assert status == 200, body
    shared = pow(int(body["diffie_hellman_response"], 16), number, prime)
    token = hmac.digest(shared.to_bytes(shared.bit_length() // 8 + 1, "big"), secret, hashlib.sha1)
    proof = hmac.digest(token, mine["consumer_key"].encode(), hashlib.sha1)
    assert proof.hex() == body["live_session_token_signature"]
    assert body["live_session_token_expiration"] / 1000 > time.time() + 86_000
    return token


def bearer(line):
    mine, key = line["credentials"], private_key(line, "private_key")
    now = int(time.time())

    def jws(claims):
        head = {"alg": "RS256", "typ": "JWT", "kid": mine["client_key_id"]}
        parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (head, claims)]
        text = b".".join(parts).decode()
        return f"{text}.{base64.urlsafe_b64encode(rs256(key, text)).rstrip(b'=').decode()}"

    me = mine["client_id"]
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jws({"iss": me, "sub": me, "aud": "/token", "exp": now + 20, "iat": now - 10}),
        "scope": mine["scope"],
    }
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, body = send(line, "POST", "/oauth2/api/v1/token", AGENT | kind, urlencode(form))
    assert status == 200, body
    headers = AGENT | {"Content-Type": "application/jwt", "Authorization": f"Bearer {body['access_token']}"}
    claims = {
        "ip": mine["ip_address"],
        "credential": mine["credential"],
        "iss": me,
        "exp": now + 86400,
        "iat": now,
    }
    status, body = send(line, "POST", "/gw/api/v1/sso-sessions", headers, jws(claims))
    assert status == 200, body
    return body["access_token"]


def caller(line):
    """Log in; a function that makes calls as who is logged in."""
    if line["credentials"]["auth_method"] == "oauth1a":
        token = live_session_token(line)

        def authorised(method, path, query):
            def sign(text):
                return hmac.digest(token, text.encode(), hashlib.sha256)

            return signed(line, method, path, sign, "HMAC-SHA256", query)
    else:
        token = bearer(line)

        def authorised(method, path, query):
            return {**AGENT, "Authorization": f"Bearer {token}"}

    def call(method, path, body=None, query=()):
        headers = authorised(method, f"/v1/api{path}", query)
        target = f"/v1/api{path}{'?' if query else ''}{urlencode(query)}"
        return send(line, method, target, headers, None if body is None else json.dumps(body))

    call.token = token if isinstance(token, str) else base64.b64encode(token).decode()
    return call


# What they find


def test_a_client_logs_in_with_the_ready_line_and_trades(simulator):
    """Keys from files, requests by hand; with a query, a body, and commas in both."""
    call = caller(simulator)

    opened = call("POST", "/iserver/auth/ssodh/init", {"publish": True, "compete": True})
    status = call("POST", "/iserver/auth/status")
    accounts = call("GET", "/iserver/accounts")
    query = (("conids", "265598,272093"), ("fields", "31,84"))
    snapshot = call("GET", "/iserver/marketdata/snapshot", query=query)

    assert opened[1]["authenticated"] is True
    assert status[1]["established"] is True
    assert accounts[1]["accounts"] == [simulator["account"]]
    assert [row["conid"] for row in snapshot[1]] == [265598, 272093]


def test_a_client_without_a_token_or_an_agent_is_sent_away(simulator):
    """The broker wants the one, the edge of a direct host the other."""
    status, _ = send(simulator, "GET", "/v1/api/portfolio/accounts")
    nameless, page = send(simulator, "GET", "/v1/api/portfolio/accounts", {})

    assert status == 401
    assert (nameless, b"Access Denied" in page) == (403, True)


def test_the_date_of_answers_is_the_wall_clocks_with_its_error(simulator):
    """Over the socket too, where the server in front would date them itself."""
    wish = json.dumps({"fault": "F34", "seconds": 86400, "on": "GET /tickle", "times": 1})
    send(simulator, "POST", "/simulator/faults", None, wish)
    parts = urlsplit(simulator["url"])
    context = ssl.create_default_context(cafile=simulator["ca_file"]) if "ca_file" in simulator else None
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    with closing(kind(parts.netloc, timeout=PATIENCE, **({"context": context} if context else {}))) as line:
        dates = []
        for _ in range(2):
            line.request("GET", "/v1/api/tickle", headers=AGENT)
            response = line.getresponse()
            response.read()
            dates.append(response.headers.get_all("Date"))

    tomorrow, today = (time.strftime("%d %b %Y", time.gmtime(time.time() + day)) for day in (86400, 0))
    assert [len(one) for one in dates] == [1, 1]
    assert tomorrow in dates[0][0]
    assert today in dates[1][0]


@pytest.mark.parametrize("auth", ["oauth1a", "oauth2"])
def test_the_keys_are_private_and_gone_with_the_process(auth):
    """Files that nobody else can read; standard error says nothing of what is in them."""
    with running("--auth", auth) as (process, line):
        mine = line["credentials"]
        files = [Path(value) for value in mine.values() if str(value).endswith(".pem")]
        modes = {stat.S_IMODE(path.stat().st_mode) for path in files}
        folder = {stat.S_IMODE(path.parent.stat().st_mode) for path in files}
        call = caller(line)
        call("GET", "/tickle")
        send(line, "GET", "/v1/api/tickle", {**AGENT, "Authorization": "Bearer canary"})
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=PATIENCE)

    assert (modes, folder) == ({0o600}, {0o700})
    assert not any(path.exists() or path.parent.exists() for path in files)
    assert (process.returncode, rest) == (0, "")
    secrets_ = [mine.get("access_token"), mine.get("access_token_secret"), call.token, "canary", "BEGIN"]
    assert [one for one in secrets_ if one and one in log] == []


def test_without_a_login_by_token_there_are_no_credentials():
    """The line is what it was."""
    with running() as (_, line):
        assert sorted(line) == ["account", "pid", "ready", "url"]


@pytest.mark.parametrize("auth", ["oauth1a", "oauth2"])
def test_the_embedded_simulator_hands_its_credentials_to_the_settings(auth):
    """So that an exchange that is told the login can log in."""
    simulator = EmbeddedSimulator(SystemClock(), auth=auth)
    try:
        settings = simulator.start({"auth_method": auth})
        mine = simulator.gateway.credentials
        status, _ = send({"url": settings.base_url}, "GET", "/v1/api/tickle", {})
    finally:
        simulator.stop()

    given = {name: str(value).strip() for name, value in mine.items()}
    assert {name: str(getattr(settings, name)) for name in mine} == given
    assert status == 403


@pytest.mark.parametrize(
    ("settings", "auth"),
    [({}, "gateway"), ({"auth_method": "OAuth_1a"}, "oauth1a"), ({"clientId": "x"}, "oauth2")],
)
def test_a_simulated_exchange_starts_the_login_of_its_settings(settings, auth):
    """However the setting is written, or guessed."""
    assert IBKRExchange.simulated(**settings)._simulator._auth == auth


def test_a_client_that_always_names_the_real_service_as_its_host_is_let_in():
    """It signs the address it calls, and so is judged by that."""
    from ibkr_adapter.simulator import oauth1a as spoken
    from ibkr_adapter.simulator.door import Request

    request = Request(
        method="GET",
        path="/v1/api/tickle",
        headers={"host": "api.ibkr.com", "authorization": 'OAuth realm="limited_poa", oauth_nonce="1"'},
        local="127.0.0.1:5000",
    )
    credential = spoken.read_header(request.headers["authorization"])

    accepted = spoken.spellings(request, credential)

    assert [quote("http://127.0.0.1:5000/v1/api/tickle", safe="") in text for text in accepted] == [
        False,
        True,
        False,
    ]
    assert quote("http://api.ibkr.com/v1/api/tickle", safe="") in accepted[0]
    assert quote("http://localhost:5000/v1/api/tickle", safe="") in accepted[2]
