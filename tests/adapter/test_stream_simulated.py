"""The stream against the simulated broker's own: every topic, every habit, every fault, for all three logins.

The broker's frames were written from what is known of the real one, apart from the library that reads
them here, so a wrong belief does not sit on both sides.
"""

from __future__ import annotations

import itertools
import json
import threading
from decimal import Decimal

import pytest
from simulated_line import SimulatedLines
from worlds import AAPL, MSFT

from ibkr_adapter.errors import StreamClosed
from ibkr_adapter.model.order import OrderState
from ibkr_adapter.model.stream import (
    BarsEvent,
    BulletinEvent,
    DepthEvent,
    Dropped,
    Gap,
    LedgerEvent,
    NotificationEvent,
    OrderEvent,
    PnlEvent,
    QuoteEvent,
    Refused,
    Stale,
    SummaryEvent,
    TradeEvent,
)
from ibkr_adapter.simulator.door import Request
from ibkr_adapter.simulator.stream_socket import Phase

EVERY_LOGIN = SAMPLED = True


@pytest.fixture
def lines(world):
    return SimulatedLines(world)


@pytest.fixture
def ibkr(world, lines):
    return world.exchange()


def drain(subscription):
    return [subscription.get(0) for _ in range(subscription.waiting)]


def heard(subscription, kind, seconds=60.0):
    """Take events up to the first of a kind."""
    while (event := subscription.get(seconds)) is not None:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__} came")


def told(world, subscription, seconds):
    """All that comes within some seconds."""
    world.clock.sleep(seconds)
    return drain(subscription)


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def control(world, **wish):
    """Have the broker's streams do what a test wishes."""
    body = json.dumps(wish).encode()
    answer = world.gateway.handle(Request(method="POST", path="/simulator/streams", body=body))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def subscribed(lines):
    return sorted(lines.socket.topics.names)


# Topics ----------------------------------------------------------------------------------


def test_quotes_are_whole_after_each_change(ibkr, world):
    """The broker sends what changed; each event has all that was asked for."""
    with ibkr.stream.quotes("AAPL", "MSFT") as quotes:
        events = of(QuoteEvent, told(world, quotes, 30))

    last = {event.conid: event.quote for event in events}
    assert set(last) == {AAPL, MSFT}
    for conid, quote in last.items():
        assert quote.bid <= quote.last <= quote.ask, conid
        assert quote.bid_size > 0
    assert len(events) > 10
    assert all(event.quote.bid is not None for event in events)


def test_places_of_bars_are_freed_while_the_line_goes_on(ibkr, world, lines):
    """By the name that the server gave, also where it comes after nobody wants them; a session has five."""
    with ibkr.stream.quotes("AAPL") as quotes:
        heard(quotes, QuoteEvent)
        for _ in range(7):
            with ibkr.stream.bars("MSFT", period="1d", bar="5min") as bars:
                event = heard(bars, BarsEvent)
                assert len(event.bars) > 1
                assert all(bar.low <= bar.close <= bar.high for bar in event.bars)
        ibkr.stream.bars("AAPL").close()
        world.clock.sleep(5)

        assert subscribed(lines) == [f"smd+{AAPL}"]


def test_bars_that_go_on_are_told(ibkr, world):
    """Reports differ on whether they do."""
    world.gateway.set_options({"bar_updates": True})
    with ibkr.stream.bars("AAPL", period="1d", bar="5min") as bars:
        events = of(BarsEvent, told(world, bars, 60))

    assert len(events) > 1
    assert len(events[0].bars) > len(events[-1].bars) == 1


def test_a_ladder_is_told_whole_with_the_last_trade_marked(ibkr, world, lines):
    with ibkr.stream.depth("AAPL") as ladder:
        event = heard(ladder, DepthEvent)
        (last,) = [row for row in event.rows if row.is_last]
        asks = [row.price for row in event.rows if row.ask_size is not None]
        bids = [row.price for row in event.rows if row.bid_size is not None]

        assert min(asks) >= last.price >= max(bids)
        assert last.last_size > 0
        assert event.account_id == "DU1234567"
        with ibkr.stream.quotes("AAPL"):
            ladder.close()
            world.clock.sleep(3)
            assert not any(name.startswith("sbd") for name in subscribed(lines))


def test_orders_are_told_as_they_stand_and_then_each_change(ibkr, world):
    """What stood before is read over REST, because the stream looks forward only."""
    old = ibkr.place_limit_order("AAPL", "buy", 10, 162)["orderId"]
    with ibkr.stream.orders() as orders:
        first = heard(orders, OrderEvent)
        new = ibkr.place_market_order("AAPL", "buy", 5)["orderId"]
        ibkr.cancel_order("AAPL", old)
        events = of(OrderEvent, told(world, orders, 15))

    assert (first.order.order_id, first.order.state) == (old, OrderState.SUBMITTED)
    ends = {event.order.order_id: event.order for event in events}
    assert ends[old].state is OrderState.CANCELLED
    assert (ends[new].state, ends[new].filled) == (OrderState.FILLED, Decimal(5))
    assert ends[new].symbol == "AAPL"


def test_a_filter_on_a_read_mutes_the_stream_and_forcing_frees_it(ibkr, world):
    """A session's filter is for its streams too; what was muted is seen where it is read again."""
    ibkr.open()
    with ibkr.stream.orders() as orders:
        world.clock.sleep(15)
        ibkr.request("GET", "/iserver/account/orders", params={"filters": "cancelled"})
        order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
        muted = of(OrderEvent, told(world, orders, 5))
        ibkr.cancel_order("AAPL", order_id)
        events = of(OrderEvent, told(world, orders, 20))

    assert muted == []
    assert events[-1].order.order_id == order_id
    assert events[-1].order.state is OrderState.CANCELLED


def test_each_trade_is_told_once_however_often_it_is_repeated(ibkr, world):
    """The broker repeats the day's on every subscription, and they are read as well."""
    ibkr.place_market_order("AAPL", "buy", 1)
    with ibkr.stream.trades() as trades:
        world.clock.sleep(15)
        ibkr.place_market_order("AAPL", "sell", 1)
        world.clock.sleep(5)
        world.gateway.streams.close_all(1000)
        events = told(world, trades, 40)

    names = [event.fill.execution_id for event in of(TradeEvent, events)]
    assert len(names) == len(set(names)) == 2
    assert len(of(Gap, events)) == 1


def test_money_is_told(ibkr, world):
    """Profit of the login, summary and ledger of the account; all in exact figures."""
    ibkr.place_market_order("AAPL", "buy", 10)
    stream = ibkr.stream
    with stream.profit() as profit, stream.summary() as summary, stream.ledger() as ledger:
        row = heard(profit, PnlEvent).profit
        values = heard(summary, SummaryEvent)
        events = of(LedgerEvent, told(world, ledger, 25))

    assert (row.account_id, row.model) == ("DU1234567", "Core")
    assert isinstance(row.market_value, Decimal)
    assert values.account_id == "DU1234567"
    assert values.values["NetLiquidation"] > 0
    assert {event.row.currency for event in events} >= {"BASE", "USD"}
    assert all(isinstance(event.row.cash, Decimal) for event in events)


def test_notices_and_bulletins_are_told(ibkr, world):
    with ibkr.stream.notifications() as notices, ibkr.stream.bulletins() as bulletins:
        world.clock.sleep(3)
        world.gateway.streams.note("Order SELL 1 MSFT will be cancelled", title="Note")
        world.gateway.streams.bulletin("To traders: …")

        notice, bulletin = heard(notices, NotificationEvent), heard(bulletins, BulletinEvent)

    assert (notice.text, notice.title) == ("Order SELL 1 MSFT will be cancelled", "Note")
    assert bulletin.text == "To traders: …"


# Prompts ---------------------------------------------------------------------------------


def test_a_prompt_that_the_policy_allows_is_answered_by_a_call(world, lines):
    """Under the id of the request, with an option word for word."""
    ibkr = world.exchange(answer_messages=["p12"])
    world.gateway.set_options({"prompts_by_stream": True})
    with ibkr.stream.notifications() as notices:
        world.clock.sleep(3)
        order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
        event = heard(notices, NotificationEvent)
        world.clock.sleep(1)

    (prompt,) = world.gateway.world.prompts.values()
    assert (event.order_id, event.answer) == (order_id, "Use on this order")
    assert prompt["answer"] == "Use on this order"
    assert world.count("POST /iserver/notification") == 1


# How a line begins, lives and ends --------------------------------------------------------


def test_nothing_is_written_before_the_broker_allows_it(ibkr, world, lines):
    """It drops what comes earlier, without a word."""
    world.gateway.set_options({"stream_opening": 7.0})
    with ibkr.stream.quotes("AAPL") as quotes:
        heard(quotes, QuoteEvent)

    assert lines.socket.counts["dropped"] == 0
    assert lines.socket.counts["unknown"] == 0


def test_a_line_that_waits_for_its_session_is_told_it(world, login, lines):
    """Where the cookie was of no use; on any other line that text is an unknown topic."""
    world.gateway.set_options({"stream_cookie": "wanted"})
    ibkr = world.exchange()
    ibkr.open()
    spoiled = lines.dial

    def without_cookie(url, headers, seconds):
        return spoiled(url, {name: value for name, value in headers.items() if name != "Cookie"}, seconds)

    lines.dial = without_cookie
    with ibkr.stream.quotes("AAPL") as quotes:
        heard(quotes, QuoteEvent)

    assert lines.socket.counts["unknown"] == 0
    assert len(lines.links) == 1


def test_status_comes_in_parts_and_a_part_without_the_word_says_nothing(ibkr, world, lines):
    """Only ``authenticated: false`` is the end of a session."""
    with ibkr.stream.quotes("AAPL") as quotes:
        heard(quotes, QuoteEvent)
        for part in ({"competing": False}, {"message": ""}, {"connected": True}, {"serverName": None}):
            control(world, action="send", text=json.dumps({"topic": "sts", "args": part}))
        events = told(world, quotes, 10)

    assert len(lines.links) == 1
    assert of(Gap, events) == []


def test_a_rival_ends_the_line_and_its_leaving_brings_everything_back(ibkr, world, lines):
    """The stream is the first to hear of it."""
    with ibkr.stream.quotes("AAPL") as quotes:
        heard(quotes, QuoteEvent)
        drain(quotes)
        world.gateway.change_session("rival")
        world.clock.sleep(5)
        state = str(ibkr.session.state)
        world.gateway.change_session("rival_leaves")
        gap = heard(quotes, Gap, 600)
        after = heard(quotes, QuoteEvent, 600)

    assert state in {"competing", "lost"}
    assert gap.until > gap.since
    assert after.quote.last is not None


def test_quotes_are_renewed_before_the_broker_ends_them(ibkr, world, lines):
    """F31: a quarter of an hour, and then silence without a word."""
    lines.look_every = 5.0
    with ibkr.stream.quotes("AAPL", size=100_000, stale_after=None) as quotes:
        events = told(world, quotes, 1000)

    times = [event.at for event in of(QuoteEvent, events)]
    pauses = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)]
    assert max(pauses) < 30
    assert of(Stale, events) == of(Gap, events) == []
    assert len(lines.links) == 1


def test_quotes_that_end_too_soon_are_told_as_stale_and_asked_for_again(ibkr, world):
    """F31, sooner than known: whatever the reason, silence is told and the contract asked for anew."""
    with ibkr.stream.quotes("AAPL", stale_after=30.0) as quotes:
        heard(quotes, QuoteEvent)
        world.gateway.streams.living[0].topics.age_quotes(900.0)
        world.clock.sleep(1)
        drain(quotes)
        stale = heard(quotes, Stale, 60)
        again = heard(quotes, QuoteEvent, 60)

    assert stale.topic == f"smd+{AAPL}"
    assert again.at > stale.at


def test_a_slow_consumer_loses_the_oldest_and_is_told(ibkr, world):
    """F32: the queue is bounded, and the line goes on."""
    ibkr.open()
    with ibkr.stream.quotes("AAPL", size=5) as slow, ibkr.stream.quotes("AAPL", size=100_000) as quick:
        world.clock.sleep(60)
        late, all_of_them = drain(slow), drain(quick)

    dropped = of(Dropped, late)
    assert len(late) <= 6
    assert dropped or late[-1] == all_of_them[-1]
    assert of(Dropped, all_of_them) == []


# Faults ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "lost"),
    [
        ("drop", True),
        ("close", True),
        ("half_open", True),
        ("unauthenticated", True),
        ("garbage", False),
        ("invalid", False),
        ("text", False),
        ("huge", False),
        ("error", False),
    ],
)
def test_a_line_that_fails_comes_back_with_everything(ibkr, world, lines, variant, lost):
    """F29: what was missed is read again, and a gap told; what is no frame of ours is survived."""
    with ibkr.stream.orders() as orders, ibkr.stream.quotes("AAPL") as quotes:
        world.clock.sleep(20)
        drain(quotes)
        world.gateway.arm({"fault": "F29", "on": "hb", "variant": variant})
        world.clock.sleep(12)
        order_id = ibkr.place_market_order("AAPL", "buy", 1)["orderId"]
        world.clock.sleep(120)
        seen, prices = drain(orders), drain(quotes)

    assert (len(lines.links) > 1) is lost
    assert len(of(Gap, seen)) == len(of(Gap, prices)) == int(lost)
    last = [event.order for event in of(OrderEvent, seen) if event.order.order_id == order_id][-1]
    assert last.state is OrderState.FILLED
    assert of(QuoteEvent, prices)
    assert bool(of(Refused, prices)) is (variant == "error")


@pytest.mark.parametrize("variant", ["duplicate", "reorder", "delay", "empty"])
@pytest.mark.parametrize("topic", ["sor", "str"])
def test_repeated_and_late_frames_end_in_the_same_state(ibkr, world, variant, topic):
    """F30: an order is never unfilled or revived, and a trade told once."""
    with ibkr.stream.orders() as orders, ibkr.stream.trades() as trades:
        world.clock.sleep(20)
        world.gateway.arm({"fault": "F30", "on": topic, "variant": variant, "times": 3})
        order_id = ibkr.place_market_order("AAPL", "buy", 3)["orderId"]
        world.clock.sleep(30)
        seen, fills = of(OrderEvent, drain(orders)), of(TradeEvent, drain(trades))

    mine = [event.order for event in seen if event.order.order_id == order_id]
    assert mine[-1].state is OrderState.FILLED
    assert [order.filled for order in mine] == sorted(order.filled for order in mine)
    names = [event.fill.execution_id for event in fills]
    assert len(names) == len(set(names)) >= 1
    assert sum(event.fill.quantity for event in fills) == 3


def test_after_a_restart_of_the_gateway_all_is_as_it_was(ibkr, world, lines):
    """F33: a new session, no subscriptions, another token; what happened meanwhile is told."""
    if world.login != "gateway":
        pytest.skip("only a gateway can be restarted")
    with ibkr.stream.orders() as orders, ibkr.stream.quotes("AAPL") as quotes:
        world.clock.sleep(20)
        order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
        world.clock.sleep(5)
        drain(orders)
        world.gateway.change_session("restart")
        world.gateway.change_session("login")
        world.gateway.fill(order_id)
        world.clock.sleep(180)
        seen, prices = drain(orders), drain(quotes)

    assert of(Gap, seen)
    last = [event.order for event in of(OrderEvent, seen) if event.order.order_id == order_id][-1]
    assert last.state is OrderState.FILLED
    assert isinstance(prices[-1], QuoteEvent)


def test_nothing_outlives_the_last_subscription(ibkr, world, lines):
    """Neither a thread nor a line."""
    with ibkr.stream.quotes("AAPL") as quotes:
        heard(quotes, QuoteEvent)

    assert lines.socket.phase is Phase.CLOSED
    assert not [thread for thread in threading.enumerate() if thread.name == "ibkr-stream"]


# Consumers that come later, and lines that come back ---------------------------------------


def test_who_comes_later_is_told_at_once_how_it_stands(ibkr, world):
    """The broker would say it again only when it changes."""
    ibkr.place_market_order("AAPL", "buy", 1)
    stream = ibkr.stream
    topics = {
        DepthEvent: lambda: stream.depth("AAPL"),
        BarsEvent: lambda: stream.bars("AAPL", period="1d", bar="5min"),
        OrderEvent: stream.orders,
        TradeEvent: stream.trades,
        PnlEvent: stream.profit,
        SummaryEvent: stream.summary,
        LedgerEvent: stream.ledger,
    }
    first = [open_one() for open_one in topics.values()]
    world.clock.sleep(40)

    later = [open_one() for open_one in topics.values()]
    world.clock.sleep(0.1)
    told = [drain(one) for one in later]
    for one in (*first, *later):
        one.close()

    assert [kind for kind, events in zip(topics, told, strict=True) if not of(kind, events)] == []


def test_every_topic_comes_back_with_a_new_line(ibkr, world, lines):
    """What was known is forgotten or told anew, and what does not change again is told all the same."""
    stream = ibkr.stream
    kinds = (DepthEvent, BarsEvent, PnlEvent, SummaryEvent, LedgerEvent)
    open_ones = [
        stream.depth("AAPL"),
        stream.bars("AAPL", period="1d", bar="5min"),
        stream.profit(),
        stream.summary(),
        stream.ledger(),
    ]
    world.clock.sleep(20)
    for one in open_ones:
        drain(one)
    world.gateway.streams.close_all()
    world.clock.sleep(30)
    told = [drain(one) for one in open_ones]
    for one in open_ones:
        one.close()

    assert len(lines.links) == 2
    for kind, events in zip(kinds, told, strict=True):
        (gap,) = of(Gap, events)
        assert of(kind, events[events.index(gap) :]), kind


def test_whoever_iterates_is_told_when_the_connection_ends(ibkr, world):
    """The end of the own subscription is the end of the loop; any other is an error that says why."""
    quotes = ibkr.stream.quotes("AAPL")
    heard(quotes, QuoteEvent)
    assert isinstance(next(quotes), QuoteEvent)
    ibkr._connection.feed.close()

    with pytest.raises(StreamClosed):
        for _ in quotes:
            pass
