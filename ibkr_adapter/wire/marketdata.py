"""Speak snapshots: which field is which tag, how much fits into a call, what a row says.

Two pairs are easily taken for each other: 85 is the *ask* size and 88 the *bid* size; 7059 is the
size of the last trade and 87 the day's volume. Values are texts for the eye, with nothing but
``_updated`` and ``87_raw`` as numbers, and a last price may begin with ``C`` for the prior close
or ``H`` for a halt. How often to ask until all has come is for :mod:`ibkr_adapter.market_data`.

Source: field table of the Web API reference, IBKR's own portal columns where they are clearer,
and answers observed; held by ``tests/unit/test_wire_marketdata.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.market import Availability, Quote
from ibkr_adapter.wire import numbers

SNAPSHOT = "GET /iserver/marketdata/snapshot"
MOST_CONIDS = 100
MOST_TAGS = 50

# Fields whose value is a figure, then those whose value is words, letters or a date.
_FIGURES: Mapping[str, str] = {
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
_WORDS: Mapping[str, str] = {
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
TAGS: Mapping[str, str] = {**_FIGURES, **_WORDS}

FIELD_SETS: Mapping[str, tuple[str, ...]] = {
    "quote": (
        "last",
        "bid",
        "ask",
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
    "greeks": ("last", "bid", "ask", "delta", "gamma", "theta", "vega", "implied_volatility", "availability"),
    "fundamentals": (
        "market_cap",
        "price_earnings",
        "earnings_per_share",
        "dividend_amount",
        "dividend_yield",
        "ex_dividend_date",
        "high_52_weeks",
        "low_52_weeks",
        "average_volume",
        "beta",
        "availability",
    ),
}

# Those that a quote has attributes for.
_QUOTED = (
    "bid",
    "ask",
    "last_size",
    "bid_size",
    "ask_size",
    "open",
    "high",
    "low",
    "close",
    "prior_close",
    "mark",
    "change",
    "change_percent",
)
_ATTRIBUTES = frozenset({*_QUOTED, "last", "volume", "availability"})
# The display text of the volume is rounded; the first two are not, or less so.
_VOLUMES = (TAGS["volume_long"], "87_raw", TAGS["volume"])
# What a row has before its stream delivers.
_BARE = frozenset({"conid", "conidEx", "server_id", "_updated", "topic", TAGS["delivery_marker"]})


def snapshot_params(conids: Iterable[int], names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Cut a wish into calls of at most 100 contracts and 50 fields."""
    tags = [TAGS[name] for name in names]
    listed = list(dict.fromkeys(conids))
    for first in range(0, len(listed), MOST_CONIDS):
        chunk = ",".join(str(conid) for conid in listed[first : first + MOST_CONIDS])
        for start in range(0, len(tags), MOST_TAGS):
            yield {"conids": chunk, "fields": ",".join(tags[start : start + MOST_TAGS])}


def is_preflight(row: Mapping[str, Any]) -> bool:
    """Whether a row only says that its stream was opened: no field has come yet."""
    return not row.keys() - _BARE


def read_snapshot(content: Any, names: Sequence[str]) -> list[Quote]:
    """Read every row that names its contract, in any order.

    A row that names none says nothing of anything and is left out: its contract counts as one for
    which nothing came.
    """
    if not isinstance(content, list):
        raise UnexpectedAnswer(
            "the snapshot came in an unknown shape; no price was guessed.", endpoint=SNAPSHOT
        )
    return [quote for row in content if (quote := read_quote(row, names)) is not None]


def read_quote(row: Any, names: Sequence[str]) -> Quote | None:
    """Read one row, or ``None`` where it names no contract."""
    if not isinstance(row, Mapping):
        raise UnexpectedAnswer("a row of the snapshot is no object; no price was guessed.", endpoint=SNAPSHOT)
    written, _, exchange = (numbers.text(row.get("conidEx")) or "").partition("@")
    conid = numbers.conid(row.get("conid")) or numbers.conid(written)
    if conid is None:
        return None
    prefix, last = _last(row.get(TAGS["last"]))
    values = {name: numbers.decimal(row.get(TAGS[name])) for name in _QUOTED}
    volumes = (numbers.decimal(row.get(key)) for key in _VOLUMES)
    volume = next((figure for figure in volumes if figure is not None), None)
    code = numbers.text(row.get(TAGS["availability"]))
    others = _others(row)
    came = {name for name, value in {**values, "last": last, "volume": volume}.items() if value is not None}
    return Quote(
        conid=conid,
        exchange=exchange or None,
        last=last,
        volume=volume,
        last_is_close=prefix == "C",
        halted=prefix == "H",
        availability=None if code is None else Availability(code=code),
        updated=numbers.moment(row.get("_updated")),
        missing=frozenset(names) - came - others.keys() - ({"availability"} if code else set()),
        others=others,
        **values,
    )


def empty_quote(conid: int, names: Sequence[str]) -> Quote:
    """The quote of a contract for which nothing came."""
    return Quote(conid=conid, missing=frozenset(names))


def _last(value: Any) -> tuple[str, Decimal | None]:
    if not isinstance(value, str):
        return "", numbers.decimal(value)
    # Any other letter in front makes it no number, and so no price.
    bare = value.strip()
    prefix = bare[:1] if bare[:1] in {"C", "H"} else ""
    return prefix, numbers.decimal(bare.removeprefix(prefix))


def _others(row: Mapping[str, Any]) -> dict[str, Decimal | str | None]:
    """The fields that a quote has no attribute for, as far as they have a value."""
    found: dict[str, Decimal | str | None] = {}
    for name, tag in TAGS.items():
        if tag not in row or name in _ATTRIBUTES:
            continue
        value = numbers.decimal(row[tag]) if name in _FIGURES else _words(row[tag])
        if value is not None:
            found[name] = value
    return found


def _words(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else numbers.text(value)
