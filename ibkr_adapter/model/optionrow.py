"""A line of an option chain with its prices and greeks, and how fresh they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from operator import attrgetter, methodcaller
from typing import Any

import attrs

from ibkr_adapter.model.contract import Contract
from ibkr_adapter.model.market import Quote
from ibkr_adapter.model.query import ends
from ibkr_adapter.model.shown import REAL_TIME, Shown, doubt_of


@attrs.frozen(kw_only=True)
class OptionRow(Shown):
    """One option: the contract, its quote, and that of what it is on.

    Greeks are IBKR's own model's, of one unit of the underlying; ``iv`` is in percent a year. What
    IBKR does not compute is missing.
    """

    contract: Contract
    quote: Quote
    underlying: Quote | None = None

    @property
    def conid(self) -> int:
        """The contract's id."""
        return self.contract.conid

    @property
    def expiry(self) -> date | None:
        """The day on which it ends."""
        return ends(self.contract)

    @property
    def underlying_price(self) -> Decimal | None:
        """The best price of the underlying to show."""
        shown = None if self.underlying is None else self.underlying.display_price()
        return None if shown is None else shown.price

    @property
    def freshness(self) -> str:
        """How old the prices are, in words; those of the underlying too where they are not real time."""
        quotes = {"": self.quote, "underlying ": self.underlying}
        told = {prefix: quote.freshness for prefix, quote in quotes.items() if quote is not None}
        words = [f"{prefix}{word}" for prefix, word in told.items() if not prefix or word != told[""]]
        return ", ".join(words)

    def _shown(self) -> dict[str, Any]:
        return {name: read(self) for name, read in OPTION_ROW_COLUMNS.items()}

    def _doubt(self) -> str | None:
        return doubt_of(self.quote) if self.freshness == REAL_TIME else self.freshness

    def figure(self, name: str) -> Decimal | None:
        """A value of the quote by its name, such as ``delta``."""
        value = getattr(self.quote, name, None) if name in _OWN else self.quote.others.get(name)
        return value if isinstance(value, Decimal) else None


_OWN = frozenset({"bid", "ask", "last", "volume", "mark"})


def _figure(name: str) -> Callable[[OptionRow], Any]:
    return methodcaller("figure", name)


OPTION_ROW_COLUMNS: Mapping[str, Callable[[OptionRow], Any]] = {
    "expiry": attrgetter("expiry"),
    "strike": attrgetter("contract.strike"),
    "right": attrgetter("contract.right"),
    "bid": _figure("bid"),
    "ask": _figure("ask"),
    "last": _figure("last"),
    "iv": _figure("implied_volatility"),
    "delta": _figure("delta"),
    "gamma": _figure("gamma"),
    "theta": _figure("theta"),
    "vega": _figure("vega"),
    "volume": _figure("volume"),
    "open_interest": _figure("option_open_interest"),
    "underlying": attrgetter("underlying_price"),
    "freshness": attrgetter("freshness"),
    "trading_class": attrgetter("contract.trading_class"),
    "conid": attrgetter("conid"),
}
