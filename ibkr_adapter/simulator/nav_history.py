"""What an account was worth at any moment, looking back.

Today's worth, with every fill undone that came later, at the prices of the moment. Rates stand
still and nobody pays in or out, so it changes by trading and by prices alone; positions that the
control room gave count as held from the beginning. All sums are US dollars.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.charges import fee_currency
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import Execution

if TYPE_CHECKING:
    from ibkr_adapter.simulator.world import World

# The day on which every account was opened, as the account lists tell it.
OPENED = date(2026, 2, 1)
_WORK_WEEK = 5
_WEEK = timedelta(days=6)
# The first day of a period by the last one.
PERIODS: dict[str, Callable[[date], date]] = {
    "1D": lambda end: end,
    "7D": lambda end: end - _WEEK,
    "MTD": lambda end: end.replace(day=1),
    "1M": lambda end: _back(end, 1),
    "YTD": lambda end: end.replace(month=1, day=1),
    "1Y": lambda end: _back(end, 12),
}


def _back(day: date, months: int) -> date:
    """The same day so many months before, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@attrs.frozen(kw_only=True)
class Series:
    """The worth of accounts at the end of each day of a period; ``before`` is that of its eve."""

    start: date
    end: date
    eve: date
    before: Decimal
    days: list[date]
    worths: list[Decimal]


def series(world: World, accounts: Sequence[str], period: str) -> Series:
    """The worth of accounts together, on each weekday of a period that ends now."""
    end = hours.local_day(world.now)
    start = max(PERIODS[period](end), OPENED)
    days = work_days(start, end) or work_days(start - _WEEK, end)[-1:]
    eve = work_days(days[0] - _WEEK, days[0] - timedelta(days=1))[-1]
    moments = [evening(day, world.now) for day in (eve, *days)]
    each = [worths(world, one, moments) for one in accounts]
    before, *after = [sum(parts, Decimal(0)) for parts in zip(*each, strict=True)]
    return Series(start=start, end=end, eve=eve, before=before, days=days, worths=after)


def worths(world: World, account_id: str, moments: Sequence[datetime]) -> list[Decimal]:
    """Net liquidation value at each of the moments, which ascend."""
    account = world.accounts[account_id]
    held = {one.instrument: one.quantity for one in account.positions.values()}
    money = world.standing(account_id).net - _value(world, held, world.now)
    later = [one for one in world.book.executions if one.account == account_id]
    found = []
    for moment in reversed(moments):
        while later and later[-1].moment > moment:
            money += _undone(world, later.pop(), held)
        found.append(money + _value(world, held, moment))
    return found[::-1]


def _value(world: World, held: dict[Instrument, Decimal], moment: datetime) -> Decimal:
    return sum(
        (
            size * world.prices.last(one, moment) * one.multiplier * world.rate(one.currency)
            for one, size in held.items()
            if size
        ),
        Decimal(0),
    )


def _undone(world: World, execution: Execution, held: dict[Instrument, Decimal]) -> Decimal:
    """The money that a fill had moved; ``held`` becomes what was held before it."""
    instrument = execution.instrument
    signed = execution.quantity if execution.side == "BUY" else -execution.quantity
    spent = signed * execution.price * instrument.multiplier * world.rate(instrument.currency)
    spent += execution.commission * world.rate(fee_currency(instrument))
    if instrument.base is not None:
        return spent - signed * world.rate(instrument.base)
    held[instrument] -= signed
    return spent


def work_days(first: date, last: date) -> list[date]:
    """Mondays to Fridays, both ends included: performance has a point for holidays, too."""
    days = (first + timedelta(days=one) for one in range((last - first).days + 1))
    return [day for day in days if day.weekday() < _WORK_WEEK]


def evening(day: date, now: datetime) -> datetime:
    """The end of a New York day, or now while it lasts."""
    return min(hours.midnight(day + timedelta(days=1)), now)


def of_today(world: World, account_id: str) -> Decimal:
    """The profit since midnight in New York; on an account's first day all that it ever made."""
    account, now = world.accounts[account_id], world.now
    today = hours.local_day(now)
    sums = world.standing(account_id)
    if hours.local_day(account.opened) == today:
        return sums.realised + sums.unrealised
    return sums.net - worths(world, account_id, [hours.midnight(today)])[0]
