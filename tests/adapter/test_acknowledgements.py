"""Whatever IBKR answers to an order, what is told of it is what stands."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from decimal import Decimal

import pytest
from scripted import ACCOUNT, Broker, Floor, contract

from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.errors import (
    IBKRError,
    InvalidOrder,
    OrderOutcomeUnknown,
    OrderRejected,
    PartlyPlaced,
    QuestionRefused,
    Throttled,
)
from ibkr_adapter.model.order import OrderState
from ibkr_adapter.order_reads import JUST_CAME
from ibkr_adapter.records import Record
from ibkr_adapter.submissions import Submission
from ibkr_adapter.wire.endpoints import PLACE_ORDERS

SPY = 756733
PERCENTAGE = "The following order price exceeds \nthe Percentage constraint of 3%.\nAre you sure?"
QUESTION = [{"id": "q-1", "message": [PERCENTAGE], "isSuppressed": False, "messageIds": ["o163"]}]
PROMPT = {
    "orderId": 1370093239,
    "reqId": "22170",
    "messageId": "p12",
    "text": "Which one?",
    "options": ["a", "b"],
}


class Talker(Broker):
    """Books what it is sent, and says of it what the test wants said.

    ``says`` makes of its acknowledgements what is answered; a question is answered by ``replies``.
    ``cancel`` is answered to cancels in place of ending the order. ``is_blind`` hides the status of every
    order, ``is_dark`` their list as well.
    """

    def __init__(self, *contracts):
        super().__init__(*contracts)
        self.says = lambda acks: (200, acks)
        self.replies = (503, {"error": "Service Unavailable"})
        self.cancel = None
        self.cancels = 0
        self.is_blind = self.is_dark = False

    def answer(self, method, path, query, content):
        if path.startswith("/iserver/reply/"):
            return self.replies() if callable(self.replies) else self.replies
        if self.is_dark and path == "/iserver/account/orders":
            return 503, {"error": "Service Unavailable"}
        if (self.is_blind or self.is_dark) and "/order/status/" in path:
            return 503, {"error": "Service Unavailable"}
        if method == "DELETE":
            self.cancels += 1
            if callable(self.cancel):
                self.cancel()
            elif self.cancel is not None:
                return self.cancel
        status, answer = super().answer(method, path, query, content)
        if method == "POST" and path.endswith(f"/{ACCOUNT}/orders"):
            return self.says(answer)
        return status, answer


@pytest.fixture
def floor(tmp_path):
    made = Floor(tmp_path)
    made.broker = Talker(contract(SPY, "SPY"))
    made.broker.prices = {SPY: 100.0}
    yield made
    made.close()


@pytest.fixture
def broker(floor):
    return floor.broker


@pytest.fixture
def ibkr(floor):
    return floor.exchange()


def limit(ibkr):
    return ibkr.place_limit_order("SPY", "buy", 1, 100)


def bracket(ibkr):
    return ibkr.place_bracket_order("SPY", "buy", "limit", 1, 100, take_profit_price=120, stop_loss_price=80)


def pair(broker, ibkr):
    """Both exits of five shares."""
    broker.positions = {SPY: 5.0}
    return ibkr.place_oco_order("SPY", "SELL", 5, 120, 80)


def ids(broker):
    return [str(row["orderId"]) for row in broker.rows]


def states(broker):
    return [row["status"] for row in broker.rows]


# Acknowledgements -----------------------------------------------------------------------------


def test_one_order_that_is_acknowledged_twice_is_looked_up(broker, ibkr):
    """Nobody can tell which of the two is ours; its own cOID can."""
    broker.says = lambda acks: (200, [{"order_id": "77", "order_status": "Submitted"}, *acks])

    ack = limit(ibkr)

    assert [ack["orderId"]] == ids(broker)
    assert len(broker.tickets) == 1


def test_an_entry_is_known_by_its_children_where_no_acknowledgement_has_a_coid(broker, ibkr):
    """They name it as their parent; the order of the acknowledgements says nothing."""

    def says(acks):
        for ack in acks:
            ack.pop("local_order_id", None)
        return 200, acks[::-1]

    broker.says = says

    legs = bracket(ibkr)

    found = [legs[name]["orderId"] for name in ("entryOrder", "takeProfitOrder", "stopLossOrder")]
    assert found == ids(broker)
    assert broker.calls("GET", "/iserver/account/orders") == []


def test_an_acknowledged_bracket_costs_a_look_at_each_leg_and_no_list(broker, ibkr):
    """The children's ids are in the answer."""
    legs = bracket(ibkr)

    assert [path.rsplit("/", 1)[1] for _, path, _ in broker.sent if "/order/status/" in path] == ids(broker)
    assert legs["stopLossOrder"]["orderId"] == ids(broker)[2]
    assert broker.calls("GET", "/iserver/account/orders") == []


def test_a_bracket_whose_entry_no_acknowledgement_names_is_looked_up(broker, ibkr):
    """An exit must not be taken for the entry: it would be cancelled for an entry without legs."""

    def says(acks):
        return 200, [{"order_id": ack["order_id"], "order_status": "Submitted"} for ack in acks[::-1]]

    broker.says = says

    legs = bracket(ibkr)

    assert legs["entryOrder"]["orderId"] == ids(broker)[0]
    assert states(broker) == ["Submitted"] * 3


def test_the_legs_of_a_bracket_that_only_its_acknowledgement_names_are_not_missing(broker, ibkr):
    """Neither the answer nor the list says what hangs on what; the ids were acknowledged all the same."""

    def says(acks):
        for row in broker.rows:
            row.pop("parentId", None)
        return 200, [{"order_id": ack["order_id"], "order_status": "Submitted"} for ack in acks[::-1]]

    broker.says = says

    legs = bracket(ibkr)

    assert [legs[name]["orderId"] for name in ("entryOrder", "takeProfitOrder", "stopLossOrder")] == ids(
        broker
    )
    assert states(broker) == ["Submitted"] * 3


def test_what_ibkr_says_of_a_leg_is_a_sentence_of_its_own(broker, ibkr):
    def says(acks):
        broker.rows[1]["status"] = "Inactive"
        return 200, [acks[0], acks[1] | {"order_status": "Inactive", "text": "Price too far"}, acks[2]]

    broker.says = says

    with pytest.raises(PartlyPlaced, match=r"IBKR says: Price too far\. Add it with"):
        ibkr.place_bracket_order("SPY", "buy", "market", 1, take_profit_price=120, stop_loss_price=80)


def entry_refused(broker, **ack):
    """The entry of a bracket is refused, and both of its exits are acknowledged."""

    def says(acks):
        broker.rows[0]["status"] = "Inactive"
        return 200, [{"order_id": acks[0]["order_id"], "order_status": "Inactive"} | ack, *acks[1:]]

    broker.says = says


def never_arrived(broker):
    """The same where the entry got no order id at all."""

    def says(acks):
        del broker.rows[0]
        return 200, [{"order_id": "-1", "order_status": "Failed", "text": "Price too far."}, *acks[1:]]

    broker.says = says


@pytest.mark.parametrize("refused", [entry_refused, never_arrived])
def test_exits_of_an_entry_that_was_refused_are_ended(broker, ibkr, refused):
    """They could open a position, and the caller is told that nothing works."""
    refused(broker)

    with pytest.raises(OrderRejected, match="Nothing is working"):
        bracket(ibkr)

    assert states(broker)[-2:] == ["Cancelled", "Cancelled"]


@pytest.mark.parametrize("state", ["Inactive", "Cancelled"])
def test_exits_of_an_entry_that_ended_after_its_acknowledgement_are_ended(broker, ibkr, state):
    def says(acks):
        broker.rows[0]["status"] = state
        return 200, acks

    broker.says = says

    with pytest.raises(OrderRejected, match=f"is {state}"):
        bracket(ibkr)

    assert states(broker) == [state, "Cancelled", "Cancelled"]


def test_exits_of_an_entry_that_ended_with_a_part_filled_are_left_where_they_are(broker, ibkr):
    def says(acks):
        broker.rows[0] |= {"status": "Cancelled", "filledQuantity": 0.5, "remainingQuantity": 0.5}
        return 200, acks

    broker.says = says

    legs = bracket(ibkr)

    assert legs["entryOrder"]["status"] == "canceled"
    assert states(broker) == ["Cancelled", "Submitted", "Submitted"]


def test_exits_without_an_entry_that_cannot_be_ended_are_named(broker, ibkr):
    entry_refused(broker)
    broker.cancel = (200, {"error": "Order cannot be changed now"})

    with pytest.raises(PartlyPlaced, match="may still work") as told:
        bracket(ibkr)

    assert told.value.placed == dict(zip(("take_profit", "stop_loss"), ids(broker)[1:], strict=True))
    assert told.value.missing == ("entry",)


def test_exits_without_an_entry_that_traded_are_told_with_how_much(broker, ibkr):
    entry_refused(broker)

    def fills():
        broker.rows[1] |= {"status": "Filled", "filledQuantity": 1, "remainingQuantity": 0}

    broker.cancel = fills

    with pytest.raises(PartlyPlaced, match="traded 1") as told:
        bracket(ibkr)

    assert (told.value.placed, told.value.naked_quantity) == ({}, 1)
    assert states(broker) == ["Inactive", "Filled", "Cancelled"]


def test_exits_without_an_entry_are_left_where_nothing_is_to_be_put_right(floor, broker):
    entry_refused(broker)

    with pytest.raises(PartlyPlaced, match="may still work"):
        bracket(floor.exchange(missing_leg="leave"))

    assert states(broker) == ["Inactive", "Submitted", "Submitted"]


def test_a_refusal_in_disguise_is_a_refusal_in_ibkrs_words(broker, ibkr):
    """An acknowledgement with a state in which nothing works; sending the same again would not help."""
    refused = {"order_status": "Inactive", "text": "No trading permission."}
    broker.says = lambda acks: (200, [{"order_id": ack["order_id"], **refused} for ack in acks])

    with pytest.raises(OrderRejected, match=r"^No trading permission\. Nothing is working\.") as told:
        bracket(ibkr)

    assert told.value.text == "No trading permission."
    assert not told.value.repeatable


@pytest.mark.parametrize("state", ["Inactive", "Cancelled"])
@pytest.mark.parametrize("call", ["place_market_order", "close_position"])
def test_a_market_order_that_is_refused_after_its_acknowledgement_is_refused(broker, ibkr, call, state):
    """Hosts look at no status: what comes back with an id counts as placed."""

    def says(acks):
        broker.rows[0] |= {"status": state, "order_cancellation_by_system_reason": "No shares to borrow"}
        return 200, [acks[0] | {"order_status": "PreSubmitted"}]

    broker.says, broker.fills = says, False
    broker.positions = {SPY: 5.0}

    with pytest.raises(OrderRejected, match=f"is {state}.*Nothing is working"):
        getattr(ibkr, call)("SPY", "sell", 5)

    assert len(broker.tickets) == 1


def test_a_close_that_is_refused_after_its_acknowledgement_says_what_was_ended_for_it(broker, ibkr):
    """The position has lost its stop, which nobody would guess from a refusal."""
    exits = pair(broker, ibkr)

    def says(acks):
        broker.rows[-1] |= {"status": "Cancelled"}
        return 200, [acks[0] | {"order_status": "PreSubmitted"}]

    broker.says, broker.fills = says, False
    named = f"{exits['takeProfitOrderId']}, {exits['stopLossOrderId']}"

    with pytest.raises(OrderRejected, match=f"our own orders {named} were ended"):
        ibkr.close_position("SPY")


@pytest.mark.parametrize(
    "act",
    [lambda ibkr: ibkr.close_position("SPY"), lambda ibkr: ibkr.place_oco_order("SPY", "SELL", 5, 121, 81)],
    ids=["close", "new pair"],
)
def test_who_cannot_read_the_position_again_is_told_that_the_exits_are_gone(broker, ibkr, act):
    """Nothing else would say that the position has lost its stop."""
    exits = pair(broker, ibkr)
    plain = broker.answer

    def answer(method, path, query, content):
        if broker.cancels and path.startswith("/portfolio"):
            return 500, {"error": "no"}
        return plain(method, path, query, content)

    broker.answer = answer
    sent = len(broker.tickets)

    with pytest.raises(IBKRError, match=f"exits .* were ended|{exits['stopLossOrderId']} were ended"):
        act(ibkr)

    assert len(broker.tickets) == sent


def test_a_market_order_that_ends_with_a_part_filled_is_no_refusal(broker, ibkr):
    def says(acks):
        broker.rows[0] |= {"status": "Cancelled", "filledQuantity": 2, "remainingQuantity": 3}
        return 200, acks

    broker.says, broker.fills = says, False

    assert ibkr.place_market_order("SPY", "buy", 5)["status"] == "canceled"


def acknowledged_as_cancelled(broker, filled):
    def says(acks):
        broker.rows[0] |= {"status": "Cancelled", "filledQuantity": filled, "remainingQuantity": 1 - filled}
        return 200, [acks[0] | {"order_status": "Cancelled"}]

    broker.says = says


def test_an_order_that_is_acknowledged_as_cancelled_and_has_filled_nothing_is_refused(broker, ibkr):
    """What the exchange refuses is called so, too."""
    acknowledged_as_cancelled(broker, 0)

    with pytest.raises(OrderRejected, match=r"is Cancelled\. Nothing is working"):
        limit(ibkr)


def test_an_order_that_is_acknowledged_as_cancelled_and_has_filled_a_part_is_none(broker, ibkr):
    acknowledged_as_cancelled(broker, 0.5)

    assert limit(ibkr)["status"] == "canceled"


def test_a_refusal_without_words_is_told_by_its_state(broker, ibkr):
    broker.says = lambda acks: (200, [{"order_id": "-1", "order_status": "Cancelled"}])

    with pytest.raises(OrderRejected, match=r"^Cancelled\. Nothing is working"):
        limit(ibkr)


def test_what_ibkr_says_of_a_leg_is_told_with_what_became_of_the_bracket(broker, ibkr):
    def says(acks):
        broker.rows[2]["status"] = "Inactive"
        return 200, [*acks[:2], acks[2] | {"order_status": "Inactive", "text": "Price too far."}]

    broker.says = says

    with pytest.raises(OrderRejected, match=r"the stop_loss was not accepted.*IBKR says: Price too far"):
        bracket(ibkr)

    assert states(broker) == ["Cancelled", "Submitted", "Inactive"]


@pytest.mark.parametrize(
    ("error", "again"),
    [("Bad Request: no bridge", True), ("Invalid order price fields", False)],
)
def test_a_refusal_may_be_tried_again_where_only_the_session_was_missing(broker, ibkr, error, again):
    broker.says = lambda _: (400, {"error": error})

    with pytest.raises(OrderRejected) as refused:
        limit(ibkr)

    assert refused.value.repeatable is again


def test_a_bracket_with_one_exit_that_is_looked_up_is_told_with_it(broker, ibkr):
    broker.says = lambda _: (503, {"error": "Service Unavailable"})

    legs = ibkr.place_bracket_order("SPY", "buy", "limit", 1, 100, stop_loss_price=80)

    assert [legs["entryOrder"]["orderId"], legs["stopLossOrder"]["orderId"]] == ids(broker)


def test_a_pair_takes_no_id_of_the_callers_own(broker, ibkr):
    """It is looked up by one id, which would say nothing of the other order."""
    pair(broker, ibkr)
    tickets = [ibkr.orders._connection.own.ticket(order_id) for order_id in ids(broker)]

    with pytest.raises(InvalidOrder, match="a pair of orders takes no cOID"):
        Submission(tickets=tuple(tickets), replies=None, deadline=0.0, wait_for_outcome=0.0, named=True)


def test_an_acknowledged_pair_is_not_looked_up(broker, ibkr):
    """Each acknowledgement has the cOID of its own."""
    ack = pair(broker, ibkr)

    assert [ack["takeProfitOrderId"], ack["stopLossOrderId"]] == ids(broker)
    assert broker.calls("GET", "/iserver/account/trades") == []


def test_a_bracket_that_is_looked_at_again_is_looked_at_more_than_once(broker, ibkr):
    """A leg may take a moment to show, then as well as at first."""
    fails = hide(broker, 503)
    with pytest.raises(
        OrderOutcomeUnknown, match=r"whether its .* stands cannot be read now \(IBKR"
    ) as unknown:
        bracket(ibkr)
    fails[0] = 2

    placed = unknown.value.resolve()

    assert [leg.order_id for leg in placed.legs] == ids(broker)


def test_who_cannot_see_a_bracket_is_told_why(broker, ibkr):
    """A penalty is over some time, and needs another patience than a status that IBKR does not give."""
    hide(broker, 429)

    with pytest.raises(OrderOutcomeUnknown, match=r"cannot be read now \(.*\(429\)"):
        bracket(ibkr)


def hide(broker, status):
    """Refuse to show legs and lists, so often as the answer says."""
    plain, fails = broker.answer, [99]

    def answer(method, path, query, content):
        lists = path in {"/iserver/account/orders", "/iserver/account/trades"}
        leg = "/order/status/" in path and path.rsplit("/", 1)[1] != ids(broker)[0]
        if fails[0] and (lists or leg):
            fails[0] -= 1
            return status, {"error": "Service Unavailable"}
        return plain(method, path, query, content)

    broker.answer = answer
    return fails


def test_an_order_has_no_more_time_however_long_the_program_has_run(floor, broker, ibkr):
    """Its path is closed for longer than it may take, so it is told at once and never leaves."""
    ibkr.get_open_orders()
    floor.clock.sleep(3600)
    ibkr._connection.client._turns.refused(PLACE_ORDERS, None)

    with pytest.raises(Throttled, match="nothing was sent"):
        limit(ibkr)

    assert broker.rows == []


def test_what_was_read_before_an_order_is_not_told_after_it(floor, broker, ibkr):
    """Lists are kept for a moment, and would hide what has just been sent."""
    ibkr.orders.live()
    floor.clock.sleep(10)
    ibkr.orders.live()

    limit(ibkr)

    assert [order.order_id for order in ibkr.orders.live()] == ids(broker)


def test_an_answer_to_a_reply_that_nobody_understands_is_looked_up(broker, ibkr):
    """It was said yes to, and stands."""
    risk = "You are about to submit a stop order. Please be aware of the various risks."
    asking(broker, [{"id": "q-1", "message": [risk], "isSuppressed": False, "messageIds": ["o10331"]}])
    broker.replies = (200, {"surprise": True})

    ack = limit(ibkr)

    assert [ack["orderId"]] == ids(broker)
    assert broker.calls("POST", "/iserver/reply/") == [{"confirmed": True}]
    assert broker.cancels == 0


# Declined -------------------------------------------------------------------------------------


def asking(broker, answer=QUESTION):
    """Every order is asked about, the no is not confirmed, and the order stands."""
    broker.says = lambda _: (200, answer)


@pytest.mark.parametrize(("answer", "error"), [(QUESTION, QuestionRefused), (PROMPT, OrderRejected)])
def test_what_was_declined_and_stands_all_the_same_is_ended(broker, ibkr, answer, error):
    """Nobody agreed to it."""
    asking(broker, answer)

    with pytest.raises(error, match=r"o163|choice.*Which one"):
        limit(ibkr)

    assert (states(broker), broker.cancels) == (["Cancelled"], 1)


def test_what_was_declined_and_is_over_is_not_cancelled_again(broker, ibkr):
    def says(_):
        broker.rows[0]["status"] = "Cancelled"
        return 200, QUESTION

    broker.says = says

    with pytest.raises(QuestionRefused):
        limit(ibkr)

    assert broker.cancels == 0


def test_what_was_declined_and_filled_all_the_same_is_told_as_filled(broker, ibkr):
    """It was faster than its cancel: there is a position now."""
    asking(broker)
    broker.cancel = lambda: broker.rows[0].update(filledQuantity=1, remainingQuantity=0)

    ack = limit(ibkr)

    assert ack["orderId"] == ids(broker)[0]


def test_what_was_declined_and_has_filled_is_told_and_not_cancelled(broker, ibkr):
    def says(_):
        broker.rows[0].update(status="Filled", filledQuantity=1, remainingQuantity=0)
        return 200, QUESTION

    broker.says = says

    assert limit(ibkr)["status"] == "filled"
    assert broker.cancels == 0


@pytest.mark.parametrize("place", [limit, bracket])
def test_what_was_declined_and_cannot_be_ended_is_not_told_as_refused(broker, ibkr, place):
    """A refusal means that nothing works, and this does: whoever sent the order anew would have two."""
    asking(broker)
    broker.cancel = (200, {"error": "Order cannot be changed now"})

    with pytest.raises(
        OrderOutcomeUnknown, match=r"stands although it was declined.*cannot be changed"
    ) as lost:
        place(ibkr)

    assert lost.value.order_id == ids(broker)[0]
    assert lost.value.coid == broker.tickets[0]["cOID"]
    broker.is_blind = True
    with pytest.raises(OrderOutcomeUnknown):
        lost.value.resolve()
    broker.cancel, broker.is_blind = None, False
    with pytest.raises(QuestionRefused):
        lost.value.resolve()
    assert states(broker)[0] == "Cancelled"
    assert len(broker.tickets) == len(broker.rows)


def test_what_was_declined_and_ended_by_itself_is_refused_although_its_cancel_was_too(broker, ibkr):
    asking(broker)

    def answer():
        broker.rows[0]["status"] = "Cancelled"
        broker.cancel = (200, {"error": "Order cannot be changed now"})

    plain = broker.answer

    def answers(method, path, query, content):
        if method == "DELETE":
            answer()
        return plain(method, path, query, content)

    broker.answer = answers

    with pytest.raises(QuestionRefused):
        limit(ibkr)


def test_a_pair_that_was_declined_and_stands_is_ended_whole(broker, ibkr):
    """And the stop that the position needs is sent alone, which is asked about as well."""
    asking(broker, [QUESTION[0] | {"messageIds": ["o9"], "message": ["Nobody knows this."]}])

    with pytest.raises(PartlyPlaced) as partly:
        pair(broker, ibkr)

    assert set(states(broker)) == {"Cancelled"}
    assert (partly.value.placed, partly.value.naked_quantity) == ({}, Decimal(5))


def test_a_pair_that_was_declined_and_cannot_be_ended_leaves_nobody_to_send_another_stop(broker, ibkr):
    """Both of it work: a stop beside them could open a position."""
    asking(broker, [QUESTION[0] | {"messageIds": ["o9"], "message": ["Nobody knows this."]}])
    broker.cancel = (200, {"error": "Order cannot be changed now"})

    with pytest.raises(OrderOutcomeUnknown, match="stands although it was declined") as lost:
        pair(broker, ibkr)

    assert len(broker.tickets) == 2
    broker.cancel = None
    with pytest.raises(QuestionRefused):
        lost.value.resolve()
    assert set(states(broker)) == {OrderState.CANCELLED}


# Changes --------------------------------------------------------------------------------------


def changing(broker, *, takes, replies=(503, {"error": "Service Unavailable"})):
    """A modification is asked about; the no is answered by ``replies``, and it takes or does not."""
    plain = broker.answer

    def answer(method, path, query, content):
        if method == "POST" and "/order/" in path:
            if takes:
                plain(method, path, query, content)
            return 200, QUESTION
        return plain(method, path, query, content)

    broker.answer, broker.replies = answer, replies


def test_a_modification_that_was_declined_leaves_the_order_as_it_was(broker, ibkr):
    """Its status proves that, also where the no was not confirmed."""
    order_id = limit(ibkr)["orderId"]
    changing(broker, takes=False)

    with pytest.raises(QuestionRefused, match="the change was declined and the order stands as it was"):
        ibkr.orders.modify(order_id, limit_price=Decimal(99))

    assert broker.rows[0]["price"] == 100
    assert ibkr.orders._connection.own.ticket(order_id).limit_price == 100


def test_a_modification_that_took_although_it_was_declined_is_not_told_as_refused(broker, ibkr):
    """A refusal means that the order stands as it was, and it does not."""
    order_id = limit(ibkr)["orderId"]
    changing(broker, takes=True)

    with pytest.raises(OrderOutcomeUnknown, match="stands modified, although") as unknown:
        ibkr.orders.modify(order_id, limit_price=Decimal(99))

    assert unknown.value.order_id == order_id
    assert unknown.value.resolve().limit_price == 99


def test_a_modification_that_was_declined_and_cannot_be_seen_is_unknown(broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    changing(broker, takes=False)
    broker.is_dark = True

    with pytest.raises(OrderOutcomeUnknown, match=r"was modified \(a declined question was not"):
        ibkr.orders.modify(order_id, limit_price=Decimal(99))


def answered(broker, body, **becomes):
    """Modifications are answered so, and the order becomes this."""
    plain = broker.answer

    def answer(method, path, query, content):
        if method == "POST" and "/order/" in path:
            broker.rows[0].update(becomes)
            return 200, body
        return plain(method, path, query, content)

    broker.answer = answer


@pytest.mark.parametrize(
    ("ack", "words"),
    [
        ({"order_status": "Inactive", "text": "Too late."}, "was not modified: Too late."),
        ({"order_status": "Inactive"}, "was not modified: Inactive."),
    ],
)
def test_a_modification_that_is_refused_in_disguise_is_refused(broker, ibkr, ack, words):
    order_id = limit(ibkr)["orderId"]
    answered(broker, [{"order_id": order_id, **ack}])

    with pytest.raises(OrderRejected) as refused:
        ibkr.orders.modify(order_id, limit_price=Decimal(99))

    assert words in str(refused.value)


def replaced(broker, **follower):
    """A modification ends the order, and another one follows under an id of its own."""
    plain = broker.answer

    def answer(method, path, query, content):
        if method == "POST" and "/order/" in path:
            old = broker.rows[0]
            new = old | {"orderId": 555666777, "price": content["price"]} | follower
            old["status"] = "Cancelled"
            broker.rows.append(new)
            return 200, [{"order_id": str(new["orderId"]), "order_status": "Submitted"}]
        return plain(method, path, query, content)

    broker.answer = answer


def test_a_modification_that_stands_under_a_new_id_is_found_there(broker, ibkr):
    """Told as cancelled it would be sent anew, beside the one that works."""
    order_id = limit(ibkr)["orderId"]
    replaced(broker)

    changed = ibkr.orders.modify(order_id, limit_price=Decimal(99))

    assert (changed.order_id, changed.state, changed.limit_price) == ("555666777", OrderState.SUBMITTED, 99)
    assert ibkr.orders.cancel(changed.order_id).state is OrderState.CANCELLED


@pytest.mark.parametrize("other", [{"side": "SELL"}, {"price": 42}])
def test_another_order_is_not_taken_for_what_follows_a_modified_one(broker, ibkr, other):
    order_id = limit(ibkr)["orderId"]
    replaced(broker, **other)

    assert ibkr.orders.modify(order_id, limit_price=Decimal(99)).order_id == order_id


def test_a_modification_that_took_is_seen_at_once(floor, broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    began = floor.clock.monotonic()

    assert ibkr.orders.modify(order_id, limit_price=Decimal(99)).limit_price == 99

    assert floor.clock.monotonic() - began < 1
    assert ibkr.orders._connection.own.ticket(order_id).limit_price == 99


def test_a_modification_that_is_refused_leaves_the_order_as_it_was(floor, broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    answered(broker, {"error": "Invalid order price fields"})
    began = floor.clock.monotonic()

    with pytest.raises(OrderRejected, match="was not modified: Invalid order price fields"):
        ibkr.orders.modify(order_id, limit_price=Decimal(99))

    assert floor.clock.monotonic() - began < 1
    assert ibkr.orders._connection.own.ticket(order_id).limit_price == 100


def test_an_order_that_filled_before_its_modification_is_told_as_filled(floor, broker, ibkr):
    """At once: it will never show what was wanted."""
    order_id = limit(ibkr)["orderId"]
    over = {"status": "Filled", "filledQuantity": 1, "remainingQuantity": 0}
    answered(broker, [{"order_id": order_id, "order_status": "Filled"}], **over)
    began = floor.clock.monotonic()

    seen = ibkr.orders.modify(order_id, limit_price=Decimal(99))

    assert (seen.state, seen.limit_price) == (OrderState.FILLED, 100)
    assert floor.clock.monotonic() - began < 1


def test_a_modification_that_never_shows_is_unknown(broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    answered(broker, [{"order_id": order_id, "order_status": "Submitted"}])

    with pytest.raises(OrderOutcomeUnknown, match="nobody can tell whether order") as unknown:
        ibkr.orders.modify(order_id, limit_price=Decimal(99))

    assert (unknown.value.order_id, unknown.value.coid) == (order_id, broker.tickets[0]["cOID"])
    assert unknown.value.resolve().limit_price == 100


def ended_as(broker, state):
    """A cancel is taken, and this is what the order is then."""
    plain = broker.answer

    def answer(method, path, query, content):
        told = plain(method, path, query, content)
        if method == "DELETE":
            broker.rows[0]["status"] = state
        return told

    broker.answer = answer


def test_a_cancelled_order_that_is_inactive_works_no_more(floor, broker, ibkr):
    """IBKR calls some so that it has ended."""
    order_id = limit(ibkr)["orderId"]
    ended_as(broker, "Inactive")
    began = floor.clock.monotonic()

    assert ibkr.orders.cancel(order_id).state is OrderState.INACTIVE

    assert floor.clock.monotonic() - began < 1


def test_a_cancel_that_takes_no_effect_is_unknown_with_what_is_seen(broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    ended_as(broker, "Submitted")

    with pytest.raises(OrderOutcomeUnknown, match="it is Submitted with 0 filled") as unknown:
        ibkr.orders.cancel(order_id)

    assert (unknown.value.order_id, unknown.value.resolve().state) == (order_id, OrderState.SUBMITTED)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((400, {"error": "OrderID 5 doesn't exist"}), OrderRejected, "IBKR has no working order"),
        ((503, {"error": "Service Unavailable"}), OrderOutcomeUnknown, "its status cannot be read"),
    ],
)
def test_a_cancel_of_what_cannot_be_seen_is_told_by_what_ibkr_said(broker, ibkr, answer, error, words):
    order_id = limit(ibkr)["orderId"]
    broker.cancel, broker.is_dark = answer, True

    with pytest.raises(error, match=words):
        ibkr.orders.cancel(order_id)


def forgetful(broker, status=503):
    """Give no status of an order that is over, as IBKR's documentation has it; the list still shows it."""
    plain = broker.answer

    def answer(method, path, query, content):
        told = plain(method, path, query, content)
        over = "/order/status/" in path and told[1]["order_status"] in {"Filled", "Cancelled"}
        return (status, {"error": "Service Unavailable", "statusCode": status}) if over else told

    broker.answer = answer


def test_what_is_over_and_has_no_status_any_more_is_seen_in_the_list(broker, ibkr):
    forgetful(broker)
    order_id = limit(ibkr)["orderId"]

    assert ibkr.cancel_order("SPY", order_id) == {
        "orderId": order_id,
        "status": "canceled",
        "filledQuantity": 0,
    }
    assert ibkr.get_order("SPY", order_id)["status"] == "canceled"
    assert ibkr.place_market_order("SPY", "buy", 5)["status"] == "filled"


def test_a_position_is_closed_although_the_exits_that_were_ended_have_no_status_any_more(broker, ibkr):
    forgetful(broker)
    exits = pair(broker, ibkr)

    closed = ibkr.close_position("SPY")

    assert closed["quantity"] == 5
    assert [path.rsplit("/", 1)[1] for verb, path, _ in broker.sent if verb == "DELETE"] == [
        exits["takeProfitOrderId"],
        exits["stopLossOrderId"],
    ]
    assert states(broker) == ["Cancelled", "Cancelled", "Filled"]


def test_what_works_and_has_no_status_is_seen_in_a_list_that_has_just_come(floor, broker, ibkr):
    """An older one may have it as working that is over by now."""
    order_id = limit(ibkr)["orderId"]
    broker.is_blind = True

    assert ibkr.orders.status(order_id).state is OrderState.SUBMITTED
    broker.rows[0]["status"] = "Filled"
    floor.clock.sleep(JUST_CAME)
    assert ibkr.orders.status(order_id).state is OrderState.FILLED


@pytest.mark.parametrize("differs", [{"status": "Cancelled"}, {"price": 98}])
def test_an_order_that_is_listed_twice_and_not_alike_is_not_seen(broker, ibkr, differs):
    """A modified one may be, and nothing tells which row is the order."""
    order_id = limit(ibkr)["orderId"]
    broker.is_blind = True
    broker.rows.append(broker.rows[0] | differs)

    assert ibkr.orders.status(order_id) is None


@pytest.mark.parametrize("states", [("Cancelled", "Submitted"), ("Submitted", "Cancelled")])
def test_an_order_that_is_listed_twice_is_over_only_where_both_are(broker, ibkr, states):
    """So IBKR lists some that were modified; a close that took the stop for ended would open a position."""
    order_id = limit(ibkr)["orderId"]
    broker.rows.append(dict(broker.rows[0]))
    for row, state in zip(broker.rows, states, strict=True):
        row["status"] = state
    broker.is_blind = True

    assert ibkr.orders.status(order_id) is None


def test_an_order_that_is_listed_in_another_account_is_not_seen(broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    broker.is_blind = True
    broker.rows[0] |= {"acct": "DU7654321", "account": "DU7654321"}

    assert ibkr.orders.status(order_id) is None


def test_a_list_that_was_begun_before_a_change_of_ours_is_not_kept(floor, broker, ibkr):
    """It may have come after the change, and show what was before it."""
    reads, order_id = ibkr.orders._connection.reads, limit(ibkr)["orderId"]
    plain, asked = broker.answer, []

    def answer(method, path, query, content):
        told = plain(method, path, query, content)
        if path == "/iserver/account/orders" and len(asked) < 2:
            asked.append(path)
            reads.changed(ACCOUNT)
            broker.rows[0]["price"] = 99
        return told

    broker.answer, broker.is_blind = answer, True
    reads.live(ACCOUNT)

    assert ibkr.orders.status(order_id).limit_price == 99


def nameless(status, body=None):
    """How a gateway answers that does not know the question for one order's status."""
    return pytest.param((status, {"error": "not found"} if body is None else body), id=f"{status}-{body}")


NO_STATUS = [nameless(404), nameless(405), nameless(501), nameless(500), nameless(503), nameless(200, {})]


def without_status(broker, answer):
    plain = broker.answer
    broker.answer = lambda method, path, query, content: (
        answer if "/order/status/" in path else plain(method, path, query, content)
    )


@pytest.mark.parametrize("answer", NO_STATUS)
def test_a_gateway_without_statuses_is_traded_by_its_list(floor, broker, ibkr, answer):
    without_status(broker, answer)

    started = floor.clock.monotonic()
    placed = bracket(ibkr)
    entry_id = placed["entryOrder"]["orderId"]

    # A 503 is asked about three times.
    assert floor.clock.monotonic() - started < 15
    assert [placed[leg]["orderId"] for leg in ("takeProfitOrder", "stopLossOrder")] == ids(broker)[1:]
    assert ibkr.orders.modify(entry_id, limit_price=Decimal(99)).limit_price == 99
    assert ibkr.cancel_order("SPY", entry_id)["status"] == "canceled"
    assert ibkr.place_market_order("SPY", "buy", 5)["status"] == "filled"
    assert floor.clock.monotonic() - started < 40


def test_a_cancel_is_seen_in_the_list_while_statuses_rest_after_a_429(broker, ibkr):
    """They rest for a minute, which is longer than a cancel is looked at."""
    order_id = limit(ibkr)["orderId"]
    without_status(broker, (429, {"error": "Too Many Requests"}))

    assert ibkr.cancel_order("SPY", order_id)["status"] == "canceled"


def test_a_leg_that_no_list_has_is_proven_to_be_missing_without_statuses(broker, ibkr):
    """An unfilled entry is cancelled then, after two lists that have it and not the leg."""
    without_status(broker, (404, {"error": "not found"}))

    def loses_a_leg(acks):
        del broker.rows[-1]
        return 200, acks

    broker.says = loses_a_leg

    with pytest.raises(IBKRError) as failure:
        bracket(ibkr)

    assert not isinstance(failure.value, OrderOutcomeUnknown)
    assert states(broker)[0] == "Cancelled"


def test_a_list_that_cannot_be_read_shows_nothing_either(broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    broker.rows[0]["status"] = "Cancelled"
    forgetful(broker)
    plain = broker.answer
    broker.answer = lambda method, path, query, content: (
        (503, {"error": "Service Unavailable"})
        if path == "/iserver/account/orders"
        else plain(method, path, query, content)
    )

    assert ibkr.orders.status(order_id) is None


def test_one_order_that_cannot_be_ended_does_not_keep_the_others(broker, ibkr):
    order_ids = [limit(ibkr)["orderId"] for _ in range(3)]
    plain = broker.answer

    def answer(method, path, query, content):
        if method == "DELETE" and path.endswith(order_ids[0]):
            return 200, {"error": "Order cannot be changed now"}
        return plain(method, path, query, content)

    broker.answer = answer

    with pytest.raises(OrderRejected, match=f"order {order_ids[0]} was not cancelled"):
        ibkr.cancel_all_orders("SPY")

    assert states(broker) == ["Submitted", "Cancelled", "Cancelled"]


def test_orders_that_go_with_another_are_told_like_it(broker, ibkr):
    """IBKR ends the exits of an entry with it."""
    bracket(ibkr)

    def takes_along():
        for row in broker.rows:
            row["status"] = "Cancelled"

    broker.cancel = takes_along

    done = ibkr.cancel_all_orders("SPY")

    assert [(one["orderId"], one["status"], one["filledQuantity"]) for one in done] == [
        (order_id, "canceled", 0) for order_id in ids(broker)
    ]
    assert broker.cancels == 1


def test_a_question_about_a_cancel_is_answered_with_yes_whatever_it_is(broker, ibkr):
    """Nothing that ends an order is held up by words that nobody knows."""
    order_id = limit(ibkr)["orderId"]
    broker.cancel = (200, [QUESTION[0] | {"messageIds": ["o9"], "message": ["Nobody knows this."]}])

    def replies():
        broker.rows[0]["status"] = "Cancelled"
        return 200, [{"order_id": order_id, "order_status": "Cancelled"}]

    broker.replies = replies

    assert ibkr.orders.cancel(order_id).state is OrderState.CANCELLED
    assert broker.calls("POST", "/iserver/reply/") == [{"confirmed": True}]


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ((200, QUESTION), "IBKR asked again what had been answered"),
        ((503, {"error": "Service Unavailable"}), "Service Unavailable"),
        ((200, PROMPT), "IBKR asked: Which one"),
    ],
    ids=["again", "lost", "prompt"],
)
def test_a_cancel_whose_dialogue_went_wrong_says_how(broker, ibkr, replies, why):
    order_id = limit(ibkr)["orderId"]
    broker.cancel, broker.replies = (200, QUESTION), replies

    with pytest.raises(OrderOutcomeUnknown, match=f"was not seen to end: .* filled \\(.*{why}.*\\)"):
        ibkr.orders.cancel(order_id)


def test_a_cancel_that_ibkr_asks_about_without_end_leaves_the_order_as_it_was(broker, ibkr):
    order_id = limit(ibkr)["orderId"]
    asked = itertools.count(1)
    broker.cancel = (200, [QUESTION[0] | {"id": "q-0"}])

    def replies():
        if broker.calls("POST", "/iserver/reply/")[-1] == {"confirmed": False}:
            return 400, {"error": "order not confirmed"}
        return 200, [QUESTION[0] | {"id": f"q-{next(asked)}"}]

    broker.replies = replies

    with pytest.raises(QuestionRefused, match="the cancel was declined and the order stands as it was"):
        ibkr.orders.cancel(order_id)

    assert states(broker) == ["Submitted"]


def test_a_session_that_goes_while_an_order_waits_for_its_turn_is_brought_up_first(ibkr, broker, monkeypatch):
    """The order leaves once, and in the new session."""
    limit(ibkr)
    session = ibkr.orders._connection.session
    epoch, hold, waits = session.epoch, Dialogue.hold, iter([True])

    @contextmanager
    def held_late(dialogue, deadline):
        with hold(dialogue, deadline):
            if next(waits, False):
                session.lose(epoch, "it went while the order waited")
            yield

    monkeypatch.setattr(Dialogue, "hold", held_late)

    ack = limit(ibkr)

    assert str(ack["orderId"]) == ids(broker)[1]
    assert len(broker.rows) == 2
    assert session.epoch > epoch


def test_inside_the_hold_no_session_is_brought_up(ibkr, broker, monkeypatch):
    """The new one would answer for whatever account it likes: the order goes to the old one, or is refused."""
    limit(ibkr)
    session, begin = ibkr.orders._connection.session, Record.begin
    at = []

    def begun(record):
        begin(record)
        session.lose(session.epoch, "it went just now")
        at.append(len(broker.sent))

    monkeypatch.setattr(Record, "begin", begun)

    limit(ibkr)

    method, path, _ = broker.sent[at[0]]
    assert (method, path) == ("POST", f"/iserver/account/{ACCOUNT}/orders")


def test_a_question_that_nobody_is_there_to_answer_ends_nothing(floor, broker, ibkr):
    """It is looked at, and what still works is not said to be over."""
    order_id = limit(ibkr)["orderId"]
    broker.cancel = (200, QUESTION)

    with pytest.raises(
        OrderOutcomeUnknown, match=r"was not seen to end: .* \(IBKR asked a question that nobody"
    ):
        ibkr.orders._connection.changes.cancel(
            order_id, account=ACCOUNT, replies=None, deadline=floor.clock.monotonic() + 5
        )

    assert broker.calls("POST", "/iserver/reply/") == []
