"""Quotes, and how far each price may be trusted.

A price without its freshness is a trap: a delayed or frozen one arrives like a real-time one,
stamped with the time of its delivery. So every quote carries what IBKR said about it, and only
:attr:`Quote.tradable_price` is fit to compute sizes and stops from. How all this is written is
for :mod:`ibkr_adapter.wire.marketdata`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs


class Timeline(StrEnum):
    """How fresh market data are, by IBKR's letter; letters unknown to us are ``UNKNOWN``."""

    REAL_TIME = "R"
    DELAYED = "D"
    FROZEN = "Z"
    FROZEN_DELAYED = "Y"
    NOT_SUBSCRIBED = "N"
    NOT_ACKNOWLEDGED = "O"
    UNKNOWN = ""

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _WORDS[self]


_WORDS = {
    Timeline.REAL_TIME: "real time",
    Timeline.DELAYED: "delayed by 15 to 20 minutes",
    Timeline.FROZEN: "frozen at the close",
    Timeline.FROZEN_DELAYED: "delayed and frozen at the close",
    Timeline.NOT_SUBSCRIBED: "not subscribed",
    Timeline.NOT_ACKNOWLEDGED: "held back until the Market Data API acknowledgement is given in Client Portal",
    Timeline.UNKNOWN: "of unknown freshness",
}


@attrs.frozen(kw_only=True)
class Availability:
    """What IBKR says about a contract's market data (tag 6509), a code such as ``RpB``.

    It is a set of letters: codes of one to many letters occur, so none has a place of its own.
    """

    code: str

    @property
    def letters(self) -> frozenset[str]:
        """Every letter of the code."""
        return frozenset(self.code)

    @property
    def timeline(self) -> Timeline:
        """How fresh the data are, by the first letter that tells."""
        known = {line.value: line for line in Timeline if line.value}
        return next((known[letter] for letter in self.code if letter in known), Timeline.UNKNOWN)

    @property
    def is_real_time(self) -> bool:
        """Whether prices are those of this moment."""
        return self.timeline is Timeline.REAL_TIME

    @property
    def cannot_come(self) -> bool:
        """Whether asking again is in vain."""
        return self.timeline in {Timeline.NOT_SUBSCRIBED, Timeline.NOT_ACKNOWLEDGED}


class PriceSource(StrEnum):
    """Which price stands in for the last one."""

    LAST = "last"
    MARK = "mark"
    MID = "mid"
    CLOSE = "prior close"


@attrs.frozen(kw_only=True)
class DisplayPrice:
    """A price to show, and which one it is; not one to trade on."""

    price: Decimal
    source: PriceSource


@attrs.frozen(kw_only=True, slots=True)
class Quote:
    """What IBKR last sent of a contract; prices in its currency, sizes in shares or contracts.

    ``last_is_close`` says that ``last`` is the prior close (there was no trade today), ``halted``
    that trading is halted. ``close`` is what IBKR calls the close of the day, ``prior_close`` that
    of the day before. ``updated`` is the time of delivery, not of a trade. ``missing`` names what
    was asked for and has no value. ``others`` holds asked fields that have no attribute here.
    """

    conid: int
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    last_size: Decimal | None = None
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    volume: Decimal | None = None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    prior_close: Decimal | None = None
    mark: Decimal | None = None
    change: Decimal | None = None
    change_percent: Decimal | None = None
    last_is_close: bool = False
    halted: bool = False
    availability: Availability | None = None
    exchange: str | None = None
    updated: datetime | None = None
    missing: frozenset[str] = frozenset()
    others: Mapping[str, Decimal | str] = attrs.field(factory=dict)

    @property
    def mid(self) -> Decimal | None:
        """The middle between bid and ask, where both are there."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    @property
    def tradable_price(self) -> Decimal | None:
        """The last price, if it is one of this moment in a market that trades; else ``None``."""
        return self.last if self.why_not_tradable is None else None

    @property
    def why_not_tradable(self) -> str | None:
        """Why sizes and stops must not be computed from ``last``, or ``None`` if they may be."""
        if self.availability is None:
            return "IBKR does not say how fresh it is (no tag 6509)"
        code = f"6509 {self.availability.code!r}"
        reasons = (
            (
                not self.availability.is_real_time,
                f"its market data are {self.availability.timeline.words} ({code})",
            ),
            (self.halted, f"trading is halted (prefix H, {code})"),
            (self.last is None, f"there is no last price ({code})"),
            (self.last_is_close, f"the last price is the prior close (prefix C, {code})"),
            (self.last is not None and self.last <= 0, f"the last price is {self.last} ({code})"),
        )
        return next((reason for applies, reason in reasons if applies), None)

    @property
    def display_price(self) -> DisplayPrice | None:
        """The best price to show a person: last, else mark, else mid, else the prior close."""
        prices = (
            (self.last, PriceSource.CLOSE if self.last_is_close else PriceSource.LAST),
            (self.mark, PriceSource.MARK),
            (self.mid, PriceSource.MID),
            (self.prior_close, PriceSource.CLOSE),
            (self.close, PriceSource.CLOSE),
        )
        # A price of zero is no price, and nobody should be shown it as one.
        return next((DisplayPrice(price=price, source=source) for price, source in prices if price), None)

    @property
    def display(self) -> Decimal | None:
        """The price of :attr:`display_price` alone."""
        shown = self.display_price
        return None if shown is None else shown.price
