"""See orders with one's own eyes: every leg of a bracket, and how an order ends.

An acknowledged bracket may lack a leg, acknowledgements come in any order and may name no child,
so a leg counts only when its own status was read, and it is told from its sibling by what it is
(type, side, contract), never by its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ApiError, SessionError, Throttled, TransportError
from ibkr_adapter.model.order import ENTRY, STOP_LOSS, TAKE_PROFIT, Leg, Order, OrderState, OrderType, Ticket
from ibkr_adapter.order_reads import NEEDED_READS, VISIBLE_AFTER, OrderReads, children_of

# Pauses between looks at an order (seconds); the last one repeats.
LOOKS = (0.2, 0.3, 0.5, 1.0, 2.0)
# A leg that is acknowledged can take a moment to show.
LEG_LOOKS = 4
# Lists may be read once in five seconds, and a cold one twice.
GONE_WITHIN = 15.0
# A look is worth these seconds even when the order's own deadline is over.
LOOK_WITHIN = 5.0

_BLIND = (ApiError, TransportError, SessionError, Throttled)


@attrs.frozen(kw_only=True)
class Sighting:
    """What was seen of a bracket: the legs that stand, and which do not; ``blind`` if nobody could tell, and ``why``."""

    legs: tuple[Leg, ...]
    missing: tuple[str, ...]
    blind: bool
    why: str = ""


class Watch:
    """Looks at orders until they show what is waited for."""

    def __init__(self, *, clock: Clock, reads: OrderReads) -> None:
        self._clock = clock
        self._reads = reads

    def look(self, account: str, order_id: str, deadline: float) -> Order | None:
        """Read one order's status; ``None`` is "could not see", never "is not there"."""
        return self._look(account, order_id, deadline)[0]

    def _look(self, account: str, order_id: str, deadline: float) -> tuple[Order | None, str]:
        """Look, and say why nothing could be seen."""
        within = max(deadline, self._clock.monotonic() + LOOK_WITHIN)
        try:
            return self._reads.status(account, order_id, deadline=within), ""
        except _BLIND as failure:
            return None, failure.message

    def until(
        self, account: str, order_id: str, done: Callable[[Order], bool], deadline: float
    ) -> Order | None:
        """Look until ``done`` or the deadline; return what was seen last."""
        seen: Order | None = None
        attempt = 0
        while True:
            order = self.look(account, order_id, deadline)
            seen = order or seen
            if order is not None and done(order):
                return order
            pause = LOOKS[min(attempt, len(LOOKS) - 1)]
            attempt += 1
            if self._clock.monotonic() + pause >= deadline or (seen is None and attempt > len(LOOKS)):
                return seen
            self._clock.sleep(pause)

    def legs(
        self, tickets: Sequence[Ticket], entry_id: str, child_ids: Sequence[str], sent: float, deadline: float
    ) -> Sighting:
        """See the entry and its children.

        Args:
            tickets: What was submitted, the entry first.
            entry_id: The entry's order id.
            child_ids: The ids that acknowledgements named; more are found in live orders.
            sent: When the submission left, on the clock.
            deadline: When to stop looking.

        Returns:
            The legs that stand (or have filled), the names of those that were not seen to, and
            whether and why that is because nothing could be seen.
        """
        account = tickets[0].account
        entry, why = self._look(account, entry_id, deadline)
        legs = [leg_of(ENTRY, entry_id, tickets[0], entry)]
        wanted = {name_of(ticket): ticket for ticket in tickets[1:]}
        ids = list(child_ids)
        unseen: set[str] = set()
        for attempt in range(LEG_LOOKS):
            if len(ids) < len(wanted):
                listed, failed = self._listed_children(account, entry_id, sent, deadline, legs)
                ids = list(dict.fromkeys([*ids, *listed]))
                why = failed or why
            for order_id in list(ids):
                order, failed = self._look(account, order_id, deadline)
                if order is None:
                    unseen.add(order_id)
                    why = failed or why or "IBKR does not give their status"
                    continue
                unseen.discard(order_id)
                name = matching(order, wanted)
                if name is None:
                    continue
                ids.remove(order_id)
                if order.state.may_fill or order.state is OrderState.FILLED:
                    legs.append(leg_of(name, order_id, wanted.pop(name), order))
            if not wanted or self._clock.monotonic() >= deadline:
                break
            self._clock.sleep(LOOKS[attempt])
        # An acknowledged leg whose status cannot be read is not a leg that is missing.
        blind = bool(wanted) and (entry is None or len(unseen) >= len(wanted))
        if blind and entry is not None and self._are_gone(account, entry_id, unseen, sent):
            blind = False
        return Sighting(legs=tuple(legs), missing=tuple(wanted), blind=blind, why=why if blind else "")

    def _are_gone(self, account: str, entry_id: str, child_ids: Collection[str], sent: float) -> bool:
        """Tell whether lists that have the entry lack its children, read late enough and often enough."""
        self._clock.sleep(max(0.0, sent + VISIBLE_AFTER - self._clock.monotonic()))
        try:
            for _ in range(NEEDED_READS):
                now = self._clock.monotonic()
                live = self._reads.live(account, not_before=now, deadline=now + GONE_WITHIN)
                listed = {order.order_id for order in live}
                if entry_id not in listed or not listed.isdisjoint(child_ids):
                    return False
                self._reads.changed(account)
        except _BLIND:
            return False
        return True

    def _listed_children(
        self, account: str, entry_id: str, sent: float, deadline: float, legs: Sequence[Leg]
    ) -> tuple[list[str], str]:
        """The children in the lists that are no known legs; where they cannot be read, why not."""
        try:
            live = self._reads.live(
                account, not_before=sent, deadline=max(deadline, self._clock.monotonic() + LOOK_WITHIN)
            )
        except _BLIND as failure:
            return [], failure.message
        known = {leg.order_id for leg in legs}
        return [child.order_id for child in children_of(live, entry_id) if child.order_id not in known], ""


def name_of(ticket: Ticket) -> str:
    """Name an exit by what it does."""
    return TAKE_PROFIT if ticket.order_type is OrderType.LIMIT else STOP_LOSS


def leg_of(name: str, order_id: str, ticket: Ticket, order: Order | None) -> Leg:
    """Put a leg together; a leg that could not be seen yet counts as on its way."""
    state = order.state if order is not None else OrderState.PENDING_SUBMIT
    return Leg(name=name, order_id=order_id, ticket=ticket, state=state)


def as_it_stands(ticket: Ticket, order: Order | None) -> Ticket:
    """Bring a ticket up to what the broker shows of it, or another process's change would be undone.

    The stop of a trailing order moves by itself and is left as it was sent.
    """
    if order is None:
        return ticket
    quantity, limit, stop = ticket.quantity, ticket.limit_price, ticket.stop_price
    if quantity is not None and order.quantity > 0:
        quantity = order.quantity
    if not ticket.order_type.trails:
        limit = limit if limit is None or order.limit_price is None else order.limit_price
        stop = stop if stop is None or order.stop_price is None else order.stop_price
    return attrs.evolve(ticket, quantity=quantity, limit_price=limit, stop_price=stop)


def shows(order: Order, ticket: Ticket) -> bool:
    """Tell whether an order stands as ``ticket`` wants it."""

    def same(seen: Decimal | None, wanted: Decimal | None) -> bool:
        # What IBKR does not report, and what was never asked for, cannot speak against the change.
        return wanted is None or seen is None or seen == wanted

    return (
        same(order.quantity, ticket.quantity)
        and same(order.limit_price, ticket.limit_price)
        and same(order.stop_price, ticket.stop_price)
    )


def matching(order: Order, wanted: Mapping[str, Ticket]) -> str | None:
    """Find which of the legs that are wanted an order is, by what it is."""
    for name, ticket in wanted.items():
        if (
            order.conid == ticket.conid
            and order.side is ticket.side
            and order.order_type is ticket.order_type
        ):
            return name
    return None
