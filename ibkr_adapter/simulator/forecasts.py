"""Event contracts: a tree of categories, two markets in it, and a yes and a no for each strike.

All of it is invented, conids too; they can be looked at and not traded. Dates follow the market's
clock: there is always a contract for this year and one for the next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.simulator import hours

EXCHANGE = "FORECASTX"
CATEGORIES: dict[str, dict[str, Any]] = {
    "g900001": {"name": "Environment"},
    "g900002": {"name": "Weather", "parent_id": "g900001"},
    "g900003": {"name": "Economy"},
}
_YEARS = 2


@attrs.frozen(kw_only=True)
class Market:
    """What is asked about; ``first`` is the conid of its first contract."""

    name: str
    symbol: str
    conid: int
    category: str
    root: str
    strikes: tuple[Decimal, ...]
    unit: str
    source: str
    first: int

    def as_json(self) -> dict[str, Any]:
        """The market as it stands in the tree."""
        return {
            "name": self.name,
            "symbol": self.symbol,
            "exchange": EXCHANGE,
            "conid": self.conid,
            "product_conid": self.conid + 1,
        }


MARKETS = (
    Market(
        name="Hot days in New York",
        symbol="XHOT",
        conid=930_000_001,
        category="g900002",
        root="g900001",
        strikes=(Decimal(20), Decimal(25), Decimal(30)),
        unit="days",
        source="Simulated Weather Service",
        first=930_000_101,
    ),
    Market(
        name="Simulated interest rate",
        symbol="XRATE",
        conid=930_000_003,
        category="g900003",
        root="g900003",
        strikes=(Decimal("3.25"), Decimal("3.5")),
        unit="percent",
        source="Simulated Central Bank",
        first=930_000_301,
    ),
)


@attrs.frozen(kw_only=True)
class Forecast:
    """One contract: whether a figure will be above a strike at the end of a year."""

    conid: int
    market: Market
    strike: Decimal
    year: int
    side: str

    @property
    def twin(self) -> int:
        """The conid of the other side."""
        return self.conid + 1 if self.side == "Y" else self.conid - 1

    @property
    def ends(self) -> datetime:
        """When it is decided: the first day of the year after."""
        return datetime(self.year + 1, 1, 1, 12, tzinfo=hours.NEW_YORK)

    @property
    def label(self) -> str:
        """The strike in words."""
        return f"Above {self.strike:,}"

    @property
    def measured(self) -> str:
        """The period in words."""
        return f"Dec31'{self.year % 100:02}"

    @property
    def paid(self) -> datetime:
        """When it is paid out."""
        return self.ends + timedelta(hours=21)


def listed(market: Market, now: datetime) -> list[Forecast]:
    """The contracts of a market that there are now."""
    first = hours.local_day(now).year
    found = []
    for year in range(first, first + _YEARS):
        for place, strike in enumerate(market.strikes):
            # A year and a strike keep their conids whenever they are asked for.
            conid = market.first + (year % 10) * 20 + place * 2
            for offset, side in enumerate("YN"):
                found.append(
                    Forecast(conid=conid + offset, market=market, strike=strike, year=year, side=side)
                )
    return found
