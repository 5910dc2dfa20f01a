"""Read what the Portfolio Analyst answers: values, returns and transactions.

One period comes as series beside a list of days, all periods as objects by account and period, with
other names for the same. Amounts of realised profit are texts, those of transactions numbers; the
printed date has a zone that changes with the season, so the raw one is read. When to ask is for
:mod:`ibkr_adapter.portfolio_desk`: each of these may be asked once in a quarter of an hour.

Source: Web API reference, "Portfolio Analyst", and answers recorded from paper accounts; held by
``tests/unit/test_wire_performance.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.performance import (
    REALISED_COLUMNS,
    TRANSACTION_COLUMNS,
    AllPeriods,
    Measure,
    Performance,
    Point,
    Realised,
    Series,
    Transaction,
    Transactions,
)
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping, rows

PERFORMANCE = "POST /pa/performance"
ALL_PERIODS = "POST /pa/allperiods"
TRANSACTIONS = "POST /pa/transactions"
# Those that the service takes; the description lists others, which it refuses.
PERIODS = ("1D", "7D", "MTD", "1M", "YTD", "1Y")

_MEASURES = (
    ("nav", "navs", Measure.VALUE),
    ("cps", "returns", Measure.CUMULATIVE),
    ("tpps", "returns", Measure.PERIODIC),
)
_MONTH = re.compile(r"[0-9]{6}")


def performance_body(accounts: tuple[str, ...], period: str) -> dict[str, Any]:
    """Write the question for one period."""
    return {"acctIds": list(accounts), "period": period}


def all_periods_body(accounts: tuple[str, ...]) -> dict[str, Any]:
    """Write the question for all periods; the allocation takes the same."""
    return {"acctIds": list(accounts)}


def transactions_body(accounts: tuple[str, ...], conid: int, currency: str, days: int) -> dict[str, Any]:
    """Write the question for transactions; IBKR takes one contract at a time."""
    return {"acctIds": list(accounts), "conids": [conid], "currency": currency, "days": days}


def read_performance(content: Any, period: str) -> Performance:
    """Read one period."""
    body = mapping(content, PERFORMANCE, "the performance")
    series = []
    for key, values, measure in _MEASURES:
        found = body.get(key)
        if isinstance(found, Mapping):
            series += [
                _series(row, values, measure, found)
                for row in rows(found.get("data") or [], PERFORMANCE, "the performance")
            ]
    return Performance(
        period=period,
        accounts=_names(body.get("included")),
        method=numbers.text(body.get("pm")),
        series=tuple(series),
    )


def _series(row: Mapping[str, Any], values: str, measure: Measure, about: Mapping[str, Any]) -> Series:
    start = row.get("startNAV")
    start = start if isinstance(start, Mapping) else {}
    return Series(
        name=numbers.text(row.get("id")) or "",
        measure=measure,
        points=_points(about.get("dates"), row.get(values), PERFORMANCE),
        frequency=numbers.text(about.get("freq")),
        currency=numbers.text(row.get("baseCurrency")),
        start_day=_day(start.get("date")),
        start_value=numbers.decimal(start.get("val")),
    )


def read_all_periods(content: Any) -> AllPeriods:
    """Read all periods; the accounts themselves are keys of the answer."""
    body = mapping(content, ALL_PERIODS, "the performance")
    found: list[Performance] = []
    updated = None
    for name in dict.fromkeys((*_names(body.get("included")), *_names(body.get("view")))):
        account = body.get(name)
        if not isinstance(account, Mapping):
            continue
        updated = numbers.text(account.get("lastSuccessfulUpdate")) or updated
        currency = numbers.text(account.get("baseCurrency"))
        found += [
            Performance(
                period=period,
                accounts=(name,),
                method=numbers.text(body.get("pm")),
                series=_both(name, row, currency),
            )
            for period in _listed(account)
            if isinstance(row := account.get(period), Mapping) and row
        ]
    return AllPeriods(periods=tuple(found), updated=updated)


def _listed(account: Mapping[str, Any]) -> tuple[str, ...]:
    # A trimmed answer may lack the list; what is known is looked for then.
    return _names(account.get("periods")) or PERIODS


def _both(name: str, row: Mapping[str, Any], currency: str | None) -> tuple[Series, ...]:
    start = row.get("startNAV")
    start = start if isinstance(start, Mapping) else {}
    about: dict[str, Any] = {
        "name": name,
        "frequency": numbers.text(row.get("freq")),
        "currency": currency,
        "start_day": _day(start.get("date")),
        "start_value": numbers.decimal(start.get("val")),
    }
    return tuple(
        Series(measure=measure, points=_points(row.get("dates"), row.get(key), ALL_PERIODS), **about)
        for key, measure in (("nav", Measure.VALUE), ("cps", Measure.CUMULATIVE))
        if row.get(key) is not None
    )


def _points(days: Any, values: Any, endpoint: str) -> tuple[Point, ...]:
    """Put days and values together; where one list is longer nobody knows which value is whose."""
    days, values = days or [], values or []
    if not isinstance(days, list) or not isinstance(values, list) or len(days) != len(values):
        raise UnexpectedAnswer(
            "a series came with other days than values; none was guessed.", endpoint=endpoint
        )
    points = []
    for written, value in zip(days, values, strict=True):
        day = _day(written)
        if day is None:
            raise UnexpectedAnswer("a series came with a day that is none.", endpoint=endpoint)
        points.append(Point(day=day, value=numbers.decimal(value)))
    return tuple(points)


def _day(value: Any) -> str | None:
    day = numbers.day(value)
    if day is not None:
        return f"{day:%Y%m%d}"
    month = numbers.text(value)
    # A month is a day with its first in place, so that 202613 is none.
    whole = month is not None and _MONTH.fullmatch(month) and numbers.day(f"{month}01") is not None
    return month if whole else None


def read_transactions(content: Any) -> Transactions:
    """Read the bookings of a contract."""
    body = mapping(content, TRANSACTIONS, "the transactions")
    realised = body.get("rpnl")
    realised = realised if isinstance(realised, Mapping) else {}
    booked = rows(body.get("transactions") or [], TRANSACTIONS, "the transactions")
    closed = rows(realised.get("data") or [], TRANSACTIONS, "the realised profit")
    return Transactions(
        currency=numbers.text(body.get("currency")),
        begins=numbers.moment(body.get("from")),
        ends=numbers.moment(body.get("to")),
        rows=Table((_transaction(row) for row in booked), TRANSACTION_COLUMNS, title="transactions"),
        realised=Table((_realised(row) for row in closed), REALISED_COLUMNS, title="realised"),
        realised_sum=numbers.decimal(realised.get("amt")),
    )


def _transaction(row: Mapping[str, Any]) -> Transaction:
    return Transaction(
        day=numbers.day(row.get("rawDate")),
        kind=numbers.text(row.get("type")),
        account_id=numbers.text(row.get("acctid")),
        conid=numbers.conid(row.get("conid")),
        description=numbers.text(row.get("desc")),
        quantity=numbers.decimal(row.get("qty")),
        price=numbers.decimal(row.get("pr")),
        amount=numbers.decimal(row.get("amt")),
        currency=numbers.text(row.get("cur")),
        rate=_rate(row),
    )


def _realised(row: Mapping[str, Any]) -> Realised:
    # Its "side" is said to mean a gain or a loss and does not: a gain came with L, for long.
    return Realised(
        day=numbers.day(row.get("date")),
        account_id=numbers.text(row.get("acctid")),
        conid=numbers.conid(row.get("conid")),
        amount=numbers.decimal(row.get("amt")),
        currency=numbers.text(row.get("cur")),
        rate=_rate(row),
        position_side=numbers.text(row.get("positionSide")),
    )


def _rate(row: Mapping[str, Any]) -> Decimal | None:
    return numbers.decimal(row.get("fxRate"))


def _names(value: Any) -> tuple[str, ...]:
    names = [numbers.text(name) for name in value] if isinstance(value, list) else []
    return tuple(name for name in names if name is not None)
