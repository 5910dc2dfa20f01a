"""Options, futures options and warrants: which dates and strikes exist, and their conids.

A ladder is one trading class on one underlying. Near dates have fine strikes around the price,
monthly dates wide ones, so that a month's strikes are the union of different dates. Contracts are
computed when they are asked for and conids are arithmetic, so nothing is kept and one that has
expired is still found.

The ladders are invented; conids of five expired contracts are documented.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from ibkr_adapter.simulator import expiries, futures_calendar, hours
from ibkr_adapter.simulator.expiries import QUARTERS
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.ladder_table import BY_CLASS, LADDERS, Ladder

# Invented conids: this, then the ladder, the day, the strike and the right in bits of one number.
_FIRST_CONID = 1_200_000_000
_DAYS, _STRIKES, _RIGHTS = 4096, 2048, 2
_EPOCH = date(2020, 1, 1)
_RECORDED: dict[int, tuple[str, date, str, str]] = {
    667629330: ("AAPL", date(2024, 1, 5), "195", "P"),
    685302909: ("IBM", date(2024, 3, 15), "187.5", "C"),
    708474422: ("SPX", date(2024, 8, 16), "5555", "P"),
    732160324: ("EW", date(2024, 12, 31), "4975", "C"),
    584891614: ("SPY", date(2025, 1, 17), "440", "C"),
}


def ladders_on(conid: int, sec_type: str) -> list[Ladder]:
    """The ladders of one class on an underlying, or on the product of a future."""
    return [one for one in LADDERS if one.on.conid == conid and one.sec_type == sec_type]


# Dates.


def _is_date(ladder: Ladder, day: date) -> bool:
    month = day.replace(day=1)
    if ladder.dates == "monthly":
        return day == expiries.third_friday(month)
    if ladder.dates == "quarterly":
        return day == expiries.third_friday(month) and day.month in QUARTERS
    if ladder.dates == "month_end":
        return day == expiries.last_trading_day(month)
    if ladder.dates == "other_weeks":
        others = {expiries.third_friday(month), expiries.last_trading_day(month)}
        return expiries.is_week_end(day) and day not in others
    return expiries.is_week_end(day)


def _dates_from(ladder: Ladder, today: date) -> set[date]:
    if ladder.dates == "month_end":
        return set(map(expiries.last_trading_day, expiries.months_from(today, 6, expiries.last_trading_day)))
    monthly = expiries.months_from(today, 27, expiries.third_friday)
    if ladder.dates == "quarterly":
        quarterly = [one for one in monthly if one.month in QUARTERS]
        return set(map(expiries.third_friday, quarterly[:4]))
    found = set(map(expiries.third_friday, monthly[:6]))
    # The long ones: January of the next two years.
    found |= {expiries.third_friday(one) for one in monthly if one.month == 1}
    if ladder.dates == "monthly":
        return found
    weekly = set(expiries.fridays_from(today, 7))
    if ladder.dates == "other_weeks":
        return {one for one in weekly if _is_date(ladder, one)}
    return found | weekly


def listed_dates(ladder: Ladder, now: datetime) -> list[date]:
    """The expiries that are listed now, the nearest first."""
    today = hours.local_day(now)
    return sorted(one for one in _dates_from(ladder, today) if _ends(ladder, one) > now)


def _last_day(ladder: Ladder, day: date) -> date:
    # What is settled on the opening trades until the day before.
    if ladder.ends_on_expiry:
        return day
    return expiries.nominal_third_friday(day) - timedelta(days=1)


def _ends(ladder: Ladder, day: date) -> datetime:
    return expiries.close_of(_last_day(ladder, day))


# Strikes.


@lru_cache(maxsize=256)
def _strikes(ladder: Ladder, *, wide: bool) -> frozenset[Decimal]:
    reach, coarse_reach = ladder.near, ladder.far if wide else ladder.near * 2
    return frozenset(
        _steps(ladder.anchor, reach, ladder.step) | _steps(ladder.anchor, coarse_reach, ladder.coarse)
    )


def _steps(anchor: Decimal, reach: Decimal, step: Decimal) -> set[Decimal]:
    low = (anchor * (1 - reach) / step).to_integral_value(ROUND_CEILING)
    high = int(anchor * (1 + reach) / step)
    return {count * step for count in range(int(low), high + 1)}


def strikes(ladder: Ladder, day: date) -> frozenset[Decimal]:
    """The strikes of one expiry."""
    wide = day == expiries.third_friday(day.replace(day=1))
    return _strikes(ladder, wide=wide or ladder.dates == "month_end")


# Contracts.


@lru_cache(maxsize=16384)
def contract(ladder: Ladder, day: date, strike: Decimal, right: str) -> Instrument:
    """One contract."""
    conid = _conid(ladder, day, strike, right)
    trading_class = ladder.trading_class.format(week=expiries.week_of_month(day))
    return Instrument(
        conid=conid,
        symbol=ladder.on.symbol,
        name=ladder.on.name,
        exchange=ladder.exchange,
        price=ladder.on.price,
        kind="",
        currency=ladder.currency,
        country=ladder.on.country,
        is_us=ladder.currency == "USD",
        ticks=ladder.ticks,
        sec_type=ladder.sec_type,
        multiplier=ladder.multiplier,
        underlying=_underlying(ladder, day),
        right=right,
        strike=strike,
        expiry=day,
        last_day=_last_day(ladder, day),
        ends=_ends(ladder, day),
        month=day.replace(day=1),
        trading_class=trading_class,
        routes=ladder.venues,
        volatility=ladder.volatility,
    )


def _underlying(ladder: Ladder, day: date) -> Instrument:
    product = futures_calendar.BY_CONID.get(ladder.on.conid)
    return futures_calendar.future_behind(product, day) if product else ladder.on


_RECORDED_CONIDS = {row: conid for conid, row in _RECORDED.items()}


def _conid(ladder: Ladder, day: date, strike: Decimal, right: str) -> int:
    known = _RECORDED_CONIDS.get((ladder.key, day, f"{strike.normalize():f}", right))
    if known is not None:
        return known
    days, step = (day - _EPOCH).days, int(strike / ladder.step)
    number = (ladder.index * _DAYS + days) * _STRIKES + step
    return _FIRST_CONID + number * _RIGHTS + (right == "P")


def find(conid: int) -> Instrument | None:
    """The contract with this conid, expired or not."""
    if conid in _RECORDED:
        key, day, strike, right = _RECORDED[conid]
        return contract(BY_CLASS[key], day, Decimal(strike), right)
    number, is_put = divmod(conid - _FIRST_CONID, _RIGHTS)
    number, step = divmod(number, _STRIKES)
    index, days = divmod(number, _DAYS)
    if not 0 <= index < len(LADDERS):
        return None
    ladder, day = LADDERS[index], _EPOCH + timedelta(days=days)
    strike_price = ladder.step * step
    if not _is_date(ladder, day) or strike_price not in strikes(ladder, day):
        return None
    return contract(ladder, day, strike_price, "P" if is_put else "C")


def months(ladder_list: list[Ladder], now: datetime) -> list[str]:
    """The months in which any of these ladders has a date, in order."""
    days = sorted({day.replace(day=1) for one in ladder_list for day in listed_dates(one, now)})
    return [expiries.month_code(day) for day in days]


def dates(ladder_list: list[Ladder], now: datetime) -> list[date]:
    """All expiries of these ladders, in order."""
    return sorted({day for one in ladder_list for day in listed_dates(one, now)})


def in_month(ladder: Ladder, month: date, now: datetime) -> list[date]:
    """The expiries of a ladder in one month."""
    return [day for day in listed_dates(ladder, now) if day.replace(day=1) == month]


def month_strikes(ladder_list: list[Ladder], month: date, now: datetime) -> list[Decimal]:
    """The strikes of all dates of a month together: one alone may lack some."""
    return sorted(
        {price for one in ladder_list for day in in_month(one, month, now) for price in strikes(one, day)}
    )


def month_contracts(
    ladder_list: list[Ladder], month: date, now: datetime, strike: Decimal | None, rights: str
) -> list[Instrument]:
    """The contracts of a month at one strike, or at all strikes."""
    return [
        contract(one, day, price, right)
        for one in ladder_list
        for day in in_month(one, month, now)
        for price in sorted(strikes(one, day))
        if strike is None or price == strike
        for right in rights
    ]
