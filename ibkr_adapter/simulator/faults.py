"""Which faults are armed, and which call uses one up.

A fault has a name (:mod:`.fault_names`), an endpoint it waits for and a number of times it strikes.
Here it is armed, matched and counted; what it does is for :mod:`.inflict`. A match is a
:class:`Strike`, and only one that lands is *consumed*: a bracket's fault that meets a single order
goes on waiting, and one whose order still awaits an answer lands when that order is entered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from ibkr_adapter.simulator.fault_names import (
    ELSEWHERE,
    FOR_EVER,
    HANDSHAKE,
    OF_STREAMS,
    SKEW,
    TLS,
    TOPICS,
    UNREAD,
    VARIANTS,
    home,
)
from ibkr_adapter.simulator.routes import RouteTable

_SKEW_SECONDS = 300.0

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
_NUMBERS = ("seconds", "status", "count", "retry_after", "for")
# Of seconds: thirty years, which a calendar still has.
_LARGEST = 10**9


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
    taken: int = 0  # matched with a call: landed, or about to
    consumed: int = 0

    @property
    def is_met_before_calls(self) -> bool:
        """Tell whether it strikes the handshake of a connection."""
        return self.fault == TLS and self.variant in HANDSHAKE

    def strikes(self, name: str, now: datetime) -> bool:
        """Tell whether it strikes a call of this name."""
        if self.on not in {"*", name} or (self.among is not None and name not in self.among):
            return False
        if self.until is not None:
            return now < self.until
        return self.times is None or self.taken < self.times

    def land(self) -> None:
        """Strike at once."""
        self.taken += 1
        self.consumed += 1

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


@attrs.define(kw_only=True, eq=False)
class Strike:
    """One fault that has met one call.

    ``waits`` says that the call has asked a question, and that what it asked for is still to come.
    """

    armed: Armed
    has_landed: bool = False
    waits: bool = False

    def land(self) -> None:
        """Say that the fault has done what it is for; once is as good as twice."""
        if not self.has_landed:
            self.has_landed = True
            self.armed.consumed += 1

    def settle(self) -> None:
        """End the call: a fault that it had no use for waits on."""
        if not self.has_landed and not self.waits:
            self.armed.taken -= 1


def land(twists: Mapping[str, Any]) -> None:
    """Let the fault that has twisted a call land, if there is one."""
    strike: Strike | None = twists.get("strike")
    if strike is not None:
        strike.land()


def wait(twists: Mapping[str, Any], *, asked: bool) -> None:
    """Keep the fault of a call for the moment when its questions are answered."""
    strike: Strike | None = twists.get("strike")
    if strike is not None and asked:
        strike.waits = True


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
        if number in ELSEWHERE:
            raise FaultError(f"{number} {ELSEWHERE[number]}")
        if number not in VARIANTS:
            raise FaultError(f"there is no fault {number or '(none named)'}")
        unknown = wishes.keys() - _KEYS
        if unknown:
            raise FaultError(f"a fault has no {', '.join(sorted(unknown))}")
        variant = str(wishes.get("variant", VARIANTS[number][0]))
        if variant not in VARIANTS[number]:
            raise FaultError(f"{number} comes as {', '.join(VARIANTS[number])}, not as {variant}")
        self._check_figures(wishes)
        on = str(wishes.get("on", home(number, variant)))
        if on != "*" and number in OF_STREAMS and on not in TOPICS:
            raise FaultError(f"there is no topic {on}, only {', '.join(sorted(TOPICS))}")
        if on != "*" and number not in OF_STREAMS and not self._routes.knows(on):
            raise FaultError(f"there is no endpoint {on}")
        if on != "*" and number == TLS and variant in HANDSHAKE:
            raise FaultError(f"{number} {variant} strikes connections, before there is an endpoint")
        lasting = wishes.get("for")
        armed = Armed(
            fault=number,
            on=on,
            variant=variant,
            times=wishes.get("times", None if number in FOR_EVER else 1),
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
                is_counted = abs(float(value)) <= _LARGEST
            except (TypeError, ValueError, OverflowError):
                raise FaultError(f"{key} is a number") from None
            if not is_counted:
                raise FaultError(f"{key} is too large")

    def take(self, name: str, now: datetime, *, unread: bool) -> Strike | None:
        """Match the first fault that strikes this call with it.

        Args:
            name: The endpoint's name.
            now: The market time.
            unread: Whether the call's body has not been read yet; only some faults strike then.
        """
        for armed in self.armed:
            # A wrong wall clock is no answer: it lies under whatever else strikes the call.
            if armed.fault == SKEW or armed.fault in OF_STREAMS or armed.is_met_before_calls:
                continue
            if not armed.strikes(name, now):
                continue
            if (armed.fault in UNREAD) is not unread:
                return None
            armed.taken += 1
            return Strike(armed=armed)
        return None

    def take_frame(self, topic: str, now: datetime) -> Armed | None:
        """Use up the first fault that strikes a frame of this topic."""
        for armed in self.armed:
            if armed.fault in OF_STREAMS and armed.strikes(topic, now):
                armed.land()
                return armed
        return None

    def take_handshake(self, now: datetime) -> Armed | None:
        """Use up the first fault that strikes the handshake of a connection."""
        for armed in self.armed:
            if armed.is_met_before_calls and armed.strikes("*", now):
                armed.land()
                return armed
        return None

    def skew(self, name: str, now: datetime) -> float:
        """How many seconds the wall clock is off for this call; uses up what strikes it."""
        striking = [one for one in self.armed if one.fault == SKEW and one.strikes(name, now)]
        for armed in striking:
            armed.land()
        return sum(one.number("seconds", _SKEW_SECONDS) for one in striking)

    def clear(self) -> int:
        """Disarm and forget all; tell how many there were."""
        count = len(self.armed)
        self.armed.clear()
        return count
