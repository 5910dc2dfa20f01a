"""Alerts: what IBKR watches for, and what it does then.

An alert is named by IBKR's order id. Times are in the zone beside them. How IBKR writes it is for
:mod:`ibkr_adapter.wire.alerts`.

Source: Web API reference, "Alerts", and a recorded answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.errors import InvalidRequest, quoted
from ibkr_adapter.model.kinds import is_text
from ibkr_adapter.model.shown import Shown

_OPERATORS = frozenset({"<=", ">=", "="})
_LONGEST = 1000


class Watches(IntEnum):
    """What a condition looks at; the last three belong to the alert that every user has."""

    PRICE = 1
    TIME = 3
    MARGIN = 4
    TRADE = 5
    VOLUME = 6
    MARKET_MOVE = 7
    POSITION_MOVE = 8
    DAILY_PROFIT = 9


def _written(value: str | int | Decimal) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


@attrs.frozen(kw_only=True)
class Condition(Shown):
    """One condition.

    Attributes:
        watches: What it looks at.
        operator: ``<=``, ``>=`` or ``=``.
        value: A price, a time or a percentage, as a text for IBKR.
        conid: The contract, where it has one.
        exchange: Where its price is looked at.
        method: How a price triggers: ``0`` is IBKR's default, ``2`` the last price.
        any_of: Whether this one or the next is enough; otherwise both are needed.
        time_zone: The zone of a time.
    """

    watches: Watches = Watches.PRICE
    operator: str = ">="
    value: str = attrs.field(converter=_written)
    conid: int | None = None
    exchange: str = "SMART"
    method: str = "0"
    any_of: bool = False
    time_zone: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.operator not in _OPERATORS:
            raise InvalidRequest(
                f"{self.operator!r:.20} is no operator of an alert; nothing was sent.",
                remedy=f"Write one of {', '.join(sorted(_OPERATORS))}.",
            )
        if not self.value.strip():
            raise InvalidRequest("a condition without a value never comes true; nothing was sent.")
        needs_contract = self.watches in {Watches.PRICE, Watches.VOLUME, Watches.TRADE}
        if self.conid is not None and self.conid <= 0:
            raise InvalidRequest(f"{self.conid} is no contract id; nothing was sent.")
        if needs_contract and self.conid is None:
            raise InvalidRequest(
                f"a condition on {self.watches.name.lower()} needs a contract; nothing was sent.",
                remedy="Give its conid; ibkr.contracts.resolve finds it by name.",
            )


def _conditions(given: Iterable[Condition]) -> tuple[Condition, ...]:
    # With ``tuple`` itself as the converter a type checker refuses every list of conditions.
    return tuple(_checked(given))


def _checked(given: object) -> Iterator[Condition]:
    for one in given if isinstance(given, Iterable) else [given]:
        if not isinstance(one, Condition):
            raise InvalidRequest(f"{quoted(one)} is no Condition of an alert; nothing was sent.")
        yield one


def _is_readable(text: object) -> bool:
    return is_text(text) and len(text) <= _LONGEST


@attrs.frozen(kw_only=True)
class NewAlert(Shown):
    """An alert to be made.

    ``email`` is where it is sent, if anywhere. Without ``expires`` it stands until it is deleted; that
    is a text such as ``20270101-12:00:00``, in a time zone that IBKR does not document. ``repeats`` has it come
    again each time; ``outside_rth`` has it look outside regular hours, too; ``mobile`` lets it reach the
    mobile application.
    """

    name: str
    message: str
    conditions: tuple[Condition, ...] = attrs.field(converter=_conditions)
    email: str | None = None
    expires: str | None = None
    repeats: bool = False
    outside_rth: bool = False
    popup: bool = False
    mobile: bool = True

    def __attrs_post_init__(self) -> None:
        for what, text in (("name", self.name), ("message", self.message)):
            if not _is_readable(text):
                raise InvalidRequest(f"an alert needs a {what} that can be read; nothing was sent.")
        if not self.conditions:
            raise InvalidRequest("an alert without a condition never comes; nothing was sent.")
        if self.email is not None and "@" not in self.email:
            raise InvalidRequest("that is no address to send an alert to; nothing was sent.")


@attrs.frozen(kw_only=True)
class Alert(Shown):
    """An alert as the list shows it."""

    alert_id: int
    account_id: str | None = None
    name: str | None = None
    is_active: bool | None = None
    is_triggered: bool | None = None
    repeats: bool | None = None
    at: datetime | None = None


@attrs.frozen(kw_only=True)
class AlertCondition(Shown):
    """A condition as it stands; ``watches`` is IBKR's number where nobody knows it."""

    watches: Watches | int | None
    operator: str | None = None
    value: str | None = None
    contract: str | None = None
    description: str | None = None
    method: str | None = None
    bind: str | None = None
    time_zone: str | None = None


@attrs.frozen(kw_only=True)
class AlertDetails(Shown):
    """An alert with all that IBKR tells of it.

    ``tool_id`` is what stays the same of the mobile alert, whose id is another one at every read.
    ``raw`` has every plain key that came.
    """

    alert_id: int
    account_id: str | None = None
    name: str | None = None
    message: str | None = None
    is_active: bool | None = None
    is_triggered: bool | None = None
    repeats: bool | None = None
    email: str | None = attrs.field(default=None, repr=False)
    expires: str | None = None
    tif: str | None = None
    status: str | None = None
    outside_rth: bool | None = None
    tool_id: int | None = None
    time_zone: str | None = None
    conditions: tuple[AlertCondition, ...] = ()
    raw: Mapping[str, Decimal | str | bool | None] = attrs.field(factory=dict, repr=False, hash=False)


ALERT_COLUMNS: Mapping[str, Callable[[Alert], Any]] = {
    "id": attrgetter("alert_id"),
    "account": attrgetter("account_id"),
    "name": attrgetter("name"),
    "active": attrgetter("is_active"),
    "triggered": attrgetter("is_triggered"),
    "repeats": attrgetter("repeats"),
    "at": attrgetter("at"),
}
