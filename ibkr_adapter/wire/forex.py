"""Read exchange rates, and the pairs in which currencies trade.

A pair trades in one direction only: the currency before the dot is bought or sold, the one after
it is what its price is in. The key under which pairs are listed says neither.

Source: Web API reference, "Currency Exchange Rate" and "Available Currency Pairs", and recorded
answers; held by ``tests/unit/test_wire_forex.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import numbers

RATE = "GET /iserver/exchangerate"
PAIRS = "GET /iserver/currency/pairs"

_SYMBOL = re.compile(r"([A-Z]{3})\.([A-Z]{3})")


@attrs.frozen(kw_only=True)
class Pair:
    """A currency pair; its price is in ``quote``, for one unit of ``base``."""

    conid: int
    base: str
    quote: str

    @property
    def symbol(self) -> str:
        """IBKR's name for it."""
        return f"{self.base}.{self.quote}"


def read_rate(content: Any) -> Decimal:
    """Read how many units of the target one unit of the source is.

    Raises:
        UnexpectedAnswer: There is no rate above 0; a missing one is not 1.
    """
    rate = numbers.decimal(content.get("rate")) if isinstance(content, Mapping) else None
    if rate is None or rate <= 0:
        raise UnexpectedAnswer("IBKR gave no exchange rate; none was guessed.", endpoint=RATE)
    return rate


def read_pairs(content: Any) -> tuple[Pair, ...]:
    """Read the pairs of a currency; rows that are no pair of two currencies are left out."""
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("the currency pairs came in an unknown shape.", endpoint=PAIRS)
    found: dict[int, Pair] = {}
    for rows in content.values():
        if not isinstance(rows, list):
            raise UnexpectedAnswer("the currency pairs came in an unknown shape.", endpoint=PAIRS)
        for row in rows:
            pair = _pair(row)
            if pair is not None:
                found[pair.conid] = pair
    return tuple(found.values())


def _pair(row: Any) -> Pair | None:
    if not isinstance(row, Mapping):
        raise UnexpectedAnswer("a currency pair is no object.", endpoint=PAIRS)
    conid, symbol = numbers.conid(row.get("conid")), numbers.text(row.get("symbol"))
    named = _SYMBOL.fullmatch(symbol or "")
    return Pair(conid=conid, base=named[1], quote=named[2]) if conid is not None and named else None
