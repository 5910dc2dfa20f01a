"""Money buys what it pays for, whatever a price stands for, and never a cent more."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.model.sizing import DOLLARS, Sizing

POSITIVE = st.decimals("0.0001", "99999", places=4)


@pytest.mark.parametrize(
    ("sizing", "price", "quantity", "cost"),
    [
        (DOLLARS, "165", "3.636363636363636363636363636", "165"),
        (Sizing(multiplier=Decimal(100)), "5.20", "1.153846153846153846153846153", "520"),
        (Sizing(rate=Decimal("1.25")), "8", "60", "10"),
        (Sizing(rate=Decimal("1.25"), magnifier=Decimal(100)), "800", "60", "10"),
        (Sizing(multiplier=Decimal(50)), "6000", "0.002", "300000"),
    ],
)
def test_an_option_costs_its_price_a_hundred_times_and_a_share_in_pence_a_hundredth(
    sizing, price, quantity, cost
):
    assert sizing.quantity(Decimal(600), Decimal(price)) == Decimal(quantity)
    assert sizing.cost(Decimal(price)) == Decimal(cost)


def test_only_what_costs_its_price_in_dollars_is_plain():
    assert DOLLARS.is_plain
    assert not any(Sizing(**{name: Decimal(2)}).is_plain for name in ("multiplier", "magnifier", "rate"))


@given(
    money=POSITIVE, price=POSITIVE, multiplier=POSITIVE, rate=POSITIVE, magnifier=st.sampled_from([1, 100])
)
def test_a_size_never_costs_more_than_the_money(money, price, multiplier, rate, magnifier):
    """Rounding goes down, in the last digit too."""
    sizing = Sizing(multiplier=multiplier, rate=rate, magnifier=Decimal(magnifier))

    spent = Fraction(sizing.quantity(money, price)) * Fraction(price) * Fraction(multiplier) * Fraction(rate)

    assert spent / magnifier <= Fraction(money)


@pytest.mark.parametrize("name", ["multiplier", "magnifier", "rate", "smallest"])
def test_nothing_is_worth_nothing(name):
    """A missing rate that became 0 would make every size endless."""
    with pytest.raises(ValueError, match="must be > 0"):
        Sizing(**{name: Decimal(0)})
