"""Channels of accounts: orders, trades, profit and money.

What the stream does not repeat after it was lost is read over REST before anything else is told:
orders as they stand, trades that were missed. Each trade is told once, by its execution id, however
often IBKR repeats it; an order is never unfilled or revived by a frame that comes late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.account import LedgerRow, PnlRow
from ibkr_adapter.model.order import Fill, Order
from ibkr_adapter.model.stream import Event, LedgerEvent, OrderEvent, PnlEvent, SummaryEvent, TradeEvent
from ibkr_adapter.streaming.channels import Channel
from ibkr_adapter.wire import stream, stream_rows

# Executions whose repeats are known; IBKR repeats those of seven days at most.
MOST_FILLS = 100_000


@attrs.frozen(kw_only=True)
class OrdersRead:
    """A read of all orders of an account: when it was begun, and how much this process had changed by then."""

    account: str
    orders: Sequence[Order]
    changes: int
    begun: datetime


class _ByAccount(Channel):
    """A channel that covers all accounts, of which each that anybody has asked for is read by itself."""

    reads_first = True

    def __init__(self, topic: str, account_id: str, read: Callable[[float], Any]) -> None:
        super().__init__(topic)
        self.reads = {account_id: read}
        self._unread = {account_id}

    def _take_in(self, other: _ByAccount) -> bool:
        """Read the accounts of another consumer, too; tell whether there are new ones."""
        fresh = {account: read for account, read in other.reads.items() if account not in self.reads}
        self.reads.update(fresh)
        self._unread.update(fresh)
        return bool(fresh)


class Orders(_ByAccount):
    """The orders of the accounts that anybody here has asked for, as they stand.

    IBKR tells the changes of a session in one topic, and lists the orders of one account at a time.
    """

    def __init__(self, account_id: str, read: Callable[[float], OrdersRead]) -> None:
        super().__init__("sor", account_id, read)
        self.orders: dict[str, Order] = {}
        self._touched: dict[str, datetime] = {}
        self._unlisted: set[str] = set()
        self._owes: set[str] = set()
        self._offered: OrdersRead | None = None
        # For other threads: whether all orders are known, with which changes of ours, and a count of fills.
        self.is_whole = False
        self.changes = -1
        self.fills = 0

    def join(self, other: Channel) -> bool:
        """Take in the account of another consumer; it is read, and nothing is asked for anew."""
        if isinstance(other, Orders) and self._take_in(other):
            self.is_whole = False
        return False

    def begin(self) -> Sequence[str]:
        """Subscribe to changes; nothing that was before is told."""
        return (stream.ORDERS,)

    def end(self) -> Sequence[str]:
        """End it."""
        return (stream.NO_ORDERS,)

    def lost(self) -> None:
        """Keep what is known, to tell later what changed; it counts for nothing until then."""
        self.is_whole, self._offered, self._unread = False, None, set(self.reads)

    def offer(self, read: OrdersRead) -> None:
        """Take a read that another thread has made anyway; it is merged by the stream's thread."""
        self._offered = read

    @property
    def owes(self) -> bool:
        """Whether a change came of an order that nobody told of, or of an account that was not read; it is then."""
        return bool(self._owes or self._unread) or self._offered is not None

    def seed(self, deadline: float, at: datetime) -> Sequence[Event]:
        """Read how orders stand, and tell those that do otherwise than was known."""
        offered, self._offered = self._offered, None
        if offered is not None and self.is_whole and not self._owes:
            reads = [offered]
        else:
            # Whose order it is that nobody told of is not said.
            wanted = list(self.reads) if self._owes or not self._unread else list(self._unread)
            self._unread.clear()
            reads = [self.reads[account](deadline) for account in wanted]
            listed = {order.order_id for read in reads for order in read.orders}
            self._unlisted |= self._owes - listed
            self._owes.clear()
        events = [event for read in reads for event in self._merge(read, at)]
        self._touched.clear()
        self.is_whole, self.changes = True, min(read.changes for read in reads)
        return events

    def _merge(self, read: OrdersRead, at: datetime) -> list[Event]:
        listed = {order.order_id: order for order in read.orders}
        events: list[Event] = []
        for order_id, order in listed.items():
            known = self.orders.get(order_id)
            if known is not None and (_is_behind(order, known) or self._is_newer(order_id, read.begun)):
                continue
            if known is None or _stands(order) != _stands(known):
                events.append(self._note(order, known, at))
        over = [
            name
            for name, known in self.orders.items()
            if known.state.is_over and known.account in {"", read.account}
        ]
        for order_id in over:
            # Of yesterday: IBKR lists what is over until the end of the day.
            if order_id not in listed and not self._is_newer(order_id, read.begun):
                del self.orders[order_id]
        return events

    def _is_newer(self, order_id: str, begun: datetime) -> bool:
        touched = self._touched.get(order_id)
        return touched is not None and touched >= begun

    def _note(self, order: Order, known: Order | None, at: datetime) -> Event:
        self.orders[order.order_id] = order
        if known is None or order.filled != known.filled:
            self.fills += 1
        return OrderEvent(at=at, order=order)

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Merge rows of changes, in their order."""
        events: list[Event] = []
        for row in stream_rows.rows_of(content):
            try:
                events += self._take_row(row, at)
            except UnexpectedAnswer as failure:
                self.is_whole = False
                events.append(self.unreadable(failure, at))
        return events

    def _take_row(self, row: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        order_id = stream_rows.order_id_of(row)
        if order_id is None:
            return ()
        known = self.orders.get(order_id)
        order = stream_rows.order_after(known, row)
        if order is None:
            if order_id not in self._unlisted:
                self._owes.add(order_id)
            return ()
        self._touched[order_id] = at
        return (self._note(order, known, at),) if known is None or _stands(order) != _stands(known) else ()

    def current(self, at: datetime) -> Sequence[Event]:
        """Every order of the day as it stands."""
        return tuple(OrderEvent(at=at, order=order) for order in self.orders.values())


def _stands(order: Order) -> tuple[Any, ...]:
    return (
        order.state,
        order.quantity,
        order.filled,
        order.remaining,
        order.limit_price,
        order.stop_price,
        order.average_price,
    )


def _is_behind(read: Order, known: Order) -> bool:
    """Whether a read says less than is known already: a fill, or an end."""
    return read.filled < known.filled or (known.state.is_over and not read.state.is_over)


class Trades(_ByAccount):
    """Executions of the accounts that anybody here has asked for, each once."""

    def __init__(self, account_id: str, read: Callable[[float], Sequence[Fill]], days: int) -> None:
        super().__init__("str", account_id, read)
        self.days = days
        self.fills: dict[str, Fill] = {}
        # For other threads: counts what came that was not known, fills or not.
        self.news = 0
        self._rows: set[str] = set()

    def join(self, other: Channel) -> bool:
        """Go as far back as anybody wants, and read the accounts of all."""
        if not isinstance(other, Trades):
            return False
        self._take_in(other)
        if other.days <= self.days:
            return False
        self.days = other.days
        return True

    def begin(self) -> Sequence[str]:
        """Subscribe, and have the executions of the last days repeated."""
        return (stream.trades(self.days),)

    def end(self) -> Sequence[str]:
        """End it."""
        return (stream.NO_TRADES,)

    def seed(self, deadline: float, at: datetime) -> Sequence[Event]:
        """Read what was executed, because a repetition that does not come says nothing."""
        wanted, self._unread = list(self._unread or self.reads), set()
        return [event for account in wanted for event in self._fresh(self.reads[account](deadline), at)]

    def lost(self) -> None:
        """Keep what was told; what comes meanwhile is read for every account."""
        self._unread = set(self.reads)

    @property
    def owes(self) -> bool:
        """Whether an account was not read yet."""
        return bool(self._unread)

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Tell the executions that were not told before."""
        events: list[Event] = []
        for row in stream_rows.rows_of(content):
            # Assignments and exercises are no fills of an order, and change positions all the same.
            name = str(row.get("execution_id"))
            if name not in self.fills and name not in self._rows:
                self.news += 1
                if row.get("side") not in ("B", "S"):
                    self._rows.add(name)
            try:
                events += self._fresh(stream_rows.fills_of(row), at)
            except UnexpectedAnswer as failure:
                events.append(self.unreadable(failure, at))
        return events

    def current(self, at: datetime) -> Sequence[Event]:
        """All that is known, for a consumer who comes later."""
        return tuple(TradeEvent(at=at, fill=fill) for fill in self.fills.values())

    def _fresh(self, fills: Sequence[Fill], at: datetime) -> Sequence[Event]:
        events = []
        for fill in fills:
            if fill.execution_id not in self.fills:
                self.fills[fill.execution_id] = fill
                events.append(TradeEvent(at=at, fill=fill))
        while len(self.fills) > MOST_FILLS:
            self.fills.pop(next(iter(self.fills)))
        return events


class Profit(Channel):
    """Today's profit of every account and model."""

    def __init__(self) -> None:
        super().__init__("spl")
        self._known: dict[str, dict[str, Any]] = {}
        self._rows: dict[tuple[str, str], PnlRow] = {}

    def begin(self) -> Sequence[str]:
        """Subscribe."""
        return (stream.PROFIT,)

    def end(self) -> Sequence[str]:
        """End it."""
        return (stream.NO_PROFIT,)

    def lost(self) -> None:
        """Forget figures that would not be told again if they did not change."""
        self._known.clear()
        self._rows.clear()

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Merge what changed."""
        rows = stream_rows.profit_rows(content, self._known)
        self._rows.update(((row.account_id, row.model), row) for row in rows)
        return tuple(PnlEvent(at=at, profit=row) for row in rows)

    def current(self, at: datetime) -> Sequence[Event]:
        """The latest figures."""
        return tuple(PnlEvent(at=at, profit=row) for row in self._rows.values())


class Summary(Channel):
    """What one account is worth and may still buy."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"ssd+{account_id}")
        self._account_id = account_id
        self._values: dict[str, Decimal | str | None] = {}
        self._currency: str | None = None

    def begin(self) -> Sequence[str]:
        """Subscribe to all of it."""
        return (stream.summary(self._account_id),)

    def end(self) -> Sequence[str]:
        """End it."""
        return (stream.no_summary(self._account_id),)

    def lost(self) -> None:
        """Forget figures that would not be told again if they did not change."""
        self._values.clear()

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Merge what changed."""
        values, currency = stream_rows.summary_values(content)
        self._values.update(values)
        self._currency = currency or self._currency
        return self.current(at) if values else ()

    def current(self, at: datetime) -> Sequence[Event]:
        """All that is known."""
        if not self._values:
            return ()
        values = dict(self._values)
        return (SummaryEvent(at=at, account_id=self._account_id, values=values, currency=self._currency),)


class Ledger(Channel):
    """One account's cash, by currency."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"sld+{account_id}")
        self._account_id = account_id
        self._known: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, LedgerRow] = {}

    def begin(self) -> Sequence[str]:
        """Subscribe to every currency."""
        return (stream.ledger(self._account_id),)

    def end(self) -> Sequence[str]:
        """End it."""
        return (stream.no_ledger(self._account_id),)

    def lost(self) -> None:
        """Forget figures that would not be told again if they did not change."""
        self._known.clear()
        self._rows.clear()

    def take(self, content: Mapping[str, Any], at: datetime) -> Sequence[Event]:
        """Merge what changed; a currency that comes blank has not."""
        rows = stream_rows.ledger_rows(content, self._known)
        self._rows.update((row.currency, row) for row in rows)
        return tuple(LedgerEvent(at=at, account_id=self._account_id, row=row) for row in rows)

    def current(self, at: datetime) -> Sequence[Event]:
        """All that is known."""
        return tuple(LedgerEvent(at=at, account_id=self._account_id, row=row) for row in self._rows.values())
