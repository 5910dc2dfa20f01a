"""Read what hosts write: amounts as numbers or texts, sides and order types in any case.

Nothing is guessed: what cannot be read is an :class:`~ibkr_adapter.errors.InvalidOrder` that says
what was written and what would be understood. The other way round is :mod:`ibkr_adapter.shapes`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from ibkr_adapter import shapes
from ibkr_adapter.errors import InvalidOrder, InvalidRequest, quoted
from ibkr_adapter.model.combo import ComboLeg, Spread
from ibkr_adapter.model.kinds import LARGEST_POWER, is_listed, is_whole
from ibkr_adapter.model.order import OrderType, Side
from ibkr_adapter.wire import numbers

# What an entry with exits may be; a trailing entry has no price to protect.
ENTRIES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT})
# The one option that hosts send, and what a name has in it that means an exit as well.
_TRAILING = ("trailingStop", "trailing_stop")
_EXITS = ("stop", "trail", "loss", "profit", "target", "protect")
_LONGEST_KEY = 40
_OPTIONS = 'Write {"trailingStop": 1.5}, or leave them out; the other exits are arguments.'

log = logging.getLogger(__name__)


def _decimal(value: Any, what: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise InvalidOrder(f"the {what} {quoted(value)} is no number; nothing was sent.")
    try:
        if isinstance(value, str):
            return Decimal(value.strip())
        # The shortest text that means a float is what was written.
        return Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise InvalidOrder(f"the {what} {quoted(value)} is no number; nothing was sent.") from None


def number(value: Any, what: str) -> Decimal:
    """Read an amount above 0, written as a number or as text."""
    found = _decimal(value, what)
    if not found.is_finite() or found <= 0:
        raise InvalidOrder(f"the {what} {quoted(value)} is not above 0; nothing was sent.")
    return _bounded(found, value, what)


def signed(value: Any, what: str) -> Decimal:
    """Read an amount that may be negative or zero, as the price of a combination."""
    found = _decimal(value, what)
    if not found.is_finite():
        raise InvalidOrder(f"the {what} {quoted(value)} is no number; nothing was sent.")
    return _bounded(found, value, what)


def _bounded(found: Decimal, value: Any, what: str) -> Decimal:
    # Arithmetic on powers far beyond any market overflows, or does not end.
    if found.adjusted() > LARGEST_POWER:
        raise InvalidOrder(f"the {what} {quoted(value)} is more than any market has; nothing was sent.")
    return found


def legs(value: Any) -> Spread | list[ComboLeg]:
    """Read the legs of a combination.

    Each is a mapping (``{"symbol": "SPY", "ratio": -1}``, or with ``conid``, or with ``side``
    instead of the sign), or a pair of what and ratio; a :class:`Spread` is taken as it is.
    """
    if isinstance(value, Spread):
        return value
    if isinstance(value, Mapping) or not is_listed(value):
        raise InvalidOrder(
            f"{quoted(value)} are no legs of a combination; nothing was sent.",
            remedy='Write a list such as [{"symbol": "SPY", "ratio": 1}, {"symbol": "QQQ", "ratio": -1}].',
        )
    return [leg if isinstance(leg, ComboLeg) else _leg(leg) for leg in value]


def _leg(value: Any) -> ComboLeg:
    if isinstance(value, Mapping):
        unknown = set(value) - {"symbol", "conid", "ratio", "side"}
        if unknown:
            raise InvalidOrder(
                f"a leg has {', '.join(sorted(map(str, unknown)))}, which is not known; nothing was sent.",
                remedy="It has symbol or conid, ratio, and side.",
            )
        if (value.get("symbol") is None) is (value.get("conid") is None):
            raise InvalidOrder("a leg has either a symbol or a conid; nothing was sent.")
        named = value.get("symbol") if value.get("conid") is None else _conid(value["conid"])
        ratio = _ratio(value.get("ratio", 1))
        if value.get("side") is not None:
            if ratio < 0:
                raise InvalidOrder("a leg has a side or a negative ratio, not both; nothing was sent.")
            ratio *= side(value["side"]).sign
    elif isinstance(value, (tuple, list)) and len(value) == 2:  # noqa: PLR2004  (a pair)
        named, ratio = value[0], _ratio(value[1])
    else:
        raise InvalidOrder(
            f"{quoted(value)} is no leg of a combination; nothing was sent.",
            remedy='Write {"symbol": "SPY", "ratio": -1}, or a pair of what and ratio.',
        )
    if isinstance(named, bool) or not isinstance(named, (str, int)):
        raise InvalidOrder(f"{quoted(named)} names no leg; nothing was sent.")
    return ComboLeg(contract=named, ratio=ratio)


def _conid(value: Any) -> int:
    found = numbers.conid(value)
    if found is None:
        raise InvalidOrder(f"{quoted(value)} is no contract id; nothing was sent.")
    return found


def _ratio(value: Any) -> int:
    found = numbers.integer(value)
    if found is None:
        raise InvalidOrder(f"the ratio {quoted(value, 20)} of a leg is no whole number; nothing was sent.")
    return found


def optional(value: Any, what: str) -> Decimal | None:
    """Read an amount that may be left out."""
    return None if value is None else number(value, what)


def trailing(options: Any) -> Any:
    """Take the trailing stop out of the mapping that some hosts put the rest of an order into.

    Raises:
        InvalidOrder: It is no mapping, or asks for protection by a name that is not known: passed over,
            the position would be without it.
    """
    if options is None:
        return None
    if not isinstance(options, Mapping):
        raise InvalidOrder(
            f"the options {quoted(options)} are no mapping; nothing was sent.", remedy=_OPTIONS
        )
    for key in options:
        if key in _TRAILING:
            continue
        if not isinstance(key, str) or _protects(key):
            raise InvalidOrder(f"the options have no {quoted(key)}; nothing was sent.", remedy=_OPTIONS)
        log.warning("the option %s of an order is passed over", quoted(key))
    given = [options[key] for key in _TRAILING if options.get(key) is not None]
    if len(given) > 1:
        raise InvalidOrder(f"the options have {' and '.join(_TRAILING)}; nothing was sent.", remedy=_OPTIONS)
    return given[0] if given else None


def _protects(key: str) -> bool:
    """Whether a name that is not known speaks of an exit, or is a known one misspelt."""
    word = key[:_LONGEST_KEY].lower()
    return (
        word in {"sl", "tp"}
        or any(part in word for part in _EXITS)
        or bool(get_close_matches(word, _TRAILING))
    )


def most(value: Any) -> int | None:
    """Read how many rows are wanted at most, written as a number or as text; ``None`` is all."""
    if value is None:
        return None
    found = int(value) if is_whole(value) else numbers.integer(value)
    if found is None or found < 0:
        raise InvalidRequest(
            f"the limit {quoted(value)} is no whole number from 0 on; nothing was sent.",
            remedy="Leave it out for all there are.",
        )
    return found


def side(word: Any) -> Side:
    """Read a side in any case."""
    found = shapes.side_of(word)
    if found is None:
        raise InvalidOrder(f"{quoted(word)} is no side; nothing was sent.", remedy="Write BUY or SELL.")
    return found


def order_type(word: Any) -> OrderType:
    """Read the type of an entry."""
    kind = OrderType.named(word)
    if kind not in ENTRIES:
        raise InvalidOrder(
            f"{quoted(word)} is no order type for an entry; nothing was sent.",
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
