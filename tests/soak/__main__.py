"""``python -m tests.soak --seed N --days D``: days of trading and of trouble, in virtual time.

``--seeds A-B`` runs a range in several processes. Exit 1 tells the seed and the last steps of a breach.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.soak.course import BreachError, run


def one(days: float, seed: int) -> tuple[int, str, list[str]]:
    """Run one seed; answer it with its summary, and its last steps where something broke."""
    try:
        return seed, run(seed, days).summary, []
    except BreachError as broken:
        return seed, str(broken), broken.steps


def main() -> int:
    """Run what the command line asks for; tell how many broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", help="a range such as 1-50")
    parser.add_argument("--days", type=float, default=5)
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    started = time.monotonic()
    if wanted.seeds:
        first, last = map(int, wanted.seeds.split("-"))
        with ProcessPoolExecutor(wanted.processes) as pool:
            done = list(pool.map(partial(one, wanted.days), range(first, last + 1)))
    else:
        done = [one(wanted.days, wanted.seed)]
    for seed, summary, steps in done:
        print(f"seed {seed}: {summary}", *steps, sep="\n  ")  # noqa: T201
    broken = [seed for seed, _, steps in done if steps]
    print(f"{len(done)} seeds in {time.monotonic() - started:.0f} s, broken: {broken or 'none'}")  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
