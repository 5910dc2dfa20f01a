"""Hold what a program hands to ``ibkr.orders`` against the kinds that its methods name.

Nothing is converted: a float is not the price that was written, ``"buy"`` is no :class:`Side`, and a
guess would be an order. What is of another kind is refused before anything is asked or sent. Hosts'
words are read by :mod:`ibkr_adapter.words`.
"""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter.errors import InvalidOrder, quoted
from ibkr_adapter.model.kinds import LARGEST_POWER, LONGEST_TIME
from ibkr_adapter.model.order import OrderType, Side, TrailingUnit


def side(value: object) -> None:
    """See that ``value`` is a side.

    Raises:
        InvalidOrder: It is none; nothing was sent. So for all of them.
    """
    if not isinstance(value, Side):
        raise InvalidOrder(
            f"side={quoted(value)} is no Side; nothing was sent.", remedy="Write Side.BUY or Side.SELL."
        )


def order_type(value: object) -> None:
    """See that ``value`` is an order type."""
    if not isinstance(value, OrderType):
        raise InvalidOrder(
            f"order_type={quoted(value)} is no OrderType; nothing was sent.",
            remedy=f"Write one of {', '.join(f'OrderType.{kind.name}' for kind in OrderType)}.",
        )


def trailing_unit(value: object) -> None:
    """See that ``value`` is what a trailing amount counts in, or left out."""
    if value is not None and not isinstance(value, TrailingUnit):
        raise InvalidOrder(
            f"trailing_unit={quoted(value)} is no TrailingUnit; nothing was sent.",
            remedy="Write TrailingUnit.AMOUNT or TrailingUnit.PERCENT.",
        )


def amounts(**given: object) -> None:
    """See that each value, under its name, is a finite ``Decimal``."""
    for name, value in given.items():
        if not isinstance(value, Decimal):
            raise InvalidOrder(
                f"{name}={quoted(value)} is no Decimal; nothing was sent.",
                remedy="Write it as Decimal('1.5'): a float has other digits than those that are seen.",
            )
        if not value.is_finite():
            raise InvalidOrder(f"{name}={quoted(value)} is no number; nothing was sent.")
        # Arithmetic on powers far beyond any market overflows, or does not end.
        if value.adjusted() > LARGEST_POWER:
            raise InvalidOrder(f"{name}={quoted(value)} is more than any market has; nothing was sent.")


def optional_amounts(**given: object) -> None:
    """See that each value, under its name, is a finite ``Decimal`` or left out."""
    amounts(**{name: value for name, value in given.items() if value is not None})


def seconds(value: object, what: str) -> float:
    """Read a time from 0 on, cut to what a clock can wait for.

    Raises:
        InvalidOrder: It is no time; nothing was sent.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise InvalidOrder(f"{quoted(value, 20)} is no time {what}; nothing was sent.")
    return float(min(value, LONGEST_TIME))
