"""Find out what became of what an earlier process left open, before anything new is sent.

A process can die between the journal and the send, the send and the answer, a question and the
reply. Its open entries are looked up by cOID: found, the orders are ours again; proven absent,
nothing of them works; else they stay open, new orders go out all the same, and who asks is told.
Nothing is ever sent from here: a bracket that lacks a leg is handed to whoever may send, where all else
is known and it is young enough to tell; else it stays open and says so. Entries at which a living
process is at work are left alone.

A request may have left long after its entry was begun, and clocks are set; so absence is counted
from the moment at which its process was seen to be dead, not from any time on disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import attrs

from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import (
    ApiError,
    BrokerageUnavailable,
    IBKRError,
    OrderOutcomeUnknown,
    OrderRejected,
    PartlyPlaced,
    SessionError,
    Throttled,
    TransportError,
)
from ibkr_adapter.journal import UNKNOWN, End, Entry, Journal, Kind
from ibkr_adapter.lame import Lame, lamed
from ibkr_adapter.legs import matching, name_of, shows
from ibkr_adapter.model.order import Order, Placed
from ibkr_adapter.model.shown import Shown
from ibkr_adapter.order_reads import OrderReads, children_of
from ibkr_adapter.outcome import Resolver
from ibkr_adapter.own_orders import OwnOrders
from ibkr_adapter.session import SessionKeeper

log = logging.getLogger(__name__)

# Proof of absence takes 15 seconds and two reads of each list, five seconds apart.
SETTLE_WITHIN = 45.0
LOOK_WITHIN = 12.0
# The lists reach back a week; what is older can have filled without being in them.
LISTED = timedelta(days=6)
# An order that a valid list of a later day does not have works no more.
A_DAY = timedelta(days=1)
# The last step of a bracket that stands without all of its legs.
LAME = "stands without a leg"

_BLIND = (ApiError, SessionError, Throttled, TransportError)


@attrs.frozen(kw_only=True, eq=False)
class Unsettled(Shown):
    """A request that was sent, or was about to be, and of which nobody knows the end.

    ``step`` is the last that the journal has of it, ``about`` what it trades, ``sent_at`` the
    moment before it was to leave. A change to an order has ``order_id``, an order ``coids``.
    """

    kind: str
    account: str
    coids: tuple[str, ...]
    order_id: str | None
    about: tuple[str, ...]
    step: str
    sent_at: datetime
    _resolver: Callable[[], Order | None] = attrs.field(repr=False, alias="resolver")

    def _doubt(self) -> str:
        return "nobody knows the end of it"

    def resolve(self) -> Order | None:
        """Look it up once more; nothing is sent.

        Returns:
            The order as the broker has it, or ``None`` once it is proven that nothing of it works.

        Raises:
            OrderOutcomeUnknown: Nobody can tell yet.
        """
        return self._resolver()


class Settling:
    """Looks up the open entries of a login's journal."""

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        session: SessionKeeper,
        resolver: Resolver,
        reads: OrderReads,
        own: OwnOrders,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._session = session
        self._resolver = resolver
        self._reads = reads
        self._own = own
        self._lock = threading.Lock()
        self._done: set[str] = set()
        self._under_way: dict[str, Flag] = {}
        self._dead_since: dict[int, float] = {}

    def ready(self, account: str, mend: Callable[[Lame], Placed] | None = None) -> None:
        """Look up what was left open in an account, once; threads that come meanwhile wait for it.

        Args:
            account: The account that is about to be traded.
            mend: Puts a bracket right that lacks a leg, and says how by what it raises; without it
                such a bracket stays open.

        Raises:
            ConfigurationError: The journal cannot be read; nothing was sent.
            SessionError: There is no session to look it up with; nothing was sent.
        """
        while account not in self._done:
            with self._lock:
                flag = self._under_way.get(account)
                mine = flag is None
                if flag is None:
                    flag = self._under_way[account] = self._clock.flag()
            if not mine:
                if not flag.wait(2 * SETTLE_WITHIN):
                    raise BrokerageUnavailable(
                        "what was left open is still being looked up; nothing was sent."
                    )
                continue
            try:
                self._recover(account, mend)
                self._done.add(account)
            finally:
                with self._lock:
                    del self._under_way[account]
                flag.set()

    def unsettled(self, account: str) -> tuple[Unsettled, ...]:
        """The open entries at which nobody is at work.

        Raises:
            ConfigurationError: The journal cannot be read.
        """
        return tuple(self._unsettled(entry) for entry in self._open(account, with_unknown=True))

    def _recover(self, account: str, mend: Callable[[Lame], Placed] | None) -> None:
        entries = self._open(account)
        if not entries:
            return
        log.warning("looking up %s requests that an earlier process left open", len(entries))
        until = self._clock.monotonic() + SETTLE_WITHIN
        self._session.ensure(until)
        lame: list[Lame] = []
        all_known = True
        for entry in entries:
            try:
                self._resolve(entry, until, lame)
            except OrderOutcomeUnknown as unknown:
                all_known = False
                log.warning("%s %s", unknown.message, unknown.remedy)
        for one in lame:
            # A stop of a request whose end nobody knows may stand already.
            if mend is None or not all_known or not one.can_be_mended(self._clock.now()):
                log.warning("%s is left as it is: look at it in TWS", _named(one.entry))
                continue
            self._mended(one, mend)

    def _mended(self, lame: Lame, mend: Callable[[Lame], Placed]) -> None:
        try:
            mend(lame)
        except PartlyPlaced as failure:
            log.warning("%s: %s", _named(lame.entry), failure)
            end = End.PARTLY
        except OrderRejected as failure:
            log.warning("%s: %s", _named(lame.entry), failure)
            end = End.REFUSED
        except IBKRError as failure:
            log.warning("%s could not be put right: %s", _named(lame.entry), failure)
            return
        else:
            end = End.PLACED
        self._journal.settle(lame.entry, end, end=end)

    def _open(self, account: str, *, with_unknown: bool = False) -> tuple[Entry, ...]:
        entries = self._journal.abandoned(account, with_unknown=with_unknown)
        for entry in entries:
            self._dead_since.setdefault(entry.number, self._clock.monotonic())
        return entries

    def _unsettled(self, entry: Entry) -> Unsettled:
        return Unsettled(
            kind=entry.kind,
            account=entry.account,
            coids=entry.coids,
            order_id=entry.order_id,
            about=entry.about,
            step=entry.step,
            sent_at=entry.begun_at,
            resolver=lambda: self._resolve(entry, self._clock.monotonic() + SETTLE_WITHIN),
        )

    def _resolve(self, entry: Entry, until: float, lame: list[Lame] | None = None) -> Order | None:
        if entry.kind is Kind.PLACE:
            return self._resolve_placed(entry, until, lame)
        return self._resolve_changed(entry, until)

    def _resolve_placed(self, entry: Entry, until: float, lame: list[Lame] | None) -> Order | None:
        """Look an order up, each of a pair by itself, and the legs that hang on it.

        A bracket that lacks a leg goes to ``lame``; without it somebody looks who is told.
        """
        sent = self._dead_since[entry.number]
        old = self._clock.now() - entry.begun_at > LISTED
        if old:
            # Nothing can be proven by waiting, so a look or two are enough.
            until = min(until, self._clock.monotonic() + LOOK_WITHIN)
        seen = [self._resolver.find(entry.account, coid, sent=sent, until=until) for coid in entry.coids]
        # A status does not tell the cOID.
        found = [
            attrs.evolve(order, coid=coid)
            for coid, order in zip(entry.coids, seen, strict=True)
            if isinstance(order, Order)
        ]
        if None in seen or (old and len(found) < len(seen)):
            raise self._unknown(entry, found)
        if not found:
            log.warning("%s has never reached IBKR", _named(entry))
            self._journal.settle(entry, End.ABSENT, end=End.ABSENT)
            return None
        legs = self._legs(entry, found[0], until) if len(entry.about) > len(entry.coids) else []
        if legs is None:
            raise self._unknown(entry, found)
        alive = [order for order in found if order.state.may_fill or order.filled > 0]
        end = End.PLACED if alive else End.REFUSED
        if alive and len(entry.about) > len(entry.coids):
            self._keep(entry, found[0], legs)
            bare = lamed(entry, found[0], legs)
            if bare is not None:
                return self._set_aside(bare, found[0], legs, lame)
        elif alive and len(found) < len(entry.about):
            end = End.PARTLY
            log.warning(
                "of %s only %s of %s orders stand: look now", _named(entry), len(found), len(entry.about)
            )
        log.warning("%s is order %s, %s", _named(entry), found[0].order_id, found[0].state)
        if entry.step == "declining" and any(order.state.may_fill for order in found):
            log.warning("order %s works although its question was declined: cancel it", found[0].order_id)
        self._journal.settle(entry, end, end=end, orders=[*found, *legs])
        return found[0]

    def _set_aside(
        self, bare: Lame, found: Order, legs: Sequence[Order], lame: list[Lame] | None
    ) -> Order | None:
        entry = bare.entry
        log.warning(
            "%s stands as order %s without its %s", _named(entry), found.order_id, " and ".join(bare.missing)
        )
        if lame is not None:
            self._journal.settle(entry, LAME, orders=[found, *legs])
            lame.append(bare)
            return found
        self._journal.settle(entry, End.PARTLY, end=End.PARTLY, orders=[found, *legs])
        raise PartlyPlaced(
            f"{_named(entry)} stands as order {found.order_id}, which is {found.state} with {found.filled:f} filled,"
            f" without its {' and '.join(bare.missing)}; nothing was sent.",
            placed={leg.name: leg.order_id for leg in bare.legs},
            missing=bare.missing,
            remedy="Protect what it has filled, or cancel it.",
        )

    def _keep(self, entry: Entry, parent: Order, legs: Sequence[Order]) -> None:
        """Remember what was sent under each id, so that it can be changed."""
        if not entry.tickets:
            return
        self._own.remember(parent.order_id, entry.tickets[0])
        wanted = {name_of(ticket): ticket for ticket in entry.tickets[1:]}
        for order in legs:
            name = matching(order, wanted)
            if name is not None:
                self._own.remember(order.order_id, wanted[name])

    def _legs(self, entry: Entry, parent: Order, until: float) -> list[Order] | None:
        try:
            live = self._reads.live(
                entry.account, deadline=max(until, self._clock.monotonic() + SETTLE_WITHIN)
            )
        except _BLIND as failure:
            log.info("the legs of %s cannot be read: %s", _named(entry), failure)
            return None
        return list(children_of(live, parent.order_id))

    def _resolve_changed(self, entry: Entry, until: float) -> Order | None:
        """See how an order stands that was to be changed or cancelled."""
        order_id = entry.order_id or ""
        try:
            order = self._reads.status(entry.account, order_id, deadline=until)
            if order is None:
                live = self._reads.live(
                    entry.account, not_before=self._dead_since[entry.number], deadline=until
                )
                order = next((one for one in live if one.order_id == order_id), None)
        except _BLIND as failure:
            log.info("order %s cannot be read: %s", order_id, failure)
            raise self._unknown(entry, []) from failure
        if order is None and self._clock.now() - entry.begun_at <= A_DAY:
            raise self._unknown(entry, [])
        state = "listed no more" if order is None else order.state
        if order is not None and entry.tickets and shows(order, entry.tickets[0]):
            self._own.remember(order_id, entry.tickets[0])
        log.warning("%s: order %s is %s", _named(entry), order_id, state)
        self._journal.settle(entry, End.SEEN, end=End.SEEN)
        return order

    def _unknown(self, entry: Entry, found: list[Order]) -> OrderOutcomeUnknown:
        self._journal.settle(entry, UNKNOWN, orders=found)
        return OrderOutcomeUnknown(
            f"nobody can tell what became of {_named(entry)}, begun {entry.begun_at:%Y-%m-%d %H:%M:%S}Z.",
            coid=entry.coids[0] if entry.coids else "",
            order_id=entry.order_id,
            sent_at=entry.begun_at,
            resolver=lambda: self._resolve(entry, self._clock.monotonic() + SETTLE_WITHIN),
            remedy="Do not send it again: look at orders.unsettled(), or in TWS.",
        )


def _named(entry: Entry) -> str:
    what = " and ".join(entry.coids) or f"order {entry.order_id}"
    return f"the {entry.kind} of {what} ({'; '.join(entry.about) or 'no more is known'})"
