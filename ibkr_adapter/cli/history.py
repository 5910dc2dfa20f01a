"""The command ``ibkr-adapter history``: bars of any span, on the screen, into a file or as a picture.

How many requests that takes, and what is missing in the end, is for :mod:`ibkr_adapter.market_data`, how
the picture looks for :mod:`ibkr_adapter.plots`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.model.bars import Bars
from ibkr_adapter.plots import plot_history
from ibkr_adapter.plots.sheet import library, price

from .codes import FAILED, exit_codes, say, stop
from .printing import print_json, print_rows
from .reach import AsJson, Reach, Simulated
from .screen import Column

_BARS: tuple[Column, ...] = (
    ("begins", "begins", "word"),
    ("open", "open", "price"),
    ("high", "high", "price"),
    ("low", "low", "price"),
    ("close", "close", "price"),
    ("volume", "volume", "count"),
)
# What matplotlib writes and everything shows.
_PICTURES = (".png", ".svg", ".pdf")


def history(  # noqa: PLR0913  (a command has as many options as it needs)
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="An instrument as you write it.")],
    *,
    span: Annotated[str, typer.Option(help="How far back, such as 5d, 2w, 6m or 1y.")] = "5d",
    bar: Annotated[str, typer.Option(help="How long a bar lasts: 1min, 5min, 1h, 1d, ...")] = "1d",
    outside_rth: Annotated[bool, typer.Option("--outside-rth", help="Also outside regular hours.")] = False,
    output: Annotated[
        Path | None, typer.Option("--save", help="Into this new file: .csv, .jsonl or .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this file: .png, .svg or .pdf.")] = None,
    entry: Annotated[str | None, typer.Option(help="With --plot: draw a line at this price.")] = None,
    stop_at: Annotated[str | None, typer.Option("--stop", help="With --plot: another line.")] = None,
    target: Annotated[str | None, typer.Option(help="With --plot: another line.")] = None,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Read price bars; a download that was interrupted goes on where it stopped."""
    levels = {"entry": entry, "stop": stop_at, "target": target}
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        _check(plot, levels)
        about: dict[str, Any] = {"bar": bar, "since": span, "outside_rth": outside_rth}
        desk = ibkr.market_data
        found = desk.history(symbol, **about) if output is None else desk.download(symbol, output, **about)
        # What must be known of bars before they are trusted.
        say(f"{len(found)} bars of {found.size}: {found.report}")
        if plot is not None:
            _draw(found, plot, levels)
        files = {name: str(path) for name, path in (("file", output), ("plot", plot)) if path is not None}
        if files:
            if as_json:
                print_json(files | {"bars": len(found), "report": str(found.report)})
            return
        if as_json:
            print_json(found.records())
        else:
            rows = [
                row | {"begins": f"{found.local(each):%Y-%m-%d %H:%M}"}
                for each, row in zip(found, found.records(), strict=True)
            ]
            print_rows(f"{symbol}, by the exchange's clock", _BARS, rows)


def _check(plot: Path | None, levels: dict[str, str | None]) -> None:
    """See that the picture could be drawn, before anything is asked for."""
    if plot is None:
        if any(levels.values()):
            raise ConfigurationError(
                "--entry, --stop and --target are lines of a picture; nothing was asked for.",
                remedy="Add --plot FILE.",
            )
        return
    if plot.suffix.lower() not in _PICTURES:
        raise ConfigurationError(
            f"{plot.name} is no name of a picture; nothing was asked for.",
            remedy=f"Let it end in one of {', '.join(_PICTURES)}.",
        )
    for name, value in levels.items():
        price(name, value)
    library()


def _draw(found: Bars, plot: Path, levels: dict[str, str | None]) -> None:
    figure = plot_history(found, **levels)
    try:
        figure.savefig(plot)
    except OSError as refused:
        stop(f"{plot} cannot be written: {refused.strerror or refused}.", FAILED)
