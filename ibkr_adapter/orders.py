"""Bring tickets to the broker at most once, and say truthfully what became of them.

Every submission has one of three ends: it stands (with its order ids), it was refused (IBKR said
so, or it is proven absent), or its outcome is unknown. What is not understood is looked up by
cOID and never sent again. The legs of a bracket are seen by order status before a call returns,
because an acknowledged bracket may lack a leg. What is about to be sent, and how it ended, is in the
journal; what an earlier process left open there is looked up before anything new is sent.

The dialogue is in :mod:`ibkr_adapter.conversation`, lookups in :mod:`ibkr_adapter.outcome`,
changes to standing orders in :mod:`ibkr_adapter.order_changes`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.conversation import Conversation, Lost, Settled
from ibkr_adapter.errors import IBKRError, InvalidOrder, OrderOutcomeUnknown, OrderRejected, PartlyPlaced
from ibkr_adapter.journal import End, Journal
from ibkr_adapter.legs import Watch, leg_of, name_of
from ibkr_adapter.model.order import ENTRY, Acknowledgement, Leg, Order, OrderState, Placed, Ticket
from ibkr_adapter.order_changes import OrderChanges
from ibkr_adapter.outcome import Absent, Resolver
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.records import Record, placing
from ibkr_adapter.repeats import Repeats
from ibkr_adapter.replies import Circumstances, ReplyHandler
from ibkr_adapter.settling import Settling
from ibkr_adapter.wire import endpoints, orders, tickets
from ibkr_adapter.wire.orders import Accepted, CancelRequested, Declined, Gone, Prompted, Refused, Registered

log = logging.getLogger(__name__)

# Putting an unprotected entry right is worth these seconds even after the order's deadline.
MEND_WITHIN = 20.0


@attrs.frozen(kw_only=True)
class Submission:
    """One intent on its way: what is sent, who answers for it, and until when.

    ``tickets`` is one order, an entry followed by the exits that hang on it, or a pair of exits
    of which one cancels the other. ``deadline`` is on the clock; ``wait_for_outcome`` seconds are
    spent on looking a lost answer up. ``named`` is an order whose cOID is the caller's own, which
    the caller may have sent before.
    """

    tickets: tuple[Ticket, ...]
    replies: ReplyHandler
    deadline: float
    wait_for_outcome: float
    reducing: bool = False
    named: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.tickets or self.tickets[0].coid is None:
            raise InvalidOrder("an order needs a cOID of its own; nothing was sent.")
        if len({ticket.account for ticket in self.tickets}) != 1:
            raise InvalidOrder("one submission is for one account; nothing was sent.")

    @property
    def coid(self) -> str:
        """The cOID that everything is looked up by."""
        return self.tickets[0].coid or ""

    @property
    def account(self) -> str:
        """The account of every ticket."""
        return self.tickets[0].account

    @property
    def is_group(self) -> bool:
        """Whether the tickets stand beside each other instead of hanging on the first."""
        return len(self.tickets) > 1 and all(ticket.coid is not None for ticket in self.tickets)


@attrs.frozen(kw_only=True)
class _Departure:
    sent: float
    sent_at: datetime
    record: Record


class OrderDesk:
    """Places orders; shared by every object of a connection."""

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        settling: Settling,
        conversation: Conversation,
        watch: Watch,
        resolver: Resolver,
        repeats: Repeats,
        changes: OrderChanges,
        own: OwnOrders,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._settling = settling
        self._conversation = conversation
        self._watch = watch
        self._resolver = resolver
        self._repeats = repeats
        self._changes = changes
        self._own = own

    def ready(self, account: str) -> None:
        """See that an order can be sent, before anything is ended that it is to take the place of.

        Raises:
            ConfigurationError: There is no journal; nothing was sent.
            SessionError: What an earlier process left open cannot be looked up; nothing was sent.
        """
        self._journal.demand()
        self._settling.ready(account)

    def place(self, submission: Submission) -> Placed:
        """Submit once and see what came of it.

        Returns:
            Every leg with its order id and the state it was seen in.

        Raises:
            OrderRejected: IBKR refused, or the order is proven absent; nothing is working.
            QuestionRefused: IBKR asked what the policy does not allow; nothing is working.
            PartlyPlaced: Some legs stand and others do not; it says which.
            OrderOutcomeUnknown: Nobody can tell yet; it must not be sent again.
            InvalidOrder: Its cOID was used for another order, or is at work; nothing was sent.
            NotSent: The order never left; nothing is working.
            SessionError: There was no session; nothing was sent.
            ConfigurationError: There is no journal; nothing was sent, or what was is dropped again.

        Source: IBKR Web API reference, "Place Order"; docs/ibkr-facts.md.
        """
        began = self._clock.monotonic()
        self._settling.ready(submission.account)
        record = Record(self._journal, placing(submission.tickets, repeat=submission.named))
        before = (
            self._repeats.look(record.intent, within=submission.wait_for_outcome)
            if submission.named
            else None
        )
        departure = _Departure(sent=self._clock.monotonic(), sent_at=self._clock.now(), record=record)
        # Looking for what others, or an earlier call, left open must not cost this order its time.
        late = attrs.evolve(submission, deadline=submission.deadline + departure.sent - began)
        if before is not None:
            return self._found(late, before, None, departure)
        return _concluded(departure, lambda: self._send(late, departure))

    def _send(self, submission: Submission, departure: _Departure) -> Placed:
        outcome = self._conversation.hold(
            endpoints.PLACE_ORDERS,
            path={"accountId": submission.account},
            body=tickets.place_body(submission.tickets),
            read=orders.classify,
            replies=submission.replies,
            about=Circumstances(reducing=submission.reducing),
            deadline=submission.deadline,
            record=departure.record,
        )
        if isinstance(outcome, Accepted):
            return self._accepted(submission, outcome.acknowledgements, departure)
        if isinstance(outcome, (Refused, Declined, Gone)):
            lost = isinstance(outcome, Refused) and outcome.session_lost
            raise _rejected(outcome.text, repeatable=lost)
        reason, declined = _reason(outcome)
        return self._look_up(submission, reason, declined, departure)

    def _accepted(
        self, submission: Submission, acks: Sequence[Acknowledgement], departure: _Departure
    ) -> Placed:
        refused = _texts([ack for ack in acks if ack.refused])
        standing = [ack for ack in acks if not ack.refused]
        if not standing:
            raise _rejected(refused)
        if submission.is_group:
            return self._group(submission, standing, refused, departure)
        if len(submission.tickets) == 1:
            if len(acks) == 1:
                return self._single(submission, standing[0])
            reason = "one order was answered with several acknowledgements"
            return self._look_up(submission, reason, None, departure)
        entry = _entry_of(standing, submission.coid)
        if entry is None:
            return self._look_up(submission, "the acknowledgement names no entry", None, departure)
        children = [ack.order_id for ack in standing if ack.order_id != entry.order_id]
        return self._bracket(submission, entry.order_id, children, refused, departure)

    def _single(self, submission: Submission, ack: Acknowledgement) -> Placed:
        ticket = submission.tickets[0]
        self._own.remember(ack.order_id, ticket)
        leg = Leg(name=ENTRY, order_id=ack.order_id, ticket=ticket, state=ack.state)
        return Placed(coid=submission.coid, legs=(leg,))

    def _bracket(
        self, submission: Submission, entry_id: str, children: Sequence[str], said: str, departure: _Departure
    ) -> Placed:
        self._own.remember(entry_id, submission.tickets[0])
        seen = self._watch.legs(submission.tickets, entry_id, children, departure.sent, submission.deadline)
        for leg in seen.legs:
            self._own.remember(leg.order_id, leg.ticket)
        if seen.blind:
            late = attrs.evolve(submission, deadline=self._clock.monotonic() + MEND_WITHIN)
            raise OrderOutcomeUnknown(
                f"bracket {submission.coid} was acknowledged as order {entry_id}, but whether its"
                f" {' and '.join(seen.missing)} stands cannot be read now.",
                coid=submission.coid,
                order_id=entry_id,
                sent_at=departure.sent_at,
                resolver=lambda: _concluded(
                    departure, lambda: self._bracket(late, entry_id, children, said, departure)
                ),
                remedy="Do not send it again: look at it with get_open_orders, or in TWS.",
            )
        if seen.missing:
            raise self._mend(submission, list(seen.legs), list(seen.missing), said)
        return Placed(coid=submission.coid, legs=seen.legs)

    def _group(
        self, submission: Submission, acks: Sequence[Acknowledgement], said: str, departure: _Departure
    ) -> Placed:
        """Pair the orders of a group by their cOIDs; none of them hangs on another."""
        named = {ack.coid: ack.order_id for ack in acks if ack.coid is not None}
        legs: list[Leg] = []
        missing: list[str] = []
        for ticket in submission.tickets:
            order_id = named.get(ticket.coid or "")
            order = None if order_id is None else self._watch.look(order_id, submission.deadline)
            if order_id is None:
                order = self._resolved(ticket.coid or "", departure, submission.wait_for_outcome)
                order_id = order.order_id if order is not None else None
            if order_id is None or (order is not None and not _lives(order)):
                missing.append(name_of(ticket))
                continue
            self._own.remember(order_id, ticket)
            legs.append(leg_of(name_of(ticket), order_id, ticket, order))
        if missing:
            raise _partly(legs, missing, f"of two exits the {' and '.join(missing)} does not stand. {said}")
        return Placed(coid=submission.coid, legs=tuple(legs))

    def _mend(self, submission: Submission, legs: list[Leg], missing: list[str], said: str) -> IBKRError:
        """An entry without its protection must not stay: cancel it while it is unfilled."""
        entry, lacking = legs[0], " and ".join(missing)
        log.warning("order %s stands without its %s", entry.order_id, lacking)
        because = f" IBKR says: {said}" if said else ""
        try:
            over = self._changes.cancel(
                entry.order_id,
                account=submission.account,
                replies=submission.replies,
                deadline=max(submission.deadline, self._clock.monotonic() + MEND_WITHIN),
            )
        except IBKRError as failure:
            return _partly(
                legs,
                missing,
                f"the entry {entry.order_id} stands without its {lacking}, and cancelling it failed: {failure}{because}",
            )
        if over.filled > 0:
            return PartlyPlaced(
                f"the entry {entry.order_id} filled {over.filled:f} without its {lacking}.{because}",
                placed={leg.name: leg.order_id for leg in legs},
                missing=missing,
                naked_quantity=over.filled,
                remedy="Place a stop for that quantity, or close the position.",
            )
        return _rejected(f"the {lacking} was not accepted, so the entry was cancelled unfilled.{because}")

    # Lost answers -------------------------------------------------------------------------

    def _look_up(
        self, submission: Submission, reason: str, declined: IBKRError | None, departure: _Departure
    ) -> Placed:
        """Find out by cOID what became of a submission whose answer is of no use."""
        coid = submission.coid
        log.warning("the outcome of order %s is unknown (%s): looking it up", coid, reason)
        departure.record.looked_up(reason)

        def resolve(within: float = submission.wait_for_outcome) -> Placed:
            found = self._resolver.find(coid, sent=departure.sent, until=self._clock.monotonic() + within)
            if isinstance(found, Absent):
                departure.record.end(End.ABSENT)
                raise declined or _rejected(f"no order {coid} has reached IBKR ({reason}).", repeatable=True)
            if found is None:
                raise OrderOutcomeUnknown(
                    f"nobody can tell whether order {coid}, sent {departure.sent_at:%H:%M:%S}Z, stands ({reason}).",
                    coid=coid,
                    sent_at=departure.sent_at,
                    resolver=lambda: _concluded(departure, resolve),
                    remedy="Do not send it again: look it up with find_order, or in TWS.",
                )
            return self._found(submission, found, declined, departure)

        return resolve()

    def _found(
        self, submission: Submission, order: Order, declined: IBKRError | None, departure: _Departure
    ) -> Placed:
        self._own.remember(order.order_id, submission.tickets[0])
        if not _lives(order) and order.filled == 0:
            raise declined or _rejected(f"order {order.order_id} is {order.state}. {order.reason}".strip())
        if declined is not None and order.state.may_fill:
            # It was declined and stands all the same: what nobody agreed to must not work.
            order = self._changes.cancel(
                order.order_id,
                account=submission.account,
                replies=submission.replies,
                deadline=self._clock.monotonic() + MEND_WITHIN,
            )
            if order.filled == 0:
                raise declined
        if submission.is_group:
            return self._group(submission, (), "", departure)
        if len(submission.tickets) == 1:
            leg = leg_of(ENTRY, order.order_id, submission.tickets[0], order)
            return Placed(coid=submission.coid, legs=(leg,))
        late = attrs.evolve(submission, deadline=self._clock.monotonic() + MEND_WITHIN)
        return self._bracket(late, order.order_id, (), "", departure)

    def _resolved(self, coid: str, departure: _Departure, within: float) -> Order | None:
        found = self._resolver.find(coid, sent=departure.sent, until=self._clock.monotonic() + within)
        return None if isinstance(found, Absent) else found


def _concluded(departure: _Departure, work: Callable[[], Placed]) -> Placed:
    with departure.record.concluding():
        return work()


def _reason(outcome: Settled) -> tuple[str, IBKRError | None]:
    if isinstance(outcome, Lost):
        return outcome.reason, outcome.declined
    if isinstance(outcome, Prompted):
        words = outcome.prompt.words
        refusal = OrderRejected(
            f"IBKR wants a choice that this library does not make ({outcome.prompt.message_id}): {words}",
            text=words,
            remedy="Set the order's precautionary settings in Client Portal, then place it anew.",
        )
        return words, refusal
    if isinstance(outcome, (Registered, CancelRequested)):
        return outcome.text, None
    raise AssertionError(outcome)


def _entry_of(acks: Sequence[Acknowledgement], coid: str) -> Acknowledgement | None:
    named = [ack for ack in acks if ack.coid == coid]
    if named:
        return named[0]
    parents = {ack.parent_id for ack in acks if ack.parent_id}
    return next((ack for ack in acks if ack.order_id in parents), None)


def _lives(order: Order) -> bool:
    return order.state.may_fill or order.state is OrderState.FILLED


def _texts(acks: Sequence[Acknowledgement]) -> str:
    return "; ".join(dict.fromkeys(ack.text or f"{ack.state}" for ack in acks))


def _partly(legs: Sequence[Leg], missing: Sequence[str], message: str) -> PartlyPlaced:
    return PartlyPlaced(
        message.strip(),
        placed={leg.name: leg.order_id for leg in legs},
        missing=missing,
        remedy="Look at these orders now, here with get_open_orders or in TWS.",
    )


def _rejected(text: str, *, repeatable: bool = False) -> OrderRejected:
    return OrderRejected(f"{text.rstrip('. ')}. Nothing is working.", text=text, repeatable=repeatable)
