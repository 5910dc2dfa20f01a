"""The alert endpoints, whose errors are dressed in every way there is.

Not found is 200 with an error in the details, 503 (or 500) when it is switched or deleted. A
paper account that is logged in by token may look at alerts and not make any: 403, after the body
was checked. And the id 0 deletes every alert of the account. The assistant's alert always exists,
under another id at each read.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.alerts import Alert, Condition, ConditionError, moment_of, read_conditions
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import long_stamp
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.routes import Call, Needs, Route, delete, get, post
from ibkr_adapter.simulator.world import World

_REQUIRED = ("alertName", "alertMessage", "alertRepeatable", "outsideRth", "tif", "conditions")
_FIRST_READ = 900_000_001
_TOOL = 55834574848
_ASSISTANT = (
    "9:STATE=0,MIN=-15000,MAX=15000,STEP=500,DEF_MIN=-1500,DEF_MAX=1500"
    "|8:STATE=0,MIN=-15,MAX=15,STEP=0.5,DEF_MIN=-2,DEF_MAX=2"
    "|7:STATE=1,MIN=-5,MAX=5,STEP=0.5,DEF_MIN=-2,DEF_MAX=2"
    "|4:STATE=1,MIN=1,MAX=50,STEP=1,DEF_VAL=10|5:STATE=0"
)


class AlertEndpoints:
    """Serve the alerts of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._assistant_reads = 0

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        accounts, one = Needs.ACCOUNTS, "/iserver/account/{accountId}"
        return [
            get(f"{one}/alerts", self.listed, accounts),
            get("/iserver/account/mta", self.assistant, accounts),
            get("/iserver/account/alert/{alertId}", self.details, accounts),
            post(f"{one}/alert", self.submit, accounts),
            post(f"{one}/alert/activate", self.activate, accounts),
            delete(f"{one}/alert/{{alertId}}", self.remove, accounts),
        ]

    def _account(self, call: Call) -> str:
        account = call.parts["accountId"]
        if account not in self._world.accounts:
            raise RefusalError(answers.bad_request(f"accountId is not valid: {account}"))
        return account

    # Reads.

    def listed(self, call: Call) -> Answer:
        """The alerts of an account."""
        return answers.json_answer([_row(one) for one in self._world.alerts.of(self._account(call))])

    def details(self, call: Call) -> Answer:
        """All of one alert; one that is not there is an error with status 200."""
        number = whole(call.parts["alertId"])
        if call.query.get("type") != "Q" or number is None:
            return answers.bad_request("orderId and type are required")
        if number == 0:
            return answers.refusal("MTA alert tool ID is wrong =0")
        alert = self._world.alerts.find(number)
        if alert is None:
            return answers.refusal(f"Alert with order ID={number} not found.")
        return answers.json_answer(self._body(alert))

    def _body(self, alert: Alert) -> dict[str, Any]:
        wishes = alert.wishes
        return {
            "account": alert.account,
            "order_id": alert.number,
            "alert_name": alert.name,
            "tif": wishes["tif"],
            "expire_time": str(wishes["expireTime"]) if wishes["tif"] == "GTD" else None,
            "alert_active": int(alert.active),
            "alert_repeatable": _flag(wishes, "alertRepeatable"),
            "alert_email": str(wishes["email"]) if wishes.get("email") else None,
            "alert_send_message": _flag(wishes, "sendMessage"),
            "alert_message": str(wishes["alertMessage"]),
            "alert_show_popup": _flag(wishes, "showPopup"),
            "alert_play_audio": None,
            "order_status": "Submitted" if alert.active else "Inactive",
            "alert_triggered": alert.triggered,
            "fg_color": "#FFFFFF",
            "bg_color": "#0000CC",
            "order_not_editable": False,
            "itws_orders_only": _flag(wishes, "iTWSOrdersOnly"),
            "alert_mta_currency": None,
            "alert_mta_defaults": None,
            "tool_id": None,
            "time_zone": None,
            "alert_default_type": None,
            "condition_size": len(alert.conditions),
            "condition_outside_rth": _flag(wishes, "outsideRth"),
            "conditions": [self._condition(one) for one in alert.conditions],
        }

    def _condition(self, one: Condition) -> dict[str, Any]:
        instrument = self._world.catalogue.find(one.conid) if one.conid is not None else None
        return {
            "condition_type": one.kind,
            "conidex": one.conidex,
            "contract_description_1": instrument.ticker if instrument else "Unknown",
            "condition_operator": one.operator,
            "condition_trigger_method": one.trigger_method,
            "condition_value": one.value,
            "condition_logic_bind": one.bind,
            "condition_time_zone": one.zone,
        }

    def assistant(self, _: Call) -> Answer:
        """The alert that every account has; only ``tool_id`` stays the same."""
        brokerage = self._world.sessions.brokerage
        self._assistant_reads += 1
        blank = dict.fromkeys(
            ("alert_name", "expire_time", "alert_email", "alert_message", "alert_play_audio", "time_zone")
        )
        body: dict[str, Any] = {
            "account": brokerage.selected if brokerage else self._world.main_account,
            "order_id": _FIRST_READ + self._assistant_reads - 1,
            **blank,
            "tif": "GTC",
            "alert_active": 1,
            "alert_repeatable": 1,
            "alert_send_message": 1,
            "alert_show_popup": 0,
            "order_status": "Inactive",
            "alert_triggered": False,
            "fg_color": "#000000",
            "bg_color": "#AFAFAF",
            "order_not_editable": False,
            "itws_orders_only": 0,
            "alert_mta_currency": "USD",
            "alert_mta_defaults": _ASSISTANT,
            "tool_id": _TOOL,
            "alert_default_type": None,
            "condition_size": 0,
            "condition_outside_rth": 0,
            "conditions": [],
        }
        return answers.json_answer(body)

    # Changes.

    def submit(self, call: Call) -> Answer:
        """Create an alert, or change the one that ``orderId`` names."""
        account, wishes = self._account(call), call.json()
        if not isinstance(wishes, dict) or not wishes:
            return answers.bad_request("body can't be empty")
        try:
            conditions = _checked(wishes)
        except ConditionError as bad:
            return answers.refusal(str(bad), 500)
        paper = self._world.accounts[account].is_paper
        if paper and self._world.auth != "gateway" and not self._world.options.alerts_by_token:
            return Answer(status=403)
        if "orderId" in wishes:
            return self._modify(account, wishes, conditions)
        return _submitted(self._world.alerts.add(account, wishes, conditions))

    def _modify(self, account: str, wishes: dict[str, Any], conditions: list[Condition]) -> Answer:
        text = str(wishes["orderId"])
        number = whole(text)
        alert = self._world.alerts.find(number, account) if number is not None else None
        if alert is None:
            return answers.refusal(f"failed to modify alert: Alert {text} doesn't exist", 500)
        if wishes["alertName"] != alert.name:
            return answers.refusal("Alert name cannot be modified", 500)
        alert.wishes, alert.conditions, alert.triggered = wishes, conditions, False
        return _submitted(alert)

    def activate(self, call: Call) -> Answer:
        """Switch an alert on or off; it stays."""
        account, body = self._account(call), call.json()
        number = body.get("alertId") if isinstance(body, dict) else None
        alert = self._world.alerts.find(number, account) if isinstance(number, int) else None
        if alert is None or body.get("alertActive") not in (0, 1):
            return self._missing("failed to activate/deactivate alert")
        alert.active = bool(body["alertActive"])
        alert.triggered = alert.triggered and not alert.active
        return _done(alert.number)

    def remove(self, call: Call) -> Answer:
        """Delete an alert; the id 0 deletes all that the account has."""
        account, text = self._account(call), call.parts["alertId"]
        number = whole(text)
        found = [one for one in self._world.alerts.of(account) if number in {0, one.number}]
        if number is None or not found:
            return self._missing(f"failed to delete alert: Alert {text} doesn't exist")
        for alert in found:
            self._world.alerts.remove(alert.number)
        return _done(number)

    def _missing(self, text: str) -> Answer:
        status = self._world.options.missing_alert_status
        return answers.fault(text, status) if status == 503 else answers.refusal(text, status)  # noqa: PLR2004


def _checked(wishes: dict[str, Any]) -> list[Condition]:
    """The conditions of an alert that has all it needs; the words for what is missing are a guess."""
    for key in _REQUIRED:
        if wishes.get(key) in (None, ""):
            raise ConditionError(f"{key} is required")
    for key in ("alertRepeatable", "outsideRth"):
        if wishes[key] not in (0, 1):
            raise ConditionError(f"{key} is 0 or 1")
    if wishes["tif"] not in ("GTC", "GTD"):
        raise ConditionError(f"can't recognize tif [{wishes['tif']}]")
    if wishes["tif"] == "GTD":
        moment_of(str(wishes.get("expireTime", "")), None)
    if wishes.get("sendMessage") == 1 and not wishes.get("email"):
        raise ConditionError("email is required")
    return read_conditions(wishes["conditions"])


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "order_id": alert.number,
        "account": alert.account,
        "alert_name": alert.name,
        "alert_active": int(alert.active),
        "order_time": long_stamp(alert.entered),
        "alert_triggered": alert.triggered,
        "alert_repeatable": _flag(alert.wishes, "alertRepeatable"),
    }


def _flag(wishes: dict[str, Any], key: str) -> int:
    return int(bool(wishes.get(key)))


def _submitted(alert: Alert) -> Answer:
    return answers.json_answer(
        {
            "request_id": None,
            "order_id": alert.number,
            "success": True,
            "text": "Submitted",
            "order_status": None,
            "warning_message": None,
        }
    )


def _done(number: int) -> Answer:
    return answers.json_answer(
        {
            "request_id": None,
            "order_id": number,
            "success": True,
            "text": "Request was submitted",
            "failure_list": None,
        }
    )
