"""The command ``ibkr-adapter history``: bars of any span, on the screen or into a file.

How many requests that takes, and what is missing in the end, is for :mod:`ibkr_adapter.market_data`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .codes import exit_codes, say
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


def history(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="An instrument as you write it.")],
    *,
    span: Annotated[str, typer.Option(help="How far back, such as 5d, 2w, 6m or 1y.")] = "5d",
    bar: Annotated[str, typer.Option(help="How long a bar lasts: 1min, 5min, 1h, 1d, ...")] = "1d",
    outside_rth: Annotated[bool, typer.Option("--outside-rth", help="Also outside regular hours.")] = False,
    output: Annotated[
        Path | None, typer.Option("--save", help="Into this new file: .csv, .jsonl or .parquet.")
    ] = None,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Read price bars; a download that was interrupted goes on where it stopped."""
    with exit_codes(), Reach.of(context).exchange(simulated=simulated) as ibkr:
        about: dict[str, Any] = {"bar": bar, "since": span, "outside_rth": outside_rth}
        desk = ibkr.market_data
        found = desk.history(symbol, **about) if output is None else desk.download(symbol, output, **about)
        # What must be known of bars before they are trusted.
        say(f"{len(found)} bars of {found.size}: {found.report}")
        if output is not None:
            if as_json:
                print_json({"file": str(output), "bars": len(found), "report": str(found.report)})
            return
        if as_json:
            print_json(found.records())
        else:
            rows = [
                row | {"begins": f"{found.local(each):%Y-%m-%d %H:%M}"}
                for each, row in zip(found, found.records(), strict=True)
            ]
            print_rows(f"{symbol}, by the exchange's clock", _BARS, rows)
