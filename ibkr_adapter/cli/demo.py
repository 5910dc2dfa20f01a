"""The demonstration: from four webhooks to fills, on a simulated broker over a real socket.

Knows the order of events and what is reported of them; how they look on a screen is for
:mod:`.screen`. It is a host in small: it has webhooks carried out, waits for the fills and reads
back orders, positions and balance. A limit order that is not reached by the market is helped by
moving the market, which is the one thing here that nobody can do to the real broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.client import Call
from ibkr_adapter.errors import OrderError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.host.executor import TradeExecutor
from ibkr_adapter.host.webhook import masked

from .payloads import Payload

# Seconds; the simulated market fills within one.
PATIENCE = 20.0
# How far the market is moved beyond a limit that waits for it.
BEYOND = Decimal("0.5")
# What carries an order's dialogue; the last of these answers holds the acknowledgement.
_ORDERS = ("POST /iserver/account/{accountId}/orders", "POST /iserver/reply/{replyId}")


class Audience:
    """Who is told as it happens; this one listens to nothing."""

    def began(self) -> None:
        """The simulated broker is about to be started and logged in to."""

    def opened(self, account: str, requests: int) -> None:
        """The session stands; so many requests were made for it."""

    def posted(self, payload: Payload) -> None:
        """A webhook came in."""

    def asked(self, call: Call) -> None:
        """The broker was asked something and has answered, or not; told from any thread."""

    def answered(self, result: Mapping[str, Any], effort: Effort) -> None:
        """The webhook was carried out."""

    def moved(self, symbol: str, price: Decimal) -> None:
        """The market was moved."""

    def filled(self, order: Mapping[str, Any]) -> None:
        """The order that a webhook led to was filled."""

    def ended(self, report: Report) -> None:
        """All is done."""


@attrs.frozen(kw_only=True)
class Effort:
    """The requests that a webhook cost: until the last acknowledgement, and after it."""

    until_acknowledged: int
    afterwards: int

    @classmethod
    def of(cls, calls: list[Call]) -> Effort:
        """Count calls; where no order was sent, all of them come before."""
        sent = [at for at, call in enumerate(calls, 1) if call.endpoint in _ORDERS]
        until = sent[-1] if sent else len(calls)
        return cls(until_acknowledged=until, afterwards=len(calls) - until)


@attrs.frozen(kw_only=True)
class Report:
    """What the demonstration led to, all of it fit for JSON."""

    webhooks: tuple[dict[str, Any], ...]
    orders: list[dict[str, Any]]
    positions: list[dict[str, Any]]
    balance: dict[str, Any]
    requests: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The one object that ``--json`` promises."""
        return attrs.asdict(self, recurse=False) | {"webhooks": list(self.webhooks)}


def run(
    exchange: IBKRExchange,
    payloads: tuple[Payload, ...],
    audience: Audience,
    *,
    patience: float = PATIENCE,
) -> Report:
    """Carry out the webhooks one after the other and report.

    Args:
        exchange: One with an embedded simulator; opened here and closed by the caller.
        payloads: The webhooks.
        audience: Who is told as it happens.
        patience: Seconds to wait for each fill.

    Raises:
        IBKRError: A webhook could not be carried out, or its order was not filled in time.
    """
    calls: list[Call] = []

    def hear(call: Call) -> None:
        calls.append(call)
        audience.asked(call)

    audience.began()
    stop = exchange.on_call(hear)
    done = []
    try:
        exchange.open()
        audience.opened(exchange.orders.account(), len(calls))
        executor = TradeExecutor(exchange)
        for payload in payloads:
            calls.clear()
            audience.posted(payload)
            result = executor.execute_webhook(payload.text)
            audience.answered(result, Effort.of(list(calls)))
            done.append({"payload": masked(payload.fields()), "result": result})
            _see_it_filled(exchange, result, audience, patience)
        report = Report(
            webhooks=tuple(done),
            orders=exchange.get_orders(),
            positions=exchange.get_positions(),
            balance=exchange.get_balance_summary(),
            requests=dict(sorted(exchange.simulator.ledger()["requests"].items())),
        )
    finally:
        stop()
    audience.ended(report)
    return report


def _see_it_filled(
    exchange: IBKRExchange, result: Mapping[str, Any], audience: Audience, patience: float
) -> None:
    order_id = result.get("orderId")
    if order_id is None:
        return
    if result.get("orderType") == "limit":
        _move_the_market(exchange, result, audience)
    order = exchange.wait_for(order_id, timeout=patience)
    if order["status"] != "filled":
        raise OrderError(
            f"order {order_id} for {order['symbol']} is {order['status']} after {patience:g} seconds, not filled."
        )
    audience.filled(order)


def _move_the_market(exchange: IBKRExchange, result: Mapping[str, Any], audience: Audience) -> None:
    """Take the market through the limit, to where the order must be filled."""
    symbol, limit = result["symbol"], Decimal(result["price"])
    price = limit - BEYOND if result["side"] == "BUY" else limit + BEYOND
    exchange.simulator.set_price(exchange.contracts.resolve(symbol).conid, price)
    audience.moved(symbol, price)
