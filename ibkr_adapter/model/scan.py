"""What can be scanned for, a wish held against it, and what a scan found.

A scan that names an unknown code is answered by IBKR with a bare 500, so everything is checked here
first and near names are told. Reading IBKR's lists is for :mod:`ibkr_adapter.wire.scanners`.

Source: Web API reference, "Iserver Market Scanner".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.errors import InvalidRequest, quoted
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.shown import Shown

_MOST_NEAR = 3
_LONGEST_CODE = 60
# IBKR's own limit; there are no further pages.
MOST_ROWS = 50


class FilterType(StrEnum):
    """How a filter is used: a figure, a range of two codes that end in Above and Below, or a choice."""

    FIGURE = "non-range"
    RANGE = "range"
    CHOICE = "combo"
    UNKNOWN = ""

    @classmethod
    def _missing_(cls, value: object) -> FilterType:
        # What is merely described must not stop the reading of what is next to it.
        del value
        return cls.UNKNOWN


@attrs.frozen(kw_only=True)
class Scan(Shown):
    """One thing to scan for; ``instruments`` are the classes that have it, empty where IBKR does not say."""

    code: str
    name: str
    instruments: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Instrument(Shown):
    """A class of instruments; ``filters`` are the words for those it takes, which are not always their codes."""

    code: str
    name: str
    filters: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Filter(Shown):
    """One filter."""

    code: str
    name: str
    kind: FilterType = FilterType.UNKNOWN

    @property
    def codes(self) -> tuple[str, ...]:
        """What to write in a scan: of a range both ends, and the code itself."""
        ends = (f"{self.code}Above", f"{self.code}Below") if self.kind is FilterType.RANGE else ()
        return (self.code, *ends)


@attrs.frozen(kw_only=True)
class Location(Shown):
    """Where to look; ``above`` is the wider place that it is part of."""

    code: str
    name: str
    above: str = ""


@attrs.frozen(kw_only=True)
class ScanRow(Shown):
    """One contract that was found; ``value`` is what it was ranked by, which IBKR mostly leaves out."""

    rank: int
    conid: int
    symbol: str
    name: str | None = None
    description: str | None = None
    exchange: str | None = None
    sec_type: SecType = SecType.UNKNOWN
    value: Decimal | None = None


SCAN_COLUMNS: Mapping[str, Callable[[ScanRow], Any]] = {
    name: attrgetter(name) for name in ("rank", "symbol", "name", "exchange", "sec_type", "value", "conid")
}
CODE_COLUMNS: Mapping[str, Callable[[Any], Any]] = {name: attrgetter(name) for name in ("code", "name")}


@attrs.frozen(kw_only=True)
class Parameters(Shown):
    """All that can be scanned for."""

    scans: tuple[Scan, ...]
    instruments: tuple[Instrument, ...]
    filters: tuple[Filter, ...]
    locations: tuple[Location, ...]

    def check(self, code: str, instrument: str, location: str, filters: Mapping[str, Decimal | str]) -> None:
        """Refuse what IBKR's own lists do not have.

        Raises:
            InvalidRequest: A code is not in its list, or does not go with another; near names are told.
        """
        scan = _among(code, self.scans, "scan")
        _among(instrument, self.instruments, "class of instruments")
        _among(location, self.locations, "location")
        if scan.instruments and instrument not in scan.instruments:
            raise InvalidRequest(
                f"{code} is no scan for {instrument}; nothing was sent.",
                remedy=f"It is one for {', '.join(scan.instruments)}.",
            )
        if not self._reaches(location, instrument):
            places = [each.code for each in self.locations if self._reaches(each.code, instrument)]
            raise InvalidRequest(
                f"{location} is no place of {instrument}; nothing was sent.",
                remedy=f"Its places are {', '.join(places)}." if places else "",
            )
        for name, value in filters.items():
            self._check_filter(name, value)

    def _check_filter(self, name: object, value: Decimal | str) -> None:
        by_code = {spelt: each for each in self.filters for spelt in each.codes}
        known = {spelt: each.name for spelt, each in by_code.items()}
        found = (
            by_code[name] if isinstance(name, str) and name in by_code else _unknown(name, known, "filter")
        )
        if isinstance(value, str) and found.kind in {FilterType.FIGURE, FilterType.RANGE}:
            raise InvalidRequest(f"the filter {name} takes a figure and not {value!r:.40}; nothing was sent.")

    def _reaches(self, location: str, instrument: str) -> bool:
        """Whether a place belongs to a class; where the tree does not name the class, any may."""
        above = {each.code: each.above for each in self.locations}
        if not any(_same(code, instrument) for code in above):
            return True
        place: str = location
        while place:
            if _same(place, instrument):
                return True
            place = above.get(place, "")
        return False


def _same(place: str, instrument: str) -> bool:
    # The tree calls the class of US stocks STK in one recording and STK.US in another.
    return place == instrument or place.startswith(f"{instrument}.")


def _among(code: object, rows: Iterable[Any], kind: str) -> Any:
    found = {row.code: row for row in rows}
    return (
        found[code]
        if isinstance(code, str) and code in found
        else _unknown(code, {each: row.name for each, row in found.items()}, kind)
    )


def _unknown(code: object, known: Mapping[str, Any], kind: str) -> Any:
    folded = {each.casefold(): each for each in known}
    # People remember what a scan is called, too.
    folded |= {name.casefold(): each for each, name in known.items() if isinstance(name, str) and name}
    word = code[:_LONGEST_CODE].casefold() if isinstance(code, str) else ""
    near = get_close_matches(word, folded, n=_MOST_NEAR)
    raise InvalidRequest(
        f"IBKR has no {kind} {quoted(code, 60)}; nothing was sent.",
        near=tuple(dict.fromkeys(folded[each] for each in near)),
        remedy="" if near else "market_data.scanner_parameters() lists what there is.",
    )
