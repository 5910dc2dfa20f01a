"""How much of a contract money buys, whatever its price stands for.

A price is per unit and the contract has ``multiplier`` of them; it may be quoted in pence, and in
a currency that is not the dollar. All of that is in one number here, the dollars that one costs,
so that no size is ever computed from the price alone.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal

import attrs

from ibkr_adapter.model.shown import Shown

# Rounding a quotient up to the next whole unit would spend more than was allowed.
_DOWNWARDS = Context(prec=28, rounding=ROUND_DOWN)
_EXACT = Context(prec=200)
_ABOVE_NOTHING = attrs.validators.gt(Decimal(0))


@attrs.frozen(kw_only=True)
class Sizing(Shown):
    """What turns money into a quantity; money is in US dollars.

    ``rate`` is how many dollars one unit of the contract's currency is, ``magnifier`` by how much
    quoted prices are larger than the currency, and ``smallest`` the smallest quantity that trades.
    """

    multiplier: Decimal = attrs.field(default=Decimal(1), validator=_ABOVE_NOTHING)
    magnifier: Decimal = attrs.field(default=Decimal(1), validator=_ABOVE_NOTHING)
    rate: Decimal = attrs.field(default=Decimal(1), validator=_ABOVE_NOTHING)
    smallest: Decimal = attrs.field(default=Decimal(1), validator=_ABOVE_NOTHING)

    @property
    def is_plain(self) -> bool:
        """Whether one costs its price, in dollars."""
        return self.multiplier == self.rate == self.magnifier == 1

    def cost(self, price: Decimal) -> Decimal:
        """What one costs at a price, in dollars."""
        return _DOWNWARDS.divide(self._scaled(price), self.magnifier)

    def quantity(self, money: Decimal, price: Decimal) -> Decimal:
        """How many so much money buys at a price, never more; not floored to what trades."""
        return _DOWNWARDS.divide(_EXACT.multiply(money, self.magnifier), self._scaled(price))

    def _scaled(self, price: Decimal) -> Decimal:
        return _EXACT.multiply(_EXACT.multiply(price, self.multiplier), self.rate)


DOLLARS = Sizing()
