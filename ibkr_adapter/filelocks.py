"""Lock a file for this process until it lets go or dies, whichever comes first.

from ibkr_adapter import forks

The system takes such a lock back however a process ends, so no number of a process is ever asked
whether it still lives. A lock file is never removed: whoever locked it under its old name and
whoever makes a new one would both believe that they are alone.

A forked child inherits the open file and with it a share in its parent's lock, which would then
outlive the parent; so the child closes what it inherits and holds nothing. Not for network
file systems. On Windows there are no shared locks (:data:`SHARED`).
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from ibkr_adapter import forks

# Whether several may hold one file at once, so that only who wants it alone is kept out.
SHARED = sys.platform != "win32"
# What is written stays readable for others on systems where a lock keeps them out.
_BYTE = 1 << 20


class FileLock:
    """One file that this object may hold; whoever uses it from several threads sees to their order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number: int | None = None
        forks.tell(self)

    @property
    def held(self) -> bool:
        """Whether it is held by this object, in this process."""
        return self._number is not None

    def take(self, *, shared: bool = False, words: str = "") -> bool:
        """Lock it now or not at all, and tell which; ``words`` are left in the file for people.

        Raises:
            OSError: The file cannot be made or opened.
        """
        if self._number is not None:
            return True
        number = opened(self.path)
        try:
            if not lock(number, shared=shared):
                return False
            if words:
                os.ftruncate(number, 0)
                os.lseek(number, 0, os.SEEK_SET)
                os.write(number, f"{words}\n".encode())
            self._number, number = number, -1
        finally:
            if number >= 0:
                os.close(number)
        return True

    def share(self) -> bool:
        """Let others share what this object holds alone; where that fails nothing is held.

        Others may have had it for a moment in between.
        """
        if SHARED and self._number is not None and not lock(self._number, shared=True):
            self.let_go()
        return self.held

    def words(self) -> str:
        """What its last holder left in the file."""
        try:
            return self.path.read_text("utf-8").strip()
        except OSError:
            return ""

    def let_go(self) -> None:
        """Unlock it; nothing happens where it is not held."""
        number, self._number = self._number, None
        if number is not None:
            with suppress(OSError):
                os.close(number)

    def forked(self) -> None:
        """Let go, in a forked child, of what its parent holds on."""
        self.let_go()


class Complaint:
    """Says once that a file cannot be used, and what follows for those who go on without it."""

    def __init__(self, log: logging.Logger, follows: str) -> None:
        self._log = log
        self._follows = follows
        self._said = False

    def tell(self, path: Path, failure: Exception) -> None:
        """Log it, the first time."""
        if not self._said:
            self._said = True
            reason = getattr(failure, "strerror", None) or failure
            self._log.warning("%s cannot be used (%s), so %s", path, reason, self._follows)


def opened(path: Path) -> int:
    """Open a file to read and write, and make it and its folder where they are missing, for this user alone.

    Raises:
        OSError: It cannot be made or opened, or is a link to somewhere else.
    """
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def lock(number: int, *, shared: bool = False) -> bool:
    """Lock an open file until it is closed, at once or not at all."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415  (of this platform only)

            # The byte at the place where the file stands is locked, and must be the same for all.
            os.lseek(number, _BYTE, os.SEEK_SET)
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415  (of these platforms only)

            fcntl.flock(number, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
