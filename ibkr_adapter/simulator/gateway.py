"""The simulated broker: one request in, one answer out.

The gateway finds the endpoint, lets faults, pacing and session preconditions have their say in
that order, keeps the ledger of what arrived, and holds the one lock under which everything
happens. It has no sockets and no threads; :mod:`.server` gives it both. The methods below the
door are those of the control room, for tests in the same process.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.simulator import answers, inflict, windows
from ibkr_adapter.simulator.control import ControlRoom, WishError
from ibkr_adapter.simulator.door import Answer, HelloFault, Request, WireFault
from ibkr_adapter.simulator.faults import Armed, FaultBox, Strike
from ibkr_adapter.simulator.inflict import Inflictor
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.ledger import broker_ledger
from ibkr_adapter.simulator.login import LOGINS, NotLetInError, checked_credentials, open_login
from ibkr_adapter.simulator.options import Options
from ibkr_adapter.simulator.order import Ticket
from ibkr_adapter.simulator.pacing import Meter
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.routes import Call, Route, RouteTable
from ibkr_adapter.simulator.serve_accounts import AccountEndpoints
from ibkr_adapter.simulator.serve_contracts import ContractEndpoints
from ibkr_adapter.simulator.serve_history import HistoryEndpoints
from ibkr_adapter.simulator.serve_market_data import MarketDataEndpoints
from ibkr_adapter.simulator.serve_orders import OrderEndpoints
from ibkr_adapter.simulator.serve_portfolio import PortfolioEndpoints
from ibkr_adapter.simulator.serve_scanners import ScannerEndpoints
from ibkr_adapter.simulator.serve_sessions import SessionEndpoints, missing
from ibkr_adapter.simulator.side_desks import routes_beside_trading
from ibkr_adapter.simulator.stream_socket import Socket
from ibkr_adapter.simulator.stream_spoiling import Spoiler
from ibkr_adapter.simulator.streams import StreamRefusedError, Streams
from ibkr_adapter.simulator.tickets import check_types
from ibkr_adapter.simulator.world import World

if TYPE_CHECKING:
    from ibkr_adapter.clock import Clock
    from ibkr_adapter.simulator.credentials import Credentials

_ROOTS = ("/v1/api/", "/v1/portal/")
_LOG_ROWS = 20_000
_LOG_TOLD = 1000
_REPLY = "/iserver/reply/{replyId}"
_OF_TOKENS = ("revoke", "disable", "enable")
Found = tuple[Route, dict[str, str]] | None


class Gateway:
    """One simulated broker behind one lock.

    Args:
        clock: Gives the monotonic time on which the market runs and arrivals are measured.
        seed: Decides prices, sizes and ids; the same seed is the same market.
        account: The first account; an id that begins with D is a paper account.
        auth: How clients log in: ``gateway`` (a person has logged in by browser), ``oauth1a`` or
            ``oauth2``.
        options: Switches that differ from their defaults; they outlive a reset.
        credentials: What clients log in with by OAuth; made at the start unless given. The
            client's half is in the attribute of this name, under the adapter's settings.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 7,
        account: str = "DU1234567",
        auth: str = "gateway",
        options: Mapping[str, Any] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        if auth not in LOGINS:
            raise ValueError(f"the simulator has no login {auth!r}, only {', '.join(LOGINS)}")
        self._credentials = checked_credentials(auth, credentials)
        self.credentials: Mapping[str, Any] = self._credentials.client if self._credentials else {}
        self.account = account
        self.auth = auth
        self.seed = seed
        self._clock = clock
        self._lock = threading.RLock()
        self._options = dict(options or {})
        self.control = ControlRoom(self)
        self._build(Options())

    def _build(self, options: Options) -> None:
        options.update(self._options)
        self.world = World(self._clock, self.seed, self.account, options, auth=self.auth)
        self.login = open_login(self.world, self._credentials)
        self._orders = OrderEndpoints(self.world)
        self._history = HistoryEndpoints(self.world, self._clock.monotonic)
        sessions, accounts = SessionEndpoints(self.world), AccountEndpoints(self.world)
        self.streams = Streams(
            self.world,
            self.login,
            self._lock,
            accounts=accounts.account_list,
            bars=self._history.body,
            validation=sessions.validation,
        )
        self.routes = RouteTable(
            [
                *self.login.routes(),
                *sessions.routes(),
                *self.streams.routes(),
                *accounts.routes(),
                *routes_beside_trading(self.world),
                *PortfolioEndpoints(self.world).routes(),
                *ContractEndpoints(self.world).routes(),
                *MarketDataEndpoints(self.world).routes(),
                *self._history.routes(),
                *ScannerEndpoints(self.world, self._history.is_hmds_open).routes(),
                *self._orders.routes(),
            ]
        )
        self.meter = Meter(options)
        self.faults = FaultBox(self.routes)
        self.streams.spoiler = Spoiler(self.world, self.faults)
        self._inflictor = Inflictor(
            world=self.world,
            login=self.login,
            token_names=self.routes.token_names,
            meter=self.meter,
            wall=self._clock.monotonic,
        )
        self.requests: Counter[str] = Counter()
        self.requests_log: deque[dict[str, Any]] = deque(maxlen=_LOG_ROWS)

    # The door.

    def peek(self, method: str, path: str) -> WireFault | None:
        """Use up a fault that strikes before the body is read.

        A server asks this as soon as it has read the head of a request; ``path`` is raw, from
        the root. A call that is struck never reaches :meth:`handle` and is not processed.
        """
        with self._lock:
            below, found = self._place(method, path)
            if below is None:
                return None
            return self._strike_unread(method, below, found)

    def greet(self) -> HelloFault | None:
        """Use up a fault that strikes the TLS handshake of a new connection.

        The control room is reached in plain http on the same port, which has none.
        """
        with self._lock:
            armed = self.faults.take_handshake(self.world.now)
            return inflict.hello(armed) if armed else None

    def handle(self, request: Request) -> Answer:
        """Answer one request; safe to call from any thread."""
        with self._lock:
            if request.path.startswith("/simulator/"):
                done = self.control.serve(request)
                self.streams.look()
                return done
            self.world.skew = 0.0
            below, found = self._place(request.method, request.path)
            answer = self.login.page(request) if below is None else self._api(request, below, found)
            self.streams.look()
            date = format_datetime(self.world.wall(), usegmt=True)
            return attrs.evolve(answer, headers=(*answer.headers, ("Date", date)))

    def open_stream(
        self,
        *,
        query: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Socket:
        """Open a stream without a socket, as an upgrade of ``GET /v1/api/ws`` would.

        Raises:
            StreamRefusedError: It was answered instead; the answer is in ``answer``.
        """
        cookie = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        bare = {"upgrade": "websocket"} | ({"cookie": cookie} if cookie else {})
        request = Request(
            method="GET",
            path="/v1/api/ws",
            query=tuple((query or {}).items()),
            headers=bare | {name.lower(): value for name, value in (headers or {}).items()},
        )
        answer = self.handle(request)
        if not isinstance(answer.stream, Socket):
            raise StreamRefusedError(answer)
        return answer.stream

    def _place(self, method: str, path: str) -> tuple[str | None, Found]:
        """The path below the API root and its endpoint; a path of neither root has none."""
        for root in _ROOTS:
            if path.startswith(root):
                below = f"/{path.removeprefix(root)}"
                return below, self.routes.find(method, below)
        found = self.routes.find(method, path, at_origin=True)
        return (path if found else None), found

    def _strike_unread(self, method: str, below: str, found: Found) -> WireFault | None:
        name = f"{method} {found[0].template if found else below}"
        strike = self.faults.take(name, self.world.now, unread=True)
        if strike is None:
            return None
        strike.land()
        self._log(name, below, 0, strike)
        return inflict.wire(strike.armed)

    def _api(self, request: Request, below: str, found: Found) -> Answer:
        unread = self._strike_unread(request.method, below, found)
        if unread is not None:
            return Answer(wire=unread)
        now = self.world.settle()
        template = found[0].template if found else below
        name = f"{request.method} {template}"
        self.requests[name] += 1
        self.world.skew = self.faults.skew(name, now)
        if self.meter.arrive(request.method, template, self._clock.monotonic()):
            answer = answers.refusal("Too Many Requests", 429)
            self._log(name, below, answer.status, None)
            return answer
        if self.auth == "gateway":  # a login by token counts only who is let in
            self.world.sessions.touch(now)
        strike = self.faults.take(name, now, unread=False)
        call = Call(request=request, template=template, parts=found[1] if found else {})
        answer = self._strike(strike, call, found[0] if found else None)
        self.streams.keep(answer)
        self._log(name, below, answer.status, strike, call.twists.get("refused"))
        return answer

    def _strike(self, strike: Strike | None, call: Call, route: Route | None) -> Answer:
        """Serve a call, with the fault that it has met."""
        if strike is None:
            return self._serve(call, route)
        answer = self._inflictor.before(strike, call)
        if answer is None:
            answer = self._inflictor.after(strike, call, self._serve(call, route))
        strike.settle()
        return answer

    def _serve(self, call: Call, route: Route | None) -> Answer:
        name = f"{call.request.method} {call.template}"
        self.control.run_triggers(name, after=False)
        away = windows.away(call.template, self.world.now, self.world.options)
        if away is not None:
            return away
        try:
            if route is None or not (route.hands_out_tokens or route.checks_itself):
                self.login.check(call)
            if call.template != _REPLY:
                self.world.dialogues.kill(strict_only=True)
            lacking = missing(self.world.sessions, route)
            if lacking is not None or route is None:
                return lacking or answers.not_found()
            answer = route.serve(call)
        except NotLetInError as refused:
            call.twists["refused"] = str(refused)
            return refused.answer
        except RefusalError as refused:
            answer = refused.answer
        self.control.run_triggers(name, after=True)
        return answer

    def _log(
        self, name: str, path: str, status: int, strike: Strike | None, refused: str | None = None
    ) -> None:
        self.requests_log.append(
            {
                "at": round(self._clock.monotonic(), 6),
                "time": self.world.now.isoformat(),
                "name": name,
                "path": path,
                "status": status,
                "fault": strike.armed.fault if strike and strike.has_landed else None,
                **({"refused": refused} if refused else {}),
            }
        )

    # The control room, in Python.

    def ledger(self) -> dict[str, Any]:
        """What the broker holds and has seen; after letting the market run until now."""
        with self._lock:
            self.world.settle()
            return {
                **broker_ledger(self.world),
                "streams": self.streams.as_json(),
                "requests": dict(sorted(self.requests.items())),
                "requests_log": list(self.requests_log)[-_LOG_TOLD:],
                "pacing_breaches": list(self.meter.breaches),
                "faults": [one.as_json() for one in self.faults.armed],
            }

    def arm(self, wishes: Mapping[str, Any]) -> Armed:
        """Arm a fault; the keys are those of ``POST /simulator/faults``."""
        with self._lock:
            return self.faults.arm(wishes, self.world.now)

    def set_price(
        self,
        conid: int,
        last: Decimal,
        *,
        walk: bool = False,
        bid: Decimal | None = None,
        ask: Decimal | None = None,
    ) -> None:
        """Move a price; orders that it reaches trade at once."""
        with self._lock:
            now = self.world.settle()
            if any(one is not None and one <= 0 for one in (last, bid, ask)):
                raise WishError("a price is above nothing")
            if bid is not None and ask is not None and bid > ask:
                raise WishError("the bid is not above the ask")
            self.world.prices.set(self._instrument(conid), last, now, walks=walk, bid=bid, ask=ask)
            self.world.book.nudge(now)

    def advance(self, seconds: float) -> datetime:
        """Move the market and session clock ahead."""
        with self._lock:
            self.world.settle()
            self.world.clock.advance(seconds)
            return self.world.settle()

    def set_options(self, changes: Mapping[str, Any]) -> None:
        """Set switches; a login or an account that is switched on is there at once."""
        with self._lock:
            now = self.world.settle()
            self.world.options.update(changes)
            self.world.fillers.fill_up()
            for account_id in self.world.options.accounts:
                if account_id not in self.world.accounts:
                    self.world.open_account(account_id, now)
            logged_in = self.world.sessions.is_logged_in
            if self.auth == "gateway" and changes.get("logged_in", logged_in) != logged_in:
                self.change_session("login" if changes["logged_in"] else "logout", None)
            self.world.book.nudge(now)

    def reset(self, seed: int | None = None, options: Mapping[str, Any] | None = None) -> None:
        """Make a fresh world: new market, empty books, nothing armed, nothing counted."""
        with self._lock:
            fresh = Options()
            fresh.update(options or {})
            if seed is not None:
                self.seed = int(seed)
            self._options |= dict(options or {})
            self.control.triggers.clear()
            self.streams.close_all()
            self._build(Options())

    def place_foreign(self, row: Mapping[str, Any]) -> list[int]:
        """Enter an order that some other program or a person has placed."""
        with self._lock:
            check_types(dict(row))
            account = row.get("acctId", self.account)
            ticket = self.world.reader(account).read(row)
            if not isinstance(ticket, Ticket):
                raise WishError(ticket.text)
            now = self.world.settle()
            parent = self.world.book.find(ticket.parent, account) if ticket.parent else None
            order = self.world.book.enter(ticket, now, parent=parent)
            order.foreign = True
            self.world.book.nudge(now)
            return [order.order_id]

    def fill(self, reference: str, size: Decimal | None = None) -> None:
        """Fill an order now, by id or client order id."""
        with self._lock:
            now = self.world.settle()
            if size is not None and size <= 0:
                raise WishError("what fills is more than nothing")
            for account_id in self.world.accounts:
                order = self.world.book.find(reference, account_id)
                if order is not None:
                    self.world.book.force(order, now, size)
                    return
            raise LookupError(f"there is no order {reference}")

    def seed_position(
        self, conid: int, quantity: Decimal, *, price: Decimal | None = None, account: str | None = None
    ) -> None:
        """Give an account a position from before; at the last price if none is given."""
        with self._lock:
            instrument = self._instrument(conid)
            owner = self.world.accounts.get(account or self.account)
            if owner is None:
                raise LookupError(f"there is no account {account}")
            if price is not None and price <= 0:
                raise WishError("a price is above nothing")
            owner.seed(instrument, quantity, price or self.world.last(instrument))

    def change_session(self, action: str, seconds: float | None = None) -> None:
        """Log in or out, lose the brokerage session, or let another login take it."""
        with self._lock:
            sessions, now = self.world.sessions, self.world.now
            if self.auth != "gateway" and action in _OF_TOKENS:
                if action != "revoke":
                    self.world.options.credentials_active = action == "enable"
                if action != "enable":
                    self.world.tokens.end_all("revoked", now)
            elif action == "login" and self.auth == "gateway":
                sessions.log_in(now)
            elif action == "logout":
                sessions.log_out("control room", now)
            elif action == "drop":
                sessions.drop("control room", now)
            elif action == "rival":
                sessions.take_over(now, seconds)
            elif action == "rival_leaves":
                sessions.rival = sessions.rival_until = None
            elif action == "restart":
                sessions.restart(now)
            else:
                first = "login" if self.auth == "gateway" else ", ".join(_OF_TOKENS)
                raise WishError(f"action is {first}, logout, drop, rival, rival_leaves or restart")

    def authorise(self, token: str) -> str:
        """Agree, as the user, to a third party's request token; answer the verifier."""
        with self._lock:
            return self.login.authorise(token)

    def _instrument(self, conid: int) -> Instrument:
        found = self.world.catalogue.find(conid)
        if found is None:
            raise LookupError(f"there is no conid {conid}")
        return found
