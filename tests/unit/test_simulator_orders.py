"""The order desk seen through the door: acceptance, refusal, reads, changes, cancels."""

from __future__ import annotations

import pytest
from simulator_client import AAPL, ACCOUNT, MSFT, ORDERS, Broker, bracket, ticket

ORDER = f"/iserver/account/{ACCOUNT}/order"


@pytest.fixture
def broker():
    return Broker().ready()


def test_a_limit_order_is_acknowledged_works_and_waits_for_its_price(broker):
    """The ack says PreSubmitted; a moment later the order works and does not trade."""
    ack = broker.place(ticket(cOID="one"))
    broker.wait(1)

    assert ack.body == [
        {
            "order_id": "1370093238",
            "local_order_id": "one",
            "order_status": "PreSubmitted",
            "encrypt_message": "1",
        }
    ]
    assert broker.order("one")["status"] == "Submitted"


def test_an_order_without_client_id_is_acknowledged_without_one(broker):
    """The recorded acknowledgement has three keys."""
    ack = broker.place(ticket())

    assert set(ack.body[0]) == {"order_id", "order_status", "encrypt_message"}


def test_a_market_order_pays_the_ask_after_the_latency(broker):
    """Fills come a moment after the acknowledgement, never with it."""
    broker.place(ticket(cOID="one", orderType="MKT", price=None, quantity=10))
    at_once = broker.order("one")["status"]
    broker.wait(0.3)

    assert at_once == "PreSubmitted"
    assert broker.order("one")["status"] == "Filled"
    assert broker.order("one")["average_price"] == 165.01
    assert broker.position() == 10


def test_children_are_acknowledged_before_their_parent(broker):
    """Pairing by position would take a target for the entry."""
    ack = broker.place(*bracket())

    assert [row.get("local_order_id") for row in ack.body] == ["T", "S", "P"]
    assert {row.get("parent_order_id") for row in ack.body[:2]} == {ack.body[2]["order_id"]}


def test_a_bare_array_is_not_an_order(broker):
    """The wrapper is needed for placing."""
    reply = broker.post(ORDERS, [ticket()])

    assert (reply.status, reply.body) == (400, {"error": "Missing order parameters"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"conid": "265598"},
        {"quantity": "1"},
        {"price": "164"},
        {"outsideRTH": 1},
        {"quantity": True},
        {"side": 1},
        {"strategyParameters": []},
    ],
)
def test_json_types_are_checked(broker, wrong):
    """A conid or a price as text is refused for the whole request."""
    reply = broker.place(ticket(**wrong))

    assert reply.status == 400
    assert reply.body == {"error": "orders request includes parameter with incorrect type"}
    assert broker.ledger["orders"] == []


def test_a_null_has_no_type(broker):
    """Keys that are not set must be left out."""
    row = ticket() | {"auxPrice": None}

    assert broker.place(row).status == 400


def test_a_ticket_that_is_no_object_is_refused(broker):
    """An array of something else has the wrong type too."""
    assert broker.place("AAPL").status == 400


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"orderType": "STP LMT", "auxPrice": 163.0}, "Invalid order type"),
        ({"orderType": "STP", "price": None, "auxPrice": 163.0}, "Invalid order price fields"),
        ({"orderType": "STP", "auxPrice": 163.0}, "Invalid order price fields"),
        ({"price": None}, "Invalid order price fields"),
        ({"orderType": "TRAIL", "price": None, "trailingAmt": 1, "trailingType": "x"}, "price fields"),
        ({"side": "Buy"}, "Invalid order side"),
        ({"tif": "GTD"}, "Invalid time in force"),
        ({"tif": "OVT", "orderType": "MKT", "price": None}, "Invalid time in force"),
        ({"tif": None}, "Invalid time in force"),
        ({"orderType": "MKT", "price": None, "outsideRTH": True}, "Outside Regular Trading Hours"),
        ({"conid": 999}, "Invalid conid"),
        ({"cashQty": 100}, "Invalid order size fields"),
        ({"parentId": "nobody"}, "Parent order nobody"),
    ],
)
def test_a_senseless_ticket_is_refused_with_200(broker, wrong, text):
    """A refusal before an order exists is an error inside status 200."""
    reply = broker.place(ticket(**wrong))

    assert reply.status == 200
    assert text in reply.body["error"]
    assert broker.ledger["orders"] == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"price": 164.001}, "minimum variation of 0.01"),
        ({"price": -1}, "minimum variation"),
        ({"quantity": 0}, "The size, 0"),
        ({"quantity": 1.00001}, "The size, 1.00001"),
        ({"orderType": "STOP_LIMIT", "auxPrice": 163.005}, "The price, 163.005"),
        ({"orderType": "TRAIL", "price": None, "trailingAmt": 0, "trailingType": "amt"}, "trailing"),
    ],
)
def test_a_price_off_its_tick_is_refused_dressed_as_an_ack(broker, wrong, text):
    """Order id -1 and Failed: status 200 and an order_id mean nothing by themselves."""
    reply = broker.place(ticket(**wrong))

    assert reply.status == 200
    assert reply.body[0]["order_id"] == "-1"
    assert reply.body[0]["order_status"] == "Failed"
    assert text in reply.body[0]["text"]


def test_a_bad_leg_leaves_its_parent_inactive_and_nothing_works(broker):
    """One refused leg: the parent has an id, but nothing is live."""
    legs = bracket(stop=161.703)

    reply = broker.place(*legs)

    assert [row["order_status"] for row in reply.body] == ["Failed", "Inactive", "Inactive"]
    assert {one["status"] for one in broker.ledger["orders"]} == {"Inactive"}


def test_whole_shares_only_where_fractions_are_off():
    """The account's property decides."""
    broker = Broker(fractions=False).ready()

    assert broker.place(ticket(quantity=1.5)).body[0]["order_id"] == "-1"


def test_a_size_in_money_is_divided_by_the_price(broker):
    """A cash quantity asks its disclosure and becomes shares with four decimals."""
    asked = broker.place(ticket(cOID="one", orderType="MKT", price=None, quantity=None, cashQty=1000))
    broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})

    assert asked.body[0]["messageIds"] == ["o10223"]
    assert broker.order("one")["quantity"] == 6.0606


@pytest.mark.parametrize("account", ["U999", "DU7654321"])
def test_an_account_that_is_not_the_paths_is_refused(account):
    """Neither an unknown account nor another one of ours may stand in the ticket."""
    broker = Broker(accounts=["DU7654321"]).ready()

    reply = broker.place(ticket(acctId=account))

    assert (reply.status, reply.body["error"]) == (400, f"Bad Request: accountId is not valid: {account}")


def test_an_unknown_account_in_the_path_is_refused(broker):
    """400, in the words of the documents."""
    reply = broker.post("/iserver/account/U999/orders", {"orders": [ticket()]})

    assert reply.body == {"error": "Bad Request: accountId is not valid: U999", "statusCode": 400}


def test_conidex_names_contract_and_venue(broker):
    """The venue comes back in every later answer."""
    broker.place(ticket(conid=None, conidex=f"{AAPL}@ARCA", cOID="one"))
    order_id = broker.order("one")["order_id"]

    assert broker.get(f"/iserver/account/order/status/{order_id}").body["conidex"] == f"{AAPL}@ARCA"


def test_no_contract_is_no_order(broker):
    """Neither conid nor conidex."""
    assert broker.place(ticket(conid=None)).body["error"] == "Bad Request: Conid(s) missing"


@pytest.mark.parametrize("status", [200, 400])
def test_a_client_id_counts_once_in_24_hours(status):
    """The duplicate check is the net below a caller who sends again."""
    broker = Broker(duplicate_status=status, idle_timeout=None).ready()
    broker.place(ticket(cOID="one"))

    again = broker.place(ticket(cOID="one"))
    broker.gateway.advance(24 * 3600)
    broker.gateway.change_session("login")
    broker.ready()
    tomorrow = broker.place(ticket(cOID="one"))

    text = "Order couldn't be submitted: Local order ID=one is already registered."
    assert (again.status, again.body) == (status, {"error": text})
    assert tomorrow.body[0]["local_order_id"] == "one"


def test_the_same_client_id_twice_in_one_request_is_refused(broker):
    """Also within a bracket."""
    legs = bracket()
    legs[1]["cOID"] = "P"

    assert "already registered" in broker.place(*legs).body["error"]
    assert broker.ledger["orders"] == []


def test_two_loose_tickets_are_not_one_request(broker):
    """Only brackets and groups come several at once."""
    reply = broker.place(ticket(), ticket(conid=MSFT, price=300.0))

    assert "Only one order ticket" in reply.body["error"]


def test_buying_power_bounds_an_entry_but_not_an_exit():
    """The refusal is an error inside 200; what reduces a position needs no money."""
    broker = Broker(buying_power=1000).ready()
    broker.gateway.seed_position(AAPL, 10)

    entry = broker.place(ticket(quantity=10))
    leaving = broker.place(ticket(side="SELL", quantity=10, price=166.0))

    assert "YOUR ORDER IS NOT ACCEPTED" in entry.body["error"]
    assert leaving.body[0]["order_status"] == "PreSubmitted"


def test_waiting_entries_use_up_buying_power():
    """Two orders that fit one by one do not fit together."""
    broker = Broker(buying_power=2000).ready()

    first = broker.place(ticket(quantity=10))
    second = broker.place(ticket(quantity=10))

    assert "order_id" in first.body[0]
    assert "error" in second.body


def test_market_orders_are_refused_while_the_market_is_closed():
    """Unless the option queues them until the opening."""
    closed = Broker(idle_timeout=None).ready()
    closed.gateway.advance(11 * 3600)
    queueing = Broker(idle_timeout=None, mkt_outside_rth="queue").ready()
    queueing.gateway.advance(11 * 3600)

    refused = closed.place(ticket(orderType="MKT", price=None))
    queueing.place(ticket(cOID="one", orderType="MKT", price=None))
    waiting = queueing.order("one")["status"]
    queueing.gateway.advance(13 * 3600)

    assert "regular trading hours" in refused.body["error"]
    assert waiting == "PreSubmitted"
    assert queueing.order("one")["status"] == "Filled"


# Reads.


def test_the_first_read_of_live_orders_is_empty_and_not_ready(broker):
    """Empty with snapshot false is "not ready", not "none"."""
    broker.place(ticket(cOID="one"))

    first, second = broker.get("/iserver/account/orders"), broker.get("/iserver/account/orders")

    assert first.body == {"orders": [], "snapshot": False}
    assert [row["order_ref"] for row in second.body["orders"]] == ["one"]
    assert second.body["snapshot"] is True


def test_force_empties_the_very_answer(broker):
    """The cache is dropped; the next plain call is full again."""
    broker.place(ticket())
    broker.get("/iserver/account/orders")

    forced = broker.get("/iserver/account/orders", force="true")

    assert forced.body == {"orders": [], "snapshot": False}
    assert len(broker.get("/iserver/account/orders").body["orders"]) == 1


@pytest.mark.parametrize("spelling", ["pre_submitted,sort_by_time", "PreSubmitted,SortByTime"])
def test_filters_come_in_two_spellings(broker, spelling):
    """Both are documented."""
    broker.get("/iserver/account/orders")
    broker.place(*bracket())
    broker.wait(1)

    rows = broker.get("/iserver/account/orders", filters=spelling).body["orders"]

    assert {row["status"] for row in rows} == {"PreSubmitted"}
    assert broker.get("/iserver/account/orders", filters="filled").body["orders"][0]["status"] == "Filled"


def test_finished_orders_are_listed_on_their_day_only():
    """Live orders are scoped to the day, not to the session."""
    broker = Broker(idle_timeout=None, first_reads_empty=False).ready()
    broker.place(
        ticket(cOID="day"),
    )
    broker.place(ticket(cOID="gtc", tif="GTC"))
    broker.gateway.advance(7 * 3600)
    today = broker.get("/iserver/account/orders").body["orders"]
    broker.gateway.advance(12 * 3600)
    tomorrow = broker.get("/iserver/account/orders").body["orders"]

    assert [row["order_ref"] for row in today] == ["gtc", "day"]
    assert today[1]["order_cancellation_by_system_reason"] == "Cancelled by System: order expired"
    assert [row["order_ref"] for row in tomorrow] == ["gtc"]


def test_an_order_may_show_late():
    """Accepted, but not yet in the list: absence in one read proves nothing."""
    broker = Broker(orders_lag=5, first_reads_empty=False).ready()
    broker.place(ticket())

    at_once = broker.get("/iserver/account/orders").body["orders"]
    broker.wait(5)

    assert at_once == []
    assert len(broker.get("/iserver/account/orders").body["orders"]) == 1


def test_other_accounts_orders_need_to_be_asked_for():
    """Lists are about the selected account, or the one in the query."""
    broker = Broker(accounts=["DU7654321"], first_reads_empty=False).ready()
    broker.post("/iserver/account/DU7654321/orders", {"orders": [ticket(acctId="DU7654321", cOID="x")]})

    own = broker.get("/iserver/account/orders").body["orders"]
    named = broker.get("/iserver/account/orders", accountId="DU7654321").body["orders"]
    status = broker.get(f"/iserver/account/order/status/{broker.order('x')['order_id']}")

    assert own == []
    assert [row["order_ref"] for row in named] == ["x"]
    assert status.status == 503


@pytest.mark.parametrize("status", [400, 503])
def test_the_status_of_an_unknown_order_is_an_error(status):
    """Which one differs between observers."""
    broker = Broker(missing_order_status=status).ready()

    assert broker.get("/iserver/account/order/status/000000000").status == status
    assert broker.get("/iserver/account/order/status/abc").status == status


def test_order_status_speaks_in_texts_and_codes(broker):
    """A filled day order: side letter, DAY, code 2, sizes as text."""
    broker.place(ticket(cOID="one", orderType="MKT", price=None, quantity=5))
    broker.wait(1)

    body = broker.get(f"/iserver/account/order/status/{broker.order('one')['order_id']}").body

    assert (body["side"], body["tif"], body["order_ccp_status"]) == ("B", "DAY", "2")
    assert (body["size"], body["total_size"], body["cum_fill"]) == ("0.0", "5.0", "5.0")
    assert body["average_price"] == "165.01"
    assert body["order_description_with_contract"] == "Bought 5 AAPL Market, Day"
    assert body["cannot_cancel_order"] is True


def test_status_tells_stop_and_group_of_a_leg(broker):
    """The children of a bracket form a group named after the parent."""
    broker.place(*bracket())
    parent, stop = broker.order("P"), broker.order("S")

    body = broker.get(f"/iserver/account/order/status/{stop['order_id']}").body

    assert (body["stop_price"], body["limit_price"]) == ("161.70", "")
    assert body["oca_group_id"] == str(parent["order_id"])


def test_trades_are_empty_once_and_then_complete(broker):
    """The first read of a session shows nothing although there is something."""
    broker.place(ticket(cOID="one", orderType="MKT", price=None, quantity=5))
    broker.wait(1)

    first, second = broker.get("/iserver/account/trades"), broker.get("/iserver/account/trades", days=7)

    assert first.body == []
    row = second.body[0]
    assert (row["side"], row["size"], row["price"], row["commission"]) == ("B", 5.0, "165.01", "1.00")
    assert (row["net_amount"], row["order_ref"], row["conidEx"]) == (825.05, "one", str(AAPL))
    assert row["trade_time"] == "20261124-15:00:00"


def test_trades_of_earlier_days_need_days():
    """Today is the default; seven days are the most."""
    broker = Broker(idle_timeout=None, first_reads_empty=False).ready()
    broker.place(ticket(orderType="MKT", price=None))
    broker.gateway.advance(23 * 3600)

    assert broker.get("/iserver/account/trades").body == []
    assert len(broker.get("/iserver/account/trades", days=2).body) == 1
    assert broker.get("/iserver/account/trades", days="x").status == 400


# Changes.


def test_a_modification_replaces_price_and_total_size(broker):
    """The body is the bare ticket; the id stays."""
    broker.place(ticket(cOID="one"))
    order_id = broker.order("one")["order_id"]

    reply = broker.post(f"{ORDER}/{order_id}", ticket(price=163.5, quantity=2))

    assert reply.body[0]["order_id"] == str(order_id)
    assert (broker.order("one")["limit"], broker.order("one")["quantity"]) == (163.5, 2.0)


@pytest.mark.parametrize("body", [[], {}, {"orders": []}])
def test_a_modification_is_a_bare_ticket(broker, body):
    """Neither a wrapper nor an array."""
    assert broker.post(f"{ORDER}/1", body).body == {"error": "Missing order parameters"}


def test_a_modification_needs_a_live_order(broker):
    """Unknown and finished orders differ in words only."""
    broker.place(ticket(cOID="one", orderType="MKT", price=None))
    broker.wait(1)

    unknown = broker.post(f"{ORDER}/12", ticket())
    done = broker.post(f"{ORDER}/{broker.order('one')['order_id']}", ticket())

    assert (unknown.status, unknown.body) == (400, {"error": "OrderID 12 doesn't exist"})
    assert (done.status, done.body) == (400, {"error": "Order is inactive"})


@pytest.mark.parametrize("change", [{"side": "SELL"}, {"conid": MSFT, "price": 300.0}, {"outsideRTH": None}])
def test_a_modification_keeps_contract_side_and_every_key(broker, change):
    """Leaving out a key of the original is refused."""
    broker.place(ticket(cOID="one", outsideRTH=True))
    order_id = broker.order("one")["order_id"]

    reply = broker.post(f"{ORDER}/{order_id}", ticket(**({"outsideRTH": True} | change)))

    assert "Invalid modification" in reply.body["error"]


def test_a_modification_off_the_tick_is_dressed_as_an_ack(broker):
    """As for placing; the order stays as it was."""
    broker.place(ticket(cOID="one"))

    reply = broker.post(f"{ORDER}/{broker.order('one')['order_id']}", ticket(price=163.333))

    assert reply.body[0]["order_id"] == "-1"
    assert broker.order("one")["limit"] == 164.0


def test_a_modification_cannot_shrink_below_what_is_filled():
    """The size is the new total."""
    broker = Broker(fill_chunk=3, fill_interval=60).ready()
    broker.place(ticket(cOID="one", quantity=10, price=166.0))
    broker.wait(1)

    reply = broker.post(f"{ORDER}/{broker.order('one')['order_id']}", ticket(quantity=3, price=166.0))

    assert "filled already" in reply.body["error"]


def test_a_modification_may_raise_questions(broker):
    """A new price far away asks as an entry would."""
    broker.place(ticket(cOID="one"))
    order_id = broker.order("one")["order_id"]

    asked = broker.post(f"{ORDER}/{order_id}", ticket(price=120.0))
    before = broker.order("one")["limit"]
    broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})

    assert asked.body[0]["messageIds"] == ["o163"]
    assert (before, broker.order("one")["limit"]) == (164.0, 120.0)


def test_an_order_that_fills_during_the_dialogue_is_not_changed(broker):
    """The fill wins."""
    broker.place(ticket(cOID="one"))
    order_id = broker.order("one")["order_id"]
    asked = broker.post(f"{ORDER}/{order_id}", ticket(price=120.0))
    broker.gateway.fill("one")

    reply = broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})

    assert reply.body == {"error": "Order is inactive"}


def test_a_cancel_is_pending_before_it_is_done(broker):
    """The answer does not say that anything was cancelled."""
    broker.place(ticket(cOID="one"))
    order_id = broker.order("one")["order_id"]

    reply = broker.delete(f"{ORDER}/{order_id}")
    pending = broker.order("one")["status"]
    broker.wait(0.2)

    assert reply.body == {
        "msg": "Request was submitted",
        "order_id": order_id,
        "conid": -1,
        "account": None,
    }
    assert (pending, broker.order("one")["status"]) == ("PendingCancel", "Cancelled")


@pytest.mark.parametrize(
    ("dress", "expected"),
    [
        ("full", {"msg": "Request was submitted", "order_id": 1370093238, "conid": AAPL, "account": ACCOUNT}),
        (
            "list",
            [
                {
                    "msg": "Request was submitted",
                    "order_id": "1370093238",
                    "order_status": "PendingCancel",
                    "encrypt_message": "1",
                }
            ],
        ),
    ],
)
def test_a_cancel_is_acknowledged_in_other_dresses(dress, expected):
    """All three are on record."""
    broker = Broker(cancel_ack=dress).ready()
    broker.place(ticket(cOID="one"))

    assert broker.delete(f"{ORDER}/1370093238").body == expected


def test_a_cancel_may_lose_against_a_fill(broker):
    """PendingCancel, then Filled."""
    broker.place(ticket(cOID="one"))
    broker.wait(1)
    broker.gateway.set_options({"cancel_latency": 5})
    broker.delete(f"{ORDER}/{broker.order('one')['order_id']}")
    broker.price(AAPL, 163.5)

    broker.wait(5)

    assert broker.order("one")["status"] == "Filled"


def test_cancelling_what_is_gone_or_unknown_is_400(broker):
    """Text only, no code."""
    broker.place(ticket(cOID="one"))
    path = f"{ORDER}/{broker.order('one')['order_id']}"
    broker.delete(path)
    again = broker.delete(path)
    broker.wait(1)

    assert again.status == 200
    assert broker.delete(path).body == {"error": "Order is inactive"}
    assert broker.delete(f"{ORDER}/000000000").body == {"error": "OrderID 000000000 doesn't exist"}
    assert broker.delete(f"{ORDER}/abc").status == 400


def test_minus_one_cancels_everything(broker):
    """As documented, which is why a client must never send it by accident."""
    broker.place(ticket(cOID="one"))
    broker.place(ticket(cOID="two", conid=MSFT, price=300.0))

    broker.delete(f"{ORDER}/-1")
    broker.wait(1)

    assert {one["status"] for one in broker.ledger["orders"]} == {"Cancelled"}


def test_a_cancel_may_be_a_question():
    """Seen on a real account."""
    broker = Broker(cancel_question=True).ready()
    broker.place(ticket(cOID="one"))

    asked = broker.delete(f"{ORDER}/{broker.order('one')['order_id']}")
    before = broker.order("one")["status"]
    broker.post(f"/iserver/reply/{asked.body[0]['id']}", {"confirmed": True})

    assert "cancel this order" in asked.body[0]["message"][0]
    assert (before, broker.order("one")["status"]) == ("PreSubmitted", "PendingCancel")


def test_a_deactivated_order_rests_until_it_is_changed(broker):
    """Saved, not transmitted."""
    broker.place(ticket(cOID="one", price=166.0, deactivated=True))
    broker.wait(1)
    resting = broker.order("one")["status"]

    broker.post(f"{ORDER}/{broker.order('one')['order_id']}", ticket(price=166.0, deactivated=False))
    broker.wait(1)

    assert (resting, broker.order("one")["status"]) == ("Inactive", "Filled")


def test_a_single_order_may_be_acknowledged_by_a_bare_object():
    """The trading page shows an object where the wire has a list."""
    broker = Broker(ack_shape="object").ready()

    assert broker.place(ticket()).body["order_status"] == "PreSubmitted"
    assert len(broker.place(*bracket()).body) == 3


# What if.


def test_a_preview_is_display_text(broker):
    """Thousands commas, units and shares; without an open data stream it warns."""
    preview = broker.post(f"{ORDERS}/whatif", {"orders": [ticket(quantity=12)]})

    assert preview.body["amount"] == {
        "amount": "1,968 USD (12 Shares)",
        "commission": "1 USD",
        "total": "1,969 USD",
    }
    assert preview.body["position"] == {"current": "0", "change": "12", "after": "12"}
    assert preview.body["initial"]["change"] == "492"
    assert preview.body["warn"].startswith("21/")
    assert broker.ledger["orders"] == []


def test_a_preview_with_market_data_does_not_warn(broker):
    """The snapshot opens the stream that it wants."""
    broker.get("/iserver/marketdata/snapshot", conids=AAPL, fields="31")

    assert broker.post(f"{ORDERS}/whatif", {"orders": [ticket()]}).body["warn"] is None


def test_a_preview_of_nonsense_is_refused(broker):
    """Conid 0 was observed as 400; a bad price is an error inside 200."""
    assert broker.post(f"{ORDERS}/whatif", {"orders": [ticket(conid=0)]}).status == 400
    assert "error" in broker.post(f"{ORDERS}/whatif", {"orders": [ticket(price=1.001)]}).body


def test_a_prompt_is_answered_by_notification():
    """Not by a reply; the body of the answer is a bare JSON string."""
    broker = Broker(price_management_prompt=True).ready()

    prompt = broker.place(ticket(cOID="one")).body
    before = broker.ledger["orders"]
    answer = {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": "Use on this order"}
    reply = broker.post("/iserver/notification", answer)

    assert (prompt["messageId"], prompt["prompt"], before) == ("p12", True, [])
    assert reply.body == "Request was submitted"
    assert broker.order("one")["status"] == "PreSubmitted"
    assert broker.post("/iserver/notification", {"reqId": "77"}).status == 200


@pytest.mark.parametrize(
    ("policy", "parent", "refused"),
    [("accept", True, False), ("ignore", False, False), ("refuse", False, True)],
)
def test_a_late_child_is_attached_ignored_or_refused(policy, parent, refused):
    """Which of them IBKR does is not on record, so all three can be had."""
    broker = Broker(late_parent=policy).ready()
    broker.place(ticket(cOID="P", tif="GTC"))

    reply = broker.place(ticket(cOID="S", side="SELL", price=166.0, parentId="P", tif="GTC"))

    assert ("error" in reply.body) is refused
    if not refused:
        expected = broker.order("P")["order_id"] if parent else None
        assert broker.order("S")["parent_id"] == expected


def test_body_that_is_no_json_is_500_with_java_words(broker):
    """So is a number that is none."""
    for body in (b"{", b'{"orders": [{"price": NaN}]}'):
        reply = broker.post(ORDERS, body)

        assert reply.status == 500
        assert reply.body["error"].startswith("java.lang")
