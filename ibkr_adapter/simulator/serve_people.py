"""Which account is meant, and who stands behind it.

Choosing an account answers another key when nothing changes. Dynamic accounts need a right of
their own: without it the search is 503 and the choice 401, as recorded. Owners are told with
their dates of birth, which is why nobody should log them.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.routes import Call, Needs, Route, get, post
from ibkr_adapter.simulator.world import World

_UNAVAILABLE = (
    "Details currently unavailable. Please try again later and contact client services if the issue persists."
)


class PeopleEndpoints:
    """Serve the choice of an account and the owners of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        return [
            post("/iserver/account", self.switch, Needs.BROKERAGE),
            get("/iserver/account/search/{pattern}", self.search, Needs.BROKERAGE),
            post("/iserver/dynaccount", self.dynamic, Needs.BROKERAGE),
            get("/acesws/{accountId}/signatures-and-owners", self.owners),
        ]

    def switch(self, call: Call) -> Answer:
        """Choose the account that session-wide answers are about."""
        return self._choose(call, repeated=answers.json_answer({"success": "Account already set"}))

    def _choose(self, call: Call, repeated: Answer | None = None) -> Answer:
        body = call.json()
        wanted = body.get("acctId") if isinstance(body, dict) else None
        brokerage = self._world.sessions.brokerage
        if wanted is None or brokerage is None:
            return answers.bad_request("acctId is missing")
        if not isinstance(wanted, str) or wanted not in self._world.accounts:
            return answers.refusal("Invalid account ID", 500)
        if wanted == brokerage.selected and repeated is not None:
            return repeated
        brokerage.selected = wanted
        return answers.json_answer({"set": True, "acctId": wanted})

    def search(self, call: Call) -> Answer:
        """Find accounts whose id begins so, with the right to."""
        if not self._world.options.dynamic_accounts:
            return answers.fault(_UNAVAILABLE, 503)
        pattern = call.parts["pattern"]
        found = [one for one in self._world.accounts if one.startswith(pattern)]
        rows = [{"accountId": one, "alias": one, "allocationId": one} for one in found]
        return answers.json_answer({"matchedAccounts": rows, "pattern": pattern})

    def dynamic(self, call: Call) -> Answer:
        """Set a dynamic account, with the right to."""
        if not self._world.options.dynamic_accounts:
            return answers.unauthorised()
        return self._choose(call)

    def owners(self, call: Call) -> Answer:
        """Tell the applicant and the users of an account."""
        account = call.parts["accountId"]
        if account not in self._world.accounts:
            return answers.unauthorised()
        entity: dict[str, Any] = {
            "firstName": "Simulated",
            "lastName": "User",
            "entityType": "INDIVIDUAL",
            "entityName": "Mx. Simulated User",
            "dateOfBirth": "1990-01-15",
        }
        user = {"roleId": "OWNER", "hasRightCodeInd": True, "userName": "simulated", "entity": entity}
        body = {"accountId": account, "users": [user], "applicant": {"signatures": ["Simulated User"]}}
        return answers.json_answer(body)
