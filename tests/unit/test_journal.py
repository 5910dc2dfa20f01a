"""The journal by itself: what it refuses, what it keeps, and who counts as alive."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from ibkr_adapter import written_tickets
from ibkr_adapter.clock import ManualClock
from ibkr_adapter.errors import ConfigurationError, InvalidOrder, OrderOutcomeUnknown, PartlyPlaced
from ibkr_adapter.journal import SCHEMA_STEPS, End, Intent, Journal, Kind
from ibkr_adapter.lifeline import Lifeline
from ibkr_adapter.model.algos import ChosenAlgo
from ibkr_adapter.model.order import Acknowledgement, OrderState, OrderType, Side, Ticket, Tif
from ibkr_adapter.own_orders import SCHEMA_STEPS as BEFORE
from ibkr_adapter.records import Record, changing, placing
from ibkr_adapter.redact import remember
from ibkr_adapter.state import Store
from ibkr_adapter.wire.orders import Accepted, Asked, Refused, Unclear
from ibkr_adapter.wire.replies import Message, Question, Topic
from ibkr_adapter.wire.tickets import body_hash

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
TICKET = Ticket(
    account="DU1",
    conid=1,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    limit_price=Decimal(5),
    quantity=Decimal("1.50"),
    tif=Tif.DAY,
    coid="ibka-1",
)


@pytest.fixture
def clock():
    made = ManualClock(START)
    yield made
    made.close()


@pytest.fixture
def made(tmp_path, clock):
    """Make journals of one folder, each as a process of its own would."""
    journals = []

    def make(login="a", folder=tmp_path / "state"):
        store = Store(folder, "orders", steps=SCHEMA_STEPS, synchronous="FULL")
        journals.append((Journal(clock=clock, login=login, store=lambda: store), store))
        return journals[-1]

    yield make
    for journal, store in journals:
        journal.close()
        store.close()


def begun(journal, *tickets, **more):
    record = Record(journal, placing(tickets or (TICKET,), **more))
    record.begin()
    return record


# What it refuses --------------------------------------------------------------------------------


def test_a_coid_is_used_once_whichever_process_was_first(made):
    first, second = made()[0], made("b")[0]
    begun(first).end(End.PLACED)

    with pytest.raises(InvalidOrder, match="ibka-1 was used for another order; nothing was sent"):
        begun(second, attrs.evolve(TICKET, quantity=Decimal(2)))
    with pytest.raises(InvalidOrder, match="was sent at 2026-11-24T15:00:00"):
        begun(second)


def test_a_repeat_is_the_callers_own_word_and_holds_for_a_day(made, clock):
    """After that IBKR has forgotten the cOID and would book it again."""
    journal = made()[0]
    begun(journal).end(End.PLACED)
    clock.advance(24 * 3600 - 1)

    begun(journal, repeat=True).end(End.PLACED)
    with pytest.raises(InvalidOrder, match="another order"):
        begun(journal, attrs.evolve(TICKET, quantity=Decimal(2)), repeat=True)
    clock.advance(1)
    with pytest.raises(InvalidOrder, match="was sent at"):
        begun(journal, repeat=True)


def test_a_coid_that_never_left_and_one_of_another_account_are_free(made):
    journal = made()[0]
    begun(journal).end(End.NOT_SENT)
    begun(journal)

    begun(journal, attrs.evolve(TICKET, account="DU2"))


def test_a_repeated_schema_brings_an_older_file_along(tmp_path, made):
    """A folder of the version before knows which orders are ours, and goes on knowing it."""
    old = Store(tmp_path / "state", "orders", steps=BEFORE)
    old.write("INSERT INTO placed (order_id, account) VALUES ('5', 'DU1')")
    old.close()

    journal, store = made()
    begun(journal)

    assert store.read("SELECT order_id FROM placed") == [("5",)]


def test_a_full_disk_stops_orders_and_lets_cancels_through(made, caplog):
    journal, store = made()
    journal.demand()
    size = store.read("PRAGMA page_count")[0][0]
    store.read(f"PRAGMA max_page_count={size}")
    big = attrs.evolve(TICKET, conidex="9" * 20_000)

    with pytest.raises(ConfigurationError, match="full") as refused:
        begun(journal, big)
    cancel = Record(journal, changing("7" * 20_000, "DU1"))
    cancel.begin()
    cancel.end(End.SEEN)

    assert "Make room on the disk" in refused.value.remedy
    assert "without a journal" in caplog.text
    assert store.read("SELECT * FROM entry") == []


def test_a_folder_without_locks_is_no_place_for_a_journal(made, tmp_path):
    """Without the file that shows that we live, others would take our orders for a dead one's."""
    journal, store = made()
    journal.demand()
    journal._life = Lifeline(tmp_path / "nowhere")

    with pytest.raises(ConfigurationError, match="no order goes out: No such file"):
        begun(journal)

    assert store.read("SELECT * FROM entry") == []


def test_a_yes_that_cannot_be_written_is_refused_and_a_no_is_not(made):
    journal, store = made()
    record, cancel = begun(journal), Record(journal, changing("7", "DU1"))
    cancel.begin()
    store.read("PRAGMA query_only=ON")
    question = Question(reply_id="r", messages=())

    with pytest.raises(ConfigurationError, match="readonly"):
        record.replying(question, confirmed=True)
    record.replying(question, confirmed=False)
    cancel.replying(question, confirmed=True)


# What it keeps ----------------------------------------------------------------------------------


def test_the_file_is_for_its_owner_only_and_so_is_the_lock(made, tmp_path):
    begun(made()[0])

    modes = {path.name[-7:]: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert len(modes) >= 3
    assert set(modes.values()) == {0o600}


def test_every_kind_of_size_is_told_in_words(made):
    money = attrs.evolve(TICKET, quantity=None, cash_quantity=Decimal(100), coid="ibka-2")
    combo = attrs.evolve(TICKET, conidex="28812380;;;1/1,2/-1", coid="ibka-3")

    worked = attrs.evolve(TICKET, algo=ChosenAlgo(algo_id="Vwap", parameters=(("maxPctVol", 5),)))

    assert placing((TICKET, money, combo, worked)).about == (
        "BUY 1.50 1 LMT",
        "BUY 100 1 LMT",
        "BUY 1.50 28812380;;;1/1,2/-1 LMT",
        "BUY 1.50 1 LMT by Vwap maxPctVol=5",
    )
    assert changing("7", "DU1", TICKET).kind is Kind.MODIFY
    assert changing("7", "DU1").about == ()


def test_equal_bodies_have_equal_hashes_however_they_are_ordered():
    assert body_hash({"a": 1, "b": [2]}) == body_hash({"b": [2], "a": 1}) != body_hash({"a": 1, "b": [3]})
    assert len(body_hash(None)) == 64


def test_one_order_with_one_acknowledgement_is_over_and_ours_with_one_write(made):
    journal, store = made()
    ack = Acknowledgement(order_id="55", state=OrderState.SUBMITTED)

    begun(journal).heard(Accepted(acknowledgements=(ack,)))

    assert store.read("SELECT step, ended FROM entry") == [("accepted", "placed")]
    assert store.read("SELECT order_id, account, coid FROM placed") == [("55", "DU1", "ibka-1")]


def test_the_legs_of_a_bracket_are_ours_and_told_apart_later(made):
    """IBKR takes no cOID for them, so what was sent under which id only looking tells."""
    journal, store = made()
    child = attrs.evolve(TICKET, coid=None, parent_coid="ibka-1", side=Side.SELL)
    entry = Acknowledgement(order_id="55", state=OrderState.SUBMITTED, coid="ibka-1")
    leg = Acknowledgement(order_id="56", state=OrderState.PRE_SUBMITTED)

    begun(journal, TICKET, child).heard(Accepted(acknowledgements=(entry, leg)))

    found = store.read("SELECT order_id, coid, ticket FROM placed ORDER BY order_id")
    assert [(order_id, coid) for order_id, coid, _ in found] == [("55", "ibka-1"), ("56", None)]
    assert found[0][2] == written_tickets.write([TICKET])
    assert found[1][2] is None
    assert store.read("SELECT ended FROM entry") == [(None,)]


def test_what_acknowledges_a_change_says_nothing_of_what_the_order_is(made):
    """Nobody knows yet whether the change took."""
    journal, store = made()
    begun(journal).heard(
        Accepted(acknowledgements=(Acknowledgement(order_id="55", state=OrderState.SUBMITTED),))
    )
    change = Record(journal, changing("55", "DU1", attrs.evolve(TICKET, limit_price=Decimal(4))))
    change.begin()

    change.heard(Accepted(acknowledgements=(Acknowledgement(order_id="55", state=OrderState.SUBMITTED),)))

    assert store.read("SELECT ticket FROM placed") == [(written_tickets.write([TICKET]),)]
    assert store.read("SELECT ended FROM entry WHERE kind = 'modify'") == [(None,)]


def test_what_ibkr_answered_is_kept_in_words(made):
    """For a person who reads what happened; cut where it is long."""
    journal, store = made()
    ack = Acknowledgement(order_id="55", state=OrderState.SUBMITTED)
    message = Message(message_id="o1", words="Are you sure?", topic=Topic.UNKNOWN)
    record = begun(journal)

    record.heard(Asked(questions=(Question(reply_id="r", messages=(message,)),), acknowledgements=(ack,)))
    record.heard(Unclear(reason="HTTP 503"))
    record.heard(Refused(text="no" * 200))

    said = [words for (words,) in store.read("SELECT words FROM step ORDER BY rowid")]
    assert said[0] == "BUY 1.50 1 LMT"
    assert said[1] == "55 Submitted; Are you sure?"
    assert said[2] == "HTTP 503"
    assert said[3] == "no" * 100


def test_an_intent_is_no_repeat_unless_it_says_so(made):
    """A cOID that was used is used, whoever wrote the intent."""
    journal = made()[0]
    plain = Intent(kind=Kind.PLACE, account="DU1", body_hash="h", coids=("host-1",))
    Record(journal, plain).begin()
    journal.note(1, "placed", end=End.PLACED)

    with pytest.raises(InvalidOrder, match="was sent at"):
        Record(journal, plain).begin()


def test_a_refusal_in_disguise_is_not_ours_and_a_second_acknowledgement_is_no_end(made):
    journal, store = made()
    good = Acknowledgement(order_id="55", state=OrderState.SUBMITTED, coid="ibka-1")
    bad = Acknowledgement(order_id="-1", state=OrderState.FAILED)

    begun(journal).heard(Accepted(acknowledgements=(good, bad)))
    begun(journal, attrs.evolve(TICKET, coid="ibka-2")).heard(Accepted(acknowledgements=(bad,)))

    assert store.read("SELECT ended FROM entry") == [(None,), (None,)]
    assert store.read("SELECT order_id FROM placed") == [("55",)]


@pytest.mark.parametrize(
    ("failure", "step", "ended"),
    [
        (PartlyPlaced("x", placed={}, missing=()), "partly placed", "partly placed"),
        (OrderOutcomeUnknown("x", coid="ibka-1", sent_at=START), "unknown", None),
        (SystemExit(), "unknown", None),
    ],
)
def test_a_call_that_ends_badly_ends_its_entry_as_far_as_is_known(made, failure, step, ended):
    journal, store = made()

    with pytest.raises(type(failure)), begun(journal).concluding():
        raise failure

    assert store.read("SELECT step, ended FROM entry") == [(step, ended)]


def test_what_ibkr_says_is_kept_without_secrets(made):
    remember("very-secret-token")
    journal, store = made()

    begun(journal).heard(Refused(text="no, said very-secret-token"))

    assert "very-secret-token" not in str(store.read("SELECT words FROM step"))


def test_the_first_end_counts(made):
    """Two processes may look the same entry up, and one may be late."""
    journal, store = made()
    record = begun(journal)
    record.heard(Refused(text="no"))
    number = record._number

    record.end(End.REFUSED)
    journal.note(number, "absent", end=End.ABSENT)

    assert store.read("SELECT ended FROM entry") == [("refused",)]
    assert store.read("SELECT step, words FROM step ORDER BY rowid")[1:] == [
        ("refused", "no"),
        ("refused", ""),
    ]


def test_what_is_over_goes_after_two_weeks_and_what_is_open_stays(made, clock):
    journal, store = made()
    begun(journal).end(End.PLACED)
    begun(journal, attrs.evolve(TICKET, coid="ibka-2"))
    clock.advance(14 * 86400 + 1)

    begun(journal, attrs.evolve(TICKET, coid="ibka-3"))

    assert store.read("SELECT coid FROM entry_coid") == [("ibka-2",), ("ibka-3",)]
    assert store.read("SELECT count(*) FROM entry") == [(2,)]
    assert store.read("SELECT DISTINCT entry FROM step") == [(2,), (3,)]


# Who lives --------------------------------------------------------------------------------------


def test_what_a_living_one_has_open_is_not_abandoned_until_it_closes(made):
    first, second = made()[0], made()[0]
    begun(first)
    assert first.abandoned("DU1") == second.abandoned("DU1") == ()

    first.close()

    (entry,) = second.abandoned("DU1")
    assert (entry.kind, entry.coids, entry.step) == (Kind.PLACE, ("ibka-1",), "sending")
    assert entry.begun_at == START
    assert second.abandoned("DU2") == made("b")[0].abandoned("DU1") == ()


def test_a_call_that_ended_without_knowing_is_told_to_who_asks_for_it(made):
    first, second = made()[0], made()[0]
    with pytest.raises(SystemExit), begun(first).concluding():
        raise SystemExit

    assert second.abandoned("DU1") == ()
    assert len(second.abandoned("DU1", with_unknown=True)) == 1


CHILD = """
import os, sys
from pathlib import Path
from ibkr_adapter.lifeline import Lifeline
life = Lifeline(Path(sys.argv[1]))
print(life.name(), flush=True)
sys.stdin.readline()
os._exit(9)
"""


def test_a_process_lives_until_it_ends_however_it_ends(tmp_path):
    child = subprocess.Popen(  # noqa: S603  (our own interpreter and text)
        [sys.executable, "-c", CHILD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    life = Lifeline(tmp_path)
    name = child.stdout.readline().strip()
    assert life.lives(name)

    child.communicate("die\n", timeout=30)

    assert child.returncode == 9
    assert not life.lives(name)
    assert (tmp_path / f"{name}.alive").read_text() == f"{child.pid}\n"
    life.name()
    assert not (tmp_path / f"{name}.alive").exists()
    life.close()


@FORKS
def test_a_child_does_not_keep_its_dead_parent_alive(tmp_path):
    """It has inherited the open file, and with it the lock; others that hold nothing are no hindrance."""
    idle = [Lifeline(tmp_path) for _ in range(16)]
    told, tell = os.pipe()
    go_on, end = os.pipe()

    parent = os.fork()
    if parent == 0:
        life = Lifeline(tmp_path)
        name = life.name()
        if os.fork() == 0:
            # It has let go by now, because that is done inside the fork.
            os.write(tell, name.encode())
            os.close(end)
            os.read(go_on, 1)
        os._exit(0)
    os.waitpid(parent, 0)
    name = os.read(told, 64).decode()
    lives = Lifeline(tmp_path).lives(name)
    os.close(end)

    assert (tmp_path / f"{name}.alive").exists()
    assert not lives
    assert len(idle) == 16
    for number in (told, tell, go_on):
        os.close(number)


@FORKS
def test_a_forked_child_has_a_name_of_its_own_and_does_not_keep_its_parent_alive(tmp_path):
    life, other = Lifeline(tmp_path), Lifeline(tmp_path)
    name = life.name()
    written, child_ready = os.pipe()
    go_on, end = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(child_ready, life.name().encode())
        os.read(go_on, 1)
        os._exit(0)
    childs = os.read(written, 64).decode()
    alive = other.lives(name), other.lives(childs)
    life.close()
    after = other.lives(name), other.lives(childs)
    os.write(end, b"x")
    os.waitpid(child, 0)

    assert childs != name
    assert alive == (True, True)
    assert after == (False, True)
    assert not other.lives(childs)
    for number in (written, child_ready, go_on, end):
        os.close(number)


def test_a_name_whose_file_was_removed_is_taken_anew(tmp_path):
    """Others would believe that we are dead, and look our orders up while they are on their way."""
    life, other = Lifeline(tmp_path), Lifeline(tmp_path)
    first = life.name()
    (tmp_path / f"{first}.alive").unlink()

    second = life.name()

    assert second != first
    assert life.name() == second
    assert (other.lives(first), other.lives(second)) == (False, True)
    life.close()
    assert not other.lives(second)


def test_what_cannot_be_looked_at_is_not_proven_dead(tmp_path):
    (tmp_path / "odd.alive").mkdir()

    assert Lifeline(tmp_path).lives("odd")


def test_closing_without_a_name_leaves_nothing(tmp_path, made):
    Lifeline(tmp_path).close()
    made()[0].close()

    assert list(tmp_path.iterdir()) == []


def test_an_entry_is_for_all_to_see_before_the_request_leaves(made, tmp_path):
    begun(made()[0])

    connection = sqlite3.connect(tmp_path / "state" / "orders.sqlite3")
    found = connection.execute("SELECT coid FROM entry_coid").fetchall()
    connection.close()

    assert found == [("ibka-1",)]


def test_a_dead_ones_file_goes_with_its_last_question_and_not_before(tmp_path, made):
    """Others would take it for living by nobody's file, or look at its entry for ever."""
    journal, other = made()[0], made()[0]
    begun(journal)
    journal._lifeline().forked()  # the lock is let go and the file stays, as when a process dies
    (file,) = (tmp_path / "state").glob("*.alive")
    (entry,) = other.abandoned("DU1")

    other.settle(entry, "unknown")
    still_there = file.exists()
    other.settle(entry, "absent", end=End.ABSENT)

    assert still_there
    assert not file.exists()


def test_what_is_settled_of_a_living_one_leaves_its_file(tmp_path, made):
    journal, other = made()[0], made()[0]
    begun(journal)
    (file,) = (tmp_path / "state").glob("*.alive")
    (entry,) = [entry for entry in _all_open(journal) if entry.coids == ("ibka-1",)]

    other.settle(entry, "placed", end=End.PLACED)

    assert file.exists()
    assert other._lifeline().lives(file.stem)


def _all_open(journal):
    """Its own open entry, seen as one whose call has ended."""
    journal.note(1, "unknown")
    return journal.abandoned("DU1", with_unknown=True)
