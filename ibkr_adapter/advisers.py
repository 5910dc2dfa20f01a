"""Groups of an adviser's sub-accounts: list, read, make, change, delete.

Models and presets have no method here: ``ibkr.request`` reaches them, and docs/endpoints.md says why.
Changes are sent once; where the answer is lost the list of groups tells.

Source: Web API reference, "Allocation Management"; docs/portfolio.md.
"""

from __future__ import annotations

from ibkr_adapter.account_desk import AccountDesk, unknown
from ibkr_adapter.errors import InvalidRequest, quoted
from ibkr_adapter.model.adviser import FUNDS_COLUMNS, GROUP_COLUMNS, Group, GroupName, SubAccountFunds
from ibkr_adapter.model.kinds import is_text
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import advisers, endpoints
from ibkr_adapter.wire.endpoints import Endpoint

_LOOK = "ibkr.advisers.groups()"


class Advisers(AccountDesk):
    """What only advisers and brokers with sub-accounts have."""

    def sub_accounts(self) -> Table[SubAccountFunds]:
        """The accounts to which orders can be allocated, with what they have."""
        content = self._session.read(endpoints.FA_ACCOUNTS)
        return Table(advisers.read_sub_accounts(content), FUNDS_COLUMNS, title="sub-accounts")

    def groups(self) -> Table[GroupName]:
        """The groups, without their members."""
        content = self._session.read(endpoints.FA_GROUPS)
        return Table(advisers.read_groups(content), GROUP_COLUMNS, title="groups")

    def group(self, name: str) -> Group:
        """One group with its members."""
        return advisers.read_group(self._session.read(endpoints.FA_GROUP, body={"name": _named(name)}))

    def add(self, group: Group) -> None:
        """Make a group.

        Raises:
            InvalidRequest: IBKR could not allocate by it; nothing was sent.
            ApiError: IBKR said no; nothing was changed.
            OutcomeUnknown: The answer was lost; the list of groups tells.
        """
        _check(group)
        self._put(endpoints.FA_GROUP_ADD, f"making group {group.name:.40}", advisers.group_body(group))

    def modify(self, group: Group, *, previous: str | None = None) -> None:
        """Put a group in the place of the one of its name, or of the name ``previous``."""
        _check(group)
        body = advisers.group_body(group, None if previous is None else _named(previous))
        self._put(endpoints.FA_GROUP_MODIFY, f"changing group {group.name:.40}", body)

    def delete(self, name: str) -> None:
        """Delete a group; its accounts stay."""
        self._put(endpoints.FA_GROUP_DELETE, f"deleting group {_named(name):.40}", {"name": _named(name)})

    def _put(self, endpoint: Endpoint, what: str, body: dict[str, object]) -> None:
        content = self._change(endpoint, what=what, look=_LOOK, body=body)
        if not advisers.is_done(content):
            raise unknown(endpoint, what, _LOOK)


def _check(group: object) -> None:
    if not isinstance(group, Group):
        raise InvalidRequest(
            f"{quoted(group)} is no Group; nothing was sent.",
            remedy="Make one by Group(name=..., method=..., members=(...)).",
        )
    group.check()


def _named(name: object) -> str:
    if not is_text(name):
        raise InvalidRequest(f"{quoted(name)} is no group's name; nothing was sent.")
    return name.strip()
