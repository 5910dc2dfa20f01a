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
        known = str(value).strip().upper()
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
    word for stocks (COMMON, ETF, ADR). The last five are those of derivatives.
    """

    conid: int
    symbol: str
    sec_type: SecType
    exchange: str = ""
    currency: str | None = None
    name: str | None = None
    local_symbol: str | None = None
    multiplier: Decimal = Decimal(1)
    is_us: bool | None = None
    con_type: str | None = None
    ticks: tuple[TickStep, ...] = ()
    valid_exchanges: tuple[str, ...] = ()
    trading_class: str | None = None
    underlying_conid: int | None = None
    expiry: str | None = None
    strike: Decimal | None = None
    right: str | None = None


@attrs.frozen(kw_only=True)
class Candidate:
    """One listing among those that a name fits."""

    conid: int
    symbol: str
    name: str
    exchange: str
    currency: str | None = None
    is_us: bool | None = None

    @property
    def write(self) -> str:
        """What to write to mean this one; hosts cut off everything before a colon, so there is none."""
        return f"{self.conid}@SMART"


@attrs.frozen(kw_only=True)
class Section:
    """One kind of instrument that a search found under a name.

    ``months`` are IBKR's month codes (``DEC26``), ``conid`` is there where the kind has one itself.
    """

    sec_type: SecType
    months: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    conid: int | None = None


@attrs.frozen(kw_only=True)
class SearchHit:
    """One row of a search: a company, an index, an issuer of bonds (which has no conid)."""

    conid: int | None
    symbol: str | None
    name: str | None = None
    exchange: str | None = None
    sections: tuple[Section, ...] = ()
    expiries: tuple[str, ...] = ()


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
    tifs: Mapping[str, TifRule] = attrs.field(factory=dict)
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
    """Tell the increment that holds at ``price``.

    A negative price, which combinations have, counts by its size; below the lowest edge the
    lowest row holds.

    Raises:
        InvalidOrder: The price or the table is none; nothing was sent.
    """
    rows = _rows(ticks)
    return rows[_row_of(_sane(price).copy_abs(), rows)].increment


def snap(price: Decimal, ticks: Sequence[TickStep], rounding: Rounding) -> Decimal:
    """Bring a price onto the tick; one that is there stays.

    The result is a multiple of the increment of the row that it lands in, which is not always
    the row it came from. Where each edge is a multiple of the increments on both its sides, as
    in published tables, the price moves by less than the increment it came from.

    Raises:
        InvalidOrder: The price or the table is none; nothing was sent.
    """
    rows = _rows(ticks)
    size = _sane(price).copy_abs()
    smaller, larger = _down(size, rows), _up(size, rows)
    below, above = (_negated(larger), _negated(smaller)) if price < 0 else (smaller, larger)
    if rounding is Rounding.NEAREST:
        nearer_below = _EXACT.subtract(price, below) < _EXACT.subtract(above, price)
        return below if nearer_below else above
    return below if rounding is Rounding.DOWN else above


def steps_between(start: Decimal, end: Decimal, ticks: Sequence[TickStep]) -> int:
    """Count the ticks from ``start`` up to ``end``, across edges; negative when it goes down.

    Raises:
        InvalidOrder: A price or the table is none; nothing was sent.
    """
    rows = _rows(ticks)
    return _rank(_sane(end), rows) - _rank(_sane(start), rows)


def _sane(price: Decimal) -> Decimal:
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _SMALLEST_POWER or price.adjusted() > _LARGEST_POWER:
        raise InvalidOrder(f"{price!s:.40} is no price; nothing was sent.")
    return price


def _rows(ticks: Sequence[TickStep]) -> list[TickStep]:
    if not ticks:
        raise InvalidOrder(
            "the price increments of this contract are not known; nothing was sent.",
            remedy="Without them no price can be placed safely: use a market order.",
        )
    return sorted(ticks, key=lambda step: step.lower_edge)


def _row_of(size: Decimal, rows: Sequence[TickStep]) -> int:
    return max((place for place, row in enumerate(rows) if row.lower_edge <= size), default=0)


def _times(size: Decimal, increment: Decimal, *, up: bool) -> Decimal:
    """How often the increment fits into ``size``, not above it or not below it."""
    times = _EXACT.divide_int(size, increment)
    return _EXACT.add(times, 1) if up and _EXACT.remainder(size, increment) else times


def _down(size: Decimal, rows: Sequence[TickStep]) -> Decimal:
    place = _row_of(size, rows)
    increment = rows[place].increment
    found = _EXACT.multiply(_times(size, increment, up=False), increment)
    # An edge that is no multiple of its own row's increment leaves a gap above it.
    while place and found < rows[place].lower_edge:
        edge = rows[place].lower_edge
        place -= 1
        increment = rows[place].increment
        found = _EXACT.multiply(_EXACT.subtract(_times(edge, increment, up=True), 1), increment)
    return found


def _up(size: Decimal, rows: Sequence[TickStep]) -> Decimal:
    place = _row_of(size, rows)
    increment = rows[place].increment
    found = _EXACT.multiply(_times(size, increment, up=True), increment)
    # The edge belongs to the row above it, and has to be on the tick there.
    while place + 1 < len(rows) and found >= rows[place + 1].lower_edge:
        place += 1
        increment = rows[place].increment
        found = _EXACT.multiply(_times(rows[place].lower_edge, increment, up=True), increment)
    return found


def _negated(size: Decimal) -> Decimal:
    # Adding zero takes the sign off a negative zero.
    return _EXACT.add(_EXACT.minus(size), 0)


def _rank(price: Decimal, rows: Sequence[TickStep]) -> int:
    """Count the ticks above zero up to a price, or, negative, those above a price up to zero."""
    size = price.copy_abs()
    total = Decimal(0)
    for place in range(_row_of(size, rows) + 1):
        increment, edge = rows[place].increment, rows[place].lower_edge
        total -= _EXACT.subtract(_times(edge, increment, up=True), 1) if place else 0
        if place == _row_of(size, rows):
            total += _times(size, increment, up=False)
        else:
            total += _EXACT.subtract(_times(rows[place + 1].lower_edge, increment, up=True), 1)
    if price >= 0:
        return int(total)
    # Zero counts on the way up from below it, the price itself does not.
    return -int(total) - 1 + (1 if _down(size, rows) == size else 0)
