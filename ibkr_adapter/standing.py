"""Read, change and end the orders that stand, for one account.

Values in, values out; placing is for :mod:`ibkr_adapter.trading`, which is built on this. Orders of
other people and programs are read and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs

from ibkr_adapter import measures, typed
from ibkr_adapter.connection import Connection
from ibkr_adapter.errors import InvalidOrder, OrderRejected
from ibkr_adapter.guardrails import Guard, could_place
from ibkr_adapter.legs import LOOKS, as_it_stands
from ibkr_adapter.model.contract import Contract
from ibkr_adapter.model.order import Fill, Leg, Order, Placed, Ticket
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.own_orders import checked_id, sought_coid
from ibkr_adapter.price_rules import Effect
from ibkr_adapter.rehearsal import Ways, ways
from ibkr_adapter.replies import ReplyHandler, ReplyPolicy
from ibkr_adapter.setting_readers import Environment
from ibkr_adapter.settings import Settings
from ibkr_adapter.settling import Unsettled
from ibkr_adapter.terms import AccountTerms
from ibkr_adapter.wire.combos import read_conidex
from ibkr_adapter.wire.endpoints import Endpoint


class Standing:
    """The orders of one account, working or over."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._terms = AccountTerms(connection, settings)
        self._guard = Guard(connection, settings)
        self._replies = ReplyHandler(
            clock=connection.clock,
            session=connection.session,
            policy=ReplyPolicy(answer=settings.answer_messages, decline=settings.decline_messages),
        )

    def account(self) -> str:
        """The account that is read and traded.

        Raises:
            ConfigurationError: It is not among this login's, or several are and none is named.
        """
        return self._terms.account()

    def contract(self, symbol: str) -> Contract:
        """Find the one contract that a symbol means."""
        return self._terms.contract(symbol)

    def live(self) -> tuple[Order, ...]:
        """All orders of the day in this account, working or over, whoever placed them."""
        account = self.account()
        return tuple(
            order for order in self._connection.reads.live(account) if order.account in {"", account}
        )

    def fills(self) -> tuple[Fill, ...]:
        """The fills of the last days in this account."""
        account = self.account()
        return tuple(fill for fill in self._connection.reads.fills(account) if fill.account in {"", account})

    def status(self, order_id: object) -> Order | None:
        """One order as it stands; ``None`` where IBKR does not give it."""
        order_id = checked_id(order_id)
        return self._connection.reads.status(self.account(), order_id)

    def find(self, coid: str) -> Order | None:
        """Look an order up by its cOID in live orders and trades.

        Raises:
            InvalidOrder: It is no cOID; nothing was asked.
        """
        return self._connection.reads.find(self.account(), sought_coid(coid))

    def modify(
        self,
        order_id: object,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> Order:
        """Change an order of ours; what is not named stays as it stands at the broker.

        The whole ticket is sent again with every key that it was sent with, by this process or by one
        before it.

        Raises:
            InvalidOrder: Its ticket is not known, or a new number breaks the contract's rules; nothing
                was sent.
            GuardrailRefused: As it would be it breaks a guardrail; the order stands as it was.
            OrderRejected: IBKR refused; the order stands as it was.
            OrderOutcomeUnknown: Nobody can tell which version stands.
            ConfigurationError: There is no journal; the order stands as it was.
        """
        order_id = checked_id(order_id)
        typed.optional_amounts(quantity=quantity, limit_price=limit_price, stop_price=stop_price)
        self._guard.check_writable("modifying an order")
        self._terms.permit(self.account())
        way = self._ways()
        # What an earlier process left open is put right first, by orders that a rehearsal must not send.
        way.desk.ready(self.account(), self._replies)
        sent = self._connection.own.ticket(order_id)
        if sent is None or sent.account != self.account():
            raise InvalidOrder(
                f"order {order_id} was not placed here, so its ticket is not known; nothing was sent."
            )
        ticket = as_it_stands(sent, self._connection.watch.look(sent.account, order_id, self._deadline()))
        changed = attrs.evolve(
            ticket,
            quantity=ticket.quantity if quantity is None else quantity,
            limit_price=ticket.limit_price if limit_price is None else limit_price,
            stop_price=ticket.stop_price if stop_price is None else stop_price,
        )
        self._check_numbers(changed, quantity, limit_price, stop_price)
        self._guard.check_change(order_id, ticket, changed, lambda: self._effect(changed))
        return way.changes.modify(
            order_id, changed, replies=self._replies, deadline=self._deadline(), reducing=False
        )

    def cancel(self, order_id: object) -> Order:
        """Cancel an order of ours and see how it ended.

        Raises:
            InvalidOrder: It is no order id, or the order is not ours; nothing was sent.
            GuardrailRefused: This object may only read; nothing was sent.
            OrderRejected: IBKR refused, or knows no such order.
            OrderOutcomeUnknown: Nobody can tell whether it still works.
        """
        order_id = checked_id(order_id)
        self._guard.check_writable("cancelling an order")
        over = self._connection.own.ended(order_id)
        if over is not None:
            return over
        account = self.account()
        origin = None
        if self._connection.own.sent(order_id) is None:
            live = self._connection.reads.live(account)
            order = next((order for order in live if order.order_id == order_id), None)
            if order is None:
                raise OrderRejected(f"IBKR lists no order {order_id}; nothing was sent.")
            if order.state.is_over:
                return order
            if not self._connection.own.includes(order, live):
                raise InvalidOrder(
                    f"order {order_id} was not placed by this library, so it is left alone; nothing was sent.",
                    remedy="Cancel it where it was placed.",
                )
            origin = self._terms.origin(order.sec_type, account)
        order = self._ways().changes.cancel(
            order_id, account=account, replies=self._replies, deadline=self._deadline(), origin=origin
        )
        self._connection.own.remember_end(order)
        return order

    def unsettled(self) -> tuple[Unsettled, ...]:
        """What this account's login has sent and nobody knows the end of; ``resolve`` looks it up.

        Raises:
            ConfigurationError: The journal cannot be read.
        """
        return self._connection.settling.unsettled(self.account())

    def working(self, symbol: str) -> tuple[Order, ...]:
        """Our working orders on one contract; other people's are not in it."""
        conid = self.contract(symbol).conid
        return self._connection.holdings.ours(self.live(), self.account(), conid)

    def track(self, order: Order | Leg | Placed | str | int, *, timeout: float) -> Iterator[Order]:
        """Follow an order to its end: as it stands now, then each change of its state or its fills.

        Args:
            order: An order id, or what carries one; of what was placed together the entry.
            timeout: How long to follow it, in seconds.

        Raises:
            InvalidOrder: It is no order id, or the time is none.
            OrderError: From the iterator: the time is over, or for two minutes nobody could see the
                order; it says what was seen last. The order works on.
        """
        return self._connection.tracker.follow(self.account, order, timeout=timeout)

    def wait_for(self, order_id: object, *, timeout: float) -> Order:
        """Look at an order until it is over; return it as it was seen last.

        Raises:
            InvalidOrder: It is no order id, or the time is none.
            OrderRejected: It cannot be seen.
        """
        order_id = checked_id(order_id)
        until = self._connection.clock.monotonic() + typed.seconds(timeout, "to wait for an order")
        order = self._connection.watch.until(self.account(), order_id, lambda seen: seen.state.is_over, until)
        if order is None:
            raise OrderRejected(f"the status of order {order_id} cannot be read.")
        return order

    def seen(self, order_id: str) -> Order | None:
        """Look at an order once or twice, so that a fill that came at once is told."""
        until = self._connection.clock.monotonic() + sum(LOOKS[:3])
        return self._connection.watch.until(
            self.account(), order_id, lambda order: order.state.is_over, until
        )

    # Guardrails ---------------------------------------------------------------------------

    def kill(self, why: object) -> None:
        """Stop everything that could add to a position, for all objects of this login in this process.

        Cancels, closes and exits go on. Orders that work already are left alone; :meth:`revive` lets
        entries through again, and so does the end of the process.
        """
        self._connection.brakes.kill_switch.kill(why)

    def revive(self) -> str | None:
        """Take :meth:`kill` back; the answer says what still stops entries, a file or the environment."""
        self._connection.brakes.kill_switch.revive()
        return self.stopped

    @property
    def stopped(self) -> str | None:
        """Why the kill switch is on, or ``None`` if it is off."""
        return self._guard.stopped()

    def check_request(self, endpoint: Endpoint, account: str | None = None) -> None:
        """Refuse a call by hand that could go past the guardrails, or place an order on a live account.

        Args:
            endpoint: What is to be called.
            account: Whose it is, where the address says so; the object's own otherwise.

        Raises:
            GuardrailRefused: It could go past one; nothing was sent.
            ConfigurationError: ``environment`` does not allow orders there; nothing was sent.
        """
        self._guard.check_request(endpoint)
        if could_place(endpoint) and self._settings.environment is not Environment.PRODUCTION:
            self._terms.permit(account or self.account())

    def _ways(self) -> Ways:
        return ways(self._connection, dry_run=self._guard.dry_run)

    def _effect(self, ticket: Ticket) -> Effect:
        """By how much an order that was written before changes the position in each contract."""
        combo = read_conidex(ticket.conidex)
        legs = ((ticket.conid, 1),) if combo is None else combo.legs
        size = None if ticket.quantity is None else ticket.quantity * ticket.side.sign
        return [
            (self._terms.terms(ContractQuery(conid=conid)), None if size is None else size * ratio)
            for conid, ratio in legs
        ]

    def _check_numbers(
        self, ticket: Ticket, quantity: Decimal | None, limit: Decimal | None, stop: Decimal | None
    ) -> None:
        """Hold what is new against the rules of the contract, as an entry is; nothing is rounded."""
        combo = read_conidex(ticket.conidex)
        conids = [ticket.conid] if combo is None else [conid for conid, _ in combo.legs]
        if quantity is limit is stop is None:
            return
        terms = [self._terms.terms(ContractQuery(conid=conid)) for conid in conids]
        if quantity is not None:
            measures.check_quantity(terms[0], quantity, None if combo else ticket.order_type)
        for name, price in (("limit price", limit), ("stop price", stop)):
            if price is not None:
                measures.check_price(terms, price, name)

    def _deadline(self) -> float:
        return self._connection.clock.monotonic() + self._settings.order_deadline
