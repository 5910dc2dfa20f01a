"""Print numbers the way IBKR prints them.

The same amount leaves as a JSON number, a text with thousands commas, a text with a unit or a
price with the digits of its tick, depending on the endpoint; each form has its function here,
so that a view only says which one it means. Rounding is half up, as on a statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
_ONE = Decimal(1)


def cents(amount: Decimal) -> Decimal:
    """Round an amount of money to the cent."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def number(amount: Decimal, places: int | None = None) -> float:
    """A JSON number, rounded to ``places`` when they are given; never minus zero."""
    if places is not None:
        amount = amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    return float(amount) + 0.0


def places_of(increment: Decimal) -> int:
    """How many decimals a tick has; at least two, as prices are shown."""
    exponent = increment.normalize().as_tuple().exponent
    return max(2, -int(exponent))


def price_text(price: Decimal | None, increment: Decimal = CENT) -> str:
    """A price as text with the digits of its tick; nothing for none."""
    if price is None:
        return ""
    return f"{price:.{places_of(increment)}f}"


def quantity_text(quantity: Decimal) -> str:
    """A size in an order's prose: no needless zeros, no exponent."""
    whole = quantity.normalize()
    return f"{whole:f}"


def decimal_text(quantity: Decimal) -> str:
    """A size as order status prints it: always with a decimal part."""
    text = quantity_text(quantity)
    return text if "." in text else f"{text}.0"


def grouped(amount: Decimal) -> str:
    """A whole amount with thousands commas."""
    return f"{amount.quantize(_ONE, rounding=ROUND_HALF_UP):,}"


def with_unit(amount: Decimal, currency: str) -> str:
    """A whole amount with commas and its currency: ``994,831 USD``."""
    return f"{grouped(amount)} {currency}"


def money(amount: Decimal, currency: str) -> str:
    """An amount as previews print it: commas, cents only when there are some."""
    rounded = cents(amount)
    text = f"{rounded:,.2f}"
    if rounded == rounded.to_integral_value():
        text = f"{rounded:,.0f}"
    return f"{text} {currency}"


def shortened(amount: Decimal) -> str:
    """A volume with a K, M or B suffix: ``25.5M``."""
    for size, suffix in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if amount >= size:
            return f"{(amount / size).quantize(Decimal('0.1'), rounding=ROUND_HALF_UP)}{suffix}"
    return grouped(amount)


def signed(amount: Decimal, places: int = 2) -> str:
    """A change with its sign: ``+1.20``."""
    return f"{amount:+.{places}f}"


def ticks_json(ticks: Sequence[tuple[Decimal, Decimal]]) -> list[dict[str, float]]:
    """The tick table as IBKR writes it."""
    return [{"lowerEdge": number(edge), "increment": number(step)} for edge, step in ticks]


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def seconds(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return int(moment.timestamp())


def short_stamp(moment: datetime) -> str:
    """The twelve digits order rows use: YYMMDDHHmmss in UTC."""
    return moment.astimezone(UTC).strftime("%y%m%d%H%M%S")


def long_stamp(moment: datetime) -> str:
    """The stamp of trades and bars: YYYYMMDD-HH:mm:ss in UTC."""
    return moment.astimezone(UTC).strftime("%Y%m%d-%H:%M:%S")
