"""Read what IBKR tells of event contracts.

Source: Web API reference, "Event Contracts", whose examples no recording confirms; held by
``tests/unit/test_wire_forecast.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.forecast import (
    EVENT_COLUMNS,
    EventCategory,
    EventContract,
    EventContracts,
    EventDetails,
    EventHours,
    EventMarket,
    EventRules,
)
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping, rows

CATEGORIES = "GET /forecast/category/tree"
MARKET = "GET /forecast/contract/market"
DETAILS = "GET /forecast/contract/details"
RULES = "GET /forecast/contract/rules"
SCHEDULES = "GET /forecast/contract/schedules"


def read_categories(content: Any) -> tuple[EventCategory, ...]:
    """Read the tree of categories, flat: each names the one above it."""
    body = mapping(content, CATEGORIES, "the categories")
    return tuple(
        EventCategory(
            key=str(key),
            name=numbers.text(row.get("name")),
            parent=numbers.text(row.get("parent_id")),
            markets=tuple(
                _market(market, str(key))
                for market in rows(row.get("markets") or [], CATEGORIES, "the markets of a category")
            ),
        )
        for key, row in mapping(body.get("categories"), CATEGORIES, "the categories").items()
        if isinstance(row, Mapping)
    )


def _market(row: Mapping[str, Any], category: str) -> EventMarket:
    return EventMarket(
        conid=_conid(row, CATEGORIES, "a market"),
        name=numbers.text(row.get("name")),
        symbol=numbers.text(row.get("symbol")),
        exchange=numbers.text(row.get("exchange")),
        product_conid=numbers.conid(row.get("product_conid")),
        category=category,
    )


def read_market(content: Any) -> EventContracts:
    """Read the contracts of a market."""
    body = mapping(content, MARKET, "the market")
    found = [
        EventContract(
            conid=_conid(row, MARKET, "an event contract"),
            side=numbers.text(row.get("side")),
            strike=numbers.decimal(row.get("strike")),
            label=numbers.text(row.get("strike_label")),
            expiry=numbers.day(row.get("expiration")),
            expiry_label=numbers.text(row.get("expiry_label")),
            underlying_conid=numbers.conid(row.get("underlying_conid")),
            period=numbers.text(row.get("time_specifier")),
        )
        for row in rows(body.get("contracts") or [], MARKET, "the contracts of a market")
    ]
    name = numbers.text(body.get("market_name"))
    return EventContracts(
        name=name,
        symbol=numbers.text(body.get("symbol")),
        exchange=numbers.text(body.get("exchange")),
        payout=numbers.decimal(body.get("payout")),
        rows=Table(found, EVENT_COLUMNS, title=name or "event contracts"),
    )


def read_details(content: Any) -> EventDetails:
    """Read one contract with both its sides."""
    body = mapping(content, DETAILS, "the event contract")
    return EventDetails(
        question=numbers.text(body.get("question")),
        side=numbers.text(body.get("side")),
        yes=numbers.conid(body.get("conid_yes")),
        no=numbers.conid(body.get("conid_no")),
        strike=numbers.decimal(body.get("strike")),
        label=numbers.text(body.get("strike_label")),
        expiry=numbers.day(body.get("expiration")),
        symbol=numbers.text(body.get("symbol")),
        exchange=numbers.text(body.get("exchange")),
        market=numbers.text(body.get("market_name")),
        category=numbers.text(body.get("category")),
        period=numbers.text(body.get("measured_period")),
        underlying_conid=numbers.conid(body.get("underlying_conid")),
        payout=numbers.decimal(body.get("payout")),
    )


def read_event_rules(content: Any) -> EventRules:
    """Read by what a contract is decided."""
    body = mapping(content, RULES, "the rules of an event contract")
    return EventRules(
        description=numbers.text(body.get("description")),
        market=numbers.text(body.get("market_name")),
        period=numbers.text(body.get("measured_period")),
        threshold=numbers.text(body.get("threshold")),
        agency=numbers.text(body.get("source_agency")),
        resolution_link=numbers.text(body.get("data_and_resolution_link")),
        rules_link=numbers.text(body.get("market_rules_link")),
        product=numbers.text(body.get("product_code")),
        last_trade=numbers.moment(body.get("last_trade_time")),
        released=numbers.moment(body.get("release_time")),
        paid=numbers.moment(body.get("payout_time")),
        payout=numbers.text(body.get("payout")),
        increment=numbers.text(body.get("price_increment")),
        zone=numbers.text(body.get("exchange_timezone")),
    )


def read_event_hours(content: Any) -> tuple[EventHours, ...]:
    """Read the hours by day of the week."""
    body = mapping(content, SCHEDULES, "the hours of an event contract")
    zone = numbers.text(body.get("timezone"))
    return tuple(
        EventHours(
            day=numbers.text(day.get("day_of_week")) or "",
            opens=numbers.text(hours.get("open")),
            closes=numbers.text(hours.get("close")),
            zone=zone,
        )
        for day in rows(body.get("trading_schedules") or [], SCHEDULES, "the days of trading")
        for hours in rows(day.get("trading_times") or [], SCHEDULES, "the hours of trading")
    )


def _conid(row: Mapping[str, Any], endpoint: str, what: str) -> int:
    conid = numbers.conid(row.get("conid"))
    if conid is None:
        raise UnexpectedAnswer(f"{what} came without its contract id.", endpoint=endpoint)
    return conid
