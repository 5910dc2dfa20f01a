"""Act on positions for somebody: on whose behalf, and the steps that closing and protecting share.

Our own orders are ended and seen over, and the position is read again until it shows what they filled on
the way. Orders of other people and programs are never touched. Closing is for
:mod:`ibkr_adapter.closes`, protecting for :mod:`ibkr_adapter.exits`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from decimal import Decimal

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import IBKRError, InvalidOrder, OrderOutcomeUnknown, PartlyPlaced
from ibkr_adapter.holdings import Holding, Holdings
from ibkr_adapter.legs import LOOKS, Watch
from ibkr_adapter.measures import Terms
from ibkr_adapter.model.order import Order, Placed, Ticket
from ibkr_adapter.one_by_one import OneByOne
from ibkr_adapter.order_reads import OrderReads
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.replies import ReplyHandler
from ibkr_adapter.stops import Stops
from ibkr_adapter.submissions import Changes, Places, Submission

log = logging.getLogger(__name__)

# How often the position is read again while it does not show our own fills yet.
SETTLE_LOOKS = 4
# A position that still reads as it was before our last close filled is believed after so many seconds.
SHOWN_WITHIN = 10.0


@attrs.frozen(kw_only=True)
class Mandate:
    """On whose behalf exits are placed: the terms, who answers questions, and for how long."""

    terms: Terms
    replies: ReplyHandler
    order_deadline: float
    unknown_deadline: float

    @property
    def account(self) -> str:
        """The account that is acted for."""
        return self.terms.account

    @property
    def conid(self) -> int:
        """The contract that is acted on."""
        return self.terms.contract.conid


@attrs.frozen(kw_only=True)
class Close:
    """An order that was sent to close or reduce: the position before it, and when it was sent, on the clock.

    ``order_id`` is ``None`` where its answer was lost, and nobody knows yet what became of it.
    """

    order_id: str | None
    before: Decimal
    sent: float


class Hands:
    """What closing and protecting share; ``desk`` and ``changes`` may be a rehearsal of them."""

    def __init__(
        self,
        *,
        clock: Clock,
        desk: Places,
        changes: Changes,
        holdings: Holdings,
        reads: OrderReads,
        watch: Watch,
        own: OwnOrders,
    ) -> None:
        self._clock = clock
        self._desk = desk
        self._changes = changes
        self._holdings = holdings
        self._reads = reads
        self._watch = watch
        self._own = own
        self._stops = Stops(clock=clock, watch=watch, changes=changes, holdings=holdings, own=own)
        self._one_by_one = OneByOne(clock)
        self._last_closes: dict[tuple[str, int], Close] = {}

    def _alone(self, mandate: Mandate) -> AbstractContextManager[None]:
        """Be the only thread that closes or protects the position."""
        return self._one_by_one.hold(mandate.account, mandate.conid, self._deadline(mandate))

    def reduce(
        self, account: str, conids: Iterable[int], deadline: float, send: Callable[[], Placed]
    ) -> Placed:
        """Send what reduces these positions while no other thread closes, protects or reduces one of them.

        Raises:
            BrokerageUnavailable: Another thread was not done with one of them in time; nothing was sent.
            IBKRError: What ``send`` raises.
        """
        with ExitStack() as held:
            before: dict[int, Decimal] = {}
            # In one order, so that no two wait for each other.
            for conid in sorted(set(conids)):
                held.enter_context(self._one_by_one.hold(account, conid, deadline))
                before[conid] = self.position(account, conid)
            return self._noted(account, before, send)

    def position(self, account: str, conid: int) -> Decimal:
        """What is held, once it shows our last close."""
        quantity = self._holdings.quantity(account, conid)
        return self._shown(account, conid, quantity, self._clock.monotonic() + SHOWN_WITHIN)

    def _held(self, mandate: Mandate, deadline: float) -> Holding:
        """Read what is held, and do not take a position for it that does not show our last close yet."""
        account, conid = mandate.account, mandate.conid
        holding = self._holdings.read(account, conid, deadline)
        return attrs.evolve(holding, quantity=self._shown(account, conid, holding.quantity, deadline))

    def _shown(self, account: str, conid: int, quantity: Decimal, deadline: float) -> Decimal:
        """The position, read again while it does not show our last close.

        Closed once more it would be opened on the other side. The same position may have been opened
        again since, so it is believed in the end.
        """
        last = self._last_closes.get((account, conid))
        if last is None or quantity != last.before:
            return quantity
        until = min(last.sent + SHOWN_WITHIN, deadline)
        attempt = 0
        while quantity == last.before and self._clock.monotonic() < until:
            if attempt == 0 and last.order_id is not None:
                order = self._watch.look(account, last.order_id, deadline)
                if order is not None and order.filled == 0:
                    break
            self._clock.sleep(LOOKS[min(attempt, len(LOOKS) - 1)])
            attempt += 1
            quantity = self._holdings.quantity(account, conid)
        return quantity

    def _noted(self, account: str, before: Mapping[int, Decimal], send: Callable[[], Placed]) -> Placed:
        """Send what closes or reduces positions, and write down of which; ``before`` has them by contract."""
        try:
            placed = send()
        except OrderOutcomeUnknown as unknown:
            # It may have filled, too.
            self._note(account, before, unknown.order_id)
            raise
        if not placed.dry_run:
            self._note(account, before, placed.entry.order_id)
        return placed

    def _note(self, account: str, before: Mapping[int, Decimal], order_id: str | None) -> None:
        for conid, quantity in before.items():
            self._last_closes[(account, conid)] = Close(
                order_id=order_id, before=quantity, sent=self._clock.monotonic()
            )

    def _end(self, mandate: Mandate, working: tuple[Order, ...], deadline: float) -> list[Order]:
        """Cancel orders and see each of them over; parents first, they take their children along."""
        ended: list[Order] = []
        alive = sorted(working, key=lambda order: order.parent_id is not None)
        for index, order in enumerate(alive):
            if ended:
                # It may have gone with an order that was ended before it; cancelling it again would fail.
                seen = self._watch.look(mandate.account, order.order_id, deadline)
                if seen is not None and seen.state.is_over:
                    ended.append(seen)
                    continue
            try:
                ended.append(
                    self._changes.cancel(
                        order.order_id,
                        account=mandate.account,
                        replies=mandate.replies,
                        deadline=deadline,
                        origin=mandate.terms.origin,
                    )
                )
            except IBKRError as failure:
                left = [one.order_id for one in alive[index:]]
                raise PartlyPlaced(
                    f"our own order {order.order_id} could not be ended, so nothing was sent to close the position:"
                    f" {failure.message} Still working, as far as is known: {', '.join(left)}.",
                    placed={one.order_id: one.order_id for one in alive[index:]},
                    missing=("close",),
                    remedy="Try the close again, or cancel these orders in TWS first.",
                ) from failure
        return ended

    def _settled(self, mandate: Mandate, before: Holding, ended: list[Order]) -> Decimal:
        """Read the position until it shows what our own orders filled meanwhile.

        Where it does not come to that, the smaller of the two figures is closed: too little can
        be closed again, too much opens a position.
        """
        started = {order.order_id: order.filled for order in before.working}
        # A combination moves this contract by its ratio, and a status does not tell its legs.
        moves = {order.order_id: order.moves(mandate.conid) for order in before.working}
        change = sum(
            (
                (order.filled - started.get(order.order_id, Decimal(0))) * moves[order.order_id]
                for order in ended
            ),
            Decimal(0),
        )
        expected = before.quantity + change
        for attempt in range(SETTLE_LOOKS):
            now = self._holdings.quantity(mandate.account, mandate.conid)
            if now == expected:
                return now
            self._clock.sleep(LOOKS[attempt])
        log.warning("the position reads %s where our fills make it %s", now, expected)
        if (now > 0) != (expected > 0) or 0 in {now, expected}:
            return Decimal(0)
        return min(now, expected, key=abs)

    def _submission(self, mandate: Mandate, tickets: tuple[Ticket, ...]) -> Submission:
        return Submission(
            tickets=tickets,
            replies=mandate.replies,
            deadline=self._deadline(mandate),
            wait_for_outcome=mandate.unknown_deadline,
            reducing=True,
        )

    def _place(self, mandate: Mandate, tickets: tuple[Ticket, ...]) -> Placed:
        return self._desk.place(self._submission(mandate, tickets))

    def _deadline(self, mandate: Mandate) -> float:
        return self._clock.monotonic() + mandate.order_deadline


def ticket_of(order: Order, account: str, sent: Ticket | None) -> Ticket | None:
    """Write down an order that stands as a ticket, or ``None`` where not all of it is known."""
    if sent is not None:
        return attrs.evolve(sent, quantity=order.quantity, cash_quantity=None, fx_quantity=None)
    if order.order_type is None or order.tif is None:
        return None
    try:
        return Ticket(
            account=account,
            conid=order.conid,
            side=order.side,
            order_type=order.order_type,
            quantity=order.quantity,
            tif=order.tif,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            trailing=order.trailing,
            trailing_unit=order.trailing_unit,
            outside_rth=bool(order.outside_rth),
            coid=order.coid,
            parent_coid=order.parent_id,
            conidex=order.conidex,
        )
    except InvalidOrder:
        return None
