"""Speak of watchlists: what is written to make one, and what is read back.

When to send, and what must not be sent, is for :mod:`ibkr_adapter.watchlists`.

Source: Web API reference, "Watchlists", and recorded answers; held by ``tests/unit/test_wire_watchlists.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.table import Table
from ibkr_adapter.model.watchlist import LISTED_COLUMNS, Listed, Watchlist, WatchlistName
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping, rows

WATCHLISTS = "GET /iserver/watchlists"
WATCHLIST = "GET /iserver/watchlist"


def watchlist_body(watchlist_id: str, name: str, conids: Iterable[int]) -> dict[str, Any]:
    """Write a new watchlist."""
    return {"id": watchlist_id, "name": name, "rows": [{"C": conid} for conid in conids]}


def read_watchlists(content: Any) -> tuple[WatchlistName, ...]:
    """Read the lists without their rows: the user's own, and IBKR's where they were asked for."""
    body = mapping(content, WATCHLISTS, "the watchlists")
    body = mapping(body.get("data"), WATCHLISTS, "the watchlists")
    return tuple(
        WatchlistName(
            watchlist_id=_id(row, WATCHLISTS),
            name=numbers.text(row.get("name")),
            kind=numbers.text(row.get("type")),
            modified=numbers.moment(row.get("modified")),
            read_only=numbers.flag(row.get("read_only")),
            is_system=key == "system_lists",
        )
        for key in ("user_lists", "system_lists")
        for row in rows(body.get(key) or [], WATCHLISTS, "the watchlists")
    )


def read_watchlist(content: Any) -> Watchlist:
    """Read a list with its rows; blank rows have no contract and are left out."""
    body = mapping(content, WATCHLIST, "the watchlist")
    name = numbers.text(body.get("name"))
    found = []
    for row in rows(body.get("instruments") or [], WATCHLIST, "the rows of a watchlist"):
        conid = numbers.conid(row.get("conid")) or numbers.conid(row.get("C"))
        if conid is None:
            continue
        found.append(
            Listed(
                conid=conid,
                symbol=numbers.text(row.get("ticker")) or numbers.text(row.get("fullName")),
                name=numbers.text(row.get("name")),
                asset_class=numbers.text(row.get("assetClass")) or numbers.text(row.get("ST")),
            )
        )
    return Watchlist(
        watchlist_id=_id(body, WATCHLIST),
        name=name,
        rows=Table(found, LISTED_COLUMNS, title=name or "watchlist"),
        read_only=numbers.flag(body.get("readOnly")),
    )


def read_made(content: Any) -> str | None:
    """Read the id out of the answer to a new list."""
    return numbers.text(content.get("id")) if isinstance(content, Mapping) else None


def read_deleted(content: Any) -> str | None:
    """Read which list an answer says was deleted."""
    body = content.get("data") if isinstance(content, Mapping) else None
    return numbers.text(body.get("deleted")) if isinstance(body, Mapping) else None


def _id(row: Mapping[str, Any], endpoint: str) -> str:
    value = row.get("id")
    number = numbers.integer(value)
    found = numbers.text(value) or (None if number is None else str(number))
    if found is None:
        raise UnexpectedAnswer("a watchlist came without its id.", endpoint=endpoint)
    return found
