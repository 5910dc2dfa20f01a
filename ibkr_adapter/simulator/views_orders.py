"""Orders, statuses and trades in the JSON of three endpoints that agree on little.

The same notion has another name, type and vocabulary in live orders, in order status and in
trades (``orderId`` int, ``order_id`` int, ``order_id`` text; "CLOSE" for a day order in one,
"DAY" in the next); each is written down here once, after the recorded answers.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ibkr_adapter.simulator import combos
from ibkr_adapter.simulator.contract_names import second_line
from ibkr_adapter.simulator.figures import (
    cents,
    decimal_text,
    long_stamp,
    milliseconds,
    number,
    places_of,
    price_text,
    quantity_text,
    short_stamp,
    shortened,
)
from ibkr_adapter.simulator.order import Execution, Order, Status

_SPOKEN = {
    "MKT": "Market",
    "LMT": "Limit",
    "STP": "Stop",
    "STOP_LIMIT": "Stop Limit",
    "TRAIL": "Trailing Stop",
    "TRAILLMT": "Trailing Stop Limit",
    "MOC": "Market on Close",
    "LOC": "Limit on Close",
    "MIT": "Market if Touched",
    "LIT": "Limit if Touched",
    "REL": "Relative",
    "MIDPRICE": "Midprice",
}
_FIX_CODES = {
    Status.FILLED: "2",
    Status.CANCELLED: "4",
    Status.PENDING_CANCEL: "6",
    Status.INACTIVE: "8",
    Status.PENDING_SUBMIT: "A",
}
_UNCHANGEABLE = frozenset({Status.FILLED, Status.CANCELLED, Status.PENDING_CANCEL})
_COLOURS = {Status.FILLED: "#000000", Status.CANCELLED: "#AAAAAA"}


def acknowledgement(order: Order) -> dict[str, Any]:
    """The element that says an order was accepted."""
    row: dict[str, Any] = {"order_id": str(order.order_id)}
    if order.ticket.coid is not None:
        row["local_order_id"] = order.ticket.coid
    if order.parent_id is not None:
        row["parent_order_id"] = str(order.parent_id)
    return {**row, "order_status": order.status.value, "encrypt_message": "1"}


def spoken_type(order: Order) -> str:
    """The order type in the words of descriptions."""
    return _SPOKEN[order.ticket.order_type]


def _price_of(order: Order) -> Decimal | None:
    return order.limit if order.limit is not None else order.stop


def description(order: Order, *, with_symbol: bool = False) -> str:
    """The sentence that describes an order: ``Buy 1 Limit 457.00, GTC``."""
    ticket = order.ticket
    filled = order.status is Status.FILLED
    verb = ("Bought" if filled else "Buy") if ticket.is_buy else ("Sold" if filled else "Sell")
    tif = "Day" if ticket.tif == "DAY" else ticket.tif
    price = _price_of(order)
    words = [verb, quantity_text(order.quantity)]
    if with_symbol:
        words.append(ticket.instrument.symbol)
    words.append(spoken_type(order))
    if price is not None:
        words.append(price_text(price, ticket.instrument.tick_at(price)))
    return f"{' '.join(words)}, {tif}"


def size_and_fills(order: Order) -> str:
    """The prose of sizes: filled/remaining, or the whole size once it is done."""
    if _in_money(order):
        amount = shortened(order.ticket.cash_quantity or Decimal(0))
        return f"{amount} {order.ticket.instrument.currency}"
    if order.status is Status.FILLED:
        return quantity_text(order.quantity)
    return f"{quantity_text(order.filled)}/{quantity_text(order.remaining)}"


def _in_money(order: Order) -> bool:
    """Tell whether an order for a pair is sized in the currency it is paid in."""
    return order.ticket.instrument.base is not None and order.ticket.cash_quantity is not None


def _filled(order: Order) -> Decimal:
    """What is filled; of a pair sized in money, as documented, the money."""
    return cents(order.paid) if _in_money(order) else order.filled


def _listing(order: Order) -> str:
    return "FXCONV" if order.ticket.converts else order.ticket.instrument.tape


def _average(order: Order) -> str:
    """The average price, with the digits of the tick where they are more than cents."""
    average = order.average or Decimal(0)
    places = places_of(order.ticket.instrument.tick_at(average))
    return price_text(average.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP), Decimal(1).scaleb(-places))


def live_row(order: Order) -> dict[str, Any]:
    """One row of live orders."""
    ticket, instrument = order.ticket, order.ticket.instrument
    tick = instrument.tick_at(instrument.price)
    row: dict[str, Any] = {
        "acct": ticket.account,
        "account": ticket.account,
        "conidex": ticket.conidex,
        "conid": instrument.conid,
        "orderId": order.order_id,
        "cashCcy": instrument.currency,
        "sizeAndFills": size_and_fills(order),
        "orderDesc": description(order),
        "description1": instrument.symbol,
        "ticker": instrument.ticker,
        "secType": instrument.sec_type,
        "listingExchange": _listing(order),
        "remainingQuantity": number(order.remaining),
        "filledQuantity": number(_filled(order)),
        "totalSize": number(order.quantity),
        "companyName": instrument.name,
        "status": order.status.value,
        "order_ccp_status": _spoken_status(order),
        "origOrderType": spoken_type(order).upper(),
        "supportsTaxOpt": "0" if instrument.base else "1",
        "lastExecutionTime": short_stamp(order.changed),
        "orderType": spoken_type(order),
        "bgColor": "#FFFFFF",
        "fgColor": _COLOURS.get(order.status, "#0000CC"),
        "isEventTrading": "0",
        "price": price_text(order.limit if order.limit is not None else order.stop, tick),
        "timeInForce": "CLOSE" if ticket.tif == "DAY" else ticket.tif,
        "lastExecutionTime_r": milliseconds(order.changed) // 1000 * 1000,
        "side": ticket.side,
    }
    return {**row, **_sometimes(order, tick)}


def _sometimes(order: Order, tick: Decimal) -> dict[str, Any]:
    """The keys that only some rows have."""
    row = _of_the_class(order)
    if order.ticket.coid is not None:
        row["order_ref"] = order.ticket.coid
    if order.average is not None:
        row["avgPrice"] = _average(order)
    if order.parent_id is not None:
        row["parentId"] = order.parent_id
    if order.group is not None:
        row["ocaGroupId"] = order.group
    if order.limit is not None and order.stop is not None:
        # Guess: the stop of a two-price order has a key of its own.
        row["auxPrice"] = price_text(order.stop, tick)
    if order.ticket.outside_rth:
        row["outsideRTH"] = True
    if order.reason is not None:
        row["order_cancellation_by_system_reason"] = order.reason
    return row


def _of_the_class(order: Order) -> dict[str, Any]:
    """The keys that depend on the class and on how the order was sized."""
    row: dict[str, Any] = {}
    instrument, second = order.ticket.instrument, _second(order)
    if instrument.sec_type != "STK":
        row["exchange"] = instrument.exchange
    if second is not None:
        row["description2"] = second
    if order.ticket.cash_quantity is not None:
        row["totalCashSize"] = number(order.ticket.cash_quantity)
    return row


def _second(order: Order) -> str | None:
    instrument = order.ticket.instrument
    return combos.description(instrument) if instrument.legs else second_line(instrument)


def _spoken_status(order: Order) -> str:
    # The exchange's view: a held order is submitted for it, as recorded.
    if order.status is Status.PRE_SUBMITTED:
        return "Submitted"
    return order.status.value


def status_body(order: Order, request_id: int) -> dict[str, Any]:
    """The answer of order status; every figure is text."""
    ticket, instrument = order.ticket, order.ticket.instrument
    tick = instrument.tick_at(instrument.price)
    fixed = order.status in _UNCHANGEABLE
    shown = price_text(_price_of(order), tick)
    body: dict[str, Any] = {
        "sub_type": None,
        "request_id": str(request_id),
        "server_id": "0",
        "order_id": order.order_id,
        "conidex": ticket.conidex,
        "conid": instrument.conid,
        "symbol": instrument.symbol,
        "side": "B" if ticket.is_buy else "S",
        "contract_description_1": instrument.symbol,
        "listing_exchange": instrument.tape,
        "option_acct": "c",
        "company_name": instrument.name,
        "size": decimal_text(order.remaining),
        "total_size": decimal_text(order.quantity),
        "currency": instrument.currency,
        "account": ticket.account,
        "order_type": spoken_type(order).upper(),
        "limit_price": price_text(order.limit, tick),
        "cum_fill": decimal_text(order.filled),
        "order_status": order.status.value,
        "order_ccp_status": _FIX_CODES.get(order.status, "1" if order.filled else "0"),
        "order_status_description": f"Order {order.status.value}",
        "tif": ticket.tif,
        "fg_color": "#FFFFFF",
        "bg_color": _COLOURS.get(order.status, "#0000CC"),
        "order_not_editable": fixed,
        "editable_fields": "" if fixed else "\u001e",
        "cannot_cancel_order": fixed,
        "outside_rth": ticket.outside_rth,
        "deactivate_order": ticket.deactivated,
        "use_price_mgmt_algo": False,
        "sec_type": instrument.sec_type,
        "available_chart_periods": "#R|1",
        "order_description": description(order),
        "order_description_with_contract": description(order, with_symbol=True),
        "alert_active": 1,
        "child_order_type": "0" if order.parent_id is None else "3",
        "order_clearing_account": ticket.account,
        "size_and_fills": size_and_fills(order),
        "exit_strategy_display_price": shown,
        "exit_strategy_chart_description": description(order),
        "exit_strategy_tool_availability": "1",
        "allowed_duplicate_opposite": True,
        "order_time": short_stamp(order.entered),
    }
    second = _second(order)
    if second is not None:
        body["contract_description_2"] = second
    if order.stop is not None:
        body["stop_price"] = price_text(order.stop, tick)
    if order.average is not None:
        body["average_price"] = _average(order)
    if order.group is not None:
        body["oca_group_id"] = order.group
    return body


def trade_row(execution: Execution) -> dict[str, Any]:
    """One row of trades."""
    order, instrument = execution.order, execution.instrument
    buys = execution.side == "BUY"
    price = price_text(execution.price, instrument.tick_at(execution.price))
    words = f"{'Bought' if buys else 'Sold'} {quantity_text(execution.quantity)} @ {price}"
    row: dict[str, Any] = {
        "execution_id": execution.execution_id,
        "symbol": instrument.symbol,
        "supports_tax_opt": "1",
        "side": "B" if buys else "S",
        "order_description": f"{words} on {execution.exchange}",
        "trade_time": long_stamp(execution.moment),
        "trade_time_r": milliseconds(execution.moment) // 1000 * 1000,
        "size": number(execution.quantity),
        "price": price,
        "submitter": "simulated",
        "exchange": execution.exchange,
        "commission": price_text(execution.commission),
        "net_amount": number(execution.amount, 2),
        "account": execution.account,
        "accountCode": execution.account,
        "account_allocation_name": execution.account,
        "company_name": instrument.name,
        "contract_description_1": instrument.symbol,
        "sec_type": instrument.sec_type,
        "listing_exchange": instrument.tape,
        "conid": instrument.conid,
        "conidEx": str(instrument.conid) if order.ticket.instrument.legs else order.ticket.conidex,
        "position": quantity_text(execution.position_after),
        "clearing_id": "IB",
        "clearing_name": "IB",
        "liquidation_trade": "0",
        "is_event_trading": "0",
        "order_id": order.order_id,
    }
    second = second_line(instrument)
    if second is not None:
        row["contract_description_2"] = second
    if order.ticket.coid is not None:
        row["order_ref"] = order.ticket.coid
    return row


def ledger_row(order: Order) -> dict[str, Any]:
    """One order as the control room tells it, in plain words and exact figures."""
    ticket = order.ticket
    return {
        "order_id": order.order_id,
        "coid": ticket.coid,
        "account": ticket.account,
        "conid": ticket.instrument.conid,
        "symbol": ticket.instrument.symbol,
        "side": ticket.side,
        "order_type": ticket.order_type,
        "tif": ticket.tif,
        "quantity": number(order.quantity),
        "status": order.status.value,
        "filled": number(order.filled),
        "average_price": None if order.average is None else number(order.average, 6),
        "parent_id": order.parent_id,
        "group": order.group,
        "limit": None if order.limit is None else number(order.limit),
        "stop": None if order.stop is None else number(order.stop),
        "outside_rth": ticket.outside_rth,
        "entered": order.entered.isoformat(),
        "changed": order.changed.isoformat(),
        "reason": order.reason,
        "questions": list(order.questions),
        "foreign": order.foreign,
    }
