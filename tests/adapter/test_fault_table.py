"""The public table of faults says of us what the code does; ``python -m tests.benchmarks.faults`` writes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from worlds import World

from benchmarks.fault_cases import ASKED, CASES, Outcome, act, judge, prepare

PAGE = Path(__file__).parents[2] / "docs" / "fault-table.md"


def outcome(tmp_path, case) -> Outcome:
    world = World(tmp_path, **case.options)
    try:
        ibkr = world.exchange(answer_messages=ASKED)
        order_id = prepare(ibkr, case.intent)
        before = world.ledger()
        armed = world.gateway.arm(case.armed)
        word, said = act(ibkr, case.intent, order_id)
        assert armed.consumed >= 1, "the fault was never met"
        return judge(case, before, world.ledger(), word, said)
    finally:
        world.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.intent}-{case.name}")
def test_our_column_of_the_fault_table_is_what_the_code_does(tmp_path, case):
    """A table that once was true is an advertisement."""
    rows = [
        line
        for line in PAGE.read_text("utf-8").splitlines()
        if line.startswith(f"| {case.intent} | {case.name} |")
    ]

    found = outcome(tmp_path, case)

    assert len(rows) == 1
    ours = [cell.strip() for cell in rows[0].strip("|").split("|")][3]
    assert re.match(r"\*?\*?(\d+) booked, (\w+)", ours).groups() == (str(found.booked), found.word)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.intent}-{case.name}")
def test_no_fault_of_the_table_books_twice_or_is_told_wrongly(tmp_path, case):
    """One intent, at most one order and one request, and no word that the broker's books contradict."""
    found = outcome(tmp_path, case)

    assert found.booked <= 1
    assert found.word != "wrong"
    assert found.sent <= 1
