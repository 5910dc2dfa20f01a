"""Read orders and fills back: live orders, one order's status, trades.

What is read back never equals what was sent: a day order says ``CLOSE``, a limit order
``Limit``, a sell ``S``, and every endpoint has its own names and types. ``sizeAndFills`` and the
descriptions are prose and are not read. A state that nobody knows is an error.

Source: Web API reference, "Live Orders", "Order Status", "Trades", and recorded answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.order import Fill, Order, OrderState, OrderType, Side, Tif, TrailingUnit
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.combos import read_conidex
from ibkr_adapter.wire.replies import words_of

LIVE = "GET /iserver/account/orders"
STATUS = "GET /iserver/account/order/status/{orderId}"
TRADES = "GET /iserver/account/trades"
ORDER_STREAM = "sor"

_TIFS = {"CLOSE": Tif.DAY, "DAY": Tif.DAY, **{tif.value: tif for tif in Tif}}
_SIDES = {
    "BUY": Side.BUY,
    "B": Side.BUY,
    "BOT": Side.BUY,
    "SELL": Side.SELL,
    "S": Side.SELL,
    "SLD": Side.SELL,
    "SSHORT": Side.SELL,
}
# Assignments, exercises, expiries and nettings are listed among orders and fills, but nobody
# ordered them: they have no side of their own and cannot be cancelled.
_NOT_ORDERED = frozenset({"ASSN", "EXER", "X", "N", "EXPIRED"})
_STATES = {
    **{state.value.lower(): state for state in OrderState},
    "apicancelled": OrderState.CANCELLED,
    "canceled": OrderState.CANCELLED,
}


@attrs.frozen(kw_only=True)
class LiveOrders:
    """One read of the live orders.

    ``valid`` is false while IBKR is still collecting them: then a missing order means nothing. A list
    without any word on that may be complete; who knows what was read before must tell.
    """

    orders: tuple[Order, ...]
    valid: bool


def read_live_orders(content: Any) -> LiveOrders:
    """Read live orders; empty with any ``snapshot`` but ``true`` means "not ready", never "none"."""
    if isinstance(content, Mapping):
        rows, ready = content.get("orders"), content.get("snapshot", True) is True
    else:
        rows, ready = content, True
    if not isinstance(rows, list):
        raise UnexpectedAnswer(
            "the live orders came in an unknown shape; nothing is known of them.", endpoint=LIVE
        )
    orders = tuple(order for row in rows if (order := _live_order(row)) is not None)
    return LiveOrders(orders=orders, valid=ready or bool(rows))


def is_whole(content: Any) -> bool:
    """Whether a status tells of an order at all what every order has: its side."""
    return bool(content) and not (
        isinstance(content, Mapping) and "order_status" in content and "side" not in content
    )


def read_order_status(content: Any, order_id: str) -> Order:
    """Read one order's status; ``size`` there is what remains."""
    if isinstance(content, Mapping) and isinstance(content.get(order_id), Mapping):
        content = content[order_id]
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer(f"the status of order {order_id} came in an unknown shape.", endpoint=STATUS)
    found = _text_id(content.get("order_id", content.get("orderId")))
    if found != order_id:
        raise UnexpectedAnswer(f"the status of order {order_id} came for order {found}.", endpoint=STATUS)
    side = _SIDES.get(str(content.get("side", "")).upper())
    if side is None:
        raise UnexpectedAnswer(
            f"order {order_id} has an unknown side {content.get('side')!r:.20}.", endpoint=STATUS
        )
    kind = _order_type(content.get("order_type"))
    limit = content.get("limit_price")
    price, stop = _prices(kind, content.get("price") if limit is None else limit, content.get("stop_price"))
    sizes = _quantities(
        numbers.decimal(content.get("total_size")),
        _first(content, "cum_fill", "filled_quantity"),
        _first(content, "remaining_quantity", "size"),
        STATUS,
        order_id,
    )
    return Order(
        order_id=order_id,
        account=str(content.get("account") or content.get("order_clearing_account") or ""),
        **_contract(content, STATUS, order_id),
        symbol=words_of(str(content.get("symbol") or content.get("contract_description_1") or ""), 60),
        side=side,
        order_type=kind,
        type_text=words_of(str(content.get("order_type") or ""), 40),
        state=_state(content.get("order_status"), STATUS, order_id),
        tif=_TIFS.get(str(content.get("tif") or "").upper()),
        limit_price=price,
        stop_price=stop,
        average_price=_average(content, sizes.filled, "average_price", "avg_fill_price"),
        parent_id=_text_id(content.get("parent_id")),
        oca_group=_text_id(content.get("oca_group_id")),
        outside_rth=content.get("outside_rth") if isinstance(content.get("outside_rth"), bool) else None,
        updated=numbers.utc_stamp(content.get("order_time")),
        reason=words_of(str(content.get("order_cancellation_by_system_reason") or ""), 200),
        trailing=numbers.decimal(content.get("trailing_amount", content.get("trailingAmt"))),
        trailing_unit=_unit(content.get("trailing_amount_unit", content.get("trailingType"))),
        quantity=sizes.total,
        filled=sizes.filled,
        remaining=sizes.remaining,
    )


def read_trades(content: Any) -> tuple[Fill, ...]:
    """Read trades; corrections come with an execution id of their own, repeats do not."""
    if not isinstance(content, list):
        raise UnexpectedAnswer(
            "the trades came in an unknown shape; nothing is known of them.", endpoint=TRADES
        )
    fills: dict[str, Fill] = {}
    for row in content:
        fill = _fill(row)
        if fill is not None:
            fills[fill.execution_id] = fill
    return tuple(fills.values())


def changed_order(order: Order, row: Mapping[str, Any]) -> Order:
    """An order after a row of the stream, which has only what changed.

    Rows may come late or twice: what is filled is never unfilled, and what is over stays over.
    """
    changes: dict[str, Any] = {}
    if row.get("status"):
        state = _state(row["status"], ORDER_STREAM, order.order_id)
        if state.is_over or not order.state.is_over:
            changes["state"] = state
    filled, remaining = (numbers.decimal(row.get(key)) for key in ("filledQuantity", "remainingQuantity"))
    total = numbers.decimal(row.get("totalSize"))
    if filled is None or filled >= order.filled:
        done = order.filled if filled is None else filled
        if remaining is None:
            remaining = order.remaining if filled is None and total is None else None
        if remaining is None:
            remaining = max(Decimal(0), (order.quantity if total is None else total) - done)
        changes |= {"filled": done, "remaining": remaining}
        changes["quantity"] = (
            total
            if total is not None
            else max(order.quantity if remaining == 0 else Decimal(0), done + remaining)
        )
        if done:
            changes["average_price"] = _price(_first(row, "avgPrice")) or order.average_price
    kind = _order_type(row.get("origOrderType")) or _order_type(row.get("orderType")) or order.order_type
    price, stop = _prices(kind, row.get("price"), row.get("auxPrice", row.get("stop_price")))
    told: dict[str, Any] = {
        "order_type": kind,
        "limit_price": price,
        "stop_price": stop,
        "tif": _TIFS.get(str(row.get("timeInForce") or "").upper()),
        "coid": _text_id(row.get("order_ref")),
        "parent_id": _text_id(row.get("parentId")),
        "reason": words_of(str(row.get("order_cancellation_by_system_reason") or ""), 200),
        "updated": numbers.moment(row.get("lastExecutionTime_r")),
        "trailing": numbers.decimal(row.get("trailingAmt")),
        "trailing_unit": _unit(row.get("trailingType")),
    }
    return attrs.evolve(order, **changes, **{name: value for name, value in told.items() if value})


def _live_order(row: Any) -> Order | None:
    if not isinstance(row, Mapping):
        raise UnexpectedAnswer("a row of the live orders is no object.", endpoint=LIVE)
    order_id = _text_id(row.get("orderId", row.get("order_id")))
    if order_id is None:
        raise UnexpectedAnswer("a row of the live orders has no order id.", endpoint=LIVE)
    word = str(row.get("side", "")).upper()
    if word in _NOT_ORDERED:
        return None
    side = _SIDES.get(word)
    if side is None:
        raise UnexpectedAnswer(f"order {order_id} has an unknown side {word!r:.20}.", endpoint=LIVE)
    kind = _order_type(row.get("origOrderType")) or _order_type(row.get("orderType"))
    price, stop = _prices(kind, row.get("price"), row.get("auxPrice", row.get("stop_price")))
    sizes = _quantities(
        numbers.decimal(row.get("totalSize")),
        numbers.decimal(row.get("filledQuantity")),
        numbers.decimal(row.get("remainingQuantity")),
        LIVE,
        order_id,
    )
    return Order(
        order_id=order_id,
        account=str(row.get("acct") or row.get("account") or ""),
        **_contract(row, LIVE, order_id),
        symbol=words_of(str(row.get("ticker") or row.get("description1") or ""), 60),
        side=side,
        order_type=kind,
        type_text=words_of(str(row.get("orderType") or row.get("origOrderType") or ""), 40),
        state=_state(row.get("status"), LIVE, order_id),
        tif=_TIFS.get(str(row.get("timeInForce") or "").upper()),
        limit_price=price,
        stop_price=stop,
        average_price=_average(row, sizes.filled, "avgPrice"),
        coid=_text_id(row.get("order_ref")),
        parent_id=_text_id(row.get("parentId")),
        oca_group=_text_id(row.get("ocaGroupId")),
        outside_rth=row.get("outsideRTH") if isinstance(row.get("outsideRTH"), bool) else None,
        reason=words_of(str(row.get("order_cancellation_by_system_reason") or ""), 200),
        updated=numbers.moment(row.get("lastExecutionTime_r"))
        or numbers.utc_stamp(row.get("lastExecutionTime")),
        trailing=numbers.decimal(row.get("trailingAmt")),
        trailing_unit=_unit(row.get("trailingType")),
        quantity=sizes.total,
        filled=sizes.filled,
        remaining=sizes.remaining,
    )


def _fill(row: Any) -> Fill | None:
    if not isinstance(row, Mapping):
        raise UnexpectedAnswer("a row of the trades is no object.", endpoint=TRADES)
    execution_id = _text_id(row.get("execution_id"))
    quantity, price = numbers.decimal(row.get("size")), numbers.decimal(row.get("price"))
    word = str(row.get("side", "")).upper()
    if word in _NOT_ORDERED:
        return None
    side = _SIDES.get(word)
    if execution_id is None or quantity is None or price is None or side is None:
        raise UnexpectedAnswer(
            "a row of the trades lacks its execution id, side, size or price; no fill was guessed.",
            endpoint=TRADES,
        )
    return Fill(
        execution_id=execution_id,
        order_id=_text_id(row.get("order_id")),
        coid=_text_id(row.get("order_ref")),
        account=str(row.get("account") or row.get("accountCode") or ""),
        conid=_conid(row, TRADES, execution_id),
        symbol=words_of(str(row.get("symbol") or ""), 60),
        side=side,
        quantity=abs(quantity),
        price=price,
        commission=numbers.decimal(row.get("commission")),
        time=numbers.moment(row.get("trade_time_r")) or numbers.utc_stamp(row.get("trade_time")),
        exchange=words_of(str(row.get("exchange") or ""), 40),
        sec_type=SecType(row.get("sec_type") or row.get("secType") or ""),
    )


@attrs.frozen(kw_only=True)
class _Quantities:
    total: Decimal
    filled: Decimal
    remaining: Decimal


def _quantities(
    total: Decimal | None, filled: Decimal | None, remaining: Decimal | None, endpoint: str, order_id: str
) -> _Quantities:
    if total is None and filled is not None and remaining is not None:
        total = filled + remaining
    if filled is None and total is not None and remaining is not None:
        filled = total - remaining
    if remaining is None and total is not None and filled is not None:
        remaining = total - filled
    if total is None or filled is None or remaining is None:
        raise UnexpectedAnswer(
            f"order {order_id} came without its quantities; none was guessed.", endpoint=endpoint
        )
    return _Quantities(total=total, filled=filled, remaining=remaining)


def _state(word: Any, endpoint: str, order_id: str) -> OrderState:
    state = _STATES.get(re.sub(r"[\s_-]", "", word.lower())) if isinstance(word, str) else None
    if state is None:
        raise UnexpectedAnswer(
            f"order {order_id} is in a state nobody knows ({str(word)!r:.40}); it was not guessed.",
            endpoint=endpoint,
        )
    return state


def _order_type(word: Any) -> OrderType | None:
    return OrderType.named(word or "")


def _price(value: Any) -> Decimal | None:
    price = numbers.decimal(value)
    # An unset price is written as an empty text or as zero; no order has a price of zero here.
    return None if price == 0 else price


def _prices(kind: OrderType | None, price: Any, stop: Any) -> tuple[Decimal | None, Decimal | None]:
    """The limit and the stop that an order of this kind has; rows repeat one in the other's place."""
    limit, trigger = _price(price), _price(stop)
    if kind is None:
        return limit, trigger
    if kind is OrderType.STOP and trigger is None:
        # A plain stop has one price, and it was sent as ``price``.
        trigger = limit
    return limit if kind.has_limit else None, trigger if kind.needs_stop or kind.trails else None


def _average(row: Mapping[str, Any], filled: Decimal, *keys: str) -> Decimal | None:
    return _price(_first(row, *keys)) if filled else None


def _first(row: Mapping[str, Any], *keys: str) -> Decimal | None:
    return next((value for key in keys if (value := numbers.decimal(row.get(key))) is not None), None)


def _unit(value: Any) -> TrailingUnit | None:
    word = str(value or "").strip().lower()
    return {"%": TrailingUnit.PERCENT, "amt": TrailingUnit.AMOUNT}.get(word)


def _contract(row: Mapping[str, Any], endpoint: str, name: str) -> dict[str, Any]:
    """What is traded; a combination may come without a contract id of its own."""
    conidex = numbers.text(row.get("conidex", row.get("conidEx")))
    combo = read_conidex(conidex)
    sec_type = SecType(row.get("secType") or row.get("sec_type") or "")
    if combo is None:
        return {"conid": _conid(row, endpoint, name), "sec_type": sec_type}
    return {
        "conid": numbers.conid(row.get("conid")) or combo.spread_conid,
        "sec_type": SecType.COMBO,
        "legs": combo.legs,
        "conidex": conidex,
    }


def _conid(row: Mapping[str, Any], endpoint: str, name: str) -> int:
    conid = numbers.conid(row.get("conid"))
    if conid is None:
        raise UnexpectedAnswer(f"{name} came without a contract id.", endpoint=endpoint)
    return conid


def _text_id(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip() or None
