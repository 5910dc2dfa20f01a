"""A combination is what its legs say, and one with a name is of that shape."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model import combo
from ibkr_adapter.model.combo import Combo, ComboLeg, ComboPart, Shape, misfit, reduced
from ibkr_adapter.model.contract import Contract, SecType

RATIOS = st.integers(-500, 500).filter(bool)


def option(strike, right="C", expiry="20261218", **about):
    plain = {"conid": 5, "symbol": "SPY", "sec_type": SecType.OPTION, "underlying_conid": 756733}
    return Contract(
        **plain
        | {"strike": None if strike is None else Decimal(strike), "right": right, "expiry": expiry}
        | about
    )


@pytest.mark.parametrize(
    ("spread", "legs"),
    [
        (combo.vertical("A", "B"), [("A", 1), ("B", -1)]),
        (combo.straddle("A", "B"), [("A", 1), ("B", 1)]),
        (combo.strangle("A", 7), [("A", 1), (7, 1)]),
        (combo.butterfly("A", "B", "C"), [("A", 1), ("B", -2), ("C", 1)]),
        (combo.iron_condor("A", "B", "C", "D"), [("A", 1), ("B", -1), ("C", -1), ("D", 1)]),
        (combo.calendar("A", "B"), [("A", -1), ("B", 1)]),
        (combo.pair("A", "B"), [("A", 1), ("B", -1)]),
        (combo.pair("A", "B", ratio=(3, 2)), [("A", 3), ("B", -2)]),
    ],
)
def test_a_name_stands_for_legs(spread, legs):
    """Their signs are what a buyer does."""
    assert [(leg.contract, leg.ratio) for leg in spread.legs] == legs
    assert spread.shape is not None


@pytest.mark.parametrize("ratio", [0, 10_001, -10_001, 1.0, True, "1", None])
def test_what_is_no_ratio_is_refused(ratio):
    """A leg with ratio 0 is no leg, and fractions are refused over there."""
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        ComboLeg(contract="A", ratio=ratio)


@given(st.lists(RATIOS, min_size=2, max_size=6))
def test_reduced_ratios_have_nothing_in_common_and_mean_the_same(ratios):
    """So many of the smaller combination are one of the larger."""
    smaller, factor = reduced(ratios)

    assert gcd(*smaller) == 1
    assert [ratio * factor for ratio in smaller] == ratios
    assert factor >= 1


GOOD = [
    (Shape.VERTICAL, [option(400), option(410)]),
    (Shape.VERTICAL, [option(410, "P"), option(400, "P")]),
    (Shape.STRADDLE, [option(400), option(400, "P")]),
    (Shape.STRANGLE, [option(410), option(400, "P")]),
    (Shape.BUTTERFLY, [option(390), option(400), option(410)]),
    (Shape.IRON_CONDOR, [option(380, "P"), option(390, "P"), option(410), option(420)]),
    (Shape.CALENDAR, [option(400), option(400, expiry="20270115")]),
    (
        Shape.CALENDAR,
        [
            option(None, None, sec_type=SecType.FUTURE),
            option(None, None, "20270319", sec_type=SecType.FUTURE),
        ],
    ),
    (Shape.PAIR, [option(1), Contract(conid=6, symbol="X", sec_type=SecType.STOCK)]),
]


@pytest.mark.parametrize(("shape", "legs"), GOOD)
def test_legs_of_the_shape_fit(shape, legs):
    assert misfit(shape, legs) is None


@pytest.mark.parametrize(
    ("shape", "legs", "why"),
    [
        (Shape.VERTICAL, [option(400), option(400)], "the same strike"),
        (Shape.VERTICAL, [option(400), option(410, "P")], "a call, a put"),
        (Shape.VERTICAL, [option(400), option(410, None)], "a call, neither call nor put"),
        (Shape.VERTICAL, [option(400), option(410, expiry="20270115")], "expire on different days"),
        (Shape.VERTICAL, [option(400), option(410, underlying_conid=5)], "different underlyings"),
        (Shape.VERTICAL, [option(400), option(None)], "a leg has no strike"),
        (Shape.VERTICAL, [option(400), option(410, sec_type=SecType.FUTURE_OPTION)], "of one kind"),
        (Shape.VERTICAL, [option(400, sec_type=SecType.STOCK)] * 2, "not options of one kind"),
        (Shape.STRADDLE, [option(400), option(410, "P")], "different strikes"),
        (Shape.STRADDLE, [option(400, "P"), option(400)], "a put, a call"),
        (Shape.STRANGLE, [option(400), option(400, "P")], "the same strike"),
        (Shape.BUTTERFLY, [option(410), option(400), option(390)], "do not rise"),
        (Shape.BUTTERFLY, [option(390), option(400), option(420)], "not halfway"),
        (
            Shape.IRON_CONDOR,
            [option(390, "P"), option(380, "P"), option(410), option(420)],
            "do not rise",
        ),
        (Shape.CALENDAR, [option(400), option(410, expiry="20270115")], "in more than their expiry"),
        (Shape.CALENDAR, [option(400, expiry="20270115"), option(400)], "does not expire before"),
        (Shape.CALENDAR, [option(400), option(400, expiry=None)], "does not expire before"),
    ],
)
def test_legs_of_another_shape_are_told_why(shape, legs, why):
    """A wrong leg under a right name is a position that nobody wanted."""
    assert why in misfit(shape, legs)


@pytest.mark.parametrize(
    ("shape", "legs"), [(shape, legs) for shape, legs in GOOD if len(legs) > 2 or shape is Shape.CALENDAR]
)
def test_no_other_order_of_the_legs_has_the_shape(shape, legs):
    for other in permutations(legs):
        if list(other) not in (legs, legs[::-1] if shape is Shape.STRANGLE else legs):
            assert misfit(shape, other) is not None


def test_a_combination_is_told_by_its_legs():
    parts = (
        ComboPart(contract=option(400, local_symbol="SPY 261218C400"), ratio=1),
        ComboPart(contract=Contract(conid=6, symbol="SPY", sec_type=SecType.STOCK), ratio=-100),
    )

    made = Combo(parts=parts, currency="USD", spread_conid=1, conidex="1;;;5/1,6/-100")

    assert made.text == "+1 SPY 261218C400, -100 SPY"
