"""Protect positions so that no exit can ever open one.

A late exit joins what protects the position already, or hangs on our own entry that still works;
where there is nothing to protect, nothing is sent. Exits together are never larger than the position,
a group of which one ends the others counted once; what hangs on an entry that has not filled sleeps with
it and counts on that entry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import cast

import attrs

from ibkr_adapter.closes import Closes
from ibkr_adapter.errors import (
    IBKRError,
    InvalidOrder,
    OrderOutcomeUnknown,
    OrderRejected,
    PartlyPlaced,
    telling,
)
from ibkr_adapter.holdings import Holding
from ibkr_adapter.legs import name_of
from ibkr_adapter.mandates import Mandate, ticket_of
from ibkr_adapter.model.order import ENTRY, STOP_LOSS, TAKE_PROFIT, Order, OrderType, Placed, Side, Ticket
from ibkr_adapter.order_reads import children_of

log = logging.getLogger(__name__)

# Seeing a late exit on its entry, and ending it where it is not there, are worth these seconds.
SEEN_WITHIN = 15.0


class Exits(Closes):
    """Closes and protects; shared by every object of a connection."""

    def protect(
        self, mandate: Mandate, side: Side, asked: Decimal, build: Callable[[Decimal, str], Ticket]
    ) -> Placed:
        """Add one exit to a position, or to our entry that still works.

        Args:
            mandate: On whose behalf.
            side: The exit's own side.
            asked: Its size; clamped to what there is to protect.
            build: Makes the ticket from a size and a cOID.

        Raises:
            InvalidOrder: There is nothing to protect on that side, or it is protected in full
                already; nothing was sent.
            OrderRejected: It was not seen to hang on the entry, and was cancelled.
            PartlyPlaced: It was to become one of a pair, and only one of them stands, or none.
        """
        self._desk.ready(mandate.account, mandate.replies)
        with self._alone(mandate):
            deadline = self._deadline(mandate)
            holding = self._held(mandate, deadline)
            held = holding.held_for(side)
            if held > 0:
                return self._protect_position(mandate, holding, side, min(asked, held), build, deadline)
            entries = holding.entries(side.opposite)
            if not entries:
                raise InvalidOrder(
                    f"there is neither a position in {mandate.terms.contract.symbol} nor an entry of ours that a {side}"
                    " order would protect; nothing was sent."
                )
            return self._hang_on(mandate, holding, entries[-1], asked, build, deadline)

    def pair(
        self, mandate: Mandate, side: Side, asked: Decimal, build: Callable[[Decimal], tuple[Ticket, Ticket]]
    ) -> Placed:
        """Protect a position by two exits of which one cancels the other, in place of our others.

        Exits that hang on an entry that still works stay with it.

        Raises:
            InvalidOrder: There is no position on that side that they do not cover; nothing was sent.
            PartlyPlaced: Only the stop stands, or not even that; ``naked_quantity`` says which.
        """
        self._desk.ready(mandate.account, mandate.replies)
        with self._alone(mandate):
            deadline = self._deadline(mandate)
            holding = self._held(mandate, deadline)
            kept = attrs.evolve(
                holding,
                working=tuple(order for order in holding.working if order not in _loose(holding, side)),
            )
            room = holding.held_for(side) - kept.covered(side)
            if room <= 0:
                raise InvalidOrder(
                    f"there is no position in {mandate.terms.contract.symbol} that a {side} order would protect;"
                    " nothing was sent."
                )
            # Built before anything is cancelled: what makes no sense must not cost the protection.
            tickets = build(min(asked, room))
            return self._replace(mandate, holding, _loose(holding, side), tickets, deadline)

    def _protect_position(
        self,
        mandate: Mandate,
        holding: Holding,
        side: Side,
        size: Decimal,
        build: Callable[[Decimal, str], Ticket],
        deadline: float,
    ) -> Placed:
        existing = _loose(holding, side)
        room = holding.held_for(side) - holding.covered(side)
        if room >= size:
            return self._place(mandate, (build(size, self._own.new_coid()),))
        ticket = build(size, self._own.new_coid())
        others = [order for order in existing if _name(order) != name_of(ticket)]
        if len(existing) == 1 and others:
            kept = ticket_of(others[0], mandate.account, self._own.ticket(others[0].order_id))
            if kept is not None:
                return self._join(mandate, holding, others[0], kept, ticket, deadline)
        if room > 0:
            return self._place(mandate, (attrs.evolve(ticket, quantity=room),))
        raise InvalidOrder(
            f"our orders {', '.join(order.order_id for order in holding.exits(side))} protect the whole position"
            " already; nothing was sent.",
            remedy="Cancel one of them first, or replace them by place_oco_order.",
        )

    def _join(
        self, mandate: Mandate, holding: Holding, old: Order, kept: Ticket, new: Ticket, deadline: float
    ) -> Placed:
        """Replace a lone exit by a pair of which one cancels the other."""
        size = min(kept.units, new.units)
        again = attrs.evolve(
            kept,
            quantity=size,
            coid=self._own.new_coid(),
            parent_coid=None,
            single_group=True,
            origin=mandate.terms.origin,
        )
        return self._replace(
            mandate, holding, (old,), (attrs.evolve(new, quantity=size, single_group=True), again), deadline
        )

    def _replace(
        self,
        mandate: Mandate,
        holding: Holding,
        old: tuple[Order, ...],
        tickets: tuple[Ticket, Ticket],
        deadline: float,
    ) -> Placed:
        ended = self._end(mandate, old, deadline)
        left = holding.quantity
        if ended:
            names = ", ".join(order.order_id for order in ended)
            with telling(f"Before this our exits {names} were ended, and the position stands without them."):
                left = self._settled(mandate, holding, ended)
        gone = {order.order_id for order in old}
        kept = attrs.evolve(
            holding,
            quantity=left,
            working=tuple(order for order in holding.working if order.order_id not in gone),
        )
        side = tickets[0].side
        size = min(tickets[0].units, max(Decimal(0), kept.held_for(side) - kept.covered(side)))
        if size == 0:
            raise InvalidOrder(
                "the position was closed while its exits were being replaced; nothing was sent.",
                text=", ".join(f"{order.order_id} is {order.state}" for order in ended),
            )
        pair = tuple(attrs.evolve(ticket, quantity=size, single_group=True) for ticket in tickets)
        return self._stops.pair(self._submission(mandate, pair), self._desk.place)

    # On an entry --------------------------------------------------------------------------

    def _hang_on(
        self,
        mandate: Mandate,
        holding: Holding,
        entry: Order,
        asked: Decimal,
        build: Callable[[Decimal, str], Ticket],
        deadline: float,
    ) -> Placed:
        """Attach a late child to an entry that still works, and see that it really hangs on it."""
        # An entry that first closes a position on the other side opens only the rest.
        opens = entry.remaining - holding.held_for(entry.side)
        if opens <= 0:
            raise InvalidOrder(
                f"our order {entry.order_id} only closes a position in {mandate.terms.contract.symbol}, so there is"
                " nothing to protect; nothing was sent."
            )
        sent = self._clock.monotonic()
        ticket = attrs.evolve(
            build(min(asked, opens), self._own.new_coid()), parent_coid=entry.coid or entry.order_id
        )
        try:
            placed = self._place(mandate, (ticket,))
        except OrderOutcomeUnknown as unknown:
            resolve = unknown.resolve
            raise OrderOutcomeUnknown(
                unknown.message,
                coid=unknown.coid,
                order_id=unknown.order_id,
                sent_at=unknown.sent_at,
                # Found later, it is no better than found now: off its entry it must not stay. What was
                # placed is found as that.
                resolver=lambda: self._attached(mandate, entry, cast("Placed", resolve()), sent),
                remedy=unknown.remedy,
            ) from unknown
        return placed if placed.dry_run else self._attached(mandate, entry, placed, sent, deadline)

    def _attached(
        self, mandate: Mandate, entry: Order, placed: Placed, sent: float, deadline: float = 0.0
    ) -> Placed:
        """Believe that a child hangs on its entry where live orders show it, and else end it."""
        child_id = placed.entry.order_id
        until = max(deadline, self._clock.monotonic() + SEEN_WITHIN)
        try:
            children = children_of(
                self._reads.live(mandate.account, not_before=sent, deadline=until), entry.order_id
            )
        except IBKRError as failure:
            log.warning("whether order %s hangs on its entry cannot be read: %s", child_id, failure)
            children = ()
        child = next((order for order in children if order.order_id == child_id), None)
        if child is not None and not (child.state.may_fill or child.filled > 0):
            raise OrderRejected(
                f"the exit {child_id} ended with its entry {entry.order_id}; it is {child.state}.",
                text=child.reason,
            )
        siblings = [order for order in children if order.state.may_fill and order.order_id != child_id]
        # Two exits of one entry that are not of one group would both be sold.
        if child is not None and all(child.oca_group == other.oca_group is not None for other in siblings):
            return placed
        try:
            over = self._changes.cancel(
                child_id,
                account=mandate.account,
                replies=mandate.replies,
                deadline=max(deadline, self._clock.monotonic() + SEEN_WITHIN),
            )
        except IBKRError as failure:
            # Of a cancel every error means that the order may work on.
            raise PartlyPlaced(
                f"the exit {child_id} was not seen to hang on the entry {entry.order_id}, and could not be cancelled:"
                f" {failure.message}",
                placed={ENTRY: entry.order_id, name_of(placed.entry.ticket): child_id},
                missing=(),
                remedy="Cancel the exit, here or in TWS: by itself it can open a position.",
            ) from failure
        text = f"the exit was not seen to hang on the entry {entry.order_id}, so it was cancelled"
        if over.filled > 0:
            raise PartlyPlaced(
                f"{text} after {over.filled:f} had filled; the entry works on without it.",
                placed={ENTRY: entry.order_id},
                missing=(name_of(placed.entry.ticket),),
                naked_quantity=over.filled,
                remedy="What it traded is a position of its own: look at it, and close it.",
            )
        # A cancel of one exit can take the others of its entry along.
        seen = [self._watch.look(mandate.account, order.order_id, until) for order in siblings]
        gone = [order.order_id for order in seen if order is not None and order.state.is_over]
        if gone:
            raise PartlyPlaced(
                f"{text}, which took {' and '.join(gone)} along; the entry works on without them.",
                placed={ENTRY: entry.order_id},
                missing=(STOP_LOSS, TAKE_PROFIT),
                remedy="Cancel the entry and place it with place_bracket_order.",
            )
        raise OrderRejected(
            f"{text}; the entry works on without it.",
            remedy="Cancel the entry and place it with place_bracket_order.",
        )


def _loose(holding: Holding, side: Side) -> tuple[Order, ...]:
    """Our exits that hang on no entry that still works."""
    return tuple(order for order in holding.exits(side) if holding.parent(order) is None)


def _name(order: Order) -> str:
    return TAKE_PROFIT if order.order_type is OrderType.LIMIT else STOP_LOSS
