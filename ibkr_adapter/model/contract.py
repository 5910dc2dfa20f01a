"""Contracts: what kind, and which one.

The rules that orders on them must keep are in :mod:`ibkr_adapter.model.rules`, what a search found
under a name in :mod:`ibkr_adapter.model.instrument`, and how IBKR writes all this is for
:mod:`ibkr_adapter.wire.contracts`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import attrs

from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.ticks import TickStep


class SecType(StrEnum):
    """What kind of instrument a contract is, in IBKR's spelling; words unknown to us are ``UNKNOWN``."""

    STOCK = "STK"
    OPTION = "OPT"
    FUTURE = "FUT"
    FUTURE_OPTION = "FOP"
    INDEX = "IND"
    FOREX = "CASH"
    BOND = "BOND"
    BILL = "BILL"
    FUND = "FUND"
    WARRANT = "WAR"
    STRUCTURED = "IOPT"
    CFD = "CFD"
    COMBO = "BAG"
    CRYPTO = "CRYPTO"
    COMMODITY = "CMDTY"
    UNKNOWN = ""

    @classmethod
    def _missing_(cls, value: object) -> SecType:
        # What is merely described must not stop the reading of what is next to it.
        known = value.strip().upper() if isinstance(value, str) else ""
        return next((member for member in cls if member.value == known), cls.UNKNOWN)


@attrs.frozen(kw_only=True)
class Contract(Shown):
    """One product in one currency.

    ``exchange`` is the primary listing where IBKR names it and ``SMART`` where it names only the
    routing. ``multiplier`` is how many units one price stands for. ``con_type`` is IBKR's finer
    word for stocks (COMMON, ETF, ADR). ``expiry`` is the day it ends as ``YYYYMMDD``,
    ``contract_month`` its delivery month as ``YYYYMM``: crude oil for December ends in November.
    ``route`` is the exchange the caller wants orders sent to, where he named one with the id.
    """

    conid: int = attrs.field(validator=attrs.validators.gt(0))
    symbol: str
    sec_type: SecType
    exchange: str = ""
    currency: str | None = None
    name: str | None = None
    local_symbol: str | None = None
    multiplier: Decimal = attrs.field(default=Decimal(1), validator=attrs.validators.gt(Decimal(0)))
    is_us: bool | None = None
    con_type: str | None = None
    ticks: tuple[TickStep, ...] = ()
    valid_exchanges: tuple[str, ...] = ()
    trading_class: str | None = None
    underlying_conid: int | None = None
    expiry: str | None = None
    strike: Decimal | None = None
    right: str | None = None
    contract_month: str | None = None
    cusip: str | None = None
    coupon: Decimal | None = None
    route: str | None = None
