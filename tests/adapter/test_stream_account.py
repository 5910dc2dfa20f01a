"""Orders, trades, money and words of the stream, over a scripted line and the simulated broker's REST."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal

import attrs
import pytest
from stream_door import ScriptedServer
from worlds import AAPL, MSFT, World

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.order import OrderState
from ibkr_adapter.model.stream import (
    BarsEvent,
    BulletinEvent,
    DepthEvent,
    Gap,
    LedgerEvent,
    NotificationEvent,
    OrderEvent,
    SummaryEvent,
    TradeEvent,
    Unreadable,
)

PROMPT = {
    "orderId": 0,
    "reqId": "29042",
    "dismissable": [],
    "text": "If your order is not immediately executable, …\nUse the Price Management Algo?",
    "options": ["Use on this order", "Always use", "Do not use"],
    "type": "M",
    "messageId": "p12",
    "prompt": True,
}


@pytest.fixture
def server(world: World) -> ScriptedServer:
    made = ScriptedServer(world.clock)
    world.doors = made.doors(world.doors)
    return made


@pytest.fixture
def ibkr(world: World, server: ScriptedServer) -> IBKRExchange:
    return world.exchange()


def settle(world, seconds=0.01):
    world.clock.sleep(seconds)


def drain(subscription):
    return [subscription.get(0) for _ in range(subscription.waiting)]


def limit_order(ibkr, quantity=10, price=162):
    return ibkr.place_limit_order("AAPL", "buy", quantity, price)["orderId"]


def sor(*rows):
    return {"topic": "sor", "args": list(rows)}


def changed(order_id, **row):
    return {"acct": "DU1234567", "orderId": int(order_id), **row}


def execution(name="0001", **row):
    return {
        "execution_id": name,
        "symbol": "AAPL",
        "side": "B",
        "size": 1.0,
        "price": "186.48",
        "exchange": "NASDAQ",
        "trade_time_r": 1702317649000,
        "account": "DU1234567",
        "conid": AAPL,
        **row,
    }


# Orders -------------------------------------------------------------------------------------


def test_orders_are_told_as_they_stand_and_then_as_they_change(ibkr, server, world):
    """The stream tells nothing of what was before; it is read."""
    order_id = limit_order(ibkr)
    with ibkr.stream.orders() as orders:
        settle(world, 12)
        first = drain(orders)
        server.say(
            sor(changed(order_id, filledQuantity=4.0, remainingQuantity=6.0, avgPrice="99.98")),
            sor(changed(order_id, status="Filled", filledQuantity=10.0, remainingQuantity=0.0)),
        )
        settle(world)
        rest = drain(orders)

    assert [(type(event), event.order.order_id, event.order.filled) for event in first] == [
        (OrderEvent, order_id, 0)
    ]
    assert [(event.order.filled, event.order.remaining, event.order.quantity) for event in rest] == [
        (4, 6, 10),
        (10, 0, 10),
    ]
    assert rest[0].order.average_price == Decimal("99.98")
    assert rest[-1].order.state is OrderState.FILLED


def test_what_is_filled_stays_filled_however_late_a_frame_comes(ibkr, server, world):
    """Frames may be repeated or come late; the final state is the same."""
    order_id = limit_order(ibkr)
    with ibkr.stream.orders() as orders:
        settle(world, 12)
        filled = changed(order_id, status="Filled", filledQuantity=10.0, remainingQuantity=0.0)
        server.say(
            sor(filled, filled),
            sor(changed(order_id, status="Submitted", filledQuantity=4.0, remainingQuantity=6.0)),
        )
        settle(world)
        last = drain(orders)[-1].order

    assert (last.state, last.filled, last.remaining) == (OrderState.FILLED, 10, 0)


def test_an_order_that_nobody_told_of_is_read(ibkr, server, world):
    """Its first row may have nothing but ids: it was placed elsewhere, or a moment ago."""
    limit_order(ibkr)
    with ibkr.stream.orders() as orders:
        settle(world, 12)
        drain(orders)
        fresh = limit_order(ibkr, quantity=3)
        before = world.count("GET /iserver/account/orders")
        server.say(sor(changed(fresh, isEventTrading="0")))
        settle(world, 12)
        told = drain(orders)
        server.say(sor(changed(424242, isEventTrading="0")))
        settle(world, 12)
        server.say(sor(changed(424242, isEventTrading="0")))
        settle(world, 12)

        assert [(event.order.order_id, event.order.quantity) for event in told] == [(fresh, 3)]
        # One read for each order that is not known, and none again for one that IBKR does not list.
        assert world.count("GET /iserver/account/orders") == before + 2


def test_an_order_in_a_state_that_nobody_knows_is_told_and_not_guessed(ibkr, server, world):
    order_id = limit_order(ibkr)
    with ibkr.stream.orders() as orders:
        settle(world, 12)
        drain(orders)
        server.say(sor(changed(order_id, status="Levitating")))
        settle(world)
        (told,) = drain(orders)

    assert isinstance(told, Unreadable)
    assert "Levitating" in told.text


def test_an_order_that_cannot_be_read_takes_no_other_with_it(ibkr, server, world):
    """What stands beside it in the frame is not told again by anybody."""
    first, second = limit_order(ibkr), limit_order(ibkr, quantity=3, price=161)
    with ibkr.stream.orders() as orders:
        settle(world, 12)
        drain(orders)
        filled = changed(first, filledQuantity=4.0, remainingQuantity=6.0)
        over = changed(second, status="Cancelled")
        server.say(sor(filled, changed(first, status="Levitating"), over))
        settle(world)
        before, unreadable, after = drain(orders)

    assert (before.order.order_id, before.order.filled) == (first, 4)
    assert isinstance(unreadable, Unreadable)
    assert (after.order.order_id, after.order.state) == (second, OrderState.CANCELLED)


def test_after_a_gap_orders_are_read_before_anything_else_is_told(ibkr, server, world):
    """Nothing is repeated by IBKR; what happened meanwhile must not be missing."""
    order_id, other = limit_order(ibkr), limit_order(ibkr, quantity=3, price=161)
    with ibkr.stream.orders() as orders:
        settle(world, 12)
        drain(orders)
        server.link.break_off()
        world.gateway.set_price(AAPL, Decimal("161.5"))
        settle(world, 0.5)
        server.greeting = [*server.greeting, sor(changed(other, status="PendingCancel"))]
        settle(world, 12)
        events = drain(orders)

    assert isinstance(events[0], Gap)
    assert [(event.order.order_id, event.order.state) for event in events[1:]] == [
        (order_id, OrderState.FILLED),
        (other, OrderState.PENDING_CANCEL),
    ]


def test_a_second_consumer_is_told_how_orders_stand_by_now(ibkr, server, world):
    order_id = limit_order(ibkr)
    with ibkr.stream.orders():
        settle(world, 12)
        server.say(sor(changed(order_id, filledQuantity=4.0, remainingQuantity=6.0)))
        settle(world)
        before = world.count("GET /iserver/account/orders")
        with ibkr.stream.orders() as late:
            settle(world)
            (told,) = drain(late)

    assert told.order.filled == 4
    assert world.count("GET /iserver/account/orders") == before
    assert server.texts("sor") == ["sor+{}"]
    assert server.texts("uor") == ["uor+{}"]


def test_a_read_that_is_behind_the_stream_takes_nothing_back(ibkr, server, world):
    """IBKR's lists may be older than what the stream has told."""
    order_id = limit_order(ibkr)
    with ibkr.stream.orders() as orders:
        settle(world, 12)
        server.say(sor(changed(order_id, filledQuantity=4.0, remainingQuantity=6.0)))
        settle(world)
        drain(orders)
        server.link.break_off()
        settle(world, 12)
        (gap,) = drain(orders)

    assert isinstance(gap, Gap)


# Trades -------------------------------------------------------------------------------------


def test_an_execution_is_told_once_however_often_it_is_repeated(ibkr, server, world):
    """IBKR repeats the history of days on each subscription."""
    with ibkr.stream.trades() as trades:
        settle(world, 12)
        server.say({"topic": "str", "args": [execution("1"), execution("1"), execution("2")]})
        settle(world)
        server.link.break_off()
        settle(world, 3)
        server.say({"topic": "str", "args": [execution("1"), execution("2"), execution("3")]})
        settle(world, 12)
        events = drain(trades)

    assert [event.fill.execution_id for event in events if isinstance(event, TradeEvent)] == ["1", "2", "3"]
    assert [type(event) for event in events].index(Gap) == 2
    assert server.texts("str") == ['str+{"realtimeUpdatesOnly":false,"days":1}'] * 2
    assert server.texts("utr") == ["utr"]


@pytest.mark.parametrize("change", [{"price": ""}, {"side": ["B"]}])
def test_an_execution_that_cannot_be_read_takes_no_other_with_it(ibkr, server, world, change):
    """All of a day come in one frame when the subscription begins."""
    with ibkr.stream.trades() as trades:
        settle(world, 12)
        drain(trades)
        server.say({"topic": "str", "args": [execution("1"), execution("2", **change), execution("3")]})
        settle(world)
        first, unreadable, third = drain(trades)

    assert (first.fill.execution_id, third.fill.execution_id) == ("1", "3")
    assert isinstance(unreadable, Unreadable)


def test_an_execution_that_is_not_repeated_is_read(ibkr, server, world):
    limit_order(ibkr)
    with ibkr.stream.trades() as trades:
        settle(world, 12)
        before = drain(trades)
        server.link.break_off()
        world.gateway.set_price(AAPL, Decimal("161.5"))
        settle(world, 15)
        gap, trade = drain(trades)

    assert before == []
    assert isinstance(gap, Gap)
    assert (trade.fill.conid, trade.fill.quantity) == (AAPL, 10)


@pytest.mark.parametrize("days", [0, 8])
def test_trades_reach_back_a_week_at_most(ibkr, days):
    with pytest.raises(ConfigurationError, match="1 to 7 days"):
        ibkr.stream.trades(days=days)


def test_who_wants_to_look_further_back_has_all_asked_for_anew(ibkr, server, world):
    with ibkr.stream.trades(), ibkr.stream.trades(days=7):
        settle(world, 12)

        assert server.texts("str")[-1] == 'str+{"realtimeUpdatesOnly":false,"days":7}'


# Money --------------------------------------------------------------------------------------


def test_profit_is_told_whole_although_only_changes_come(ibkr, server, world):
    with ibkr.stream.profit() as profit:
        settle(world)
        server.say(
            {
                "topic": "spl",
                "args": {"DU1.Core": {"rowType": 1, "dpl": -58.28, "nl": 1020000.0, "upl": 4600.0}},
            }
        )
        server.say({"topic": "spl", "args": {"DU1.Core": {"dpl": -50}}})
        settle(world)
        last = drain(profit)[-1].profit

    assert (last.account_id, last.model) == ("DU1", "Core")
    assert (last.daily, last.unrealised) == (Decimal(-50), Decimal(4600))
    assert server.texts() == ["spl+{}", "upl+{}"]


def test_a_summary_is_of_the_objects_own_account(ibkr, server, world):
    with ibkr.stream.summary() as summary:
        settle(world)
        topic = summary.topics[0]
        account = topic.removeprefix("ssd+")
        rows = [
            {"key": "ExcessLiquidity-S", "currency": "USD", "monetaryValue": 1005353.88, "severity": 0},
            {"key": "Cushion", "value": "1"},
        ]
        server.say({"topic": topic, "result": rows})
        server.say({"topic": topic, "result": [{"key": "Cushion", "value": "0.9"}]})
        server.say({"topic": topic, "result": [{"key": "Cushion", "timestamp": 1}]})
        settle(world)
        first, last = drain(summary)

    assert isinstance(last, SummaryEvent)
    assert last.account_id == account
    assert last.values == {"ExcessLiquidity-S": Decimal("1005353.88"), "Cushion": Decimal("0.9")}
    assert first.values["Cushion"] == 1
    assert last.currency == "USD"
    assert server.texts() == [f"ssd+{account}+{{}}", f"usd+{account}+{{}}"]


def test_a_currency_that_comes_blank_has_not_changed(ibkr, server, world):
    with ibkr.stream.ledger() as ledger:
        settle(world)
        topic = ledger.topics[0]
        base = {
            "key": "LedgerListBASE",
            "cashbalance": 976920.88,
            "netLiquidationValue": 2.0201311791131118e8,
        }
        server.say({"topic": topic, "result": [base, {"key": "LedgerListCAD", "timestamp": 1700248325}]})
        server.say({"topic": topic, "result": [{"key": "LedgerListBASE", "settledCash": 5}]})
        settle(world)
        first, last = drain(ledger)

    assert isinstance(first, LedgerEvent)
    assert (first.row.currency, first.row.cash) == ("BASE", Decimal("976920.88"))
    assert first.row.net_liquidation == Decimal("202013117.91131118")
    assert (last.row.cash, last.row.settled_cash) == (Decimal("976920.88"), Decimal(5))


# Bars and ladders ---------------------------------------------------------------------------


def smh(server_id="h1", conid=AAPL):
    bars = [
        {"o": 173.4, "c": 174.7, "h": 175.1, "l": 171.7, "v": 472117.45, "t": 1692345600000},
        {"o": 1, "c": 1, "h": 1, "l": 1, "v": 1, "t": 1692345540000},
        {"o": 1},
    ]
    return {"topic": f"smh+{conid}", "serverId": server_id, "data": bars}


def test_bars_are_read_and_their_place_is_freed_by_the_servers_name(ibkr, server, world):
    with ibkr.stream.bars(AAPL, bar="1min") as bars:
        settle(world)
        server.say(smh())
        settle(world)
        (told,) = drain(bars)

    assert isinstance(told, BarsEvent)
    assert [bar.open for bar in told.bars] == [1, Decimal("173.4")]
    assert told.bars[-1].volume == Decimal("472117.45")
    assert server.texts("umh") == ["umh+h1"]


def test_volumes_of_bars_are_told_in_shares(ibkr, server, world):
    """IBKR writes them in units of its factor, here and in history alike."""
    row = {"o": 1, "c": 1, "h": 1, "l": 1, "v": 17219.125, "t": 1692345600000}
    with ibkr.stream.bars(AAPL) as bars, ibkr.stream.bars(MSFT, source="midpoint") as middles:
        settle(world)
        for conid in (AAPL, MSFT):
            server.say({**smh(conid=conid), "volumeFactor": 40, "data": [row]})
            server.say({**smh(conid=conid), "data": [row]})
        settle(world)

        assert [event.bars[0].volume for event in drain(bars)] == [688765, 688765]
        assert [event.bars[0].volume for event in drain(middles)] == [None, None]


def test_the_place_of_bars_that_came_too_late_is_freed(ibkr, server, world):
    """Nobody knows its name before the first frame, and by then nobody may want it."""
    with ibkr.stream.quotes(MSFT):
        with ibkr.stream.bars(AAPL):
            settle(world)
        settle(world)
        server.say(smh("h7"))
        settle(world)

        assert server.texts("umh") == ["umh+h7"]


def test_a_session_has_five_places_for_bars(ibkr, server, world):
    """A sixth would be given nothing, without a word."""
    places = [ibkr.stream.bars(conid) for conid in range(1, 6)]

    with pytest.raises(ConfigurationError, match="all 5 places"):
        ibkr.stream.bars(6)
    with ibkr.stream.bars(5) as shared:
        assert shared.topics == ("smh+5",)
    places[0].close()
    ibkr.stream.bars(6)


@pytest.mark.parametrize(
    ("wish", "words"), [({"source": "gossip"}, "no source of bars"), ({"bar": "1h"}, "one set of them")]
)
def test_bars_that_cannot_be_had_are_refused(ibkr, server, wish, words):
    ibkr.stream.bars(AAPL)

    with pytest.raises(ConfigurationError, match=words):
        ibkr.stream.bars(AAPL, **wish)


def test_a_ladder_is_told_whole_although_rows_change(ibkr, server, world):
    with ibkr.stream.depth(AAPL) as depth:
        settle(world)
        topic = depth.topics[0]
        rows = [
            {"row": 0, "focus": 0, "price": "12.30"},
            {"row": 1, "focus": 1, "price": "1,100 @ 12.31"},
            {"row": 2, "focus": 0, "price": "12.29", "bid": "400"},
        ]
        server.say({"topic": topic, "data": rows})
        server.say(
            {"topic": topic, "data": [{"row": 2, "bid": "500"}, {"row": 1, "focus": 0, "price": "12.31"}, {}]}
        )
        settle(world)
        first, last = drain(depth)

    assert isinstance(last, DepthEvent)
    assert [(row.price, row.last_size, row.is_last) for row in first.rows] == [
        (Decimal("12.30"), None, False),
        (Decimal("12.31"), Decimal(1100), True),
        (Decimal("12.29"), None, False),
    ]
    assert [row.bid_size for row in last.rows] == [None, None, Decimal(500)]
    assert [row.last_size for row in last.rows] == [None, None, None]


def test_an_account_has_one_ladder(ibkr, server, world):
    with ibkr.stream.depth(AAPL), pytest.raises(ConfigurationError, match="a price ladder already"):
        ibkr.stream.depth(MSFT)


# Words --------------------------------------------------------------------------------------


def test_notices_and_bulletins_come_as_lists_and_as_objects(ibkr, server, world):
    """An object is documented, a list was recorded, with a number for an id."""
    with ibkr.stream.notifications() as notices, ibkr.stream.bulletins() as bulletins:
        settle(world)
        server.say(
            {
                "topic": "ntf",
                "args": {"id": "INDICATIVE", "text": "<b>Indicative</b>", "title": "Warning", "url": "u"},
            },
            {
                "topic": "ntf",
                "args": [{"id": "118", "text": "Order will be canceled", "title": None, "url": None}],
            },
            {"topic": "blt", "args": {"id": "id", "message": "message"}},
            {
                "topic": "blt",
                "args": [{"id": 1789618148, "exchanges": None, "message": "[BBSMSG]\nTo traders"}],
            },
        )
        settle(world)
        told, bulletin = drain(notices), drain(bulletins)

    assert [(event.notification_id, event.text, event.title) for event in told] == [
        ("INDICATIVE", "Indicative", "Warning"),
        ("118", "Order will be canceled", None),
    ]
    assert [(type(event), event.bulletin_id, event.text) for event in bulletin] == [
        (BulletinEvent, "id", "message"),
        (BulletinEvent, "1789618148", "[BBSMSG] To traders"),
    ]
    assert server.texts() == []


def prompted(world, server, ibkr, order_id, **about):
    """Say the prompt twice, and return the event with what was posted."""
    posted = []
    world.doorway.before["POST /iserver/notification"] = lambda: posted.append(world.doorway.sent[-1][2])
    with ibkr.stream.notifications() as notices:
        settle(world)
        prompt = {"topic": "ntf", "args": [{**PROMPT, "orderId": int(order_id), **about}]}
        server.say(prompt, prompt)
        settle(world, 3)
        first, second = drain(notices)
    assert attrs.evolve(first, at=second.at) == second
    return first, posted


def test_a_prompt_is_answered_once_where_the_policy_allows_it(world, server):
    """It is a change at the broker, and is never made twice."""
    ibkr = world.exchange(answer_messages=("p12",))

    event, posted = prompted(world, server, ibkr, limit_order(ibkr))

    assert isinstance(event, NotificationEvent)
    assert len(posted) == 1
    assert b'"text":"Use on this order"' in posted[0]
    assert b'"reqId":"29042"' in posted[0]


@pytest.mark.parametrize(
    "settings",
    [{}, {"answer_messages": ("p12",), "decline_messages": ("p12",)}],
    ids=["no policy", "declined"],
)
@pytest.mark.parametrize(
    ("options", "no"),
    [(PROMPT["options"], "Do not use"), (["Yes", "No"], "No"), (["OK", "No, thanks"], "No, thanks")],
)
def test_a_prompt_that_the_policy_does_not_allow_is_declined(world, server, settings, options, no):
    """Left open it could leave the order half alive."""
    order_id = limit_order(world.exchange())
    ibkr = world.exchange(**settings)

    event, posted = prompted(world, server, ibkr, order_id, options=options)

    assert (event.answer, event.left_open) == (no, None)
    assert [json.loads(body) for body in posted] == [{"orderId": int(order_id), "reqId": "29042", "text": no}]


@pytest.mark.parametrize(
    ("settings", "about", "why"),
    [
        ({}, {"options": ["Yes", "Cancel"]}, "no option surely declines"),
        ({}, {"options": ["Yes", "No", "Do not ask again"]}, None),
        ({}, {"options": ["No", "Do not use"]}, "no option surely declines"),
        ({"answer_messages": ("p12",)}, {"options": ["Yes", "Certainly"]}, "no option surely agrees"),
        ({"answer_messages": ("p12",)}, {"options": []}, "no option surely agrees"),
        ({"answer_messages": ("p12",), "guardrails": {"read_only": True}}, {}, "read_only"),
        ({"guardrails": {"read_only": True}}, {}, "read_only"),
    ],
)
def test_what_cannot_surely_be_answered_is_left_to_a_person_by_name(world, server, settings, about, why):
    """The event has all that an answer by hand needs, and the reason."""
    order_id = limit_order(world.exchange())
    ibkr = world.exchange(**settings)

    event, posted = prompted(world, server, ibkr, order_id, **about)

    assert event.options == tuple(about.get("options", PROMPT["options"]))
    assert (event.order_id, event.request_id, event.message_id) == (order_id, "29042", "p12")
    if why is None:
        assert (event.answer, len(posted)) == ("No", 1)
    else:
        assert (event.answer, posted) == (None, [])
        assert why in event.left_open


def test_who_wants_to_answer_by_hand_is_left_to(world, server):
    order_id = limit_order(world.exchange())
    ibkr = world.exchange()
    with ibkr.stream.notifications(decline=False) as notices:
        settle(world)
        server.say({"topic": "ntf", "args": [{**PROMPT, "orderId": int(order_id)}]})
        settle(world, 3)
        (event,) = drain(notices)
    ibkr.notifications.answer_prompt(event.order_id, event.request_id, event.options[0])

    assert "does not allow a yes" in event.left_open
    assert world.count("POST /iserver/notification") == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [("F13", "'Use on this order' was answered with HTTP"), ("F03", "lost")],
    ids=["not taken", "lost"],
)
def test_an_answer_that_has_failed_is_told_and_not_repeated(world, server, fault, words):
    ibkr = world.exchange(answer_messages=("p12",))
    order_id = limit_order(ibkr)
    world.arm(fault, "POST /iserver/notification", times=1)

    event, posted = prompted(world, server, ibkr, order_id)

    assert (event.answer, len(posted)) == (None, 1)
    assert words in event.left_open


def test_a_prompt_about_somebody_elses_order_is_left_alone(world, server):
    ibkr = world.exchange(answer_messages=("p12",))

    event, posted = prompted(world, server, ibkr, "987654321")

    assert (event.answer, posted) == (None, [])
    assert event.left_open == "the order was not placed here"


# While the stream's thread reads ----------------------------------------------------------


def test_what_arrives_while_orders_are_read_is_told_and_the_line_is_kept_alive(world, ibkr, server):
    """A cold list takes two slow reads; IBKR wants a word once a minute, and repeats nothing."""
    order_id = limit_order(ibkr)
    filled = changed(order_id, status="Filled", filledQuantity=10.0, remainingQuantity=0.0)
    said = []

    def slowly():
        server.say({"topic": f"smd+{AAPL}", "conid": AAPL, "31": "189.60", "6509": "RpB"})
        if not said:
            server.say(sor(filled))
        said.append(True)
        world.clock.sleep(20)

    with ibkr.stream.quotes(AAPL) as quotes:
        settle(world)
        world.clock.sleep(25)
        server.say({"topic": "system", "hb": 1})
        world.doorway.before["GET /iserver/account/orders"] = slowly
        begun = world.clock.monotonic()
        with ibkr.stream.orders() as orders:
            settle(world, 50)
            server.say({"topic": "system", "hb": 1})
            settle(world, 10)
            told, prices = drain(orders), drain(quotes)

    assert len(said) == 2
    assert [event.order.state for event in told][-1] is OrderState.FILLED
    assert len(prices) == len(said)
    words = [moment for moment, _ in server.written] + [begun + 60]
    assert max(later - earlier for earlier, later in itertools.pairwise(words)) < 60
    assert len(server.links) == 1


def test_orders_are_read_only_after_their_subscription_was_taken_up(world, ibkr, server):
    """What is booked between a read and a subscription that is taken up later, nobody would tell of."""
    known = limit_order(ibkr)
    world.clock.sleep(10)
    server.answers["tic"] = []
    before = world.count("GET /iserver/account/orders")
    with ibkr.stream.orders() as orders:
        world.clock.sleep(2)
        waited = world.count("GET /iserver/account/orders") == before
        server.say(sor(changed(known, status="Cancelled")), {"topic": "tic"})
        world.clock.sleep(12)
        told = drain(orders)

    assert server.texts("sor") == ["sor+{}"]
    assert waited
    # What came in the meantime is told after the read, and is not lost.
    assert [event.order.state for event in told] == [OrderState.SUBMITTED, OrderState.CANCELLED]


@pytest.mark.parametrize("is_late", [True, False], ids=["late", "never"])
def test_orders_are_read_once_more_where_nothing_shows_that_they_were_followed(world, ibkr, server, is_late):
    """A server that does not answer may have taken up the subscription after the read; nothing rests on it until then."""
    limit_order(ibkr)
    world.clock.sleep(10)
    server.answers["tic"] = []
    with ibkr.stream.orders() as orders:
        world.clock.sleep(16)
        first, was_up = drain(orders), ibkr.stream.is_up
        missed = limit_order(ibkr, price=161)
        world.clock.sleep(10)
        between = drain(orders)
        server.say({"topic": "tic"} if is_late else {"topic": "system", "hb": 1})
        world.clock.sleep(4 if is_late else 12)
        second, is_up = drain(orders), ibkr.stream.is_up

    assert len(first) == 1
    assert not was_up
    assert not between
    assert [event.order.order_id for event in second] == [missed]
    assert is_up


def test_each_list_that_a_new_line_waits_for_is_begun_with_a_word(world, ibkr, server):
    """Orders and trades one after the other can take longer than the minute."""
    world.doorway.before["GET /iserver/account/orders"] = lambda: world.clock.sleep(30)
    world.doorway.before["GET /iserver/account/trades"] = lambda: world.clock.sleep(20)
    ibkr.open()
    with ibkr.stream.orders() as orders, ibkr.stream.trades():
        world.clock.sleep(120)
        server.link.break_off()
        world.clock.sleep(1)
        drain(orders)
        begun = world.clock.monotonic()
        world.clock.sleep(100)

    words = [moment for moment, _ in server.written if moment > begun]
    assert max(later - earlier for earlier, later in itertools.pairwise(words)) < 60
