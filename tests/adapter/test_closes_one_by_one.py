"""Closes and exits that come together, or close after each other, never come to more than the position."""

from __future__ import annotations

from functools import partial

import pytest
from scripted import ACCOUNT, Broker, Floor, contract

from crowd import at_once
from ibkr_adapter.errors import (
    BrokerageUnavailable,
    IBKRError,
    InvalidOrder,
    OrderOutcomeUnknown,
    OutcomeUnknown,
)
from ibkr_adapter.one_by_one import OneByOne

SPY = 756733


class Late(Broker):
    """Shows a fill among the positions ``lag`` seconds after it, and takes ``pause`` seconds to show them."""

    def __init__(self, *contracts):
        super().__init__(*contracts)
        self.clock = None
        self.lag = self.pause = 0.0
        self._due = []

    def _book(self, ticket):
        ack = super()._book(ticket)
        if ticket["orderType"] == "MKT" and self.fills:
            change = ticket["quantity"] * (1 if ticket["side"] == "BUY" else -1)
            self._due.append((self.clock.monotonic() + self.lag, ticket["conid"], change))
        return ack

    def _portfolio(self, path):
        if "positions" in path:
            self.clock.sleep(self.pause)
        now = self.clock.monotonic()
        for due in [one for one in self._due if one[0] <= now]:
            self._due.remove(due)
            self.positions[due[1]] += due[2]
        return [row for row in super()._portfolio(path) if row.get("position") != 0]


@pytest.fixture
def floor(tmp_path):
    made = Floor(tmp_path)
    made.broker = Late(contract(SPY, "SPY"))
    made.broker.clock = made.clock
    made.broker.prices, made.broker.positions = {SPY: 100.0}, {SPY: 10.0}
    yield made
    made.close()


@pytest.fixture
def broker(floor):
    return floor.broker


@pytest.fixture
def ibkr(floor):
    """With a list of orders that is fresh enough to be shared by those who come now."""
    found = floor.exchange()
    found.get_open_orders()
    floor.clock.sleep(60)
    found.get_open_orders()
    return found


def outcomes(floor, *calls):
    """What becomes of calls that are made at once."""
    told = []

    def run(call):
        try:
            told.append(call()["status"])
        except IBKRError as error:
            told.append(type(error))

    at_once(floor, *(partial(run, call) for call in calls))
    return told


def test_two_stops_that_come_together_do_not_both_protect_all_of_it(floor, broker, ibkr):
    broker.pause = 0.5

    told = outcomes(floor, *[partial(ibkr.place_stop_loss, "SPY", "SELL", 10, 80)] * 2)

    assert sorted(told, key=str) == sorted([InvalidOrder, "open"], key=str)
    assert [ticket["quantity"] for ticket in broker.tickets] == [10]


@pytest.mark.parametrize("lag", [0, 3])
def test_two_closes_that_come_together_close_once(floor, broker, ibkr, lag):
    broker.pause, broker.lag = 0.5, lag

    told = outcomes(floor, *[partial(ibkr.close_position, "SPY")] * 2)

    assert sorted(told, key=str) == sorted([InvalidOrder, "filled"], key=str)
    assert [ticket["quantity"] for ticket in broker.tickets] == [10]


def test_a_position_that_does_not_show_a_close_yet_is_not_closed_again(broker, ibkr):
    broker.lag = 7

    ibkr.close_position("SPY")

    with pytest.raises(InvalidOrder, match="there is no position"):
        ibkr.close_position("SPY")


def test_a_position_is_not_closed_again_where_the_answer_to_its_close_was_lost(floor, broker):
    ibkr = floor.exchange(unknown_deadline=0.1)
    broker.lag = 7
    send = broker.send

    def lost(method, url, **about):
        answer = send(method, url, **about)
        if url.endswith("/orders") and method == "POST":
            raise OutcomeUnknown("the answer was lost.")
        return answer

    broker.send = lost
    with pytest.raises(OrderOutcomeUnknown):
        ibkr.close_position("SPY")

    with pytest.raises(InvalidOrder, match="there is no position"):
        ibkr.close_position("SPY")


def test_a_position_that_does_not_show_a_part_that_was_closed_is_closed_by_the_rest(broker, ibkr):
    broker.lag = 7

    ibkr.close_position("SPY", None, 4)
    ibkr.close_position("SPY")

    assert [ticket["quantity"] for ticket in broker.tickets] == [4, 6]


def test_a_position_that_does_not_show_a_close_yet_is_not_protected(broker, ibkr):
    broker.lag = 7

    ibkr.close_position("SPY")

    with pytest.raises(InvalidOrder):
        ibkr.place_stop_loss("SPY", "SELL", 10, 80)


def stopped(floor, broker, ibkr, filled=10):
    """A stop of ours fills, which the list that is shared does not have and the position shows late."""
    ibkr.place_stop_loss("SPY", "SELL", 10, 80)
    floor.clock.sleep(60)
    ibkr.get_open_orders()
    row = broker.rows[-1]
    row |= {"filledQuantity": filled, "remainingQuantity": 10 - filled}
    row["status"] = "Filled" if filled == 10 else row["status"]
    broker._due.append((floor.clock.monotonic() + broker.lag, SPY, -filled))


def relist(floor, broker, ibkr):
    """Have the list read again, in five seconds, with what has filled as of that moment."""
    for row in broker.rows:
        row["lastExecutionTime_r"] = int((floor.clock.now().timestamp() + 5) * 1000)
    ibkr.orders._connection.reads.changed(ACCOUNT)


@pytest.mark.parametrize("lag", [0, 1, 3])
@pytest.mark.parametrize("is_listed", [False, True])
def test_a_position_that_does_not_show_the_fill_of_a_stop_yet_is_not_closed(
    floor, broker, ibkr, lag, is_listed
):
    broker.lag = lag
    stopped(floor, broker, ibkr)
    if is_listed:
        broker._due[-1] = (broker._due[-1][0] + 5, *broker._due[-1][1:])
        relist(floor, broker, ibkr)

    with pytest.raises(InvalidOrder, match="there is no position"):
        ibkr.close_position("SPY")

    assert len(broker.tickets) == 1


def test_an_entry_that_filled_beside_its_exit_does_not_hide_that_exit(floor, broker, ibkr):
    """Both filled a moment ago, and the position shows the entry only."""
    broker.lag = 6
    ibkr.place_limit_order("SPY", "BUY", 10, 90)
    stopped(floor, broker, ibkr)
    broker.rows[0] |= {"status": "Filled", "filledQuantity": 10, "remainingQuantity": 0}
    relist(floor, broker, ibkr)

    with pytest.raises(InvalidOrder, match="there is no position"):
        ibkr.close_position("SPY")

    assert len(broker.tickets) == 2


def test_what_a_stop_has_left_is_closed(floor, broker, ibkr):
    broker.lag = 1
    stopped(floor, broker, ibkr, filled=4)

    ibkr.close_position("SPY")

    assert [ticket["quantity"] for ticket in broker.tickets] == [10, 6]


def test_a_position_that_never_shows_a_fill_is_believed_in_the_end(floor, broker, ibkr):
    """Somebody else may have bought as much meanwhile."""
    broker.lag = 1000
    stopped(floor, broker, ibkr)
    began = floor.clock.monotonic()

    ibkr.close_position("SPY")

    assert [ticket["quantity"] for ticket in broker.tickets] == [10, 10]
    assert floor.clock.monotonic() - began < 6


def test_a_position_that_was_opened_again_is_believed_after_some_seconds(floor, broker, ibkr):
    ibkr.close_position("SPY")
    broker.positions[SPY] += 10
    began = floor.clock.monotonic()

    ibkr.close_position("SPY")

    assert [ticket["quantity"] for ticket in broker.tickets] == [10, 10]
    assert floor.clock.monotonic() - began < 12


def test_a_close_that_has_filled_nothing_is_not_waited_for(floor, broker, ibkr):
    """It still works, so it is ended before the next one is sent."""
    broker.fills = False
    ibkr.close_position("SPY")
    floor.clock.sleep(6)
    began = floor.clock.monotonic()

    ibkr.close_position("SPY")

    assert floor.clock.monotonic() - began < 3
    assert [row["status"] for row in broker.rows] == ["Cancelled", "Submitted"]


def test_who_waits_too_long_for_another_thread_is_told(floor):
    one_by_one = OneByOne(floor.clock)

    def second():
        with pytest.raises(BrokerageUnavailable, match="still closing"), one_by_one.hold("DU1", SPY, 5.0):
            pass

    with one_by_one.hold("DU1", SPY, 0.0), one_by_one.hold("DU2", SPY, 0.0):
        at_once(floor, second)
    with one_by_one.hold("DU1", SPY, 0.0):
        pass
