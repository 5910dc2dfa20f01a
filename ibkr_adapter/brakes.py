"""The brakes that all objects of a login have in common: kill switch, count of entries, today's profit.

The switch and the count outlive a connection, because hosts make and throw away objects by the
minute, and a switch that went back by itself would be worse than none. What they are held against
is for :mod:`ibkr_adapter.guardrails`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import quoted
from ibkr_adapter.model.account import PnlRow
from ibkr_adapter.settings import KILL_SWITCH

log = logging.getLogger(__name__)

MINUTE = 60.0
# IBKR gives today's profit once in five seconds.
PROFIT_KEPT_FOR = 5.0
_OFF = frozenset({"", "0", "false", "no", "off"})


class KillSwitch:
    """Stops whatever could add to a position: by call, by a file that is there, or by the environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._called: str | None = None

    def kill(self, why: object) -> None:
        """Throw it for all objects of this login in this process, whatever the reason looks like."""
        told = why.strip() if isinstance(why, str) else "" if why is None else quoted(why, 200)
        self._called = told or "no reason given"
        log.warning("the kill switch was thrown: %s", self._called)

    def revive(self) -> None:
        """Take back what :meth:`kill` did; a file and the environment stay what they are."""
        self._called = None

    def why(self, file: str | None) -> str | None:
        """Say why it is on, or ``None`` if it is off; ``file`` is that of the asking object."""
        if self._called is not None:
            return f"it was thrown by a call ({self._called})"
        written = self._environ.get(KILL_SWITCH, "").strip()
        if written.lower() not in _OFF:
            return f"the environment has {KILL_SWITCH}={written}"
        if file is None:
            return None
        try:
            Path(file).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as reason:
            # Nobody knows whether it is there, and a switch that may be on is on.
            return f"whether {file} is there cannot be told ({reason})"
        return f"the file {file} is there"


class EntryCount:
    """How many entries left in the last minute; the moments themselves are kept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: deque[float] = deque()

    def now(self) -> int:
        """How many there were in the minute that ends now."""
        with self._lock:
            return self._counted()

    def book(self, limit: int | None) -> int | None:
        """Count one more and return ``None``; where that would be too many, count nothing and say how many there are."""
        with self._lock:
            found = self._counted()
            if limit is not None and found >= limit:
                return found
            self._left.append(self._clock.monotonic())
            return None

    def forked(self) -> None:
        """Make it usable in a forked child, whatever thread of the parent was at it."""
        self._lock = threading.Lock()

    def _counted(self) -> int:
        now = self._clock.monotonic()
        while self._left and now - self._left[0] >= MINUTE:
            self._left.popleft()
        return len(self._left)


@attrs.frozen(kw_only=True, eq=False)
class Brakes:
    """What stays of a login after its last object is closed."""

    kill_switch: KillSwitch
    entries: EntryCount


class Profits:
    """Today's profit, read at most once in five seconds."""

    def __init__(self, clock: Clock, read: Callable[[str], tuple[PnlRow, ...]]) -> None:
        self._clock = clock
        self._read = read
        self._lock = threading.Lock()
        self._last: dict[str, tuple[float, tuple[PnlRow, ...]]] = {}

    def rows(self, account: str) -> tuple[PnlRow, ...]:
        """The rows of one account, at most five seconds old; none where IBKR does not tell."""
        with self._lock:
            last = self._last.get(account)
        begun = self._clock.monotonic()
        if last is not None and last[1] and begun - last[0] < PROFIT_KEPT_FOR:
            return last[1]
        rows = self._read(account)
        with self._lock:
            self._last[account] = (begun, rows)
        return rows
