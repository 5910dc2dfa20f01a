"""Write tickets down for the next process, and read them back.

A modification repeats the whole ticket with every key that it was sent with, and a leg that is missing
is sent again as it was; so what was sent is on disk with the order. It holds what was asked for and
under which account, and nothing that opens a door. A note that cannot be read, from another version
say, is as good as none: whoever needs it is refused then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

import attrs

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.algos import ChosenAlgo, Value
from ibkr_adapter.model.order import OrderType, Origin, Side, Ticket, Tif, TrailingUnit

_DECIMALS = frozenset({"quantity", "cash_quantity", "fx_quantity", "limit_price", "stop_price", "trailing"})
_WORDS: dict[str, type[Enum]] = {
    "side": Side,
    "order_type": OrderType,
    "tif": Tif,
    "trailing_unit": TrailingUnit,
}
_NAMES = frozenset(field.name for field in attrs.fields(Ticket))


def write(tickets: Sequence[Ticket]) -> str:
    """Write tickets in their order; what is unset is left out."""
    return json.dumps([_noted(ticket) for ticket in tickets])


def read(text: str | None) -> tuple[Ticket, ...]:
    """Read what :func:`write` wrote; empty where nothing was written or it cannot be understood."""
    try:
        rows = json.loads(text or "[]")
        return tuple(_ticket(row) for row in rows)
    except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation, InvalidOrder):
        return ()


def _noted(ticket: Ticket) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in sorted(_NAMES):
        value = getattr(ticket, name)
        if value is None or value is False:
            continue
        if isinstance(value, ChosenAlgo):
            value = [value.algo_id, [[key, _tagged(one)] for key, one in value.parameters]]
        elif isinstance(value, Origin):
            value = [value.manual, value.operator]
        elif isinstance(value, Enum):
            value = value.value
        elif isinstance(value, Decimal):
            value = str(value)
        found[name] = value
    return found


def _ticket(row: Mapping[str, Any]) -> Ticket:
    if not row.keys() <= _NAMES:
        # A key that is not known here may be one that must be repeated.
        raise KeyError(row)
    given: dict[str, Any] = {}
    for name, value in row.items():
        if name in _DECIMALS:
            given[name] = Decimal(value)
        elif name in _WORDS:
            given[name] = _WORDS[name](value)
        elif name == "origin":
            given[name] = Origin(manual=value[0], operator=value[1])
        elif name == "algo":
            given[name] = ChosenAlgo(
                algo_id=value[0], parameters=tuple((key, _untagged(one)) for key, one in value[1])
            )
        else:
            given[name] = value
    return Ticket(**given)


def _tagged(value: Value) -> Any:
    # Numbers and texts must be told apart again: IBKR checks the types of JSON.
    return [str(value)] if isinstance(value, Decimal) else value


def _untagged(value: Any) -> Value:
    found: Value = Decimal(value[0]) if isinstance(value, list) else value
    return found
