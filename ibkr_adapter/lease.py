"""Let one process of a machine own a login, for as long as it lives.

An OAuth login that is made a second time, beside the first, has both fight for the one session of
the user. So the first process keeps a lock on a file, which the system takes back however the
process ends, and a second one is told who has it. The objects of one process share it; a
forked child is another process.

Where the folder cannot be used the login goes on without the lease and says so once: a bot that
cannot reach its exits is worse than one that could meet another.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from pathlib import Path

import attrs

from ibkr_adapter.errors import LoginInUse
from ibkr_adapter.filelocks import FileLock

log = logging.getLogger(__name__)


@attrs.define(eq=False)
class _Held:
    lock: FileLock
    by: weakref.WeakSet[Lease] = attrs.field(factory=weakref.WeakSet)


# By process number: a forked child owns nothing, and may have been born while a guard was taken.
_guards: dict[int, threading.Lock] = {}
_held: dict[tuple[int, Path], _Held] = {}


class Lease:
    """The right of one object of this process to use a login; ``name`` stands for the login."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.lease"
        self._taken_by: int | None = None
        self._closed = False

    def take(self) -> None:
        """Own the login, if this process does not yet; quick where it does.

        Raises:
            LoginInUse: Another process owns it; nothing was sent.
        """
        process = os.getpid()
        if self._taken_by == process or self._closed:
            return
        with _guards.setdefault(process, threading.Lock()):
            held = _held.get((process, self._path))
            if held is None:
                held = _Held(FileLock(self._path))
            try:
                if not held.lock.take(words=str(process)):
                    raise self._refusal(held.lock.words())
            except OSError as failure:
                log.warning(
                    "%s cannot be locked (%s): another process could log in beside this one, and they would throw"
                    " each other out",
                    self._path,
                    failure.strerror or failure,
                )
            else:
                _held[process, self._path] = held
                held.by.add(self)
            self._taken_by = process

    def close(self) -> None:
        """Give it back; it is free when all objects of this process have."""
        process = os.getpid()
        with _guards.setdefault(process, threading.Lock()):
            self._closed, self._taken_by = True, None
            held = _held.get((process, self._path))
            if held is not None:
                held.by.discard(self)
                if not held.by:
                    held.lock.let_go()
                    del _held[process, self._path]

    def _refusal(self, owner: str) -> LoginInUse:
        who = f"process {owner}" if owner.isdigit() else "another process"
        return LoginInUse(
            f"{who} of this machine is logged in with these credentials; nothing was sent.",
            remedy="Use one process for each OAuth login: end that one or close its exchange, or give this one"
            " credentials of its own.",
        )
