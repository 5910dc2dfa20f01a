"""How much of the tests is run: a quick part after every change, all of it before one is shared.

``IBKR_TESTS_ALL`` asks for all of it. The quick part has every test, but of the ones with many
cases or examples only some, and those are always the same. ``IBKR_TESTS_EVERY=10`` takes a tenth of that, for
what only has to be seen to work at all: another Python, a built wheel.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

import pytest

ALL = "IBKR_TESTS_ALL" in os.environ
EVERY = int(os.environ.get("IBKR_TESTS_EVERY", "1"))
# The part of the examples of a law that a quick run tries.
QUICK = 5

# Most of a test's time is the disk's, because the journal waits for it; what is tested is not the disk.
_MEMORY = Path("/dev/shm")  # noqa: S108  (whoever uses it makes a folder of its own in it)
_ENOUGH = 2 << 30
# Where there is room in memory for a test's files, or ``None``.
MEMORY = _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH else None


def examples(count: int) -> int:
    """How many examples of a law to try, of the ``count`` that are tried where all is asked for."""
    return count if ALL else max(10, count // QUICK)


def quick_share(place: int, cases: int, few: int) -> bool:
    """Tell whether the case at ``place`` of ``cases`` is one of the ``few`` spread over them."""
    return place * few // cases != (place - 1) * few // cases if place else True


def leave_out(config: pytest.Config, items: list[pytest.Item], left: Collection[pytest.Item]) -> None:
    """Take these out of what is run, and have pytest say so."""
    if left:
        gone = set(left)
        config.hook.pytest_deselected(items=list(left))
        items[:] = [item for item in items if item not in gone]
