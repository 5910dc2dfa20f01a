"""Dated futures: which months are listed, what their conids are, when they end.

Each product lists its next months; a contract is computed from its product and month, and back
from its conid, so that one which has expired is still found. Expiry and last trading day differ
by a day for index futures, as recorded.

Conids of four E-mini contracts are recorded, all others invented.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache

import attrs

from ibkr_adapter.simulator import expiries, other_listings
from ibkr_adapter.simulator.expiries import MONTH_LETTERS, QUARTERS
from ibkr_adapter.simulator.instrument import Instrument

# Invented conids: this, a block for each product, and the months since January 2020.
_FIRST_CONID = 1_100_000_000
_BLOCK = 10_000
_EPOCH = date(2020, 1, 1)
_LAST_MONTH = 240
_CLOSE = time(17, 0)


@attrs.frozen(kw_only=True)
class Product:
    """What all contracts of one product share; ``multiplier`` in units of money a point."""

    of: Instrument
    index: int
    multiplier: Decimal
    listed: int
    every: frozenset[int]
    expires: Callable[[date], date]
    ends: Callable[[date], date]


def _day_before_third_friday(month: date) -> date:
    return expiries.nominal_third_friday(month) - timedelta(days=1)


def _index_future(of: Instrument, index: int, multiplier: int) -> Product:
    return Product(
        of=of,
        index=index,
        multiplier=Decimal(multiplier),
        listed=5,
        every=QUARTERS,
        expires=expiries.third_friday,
        ends=_day_before_third_friday,
    )


PRODUCTS: tuple[Product, ...] = (
    _index_future(other_listings.ES, 0, 50),
    _index_future(other_listings.MES, 1, 5),
    _index_future(other_listings.NQ, 2, 20),
    Product(
        of=other_listings.CL,
        index=3,
        multiplier=Decimal(1000),
        listed=6,
        every=frozenset(range(1, 13)),
        expires=expiries.energy_day,
        ends=expiries.energy_day,
    ),
)
BY_CONID = {one.of.conid: one for one in PRODUCTS}
_RECORDED = {
    (11004968, date(2024, 12, 1)): 495512557,
    (11004968, date(2025, 12, 1)): 495512563,
    (11004968, date(2026, 6, 1)): 649180678,
    (11004968, date(2026, 12, 1)): 515416632,
}
_RECORDED_MONTHS = {conid: key for key, conid in _RECORDED.items()}


def products_of(symbol: str) -> list[Product]:
    """The products with this exact symbol."""
    return [one for one in PRODUCTS if one.of.symbol == symbol]


@lru_cache(maxsize=1024)
def contract(product: Product, month: date) -> Instrument:
    """The contract of one month."""
    of = product.of
    months = (month.year - _EPOCH.year) * 12 + month.month - 1
    invented = _FIRST_CONID + product.index * _BLOCK + months
    last_day = product.ends(month)
    return attrs.evolve(
        of,
        conid=_RECORDED.get((of.conid, month), invented),
        kind="",
        price=of.underlying.price if of.underlying else of.price,
        sec_type="FUT",
        multiplier=product.multiplier,
        underlying=of,
        expiry=product.expires(month),
        last_day=last_day,
        ends=expiries.close_of(last_day, _CLOSE),
        month=month,
        trading_class=of.symbol,
    )


def months(product: Product, now: datetime) -> list[date]:
    """The months that are listed now, the nearest first."""
    first = date(now.year, now.month, 1)
    found: list[date] = []
    while len(found) < product.listed:
        if first.month in product.every and not contract(product, first).is_over(now):
            found.append(first)
        first = expiries.month_after(first)
    return found


def listed(product: Product, now: datetime) -> list[Instrument]:
    """The contracts that are listed now, the nearest first."""
    return [contract(product, month) for month in months(product, now)]


def find(conid: int) -> Instrument | None:
    """The contract with this conid, expired or not."""
    if conid in _RECORDED_MONTHS:
        product, month = _RECORDED_MONTHS[conid]
        return contract(BY_CONID[product], month)
    index, count = divmod(conid - _FIRST_CONID, _BLOCK)
    if not 0 <= index < len(PRODUCTS) or count >= _LAST_MONTH:
        return None
    found = contract(PRODUCTS[index], expiries.month_after(_EPOCH, count))
    return (
        found if found.conid == conid and found.month and found.month.month in PRODUCTS[index].every else None
    )


def future_behind(product: Product, day: date) -> Instrument:
    """The contract that an option of a product expiring on ``day`` is an option on."""
    month = date(day.year, day.month, 1)
    while month.month not in product.every or product.ends(month) < day:
        month = expiries.month_after(month)
    return contract(product, month)


def local_symbol(future: Instrument) -> str:
    """The symbol of the exchange: ``ESZ6``."""
    month = future.month or _EPOCH
    return f"{future.symbol}{MONTH_LETTERS[month.month - 1]}{month.year % 10}"
