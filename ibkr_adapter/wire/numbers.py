"""How IBKR writes numbers, contract ids, times and texts, and how to read them.

The same notion arrives as a number, as text for the eye (``"1,300"``, ``"25.5M"``, ``"+0.84%"``)
or not at all, depending on the endpoint. Every function here takes any JSON value and never
raises: what cannot be read exactly is ``None``, never zero and never a guess. What a missing
value means is for the readers; the price prefixes of snapshots are for
:mod:`ibkr_adapter.wire.marketdata`.

Source: Web API reference, market data fields and portfolio examples; observed answers.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from ibkr_adapter.model.kinds import LARGEST_POWER

# IBKR's stand-in where a row has no contract of its own.
NO_CONID = 2_147_483_647
_LONGEST = 64
# Longer words are nobody's name; it also keeps the numbers inside entities short.
_LONGEST_TEXT = 2000
# Seconds reach this number in the year 5138, milliseconds had passed it by 1973.
_FIRST_MILLISECONDS = 10**11
# Anything smaller is no recent moment but a date such as 20260401, a count or a placeholder.
_FIRST_SECONDS = 10**8
_LAST_MILLISECONDS = 253_402_300_799_999

_NUMBER = re.compile(
    r"([+-]?)((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)((?:E[+-]?[0-9]{1,3})?)"
)
_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
_SCALES = {"K": 3, "M": 6, "B": 9, "T": 12}
_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_MONEY = re.compile(r"(\S+) ([A-Z]{3})")
_STAMPS = (
    re.compile(r"(?P<year>[0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})"),
    re.compile(r"(?P<year>[0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{2}):([0-9]{2}):([0-9]{2})"),
)
_CENTURY = 2000
# Control sequences and operating system commands of terminals, then any other escape.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]"
)
# A context of our own: the caller's may be set to few digits.
_EXACT = Context(prec=200)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decimal(value: Any) -> Decimal | None:
    """Read a number, written for programs or for people.

    Thousands commas, a sign, ``%`` and the suffixes K, M, B and T are understood; a percentage
    stays one (``"0.54%"`` is 0.54). Empty texts, ``N/A``, infinities and anything else are
    ``None``.
    """
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    if isinstance(value, int) and value.bit_length() > 4 * _LONGEST:
        return None
    # The shortest text that means a float is what IBKR wrote; NumPy's floats write their type around it.
    return _sane(Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value))


def integer(value: Any) -> int | None:
    """Read a whole number; fractions and abbreviations are ``None``, not rounded."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        return None
    number = decimal(value)
    return None if number is None or number != number.to_integral_value() else int(number)


def conid(value: Any) -> int | None:
    """Read a contract id, a positive whole number; IBKR's placeholder for "none" is ``None``."""
    number = integer(value)
    return None if number is None or number <= 0 or number == NO_CONID else number


def money(value: Any) -> tuple[Decimal, str] | None:
    """Read an amount with its currency, such as ``"-401,693 USD"``."""
    written = _MONEY.fullmatch(value.strip()) if isinstance(value, str) else None
    amount = decimal(written[1]) if written else None
    return None if written is None or amount is None else (amount, written[2])


def moment(value: Any) -> datetime | None:
    """Read a time counted from 1970 in seconds or milliseconds; its size decides which."""
    number = decimal(value)
    if number is None or not _FIRST_SECONDS <= number <= _LAST_MILLISECONDS:
        return None
    scale = 3 if number > _FIRST_MILLISECONDS else 6
    return _EPOCH + timedelta(microseconds=int(number.scaleb(scale, _EXACT)))


def day(value: Any) -> date | None:
    """Read a day written ``20261218``, as a number or a text; it is the exchange's own day."""
    number = integer(value)
    found = _DAY.fullmatch(str(number)) if number is not None else None
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def utc_stamp(value: Any) -> datetime | None:
    """Read ``"260401234047"`` (two digits for the year) or ``"20231211-18:00:49"``, both in UTC."""
    if not isinstance(value, str):
        return None
    written = next((found for stamp in _STAMPS if (found := stamp.fullmatch(value.strip()))), None)
    if written is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in written.groups())
    if len(written["year"]) == 2:  # noqa: PLR2004  (two digits)
        year += _CENTURY
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def text(value: Any) -> str | None:
    """Read words for people: entities decoded, control characters and terminal codes taken out.

    Empty texts are ``None``, and so is the word ``None``, which IBKR writes for a null here and
    there.
    """
    if not isinstance(value, str):
        return None
    bare = re.sub(r"\s+", " ", _TERMINAL.sub("", html.unescape(value[:_LONGEST_TEXT])))
    bare = "".join(character for character in bare if character.isprintable()).strip()
    return None if bare in {"", "None"} else bare


def flag(value: Any) -> bool | None:
    """Read yes or no, written as ``true``, ``"true"``, ``1`` or ``"1"`` and their opposites."""
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    if isinstance(value, (bool, int, float, Decimal)):
        number = Decimal(int(value)) if isinstance(value, bool) else decimal(value)
        return None if number not in {Decimal(0), Decimal(1)} else bool(number)
    return None


def _from_text(written: str) -> Decimal | None:
    bare = written.strip().upper().removesuffix("%").rstrip()
    scale = _SCALES.get(bare[-1:], 0)
    found = _NUMBER.fullmatch(bare[:-1].rstrip() if scale else bare) if len(bare) <= _LONGEST else None
    if found is None:
        return None
    number = Decimal(f"{found[1]}{found[2].replace(',', '')}{found[3]}")
    return _sane(number.scaleb(scale, _EXACT))


def _sane(number: Decimal) -> Decimal | None:
    """Refuse what no figure of a broker can be, and write the others without a positive exponent."""
    if not number.is_finite():
        return None
    if not number:
        return Decimal(0)
    if abs(number.adjusted()) > LARGEST_POWER or len(number.as_tuple().digits) > _LONGEST:
        return None
    # Scaling leaves an exponent behind that would be shown to people.
    whole = number == number.to_integral_value(context=_EXACT)
    return number.quantize(Decimal(1), context=_EXACT) if whole and "E" in str(number) else number
