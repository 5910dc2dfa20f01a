"""What advisers have beside accounts: groups of sub-accounts over which an order is allocated.

Source: Web API reference, "Allocation Management".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from typing import Any

import attrs

from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.model.kinds import is_text
from ibkr_adapter.model.shown import Shown


class Method(StrEnum):
    """How an order is divided; the last four need an amount for each account."""

    AVAILABLE_EQUITY = "A"
    EQUAL = "E"
    NET_LIQUIDATION = "N"
    CASH = "C"
    PERCENTAGE = "P"
    RATIO = "R"
    SHARES = "S"

    @property
    def needs_amounts(self) -> bool:
        """Whether each account has an amount of its own."""
        return self in {Method.CASH, Method.PERCENTAGE, Method.RATIO, Method.SHARES}


@attrs.frozen(kw_only=True)
class Member(Shown):
    """An account of a group; ``amount`` counts what the method divides by."""

    account_id: str
    amount: Decimal | None = None


@attrs.frozen(kw_only=True)
class Group(Shown):
    """A group with its members; ``method`` is IBKR's letter where nobody knows it."""

    name: str
    method: Method | str | None
    members: tuple[Member, ...] = ()

    def check(self) -> None:
        """Refuse a group that IBKR could not allocate by.

        Raises:
            InvalidRequest: It has no name, no members, an unknown method, or amounts that do not fit it.
        """
        if not _is_whole(self.name, self.members):
            raise InvalidRequest("a group needs a name and members; nothing was sent.")
        if not isinstance(self.method, Method):
            raise InvalidRequest(f"{self.method!r:.20} is no method of allocation; nothing was sent.")
        given = [member.amount is not None for member in self.members]
        if self.method.needs_amounts != all(given) or (any(given) and not all(given)):
            raise InvalidRequest(
                f"by {self.method.name.lower()} every account needs an amount, by the others none does;"
                " nothing was sent."
            )


def _is_whole(name: object, members: object) -> bool:
    listed = members if isinstance(members, tuple | list) else ()
    return is_text(name) and bool(listed) and all(isinstance(member, Member) for member in listed)


@attrs.frozen(kw_only=True)
class GroupName(Shown):
    """A group as the list shows it."""

    name: str
    method: Method | str | None = None
    size: int | None = None


@attrs.frozen(kw_only=True)
class SubAccountFunds(Shown):
    """What a sub-account has to be allocated to."""

    account_id: str
    net_liquidation: Decimal | None = None
    available_equity: Decimal | None = None


GROUP_COLUMNS: Mapping[str, Callable[[GroupName], Any]] = {
    "name": attrgetter("name"),
    "method": attrgetter("method"),
    "size": attrgetter("size"),
}
FUNDS_COLUMNS: Mapping[str, Callable[[SubAccountFunds], Any]] = {
    "account": attrgetter("account_id"),
    "net liquidation": attrgetter("net_liquidation"),
    "available equity": attrgetter("available_equity"),
}
