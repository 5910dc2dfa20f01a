"""The login by OAuth 1.0a: three steps to a live session token, and signatures ever after.

A consumer signs the steps with its RSA key and everything else with the live session token. Which
token that is no request says: it names the access token only, so every living one is tried. A
missing parameter is named in the answer, a wrong signature is a bare 401 (as documented); the
reason is in the control room's log. Arithmetic is :mod:`.oauth1a`'s, the life of tokens
:mod:`.tokens`'.

Guesses: the words that name a parameter, that a timestamp outside the tolerance and a nonce that
was used are bare 401s too, what stands beside an empty response, and that a token whose signature
is wrong was not granted.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from ibkr_adapter.simulator import answers, oauth1a
from ibkr_adapter.simulator.credentials import Consumer
from ibkr_adapter.simulator.door import Answer, Request
from ibkr_adapter.simulator.faults import land
from ibkr_adapter.simulator.figures import milliseconds
from ibkr_adapter.simulator.login import NotLetInError
from ibkr_adapter.simulator.nonces import NonceError, Nonces
from ibkr_adapter.simulator.routes import Call, Needs, Route
from ibkr_adapter.simulator.third_party import ThirdParty
from ibkr_adapter.simulator.tokens import Grant

if TYPE_CHECKING:
    from ibkr_adapter.simulator.world import World

LIVE_SESSION_TOKEN = "live session token"  # noqa: S105 - a kind, not a token
_ALWAYS = (
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_signature_method",
    "oauth_signature",
)
_MOST_DRAWS = 10_000
_RANDOM_BITS = 256


class OAuth1aLogin:
    """IBKR's half of OAuth 1.0a for one consumer."""

    def __init__(self, world: World, consumer: Consumer) -> None:
        self._world = world
        self._consumer = consumer
        self._secret = consumer.secret
        self._nonces = Nonces(world.options)
        self._third_party = ThirdParty(self._consumer)
        # Repeatable, so that a seed whose shared number needs a sign byte always does.
        self._random = random.Random(world.seed + 3)  # noqa: S311 - nothing real is guarded by it

    def routes(self) -> list[Route]:
        """The three steps."""
        steps: dict[str, Callable[[Call], Answer]] = {
            "/oauth/request_token": self.request_token,
            "/oauth/access_token": self.access_token,
            "/oauth/live_session_token": self.live_session_token,
        }
        return [
            Route(methods=("POST",), template=path, needs=Needs.NOTHING, serve=serve, hands_out_tokens=True)
            for path, serve in steps.items()
        ]

    # Everything but the steps.

    def check(self, call: Call) -> None:
        """Check the HMAC of a call with the living tokens."""
        world = self._world
        credential = self._read(call.request, "HMAC-SHA256", "oauth_token")
        self._match(credential, "oauth_token", self._consumer.access_token)
        lenient = world.options.query_signing == "lenient"
        texts = oauth1a.spellings(call.request, credential, lenient=lenient)
        values = [grant.value for grant in world.tokens.living(LIVE_SESSION_TOKEN)]
        if not values:
            raise NotLetInError(answers.unauthorised(), "no live session token is alive")
        if not any(
            oauth1a.hmac_fits(value, text, credential.signature) for value in values for text in texts
        ):
            raise NotLetInError(answers.unauthorised(), "the signature does not fit")
        self._accept(credential)
        world.sessions.touch(world.now)

    def check_stream(self, request: Request) -> None:
        """Let a stream pass that names the access token while a live session token is alive."""
        if dict(request.query).get("oauth_token") != self._consumer.access_token:
            raise NotLetInError(answers.unauthorised(), "the stream does not name the access token")
        if not any(self._world.tokens.living(LIVE_SESSION_TOKEN)):
            raise NotLetInError(answers.unauthorised(), "no live session token is alive")

    def page(self, request: Request) -> Answer:
        """The page at which a user agrees to a consumer."""
        if request.path == "/authorize" and request.method == "GET":
            return self._third_party.page(dict(request.query).get("oauth_token", ""))
        return answers.not_found()

    def authorise(self, token: str) -> str:
        """Agree to a request token."""
        return self._third_party.authorise(token)

    def unauthorised(self) -> Answer:
        """A bare 401: a dead token and a wrong signature look the same."""
        return answers.unauthorised()

    def refused(self, _: Call) -> Answer:
        """As to a consumer that is not active, or not yet."""
        return _invalid_consumer()

    def down(self, _: Call, status: int | None) -> Answer:
        """The usual 503."""
        return answers.unavailable(status)

    # The steps.

    def request_token(self, call: Call) -> Answer:
        """Step 1: a request token for the user to agree to."""
        self._step(call.request, "oauth_callback")
        return answers.json_answer({"oauth_token": self._third_party.request()})

    def access_token(self, call: Call) -> Answer:
        """Step 3: the access token, whose secret is made anew each time."""
        credential = self._step(call.request, "oauth_token", "oauth_verifier")
        given = credential.parameters
        if not self._third_party.exchange(given["oauth_token"], given["oauth_verifier"]):
            raise NotLetInError(answers.unauthorised(), "the request token or its verifier is not good")
        self._secret = secrets.token_bytes(len(self._consumer.secret))
        is_paper = self._world.accounts[self._world.main_account].is_paper
        return answers.json_answer(self._third_party.access(self._secret, is_paper=is_paper))

    def live_session_token(self, call: Call) -> Answer:
        """Step 4: agree on a token without sending it."""
        world, consumer = self._world, self._consumer
        wanted = ("oauth_token", "diffie_hellman_challenge")
        credential = self._read(call.request, "RSA-SHA256", *wanted)
        if world.options.secret_missing or credential.parameters["oauth_token"] != consumer.access_token:
            text = f"id: 118871, error: LST failed, error: No access secret key found for {consumer.consumer_key}"
            raise NotLetInError(answers.fault(text, 401), "there is no secret for this access token")
        self._verify(call.request, credential, prepend=self._secret.hex())
        challenge = oauth1a.number_of(credential.parameters["diffie_hellman_challenge"])
        if challenge is None or not 1 < challenge < consumer.prime - 1:
            raise _named("Invalid", "diffie_hellman_challenge")
        exchange = self._exchange(challenge)
        token = oauth1a.live_session_token(exchange.shared, self._secret)
        lifetime = timedelta(seconds=world.options.token_lifetime)
        expiration = world.wall() + (lifetime if world.options.lst_expiration == "ahead" else timedelta(0))
        body = {
            "diffie_hellman_response": exchange.response,
            "live_session_token_signature": oauth1a.token_signature(token, consumer.consumer_key),
            "live_session_token_expiration": milliseconds(expiration),
        }
        if world.options.empty_responses > 0:
            world.options.empty_responses -= 1
            body |= {"diffie_hellman_response": "", "live_session_token_signature": ""}
        elif world.options.wrong_signatures > 0:
            world.options.wrong_signatures -= 1
            body["live_session_token_signature"] = secrets.token_hex(20)
        else:
            still_born = bool(call.twists.get("expired"))
            if still_born:
                land(call.twists)
            self._grant(token, timedelta(0) if still_born else lifetime)
        return answers.json_answer(body)

    def _grant(self, token: bytes, lifetime: timedelta) -> None:
        world = self._world
        grant = Grant(kind=LIVE_SESSION_TOKEN, value=token, granted=world.now, expires=world.now + lifetime)
        world.tokens.grant(grant, alone=world.options.last_token_wins)

    def _exchange(self, challenge: int) -> _Exchange:
        """Draw our half of the exchange until it has what the options ask for."""
        options, prime = self._world.options, self._consumer.prime
        digits = (prime.bit_length() + 3) // 4
        for _ in range(_MOST_DRAWS):
            mine = self._random.getrandbits(_RANDOM_BITS) | 1
            number = pow(self._consumer.generator, mine, prime)
            response = f"{number:x}" if options.short_response else f"{number:0{digits}x}"
            if options.short_response and len(response) == digits:
                continue
            shared = pow(challenge, mine, prime)
            kind = "with" if shared.bit_length() % 8 == 0 else "without"
            if options.sign_byte in ("any", kind):
                return _Exchange(response=response, shared=shared)
        raise NotLetInError(answers.unavailable(), "no number of this prime is as the options want it")

    # What all checks have in common.

    def _step(self, request: Request, *wanted: str) -> oauth1a.Credential:
        """Check one of the steps that only third parties may take."""
        credential = self._read(request, "RSA-SHA256", *wanted)
        if not self._world.options.third_party:
            raise NotLetInError(_invalid_consumer(), "the consumer is no third party")
        self._verify(request, credential)
        return credential

    def _read(self, request: Request, method: str, *wanted: str) -> oauth1a.Credential:
        """Read the header and check all of it but the signature."""
        try:
            credential = oauth1a.read_header(request.headers.get("authorization", ""))
        except oauth1a.HeaderError as refused:
            raise NotLetInError(answers.unauthorised(), str(refused)) from None
        for name in (*_ALWAYS, *wanted):
            if not credential.parameters.get(name):
                raise _named("Missing", name)
        if credential.realm is None:
            raise _named("Missing", "realm")
        if (
            not self._world.options.credentials_active
            or credential.parameters["oauth_consumer_key"] != self._consumer.consumer_key
        ):
            raise NotLetInError(_invalid_consumer(), "the consumer is unknown or not active")
        if credential.realm != self._consumer.realm:
            raise _named("Invalid", "realm")
        self._match(credential, "oauth_signature_method", method)
        try:
            self._nonces.check(credential.parameters, self._world.wall())
        except NonceError as refused:
            answer = (
                answers.unauthorised() if refused.name is None else _named("Invalid", refused.name).answer
            )
            raise NotLetInError(answer, str(refused)) from None
        return credential

    def _match(self, credential: oauth1a.Credential, name: str, wanted: str) -> None:
        if credential.parameters[name] != wanted:
            raise _named("Invalid", name)

    def _verify(self, request: Request, credential: oauth1a.Credential, *, prepend: str = "") -> None:
        key, signature = self._consumer.signature_key, credential.signature
        texts = oauth1a.spellings(request, credential, prepend=prepend)
        if not any(oauth1a.rsa_fits(key, text, signature) for text in texts):
            raise NotLetInError(answers.unauthorised(), "the signature does not fit")
        self._accept(credential)

    def _accept(self, credential: oauth1a.Credential) -> None:
        self._nonces.note(credential.parameters)


@attrs.frozen(kw_only=True)
class _Exchange:
    response: str
    shared: int = attrs.field(repr=False)


def _invalid_consumer() -> Answer:
    # The reported words for a consumer that is not known, or not active yet; the number varies.
    return answers.fault("id: 3931, error: invalid consumer", 401)


def _named(what: str, name: str) -> NotLetInError:
    return NotLetInError(answers.fault(f"{what} parameter: {name}", 401), f"{what.lower()} {name}")
