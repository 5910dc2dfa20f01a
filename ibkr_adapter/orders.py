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
from decimal import Decimal

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.conversation import Conversation, Lost, Settled
from ibkr_adapter.errors import IBKRError, OrderOutcomeUnknown, OrderRejected
from ibkr_adapter.journal import End, Journal
from ibkr_adapter.lame import Lame
from ibkr_adapter.legs import Watch, leg_of, name_of
from ibkr_adapter.model.order import ENTRY, STOP_LOSS, Acknowledgement, Leg, Order, OrderState, Placed, Ticket
from ibkr_adapter.order_changes import OrderChanges
from ibkr_adapter.outcome import Absent, Resolver
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.protection import Bare, Protection
from ibkr_adapter.records import Record, placing
from ibkr_adapter.repeats import Repeats
from ibkr_adapter.replies import Circumstances, ReplyHandler
from ibkr_adapter.settling import SETTLE_WITHIN, Settling
from ibkr_adapter.submissions import MEND_WITHIN, Departure, Submission, lives, partly, rejected
from ibkr_adapter.wire import endpoints, orders, tickets
from ibkr_adapter.wire.orders import Accepted, CancelRequested, Declined, Gone, Prompted, Refused, Registered

log = logging.getLogger(__name__)


class OrderDesk:
    """Places orders; shared by every object of a connection."""

    def __init__(  # noqa: PLR0913  (what an order needs on its way)
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
        protection: Protection,
        mends: bool,
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
        self._protection = protection
        self._mends = mends

    def ready(self, account: str, replies: ReplyHandler) -> None:
        """See that an order can be sent, before anything is ended that it is to take the place of.

        Args:
            account: The account that is about to be traded.
            replies: Answers what IBKR asks where an earlier process left a bracket without a leg.

        Raises:
            ConfigurationError: There is no journal; nothing was sent.
            SessionError: What an earlier process left open cannot be looked up; nothing was sent.
        """
        self._journal.demand()
        self._settle(account, replies)

    def _settle(self, account: str, replies: ReplyHandler) -> None:
        def mend(lame: Lame) -> Placed:
            submission = Submission(
                tickets=lame.tickets,
                replies=replies,
                # What puts a bracket right takes time of its own for each step.
                deadline=self._clock.monotonic(),
                wait_for_outcome=SETTLE_WITHIN,
            )
            return self._protection.mend(
                Bare(submission=submission, legs=lame.legs, missing=lame.missing), self._place
            )

        self._settling.ready(account, mend if self._mends else None)

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
        self._settle(submission.account, submission.replies)
        record = Record(self._journal, placing(submission.tickets, repeat=submission.named))
        before = self._before(submission, record) if submission.named else None
        # Looking for what others, or an earlier call, left open must not cost this order its time.
        late = attrs.evolve(submission, deadline=submission.deadline + self._clock.monotonic() - began)
        departure = self._departure(record)
        if before is not None:
            return self._found(late, before, None, departure)
        return departure.concluded(lambda: self._send(late, departure))

    def _before(self, submission: Submission, record: Record) -> Order | None:
        def told(order: Order) -> Placed:
            return self._found(submission, order, None, self._departure(record))

        return self._repeats.look(record.intent, within=submission.wait_for_outcome, told=told)

    def _place(self, submission: Submission) -> Placed:
        departure = self._departure(Record(self._journal, placing(submission.tickets)))
        return departure.concluded(lambda: self._send(submission, departure))

    def _departure(self, record: Record) -> Departure:
        return Departure(sent=self._clock.monotonic(), sent_at=self._clock.now(), record=record)

    def _send(self, submission: Submission, departure: Departure) -> Placed:
        outcome = self._conversation.hold(
            endpoints.PLACE_ORDERS,
            account=submission.account,
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
            raise rejected(outcome.text, repeatable=lost)
        reason, declined = _reason(outcome)
        return self._look_up(submission, reason, declined, departure)

    def _accepted(
        self, submission: Submission, acks: Sequence[Acknowledgement], departure: Departure
    ) -> Placed:
        refused = _texts([ack for ack in acks if ack.refused])
        standing = [ack for ack in acks if not ack.refused]
        if not standing:
            raise rejected(refused)
        if submission.is_group:
            return self._group(submission, standing, refused, departure)
        if len(submission.tickets) == 1:
            reason = "one order was answered with several acknowledgements"
            if len(acks) == 1:
                if standing[0].state is not OrderState.CANCELLED:
                    return self._single(submission, standing[0])
                # What the exchange refused is called so, and so is what filled in part and was ended.
                reason = f"order {standing[0].order_id} was acknowledged as {standing[0].state}"
            return self._look_up(submission, reason, None, departure)
        entry = _entry_of(standing, submission.coid)
        if entry is None:
            named = [ack.order_id for ack in standing]
            return self._look_up(
                submission, "the acknowledgement names no entry", None, departure, named, refused
            )
        children = [ack.order_id for ack in standing if ack.order_id != entry.order_id]
        return self._bracket(submission, entry.order_id, children, refused, departure)

    def _single(self, submission: Submission, ack: Acknowledgement) -> Placed:
        ticket = submission.tickets[0]
        self._own.remember(ack.order_id, ticket)
        leg = Leg(name=ENTRY, order_id=ack.order_id, ticket=ticket, state=ack.state)
        return Placed(coid=submission.coid, legs=(leg,))

    def _bracket(
        self, submission: Submission, entry_id: str, children: Sequence[str], said: str, departure: Departure
    ) -> Placed:
        seen = self._watch.legs(submission.tickets, entry_id, children, departure.sent, submission.deadline)
        for leg in seen.legs:
            self._own.remember(leg.order_id, leg.ticket)
        self._check_entry(submission, seen.legs, children, said)
        if seen.blind:
            late = attrs.evolve(submission, deadline=self._clock.monotonic() + MEND_WITHIN)
            raise OrderOutcomeUnknown(
                f"bracket {submission.coid} was acknowledged as order {entry_id}, but whether its"
                f" {' and '.join(seen.missing)} stands cannot be read now{f' ({why})' if (why := seen.why.rstrip('.')) else ''}.",
                coid=submission.coid,
                order_id=entry_id,
                sent_at=departure.sent_at,
                resolver=lambda: departure.concluded(
                    lambda: self._bracket(late, entry_id, children, said, departure)
                ),
                remedy="Do not send it again: look at it with get_open_orders, or in TWS.",
            )
        if seen.missing:
            return self._mend(Bare(submission=submission, legs=seen.legs, missing=seen.missing, said=said))
        return Placed(coid=submission.coid, legs=seen.legs)

    def _check_entry(
        self, submission: Submission, legs: Sequence[Leg], children: Sequence[str], said: str
    ) -> None:
        """See that the entry of a bracket did not end unfilled after it was acknowledged."""
        first = legs[0]
        if first.state.may_fill or first.state is OrderState.FILLED:
            return
        entry = self._watch.look(submission.account, first.order_id, submission.deadline)
        if entry is None or lives(entry) or entry.filled > 0:
            return
        exits = dict.fromkeys([*(leg.order_id for leg in legs[1:]), *children])
        refusal = rejected(f"order {entry.order_id} is {entry.state}. {entry.reason or said}".strip())
        raise self._protection.orphaned(submission, tuple(exits), refusal, ends=self._mends)

    def _group(
        self,
        submission: Submission,
        acks: Sequence[Acknowledgement],
        said: str,
        departure: Departure,
        declined: IBKRError | None = None,
    ) -> Placed:
        """Pair the orders of a group by their cOIDs; none of them hangs on another.

        One that has filled has ended the others: none of them is missing then.
        """
        named = {ack.coid: ack.order_id for ack in acks if ack.coid is not None}
        legs: list[Leg] = []
        missing: list[str] = []
        arrived = False
        for ticket in submission.tickets:
            order_id = named.get(ticket.coid or "")
            order = (
                None
                if order_id is None
                else self._watch.look(submission.account, order_id, submission.deadline)
            )
            if order_id is None:
                order = self._resolved(submission, ticket, departure, declined)
                order_id = order.order_id if order is not None else None
            if order is not None and declined is not None:
                order = self._ended(
                    submission, order, departure, lambda: self._group(submission, (), "", departure, declined)
                )
            if order_id is None or (order is not None and not lives(order) and order.filled == 0):
                arrived = arrived or order_id is not None
                missing.append(name_of(ticket))
                continue
            self._own.remember(order_id, ticket)
            legs.append(leg_of(name_of(ticket), order_id, ticket, order))
        if not legs and not arrived:
            departure.record.end(End.ABSENT)
            raise declined or rejected(f"no order of the pair has reached IBKR ({said}).", repeatable=True)
        if not legs:
            raise declined or rejected(f"of two exits none stands{f' ({said})' if said else ''}.")
        if missing and not any(leg.state is OrderState.FILLED for leg in legs):
            raise partly(
                legs,
                missing,
                f"of two exits the {' and '.join(missing)} does not stand{f' ({said})' if said else ''}.",
            )
        return Placed(coid=submission.coid, legs=tuple(legs))

    def _mend(self, bare: Bare) -> Placed:
        """Hand a bracket without a leg to those who protect it, or only say so where that is asked for."""
        if self._mends:
            return self._protection.mend(bare, self._place)
        entry = self._watch.look(bare.submission.account, bare.entry.order_id, bare.submission.deadline)
        naked = None if entry is None else entry.filled
        if STOP_LOSS in {leg.name for leg in bare.legs}:
            naked = Decimal(0)
        raise partly(
            bare.legs,
            bare.missing,
            f"the entry {bare.entry.order_id} stands without its {bare.lacking}, and is left as it is.{bare.because}",
            naked=naked,
        )

    # Lost answers -------------------------------------------------------------------------

    def _look_up(
        self,
        submission: Submission,
        reason: str,
        declined: IBKRError | None,
        departure: Departure,
        named: Sequence[str] = (),
        said: str = "",
    ) -> Placed:
        """Find out by cOID what became of a submission whose answer is of no use.

        ``named`` are the orders of a bracket that were acknowledged, in whatever order: only the entry has a
        cOID to be found by, the others are its exits.
        """
        coid = submission.coid
        log.warning("the outcome of order %s is unknown (%s): looking it up", coid, reason)
        departure.record.looked_up(reason)

        def resolve(within: float = submission.wait_for_outcome) -> Placed:
            if submission.is_group:
                # Each by itself: the first of a group says nothing of the others.
                patient = attrs.evolve(submission, wait_for_outcome=within)
                return self._group(patient, (), reason, departure, declined)
            found = self._resolver.find(
                submission.account, coid, sent=departure.sent, until=self._clock.monotonic() + within
            )
            if isinstance(found, Absent):
                refusal = declined or rejected(
                    f"no order {coid} has reached IBKR ({said or reason}).", repeatable=not named
                )
                if named:
                    raise self._protection.orphaned(submission, named, refusal, ends=self._mends)
                departure.record.end(End.ABSENT)
                raise refusal
            if found is None:
                raise OrderOutcomeUnknown(
                    f"nobody can tell whether order {coid}, sent {departure.sent_at:%H:%M:%S}Z, stands ({reason}).",
                    coid=coid,
                    sent_at=departure.sent_at,
                    resolver=lambda: departure.concluded(resolve),
                    remedy="Do not send it again: look it up with find_order, or in TWS.",
                )
            exits = [order_id for order_id in named if order_id != found.order_id]
            return self._found(submission, found, declined, departure, exits, said)

        return resolve()

    def _found(
        self,
        submission: Submission,
        order: Order,
        declined: IBKRError | None,
        departure: Departure,
        exits: Sequence[str] = (),
        said: str = "",
    ) -> Placed:
        self._own.remember(order.order_id, submission.tickets[0])
        if not lives(order) and order.filled == 0:
            why = order.reason or said
            refusal = declined or rejected(f"order {order.order_id} is {order.state}. {why}".strip())
            raise self._protection.orphaned(submission, exits, refusal, ends=self._mends)
        if declined is not None:
            standing = order

            def again() -> Placed:
                seen = self._watch.look(submission.account, standing.order_id, submission.deadline)
                return self._found(submission, seen or standing, declined, departure)

            order = self._ended(submission, order, departure, again)
            if order.filled == 0:
                raise declined
        if len(submission.tickets) == 1:
            leg = leg_of(ENTRY, order.order_id, submission.tickets[0], order)
            return Placed(coid=submission.coid, legs=(leg,))
        late = attrs.evolve(submission, deadline=self._clock.monotonic() + MEND_WITHIN)
        return self._bracket(late, order.order_id, exits, said, departure)

    def _ended(
        self, submission: Submission, order: Order, departure: Departure, again: Callable[[], Placed]
    ) -> Order:
        """End what was declined and stands all the same: what nobody agreed to must not work."""
        if not order.state.may_fill:
            return order
        soon = self._clock.monotonic() + MEND_WITHIN
        try:
            return self._changes.cancel(
                order.order_id, account=submission.account, replies=submission.replies, deadline=soon
            )
        except IBKRError as failure:
            # Of a cancel its errors say that the order works on, of an order that nothing works.
            seen = self._watch.look(submission.account, order.order_id, soon)
            if seen is not None and not seen.state.may_fill:
                return seen
            raise OrderOutcomeUnknown(
                f"order {order.order_id} stands although it was declined, and could not be ended:"
                f" {failure.message}",
                coid=submission.coid,
                order_id=order.order_id,
                sent_at=departure.sent_at,
                resolver=lambda: departure.concluded(again),
                remedy="Treat it as working: cancel it, or end it in TWS.",
            ) from failure

    def _resolved(
        self, submission: Submission, ticket: Ticket, departure: Departure, declined: IBKRError | None
    ) -> Order | None:
        """Look one order of a group up; ``None`` where it is proven that it never arrived."""
        coid = ticket.coid or ""
        until = self._clock.monotonic() + submission.wait_for_outcome
        found = self._resolver.find(submission.account, coid, sent=departure.sent, until=until)
        if found is None:
            raise OrderOutcomeUnknown(
                f"nobody can tell whether the {name_of(ticket)} {coid} of a pair of exits stands.",
                coid=coid,
                sent_at=departure.sent_at,
                resolver=lambda: departure.concluded(
                    lambda: self._group(submission, (), "", departure, declined)
                ),
                remedy="Do not send it again: look at both with get_open_orders, or in TWS.",
            )
        return None if isinstance(found, Absent) else found


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


def _texts(acks: Sequence[Acknowledgement]) -> str:
    return "; ".join(dict.fromkeys(ack.text or f"{ack.state}" for ack in acks))
