"""Start and stop an embedded Interactive Brokers: the simulator, on a free loopback port.

What runs against it runs over real sockets, so nothing but the settings changes when a gateway
takes its place. Needs the extra ``simulator``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ConfigurationError, quoted
from ibkr_adapter.settings import Settings

if TYPE_CHECKING:
    from ibkr_adapter.simulator.gateway import Gateway
    from ibkr_adapter.simulator.server import SimulatorServer

# Nobody listens there; the real address is known when the simulator has started.
NOWHERE = "http://127.0.0.1:1/v1/api"


class EmbeddedSimulator:
    """A simulated broker and its control room; it starts with the first call."""

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 7,
        tls: bool = False,
        auth: str = "gateway",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._clock = clock
        self._seed = _seed(seed)
        self._tls = tls
        self._auth = auth
        self._options = _options(options)
        self._gateway: Gateway | None = None
        self._server: SimulatorServer | None = None
        self._folder: TemporaryDirectory[str] | None = None

    @property
    def gateway(self) -> Gateway:
        """The simulated broker itself, for tests and demonstrations."""
        if self._gateway is None:
            raise ConfigurationError("the simulator is not running: open the exchange first.")
        return self._gateway

    def start(self, given: Mapping[str, Any]) -> Settings:
        """Start it, if it is not running, and return the settings that reach it."""
        if self._server is None:
            try:
                from ibkr_adapter.simulator.gateway import Gateway  # noqa: PLC0415  (needs the extra)
                from ibkr_adapter.simulator.options import OptionError  # noqa: PLC0415  (needs the extra)
                from ibkr_adapter.simulator.server import SimulatorServer  # noqa: PLC0415  (needs the extra)
            except ImportError as missing:
                raise ConfigurationError(
                    f"the simulator needs {missing.name}, which is not installed.",
                    remedy="Run: pip install 'ibkr-adapter[simulator]'",
                ) from missing
            try:
                self._gateway = Gateway(self._clock, seed=self._seed, auth=self._auth, options=self._options)
            except OptionError as wrong:
                raise ConfigurationError(
                    f"simulator_options: {wrong!s:.200}; the simulator was not started.",
                    remedy="docs/simulator.md lists them.",
                ) from None
            self._server = SimulatorServer(
                self._gateway, tls=self._tls, direct=self._auth != "gateway", clock=self._clock
            )
            self._server.start()
            self._folder = TemporaryDirectory(prefix="ibkr-simulated-")
        reach: dict[str, Any] = {**self.gateway.credentials, "base_url": self._server.url}
        if self._server.tls_fingerprint is not None:
            reach["tls_fingerprint"] = self._server.tls_fingerprint
        if self._folder is not None:
            reach["state_dir"] = self._folder.name
        return Settings.of({**given, **reach})

    def stop(self) -> None:
        """Stop it and remove its folder; a later start makes a fresh one."""
        server, self._server = self._server, None
        folder, self._folder = self._folder, None
        if server is not None:
            server.stop()
        if folder is not None:
            folder.cleanup()

    def set_price(self, conid: int, price: Decimal) -> None:
        """Move a price; it stays there."""
        self.gateway.set_price(conid, price)

    def advance(self, seconds: float) -> None:
        """Move the market and session clock."""
        self.gateway.advance(seconds)

    def market_time(self) -> datetime:
        """The time of the simulated market, by which it opens and closes."""
        return self.gateway.world.now

    def ledger(self) -> dict[str, Any]:
        """What the simulated broker has booked and was asked."""
        return self.gateway.ledger()


def _seed(seed: object) -> int:
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ConfigurationError(f"seed={quoted(seed)} is no whole number; the simulator was not started.")
    return seed


def _options(options: object) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ConfigurationError(
            f"simulator_options={quoted(options)} is no mapping; the simulator was not started.",
            remedy='Write {"cash": 50_000.0}, or leave them out.',
        )
    return dict(options)
