"""What is known of contracts: on disk for all processes, in memory where the disk fails."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.discovery import kept as room
from ibkr_adapter.discovery.kept import DAY, SCHEMA_STEPS, Kept, Spelling
from ibkr_adapter.model.contract import Contract, SecType, TickStep
from ibkr_adapter.state import Store

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
OPTION = Contract(
    conid=70002,
    symbol="AAPL",
    sec_type=SecType.OPTION,
    exchange="SMART",
    currency="USD",
    name="AAPL JAN15'27 220 C",
    multiplier=Decimal(100),
    ticks=(TickStep(lower_edge=Decimal(0), increment=Decimal("0.05")),),
    valid_exchanges=("SMART", "CBOE"),
    trading_class="AAPL",
    underlying_conid=265598,
    expiry="20270115",
    strike=Decimal("220.5"),
    right="C",
)
STOCK = Contract(conid=265598, symbol="AAPL", sec_type=SecType.STOCK, is_us=True)


@pytest.fixture
def clock():
    made = ManualClock(START)
    yield made
    made.close()


@pytest.fixture
def opened(tmp_path):
    made = []

    def store(name="contracts", **about):
        found = Store(tmp_path, name, **{"steps": SCHEMA_STEPS, "disposable": True, **about})
        made.append(found)
        return found

    yield store
    for store_ in made:
        store_.close()


@pytest.fixture
def fresh(clock, opened):
    """Make what another process, or this one after a restart, would have."""

    def make():
        store = opened()
        return Kept(clock=clock, store=lambda: store)

    return make


class Asked:
    """A question that counts how often it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.count = 0

    def __call__(self):
        self.count += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_a_contract_comes_back_as_it_was(fresh):
    """Every figure exact, every missing thing missing."""
    fresh().keep([OPTION, STOCK])

    again = fresh()

    assert again.contract(70002) == OPTION
    assert again.contract(265598) == STOCK
    assert again.contract(1) is None


def test_what_an_answer_does_not_say_stays_as_it_was_known(fresh):
    """One answer knows that it is American, another its exchanges."""
    kept = fresh()
    kept.keep([STOCK])

    kept.keep([Contract(conid=265598, symbol="AAPL", sec_type=SecType.STOCK, currency="USD")])

    assert (fresh().contract(265598).is_us, fresh().contract(265598).currency) == (True, "USD")


def test_an_answer_is_believed_for_a_while(fresh, clock):
    kept, ask = fresh(), Asked({"AAPL": [Decimal("1.5")]})

    assert kept.asked("stocks/AAPL", DAY, ask) == {"AAPL": [Decimal("1.5")]}
    clock.advance(DAY - 1)
    assert kept.asked("stocks/AAPL", DAY, ask)
    assert fresh().asked("stocks/AAPL", DAY, ask) == {"AAPL": ["1.5"]}
    assert ask.count == 1
    clock.advance(1)
    assert kept.asked("stocks/AAPL", DAY, ask)
    assert ask.count == 2


def test_nothing_is_not_kept(fresh):
    """A listing may be there tomorrow."""
    kept, ask = fresh(), Asked([], {"call": []}, [5])

    answers = [kept.asked("k", DAY, ask, lambda found: found == [5]) for _ in range(4)]

    assert answers == [[], {"call": []}, [5], [5]]
    assert ask.count == 3


def test_a_clock_that_was_put_back_is_no_reason_to_believe(fresh, opened):
    """An answer from the future is asked for again."""
    fresh().asked("k", DAY, Asked([1]))
    early = ManualClock(datetime(2026, 11, 20, tzinfo=UTC))
    store = opened()
    ask = Asked([2])

    assert Kept(clock=early, store=lambda: store).asked("k", DAY, ask) == [2]
    early.close()


def test_a_name_is_kept_with_its_end(fresh):
    fresh().keep_name("AAPL", STOCK, LATER)

    assert fresh().named("AAPL") == (STOCK, LATER)
    assert fresh().named("MSFT") is None


def test_the_callers_spelling_survives_a_restart(fresh, clock):
    kept = fresh()
    for spelling in (Spelling("NASDAQ:AAPL"), Spelling("NASDAQ:AAPL"), None):
        kept.write_down(265598, spelling)
    kept.write_down(515, Spelling("@ES", START.replace(hour=16).timestamp()))

    assert (kept.written(265598), kept.written(515), kept.written(7)) == ("NASDAQ:AAPL", "@ES", None)
    assert (fresh().written(265598), fresh().written(515)) == ("NASDAQ:AAPL", "@ES")
    clock.advance(3600)
    assert (kept.written(515), fresh().written(515)) == (None, None)


def test_a_file_of_the_first_version_is_brought_up_to_date(fresh, opened):
    """Its listings are asked for again."""
    old = opened(steps=SCHEMA_STEPS[:1])
    old.write("INSERT INTO listings VALUES (?, ?, ?)", ("AAPL", "{}", 1.0))
    old.close()

    kept = fresh()
    kept.keep([STOCK])

    assert fresh().contract(265598) == STOCK


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "5",
        "[]",
        "{}",
        '{"conid":265598}',
        '{"conid":265598,"symbol":"A","sec_type":"STK","ticks":5}',
        '{"conid":265598,"symbol":"A","sec_type":"STK","ticks":[],"strike":"x"}',
    ],
)
def test_a_row_that_nobody_can_read_is_asked_for_again(fresh, opened, body):
    opened().write("INSERT INTO contracts VALUES (?, ?)", (265598, body))
    opened().write("INSERT INTO answers VALUES (?, ?, ?)", ("k", "{", START.timestamp()))

    assert fresh().contract(265598) is None
    assert fresh().asked("k", DAY, Asked([1])) == [1]


def spoil(path):
    path.write_bytes(b"this is no database at all, " * 200)


def test_a_broken_file_is_set_aside_and_made_anew(fresh, tmp_path):
    fresh().keep([STOCK])
    spoil(tmp_path / "contracts.sqlite3")

    kept = fresh()
    assert kept.contract(265598) is None
    kept.keep([STOCK])

    assert fresh().contract(265598) == STOCK
    assert (tmp_path / "contracts.sqlite3.corrupt").exists()


@pytest.mark.parametrize("broken", ["folder", "locked", "read-only"])
def test_without_a_disk_everything_goes_on_in_memory_with_one_warning(
    clock, opened, tmp_path, caplog, broken
):
    """Requests it costs, and nothing else."""
    store = opened(patience=0.01)
    holder = None
    if broken == "folder":
        (tmp_path / "contracts.sqlite3").mkdir()
    else:
        store.write("INSERT INTO answers VALUES ('x', '1', 1)")
    if broken == "locked":
        holder = sqlite3.connect(tmp_path / "contracts.sqlite3", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
    elif broken == "read-only":
        store.write("PRAGMA query_only=1")
    kept = Kept(clock=clock, store=lambda: store)
    ask = Asked([1])

    with caplog.at_level(logging.WARNING):
        kept.keep([STOCK, OPTION])
        kept.write_down(265598, Spelling("AAPL"))
        kept.keep_name("AAPL", STOCK, LATER)
        assert [kept.asked("k", DAY, ask) for _ in range(3)] == [[1], [1], [1]]

    assert (kept.contract(265598), kept.contract(70002), kept.written(265598)) == (STOCK, OPTION, "AAPL")
    assert ask.count == 1
    assert len([record for record in caplog.records if "in memory only" in record.message]) == 1
    if holder is not None:
        holder.close()


def test_memory_does_not_grow_without_end(fresh, monkeypatch):
    """What is put out of memory is on disk still."""
    monkeypatch.setattr(room, "MOST_KEPT", 3)
    kept = fresh()
    for conid in range(1, 8):
        kept.keep([Contract(conid=conid, symbol=f"S{conid}", sec_type=SecType.STOCK)])
        kept.write_down(conid, Spelling(f"s{conid}"))
        kept.asked(f"k{conid}", DAY, Asked([conid]))

    assert len(kept._contracts) <= 3
    assert [kept.contract(conid).symbol for conid in range(1, 8)] == [f"S{conid}" for conid in range(1, 8)]
    assert [kept.written(conid) for conid in range(1, 8)] == [f"s{conid}" for conid in range(1, 8)]
    assert kept.asked("k1", DAY, Asked([None])) == [1]


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.discovery.kept import SCHEMA_STEPS, Kept, Spelling
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.state import Store
store = Store(Path(sys.argv[1]), "contracts", steps=SCHEMA_STEPS, disposable=True)
kept = Kept(clock=SystemClock(), store=lambda: store)
first = int(sys.argv[2])
for conid in range(first, first + 50):
    kept.keep([Contract(conid=conid, symbol=f"S{conid}", sec_type=SecType.STOCK)])
    kept.write_down(conid, Spelling(f"s{conid}"))
assert not kept._warned
"""


def test_several_processes_share_one_file(fresh, tmp_path):
    """What one has found costs the others nothing, and none is in another's way."""
    writers = [
        subprocess.Popen(  # noqa: S603  (our own interpreter)
            [sys.executable, "-c", WRITER, str(tmp_path), str(first)],
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        for first in (1, 51, 101)
    ]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    kept = fresh()
    assert [kept.contract(conid).symbol for conid in range(1, 151)] == [
        f"S{conid}" for conid in range(1, 151)
    ]
    assert kept.written(150) == "s150"
