"""The control room and the ledger, over JSON and in Python."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from simulator_client import AAPL, ACCOUNT, PLACE, Broker, bracket, ticket

from ibkr_adapter.clock import ManualClock, SystemClock
from ibkr_adapter.simulator.door import Request
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.options import OptionError, Options


@pytest.fixture
def broker():
    return Broker(first_reads_empty=False).ready()


def control(broker, name, body=None, method="POST"):
    return broker.call(method, f"/simulator/{name}", body)


def test_the_ledger_counts_requests_by_template(broker):
    """Without the root, whatever ids stood in the path."""
    broker.place(ticket())
    broker.get(f"/portfolio/{ACCOUNT}/summary")

    counts = control(broker, "ledger", method="GET").body["requests"]

    assert counts[PLACE] == 1
    assert counts["GET /portfolio/{accountId}/summary"] == 1


def test_the_ledger_shows_legs_fills_money_and_the_log(broker):
    """Enough to check any belief of a client."""
    broker.place(*bracket())
    broker.wait(2)

    ledger = control(broker, "ledger", method="GET").body

    parent = next(one for one in ledger["orders"] if one["coid"] == "P")
    assert parent["legs"] == [parent["order_id"] + 1, parent["order_id"] + 2]
    assert ledger["executions"][0]["price"] == 165.01
    assert ledger["positions"] == [
        {
            "account": ACCOUNT,
            "conid": AAPL,
            "symbol": "AAPL",
            "quantity": 10.0,
            "average_cost": 165.11,
            "realised": 0.0,
        }
    ]
    money = ledger["accounts"][0]
    assert (money["cash"], money["commissions"]) == ({"USD": 998348.9}, 1.0)
    assert money["net_liquidation"] == 1000000 + money["realised"] + money["unrealised"]
    assert ledger["requests_log"][-1]["name"] == PLACE
    assert ledger["market"]["regular"] is True


def test_a_price_moves_and_orders_trade_at_once(broker):
    """Bid and ask may be given too."""
    broker.place(ticket(cOID="one"))
    broker.wait(1)

    reply = control(broker, "price", {"conid": AAPL, "last": 163.5, "bid": 163.0, "ask": 163.9})

    assert reply.body == {"conid": AAPL, "last": 163.5}
    assert broker.order("one")["status"] == "Filled"


def test_time_moves_on_demand(broker):
    """Of the market and of sessions; not of the wall."""
    wall = broker.clock.monotonic()

    reply = control(broker, "advance", {"seconds": 900})

    assert reply.body == {"now": "2026-11-24T15:15:00+00:00"}
    assert broker.clock.monotonic() == wall
    assert broker.get("/iserver/accounts").body["error"] == "Bad Request: no bridge"


def test_a_reset_makes_a_fresh_world(broker):
    """Nothing armed, nothing counted, the options of the start."""
    broker.place(ticket())
    control(broker, "faults", {"fault": "F06"})
    control(broker, "options", {"latency": 9})
    control(broker, "reset", {"options": {"cash": 5}})

    ledger = broker.ledger
    assert (ledger["orders"], ledger["faults"], ledger["requests"]) == ([], [], {})
    assert ledger["accounts"][0]["cash"] == {"USD": 5.0}
    assert broker.gateway.world.options.latency == 0.3
    assert broker.gateway.world.options.first_reads_empty is False


def test_a_reset_can_change_the_seed():
    """Another market."""
    broker = Broker(walk=0.004)
    broker.wait(600)
    first = broker.gateway.world.last(broker.gateway.world.catalogue.find(AAPL))
    broker.gateway.reset(seed=8)
    broker.wait(600)

    assert broker.gateway.world.last(broker.gateway.world.catalogue.find(AAPL)) != first


def test_options_are_set_and_told(broker):
    """All of them, by name."""
    reply = control(broker, "options", {"latency": 1, "late_parent": "refuse", "idle_timeout": None})

    assert (reply.body["latency"], reply.body["late_parent"], reply.body["idle_timeout"]) == (
        1.0,
        "refuse",
        None,
    )
    assert control(broker, "options", method="GET").body == reply.body


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"latncy": 1}, "there is no option latncy"),
        ({"latency": "1"}, "latency is a number"),
        ({"latency": True}, "latency is a number"),
        ({"latency": None}, "latency is a number"),
        ({"market_data_lines": True}, "whole number"),
        ({"pacing": 1}, "pacing is bool"),
        ({"accounts": "DU1"}, "accounts is list"),
        ({"availability": []}, "availability is dict"),
        ({"dead_reply": "404"}, "dead_reply is one of 400, 503, 503-but-live"),
    ],
)
def test_a_senseless_option_is_refused_and_none_is_set(broker, changes, sentence):
    """Several are set together or not at all."""
    reply = control(broker, "options", {"fills": False, **changes})

    assert reply.status == 400
    assert sentence in reply.body["error"]
    assert broker.gateway.world.options.fills is True


def test_options_at_construction_are_checked():
    """As those that come later."""
    with pytest.raises(OptionError, match="there is no option pacin"):
        Gateway(ManualClock(datetime(2026, 11, 24, tzinfo=UTC)), options={"pacin": False})
    with pytest.raises(ValueError, match="no login 'password', only gateway, oauth1a, oauth2"):
        Gateway(SystemClock(), auth="password")
    assert Options().as_json()["late_parent"] == "accept"


def test_accounts_and_logins_can_be_switched_on_later(broker):
    """There at once."""
    control(broker, "options", {"accounts": ["DU7654321"], "logged_in": True})
    kept = broker.get("/iserver/accounts").body["accounts"]
    control(broker, "options", {"logged_in": False})
    out = broker.post("/tickle").status
    control(broker, "options", {"logged_in": True})

    assert kept == [ACCOUNT, "DU7654321"]
    assert (out, broker.post("/tickle").status) == (401, 200)


def test_somebody_else_can_place_orders(broker):
    """No questions, no client id, marked as foreign; brackets by order id."""
    first = control(broker, "orders", ticket(tif="GTC")).body["order_ids"][0]
    control(broker, "orders", ticket(side="SELL", price=170.0, parentId=str(first), cOID="child"))

    assert broker.ledger["orders"][0]["foreign"] is True
    assert broker.order("child")["parent_id"] == first
    assert "order_ref" not in broker.get("/iserver/account/orders").body["orders"][1]


def test_somebody_elses_nonsense_is_refused(broker):
    """As ours would be."""
    assert "minimum variation" in control(broker, "orders", ticket(price=1.001)).body["error"]
    assert "incorrect type" in control(broker, "orders", ticket(price="1")).body["error"]


def test_fills_can_be_forced_in_part(broker):
    """By id or client id."""
    broker.place(ticket(cOID="one", quantity=10))
    broker.wait(1)

    control(broker, "fill", {"coid": "one", "quantity": 4})
    part = broker.order("one")["filled"]
    control(broker, "fill", {"order_id": broker.order("one")["order_id"]})

    assert (part, broker.order("one")["status"]) == (4.0, "Filled")


def test_positions_can_be_given(broker):
    """As if bought before; money still adds up."""
    control(broker, "positions", {"conid": AAPL, "quantity": 10, "price": 100})

    assert broker.position() == 10
    assert broker.ledger["accounts"][0]["unrealised"] == 650.0
    assert broker.ledger["accounts"][0]["cash"] == {"USD": 1000000.0}


@pytest.mark.parametrize("action", ["login", "logout", "drop", "rival", "rival_leaves", "restart"])
def test_sessions_can_be_changed(broker, action):
    """Each way answers the state."""
    state = control(broker, "session", {"action": action, "seconds": 5}).body

    assert state["logged_in"] is (action != "logout")
    assert state["competing"] is (action == "rival")
    assert state["established"] is (action == "rival_leaves")


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("POST", "price", {"conid": AAPL}, 400),
        ("POST", "price", {"conid": AAPL, "last": -1}, 400),
        ("POST", "price", {"conid": AAPL, "last": True}, 400),
        ("POST", "price", {"conid": 5, "last": 1}, 404),
        ("POST", "price", {"conid": AAPL, "last": 1, "lost": 1}, 400),
        ("POST", "price", [], 400),
        ("POST", "price", b"{", 400),
        ("POST", "advance", {"seconds": -1}, 400),
        ("POST", "fill", {"coid": "nobody"}, 404),
        ("POST", "positions", {"conid": AAPL, "quantity": 1, "account": "DU9"}, 404),
        ("POST", "session", {"action": "dance"}, 400),
        ("POST", "reset", {"sed": 1}, 400),
        ("POST", "triggers", {"on": PLACE}, 400),
        ("POST", "triggers", {"on": PLACE, "fill": 1}, 400),
        ("POST", "triggers", {"on": "GET /nowhere", "fill": {}}, 400),
        ("GET", "price", None, 404),
        ("PUT", "faults", {}, 404),
        ("GET", "", None, 404),
    ],
)
def test_the_control_room_turns_nonsense_down(broker, method, name, body, status):
    """With a sentence."""
    reply = control(broker, name, body, method)

    assert reply.status == status
    assert reply.body["error"]


def test_a_trigger_lets_something_happen_between_two_calls(broker):
    """A stop that fills after the positions were read."""
    broker.place(*bracket())
    broker.wait(2)
    trigger = {"on": "GET /portfolio2/{accountId}/positions", "when": "after", "fill": {"coid": "S"}}
    control(broker, "triggers", trigger)

    read = broker.get(f"/portfolio2/{ACCOUNT}/positions").body[0]["position"]

    assert (read, broker.position()) == (10.0, 0)


def test_a_trigger_before_a_call_is_seen_by_it_and_tires(broker):
    """As often as wanted, until all are cleared."""
    trigger = {"on": PLACE, "times": 1, "price": {"conid": AAPL, "last": 170}}
    control(broker, "triggers", trigger)
    control(broker, "triggers", trigger | {"on": "POST /tickle"})
    control(broker, "triggers", method="DELETE")
    control(broker, "triggers", trigger)
    broker.post("/tickle")
    before = broker.gateway.world.last(broker.gateway.world.catalogue.find(AAPL))
    asked = broker.place(ticket(price=164.0))

    assert before == Decimal(165)
    assert asked.body[0]["messageIds"] == ["o163"]


def test_eight_threads_share_one_broker():
    """Every order is booked once, under its own id."""
    clock = SystemClock()
    gateway = Gateway(clock, options={"pacing": False, "buying_power": 1e12, "questions": False})
    broker = Broker()
    broker.gateway = gateway
    broker.ready()

    def place(number):
        for index in range(20):
            broker.place(ticket(cOID=f"{number}-{index}"))

    threads = [threading.Thread(target=place, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    orders = gateway.ledger()["orders"]
    assert len({one["order_id"] for one in orders}) == 160 == len({one["coid"] for one in orders})


def test_the_same_seed_is_the_same_world():
    """Ids, prices and questions repeat."""

    def play():
        broker = Broker(seed=11, walk=0.004).ready()
        broker.place(*bracket(target=190.0, stop=140.0))
        asked = broker.place(ticket(cOID="far", price=150.0))
        broker.wait(300)
        return asked.body, {key: one for key, one in broker.ledger.items() if key != "requests_log"}

    assert play() == play()


def test_in_process_callers_need_no_headers():
    """A request is method, path and body."""
    gateway = Gateway(ManualClock(datetime(2026, 11, 24, tzinfo=UTC)))

    assert gateway.handle(Request(method="GET", path="/v1/api/tickle")).status == 200
