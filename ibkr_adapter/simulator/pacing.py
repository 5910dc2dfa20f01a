"""Measure how fast requests arrive and punish who is too fast.

The broker's own meter: it counts arrivals on the wall's monotonic clock over rolling spans, all
requests and the endpoints of IBKR's published table. A breach is written down and answered 429;
a second one within five minutes puts the caller into the penalty box, where every answer is
429. What the real service tolerates beyond its table is unknown, so nothing is tolerated here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ibkr_adapter.simulator.options import Options

_QUARTER_HOUR = 900.0
_FIVE_MINUTES = 300.0
_HAIR = 1e-9
# Asked for with either method, and counted together.
_EITHER_METHOD = frozenset({"/tickle", "/sso/validate"})

# Template -> calls, seconds. Methods share a row where one limit was published for the path.
TABLE: dict[str, tuple[int, float]] = {
    "GET /iserver/marketdata/snapshot": (10, 1.0),
    "GET /iserver/scanner/params": (1, _QUARTER_HOUR),
    "POST /iserver/scanner/run": (1, 1.0),
    "GET /iserver/account/trades": (1, 5.0),
    "GET /iserver/account/orders": (1, 5.0),
    "GET /iserver/account/pnl/partitioned": (1, 5.0),
    "GET /portfolio/accounts": (1, 5.0),
    "GET /portfolio/subaccounts": (1, 5.0),
    "POST /pa/performance": (1, _QUARTER_HOUR),
    "POST /pa/summary": (1, _QUARTER_HOUR),
    "POST /pa/transactions": (1, _QUARTER_HOUR),
    "POST /pa/allperiods": (1, _QUARTER_HOUR),
    "POST /pa/allocation": (1, _QUARTER_HOUR),
    "GET /fyi/unreadnumber": (1, 1.0),
    "GET /fyi/settings": (1, 1.0),
    "POST /fyi/settings/{typecode}": (1, 1.0),
    "GET /fyi/disclaimer/{typecode}": (1, 1.0),
    "PUT /fyi/disclaimer/{typecode}": (1, 1.0),
    "GET /fyi/deliveryoptions": (1, 1.0),
    "PUT /fyi/deliveryoptions/email": (1, 1.0),
    "POST /fyi/deliveryoptions/device": (1, 1.0),
    "DELETE /fyi/deliveryoptions/{deviceId}": (1, 1.0),
    "GET /fyi/notifications": (1, 1.0),
    "GET /fyi/notifications/more": (1, 1.0),
    "PUT /fyi/notifications/{notificationId}": (1, 1.0),
    "GET /tickle": (1, 1.0),
    "GET /sso/validate": (1, 60.0),
}


@attrs.define(eq=False)
class _Span:
    """The arrivals within one rolling span."""

    count: int
    seconds: float
    arrivals: deque[float] = attrs.field(factory=deque)

    def arrive(self, now: float) -> bool:
        """Count an arrival; tell whether it was one too many."""
        # A hair less than the span: adding up moments leaves an error in the last digits.
        while self.arrivals and now - self.arrivals[0] >= self.seconds - _HAIR:
            self.arrivals.popleft()
        self.arrivals.append(now)
        return len(self.arrivals) > self.count


class Meter:
    """The meter of one broker; moments are seconds of the injected monotonic clock."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._spans: dict[str, _Span] = {}
        self._last_429: float | None = None
        self.box_until: float | None = None
        self.breaches: list[dict[str, Any]] = []

    def arrive(self, method: str, template: str, now: float) -> bool:
        """Measure one request; tell whether it must be answered 429."""
        if self.in_box(now):
            self._note("penalty box", method, template, now)
            return True
        if not self._options.pacing:
            return False
        broken = []
        if self._span("*", self._options.requests_per_second, 1.0).arrive(now):
            broken.append(f"{self._options.requests_per_second} a second")
        key = f"{'GET' if template in _EITHER_METHOD else method} {template}"
        if key in TABLE and self._span(key, *TABLE[key]).arrive(now):
            broken.append(f"{TABLE[key][0]} in {TABLE[key][1]:g} s")
        for rule in broken:
            self._note(rule, method, template, now)
        if broken:
            self._count_429(now)
        return bool(broken)

    def in_box(self, now: float) -> bool:
        """Tell whether the caller sits in the penalty box."""
        return self.box_until is not None and now < self.box_until

    def punish(self, now: float, seconds: float) -> None:
        """Put the caller into the penalty box."""
        self.box_until = now + seconds

    def _count_429(self, now: float) -> None:
        if self._last_429 is not None and now - self._last_429 <= _FIVE_MINUTES:
            self.punish(now, self._options.penalty_seconds)
        self._last_429 = now

    def _span(self, key: str, count: int, seconds: float) -> _Span:
        span = self._spans.get(key)
        if span is None or span.count != count:
            span = self._spans[key] = _Span(count, seconds)
        return span

    def _note(self, rule: str, method: str, template: str, now: float) -> None:
        row = {"rule": rule, "method": method, "template": template, "at": round(now, 6)}
        self.breaches.append(row)
