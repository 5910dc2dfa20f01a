"""What the rest of the library may ask of a login, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from ibkr_adapter.errors import SessionError


@attrs.frozen(kw_only=True)
class StreamDoor:
    """Where the stream's WebSocket is opened, and with which headers; all of it holds secrets.

    ``session`` is what the last tickle called it: IBKR asks for that where a cookie does not do.
    """

    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    session: str | None = attrs.field(default=None, repr=False)


class Auth(Protocol):
    """One way to log in; nothing above this folder knows which one is in use."""

    @property
    def base_url(self) -> str:
        """The API root, without a slash at its end."""

    @property
    def generation(self) -> int:
        """Counts the outer sessions made here; a new one may be without its brokerage session."""

    def prepare(self, deadline: float) -> None:
        """See that a request could be signed now; called before pacing, quick when nothing is due.

        A thread whose order is in dialogue leaves alone what is merely due for renewal, because
        nothing but its reply may leave then.

        Raises:
            AuthenticationError: IBKR does not accept the credentials; nothing was sent.
            ConfigurationError: A key or a setting is missing or unusable; nothing was sent.
            LoginInUse: Another process of this machine owns the login; nothing was sent.
            TransportError: It could not be asked.
            Throttled: The pacing limits do not allow it in time.
        """

    def headers(self, method: str, url: str, query: Mapping[str, str]) -> Mapping[str, str]:
        """Sign one request; called after pacing, once for every time it is sent."""

    def stream(self, session: str | None) -> StreamDoor:
        """Tell how the stream is reached; ``session`` is what the last tickle called it."""

    def renew(self, deadline: float) -> None:
        """Make the outer session anew, once for all threads whose calls it refused.

        Raises:
            LoginRequired: Only a person can do that.
            AuthenticationError: IBKR does not accept the credentials.
        """

    def refused(self) -> SessionError:
        """Make the error for an outer session that is gone although it was just made."""


def stream_url(base_url: str, query: str = "") -> str:
    """Write the WebSocket's address below an API root."""
    return f"ws{base_url.removeprefix('http')}/ws{'?' if query else ''}{query}"


def stream_cookie(session: str | None) -> dict[str, str]:
    """Write the cookie that ties a stream to its session, where one is known."""
    return {"Cookie": f"api={session}"} if session else {}
