"""Read lists of shares, filters of bonds, calendars of venues, and what is said of a login.

Source: Web API reference, "All Conids by Exchange", "Bond Filters", "Trading Schedule by Symbol",
"Validate SSO", and answers recorded from a paper account; held by ``tests/unit/test_wire_catalogue.py``.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.catalogue import BondFilter, ListedShare, LoginState, VenueHours
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping, rows

ALL_CONIDS = "GET /trsrv/all-conids"
BOND_FILTERS = "GET /iserver/secdef/bond-filters"
VENUES = "GET /trsrv/secdef/schedule"
VALIDATE = "GET /sso/validate"
_LIQUID = "LIQUID"


def read_listed_shares(content: Any) -> tuple[ListedShare, ...]:
    """Read the shares of an exchange."""
    found = []
    for row in rows(content, ALL_CONIDS, "the shares of an exchange"):
        conid = numbers.conid(row.get("conid"))
        if conid is None:
            raise UnexpectedAnswer("a share came without its contract id.", endpoint=ALL_CONIDS)
        found.append(
            ListedShare(
                conid=conid,
                symbol=numbers.text(row.get("ticker")),
                exchange=numbers.text(row.get("exchange")),
            )
        )
    return tuple(found)


def read_bond_filters(content: Any) -> tuple[BondFilter, ...]:
    """Read the values by which an issuer's bonds are told apart."""
    body = mapping(content, BOND_FILTERS, "the filters of bonds")
    return tuple(
        BondFilter(
            name=numbers.text(row.get("displayText")),
            column=numbers.integer(row.get("columnId")),
            value=value,
            text=numbers.text(option.get("text")),
        )
        for row in rows(body.get("bondFilters") or [], BOND_FILTERS, "the filters of bonds")
        for option in rows(row.get("options") or [], BOND_FILTERS, "the values of a filter")
        if (value := numbers.text(option.get("value"))) is not None
    )


def read_venues(content: Any) -> tuple[VenueHours, ...]:
    """Read the calendars of all venues of a symbol, one stretch of trading a row."""
    return tuple(
        VenueHours(
            exchange=numbers.text(venue.get("exchange")),
            day=day,
            opens=numbers.text(hours.get("openingTime")),
            closes=numbers.text(hours.get("closingTime")),
            zone=numbers.text(venue.get("timezone")),
            is_liquid=numbers.text(hours.get("prop")) == _LIQUID,
        )
        for venue in rows(content, VENUES, "the venues")
        for row in rows(venue.get("schedules") or [], VENUES, "the days of a venue")
        if (day := numbers.day(row.get("tradingScheduleDate"))) is not None
        for key in ("tradingtimes", "sessions")
        for hours in rows(row.get(key) or [], VENUES, "the hours of a venue")
    )


def read_login(content: Any) -> LoginState:
    """Read whether the login is good; the user's number and address, which come as well, are not kept."""
    body = mapping(content, VALIDATE, "the login")
    return LoginState(
        is_valid=numbers.flag(body.get("RESULT")) is True,
        expires_in=numbers.integer(body.get("EXPIRES")),
        user_name=numbers.text(body.get("USER_NAME")),
        paper_user_name=numbers.text(body.get("PAPER_USER_NAME")),
        region=numbers.text(body.get("region")),
    )
