"""Follow an order to its end, from change to change.

Each look is a read of the order's own status; nothing is held between two of them. A session that is
lost for a while only makes the next look come later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from decimal import Decimal

from ibkr_adapter import typed
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import (
    ApiError,
    InvalidOrder,
    OrderError,
    SessionError,
    Throttled,
    TransportError,
    UnexpectedAnswer,
)
from ibkr_adapter.legs import LOOK_WITHIN, LOOKS
from ibkr_adapter.model.order import Leg, Order, OrderState, Placed
from ibkr_adapter.order_reads import OrderReads
from ibkr_adapter.own_orders import checked_id

log = logging.getLogger(__name__)

# An order that nobody could see for so many seconds is not followed any longer.
BLIND_FOR = 120.0

_BLIND = (ApiError, SessionError, Throttled, TransportError)


class Tracker:
    """Follows orders over one connection; ``clock`` is where it waits."""

    def __init__(self, *, clock: Clock, reads: OrderReads) -> None:
        self._clock = clock
        self._reads = reads

    def follow(
        self, account: Callable[[], str], order: Order | Leg | Placed | str | int, *, timeout: float
    ) -> Iterator[Order]:
        """Give the order as it stands, and again whenever its state or what is filled has changed.

        Args:
            account: Tells whose order it is, when the first look is made.
            order: An order id, or what carries one; of what was placed together the entry.
            timeout: How long to follow it, in seconds.

        Returns:
            An iterator that ends after it gave the order in its last state.

        Raises:
            InvalidOrder: It is no order id, or the time is none.
            OrderError: Raised by the iterator: the time is over and the order works on, or nobody can
                see it any more. The text has the last state that was seen; nothing was sent.
        """
        if isinstance(order, Placed):
            order = order.entry
        order_id = checked_id(order.order_id if isinstance(order, (Order, Leg)) else order)
        lasts = typed.seconds(timeout, "to follow an order for")
        if lasts == 0:
            raise InvalidOrder(f"{timeout!r} is no time to follow an order for; nothing was sent.")
        return self._changes(account, order_id, self._clock.monotonic() + lasts, lasts)

    def _changes(
        self, find: Callable[[], str], order_id: str, until: float, timeout: float
    ) -> Iterator[Order]:
        account = find()
        last: Order | None = None
        told: tuple[OrderState, Decimal] | None = None
        seen_at = self._clock.monotonic()
        quiet = 0
        while True:
            try:
                found = self._reads.status(account, order_id, deadline=self._clock.monotonic() + LOOK_WITHIN)
                blind: ApiError | SessionError | Throttled | TransportError | None = None
            except UnexpectedAnswer:
                # A state that nobody knows must not be slept over.
                raise
            except _BLIND as failure:
                log.info("order %s cannot be seen: %s", order_id, failure)
                found, blind = None, failure
            now = self._clock.monotonic()
            if found is not None:
                last, seen_at = found, now
                if (found.state, found.filled) != told:
                    told, quiet = (found.state, found.filled), 0
                    yield found
                    if found.state.is_over:
                        return
            elif now - seen_at >= BLIND_FOR:
                raise OrderError(
                    f"order {order_id} could not be seen for {now - seen_at:.0f} seconds; {_shown(last)}.",
                    remedy="It may work on: read its status, or look in TWS.",
                ) from blind
            pause = LOOKS[min(quiet, len(LOOKS) - 1)]
            quiet += 1
            left = until - self._clock.monotonic()
            if left <= 0:
                raise OrderError(
                    f"order {order_id} was followed for {timeout:g} seconds and is not over; {_shown(last)}.",
                    remedy="It works on: track it again, or cancel it.",
                )
            self._clock.sleep(min(pause, left))


def _shown(last: Order | None) -> str:
    if last is None:
        return "it was never seen"
    return f"it was last {last.state} with {last.filled:f} of {last.quantity:f} filled"
