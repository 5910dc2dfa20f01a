"""The walk to a derivative: search, then strikes, then contracts; and the way to bonds.

The brokerage session remembers what was searched and for which months strikes were asked.
Strikes without a search are empty, contracts without strikes too, contracts without a search are
an error; a search by company name forgets everything, as documented. An option relaxes the walk.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ibkr_adapter.simulator import answers, bonds, expiries, futures_calendar, option_ladders
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import number
from ibkr_adapter.simulator.ladder_table import Ladder
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.routes import Call, Needs, Route, both, get
from ibkr_adapter.simulator.views_chains import bond_row, derivative_row, name_row, plain_object, search_row
from ibkr_adapter.simulator.world import World

# Not a set: what clients write there may be a list, which a set cannot be asked for.
_TRUE = (True, "true", "True", "1")
_LADDERS = frozenset({"OPT", "FOP", "WAR"})
_PLAIN = frozenset({"STK", "CASH", "CFD", "IND", "CRYPTO", "FUND"})
_NEEDED = {
    "OPT": ("conid", "month", "strike"),
    "WAR": ("conid", "month", "strike", "right"),
    "FOP": ("conid", "month", "exchange"),
    "FUT": ("conid", "month"),
    "BOND": ("issuerId",),
}
_NO_STRIKES: dict[str, Any] = {"call": [], "put": []}
_SEARCHED, _STRIKES = "searched ", "strikes "


class ChainEndpoints:
    """Serve search, strikes and contracts of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        brokerage = Needs.BROKERAGE
        return [
            both("/iserver/secdef/search", self.search, brokerage),
            get("/iserver/secdef/strikes", self.strikes, brokerage),
            get("/iserver/secdef/info", self.contracts, brokerage),
            get("/iserver/secdef/bond-filters", self.bond_filters, brokerage),
        ]

    @property
    def _memory(self) -> set[str]:
        brokerage = self._world.sessions.brokerage
        return brokerage.warm if brokerage else set()

    # The first step.

    def search(self, call: Call) -> Answer:
        """Search by ticker or, with ``name``, by company; bonds have a placeholder row."""
        wishes = call.either()
        text, sec_type = wishes.get("symbol"), wishes.get("secType")
        if not isinstance(text, str) or not text:
            return answers.bad_request("symbol is missing")
        catalogue, now = self._world.catalogue, self._world.now
        if wishes.get("name") in _TRUE:
            self._forget_walks()
            return answers.json_answer([name_row(one) for one in catalogue.named_like(text)])
        stocks = catalogue.stocks(text)
        with_dates = self._world.options.search_expiries
        rows = [
            search_row(one, now, with_dates=with_dates)
            for one in catalogue.of_symbol(text)
            if one.sec_type != "BOND"
        ]
        if sec_type is not None:
            rows = [row for row in rows if any(part["secType"] == sec_type for part in row["sections"])]
        for row in rows:
            self._memory.add(f"{_SEARCHED}{row['conid']}")
        # Stocks of companies that issued bonds are followed by the bonds' placeholder.
        if stocks and sec_type in (None, "STK", "BOND"):
            rows.append(bond_row(text, stocks[0].name))
        return answers.json_answer(rows)

    def _forget_walks(self) -> None:
        for mark in [one for one in self._memory if one.startswith((_SEARCHED, _STRIKES))]:
            self._memory.discard(mark)

    def _was_searched(self, conid: int) -> bool:
        return self._world.options.walk_order == "free" or f"{_SEARCHED}{conid}" in self._memory

    # The second step.

    def strikes(self, call: Call) -> Answer:
        """The strikes of all dates of a month; empty when anything is not as it should be."""
        query = call.query
        for field in ("conid", "sectype", "month"):
            if field not in query:
                return answers.missing(field)
        conid, month = _conid(query["conid"]), expiries.parse_month(query["month"])
        ladders = self._ladders(conid, query["sectype"], query.get("exchange", "SMART"))
        if month is None or not ladders or not self._was_searched(conid):
            return answers.json_answer(_NO_STRIKES)
        asked = f"{_STRIKES}{conid} {query['sectype']} {query['month']}"
        if self._is_cold(asked):
            return answers.json_answer(_NO_STRIKES)
        self._memory.add(asked)
        found = [number(one) for one in option_ladders.month_strikes(ladders, month, self._world.now)]
        return answers.json_answer({"call": found, "put": found})

    def _is_cold(self, asked: str) -> bool:
        """Tell whether this read comes too early: the first ones may be empty."""
        reads = sum(1 for one in self._memory if one.startswith(f"cold {asked} "))
        if asked in self._memory or reads >= self._world.options.empty_strikes:
            return False
        self._memory.add(f"cold {asked} {reads}")
        return True

    @staticmethod
    def _ladders(conid: int, sec_type: str, exchange: str) -> list[Ladder]:
        if sec_type not in _LADDERS:
            return []
        found = option_ladders.ladders_on(conid, sec_type)
        # Futures options have no smart routing: their exchange has to be named.
        return [one for one in found if exchange in one.venues.split(",")]

    # The third step.

    def contracts(self, call: Call) -> Answer:
        """The contracts of a month, or the one contract that a conid means."""
        query = call.query
        sec_type = query.get("sectype")
        if sec_type is None:
            return answers.missing("sectype")
        for field in _NEEDED.get(sec_type, ("conid",)):
            if not query.get(field):
                return answers.missing(field)
        if sec_type == "BOND":
            found = bonds.bonds_of(query["issuerId"], query.get("filters", ""))
            return answers.json_answer([derivative_row(one, "SMART") for one in found])
        named = self._world.catalogue.find(_conid(query["conid"]))
        if named is not None and sec_type in _PLAIN & {named.sec_type}:
            return answers.json_answer(plain_object(named))
        month = expiries.parse_month(query.get("month", ""))
        # A derivative's own conid is documented as allowed and was seen to fail.
        lost = named is None or named.expiry is not None or not self._was_searched(named.conid)
        if named is None or lost or month is None or sec_type not in _NEEDED:
            return answers.refusal("No Contracts retrieved ", 500)
        find = self._futures if sec_type == "FUT" else self._options
        return answers.json_answer(find(named.conid, month, query))

    def _futures(self, conid: int, month: date, query: dict[str, str]) -> list[dict[str, Any]]:
        exchange = query.get("exchange")
        product = futures_calendar.BY_CONID.get(conid)
        if product is None or exchange not in {None, "", product.of.exchange}:
            return []
        listed = futures_calendar.listed(product, self._world.now)
        return [derivative_row(one, one.exchange) for one in listed if one.month == month]

    def _options(self, conid: int, month: date, query: dict[str, str]) -> list[dict[str, Any]]:
        sec_type, exchange = query["sectype"], query.get("exchange") or "SMART"
        asked = f"{_STRIKES}{conid} {sec_type} {query['month']}"
        strict = self._world.options.walk_order == "strict" and "strike" in query
        if strict and asked not in self._memory:
            return []
        found = option_ladders.month_contracts(
            self._ladders(conid, sec_type, exchange),
            month,
            self._world.now,
            _strike(query.get("strike")),
            query.get("right") or "CP",
        )
        return [derivative_row(one, exchange) for one in found]

    # Bonds.

    def bond_filters(self, call: Call) -> Answer:
        """What the bonds of an issuer can be narrowed down by; nothing for an unknown one."""
        for field in ("symbol", "issuerId"):
            if not call.query.get(field):
                return answers.missing(field)
        issuer = call.query["issuerId"] if call.query["symbol"] == "BOND" else ""
        return answers.json_answer({"bondFilters": bonds.filters_of(issuer)})


def _conid(text: str) -> int:
    return whole(text) or 0


def _strike(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise RefusalError(answers.bad_request("strike is not valid")) from None
