"""The gateway command over real processes, sockets and TLS, with a Java that is our simulator."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ibkr_adapter.cli.commands import app
from ibkr_adapter.cli.gateway import configuration
from ibkr_adapter.cli.gateway.installation import JAR, Java, find
from ibkr_adapter.cli.gateway.machine import Machine
from ibkr_adapter.cli.reach import Reach
from thoroughly import ALL

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the Java of this test is a script")
ROOT = Path(__file__).parents[2]
JAVA = """\
#!{python}
import re, sys
if "-version" in sys.argv:
    sys.stderr.write('openjdk version "17.0.9" 2023-10-17\\n')
    raise SystemExit(0)
assert sys.argv[-2:] == ["--conf", "../root/conf.yaml"]
from pathlib import Path
port = int(re.search("listenPort: ([0-9]+)", Path("root/conf.yaml").read_text())[1])
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import run
run(Gateway(SystemClock(), options={{"pacing": False}}), port=port, tls=True)
"""
CONF = "listenPort: 5000\nlistenSsl: true\nips:\n  allow:\n    - 127.0.0.1\n  deny:\n    - 212.90.324.10\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "clientportal.gw"
    (folder / "root").mkdir(parents=True)
    (folder / "root" / "conf.yaml").write_text(CONF)
    (folder / JAR).parent.mkdir()
    (folder / JAR).write_bytes(b"")
    java = tmp_path / "java"
    java.write_text(JAVA.format(python=sys.executable))
    java.chmod(0o755)
    return folder, java


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not ALL, reason="starts two programs; run with IBKR_TESTS_ALL=1")
def test_it_comes_up_is_pinned_and_goes_down_with_the_command(place, tmp_path):
    """From nothing to a session that a second command uses, and back."""
    folder, java = place
    port = free_port()
    environ = {key: value for key, value in os.environ.items() if not key.startswith("IBKR_ADAPTER_")}
    environ |= {"IBKR_ADAPTER_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": str(ROOT)}
    words = ["--folder", str(folder), "--java", str(java), "--port", str(port), "--write", "--no-browser"]
    command = subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, "-m", "ibkr_adapter", "gateway", "--json", *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    events = {}
    try:
        for line in command.stdout:
            event = json.loads(line)
            events[event["event"]] = event
            if event["event"] == "ready":
                break
        assert "ready" in events, command.stderr.read()
        reach = Reach(environ=environ | {"IBKR_ADAPTER_BASE_URL": f"https://localhost:{port}/v1/api"})
        told = CliRunner().invoke(app, ["doctor", "--json"], obj=reach)
    finally:
        command.send_signal(signal.SIGTERM)
        rest, said = command.communicate(timeout=30)

    steps = {step["stage"]: step for step in json.loads(told.stdout)["steps"]}
    assert (told.exit_code, command.returncode) == (0, 0), said
    assert steps["tls"]["facts"]["fingerprint"] == events["pinned"]["fingerprint"]
    assert steps["brokerage_session"]["verdict"] == "ok"
    assert '"event": "stopped"' in rest
    assert not alive(events["started"]["pid"])


def test_the_machine_finds_starts_and_ends_what_is_there(place, tmp_path, monkeypatch):
    """Its own Java first, and only the process that it started."""
    folder, java = place
    home = tmp_path / "jdk" / "bin"
    home.mkdir(parents=True)
    (home / "java").symlink_to(java)
    monkeypatch.setenv("JAVA_HOME", str(home.parent))
    monkeypatch.chdir(tmp_path)
    machine, log = Machine(), tmp_path / "logs" / "gateway.log"

    found = find(machine, java=None, folder=None)
    running = machine.start(["/bin/sh", "-c", "echo up; exec sleep 60"], tmp_path, log)
    before = running.ended()
    while "up" not in machine.tail(log):
        os.sched_yield()
    running.terminate()
    while running.ended() is None:
        os.sched_yield()
    running.kill()

    assert found.folder == folder
    assert found.java == Java(path=home / "java", version="17.0.9")
    assert (before, running.ended()) == (None, -signal.SIGTERM)
    assert log.stat().st_mode & 0o777 == 0o600
    assert machine.tail(tmp_path / "nothing") == ""
    assert configuration.read(folder).port == 5000


def test_a_port_is_listened_at_or_not():
    """And who speaks no TLS shows no certificate."""
    machine = Machine()
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        assert machine.listens(port)
    assert not machine.listens(port)
    assert machine.fingerprint(port) is None
