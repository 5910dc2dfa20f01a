"""Measure how much of the permitted rate is used, and whether it is ever exceeded.

Threads and processes of one login call a simulated broker over loopback sockets, whose own meter
counts what arrives when. Then the same on a clock that is moved by hand, with no margin: what the
arithmetic alone loses. Last, what a slot costs. Run it with ``python -m tests.benchmarks.pacing``.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from ibkr_adapter.clock import ManualClock, SystemClock
from ibkr_adapter.connections import shared
from ibkr_adapter.doors import Doors, throttle_of
from ibkr_adapter.errors import Throttled
from ibkr_adapter.neighbours import Neighbours
from ibkr_adapter.settings import Settings
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer
from ibkr_adapter.state import Store
from ibkr_adapter.throttle import SCHEMA_STEPS, SharedBook, Throttle
from ibkr_adapter.wire.endpoints import LEDGER

RATE = 10
SECONDS = 12.0
LEAST, LEAST_WITHOUT_MARGIN = 0.98, 0.995
# Name, processes, threads of each.
CROWDS = (
    ("one thread", 1, 1),
    ("8 threads", 1, 8),
    ("4 processes", 4, 1),
    ("4 processes of 4 threads", 4, 4),
)


def work(url: str, folder: str, threads: int) -> None:
    """Say when ready; then call as fast as the limits allow, between two moments that are read in."""
    settings = Settings.of({"base_url": url, "state_dir": folder})
    holder = Holder()
    connection = shared.connect(settings, Doors(), user=None, holder=holder)
    # The line is opened before the time counts, as in a program that runs.
    connection.client.call(LEDGER, path={"accountId": "DU1"}, deadline=time.monotonic() + 60)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    begin, until = map(float, sys.stdin.readline().split())
    time.sleep(max(0.0, begin - time.monotonic()))

    def call():
        while True:
            try:
                connection.client.call(LEDGER, path={"accountId": "DU1"}, deadline=until)
            except Throttled:
                return

    crowd = [threading.Thread(target=call) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    shared.release(connection, holder)


class Holder:
    """Somebody who holds a connection."""


class Counting(Gateway):
    """The simulated broker, which also notes when each request came."""

    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        self.came = []

    def handle(self, request):
        self.came.append(time.monotonic())
        return super().handle(request)


def share_of(came: list[float]) -> float:
    """The share of the rate in steady running: how long ten calls took on average, which may take a second."""
    spans = [later - earlier for earlier, later in zip(came, came[RATE:], strict=False)]
    return 1 / statistics.fmean(spans)


def over_sockets(*, processes: int, threads: int, seconds: float = SECONDS) -> tuple[float, int]:
    """Return the share of the permitted rate that arrived, and how many came too early."""
    gateway = Counting(SystemClock())
    with SimulatorServer(gateway) as server, tempfile.TemporaryDirectory() as folder:
        workers = []
        for _ in range(processes):
            worker = subprocess.Popen(  # noqa: S603  (our own interpreter and file)
                [sys.executable, "-m", "tests.benchmarks.pacing", server.url, folder, str(threads)],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            # One after the other: what starting takes is not measured here.
            worker.stdout.readline()
            workers.append(worker)
        begin = time.monotonic() + 1.2
        for worker in workers:
            worker.stdin.write(f"{begin} {begin + seconds}\n")
            worker.stdin.flush()
        for worker in workers:
            worker.communicate()
        breaches = gateway.ledger()["pacing_breaches"]
    return share_of([moment for moment in gateway.came if moment >= begin]), len(breaches)


def by_hand(*, threads: int, calls: int = 3000) -> float:
    """The same on a clock that jumps, without a margin, over a shared file: the arithmetic alone."""
    clock = ManualClock(datetime(2026, 11, 24, 15, tzinfo=UTC), jump=True)
    left = []
    with tempfile.TemporaryDirectory() as folder:
        stores = [Store(Path(folder), "pacing", steps=SCHEMA_STEPS) for _ in range(2)]
        throttles = [
            Throttle(
                clock,
                margin=0.0,
                book=SharedBook(
                    clock,
                    store=lambda store=store: store,
                    login="a",
                    host="b",
                    per_second=RATE,
                    margin=0.0,
                ),
            )
            for store in stores
        ]

        def call(number):
            throttle = throttles[number % 2]
            left.extend([throttle.acquire(LEDGER, deadline=math.inf) for _ in range(calls // threads)])

        crowd = [threading.Thread(target=call, args=(number,)) for number in range(threads)]
        for thread in crowd:
            clock.expect(thread)
        for thread in crowd:
            thread.start()
        with clock.aside():
            for thread in crowd:
                thread.join()
        for throttle in throttles:
            throttle.close()
    return share_of(sorted(left))


def slot_costs(rounds: int = 300) -> dict[str, float]:
    """Microseconds of one slot, taken and given back at once, where nobody waits."""
    clock, found = SystemClock(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, shares in (("own book", False), ("shared book", True)):
            settings = Settings.of({"state_dir": folder, "requests_per_second": 100})
            throttle = throttle_of(settings, Doors(clock=clock, across_processes=shares))
            spent = []
            for _ in range(rounds):
                started = time.perf_counter()
                with throttle.slot(LEDGER, deadline=math.inf):
                    pass
                spent.append(time.perf_counter() - started)
                time.sleep(0.011)
            throttle.close()
            found[name] = statistics.median(spent) * 1e6
        neighbours = Neighbours(clock, Path(folder), "a")
        spent = []
        for _ in range(rounds):
            started = time.perf_counter()
            neighbours.enter()
            neighbours.leave()
            spent.append(time.perf_counter() - started)
        found["looking for dialogues"] = statistics.median(spent) * 1e6
    return found


def main() -> int:
    kept = True
    for name, processes, threads in CROWDS:
        share, breaches = over_sockets(processes=processes, threads=threads)
        kept = kept and share >= LEAST and not breaches
        sys.stdout.write(f"{name:26} {share:7.2%} of the rate, {breaches} breaches\n")
    share = by_hand(threads=6)
    kept = kept and LEAST_WITHOUT_MARGIN <= share <= 1 + 1e-6
    sys.stdout.write(f"{'by hand, without margin':26} {share:7.2%} of the rate\n")
    for name, cost in slot_costs().items():
        sys.stdout.write(f"{name:26} {cost:5.0f} µs\n")
    sys.stdout.write(f"limits {LEAST:.0%} and {LEAST_WITHOUT_MARGIN:.1%}: {'kept' if kept else 'MISSED'}\n")
    return 0 if kept else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        sys.exit(0)
    sys.exit(main())
