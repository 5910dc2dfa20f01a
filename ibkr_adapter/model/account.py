"""Accounts, positions, balances and profit as values.

Amounts are in the currency that stands beside them, and one that IBKR did not send is ``None``,
never 0: a balance of nothing and a balance unknown lead to different decisions. How IBKR spells
all this is for :mod:`ibkr_adapter.wire.portfolio`.

Source: Web API reference, "Portfolio" and "Accounts", and answers recorded from accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import attrs

from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class Account(Shown):
    """One account of a login.

    ``currency`` is its base currency, ``account_type`` IBKR's word, such as INDIVIDUAL or DEMO.
    ``is_paper`` is missing where nothing tells; what is missing may be a live account. ``clearing`` is
    IBKR's letter: O open, P pending, N new, A abandoned, C closed, R rejected. ``parent_id`` is the
    account above it in a structure of several, ``clients`` are those below a money manager.
    ``has_brokerage_access`` differs between answers for the same account.
    """

    account_id: str
    title: str | None = None
    alias: str | None = None
    currency: str | None = None
    account_type: str | None = None
    is_paper: bool | None = None
    supports_fractions: bool | None = None
    supports_cash_qty: bool | None = None
    opened: datetime | None = None
    trading_type: str | None = None
    business_type: str | None = None
    customer_type: str | None = None
    entity: str | None = None
    clearing: str | None = None
    is_adviser: bool | None = None
    has_brokerage_access: bool | None = None
    parent_id: str | None = None
    clients: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Position(Shown):
    """What an account holds of one contract, in the contract's ``currency``.

    ``quantity`` is signed: short is negative. ``average_price`` is per unit, ``average_cost`` per
    contract with its multiplier. ``model`` is the advisor's model that holds it, mostly none.
    ``expiry`` (``YYYYMMDD``), ``strike``, ``right`` and ``underlying_conid`` are those of
    derivatives, where IBKR's answer has them.
    """

    account_id: str
    conid: int = attrs.field(validator=attrs.validators.gt(0))
    symbol: str
    sec_type: SecType
    quantity: Decimal
    currency: str | None
    description: str | None = None
    average_price: Decimal | None = None
    average_cost: Decimal | None = None
    market_price: Decimal | None = None
    market_value: Decimal | None = None
    unrealised: Decimal | None = None
    realised: Decimal | None = None
    multiplier: Decimal = attrs.field(default=Decimal(1), validator=attrs.validators.gt(Decimal(0)))
    model: str | None = None
    at: datetime | None = None
    expiry: str | None = None
    strike: Decimal | None = None
    right: str | None = None
    underlying_conid: int | None = None

    @property
    def is_flat(self) -> bool:
        """Whether nothing is held; IBKR lists what was closed today as well."""
        return self.quantity == 0


@attrs.frozen(kw_only=True)
class LedgerRow(Shown):
    """Cash and values in one currency.

    ``exchange_rate`` is base currency per unit of ``currency``. The row whose currency is
    ``BASE`` is the sum of all others in the base currency: never add it to them. ``values`` has
    every figure that came, under IBKR's names, such as ``futuremarketvalue``.
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
    values: Mapping[str, Decimal] = attrs.field(factory=dict, repr=False, hash=False)

    @property
    def is_base(self) -> bool:
        """Whether this is the sum of the others."""
        return self.currency == "BASE"


@attrs.frozen(kw_only=True)
class AccountSummary(Shown):
    """What an account is worth and may still buy, in its base ``currency``.

    ``cushion`` is the share of the net liquidation that is excess. ``raw`` has every key that
    came, amounts as decimals and the rest as texts.
    """

    currency: str | None
    net_liquidation: Decimal | None = None
    available_funds: Decimal | None = None
    buying_power: Decimal | None = None
    total_cash: Decimal | None = None
    excess_liquidity: Decimal | None = None
    equity_with_loan: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    cushion: Decimal | None = None
    account_id: str | None = None
    at: datetime | None = None
    raw: Mapping[str, Decimal | str | None] = attrs.field(factory=dict, repr=False, hash=False)


@attrs.frozen(kw_only=True)
class PnlRow(Shown):
    """Today's profit of one account; ``model`` is an advisor's model, or ``Core`` for none."""

    account_id: str
    model: str
    daily: Decimal | None = None
    unrealised: Decimal | None = None
    net_liquidation: Decimal | None = None
    excess_liquidity: Decimal | None = None
    market_value: Decimal | None = None
