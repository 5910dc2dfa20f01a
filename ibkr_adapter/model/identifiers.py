"""Read the parts of a name that are figures or identifiers.

ISIN and CUSIP end in a check digit, so a misspelt one is seen before anything is asked. Strikes
and coupons are read exactly, and one value has one spelling.

Check digits: ISO 6166 and ANSI X9.6.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation

from ibkr_adapter.errors import ContractNotFound, InvalidRequest, quoted
from ibkr_adapter.model.kinds import is_whole

CALL, PUT = "C", "P"
_LONGEST_NUMBER = 24
# IBKR's ids have ten digits at most.
_LAST_CONID = 10**18
# The caller's decimal context may be set to few digits.
_EXACT = Context(prec=100)
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_CUSIP = re.compile(r"[A-Z0-9*@#]{8}[0-9]")
_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#"


def is_isin(text: str) -> bool:
    """Whether it has the form of an ISIN and the right check digit."""
    if not _ISIN.fullmatch(text):
        return False
    digits = "".join(str(_BASE_36.index(character)) for character in text)
    return _luhn(digits) == 0


def is_cusip(text: str) -> bool:
    """Whether it has the form of a CUSIP and the right check digit."""
    if not _CUSIP.fullmatch(text):
        return False
    total = 0
    for place, character in enumerate(text[:8]):
        value = _BASE_36.index(character) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return (10 - total % 10) % 10 == int(text[8])


def as_strike(value: object) -> Decimal:
    """Read a strike.

    Raises:
        ContractNotFound: It is none.
    """
    return as_number(value, "strike")


def as_number(value: object, what: str) -> Decimal:
    """Read a figure of a name exactly; a float is what it prints as."""
    try:
        text = str(value).strip()
        number = Decimal(text if len(text) <= _LONGEST_NUMBER else "NaN")
    except (InvalidOperation, ValueError):
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_NUMBER:
        raise ContractNotFound(f"{quoted(value)} is no {what}; nothing was sent.")
    # 220, 220.0 and 2.2E+2 are one strike; written plainly they are one text too.
    whole = number == number.to_integral_value(context=_EXACT)
    return number.quantize(Decimal(1), context=_EXACT) if whole else number.normalize(_EXACT)


def as_right(word: object) -> str:
    """Read C, P, call or put.

    Raises:
        ContractNotFound: It is neither.
    """
    found = {"C": CALL, "CALL": CALL, "P": PUT, "PUT": PUT}.get(
        word.strip().upper() if isinstance(word, str) else ""
    )
    if found is None:
        raise ContractNotFound(f"{quoted(word)} is neither a call nor a put; nothing was sent.")
    return found


def _luhn(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10


def checked_conid(value: object) -> int:
    """Return a contract id that a program wrote, a positive whole number.

    Raises:
        InvalidRequest: It is neither one nor a name; nothing was sent.
    """
    # Truth is a number to Python, and would be contract 1.
    found = int(value) if is_whole(value) else 0
    if not 0 < found < _LAST_CONID:
        raise InvalidRequest(f"{quoted(value)} is neither a name nor a contract id; nothing was sent.")
    return found
