"""Worth, trades and kinds in the JSON of Portfolio Analyst.

After live answers: amounts of profit are texts and those of trades numbers, dates come twice in two
spellings, the number of days is that of the calendar, and each item of an allocation has a colour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import hours
from ibkr_adapter.simulator.figures import number
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.nav_history import Series
from ibkr_adapter.simulator.order import Execution

NOTHING = Decimal(0)
_KINDS = {
    "STK": ("Stocks", ("EQ", "Equities")),
    "OPT": ("Options", ("EQ", "Equities")),
    "WAR": ("Warrants", ("EQ", "Equities")),
    "FUND": ("Funds", ("EQ", "Equities")),
    "FUT": ("Futures", ("FU", "Futures")),
    "FOP": ("Futures options", ("FU", "Futures")),
    "BOND": ("Bonds", ("FI", "Fixed income")),
    "CRYPTO": ("Crypto", ("CR", "Crypto")),
}
_REGIONS = {"US": ("NORTHA", "North America")}
_ELSEWHERE = ("EUROPE", "Europe")
_COLOURS = ("#034da2", "#d780ff", "#f5a623", "#7ed321", "#bd10e0")
_CASH_COLOUR = "#11ea77"


# Worth.


def _returns(before: Decimal, worths: Sequence[Decimal]) -> list[float]:
    return [number(one / before - 1, 8) if before else 0.0 for one in worths]


def _start_nav(series: Series) -> dict[str, Any]:
    return {"date": f"{series.eve:%Y%m%d}", "val": number(series.before, 6)}


def _stamps(series: Series) -> list[str]:
    return [f"{one:%Y%m%d}" for one in series.days]


def period_body(series: Series) -> dict[str, Any]:
    """One period of one account, where each has a key of its own."""
    return {
        "freq": "D",
        "startNAV": _start_nav(series),
        "dates": _stamps(series),
        "nav": [number(one, 6) for one in series.worths],
        "cps": _returns(series.before, series.worths),
    }


def performance_body(accounts: Sequence[str], series: Series) -> dict[str, Any]:
    """One period of some accounts: worth, returns since its start, returns by month."""
    whose = {
        # Guess: how several accounts in one series are called.
        "id": accounts[0] if len(accounts) == 1 else "ALL",
        "idType": "acctid",
        "start": f"{series.start:%Y%m%d}",
        "end": f"{series.end:%Y%m%d}",
        "baseCurrency": "USD",
    }
    navs = {"startNAV": _start_nav(series), "navs": [number(one, 6) for one in series.worths]}
    months = _months(series)
    returns = {"returns": _returns(series.before, series.worths)}
    return {
        "currencyType": "base",
        "rc": 0,
        "view": list(accounts),
        "nav": {"freq": "D", "dates": _stamps(series), "data": [whose | navs]},
        "cps": {"freq": "D", "dates": _stamps(series), "data": [whose | returns]},
        "tpps": {"freq": "M", "dates": list(months), "data": [whose | {"returns": list(months.values())}]},
        "pm": "TWR",
        "nd": (series.end - series.start).days + 1,
        "id": "getPerformanceData",
        "included": list(accounts),
    }


def _months(series: Series) -> dict[str, float]:
    """The return of each month, from the end of the one before."""
    ends: dict[str, Decimal] = {}
    for day, worth in zip(series.days, series.worths, strict=True):
        ends[f"{day:%Y%m}"] = worth
    starts = [series.before, *ends.values()]
    return {
        month: _returns(before, [worth])[0]
        for (month, worth), before in zip(ends.items(), starts, strict=False)
    }


# Trades.


def transactions_body(
    traded: Sequence[Execution], currency: str, rate: Callable[[str], Decimal], today: date
) -> dict[str, Any]:
    """Trades, oldest first, and what they realised by day and side, newest first."""
    gains: dict[tuple[str, date, bool], Decimal] = {}
    for one in traded:
        if one.realised:
            # What a sale realises was held long.
            key = (one.account, hours.local_day(one.moment), one.side == "SELL")
            gains[key] = gains.get(key, NOTHING) + one.realised
    rows = [
        _gain(traded[0].instrument, key, amount, rate)
        for key, amount in sorted(gains.items(), key=lambda item: item[0][1], reverse=True)
    ]
    total = sum(gains.values(), NOTHING)
    if traded:
        total *= rate(traded[0].instrument.currency)
    return {
        "rc": 0,
        "rpnl": {"data": rows, "amt": str(number(total, 8))},
        "currency": currency,
        "id": "getTransactions",
        "includesRealTime": True,
        "transactions": [_transaction(one, rate, today) for one in traded],
    }


def _gain(
    instrument: Instrument, key: tuple[str, date, bool], amount: Decimal, rate: Callable[[str], Decimal]
) -> dict[str, Any]:
    account, day, was_long = key
    return {
        "cur": instrument.currency,
        "date": f"{day:%Y%m%d}",
        "fxRate": number(rate(instrument.currency), 8),
        "side": "L" if was_long else "S",
        "positionSide": "long" if was_long else "short",
        "acctid": account,
        "amt": str(number(amount, 8)),
        "conid": str(instrument.conid),
    }


def _transaction(one: Execution, rate: Callable[[str], Decimal], today: date) -> dict[str, Any]:
    day, is_buy = hours.local_day(one.moment), one.side == "BUY"
    zone = hours.midnight(day).astimezone(hours.NEW_YORK)
    return {
        "date": f"{zone:%a %b %d %H:%M:%S %Z %Y}",
        "rawDate": f"{day:%Y%m%d}",
        "isRealTime": day == today,
        "cur": one.instrument.currency,
        "fxRate": number(rate(one.instrument.currency), 8),
        "pr": number(one.price),
        "qty": number(one.quantity if is_buy else -one.quantity),
        "acctid": one.account,
        "amt": number(-one.amount if is_buy else one.amount, 4),
        "conid": one.instrument.conid,
        "type": "Buy" if is_buy else "Sell",
        "desc": one.instrument.name,
    }


# Kinds.


def allocation_body(held: Sequence[tuple[Instrument, Decimal]], cash: Decimal) -> dict[str, Any]:
    """What is held, in five ways of sorting it; cash is an item of each but countries and regions."""
    ways: dict[str, Callable[[Instrument], tuple[str, str]]] = {
        "FINANCIAL_INSTRUMENT": lambda one: (one.sec_type, _KINDS[one.sec_type][0]),
        "ASSET_CLASS": lambda one: _KINDS[one.sec_type][1],
        "COUNTRY": lambda one: (one.country, one.country),
        "SECTOR": lambda one: ("OT", "Others") if one.sector is None else (one.sector, one.sector),
        "REGION": lambda one: _REGIONS.get(one.country, _ELSEWHERE),
    }
    placeless = {"COUNTRY", "REGION"}
    return {
        "id": "getAllocation",
        "currency": "USD",
        "realtime": True,
        "allocations": {
            way: _sides(
                held, of, None if way in placeless else cash, "CASH_BALANCE" if way[0] == "F" else "CA"
            )
            for way, of in ways.items()
        },
    }


def _sides(
    held: Sequence[tuple[Instrument, Decimal]],
    of: Callable[[Instrument], tuple[str, str]],
    cash: Decimal | None,
    cash_id: str,
) -> dict[str, Any]:
    sides: dict[str, dict[tuple[str, str], Decimal]] = {"long": {}, "short": {}}
    for instrument, value in held:
        side = sides["long" if value >= 0 else "short"]
        side[of(instrument)] = side.get(of(instrument), NOTHING) + value
    if cash is not None:
        sides["long" if cash >= 0 else "short"][(cash_id, "Cash")] = cash
    return {side: _items(parts) for side, parts in sides.items() if parts}


def _items(parts: dict[tuple[str, str], Decimal]) -> dict[str, Any]:
    total = sum(parts.values(), NOTHING)
    items = [
        {
            "id": identity,
            "name": name,
            "nav": number(value, 8),
            "weight": number(value / total, 8) if total else 0.0,
            "color": _CASH_COLOUR if name == "Cash" else _COLOURS[place % len(_COLOURS)],
        }
        for place, ((identity, name), value) in enumerate(parts.items())
    ]
    return {"total": {"nav": number(total, 8), "weight": 1.0}, "items": items}
