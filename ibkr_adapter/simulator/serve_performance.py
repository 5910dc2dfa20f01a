"""Portfolio Analyst: what accounts were worth, what they traded, and what they hold by kinds.

A point for each weekday up to today, whose last one is now; several accounts are added up into one
series. Periods are the six that are accepted live, not those of the documents. An unknown account
is 500. Sums are US dollars, returns are fractions since the day before the period.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import answers, hours, nav_history
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import number
from ibkr_adapter.simulator.nav_history import PERIODS, Series
from ibkr_adapter.simulator.order import Execution
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.routes import Call, Route, post
from ibkr_adapter.simulator.views_performance import (
    allocation_body,
    performance_body,
    period_body,
    transactions_body,
)
from ibkr_adapter.simulator.world import World

_DAYS = 90
# A hundred years: beyond, a calendar has no such day.
_MOST_DAYS = 36_500
# Seen on a paper account: one row that is nobody's worth.
_BOGUS = Decimal("7267.05")
_LONG_PERIODS = frozenset({"YTD", "1Y"})


class PerformanceEndpoints:
    """Serve Portfolio Analyst for one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here; each may be asked once in a quarter of an hour."""
        return [
            post("/pa/performance", self.performance),
            post("/pa/allperiods", self.all_periods),
            post("/pa/transactions", self.transactions),
            post("/pa/allocation", self.allocation),
        ]

    @property
    def _today(self) -> date:
        return hours.local_day(self._world.now)

    def _known(self, ids: Any, lacking: str) -> list[str]:
        """The accounts that were asked for."""
        if not isinstance(ids, list) or not ids:
            raise RefusalError(answers.bad_request(lacking))
        if any(one not in self._world.accounts for one in map(str, ids)):
            raise RefusalError(answers.refusal("Unable to process the request for these accounts", 500))
        return [str(one) for one in ids]

    # Worth.

    def performance(self, call: Call) -> Answer:
        """The series of one period, days and months."""
        wishes = call.either()
        accounts = self._known(wishes.get("acctIds"), "acctIds is required")
        period = wishes.get("period")
        if not isinstance(period, str) or period not in PERIODS:
            return answers.bad_request(f"Invalid period: {period}")
        return answers.json_answer(performance_body(accounts, self._series(accounts, period)))

    def all_periods(self, call: Call) -> Answer:
        """All series of each account, under its id as a key; ``param`` is one account."""
        param = call.query.get("param")
        body = call.json()
        ids = [param] if param is not None else body.get("acctIds") if isinstance(body, dict) else None
        accounts = self._known(ids, "acctIds is required")
        year = self._series(accounts[:1], "1Y")
        told: dict[str, Any] = {
            "pm": "TWR",
            "nd": (year.end - year.start).days + 1,
            "id": "getPerformanceAllPeriods",
            "currencyType": "base",
            "rc": 0,
            "view": accounts,
            "included": accounts,
        }
        for account in accounts:
            told[account] = {
                **{period: period_body(self._series([account], period)) for period in PERIODS},
                "periods": list(PERIODS),
                "baseCurrency": "USD",
                "start": f"{year.start:%Y%m%d}",
                "end": f"{year.end:%Y%m%d}",
                "lastSuccessfulUpdate": f"{self._world.now.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
            }
        return answers.json_answer(told)

    def _series(self, accounts: list[str], period: str) -> Series:
        found = nav_history.series(self._world, accounts, period)
        if self._world.options.bogus_performance and period in _LONG_PERIODS:
            found.worths[0] = _BOGUS
        return found

    # Trades.

    def transactions(self, call: Call) -> Answer:
        """What was traded of one contract, and what it realised."""
        wishes = call.json() if isinstance(call.json(), dict) else {}
        lacking = "acctIds, currency and conids are required"
        conids, currency = wishes.get("conids"), wishes.get("currency")
        if not isinstance(conids, list) or not conids or currency is None:
            return answers.bad_request(lacking)
        accounts = self._known(wishes.get("acctIds"), lacking)
        conid = whole(str(conids[0]))
        if conid is None or str(currency) not in self._rates:
            return answers.bad_request("conids or currency is not valid")
        days = wishes.get("days", _DAYS)
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= _MOST_DAYS:
            return answers.bad_request("days is not valid")
        last = datetime(self._today.year, self._today.month, self._today.day, tzinfo=UTC)
        first = last - timedelta(days=days)
        traded = [
            one
            for one in self._world.book.executions
            if one.account in accounts and self._is_meant(one, conid, first.date())
        ]
        rate = self._world.rate(str(currency))
        body = transactions_body(traded, str(currency), lambda one: self._world.rate(one) / rate, self._today)
        period = {"nd": days + 1, "from": _milliseconds(first), "to": _milliseconds(last)}
        return answers.json_answer(body | period)

    @property
    def _rates(self) -> set[str]:
        return {one for account in self._world.accounts.values() for one in account.currencies()} | {"USD"}

    @staticmethod
    def _is_meant(one: Execution, conid: int, first: date) -> bool:
        return one.instrument.conid == conid and hours.local_day(one.moment) >= first

    # Kinds.

    def allocation(self, call: Call) -> Answer:
        """What accounts hold, in five ways of sorting it."""
        body = call.json()
        accounts = self._known(body.get("acctIds") if isinstance(body, dict) else None, "acctIds is required")
        world = self._world
        cash = sum((world.standing(one).cash for one in accounts), Decimal(0))
        held = [
            (one.instrument, one.value(world.last(one.instrument)) * world.rate(one.instrument.currency))
            for account in accounts
            for one in world.accounts[account].open_positions()
        ]
        return answers.json_answer(allocation_body(held, cash))


def _milliseconds(moment: datetime) -> int:
    return int(number(Decimal(str(moment.timestamp()))) * 1000)
