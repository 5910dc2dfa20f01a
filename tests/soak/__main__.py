"""Let seeded hosts trade for days in virtual time, with faults, nights, restarts and rivals.

``python -m tests.soak --seed 7`` lives through one seed and prints what came of it; ``--seeds 1-50`` runs a
range in several processes. It exits with 1 and the last steps of the seed whose invariants did not hold.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import time

from tests.soak.soak_run import Breach, Run

LAST_STEPS = 30


def live(given: tuple[int, int]) -> tuple[int, str | None, list[str], float]:
    """Run one seed; tell it, what was broken, the log and the seconds."""
    seed, days = given
    logging.disable(logging.CRITICAL)
    run = Run(seed, days)
    began = time.perf_counter()
    broken = None
    try:
        run.go()
    except Breach as breach:
        broken = str(breach)
    return seed, broken, run.log, time.perf_counter() - began


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", help="a range, as 1-50, instead of one seed")
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--log", action="store_true", help="print every step")
    given = parser.parse_args()
    first, _, last = (given.seeds or str(given.seed)).partition("-")
    seeds = range(int(first), int(last or first) + 1)
    print(f"seeds {seeds.start}-{seeds.stop - 1}, {given.days} days each", flush=True)
    began, failed, steps = time.perf_counter(), [], 0
    with multiprocessing.get_context("spawn").Pool(min(given.jobs, len(seeds))) as pool:
        for seed, broken, log, _seconds in pool.imap_unordered(live, [(seed, given.days) for seed in seeds]):
            steps += len(log)
            if given.log:
                print("\n".join(log))
            if broken is not None:
                failed.append(seed)
                print(f"seed {seed}: {broken}", *log[-LAST_STEPS:], sep="\n  ", flush=True)
    print(
        f"{len(seeds)} seeds, {steps} steps, {time.perf_counter() - began:.0f} s, broken: {sorted(failed) or 'none'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
