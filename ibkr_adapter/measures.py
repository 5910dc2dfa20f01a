"""Measure what a person wants in what a contract trades: sizes floored, prices on the tick.

Arithmetic only; the contract, its rules and what settings and account permit are arguments. Entry
limits snap to the passive side, stops away from the market, targets toward it; a snap of more than
one tick is refused. Tickets out of all this are made by :mod:`ibkr_adapter.order_builder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Context, Decimal

import attrs

from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.kinds import LARGEST_POWER
from ibkr_adapter.model.order import OrderType, Origin, Side, Tif
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.model.ticks import Rounding, TickStep, common_ticks, snap, tick_at

# A context of our own: the caller's may round up.
_EXACT = Context(prec=200)
# What a coin can be divided into where its rules do not say.
CRYPTO_DIGITS = 8
_CENT = Decimal("0.01")


@attrs.frozen(kw_only=True)
class Terms:
    """What every ticket of one intent has in common.

    ``allow_fractional`` and ``allow_cash`` are what settings and account permit; the contract's own
    rules come on top. ``origin`` is there where the contract demands that it be told.
    """

    account: str
    contract: Contract
    rules: Rules
    entry_tif: Tif
    exit_tif: Tif
    outside_rth: bool = False
    allow_fractional: bool = False
    allow_cash: bool = False
    origin: Origin | None = None

    @property
    def ticks(self) -> Sequence[TickStep]:
        """The contract's tick table."""
        return self.rules.ticks or self.contract.ticks

    @property
    def is_crypto(self) -> bool:
        """Whether it trades in fractions by nature, and by rules of its own."""
        return self.contract.sec_type is SecType.CRYPTO


def smallest(terms: Terms, order_type: OrderType | None = None) -> Decimal:
    """The smallest quantity, which is also the step of all others.

    IBKR's ``sizeIncrement`` is no lot size (it is 100 where one share trades), so everything trades
    in whole units, or in the rules' decimals where fractions are allowed.
    """
    rules = terms.rules
    if terms.is_crypto:
        digits = rules.fraction_digits or CRYPTO_DIGITS
    else:
        fits = order_type is None or not rules.fraction_types or order_type.value in rules.fraction_types
        digits = (rules.fraction_digits or 0) if terms.allow_fractional and fits else 0
    return Decimal(1).scaleb(-digits)


def quantity(terms: Terms, asked: Decimal, order_type: OrderType | None = None) -> Decimal:
    """Floor a quantity to what the contract trades.

    Raises:
        InvalidOrder: Nothing is left; nothing was sent.
    """
    if not asked.is_finite() or asked <= 0:
        raise InvalidOrder(f"the quantity {asked} is not above 0; nothing was sent.")
    if asked.adjusted() > LARGEST_POWER:
        raise InvalidOrder(f"the quantity {asked:.3e} is more than any market has; nothing was sent.")
    step = smallest(terms, order_type)
    floored = asked.quantize(step, rounding=ROUND_FLOOR, context=_EXACT)
    if floored <= 0:
        helps = step == 1 and terms.rules.fraction_digits and not terms.allow_fractional
        # All digits of 1e-999999999 are a gigabyte.
        told = f"{asked:f}" if asked.adjusted() > -LARGEST_POWER else f"{asked:.3e}"
        raise InvalidOrder(
            f"{told} {terms.contract.symbol} is less than the smallest size, {step:f}; nothing was sent.",
            remedy="Raise the size" + (", or set allow_fractional." if helps else "."),
        )
    whole = floored == floored.to_integral_value()
    return floored.quantize(Decimal(1), context=_EXACT) if whole else floored.normalize(_EXACT)


def cash(terms: Terms, side: Side, order_type: OrderType, asked: Decimal) -> Decimal:
    """Floor a size in money to cents, where the contract and the account take one.

    Raises:
        InvalidOrder: They do not, or nothing is left; nothing was sent.
    """
    symbol, rules = terms.contract.symbol, terms.rules
    if terms.is_crypto and side is Side.SELL:
        raise InvalidOrder(f"{symbol} is sold by quantity, not for a sum of money; nothing was sent.")
    # Crypto is bought with money by its nature, where rules say nothing of it.
    taken = order_type.value in rules.cash_types if rules.cash_types else terms.is_crypto
    if not taken:
        listed = (
            f"It does for {', '.join(sorted(rules.cash_types))}." if rules.cash_types else "Give a quantity."
        )
        raise InvalidOrder(
            f"{symbol} takes no size in money for orders of type {order_type.value}; nothing was sent.",
            remedy=listed,
        )
    if not terms.allow_cash and not terms.is_crypto:
        raise InvalidOrder(
            f"account {terms.account} takes no size in money; nothing was sent.", remedy="Give a quantity."
        )
    return money(asked)


def money(asked: Decimal) -> Decimal:
    """Floor a sum of money to cents.

    Raises:
        InvalidOrder: Nothing is left; nothing was sent.
    """
    if not asked.is_finite() or asked.adjusted() > LARGEST_POWER or asked < _CENT:
        raise InvalidOrder(f"{asked!s:.40} is no sum of money to trade for; nothing was sent.")
    return asked.quantize(_CENT, rounding=ROUND_FLOOR, context=_EXACT)


def price(terms: Terms, asked: Decimal, rounding: Rounding, what: str) -> Decimal:
    """Snap a price to the tick, by less than one tick.

    Raises:
        InvalidOrder: It is no price, or the tick table is missing; nothing was sent.
    """
    # Some futures have traded below zero, and their rules say so.
    if not asked.is_finite() or (asked <= 0 and not terms.rules.negative_prices):
        raise InvalidOrder(f"the {what} {asked} is not above 0; nothing was sent.")
    if not terms.ticks:
        raise InvalidOrder(
            f"IBKR gives no price increments for {terms.contract.symbol}; nothing was sent.",
            remedy="Without them no price can be placed safely: use a market order.",
        )
    snapped = snap(asked, terms.ticks, rounding)
    if (snapped <= 0 < asked) or abs(snapped - asked) > tick_at(asked, terms.ticks):
        raise InvalidOrder(f"the {what} {asked:f} cannot be brought onto the tick; nothing was sent.")
    return snapped


def check_quantity(terms: Terms, asked: Decimal, order_type: OrderType | None) -> None:
    """See that a quantity trades as it is.

    Raises:
        InvalidOrder: It would have to be rounded, or is none; nothing was sent.
    """
    near = quantity(terms, asked, order_type)
    if near != asked:
        raise InvalidOrder(
            f"the quantity {asked:f} is not one that {terms.contract.symbol} trades; the next is {near:f}."
            " Nothing was sent."
        )


def check_price(legs: Sequence[Terms], asked: Decimal, what: str) -> None:
    """See that a price is on the tick; one of a combination on what its legs' ticks have in common.

    Raises:
        InvalidOrder: It is not, or is no price; nothing was sent.
    """
    if len(legs) == 1:
        near = price(legs[0], asked, Rounding.DOWN, what)
    elif not asked.is_finite():
        raise InvalidOrder(f"the {what} {asked} is no price; nothing was sent.")
    else:
        near = snap(asked, common_ticks(terms.ticks for terms in legs), Rounding.DOWN)
    if near != asked:
        raise InvalidOrder(
            f"the {what} {asked:f} is not on the tick; the next is {near:f}. Nothing was sent."
        )


def limit_price(terms: Terms, side: Side, asked: Decimal, what: str = "limit price") -> Decimal:
    """Snap an entry limit to the passive side: a buyer pays no more, a seller takes no less."""
    return price(terms, asked, Rounding.DOWN if side is Side.BUY else Rounding.UP, what)


def stop_price(terms: Terms, side: Side, asked: Decimal, what: str = "stop price") -> Decimal:
    """Snap a stop away from the market: a sell stop lower, a buy stop higher."""
    return price(terms, asked, Rounding.DOWN if side is Side.SELL else Rounding.UP, what)


def target_price(terms: Terms, side: Side, asked: Decimal, what: str = "take-profit price") -> Decimal:
    """Snap a target toward the market: a sell target lower, a buy target higher."""
    return price(terms, asked, Rounding.DOWN if side is Side.SELL else Rounding.UP, what)
