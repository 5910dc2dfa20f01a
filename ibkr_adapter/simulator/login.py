"""How somebody gets in: by a browser, by OAuth 1.0a or by OAuth 2.0.

Knows what the gateway asks of a login, and the login by browser, in which nothing is signed: a
person has logged in at a page, and the gateway program signs for everybody. The two logins by
tokens are in :mod:`.serve_oauth1a` and :mod:`.serve_oauth2`; they are imported when they are
wanted, because they need ``cryptography``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.door import Answer, Request
from ibkr_adapter.simulator.routes import Call, Route
from ibkr_adapter.simulator.world import World

if TYPE_CHECKING:
    from ibkr_adapter.simulator.credentials import Credentials

LOGINS = ("gateway", "oauth1a", "oauth2")
_DISPATCHER = "/sso/Dispatcher"


class NotLetInError(Exception):
    """A call whose credentials are not accepted.

    ``answer`` is what the caller hears, which is often nothing; the message, without secrets,
    is for the log of the control room.
    """

    def __init__(self, answer: Answer, reason: str) -> None:
        super().__init__(reason)
        self.answer = answer


class Login(Protocol):
    """One way to log in, as the gateway sees it."""

    def routes(self) -> list[Route]:
        """The endpoints that hand tokens out; they check their callers themselves."""

    def check(self, call: Call) -> None:
        """Let a call to the API pass.

        Raises:
            NotLetInError: It bears no credentials, or not the right ones.
        """

    def check_stream(self, request: Request) -> None:
        """Let the upgrade of a request to a stream pass; it is not signed like other calls.

        Raises:
            NotLetInError: It bears no credentials, or not the right ones.
        """

    def page(self, request: Request) -> Answer:
        """Answer what is neither API nor control room."""

    def unauthorised(self) -> Answer:
        """Answer as to a token that is dead."""

    def refused(self, call: Call) -> Answer:
        """Answer at a token endpoint as to credentials that are not accepted."""

    def down(self, call: Call, status: int | None) -> Answer:
        """Answer at a token endpoint as a service that is out of order."""

    def authorise(self, token: str) -> str:
        """Let the user agree to a consumer's request token; answer the verifier.

        Raises:
            LookupError: There is no such token, or it was agreed to before.
        """


class BrowserLogin:
    """The local gateway program: whoever reaches it is the person who has logged in."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """None: there are no tokens."""
        return []

    def check(self, call: Call) -> None:
        """Let everybody pass."""

    def check_stream(self, request: Request) -> None:
        """Let everybody pass."""

    def page(self, request: Request) -> Answer:
        """The login page, and the end of a login."""
        if request.path.startswith(_DISPATCHER):
            self._world.sessions.log_in(self._world.now)
            return answers.page("Client login succeeds")
        if request.path == "/" or request.path.startswith("/sso/"):
            return answers.page(answers.LOGIN_PAGE)
        return answers.not_found()

    def unauthorised(self) -> Answer:
        """A bare 401."""
        return answers.unauthorised()

    def refused(self, _: Call) -> Answer:
        """A bare 401; there is no token endpoint to be refused at."""
        return answers.unauthorised()

    def down(self, _: Call, status: int | None) -> Answer:
        """The usual 503."""
        return answers.unavailable(status)

    def authorise(self, _: str) -> str:
        """There is nothing to agree to."""
        raise LookupError("there are no request tokens with a login by browser")


def checked_credentials(auth: str, given: Credentials | None) -> Credentials | None:
    """The credentials that a login is opened with: those given, or fresh ones where it needs any.

    Raises:
        ValueError: Those given are for another login.
    """
    if given is None and auth != "gateway":
        from ibkr_adapter.simulator.credentials import generate  # noqa: PLC0415  (see the docstring)

        return generate(auth)
    if given is not None and given.auth != auth:
        raise ValueError(f"these credentials are for the login {given.auth!r}, not for {auth!r}")
    return given


def open_login(world: World, credentials: Credentials | None) -> Login:
    """Make the login of a world; without credentials it is the one by browser."""
    if credentials is None:
        return BrowserLogin(world)
    from ibkr_adapter.simulator.credentials import Consumer  # noqa: PLC0415  (see the docstring)

    if isinstance(credentials.registered, Consumer):
        from ibkr_adapter.simulator.serve_oauth1a import OAuth1aLogin  # noqa: PLC0415  (see the docstring)

        return OAuth1aLogin(world, credentials.registered)
    from ibkr_adapter.simulator.serve_oauth2 import OAuth2Login  # noqa: PLC0415  (see the docstring)

    return OAuth2Login(world, credentials.registered)
