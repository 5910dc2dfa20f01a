"""Which tokens were handed out, and until when they are good.

A token that carries the outer session (a live session token, an SSO session) stands for a login by
browser: while one lives somebody is logged in, and when the last one ends both tiers end. Tokens
end on the *session* clock, by age, idleness, midnight, logout or revocation, so that a test can
age them; signatures and assertions are checked on the wall clock, elsewhere. Values of tokens are
kept here and told to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.simulator import windows

if TYPE_CHECKING:
    from ibkr_adapter.simulator.options import Options
    from ibkr_adapter.simulator.sessions import Sessions

_MOST_REMEMBERED = 10_000


@attrs.define(kw_only=True, eq=False)
class Grant:
    """One token: its value, how long it is good, and what it is good for.

    ``addresses`` are those from which it may be used, ``scopes`` what it may be used for;
    ``outer`` says that it carries the outer session.
    """

    kind: str
    value: bytes = attrs.field(repr=False)
    granted: datetime
    expires: datetime
    outer: bool = True
    idle: bool = False  # whether idleness ends it, if the options say so
    addresses: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    used: datetime = attrs.field(init=False)
    ended: datetime | None = None
    why: str | None = None

    def __attrs_post_init__(self) -> None:
        self.used = self.granted


class TokenBook:
    """The tokens of one broker, and their hold on its sessions."""

    def __init__(self, options: Options, sessions: Sessions) -> None:
        self._options = options
        self._sessions = sessions
        self._grants: list[Grant] = []
        sessions.on_logout = self._logged_out

    def living(self, kind: str) -> Iterator[Grant]:
        """The tokens of a kind that are good now, the newest first."""
        return (one for one in reversed(self._grants) if one.kind == kind and one.ended is None)

    def grant(self, grant: Grant, *, alone: bool = False) -> None:
        """Hand a token out; ``alone`` ends the others of its kind."""
        if len(self._grants) >= _MOST_REMEMBERED:
            self._grants = [one for one in self._grants if one.ended is None]
        others = list(self.living(grant.kind)) if alone else []
        self._grants.append(grant)
        if grant.outer:
            self._sessions.renew(grant.granted, keep=self._options.keep_brokerage)
        for other in others:
            self.end(other, "a newer token", grant.granted)

    def end(self, grant: Grant, why: str, now: datetime) -> None:
        """End a token; with the last one that carries it the outer session ends."""
        grant.ended, grant.why = now, why
        if grant.outer and not any(one.outer and one.ended is None for one in self._grants):
            self._sessions.log_out(why, now)

    def end_outer(self, why: str, now: datetime) -> int:
        """End every token that carries the outer session, and tell how many there were."""
        living = [one for one in self._grants if one.outer and one.ended is None]
        for grant in living:
            self.end(grant, why, now)
        return len(living)

    def end_all(self, why: str, now: datetime) -> None:
        """End every token there is."""
        for grant in [one for one in self._grants if one.ended is None]:
            self.end(grant, why, now)

    def settle(self, now: datetime) -> None:
        """End what is due to end by now."""
        midnight = windows.midnight(now, self._options.region)
        idle = self._options.bearer_idle
        for grant in [one for one in self._grants if one.ended is None]:
            if now >= grant.expires:
                self.end(grant, "expired", now)
            elif grant.idle and idle is not None and now - grant.used > timedelta(seconds=idle):
                self.end(grant, "idle", now)
            elif grant.outer and self._options.nightly_reset and grant.granted < midnight:
                self.end(grant, "midnight", now)

    def _logged_out(self, why: str, now: datetime) -> None:
        for grant in [one for one in self._grants if one.outer and one.ended is None]:
            grant.ended, grant.why = now, why

    def as_json(self, login: str) -> list[dict[str, Any]]:
        """What the ledger tells of a login's tokens: all but what they are."""
        return [
            {
                "event": "token",
                "login": login,
                "kind": one.kind,
                "granted": one.granted.isoformat(),
                "expires": one.expires.isoformat(),
                "ended": one.ended.isoformat() if one.ended else None,
                "why": one.why,
            }
            for one in self._grants
        ]
