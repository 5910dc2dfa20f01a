"""Share the open files of a state folder among all connections of a process.

Each login would else open the same two files once more, four descriptors each time, and a process with
some hundred users has none left for their lines. A file is closed when the last connection that uses it is.
What is in the files is for those who use them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import attrs

from ibkr_adapter.state import Store


@attrs.define(eq=False)
class _Lent:
    store: Store
    borrowers: int = 0


class Stores:
    """The open files of a process, by how they are made, folder and name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lent: dict[tuple[Callable[..., Store], Path, str], _Lent] = {}

    def borrow(
        self,
        make: Callable[..., Store],
        folder: Path,
        name: str,
        *,
        steps: Sequence[Sequence[str]],
        synchronous: Literal["NORMAL", "FULL"],
        disposable: bool,
    ) -> Store:
        """Return the file of that name, made by ``make`` where nobody has it; it is opened at its first use."""
        with self._lock:
            lent = self._lent.get((make, folder, name))
            if lent is None:
                store = make(folder, name, steps=steps, synchronous=synchronous, disposable=disposable)
                lent = self._lent[make, folder, name] = _Lent(store)
            lent.borrowers += 1
            return lent.store

    def give_back(self, store: Store) -> None:
        """Take a borrower off a file, and close it when nobody is left."""
        with self._lock:
            for key, lent in self._lent.items():
                if lent.store is store:
                    lent.borrowers -= 1
                    if lent.borrowers > 0:
                        return
                    del self._lent[key]
                    break
        store.close()
