"""What the class of an instrument forbids in an order, beyond types and times in force.

Knows what cannot be traded at all, which of the three sizes (a quantity, money, an amount to
convert) a class takes, and what US futures must say about who places them. That such orders are
refused is documented or reported; the words are guesses, but for those of the coins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order_rules import needs_operator, rules_of
from ibkr_adapter.simulator.refusals import RefusalError

_SIZES = ("quantity", "cashQty", "fxQty")
_OPERATOR_FIELDS = {
    "both": ("manualIndicator", "extOperator"),
    "indicator": ("manualIndicator",),
    "none": (),
}


def refuse_untradable(instrument: Instrument, conidex: str, now: datetime) -> None:
    """Refuse what nobody can trade: an index, a contract that has ended, a venue it is not at.

    Raises:
        RefusalError: It cannot be traded.
    """
    if not rules_of(instrument).types:
        raise _refused("This instrument cannot be traded.")
    if instrument.is_over(now):
        raise _refused("This contract has expired and can no longer be traded.")
    exchange = conidex.partition("@")[2]
    if not instrument.legs and exchange and exchange not in instrument.valid_exchanges.split(","):
        raise _refused(f"Invalid destination exchange specified: {exchange}")


def refuse_unfit(row: Mapping[str, Any], instrument: Instrument) -> None:
    """Refuse a size that the class does not take.

    Raises:
        RefusalError: It is sized in a way of another class, in two ways, or not at all.
    """
    given = [name for name in _SIZES if name in row]
    order_type, rules = row["orderType"], rules_of(instrument)
    converts = bool(row.get("isCcyConv", False))
    if len(given) != 1 or (given == ["fxQty"] and not converts):
        raise _refused("Invalid order size fields")
    if converts and instrument.base is None:
        raise _refused("Only a pair of currencies can be converted.")
    if given == ["cashQty"] and order_type not in rules.cash:
        raise _refused("Invalid order size fields")
    market_buy = order_type == "MKT" and row["side"] == "BUY"
    if instrument.sec_type == "CRYPTO" and market_buy and given != ["cashQty"]:
        raise _refused("You must set Cash Quantity for this order.")


def refuse_anonymous(instrument: Instrument, fields: Collection[str], wanted: str) -> None:
    """Refuse an order or a cancel for US futures that does not say who places it.

    Args:
        instrument: What it is for.
        fields: The names of the fields that came with it.
        wanted: The option that says which are needed.

    Raises:
        RefusalError: A needed field is missing.
    """
    if not needs_operator(instrument):
        return
    for field in _OPERATOR_FIELDS[wanted]:
        if field not in fields:
            raise _refused(f"Order rejected: {field} is required for US futures products.")


def _refused(text: str) -> RefusalError:
    return RefusalError(answers.refusal(text))
