"""Wire one login: everything that its objects have in common, each room with the rooms that it needs."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ibkr_adapter.board import Board
from ibkr_adapter.brakes import Brakes, Profits
from ibkr_adapter.client import Client
from ibkr_adapter.clock import Redated
from ibkr_adapter.conids import SCHEMA_STEPS as CONTRACTS
from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.conversation import Conversation
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.discovery.kept import Kept
from ibkr_adapter.doors import Doors, auth_of, dial_of, login_name, session_name, transport_of
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
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.setting_readers import AuthMethod
from ibkr_adapter.settings import Settings
from ibkr_adapter.settling import Settling
from ibkr_adapter.state import Store, state_directory
from ibkr_adapter.stops import Stops
from ibkr_adapter.stores import Stores
from ibkr_adapter.throttle import Throttle
from ibkr_adapter.tracking import Tracker
from ibkr_adapter.turns import Turns

if TYPE_CHECKING:
    from ibkr_adapter.streaming.feed import Feed


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
        folder, name = state_directory(settings.state_dir, os.environ), session_name(settings)
        gateway = settings.auth_method is AuthMethod.GATEWAY
        dialogue = Dialogue(clock, Neighbours(clock, folder, name) if doors.shared else None)
        turns = Turns(throttle=throttle, dialogue=dialogue)
        # A gateway is open to every process; a token is owned by one.
        board = Board(folder / f"{name}.account" if doors.shared and gateway else None)
        self._lease = Lease(folder, name) if doors.shared and not gateway else None
        auth = auth_of(settings, clock, self._transport, turns, self._lease)
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
            streamed=self._streamed,
        )
        self.own = OwnOrders(doors.new_id, self._placed)
        self.reads = OrderReads(
            clock=clock, session=self.session, selection=self.selection, read_deadline=settings.read_deadline
        )
        self.watch = Watch(clock=clock, reads=self.reads)
        self.tracker = Tracker(clock=clock, reads=self.reads)
        self.journal = Journal(clock=clock, login=login_name(settings, user), store=self._placed)
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
        self.holdings = Holdings(
            clock=clock, reads=self.reads, watch=self.watch, portfolio=self.portfolio, own=self.own
        )
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
        self._dial = doors.dial or dial_of
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

    def _streamed(self) -> frozenset[int]:
        """The contracts whose quotes are streamed; no stream is made for that."""
        with self._lock:
            feed = self._feed
        return frozenset() if feed is None else feed.quoted

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
