"""Share connections between the objects of a process.

Objects with equal login settings, and the same user where one is named, share one connection:
one session, one pacing, one set of caches. It outlives any one object. Nothing is opened before
the first call.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ibkr_adapter import forks
from ibkr_adapter.auth.oauth1a import OAuth1a
from ibkr_adapter.brakes import Brakes, EntryCount, KillSwitch
from ibkr_adapter.clock import Clock
from ibkr_adapter.connection import Connection
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.doors import DEFAULT_DOORS, Doors, throttle_of, transport_of
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.keeper import Keeper
from ibkr_adapter.session import TICKLE_EVERY
from ibkr_adapter.settings import Settings
from ibkr_adapter.stores import Stores
from ibkr_adapter.throttle import Throttle
from ibkr_adapter.turns import Turns


class Connections:
    """The connections of a process, by login."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[Any, ...], Connection] = {}
        # IBKR counts a user's requests over all of them, so the book outlives a connection.
        self._throttles: dict[tuple[Any, ...], Throttle] = {}
        self._brakes: dict[tuple[Any, ...], Brakes] = {}
        self._stores = Stores()
        self._keepers: weakref.WeakKeyDictionary[Clock, Keeper] = weakref.WeakKeyDictionary()

    def connect(self, settings: Settings, doors: Doors, *, user: str | None, holder: object) -> Connection:
        """Return the connection of a login, made if there is none yet; nothing is sent.

        Raises:
            ConfigurationError: Another object of the same login wants another connection.
        """
        key = (*settings.login_key(), user, doors)
        with self._lock:
            connection = self._open.get(key)
            if connection is None:
                keeper = self._keeper(doors.clock)
                pace = (*key, settings.requests_per_second, settings.pacing_margin)
                throttle = self._throttles.get(pace)
                if throttle is None:
                    throttle = self._throttles[pace] = throttle_of(settings, doors)
                brakes = self._brakes.get(key)
                if brakes is None:
                    brakes = self._brakes[key] = Brakes(
                        kill_switch=KillSwitch(doors.environ), entries=EntryCount(doors.clock)
                    )
                connection = self._open[key] = Connection(
                    settings, doors, keeper, throttle, brakes, self._stores, user
                )
            else:
                _agree(connection.settings, settings)
            connection.users.add(holder)
        connection.start()
        return connection

    def keeper(self, clock: Clock) -> Keeper:
        """The one thread that keeps what a process must do once a minute."""
        with self._lock:
            return self._keeper(clock)

    def _keeper(self, clock: Clock) -> Keeper:
        keeper = self._keepers.get(clock)
        if keeper is None:
            keeper = self._keepers[clock] = Keeper(clock, every=TICKLE_EVERY)
        return keeper

    def release(self, connection: Connection, holder: object) -> None:
        """Take a holder off a connection, and close it when nobody is left."""
        with self._lock:
            connection.users.discard(holder)
            if connection.users:
                return
            for key, found in list(self._open.items()):
                if found is connection:
                    del self._open[key]
        connection.close()

    def forked(self) -> None:
        """Begin anew in a forked child: threads that held the parent's locks are not there to give them back.

        The brakes stay, because a kill switch that a fork took back would be none.
        """
        self._lock = threading.Lock()
        self._open = {}
        self._throttles = {}
        self._stores = Stores()
        self._keepers = weakref.WeakKeyDictionary()
        for brakes in self._brakes.values():
            brakes.entries.forked()

    def forget(self, doors: Doors) -> None:
        """Drop the pace and the brakes of logins whose broker is gone for good; nobody else has these doors."""
        with self._lock:
            kept: tuple[dict[tuple[Any, ...], Any], ...] = (self._throttles, self._brakes)
            for by_login in kept:
                for key in [key for key in by_login if any(part is doors for part in key)]:
                    del by_login[key]


def _agree(first: Settings, second: Settings) -> None:
    wanted = second.connection_settings()
    for name, value in first.connection_settings().items():
        if wanted[name] != value:
            raise ConfigurationError(
                f"another object of this login has {name}={value!r}, and this one wants {wanted[name]!r}.",
                remedy="They share one connection, so give both the same.",
            )


@contextmanager
def authorizing(settings: Settings, doors: Doors | None = None) -> Iterator[OAuth1a]:
    """Lend the login by which a third party is let in, with a line of its own; nothing is kept."""
    doors = doors or DEFAULT_DOORS
    transport = (doors.transport or transport_of)(settings, doors.clock)
    throttle = throttle_of(settings, doors)
    turns = Turns(throttle=throttle, dialogue=Dialogue(doors.clock))
    try:
        yield OAuth1a(settings, clock=doors.clock, transport=transport, turns=turns)
    finally:
        transport.close()
        throttle.close()


# One per process; it holds nothing before the first call of an object.
shared = Connections()
forks.tell(shared)
