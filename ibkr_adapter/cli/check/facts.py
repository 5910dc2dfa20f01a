"""The page of facts about IBKR as a list: one entry for each row and each numbered belief.

There is one source, the documentation; a built wheel carries that page beside this file.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from ibkr_adapter.errors import ConfigurationError

SHIPPED = Path(__file__).parent / "ibkr-facts.md"
IN_CHECKOUT = Path(__file__).parents[3] / "docs" / "ibkr-facts.md"
_NUMBERED = re.compile(r"^(\d+)\. (.+)$")


@attrs.frozen(kw_only=True)
class Fact:
    """One belief; ``key`` is ``section/row`` or, of the numbered ones, ``both/number``."""

    key: str
    section: str
    text: str


def facts(places: tuple[Path, ...] = (SHIPPED, IN_CHECKOUT)) -> tuple[Fact, ...]:
    """Read them, in the order of the page.

    Raises:
        ConfigurationError: The page is in none of the ``places``.
    """
    for place in places:
        if place.is_file():
            return tuple(_read(place.read_text("utf-8")))
    raise ConfigurationError(
        f"the facts are not in {' or '.join(map(str, places))}.", remedy="Install the package again."
    )


def _read(page: str) -> list[Fact]:
    found: list[Fact] = []
    section, row, in_table = "", 0, False
    for line in page.splitlines():
        if line.startswith("## "):
            section, row, in_table = line.removeprefix("## ").strip(), 0, False
        elif line.startswith("| --- "):
            in_table = True
        elif line.startswith("| ") and in_table:
            row += 1
            text = line.strip("| ").split(" | ")[0]
            found.append(Fact(key=f"{section}/{row}", section=section, text=text))
        elif numbered := _NUMBERED.match(line):
            found.append(Fact(key=f"both/{numbered[1]}", section=section, text=numbered[2]))
        elif not line.strip():
            in_table = False
    return found
