from __future__ import annotations

import os
from collections import Counter

import hypothesis
import pytest

from thoroughly import ALL, EVERY, MEMORY, QUICK, leave_out, quick_share

# A busy machine is no reason to fail: what must be quick is measured by the benchmarks.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=100 // QUICK)
hypothesis.settings.load_profile("steady" if ALL else "quick")

if MEMORY is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# How many cases of one test are run where not all are asked for: there, most of the time goes.
CASES = {"adapter": 4, "system": 4}
# By test or by file: what starts a program for each case, is tried over all logins, or is long for another reason.
FEWER = {
    "test_battery.py": 2,
    "test_exchange_reads.py": 2,
    "test_exits.py": 2,
    "test_lost_answers.py": 2,
}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take some cases of each test, the same ones each time, unless all is asked for."""
    if ALL:
        return
    cases = Counter(_test_of(item) for item in items)
    seen: Counter[str] = Counter()
    left = []
    for item in sorted(items, key=lambda item: item.nodeid):
        test = _test_of(item)
        few = CASES.get(item.path.parent.name, cases[test])
        few = FEWER.get(test.rpartition("::")[2], FEWER.get(item.path.name, few))
        if not quick_share(seen[test], cases[test], few):
            left.append(item)
        seen[test] += 1
    if EVERY > 1:
        gone = set(left)
        stay = [item for item in sorted(items, key=lambda item: item.nodeid) if item not in gone]
        left += [item for place, item in enumerate(stay) if place % EVERY]
    leave_out(config, items, left)


def _test_of(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]
