"""Event contracts: find them by category and market, and read by what they are decided.

They are ordered like any other contract, by their contract id.

Source: Web API reference, "Event Contracts"; docs/portfolio.md.
"""

from __future__ import annotations

from ibkr_adapter.account_desk import AccountDesk
from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.model.forecast import (
    CATEGORY_COLUMNS,
    HOURS_COLUMNS,
    EventCategory,
    EventContracts,
    EventDetails,
    EventHours,
    EventRules,
)
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import endpoints, forecast


class Forecasts(AccountDesk):
    """Reads of event contracts."""

    def categories(self) -> Table[EventCategory]:
        """All categories with their markets; each names the one above it."""
        content = self._session.read(endpoints.FORECAST_CATEGORIES)
        return Table(forecast.read_categories(content), CATEGORY_COLUMNS, title="categories")

    def market(self, conid: int, exchange: str | None = None) -> EventContracts:
        """The contracts of a market, by the market's own contract id."""
        query: dict[str, str | int] = {"underlyingConid": _checked(conid)}
        if exchange is not None:
            query["exchange"] = exchange
        return forecast.read_market(self._session.read(endpoints.FORECAST_MARKET, query=query))

    def details(self, conid: int) -> EventDetails:
        """One contract, with the contract ids of its yes and its no."""
        query = {"conid": _checked(conid)}
        return forecast.read_details(self._session.read(endpoints.FORECAST_DETAILS, query=query))

    def rules(self, conid: int) -> EventRules:
        """By what a contract is decided, when, and what it pays."""
        query = {"conid": _checked(conid)}
        return forecast.read_event_rules(self._session.read(endpoints.FORECAST_RULES, query=query))

    def hours(self, conid: int) -> Table[EventHours]:
        """When a contract trades, by day of the week."""
        content = self._session.read(endpoints.FORECAST_SCHEDULES, query={"conid": _checked(conid)})
        return Table(forecast.read_event_hours(content), HOURS_COLUMNS, title="hours")


def _checked(conid: object) -> int:
    if isinstance(conid, bool) or not isinstance(conid, int) or conid <= 0:
        raise InvalidRequest(f"{conid!r:.40} is no contract id; nothing was sent.")
    return conid
