"""Alerts as they are written and read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from witnesses import documented, recorded_in

from ibkr_adapter.errors import InvalidRequest, UnexpectedAnswer
from ibkr_adapter.model.alert import Condition, NewAlert, Watches
from ibkr_adapter.wire import alerts

recorded = recorded_in("alerts")
PRICE = Condition(operator="<=", value=Decimal("183.34"), conid=265598)
ALERT = NewAlert(name="AAPL", message="AAPL fell", conditions=[PRICE])


def test_an_alert_is_written_as_documented():
    """Flags are 0 and 1, a value is a text, and the last condition ends the list."""
    assert alerts.alert_body(ALERT) == {
        "alertName": "AAPL",
        "alertMessage": "AAPL fell",
        "alertRepeatable": 0,
        "outsideRth": 0,
        "sendMessage": 0,
        "iTWSOrdersOnly": 0,
        "showPopup": 0,
        "tif": "GTC",
        "conditions": [
            {
                "logicBind": "n",
                "operator": "<=",
                "triggerMethod": "0",
                "type": 1,
                "value": "183.34",
                "conidex": "265598@SMART",
            }
        ],
    }


def test_what_is_wished_for_besides_is_written_too():
    """An address is what has it sent, and an end what makes it end."""
    at = Condition(watches=Watches.TIME, value="20270101-12:00:00", time_zone="US/Eastern", any_of=True)
    alert = NewAlert(
        name="A",
        message="B",
        conditions=[at, PRICE, PRICE],
        email="a@b.example",
        expires="20270201-12:00:00",
        repeats=True,
        outside_rth=True,
        popup=True,
        mobile=False,
    )

    body = alerts.alert_body(alert, 77)

    assert (body["orderId"], body["email"], body["sendMessage"]) == (77, "a@b.example", 1)
    assert (body["tif"], body["expireTime"]) == ("GTD", "20270201-12:00:00")
    assert [body[key] for key in ("alertRepeatable", "outsideRth", "showPopup", "iTWSOrdersOnly")] == [1] * 4
    assert [one["logicBind"] for one in body["conditions"]] == ["o", "a", "n"]
    assert body["conditions"][0]["timeZone"] == "US/Eastern"
    assert "conidex" not in body["conditions"][0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"operator": "<", "value": 1, "conid": 1},
        {"value": " ", "conid": 1},
        {"value": 1},
        {"value": 1, "watches": Watches.VOLUME},
        {"value": 1, "conid": 0},
    ],
)
def test_a_condition_that_could_not_come_true_is_refused(wrong):
    with pytest.raises(InvalidRequest, match="nothing was sent"):
        Condition(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"message": " "}, {"name": "x" * 1001}, {"conditions": []}, {"email": "nobody"}]
)
def test_an_alert_that_nobody_would_get_is_refused(wrong):
    with pytest.raises(InvalidRequest, match="nothing was sent"):
        NewAlert(**{"name": "A", "message": "B", "conditions": [PRICE], **wrong})


ROW = {
    "order_id": 9876543210,
    "account": "U1",
    "alert_name": "AAPL",
    "alert_active": 1,
    "order_time": "20240308-17:08:38",
    "alert_triggered": False,
    "alert_repeatable": 0,
}


@pytest.mark.parametrize("content", [[ROW], ROW])
def test_a_list_is_read_also_where_one_alert_comes_alone(content):
    """So it stands in the documents."""
    (found,) = alerts.read_alerts(content)

    assert (found.alert_id, found.is_active, found.is_triggered, found.repeats) == (
        9876543210,
        True,
        False,
        False,
    )
    assert found.at == datetime(2024, 3, 8, 17, 8, 38, tzinfo=UTC)


@pytest.mark.parametrize("content", [[{}], {}, "x", [{"order_id": "a"}]])
def test_an_alert_without_its_id_is_an_error(content):
    with pytest.raises(UnexpectedAnswer):
        alerts.read_alerts(content)


def test_an_alert_is_read_with_its_conditions():
    """A number that nobody knows stays a number."""
    conditions = [
        {"condition_type": 1, "conidex": "8314@NYSE", "condition_operator": ">=", "condition_value": "500"},
        {"condition_type": 42},
        {},
    ]

    found = alerts.read_alert(
        {**ROW, "tool_id": None, "alert_email": "a@b.example", "conditions": conditions}
    )

    assert [one.watches for one in found.conditions] == [Watches.PRICE, 42, None]
    assert found.conditions[0].contract == "8314@NYSE"
    assert found.raw["alert_triggered"] is False
    assert found.raw["order_id"] == 9876543210
    assert "a@b.example" not in repr(found)


@pytest.mark.parametrize(
    ("content", "done", "made"),
    [
        ({"order_id": 7, "success": True}, True, 7),
        ({"success": "true"}, True, None),
        ({"order_id": 7}, False, 7),
        ([], False, None),
    ],
)
def test_a_change_is_confirmed_by_success_alone(content, done, made):
    assert (alerts.is_confirmed(content), alerts.read_id(content)) == (done, made)


@pytest.mark.recorded
def test_the_recorded_mobile_alert():
    """An object, whose tool id is what stays the same."""
    found = alerts.read_alert(recorded("ibkrdotnet-mta.json"))

    assert (found.name, found.tool_id, found.status, found.conditions) == (None, 55834574848, "Inactive", ())


@pytest.mark.recorded
def test_documented_alerts():
    examples = documented("GET_iserver_account_alert_alertId.json")
    (made,) = alerts.read_alerts(recorded("conduit-GET-alerts-list.json"))[:1]

    assert all(alerts.read_alert(one).conditions for one in examples.values() if "order_id" in one)
    assert made.name == "SPY Price Alert"
