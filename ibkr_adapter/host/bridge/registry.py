"""Which sessions there are: one for each user and configuration, until nobody has used it for long."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ibkr_adapter.doors import Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.host.adapter import ADAPTER, create
from ibkr_adapter.host.credentials import (
    OWNERS,
    check_exchange_name,
    check_owner,
    map_credentials_to_config,
)
from ibkr_adapter.settings import Settings
from ibkr_adapter.state import state_directory

from .fills import Source
from .frames import Code, FrameError
from .keys import SCHEMA_STEPS, Keys
from .sessions import Session

# Each has a line to IBKR, and a process may have a thousand files open.
MOST_SESSIONS = 256


class Registry:
    """The sessions of a process, and the keys of each state folder."""

    def __init__(
        self,
        doors: Doors,
        fills: Source,
        *,
        wake: Callable[[], None],
        in_use: Callable[[Session], bool],
        idle_after: float,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.idle_after = idle_after
        self._doors = doors
        self._fills = fills
        self._wake = wake
        self._in_use = in_use
        self._environ = environ
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._keys: dict[str, Keys] = {}

    def open(self, config: Mapping[str, Any] | None, user: str | None) -> Session:
        """Return the session of a user with a configuration, made if there is none; nothing is sent.

        Without a configuration it is read from the environment. One that is given is taken as it
        is, because no tenant's settings may be filled up from the machine's.

        Raises:
            ConfigurationError: A setting is wrong or not known.
            FrameError: There are too many sessions.
        """
        settings = Settings.from_env(self._environ) if config is None else Settings.of(config)
        return self._open(IBKRExchange(settings, user=user, doors=self._doors), user)

    def open_for_row(self, credentials: Any, user: str | None) -> Session:
        """Return the session of a host's row of credentials, made if there is none; nothing is sent.

        The row's own user counts where none is named. Such a session is a tenant's: held to its account.

        Raises:
            ConfigurationError: The row lacks something, or is another user's or another exchange's.
            FrameError: It is no row, or there are too many sessions.
        """
        config = map_credentials_to_config(credentials)
        if config is None:
            raise FrameError(Code.WRONG_PARAMS, "The credentials are an object: one row of the host's.")
        check_owner(credentials, user)
        check_exchange_name(credentials, {ADAPTER.name, *ADAPTER.aliases})
        owner = next((str(credentials[key]) for key in OWNERS if credentials.get(key) is not None), user)
        return self._open(create(config, user=owner, doors=self._doors), owner)

    def _open(self, exchange: IBKRExchange, user: str | None) -> Session:
        settings = exchange.settings
        with self._lock:
            for session in self._sessions.values():
                same = type(session.exchange) is type(exchange) and session.settings == settings
                if same and session.user == user:
                    session.used_at = self._doors.clock.monotonic()
                    return session
            left = self._make_room() if len(self._sessions) >= MOST_SESSIONS else None
            session = Session(
                self._doors.new_id(),
                exchange,
                user=user,
                clock=self._doors.clock,
                keys=self._keys_in(settings),
                fills=self._fills,
                wake=self._wake,
            )
            self._sessions[session.name] = session
        if left is not None:
            left.close()
        return session

    def _make_room(self) -> Session:
        """Take out the session that nobody has used for longest; whoever comes back to it opens it again."""
        resting = [one for one in self._sessions.values() if not one.is_busy and not self._in_use(one)]
        if not resting:
            raise FrameError(
                Code.BUSY, f"There are {MOST_SESSIONS} sessions, and all are in use.", repeatable=True
            )
        return self._sessions.pop(min(resting, key=lambda one: one.used_at).name)

    def find(self, name: Any) -> Session:
        """Return a session that is open.

        Raises:
            FrameError: There is none of that name, perhaps not any more; nothing was done.
        """
        with self._lock:
            session = self._sessions.get(name) if isinstance(name, str) else None
            if session is None:
                raise FrameError(
                    Code.UNKNOWN_SESSION,
                    "There is no such session here, perhaps not any more: open it again; nothing was done.",
                    repeatable=True,
                )
            session.used_at = self._doors.clock.monotonic()
            return session

    def all(self) -> list[Session]:
        """Those that are open."""
        with self._lock:
            return list(self._sessions.values())

    def drop(self, session: Session) -> None:
        """Take a session out and let go of its connection; the user stays logged in.

        Raises:
            FrameError: It is at work.
        """
        with self._lock:
            if session.is_busy:
                raise FrameError(Code.BUSY, "The session is at work; ask again later.", repeatable=True)
            self._sessions.pop(session.name, None)
        session.close()

    def drop_idle(self, now: float) -> int:
        """Drop those that nobody has used for long, and tell how many."""
        with self._lock:
            idle = [
                session
                for session in self._sessions.values()
                if now - session.used_at >= self.idle_after
                and not session.is_busy
                and not self._in_use(session)
            ]
            for session in idle:
                del self._sessions[session.name]
        for session in idle:
            session.close()
        return len(idle)

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            sessions, self._sessions = list(self._sessions.values()), {}
            kept, self._keys = list(self._keys.values()), {}
        for session in sessions:
            session.close()
        for keys in kept:
            keys.close()

    def _keys_in(self, settings: Settings) -> Keys:
        folder = state_directory(settings.state_dir, self._environ)
        if str(folder) not in self._keys:
            store = self._doors.store(folder, "bridge", steps=SCHEMA_STEPS, synchronous="FULL")
            self._keys[str(folder)] = Keys(self._doors.clock, store)
        return self._keys[str(folder)]
