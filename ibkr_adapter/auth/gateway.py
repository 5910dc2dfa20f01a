"""The local Client Portal Gateway: a person logs in with a browser, the gateway signs for us."""

from __future__ import annotations

from collections.abc import Mapping

from ibkr_adapter.auth.base import StreamDoor, stream_cookie, stream_url
from ibkr_adapter.errors import LoginRequired


class GatewayAuth:
    """Sends no credentials at all: the gateway adds IBKR's cookies to whatever reaches it."""

    # A login by browser is not seen from here; what it may have changed shows in the status.
    generation = 0

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    @property
    def base_url(self) -> str:
        """The gateway's API root."""
        return self._base_url

    def prepare(self, deadline: float) -> None:
        """Need nothing."""

    def headers(self, method: str, url: str, query: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002  (the protocol's arguments)
        """Add nothing."""
        return {}

    def stream(self, session: str | None) -> StreamDoor:
        """Name the gateway's own WebSocket."""
        return StreamDoor(url=stream_url(self._base_url), headers=stream_cookie(session))

    def renew(self, deadline: float) -> None:  # noqa: ARG002  (the protocol's argument)
        """Say that only a browser can log in."""
        raise LoginRequired("the gateway is running, but nobody is logged in to it.", remedy=self._remedy())

    def refused(self) -> LoginRequired:
        """Name the login page."""
        return LoginRequired("IBKR's outer session is gone.", remedy=self._remedy())

    def _remedy(self) -> str:
        page = self._base_url.removesuffix("/v1/api")
        return f"Open {page} in a browser on that machine, log in, and try again."
