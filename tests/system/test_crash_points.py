"""F21: wherever a process dies in the course of an order, the next one accounts for it.

No order is sent twice, none is lost, and ours are known as ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="processes are forked")


@pytest.fixture
def broker():
    gateway = Gateway(SystemClock(), options={"questions": True, "pacing": False})
    with SimulatorServer(gateway) as server:
        yield gateway, server.url


def run(broker, tmp_path, scenario):
    """Let it die everywhere; return the deaths, and what was found after each."""
    gateway, url = broker
    done = subprocess.run(  # noqa: S603  (our own interpreter and text)
        [sys.executable, str(Path(__file__).parent / "crashing.py"), url, str(tmp_path), scenario],
        check=False,
        capture_output=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr.decode()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    rounds = [
        {**death, **after, "coid": f"ibka-{scenario}-{at}-1"}
        for at, (death, after) in enumerate(zip(lines[::2], lines[1::2], strict=True))
    ]
    return rounds, gateway.ledger()["orders"]


def with_legs(orders, coid):
    parents = [row for row in orders if row["coid"] == coid]
    ids = {row["order_id"] for row in parents}
    return parents, [row for row in orders if row["order_id"] in ids or row["parent_id"] in ids]


@pytest.mark.parametrize(
    ("scenario", "course", "legs"),
    [
        ("limit", ["a write", "POST orders", "a write"], 1),
        ("question", ["a write", "POST orders", "a write", "a write", "POST reply", "a write"], 1),
        ("bracket", ["a write", "POST orders", "a write"], 3),
    ],
)
def test_an_order_is_accounted_for_wherever_its_process_died(broker, tmp_path, scenario, course, legs):
    rounds, orders = run(broker, tmp_path, scenario)

    assert rounds[-1]["after"][: len(course)] == course
    assert rounds[-1]["died before"] is None
    booked = 0
    for one in rounds:
        parents, ours = with_legs(orders, one["coid"])
        assert len(parents) <= 1, one
        assert len(ours) in {0, legs}, one
        assert {str(row["order_id"]) for row in ours} <= set(one["placed"]), one
        assert one["unsettled"] == 0, one
        *before, new = one["entries"]
        assert new == ["place", "accepted", "placed"], one
        ends = [ended for _, _, ended in before]
        if not one["after"] and one["died before"]:
            assert (ends, ours) == ([], []), one
        else:
            assert ends == (["placed"] if ours else ["absent"]), one
        booked += bool(ours)
    # Everything after the last request found it, nothing before it did.
    last = max(at for at, what in enumerate(course) if what.startswith("POST"))
    assert booked == len(rounds) - last - 1


def test_a_cancel_is_accounted_for_wherever_its_process_died(broker, tmp_path):
    rounds, orders = run(broker, tmp_path, "cancel")

    assert rounds[-1]["after"][:3] == ["a write", f"DELETE {rounds[-1]['placed'][0]}", "a write"]
    for at, one in enumerate(rounds):
        ((row,), _) = with_legs(orders, one["coid"])
        assert row["status"] == ("Cancelled" if at > 1 else row["status"])
        assert at > 1 or row["status"] != "Cancelled"
        assert one["unsettled"] == 0
        assert [ended for kind, _, ended in one["entries"] if kind == "cancel"] == ["seen"][: at or 0]
