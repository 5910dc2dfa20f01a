"""Market data as values: quotes, history, scans and option chains (``ibkr.market_data``).

Everything here is a read that may be repeated, but for the regulatory snapshot, which costs money
each time and is never made without an explicit word. A contract may be given as its id, as any name
that :mod:`ibkr_adapter.conids` reads, or as a value that has an id. How each is read is in the rooms
of :mod:`ibkr_adapter.market`.

Source: Web API reference, "Market Data"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ibkr_adapter.clock import Clock
from ibkr_adapter.conids import ConidResolver
from ibkr_adapter.discovery.chains import MOST_REQUESTS, Number
from ibkr_adapter.discovery.chains import When as Expiry
from ibkr_adapter.discovery.kept import Kept
from ibkr_adapter.errors import ApiError, ConfigurationError, InvalidRequest, quoted
from ibkr_adapter.market.downloads import Asked, Downloads, Progress
from ibkr_adapter.market.history import History
from ibkr_adapter.market.lines import Lines, LinesHeld
from ibkr_adapter.market.option_prices import OptionPrices
from ibkr_adapter.market.scanners import Figure, Scanners
from ibkr_adapter.market.snapshots import Snapshots, quote_table
from ibkr_adapter.model.bars import Bars, BarSize, BarSource
from ibkr_adapter.model.identifiers import checked_conid
from ibkr_adapter.model.kinds import is_listed
from ibkr_adapter.model.market import Quote
from ibkr_adapter.model.optionrow import OptionRow
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.rules import Schedule
from ibkr_adapter.model.scan import Parameters, ScanRow
from ibkr_adapter.model.spans import When
from ibkr_adapter.model.table import Table
from ibkr_adapter.reference import Reference
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire.fields import FIELD_SETS, names_of

# What must be written to have a regulatory snapshot made.
FEE = "USD 0.01"


class Identified(Protocol):
    """Anything that names a contract by its id: a contract, a quote, a row of a table."""

    @property
    def conid(self) -> int:
        """The contract's id."""


What = int | str | ContractQuery | Identified


class MarketData:
    """Reads market data over one session; shared by every object of a connection."""

    def __init__(
        self,
        *,
        clock: Clock,
        session: SessionKeeper,
        conids: ConidResolver,
        reference: Reference,
        kept: Kept,
        most_lines: int,
        streamed: Callable[[], frozenset[int]] = frozenset,
    ) -> None:
        self._clock = clock
        self._session = session
        self._conids = conids
        self._reference = reference
        self._lines = Lines(session, most=most_lines, streamed=streamed)
        self._snapshots = Snapshots(clock=clock, session=session, lines=self._lines)
        self._options = OptionPrices(conids=conids, snapshots=self._snapshots)
        self._scanners = Scanners(session=session, kept=kept)
        self._downloads = Downloads(
            history=History(clock=clock, session=session), now=reference.market_time, schedule=self._schedule
        )

    # Snapshots ----------------------------------------------------------------------------

    def quote(self, what: What) -> Quote:
        """One contract's quote; what is missing is named in it."""
        conid = self._conid(what)
        return self._snapshots.read([conid], FIELD_SETS["quote"])[conid]

    def quotes(self, whats: Iterable[What], fields: str | Iterable[str] = "quote") -> Mapping[int, Quote]:
        """Quotes of any number of contracts, in chunks that IBKR takes.

        Args:
            whats: The contracts.
            fields: The name of a set of fields, or names of fields (docs/market-data.md has both).

        Returns:
            A quote for every contract asked for, by its id; an empty one where IBKR sent nothing.

        Raises:
            InvalidRequest: There is no such field; nothing was sent.
            ContractError: A name fits no contract or several; nothing was asked for.
        """
        names = names_of(fields)
        return self._snapshots.read([self._conid(what) for what in _listed(whats)], names)

    def snapshot(self, whats: Iterable[What], fields: str | Iterable[str] = "quote") -> Table[Quote]:
        """The same as a table, one line a contract, with how fresh each is."""
        names, listed = names_of(fields), _listed(whats)
        conids = [self._conid(what) for what in listed]
        quotes = self._snapshots.read(conids, names)
        written = {conid: _written(what) for what, conid in zip(listed, conids, strict=True)}
        return quote_table(quotes, names, written)

    def regulatory_snapshot(self, what: What, *, pay: str = "") -> Quote:
        """The consolidated best bid and ask of a US stock, for which IBKR takes a cent, on paper too.

        It is asked for once, whatever comes back.

        Args:
            what: The contract.
            pay: Must be ``"USD 0.01"``, so that nobody pays by accident.

        Raises:
            ConfigurationError: The word that it may cost money is missing; nothing was sent.
            OutcomeUnknown: No answer came; the cent may have been taken.
            ApiError: IBKR said no; newer versions of its service no longer have this call.
        """
        if pay != FEE:
            raise ConfigurationError(
                f"a regulatory snapshot costs {FEE} each time, on paper accounts too; nothing was sent.",
                remedy=f'Pass pay="{FEE}" if that is meant; quote() costs nothing.',
            )
        return self._snapshots.regulatory(self._conid(what))

    # Market data lines --------------------------------------------------------------------

    @property
    def lines(self) -> LinesHeld:
        """The market data lines that this connection holds."""
        return self._lines.state()

    def free(self, whats: Iterable[What]) -> None:
        """Close streams: each contract that was asked for holds one of the user's market data lines."""
        self._lines.free([self._conid(what) for what in _listed(whats)])

    def unsubscribe_all(self) -> None:
        """Close every stream of the session with one request, those of other programs at it too."""
        self._lines.free_all()

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Have the lines freed that are opened inside a ``with`` block."""
        with self._lines.borrowed():
            yield

    # History ------------------------------------------------------------------------------

    def history(
        self,
        what: What,
        *,
        bar: BarSize | str = BarSize.DAY,
        since: When = "1y",
        until: When | None = None,
        source: BarSource | str = BarSource.LAST,
        outside_rth: bool = False,
        exchange: str | None = None,
        progress: Progress | bool = False,
    ) -> Bars:
        """Bars of any span, in as many requests as IBKR's limits take.

        Args:
            what: The contract.
            bar: How long a bar lasts, ``1min`` to ``1m`` (``m`` is a month).
            since: Where it begins: a moment, a day, or how long before ``until`` (``"30d"``, ``"6m"``).
            until: Where it ends; now if unset. A bar that had not ended by then is left out.
            source: ``Last``, ``Midpoint`` or ``Bid_Ask``.
            outside_rth: Whether the hours beside the regular ones belong to it.
            exchange: One exchange, instead of IBKR's choice.
            progress: ``True`` for a bar (needs tqdm), or a function that is told days done and in all.

        Returns:
            The bars, the oldest first, with gaps, overlaps and doubts beside them.

        Raises:
            InvalidRequest: The size, the source or the span is none; nothing was sent.
            NoMarketData: There is not one bar.
            IBKRError: IBKR could not be asked, or said no.
        """
        asked = Asked(
            title=_written(what),
            size=bar,
            since=since,
            until=until,
            source=source,
            outside_rth=outside_rth,
            exchange=exchange,
        )
        return self._downloads.read(self._conid(what), asked, progress=progress)

    def download(
        self,
        what: What,
        path: str | os.PathLike[str],
        *,
        bar: BarSize | str = BarSize.DAY,
        since: When = "1y",
        until: When | None = None,
        source: BarSource | str = BarSource.LAST,
        outside_rth: bool = False,
        exchange: str | None = None,
        replace: bool = False,
        progress: Progress | bool = False,
    ) -> Bars:
        """The same into a file; after an interruption the same call goes on where it stopped.

        Args:
            what: The contract.
            path: A file ending in ``.csv``, ``.jsonl`` or ``.parquet`` (needs the pandas extra). What is
                not finished lies in ``<path>.part``.
            bar: As of :meth:`history`, like the others.
            since: What counts back, counts from the first run.
            until: Where unset, the moment of the first run.
            source: What bars are made of.
            outside_rth: Whether other hours than the regular ones belong to it.
            exchange: One exchange.
            replace: Write over a file that is there.
            progress: How it is shown how far it is.

        Returns:
            The bars that are in the file.

        Raises:
            InvalidRequest: The file is there, or what is unfinished is another download; nothing was sent.
            MarketDataError: The file cannot be written, or another process writes it.
            IBKRError: As of :meth:`history`; what was read is kept.
        """
        asked = Asked(
            title=_written(what),
            size=bar,
            since=since,
            until=until,
            source=source,
            outside_rth=outside_rth,
            exchange=exchange,
        )
        return self._downloads.save(self._conid(what), asked, path, replace=replace, progress=progress)

    # Scanners -----------------------------------------------------------------------------

    def scanner_parameters(self) -> Parameters:
        """All scans, classes, places and filters that IBKR has; kept for a day."""
        return self._scanners.parameters()

    def scan(
        self,
        code: str,
        *,
        instrument: str = "STK",
        location: str = "STK.US.MAJOR",
        filters: Mapping[str, Figure] | None = None,
    ) -> Table[ScanRow]:
        """Run a scanner; at most fifty contracts, in IBKR's order.

        Args:
            code: What to scan for, such as ``TOP_PERC_GAIN``.
            instrument: The class of instruments.
            location: Where to look.
            filters: Further conditions by their codes, such as ``{"priceAbove": 5}``.

        Returns:
            The contracts; their prices come with ``snapshot(table)``.

        Raises:
            InvalidRequest: A code is not in IBKR's lists; nothing was sent, near names are told.
        """
        return self._scanners.scan(
            code, instrument=instrument, location=location, filters={} if filters is None else filters
        )

    # Option chains ------------------------------------------------------------------------

    def chain(
        self,
        underlying: str | ContractQuery,
        *,
        expiries: Expiry | Iterable[Expiry] | int | None = None,
        strikes: Iterable[Number] | None = None,
        between: tuple[Number, Number] | None = None,
        within: Number | None = None,
        rights: str = "CP",
        trading_class: str | None = None,
        progress: Progress | None = None,
        most_requests: int = MOST_REQUESTS,
    ) -> Table[OptionRow]:
        """Options with prices and greeks as one table.

        Every option holds a market data line; more than are left take the place of others, one request
        each, so name a range.

        Args:
            underlying: As of :meth:`ibkr_adapter.conids.ConidResolver.option_chain`, and so are the rest.
            expiries: Days and months, or how many of the next months; the next one if unset.
            strikes: Only these.
            between: Only strikes from the first to the second.
            within: Only strikes so many percent around the underlying's price, instead of ``between``.
            rights: ``C``, ``P`` or both.
            trading_class: Only this class.
            progress: Told how many steps of the chain are done and how many there are.
            most_requests: Refuse what would take more.

        Raises:
            ContractNotFound: No such underlying, day, month or strike.
            ContractError: It would take more requests than allowed.
            InvalidRequest: ``within`` goes with no other choice of strikes, or there is no price for it.
        """
        return self._options.chain(
            underlying,
            within=within,
            expiries=expiries,
            strikes=strikes,
            between=between,
            rights=rights,
            trading_class=trading_class,
            progress=progress,
            most_requests=most_requests,
        )

    # Parts --------------------------------------------------------------------------------

    def _schedule(self, conid: int) -> Schedule | None:
        try:
            return self._reference.schedule(conid)
        except ApiError:
            # Without hours the bars are the same; only gaps cannot be told.
            return None

    def _conid(self, what: What) -> int:
        if isinstance(what, str | ContractQuery):
            return self._conids.resolve(what, for_trading=False).conid
        return checked_conid(getattr(what, "conid", what))


def _listed(whats: object) -> list[Any]:
    # The letters of one name would be contracts of their own.
    if not is_listed(whats):
        raise InvalidRequest(
            f"{quoted(whats)} is no list of contracts; nothing was sent.", remedy='Write ["AAPL"] for one.'
        )
    return list(whats)


def _written(what: What) -> str:
    if isinstance(what, int | str | ContractQuery):
        return str(what)
    return str(getattr(what, "symbol", None) or getattr(what, "conid", what))
