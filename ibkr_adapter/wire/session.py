"""Read what IBKR says of its two sessions, and say what opens and ends them.

The outer session (gateway login or token) carries portfolio and reference calls; the brokerage
session carries ``/iserver``. ``established`` is what counts: before it is true, data calls
answer with silence. Old servers leave it out, then ``authenticated`` stands in for it.

Source: Web API reference, "Session", and answers recorded from a paper account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class SessionStatus:
    """What is up: the outer session (``connected``) and the brokerage session (the others)."""

    connected: bool
    authenticated: bool
    established: bool
    competing: bool
    message: str = ""

    @property
    def ready(self) -> bool:
        """Whether ``/iserver`` calls will be answered."""
        return self.authenticated and self.established and not self.competing


@attrs.frozen(kw_only=True)
class Tickle:
    """The answer to a tickle: the stream's session id, and the status where it was given."""

    session: str | None = attrs.field(repr=False)
    status: SessionStatus | None


def read_status(content: Any) -> SessionStatus | None:
    """Read an answer of ``auth/status`` or ``ssodh/init``; ``None`` if it is no status."""
    if not isinstance(content, Mapping):
        return None
    authenticated = content.get("authenticated")
    if not isinstance(authenticated, bool):
        return None
    established = content.get("established")
    return SessionStatus(
        connected=content.get("connected") is True,
        authenticated=authenticated,
        established=established if isinstance(established, bool) else authenticated,
        competing=content.get("competing") is True,
        message=" ".join(
            text.strip()
            for key in ("message", "fail")
            if isinstance(text := content.get(key), str) and text.strip()
        ),
    )


def read_tickle(content: Any) -> Tickle | None:
    """Read an answer to a tickle; ``None`` where the outer session is gone."""
    if not isinstance(content, Mapping) or "error" in content:
        return None
    session = content.get("session")
    server = content.get("iserver")
    status = read_status(server.get("authStatus")) if isinstance(server, Mapping) else None
    return Tickle(session=session if isinstance(session, str) and session else None, status=status)


def tells_login(content: Any) -> bool:
    """Whether an answer to a tickle shows a login: a status says "not connected" of a session that timed out, too."""
    found = read_tickle(content)
    return found is not None and found.session is not None


def init_body(*, compete: bool) -> dict[str, bool]:
    """Ask for the brokerage session; ``publish`` false is answered with an error."""
    return {"publish": True, "compete": compete}
