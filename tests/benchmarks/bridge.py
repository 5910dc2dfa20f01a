"""Time calls through the bridge: one after the other, fifty at once, and fifty beside a login that hangs.

The call is one without any work, so what is timed is the way there and back, through the threads of
its session. The broker of the login that hangs takes connections and never answers. Run it with
``python -m tests.benchmarks.bridge``.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import attrs

TOKEN = "a-token-of-more-than-thirty-two-characters"
ROUNDS, WARM_UP, AT_ONCE = 2000, 200, 50
# Milliseconds at the median, over a pipe.
LIMIT = 1.0


class Pipe:
    def __init__(self):
        self.process = _start("--stdio")
        self.lock = threading.Lock()
        self.ask("bridge.hello", protocol=1)

    def write(self, number, method, /, **params):
        frame = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.process.stdin.write(json.dumps(frame).encode() + b"\n")

    def ask(self, method, /, **params):
        self.write(0, method, **params)
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["result"]

    def close(self):
        _kill(self.process)

    def at_once(self, count, **params):
        for number in range(count):
            self.write(number, "session.call", **params)
        self.process.stdin.flush()
        for _ in range(count):
            assert "result" in json.loads(self.process.stdout.readline())


class Http:
    def __init__(self):
        self.process = _start("--http")
        self.url = urlsplit(json.loads(self.process.stdout.readline())["url"])
        self.own = threading.local()

    def ask(self, method, /, **params):
        line = getattr(self.own, "line", None)
        if line is None:
            line = self.own.line = http.client.HTTPConnection(self.url.hostname, self.url.port)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        frame = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        line.request("POST", self.url.path, json.dumps(frame), headers)
        return json.loads(line.getresponse().read())["result"]

    def write(self, _, method, /, **params):
        def forget():
            with contextlib.suppress(OSError, http.client.HTTPException, KeyError):
                self.ask(method, **params)

        threading.Thread(target=forget, daemon=True).start()

    def close(self):
        _kill(self.process)

    def at_once(self, count, **params):
        with ThreadPoolExecutor(count) as crew:
            list(crew.map(lambda _: self.ask("session.call", **params), range(count)))


def _start(*words):
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "ibkr_adapter", "bridge", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "IBKR_BRIDGE_TOKEN": TOKEN},
    )


def _kill(process):
    process.kill()
    process.communicate()


def timed(work):
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


@attrs.frozen
class Figures:
    """Milliseconds: a round trip at its percentiles, and so many calls at once, alone and beside a login that hangs."""

    tenth: float
    median: float
    last: float
    alone: float
    beside: float
    running: int
    waiting: int


def measured(make, config, *, rounds=ROUNDS, crowds=20) -> Figures:
    """Time one transport."""
    bridge = make()
    quick = bridge.ask("session.open", config=config, user="quick")["session"]
    hung = bridge.ask("session.open", config=config, user="hung")["session"]
    call = {"session": quick, "method": "getExchangeName"}

    def crowd():
        return statistics.median(timed(lambda: bridge.at_once(AT_ONCE, **call)) for _ in range(crowds))

    each = [timed(lambda: bridge.ask("session.call", **call)) for _ in range(WARM_UP + rounds)][WARM_UP:]
    alone = crowd()
    for number in range(20):
        bridge.write(f"hung {number}", "session.call", session=hung, method="getPositions")
    busy = next(one for one in bridge.ask("bridge.health")["sessions"] if one["session"] == hung)
    beside = crowd()
    bridge.close()

    parts = statistics.quantiles(each, n=100)
    return Figures(parts[9], parts[49], parts[98], alone, beside, busy["running"], busy["waiting"])


def main() -> int:
    deaf = socket.create_server(("127.0.0.1", 0), backlog=128)
    address = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/api"
    with tempfile.TemporaryDirectory() as folder:
        config = {"base_url": address, "state_dir": folder}
        found = {name: measured(make, config) for name, make in (("stdio", Pipe), ("http", Http))}
    for name, one in found.items():
        sys.stdout.write(
            f"{name:6} round trip {one.tenth:.2f} / {one.median:.2f} / {one.last:.2f} ms (10th, 50th, 99th percentile);"
            f" {AT_ONCE} at once {one.alone:.1f} ms; beside a login that hangs"
            f" ({one.running} calls at it, {one.waiting} behind them) {one.beside:.1f} ms\n"
        )
    kept = found["stdio"].median < LIMIT
    sys.stdout.write(f"limit {LIMIT} ms over a pipe: {'kept' if kept else 'MISSED'}\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
