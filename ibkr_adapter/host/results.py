"""Say what became of a webhook, in the shape that the host reads and JSON carries.

Pure. Prices are decimal texts, so that no digit is lost on the way; quantities and the fill price are
numbers, because the host computes with them. A fill price that nobody knows yet is ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from ibkr_adapter.model.order import Side

from .plan import Plan
from .webhook import Webhook

EXCHANGE = "ibkr"

Answer = dict[str, Any]


def opened(
    webhook: Webhook, plan: Plan, acks: Mapping[str, Any], *, reversal: Mapping[str, Any] | None = None
) -> Answer:
    """An entry that the broker has acknowledged, with the exits that hang on it."""
    entry = acks["entryOrder"]
    quantity = _number(entry.get("quantity"))
    if quantity is None:
        quantity = _number(plan.quantity)
    stop, target = acks.get("stopLossOrder") or {}, acks.get("takeProfitOrder") or {}
    # The exchange snaps prices to ticks, so what it sent goes before what was planned.
    exits = {
        "stopLossPrice": None
        if plan.stop_loss_price is None
        else _text(_decimal(stop.get("stopPrice")) or plan.stop_loss_price),
        "takeProfitPrice": _text(_decimal(target.get("price")) or plan.take_profit_price),
        "trailingStopPercent": _text(plan.trailing_percent),
        "stopLossOrderId": _order_id(stop),
        "takeProfitOrderId": _order_id(target),
    }
    price = _decimal(entry.get("price")) or plan.price
    trigger = _decimal(entry.get("stopPrice")) or plan.stop_price
    answer = {
        **_frame(webhook, success=True, action="opened"),
        "side": plan.side.value,
        "orderType": plan.order_type.value,
        "quantity": quantity,
        "price": _text(price),
        "stopPrice": _text(trigger),
        **exits,
        **_order(entry),
        "position": {
            "symbol": webhook.symbol,
            "side": plan.side.value,
            "quantity": quantity,
            "entryPrice": _text(_decimal(entry.get("avgPrice")) or price or trigger or plan.reference),
            **exits,
        },
    }
    if reversal is not None:
        answer["closedOrderId"] = _order_id(reversal)
    return answer


def closed(
    webhook: Webhook, side: Side, quantity: Decimal, ack: Mapping[str, Any], *, left: Decimal
) -> Answer:
    """A closing order that the broker has acknowledged; ``left`` is what stays open."""
    sent = _number(ack.get("quantity"))
    answer = {
        **_frame(webhook, success=True, action="partially_closed" if left > 0 else "closed"),
        "side": side.value,
        "quantity": _number(quantity) if sent is None else sent,
        **_order(ack),
    }
    if ack.get("message"):
        # An exit had closed the position on the way, and nothing was sent.
        answer["message"] = ack["message"]
    return answer


def recovered(webhook: Webhook, order: Mapping[str, Any], exits: Sequence[Mapping[str, Any]]) -> Answer:
    """An entry that a process sent which died, as it was found at the broker, with what hangs on it."""
    stop = next((one for one in exits if one.get("type") != "limit"), {})
    target = next((one for one in exits if one.get("type") == "limit"), {})
    return {
        **_frame(webhook, success=True, action="opened"),
        "side": str(order.get("side", "")).upper(),
        "orderType": order.get("type"),
        "quantity": order.get("quantity"),
        "price": _text(_decimal(order.get("price"))),
        "stopPrice": _text(_decimal(order.get("stopPrice"))),
        "stopLossPrice": _text(_decimal(stop.get("stopPrice"))),
        "takeProfitPrice": _text(_decimal(target.get("price"))),
        "stopLossOrderId": _order_id(stop),
        "takeProfitOrderId": _order_id(target),
        **_order({**order, "avgPrice": order.get("avgFillPrice")}),
        "recovered": True,
        "message": "The process that sent this order ended before it was answered; the order was looked up.",
    }


def nothing_to_close(webhook: Webhook) -> Answer:
    """A close without a position, which is no failure."""
    return {
        **_frame(webhook, success=True, action="none"),
        "message": f"No position to close for {webhook.symbol}.",
    }


def skipped(webhook: Webhook, side: Side, held: Decimal) -> Answer:
    """A repeat: the position of that side is there already."""
    return {
        **_frame(webhook, success=False, action="skipped"),
        "side": side.value,
        "message": f"Nothing was sent: there is a {side.value} position of {abs(held):f} {webhook.symbol} already.",
        "position": {"symbol": webhook.symbol, "side": side.value, "quantity": _number(abs(held))},
    }


def _frame(webhook: Webhook, *, success: bool, action: str) -> Answer:
    return {
        "success": success,
        "action": action,
        "exchange": EXCHANGE,
        "symbol": webhook.symbol,
        "ignored": list(webhook.ignored),
    }


def _order(ack: Mapping[str, Any]) -> Answer:
    return {
        "orderId": _order_id(ack),
        "order_id": _order_id(ack),
        "status": ack.get("status"),
        "fill_price": _fill_price(ack),
        # What was built and not sent is marked, or somebody would wait for its fill.
        **{key: ack[key] for key in ("dryRun", "unsent") if key in ack},
    }


def _order_id(ack: Mapping[str, Any]) -> str | None:
    found = ack.get("orderId")
    return None if found is None else str(found)


def _fill_price(ack: Mapping[str, Any]) -> float | None:
    price = _decimal(ack.get("avgPrice"))
    # A price of 0 is how brokers say that nothing was filled.
    return float(price) if price else None


def _decimal(value: Any) -> Decimal | None:
    if value is None:
        return None
    try:
        figure = Decimal(str(value))
    except InvalidOperation:
        return None
    return figure if figure.is_finite() else None


def _number(value: Any) -> int | float | None:
    figure = _decimal(value)
    if figure is None:
        return None
    return int(figure) if figure == figure.to_integral_value() else float(figure)


def _text(price: Decimal | None) -> str | None:
    if price is None:
        return None
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
