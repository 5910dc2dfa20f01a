"""Many threads at once, on a clock that jumps."""

from __future__ import annotations

import functools
import threading

from ibkr_adapter.errors import IBKRError


def at_once(world, *targets):
    """Run each of ``targets`` on a thread of its own, all at once, to the end.

    Whoever called is awake again before the last of them has ended: else the clock, with a keeper left,
    would jump on for as long as the calling thread takes to be scheduled.
    """
    over, lock, left = world.clock.flag(), threading.Lock(), len(targets)

    def run(target):
        nonlocal left
        try:
            target()
        finally:
            with lock:
                left -= 1
                is_last = not left
            if is_last:
                over.set()

    threads = [
        threading.Thread(target=run, args=(target,), name=f"host-{number}")
        for number, target in enumerate(targets)
    ]
    for thread in threads:
        world.clock.expect(thread)
    for thread in threads:
        thread.start()
    over.wait()
    for thread in threads:
        thread.join()


def together(world, work, count=8):
    """Run ``work`` on many threads at once and return what each came to."""
    results = [None] * count

    def run(number):
        try:
            results[number] = work()
        except IBKRError as failure:
            results[number] = failure

    at_once(world, *(functools.partial(run, number) for number in range(count)))
    return results
