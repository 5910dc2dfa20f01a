"""Processes of one login keep the limits together, and one 429 stops all of them.

What a process would have is built twice here over one file: a throttle with a store and a book of
its own. The clock is a manual one that jumps; real processes are in the system tests.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path

import pytest

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.errors import Throttled
from ibkr_adapter.state import StateUnavailable, Store
from ibkr_adapter.throttle import SCHEMA_STEPS, SharedBook, Throttle
from ibkr_adapter.wire.endpoints import (
    ENDPOINTS,
    HISTORY,
    LEDGER,
    LIVE_ORDERS,
    PA_PERFORMANCE,
    PLACE_ORDERS,
    TICKLE,
    find,
)

START = datetime(2026, 11, 24, 15, tzinfo=UTC)
NEAR = 1e-4


class Restarted(ManualClock):
    """A clock whose monotonic reading begins anew, as after a restart of the machine."""

    def __init__(self, start, **more):
        self.offset = 0.0
        super().__init__(start, **more)

    def monotonic(self):
        return super().monotonic() + self.offset


class Adjusted(Restarted):
    """A clock whose time of day is set by somebody."""

    def __init__(self, start, **more):
        self.set_by = timedelta(0)
        super().__init__(start, **more)

    def now(self):
        return super().now() + self.set_by


class Machine:
    """Several processes, which share a folder and a clock."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = Adjusted(START, jump=True)
        self.throttles = []

    def process(self, *, login="alice", host="api.ibkr.com:443", per_second=10, margin=0.0):
        store = Store(self.folder, "pacing", steps=SCHEMA_STEPS, disposable=True, patience=0.1)
        book = SharedBook(
            self.clock, store=lambda: store, login=login, host=host, per_second=per_second, margin=margin
        )
        throttle = Throttle(self.clock, margin=margin, book=book)
        self.throttles.append(throttle)
        return throttle

    def now(self):
        return self.clock.monotonic()

    def start(self, work, *given, **more):
        thread = threading.Thread(target=work, args=given, kwargs=more, daemon=True)
        self.clock.expect(thread)
        thread.start()
        return thread

    def join(self, *threads):
        with self.clock.aside():
            for thread in threads:
                thread.join(20)
        assert not any(thread.is_alive() for thread in threads)


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    for throttle in made.throttles:
        throttle.close()


def holds(folder):
    """Whether this process has a file of that folder open."""
    inside = {path.stat().st_ino for path in folder.rglob("*") if path.is_file()}
    found = set()
    for number in range(4096):
        with suppress(OSError):
            found.add(os.fstat(number).st_ino)
    return bool(inside & found)


def leave(throttle, endpoint=LEDGER, times=1, **more):
    return [throttle.acquire(endpoint, deadline=inf, **more) for _ in range(times)]


def test_the_budget_of_a_login_is_one_for_all_processes(machine):
    one, other = machine.process(), machine.process()

    moments = leave(one, times=7) + leave(other, times=7)

    assert moments == pytest.approx([0.0] * 10 + [1.0] * 4, abs=NEAR)


def test_the_limit_of_an_endpoint_is_one_for_all_processes(machine):
    one, other = machine.process(), machine.process()

    moments = leave(one, LIVE_ORDERS) + leave(other, LIVE_ORDERS)

    assert moments == pytest.approx([0.0, 5.0], abs=NEAR)


def test_what_is_closed_holds_no_file_and_a_later_call_opens_it_again(machine):
    one, other = machine.process(), machine.process()
    leave(one, times=10)
    assert holds(machine.folder)

    one.close()

    assert not holds(machine.folder)
    assert leave(other) + leave(one) == pytest.approx([1.0, 1.0], abs=NEAR)


def test_another_login_has_a_budget_of_its_own(machine):
    one, other = machine.process(), machine.process(login="bob")

    moments = leave(one, times=10) + leave(other, times=10)

    assert moments == pytest.approx([0.0] * 20, abs=NEAR)


def test_threads_of_two_processes_lose_next_to_nothing_of_the_rate(machine):
    """99.5 % of what is allowed, without a margin, and never more."""
    processes, left = [machine.process(), machine.process()], []

    def work(throttle):
        left.extend(leave(throttle, times=50))

    machine.join(*(machine.start(work, processes[number % 2]) for number in range(6)))

    left.sort()
    spans = [later - earlier for earlier, later in zip(left, left[10:], strict=False)]
    assert min(spans) >= 1.0 - 1e-9
    assert len(spans) / sum(spans) >= 0.995


def test_a_departure_that_is_put_off_is_put_off_for_all(machine):
    """The line took long to open, so the call arrives late, whoever sends the next one."""
    one, other = machine.process(), machine.process()
    booked = leave(one, times=10)[0]
    machine.clock.sleep(0.2)

    for _ in range(10):
        one.put_off(LEDGER, booked)

    assert leave(other) == pytest.approx([1.2], abs=NEAR)


def test_a_refusal_closes_the_path_and_halves_the_rate_for_all_processes(machine):
    one, other = machine.process(), machine.process()
    leave(other)

    one.refused(LEDGER)

    with pytest.raises(Throttled, match="refused GET /portfolio") as closed:
        other.acquire(LEDGER, deadline=machine.now() + 5)
    assert closed.value.retry_at == pytest.approx(60, abs=NEAR)
    assert other.state().rate == pytest.approx(5, abs=NEAR)


def test_the_box_stops_every_login_to_that_host_and_no_other(machine):
    """IBKR locks an address out, not a user; and a simulator is another host."""
    one, bob = machine.process(), machine.process(login="bob")
    elsewhere = machine.process(login="carol", host="localhost:5000")

    one.refused(LEDGER)
    one.refused(LIVE_ORDERS)

    with pytest.raises(Throttled, match="900 s more"):
        bob.acquire(PLACE_ORDERS, deadline=machine.now() + 45)
    assert leave(elsewhere) == pytest.approx([machine.now()], abs=NEAR)


def test_one_tickle_a_minute_probes_the_box_over_all_processes(machine):
    one, bob = machine.process(), machine.process(login="bob")
    one.refused(LEDGER)
    one.refused(LIVE_ORDERS)

    probes = leave(bob, TICKLE) + leave(one, TICKLE) + leave(bob, TICKLE)

    assert probes == pytest.approx([60, 120, 180], abs=NEAR)


def test_a_refused_history_closes_history_only_for_all_processes(machine):
    one, other = machine.process(), machine.process()

    one.refused(HISTORY)
    one.refused(HISTORY)

    with pytest.raises(Throttled, match="history"):
        other.acquire(HISTORY, deadline=machine.now() + 5)
    assert leave(other) == pytest.approx([0.0], abs=NEAR)
    assert other.state().rate == 10


def test_what_opens_in_minutes_is_refused_at_once_with_the_time(machine):
    one, other = machine.process(), machine.process()
    leave(one, PA_PERFORMANCE)

    with pytest.raises(Throttled, match="at 15:15:0"):
        other.acquire(PA_PERFORMANCE, deadline=machine.now() + 15)

    assert machine.now() == pytest.approx(0, abs=NEAR)


def test_the_box_outlives_a_restart_of_the_machine_and_departures_do_not(machine):
    """The monotonic clock begins anew; the wall does not."""
    machine.clock.sleep(5000)
    before = machine.process()
    leave(before, LIVE_ORDERS)
    before.refused(LEDGER)
    before.refused(PA_PERFORMANCE)
    machine.clock.sleep(100)

    machine.clock.offset = -5050.0
    after = machine.process()

    state = after.state()
    assert state.boxed_for == pytest.approx(800, abs=0.01)
    assert state.closed == {}
    machine.clock.sleep(800.1)
    asked = machine.now()
    assert leave(after, LIVE_ORDERS) == pytest.approx([asked], abs=NEAR)


def test_the_box_ends_although_the_time_was_set_back(machine):
    """What lies hours ahead by then holds as long as a box ever does, and no longer."""
    one, other = machine.process(), machine.process()
    one.refused(LEDGER)
    one.refused(LIVE_ORDERS)

    machine.clock.set_by = timedelta(hours=-3)

    assert other.state().boxed_for == pytest.approx(900, abs=NEAR)
    with pytest.raises(Throttled):
        other.acquire(TICKLE, deadline=machine.now() + 12)
    machine.clock.sleep(60)
    assert leave(other, TICKLE) == pytest.approx([60], abs=NEAR)
    machine.clock.sleep(840)
    assert one.state().boxed_for == other.state().boxed_for == 0
    assert leave(one, PLACE_ORDERS) == pytest.approx([machine.now()], abs=NEAR)


def test_the_rate_recovers_and_a_path_opens_although_the_time_was_set_back(machine):
    one = machine.process()
    one.refused(LEDGER)

    machine.clock.set_by = timedelta(hours=-3)
    assert set(one.state().closed) == {LEDGER.name}
    machine.clock.sleep(4000)

    assert one.state().rate == 10
    assert one.state().closed == {}


def test_departures_that_lie_ahead_are_from_before_a_restart(machine):
    """Nobody books into the future, so more than a moment ahead they bind nobody."""
    machine.clock.sleep(2)
    leave(machine.process(), times=10)

    machine.clock.offset = -1.5

    assert leave(machine.process()) == pytest.approx([0.5], abs=NEAR)


def test_calls_under_way_are_counted_over_processes(machine):
    one, other = machine.process(), machine.process()
    leave(one, HISTORY, times=3)
    leave(other, HISTORY)

    with pytest.raises(Throttled, match="under way"):
        other.acquire(HISTORY, deadline=machine.now() + 5)
    one.release(HISTORY)

    assert leave(other, HISTORY)


def test_the_calls_under_way_of_every_process_count(machine):
    """Also of those whose names come behind our own."""
    processes = [machine.process() for _ in range(4)]
    for each in processes:
        leave(each, HISTORY)

    for each in processes:
        with pytest.raises(Throttled, match="under way"):
            each.acquire(HISTORY, deadline=machine.now() + 1)


def test_calls_under_way_are_counted_beside_those_that_have_no_such_limit(machine):
    one, other = machine.process(), machine.process()
    leave(one, LIVE_ORDERS)
    leave(one, HISTORY, times=4)

    with pytest.raises(Throttled, match="under way"):
        other.acquire(HISTORY, deadline=machine.now() + 1)


def test_a_call_of_another_process_that_ends_lets_a_waiting_one_leave(machine):
    """Nobody wakes it, so it looks by itself."""
    one, other = machine.process(), machine.process()
    leave(one, HISTORY, times=4)

    def end():
        machine.clock.sleep(3)
        one.release(HISTORY)

    ending = machine.start(end)
    moments = []
    waiting = machine.start(lambda: moments.extend(leave(other, HISTORY)))
    machine.join(ending, waiting)

    assert 3 <= moments[0] <= 3.2


DYING = """
import os, sys
from pathlib import Path
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.state import StateUnavailable, Store
from ibkr_adapter.throttle import SCHEMA_STEPS, SharedBook, Throttle
from ibkr_adapter.wire.endpoints import HISTORY
store = Store(Path(sys.argv[1]), "pacing", steps=SCHEMA_STEPS)
book = SharedBook(SystemClock(), store=lambda: store, login="alice", host="h", per_second=10, margin=0.0)
for _ in range(4):
    Throttle(SystemClock(), book=book).acquire(HISTORY, deadline=1e12)
os._exit(9)
"""


def test_calls_of_a_process_that_died_are_not_under_way(machine, tmp_path):
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False, timeout=60)  # noqa: S603  (our own interpreter and text)
    throttle = machine.process()

    left = leave(throttle, HISTORY, times=4)

    assert done.returncode == 9
    assert len(left) == 4
    under_way = throttle._book._file().read("SELECT name, calls FROM under_way")
    assert under_way == [(HISTORY.name, 4)]  # ours; the dead one's is gone


def test_an_urgent_call_of_another_process_has_the_next_slot(machine):
    """An exit does not stand behind the reads of a neighbour."""
    one, other, order = machine.process(), machine.process(), []
    leave(one, times=10)

    def read():
        for _ in range(3):
            other.acquire(LEDGER, deadline=inf)
            order.append("read")
            machine.clock.sleep(0)

    def place():
        one.acquire(PLACE_ORDERS, deadline=inf, urgent=True)
        order.append("order")

    placing = machine.start(place)
    machine.clock.sleep(0.5)
    machine.join(placing, machine.start(read))

    assert order[0] == "order"


def test_the_claim_of_a_dead_process_holds_up_nobody_for_long(machine):
    one, other = machine.process(), machine.process()
    leave(one, times=10)
    with one._book.opened() as pace:
        one._book.claim(pace, 1.0)

    moments = leave(other)

    assert moments == pytest.approx([1.05], abs=NEAR)


def test_a_claim_is_given_up_when_its_call_has_left(machine):
    one, other = machine.process(), machine.process()
    leave(one, times=10)

    urgent = leave(one, PLACE_ORDERS, urgent=True)

    assert urgent + leave(other) == pytest.approx([1.0, 1.0], abs=NEAR)


def test_who_leaves_urgently_gives_up_no_claim_of_others(machine):
    """Two processes with an exit each; the reads of a third wait for both."""
    one, other, third = machine.process(), machine.process(), machine.process()
    with one._book.opened() as pace:
        one._book.claim(pace, 0.5)

    with other._book.opened() as pace:
        other._book.claim(pace, None)

    assert leave(third) == pytest.approx([0.55], abs=NEAR)


def test_a_claim_for_a_moment_that_is_far_off_is_none(machine):
    """Nobody waits longer for an urgent call than its own windows could make it wait."""
    one, other = machine.process(), machine.process()
    with one._book.opened() as pace:
        one._book.claim(pace, 5.5)

    assert leave(other) == pytest.approx([0.0], abs=NEAR)


def test_an_urgent_call_that_waits_for_its_own_limit_holds_up_nobody(machine):
    one, other, moments = machine.process(), machine.process(), []
    leave(one, LIVE_ORDERS)
    waiting = machine.start(lambda: moments.extend(leave(one, LIVE_ORDERS, urgent=True)))
    machine.clock.sleep(0.5)

    left = leave(other)
    machine.join(waiting)

    assert left + moments == pytest.approx([0.5, 5.0], abs=NEAR)


def test_without_the_folder_pacing_goes_on_in_memory_and_says_so_once(machine, tmp_path, caplog):
    machine.folder = tmp_path / "file"
    machine.folder.write_text("no folder")
    throttle = machine.process()

    with caplog.at_level(logging.WARNING):
        moments = leave(throttle, times=25)
        machine.clock.sleep(61)
        leave(throttle)

    assert moments == pytest.approx([0.0] * 10 + [1.0] * 10 + [2.0] * 5, abs=NEAR)
    assert len([record for record in caplog.records if "for itself" in record.message]) == 1


def test_what_left_while_the_folder_was_away_counts_when_it_is_back(machine, tmp_path):
    machine.folder = tmp_path / "late"
    machine.folder.write_text("no folder yet")
    throttle, other = machine.process(), machine.process()
    throttle.refused(LEDGER)
    machine.clock.sleep(59)
    leave(throttle, LIVE_ORDERS)
    machine.folder.unlink()
    # Others have written there meanwhile; what is there does not undo what we know.
    leave(other, LIVE_ORDERS, urgent=True)
    machine.clock.sleep(1.5)

    rate = throttle.state().rate

    assert rate == pytest.approx(other.state().rate)
    assert rate < 6
    assert leave(other, LIVE_ORDERS) == pytest.approx([64.0], abs=NEAR)


def test_a_burst_that_left_while_the_folder_was_away_counts_whole_when_it_is_back(machine, tmp_path):
    """Clocks are coarse on some machines, so calls that left at one moment are still several."""
    machine.folder = tmp_path / "late"
    machine.folder.write_text("no folder yet")
    throttle, other = machine.process(), machine.process()
    leave(throttle)
    machine.clock.sleep(59.5)
    leave(throttle, times=10)
    machine.folder.unlink()
    machine.clock.sleep(0.25)
    leave(other, times=2)
    machine.clock.sleep(0.25)

    throttle.state()

    assert leave(other) == pytest.approx([60.5], abs=NEAR)


def test_a_folder_that_is_back_is_said_once(machine, tmp_path, caplog):
    machine.folder = tmp_path / "late"
    machine.folder.write_text("no folder yet")
    throttle = machine.process()
    leave(throttle)
    machine.folder.unlink()
    machine.clock.sleep(60)

    leave(throttle, times=3)

    said = [record.message for record in caplog.records if "with other processes again" in record.message]
    assert len(said) == 1


def test_alone_nobody_waits_for_the_calls_of_others(machine):
    """That they have ended could not be heard."""
    one, other = machine.process(), machine.process()
    leave(one, HISTORY, times=4)
    with pytest.raises(Throttled):
        other.acquire(HISTORY, deadline=machine.now() + 1)
    asked = machine.now()
    other._book._store.close()
    other._book._store = None
    other._book._open_store = _without_a_file

    assert leave(other, HISTORY) == pytest.approx([asked], abs=NEAR)


def _without_a_file():
    raise StateUnavailable(Path("pacing.sqlite3"), "gone")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_shares_the_budget_of_its_parent(machine):
    throttle = machine.process()
    leave(throttle, times=6)

    child = os.fork()
    if child == 0:
        leave(throttle, times=4)
        os._exit(0)
    os.waitpid(child, 0)

    assert leave(throttle) == pytest.approx([1.0], abs=NEAR)


def test_every_listed_endpoint_is_found_again_by_its_name():
    """The file has names only."""
    for endpoint in ENDPOINTS:
        assert find(endpoint.method, endpoint.template) is endpoint
