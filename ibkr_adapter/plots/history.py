"""Price history, with the levels at which something is or would be entered and left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ibkr_adapter.model.bars import Bar, Bars, GapKind
from ibkr_adapter.model.stream import Bar as LiveBar
from ibkr_adapter.plots import sheet
from ibkr_adapter.plots.sheet import BLUE, GREEN, GREY, RED, Price

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More of them are a grey smear; a line with the range around it is read at once.
MOST_CANDLES = 250
_HALF = 0.35
# Lines between more days than these would hide the prices.
_MOST_DAYS = 30

Slot = tuple[datetime, Bar | LiveBar | None]


def plot_history(
    bars: Bars | Iterable[Bar] | Iterable[LiveBar],
    *,
    entry: Price | None = None,
    stop: Price | None = None,
    target: Price | None = None,
    currency: str | None = None,
    zone: str | None = None,
    title: str | None = None,
) -> Figure:
    """Draw bars, their volume, and up to three levels.

    Nights and days off take no room, so bars that follow each other stand side by side; where the
    report of ``bars`` misses some, room is left for them. Many bars become a line with their range.

    Args:
        bars: A history, or bars of a stream.
        entry: A price to draw a line at; so are the next two.
        stop: Where a loss would be ended.
        target: Where a profit would be taken.
        currency: Of the prices, for the axis.
        zone: The time zone of the axis; the exchange's if unset, else UTC.
        title: Another title; what must be known of the bars is added in any case.

    Raises:
        InvalidRequest: A level is no price, or the zone is unknown; nothing was drawn.
        ConfigurationError: matplotlib is not installed.
    """
    wanted = {"entry": entry, "stop": stop, "target": target}
    levels = {name: sheet.price(name, value) for name, value in wanted.items()}
    known = bars if isinstance(bars, Bars) else None
    told = zone or (None if known is None else known.zone)
    clock = sheet.time_zone(told)
    slots = _slots(bars)
    present = [(place, bar) for place, (_, bar) in enumerate(slots) if bar is not None]
    has_volume = any(bar.volume is not None for _, bar in present)
    figure, axes = sheet.sheet(
        title if title is not None else _title(known),
        _doubts(known),
        heights=(3, 1) if has_volume else (1,),
    )
    _prices(axes[0], slots)
    for name, level in levels.items():
        if level is not None:
            _level(axes[0], name, level, wanted[name])
    sheet.named(axes[0], y=sheet.in_currency("price", currency))
    sheet.legend(axes[0])
    if has_volume:
        places = [place for place, _ in present]
        axes[1].bar(places, [sheet.number(bar.volume) for _, bar in present], width=2 * _HALF, color=GREY)
        sheet.counted(axes[1], "volume (shares or contracts)")
    _moments(axes, slots, clock, intraday=known is None or known.size.intraday)
    sheet.named(axes[-1], x=f"beginning of the bar, time zone {told or 'UTC'}")
    if not present:
        sheet.nothing(axes[0], "there is not one bar")
    return figure


def _slots(bars: Iterable[Bar] | Iterable[LiveBar]) -> list[Slot]:
    slots: list[Slot] = [(_begins(bar), bar) for bar in bars]
    if isinstance(bars, Bars):
        there = {begins for begins, _ in slots}
        for gap in bars.report.gaps or ():
            at = gap.begins
            while at < gap.ends:
                if at not in there:
                    slots.append((at, None))
                # A whole session is perhaps a holiday, of which nobody misses the bars.
                if gap.kind is GapKind.SESSION:
                    break
                at += bars.size.length
    return sorted(slots, key=lambda slot: slot[0])


def _begins(bar: Bar | LiveBar) -> datetime:
    return bar.start if isinstance(bar, LiveBar) else bar.begins


def _title(bars: Bars | None) -> str:
    if bars is None:
        return "bars"
    return f"{bars.title or bars.conid}: {len(bars)} bars of {bars.size}, {bars.source}"


def _doubts(bars: Bars | None) -> list[str]:
    if bars is None:
        return []
    report = bars.report
    doubts = [f"DELAYED by {report.delay} s"] if report.delay else []
    doubts += [f"{len(report.gaps)} gaps"] if report.gaps else []
    doubts += [f"{len(report.overlaps)} overlaps"] if report.overlaps else []
    doubts += [] if report.complete else ["nothing older at IBKR"]
    doubts += [f"{len(report.doubtful)} answers perhaps cut"] if report.doubtful else []
    return doubts + ([] if report.volume_certain else ["volumes uncertain"])


def _prices(axes: Axes, slots: list[Slot]) -> None:
    figures = {
        name: [sheet.number(getattr(bar, name, None)) for _, bar in slots]
        for name in ("open", "high", "low", "close")
    }
    places = list(range(len(slots)))
    if len(slots) > MOST_CANDLES:
        axes.fill_between(places, figures["low"], figures["high"], color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(places, figures["close"], color=BLUE, linewidth=1)
        return
    _candles(axes, figures)


def _candles(axes: Axes, figures: Mapping[str, list[float]]) -> None:
    rows = list(zip(*(figures[name] for name in ("open", "high", "low", "close")), strict=True))
    for rises, colour in ((True, BLUE), (False, RED)):
        # What is not a number compares as false, so it is in neither.
        chosen = [
            (place, row) for place, row in enumerate(rows) if (row[3] >= row[0] if rises else row[3] < row[0])
        ]
        places = [place for place, _ in chosen]
        axes.vlines(
            places, [row[2] for _, row in chosen], [row[1] for _, row in chosen], color=colour, linewidth=1
        )
        axes.bar(
            places,
            [abs(row[3] - row[0]) for _, row in chosen],
            bottom=[min(row[0], row[3]) for _, row in chosen],
            width=2 * _HALF,
            color="white" if rises else colour,
            edgecolor=colour,
            linewidth=1,
        )
    axes.set_xlim(-1, max(len(rows), 1))


def _level(axes: Axes, name: str, level: float, written: Price | None) -> None:
    colour, dashes = {"entry": ("black", "-"), "stop": (RED, "--"), "target": (GREEN, "-.")}[name]
    shown = format(written, "f") if isinstance(written, Decimal) else str(written)
    axes.axhline(level, color=colour, linestyle=dashes, linewidth=1.3, label=f"{name} {sheet.plain(shown)}")


def _moments(axes: list[Axes], slots: list[Slot], clock: tzinfo, *, intraday: bool) -> None:
    pattern = "%Y-%m-%d\n%H:%M" if intraday else "%Y-%m-%d"

    def written(place: float, _: Any = None) -> str:
        whole = round(place)
        there = abs(place - whole) < _HALF and 0 <= whole < len(slots)
        return f"{slots[whole][0].astimezone(clock):{pattern}}" if there else ""

    days = [at.astimezone(clock).date() for at, _ in slots]
    begun = [place for place, (before, day) in enumerate(pairwise(days), start=1) if day != before]
    if intraday and len(begun) <= _MOST_DAYS:
        for each in axes:
            for place in begun:
                each.axvline(place - 0.5, color="#bbbbbb", linewidth=0.8, zorder=0)
    picture = sheet.library()
    axes[-1].xaxis.set_major_locator(picture.MaxNLocator(nbins=8, integer=True))
    axes[-1].xaxis.set_major_formatter(picture.FuncFormatter(written))
