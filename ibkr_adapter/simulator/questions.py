"""What the broker asks before it takes an order, and in which words.

Knows the message ids and texts that were published or recorded and the condition under which
each is asked here. Two pairs of ids (o10151 and o10164, o10153 and o10223) are documented one
way and were seen the other way round on a real account; an option swaps them. How a question is
answered is for :mod:`.dialogue`.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from ibkr_adapter.simulator.figures import price_text, quantity_text
from ibkr_adapter.simulator.order import STOP_TYPES, Ticket

if TYPE_CHECKING:
    from ibkr_adapter.simulator.options import Options

_SURE = "Are you sure you want to submit this order?"
_SWAPS = {"o10151": "o10164", "o10164": "o10151", "o10153": "o10223", "o10223": "o10153"}
_HUNDRED = Decimal(100)

STOP_TEXT = (
    "You are about to submit a stop order. Please be aware of the various stop order types "
    f"available and the risks associated with each one.\n{_SURE}"
)
NO_DATA_TEXT = (
    "You are submitting an order without market data. We strongly recommend against this as it "
    f"may result in erroneous and unexpected trades.\n{_SURE}"
)
CAP_TEXT = (
    "<h4>Confirm Mandatory Cap Price</h4>To avoid trading at a price that is not consistent with "
    "a fair and orderly market, IB may set a cap (for a buy order) or sell order). THIS MAY CAUSE "
    "AN ORDER THAT WOULD OTHERWISE BE MARKETABLE TO NOT BE TRADED."
)
CASH_TEXT = (
    "<h4>Cash Quantity Order Confirmation</h4>Orders that express size using a monetary value "
    "(cash quantity) are provided on a non-guaranteed basis."
)
LIQUIDITY_TEXT = (
    "This security has limited liquidity. If you choose to trade this security, there is a "
    "heightened risk that you may not be able to close your position at the time you wish, at a "
    f"price you wish, and/or without incurring a loss.\n{_SURE}"
)
AT_ONCE_TEXT = f"This order will most likely trigger and fill immediately.\n{_SURE}"
# Guess: no source prints the market-order text in full.
MARKET_TEXT = (
    "<h4>Market Order Confirmation</h4>A market order is filled at the prices available when it "
    "reaches the market.<br>You may pay or receive a price far from the one you see.\n"
    f"{_SURE}"
)
# Guess: neither text nor condition of these is on record beyond one line.
_OTHER_TEXTS = {
    "o382": f"The order value exceeds the Tick Size Limit.\n{_SURE}",
    "o403": AT_ONCE_TEXT,
    "o10138": f"The size modification exceeds the Size Modification Limit.\n{_SURE}",
    "o10152": STOP_TEXT,
    "o10336": LIQUIDITY_TEXT,
    "o10151": MARKET_TEXT,
    "o10153": CAP_TEXT,
    "o10223": CASH_TEXT,
    "o10331": STOP_TEXT,
    "o354": NO_DATA_TEXT,
}


@attrs.frozen(kw_only=True)
class Question:
    """One text with its message id."""

    message_id: str
    text: str


@attrs.frozen(kw_only=True)
class Scene:
    """What the questions about one ticket depend on; ``code`` is tag 6509."""

    last: Decimal
    code: str
    options: Options
    suppressed: Collection[str]
    is_exit: bool = False
    modified_from: Decimal | None = None


def by_id(message_id: str) -> Question:
    """A question asked for its id alone; unknown ids get words nobody knows."""
    text = _OTHER_TEXTS.get(message_id, f"Please confirm condition {message_id}.<br>Proceed?")
    return Question(message_id=message_id, text=text)


def rounds(ticket: Ticket, scene: Scene) -> list[list[Question]]:
    """The questions about a ticket; each inner list is one element asked at once."""
    asked = [
        [one for one in element if one.message_id not in scene.suppressed]
        for element in _elements(ticket, scene)
    ]
    asked = [element for element in asked if element]
    if scene.options.several_messages and asked:
        return [[one for element in asked for one in element]]
    return asked


def _elements(ticket: Ticket, scene: Scene) -> list[list[Question]]:
    if not scene.options.questions:
        return []
    elements = [_disclosures(ticket, scene)]
    if not scene.is_exit or scene.options.child_price_questions:
        elements += [[one] for one in _limits(ticket, scene)]
    if not set(scene.code) & set("RZ"):
        elements.append([Question(message_id="o354", text=NO_DATA_TEXT)])
    elements += [[by_id(one)] for one in scene.options.extra_questions]
    return elements


def _disclosures(ticket: Ticket, scene: Scene) -> list[Question]:
    found: list[Question] = []
    if ticket.order_type in STOP_TYPES:
        found.append(Question(message_id="o10331", text=STOP_TEXT))
    if ticket.order_type == "MKT" and scene.options.market_order_question:
        found.append(Question(message_id="o10151", text=MARKET_TEXT))
        found.append(Question(message_id="o10153", text=CAP_TEXT))
    if ticket.cash_quantity is not None:
        found.append(Question(message_id="o10223", text=CASH_TEXT))
    if scene.options.swapped_ids:
        found = [attrs.evolve(one, message_id=_SWAPS.get(one.message_id, one.message_id)) for one in found]
    return found


def _limits(ticket: Ticket, scene: Scene) -> list[Question]:
    options, found = scene.options, []
    order = (
        f"{ticket.side} {quantity_text(ticket.quantity)} {ticket.instrument.symbol} {ticket.instrument.tape}"
    )
    # Guess: the limit of an order with a trigger is not compared with today's price.
    # A combination's price may be nothing, and nothing has no percentages.
    if ticket.order_type == "LMT" and ticket.limit is not None and not ticket.instrument.legs:
        away = abs(ticket.limit / scene.last - 1) * _HUNDRED
        if away > Decimal(str(options.percentage_constraint)):
            limit = price_text(ticket.limit, Decimal("0.1"))
            constraint = f"{options.percentage_constraint:g}%"
            text = f'The following order "{order} @ {limit}" price exceeds \nthe Percentage constraint of {constraint}.\n{_SURE}'
            found.append(Question(message_id="o163", text=text))
    # The size of a pair is money already.
    if ticket.instrument.base is None and ticket.quantity > Decimal(str(options.size_limit)):
        text = (
            f'The following order "{order}" size exceeds the Size Limit of {options.size_limit:g}.\n{_SURE}'
        )
        found.append(Question(message_id="o383", text=text))
    price = scene.last if ticket.limit is None else ticket.limit
    value = abs(ticket.quantity * price * ticket.instrument.multiplier)
    # Nothing is paid for a future, and a pair is an exchange.
    if ticket.instrument.sec_type in {"FUT", "CASH"}:
        value = Decimal(0)
    if value > Decimal(str(options.value_limit)):
        figures = f"{value:,.2f} {ticket.instrument.currency}"
        text = (
            f'The following order "{order}" value estimate of {figures} exceeds \n'
            f"the Total Value Limit of {options.value_limit:,.0f} {ticket.instrument.currency}.\n{_SURE}"
        )
        found.append(Question(message_id="o451", text=text))
    if _triggers_at_once(ticket, scene.last):
        found.append(by_id("o403"))
    if scene.modified_from is not None and ticket.quantity > 2 * scene.modified_from:
        found.append(by_id("o10138"))
    return found


def _triggers_at_once(ticket: Ticket, last: Decimal) -> bool:
    if ticket.order_type not in {"STP", "STOP_LIMIT"} or ticket.stop is None:
        return False
    return ticket.stop <= last if ticket.is_buy else ticket.stop >= last
