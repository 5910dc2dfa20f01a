"""Profit and loss over time: what the analyst tells, what was realised, what a stream told today.

Amounts of different currencies are never added. A change in what an account is worth has deposits and
withdrawals in it; the return, where IBKR tells it, has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from ibkr_adapter.model.performance import Measure, Performance, Point, Series, Transactions
from ibkr_adapter.model.stream import Event, Gap, PnlEvent
from ibkr_adapter.plots import sheet
from ibkr_adapter.plots.sheet import COLOURS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PERCENT = 100
_MONTH = len("202608")


def plot_profit(
    told: Performance | Series | Transactions | Iterable[Event],
    *,
    currency: str | None = None,
    zone: str | None = None,
    title: str | None = None,
) -> Figure:
    """Draw profit and loss over time.

    Args:
        told: A period or a series of the analyst's, the transactions of a contract (what closing
            realised is summed up, by currency), or events of ``ibkr.stream.profit``.
        currency: Of the amounts, for the axis, where they do not tell it.
        zone: The time zone of events; UTC if unset.
        title: Another title; what must be known of the figures is added in any case.

    Raises:
        InvalidRequest: The zone is unknown; nothing was drawn.
        ConfigurationError: matplotlib is not installed.
    """
    clock = sheet.time_zone(zone)
    if isinstance(told, Series):
        return _series(title or told.measure.value, (told,), currency)
    if isinstance(told, Performance):
        method = f", {told.method}" if told.method else ""
        return _series(title or f"performance {told.period}{method}", told.series, currency)
    if isinstance(told, Transactions):
        return _realised(title or "realised profit", told, currency)
    return _today(title or "profit today", list(told), currency, clock, zone or "UTC")


def _series(title: str, told: Sequence[Series], currency: str | None) -> Figure:
    measures = [measure for measure in Measure if any(series.measure is measure for series in told)]
    drawn = [measure for measure in measures if measure is not Measure.PERIODIC] or measures
    flows = ["deposits and withdrawals are in the change of value"] if Measure.VALUE in drawn else []
    figure, axes = sheet.sheet(title, notes=flows, heights=(1,) * max(len(drawn), 1))
    for panel, measure in zip(axes, drawn, strict=False):
        shown = [series for series in told if series.measure is measure]
        for number, series in enumerate(shown):
            _line(panel, series, COLOURS[number % len(COLOURS)], named=len(shown) > 1)
        panel.axhline(0, color=GREY, linewidth=0.8)
        money = next((series.currency for series in shown if series.currency), currency)
        sheet.named(panel, y=f"change of value ({money or 'base currency'})")
        if measure is not Measure.VALUE:
            sheet.named(panel, y=f"{measure.value} (%)")
        sheet.legend(panel)
    _dates(axes[-1], None)
    sheet.named(axes[-1], x="day of the account's statements")
    if not any(point.value is not None for series in told for point in series.points):
        sheet.nothing(axes[0], "no figure came")
    return figure


def _line(panel: Axes, series: Series, colour: str, *, named: bool) -> None:
    points = [(day, point.value) for point in series.points if (day := _day(point)) is not None]
    places = sheet.library().date2num([day for day, _ in points])
    if series.measure is Measure.VALUE:
        known = next((value for _, value in points if value is not None), None)
        start = known if series.start_value is None else series.start_value
        values = [None if value is None or start is None else value - start for _, value in points]
    else:
        values = [None if value is None else value * _PERCENT for _, value in points]
    name = sheet.plain(f"account {series.name}") if named else None
    if series.measure is Measure.PERIODIC:
        apart = min((after - before for before, after in pairwise(places)), default=1.0)
        heights = [sheet.number(value) for value in values]
        panel.bar(places, heights, width=0.8 * apart, color=colour, label=name)
        return
    panel.plot(
        places,
        [sheet.number(value) for value in values],
        color=colour,
        marker="." if len(places) <= _PERCENT else "",
        label=name,
    )


def _day(point: Point) -> date | None:
    if point.date is not None:
        return point.date
    whole = len(point.day) == _MONTH and point.day.isdecimal()
    return date(int(point.day[:4]), int(point.day[4:]), 1) if whole else None


def _realised(title: str, told: Transactions, currency: str | None) -> Figure:
    by_currency: dict[str, list[tuple[date, Decimal]]] = {}
    left_out = 0
    for row in told.realised:
        if row.day is None or row.amount is None:
            left_out += 1
        else:
            money = row.currency or told.currency or currency or "currency not told"
            by_currency.setdefault(money, []).append((row.day, row.amount))
    doubts = [f"{left_out} without day or amount are not in the sum"] if left_out else []
    figure, (axes,) = sheet.sheet(title, doubts)
    for number, (money, rows) in enumerate(by_currency.items()):
        summed = Decimal(0)
        days: list[date] = []
        sums: list[float] = []
        for day, amount in sorted(rows, key=lambda row: row[0]):
            summed += amount
            days.append(day)
            sums.append(float(summed))
        axes.step(
            sheet.library().date2num(days),
            sums,
            where="post",
            marker=".",
            color=COLOURS[number % len(COLOURS)],
            label=sheet.plain(f"in {money}"),
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    _dates(axes, None)
    sheet.named(axes, x="day", y=f"realised since the first day ({' and '.join(by_currency) or currency})")
    sheet.legend(axes)
    if not by_currency:
        sheet.nothing(axes, "nothing was realised")
    return figure


def _today(title: str, events: list[Event], currency: str | None, clock: tzinfo, zone: str) -> Figure:
    lines: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    gaps = 0
    for event in events:
        if isinstance(event, Gap):
            gaps += 1
            # What happened while nothing was heard is no straight line.
            for line in lines.values():
                line.append((event.until, sheet.number(None)))
        elif isinstance(event, PnlEvent):
            profit = event.profit
            lines.setdefault((profit.account_id, profit.model), []).append(
                (event.at, sheet.number(profit.daily))
            )
    figure, (axes,) = sheet.sheet(title, [f"{gaps} gaps in the stream"] if gaps else [])
    for number, ((account, model), line) in enumerate(lines.items()):
        axes.plot(
            sheet.library().date2num([at for at, _ in line]),
            [value for _, value in line],
            marker=".",
            color=COLOURS[number % len(COLOURS)],
            label=sheet.plain(f"account {account}, {model}"),
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    _dates(axes, clock)
    sheet.named(axes, x=f"time, time zone {zone}", y=f"profit today ({currency or 'base currency'})")
    sheet.legend(axes)
    if not lines:
        sheet.nothing(axes, "no profit was told")
    return figure


def _dates(axes: Axes, clock: tzinfo | None) -> None:
    picture = sheet.library()
    locator = picture.AutoDateLocator(tz=clock)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(picture.ConciseDateFormatter(locator, tz=clock))
