"""Tell which leg a bracket lacks that an earlier process has left behind.

A leg is known by what it is: the journal has what was sent, the lists what stands. Where one exit has
filled the others are over by that, and nothing is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import attrs

from ibkr_adapter.journal import Entry
from ibkr_adapter.legs import leg_of, matching, name_of
from ibkr_adapter.model.order import ENTRY, Leg, Order, OrderState, Ticket

# The lists have the orders of a day; what ended before it would be taken for a leg that is missing.
MENDED_FOR = timedelta(hours=6)


@attrs.frozen(kw_only=True)
class Lame:
    """A bracket of a dead process that lacks a leg: what was sent, what stands and what does not."""

    entry: Entry
    legs: tuple[Leg, ...]
    missing: tuple[str, ...]

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """What was sent, the entry first."""
        return self.entry.tickets

    def can_be_mended(self, now: datetime) -> bool:
        """Whether enough is known of it, and it is young enough that what is not listed is not there."""
        return bool(self.tickets) and timedelta(0) <= now - self.entry.begun_at <= MENDED_FOR


def lamed(entry: Entry, parent: Order, legs: Sequence[Order]) -> Lame | None:
    """What a bracket lacks, or ``None`` where it has all its legs or one of them has closed it."""
    if any(order.state is OrderState.FILLED for order in legs):
        return None
    working = [order for order in legs if order.state.may_fill]
    if len(working) >= len(entry.about) - 1:
        return None
    wanted = {name_of(ticket): ticket for ticket in entry.tickets[1:]}
    if not wanted:
        missing = tuple(entry.about[1 + len(working) :])
        return Lame(entry=entry, legs=(), missing=missing)
    found = [leg_of(ENTRY, parent.order_id, entry.tickets[0], parent)]
    for order in working:
        name = matching(order, wanted)
        if name is not None:
            found.append(leg_of(name, order.order_id, wanted.pop(name), order))
    return Lame(entry=entry, legs=tuple(found), missing=tuple(wanted))
