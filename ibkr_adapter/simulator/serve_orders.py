"""The order endpoints: their paths, their warm-ups and their reads.

Live orders and trades are empty on the first read of a session although there is something to
see; order status knows only orders of the selected account. Placing, changing and cancelling are
done by :mod:`.desk`, shapes by :mod:`.views_orders`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ibkr_adapter.simulator import answers, hours
from ibkr_adapter.simulator.amend import AmendDesk
from ibkr_adapter.simulator.charges import fee, fee_currency, requirement
from ibkr_adapter.simulator.class_checks import refuse_anonymous
from ibkr_adapter.simulator.desk import Desk
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.faults import land
from ibkr_adapter.simulator.figures import grouped, money, quantity_text
from ibkr_adapter.simulator.instrument import Instrument
from ibkr_adapter.simulator.order import Order, Ticket
from ibkr_adapter.simulator.refusals import RefusalError, Rejection
from ibkr_adapter.simulator.routes import Call, Needs, Route, delete, get, post
from ibkr_adapter.simulator.tickets import ticket_list
from ibkr_adapter.simulator.views_orders import live_row, status_body, trade_row
from ibkr_adapter.simulator.world import World

_MOST_ROWS = 1000
_MOST_DAYS = 7
_TRUE = frozenset({"true", "True", "1"})
_BLIND = (
    "21/You are trying to submit an order without having market data for this instrument. \n"
    "IB strongly recommends against this kind of blind trading which may result in \n"
    "erroneous or unexpected trades."
)
_NOT_LISTED = {"snapshot": False, "orders": list[Any]()}


class OrderEndpoints:
    """Serve the order endpoints of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._requests = 0
        self.desk = Desk(world)
        self._amend = AmendDesk(world)

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        accounts = Needs.ACCOUNTS
        return [
            post("/iserver/account/{accountId}/orders", self.place, accounts),
            post("/iserver/account/{accountId}/orders/whatif", self.preview, accounts),
            post("/iserver/account/{accountId}/order/{orderId}", self.modify, accounts),
            delete("/iserver/account/{accountId}/order/{orderId}", self.cancel, accounts),
            post("/iserver/reply/{replyId}", self.reply, Needs.BROKERAGE),
            post("/iserver/notification", self.notification, Needs.BROKERAGE),
            get("/iserver/account/orders", self.live_orders, accounts),
            get("/iserver/account/order/status/{orderId}", self.status, accounts),
            get("/iserver/account/trades", self.trades, accounts),
        ]

    def _account(self, call: Call) -> str:
        account = call.parts["accountId"]
        if account not in self._world.accounts:
            raise RefusalError(answers.bad_request(f"accountId is not valid: {account}"))
        return account

    def place(self, call: Call) -> Answer:
        """Place one order, a bracket or a group."""
        return self.desk.place(self._account(call), call.json(), call.twists)

    def modify(self, call: Call) -> Answer:
        """Change a working order."""
        return self._amend.modify(self._account(call), call.parts["orderId"], call.json(), call.twists)

    def cancel(self, call: Call) -> Answer:
        """Cancel a working order."""
        account, order_id = self._account(call), call.parts["orderId"]
        return self._amend.cancel(account, order_id, call.query.keys(), call.twists)

    def reply(self, call: Call) -> Answer:
        """Answer a question."""
        dead, reply_id = call.twists.get("dead_reply"), call.parts["replyId"]
        return self._world.dialogues.reply(reply_id, call.json(), dead, lambda: land(call.twists))

    def notification(self, call: Call) -> Answer:
        """Answer a prompt; the body of the answer is a bare JSON string."""
        return self.desk.notify(call.json())

    # Reads.

    def _first_read(self, what: str) -> bool:
        """Tell whether this session reads ``what`` for the first time."""
        brokerage = self._world.sessions.brokerage
        if brokerage is None or not self._world.options.first_reads_empty or what in brokerage.warm:
            return False
        brokerage.warm.add(what)
        return True

    def live_orders(self, call: Call) -> Answer:
        """The orders of the day; empty on the first read and when the cache is dropped.

        One with filters mutes the streams of orders until the cache is dropped.
        """
        self._mute_streams(call)
        if call.query.get("force") in _TRUE or self._first_read("orders"):
            return answers.json_answer(_NOT_LISTED)
        account = call.query.get("accountId") or self._selected()
        today = hours.midnight(hours.local_day(self._world.now))
        orders = [
            one for one in reversed(self._world.book.orders.values()) if self._is_listed(one, account, today)
        ]
        wanted = _filters(call)
        if wanted:
            orders = [one for one in orders if _folded(one.status.value) in wanted]
        rows = [live_row(one) for one in orders[:_MOST_ROWS]]
        return answers.json_answer({"orders": rows, "snapshot": True})

    def _mute_streams(self, call: Call) -> None:
        brokerage = self._world.sessions.brokerage
        if brokerage is not None and call.query.get("force") in _TRUE:
            brokerage.order_filter = None
        elif brokerage is not None and _filters(call):
            brokerage.order_filter = frozenset(_filters(call))

    def _selected(self) -> str:
        brokerage = self._world.sessions.brokerage
        return brokerage.selected if brokerage else self._world.main_account

    def _is_listed(self, order: Order, account: str, today: datetime) -> bool:
        now = self._world.now
        lag = timedelta(seconds=self._world.options.orders_lag)
        if order.hidden or order.vanished or order.ticket.account != account or now < order.entered + lag:
            return False
        return not order.is_done or order.changed >= today

    def status(self, call: Call) -> Answer:
        """The state of one order."""
        reference = call.parts["orderId"]
        number = whole(reference)
        order = None if number is None else self._world.book.orders.get(number)
        if order is None or order.vanished:
            status = self._world.options.missing_order_status
            return answers.fault(f"Order {reference} is not found", status)
        if order.ticket.account != self._selected():
            return answers.fault("Service Unavailable", 503)
        self._requests += 1
        return answers.json_answer(status_body(order, self._requests))

    def trades(self, call: Call) -> Answer:
        """The executions of up to seven days."""
        if self._first_read("trades"):
            return answers.json_answer([])
        days = whole(call.query.get("days", "1"))
        if days is None:
            return answers.bad_request("days is not valid")
        count = min(max(days, 1), _MOST_DAYS)
        first = hours.midnight(hours.local_day(self._world.now) - timedelta(days=count - 1))
        account = call.query.get("accountId") or self._selected()
        rows = [
            trade_row(one)
            for one in reversed(self._world.book.executions)
            if one.account == account and one.moment >= first
        ]
        return answers.json_answer(rows)

    # What if.

    def preview(self, call: Call) -> Answer:
        """Tell what an order would cost and change."""
        world, account = self._world, self._account(call)
        rows = ticket_list(call.json())
        if rows[0].get("conid") == 0:
            return answers.bad_request("conid is not valid")
        ticket = world.reader(account).read(rows[0])
        if isinstance(ticket, Rejection):
            return answers.refusal(ticket.text)
        refuse_anonymous(ticket.instrument, ticket.keys, world.options.us_futures_fields)
        return answers.json_answer(self._preview(account, ticket))

    def _preview(self, account: str, ticket: Ticket) -> dict[str, Any]:
        world, instrument = self._world, ticket.instrument
        price = world.last(instrument) if ticket.limit is None else ticket.limit
        cost = self._fees(instrument, ticket.quantity, price)
        amount = price * ticket.quantity * instrument.multiplier
        held = world.accounts[account].held(instrument.conid)
        signed = ticket.quantity if ticket.is_buy else -ticket.quantity
        standing = world.standing(account)
        growth = self._growth(account, instrument, signed, price)
        brokerage = world.sessions.brokerage
        blind = brokerage is None or str(instrument.conid) not in brokerage.streams
        unit = {"STK": "Shares", "CASH": instrument.ticker}.get(instrument.sec_type, "Contracts")
        shares = f"({quantity_text(ticket.quantity)} {unit})"
        currency = instrument.currency
        return {
            "amount": {
                "amount": f"{money(amount, currency)} {shares}",
                "commission": money(cost, fee_currency(instrument)),
                "total": money(amount + cost, currency),
            },
            "equity": _change(standing.net, -cost),
            "initial": _change(standing.margin, growth),
            "maintenance": _change(standing.margin, growth),
            "position": _change(held, signed),
            "warn": _BLIND if blind else None,
            "error": None,
        }

    def _fees(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        legs = instrument.legs
        if not legs:
            return fee(instrument, quantity, price)
        sizes = [(one.instrument, quantity * abs(one.ratio)) for one in legs]
        return sum((fee(one, size, self._world.last(one)) for one, size in sizes), Decimal(0))

    def _growth(self, account: str, instrument: Instrument, signed: Decimal, price: Decimal) -> Decimal:
        """What an order would tie up more, or less, in US dollars."""
        if instrument.legs:
            parts = [(leg.instrument, signed * leg.ratio) for leg in instrument.legs]
            return sum(
                (self._growth(account, one, part, self._world.last(one)) for one, part in parts), Decimal(0)
            )
        held, last = self._world.accounts[account].held(instrument.conid), self._world.last
        before, after = (requirement(instrument, one, price, last) for one in (held, held + signed))
        return (after - before) * self._world.rate(instrument.currency)


def _change(current: Decimal, change: Decimal) -> dict[str, str]:
    return {"current": grouped(current), "change": grouped(change), "after": grouped(current + change)}


def _filters(call: Call) -> set[str]:
    return {_folded(one) for one in call.query.get("filters", "").split(",") if one} - {"sortbytime"}


def _folded(word: str) -> str:
    """A filter word without case and underscores: both spellings are in use."""
    return word.replace("_", "").lower()
