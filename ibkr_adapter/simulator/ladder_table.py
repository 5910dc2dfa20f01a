"""Which ladders of options, futures options and warrants there are.

A table: how dates, strikes and conids follow from a row is for :mod:`.option_ladders`. The order
is part of the conids. Volatilities, reaches and steps are seeds; venues are the documented ones.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from ibkr_adapter.simulator import other_listings
from ibkr_adapter.simulator.instrument import CENT, Instrument, Ticks
from ibkr_adapter.simulator.listings import STOCKS

_OPTION_VENUES = (
    "SMART,AMEX,CBOE,PHLX,PSE,ISE,BOX,BATS,NASDAQOM,CBOE2,NASDAQBX,MIAX,GEMINI,EDGX,MERCURY,PEARL,"
    "EMERALD,MEMX,IBUSOPT"
)
_WARRANT_VENUES = "SMART,EBS,FWB,GETTEX,SBF,SWB"
# Cents below three dollars, nickels above; index and futures options have wider ladders.
_NICKELS: Ticks = ((Decimal(0), Decimal("0.01")), (Decimal(3), Decimal("0.05")))
_INDEX: Ticks = ((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.10")))
_FUTURE: Ticks = ((Decimal(0), Decimal("0.05")), (Decimal(10), Decimal("0.25")))
_HUNDRED = Decimal(100)


@attrs.frozen(kw_only=True, eq=False)
class Ladder:
    """One trading class on one underlying.

    ``on`` is what a walk names: a stock, an index or the product of futures. Strikes are
    multiples of ``step`` within ``near`` of the price (a share of it) and of ``coarse`` within
    ``far``. ``trading_class`` may hold the week of the month.
    """

    key: str
    index: int
    on: Instrument
    sec_type: str
    trading_class: str
    dates: str
    step: Decimal
    coarse: Decimal
    near: Decimal = Decimal("0.10")
    far: Decimal = Decimal("0.40")
    volatility: float
    ticks: Ticks = CENT
    multiplier: Decimal = _HUNDRED
    exchange: str = "AMEX"
    venues: str = _OPTION_VENUES
    currency: str = "USD"
    ends_on_expiry: bool = True

    @property
    def anchor(self) -> Decimal:
        """The price around which strikes are laid."""
        return self.on.underlying.price if self.on.underlying else self.on.price


_STOCK = {one.symbol: one for one in STOCKS if one.is_us}
_CBOE = {"exchange": "CBOE", "venues": "SMART,CBOE", "ticks": _INDEX}
_CME = {"exchange": "CME", "venues": "CME", "ticks": _FUTURE, "multiplier": Decimal(50)}


def _row(
    index: int, key: str, on: Instrument, dates: str, steps: str, volatility: float, **more: object
) -> Ladder:
    step, coarse = (Decimal(one) for one in steps.split("/"))
    common: dict[str, object] = {"sec_type": "OPT", "trading_class": key}
    return Ladder(
        key=key,
        index=index,
        on=on,
        dates=dates,
        step=step,
        coarse=coarse,
        volatility=volatility,
        **(common | more),  # type: ignore[arg-type]
    )


LADDERS: tuple[Ladder, ...] = (
    _row(0, "AAPL", _STOCK["AAPL"], "weekly", "2.5/5", 0.27, ticks=_NICKELS),
    _row(1, "SPY", _STOCK["SPY"], "weekly", "1/5", 0.16),
    _row(2, "SPX", other_listings.SPX, "monthly", "5/25", 0.155, **_CBOE, ends_on_expiry=False),
    _row(3, "SPXW", other_listings.SPX, "weekly", "5/25", 0.155, **_CBOE),
    _row(4, "MSFT", _STOCK["MSFT"], "weekly", "2.5/5", 0.24, ticks=_NICKELS),
    _row(5, "IBM", _STOCK["IBM"], "weekly", "2.5/5", 0.25),
    _row(6, "QQQ", _STOCK["QQQ"], "weekly", "1/5", 0.21),
    _row(7, "ES", other_listings.ES, "quarterly", "5/25", 0.15, **_CME, sec_type="FOP", ends_on_expiry=False),
    _row(8, "EW", other_listings.ES, "month_end", "5/25", 0.15, **_CME, sec_type="FOP"),
    _row(
        9,
        "EWn",
        other_listings.ES,
        "other_weeks",
        "5/25",
        0.15,
        **_CME,
        sec_type="FOP",
        trading_class="EW{week}",
    ),
    _row(
        10,
        "IBM warrants",
        _STOCK["IBM"],
        "quarterly",
        "10/20",
        0.25,
        sec_type="WAR",
        trading_class="IBM",
        exchange="FWB",
        venues=_WARRANT_VENUES,
        currency="EUR",
        multiplier=Decimal("0.1"),
    ),
)
BY_CLASS = {one.key: one for one in LADDERS}
