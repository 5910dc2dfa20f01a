"""A host finds the same at the broker whether it holds the library itself, over a pipe, or over HTTP."""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path

import pytest
from bridge_clients import Host
from host_scenarios import SCENARIOS, Control, play
from virtual_bridge import VirtualBroker, VirtualHttp, VirtualStdio

sys.path.append(str(Path(__file__).parents[1] / "adapter"))
from test_host_scenarios import InProcess
from worlds import World

# Names that are drawn by lot, and the moments of the day: they say nothing.
_VARYING = re.compile(r'"(clientOrderId|coid|webhookId)": "[^"]*"|"?\d{4}-\d\d-\d\d[T ][\d:.+Z]+"?')


@pytest.fixture(scope="module")
def bridges():
    """One process over each transport, for all scenarios: each has a broker and a state folder of its own."""
    found = {"stdio": VirtualStdio(), "http": VirtualHttp()}
    yield found
    for bridge in found.values():
        bridge.close()


def directly(scenario, folder):
    world = World(folder)
    try:
        return play(scenario, functools.partial(InProcess, world), Control(world.gateway))
    finally:
        world.close()


def over(bridge, scenario, folder):
    # The options are those of the world in which it is played directly.
    broker = VirtualBroker(bridge, options={"questions": True, "query_signing": "documented"})
    try:
        return play(
            scenario,
            lambda settings: Host(bridge, {"base_url": broker.url, "state_dir": str(folder), **settings}),
            broker,
        )
    finally:
        broker.close()


def told(course):
    """What must be the same."""
    # How often the session was kept alive depends on nothing but the time between two steps.
    requests = [each for each in course.requests if each[0] != "POST /tickle"]
    return _VARYING.sub("", json.dumps([course.answers, requests, course.end], default=str, indent=1))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_host_finds_the_same_however_it_reaches_the_library(bridges, tmp_path, scenario):
    """Its answers, every request that reached the broker, and what the broker has in the end."""
    wanted = told(directly(scenario, tmp_path / "directly"))

    found = {name: told(over(bridge, scenario, tmp_path / name)) for name, bridge in bridges.items()}

    assert found["stdio"] == wanted
    assert found["http"] == wanted
