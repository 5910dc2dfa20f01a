"""What a host does in a day, and what befalls it: each step drawn from a seeded source.

A step returns what came of it, or raises what the library raised. Entries are made where nothing of
ours is held or works, so that what opens a position can be told from what closes one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.model.order import OrderType, Side
from ibkr_adapter.simulator.faults import VARIANTS
from tests.soak.soak_stage import Stage

SYMBOLS = {"AAPL": 265598, "MSFT": 272093}
ALIVE = {"PreSubmitted", "Submitted", "PendingSubmit", "PendingCancel"}
# Faults of logins by token, of streams and of TLS have no place here; the rest is drawn from.
LEFT_OUT = {"F06", "F34", "F35", "F36", "F37"}
ENDPOINTS = (
    "*",
    "POST /iserver/account/{accountId}/orders",
    "POST /iserver/account/{accountId}/order/{orderId}",
    "DELETE /iserver/account/{accountId}/order/{orderId}",
    "POST /iserver/reply/{replyId}",
    "GET /iserver/account/orders",
    "GET /iserver/account/trades",
    "GET /iserver/account/order/status/{orderId}",
    "GET /portfolio2/{accountId}/positions",
    "GET /iserver/marketdata/snapshot",
    "POST /tickle",
)


@attrs.frozen(kw_only=True)
class Step:
    """Its name, how often it comes, what it does; ``exits`` says that all it books can only reduce."""

    name: str
    weight: int
    run: Callable[[Stage, random.Random], Any]
    exits: bool = False
    orders: bool = True


def held(stage: Stage, symbol: str) -> Decimal:
    """What the broker has for us in a symbol."""
    rows = stage.ledger()["positions"]
    return sum((Decimal(str(row["quantity"])) for row in rows if row["conid"] == SYMBOLS[symbol]), Decimal(0))


def working(stage: Stage, symbol: str) -> list[dict[str, Any]]:
    """What works there."""
    return [
        row for row in stage.ledger()["orders"] if row["conid"] == SYMBOLS[symbol] and row["status"] in ALIVE
    ]


def price(stage: Stage, symbol: str) -> Decimal:
    """The last price, rounded to a cent."""
    prices = stage.gateway.world.prices
    instrument = stage.gateway._instrument(SYMBOLS[symbol])
    last = prices.last(instrument, stage.gateway.world.now)
    return Decimal(last).quantize(Decimal("0.01"))


def _symbol(draw: random.Random) -> str:
    return draw.choice(list(SYMBOLS))


def _idle(stage: Stage, draw: random.Random) -> str | None:
    """A symbol in which nothing is held and nothing works."""
    free = [symbol for symbol in SYMBOLS if not held(stage, symbol) and not working(stage, symbol)]
    return draw.choice(free) if free else None


def _with_position(stage: Stage, draw: random.Random) -> str | None:
    found = [symbol for symbol in SYMBOLS if held(stage, symbol)]
    return draw.choice(found) if found else None


def _near(stage: Stage, symbol: str, draw: random.Random, low: float, high: float) -> Decimal:
    return (price(stage, symbol) * Decimal(str(draw.uniform(low, high)))).quantize(Decimal("0.01"))


def _limit(stage: Stage, draw: random.Random) -> Any:
    symbol = _idle(stage, draw)
    if symbol is None:
        return "nothing idle"
    size = draw.randint(1, 20)
    if draw.random() < 0.5:
        return stage.exchange.place_limit_order(symbol, "buy", size, _near(stage, symbol, draw, 0.975, 1.01))
    return stage.exchange.orders.place(
        symbol,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(size),
        limit_price=_near(stage, symbol, draw, 0.975, 1.01),
        wait_for_outcome=draw.choice([0, 5, 40]),
    )


def _market(stage: Stage, draw: random.Random) -> Any:
    symbol = _idle(stage, draw)
    if symbol is None:
        return "nothing idle"
    return stage.exchange.place_market_order(symbol, draw.choice(["buy", "sell"]), draw.randint(1, 20))


def _bracket(stage: Stage, draw: random.Random) -> Any:
    symbol = _idle(stage, draw)
    if symbol is None:
        return "nothing idle"
    long = draw.random() < 0.7
    low, high = _near(stage, symbol, draw, 0.94, 0.96), _near(stage, symbol, draw, 1.04, 1.06)
    target, stop = (high, low) if long else (low, high)
    limit = draw.random() < 0.6
    return stage.exchange.place_bracket_order(
        symbol,
        "buy" if long else "sell",
        "limit" if limit else "market",
        draw.randint(1, 20),
        _near(stage, symbol, draw, 0.985, 1.01) if limit else None,
        take_profit_price=target,
        stop_loss_price=stop,
    )


def _stop(stage: Stage, draw: random.Random) -> Any:
    symbol = _with_position(stage, draw)
    if symbol is None:
        return "nothing held"
    size = held(stage, symbol)
    long = size > 0
    at = _near(stage, symbol, draw, 0.93, 0.97) if long else _near(stage, symbol, draw, 1.03, 1.07)
    # Sometimes more than is held: it must be cut down.
    asked = abs(size) * draw.choice([1, 1, 2])
    return stage.exchange.place_stop_loss(symbol, "sell" if long else "buy", asked, at)


def _target(stage: Stage, draw: random.Random) -> Any:
    symbol = _with_position(stage, draw)
    if symbol is None:
        return "nothing held"
    size = held(stage, symbol)
    long = size > 0
    at = _near(stage, symbol, draw, 1.01, 1.05) if long else _near(stage, symbol, draw, 0.95, 0.99)
    return stage.exchange.place_take_profit(symbol, "sell" if long else "buy", abs(size), at)


def _pair(stage: Stage, draw: random.Random) -> Any:
    symbol = _with_position(stage, draw)
    if symbol is None:
        return "nothing held"
    size = held(stage, symbol)
    low, high = _near(stage, symbol, draw, 0.94, 0.97), _near(stage, symbol, draw, 1.03, 1.06)
    long = size > 0
    target, stop = (high, low) if long else (low, high)
    return stage.exchange.place_oco_order(symbol, "sell" if long else "buy", abs(size), target, stop)


def _late_stop(stage: Stage, draw: random.Random) -> Any:
    """A stop for an entry that still works, as the host sends it."""
    for symbol in SYMBOLS:
        entries = [row for row in working(stage, symbol) if row["parent_id"] is None and row["side"] == "BUY"]
        if entries and not held(stage, symbol):
            at = _near(stage, symbol, draw, 0.93, 0.95)
            return stage.exchange.place_stop_loss(symbol, "sell", entries[0]["quantity"], at)
    return "no entry works"


def _close(stage: Stage, draw: random.Random) -> Any:
    symbol = _with_position(stage, draw)
    if symbol is None:
        return "nothing held"
    part = None if draw.random() < 0.6 else max(1, int(abs(held(stage, symbol)) / 2))
    return stage.exchange.close_position(symbol, None, part)


def _flatten(stage: Stage, _: random.Random) -> Any:
    return stage.exchange.orders.flatten(scope="account")


def _cancel(stage: Stage, draw: random.Random) -> Any:
    rows = [row for symbol in SYMBOLS for row in working(stage, symbol)]
    if not rows:
        return "nothing works"
    return stage.exchange.cancel_order(None, str(draw.choice(rows)["order_id"]))


def _cancel_all(stage: Stage, draw: random.Random) -> Any:
    return stage.exchange.cancel_all_orders(_symbol(draw))


def _modify(stage: Stage, draw: random.Random) -> Any:
    rows = [row for symbol in SYMBOLS for row in working(stage, symbol) if row["parent_id"] is None]
    own = [row for row in rows if stage.exchange.orders._connection.own.ticket(str(row["order_id"]))]
    entries = [row for row in own if row["side"] == "BUY" and row["order_type"] == "LMT"] if own else []
    if not entries:
        return "no entry works"
    row = draw.choice(entries)
    symbol = next(name for name, conid in SYMBOLS.items() if conid == row["conid"])
    return stage.exchange.orders.modify(
        str(row["order_id"]), limit_price=_near(stage, symbol, draw, 0.97, 0.99)
    )


def _orders(stage: Stage, _: random.Random) -> Any:
    return stage.exchange.get_open_orders()


def _reads(stage: Stage, draw: random.Random) -> Any:
    x = stage.exchange
    return draw.choice(
        [
            x.get_balance,
            x.get_positions,
            x.get_trade_history,
            x.get_balance_summary,
            lambda: x.get_ticker("AAPL"),
            lambda: x.has_open_position("MSFT"),
            lambda: x.orders.preview(
                "AAPL",
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                quantity=Decimal(1),
                limit_price=price(stage, "AAPL"),
            ),
        ]
    )()


def _move(stage: Stage, draw: random.Random) -> Any:
    symbol = _symbol(draw)
    at = _near(stage, symbol, draw, 0.96, 1.04)
    stage.gateway.set_price(SYMBOLS[symbol], at, walk=True)
    return f"{symbol} moves"


def _fill(stage: Stage, draw: random.Random) -> Any:
    rows = [
        row
        for symbol in SYMBOLS
        for row in working(stage, symbol)
        if row["parent_id"] is None and row["status"] == "Submitted"
    ]
    if not rows:
        return "nothing to fill"
    row = draw.choice(rows)
    part = None if draw.random() < 0.5 else Decimal(1)
    stage.gateway.fill(str(row["order_id"]), part)
    return "filled by hand"


def _fault(stage: Stage, draw: random.Random) -> Any:
    from ibkr_adapter.simulator.faults import FaultError

    name = draw.choice(sorted(set(VARIANTS) - LEFT_OUT))
    wishes: dict[str, Any] = {"fault": name, "variant": draw.choice(VARIANTS[name])}
    if draw.random() < 0.6:
        wishes["on"] = draw.choice(ENDPOINTS)
    if draw.random() < 0.3:
        wishes["times"] = draw.randint(2, 4)
    if name == "F09":
        wishes["seconds"] = 60
    try:
        stage.gateway.arm(wishes)
    except FaultError:
        # Some strike one endpoint only.
        wishes.pop("on", None)
        stage.gateway.arm(wishes)
    return f"{name} {wishes['variant']} on {wishes.get('on', 'its home')}"


def _session(stage: Stage, draw: random.Random) -> Any:
    action = draw.choice(["drop", "rival", "restart", "logout"])
    stage.gateway.change_session(action, draw.choice([30, 300]) if action == "rival" else None)
    if action in {"restart", "logout"}:
        # A person sees it and logs in again.
        stage.clock.sleep(draw.choice([5, 120]))
        stage.gateway.change_session("login")
    return action


def _restart(stage: Stage, _: random.Random) -> Any:
    stage.restart(killed=False)
    return "restarted"


def _kill(stage: Stage, draw: random.Random) -> Any:
    """Doom the process: it dies within its next requests, before or after one has arrived."""
    stage.process.kill_in = draw.randint(0, 6)
    stage.process.kill_after_arrival = draw.random() < 0.5
    return f"doomed in {stage.process.kill_in}"


STEPS = (
    Step(name="limit", weight=8, run=_limit),
    Step(name="market", weight=6, run=_market),
    Step(name="bracket", weight=10, run=_bracket),
    Step(name="stop", weight=5, run=_stop, exits=True),
    Step(name="target", weight=4, run=_target, exits=True),
    Step(name="pair", weight=4, run=_pair, exits=True),
    Step(name="late stop", weight=4, run=_late_stop, exits=True),
    Step(name="close", weight=7, run=_close, exits=True),
    Step(name="flatten", weight=2, run=_flatten, exits=True),
    Step(name="cancel", weight=4, run=_cancel),
    Step(name="cancel all", weight=2, run=_cancel_all),
    Step(name="modify", weight=3, run=_modify),
    Step(name="orders", weight=3, run=_orders),
    Step(name="reads", weight=6, run=_reads),
    Step(name="move", weight=8, run=_move, orders=False),
    Step(name="fill", weight=6, run=_fill, orders=False),
    Step(name="fault", weight=22, run=_fault, orders=False),
    Step(name="session", weight=3, run=_session, orders=False),
    Step(name="restart", weight=2, run=_restart, orders=False),
    Step(name="kill", weight=3, run=_kill, orders=False),
)
