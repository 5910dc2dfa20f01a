"""Build connections and share them; the one room that knows every concrete class.

Objects with equal login settings, and the same user where one is named, share one connection:
one session, one pacing, one set of caches. It outlives any one object. Nothing is opened before
the first call.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import attrs

from ibkr_adapter.auth.base import Auth
from ibkr_adapter.auth.gateway import GatewayAuth
from ibkr_adapter.auth.oauth1a import OAuth1a
from ibkr_adapter.auth.oauth2 import OAuth2
from ibkr_adapter.board import Board
from ibkr_adapter.brakes import Brakes, EntryCount, KillSwitch, Profits
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Clock, Redated, SystemClock
from ibkr_adapter.conids import SCHEMA_STEPS as CONTRACTS
from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.conversation import Conversation
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.discovery.kept import Kept
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.exits import Exits
from ibkr_adapter.holdings import Holdings
from ibkr_adapter.journal import SCHEMA_STEPS as ORDERS
from ibkr_adapter.journal import Journal
from ibkr_adapter.keeper import Keeper
from ibkr_adapter.lease import Lease
from ibkr_adapter.legs import Watch
from ibkr_adapter.market_data import MarketData
from ibkr_adapter.neighbours import Neighbours, OneAtATime
from ibkr_adapter.order_changes import OrderChanges
from ibkr_adapter.order_reads import OrderReads
from ibkr_adapter.orders import OrderDesk
from ibkr_adapter.outcome import Resolver
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.portfolio import Portfolio
from ibkr_adapter.protection import Protection
from ibkr_adapter.reference import Reference
from ibkr_adapter.repeats import Repeats
from ibkr_adapter.selection import Selection
from ibkr_adapter.session import TICKLE_EVERY, SessionKeeper
from ibkr_adapter.setting_readers import AuthMethod, is_loopback
from ibkr_adapter.settings import Settings
from ibkr_adapter.settling import Settling
from ibkr_adapter.state import Store, state_directory
from ibkr_adapter.stops import Stops
from ibkr_adapter.stores import Stores
from ibkr_adapter.throttle import SCHEMA_STEPS as PACING
from ibkr_adapter.throttle import SharedBook, Throttle
from ibkr_adapter.tls import Trust
from ibkr_adapter.tracking import Tracker
from ibkr_adapter.transport import RequestsTransport, Transport
from ibkr_adapter.turns import Turns

if TYPE_CHECKING:
    from ibkr_adapter.streaming.feed import Feed
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


class Connection:
    """Everything that one login has in common: session, pacing, caches, desks."""

    def __init__(
        self,
        settings: Settings,
        doors: Doors,
        keeper: Keeper,
        throttle: Throttle,
        brakes: Brakes,
        stores: Stores,
        user: str | None,
    ) -> None:
        clock = doors.clock
        self.clock = clock
        self.settings = settings
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._keeper = keeper
        self._transport = (doors.transport or transport_of)(settings, clock)
        self._make_store = doors.store
        self._lender = stores
        self._stores: dict[str, Store] = {}
        self._lock = threading.Lock()
        self.throttle = throttle
        self.brakes = brakes
        folder, name = state_directory(settings.state_dir, os.environ), _session_name(settings)
        gateway = settings.auth_method is AuthMethod.GATEWAY
        dialogue = Dialogue(clock, Neighbours(clock, folder, name) if doors.shared else None)
        turns = Turns(throttle=throttle, dialogue=dialogue)
        # A gateway is open to every process; a token is owned by one.
        board = Board(folder / f"{name}.account" if doors.shared and gateway else None)
        self._lease = Lease(folder, name) if doors.shared and not gateway else None
        auth = _auth(settings, clock, self._transport, turns, self._lease)
        self.client = Client(clock=clock, transport=self._transport, turns=turns, auth=auth)
        self.session = SessionKeeper(
            clock=clock,
            client=self.client,
            auth=auth,
            compete=settings.compete,
            suppress=settings.suppress_messages,
            read_deadline=settings.read_deadline,
            alone=OneAtATime(clock, folder / f"{name}.opening").hold if doors.shared and gateway else None,
            board=board,
            hold=dialogue.hold,
            region=settings.region,
            during_maintenance=settings.during_maintenance,
        )
        self.selection = Selection(
            clock=clock,
            client=self.client,
            session=self.session,
            dialogue=dialogue,
            board=board,
            within=settings.read_deadline,
        )
        # What has expired, which month is the front one and what is open is a matter of the market's day.
        market = clock if doors.market_time is None else Redated(clock, doors.market_time)
        self.conids = ConidResolver(clock=market, session=self.session, store=self._cache)
        self.portfolio = Portfolio(
            clock=clock,
            session=self.session,
            selection=self.selection,
            read_deadline=settings.read_deadline,
        )
        self.profits = Profits(clock, self.portfolio.profit)
        self.reference = Reference(clock=clock, market=market, session=self.session)
        self.market_data = MarketData(
            clock=clock,
            session=self.session,
            conids=self.conids,
            reference=self.reference,
            kept=Kept(clock=market, store=self._cache),
            most_lines=settings.market_data_lines,
        )
        self.own = OwnOrders(doors.new_id, self._placed)
        self.reads = OrderReads(
            clock=clock, session=self.session, selection=self.selection, read_deadline=settings.read_deadline
        )
        self.watch = Watch(clock=clock, reads=self.reads)
        self.tracker = Tracker(clock=clock, reads=self.reads)
        self.journal = Journal(clock=clock, login=_login(settings, user), store=self._placed)
        resolver = Resolver(clock=clock, reads=self.reads)
        self.settling = Settling(
            clock=clock,
            journal=self.journal,
            session=self.session,
            resolver=resolver,
            reads=self.reads,
            own=self.own,
        )
        conversation = Conversation(
            session=self.session, dialogue=dialogue, selection=self.selection, reads=self.reads
        )
        self.changes = OrderChanges(
            clock=clock,
            journal=self.journal,
            conversation=conversation,
            watch=self.watch,
            reads=self.reads,
            own=self.own,
        )
        self.holdings = Holdings(reads=self.reads, watch=self.watch, portfolio=self.portfolio, own=self.own)
        stops = Stops(
            clock=clock, watch=self.watch, changes=self.changes, holdings=self.holdings, own=self.own
        )
        self.desk = OrderDesk(
            clock=clock,
            journal=self.journal,
            settling=self.settling,
            conversation=conversation,
            watch=self.watch,
            resolver=resolver,
            repeats=Repeats(clock=clock, journal=self.journal, resolver=resolver),
            changes=self.changes,
            own=self.own,
            protection=Protection(watch=self.watch, changes=self.changes, stops=stops),
            mends=settings.missing_leg == "protect",
        )
        self.exits = Exits(
            clock=clock,
            desk=self.desk,
            changes=self.changes,
            holdings=self.holdings,
            reads=self.reads,
            watch=self.watch,
            own=self.own,
        )
        self._dial = doors.dial or _dial
        self._jitter = doors.jitter
        self._feed: Feed | None = None

    @property
    def feed(self) -> Feed:
        """The login's stream, made with the first use; its libraries are loaded then."""
        from ibkr_adapter.streaming.feed import Feed as FreshFeed  # noqa: PLC0415  (loads on first use)

        with self._lock:
            if self._feed is None:
                self._feed = FreshFeed(
                    clock=self.clock,
                    session=self.session,
                    dial=self._dial(self.settings, self.clock),
                    jitter=self._jitter,
                )
            return self._feed

    def start(self) -> None:
        """Have the keeper look after the session; called before the first request."""
        self._keeper.keep(self.session)

    def close(self) -> None:
        """End the threads, the lines and the files; the user stays logged in."""
        self._keeper.drop(self.session)
        self.session.close()
        with self._lock:
            feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()
        self._transport.close()
        self.throttle.close()
        if self._lease is not None:
            self._lease.close()
        self.journal.close()
        with self._lock:
            borrowed = list(self._stores.values())
            self._stores.clear()
        for store in borrowed:
            self._lender.give_back(store)

    def _cache(self) -> Store:
        return self._file("contracts", CONTRACTS, disposable=True)

    def _placed(self) -> Store:
        return self._file("orders", ORDERS, disposable=False)

    def _file(self, name: str, steps: Sequence[Sequence[str]], *, disposable: bool) -> Store:
        with self._lock:
            if name not in self._stores:
                folder = state_directory(self.settings.state_dir, os.environ)
                safety: Literal["NORMAL", "FULL"] = "NORMAL" if disposable else "FULL"
                self._stores[name] = self._lender.borrow(
                    self._make_store, folder, name, steps=steps, synchronous=safety, disposable=disposable
                )
            return self._stores[name]


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


def _login(settings: Settings, user: str | None) -> str:
    """Name a login in the journal, by what is no secret."""
    named = "\n".join(map(str, (*settings.login_name(), user)))
    return f"{settings.auth_method}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def _session_name(settings: Settings) -> str:
    """Name what all processes at one session of one user share; a hash, because a token is in it."""
    parts = urlsplit(settings.base_url)
    # One gateway has several names.
    host = "localhost" if is_loopback(settings.host) else settings.host
    told = (settings.consumer_key, settings.access_token, settings.client_id, settings.credential)
    named = "\n".join(map(str, (settings.auth_method, host, parts.port, *told)))
    return f"{settings.auth_method}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def login_lock(settings: Settings) -> Path:
    """Where the process that owns an OAuth login keeps its lock; see :mod:`ibkr_adapter.lease`."""
    return state_directory(settings.state_dir, os.environ) / f"{_session_name(settings)}.lease"


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
        login=_session_name(settings),
        # Simulators and gateways of one machine differ in their port only.
        host=urlsplit(settings.base_url).netloc.lower(),
        per_second=rate,
        margin=margin,
    )
    return Throttle(doors.clock, margin=margin, book=book)


def _agree(first: Settings, second: Settings) -> None:
    wanted = second.connection_settings()
    for name, value in first.connection_settings().items():
        if wanted[name] != value:
            raise ConfigurationError(
                f"another object of this login has {name}={value!r}, and this one wants {wanted[name]!r}.",
                remedy="They share one connection, so give both the same.",
            )


def _auth(settings: Settings, clock: Clock, transport: Transport, turns: Turns, lease: Lease | None) -> Auth:
    if settings.auth_method is AuthMethod.OAUTH1A:
        return OAuth1a(settings, clock=clock, transport=transport, turns=turns, lease=lease)
    if settings.auth_method is AuthMethod.OAUTH2:
        return OAuth2(settings, clock=clock, transport=transport, turns=turns, lease=lease)
    return GatewayAuth(settings.base_url)


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


def transport_of(settings: Settings, clock: Clock) -> Transport:
    """Make the transport of a connection; nothing is opened."""
    return RequestsTransport(clock, trust=_trust(settings), user_agent=USER_AGENT)


def _trust(settings: Settings) -> Trust:
    return Trust(fingerprint=settings.tls_fingerprint, ca_file=settings.ca_file, verify=settings.verify_tls)


def _dial(settings: Settings, clock: Clock) -> Dial:
    from ibkr_adapter.ws_link import dialer  # noqa: PLC0415  (loads on first use)

    return dialer(clock, _trust(settings), USER_AGENT)


_books = Stores()
# One per process; it holds nothing before the first call of an object.
shared = Connections()
DEFAULT_DOORS = Doors()
