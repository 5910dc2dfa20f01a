"""Write tickets as IBKR takes them: to place, to preview, to modify; and what a cancel carries.

Keys, values and types of JSON are all checked over there: numbers are numbers, nothing is null, and
the size and the contract are each written in one way only. What comes back is for
:mod:`ibkr_adapter.wire.orders`.

Source: Web API reference, "Place Order", "Modify Order", "Cancel Order", "Combo Orders", "Cash Quantity
Orders"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.algos import ChosenAlgo
from ibkr_adapter.model.kinds import LARGEST_POWER
from ibkr_adapter.model.order import OrderType, Origin, Ticket


def number(value: Decimal) -> int | float:
    """Write a decimal as the JSON number that IBKR demands, or refuse if none is exactly it."""
    if not value.is_finite() or abs(value.adjusted()) > LARGEST_POWER:
        raise InvalidOrder(f"{value!s:.40} is no price or quantity; nothing was sent.")
    if value == value.to_integral_value():
        return int(value)
    written = float(value)
    if Decimal(repr(written)) != value:
        raise InvalidOrder(f"{value!s:.80} has more digits than IBKR can be sent; nothing was sent.")
    return written


def ticket_body(ticket: Ticket) -> dict[str, Any]:
    """Write one ticket, leaving out what is unset: IBKR takes no nulls.

    The stop price of a plain stop goes into ``price``; only the types with both prices put it
    into ``auxPrice``. A combination has no ``conid`` beside its ``conidex``: it would be routed by
    that alone.
    """
    body: dict[str, Any] = {
        "acctId": ticket.account,
        **_instrument(ticket),
        "orderType": ticket.order_type.value,
        "side": ticket.side.value,
        **_size(ticket),
        "tif": ticket.tif.value,
    }
    if ticket.limit_price is not None:
        body["price"] = number(ticket.limit_price)
    if ticket.stop_price is not None:
        both = ticket.order_type in {OrderType.STOP_LIMIT, OrderType.TRAIL_LIMIT}
        body["auxPrice" if both else "price"] = number(ticket.stop_price)
    if ticket.trailing is not None and ticket.trailing_unit is not None:
        body["trailingAmt"] = number(ticket.trailing)
        body["trailingType"] = ticket.trailing_unit.value
    if ticket.coid is not None:
        body["cOID"] = ticket.coid
    if ticket.parent_coid is not None:
        body["parentId"] = ticket.parent_coid
    if ticket.single_group:
        body["isSingleGroup"] = True
    if ticket.outside_rth:
        body["outsideRTH"] = True
    if ticket.origin is not None:
        body |= _origin(ticket.origin)
    if ticket.algo is not None:
        body |= _algo(ticket.algo)
    return body


def _instrument(ticket: Ticket) -> dict[str, Any]:
    # A ``conid`` beside a ``conidex`` would send the order the usual way in spite of it.
    if ticket.conidex is not None:
        return {"conidex": ticket.conidex}
    if ticket.route is not None:
        return {"conidex": f"{ticket.conid}@{ticket.route}"}
    return {"conid": ticket.conid}


def place_body(tickets: Iterable[Ticket]) -> dict[str, Any]:
    """Wrap tickets for placing or for a preview: a bare array is refused."""
    return {"orders": [ticket_body(ticket) for ticket in tickets]}


def modify_body(ticket: Ticket) -> dict[str, Any]:
    """Write the bare, whole ticket that a modification takes."""
    return ticket_body(ticket)


def body_hash(body: Any) -> str:
    """Tell bodies apart without keeping them: equal ones have equal hashes, however they are ordered."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def cancel_query(origin: Origin | None) -> dict[str, Any] | None:
    """Write what a cancel carries beside its address; ``None`` where that is nothing."""
    return None if origin is None else _origin(origin)


def _size(ticket: Ticket) -> dict[str, Any]:
    if ticket.fx_quantity is not None:
        return {"fxQty": number(ticket.fx_quantity), "isCcyConv": True}
    if ticket.cash_quantity is not None:
        return {"cashQty": number(ticket.cash_quantity)}
    return {"quantity": number(ticket.units)}


def _algo(chosen: ChosenAlgo) -> dict[str, Any]:
    body: dict[str, Any] = {"strategy": chosen.algo_id}
    if chosen.parameters:
        body["strategyParameters"] = {
            name: number(value) if isinstance(value, Decimal) else value for name, value in chosen.parameters
        }
    return body


def _origin(origin: Origin) -> dict[str, Any]:
    return {"manualIndicator": origin.manual, "extOperator": origin.operator}
