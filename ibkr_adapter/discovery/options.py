"""Find options on stocks, indices and futures, and warrants: by strike, day and right.

IBKR lists months, not days, and the strikes of a month are those of all its days together; what
exists on a day shows only when a strike is asked for. So a strike or a day that does not exist is
told with the nearest that do. Chains of many strikes are in :mod:`ibkr_adapter.discovery.chains`.

Source: Web API reference, "Option Chains", "Search Strikes", "Search SecDef information by conid".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import attrs

from ibkr_adapter.clock import Clock
from ibkr_adapter.discovery.kept import CHAINS_KEPT_FOR, Kept
from ibkr_adapter.discovery.stocks import Stocks, same_exchange, several
from ibkr_adapter.discovery.walk import Place, Walker
from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model import labels, products
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate, SearchHit, Section
from ibkr_adapter.model.listing import nearest, nearest_days
from ibkr_adapter.model.months import Month, read_date, read_month
from ibkr_adapter.model.names import underlying_spellings
from ibkr_adapter.model.query import KINDS, ContractQuery, ends, plain
from ibkr_adapter.wire import discovery

SMART = "SMART"
MOST_NEAR = 6


@attrs.frozen(kw_only=True)
class Shelf:
    """What IBKR has of one class of derivatives on one underlying."""

    place: Place
    months: tuple[Month, ...]
    days: tuple[date, ...]


class Options:
    """Options and warrants over one session."""

    def __init__(self, *, clock: Clock, kept: Kept, stocks: Stocks, walker: Walker) -> None:
        self._clock = clock
        self._kept = kept
        self._stocks = stocks
        self._walker = walker

    def find(self, query: ContractQuery, deadline: float | None) -> Contract:
        """Find the one option or warrant that is meant.

        Raises:
            ContractNotFound: There is none; it says which days, months or strikes there are.
            AmbiguousContract: Several days, classes or underlyings fit.
        """
        # The whole way is one turn: walks that alternate would send each other back at every step.
        with self._walker.turn(deadline):
            return self._find(query, deadline)

    def shelf(self, query: ContractQuery, kind: SecType, deadline: float | None) -> Shelf:
        """Find the underlying, and what months IBKR has on it.

        Raises:
            ContractNotFound: There is no such underlying, or it has no derivatives of this class.
            AmbiguousContract: Several underlyings have them.
        """
        for symbol, searched_as in _searches(query, kind):
            hits = [
                hit
                for hit in self._hits(symbol, searched_as, deadline)
                if hit.conid is not None
                and hit.section(kind) is not None
                and plain(hit.symbol or symbol) == plain(symbol)
            ]
            if hits:
                hit = self._one_underlying(query, symbol, hits, deadline)
                section = hit.section(kind) or Section(sec_type=kind)
                today = self._today()
                months = (read_month(word, today) for word in section.months)
                days = (read_date(word) for word in hit.expiries) if kind is SecType.OPTION else ()
                return Shelf(
                    place=Place(
                        symbol=symbol,
                        conid=hit.conid or 0,
                        kind=kind,
                        exchange=_exchange(query, section),
                        searched_as=searched_as,
                    ),
                    months=tuple(sorted(month for month in months if month is not None)),
                    days=tuple(sorted(day for day in days if day is not None)),
                )
        raise ContractNotFound(
            f"IBKR has no {KINDS[kind].partition(' ')[2]} on {query.symbol}; nothing was sent.",
            near=self._stocks.near(query.symbol, deadline),
        )

    def strikes(self, place: Place, month: Month, deadline: float | None) -> discovery.Strikes:
        """The strikes of a month, of all its days together."""
        content = self._kept.asked(
            f"strikes/{_key(place, month)}",
            CHAINS_KEPT_FOR,
            lambda: self._walker.strikes(place, month, deadline),
            lambda content: discovery.read_strikes(content).both,
        )
        return discovery.read_strikes(content)

    def rows(
        self,
        place: Place,
        month: Month,
        strike: Decimal | None,
        deadline: float | None,
        *,
        right: str | None = None,
    ) -> list[Contract]:
        """The contracts of a month at a strike: both rights and all days, unless it is a warrant."""
        asked_right = right if place.kind is SecType.WARRANT else None
        content = self._kept.asked(
            self.rows_key(place, month, strike, right),
            CHAINS_KEPT_FOR,
            lambda: self._walker.contracts(place, month, strike, asked_right, deadline),
        )
        found = [
            attrs.evolve(row, underlying_conid=row.underlying_conid or place.conid)
            for row in discovery.read_secdef_info(content)
        ]
        self._kept.keep(found)
        return found

    def rows_key(self, place: Place, month: Month, strike: Decimal | None, right: str | None = None) -> str:
        """Under which name the rows of a strike are kept."""
        asked_right = right or "" if place.kind is SecType.WARRANT else ""
        at = "" if strike is None else format(strike.normalize(), "f")
        return f"contracts/{_key(place, month)}/{at}{asked_right}"

    # Parts --------------------------------------------------------------------------------

    def _find(self, query: ContractQuery, deadline: float | None) -> Contract:
        shelf = self.shelf(query, query.sec_type or SecType.OPTION, deadline)
        self._refuse_expired(query, shelf)
        months = self._months(query, shelf)
        rows: list[Contract] = []
        strikes: set[Decimal] = set()
        for month in months:
            there = self.strikes(shelf.place, month, deadline).both
            strikes.update(there)
            if query.strike in there:
                rows += self.rows(shelf.place, month, query.strike, deadline, right=query.right)
            if any(not query.misfit(row) for row in rows):
                break
        found = [row for row in rows if not query.misfit(row)]
        if not found:
            raise self._none(query, sorted(strikes), rows)
        if len(found) > 1:
            raise several(query, f"fits {len(found)} contracts", [_candidate(row) for row in found])
        return found[0]

    def _hits(self, symbol: str, kind: SecType | None, deadline: float | None) -> Sequence[SearchHit]:
        content = self._kept.asked(
            f"search/{symbol}/{kind.value if kind is not None else ''}",
            CHAINS_KEPT_FOR,
            lambda: self._walker.search(symbol, kind, deadline),
        )
        return discovery.read_search(content)

    def _one_underlying(
        self, query: ContractQuery, symbol: str, hits: Sequence[SearchHit], deadline: float | None
    ) -> SearchHit:
        fitting = hits
        if query.exchange is not None:
            listed = [hit for hit in hits if same_exchange(hit.exchange or "", query.exchange)]
            fitting = listed or fitting
        if len(fitting) > 1:
            american = self._stocks.american(symbol, deadline)
            fitting = [hit for hit in fitting if hit.conid in american] or fitting
        if len(fitting) == 1:
            return fitting[0]
        candidates = [
            Candidate(
                conid=hit.conid or 0,
                symbol=symbol,
                name=hit.name or symbol,
                exchange=hit.exchange or "",
                spelling=f"{hit.exchange}:{query}" if hit.exchange and query.exchange is None else None,
                note="the underlying",
            )
            for hit in fitting
        ]
        raise several(
            query,
            f"has {len(fitting)} underlyings",
            candidates,
            remedy="Write the exchange of the underlying.",
        )

    def _refuse_expired(self, query: ContractQuery, shelf: Shelf) -> None:
        last = query.expiry or (query.month.last_day if query.month is not None else None)
        if last is not None and last < self._today():
            raise ContractNotFound(
                f"{query} expired on {last}; nothing was sent.",
                remedy=f"There is {_some(self._ahead(shelf))}.",
            )

    def _months(self, query: ContractQuery, shelf: Shelf) -> list[Month]:
        """The months to look into; IBKR may list a day's option under the month that follows."""
        month = query.month or Month.of(query.expiry or self._today())
        if query.expiry is not None and shelf.days and query.expiry not in shelf.days:
            raise ContractNotFound(
                f"nothing on {query.symbol} ends on {query.expiry}; nothing was sent.",
                remedy=f"There is {_some(nearest_days(query.expiry, self._days_ahead(shelf)))}.",
            )
        if not shelf.months:
            return [month]
        around = [month]
        if shelf.place.kind is SecType.FUTURE_OPTION and query.expiry is not None:
            around += [month.plus(1), month.plus(2)]
        listed = [each for each in around if each in shelf.months]
        if not listed:
            near = sorted(shelf.months, key=lambda each: abs(month.distance(each)))[:MOST_NEAR]
            raise ContractNotFound(
                f"there is nothing on {query.symbol} in {month}; nothing was sent.",
                remedy=f"There is {_some(sorted(near))}.",
            )
        return listed

    def _none(
        self, query: ContractQuery, strikes: Sequence[Decimal], rows: Sequence[Contract]
    ) -> ContractNotFound:
        strike = query.strike or Decimal(0)
        if strike not in strikes:
            remedy = (
                f"The nearest strikes are {_some(nearest(strike, strikes))}."
                if strikes
                else "IBKR lists no strike in that month."
            )
            return ContractNotFound(
                f"{query}: there is no strike {strike:f}; nothing was sent.", remedy=remedy
            )
        days = sorted({day for row in rows if (day := ends(row)) is not None})
        classes = sorted({row.trading_class for row in rows if row.trading_class})
        day = query.expiry
        if day is not None and days and day not in days:
            return ContractNotFound(
                f"{query}: the strike {strike:f} does not exist on {day}; nothing was sent.",
                remedy=f"It exists on {_some(nearest_days(day, days, MOST_NEAR))}.",
            )
        return ContractNotFound(
            f"IBKR has no contract {query}; nothing was sent.",
            remedy=f"At that strike there are the classes {_some(classes)}." if classes else "",
        )

    def _ahead(self, shelf: Shelf) -> list[object]:
        days = self._days_ahead(shelf)
        this_month = Month.of(self._today())
        return list(days[:MOST_NEAR] or [month for month in shelf.months if month >= this_month][:MOST_NEAR])

    def _days_ahead(self, shelf: Shelf) -> list[date]:
        return [day for day in shelf.days if day >= self._today()]

    def _today(self) -> date:
        return self._clock.now().date()


def _searches(query: ContractQuery, kind: SecType) -> list[tuple[str, SecType | None]]:
    """What to search for, the likeliest first; products of futures have a search of their own."""
    if kind is SecType.FUTURE_OPTION:
        symbol = products.future_symbol(query.symbol)
        return [(symbol, SecType.FUTURE), (symbol, None)]
    spelt = (*discovery.class_share_spellings(query.symbol), *underlying_spellings(query.symbol))
    return [(symbol, None) for symbol in dict.fromkeys(spelt)]


def _exchange(query: ContractQuery, section: Section) -> str | None:
    """Where to ask for derivatives: SMART is IBKR's default and need not be said."""
    asked = query.exchange
    if asked is not None and any(same_exchange(each, asked) for each in section.exchanges):
        return asked
    if not section.exchanges or SMART in section.exchanges:
        return None
    return section.exchanges[0]


def _key(place: Place, month: Month) -> str:
    return f"{place.conid}/{place.kind.value}/{place.exchange or SMART}/{month.code}"


def _candidate(row: Contract) -> Candidate:
    return Candidate(
        conid=row.conid,
        symbol=row.symbol,
        name=row.name or row.symbol,
        exchange=row.exchange,
        currency=row.currency,
        sec_type=row.sec_type,
        spelling=labels.occ(row),
        note=f"class {row.trading_class}, ends {row.expiry}",
    )


def _some(values: Iterable[object]) -> str:
    words = [format(value, "f") if isinstance(value, Decimal) else str(value) for value in values]
    return ", ".join(words) or "none"
