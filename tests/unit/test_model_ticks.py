"""A snapped price is one that the contract trades at, and it moved the way that was asked."""

from __future__ import annotations

from decimal import Decimal, Inexact, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.ticks import Rounding, TickStep, common_ticks, snap, steps_between, tick_at

D = Decimal


def table(*rows):
    return tuple(TickStep(lower_edge=D(edge), increment=D(increment)) for edge, increment in rows)


CENTS = table(("0", "0.01"))
OPTIONS = table(("0", "0.01"), ("3", "0.05"))
LONDON = table(("0", "0.0001"), ("0.5", "0.0005"), ("1", "0.001"), ("5", "0.005"), ("10", "0.01"))
# No published table is like this, but none promises not to be.
RAGGED = table(("0", "0.03"), ("1", "0.07"), ("1.01", "0.4"), ("5", "0.25"))

SOUND = st.sampled_from([CENTS, OPTIONS, LONDON])
ANY = st.sampled_from([CENTS, OPTIONS, LONDON, RAGGED])
PRICES = st.decimals(min_value=-20, max_value=20, places=5)


def on_tick(price, ticks):
    """An independent reading of the law: a multiple of the increment of its own row."""
    size = abs(price)
    rows = [row for row in ticks if row.lower_edge <= size]
    return size % max(rows, key=lambda row: row.lower_edge).increment == 0


@given(PRICES, ANY, st.sampled_from(Rounding))
def test_a_snapped_price_is_on_the_tick_of_its_own_row(price, ticks, rounding):
    assert on_tick(snap(price, ticks, rounding), ticks)


@given(PRICES, ANY, st.sampled_from(Rounding), st.sampled_from(Rounding))
def test_a_price_on_the_tick_stays(price, ticks, first, second):
    """Snapping twice, in whatever directions, is snapping once."""
    snapped = snap(price, ticks, first)

    assert snap(snapped, ticks, second) == snapped


@given(PRICES, ANY)
def test_down_never_rises_and_up_never_falls(price, ticks):
    """A buyer's limit that rises, or a stop that moves toward the market, costs money."""
    assert snap(price, ticks, Rounding.DOWN) <= price <= snap(price, ticks, Rounding.UP)


@given(PRICES, SOUND, st.sampled_from(Rounding))
def test_a_price_moves_by_less_than_its_own_tick(price, ticks, rounding):
    """Whoever sees the price move by more did not ask for that order."""
    assert abs(snap(price, ticks, rounding) - price) < tick_at(price, ticks)


@given(PRICES, ANY)
def test_nearest_is_the_nearer_of_the_two(price, ticks):
    below, above = snap(price, ticks, Rounding.DOWN), snap(price, ticks, Rounding.UP)

    nearest = snap(price, ticks, Rounding.NEAREST)

    assert nearest in {below, above}
    assert abs(nearest - price) == min(price - below, above - price)


@given(PRICES, ANY)
def test_nothing_on_the_tick_lies_between_a_price_and_its_snap(price, ticks):
    """Off the tick, down and up are neighbours; on it, they are the price."""
    below, above = snap(price, ticks, Rounding.DOWN), snap(price, ticks, Rounding.UP)

    assert steps_between(below, above, ticks) == (0 if on_tick(price, ticks) else 1)


@given(PRICES, PRICES, PRICES, ANY)
def test_steps_add_up(first, second, third, ticks):
    """Counting from one price to another does not depend on the way."""
    direct = steps_between(first, third, ticks)

    assert direct == steps_between(first, second, ticks) + steps_between(second, third, ticks)
    assert direct == -steps_between(third, first, ticks)


@pytest.mark.parametrize(
    ("price", "rounding", "snapped"),
    [
        ("2.996", Rounding.UP, "3.00"),
        ("2.999", Rounding.DOWN, "2.99"),
        ("3.01", Rounding.DOWN, "3.00"),
        ("3.01", Rounding.UP, "3.05"),
        ("3.024", Rounding.NEAREST, "3.00"),
        ("3.025", Rounding.NEAREST, "3.05"),
        ("-3.01", Rounding.DOWN, "-3.05"),
        ("-3.01", Rounding.UP, "-3.00"),
        ("-2.996", Rounding.DOWN, "-3.00"),
        ("-3.025", Rounding.NEAREST, "-3.05"),
        ("0.004", Rounding.DOWN, "0.00"),
        ("-0.004", Rounding.UP, "0.00"),
        ("0", Rounding.UP, "0.00"),
    ],
)
def test_edges_and_signs(price, rounding, snapped):
    """The row above an edge decides from the edge on; zero has no sign to print."""
    found = snap(D(price), OPTIONS, rounding)

    assert str(found) == snapped


@pytest.mark.parametrize(
    ("price", "rounding", "snapped"), [("165.239", "DOWN", "165.23"), ("165.231", "UP", "165.24")]
)
def test_a_snapped_price_has_the_decimals_of_its_increment(price, rounding, snapped):
    """What is sent is written as the tick table writes it."""
    assert str(snap(D(price), CENTS, Rounding[rounding])) == snapped


@pytest.mark.parametrize(
    ("price", "increment"),
    [("0", "0.01"), ("2.99", "0.01"), ("3", "0.05"), ("100", "0.05"), ("-2", "0.01"), ("-3", "0.05")],
)
def test_the_row_with_the_largest_edge_not_above_the_price_holds(price, increment):
    assert tick_at(D(price), OPTIONS) == D(increment)


@pytest.mark.parametrize(
    ("price", "below", "above"),
    [("0.995", "0.99", "1.2"), ("1.005", "0.99", "1.2"), ("1.1", "0.99", "1.2"), ("4.9", "4.8", "5.00")],
)
def test_an_edge_that_is_off_the_tick_is_stepped_over(price, below, above):
    """1.02 is a multiple of the row that 0.995 comes from, but not of the row that it lands in."""
    assert snap(D(price), RAGGED, Rounding.DOWN) == D(below)
    assert snap(D(price), RAGGED, Rounding.UP) == D(above)


def test_below_the_lowest_edge_the_lowest_row_holds():
    ticks = table(("5", "0.5"), ("1", "0.1"))

    assert tick_at(D("0.25"), ticks) == D("0.1")
    assert snap(D("0.25"), ticks, Rounding.DOWN) == D("0.2")


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [
        ("2.98", "3.10", 4),
        ("3.10", "2.98", -4),
        ("-0.02", "0.02", 4),
        ("-3.05", "-2.99", 2),
        ("1", "1", 0),
    ],
)
def test_steps_are_counted_across_edges(start, end, steps):
    """2.99, 3.00, 3.05, 3.10 are four."""
    assert steps_between(D(start), D(end), OPTIONS) == steps


def test_arithmetic_does_not_depend_on_the_callers_decimal_context():
    """A bot that computes with three digits still gets a price on the tick."""
    with localcontext(prec=3) as context:
        context.traps[Inexact] = True
        snapped = snap(D("123456.789"), CENTS, Rounding.DOWN)
        steps = steps_between(D("0.01"), D("1234.56"), CENTS)

    assert (snapped, steps) == (D("123456.78"), 123455)


@pytest.mark.parametrize("price", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+40", "1E-40", "1." + "3" * 80])
def test_what_is_no_price_is_refused(price):
    """Nothing computed from it may leave."""
    for snapping in (
        lambda: snap(D(price), CENTS, Rounding.DOWN),
        lambda: tick_at(D(price), CENTS),
        lambda: steps_between(D(1), D(price), CENTS),
        lambda: steps_between(D(price), D(1), CENTS),
    ):
        with pytest.raises(InvalidOrder, match="no price; nothing was sent"):
            snapping()


def test_without_a_tick_table_no_price_is_made():
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        snap(D(1), (), Rounding.UP)


@pytest.mark.parametrize(
    ("edge", "increment"),
    [("0", "0"), ("0", "-0.01"), ("0", "NaN"), ("NaN", "0.01"), ("-1", "0.01"), ("Infinity", "0.01")],
)
def test_a_tick_table_cannot_be_senseless(edge, increment):
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        TickStep(lower_edge=D(edge), increment=D(increment))


@given(
    tables=st.lists(ANY, min_size=1, max_size=4),
    prices=st.lists(PRICES, min_size=4, max_size=4),
    ratios=st.lists(st.integers(-3, 3), min_size=4, max_size=4),
)
def test_sums_of_prices_on_ticks_are_on_the_common_tick(tables, prices, ratios):
    """A combination can be priced at whatever its legs can be."""
    total = sum(
        (
            ratio * snap(price, ticks, Rounding.NEAREST)
            for ticks, price, ratio in zip(tables, prices, ratios, strict=False)
        ),
        D(0),
    )

    assert snap(total, common_ticks(tables), Rounding.DOWN) == total


@pytest.mark.parametrize(
    ("tables", "increment"),
    [
        ([CENTS], "0.01"),
        ([CENTS, OPTIONS], "0.01"),
        ([table(("0", "0.05")), table(("0", "0.02"))], "0.01"),
        ([table(("0", "0.25")), table(("0", "0.1"))], "0.05"),
        ([LONDON], "0.0001"),
    ],
)
def test_the_common_tick_is_the_coarsest_that_holds_all(tables, increment):
    """A finer one would be refused at once."""
    assert [row.increment for row in common_ticks(tables)] == [D(increment)]


def test_without_every_table_there_is_no_common_tick():
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        common_ticks([CENTS, ()])
