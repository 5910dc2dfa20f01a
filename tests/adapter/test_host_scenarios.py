"""What a host does, without sockets and without waiting; the same scenarios run over every transport."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import pytest
from worlds import World

from ibkr_adapter.errors import IBKRError
from ibkr_adapter.host.executor import TradeExecutor

sys.path.append(str(Path(__file__).parents[1] / "system"))
from host_scenarios import SCENARIOS, Control, Failure, play


class InProcess:
    """A client in the same thread; a restart is other objects on the same state folder."""

    def __init__(self, world, settings):
        self._world = world
        self._settings = settings
        self._exchange = world.exchange(**settings)

    def call(self, method, *args):
        return self._tell(lambda: getattr(self._exchange, method)(*args))

    def webhook(self, payload, *, webhook_id=None):
        executor = TradeExecutor(self._exchange, clock=self._world.clock)
        return self._tell(lambda: executor.execute_webhook(payload, webhook_id=webhook_id))

    def restart(self):
        self._exchange.close()
        self._exchange = self._world.exchange(**self._settings)

    def close(self):
        self._exchange.close()

    @staticmethod
    def _tell(work):
        try:
            return json.loads(json.dumps(work()))
        except IBKRError as error:
            raise Failure(type(error).__name__, str(error)) from error


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_host_finds_at_the_broker_what_it_asked_for(tmp_path, scenario):
    world = World(tmp_path)

    try:
        play(scenario, functools.partial(InProcess, world), Control(world.gateway))
    finally:
        world.close()
