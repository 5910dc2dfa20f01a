"""Print what a command found: a table for people, or JSON for programs and nothing else.

In JSON a figure of ours is its exact text, a moment is in ISO 8601, and what is missing is ``null``.
What a host's method answers is printed as the host gets it, numbers included.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import typer
from rich.console import Console
from rich.table import Table

from .screen import Column, cell, plain, spacious, table


def as_json(value: Any) -> Any:
    """Turn values into what JSON has."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if attrs.has(type(value)):
        named = [field.name for field in attrs.fields(type(value)) if field.repr]
        value = {name: getattr(value, name) for name in named}
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [as_json(each) for each in value]
    return value


def print_json(value: Any) -> None:
    """Write one JSON value."""
    typer.echo(json.dumps(as_json(value), indent=2, allow_nan=False))


def print_rows(title: str, columns: tuple[Column, ...], rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw a table, or say that there is nothing."""
    if rows:
        paper().print(table(title, columns, rows))
    else:
        typer.echo(f"{title}: none")


def print_pairs(title: str, pairs: Iterable[tuple[str, Any, str]], console: Console | None = None) -> None:
    """Draw names with their values; the third of each is the kind of cell."""
    drawn = Table(title=title, title_justify="left", show_header=False)
    drawn.add_column()
    drawn.add_column(overflow="fold")
    for name, value, kind in pairs:
        drawn.add_row(plain(name), cell(value, kind))
    (console or paper()).print(drawn)


def paper() -> Console:
    """Standard output."""
    return spacious(Console(markup=False, emoji=False, highlight=False))


def margin() -> Console:
    """Standard error, for what is said beside the answer."""
    return spacious(Console(markup=False, emoji=False, highlight=False, stderr=True))
