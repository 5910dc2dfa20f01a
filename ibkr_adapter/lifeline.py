"""Tell whether whoever wrote something down still lives, and can be expected to go on with it.

A number of a process is given to others after its end, means another process in another
container, and is given to the same program again when a container starts anew. So whoever writes
holds a lock on a file of its own beside what it writes, under a name that nobody else ever has:
the system lets the lock go with the process, however it ends, and not before. A name whose file is
gone, or can be locked, is dead.

The file holds the process's number, for people. A forked child takes a name of its own; what it
inherits it closes, or it would keep its parent alive. Not for network file systems.
"""

from __future__ import annotations

import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

from ibkr_adapter import forks
from ibkr_adapter.filelocks import lock

_ENDING = ".alive"
# Whoever sweeps may take a fresh file for a dead one's, for a moment; then another name is made.
_ATTEMPTS = 5


class Lifeline:
    """The name and the lock of one who writes; taken at the first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[int, tuple[str, int]] = {}
        forks.tell(self)

    def name(self) -> str:
        """The name under which this process writes, locked; the folder must be there.

        Raises:
            OSError: The file cannot be made or locked.
        """
        held = self._held.get(os.getpid())
        if held is not None:
            # Whoever removed the file would have others believe that we are dead.
            if _same(self._path(held[0]), held[1]):
                return held[0]
            self._let_go(os.getpid())
        self._sweep()
        for _ in range(_ATTEMPTS):
            name = uuid.uuid4().hex
            number = os.open(self._path(name), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            os.write(number, f"{os.getpid()}\n".encode())
            if lock(number) and _same(self._path(name), number):
                self._held[os.getpid()] = (name, number)
                return name
            os.close(number)
        raise OSError(errno.ENOLCK, "no file can be locked there", str(self._folder))

    def lives(self, name: str) -> bool:
        """Tell whether somebody holds ``name``, in this process or in another one."""
        if any(name == held for held, _ in self._held.values()):
            return True
        try:
            number = os.open(self._path(name), os.O_RDWR)
        except FileNotFoundError:
            return False
        except OSError:
            # What cannot be looked at is not proven dead.
            return True
        try:
            return not lock(number)
        finally:
            os.close(number)

    def bury(self, name: str) -> None:
        """Remove the file of a dead one, of whom nothing is left to be looked at."""
        with suppress(OSError):
            self._path(name).unlink()

    def close(self) -> None:
        """Let the name go: what it wrote and did not end is for others to look at."""
        held = self._held.get(os.getpid())
        if held is not None:
            self._let_go(os.getpid())
            self.bury(held[0])

    def forked(self) -> None:
        """Close, in a forked child, what it has of its parent's; the parent's lock stays."""
        for process in list(self._held):
            self._let_go(process)

    def _sweep(self) -> None:
        for path in self._folder.glob(f"*{_ENDING}"):
            if not self.lives(path.stem):
                self.bury(path.stem)

    def _let_go(self, process: int) -> None:
        _, number = self._held.pop(process)
        with suppress(OSError):
            os.close(number)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_ENDING}"


def _same(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except OSError:
        return False
