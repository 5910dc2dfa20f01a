"""How a login reaches the world: the doors of a process, and what is made with them for one login.

Tests put other doors in. Nothing is opened here, and nothing is shared but the files of the pacing.
"""

from __future__ import annotations

import hashlib
import os
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from ibkr_adapter.auth.base import Auth
from ibkr_adapter.auth.gateway import GatewayAuth
from ibkr_adapter.auth.oauth1a import OAuth1a
from ibkr_adapter.auth.oauth2 import OAuth2
from ibkr_adapter.clock import Clock, SystemClock
from ibkr_adapter.lease import Lease
from ibkr_adapter.setting_readers import AuthMethod, is_loopback
from ibkr_adapter.settings import Settings
from ibkr_adapter.state import Store, state_directory
from ibkr_adapter.stores import Stores
from ibkr_adapter.throttle import SCHEMA_STEPS as PACING
from ibkr_adapter.throttle import SharedBook, Throttle
from ibkr_adapter.tls import Trust
from ibkr_adapter.transport import RequestsTransport, Transport
from ibkr_adapter.turns import Turns

if TYPE_CHECKING:
    from ibkr_adapter.ws_link import Dial

USER_AGENT = "ibkr-adapter"


def _new_id() -> str:
    return uuid.uuid4().hex[:26]


@attrs.frozen(kw_only=True, eq=False)
class Doors:
    """What a connection reaches the world through; tests put others in.

    ``market_time`` tells the time by which markets open and close, where that is not the clock's;
    ``store`` makes the files that outlive a process. ``environ`` is where the
    kill switch may be thrown. ``dial`` opens the stream's lines, and ``jitter`` (from 0 to 1) spreads its
    attempts. ``across_processes`` is whether pacing, logins and dialogues are shared with
    other processes through the state folder; unset, they are where the clock is the machine's,
    because that is the one clock that all of them have.
    """

    clock: Clock = attrs.field(factory=SystemClock)
    transport: Callable[[Settings, Clock], Transport] | None = None
    dial: Callable[[Settings, Clock], Dial] | None = None
    jitter: Callable[[], float] = random.random
    new_id: Callable[[], str] = _new_id
    market_time: Callable[[], datetime] | None = None
    store: Callable[..., Store] = Store
    environ: Mapping[str, str] = attrs.field(factory=lambda: os.environ)
    across_processes: bool | None = None

    @property
    def shared(self) -> bool:
        """Whether other processes may be at the same login."""
        return isinstance(self.clock, SystemClock) if self.across_processes is None else self.across_processes


def login_name(settings: Settings, user: str | None) -> str:
    """Name a login in the journal, by what is no secret."""
    return _hashed(settings, (*settings.login_name(), user))


def session_name(settings: Settings) -> str:
    """Name what all processes at one session of one user share; a hash, because a token is in it."""
    parts = urlsplit(settings.base_url)
    # One gateway has several names.
    host = "localhost" if is_loopback(settings.host) else settings.host
    told = (settings.consumer_key, settings.access_token, settings.client_id, settings.credential)
    return _hashed(settings, (settings.auth_method, host, parts.port, *told))


def _hashed(settings: Settings, told: Iterable[object]) -> str:
    named = "\n".join(map(str, told))
    return f"{settings.auth_method}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def login_lock(settings: Settings) -> Path:
    """Where the process that owns an OAuth login keeps its lock; see :mod:`ibkr_adapter.lease`."""
    return state_directory(settings.state_dir, os.environ) / f"{session_name(settings)}.lease"


def throttle_of(settings: Settings, doors: Doors) -> Throttle:
    """Make a login's throttle, with its book where other processes find it."""
    rate, margin = settings.requests_per_second, settings.pacing_margin
    if not doors.shared:
        return Throttle(doors.clock, per_second=rate, margin=margin)

    def store() -> Store:
        folder = state_directory(settings.state_dir, os.environ)
        # A throttle that closes it has the others open it again.
        return _books.borrow(
            doors.store, folder, "pacing", steps=PACING, synchronous="NORMAL", disposable=True
        )

    book = SharedBook(
        doors.clock,
        store=store,
        login=session_name(settings),
        # Simulators and gateways of one machine differ in their port only.
        host=urlsplit(settings.base_url).netloc.lower(),
        per_second=rate,
        margin=margin,
    )
    return Throttle(doors.clock, margin=margin, book=book)


def auth_of(
    settings: Settings, clock: Clock, transport: Transport, turns: Turns, lease: Lease | None
) -> Auth:
    """Make the login that the settings ask for; nothing is sent."""
    if settings.auth_method is AuthMethod.OAUTH1A:
        return OAuth1a(settings, clock=clock, transport=transport, turns=turns, lease=lease)
    if settings.auth_method is AuthMethod.OAUTH2:
        return OAuth2(settings, clock=clock, transport=transport, turns=turns, lease=lease)
    return GatewayAuth(settings.base_url)


def transport_of(settings: Settings, clock: Clock) -> Transport:
    """Make the transport of a connection; nothing is opened."""
    return RequestsTransport(clock, trust=_trust(settings), user_agent=USER_AGENT)


def _trust(settings: Settings) -> Trust:
    return Trust(fingerprint=settings.tls_fingerprint, ca_file=settings.ca_file, verify=settings.verify_tls)


def dial_of(settings: Settings, clock: Clock) -> Dial:
    """Make what opens the lines of a stream; nothing is opened."""
    from ibkr_adapter.ws_link import dialer  # noqa: PLC0415  (loads on first use)

    return dialer(clock, _trust(settings), USER_AGENT)


_books = Stores()
DEFAULT_DOORS = Doors()
