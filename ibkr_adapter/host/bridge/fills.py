"""See fills of an account, so that a client is told of them without asking.

This one looks into the list of fills every few seconds, which costs one request that all readers
share. The list goes back days, so what filled while a look failed comes with the next one.

A source that is told by the broker itself has the same methods: ``look`` then does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

# IBKR gives the list once in five seconds.
LOOK_EVERY = 5.0
# Far more than an account fills in the days that the list goes back.
MOST_KNOWN = 50_000


class Fills(Protocol):
    """Where the fills of one session come from."""

    def look(self) -> None:
        """See what is new; called every :data:`LOOK_EVERY` seconds, and once before anything else."""

    def untold(self, after: str) -> Sequence[Mapping[str, Any]]:
        """The fills after the one with this id that are never told, because they were known at first."""

    def stop(self) -> None:
        """Be told no more."""


class Reads(Protocol):
    """What is needed of :class:`ibkr_adapter.exchange.IBKRExchange`."""

    def get_trade_history(self) -> list[dict[str, Any]]:
        """Return the fills of the last days, newest first."""


class PolledFills:
    """Fills by looking; those that were there at the first look are not told.

    ``after`` is the id of a fill that is known already: whatever came after it is told, too.
    """

    def __init__(
        self,
        exchange: Reads,
        told: Callable[[Mapping[str, Any]], None],
        after: str | None = None,
        *,
        most: int = MOST_KNOWN,
    ) -> None:
        self._exchange = exchange
        self._told = told
        self._after = after
        self._most = most
        self._known: dict[str, None] | None = None
        # What counted as known at the first look, the newest first.
        self._before: list[Mapping[str, Any]] = []

    def look(self) -> None:
        """Tell what is new, the oldest first.

        Raises:
            IBKRError: The list could not be read; nothing is lost by that.
        """
        fills = self._exchange.get_trade_history()
        known = self._known
        if known is None:
            ids = [fill["id"] for fill in fills]
            first = ids.index(self._after) if self._after in ids else 0
            self._before = list(fills[first:])
            known = self._known = dict.fromkeys(reversed(ids[first:]))
        for fill in reversed(fills):
            # A list may be short for once; what was told is not told again when it is whole.
            if fill["id"] not in known:
                known[fill["id"]] = None
                self._told(fill)
        while len(known) > max(self._most, len(fills)):
            del known[next(iter(known))]

    def untold(self, after: str) -> Sequence[Mapping[str, Any]]:
        """Those of the first look, the oldest first; none where the fill is not among them."""
        ids = [fill["id"] for fill in self._before]
        newer = self._before[: ids.index(after)] if after in ids else []
        return list(reversed(newer))

    def stop(self) -> None:
        """Nothing is open."""


# What makes a source: of an object, for a listener, from a fill on.
Source = Callable[[Any, Callable[[Mapping[str, Any]], None], str | None], Fills]
