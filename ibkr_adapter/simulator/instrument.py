"""One product in one currency: what a conid stands for.

Knows the attributes that any class of instrument has, from a share to a combination; which ones
exist is for :mod:`.listings` and its neighbours, how they are found for :mod:`.catalogue`. A
derivative holds its underlying, a combination its legs, so that nobody has to look them up.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import attrs

Ticks = tuple[tuple[Decimal, Decimal], ...]

CENT: Ticks = ((Decimal(0), Decimal("0.01")),)
# The row that a bond search answers with has no contract behind it: the largest 32-bit number.
PLACEHOLDER_CONID = 2147483647
US_STOCK_VENUES = "SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,NASDAQ,IEX,OVERNIGHT"


@attrs.frozen(kw_only=True)
class Leg:
    """One part of a combination; a negative ratio is sold when the combination is bought.

    ``weight`` is the leg's multiplier in units of the combination's.
    """

    instrument: Instrument
    ratio: int
    weight: Decimal = Decimal(1)

    def share(self, price: Decimal) -> Decimal:
        """What this leg adds to the price of the whole at a price of its own."""
        return price * self.ratio * self.weight


@attrs.frozen(kw_only=True)
class Instrument:
    """One product in one currency; prices are in that currency, for one unit of ``multiplier``.

    ``exchange`` is the venue as stock and contract look-ups spell it, ``tape`` as order rows
    do ("NASDAQ.NMS"). ``ticks`` are pairs of lower edge and increment, ascending. ``price`` is
    the seed of a price that walks by itself; derivatives are priced from ``underlying``.
    ``expiry`` is the date in the contract's name, ``last_day`` the last one on which it trades,
    ``ends`` the moment when that is over, ``month`` the first day of the contract month.
    """

    conid: int
    symbol: str
    name: str
    exchange: str
    price: Decimal
    kind: str = "COMMON"
    currency: str = "USD"
    country: str = "US"
    is_us: bool = True
    ticks: Ticks = CENT
    sector: str | None = None
    sec_type: str = "STK"
    lot: Decimal = Decimal(1)
    multiplier: Decimal = Decimal(1)
    underlying: Instrument | None = None
    right: str | None = None
    strike: Decimal | None = None
    expiry: date | None = None
    last_day: date | None = None
    ends: datetime | None = None
    month: date | None = None
    trading_class: str | None = None
    routes: str | None = None
    volatility: float = 0.0
    cusip: str | None = None
    coupon: Decimal | None = None
    issued: date | None = None
    issuer: str | None = None
    base: str | None = None
    legs: tuple[Leg, ...] = ()

    @property
    def tape(self) -> str:
        """The listing venue as order and trade rows name it."""
        return "NASDAQ.NMS" if self.exchange == "NASDAQ" else self.exchange

    @property
    def ticker(self) -> str:
        """The symbol in rows; that of a pair is its first currency."""
        return self.base or self.symbol

    @property
    def valid_exchanges(self) -> str:
        """The venues an order may be routed to, comma separated, SMART first."""
        if self.routes is not None:
            return self.routes
        return US_STOCK_VENUES if self.is_us else f"SMART,{self.exchange}"

    @property
    def contract_size(self) -> Decimal | None:
        """The multiplier of a contract that has one; shares, pairs and coins have none."""
        return self.multiplier if self.expiry is not None and self.sec_type != "BOND" else None

    def tick_at(self, price: Decimal) -> Decimal:
        """The increment that applies at ``price``: that of the largest edge not above it."""
        chosen = self.ticks[0][1]
        for edge, increment in self.ticks:
            if edge <= abs(price):
                chosen = increment
        return chosen

    def is_over(self, moment: datetime) -> bool:
        """Tell whether trading in it has ended for good."""
        return self.ends is not None and moment >= self.ends
