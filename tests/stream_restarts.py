"""A broker that goes on while its stream is killed again and again; what a consumer has at the end is judged.

The broker books orders and executions on a thread of its own. Its stream tells what changes, to who is
listening, and nothing of what was before; its reads tell how things stand. The judge compares what was
delivered with the books.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time

from ibkr_adapter.auth.base import StreamDoor
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.model.stream import Gap, OrderEvent, TradeEvent
from ibkr_adapter.session import SessionState
from ibkr_adapter.streaming.account_channels import Orders, OrdersRead, Trades
from ibkr_adapter.streaming.channels import Quotes
from ibkr_adapter.streaming.feed import Feed
from ibkr_adapter.streaming.subscription import Subscription
from ibkr_adapter.tls import Trust
from ibkr_adapter.wire import order_rows
from ibkr_adapter.ws_link import dialer
from stream_server import SUCCESS, StreamServer, until

ACCOUNT = "DU1234567"
PATIENCE = 30.0


class Session:
    """A session that is always up."""

    state = SessionState.READY
    standing = (1, 0)

    def __init__(self, url):
        self._url = url

    def on_change(self, listener):
        return lambda: None

    @contextlib.contextmanager
    def stream_door(self, deadline):
        yield StreamDoor(url=self._url, session="s")

    def lose(self, epoch, why):
        raise AssertionError(why)


class Broker:
    """The books, and those who listen to them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.orders = {}
        self.trades = []
        self.listeners = {}
        self._ids = itertools.count(1)
        self._going = True
        self._thread = threading.Thread(target=self._trade, name="broker", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._going = False
        self._thread.join(PATIENCE)

    def script(self, talk):
        talk.send(SUCCESS)
        try:
            for text in talk.texts():
                if text.startswith("sor"):
                    with self.lock:
                        self.listeners[talk] = None
                elif text == "tic":
                    with self.lock:
                        talk.send({"topic": "tic"})
                elif text.startswith("str"):
                    with self.lock:
                        # It repeats what was, as IBKR does.
                        talk.send({"topic": "str", "args": self.trades[-50:]})
        finally:
            with self.lock:
                self.listeners.pop(talk, None)

    def read_orders(self, clock):
        with self.lock:
            rows = list(self.orders.values())
        found = order_rows.read_live_orders({"orders": rows, "snapshot": True}).orders
        return OrdersRead(account="DU1", orders=found, changes=0, begun=clock.now())

    def read_trades(self):
        with self.lock:
            return order_rows.read_trades(list(self.trades))

    def _tell(self, topic, row):
        for talk in list(self.listeners):
            try:
                talk.send({"topic": topic, "args": [row]}, {"topic": "smd+1", "conid": 1, "31": "1"})
            except OSError:
                self.listeners.pop(talk, None)

    def _trade(self):
        while self._going:
            with self.lock:
                number = next(self._ids)
                row = {
                    "acct": ACCOUNT,
                    "conid": 265598,
                    "orderId": number,
                    "ticker": "AAPL",
                    "secType": "STK",
                    "side": "BUY",
                    "orderType": "Limit",
                    "status": "Submitted",
                    "totalSize": 2.0,
                    "filledQuantity": 0.0,
                    "remainingQuantity": 2.0,
                    "price": 100,
                }
                self.orders[number] = row
                self._tell("sor", dict(row))
                for filled in (1.0, 2.0):
                    changes = {"filledQuantity": filled, "remainingQuantity": 2.0 - filled}
                    changes |= {"status": "Filled", "avgPrice": "100"} if filled == 2 else {}
                    row.update(changes)
                    self._tell("sor", {"acct": ACCOUNT, "orderId": number, **changes})
                    trade = {
                        "execution_id": f"{number}.{filled:.0f}",
                        "side": "B",
                        "size": 1.0,
                        "price": "100",
                        "account": ACCOUNT,
                        "conid": 265598,
                    }
                    self.trades.append(trade)
                    self._tell("str", trade)
            time.sleep(0.005)


def survive(restarts):
    """Kill and restart the server; return what was delivered wrongly, the gaps told, and how much there was."""
    clock = SystemClock()
    with Broker() as broker:
        server = StreamServer(broker.script).__enter__()
        port = server.port
        feed = Feed(
            clock=clock,
            session=Session(server.url),
            dial=dialer(clock, Trust(), "test"),
            jitter=lambda: 0.0,
            good_after=0.0,
        )
        channels = [
            Orders("DU1", lambda deadline: broker.read_orders(clock)),
            Trades("DU1", lambda deadline: broker.read_trades(), 1),
            Quotes(1, None, ["last"], None),
        ]
        with Subscription(feed, clock, channels) as events:
            for lines in range(1, restarts + 1):
                until(lambda lines=lines: feed.lines == lines and feed.is_up, PATIENCE)
                time.sleep(0.1)
                server.__exit__()
                time.sleep(0.05)
                server = StreamServer(broker.script, port=port).__enter__()
            until(lambda: feed.lines == restarts + 1 and feed.is_up, PATIENCE)
            broker.stop()
            # Until nothing more comes: a busy machine hands over late.
            waiting = -1
            while waiting != events.waiting:
                waiting = events.waiting
                time.sleep(0.3)
            told = [events.get(0) for _ in range(events.waiting)]
        feed.close()
        server.__exit__()
    return judge(told, broker, restarts)


def judge(told, broker, restarts):
    wrong = []
    seen = [event.fill.execution_id for event in told if isinstance(event, TradeEvent)]
    booked = [trade["execution_id"] for trade in broker.trades]
    if len(seen) != len(set(seen)) or set(seen) != set(booked):
        wrong.append(f"{len(booked)} trades were booked, {len(seen)} told, {len(set(seen))} different ones")
    last, states = {}, []
    for event in told:
        if isinstance(event, OrderEvent):
            order = event.order
            before = last.get(order.order_id)
            if before is not None and order.filled < before.filled:
                wrong.append(f"order {order.order_id} was unfilled")
            states.append((order.order_id, order.state, order.filled))
            last[order.order_id] = order
    if len(states) != len(set(states)):
        wrong.append("an order event was told twice")
    standing = {str(number): row["filledQuantity"] for number, row in broker.orders.items()}
    told_of = {name: float(order.filled) for name, order in last.items()}
    apart = {name: (told_of.get(name), standing.get(name)) for name in standing | told_of}
    apart = {name: pair for name, pair in apart.items() if pair[0] != pair[1]}
    if apart:
        wrong.append(
            f"orders do not stand as they are booked; told and booked are {apart} of {len(standing)}"
        )
    gaps = len({event.until for event in told if isinstance(event, Gap)})
    if gaps < restarts:
        wrong.append(f"{gaps} gaps were told of {restarts}")
    return wrong, gaps, len(booked)
