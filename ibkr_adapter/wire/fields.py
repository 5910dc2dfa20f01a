"""Name the fields of a snapshot: which is which tag, which go together, which come late.

Two pairs are easily taken for each other: 85 is the *ask* size and 88 the *bid* size; 7059 is the
size of the last trade and 87 the day's volume. All 119 tags that IBKR has documented have a name
here, also those that its newest list leaves out, because they may still be answered. Reading their
values is for :mod:`ibkr_adapter.wire.marketdata`.

Source: field table of the Web API reference in three versions, and IBKR's own portal columns where
they are clearer; held by ``tests/unit/test_wire_marketdata.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ibkr_adapter.errors import InvalidRequest, quoted

# Fields whose value is a figure, then those whose value is words, letters or a date.
FIGURES: Mapping[str, str] = {
    "last": "31",
    "high": "70",
    "low": "71",
    "position_value": "73",
    "position_average_price": "74",
    "unrealised": "75",
    "position": "76",
    "daily_profit": "78",
    "realised": "79",
    "unrealised_percent": "80",
    "change": "82",
    "change_percent": "83",
    "bid": "84",
    "ask_size": "85",
    "ask": "86",
    "volume": "87",
    "bid_size": "88",
    "conid": "6008",
    "underlying_conid": "6457",
    "last_size": "7059",
    "implied_to_historical_volatility": "7084",
    "put_call_interest": "7085",
    "put_call_volume": "7086",
    "historical_volatility": "7087",
    "historical_volatility_close": "7088",
    "option_volume": "7089",
    "average_volume": "7282",
    "option_implied_volatility": "7283",
    "historical_volatility_old": "7284",
    "put_call_ratio": "7285",
    "dividend_amount": "7286",
    "dividend_yield": "7287",
    "market_cap": "7289",
    "price_earnings": "7290",
    "earnings_per_share": "7291",
    "cost_basis": "7292",
    "high_52_weeks": "7293",
    "low_52_weeks": "7294",
    "open": "7295",
    "close": "7296",
    "delta": "7308",
    "gamma": "7309",
    "theta": "7310",
    "vega": "7311",
    "option_volume_change": "7607",
    "implied_volatility": "7633",
    "mark": "7635",
    "shortable_shares": "7636",
    "fee_rate": "7637",
    "option_open_interest": "7638",
    "percent_of_mark_value": "7639",
    "dividends": "7671",
    "dividends_trailing": "7672",
    "ema_200": "7674",
    "ema_100": "7675",
    "ema_50": "7676",
    "ema_20": "7677",
    "price_to_ema_200": "7678",
    "price_to_ema_100": "7679",
    "price_to_ema_20": "7681",
    "change_since_open": "7682",
    "maximum_return": "7694",
    "break_even": "7695",
    "spx_delta": "7696",
    "futures_open_interest": "7697",
    "last_yield": "7698",
    "bid_yield": "7699",
    "probability_of_maximum_return": "7700",
    "probability_of_maximum_loss": "7702",
    "profit_probability": "7703",
    "beta": "7718",
    "ask_yield": "7720",
    "price_to_ema_50": "7724",
    "prior_close": "7741",
    "volume_long": "7762",
    "daily_profit_raw": "7920",
    "cost_basis_raw": "7921",
    "rebate_rate": "7943",
}
WORDS: Mapping[str, str] = {
    "symbol": "55",
    "text": "58",
    "unrealised_text": "77",
    "right": "201",
    "quote_exchange": "6004",
    "sec_type": "6070",
    "months": "6072",
    "regular_expiry": "6073",
    "delivery_marker": "6119",
    "service_params": "6508",
    "availability": "6509",
    "company_name": "7051",
    "ask_exchanges": "7057",
    "last_exchange": "7058",
    "bid_exchanges": "7068",
    "conid_exchange": "7094",
    "can_be_traded": "7184",
    "description": "7219",
    "description_more": "7220",
    "listing_exchange": "7221",
    "industry": "7280",
    "category": "7281",
    "ex_dividend_date": "7288",
    "shortable": "7644",
    "morningstar_rating": "7655",
    "upcoming_event": "7683",
    "upcoming_event_date": "7684",
    "upcoming_analyst_meeting": "7685",
    "upcoming_earnings": "7686",
    "upcoming_misc_event": "7687",
    "recent_analyst_meeting": "7688",
    "recent_earnings": "7689",
    "recent_misc_event": "7690",
    "organization_type": "7704",
    "debt_class": "7705",
    "ratings": "7706",
    "bond_state_code": "7707",
    "bond_type": "7708",
    "last_trading_date": "7714",
    "issue_date": "7715",
    "has_trading_permissions": "7768",
}
TAGS: Mapping[str, str] = {**FIGURES, **WORDS}

# How fresh the others are.
AVAILABILITY = "availability"
_PRICES = ("last", "bid", "ask")
_GREEKS = ("delta", "gamma", "theta", "vega", "implied_volatility")

FIELD_SETS: Mapping[str, tuple[str, ...]] = {
    "quote": (
        *_PRICES,
        "bid_size",
        "ask_size",
        "last_size",
        "volume",
        "open",
        "high",
        "low",
        "prior_close",
        "mark",
        "availability",
    ),
    "greeks": (*_PRICES, *_GREEKS, "availability"),
    "option": (
        *_PRICES,
        "bid_size",
        "ask_size",
        "volume",
        "prior_close",
        "mark",
        *_GREEKS,
        "option_open_interest",
        "availability",
    ),
    "fundamentals": (
        "market_cap",
        "price_earnings",
        "earnings_per_share",
        "dividend_amount",
        "dividend_yield",
        "ex_dividend_date",
        "dividends",
        "dividends_trailing",
        "high_52_weeks",
        "low_52_weeks",
        "average_volume",
        "beta",
        "availability",
    ),
    "volatility": (
        "last",
        "option_implied_volatility",
        "historical_volatility",
        "historical_volatility_close",
        "implied_to_historical_volatility",
        "option_volume",
        "option_volume_change",
        "put_call_interest",
        "put_call_volume",
        "put_call_ratio",
        "availability",
    ),
    "averages": (
        "last",
        "ema_20",
        "ema_50",
        "ema_100",
        "ema_200",
        "price_to_ema_20",
        "price_to_ema_50",
        "price_to_ema_100",
        "price_to_ema_200",
        "high_52_weeks",
        "low_52_weeks",
        "average_volume",
        "availability",
    ),
    "short": ("last", "shortable", "shortable_shares", "fee_rate", "rebate_rate", "availability"),
    "bond": (
        *_PRICES,
        "last_yield",
        "bid_yield",
        "ask_yield",
        "ratings",
        "bond_type",
        "debt_class",
        "organization_type",
        "bond_state_code",
        "issue_date",
        "last_trading_date",
        "availability",
    ),
    "events": (
        "upcoming_event",
        "upcoming_event_date",
        "upcoming_analyst_meeting",
        "upcoming_earnings",
        "upcoming_misc_event",
        "recent_analyst_meeting",
        "recent_earnings",
        "recent_misc_event",
        "availability",
    ),
    "position": (
        "last",
        "position",
        "position_value",
        "position_average_price",
        "cost_basis_raw",
        "unrealised",
        "unrealised_percent",
        "realised",
        "daily_profit_raw",
        "percent_of_mark_value",
        "availability",
    ),
    "contract": (
        "symbol",
        "conid",
        "sec_type",
        "company_name",
        "listing_exchange",
        "quote_exchange",
        "conid_exchange",
        "months",
        "regular_expiry",
        "right",
        "underlying_conid",
        "description",
        "description_more",
        "industry",
        "category",
        "can_be_traded",
        "has_trading_permissions",
        "availability",
    ),
    "all": tuple(TAGS),
}

# IBKR computes these when they are asked for, and they come seconds after the prices.
LATE = frozenset(
    {
        *_GREEKS,
        *FIELD_SETS["volatility"],
        *FIELD_SETS["fundamentals"],
        "spx_delta",
        "last_yield",
        "bid_yield",
        "ask_yield",
    }
) - {"last", "availability"}
_MOST_NEAR = 3
_LONGEST_NAME = 60


def names_of(fields: str | Iterable[str]) -> tuple[str, ...]:
    """Tell the fields of a set by its name, or check names of fields; the freshness always comes along.

    Raises:
        InvalidRequest: There is no such set or field; it names what comes close.
    """
    if isinstance(fields, str) and fields in FIELD_SETS:
        return FIELD_SETS[fields]
    given = [fields] if isinstance(fields, str) else _listed(fields)
    unknown = [name for name in given if not isinstance(name, str) or name not in TAGS]
    if unknown or not given:
        wrong = unknown[0] if unknown else ""
        word = wrong[:_LONGEST_NAME] if isinstance(wrong, str) else ""
        near = get_close_matches(word, [*FIELD_SETS, *TAGS], n=_MOST_NEAR)
        raise InvalidRequest(
            f"{quoted(wrong, 60)} is no field of a snapshot and no set of fields; nothing was sent.",
            near=near,
            remedy="" if near else f"The sets are {', '.join(FIELD_SETS)}.",
        )
    named = tuple(dict.fromkeys(given))
    return named if AVAILABILITY in named else (*named, AVAILABILITY)


def _listed(fields: object) -> list[Any]:
    # What is no list at all is one wrong name.
    return list(fields) if isinstance(fields, Iterable) else [fields]
