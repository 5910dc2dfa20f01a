"""An option chain: prices and open contracts by strike, and the smile of implied volatilities.

An option that has no bid or no volatility leaves a gap; IBKR sends none of both outside trading hours,
and the title says so where prices are not of this moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.model.optionrow import OptionRow
from ibkr_adapter.plots import sheet
from ibkr_adapter.plots.sheet import BLUE, COLOURS, GREY, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RIGHTS = (("C", "calls", BLUE), ("P", "puts", RED))


def plot_chain(
    rows: Iterable[OptionRow],
    *,
    expiry: date | None = None,
    currency: str | None = None,
    title: str | None = None,
) -> Figure:
    """Draw what one expiry of a chain costs: bid to ask by strike, and how many contracts are open.

    Args:
        rows: A chain of ``ibkr.market_data.chain``.
        expiry: Which of its days; the first if unset.
        currency: Of the prices, for the axes; that of the contracts if they tell.
        title: Another title; how fresh the prices are is added in any case.

    Raises:
        InvalidRequest: The chain has no such day; nothing was drawn.
        ConfigurationError: matplotlib is not installed.
    """
    listed = list(rows)
    days = sorted({row.expiry for row in listed if row.expiry is not None})
    if expiry is not None and expiry not in days:
        raise InvalidRequest(
            f"the chain has no options of {expiry}; nothing was drawn.",
            remedy=f"It has {', '.join(map(str, days)) or 'none'}.",
        )
    day = expiry or next(iter(days), None)
    chosen = _by_strike(row for row in listed if row.expiry == day)
    opened = any(row.figure("option_open_interest") is not None for row in chosen)
    one_of = f", the first of {len(days)} expiries" if expiry is None and len(days) > 1 else ""
    figure, axes = sheet.sheet(
        (f"{_name(chosen)}{day or 'no expiry'}{one_of}") if title is None else title,
        sheet.not_real_time(row.freshness for row in chosen),
        heights=(2, 1) if opened else (1,),
    )
    for right, name, colour in _RIGHTS:
        side = _side(chosen, right)
        if side:
            _prices(axes[0], side, name, colour)
    _underlying(axes[0], chosen)
    money = currency or _currency(chosen)
    sheet.named(axes[0], y=sheet.in_currency("bid to ask", money))
    sheet.legend(axes[0])
    if opened:
        _opened(axes[1], chosen)
    sheet.named(axes[-1], x=sheet.in_currency("strike", money))
    if not any(row.figure(name) is not None for row in chosen for name in ("bid", "ask")):
        sheet.nothing(axes[0], "no bid and no ask came")
    return figure


def plot_smile(rows: Iterable[OptionRow], *, currency: str | None = None, title: str | None = None) -> Figure:
    """Draw implied volatilities by strike, a line for each expiry and right.

    Args:
        rows: A chain of ``ibkr.market_data.chain``.
        currency: Of the strikes, for the axis; that of the contracts if they tell.
        title: Another title; how fresh the prices are is added in any case.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    listed = _by_strike(rows)
    figure, (axes,) = sheet.sheet(
        f"{_name(listed)}implied volatility by strike" if title is None else title,
        sheet.not_real_time(row.freshness for row in listed),
    )
    days = sorted({row.expiry for row in listed if row.expiry is not None})
    for number, day in enumerate(days):
        for right, name, _ in _RIGHTS:
            side = _side((row for row in listed if row.expiry == day), right)
            if side:
                axes.plot(
                    [sheet.number(row.contract.strike) for row in side],
                    [sheet.number(row.figure("implied_volatility")) for row in side],
                    color=COLOURS[number % len(COLOURS)],
                    linestyle="-" if right == "C" else "--",
                    marker="o" if right == "C" else "x",
                    markersize=4,
                    label=f"{day} {name}",
                )
    _underlying(axes, listed)
    money = currency or _currency(listed)
    sheet.named(axes, x=sheet.in_currency("strike", money), y="implied volatility (% a year)")
    sheet.legend(axes)
    if all(row.figure("implied_volatility") is None for row in listed):
        sheet.nothing(axes, "no implied volatility came")
    return figure


def _by_strike(rows: Iterable[OptionRow]) -> list[OptionRow]:
    known = [row for row in rows if row.contract.strike is not None]
    return sorted(known, key=lambda row: (row.expiry or date.max, sheet.number(row.contract.strike)))


def _side(rows: Iterable[OptionRow], right: str) -> list[OptionRow]:
    return [row for row in rows if (row.contract.right or "").upper().startswith(right)]


def _currency(rows: list[OptionRow]) -> str | None:
    return next((row.contract.currency for row in rows if row.contract.currency), None)


def _name(rows: list[OptionRow]) -> str:
    return f"options on {rows[0].contract.symbol}, " if rows else ""


def _prices(axes: Axes, side: list[OptionRow], name: str, colour: str) -> None:
    strikes = [sheet.number(row.contract.strike) for row in side]
    bids = [sheet.number(row.figure("bid")) for row in side]
    asks = [sheet.number(row.figure("ask")) for row in side]
    axes.vlines(strikes, bids, asks, color=colour, linewidth=3, alpha=0.5)
    axes.plot(strikes, bids, color=colour, linewidth=0.8, marker="^", markersize=4, label=f"{name}, bid")
    axes.plot(
        strikes,
        asks,
        color=colour,
        linewidth=0.8,
        linestyle=":",
        marker="v",
        markersize=4,
        label=f"{name}, ask",
    )


def _opened(axes: Axes, rows: list[OptionRow]) -> None:
    strikes = sorted({sheet.number(row.contract.strike) for row in rows})
    apart = min((after - before for before, after in pairwise(strikes)), default=1.0)
    for shift, (right, name, colour) in zip((-0.2, 0.2), _RIGHTS, strict=True):
        side = _side(rows, right)
        if side:
            axes.bar(
                [sheet.number(row.contract.strike) + shift * apart for row in side],
                [sheet.number(row.figure("option_open_interest")) for row in side],
                width=0.4 * apart,
                color=colour,
                label=name,
            )
    sheet.counted(axes, "open interest", "contracts")


def _underlying(axes: Axes, rows: list[OptionRow]) -> None:
    found = next((row.underlying_price for row in rows if row.underlying_price is not None), None)
    if found is not None:
        axes.axvline(float(found), color=GREY, linestyle=":", label=f"underlying {found:f}")
