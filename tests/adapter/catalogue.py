"""A scripted broker for names: a table of answers, and the memory that makes them depend on order.

Written after the facts (docs/ibkr-facts.md), in the strictest reading of each: strikes and
contracts are empty unless the last search of this session was for their underlying, contracts also
unless the strikes of that month were asked for before, and a search with other parameters forgets
everything.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.transport import Answer

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
URL = "http://127.0.0.1:5000/v1/api"
SPOT = {"secType": "STK"}
STATUS = {"authenticated": True, "connected": True, "competing": False, "established": True}

STOCKS = {
    "AAPL": [
        {
            "name": "APPLE INC",
            "contracts": [
                {"conid": 38708077, "exchange": "MEXI", "isUS": False},
                {"conid": 265598, "exchange": "NASDAQ", "isUS": True},
            ],
        }
    ],
    "BRK B": [{"name": "BERKSHIRE", "contracts": [{"conid": 72063691, "exchange": "NYSE", "isUS": True}]}],
    "SPY": [{"name": "SPDR", "contracts": [{"conid": 756733, "exchange": "ARCA", "isUS": True}]}],
    "ES": [{"name": "EVERSOURCE", "contracts": [{"conid": 8894, "exchange": "NYSE", "isUS": True}]}],
    "BTC": [{"name": "GRAYSCALE", "contracts": [{"conid": 7777, "exchange": "ARCA", "isUS": True}]}],
    "GOLD": [
        {"name": "BARRICK", "contracts": [{"conid": 81, "exchange": "NYSE", "isUS": True}]},
        {"name": "GOLDEN", "contracts": [{"conid": 82, "exchange": "NASDAQ", "isUS": True}]},
    ],
    "SAP": [
        {
            "name": "SAP SE",
            "contracts": [
                {"conid": 91, "exchange": "IBIS", "isUS": False},
                {"conid": 92, "exchange": "FWB", "isUS": False},
            ],
        }
    ],
    "TWO": [
        {"name": "TWO CO", "contracts": [{"conid": 61, "exchange": "NYSE", "isUS": True}]},
        {"name": "TWO INC", "contracts": [{"conid": 62, "exchange": "LSE", "isUS": False}]},
    ],
    "LINK": [{"name": "INTERLINK", "contracts": [{"conid": 63, "exchange": "NASDAQ", "isUS": True}]}],
}
CURRENCIES = {38708077: "MXN", 265598: "USD", 81: "USD", 82: "USD", 91: "EUR", 92: "EUR"}


def future(conid: int, symbol: str, expires: int, **days: int) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "conid": conid,
        "underlyingConid": 11004968,
        "expirationDate": expires,
        "ltd": expires,
        "shortFuturesCutOff": expires,
        "longFuturesCutOff": expires,
        **days,
    }


FUTURES = {
    "ES": [
        future(515416632, "ES", 20261218, ltd=20261217, longFuturesCutOff=20261217),
        future(649180678, "ES", 20270319),
        future(495512557, "ES", 20260918),
    ],
    "CL": [
        future(1001, "CL", 20261221, longFuturesCutOff=20261217),
        future(1000, "CL", 20261119),
        future(1002, "CL", 20270120, longFuturesCutOff=20270118),
        future(1003, "CL", 20270222),
    ],
    "SI": [future(2001, "SI", 20261229), future(2002, "SI", 20261229)],
    "MUTE": [future(3001, "MUTE", 20261218)],
    "BRR": [future(4001, "BRR", 20261127)],
}


def option(conid: int, day: str, strike: float, right: str, **more: Any) -> dict[str, Any]:
    return {
        "conid": conid,
        "symbol": "AAPL",
        "secType": "OPT",
        "exchange": "SMART",
        "listingExchange": None,
        "right": right,
        "strike": strike,
        "currency": "USD",
        "coupon": "No Coupon",
        "desc1": "AAPL",
        "desc2": f"{day} {strike} {right}",
        "maturityDate": day,
        "multiplier": "100",
        "tradingClass": "AAPL",
        "validExchanges": "SMART,CBOE",
        **more,
    }


def hit(
    conid: int | str, symbol: str, exchange: str, *sections: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "conid": str(conid),
        "companyName": f"{symbol} INC",
        "companyHeader": f"{symbol} INC - {exchange}",
        "symbol": symbol,
        "description": exchange,
        "sections": list(sections),
        **more,
    }


def opt(months: str, exchange: str = "SMART;CBOE;", kind: str = "OPT") -> dict[str, Any]:
    return {"secType": kind, "months": months, "exchange": exchange}


SEARCHES: dict[tuple[str, str | None], Any] = {
    ("AAPL", None): [
        hit(38708077, "AAPL", "MEXI", {"secType": "STK", "exchange": "MEXI;"}),
        hit(265598, "AAPL", "NASDAQ", SPOT, opt("DEC26;JAN27"), {"secType": "CFD", "conid": "118239"}),
    ],
    ("SPX", None): [hit(416904, "SPX", "CBOE", {"secType": "IND"}, opt("DEC26", "CBOE;"))],
    ("SPX", "IND"): [hit(416904, "SPX", "CBOE", {"secType": "IND"}, opt("DEC26", "CBOE;"))],
    ("BRKB", None): [],
    ("BRK B", None): [hit(72063691, "BRK B", "NYSE", SPOT, opt("JAN27"))],
    ("ES", "FUT"): [
        hit(11004968, "ES", "CME", {"secType": "FUT", "months": "DEC26"}, opt("NOV26;DEC26", "CME;", "FOP"))
    ],
    ("ES", None): [hit(8894, "ES", "NYSE", SPOT, opt("DEC26"))],
    ("TWO", None): [
        hit(61, "TWO", "NYSE", SPOT, opt("JAN27")),
        hit(62, "TWO", "LSE", SPOT, opt("JAN27"), {"secType": "CFD", "conid": "621"}),
    ],
    ("SAP", None): [
        hit(91, "SAP", "IBIS", SPOT, opt("DEC26", "DTB;"), opt("DEC26", "FWB;", "WAR")),
        hit(92, "SAP", "FWB", SPOT, opt("DEC26", "DTB;")),
    ],
    ("BTC", "CRYPTO"): [
        hit(479624278, "BTC", "PAXOS", {"secType": "CRYPTO", "exchange": "PAXOS;"}),
        hit(541686651, "BTC", "ZEROHASH", {"secType": "CRYPTO", "exchange": "ZEROHASH;"}),
    ],
    ("ETH", "CRYPTO"): [hit(495759171, "ETH", "PAXOS", {"secType": "CRYPTO", "exchange": "PAXOS;"})],
    ("VTSAX", None): [hit(8001, "VTSAX", "FUNDSERV", {"secType": "FUND"})],
    ("US0378331005", None): [
        hit(265598, "AAPL", "NASDAQ", SPOT),
        hit(38708077, "AAPL", "MEXI", SPOT),
        {"conid": "2147483647", "sections": [{"secType": "BOND"}]},
    ],
    ("IBM", "BOND"): [
        {
            "conid": "2147483647",
            "companyHeader": "Corporate Fixed Income",
            "symbol": None,
            "issuers": [{"id": "e1400789", "name": "IBM Corp"}],
            "sections": [{"secType": "BOND"}],
        }
    ],
    ("MANY", "BOND"): [
        {
            "conid": "2147483647",
            "issuers": [{"id": f"e{number}", "name": f"Issuer {number}"} for number in range(9)],
            "sections": [{"secType": "BOND"}],
        }
    ],
    ("APLE", None): [hit(5, "APLE", "NYSE", SPOT), hit(6, "APPL", "LSE", SPOT)],
    ("TWIN", "IND"): [
        hit(13, "TWIN", "CBOE", {"secType": "IND"}),
        hit(14, "TWIN", "EUREX", {"secType": "IND"}),
    ],
    ("VIX", None): [hit(13455763, "VIX", "CBOE", {"secType": "IND"})],
}
BOND = {
    "symbol": "IBM",
    "secType": "BOND",
    "exchange": "SMART",
    "currency": "USD",
    "desc1": "IBM",
    "right": "?",
    "strike": 0,
}
ISSUED = {
    "e1400789": [
        BOND | {"conid": 9001, "maturityDate": "20281215", "coupon": "3.5", "cusip": "459200JZ5"},
        BOND | {"conid": 9002, "maturityDate": "20281215", "coupon": "4.0", "cusip": "459200KA8"},
        BOND | {"conid": 9003, "maturityDate": "20300601", "coupon": "3.5", "cusip": None},
    ]
}
# Underlying -> month -> strikes, and underlying -> rows. The strikes are those of all days together.
STRIKES = {
    (265598, "OPT", "JAN27"): [200.0, 210.0, 220.0, 230.0],
    (265598, "OPT", "DEC26"): [200.0],
    (416904, "OPT", "DEC26"): [5000.0],
    (72063691, "OPT", "JAN27"): [500.0],
    (11004968, "FOP", "DEC26"): [4900.0, 5000.0],
    (11004968, "FOP", "NOV26"): [5000.0],
    (8894, "OPT", "DEC26"): [60.0, 5000.0],
    (61, "OPT", "JAN27"): [10.0],
    (91, "WAR", "DEC26"): [200.0],
}
ES_OPTION = {"symbol": "ES", "secType": "FOP", "exchange": "CME", "multiplier": "50", "tradingClass": "ES"}
CONTRACTS = {
    265598: [
        *(option(70000 + i, "20270115", s, "C") for i, s in enumerate((200.0, 210.0, 220.0, 230.0))),
        *(option(71000 + i, "20270115", s, "P") for i, s in enumerate((200.0, 210.0, 220.0, 230.0))),
        option(72000, "20270108", 220.0, "C"),
        option(72001, "20270108", 220.0, "P"),
        option(73000, "20261218", 200.0, "C"),
        option(73001, "20261218", 200.0, "P"),
    ],
    416904: [
        option(74000, "20261218", 5000.0, "C", symbol="SPX", tradingClass="SPX"),
        option(74001, "20261218", 5000.0, "C", symbol="SPX", tradingClass="SPXW"),
    ],
    72063691: [option(75000, "20270115", 500.0, "C", symbol="BRK B", tradingClass="BRKB")],
    11004968: [
        option(76000, "20261218", 5000.0, "C", **ES_OPTION),
        option(76001, "20261218", 4900.0, "C", **ES_OPTION),
        option(76002, "20261218", 5000.0, "P", **ES_OPTION),
        option(76003, "20261127", 5000.0, "C", **ES_OPTION | {"tradingClass": "EW4"}),
    ],
    8894: [
        option(77000, "20261218", 60.0, "C", symbol="ES", tradingClass="ES"),
        option(77001, "20261218", 5000.0, "C", symbol="ES", tradingClass="ES"),
    ],
    61: [option(78000, "20270115", 10.0, "C", symbol="TWO", tradingClass="TWO")],
    91: [
        option(79000, "20261218", 200.0, "C", symbol="SAP", secType="WAR", currency="EUR", multiplier="0.1"),
        option(79001, "20261218", 200.0, "P", symbol="SAP", secType="WAR", currency="EUR", multiplier="0.1"),
    ],
}


def info(conid: int, symbol: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "con_id": conid,
        "symbol": symbol,
        "instrument_type": kind,
        "currency": "USD",
        "exchange": "SMART",
        "local_symbol": symbol,
        "valid_exchanges": "SMART,NASDAQ,ARCA,MEXI",
        "company_name": f"{symbol} INC",
        "trading_class": symbol,
        "multiplier": None,
        **more,
    }


CME = {"exchange": "CME", "valid_exchanges": "CME", "multiplier": "50"}
NYMEX = {"exchange": "NYMEX", "valid_exchanges": "NYMEX", "multiplier": "1000"}
INFOS = {
    265598: info(265598, "AAPL", "STK"),
    8894: info(8894, "ES", "STK"),
    515416632: info(515416632, "ES", "FUT", contract_month="202612", maturity_date="20261217", **CME),
    649180678: info(649180678, "ES", "FUT", contract_month="202703", maturity_date="20270319", **CME),
    1001: info(1001, "CL", "FUT", contract_month="202701", maturity_date="20261221", **NYMEX),
    1002: info(1002, "CL", "FUT", local_symbol="CLG7", maturity_date="20270120", **NYMEX),
    1003: info(1003, "CL", "FUT", contract_month="202703", maturity_date="20270222", **NYMEX),
    2001: info(2001, "SI", "FUT", contract_month="202612", maturity_date="20261229", **NYMEX),
    2002: info(2002, "SI", "FUT", contract_month="202612", maturity_date="20261229", **NYMEX),
    3001: info(3001, "MUTE", "FUT", local_symbol=None, maturity_date="20261218", **CME),
    4001: info(4001, "BRR", "FUT", contract_month="202611", maturity_date="20261127", **CME),
    12087792: info(12087792, "EUR", "CASH", local_symbol="EUR.USD", exchange="IDEALPRO"),
    479624278: info(479624278, "BTC", "CRYPTO", exchange="PAXOS", valid_exchanges="PAXOS"),
    541686651: info(541686651, "BTC", "CRYPTO", exchange="ZEROHASH", valid_exchanges="ZEROHASH"),
    495759171: info(495759171, "ETH", "CRYPTO", exchange="PAXOS", valid_exchanges="PAXOS"),
    416904: info(416904, "SPX", "IND", exchange="CBOE"),
    8001: info(8001, "VTSAX", "FUND"),
    118239: info(118239, "AAPL", "CFD"),
    72000: info(72000, "AAPL", "OPT", maturity_date="20270108", strike="220", right="CALL", multiplier="100"),
    66: info(66, "AAPL", "OPT", maturity_date="20240315", strike="187.5", right="CALL", multiplier="100"),
}
PAIRS = {
    "EUR": [{"symbol": "EUR.USD", "conid": 12087792}, {"symbol": "EUR.CHF", "conid": 12087817}],
    "USD": [{"symbol": "EUR.USD", "conid": 12087792}, {"symbol": "USD.JPY", "conid": 15016059}],
    "JPY": [{"symbol": "USD.JPY", "conid": 15016059}],
}
RULES = {"orderTypes": ["limit", "market"], "incrementRules": [{"lowerEdge": 0, "increment": 0.01}]}


class Catalogue:
    """A transport that answers from the tables above; ``session`` counts what a restart forgets."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.searches = {key: list(rows) for key, rows in SEARCHES.items()}
        self.futures = {symbol: list(rows) for symbol, rows in FUTURES.items()}
        self.infos = dict(INFOS)
        self.tradable: dict[int, list[str]] = {}
        self.refused: dict[str, tuple[int, Any]] = {}
        self.hooks: dict[str, list[Any]] = {}
        self.forgets = 0
        self.lost = False
        self._at: str | None = None
        self._month: tuple[str, str] | None = None
        self._lock = threading.Lock()

    def prepare(self, url: str) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to close."""

    def count(self, call: str) -> int:
        return Counter(self.calls)[call]

    def asked(self) -> list[str]:
        """The calls that are about contracts."""
        about = ("/iserver/secdef", "/trsrv", "/iserver/contract", "/iserver/currency")
        return [call for call in self.calls if call.split()[1].startswith(about)]

    def drop_session(self) -> None:
        """End the brokerage session: the next call meets a 401, and nothing of the walk is left."""
        self.lost, self._at, self._month = True, None, None

    def forget(self) -> None:
        """Forget the walk inside one session, as a search of somebody else's may do."""
        self._at, self._month = None, None

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        changes_state: bool,
        on_open: Any = None,
    ) -> Answer:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/v1/api")
        query = dict(parse_qsl(parts.query))
        call = f"{method} {path}"
        with self._lock:
            self.calls.append(call)
            self.queries.append(query)
            hooks = self.hooks.get(call)
        if hooks:
            hooks.pop(0)()
        with self._lock:
            status, content = self._answer(call, path, query)
        return Answer(
            status=status,
            headers={"content-type": "application/json"},
            body=b"" if content is None else json.dumps(content).encode(),
        )

    def _answer(self, call: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if call == "POST /iserver/auth/status":
            self.lost = False
            return 200, STATUS
        if self.lost and path.startswith("/iserver"):
            return 401, None
        if call in self.refused:
            return self.refused[call]
        if path.startswith("/iserver/contract/"):
            return self._detailed(path)
        answers: dict[str, Callable[[dict[str, str]], tuple[int, Any]]] = {
            "GET /iserver/accounts": lambda _: (200, {"accounts": ["DU1234567"], "isPaper": True}),
            "POST /iserver/questions/suppress": lambda _: (200, {"status": "submitted"}),
            "POST /tickle": lambda _: (200, {"session": "x"}),
            "GET /trsrv/stocks": lambda asked: (200, {asked["symbols"]: STOCKS.get(asked["symbols"], [])}),
            "GET /trsrv/futures": self._dated,
            "GET /trsrv/secdef": lambda asked: (
                200,
                {"secdef": [self._defined(int(conid)) for conid in asked["conids"].split(",")]},
            ),
            "GET /iserver/currency/pairs": self._paired,
            "GET /iserver/secdef/search": self._searched,
            "GET /iserver/secdef/strikes": lambda asked: (200, self._struck(asked)),
            "GET /iserver/secdef/info": self._listed,
        }
        answer = answers.get(call)
        return answer(query) if answer else (404, {"error": f"nobody scripted {call}"})

    def _dated(self, query: dict[str, str]) -> tuple[int, Any]:
        found = self.futures.get(query["symbols"])
        return 200, {query["symbols"]: found} if found else {}

    def _paired(self, query: dict[str, str]) -> tuple[int, Any]:
        pairs = PAIRS.get(query["currency"])
        return (200, {query["currency"]: pairs}) if pairs else (400, {"error": "Invalid currency"})

    def _detailed(self, path: str) -> tuple[int, Any]:
        conid = int(path.split("/")[3])
        if conid not in self.infos:
            return 400, {"error": "Bad Request: contract not found"}
        rules = RULES | {"canTradeAcctIds": self.tradable.get(conid, ["DU1234567"])}
        return 200, self.infos[conid] | ({"rules": rules} if "rules" in path else {})

    def _defined(self, conid: int) -> dict[str, Any]:
        listed = next((row for rows in self.futures.values() for row in rows if row["conid"] == conid), None)
        kind = "FUT" if listed else "OPT" if conid == 67 else "STK"
        return {
            "conid": conid,
            "ticker": listed["symbol"] if listed else "AAPL",
            "assetClass": kind,
            "currency": CURRENCIES.get(conid, "USD"),
            "listingExchange": "CME" if listed else "",
            "multiplier": 50.0 if listed else 0.0,
            **({"expiry": "20240315", "strike": "187.5", "putOrCall": "C"} if conid == 67 else {}),
        }

    def _searched(self, query: dict[str, str]) -> tuple[int, Any]:
        found = self.searches.get((query["symbol"], query.get("secType")), None)
        plain = set(query) <= {"symbol", "secType"}
        self._at = query["symbol"] if plain else None
        self._month = None
        if found is None:
            return 200, {"error": "No symbol found"}
        return 200, found

    def _here(self, conid: str) -> bool:
        if self.forgets > 0:
            self.forgets -= 1
            self.forget()
        known = [
            row
            for (symbol, _), rows in self.searches.items()
            if symbol == self._at
            for row in rows
            if row["conid"] == conid
        ]
        return bool(known)

    def _struck(self, query: dict[str, str]) -> dict[str, Any]:
        if not self._here(query["conid"]):
            return {"call": [], "put": []}
        self._month = (query["conid"], query["month"])
        strikes = STRIKES.get((int(query["conid"]), query["sectype"], query["month"]), [])
        return {"call": strikes, "put": strikes}

    def _listed(self, query: dict[str, str]) -> tuple[int, Any]:
        if query["sectype"] == "BOND":
            return 200, ISSUED.get(query["issuerId"], []) if self._at is not None else []
        if self._month != (query["conid"], query["month"]) or not self._here(query["conid"]):
            return 500, {"error": "No Contracts retrieved "}
        if query["sectype"] == "OPT" and "strike" not in query:
            return 400, {"error": "Bad Request"}
        if query["sectype"] == "WAR" and "right" not in query:
            return 400, {"error": "Bad Request"}
        day = datetime.strptime(query["month"], "%b%y").strftime("%Y%m")  # noqa: DTZ007  (a month has no zone)
        return 200, [
            row
            for row in CONTRACTS[int(query["conid"])]
            if row["maturityDate"].startswith(day)
            and row["secType"] == query["sectype"]
            and ("strike" not in query or float(query["strike"]) == row["strike"])
            and ("right" not in query or query["right"] == row["right"])
        ]


class Library:
    """The scripted broker, the exchanges that ask it, and a clock that jumps."""

    def __init__(self, folder: Any) -> None:
        self.clock = ManualClock(START, jump=True)
        self.broker = Catalogue()
        self.folder = folder
        numbers = itertools.count(1)
        self.doors = Doors(
            clock=self.clock,
            transport=lambda _settings, _clock: self.broker,
            new_id=lambda: f"{next(numbers):08d}",
        )
        self._open: list[IBKRExchange] = []

    def exchange(self, **settings: Any) -> IBKRExchange:
        found = IBKRExchange({"base_url": URL, "state_dir": str(self.folder), **settings}, doors=self.doors)
        self._open.append(found)
        return found

    def restart(self) -> IBKRExchange:
        """End everything that is open and begin again over the same folder."""
        for exchange in self._open:
            exchange.close()
        self.broker.calls.clear()
        return self.exchange()

    def close(self) -> None:
        for exchange in self._open:
            exchange.close()
        self.clock.close()
