"""Time the contract cache: a cold open with one lookup, and warm lookups by name.

A file of 100 000 contracts is made first, outside the time. The cold open is what a process pays
for its first name after a restart: opening SQLite, its schema's version, the name, the contract.
Run it with ``python -m tests.benchmarks.contracts``.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.discovery.kept import SCHEMA_STEPS
from ibkr_adapter.state import Store

CONTRACTS = 100_000
COLD_LIMIT = 0.020
WARM_LIMIT = 5e-6
ROUNDS = 30
WARM_ROUNDS = 200_000
LAST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


class NoSession:
    """What is kept must not ask."""

    epoch = 0

    def read(self, *_, **__):
        raise AssertionError("the cache asked IBKR")


def fill(store: Store) -> None:
    with store.transaction():
        for number in range(1, CONTRACTS + 1):
            name = f"OPT:AAPL 2099-01-16 {number} C"
            row = {
                "conid": number,
                "symbol": "AAPL",
                "sec_type": "OPT",
                "exchange": "SMART",
                "currency": "USD",
                "multiplier": "100",
                "ticks": [["0", "0.01"]],
                "valid_exchanges": ["SMART", "CBOE", "AMEX", "PHLX"],
                "trading_class": "AAPL",
                "underlying_conid": 265598,
                "expiry": "20990116",
                "strike": str(number),
                "right": "C",
            }
            store.write("INSERT INTO contracts VALUES (?, ?)", (number, json.dumps(row)))
            store.write("INSERT INTO names VALUES (?, ?, ?)", (name, number, LAST))


def resolver(folder: Path) -> tuple[ConidResolver, Store]:
    store = Store(folder, "contracts", steps=SCHEMA_STEPS, disposable=True)
    return ConidResolver(clock=SystemClock(), session=NoSession(), store=lambda: store), store


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        filled = Store(Path(folder), "contracts", steps=SCHEMA_STEPS, disposable=True)
        fill(filled)
        filled.close()
        cold = []
        for turn in range(ROUNDS):
            started = time.perf_counter()
            contracts, store = resolver(Path(folder))
            contracts.resolve(f"AAPL 2099-01-16 {1 + turn * 997} C")
            cold.append(time.perf_counter() - started)
            store.close()
        contracts, store = resolver(Path(folder))
        name = "AAPL 2099-01-16 4711 C"
        contracts.resolve(name)
        started = time.perf_counter()
        for _ in range(WARM_ROUNDS):
            contracts.resolve(name)
        warm = (time.perf_counter() - started) / WARM_ROUNDS
        size = store.path.stat().st_size
        store.close()
    median, worst = statistics.median(cold), max(cold)
    sys.stdout.write(f"{CONTRACTS} contracts, {size / 1e6:.0f} MB\n")
    sys.stdout.write(f"cold open and one lookup {median * 1e3:6.2f} ms, worst {worst * 1e3:6.2f} ms\n")
    sys.stdout.write(f"warm lookup              {warm * 1e6:6.2f} µs\n")
    kept = median <= COLD_LIMIT and warm <= WARM_LIMIT
    sys.stdout.write(f"limits 20 ms, 5 µs: {'kept' if kept else 'MISSED'}\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
