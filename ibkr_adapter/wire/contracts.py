"""Read listings, contracts, trading hours and the rules that orders on a contract must keep.

The rules speak a vocabulary of their own (``trailing_stop`` for TRAIL) and write times in force as
little grammars (``GTC/o,a``). No row is ever skipped: a listing left out could make an ambiguous
name look clear. Choosing among listings is for :mod:`ibkr_adapter.conids`.

Source: Web API reference, "Security Stocks by Symbol", "Security Definition", "Search Contract by
Symbol", "Contract Information and Rules", "Trading Schedule", and recorded answers; held by
``tests/unit/test_wire_contracts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import ApiError, UnexpectedAnswer
from ibkr_adapter.model.contract import (
    Candidate,
    Contract,
    Hours,
    Rules,
    Schedule,
    SearchHit,
    Section,
    SecType,
    TickStep,
    TifRule,
)
from ibkr_adapter.wire import numbers

STOCKS = "GET /trsrv/stocks"
SECDEF = "GET /trsrv/secdef"
INFO = "GET /iserver/contract/{conid}/info"
RULES = "GET /iserver/contract/{conid}/info-and-rules"
SEARCH = "GET /iserver/secdef/search"
SCHEDULE = "GET /contract/trading-schedule"

# The rules' words for the types of tickets; a word that is not here is kept in capitals.
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

_CLASS_SHARE = re.compile(r"([A-Z0-9]+)[ ./-]([A-Z]{1,2})")
# What a row of rules must have at least one of, to be recognised.
_RULE_KEYS = frozenset({"orderTypes", "increment", "incrementRules", "tifTypes"})


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
            ticks=_ticks(row.get("incrementRules"), SECDEF),
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


def read_rules(content: Any, conid: int) -> Rules:
    """Read rules that come alone, in a list, or beside the contract.

    Where the tick table is missing, the one increment at the current price stands for it.

    Raises:
        ApiError: IBKR answered with an error inside the rules; nothing was sent.
        UnexpectedAnswer: It is nothing that could be rules; nothing was sent.
    """
    body = _object(content, RULES, f"the rules of {conid}")
    inner = body.get("rules", body)
    if isinstance(inner, list) and len(inner) == 1:
        inner = inner[0]
    rules = _object(inner, RULES, f"the rules of {conid}")
    refusal = numbers.text(rules.get("error"))
    if refusal is not None:
        raise ApiError(
            f"IBKR gives no rules for {conid}: {refusal}; nothing was sent.", endpoint=RULES, text=refusal
        )
    if not _RULE_KEYS & rules.keys():
        raise UnexpectedAnswer(
            f"the rules of {conid} came without any rule; nothing was sent.", endpoint=RULES
        )
    accounts = rules.get("canTradeAcctIds")
    fractions, digits = _types(rules.get("fraqTypes")), numbers.integer(rules.get("fraqInt"))
    increment = numbers.decimal(rules.get("increment"))
    ticks = _ticks(rules.get("incrementRules"), RULES)
    if not ticks and increment is not None and increment > 0:
        ticks = (TickStep(lower_edge=Decimal(0), increment=increment),)
    return Rules(
        conid=conid,
        ticks=ticks,
        order_types=_types(rules.get("orderTypes")),
        order_types_outside=_types(rules.get("orderTypesOutside")),
        tifs=dict(_tif(written) for written in _texts(rules.get("tifTypes"))),
        fraction_digits=digits if fractions and digits is not None and digits > 0 else None,
        fraction_types=fractions,
        cash_types=_types(rules.get("cqtTypes")),
        can_trade_accounts=None if accounts is None else frozenset(_texts(accounts)),
        default_limit=numbers.decimal(rules.get("limitPrice")),
        default_stop=numbers.decimal(rules.get("stopprice", rules.get("stopPrice"))),
        increment=increment,
        increment_digits=numbers.integer(rules.get("incrementDigits")),
        size_increment=numbers.decimal(rules.get("sizeIncrement")),
        price_magnifier=numbers.decimal(rules.get("priceMagnifier")),
        overnight=numbers.flag(rules.get("overnightEligible")),
        negative_prices=numbers.flag(rules.get("negativeCapable")),
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


def read_trading_schedule(content: Any) -> Schedule:
    """Read the days around now; holidays are simply not among them."""
    body = _object(content, SCHEDULE, "the trading schedule")
    days = _object(body.get("schedules"), SCHEDULE, "the trading schedule").values()
    zone = numbers.text(body.get("exchange_time_zone"))
    if zone is None:
        raise UnexpectedAnswer("the trading schedule came without its time zone.", endpoint=SCHEDULE)
    regular: list[Hours] = []
    extended: list[Hours] = []
    for day in days:
        row = _object(day, SCHEDULE, "a trading day")
        regular += (_hours(hours) for hours in _rows(row.get("liquid_hours") or [], SCHEDULE, "the hours"))
        extended += (_hours(hours) for hours in _rows(row.get("extended_hours") or [], SCHEDULE, "the hours"))
    return Schedule(
        zone=zone,
        regular=tuple(sorted(regular, key=lambda hours: hours.opens)),
        extended=tuple(sorted(extended, key=lambda hours: hours.opens)),
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


def _ticks(rows: Any, endpoint: str) -> tuple[TickStep, ...]:
    steps = []
    for row in _rows(rows or [], endpoint, "the price increments"):
        edge, increment = numbers.decimal(row.get("lowerEdge")), numbers.decimal(row.get("increment"))
        if edge is None or edge < 0 or increment is None or increment <= 0:
            raise UnexpectedAnswer(
                "a row of the price increments is incomplete; nothing was sent.", endpoint=endpoint
            )
        steps.append(TickStep(lower_edge=edge, increment=increment))
    return tuple(sorted(steps, key=lambda step: step.lower_edge))


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


def _hours(row: Mapping[str, Any]) -> Hours:
    opens, closes = numbers.moment(row.get("opening")), numbers.moment(row.get("closing"))
    if opens is None or closes is None:
        raise UnexpectedAnswer("trading hours came without their times.", endpoint=SCHEDULE)
    return Hours(opens=opens, closes=closes)


def _tif(written: str) -> tuple[str, TifRule]:
    name, _, rest = written.partition("/")
    marks = [mark.strip() for mark in rest.split(",") if mark.strip()]
    # Capitals restrict the order types; small letters are marks.
    types = frozenset(_type(mark) for mark in marks if mark == mark.upper())
    return name.strip().upper(), TifRule(order_types=types or None, outside="o" in marks, algos="a" in marks)


def _type(word: str) -> str:
    return ORDER_TYPES.get(word.strip().lower(), word.strip().upper())


def _types(value: Any) -> frozenset[str]:
    return frozenset(_type(word) for word in _texts(value))


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise UnexpectedAnswer(
            "a list in the rules came in an unknown shape; nothing was sent.", endpoint=RULES
        )
    return value


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
