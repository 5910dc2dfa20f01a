"""Orders and trades on a stream: ``sor`` and ``str``.

``sor`` looks forward only: an order that is entered is shown whole, later only what has changed,
and of orders from before the subscription nothing but changes. Several changes share a frame, in
their order. It is muted by filters, its own and those of a read of live orders. ``str`` replays the
trades of the last days on every subscription, so that the same trade comes again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.figures import number
from ibkr_adapter.simulator.stream_frames import Feed, Wish, frame
from ibkr_adapter.simulator.views_orders import live_row, trade_row

if TYPE_CHECKING:
    from ibkr_adapter.simulator.door import Frame
    from ibkr_adapter.simulator.order import Execution, Order
    from ibkr_adapter.simulator.world import World

_MOST_DAYS = 7
_Row = dict[str, Any]
# Keys of live orders that no recorded row of a stream has.
_REST_ONLY = frozenset({"account", "totalSize"})
# Written in the first row only.
_ONCE = frozenset({"lastExecutionTime", "lastExecutionTime_r"})
_COLOURS = ("bgColor", "fgColor")
_TRADE_KEYS = (
    "execution_id",
    "symbol",
    "supports_tax_opt",
    "side",
    "order_description",
    "trade_time",
    "trade_time_r",
    "size",
    "order_ref",
    "price",
    "exchange",
    "net_amount",
    "account",
    "accountCode",
    "company_name",
    "contract_description_1",
    "contract_description_2",
    "sec_type",
    "conid",
    "conidEx",
    "liquidation_trade",
    "is_event_trading",
)


class OrderFeed(Feed):
    """The changes of all orders since a moment."""

    def __init__(self, world: World, wish: Wish) -> None:
        self._world = world
        self._wanted = {folded(one) for one in wish.texts("filters")}
        self._shown: dict[int, _Row] = {}
        self._marks: dict[int, tuple[Any, ...]] = {}
        self._pending: list[_Row] = []
        self._next_id = 0
        for order_id, order in world.book.orders.items():
            self._marks[order_id] = _mark(order)
            self._shown[order_id] = _row(order)
        self._open = {one.order_id for one in world.book.live()}
        self._next_id = world.book.next_id
        if world.options.sor_replay:
            rows = [dict(one) for one in self._shown.values()]
            self._pending += [one for one in rows if self._is_heard(one["status"])]

    def watch(self, moment: datetime) -> None:
        """Note the orders that differ from when they were last looked at."""
        del moment
        orders = self._world.book.orders
        fresh = [one for one in range(self._next_id, self._world.book.next_id) if one in orders]
        self._next_id = self._world.book.next_id
        for order_id in [*sorted(self._open), *fresh]:
            self._note(orders[order_id])

    def _note(self, order: Order) -> None:
        mark = _mark(order)
        if order.vanished or order.hidden or self._marks.get(order.order_id) == mark:
            return
        before, now = self._shown.get(order.order_id), _row(order)
        self._marks[order.order_id], self._shown[order.order_id] = mark, now
        if order.is_done:
            self._open.discard(order.order_id)
        else:
            self._open.add(order.order_id)
        if self._is_heard(order.status.value):
            self._pending.append(now if before is None else _difference(before, now))

    def _is_heard(self, status: str) -> bool:
        brokerage = self._world.sessions.brokerage
        muted = brokerage.order_filter if brokerage else None
        word = folded(status)
        return (not self._wanted or word in self._wanted) and (muted is None or word in muted)

    def look(self, now: datetime) -> list[Frame]:
        """All changes since the last frame, in one."""
        self.watch(now)
        if not self._pending:
            return []
        rows, self._pending = self._pending, []
        return [frame({"topic": "sor", "args": rows})]


class TradeFeed(Feed):
    """The trades from now on, after those of the last days."""

    def __init__(self, world: World, wish: Wish) -> None:
        self._world = world
        executions = world.book.executions
        self._told = len(executions)
        self._pending: list[Execution] = []
        if wish.arguments.get("realtimeUpdatesOnly") is not True:
            first = _days_ago(world.now, wish.arguments.get("days"))
            self._pending = [one for one in executions if one.moment >= first]

    def look(self, now: datetime) -> list[Frame]:
        """The trades that were not told yet."""
        del now
        executions = self._world.book.executions
        rows = [*self._pending, *executions[self._told :]]
        self._told, self._pending = len(executions), []
        if not rows:
            return []
        return [frame({"topic": "str", "args": [_trade(one) for one in rows]})]


def folded(word: str) -> str:
    """A status without case and underscores: both spellings are in use."""
    return word.replace("_", "").lower()


def _mark(order: Order) -> tuple[Any, ...]:
    """What a change of an order changes, at little cost."""
    return (order.status, order.filled, order.quantity, order.limit, order.stop, order.due)


def _row(order: Order) -> _Row:
    row = {key: value for key, value in live_row(order).items() if key not in _REST_ONLY}
    price = order.limit if order.limit is not None else order.stop
    # Seen as a number, as text and as an empty text.
    row["price"] = "" if price is None else number(price)
    return row


def _difference(before: _Row, now: _Row) -> _Row:
    changed = {
        key: value for key, value in now.items() if key not in _ONCE and before.get(key, _Row) != value
    }
    if not changed:
        ids = ("acct", "conidex", "conid", "orderId", "isEventTrading")
        return {key: now[key] for key in ids}
    if "status" in changed:
        changed |= {key: now[key] for key in _COLOURS}
    if isinstance(changed.get("price"), float):
        changed["price"] = f"{Decimal(str(changed['price'])):.2f}"
    return {"acct": now["acct"], "orderId": now["orderId"], **changed}


def _trade(execution: Execution) -> _Row:
    row = trade_row(execution)
    return {key: row[key] for key in _TRADE_KEYS if key in row} | {"open_close": "???"}


def _days_ago(now: datetime, wished: Any) -> datetime:
    """Where the replay begins: so many trading days back, today being one."""
    count = min(max(wished, 1), _MOST_DAYS) if isinstance(wished, int) else 1
    day = hours.local_day(now)
    while count > 1:
        day -= timedelta(days=1)
        count -= hours.is_trading_day(day)
    return hours.midnight(day)
