"""The orders of all accounts, and what happens to them as market time passes.

Knows brackets (children are held until the parent fills, cancelling the parent cancels them),
one-cancels-other groups (a fill shrinks the others, the last fill cancels them), partial fills,
expiry and cancels that take a moment and can lose against a fill. :meth:`Book.settle` brings
everything up to a moment, step by step, so that a jump of the clock passes through the prices
on the way. When a single order trades is for :mod:`.matching`, when it ends by itself for
:mod:`.lifetimes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from ibkr_adapter.simulator import combos, lifetimes, matching
from ibkr_adapter.simulator.account import Account
from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.charges import fee
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import NOTHING, STOP_TYPES, Execution, Order, Status, Ticket

if TYPE_CHECKING:
    from ibkr_adapter.simulator.options import Options
    from ibkr_adapter.simulator.prices import Prices

EXPIRED = "Cancelled by System: order expired"
_FIRST_ORDER_ID = 1370093238
# How often all orders together are looked at when the clock jumps; more orders, coarser steps.
_MOST_LOOKS = 40_000
_FINEST_STEP = timedelta(seconds=1)
_COID_LIFE = timedelta(hours=24)


class Book:
    """All orders and executions, settled up to :attr:`settled`."""

    def __init__(
        self, accounts: Mapping[str, Account], prices: Prices, options: Options, start: datetime
    ) -> None:
        self.orders: dict[int, Order] = {}
        self.executions: list[Execution] = []
        self.settled = start
        self._accounts = accounts
        self._prices = prices
        self._options = options
        self._working: dict[int, Order] = {}
        self._groups: dict[str, list[Order]] = {}
        self._coids: dict[str, tuple[int, datetime]] = {}
        self._next_id = _FIRST_ORDER_ID
        self._dues_changed = False
        self.on_change: Callable[[datetime], None] = lambda _moment: None

    # Entering and changing orders.

    def enter(
        self, ticket: Ticket, moment: datetime, *, parent: Order | None = None, group: str | None = None
    ) -> Order:
        """Accept an order; it reaches the market after the latency."""
        order = Order(
            order_id=self._next_id,
            ticket=ticket,
            entered=moment,
            due=lifetimes.due(ticket, moment, self._options.latency),
            expires=lifetimes.expiry(ticket, moment),
            parent_id=parent.order_id if parent else None,
            group=str(parent.order_id) if parent else group,
        )
        self._next_id += 1
        if ticket.deactivated:
            order.status = Status.INACTIVE
        self.orders[order.order_id] = self._working[order.order_id] = order
        if order.group is not None:
            self._groups.setdefault(order.group, []).append(order)
        if ticket.coid is not None:
            self._coids[ticket.coid] = (order.order_id, moment)
        return order

    @property
    def next_id(self) -> int:
        """The id that the next order will have."""
        return self._next_id

    def join(self, order: Order, group: str) -> None:
        """Put an order into a one-cancels-other group."""
        order.group = group
        self._groups.setdefault(group, []).append(order)

    def skip_id(self) -> int:
        """Use up an order id for an order that never works."""
        self._next_id += 1
        return self._next_id - 1

    def is_registered(self, coid: str, moment: datetime) -> bool:
        """Tell whether a client order id was used within the last 24 hours."""
        found = self._coids.get(coid)
        return found is not None and moment - found[1] < _COID_LIFE

    def cancel(self, order: Order, moment: datetime, seconds: float | None = None) -> None:
        """Ask for a cancel; it takes effect after the cancel latency, or after ``seconds``."""
        latency = self._options.cancel_latency if seconds is None else seconds
        order.status = Status.PENDING_CANCEL
        order.changed = moment
        order.cancel_due = moment + timedelta(seconds=latency)
        if order.cancel_due <= moment:
            self._step_order(order, moment)

    def reincarnate(self, order: Order, moment: datetime) -> Order:
        """End an order and enter it again under a new id with the same client order id."""
        twin = self.enter(order.ticket, moment, group=order.group)
        order.end(Status.CANCELLED, moment)
        return twin

    def modify(self, order: Order, ticket: Ticket, moment: datetime) -> None:
        """Replace the terms of an order; its id, parent and group stay."""
        order.ticket = ticket
        order.quantity = ticket.quantity
        order.stop, order.limit = ticket.stop, ticket.limit
        order.triggered = order.rests = False
        order.due = max(order.due, lifetimes.due(ticket, moment, self._options.latency))
        order.expires = lifetimes.expiry(ticket, moment)
        order.status = Status.INACTIVE if ticket.deactivated else Status.PRE_SUBMITTED
        order.changed = moment

    def find(self, reference: str, account: str) -> Order | None:
        """The order with this id or client order id in an account."""
        for order in reversed(self.orders.values()):
            known = {str(order.order_id), order.ticket.coid}
            if order.ticket.account == account and reference in known:
                return order
        return None

    def live(self, account: str | None = None) -> list[Order]:
        """The orders to which something can still happen."""
        # A day may bring thousands of orders and each step of the market asks.
        self._working = {key: one for key, one in self._working.items() if not one.is_done}
        return [one for one in self._working.values() if account in {None, one.ticket.account}]

    def children(self, order: Order) -> list[Order]:
        """The orders that hang on this one."""
        return list(self._groups.get(str(order.order_id), ()))

    # Time.

    def settle(self, moment: datetime) -> None:
        """Let the market run until ``moment``."""
        for at in self._moments(moment):
            for order in list(self.live()):
                # One order's fill may have ended another on the same step.
                if not order.is_done:
                    self._step_order(order, at)
            self.on_change(at)
        self.settled = max(self.settled, moment)

    def nudge(self, moment: datetime) -> None:
        """Look at every order once more at this very moment: something has just changed."""
        for order in self.live():
            if not order.is_done:
                self._step_order(order, moment)
        self.on_change(moment)

    def _moments(self, end: datetime) -> Iterator[datetime]:
        span = end - self.settled
        step = max(_FINEST_STEP, span * len(self.live()) / _MOST_LOOKS)
        at = boundary = self.settled
        due = None
        while at < end:
            live = self.live()
            if not live:
                return
            if boundary <= at:
                calendars = {calendar_of(order.ticket.instrument) for order in live}
                boundary = min(one.next_boundary(at) for one in calendars)
            if self._dues_changed or due is None or due <= at:
                self._dues_changed = False
                due = min((one for order in live for one in _dues(order) if one > at), default=end)
            at = min(end, at + step, boundary, due)
            yield at

    def _step_order(self, order: Order, moment: datetime) -> None:
        if order.cancel_due is not None and moment >= order.cancel_due:
            self._end(order, Status.CANCELLED, moment)
            if order.parent_id is not None:
                # Cancelling one exit takes its twin along.
                self._end_all(self._group(order), moment)
            return
        if moment >= order.due and not order.ticket.deactivated:
            self._work(order, moment)
        if not order.is_done and order.expires is not None and moment >= order.expires:
            self._end(order, Status.CANCELLED, moment, EXPIRED)

    def _work(self, order: Order, moment: datetime) -> None:
        size = self._released(order)
        if size <= 0 or not self._options.fills:
            return
        if not matching.may_trade(order, moment):
            if order.ticket.tif == "IOC":
                self._end(order, Status.CANCELLED, moment)
            return
        if order.parent_id is not None and not order.rests and not self._arrived(order, moment):
            return
        top = self._prices.top(order.ticket.instrument, moment)
        matching.follow(order, top)
        price = matching.trade_price(order, top) if matching.trigger(order, top) else None
        if order.status is Status.PRE_SUBMITTED and (order.triggered or not _waits(order)):
            order.status = Status.SUBMITTED
            order.changed = moment
        if price is not None:
            self.fill(order, self._part(order, size), price, moment)
        elif not _waits(order) or order.triggered:
            order.rests = True
        if not order.is_done and order.ticket.tif in {"IOC", "OPG"}:
            self._end(order, Status.CANCELLED, moment)

    def _arrived(self, order: Order, moment: datetime) -> bool:
        """Give a child its own way to the market from the moment it is released."""
        parent = self.orders[order.parent_id] if order.parent_id is not None else order
        arrival = parent.changed + timedelta(seconds=self._options.latency)
        if order.filled or moment >= arrival or parent.changed <= order.entered:
            return True
        order.due = arrival
        self._dues_changed = True
        return False

    def _part(self, order: Order, size: Decimal) -> Decimal:
        chunk = self._options.fill_chunk
        if chunk is None or order.ticket.all_or_none:
            return size
        return min(size, Decimal(str(chunk)))

    def _released(self, order: Order) -> Decimal:
        """How much of an order may trade now; a child waits for its parent's fills."""
        parent = self.orders.get(order.parent_id) if order.parent_id is not None else None
        if parent is None or parent.status is Status.FILLED:
            return order.remaining
        if not self._options.scale_children:
            return NOTHING
        used = sum((one.filled for one in self._group(order)), NOTHING)
        return min(order.remaining, parent.filled - used)

    def fill(self, order: Order, size: Decimal, price: Decimal, moment: datetime) -> None:
        """Book one fill of an order: in the account, leg by leg, in the order and in the group."""
        signed = size if order.ticket.is_buy else -size
        for instrument, part, at in self._parts(order.ticket.instrument, signed, price, moment):
            self._execute(order, instrument, part, at, moment)
        order.filled += size
        order.paid += size * price
        order.changed = moment
        order.due = max(order.due, moment + timedelta(seconds=self._options.fill_interval))
        self._dues_changed = True
        if order.ticket.instrument.legs:
            self._accounts[order.ticket.account].combine(order.ticket.instrument, signed)
        if order.remaining <= 0:
            self._end(order, Status.FILLED, moment)
        self._shrink_group(order, size, moment)

    def _parts(
        self, instrument: Instrument, signed: Decimal, price: Decimal, moment: datetime
    ) -> list[tuple[Instrument, Decimal, Decimal]]:
        if not instrument.legs:
            return [(instrument, signed, price)]
        prices = combos.leg_prices(instrument, price, moment, self._prices.top)
        return [
            (leg.instrument, signed * leg.ratio, at) for leg, at in zip(instrument.legs, prices, strict=True)
        ]

    def _execute(
        self, order: Order, instrument: Instrument, signed: Decimal, price: Decimal, moment: datetime
    ) -> None:
        account = self._accounts[order.ticket.account]
        cost, before = fee(instrument, abs(signed), price), account.realised(instrument.conid)
        account.book_fill(instrument, signed, price, cost, converts=order.ticket.converts)
        number = len(self.executions) + 1
        self.executions.append(
            Execution(
                execution_id=f"0000e0d5.{0x6576FD38 + number:08x}.01.01",
                order=order,
                account=order.ticket.account,
                instrument=instrument,
                side="BUY" if signed > 0 else "SELL",
                quantity=abs(signed),
                price=price,
                commission=cost,
                moment=moment,
                position_after=account.held(instrument.conid),
                exchange="ISLAND"
                if instrument.sec_type == "STK" and instrument.is_us
                else instrument.exchange,
                realised=account.realised(instrument.conid) - before,
            )
        )

    def force(self, order: Order, moment: datetime, size: Decimal | None = None) -> None:
        """Fill an order now, whatever the market says; what holds it back fills first."""
        parent = self.orders.get(order.parent_id) if order.parent_id is not None else None
        if parent is not None and not parent.is_done:
            self.force(parent, moment)
        if order.is_done:
            return
        wished = order.stop if order.limit is None else order.limit
        price = self._prices.last(order.ticket.instrument, moment) if wished is None else wished
        self.fill(order, min(size or order.remaining, order.remaining), price, moment)

    # Groups.

    def _group(self, order: Order) -> list[Order]:
        if order.group is None:
            return [order]
        return list(self._groups[order.group])

    def _shrink_group(self, order: Order, size: Decimal, moment: datetime) -> None:
        for other in self._group(order):
            if other is order or other.is_done:
                continue
            if order.status is not Status.FILLED:
                other.quantity = max(other.filled, other.quantity - size)
            if order.status is Status.FILLED or other.remaining <= 0:
                self._end(other, Status.CANCELLED, moment)

    def _end(self, order: Order, status: Status, moment: datetime, reason: str | None = None) -> None:
        order.end(status, moment, reason)
        if status is Status.CANCELLED:
            self._end_all(self.children(order), moment, reason)

    def _end_all(self, orders: list[Order], moment: datetime, reason: str | None = None) -> None:
        for order in orders:
            if not order.is_done:
                self._end(order, Status.CANCELLED, moment, reason)


def _waits(order: Order) -> bool:
    """Tell whether the order sleeps at the broker until its trigger."""
    return order.ticket.order_type in STOP_TYPES | {"MIT", "LIT"} and not order.triggered


def _dues(order: Order) -> Iterator[datetime]:
    yield order.due
    if order.cancel_due is not None:
        yield order.cancel_due
    if order.expires is not None:
        yield order.expires
