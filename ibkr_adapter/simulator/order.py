"""One order as the simulated broker keeps it.

Knows the fields of a ticket after it was read, the states an order goes through and the small
arithmetic on one order alone. What happens between orders is for :mod:`.book`, how a ticket is
read for :mod:`.tickets`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from ibkr_adapter.simulator.instrument import Instrument

NOTHING = Decimal(0)
STOP_TYPES = frozenset({"STP", "STOP_LIMIT", "TRAIL", "TRAILLMT"})
TRAILING_TYPES = frozenset({"TRAIL", "TRAILLMT"})
LIMIT_TYPES = frozenset({"LMT", "STOP_LIMIT", "TRAILLMT", "LOC", "LIT", "REL", "MIDPRICE"})


class Status(StrEnum):
    """The words of the ``status`` field."""

    PENDING_SUBMIT = "PendingSubmit"
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    PENDING_CANCEL = "PendingCancel"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"


DONE = frozenset({Status.FILLED, Status.CANCELLED, Status.INACTIVE})


@attrs.frozen(kw_only=True)
class Ticket:
    """An order as it was sent, read and checked; prices in the instrument's currency.

    ``keys`` are the JSON keys it was sent with, which a modification must bring again.
    """

    account: str
    instrument: Instrument
    conidex: str
    order_type: str
    side: str
    quantity: Decimal
    tif: str
    price: Decimal | None = None
    aux_price: Decimal | None = None
    trailing_amount: Decimal | None = None
    trailing_type: str | None = None
    coid: str | None = None
    parent: str | None = None
    single_group: bool = False
    outside_rth: bool = False
    all_or_none: bool = False
    cash_quantity: Decimal | None = None
    converts: bool = False
    deactivated: bool = False
    keys: frozenset[str] = frozenset()

    @property
    def is_buy(self) -> bool:
        """Tell whether the order buys."""
        return self.side == "BUY"

    @property
    def limit(self) -> Decimal | None:
        """The limit price, for the types that have one."""
        return self.price if self.order_type in LIMIT_TYPES else None

    @property
    def stop(self) -> Decimal | None:
        """The trigger, wherever this order type carries it."""
        if self.order_type in {"STP", "TRAIL", "MIT"}:
            return self.price
        return self.aux_price if self.order_type in {"STOP_LIMIT", "TRAILLMT", "LIT"} else None


@attrs.define(kw_only=True, eq=False)
class Order:
    """An order in the book, with everything that happened to it."""

    order_id: int
    ticket: Ticket
    entered: datetime
    due: datetime  # when it reaches the market
    expires: datetime | None
    status: Status = Status.PRE_SUBMITTED
    quantity: Decimal = attrs.field(default=attrs.Factory(lambda self: self.ticket.quantity, takes_self=True))
    filled: Decimal = NOTHING
    paid: Decimal = NOTHING  # sum of price times size
    parent_id: int | None = None
    group: str | None = None
    stop: Decimal | None = attrs.field(default=attrs.Factory(lambda self: self.ticket.stop, takes_self=True))
    limit: Decimal | None = attrs.field(
        default=attrs.Factory(lambda self: self.ticket.limit, takes_self=True)
    )
    triggered: bool = False
    rests: bool = False  # it has stood in the market, so others trade at its price
    cancel_due: datetime | None = None
    reason: str | None = None
    changed: datetime = attrs.field(default=attrs.Factory(lambda self: self.entered, takes_self=True))
    hidden: bool = False  # left out of live orders
    questions: list[str] = attrs.field(factory=list)
    foreign: bool = False
    vanished: bool = False  # IBKR does not know it any more

    @property
    def remaining(self) -> Decimal:
        """What is still to be filled."""
        return self.quantity - self.filled

    @property
    def is_done(self) -> bool:
        """Tell whether nothing can happen to it any more."""
        return self.status in DONE and not (self.status is Status.INACTIVE and self.ticket.deactivated)

    @property
    def average(self) -> Decimal | None:
        """The average fill price."""
        return self.paid / self.filled if self.filled else None

    @property
    def signed_remaining(self) -> Decimal:
        """The rest with its direction: negative when it sells."""
        return self.remaining if self.ticket.is_buy else -self.remaining

    def end(self, status: Status, moment: datetime, reason: str | None = None) -> None:
        """Bring it to a final state."""
        self.status = status
        self.changed = moment
        self.reason = reason


@attrs.frozen(kw_only=True)
class Execution:
    """One fill; money in the instrument's currency."""

    execution_id: str
    order: Order
    account: str
    instrument: Instrument
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    moment: datetime
    position_after: Decimal
    exchange: str = "ISLAND"
    realised: Decimal = NOTHING  # commissions of both ways included

    @property
    def amount(self) -> Decimal:
        """Price times size, without commission."""
        return self.price * self.quantity * self.instrument.multiplier
