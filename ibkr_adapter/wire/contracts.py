"""Read listings, contracts and the rules that orders on them must keep.

The rules speak a vocabulary of their own (``trailing_stop`` for TRAIL), their times in force are
little grammars (``GTC/o,a``), and the increments come as a table or, in shorter answers, as the
one increment at the current price. A row that would be traded is never guessed at.

Source: Web API reference, "Security Stocks by Symbol", "Contract information and rules", and
recorded answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import Candidate, Contract, Rules, SecType, TickStep, TifRule
from ibkr_adapter.wire import numbers

_STOCKS = "GET /trsrv/stocks"
_INFO = "GET /iserver/contract/{conid}/info-and-rules"
_SEARCH = "GET /iserver/secdef/search"

# The rules' words for the types of tickets.
ORDER_TYPES: Mapping[str, str] = {
    "limit": "LMT",
    "market": "MKT",
    "stop": "STP",
    "stop_limit": "STOP_LIMIT",
    "midprice": "MIDPRICE",
    "mit": "MIT",
    "lit": "LIT",
    "trailing_stop": "TRAIL",
    "trailing_stop_limit": "TRAILLMT",
    "relative": "REL",
    "marketonclose": "MOC",
    "limitonclose": "LOC",
}


@attrs.frozen(kw_only=True)
class Found:
    """One row of a search: enough for a hint, not for a trade."""

    symbol: str
    conid: int | None
    name: str | None
    exchange: str | None
    sections: tuple[str, ...]


def class_share_spellings(symbol: str) -> tuple[str, ...]:
    """The spellings to try: IBKR writes class shares with a space, people with a dot or a dash."""
    spaced = re.sub(r"(?<=[A-Z])[ ./\-](?=[A-Z]{1,2}$)", " ", symbol)
    return (spaced,) if spaced == symbol else (spaced, symbol)


def read_stocks(content: Any, symbol: str) -> list[Candidate]:
    """Read every listing of every company under a symbol; none is an empty list."""
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("the listings came in an unknown shape; nothing was sent.", endpoint=_STOCKS)
    companies = content.get(symbol) or []
    if not isinstance(companies, list):
        raise UnexpectedAnswer("the listings came in an unknown shape; nothing was sent.", endpoint=_STOCKS)
    found = []
    for company in companies:
        listings = company.get("contracts") if isinstance(company, Mapping) else None
        if not isinstance(listings, list):
            raise UnexpectedAnswer(f"a company under {symbol} came without its listings.", endpoint=_STOCKS)
        found += [_candidate(listing, company, symbol) for listing in listings]
    return found


def read_contract_info(content: Any) -> Contract:
    """Read a contract in detail."""
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer("the contract came in an unknown shape; nothing was sent.", endpoint=_INFO)
    conid = numbers.conid(content.get("con_id", content.get("conid")))
    symbol = numbers.text(content.get("symbol"))
    if conid is None or symbol is None:
        raise UnexpectedAnswer(
            "the contract came without its id or symbol; nothing was sent.", endpoint=_INFO
        )
    exchanges = numbers.text(content.get("valid_exchanges")) or ""
    return Contract(
        conid=conid,
        symbol=symbol,
        sec_type=SecType(str(content.get("instrument_type"))),
        exchange=numbers.text(content.get("exchange")) or "",
        currency=numbers.text(content.get("currency")),
        name=numbers.text(content.get("company_name")),
        local_symbol=numbers.text(content.get("local_symbol")),
        multiplier=numbers.decimal(content.get("multiplier")) or Decimal(1),
        valid_exchanges=tuple(name.strip() for name in exchanges.split(",") if name.strip()),
    )


def read_rules(content: Any, conid: int) -> Rules:
    """Read rules, flat, under ``rules``, or beside the contract."""
    if isinstance(content, Mapping) and isinstance(content.get("rules"), Mapping):
        content = content["rules"]
    if not isinstance(content, Mapping):
        raise UnexpectedAnswer(
            f"the rules of {conid} came in an unknown shape; nothing was sent.", endpoint=_INFO
        )
    error = numbers.text(content.get("error"))
    if error is not None:
        raise UnexpectedAnswer(f"IBKR gives no rules for {conid}: {error}", endpoint=_INFO, text=error)
    digits = numbers.integer(content.get("fraqInt"))
    fractions = _types(content.get("fraqTypes"))
    return Rules(
        conid=conid,
        ticks=_ticks(content),
        order_types=_types(content.get("orderTypes")),
        order_types_outside=_types(content.get("orderTypesOutside")),
        tifs=_tifs(content.get("tifTypes")),
        fraction_types=fractions,
        fraction_digits=digits if fractions and digits else None,
        cash_types=_types(content.get("cqtTypes")),
        can_trade_accounts=frozenset(_names(content["canTradeAcctIds"]))
        if "canTradeAcctIds" in content
        else None,
        size_increment=numbers.decimal(content.get("sizeIncrement")),
        price_magnifier=numbers.decimal(content.get("priceMagnifier")),
    )


def read_search(content: Any) -> list[Found]:
    """Read a search; whatever is no list of results is no result."""
    if not isinstance(content, list):
        return []
    found = []
    for row in content:
        if not isinstance(row, Mapping):
            continue
        symbol = numbers.text(row.get("symbol"))
        if symbol is None:
            continue
        sections = row.get("sections")
        found.append(
            Found(
                symbol=symbol,
                conid=numbers.conid(row.get("conid")),
                name=numbers.text(row.get("companyName")),
                exchange=numbers.text(row.get("description")),
                sections=tuple(
                    str(section.get("secType"))
                    for section in (sections if isinstance(sections, list) else [])
                    if isinstance(section, Mapping)
                ),
            )
        )
    return found


def _candidate(listing: Any, company: Mapping[str, Any], symbol: str) -> Candidate:
    conid = numbers.conid(listing.get("conid")) if isinstance(listing, Mapping) else None
    exchange = numbers.text(listing.get("exchange")) if isinstance(listing, Mapping) else None
    if conid is None or exchange is None:
        raise UnexpectedAnswer(
            f"a listing of {symbol} came without its id or exchange; nothing was sent.", endpoint=_STOCKS
        )
    us = listing.get("isUS")
    return Candidate(
        conid=conid,
        symbol=symbol,
        name=numbers.text(company.get("name")) or symbol,
        exchange=exchange,
        is_us=us if isinstance(us, bool) else None,
    )


def _ticks(content: Mapping[str, Any]) -> tuple[TickStep, ...]:
    rows = content.get("incrementRules")
    if isinstance(rows, Sequence) and not isinstance(rows, str) and rows:
        steps = []
        for row in rows:
            edge = numbers.decimal(row.get("lowerEdge")) if isinstance(row, Mapping) else None
            increment = numbers.decimal(row.get("increment")) if isinstance(row, Mapping) else None
            if edge is None or increment is None or increment <= 0:
                raise UnexpectedAnswer(
                    "a row of the price increments is incomplete; nothing was sent.", endpoint=_INFO
                )
            steps.append(TickStep(lower_edge=edge, increment=increment))
        return tuple(sorted(steps, key=lambda step: step.lower_edge))
    increment = numbers.decimal(content.get("increment"))
    # Shorter answers give only the increment at the current price.
    return (
        (TickStep(lower_edge=Decimal(0), increment=increment),)
        if increment is not None and increment > 0
        else ()
    )


def _types(value: Any) -> frozenset[str]:
    return frozenset(ORDER_TYPES.get(name, name.upper()) for name in _names(value))


def _names(value: Any) -> tuple[str, ...]:
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else ()


def _tifs(value: Any) -> dict[str, TifRule]:
    found = {}
    for written in _names(value):
        name, _, rest = written.partition("/")
        marks = [mark.strip() for mark in rest.split(",") if mark.strip()]
        found[name.strip().upper()] = TifRule(
            order_types=frozenset(
                ORDER_TYPES.get(mark.lower(), mark)
                for mark in marks
                if mark.isupper() and mark not in {"O", "A"}
            ),
            outside="o" in marks,
            algos="a" in marks,
        )
    return found
