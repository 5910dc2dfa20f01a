"""The two tiers of a login, and what a new session does not know yet.

The outer session (somebody is logged in) carries portfolio and look-ups; the brokerage session
carries everything under ``/iserver``. A username has one brokerage session in the whole world:
another login takes it away. It is *established* only some time after it was opened, it ends
when nobody asks anything for six minutes, and with it go suppressed questions, data streams and
all warm-ups. Times are on the session clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.simulator import windows

if TYPE_CHECKING:
    from ibkr_adapter.simulator.options import Options

MAC = "F4:03:43:E6:57:70"
HARDWARE = f"21026956|{MAC}"
SERVER = {"serverName": "JifZ22107", "serverVersion": "Build 10.44.1d, Mar 3, 2026 1:55:32 PM"}
SSO_LIFE = timedelta(hours=24)
SSO_EXPIRES_MS = 600_000


@attrs.define(kw_only=True, eq=False)
class Stream:
    """An open market data stream: what was asked, and since when."""

    opened: datetime
    fields: dict[str, int] = attrs.field(factory=dict)  # tag -> reads since it was asked


@attrs.define(kw_only=True, eq=False)
class Brokerage:
    """One brokerage session and all that it remembers."""

    number: int
    opened: datetime
    selected: str
    established: bool = False
    reads: int = 0
    accounts_queried: bool = False
    suppressed: set[str] = attrs.field(factory=set)
    warm: set[str] = attrs.field(factory=set)
    streams: dict[str, Stream] = attrs.field(factory=dict)
    order_filter: frozenset[str] | None = None  # states that a filtered read has left to the streams


class Sessions:
    """Who is logged in, and whether the brokerage session is ours."""

    def __init__(
        self, seed: int, options: Options, account: str, now: datetime, *, by_browser: bool = True
    ) -> None:
        self._random = random.Random(seed + 1)  # noqa: S311 - ids need to be repeatable, not secret
        self._options = options
        self._account = account
        self.login: datetime | None = now if by_browser and options.logged_in else None
        self.token = self._new_token()
        self.brokerage: Brokerage | None = None
        self.rival: str | None = None
        self.rival_until: datetime | None = None
        self.outer_warm: set[str] = set()
        self.last_request = now
        self.history: list[dict[str, Any]] = []
        self.on_loss: Callable[[], None] = lambda: None
        self.on_logout: Callable[[str, datetime], None] = lambda _why, _now: None
        self.starts = 1  # how often the gateway program was started
        self._count = 0

    def _new_token(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    @property
    def is_logged_in(self) -> bool:
        """Tell whether the outer session is alive."""
        return self.login is not None

    @property
    def is_up(self) -> bool:
        """Tell whether the brokerage session is ours and established."""
        return self.brokerage is not None and self.brokerage.established

    # What happens by itself.

    def settle(self, now: datetime) -> None:
        """Let sessions end that are due to end by ``now``."""
        idle = self._options.idle_timeout
        if self.brokerage and idle is not None and now - self.last_request > timedelta(seconds=idle):
            self.drop("idle", now)
        if self.login and now - self.login >= SSO_LIFE:
            self.log_out("24 hours", now)
        if self._options.nightly_reset:
            self._nightly(now)
        if self.brokerage and self._options.maintenance and windows.is_maintenance(now, self._options.region):
            self.drop("maintenance", now)
        if self.rival and self.rival_until and now >= self.rival_until:
            self.rival = self.rival_until = None
        waiting = self.brokerage
        if waiting and not waiting.established:
            age = now - waiting.opened
            waiting.established = age >= timedelta(seconds=self._options.established_after)

    def _nightly(self, now: datetime) -> None:
        region = self._options.region
        if self.login and self.login < windows.midnight(now, region):
            self.log_out("midnight", now)
        if self.brokerage and self.brokerage.opened < windows.last_reset(now, region):
            self.drop("nightly reset", now)

    def touch(self, now: datetime) -> None:
        """Note that a request arrived."""
        self.last_request = now

    # What somebody does.

    def log_in(self, now: datetime) -> None:
        """Log in at the login page: a new outer session, no brokerage session yet."""
        if self.brokerage:
            self.drop("new login", now)
        self.login = now
        self.token = self._new_token()
        self.outer_warm = set()
        self._note("login", now)

    def renew(self, now: datetime, *, keep: bool) -> None:
        """Begin the outer session by a token, or go on with it under a new one.

        With ``keep`` the brokerage session and all warm-ups stay. The session id changes.
        """
        if self.login is None or not keep:
            self.log_in(now)
            return
        self.login = now
        self.token = self._new_token()
        self._note("login renewed", now)

    def log_out(self, why: str, now: datetime) -> None:
        """End both tiers."""
        if self.brokerage:
            self.drop(why, now)
        self.login = None
        self._note(f"logout: {why}", now)
        self.on_logout(why, now)

    def drop(self, why: str, now: datetime) -> None:
        """End the brokerage session; the login stays."""
        self.brokerage = None
        self._note(f"brokerage ended: {why}", now)
        self.on_loss()

    def take_over(self, now: datetime, seconds: float | None = None) -> None:
        """Let another login of the same user take the brokerage session."""
        self.rival = "TWS"
        self.rival_until = None if seconds is None else now + timedelta(seconds=seconds)
        if self.brokerage:
            self.drop("taken by another login", now)
        else:
            self._note("another login holds the brokerage session", now)

    def initialise(self, now: datetime, *, compete: bool) -> None:
        """Open the brokerage session, or renew it; a rival gives way only to ``compete``."""
        if self.rival and not compete:
            return
        self.rival = self.rival_until = None
        was_up = self.is_up
        if self.brokerage:
            self.drop("opened again", now)
        self._count += 1
        self.brokerage = Brokerage(number=self._count, opened=now, selected=self._account)
        self.brokerage.established = was_up or self._options.established_reads == 0
        self._note("brokerage opened", now)

    def restart(self, now: datetime) -> None:
        """Restart the gateway program: a new session id, nothing remembered, login kept."""
        if self.brokerage:
            self.drop("gateway restart", now)
        self.token = self._new_token()
        self.starts += 1
        self.outer_warm = set()
        self._note("gateway restart", now)

    def read_status(self) -> None:
        """Count a status read: the session is established after enough of them."""
        waiting = self.brokerage
        if waiting is None or waiting.established:
            return
        waiting.reads += 1
        waiting.established = waiting.reads >= self._options.established_reads

    def status(self, *, with_fail: bool = False) -> dict[str, Any]:
        """The status object that three endpoints share."""
        if not self.is_logged_in:
            return {"authenticated": False, "competing": False, "connected": False, "MAC": MAC}
        ours = self.brokerage is not None
        body: dict[str, Any] = {
            "authenticated": ours,
            "established": self.is_up,
            "competing": self.rival is not None,
            "connected": True,
            "message": "",
            "MAC": MAC,
            "serverInfo": dict(SERVER) if ours else {"serverName": None, "serverVersion": None},
            "hardware_info": HARDWARE,
        }
        if with_fail:
            body["fail"] = ""
        return body

    def _note(self, event: str, now: datetime) -> None:
        self.history.append({"event": event, "time": now.isoformat(), "session": self._count})

    def as_json(self) -> list[dict[str, Any]]:
        """What the ledger tells of sessions: the current state, then all that happened."""
        current = {
            "event": "now",
            "logged_in": self.is_logged_in,
            "established": self.is_up,
            "competing": self.rival is not None,
            "suppressed": sorted(self.brokerage.suppressed) if self.brokerage else [],
            "streams": sorted(self.brokerage.streams) if self.brokerage else [],
            "selected": self.brokerage.selected if self.brokerage else None,
        }
        return [current, *self.history]
