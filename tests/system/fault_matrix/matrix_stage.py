"""The stage of one cell: a fresh broker, in process or over sockets, and an exchange before it."""

from __future__ import annotations

import itertools
import logging
import shutil
import socket
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from matrix_calls import AAPL
from matrix_faults import Cell
from matrix_rows import Row

from adapter.worlds import Doorway, credentials
from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer
from ibkr_adapter.tls import Trust
from ibkr_adapter.transport import RequestsTransport
from thoroughly import MEMORY

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
THANKSGIVING = date(2026, 11, 26)
# No secret is needed by the gateway, so one is planted where one can be given.
CANARY = "canary-5d0e7c1b9a3f48e2"


class Ears(logging.Handler):
    """Keeps all that the library logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.__dict__!r}")


class Stage:
    """One simulated broker, reset for every cell."""

    def __init__(self, login: str = "gateway", *, sockets: bool = False) -> None:
        self.login = login
        self.clock = ManualClock(START, jump=True)
        self.gateway = Gateway(
            self.clock,
            auth=login,
            credentials=credentials(login),
            options={"query_signing": "documented", "pacing": not sockets},
        )
        self.doorway = Doorway(self.gateway)
        self.server = SimulatorServer(self.gateway, clock=self.clock) if sockets else None
        self.url = self.server.start() if self.server else "http://127.0.0.1:5000/v1/api"
        self.ears = Ears()
        logger = logging.getLogger("ibkr_adapter")
        self._level = logger.level
        logger.addHandler(self.ears)
        logger.setLevel(logging.DEBUG)
        self.folder = Path()

    @property
    def secrets(self) -> list[str]:
        """What nobody may see, in the pieces in which it could be seen."""
        told = [
            line
            for name, value in self.gateway.credentials.items()
            if name
            in {"signature_key", "encryption_key", "private_key", "access_token", "access_token_secret"}
            for line in str(value).splitlines()
            if len(line) > 12 and not line.startswith("-----")
        ]
        return [CANARY, *told]

    def set(self, row: Row) -> tuple[IBKRExchange, str]:
        """Make the world in which a row is called; answer the exchange and the id of what rests."""
        self._wait_for_the_port()
        if self.clock.now().hour >= START.hour + 3:
            # The calls take their time, and the market must not close upon them.
            morning = self.clock.now().replace(hour=START.hour, minute=0, second=0) + timedelta(days=1)
            while morning.weekday() > 4 or morning.date() == THANKSGIVING:
                morning += timedelta(days=1)
            self.clock.sleep((morning - self.clock.now()).total_seconds())
        self.gateway.reset()
        self.ears.lines.clear()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        numbers = itertools.count(1)
        doors = Doors(
            clock=self.clock, transport=self._transport, new_id=lambda: f"{next(numbers):08d}", environ={}
        )
        given = {
            "base_url": self.url,
            "state_dir": str(self.folder),
            "webhook_secret": CANARY,
            "answer_messages": row.answers,
            **self.gateway.credentials,
        }
        exchange = IBKRExchange(given, doors=doors)
        if row.held:
            self.gateway.seed_position(AAPL, row.held)
        order = ""
        if not row.cold:
            exchange.open()
            exchange.contracts.resolve("AAPL")
        if row.resting:
            order = exchange.place_limit_order("AAPL", "buy", 2, 163)["orderId"]
        if row.first is not None:
            order = row.first(exchange)
        self.gateway.requests_log.clear()
        return exchange, order

    def run(self, row: Row, exchange: IBKRExchange, order: str) -> tuple[Any, float]:
        """Call a row; answer what came of it, an exception too, and the seconds it took."""
        started = self.clock.monotonic()
        try:
            outcome: Any = row.call(exchange, order)
        except Exception as failure:  # noqa: BLE001  (which ones may come is what is tested)
            outcome = failure
        return outcome, self.clock.monotonic() - started

    def met(self) -> list[str]:
        """The endpoints that were called since the stage was set, each once."""
        return list(dict.fromkeys(row["name"] for row in self.gateway.requests_log))

    def mend(self, cell: Cell) -> None:
        """End what the fault has broken, as time would."""
        self.gateway.faults.clear()
        if cell.fault == "F07":
            self.gateway.change_session("rival_leaves", None)
        if cell.fault in {"F07", "F08", "F09", "F10"}:
            self.clock.sleep(1200)  # the penalty box, and what the call itself took
        self._wait_for_the_port()

    def clear(self, exchange: IBKRExchange) -> None:
        exchange.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        logger = logging.getLogger("ibkr_adapter")
        logger.removeHandler(self.ears)
        logger.setLevel(self._level)
        if self.server is not None:
            self.server.stop()
        self.clock.close()

    def _transport(self, _settings: object, clock: Any) -> Any:
        if self.server is None:
            return self.doorway
        trust = Trust(fingerprint=None, ca_file=None, verify=True)
        return RequestsTransport(clock, trust=trust, user_agent="test", read_timeout=0.2)

    def _wait_for_the_port(self) -> None:
        """A refusing port opens again by itself a moment later."""
        if self.server is None:
            return
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.server.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("the simulator does not listen")
