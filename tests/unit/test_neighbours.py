"""Processes at one session wait for each other, with a deadline, and never for a dead one.

What another process holds is held here by another object: a lock belongs to whoever opened
the file. The clock is a manual one that jumps.
"""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.errors import BrokerageUnavailable, LoginInUse
from ibkr_adapter.filelocks import SHARED, FileLock
from ibkr_adapter.lease import Lease
from ibkr_adapter.neighbours import SURELY_SENT, Neighbours, OneAtATime

START = datetime(2026, 11, 24, 15, tzinfo=UTC)
# How late a waiting process may notice that a lock is free.
LOOKS = 0.03

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
shared = pytest.mark.skipif(not SHARED, reason="this platform has no shared locks")


class Street:
    """A clock, a folder, and the dialogues of as many processes as are asked for."""

    def __init__(self, folder):
        self.clock = ManualClock(START, jump=True)
        self.folder = folder

    def process(self):
        return Dialogue(self.clock, Neighbours(self.clock, self.folder, "alice"))

    def now(self):
        return self.clock.monotonic()

    def run(self, *works):
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            self.clock.expect(thread)
        for thread in threads:
            thread.start()
        with self.clock.aside():
            for thread in threads:
                thread.join(20)
        assert not any(thread.is_alive() for thread in threads)


@pytest.fixture
def street(tmp_path):
    made = Street(tmp_path)
    yield made
    made.clock.close()


def test_an_order_waits_until_another_processs_is_no_longer_asked_about(street):
    one, other, moments = street.process(), street.process(), []

    def converse():
        with one.hold(60):
            street.clock.sleep(5)

    def place():
        street.clock.sleep(1)
        with other.hold(60):
            moments.append(street.now())

    street.run(converse, place)

    assert 5 <= moments[0] <= 5 + LOOKS


@shared
def test_a_read_waits_for_another_processs_dialogue(street):
    one, other, moments = street.process(), street.process(), []

    def converse():
        with one.hold(60):
            street.clock.sleep(5)

    def read():
        street.clock.sleep(1)
        with other.passage(60):
            moments.append(street.now())

    street.run(converse, read)

    assert 5 <= moments[0] <= 5 + LOOKS


@shared
def test_a_read_that_stood_in_line_does_not_begin_in_another_processs_dialogue(street):
    """Its slot has come; entering without waiting is refused."""
    one, other = street.process(), street.process()

    with one.hold(60):
        entered = other.enter()

    assert entered is None
    assert other.enter() is not None


def test_who_waits_too_long_for_another_process_is_told_that_nothing_was_sent(street):
    one, other, told = street.process(), street.process(), []

    def converse():
        with one.hold(60):
            street.clock.sleep(50)

    def place():
        street.clock.sleep(1)
        with (
            pytest.raises(BrokerageUnavailable, match=r"another process.*not sent") as refused,
            other.hold(11),
        ):
            pass
        told.append((street.now(), refused.value.repeatable))
        assert not other.is_mine

    street.run(converse, place)

    assert told == [(pytest.approx(11), True)]


@shared
def test_reads_of_several_processes_do_not_wait_for_each_other(street):
    one, other = street.process(), street.process()

    with one.passage(1), one.passage(1), other.passage(1):
        moment = street.now()

    assert moment == 0


@shared
def test_an_order_lets_a_call_that_another_process_has_just_begun_arrive_first(street):
    one, other, order = street.process(), street.process(), []

    def read():
        with one.passage(60):
            street.clock.sleep(0.1)
            order.append("read")

    def place():
        street.clock.sleep(0.05)
        with other.hold(60):
            order.append("order")

    street.run(read, place)

    assert order == ["read", "order"]


@shared
def test_a_long_download_of_another_process_does_not_hold_up_an_order(street):
    one, other, moments = street.process(), street.process(), []

    def read():
        with one.passage(60):
            street.clock.sleep(20)

    def place():
        street.clock.sleep(1)
        with other.hold(60):
            moments.append(street.now())

    street.run(read, place)

    assert moments == [pytest.approx(1 + SURELY_SENT)]


def test_a_call_that_is_over_keeps_no_order_waiting(street):
    one, other = street.process(), street.process()
    with one.passage(1), one.passage(1):
        pass

    with other.hold(1):
        moment = street.now()

    assert moment == 0


def test_the_owner_of_a_dialogue_may_hold_and_pass_again(street):
    one = street.process()

    with one.hold(5), one.hold(5), one.passage(5):
        pass

    with street.process().hold(5):
        pass
    assert street.now() == 0


HOLDING = """
import sys
from pathlib import Path
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.lease import Lease
from ibkr_adapter.neighbours import Neighbours
folder = Path(sys.argv[1])
neighbours = Neighbours(SystemClock(), folder, "alice")
neighbours.take_floor(1e12)
lease = Lease(folder, "alice")
lease.take()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the floor and the lease."""
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and text)
        [sys.executable, "-c", HOLDING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_floor_of_a_process_that_was_killed_is_free(street, holder):
    dialogue = street.process()
    with pytest.raises(BrokerageUnavailable), dialogue.hold(1):
        pass

    holder.kill()
    holder.wait()

    with dialogue.hold(street.now() + 1):
        pass


def test_a_login_that_another_process_owns_is_refused_with_its_number_and_free_after_its_death(
    tmp_path, holder
):
    lease = Lease(tmp_path, "alice")

    with pytest.raises(LoginInUse, match=f"process {holder.pid} .*nothing was sent.*one process"):
        lease.take()
    holder.kill()
    holder.wait()

    lease.take()
    lease.close()


def test_objects_of_one_process_share_a_login_until_the_last_is_closed(tmp_path):
    one, other = Lease(tmp_path, "alice"), Lease(tmp_path, "alice")
    one.take()
    other.take()
    elsewhere = FileLock(tmp_path / "alice.lease")

    one.close()
    still = elsewhere.take()
    other.close()

    assert not still
    assert elsewhere.take()
    elsewhere.let_go()


def test_a_closed_lease_is_not_taken_again(tmp_path):
    """A call that is still under way when its object is closed must not lock others out for ever."""
    lease = Lease(tmp_path, "alice")
    lease.take()
    lease.close()

    lease.take()

    assert FileLock(tmp_path / "alice.lease").take()


@forks
def test_a_forked_child_owns_no_login_and_holds_up_none(tmp_path):
    lease = Lease(tmp_path, "alice")
    lease.take()
    end, wake = os.pipe()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            lease.take()
            os.write(tell, b"taken")
        except LoginInUse:
            os.write(tell, b"refused")
        os.read(end, 1)
        os._exit(0)

    in_child = os.read(told, 10)
    lease.close()
    free = FileLock(tmp_path / "alice.lease").take()
    os.write(wake, b".")
    os.waitpid(child, 0)

    assert in_child == b"refused"
    assert free


def test_sessions_are_brought_up_one_after_the_other(street):
    one, other = (OneAtATime(street.clock, street.folder / "alice.opening") for _ in range(2))
    moments = []

    def first():
        with one.hold(60):
            street.clock.sleep(3)

    def second():
        street.clock.sleep(1)
        with other.hold(60):
            moments.append(street.now())

    street.run(first, second)

    assert 3 <= moments[0] <= 3 + LOOKS


def test_who_waits_too_long_for_the_session_is_told_so(street):
    one, other = (OneAtATime(street.clock, street.folder / "alice.opening") for _ in range(2))

    with (
        one.hold(1),
        pytest.raises(BrokerageUnavailable, match="bringing up the brokerage session"),
        other.hold(2),
    ):
        pass

    assert street.now() == pytest.approx(2)


def test_where_the_folder_cannot_be_used_work_goes_on_and_each_says_so_once(street, tmp_path, caplog):
    street.folder = tmp_path / "file"
    street.folder.write_text("no folder")
    dialogue, lease = street.process(), Lease(street.folder, "alice")
    opening = OneAtATime(street.clock, street.folder / "alice.opening")

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            lease.take()
            with opening.hold(1), dialogue.hold(1):
                pass
            with dialogue.passage(1):
                pass

    assert len(caplog.records) == 3
    assert [
        word for word in ("not waited for", "at once", "throw each other out") if word in caplog.text
    ] == [
        "not waited for",
        "at once",
        "throw each other out",
    ]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_lock_files_are_for_their_owner_only_and_no_link_is_followed(tmp_path):
    lock = FileLock(tmp_path / "fresh" / "a.lock")
    (tmp_path / "link").symlink_to(tmp_path / "target")

    assert lock.take(words="1")
    with pytest.raises(OSError, match="symbolic"):
        FileLock(tmp_path / "link").take()

    assert stat.S_IMODE(lock.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(lock.path.parent.stat().st_mode) == 0o700
    assert lock.words() == "1"
    lock.let_go()
