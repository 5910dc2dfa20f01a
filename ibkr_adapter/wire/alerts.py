"""Speak of alerts: what is written to make one, and what is read back.

Flags are 0 and 1. A detail that does not exist is a 200 with an error, which is for
:mod:`ibkr_adapter.session`. The alert that every user has, for the mobile application, has another
id at every read. When to send is for :mod:`ibkr_adapter.alerts`.

Source: Web API reference, "Alerts"; a recorded mobile alert and a recorded refusal; held by
``tests/unit/test_wire_alerts.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.alert import Alert, AlertCondition, AlertDetails, Condition, NewAlert, Watches
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping, rows

ALERTS = "GET /iserver/account/{accountId}/alerts"
ALERT = "GET /iserver/account/alert/{alertId}"
_AND, _OR, _END = "a", "o", "n"


def alert_body(alert: NewAlert, alert_id: int | None = None) -> dict[str, Any]:
    """Write an alert; with an id it changes that one."""
    last = len(alert.conditions) - 1
    body: dict[str, Any] = {
        "alertName": alert.name,
        "alertMessage": alert.message,
        "alertRepeatable": int(alert.repeats),
        "outsideRth": int(alert.outside_rth),
        "sendMessage": int(alert.email is not None),
        "iTWSOrdersOnly": int(not alert.mobile),
        "showPopup": int(alert.popup),
        "tif": "GTC" if alert.expires is None else "GTD",
        "conditions": [_condition(one, is_last=place == last) for place, one in enumerate(alert.conditions)],
    }
    if alert.email is not None:
        body["email"] = alert.email
    if alert.expires is not None:
        body["expireTime"] = alert.expires
    if alert_id is not None:
        body["orderId"] = alert_id
    return body


def _condition(one: Condition, *, is_last: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "logicBind": _END if is_last else _OR if one.any_of else _AND,
        "operator": one.operator,
        "triggerMethod": one.method,
        "type": int(one.watches),
        "value": one.value,
    }
    if one.conid is not None:
        body["conidex"] = f"{one.conid}@{one.exchange}"
    if one.time_zone is not None:
        body["timeZone"] = one.time_zone
    return body


def read_alerts(content: Any) -> tuple[Alert, ...]:
    """Read the list of alerts; a single one comes as an object in the documents."""
    listed = [content] if isinstance(content, Mapping) and "order_id" in content else content
    return tuple(
        Alert(
            alert_id=_id(row, ALERTS),
            account_id=numbers.text(row.get("account")),
            name=numbers.text(row.get("alert_name")),
            is_active=numbers.flag(row.get("alert_active")),
            is_triggered=numbers.flag(row.get("alert_triggered")),
            repeats=numbers.flag(row.get("alert_repeatable")),
            at=numbers.utc_stamp(row.get("order_time")),
        )
        for row in rows(listed, ALERTS, "the alerts")
    )


def read_alert(content: Any, endpoint: str = ALERT) -> AlertDetails:
    """Read one alert with its conditions."""
    row = mapping(content, endpoint, "the alert")
    return AlertDetails(
        alert_id=_id(row, endpoint),
        account_id=numbers.text(row.get("account")),
        name=numbers.text(row.get("alert_name")),
        message=numbers.text(row.get("alert_message")),
        is_active=numbers.flag(row.get("alert_active")),
        is_triggered=numbers.flag(row.get("alert_triggered")),
        repeats=numbers.flag(row.get("alert_repeatable")),
        email=numbers.text(row.get("alert_email")),
        expires=numbers.text(row.get("expire_time")),
        tif=numbers.text(row.get("tif")),
        status=numbers.text(row.get("order_status")),
        outside_rth=numbers.flag(row.get("condition_outside_rth")),
        tool_id=numbers.integer(row.get("tool_id")),
        time_zone=numbers.text(row.get("time_zone")),
        conditions=tuple(
            _read_condition(one) for one in rows(row.get("conditions") or [], endpoint, "the conditions")
        ),
        raw={str(key): _plain(value) for key, value in row.items() if not isinstance(value, (list, Mapping))},
    )


def _read_condition(row: Mapping[str, Any]) -> AlertCondition:
    number = numbers.integer(row.get("condition_type"))
    known = {int(watched): watched for watched in Watches}
    return AlertCondition(
        watches=None if number is None else known.get(number, number),
        operator=numbers.text(row.get("condition_operator")),
        value=numbers.text(row.get("condition_value")),
        contract=numbers.text(row.get("conidex")),
        description=numbers.text(row.get("contract_description_1")),
        method=numbers.text(row.get("condition_trigger_method")),
        bind=numbers.text(row.get("condition_logic_bind")),
        time_zone=numbers.text(row.get("condition_time_zone")),
    )


def _id(row: Mapping[str, Any], endpoint: str) -> int:
    number = numbers.integer(row.get("order_id"))
    if number is None:
        raise UnexpectedAnswer("an alert came without its id.", endpoint=endpoint)
    return number


def read_id(content: Any) -> int | None:
    """Read the id out of the answer to a change, where it has one."""
    return numbers.integer(content.get("order_id")) if isinstance(content, Mapping) else None


def is_confirmed(content: Any) -> bool:
    """Whether the answer to a change says that it was done."""
    return isinstance(content, Mapping) and numbers.flag(content.get("success")) is True


def _plain(value: Any) -> Decimal | str | bool | None:
    if isinstance(value, bool):
        return value
    number = None if isinstance(value, str) else numbers.decimal(value)
    return number if number is not None else numbers.text(value)
