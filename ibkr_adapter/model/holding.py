"""What an account holds besides plain positions: figures by segment, shares of a whole, combinations.

Amounts are in the currency beside them. What IBKR did not send, or sent as something else than a
number, has no amount; its own words are kept. How IBKR spells all this is for
:mod:`ibkr_adapter.wire.balances` and :mod:`ibkr_adapter.wire.allocation`.

Source: Web API reference, "Account Summary" with its four sub-paths, "Portfolio Allocation", "Combination Positions".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.model.account import Account, LedgerRow, PnlRow, Position
from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class Figure(Shown):
    """One figure of an account, rounded to whole units of ``currency`` by IBKR.

    ``segment`` is ``total``, ``securities``, ``commodities`` or a coin's custodian; of market values it
    is the currency. ``name`` is IBKR's own key, abbreviated as it sends it. ``amount`` is missing where
    ``text`` is no number, such as ``Unlimited``.
    """

    segment: str
    name: str
    text: str
    amount: Decimal | None = None
    currency: str | None = None


@attrs.frozen(kw_only=True)
class Share(Shown):
    """A part of what is held: of the asset classes, the sectors, the groups, the countries.

    ``view`` is what is told apart, ``side`` long or short. ``value`` is in the base currency;
    ``weight``, a fraction of the whole, comes from the analyst's allocation only.
    """

    view: str
    side: str
    name: str
    value: Decimal | None = None
    weight: Decimal | None = None
    key: str | None = None


@attrs.frozen(kw_only=True)
class HeldLeg(Shown):
    """A leg of a combination that is held; a negative ratio is sold when the combination is bought."""

    conid: int
    ratio: Decimal


@attrs.frozen(kw_only=True)
class HeldCombo(Shown):
    """A combination that is held: its legs, and the positions that they are.

    The positions are in the list of positions as well: never add the two.
    """

    name: str | None
    description: str | None
    legs: tuple[HeldLeg, ...] = ()
    positions: tuple[Position, ...] = ()


@attrs.frozen(kw_only=True)
class FoundAccount(Shown):
    """An account that a search found."""

    account_id: str
    alias: str | None = None
    allocation_id: str | None = None


@attrs.frozen(kw_only=True)
class Owner(Shown):
    """Who may act for an account. Names are people's own, so they are in no log and no repr.

    IBKR sends the date of birth as well; it is not kept.
    """

    role: str | None
    has_rights: bool | None = None
    user_name: str | None = attrs.field(default=None, repr=False)
    first_name: str | None = attrs.field(default=None, repr=False)
    last_name: str | None = attrs.field(default=None, repr=False)
    entity_name: str | None = attrs.field(default=None, repr=False)
    entity_type: str | None = None


@attrs.frozen(kw_only=True)
class Owners(Shown):
    """The users of an account, and whose signatures stand under it."""

    account_id: str | None
    users: tuple[Owner, ...] = ()
    signatures: tuple[str, ...] = attrs.field(default=(), repr=False)


def _legs(row: HeldCombo) -> str:
    return ", ".join(f"{leg.ratio:f}*{leg.conid}" for leg in row.legs)


def _positions(row: HeldCombo) -> int:
    return len(row.positions)


ACCOUNT_COLUMNS: Mapping[str, Callable[[Account], Any]] = {
    "account": attrgetter("account_id"),
    "title": attrgetter("title"),
    "alias": attrgetter("alias"),
    "currency": attrgetter("currency"),
    "type": attrgetter("account_type"),
    "paper": attrgetter("is_paper"),
    "parent": attrgetter("parent_id"),
}
POSITION_COLUMNS: Mapping[str, Callable[[Position], Any]] = {
    "account": attrgetter("account_id"),
    "symbol": attrgetter("symbol"),
    "conid": attrgetter("conid"),
    "class": attrgetter("sec_type.value"),
    "quantity": attrgetter("quantity"),
    "currency": attrgetter("currency"),
    "average price": attrgetter("average_price"),
    "market price": attrgetter("market_price"),
    "market value": attrgetter("market_value"),
    "unrealised": attrgetter("unrealised"),
    "realised": attrgetter("realised"),
    "model": attrgetter("model"),
}
LEDGER_COLUMNS: Mapping[str, Callable[[LedgerRow], Any]] = {
    "currency": attrgetter("currency"),
    "cash": attrgetter("cash"),
    "settled cash": attrgetter("settled_cash"),
    "net liquidation": attrgetter("net_liquidation"),
    "stocks": attrgetter("stock_value"),
    "unrealised": attrgetter("unrealised"),
    "realised": attrgetter("realised"),
    "interest": attrgetter("interest"),
    "dividends": attrgetter("dividends"),
    "rate": attrgetter("exchange_rate"),
}
PNL_COLUMNS: Mapping[str, Callable[[PnlRow], Any]] = {
    "account": attrgetter("account_id"),
    "model": attrgetter("model"),
    "daily": attrgetter("daily"),
    "unrealised": attrgetter("unrealised"),
    "net liquidation": attrgetter("net_liquidation"),
    "excess liquidity": attrgetter("excess_liquidity"),
    "market value": attrgetter("market_value"),
}
FIGURE_COLUMNS: Mapping[str, Callable[[Figure], Any]] = {
    "segment": attrgetter("segment"),
    "name": attrgetter("name"),
    "amount": attrgetter("amount"),
    "currency": attrgetter("currency"),
    "text": attrgetter("text"),
}
SHARE_COLUMNS: Mapping[str, Callable[[Share], Any]] = {
    "view": attrgetter("view"),
    "side": attrgetter("side"),
    "name": attrgetter("name"),
    "value": attrgetter("value"),
    "weight": attrgetter("weight"),
}
COMBO_COLUMNS: Mapping[str, Callable[[HeldCombo], Any]] = {
    "name": attrgetter("name"),
    "description": attrgetter("description"),
    "legs": _legs,
    "positions": _positions,
}
FOUND_COLUMNS: Mapping[str, Callable[[FoundAccount], Any]] = {
    "account": attrgetter("account_id"),
    "alias": attrgetter("alias"),
    "allocation id": attrgetter("allocation_id"),
}
