"""Orders as values: what is asked for, what was acknowledged, what stands, what was filled.

A :class:`Ticket` cannot exist without the prices its type needs. What IBKR calls these fields
on the wire, and how it spells them when it reads them back, is for
:mod:`ibkr_adapter.wire.orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.algos import ChosenAlgo
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.shown import Shown

# The names of a bracket's legs.
ENTRY, TAKE_PROFIT, STOP_LOSS = "entry", "take_profit", "stop_loss"


class Side(StrEnum):
    """The real side of an order, never that of the position behind it."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """What one filled unit adds to the position."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """The order types that IBKR documents for tickets, in its spelling."""

    MARKET = "MKT"
    LIMIT = "LMT"
    STOP = "STP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAIL = "TRAIL"
    TRAIL_LIMIT = "TRAILLMT"

    @classmethod
    def named(cls, word: object) -> OrderType | None:
        """Find the type that people, hosts and other clients call ``word``; ``None`` if none is."""
        if not isinstance(word, str):
            return None
        return _CALLED.get("".join(letter for letter in word.upper() if letter.isalpha()))

    @property
    def has_limit(self) -> bool:
        """Whether the ticket needs a limit price."""
        return self in {OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TRAIL_LIMIT}

    @property
    def needs_stop(self) -> bool:
        """Whether the ticket needs a stop price."""
        return self in {OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAIL_LIMIT}

    @property
    def trails(self) -> bool:
        """Whether the ticket needs a trailing amount."""
        return self in {OrderType.TRAIL, OrderType.TRAIL_LIMIT}


# Without case, blanks, dashes and underscores.
_CALLED = {
    "MARKET": OrderType.MARKET,
    "MKT": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LMT": OrderType.LIMIT,
    "STOP": OrderType.STOP,
    "STP": OrderType.STOP,
    "STOPMARKET": OrderType.STOP,
    "STOPLIMIT": OrderType.STOP_LIMIT,
    "STPLMT": OrderType.STOP_LIMIT,
    "STPLIMIT": OrderType.STOP_LIMIT,
    "STOPLMT": OrderType.STOP_LIMIT,
    "TRAIL": OrderType.TRAIL,
    "TRAILINGSTOP": OrderType.TRAIL,
    "TRAILSTOP": OrderType.TRAIL,
    "TRAILLMT": OrderType.TRAIL_LIMIT,
    "TRAILLIMIT": OrderType.TRAIL_LIMIT,
    "TRAILINGSTOPLIMIT": OrderType.TRAIL_LIMIT,
    "TRAILSTOPLIMIT": OrderType.TRAIL_LIMIT,
}


class Tif(StrEnum):
    """How long an order stands: day, until cancelled, at once, at the open, overnight (and day).

    ``PAX`` is for limit orders in crypto only: five minutes.
    """

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    OPG = "OPG"
    OVT = "OVT"
    OND = "OND"
    PAX = "PAX"

    @classmethod
    def named(cls, word: object) -> Tif | None:
        """Find the time in force that is written ``word``; ``None`` if the API has none such."""
        written = word.strip().upper() if isinstance(word, str) else ""
        return next((tif for tif in cls if tif.value == written), None)


class TrailingUnit(StrEnum):
    """What a trailing amount counts in."""

    AMOUNT = "amt"
    PERCENT = "%"


class OrderState(StrEnum):
    """What IBKR says of an order; an unknown word is an error, never a guess."""

    PENDING_SUBMIT = "PendingSubmit"
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    FILLED = "Filled"
    PENDING_CANCEL = "PendingCancel"
    PRE_CANCELLED = "PreCancelled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"
    WARN_STATE = "WarnState"
    FAILED = "Failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self in {OrderState.FILLED, OrderState.CANCELLED, OrderState.FAILED}

    @property
    def may_fill(self) -> bool:
        """Whether the order can still trade: an order being cancelled can."""
        return self in {
            OrderState.PENDING_SUBMIT,
            OrderState.PRE_SUBMITTED,
            OrderState.SUBMITTED,
            OrderState.PENDING_CANCEL,
            OrderState.PRE_CANCELLED,
            OrderState.WARN_STATE,
        }


@attrs.frozen(kw_only=True)
class Origin(Shown):
    """Who gave an order: a person or a program (``manual``), and under whose name."""

    manual: bool
    operator: str


@attrs.frozen(kw_only=True)
class Ticket(Shown):
    """One order to be sent; prices in the contract's currency.

    Its size is one of three: ``quantity`` in shares, contracts or units of the base currency,
    ``cash_quantity`` in the contract's currency, or ``fx_quantity``, which makes it a conversion and
    is in the currency that the pair's price is in. ``coid`` is the caller's own order id (IBKR's
    cOID), ``parent_coid`` that of the entry this order hangs on. ``trailing`` is an amount of money or
    a percentage, as ``trailing_unit`` says. A combination has ``conidex`` for its legs, and as
    ``conid`` that of its kind; its prices may be negative. ``route`` is the one exchange that the
    order is to go to; without it IBKR looks for the best. ``algo`` is the algorithm of IBKR's that works it.
    """

    account: str
    conid: int
    side: Side
    order_type: OrderType
    tif: Tif
    quantity: Decimal | None = None
    cash_quantity: Decimal | None = None
    fx_quantity: Decimal | None = None
    conidex: str | None = None
    route: str | None = None
    origin: Origin | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing: Decimal | None = None
    trailing_unit: TrailingUnit | None = None
    coid: str | None = None
    parent_coid: str | None = None
    outside_rth: bool = False
    single_group: bool = False
    algo: ChosenAlgo | None = None

    def __attrs_post_init__(self) -> None:
        sizes = [size for size in (self.quantity, self.cash_quantity, self.fx_quantity) if size is not None]
        if len(sizes) != 1:
            raise InvalidOrder("an order has a quantity or a sum of money, by one of them; nothing was sent.")
        if not sizes[0].is_finite() or sizes[0] <= 0:
            raise InvalidOrder(f"the quantity {sizes[0]} is not above 0; nothing was sent.")
        kind = self.order_type
        self._check("limit price", self.limit_price, needed=kind.has_limit, taken=kind.has_limit)
        # A plain stop and a limit share one field on the wire: a stop would take the limit's place.
        self._check(
            "stop price", self.stop_price, needed=kind.needs_stop, taken=kind.needs_stop or kind.trails
        )
        self._check("trailing amount", self.trailing, needed=kind.trails, taken=kind.trails)
        if kind.trails and self.trailing_unit is None:
            raise InvalidOrder(f"an order of type {kind.value} needs a trailing unit; nothing was sent.")
        if self.trailing is not None and self.trailing <= 0:
            raise InvalidOrder(f"the trailing amount {self.trailing} is not above 0; nothing was sent.")

    @property
    def units(self) -> Decimal:
        """The quantity, of a ticket that has one.

        Raises:
            InvalidOrder: It is sized by money, so nobody knows how many units it is.
        """
        if self.quantity is None:
            raise InvalidOrder("an order that is sized by money has no quantity; nothing was sent.")
        return self.quantity

    def _check(self, what: str, value: Decimal | None, *, needed: bool, taken: bool) -> None:
        if value is None:
            if needed:
                raise InvalidOrder(
                    f"an order of type {self.order_type.value} needs a {what}; nothing was sent."
                )
            return
        if not taken:
            raise InvalidOrder(f"an order of type {self.order_type.value} takes no {what}; nothing was sent.")
        if not value.is_finite():
            raise InvalidOrder(f"the {what} {value} is no number; nothing was sent.")


@attrs.frozen(kw_only=True)
class Acknowledgement(Shown):
    """One element of IBKR's answer that carries an order id.

    ``coid`` is there only for tickets that were sent with one, ``parent_id`` only for children.
    """

    order_id: str
    state: OrderState
    coid: str | None = None
    parent_id: str | None = None
    text: str = ""

    @property
    def refused(self) -> bool:
        """Whether this acknowledgement is a refusal in disguise."""
        return (
            not (self.order_id.isascii() and self.order_id.isdigit())
            or int(self.order_id) <= 0
            or self.state
            in {
                OrderState.FAILED,
                OrderState.INACTIVE,
            }
        )


@attrs.frozen(kw_only=True)
class Order(Shown):
    """An order as the broker has it, from live orders or from the order's own status.

    Quantities are in shares or contracts, prices in the contract's currency. ``coid`` is known
    from live orders only and missing where none was sent; ``reason`` is IBKR's own word on why
    the system ended it. ``average_price`` is missing while nothing is filled.
    """

    order_id: str
    account: str
    conid: int
    symbol: str
    side: Side
    order_type: OrderType | None
    type_text: str
    state: OrderState
    quantity: Decimal
    filled: Decimal
    remaining: Decimal
    tif: Tif | None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    average_price: Decimal | None = None
    coid: str | None = None
    parent_id: str | None = None
    oca_group: str | None = None
    outside_rth: bool | None = None
    reason: str = ""
    updated: datetime | None = None
    # Where a row gives the trailing distance, a modification can repeat it.
    trailing: Decimal | None = None
    trailing_unit: TrailingUnit | None = None
    # A combination's contracts with their signed ratios, and IBKR's text of them.
    sec_type: SecType = SecType.UNKNOWN
    legs: tuple[tuple[int, int], ...] = ()
    conidex: str | None = None
    # Whether a change of it was only rehearsed: it stands as it did before.
    dry_run: bool = False

    def moves(self, conid: int) -> int:
        """What one filled unit adds to the position in a contract, 0 where it has none of it."""
        if self.legs:
            return self.side.sign * sum(ratio for leg, ratio in self.legs if leg == conid)
        return self.side.sign if self.conid == conid else 0


@attrs.frozen(kw_only=True)
class Fill(Shown):
    """One execution; IBKR does not say in which currency the commission is."""

    execution_id: str
    order_id: str | None
    coid: str | None
    account: str
    conid: int
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal | None
    time: datetime | None
    exchange: str = ""
    sec_type: SecType = SecType.UNKNOWN


@attrs.frozen(kw_only=True)
class Leg(Shown):
    """One leg of a bracket after it was placed: its name, its order id, and what it is.

    A leg that a dry run did not send has an empty ``order_id`` and is ``Inactive``.
    """

    name: str
    order_id: str
    ticket: Ticket
    state: OrderState


@attrs.frozen(kw_only=True)
class Unsent(Shown):
    """A request that a dry run did not send: ``path`` is below the API root, ``body`` its JSON."""

    method: str
    path: str
    query: Mapping[str, Any] | None = attrs.field(default=None, hash=False)
    body: Mapping[str, Any] | None = attrs.field(default=None, hash=False)


@attrs.frozen(kw_only=True)
class Placed(Shown):
    """What stands at the broker after one submission, the entry first.

    In a dry run nothing does: ``unsent`` has the requests that would have been made, in their order.
    """

    coid: str
    legs: tuple[Leg, ...]
    unsent: tuple[Unsent, ...] = ()

    @property
    def dry_run(self) -> bool:
        """Whether nothing was sent."""
        return bool(self.unsent)

    @property
    def entry(self) -> Leg:
        """The leg that the others hang on."""
        return self.legs[0]

    def leg(self, name: str) -> Leg | None:
        """Find a leg by its name."""
        return next((leg for leg in self.legs if leg.name == name), None)
