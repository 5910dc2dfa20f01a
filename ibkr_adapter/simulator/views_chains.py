"""Search hits, and the rows of derivatives that a walk ends with.

After the recorded search answers and the documented rows of ``/secdef/info``: conids are text in
the one and numbers in the other, a strike is a number here and text elsewhere, and what is no
derivative is a single object with other names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ibkr_adapter.simulator import bonds, futures_calendar, option_ladders
from ibkr_adapter.simulator.contract_names import compact, right_word, second_line
from ibkr_adapter.simulator.figures import number, quantity_text
from ibkr_adapter.simulator.instrument import PLACEHOLDER_CONID, Instrument

_EXPIRY_KEYS = {"FOP": "fop", "OPT": "opt", "WAR": "war"}


def search_row(instrument: Instrument, now: datetime, *, with_dates: bool = True) -> dict[str, Any]:
    """One hit of a search; the conid is text and foreign venues end in a semicolon."""
    row: dict[str, Any] = {
        "conid": str(instrument.conid),
        "companyHeader": f"{instrument.name} - {instrument.exchange}",
        "companyName": instrument.name,
        "symbol": instrument.symbol,
        "description": instrument.exchange,
        "restricted": None,
        "fop": None,
        "opt": None,
        "war": None,
        "sections": _sections(instrument, now),
    }
    for sec_type, key in _EXPIRY_KEYS.items():
        ladders = option_ladders.ladders_on(instrument.conid, sec_type)
        if ladders and with_dates:
            row[key] = ";".join(f"{day:%Y%m%d}" for day in option_ladders.dates(ladders, now))
    return row


def _sections(instrument: Instrument, now: datetime) -> list[dict[str, Any]]:
    own: dict[str, Any] = {"secType": instrument.sec_type}
    if not instrument.is_us or instrument.sec_type in {"CRYPTO", "IND", "FUND"}:
        own["exchange"] = f"{instrument.exchange};"
    sections = [own]
    product = futures_calendar.BY_CONID.get(instrument.conid)
    if product is not None:
        months = [one.month for one in futures_calendar.listed(product, now) if one.month]
        codes = ";".join(f"{month:%b%y}".upper() for month in months)
        sections.append({"secType": "FUT", "months": codes, "exchange": f"{instrument.exchange};"})
    for sec_type in ("OPT", "FOP", "WAR"):
        ladders = option_ladders.ladders_on(instrument.conid, sec_type)
        if ladders:
            codes = ";".join(option_ladders.months(ladders, now))
            venues = ladders[0].venues.replace(",", ";")
            sections.append({"secType": sec_type, "months": codes, "exchange": venues})
    if product is not None or (instrument.sec_type == "STK" and instrument.is_us) or len(sections) > 1:
        sections.append({"secType": "BAG"})
    return sections


def name_row(instrument: Instrument) -> dict[str, Any]:
    """One hit of a search by company name, which has little in it."""
    return {
        "conid": str(instrument.conid),
        "companyName": instrument.name,
        "companyHeader": f"{instrument.name} - {instrument.exchange}",
        "symbol": instrument.symbol,
    }


def bond_row(symbol: str, name: str) -> dict[str, Any]:
    """The row of bond issuers: its conid is a placeholder."""
    return {
        "issuers": bonds.issuers_of(symbol, name),
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


def derivative_row(instrument: Instrument, exchange: str) -> dict[str, Any]:
    """One contract at the end of a walk."""
    coupon = "No Coupon" if instrument.coupon is None else f"{instrument.coupon:f}"
    row: dict[str, Any] = {
        "conid": instrument.conid,
        "symbol": instrument.symbol,
        "secType": instrument.sec_type,
        "exchange": exchange,
        "listingExchange": None,
        "right": instrument.right or "?",
        "strike": number(instrument.strike) if instrument.strike is not None else 0.0,
        "currency": instrument.currency,
        "cusip": instrument.cusip,
        "coupon": coupon,
        "desc1": instrument.symbol,
        "desc2": second_line(instrument),
        "maturityDate": compact(instrument.expiry),
        "multiplier": quantity_text(instrument.multiplier),
        "tradingClass": instrument.trading_class or instrument.symbol,
        "validExchanges": instrument.valid_exchanges,
        "showPrips": bool(right_word(instrument)),
    }
    if instrument.sec_type == "BOND":
        del row["multiplier"]
    return row


def plain_object(instrument: Instrument) -> dict[str, Any]:
    """The single object for what is no derivative."""
    smart = instrument.valid_exchanges.startswith("SMART")
    return {
        "conid": instrument.conid,
        "ticker": instrument.ticker,
        "secType": instrument.sec_type,
        "listingExchange": instrument.exchange,
        "exchange": "SMART" if smart else instrument.exchange,
        "companyName": instrument.name,
        "currency": instrument.currency,
        "validExchanges": instrument.valid_exchanges,
        "priceRendering": None,
        "maturityDate": None,
        "right": "?",
        "strike": 0.0,
    }
