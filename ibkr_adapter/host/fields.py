"""Which keys a webhook may carry, in which spellings, and what each of them is for.

Knows names only. What a value may be is for :mod:`.webhook`, and what it leads to for
:mod:`.plan`. A key that is one slip from a known one is never taken for an unknown key:
a misspelt stop that is ignored leaves a position without one.

The names are those that the host reads or documents; the host itself also passes on keys meant
for its other brokers, which mean nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable

# What each field is called; a payload may carry one of the spellings.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "action": ("action",),
    "symbol": ("symbol",),
    "underlying": ("underlying",),
    "right": ("right", "option_type"),
    "strike": ("strike",),
    "expiration": ("expiration",),
    "exchange": ("exchange",),
    "order_type": ("orderType", "order_type"),
    "price": ("price",),
    "stop_price": ("stopPrice", "stop_price"),
    "quantity": ("quantity",),
    "position_size_usd": ("position_size_usd", "positionSizeUsd"),
    "stop_loss_percent": ("stop_loss_percent", "stopLoss"),
    "stop_loss_price": ("stop_loss_price",),
    "take_profit_percent": ("take_profit_percent", "takeProfit"),
    "take_profit_price": ("take_profit_price",),
    "trailing_stop_percent": ("trailing_stop_percent", "trailingStop"),
    "use_trailing_stop": ("useTrailingStop",),
    "sell_percentage": ("sell_percentage",),
    "strategy": ("strategy",),
    "strategy_id": ("strategy_id",),
    "source": ("source",),
    "user_id": ("user_id", "userId"),
    "secret": ("secret",),
    "environment": ("environment",),
    "linked_exchange_id": ("linked_exchange_id",),
    "timestamp": ("timestamp",),
    "webhook_id": ("webhook_id", "webhookId"),
}

# Two ways to say one thing; a payload that says both does not know what it wants.
EITHER_OR = (
    ("quantity", "position_size_usd"),
    ("stop_loss_percent", "stop_loss_price"),
    ("take_profit_percent", "take_profit_price"),
)

# What only an entry reads. A close is never held up by them.
ENTRY_ONLY = (
    "order_type",
    "price",
    "stop_price",
    "quantity",
    "position_size_usd",
    "stop_loss_percent",
    "stop_loss_price",
    "take_profit_percent",
    "take_profit_price",
    "trailing_stop_percent",
    "use_trailing_stop",
)

# Other brokers' switches: the order is the same without them, so they are listed and left alone.
FOREIGN = frozenset(
    {
        "useBracketOrder",
        "useOCOOrder",
        "useOTOOrder",
        "useFractional",
        "extended_hours",
        "extendedHours",
        "stop_loss_limit_price",
        "oanda_bracket_mode",
        "trailingType",
        "trailingStopStep",
        "marketSession",
        "orderTerm",
        "exitStrategy",
    }
)

# Without these the order would be for something else than the payload says.
FOREIGN_INSTRUMENT = {
    "legs": "names a combination, and a webhook orders one contract: use place_combo_order",
    "option_symbol": "names an option: write it as symbol",
}

# Without these the entry would have another size, or no stop at all.
FOREIGN_RISK = {
    "trailing_stop_pips": "counts in pips, which mean nothing here: write trailing_stop_percent",
    "trailing_stop_distance": "is for another exchange: write trailing_stop_percent",
    "sizePercent": "is for another exchange: write quantity or position_size_usd",
}

_FIELD_OF = {spelling: field for field, spellings in SPELLINGS.items() for spelling in spellings}
_KNOWN = (*_FIELD_OF, *FOREIGN_RISK, *FOREIGN_INSTRUMENT, *sorted(FOREIGN))


def field_of(key: str) -> str | None:
    """Return the field that ``key`` is a spelling of, or ``None``."""
    return _FIELD_OF.get(key)


def is_known(key: str) -> bool:
    """Tell whether ``key`` is written exactly as some field is."""
    return key in _KNOWN


def nearest(key: str) -> str | None:
    """Return the known key that ``key`` is one slip away from, or ``None``.

    A slip is one letter too many, too few or wrong, two neighbours exchanged, or a difference in
    case or underscores only.
    """
    bare = _bare(key)
    if not bare:
        return None
    for known in _KNOWN:
        if _bare(known) == bare:
            return known
    return _first(known for known in _KNOWN if is_one_slip(bare, _bare(known)))


def is_one_slip(one: str, other: str) -> bool:
    """Tell whether one edit, or one exchange of neighbours, turns ``one`` into ``other``."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    left, right = one[start:], other[start:]
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[:2][::-1] and left[2:] == right[2:])
    )


def _bare(key: str) -> str:
    return key.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _first(keys: Iterable[str]) -> str | None:
    return next(iter(keys), None)
