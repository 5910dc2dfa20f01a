"""How an advisor splits orders over accounts: groups, their methods, and presets.

There only with the option ``advisor``; what others are answered is a guess, as are the errors. A
group is called by its name alone, and renamed by telling the name before.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.advisor import OWN_METHODS, Group, GroupError
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import cents
from ibkr_adapter.simulator.routes import Call, Handler, Needs, Route, get, post, put
from ibkr_adapter.simulator.world import World

_PRESETS: dict[str, Any] = {
    "group_auto_close_positions": False,
    "default_method_for_all": "AvailableEquity",
    "profiles_auto_close_positions": False,
    "strict_credit_check": False,
    "group_proportional_allocation": False,
}
_DEFAULTS = frozenset({"AvailableEquity", "E", "N", "C", "P", "R", "S"})


class AllocationEndpoints:
    """Serve the allocation of one world's advisor."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._presets = dict(_PRESETS)

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        root, accounts = "/iserver/account/allocation", Needs.ACCOUNTS
        return [
            get(f"{root}/accounts", self._for_advisors(self.accounts), accounts),
            get(f"{root}/group", self._for_advisors(self.groups), accounts),
            post(f"{root}/group", self._for_advisors(self.add), accounts),
            put(f"{root}/group", self._for_advisors(self.change), accounts),
            post(f"{root}/group/single", self._for_advisors(self.single), accounts),
            post(f"{root}/group/delete", self._for_advisors(self.remove), accounts),
            get(f"{root}/presets", self._for_advisors(self.presets), accounts),
            post(f"{root}/presets", self._for_advisors(self.preset), accounts),
        ]

    def _for_advisors(self, serve: Handler) -> Handler:
        """Serve advisors only; a group that makes no sense is 500."""

        def served(call: Call) -> Answer:
            if not self._world.options.advisor:
                return answers.unavailable()
            try:
                return serve(call)
            except GroupError as bad:
                return answers.refusal(str(bad), 500)

        return served

    def accounts(self, _: Call) -> Answer:
        """The accounts that orders can be split over, with what the methods go by."""
        rows = []
        for account in self._world.sub_accounts:
            sums = self._world.standing(account)
            figures = (("NetLiquidation", sums.net), ("AvailableEquity", sums.available))
            told = [{"value": f"{cents(amount)}", "key": key} for key, amount in figures]
            rows.append({"data": told, "name": account})
        return answers.json_answer({"accounts": rows})

    def groups(self, _: Call) -> Answer:
        """All groups."""
        rows = [
            {"allocation_method": one.method, "size": len(one.accounts), "name": one.name}
            for one in self._world.groups.values()
        ]
        return answers.json_answer({"data": rows})

    def add(self, call: Call) -> Answer:
        """Make a group; a name that is there is refused."""
        group = Group.read(_object(call), self._world.sub_accounts)
        if group.name in self._world.groups:
            raise GroupError(f"Group {group.name} already exists")
        self._world.groups[group.name] = group
        return answers.json_answer({"success": True})

    def change(self, call: Call) -> Answer:
        """Change a group, and its name where the name before is told.

        Examples of the documents leave the accounts out, or have one alone.
        """
        body = _object(call)
        # The schema and the example of the documents spell it differently.
        before = self._named(body.get("prev_name", body.get("previous_name", body.get("name"))))
        rows = body.get("accounts", [{"name": one, "amount": size} for one, size in before.accounts.items()])
        told = {**body, "accounts": [rows] if isinstance(rows, dict) else rows}
        group = Group.read(told, self._world.sub_accounts)
        if group.name != before.name and group.name in self._world.groups:
            raise GroupError(f"Group {group.name} already exists")
        del self._world.groups[before.name]
        self._world.groups[group.name] = group
        return answers.json_answer({"success": True})

    def _named(self, name: Any) -> Group:
        found = self._world.groups.get(str(name))
        if found is None:
            raise GroupError(f"Group {name} does not exist")
        return found

    def single(self, call: Call) -> Answer:
        """One group, with amounts only where the method has any."""
        group = self._named(_object(call).get("name"))
        accounts = [
            {"name": name, "amount": amount} if group.method in OWN_METHODS else {"name": name}
            for name, amount in group.accounts.items()
        ]
        body = {"name": group.name, "accounts": accounts, "default_method": group.method}
        return answers.json_answer(body)

    def remove(self, call: Call) -> Answer:
        """Delete a group."""
        del self._world.groups[self._named(_object(call).get("name")).name]
        return answers.json_answer({"success": True})

    def presets(self, _: Call) -> Answer:
        """What is done where an order does not say."""
        return answers.json_answer(self._presets)

    def preset(self, call: Call) -> Answer:
        """Change some presets, all or none."""
        body = _object(call)
        for key, value in body.items():
            if key not in _PRESETS or not _fits(key, value):
                raise GroupError(f"{key} is not valid")
        self._presets |= body
        return answers.json_answer({"success": True})


def _fits(key: str, value: Any) -> bool:
    if key == "default_method_for_all":
        return isinstance(value, str) and value in _DEFAULTS
    return isinstance(value, bool)


def _object(call: Call) -> dict[str, Any]:
    body = call.json()
    if not isinstance(body, dict):
        raise GroupError("the body is not valid")
    return body
