"""Count the market data lines that this session holds, and free them.

Every contract whose snapshot was asked for holds one of the user's lines, a hundred unless more were
bought, until it is let go; TWS and other programs of the same user take theirs from the same
hundred. When none is left IBKR does not say so: rows come without a single value. So the lines
that were longest unused are freed before new ones would go past the limit, and rows that stay bare
are told about. A contract has one line for snapshots and the stream together: while its quotes are
streamed it is freed by nobody but who says so.

Source: Web API reference, "Unsubscribe"; docs/ibkr-facts.md tells what was observed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import attrs

from ibkr_adapter.errors import ApiError, IBKRError
from ibkr_adapter.model.shown import Shown
from ibkr_adapter.session import SessionKeeper
from ibkr_adapter.wire import endpoints

log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class LinesHeld(Shown):
    """What this connection holds of the user's market data lines; others of the user are not seen."""

    conids: tuple[int, ...]
    most: int

    @property
    def held(self) -> int:
        """How many lines are held."""
        return len(self.conids)

    @property
    def left(self) -> int:
        """How many are left, if nobody else has any."""
        return max(0, self.most - self.held)


class Lines:
    """The lines of one brokerage session, for every thread of a connection."""

    def __init__(
        self, session: SessionKeeper, *, most: int, streamed: Callable[[], frozenset[int]] = frozenset
    ) -> None:
        self._session = session
        self._most = most
        self._streamed = streamed
        self._lock = threading.Lock()
        # The longest unused first.
        self._held: dict[int, None] = {}
        self._epoch = -1
        self._borrowed: list[set[int]] = []

    def state(self) -> LinesHeld:
        """Tell what is held now."""
        with self._lock:
            self._forget_other_sessions()
            return LinesHeld(conids=tuple(self._held), most=self._most)

    def take(self, conids: Sequence[int]) -> None:
        """Note that these are about to be opened; what is longest unused is freed to make room."""
        needed = self._streamed() | frozenset(conids)
        with self._lock:
            self._forget_other_sessions()
            new = [conid for conid in conids if conid not in self._held]
            for conid in conids:
                self._held.pop(conid, None)
                self._held[conid] = None
            for borrowed in self._borrowed:
                borrowed.update(new)
            most = max(self._most, len(conids))
            idle = [conid for conid in self._held if conid not in needed]
            surplus = idle[: max(0, len(self._held) - most)]
        try:
            self.free(surplus)
        except ApiError as refusal:
            # The worst is that nothing comes for the new ones, which is told.
            log.warning("a market data line could not be freed: %s", refusal)

    def free(self, conids: Iterable[int]) -> None:
        """Close the streams of these contracts; closing what is not open does nothing.

        Raises:
            IBKRError: IBKR could not be asked, or said no; what was closed before is freed.
        """
        for conid in conids:
            try:
                self._session.read(endpoints.UNSUBSCRIBE, body={"conid": conid}, empty={})
            except ApiError as refusal:
                # Closing a stream that is not open is answered with a 500, on an older road with a 404.
                if refusal.status not in {404, 500}:
                    raise
            with self._lock:
                self._held.pop(conid, None)

    def free_all(self) -> None:
        """Close all streams of the session with one call, those of other programs at it too."""
        self._session.read(endpoints.UNSUBSCRIBE_ALL, empty={})
        with self._lock:
            self._held.clear()

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Free on leaving what was opened inside, by any thread of the connection."""
        opened: set[int] = set()
        with self._lock:
            self._borrowed.append(opened)
        try:
            yield
        finally:
            streamed = self._streamed()
            with self._lock:
                self._borrowed = [each for each in self._borrowed if each is not opened]
                held = [conid for conid in self._held if conid in opened and conid not in streamed]
            # What went wrong inside matters more than a line that stays open.
            with suppress(IBKRError):
                self.free(held)

    def bare(self, conids: Sequence[int]) -> str:
        """Say in the log why nothing at all may have come for these contracts, and return it."""
        some = ", ".join(map(str, conids[:5])) + (f" and {len(conids) - 5} more" if len(conids) > 5 else "")  # noqa: PLR2004  (a sentence)
        told = (
            f"IBKR sent nothing for {some}: perhaps the user's market data lines are used up "
            f"({self.state().held} of {self._most} are held here, TWS and other programs have more)."
        )
        log.warning("%s market_data.unsubscribe_all() frees those of this session.", told)
        return told

    def _forget_other_sessions(self) -> None:
        # A new brokerage session begins without streams.
        if self._epoch != self._session.epoch:
            self._held.clear()
            self._epoch = self._session.epoch
