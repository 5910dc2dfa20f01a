"""What all plots have in common: where matplotlib comes from, colours, numbers, titles and axes.

A missing value is drawn as a gap. Figures stay exact until they are drawn. Texts come from elsewhere,
so nothing in them is read as a formula, and nothing in them breaks a line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from math import isfinite, nan
from types import ModuleType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ibkr_adapter.errors import ConfigurationError, InvalidRequest
from ibkr_adapter.model.shown import REAL_TIME, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Those that most colour-blind people tell apart.
BLUE, RED, GREEN, ORANGE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#666666"
COLOURS = (BLUE, RED, GREEN, "#CC79A7", ORANGE, "#56B4E9", "#000000")
_LONGEST = 80

Price = Decimal | float | str


def library() -> ModuleType:
    """Load matplotlib.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        from ibkr_adapter.plots import picture  # noqa: PLC0415  (loads matplotlib)
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"plots need matplotlib, and {missing.name} is not installed; nothing was drawn.",
            remedy="Install ibkr-adapter[plot].",
        ) from missing
    return picture


def sheet(
    title: str, doubts: Sequence[str] = (), *, notes: Sequence[str] = (), heights: Sequence[float] = (1,)
) -> tuple[Figure, list[Axes]]:
    """Make a figure with panels one above the other.

    Args:
        title: What is seen.
        doubts: What must be known of it before it is believed, in the title's second line and its colour.
        notes: What must be known of it besides, in the same line.
        heights: How high each panel is beside the others.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    figure: Figure = library().Picture(figsize=(10, 3 + 2 * len(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=list(heights))
    axes = list(panels[:, 0])
    told = ", ".join(map(plain, (*doubts, *notes)))
    lines = [plain(title), told] if told else [plain(title)]
    axes[0].set_title("\n".join(lines), loc="left", color=RED if doubts else "black", parse_math=False)
    for each in axes:
        each.grid(visible=True, color="#dddddd", linewidth=0.6)
        each.set_axisbelow(True)
        # Prices that are near each other are written whole, not as what they differ by.
        each.ticklabel_format(useOffset=False, style="plain")
    return figure, axes


def named(axes: Axes, *, x: str | None = None, y: str | None = None) -> None:
    """Say what the axes count, and in which units."""
    if x is not None:
        axes.set_xlabel(plain(x), parse_math=False)
    if y is not None:
        axes.set_ylabel(plain(y), parse_math=False)


def counted(axes: Axes, what: str, unit: str = "shares or contracts") -> None:
    """Name an axis of what is counted, and write its figures for people."""
    axes.yaxis.set_major_formatter(library().FuncFormatter(lambda count, _: f"{count:,.10g}"))
    axes.set_ylabel(f"{what}\n({unit})")


def legend(axes: Axes) -> None:
    """Say what is what, where something was given a name."""
    if axes.get_legend_handles_labels()[1]:
        for text in axes.legend(loc="best", fontsize="small", framealpha=0.9).get_texts():
            text.set_parse_math(False)


def nothing(axes: Axes, what: str) -> None:
    """Say in the middle of a panel that there is nothing to see in it."""
    axes.text(0.5, 0.5, plain(what), transform=axes.transAxes, ha="center", color=GREY, parse_math=False)


def plain(text: object) -> str:
    """Write a text in one line of reasonable length, without what acts on what shows it."""
    return one_line(str(text), _LONGEST)


def number(value: Decimal | None) -> float:
    """What is drawn for a value; what is missing is not a number, which leaves a gap."""
    return nan if value is None else float(value)


def price(name: str, value: Price | None) -> float | None:
    """Read a price that a caller gave to be drawn.

    Raises:
        InvalidRequest: It is no number.
    """
    if value is None:
        return None
    try:
        read = float(Decimal(str(value)))
    except InvalidOperation:
        read = nan
    if isinstance(value, bool) or not isfinite(read):
        raise InvalidRequest(f"{name} is a price, and {value!r:.40} is none; nothing was drawn.")
    return read


def time_zone(name: str | None) -> tzinfo:
    """Find a time zone by its name; UTC where there is none.

    Raises:
        InvalidRequest: Nobody knows it.
    """
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise InvalidRequest(
            f"{name!r:.40} is no time zone; nothing was drawn.",
            remedy="Write one such as America/New_York.",
        ) from unknown


def not_real_time(told: Iterable[str]) -> list[str]:
    """What must be said of prices that are not all of this moment: how many are how old."""
    found = Counter(told)
    total = found.total()
    return [
        word if count == total else f"{count} of {total} {word}"
        for word, count in found.most_common()
        if word != REAL_TIME
    ]


def in_currency(what: str, currency: str | None) -> str:
    """Name an axis of money."""
    return f"{what} ({currency or 'in the currency of the contract'})"
