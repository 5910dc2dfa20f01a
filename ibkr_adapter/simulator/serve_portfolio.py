"""Portfolio endpoints: they need a login only, and disagree about everything else.

The paged positions come from a cache that is refreshed after half a minute or by
``invalidate``, and have contract data at the second reading or when ``waitForSecDef`` says so;
``/portfolio2`` is always fresh and writes conids as text. An unknown account is answered 401 with
no body. Until ``/portfolio/accounts`` was asked, the rest is silently empty.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import answers, figures
from ibkr_adapter.simulator.account import Account, Position
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import number
from ibkr_adapter.simulator.routes import Call, Route, get, post
from ibkr_adapter.simulator.views_portfolio import (
    account_object,
    cold_row,
    combination_row,
    documented_summary,
    fresh_row,
    ledger_body,
    spelt_out,
    summary_body,
    warm_row,
)
from ibkr_adapter.simulator.world import World

PAGE = 100
_SUBACCOUNT_PAGE = 20
NOTHING = Decimal(0)
_WARM = "portfolio"
_MARK = "ticker"  # only rows with contract data have it
_SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "position": lambda row: row["position"],
    "conid": lambda row: row["conid"],
    "mktValue": lambda row: row["mktValue"],
    "contractDesc": lambda row: row["contractDesc"],
    "name": lambda row: row["contractDesc"],
}
# The near real-time list has names of its own for the same columns.
_FRESH_SORTS = {
    "position": "position",
    "conid": "conid",
    "mktValue": "marketValue",
    "marketValue": "marketValue",
    "contractDesc": "description",
    "description": "description",
}


class PortfolioEndpoints:
    """Serve the portfolio endpoints of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        one = "/portfolio/{accountId}"
        return [
            get("/portfolio/accounts", self.accounts),
            get("/portfolio/subaccounts", self.subaccounts),
            get("/portfolio/subaccounts2", self.paged_subaccounts),
            get(f"{one}/meta", self.meta),
            get(f"{one}/summary", self.summary),
            get(f"{one}/ledger", self.ledger),
            get(f"{one}/allocation", self.allocation),
            post("/portfolio/allocation", self.joint_allocation),
            get(f"{one}/positions/{{pageId}}", self.positions),
            post(f"{one}/positions/invalidate", self.invalidate),
            get(f"{one}/combo/positions", self.combos),
            get(f"{one}/position/{{conid}}", self.position),
            get("/portfolio/positions/{conid}", self.everywhere),
            get("/portfolio2/{accountId}/positions", self.fresh_positions),
        ]

    # Accounts.

    def _told(self, account: Account, *, access: bool = True) -> dict[str, Any]:
        """One account; the first is an advisor's where the option says so."""
        options = self._world.options
        row = account_object(account, access=access, virtual=options.virtual_pairs)
        return row | {"faclient": options.advisor and account.account_id == self._world.main_account}

    def accounts(self, _: Call) -> Answer:
        """List the accounts; the other portfolio answers have something to say from now on."""
        self._world.sessions.outer_warm.add(_WARM)
        return answers.json_answer([self._told(one) for one in self._world.accounts.values()])

    def subaccounts(self, _: Call) -> Answer:
        """List the sub-accounts."""
        self._world.sessions.outer_warm.add(_WARM)
        rows = [self._told(one, access=False) for one in self._world.accounts.values()]
        return answers.json_answer(rows[:PAGE])

    def paged_subaccounts(self, call: Call) -> Answer:
        """List the sub-accounts by page; without a page a plain list, as recorded."""
        self._world.sessions.outer_warm.add(_WARM)
        rows = [self._told(one, access=False) for one in self._world.accounts.values()]
        page = call.query.get("page")
        if page is None:
            return answers.json_answer(rows)
        first = (whole(page) or 0) * _SUBACCOUNT_PAGE
        if first >= len(rows):
            return answers.json_answer([])
        metadata = {"total": len(rows), "pageSize": _SUBACCOUNT_PAGE, "pageNum": first // _SUBACCOUNT_PAGE}
        shown = rows[first : first + _SUBACCOUNT_PAGE]
        return answers.json_answer({"metadata": metadata, "subaccounts": shown})

    def _found(self, call: Call) -> Account | None:
        return self._world.accounts.get(call.parts["accountId"])

    @property
    def _is_cold(self) -> bool:
        return self._world.options.first_reads_empty and _WARM not in self._world.sessions.outer_warm

    def meta(self, call: Call) -> Answer:
        """One account's attributes."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        return answers.json_answer(self._told(account, access=False))

    # Sums.

    def summary(self, call: Call) -> Answer:
        """All sums of an account by name."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        if self._is_cold:
            return answers.json_answer({})
        standing = self._world.standing(account.account_id)
        body = summary_body(account, standing, self._world.now)
        recorded = self._world.options.summary_style == "recorded"
        return answers.json_answer(body if recorded else documented_summary(body))

    def ledger(self, call: Call) -> Answer:
        """Cash and values by currency."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        if self._is_cold:
            return answers.json_answer({})
        return answers.json_answer(ledger_body(account, self._world.last, self._world.now))

    def allocation(self, call: Call) -> Answer:
        """Value by asset class, sector and group of one account."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        return answers.json_answer(self._allocated([account]))

    def joint_allocation(self, call: Call) -> Answer:
        """Value by asset class, sector and group of several accounts."""
        body = call.json()
        ids = body.get("acctIds", []) if isinstance(body, dict) else []
        wanted = map(str, ids if isinstance(ids, list) else [])
        accounts = [self._world.accounts[one] for one in wanted if one in self._world.accounts]
        return answers.json_answer(self._allocated(accounts))

    def _allocated(self, accounts: list[Account]) -> dict[str, Any]:
        world = self._world
        classes: dict[str, dict[str, Decimal]] = {"long": {}, "short": {}}
        cash = NOTHING
        for account in accounts:
            cash += world.standing(account.account_id).cash
            for held in account.open_positions():
                value = held.value(world.last(held.instrument)) * world.rate(held.instrument.currency)
                side = classes["long" if value >= 0 else "short"]
                side[held.instrument.sec_type] = side.get(held.instrument.sec_type, NOTHING) + value
        long, short = (sum(classes[side].values(), NOTHING) for side in ("long", "short"))
        classes["long"] = {"STK": NOTHING} | classes["long"] | {"CASH": cash}
        shown = {
            side: {key: number(value, 2) for key, value in parts.items()} for side, parts in classes.items()
        }
        others = {
            "long": {"Others": number(long, 2)},
            "short": {"Others": number(short, 2)} if short else {},
        }
        return {"assetClass": shown, "sector": others, "group": others}

    # Positions.

    def _rows(self, account: Account, *, complete: bool) -> list[dict[str, Any]]:
        """The cached rows of the paged view, read again when they are too old or lack what is wanted."""
        world = self._world
        life = timedelta(seconds=world.options.positions_cache)
        mark, cached = f"positions {account.account_id}", world.position_pages.get(account.account_id)
        lacking = complete and cached is not None and any(_MARK not in row for row in cached[1])
        if cached is not None and not lacking and world.now - cached[0] < life:
            return cached[1]
        view = warm_row if complete or mark in world.sessions.outer_warm else cold_row
        world.sessions.outer_warm.add(mark)
        rows = [view(account.account_id, one, world.last(one.instrument)) for one in self._shown(account)]
        world.position_pages[account.account_id] = (world.now, rows)
        return rows

    def _shown(self, account: Account) -> list[Position]:
        """The positions; those in pairs only where the account keeps them."""
        pairs = account.pairs.values() if self._world.options.virtual_pairs else ()
        return [*account.positions.values(), *pairs]

    def positions(self, call: Call) -> Answer:
        """One page of positions, a hundred rows."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        page = whole(call.parts["pageId"])
        if page is None:
            return answers.bad_request()
        if self._is_cold:
            return answers.json_answer([])
        complete = call.query.get("waitForSecDef") == "true"
        rows = self._of_model(call, self._rows(account, complete=complete))
        key = _SORTS.get(call.query.get("sort", ""))
        if key is not None:
            rows.sort(key=key, reverse=call.query.get("direction") == "d")
        elif not self._world.options.stable_pages:
            # Each page comes in an order of its own: some rows are told twice and some never.
            rows = rows[page:] + rows[:page]
        first = page * PAGE
        return answers.json_answer(rows[first : first + PAGE])

    @staticmethod
    def _of_model(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of the model that was asked for; all when none was."""
        model = call.query.get("model", "")
        return [one for one in rows if not model or one["model"] == model]

    def invalidate(self, call: Call) -> Answer:
        """Drop the cache of the paged view."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        self._world.position_pages.pop(account.account_id, None)
        return answers.json_answer({"message": "success"})

    def fresh_positions(self, call: Call) -> Answer:
        """All positions, never cached."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        stamp = figures.seconds(self._world.now)
        rows = [fresh_row(one, self._world.last(one.instrument), stamp) for one in self._shown(account)]
        rows = self._of_model(call, rows)
        key = _FRESH_SORTS.get(call.query.get("sort", ""))
        if key is not None:
            rows.sort(key=lambda row: row[key], reverse=call.query.get("direction") == "d")
        return answers.json_answer(rows)

    def position(self, call: Call) -> Answer:
        """The position in one contract."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        conid = whole(call.parts["conid"])
        if conid is None:
            return answers.bad_request()
        return answers.json_answer(self._one(account, conid))

    def _one(self, account: Account, conid: int) -> list[dict[str, Any]]:
        """The row of one contract; contract data comes with the second call."""
        held = next((one for one in self._shown(account) if one.instrument.conid == conid), None)
        if held is None:
            return []
        warmed, mark = self._world.sessions.outer_warm, f"position {account.account_id} {conid}"
        cold = self._world.options.first_reads_empty and mark not in warmed
        warmed.add(mark)
        view = cold_row if cold else warm_row
        return [view(account.account_id, held, self._world.last(held.instrument))]

    def everywhere(self, call: Call) -> Answer:
        """The position in one contract, account by account."""
        conid = whole(call.parts["conid"])
        if conid is None:
            return answers.bad_request()
        body = {key: self._one(one, conid) for key, one in self._world.accounts.items()}
        if self._world.options.twin_account:
            body |= {
                f"{key}C": self._twin(f"{key}C", one, conid) for key, one in self._world.accounts.items()
            }
        return answers.json_answer({key: rows for key, rows in body.items() if rows or not key.endswith("C")})

    def _twin(self, twin: str, account: Account, conid: int) -> list[dict[str, Any]]:
        """The same position again, under the name of a sub-ledger and never with contract data."""
        found = [one for one in self._shown(account) if one.instrument.conid == conid]
        return [cold_row(twin, one, self._world.last(one.instrument)) for one in found]

    def combos(self, call: Call) -> Answer:
        """The combinations that are held, with their legs."""
        account = self._found(call)
        if account is None:
            return answers.unauthorised()
        held = [one for one in account.combinations.values() if one.quantity]
        rows = [combination_row(account, one, self._world.last) for one in held]
        return answers.json_answer(spelt_out(rows) if self._world.options.none_as_text else rows)
