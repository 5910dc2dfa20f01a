"""Alerts: what was asked to be told, and whether it has happened.

Conditions are looked at whenever the broker is asked anything: prices, the time, the cushion,
trades and volume, joined by their binds from left to right. An alert goes off once; one that does
not repeat is inactive from then on. What has expired is gone. Zones and the order of binds are
guesses, and nobody is sent a message.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.digits import whole

if TYPE_CHECKING:
    from ibkr_adapter.simulator.world import World

_FIRST_ID = 833_967_258
_STAMP = "%Y%m%d-%H:%M:%S"
_ANYTHING = "*@*"
PRICE, TIME, MARGIN, TRADE, VOLUME = 1, 3, 4, 5, 6
# The ones of the mobile assistant can be written down, and never happen here.
TYPES = frozenset({PRICE, TIME, MARGIN, TRADE, VOLUME, 7, 8, 9})
_IN_HOURS = frozenset({PRICE, VOLUME})
_OPERATORS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<=": lambda now, wanted: now <= wanted,
    ">=": lambda now, wanted: now >= wanted,
}


class ConditionError(ValueError):
    """A condition that nobody can read; the message is the broker's."""


@attrs.frozen(kw_only=True)
class Condition:
    """One thing to wait for, as it was sent."""

    kind: int
    conidex: str
    operator: str | None
    value: str
    bind: str
    trigger_method: str
    zone: str | None

    @property
    def conid(self) -> int | None:
        """The contract, unless any will do."""
        return whole(self.conidex.split("@")[0])


@attrs.define(kw_only=True, eq=False)
class Alert:
    """One alert of an account; ``wishes`` is what it was made of."""

    number: int
    account: str
    entered: datetime
    wishes: dict[str, Any]
    conditions: list[Condition]
    active: bool = True
    triggered: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return str(self.wishes["alertName"])

    @property
    def expires(self) -> datetime | None:
        """When it ends, for one that does."""
        if self.wishes["tif"] != "GTD":
            return None
        return moment_of(str(self.wishes["expireTime"]), None)


class AlertBook:
    """The alerts of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._alerts: dict[int, Alert] = {}
        self._next = _FIRST_ID

    def of(self, account: str) -> list[Alert]:
        """The alerts of an account, oldest first."""
        return [one for one in self._alerts.values() if one.account == account]

    def find(self, number: int, account: str | None = None) -> Alert | None:
        """An alert by its id; of one account, or of any."""
        found = self._alerts.get(number)
        return found if found and account in {None, found.account} else None

    def add(self, account: str, wishes: dict[str, Any], conditions: list[Condition]) -> Alert:
        """Write down a new one."""
        alert = Alert(
            number=self._next, account=account, entered=self._world.now, wishes=wishes, conditions=conditions
        )
        self._alerts[alert.number] = alert
        self._next += 1
        return alert

    def remove(self, number: int) -> None:
        """Forget one."""
        del self._alerts[number]

    def settle(self, now: datetime) -> None:
        """Let go off what has happened, and end what has expired."""
        for alert in list(self._alerts.values()):
            if alert.expires is not None and now >= alert.expires:
                self.remove(alert.number)
            elif alert.active and not alert.triggered and self._has_happened(alert, now):
                alert.triggered = True
                alert.active = bool(alert.wishes["alertRepeatable"])

    def _has_happened(self, alert: Alert, now: datetime) -> bool:
        happened, bind = False, "o"
        for condition in alert.conditions:
            true = self._is_true(alert, condition, now)
            happened = happened and true if bind == "a" else happened or true
            bind = condition.bind
            if bind == "n":
                break
        return happened

    def _is_true(self, alert: Alert, condition: Condition, now: datetime) -> bool:
        if condition.kind in _IN_HOURS and not alert.wishes["outsideRth"] and not hours.is_regular(now):
            return False
        if condition.kind == TIME:
            return now >= moment_of(condition.value, condition.zone)
        if condition.kind == TRADE:
            return any(
                one.account == alert.account
                and one.moment >= alert.entered
                and condition.conid in {None, one.instrument.conid}
                for one in self._world.book.executions
            )
        figure = self._figure(alert, condition, now)
        compare = _OPERATORS[condition.operator or ">="]
        return figure is not None and compare(figure, Decimal(condition.value))

    def _figure(self, alert: Alert, condition: Condition, now: datetime) -> Decimal | None:
        """What a condition compares with: a price, a volume, the cushion in per cent."""
        world = self._world
        if condition.kind == MARGIN:
            sums = world.standing(alert.account)
            return sums.available / sums.net * 100 if sums.net else Decimal(0)
        instrument = world.catalogue.find(condition.conid) if condition.conid is not None else None
        if instrument is None:
            return None
        if condition.kind == VOLUME:
            return world.prices.quote(instrument, now).volume
        return world.last(instrument) if condition.kind == PRICE else None


def moment_of(text: str, zone: str | None) -> datetime:
    """A moment as alerts write it; New York unless a zone is told."""
    try:
        tz = ZoneInfo(zone) if zone else hours.NEW_YORK
        return datetime.strptime(text, _STAMP).replace(tzinfo=tz)
    except (ValueError, ZoneInfoNotFoundError):
        raise ConditionError(f"can't recognize time [{text}]") from None


def read_conditions(rows: Any) -> list[Condition]:
    """Read the conditions of an alert.

    Raises:
        ConditionError: One cannot be read; the words are documented for an unknown operator.
    """
    if not isinstance(rows, list) or not rows:
        raise ConditionError("conditions are missing")
    return [_condition(row, number) for number, row in enumerate(rows, 1)]


def _condition(row: Any, number: int) -> Condition:
    if not isinstance(row, dict):
        raise ConditionError(f"Condition #{number}:can't recognize fix [{row}]")
    condition = Condition(
        kind=row["type"] if isinstance(row.get("type"), int) else 0,
        conidex=str(row.get("conidex", _ANYTHING)),
        operator=str(row["operator"]) if row.get("operator") is not None else None,
        value=str(row.get("value", "")),
        bind=str(row.get("logicBind", "n")),
        trigger_method=str(row.get("triggerMethod", "0")),
        zone=str(row["timeZone"]) if row.get("timeZone") else None,
    )
    for bad in _unreadable(condition, row):
        raise ConditionError(f"Condition #{number}:can't recognize fix [{bad}]")
    return condition


def _unreadable(condition: Condition, row: dict[str, Any]) -> list[Any]:
    bad: list[Any] = []
    if condition.kind not in TYPES:
        bad.append(row.get("type"))
    if condition.bind not in {"a", "o", "n"}:
        bad.append(condition.bind)
    if condition.kind == TIME:
        moment_of(condition.value, condition.zone)
    elif condition.kind in {PRICE, MARGIN, VOLUME}:
        bad += [] if condition.operator in _OPERATORS else [condition.operator]
        bad += [] if _is_number(condition.value) else [condition.value]
    return bad


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False
