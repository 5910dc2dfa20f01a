"""The command ``ibkr-adapter watch``: quotes, orders and positions as they change, until Ctrl-C.

Quotes come over the stream. Orders and positions are asked for like a host does while the stream keeps
the account, so they cost a request only where the stream does not prove them. A quote that is late, a
line that was lost and prices that are not of this moment are said in words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from ibkr_adapter.clock import Clock
from ibkr_adapter.errors import BrokerageUnavailable, IBKRError, Throttled, TransportError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.stream import Dropped, Event, Gap, QuoteEvent, Refused, Stale, Unreadable
from ibkr_adapter.streaming.subscription import Subscription

from .codes import exit_codes
from .printing import as_json, paper
from .reach import AsJson, Reach, Simulated
from .reading import QUOTE_COLUMNS, QUOTE_FIELDS, quote_row
from .screen import ORDER_COLUMNS, POSITION_COLUMNS, Column, plain, table

# How often orders and positions are looked at; where the stream proves them that costs nothing.
LOOK_EVERY = 2.0
_MOST_NOTES = 3
_TOPIC = "smd+"
# What passes by itself; from that status on it is the server that failed.
_PAUSES = (BrokerageUnavailable, Throttled, TransportError)
_SERVERS_OWN = 500

Row = dict[str, Any]


def watch(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None, typer.Argument(metavar="[SYMBOL]...", help="Instruments whose quotes are shown.")
    ] = None,
    *,
    orders: Annotated[bool, typer.Option("--orders", help="Working orders, too.")] = False,
    positions: Annotated[bool, typer.Option("--positions", help="Positions, too.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, metavar="SECONDS", help="End after so many seconds.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many changes.")] = None,
    every: Annotated[
        float, typer.Option(min=0.1, max=60, metavar="SECONDS", help="How often the screen is drawn anew.")
    ] = 1.0,
    as_lines: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Show quotes, orders and positions as they change, until Ctrl-C; without a name orders and positions.

    With --json each change is one line.
    """
    neither = not symbols and not orders and not positions
    reach = Reach.of(context)
    try:
        with exit_codes(), reach.exchange(simulated=simulated) as ibkr, ExitStack() as undo:
            board = Board(
                ibkr,
                reach.doors.clock,
                symbols or (),
                orders=orders or neither,
                positions=positions or neither,
            )
            undo.callback(board.close)
            screen = None if as_lines else paper()
            live = None
            if screen is not None and screen.is_terminal:
                live = undo.enter_context(Live(console=screen, auto_refresh=False))
            elif screen is not None:
                # Nobody looks at it while it changes; it is printed when it has ended, however it does.
                undo.callback(lambda: screen.print(board.drawn()))
            told = 0
            for change in board.changes(seconds, every):
                if change is None:
                    if live is not None:
                        live.update(board.drawn(), refresh=True)
                    continue
                if as_lines:
                    typer.echo(json.dumps(as_json(change), allow_nan=False))
                told += 1
                if told == count:
                    break
            if live is not None:
                live.update(board.drawn(), refresh=True)
    except KeyboardInterrupt:
        # It is how a person ends it, so nothing has failed.
        return


class Board:
    """What is watched, as it stands."""

    def __init__(
        self, ibkr: IBKRExchange, clock: Clock, symbols: Iterable[str], *, orders: bool, positions: bool
    ) -> None:
        self._ibkr = ibkr
        self._clock = clock
        self._names = {ibkr.contracts.resolve(name, for_trading=False).conid: name for name in symbols}
        self._quotes: dict[int, Row] = {
            conid: {"symbol": name, "freshness": "nothing came yet"} for conid, name in self._names.items()
        }
        self._orders: dict[str, Row] | None = {} if orders else None
        self._positions: dict[str, Row] | None = {} if positions else None
        self._notes: list[str] = []
        self._stream: Subscription | None = (
            ibkr.stream.quotes(*self._names, fields=QUOTE_FIELDS) if self._names else None
        )
        if orders or positions:
            ibkr.stream.keep_account()

    def close(self) -> None:
        """End what was subscribed to."""
        if self._stream is not None:
            self._stream.close()

    def changes(self, seconds: float | None, every: float) -> Iterator[Row | None]:
        """Tell each change as it comes, and ``None`` whenever it is time to draw, until ``seconds`` are over.

        Raises:
            IBKRError: The stream has ended, or IBKR could not be asked at first, or never will be.
        """
        yield None
        # Reading the orders for the first time can take longer than somebody wants to watch.
        yield from self._looked()
        now = self._clock.monotonic()
        look_at, end = now + LOOK_EVERY, None if seconds is None else now + seconds
        while True:
            if now >= look_at:
                yield from self._looked_again()
                look_at = now + LOOK_EVERY
            yield None
            yield from self._heard(now + every if end is None else min(now + every, end))
            now = self._clock.monotonic()
            if end is not None and now >= end:
                return

    def drawn(self) -> RenderableType:
        """All tables, one below the other, and what the stream could not tell."""
        shown: tuple[tuple[str, tuple[Column, ...], dict[Any, Row] | None], ...] = (
            ("Quotes", QUOTE_COLUMNS, self._quotes or None),
            ("Orders", ORDER_COLUMNS, self._orders),
            ("Positions", POSITION_COLUMNS, self._positions),
        )
        parts: list[RenderableType] = [
            table(title, columns, list(rows.values())) if rows else Text(f"{title}: none")
            for title, columns, rows in shown
            if rows is not None
        ]
        return Group(*parts, *(Text(plain(note), style="bold") for note in self._notes[-_MOST_NOTES:]))

    # Orders and positions -------------------------------------------------------------------

    def _looked_again(self) -> Iterator[Row]:
        try:
            yield from self._looked()
        except IBKRError as error:
            # IBKR is away every night; what was read before is on the screen, and must not pass for what is now.
            if not isinstance(error, _PAUSES) and (error.status or 0) < _SERVERS_OWN:
                raise
            words = f"orders and positions could not be read at {self._clock.now():%H:%M:%S}Z: {error}"
            yield self._noted("unread", words)

    def _looked(self) -> Iterator[Row]:
        if self._orders is not None:
            yield from self._looked_at_orders(self._orders)
        if self._positions is not None:
            held = {str(row["symbol"]): row for row in self._ibkr.get_positions()}
            gone = [row | {"positionAmt": "0"} for name, row in self._positions.items() if name not in held]
            changed = [row for name, row in held.items() if self._positions.get(name) != row]
            self._positions = held
            for row in (*changed, *gone):
                yield self._change("position", row)

    def _looked_at_orders(self, known: dict[str, Row]) -> Iterator[Row]:
        all_of_them = self._ibkr.get_orders()
        working = {str(row["orderId"]) for row in self._ibkr.get_open_orders()}
        # What ends while somebody watches stays, so that it is seen how.
        for row in all_of_them:
            number = str(row["orderId"])
            if (number in working or number in known) and known.get(number) != row:
                known[number] = row
                yield self._change("order", row)

    # Quotes ---------------------------------------------------------------------------------

    def _heard(self, until: float) -> Iterator[Row]:
        while (left := until - self._clock.monotonic()) > 0:
            if self._stream is None:
                self._clock.sleep(left)
                return
            event = self._stream.get(left)
            if event is not None:
                yield from self._told(event)

    def _told(self, event: Event) -> Sequence[Row]:
        if isinstance(event, QuoteEvent):
            row = quote_row(self._names[event.conid], event.quote)
            self._quotes[event.conid] = row
            return [self._change("quote", row, event)]
        if isinstance(event, Stale):
            return [self._silent(event)]
        if isinstance(event, Gap):
            words = f"nothing was heard from {event.since:%H:%M:%S}Z until {event.until:%H:%M:%S}Z"
            return [self._noted("gap", words, event)]
        if isinstance(event, Dropped):
            return [self._noted("dropped", f"{event.count} changes came faster than they were shown", event)]
        if isinstance(event, Refused) and event.topic:
            return [self._noted("refused", f"{event.topic}: {event.text}", event)]
        return [self._noted("refused", event.text, event)] if isinstance(event, (Refused, Unreadable)) else []

    def _silent(self, event: Stale) -> Row:
        words = f"nothing came since {event.since:%H:%M:%S}Z"
        for conid, name in self._names.items():
            if event.topic == f"{_TOPIC}{conid}":
                self._quotes[conid] = self._quotes[conid] | {"freshness": f"STALE: {words}"}
                return self._change("stale", {"symbol": name, "since": event.since}, event)
        return self._noted("stale", f"{event.topic}: {words}", event)

    def _noted(self, kind: str, words: str, event: Event | None = None) -> Row:
        self._notes.append(words)
        return self._change(kind, {"text": words}, event)

    def _change(self, kind: str, row: Row, event: Event | None = None) -> Row:
        return {"kind": kind, "at": self._clock.now() if event is None else event.at} | row
