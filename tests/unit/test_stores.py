"""The files of a folder are open once in a process, and as long as somebody uses them."""

from __future__ import annotations

from pathlib import Path

from ibkr_adapter.stores import Stores


class File:
    def __init__(self, folder, name, **how):
        self.about = (folder, name, how["synchronous"], how["disposable"])
        self.closed = 0

    def close(self):
        self.closed += 1


class OtherFile(File):
    """Made in another way, so it is another file even of the same name."""


def borrow(stores, folder="a", name="orders", make=File):
    return stores.borrow(make, Path(folder), name, steps=(), synchronous="FULL", disposable=False)


def test_who_borrows_the_same_file_has_the_same_one():
    stores = Stores()

    first, second = borrow(stores), borrow(stores)

    assert first is second
    assert first.about == (Path("a"), "orders", "FULL", False)
    assert borrow(stores, folder="b") is not first
    assert borrow(stores, name="contracts") is not first
    assert borrow(stores, make=OtherFile) is not first


def test_the_last_who_gives_it_back_closes_it():
    """The first one must not close it under the others, and none may stay open for nobody."""
    stores = Stores()
    file = borrow(stores)
    borrow(stores)

    stores.give_back(file)
    after_one = file.closed
    stores.give_back(file)

    assert (after_one, file.closed) == (0, 1)
    assert borrow(stores) is not file


def test_what_was_never_borrowed_is_only_closed():
    file = File(Path("a"), "orders", synchronous="FULL", disposable=False)

    Stores().give_back(file)

    assert file.closed == 1
