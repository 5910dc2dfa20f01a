"""Find out what became of an order whose answer was lost.

An order is found when live orders or trades show its cOID. It is proven absent only by two valid
reads of each, all begun at least :data:`~ibkr_adapter.order_reads.VISIBLE_AFTER` seconds after it was sent: an order can
stand for a moment before it is listed. Until either is the case nobody knows.
"""

from __future__ import annotations

import logging

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ApiError, SessionError, Throttled, TransportError
from ibkr_adapter.model.order import Order
from ibkr_adapter.order_reads import NEEDED_READS, VISIBLE_AFTER, OrderReads, by_coid

log = logging.getLogger(__name__)

# Live orders and trades may each be read once in five seconds.
PAUSE = 1.0


@attrs.frozen(kw_only=True)
class Absent:
    """The order has never reached IBKR."""

    coid: str


class Resolver:
    """Looks orders up; sends nothing that changes anything."""

    def __init__(self, *, clock: Clock, reads: OrderReads) -> None:
        self._clock = clock
        self._reads = reads

    def find(self, account: str, coid: str, *, sent: float, until: float) -> Order | Absent | None:
        """Look until the order is found, proven absent, or ``until`` is reached.

        Args:
            account: Whose order it is.
            coid: The order's cOID.
            sent: When it was sent, on the clock.
            until: When to give up, on the clock.

        Returns:
            The order, :class:`Absent`, or ``None`` when nobody can tell.
        """
        live = trades = 0
        while True:
            order, counted = self._in_live(account, coid, until, sent + VISIBLE_AFTER)
            if order is not None:
                return order
            live += counted
            order, counted = self._in_trades(account, coid, until, sent + VISIBLE_AFTER)
            if order is not None:
                return order
            trades += counted
            if live >= NEEDED_READS and trades >= NEEDED_READS:
                return Absent(coid=coid)
            if self._clock.monotonic() + PAUSE >= until:
                return None
            self._clock.sleep(PAUSE)

    def _in_live(self, account: str, coid: str, until: float, counts_from: float) -> tuple[Order | None, int]:
        try:
            reading = self._reads.live_once(account, deadline=until)
        except (ApiError, SessionError, Throttled, TransportError) as failure:
            log.info("the lookup of %s met %s", coid, failure)
            return None, 0
        return by_coid(reading.rows, coid), int(reading.proves and reading.begun >= counts_from)

    def _in_trades(
        self, account: str, coid: str, until: float, counts_from: float
    ) -> tuple[Order | None, int]:
        try:
            reading = self._reads.fills_once(account, deadline=until)
            fill = next((fill for fill in reading.rows if fill.coid == coid and fill.order_id), None)
            if fill is not None and fill.order_id is not None:
                return self._reads.status(account, fill.order_id, deadline=until), 0
        except (ApiError, SessionError, Throttled, TransportError) as failure:
            log.info("the lookup of %s met %s", coid, failure)
            return None, 0
        return None, int(reading.proves and reading.begun >= counts_from)
