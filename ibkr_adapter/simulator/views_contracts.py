"""Contracts in the JSON of the look-up endpoints, which spell everything three ways.

``conid`` is an int, a text or called ``con_id``; NASDAQ is "NASDAQ", "NASDAQ.NMS" or "NMS".
After the recorded answers for stocks, the documented ones for options and for the keys that the
recordings leave out; other classes follow the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import futures_calendar, option_ladders
from ibkr_adapter.simulator.contract_names import (
    compact,
    full_name,
    local_symbol,
    right_word,
    second_line,
    strike_text,
)
from ibkr_adapter.simulator.figures import number, places_of, quantity_text, ticks_json
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order_rules import WORDS, rules_of


def stock_groups(companies: Sequence[Sequence[Instrument]]) -> list[dict[str, Any]]:
    """The answer for one ticker: companies with their listings."""
    return [
        {
            "name": listings[0].name,
            "chineseName": _entities(listings[0].name),
            "assetClass": "STK",
            "contracts": [
                {"conid": one.conid, "exchange": one.exchange, "isUS": one.is_us} for one in listings
            ],
        }
        for listings in companies
    ]


def _entities(name: str) -> str:
    """A name the way Chinese names leave: as HTML entities."""
    return "".join(f"&#x{ord(letter):X};" for letter in name[:4])


def future_rows(symbol: str, exchange: str | None, now: datetime) -> list[dict[str, Any]]:
    """The answer for one symbol of ``/trsrv/futures``: dates are numbers, the order is none."""
    products = [
        one for one in futures_calendar.products_of(symbol) if exchange in {None, "", one.of.exchange}
    ]
    listed = [one for product in products for one in futures_calendar.listed(product, now)]
    return [_future_row(one) for one in (*listed[1::2], *listed[::2])]


def _future_row(future: Instrument) -> dict[str, Any]:
    last = int(f"{future.last_day:%Y%m%d}")
    return {
        "symbol": future.symbol,
        "conid": future.conid,
        "underlyingConid": _underlying_conid(future),
        "expirationDate": int(f"{future.expiry:%Y%m%d}"),
        "ltd": last,
        "shortFuturesCutOff": last,
        "longFuturesCutOff": last,
    }


def _underlying_conid(instrument: Instrument) -> int:
    # An index that a product follows is not told.
    of = instrument.underlying
    return of.conid if of is not None and instrument.expiry is not None else 0


def definition_part(instrument: Instrument) -> dict[str, Any]:
    """What definitions and the rows of positions have in common."""
    row = {
        "incrementRules": ticks_json(instrument.ticks),
        "displayRule": display_rule(instrument),
        "chineseName": _entities(instrument.name),
        "allExchanges": instrument.valid_exchanges.removeprefix("SMART,"),
        "listingExchange": instrument.exchange,
        "countryCode": instrument.country,
        "name": instrument.name,
        "expiry": compact(instrument.expiry),
        "lastTradingDay": compact(instrument.last_day),
        "group": None,
        "putOrCall": instrument.right,
        "sector": instrument.sector,
        "sectorGroup": None,
        "strike": strike_text(instrument),
        "ticker": instrument.ticker,
        "undConid": _underlying_conid(instrument),
        "multiplier": number(instrument.contract_size or Decimal(0)),
        "type": instrument.kind,
        "hasOptions": has_options(instrument),
        "fullName": full_name(instrument),
        "isUS": instrument.is_us,
        "isEventContract": False,
        "pageSize": 100,
    }
    of = instrument.underlying
    if of is not None and instrument.expiry is not None:
        row |= {"undComp": of.name, "undSym": of.symbol}
    return row


def has_options(instrument: Instrument) -> bool:
    """Tell whether options on it are listed."""
    return any(option_ladders.ladders_on(instrument.conid, kind) for kind in ("OPT", "FOP"))


def display_rule(instrument: Instrument) -> dict[str, Any]:
    """How many digits are shown."""
    digits = max(places_of(step) for _, step in instrument.ticks)
    step = {"decimalDigits": digits, "lowerEdge": 0.0, "wholeDigits": 4}
    return {"magnification": 0, "displayRuleStep": [step]}


def definition(instrument: Instrument) -> dict[str, Any]:
    """One row of ``/trsrv/secdef``."""
    return {
        **definition_part(instrument),
        "conid": instrument.conid,
        "currency": instrument.currency,
        "time": 43,
        "assetClass": instrument.sec_type,
    }


# Guess: only the code of a European call is documented.
_CFI = {"OPT": "O{right}XXXS", "FOP": "O{right}XXXS", "FUT": "FXXXXX"}


def contract_info(instrument: Instrument) -> dict[str, Any]:
    """One contract in detail; strike and right are there for options only."""
    smart = instrument.valid_exchanges.startswith("SMART")
    size = instrument.contract_size
    body: dict[str, Any] = {
        "cfi_code": _CFI.get(instrument.sec_type, "").format(right=instrument.right),
        "symbol": instrument.symbol,
        "cusip": instrument.cusip,
        "expiry_full": compact(instrument.expiry),
        "con_id": instrument.conid,
        "maturity_date": compact(instrument.expiry),
        "instrument_type": instrument.sec_type,
        "has_related_contracts": instrument.is_us,
        "trading_class": _trading_class(instrument),
        "valid_exchanges": instrument.valid_exchanges,
        "allow_sell_long": False,
        "is_zero_commission_security": False,
        "local_symbol": local_symbol(instrument),
        "contract_clarification_type": None,
        "classifier": None,
        "currency": instrument.currency,
        "text": second_line(instrument),
        "underlying_con_id": _underlying_conid(instrument),
        "r_t_h": bool(rules_of(instrument).outside),
        "multiplier": None if size is None else quantity_text(size),
        "underlying_issuer": None,
        "contract_month": f"{instrument.month:%Y%m}" if instrument.month else None,
        "company_name": instrument.name,
        "smart_available": smart,
        "exchange": "SMART" if smart else instrument.exchange,
    }
    if instrument.right is not None:
        body |= {"strike": strike_text(instrument), "right": right_word(instrument).upper()}
    return body


def _trading_class(instrument: Instrument) -> str:
    if instrument.trading_class is not None:
        return instrument.trading_class
    return "NMS" if instrument.tape == "NASDAQ.NMS" else instrument.symbol


def contract_rules(
    instrument: Instrument, accounts: Sequence[str], last: Decimal, *, fractions: bool
) -> dict[str, Any]:
    """What may be ordered, and in which steps; ``sizeIncrement`` is not a lot size."""
    tick, rules = instrument.tick_at(last), rules_of(instrument)
    places = rules.fractions if fractions or instrument.sec_type != "STK" else 0
    stock = instrument.sec_type == "STK"
    return {
        "algoEligible": rules.algos,
        "allOrNoneEligible": stock or instrument.sec_type == "OPT",
        "overnightEligible": stock and instrument.is_us,
        "costReport": False,
        "canTradeAcctIds": list(accounts) if rules.types else [],
        "error": None,
        "orderTypes": _words(rules.types),
        "ibAlgoTypes": _words(rules.types & _ALGO_TYPES) if rules.algos else [],
        "fraqTypes": _words(rules.fractional) if places else [],
        "forceOrderPreview": False,
        "cqtTypes": _words(rules.cash),
        "orderDefaults": {"LMT": {"LP": str(last)}},
        "orderTypesOutside": _words(rules.outside),
        "defaultSize": number_of(rules.default_size),
        "cashSize": 0.0,
        "sizeIncrement": number_of(rules.shown_size),
        "tifTypes": list(rules.shown_tifs),
        "tifDefaults": {
            "TIF": rules.shown_tifs[-1].partition("/")[0] if rules.shown_tifs else "DAY",
            "DEFAULT_ACCT": accounts[0],
            "SIZE": f"{rules.default_size:.2f}",
        },
        "limitPrice": number(last),
        "stopprice": number(last),
        "orderOrigination": None,
        "preview": True,
        "displaySize": None,
        "fraqInt": places if rules.fractional else 0,
        "cashCcy": instrument.currency,
        "cashQtyIncr": rules.cash_step,
        "priceMagnifier": None,
        "negativeCapable": False,
        "incrementType": 1,
        "incrementRules": ticks_json(instrument.ticks),
        "hasSecondary": True,
        "increment": number(tick),
        "incrementDigits": places_of(tick),
    }


_ALGO_TYPES = frozenset({"LMT", "STOP_LIMIT", "LIT", "TRAILLMT", "REL", "MOC", "LOC"})


def _words(types: frozenset[str]) -> list[str]:
    return [word for word, spoken in WORDS.items() if spoken in types]


def number_of(size: Decimal) -> float:
    """A size as a JSON number: whole where it is whole."""
    return int(size) if size == size.to_integral_value() else number(size)


ALGOS: tuple[dict[str, Any], ...] = (
    {
        "name": "Adaptive",
        "id": "Adaptive",
        "parameters": [
            {
                "guiRank": 1,
                "defaultValue": "Normal",
                "name": "Adaptive order priority/urgency",
                "id": "adaptivePriority",
                "legalStrings": ["Urgent", "Normal", "Patient"],
                "required": "true",
                "valueClassName": "String",
            }
        ],
    },
    {
        "name": "VWAP",
        "id": "Vwap",
        "parameters": [
            {
                "guiRank": 1,
                "minValue": 0.01,
                "maxValue": 50,
                "name": "Max Percentage",
                "description": "From 0.01 to 50.0",
                "id": "maxPctVol",
                "valueClassName": "Double",
            }
        ],
    },
    {"name": "TWAP", "id": "Twap", "parameters": []},
)
