"""How accounts have done: values and returns over days, and the transactions behind them.

Days are those of the account's statements. Returns are fractions, 0.01 is one percent. How IBKR
writes it is for :mod:`ibkr_adapter.wire.performance`.

Source: Web API reference, "Portfolio Analyst".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter, itemgetter
from typing import Any

import attrs

from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.table import Table


class Measure(StrEnum):
    """What a series tells."""

    VALUE = "value"
    CUMULATIVE = "cumulative return"
    PERIODIC = "return of the period"


@attrs.frozen(kw_only=True)
class Point(Shown):
    """One value of a series; ``day`` is a day, or a month written ``202608``."""

    day: str
    value: Decimal | None

    @property
    def date(self) -> date | None:
        """The day as a date; ``None`` for a month."""
        whole = len(self.day) == len("20260801")
        return date.fromisoformat(self.day) if whole else None


@attrs.frozen(kw_only=True)
class Series(Shown):
    """Values over time, of one account or of several taken together.

    ``frequency`` is IBKR's letter, D for days and M for months. ``start_value`` is what stood at the end
    of ``start_day``, before the first point.
    """

    name: str
    measure: Measure
    points: tuple[Point, ...] = ()
    frequency: str | None = None
    currency: str | None = None
    start_day: str | None = None
    start_value: Decimal | None = None


@attrs.frozen(kw_only=True)
class Performance(Shown):
    """What the analyst tells of one period.

    ``method`` is IBKR's, TWR for time-weighted. ``accounts`` are those that are in it; several are one
    series. On paper the series can hold rows that never were.
    """

    period: str
    accounts: tuple[str, ...] = ()
    method: str | None = None
    series: tuple[Series, ...] = ()

    def of(self, measure: Measure) -> Series | None:
        """The series of one measure, where it came."""
        return next((found for found in self.series if found.measure is measure), None)

    def table(self) -> Table[tuple[str, Series, Point]]:
        """All points, one a row."""
        return Table(
            ((self.period, series, point) for series in self.series for point in series.points),
            POINT_COLUMNS,
            title=f"performance {self.period}",
        )


@attrs.frozen(kw_only=True)
class AllPeriods(Shown):
    """What the analyst tells of every period, by account.

    ``updated`` is IBKR's own word on when it last succeeded; its time zone is not known for sure.
    """

    periods: tuple[Performance, ...] = ()
    updated: str | None = None

    def __iter__(self) -> Iterator[Performance]:
        return iter(self.periods)

    def of(self, period: str, account_id: str | None = None) -> Performance | None:
        """One period, of one account where there are several."""
        return next(
            (
                found
                for found in self.periods
                if found.period == period and (account_id is None or account_id in found.accounts)
            ),
            None,
        )

    def table(self) -> Table[tuple[str, Series, Point]]:
        """All points of all periods, one a row."""
        return Table(
            (row for found in self.periods for row in found.table()), POINT_COLUMNS, title="performance"
        )


@attrs.frozen(kw_only=True)
class Transaction(Shown):
    """One booking in an account; what is no trade has neither price nor quantity.

    ``amount`` is in ``currency``, negative where money left.
    """

    day: date | None
    kind: str | None
    account_id: str | None
    conid: int | None
    description: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    currency: str | None = None
    rate: Decimal | None = None


@attrs.frozen(kw_only=True)
class Realised(Shown):
    """What one day's closing realised; its sign is that of ``amount`` and nothing else."""

    day: date | None
    account_id: str | None
    conid: int | None
    amount: Decimal | None
    currency: str | None = None
    rate: Decimal | None = None
    position_side: str | None = None


@attrs.frozen(kw_only=True)
class Transactions(Shown):
    """The bookings of one contract, and what they realised in sum."""

    currency: str | None
    begins: datetime | None
    ends: datetime | None
    rows: Table[Transaction]
    realised: Table[Realised]
    realised_sum: Decimal | None = None


_PointRow = tuple[str, Series, Point]


def _account(row: _PointRow) -> Any:
    return row[1].name


def _measure(row: _PointRow) -> Any:
    return row[1].measure.value


def _day(row: _PointRow) -> Any:
    return row[2].day


def _value(row: _PointRow) -> Any:
    return row[2].value


POINT_COLUMNS: Mapping[str, Callable[[_PointRow], Any]] = {
    "period": itemgetter(0),
    "account": _account,
    "measure": _measure,
    "day": _day,
    "value": _value,
}
TRANSACTION_COLUMNS: Mapping[str, Callable[[Transaction], Any]] = {
    "day": attrgetter("day"),
    "kind": attrgetter("kind"),
    "account": attrgetter("account_id"),
    "conid": attrgetter("conid"),
    "quantity": attrgetter("quantity"),
    "price": attrgetter("price"),
    "amount": attrgetter("amount"),
    "currency": attrgetter("currency"),
    "description": attrgetter("description"),
}
REALISED_COLUMNS: Mapping[str, Callable[[Realised], Any]] = {
    "day": attrgetter("day"),
    "account": attrgetter("account_id"),
    "conid": attrgetter("conid"),
    "amount": attrgetter("amount"),
    "currency": attrgetter("currency"),
    "side": attrgetter("position_side"),
}
