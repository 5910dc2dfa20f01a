"""A list of values that shows itself as a table.

In a notebook it is drawn as one, with everything escaped, because names and texts come from
elsewhere; ``to_frame`` makes a data frame of it, with pandas if that is installed. Otherwise it is
a sequence like any other. What the columns are is said by whoever makes the table.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar, overload

from ibkr_adapter.errors import ConfigurationError

_Row = TypeVar("_Row")
# A notebook that draws ten thousand rows is of no use to anybody.
MOST_SHOWN = 200


class Table(Sequence[_Row], Generic[_Row]):
    """Rows of values with named columns; it does not change."""

    def __init__(
        self, rows: Iterable[_Row], columns: Mapping[str, Callable[[_Row], Any]], *, title: str = ""
    ) -> None:
        self._rows = tuple(rows)
        self._columns = dict(columns)
        self.title = title

    @overload
    def __getitem__(self, place: int) -> _Row: ...

    @overload
    def __getitem__(self, place: slice) -> Table[_Row]: ...

    def __getitem__(self, place: int | slice) -> _Row | Table[_Row]:
        if isinstance(place, slice):
            return Table(self._rows[place], self._columns, title=self.title)
        return self._rows[place]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[_Row]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Table):
            return self._rows == other._rows
        return list(self._rows) == other if isinstance(other, list) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._rows)

    def __repr__(self) -> str:
        head = self.title or type(self).__name__
        return f"<{head}: {len(self)} rows of {', '.join(self._columns)}>"

    def __str__(self) -> str:
        """The table in plain letters."""
        rows = [[_plain(value) for value in row] for row in self._cells()]
        widths = [
            max(len(cell) for cell in column) for column in zip(list(self._columns), *rows, strict=True)
        ]
        lines = [list(self._columns), *rows]
        written = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join(([self.title] if self.title else []) + written + self._left_out())

    def where(self, test: Callable[[_Row], bool]) -> Table[_Row]:
        """The rows for which ``test`` holds."""
        return Table((row for row in self._rows if test(row)), self._columns, title=self.title)

    def records(self) -> list[dict[str, Any]]:
        """Every row as a dictionary by column."""
        return [{name: read(row) for name, read in self._columns.items()} for row in self._rows]

    def to_frame(self, *, exact: bool = False) -> Any:
        """Make a pandas data frame.

        Args:
            exact: Keep figures as ``Decimal``; otherwise they are floats, with which pandas
                calculates and plots.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as missing:
            raise ConfigurationError(
                "data frames need pandas, which is not installed.",
                remedy="Install ibkr-adapter[pandas].",
            ) from missing
        rows = self.records()
        if not exact:
            rows = [{name: _floating(value) for name, value in row.items()} for row in rows]
        return pandas.DataFrame(rows, columns=list(self._columns))

    def _cells(self) -> list[list[Any]]:
        return [[read(row) for read in self._columns.values()] for row in self._rows[:MOST_SHOWN]]

    def _left_out(self) -> list[str]:
        more = len(self) - MOST_SHOWN
        return [f"and {more} more"] if more > 0 else []

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self._columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_plain(value))}</td>" for value in row) + "</tr>"
            for row in self._cells()
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        more = "".join(f"<p>{line}</p>" for line in self._left_out())
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _floating(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
