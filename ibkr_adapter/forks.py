"""Have everybody let go, before this process forks, of what must not cross into the child, or else within it.

An open SQLite file is such a thing: the child inherits SQLite's own notes of which locks are held,
but not the locks. It then believes itself protected, the parent's closing removes the log that
the child still writes to, and rows that were reported as safe are gone. Who holds such a thing
is told here; what letting go means is known to the holder alone.

Covers forks made through Python (:func:`os.fork`, :mod:`multiprocessing`); programs that are
started by :mod:`subprocess` inherit nothing of this kind.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Left(Protocol):
    """Somebody whose things are the parent's in a forked child."""

    def forked(self) -> None:
        """Leave them to the parent; no thread of the parent's lives here that would give a lock back."""


_left: weakref.WeakSet[Left] = weakref.WeakSet()


def tell(one: Left) -> None:
    """Have ``one`` told in every forked child; it is not kept alive for that."""
    _left.add(one)


def _tell_left() -> None:
    for one in list(_left):
        one.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell_left)


class Holder(Protocol):
    """Somebody who holds what a child must not inherit."""

    def let_go(self) -> bool:
        """Let go and let nobody take hold again; tell whether :meth:`resume` is owed for it."""

    def resume(self) -> None:
        """Allow taking hold again: the parent has forked. The child is not told."""


# Taken around every fork, so that nobody takes hold for the first time in its course.
_guard = threading.Lock()
_holders: dict[int, weakref.ref[Holder]] = {}
_paused: list[Holder] = []
_listening: list[bool] = []


def watch(holder: Holder) -> None:
    """Ask ``holder`` to let go before each fork from now on; it is not kept alive for that."""
    key = id(holder)
    known = _holders.get(key)
    if known is not None and known() is holder:
        return

    def forget(reference: weakref.ref[Holder]) -> None:
        if _holders.get(key) is reference:
            _holders.pop(key, None)

    with _guard:
        if not _listening and hasattr(os, "register_at_fork"):
            _listening.append(True)
            os.register_at_fork(
                before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
            )
        _holders[key] = weakref.ref(holder, forget)


def _before() -> None:
    asked: dict[int, Holder] = {}
    while True:
        for reference in list(_holders.values()):
            holder = reference()
            if holder is not None and id(holder) not in asked:
                asked[id(holder)] = holder
                if holder.let_go():
                    _paused.append(holder)
        # A holder's own lock comes before this one, which is therefore taken last; whoever was
        # faster than that is asked as well.
        _guard.acquire()
        if all(key in asked for key in list(_holders)):
            return
        _guard.release()


def _after_in_parent() -> None:
    paused = _paused.copy()
    _paused.clear()
    _guard.release()
    for holder in paused:
        holder.resume()


def _after_in_child() -> None:
    _paused.clear()
    _guard.release()
