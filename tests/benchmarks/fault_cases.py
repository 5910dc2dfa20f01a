"""The faults of the public table, our side of them, and how a result is judged by the broker's books.

One intent is made once, one answer to it is spoiled. What was booked is counted in the simulator's
ledger; what the caller was told becomes one word, which is held against the ledger too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import IBKRError, OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced
from ibkr_adapter.exchange import IBKRExchange

PLACE = "POST /iserver/account/{accountId}/orders"
REPLY = "POST /iserver/reply/{replyId}"
CHANGE = "POST /iserver/account/{accountId}/order/{orderId}"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"
ENDPOINT = {"market": PLACE, "bracket": PLACE, "reply": REPLY, "modify": CHANGE, "cancel": CANCEL}
# What both answer with yes, besides what asks nothing but whether risks are known.
ASKED = ["o163", "o354", "o382", "o383", "o403", "o451", "o10336"]
# Nothing is asked unless a case wants it, so that the answer that is lost is that of the booking.
OPTIONS: dict[str, Any] = {"idle_timeout": None}
# An answer that is later than either client waits.
SILENCE = 60
SMALLER = Decimal(5)
_GONE = {"Inactive", "Cancelled"}


@attrs.frozen(kw_only=True)
class Case:
    """One intent under one fault; ``what`` is how the table calls it."""

    intent: str
    fault: str
    what: str
    wishes: dict[str, Any] = attrs.Factory(dict)

    @property
    def name(self) -> str:
        """What the row begins with."""
        variant = self.wishes.get("variant")
        stays = " stays" if "times" in self.wishes else ""
        return f"{self.fault}{f' {variant}' if variant else ''}{stays}"

    @property
    def armed(self) -> dict[str, Any]:
        """The fault as the simulator takes it; questions are asked where orders are placed."""
        where = {} if self.fault == "F18" else {"on": ENDPOINT[self.intent]}
        return {"fault": self.fault, **where, **self.wishes}

    @property
    def options(self) -> dict[str, Any]:
        """A reply can only go wrong where something was asked."""
        asks = self.intent == "reply" or self.wishes.get("variant", "").startswith("reply_")
        return OPTIONS | (
            {"market_order_question": False, "extra_questions": ["o403"]} if asks else {"questions": False}
        )


def _case(intent: str, fault: str, what: str, **wishes: Any) -> Case:
    return Case(intent=intent, fault=fault, what=what, wishes=wishes)


CASES = [
    _case("market", "F02", "line reset before the request is read"),
    _case("market", "F03", "booked, then the line is reset", variant="reset"),
    _case("market", "F03", "booked, then the line is reset, each time", variant="reset", times=None),
    _case("market", "F03", "booked, then the line is closed", variant="close"),
    _case("market", "F04", "booked, the answer comes too late", seconds=SILENCE),
    _case("market", "F05", "booked, answered 401", variant="processed"),
    _case("market", "F11", "booked, answered 500"),
    _case("market", "F13", "refused inside a 200", variant="error"),
    _case("market", "F13", "200 with `success: false`, nothing booked", variant="success"),
    _case("market", "F14", "booked, answered with the login page", variant="processed"),
    _case("market", "F16", "booked, the body is cut", variant="truncate"),
    _case("market", "F16", "booked, a chunk is cut", variant="cut_chunk"),
    _case("market", "F16", "booked, cut without a length", variant="cut_unframed"),
    _case("market", "F16", "booked, the compression is broken", variant="broken_gzip"),
    _case("market", "F17", "booked, headers without end", variant="endless_headers"),
    _case("market", "F18", "the reply is refused, the order goes live", variant="reply_503_live"),
    _case("market", "F20", "booked, answered 'already registered'"),
    _case("market", "F23", "filled, no answer, not among the live orders"),
    _case("market", "F33", "the gateway restarts"),
    _case("bracket", "F03", "booked, then the line is reset", variant="reset"),
    _case("bracket", "F11", "booked, answered 500"),
    _case("reply", "F03", "the reply is taken, then the line is reset", variant="reset"),
    _case("reply", "F11", "the reply is taken, answered 500"),
    _case("modify", "F03", "changed, then the line is reset", variant="reset"),
    _case("modify", "F11", "changed, answered 500"),
    _case("modify", "F24", "changed, and listed twice", variant="incarnations"),
    _case("cancel", "F03", "cancelled, then the line is reset", variant="reset"),
    _case("cancel", "F11", "cancelled, answered 500"),
    _case("cancel", "F24", "a fill is faster", variant="crosses"),
]


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of it: requests and orders in the broker's books, and what the caller was told."""

    sent: int
    booked: int
    word: str
    said: str
    seconds: float = 0.0


def prepare(ibkr: IBKRExchange, intent: str) -> str:
    """Open the session and place what will be changed or cancelled; its id, or nothing."""
    ibkr.open()
    ibkr.contracts.resolve("AAPL")
    if intent in {"modify", "cancel"}:
        return str(ibkr.place_limit_order("AAPL", "buy", 10, "162")["orderId"])
    return ""


def act(ibkr: IBKRExchange, intent: str, order_id: str) -> tuple[str, str]:
    """Make the intent once, and tell what the caller was told: a word and a name."""
    try:
        if intent == "bracket":
            answer: Any = ibkr.place_bracket_order(
                "AAPL", "buy", "limit", 10, "162", take_profit_price=170, stop_loss_price=150
            )
        elif intent == "modify":
            answer = ibkr.orders.modify(order_id, quantity=SMALLER)
        elif intent == "cancel":
            answer = ibkr.cancel_order("AAPL", order_id)
        else:
            answer = ibkr.place_market_order("AAPL", "buy", 10)
    except (OrderOutcomeUnknown, OutcomeUnknown, PartlyPlaced) as unknown:
        return "unknown", type(unknown).__name__
    except IBKRError as refused:
        return "refused", type(refused).__name__
    if intent == "cancel":
        return ("placed" if answer["status"] == "canceled" else "refused"), f"status {answer['status']}"
    return "placed", "returned"


def judge(case: Case, before: dict[str, Any], after: dict[str, Any], word: str, said: str) -> Outcome:
    """Hold what was told against the books; what they contradict is wrong."""
    endpoint = ENDPOINT[case.intent]
    sent = after["requests"].get(endpoint, 0) - before["requests"].get(endpoint, 0)
    old = {row["order_id"] for row in before["orders"]}
    if case.intent == "modify":
        stands = [
            row
            for row in after["orders"]
            if row["order_id"] in old and Decimal(str(row["quantity"])) == SMALLER
        ]
    elif case.intent == "cancel":
        stands = [row for row in after["orders"] if row["order_id"] in old and row["status"] == "Cancelled"]
    else:
        stands = [
            row
            for row in after["orders"]
            if row["order_id"] not in old and row["parent_id"] is None and row["status"] not in _GONE
        ]
    done = bool(stands)
    # An order that stands twice was not placed as it was told, either.
    if (word == "placed" and len(stands) != 1) or (word == "refused" and done):
        word = "wrong"
    return Outcome(sent=sent, booked=len(stands), word=word, said=said)
