"""Read what hosts write: amounts as numbers or texts, sides and order types in any case.

Nothing is guessed: what cannot be read is an :class:`~ibkr_adapter.errors.InvalidOrder` that says
what was written and what would be understood. The other way round is :mod:`ibkr_adapter.shapes`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from ibkr_adapter import shapes
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.order import OrderType, Side

# What an entry with exits may be; a trailing entry has no price to protect.
ENTRIES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT})


def number(value: Any, what: str) -> Decimal:
    """Read an amount above 0, written as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise InvalidOrder(f"the {what} {value!r:.40} is no number; nothing was sent.")
    try:
        found = Decimal(value.strip()) if isinstance(value, str) else Decimal(str(value))
    except InvalidOperation:
        raise InvalidOrder(f"the {what} {value!r:.40} is no number; nothing was sent.") from None
    if not found.is_finite() or found <= 0:
        raise InvalidOrder(f"the {what} {value!r:.40} is not above 0; nothing was sent.")
    return found


def optional(value: Any, what: str) -> Decimal | None:
    """Read an amount that may be left out."""
    return None if value is None else number(value, what)


def side(word: Any) -> Side:
    """Read a side in any case."""
    found = shapes.side_of(word)
    if found is None:
        raise InvalidOrder(f"{word!r:.40} is no side; nothing was sent.", remedy="Write BUY or SELL.")
    return found


def order_type(word: Any) -> OrderType:
    """Read the type of an entry."""
    kind = OrderType.named(word)
    if kind not in ENTRIES:
        raise InvalidOrder(
            f"{word!r:.40} is no order type for an entry; nothing was sent.",
            remedy="Write market, limit, stop or stop_limit.",
        )
    return kind


def entry_prices(
    kind: OrderType, price: Decimal | None, stop: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """Sort a bracket's entry prices into limit and trigger."""
    if kind is OrderType.MARKET:
        return None, None
    if kind is OrderType.STOP:
        return None, stop if stop is not None else price
    return price, stop
