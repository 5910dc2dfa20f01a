"""An exchange that brings its own Interactive Brokers: the embedded simulator.

It speaks HTTP over a real loopback socket, so a program that runs here runs against the gateway
with nothing but other settings. Needs the extra ``simulator``.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from ibkr_adapter.clock import Clock, SystemClock
from ibkr_adapter.connections import Doors
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.simulator.gateway import Gateway


class Simulator:
    """The embedded simulator's control room."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def set_price(self, conid: int, price: Decimal) -> None:
        """Move a price; it stays there."""
        self.gateway.set_price(conid, price)

    def advance(self, seconds: float) -> None:
        """Move the market and session clock."""
        self.gateway.advance(seconds)

    def ledger(self) -> dict[str, Any]:
        """What the simulated broker has booked and was asked."""
        return self.gateway.ledger()


class SimulatedExchange(IBKRExchange):
    """:class:`IBKRExchange` over an embedded simulator; a context manager."""

    def __init__(
        self,
        *,
        seed: int = 7,
        tls: bool = False,
        clock: Clock | None = None,
        simulator_options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        try:
            from ibkr_adapter.simulator.server import SimulatorServer  # noqa: PLC0415  (needs the extra)
        except ImportError as missing:
            raise ConfigurationError(
                "the simulator needs the extra of that name.",
                remedy="pip install 'ibkr-adapter[simulator]'",
            ) from missing
        self._clock = clock or SystemClock()
        gateway = Gateway(self._clock, seed=seed, options=simulator_options or {})
        self.simulator = Simulator(gateway)
        self._server = SimulatorServer(gateway, tls=tls, clock=self._clock)
        # The port is free until the server starts, so the settings are filled when it has.
        self._given = settings
        self._folder: TemporaryDirectory[str] | None = None
        super().__init__(
            {"base_url": "http://127.0.0.1:1/v1/api", **settings}, doors=Doors(clock=self._clock)
        )

    def open(self) -> Self:
        """Start the simulator and log in."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="ibkr-simulated-")
            url = self._server.start()
            trust = {} if self._server.ca_file is None else {"tls_fingerprint": self._server.tls_fingerprint}
            state = {"state_dir": str(Path(self._folder.name) / "state")}
            self.config = {**state, **self._given, **trust, "base_url": url}
            self.settings = type(self.settings).of(self.config)
        return super().open()

    def close(self) -> None:
        """Close the connection, stop the simulator, remove its folder."""
        super().close()
        self._server.stop()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
