"""Futures as IBKR lists them, and the rule by which one of them is the front month.

The front month is the listed future that expires first among those that have not reached their
roll day. The roll day is the earliest of the last trading day and the two cut-offs from which on
IBKR may close a long or a short position: on that day the next one is in front. Nobody's volume is
looked at, so charts that roll by volume may differ for some days. Days are those of the UTC
calendar; a contract has stopped trading before the day after its last one begins there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.model.contract import Contract
from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class FutureListing(Shown):
    """One dated future as it is listed; the cut-offs are missing where IBKR does not name them."""

    conid: int = attrs.field(validator=attrs.validators.gt(0))
    symbol: str
    expires: date
    underlying_conid: int | None = None
    last_trading_day: date | None = None
    long_cutoff: date | None = None
    short_cutoff: date | None = None

    @property
    def last_day(self) -> date:
        """The last day on which it can be traded."""
        return min(self.expires, self.last_trading_day or self.expires)

    @property
    def rolls_on(self) -> date:
        """The first day on which it is not the front month any more."""
        days = (self.last_day, self.long_cutoff, self.short_cutoff)
        return min(day for day in days if day is not None)


@attrs.frozen(kw_only=True)
class FutureRow(Shown):
    """A line of a futures chain; figures are missing where IBKR did not give them.

    ``write`` is a name that means this future on every day.
    """

    conid: int
    symbol: str
    expires: date
    last_trading_day: date | None
    long_cutoff: date | None
    short_cutoff: date | None
    rolls_on: date
    front: bool
    month: str | None = None
    exchange: str | None = None
    currency: str | None = None
    multiplier: Decimal | None = None
    name: str | None = None

    @property
    def write(self) -> str:
        """A name that hosts can carry."""
        return f"{self.symbol} {self.expires.isoformat()}"


def listed(listings: Iterable[FutureListing], today: date) -> list[FutureListing]:
    """Those that can still be traded, the first to expire first."""
    alive = [listing for listing in listings if listing.last_day >= today]
    return sorted(alive, key=lambda listing: (listing.expires, listing.conid))


def front(listings: Iterable[FutureListing], today: date) -> list[FutureListing]:
    """The front month; several where products of several sizes share a symbol, none where all roll."""
    ahead = [listing for listing in listed(listings, today) if today < listing.rolls_on]
    return [listing for listing in ahead if listing.expires == ahead[0].expires]


FUTURE_COLUMNS: Mapping[str, Callable[[FutureRow], Any]] = {
    name: attrgetter(name)
    for name in (
        "write",
        "front",
        "expires",
        "rolls_on",
        "last_trading_day",
        "long_cutoff",
        "short_cutoff",
        "month",
        "exchange",
        "currency",
        "multiplier",
        "conid",
    )
}


def nearest(wanted: Decimal, strikes: Sequence[Decimal], count: int = 4) -> list[Decimal]:
    """The strikes around one that does not exist, in order."""
    return sorted(sorted(strikes, key=lambda strike: (abs(strike - wanted), strike))[:count])


def nearest_days(wanted: date, days: Iterable[date], count: int = 4) -> list[date]:
    """The days around one on which nothing ends, in order."""
    return sorted(sorted(set(days), key=lambda day: (abs((day - wanted).days), day))[:count])


def option_columns(write: Callable[[Contract], str]) -> Mapping[str, Callable[[Contract], Any]]:
    """The columns of an option chain; ``write`` names a contract so that a host can carry it."""
    return {
        "write": write,
        "expiry": attrgetter("expiry"),
        "strike": attrgetter("strike"),
        "right": attrgetter("right"),
        "trading_class": attrgetter("trading_class"),
        "multiplier": attrgetter("multiplier"),
        "currency": attrgetter("currency"),
        "exchange": attrgetter("exchange"),
        "conid": attrgetter("conid"),
    }
