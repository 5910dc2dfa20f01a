"""Contracts and the rules that orders on them must keep, with exact tick arithmetic.

A tick table says from which price on which increment holds. The prices that may be sent are, row
by row, the multiples of the row's increment inside the row; :func:`snap` finds the nearest one in
the asked direction. Which direction protects whom is for :mod:`ibkr_adapter.order_builder`,
how IBKR writes all this for :mod:`ibkr_adapter.wire.contracts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal
from enum import Enum, StrEnum
from fractions import Fraction
from itertools import pairwise

import attrs

from ibkr_adapter.errors import InvalidOrder

# The caller's decimal context may be set to few digits; ours never rounds a price.
_EXACT = Context(prec=200)
_LARGEST_POWER = 30
_MOST_DIGITS = 64


class SecType(StrEnum):
    """What kind of instrument a contract is, in IBKR's spelling; words unknown to us are ``UNKNOWN``."""

    STOCK = "STK"
    OPTION = "OPT"
    FUTURE = "FUT"
    FUTURE_OPTION = "FOP"
    INDEX = "IND"
    FOREX = "CASH"
    BOND = "BOND"
    BILL = "BILL"
    FUND = "FUND"
    WARRANT = "WAR"
    STRUCTURED = "IOPT"
    CFD = "CFD"
    COMBO = "BAG"
    CRYPTO = "CRYPTO"
    COMMODITY = "CMDTY"
    UNKNOWN = ""

    @classmethod
    def _missing_(cls, value: object) -> SecType:
        # What is merely described must not stop the reading of what is next to it.
        known = value.strip().upper() if isinstance(value, str) else ""
        return next((member for member in cls if member.value == known), cls.UNKNOWN)


class Rounding(Enum):
    """Which way a price moves onto the tick; halves go away from zero with ``NEAREST``."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"


@attrs.frozen(kw_only=True)
class TickStep:
    """From ``lower_edge`` on, prices are multiples of ``increment``."""

    lower_edge: Decimal
    increment: Decimal

    def __attrs_post_init__(self) -> None:
        usable = _usable(self.increment) and _usable(self.lower_edge)
        if not usable or self.increment <= 0 or self.lower_edge < 0:
            raise InvalidOrder(
                f"steps of {self.increment} from {self.lower_edge} on are no tick table; nothing was sent."
            )


@attrs.frozen(kw_only=True)
class Contract:
    """One product in one currency.

    ``exchange`` is the primary listing where IBKR names it and ``SMART`` where it names only the
    routing. ``multiplier`` is how many units one price stands for. ``con_type`` is IBKR's finer
    word for stocks (COMMON, ETF, ADR). ``expiry`` is the day it ends as ``YYYYMMDD``,
    ``contract_month`` its delivery month as ``YYYYMM``: crude oil for December ends in November.
    ``route`` is the exchange the caller wants orders sent to, where he named one with the id.
    """

    conid: int = attrs.field(validator=attrs.validators.gt(0))
    symbol: str
    sec_type: SecType
    exchange: str = ""
    currency: str | None = None
    name: str | None = None
    local_symbol: str | None = None
    multiplier: Decimal = attrs.field(default=Decimal(1), validator=attrs.validators.gt(Decimal(0)))
    is_us: bool | None = None
    con_type: str | None = None
    ticks: tuple[TickStep, ...] = ()
    valid_exchanges: tuple[str, ...] = ()
    trading_class: str | None = None
    underlying_conid: int | None = None
    expiry: str | None = None
    strike: Decimal | None = None
    right: str | None = None
    contract_month: str | None = None
    cusip: str | None = None
    coupon: Decimal | None = None
    route: str | None = None


@attrs.frozen(kw_only=True)
class TifRule:
    """With what a time in force may be combined; ``order_types`` is ``None`` where any type may."""

    order_types: frozenset[str] | None = None
    outside: bool = False
    algos: bool = False


@attrs.frozen(kw_only=True)
class Rules:
    """What IBKR lets be ordered on a contract; order types in the vocabulary of tickets (LMT, STP).

    An empty ``order_types`` or ``tifs`` means that IBKR did not say. ``can_trade_accounts`` is
    ``None`` where it did not, and empty where no account may. ``fraction_digits`` are the decimals
    that a quantity may have, ``None`` where only whole units trade. ``default_limit`` and
    ``default_stop`` are the prices that IBKR's own ticket would offer. ``size_increment`` is the
    step of IBKR's own form and no lot size: it is 100 for shares that trade one by one.
    """

    conid: int
    ticks: tuple[TickStep, ...] = ()
    order_types: frozenset[str] = frozenset()
    order_types_outside: frozenset[str] = frozenset()
    tifs: Mapping[str, TifRule] = attrs.field(factory=dict, hash=False)
    fraction_digits: int | None = None
    fraction_types: frozenset[str] = frozenset()
    cash_types: frozenset[str] = frozenset()
    can_trade_accounts: frozenset[str] | None = None
    default_limit: Decimal | None = None
    default_stop: Decimal | None = None
    increment: Decimal | None = None
    increment_digits: int | None = None
    size_increment: Decimal | None = None
    price_magnifier: Decimal | None = None
    overnight: bool | None = None
    negative_prices: bool | None = None


@attrs.frozen(kw_only=True)
class Hours:
    """One stretch of trading, from its opening up to its closing."""

    opens: datetime
    closes: datetime


@attrs.frozen(kw_only=True)
class Schedule:
    """When a contract trades in the days around now, in order; ``zone`` is the exchange's time zone.

    Holidays are simply not there, and beyond the last stretch nothing is known.
    """

    zone: str
    regular: tuple[Hours, ...]
    extended: tuple[Hours, ...]

    def is_open(self, at: datetime, *, outside_rth: bool = False) -> bool:
        """Whether it trades at that moment, in regular hours or, where asked, in extended ones."""
        return any(hours.opens <= at < hours.closes for hours in self._hours(outside_rth=outside_rth))

    def next_open(self, after: datetime, *, outside_rth: bool = False) -> datetime | None:
        """The next opening after that moment, or ``None`` where the schedule does not reach so far."""
        openings = (hours.opens for hours in self._hours(outside_rth=outside_rth) if hours.opens > after)
        return min(openings, default=None)

    def _hours(self, *, outside_rth: bool) -> tuple[Hours, ...]:
        return self.regular + self.extended if outside_rth else self.regular


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
        and abs(number.adjusted()) <= _LARGEST_POWER
        and len(number.as_tuple().digits) <= _MOST_DIGITS
    )
