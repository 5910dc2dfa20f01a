"""The demonstration over every floor, without sockets and without waiting."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from worlds import MSFT, START, Doorway

from ibkr_adapter.cli import demo
from ibkr_adapter.cli.payloads import Payload, example_webhooks
from ibkr_adapter.cli.screen import Screen
from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import AuthenticationError, OrderError
from ibkr_adapter.exchange import IBKRExchange

SECRET = "your-secret"


class Theatre:
    """A simulated exchange whose clock jumps, with a notebook for what was told."""

    def __init__(self) -> None:
        self.clock = ManualClock(START, jump=True)
        self.exchanges = []

    def exchange(self, **options) -> IBKRExchange:
        made = IBKRExchange.simulated(
            webhook_secret=SECRET,
            simulator_options=options,
            doors=Doors(
                clock=self.clock, transport=lambda _settings, _clock: Doorway(made.simulator.gateway)
            ),
        )
        self.exchanges.append(made)
        return made

    def close(self) -> None:
        for exchange in self.exchanges:
            exchange.close()
        self.clock.close()


@pytest.fixture
def theatre():
    made = Theatre()
    yield made
    made.close()


def order(**fields) -> Payload:
    base = {"secret": SECRET, "action": "buy", "symbol": "MSFT"}
    return Payload(name="order", text=json.dumps(base | fields))


def test_the_four_webhooks_lead_to_their_fills(theatre):
    """The main job: bracket, limit bracket, close, bracket with explicit prices."""
    exchange = theatre.exchange()

    report = demo.run(exchange, example_webhooks(), demo.Audience())

    assert [row["result"]["action"] for row in report.webhooks] == ["opened", "opened", "closed", "opened"]
    assert {row["symbol"]: row["positionAmt"] for row in report.positions} == {"AAPL": "100", "MSFT": "2"}
    explicit = report.webhooks[3]["result"]
    assert (explicit["stopLossPrice"], explicit["takeProfitPrice"]) == ("160", "170")
    working = {row["orderId"] for row in report.orders if row["status"] == "open"}
    protected = [report.webhooks[at]["result"] for at in (1, 3)]
    assert working == {row[key] for row in protected for key in ("stopLossOrderId", "takeProfitOrderId")}


def test_the_report_is_one_object_for_programs(theatre):
    """Its keys are promised, all of it is JSON, and the secrets are masked."""
    report = demo.run(theatre.exchange(), example_webhooks(), demo.Audience()).as_json()

    assert list(report) == ["webhooks", "orders", "positions", "balance", "requests"]
    assert SECRET not in json.dumps(report, allow_nan=False)
    assert all(set(row) == {"payload", "result"} for row in report["webhooks"])
    assert report["requests"]["POST /iserver/account/{accountId}/orders"] == 4
    assert report["balance"]["balance"] > 0


def test_the_screen_shows_every_request_and_every_table(theatre):
    """A reader sees what IBKR was asked, what it answered and what came of it."""
    page = io.StringIO()
    screen = Screen(Console(file=page, markup=False, emoji=False, highlight=False))

    report = demo.run(theatre.exchange(), example_webhooks(), screen)

    text = page.getvalue()
    assert SECRET not in text
    assert "secret=***" in text
    for name, count in report.requests.items():
        assert text.count(f"{name} -> 200") == count
    for word in ("Orders", "Positions", "Balance", "Requests", "MSFT to 299.5", "filled: 100 at "):
        assert word in text
    assert "with 5 requests" in text


@pytest.mark.parametrize(("action", "limit", "price"), [("buy", 300, 299.5), ("sell", 310, 310.5)])
def test_a_limit_that_the_market_does_not_reach_is_helped(theatre, action, limit, price):
    """The market goes through it, down to a purchase and up to a sale."""
    exchange = theatre.exchange()
    moves = []

    class Watcher(demo.Audience):
        def moved(self, symbol, price):
            moves.append((symbol, float(price)))

    demo.run(exchange, (order(action=action, orderType="limit", price=limit, quantity=2),), Watcher())

    assert moves == [("MSFT", price)]
    held = [row["quantity"] for row in exchange.simulator.ledger()["positions"] if row["conid"] == MSFT]
    assert held == [2 if action == "buy" else -2]


def test_each_webhook_is_charged_with_its_own_requests(theatre):
    """Not with the login, not with the wait before it."""

    class Watcher(demo.Audience):
        def __init__(self):
            self.heard = 0
            self.pairs = []

        def posted(self, payload):
            self.heard = 0

        def asked(self, call):
            self.heard += 1

        def answered(self, result, effort):
            self.pairs.append((self.heard, effort.until_acknowledged + effort.afterwards))

    watcher = Watcher()

    demo.run(theatre.exchange(), example_webhooks(), watcher)

    assert len(watcher.pairs) == 4
    assert all(heard == charged > 0 for heard, charged in watcher.pairs)


def test_a_webhook_without_an_order_is_not_waited_for(theatre):
    """Nothing to close, or a repeat: there is no fill."""
    page = io.StringIO()

    report = demo.run(
        theatre.exchange(),
        (order(action="close"), order(), order(quantity=3)),
        Screen(Console(file=page, markup=False)),
    )

    assert [row["result"]["action"] for row in report.webhooks] == ["none", "opened", "skipped"]
    assert "No position to close" in page.getvalue()


def test_an_order_that_is_not_filled_ends_the_demonstration(theatre):
    """Success is claimed only for what was seen."""
    exchange = theatre.exchange(fills=False)

    with pytest.raises(OrderError, match="after 5 seconds, not filled"):
        demo.run(exchange, example_webhooks(), demo.Audience(), patience=5)


def test_the_secret_is_checked_in_earnest(theatre):
    """The demonstration takes no short cut around the executor."""
    with pytest.raises(AuthenticationError):
        demo.run(theatre.exchange(), (order(secret="another"),), demo.Audience())

    assert theatre.exchanges[0].simulator.ledger()["orders"] == []


def test_nobody_listens_when_it_is_over(theatre):
    """The exchange may live on, and its calls are no longer the demonstration's."""
    exchange = theatre.exchange()
    heard = []

    class Watcher(demo.Audience):
        def asked(self, call):
            heard.append(call)

    demo.run(exchange, (order(action="close"),), Watcher())
    before = len(heard)
    exchange.get_positions()

    assert before > 0
    assert len(heard) == before
