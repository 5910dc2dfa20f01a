"""The tags of a snapshot: what each shows of an instrument and its quote.

Values are display text, as recorded. What a class does not have is left out: an index has no
sides, a pair no volume, only options have sensitivities. The meaning of each tag is IBKR's
published list; 85 is the ask's size and 88 the bid's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.simulator import pricing
from ibkr_adapter.simulator.contract_names import WITH_STRIKE, compact, second_line
from ibkr_adapter.simulator.figures import decimal_text, grouped, places_of, price_text, shortened, signed
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order_rules import rules_of
from ibkr_adapter.simulator.prices import Quote

_HUNDRED = Decimal(100)


@attrs.frozen(kw_only=True)
class Shown:
    """What the tags of one row are made from; ``spot`` is the price of the underlying."""

    instrument: Instrument
    quote: Quote
    prefix: str
    spot: Decimal

    def price(self, price: Decimal) -> str:
        """A price with the digits of its tick."""
        return price_text(price, self.instrument.tick_at(price))

    def size(self, size: Decimal) -> str:
        """A size as it is displayed."""
        return grouped(size) if size == size.to_integral_value() else decimal_text(size)

    @property
    def change(self) -> Decimal:
        """The change since the prior close."""
        return self.quote.last - self.quote.prior_close

    @property
    def places(self) -> int:
        """The decimals of a price."""
        return places_of(self.instrument.tick_at(self.quote.last))

    @property
    def greeks(self) -> pricing.Greeks:
        """The sensitivities of an option."""
        return pricing.greeks(self.instrument, float(self.spot), self.quote.moment)


_Tag = Callable[[Shown], Any]
_TAGS: dict[str, _Tag] = {
    "31": lambda row: row.prefix + row.price(row.quote.last),
    "55": lambda row: row.instrument.symbol,
    "70": lambda row: row.price(row.quote.high),
    "71": lambda row: row.price(row.quote.low),
    "82": lambda row: signed(row.change, row.places),
    "83": lambda row: f"{row.change / row.quote.prior_close * _HUNDRED:.2f}%",
    "6004": lambda row: row.instrument.exchange,
    "6008": lambda row: row.instrument.conid,
    "6070": lambda row: row.instrument.sec_type,
    "7051": lambda row: row.instrument.name,
    "7094": lambda row: f"{row.instrument.conid}@{row.instrument.exchange}",
    "7184": lambda row: "1" if rules_of(row.instrument).types else "0",
    "7219": lambda row: row.instrument.symbol,
    "7221": lambda row: row.instrument.exchange,
    "7295": lambda row: row.price(row.quote.opened),
    "7296": lambda row: row.price(row.quote.prior_close),
    "7635": lambda row: row.price(row.quote.last),
    "7741": lambda row: row.price(row.quote.prior_close),
    "7768": lambda _: "1",
}
# What has a market of its own.
_SIDES: dict[str, _Tag] = {
    "84": lambda row: row.price(row.quote.bid),
    "85": lambda row: row.size(row.quote.ask_size),
    "86": lambda row: row.price(row.quote.ask),
    "88": lambda row: row.size(row.quote.bid_size),
}
_VOLUME: dict[str, _Tag] = {
    "87": lambda row: shortened(row.quote.volume),
    "7059": lambda row: row.size(row.quote.last_size),
    "7762": lambda row: f"{row.quote.volume:f}",
}
_DATED: dict[str, _Tag] = {
    "6072": lambda row: f"{row.instrument.month:%b%y}".upper() if row.instrument.month else "",
    "6073": lambda row: compact(row.instrument.expiry),
    "7220": lambda row: second_line(row.instrument),
    "7714": lambda row: compact(row.instrument.last_day),
}
_DERIVED: dict[str, _Tag] = {
    "6457": lambda row: row.instrument.underlying.conid if row.instrument.underlying else 0
}
# Sensitivities come after several reads.
_GREEKS: dict[str, _Tag] = {
    "7308": lambda row: f"{row.greeks.delta:.3f}",
    "7309": lambda row: f"{row.greeks.gamma:.3f}",
    "7310": lambda row: f"{row.greeks.theta:.3f}",
    "7311": lambda row: f"{row.greeks.vega:.3f}",
    "7633": lambda row: f"{row.greeks.volatility * 100:.1f}%",
}
_OPTION: dict[str, _Tag] = {
    "55": lambda row: f"{row.instrument.symbol} {second_line(row.instrument)}",
    "201": lambda row: row.instrument.right,
    "7638": lambda row: shortened(row.quote.volume * 3),
    **_GREEKS,
}
_FUTURE: dict[str, _Tag] = {"7697": lambda row: shortened(row.quote.volume * 2)}
_BOND: dict[str, _Tag] = {
    # The current yield; the yield to maturity is left out.
    "7698": lambda row: f"{(row.instrument.coupon or 0) * _HUNDRED / row.quote.last:.3f}%",
    "7715": lambda row: compact(row.instrument.issued),
}
SLOW_TAGS = frozenset(_GREEKS)


def _table(instrument: Instrument) -> dict[str, _Tag]:
    table = dict(_TAGS)
    if instrument.sec_type != "IND":
        table |= _SIDES
        if instrument.sec_type != "CASH":
            table |= _VOLUME
    if instrument.expiry is not None:
        table |= _DATED
        if instrument.underlying is not None:
            table |= _DERIVED
    if instrument.sec_type in WITH_STRIKE:
        table |= _OPTION
    return table | {"FUT": _FUTURE, "BOND": _BOND}.get(instrument.sec_type, {})


def market_tags(shown: Shown, tags: Iterable[str]) -> dict[str, Any]:
    """The values of those of the tags that this instrument has."""
    table = _table(shown.instrument)
    return {tag: table[tag](shown) for tag in tags if tag in table}
