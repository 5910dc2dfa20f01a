"""Read the ways in which IBKR writes numbers, times and texts.

One notion comes as a number here and as display text there: ``"1,300"``, ``"25.5M"``,
``"0.54%"``, ``""``, ``"N/A"``. Nothing here raises, whatever it is given: what is no value is
``None``, and never 0.

Source: recorded answers, and the field tables of the Web API reference.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_NUMBER = re.compile(
    r"([+-]?)(\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE]([+-]?\d{1,2}))?\s*([KMBT%]?)", re.IGNORECASE
)
_SCALES = {"": 0, "%": 0, "K": 3, "M": 6, "B": 9, "T": 12}
_MONEY = re.compile(r"(.+?)\s*([A-Z]{3})")
# A placeholder that search results carry where a contract id should be.
_NO_CONID = 2_147_483_647
# Seconds do not reach this figure before the year 5138; milliseconds passed it in 1973.
_MILLISECONDS_FROM = 10**11
_LATEST = 253_402_300_799
_SHORT_STAMP = 12
_LONG_STAMP = 14


def decimal(value: Any) -> Decimal | None:
    """Read a number or its display text exactly; ``None`` where there is none."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        # The shortest text that stands for a float is what IBKR wrote.
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return number if number.is_finite() else None
    if not isinstance(value, str):
        return None
    found = _NUMBER.fullmatch(value.strip().replace(",", ""))
    if found is None:
        return None
    sign, digits, exponent, unit = found.groups()
    try:
        number = Decimal(f"{sign}{digits}E{int(exponent or 0) + _SCALES[unit.upper()]}")
    except InvalidOperation:
        return None
    # Scaling leaves an exponent behind that would be shown to people.
    return number if number.as_tuple().exponent <= 0 else number.quantize(Decimal(1))  # type: ignore[operator]  # finite: the exponent is a number


def integer(value: Any) -> int | None:
    """Read a whole number written as one, as a float without fraction, or as text."""
    number = decimal(value)
    if number is None or number != number.to_integral_value():
        return None
    return int(number)


def conid(value: Any) -> int | None:
    """Read a contract id; placeholders and zero are none."""
    found = integer(value)
    return found if found is not None and 0 < found != _NO_CONID else None


def money(value: Any) -> tuple[Decimal, str] | None:
    """Read ``"-401,693 USD"`` as an amount and its currency."""
    if not isinstance(value, str):
        return None
    found = _MONEY.fullmatch(value.strip())
    amount = decimal(found[1]) if found is not None else None
    return (amount, found[2]) if found is not None and amount is not None else None


def moment(value: Any) -> datetime | None:
    """Read an epoch time; its size tells seconds from milliseconds."""
    number = decimal(value)
    if number is None or number <= 0:
        return None
    seconds = number / 1000 if number > _MILLISECONDS_FROM else number
    return datetime.fromtimestamp(float(seconds), UTC) if seconds <= _LATEST else None


def utc_stamp(value: Any) -> datetime | None:
    """Read ``"260401234047"`` or ``"20231211-18:00:49"``, both in UTC."""
    if not isinstance(value, str) or not value.isascii():
        return None
    digits = re.sub(r"[-: ]", "", value)
    if not digits.isdigit() or len(digits) not in {_SHORT_STAMP, _LONG_STAMP}:
        return None
    try:
        stamp = "%y%m%d%H%M%S" if len(digits) == _SHORT_STAMP else "%Y%m%d%H%M%S"
        return datetime.strptime(digits, stamp).replace(tzinfo=UTC)
    except ValueError:
        return None


def text(value: Any) -> str | None:
    """Read a text for people: entities decoded, control characters gone, empty is none."""
    if not isinstance(value, str):
        return None
    clean = "".join(character if character.isprintable() else " " for character in html.unescape(value))
    clean = re.sub(r"\s+", " ", clean).strip()
    # Combination positions write the word where a null belongs.
    return clean if clean and clean != "None" else None


def flag(value: Any) -> bool:
    """Read true, "true", 1 and "1" as yes, everything else as no."""
    return value is True or (isinstance(value, str) and value.strip().lower() in {"true", "1"}) or value == 1
