"""What an account was worth at any moment, looking back.

Today's worth, with every fill undone that came later, at the prices of the moment. Rates stand
still and nobody pays in or out, so it changes by trading and by prices alone; positions that the
control room gave count as held from the beginning. All sums are US dollars.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.charges import fee_currency
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import Execution

if TYPE_CHECKING:
    from ibkr_adapter.simulator.world import World

_WORK_WEEK = 5


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
