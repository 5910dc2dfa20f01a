"""Watchlists: named lists of contracts that a user keeps.

Source: Web API reference, "Watchlists", and recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.table import Table


@attrs.frozen(kw_only=True)
class WatchlistName(Shown):
    """A watchlist without its rows; IBKR's own have ids that are no numbers of ours."""

    watchlist_id: str
    name: str | None = None
    kind: str | None = None
    modified: datetime | None = None
    read_only: bool | None = None
    is_system: bool = False


@attrs.frozen(kw_only=True)
class Listed(Shown):
    """A row of a watchlist; the first answer on a list may have the contract id and no more."""

    conid: int
    symbol: str | None = None
    name: str | None = None
    asset_class: str | None = None


@attrs.frozen(kw_only=True)
class Watchlist(Shown):
    """A watchlist with its rows; blank rows are left out."""

    watchlist_id: str
    name: str | None
    rows: Table[Listed]
    read_only: bool | None = None


LIST_COLUMNS: Mapping[str, Callable[[WatchlistName], Any]] = {
    "id": attrgetter("watchlist_id"),
    "name": attrgetter("name"),
    "type": attrgetter("kind"),
    "modified": attrgetter("modified"),
    "read only": attrgetter("read_only"),
    "IBKR's own": attrgetter("is_system"),
}
LISTED_COLUMNS: Mapping[str, Callable[[Listed], Any]] = {
    "conid": attrgetter("conid"),
    "symbol": attrgetter("symbol"),
    "name": attrgetter("name"),
    "class": attrgetter("asset_class"),
}
