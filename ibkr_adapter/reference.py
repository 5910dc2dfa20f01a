"""Look up what IBKR publishes of contracts beside their rules: hours, algorithms, currencies.

Everything here is a read that anybody may repeat. Hours are kept for the days that they cover,
rates for a minute, pairs for a day. What follows from closed hours is for
:mod:`ibkr_adapter.terms`.

Source: Web API reference, "Trading Schedule", "Search Algo Params by Contract ID", "Currency Exchange
Rate", "Available Currency Pairs"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from ibkr_adapter import verdicts
from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import ApiError, ContractNotFound, InvalidRequest, quoted
from ibkr_adapter.model.kinds import is_listed, is_text
from ibkr_adapter.model.rules import Algo, Schedule
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints
from ibkr_adapter.wire.forex import Pair, read_pairs, read_rate
from ibkr_adapter.wire.rules import read_algos, read_trading_schedule

log = logging.getLogger(__name__)

RATES_KEPT_FOR = 60.0
PAIRS_KEPT_FOR = 24 * 3600.0
# A schedule by which nothing can be told is asked for again after so long.
SILENCE_KEPT_FOR = 3600.0
MOST_KEPT = 10_000
# IBKR takes no more names of algorithms in one request.
MOST_ALGOS = 8


@attrs.frozen(kw_only=True)
class _Kept:
    """The hours that were read, ``None`` where they tell nothing about the moment at which they were."""

    schedule: Schedule | None
    read_at: float


def algo_names(names: object) -> tuple[str, ...]:
    """Read a list of IBKR's ids of algorithms.

    Raises:
        InvalidRequest: It is none; nothing was sent.
    """
    # The letters of one name would be names of their own.
    listed = tuple(names) if is_listed(names) else (None,)
    if not all(is_text(name) for name in listed):
        raise InvalidRequest(
            f"{quoted(names)} is no list of algorithms; nothing was sent.", remedy='Write ["Vwap"] for one.'
        )
    return listed


class Reference:
    """Reads over one session; shared by every object of a connection.

    ``market`` has the time by which markets open and close.
    """

    def __init__(self, *, clock: Clock, market: Clock, session: SessionKeeper) -> None:
        self._clock = clock
        self._session = session
        self.market_time = market.now
        self._lock = threading.Lock()
        self._schedules: dict[int, _Kept] = {}
        self._rates: dict[tuple[str, str], tuple[Decimal, float]] = {}
        self._pairs: dict[str, tuple[tuple[Pair, ...], float]] = {}

    def schedule(self, conid: int, *, deadline: float | None = None) -> Schedule | None:
        """When a contract trades in the days around now.

        Returns:
            The schedule, or ``None`` where it tells nothing about this moment: IBKR gives no
            hours, or those of days that are not ours, or the gateway does not know the question.

        Raises:
            IBKRError: It could not be read.
        """
        now = self.market_time()
        with self._lock:
            kept = self._schedules.get(conid)
        if kept is None or self._is_over(kept, now):
            schedule = self._published(conid, deadline)
            told = schedule if schedule is not None and schedule.is_about(now) else None
            kept = _Kept(schedule=told, read_at=self._clock.monotonic())
            if told is None:
                log.warning("the trading schedule of contract %s says nothing about %s", conid, now)
            with self._lock:
                if len(self._schedules) >= MOST_KEPT:
                    self._schedules.clear()
                self._schedules[conid] = kept
        return kept.schedule

    def _published(self, conid: int, deadline: float | None) -> Schedule | None:
        try:
            content = self._session.read(
                endpoints.TRADING_SCHEDULE, query={"conid": conid}, deadline=deadline
            )
        except ApiError as refusal:
            # An older gateway has no such endpoint; an unknown contract is answered 400.
            if refusal.status not in verdicts.UNHEARD_OF:
                raise
            return None
        return read_trading_schedule(content) if content else None

    def algos(self, conid: int, names: Sequence[str] = ()) -> tuple[Algo, ...]:
        """The algorithms that a contract takes, with their parameters where IBKR sends them.

        The first answer of a session lacks parameters or everything, so it is asked for once more.

        Args:
            conid: The contract.
            names: At most eight of IBKR's ids, in its own case; all if empty.
        """
        query: dict[str, str | int] = {"addDescription": 1, "addParams": 1}
        wanted = algo_names(names)
        if wanted:
            query["algos"] = ";".join(wanted[:MOST_ALGOS])
        found: tuple[Algo, ...] = ()
        for _ in range(2):
            content = self._session.read(
                endpoints.ALGOS, path={"conid": conid}, query=query, empty={"algos": []}
            )
            found = read_algos(content)
            if found and all(algo.parameters is not None for algo in found):
                break
        return found

    def rate(self, source: str, target: str) -> Decimal:
        """How many units of ``target`` one unit of ``source`` is now."""
        if source == target:
            return Decimal(1)
        key, now = (source, target), self._clock.monotonic()
        with self._lock:
            kept = self._rates.get(key)
        if kept is not None and now - kept[1] < RATES_KEPT_FOR:
            return kept[0]
        rate = read_rate(
            self._session.read(endpoints.EXCHANGE_RATE, query={"source": source, "target": target})
        )
        with self._lock:
            self._rates[key] = (rate, now)
        return rate

    def pair(self, first: str, second: str) -> Pair:
        """The one pair in which two currencies trade, whichever of them it names first.

        Raises:
            ContractNotFound: IBKR lists no such pair; nothing was sent.
        """
        wanted = {first, second}
        for pair in self._listed(first):
            if {pair.base, pair.quote} == wanted:
                return pair
        raise ContractNotFound(
            f"IBKR lists no pair of {first} and {second}; nothing was sent.",
            near=tuple(pair.symbol for pair in self._listed(first))[:5],
            remedy="Convert by way of a third currency, such as USD.",
        )

    def _listed(self, currency: str) -> tuple[Pair, ...]:
        now = self._clock.monotonic()
        with self._lock:
            kept = self._pairs.get(currency)
        if kept is not None and now - kept[1] < PAIRS_KEPT_FOR:
            return kept[0]
        pairs = read_pairs(
            self._session.read(endpoints.CURRENCY_PAIRS, query={"currency": currency}, empty={})
        )
        with self._lock:
            self._pairs[currency] = (pairs, now)
        return pairs

    def _is_over(self, kept: _Kept, now: datetime) -> bool:
        if kept.schedule is not None:
            return not kept.schedule.reaches(now)
        return self._clock.monotonic() - kept.read_at >= SILENCE_KEPT_FOR
