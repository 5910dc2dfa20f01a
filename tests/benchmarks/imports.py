"""Time ``from ibkr_adapter import IBKRExchange`` over a bare interpreter.

Run it with ``python -m tests.benchmarks.imports``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
LIMIT = 0.150


def start(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  (our own interpreter)
    return time.perf_counter() - started


def main() -> int:
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(start("pass"))
        ours.append(start("from ibkr_adapter import IBKRExchange"))
    cost = statistics.median(ours) - statistics.median(bare)
    sys.stdout.write(f"import {cost * 1000:.0f} ms over a bare interpreter, limit {LIMIT * 1000:.0f} ms\n")
    return 0 if cost <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
