"""Contract months and dates, in every spelling that people and IBKR use.

A delivery month is ``DEC26`` to IBKR, ``2026-12`` in a table, ``Z6`` behind a futures root. What
looks like a date and is none (``2026-13``, ``2026-02-30``) is said to be wrong, because whoever
wrote it meant a contract. Which months are listed is not known here.
"""

from __future__ import annotations

import calendar
import re
from datetime import date

import attrs

from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model.shown import Shown

# January to December, as futures exchanges letter them.
LETTERS = "FGHJKMNQUVXZ"
NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_NAME = "|".join(NAMES)
_ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_COMPACT = re.compile(r"((?:19|20)[0-9][0-9])([0-9][0-9])([0-9][0-9])")
_DAY_FIRST = re.compile(rf"([0-9]{{1,2}})({_NAME})([0-9]{{4}}|[0-9]{{2}})")
_DAY_LAST = re.compile(rf"({_NAME})([0-9]{{1,2}})'([0-9]{{2}})")
_MONTH_ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})")
_MONTH_COMPACT = re.compile(r"((?:19|20)[0-9][0-9])([0-9][0-9])")
_MONTH_NAMED = re.compile(rf"({_NAME})([0-9]{{4}}|[0-9]{{2}})")
_MONTH_LETTER = re.compile(rf"([{LETTERS}])([0-9]{{4}}|[0-9]{{1,2}})")
_CENTURY = 2000
_DECADE = 10
# One digit of a year is of the ten years that begin so many years ago.
_YEARS_BACK = 2
_MONTHS = 12
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


@attrs.frozen(order=True)
class Month(Shown):
    """A month of a year; months are ordered."""

    year: int
    month: int

    def __attrs_post_init__(self) -> None:
        if not 1 <= self.month <= _MONTHS or not _FIRST_YEAR <= self.year <= _LAST_YEAR:
            raise ContractNotFound(
                f"{self.year:04d}-{self.month:02d} is no month; nothing was sent.",
                remedy="Write a month as 2026-12, DEC26 or Z6.",
            )

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def code(self) -> str:
        """IBKR's spelling, ``DEC26``."""
        return f"{NAMES[self.month - 1]}{self.year % 100:02d}"

    @property
    def letter(self) -> str:
        """The futures exchanges' spelling with one digit of the year, ``Z6``."""
        return f"{LETTERS[self.month - 1]}{self.year % _DECADE}"

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    @classmethod
    def of(cls, day: date) -> Month:
        """The month of a day."""
        return cls(day.year, day.month)

    def plus(self, months: int) -> Month:
        """So many months later, or earlier if negative."""
        years, month = divmod(self.month - 1 + months, _MONTHS)
        return Month(self.year + years, month + 1)

    def distance(self, other: Month) -> int:
        """How many months ``other`` lies behind this one."""
        return (other.year - self.year) * _MONTHS + other.month - self.month


def read_date(word: str) -> date | None:
    """Read a day: ``2027-01-15``, ``20270115``, ``15JAN27`` or ``JAN15'27``; ``None`` if it is none.

    Raises:
        ContractNotFound: It looks like a day, but the calendar has no such day.
    """
    bare = word.upper()
    if found := _ISO.fullmatch(bare) or _COMPACT.fullmatch(bare):
        year, month, day = (int(part) for part in found.groups())
    elif found := _DAY_FIRST.fullmatch(bare):
        year, month, day = _year(found[3]), NAMES.index(found[2]) + 1, int(found[1])
    elif found := _DAY_LAST.fullmatch(bare):
        year, month, day = _year(found[3]), NAMES.index(found[1]) + 1, int(found[2])
    else:
        return None
    last = Month(year, month).last_day
    if not 1 <= day <= last.day:
        raise ContractNotFound(
            f"{word} is no day of the calendar; nothing was sent.",
            remedy=f"{Month(year, month)} ends on {last}.",
        )
    return date(year, month, day)


def read_month(word: str, today: date) -> Month | None:
    """Read a month: ``2026-12``, ``202612``, ``DEC26``, ``DEC2026``, ``Z6``, ``Z26``, ``Z2026``.

    A year of one digit is looked for from two years before ``today`` on, so that what has just
    expired is recognised as expired and not taken for the same month ten years later.

    Raises:
        ContractNotFound: It looks like a month, but there is no such month.
    """
    bare = word.upper()
    if found := _MONTH_ISO.fullmatch(bare) or _MONTH_COMPACT.fullmatch(bare):
        return Month(int(found[1]), int(found[2]))
    if found := _MONTH_NAMED.fullmatch(bare):
        return Month(_year(found[2]), NAMES.index(found[1]) + 1)
    if found := _MONTH_LETTER.fullmatch(bare):
        month = LETTERS.index(found[1]) + 1
        if len(found[2]) > 1:
            return Month(_year(found[2]), month)
        first = today.year - _YEARS_BACK
        return Month(first + (int(found[2]) - first) % _DECADE, month)
    return None


def _year(digits: str) -> int:
    return int(digits) if len(digits) > 2 else _CENTURY + int(digits)  # noqa: PLR2004  (two digits)
