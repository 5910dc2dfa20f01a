"""Look-up endpoints: stocks, definitions, search, rules, hours, currencies.

``/trsrv`` and the schedules need a login only, ``/iserver`` a brokerage session. Unknown
tickers are status 200 and empty; unknown conids are an error, a different one at each endpoint,
as was observed.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import answers, hours
from ibkr_adapter.simulator.catalogue import SHORT_VENUES
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import number, seconds
from ibkr_adapter.simulator.listings import PAIRS, RATES, Instrument
from ibkr_adapter.simulator.routes import Call, Needs, Route, both, get, post
from ibkr_adapter.simulator.views_contracts import (
    ALGOS,
    bond_row,
    contract_info,
    contract_rules,
    definition,
    name_row,
    search_row,
    stock_groups,
)
from ibkr_adapter.simulator.world import World

_MOST_CONIDS = 200
_SCHEDULE_DAYS = 6
_ALL_CLASSES = frozenset({"STK", "OPT", "FUT", "CFD", "WAR", "SWP", "FND", "BND", "ICS"})
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
            both("/iserver/secdef/search", self.search, brokerage),
            get(f"{one}/info", self.info, brokerage),
            get(f"{one}/info-and-rules", self.info_and_rules, brokerage),
            post("/iserver/contract/rules", self.rules, brokerage),
            get(f"{one}/algos", self.algos, brokerage),
            get("/iserver/currency/pairs", self.pairs, brokerage),
            get("/iserver/exchangerate", self.exchange_rate, brokerage),
        ]

    def _instrument(self, conid: Any) -> Instrument | None:
        text = str(conid)
        return self._world.catalogue.find(int(text)) if text.isdigit() else None

    # Needs only a login.

    def stocks(self, call: Call) -> Answer:
        """Companies and listings by ticker; an unknown ticker has an empty list."""
        symbols = [one for one in call.query.get("symbols", "").split(",") if one]
        if not symbols:
            return answers.bad_request("symbols is missing")
        catalogue = self._world.catalogue
        return answers.json_answer({one: stock_groups(catalogue.companies(one)) for one in symbols})

    def futures(self, call: Call) -> Answer:
        """Futures by product; none are listed yet."""
        symbols = [one for one in call.query.get("symbols", "").split(",") if one]
        return answers.json_answer({one: [] for one in symbols})

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
        if self._instrument(call.query.get("conid", "")) is None:
            return answers.bad_request("conid is not valid")
        today = hours.local_day(self._world.now)
        days: dict[str, Any] = {}
        for day in hours.trading_days(today, _SCHEDULE_DAYS):
            liquid, extended = hours.regular(day), hours.extended(day)
            days[day.strftime("%Y%m%d")] = {
                "liquid_hours": [{"opening": seconds(liquid[0]), "closing": seconds(liquid[1])}],
                "extended_hours": [
                    {
                        "cancel_daily_orders": True,
                        "opening": seconds(extended[0]),
                        "closing": seconds(extended[1]),
                    }
                ],
            }
        return answers.json_answer({"exchange_time_zone": "US/Eastern", "schedules": days})

    def old_schedule(self, call: Call) -> Answer:
        """Hours by weekday, where 20000101 stands for any Saturday, and the next special days."""
        query = call.query
        # A conid is documented as needed and answered 400; both without it are fine.
        if "conid" in query or query.get("assetClass") not in _ALL_CLASSES or not query.get("symbol"):
            return answers.bad_request()
        listings = [one for one in self._world.catalogue.of_symbol(query["symbol"]) if one.is_us]
        if not listings:
            return answers.json_answer([])
        today = hours.local_day(self._world.now)
        rows = [_weekday_row(f"2000010{number}", closed=number <= 2) for number in range(1, 8)]  # noqa: PLR2004 - the first two stand for the weekend
        rows += [
            _weekday_row(day.strftime("%Y%m%d"), closed=True)
            for day in sorted(hours.HOLIDAYS)
            if timedelta(0) <= day - today <= timedelta(days=30)
        ]
        venue = listings[0].exchange
        return answers.json_answer(
            [
                {
                    "id": "p101781",
                    "tradeVenueId": "v13038",
                    "exchange": venue,
                    "description": venue,
                    "timezone": "America/New_York",
                    "schedules": rows,
                }
            ]
        )

    # Needs a brokerage session.

    def search(self, call: Call) -> Answer:
        """Search by ticker or, with ``name``, by company; bonds have a placeholder row."""
        wishes = call.either()
        text = wishes.get("symbol")
        if not isinstance(text, str) or not text:
            return answers.bad_request("symbol is missing")
        catalogue = self._world.catalogue
        if wishes.get("secType") == "BOND":
            found = catalogue.of_symbol(text)
            return answers.json_answer([bond_row(found[0].name)] if found else [])
        if wishes.get("name") in _TRUE:
            return answers.json_answer([name_row(one) for one in catalogue.named_like(text)])
        rows = [search_row(one) for one in catalogue.of_symbol(text)]
        if rows:
            # Stocks of companies that issued bonds are followed by the bonds' placeholder.
            rows.append(bond_row(catalogue.of_symbol(text)[0].name))
        return answers.json_answer(rows)

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
        if instrument is None or isinstance(conid, str):
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
        if self._instrument(call.parts["conid"]) is None or brokerage is None:
            return answers.fault("Service Unavailable", 503)
        wanted = [one for one in call.query.get("algos", "").split(";") if one]
        rows = [one for one in ALGOS if not wanted or one["id"] in wanted]
        key = f"algos {call.parts['conid']}"
        cold = self._world.options.first_reads_empty and key not in brokerage.warm
        brokerage.warm.add(key)
        if cold or call.query.get("addParams") not in _TRUE:
            rows = [{"name": one["name"], "id": one["id"]} for one in rows]
        return answers.json_answer({"algos": rows})

    def pairs(self, call: Call) -> Answer:
        """Currency pairs of one currency, which may stand on either side."""
        currency = call.query.get("currency", "")
        rows = []
        for symbol, conid in PAIRS:
            sides = symbol.split(".")
            if currency in sides:
                other = sides[1] if sides[0] == currency else sides[0]
                rows.append({"symbol": symbol, "conid": conid, "ccyPair": other})
        return answers.json_answer({currency: rows})

    def exchange_rate(self, call: Call) -> Answer:
        """Units of the target for one unit of the source."""
        source, target = (RATES.get(call.query.get(one, "")) for one in ("source", "target"))
        if source is None or target is None:
            return answers.bad_request("currency is not valid")
        return answers.json_answer({"rate": number(Decimal(source) / target, 8)})


def _weekday_row(date_text: str, *, closed: bool) -> dict[str, Any]:
    sessions = [] if closed else [{"openingTime": "0930", "closingTime": "1600", "prop": "LIQUID"}]
    times = [] if closed else [{"openingTime": "0400", "closingTime": "2000", "cancelDayOrders": "Y"}]
    return {
        "clearingCycleEndTime": "0000" if closed else "2000",
        "tradingScheduleDate": date_text,
        "sessions": sessions,
        "tradingtimes": times,
    }
