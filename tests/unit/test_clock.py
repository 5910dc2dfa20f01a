"""Virtual time goes from one due moment to the next and never past a thread that still works."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ibkr_adapter import clock as room
from ibkr_adapter.clock import ManualClock, Redated, SystemClock

START = datetime(2026, 3, 24, 14, 0, tzinfo=UTC)


@pytest.fixture
def clock():
    made = ManualClock(START)
    yield made
    made.close()


def run(clock, *works):
    """Announce and start a thread for each piece of work."""
    threads = [threading.Thread(target=work, daemon=True, name=f"worker-{n}") for n, work in enumerate(works)]
    for thread in threads:
        clock.expect(thread)
    for thread in threads:
        thread.start()
    return threads


def end(clock, threads):
    with clock.aside():
        for thread in threads:
            thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


# The machine's clock ---------------------------------------------------------------------------


def test_the_systems_clock_tells_the_machines_time():
    """Aware, in UTC, and never going back."""
    clock = SystemClock()

    before, now, after = clock.monotonic(), clock.now(), clock.monotonic()

    assert before <= after
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_systems_clock_waits_in_real_time():
    """And not at all for nothing."""
    clock = SystemClock()
    began = time.monotonic()

    for seconds in (-1, 0, 0.01):
        clock.sleep(seconds)

    assert 0.01 <= time.monotonic() - began < 5


def test_the_systems_flag_is_an_event():
    """Announcing a thread does nothing there."""
    clock = SystemClock()
    flag = clock.flag()
    clock.expect(threading.current_thread())

    seen = [flag.wait(0)]
    flag.set()
    seen += [flag.wait(), flag.is_set()]
    flag.clear()

    assert [*seen, flag.is_set()] == [False, True, True, False]


# Advancing -------------------------------------------------------------------------------------


def test_the_clock_moves_only_when_told(clock):
    """Both readings move together."""
    readings = [(clock.monotonic(), clock.now())]
    clock.advance(90)
    readings.append((clock.monotonic(), clock.now()))

    assert readings == [(0.0, START), (90.0, START + timedelta(seconds=90))]


def test_every_due_moment_is_visited(clock):
    """A thread that sleeps a minute eighty times over sees each minute, whatever the jump."""
    seen = []

    def tick():
        for _ in range(80):
            clock.sleep(60)
            seen.append(clock.monotonic())

    threads = run(clock, tick)
    clock.advance(80 * 60)
    end(clock, threads)

    assert seen == [60.0 * minute for minute in range(1, 81)]


def test_threads_wake_in_the_order_of_their_moments(clock):
    """However many there are, and also those that lie down on the way."""
    woken = []

    def sleeper(*naps):
        def work():
            for nap in naps:
                clock.sleep(nap)
                woken.append(clock.monotonic())

        return work

    threads = run(clock, sleeper(3, 4), sleeper(1, 1, 1.5), sleeper(5), sleeper(2.5, 10))
    clock.advance(8)
    until_eight = list(woken)
    clock.advance(10)
    end(clock, threads)

    assert until_eight == [1.0, 2.0, 2.5, 3.0, 3.5, 5.0, 7.0]
    assert woken[-1] == 12.5


def test_a_sleep_of_nothing_returns_at_once(clock):
    """Nobody has to move the clock for it."""
    clock.sleep(0)
    clock.sleep(-5)

    assert clock.monotonic() == 0.0


def test_a_thread_that_was_announced_is_waited_for(clock):
    """Its first sleep comes a moment after it was started, and must not be missed."""
    seen = []

    def late():
        time.sleep(0.03)
        clock.sleep(1)
        seen.append(clock.monotonic())

    threads = run(clock, late)
    clock.advance(1)
    end(clock, threads)

    assert seen == [1.0]


def test_a_thread_that_ended_is_not_waited_for(clock):
    """It tells nobody."""
    threads = run(clock, lambda: None)
    end(clock, threads)

    clock.advance(5)

    assert clock.monotonic() == 5.0


def test_a_thread_that_does_not_sleep_is_named(clock, monkeypatch):
    """A wait that goes past the clock stalls it, and one has to find out whose it is."""
    monkeypatch.setattr(room, "STALLED_AFTER", 0.05)
    stuck = threading.Event()
    threads = run(clock, lambda: stuck.wait(5))

    with pytest.raises(RuntimeError, match="worker-0 neither sleeps nor ends"):
        clock.advance(1)

    stuck.set()
    end(clock, threads)


# Flags -----------------------------------------------------------------------------------------


def test_a_flag_wakes_its_waiters_and_nobody_else(clock):
    """Without the clock moving."""
    flag, other = clock.flag(), clock.flag()
    seen = []

    threads = run(
        clock,
        lambda: seen.append(("flag", flag.wait(), clock.monotonic())),
        lambda: seen.append(("timed", flag.wait(60), clock.monotonic())),
        lambda: seen.append(("other", other.wait(5), clock.monotonic())),
    )
    clock.advance(1)
    flag.set()
    clock.advance(10)
    end(clock, threads)

    assert sorted(seen) == [("flag", True, 1.0), ("other", False, 5.0), ("timed", True, 1.0)]


def test_a_flag_that_is_up_is_not_waited_for(clock):
    """Until it is lowered."""
    flag = clock.flag()

    flag.set()
    up = (flag.wait(), flag.is_set())
    flag.clear()

    assert up == (True, True)
    assert not flag.is_set()


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_wait_of_nothing_only_looks(clock, timeout):
    """As with every other flag; otherwise it would sleep until somebody moved the clock."""
    assert clock.flag().wait(timeout) is False


def test_a_timed_wait_ends_at_its_moment(clock):
    """And tells that the flag was not up."""
    seen = []
    flag = clock.flag()

    threads = run(clock, lambda: seen.append((flag.wait(7), clock.monotonic())))
    clock.advance(20)
    end(clock, threads)

    assert seen == [(False, 7.0)]


# Jumping ---------------------------------------------------------------------------------------


def test_a_jumping_clock_moves_as_soon_as_all_sleep():
    """Nobody advances it; a day of waiting takes no time."""
    clock = ManualClock(START, jump=True)
    seen = []

    def worker(name, nap, times):
        def work():
            for _ in range(times):
                clock.sleep(nap)
                seen.append((clock.monotonic(), name))

        return work

    threads = run(clock, worker("a", 3600, 24), worker("b", 5400, 16), worker("c", 86_400, 1))
    end(clock, threads)

    assert clock.monotonic() == 86_400.0
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)
    assert [sum(who == name for _, who in seen) for name in "abc"] == [24, 16, 1]


def test_a_jumping_clock_waits_for_a_thread_that_works():
    """Time must not pass while somebody still computes."""
    clock = ManualClock(START, jump=True)
    flag = clock.flag()
    seen = []

    def busy():
        time.sleep(0.05)
        flag.set()

    threads = run(clock, busy, lambda: seen.append((flag.wait(10), clock.monotonic())))
    end(clock, threads)

    assert seen == [(True, 0.0)]


def test_a_jumping_clock_stays_where_nobody_waits_for_a_moment():
    """A wait without an end moves no time."""
    clock = ManualClock(START, jump=True)
    flag = clock.flag()
    seen = []
    threads = run(clock, lambda: seen.append(flag.wait()))

    with clock.aside():
        time.sleep(0.05)
    flag.set()
    end(clock, threads)

    assert (seen, clock.monotonic()) == ([True], 0.0)


def test_the_calling_thread_jumps_by_itself():
    """Where it is alone, its own sleep is the earliest moment."""
    clock = ManualClock(START, jump=True)

    clock.sleep(5)
    up = clock.flag().wait(5)

    assert (up, clock.monotonic()) == (False, 10.0)


def test_a_closed_clock_lets_everybody_go():
    """At the end of a test no thread may hang, and none may wait on in rounds; later sleeps return at once."""
    clock = ManualClock(START)
    flag = clock.flag()
    threads = run(clock, lambda: clock.sleep(1000), flag.wait)
    clock.advance(0)

    clock.close()
    end(clock, threads)
    clock.sleep(1000)
    flag.wait(500)
    flag.wait()

    assert clock.monotonic() == 1500.0


def test_a_redated_clock_runs_like_the_other_and_tells_another_date():
    """A simulated market has a day of its own."""
    clock = ManualClock(datetime(2026, 11, 26, 12, 0, tzinfo=UTC), jump=True)
    started = clock.monotonic()
    redated = Redated(clock, lambda: datetime(2027, 1, 5, 10, 0, tzinfo=timezone(timedelta(hours=-5))))

    redated.sleep(3)

    assert redated.monotonic() - started == 3
    assert redated.now() == datetime(2027, 1, 5, 15, 0, tzinfo=UTC)
    assert redated.now().tzinfo is UTC
