"""Change and end orders that stand, and see by their own status that it took.

An acknowledgement of a cancel says only that it was asked for; a fill may be faster. So neither a
cancel nor a modification is believed before the order's status shows it.
"""

from __future__ import annotations

from collections.abc import Callable

from ibkr_adapter import verdicts
from ibkr_adapter.clock import Clock
from ibkr_adapter.conversation import Conversation, Lost, Settled
from ibkr_adapter.errors import OrderOutcomeUnknown, OrderRejected
from ibkr_adapter.journal import Journal
from ibkr_adapter.legs import Watch, shows
from ibkr_adapter.model.order import Order, OrderState, Origin, Ticket
from ibkr_adapter.order_reads import OrderReads
from ibkr_adapter.own_orders import OwnOrders, checked_id
from ibkr_adapter.records import Record, changing
from ibkr_adapter.replies import Circumstances, ReplyHandler
from ibkr_adapter.wire import endpoints, orders, tickets
from ibkr_adapter.wire.orders import Accepted, Declined, Gone, Outcome, Prompted, Refused
from ibkr_adapter.wire.response import Deciphered


class OrderChanges:
    """Modifies and cancels; shared by every object of a connection."""

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        conversation: Conversation,
        watch: Watch,
        reads: OrderReads,
        own: OwnOrders,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._conversation = conversation
        self._watch = watch
        self._reads = reads
        self._own = own

    def modify(
        self, order_id: str, ticket: Ticket, *, replies: ReplyHandler, deadline: float, reducing: bool
    ) -> Order:
        """Send the whole ticket again with what changes, and see by status that it took.

        Raises:
            OrderRejected: IBKR refused; the order stands as it was.
            QuestionRefused: The policy said no; the order stands as it was.
            OrderOutcomeUnknown: Nobody can tell which version stands, or the new one does in spite of a no.
            ConfigurationError: There is no journal; the order stands as it was.
        """
        order_id = checked_id(order_id)
        record = Record(self._journal, changing(order_id, ticket.account, ticket))
        with record.concluding():
            return self._modify(
                order_id, ticket, replies=replies, deadline=deadline, reducing=reducing, record=record
            )

    def _modify(
        self,
        order_id: str,
        ticket: Ticket,
        *,
        replies: ReplyHandler,
        deadline: float,
        reducing: bool,
        record: Record,
    ) -> Order:
        sent_at = self._clock.now()
        outcome = self._conversation.hold(
            endpoints.MODIFY_ORDER,
            account=ticket.account,
            path={"accountId": ticket.account, "orderId": order_id},
            body=tickets.modify_body(ticket),
            read=_heard(orders.classify),
            replies=replies,
            about=Circumstances(reducing=reducing, changing=True),
            deadline=deadline,
            record=record,
        )
        if isinstance(outcome, (Refused, Declined, Gone)):
            raise _stands(f"order {order_id} was not modified: {outcome.text}")
        if isinstance(outcome, Accepted) and any(ack.refused for ack in outcome.acknowledgements):
            raise _stands(
                f"order {order_id} was not modified: {'; '.join(ack.text or ack.state for ack in outcome.acknowledgements)}",
            )
        seen = self._watch.until(
            ticket.account, order_id, lambda order: order.state.is_over or shows(order, ticket), deadline
        )
        declined = outcome.declined if isinstance(outcome, Lost) else None
        if seen is not None and seen.state.is_over and isinstance(outcome, Accepted):
            seen = self._follower(order_id, ticket, outcome, deadline) or seen
            order_id = seen.order_id
        took = seen is not None and shows(seen, ticket)
        if declined is not None and seen is not None and not took:
            raise declined
        if seen is not None and took and declined is None:
            self._own.remember(order_id, ticket)
            return seen
        if seen is not None and seen.state.is_over:
            return seen
        raise OrderOutcomeUnknown(
            f"order {order_id} stands modified, although a question about that was declined."
            if took
            else f"nobody can tell whether order {order_id} was modified{_because(outcome)}.",
            coid=ticket.coid or "",
            order_id=order_id,
            sent_at=sent_at,
            resolver=lambda: self._reads.status(ticket.account, order_id),
            remedy="Read the order before anything else is done with it.",
        )

    def _follower(self, order_id: str, ticket: Ticket, outcome: Accepted, deadline: float) -> Order | None:
        """The order that took the place of one that ended: a modification may be acknowledged under a new id."""
        for ack in outcome.acknowledgements:
            if ack.order_id == order_id:
                continue
            order = self._watch.look(ticket.account, ack.order_id, deadline)
            if order is not None and (order.conid, order.side) == (ticket.conid, ticket.side):
                return order if shows(order, ticket) else None
        return None

    def cancel(
        self,
        order_id: str,
        *,
        account: str,
        replies: ReplyHandler | None,
        deadline: float,
        origin: Origin | None = None,
    ) -> Order:
        """Ask for a cancel and see by status how the order ended; it goes out without a journal, too.

        Args:
            order_id: The order's id.
            account: The account that it is in.
            replies: Answers questions.
            deadline: When to stop looking, on the clock.
            origin: Who cancels, where the contract demands that it be told and this process did not
                place the order; of its own orders it knows.

        Returns:
            The order as it ended: cancelled, or filled because the fill was faster.

        Raises:
            OrderRejected: IBKR refused; the order works on.
            OrderOutcomeUnknown: Nobody can tell whether it still works.
        """
        order_id = checked_id(order_id)
        record = Record(self._journal, changing(order_id, account))
        with record.concluding():
            return self._cancel(
                order_id, account=account, replies=replies, deadline=deadline, origin=origin, record=record
            )

    def _cancel(
        self,
        order_id: str,
        *,
        account: str,
        replies: ReplyHandler | None,
        deadline: float,
        origin: Origin | None,
        record: Record,
    ) -> Order:
        sent_at = self._clock.now()
        sent = self._own.sent(order_id)
        outcome = self._conversation.hold(
            endpoints.CANCEL_ORDER,
            account=account,
            path={"accountId": account, "orderId": order_id},
            query=tickets.cancel_query(sent.origin if sent is not None else origin),
            body=None,
            read=_heard(orders.classify_cancel),
            replies=replies,
            about=Circumstances(cancelling=True),
            deadline=deadline,
            record=record,
        )
        if isinstance(outcome, Refused):
            # A gateway may have forgotten an order that is over.
            ended = self._watch.look(account, order_id, deadline) if outcome.unheard else None
            if ended is not None and ended.state.is_over:
                return ended
            raise _stands(f"order {order_id} was not cancelled: {outcome.text}")
        seen = self._watch.until(
            account,
            order_id,
            lambda order: order.state.is_over or order.state is OrderState.INACTIVE,
            deadline,
        )
        if seen is not None and (seen.state.is_over or seen.state is OrderState.INACTIVE):
            return seen
        if seen is None and isinstance(outcome, Gone):
            raise _stands(f"IBKR has no working order {order_id}: {outcome.text}")
        state = (
            f"it is {seen.state} with {seen.filled} filled"
            if seen is not None
            else "its status cannot be read"
        )
        raise OrderOutcomeUnknown(
            f"order {order_id} was not seen to end: {state}{_because(outcome)}.",
            coid=(seen.coid if seen is not None else None) or "",
            order_id=order_id,
            sent_at=sent_at,
            resolver=lambda: self._reads.status(account, order_id),
            remedy="Treat it as working until its status says otherwise.",
        )


def _heard(read: Callable[[Deciphered], Outcome]) -> Callable[[Deciphered], Outcome]:
    """Take an answer that no change is behind for a no, and read all others."""

    def heard(answer: Deciphered) -> Outcome:
        if answer.status in verdicts.UNHEARD_OF:
            return Refused(text=answer.error or f"HTTP {answer.status}", unheard=True)
        return read(answer)

    return heard


def _because(outcome: Settled) -> str:
    """What made the answer itself of no use, if anything did."""
    if isinstance(outcome, Lost):
        return f" ({outcome.reason.rstrip('. ')})"
    return f" (IBKR asked: {outcome.prompt.words.rstrip('. ')})" if isinstance(outcome, Prompted) else ""


def _stands(text: str) -> OrderRejected:
    return OrderRejected(f"{text.rstrip('. ')}.", text=text)
