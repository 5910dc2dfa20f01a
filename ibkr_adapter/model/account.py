"""Accounts, positions, cash and profit as values.

What IBKR did not say is ``None``, never zero. How IBKR spells all this, in more than one way for
the same figure, is for :mod:`ibkr_adapter.wire.portfolio`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import attrs

from ibkr_adapter.model.contract import SecType

BASE = "BASE"


@attrs.frozen(kw_only=True)
class Account:
    """One account of a login; ``currency`` is its base currency.

    ``is_paper`` is ``None`` where nothing tells paper from live. The two properties are known
    over the brokerage session only. The title is a person's name and stays out of reprs.
    """

    account_id: str
    title: str | None = attrs.field(default=None, repr=False)
    alias: str | None = None
    currency: str | None = None
    account_type: str | None = None
    is_paper: bool | None = None
    is_adviser: bool | None = None
    parent_id: str | None = None
    supports_fractions: bool | None = None
    supports_cash_qty: bool | None = None


@attrs.frozen(kw_only=True)
class Position:
    """What an account holds of a contract; ``quantity`` is negative for a short position.

    ``average_price`` is per unit, ``average_cost`` includes the multiplier. All amounts are in
    ``currency``, that of the position. ``model`` is empty outside advisers' models.
    """

    account_id: str
    conid: int
    symbol: str
    quantity: Decimal
    sec_type: SecType
    currency: str | None = None
    description: str = ""
    average_price: Decimal | None = None
    average_cost: Decimal | None = None
    market_price: Decimal | None = None
    market_value: Decimal | None = None
    unrealised: Decimal | None = None
    realised: Decimal | None = None
    multiplier: Decimal = Decimal(1)
    model: str = ""
    at: datetime | None = None

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held: closed positions stay listed for a while."""
        return not self.quantity


@attrs.frozen(kw_only=True)
class LedgerRow:
    """Cash and values in one currency; ``exchange_rate`` is base currency per unit of it.

    The row of the currency ``BASE`` is the sum of all the others in the base currency.
    """

    currency: str
    cash: Decimal | None = None
    settled_cash: Decimal | None = None
    net_liquidation: Decimal | None = None
    stock_value: Decimal | None = None
    unrealised: Decimal | None = None
    realised: Decimal | None = None
    interest: Decimal | None = None
    dividends: Decimal | None = None
    exchange_rate: Decimal | None = None
    at: datetime | None = None

    @property
    def is_total(self) -> bool:
        """Whether this row sums up the others; adding it to them would count everything twice."""
        return self.currency == BASE


@attrs.frozen(kw_only=True)
class AccountSummary:
    """What an account is worth and what it may still do, in its base currency.

    ``raw`` holds every figure that IBKR sent under IBKR's key: a number, a text, or ``None``
    where the key does not apply to this account. ``cash`` is by currency, where it was sent.
    """

    account_id: str | None = None
    account_type: str | None = None
    currency: str | None = None
    net_liquidation: Decimal | None = None
    available_funds: Decimal | None = None
    buying_power: Decimal | None = None
    total_cash: Decimal | None = None
    excess_liquidity: Decimal | None = None
    equity_with_loan: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    cushion: Decimal | None = None
    at: datetime | None = None
    cash: Mapping[str, Decimal] = attrs.field(factory=dict)
    raw: Mapping[str, Decimal | str | None] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class PnlRow:
    """Today's profit of an account, or of one model in it; ``Core`` is what no model holds."""

    account_id: str
    model: str
    daily: Decimal | None = None
    unrealised: Decimal | None = None
    net_liquidation: Decimal | None = None
    excess_liquidity: Decimal | None = None
    market_value: Decimal | None = None
