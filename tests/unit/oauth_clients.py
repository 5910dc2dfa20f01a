"""Two clients that log in to the simulated broker by OAuth, written out step by step.

Every part of a request can be replaced, so that a test can do one thing wrong.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import itertools
import json
import secrets
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from simulator_client import Broker, Reply

from ibkr_adapter.simulator.credentials import PRIME, generate
from ibkr_adapter.simulator.door import Request

HOST = "127.0.0.1:5000"
ORIGIN = f"http://{HOST}"
ROOT = f"{ORIGIN}/v1/api"
ACCESS = "POST /oauth/access_token"
LIVE = "POST /oauth/live_session_token"
TOKEN = "POST /oauth2/api/v1/token"
SESSION = "POST /gw/api/v1/sso-sessions"


@functools.cache
def made(auth):
    """One set of keys for the whole run; making them takes a third of a second."""
    return generate(auth)


@functools.cache
def key_of(text):
    return serialization.load_pem_private_key(text.encode(), None)


def enc(text):
    return quote(text, safe="")


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Client:
    """What both clients have: a broker, its credentials, and a way to it."""

    auth = ""

    def __init__(self, broker=None, **options):
        self.broker = broker or Broker(auth=self.auth, credentials=made(self.auth), **options)
        self.gateway = self.broker.gateway
        self.mine = dict(self.gateway.credentials)

    @property
    def now(self):
        return self.broker.clock.now().timestamp()

    def send(self, method, url, headers, body=b"", query=()):
        host = url.split("/")[2]
        return Reply(
            self.gateway.handle(
                Request(
                    method=method,
                    path=url.split(host, 1)[1],
                    query=tuple(query),
                    raw_query=urlencode(query),
                    headers={"host": host, **headers},
                    body=body,
                    secure=url.startswith("https"),
                )
            )
        )

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body, **more)

    def ready(self):
        """Log in and bring the brokerage session up."""
        self.log_in()
        self.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True})
        self.post("/iserver/auth/status")
        return self

    @property
    def reason(self):
        """Why the last request was refused, as the control room has it."""
        return self.gateway.ledger()["requests_log"][-1].get("refused")

    @property
    def logins(self):
        return [one for one in self.gateway.ledger()["sessions"] if one["event"] == "token"]


class Signer(Client):
    """A client of OAuth 1.0a."""

    auth = "oauth1a"

    def __init__(self, broker=None, **options):
        super().__init__(broker, **options)
        self.token = b""
        self._count = itertools.count()
        self.expiration = None

    def parameters(self, method, **more):
        return {
            "oauth_consumer_key": self.mine["consumer_key"],
            "oauth_nonce": f"n{next(self._count)}",
            "oauth_timestamp": str(int(self.now)),
            "oauth_signature_method": method,
            **more,
        }

    @staticmethod
    def text(method, url, parameters, prepend=""):
        joined = "&".join(f"{name}={value}" for name, value in sorted(parameters))
        return f"{prepend}{method}&{enc(url)}&{enc(joined)}"

    @staticmethod
    def header(parameters, realm="limited_poa"):
        rows = [f'realm="{realm}"', *(f'{name}="{enc(value)}"' for name, value in sorted(parameters.items()))]
        return f"OAuth {', '.join(rows)}"

    def rsa(self, text, key="signature_key"):
        key = key_of(self.mine[key])
        return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    def hmac(self, text):
        return base64.b64encode(hmac.digest(self.token, text.encode(), "sha256")).decode()

    def secret(self, encrypted=None):
        raw = base64.b64decode(encrypted or self.mine["access_token_secret"])
        return key_of(self.mine["encryption_key"]).decrypt(raw, padding.PKCS1v15())

    def step(self, name, *, prepend="", key="signature_key", realm="limited_poa", **parameters):
        url = f"{ROOT}/oauth/{name}"
        given = self.parameters("RSA-SHA256") | parameters
        given = {name: value for name, value in given.items() if value is not None}
        given.setdefault("oauth_signature", self.rsa(self.text("POST", url, given.items(), prepend), key))
        return self.send("POST", url, {"authorization": self.header(given, realm)})

    def ask(self, mine=None, **parameters):
        """Ask for a live session token; the number and the answer."""
        mine = mine or secrets.randbits(256)
        reply = self.step(
            "live_session_token",
            prepend=parameters.pop("prepend", self.secret().hex()),
            **{
                "oauth_token": self.mine["access_token"],
                "diffie_hellman_challenge": f"{pow(2, mine, PRIME):x}",
                **parameters,
            },
        )
        return mine, reply

    def derive(self, mine, reply, *, sign_byte=True):
        """The token that follows from an answer, and whether its signature fits."""
        shared = pow(int(reply.body["diffie_hellman_response"], 16), mine, PRIME)
        raw = shared.to_bytes((shared.bit_length() + 7) // 8, "big")
        if sign_byte and shared.bit_length() % 8 == 0:
            raw = b"\0" + raw
        token = hmac.digest(raw, self.secret(), hashlib.sha1)
        proof = hmac.digest(token, self.mine["consumer_key"].encode(), hashlib.sha1).hex()
        return token, proof == reply.body["live_session_token_signature"]

    def log_in(self):
        mine, reply = self.ask()
        self.token, fits = self.derive(mine, reply)
        self.expiration = reply.body["live_session_token_expiration"]
        assert fits
        return self

    def call(self, method, path, body=None, *, query=(), url=None, signed=None, form=None, **parameters):
        """Sign and send; ``signed`` are the query parameters that go into the base string."""
        where = f"{ROOT}{path}"
        given = self.parameters("HMAC-SHA256", oauth_token=self.mine["access_token"]) | parameters
        given = {name: value for name, value in given.items() if value is not None}
        fields = [*given.items(), *(query if signed is None else signed), *(form or ())]
        given.setdefault("oauth_signature", self.hmac(self.text(method, url or where, fields)))
        headers = {"authorization": self.header(given)}
        raw = b"" if body is None else json.dumps(body).encode()
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
            raw = urlencode(form).encode()
        return self.send(method, where, headers, raw, query)


class Bearer(Client):
    """A client of OAuth 2.0."""

    auth = "oauth2"

    def __init__(self, broker=None, **options):
        super().__init__(broker, **options)
        self.access = ""
        self.bearer = ""

    def jws(self, claims, header=None, key=None, sign=None):
        head = {"alg": "RS256", "typ": "JWT", "kid": self.mine["client_key_id"], **(header or {})}
        parts = ".".join(b64url(json.dumps(one).encode()) for one in (head, claims))
        if sign is None:
            signer = key or key_of(self.mine["private_key"])
            sign = signer.sign(parts.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{parts}.{b64url(sign)}"

    def first(self, **changes):
        """The claims of the first assertion."""
        me, now = self.mine["client_id"], int(self.now)
        claims = {"iss": me, "sub": me, "aud": "/token", "exp": now + 20, "iat": now - 10, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def second(self, **changes):
        """The claims of the second assertion."""
        now = int(self.now)
        claims = {
            "ip": self.mine["ip_address"],
            "credential": self.mine["credential"],
            "iss": self.mine["client_id"],
            "exp": now + 86400,
            "iat": now,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def ask_token(
        self, assertion=None, kind="application/x-www-form-urlencoded", origin=ORIGIN, body=None, **form
    ):
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion or self.jws(self.first()),
            "scope": "sso-sessions.write",
            **form,
        }
        fields = {name: value for name, value in fields.items() if value is not None}
        body = body or urlencode(fields).encode()
        return self.send("POST", f"{origin}/oauth2/api/v1/token", {"content-type": kind}, body)

    def ask_session(self, assertion=None, kind="application/jwt", bearer=None):
        headers = {"content-type": kind, "authorization": f"Bearer {bearer or self.access}"}
        body = (assertion or self.jws(self.second())).encode()
        return self.send("POST", f"{ORIGIN}/gw/api/v1/sso-sessions", headers, body)

    def log_in(self, **claims):
        self.access = self.ask_token().body["access_token"]
        self.bearer = self.ask_session(self.jws(self.second(**claims))).body["access_token"]
        return self

    def call(self, method, path, body=None, *, query=(), authorization=None):
        headers = {"authorization": authorization or f"Bearer {self.bearer}"}
        raw = b"" if body is None else json.dumps(body).encode()
        return self.send(method, f"{ROOT}{path}", headers, raw, query)
