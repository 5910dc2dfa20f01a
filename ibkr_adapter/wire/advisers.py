"""Speak of advisers' groups: what is written to make one, and what is read back.

Source: Web API reference, "Allocation Management", whose examples no recording confirms; held by
``tests/unit/test_wire_advisers.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.adviser import Group, GroupName, Member, Method, SubAccountFunds
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.rows import mapping, rows

ACCOUNTS = "GET /iserver/account/allocation/accounts"
GROUPS = "GET /iserver/account/allocation/group"
GROUP = "POST /iserver/account/allocation/group/single"


def group_body(group: Group, previous: str | None = None) -> dict[str, Any]:
    """Write a group; with the name of another one it takes that one's place."""
    body: dict[str, Any] = {
        "name": group.name,
        "accounts": [_member(member) for member in group.members],
        "default_method": str(group.method),
    }
    if previous is not None:
        body["prev_name"] = previous
    return body


def _member(member: Member) -> dict[str, Any]:
    body: dict[str, Any] = {"name": member.account_id}
    if member.amount is not None:
        whole = member.amount == member.amount.to_integral_value()
        body["amount"] = int(member.amount) if whole else float(member.amount)
    return body


def read_sub_accounts(content: Any) -> tuple[SubAccountFunds, ...]:
    """Read the accounts to which an adviser may allocate."""
    body = mapping(content, ACCOUNTS, "the sub-accounts")
    found = []
    for row in rows(body.get("accounts") or [], ACCOUNTS, "the sub-accounts"):
        values = {
            str(cell.get("key")): cell.get("value")
            for cell in rows(row.get("data") or [], ACCOUNTS, "the funds of a sub-account")
        }
        found.append(
            SubAccountFunds(
                account_id=_name(row, ACCOUNTS, "a sub-account"),
                net_liquidation=numbers.decimal(values.get("NetLiquidation")),
                available_equity=numbers.decimal(values.get("AvailableEquity")),
            )
        )
    return tuple(found)


def read_groups(content: Any) -> tuple[GroupName, ...]:
    """Read the groups without their members."""
    body = mapping(content, GROUPS, "the groups")
    return tuple(
        GroupName(
            name=_name(row, GROUPS, "a group"),
            method=_method(row.get("allocation_method")),
            size=numbers.integer(row.get("size")),
        )
        for row in rows(body.get("data") or [], GROUPS, "the groups")
    )


def read_group(content: Any) -> Group:
    """Read one group with its members."""
    body = mapping(content, GROUP, "the group")
    return Group(
        name=_name(body, GROUP, "a group"),
        method=_method(body.get("default_method")),
        members=tuple(
            Member(account_id=_name(row, GROUP, "a member"), amount=numbers.decimal(row.get("amount")))
            for row in rows(body.get("accounts") or [], GROUP, "the members of a group")
        ),
    )


def is_done(content: Any) -> bool:
    """Whether the answer to a change says that it was done."""
    return isinstance(content, Mapping) and numbers.flag(content.get("success")) is True


def _method(value: Any) -> Method | str | None:
    letter = numbers.text(value)
    return next((method for method in Method if method.value == letter), letter)


def _name(row: Mapping[str, Any], endpoint: str, what: str) -> str:
    name = numbers.text(row.get("name"))
    if name is None:
        raise UnexpectedAnswer(f"{what} came without its name.", endpoint=endpoint)
    return name
