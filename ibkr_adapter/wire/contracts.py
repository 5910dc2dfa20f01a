"""Read listings, contracts and searches.

No row is ever skipped: a listing left out could make an ambiguous name look clear. Choosing among
listings is for :mod:`ibkr_adapter.conids`; the rules of contracts are in
:mod:`ibkr_adapter.wire.rules`.

Source: Web API reference, "Security Stocks by Symbol", "Security Definition", "Search Contract by
Symbol", and recorded answers; held by ``tests/unit/test_wire_contracts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import Candidate, Contract, SearchHit, Section, SecType
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rules import read_ticks

STOCKS = "GET /trsrv/stocks"
SECDEF = "GET /trsrv/secdef"
INFO = "GET /iserver/contract/{conid}/info"
SEARCH = "GET /iserver/secdef/search"

_CLASS_SHARE = re.compile(r"([A-Z0-9]+)[ ./-]([A-Z]{1,2})")


def class_share_spellings(symbol: str) -> tuple[str, ...]:
    """The spellings to try, the likeliest first.

    IBKR writes a class of shares after a space (``BRK B``), people after a dot, dash or slash.
    """
    found = _CLASS_SHARE.fullmatch(symbol)
    return tuple(dict.fromkeys((f"{found[1]} {found[2]}", symbol))) if found else (symbol,)


def read_stocks(content: Any, symbol: str) -> tuple[Candidate, ...]:
    """Read every listing of every company under a symbol; an unknown symbol has none."""
    companies = _object(content, STOCKS, "the listings").get(symbol)
    found = []
    for company in _rows(companies or [], STOCKS, f"the companies under {symbol}"):
        for listing in _rows(company.get("contracts"), STOCKS, f"the listings of {symbol}"):
            conid, exchange = numbers.conid(listing.get("conid")), numbers.text(listing.get("exchange"))
            if conid is None or exchange is None:
                raise UnexpectedAnswer(
                    f"a listing of {symbol} came without its id or exchange; nothing was sent.",
                    endpoint=STOCKS,
                )
            found.append(
                Candidate(
                    conid=conid,
                    symbol=symbol,
                    name=numbers.text(company.get("name")) or symbol,
                    exchange=exchange,
                    is_us=numbers.flag(listing.get("isUS")),
                )
            )
    return tuple(found)


def read_secdef(content: Any) -> tuple[Contract, ...]:
    """Read definitions of known contracts; the cheapest source of a tick table."""
    body = _object(content, SECDEF, "the definitions")
    return tuple(
        Contract(
            **_identity(row, SECDEF, ("conid",), ("ticker", "symbol"), "assetClass"),
            exchange=numbers.text(row.get("listingExchange")) or "",
            currency=numbers.text(row.get("currency")),
            name=numbers.text(row.get("name")),
            multiplier=_multiplier(row.get("multiplier"), SECDEF),
            is_us=numbers.flag(row.get("isUS")),
            con_type=numbers.text(row.get("type")),
            ticks=read_ticks(row.get("incrementRules"), SECDEF),
            valid_exchanges=_split(row.get("allExchanges"), ","),
            underlying_conid=numbers.conid(row.get("undConid")),
            expiry=numbers.text(row.get("expiry")),
            # Contracts without a strike have the text "0".
            strike=numbers.decimal(row.get("strike")) or None,
            right=_right(row.get("putOrCall")),
        )
        for row in _rows(body.get("secdef"), SECDEF, "the definitions")
    )


def read_contract_info(content: Any) -> Contract:
    """Read one contract in detail, with or without its rules beside it."""
    row = _object(content, INFO, "the contract")
    return Contract(
        **_identity(row, INFO, ("con_id", "conid"), ("symbol",), "instrument_type"),
        exchange=numbers.text(row.get("exchange")) or "",
        currency=numbers.text(row.get("currency")),
        name=numbers.text(row.get("company_name")),
        local_symbol=numbers.text(row.get("local_symbol")),
        multiplier=_multiplier(row.get("multiplier"), INFO),
        valid_exchanges=_split(row.get("valid_exchanges"), ","),
        trading_class=numbers.text(row.get("trading_class")),
        underlying_conid=numbers.conid(row.get("underlying_con_id")),
        expiry=numbers.text(row.get("maturity_date")),
        strike=numbers.decimal(row.get("strike")) or None,
        right=_right(row.get("right")),
    )


def read_search(content: Any) -> tuple[SearchHit, ...]:
    """Read a search; nothing found is an empty list, nothing at all, or an error in words."""
    if content in (None, "", {}) or (isinstance(content, Mapping) and "error" in content):
        return ()
    return tuple(
        SearchHit(
            conid=numbers.conid(row.get("conid")),
            symbol=numbers.text(row.get("symbol")),
            name=numbers.text(row.get("companyName")) or numbers.text(row.get("companyHeader")),
            exchange=numbers.text(row.get("description")),
            sections=tuple(
                Section(
                    sec_type=SecType(section.get("secType") or ""),
                    months=_split(section.get("months"), ";"),
                    exchanges=_split(section.get("exchange"), ";"),
                    conid=numbers.conid(section.get("conid")),
                )
                for section in _rows(row.get("sections") or [], SEARCH, "the sections of a result")
            ),
            expiries=_split(row.get("opt"), ";"),
        )
        for row in _rows(content, SEARCH, "the results")
    )


def _identity(
    row: Mapping[str, Any], endpoint: str, ids: tuple[str, ...], names: tuple[str, ...], kind: str
) -> dict[str, Any]:
    conid = next((found for key in ids if (found := numbers.conid(row.get(key))) is not None), None)
    symbol = next((words for key in names if (words := numbers.text(row.get(key))) is not None), None)
    sec_type = SecType(row.get(kind) or "")
    if conid is None or symbol is None or sec_type is SecType.UNKNOWN:
        raise UnexpectedAnswer(
            "a contract came without its id or symbol, or of an unknown kind; nothing was sent.",
            endpoint=endpoint,
        )
    return {"conid": conid, "symbol": symbol, "sec_type": sec_type}


def _multiplier(value: Any, endpoint: str) -> Decimal:
    # IBKR writes null, an empty text or zero for contracts without one.
    written = numbers.decimal(value) or Decimal(1)
    if written < 0:
        raise UnexpectedAnswer(
            "a contract came with a negative multiplier; nothing was sent.", endpoint=endpoint
        )
    return written


def _right(value: Any) -> str | None:
    # "C", "CALL" and "P", "PUT" occur; "?" and 0 mean that there is none.
    return {"C": "C", "P": "P"}.get((numbers.text(value) or "")[:1].upper())


def _split(value: Any, separator: str) -> tuple[str, ...]:
    # A trailing separator is common.
    return tuple(part.strip() for part in (numbers.text(value) or "").split(separator) if part.strip())


def _rows(content: Any, endpoint: str, what: str) -> list[Mapping[str, Any]]:
    if not isinstance(content, list):
        raise UnexpectedAnswer(f"{what} came in an unknown shape; nothing was sent.", endpoint=endpoint)
    return [_object(row, endpoint, what) for row in content]


def _object(content: Any, endpoint: str, what: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer(f"{what} came in an unknown shape; nothing was sent.", endpoint=endpoint)
    return content
