"""Close positions so that no exit of ours can open one afterwards.

A full close first ends our own working orders on the contract and sees them gone, then reads the
position again and sends what is left. A partial close first brings the exits down to what will remain,
all of them together.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from ibkr_adapter import order_builder
from ibkr_adapter.errors import InvalidOrder, OrderRejected, telling
from ibkr_adapter.holdings import Holding, group_of
from ibkr_adapter.mandates import Hands, Mandate, ticket_of
from ibkr_adapter.model.order import Order, OrderType, Placed, Side
from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class Closed(Shown):
    """What a close came to: the order it sent, and the exits that had filled on the way.

    ``before`` says what had been done to our other orders for it, in words; empty where nothing had.
    """

    side: Side
    placed: Placed | None
    quantity: Decimal
    filled_meanwhile: tuple[Order, ...] = ()
    before: str = ""


class Closes(Hands):
    """Closes positions, wholly or in part."""

    def close(self, mandate: Mandate, asked: Decimal | None) -> Closed:
        """Close a position, wholly or in part; its own direction decides the side.

        Args:
            mandate: On whose behalf.
            asked: How much; all of it if ``None`` or more than is held.

        Raises:
            InvalidOrder: There is no position; nothing was sent.
            ConfigurationError: There is no journal; nothing was ended and nothing sent.
            OrderRejected: IBKR refused the closing order; the position stands, and like every error of that
                order it says which orders of ours were ended before.
            PartlyPlaced: Our own orders could not be ended; nothing was sent, and it says which
                of them still work.
            BrokerageUnavailable: Another thread is not done with the same position; nothing was sent.
        """
        self._desk.ready(mandate.account, mandate.replies)
        with self._alone(mandate):
            deadline = self._deadline(mandate)
            holding = self._held(mandate, deadline)
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
        done, left = "", holding.quantity
        if ended:
            names = ", ".join(order.order_id for order in ended)
            done = f"Before this our own orders {names} were ended, and the position stands without them."
            with telling(done):
                left = self._settled(mandate, holding, ended)
        filled = tuple(order for order in ended if order.state.is_over and order.filled > 0)
        if left == 0 or (left > 0) != (holding.quantity > 0):
            return Closed(side=side, placed=None, quantity=Decimal(0), filled_meanwhile=filled)
        placed = self._market(mandate, side, abs(left), left, done)
        return Closed(side=side, placed=placed, quantity=abs(left), filled_meanwhile=filled, before=done)

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
        held = abs(holding.quantity)
        done = ""
        if self._bring_down(mandate, holding, side, remainder, deadline):
            # An exit may have filled while it was being brought down.
            done = f"Before this our exits were brought down to {remainder.normalize():f} at most."
            held = max(Decimal(0), -self._holdings.quantity(mandate.account, mandate.conid) * side.sign)
        size = min(asked, held)
        if size == 0:
            return Closed(side=side, placed=None, quantity=Decimal(0))
        placed = self._market(mandate, side, size, -held * side.sign, done)
        return Closed(side=side, placed=placed, quantity=size, before=done)

    def _market(self, mandate: Mandate, side: Side, size: Decimal, before: Decimal, done: str) -> Placed:
        """Close ``size`` of the ``before`` that are held; ``done`` is what was done for it already."""
        ticket = order_builder.closing(mandate.terms, side=side, size=size, coid=self._own.new_coid())
        with telling(done):
            return self._noted(
                mandate.account, {mandate.conid: before}, lambda: self._place(mandate, (ticket,))
            )

    def _bring_down(
        self, mandate: Mandate, holding: Holding, side: Side, remainder: Decimal, deadline: float
    ) -> bool:
        """See that all exits together close no more than will remain, those with a stop first.

        What of an exit hangs on an entry that has still to fill is left as it is.
        """
        exits = holding.exits(side)
        stops = {group_of(order) for order in exits if order.order_type is not OrderType.LIMIT}
        sizes = holding.groups(side)
        left = remainder
        for group in sorted(sizes, key=lambda name: name not in stops):
            room = min(sizes[group], left)
            left -= room
            for order in (order for order in exits if group_of(order) == group):
                rest = order.remaining - max(Decimal(0), holding.awake(order) - room)
                if rest == 0:
                    self._end(mandate, (order,), deadline)
                elif rest < order.remaining:
                    self._shrink(mandate, order, rest, deadline)
        return bool(exits)

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
