"""Sizes follow from money, exits from percentages, and every price lies on its own side."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.host.plan import Plan, needs_market_price, part_to_close, plan_entry
from ibkr_adapter.host.webhook import EntryType, read_webhook
from ibkr_adapter.model.order import Side

USD = Decimal(600)
PRICES = st.decimals("0.01", "9999", places=2)
PERCENTS = st.decimals("0.01", "99.99", places=2)


def entry(**fields):
    return read_webhook({"action": "buy", "symbol": "AAPL"} | fields)


def planned(*, market=None, fractional=False, **fields) -> Plan:
    price = None if market is None else Decimal(market)
    return plan_entry(entry(**fields), market=price, default_usd=USD, fractional=fractional)


def refused(**fields) -> str:
    with pytest.raises(InvalidOrder, match="Nothing was sent") as caught:
        planned(**fields)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, True),
        ({"quantity": 1}, False),
        ({"position_size_usd": 500}, True),
        ({"quantity": 1, "stop_loss_percent": 2}, True),
        ({"quantity": 1, "stop_loss_price": 2}, True),
        ({"quantity": 1, "take_profit_percent": 2}, True),
        ({"quantity": 1, "take_profit_price": 2}, True),
        ({"quantity": 1, "trailing_stop_percent": 2}, False),
        ({"orderType": "limit", "price": 9, "stop_loss_percent": 2}, False),
        ({"orderType": "stop", "price": 9, "quantity": 1}, True),
        ({"orderType": "stop_limit", "price": 9, "stopPrice": 8, "quantity": 1}, True),
    ],
)
def test_the_market_is_asked_only_where_its_price_decides_something(fields, needed):
    """A price that nobody may trust must not stop an order that does not depend on it."""
    assert needs_market_price(entry(**fields)) is needed


def test_a_market_entry_takes_size_and_exits_from_the_last_price():
    """600 dollars at 165.20, a stop 2 % below and a target 5 % above."""
    plan = planned(market="165.20", stop_loss_percent=2, take_profit_percent=5)

    assert plan == Plan(
        symbol="AAPL",
        side=Side.BUY,
        order_type=EntryType.MARKET,
        quantity=Decimal("3.631961259079903147699757869"),
        take_profit_price=Decimal("173.46"),
        stop_loss_price=Decimal("161.896"),
        reference=Decimal("165.20"),
    )
    assert plan.has_exits


def test_a_limit_entry_takes_size_and_exits_from_its_limit():
    """What the market does meanwhile changes nothing."""
    plan = planned(orderType="limit", price="300.00", stop_loss_percent=2, take_profit_percent=5)

    assert (plan.price, plan.stop_loss_price, plan.take_profit_price) == (300, 294, 315)
    assert plan.quantity == 2


def test_a_short_entry_has_its_exits_the_other_way_round():
    """The stop above, the target below."""
    plan = planned(action="sell", market="200", stop_loss_percent=3, take_profit_percent=6)

    assert (plan.side, plan.stop_loss_price, plan.take_profit_price) == (Side.SELL, 206, 188)


def test_a_stop_entry_takes_size_and_exits_from_its_trigger():
    """It is filled near there, not near today's price."""
    plan = planned(orderType="stop", stopPrice=200, market=190, stop_loss_percent=10)

    assert (plan.stop_price, plan.price, plan.quantity, plan.stop_loss_price) == (200, None, 3, 180)


def test_a_stop_limit_entry_takes_size_and_exits_from_its_limit():
    """The limit is the worst price that it allows."""
    plan = planned(orderType="stop_limit", stopPrice=195, price=200, market=190, take_profit_percent=10)

    assert (plan.stop_price, plan.price, plan.quantity, plan.take_profit_price) == (195, 200, 3, 220)


def test_explicit_exits_and_quantity_are_taken_as_they_are():
    """The seed's bracket: 100 shares between 160 and 170."""
    plan = planned(market="165", quantity=100, stop_loss_price="160.00", take_profit_price="170.00")

    assert (plan.quantity, plan.stop_loss_price, plan.take_profit_price) == (100, 160, 170)


def test_a_trailing_stop_needs_no_price():
    """Its distance is in percent of whatever the market does."""
    plan = planned(quantity=5, trailing_stop_percent="1.5")

    assert plan.trailing_percent == Decimal("1.5")
    assert plan.has_exits
    assert not planned(quantity=5).has_exits


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stop_loss_price": 165}, "stop-loss price 165 of a long position must be below its entry at 165"),
        ({"stop_loss_price": 166}, "must be below its entry at 165"),
        ({"take_profit_price": 165}, "take-profit price 165 of a long position must be above"),
        ({"take_profit_price": 160}, "must be above its entry at 165"),
        ({"action": "sell", "stop_loss_price": 160}, "of a short position must be above its entry at 165"),
        ({"action": "sell", "take_profit_price": 170}, "must be below its entry at 165"),
        ({"orderType": "limit", "price": 150, "stop_loss_price": 155}, "below its entry at 150"),
        ({"orderType": "stop", "price": 170, "stop_loss_price": 172}, "below its entry at 170"),
        ({"orderType": "stop_limit", "stopPrice": 170, "price": 175, "stop_loss_price": 172}, "at 170"),
        ({"orderType": "stop_limit", "stopPrice": 170, "price": 175, "take_profit_price": 174}, "at 175"),
        ({"orderType": "stop", "price": 165}, "must be above the market, which is at 165"),
        ({"orderType": "stop", "price": 160}, "must be above the market"),
        ({"action": "sell", "orderType": "stop", "price": 170}, "must be below the market"),
        ({"orderType": "stop_limit", "stopPrice": 160, "price": 161}, "must be above the market"),
    ],
)
def test_a_price_on_the_wrong_side_is_refused(fields, words):
    """At the broker it would fill at once, or close the position as soon as it stands."""
    assert words in refused(market=165, quantity=10, **fields)


def test_money_that_buys_less_than_one_is_refused_with_the_price():
    """The host would round it to nothing and go on."""
    message = refused(market="745.10", position_size_usd=500)

    assert "position_size_usd 500 buys less than 1 AAPL, the smallest size, at 745.1" in message


def test_the_default_size_is_named_where_it_is_too_small():
    """The remedy is a setting, not the webhook."""
    assert "default_order_usd 600 buys less than 1" in refused(market=601)


def test_a_quantity_below_one_needs_the_setting():
    """Fractions are off unless the account's owner wants them."""
    assert "allow_fractional is off" in refused(quantity="0.5")
    assert planned(quantity="0.5", fractional=True).quantity == Decimal("0.5")
    assert planned(market=1000, position_size_usd=500, fractional=True).quantity == Decimal("0.5")


def test_a_size_in_money_without_a_price_is_refused():
    """Whoever forgets to ask the market is told, instead of dividing by nothing."""
    assert "needs a price" in refused(position_size_usd=500)


@given(usd=st.decimals("0.01", "9999999", places=2), price=PRICES)
def test_a_size_never_costs_more_than_the_money(usd, price):
    """Rounding goes down, in the last digit too."""
    plan = planned(market=price, position_size_usd=usd, fractional=True)

    assert plan.quantity * price <= usd + Decimal("1e-15")


@given(price=PRICES, stop=PERCENTS, target=PERCENTS, action=st.sampled_from(["buy", "sell"]))
def test_percentages_always_give_exits_on_their_own_sides(price, stop, target, action):
    """Whatever the percentages, and mirrored for shorts."""
    plan = planned(
        action=action,
        orderType="limit",
        price=price,
        quantity=1,
        stop_loss_percent=stop,
        take_profit_percent=target,
    )

    below, above = sorted((plan.stop_loss_price, plan.take_profit_price))
    assert 0 < below < price < above
    assert (plan.stop_loss_price < price) is (action == "buy")


@pytest.mark.parametrize(
    ("held", "percent", "part"),
    [
        ("5.8", None, "5.8"),
        ("5.8", "100", "5.8"),
        ("5", "50", "2"),
        ("5", "0.1", "1"),
        ("1", "50", "1"),
        ("0.4", "50", "0.4"),
        ("100", "33", "33"),
        ("3.5", "99", "3"),
    ],
)
def test_a_part_is_whole_units_and_at_least_one(held, percent, part):
    """As the host does it; but never more than there is."""
    assert part_to_close(Decimal(held), None if percent is None else Decimal(percent)) == Decimal(part)


@given(held=st.decimals("0.0001", "99999", places=4), percent=st.decimals("0.01", "100", places=2))
def test_a_part_is_never_more_than_the_position(held, percent):
    """A close that is larger would open the other side."""
    assert 0 < part_to_close(held, percent) <= held
