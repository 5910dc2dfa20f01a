"""Tell listeners what happened: in order, outside of every lock, and without being harmed by them.

News are noted where they happen, under the lock that makes their order, and told afterwards by
whoever comes first; a listener may cause news itself. One that raises is logged and told the next
news all the same: it is the host's code, and the session must not end for it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Listeners(Generic[T]):
    """Those who want to hear of one kind of news."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[T], None]] = []
        self._untold: deque[T] = deque()
        self._is_telling = False

    def add(self, listener: Callable[[T], None]) -> Callable[[], None]:
        """Have ``listener`` told from now on; calling what is returned ends that."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def note(self, news: T) -> None:
        """Put news in their place in the order; quick, for those who hold a lock."""
        with self._lock:
            self._untold.append(news)

    def tell(self) -> None:
        """Tell what was noted, unless another thread, or a caller above, is at it."""
        with self._lock:
            if self._is_telling:
                return
            self._is_telling = True
        done = False
        try:
            while not done:
                with self._lock:
                    done = not self._untold
                    if done:
                        self._is_telling = False
                        break
                    news, listeners = self._untold.popleft(), tuple(self._listeners)
                for listener in listeners:
                    self._tell(listener, news)
        finally:
            if not done:
                with self._lock:
                    self._is_telling = False

    @staticmethod
    def _tell(listener: Callable[[T], None], news: T) -> None:
        try:
            listener(news)
        except Exception:
            log.exception("a listener failed; it is told the next news all the same")
