"""Send the stop that a position needs: once, never larger than what is held, and alone where a pair fails.

Such a stop is a new order with a cOID of its own that stands until it is cancelled. A lost answer of it
is no reason for another, and none is sent while a target beside it could fill: both of them together
would open a position. When one is needed is for :mod:`ibkr_adapter.protection` and
:mod:`ibkr_adapter.exits`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import IBKRError, OrderOutcomeUnknown, OrderRejected, PartlyPlaced
from ibkr_adapter.holdings import Holdings
from ibkr_adapter.legs import LOOKS, Watch, leg_of
from ibkr_adapter.model.order import STOP_LOSS, TAKE_PROFIT, Leg, Order, Placed, Ticket, Tif
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.submissions import MEND_WITHIN, Changes, Submission, lives, named

log = logging.getLogger(__name__)

# How often the position is read again while it does not show a fill yet.
_SHOWS = 4
ACT = "Place a stop for that quantity, or close the position."
_ALONE = "Add the target with place_take_profit, or leave the stop alone."
LOOK_FIRST = "Look for it with find_order or in TWS before another is sent."

Place = Callable[[Submission], Placed]


@attrs.frozen(kw_only=True)
class SentStop:
    """A stop that was sent: the leg if it stands, or why nobody can say that it does."""

    leg: Leg | None = None
    failure: IBKRError | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether a stop was sent of which nobody knows if it stands."""
        return isinstance(self.failure, OrderOutcomeUnknown)


class Stops:
    """Sends stops; ``place`` of its methods is where they go."""

    def __init__(
        self, *, clock: Clock, watch: Watch, changes: Changes, holdings: Holdings, own: OwnOrders
    ) -> None:
        self._clock = clock
        self._watch = watch
        self._changes = changes
        self._holdings = holdings
        self._own = own

    def pair(self, submission: Submission, place: Place) -> Placed:
        """Place a target and a stop of which one cancels the other, or the stop alone.

        Raises:
            PartlyPlaced: The stop stands alone, or not even that; ``naked_quantity`` says which.
            OrderOutcomeUnknown: Nobody can tell whether the pair stands.
        """
        try:
            return place(submission)
        except OrderOutcomeUnknown:
            raise
        except IBKRError as failure:
            return self._stop_alone(submission, failure, place)

    def _stop_alone(self, pair: Submission, failure: IBKRError, place: Place) -> Placed:
        """Send the stop of a pair by itself, after the pair was refused or never left."""
        placed = failure.placed if isinstance(failure, PartlyPlaced) else {}
        ticket = named(pair.tickets, STOP_LOSS)
        if ticket is None:
            raise failure
        size = ticket.units
        if STOP_LOSS in placed:
            raise PartlyPlaced(
                f"{failure.message} So the stop stands alone.",
                placed=placed,
                missing=(TAKE_PROFIT,),
                naked_quantity=Decimal(0),
                remedy=_ALONE,
            ) from failure
        if TAKE_PROFIT in placed:
            target = self.end_one(pair, placed[TAKE_PROFIT])
            if target is None or not target.state.is_over:
                raise PartlyPlaced(
                    f"{failure.message} The target works alone and could not be ended, so no stop was sent beside it.",
                    placed=placed,
                    missing=(STOP_LOSS,),
                    naked_quantity=size,
                    remedy=ACT,
                ) from failure
            size -= target.filled
            if size <= 0:
                first = named(pair.tickets, TAKE_PROFIT) or ticket
                return Placed(coid=pair.coid, legs=(leg_of(TAKE_PROFIT, target.order_id, first, target),))
        alone = attrs.evolve(
            ticket, quantity=size, coid=self._own.new_coid(), parent_coid=None, single_group=False
        )
        sent = self.send(attrs.evolve(pair, tickets=(alone,), deadline=self.soon(pair)), place)
        why = f"the pair of exits was refused ({failure.message})"
        if sent.leg is not None:
            raise PartlyPlaced(
                f"{why}; the stop stands alone.",
                placed={STOP_LOSS: sent.leg.order_id},
                missing=(TAKE_PROFIT,),
                naked_quantity=Decimal(0),
                remedy=_ALONE,
            ) from failure
        raise PartlyPlaced(
            f"{why}. {told(sent.failure or failure, size)}",
            placed={},
            missing=(TAKE_PROFIT, STOP_LOSS),
            naked_quantity=None if sent.is_unknown else size,
            remedy=LOOK_FIRST if sent.is_unknown else ACT,
        ) from failure

    def send(self, submission: Submission, place: Place) -> SentStop:
        """Send one stop, once; a lost answer of it is no reason for another."""
        (ticket,) = submission.tickets
        try:
            placed = place(submission)
        except IBKRError as failure:
            return SentStop(failure=failure)
        order_id = placed.entry.order_id
        seen = self._watch.look(submission.account, order_id, self.soon(submission)) if order_id else None
        if seen is not None and not lives(seen):
            return SentStop(failure=OrderRejected(f"order {order_id} is {seen.state}. {seen.reason}".strip()))
        return SentStop(leg=leg_of(STOP_LOSS, order_id, ticket, seen))

    def size(self, submission: Submission, naked: Decimal) -> Decimal:
        """How much of what was filled is held and has no exit of ours yet; nothing where that cannot be read."""
        ticket = submission.tickets[0]
        side, conid = ticket.side.opposite, ticket.conid
        size = Decimal(0)
        try:
            holding = self._holdings.read(submission.account, conid, self.soon(submission))
            for pause in LOOKS[:_SHOWS]:
                size = min(naked, holding.held_for(side) - holding.covered(side))
                if size == naked:
                    break
                self._clock.sleep(pause)
                quantity = self._holdings.quantity(submission.account, conid)
                holding = attrs.evolve(holding, quantity=quantity)
        except IBKRError as failure:
            log.warning("the position cannot be read, so no stop can be sized: %s", failure)
            return Decimal(0)
        return max(Decimal(0), size)

    def loose(self, ticket: Ticket, size: Decimal) -> Ticket:
        """Write an exit anew as one that hangs on no entry, one of a pair, good until it is cancelled."""
        return attrs.evolve(
            ticket,
            quantity=size,
            tif=Tif.GTC,
            coid=self._own.new_coid(),
            parent_coid=None,
            single_group=True,
        )

    def end_one(self, submission: Submission, order_id: str) -> Order | None:
        """Cancel an exit and say how it was seen last."""
        seen = self._watch.look(submission.account, order_id, self.soon(submission))
        if seen is not None and seen.state.is_over:
            return seen
        try:
            return self._changes.cancel(
                order_id,
                account=submission.account,
                replies=submission.replies,
                deadline=self.soon(submission),
            )
        except IBKRError as failure:
            log.warning("order %s could not be ended: %s", order_id, failure)
            return self._watch.look(submission.account, order_id, self.soon(submission))

    def soon(self, submission: Submission) -> float:
        """By when a step must be over: an order's own deadline may be past already."""
        return max(submission.deadline, self._clock.monotonic() + MEND_WITHIN)


def told(failure: IBKRError, size: Decimal) -> str:
    """Say why nobody can count on a stop."""
    if isinstance(failure, OrderOutcomeUnknown):
        return f"A stop for {size:f} was sent as {failure.coid}, and nobody can tell whether it stands."
    return f"No stop stands for {size:f}: {failure.message}"
