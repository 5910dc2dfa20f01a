"""A login's own calls: IBKR's time, one corrected try, and nothing in the middle of a dialogue."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from login_doors import START, World, answer, dated

from crowd import at_once
from ibkr_adapter.auth.desk import TokenDesk
from ibkr_adapter.errors import BrokerageUnavailable, NotSent, OutcomeUnknown, Throttled
from ibkr_adapter.throttle import Throttle
from ibkr_adapter.turns import Turns
from ibkr_adapter.wire.endpoints import LEDGER, OAUTH_LIVE_SESSION_TOKEN

URL = "https://api.ibkr.com/v1/api/oauth/live_session_token"


def post(world, desk, write=lambda: ({"Authorization": "x"}, None), seconds=15.0):
    return desk.post(OAUTH_LIVE_SESSION_TOKEN, URL, write, world.soon(seconds))


def test_a_refusal_at_another_time_is_tried_once_more_at_that_time():
    """The assertion was made for a moment that IBKR does not have now."""
    theirs = START + timedelta(minutes=5)
    world = World(answer({}, 401, date=dated(theirs)), answer({"token": 1}))
    desk = TokenDesk(**world.doors)
    times = []

    got = post(world, desk, lambda: (times.append(desk.now()) or {}, None))

    assert got.content == {"token": 1}
    assert times == [START, theirs]
    assert desk.skew() == " This machine's clock is 5 min 0 s behind IBKR's: set it."


def test_the_time_is_corrected_once_and_not_for_ever():
    """A server whose clock runs away must not be followed call by call."""
    world = World(
        answer({}, 401, date=dated(START - timedelta(minutes=5))),
        answer({}, 401, date=dated(START + timedelta(minutes=9))),
    )
    desk = TokenDesk(**world.doors)

    got = post(world, desk)

    assert got.status == 401
    assert len(world.transport.sent) == 2
    assert desk.skew().startswith(" This machine's clock is 5 min 0 s ahead of IBKR's")


@pytest.mark.parametrize("date", [None, "", "yesterday", dated(START + timedelta(seconds=3))])
def test_a_refusal_at_our_own_time_is_not_tried_again(date):
    """The clock is right, or nobody says otherwise: asking again would be a storm."""
    world = World(answer({}, 401, **({"date": date} if date is not None else {})))
    desk = TokenDesk(**world.doors)

    got = post(world, desk)

    assert got.status == 401
    assert len(world.transport.sent) == 1
    assert desk.skew() == ""


def test_a_difference_that_matters_is_one_of_five_seconds():
    """The header has no fractions, so less than that may be none."""
    world = World(answer({}, 401, date=dated(START + timedelta(seconds=5))), answer({}))
    desk = TokenDesk(**world.doors)

    post(world, desk)

    assert len(world.transport.sent) == 2
    assert desk.skew() == " This machine's clock is 0 min 5 s behind IBKR's: set it."


def test_a_date_without_a_zone_counts_as_utc():
    """That is what HTTP means."""
    theirs = (START + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S -0000")
    world = World(answer({}, 400, date=theirs), answer({}))
    desk = TokenDesk(**world.doors)

    post(world, desk)

    assert desk.now() == START + timedelta(hours=1)


def test_a_stamp_never_goes_back_with_the_clock():
    """IBKR refuses a timestamp that is older than the last one."""
    world = World(answer({}))
    desk = TokenDesk(**world.doors)
    first = desk.stamp()

    world.clock._start -= timedelta(seconds=90)  # the machine's clock is set back

    assert desk.stamp() == first


def test_a_stamp_follows_when_ibkr_says_that_it_ran_ahead():
    """Otherwise a clock that was set back would be refused until time has caught up."""
    world = World(answer({}, 401, date=dated(START - timedelta(minutes=5))), answer({}))
    desk = TokenDesk(**world.doors)
    ahead = desk.stamp()

    post(world, desk)

    assert desk.stamp() == ahead - 300


def test_a_lost_answer_to_a_login_means_that_the_call_was_not_made():
    """What is unknown is the login; the order behind it has not left."""
    world = World(OutcomeUnknown("the answer was cut."))

    with pytest.raises(NotSent, match="so the call was not made"):
        post(world, TokenDesk(**world.doors))


def test_a_broken_line_is_told_as_it_is():
    """It can be tried again."""
    world = World(NotSent("nobody listens."))

    with pytest.raises(NotSent, match="nobody listens"):
        post(world, TokenDesk(**world.doors))


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_login_service_that_is_down_is_no_refusal(status):
    """The credentials may be good."""
    world = World(answer({"error": "no"}, status))

    with pytest.raises(BrokerageUnavailable, match=f"down \\(HTTP {status} on POST /oauth") as down:
        post(world, TokenDesk(**world.doors))

    assert down.value.repeatable
    assert (down.value.status, down.value.text) == (status, "no")


@pytest.mark.parametrize(("after", "held"), [("30", 30.0), ("soon", 60.0), (None, 60.0)])
def test_a_429_stops_the_logins(after, held):
    """And is not answered by another try."""
    world = World(answer({}, 429, **({"retry_after": after} if after else {})), answer({}))
    desk = TokenDesk(**world.doors)

    with pytest.raises(Throttled, match="nothing was sent") as refused:
        post(world, desk)
    assert (refused.value.retry_at, refused.value.status) == (60.0, 429)
    with pytest.raises(Throttled):
        post(world, desk, seconds=held - 1)

    assert len(world.transport.sent) == 1


def test_a_login_goes_before_the_reads_in_line():
    """None of them can be signed before it."""
    world = World(answer({}))
    world.turns = Turns(throttle=Throttle(world.clock, per_second=1), dialogue=world.dialogue)
    desk = TokenDesk(**world.doors)
    order = []

    def read():
        with world.turns.take(LEDGER, world.soon(60.0), urgent=False):
            order.append("read")

    def login():
        world.clock.sleep(0.1)
        post(world, desk)
        order.append("login")

    read()
    at_once(world, read, read, login)

    assert order == ["read", "login", "read", "read"]


def test_what_a_login_needs_is_loaded_before_its_slot_comes():
    """Loaded inside, it would leave late."""
    world = World(answer({}))
    order = []
    world.transport.prepare = order.append
    desk = TokenDesk(**world.doors)

    post(world, desk, lambda: (order.append("written") or {}, None))

    assert order == [URL, "written"]


def test_a_login_waits_until_an_order_has_ended_its_dialogue():
    """A token call between a question and its reply could kill the order."""
    world = World(answer({}))
    desk = TokenDesk(**world.doors)
    order = []

    with world.dialogue.hold(world.soon()):
        thread = threading.Thread(target=lambda: (post(world, desk), order.append("login")), name="login")
        world.clock.expect(thread)
        thread.start()
        world.clock.sleep(2.0)
        order.append("reply")
    with world.clock.aside():
        thread.join()

    assert order == ["reply", "login"]
