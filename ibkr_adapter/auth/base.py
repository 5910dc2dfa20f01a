"""What the rest of the library may ask of a login, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Auth(Protocol):
    """One way to log in; nothing above this folder knows which one is in use."""

    @property
    def base_url(self) -> str:
        """The API root, without a slash at its end."""

    def prepare(self, deadline: float) -> None:
        """See that a request could be signed now; called before pacing, quick when nothing is due.

        Raises:
            AuthenticationError: IBKR does not accept the credentials.
            TransportError: It could not be asked.
        """

    def headers(self, method: str, url: str, query: Mapping[str, str]) -> Mapping[str, str]:
        """Sign one request; called after pacing, once for every time it is sent."""

    def renew(self, deadline: float) -> None:
        """Make the outer session anew.

        Raises:
            LoginRequired: Only a person can do that.
            AuthenticationError: IBKR does not accept the credentials.
        """

    def remedy(self) -> str:
        """Say what a person can do when the outer session is gone."""
