"""Money that adds up: positions, cost, cash and profit to the cent."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.simulator.account import Account, standing
from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.charges import commission
from ibkr_adapter.simulator.currencies import RATES

AAPL = Catalogue().find(265598)
NESN = Catalogue().find(900000009)


def an_account(cash="100000"):
    start = datetime(2026, 11, 24, 15, tzinfo=UTC)
    return Account(account_id="DU1", cash={"USD": Decimal(cash)}, opened=start)


def fill(account, instrument, signed, price):
    size, price = Decimal(signed), Decimal(price)
    account.book_fill(instrument, size, price, commission(abs(size), price))


@pytest.mark.parametrize(
    ("quantity", "price", "fee"),
    [("10", "165.01", "1.00"), ("1000", "165.01", "5.00"), ("1", "3.00", "0.03"), ("0.5", "10", "0.05")],
)
def test_a_fill_costs_at_least_a_dollar_and_at_most_one_per_cent(quantity, price, fee):
    """Half a cent a share between the two bounds."""
    assert commission(Decimal(quantity), Decimal(price)) == Decimal(fee)


def test_average_cost_contains_the_commission():
    """As the recorded average costs do: 1752.94 for three shares."""
    account = an_account()

    fill(account, AAPL, 3, "583.98")

    assert account.position(AAPL).cost == Decimal("1752.94")
    assert account.cash["USD"] == Decimal("98247.06")


def test_a_sale_realises_its_part_of_the_cost():
    """Four of ten sold: cost 1651.10, of which 660.44 go."""
    account = an_account()
    fill(account, AAPL, 10, "165.01")

    fill(account, AAPL, -4, "170.00")

    position = account.position(AAPL)
    assert position.realised == Decimal("680.00") - Decimal("660.44") - Decimal("1.00")
    assert position.cost == Decimal("990.66")


def test_a_fill_through_zero_closes_and_opens():
    """Ten held, fifteen sold: five are short at the new price, the fee is split."""
    account = an_account()
    fill(account, AAPL, 10, "165.00")

    fill(account, AAPL, -15, "170.00")

    position = account.position(AAPL)
    assert position.quantity == -5
    assert position.realised == Decimal("1700.00") - Decimal("1651.00") - Decimal("0.67")
    assert position.cost == Decimal("-850.00") + Decimal("0.33")


def test_a_short_position_gains_when_the_price_falls():
    """Sold at 170, bought back at 160."""
    account = an_account()
    fill(account, AAPL, -10, "170.00")
    gain = account.position(AAPL).unrealised(Decimal(160))

    fill(account, AAPL, 10, "160.00")

    assert gain == Decimal("99.00")
    assert account.position(AAPL).realised == Decimal("98.00")
    assert account.open_positions() == []
    assert account.position(AAPL).average == 0


def test_foreign_positions_are_summed_in_dollars():
    """Cash in francs goes below zero, the standing converts it."""
    account = an_account()

    fill(account, NESN, 10, "80.00")

    sums = standing(account, lambda one: Decimal(80))
    assert account.cash["CHF"] == Decimal("-801.00")
    assert sums.net == Decimal(100000) - RATES["CHF"]
    assert account.currencies() == ["USD", "CHF"]


fills = st.lists(
    st.tuples(
        st.sampled_from([AAPL, NESN]),
        st.integers(-300, 300).filter(bool).map(lambda n: Decimal(n) / 4),
        st.integers(100, 50_000).map(lambda n: Decimal(n) / 100),
    ),
    max_size=30,
)


@given(fills, st.integers(100, 50_000))
def test_cash_positions_and_profit_always_add_up(history, last):
    """What was there, plus all profit, is what is there: exactly, after any fills."""
    account = an_account()
    account.seed(AAPL, Decimal(7), Decimal("12.34"))
    price = Decimal(last) / 100

    for instrument, signed, at in history:
        fill(account, instrument, signed, str(at))

    sums = standing(account, lambda _: price)
    start = sum(RATES[one] * amount for one, amount in account.start.items())
    assert start + sums.realised + sums.unrealised == sums.net
    for position in account.positions.values():
        assert position.quantity or not position.cost


@given(fills)
def test_a_position_is_the_sum_of_its_fills(history):
    """No share appears or is lost."""
    account = an_account()

    for instrument, signed, at in history:
        fill(account, instrument, signed, str(at))

    for instrument in (AAPL, NESN):
        expected = sum((signed for one, signed, _ in history if one is instrument), Decimal(0))
        assert account.held(instrument.conid) == expected
