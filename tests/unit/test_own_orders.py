"""Only our orders are ever changed, and no id leaves that would cancel everything."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.order import Order, OrderState, OrderType, Side, Ticket, Tif
from ibkr_adapter.own_orders import COID_PREFIX, OwnOrders, checked_id

TICKET = Ticket(
    account="DU1", conid=1, side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1), tif=Tif.DAY
)


def order(order_id, state=OrderState.SUBMITTED, **changed):
    return Order(
        order_id=order_id,
        account="DU1",
        conid=1,
        symbol="AAPL",
        side=Side.BUY,
        order_type=OrderType.MARKET,
        type_text="Market",
        state=state,
        quantity=Decimal(1),
        filled=Decimal(0),
        remaining=Decimal(1),
        tif=Tif.DAY,
        **changed,
    )


@pytest.fixture
def own():
    numbers = count(1)
    return OwnOrders(lambda: f"{next(numbers)}")


def test_each_coid_is_new_and_marked_as_ours(own):
    """After a restart the mark is all that tells our orders from others."""
    assert [own.new_coid(), own.new_coid()] == [COID_PREFIX + "1", COID_PREFIX + "2"]


def test_what_was_sent_is_remembered(own):
    """A modification repeats the whole ticket."""
    own.remember("5", TICKET)

    assert own.ticket("5") is TICKET
    assert own.ticket("6") is None


@pytest.mark.parametrize("state", OrderState)
def test_only_an_end_is_remembered_as_one(own, state):
    """An order that may still fill must be asked for again."""
    seen = order("5", state)

    own.remember_end(seen)

    assert own.ended("5") is (seen if state.is_over else None)


@pytest.mark.parametrize(
    ("changed", "ours"),
    [
        ({"coid": "ibka-1"}, True),
        ({"coid": "somebody-else"}, False),
        ({"coid": None}, False),
        ({"coid": None, "parent_id": "7"}, True),
        ({"coid": None, "parent_id": "8"}, True),
        ({"coid": None, "parent_id": "9"}, False),
        ({"coid": None, "parent_id": "10"}, False),
        ({"coid": "x ibka-1"}, False),
    ],
)
def test_an_order_is_ours_by_its_mark_or_by_its_parent(own, changed, ours):
    """Children of a bracket carry no cOID; an order of another program must never be touched."""
    own.remember("8", TICKET)
    among = [order("7", coid="ibka-2"), order("8"), order("9", coid="other"), order("5")]

    assert own.includes(order("5", **changed), among) is ours


def test_an_order_placed_here_is_ours_without_a_coid(own):
    """Live orders leave the cOID out where none was sent."""
    own.remember("5", TICKET)

    assert own.includes(order("5"))
    assert not own.includes(order("6"))


@pytest.mark.parametrize(
    ("given_id", "sent"), [("5", "5"), (5, "5"), (" 007 ", "7"), (17437897932, "17437897932")]
)
def test_an_order_id_leaves_as_a_number(given_id, sent):
    """Hosts write it as they like."""
    assert checked_id(given_id) == sent


@given(
    st.none()
    | st.booleans()
    | st.integers(max_value=0)
    | st.floats()
    | st.text().filter(lambda text: not text.strip().isdecimal())
    | st.lists(st.integers())
)
@example("-1")
@example(-1)
@example(True)
@example("0")
@example("")
@example("²")
@example("\u0663")
@example("5 OR 1")
@example("../orders")
@example("bracket_sl")
@example("9" * 21)
@example("9" * 5000)
def test_no_other_id_ever_leaves(order_id):
    """The id -1 cancels every order of the account."""
    with pytest.raises(InvalidOrder, match="is no order id of IBKR; nothing was sent"):
        checked_id(order_id)
