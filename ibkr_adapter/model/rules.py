"""What IBKR lets be ordered on a contract, when it trades, and which algorithms it takes.

What IBKR does not say is missing here, and whoever asks decides what silence means. Checking an
order against all this is for :mod:`ibkr_adapter.order_builder`, how IBKR writes it for
:mod:`ibkr_adapter.wire.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.ticks import TickStep

# A schedule begins with its server's own day. A trade date of futures begins on the evening
# before, and the longest holidays of an exchange last nine days.
_BEGUN_AT_MOST = timedelta(hours=48)
_BEGINS_AT_MOST = timedelta(days=10)


@attrs.frozen(kw_only=True)
class TifRule(Shown):
    """With what a time in force may be combined; ``order_types`` is ``None`` where any type may."""

    order_types: frozenset[str] | None = None
    outside: bool = False
    algos: bool = False


@attrs.frozen(kw_only=True)
class Rules(Shown):
    """What IBKR lets be ordered on a contract; order types in the vocabulary of tickets (LMT, STP).

    An empty ``order_types`` or ``tifs`` means that IBKR did not say. ``can_trade_accounts`` is
    ``None`` where it did not, and empty where no account may. ``fraction_digits`` are the decimals
    that a quantity may have, ``None`` where only whole units trade; ``fraction_types`` and
    ``cash_types`` are the order types that take a fraction, or a size in money. ``default_limit`` and
    ``default_stop`` are the prices that IBKR's own ticket would offer. ``size_increment`` is the
    step of IBKR's own form and no lot size: it is 100 for shares that trade one by one.
    ``price_magnifier`` is by how much quoted prices are larger than the currency (100 for pence).
    """

    conid: int
    ticks: tuple[TickStep, ...] = ()
    order_types: frozenset[str] = frozenset()
    order_types_outside: frozenset[str] = frozenset()
    algo_types: frozenset[str] = frozenset()
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

    def takes(self, tif: str, order_type: str) -> bool:
        """Whether the list of times in force has ``tif``, and has it for this type."""
        rule = self.tifs.get(tif)
        return rule is not None and (rule.order_types is None or order_type in rule.order_types)


@attrs.frozen(kw_only=True)
class Hours(Shown):
    """One stretch of trading, from its opening up to its closing."""

    opens: datetime
    closes: datetime


@attrs.frozen(kw_only=True)
class Schedule(Shown):
    """When a contract trades in the days around now, in order; ``zone`` is the exchange's time zone.

    Holidays are simply not there, and beyond the last stretch nothing is known. Where IBKR marks
    no hours as regular, the extended ones are all that there is and count as both.
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

    def reaches(self, at: datetime) -> bool:
        """Whether that moment is not beyond what the schedule tells."""
        return any(hours.closes > at for hours in self.regular + self.extended)

    def is_about(self, at: datetime) -> bool:
        """Whether a schedule that was read at that moment is about that moment.

        One that began days before, or begins in weeks, was made by another clock than that which
        gave ``at``, and nothing can be told by it.
        """
        begins = min((hours.opens for hours in self.regular + self.extended), default=None)
        if begins is None or not self.reaches(at):
            return False
        return begins - _BEGINS_AT_MOST <= at < begins + _BEGUN_AT_MOST

    def _hours(self, *, outside_rth: bool) -> tuple[Hours, ...]:
        return self.regular + self.extended if outside_rth or not self.regular else self.regular


@attrs.frozen(kw_only=True)
class AlgoParameter(Shown):
    """One parameter of an algorithm; ``kind`` is IBKR's word for its type, such as ``Double``.

    ``minimum`` and ``maximum`` bound numbers, ``choices`` texts; ``name`` and ``description`` are
    for people.
    """

    parameter_id: str
    kind: str
    name: str = ""
    description: str = ""
    required: bool = False
    default: str | Decimal | bool | None = None
    choices: tuple[str, ...] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    rank: int | None = None


@attrs.frozen(kw_only=True)
class Algo(Shown):
    """One of IBKR's algorithms that a contract takes; ``algo_id`` is what an order would name.

    ``parameters`` is ``None`` where IBKR did not send them, and empty where there are none.
    """

    algo_id: str
    name: str
    description: str = ""
    parameters: tuple[AlgoParameter, ...] | None = None
