"""What became of orders and positions that were ended one by one.

Each has its own outcome, because one that fails does not keep the others.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from ibkr_adapter.errors import IBKRError
from ibkr_adapter.model.order import Order, OrderState, Placed
from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class Ended(Shown):
    """What became of one working order.

    ``order`` is as its own status showed it last: cancelled, or filled because the fill was faster.
    ``failure`` is why it may still work; it is ``None`` where the order was seen over.
    """

    order_id: str
    symbol: str
    conid: int
    order: Order | None = None
    failure: IBKRError | None = None

    @property
    def is_over(self) -> bool:
        """Whether its status showed that it cannot trade any more."""
        return self.order is not None and (
            self.order.state.is_over or self.order.state is OrderState.INACTIVE
        )


@attrs.frozen(kw_only=True)
class ClosedOut(Shown):
    """What became of one position.

    ``held`` is what the account held, ``own`` what of it was to be closed, both signed. ``placed`` is the
    closing order, ``None`` where an exit of ours had closed it on the way or nothing was sent; ``order``
    is as that was seen last.
    """

    conid: int
    symbol: str
    held: Decimal
    own: Decimal
    placed: Placed | None = None
    order: Order | None = None
    failure: IBKRError | None = None

    @property
    def left(self) -> Decimal:
        """What was not to be closed, because nobody knows it to be ours."""
        return self.held - self.own

    @property
    def is_over(self) -> bool:
        """Whether what was to be closed is closed, as far as its order's status shows."""
        if self.failure is not None:
            return False
        return self.placed is None or (self.order is not None and self.order.state is OrderState.FILLED)


@attrs.frozen(kw_only=True)
class Flattened(Shown):
    """What became of everything; ``failure`` is why positions could not be read, and were left."""

    orders: tuple[Ended, ...] = ()
    positions: tuple[ClosedOut, ...] = ()
    failure: IBKRError | None = None

    @property
    def is_done(self) -> bool:
        """Whether all of it is over."""
        ended = all(one.is_over for one in self.orders) and all(one.is_over for one in self.positions)
        return self.failure is None and ended
