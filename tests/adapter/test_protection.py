"""A bracket that lacks a leg is put right: no position stays without a stop, and no stop opens one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from worlds import AAPL, World

from ibkr_adapter.errors import OrderOutcomeUnknown, OrderRejected, OutcomeUnknown, PartlyPlaced
from ibkr_adapter.journal import Journal

PLACE = "POST /iserver/account/{accountId}/orders"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"
POSITIONS = "GET /portfolio2/{accountId}/positions"
PATH = "POST /iserver/account/DU1234567/orders"
TARGET, STOP = 0, 1
D = Decimal


def market(ibkr, quantity=10, **legs):
    wanted = {"take_profit_price": 175, "stop_loss_price": 155} | legs
    return ibkr.place_bracket_order("AAPL", "buy", "market", quantity, **wanted)


def limit(ibkr, quantity=10):
    return ibkr.place_bracket_order(
        "AAPL", "buy", "limit", quantity, 162, take_profit_price=175, stop_loss_price=155
    )


def exits(world):
    """What could still be sold, a group of which one ends the others counted once."""
    groups = {}
    for row in world.working():
        if row["side"] == "SELL":
            key = row["group"] or row["order_id"]
            groups[key] = max(groups.get(key, D(0)), D(str(row["quantity"])) - D(str(row["filled"])))
    return sum(groups.values(), D(0))


def stops(world):
    return [row for row in world.working() if row["order_type"] in {"STP", "TRAIL", "STOP_LIMIT"}]


def later(world, hook, *, count=1):
    """Call ``hook`` before the request to place that follows the first ``count``."""
    seen = []

    def before():
        seen.append(True)
        if len(seen) == count + 1:
            hook()

    world.doorway.before[PATH] = before


@pytest.fixture
def slow(tmp_path):
    """A market where four shares trade at once and the rest much later."""
    world = World(tmp_path, fill_chunk=4, fill_interval=600.0)
    yield world
    world.close()


# Not filled -----------------------------------------------------------------------------------


@pytest.mark.parametrize("leg", [TARGET, STOP])
def test_an_unfilled_entry_without_a_leg_is_cancelled(world, ibkr, leg):
    ibkr.open()
    world.arm("F25", leg=leg)

    with pytest.raises(OrderRejected, match="othing is working"):
        limit(ibkr)

    assert (world.working(), world.position(), world.count(PLACE)) == ([], 0, 1)


def test_an_acknowledged_leg_that_no_list_has_is_missing(world, ibkr):
    """Its own status cannot be read, so two lists of fifteen seconds later decide; nobody is left in doubt."""
    world.arm("F25", variant="vanishes", leg=STOP)

    with pytest.raises(OrderRejected, match="cancelled unfilled"):
        limit(ibkr)

    assert world.working() == []


def test_a_leg_that_cannot_be_seen_is_not_called_missing(world, ibkr):
    """Neither its status nor the list can be read: the entry must not be cancelled for that."""
    ibkr.open()
    for unanswered in ("GET /iserver/account/order/status/{orderId}", "GET /iserver/account/orders"):
        world.arm("F10", unanswered, times=None)

    with pytest.raises(OrderOutcomeUnknown):
        limit(ibkr)

    assert len(world.working()) == 3


def test_left_alone_where_that_is_asked_for(world):
    ibkr = world.exchange(missing_leg="leave").open()
    world.arm("F25", leg=STOP)

    with pytest.raises(PartlyPlaced, match="left as it is") as partly:
        limit(ibkr)

    assert len(world.working()) == 2
    assert (partly.value.missing, partly.value.naked_quantity) == (("stop_loss",), 0)
    assert (world.count(PLACE), world.count(CANCEL)) == (1, 0)


def test_where_it_is_left_alone_it_is_said_how_much_has_no_stop(world):
    """All that has filled, nothing where the stop is the leg that stands, and nobody knows what cannot be seen."""
    ibkr = world.exchange(missing_leg="leave").open()
    naked = []

    for leg in (STOP, TARGET):
        world.arm("F25", leg=leg)
        with pytest.raises(PartlyPlaced) as partly:
            market(ibkr)
        naked.append(partly.value.naked_quantity)

    assert naked == [10, 0]


def test_where_the_entry_cannot_be_seen_any_more_nobody_says_how_much_has_no_stop(world):
    ibkr = world.exchange(missing_leg="leave").open()
    world.arm("F25", leg=STOP)
    looks = []
    plain = world.doorway.send

    def send(method, url, **more):
        if "/order/status/" in url:
            looks.append(url)
            if looks.count(looks[0]) > 1:
                raise OutcomeUnknown("the answer was lost.")
        return plain(method, url, **more)

    world.doorway.send = send

    with pytest.raises(PartlyPlaced, match="left as it is") as partly:
        limit(ibkr)

    assert (partly.value.missing, partly.value.naked_quantity) == (("stop_loss",), None)


# Filled ---------------------------------------------------------------------------------------


def test_a_filled_entry_is_given_its_exits_again(world, ibkr):
    """Target and stop as one pair, because a stop beside the old target could sell twice."""
    ibkr.open()
    world.arm("F25", leg=STOP)

    legs = market(ibkr)

    working = world.working()
    assert {row["order_type"] for row in working} == {"LMT", "STP"}
    assert len({row["group"] for row in working}) == 1
    assert (exits(world), world.position()) == (10, 10)
    assert {legs[name]["orderId"] for name in ("takeProfitOrder", "stopLossOrder")} == {
        str(row["order_id"]) for row in working
    }
    world.gateway.fill(legs["stopLossOrder"]["orderId"])
    world.pass_time(5)
    assert (world.position(), world.working()) == (0, [])


def test_a_filled_entry_that_lacks_its_only_exit_is_given_a_stop(world, ibkr):
    ibkr.open()
    world.arm("F25", leg=0)

    legs = market(ibkr, take_profit_price=None, stop_loss_price=None, trailing_percent=2)

    (stop,) = world.working()
    assert (stop["order_type"], stop["quantity"], stop["tif"]) == ("TRAIL", 10, "GTC")
    assert legs["stopLossOrder"]["orderId"] == str(stop["order_id"])


def test_a_stop_that_works_is_left_alone_where_the_target_is_missing(world, ibkr):
    ibkr.open()
    world.arm("F25", leg=TARGET)

    with pytest.raises(PartlyPlaced, match="its stop works") as partly:
        market(ibkr)

    assert (partly.value.missing, partly.value.naked_quantity) == (("take_profit",), 0)
    assert [row["order_type"] for row in world.working()] == ["STP"]
    assert world.count(CANCEL) == 0
    ibkr.place_take_profit("AAPL", "SELL", 10, 175)
    assert (len(world.working()), exits(world)) == (2, 10)


def test_a_filled_entry_whose_exits_are_refused_again_says_how_much_is_naked(world, ibkr):
    ibkr.open()
    world.arm("F25", leg=STOP, times=1)
    later(world, lambda: world.arm("F13", PLACE, times=None))

    with pytest.raises(PartlyPlaced, match="No stop stands for 10") as partly:
        market(ibkr)

    assert partly.value.naked_quantity == 10
    assert (exits(world), world.position()) == (0, 10)
    assert partly.value.placed.keys() == {"entry"}


def test_a_pair_that_is_refused_leaves_the_stop_alone(world, ibkr):
    ibkr.open()
    world.arm("F25", leg=STOP, times=1)
    later(world, lambda: world.arm("F13", PLACE, times=1))

    with pytest.raises(PartlyPlaced, match="the stop stands alone") as partly:
        market(ibkr)

    (stop,) = world.working()
    assert (stop["order_type"], stop["quantity"]) == ("STP", 10)
    assert partly.value.naked_quantity == 0
    assert partly.value.placed["stop_loss"] == str(stop["order_id"])


def test_where_the_entry_wanted_no_stop_the_quantity_is_said(world, ibkr):
    """Nobody knows at which price one would stand."""
    ibkr.open()
    world.arm("F25", leg=0)

    with pytest.raises(PartlyPlaced) as partly:
        market(ibkr, stop_loss_price=None)

    assert partly.value.naked_quantity == 10
    assert world.working() == []


def test_a_stop_in_place_of_a_leg_outlives_the_day(world):
    ibkr = world.exchange(exit_tif="DAY").open()
    world.arm("F25", leg=STOP)

    market(ibkr)

    assert {row["tif"] for row in world.working()} == {"GTC"}


# Filled in part -------------------------------------------------------------------------------


def test_what_was_filled_in_part_is_given_a_stop_before_the_rest_is_cancelled(slow):
    ibkr = slow.exchange().open()
    slow.arm("F25", leg=STOP)

    with pytest.raises(PartlyPlaced) as partly:
        market(ibkr)

    (stop,) = slow.working()
    assert (stop["order_type"], stop["quantity"], stop["tif"]) == ("STP", 4, "GTC")
    assert (slow.position(), partly.value.naked_quantity) == (4, 0)
    assert partly.value.placed["stop_loss"] == str(stop["order_id"])
    sent = [path for method, path, _ in slow.doorway.sent if method in {"POST", "DELETE"} and "order" in path]
    entry = next(row["order_id"] for row in slow.orders(parent_id=None) if row["side"] == "BUY")
    assert sent.index(f"/iserver/account/DU1234567/order/{entry}") > max(
        index for index, path in enumerate(sent) if path.endswith("/orders")
    )


def test_what_fills_while_the_entry_is_being_cancelled_has_a_stop_too(slow):
    ibkr = slow.exchange().open()
    slow.arm("F25", leg=STOP)
    entry = []

    def fill_more():
        if not entry:
            row = next(row for row in slow.orders(parent_id=None) if row["side"] == "BUY")
            entry.append(row["order_id"])
            path = f"DELETE /iserver/account/DU1234567/order/{row['order_id']}"
            slow.doorway.before[path] = lambda: slow.gateway.fill(str(row["order_id"]), D(3))

    later(slow, fill_more)

    with pytest.raises(PartlyPlaced) as partly:
        market(ibkr)

    assert entry
    assert sorted(row["quantity"] for row in stops(slow)) == [3, 4]
    assert (slow.position(), exits(slow), partly.value.naked_quantity) == (7, 7, 0)


def test_an_entry_that_fills_while_it_is_cancelled_is_protected(world, ibkr):
    """It was unfilled when it was looked at."""
    ibkr.open()
    world.arm("F25", leg=STOP)
    world.arm("F24", CANCEL, variant="crosses", times=1)

    legs = limit(ibkr)

    assert world.position() == 10
    assert exits(world) == 10
    assert legs["stopLossOrder"]["orderId"] in {str(row["order_id"]) for row in stops(world)}


def test_a_stop_of_which_nobody_knows_is_not_sent_again(slow):
    """It may stand; the entry is cancelled all the same."""
    ibkr = slow.exchange(unknown_deadline=5).open()
    slow.arm("F25", leg=STOP, times=1)

    def lose():
        slow.arm("F03", PLACE, times=1)
        slow.arm("F10", "GET /iserver/account/trades", times=None)
        slow.doorway.after[PATH] = lambda: slow.arm("F10", "GET /iserver/account/orders", times=None)

    later(slow, lose)

    with pytest.raises(PartlyPlaced, match="nobody can tell whether it stands") as partly:
        market(ibkr)

    assert partly.value.naked_quantity is None
    assert "do" not in partly.value.missing
    assert [row["quantity"] for row in stops(slow)] == [4]
    assert slow.count(PLACE) == 2
    assert all(row["side"] == "SELL" for row in slow.working())
    assert any(left.step == "unknown" for left in ibkr.orders.unsettled())


def test_a_target_that_cannot_be_ended_keeps_a_stop_from_standing_beside_it(world, ibkr):
    """Both could fill, and the second would open a position."""
    ibkr.open()
    world.arm("F25", leg=STOP)
    world.gateway.set_options({"cancel_latency": 10_000.0})

    with pytest.raises(PartlyPlaced, match="no stop was sent beside it") as partly:
        market(ibkr)

    assert partly.value.naked_quantity == 10
    assert (exits(world), stops(world)) == (0, [])
    assert world.count(PLACE) == 1


def test_no_stop_is_larger_than_what_is_held(world, ibkr):
    """An entry that closed a short position has nothing to protect."""
    world.gateway.seed_position(AAPL, D(-10))
    ibkr.open()
    world.arm("F25", leg=STOP)

    with pytest.raises(PartlyPlaced):
        market(ibkr)

    assert (world.position(), exits(world)) == (0, 0)


def test_where_the_position_cannot_be_read_no_stop_is_guessed(world, ibkr):
    ibkr.open()
    world.arm("F25", leg=STOP)
    world.arm("F11", POSITIONS, times=None)

    with pytest.raises(PartlyPlaced, match="have no stop") as partly:
        market(ibkr)

    assert partly.value.naked_quantity == 10
    assert exits(world) == 0


# After a crash --------------------------------------------------------------------------------


def crash(world, ibkr, *, leg=STOP, place=market):
    """Leave a bracket without a leg behind, as a process does that dies after the acknowledgement."""
    link = ibkr.open().orders._connection
    world.arm("F25", leg=leg)
    with pytest.raises(PartlyPlaced):
        place(ibkr)
    link._placed().write("UPDATE entry SET ended = NULL, step = 'accepted'")
    ibkr.close()


def test_the_next_order_protects_what_a_dead_process_left_bare(world, tmp_path):
    crash(world, world.exchange(missing_leg="leave"))
    ibkr = world.exchange()

    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert (exits(world), world.position()) == (10, 10)
    assert {row["order_type"] for row in world.working() if row["side"] == "SELL"} == {"LMT", "STP"}
    assert ibkr.orders.unsettled() == ()
    assert ended(ibkr)[0] == "placed"


def ended(ibkr):
    rows = ibkr.orders._connection._placed().read("SELECT ended FROM entry ORDER BY id")
    return [end for (end,) in rows]


def test_the_next_order_cancels_a_bare_entry_that_has_not_filled(world):
    crash(world, world.exchange(missing_leg="leave"), place=limit)

    ibkr = world.exchange()
    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert [row["conid"] for row in world.working()] != [AAPL]
    assert len(world.working()) == 1
    assert ended(ibkr)[0] == "refused"


def test_what_the_next_order_could_protect_in_part_only_is_over_and_said(world, caplog):
    """The stop works and the target does not stand: nothing more is sent."""
    crash(world, world.exchange(missing_leg="leave"), leg=TARGET)
    ibkr = world.exchange()

    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert "its stop works, but its take_profit does not stand" in caplog.text
    assert ended(ibkr)[0] == "partly placed"
    assert len(stops(world)) == 1


def test_what_could_not_be_put_right_stays_open_and_is_said(world, caplog):
    """A stop was sent of which nobody knows whether it stands; whoever looks later is told."""
    crash(world, world.exchange(missing_leg="leave"))
    ibkr = world.exchange(unknown_deadline=1)
    ibkr.open()
    link = ibkr.orders._connection
    plain = link.desk._protection.mend

    class Failing:
        def mend(self, bare, place):
            plain(bare, place)
            raise OutcomeUnknown("the answer was lost.")

    link.desk._protection = Failing()

    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert "could not be put right: the answer was lost." in caplog.text
    assert [left.step for left in ibkr.orders.unsettled()] == ["stands without a leg"]


def test_where_the_next_order_leaves_brackets_alone_it_says_so(world, caplog):
    crash(world, world.exchange(missing_leg="leave"))
    ibkr = world.exchange(missing_leg="leave")

    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert "is left as it is: look at it in TWS" in caplog.text
    assert stops(world) == []
    assert ended(ibkr)[0] is None


def test_a_bare_bracket_of_another_day_is_left_and_said(world):
    """What filled yesterday is in no list, and would be taken for missing."""
    crash(world, world.exchange(missing_leg="leave"))
    world.clock.sleep(7 * 3600)
    ibkr = world.exchange()

    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert stops(world) == []
    assert [left.step for left in ibkr.orders.unsettled()] == ["stands without a leg"]


def test_while_another_order_is_unknown_nothing_is_sent_for_a_bare_bracket(world):
    """It may be the stop."""
    crash(world, world.exchange(missing_leg="leave"))
    ibkr = world.exchange()
    link = ibkr.open().orders._connection
    second = Journal(clock=world.clock, login=link.journal._login, store=link._placed)
    from ibkr_adapter.journal import Intent, Kind

    second.begin(
        Intent(
            kind=Kind.MODIFY, account="DU1234567", body_hash="h", about=("SELL 10 265598 STP",), order_id="99"
        )
    )
    second.close()

    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    assert stops(world) == []
    assert {left.kind for left in ibkr.orders.unsettled()} == {"place", "modify"}


def test_looking_again_at_what_could_not_be_seen_protects_it_once(world, ibkr):
    """What resolves is no second order."""
    ibkr.open()
    world.arm("F25", leg=STOP)
    world.arm("F10", "GET /iserver/account/order/status/{orderId}", times=None)
    world.arm("F10", "GET /iserver/account/orders", times=None)
    with pytest.raises(OrderOutcomeUnknown) as lost:
        market(ibkr)
    assert world.count(PLACE) == 1
    world.gateway.handle(_clear())

    assert len(lost.value.resolve().legs) == 3
    for _ in range(2):
        with pytest.raises(PartlyPlaced):
            lost.value.resolve()

    assert (exits(world), world.position()) == (10, 10)


def _clear():
    from ibkr_adapter.simulator.door import Request

    return Request(method="DELETE", path="/simulator/faults")
