"""A list of values that shows itself as a table.

In a notebook it is drawn as one, with everything escaped, because names and texts come from
elsewhere; ``to_frame`` makes a data frame of it, with pandas if that is installed. Otherwise it is
a sequence like any other. What the columns are is said by whoever makes the table; they are read by
what can be pickled, so that a table can cross to another process. Rows that are not of this moment
are marked, and why is said below.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from ibkr_adapter.model.shown import DOUBTFUL, cell, doubt_of, drawn, frame, is_number, plain, warning

_Row = TypeVar("_Row")
# A notebook that draws ten thousand rows is of no use to anybody.
MOST_SHOWN = 200
# Behind the first cell of a row that is not of this moment.
MARK = "†"


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
            return self._like(self._rows[place])
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
        rows, right = self._written(), self._numeric()
        names = [plain(name) for name in self._columns]
        widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
        written = [
            "  ".join(
                text.rjust(width) if at_right else text.ljust(width)
                for text, width, at_right in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in (names, *rows)
        ]
        return "\n".join(
            ([plain(self.title)] if self.title else []) + written + self._doubts() + self._left_out()
        )

    def where(self, test: Callable[[_Row], bool]) -> Table[_Row]:
        """The rows for which ``test`` holds."""
        return self._like([row for row in self._rows if test(row)])

    def _like(self, rows: Sequence[_Row]) -> Table[_Row]:
        """Some of the rows, with all else."""
        return Table(rows, self._columns, title=self.title)

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
        return frame(self.records(), list(self._columns), exact=exact)

    def _written(self) -> list[list[str]]:
        lines = []
        for row in self._rows[:MOST_SHOWN]:
            line = [plain(read(row)) for read in self._columns.values()]
            if line and doubt_of(row) is not None:
                line[0] = f"{line[0]} {MARK}"
            lines.append(line)
        return lines

    def _numeric(self) -> list[bool]:
        """Of each column, whether its digits should stand below each other."""
        shown = self._rows[:MOST_SHOWN]
        values = [
            [value for row in shown if (value := read(row)) is not None] for read in self._columns.values()
        ]
        return [bool(column) and all(map(is_number, column)) for column in values]

    def _left_out(self) -> list[str]:
        more = len(self) - MOST_SHOWN
        return [f"and {more} more"] if more > 0 else []

    def _doubts(self) -> list[str]:
        """Why the rows that are marked are not of this moment."""
        found = Counter(doubt for row in self._rows if (doubt := doubt_of(row)) is not None)
        return [f"{MARK} {count} of {len(self)}: {plain(doubt)}" for doubt, count in found.most_common()]

    def _repr_html_(self) -> str:
        right = self._numeric()
        head = "".join(
            cell(plain(name), is_number=at_right, tag="th")
            for name, at_right in zip(self._columns, right, strict=True)
        )
        body = "".join(
            "<tr>"
            + "".join(
                cell(text, is_number=at_right, style=DOUBTFUL if doubt_of(row) is not None else "")
                for text, at_right in zip(line, right, strict=True)
            )
            + "</tr>"
            for row, line in zip(self._rows, self._written(), strict=False)
        )
        more = "".join(f"<p>{warning(line)}</p>" for line in self._doubts())
        more += "".join(f"<p>{html.escape(line)}</p>" for line in self._left_out())
        parts = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        return drawn(html.escape(plain(self.title)) if self.title else "", parts, more)
