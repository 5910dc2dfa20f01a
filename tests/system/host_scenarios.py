"""What a host does with an exchange, and what must be true at the broker afterwards, as data.

A scenario is a list of steps (a webhook, a call, something that happens at the broker, a restart) with
what each must answer, and the broker's final state: which requests changed something, the positions, the
orders that work. It says nothing of how a step reaches the library, so the same scenarios run over any
transport. Whoever has one writes a :class:`Client` and calls :func:`play` for each of
:data:`SCENARIOS`; the broker is the simulator, by :class:`Broker` or over its control room
(``POST /simulator/<name>``, ``GET /simulator/ledger``).

``settings`` are for the library's object, beside whatever reaches the broker. Where the client's process
cannot know the simulated market's time, give it ``when_closed="queue"`` as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from ibkr_adapter.simulator.door import Request
from ibkr_adapter.simulator.gateway import Gateway

AAPL, MSFT, TSLA = 265598, 272093, 76792991
CONIDS = {"AAPL": AAPL, "MSFT": MSFT, "TSLA": TSLA}
PRICES = {AAPL: 165.2, MSFT: 305.0, TSLA: 248.9}
SECRET = "a-long-secret"

_ORDER = "/iserver/account/{accountId}/order/{orderId}"
# The requests that change something, by the word that a scenario has for them.
CHANGES = {
    "POST /iserver/account/{accountId}/orders": "place",
    f"POST {_ORDER}": "modify",
    f"DELETE {_ORDER}": "cancel",
}
_WORKING = {"PreSubmitted", "Submitted", "PendingSubmit"}
# Long enough for any order to reach the market, and for a position to be seen.
SETTLE = 2.0


class Failure(Exception):  # noqa: N818  (what a step came to)
    """The library's error, as the transport tells it: ``kind`` is its class, ``message`` its words."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(f"{kind}: {message}")


class Client(Protocol):
    """A host's hold on the library, over whatever lies between."""

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the exchange object; raise :class:`Failure` where it fails."""

    def webhook(self, payload: Mapping[str, Any], *, webhook_id: str | None = None) -> dict[str, Any]:
        """Have a webhook carried out; raise :class:`Failure` where it fails."""

    def restart(self) -> None:
        """End the process that has the library, without a word, and start another on the same state."""

    def close(self) -> None:
        """Let everything go."""


class Broker(Protocol):
    """The simulated broker's control room."""

    def control(self, name: str, body: Mapping[str, Any]) -> Any:
        """Do what ``POST /simulator/<name>`` does."""

    def ledger(self) -> dict[str, Any]:
        """Tell what ``GET /simulator/ledger`` tells."""


class Control:
    """The control room of a broker in this process."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def control(self, name: str, body: Mapping[str, Any]) -> Any:
        answer = self.gateway.handle(
            Request(
                method="POST",
                path=f"/simulator/{name}",
                query=(),
                headers={},
                body=json.dumps(body).encode(),
                secure=False,
                raw_query="",
            )
        )
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def ledger(self) -> dict[str, Any]:
        return self.gateway.ledger()


@attrs.frozen
class Step:
    """One step: ``kind`` is webhook, call, control or restart."""

    kind: str
    what: Any = None
    args: tuple[Any, ...] = ()
    expect: Any = None
    fails: str | None = None
    words: str = ""
    webhook_id: str | None = None
    like: int | None = None


@attrs.frozen(kw_only=True)
class Scenario:
    """A course and its end.

    ``changes`` are the requests that changed something, in order; ``working`` the orders that work in
    the end as (symbol, side, type, quantity, price), in the order in which they were entered.
    """

    name: str
    steps: Sequence[Step]
    changes: Sequence[str] = ()
    positions: Mapping[str, float] = attrs.field(factory=dict)
    working: Sequence[tuple[Any, ...]] = ()
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    options: Mapping[str, Any] = attrs.field(factory=dict)
    why: str = ""


def webhook(expect: Any = None, *, fails: str | None = None, words: str = "", **more: Any) -> Step:
    """A webhook for AAPL with the fields of ``more``; ``key`` is its id, ``like`` the step it repeats."""
    key, like = more.pop("key", None), more.pop("like", None)
    payload = {"secret": SECRET, "exchange": "ibkr", "symbol": "AAPL"} | more
    return Step("webhook", payload, (), expect, fails, words, key, like)


def call(method: str, *args: Any, expect: Any = None, fails: str | None = None, words: str = "") -> Step:
    """A method of the exchange object."""
    return Step("call", method, args, expect, fails, words)


def happens(name: str, **body: Any) -> Step:
    """Something at the broker, by its control room."""
    return Step("control", name, (body,))


def wait(seconds: float = SETTLE) -> Step:
    """Let the market run."""
    return happens("advance", seconds=seconds)


RESTART = Step("restart")

BRACKET = {"orderType": "market", "stop_loss_percent": 2, "take_profit_percent": 5}
# 2 % below and 5 % above 165.20, on the tick that is further from being reached at once.
LONG_EXITS = (("AAPL", "SELL", "LMT", 3, 173.46), ("AAPL", "SELL", "STP", 3, 161.89))


LIMIT_MSFT = {
    "symbol": "MSFT",
    "orderType": "limit",
    "price": 300.0,
    "stop_loss_percent": 2,
    "take_profit_percent": 5,
}
MSFT_BRACKET = (
    ("MSFT", "BUY", "LMT", 2, 300.0),
    ("MSFT", "SELL", "LMT", 2, 315.0),
    ("MSFT", "SELL", "STP", 2, 294.0),
)


def opened(**more: Any) -> dict[str, Any]:
    """What an entry is answered with, at least."""
    return {"success": True, "action": "opened", "exchange": "ibkr"} | more


def closed(**more: Any) -> dict[str, Any]:
    """What a close is answered with, at least."""
    return {"success": True, "action": "closed", "exchange": "ibkr"} | more


SCENARIOS: tuple[Scenario, ...] = (
    # The host's own examples ----------------------------------------------------------------
    Scenario(
        name="market with stop and target in percent",
        steps=[
            webhook(
                opened(side="BUY", quantity=3, stopLossPrice="161.89", takeProfitPrice="173.46"),
                action="buy",
                **BRACKET,
            )
        ],
        changes=["place"],
        positions={"AAPL": 3},
        working=LONG_EXITS,
    ),
    Scenario(
        name="limit with stop and target, unfilled",
        steps=[
            webhook(
                opened(side="BUY", quantity=2, price="300", status="open", fill_price=None),
                action="buy",
                **LIMIT_MSFT,
            )
        ],
        changes=["place"],
        working=MSFT_BRACKET,
    ),
    Scenario(
        name="bracket with explicit prices and quantity",
        steps=[
            webhook(
                opened(quantity=100, stopLossPrice="160", takeProfitPrice="170"),
                action="buy",
                orderType="market",
                quantity=100,
                stop_loss_price=160.0,
                take_profit_price=170.0,
            )
        ],
        changes=["place"],
        positions={"AAPL": 100},
        working=[("AAPL", "SELL", "LMT", 100, 170.0), ("AAPL", "SELL", "STP", 100, 160.0)],
    ),
    Scenario(
        name="close ends the exits and leaves nothing",
        steps=[
            webhook(opened(), action="buy", **BRACKET),
            wait(),
            webhook(closed(side="SELL", quantity=3), action="close"),
        ],
        changes=["place", "cancel", "place"],
    ),
    # Short ----------------------------------------------------------------------------------
    Scenario(
        name="short with stop and target",
        steps=[
            webhook(
                opened(side="SELL", quantity=2, stopLossPrice="253.88", takeProfitPrice="236.46"),
                action="sell",
                symbol="TSLA",
                **BRACKET,
            )
        ],
        changes=["place"],
        positions={"TSLA": -2},
        working=[("TSLA", "BUY", "LMT", 2, 236.46), ("TSLA", "BUY", "STP", 2, 253.88)],
        why="The exits of a short position are buys; a host that flips them opens a second one.",
    ),
    Scenario(
        name="a sell without permission to go short opens nothing",
        steps=[webhook(action="sell", fails="InvalidOrder", words="allow_short is off", **BRACKET)],
        settings={"allow_short": False},
    ),
    Scenario(
        name="a sell without permission to go short closes what is there",
        steps=[
            webhook(opened(), action="buy", **BRACKET),
            wait(),
            webhook(closed(side="SELL", quantity=3), action="sell", **BRACKET),
        ],
        changes=["place", "cancel", "place"],
        settings={"allow_short": False},
    ),
    # Reversals ------------------------------------------------------------------------------
    Scenario(
        name="reversal from long to short closes first",
        steps=[
            webhook(opened(side="BUY"), action="buy", **BRACKET),
            wait(),
            webhook(opened(side="SELL", quantity=3), action="sell", orderType="market"),
        ],
        changes=["place", "cancel", "place", "place"],
        positions={"AAPL": -3},
    ),
    Scenario(
        name="reversal from short to long closes first",
        steps=[
            webhook(opened(side="SELL"), action="short", symbol="TSLA", orderType="market"),
            wait(),
            webhook(opened(side="BUY", quantity=2), action="long", symbol="TSLA", **BRACKET),
        ],
        changes=["place", "place", "place"],
        positions={"TSLA": 2},
        working=[("TSLA", "SELL", "LMT", 2, 261.34), ("TSLA", "SELL", "STP", 2, 243.92)],
    ),
    # One position a symbol, one webhook once ---------------------------------------------------
    Scenario(
        name="another entry of the same side is skipped",
        steps=[
            webhook(opened(), action="buy", **BRACKET),
            wait(),
            webhook({"success": False, "action": "skipped", "side": "BUY"}, action="buy", quantity=5),
        ],
        changes=["place"],
        positions={"AAPL": 3},
        working=LONG_EXITS,
    ),
    Scenario(
        name="a repeat of the same content is answered and sends nothing",
        steps=[
            webhook(opened(), action="buy", **BRACKET),
            webhook(action="buy", like=0, **BRACKET),
        ],
        changes=["place"],
        positions={"AAPL": 3},
        working=LONG_EXITS,
    ),
    Scenario(
        name="a repeated limit entry that has not filled is one order",
        steps=[
            webhook(opened(), action="buy", symbol="MSFT", orderType="limit", price=300, quantity=1),
            webhook(action="buy", symbol="MSFT", orderType="limit", price=300, quantity=1, like=0),
        ],
        changes=["place"],
        working=[("MSFT", "BUY", "LMT", 1, 300.0)],
        why="There is no position by which the second could be told.",
    ),
    Scenario(
        name="a repeat under the same id is answered after its order has closed",
        steps=[
            webhook(opened(), action="buy", key="alert-1", orderType="market", quantity=1),
            wait(),
            webhook(closed(), action="close", key="alert-2"),
            webhook(action="buy", key="alert-1", orderType="market", quantity=1, like=0),
            webhook(action="close", key="alert-2", like=2),
        ],
        changes=["place", "place"],
    ),
    Scenario(
        name="an id that was given to another webhook is refused",
        steps=[
            webhook(opened(), action="buy", key="alert-1", orderType="market", quantity=1),
            webhook(
                action="sell", key="alert-1", quantity=1, fails="InvalidOrder", words="alert-1 was given"
            ),
        ],
        changes=["place"],
        positions={"AAPL": 1},
    ),
    # Closing --------------------------------------------------------------------------------
    Scenario(
        name="close without a position",
        steps=[webhook({"success": True, "action": "none"}, action="close")],
    ),
    Scenario(
        name="close without a position leaves a working entry alone",
        steps=[
            webhook(opened(), action="buy", symbol="MSFT", orderType="limit", price=300, quantity=1),
            webhook({"success": True, "action": "none"}, action="close", symbol="MSFT"),
        ],
        changes=["place"],
        working=[("MSFT", "BUY", "LMT", 1, 300.0)],
    ),
    Scenario(
        name="partial close keeps the protection in proportion",
        steps=[
            webhook(
                opened(),
                action="buy",
                orderType="market",
                quantity=10,
                stop_loss_price=150,
                take_profit_price=180,
            ),
            wait(),
            webhook(
                {"success": True, "action": "partially_closed", "quantity": 4},
                action="close",
                sell_percentage=40,
            ),
        ],
        changes=["place", "modify", "modify", "place"],
        positions={"AAPL": 6},
        working=[("AAPL", "SELL", "LMT", 6, 180.0), ("AAPL", "SELL", "STP", 6, 150.0)],
    ),
    Scenario(
        name="a small part closes at least one share",
        steps=[
            happens("positions", conid=AAPL, quantity=5),
            webhook({"action": "partially_closed", "quantity": 1}, action="close", sell_percentage="0.1"),
        ],
        changes=["place"],
        positions={"AAPL": 4},
    ),
    Scenario(
        name="a target that fills ends the stop, and nothing is left to close",
        steps=[
            webhook(opened(), action="buy", **BRACKET),
            wait(),
            happens("price", conid=AAPL, last=174.0),
            wait(),
            webhook({"success": True, "action": "none"}, action="close"),
        ],
        changes=["place"],
    ),
    # Other entries --------------------------------------------------------------------------
    Scenario(
        name="trailing stop",
        steps=[
            webhook(
                opened(trailingStopPercent="1.5", stopLossPrice=None),
                action="buy",
                orderType="market",
                trailing_stop_percent=1.5,
            )
        ],
        changes=["place"],
        positions={"AAPL": 3},
        working=[("AAPL", "SELL", "TRAIL", 3)],
    ),
    Scenario(
        name="stop entry with a stop",
        steps=[
            webhook(
                opened(stopPrice="168", price=None),
                action="buy",
                orderType="stop",
                stopPrice=168,
                quantity=2,
                stop_loss_price=160,
            )
        ],
        changes=["place"],
        working=[("AAPL", "BUY", "STP", 2, 168.0), ("AAPL", "SELL", "STP", 2, 160.0)],
    ),
    Scenario(
        name="stop entry without exits",
        steps=[webhook(opened(stopPrice="168"), action="buy", orderType="stop", stopPrice=168, quantity=2)],
        changes=["place"],
        working=[("AAPL", "BUY", "STP", 2, 168.0)],
    ),
    Scenario(
        name="stop-limit entry",
        steps=[
            webhook(
                opened(stopPrice="168", price="169"),
                action="buy",
                orderType="stop_limit",
                stopPrice=168,
                price=169,
                quantity=2,
                stop_loss_price=160,
            )
        ],
        changes=["place"],
        working=[("AAPL", "BUY", "STOP_LIMIT", 2, 168.0), ("AAPL", "SELL", "STP", 2, 160.0)],
    ),
    # What hosts write ------------------------------------------------------------------------
    Scenario(
        name="texts for numbers, words in capitals, a venue before the symbol",
        steps=[
            webhook(
                opened(side="BUY", quantity=2, price="300"),
                action="LONG",
                symbol="NASDAQ:MSFT",
                order_type="LIMIT",
                price="300.00",
                positionSizeUsd="600",
                stopLoss="2",
                takeProfit="5",
            )
        ],
        changes=["place"],
        working=MSFT_BRACKET,
    ),
    Scenario(
        name="a misspelt stop sends nothing",
        steps=[
            webhook(
                action="buy",
                orderType="market",
                stop_los_percent=2,
                fails="InvalidOrder",
                words="did you mean stop_loss_percent",
            )
        ],
    ),
    Scenario(
        name="too little money for one share sends nothing",
        steps=[webhook(action="buy", position_size_usd=100, fails="InvalidOrder", words="less than 1 AAPL")],
    ),
    Scenario(
        name="the wrong secret sends nothing",
        steps=[
            webhook(
                action="buy", secret="another-secret", fails="AuthenticationError", words="webhook's secret"
            )
        ],
    ),
    # What the broker says --------------------------------------------------------------------
    Scenario(
        name="rejected for want of money, and nothing works",
        steps=[webhook(action="buy", quantity=3, stop_loss_percent=2, fails="OrderRejected")],
        changes=["place"],
        options={"buying_power": 10.0},
    ),
    Scenario(
        name="a question that the policy does not allow is declined",
        steps=[webhook(action="buy", orderType="market", quantity=600, fails="QuestionRefused")],
        changes=["place"],
    ),
    Scenario(
        name="a price that is not live is no price for a size",
        steps=[webhook(action="buy", fails="InvalidOrder", words="it is delayed", **BRACKET)],
        options={"availability": {"*": "D"}},
    ),
    Scenario(
        name="the ticker is down, and nothing is sent",
        steps=[
            happens("faults", fault="F13", on="GET /iserver/marketdata/snapshot", times=100),
            webhook(action="buy", fails="ApiError", **BRACKET),
        ],
    ),
    Scenario(
        name="the stop is refused, and the entry is not left without one",
        steps=[
            happens("faults", fault="F25", leg=2),
            webhook(action="buy", fails="OrderRejected", **LIMIT_MSFT),
        ],
        changes=["place", "cancel"],
    ),
    Scenario(
        name="a lost answer is looked up, and the order is there once",
        steps=[
            happens("faults", fault="F03", on="POST /iserver/account/{accountId}/orders", times=1),
            webhook(opened(quantity=2), action="buy", **LIMIT_MSFT),
        ],
        changes=["place"],
        working=MSFT_BRACKET,
    ),
    # Restarts -------------------------------------------------------------------------------
    Scenario(
        name="after a restart a close still ends the exits",
        steps=[
            webhook(opened(), action="buy", **BRACKET),
            wait(),
            RESTART,
            webhook(closed(quantity=3), action="close"),
        ],
        changes=["place", "cancel", "place"],
    ),
    Scenario(
        name="after a restart a repeat is still a repeat",
        steps=[
            webhook(
                opened(), action="buy", key="alert-7", symbol="MSFT", orderType="limit", price=300, quantity=1
            ),
            RESTART,
            webhook(
                action="buy", key="alert-7", symbol="MSFT", orderType="limit", price=300, quantity=1, like=0
            ),
        ],
        changes=["place"],
        working=[("MSFT", "BUY", "LMT", 1, 300.0)],
    ),
    # Other classes ----------------------------------------------------------------------------
    Scenario(
        name="an option by its OCC name, with exits, and closed again",
        steps=[
            webhook(
                opened(quantity=2),
                action="buy",
                symbol="AAPL261218C00170000",
                quantity=2,
                stop_loss_percent=30,
                take_profit_percent=60,
            ),
            wait(),
            webhook(closed(quantity=2), action="close", symbol="AAPL261218C00170000"),
        ],
        changes=["place", "cancel", "place"],
    ),
    Scenario(
        name="an option by right, strike and expiration, and closed by its OCC name",
        steps=[
            webhook(
                opened(symbol="AAPL261218C00170000", quantity=2),
                action="buy",
                right="call",
                strike="170",
                expiration="2026-12-18",
                quantity=2,
            ),
            wait(),
            webhook(
                closed(symbol="AAPL261218C00170000", quantity=2),
                action="close",
                symbol="AAPL261218C00170000",
                underlying="AAPL",
            ),
        ],
        changes=["place", "place"],
    ),
    Scenario(
        name="an option that fits two classes is refused with both",
        steps=[
            webhook(
                action="buy",
                symbol="SPX",
                right="C",
                strike=6550,
                expiration="2026-12-18",
                quantity=1,
                fails="AmbiguousContract",
                words="SPXW",
            )
        ],
        why="One settles in the morning, the other in the afternoon, at other prices.",
    ),
    Scenario(
        name="a future by its expiration",
        steps=[
            webhook(
                opened(symbol="ES 2026-12-18", quantity=1),
                action="buy",
                symbol="ES",
                expiration="2026-12",
                orderType="limit",
                price=6400,
                quantity=1,
            ),
        ],
        changes=["place"],
        working=[("ES", "BUY", "LMT", 1, 6400.0)],
    ),
    Scenario(
        name="a combination is refused, and its legs are not taken for a remark",
        steps=[
            webhook(
                action="buy",
                legs=[{"symbol": "AAPL261218C00170000", "ratio": 1}],
                fails="InvalidOrder",
                words="place_combo_order",
            )
        ],
    ),
    Scenario(
        name="a class before the symbol is not cut off",
        steps=[
            webhook(action="buy", symbol="ES", quantity=1, fails="ContractNotFound", words="@ES"),
            webhook(
                opened(symbol="FUT:ES", quantity=1),
                action="buy",
                symbol="FUT:ES",
                orderType="limit",
                price=6400,
                quantity=1,
            ),
        ],
        changes=["place"],
        working=[("ES", "BUY", "LMT", 1, 6400.0)],
        why="ES alone is a share.",
    ),
    Scenario(
        name="a future by its month",
        steps=[
            webhook(
                opened(quantity=1), action="buy", symbol="ESZ6", orderType="limit", price=6400, quantity=1
            ),
            webhook(
                action="buy",
                symbol="ESZ6",
                position_size_usd=5000,
                fails="InvalidOrder",
                words="US dollars for one",
            ),
        ],
        changes=["place"],
        working=[("ES", "BUY", "LMT", 1, 6400.0)],
        why="The multiplier counts: five thousand dollars are a sixtieth of one.",
    ),
    Scenario(
        name="a currency pair",
        steps=[
            webhook(
                opened(quantity=20000),
                action="buy",
                symbol="EUR.USD",
                orderType="limit",
                price="1.10",
                quantity=20000,
                stop_loss_percent=1,
                take_profit_percent=2,
            )
        ],
        changes=["place"],
        working=[
            ("EUR.USD", "BUY", "LMT", 20000, 1.1),
            ("EUR.USD", "SELL", "LMT", 20000, 1.122),
            ("EUR.USD", "SELL", "STP", 20000, 1.089),
        ],
        options={"percentage_constraint": 90.0},
        why="Two decimals would be no price for it.",
    ),
    Scenario(
        name="a coin in a fraction, at a limit",
        steps=[
            webhook(
                opened(),
                action="buy",
                symbol="BTC.USD@PAXOS",
                orderType="limit",
                price=50000,
                position_size_usd=500,
            )
        ],
        changes=["place"],
        working=[("BTC", "BUY", "LMT", 0.01, 50000.0)],
        options={"percentage_constraint": 90.0},
    ),
    # A host that knows nothing of brackets ------------------------------------------------------
    Scenario(
        name="entry, stop and target one by one become a pair",
        steps=[
            call("place_market_order", "AAPL", "BUY", 3.5, expect={"quantity": 3, "side": "BUY"}),
            wait(),
            call("place_stop_loss", "AAPL", "SELL", 3.5, 161.9, expect={"quantity": 3}),
            call("place_take_profit", "AAPL", "SELL", 3.5, 173.4, expect={"quantity": 3}),
        ],
        changes=["place", "place", "cancel", "place"],
        positions={"AAPL": 3},
        working=[("AAPL", "SELL", "LMT", 3, 173.4), ("AAPL", "SELL", "STP", 3, 161.9)],
    ),
    Scenario(
        name="exits of an entry that has not filled hang on it",
        steps=[
            call("place_limit_order", "MSFT", "BUY", 2, "300", expect={"status": "open"}),
            call("place_stop_loss", "MSFT", "SELL", 2, 294, expect={"quantity": 2}),
            call("place_take_profit", "MSFT", "SELL", 2, 290, expect={"quantity": 2}),
        ],
        changes=["place", "place", "place"],
        working=[
            ("MSFT", "BUY", "LMT", 2, 300.0),
            ("MSFT", "SELL", "STP", 2, 294.0),
            ("MSFT", "SELL", "LMT", 2, 290.0),
        ],
        why="A target below the market, sent plainly, would sell at once.",
    ),
    Scenario(
        name="an exit with nothing to protect is refused",
        steps=[
            call("place_stop_loss", "AAPL", "SELL", 3, 161.9, fails="InvalidOrder", words="othing was sent"),
            call("close_position", "AAPL", "SELL", 3, fails="InvalidOrder", words="othing was sent"),
            call("cancel_order", "AAPL", "bracket_sl", fails="InvalidOrder", words="no order id"),
        ],
    ),
    Scenario(
        name="what a host reads is in its own shapes",
        steps=[
            happens("positions", conid=AAPL, quantity=-4),
            call(
                "get_position", "AAPL", expect={"symbol": "AAPL", "positionAmt": "-4", "positionSide": "BOTH"}
            ),
            call("get_position", "MSFT", expect=None),
            call("has_open_position", "AAPL", expect=True),
            call("get_ticker", "AAPL", expect={"symbol": "AAPL", "lastPrice": "165.2", "price": "165.2"}),
            call("get_open_orders", expect=[]),
        ],
        positions={"AAPL": -4},
    ),
)

# These speak for the others where waiting is done in real time.
IN_REAL_TIME = tuple(
    scenario
    for scenario in SCENARIOS
    if scenario.name
    in {
        "market with stop and target in percent",
        "close ends the exits and leaves nothing",
        "after a restart a repeat is still a repeat",
    }
)


@attrs.frozen
class Course:
    """What came of a scenario: each step's answer, every request with its status, and what the broker had in the end."""

    answers: Sequence[Any]
    requests: Sequence[tuple[str, int]]
    end: Mapping[str, Any]


def play(scenario: Scenario, open_client: Callable[[Mapping[str, Any]], Client], broker: Broker) -> Course:
    """Run a scenario on a fresh broker, hold it to its claims, and return what came of it."""
    if scenario.options:
        broker.control("options", scenario.options)
    for conid, last in PRICES.items():
        broker.control("price", {"conid": conid, "last": last})
    client = open_client({"webhook_secret": SECRET, **scenario.settings})
    answers: list[Any] = []
    try:
        for number, step in enumerate(scenario.steps):
            answers.append(_do(step, client, broker, answers, f"{scenario.name}, step {number}"))
        broker.control("advance", {"seconds": SETTLE})
    finally:
        client.close()
    ledger = broker.ledger()
    _check(scenario, ledger)
    return Course(
        answers=answers,
        requests=[(row["name"], row["status"]) for row in ledger["requests_log"]],
        end={"orders": ledger["orders"], "positions": ledger["positions"]},
    )


def _do(step: Step, client: Client, broker: Broker, answers: list[Any], where: str) -> Any:
    if step.kind == "control":
        return broker.control(step.what, step.args[0])
    if step.kind == "restart":
        return client.restart()
    try:
        if step.kind == "webhook":
            answer = client.webhook(step.what, webhook_id=step.webhook_id)
        else:
            answer = client.call(step.what, *step.args)
    except Failure as failure:
        return _failed(step, failure, where)
    assert step.fails is None, f"{where}: {answer}"
    if step.like is not None:
        assert answer == {**answers[step.like], "repeated": True}, where
    elif isinstance(step.expect, Mapping):
        told = {key: answer.get(key, "missing") for key in step.expect}
        assert told == dict(step.expect), f"{where}: {answer}"
    elif step.kind == "call":
        assert answer == step.expect, where
    return answer


def _failed(step: Step, failure: Failure, where: str) -> dict[str, Any]:
    assert step.fails is not None, f"{where}: {failure}"
    assert (failure.kind, step.words in failure.message) == (step.fails, True), f"{where}: {failure}"
    return {"error": failure.message}


def _check(scenario: Scenario, ledger: Mapping[str, Any]) -> None:
    where = scenario.name
    changes = [CHANGES[row["name"]] for row in ledger["requests_log"] if row["name"] in CHANGES]
    assert changes == list(scenario.changes), f"{where}: {changes}"
    held = {row["conid"]: float(row["quantity"]) for row in ledger["positions"] if float(row["quantity"])}
    assert held == {CONIDS[symbol]: size for symbol, size in scenario.positions.items()}, f"{where}: {held}"
    working = [
        (row["symbol"], row["side"], row["order_type"], float(row["quantity"]), _price(row))
        for row in sorted(ledger["orders"], key=lambda row: row["order_id"])
        if row["status"] in _WORKING
    ]
    # A scenario without a price leaves it open.
    wanted = [
        (*row[:3], float(row[3]), row[4] if len(row) > 4 else found[4])
        for row, found in zip(scenario.working, working, strict=False)
    ]
    assert len(working) == len(scenario.working), f"{where}: {working}"
    assert working == wanted, f"{where}: {working}"
    assert ledger["pacing_breaches"] == [], where


def _price(row: Mapping[str, Any]) -> float | None:
    """The price that an order waits for; a trailing stop's moves."""
    found = row["stop"] if row["stop"] is not None else row["limit"]
    return None if found is None else float(found)
