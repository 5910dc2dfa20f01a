"""What a trade costs and what a position ties up, by class of instrument.

Guesses throughout, but for the fee of shares (half a cent each, a dollar at least, one per cent at
most), which fits recorded average costs, and their margin of a quarter, which is the recorded
ratio. The others are round figures in the right order of size: a client must not rely on them.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ibkr_adapter.simulator.currencies import BASE, RATES
from ibkr_adapter.simulator.figures import cents
from ibkr_adapter.simulator.instrument import Instrument

NOTHING = Decimal(0)
MARGIN = Decimal("0.25")
LEVERAGE = Decimal(4)
_PER_SHARE = Decimal("0.005")
_LEAST = Decimal("1.00")
_MOST = Decimal("0.01")
_PER_OPTION = Decimal("0.65")
_PER_FUTURE = Decimal("2.25")
_PER_MICRO = Decimal("0.62")
_MICRO = Decimal(5)
_CURRENCY_PART, _CURRENCY_LEAST = Decimal("0.00002"), Decimal("2.00")
_COIN_PART, _COIN_LEAST = Decimal("0.0018"), Decimal("1.75")
_BOND_EACH = Decimal("1.00")
_FUTURE_PART = Decimal("0.07")
_CURRENCY_MARGIN = Decimal("0.025")
_SHORT_OPTION, _SHORT_OPTION_LEAST = Decimal("0.15"), Decimal("0.10")
_PAID_IN_FULL = frozenset({"CRYPTO", "FUND", "WAR"})


def commission(quantity: Decimal, price: Decimal) -> Decimal:
    """What a fill of shares costs, in their currency."""
    return cents(min(max(_LEAST, quantity * _PER_SHARE), quantity * price * _MOST))


def _coins(_: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    value = quantity * price
    return min(max(_COIN_LEAST, value * _COIN_PART), value * _MOST)


def _currencies(pair: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    value = quantity * price * RATES[pair.currency]
    return max(_CURRENCY_LEAST, value * _CURRENCY_PART)


_FEES: dict[str, Callable[[Instrument, Decimal, Decimal], Decimal]] = {
    "STK": lambda _, quantity, price: commission(quantity, price),
    "WAR": lambda _, quantity, price: commission(quantity, price),
    "OPT": lambda _, quantity, __: max(_LEAST, quantity * _PER_OPTION),
    "FUT": lambda one, quantity, _: quantity * (_PER_MICRO if one.multiplier <= _MICRO else _PER_FUTURE),
    "FOP": lambda _, quantity, __: quantity * _PER_FUTURE,
    "BOND": lambda _, quantity, __: quantity * _BOND_EACH,
    "CASH": _currencies,
    "CRYPTO": _coins,
}


def fee(instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
    """What a fill costs, in :func:`fee_currency`."""
    rule = _FEES.get(instrument.sec_type)
    return cents(rule(instrument, quantity, price)) if rule else NOTHING


def fee_currency(instrument: Instrument) -> str:
    """The currency of the fee: trading currencies is paid for in the account's own."""
    return BASE if instrument.base is not None else instrument.currency


def requirement(
    instrument: Instrument, quantity: Decimal, price: Decimal, last: Callable[[Instrument], Decimal]
) -> Decimal:
    """What a position (negative when short) ties up, in the instrument's currency."""
    value = abs(quantity) * price * instrument.multiplier
    if instrument.sec_type in {"OPT", "FOP"}:
        # What was paid for an option lends nothing.
        return value if quantity > 0 else value + _short_option(instrument, -quantity, last)
    if instrument.sec_type == "FUT":
        return value * _FUTURE_PART
    if instrument.sec_type == "CASH":
        return value * _CURRENCY_MARGIN
    return value if instrument.sec_type in _PAID_IN_FULL else value * MARGIN


def _short_option(option: Instrument, quantity: Decimal, last: Callable[[Instrument], Decimal]) -> Decimal:
    strike = option.strike or NOTHING
    spot = last(option.underlying) if option.underlying else strike
    away = spot - strike if option.right == "P" else strike - spot
    tied = max(spot * _SHORT_OPTION - max(NOTHING, away), strike * _SHORT_OPTION_LEAST)
    return tied * quantity * option.multiplier
