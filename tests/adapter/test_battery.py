"""The contract battery: every order type, side and time in force, from long, short and flat."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from worlds import AAPL

from ibkr_adapter.errors import InvalidOrder, OrderRejected
from ibkr_adapter.model.order import OrderType, Side, Tif, TrailingUnit

EVERY_LOGIN = True

PRICES = {
    OrderType.MARKET: lambda _side: {},
    OrderType.LIMIT: lambda side: {"limit_price": Decimal(162) if side is Side.BUY else Decimal(168)},
    OrderType.STOP: lambda side: {"stop_price": Decimal(168) if side is Side.BUY else Decimal(162)},
    OrderType.STOP_LIMIT: lambda side: {
        "stop_price": Decimal(168) if side is Side.BUY else Decimal(162),
        "limit_price": Decimal(168) if side is Side.BUY else Decimal(162),
    },
    OrderType.TRAIL: lambda _side: {"trailing": Decimal(2), "trailing_unit": TrailingUnit.PERCENT},
    OrderType.TRAIL_LIMIT: lambda side: {
        "stop_price": Decimal(168) if side is Side.BUY else Decimal(162),
        "limit_price": Decimal(168) if side is Side.BUY else Decimal(162),
        "trailing": Decimal(2),
        "trailing_unit": TrailingUnit.AMOUNT,
    },
}
BATTERY = list(itertools.product(OrderType, Side, Tif, (0, 7, -7)))


@pytest.mark.parametrize(
    ("order_type", "side", "tif", "held"), BATTERY, ids=lambda value: str(getattr(value, "value", value))
)
def test_every_order_is_booked_as_asked_or_refused_with_nothing_working(world, order_type, side, tif, held):
    """What is told is what the broker has, and the arithmetic of positions holds."""
    if held:
        world.gateway.seed_position(AAPL, held)
    ibkr = world.exchange(answer_messages=["o163"])

    try:
        placed = ibkr.orders.place(
            "AAPL", side=side, order_type=order_type, quantity=Decimal(3), tif=tif, **PRICES[order_type](side)
        )
    except (InvalidOrder, OrderRejected):
        assert world.working() == []
        assert world.position() == held
        return
    world.pass_time(5)

    (row,) = world.orders()
    assert str(row["order_id"]) == placed.entry.order_id
    assert (row["side"], float(row["quantity"])) == (side.value, 3.0)
    assert row["coid"] == placed.coid
    assert world.position() == held + side.sign * float(row["filled"])


def test_the_battery_books_most_of_what_it_asks_for(world):
    """A battery in which everything is refused would prove nothing."""
    booked = 0
    of_stocks = [row for row in BATTERY[::3] if row[2] is not Tif.PAX]
    for order_type, side, tif, _ in of_stocks:
        try:
            world.exchange(answer_messages=["o163"]).orders.place(
                "AAPL",
                side=side,
                order_type=order_type,
                quantity=Decimal(1),
                tif=tif,
                **PRICES[order_type](side),
            )
        except (InvalidOrder, OrderRejected):
            continue
        booked += 1

    assert booked >= len(of_stocks) // 2


@pytest.mark.parametrize(("quantity", "price"), [("2.5", "162"), ("2", "162.001")])
def test_the_typed_desk_refuses_what_it_would_have_to_round(world, ibkr, quantity, price):
    with pytest.raises(InvalidOrder, match="Nothing was sent"):
        ibkr.orders.place(
            "AAPL",
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            quantity=Decimal(quantity),
            limit_price=Decimal(price),
            tif=Tif.DAY,
        )

    assert world.orders() == []


def test_a_modification_sends_the_whole_ticket(world, ibkr):
    placed = ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(5),
        limit_price=Decimal(162),
        tif=Tif.GTC,
    )

    seen = ibkr.orders.modify(placed.entry.order_id, limit_price=Decimal("162.50"), quantity=Decimal(6))

    assert (seen.limit_price, seen.quantity) == (Decimal("162.50"), Decimal(6))
    (row,) = world.orders()
    assert float(row["quantity"]) == 6.0


@pytest.mark.parametrize("fault", ["F03", "F11", "F14", "F05"])
def test_a_lost_modification_is_looked_up_and_not_repeated(world, ibkr, fault):
    endpoint = "POST /iserver/account/{accountId}/order/{orderId}"
    placed = ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(5),
        limit_price=Decimal(162),
        tif=Tif.GTC,
    )
    variant = {"variant": "processed"} if fault in {"F14", "F05"} else {}
    world.arm(fault, endpoint, **variant)

    seen = ibkr.orders.modify(placed.entry.order_id, limit_price=Decimal("162.50"))

    assert seen.limit_price == Decimal("162.50")
    assert world.count(endpoint) == 1
