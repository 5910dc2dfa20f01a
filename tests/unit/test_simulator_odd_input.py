"""What no client should write, and what is answered: never a crash, and never a world that is broken afterwards."""

from __future__ import annotations

import pytest
from simulator_client import AAPL, ACCOUNT, ORDERS, Broker, ticket

from ibkr_adapter.simulator.digits import whole

LONG = "9" * 5000  # more than Python converts
RAISED = "²"  # a digit to Python, and no number
ENDLESS = b"[" * 100_000
ALERT = {
    "alertName": "a",
    "alertMessage": "m",
    "alertRepeatable": 0,
    "outsideRth": 0,
    "tif": "GTC",
    "conditions": [
        {"type": 1, "conidex": f"{AAPL}@SMART", "operator": "<=", "value": "1", "logicBind": "n"},
    ],
}


@pytest.fixture
def broker():
    return Broker(first_reads_empty=False, walk_order="free", advisor=True, accounts=["DU2"]).ready()


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("265598", 265598), ("9" * 18, 10**18 - 1)])
def test_digits_are_a_number(text, number):
    """As many as a long holds."""
    assert whole(text) == number


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1_0", " 1", "1\n", RAISED, "\u0661", LONG, "9" * 19])
def test_other_texts_are_no_number(text):
    """Other scripts and longer ones neither."""
    assert whole(text) is None


@pytest.mark.parametrize("number", [LONG, RAISED])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/iserver/account/order/status/{}", 400),
        ("DELETE", f"/iserver/account/{ACCOUNT}/order/{{}}", 400),
        ("GET", "/iserver/account/trades?days={}", 400),
        ("GET", f"/portfolio/{ACCOUNT}/positions/{{}}", 400),
        ("GET", f"/portfolio/{ACCOUNT}/position/{{}}", 400),
        ("GET", "/portfolio/positions/{}", 400),
        ("GET", "/portfolio/subaccounts2?page={}", 200),
        ("GET", "/iserver/contract/{}/info", 400),
        ("GET", "/iserver/contract/{}/algos", 503),
        ("GET", "/iserver/secdef/strikes?sectype=OPT&month=DEC26&conid={}", 200),
        ("GET", "/iserver/marketdata/snapshot?fields=31&conids={}", 200),
        ("GET", "/iserver/marketdata/history?period=1d&bar=1h&conid={}", 500),
        ("GET", "/md/regsnapshot?conid={}", 400),
        ("GET", "/forecast/contract/rules?conid={}", 400),
        ("GET", "/fyi/notifications?max={}", 400),
        ("GET", "/iserver/account/alert/{}?type=Q", 400),
        ("DELETE", f"/iserver/account/{ACCOUNT}/alert/{{}}", 503),
    ],
)
def test_a_number_that_is_none_is_answered(broker, method, path, status, number):
    """Too long, or made of other digits than the ten."""
    broker.get("/portfolio/accounts")
    broker.get("/fyi/notifications")
    written, _, query = path.format(number).partition("?")

    reply = broker.call(method, written, **dict(one.split("=") for one in query.split("&") if one))

    assert reply.status == status


@pytest.mark.parametrize("odd", [[], {}, [1], 10**400])
@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/iserver/auth/ssodh/init", {"publish": True, "compete": True}, "publish"),
        ("/iserver/auth/ssodh/init", {"publish": True, "compete": True}, "compete"),
        ("/iserver/account", {}, "acctId"),
        ("/portfolio/allocation", {}, "acctIds"),
        ("/pa/performance", {"acctIds": [ACCOUNT]}, "period"),
        ("/pa/transactions", {"acctIds": [ACCOUNT], "conids": [AAPL], "currency": "USD"}, "days"),
        ("/iserver/secdef/search", {"symbol": "AAPL"}, "name"),
        ("/iserver/secdef/search", {"symbol": "AAPL"}, "secType"),
        ("/iserver/contract/rules", {}, "conid"),
        (f"/iserver/account/{ACCOUNT}/alert", ALERT, "tif"),
        (f"/iserver/account/{ACCOUNT}/alert/activate", {"alertId": 1}, "alertActive"),
        ("/iserver/account/allocation/presets", {}, "default_method_for_all"),
        (
            "/iserver/account/allocation/group",
            {"name": "G", "accounts": [{"name": "DU2", "amount": 1}]},
            "default_method",
        ),
    ],
)
def test_a_value_of_another_kind_is_answered(broker, path, body, key, odd):
    """A list, an object or a number where a word is wanted."""
    reply = broker.post(path, body | {key: odd})

    assert reply.status in {200, 400, 500, 503}


@pytest.mark.parametrize("odd", [[], {}])
def test_a_filter_of_another_kind_is_ignored(broker, odd):
    """Like one that is unknown."""
    scan = {"instrument": "STK", "location": "STK.US.MAJOR", "type": "TOP_PERC_GAIN"}

    reply = broker.post("/iserver/scanner/run", scan | {"filter": [{"code": odd, "value": 5}]})

    assert reply.status == 200


@pytest.mark.parametrize("body", [ENDLESS, ENDLESS.replace(b"[", b'{"a":')])
def test_brackets_without_end_are_no_json(broker, body):
    """As any other body that cannot be read."""
    reply = broker.post(ORDERS, body)

    assert reply.status == 500
    assert "invalid request content" in reply.body["error"]


def test_an_alert_on_a_number_that_is_none_breaks_nothing(broker):
    """It never goes off, and other calls go on."""
    condition = ALERT["conditions"][0] | {"conidex": f"{LONG}@SMART"}

    made = broker.post(f"/iserver/account/{ACCOUNT}/alert", ALERT | {"conditions": [condition]})

    assert made.body["success"] is True
    assert broker.get("/iserver/accounts").status == 200


@pytest.mark.parametrize("key", ["quantity", "price"])
def test_a_number_that_is_too_large_is_refused(broker, key):
    """Nobody can reckon exactly with it."""
    reply = broker.place(ticket(**{key: 10**30}))

    assert (reply.status, reply.body) == (
        400,
        {"error": "orders request includes parameter with incorrect type"},
    )


@pytest.mark.parametrize(
    ("room", "body"),
    [
        ("reset", {"options": "x"}),
        ("reset", {"seed": []}),
        ("triggers", {"on": "GET /iserver/accounts", "times": None, "fill": {}}),
        ("triggers", {"on": "GET /iserver/accounts", "times": 0, "fill": {}}),
        ("positions", {"conid": AAPL, "quantity": 1, "account": [1]}),
        ("positions", {"conid": AAPL, "quantity": 10**300}),
        ("faults", {"fault": "F03", "for": 10**20}),
        ("faults", {"fault": "F03", "for": "Infinity"}),
        ("faults", {"fault": "F03", "seconds": 10**400}),
        ("advance", {"seconds": 10**20}),
        ("price", {"conid": AAPL, "last": 165, "bid": -1}),
        ("price", {"conid": AAPL, "last": 165, "ask": 0}),
        ("price", {"conid": AAPL, "last": 165, "bid": 166, "ask": 164}),
        ("positions", {"conid": AAPL, "quantity": 1, "price": -1}),
        ("fill", {"order_id": "1", "quantity": 0}),
        ("fill", {"order_id": "1", "quantity": -1}),
        ("options", {"size_limit": 10**400}),
        ("orders", ticket(quantity=10**30)),
    ],
)
def test_the_control_room_turns_down_what_makes_no_sense(broker, room, body):
    """With a sentence, and the world goes on."""
    reply = broker.post(f"/simulator/{room}", body)

    assert reply.status == 400
    assert reply.body["error"]
    assert broker.call("GET", "/simulator/ledger").status == 200


@pytest.mark.parametrize("room", ["advance", "orders", "faults"])
def test_the_control_room_says_in_words_that_a_body_is_no_json(broker, room):
    """And not in JSON within JSON."""
    reply = broker.post(f"/simulator/{room}", b"{")

    assert (reply.status, reply.body) == (400, {"error": "java.lang.Exception: invalid request content"})


def test_a_stream_outlives_brackets_without_end(broker):
    """In its cookie, in arguments and in place of the session."""
    endless = '{"a":' * 100_000
    waiting = broker.gateway.open_stream(cookies={"api": endless})
    stream = broker.gateway.open_stream()
    broker.wait(1)

    waiting.send(endless)
    stream.send(f"smd+{AAPL}+{endless}")
    stream.send("ech+hb")

    assert waiting.receive() == [b'{"message":"waiting for session"}']
    assert stream.receive()[-1] == b"ech+hb"


@pytest.mark.parametrize(
    "wish",
    [
        {"fill": {"coid": "nobody's"}},
        {"price": {"conid": 1, "last": 1}},
        {"options": {"x": 1}},
        {"orders": ticket(conid=0)},
        {"session": {"action": "x"}},
        {"streams": {"action": "x"}},
    ],
)
def test_a_trigger_that_cannot_be_done_leaves_its_call_alone(broker, caplog, wish):
    """The client has not asked for it; the log tells."""
    broker.post("/simulator/triggers", {"on": "GET /iserver/accounts", **wish})

    reply = broker.get("/iserver/accounts")

    assert reply.status == 200
    assert f"the trigger on GET /iserver/accounts could not {next(iter(wish))}" in caplog.text
