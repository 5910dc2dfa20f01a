"""How much of the tests is run: a quick part after every change, all of it before one is shared.

``IBKR_TESTS_ALL`` asks for all of it. The quick part has every test, but of the ones with many
cases or examples only some, and those are always the same.
"""

from __future__ import annotations

import os

ALL = "IBKR_TESTS_ALL" in os.environ
# The part of the examples of a law that a quick run tries.
QUICK = 5


def examples(count: int) -> int:
    """How many examples of a law to try, of the ``count`` that are tried where all is asked for."""
    return count if ALL else max(10, count // QUICK)


def quick_share(place: int, cases: int, few: int) -> bool:
    """Tell whether the case at ``place`` of ``cases`` is one of the ``few`` spread over them."""
    return place * few // cases != (place - 1) * few // cases if place else True
