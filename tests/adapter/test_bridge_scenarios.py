"""What a host does, through the bridge: the same scenarios as in the library's own process."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import pytest
from bridged import BridgeError, Session, Talk
from worlds import URL, World

from ibkr_adapter.host.bridge.dispatcher import Bridge
from ibkr_adapter.host.bridge.frames import camel

sys.path.append(str(Path(__file__).parents[1] / "system"))
from host_scenarios import SCENARIOS, Control, Failure, play


class OverFrames:
    """A client that knows frames only; a restart is another bridge on the same state folder."""

    def __init__(self, world, settings):
        self._world = world
        self._config = {"base_url": URL, "state_dir": str(world._folder), **settings}
        self._count = 0
        self._open()

    def _open(self):
        self._bridge = Bridge(version="test", doors=self._world.doors, environ={})
        self._session = Session(Talk(self._bridge, self._world.clock), self._config)

    def _ask(self, method, args):
        self._count += 1
        try:
            return self._session.call(method, *args, key=f"call-{self._count}")
        except BridgeError as error:
            raise Failure(error.type, str(error)) from error

    def call(self, method, *args):
        return self._ask(camel(method), args)

    def webhook(self, payload, *, webhook_id=None):
        return self._ask("executeWebhook", [json.loads(json.dumps(payload)), None, webhook_id])

    def restart(self):
        self._bridge.close()
        self._open()

    def close(self):
        self._bridge.close()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_host_in_another_language_finds_the_same_at_the_broker(tmp_path, scenario):
    world = World(tmp_path)

    try:
        play(scenario, functools.partial(OverFrames, world), Control(world.gateway))
    finally:
        world.close()
