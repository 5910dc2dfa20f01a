"""Answer what an account holds and has ordered without asking IBKR, as long as that is proven.

Orders are those of the stream, merged over a read that was begun after our own last change. Positions
are never counted up from executions: a read of them holds as long as nothing has happened that could
have changed one (an execution, a fill of an order, a change of ours, another line or session), and was
begun when that was quiet. Prices in them come from the contracts' own quotes, in real time, or from a
read. Whatever is not proven is read over REST, as without a stream, and offered for the next time.

For a host's questions only. What closes or protects a position reads for itself, in
:mod:`ibkr_adapter.holdings`.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from types import TracebackType
from typing import Self

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.model.account import Position
from ibkr_adapter.model.market import Quote
from ibkr_adapter.model.order import Order
from ibkr_adapter.model.stream import Event, Gap, QuoteEvent
from ibkr_adapter.order_reads import KEPT_FOR, OrderReads
from ibkr_adapter.portfolio import Portfolio
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.streaming.account_channels import Orders, OrdersRead, Trades
from ibkr_adapter.streaming.channels import Channel, Quotes
from ibkr_adapter.streaming.feed import Feed
from ibkr_adapter.streaming.mailbox import Mailbox

# IBKR's positions may lag behind executions by so much; a read begun sooner proves nothing.
SETTLED_AFTER = 5.0
# Transfers and splits make no sound, so nothing is believed for longer.
BELIEVED_FOR = 300.0
# Each contract held uses a market data line while its price is kept.
MOST_HELD = 40
FIELDS = ("last", "mark", "availability")


@attrs.frozen(kw_only=True)
class _Reading:
    begun: float
    stamp: tuple[object, ...]
    positions: tuple[Position, ...]


class Mirror:
    """What is known of one account; for any thread."""

    def __init__(
        self,
        *,
        account_id: str,
        clock: Clock,
        feed: Feed,
        session: SessionKeeper,
        reads: OrderReads,
        portfolio: Portfolio,
        orders: Orders,
        trades: Trades,
    ) -> None:
        self.account_id = account_id
        self._clock = clock
        self._feed = feed
        self._session = session
        self._reads = reads
        self._portfolio = portfolio
        self._lock = threading.Lock()
        self._box = Mailbox(clock, callback=self._hear)
        self._reading: _Reading | None = None
        self._stamp: tuple[object, ...] = ()
        self._stamp_at = 0.0
        self._quotes: dict[int, Quote] = {}
        self._prices: dict[int, Channel] = {}
        self._is_closed = False
        self._orders = feed.attach(orders, self._box)
        self._trades = feed.attach(trades, self._box)

    # What a host asks ------------------------------------------------------------------------

    def orders(self) -> tuple[Order, ...]:
        """All orders of the day, of this account and of those of other objects.

        Raises:
            IBKRError: They had to be read, and could not be.
        """
        orders, channel = self._reads, self._orders
        changes = orders.changes
        if self._feed.is_up and channel.is_whole and channel.changes == changes and not channel.owes:
            return tuple(channel.orders.values())
        # What is read may have been kept for a moment.
        begun = self._clock.now() - timedelta(seconds=KEPT_FOR)
        read = orders.live(self.account_id)
        if orders.changes == changes:
            channel.offer(OrdersRead(account=self.account_id, orders=read, changes=changes, begun=begun))
            self._feed.look()
        return read

    def positions(self) -> tuple[Position, ...]:
        """All positions that are not flat, with prices of this moment.

        Raises:
            IBKRError: They had to be read, and could not be.
        """
        held = self._proven()
        priced = None if held is None else self._priced(held)
        return self._read() if priced is None else priced

    def holds(self, conid: int) -> bool:
        """Whether there is a position in a contract; its price does not matter."""
        held = self._proven()
        return any(found.conid == conid for found in (self._read() if held is None else held))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it keeps nothing any more."""
        return self._is_closed

    def close(self) -> None:
        """Keep nothing any more."""
        with self._lock:
            self._is_closed, self._reading = True, None
            channels = [self._orders, self._trades, *self._prices.values()]
            self._prices = {}
        self._box.close()
        for channel in channels:
            self._feed.release(channel, self._box)

    # What proves it ---------------------------------------------------------------------------

    def _now(self) -> tuple[object, ...]:
        """All that changes when a position may have; also when that was looked at last."""
        orders, trades = self._orders, self._trades
        stamp = (
            self._session.standing,
            self._feed.lines,
            self._reads.changes,
            orders.fills,
            len(trades.fills),
            trades.news,
        )
        with self._lock:
            if stamp != self._stamp:
                self._stamp, self._stamp_at = stamp, self._clock.monotonic()
        return stamp

    def _proven(self) -> tuple[Position, ...] | None:
        stamp, reading = self._now(), self._reading
        if reading is None or reading.stamp != stamp or not self._feed.is_up:
            return None
        settled = reading.begun - self._stamp_at >= SETTLED_AFTER
        if not settled or self._clock.monotonic() - reading.begun > BELIEVED_FOR:
            return None
        return reading.positions

    def _read(self) -> tuple[Position, ...]:
        stamp, begun = self._now(), self._clock.monotonic()
        positions = self._portfolio.positions(self.account_id)
        self._keep_prices({found.conid for found in positions})
        with self._lock:
            self._reading = _Reading(begun=begun, stamp=stamp, positions=positions)
        return positions

    # Prices -----------------------------------------------------------------------------------

    def _priced(self, held: tuple[Position, ...]) -> tuple[Position, ...] | None:
        """The positions with the prices of their quotes; ``None`` where one has none of this moment."""
        found = []
        for position in held:
            quote = self._quotes.get(position.conid)
            average = position.average_price
            if quote is None or not quote.mark or average is None or position.conid not in self._prices:
                return None
            if quote.availability is None or not quote.availability.real_time or quote.halted:
                return None
            size: Decimal = position.quantity * position.multiplier
            found.append(
                attrs.evolve(
                    position,
                    market_price=quote.mark,
                    market_value=size * quote.mark,
                    unrealised=size * (quote.mark - average),
                    at=quote.updated,
                )
            )
        return tuple(found)

    def _keep_prices(self, conids: set[int]) -> None:
        if len(conids) > MOST_HELD:
            conids = set()
        with self._lock:
            if self._is_closed:
                return
            gone = [self._prices.pop(conid) for conid in list(self._prices) if conid not in conids]
            fresh = conids - self._prices.keys()
        for channel in gone:
            self._feed.release(channel, self._box)
        for conid in list(self._quotes.keys() - conids):
            self._quotes.pop(conid, None)
        for conid in fresh:
            kept = self._feed.attach(Quotes(conid, None, FIELDS, None), self._box)
            with self._lock:
                self._prices[conid] = kept

    def _hear(self, event: Event) -> None:
        """Note a price; called on the stream's thread."""
        if isinstance(event, QuoteEvent):
            self._quotes[event.conid] = event.quote
        elif isinstance(event, Gap):
            self._quotes.clear()
