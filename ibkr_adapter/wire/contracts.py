"""Read contracts, trading hours and the rules that orders on a contract must keep.

The rules speak a vocabulary of their own (``trailing_stop`` for TRAIL) and write times in force as
little grammars (``GTC/o,a``). Listings and searches are read by :mod:`ibkr_adapter.wire.discovery`.

Source: Web API reference, "Security Definition", "Contract Information and Rules", "Trading
Schedule", and recorded answers; held by
``tests/unit/test_wire_contracts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import ApiError, UnexpectedAnswer
from ibkr_adapter.model.contract import (
    Contract,
    Hours,
    Rules,
    Schedule,
    SecType,
    TickStep,
    TifRule,
)
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping as _object
from ibkr_adapter.wire.rows import rows as _rows
from ibkr_adapter.wire.rows import split as _split

SECDEF = "GET /trsrv/secdef"
INFO = "GET /iserver/contract/{conid}/info"
RULES = "GET /iserver/contract/{conid}/info-and-rules"
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

_MONTH = re.compile(r"[0-9]{4}(?:0[1-9]|1[0-2])")
# What a row of rules must have at least one of, to be recognised.
_RULE_KEYS = frozenset({"orderTypes", "increment", "incrementRules", "tifTypes"})


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
            ticks=_ticks(row.get("incrementRules"), SECDEF),
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
        contract_month=_month(row.get("contract_month"), row.get("expiry_full")),
        cusip=numbers.text(row.get("cusip")),
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
