"""Know what an account holds of one contract, and which orders of ours work on it.

Both are read afresh: what closes or protects a position is never sized from a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.legs import LOOKS, Watch
from ibkr_adapter.model.order import Order, OrderType, Side
from ibkr_adapter.order_reads import OrderReads
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.portfolio import Portfolio

# A fill that the position may not show yet is no older, by IBKR's clock and ours.
JUST_NOW = timedelta(seconds=5)


@attrs.frozen(kw_only=True)
class Holding:
    """One contract in one account: the signed position, and our working orders on it.

    ``working`` has the combinations, too, that have the contract for a leg; they are neither exits
    nor entries of it, because they trade in other contracts as well.
    """

    quantity: Decimal
    working: tuple[Order, ...]

    @property
    def exit_side(self) -> Side:
        """The side of an order that reduces the position."""
        return Side.SELL if self.quantity > 0 else Side.BUY

    def exits(self, side: Side) -> tuple[Order, ...]:
        """Our working orders on ``side``."""
        return tuple(order for order in self.working if order.side is side and not order.legs)

    def combos(self) -> tuple[Order, ...]:
        """Our working combinations that have the contract for a leg."""
        return tuple(order for order in self.working if order.legs)

    def entries(self, side: Side) -> tuple[Order, ...]:
        """Our working orders on ``side`` that hang on nothing and open or add to a position."""
        return tuple(
            order for order in self.exits(side) if order.parent_id is None and order.oca_group is None
        )

    def held_for(self, exit_side: Side) -> Decimal:
        """How much an order on ``exit_side`` could close."""
        return max(Decimal(0), -self.quantity * exit_side.sign)

    def covered(self, exit_side: Side) -> Decimal:
        """How much of the position our working exits could close together; a group counts once."""
        return sum(self.groups(exit_side).values(), Decimal(0))

    def groups(self, exit_side: Side) -> dict[str, Decimal]:
        """How much of the position each group of our exits could close, in the order of the list."""
        groups: dict[str, Decimal] = {}
        for order in self.exits(exit_side):
            key = group_of(order)
            groups[key] = max(groups.get(key, Decimal(0)), self.awake(order))
        return groups

    def awake(self, order: Order) -> Decimal:
        """How much of an exit is on the position, and not on what its entry has still to fill."""
        parent = self.parent(order)
        return order.remaining if parent is None else max(Decimal(0), order.remaining - parent.remaining)

    def parent(self, order: Order) -> Order | None:
        """The entry that an exit hangs on, while that works."""
        return next((entry for entry in self.working if entry.order_id == order.parent_id), None)


class Holdings:
    """Reads holdings over one connection."""

    def __init__(
        self, *, clock: Clock, reads: OrderReads, watch: Watch, portfolio: Portfolio, own: OwnOrders
    ) -> None:
        self._clock = clock
        self._watch = watch
        self._reads = reads
        self._portfolio = portfolio
        self._own = own

    def read(self, account_id: str, conid: int, deadline: float) -> Holding:
        """Read our working orders first, each by its own status, and the position then.

        In this order a fill in between is seen in the position; the other way round it would be
        seen in neither. The list of orders may be a few seconds old, because IBKR gives it once
        in five; whatever this process has sent since makes it be read anew.
        """
        live = self._reads.live(account_id, deadline=deadline)
        working: list[Order] = []
        # What our orders have filled a moment ago: before the list was read, and since.
        moved = self._just_moved(live, account_id, conid)
        for order in self.ours(live, account_id, conid):
            seen = self._watch.look(account_id, order.order_id, deadline)
            if seen is None:
                working.append(order)
                continue
            moved.append((seen.filled - order.filled) * order.moves(conid))
            working.append(
                attrs.evolve(order, state=seen.state, filled=seen.filled, remaining=seen.remaining)
            )
        return Holding(
            quantity=self._shown(account_id, conid, moved),
            working=tuple(order for order in working if order.state.may_fill),
        )

    def _just_moved(self, live: Sequence[Order], account_id: str, conid: int) -> list[Decimal]:
        """By how much each order of ours that has filled just now moved the position.

        Market orders are none of them: whoever sent one to close knows what it is to make of the position.
        """
        since = self._clock.now() - JUST_NOW
        return [
            order.filled * order.moves(conid)
            for order in live
            if order.updated is not None
            and order.updated > since
            and order.moves(conid)
            and order.account in {"", account_id}
            and order.state.is_over
            and order.order_type is not OrderType.MARKET
            and self._own.includes(order, live)
        ]

    def _shown(self, account_id: str, conid: int, moved: Sequence[Decimal]) -> Decimal:
        """The position, read again while it may not show yet what reduced it a moment ago.

        Not the sum counts: an entry that has filled may show before its exit does.
        """
        first = quantity = self.quantity(account_id, conid)
        for pause in LOOKS:
            if not any(first * change < 0 for change in moved) or quantity != first:
                break
            self._clock.sleep(pause)
            quantity = self.quantity(account_id, conid)
        return quantity

    def ours(self, live: Sequence[Order], account_id: str, conid: int) -> tuple[Order, ...]:
        """Pick our working orders on a contract; nobody else's are in the answer."""
        return tuple(
            order
            for order in live
            if order.moves(conid)
            and order.account in {"", account_id}
            and order.state.may_fill
            and self._own.includes(order, live)
        )

    def only_reduces(
        self,
        changes: Sequence[tuple[str, int, Decimal | None]],
        held: Callable[[str, int], Decimal],
        order_id: str | None = None,
    ) -> bool:
        """Tell whether an order is a close by another name.

        It is where it trades away no more than is held, together with every order that works already,
        whoever placed it: many small sales of the same shares would open a position between them.

        Args:
            changes: Account, contract, and by how much the position in it would change; ``None`` where
                nobody knows.
            held: Reads a position.
            order_id: The order that is being changed, which does not count beside itself.
        """
        live: dict[str, tuple[Order, ...]] = {}
        for account_id, conid, change in changes:
            if change is None:
                return False
            if not _covers(self.quantity(account_id, conid), change, Decimal(0)):
                return False
            if account_id not in live:
                live[account_id] = self._reads.live(account_id)
            promised = _promised(live[account_id], account_id, conid, change, order_id)
            # Read once more, after the list: what fills between the two would else be in neither.
            if not _covers(held(account_id, conid), change, promised):
                return False
        return True

    def quantity(self, account_id: str, conid: int) -> Decimal:
        """The signed position as it is now; flat is 0 because IBKR lists no flat positions."""
        position = self._portfolio.position(account_id, conid)
        return position.quantity if position is not None else Decimal(0)


def _covers(held: Decimal, change: Decimal, promised: Decimal) -> bool:
    """Whether a position is traded away by a change, and by what is promised besides, and not beyond flat."""
    return held * change < 0 and abs(change) + promised <= abs(held)


def group_of(order: Order) -> str:
    """Name what an order fills together with: of one group, one order's fill ends the others."""
    return order.oca_group or order.parent_id or order.order_id


def _promised(
    live: Sequence[Order], account_id: str, conid: int, change: Decimal, order_id: str | None
) -> Decimal:
    """How much of a position the working orders would trade away; a group counts once.

    Exits of an entry that has not filled sleep, and wake with the position that it makes.
    """
    by_id = {order.order_id: order for order in live}
    mine = by_id.get(order_id or "")
    groups: dict[str, Decimal] = {}
    for order in live:
        moves = order.moves(conid)
        if order.account not in {"", account_id} or not order.state.may_fill or moves * change <= 0:
            continue
        group = group_of(order)
        if mine is not None and group == group_of(mine):
            continue
        parent = by_id.get(order.parent_id or "")
        amount = order.remaining
        if parent is not None and parent.state.may_fill:
            amount = min(amount, parent.filled)
        groups[group] = max(groups.get(group, Decimal(0)), amount * abs(moves))
    return sum(groups.values(), Decimal(0))
