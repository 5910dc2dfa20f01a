"""What an order would cost and change, as IBKR answers it before anything is placed.

A figure that did not come is ``None``: cash accounts have no margin, and some answers no position.
How IBKR writes all this is for :mod:`ibkr_adapter.wire.whatif`.
"""

from __future__ import annotations

from decimal import Decimal

import attrs

from ibkr_adapter.model.shown import Shown


@attrs.frozen(kw_only=True)
class Shift(Shown):
    """A figure as it is now, by how much the order would change it, and as it would be then."""

    current: Decimal | None = None
    change: Decimal | None = None
    after: Decimal | None = None


@attrs.frozen(kw_only=True)
class Notice(Shown):
    """Something that IBKR says of the order; ``code`` is its number for it, where there is one."""

    text: str
    code: str | None = None


@attrs.frozen(kw_only=True)
class Preview(Shown):
    """What would come of an order.

    ``amount`` is what it would trade for and ``total`` that with the commission, each in the currency
    beside it; ``quantity`` is in shares or contracts. Equity and margins are in the account's base
    currency, ``position`` in units of the contract. ``refusal`` is why IBKR would not take it.
    """

    amount: Decimal | None = None
    currency: str | None = None
    quantity: Decimal | None = None
    commission: Decimal | None = None
    commission_currency: str | None = None
    total: Decimal | None = None
    total_currency: str | None = None
    equity: Shift = Shift()
    initial_margin: Shift = Shift()
    maintenance_margin: Shift = Shift()
    position: Shift = Shift()
    warnings: tuple[Notice, ...] = ()
    refusal: str | None = None

    @property
    def would_be_taken(self) -> bool:
        """Whether IBKR says nothing against it; it may still ask when the order is placed."""
        return self.refusal is None
