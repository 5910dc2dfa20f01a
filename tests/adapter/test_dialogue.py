"""One conversation at a time: nothing gets between a question and its reply."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

from crowd import at_once
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.errors import BrokerageUnavailable, CompetingSession, QuestionRefused
from ibkr_adapter.replies import Circumstances, ReplyPolicy
from ibkr_adapter.wire.replies import Message, Question, Topic

EVERY_LOGIN = True


def test_reads_wait_while_an_order_is_asked_about(world, ibkr):
    """The broker kills an open question at any other request; here none arrives."""
    ibkr.get_ticker("AAPL")
    world.gateway.set_options({"strict_dialogue": True})
    acks = []

    def read():
        for _ in range(5):
            ibkr.get_available_margin()

    at_once(world, *[lambda: acks.append(ibkr.place_market_order("AAPL", "buy", 1))] * 4, read, read, read)

    assert [ack["status"] for ack in acks] == ["filled"] * 4
    assert world.position() == 4
    log = [path for _, path, _ in world.doorway.sent]
    for place, path in enumerate(log):
        if path.endswith("/orders") and "account/DU" in path:
            assert log[place + 1].startswith("/iserver/reply/"), (
                "something came between the order and its reply"
            )


def test_a_tickle_waits_for_the_dialogue_too(world):
    dialogue = Dialogue(world.clock)
    order: list[str] = []

    def converse():
        with dialogue.hold(world.clock.monotonic() + 60):
            world.clock.sleep(5)
            order.append("dialogue over")

    def tickle():
        world.clock.sleep(1)
        with dialogue.passage(world.clock.monotonic() + 60):
            order.append("tickle")

    at_once(world, converse, tickle)

    assert order == ["dialogue over", "tickle"]


def test_a_call_that_would_wait_too_long_is_not_sent(world):
    dialogue = Dialogue(world.clock)
    told: list[BrokerageUnavailable] = []

    def converse():
        with dialogue.hold(world.clock.monotonic() + 60):
            world.clock.sleep(50)

    def call():
        world.clock.sleep(1)
        with (
            pytest.raises(BrokerageUnavailable, match="not sent") as refused,
            dialogue.passage(world.clock.monotonic() + 10),
        ):
            pass
        told.append(refused.value)

    at_once(world, converse, call)

    assert told[0].repeatable


def test_the_owner_passes_and_may_hold_again(world):
    dialogue = Dialogue(world.clock)
    until = world.clock.monotonic() + 5

    with dialogue.hold(until), dialogue.hold(until), dialogue.passage(until):
        world.clock.sleep(0.1)

    with dialogue.passage(until):
        pass


def test_a_dialogue_lets_calls_that_are_under_way_arrive_first(world):
    """A read that has its passage may not have reached its socket yet."""
    dialogue = Dialogue(world.clock)
    order: list[str] = []

    def read():
        with dialogue.passage(world.clock.monotonic() + 60):
            world.clock.sleep(0.1)
            order.append("read")

    def place():
        world.clock.sleep(0.05)
        with dialogue.hold(world.clock.monotonic() + 60):
            order.append("order")

    at_once(world, read, place)

    assert order == ["read", "order"]


def question(message_id, topic):
    message = Message(message_id=message_id, words="words", topic=topic)
    return Question(reply_id="x", messages=(message,))


@pytest.mark.parametrize("topic", Topic)
def test_the_default_policy_says_yes_to_disclosures_only(topic):
    allowed = ReplyPolicy().refused(question("o1", topic), Circumstances()) is None

    assert allowed is (topic in {Topic.STOP_RISK, Topic.MARKET_RISK, Topic.CAP_PRICE})


@pytest.mark.parametrize("topic", Topic)
def test_what_only_reduces_is_not_held_up_by_known_questions(topic):
    allowed = ReplyPolicy().refused(question("o1", topic), Circumstances(reducing=True)) is None

    assert allowed is (topic is not Topic.UNKNOWN)


def test_a_cancel_is_never_held_up():
    policy = ReplyPolicy(decline=["o1"])

    assert policy.refused(question("o1", Topic.UNKNOWN), Circumstances(cancelling=True)) is None


def test_settings_go_before_the_default_and_declining_goes_first():
    policy = ReplyPolicy(answer=["o163", "o2"], decline=["o2", "o10331"])

    assert policy.refused(question("o163", Topic.PRICE_LIMIT), Circumstances()) is None
    assert policy.refused(question("o2", Topic.UNKNOWN), Circumstances()) is not None
    assert policy.refused(question("o10331", Topic.STOP_RISK), Circumstances()) is not None


def test_a_question_without_words_is_not_answered():
    assert ReplyPolicy().refused(Question(reply_id="x", messages=()), Circumstances()) is not None


def test_every_message_of_a_question_must_be_allowed():
    both = Question(
        reply_id="x",
        messages=(
            Message(message_id="o10331", words="stop", topic=Topic.STOP_RISK),
            Message(message_id="o163", words="price", topic=Topic.PRICE_LIMIT),
        ),
    )

    assert ReplyPolicy().refused(both, Circumstances()).message_id == "o163"


@pytest.mark.parametrize("swapped", [False, True])
def test_market_orders_are_placed_under_both_readings_of_the_ids(world, ibkr, swapped):
    world.gateway.set_options({"swapped_ids": swapped})

    assert ibkr.place_market_order("AAPL", "buy", 1)["status"] == "filled"


def test_an_unknown_question_is_declined_even_on_a_close(world, ibkr):
    """Words that nobody knows are not agreed to, however harmless the order."""
    ibkr.place_market_order("AAPL", "buy", 1)
    world.arm("F18", "POST /iserver/account/{accountId}/orders", variant="unknown")

    with pytest.raises(QuestionRefused):
        ibkr.close_position("AAPL")

    assert world.position() == 1


def test_a_known_question_does_not_hold_up_a_close(world, ibkr):
    world.gateway.seed_position(265598, 900, price=Decimal(165))

    ibkr.close_position("AAPL")

    assert world.position() == 0


def test_a_rival_is_not_asked_about_at_every_call(world, ibkr):
    """Twenty calls in a moment cost a few requests, not twenty times the bring-up."""
    world.gateway.change_session("rival")
    for _ in range(20):
        with pytest.raises(CompetingSession):
            ibkr.get_open_orders()

    assert len(world.doorway.sent) <= 3


def test_a_read_that_stands_in_line_does_not_leave_in_the_middle_of_a_dialogue(world, ibkr):
    """Its slot comes while an order is being asked about; it must wait for the end of that."""
    ibkr.get_open_orders()
    link = ibkr._connection
    left: list[float] = []
    link.client.listen(
        lambda call: left.append(world.clock.monotonic()) if "account/orders" in call.endpoint else None
    )
    begun = world.clock.monotonic()
    dialogue = link.client._turns._dialogue

    def read():
        link.reads.changed("DU1234567")
        ibkr.get_open_orders()

    def converse():
        world.clock.sleep(1)
        with dialogue.hold(world.clock.monotonic() + 60):
            world.clock.sleep(10)

    at_once(world, read, converse)

    assert left
    assert min(left) - begun >= 11


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_has_a_connection_of_its_own_and_the_kill_switch_of_its_parent(ibkr):
    """A thread that holds a lock of the parent's connection is not there to give it back."""
    parents = ibkr.open().session
    desk = ibkr.orders
    desk.kill("a test")
    count = parents_count = desk._connection.brakes.entries
    taken = count._lock
    taken.acquire()

    child = os.fork()
    if child == 0:
        apart = ibkr.session is not parents and ibkr.orders is not desk
        count = ibkr.orders._connection.brakes.entries
        free = count is parents_count and count._lock.acquire(blocking=False)
        os._exit(0 if apart and free and ibkr.orders.stopped else 1)
    taken.release()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ibkr.session is parents
