"""Exact tick arithmetic: which prices a contract trades at, and the nearest one in a direction.

A tick table says from which price on which increment holds. The prices that may be sent are, row
by row, the multiples of the row's increment inside the row; :func:`snap` finds the nearest one in
the asked direction. Which direction protects whom is for :mod:`ibkr_adapter.order_builder`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from enum import Enum
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm

import attrs

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.kinds import LARGEST_POWER
from ibkr_adapter.model.shown import Shown

# The caller's decimal context may be set to few digits; ours never rounds a price.
_EXACT = Context(prec=200)
_MOST_DIGITS = 64


class Rounding(Enum):
    """Which way a price moves onto the tick; halves go away from zero with ``NEAREST``."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"


@attrs.frozen(kw_only=True)
class TickStep(Shown):
    """From ``lower_edge`` on, prices are multiples of ``increment``."""

    lower_edge: Decimal
    increment: Decimal

    def __attrs_post_init__(self) -> None:
        usable = _usable(self.increment) and _usable(self.lower_edge)
        if not usable or self.increment <= 0 or self.lower_edge < 0:
            raise InvalidOrder(
                f"steps of {self.increment} from {self.lower_edge} on are no tick table; nothing was sent."
            )


def common_ticks(tables: Iterable[Sequence[TickStep]]) -> tuple[TickStep, ...]:
    """The coarsest grid that holds every sum of multiples of prices out of these tables.

    Raises:
        InvalidOrder: One of them is missing; nothing was sent.
    """
    steps = [Fraction(row.increment) for table in tables for row in table or _rows(table)]
    denominator = lcm(*(step.denominator for step in steps))
    numerator = gcd(*(int(step * denominator) for step in steps))
    increment = _EXACT.divide(Decimal(numerator), Decimal(denominator))
    return (TickStep(lower_edge=Decimal(0), increment=increment),)


def tick_at(price: Decimal, ticks: Sequence[TickStep]) -> Decimal:
    """The increment that holds at a price; a negative price has that of its distance from zero.

    Raises:
        InvalidOrder: There is no tick table, or it is no price; nothing was sent.
    """
    rows = _rows(ticks)
    return rows[_row_of(_distance(price), rows)].increment


def snap(price: Decimal, ticks: Sequence[TickStep], rounding: Rounding) -> Decimal:
    """Move a price onto the tick, exactly; a price that is on it stays.

    Where each edge is a multiple of the increments on both its sides, as in published tables, it
    moves by less than the increment it came from.

    Raises:
        InvalidOrder: There is no tick table, or it is no price; nothing was sent.
    """
    rows, distance = _rows(ticks), _distance(price)
    if rounding is Rounding.NEAREST:
        below, above = _below(distance, rows), _above(distance, rows)
        nearer_zero = distance - Fraction(below) < Fraction(above) - distance
        found = below if nearer_zero else above
    elif (rounding is Rounding.DOWN) is (price >= 0):
        found = _below(distance, rows)
    else:
        found = _above(distance, rows)
    # Zero has no sign that anybody should see.
    return found.copy_negate() if price < 0 and found else found


def steps_between(start: Decimal, end: Decimal, ticks: Sequence[TickStep]) -> int:
    """How many ticks lead from one price to another, negative where they lead down.

    A price off the tick counts as the next one below it.

    Raises:
        InvalidOrder: There is no tick table, or one of them is no price; nothing was sent.
    """
    return _steps_from_zero(end, ticks) - _steps_from_zero(start, ticks)


@attrs.frozen
class _Row:
    """A row of a tick table in exact fractions."""

    edge: Fraction
    step: Fraction
    increment: Decimal

    def at_or_under(self, distance: Fraction) -> Decimal:
        return _EXACT.multiply(Decimal(distance // self.step), self.increment)

    def at_or_over(self, distance: Fraction) -> Decimal:
        return _EXACT.multiply(Decimal(-(-distance // self.step)), self.increment)

    def steps_under(self, distance: Fraction) -> int:
        """How many multiples above zero lie under ``distance``."""
        return max(0, -(-distance // self.step) - 1)


def _rows(ticks: Sequence[TickStep]) -> list[_Row]:
    """Sort a tick table; below its first edge its first row holds."""
    if not ticks:
        raise InvalidOrder("the contract has no tick table, so no price can be checked; nothing was sent.")
    rows = sorted(ticks, key=lambda row: row.lower_edge)
    return [
        _Row(Fraction(row.lower_edge if index else 0), Fraction(row.increment), row.increment)
        for index, row in enumerate(rows)
    ]


def _row_of(distance: Fraction, rows: Sequence[_Row]) -> int:
    return max(index for index, row in enumerate(rows) if row.edge <= distance)


def _below(distance: Fraction, rows: Sequence[_Row]) -> Decimal:
    """The greatest price on a tick that is not above ``distance``."""
    for index in range(_row_of(distance, rows), 0, -1):
        row = rows[index]
        found = row.at_or_under(distance)
        if Fraction(found) >= row.edge:
            return found
        # The row has no multiple down here. Its edge is not a price of the row below either.
        below = rows[index - 1]
        distance = below.steps_under(row.edge) * below.step
    return rows[0].at_or_under(distance)


def _above(distance: Fraction, rows: Sequence[_Row]) -> Decimal:
    """The least price on a tick that is not below ``distance``."""
    for index in range(_row_of(distance, rows), len(rows) - 1):
        found = rows[index].at_or_over(distance)
        if Fraction(found) < rows[index + 1].edge:
            return found
        distance = rows[index + 1].edge
    return rows[-1].at_or_over(distance)


def _steps_from_zero(price: Decimal, ticks: Sequence[TickStep]) -> int:
    rows, snapped = _rows(ticks), snap(price, ticks, Rounding.DOWN)
    distance = _distance(snapped)
    crossed = rows[: _row_of(distance, rows) + 1]
    own = crossed[-1]
    steps = distance // own.step - own.steps_under(own.edge)
    for row, upper in pairwise(crossed):
        steps += row.steps_under(upper.edge) - row.steps_under(row.edge)
    return steps if snapped >= 0 else -steps


def _distance(price: Decimal) -> Fraction:
    if not _usable(price):
        raise InvalidOrder(f"{price!s:.40} is no price; nothing was sent.")
    return Fraction(price.copy_abs())


def _usable(number: Decimal) -> bool:
    """Whether a number is one that arithmetic can be exact on."""
    return (
        number.is_finite()
        and abs(number.adjusted()) <= LARGEST_POWER
        and len(number.as_tuple().digits) <= _MOST_DIGITS
    )
