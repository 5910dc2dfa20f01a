"""An object of a host's: its settings, its hold on a shared connection, its typed desks.

Free to make and to throw away. The connection is taken with the first call and let go by
:meth:`Linked.close`; what is done with it is for :mod:`ibkr_adapter.exchange`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qsl

import attrs

from ibkr_adapter.embedded import NOWHERE, EmbeddedSimulator
from ibkr_adapter.errors import ApiError, ConfigurationError, InvalidRequest, quoted
from ibkr_adapter.model.kinds import check_callable
from ibkr_adapter.settings import Settings

# A host imports this room when it starts and may never use it, so the rooms below are loaded with
# the first call; that halves what the import costs.
if TYPE_CHECKING:
    from ibkr_adapter.account_desk import AccountDesk
    from ibkr_adapter.advisers import Advisers
    from ibkr_adapter.alerts import Alerts
    from ibkr_adapter.catalogue import Catalogue
    from ibkr_adapter.client import Call
    from ibkr_adapter.conids import ConidResolver
    from ibkr_adapter.connection import Connection
    from ibkr_adapter.doors import Doors
    from ibkr_adapter.forecasts import Forecasts
    from ibkr_adapter.market_data import MarketData
    from ibkr_adapter.notifications import Notifications
    from ibkr_adapter.portfolio_desk import PortfolioDesk
    from ibkr_adapter.session import SessionKeeper
    from ibkr_adapter.streaming.desk import StreamDesk
    from ibkr_adapter.streaming.mirror import Mirror
    from ibkr_adapter.sweeps import Desk
    from ibkr_adapter.watchlists import Watchlists

D = TypeVar("D", bound="AccountDesk")


class Linked:
    """What every method needs: settings, one connection, the desks on it."""

    exchange_name = "ibkr"

    def __init__(
        self,
        config: Settings | Mapping[str, Any],
        *,
        user: str | None = None,
        doors: Doors | None = None,
        simulator: EmbeddedSimulator | None = None,
    ) -> None:
        self.config = config
        self.settings = Settings.of(config)
        self._user = user
        self._doors = doors
        self._simulator = simulator
        self._process = os.getpid()
        self._connection: Connection | None = None
        self._trading: Desk | None = None
        self._stream: StreamDesk | None = None
        self._desks: dict[type, AccountDesk] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.settings.auth_method} {self.settings.base_url}>"

    @classmethod
    def from_env(cls) -> Self:
        """Read the settings from the ``IBKR_ADAPTER_`` variables."""
        return cls(Settings.from_env())

    @classmethod
    def simulated(
        cls,
        *,
        seed: int = 7,
        tls: bool = False,
        simulator_options: Mapping[str, Any] | None = None,
        doors: Doors | None = None,
        **settings: Any,
    ) -> Self:
        """Make an exchange that owns an embedded simulator on a free loopback port.

        Use it as a context manager; the simulator starts with the first call and ends with it.

        Args:
            seed: Decides how prices move.
            tls: Whether the simulator speaks https, with a certificate that is pinned.
            simulator_options: Switches of the simulator; docs/simulator.md lists them.
            doors: Another clock, for tests.
            settings: Settings of the exchange; an ``auth_method`` is that of the simulator too.
        """
        from ibkr_adapter.doors import Doors as FreshDoors  # noqa: PLC0415  (loaded with the first call)

        through = doors or FreshDoors()
        config = Settings.of({**settings, "base_url": NOWHERE})
        simulator = EmbeddedSimulator(
            through.clock, seed=seed, tls=tls, auth=config.auth_method.value, options=simulator_options
        )
        # Its market has a day of its own, which is not the machine's.
        # Nobody else can be at its sessions either.
        through = attrs.evolve(through, market_time=simulator.market_time, across_processes=False)
        return cls({**settings, "base_url": NOWHERE}, doors=through, simulator=simulator)

    @property
    def simulator(self) -> EmbeddedSimulator:
        """The embedded simulator's control room, where there is one."""
        if self._simulator is None:
            raise ConfigurationError(
                "this exchange has no simulator.", remedy="Make it with IBKRExchange.simulated()."
            )
        return self._simulator

    # Life ---------------------------------------------------------------------------------

    def get_exchange_name(self) -> str:
        """``ibkr``."""
        return self.exchange_name

    def open(self) -> Self:
        """Log in now instead of at the first call."""
        link = self._link()
        link.session.ensure(link.clock.monotonic() + self.settings.order_deadline)
        return self

    def close(self) -> None:
        """Let go of the connection; it ends with its last object, and the user stays logged in."""
        self._leave_to_parent()
        connection, self._connection, self._trading = self._connection, None, None
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self._desks = {}
        if connection is not None:
            from ibkr_adapter.connections import shared  # noqa: PLC0415  (loaded with the first call)

            shared.release(connection, self)
            if self._simulator is not None and self._doors is not None:
                shared.forget(self._doors)
        if self._simulator is not None:
            self._simulator.stop()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Typed desks --------------------------------------------------------------------------

    @property
    def contracts(self) -> ConidResolver:
        """Contracts and their rules by name."""
        return self._link().conids

    @property
    def orders(self) -> Desk:
        """Orders of this account as values."""
        link = self._link()
        if self._trading is None:
            from ibkr_adapter.sweeps import Desk  # noqa: PLC0415  (loaded with the first call)

            self._trading = Desk(link, self.settings)
        return self._trading

    @property
    def portfolio(self) -> PortfolioDesk:
        """Accounts, positions, balances, profit and performance as values."""
        from ibkr_adapter.portfolio_desk import PortfolioDesk  # noqa: PLC0415  (loaded with the first call)

        return self._desk(PortfolioDesk)

    @property
    def alerts(self) -> Alerts:
        """Alerts of this account."""
        from ibkr_adapter.alerts import Alerts  # noqa: PLC0415  (loaded with the first call)

        return self._desk(Alerts)

    @property
    def watchlists(self) -> Watchlists:
        """Watchlists of the user."""
        from ibkr_adapter.watchlists import Watchlists  # noqa: PLC0415  (loaded with the first call)

        return self._desk(Watchlists)

    @property
    def notifications(self) -> Notifications:
        """Notices to the user (FYI)."""
        from ibkr_adapter.notifications import Notifications  # noqa: PLC0415  (loaded with the first call)

        return self._desk(Notifications)

    @property
    def advisers(self) -> Advisers:
        """Groups of an adviser's sub-accounts."""
        from ibkr_adapter.advisers import Advisers  # noqa: PLC0415  (loaded with the first call)

        return self._desk(Advisers)

    @property
    def forecasts(self) -> Forecasts:
        """Event contracts by category and market."""
        from ibkr_adapter.forecasts import Forecasts  # noqa: PLC0415  (loaded with the first call)

        return self._desk(Forecasts)

    @property
    def catalogue(self) -> Catalogue:
        """Lists, calendars, rates, and the login as a whole."""
        from ibkr_adapter.catalogue import Catalogue  # noqa: PLC0415  (loaded with the first call)

        return self._desk(Catalogue)

    @property
    def market_data(self) -> MarketData:
        """Quotes as values."""
        return self._link().market_data

    @property
    def stream(self) -> StreamDesk:
        """What IBKR sends by itself: quotes, orders, trades and more, as events."""
        link = self._link()
        if self._stream is None:
            from ibkr_adapter.streaming.desk import StreamDesk  # noqa: PLC0415  (loaded with the first call)
            from ibkr_adapter.wire import endpoints  # noqa: PLC0415  (loaded with the first call)

            def permit() -> None:
                self.orders.check_request(endpoints.NOTIFICATION)

            self._stream = StreamDesk(link.feed, link, self.settings, permit)
        return self._stream

    @property
    def session(self) -> SessionKeeper:
        """The two sessions: their state, and who is told of changes."""
        return self._link().session

    def request(
        self, method: str, path: str, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> Any:
        """Call any endpoint: signed, paced and deciphered.

        Args:
            method: The HTTP verb.
            path: The path below ``/v1/api``; a query behind it counts as ``params``.
            params: Query parameters, which go before those in ``path``; ``None`` leaves one out.
            json: The body.

        Returns:
            The answer's JSON. What changes state at the broker is sent once, whatever comes back.

        Raises:
            InvalidRequest: It is no call that could be sent; nothing was sent.
            GuardrailRefused: It could go past a guardrail; nothing was sent.
            ConfigurationError: It could place an order on a live account, and ``environment`` does not say
                ``production``; nothing was sent.
            IBKRError: As its name says; ``OutcomeUnknown`` where a change was sent and not answered.
        """
        from ibkr_adapter.own_orders import checked_id  # noqa: PLC0415  (loaded with the first call)
        from ibkr_adapter.wire import endpoints  # noqa: PLC0415  (loaded with the first call)

        method, bare = endpoints.checked(method, path)
        if params is not None and not isinstance(params, Mapping):
            raise InvalidRequest(f"params={quoted(params)} is no mapping; nothing was sent.")
        endpoint = endpoints.find(method, bare)
        values = endpoints.values(endpoint, bare)
        written = dict(parse_qsl(path.partition("?")[2].partition("#")[0], keep_blank_values=True))
        query = {name: value for name, value in {**written, **(params or {})}.items() if value is not None}
        if "orderId" in values:
            # IBKR cancels *everything* for the id -1, by this road too.
            values["orderId"] = checked_id(values["orderId"])
        if "alertId" in values:
            # IBKR deletes *every* alert for the id 0.
            from ibkr_adapter.alerts import checked_alert  # noqa: PLC0415  (loaded with the first call)

            values["alertId"] = str(checked_alert(values["alertId"]))
        if endpoint.changes_state or endpoint in endpoints.ABOUT_QUESTIONS:
            self.orders.check_request(endpoint, values.get("accountId"))
        if not endpoint.changes_state:
            return self.session.read(endpoint, path=values, query=query, body=json)
        deadline = self._link().clock.monotonic() + self.settings.order_deadline
        answer = self.session.change(endpoint, path=values, query=query, body=json, deadline=deadline)
        if not 200 <= answer.status < 300 or answer.error:  # noqa: PLR2004  (HTTP's own numbers)
            raise ApiError(
                f"{endpoint.name} was answered with HTTP {answer.status}: {answer.error or 'no reason given'}",
                endpoint=endpoint.name,
                status=answer.status,
                text=answer.error or "",
            )
        return answer.content

    def on_call(self, listener: Callable[[Call], None]) -> Callable[[], None]:
        """Have ``listener`` told of every request; calling the answer ends that."""
        check_callable(listener, "listener")
        return self._link().client.listen(listener)

    def _mirror(self) -> Mirror | None:
        """What the stream keeps of this object's account, where it was asked to."""
        self._leave_to_parent()
        return self._stream.kept if self._stream is not None else None

    def _desk(self, kind: type[D]) -> D:
        link = self._link()
        made = self._desks.get(kind)
        if not isinstance(made, kind):
            made = self._desks[kind] = kind(link, self.settings)
        return made

    def _leave_to_parent(self) -> None:
        """Let go, in a forked child, of the connection and the desks that are its parent's."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._connection = self._trading = self._stream = None
            self._desks = {}

    def _link(self) -> Connection:
        self._leave_to_parent()
        if self._connection is None:
            from ibkr_adapter.connections import shared  # noqa: PLC0415  (loaded with the first call)
            from ibkr_adapter.doors import DEFAULT_DOORS  # noqa: PLC0415  (loaded with the first call)

            if self._simulator is not None and not isinstance(self.config, Settings):
                self.settings = self._simulator.start(self.config)
            self._connection = shared.connect(
                self.settings, self._doors or DEFAULT_DOORS, user=self._user, holder=self
            )
        return self._connection
