"""Every documented operation is called on the simulator, and its answer held against the document.

The simulator speaks as the live service was seen to, and IBKR's document is wrong in places: its
schemas differ from its own examples, which is not held against the simulator, and from recordings.
Each other difference stands in ``tests/data/openapi_deviations.toml`` with the reason why: one that is
not there fails, and so does one that is there and no longer happens.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path

import openapi_witness
import pytest
from oauth_clients import Bearer, Signer
from simulator_client import AAPL, Broker
from simulator_client import ticket as paper_ticket

pytest.importorskip("jsonschema", reason="jsonschema is in the group dev")

if not openapi_witness.DOCUMENT.is_file():
    pytest.skip("IBKR's document lies beside the checkout and is absent here", allow_module_level=True)

LISTED: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parents[1] / "data" / "openapi_deviations.toml").read_text()
)
REASONS = LISTED.pop("reasons")
SPY, CALL_OPTION = 756733, 584891614
# The document's own examples are of a live account, whose id some of its schemas have for a key.
ACCOUNT, SUB = "U1234567", "U7654321"
ALERT = {
    "alertName": "AAPL_Price",
    "alertMessage": "AAPL fell",
    "alertRepeatable": 0,
    "outsideRth": 0,
    "tif": "GTC",
    "conditions": [{"conidex": f"{AAPL}@SMART", "logicBind": "n", "operator": "<=", "type": 1, "value": "1"}],
}
GROUP = {"name": "halves", "default_method": "E", "accounts": [{"name": SUB}]}
MODEL = {
    "reqID": 1,
    "model": "Growth",
    "desc": "",
    "isStatic": True,
    "positionTargets": [{"conid": AAPL, "target": 0.9}],
    "cashTargets": [{"ccy": "USD", "target": 0.1}],
}
WATCHLIST = {"id": "1234", "name": "Test", "rows": [{"C": AAPL}]}


def ticket(**changes):
    return paper_ticket(acctId=ACCOUNT, **changes)


class Scene:
    """A broker with something of everything, and what the calls name."""

    def __init__(self):
        broker = self.broker = Broker(
            account=ACCOUNT, first_reads_empty=False, advisor=True, dynamic_accounts=True, accounts=[SUB]
        ).ready("o10331", "o10151", "o10153", "o163")
        broker.get("/portfolio/accounts")
        broker.gateway.seed_position(SPY, Decimal(3))
        broker.gateway.seed_position(CALL_OPTION, Decimal(1))
        for side, size in (("BUY", 10), ("SELL", 4)):
            self.place(ticket(orderType="MKT", price=None, quantity=size, side=side, cOID=side))
            broker.wait(1)
        self.order = self.place(ticket(cOID="rests", price=100))["order_id"]
        self.alert = broker.post(f"/iserver/account/{ACCOUNT}/alert", ALERT).body["order_id"]
        broker.post("/iserver/watchlist", WATCHLIST)
        broker.post("/fyi/deliveryoptions/device", {"deviceName": "x", "deviceId": "x", "enabled": True})
        broker.post("/iserver/account/allocation/group", GROUP)
        broker.post("/fa/model/save", MODEL)
        broker.get("/iserver/secdef/search", symbol="AAPL")
        broker.get(f"/portfolio/{ACCOUNT}/positions/0")  # the next read has contract data
        broker.post(f"/portfolio/{ACCOUNT}/positions/invalidate", {})
        for _ in range(2):
            broker.get("/iserver/marketdata/snapshot", conids=AAPL, fields="31,84,86")
            broker.wait(1)

    def place(self, row):
        """Send one ticket; the first thing that was answered."""
        return self.broker.post(f"/iserver/account/{ACCOUNT}/orders", {"orders": [row]}).body[0]

    def call(self, operation, given=None):
        """Call an operation with what is given, or what the table has for it."""
        method, template = operation.split(" ")
        given = given or CALLS.get(operation, ({}, {}, None))
        parts, query, body = (one(self) if callable(one) else one for one in given)
        parts = {"accountId": ACCOUNT, "accountid": ACCOUNT, "conid": AAPL, "typecode": "BA"} | parts
        return self.broker.call(method, template.format(**parts), body, **query)


def body(content):
    return ({}, {}, content)


def query(**given):
    return ({}, given, None)


def parts(**given):
    return (given, {}, None)


def question(scene):
    """A question that is open."""
    scene.broker.post("/iserver/questions/suppress/reset", {})
    return {"replyId": scene.place(ticket(price=300, quantity=1))["id"]}


MODEL_CALL = body({"reqID": 1, "model": "Growth"})
PA = {"acctIds": [ACCOUNT]}
FORECAST = query(conid=930000221)
WITH_CONID = query(conid=AAPL)
CALLS = {
    "GET /contract/trading-schedule": WITH_CONID,
    "POST /fa/fa-preset/get": body({"reqID": 1}),
    "POST /fa/fa-preset/save": body({"reqID": 1, "keepModelOpen": True}),
    "POST /fa/model/accounts-details": MODEL_CALL,
    "POST /fa/model/invest-divest": body(
        {"reqID": 1, "model": "Growth", "accountList": [{"account": SUB, "amount": 1}]}
    ),
    "POST /fa/model/invest-divest-positions": MODEL_CALL,
    "POST /fa/model/list": body({"reqID": 1}),
    "POST /fa/model/positions": MODEL_CALL,
    "POST /fa/model/save": body(MODEL),
    "POST /fa/model/submit-transfers": body({"reqID": 1}),
    "POST /fa/model/summary": MODEL_CALL,
    "GET /forecast/contract/details": FORECAST,
    "GET /forecast/contract/market": query(underlyingConid=930000001),
    "GET /forecast/contract/rules": FORECAST,
    "GET /forecast/contract/schedules": FORECAST,
    "POST /fyi/deliveryoptions/device": body({"deviceName": "y", "deviceId": "y", "enabled": True}),
    "PUT /fyi/deliveryoptions/email": query(enabled="true"),
    "DELETE /fyi/deliveryoptions/{deviceId}": parts(deviceId="x"),
    "GET /fyi/notifications": query(max=10),
    "PUT /fyi/notifications/{notificationID}": parts(notificationID="1"),
    "POST /fyi/settings/{typecode}": body({"enabled": True}),
    "POST /iserver/account": body({"acctId": SUB}),
    "GET /iserver/account/alert/{alertId}": (lambda scene: {"alertId": scene.alert}, {"type": "Q"}, None),
    "PUT /iserver/account/allocation/group": body(GROUP),
    "POST /iserver/account/allocation/group": body(GROUP | {"name": "more"}),
    "POST /iserver/account/allocation/group/delete": body({"name": "halves"}),
    "POST /iserver/account/allocation/group/single": body({"name": "halves"}),
    "POST /iserver/account/allocation/presets": body({"strict_credit_check": True}),
    "GET /iserver/account/order/status/{orderId}": (lambda scene: {"orderId": scene.order}, {}, None),
    "GET /iserver/account/search/{searchPattern}": parts(searchPattern="DU"),
    "POST /iserver/account/{accountId}/alert": body(ALERT),
    "POST /iserver/account/{accountId}/alert/activate": (
        {},
        {},
        lambda scene: {"alertId": scene.alert, "alertActive": 1},
    ),
    "DELETE /iserver/account/{accountId}/alert/{alertId}": (lambda scene: {"alertId": scene.alert}, {}, {}),
    "POST /iserver/account/{accountId}/order/{orderId}": (
        lambda scene: {"orderId": scene.order},
        {},
        ticket(cOID="rests", price=101),
    ),
    "DELETE /iserver/account/{accountId}/order/{orderId}": (lambda scene: {"orderId": scene.order}, {}, None),
    "POST /iserver/account/{accountId}/orders": body({"orders": [ticket(price=99)]}),
    "POST /iserver/account/{accountId}/orders/whatif": body({"orders": [ticket(price=99)]}),
    "POST /iserver/auth/ssodh/init": body({"publish": True, "compete": True}),
    "POST /iserver/contract/rules": body({"conid": AAPL, "isBuy": True}),
    "GET /iserver/contract/{conid}/algos": query(addDescription=1, addParams=1),
    "GET /iserver/currency/pairs": query(currency="USD"),
    "POST /iserver/dynaccount": body({"acctId": SUB}),
    "GET /iserver/exchangerate": query(source="USD", target="EUR"),
    "GET /iserver/marketdata/history": query(conid=AAPL, period="1d", bar="1h"),
    "GET /iserver/marketdata/snapshot": query(conids=AAPL, fields="31,84,86"),
    "POST /iserver/marketdata/unsubscribe": body({"conid": AAPL}),
    "POST /iserver/notification": (
        {},
        {},
        lambda scene: {"orderId": int(scene.order), "reqId": "1", "text": "Yes"},
    ),
    "POST /iserver/questions/suppress": body({"messageIds": ["o163"]}),
    "POST /iserver/reply/{replyId}": (question, {}, {"confirmed": True}),
    "POST /iserver/scanner/run": body(
        {"instrument": "STK", "type": "TOP_PERC_GAIN", "location": "STK.US.MAJOR", "filter": []}
    ),
    "GET /iserver/secdef/bond-filters": query(symbol="BOND", issuerId="e1400715"),
    "GET /iserver/secdef/info": query(conid=AAPL, secType="OPT", month="DEC26", strike=165, right="C"),
    "GET /iserver/secdef/search": query(symbol="AAPL"),
    "POST /iserver/secdef/search": body({"symbol": "AAPL"}),
    "GET /iserver/secdef/strikes": query(conid=AAPL, secType="OPT", month="DEC26"),
    "GET /iserver/watchlist": query(id="1234"),
    "POST /iserver/watchlist": body(WATCHLIST),
    "DELETE /iserver/watchlist": query(id="1234"),
    "GET /iserver/watchlists": query(SC="USER_WATCHLIST"),
    "POST /pa/allperiods": body(PA),
    "POST /pa/performance": body(PA | {"period": "1M"}),
    "POST /pa/transactions": body(PA | {"conids": [AAPL], "currency": "USD", "days": 30}),
    "GET /portfolio/{accountId}/positions/{pageId}": parts(pageId=0),
    "GET /trsrv/all-conids": query(exchange="NASDAQ"),
    "GET /trsrv/futures": query(symbols="ES"),
    "GET /trsrv/secdef": query(conids=f"{AAPL},{CALL_OPTION}"),
    "GET /trsrv/secdef/schedule": query(assetClass="STK", symbol="AAPL"),
    "GET /trsrv/stocks": query(symbols="AAPL"),
}


def third_party():
    signer = Signer(third_party=True)
    token = signer.step("request_token", oauth_callback="oob").body["oauth_token"]
    verifier = signer.broker.post("/simulator/authorize", {"oauth_token": token}).body
    return signer.step("access_token", oauth_token=token, **verifier)


# What a login asks for, by the clients that know how.
LOGINS = {
    "POST /oauth/request_token": lambda: Signer(third_party=True).step(
        "request_token", oauth_callback="oob", oauth_token=None
    ),
    "POST /oauth/access_token": third_party,
    "POST /oauth/live_session_token": lambda: Signer().ask()[1],
    "POST /oauth2/api/v1/token": lambda: Bearer().ask_token(),
}
# An upgrade of the connection is no call.
NO_CALLS = {"GET /ws"}


def differences(operation):
    reply = LOGINS[operation]() if operation in LOGINS else Scene().call(operation)
    return openapi_witness.differences(operation, reply)


# Calls that are turned down, and by which status.
NOBODY = parts(accountId="INVALID999", accountid="INVALID999")
REFUSED = {
    "GET /acesws/{accountId}/signatures-and-owners": (401, NOBODY),
    "DELETE /fyi/deliveryoptions/{deviceId}": (404, parts(deviceId="none")),
    "GET /fyi/notifications": (400, query(max="x")),
    "POST /iserver/account": (500, body({"acctId": "INVALID999"})),
    "GET /iserver/account/alert/{alertId}": (400, parts(alertId=1)),
    "GET /iserver/account/order/status/{orderId}": (400, parts(orderId=1)),
    "GET /iserver/account/{accountId}/alerts": (400, NOBODY),
    "POST /iserver/account/{accountId}/alert": (400, body({})),
    "POST /iserver/account/{accountId}/alert/activate": (503, body({"alertId": 1, "alertActive": 1})),
    "DELETE /iserver/account/{accountId}/alert/{alertId}": (503, parts(alertId=1)),
    "DELETE /iserver/account/{accountId}/order/{orderId}": (400, parts(orderId=1)),
    "GET /iserver/account/{accountId}/summary": (400, NOBODY),
    "GET /iserver/watchlist": (503, query(id="77777777")),
    "POST /iserver/watchlist": (400, body({})),
    "DELETE /iserver/watchlist": (400, query()),
    "POST /pa/allperiods": (500, body({"acctIds": ["INVALID999"]})),
    "POST /pa/performance": (400, body(PA | {"period": "3M"})),
    "POST /pa/transactions": (400, body(PA)),
    "GET /portfolio/{accountId}/ledger": (401, NOBODY),
    "GET /portfolio/{accountId}/positions/{pageId}": (400, parts(pageId="x")),
    "GET /portfolio/{accountid}/position/{conid}": (400, parts(conid="x")),
}


def fits(pattern, difference):
    """Tell whether a listed difference, with * for anything, is this one."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), difference) is not None


def test_every_operation_is_called_that_is_documented():
    """And nothing is listed that is not."""
    documented = set(openapi_witness.operations())

    listed = {one.removeprefix("refused ") for one in LISTED}
    assert CALLS.keys() | LOGINS.keys() | REFUSED.keys() | NO_CALLS | listed <= documented
    assert len(documented) == 112


def test_every_reason_is_given_somewhere():
    """And every one that is given is told."""
    given = {why for listed in LISTED.values() for why in listed.values()}

    assert given == REASONS.keys()


@pytest.mark.parametrize("operation", sorted(set(openapi_witness.operations()) - NO_CALLS))
def test_an_answer_is_as_documented_but_for_what_is_listed(operation):
    """With the reason why the document is not followed."""
    compare(operation, differences(operation))


@pytest.mark.parametrize("operation", REFUSED)
def test_a_refusal_is_as_documented_but_for_what_is_listed(operation):
    """Its status, and the dress of the error."""
    status, given = REFUSED[operation]

    reply = Scene().call(operation, given)

    assert reply.status == status
    compare(f"refused {operation}", openapi_witness.differences(operation, reply))


def compare(key, found):
    listed = LISTED.get(key, {})
    unlisted = {one for one in found if not any(fits(pattern, one) for pattern in listed)}
    gone = {pattern for pattern in listed if not any(fits(pattern, one) for one in found)}
    assert (unlisted, gone) == (set(), set()), "these are not listed, and these no longer happen"


def test_what_is_documented_to_send_is_accepted():
    """Alerts, and groups with the accounts of the examples."""
    broker = Broker(account=ACCOUNT, advisor=True, accounts=["U123456", "U456789"]).ready()
    alert, group = f"/iserver/account/{ACCOUNT}/alert", "/iserver/account/allocation/group"
    asked = openapi_witness.requests

    alerts = asked("POST /iserver/account/{accountId}/alert")
    number = broker.post(alert, alerts["alert-creation-request"]).body["order_id"]
    replies = [broker.post(alert, alerts["alert-modification-request"] | {"orderId": str(number)})]
    replies += [
        broker.post(f"{alert}/activate", one | {"alertId": number})
        for one in asked("POST /iserver/account/{accountId}/alert/activate").values()
    ]
    replies += [broker.post(group, one) for one in asked(f"POST {group}").values()]
    broker.post(group, asked(f"POST {group}")["Shares"] | {"name": "Group_0_Shares"})
    broker.post(f"{group}/delete", {"name": "Group_1_Shares"})
    replies += [broker.call("PUT", group, one) for one in asked(f"PUT {group}").values()]

    assert [one.body["success"] for one in replies] == [True] * 9
    assert [one["size"] for one in broker.get(group).body["data"]] == [1, 2, 2]
