"""Read what stands and what was filled, and never take silence for an answer.

IBKR answers each of these reads for the account that is selected (:mod:`ibkr_adapter.selection`), so each is
made, shared and kept for one account, and one of which that is not sure proves nothing.

The first live-orders read of a session is empty whatever stands, the first trades read too, and
both may be made once in five seconds only. So reads are shared among threads, kept for a moment,
and each says when it was begun, because a lookup after a lost answer may only rely on reads that
began later.

Source: Web API reference, "Live Orders" and "Trades"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import ApiError, BrokerageUnavailable, SessionError, Throttled, TransportError
from ibkr_adapter.model.order import Fill, Order
from ibkr_adapter.selection import Selection
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints, order_rows

# IBKR allows one read in five seconds, so an older one could be replaced by a newer one.
KEPT_FOR = 5.0
# What has only just come serves all who look at one order then, however long its limit kept it waiting.
JUST_CAME = 2.0
# An order can stand for a moment before it is listed; what is not listed by then, twice, is not there.
VISIBLE_AFTER = 15.0
NEEDED_READS = 2
# Cold reads that are repeated before the caller is told that IBKR does not know its orders.
MOST_COLD = 4
# How one order's status is refused, by a gateway that gives none of that order or of any.
_NOT_GIVEN = verdicts.UNHEARD_OF | {200, 400, 500, 503}

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Reading(Generic[T]):
    """What one read said; ``begun`` is the moment on the clock when it was started, ``came`` when it was over.

    ``proves`` is whether what is not in it is known to be absent; an empty list may be valid and prove nothing.
    """

    begun: float
    came: float
    epoch: int
    valid: bool
    rows: tuple[T, ...]
    proves: bool


@attrs.frozen
class _Fetched(Generic[T]):
    """What came: rows, whether surely of the account that was meant, and what IBKR says of them itself.

    ``whole`` is ``True`` where it says that these are all, ``False`` where these surely are not; without
    such a word the first read of a session is believed in nothing. ``proves`` is whether a later one is
    good enough to prove that an order never arrived, too.
    """

    rows: tuple[T, ...]
    sure: bool
    whole: bool | None = None
    proves: bool = True


class _Shared(Generic[T]):
    """One kind of read, made by one thread at a time and shared with those who wait for it."""

    def __init__(
        self, clock: Clock, session: SessionKeeper, fetch: Callable[[float], _Fetched[T]], silent: str
    ) -> None:
        self._clock = clock
        self._session = session
        self._fetch = fetch
        self._silent = silent
        # The session in which it was surely read before.
        self._primed = -1
        self._lock = threading.Lock()
        self._last: Reading[T] | None = None
        self._reading: Flag | None = None
        # What was begun before this moment may be of before our own last change.
        self._kept_from = float("-inf")

    def forget(self) -> None:
        with self._lock:
            self._last = None
            self._kept_from = self._clock.monotonic()

    def kept(self) -> tuple[T, ...]:
        """The rows that were read last in this session, of some seconds ago at most; nothing is asked."""
        with self._lock:
            last = self._last
        if last is None or not last.valid or last.epoch != self._session.epoch:
            return ()
        return last.rows if self._clock.monotonic() - last.came < KEPT_FOR else ()

    def known(self, *, not_before: float | None, deadline: float, just_came: bool = False) -> tuple[T, ...]:
        """Return the rows of a read that is valid, as :meth:`get` does, after some that are not."""
        for _ in range(MOST_COLD):
            reading = self.get(not_before=not_before, deadline=deadline, just_came=just_came)
            if reading.valid:
                return reading.rows
        raise BrokerageUnavailable(self._silent)

    def get(self, *, not_before: float | None, deadline: float, just_came: bool = False) -> Reading[T]:
        """Return a read that was begun at ``not_before`` or later, or one that ``just_came``, valid or not."""
        while True:
            epoch = self._session.ensure(deadline)
            with self._lock:
                now = self._clock.monotonic()
                last = self._last
                if last is not None and last.epoch == epoch and last.valid:
                    if just_came:
                        fits = now - last.came < JUST_CAME
                    elif not_before is None:
                        fits = now - last.begun < KEPT_FOR
                    else:
                        fits = last.begun >= not_before
                    if fits:
                        return last
                flag = self._reading
                mine = flag is None
                if flag is None:
                    flag = self._reading = self._clock.flag()
            if mine:
                return self._read(flag, deadline)
            if not flag.wait(max(0.0, deadline - now)):
                raise BrokerageUnavailable("another thread's read did not end in time; nothing is known.")

    def _read(self, flag: Flag, deadline: float) -> Reading[T]:
        try:
            begun = self._clock.monotonic()
            found = self._fetch(deadline)
            # The session may have been restored on the way; its number is read afterwards.
            epoch = self._session.epoch
            believed = self._primed == epoch if found.whole is None else found.whole
            if found.sure:
                self._primed = epoch
            reading = Reading(
                begun=begun,
                came=self._clock.monotonic(),
                epoch=epoch,
                valid=found.sure and believed,
                rows=found.rows,
                proves=found.sure and believed and found.proves,
            )
            with self._lock:
                if begun >= self._kept_from:
                    self._last = reading
            return reading
        finally:
            with self._lock:
                self._reading = None
            flag.set()


@attrs.frozen
class _Reads:
    """What was read of one account."""

    orders: _Shared[Order]
    trades: _Shared[Fill]


class OrderReads:
    """Live orders, one order's status and trades, of each account of a connection's session."""

    def __init__(
        self, *, clock: Clock, session: SessionKeeper, selection: Selection, read_deadline: float
    ) -> None:
        self._clock = clock
        self._session = session
        self._selection = selection
        self._read_deadline = read_deadline
        # Counts what this process has changed: what was read before is of before.
        self.changes = 0
        self._lock = threading.Lock()
        self._accounts: dict[str, _Reads] = {}

    def changed(self, account: str) -> None:
        """Forget what was read of an account: this process has just changed something in it."""
        self.changes += 1
        reads = self._of(account)
        reads.orders.forget()
        reads.trades.forget()

    def live(
        self, account: str, *, not_before: float | None = None, deadline: float | None = None
    ) -> tuple[Order, ...]:
        """All orders of the day that IBKR lists for an account, working or over.

        Args:
            account: Whose.
            not_before: Take no read that was begun earlier than this moment on the clock.
            deadline: When to give up; twice ``read_deadline`` from now if unset, because a cold
                session needs two reads five seconds apart.

        Raises:
            BrokerageUnavailable: IBKR has not collected its orders yet; nothing is known.
        """
        return self._of(account).orders.known(not_before=not_before, deadline=self._until(deadline))

    def live_once(self, account: str, *, deadline: float) -> Reading[Order]:
        """One fresh read of an account's live orders, valid or not."""
        return self._of(account).orders.get(not_before=self._clock.monotonic(), deadline=deadline)

    def fills(
        self, account: str, *, not_before: float | None = None, deadline: float | None = None
    ) -> tuple[Fill, ...]:
        """The fills that IBKR lists for an account, oldest first as it lists them."""
        return self._of(account).trades.known(not_before=not_before, deadline=self._until(deadline))

    def fills_once(self, account: str, *, deadline: float) -> Reading[Fill]:
        """One fresh read of an account's trades, valid or not."""
        return self._of(account).trades.get(not_before=self._clock.monotonic(), deadline=deadline)

    def status(self, account: str, order_id: str, *, deadline: float | None = None) -> Order | None:
        """One order's own status, or ``None`` where IBKR does not give it.

        ``None`` is not "does not exist": an order of another account is answered the same way. Where
        another program may have selected one, it is asked for once more. IBKR may give none of an order
        that is over, and a gateway none at all; then the list is believed: what works there can have
        changed since, so only one that has just come is.
        """
        until = deadline or self._until(None)
        try:
            found = self._own_status(account, order_id, until)
        except Throttled:
            # A refused path rests for a minute; the list has a limit of its own.
            listed = self._as_listed(account, order_id, until)
            if listed is None:
                raise
            return listed
        return self._as_listed(account, order_id, until) if found is None else found

    def _as_listed(self, account: str, order_id: str, until: float) -> Order | None:
        """An order as the list has it, where that has it once and surely in this account."""
        orders = self._of(account).orders
        found = self._only(orders.kept(), account, order_id)
        if found is not None and found.state.is_over:
            return found
        try:
            listed = orders.known(not_before=None, just_came=True, deadline=until)
        except (ApiError, SessionError, Throttled, TransportError):
            return None
        return self._only(listed, account, order_id)

    def _only(self, listed: tuple[Order, ...], account: str, order_id: str) -> Order | None:
        # Only where there are several accounts must an order name its own.
        names = {account} if self._selection.several else {account, ""}
        rows = [order for order in listed if order.order_id == order_id]
        alike = bool(rows) and all(row == rows[0] for row in rows)
        return rows[0] if alike and rows[0].account in names else None

    def _own_status(self, account: str, order_id: str, until: float) -> Order | None:
        for last in (False, True):
            try:
                content = self._selection.read(
                    account, endpoints.ORDER_STATUS, path={"orderId": order_id}, deadline=until, empty={}
                ).content
            except ApiError as refusal:
                if not (type(refusal) is ApiError and refusal.status in _NOT_GIVEN):
                    raise
                if last or not self._selection.several or self._selection.shows(account, until):
                    return None
                continue
            return order_rows.read_order_status(content, order_id) if order_rows.is_whole(content) else None
        return None

    def find(self, account: str, coid: str, *, deadline: float | None = None) -> Order | None:
        """Look an account's order up by its cOID, in fresh live orders first and in the trades then."""
        now = self._clock.monotonic()
        order = by_coid(self.live(account, not_before=now, deadline=deadline), coid)
        if order is not None:
            return order
        fills = self.fills(account, not_before=now, deadline=deadline)
        fill = next((fill for fill in fills if fill.coid == coid), None)
        if fill is None or fill.order_id is None:
            return None
        return self.status(account, fill.order_id, deadline=deadline)

    def _until(self, deadline: float | None) -> float:
        return self._clock.monotonic() + 2 * self._read_deadline if deadline is None else deadline

    def _of(self, account: str) -> _Reads:
        with self._lock:
            found = self._accounts.get(account)
            if found is None:
                found = self._accounts[account] = _Reads(
                    _Shared(
                        self._clock,
                        self._session,
                        lambda until: self._fetch_orders(account, until),
                        "IBKR does not list its orders yet; whether any stands is not known.",
                    ),
                    _Shared(
                        self._clock,
                        self._session,
                        lambda until: self._fetch_trades(account, until),
                        "IBKR does not list its trades yet; whether there are any is not known.",
                    ),
                )
            return found

    def _fetch_orders(self, account: str, deadline: float) -> _Fetched[Order]:
        # Without it some users with several accounts are answered with nothing.
        query = {"accountId": account} if self._selection.several else {}
        answered = self._selection.read(
            account, endpoints.LIVE_ORDERS, query=query, deadline=deadline, verify=True
        )
        found = order_rows.read_live_orders(answered.content)
        # Rows that come with the very first read of a session may be old ones, and none may be no word at all.
        said = isinstance(answered.content, dict) and answered.content.get("snapshot") is True
        whole = False if not found.valid else True if said else None
        return _Fetched(found.orders, sure=answered.sure, whole=whole, proves=said or bool(found.orders))

    def _fetch_trades(self, account: str, deadline: float) -> _Fetched[Fill]:
        answered = self._selection.read(
            account, endpoints.TRADES, query={"days": 7}, deadline=deadline, empty=[], verify=True
        )
        return _Fetched(order_rows.read_trades(answered.content), sure=answered.sure)


def by_coid(orders: tuple[Order, ...], coid: str) -> Order | None:
    """Find the order that was sent with ``coid``; a modified one may be listed twice."""
    found = [order for order in orders if order.coid == coid]
    working = [order for order in found if order.state.may_fill]
    return next(reversed(working or found), None)


def children_of(orders: tuple[Order, ...], parent_id: str) -> tuple[Order, ...]:
    """Find the orders that hang on ``parent_id``."""
    return tuple(order for order in orders if order.parent_id == parent_id and order.order_id != parent_id)
