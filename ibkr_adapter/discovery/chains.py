"""Show chains of options: many strikes and days in one table, in a known number of requests.

For options on stocks and indices each strike of a month costs a request, which brings both rights
and all days of the month; for options on futures the whole month comes at once. What would cost
more than was allowed is refused with the figure before any strike is asked for. What was read is
kept for a day, so the same chain costs nothing the second time.

Source: Web API reference, "Option Chains".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.discovery.kept import CHAINS_KEPT_FOR, Kept
from ibkr_adapter.discovery.options import Options, Shelf
from ibkr_adapter.discovery.walk import Walker
from ibkr_adapter.errors import ContractError, ContractNotFound, InvalidRequest, quoted
from ibkr_adapter.model import labels
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.identifiers import as_right, as_strike
from ibkr_adapter.model.kinds import check_callable, is_listed, is_text, is_whole
from ibkr_adapter.model.listing import nearest, nearest_days, option_columns
from ibkr_adapter.model.months import Month, read_date, read_month
from ibkr_adapter.model.query import ContractQuery, ends
from ibkr_adapter.model.table import Table

When = date | Month | str
Number = Decimal | float | str
Progress = Callable[[int, int], None]
# At ten requests a second this takes twenty seconds.
MOST_REQUESTS = 200
# A walk that waits meanwhile gets its turn after so many strikes.
TURN = 10
MOST_NEAR = 6


@attrs.frozen(kw_only=True)
class Step:
    """One request of a chain: a month, at one strike or as a whole; warrants want the right too."""

    month: Month
    strike: Decimal | None
    right: str | None = None


@attrs.frozen(kw_only=True)
class Wanted:
    """Which contracts of what comes are wanted; no days means all days."""

    days: frozenset[date]
    strikes: frozenset[Decimal]
    rights: frozenset[str]
    trading_class: str | None
    today: date

    def takes(self, row: Contract) -> bool:
        """Whether a contract is one of them."""
        day = ends(row)
        return (
            row.right in self.rights
            and row.strike in self.strikes
            and (not self.days or day in self.days)
            and (self.trading_class is None or row.trading_class == self.trading_class)
            and (day is None or day >= self.today)
        )


class Chains:
    """Chains of options over one session."""

    def __init__(self, *, clock: Clock, kept: Kept, options: Options, walker: Walker) -> None:
        self._clock = clock
        self._kept = kept
        self._options = options
        self._walker = walker

    def read(
        self,
        query: ContractQuery,
        kind: SecType,
        *,
        expiries: When | Iterable[When] | int | None = None,
        strikes: Iterable[Number] | None = None,
        between: tuple[Number, Number] | None = None,
        rights: str = "CP",
        trading_class: str | None = None,
        progress: Progress | None = None,
        most_requests: int = MOST_REQUESTS,
    ) -> Table[Contract]:
        """Read a chain; :meth:`ibkr_adapter.conids.ConidResolver.option_chain` tells the arguments."""
        asked = None if strikes is None else [as_strike(strike) for strike in _listed(strikes, "strikes")]
        low, high = _ends(between)
        today = self._clock.now().date()
        wanted_rights = "".join(sorted({as_right(letter) for letter in _letters(rights)}))
        wanted_class = _class(trading_class)
        whens = _whens(expiries)
        _check_most(most_requests)
        if progress is not None:
            check_callable(progress, "progress")
        steps: list[Step] = []
        chosen: set[Decimal] = set()
        with self._walker.turn(None):
            shelf = self._options.shelf(query, kind, None)
            days, months = _chosen(whens, shelf, today)
            for month in months:
                there = self._options.strikes(shelf.place, month, None).both
                some = [
                    strike
                    for strike in (there if asked is None else _checked(asked, there, shelf, month))
                    if (low is None or strike >= low) and (high is None or strike <= high)
                ]
                chosen.update(some)
                steps += _steps(shelf, month, some, wanted_rights)
        rows = self._walk(shelf, steps, progress, most_requests)
        wanted = Wanted(
            days=days,
            strikes=frozenset(chosen),
            rights=frozenset(wanted_rights),
            trading_class=wanted_class,
            today=today,
        )
        fitting = sorted((row for row in rows if wanted.takes(row)), key=_order)
        if not fitting and days:
            there_days = {day for row in rows if (day := ends(row)) is not None}
            raise _no_day(query.symbol, min(days), there_days)
        title = f"{query.symbol}: {len(fitting)} contracts"
        return Table(fitting, option_columns(labels.host_name), title=title)

    def _walk(
        self, shelf: Shelf, steps: Sequence[Step], progress: Progress | None, most_requests: int
    ) -> list[Contract]:
        new = [step for step in steps if not self._known(shelf, step)]
        if len(new) > most_requests:
            raise ContractError(
                f"this chain takes {len(new)} more requests and {most_requests} are allowed; none was made.",
                remedy="Name fewer expiries or strikes, or a range between two, or raise most_requests.",
            )
        rows: dict[int, Contract] = {}
        for start in range(0, len(steps), TURN):
            with self._walker.turn(None):
                for number, step in enumerate(steps[start : start + TURN], start + 1):
                    found = self._options.rows(shelf.place, step.month, step.strike, None, right=step.right)
                    rows.update((row.conid, row) for row in found)
                    if progress is not None:
                        progress(number, len(steps))
        return list(rows.values())

    def _known(self, shelf: Shelf, step: Step) -> bool:
        key = self._options.rows_key(shelf.place, step.month, step.strike, step.right)
        return self._kept.has(key, CHAINS_KEPT_FOR)


def _steps(shelf: Shelf, month: Month, strikes: Sequence[Decimal], rights: str) -> list[Step]:
    kind = shelf.place.kind
    if kind is SecType.FUTURE_OPTION and len(strikes) > 1:
        return [Step(month=month, strike=None)]
    if kind is SecType.WARRANT:
        return [Step(month=month, strike=strike, right=right) for strike in strikes for right in rights]
    return [Step(month=month, strike=strike) for strike in strikes]


def _listed(value: object, what: str) -> list[Any]:
    if not is_listed(value):
        raise InvalidRequest(f"{what}={quoted(value)} is no list; nothing was sent.")
    return list(value)


def _ends(between: object) -> tuple[Decimal | None, Decimal | None]:
    if between is None:
        return None, None
    found = _listed(between, "between")
    if len(found) != 2:  # noqa: PLR2004  (two ends)
        raise InvalidRequest(
            f"between={quoted(between)} is no pair of strikes; nothing was sent.",
            remedy="Write the lowest and the highest, as in between=(200, 220).",
        )
    return as_strike(found[0]), as_strike(found[1])


def _letters(rights: object) -> list[Any]:
    found = list(rights) if isinstance(rights, Iterable) else []
    if not found:
        raise InvalidRequest(f"rights={quoted(rights)} is neither C, P nor CP; nothing was sent.")
    return found


def _class(trading_class: object) -> str | None:
    if trading_class is None:
        return None
    if not is_text(trading_class):
        raise InvalidRequest(f"trading_class={quoted(trading_class)} is no class; nothing was sent.")
    return trading_class.strip().upper()


def _check_most(most: object) -> None:
    if isinstance(most, bool) or not isinstance(most, int | float) or not most >= 0:
        raise InvalidRequest(f"most_requests={quoted(most)} is no number of requests; nothing was sent.")


def _whens(expiries: object) -> list[When] | int:
    """Read which days and months are asked for, or how many of the next months."""
    if expiries is None:
        return 1
    if is_whole(expiries):
        return int(expiries)
    if isinstance(expiries, str | date | Month):
        return [expiries]
    found = _listed(expiries, "expiries")
    for when in found:
        if not isinstance(when, str | date | Month):
            raise _no_when(when)
    return found


def _chosen(expiries: list[When] | int, shelf: Shelf, today: date) -> tuple[frozenset[date], list[Month]]:
    """The days asked for, and the months in which to look for them."""
    listed = [month for month in shelf.months if month >= Month.of(today)]
    if isinstance(expiries, int):
        count = expiries
        if not listed or count < 1:
            raise ContractNotFound(
                f"IBKR lists no month on {shelf.place.symbol} that is still ahead; nothing was sent."
            )
        return frozenset(), listed[:count]
    days: set[date] = set()
    months: set[Month] = set()
    for when in expiries:
        day, month = _when(when, today)
        if listed and month not in listed:
            near = sorted(sorted(listed, key=lambda each: abs(month.distance(each)))[:MOST_NEAR])
            raise ContractNotFound(
                f"there is nothing on {shelf.place.symbol} in {month}; nothing was sent.",
                remedy=f"There is {', '.join(str(each) for each in near)}.",
            )
        months.add(month)
        if day is not None:
            if shelf.days and day not in shelf.days:
                raise _no_day(shelf.place.symbol, day, {each for each in shelf.days if each >= today})
            days.add(day)
    return frozenset(days), sorted(months)


def _checked(
    asked: Sequence[Decimal], there: Sequence[Decimal], shelf: Shelf, month: Month
) -> Sequence[Decimal]:
    for strike in asked:
        if strike not in there:
            close = ", ".join(f"{each:f}" for each in nearest(strike, there)) or "none"
            raise ContractNotFound(
                f"there is no strike {strike:f} on {shelf.place.symbol} in {month}; nothing was sent.",
                remedy=f"The nearest are {close}.",
            )
    return asked


def _when(when: When, today: date) -> tuple[date | None, Month]:
    if isinstance(when, Month):
        return None, when
    day = when if isinstance(when, date) else read_date(when.strip())
    if day is not None:
        return day, Month.of(day)
    month = read_month(str(when).strip(), today)
    if month is None:
        raise _no_when(when)
    return None, month


def _no_when(when: object) -> ContractNotFound:
    return ContractNotFound(
        f"{quoted(when)} is neither a day nor a month; nothing was sent.",
        remedy="Write 2027-01-15 or 2027-01.",
    )


def _no_day(symbol: str, day: date, there: Iterable[date]) -> ContractNotFound:
    near = ", ".join(str(each) for each in nearest_days(day, there)) or "none"
    return ContractNotFound(
        f"nothing on {symbol} ends on {day}; nothing was sent.", remedy=f"There is {near}."
    )


def _order(row: Contract) -> tuple[str, str, Decimal, str]:
    return row.expiry or "", row.trading_class or "", row.strike or Decimal(0), row.right or ""
