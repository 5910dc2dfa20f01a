"""What an advisor has beside accounts: groups of them, and models.

A group splits orders by a method; those of IBKR's go by what accounts are worth, the advisor's own
by an amount for each. A model is a list of targets that accounts are invested in. Money that goes
into a model stays cash here: nothing is bought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.simulator.figures import number

NOTHING = Decimal(0)
THEIR_METHODS = frozenset({"A", "E", "N"})
OWN_METHODS = frozenset({"C", "P", "R", "S"})


class GroupError(ValueError):
    """A group or a model that makes no sense; the message says why."""


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


@attrs.frozen(kw_only=True)
class Group:
    """Accounts that orders are split over; amounts are there with an advisor's own method."""

    name: str
    method: str
    accounts: dict[str, float | None]

    @classmethod
    def read(cls, body: Mapping[str, Any], known: Sequence[str]) -> Group:
        """Read a group as it is sent.

        Raises:
            GroupError: Something is missing, unknown, or has no amount where it needs one.
        """
        name, method, rows = body.get("name"), body.get("default_method"), body.get("accounts")
        if not isinstance(name, str) or not name:
            raise GroupError("name is required")
        if not isinstance(method, str) or method not in THEIR_METHODS | OWN_METHODS:
            raise GroupError(f"default_method {method} is not valid")
        if not isinstance(rows, list) or not rows:
            raise GroupError("accounts is required")
        accounts: dict[str, float | None] = {}
        for row in rows:
            account = str(row.get("name")) if isinstance(row, dict) else ""
            if account not in known:
                raise GroupError(f"account {account} is not valid")
            amount = row.get("amount")
            if method in OWN_METHODS and not _is_amount(amount):
                raise GroupError(f"amount of {account} is required")
            accounts[account] = number(Decimal(str(amount))) if _is_amount(amount) else None
        return cls(name=name, method=str(method), accounts=accounts)


@attrs.define(kw_only=True, eq=False)
class Model:
    """Targets by conid, and the money that accounts have, or will have, in it."""

    name: str
    description: str
    is_static: bool
    positions: dict[int, Decimal]
    cash: dict[str, Decimal]
    invested: dict[str, Decimal] = attrs.field(factory=dict)
    pending: dict[str, Decimal] = attrs.field(factory=dict)

    @property
    def worth(self) -> Decimal:
        """What all accounts have in it."""
        return sum(self.invested.values(), NOTHING)

    def transfer(self) -> None:
        """Carry out what was asked for."""
        for account, amount in self.pending.items():
            self.invested[account] = self.invested.get(account, NOTHING) + amount
        self.invested = {account: amount for account, amount in self.invested.items() if amount}
        self.pending.clear()
