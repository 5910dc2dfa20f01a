"""Write an error down and make it again, so that the repeat of a webhook fails as the first one did.

Knows which errors prove that nothing was sent, and what of an error is worth keeping: its kind, its words
and its plain attributes. What was to be looked up by a call of the error itself cannot be any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ibkr_adapter import errors
from ibkr_adapter.errors import (
    ConfigurationError,
    ContractError,
    IBKRError,
    InvalidOrder,
    NotSent,
    OrderError,
    SessionError,
    Throttled,
)

# With one of these no byte of an entry has left.
NOTHING_LEFT = (ConfigurationError, ContractError, InvalidOrder, NotSent, SessionError, Throttled)


def answer(error: IBKRError) -> dict[str, Any]:
    """What a host answers for a webhook that failed; it goes into JSON as it is."""
    return {
        "success": False,
        "action": "failed",
        "exchange": "ibkr",
        "error": str(error),
        "errorType": type(error).__name__,
        "retryable": error.repeatable,
    }


def written(error: IBKRError) -> dict[str, Any]:
    """The error as JSON can hold it."""
    kept = {name: _plain(value) for name, value in vars(error).items() if not name.startswith("_")}
    return answer(error) | {"about": {name: value for name, value in kept.items() if value is not _LOST}}


def read(told: Mapping[str, Any], *, since: str) -> IBKRError:
    """Make the error anew; ``since`` ends its message, for it is the answer to an earlier webhook."""
    kind = getattr(errors, str(told.get("errorType")), OrderError)
    if not (isinstance(kind, type) and issubclass(kind, IBKRError)):
        kind = OrderError
    about = {name: _back(value) for name, value in dict(told.get("about") or {}).items()}
    about["message"] = f"{about.get('message', told.get('error', ''))} {since}"
    remedy = about.get("remedy")
    found: IBKRError = kind.__new__(kind, f"{about['message']} {remedy}" if remedy else about["message"])
    blank = IBKRError("")
    found.__dict__.update(vars(blank) | {"_resolver": None} | about)
    return found


class _Lost:
    """Stands for what JSON cannot hold."""


_LOST = _Lost()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return {"texts": list(value)}
    if isinstance(value, Mapping) and all(isinstance(part, str) for pair in value.items() for part in pair):
        return {"names": dict(value)}
    return _LOST


def _back(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "decimal" in value:
        return Decimal(value["decimal"])
    if "time" in value:
        return datetime.fromisoformat(value["time"])
    return tuple(value["texts"]) if "texts" in value else dict(value["names"])
