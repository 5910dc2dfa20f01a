"""Read one value of a webhook: a number, a choice, a word, a switch.

Pure. Every refusal names the key, says what it must be and shows what came, shortened and
without anything that a terminal would act on. Which values belong together is for
:mod:`.webhook`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.names import says_a_class

NOTHING_SENT = "Nothing was sent."
LONGEST_SYMBOL = 20
LONGEST_WORD = 200
# Beyond these no price, size or sum of money is meant, and arithmetic could overflow.
_LARGEST = Decimal(10) ** 12
_SMALLEST = Decimal(10) ** -12
_HUNDRED = Decimal(100)
_SHOWN = 60

# Python's own reading would take underscores and the digits of every script.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")

_Choice = TypeVar("_Choice")


def refusal(sentence: str) -> InvalidOrder:
    """Make the error that says ``sentence`` and that nothing was sent."""
    return InvalidOrder(sentence + ("" if sentence.endswith("?") else ".") + f" {NOTHING_SENT}")


def wrong(name: str, value: Any, rule: str) -> InvalidOrder:
    """Make the error that ``name`` breaks ``rule`` with ``value``."""
    return refusal(f"{name} {rule}, not {shown(value)}")


def shown(value: Any) -> str:
    """Return ``value`` as a message may show it: short, printable, and no insides of containers."""
    if isinstance(value, str):
        if not value:
            return "an empty text"
        text = value if value.isprintable() and value.strip() == value else ascii(value)
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (int, float, Decimal)):
        text = str(Decimal(value)) if isinstance(value, int) else str(value)
    else:
        # A nested object may hold the secret.
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def amount(name: str, value: Any) -> Decimal | None:
    """Read a price, a size or a sum of money: a number above 0, or ``None`` for none."""
    if value is None:
        return None
    figure = number(name, value)
    if figure <= 0:
        raise wrong(name, value, "must be above 0")
    if figure >= _LARGEST:
        raise wrong(name, value, f"must be below {_LARGEST:,f}")
    if figure < _SMALLEST:
        raise wrong(name, value, "must not be so small")
    return figure


def percent(name: str, value: Any, *, whole: bool = False) -> Decimal | None:
    """Read a percentage above 0 and below 100; 100 itself only where the ``whole`` can be meant."""
    figure = amount(name, value)
    if figure is None:
        return None
    if figure > _HUNDRED or (figure == _HUNDRED and not whole):
        raise wrong(name, value, f"must be above 0 and {'at most' if whole else 'below'} 100")
    return figure


def number(name: str, value: Any) -> Decimal:
    """Read a finite number, or a text that is one, without losing a digit."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise wrong(name, value, "must be a number")
    if isinstance(value, int):
        return Decimal(value)
    # The text of a float is the shortest one that means it, so 300.1 stays 300.1.
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise wrong(name, value, "must be a number such as 2 or 300.00")
    return Decimal(text)


def choice(name: str, value: Any, choices: Mapping[str, _Choice], allowed: str) -> _Choice:
    """Pick one of ``choices``, whose names have no capitals and no separators."""
    if value is None:
        raise refusal(f"{name} is missing: it must be {allowed}")
    if isinstance(value, str):
        found = choices.get(re.sub(r"[\s_-]+", "", value).lower())
        if found is not None:
            return found
    raise wrong(name, value, f"must be {allowed}")


def switch(name: str, value: Any) -> bool | None:
    """Read true or false, also as a text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise wrong(name, value, "must be true or false")


def word(name: str, value: Any) -> str | None:
    """Read a short printable text; a number is taken for its digits."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise wrong(name, value, "must be a text")
    text = str(Decimal(value)) if isinstance(value, int) else str(value).strip()
    if len(text) > LONGEST_WORD or not text.isprintable():
        raise wrong(name, value, f"must be a printable text of at most {LONGEST_WORD} characters")
    return text or None


def symbol(value: Any) -> str:
    """Read an instrument's name; a venue in front of a colon is cut off, a class is not, the case is kept."""
    if value is None:
        raise refusal("symbol is missing")
    before, colon, name = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    name = name.strip()
    if not name or not name.isprintable():
        raise wrong("symbol", value, "must be a text such as AAPL or NASDAQ:AAPL")
    if len(name) > LONGEST_SYMBOL:
        raise wrong("symbol", value, f"must have at most {LONGEST_SYMBOL} characters")
    kind = before.rpartition(":")[2].strip()
    if colon and says_a_class(kind):
        # CFD:AAPL is not the share, and conid:265598 is no ticker.
        return f"{kind}:{name}"
    if name.isnumeric():
        raise wrong("symbol", value, "must be a name, not a number")
    return name


def secret(value: Any) -> str | None:
    """Read the secret, which no message ever shows."""
    if value is not None and not isinstance(value, str):
        raise refusal("secret must be a text")
    return value
