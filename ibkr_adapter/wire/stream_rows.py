"""Read the rows that a stream brings, besides quotes.

Rows have only what changed, and are told apart by what they have: an order prompt and a notice come
under the same topic, as a list although an object is documented. What is kept between rows is the
caller's; functions here take what was known and return what is known now.

Source: Web API reference, "WebSockets", and frames recorded from accounts; docs/ibkr-facts.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.account import LedgerRow, PnlRow
from ibkr_adapter.model.order import Fill, Order
from ibkr_adapter.model.stream import Bar, DepthRow
from ibkr_adapter.wire import numbers, order_rows, portfolio
from ibkr_adapter.wire.history import volume_of
from ibkr_adapter.wire.replies import words_of

_LEDGER_KEY = "LedgerList"
_LONGEST = 4000
_FOR_EVER = re.compile(r"\b(always|again|ever|never)\b")


def rows_of(content: Mapping[str, Any], key: str = "args") -> list[Mapping[str, Any]]:
    """The rows of a frame, a list or a single one; what is no object is left out."""
    found = content.get(key)
    rows = found if isinstance(found, list) else [found]
    return [row for row in rows if isinstance(row, Mapping)]


# Orders and trades --------------------------------------------------------------------------


def order_id_of(row: Mapping[str, Any]) -> str | None:
    """Which order a row is about; it is a number here and a text elsewhere."""
    value = row.get("orderId", row.get("order_id"))
    return (
        None if isinstance(value, bool) or not isinstance(value, (int, str)) else str(value).strip() or None
    )


def order_after(known: Order | None, row: Mapping[str, Any]) -> Order | None:
    """An order after a row of the stream; ``None`` where the row alone does not make one.

    Raises:
        UnexpectedAnswer: It is in a state that nobody knows.
    """
    if known is not None:
        return order_rows.changed_order(known, row)
    if not {"conid", "status", "side"} <= row.keys():
        return None
    return next(iter(order_rows.read_live_orders([row]).orders), None)


def fills_of(row: Mapping[str, Any]) -> tuple[Fill, ...]:
    """The execution that a row tells; none where nobody had ordered it."""
    return order_rows.read_trades([row])


# Money --------------------------------------------------------------------------------------


def profit_rows(content: Mapping[str, Any], known: dict[str, dict[str, Any]]) -> tuple[PnlRow, ...]:
    """Today's profit by account and model, after a frame is merged into ``known``."""
    changed: dict[str, dict[str, Any]] = {}
    for row in rows_of(content):
        for key, figures in row.items():
            if isinstance(figures, Mapping):
                known[key] = changed[key] = {**known.get(key, {}), **figures}
    return portfolio.read_pnl({"upnl": changed})


def summary_values(content: Mapping[str, Any]) -> tuple[dict[str, Decimal | str | None], str | None]:
    """The values of a frame of a summary by IBKR's keys, and the currency of its amounts."""
    found: dict[str, Decimal | str | None] = {}
    currency = None
    for row in rows_of(content, "result"):
        key = numbers.text(row.get("key"))
        if key is None or not row.keys() & {"monetaryValue", "value"}:
            continue
        amount = numbers.decimal(row.get("monetaryValue"))
        words = row.get("value")
        found[key] = amount if amount is not None else numbers.decimal(words)
        if found[key] is None:
            found[key] = numbers.text(words)
        currency = numbers.text(row.get("currency")) or currency
    return found, currency


def ledger_rows(content: Mapping[str, Any], known: dict[str, dict[str, Any]]) -> tuple[LedgerRow, ...]:
    """Cash by currency after a frame is merged into ``known``; a row without figures says nothing."""
    found: list[LedgerRow] = []
    for row in rows_of(content, "result"):
        key = numbers.text(row.get("key")) or ""
        currency = key.removeprefix(_LEDGER_KEY)
        # REST spells the same names without capitals.
        figures = {str(name).lower(): value for name, value in row.items()}
        if not currency or currency == key or figures.keys() <= {"key", "timestamp"}:
            continue
        known[currency] = {**known.get(currency, {}), **figures}
        found += portfolio.read_ledger({currency: known[currency]})
    return tuple(found)


# Bars and ladders ----------------------------------------------------------------------------


def volume_factor_of(content: Mapping[str, Any]) -> Decimal | None:
    """In which units a frame of live history writes volumes; ``None`` where it does not say."""
    return numbers.decimal(content.get("volumeFactor")) or None


def bars_of(content: Mapping[str, Any], factor: Decimal | None) -> tuple[Bar, ...]:
    """The bars of a frame of live history, oldest first; one without a time is left out.

    Volumes are written in units of ``factor``; without one bars have none, as those of bids and asks.
    """
    found = []
    for row in rows_of(content, "data"):
        start = numbers.moment(row.get("t"))
        if start is not None:
            figures = {name: numbers.decimal(row.get(name[0])) for name in ("open", "high", "low", "close")}
            volume = None if factor is None else volume_of(row.get("v"), factor)
            found.append(Bar(start=start, volume=volume, **figures))
    return tuple(sorted(found, key=lambda bar: bar.start))


def ladder_after(content: Mapping[str, Any], known: dict[int, DepthRow]) -> tuple[DepthRow, ...]:
    """A price ladder by row, after a frame is merged into ``known``."""
    for row in rows_of(content, "data"):
        number = numbers.integer(row.get("row"))
        if number is None:
            continue
        before = known.get(number, DepthRow(row=number, price=None))
        size, at, price = (numbers.text(row.get("price")) or "").rpartition("@")
        changes: dict[str, Any] = {}
        if "price" in row:
            changes = {
                "price": numbers.decimal(price.strip()) if at else numbers.decimal(row.get("price")),
                "last_size": numbers.decimal(size.strip()) if at else None,
            }
        for name, key in (("bid_size", "bid"), ("ask_size", "ask")):
            if key in row:
                changes[name] = numbers.decimal(row.get(key))
        if "focus" in row:
            changes["is_last"] = numbers.flag(row.get("focus")) is True
        known[number] = attrs.evolve(before, **changes)
    return tuple(known[number] for number in sorted(known))


# Words --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Notice:
    """A notification or a bulletin; texts are without markup."""

    text: str
    notice_id: str | None = None
    title: str | None = None
    url: str | None = None


def notices_of(content: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Notice]]:
    """The notices of a frame, each beside its row; ids are texts or numbers."""
    for row in rows_of(content):
        text = row.get("text", row.get("message"))
        name = row.get("id")
        known = isinstance(name, (str, int)) and not isinstance(name, bool)
        yield (
            row,
            Notice(
                text=words_of(text if isinstance(text, str) else "", _LONGEST),
                notice_id=str(name) if known else None,
                title=numbers.text(row.get("title")),
                url=numbers.text(row.get("url")),
            ),
        )


def is_prompt(row: Mapping[str, Any]) -> bool:
    """Whether a notice asks something; nothing but its fields tells."""
    return "reqId" in row and "orderId" in row


def affirmative(options: tuple[str, ...]) -> str | None:
    """The option that agrees for this once; ``None`` where the words do not tell it apart."""
    found = [
        option
        for option in options
        if not option.strip().lower().startswith(("do not", "don't", "no", "cancel", "always", "never"))
    ]
    return found[0] if len(found) == 1 else None


def negative(options: tuple[str, ...]) -> str | None:
    """The option that declines for this once; ``None`` where the words do not tell it apart.

    To cancel may mean the order, and what holds for ever is nobody's to say but a person's.
    """
    found = [
        option
        for option in options
        if re.match(r"(do not|don't|no)\b", option.strip().lower()) and not _FOR_EVER.search(option.lower())
    ]
    return found[0] if len(found) == 1 else None


def prompt_answer(order_id: str, request_id: str, option: str) -> dict[str, Any]:
    """Write the answer to a prompt."""
    number = numbers.integer(order_id)
    if number is None:
        raise UnexpectedAnswer(
            f"the prompt is about an order with the id {order_id!r:.40}, which is no number."
        )
    return {"orderId": number, "reqId": request_id, "text": option}
