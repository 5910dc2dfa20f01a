"""Tickets leave exactly as meant: every key where IBKR reads it, every number as it is."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.order import OrderType, Origin, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.wire.tickets import cancel_query, modify_body, number, place_body, ticket_body


def ticket(order_type=OrderType.LIMIT, **changed):
    prices = {
        "limit_price": Decimal("150.25") if order_type.has_limit else None,
        "stop_price": Decimal("149.5") if order_type.needs_stop else None,
        "trailing": Decimal("2.5") if order_type.trails else None,
        "trailing_unit": TrailingUnit.PERCENT if order_type.trails else None,
    }
    plain = {
        "account": "DU1",
        "conid": 265598,
        "side": Side.BUY,
        "order_type": order_type,
        "quantity": Decimal(5),
        "tif": Tif.DAY,
    }
    return Ticket(**plain | prices | changed)


# Tickets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_type", "prices"),
    [
        (OrderType.MARKET, {}),
        (OrderType.LIMIT, {"price": 150.25}),
        (OrderType.STOP, {"price": 149.5}),
        (OrderType.STOP_LIMIT, {"price": 150.25, "auxPrice": 149.5}),
        (OrderType.TRAIL, {"trailingAmt": 2.5, "trailingType": "%"}),
        (
            OrderType.TRAIL_LIMIT,
            {"price": 150.25, "auxPrice": 149.5, "trailingAmt": 2.5, "trailingType": "%"},
        ),
    ],
)
def test_each_type_puts_its_prices_where_ibkr_reads_them(order_type, prices):
    """A plain stop's trigger in ``auxPrice`` is refused, a stop-limit's in ``price`` is another order."""
    body = ticket_body(ticket(order_type))

    assert body == {
        "acctId": "DU1",
        "conid": 265598,
        "orderType": order_type.value,
        "side": "BUY",
        "quantity": 5,
        "tif": "DAY",
        **prices,
    }
    assert isinstance(body["conid"], int)


def test_a_trailing_stop_may_start_at_a_price():
    """The first trigger of a trailing stop goes where a stop's goes."""
    started = ticket(OrderType.TRAIL, stop_price=Decimal(140), trailing_unit=TrailingUnit.AMOUNT)

    body = ticket_body(started)

    assert (body["price"], body["trailingAmt"], body["trailingType"]) == (140, 2.5, "amt")


def test_names_and_switches_go_out_only_when_set():
    """IBKR takes no nulls, and a cOID on the child of a bracket is forbidden."""
    parent = ticket(coid="ibka-1", outside_rth=True)
    child = ticket(parent_coid="ibka-1", single_group=True)

    sent = place_body([parent, child])

    assert [set(one) & {"cOID", "parentId", "outsideRTH", "isSingleGroup"} for one in sent["orders"]] == [
        {"cOID", "outsideRTH"},
        {"parentId", "isSingleGroup"},
    ]
    assert sent["orders"][0]["cOID"] == sent["orders"][1]["parentId"] == "ibka-1"
    assert sent["orders"][0]["outsideRTH"] is sent["orders"][1]["isSingleGroup"] is True


def test_orders_are_wrapped_and_a_modification_is_bare():
    """A bare array is refused with "Missing order parameters", a wrapped modification was never seen to work."""
    one = ticket()

    placed, modified = place_body([one]), modify_body(one)

    assert placed == {"orders": [modified]}
    assert "orders" not in modified


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=None))
@example(Decimal("0.1"))
@example(Decimal("1E-7"))
@example(Decimal("170.120"))
@example(Decimal("1E+5"))
@example(Decimal("-0.01"))
def test_a_number_leaves_exactly_or_not_at_all(value):
    """A price that is off by the sixteenth digit is another price."""
    try:
        written = number(value)
    except InvalidOrder as refused:
        assert "nothing was sent" in str(refused)  # noqa: PT017  (either of two ends is right)
        return

    read = json.loads(json.dumps(written), parse_float=Decimal, parse_int=Decimal)

    assert isinstance(written, (int, float))
    assert read == value


@given(cents=st.integers(1, 10**9), places=st.integers(0, 6))
def test_every_price_that_a_market_has_can_be_sent(cents, places):
    """Refusing a usual price would be exact and useless."""
    value = Decimal(cents).scaleb(-places)

    written = number(value)

    assert Decimal(repr(written)) == value


@pytest.mark.parametrize(
    "value",
    ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999999", "1E-400", "0.12345678901234567890"],
)
def test_what_no_json_number_is_exactly_is_refused(value):
    """JSON has no infinities, and a power of a thousand million would never be written out."""
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        number(Decimal(value))


def test_whole_numbers_leave_without_a_point():
    """IBKR's examples write them so; ``5.0`` shares has never been seen on the wire."""
    assert json.dumps([number(Decimal("5.00")), number(Decimal("1E+2"))]) == "[5, 100]"


# Sizes, combinations, origins ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        ({"cash_quantity": Decimal("99.50")}, {"cashQty": 99.5}),
        ({"fx_quantity": Decimal(25000)}, {"fxQty": 25000, "isCcyConv": True}),
    ],
)
def test_a_size_in_money_stands_alone(size, keys):
    """Beside a quantity nobody knows which of the two would count."""
    body = ticket_body(ticket(quantity=None, **size))

    assert {key: body[key] for key in keys} == keys
    assert "quantity" not in body


def test_a_combination_has_no_contract_id_beside_its_legs():
    """It would be routed by that alone."""
    body = ticket_body(ticket(conidex="28812380;;;756733/1,320227571/-1", limit_price=Decimal(-50)))

    assert "conid" not in body
    assert (body["conidex"], body["price"]) == ("28812380;;;756733/1,320227571/-1", -50)


@pytest.mark.parametrize("manual", [True, False])
def test_who_gave_an_order_goes_out_with_it_and_with_its_cancel(manual):
    """False is a word here, not nothing."""
    origin = Origin(manual=manual, operator="desk 7")
    keys = {"manualIndicator": manual, "extOperator": "desk 7"}

    assert ticket_body(ticket(origin=origin)).items() >= keys.items()
    assert modify_body(ticket(origin=origin)).items() >= keys.items()
    assert cancel_query(origin) == keys
    assert cancel_query(None) is None
    assert "manualIndicator" not in ticket_body(ticket())
