"""The commands as people start them: a process, real sockets, real time."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request

import pytest
from typer.testing import CliRunner

from ibkr_adapter.cli.commands import app

COMMAND = [sys.executable, "-m", "ibkr_adapter"]


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_the_demonstration_works_for_people_and_for_programs():
    """Both run at once, each on a broker of its own."""
    before = set(threading.enumerate())
    program = start("demo", "--json")
    person = CliRunner().invoke(app, ["demo"])
    out, err = program.communicate(timeout=60)

    assert (program.returncode, err) == (0, "")
    report = json.loads(out)
    assert list(report) == ["webhooks", "orders", "positions", "balance", "requests"]
    assert [row["payload"]["secret"] for row in report["webhooks"]] == ["***"] * 4
    assert all(row["result"]["success"] for row in report["webhooks"])
    assert {row["symbol"]: row["positionAmt"] for row in report["positions"]} == {"AAPL": "100", "MSFT": "2"}
    assert (person.exit_code, person.stderr) == (0, "")
    assert person.stdout.count("filled: ") == 4
    assert "your-secret" not in person.stdout + out
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("words", [(), ("--tls",)])
def test_the_simulator_says_where_it_is_and_stops_when_told(words):
    """One line of JSON on standard output, the log on standard error, success at the end."""
    process = start("simulator", *words)
    try:
        ready = json.loads(process.stdout.readline())
        context = ssl.create_default_context(cafile=ready["ca_file"]) if words else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        request = urllib.request.Request(f"{ready['url']}/tickle", data=b"", method="POST")  # noqa: S310 - loopback
        with opener.open(request, timeout=10) as answer:
            status = answer.status
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert status == 200
    assert (ready["ready"], ready["pid"], ready["account"][:2]) == (True, process.pid, "DU")
    assert ready["url"].startswith("https://127.0.0.1:" if words else "http://127.0.0.1:")
    assert ("tls_fingerprint" in ready) is bool(words)
    assert (process.returncode, out) == (0, "")
