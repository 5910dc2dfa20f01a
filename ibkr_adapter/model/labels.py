"""Name a contract so that the name is read back as that contract.

Hosts keep names of at most twenty characters and cut off what stands before a colon; what cannot
be said so is said by its contract id, which always can. The spellings are those that
:mod:`ibkr_adapter.model.names` reads.
"""

from __future__ import annotations

import re

from ibkr_adapter.model import products
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.query import STRUCK, ends, plain

LONGEST_FOR_HOST = 20
_SIMPLE = re.compile(r"[A-Z][A-Z0-9]{0,8}(?: [A-Z]{1,2})?")
_ROOT = re.compile(r"[A-Z]{1,5}|[A-Z]{1,4}[0-9]")
_OCC_MULTIPLIER = 100
_MOST_OCC = 10**8


def host_name(contract: Contract) -> str:
    """The shortest name without a colon that means this contract and no other."""
    name = _NAMES.get(contract.sec_type, _by_conid)(contract)
    return name if len(name) <= LONGEST_FOR_HOST else _by_conid(contract)


def long_name(contract: Contract) -> str:
    """A name for people, with its class in front: ``OPT:AAPL 2027-01-15 220 C``."""
    day = ends(contract)
    words = [contract.symbol]
    if contract.sec_type in {SecType.FOREX, SecType.CRYPTO} and contract.currency:
        words = [f"{contract.symbol.partition('.')[0]}.{contract.currency}"]
    if day is not None:
        words.append(day.isoformat())
    if contract.sec_type in STRUCK and contract.strike is not None:
        words += [format(contract.strike, "f"), contract.right or "?"]
        if contract.trading_class and plain(contract.trading_class) != plain(contract.symbol):
            words.append(contract.trading_class)
    return f"{contract.sec_type.value}:{' '.join(words)}"


def occ(contract: Contract) -> str | None:
    """The OCC's symbol without its padding, for options of the US; ``None`` for all others."""
    day, strike, right = ends(contract), contract.strike, contract.right
    root = plain(contract.trading_class or contract.symbol)
    if (
        contract.sec_type is not SecType.OPTION
        or day is None
        or strike is None
        or right is None
        or contract.currency != "USD"
        or contract.multiplier != _OCC_MULTIPLIER
        or not _ROOT.fullmatch(root)
    ):
        return None
    thousandths = strike * 1000
    if thousandths != thousandths.to_integral_value() or not 0 < thousandths < _MOST_OCC:
        return None
    return f"{root}{day:%y%m%d}{right}{int(thousandths):08d}"


def _by_conid(contract: Contract) -> str:
    return f"{contract.conid}@SMART"


def _stock(contract: Contract) -> str:
    # A bare name is looked for in the US first, and may be a future or a coin as well.
    known = contract.symbol in products.FUTURES or contract.symbol in products.COINS
    if contract.is_us and not known and _SIMPLE.fullmatch(contract.symbol):
        return contract.symbol
    return _by_conid(contract)


def _option(contract: Contract) -> str:
    return occ(contract) or _by_conid(contract)


def _future(contract: Contract) -> str:
    day, symbol = ends(contract), contract.symbol
    # BTC before a date would be read as the root of IBKR's BRR.
    if day is None or not _SIMPLE.fullmatch(symbol) or products.future_symbol(symbol) != symbol:
        return _by_conid(contract)
    return f"{symbol} {day.isoformat()}"


def _forex(contract: Contract) -> str:
    base = contract.symbol.partition(".")[0]
    if contract.currency is None or not products.is_pair(base, contract.currency):
        return _by_conid(contract)
    return f"{base}.{contract.currency}"


_NAMES = {
    SecType.STOCK: _stock,
    SecType.OPTION: _option,
    SecType.FUTURE: _future,
    SecType.FOREX: _forex,
}
