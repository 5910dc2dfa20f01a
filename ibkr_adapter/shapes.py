"""Write values as the dictionaries that the host reads.

The shapes are the host's: prices of positions and tickers as decimal texts, amounts as JSON
numbers, sides of listed orders in lower case, statuses in its own words. Nothing here asks the
broker anything.

Source: the host's base class and its callers; docs/host.md has the contract.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from ibkr_adapter.model.account import AccountSummary, LedgerRow, Position
from ibkr_adapter.model.market import Quote
from ibkr_adapter.model.order import Fill, Leg, Order, OrderState, OrderType, Side, Unsent

_TYPES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TRAIL: "trailing_stop",
    OrderType.TRAIL_LIMIT: "trailing_stop",
}
# The status of what was built and not sent.
DRY_RUN = "dry_run"
_STATUSES = {
    OrderState.PENDING_SUBMIT: "pending",
    OrderState.PRE_SUBMITTED: "open",
    OrderState.SUBMITTED: "open",
    OrderState.FILLED: "filled",
    OrderState.PENDING_CANCEL: "pending",
    OrderState.PRE_CANCELLED: "pending",
    OrderState.CANCELLED: "canceled",
    OrderState.INACTIVE: "rejected",
    OrderState.WARN_STATE: "pending",
    OrderState.FAILED: "rejected",
}


def text(value: Decimal) -> str:
    """Write a decimal without an exponent or idle zeros after the point."""
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def number(value: Decimal | None) -> float | int | None:
    """Write a decimal as a JSON number; missing stays missing."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def side_of(word: object) -> Side | None:
    """Read the host's word for a side, in any case; ``None`` if it is none."""
    if not isinstance(word, str):
        return None
    return {"BUY": Side.BUY, "LONG": Side.BUY, "SELL": Side.SELL, "SHORT": Side.SELL}.get(
        word.strip().upper()
    )


def status(order: Order) -> str:
    """The host's word for where an order stands."""
    if order.dry_run:
        return DRY_RUN
    if (
        order.state.may_fill
        and order.state is not OrderState.PENDING_CANCEL
        and 0 < order.filled < order.quantity
    ):
        return "partially_filled"
    if order.state is OrderState.CANCELLED and "expired" in order.reason.lower():
        return "expired"
    return _STATUSES[order.state]


def balance(ledger: tuple[LedgerRow, ...], summary: AccountSummary) -> list[dict[str, Any]]:
    """One row per currency, the base currency first with the account's own figures."""
    base = summary.currency or "USD"
    rows = [
        {
            "asset": base,
            "availableBalance": number(summary.available_funds),
            "balance": number(summary.net_liquidation),
        }
    ]
    rows += [
        {"asset": row.currency, "availableBalance": number(row.cash), "balance": number(row.net_liquidation)}
        for row in ledger
        if row.currency not in {base, "BASE"}
    ]
    return rows


def position(found: Position, symbol: str) -> dict[str, Any]:
    """One position; its amount is signed and there is no unsigned ``quantity`` beside it."""
    value = found.market_value
    if value is None and found.market_price is not None:
        value = found.quantity * found.market_price * (found.multiplier or 1)
    return {
        "symbol": symbol,
        "positionAmt": text(found.quantity),
        "entryPrice": number(found.average_price),
        "markPrice": number(found.market_price),
        "unRealizedProfit": number(found.unrealised),
        "unrealizedProfit": number(found.unrealised),
        "notional": number(value),
        "positionSide": "BOTH",
        "leverage": 1,
    }


def ticker(quote: Quote, price: Decimal, symbol: str) -> dict[str, Any]:
    """A price with its bid and ask as texts; ``code`` is IBKR's word on how fresh it is."""
    return {
        "symbol": symbol,
        "lastPrice": text(price),
        "price": text(price),
        "bid": text(quote.bid) if quote.bid else None,
        "ask": text(quote.ask) if quote.ask else None,
        "volume": number(quote.volume),
        "code": quote.availability.code if quote.availability is not None else None,
        "realTime": quote.why_not_tradable() is None,
    }


def acknowledgement(leg: Leg, symbol: str, coid: str | None, seen: Order | None = None) -> dict[str, Any]:
    """What the host keeps of an order that it placed; ``quantity`` is the real one."""
    stands = status(seen) if seen is not None else _STATUSES[leg.state]
    ack: dict[str, Any] = {
        # A dry run's leg has no id, because it is nowhere.
        "orderId": leg.order_id or None,
        "status": stands if leg.order_id else DRY_RUN,
        "symbol": symbol,
        "side": leg.ticket.side.value,
        # A size in money says nothing of the quantity, which the fill will tell.
        "quantity": number(leg.ticket.quantity),
        "type": _TYPES[leg.ticket.order_type],
        "price": number(leg.ticket.limit_price),
        "stopPrice": number(leg.ticket.stop_price),
    }
    if leg.ticket.quantity is None:
        ack["cashQuantity"] = number(leg.ticket.cash_quantity or leg.ticket.fx_quantity)
    if leg.ticket.trailing is not None:
        ack["trailingPercent"] = number(leg.ticket.trailing)
    if coid is not None:
        ack["clientOrderId"] = coid
    if seen is not None and seen.average_price is not None:
        ack["avgPrice"] = number(seen.average_price)
    return ack


def unsent(requests: Iterable[Unsent]) -> dict[str, Any]:
    """What a dry run adds to an answer: the requests that would have been made, in their order."""
    found = [
        {"method": one.method, "path": one.path, "query": one.query, "body": one.body} for one in requests
    ]
    return {"dryRun": True, "unsent": found} if found else {}


def order(found: Order, symbol: str) -> dict[str, Any]:
    """An order, working or over."""
    kind = (
        _TYPES[found.order_type]
        if found.order_type is not None
        else found.type_text.lower().replace(" ", "_")
    )
    stamp = _stamp(found.updated)
    combo = {"conidex": found.conidex} if found.conidex is not None else {}
    return combo | {
        "id": found.order_id,
        "orderId": found.order_id,
        "order_id": found.order_id,
        "clientOrderId": found.coid,
        "symbol": symbol,
        "side": found.side.value.lower(),
        "type": kind,
        "orderType": kind,
        "status": status(found),
        "quantity": number(found.quantity),
        "filledQuantity": number(found.filled),
        "remainingQuantity": number(found.remaining),
        "price": number(found.limit_price),
        "stopPrice": number(found.stop_price),
        "avgFillPrice": number(found.average_price),
        "createTime": stamp,
        "updateTime": stamp,
        "class": "bracket"
        if found.parent_id is not None
        else ("oco" if found.oca_group is not None else None),
        "parentId": found.parent_id,
    }


def fill(found: Fill, symbol: str) -> dict[str, Any]:
    """One execution."""
    stamp = _stamp(found.time)
    return {
        "id": found.execution_id,
        "orderId": found.order_id,
        "symbol": symbol,
        "side": found.side.value,
        "qty": text(found.quantity),
        "quantity": number(found.quantity),
        "price": number(found.price),
        "commission": number(abs(found.commission)) if found.commission is not None else None,
        "commissionAsset": "USD",
        "time": stamp,
        "timestamp": int(found.time.timestamp() * 1000) if found.time is not None else None,
        "realizedPnl": None,
        "isMaker": False,
    }


def _stamp(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None
