"""How a value shows itself: as a small table in a notebook, and as a data frame.

Everything that is shown is escaped, because names and texts come from elsewhere, and loses what a
terminal or a page would act on. What is missing is an en dash and never 0. A value that is not of
this moment says so in words and not by colour alone. What a value keeps out of its ``repr`` is kept
out here too: people's names, ids of devices.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import ConfigurationError

MISSING = "–"  # noqa: RUF001  (an en dash)
REAL_TIME = "real time"
_LONGEST = 200
# Longer texts may be broken into lines.
_WHOLE = 40
DOUBTFUL = "color:#9a5b00;font-style:italic"


class Shown:
    """A value that shows itself."""

    __slots__ = ()

    def _shown(self) -> dict[str, Any]:
        """What is shown, by name; what is no part of the value's ``repr`` is not."""
        kind: Any = type(self)
        return {field.name: getattr(self, field.name) for field in attrs.fields(kind) if field.repr}

    def _doubt(self) -> str | None:
        """Why the value is not what holds at this moment, where it says so itself."""
        return None

    def to_frame(self, *, exact: bool = False) -> Any:
        """Make a pandas data frame of one row.

        Args:
            exact: Keep figures as ``Decimal``; otherwise they are floats.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        shown = self._shown()
        return frame([shown], list(shown), exact=exact)

    def _repr_html_(self) -> str:
        doubt = self._doubt()
        told = "" if doubt is None else f" {warning(doubt)}"
        rows = "".join(
            f"<tr>{cell(name, tag='th')}{cell(plain(value), is_number=is_number(value))}</tr>"
            for name, value in self._shown().items()
        )
        return drawn(f"{html.escape(type(self).__name__)}{told}", f"<tbody>{rows}</tbody>")


def doubt_of(value: Any) -> str | None:
    """Why a value is not what holds at this moment; ``None`` where it does, or nobody knows better."""
    return value._doubt() if isinstance(value, Shown) else None  # noqa: SLF001  (our own)


def shown_of(value: Shown) -> dict[str, Any]:
    """What a value shows of itself, by name."""
    return value._shown()  # noqa: SLF001  (our own)


def plain(value: Any) -> str:
    """Write a value in one line of plain letters."""
    return one_line(_written(value), _LONGEST)


def one_line(text: str, longest: int) -> str:
    """Write a text in one line of at most so many letters, without what acts on whatever shows it."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= longest else f"{line[:longest]}…"


def _written(value: Any) -> str:
    write = next((write for kind, write in _WRITERS if isinstance(value, kind)), str)
    return write(value)


def _several(values: Sequence[Any]) -> str:
    kinds = {type(each).__name__ for each in values if attrs.has(type(each))}
    if kinds:
        return f"{len(values)} of {', '.join(sorted(kinds))}"
    return _listed(values)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(_written, values)) or MISSING


# The first that fits; a truth is a whole number too, so it comes before those.
_WRITERS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (type(None), lambda _: MISSING),
    (bool, lambda value: "yes" if value else "no"),
    (Decimal, lambda value: format(value, "f")),
    (date, lambda value: value.isoformat()),
    (Mapping, lambda value: _listed(f"{key}={_written(each)}" for key, each in value.items())),
    (AbstractSet, lambda value: _listed(sorted(map(_written, value)))),
    (tuple, _several),
    (list, _several),
)


def is_number(value: Any) -> bool:
    """Whether a value is one whose digits should stand below each other."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def cell(text: str, *, is_number: bool = False, tag: str = "td", style: str = "") -> str:
    """Write a cell of a table of HTML; the text is escaped here."""
    # Aligned one by one: notebooks have a style of their own, and other pages keep attributes only.
    side = "right" if is_number else "left"
    styles = [f"text-align:{side}", *(["white-space:nowrap"] if len(text) <= _WHOLE else []), style]
    return f'<{tag} align="{side}" style="{";".join(filter(None, styles))}">{html.escape(text)}</{tag}>'


def drawn(caption: str, parts: str, below: str = "") -> str:
    """Put a table together; where it is wider than the page, it is moved and not the page."""
    head = f'<caption style="text-align:left">{caption}</caption>' if caption else ""
    return f'<div style="overflow-x:auto"><table>{head}{parts}</table></div>{below}'


def warning(text: str) -> str:
    """Write a text that must be seen, also where no style is."""
    return f'<strong style="{DOUBTFUL}">{html.escape(plain(text))}</strong>'


def frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, exact: bool) -> Any:
    """Make a pandas data frame; figures are floats unless ``exact``.

    Raises:
        ConfigurationError: pandas is not installed.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError as missing:
        raise ConfigurationError(
            "data frames need pandas, which is not installed.", remedy="Install ibkr-adapter[pandas]."
        ) from missing
    if not exact:
        rows = [{name: _floating(value) for name, value in row.items()} for row in rows]
    return pandas.DataFrame(list(rows), columns=list(columns))


def _floating(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
