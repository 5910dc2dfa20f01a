"""The example for a Node host, tried by Node's own test runner against the bridge and the simulated broker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bridge_clients import TOKEN, Broker, OverHttp, environment

from thoroughly import ALL

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")
# Without the switch: what needs no process that is killed.
QUICK = "it is the host|row of credentials|parallel first calls|what goes wrong|a number|acted on twice|two Node processes"
TRANSPORTS = ["http", "stdio"] if ALL else ["http"]

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_example_for_a_node_host_does_what_it_says(tmp_path, transport):
    """Its own runner tells which claim does not hold."""
    for source in (*(ROOT / "tests/node").glob("*.js"), ROOT / "examples/sparky/ibkrApi.js"):
        shutil.copy(source, tmp_path)
    broker = Broker()
    variables = {
        "SIMULATOR": broker.url,
        "STATE": str(tmp_path / "state"),
        "IBKR_BRIDGE_COMMAND": f"{sys.executable} -m ibkr_adapter bridge --stdio",
        "PYTHONPATH": str(ROOT),
    }
    bridge = OverHttp(here=not ALL) if transport == "http" else None
    if bridge is not None:
        variables |= {"IBKR_BRIDGE_URL": bridge.url, "IBKR_BRIDGE_TOKEN": TOKEN}
    try:
        done = subprocess.run(  # noqa: S603 - our own files
            [NODE, "--test", *([] if ALL else [f"--test-name-pattern={QUICK}"]), "bridge.test.js"],
            cwd=tmp_path,
            env=environment(**variables),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
    finally:
        if bridge is not None:
            bridge.close()
        broker.close()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout
