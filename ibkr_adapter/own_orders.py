"""Know which orders are ours; nobody else's are ever changed.

An order is ours when its cOID begins with our prefix, when this process placed it, or when it
hangs on one of ours: IBKR wants no cOID on the children of a bracket.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.order import Order, Ticket

COID_PREFIX = "ibka-"
# IBKR's ids have up to eleven digits.
_LONGEST_ID = 20


class OwnOrders:
    """The orders that this process has placed through one connection."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        self._ended: dict[str, Order] = {}

    def new_coid(self) -> str:
        """Mint a client order id; it is unique for good, not only for IBKR's 24 hours."""
        return COID_PREFIX + self._new_id()

    def remember(self, order_id: str, ticket: Ticket) -> None:
        """Note what was sent under ``order_id``."""
        with self._lock:
            self._tickets[order_id] = ticket

    def ticket(self, order_id: str) -> Ticket | None:
        """What this process sent under ``order_id``."""
        with self._lock:
            return self._tickets.get(order_id)

    def remember_end(self, order: Order) -> None:
        """Note how an order ended, so that nobody need ask the broker again."""
        if order.state.is_over:
            with self._lock:
                self._ended[order.order_id] = order

    def ended(self, order_id: str) -> Order | None:
        """How an order ended, if it was seen to."""
        with self._lock:
            return self._ended.get(order_id)

    def includes(self, order: Order, among: Sequence[Order] = ()) -> bool:
        """Tell whether ``order`` is ours; ``among`` holds the orders that may be its parent."""
        if self._marked(order):
            return True
        return any(parent.order_id == order.parent_id and self._marked(parent) for parent in among)

    def _marked(self, order: Order) -> bool:
        return (order.coid or "").startswith(COID_PREFIX) or self.ticket(order.order_id) is not None


def checked_id(order_id: object) -> str:
    """Return an order id that may leave; IBKR cancels *everything* for the id -1.

    Raises:
        InvalidOrder: It is no positive whole number; nothing was sent.
    """
    text = (
        str(order_id).strip() if isinstance(order_id, (str, int)) and not isinstance(order_id, bool) else ""
    )
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID) or int(text) <= 0:
        raise InvalidOrder(f"{order_id!r:.40} is no order id of IBKR; nothing was sent.")
    return str(int(text))
