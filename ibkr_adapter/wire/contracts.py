"""Read contracts: one in detail, or many definitions at once.

Listings and searches are read by :mod:`ibkr_adapter.wire.discovery`, the rules of contracts and their
trading hours by :mod:`ibkr_adapter.wire.rules`.

Source: Web API reference, "Security Definition", "Contract Information and Rules", and recorded
answers; held by ``tests/unit/test_wire_contracts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping as _object
from ibkr_adapter.wire.rows import rows as _rows
from ibkr_adapter.wire.rows import split as _split
from ibkr_adapter.wire.rules import read_ticks

SECDEF = "GET /trsrv/secdef"
INFO = "GET /iserver/contract/{conid}/info"

_MONTH = re.compile(r"[0-9]{4}(?:0[1-9]|1[0-2])")


def read_secdef(content: Any) -> tuple[Contract, ...]:
    """Read definitions of known contracts; the cheapest source of a tick table."""
    body = _object(content, SECDEF, "the definitions")
    return tuple(
        Contract(
            **identity(row, SECDEF, ("conid",), ("ticker", "symbol"), "assetClass"),
            exchange=numbers.text(row.get("listingExchange")) or "",
            currency=numbers.text(row.get("currency")),
            name=numbers.text(row.get("name")),
            multiplier=multiplier(row.get("multiplier"), SECDEF),
            is_us=numbers.flag(row.get("isUS")),
            con_type=numbers.text(row.get("type")),
            ticks=read_ticks(row.get("incrementRules"), SECDEF),
            valid_exchanges=_split(row.get("allExchanges"), ","),
            underlying_conid=numbers.conid(row.get("undConid")),
            expiry=_day(row.get("expiry"), row.get("lastTradingDay")),
            # Contracts without a strike have the text "0".
            strike=numbers.decimal(row.get("strike")) or None,
            right=right(row.get("putOrCall")),
        )
        for row in _rows(body.get("secdef"), SECDEF, "the definitions")
    )


def read_contract_info(content: Any) -> Contract:
    """Read one contract in detail, with or without its rules beside it."""
    row = _object(content, INFO, "the contract")
    return Contract(
        **identity(row, INFO, ("con_id", "conid"), ("symbol",), "instrument_type"),
        exchange=numbers.text(row.get("exchange")) or "",
        currency=numbers.text(row.get("currency")),
        name=numbers.text(row.get("company_name")),
        local_symbol=numbers.text(row.get("local_symbol")),
        multiplier=multiplier(row.get("multiplier"), INFO),
        valid_exchanges=_split(row.get("valid_exchanges"), ","),
        trading_class=numbers.text(row.get("trading_class")),
        underlying_conid=numbers.conid(row.get("underlying_con_id")),
        expiry=_day(row.get("maturity_date"), row.get("expiry_full")),
        strike=numbers.decimal(row.get("strike")) or None,
        right=right(row.get("right")),
        contract_month=_month(row.get("contract_month"), row.get("expiry_full"), row.get("maturity_date")),
        cusip=numbers.text(row.get("cusip")),
    )


def identity(
    row: Mapping[str, Any], endpoint: str, ids: tuple[str, ...], names: tuple[str, ...], kind: str
) -> dict[str, Any]:
    """Read what every contract must have: its id, its symbol and its kind."""
    conid = next((found for key in ids if (found := numbers.conid(row.get(key))) is not None), None)
    symbol = next((words for key in names if (words := numbers.text(row.get(key))) is not None), None)
    sec_type = SecType(row.get(kind) or "")
    if conid is None or symbol is None or sec_type is SecType.UNKNOWN:
        raise UnexpectedAnswer(
            "a contract came without its id or symbol, or of an unknown kind; nothing was sent.",
            endpoint=endpoint,
        )
    return {"conid": conid, "symbol": symbol, "sec_type": sec_type}


def multiplier(value: Any, endpoint: str) -> Decimal:
    """Read how many units one price stands for."""
    # IBKR writes null, an empty text or zero for contracts without one.
    written = numbers.decimal(value) or Decimal(1)
    if written < 0:
        raise UnexpectedAnswer(
            "a contract came with a negative multiplier; nothing was sent.", endpoint=endpoint
        )
    return written


def right(value: Any) -> str | None:
    """Read which right an option gives, ``C`` or ``P``."""
    # "C", "CALL" and "P", "PUT" occur; "?" and 0 mean that there is none.
    return {"C": "C", "P": "P"}.get((numbers.text(value) or "")[:1].upper())


def _day(*values: Any) -> str | None:
    """The first whole day among what came, as ``YYYYMMDD``."""
    found = next((known for value in values if (known := numbers.day(value)) is not None), None)
    return f"{found:%Y%m%d}" if found is not None else None


def _month(*values: Any) -> str | None:
    """The first month among what came, as ``YYYYMM``; texts and numbers occur."""
    found = (numbers.integer(value) for value in values)
    months = (str(number) for number in found if number is not None)
    return next((month for month in months if _MONTH.fullmatch(month)), None)
