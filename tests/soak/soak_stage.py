"""A broker over many days, and the processes of one host that come, die and come again.

All of it is in one process and in virtual time. A process that is killed writes nothing any more:
whatever it still does on its way out, its files are gone from under it, as after ``kill -9``.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ibkr_adapter import connections
from ibkr_adapter.clock import ManualClock
from ibkr_adapter.connections import Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.keeper import Keeper
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.state import StateUnavailable, Store
from tests.adapter.worlds import URL, Doorway

# A Tuesday, before the market opens in New York.
START = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
# IBKR ends a session after six idle minutes; a tickle a minute would cost most of the time here.
TICKLE_EVERY = 300.0


class Killed(BaseException):
    """The process is dead; nothing of it may go on."""


class Process:
    """One life of the host: an exchange, its line and its files."""

    def __init__(self, stage: Stage) -> None:
        self.alive = True
        self.kill_in: int | None = None
        self.kill_after_arrival = False
        self._stage = stage
        doors = Doors(
            clock=stage.clock,
            transport=lambda _settings, _clock: Line(self, stage.gateway),
            new_id=lambda: f"{next(stage.ids):08d}",
            store=lambda *given, **more: Mortal(self, *given, **more),
            environ={},
        )
        given = {"base_url": URL, "state_dir": str(stage.folder), "answer_messages": ["o163", "o383", "o451"]}
        self.exchange = IBKRExchange(given, doors=doors)

    def die(self) -> None:
        """Be gone: no more files, no lock, no tickles."""
        self.alive = False
        link = self.exchange._connection
        if link is not None:
            link._keeper.drop(link.session)
            link.journal.close()
            link.session.close()

    def close(self) -> None:
        """End in order."""
        self.exchange.close()


class Line(Doorway):
    """The way to the broker, on which a process can die before or after a request arrives."""

    def __init__(self, process: Process, gateway: Gateway) -> None:
        super().__init__(gateway)
        self._process = process

    def send(self, *given: Any, **more: Any) -> Any:
        """Hand a request over, unless this is where it ends."""
        process = self._process
        if not process.alive:
            raise Killed
        if process.kill_in is not None:
            process.kill_in -= 1
            if process.kill_in < 0:
                if process.kill_after_arrival:
                    self._arrive(*given, **more)
                process.alive = False
                raise Killed
        # What was sent is kept for other tests only, and days are long.
        self.sent.clear()
        self.headers.clear()
        self.answered.clear()
        return super().send(*given, **more)

    def _arrive(self, *given: Any, **more: Any) -> None:
        from ibkr_adapter.errors import TransportError

        try:
            super().send(*given, **more)
        except TransportError:
            return


class Mortal(Store):
    """A file that a dead process cannot touch."""

    def __init__(self, process: Process, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._process = process

    def _work(self, action: Any) -> Any:
        if not self._process.alive:
            raise StateUnavailable(self.path, "its process is dead")
        return super()._work(action)


class Stage:
    """The broker, the clock, the state folder and whichever process lives now."""

    def __init__(self, folder: Path, seed: int, options: dict[str, Any]) -> None:
        self.folder = folder
        self.clock = ManualClock(START, jump=True)
        self.gateway = Gateway(self.clock, seed=seed, options={"nightly_reset": True, **options})
        self.ids = itertools.count(1)
        connections.shared._keepers[self.clock] = Keeper(self.clock, every=TICKLE_EVERY)
        self.process = Process(self)

    @property
    def exchange(self) -> IBKRExchange:
        """That of the process that lives now."""
        return self.process.exchange

    def restart(self, *, killed: bool) -> None:
        """End the process, one way or the other, and begin another."""
        if killed:
            self.process.die()
        else:
            self.process.close()
        self.process = Process(self)

    def ledger(self) -> dict[str, Any]:
        """What the broker has."""
        return self.gateway.ledger()

    def close(self) -> None:
        """End everything."""
        self.process.close()
        self.clock.close()
