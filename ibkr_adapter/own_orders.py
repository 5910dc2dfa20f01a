"""Know which orders are ours; nobody else's are ever changed.

An order is ours when its cOID begins with our prefix, when it was placed through this library, or
when it hangs on one of ours. IBKR wants no cOID on the children of a bracket, and on a later day
their filled parent is not listed any more; so the ids of all orders placed are kept on disk, or
an exit that outlived a restart would not be ended by a close and could open a position.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from ibkr_adapter import written_tickets
from ibkr_adapter.errors import InvalidOrder, quoted
from ibkr_adapter.model.kinds import is_text, positive_id
from ibkr_adapter.model.order import Fill, Order, Ticket
from ibkr_adapter.state import StateUnavailable, Store

log = logging.getLogger(__name__)
_T = TypeVar("_T")

SCHEMA_STEPS = (
    (
        """
        CREATE TABLE placed (
            order_id TEXT, account TEXT, coid TEXT, placed_at TEXT DEFAULT CURRENT_TIMESTAMP,
            PRIMARY KEY (order_id, account)
        )
        """,
    ),
)

# Files of earlier versions have no place for tickets.
TICKETS_STEP = ("ALTER TABLE placed ADD COLUMN ticket TEXT",)

# Writes down that an order is ours: its id, its account, its cOID and what was sent, as far as known.
REMEMBER = (
    "INSERT INTO placed (order_id, account, coid, ticket) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (order_id, account) DO UPDATE SET ticket = coalesce(excluded.ticket, ticket)"
)

COID_PREFIX = "ibka-"
# IBKR tells no bounds; names in use have up to 32 characters.
_COID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
# IBKR's ids have up to eleven digits.
_LONGEST_ID = 20


class OwnOrders:
    """The orders placed through one login, by this process and by those before it."""

    def __init__(self, new_id: Callable[[], str], store: Callable[[], Store] | None = None) -> None:
        self._new_id = new_id
        self._open_store = store
        self._warned = False
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}
        self._ended: dict[str, Order] = {}

    def new_coid(self) -> str:
        """Mint a client order id; it is unique for good, not only for IBKR's 24 hours."""
        return COID_PREFIX + self._new_id()

    def remember(self, order_id: str, ticket: Ticket) -> None:
        """Note what was sent under ``order_id``, here and on disk."""
        with self._lock:
            known = self._tickets.get(order_id)
            self._tickets[order_id] = ticket
        if known != ticket:
            row = (order_id, ticket.account, ticket.coid, written_tickets.write([ticket]))
            self._stored(lambda store: store.write(REMEMBER, row))

    def ticket(self, order_id: str) -> Ticket | None:
        """What was sent under ``order_id``, by this process or by one before it."""
        known = self.sent(order_id)
        if known is not None:
            return known
        rows = self._stored(
            lambda store: store.read("SELECT ticket FROM placed WHERE order_id = ?", (order_id,))
        )
        return next((ticket for (text,) in rows or () for ticket in written_tickets.read(text)), None)

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

    def filled(self, fill: Fill) -> bool:
        """Tell whether ``fill`` is of an order of ours."""
        return self._marked(fill)

    def _marked(self, order: Order | Fill) -> bool:
        return (
            (order.coid or "").startswith(COID_PREFIX)
            or self.sent(order.order_id or "") is not None
            or self._placed_before(order)
        )

    def sent(self, order_id: str) -> Ticket | None:
        """What this process itself sent under ``order_id``."""
        with self._lock:
            return self._tickets.get(order_id)

    def _placed_before(self, order: Order | Fill) -> bool:
        rows = self._stored(
            lambda store: store.read("SELECT account FROM placed WHERE order_id = ?", (order.order_id,))
        )
        return any(order.account in {"", account} for (account,) in rows or ())

    def _stored(self, work: Callable[[Store], _T]) -> _T | None:
        if self._open_store is None:
            return None
        try:
            return work(self._open_store())
        except StateUnavailable as reason:
            if not self._warned:
                self._warned = True
                log.warning(
                    "our orders are remembered in memory only, so exits may outlive a restart: %s", reason
                )
            return None


def checked_coid(coid: object) -> str:
    """Return a caller's own client order id, if it can be one.

    Raises:
        InvalidOrder: It is no text of 1 to 64 letters, digits and ``.``, ``_``, ``:``, ``-``; nothing was sent.
    """
    if not isinstance(coid, str) or _COID.fullmatch(coid) is None:
        raise InvalidOrder(
            f"{quoted(coid, 80)} cannot be a client order id; nothing was sent.",
            remedy="Take 1 to 64 letters, digits, dots, colons, dashes and underscores.",
        )
    return coid


def sought_coid(coid: object) -> str:
    """Return a client order id to look for; others than ours may be written otherwise.

    Raises:
        InvalidOrder: It is none: orders without one are listed too, and none of them is meant.
    """
    if not is_text(coid):
        raise InvalidOrder(f"{quoted(coid)} is no client order id; nothing was sent.")
    return coid


def checked_id(order_id: object) -> str:
    """Return an order id that may leave; IBKR cancels *everything* for the id -1.

    Raises:
        InvalidOrder: It is no positive whole number; nothing was sent.
    """
    number = positive_id(order_id, _LONGEST_ID)
    if not number:
        raise InvalidOrder(f"{quoted(order_id)} is no order id of IBKR; nothing was sent.")
    return str(number)
