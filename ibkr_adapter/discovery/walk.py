"""Walk IBKR's way from a symbol to a derivative: search, strikes, contract; in this order only.

The way is kept by IBKR in the brokerage session: a step that was left out, or a search by name in
between, makes the next one answer with nothing instead of an error. So one walk goes on at a time,
each step first sees where the session stands, a new session starts again from the beginning, and
an empty answer is asked for once more before it is believed. What is asked for, and what of it is
kept, is for the rooms above.

Source: Web API reference, "Search Contract by Symbol", "Search Strikes", "Search SecDef information
by conid"; docs/ibkr-facts.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.clock import Clock, Flag
from ibkr_adapter.errors import ApiError, BrokerageUnavailable
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.months import Month
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import discovery, endpoints

# How long a walk waits for the one before it, where its caller names no deadline.
PATIENCE = 30.0
# So often a walk begins again because the session was restored under it.
MOST_SESSIONS = 3
_SERVER_ERROR = 500
_OK = 200


@attrs.frozen(kw_only=True)
class Place:
    """Where derivatives are looked for: an underlying, their class, their exchange."""

    symbol: str
    conid: int
    kind: SecType
    exchange: str | None = None
    searched_as: SecType | None = None


class Walker:
    """Walks for every thread of a connection, one at a time."""

    def __init__(self, *, clock: Clock, session: SessionKeeper) -> None:
        self._clock = clock
        self._session = session
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: list[Flag] = []
        # Where the session stands: its number, the last search, the month whose strikes came last.
        self._searched: tuple[int, str, SecType | None] | None = None
        self._struck: tuple[Place, Month] | None = None

    @contextmanager
    def turn(self, deadline: float | None) -> Iterator[None]:
        """Have the way to oneself; a thread may take its turn again inside.

        Raises:
            BrokerageUnavailable: Another walk did not end in time; nothing was sent.
        """
        until = self._until(deadline)
        me = threading.get_ident()
        while True:
            with self._lock:
                if self._owner in {None, me}:
                    self._owner = me
                    self._depth += 1
                    break
                flag = self._clock.flag()
                self._waiting.append(flag)
            left = until - self._clock.monotonic()
            if left <= 0 or not flag.wait(left):
                raise BrokerageUnavailable(
                    "another search for contracts did not end in time; nothing was sent."
                )
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    self._owner = None
                    for flag in self._waiting:
                        flag.set()
                    self._waiting.clear()

    def search(
        self,
        symbol: str,
        kind: SecType | None,
        deadline: float | None,
        *,
        more: Mapping[str, Any] | None = None,
    ) -> Any:
        """Look for what there is under a symbol; nothing found is an empty list."""
        with self.turn(deadline):
            return self._search(symbol, kind, deadline, more or {})

    def strikes(self, place: Place, month: Month, deadline: float | None) -> Any:
        """Ask for the strikes of a month."""
        with self.turn(deadline):
            return self._insist(
                lambda: self._go_to(place, None, deadline),
                lambda: self._strikes(place, month, deadline),
                lambda content: bool(discovery.read_strikes(content).both),
            )

    def contracts(
        self, place: Place, month: Month, strike: Decimal | None, right: str | None, deadline: float | None
    ) -> Any:
        """Ask for the contracts of a month, at one strike or, where IBKR allows it, at all."""
        query = _asked(place, month) | {"strike": strike, "right": right}
        with self.turn(deadline):
            return self._insist(
                lambda: self._go_to(place, month, deadline), lambda: self._contracts(query, deadline), bool
            )

    def issued(self, symbol: str, issuer: str, deadline: float | None) -> Any:
        """Ask for the bonds of an issuer that a search for ``symbol`` has found."""
        query = {"sectype": SecType.BOND.value, "issuerId": issuer}
        with self.turn(deadline):
            return self._insist(
                lambda: self._searched_for(symbol, SecType.BOND, deadline),
                lambda: self._contracts(query, deadline),
                bool,
            )

    # Steps --------------------------------------------------------------------------------

    def _insist(self, go: Callable[[], int], ask: Callable[[], Any], some: Callable[[Any], bool]) -> Any:
        """Ask, start again in a new session, and believe "nothing" the second time only."""
        content: Any = []
        empty = 0
        for _ in range(MOST_SESSIONS + 1):
            epoch = go()
            content = ask()
            if self._session.epoch != epoch:
                # The answer is of a session that has not come this way.
                self._searched = self._struck = None
                continue
            if some(content) or empty:
                return content
            empty += 1
            self._searched = self._struck = None
        if empty:
            return content
        raise BrokerageUnavailable("the brokerage session was restored again and again; nothing was found.")

    def _go_to(self, place: Place, month: Month | None, deadline: float | None) -> int:
        epoch = self._searched_for(place.symbol, place.searched_as, deadline)
        if month is not None and self._struck != (place, month):
            self._strikes(place, month, deadline)
        return epoch

    def _searched_for(self, symbol: str, kind: SecType | None, deadline: float | None) -> int:
        epoch = self._session.ensure(self._until(deadline))
        if self._searched != (epoch, symbol, kind):
            self._search(symbol, kind, deadline, {})
            epoch = self._session.epoch
        return epoch

    def _search(
        self, symbol: str, kind: SecType | None, deadline: float | None, more: Mapping[str, Any]
    ) -> Any:
        query = {"symbol": symbol, **({"secType": kind.value} if kind is not None else {}), **more}
        self._searched = self._struck = None
        try:
            content = self._session.read(endpoints.SECDEF_SEARCH, query=query, deadline=deadline, empty=[])
        except ApiError as refusal:
            # "No symbol found" comes as an error in words, inside a 200.
            if type(refusal) is not ApiError or refusal.status != _OK:
                raise
            content = []
        if not more:
            self._searched = (self._session.epoch, symbol, kind)
        return content

    def _strikes(self, place: Place, month: Month, deadline: float | None) -> Any:
        self._struck = None
        content = self._session.read(
            endpoints.STRIKES, query=_asked(place, month), deadline=deadline, empty={}
        )
        self._struck = (place, month)
        return content

    def _contracts(self, query: Mapping[str, Any], deadline: float | None) -> Any:
        given = {key: value for key, value in query.items() if value is not None}
        try:
            return self._session.read(endpoints.SECDEF_INFO, query=given, deadline=deadline, empty=[])
        except ApiError as refusal:
            if refusal.status == _SERVER_ERROR and "no contracts" in refusal.text.lower():
                return []
            raise

    def _until(self, deadline: float | None) -> float:
        return self._clock.monotonic() + PATIENCE if deadline is None else deadline


def _asked(place: Place, month: Month) -> dict[str, Any]:
    query: dict[str, Any] = {"conid": place.conid, "sectype": place.kind.value, "month": month.code}
    if place.exchange is not None:
        query["exchange"] = place.exchange
    return query
