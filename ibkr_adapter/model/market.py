"""Prices as values, how fresh they are, and when they can be traded on.

A number that looks like a price may be twenty minutes old, yesterday's close, or that of a halted
share; only IBKR's own marks beside it tell. So a quote answers two questions apart: what may be
shown, and why it must not be sized from. Reading the marks is for
:mod:`ibkr_adapter.wire.marketdata`.

Source: Web API reference, "Market Data Availability" (tag 6509).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from ibkr_adapter.model.shown import REAL_TIME, Shown


class Timeline(StrEnum):
    """How old IBKR's prices are, by its letter in tag 6509."""

    REAL_TIME = "R"
    DELAYED = "D"
    FROZEN = "Z"
    FROZEN_DELAYED = "Y"
    NOT_SUBSCRIBED = "N"
    NOT_ACKNOWLEDGED = "O"
    UNKNOWN = "?"


_LETTERS = {line.value: line for line in Timeline if line is not Timeline.UNKNOWN}
_MEANINGS = {
    Timeline.REAL_TIME: REAL_TIME,
    Timeline.DELAYED: "delayed by 15 to 20 minutes",
    Timeline.FROZEN: "frozen at the close",
    Timeline.FROZEN_DELAYED: "delayed and frozen at the close",
    Timeline.NOT_SUBSCRIBED: "not subscribed to",
    Timeline.NOT_ACKNOWLEDGED: "withheld until the market data agreement is acknowledged in Client Portal",
    Timeline.UNKNOWN: "of unknown age",
}


@attrs.frozen(kw_only=True)
class Availability(Shown):
    """Tag 6509 as it came; its letters are a set, because their places are not reliable."""

    code: str

    @property
    def letters(self) -> frozenset[str]:
        """All letters, in the case they came in: ``D`` is delayed, ``d`` is not."""
        return frozenset(self.code)

    @property
    def timeline(self) -> Timeline:
        """The first letter that tells an age."""
        return next((_LETTERS[letter] for letter in self.code if letter in _LETTERS), Timeline.UNKNOWN)

    @property
    def incomplete(self) -> bool:
        """Whether IBKR says that parts are missing."""
        return "i" in self.letters

    @property
    def real_time(self) -> bool:
        """Whether the prices are real time and complete; two ages at once are neither."""
        return self.letters & _LETTERS.keys() == {Timeline.REAL_TIME.value} and not self.incomplete

    @property
    def cannot_come(self) -> bool:
        """Whether no price will come however long one waits."""
        return self.timeline in {Timeline.NOT_SUBSCRIBED, Timeline.NOT_ACKNOWLEDGED}

    @property
    def meaning(self) -> str:
        """The age in words."""
        if self.timeline is Timeline.REAL_TIME and not self.real_time:
            return "real time only in parts"
        return _MEANINGS[self.timeline]


class PriceSource(StrEnum):
    """Where a price that is shown comes from."""

    LAST = "last"
    MARK = "mark"
    MIDDLE = "middle of bid and ask"
    CLOSE = "prior close"


@attrs.frozen(kw_only=True)
class ShownPrice(Shown):
    """A price for people, and where it comes from."""

    price: Decimal
    source: PriceSource


@attrs.frozen(kw_only=True)
class Quote(Shown):
    """A snapshot of one contract; prices in its currency, sizes in shares or contracts.

    ``updated`` is when IBKR delivered it, not when it was traded: on delayed prices it is now.
    ``close`` is IBKR's tag 7296, which its documents and its portal read differently;
    ``prior_close`` is yesterday's. ``missing`` names what was asked for and did not come, and
    ``others`` has what came besides the fields below, by name.
    """

    conid: int
    exchange: str | None = None
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
    change: Decimal | None = None
    change_percent: Decimal | None = None
    mark: Decimal | None = None
    last_is_close: bool = False
    halted: bool = False
    availability: Availability | None = None
    updated: datetime | None = None
    missing: frozenset[str] = frozenset()
    others: Mapping[str, Decimal | str | None] = attrs.field(factory=dict, repr=False, hash=False)

    @property
    def mid(self) -> Decimal | None:
        """The middle between bid and ask, where both are there; zero stands for nobody's offer."""
        return (self.bid + self.ask) / 2 if self.bid and self.ask else None

    @property
    def freshness(self) -> str:
        """How old the prices are, in words."""
        if self.availability is not None:
            return self.availability.meaning
        return "nothing came" if self.display_price() is None else _MEANINGS[Timeline.UNKNOWN]

    def _shown(self) -> dict[str, Any]:
        code = None if self.availability is None else self.availability.code
        return super()._shown() | {"availability": code, "freshness": self.freshness, **self.others}

    def _doubt(self) -> str | None:
        if self.availability is None or not self.availability.real_time:
            return self.freshness
        if self.halted:
            return "trading is halted"
        return "the last price is the prior close" if self.last_is_close else None

    def tradable_price(self) -> Decimal | None:
        """The last price, if it is one of this moment in a market that trades; else ``None``."""
        return self.last if self.why_not_tradable() is None else None

    def why_not_tradable(self) -> str | None:
        """Why sizes and stops must not be computed from ``last``, or ``None`` if they may be."""
        if self.availability is None:
            return "IBKR does not say how fresh it is (no tag 6509)"
        code = f"6509 is {self.availability.code!r}"
        reasons = (
            (not self.availability.real_time, f"it is {self.availability.meaning} ({code})"),
            (self.halted, f"trading is halted (prefix H, {code})"),
            (self.last is None, f"there is no last price ({code})"),
            (self.last_is_close, f"it is the prior close (prefix C, {code})"),
            (self.last is not None and self.last <= 0, f"it is {self.last} ({code})"),
        )
        return next((reason for applies, reason in reasons if applies), None)

    def display_price(self) -> ShownPrice | None:
        """The best price to show a person: last, else mark, else mid, else the prior close."""
        prices = (
            (self.last, PriceSource.CLOSE if self.last_is_close else PriceSource.LAST),
            (self.mark, PriceSource.MARK),
            (self.mid, PriceSource.MIDDLE),
            (self.prior_close, PriceSource.CLOSE),
            (self.close, PriceSource.CLOSE),
        )
        # A price of zero is no price, and nobody should be shown it as one.
        return next((ShownPrice(price=price, source=source) for price, source in prices if price), None)
