"""Take answers apart into rows, objects and lists, or say that they are nothing that is known.

What the rows mean is for the readers of each kind of answer; what one value means is for
:mod:`ibkr_adapter.wire.numbers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import numbers


def rows(content: Any, endpoint: str, what: str) -> list[Mapping[str, Any]]:
    """Return a list of objects.

    Raises:
        UnexpectedAnswer: It is none.
    """
    if not isinstance(content, list):
        raise UnexpectedAnswer(f"{what} came in an unknown shape; nothing was sent.", endpoint=endpoint)
    return [mapping(row, endpoint, what) for row in content]


def mapping(content: Any, endpoint: str, what: str) -> Mapping[str, Any]:
    """Return an object.

    Raises:
        UnexpectedAnswer: It is none.
    """
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer(f"{what} came in an unknown shape; nothing was sent.", endpoint=endpoint)
    return content


def split(value: Any, separator: str) -> tuple[str, ...]:
    """Return the parts of a joined list; a trailing separator is common."""
    return tuple(part.strip() for part in (numbers.text(value) or "").split(separator) if part.strip())
