"""The watchlists of a user, which outlive sessions.

An id that is there already is overwritten without a word, rows are kept as they come, and what is
wrong is 503 as if the service were away. The first read of a list in a session has no contract
data. Deleting what is not there succeeds in a session that has seen the lists, and fails before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.contract_names import position_line
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import milliseconds
from ibkr_adapter.simulator.routes import Call, Needs, Route, delete, get, post
from ibkr_adapter.simulator.views_contracts import definition_part
from ibkr_adapter.simulator.world import World

_WARM = "watchlists"


@attrs.frozen(kw_only=True)
class Watchlist:
    """One list as it was sent."""

    identity: str
    name: str
    rows: list[Any]
    changed: datetime

    @property
    def stamp(self) -> int:
        """When it was changed, in milliseconds."""
        return milliseconds(self.changed)

    def as_json(self, instruments: list[dict[str, Any]]) -> dict[str, Any]:
        """The list with some rows."""
        return {
            "id": self.identity,
            "hash": str(self.stamp),
            "name": self.name,
            "readOnly": False,
            "instruments": instruments,
        }


class WatchlistEndpoints:
    """Serve the watchlists of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lists: dict[str, Watchlist] = {}
        self._visits: tuple[int, int] = (0, 0)  # which session, how often

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        return [
            post("/iserver/watchlist", self.create, Needs.BROKERAGE),
            get("/iserver/watchlists", self.listed, Needs.BROKERAGE),
            get("/iserver/watchlist", self.one, Needs.BROKERAGE),
            delete("/iserver/watchlist", self.remove, Needs.BROKERAGE),
        ]

    def _seen(self, what: str) -> bool:
        """Tell whether this session has seen something, which it has from now on."""
        brokerage = self._world.sessions.brokerage
        if brokerage is None or not self._world.options.first_reads_empty or what in brokerage.warm:
            return True
        brokerage.warm.add(what)
        return False

    def _visit(self) -> str:
        """The number of this visit in its session."""
        brokerage = self._world.sessions.brokerage
        number, visits = brokerage.number if brokerage else 0, self._visits
        self._visits = (number, visits[1] + 1 if visits[0] == number else 1)
        return str(self._visits[1])

    def create(self, call: Call) -> Answer:
        """Keep a list, in place of one with the same id."""
        body = call.json()
        if not isinstance(body, dict) or not body:
            return answers.missing("id")
        identity, name, rows = body.get("id"), body.get("name"), body.get("rows")
        if not isinstance(identity, str) or whole(identity.removeprefix("-")) is None or not name:
            return answers.unavailable()
        kept = rows if isinstance(rows, list) else []
        made = Watchlist(identity=identity, name=str(name), rows=kept, changed=self._world.now)
        self._lists[identity] = made
        self._seen(_WARM)
        return answers.json_answer(made.as_json([]))

    def listed(self, call: Call) -> Answer:
        """All lists; those of the system, of which there are none, unless they are not wanted."""
        self._seen(_WARM)
        rows = [
            {
                "is_open": False,
                "read_only": False,
                "name": one.name,
                "modified": one.stamp,
                "id": one.identity,
                "type": "watchlist",
            }
            for one in self._lists.values()
        ]
        body: dict[str, Any] = {
            "scanners_only": False,
            "show_scanners": False,
            "bulk_delete": False,
            "user_lists": rows,
        }
        if call.query.get("SC") != "USER_WATCHLIST":
            body["system_lists"] = []
        return answers.json_answer({"data": body, "action": "content", "MID": self._visit()})

    def one(self, call: Call) -> Answer:
        """One list; contract data comes with the second read."""
        identity = call.query.get("id")
        if identity is None:
            return answers.missing("id")
        found = self._lists.get(identity)
        if found is None:
            return answers.unavailable()
        warm = self._seen(f"watchlist {identity} {found.stamp}")
        return answers.json_answer(found.as_json([self._row(row, warm=warm) for row in found.rows]))

    def _row(self, row: Any, *, warm: bool) -> dict[str, Any]:
        """A row as it is shown: a blank one, a contract, or a number that is none."""
        conid = row.get("C") if isinstance(row, dict) else None
        text = str(conid)
        number = whole(text)
        if number is None:
            return {"H": ""}
        instrument = self._world.catalogue.find(number)
        if instrument is None:
            return {"C": text, "conid": number, "name": ""}
        bare = {"C": text, "conid": number, "name": instrument.name}
        if not warm:
            return bare
        return {
            "ST": instrument.sec_type,
            **bare,
            "fullName": position_line(instrument),
            "assetClass": instrument.sec_type,
            "ticker": instrument.ticker,
            "chineseName": definition_part(instrument)["chineseName"],
        }

    def remove(self, call: Call) -> Answer:
        """Delete a list, whether or not it is there; the id is in the query, never in a body."""
        identity = call.query.get("id")
        if identity is None:
            return answers.missing("id")
        if self._lists.pop(identity, None) is None and not self._seen(_WARM):
            return answers.unavailable()
        gone = {"deleted": identity}
        return answers.json_answer({"data": gone, "action": "context", "MID": self._visit()})
