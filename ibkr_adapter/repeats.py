"""Find out whether a caller's own cOID was sent before, so that a caller may ask twice for one order.

A host that lost our answer, or was restarted, asks again under the same cOID. What was sent under it
is looked up: found, it is the answer, and nothing is sent; proven absent, it may be sent again; and
where nobody can tell, nothing is. Should even the proof be wrong, IBKR refuses a cOID that it had
within a day. Only cOIDs that the journal knows cost a look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import OrderOutcomeUnknown, OrderRejected
from ibkr_adapter.journal import End, Entry, Intent, Journal
from ibkr_adapter.model.order import Order, Placed
from ibkr_adapter.outcome import Absent, Resolver


class Repeats:
    """Looks up what was sent under a cOID by an earlier call; sends nothing."""

    def __init__(self, *, clock: Clock, journal: Journal, resolver: Resolver) -> None:
        self._clock = clock
        self._journal = journal
        self._resolver = resolver

    def look(self, intent: Intent, *, within: float, told: Callable[[Order], Placed]) -> Order | None:
        """Return the order of an earlier call, or ``None`` where it may be sent.

        Args:
            intent: What the caller wants to send, with its cOID.
            within: Seconds for the look; the proof of absence takes 15 and two reads.
            told: Makes of an order that a later look finds what the call would have returned.

        Raises:
            InvalidOrder: The cOID was used for another order, or another call is at work on it.
            OrderOutcomeUnknown: Nobody can tell whether the earlier one stands; this call sent nothing.
            ConfigurationError: The journal cannot be read; nothing was sent.
        """
        if not self._journal.sent_before(intent):
            return None
        unsettled = [
            entry
            for entry in self._journal.abandoned(intent.account, with_unknown=True)
            if set(entry.coids) & set(intent.coids)
        ]
        coid = intent.coids[0]

        def resolve() -> Placed:
            order = self._find(intent.account, coid, unsettled, within, resolve)
            if order is None:
                raise OrderRejected(f"no order {coid} has reached IBKR; nothing is working.", repeatable=True)
            return told(order)

        return self._find(intent.account, coid, unsettled, within, resolve)

    def _find(
        self,
        account: str,
        coid: str,
        unsettled: Sequence[Entry],
        within: float,
        resolve: Callable[[], Placed],
    ) -> Order | None:
        now = self._clock.monotonic()
        # The earlier call may have ended only now, and clocks are set: absence counts from here.
        found = self._resolver.find(account, coid, sent=now, until=now + within)
        if found is None:
            raise OrderOutcomeUnknown(
                f"an order with the cOID {coid} was sent before, and nobody can tell whether it stands;"
                " this call sent nothing.",
                coid=coid,
                sent_at=unsettled[0].begun_at if unsettled else self._clock.now(),
                resolver=resolve,
                remedy="Look it up with find_order, or in TWS.",
            )
        absent = isinstance(found, Absent)
        for entry in unsettled:
            if len(entry.about) == 1 or absent:
                end = End.ABSENT if absent else End.PLACED
                self._journal.settle(
                    entry, end, end=end, orders=() if isinstance(found, Absent) else (found,)
                )
        return None if isinstance(found, Absent) else found
