"""Read the rules that orders on a contract must keep, its trading hours and its algorithms.

The rules speak a vocabulary of their own (``trailing_stop`` for TRAIL) and write times in force as
little grammars (``GTC/o,a``). What is missing stays missing; what silence means is for
:mod:`ibkr_adapter.order_builder` and :mod:`ibkr_adapter.terms`.

Source: Web API reference, "Contract Information and Rules", "Trading Schedule", "Search Algo Params
by Contract ID", and recorded answers; held by ``tests/unit/test_wire_rules.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import ApiError, UnexpectedAnswer
from ibkr_adapter.model.rules import Algo, AlgoParameter, Hours, Rules, Schedule, TifRule
from ibkr_adapter.model.ticks import TickStep
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping as _object
from ibkr_adapter.wire.rows import rows as _rows

RULES = "GET /iserver/contract/{conid}/info-and-rules"
SCHEDULE = "GET /contract/trading-schedule"
ALGOS = "GET /iserver/contract/{conid}/algos"

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
# What rules must have at least one of, to be recognised.
_RULE_KEYS = frozenset({"orderTypes", "increment", "incrementRules", "tifTypes"})


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
    magnifier = numbers.decimal(rules.get("priceMagnifier"))
    ticks = read_ticks(rules.get("incrementRules"), RULES)
    if not ticks and increment is not None and increment > 0:
        ticks = (TickStep(lower_edge=Decimal(0), increment=increment),)
    return Rules(
        conid=conid,
        ticks=ticks,
        order_types=_types(rules.get("orderTypes")),
        order_types_outside=_types(rules.get("orderTypesOutside")),
        algo_types=_types(rules.get("ibAlgoTypes")),
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
        # Zero is one of IBKR's ways to write that there is none.
        price_magnifier=magnifier if magnifier is not None and magnifier > 0 else None,
        overnight=numbers.flag(rules.get("overnightEligible")),
        negative_prices=numbers.flag(rules.get("negativeCapable")),
    )


def read_ticks(rows: Any, endpoint: str) -> tuple[TickStep, ...]:
    """Read a tick table, which stands in rules and in definitions; a missing one is empty."""
    steps = []
    for row in _rows(rows or [], endpoint, "the price increments"):
        edge, increment = numbers.decimal(row.get("lowerEdge")), numbers.decimal(row.get("increment"))
        if edge is None or edge < 0 or increment is None or increment <= 0:
            raise UnexpectedAnswer(
                "a row of the price increments is incomplete; nothing was sent.", endpoint=endpoint
            )
        steps.append(TickStep(lower_edge=edge, increment=increment))
    return tuple(sorted(steps, key=lambda step: step.lower_edge))


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


def read_algos(content: Any) -> tuple[Algo, ...]:
    """Read the algorithms of a contract; the first answer of a session may lack their parameters."""
    body = _object(content, ALGOS, "the algorithms")
    return tuple(_algo(row) for row in _rows(body.get("algos") or [], ALGOS, "the algorithms"))


def _algo(row: Mapping[str, Any]) -> Algo:
    algo_id, parameters = numbers.text(row.get("id")), row.get("parameters")
    if algo_id is None:
        raise UnexpectedAnswer("an algorithm came without its id.", endpoint=ALGOS)
    return Algo(
        algo_id=algo_id,
        name=numbers.text(row.get("name")) or algo_id,
        description=numbers.text(row.get("description")) or "",
        parameters=None
        if parameters is None
        else tuple(_parameter(one) for one in _rows(parameters, ALGOS, f"the parameters of {algo_id}")),
    )


def _parameter(row: Mapping[str, Any]) -> AlgoParameter:
    parameter_id = numbers.text(row.get("id"))
    if parameter_id is None:
        raise UnexpectedAnswer("a parameter of an algorithm came without its id.", endpoint=ALGOS)
    return AlgoParameter(
        parameter_id=parameter_id,
        kind=numbers.text(row.get("valueClassName")) or "",
        name=numbers.text(row.get("name")) or "",
        description=numbers.text(row.get("description")) or "",
        # A text here, a boolean in older documents.
        required=numbers.flag(row.get("required")) or False,
        default=_default(row.get("defaultValue")),
        choices=tuple(_texts(row.get("legalStrings"), ALGOS)),
        minimum=numbers.decimal(row.get("minValue")),
        maximum=numbers.decimal(row.get("maxValue")),
        rank=numbers.integer(row.get("guiRank")),
    )


def _default(value: Any) -> str | Decimal | bool | None:
    if isinstance(value, bool):
        return value
    return numbers.text(value) if isinstance(value, str) else numbers.decimal(value)


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


def _texts(value: Any, endpoint: str = RULES) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise UnexpectedAnswer(
            "a list in the rules came in an unknown shape; nothing was sent.", endpoint=endpoint
        )
    return value
