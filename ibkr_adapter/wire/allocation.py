"""Read how a whole is made up: shares by class and sector, combinations and their legs, who owns it.

Names of classes and sectors are free texts. The two allocations of IBKR say the same in different
shapes and both become :class:`~ibkr_adapter.model.holding.Share`. Which call to make is for
:mod:`ibkr_adapter.portfolio_desk`.

Source: Web API reference, "Portfolio Allocation", "Combination Positions", "Search Dynamic Account",
"Signatures and Owners", and answers recorded from paper accounts; held by ``tests/unit/test_wire_allocation.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.holding import FoundAccount, HeldCombo, HeldLeg, Owner, Owners, Share
from ibkr_adapter.wire import numbers, portfolio
from ibkr_adapter.wire.rows import mapping, rows

ALLOCATION = "GET /portfolio/{accountId}/allocation"
PA_ALLOCATION = "POST /pa/allocation"
COMBO_POSITIONS = "GET /portfolio/{accountId}/combo/positions"
SEARCH_ACCOUNTS = "GET /iserver/account/search/{pattern}"
OWNERS = "GET /acesws/{accountId}/signatures-and-owners"
_SIDES = ("long", "short")


def read_allocation(content: Any, endpoint: str = ALLOCATION) -> tuple[Share, ...]:
    """Read the values by class, sector and group, in the base currency."""
    return tuple(
        Share(view=view, side=side, name=str(name), value=numbers.decimal(value))
        for view, side, parts in _sides(content, endpoint)
        for name, value in parts.items()
    )


def read_analysis(content: Any) -> tuple[Share, ...]:
    """Read the analyst's allocation, which has weights and more views."""
    body = mapping(content, PA_ALLOCATION, "the allocation")
    return tuple(
        Share(
            view=view,
            side=side,
            name=numbers.text(row.get("name")) or numbers.text(row.get("id")) or "",
            key=numbers.text(row.get("id")),
            value=numbers.decimal(row.get("nav")),
            weight=numbers.decimal(row.get("weight")),
        )
        for view, side, parts in _sides(body.get("allocations", {}), PA_ALLOCATION)
        for row in rows(parts.get("items") or [], PA_ALLOCATION, f"the allocation by {view}")
    )


def _sides(content: Any, endpoint: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    body = mapping(content, endpoint, "the allocation")
    return [
        (str(view), side, mapping(parts, endpoint, f"the allocation by {view}"))
        for view, sides in body.items()
        for side in _SIDES
        if (parts := mapping(sides, endpoint, f"the allocation by {view}").get(side)) is not None
    ]


def read_combos(content: Any) -> tuple[HeldCombo, ...]:
    """Read the combinations that are held; a leg without its contract or its ratio is an error."""
    return tuple(
        HeldCombo(
            name=numbers.text(row.get("name")),
            description=numbers.text(row.get("description")),
            legs=tuple(_leg(leg) for leg in rows(row.get("legs") or [], COMBO_POSITIONS, "the legs")),
            positions=portfolio.read_positions(row.get("positions") or [], include_flat=True),
        )
        for row in rows(content, COMBO_POSITIONS, "the combinations")
    )


def _leg(row: Mapping[str, Any]) -> HeldLeg:
    conid, ratio = numbers.conid(row.get("conid")), numbers.decimal(row.get("ratio"))
    if conid is None or ratio is None:
        raise UnexpectedAnswer(
            "a leg of a combination came without its contract or its ratio; none was guessed.",
            endpoint=COMBO_POSITIONS,
        )
    return HeldLeg(conid=conid, ratio=ratio)


def read_found_accounts(content: Any) -> tuple[FoundAccount, ...]:
    """Read what a search for accounts found."""
    body = mapping(content, SEARCH_ACCOUNTS, "the accounts found")
    return tuple(
        FoundAccount(
            account_id=account_id,
            alias=numbers.text(row.get("alias")),
            allocation_id=numbers.text(row.get("allocationId")),
        )
        for row in rows(body.get("matchedAccounts") or [], SEARCH_ACCOUNTS, "the accounts found")
        if (account_id := numbers.text(row.get("accountId"))) is not None
    )


def read_owners(content: Any) -> Owners:
    """Read who may act for an account; the date of birth, which comes as well, is not kept."""
    body = mapping(content, OWNERS, "the owners")
    applicant = body.get("applicant")
    signatures = applicant.get("signatures") if isinstance(applicant, Mapping) else None
    return Owners(
        account_id=numbers.text(body.get("accountId")),
        users=tuple(_owner(row) for row in rows(body.get("users") or [], OWNERS, "the owners")),
        signatures=tuple(name for one in signatures if (name := numbers.text(one)) is not None)
        if isinstance(signatures, list)
        else (),
    )


def _owner(row: Mapping[str, Any]) -> Owner:
    entity = row.get("entity")
    entity = entity if isinstance(entity, Mapping) else {}
    return Owner(
        role=numbers.text(row.get("roleId")),
        has_rights=numbers.flag(row.get("hasRightCodeInd")),
        user_name=numbers.text(row.get("userName")),
        first_name=numbers.text(entity.get("firstName")),
        last_name=numbers.text(entity.get("lastName")),
        entity_name=numbers.text(entity.get("entityName")),
        entity_type=numbers.text(entity.get("entityType")),
    )
