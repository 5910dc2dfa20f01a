"""Tell what kind of value a program handed over, before anything is made of it.

Python takes ``True`` for 1 and a text for a list of its letters, and NumPy's whole numbers are no ``int``.
Most rooms raise in their own words; these only tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any, TypeGuard

from ibkr_adapter.errors import InvalidRequest, quoted

# No price, size or balance comes near; exact arithmetic on larger powers would not end, and their digits
# would fill the memory.
LARGEST_POWER = 30
# Seconds: a call may wait for centuries, and a clock may not.
LONGEST_TIME = 10.0**9


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is a text that holds something."""
    return isinstance(value, str) and bool(value.strip())


def is_whole(value: object) -> TypeGuard[Integral]:
    """Whether a value is a whole number, a data frame's included; truth is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_listed(value: object) -> TypeGuard[Iterable[Any]]:
    """Whether a value is several values; the letters of one text are not what is meant by it."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def positive_id(value: object, longest: int) -> int:
    """Read an id of at most ``longest`` digits, written as a number or as text; 0 where it is none."""
    text = value.strip() if isinstance(value, str) else ""
    # Python refuses to write a number of thousands of digits, so its size is looked at first.
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**longest:
        text = str(int(value))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else 0


def check_callable(value: object, what: str) -> None:
    """See that what is to be told something can be called; it would be found out on another thread, or late.

    Raises:
        InvalidRequest: It cannot; nothing was sent.
    """
    if not callable(value):
        raise InvalidRequest(f"{what}={quoted(value)} cannot be called; nothing was sent.")
