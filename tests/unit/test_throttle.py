"""Calls leave in order, never sooner than IBKR allows and hardly later.

The clock is a manual one that jumps whenever all threads sleep, so hours of pacing take
moments. What left when is written down by the callers themselves, not by the throttle.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from math import ceil, inf, nan

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.errors import Throttled
from ibkr_adapter.throttle import Throttle
from ibkr_adapter.throttle.pace import Pace, Wish
from ibkr_adapter.wire.endpoints import (
    CANCEL_ORDER,
    HISTORY,
    LEDGER,
    LIVE_ORDERS,
    PA_PERFORMANCE,
    PLACE_ORDERS,
    SNAPSHOT,
    SSO_VALIDATE,
    TICKLE,
    TRADES,
    find,
)

START = datetime(2026, 11, 24, 15, tzinfo=UTC)
MARGIN = 0.015
# One microsecond is the shortest nap; a sum of floats may lose a little less than that.
HAIR = 5e-6
SOME = (LEDGER, LEDGER, SNAPSHOT, TICKLE, LIVE_ORDERS, TRADES, PLACE_ORDERS)

endpoints = st.sampled_from(SOME)
slow = settings(deadline=None, max_examples=25)


class House:
    """A throttle on a manual clock, and threads that use it and write down what left when."""

    def __init__(self, *, jump=True, clock=None, **about):
        self.clock = clock or ManualClock(START, jump=jump)
        self.throttle = Throttle(self.clock, **about)
        self.left = []
        self.refused = []
        self._threads = []

    def call(self, endpoint, *, within=inf, urgent=False, name=None):
        deadline = self.clock.monotonic() + within
        try:
            self.throttle.acquire(endpoint, deadline=deadline, urgent=urgent)
        except Throttled as refusal:
            self.refused.append((name or endpoint.name, self.clock.monotonic(), refusal))
        else:
            self.left.append((name or endpoint.name, self.clock.monotonic()))

    def start(self, work, *args, **about):
        thread = threading.Thread(target=work, args=args, kwargs=about, daemon=True)
        self.clock.expect(thread)
        self._threads.append(thread)
        thread.start()

    def join(self):
        with self.clock.aside():
            for thread in self._threads:
                thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)

    def queue(self, endpoint, **about):
        """Have a thread of its own make the call, and return once it waits or is through."""
        self.start(self.call, endpoint, **about)
        self.clock.advance(0)

    def names(self):
        return [name for name, _ in self.left]


def use_up(house, endpoint=LEDGER, times=10):
    for _ in range(times):
        house.throttle.acquire(endpoint, deadline=inf)


def assert_windows_hold(left, *, per_second=10, margin=MARGIN):
    """In any span of a window, no more calls than it allows; a list of names and moments."""
    windows = {each.name: each.window for each in SOME if each.window}
    checks = [(sorted(moment for _, moment in left), per_second, 1.0)]
    for name, (count, seconds) in windows.items():
        checks.append((sorted(moment for called, moment in left if called == name), count, seconds))
    for moments, count, seconds in checks:
        for earlier, later in zip(moments, moments[count:], strict=False):
            assert later - earlier >= seconds + margin * min(seconds, 5) - 1e-9


class Oracle:
    """The same limits, told in the simplest words: every departure is kept for ever."""

    def __init__(self, margin=MARGIN):
        self.margin = margin
        self.all = []
        self.by_name = {}

    def earliest(self, endpoint, now):
        limits = [(self.all, 10, 1.0)]
        if endpoint.window:
            limits.append((self.by_name.get(endpoint.name, []), *endpoint.window))
        moment = now
        for departures, count, seconds in limits:
            if len(departures) >= count:
                moment = max(moment, departures[-count] + seconds + self.margin * min(seconds, 5))
        return moment

    def book(self, endpoint, moment):
        self.all.append(moment)
        self.by_name.setdefault(endpoint.name, []).append(moment)


# --- windows -----------------------------------------------------------------------------------


@slow
@given(
    st.lists(
        st.tuples(endpoints, st.floats(0, 1.5), st.one_of(st.just(inf), st.floats(0, 8)), st.booleans()),
        max_size=60,
    )
)
def test_a_lone_caller_leaves_at_the_first_moment_the_limits_allow_or_is_refused_at_once(schedule):
    """Never early, never late, and a refusal takes neither time nor a slot."""
    house, oracle = House(), Oracle()

    for endpoint, pause, within, urgent in schedule:
        house.clock.sleep(pause)
        arrived = house.clock.monotonic()
        expected = oracle.earliest(endpoint, arrived)
        refusals = len(house.refused)
        house.call(endpoint, within=within, urgent=urgent)
        now = house.clock.monotonic()

        if len(house.refused) > refusals:
            assert expected > arrived + within - HAIR
            assert now - arrived <= HAIR
            assert house.refused[-1][2].retry_at == pytest.approx(expected - arrived, abs=HAIR)
        else:
            assert -1e-9 <= now - expected <= HAIR
            oracle.book(endpoint, now)


@slow
@given(
    st.lists(
        st.lists(
            st.tuples(
                endpoints,
                st.floats(0, 0.5),
                st.one_of(st.just(inf), st.floats(0, 6)),
                st.booleans(),
            ),
            max_size=12,
        ),
        min_size=2,
        max_size=8,
    )
)
def test_no_schedule_of_threads_breaks_a_window_or_a_deadline(schedules):
    """Eight threads share one budget; each call ends in a departure or a refusal, in time."""
    house = House()
    ends = []

    def work(schedule):
        for endpoint, pause, within, urgent in schedule:
            house.clock.sleep(pause)
            deadline = house.clock.monotonic() + within
            house.call(endpoint, within=within, urgent=urgent)
            ends.append(house.clock.monotonic() <= deadline + HAIR)

    for schedule in schedules:
        house.start(work, schedule)
    house.join()

    assert_windows_hold(house.left)
    assert all(ends)
    assert len(house.left) + len(house.refused) == sum(map(len, schedules))
    assert house.throttle.state().waiting == 0


class LateClock(ManualClock):
    """A clock on which every nap ends seven milliseconds late, as on a busy machine."""

    def flag(self):
        return LateFlag(super().flag())


class LateFlag:
    def __init__(self, flag):
        self._flag = flag

    def __getattr__(self, name):
        return getattr(self._flag, name)

    def wait(self, timeout=None):
        return self._flag.wait(None if timeout is None else timeout + 0.007)


def test_waking_late_breaks_no_window():
    """The departure is the moment of leaving, not the one that was planned."""
    house = House(clock=LateClock(START, jump=True))

    for _ in range(8):
        house.start(lambda: [house.call(endpoint) for endpoint in (LEDGER, SNAPSHOT, LEDGER, LIVE_ORDERS)])
    house.join()

    assert len(house.left) == 32
    assert_windows_hold(house.left)


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize(("margin", "share"), [(MARGIN, 0.985), (0.0, 0.995)])
@pytest.mark.parametrize(
    ("endpoint", "per_second"), [(LEDGER, 10), (SNAPSHOT, 10), (LEDGER, 7.5), (LEDGER, 50)]
)
def test_a_saturated_throttle_loses_next_to_nothing(threads, margin, share, endpoint, per_second):
    """With callers always waiting, the permitted rate is nearly reached, and never passed."""
    house = House(per_second=per_second, margin=margin)
    burst = ceil(per_second)
    bursts = 24

    for _ in range(threads):
        house.start(lambda: [house.call(endpoint) for _ in range(burst * bursts // threads)])
    house.join()

    moments = sorted(moment for _, moment in house.left)
    rate = burst * (bursts - 1) / (moments[-1] - moments[0])
    assert len(moments) == burst * bursts
    assert share * per_second <= rate <= per_second * 1.0000001


def test_two_verbs_on_one_address_share_its_window():
    """The meter at the other end takes either verb for a tickle, and counts them together."""
    house = House()
    house.call(TICKLE)

    house.call(find("GET", "/tickle"))
    house.throttle.refused(find("GET", "/tickle"))
    house.call(TICKLE, within=5)

    assert house.left[1][1] == pytest.approx(1 + MARGIN, abs=HAIR)
    assert house.refused[0][2].retry_at == 60.0


def test_a_full_window_lets_its_calls_go_in_one_burst():
    """The rolling span allows ten at once; then the eleventh waits for the first to grow old."""
    house = House()

    for _ in range(11):
        house.call(LEDGER)

    assert [moment for _, moment in house.left[:10]] == [0.0] * 10
    assert house.left[10][1] == pytest.approx(1 + MARGIN, abs=HAIR)


def test_quiet_time_earns_no_credit():
    """A window holds however long nothing was sent before it."""
    house = House()
    house.clock.sleep(3600)

    for _ in range(3):
        house.call(LIVE_ORDERS)

    gaps = [later - earlier for (_, earlier), (_, later) in zip(house.left, house.left[1:], strict=False)]
    assert gaps == [pytest.approx(5 + 5 * MARGIN, abs=HAIR)] * 2


@pytest.mark.parametrize(("endpoint", "length"), [(SSO_VALIDATE, 60.075), (PA_PERFORMANCE, 900.075)])
def test_the_margin_stops_growing_after_five_seconds(endpoint, length):
    """The jitter of the way is no larger for a long window."""
    house = House()

    house.call(endpoint)
    house.call(endpoint)

    assert house.left[1][1] == pytest.approx(length, abs=HAIR)


# --- the line ----------------------------------------------------------------------------------


def test_among_equals_the_first_in_line_leaves_first():
    house = House(jump=False, per_second=1)
    use_up(house, times=1)
    for name in ("first", "second", "third"):
        house.queue(LEDGER, name=name)

    house.clock.advance(10)
    house.join()

    assert house.names() == ["first", "second", "third"]


def test_what_changes_state_overtakes_queued_reads():
    """An exit must not stand behind a page of prices."""
    house = House(jump=False, per_second=1)
    use_up(house, times=1)
    for name in ("a read", "another"):
        house.queue(LEDGER, name=name)
    for name in ("cancel", "order"):
        house.queue(CANCEL_ORDER, name=name, urgent=True)

    house.clock.advance(10)
    house.join()

    assert house.names() == ["cancel", "order", "a read", "another"]


def test_a_slot_passes_its_urgency_on():
    """It is by slots that calls are made, so an exit must overtake through them too."""
    house = House(jump=False, per_second=1)
    use_up(house, times=1)
    house.queue(LEDGER, name="a read")

    def cancel():
        with house.throttle.slot(CANCEL_ORDER, deadline=inf, urgent=True):
            house.left.append(("cancel", house.clock.monotonic()))

    house.start(cancel)
    house.clock.advance(0)
    house.clock.advance(10)
    house.join()

    assert house.names() == ["cancel", "a read"]


def test_nobody_is_urgent_who_does_not_say_so():
    """Or reads would stand beside orders, by a slot as well as without one."""
    house = House(jump=False, per_second=1)
    use_up(house, times=1)

    def read():
        house.throttle.acquire(LEDGER, deadline=inf)
        house.left.append(("a read", house.clock.monotonic()))

    def slot():
        with house.throttle.slot(LEDGER, deadline=inf):
            house.left.append(("a slot", house.clock.monotonic()))

    for work in (read, slot):
        house.start(work)
        house.clock.advance(0)
    house.queue(CANCEL_ORDER, name="cancel", urgent=True)
    house.clock.advance(10)
    house.join()

    assert house.names() == ["cancel", "a read", "a slot"]


def test_a_newcomer_takes_no_slot_from_one_who_wakes_late():
    """Between the moment the slot opens and the moment its owner wakes, it is taken already."""
    house = House(clock=LateClock(START), per_second=1)
    use_up(house, times=1)
    house.queue(LEDGER, name="first")
    house.clock.advance(1 + MARGIN + 0.003)

    house.call(LEDGER, within=0.5, name="newcomer")
    house.clock.advance(0.01)
    house.join()

    assert house.left == [("first", pytest.approx(1 + MARGIN + 0.007, abs=HAIR))]
    assert [name for name, _, _ in house.refused] == ["newcomer"]


def test_a_call_that_waits_for_a_slow_path_holds_up_nobody():
    """Live orders come every five seconds; balances asked for meanwhile leave at once."""
    house = House(jump=False)
    use_up(house, LIVE_ORDERS, 1)
    house.queue(LIVE_ORDERS, name="slow", urgent=True)

    house.queue(LEDGER, name="quick")

    assert house.left == [("quick", 0.0)]
    house.clock.advance(5 + 5 * MARGIN + HAIR)
    house.join()
    assert house.names() == ["quick", "slow"]


def test_a_read_that_an_order_pushes_past_its_deadline_is_told_at_once():
    """It need not sleep until its time is over to hear that it slept in vain."""
    house = House(jump=False, per_second=1)
    use_up(house, times=1)
    house.queue(LEDGER, within=1.5, name="read")

    house.queue(PLACE_ORDERS, urgent=True, name="order")
    house.clock.advance(0)

    ((name, moment, refusal),) = house.refused
    assert (name, moment) == ("read", 0.0)
    assert refusal.retry_at == pytest.approx(2 * (1 + MARGIN))
    house.clock.advance(2)
    house.join()
    assert house.names() == ["order"]


def test_who_gives_up_leaves_the_slot_to_the_next():
    """The second in line is woken and moves up when the first is refused in the middle of its nap."""
    house = House(jump=False)
    use_up(house, LIVE_ORDERS, 1)
    house.queue(LIVE_ORDERS, within=6, name="first", urgent=False)
    house.queue(LIVE_ORDERS, within=inf, name="second")
    house.throttle.refused(LIVE_ORDERS)

    house.clock.advance(61)
    house.join()

    assert [name for name, _, _ in house.refused] == ["first"]
    assert house.left == [("second", pytest.approx(60, abs=HAIR))]


class InterruptingClock(ManualClock):
    """A clock on which the waiter that is armed is hit by Ctrl-C."""

    armed = False

    def flag(self):
        return InterruptedFlag(super().flag()) if self.armed else super().flag()


class InterruptedFlag(LateFlag):
    def wait(self, timeout=None):
        self._flag.wait(0.1)
        raise KeyboardInterrupt


def test_an_interrupted_waiter_leaves_no_ghost_in_the_line():
    """Whoever stood behind it moves up, and is woken for that."""
    clock = InterruptingClock(START)
    house = House(clock=clock, per_second=1)
    use_up(house, times=1)
    hit = []

    def interrupted():
        with pytest.raises(KeyboardInterrupt):
            house.call(LEDGER)
        hit.append(clock.monotonic())

    clock.armed = True
    house.start(interrupted)
    clock.advance(0)
    clock.armed = False
    house.queue(LEDGER, name="behind")

    clock.advance(1 + MARGIN + HAIR)
    house.join()

    assert len(hit) == 1
    assert house.left == [("behind", pytest.approx(1 + MARGIN, abs=HAIR))]
    assert house.throttle.state().waiting == 0


class InterruptedAtTheDoor(Throttle):
    """A throttle whose waiter is hit by Ctrl-C when it has been let through."""

    def _decide(self, waiter):
        pause = super()._decide(waiter)
        if not pause:
            raise KeyboardInterrupt
        return pause


def test_an_interrupt_at_the_door_keeps_no_place_among_the_calls_under_way():
    """Nobody is left to give it back, and four of them would close history for good."""
    clock = ManualClock(START, jump=True)
    throttle = InterruptedAtTheDoor(clock)

    for _ in range(4):
        clock.sleep(2)
        for _ in range(10):
            throttle.acquire(LEDGER, deadline=inf)
        with pytest.raises(KeyboardInterrupt):
            throttle.acquire(HISTORY, deadline=inf)
    clock.sleep(2)

    throttle.acquire(HISTORY, deadline=clock.monotonic())
    assert throttle.state().waiting == 0


def test_a_refusal_says_what_is_true_and_when_to_come_again():
    """Fifteen-minute endpoints fail at once, with the seconds and the time of day."""
    house = House()
    house.call(PA_PERFORMANCE)
    house.clock.sleep(60)

    house.call(PA_PERFORMANCE, within=15)

    ((_, moment, refusal),) = house.refused
    assert moment == 60.0
    assert refusal.retry_at == pytest.approx(840.075)
    assert refusal.endpoint == "POST /pa/performance"
    assert str(refusal) == (
        "IBKR's pacing limits have no slot for POST /pa/performance within the 15.0 s it may take; "
        "nothing was sent. Try again in 841 s, at 15:15:00Z."
    )


def test_a_deadline_that_has_passed_where_no_slot_is_free_is_told_with_the_time_that_is_left():
    """None, and not less than none; and it is not for us to try it again."""
    house = House()
    use_up(house, LIVE_ORDERS, 1)

    house.call(LIVE_ORDERS, within=-1)

    ((_, _, refusal),) = house.refused
    assert "no slot for GET /iserver/account/orders within the 0.0 s it may take" in str(refusal)
    assert not refusal.repeatable


def test_a_deadline_that_has_passed_is_refused_although_a_slot_is_free():
    """A call whose time is over must not leave any more."""
    house = House()

    house.call(LEDGER, within=-1)

    ((_, _, refusal),) = house.refused
    assert refusal.retry_at == 0.0
    assert str(refusal) == (
        "The time that GET /portfolio/{accountId}/ledger may take was over before it could leave; nothing was "
        "sent. Try again when fewer calls are made."
    )
    assert house.left == []


# --- calls under way ---------------------------------------------------------------------------


def test_history_runs_four_at_once_and_the_fifth_waits_for_one_to_end():
    house = House(jump=False)
    use_up(house, HISTORY, 4)
    house.queue(HISTORY, name="fifth")
    house.queue(HISTORY, name="sixth")
    house.clock.advance(5)
    assert house.left == []

    house.throttle.release(HISTORY)
    house.clock.advance(1)

    assert house.left == [("fifth", 5.0)]
    house.throttle.release(HISTORY)
    house.clock.advance(0)
    house.join()
    assert house.names() == ["fifth", "sixth"]


def test_a_call_that_waits_in_vain_for_one_to_end_is_refused_at_its_deadline():
    """Nobody knows when a call ends, so it is not refused before; and others pass it by."""
    house = House(jump=False)
    use_up(house, HISTORY, 4)
    house.queue(HISTORY, within=3, name="fifth")
    house.queue(LEDGER, name="other")

    house.clock.advance(4)
    house.join()

    ((_, moment, refusal),) = house.refused
    assert moment == 3.0
    assert refusal.retry_at == 0.0
    assert "4 calls of GET /iserver/marketdata/history are under way" in str(refusal)
    assert "Try again when fewer calls are made." in str(refusal)
    assert house.names() == ["other"]


def test_a_busy_path_that_also_closes_refuses_at_once():
    """The fifth call need not wait for a place on a path that will be closed anyway."""
    house = House(jump=False)
    use_up(house, HISTORY, 4)
    house.queue(HISTORY, within=30, name="fifth")

    house.throttle.refused(HISTORY)
    house.clock.advance(0)
    house.join()

    ((_, moment, refusal),) = house.refused
    assert (moment, refusal.retry_at) == (0.0, 60.0)


def test_history_that_is_refused_again_soon_after_it_opened_rests_for_a_quarter_of_an_hour():
    """Its refusals do not close the box here, but the broker's may be shut, and asking on would keep it so."""
    house = House(jump=False)
    house.throttle.refused(HISTORY)
    house.clock.advance(60)

    house.throttle.refused(HISTORY)

    assert house.throttle.state().closed == {HISTORY.name: 900}
    assert house.throttle.state().boxed_for == 0


@pytest.mark.parametrize("after", [0, 59, 301], ids=["one burst", "under way when it closed", "long after"])
def test_history_that_is_refused_once_more_rests_for_a_minute(after):
    """Four of one burst are one refusal, and five minutes later the first one says nothing any more."""
    house = House(jump=False)
    house.throttle.refused(HISTORY)
    house.clock.advance(after)

    house.throttle.refused(HISTORY)

    assert house.throttle.state().closed == {HISTORY.name: 60}


def test_a_slot_is_given_back_whatever_became_of_the_call():
    house = House()

    for _ in range(9):
        with pytest.raises(OSError, match="lost"), house.throttle.slot(HISTORY, deadline=inf):
            raise OSError("lost")
    house.throttle.release(LEDGER)

    with house.throttle.slot(HISTORY, deadline=0.0, urgent=True):
        assert house.clock.monotonic() == 0.0


def test_who_waits_for_a_place_has_it_when_a_slot_is_given_back():
    """At once: nothing else would wake it."""
    house = House(jump=False)
    use_up(house, HISTORY, 3)
    fourth = house.throttle.slot(HISTORY, deadline=inf)

    with fourth:
        house.queue(HISTORY, name="fifth")
        house.clock.advance(0.005)
    house.clock.advance(0)
    house.join()

    assert house.left == [("fifth", 0.005)]


def test_a_read_that_a_slow_line_pushes_past_its_deadline_is_told_at_once():
    """The call before it leaves only now, so its own turn comes too late."""
    house = House(jump=False)
    slow = house.throttle.slot(LIVE_ORDERS, deadline=inf)

    with slow:
        house.queue(LIVE_ORDERS, within=6, name="read")
        house.clock.advance(2)
        slow.put_off()
        house.clock.advance(0)
    house.join()

    ((name, moment, refusal),) = house.refused
    assert (name, moment) == ("read", 2.0)
    assert refusal.retry_at == pytest.approx(5 + 5 * MARGIN)


def test_more_releases_than_calls_open_no_extra_place():
    """A caller that gives back twice by mistake must not let five run at once."""
    house = House()

    house.throttle.release(HISTORY)
    use_up(house, HISTORY, 4)
    for _ in range(9):
        house.throttle.release(HISTORY)
    use_up(house, HISTORY, 4)

    house.call(HISTORY, within=0.5)
    assert len(house.refused) == 1


# --- refusals ----------------------------------------------------------------------------------


def test_a_429_closes_its_path_for_a_minute_and_halves_the_rate():
    house = House()
    house.throttle.refused(SNAPSHOT)

    house.call(SNAPSHOT, within=15)
    state = house.throttle.state()

    ((_, _, refusal),) = house.refused
    assert refusal.retry_at == 60.0
    assert "IBKR refused GET /iserver/marketdata/snapshot (429), so it stays closed for 60 s more" in str(
        refusal
    )
    assert state.closed == {SNAPSHOT.name: 60.0}
    assert (state.rate, state.boxed_for) == (5.0, 0.0)
    house.call(SNAPSHOT)
    assert house.left == [(SNAPSHOT.name, pytest.approx(60.0))]


def test_the_halved_rate_comes_back_in_a_straight_line_over_an_hour():
    """Half, three quarters, whole; a burst is halved as well as the average."""
    house = House()
    house.throttle.refused(SNAPSHOT)

    rates = []
    for _ in range(4):
        rates.append(house.throttle.state().rate)
        begun = house.clock.monotonic()
        use_up(house, times=6)
        if len(rates) == 1:
            assert house.clock.monotonic() - begun == pytest.approx(1 + MARGIN, abs=HAIR)
        house.clock.sleep(begun + 1800 - house.clock.monotonic())

    assert rates == [5.0, 7.5, 10.0, 10.0]


def test_a_broken_rate_is_kept_on_the_average_and_rounded_up_in_a_burst():
    house = House(per_second=2.5, margin=0.0)

    for _ in range(30):
        house.call(LEDGER)

    moments = [moment for _, moment in house.left]
    assert moments[:3] == [0.0] * 3
    assert moments[-1] == pytest.approx(9 * 3 / 2.5, abs=20 * HAIR)


def test_a_rate_that_is_halved_again_and_again_stops_at_one_a_second():
    """An exit must not wait for minutes; who asked for less than one keeps what was asked."""
    paces = [Pace(per_second=rate, margin=MARGIN) for rate in (4, 0.5)]

    for pace in paces:
        for at in (0, 301, 602, 903):
            pace.refuse(SNAPSHOT, at)

    assert [pace.rate(903) for pace in paces] == [1.0, 0.5]


@pytest.mark.parametrize(
    ("asked", "closed_for"),
    [(None, 60), (5.0, 60), (120.0, 120), (1e9, 3600), (nan, 60), (inf, 60), (-3.0, 60)],
)
def test_an_answer_may_ask_for_a_longer_pause_but_not_for_ever(asked, closed_for):
    """A Retry-After is honoured between a minute and an hour; nonsense counts as none."""
    house = House()

    house.throttle.refused(SNAPSHOT, retry_after=asked)

    assert house.throttle.state().closed == {SNAPSHOT.name: closed_for}


def test_a_shorter_pause_does_not_open_what_a_longer_one_closed():
    house = House()
    house.throttle.refused(HISTORY, retry_after=600)

    house.throttle.refused(HISTORY)

    assert house.throttle.state().closed == {HISTORY.name: 600}


def test_a_refused_history_closes_history_and_nothing_else():
    """It is refused for calls under way, which says nothing about the rate; no box follows."""
    house = House()

    house.throttle.refused(HISTORY)
    house.throttle.refused(HISTORY)
    house.throttle.refused(SNAPSHOT)

    state = house.throttle.state()
    assert (state.rate, state.boxed_for) == (5.0, 0.0)
    assert set(state.closed) == {HISTORY.name, SNAPSHOT.name}


def test_a_second_429_within_five_minutes_stops_everything_for_a_quarter_of_an_hour():
    """On whatever path; who cannot wait that long is told at once how long it is."""
    house = House(jump=False)
    house.throttle.refused(SNAPSHOT)
    house.clock.advance(300)
    use_up(house, LIVE_ORDERS, 1)
    house.queue(LIVE_ORDERS, within=15)
    house.queue(LIVE_ORDERS, within=2000, name="patient")

    house.throttle.refused(LEDGER)
    house.clock.advance(0)
    house.queue(CANCEL_ORDER, within=45, urgent=True, name="cancel")

    assert house.throttle.state().boxed_for == 900.0
    assert [(name, moment) for name, moment, _ in house.refused] == [
        (LIVE_ORDERS.name, 300.0),
        ("cancel", 300.0),
    ]
    refusal = house.refused[1][2]
    assert refusal.retry_at == 900.0
    assert "everything stops for 900 s more" in str(refusal)
    assert "Try again in 900 s, at 15:20:00Z." in str(refusal)
    house.clock.advance(901)
    house.join()
    assert house.left == [("patient", pytest.approx(1200, abs=HAIR))]


def test_a_second_429_after_more_than_five_minutes_is_no_box():
    house = House()
    house.throttle.refused(SNAPSHOT)
    house.clock.sleep(301)

    house.throttle.refused(SNAPSHOT)

    assert house.throttle.state().boxed_for == 0.0
    assert house.throttle.state().rate == pytest.approx((5 + 5 * 301 / 3600) / 2)


def boxed():
    house = House()
    house.throttle.refused(SNAPSHOT)
    house.throttle.refused(LEDGER)
    return house


def test_one_tickle_a_minute_finds_out_whether_the_box_is_open_again():
    house = boxed()

    while house.clock.monotonic() < 890:
        house.call(TICKLE)

    moments = [moment for _, moment in house.left]
    assert moments == pytest.approx([60.0 * n for n in range(1, len(moments) + 1)], abs=20 * HAIR)
    assert len(moments) >= 14
    assert house.throttle.state().boxed_for <= 20


def test_after_the_box_tickles_go_at_their_own_pace_again():
    house = boxed()
    house.clock.sleep(890)
    house.call(TICKLE)

    for _ in range(3):
        house.call(TICKLE)

    moments = [moment for _, moment in house.left]
    assert moments == pytest.approx([890, 900, 901.015, 902.03], abs=20 * HAIR)


def test_a_refused_probe_keeps_the_box_shut_for_five_more_minutes():
    """Refusals early in the box change nothing; a late one shows that it still stands."""
    house = boxed()
    lasts = []

    for at in (120, 500, 850):
        house.clock.sleep(at - house.clock.monotonic())
        rate = house.throttle.state().rate
        house.throttle.refused(TICKLE)
        lasts.append(at + house.throttle.state().boxed_for)
        assert house.throttle.state().rate == rate

    assert lasts == [900, 900, 1150]


def test_the_probe_is_not_held_up_by_those_who_wait_for_the_box():
    house = House(jump=False)
    house.throttle.refused(SNAPSHOT)
    house.throttle.refused(LEDGER)
    house.queue(PLACE_ORDERS, name="patient", urgent=True)
    house.queue(TICKLE, name="probe")

    house.clock.advance(61)

    assert house.left == [("probe", pytest.approx(60, abs=HAIR))]
    house.clock.advance(900)
    house.join()


def test_a_probe_that_cannot_wait_is_told_its_own_moment():
    """The keeper's tickle asks with a short deadline and learns when the next probe may leave."""
    house = boxed()

    house.call(TICKLE, within=5)

    assert house.refused[0][2].retry_at == 60.0
    assert "no slot for POST /tickle" in str(house.refused[0][2])


# --- foretelling -------------------------------------------------------------------------------


@given(
    st.lists(endpoints, max_size=25),
    st.lists(st.tuples(endpoints, st.one_of(st.just(inf), st.floats(0, 20))), max_size=12),
)
def test_what_is_foretold_keeps_the_windows_and_the_order_and_changes_nothing(before, wishes):
    """The plan is a rehearsal on a twin of the book."""
    pace = Pace(per_second=10, margin=MARGIN)
    now, booked = 0.0, []
    for endpoint in before:
        now = max(now, pace.opens(endpoint, now))
        pace.book(endpoint, now)
        booked.append((endpoint.name, now))
    line = [Wish(endpoint, now + within) for endpoint, within in wishes]

    moments = pace.plan(now, line)

    leaving = [
        (wish.endpoint.name, moment)
        for wish, moment in zip(line, moments, strict=True)
        if moment <= wish.deadline
    ]
    assert_windows_hold(booked + leaving)
    for name in {name for name, _ in leaving}:
        own = [moment for called, moment in leaving if called == name]
        assert own == sorted(own)
    assert moments == pace.plan(now, line)
    assert all(moment >= now for moment in moments)


def test_a_wish_that_cannot_be_met_takes_no_slot_from_the_next():
    pace = Pace(per_second=1, margin=0.0)
    pace.book(LEDGER, 0.0)

    moments = pace.plan(0.0, [Wish(LEDGER, 0.5), Wish(LEDGER, 5.0), Wish(LEDGER, 5.0)])

    assert moments == [1.0, 1.0, 2.0]


def test_a_wish_that_is_met_at_its_very_deadline_takes_its_slot():
    pace = Pace(per_second=1, margin=0.0)
    pace.book(LEDGER, 0.0)

    moments = pace.plan(0.0, [Wish(LEDGER, 1.0), Wish(LEDGER, 5.0)])

    assert moments == [1.0, 2.0]


def test_only_urgent_wishes_go_before_what_is_urgent_elsewhere():
    """Another process has claimed the next slot."""
    pace = Pace(per_second=10, margin=0.0, yields_until=0.5)

    moments = pace.plan(0.0, [Wish(LEDGER, inf), Wish(LEDGER, inf, urgent=True)])

    assert moments == [0.5, 0.0]


def test_a_closed_path_is_known_to_come_too_late_although_its_calls_are_under_way():
    """One that opens by the deadline still hangs on them."""
    pace = Pace(per_second=10, margin=0.0)
    for _ in range(4):
        pace.book(HISTORY, 0.0)
    pace.refuse(HISTORY, 0.0)

    moments = pace.plan(0.0, [Wish(HISTORY, 59.0), Wish(HISTORY, 60.0)])

    assert moments == [60.0, inf]


def test_what_a_refusal_closed_is_open_from_its_very_moment():
    """A box that is over is no box, and a path that opens is not told as closed."""
    pace = Pace(per_second=10, margin=0.0)
    pace.refuse(SNAPSHOT, 0.0)
    pace.refuse(SNAPSHOT, 1.0)

    pace.refuse(LEDGER, 901.0)

    assert pace.boxed_for(901.0) == 0.0
    assert set(pace.closed(961.0)) == set()
    assert set(pace.closed(960.0)) == {LEDGER}


def test_an_endpoint_of_any_window_can_be_paced():
    """Nothing in the arithmetic knows the table: a new limit is a new line there."""
    house = House()
    twice = attrs.evolve(LEDGER, window=(2, 3.0))

    for _ in range(5):
        house.call(twice)

    moments = [moment for _, moment in house.left]
    assert moments == pytest.approx([0, 0, 3.045, 3.045, 6.09], abs=20 * HAIR)


def test_a_departure_that_was_put_off_counts_from_its_later_moment():
    """A line that had to be opened first delays what may follow, by just that much."""
    clock = ManualClock(datetime(2026, 11, 24, tzinfo=UTC), jump=True)
    throttle = Throttle(clock, per_second=2, margin=0.0)
    endpoint = find("GET", "/iserver/contract/1/info")
    with throttle.slot(endpoint, deadline=60.0) as first:
        clock.sleep(0.4)
        first.put_off()
    with throttle.slot(endpoint, deadline=60.0):
        pass

    with throttle.slot(endpoint, deadline=60.0):
        left_at = clock.monotonic()

    assert left_at == pytest.approx(1.4, abs=0.04)


def test_a_departure_that_was_put_off_stands_in_its_place_among_the_others():
    """Windows count from the oldest, in the global book and in the endpoint's own."""
    pace = Pace(per_second=3, margin=0.0)
    twice = attrs.evolve(LEDGER, window=(2, 10.0))
    for at in (0.0, 0.1):
        pace.book(twice, at)
    pace.book(TRADES, 0.5)

    pace.put_off(twice, 0.0, 0.3)
    pace.put_off(twice, 0.2, 0.9)

    assert pace.opens(LEDGER, 0.6) == 1.1
    assert pace.opens(twice, 0.6) == 10.1
    pace.book(TRADES, 1.1)
    assert pace.opens(LEDGER, 1.1) == 1.3


def test_only_who_has_a_window_of_its_own_is_moved_in_one():
    """A call without one leaves no page behind, whose name others would read in vain."""
    pace = Pace(per_second=3, margin=0.0)
    for endpoint in (LEDGER, HISTORY):
        pace.book(endpoint, 0.0)

        pace.put_off(endpoint, 0.0, 0.5)

    assert set(pace.paths) == {HISTORY}
    assert list(pace.departures) == [0.5, 0.5]


def test_a_path_is_closed_for_what_is_left_of_its_time():
    pace = Pace(per_second=3, margin=0.0)
    pace.refuse(SNAPSHOT, 100.0)

    assert [pace.closed_for(SNAPSHOT, now) for now in (100.0, 130.0, 170.0)] == [60.0, 30.0, 0.0]
    assert pace.closed_for(LEDGER, 130.0) == 0.0


def test_putting_off_what_the_windows_have_forgotten_changes_nothing():
    """A call that took very long must not come back as a departure of now."""
    pace = Pace(per_second=1, margin=0.0)
    pace.book(LEDGER, 0.0)
    pace.book(LEDGER, 1.0)

    pace.put_off(LEDGER, 0.0, 1.5)

    assert pace.opens(LEDGER, 1.5) == 2.0


@pytest.mark.parametrize(("took", "later"), [(0.008, 0.0), (0.03, 0.02), (2.0, 0.035)])
def test_a_late_answer_moves_its_call_as_far_as_the_margin_does_not_cover_it(took, later):
    """It may have arrived as late as that; of a slow answer nobody knows, and it costs no more."""
    house = House()
    with house.throttle.slot(LIVE_ORDERS, deadline=inf):
        house.clock.sleep(took)

    house.call(LIVE_ORDERS)

    assert house.left[0][1] == pytest.approx(5 + 5 * MARGIN + later, abs=HAIR)


def test_a_call_that_could_not_leave_is_not_in_its_own_way():
    """It was booked, then something had to be done first; the window counts from when it leaves."""
    clock = ManualClock(START)
    throttle = Throttle(clock, per_second=10)
    with throttle.slot(LIVE_ORDERS, deadline=60.0) as slot:
        clock.advance(1)

        assert slot.renew(0.5)
    with pytest.raises(Throttled) as late:
        throttle.acquire(LIVE_ORDERS, deadline=clock.monotonic() + 1)

    assert late.value.retry_at == pytest.approx(5 + 5 * MARGIN, abs=0.1)


def test_a_slot_that_cannot_be_had_again_in_time_is_given_up():
    """Whoever holds the session for it must not keep the others waiting."""
    clock = ManualClock(START)
    throttle = Throttle(clock, per_second=10)
    with throttle.slot(LIVE_ORDERS, deadline=60.0) as slot:
        clock.advance(5.5)
        throttle.acquire(LIVE_ORDERS, deadline=60.0)

        assert not slot.renew(0.5)
    clock.advance(5.5)

    assert throttle.acquire(LIVE_ORDERS, deadline=60.0) == clock.monotonic()


def test_a_refusal_tells_how_long_its_path_stays_closed():
    """Whoever was refused says it in its error, and asks no sooner."""
    house = House()

    first = house.throttle.refused(SNAPSHOT)
    longer = house.throttle.refused(LEDGER, retry_after=400.0)

    assert first == pytest.approx(60.0)
    # The second within five minutes stops everything for a quarter of an hour.
    assert longer == pytest.approx(900.0)
