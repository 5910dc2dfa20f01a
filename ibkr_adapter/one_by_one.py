"""Let one thread at a time act on what an account holds of a contract.

What closes or protects a position is sized from it: two that read it at the same moment would each be
sized from all of it, and together open a position.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import BrokerageUnavailable


class OneByOne:
    """Who is at work on which contract of which account, in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Who is at work, each with those who wait for it.
        self._waiting: dict[tuple[str, int], list[Flag]] = {}

    @contextmanager
    def hold(self, account: str, conid: int, deadline: float) -> Iterator[None]:
        """Be the only one at work on a contract.

        Raises:
            BrokerageUnavailable: Another thread was not done with it before ``deadline``; nothing was sent.
        """
        key = (account, conid)
        while True:
            with self._lock:
                waiting = self._waiting.get(key)
                if waiting is None:
                    self._waiting[key] = []
                    break
                flag = self._clock.flag()
                waiting.append(flag)
            if not flag.wait(max(0.0, deadline - self._clock.monotonic())):
                raise BrokerageUnavailable(
                    "another thread is still closing or protecting the same position; nothing was sent.",
                    remedy="Try again in a moment.",
                )
        try:
            yield
        finally:
            with self._lock:
                for flag in self._waiting.pop(key):
                    flag.set()
