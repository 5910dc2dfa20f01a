"""Watchlists of a user: list, read, make, delete.

IBKR overwrites a list whose id is given again and says nothing, so the id is looked up before a list
is made. Making and deleting are sent once; where the answer is lost the list of lists tells.

Source: Web API reference, "Watchlists"; docs/portfolio.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from ibkr_adapter.account_desk import AccountDesk, unknown
from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.model.kinds import is_listed, is_text
from ibkr_adapter.model.table import Table
from ibkr_adapter.model.watchlist import LIST_COLUMNS, Watchlist, WatchlistName
from ibkr_adapter.wire import endpoints, watchlists

_LOOK = "ibkr.watchlists.list()"
_LONGEST_ID = 18


class Watchlists(AccountDesk):
    """The watchlists of the user; they belong to no account."""

    def list(self, *, system: bool = False) -> Table[WatchlistName]:
        """The user's lists without their rows.

        Args:
            system: IBKR's own lists as well.
        """
        query = {} if system else {"SC": "USER_WATCHLIST"}
        content = self._session.read(endpoints.WATCHLISTS, query=query)
        return Table(watchlists.read_watchlists(content), LIST_COLUMNS, title="watchlists")

    def get(self, watchlist_id: str | int) -> Watchlist:
        """One list with its rows.

        The first answer of a session has the contract ids alone, so it is asked for twice then.

        Raises:
            InvalidRequest: It is no id of a list; nothing was sent.
            ApiError: There is no such list (IBKR says 503).
        """
        query = {"id": _checked(watchlist_id)}
        found = watchlists.read_watchlist(self._session.read(endpoints.WATCHLIST, query=query))
        if any(row.symbol is None for row in found.rows):
            found = watchlists.read_watchlist(self._session.read(endpoints.WATCHLIST, query=query))
        return found

    def create(
        self,
        name: str,
        contracts: Sequence[str | int],
        *,
        watchlist_id: str | int | None = None,
        replace: bool = False,
    ) -> str:
        """Make a list and return its id.

        Args:
            name: What it is called.
            contracts: Names as everywhere, or contract ids.
            watchlist_id: Digits; a new one if unset.
            replace: Whether a list of that id may be written over.

        Raises:
            InvalidRequest: There is a list of that id, or no name; nothing was sent.
            ContractError: A name fits no contract, or several; nothing was sent.
            ApiError: IBKR said no; nothing was changed.
            OutcomeUnknown: The answer was lost; the list of lists tells whether it is there.
        """
        if not is_text(name):
            raise InvalidRequest("a watchlist needs a name; nothing was sent.")
        if not is_listed(contracts):
            raise InvalidRequest("contracts are a list of names, not one text; nothing was sent.")
        self._check_change("making a watchlist")
        conids = list(dict.fromkeys(self._conid(contract) for contract in contracts))
        wanted = None if watchlist_id is None else _checked(watchlist_id)
        known = {row.watchlist_id for row in self.list(system=True)}
        if wanted in known and not replace:
            raise InvalidRequest(
                f"there is a watchlist {wanted} already, which would be written over; nothing was sent.",
                remedy="Take another id, or set replace.",
            )
        made = wanted or self._fresh(known)
        what = f"making watchlist {made}"
        content = self._change(
            endpoints.WATCHLIST_CREATE,
            what=what,
            look=_LOOK,
            body=watchlists.watchlist_body(made, name.strip(), conids),
        )
        if watchlists.read_made(content) != made:
            raise unknown(endpoints.WATCHLIST_CREATE, what, _LOOK)
        return made

    def delete(self, watchlist_id: str | int) -> None:
        """Delete a list.

        Raises:
            InvalidRequest: It is no id of a list; nothing was sent.
            ApiError: IBKR said no; the list stands.
            OutcomeUnknown: The answer was lost, or is 503, by which IBKR also says that there is no such list.
        """
        wanted = _checked(watchlist_id)
        what = f"deleting watchlist {wanted}"
        content = self._change(endpoints.WATCHLIST_DELETE, what=what, look=_LOOK, query={"id": wanted})
        if watchlists.read_deleted(content) != wanted:
            raise unknown(endpoints.WATCHLIST_DELETE, what, _LOOK)

    def _fresh(self, known: set[str]) -> str:
        # By the clock, so that two processes do not write over each other's.
        number = int(self._connection.clock.now().timestamp() * 1000)
        while str(number) in known:
            number += 1
        return str(number)


def _checked(watchlist_id: object) -> str:
    text = str(watchlist_id).strip() if isinstance(watchlist_id, (int, str)) else ""
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_ID
    if isinstance(watchlist_id, bool) or not plain or not int(digits):
        raise InvalidRequest(
            f"{watchlist_id!r:.40} is no watchlist's id, which is a number; nothing was sent.",
            remedy=f"Take it from {_LOOK}.",
        )
    return text
