"""A broker out of a book of answers, for the classes that the simulated one does not list.

Its contracts, rules and answers are hand-written after the documented and recorded ones; it books
what it is sent, fills what it is told to, and computes nothing.
"""

from __future__ import annotations

import itertools
import json
import threading
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.transport import Answer

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
URL = "http://127.0.0.1:5000/v1/api"
ACCOUNT = "DU1234567"
LISTED = ["DAY/o,a", "GTC/o,a", "IOC/MARKET,LIMIT,a", "GTD/o,a"]
TYPES = ["limit", "market", "stop", "stop_limit", "trailing_stop", "trailing_stop_limit"]


def contract(conid, symbol, kind="STK", **about):
    """An answer of ``info-and-rules``."""
    rules = {
        "orderTypes": TYPES,
        "orderTypesOutside": [],
        "tifTypes": LISTED,
        "canTradeAcctIds": [ACCOUNT],
        "incrementRules": [{"lowerEdge": 0, "increment": 0.01}],
        "fraqTypes": [],
        "cqtTypes": [],
        "fraqInt": 0,
        "negativeCapable": False,
    } | about.pop("rules", {})
    return {
        "con_id": conid,
        "symbol": symbol,
        "instrument_type": kind,
        "currency": "USD",
        "exchange": "SMART",
        "valid_exchanges": "SMART,AMEX",
        "multiplier": None,
        "rules": rules,
    } | about


def option(conid, strike, right, expiry="20261218", **about):
    steps = [{"lowerEdge": 0, "increment": 0.01}, {"lowerEdge": 3, "increment": 0.05}]
    return contract(
        conid,
        "SPY",
        "OPT",
        multiplier="100",
        strike=str(strike),
        right=right,
        maturity_date=expiry,
        underlying_con_id=756733,
        local_symbol=f"SPY {expiry}{right}{strike}",
        rules={"incrementRules": steps},
        **about,
    )


class Broker:
    """A transport with its own few contracts, orders and positions."""

    def __init__(self, *contracts: dict[str, Any]) -> None:
        self.contracts = {one["con_id"]: one for one in contracts}
        self.listings = {one["symbol"]: one["con_id"] for one in contracts if one["instrument_type"] == "STK"}
        self.props: dict[str, Any] = {"supportsFractions": True, "supportsCashQty": True}
        self.positions: dict[int, float] = {}
        self.prices: dict[int, float] = {}
        self.rates: dict[str, float] = {"EUR.USD": 1.1, "GBP.USD": 1.25, "JPY.USD": 0.0066}
        self.pairs = {
            "USD": [{"symbol": "EUR.USD", "conid": 12087792}, {"symbol": "USD.JPY", "conid": 15016059}],
            "EUR": [{"symbol": "EUR.USD", "conid": 12087792}],
            "JPY": [{"symbol": "USD.JPY", "conid": 15016059}],
        }
        self.hours: dict[str, Any] = {"exchange_time_zone": "US/Eastern", "schedules": {}}
        self.rows: list[dict[str, Any]] = []
        self.sent: list[tuple[str, str, Any]] = []
        self.fills = True
        self.primed = False
        self._ids = itertools.count(1370093239)

    def prepare(self, url: str) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to close."""

    def send(self, method, url, *, headers, body, deadline, changes_state, on_open=None) -> Answer:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/v1/api")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        content = json.loads(body) if body else None
        self.sent.append((method, path, content if content is not None else query))
        status, answer = self.answer(method, path, query, content)
        headers = {"content-type": "application/json;charset=utf-8"}
        return Answer(status=status, headers=headers, body=json.dumps(answer).encode())

    def calls(self, method, part):
        """What was sent to the addresses that have ``part`` in them."""
        return [content for verb, path, content in self.sent if verb == method and part in path]

    @property
    def tickets(self):
        """Every ticket that was placed, in order."""
        return [one for content in self.calls("POST", f"/{ACCOUNT}/orders") for one in content["orders"]]

    # What it answers ----------------------------------------------------------------------

    def answer(self, method, path, query, content):
        if path.startswith("/portfolio"):
            return 200, self._portfolio(path)
        if path.startswith("/iserver/account/"):
            return self._orders(method, path, content)
        props = {ACCOUNT: self.props}
        session = {"connected": True, "authenticated": True, "established": True, "competing": False}
        plain = {
            "/tickle": {"session": "s"},
            "/iserver/accounts": {"accounts": [ACCOUNT], "isPaper": True, "acctProps": props},
            "/iserver/questions/suppress": {"status": "submitted"},
            "/iserver/auth/status": session,
            "/iserver/auth/ssodh/init": session,
            "/iserver/secdef/search": [],
            "/contract/trading-schedule": self.hours,
        }
        return (200, plain[path]) if path in plain else self._contracts(path, query)

    def _contracts(self, path, query):
        if path == "/trsrv/stocks":
            symbol = query["symbols"]
            rows = [{"conid": self.listings.get(symbol), "exchange": "NYSE", "isUS": True}]
            return 200, {symbol: [{"name": symbol, "contracts": rows}] if symbol in self.listings else []}
        if path == "/iserver/exchangerate":
            return 200, {"rate": self.rates.get(f"{query['source']}.{query['target']}")}
        if path == "/iserver/currency/pairs":
            found = self.pairs.get(query["currency"])
            return 200, {} if found is None else {query["currency"]: found}
        if path == "/iserver/marketdata/snapshot":
            conids = [int(conid) for conid in query["conids"].split(",")]
            return 200, [
                {"conid": conid, "6509": "RpB", "_updated": 1, **self._price(conid)} for conid in conids
            ]
        if path == "/trsrv/secdef":
            return 200, {"secdef": []}
        conid = int(path.split("/")[3])
        return (200, self.contracts[conid]) if conid in self.contracts else (400, {"error": "unknown"})

    def _price(self, conid):
        return {"31": str(self.prices[conid])} if conid in self.prices else {}

    def _portfolio(self, path):
        if path == "/portfolio/accounts":
            return [{"id": ACCOUNT, "accountId": ACCOUNT, "currency": "USD", "type": "DEMO"}]
        return [
            {
                "conid": str(conid),
                "position": held,
                "assetClass": "STK",
                "currency": "USD",
                "description": "X",
            }
            for conid, held in self.positions.items()
        ]

    def _orders(self, method, path, content):
        if path == "/iserver/account/orders":
            ready, self.primed = self.primed, True
            return 200, {"orders": [dict(row) for row in self.rows] if ready else [], "snapshot": ready}
        if path == "/iserver/account/trades":
            return 200, []
        if "/order/status/" in path:
            row = self._row(path)
            status = {"order_id": row["orderId"], "side": row["side"], "order_status": row["status"]}
            status |= {"order_type": row["orderType"], "total_size": row["totalSize"], "tif": "DAY"}
            status |= {"cum_fill": row["filledQuantity"], "conid": row.get("conid"), "account": ACCOUNT}
            status |= {
                "conidex": row.get("conidex"),
                "limit_price": row.get("price"),
                "sec_type": row["secType"],
            }
            status |= {"remaining_quantity": row["remainingQuantity"]}
            return 200, status
        if method == "DELETE":
            row = self._row(path)
            row |= {"status": "Cancelled"}
            return 200, {
                "msg": "Request was submitted",
                "order_id": row["orderId"],
                "conid": -1,
                "account": None,
            }
        if path.endswith("/orders"):
            return 200, [self._book(ticket) for ticket in content["orders"]]
        row = self._row(path)
        row |= {"price": content.get("price"), "totalSize": content.get("quantity")}
        return 200, [{"order_id": str(row["orderId"]), "order_status": row["status"]}]

    def _row(self, path):
        return next(row for row in self.rows if str(row["orderId"]) == path.rsplit("/", 1)[1])

    def _book(self, ticket):
        at_once = self.fills and ticket["orderType"] == "MKT"
        size = ticket.get("quantity", 1)
        row = {
            "acct": ACCOUNT,
            "account": ACCOUNT,
            "orderId": next(self._ids),
            "ticker": "X",
            "secType": self._kind(ticket),
            "side": ticket["side"],
            "orderType": {"MKT": "Market", "LMT": "Limit", "STP": "Stop"}.get(ticket["orderType"], "Stop"),
            "status": "Filled" if at_once else "Submitted",
            "totalSize": size,
            "filledQuantity": size if at_once else 0,
            "remainingQuantity": 0 if at_once else size,
            "timeInForce": "CLOSE" if ticket["tif"] == "DAY" else ticket["tif"],
            "price": ticket.get("price"),
            "order_ref": ticket.get("cOID"),
        }
        if "parentId" in ticket:
            parent = next(one for one in self.rows if one["order_ref"] == ticket["parentId"])
            row["parentId"] = parent["orderId"]
        # What is unset is not there, and a combination has no contract id.
        row |= {key: ticket[key] for key in ("conid", "conidex") if key in ticket}
        self.rows.append({key: value for key, value in row.items() if value is not None})
        ack = {"order_id": str(row["orderId"]), "order_status": row["status"], "encrypt_message": "1"}
        ack |= {"local_order_id": ticket["cOID"]} if "cOID" in ticket else {}
        return ack | ({"parent_order_id": str(row["parentId"])} if "parentId" in row else {})

    def _kind(self, ticket):
        return self.contracts[ticket["conid"]]["instrument_type"] if "conid" in ticket else "BAG"


class Floor:
    """One scripted broker, a clock that jumps, and the exchanges that speak to it."""

    def __init__(self, folder: Any, *contracts: dict[str, Any]) -> None:
        self.clock = ManualClock(START, jump=True)
        self.broker = Broker(*contracts)
        self._folder = folder
        numbers, lock = itertools.count(1), threading.Lock()

        def new_id() -> str:
            with lock:
                return f"{next(numbers):08d}"

        self.doors = Doors(clock=self.clock, transport=lambda _settings, _clock: self.broker, new_id=new_id)
        self._open: list[IBKRExchange] = []

    def exchange(self, **settings: Any) -> IBKRExchange:
        found = IBKRExchange({"base_url": URL, "state_dir": str(self._folder), **settings}, doors=self.doors)
        self._open.append(found)
        return found

    def close(self) -> None:
        for exchange in self._open:
            exchange.close()
        self.clock.close()
