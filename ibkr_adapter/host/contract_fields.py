"""Read which contract a webhook names by fields beside its symbol: an option, or a future.

Pure. ``right``, ``strike`` and ``expiration`` together name an option on the symbol, ``expiration`` alone a
future; ``underlying`` may stand for the symbol then. Half an option is refused: the host's own executor for
options takes the nearest day and a strike of its choice, which is a guess with money. Whether IBKR lists the
contract, and whether it is the only one, is found out by the exchange.

Source: the fields that the host's executor for options reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model import names
from ibkr_adapter.model.identifiers import as_strike
from ibkr_adapter.model.query import ContractQuery

from .values import amount, choice, refusal, shown, symbol, word, wrong

OF_AN_OPTION = ("right", "strike")
OF_A_CONTRACT = (*OF_AN_OPTION, "expiration")
_RIGHTS = {"c": "C", "call": "C", "p": "P", "put": "P"}
# A year of one digit would depend on the day on which it is read.
_WHOLE_YEAR = re.compile(r".*[0-9]{2}|.*-[0-9]{1,2}")
_ANY_DAY = date(2000, 1, 1)

# Field -> how the payload spells it, and its value.
Parts = Mapping[str, tuple[str, Any]]


def read_symbol(parts: Parts) -> tuple[str, ContractQuery | None]:
    """Read what is to be traded: the symbol, and the contract where fields beside it name one.

    Raises:
        InvalidOrder: It is no name, or half of one, or two; nothing was sent.
    """
    if not any(field in parts for field in OF_A_CONTRACT):
        return symbol(_value(parts, "symbol")), None
    root = _root(parts)
    named = _named(root)
    if named is not None and named.is_struck:
        _check_the_same(named, parts)
        return root, None
    text = _text(root, parts)
    try:
        query = names.read(text, _ANY_DAY)
    except ContractNotFound as no_name:
        raise refusal(no_name.message.removesuffix("; nothing was sent.")) from None
    # Nobody wrote this text, so nobody is answered with it.
    return text, query.but(text="")


def _root(parts: Parts) -> str:
    given = [symbol(_value(parts, field)) for field in ("symbol", "underlying") if field in parts]
    if not given:
        return symbol(None)
    root = given[0]
    if any(other.upper() != root.upper() for other in given[1:]):
        named = _named(root)
        if named is None or not named.is_struck:
            raise refusal(f"symbol {root} and underlying {given[1]} are two underlyings: give one of them")
    return root


def _text(root: str, parts: Parts) -> str:
    if "expiration" not in parts:
        have = " and ".join(parts[field][0] for field in OF_AN_OPTION if field in parts)
        raise refusal(f"{have} without expiration is no option: give the day, such as 2026-12-18")
    when = _when(parts)
    lacking = [field for field in OF_AN_OPTION if field not in parts]
    if len(lacking) == len(OF_AN_OPTION):
        return f"{root} {when}" if ":" in root else f"FUT:{root} {when}"
    if lacking:
        raise refusal(f"an option needs {lacking[0]}, too: give right, strike and expiration")
    return f"{root} {when} {_strike(parts)} {_right(parts)}"


def _check_the_same(named: ContractQuery, parts: Parts) -> None:
    """See that an option's own name and the fields beside it say one thing."""
    given: dict[str, Callable[[], bool]] = {
        "right": lambda: _right(parts) == named.right,
        "strike": lambda: as_strike(_strike(parts)) == named.strike,
        "expiration": lambda: _when(parts) in {str(named.expiry), str(named.month)},
    }
    for field, agrees in given.items():
        if field in parts and not agrees():
            raise refusal(f"{parts[field][0]} {shown(parts[field][1])} is not that of the option {named}")


def _named(root: str) -> ContractQuery | None:
    try:
        return names.read(root, _ANY_DAY)
    except ContractNotFound:
        return None


def _right(parts: Parts) -> str:
    name, value = parts["right"]
    return choice(name, value, _RIGHTS, "call or put")


def _strike(parts: Parts) -> str:
    name, value = parts["strike"]
    strike = amount(name, value)
    if strike is None:
        raise wrong(name, value, "must be a number")
    return format(as_strike(strike), "f")


def _when(parts: Parts) -> str:
    name, value = parts["expiration"]
    text = (word(name, value) or "").upper()
    rule = "must be a day such as 2026-12-18 or a month such as 2026-12"
    try:
        found = names.when(text, _ANY_DAY) if _WHOLE_YEAR.fullmatch(text) else None
    except ContractNotFound:
        found = None
    if found is None:
        raise wrong(name, value, rule)
    return str(found)


def _value(parts: Parts, field: str) -> Any:
    return parts[field][1] if field in parts else None
