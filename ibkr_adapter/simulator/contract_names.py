"""How contracts are called: symbols of the exchange, and the lines that describe them.

The same option is ``SPY   250117C00440000``, ``JAN 17 '25 440 Call``, ``SPY Jan17'25 440 Call``
and ``SPY    JAN2025 440 C [...]``, depending on where it is shown; each form is documented for
options and carried over to the other classes where nothing is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from ibkr_adapter.simulator.expiries import MONTH_LETTERS
from ibkr_adapter.simulator.figures import quantity_text
from ibkr_adapter.simulator.futures_calendar import local_symbol as future_symbol
from ibkr_adapter.simulator.instrument import Instrument

WITH_STRIKE = frozenset({"OPT", "FOP", "WAR"})
_RIGHTS = {"C": "Call", "P": "Put"}


def compact(day: date | None) -> str | None:
    """A date in eight digits."""
    return None if day is None else f"{day:%Y%m%d}"


def right_word(instrument: Instrument) -> str:
    """Call or Put."""
    return _RIGHTS.get(instrument.right or "", "")


def strike_text(instrument: Instrument) -> str:
    """The strike without needless zeros; "0" for none."""
    return quantity_text(instrument.strike) if instrument.strike is not None else "0"


def local_symbol(instrument: Instrument) -> str:
    """The symbol of the exchange."""
    say = _LOCAL.get(instrument.sec_type)
    return say(instrument) if say else instrument.symbol


def _option_symbol(option: Instrument) -> str:
    eighth = int((option.strike or 0) * 1000)
    return f"{option.trading_class:<6}{option.expiry:%y%m%d}{option.right}{eighth:08d}"


def _future_option_symbol(option: Instrument) -> str:
    day = option.expiry or date.min
    series = f"{option.trading_class}{MONTH_LETTERS[day.month - 1]}{day.year % 10}"
    return f"{series} {option.right}{strike_text(option)}"


_LOCAL: dict[str, Callable[[Instrument], str]] = {
    "OPT": _option_symbol,
    "WAR": _option_symbol,
    "FOP": _future_option_symbol,
    "FUT": future_symbol,
    "CRYPTO": lambda one: f"{one.symbol}.{one.currency}",
    "BOND": lambda one: f"{one.symbol} {one.coupon} {one.expiry:%m/%d/%y}",
}


def second_line(instrument: Instrument) -> str | None:
    """What tells one contract from its siblings; nothing for what has none."""
    say = _SECOND.get(instrument.sec_type)
    return say(instrument) if say else None


def _option_line(option: Instrument) -> str:
    return (
        f"{option.expiry:%b %d} '{option.expiry:%y} {strike_text(option)}".upper() + f" {right_word(option)}"
    )


def _future_option_line(option: Instrument) -> str:
    day = f"{option.expiry:%b%d}'{option.expiry:%y}"
    size = quantity_text(option.multiplier)
    words = f"({option.trading_class}) {day} {strike_text(option)} {right_word(option)}"
    return f"{words} Fut.Option({size}) @{option.exchange}"


_SECOND: dict[str, Callable[[Instrument], str | None]] = {
    "OPT": _option_line,
    "WAR": _option_line,
    "FOP": _future_option_line,
    "FUT": lambda one: f"{one.month:%b}'{one.month:%y} @{one.exchange}",
    "BOND": lambda one: f"{one.coupon} {one.expiry:%b%d}'{one.expiry:%y}",
}


def full_name(instrument: Instrument) -> str:
    """The name in definitions: ``SPY Jan17'25 440 Call``."""
    if instrument.sec_type in WITH_STRIKE:
        day = f"{instrument.expiry:%b%d}'{instrument.expiry:%y}"
        return f"{instrument.symbol} {day} {strike_text(instrument)} {right_word(instrument)}"
    if instrument.sec_type == "FUT":
        return f"{instrument.symbol} {instrument.expiry:%b%d}'{instrument.expiry:%y}"
    return instrument.symbol


def position_line(instrument: Instrument) -> str:
    """The description of a position: ``SPY    JAN2025 440 C [SPY   250117C00440000 100]``."""
    if instrument.sec_type in WITH_STRIKE:
        month = f"{instrument.expiry:%b%Y}".upper()
        inner = f"{local_symbol(instrument)} {quantity_text(instrument.multiplier)}"
        words = f"{month} {strike_text(instrument)} {instrument.right}"
        return f"{instrument.symbol:<6} {words} [{inner}]"
    if instrument.sec_type == "FUT":
        return f"{instrument.symbol:<6} {instrument.month:%b%Y}".upper()
    if instrument.sec_type == "CRYPTO":
        return f"{instrument.symbol} CRYPTO"
    return instrument.symbol


def first_line(instrument: Instrument) -> str:
    """The ticker as rows of orders and quotes show it."""
    return instrument.symbol
