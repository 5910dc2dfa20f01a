"""Sums of an account on a stream: profit and loss (``spl``), summary (``ssd``), ledger (``sld``).

They need no brokerage session. The first frame is whole; after it profit tells what has changed, at
most once a second, the summary what has changed every ten seconds, and the ledger every ten
seconds all currencies, those that have not changed by name only. Long numbers of the ledger are
in E notation. Payloads are under ``result``, not ``args``, but for profit; stamps are seconds.

Guesses: the rhythm of the summary, and that what is not asked for by name is told whole.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator.stream_frames import Feed, Wish, frame, frame_in_java
from ibkr_adapter.simulator.views_portfolio import ledger_body, profit_row, summary_body

if TYPE_CHECKING:
    from ibkr_adapter.simulator.door import Frame
    from ibkr_adapter.simulator.world import World

_PROFIT_EVERY = timedelta(seconds=1)
_SUMS_EVERY = timedelta(seconds=10)
_Row = dict[str, Any]
_NAMES = (
    "AccountCode",
    "AccountReady",
    "AccountType",
    "AccruedCash",
    "AccruedDividend",
    "AvailableFunds",
    "AvailableToTrade",
    "AvailableToWithdraw",
    "Billable",
    "BuyingPower",
    "ColumnPrio",
    "Cushion",
    "DayTradesRemaining",
    "DayTradesRemainingT+1",
    "DayTradesRemainingT+2",
    "DayTradesRemainingT+3",
    "DayTradesRemainingT+4",
    "DayTradingStatus",
    "DepositOnCreditHold",
    "EquityWithLoanValue",
    "ExcessLiquidity",
    "FullAvailableFunds",
    "FullExcessLiquidity",
    "FullInitMarginReq",
    "FullMaintMarginReq",
    "GrossPositionValue",
    "Guarantee",
    "HighestSeverity",
    "IndianStockHaircut",
    "InitMarginReq",
    "Leverage",
    "LookAheadAvailableFunds",
    "LookAheadExcessLiquidity",
    "LookAheadInitMarginReq",
    "LookAheadMaintMarginReq",
    "LookAheadNextChange",
    "MaintMarginReq",
    "NetLiquidation",
    "NetLiquidationUncertainty",
    "NLVAndMarginInReview",
    "PASharesValue",
    "PhysicalCertificateValue",
    "PostExpirationExcess",
    "PostExpirationMargin",
    "PreviousDayEquityWithLoanValue",
    "RegTEquity",
    "RegTMargin",
    "SegmentTitle",
    "SMA",
    "TotalCashValue",
    "TotalDebitCardPendingCharges",
    "TradingType",
    "WhatIfPMEnabled",
)
_ALWAYS_NEW = "LookAheadNextChange"
_SPELT = {one.lower(): one for one in _NAMES}
_LEDGER_KEYS = {
    "acctCode": "acctcode",
    "cashbalance": "cashbalance",
    "cashBalanceFXSegment": "cashbalancefxsegment",
    "dividends": "dividends",
    "exchangeRate": "exchangerate",
    "netLiquidationValue": "netliquidationvalue",
    "realizedPnl": "realizedpnl",
    "unrealizedPnl": "unrealizedpnl",
    "secondKey": "secondkey",
    "settledCash": "settledcash",
    "severity": "severity",
    "stockMarketValue": "stockmarketvalue",
    "interest": "interest",
}


class ProfitFeed(Feed):
    """Profit and loss of the accounts, each under its own key."""

    of_brokerage = False

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: dict[str, _Row] = {}
        self._due = world.now

    def look(self, now: datetime) -> list[Frame]:
        """What has changed in the last second."""
        if now < self._due:
            return []
        self._due = now + _PROFIT_EVERY
        changed = {}
        for account_id in self._world.accounts:
            row = profit_row(self._world.standing(account_id))
            before = self._told.get(account_id, {})
            fresh = {key: value for key, value in row.items() if before.get(key) != value}
            self._told[account_id] = row
            if fresh:
                changed[f"{account_id}.Core"] = {"rowType": 1, **fresh}
        return [frame({"topic": "spl", "args": changed})] if changed else []


class _SumsFeed(Feed):
    """What both tables of sums have in common."""

    of_brokerage = False
    topic = ""
    farewell = ""

    def __init__(self, world: World, wish: Wish) -> None:
        self.world = world
        self.account = wish.target
        self._keys = {one.lower() for one in wish.texts("keys")}
        self._fields = {one.lower() for one in wish.texts("fields")}
        self._due = world.now

    def look(self, now: datetime) -> list[Frame]:
        """The rows that are due."""
        if now < self._due:
            return []
        self._due = now + _SUMS_EVERY
        rows = [one for one in self.rows(now) if not self._keys or one["key"].lower() in self._keys]
        return self.told(rows) if rows else []

    def rows(self, now: datetime) -> list[_Row]:
        """All rows, as they are now."""
        raise NotImplementedError

    def told(self, rows: list[_Row]) -> list[Frame]:
        """The frame for some rows."""
        raise NotImplementedError

    def shown(self, row: _Row) -> _Row:
        """A row with the fields that were asked for; arguments and keys differ in their case."""
        if not self._fields:
            return row
        wanted = self._fields | {"key", "timestamp"}
        return {key: value for key, value in row.items() if key.lower() in wanted}

    def close(self) -> list[Frame]:
        """Say that it is over."""
        return [frame({"result": f"unsubscribed from {self.farewell}"}, topic=f"u{self.topic[1:]}")]


class SummaryFeed(_SumsFeed):
    """The summary of one account."""

    topic, farewell = "ssd", "summary"

    def __init__(self, world: World, wish: Wish) -> None:
        super().__init__(world, wish)
        self._told: dict[str, Any] = {}

    def rows(self, now: datetime) -> list[_Row]:
        """Every sum, by its name with its segment."""
        account = self.world.accounts[self.account]
        body = summary_body(account, self.world.standing(self.account), now)
        return [_summary_row(key, sums) for key, sums in body.items()]

    def told(self, rows: list[_Row]) -> list[Frame]:
        """Those that have changed."""
        fresh = []
        for row in rows:
            value = row.get("monetaryValue", row.get("value"))
            # A moment that is always now is no news.
            if row["key"] == _ALWAYS_NEW and _ALWAYS_NEW in self._told:
                continue
            if self._told.get(row["key"], self) != value:
                self._told[row["key"]] = value
                fresh.append(self.shown(row))
        return [frame({"result": fresh, "topic": f"ssd+{self.account}"})] if fresh else []


class LedgerFeed(_SumsFeed):
    """The ledger of one account."""

    topic, farewell = "sld", "ledger"

    def __init__(self, world: World, wish: Wish) -> None:
        super().__init__(world, wish)
        self._told: dict[str, _Row] = {}

    def rows(self, now: datetime) -> list[_Row]:
        """One row a currency, and one for all of them."""
        body = ledger_body(self.world.accounts[self.account], self.world.last, now)
        return [
            {name: sums[key] for name, key in _LEDGER_KEYS.items()}
            | {"key": f"LedgerList{currency}", "timestamp": sums["timestamp"]}
            for currency, sums in body.items()
        ]

    def told(self, rows: list[_Row]) -> list[Frame]:
        """All of them, but those that have not changed by name only."""
        fresh = []
        for row in rows:
            sums = {key: value for key, value in row.items() if key != "timestamp"}
            is_new = self._told.get(row["key"]) != sums
            self._told[row["key"]] = sums
            blank = {"key": row["key"], "timestamp": row["timestamp"]}
            fresh.append(self.shown(row) if is_new else blank)
        return [frame_in_java({"result": fresh, "topic": f"sld+{self.account}"})]


def _summary_row(key: str, sums: _Row) -> _Row:
    base, dash, segment = key.partition("-")
    row: _Row = {"key": f"{_SPELT[base]}{dash}{segment.upper()}"}
    if sums["currency"] is None:
        return row | {"value": sums["value"], "timestamp": sums["timestamp"]}
    return row | {
        "currency": sums["currency"],
        "monetaryValue": sums["amount"],
        "severity": 0,
        "timestamp": sums["timestamp"],
    }
