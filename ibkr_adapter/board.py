"""Note which of a login's accounts its session answers for, for all threads and processes at that session.

Only whoever holds the dialogue writes here, and a call that looks from within its passage knows that
nobody is writing meanwhile (:mod:`ibkr_adapter.dialogue`). Each change has a number of its own, so that
who looks again later sees a change that was taken back, too. Before an account is asked for, the note is
taken off: a process that dies in the middle leaves "nobody knows", which is always safe.

Where the file cannot be used, each process keeps its own note, and that is logged once.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import attrs

from ibkr_adapter.filelocks import Complaint, opened

log = logging.getLogger(__name__)


@attrs.frozen
class Note:
    """The account that the session answers for, ``None`` where nobody knows, and the number of the change."""

    account: str | None = None
    number: int = 0


class Board:
    """The note of one session; ``path`` is where other processes read it, if there may be any."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._own = Note()
        self._complaint = Complaint(
            log,
            "processes that trade several accounts of this login do not see each other's selections",
        )

    def read(self) -> Note:
        """What is noted."""
        if self._path is not None:
            try:
                return _read(self._path.read_text("utf-8"))
            except FileNotFoundError:
                return Note()
            except (OSError, UnicodeDecodeError) as failure:
                self._complaint.tell(self._path, failure)
        with self._lock:
            return self._own

    def write(self, account: str | None) -> None:
        """Note that the session answers for ``account``, or that nobody knows; the dialogue must be held."""
        fresh = Note(account, self.read().number + 1)
        with self._lock:
            self._own = fresh
        if self._path is None:
            return
        try:
            number = opened(self._path)
            try:
                os.ftruncate(number, 0)
                os.write(number, f"{fresh.number} {account or '-'}\n".encode())
            finally:
                os.close(number)
        except OSError as failure:
            self._complaint.tell(self._path, failure)


def _read(text: str) -> Note:
    number, _, account = text.strip().partition(" ")
    if not number.isdecimal():
        return Note()
    return Note(account if account not in {"", "-"} else None, int(number))
