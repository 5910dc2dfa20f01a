from __future__ import annotations

import functools
import gc
import os
from collections import Counter

import hypothesis
import pytest
import typer.testing
from cryptography.hazmat.primitives import serialization

from thoroughly import ALL, EVERY, MEMORY, QUICK, leave_out, quick_share

# A busy machine is no reason to fail: what must be quick is measured by the benchmarks.
hypothesis.settings.register_profile("steady", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=100 // QUICK)
hypothesis.settings.load_profile("steady" if ALL else "quick")

if MEMORY is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# To look for factors of a key takes a tenth of a second, and the tests' few keys are loaded thousands of times.
serialization.load_pem_private_key = functools.cache(serialization.load_pem_private_key)
# Every command that there is, is worked out anew for each command that is tried.
typer.testing._get_command = functools.cache(typer.testing._get_command)

# How many cases of one test are run where not all are asked for: there, most of the time goes.
CASES = {"adapter": 2, "system": 1, "fault_matrix": 8}
# By test or by file: what starts a program for each case, is tried over all logins, or is long for another reason.
# With 0 it is run by `make check` alone; each of those takes seconds, and what it holds is held in part by a quick one.
FEWER = {
    "test_battery.py": 1,
    "test_exchange_reads.py": 1,
    "test_exits.py": 1,
    "test_first_logins.py": 0,
    "test_host_deaths.py": 0,
    "test_login_sockets.py": 1,
    "test_logins.py": 1,
    "test_lost_answers.py": 1,
    "test_no_gateway.py": 0,
    "test_processes.py": 0,
    "test_several_accounts.py": 1,
    "test_session_states.py": 1,
    "test_stream_simulated.py": 1,
    "test_watch_process.py": 0,
    "test_a_broken_answer_leaves_the_outcome_unknown": 60,
    "test_a_client_that_hangs_up_does_not_stop_an_order": 0,
    "test_a_day_and_a_night_go_by": 0,
    "test_a_position_in_what_has_expired_can_still_be_read_by_its_name": 0,
    "test_a_week_of_trouble_breaks_no_promise": 1,
    "test_every_published_operation_is_in_the_table": 0,
    "test_examples_do_what_they_say": 1,
    "test_forks_of_one_process_tell_what_the_tests_let_through": 0,
    "test_four_processes_keep_the_limits_together": 1,
    "test_no_fault_makes_a_call_tell_a_secret": 2,
    "test_no_broken_line_makes_a_call_lie_or_act_twice": 2,
    "test_notebooks_show_what_they_promise": 1,
    "test_silent_sessions_keep_no_other_one_waiting": 0,
    "test_the_example_for_a_node_host_does_what_it_says": 0,
    "test_the_front_month_rolls_on_the_day_that_the_chain_shows": 0,
    "test_the_process_ends_when_its_client_is_gone_and_not_in_the_middle_of_an_order": 0,
    "test_two_processes_trade_two_accounts_of_one_gateway_at_once": 1,
    "test_what_has_expired_since_it_was_found_is_not_traded": 0,
}


def pytest_configure() -> None:
    """Collect no garbage while tests are collected: thousands are made and none is dropped."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect it again, but not among the tests themselves, which stay to the end."""
    gc.freeze()
    gc.enable()


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
        if not few or not quick_share(seen[test], cases[test], few):
            left.append(item)
        seen[test] += 1
    if EVERY > 1:
        gone = set(left)
        stay = [item for item in sorted(items, key=lambda item: item.nodeid) if item not in gone]
        left += [item for place, item in enumerate(stay) if place % EVERY]
    leave_out(config, items, left)


def _test_of(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]
