"""Brackets and groups that come out other than they were sent: F25.

A leg is refused while the rest works, before or after its entry has filled; everything ends
inactive; a leg is acknowledged and then is not there; or the acknowledgements come in another
order. Which of these were seen at the real service: a refused leg with a standing entry, and with
an inactive one. The others are what a client has to survive all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ibkr_adapter.simulator.faults import Armed, land
from ibkr_adapter.simulator.order import Order, Status, Ticket

if TYPE_CHECKING:
    from ibkr_adapter.simulator.book import Book

_VANISHED = "vanished after its acknowledgement"
_HALF = Decimal("0.5")


class Leg(Protocol):
    """What is looked at here of a leg that the desk takes."""

    ticket: Ticket
    order: Order | None

    @property
    def is_child(self) -> bool:
        """Tell whether it hangs on another order."""


_AnyLeg = TypeVar("_AnyLeg", bound=Leg)


def choose(legs: Sequence[_AnyLeg], twists: Mapping[str, Any]) -> _AnyLeg | None:
    """The leg that the fault of this call is about; none where there is no such leg.

    Entries are not chosen: only legs that hang on one, or members of a group.
    """
    armed: Armed | None = twists.get("bracket")
    if armed is None:
        return None
    legs = [leg for leg in legs if leg.is_child] or [leg for leg in legs if leg.ticket.single_group]
    wanted = armed.wishes.get("leg", -1)
    if isinstance(wanted, int):
        # A place that does not exist is the last one.
        return legs[wanted if -len(legs) <= wanted < len(legs) else -1] if legs else None
    names = {str(wanted)}
    return next((leg for leg in legs if names & {leg.ticket.coid, leg.ticket.order_type}), None)


def is_refused(twists: Mapping[str, Any]) -> bool:
    """Tell whether the chosen leg never gets into the book."""
    return twists["bracket"].variant not in {"vanishes", "reordered"}


def play_out(
    book: Book,
    legs: Sequence[Leg],
    chosen: Leg,
    entry: Order | None,
    twists: Mapping[str, Any],
    now: datetime,
) -> None:
    """Do to the legs in the book what the fault wants; ``entry`` is what the chosen leg hangs on."""
    armed: Armed = twists["bracket"]
    land(twists)
    if armed.variant == "inactive":
        for leg in legs:
            if leg.order is not None:
                leg.order.end(Status.INACTIVE, now)
    elif armed.variant == "vanishes" and chosen.order is not None:
        chosen.order.vanished = True
        chosen.order.end(Status.CANCELLED, now, _VANISHED)
    elif armed.variant in {"filled", "partly"} and entry is not None and not entry.is_done:
        part = Decimal(str(armed.wishes.get("count", entry.remaining * _HALF)))
        book.force(entry, now, part if armed.variant == "partly" else None)
