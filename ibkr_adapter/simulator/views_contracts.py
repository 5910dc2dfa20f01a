"""Contracts in the JSON of the look-up endpoints, which spell everything three ways.

``conid`` is an int, a text or called ``con_id``; NASDAQ is "NASDAQ", "NASDAQ.NMS" or "NMS".
After the recorded answers for stocks and the documented ones for the keys they leave out.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator.figures import number, places_of, ticks_json
from ibkr_adapter.simulator.listings import PLACEHOLDER_CONID, Instrument
from ibkr_adapter.simulator.views_portfolio import display_rule

ORDER_TYPES = (
    "limit",
    "midprice",
    "market",
    "stop",
    "stop_limit",
    "mit",
    "lit",
    "trailing_stop",
    "trailing_stop_limit",
    "relative",
    "marketonclose",
    "limitonclose",
)
_ALGO_TYPES = (
    "limit",
    "stop_limit",
    "lit",
    "trailing_stop_limit",
    "relative",
    "marketonclose",
    "limitonclose",
)
_FRACTION_TYPES = (
    "limit",
    "market",
    "stop",
    "stop_limit",
    "mit",
    "lit",
    "trailing_stop",
    "trailing_stop_limit",
)
_OUTSIDE_TYPES = ("limit", "stop_limit", "lit", "trailing_stop_limit", "relative")
_TIFS = (
    "IOC/MARKET,LIMIT,RELATIVE,MARKETONCLOSE,MIDPRICE,LIMITONCLOSE,MKT_PROTECT,STPPRT,a",
    "GTC/o,a",
    "OPG/LIMIT,MARKET,a",
    "GTD/o,a",
    "DAY/o,a",
)


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


def definition(instrument: Instrument) -> dict[str, Any]:
    """One row of ``/trsrv/secdef``."""
    return {
        "incrementRules": ticks_json(instrument.ticks),
        "displayRule": display_rule(),
        "conid": instrument.conid,
        "currency": instrument.currency,
        "time": 43,
        "chineseName": _entities(instrument.name),
        "allExchanges": instrument.valid_exchanges.removeprefix("SMART,"),
        "listingExchange": instrument.exchange,
        "countryCode": instrument.country,
        "name": instrument.name,
        "assetClass": instrument.sec_type,
        "expiry": None,
        "lastTradingDay": None,
        "group": None,
        "putOrCall": None,
        "sector": instrument.sector,
        "sectorGroup": None,
        "strike": "0",
        "ticker": instrument.symbol,
        "undConid": 0,
        "multiplier": 0.0,
        "type": instrument.kind,
        "hasOptions": instrument.is_us,
        "fullName": instrument.symbol,
        "isUS": instrument.is_us,
        "isEventContract": False,
        "pageSize": 100,
    }


def search_row(instrument: Instrument) -> dict[str, Any]:
    """One hit of a search; the conid is text and foreign venues end in a semicolon."""
    sections: list[dict[str, Any]] = [{"secType": "STK"}]
    if instrument.is_us:
        months = "DEC26;JAN27;FEB27"
        sections.append({"secType": "OPT", "months": months, "exchange": "SMART;AMEX;CBOE"})
        sections.append({"secType": "BAG"})
    else:
        sections[0]["exchange"] = f"{instrument.exchange};"
    return {
        "conid": str(instrument.conid),
        "companyHeader": f"{instrument.name} - {instrument.exchange}",
        "companyName": instrument.name,
        "symbol": instrument.symbol,
        "description": instrument.exchange,
        "restricted": None,
        "fop": None,
        "opt": None,
        "war": None,
        "sections": sections,
    }


def name_row(instrument: Instrument) -> dict[str, Any]:
    """One hit of a search by company name, which has little in it."""
    row = search_row(instrument)
    return {key: row[key] for key in ("conid", "companyName", "companyHeader", "symbol")}


def bond_row(name: str) -> dict[str, Any]:
    """The row of bond issuers: its conid is a placeholder."""
    return {
        "issuers": [{"id": "e1400715", "name": name}],
        "bondid": 5,
        "conid": str(PLACEHOLDER_CONID),
        "companyHeader": "Corporate Fixed Income",
        "companyName": None,
        "symbol": None,
        "description": None,
        "restricted": None,
        "fop": None,
        "opt": None,
        "war": None,
        "sections": [{"secType": "BOND"}],
    }


def contract_info(instrument: Instrument) -> dict[str, Any]:
    """One contract in detail."""
    return {
        "cfi_code": "",
        "symbol": instrument.symbol,
        "cusip": None,
        "expiry_full": None,
        "con_id": instrument.conid,
        "maturity_date": None,
        "instrument_type": instrument.sec_type,
        "has_related_contracts": instrument.is_us,
        "trading_class": "NMS" if instrument.tape == "NASDAQ.NMS" else instrument.symbol,
        "valid_exchanges": instrument.valid_exchanges,
        "allow_sell_long": False,
        "is_zero_commission_security": False,
        "local_symbol": instrument.symbol,
        "contract_clarification_type": None,
        "classifier": None,
        "currency": instrument.currency,
        "text": None,
        "underlying_con_id": 0,
        "r_t_h": True,
        "multiplier": None,
        "underlying_issuer": None,
        "contract_month": None,
        "company_name": instrument.name,
        "smart_available": True,
        "exchange": "SMART",
    }


def contract_rules(
    instrument: Instrument, accounts: Sequence[str], last: Decimal, *, fractions: bool
) -> dict[str, Any]:
    """What may be ordered, and in which steps; ``sizeIncrement`` is not a lot size."""
    tick = instrument.tick_at(last)
    size = 100 if instrument.kind != "ETF" else 40
    return {
        "algoEligible": True,
        "allOrNoneEligible": True,
        "overnightEligible": instrument.is_us,
        "costReport": False,
        "canTradeAcctIds": list(accounts),
        "error": None,
        "orderTypes": list(ORDER_TYPES),
        "ibAlgoTypes": list(_ALGO_TYPES),
        "fraqTypes": list(_FRACTION_TYPES) if fractions else [],
        "forceOrderPreview": False,
        "cqtTypes": list(_FRACTION_TYPES),
        "orderDefaults": {"LMT": {"LP": str(last)}},
        "orderTypesOutside": list(_OUTSIDE_TYPES),
        "defaultSize": 100,
        "cashSize": 0.0,
        "sizeIncrement": size,
        "tifTypes": list(_TIFS),
        "tifDefaults": {"TIF": "DAY", "DEFAULT_ACCT": accounts[0], "SIZE": "100.00"},
        "limitPrice": number(last),
        "stopprice": number(last),
        "orderOrigination": None,
        "preview": True,
        "displaySize": None,
        "fraqInt": 4 if fractions else 0,
        "cashCcy": instrument.currency,
        "cashQtyIncr": 500,
        "priceMagnifier": None,
        "negativeCapable": False,
        "incrementType": 1,
        "incrementRules": ticks_json(instrument.ticks),
        "hasSecondary": True,
        "increment": number(tick),
        "incrementDigits": places_of(tick),
    }


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
