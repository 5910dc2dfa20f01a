"""Rows of quotes, as snapshots and streams both show them.

Knows which keys stand beside the tags (the quote server, the availability of tag 6509, the
moment of delivery) and when a row has no values: without a subscription, and of a contract that
has ended. What a single tag shows is :mod:`.market_tags`'s; when a row is due is for those who
serve it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.figures import milliseconds, number
from ibkr_adapter.simulator.market_tags import Shown, market_tags
from ibkr_adapter.simulator.prices import Quote

if TYPE_CHECKING:
    from ibkr_adapter.simulator.instrument import Instrument
    from ibkr_adapter.simulator.world import World

_TIMELINES_WITH_VALUES = frozenset("RDZY")
_VOLUME = "87"


def quote_values(world: World, instrument: Instrument, tags: Iterable[str]) -> dict[str, Any]:
    """The values of those tags that the instrument has, and what stands beside them."""
    code = availability_code(world, instrument)
    server = f"q{instrument.conid % 119}"
    row: dict[str, Any] = {"_updated": milliseconds(world.now), "server_id": server}
    row |= {"6119": server, "6509": code}
    if not set(code) & _TIMELINES_WITH_VALUES:
        return row
    if instrument.is_over(world.now):
        # Guess: a contract that has ended has no quotes any more.
        return row
    quote = _quote(world, instrument)
    shown = Shown(
        instrument=instrument,
        quote=quote,
        prefix=world.options.price_prefix.get(str(instrument.conid), ""),
        spot=quote.last if instrument.legs else world.prices.spot(instrument, world.now),
    )
    row |= market_tags(shown, tags)
    if _VOLUME in row:
        row["87_raw"] = number(quote.volume)
    return row


def _quote(world: World, instrument: Instrument) -> Quote:
    if not instrument.legs:
        return world.prices.quote(instrument, world.now)
    # A combination has no day of its own: it is as wide and as thin as its legs make it.
    legs = [world.prices.quote(one.instrument, world.now) for one in instrument.legs]
    top = world.prices.top(instrument, world.now)
    opened, closed = (
        sum(
            (leg.share(getattr(one, what)) for leg, one in zip(instrument.legs, legs, strict=True)),
            Decimal(0),
        )
        for what in ("opened", "prior_close")
    )
    return Quote(
        last=top.last,
        bid=top.bid,
        ask=top.ask,
        last_size=min(one.last_size for one in legs),
        bid_size=min(one.bid_size for one in legs),
        ask_size=min(one.ask_size for one in legs),
        opened=opened,
        high=max(top.last, opened),
        low=min(top.last, opened),
        prior_close=closed,
        volume=min(one.volume for one in legs),
        moment=world.now,
    )


def availability_code(world: World, instrument: Instrument) -> str:
    """Tag 6509; prices of a closed market are frozen."""
    code = world.availability(instrument)
    if calendar_of(instrument).is_open(world.now, outside=True):
        return code
    return code.replace("R", "Z").replace("D", "Y")
