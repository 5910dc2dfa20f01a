"""The login by OAuth 2.0: an assertion for an access token, another one for an SSO session.

Both endpoints stand at the origin, beside the API root. The access token is good for the second
step only; the API takes the SSO session's token as a bearer and nothing else, and only from the
addresses that the session was made for. The form of assertions is :mod:`.assertions`', the life
of tokens :mod:`.tokens`'.

Answers and errors are those of IBKR's specification. Guesses: the status of a wrong content type,
that no reason is given for a refused assertion at the first step, what is said of a claim that is
there and wrong, that a session ends when it is used from elsewhere, and that several sessions of
a user live side by side.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ibkr_adapter.simulator import answers, assertions
from ibkr_adapter.simulator.assertions import Assertion, AssertionRefusedError
from ibkr_adapter.simulator.credentials import SCOPE, Client
from ibkr_adapter.simulator.door import Answer, Request
from ibkr_adapter.simulator.faults import land
from ibkr_adapter.simulator.figures import milliseconds
from ibkr_adapter.simulator.login import NotLetInError
from ibkr_adapter.simulator.routes import Call, Needs, Route
from ibkr_adapter.simulator.tokens import Grant

if TYPE_CHECKING:
    from ibkr_adapter.simulator.world import World

ACCESS_TOKEN = "access token"  # noqa: S105 - a kind, not a token
SSO_SESSION = "SSO session"
TOKEN_PATH = "/oauth2/api/v1/token"  # noqa: S105 - an address
SESSION_PATH = "/gw/api/v1/sso-sessions"
_AUDIENCE = "/token"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM = "application/x-www-form-urlencoded"
_JWT = "application/jwt"
_SCOPES = frozenset(
    {
        SCOPE,
        "sso-browser-sessions.write",
        "accounts.read",
        "accounts.write",
        "bank-instructions.read",
        "bank-instructions.write",
        "transfers.read",
        "transfers.write",
        "statements.read",
        "echo.read",
        "echo.write",
    }
)
_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 500: "Internal Server Error"}


class OAuth2Login:
    """IBKR's half of OAuth 2.0 for one client and one user."""

    def __init__(self, world: World, client: Client) -> None:
        self._world = world
        self._client = client
        self._token_key_id = secrets.token_hex(20)

    def routes(self) -> list[Route]:
        """The two steps."""
        return [
            Route(
                methods=("POST",),
                template=path,
                needs=Needs.NOTHING,
                serve=serve,
                hands_out_tokens=True,
                at_origin=True,
            )
            for path, serve in ((TOKEN_PATH, self.token), (SESSION_PATH, self.sso_session))
        ]

    # The API.

    def check(self, call: Call) -> None:
        """Let a call pass that bears the token of a living session, from its own address."""
        self._let_in(self._bearer(call.request, SSO_SESSION))

    def check_stream(self, request: Request) -> None:
        """Let a stream pass that names the token of a living session, from its own address."""
        self._let_in(self._with_value(dict(request.query).get("bearer_token", ""), SSO_SESSION))

    def _let_in(self, grant: Grant | None) -> None:
        world = self._world
        if grant is None:
            raise NotLetInError(self.unauthorised(), "no living SSO session has this token")
        if self._address() not in grant.addresses:
            world.tokens.end(grant, "used from another address", world.now)
            raise NotLetInError(answers.other_address(), "the SSO session was made for another address")
        grant.used = world.now
        world.sessions.touch(world.now)

    def page(self, _: Request) -> Answer:
        """There are no pages."""
        return answers.not_found()

    def authorise(self, _: str) -> str:
        """There is nothing to agree to."""
        raise LookupError("there are no request tokens with OAuth 2.0")

    def unauthorised(self) -> Answer:
        """The documented 401."""
        return answers.problem(401, "Unauthorized", "Access token expired")

    def refused(self, call: Call) -> Answer:
        """As to an assertion of somebody else."""
        if call.template == TOKEN_PATH:
            return self._token_error("invalid_client", 401)
        return _invalid_request()

    def down(self, _: Call, status: int | None) -> Answer:
        """The documented 500, or another status in the same dress."""
        status = status or 500
        return answers.problem(status, _TITLES.get(status, "Service Unavailable"))

    # Step 1.

    def token(self, call: Call) -> Answer:
        """Give an access token for an assertion."""
        scope = self._check_form(call)
        world, client = self._world, self._client
        lifetime = _lifetime(call, world.options.access_token_lifetime)
        issued = world.wall()
        claims = {
            "iss": _AUDIENCE,
            "sub": client.client_id,
            "exp": int((issued + lifetime).timestamp()),
            "iat": int(issued.timestamp()),
            "scope": scope,
            "csid": client.client_id,
            "accountId": world.main_account,
            # Two tokens of one second must not be the same one.
            "jti": secrets.token_hex(8),
        }
        token = assertions.rs256({"kid": self._token_key_id}, claims, client.token_key)
        grant = Grant(
            kind=ACCESS_TOKEN,
            value=token.encode(),
            granted=world.now,
            expires=world.now + lifetime,
            outer=False,
            scopes=frozenset(scope.split()),
        )
        world.tokens.grant(grant)
        body = {
            "access_token": token,
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": int(world.options.access_token_lifetime),
        }
        return answers.json_answer(body)

    def _check_form(self, call: Call) -> str:
        """Check the first step's form; answer the scope that is asked for."""
        request = call.request
        if _content_type(request) != _FORM:
            raise self._not_granted("invalid_request", "the body is no form")
        fields = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        form = dict(fields)
        if len(form) < len(fields):
            raise self._not_granted("invalid_request", "a field stands twice in the form")
        if form.get("grant_type") != "client_credentials":
            raise self._not_granted("unsupported_grant_type", "the grant type is not client_credentials")
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise self._not_granted("invalid_request", "the assertion's type is another one")
        try:
            claims = self._assertion(form.get("client_assertion", "")).claims
            self._check_first(claims, form.get("client_id"), call)
        except AssertionRefusedError as refused:
            raise self._not_granted("invalid_client", str(refused), 401) from None
        scope = form.get("scope", "")
        if not scope.split() or not _SCOPES.issuperset(scope.split()):
            raise self._not_granted("invalid_scope", "the scope is missing or unknown")
        return scope

    def _check_first(self, claims: Any, client_id: str | None, call: Call) -> None:
        client = self._client
        if not claims.get("iss") == claims.get("sub") == client.client_id:
            raise AssertionRefusedError("iss and sub are not both the client")
        if client_id not in (None, client.client_id):
            raise AssertionRefusedError("the form names another client")
        audience = claims.get("aud")
        whole = f"{_origin(call.request)}{TOKEN_PATH}"
        either = self._world.options.assertion_audience == "either"
        if audience != _AUDIENCE and not (either and audience == whole):
            raise AssertionRefusedError("the audience is another one")

    def _not_granted(self, error: str, reason: str, status: int = 400) -> NotLetInError:
        return NotLetInError(self._token_error(error, status), reason)

    def _token_error(self, error: str, status: int) -> Answer:
        if self._world.options.oauth2_errors == "rfc6749":
            return answers.json_answer({"error": error}, status)
        # The specification knows 400 and 500 here, and neither with a reason.
        return answers.problem(400, _TITLES[400])

    # Step 2.

    def sso_session(self, call: Call) -> Answer:
        """Give a bearer for the API."""
        world = self._world
        claims = self._check_session(call.request)
        lifetime = _lifetime(call, world.options.token_lifetime)
        body = {
            "sub": "WEB_API",
            "aud": str(secrets.randbelow(10**9)),
            "iss": "com.ib.sso",
            # Recorded: milliseconds, and no end.
            "iat": milliseconds(world.wall()),
            "jti": secrets.token_hex(20),
            "ctp": f"{self._client.user}_{world.main_account}",
        }
        token = assertions.hs256(body, self._client.session_key)
        grant = Grant(
            kind=SSO_SESSION,
            value=token.encode(),
            granted=world.now,
            expires=world.now + lifetime,
            idle=True,
            addresses=frozenset({claims["ip"], *claims.get("alternativeIps", ())}),
        )
        world.tokens.grant(grant)
        return answers.json_answer({"active": True, "access_token": token, "token_type": "Bearer"})

    def _check_session(self, request: Request) -> Any:
        """Check the second step; answer the assertion's claims."""
        grant = self._bearer(request, ACCESS_TOKEN)
        if grant is None:
            raise NotLetInError(_invalid_request(), "no living access token was shown")
        if SCOPE not in grant.scopes:
            answer = answers.problem(403, _TITLES[403], "The access token fails to have sufficient scope")
            raise NotLetInError(answer, "the access token has another scope")
        if _content_type(request) != _JWT:
            raise NotLetInError(answers.problem(400, _TITLES[400]), "the body is not announced as a JWT")
        try:
            claims = self._assertion(request.body.decode("ascii", "replace").strip()).claims
        except AssertionRefusedError as refused:
            raise NotLetInError(_invalid_request(), str(refused)) from None
        self._check_claims(claims)
        return claims

    def _check_claims(self, claims: Any) -> None:
        wrong = {name: _MISSING for name in ("ip", "credential", "iss") if not claims.get(name)}
        for name, wanted in (("iss", self._client.client_id), ("credential", self._client.user)):
            if name not in wrong and claims[name] != wanted:
                wrong[name] = _INVALID
        alternatives = claims.get("alternativeIps", [])
        if "ip" not in wrong and not self._may_claim(claims["ip"]):
            wrong["ip"] = _INVALID
        if not isinstance(alternatives, list) or not all(self._may_claim(one) for one in alternatives):
            wrong["alternativeIps"] = _INVALID
        if wrong:
            rows = [{"field": name, "description": text} for name, text in wrong.items()]
            answer = answers.problem(400, _TITLES[400], type="/invalid-argument", invalidArguments=rows)
            raise NotLetInError(answer, f"missing or wrong claims: {', '.join(wrong)}")

    def _may_claim(self, address: Any) -> bool:
        try:
            ip_address(address if isinstance(address, str) else "")
        except ValueError:
            return False
        allowed = self._world.options.allowed_ips
        return not allowed or address in allowed

    # What the steps have in common.

    def _assertion(self, text: str) -> Assertion:
        if not self._world.options.credentials_active:
            raise AssertionRefusedError("the client is not active")
        assertion = assertions.read(text, self._client.key)
        if assertion.key_id != self._client.key_id:
            raise AssertionRefusedError("the assertion names another key")
        assertions.check_times(assertion.claims, self._world.wall(), self._world.options.clock_tolerance)
        return assertion

    def _bearer(self, request: Request, kind: str) -> Grant | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._with_value(token.strip(), kind)

    def _with_value(self, token: str, kind: str) -> Grant | None:
        value = token.encode()
        return next(
            (one for one in self._world.tokens.living(kind) if secrets.compare_digest(one.value, value)), None
        )

    def _address(self) -> str:
        return self._world.options.public_ip or self._client.address


_MISSING = "Missing required parameter"
_INVALID = "Invalid parameter"


def _invalid_request() -> Answer:
    return answers.problem(401, _TITLES[401], "The access token request is invalid")


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _origin(request: Request) -> str:
    return f"{'https' if request.secure else 'http'}://{request.headers.get('host', '')}"


def _lifetime(call: Call, usual: float) -> timedelta:
    """How long a new token is good; not at all, where a fault wants it dead."""
    if not call.twists.get("expired"):
        return timedelta(seconds=usual)
    land(call.twists)
    return timedelta(0)
