"""What a stream tells, as values.

Every event says when it arrived here (``at``, by our clock). Most carry a value of the other rooms
of :mod:`ibkr_adapter.model`, merged: IBKR sends what changed, an event says how it all stands.
:class:`Gap`, :class:`Stale` and :class:`Dropped` tell what the stream could *not* tell; whoever
keeps figures of their own must look at them.

How IBKR spells the frames is for :mod:`ibkr_adapter.wire.stream`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar

import attrs

from ibkr_adapter.model.account import LedgerRow, PnlRow
from ibkr_adapter.model.market import Quote
from ibkr_adapter.model.order import Fill, Order
from ibkr_adapter.model.shown import Shown, doubt_of, shown_of


@attrs.frozen(kw_only=True)
class Event(Shown):
    """Something that a stream tells; ``at`` is when it arrived here, aware and in UTC.

    Of an event that is ``replaceable`` the next one of its kind says it all, so that a consumer who
    is behind may miss it.
    """

    replaceable: ClassVar[bool] = False

    at: datetime


@attrs.frozen(kw_only=True)
class QuoteEvent(Event):
    """How a contract's quote stands after what arrived.

    The value is made when it is looked at: of ten thousand quotes a consumer may want the last one.
    """

    replaceable: ClassVar[bool] = True

    conid: int
    fields: Mapping[str, Any] = attrs.field(repr=False, hash=False)

    @cached_property
    def quote(self) -> Quote:
        """The whole quote as it stands."""
        return Quote(conid=self.conid, **self.fields)

    def _shown(self) -> dict[str, Any]:
        return {"at": self.at} | shown_of(self.quote)

    def _doubt(self) -> str | None:
        return doubt_of(self.quote)


@attrs.frozen(kw_only=True)
class Bar(Shown):
    """One bar of live history; prices in the contract's currency, ``start`` is when it began.

    ``volume`` is in shares or contracts, and missing where bars are not made of trades.
    """

    start: datetime
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    volume: Decimal | None


@attrs.frozen(kw_only=True)
class BarsEvent(Event):
    """The bars that a frame brought, oldest first; the last one may still be growing."""

    conid: int
    bars: tuple[Bar, ...]


@attrs.frozen(kw_only=True)
class DepthRow(Shown):
    """One row of a price ladder; ``last_size`` stands where the last trade was at this price."""

    row: int
    price: Decimal | None
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    last_size: Decimal | None = None
    is_last: bool = False


@attrs.frozen(kw_only=True)
class DepthEvent(Event):
    """A contract's price ladder as it stands, by row."""

    replaceable: ClassVar[bool] = True

    conid: int
    account_id: str
    rows: tuple[DepthRow, ...]


@attrs.frozen(kw_only=True)
class OrderEvent(Event):
    """How an order stands after what arrived, or as it was read again after a gap."""

    order: Order


@attrs.frozen(kw_only=True)
class TradeEvent(Event):
    """An execution; each is told once, however often IBKR repeats it."""

    fill: Fill


@attrs.frozen(kw_only=True)
class PnlEvent(Event):
    """Today's profit of one account and model."""

    replaceable: ClassVar[bool] = True

    profit: PnlRow


@attrs.frozen(kw_only=True)
class SummaryEvent(Event):
    """All that is known of an account's summary, by IBKR's own keys such as ``NetLiquidation-S``."""

    replaceable: ClassVar[bool] = True

    account_id: str
    values: Mapping[str, Decimal | str | None] = attrs.field(hash=False)
    currency: str | None = None


@attrs.frozen(kw_only=True)
class LedgerEvent(Event):
    """An account's cash in one currency."""

    replaceable: ClassVar[bool] = True

    account_id: str
    row: LedgerRow


@attrs.frozen(kw_only=True)
class NotificationEvent(Event):
    """Something IBKR wants the user to know, or asks about an order.

    A question has an ``order_id``, a ``request_id`` and ``options``. ``answer`` is what it was answered
    with: the option that agrees where the reply policy allows it, else the one that declines. Where there
    is no answer ``left_open`` says why, and it waits for a person (``ibkr.notifications.answer_prompt``).
    """

    text: str
    notification_id: str | None = None
    title: str | None = None
    url: str | None = None
    order_id: str | None = None
    request_id: str | None = None
    message_id: str | None = None
    options: tuple[str, ...] = ()
    answer: str | None = None
    left_open: str | None = None


@attrs.frozen(kw_only=True)
class BulletinEvent(Event):
    """A bulletin of an exchange or of IBKR's."""

    text: str
    bulletin_id: str | None = None


@attrs.frozen(kw_only=True)
class Refused(Event):
    """IBKR's stream refused something, in its own words.

    ``topic`` names the subscription as IBKR does; it is empty where IBKR does not say which.
    """

    text: str
    topic: str = ""


@attrs.frozen(kw_only=True)
class Unreadable(Event):
    """A frame of ``topic`` came that nobody understands; ``text`` says why. Nothing was guessed."""

    topic: str
    text: str


@attrs.frozen(kw_only=True)
class Gap(Event):
    """Nothing could be heard from ``since`` until ``until``; what happened meanwhile follows as it stands.

    Orders and trades of that time are delivered after it, prices of that time are lost.
    """

    since: datetime
    until: datetime

    def _doubt(self) -> str | None:
        return "prices of that time are lost"


@attrs.frozen(kw_only=True)
class Stale(Event):
    """Nothing has come for a subscription since ``since``, although the line is up.

    ``topic`` names it as IBKR does. It is told once, until something comes again.
    """

    topic: str
    since: datetime

    def _doubt(self) -> str | None:
        return "nothing has come for it since then"


@attrs.frozen(kw_only=True)
class Dropped(Event):
    """The consumer was behind, and ``count`` replaceable events were dropped, the oldest first."""

    count: int

    def _doubt(self) -> str | None:
        return "not all that came was told"
