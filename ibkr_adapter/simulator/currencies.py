"""Money: what a currency is worth, and the pairs that are traded.

The rates convert every sum of an account into its base currency and answer the exchange rate
look-up; they stand still. The pairs start at the crosses of these rates and walk. A pair is
listed one way round only: who wants the other way has to turn the price over.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from ibkr_adapter.simulator.instrument import Instrument, Ticks

BASE = "USD"
# US dollars for one unit. USD.EUR is the recorded rate, the others are seeds.
RATES: dict[str, Decimal] = {
    "USD": Decimal(1),
    "EUR": Decimal(1) / Decimal("0.86656614"),
    "GBP": Decimal("1.3120"),
    "CHF": Decimal("1.2410"),
    "CAD": Decimal("0.7110"),
    "AUD": Decimal("0.6504"),
    "SGD": Decimal("0.7690"),
    "JPY": Decimal("0.0064"),
    "MXN": Decimal("0.0541"),
    "HKD": Decimal("0.1285"),
    "CZK": Decimal("0.0476"),
    "RON": Decimal("0.2268"),
}
_NAMES = {
    "EUR": "European Monetary Union Euro",
    "GBP": "British pound",
    "AUD": "Australian dollar",
    "USD": "United States dollar",
}
# Symbol and conid as recorded or documented; which side a currency stands on differs from pair
# to pair. The order is the recorded one.
_ROWS = (
    ("USD.CHF", 12087820),
    ("EUR.USD", 12087792),
    ("GBP.USD", 12087797),
    ("USD.JPY", 15016059),
    ("USD.CAD", 15016062),
    ("USD.SGD", 37928772),
    ("USD.RON", 38231133),
    ("USD.CZK", 34838409),
    ("AUD.CAD", 15016138),
)
_FINE: Ticks = ((Decimal(0), Decimal("0.00005")),)
_COARSE: Ticks = ((Decimal(0), Decimal("0.005")),)
# Guess: the cents in which a converted amount may be stated.
_SMALLEST = Decimal("0.01")


def _pair(symbol: str, conid: int) -> Instrument:
    base, quote = symbol.split(".")
    ticks = _COARSE if quote == "JPY" else _FINE
    tick = ticks[0][1]
    cross = RATES[base] / RATES[quote]
    return Instrument(
        conid=conid,
        symbol=symbol,
        name=_NAMES[base],
        exchange="IDEALPRO",
        price=(cross / tick).quantize(Decimal(1), rounding=ROUND_HALF_UP) * tick,
        kind="",
        currency=quote,
        is_us=False,
        ticks=ticks,
        sec_type="CASH",
        lot=_SMALLEST,
        base=base,
        routes="IDEALPRO,FXCONV",
    )


PAIRS: tuple[Instrument, ...] = tuple(_pair(*row) for row in _ROWS)


def pairs_with(currency: str) -> list[tuple[Instrument, str]]:
    """The pairs that a currency is a side of, each with the other side."""
    found = []
    for pair in PAIRS:
        sides = pair.symbol.split(".")
        if currency in sides:
            found.append((pair, sides[1] if sides[0] == currency else sides[0]))
    return found
