"""What is about to be sent is on disk first; what a dead process left open is looked up before new orders."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from decimal import Decimal
from functools import partial

import attrs
import pytest
from worlds import AAPL

from crowd import at_once
from ibkr_adapter.errors import (
    BrokerageUnavailable,
    ConfigurationError,
    InvalidOrder,
    LoginRequired,
    NotSent,
    OrderOutcomeUnknown,
    OrderRejected,
    PartlyPlaced,
    QuestionRefused,
)
from ibkr_adapter.journal import Intent, Journal, Kind
from ibkr_adapter.model.order import OrderType, Side
from ibkr_adapter.records import Record, changing
from ibkr_adapter.simulator.door import Request

PLACE = "POST /iserver/account/{accountId}/orders"
REPLY = "POST /iserver/reply/{replyId}"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"
LIVE = "GET /iserver/account/orders"
TRADES = "GET /iserver/account/trades"
PATH = "POST /iserver/account/DU1234567/orders"


def rows(tmp_path, sql="SELECT kind, step, ended FROM entry ORDER BY id"):
    connection = sqlite3.connect(tmp_path / "orders.sqlite3")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def steps(tmp_path):
    return [step for (step,) in rows(tmp_path, "SELECT step FROM step ORDER BY rowid")]


def intent(coid, *, kind=Kind.PLACE, about=("BUY 1 265598 LMT",), **more):
    return Intent(kind=kind, account="DU1234567", body_hash="h", about=about, coids=(coid,), **more)


def died(ibkr, *intents):
    """Leave open entries behind, as a process that died does."""
    journal = ibkr.orders._connection.journal
    for wanted in intents:
        Record(journal, wanted).begin()
    journal.close()


def aged(ibkr, world, *, days):
    begun = world.clock.now() - timedelta(days=days)
    ibkr.orders._connection._placed().write("UPDATE entry SET begun_at = ?", (begun.isoformat(),))


def placed_by_hand(world, coid, **changed):
    """An order of ours of which this process knows nothing."""
    body = {"conid": AAPL, "side": "BUY", "orderType": "LMT", "price": 162, "quantity": 1, "tif": "DAY"}
    (order_id,) = world.gateway.place_foreign({**body, "cOID": coid, **changed})
    return str(order_id)


# Before the first byte --------------------------------------------------------------------------


def test_an_order_is_on_disk_before_its_first_byte_leaves(world, ibkr, tmp_path):
    ibkr.open()
    seen = []
    world.doorway.before[PATH] = lambda: seen.extend(
        rows(tmp_path, "SELECT kind, account, about, step, ended FROM entry")
    )

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert seen == [("place", "DU1234567", '["BUY 1 265598 LMT"]', "sending", None)]
    assert steps(tmp_path) == ["sending", "accepted"]


def test_a_reply_is_on_disk_before_it_leaves(world, ibkr, tmp_path):
    ibkr.open()
    seen = []
    send = world.doorway.send

    def looking(method, url, **more):
        if "/reply/" in url:
            seen.append(steps(tmp_path)[-1])
        return send(method, url, **more)

    world.doorway.send = looking
    ibkr.place_market_order("AAPL", "buy", 1)

    assert seen == ["confirming"]
    assert steps(tmp_path) == ["sending", "asked", "confirming", "accepted"]


def test_an_acknowledged_order_is_ours_with_the_same_write(world, ibkr, tmp_path):
    """A process that dies right after the acknowledgement has not lost it."""
    ibkr.open()
    status = ibkr.orders._connection.reads.status
    ours = []
    ibkr.orders._connection.reads.status = lambda *given, **more: (
        ours.append(rows(tmp_path, "SELECT count(*) FROM placed")[0][0]),
        status(*given, **more),
    )[1]

    ibkr.place_bracket_order("AAPL", "buy", "limit", 10, 162, take_profit_price=170, stop_loss_price=150)

    assert ours[0] == 3
    assert rows(tmp_path) == [("place", "placed", "placed")]


def test_cancels_and_modifications_are_written_too(world, ibkr, tmp_path):
    from decimal import Decimal

    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    ibkr.orders.modify(order_id, limit_price=Decimal(161))
    ibkr.cancel_order("AAPL", order_id)

    assert rows(tmp_path) == [
        ("place", "accepted", "placed"),
        ("modify", "seen", "seen"),
        ("cancel", "seen", "seen"),
    ]


@pytest.mark.parametrize(
    ("fault", "error", "ended"),
    [
        ({"fault": "F02"}, NotSent, "not sent"),
        ({"fault": "F13"}, OrderRejected, "refused"),
        ({"fault": "F10"}, OrderRejected, "absent"),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else None,
)
def test_every_end_is_written_as_what_it_was(world, ibkr, tmp_path, fault, error, ended):
    ibkr.open()
    world.gateway.arm({**fault, "on": PLACE})

    with pytest.raises(error):
        ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert rows(tmp_path) == [("place", ended, ended)]
    assert ibkr.orders.unsettled() == ()


def test_an_answer_of_no_use_is_on_disk_before_the_order_is_looked_up(world, ibkr, tmp_path):
    """Whoever reads the journal sees why its end came late."""
    ibkr.open()
    world.arm("F03", PLACE)

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert steps(tmp_path) == ["sending", "looking", "placed"]


def test_a_declined_question_is_an_end(ibkr, tmp_path):
    with pytest.raises(QuestionRefused):
        ibkr.place_limit_order("AAPL", "buy", 1, 100)

    assert steps(tmp_path) == ["sending", "asked", "declining", "declined", "refused"]


def test_nothing_secret_and_no_body_is_on_disk(tmp_path):
    from worlds import World

    world = World(tmp_path, "oauth1a")
    world.exchange(webhook_secret="hush-hush").place_limit_order("AAPL", "buy", 1, 162)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("orders.sqlite3*"))

    assert b"BUY 1 265598 LMT" in written
    assert b"orderType" not in written
    for name in ("access_token", "access_token_secret", "consumer_key"):
        assert world.gateway.credentials[name].encode() not in written
    world.close()


# No journal, no order ---------------------------------------------------------------------------


def broken(tmp_path):
    for path in tmp_path.glob("orders.sqlite3*"):
        path.unlink()
    (tmp_path / "orders.sqlite3").write_bytes(b"this is no database, and long enough to be told" * 100)


def test_without_a_journal_no_order_leaves_and_the_remedy_is_told(world, ibkr, tmp_path):
    ibkr.open()
    broken(tmp_path)
    before = len(world.doorway.sent)

    with pytest.raises(ConfigurationError, match="not a database") as refused:
        ibkr.orders._connection.desk.place(_submission(ibkr))

    assert len(world.doorway.sent) == before
    assert "othing was sent" in refused.value.message
    assert "broken journal must be looked at" in refused.value.remedy
    assert ibkr.get_balance()


def _submission(ibkr):
    from decimal import Decimal

    from ibkr_adapter.model.order import OrderType, Side, Ticket, Tif
    from ibkr_adapter.submissions import Submission

    link = ibkr.orders._connection
    ticket = Ticket(
        account="DU1234567",
        conid=AAPL,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        tif=Tif.DAY,
        quantity=Decimal(1),
        limit_price=Decimal(162),
        coid=link.own.new_coid(),
    )
    return Submission(
        tickets=(ticket,),
        replies=ibkr.orders._replies,
        deadline=link.clock.monotonic() + 45,
        wait_for_outcome=40,
    )


def test_a_modification_needs_the_journal_and_a_cancel_does_not(world, ibkr, tmp_path, caplog):
    from decimal import Decimal

    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    ibkr.orders._connection._placed().close()
    broken(tmp_path)

    with pytest.raises(ConfigurationError, match="nothing was sent"):
        ibkr.orders.modify(order_id, limit_price=Decimal(161))
    over = ibkr.cancel_order("AAPL", order_id)

    assert over["status"] == "canceled"
    assert "without a journal" in caplog.text
    assert world.count("POST /iserver/account/{accountId}/order/{orderId}") == 0


def test_a_close_without_a_journal_leaves_the_exits_where_they_are(world, ibkr, tmp_path):
    """It could not send what it ends them for."""
    ibkr.place_bracket_order("AAPL", "buy", "market", 3, take_profit_price=173.5, stop_loss_price=161.2)
    ibkr.orders._connection._placed().close()
    broken(tmp_path)

    with pytest.raises(ConfigurationError, match="journal"):
        ibkr.close_position("AAPL")

    assert len(world.working()) == 2
    assert world.count(CANCEL) == 0


def test_a_yes_that_cannot_be_written_down_is_a_no(world, ibkr, tmp_path):
    ibkr.open()
    world.doorway.after[PATH] = lambda: _read_only(ibkr)

    with pytest.raises(ConfigurationError, match="readonly"):
        ibkr.place_market_order("AAPL", "buy", 1)

    assert world.working() == []
    assert world.position() == 0
    assert world.ledger()["open_questions"] == []


def _read_only(ibkr):
    ibkr.orders._connection._placed().read("PRAGMA query_only=ON")


def test_what_cannot_be_written_after_the_answer_does_not_hide_the_order(world, ibkr, tmp_path, caplog):
    """It stands, so the call must say so; the entry stays open for whoever comes next."""
    ibkr.open()
    world.doorway.after[PATH] = lambda: _read_only(ibkr)

    ack = ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert str(world.working()[0]["order_id"]) == ack["orderId"]
    assert "the journal lacks" in caplog.text
    assert rows(tmp_path) == [("place", "sending", None)]


def test_an_order_is_ours_to_end_although_that_could_not_be_written(world, ibkr):
    """Also under an id of the caller's own, which does not show whose it is."""
    ibkr.open()
    world.doorway.after[PATH] = lambda: _read_only(ibkr)
    placed = ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        limit_price=Decimal(162),
        coid="host-1",
    )

    ibkr.orders.cancel_all("AAPL")

    assert placed.entry.order_id
    assert world.working() == []


# At start ---------------------------------------------------------------------------------------


def test_nothing_open_costs_no_request(world, ibkr):
    ibkr.open()

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert world.count(LIVE) == world.count(TRADES) == 0


def test_what_was_left_open_is_looked_up_before_a_close_ends_the_exits(world, ibkr):
    """That takes its time, and the position would be bare meanwhile."""
    ibkr.place_market_order("AAPL", "buy", 5)
    ibkr.place_stop_loss("AAPL", "SELL", 5, 155)
    died(ibkr, intent("ibka-lost"))
    ibkr.close()
    looked = len(world.doorway.sent)

    world.exchange().close_position("AAPL")

    later = [f"{method} {path}" for method, path, _ in world.doorway.sent[looked:]]
    ended = next(place for place, call in enumerate(later) if call.startswith("DELETE"))
    assert later[:ended].count("GET /iserver/account/trades") >= 2
    assert (world.position(), world.working()) == (0, [])


def test_an_order_of_a_dead_process_is_found_and_ours_before_a_new_one_leaves(world, ibkr, tmp_path):
    ibkr.open()
    order_id = placed_by_hand(world, "host-1")
    died(ibkr, intent("host-1"))
    seen = []
    world.doorway.before[PATH] = lambda: seen.extend(rows(tmp_path))

    ibkr.place_limit_order("AAPL", "buy", 2, 161)

    assert seen[0] == ("place", "placed", "placed")
    assert ibkr.cancel_order("AAPL", order_id)["status"] == "canceled"


def test_the_legs_of_a_dead_processs_bracket_are_ours_too(world, ibkr, tmp_path):
    legs = ibkr.place_bracket_order(
        "AAPL", "buy", "market", 3, take_profit_price=173.5, stop_loss_price=161.2
    )
    coid = legs["entryOrder"]["clientOrderId"]
    store = ibkr.orders._connection._placed()
    store.write("UPDATE entry SET ended = NULL, step = 'sending'")
    store.write("DELETE FROM placed")
    ibkr.close()

    again = world.exchange()
    (left,) = again.orders.unsettled()
    assert left.coids == (coid,)
    assert left.resolve().state == "Filled"
    assert again.orders.modify(legs["stopLossOrder"]["orderId"], stop_price=Decimal(160)).stop_price == 160

    assert {row[0] for row in rows(tmp_path, "SELECT order_id FROM placed")} == {
        legs[name]["orderId"] for name in ("entryOrder", "takeProfitOrder", "stopLossOrder")
    }


def test_a_bracket_that_lacks_a_leg_and_of_which_too_little_is_known_stays_open(
    world, ibkr, tmp_path, caplog
):
    """Without its tickets nobody knows what to send; whoever looks is told."""
    ibkr.open()
    placed_by_hand(world, "host-1")
    died(ibkr, intent("host-1", about=("BUY 1 265598 LMT", "SELL 1 265598 STP")))

    ibkr.place_limit_order("AAPL", "buy", 2, 161)

    assert "without its SELL 1 265598 STP" in caplog.text
    assert rows(tmp_path)[0] == ("place", "stands without a leg", None)
    (left,) = ibkr.orders.unsettled()
    with pytest.raises(PartlyPlaced, match="nothing was sent"):
        left.resolve()
    assert rows(tmp_path)[0] == ("place", "partly placed", "partly placed")


def test_an_order_that_works_although_it_was_declined_is_said(world, ibkr, caplog):
    """Nobody agreed to it, and nothing is sent from here, so a person must end it."""
    ibkr.open()
    order_id = placed_by_hand(world, "host-1")
    died(ibkr, intent("host-1"))
    ibkr.orders._connection._placed().write("UPDATE entry SET step = 'declining'")

    ibkr.place_limit_order("AAPL", "buy", 2, 161)

    assert f"order {order_id} works although its question was declined" in caplog.text


def test_an_order_that_never_left_is_absent_only_when_that_is_proven(world, ibkr, tmp_path, caplog):
    """Two reads of each list, begun fifteen seconds after the process was seen to be dead."""
    ibkr.open()
    died(ibkr, intent("ibka-x"))
    started = world.clock.monotonic()

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert rows(tmp_path)[0] == ("place", "absent", "absent")
    assert "never reached IBKR" in caplog.text
    assert 15 <= world.clock.monotonic() - started <= 45
    assert len(world.orders()) == 1


def test_an_order_that_ended_without_a_fill_is_no_order_that_stands(world, ibkr, tmp_path):
    ibkr.open()
    order_id = placed_by_hand(world, "host-1")
    world.gateway.handle(Request(method="DELETE", path=f"/v1/api/iserver/account/DU1234567/order/{order_id}"))
    died(ibkr, intent("host-1"))

    ibkr.place_limit_order("AAPL", "buy", 2, 161)

    assert rows(tmp_path)[0] == ("place", "refused", "refused")


def test_what_cannot_be_looked_up_is_told_and_new_orders_go_out(world, ibkr, tmp_path, caplog):
    ibkr.open()
    order_id = placed_by_hand(world, "host-1")
    died(ibkr, intent("host-1"))
    world.arm("F10", LIVE, times=None)
    world.arm("F10", TRADES, times=None)

    ack = ibkr.place_limit_order("AAPL", "buy", 2, 161)

    assert ack["status"] == "open"
    assert "nobody can tell what became of the place of host-1" in caplog.text
    (left,) = ibkr.orders.unsettled()
    assert (left.kind, left.coids, left.step) == ("place", ("host-1",), "unknown")
    assert left.about == ("BUY 1 265598 LMT",)
    with pytest.raises(OrderOutcomeUnknown) as unknown:
        left.resolve()
    world.gateway.handle(Request(method="DELETE", path="/simulator/faults"))
    assert unknown.value.resolve().order_id == order_id
    assert ibkr.orders.unsettled() == ()


def test_what_was_left_open_is_looked_up_once(world, ibkr):
    ibkr.open()
    died(ibkr, intent("ibka-x"))
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    reads = world.count(LIVE)

    ibkr.place_limit_order("AAPL", "buy", 1, 161)

    assert world.count(LIVE) == reads


def test_the_look_up_does_not_cost_the_new_order_its_time(world):
    """It takes longer than this order may."""
    ibkr = world.exchange(order_deadline=10).open()
    died(ibkr, intent("ibka-x"))
    started = world.clock.monotonic()

    assert ibkr.place_limit_order("AAPL", "buy", 1, 162)["status"] == "open"

    assert world.clock.monotonic() - started > 10


def test_legs_that_cannot_be_read_leave_the_entry_open(world, ibkr, tmp_path):
    ibkr.open()
    order_id = placed_by_hand(world, "host-1")
    died(ibkr, intent("host-1", about=("BUY 1 265598 LMT", "SELL 1 265598 STP")))
    world.gateway.handle(
        Request(method="POST", path="/simulator/fill", body=f'{{"order_id": {order_id}}}'.encode())
    )
    world.arm("F10", LIVE, times=None)

    (left,) = ibkr.orders.unsettled()
    with pytest.raises(OrderOutcomeUnknown):
        left.resolve()

    assert rows(tmp_path) == [("place", "unknown", None)]
    assert rows(tmp_path, "SELECT order_id, coid FROM placed") == [(order_id, "host-1")]


def test_an_order_whose_change_was_left_open_and_that_cannot_be_read_stays_open(world, ibkr):
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    died(ibkr, Intent(kind=Kind.CANCEL, account="DU1234567", body_hash="h", order_id=order_id))
    (left,) = ibkr.orders.unsettled()
    world.arm("F10", "GET /iserver/account/order/status/{orderId}", times=None)
    world.arm("F10", LIVE, times=None)

    with pytest.raises(OrderOutcomeUnknown) as unknown:
        left.resolve()

    world.gateway.handle(Request(method="DELETE", path="/simulator/faults"))
    assert unknown.value.resolve().order_id == order_id


def test_threads_that_come_meanwhile_wait_for_the_look_up(world, ibkr, tmp_path):
    ibkr.open()
    died(ibkr, intent("ibka-x"))

    at_once(
        world,
        *(partial(ibkr.place_limit_order, "AAPL", "buy", 1, 161 + number) for number in range(2)),
    )

    assert [end for _, _, end in rows(tmp_path)] == ["absent", "placed", "placed"]
    assert steps(tmp_path).index("absent") < steps(tmp_path).index("accepted")


def test_without_a_session_nothing_is_sent_and_the_look_up_is_made_later(world, ibkr, tmp_path):
    ibkr.open()
    died(ibkr, intent("ibka-x"))
    submission = _submission(ibkr)
    link = ibkr.orders._connection
    link.session.lose(link.session.epoch, "a test")
    world.gateway.handle(Request(method="POST", path="/simulator/session", body=b'{"action": "logout"}'))

    with pytest.raises(LoginRequired):
        link.desk.place(submission)

    assert world.count(PLACE) == 0
    world.gateway.handle(Request(method="POST", path="/simulator/session", body=b'{"action": "login"}'))
    world.clock.sleep(600)
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    assert [end for _, _, end in rows(tmp_path)] == ["absent", "placed"]


def test_a_session_lost_just_before_the_send_is_restored_first(world, ibkr):
    """Nobody holds the dialogue over it, because whoever restores the session must get past."""
    ibkr.open()
    link = ibkr.orders._connection
    submission = _submission(ibkr)
    link.session.lose(link.session.epoch, "a test")

    placed = link.desk.place(submission)

    assert [placed.entry.order_id] == [str(row["order_id"]) for row in world.working()]


def test_a_session_lost_while_an_order_waits_for_its_turn_is_restored_first(world, ibkr):
    """The session was up when it got in line, and is not when its turn comes."""
    ibkr.open()
    link = ibkr.orders._connection
    submission, placed = _submission(ibkr), []

    def another():
        with link.client._turns._dialogue.hold(world.clock.monotonic() + 60):
            world.clock.sleep(2)
            link.session.lose(link.session.epoch, "a test")

    def order():
        world.clock.sleep(1)
        placed.append(link.desk.place(submission).entry.order_id)

    at_once(world, another, order)

    assert placed == [str(row["order_id"]) for row in world.working()]
    assert len(placed) == 1


def test_entries_of_another_login_are_left_alone(tmp_path):
    """Its orders may not be in the lists of this one, so absence would prove nothing."""
    from worlds import World

    world = World(tmp_path, pacing=False)
    other, ibkr = world.exchange(base_url="http://127.0.0.2:5000/v1/api"), world.exchange()
    died(other, intent("ibka-other"))

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert [end for _, _, end in rows(tmp_path)] == [None, "placed"]
    assert ibkr.orders.unsettled() == ()
    assert [left.coids for left in other.orders.unsettled()] == [("ibka-other",)]
    world.close()


def test_entries_of_a_living_process_are_left_alone(world, ibkr, tmp_path):
    ibkr.open()
    link = ibkr.orders._connection
    living = Journal(clock=world.clock, login=link.journal._login, store=link._placed)
    Record(living, intent("ibka-busy")).begin()

    ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert [end for _, _, end in rows(tmp_path)] == [None, "placed"]
    assert ibkr.orders.unsettled() == ()
    living.close()
    assert [left.coids for left in ibkr.orders.unsettled()] == [("ibka-busy",)]


def test_a_pair_is_looked_up_by_both_of_its_ids(world, ibkr, tmp_path, caplog):
    ibkr.open()
    placed_by_hand(world, "host-1")
    both = Intent(
        kind=Kind.PLACE,
        account="DU1234567",
        body_hash="h",
        about=("SELL 1 265598 LMT", "SELL 1 265598 STP"),
        coids=("host-1", "host-2"),
    )
    died(ibkr, both)

    ibkr.place_limit_order("AAPL", "buy", 2, 161)

    assert "only 1 of 2" in caplog.text
    assert rows(tmp_path)[0] == ("place", "partly placed", "partly placed")
    assert rows(tmp_path, "SELECT coid FROM placed")[0] == ("host-1",)


def test_the_order_of_a_change_that_was_left_open_is_seen(world, ibkr, tmp_path):
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    wanted = Intent(kind=Kind.CANCEL, account="DU1234567", body_hash="h", order_id=order_id)
    died(ibkr, wanted)

    (left,) = ibkr.orders.unsettled()

    assert left.order_id == order_id
    assert left.resolve().order_id == order_id
    assert ibkr.orders.unsettled() == ()


def test_a_change_to_an_order_that_nobody_lists_stays_open_for_a_day(world, ibkr, tmp_path):
    ibkr.open()
    wanted = Intent(kind=Kind.CANCEL, account="DU1234567", body_hash="h", order_id="77")
    died(ibkr, wanted)

    (left,) = ibkr.orders.unsettled()
    with pytest.raises(OrderOutcomeUnknown) as unknown:
        left.resolve()
    assert unknown.value.order_id == "77"
    aged(ibkr, world, days=1.01)
    (left,) = ibkr.orders.unsettled()

    assert left.resolve() is None


def test_an_order_older_than_the_lists_is_never_called_absent(world, ibkr):
    """It may have filled before the first day that they show."""
    ibkr.open()
    died(ibkr, intent("ibka-x"))
    aged(ibkr, world, days=7)

    (left,) = ibkr.orders.unsettled()
    world.clock.sleep(60)

    with pytest.raises(OrderOutcomeUnknown):
        left.resolve()


def test_an_order_older_than_the_lists_is_found_where_they_have_it(world, ibkr, tmp_path):
    """One that works for weeks is listed as long."""
    ibkr.open()
    order_id = placed_by_hand(world, "host-1", tif="GTC")
    died(ibkr, intent("host-1"))
    aged(ibkr, world, days=7)

    (left,) = ibkr.orders.unsettled()

    assert left.resolve().order_id == order_id
    assert rows(tmp_path) == [("place", "placed", "placed")]


@pytest.mark.parametrize(("became", "known"), [(161, 161), (162, 162)], ids=["took", "did not"])
def test_a_change_that_was_left_open_is_what_the_order_is_from_then_on(world, ibkr, tmp_path, became, known):
    """If it took: the next change must not undo it, nor bring about one that did not."""
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, became)["orderId"]
    own = ibkr.orders._connection.own
    before = attrs.evolve(own.ticket(order_id), limit_price=Decimal(162))
    own.remember(order_id, before)
    died(ibkr, changing(order_id, "DU1234567", attrs.evolve(before, limit_price=Decimal(161))))

    (left,) = ibkr.orders.unsettled()

    assert left.resolve().order_id == order_id
    assert own.ticket(order_id).limit_price == known
    assert rows(tmp_path)[-1] == ("modify", "seen", "seen")


def test_who_waits_too_long_for_the_look_up_of_another_thread_sends_nothing(world, ibkr):
    ibkr.open()
    died(ibkr, intent("ibka-x"))
    world.doorway.before["GET /iserver/account/trades"] = lambda: world.clock.sleep(100)
    told = []

    def late():
        world.clock.sleep(1)
        with pytest.raises(BrokerageUnavailable, match="still being looked up; nothing was sent"):
            ibkr.place_limit_order("AAPL", "buy", 1, 162)
        told.append(world.count(PLACE))

    at_once(world, lambda: ibkr.place_limit_order("AAPL", "buy", 1, 161), late)

    assert told == [0]


def test_an_unknown_outcome_is_listed_and_ends_with_its_own_look_up(world, ibkr, tmp_path):
    ibkr.open()
    world.arm("F03", PLACE)
    world.arm("F10", LIVE, times=None)
    world.arm("F10", TRADES, times=None)
    with pytest.raises(OrderOutcomeUnknown) as lost:
        ibkr.place_limit_order("AAPL", "buy", 1, 162)

    assert [left.coids for left in ibkr.orders.unsettled()] == [(lost.value.coid,)]
    world.gateway.handle(Request(method="DELETE", path="/simulator/faults"))
    lost.value.resolve()

    assert ibkr.orders.unsettled() == ()
    assert rows(tmp_path)[0][2] == "placed"


def test_an_interrupt_inside_an_order_is_written_as_unknown(world, ibkr, tmp_path):
    """F42: neither the program nor the next one believes that nothing was sent."""
    ibkr.open()

    def interrupt():
        raise KeyboardInterrupt

    world.doorway.after[PATH] = interrupt
    with pytest.raises(KeyboardInterrupt):
        ibkr.place_limit_order("AAPL", "buy", 1, 162)
    world.doorway.after.clear()

    (left,) = ibkr.orders.unsettled()
    assert left.step == "unknown"
    assert left.resolve().order_id == str(world.working()[0]["order_id"])


def test_a_coid_that_was_used_for_another_order_is_refused(world, ibkr, tmp_path):
    ibkr.open()
    died(ibkr, intent("ibka-x"))
    submission = _submission(ibkr)
    import attrs

    again = attrs.evolve(submission, tickets=(attrs.evolve(submission.tickets[0], coid="ibka-x"),))

    with pytest.raises(InvalidOrder, match="used for another order; nothing was sent"):
        ibkr.orders._connection.desk.place(again)

    assert world.count(PLACE) == 0
