"""Which faults are armed, and which call uses one up.

A fault has the number it bears in the catalogue of faults, an endpoint it waits for and a
number of times it strikes. Here it is armed, matched and counted; what it does is for
:mod:`.inflict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from ibkr_adapter.simulator.routes import RouteTable

_ORDERS = "POST /iserver/account/{accountId}/orders"
_ORDER = "/iserver/account/{accountId}/order/{orderId}"
_REPLY = "POST /iserver/reply/{replyId}"
_HISTORY = "GET /iserver/marketdata/history"

# Fault -> its variants, the first being the default.
VARIANTS: dict[str, tuple[str, ...]] = {
    "F01": ("refuse",),
    "F02": ("reset",),
    "F03": ("reset", "close"),
    "F04": ("silence",),
    "F05": ("unprocessed", "processed"),
    "F06": ("unprocessed",),
    "F07": ("taken",),
    "F08": ("unprocessed",),
    "F09": ("box",),
    "F10": ("json", "html", "empty"),
    "F11": ("json", "html", "empty"),
    "F12": ("accounts", "no_bridge"),
    "F13": ("error", "success"),
    "F14": ("unprocessed", "processed"),
    "F15": ("json", "types", "missing", "nan", "extra", "prefix", "null", "empty"),
    "F16": ("truncate", "cut_chunk", "cut_unframed", "broken_gzip"),
    "F17": ("trickle", "endless_headers", "early_hints", "garbage_status"),
    "F18": ("chain", "unknown", "twice", "reply_400", "reply_503", "reply_503_live"),
    "F19": ("strict",),
    "F20": ("registered",),
    "F23": ("filled",),
    "F24": ("lost", "crosses", "incarnations"),
    "F25": ("child", "inactive"),
    "F26": ("empty", "lie"),
    "F27": ("ids", "types"),
    "F28": ("no_data", "partial", "cut"),
    "F33": ("restart",),
    "F34": ("skew",),
    "F35": ("refused", "down", "expired"),
    "F37": ("address", "moved"),
}
UNREAD = frozenset({"F01", "F02"})
# A wrong wall clock is no answer: it lies under whatever else strikes the call.
_SKEW = "F34"
_SKEW_SECONDS = 300.0
_FOR_EVER = frozenset({"F06", _SKEW})
# Known faults that a server answering requests cannot inflict.
_STREAM = frozenset({"F29", "F30", "F31", "F32"})
_ELSEWHERE = {
    "F21": "happens inside the client",
    "F22": "happens inside the clients",
    "F36": "is about certificates: start another server",
    "F38": "happens on the client's disk",
    "F39": "happens to the client's clock",
    "F40": "is made with the option filler_positions",
    "F41": "is not offered yet",
    "F42": "happens inside the client",
}
# Where a fault strikes when nothing is said, if not everywhere.
_HOME = {
    "F18": _ORDERS,
    "F19": _ORDERS,
    "F20": _ORDERS,
    "F23": _ORDERS,
    "F24": f"DELETE {_ORDER}",
    "F25": _ORDERS,
    "F26": "GET /iserver/account/orders",
    "F27": "GET /iserver/marketdata/snapshot",
    "F28": _HISTORY,
}
_KEYS = frozenset(
    {
        "fault",
        "on",
        "times",
        "variant",
        "seconds",
        "status",
        "body",
        "count",
        "retry_after",
        "leg",
        "for",
    }
)
_NUMBERS = ("seconds", "status", "count", "retry_after", "leg", "for")


class FaultError(ValueError):
    """What was asked for cannot be armed; the message says why."""


@attrs.define(kw_only=True, eq=False)
class Armed:
    """A fault that waits for its call; ``times`` is nothing when it never tires."""

    fault: str
    on: str
    variant: str
    times: int | None = 1
    among: frozenset[str] | None = None  # what "*" means, if not all
    until: datetime | None = None
    wishes: dict[str, Any] = attrs.field(factory=dict)
    consumed: int = 0

    def strikes(self, name: str, now: datetime) -> bool:
        """Tell whether it strikes a call of this name."""
        if self.on not in {"*", name} or (self.among is not None and name not in self.among):
            return False
        if self.until is not None:
            return now < self.until
        return self.times is None or self.consumed < self.times

    def number(self, key: str, default: float) -> float:
        """A figure from the request that armed it."""
        return float(self.wishes.get(key, default))

    def as_json(self) -> dict[str, Any]:
        """What the ledger tells of it."""
        return {
            "fault": self.fault,
            "on": self.on,
            "variant": self.variant,
            "times": self.times,
            "consumed": self.consumed,
        }


class FaultBox:
    """The armed faults, in the order in which they were armed."""

    def __init__(self, routes: RouteTable) -> None:
        self._routes = routes
        self.armed: list[Armed] = []

    def arm(self, wishes: Mapping[str, Any], now: datetime) -> Armed:
        """Arm a fault.

        Raises:
            FaultError: No such fault, endpoint, variant or key.
        """
        number = str(wishes.get("fault", ""))
        if number in _STREAM:
            raise FaultError(f"{number} is about streams: not yet")
        if number in _ELSEWHERE:
            raise FaultError(f"{number} {_ELSEWHERE[number]}")
        if number not in VARIANTS:
            raise FaultError(f"there is no fault {number or '(none named)'}")
        unknown = wishes.keys() - _KEYS
        if unknown:
            raise FaultError(f"a fault has no {', '.join(sorted(unknown))}")
        variant = str(wishes.get("variant", VARIANTS[number][0]))
        if variant not in VARIANTS[number]:
            raise FaultError(f"{number} comes as {', '.join(VARIANTS[number])}, not as {variant}")
        self._check_figures(wishes)
        on = str(wishes.get("on", _home(number, variant)))
        if on != "*" and not self._routes.knows(on):
            raise FaultError(f"there is no endpoint {on}")
        lasting = wishes.get("for")
        armed = Armed(
            fault=number,
            on=on,
            variant=variant,
            times=wishes.get("times", None if number in _FOR_EVER else 1),
            among=self._routes.token_names if (number, on) == ("F35", "*") and variant != "expired" else None,
            until=None if lasting is None else now + timedelta(seconds=float(lasting)),
            wishes=dict(wishes),
        )
        self.armed.append(armed)
        return armed

    @staticmethod
    def _check_figures(wishes: Mapping[str, Any]) -> None:
        times = wishes.get("times", 1)
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise FaultError("times is a whole number from 1, or null for ever")
        for key in _NUMBERS:
            value = wishes.get(key, 0)
            try:
                float(value)
            except (TypeError, ValueError):
                raise FaultError(f"{key} is a number") from None

    def take(self, name: str, now: datetime, *, unread: bool) -> Armed | None:
        """Use up the first fault that strikes this call.

        Args:
            name: The endpoint's name.
            now: The market time.
            unread: Whether the call's body has not been read yet; only some faults strike then.
        """
        for armed in self.armed:
            if armed.fault != _SKEW and armed.strikes(name, now):
                if (armed.fault in UNREAD) is not unread:
                    return None
                armed.consumed += 1
                return armed
        return None

    def skew(self, name: str, now: datetime) -> float:
        """How many seconds the wall clock is off for this call; uses up what strikes it."""
        striking = [one for one in self.armed if one.fault == _SKEW and one.strikes(name, now)]
        for armed in striking:
            armed.consumed += 1
        return sum(one.number("seconds", _SKEW_SECONDS) for one in striking)

    def clear(self) -> int:
        """Disarm and forget all; tell how many there were."""
        count = len(self.armed)
        self.armed.clear()
        return count


def _home(number: str, variant: str) -> str:
    if variant.startswith("reply_"):
        return _REPLY
    if variant == "incarnations":
        return f"POST {_ORDER}"
    return _HOME.get(number, "*")
