"""A ticket, an acknowledgement and a state mean one thing each, and none exists half."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.order import (
    Acknowledgement,
    Leg,
    Order,
    OrderState,
    OrderType,
    Placed,
    Side,
    Ticket,
    Tif,
    TrailingUnit,
)

WHOLE = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": Decimal(150)},
    OrderType.STOP: {"stop_price": Decimal(140)},
    OrderType.STOP_LIMIT: {"limit_price": Decimal(139), "stop_price": Decimal(140)},
    OrderType.TRAIL: {"trailing": Decimal(2), "trailing_unit": TrailingUnit.PERCENT},
    OrderType.TRAIL_LIMIT: {
        "limit_price": Decimal(139),
        "stop_price": Decimal(140),
        "trailing": Decimal(2),
        "trailing_unit": TrailingUnit.AMOUNT,
    },
}


def ticket(order_type=OrderType.MARKET, **changed):
    plain = {
        "account": "DU1",
        "conid": 265598,
        "side": Side.BUY,
        "order_type": order_type,
        "quantity": Decimal(1),
        "tif": Tif.DAY,
    }
    return Ticket(**plain | WHOLE[order_type] | changed)


@pytest.mark.parametrize(("side", "opposite", "sign"), [(Side.BUY, Side.SELL, 1), (Side.SELL, Side.BUY, -1)])
def test_sides_undo_each_other(side, opposite, sign):
    """An exit is on the opposite side, and a fill moves the position by its sign."""
    assert (side.opposite, side.sign) == (opposite, sign)


@pytest.mark.parametrize("order_type", OrderType)
def test_a_whole_ticket_stands(order_type):
    """Every type with just what it needs."""
    assert ticket(order_type).order_type is order_type


@pytest.mark.parametrize(
    ("order_type", "missing"), [(order_type, name) for order_type, prices in WHOLE.items() for name in prices]
)
def test_a_ticket_needs_every_price_of_its_type(order_type, missing):
    """What IBKR would fill in for a missing price is not for us to find out with money."""
    with pytest.raises(InvalidOrder, match=r"needs a .*nothing was sent"):
        ticket(order_type, **{missing: None})


@pytest.mark.parametrize(
    ("order_type", "extra"),
    [
        (OrderType.MARKET, {"limit_price": Decimal(1)}),
        (OrderType.MARKET, {"stop_price": Decimal(1)}),
        (OrderType.MARKET, {"trailing": Decimal(1), "trailing_unit": TrailingUnit.PERCENT}),
        (OrderType.LIMIT, {"stop_price": Decimal(140)}),
        (OrderType.LIMIT, {"trailing": Decimal(1)}),
        (OrderType.STOP, {"limit_price": Decimal(139)}),
        (OrderType.STOP_LIMIT, {"trailing": Decimal(1)}),
        (OrderType.TRAIL, {"limit_price": Decimal(139)}),
    ],
)
def test_a_ticket_takes_no_price_of_another_type(order_type, extra):
    """A limit and a plain stop share one field on the wire: the one would be sent as the other."""
    with pytest.raises(InvalidOrder, match=r"takes no .*nothing was sent"):
        ticket(order_type, **extra)


def test_a_trailing_stop_may_have_its_first_trigger():
    """IBKR allows a price there."""
    assert ticket(OrderType.TRAIL, stop_price=Decimal(140)).stop_price == 140


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_quantity_is_a_number_above_zero(quantity):
    """A negative one would turn the side round."""
    with pytest.raises(InvalidOrder, match="not above 0; nothing was sent"):
        ticket(quantity=Decimal(quantity))


@pytest.mark.parametrize("name", ["limit_price", "stop_price", "trailing"])
@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_price_is_a_number(name, value):
    """Comparisons with NaN are false both ways, so no later check would stop it."""
    with pytest.raises(InvalidOrder, match="is no number; nothing was sent"):
        ticket(OrderType.TRAIL_LIMIT, **{name: Decimal(value)})


@pytest.mark.parametrize("trailing", ["0", "-2"])
def test_a_trailing_amount_is_above_zero(trailing):
    """A stop that trails by nothing is a market order."""
    with pytest.raises(InvalidOrder, match="not above 0; nothing was sent"):
        ticket(OrderType.TRAIL, trailing=Decimal(trailing))


def test_a_negative_price_is_a_price():
    """Spreads trade below zero."""
    assert ticket(OrderType.LIMIT, limit_price=Decimal("-0.35")).limit_price == Decimal("-0.35")


def test_a_ticket_does_not_change():
    """What was checked is what is sent."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ticket().quantity = Decimal(2)


@pytest.mark.parametrize(
    ("order_id", "state", "refused"),
    [
        ("123", OrderState.SUBMITTED, False),
        ("123", OrderState.PRE_SUBMITTED, False),
        ("123", OrderState.WARN_STATE, False),
        ("123", OrderState.CANCELLED, False),
        ("123", OrderState.FAILED, True),
        ("123", OrderState.INACTIVE, True),
        ("-1", OrderState.FAILED, True),
        ("-1", OrderState.SUBMITTED, True),
        ("0", OrderState.SUBMITTED, True),
        ("", OrderState.SUBMITTED, True),
        ("abc", OrderState.SUBMITTED, True),
        ("²", OrderState.SUBMITTED, True),
        ("\u0663", OrderState.SUBMITTED, True),
    ],
)
def test_an_acknowledgement_without_an_order_is_a_refusal(order_id, state, refused):
    """IBKR sends them with a 200 and an order id of -1."""
    assert Acknowledgement(order_id=order_id, state=state).refused is refused


@pytest.mark.parametrize("state", OrderState)
def test_no_state_is_both_over_and_able_to_fill(state):
    """An order being cancelled can still fill; an inactive one is neither."""
    neither = {OrderState.INACTIVE}

    assert not (state.is_over and state.may_fill)
    assert (state.is_over or state.may_fill) is (state not in neither)


def test_what_is_over_is_over():
    """These three words end a wait."""
    assert {state for state in OrderState if state.is_over} == {
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.FAILED,
    }


def test_an_unknown_state_is_an_error():
    """A guess would end a wait too early, or never."""
    with pytest.raises(ValueError, match="Sumbitted"):
        OrderState("Sumbitted")


def test_legs_are_found_by_name():
    """The entry comes first, and a leg that does not stand is not there."""
    entry, stop = (
        Leg(name=name, order_id=order_id, ticket=ticket(), state=OrderState.SUBMITTED)
        for name, order_id in (("entry", "1"), ("stop_loss", "2"))
    )

    placed = Placed(coid="ibka-1", legs=(entry, stop))

    assert placed.entry is entry
    assert placed.leg("stop_loss") is stop
    assert placed.leg("take_profit") is None


# Sizes and combinations ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sizes",
    [
        {"quantity": None},
        {"cash_quantity": Decimal(5)},
        {"fx_quantity": Decimal(5)},
        {"quantity": None, "cash_quantity": Decimal(5), "fx_quantity": Decimal(5)},
    ],
)
def test_a_ticket_has_one_size(sizes):
    """Two of them could not both be meant, and none is no order."""
    with pytest.raises(InvalidOrder, match="by one of them; nothing was sent"):
        ticket(**sizes)


@pytest.mark.parametrize("key", ["quantity", "cash_quantity", "fx_quantity"])
@pytest.mark.parametrize("size", ["0", "-1", "NaN", "Infinity"])
def test_no_size_is_nothing_or_less(key, size):
    with pytest.raises(InvalidOrder, match="is not above 0; nothing was sent"):
        ticket(**{"quantity": None, key: Decimal(size)})


def test_only_a_quantity_is_a_number_of_units():
    """What is sized by money fills into nobody knows how many."""
    assert ticket().units == 1
    with pytest.raises(InvalidOrder, match="has no quantity; nothing was sent"):
        _ = ticket(quantity=None, cash_quantity=Decimal(5)).units


@pytest.mark.parametrize("price", ["0", "-4.13"])
def test_a_price_may_be_negative_or_zero(price):
    """Combinations and some futures trade there."""
    assert ticket(OrderType.LIMIT, limit_price=Decimal(price)).limit_price == Decimal(price)


@pytest.mark.parametrize(
    ("side", "legs", "moves"),
    [
        (Side.BUY, (), {265598: 1, 5: 0}),
        (Side.SELL, (), {265598: -1}),
        (Side.BUY, ((5, 2), (6, -1)), {265598: 0, 5: 2, 6: -1}),
        (Side.SELL, ((5, 2), (6, -1)), {5: -2, 6: 1}),
    ],
)
def test_an_order_moves_the_contracts_that_it_trades_in(side, legs, moves):
    """A combination moves each leg by its ratio, and nothing under its own id."""
    order = Order(
        order_id="1",
        account="DU1",
        conid=265598,
        symbol="X",
        side=side,
        order_type=OrderType.LIMIT,
        type_text="Limit",
        state=OrderState.SUBMITTED,
        quantity=Decimal(1),
        filled=Decimal(0),
        remaining=Decimal(1),
        tif=Tif.DAY,
        legs=legs,
    )

    assert {conid: order.moves(conid) for conid in moves} == moves


@pytest.mark.parametrize(("word", "tif"), [("day", Tif.DAY), (" PAX ", Tif.PAX), ("FOK", None), (None, None)])
def test_times_in_force_are_found_by_name(word, tif):
    assert Tif.named(word) is tif
