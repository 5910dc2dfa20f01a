"""A price ladder: how much is bid and offered at each price."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from ibkr_adapter.model.stream import DepthEvent, DepthRow
from ibkr_adapter.plots import sheet
from ibkr_adapter.plots.sheet import BLUE, GREY, RED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_depth(
    ladder: DepthEvent | Iterable[DepthRow],
    *,
    currency: str | None = None,
    zone: str | None = None,
    title: str | None = None,
) -> Figure:
    """Draw sizes by price, bids and asks, and what they are together from the best price on.

    Args:
        ladder: An event of ``ibkr.stream.depth``, or its rows.
        currency: Of the prices, for the axis.
        zone: The time zone in which the title says when the ladder came; UTC if unset.
        title: Another title.

    Raises:
        InvalidRequest: The zone is unknown; nothing was drawn.
        ConfigurationError: matplotlib is not installed.
    """
    clock = sheet.time_zone(zone)
    if isinstance(ladder, DepthEvent):
        rows = list(ladder.rows)
        at = f", {ladder.at.astimezone(clock):%Y-%m-%d %H:%M:%S} {zone or 'UTC'}"
        given = f"price ladder of contract {ladder.conid}" if title is None else title
    else:
        rows, at, given = list(ladder), "", "price ladder" if title is None else title
    priced = sorted((row for row in rows if row.price is not None), key=lambda row: sheet.number(row.price))
    doubts = [f"{len(rows) - len(priced)} rows without a price"] if len(priced) < len(rows) else []
    figure, (axes,) = sheet.sheet(given + at, doubts)
    prices = [sheet.number(row.price) for row in priced]
    width = 0.8 * min((after - before for before, after in pairwise(prices) if after > before), default=1.0)
    bids = [(sheet.number(row.price), row.bid_size) for row in reversed(priced) if row.bid_size is not None]
    asks = [(sheet.number(row.price), row.ask_size) for row in priced if row.ask_size is not None]
    for name, side, colour in (("bid", bids, BLUE), ("ask", asks, RED)):
        places = [place for place, _ in side]
        if places:
            axes.bar(places, [float(size) for _, size in side], width=width, color=colour, label=name)
            together = [float(size) for size in accumulate(size for _, size in side)]
            axes.step(
                places, together, where="mid", color=colour, linewidth=1, label=f"{name}, from the best on"
            )
    for row in priced:
        if row.is_last:
            axes.axvline(sheet.number(row.price), color=GREY, linestyle=":", label=f"last {row.price:f}")
    sheet.named(axes, x=sheet.in_currency("price", currency))
    sheet.counted(axes, "size (shares or contracts)")
    sheet.legend(axes)
    if not bids and not asks:
        sheet.nothing(axes, "nobody bids or offers")
    return figure
