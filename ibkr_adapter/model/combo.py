"""Combinations: what is asked for, by name or contract id, and what it comes to.

A ratio is how many of a leg one combination holds, and its sign the side of the leg when the
combination is *bought*: selling the combination turns every leg round. So a price is what a buyer
pays for one of it, and negative where the buyer is paid. How IBKR writes all this is for
:mod:`ibkr_adapter.wire.combos`, finding the contracts for :mod:`ibkr_adapter.combos`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from math import gcd

import attrs

from ibkr_adapter.errors import InvalidOrder, quoted
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.shown import Shown

_OPTIONS = frozenset({SecType.OPTION, SecType.FUTURE_OPTION})
# Beyond this nobody means a ratio.
_LARGEST_RATIO = 10_000


class Shape(StrEnum):
    """The combinations that have a name; each has its own demands on its legs."""

    VERTICAL = "vertical"
    STRADDLE = "straddle"
    STRANGLE = "strangle"
    BUTTERFLY = "butterfly"
    IRON_CONDOR = "iron condor"
    CALENDAR = "calendar"
    PAIR = "pair"


@attrs.frozen(kw_only=True)
class ComboLeg(Shown):
    """One leg as it is asked for: a name or a contract id, and its signed ratio."""

    contract: str | int
    ratio: int = 1

    def __attrs_post_init__(self) -> None:
        if isinstance(self.ratio, bool) or not isinstance(self.ratio, int):
            raise InvalidOrder(
                f"the ratio {quoted(self.ratio, 20)} of {self.contract} is no whole number; nothing was sent."
            )
        if not 0 < abs(self.ratio) <= _LARGEST_RATIO:
            raise InvalidOrder(
                f"the ratio {quoted(self.ratio, 20)} of {self.contract} is no ratio; nothing was sent.",
                remedy="Write how many of it one combination holds, negative where it is sold.",
            )


@attrs.frozen(kw_only=True)
class Spread(Shown):
    """The legs of a combination as they are asked for; with a ``shape`` they must have it."""

    legs: tuple[ComboLeg, ...]
    shape: Shape | None = None


@attrs.frozen(kw_only=True)
class ComboPart(Shown):
    """One leg of a combination: its contract and its signed ratio."""

    contract: Contract
    ratio: int


@attrs.frozen(kw_only=True)
class Combo(Shown):
    """A combination that can be ordered; ``currency`` is that of its price.

    Its ratios have no common divisor: ``factor`` of it are one of what was asked for.
    ``spread_conid`` is the contract id that IBKR uses for all combinations in that currency.
    """

    parts: tuple[ComboPart, ...]
    currency: str
    spread_conid: int
    conidex: str
    factor: int = 1
    shape: Shape | None = None

    @property
    def text(self) -> str:
        """The legs for people."""
        return ", ".join(
            f"{part.ratio:+d} {part.contract.local_symbol or part.contract.symbol}" for part in self.parts
        )


def vertical(bought: str | int, sold: str | int) -> Spread:
    """Two options of one right and expiry at different strikes; its buyer buys the first."""
    return _spread(Shape.VERTICAL, (bought, 1), (sold, -1))


def straddle(call: str | int, put: str | int) -> Spread:
    """A call and a put at one strike; its buyer buys both."""
    return _spread(Shape.STRADDLE, (call, 1), (put, 1))


def strangle(call: str | int, put: str | int) -> Spread:
    """A call and a put at different strikes; its buyer buys both."""
    return _spread(Shape.STRANGLE, (call, 1), (put, 1))


def butterfly(lower: str | int, middle: str | int, upper: str | int) -> Spread:
    """Three options of one right; its buyer buys the wings and sells two of the middle."""
    return _spread(Shape.BUTTERFLY, (lower, 1), (middle, -2), (upper, 1))


def iron_condor(
    bought_put: str | int, sold_put: str | int, sold_call: str | int, bought_call: str | int
) -> Spread:
    """Puts below calls, by rising strikes; its buyer buys the outer two and is mostly *paid*.

    So the price of a purchase is mostly negative: -1.20 receives 1.20.
    """
    return _spread(Shape.IRON_CONDOR, (bought_put, 1), (sold_put, -1), (sold_call, -1), (bought_call, 1))


def calendar(near: str | int, far: str | int) -> Spread:
    """Two expiries of one option or future; its buyer buys the far one and sells the near one."""
    return _spread(Shape.CALENDAR, (near, -1), (far, 1))


def pair(bought: str | int, sold: str | int, *, ratio: tuple[int, int] = (1, 1)) -> Spread:
    """Any two contracts against each other, such as two shares; its buyer buys the first."""
    return _spread(Shape.PAIR, (bought, ratio[0]), (sold, -ratio[1]))


def reduced(ratios: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Divide ratios by what they have in common; return them and that divisor."""
    divisor = gcd(*ratios)
    return tuple(ratio // divisor for ratio in ratios), divisor


def misfit(shape: Shape, contracts: Sequence[Contract]) -> str | None:
    """Say why contracts, in the order of the named legs, are not of a shape; ``None`` if they are."""
    if shape is Shape.PAIR:
        return None
    why = _misfit_in_kind(shape, contracts)
    if why is not None or shape is Shape.CALENDAR:
        return why or _misfit_in_time(contracts)
    if len({contract.expiry for contract in contracts}) > 1:
        return "its legs expire on different days"
    rights = "".join(contract.right or "?" for contract in contracts)
    if rights not in _RIGHTS[shape]:
        return f"its legs are {', '.join(_NAMES.get(right, 'neither call nor put') for right in rights)}"
    return _misfit_in_strikes(shape, contracts)


_NAMES = {"C": "a call", "P": "a put"}
_RIGHTS = {
    Shape.VERTICAL: ("CC", "PP"),
    Shape.STRADDLE: ("CP",),
    Shape.STRANGLE: ("CP",),
    Shape.BUTTERFLY: ("CCC", "PPP"),
    Shape.IRON_CONDOR: ("PPCC",),
}


def _misfit_in_kind(shape: Shape, contracts: Sequence[Contract]) -> str | None:
    kinds = {contract.sec_type for contract in contracts}
    of_futures = shape is Shape.CALENDAR and kinds == {SecType.FUTURE}
    if len(kinds) > 1 or not (kinds <= _OPTIONS or of_futures):
        return "its legs are not options of one kind"
    if len({contract.underlying_conid for contract in contracts}) > 1:
        return "its legs have different underlyings"
    return None


def _misfit_in_time(contracts: Sequence[Contract]) -> str | None:
    near, far = contracts
    if (near.strike, near.right) != (far.strike, far.right):
        return "its legs differ in more than their expiry"
    if not near.expiry or not far.expiry or near.expiry >= far.expiry:
        return "its first leg does not expire before its second"
    return None


def _misfit_in_strikes(shape: Shape, contracts: Sequence[Contract]) -> str | None:
    strikes = [contract.strike for contract in contracts if contract.strike is not None]
    if len(strikes) < len(contracts):
        return "a leg has no strike"
    rising = all(low < high for low, high in pairwise(strikes))
    if shape is Shape.STRADDLE:
        return None if strikes[0] == strikes[1] else "its legs have different strikes"
    if shape in {Shape.VERTICAL, Shape.STRANGLE}:
        return "its legs have the same strike" if strikes[0] == strikes[1] else None
    if not rising:
        return "its strikes do not rise from leg to leg"
    if shape is Shape.BUTTERFLY and strikes[0] + strikes[2] != 2 * strikes[1]:
        return "its middle strike is not halfway between the others"
    return None


def _spread(shape: Shape, *legs: tuple[str | int, int]) -> Spread:
    return Spread(legs=tuple(ComboLeg(contract=what, ratio=ratio) for what, ratio in legs), shape=shape)
