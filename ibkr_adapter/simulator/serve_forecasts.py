"""The endpoints of event contracts: found by category and market, told by conid.

Written after documented examples alone. Conids come as texts in the query; what is said of one
that is missing or unknown is a guess.
"""

from __future__ import annotations

from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import number, seconds
from ibkr_adapter.simulator.forecasts import CATEGORIES, EXCHANGE, MARKETS, Forecast, Market, listed
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.routes import Call, Route, get
from ibkr_adapter.simulator.world import World

_PAYOUT = 1.0
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


class ForecastEndpoints:
    """Serve the event contracts of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        return [
            get("/forecast/category/tree", self.tree),
            get("/forecast/contract/market", self.market),
            get("/forecast/contract/rules", self.rules),
            get("/forecast/contract/details", self.details),
            get("/forecast/contract/schedules", self.schedules),
        ]

    def tree(self, _: Call) -> Answer:
        """All categories; those without others below them have markets."""
        told = {key: dict(one) for key, one in CATEGORIES.items()}
        for market in MARKETS:
            told[market.category].setdefault("markets", []).append(market.as_json())
        return answers.json_answer({"categories": told})

    def market(self, call: Call) -> Answer:
        """The contracts of a market."""
        wanted = _conid(call, "underlyingConid")
        exchange = call.query.get("exchange", EXCHANGE)
        found = next((one for one in MARKETS if one.conid == wanted and exchange == EXCHANGE), None)
        if found is None:
            return answers.fault(f"Market {wanted} is not found", 503)
        rows = [_row(one) for one in listed(found, self._world.now)]
        return answers.json_answer(_headline(found) | {"contracts": rows})

    def _contract(self, call: Call) -> Forecast:
        wanted = _conid(call, "conid")
        contracts = (one for market in MARKETS for one in listed(market, self._world.now))
        found = next((one for one in contracts if one.conid == wanted), None)
        if found is None:
            raise RefusalError(answers.fault(f"Contract {wanted} is not found", 503))
        return found

    def details(self, call: Call) -> Answer:
        """What a contract asks."""
        one = self._contract(call)
        market = one.market
        yes, no = (one.conid, one.twin) if one.side == "Y" else (one.twin, one.conid)
        body = {
            "conid_yes": yes,
            "conid_no": no,
            "question": f"Will {market.name} be above {one.strike:,} {market.unit} in {one.year}?",
            "side": one.side,
            "strike_label": one.label,
            "strike": number(one.strike),
            "exchange": EXCHANGE,
            "expiration": f"{one.ends:%Y%m%d}",
            "symbol": market.symbol,
            "category": market.root,
            "logo_category": market.category,
            "measured_period": one.measured,
            "market_name": market.name,
            "underlying_conid": market.conid,
            "payout": _PAYOUT,
        }
        return answers.json_answer(body)

    def rules(self, call: Call) -> Answer:
        """How a contract is decided; moments are seconds."""
        one = self._contract(call)
        body = {
            "asset_class": "OPT",
            "description": f"{one.market.name}, counted in {one.market.unit} over a year.",
            "market_name": one.market.name,
            "measured_period": one.measured,
            "threshold": str(number(one.strike)),
            "source_agency": one.market.source,
            "data_and_resolution_link": "https://example.com/simulated/resolution",
            "last_trade_time": seconds(one.ends),
            "product_code": one.market.symbol,
            "market_rules_link": "https://example.com/simulated/rules",
            "release_time": seconds(one.ends),
            "payout_time": seconds(one.paid),
            "payout": "$1.00",
            "price_increment": "$0.01",
            "exchange_timezone": "US/Central",
        }
        return answers.json_answer(body)

    def schedules(self, call: Call) -> Answer:
        """When a contract trades: round the clock but for a quarter of an hour."""
        self._contract(call)
        times = [{"open": "12:00 AM", "close": "4:00 PM"}, {"open": "4:15 PM", "close": "11:59 PM"}]
        rows = [{"day_of_week": day, "trading_times": times} for day in _DAYS]
        return answers.json_answer({"timezone": "US/Central", "trading_schedules": rows})


def _conid(call: Call, key: str) -> int:
    number = whole(call.query.get(key, ""))
    if number is None:
        raise RefusalError(answers.missing(key))
    return number


def _headline(market: Market) -> dict[str, Any]:
    return {
        "market_name": market.name,
        "exchange": EXCHANGE,
        "symbol": market.symbol,
        "logo_category": market.category,
        "exclude_historical_data": False,
        "payout": _PAYOUT,
    }


def _row(one: Forecast) -> dict[str, Any]:
    return {
        "conid": one.conid,
        "side": one.side,
        "expiration": f"{one.ends:%Y%m%d}",
        "strike": number(one.strike),
        "strike_label": one.label,
        "expiry_label": str(one.year),
        "underlying_conid": one.market.conid,
        "time_specifier": f"{one.year}.12.31",
    }
