"""The matching engine: who trades when and at what price, and what a fill does to others."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator_client import AAPL, ACCOUNT, Broker, bracket, ticket

from thoroughly import examples

ORDER = f"/iserver/account/{ACCOUNT}/order"


@pytest.fixture
def broker():
    return Broker(idle_timeout=None).ready()


def place(broker, **changes):
    """Place an order with the client id "one", declining no question."""
    reply = broker.place(ticket(cOID="one", **changes))
    while isinstance(reply.body, list) and "message" in reply.body[0]:
        reply = broker.post(f"/iserver/reply/{reply.body[0]['id']}", {"confirmed": True})
    assert "order_id" in reply.body[0], reply.body
    return broker


def status(broker, coid="one"):
    return broker.order(coid)["status"]


@pytest.mark.parametrize(("side", "limit", "price"), [("BUY", 165.5, 165.01), ("SELL", 164.5, 164.99)])
def test_a_marketable_limit_pays_the_other_side_not_its_limit(broker, side, limit, price):
    """Who comes to the market takes what stands there."""
    place(broker, side=side, price=limit, quantity=10)
    broker.wait(1)

    assert broker.order("one")["average_price"] == price


@pytest.mark.parametrize(("side", "limit", "price"), [("BUY", 164.0, 163.0), ("SELL", 166.0, 167.0)])
def test_a_resting_limit_trades_at_its_own_price(broker, side, limit, price):
    """When the market comes to the order, it does so at the order's price."""
    place(broker, side=side, price=limit)
    broker.wait(1)
    broker.price(AAPL, price)

    assert broker.order("one")["average_price"] == limit


@pytest.mark.parametrize(
    ("side", "stop", "price", "fill"), [("SELL", 163.0, 162.9, 162.89), ("BUY", 167.0, 167.2, 167.21)]
)
def test_a_stop_triggers_on_the_last_price_and_trades_at_the_market(broker, side, stop, price, fill):
    """The stop price is no promise."""
    place(broker, orderType="STP", side=side, price=stop)
    broker.wait(1)
    waiting = status(broker)
    broker.price(AAPL, price)

    assert waiting == "PreSubmitted"
    assert broker.order("one")["average_price"] == fill


def test_a_stop_limit_waits_for_its_limit_once_awake(broker):
    """A gap through the limit leaves it unfilled and working."""
    place(broker, orderType="STOP_LIMIT", side="SELL", price=162.5, auxPrice=163.0)
    broker.wait(1)
    broker.price(AAPL, 162.0)
    gap = status(broker)
    broker.price(AAPL, 162.6)

    assert gap == "Submitted"
    assert broker.order("one")["average_price"] == 162.5


def test_a_trailing_stop_follows_and_never_gives_way(broker):
    """Amount: five dollars behind the best price seen."""
    place(broker, orderType="TRAIL", side="SELL", price=None, trailingAmt=5, trailingType="amt")
    broker.wait(1)
    first = broker.order("one")["stop"]
    broker.price(AAPL, 170)
    best = broker.order("one")["stop"]
    broker.price(AAPL, 166)
    back = broker.order("one")["stop"]
    broker.price(AAPL, 165)

    assert (first, best, back) == (160.0, 165.0, 165.0)
    assert broker.order("one")["average_price"] == 164.99


def test_a_trailing_buy_follows_downwards_in_per_cent(broker):
    """The stop stays on the tick."""
    place(broker, orderType="TRAIL", price=None, trailingAmt=1, trailingType="%")
    broker.wait(1)
    first = broker.order("one")["stop"]
    broker.price(AAPL, 160.03)

    assert (first, broker.order("one")["stop"]) == (166.65, 161.63)


def test_a_trailing_stop_limit_keeps_the_distance_of_its_limit(broker):
    """Limit and stop move together."""
    place(
        broker,
        orderType="TRAILLMT",
        side="SELL",
        price=159.5,
        auxPrice=160.0,
        trailingAmt=5,
        trailingType="amt",
    )
    broker.wait(1)
    broker.price(AAPL, 170)

    assert (broker.order("one")["stop"], broker.order("one")["limit"]) == (165.0, 164.5)


@pytest.mark.parametrize(
    ("order_type", "prices", "touch", "fill"),
    [
        ("MIT", {"price": 164.0}, 163.9, 163.91),
        ("LIT", {"price": 164.5, "auxPrice": 164.0}, 163.9, 163.91),
    ],
)
def test_touched_orders_wait_for_a_better_price(broker, order_type, prices, touch, fill):
    """A buy wakes when the price comes down to its trigger."""
    place(broker, orderType=order_type, **prices)
    broker.wait(1)
    waiting = status(broker)
    broker.price(AAPL, touch)

    assert waiting == "PreSubmitted"
    assert broker.order("one")["average_price"] == fill


def test_a_midprice_order_trades_between_the_sides(broker):
    """At the middle, within its cap."""
    place(broker, orderType="MIDPRICE", price=165.5)
    broker.wait(1)

    assert broker.order("one")["average_price"] == 165.0


@pytest.mark.parametrize(("order_type", "price"), [("MOC", None), ("LOC", 165.5)])
def test_closing_orders_trade_at_the_close(broker, order_type, price):
    """Not before."""
    place(broker, orderType=order_type, price=price)
    broker.gateway.advance(6 * 3600 - 60)
    before = status(broker)
    broker.gateway.advance(120)

    assert (before, status(broker)) == ("PreSubmitted", "Filled")
    assert broker.order("one")["changed"] == "2026-11-24T21:00:00+00:00"


def test_a_relative_order_is_a_limit_at_its_cap(broker):
    """A simplification that is stated."""
    place(broker, orderType="REL", price=164.0)
    broker.wait(1)
    broker.price(AAPL, 163)

    assert broker.order("one")["average_price"] == 164.0


# Time in force.


def test_an_immediate_order_takes_what_is_there_and_goes():
    """The rest is cancelled at once."""
    broker = Broker(fill_chunk=4).ready()
    place(broker, tif="IOC", price=166.0, quantity=10)
    broker.wait(1)

    assert (status(broker), broker.order("one")["filled"]) == ("Cancelled", 4.0)


def test_an_immediate_order_that_is_not_marketable_goes_unfilled(broker):
    """It never rests."""
    place(broker, tif="IOC", price=164.0)
    broker.wait(1)

    assert (status(broker), broker.order("one")["filled"]) == ("Cancelled", 0.0)


def test_an_immediate_order_does_not_wait_for_the_opening(broker):
    """Closed market: cancelled."""
    broker.gateway.advance(11 * 3600)
    place(broker, tif="IOC", price=166.0)
    broker.wait(1)

    assert status(broker) == "Cancelled"


@pytest.mark.parametrize(
    ("changes", "end"), [({}, "Filled"), ({"orderType": "LMT", "price": 160.0}, "Cancelled")]
)
def test_an_opening_order_trades_at_the_next_opening_or_never(broker, changes, end):
    """Placed in the evening, done at half past nine."""
    broker.gateway.advance(11 * 3600)
    place(broker, **({"orderType": "MKT", "price": None, "tif": "OPG"} | changes))
    broker.gateway.advance(12 * 3600)
    before = status(broker)
    broker.gateway.advance(3600)

    assert (before, status(broker)) == ("PreSubmitted", end)


def test_a_day_order_expires_at_the_close_with_a_reason(broker):
    """Cancelled by the system, not by anybody."""
    place(broker)
    broker.gateway.advance(6 * 3600)

    assert status(broker) == "Cancelled"
    assert broker.order("one")["reason"] == "Cancelled by System: order expired"
    assert broker.order("one")["changed"] == "2026-11-24T21:00:00+00:00"


def test_a_day_order_for_extended_hours_lives_until_the_evening(broker):
    """And trades after the close."""
    place(broker, outsideRTH=True)
    broker.gateway.advance(8 * 3600)
    evening = status(broker)
    broker.price(AAPL, 163)

    assert (evening, status(broker)) == ("Submitted", "Filled")


def test_a_day_order_of_the_evening_is_for_the_next_day(broker):
    """Held, then working."""
    broker.gateway.advance(8 * 3600)
    place(broker, price=166.0)
    broker.gateway.advance(3600)
    held = status(broker)
    broker.gateway.advance(15 * 3600)

    assert (held, status(broker)) == ("PreSubmitted", "Filled")
    assert broker.order("one")["changed"] == "2026-11-25T14:30:00+00:00"


def test_a_good_till_cancelled_order_survives_days_and_holidays():
    """Over Thanksgiving, when nothing trades."""
    broker = Broker(idle_timeout=None).ready()
    place(broker, tif="GTC")
    broker.gateway.advance(2 * 24 * 3600)
    broker.price(AAPL, 163)
    holiday = status(broker)
    broker.gateway.advance(24 * 3600)

    assert (holiday, status(broker)) == ("Submitted", "Filled")


@pytest.mark.parametrize(
    ("tif", "day", "end"), [("OVT", "PreSubmitted", "Filled"), ("OND", "Filled", "Filled")]
)
def test_overnight_orders_work_at_night(broker, tif, day, end):
    """OND works by day too."""
    place(broker, tif=tif, price=166.0)
    broker.wait(2)
    by_day = status(broker)
    broker.gateway.advance(11 * 3600)

    assert (by_day, status(broker)) == (day, end)


def test_an_overnight_order_ends_with_the_night(broker):
    """At ten to four."""
    place(broker, tif="OVT")
    broker.gateway.advance(18 * 3600)

    assert status(broker) == "Cancelled"
    assert broker.order("one")["changed"] == "2026-11-25T08:50:00+00:00"


# Brackets and groups.


def test_children_are_held_until_the_parent_fills(broker):
    """The target's price comes while the entry waits: nothing happens."""
    broker.place(*bracket(entry={"price": 160.0}, target=166.0, stop=150.0))
    for _ in range(20):
        if not broker.ledger["open_questions"]:
            break
        broker.post(f"/iserver/reply/{broker.ledger['open_questions'][0]}", {"confirmed": True})
    broker.wait(1)
    broker.price(AAPL, 167)

    assert [status(broker, one) for one in "PTS"] == ["Submitted", "PreSubmitted", "PreSubmitted"]
    assert broker.position() == 0


@pytest.mark.parametrize(("price", "done", "gone"), [(174, "T", "S"), (161, "S", "T")])
def test_one_exit_cancels_the_other(broker, price, done, gone):
    """The position is closed once."""
    broker.place(*bracket())
    broker.wait(2)
    broker.price(AAPL, price)
    broker.wait(1)

    assert (status(broker, done), status(broker, gone)) == ("Filled", "Cancelled")
    assert broker.position() == 0


def test_a_partly_filled_exit_shrinks_the_other():
    """So that both together never sell more than is held."""
    broker = Broker(fill_chunk=4, fill_interval=60).ready()
    broker.place(*bracket(quantity=4))
    broker.wait(2)
    broker.gateway.set_options({"fill_chunk": 1})
    broker.price(AAPL, 174)
    broker.wait(1)

    assert broker.order("T")["filled"] == 1.0
    assert broker.order("S")["quantity"] == 3.0


@pytest.mark.parametrize(("scale", "sold"), [(True, 4.0), (False, 0.0)])
def test_children_follow_partial_fills_or_wait_for_the_whole(scale, sold):
    """A switch, because neither is on record."""
    broker = Broker(fill_chunk=4, fill_interval=600, scale_children=scale, idle_timeout=None).ready()
    broker.place(*bracket())
    broker.wait(2)
    broker.price(AAPL, 174)
    broker.wait(5)

    assert broker.order("P")["filled"] == 4.0
    assert broker.order("T")["filled"] == sold


def test_children_never_trade_more_than_their_parent_did():
    """The entry stands at four of ten: four are sold, however long the price stays."""
    broker = Broker(fill_chunk=4, idle_timeout=None).ready()
    broker.place(*bracket(entry={"price": 165.5}))
    broker.wait(0.5)
    broker.price(AAPL, 174)
    broker.wait(30)

    assert [broker.order(one)["filled"] for one in "PTS"] == [4.0, 4.0, 0.0]
    assert broker.position() == 0


def test_cancelling_the_parent_cancels_its_children(broker):
    """No exit is left over."""
    broker.place(*bracket(entry={"price": 163.0}))
    broker.delete(f"{ORDER}/{broker.order('P')['order_id']}")
    broker.wait(1)

    assert [status(broker, one) for one in "PTS"] == ["Cancelled"] * 3


def test_cancelling_one_exit_cancels_its_twin(broker):
    """As documented."""
    broker.place(*bracket())
    broker.wait(2)
    broker.delete(f"{ORDER}/{broker.order('T')['order_id']}")
    broker.wait(1)

    assert [status(broker, one) for one in "PTS"] == ["Filled", "Cancelled", "Cancelled"]
    assert broker.position() == 10


def test_an_expired_parent_takes_its_children_along(broker):
    """Children that are good till cancelled hang on a day order."""
    broker.place(*bracket(entry={"price": 163.0}))
    broker.gateway.advance(7 * 3600)

    assert [status(broker, one) for one in "PTS"] == ["Cancelled"] * 3


def test_a_group_is_named_after_its_first_order_and_fills_once(broker):
    """Two unrelated orders, one cancels the other."""
    broker.place(
        ticket(cOID="low", price=163.0, isSingleGroup=True),
        ticket(cOID="high", orderType="STP", price=168.0, isSingleGroup=True),
    )
    broker.wait(1)
    first = broker.order("low")["order_id"]
    broker.price(AAPL, 169)
    broker.wait(1)

    assert broker.order("low")["group"] == f"oco-{first}" == broker.order("high")["group"]
    assert (status(broker, "high"), status(broker, "low")) == ("Filled", "Cancelled")


def test_a_group_that_is_a_bracket_is_a_bracket(broker):
    """The flag on every ticket of a bracket changes nothing."""
    broker.place(*(one | {"isSingleGroup": True} for one in bracket()))

    assert broker.order("P")["group"] is None
    assert broker.order("T")["group"] == str(broker.order("P")["order_id"])


def test_partial_fills_come_one_after_another():
    """No state of its own for a part: the order stays Submitted."""
    broker = Broker(fill_chunk=4).ready()
    place(broker, orderType="MKT", price=None, quantity=10)
    broker.wait(0.5)
    first = (status(broker), broker.order("one")["filled"])
    broker.wait(2)

    assert first == ("Submitted", 4.0)
    assert [one["quantity"] for one in broker.ledger["executions"]] == [4.0, 4.0, 2.0]


def test_all_or_none_is_not_split():
    """In spite of the switch."""
    broker = Broker(fill_chunk=4).ready()
    place(broker, orderType="MKT", price=None, quantity=10, allOrNone=True)
    broker.wait(1)

    assert [one["quantity"] for one in broker.ledger["executions"]] == [10.0]


def test_fills_can_be_switched_off(broker):
    """To hold an order where it is."""
    broker.gateway.set_options({"fills": False})
    place(broker, orderType="MKT", price=None)
    broker.wait(10)
    held = status(broker)
    broker.gateway.set_options({"fills": True})

    assert (held, status(broker)) == ("PreSubmitted", "Filled")


def test_no_latency_fills_with_the_acknowledgement():
    """The ack then says Filled, and a cancel is done at once."""
    broker = Broker(latency=0, cancel_latency=0).ready()
    ack = broker.place(ticket(orderType="MKT", price=None))
    waiting = broker.place(ticket(cOID="two"))
    broker.delete(f"{ORDER}/{waiting.body[0]['order_id']}")

    assert ack.body[0]["order_status"] == "Filled"
    assert status(broker, "two") == "Cancelled"


def test_a_jump_of_the_clock_passes_through_the_prices_on_the_way():
    """An hour ahead: a stop inside the range of the walk has triggered on the way."""
    broker = Broker(seed=3, walk=0.02, idle_timeout=None).ready()
    place(broker, orderType="STP", side="SELL", price=164.5)
    broker.gateway.advance(3600)
    order = broker.order("one")

    assert order["status"] == "Filled"
    assert "2026-11-24T15:00:00" < order["changed"] < "2026-11-24T16:00:00"


def test_a_forced_fill_fills_the_parent_first(broker):
    """The control room cannot make an impossible book."""
    broker.place(*bracket(entry={"price": 163.0}))
    broker.gateway.fill("S")

    assert [status(broker, one) for one in "PTS"] == ["Filled", "Cancelled", "Filled"]
    assert broker.position() == 0
    broker.gateway.fill("S")
    assert broker.position() == 0


steps = st.lists(
    st.one_of(
        st.tuples(st.just("bracket"), st.integers(1, 9), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("price"), st.integers(150, 180), st.booleans()),
        st.tuples(st.just("wait"), st.integers(1, 40), st.booleans()),
    ),
    max_size=25,
)


@settings(max_examples=examples(60), deadline=None)
@given(steps, st.sampled_from([None, 2.0]), st.booleans())
def test_exits_of_brackets_never_turn_a_position_and_money_adds_up(history, chunk, scale):
    """Whatever prices do and whichever leg is cancelled: exits close, they do not open."""
    broker = Broker(fill_chunk=chunk, scale_children=scale, idle_timeout=None, questions=False).ready()
    for number, (what, figure, flag) in enumerate(history):
        if what == "bracket":
            exits = {"side": "SELL", "tif": "GTC", "quantity": figure, "parentId": f"P{number}"}
            broker.place(
                ticket(cOID=f"P{number}", quantity=figure, price=166.0 if flag else 163.0),
                ticket(price=175.0, **exits),
                ticket(orderType="STP", price=158.0, **exits),
            )
        elif what == "cancel":
            broker.delete(f"{ORDER}/{1370093238 + figure}")
        elif what == "price":
            broker.price(AAPL, figure)
        else:
            broker.wait(figure / 10)
        ledger = broker.ledger
        money = ledger["accounts"][0]
        held = sum(one["quantity"] for one in ledger["positions"])
        fills = sum(one["quantity"] * (1 if one["side"] == "BUY" else -1) for one in ledger["executions"])
        assert 0 <= held == fills
        assert money["net_liquidation"] == pytest.approx(
            1e6 + money["realised"] + money["unrealised"], abs=0.011
        )
        for order in ledger["orders"]:
            legs = [one for one in ledger["orders"] if one["parent_id"] == order["order_id"]]
            assert sum(one["filled"] for one in legs) <= order["filled"] or not legs
            assert order["filled"] <= order["quantity"]
