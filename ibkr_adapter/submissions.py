"""What is submitted as one, and the ends that it can have.

A submission is one order, an entry with the exits that hang on it, or a pair of exits. Here is what
it is and how its ends are said; sending it is for :mod:`ibkr_adapter.orders`, and what becomes of an
entry that lacks a leg for :mod:`ibkr_adapter.protection`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from ibkr_adapter.errors import InvalidOrder, OrderRejected, PartlyPlaced
from ibkr_adapter.legs import name_of
from ibkr_adapter.model.order import Leg, Order, OrderState, Origin, Placed, Ticket
from ibkr_adapter.records import Record
from ibkr_adapter.replies import ReplyHandler

# Putting an unprotected entry right is worth these seconds even after the order's deadline.
MEND_WITHIN = 20.0


@attrs.frozen(kw_only=True)
class Submission:
    """One intent on its way: what is sent, who answers for it, and until when.

    ``tickets`` is one order, an entry followed by the exits that hang on it, or a pair of exits
    of which one cancels the other. ``deadline`` is on the clock; ``wait_for_outcome`` seconds are
    spent on looking a lost answer up. ``named`` is an order whose cOID is the caller's own, which
    the caller may have sent before.
    """

    tickets: tuple[Ticket, ...]
    replies: ReplyHandler
    deadline: float
    wait_for_outcome: float
    reducing: bool = False
    named: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.tickets or self.tickets[0].coid is None:
            raise InvalidOrder("an order needs a cOID of its own; nothing was sent.")
        if len({ticket.account for ticket in self.tickets}) != 1:
            raise InvalidOrder("one submission is for one account; nothing was sent.")
        if self.named and self.is_group:
            # One of them that is found, or proven absent, says nothing of the other.
            raise InvalidOrder("a pair of orders takes no cOID of the caller's own; nothing was sent.")

    @property
    def coid(self) -> str:
        """The cOID that everything is looked up by."""
        return self.tickets[0].coid or ""

    @property
    def account(self) -> str:
        """The account of every ticket."""
        return self.tickets[0].account

    @property
    def is_group(self) -> bool:
        """Whether the tickets stand beside each other instead of hanging on the first."""
        return len(self.tickets) > 1 and all(ticket.coid is not None for ticket in self.tickets)


@attrs.frozen(kw_only=True)
class Departure:
    """When a submission left, on the clock and as a time, and where its steps are written."""

    sent: float
    sent_at: datetime
    record: Record

    def concluded(self, work: Callable[[], Placed]) -> Placed:
        """Do the last step, and write how it ended."""
        with self.record.concluding():
            return work()


class Places(Protocol):
    """Where submissions go: the order desk, or a rehearsal of it."""

    def ready(self, account: str, replies: ReplyHandler) -> None:
        """See that an order can be sent, before anything is ended that it is to take the place of."""

    def place(self, submission: Submission) -> Placed:
        """Submit once and see what came of it."""


class Changes(Protocol):
    """Where changes to standing orders go."""

    def modify(
        self, order_id: str, ticket: Ticket, *, replies: ReplyHandler, deadline: float, reducing: bool
    ) -> Order:
        """Send the whole ticket again with what changes, and see that it took."""

    def cancel(
        self,
        order_id: str,
        *,
        account: str,
        replies: ReplyHandler | None,
        deadline: float,
        origin: Origin | None = None,
    ) -> Order:
        """Ask for a cancel and see how the order ended."""


def named(tickets: Sequence[Ticket], name: str) -> Ticket | None:
    """Find an exit among tickets by what it does."""
    return next((ticket for ticket in tickets if name_of(ticket) == name), None)


def lives(order: Order) -> bool:
    """Tell whether an order stands or has filled."""
    return order.state.may_fill or order.state is OrderState.FILLED


def partly(
    legs: Sequence[Leg],
    missing: Sequence[str],
    message: str,
    *,
    naked: Decimal | None = None,
    remedy: str = "Look at these orders now, here with get_open_orders or in TWS.",
) -> PartlyPlaced:
    """Say that some legs stand and others do not."""
    return PartlyPlaced(
        message.strip(),
        placed={leg.name: leg.order_id for leg in legs},
        missing=missing,
        naked_quantity=naked,
        remedy=remedy,
    )


def rejected(text: str, *, repeatable: bool = False) -> OrderRejected:
    """Say that nothing is working, and why."""
    return OrderRejected(f"{text.rstrip('. ')}. Nothing is working.", text=text, repeatable=repeatable)
