"""What all objects of a login share: the kill switch, the count of entries, today's profit."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ibkr_adapter.brakes import EntryCount, KillSwitch, Profits
from ibkr_adapter.clock import ManualClock
from ibkr_adapter.model.account import PnlRow

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def test_a_call_throws_the_switch_and_another_takes_it_back():
    switch = KillSwitch({})
    assert switch.why(None) is None

    switch.kill(" too fast ")
    assert switch.why(None) == "it was thrown by a call (too fast)"
    switch.kill("")
    assert "no reason given" in switch.why(None)

    switch.revive()
    assert switch.why(None) is None


@pytest.mark.parametrize(("written", "on"), [("1", True), ("stop", True), ("0", False), (" OFF ", False)])
def test_the_environment_throws_it_by_any_word_that_is_no_no(written, on):
    """Whoever writes something there means it."""
    environ = {}
    switch = KillSwitch(environ)
    assert switch.why(None) is None

    environ["IBKR_ADAPTER_KILL_SWITCH"] = written

    assert (switch.why(None) is not None) is on


def test_a_file_throws_it_while_it_is_there(tmp_path):
    """Also one that points nowhere, and one that nobody may look for."""
    file, switch = tmp_path / "stop", KillSwitch({})
    assert switch.why(str(file)) is None

    file.touch()
    assert switch.why(str(file)) == f"the file {file} is there"

    file.unlink()
    assert switch.why(str(file)) is None
    file.symlink_to(tmp_path / "nowhere")
    assert switch.why(str(file)) is not None
    assert switch.why(str(tmp_path / ("x" * 300))).startswith("whether ")
    assert switch.why("a\0b").startswith("whether ")


def test_entries_are_counted_over_any_minute():
    clock = ManualClock(START)
    count = EntryCount(clock)
    assert [count.book(2) for _ in range(3)] == [None, None, 2]

    clock.advance(59.9)
    assert count.book(2) == 2
    clock.advance(0.1)

    assert count.book(2) is None
    assert count.book(None) is None
    assert count.now() == 2


def test_many_threads_never_get_past_the_count():
    count, got = EntryCount(ManualClock(START)), []
    threads = [threading.Thread(target=lambda: got.append(count.book(5))) for _ in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got.count(None) == 5


def test_profit_is_read_once_in_five_seconds():
    """IBKR gives it no more often; another account is another read."""
    clock, reads = ManualClock(START), []
    row = PnlRow(account_id="DU1", model="Core", daily=Decimal(-5))

    def read(account):
        reads.append(clock.monotonic())
        return (row,) if account == "DU1" else ()

    profits = Profits(clock, read)
    assert profits.rows("DU1") == profits.rows("DU1") == (row,)
    assert len(reads) == 1

    clock.advance(5)
    assert profits.rows("DU1") == (row,)
    assert profits.rows("DU2") == ()
    assert len(reads) == 3
