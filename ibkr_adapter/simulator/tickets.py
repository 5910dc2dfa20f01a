"""Read the tickets of an order request as strictly as IBKR does.

Knows every ticket field with its JSON type, which prices an order type needs, which times in
force and sessions it allows, and in which of three ways a bad ticket is turned down: an HTTP
error for the whole request, an ``{"error"}`` with status 200, or a refusal dressed as an
acknowledgement (order id -1) for one ticket of several. What a class of instrument allows is in
:mod:`.order_rules`, what it forbids in :mod:`.class_checks`; money and margin are checked elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.class_checks import refuse_unfit, refuse_untradable
from ibkr_adapter.simulator.combos import MARK, combination
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import NOTHING, TRAILING_TYPES, Ticket
from ibkr_adapter.simulator.order_rules import rules_of, size_step
from ibkr_adapter.simulator.refusals import RefusalError, Rejection

_NUMBER = (int, Decimal)
# Above, nothing is a size or a price: exact sums of it would be wrong.
_LARGEST = Decimal(10) ** 15
_FIELDS: dict[str, tuple[type, ...]] = {
    "acctId": (str,),
    "conid": (int,),
    "conidex": (str,),
    "secType": (str,),
    "orderType": (str,),
    "side": (str,),
    "quantity": _NUMBER,
    "tif": (str,),
    "price": _NUMBER,
    "auxPrice": _NUMBER,
    "trailingAmt": _NUMBER,
    "trailingType": (str,),
    "cOID": (str,),
    "parentId": (str,),
    "isSingleGroup": (bool,),
    "outsideRTH": (bool,),
    "allOrNone": (bool,),
    "listingExchange": (str,),
    "ticker": (str,),
    "referrer": (str,),
    "cashQty": _NUMBER,
    "fxQty": _NUMBER,
    "isCcyConv": (bool,),
    "useAdaptive": (bool,),
    "allocationMethod": (str,),
    "strategy": (str,),
    "strategyParameters": (dict,),
    "manualIndicator": (bool,),
    "extOperator": (str,),
    "manualOrderTime": (int,),
    "deactivated": (bool,),
    "customerAccount": (str,),
    "isProCustomer": (bool,),
    "taxOptimizerId": (str,),
    "jsonPayload": (dict,),
    "isClose": (bool,),
}
# Which price fields a type must have and may have besides.
_PRICES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "MKT": (frozenset(), frozenset({"price"})),
    "MOC": (frozenset(), frozenset({"price"})),
    "LMT": (frozenset({"price"}), frozenset()),
    "LOC": (frozenset({"price"}), frozenset()),
    "STP": (frozenset({"price"}), frozenset()),
    "MIT": (frozenset({"price"}), frozenset()),
    "STOP_LIMIT": (frozenset({"price", "auxPrice"}), frozenset()),
    "LIT": (frozenset({"price", "auxPrice"}), frozenset()),
    "TRAIL": (frozenset({"trailingAmt", "trailingType"}), frozenset({"price"})),
    "TRAILLMT": (frozenset({"price", "auxPrice", "trailingAmt", "trailingType"}), frozenset()),
    "REL": (frozenset(), frozenset({"price"})),
    "MIDPRICE": (frozenset(), frozenset({"price"})),
}
_PRICE_FIELDS = frozenset({"price", "auxPrice", "trailingAmt", "trailingType"})
_WRONG_TYPE = "orders request includes parameter with incorrect type"


def decode(body: bytes) -> Any:
    """Read a JSON body with exact decimals; an empty body is an empty object.

    Raises:
        RefusalError: It is not JSON, or holds a number that is none.
    """
    if not body.strip():
        return {}
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # the latter for brackets within brackets without end
        text = "java.lang.Exception: invalid request content"
        raise RefusalError(answers.refusal(text, 500)) from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def ticket_list(body: Any) -> list[dict[str, Any]]:
    """Take the tickets out of their wrapper.

    Raises:
        RefusalError: The wrapper is missing, or a field has the wrong JSON type.
    """
    rows = body.get("orders") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        raise RefusalError(answers.refusal("Missing order parameters", 400))
    for row in rows:
        check_types(row)
    return rows


def check_types(row: Any) -> None:
    """Check the JSON types of one ticket; unknown keys pass.

    Raises:
        RefusalError: A known field has another type, or is null.
    """
    if not isinstance(row, dict):
        raise RefusalError(answers.refusal(_WRONG_TYPE, 400))
    for name, kinds in _FIELDS.items():
        if name not in row:
            continue
        value = row[name]
        # In Python a boolean is an int; in JSON it is not.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise RefusalError(answers.refusal(_WRONG_TYPE, 400))
        # Guess: no source tells of a number that is too large.
        if kinds is _NUMBER and abs(row[name]) > _LARGEST:
            raise RefusalError(answers.refusal(_WRONG_TYPE, 400))


@attrs.frozen(kw_only=True)
class TicketReader:
    """Turn checked rows into tickets for one account.

    ``last`` tells the price that a size in money is divided by.
    """

    catalogue: Catalogue
    accounts: tuple[str, ...]
    account: str
    fractions: bool
    last: Callable[[Instrument], Decimal]
    now: datetime

    def read(self, row: Mapping[str, Any]) -> Ticket | Rejection:
        """Read one ticket.

        Raises:
            RefusalError: Refused before an order exists.
        """
        account = row.get("acctId", self.account)
        if account not in self.accounts or account != self.account:
            raise RefusalError(answers.bad_request(f"accountId is not valid: {account}"))
        instrument, conidex = self._instrument(row)
        refuse_untradable(instrument, conidex, self.now)
        order_type, side, tif = self._words(row, instrument)
        refuse_unfit(row, instrument)
        quantity = self._quantity(row, instrument)
        ticket = Ticket(
            account=account,
            instrument=instrument,
            conidex=conidex,
            order_type=order_type,
            side=side,
            quantity=quantity,
            tif=tif,
            price=_decimal(row.get("price")) if order_type not in {"MKT", "MOC"} else None,
            aux_price=_decimal(row.get("auxPrice")),
            trailing_amount=_decimal(row.get("trailingAmt")),
            trailing_type=row.get("trailingType"),
            coid=row.get("cOID"),
            parent=row.get("parentId"),
            single_group=row.get("isSingleGroup", False),
            outside_rth=row.get("outsideRTH", False),
            all_or_none=row.get("allOrNone", False),
            cash_quantity=_decimal(row.get("cashQty", row.get("fxQty"))),
            converts=row.get("isCcyConv", False),
            deactivated=row.get("deactivated", False),
            keys=frozenset(row),
        )
        return self._rejection(ticket) or ticket

    def _instrument(self, row: Mapping[str, Any]) -> tuple[Instrument, str]:
        if "conid" in row:
            conid, conidex = row["conid"], str(row["conid"])
        else:
            conidex = row.get("conidex", "")
            if MARK in conidex:
                return combination(conidex, self.catalogue.find), conidex
            number = whole(conidex.partition("@")[0])
            if number is None:
                raise RefusalError(answers.bad_request("Conid(s) missing"))
            conid = number
        instrument = self.catalogue.find(conid)
        if instrument is None:
            # The text is a guess; that nothing was sent and the status is 200 was observed.
            raise RefusalError(answers.refusal(f"Invalid conid: {conid}"))
        return instrument, conidex

    @staticmethod
    def _words(row: Mapping[str, Any], instrument: Instrument) -> tuple[str, str, str]:
        order_type, side, tif = (row.get(name, "") for name in ("orderType", "side", "tif"))
        rules = rules_of(instrument)
        # The texts of these refusals are guesses, but for the price fields and the coins.
        if side not in {"BUY", "SELL"}:
            raise RefusalError(answers.refusal(f"Invalid order side: {side}"))
        if order_type not in rules.types:
            raise RefusalError(answers.refusal(f"Invalid order type: {order_type}"))
        if order_type not in rules.tifs.get(tif, ()):
            coin = instrument.sec_type == "CRYPTO" and order_type == "MKT"
            text = (
                "The crypto MKT order must be IOC"
                if coin
                else f"Invalid time in force {tif} for {order_type}"
            )
            raise RefusalError(answers.refusal(text))
        needed, optional = _PRICES[order_type]
        present = _PRICE_FIELDS & row.keys()
        wrong = present - needed - optional or needed - present
        if wrong or row.get("trailingType", "amt") not in {"amt", "%"}:
            raise RefusalError(answers.refusal("Invalid order price fields"))
        if row.get("outsideRTH") and order_type not in rules.outside:
            text = "invalid order attribute : Outside Regular Trading Hours"
            raise RefusalError(answers.refusal(text))
        return order_type, side, tif

    def _quantity(self, row: Mapping[str, Any], instrument: Instrument) -> Decimal:
        if "quantity" in row:
            return Decimal(row["quantity"])
        amount = Decimal(row.get("cashQty", row.get("fxQty", 0)))
        step = size_step(instrument, fractions=self.fractions)
        return (amount / self.last(instrument) // step) * step

    def _rejection(self, ticket: Ticket) -> Rejection | None:
        step = size_step(ticket.instrument, fractions=self.fractions)
        if ticket.quantity <= 0 or ticket.quantity % step:
            return self._size_rejection(ticket, step)
        for price in (ticket.price, ticket.aux_price):
            if price is None:
                continue
            tick = ticket.instrument.tick_at(price)
            # The net price of a combination may be a credit.
            if price % tick or (price <= 0 and not ticket.instrument.legs):
                text = f"The price, {price}, does not conform to the minimum variation of {tick} for this contract."
                return Rejection(text=text, parent=ticket.parent)
        if ticket.order_type in TRAILING_TYPES and (ticket.trailing_amount or NOTHING) <= 0:
            return Rejection(text="Invalid trailing amount.", parent=ticket.parent)
        return None

    @staticmethod
    def _size_rejection(ticket: Ticket, step: Decimal) -> Rejection:
        size = f"The size, {ticket.quantity}, does not conform"
        text = f"{size} to the minimum variation of {step.normalize():f} for this contract."
        return Rejection(text=text, parent=ticket.parent)


def _decimal(value: int | Decimal | None) -> Decimal | None:
    return None if value is None else Decimal(value)
