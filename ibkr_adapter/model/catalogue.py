"""What IBKR lists beside single contracts: an exchange's shares, filters of bonds, venues' calendars.

Source: Web API reference, "All Conids by Exchange", "Bond Filters", "Trading Schedule by Symbol".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class ListedShare(Shown):
    """A share of an exchange."""

    conid: int
    symbol: str | None = None
    exchange: str | None = None


@attrs.frozen(kw_only=True)
class BondFilter(Shown):
    """A value by which the bonds of an issuer can be told apart; ``column`` is IBKR's number."""

    name: str | None
    column: int | None
    value: str
    text: str | None = None


@attrs.frozen(kw_only=True)
class VenueHours(Shown):
    """One stretch of a venue's day, four digits each (``0930``), in the venue's own ``zone``.

    Days of the year 2000 stand for weekdays: 1 January 2000 is any Saturday. ``is_liquid`` marks regular hours.
    """

    exchange: str | None
    day: date
    opens: str | None
    closes: str | None
    zone: str | None
    is_liquid: bool = False


@attrs.frozen(kw_only=True)
class LoginState(Shown):
    """What IBKR says of the login; the user's names are in no repr.

    ``expires_in`` is in milliseconds as IBKR sends it.
    """

    is_valid: bool
    expires_in: int | None = None
    user_name: str | None = attrs.field(default=None, repr=False)
    paper_user_name: str | None = attrs.field(default=None, repr=False)
    region: str | None = None


SHARE_LIST_COLUMNS: Mapping[str, Callable[[ListedShare], Any]] = {
    "conid": attrgetter("conid"),
    "symbol": attrgetter("symbol"),
    "exchange": attrgetter("exchange"),
}
FILTER_COLUMNS: Mapping[str, Callable[[BondFilter], Any]] = {
    "name": attrgetter("name"),
    "column": attrgetter("column"),
    "value": attrgetter("value"),
    "text": attrgetter("text"),
}
VENUE_COLUMNS: Mapping[str, Callable[[VenueHours], Any]] = {
    "exchange": attrgetter("exchange"),
    "day": attrgetter("day"),
    "opens": attrgetter("opens"),
    "closes": attrgetter("closes"),
    "zone": attrgetter("zone"),
    "regular": attrgetter("is_liquid"),
}
