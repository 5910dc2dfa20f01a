"""Close and protect positions so that no exit can ever open one.

A full close first ends our own working orders on the contract and sees them gone, then reads
the position again and sends what is left. A partial close first brings the exits down to what
will remain. A late exit joins what protects the position already, or hangs on our own entry
that still works; where there is nothing to protect, nothing is sent. Orders of other people and
programs are never touched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import attrs

from ibkr_adapter import order_builder
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import IBKRError, InvalidOrder, OrderRejected, PartlyPlaced
from ibkr_adapter.holdings import Holding, Holdings
from ibkr_adapter.legs import LOOKS, Watch, name_of
from ibkr_adapter.measures import Terms
from ibkr_adapter.model.order import STOP_LOSS, TAKE_PROFIT, Order, OrderType, Origin, Placed, Side, Ticket
from ibkr_adapter.order_reads import OrderReads, children_of
from ibkr_adapter.orders import Submission
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.replies import ReplyHandler

log = logging.getLogger(__name__)

# How often the position is read again while it does not show our own fills yet.
SETTLE_LOOKS = 4


class Places(Protocol):
    """Where submissions go: the order desk, or a rehearsal of it."""

    def ready(self, account: str) -> None:
        """See that an order can be sent, before anything is ended that it is to take the place of."""

    def place(self, submission: Submission) -> Placed:
        """Submit once and see what came of it."""


class Changes(Protocol):
    """Where changes to standing orders go."""

    def modify(
        self, order_id: str, ticket: Ticket, *, replies: ReplyHandler, deadline: float, reducing: bool
    ) -> Order:
        """Send the whole ticket again with what changes, and see that it took."""

    def cancel(
        self,
        order_id: str,
        *,
        account: str,
        replies: ReplyHandler | None,
        deadline: float,
        origin: Origin | None = None,
    ) -> Order:
        """Ask for a cancel and see how the order ended."""


@attrs.frozen(kw_only=True)
class Closed:
    """What a close came to: the order it sent, and the exits that had filled on the way."""

    side: Side
    placed: Placed | None
    quantity: Decimal
    filled_meanwhile: tuple[Order, ...] = ()


@attrs.frozen(kw_only=True)
class Mandate:
    """On whose behalf exits are placed: the terms, who answers questions, and for how long."""

    terms: Terms
    replies: ReplyHandler
    order_deadline: float
    unknown_deadline: float

    @property
    def account(self) -> str:
        """The account that is acted for."""
        return self.terms.account

    @property
    def conid(self) -> int:
        """The contract that is acted on."""
        return self.terms.contract.conid


class Exits:
    """Closes and protects; shared by every object of a connection."""

    def __init__(
        self,
        *,
        clock: Clock,
        desk: Places,
        changes: Changes,
        holdings: Holdings,
        reads: OrderReads,
        watch: Watch,
        own: OwnOrders,
    ) -> None:
        self._clock = clock
        self._desk = desk
        self._changes = changes
        self._holdings = holdings
        self._reads = reads
        self._watch = watch
        self._own = own

    # Closing ------------------------------------------------------------------------------

    def close(self, mandate: Mandate, asked: Decimal | None) -> Closed:
        """Close a position, wholly or in part; its own direction decides the side.

        Args:
            mandate: On whose behalf.
            asked: How much; all of it if ``None`` or more than is held.

        Raises:
            InvalidOrder: There is no position; nothing was sent.
            ConfigurationError: There is no journal; nothing was ended and nothing sent.
            OrderRejected: IBKR refused the closing order; the position stands.
            PartlyPlaced: Our own orders could not be ended; nothing was sent, and it says which
                of them still work.
        """
        self._desk.ready(mandate.account)
        deadline = self._deadline(mandate)
        holding = self._holdings.read(mandate.account, mandate.conid, deadline)
        if holding.quantity == 0:
            raise InvalidOrder(
                f"there is no position in {mandate.terms.contract.symbol} to close; nothing was sent."
            )
        if asked is None or asked >= abs(holding.quantity):
            return self._close_all(mandate, holding, deadline)
        return self._close_part(mandate, holding, asked, deadline)

    def _close_all(self, mandate: Mandate, holding: Holding, deadline: float) -> Closed:
        side = holding.exit_side
        ended = self._end(mandate, holding.working, deadline)
        left = holding.quantity
        if ended:
            left = self._settled(mandate, holding, ended)
        filled = tuple(order for order in ended if order.state.is_over and order.filled > 0)
        if left == 0 or (left > 0) != (holding.quantity > 0):
            return Closed(side=side, placed=None, quantity=Decimal(0), filled_meanwhile=filled)
        placed = self._market(mandate, side, abs(left))
        return Closed(side=side, placed=placed, quantity=abs(left), filled_meanwhile=filled)

    def _close_part(self, mandate: Mandate, holding: Holding, asked: Decimal, deadline: float) -> Closed:
        side = holding.exit_side
        remainder = abs(holding.quantity) - asked
        for order in holding.combos():
            if order.remaining * order.moves(mandate.conid) * side.sign > remainder:
                raise OrderRejected(
                    f"our combination {order.order_id} trades in this contract, too, and more than would remain,"
                    " so nothing was sent to close a part.",
                    remedy="Close the whole position, or cancel that order first.",
                )
        exits = holding.exits(side)
        for order in exits:
            if order.remaining > remainder:
                self._shrink(mandate, order, remainder, deadline)
        held = abs(holding.quantity)
        if exits:
            # An exit may have filled while it was being brought down.
            held = max(Decimal(0), -self._holdings.quantity(mandate.account, mandate.conid) * side.sign)
        size = min(asked, held)
        if size == 0:
            return Closed(side=side, placed=None, quantity=Decimal(0))
        return Closed(side=side, placed=self._market(mandate, side, size), quantity=size)

    def _market(self, mandate: Mandate, side: Side, size: Decimal) -> Placed:
        ticket = order_builder.closing(mandate.terms, side=side, size=size, coid=self._own.new_coid())
        return self._place(mandate, (ticket,))

    def _end(self, mandate: Mandate, working: tuple[Order, ...], deadline: float) -> list[Order]:
        """Cancel orders and see each of them over; parents first, they take their children along."""
        ended: list[Order] = []
        alive = sorted(working, key=lambda order: order.parent_id is not None)
        for index, order in enumerate(alive):
            if ended:
                # It may have gone with an order that was ended before it; cancelling it again would fail.
                seen = self._watch.look(order.order_id, deadline)
                if seen is not None and seen.state.is_over:
                    ended.append(seen)
                    continue
            try:
                ended.append(
                    self._changes.cancel(
                        order.order_id,
                        account=mandate.account,
                        replies=mandate.replies,
                        deadline=deadline,
                        origin=mandate.terms.origin,
                    )
                )
            except IBKRError as failure:
                left = [one.order_id for one in alive[index:]]
                raise PartlyPlaced(
                    f"our own order {order.order_id} could not be ended, so nothing was sent to close the position:"
                    f" {failure.message} Still working, as far as is known: {', '.join(left)}.",
                    placed={one.order_id: one.order_id for one in alive[index:]},
                    missing=("close",),
                    remedy="Try the close again, or cancel these orders in TWS first.",
                ) from failure
        return ended

    def _settled(self, mandate: Mandate, before: Holding, ended: list[Order]) -> Decimal:
        """Read the position until it shows what our own orders filled meanwhile.

        Where it does not come to that, the smaller of the two figures is closed: too little can
        be closed again, too much opens a position.
        """
        started = {order.order_id: order.filled for order in before.working}
        # A combination moves this contract by its ratio, and a status does not tell its legs.
        moves = {order.order_id: order.moves(mandate.conid) for order in before.working}
        change = sum(
            (
                (order.filled - started.get(order.order_id, Decimal(0))) * moves[order.order_id]
                for order in ended
            ),
            Decimal(0),
        )
        expected = before.quantity + change
        for attempt in range(SETTLE_LOOKS):
            now = self._holdings.quantity(mandate.account, mandate.conid)
            if now == expected:
                return now
            self._clock.sleep(LOOKS[attempt])
        log.warning("the position reads %s where our fills make it %s", now, expected)
        if (now > 0) != (expected > 0) or 0 in {now, expected}:
            return Decimal(0)
        return min(now, expected, key=abs)

    # Protecting ---------------------------------------------------------------------------

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
        """
        self._desk.ready(mandate.account)
        deadline = self._deadline(mandate)
        holding = self._holdings.read(mandate.account, mandate.conid, deadline)
        held = holding.held_for(side)
        if held > 0:
            return self._protect_position(mandate, holding, side, min(asked, held), build, deadline)
        entries = holding.entries(side.opposite)
        if not entries:
            raise InvalidOrder(
                f"there is neither a position in {mandate.terms.contract.symbol} nor an entry of ours that a {side}"
                " order would protect; nothing was sent."
            )
        return self._hang_on(mandate, entries[-1], asked, build, deadline)

    def pair(
        self, mandate: Mandate, side: Side, asked: Decimal, build: Callable[[Decimal], tuple[Ticket, Ticket]]
    ) -> Placed:
        """Protect a position by two exits of which one cancels the other, in place of our others."""
        self._desk.ready(mandate.account)
        deadline = self._deadline(mandate)
        holding = self._holdings.read(mandate.account, mandate.conid, deadline)
        if holding.held_for(side) == 0:
            raise InvalidOrder(
                f"there is no position in {mandate.terms.contract.symbol} that a {side} order would protect;"
                " nothing was sent."
            )
        # Built before anything is cancelled: what makes no sense must not cost the protection.
        tickets = build(min(asked, holding.held_for(side)))
        return self._replace(mandate, holding, holding.exits(side), tickets, deadline)

    def _protect_position(
        self,
        mandate: Mandate,
        holding: Holding,
        side: Side,
        size: Decimal,
        build: Callable[[Decimal, str], Ticket],
        deadline: float,
    ) -> Placed:
        existing = holding.exits(side)
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
            f"our orders {', '.join(order.order_id for order in existing)} protect the whole position already;"
            " nothing was sent.",
            remedy="Cancel one of them first, or replace them by place_oco_order.",
        )

    def _join(
        self, mandate: Mandate, holding: Holding, old: Order, kept: Ticket, new: Ticket, deadline: float
    ) -> Placed:
        """Replace a lone exit by a pair of which one cancels the other."""
        size = min(kept.units, holding.held_for(old.side))
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
        left = self._settled(mandate, holding, ended) if ended else holding.quantity
        size = min(tickets[0].units, max(Decimal(0), -left * tickets[0].side.sign))
        if size == 0:
            raise InvalidOrder(
                "the position was closed while its exits were being replaced; nothing was sent.",
                text=", ".join(f"{order.order_id} is {order.state}" for order in ended),
            )
        pair = tuple(attrs.evolve(ticket, quantity=size, single_group=True) for ticket in tickets)
        try:
            return self._place(mandate, pair)
        except (OrderRejected, PartlyPlaced) as failure:
            if isinstance(failure, PartlyPlaced) and STOP_LOSS in failure.placed:
                raise
            stop = next((ticket for ticket in pair if name_of(ticket) == STOP_LOSS), None)
            if stop is None or (isinstance(failure, PartlyPlaced) and TAKE_PROFIT in failure.placed):
                raise
            again = self._place(mandate, (attrs.evolve(stop, coid=self._own.new_coid(), single_group=False),))
            raise PartlyPlaced(
                f"the pair of exits was refused ({failure.message}); the stop stands alone again.",
                placed={STOP_LOSS: again.entry.order_id},
                missing=(TAKE_PROFIT,),
            ) from failure

    def _hang_on(
        self,
        mandate: Mandate,
        entry: Order,
        asked: Decimal,
        build: Callable[[Decimal, str], Ticket],
        deadline: float,
    ) -> Placed:
        """Attach a late child to an entry that still works, and see that it really hangs on it."""
        sent = self._clock.monotonic()
        ticket = attrs.evolve(
            build(min(asked, entry.quantity), self._own.new_coid()), parent_coid=entry.coid or entry.order_id
        )
        placed = self._place(mandate, (ticket,))
        if placed.dry_run:
            return placed
        child_id = placed.entry.order_id
        try:
            live = self._reads.live(not_before=sent, deadline=max(deadline, self._clock.monotonic() + 15.0))
        except IBKRError as failure:
            log.warning("whether order %s hangs on its entry cannot be read: %s", child_id, failure)
            live = ()
        if any(child.order_id == child_id for child in children_of(live, entry.order_id)):
            return placed
        over = self._changes.cancel(
            child_id,
            account=mandate.account,
            replies=mandate.replies,
            deadline=max(deadline, self._clock.monotonic() + 15.0),
        )
        raise OrderRejected(
            f"the exit was not seen to hang on the entry {entry.order_id}, so it was cancelled"
            f"{f' after {over.filled:f} had filled' if over.filled else ''}; the entry works on without it.",
            remedy="Cancel the entry and place it with place_bracket_order.",
        )

    # Common -------------------------------------------------------------------------------

    def _shrink(self, mandate: Mandate, order: Order, remainder: Decimal, deadline: float) -> None:
        ticket = ticket_of(order, mandate.account, self._own.ticket(order.order_id))
        if ticket is None:
            raise OrderRejected(
                f"our exit {order.order_id} cannot be made smaller, so nothing was sent to close a part.",
                remedy="Close the whole position, or cancel that order first.",
            )
        self._changes.modify(
            order.order_id,
            attrs.evolve(ticket, quantity=order.filled + remainder, origin=mandate.terms.origin),
            replies=mandate.replies,
            deadline=deadline,
            reducing=True,
        )

    def _place(self, mandate: Mandate, tickets: tuple[Ticket, ...]) -> Placed:
        return self._desk.place(
            Submission(
                tickets=tickets,
                replies=mandate.replies,
                deadline=self._deadline(mandate),
                wait_for_outcome=mandate.unknown_deadline,
                reducing=True,
            )
        )

    def _deadline(self, mandate: Mandate) -> float:
        return self._clock.monotonic() + mandate.order_deadline


def ticket_of(order: Order, account: str, sent: Ticket | None) -> Ticket | None:
    """Write down an order that stands as a ticket, or ``None`` where not all of it is known."""
    if sent is not None:
        return attrs.evolve(sent, quantity=order.quantity, cash_quantity=None, fx_quantity=None)
    if order.order_type is None or order.tif is None:
        return None
    try:
        return Ticket(
            account=account,
            conid=order.conid,
            side=order.side,
            order_type=order.order_type,
            quantity=order.quantity,
            tif=order.tif,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            trailing=order.trailing,
            trailing_unit=order.trailing_unit,
            outside_rth=bool(order.outside_rth),
            coid=order.coid,
            parent_coid=order.parent_id,
            conidex=order.conidex,
        )
    except InvalidOrder:
        return None


def _name(order: Order) -> str:
    return TAKE_PROFIT if order.order_type is OrderType.LIMIT else STOP_LOSS
