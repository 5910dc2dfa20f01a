"""Quotes, orders and trades on a stream of the simulator."""

from __future__ import annotations

import pytest
from simulator_client import AAPL, ACCOUNT, MSFT, Broker, bracket, ticket
from stream_client import Listener

OPTION = "0;;;265598/1,272093/-1"
ID_KEYS = {"server_id", "6119", "_updated", "conidEx", "conid", "topic"}


@pytest.fixture
def broker():
    return Broker().ready()


@pytest.fixture
def stream(broker):
    return Listener(broker).opened()


def quotes(stream, fields='"31","84"', conid=AAPL):
    return stream.write(f'smd+{conid}+{{"fields":[{fields}]}}')


# Quotes.


def test_the_first_frame_has_every_tag(stream):
    """In text, beside the ids, when the line has ticked."""
    early = quotes(stream).new()
    (row,) = stream.after(0.5).of(f"smd+{AAPL}")

    assert early == []
    assert (row["31"], row["84"], row["6509"]) == ("165.00", "164.99", "RpB")
    assert set(row) == ID_KEYS | {"31", "84", "6509"}


def test_later_frames_have_what_has_changed(broker, stream):
    """And none comes when nothing has."""
    quotes(stream, '"31","55"').after(0.5).new()
    unmoved = stream.after(5).of(f"smd+{AAPL}")
    broker.price(AAPL, 166)

    (row,) = stream.of(f"smd+{AAPL}")

    assert unmoved == []
    assert (set(row) - ID_KEYS, row["31"]) == ({"31"}, "166.00")


def test_changes_are_gathered_for_half_a_second(broker, stream):
    """The last one counts."""
    quotes(stream, '"31"').after(0.5).new()
    for price in (166, 167, 168):
        broker.price(AAPL, price)
    at_once = stream.of(f"smd+{AAPL}")
    gathered = [stream.after(0.1).of(f"smd+{AAPL}") for _ in range(5)]

    assert at_once == []
    assert [row["31"] for rows in gathered for row in rows] == ["168.00"]


def test_a_tempo_makes_frames_rarer(broker, stream):
    """In milliseconds; undocumented."""
    stream.write(f'smd+{AAPL}+{{"fields":["31"],"tempo":2000}}').after(0.5).new()
    broker.price(AAPL, 166)

    assert stream.after(1.4).of(f"smd+{AAPL}") == []
    assert len(stream.after(0.6).of(f"smd+{AAPL}")) == 1


def test_a_single_snapshot_is_one_frame(broker, stream):
    """Also undocumented."""
    stream.write(f'smd+{AAPL}+{{"fields":["31"],"snapshot":true}}').after(0.5).new()
    broker.price(AAPL, 166)

    assert stream.after(2).of(f"smd+{AAPL}") == []


def test_asking_again_adds_tags(stream):
    """There is one set of tags for a contract."""
    quotes(stream, '"31"').after(0.5).new()
    quotes(stream, '"84"')

    (row,) = stream.after(0.5).of(f"smd+{AAPL}")

    assert set(row) - ID_KEYS == {"84"}


def test_tags_are_shared_with_snapshots(broker, stream):
    """One set for a session."""
    broker.get("/iserver/marketdata/snapshot", conids=AAPL, fields="55")
    quotes(stream, '"31"')

    (row,) = stream.after(0.5).of(f"smd+{AAPL}")

    assert set(row) - ID_KEYS == {"31", "55", "6509"}
    assert "31" in broker.get("/iserver/marketdata/snapshot", conids=AAPL, fields="31").body[0]


def test_quotes_stop_after_a_quarter_of_an_hour_without_a_word(broker, stream):
    """Asking again in time does not help, closing and asking does."""
    quotes(stream, '"31"').after(0.5).new()
    for _ in range(3):
        quotes(stream, '"31"').after(299)
        broker.get("/iserver/accounts")
    broker.price(AAPL, 166)
    in_time = stream.of(f"smd+{AAPL}")
    broker.wait(3)
    broker.price(AAPL, 167)
    late = stream.new()
    stream.write(f"umd+{AAPL}+{{}}")
    again = quotes(stream, '"31"').after(0.5).of(f"smd+{AAPL}")

    assert [row["31"] for row in in_time] == ["166.00"]
    assert [one for one in late if one["topic"] != "system"] == []
    assert again[0]["31"] == "167.00"


def test_what_has_stopped_can_be_asked_for_again(broker, stream):
    """The control room makes it old."""
    quotes(stream, '"31"').after(0.5).new()
    assert broker.post("/simulator/streams", {"action": "age"}).body == {"aged": 1}
    broker.price(AAPL, 166)

    silent = stream.after(1).new()
    again = quotes(stream, '"31"').after(0.5).of(f"smd+{AAPL}")

    assert (silent, again[0]["31"]) == ([], "166.00")


def test_unsubscribing_is_not_answered(broker, stream):
    """And frees the line; doing it twice does nothing."""
    quotes(stream).after(0.5).new()
    stream.write(f"umd+{AAPL}+{{}}", f"umd+{AAPL}+{{}}")
    broker.price(AAPL, 166)

    assert stream.after(1).new() == []
    assert broker.ledger["sessions"][0]["streams"] == []


@pytest.mark.parametrize("how", ["one", "all"])
def test_closing_by_request_silences_the_stream(broker, stream, how):
    """The line is one and the same."""
    quotes(stream).after(0.5).new()
    if how == "one":
        broker.post("/iserver/marketdata/unsubscribe", {"conid": AAPL})
    else:
        broker.get("/iserver/marketdata/unsubscribeall")
    broker.price(AAPL, 166)

    assert stream.after(1).new() == []


def test_above_the_lines_there_is_silence(broker, stream):
    """Until one is free."""
    broker.gateway.set_options({"market_data_lines": 1})
    quotes(stream)
    quotes(stream, conid=MSFT)
    row = stream.after(0.5).new()
    stream.write(f"umd+{AAPL}+{{}}")
    freed = quotes(stream, conid=MSFT).after(0.5).new()

    assert [one["topic"] for one in row + freed] == [f"smd+{AAPL}", f"smd+{MSFT}"]


def test_before_the_accounts_are_asked_there_are_no_quotes():
    """The same warm-up as for snapshots; a guess that it is silent."""
    broker = Broker()
    broker.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True})
    broker.post("/iserver/auth/status")
    stream = Listener(broker).opened()

    assert quotes(stream).write("sor+{}", "str+{}").after(1).new() == []


def test_an_exchange_may_be_named(stream):
    """And comes back in the topic."""
    (row,) = quotes(stream, conid=f"{AAPL}@NYSE").after(0.5).new()

    assert (row["topic"], row["conidEx"], row["conid"]) == (f"smd+{AAPL}@NYSE", f"{AAPL}@NYSE", AAPL)


def test_a_combination_has_quotes(stream):
    """Written with a nought where orders have the spread conid."""
    (row,) = quotes(stream, '"31","84","86","70","87","7296"', OPTION).after(0.5).new()

    assert row["topic"] == f"smd+{OPTION}"
    assert float(row["84"]) <= float(row["31"]) <= float(row["86"])


@pytest.mark.parametrize("conid", ["7", "abc", "0;;;7/1,8/-1", ""])
def test_an_unknown_contract_has_no_data(stream, conid):
    """In an error frame."""
    (row,) = quotes(stream, conid=conid).new()

    assert row["error"] == "No data."


def test_quotes_die_with_the_brokerage_session(broker, stream):
    """Without a word, and they do not come back with the next."""
    quotes(stream).write("sor+{}", "str+{}").after(0.5).new()
    broker.gateway.change_session("drop")
    stream.new()
    broker.ready()
    broker.price(AAPL, 166)
    broker.place(ticket())
    topics = {one["topic"] for one in stream.after(2).new()}

    assert topics <= {"sts", "act", "system"}
    assert quotes(stream).after(0.5).of(f"smd+{AAPL}")[0]["31"] == "166.00"


def test_a_renewed_login_ends_subscriptions_without_notice(broker, stream):
    """The stream stays open and beats."""
    quotes(stream).after(0.5).new()
    world = broker.gateway.world
    world.sessions.renew(world.now, keep=True)
    broker.price(AAPL, 166)

    assert {one["topic"] for one in stream.after(10).new()} == {"system"}


# Orders.


def test_an_order_is_shown_whole_and_then_by_what_changes(broker, stream):
    """Account and number are always there; the price is a number first."""
    stream.write("sor+{}")
    broker.place(ticket(cOID="a", price=166, quantity=3))
    (first,) = stream.of("sor")[0]["args"]
    broker.wait(1)

    (frame,) = stream.of("sor")

    assert (first["status"], first["price"], first["order_ref"]) == ("PreSubmitted", 166.0, "a")
    assert "account" not in first
    (row,) = frame["args"]
    assert (row["acct"], row["orderId"], row["status"]) == (first["acct"], first["orderId"], "Filled")
    assert (row["filledQuantity"], row["sizeAndFills"]) == (3.0, "3")
    assert not {"ticker", "conid", "price", "lastExecutionTime"} & set(row)


def test_several_changes_share_a_frame_in_their_order(broker, stream):
    """Fill by fill, also when the clock jumps over them."""
    stream.write("sor+{}")
    broker.gateway.set_options({"fill_chunk": 1.0})
    broker.place(ticket(price=166, quantity=3))
    stream.new()

    (frame,) = stream.after(10).of("sor")

    assert [row.get("filledQuantity") for row in frame["args"]] == [1.0, 2.0, 3.0]
    assert [row.get("status") for row in frame["args"]] == ["Submitted", None, "Filled"]


def test_nothing_is_replayed(broker, stream):
    """Orders from before are told only by what changes."""
    broker.place(ticket(cOID="a"))
    broker.wait(1)
    silent = stream.write("sor+{}").after(1).new()
    broker.gateway.fill("a")

    (frame,) = stream.of("sor")

    assert silent == []
    assert "ticker" not in frame["args"][0]
    assert frame["args"][0]["status"] == "Filled"


def test_the_day_may_be_replayed(broker, stream):
    """One manual implies it."""
    broker.gateway.set_options({"sor_replay": True})
    broker.place(ticket(cOID="a"))
    broker.place(ticket(cOID="b"))

    (frame,) = stream.write("sor+{}").of("sor")

    assert [row["order_ref"] for row in frame["args"]] == ["a", "b"]


def test_a_change_that_changes_nothing_is_a_row_of_ids(broker, stream):
    """As seen: a row that says nothing."""
    stream.write("sor+{}")
    stop = ticket(orderType="STP", price=166)
    order = broker.place(stop).body[0]["order_id"]
    stream.after(1).new()
    broker.post(f"/iserver/account/{ACCOUNT}/order/{order}", stop)

    rows = [row for frame in stream.after(1).of("sor") for row in frame["args"]]

    assert [set(row) for row in rows] == [{"acct", "conidex", "conid", "orderId", "isEventTrading"}]


def test_filters_let_only_some_states_through(broker, stream):
    """Whatever their spelling."""
    stream.write('sor+{"filters":["Filled"]}')
    broker.place(ticket(price=166))

    (frame,) = stream.after(1).of("sor")

    assert [row["status"] for row in frame["args"]] == ["Filled"]


def test_a_filtered_read_mutes_the_stream_until_a_forced_one(broker, stream):
    """Known and never repaired: what was muted is lost."""
    stream.write("sor+{}")
    broker.get("/iserver/account/orders", filters="filled,cancelled")
    broker.place(ticket(price=163, cOID="a"))
    muted = stream.after(1).of("sor")
    broker.get("/iserver/account/orders", force="true")
    broker.gateway.fill("a")

    assert muted == []
    assert [row["status"] for row in stream.of("sor")[0]["args"]] == ["Filled"]


def test_a_price_that_changes_is_text(broker, stream):
    """A number when the order is new, text when it changes, empty for market orders."""
    stream.write("sor+{}")
    order = broker.place(ticket(price=163)).body[0]["order_id"]
    broker.place(ticket(orderType="MKT", price=None))
    first = [row["price"] for frame in stream.of("sor") for row in frame["args"]]
    broker.wait(1)
    broker.post(f"/iserver/account/DU1234567/order/{order}", ticket(price=162))
    changed = [row["price"] for frame in stream.of("sor") for row in frame["args"] if "price" in row]

    assert first == [163.0, ""]
    assert changed == ["162.00"]


def test_a_bracket_is_told_leg_by_leg(broker, stream):
    """Entry, exits, and the exit that is cancelled by the other."""
    stream.write("sor+{}")
    broker.place(*bracket())
    broker.wait(1)
    broker.price(AAPL, 174)
    broker.wait(1)
    states = {}
    for frame in stream.of("sor"):
        for row in frame["args"]:
            states.setdefault(row["orderId"], {}).update(row)

    assert sorted((row["order_ref"], row["status"]) for row in states.values()) == [
        ("P", "Filled"),
        ("S", "Cancelled"),
        ("T", "Filled"),
    ]


def test_orders_end_with_uor(broker, stream):
    """Without an answer."""
    stream.write("sor+{}", "uor+{}")
    broker.place(ticket())

    assert stream.after(1).new() == []


# Trades.


def test_trades_are_replayed_on_every_subscription(broker, stream):
    """So the same execution comes again; bare utr ends it."""
    broker.place(ticket(price=166, cOID="a"))
    broker.wait(1)

    once = stream.write("str+{}").of("str")[0]["args"]
    again = stream.write("str").of("str")[0]["args"]
    stream.write("utr")
    broker.place(ticket(price=166))

    assert [row["execution_id"] for row in once] == [row["execution_id"] for row in again]
    assert (once[0]["order_ref"], once[0]["price"], once[0]["size"]) == ("a", "165.01", 1.0)
    assert stream.after(2).new() == []


def test_trades_may_be_real_time_only(broker, stream):
    """Then nothing is replayed, and what comes is told once."""
    broker.place(ticket(price=166))
    broker.wait(1)
    silent = stream.write('str+{"realtimeUpdatesOnly":true}').after(1).new()
    broker.place(ticket(price=166))

    assert silent == []
    assert len(stream.after(2).of("str")[0]["args"]) == 1
    assert stream.after(2).new() == []


@pytest.mark.parametrize(("days", "count"), [("", 0), (',"days":2', 1), (',"days":99', 1)])
def test_the_days_of_a_replay_are_trading_days(days, count):
    """Friday's trades on Monday: two days back."""
    broker = Broker().ready()
    broker.jump(days=3)  # Friday
    broker.place(ticket(price=166, tif="GTC"))
    broker.wait(1)
    broker.jump(days=3)
    stream = Listener(broker).opened()

    frames = stream.write(f'str+{{"realtimeUpdatesOnly":false{days}}}').of("str")

    assert sum(len(one["args"]) for one in frames) == count
