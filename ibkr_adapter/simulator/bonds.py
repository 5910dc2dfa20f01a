"""Bonds: one issuer's, each with its coupon and its dates, and the filters they are found by.

A bond search answers with issuers only; the filters of an issuer and the rows of its bonds come
from two further look-ups. Prices are in percent of the face value of a thousand.

The issuers' ids and names are documented, and so are the filters' columns; which bonds there are
is invented. How a filter is written when bonds are asked for is documented nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator.instrument import Instrument, Ticks

_TICKS: Ticks = ((Decimal(0), Decimal("0.001")),)
# A price in percent of a face value of a thousand: one point is ten units of money.
_POINT = Decimal(10)
BOND_ISSUER = "e1400715"
# Issuers by ticker; every other company has a single one, the same that was recorded.
_ISSUERS: dict[str, tuple[tuple[str, str], ...]] = {
    "IBM": (
        ("e5499005", "IBM International Capital Pte Ltd"),
        ("e1580374", "IBM-CALL"),
        ("e1400789", "International Business Machines Corp"),
        ("e1658116", "Truven Health Analytics Inc"),
    ),
}
_COLUMNS = {"Exchange": 0, "Maturity Date": 27, "Issue Date": 28, "Coupon": 25, "Currency": 5}


def _bond(conid: int, coupon: str, matures: date, issued: date, currency: str, price: str) -> Instrument:
    return Instrument(
        conid=conid,
        symbol="IBKR",
        name="INTERACTIVE BROKERS GROUP",
        exchange="SMART",
        price=Decimal(price),
        kind="Corp",
        currency=currency,
        is_us=currency == "USD",
        ticks=_TICKS,
        sec_type="BOND",
        multiplier=_POINT,
        expiry=matures,
        routes="SMART",
        cusip=f"45841N{conid % 1000:03d}",
        coupon=Decimal(coupon),
        issued=issued,
        issuer=BOND_ISSUER,
    )


BONDS: tuple[Instrument, ...] = (
    _bond(900000201, "1.301", date(2028, 12, 15), date(2014, 9, 18), "EUR", "94.120"),
    _bond(900000202, "1.34", date(2029, 1, 15), date(2015, 4, 9), "EUR", "93.805"),
    _bond(900000203, "4.25", date(2028, 12, 15), date(2014, 9, 18), "USD", "99.640"),
    _bond(900000204, "5.1", date(2029, 1, 15), date(2015, 4, 9), "USD", "101.275"),
    _bond(900000205, "0.75", date(2029, 1, 15), date(2015, 4, 9), "CHF", "96.430"),
)


def issuers_of(symbol: str, name: str) -> list[dict[str, str]]:
    """The issuers that a search by ticker finds."""
    known = _ISSUERS.get(symbol, ((BOND_ISSUER, name),))
    return [{"id": identity, "name": title} for identity, title in known]


def bonds_of(issuer: str, filters: str = "") -> list[Instrument]:
    """The bonds of an issuer that fit all filters.

    Guess: a filter is a column's number, a colon and a value of that column; several are
    separated by commas. What is written otherwise filters nothing.
    """
    wanted = [one.partition(":")[::2] for one in filters.split(",") if ":" in one]
    return [
        bond
        for bond in BONDS
        if bond.issuer == issuer and all(_fits(bond, column, value) for column, value in wanted)
    ]


def _fits(bond: Instrument, column: str, value: str) -> bool:
    known = {str(number): name for name, number in _COLUMNS.items()}
    return column not in known or _VALUES[known[column]](bond)["value"] == value


_VALUES: dict[str, Callable[[Instrument], dict[str, str]]] = {
    "Exchange": lambda bond: {"value": bond.exchange},
    "Maturity Date": lambda bond: _dated(bond.expiry, "%b %Y", "%Y%m"),
    "Issue Date": lambda bond: _dated(bond.issued, "%b %d %Y", "%Y%m%d"),
    "Coupon": lambda bond: {"value": f"{bond.coupon:f}"},
    "Currency": lambda bond: {"value": bond.currency},
}


def _dated(day: date | None, shown: str, value: str) -> dict[str, str]:
    return {"text": f"{day:{shown}}", "value": f"{day:{value}}"} if day else {}


def filters_of(issuer: str) -> list[dict[str, Any]]:
    """The filters of an issuer: its columns, each with the values its bonds have."""
    bonds = bonds_of(issuer)
    filters = []
    for name, number in _COLUMNS.items():
        options = {one["value"]: one for one in map(_VALUES[name], bonds)}
        ordered = [options[key] for key in sorted(options)]
        if ordered:
            filters.append({"displayText": name, "columnId": number, "options": ordered})
    return filters
