"""What a derivative is worth, given what its underlying is worth.

Options by Black and Scholes (without dividends), options on futures by Black, futures by the cost
of carry: pure arithmetic in floating point, put on the tick by :mod:`.prices`. A call and a put
of one strike have the same volatility, so put-call parity holds before rounding. Nearer strikes
below the price are dearer than those above, as index options are.
"""

from __future__ import annotations

import math
from datetime import datetime
from statistics import NormalDist

import attrs

from ibkr_adapter.simulator.instrument import Instrument

RATE = 0.04
_CARRY = 0.03
_SKEW = 0.12
_YEAR = 365.25 * 86400
_NORMAL = NormalDist()


@attrs.frozen(kw_only=True)
class Greeks:
    """Sensitivities of one option, per unit of its multiplier; theta a day, vega a point."""

    delta: float
    gamma: float
    theta: float
    vega: float
    volatility: float


def years_left(instrument: Instrument, moment: datetime) -> float:
    """Years until trading in a contract ends; nothing when it has."""
    if instrument.ends is None:
        return 0.0
    return max(0.0, (instrument.ends - moment).total_seconds() / _YEAR)


def future_price(future: Instrument, spot: float, moment: datetime) -> float:
    """The price of a future on a spot price."""
    return spot * math.exp(_CARRY * years_left(future, moment))


def implied_volatility(option: Instrument, spot: float, moment: datetime) -> float:
    """The volatility of one strike."""
    span = math.sqrt(years_left(option, moment) + 0.05)
    tilt = -_SKEW * math.log(float(option.strike or 1) / spot) / span
    return option.volatility * min(2.0, max(0.6, 1 + tilt))


def option_price(option: Instrument, spot: float, moment: datetime) -> float:
    """The price of an option on a share, an index or a future."""
    strike, years = float(option.strike or 0), years_left(option, moment)
    sign = 1.0 if option.right == "C" else -1.0
    if years <= 0:
        return max(0.0, sign * (spot - strike))
    first, second, forward, discount = _terms(option, spot, moment)
    return discount * sign * (forward * _NORMAL.cdf(sign * first) - strike * _NORMAL.cdf(sign * second))


def _terms(option: Instrument, spot: float, moment: datetime) -> tuple[float, float, float, float]:
    years = years_left(option, moment)
    # A future costs nothing to hold, so its options have no carry.
    forward = spot if option.sec_type == "FOP" else spot * math.exp(RATE * years)
    spread = implied_volatility(option, spot, moment) * math.sqrt(years)
    first = math.log(forward / float(option.strike or 1)) / spread + spread / 2
    return first, first - spread, forward, math.exp(-RATE * years)


def greeks(option: Instrument, spot: float, moment: datetime) -> Greeks:
    """The sensitivities of an option; flat ones when it has ended."""
    years = years_left(option, moment)
    if years <= 0:
        return Greeks(delta=0.0, gamma=0.0, theta=0.0, vega=0.0, volatility=0.0)
    first, _, forward, discount = _terms(option, spot, moment)
    volatility = implied_volatility(option, spot, moment)
    grown = discount * forward / spot
    density = _NORMAL.pdf(first)
    tomorrow = min(1 / 365.25, years / 2)
    later = option_price(attrs.evolve(option, ends=_sooner(option, tomorrow)), spot, moment)
    return Greeks(
        delta=grown * (_NORMAL.cdf(first) - (option.right == "P")),
        gamma=grown * density / (spot * volatility * math.sqrt(years)),
        theta=(later - option_price(option, spot, moment)) * (1 / 365.25) / tomorrow,
        vega=spot * grown * density * math.sqrt(years) / 100,
        volatility=volatility,
    )


def _sooner(option: Instrument, years: float) -> datetime | None:
    if option.ends is None:
        return None
    return datetime.fromtimestamp(option.ends.timestamp() - years * _YEAR, option.ends.tzinfo)
