"""Speak to a simulated broker in the same process: JSON in, status and JSON out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.simulator.door import Request
from ibkr_adapter.simulator.gateway import Gateway

ACCOUNT = "DU1234567"
AAPL = 265598
MSFT = 272093
ORDERS = f"/iserver/account/{ACCOUNT}/orders"
PLACE = "POST /iserver/account/{accountId}/orders"
ALL_DISCLOSURES = ["o10331", "o10151", "o10153"]
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded"


class Reply:
    """An answer, with its body read."""

    def __init__(self, answer):
        self.answer = answer
        self.status = answer.status
        self.wire = answer.wire
        try:
            self.body = json.loads(answer.body)
        except ValueError:
            self.body = answer.body


class Broker:
    """A gateway on a manual clock and the calls that tests make most."""

    def __init__(self, *, seed=7, account=ACCOUNT, auth="gateway", credentials=None, **options):
        options.setdefault("pacing", False)
        options.setdefault("walk", 0.0)
        self.clock = ManualClock(datetime(2026, 11, 24, 15, tzinfo=UTC))
        self.gateway = Gateway(
            self.clock, seed=seed, account=account, auth=auth, credentials=credentials, options=options
        )

    def call(self, method, path, body=None, *, root=False, **query):
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        request = Request(
            method=method,
            path=path if root or path.startswith("/simulator/") else f"/v1/api{path}",
            query=tuple((key, str(value)) for key, value in query.items()),
            body=raw,
        )
        return Reply(self.gateway.handle(request))

    def get(self, path, **query):
        return self.call("GET", path, **query)

    def post(self, path, body=None, **query):
        return self.call("POST", path, body, **query)

    def delete(self, path, **query):
        return self.call("DELETE", path, **query)

    def ready(self, *suppressed):
        """Bring the brokerage session up, ask the accounts, suppress some questions."""
        self.post("/iserver/auth/ssodh/init", {"publish": True, "compete": True})
        self.post("/iserver/auth/status")
        self.get("/iserver/accounts")
        self.post("/iserver/questions/suppress", {"messageIds": list(suppressed) or ALL_DISCLOSURES})
        return self

    def place(self, *tickets):
        return self.post(ORDERS, {"orders": list(tickets)})

    def wait(self, seconds):
        self.clock.advance(seconds)
        self.gateway.ledger()

    def jump(self, **ahead):
        """Move far ahead, where the login and the session have ended, and begin again."""
        self.gateway.advance(timedelta(**ahead).total_seconds())
        self.gateway.change_session("login")
        return self.ready()

    def price(self, conid, last):
        self.gateway.set_price(conid, Decimal(str(last)))

    @property
    def ledger(self):
        return self.gateway.ledger()

    def order(self, coid):
        return next(one for one in self.ledger["orders"] if one["coid"] == coid)

    def position(self, conid=AAPL):
        return next((one["quantity"] for one in self.ledger["positions"] if one["conid"] == conid), 0.0)


def ticket(**changes):
    """A plain limit order for one share of AAPL."""
    row = {
        "acctId": ACCOUNT,
        "conid": AAPL,
        "orderType": "LMT",
        "side": "BUY",
        "quantity": 1,
        "price": 164.0,
        "tif": "DAY",
    }
    row.update(changes)
    return {key: value for key, value in row.items() if value is not None}


def bracket(*, entry=None, target=173.25, stop=161.7, quantity=10):
    """An entry with the client id P and its two exits T and S."""
    exits = {"side": "SELL", "tif": "GTC", "quantity": quantity, "parentId": "P"}
    return [
        ticket(cOID="P", quantity=quantity, **(entry or {"orderType": "MKT", "price": None})),
        ticket(cOID="T", price=target, **exits),
        ticket(cOID="S", orderType="STP", price=stop, **exits),
    ]


def recorded(path, part="body"):
    """The body (or another part) of a recorded answer; skips where the recordings are absent."""
    if not RECORDED.is_dir():
        pytest.skip("the recorded answers lie beside the checkout and are absent here")
    return json.loads((RECORDED / path).read_text())[part]
