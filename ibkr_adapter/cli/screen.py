"""Show things on a terminal: the demonstration, one line a step, and tables.

Knows how things look. Every text that came from outside loses what a terminal would act on, and
nothing is read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from rich.console import Console
from rich.table import Table

from ibkr_adapter.client import Call
from ibkr_adapter.host.webhook import masked

from .demo import Audience, Effort, Report
from .payloads import Payload

# Where nobody looks at the width (a file, a pipe), tables are not squeezed.
WIDE = 120
NOTHING = "-"

# Control sequences with their arguments, operating system commands with their text, lone escapes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c|$)|\x1b.?",
    re.DOTALL,
)

# Heading, key, and whether it is a word, a count or a price.
Column = tuple[str, str, str]
ORDER_COLUMNS: tuple[Column, ...] = (
    ("id", "orderId", "word"),
    ("symbol", "symbol", "word"),
    ("side", "side", "word"),
    ("type", "type", "word"),
    ("quantity", "quantity", "count"),
    ("filled", "filledQuantity", "count"),
    ("limit", "price", "price"),
    ("stop", "stopPrice", "price"),
    ("fill price", "avgFillPrice", "price"),
    ("status", "status", "word"),
)
POSITION_COLUMNS: tuple[Column, ...] = (
    ("symbol", "symbol", "word"),
    ("amount", "positionAmt", "count"),
    ("entry", "entryPrice", "price"),
    ("mark", "markPrice", "price"),
    ("value", "notional", "price"),
    ("unrealised", "unrealizedProfit", "price"),
)
_BALANCE_ROWS: tuple[Column, ...] = (
    ("account", "accountId", "word"),
    ("kind", "accountType", "word"),
    ("currency", "currency", "word"),
    ("net liquidation", "balance", "price"),
    ("available funds", "availableBalance", "price"),
    ("buying power", "buyingPower", "price"),
    ("unrealised profit", "totalUnrealizedPnl", "price"),
)


def plain(text: object, *, lines: bool = False) -> str:
    """Return ``text`` with nothing in it that a terminal would act on; ``lines`` keeps line ends."""
    bare = _ESCAPES.sub("", str(text))
    return "".join(letter if letter.isprintable() or (lines and letter == "\n") else " " for letter in bare)


def cell(value: Any, kind: str = "word") -> str:
    """Write a value for a table: what is missing is a dash, a price has two decimals at least."""
    if value is None:
        return NOTHING
    if kind == "word" or isinstance(value, bool):
        return plain(value)
    try:
        number = Decimal(str(value))
        places = max(-int(number.as_tuple().exponent), 2 if kind == "price" else 0)
    except (InvalidOperation, ValueError):
        return plain(value)
    return f"{number:,.{places}f}"


def spacious(console: Console) -> Console:
    """Give tables room where nobody looks at the width; only a terminal squeezes them.

    Markup and emoji codes in a broker's text must stay what they are, so the console reads none.
    """
    if not console.is_terminal:
        console.width = max(console.width, WIDE)
    return console


class Screen(Audience):
    """Tells a person what happens."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = spacious(console or Console(markup=False, emoji=False, highlight=False))

    def began(self) -> None:
        """Say what all of it runs on."""
        self._say("A simulated broker on this machine: no account, no network, no money", style="bold")

    def opened(self, account: str, requests: int) -> None:
        """Say where orders go and what the session cost."""
        self._say(f"    logged in to account {account} with {requests} requests")

    def posted(self, payload: Payload) -> None:
        """Show the webhook without its secret."""
        fields = " ".join(f"{key}={value}" for key, value in masked(payload.fields()).items())
        self._say()
        self._say(f"Webhook {payload.name}", style="bold")
        self._say(f"    {fields}")

    def asked(self, call: Call) -> None:
        """One line for each request."""
        answer = "no answer" if call.status is None else f"{call.status}"
        self._say(f"    {call.endpoint} -> {answer} ({call.seconds * 1000:.0f} ms)", style="dim")

    def answered(self, result: Mapping[str, Any], effort: Effort) -> None:
        """Say what the webhook led to, and how many requests that took."""
        words = [result["action"], result["symbol"], result.get("side"), result.get("quantity")]
        ids = [
            f"{name} {result[key]}"
            for name, key in (
                ("order", "orderId"),
                ("stop", "stopLossOrderId"),
                ("target", "takeProfitOrderId"),
            )
            if result.get(key) is not None
        ]
        told = [" ".join(str(word) for word in words if word is not None), *ids]
        if result.get("message"):
            told.append(str(result["message"]))
        self._say("    => " + ", ".join(told))
        self._say(
            f"    {effort.until_acknowledged} requests until it was acknowledged,"
            f" {effort.afterwards} to see that it stands"
        )

    def moved(self, symbol: str, price: Decimal) -> None:
        """Say that the market was moved."""
        self._say(f"    (the simulated market takes {symbol} to {price:f})")

    def filled(self, order: Mapping[str, Any]) -> None:
        """Say at what price."""
        self._say(
            f"    filled: {cell(order['filledQuantity'], 'count')} at {cell(order['avgFillPrice'], 'price')}"
        )

    def ended(self, report: Report) -> None:
        """Show the tables."""
        self._say()
        self._console.print(table("Orders", ORDER_COLUMNS, report.orders))
        self._console.print(table("Positions", POSITION_COLUMNS, report.positions))
        balance = Table(title="Balance", title_justify="left", show_header=False)
        balance.add_column()
        balance.add_column(justify="right")
        for name, key, kind in _BALANCE_ROWS:
            balance.add_row(name, cell(report.balance.get(key), kind))
        self._console.print(balance)
        total = sum(report.requests.values())
        requests = Table(title=f"Requests, {total} in all", title_justify="left", show_header=False)
        requests.add_column()
        requests.add_column(justify="right")
        for name, count in report.requests.items():
            requests.add_row(plain(name), cell(count, "count"))
        self._console.print(requests)

    def _say(self, line: str = "", *, style: str | None = None) -> None:
        self._console.print(plain(line), style=style, soft_wrap=True)


def table(title: str, columns: tuple[Column, ...], rows: Sequence[Mapping[str, Any]]) -> Table:
    """Draw rows under the headings of their columns."""
    drawn = Table(title=title, title_justify="left")
    for heading, _, kind in columns:
        # Folded rather than cut: what is looked up later must be there whole.
        drawn.add_column(heading, justify="left" if kind == "word" else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell(row.get(key), kind) for _, key, kind in columns))
    return drawn
