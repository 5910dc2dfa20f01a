"""Change and cancel orders that are in the book.

A modification is the bare ticket with every key of the original; a cancel is a request whose
answer does not say whether anything was cancelled. Both may be asked about first, and a fill may
come before either.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.class_checks import refuse_anonymous
from ibkr_adapter.simulator.desk import Twists, failed
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.faults import land, wait
from ibkr_adapter.simulator.order import Order, Status, Ticket
from ibkr_adapter.simulator.questions import Question
from ibkr_adapter.simulator.refusals import RefusalError, Rejection
from ibkr_adapter.simulator.tickets import check_types
from ibkr_adapter.simulator.views_orders import acknowledgement
from ibkr_adapter.simulator.world import World

# A modification may leave these out although the order was sent with them.
_NOT_TERMS = frozenset(
    {"cOID", "parentId", "isSingleGroup", "acctId", "listingExchange", "ticker", "referrer", "secType"}
)
_MSG = "Request was submitted"


class AmendDesk:
    """Changes and cancels of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def modify(self, account: str, reference: str, body: Any, twists: Twists) -> Answer:
        """Take a bare ticket that replaces the terms of an order."""
        if not isinstance(body, dict) or "orders" in body or not body:
            return answers.refusal("Missing order parameters", 400)
        check_types(body)
        order = self._find(account, reference)
        if order is None:
            return answers.refusal(f"OrderID {reference} doesn't exist", 400)
        if order.is_done or order.status is Status.PENDING_CANCEL:
            return answers.refusal("Order is inactive", 400)
        ticket = self._world.reader(account).read(body)
        if isinstance(ticket, Rejection):
            return answers.json_answer([failed(ticket.text, ticket.warning)])
        refuse_anonymous(ticket.instrument, ticket.keys, self._world.options.us_futures_fields)
        self._refuse_other_terms(order, ticket)
        kept = attrs.evolve(
            ticket,
            coid=order.ticket.coid,
            parent=order.ticket.parent,
            keys=order.ticket.keys,
            single_group=order.ticket.single_group,
        )
        self._world.dialogues.kill()
        was = order.quantity
        rounds = self._world.rounds(kept, is_exit=order.parent_id is not None, modified_from=was)

        def act(_: list[str]) -> Answer:
            now = self._world.settle()
            if order.is_done:
                return answers.refusal("Order is inactive", 400)
            if twists.get("crosses"):
                land(twists)
                self._world.book.force(order, now)
                return answers.json_answer([acknowledgement(order)])
            self._world.book.modify(order, kept, now)
            changed = order
            if twists.get("incarnations"):
                land(twists)
                changed = self._world.book.reincarnate(order, now)
            self._world.book.nudge(now)
            return answers.json_answer([acknowledgement(changed)])

        if "rounds" in twists:
            land(twists)
        rounds += twists.get("rounds", [])
        answer = self._world.dialogues.begin(account, rounds, act)
        wait(twists, asked=bool(rounds))
        return answer

    def _refuse_other_terms(self, order: Order, ticket: Ticket) -> None:
        old = order.ticket
        same = ticket.instrument == old.instrument and ticket.side == old.side
        missing = old.keys - ticket.keys - _NOT_TERMS
        # Guess: that all keys must come again is documented, what happens otherwise is not.
        if not same or missing:
            raise RefusalError(answers.refusal("Invalid modification: the order is another one"))
        if ticket.quantity <= order.filled:
            raise RefusalError(answers.refusal("Invalid modification: the size is filled already"))

    # Cancelling.

    def cancel(self, account: str, reference: str, fields: Collection[str], twists: Twists) -> Answer:
        """Ask for the cancel of one order, or of all with the id -1.

        Args:
            account: Whose order it is.
            reference: The order id in the path.
            fields: The names of the query's parameters.
            twists: What a fault wants otherwise.
        """
        world = self._world
        if reference == "-1":
            for one in world.book.live(account):
                world.book.cancel(one, world.now)
            return answers.json_answer({"msg": _MSG, "order_id": -1, "conid": -1, "account": None})
        order = self._find(account, reference)
        if order is None:
            return answers.refusal(f"OrderID {reference} doesn't exist", 400)
        if order.is_done:
            return answers.refusal("Order is inactive", 400)
        refuse_anonymous(order.ticket.instrument, fields, world.options.us_futures_fields)

        def act(_: list[str]) -> Answer:
            return self._cancel(order, twists)

        asked = [[Question(message_id="o0", text="Are you sure you want to cancel this order?")]]
        answer = world.dialogues.begin(account, asked if world.options.cancel_question else [], act)
        wait(twists, asked=world.options.cancel_question)
        return answer

    def _cancel(self, order: Order, twists: Twists) -> Answer:
        world = self._world
        now = world.now
        if not order.is_done and order.status is not Status.PENDING_CANCEL:
            if "slow" in twists:
                land(twists)
            world.book.cancel(order, now, twists.get("slow"))
        if twists.get("crosses") and not order.is_done:
            land(twists)
            world.book.force(order, now)
        body: dict[str, Any] = {"msg": _MSG, "order_id": order.order_id, "conid": -1, "account": None}
        if world.options.cancel_ack == "full":
            body |= {"conid": order.ticket.instrument.conid, "account": order.ticket.account}
        if world.options.cancel_ack == "list":
            status = order.status.value
            row = {
                "msg": _MSG,
                "order_id": str(order.order_id),
                "order_status": status,
                "encrypt_message": "1",
            }
            return answers.json_answer([row])
        return answers.json_answer(body)

    def _find(self, account: str, reference: str) -> Order | None:
        number = whole(reference)
        order = None if number is None else self._world.book.orders.get(number)
        known = order is not None and order.ticket.account == account and not order.vanished
        return order if known else None
