"""One token for all threads: made once, renewed in time, never asked for in a storm."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from login_doors import World

from crowd import at_once, together
from ibkr_adapter.auth import renewal as room
from ibkr_adapter.auth.renewal import Grant, Renewal
from ibkr_adapter.errors import (
    AuthenticationError,
    BrokerageUnavailable,
    ConfigurationError,
    NotSent,
    Throttled,
)

DAY = timedelta(hours=24)


class Logins:
    """Counts logins; each takes ``seconds``, and fails with the next of ``failures``."""

    def __init__(self, world, *, seconds=0.5, lasts=DAY):
        self.world = world
        self.seconds = seconds
        self.lasts = lasts
        self.count = 0
        self.failures = []
        self.deadlines = []

    def __call__(self, deadline):
        self.count += 1
        number = self.count
        self.deadlines.append(deadline - self.world.clock.monotonic())
        self.world.clock.sleep(self.seconds)
        if self.failures:
            failure = self.failures.pop(0) if len(self.failures) > 1 else self.failures[0]
            if failure is not None:
                raise failure
        now = self.world.clock.now()
        return Grant(token=f"token-{number}", granted=now, ends=now + self.lasts)

    def renewal(self):
        clock = self.world.clock
        return Renewal(clock=clock, now=clock.now, turns=self.world.turns, login=self)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def logins(world):
    return Logins(world)


def test_nobody_can_sign_before_the_first_login(world, logins):
    """A request without credentials must not leave."""
    with pytest.raises(AuthenticationError, match="nobody is logged in"):
        logins.renewal().use()


def test_many_threads_that_need_a_first_token_log_in_once(world, logins):
    """The host's first calls come together."""
    renewal = logins.renewal()

    used = together(world, lambda: (renewal.prepare(world.soon()), renewal.use())[1])

    assert used == ["token-1"] * 8
    assert logins.count == 1
    assert renewal.generation == 1


def test_a_burst_of_refusals_makes_one_login(world, logins):
    """Each thread saw its own 401; the token that was refused is replaced once."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep(room.SETTLED)
    barrier = threading.Barrier(8)

    def refused():
        renewal.use()
        barrier.wait()
        renewal.renew(world.soon())
        return renewal.use()

    assert together(world, refused) == ["token-2"] * 8
    assert logins.count == 2


def test_a_thread_whose_token_was_replaced_meanwhile_does_not_log_in_again(world, logins):
    """Its 401 was about the token before."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep(room.SETTLED)
    renewal.use()
    together(world, lambda: (renewal.use(), renewal.renew(world.soon())), count=1)

    renewal.renew(world.soon())

    assert logins.count == 2


@pytest.mark.parametrize(
    ("lasts", "before"), [(DAY, timedelta(hours=1)), (timedelta(minutes=10), timedelta(minutes=1))]
)
def test_a_token_is_renewed_before_its_end(lasts, before, world):
    """An hour before, or a tenth of its life: an order must not be the one to find it dead."""
    logins = Logins(world, seconds=0.0, lasts=lasts)
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep((lasts - before).total_seconds() - 1)
    renewal.prepare(world.soon())
    early = logins.count
    world.clock.sleep(2)
    renewal.prepare(world.soon())

    assert (early, logins.count) == (1, 2)
    assert renewal.use() == "token-2"


def test_at_the_moment_it_is_due_a_token_is_renewed(world):
    logins = Logins(world, seconds=0.0)
    renewal = logins.renewal()
    renewal.prepare(world.soon())

    world.clock.sleep(23 * 3600)
    renewal.prepare(world.soon())

    assert logins.count == 2


def test_at_the_moment_of_its_end_a_token_is_of_no_use(world):
    """A request signed with it would be refused, so a login that fails is told."""
    logins = Logins(world, seconds=0.0)
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    logins.failures = [BrokerageUnavailable("down.")]

    world.clock.sleep(24 * 3600)

    with pytest.raises(BrokerageUnavailable, match=r"down\."):
        renewal.prepare(world.soon())


def test_while_a_token_is_renewed_the_old_one_serves_the_others(world):
    """Nobody waits for what is not needed yet."""
    logins = Logins(world, seconds=5.0)
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep(23.5 * 3600)
    took = []

    def other():
        world.clock.sleep(1.0)
        begun = world.clock.monotonic()
        renewal.prepare(world.soon(10.0))
        took.append((world.clock.monotonic() - begun, renewal.use()))

    at_once(world, lambda: renewal.prepare(world.soon(30.0)), other)

    assert took == [(0.0, "token-1")]
    assert (logins.count, renewal.use()) == (2, "token-2")


def test_a_renewal_that_fails_before_the_end_leaves_the_old_token_in_use(world, logins, caplog):
    """It is good for another hour, and the next call tries again."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep(23.5 * 3600)
    logins.failures = [BrokerageUnavailable("down."), None]

    renewal.prepare(world.soon(10.0))

    assert renewal.use() == "token-1"
    assert logins.deadlines[-1] == 5.0  # half of the time is left for the call itself
    assert "could not be renewed before its end" in caplog.text
    renewal.prepare(world.soon())
    assert logins.count == 2  # held back for a moment
    world.clock.sleep(1.5)
    renewal.prepare(world.soon())
    assert renewal.use() == "token-3"


def test_settings_that_are_wrong_are_told_even_before_the_end(world, logins):
    """A key that has become unreadable will not get better by itself."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep(23.5 * 3600)
    logins.failures = [ConfigurationError("the key is gone.")]

    with pytest.raises(ConfigurationError, match="the key is gone"):
        renewal.prepare(world.soon())


def test_a_refused_login_is_not_tried_again_by_those_who_wait(world, logins):
    """Eight threads, one refusal, one clear error for each; accounts are locked for less."""
    renewal = logins.renewal()
    logins.failures = [AuthenticationError("wrong key.", remedy="Mend it.")]

    got = together(world, lambda: renewal.prepare(world.soon()))

    assert logins.count == 1
    assert all(isinstance(one, AuthenticationError) and "wrong key" in str(one) for one in got)
    assert len({id(one) for one in got}) == 8  # each with a traceback of its own
    assert any("not tried again for 5 s" in str(one) for one in got)


def test_refusals_that_go_on_are_tried_ever_more_rarely(world, logins):
    """A day of refusals costs about a hundred tries and not 86,400."""
    renewal = logins.renewal()
    logins.failures = [AuthenticationError("refused.")]

    for _ in range(24 * 360):
        with pytest.raises(AuthenticationError):
            renewal.prepare(world.soon())
        world.clock.sleep(10.0)

    assert 90 <= logins.count <= 110


def test_a_service_that_is_down_is_asked_at_least_every_minute(world, logins):
    """It comes back by itself, and so shall we."""
    renewal = logins.renewal()
    logins.failures = [BrokerageUnavailable("down.")]
    begun = world.clock.monotonic()

    while world.clock.monotonic() < begun + 3600:
        with pytest.raises(BrokerageUnavailable):
            renewal.prepare(world.soon())
        world.clock.sleep(0.5)

    assert 58 <= logins.count <= 70


def test_a_broken_line_holds_nobody_back_for_long(world, logins):
    """The caller's own repeats come within a second; each may try."""
    renewal = logins.renewal()
    logins.failures = [NotSent("nobody listens.", unreachable=True), None]

    with pytest.raises(NotSent):
        renewal.prepare(world.soon())
    with pytest.raises(NotSent) as again:
        renewal.prepare(world.soon())
    world.clock.sleep(room.BROKEN_HOLD)
    renewal.prepare(world.soon())

    assert again.value.unreachable
    assert again.value.repeatable
    assert logins.count == 2


def test_success_forgets_how_often_it_had_failed(world, logins):
    """The next refusal begins with the short pause again."""
    renewal = logins.renewal()
    logins.failures = [AuthenticationError("1"), AuthenticationError("2"), None, AuthenticationError("3")]
    for pause in (5.0, 10.0):
        with pytest.raises(AuthenticationError):
            renewal.prepare(world.soon())
        world.clock.sleep(pause)
    renewal.prepare(world.soon())
    world.clock.sleep(25 * 3600)
    with pytest.raises(AuthenticationError):
        renewal.prepare(world.soon())

    with pytest.raises(AuthenticationError, match="not tried again for 5 s"):
        renewal.prepare(world.soon())


def test_pacing_is_no_reason_to_hold_back(world, logins):
    """The throttle has its own memory, and says when."""
    renewal = logins.renewal()
    logins.failures = [Throttled("later.", retry_at=3.0), None]
    with pytest.raises(Throttled):
        renewal.prepare(world.soon())

    renewal.prepare(world.soon())

    assert renewal.use() == "token-2"


@pytest.mark.parametrize(
    ("seconds", "failure"),
    [(2.0, NotSent("no time was left.")), (1.0, AuthenticationError("too late."))],
    ids=["longer than the time", "just as long"],
)
def test_a_login_that_ran_out_of_its_callers_time_is_open_to_the_next(world, seconds, failure):
    """It may have failed for just that, and the next caller may have more."""
    logins = Logins(world, seconds=seconds)
    renewal = logins.renewal()
    logins.failures = [failure, None]
    with pytest.raises(type(failure)):
        renewal.prepare(world.soon(1.0))

    renewal.prepare(world.soon())

    assert renewal.use() == "token-2"


def test_who_waits_for_another_login_waits_no_longer_than_its_deadline(world):
    """A call with a second left must not hang on a login that takes ten."""
    logins = Logins(world, seconds=10.0)
    renewal = logins.renewal()
    results = []

    def patient():
        renewal.prepare(world.soon(30.0))

    thread = threading.Thread(target=patient, name="patient")
    world.clock.expect(thread)
    thread.start()
    world.clock.sleep(1.0)
    begun = world.clock.monotonic()
    with pytest.raises(BrokerageUnavailable, match="not over in time"):
        renewal.prepare(world.soon(1.0))
    results.append(world.clock.monotonic() - begun)
    with world.clock.aside():
        thread.join()

    assert results == [1.0]
    assert logins.count == 1


def test_who_has_no_time_left_waits_for_no_login(world):
    logins = Logins(world, seconds=10.0)
    renewal = logins.renewal()
    took = []

    def late():
        world.clock.sleep(1.0)
        with pytest.raises(BrokerageUnavailable, match="not over in time"):
            renewal.prepare(0.5)
        took.append(world.clock.monotonic())

    at_once(world, lambda: renewal.prepare(world.soon(30.0)), late)

    assert took == [1.0]


def test_tokens_that_are_granted_and_then_refused_are_not_asked_for_in_a_row(world, logins):
    """Two programs with one access token would otherwise throw each other out for ever."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    for _ in range(600):
        renewal.use()
        try:
            renewal.renew(world.soon())
        except AuthenticationError as refusal:
            last = refusal
        world.clock.sleep(1.0)

    assert logins.count < 12
    assert "grants a session and then refuses it" in str(last)
    assert "another program" in str(last)


def test_the_second_token_that_is_refused_young_is_the_last_for_a_while(world, logins):
    """The first may have been a reset. The pause begins short and doubles."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    renewal.use()
    renewal.renew(world.soon())
    renewal.use()

    with pytest.raises(AuthenticationError, match=r"2 times by now.*not tried again for 5 s"):
        renewal.renew(world.soon())
    world.clock.sleep(5.0)
    renewal.renew(world.soon())
    renewal.use()
    with pytest.raises(AuthenticationError, match=r"3 times by now.*not tried again for 10 s"):
        renewal.renew(world.soon())

    assert logins.count == 3


def test_a_token_that_served_for_a_while_may_be_refused_without_suspicion(world, logins):
    """That is a reset, or a revocation: a new one is due."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())

    for _ in range(5):
        world.clock.sleep(room.SETTLED + 1)
        renewal.use()
        renewal.renew(world.soon())

    assert logins.count == 6


def test_a_thread_in_dialogue_leaves_a_token_alone_that_is_merely_old(world, logins):
    """Nothing but the reply may leave between a question and its answer."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep(23.5 * 3600)

    with world.dialogue.hold(world.soon()):
        renewal.prepare(world.soon())
        inside = logins.count
    renewal.prepare(world.soon())

    assert (inside, logins.count) == (1, 2)


def test_a_thread_in_dialogue_renews_what_has_ended(world, logins):
    """Without it nothing could leave at all."""
    renewal = logins.renewal()
    renewal.prepare(world.soon())
    world.clock.sleep(25 * 3600)

    with world.dialogue.hold(world.soon()):
        renewal.prepare(world.soon())

    assert renewal.use() == "token-2"


@pytest.mark.parametrize("way", ["prepare", "renew"])
def test_a_thread_in_dialogue_does_not_wait_for_a_login_that_waits_for_it(world, logins, way):
    """The other cannot send before the dialogue is over: waiting for it would last for ever."""
    renewal = logins.renewal()

    def blocked(deadline):
        with world.dialogue.passage(deadline):
            return logins(deadline)

    renewal._login = blocked
    with world.dialogue.hold(world.soon(60.0)):
        other = threading.Thread(target=lambda: renewal.prepare(world.soon(60.0)), name="other")
        world.clock.expect(other)
        other.start()
        world.clock.sleep(1.0)
        begun = world.clock.monotonic()
        getattr(renewal, way)(world.soon())
        took = world.clock.monotonic() - begun
        used = renewal.use()
    with world.clock.aside():
        other.join()

    assert took < 1.0
    assert used == "token-1"
    assert renewal.use() == "token-2"


def test_a_grant_hides_its_token():
    """It is printed in logs and debuggers."""
    world = World()

    grant = Grant(token="canary-token", granted=world.clock.now(), ends=world.clock.now() + DAY)

    assert "canary" not in repr(grant)
