"""Look-up endpoints: stocks, futures, definitions, rules, hours, currencies.

``/trsrv`` and the schedules need a login only, ``/iserver`` a brokerage session. Unknown
tickers are status 200 and empty; unknown conids are an error, a different one at each endpoint,
as was observed. The walk from a search to a derivative is in :mod:`.serve_chains`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.catalogue import SHORT_VENUES
from ibkr_adapter.simulator.currencies import RATES, pairs_with
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import number
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order_rules import rules_of
from ibkr_adapter.simulator.routes import Call, Needs, Route, both, get, post
from ibkr_adapter.simulator.serve_chains import ChainEndpoints
from ibkr_adapter.simulator.views_contracts import (
    ALGOS,
    contract_info,
    contract_rules,
    definition,
    future_rows,
    stock_groups,
)
from ibkr_adapter.simulator.views_hours import CLASSES, schedule, weekly_schedule
from ibkr_adapter.simulator.world import World

_MOST_CONIDS = 200
_TRUE = frozenset({True, "true", "True", "1"})


class ContractEndpoints:
    """Serve the look-up endpoints of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        brokerage = Needs.BROKERAGE
        one = "/iserver/contract/{conid}"
        return [
            get("/trsrv/stocks", self.stocks),
            get("/trsrv/futures", self.futures),
            both("/trsrv/secdef", self.definitions),
            get("/trsrv/all-conids", self.all_conids),
            get("/trsrv/secdef/schedule", self.old_schedule),
            get("/contract/trading-schedule", self.schedule),
            *ChainEndpoints(self._world).routes(),
            get(f"{one}/info", self.info, brokerage),
            get(f"{one}/info-and-rules", self.info_and_rules, brokerage),
            post("/iserver/contract/rules", self.rules, brokerage),
            get(f"{one}/algos", self.algos, brokerage),
            get("/iserver/currency/pairs", self.pairs, brokerage),
            get("/iserver/exchangerate", self.exchange_rate, brokerage),
        ]

    def _instrument(self, conid: Any) -> Instrument | None:
        number = whole(str(conid))
        return None if number is None else self._world.catalogue.find(number)

    # Needs only a login.

    def stocks(self, call: Call) -> Answer:
        """Companies and listings by ticker; an unknown ticker has an empty list."""
        symbols = [one for one in call.query.get("symbols", "").split(",") if one]
        if not symbols:
            return answers.bad_request("symbols is missing")
        catalogue = self._world.catalogue
        return answers.json_answer({one: stock_groups(catalogue.companies(one)) for one in symbols})

    def futures(self, call: Call) -> Answer:
        """The contracts that have not expired, by product, in no order."""
        symbols = [one for one in call.query.get("symbols", "").split(",") if one]
        if not symbols:
            return answers.bad_request("symbols is missing")
        exchange, now = call.query.get("exchange"), self._world.now
        return answers.json_answer({one: future_rows(one, exchange, now) for one in symbols})

    def definitions(self, call: Call) -> Answer:
        """Definitions of known conids, up to two hundred."""
        wanted = call.either().get("conids", [])
        conids = wanted.split(",") if isinstance(wanted, str) else wanted
        if not isinstance(conids, list) or not conids or len(conids) > _MOST_CONIDS:
            return answers.bad_request("conids is not valid")
        found = [one for one in map(self._instrument, conids) if one is not None]
        return answers.json_answer({"secdef": [definition(one) for one in found]})

    def all_conids(self, call: Call) -> Answer:
        """Everything listed at one venue, whose name is echoed in another spelling."""
        exchange = call.query.get("exchange", "")
        rows = [
            {"ticker": one.symbol, "conid": one.conid, "exchange": SHORT_VENUES.get(exchange, exchange)}
            for one in self._world.catalogue.on_exchange(exchange)
        ]
        return answers.json_answer(rows)

    def schedule(self, call: Call) -> Answer:
        """Hours of the next trading days; closed days are absent."""
        instrument = self._instrument(call.query.get("conid", ""))
        if instrument is None:
            return answers.bad_request("conid is not valid")
        return answers.json_answer(schedule(instrument, self._world.now))

    def old_schedule(self, call: Call) -> Answer:
        """Hours by weekday, where 20000101 stands for any Saturday, and the next special days."""
        query = call.query
        kinds = CLASSES.get(query.get("assetClass", ""))
        # A conid is documented as needed and answered 400; both without it are fine.
        if "conid" in query or kinds is None or not query.get("symbol"):
            return answers.bad_request()
        listings = [one for one in self._world.catalogue.of_symbol(query["symbol"]) if one.sec_type in kinds]
        listings.sort(key=lambda one: not one.is_us)
        venues = [one for one in query.get("exchangeFilter", "").split(",") if one]
        venues = venues or [query["exchange"]] if "exchange" in query else venues
        chosen = [one for one in listings if not venues or one.exchange in venues]
        rows = [weekly_schedule(one, query["assetClass"], self._world.now) for one in chosen[:1]]
        return answers.json_answer(rows)

    # Needs a brokerage session.

    def info(self, call: Call) -> Answer:
        """One contract in detail."""
        instrument = self._instrument(call.parts["conid"])
        if instrument is None:
            return answers.bad_request("conid is not valid")
        return answers.json_answer(contract_info(instrument))

    def info_and_rules(self, call: Call) -> Answer:
        """One contract in detail, with its rules."""
        instrument = self._instrument(call.parts["conid"])
        if instrument is None:
            return answers.bad_request("conid is not valid")
        return answers.json_answer({**contract_info(instrument), "rules": self._rules(instrument)})

    def rules(self, call: Call) -> Answer:
        """What may be ordered of a contract."""
        body = call.json()
        conid = body.get("conid") if isinstance(body, dict) else None
        instrument = self._instrument(conid)
        if instrument is None:
            return answers.bad_request("conid is not valid")
        return answers.json_answer(self._rules(instrument))

    def _rules(self, instrument: Instrument) -> dict[str, Any]:
        world = self._world
        return contract_rules(
            instrument,
            list(world.accounts),
            world.last(instrument),
            fractions=world.options.fractions and instrument.is_us,
        )

    def algos(self, call: Call) -> Answer:
        """Algorithms a contract may be ordered with; parameters come on the second call."""
        brokerage = self._world.sessions.brokerage
        instrument = self._instrument(call.parts["conid"])
        if instrument is None or brokerage is None:
            return answers.fault("Service Unavailable", 503)
        wanted = [one for one in call.query.get("algos", "").split(";") if one]
        offered = ALGOS if rules_of(instrument).algos else ()
        rows = [one for one in offered if not wanted or one["id"] in wanted]
        key = f"algos {call.parts['conid']}"
        cold = self._world.options.first_reads_empty and key not in brokerage.warm
        brokerage.warm.add(key)
        if cold or call.query.get("addParams") not in _TRUE:
            rows = [{"name": one["name"], "id": one["id"]} for one in rows]
        return answers.json_answer({"algos": rows})

    def pairs(self, call: Call) -> Answer:
        """Currency pairs of one currency, which may stand on either side."""
        currency = call.query.get("currency", "")
        if not currency:
            return answers.missing("currency")
        rows = [
            {"symbol": pair.symbol, "conid": pair.conid, "ccyPair": other}
            for pair, other in pairs_with(currency)
        ]
        return answers.json_answer({currency: rows})

    def exchange_rate(self, call: Call) -> Answer:
        """Units of the target for one unit of the source."""
        source, target = (RATES.get(call.query.get(one, "")) for one in ("source", "target"))
        if source is None or target is None:
            return answers.bad_request("currency is not valid")
        return answers.json_answer({"rate": number(Decimal(source) / target, 8)})
