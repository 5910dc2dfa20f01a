"""Tell whether a contract takes an order: its type, its time in force, its account.

What the rules list decides, and what a class demands besides; what neither mentions is left to
IBKR. How long an order stands that says nothing of it is decided here, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from ibkr_adapter.errors import InvalidOrder, quoted
from ibkr_adapter.measures import Terms
from ibkr_adapter.model.order import OrderType, Tif
from ibkr_adapter.model.rules import Rules

_OVERNIGHT = frozenset({Tif.OVT, Tif.OND})
# What most contracts do not take, and no rules name.
_OF_FEW = _OVERNIGHT | {Tif.PAX}


def check_allowed(terms: Terms, order_type: OrderType, tif: Tif) -> None:
    """See that the contract takes this type and time in force, alone and together.

    Raises:
        InvalidOrder: Its rules do not list it; nothing was sent.
    """
    symbol = terms.contract.symbol
    rules = terms.rules
    _check_class(terms, order_type, tif)
    if rules.order_types and order_type.value not in rules.order_types:
        raise InvalidOrder(
            f"{symbol} does not take orders of type {order_type.value}; nothing was sent.",
            remedy=f"It takes {', '.join(sorted(rules.order_types))}.",
        )
    if tif in _OVERNIGHT:
        # The rules name the day's times in force only, and the night's by a mark of its own.
        if rules.overnight is False:
            raise _not_in_force(terms, tif.value)
    elif rules.tifs and tif.value not in rules.tifs and tif is not Tif.PAX:
        raise _not_in_force(terms, tif.value)
    elif tif.value in rules.tifs and not rules.takes(tif.value, order_type.value):
        listed = sorted(rules.tifs[tif.value].order_types or ())
        raise InvalidOrder(
            f"{symbol} does not take {tif.value} for orders of type {order_type.value}; nothing was sent.",
            remedy=f"It takes {tif.value} for {', '.join(listed)}, and for this type"
            f" {_listed(one for one in _sendable(rules) if rules.takes(one, order_type.value))}.",
        )
    accounts = rules.can_trade_accounts
    if accounts is not None and terms.account not in accounts:
        raise InvalidOrder(f"account {terms.account} has no permission to trade {symbol}; nothing was sent.")


def check_algo(terms: Terms, order_type: OrderType, tif: Tif) -> None:
    """See that the contract's rules let an algorithm work this type and time in force.

    Raises:
        InvalidOrder: They list others; nothing was sent.
    """
    symbol, rules = terms.contract.symbol, terms.rules
    if rules.algo_types and order_type.value not in rules.algo_types:
        raise InvalidOrder(
            f"{symbol} takes no algorithm for orders of type {order_type.value}; nothing was sent.",
            remedy=f"It does for {_listed(rules.algo_types)}.",
        )
    listed = [one for one in _sendable(rules) if rules.tifs[one].algos]
    if tif.value in rules.tifs and not rules.tifs[tif.value].algos:
        raise InvalidOrder(
            f"{symbol} takes no algorithm with {tif.value}; nothing was sent.",
            remedy=f"It does with {_listed(listed)}." if listed else "It does with none.",
        )


def _check_class(terms: Terms, order_type: OrderType, tif: Tif) -> None:
    """See to what a class demands, whatever its rules list or leave out."""
    symbol = terms.contract.symbol
    if tif is Tif.PAX and not (terms.is_crypto and order_type is OrderType.LIMIT):
        raise InvalidOrder(
            f"PAX is for limit orders in crypto, and this is an order of type {order_type.value} for {symbol};"
            " nothing was sent.",
            remedy=f"It takes {_listed(_sendable(terms.rules)) or 'DAY, GTC'}.",
        )
    if terms.is_crypto and order_type is OrderType.MARKET and tif is not Tif.IOC:
        raise InvalidOrder(
            f"a market order in {symbol} is immediate or cancelled, not {tif.value}; nothing was sent.",
            remedy="Leave tif out, or give IOC.",
        )


def entry_tif(terms: Terms, order_type: OrderType) -> Tif:
    """How long an entry stands that says nothing of it: as settings say, in crypto as its type wants."""
    if terms.is_crypto and order_type is OrderType.MARKET:
        return Tif.IOC
    return Tif.PAX if terms.is_crypto and order_type is OrderType.LIMIT else terms.entry_tif


def closing_tif(terms: Terms) -> Tif:
    """How long a market order stands that closes: the day, or no time where only that is taken."""
    rules, market = terms.rules, OrderType.MARKET.value
    only_at_once = not rules.takes(Tif.DAY.value, market) and rules.takes(Tif.IOC.value, market)
    return Tif.IOC if terms.is_crypto or only_at_once else Tif.DAY


def time_in_force(terms: Terms, written: object) -> Tif | None:
    """Read a time in force that somebody wrote; ``None`` stays ``None``.

    Raises:
        InvalidOrder: The API has none such, whatever the contract's rules list; nothing was sent.
    """
    if written is None or isinstance(written, Tif):
        return written
    tif = Tif.named(written)
    if tif is None:
        word = written.strip().upper()[:20] if isinstance(written, str) else quoted(written, 20)
        raise _not_in_force(terms, word)
    return tif


def _not_in_force(terms: Terms, written: str) -> InvalidOrder:
    if written in terms.rules.tifs:
        why = (
            f"the rules of {terms.contract.symbol} list {written}, but the Web API has no field for its date"
        )
    else:
        why = f"{terms.contract.symbol} does not take the time in force {written}"
    listed = _listed(_sendable(terms.rules)) or _listed(tif.value for tif in Tif if tif not in _OF_FEW)
    return InvalidOrder(f"{why}; nothing was sent.", remedy=f"It takes {listed}.")


def _sendable(rules: Rules) -> list[str]:
    """What the contract lists and the API can be sent: it has no field for the date of a GTD."""
    return [tif for tif in rules.tifs if Tif.named(tif) is not None]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def outside(terms: Terms, order_type: OrderType) -> bool:
    """Ask for trading outside regular hours only where the contract allows it for this type."""
    return terms.outside_rth and order_type.value in terms.rules.order_types_outside
