"""Event contracts: questions with a yes and a no that can be bought.

Prices are between nothing and the payout. How IBKR writes it is for :mod:`ibkr_adapter.wire.forecast`.

Source: Web API reference, "Event Contracts".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.table import Table


@attrs.frozen(kw_only=True)
class EventMarket(Shown):
    """A market: one question with a contract for each answer and each level.

    ``conid`` is the market's own, to be given as the underlying; it cannot be ordered.
    """

    conid: int
    name: str | None = None
    symbol: str | None = None
    exchange: str | None = None
    product_conid: int | None = None
    category: str | None = None


@attrs.frozen(kw_only=True)
class EventCategory(Shown):
    """A category; ``parent`` is the key of the one above it."""

    key: str
    name: str | None = None
    parent: str | None = None
    markets: tuple[EventMarket, ...] = ()


@attrs.frozen(kw_only=True)
class EventContract(Shown):
    """One side of one level of a market: Y or N."""

    conid: int
    side: str | None = None
    strike: Decimal | None = None
    label: str | None = None
    expiry: date | None = None
    expiry_label: str | None = None
    underlying_conid: int | None = None
    period: str | None = None


@attrs.frozen(kw_only=True)
class EventContracts(Shown):
    """The contracts of one market."""

    name: str | None
    symbol: str | None
    exchange: str | None
    payout: Decimal | None
    rows: Table[EventContract]


@attrs.frozen(kw_only=True)
class EventDetails(Shown):
    """One contract, with the conids of both its sides."""

    question: str | None = None
    side: str | None = None
    yes: int | None = None
    no: int | None = None
    strike: Decimal | None = None
    label: str | None = None
    expiry: date | None = None
    symbol: str | None = None
    exchange: str | None = None
    market: str | None = None
    category: str | None = None
    period: str | None = None
    underlying_conid: int | None = None
    payout: Decimal | None = None


@attrs.frozen(kw_only=True)
class EventRules(Shown):
    """By what a contract is decided, and when."""

    description: str | None = None
    market: str | None = None
    period: str | None = None
    threshold: str | None = None
    agency: str | None = None
    resolution_link: str | None = None
    rules_link: str | None = None
    product: str | None = None
    last_trade: datetime | None = None
    released: datetime | None = None
    paid: datetime | None = None
    payout: str | None = None
    increment: str | None = None
    zone: str | None = None


@attrs.frozen(kw_only=True)
class EventHours(Shown):
    """One stretch of trading on a day of the week, as IBKR writes it (``12:00 AM``)."""

    day: str
    opens: str | None
    closes: str | None
    zone: str | None


def _markets(row: EventCategory) -> int:
    return len(row.markets)


CATEGORY_COLUMNS: Mapping[str, Callable[[EventCategory], Any]] = {
    "key": attrgetter("key"),
    "name": attrgetter("name"),
    "parent": attrgetter("parent"),
    "markets": _markets,
}
EVENT_COLUMNS: Mapping[str, Callable[[EventContract], Any]] = {
    "conid": attrgetter("conid"),
    "side": attrgetter("side"),
    "strike": attrgetter("strike"),
    "label": attrgetter("label"),
    "expiry": attrgetter("expiry"),
    "period": attrgetter("period"),
}
HOURS_COLUMNS: Mapping[str, Callable[[EventHours], Any]] = {
    "day": attrgetter("day"),
    "opens": attrgetter("opens"),
    "closes": attrgetter("closes"),
    "zone": attrgetter("zone"),
}
