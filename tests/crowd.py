"""Many threads at once, on a clock that jumps."""

from __future__ import annotations

import threading

from ibkr_adapter.errors import IBKRError


def together(world, work, count=8):
    """Run ``work`` on many threads at once and return what each came to."""
    results = [None] * count

    def run(number):
        try:
            results[number] = work()
        except IBKRError as failure:
            results[number] = failure

    threads = [threading.Thread(target=run, args=(number,), name=f"t{number}") for number in range(count)]
    for thread in threads:
        world.clock.expect(thread)
    for thread in threads:
        thread.start()
    with world.clock.aside():
        for thread in threads:
            thread.join()
    return results
