"""Trade for one account under one set of policies; values in, values out.

This is what ``ibkr.orders`` offers to programs and notebooks, and what :mod:`ibkr_adapter.exchange`
puts into the host's words. It knows the account, its permission to trade, and the settings that
belong to an object and not to its connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from ibkr_adapter import order_builder
from ibkr_adapter.connections import Connection
from ibkr_adapter.errors import ConfigurationError, ContractError, InvalidOrder, OrderRejected
from ibkr_adapter.exits import Closed, Mandate
from ibkr_adapter.legs import LOOKS
from ibkr_adapter.model.contract import Contract
from ibkr_adapter.model.order import Fill, Order, OrderType, Placed, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.order_builder import Terms
from ibkr_adapter.orders import Submission
from ibkr_adapter.own_orders import checked_id
from ibkr_adapter.replies import ReplyHandler, ReplyPolicy
from ibkr_adapter.setting_readers import Environment
from ibkr_adapter.settings import Settings

# Account ids of paper accounts begin so; IBKR's own flag goes first where it is there.
PAPER_PREFIXES = ("DU", "DF", "DI")


class Trading:
    """Places, changes and reads orders of one account."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._replies = ReplyHandler(
            clock=connection.clock,
            session=connection.session,
            policy=ReplyPolicy(answer=settings.answer_messages, decline=settings.decline_messages),
        )

    # The account --------------------------------------------------------------------------

    def account(self) -> str:
        """The account that is read and traded.

        Raises:
            ConfigurationError: It is not among this login's, or several are and none is named.
        """
        found = self._connection.session.accounts()
        named = self._settings.account_id
        listed = ", ".join(found.accounts)
        if named is None and len(found.accounts) != 1:
            raise ConfigurationError(
                f"this login has several accounts and account_id names none of them: {listed}; nothing was sent.",
                remedy="Set account_id to the one that is meant.",
            )
        account = named or found.accounts[0]
        if account not in found.accounts:
            raise ConfigurationError(
                f"account_id {account} cannot be traded by this login: {listed}; nothing was sent.",
                remedy="Set account_id to one of these, or log in as its user.",
            )
        if len(found.accounts) > 1:
            self._connection.session.select(account)
        return account

    def _permit(self, account: str) -> None:
        """Let nothing reach a live account unless a person has written that it may."""
        if not self._is_paper(account) and self._settings.environment is not Environment.PRODUCTION:
            raise ConfigurationError(
                f"{account} is a LIVE account and environment does not say so; nothing was sent.",
                remedy='Set environment to "production" to trade real money, or log in with a paper user.',
            )

    def _is_paper(self, account: str) -> bool:
        flagged = self._connection.session.accounts().is_paper
        return account.startswith(PAPER_PREFIXES) if flagged is None else flagged

    # What is traded -----------------------------------------------------------------------

    def contract(self, symbol: str) -> Contract:
        """Find the one contract that a symbol means."""
        return self._connection.conids.resolve(symbol)

    def terms(self, symbol: str) -> Terms:
        """Find the contract, its rules and the account for an order."""
        account = self.account()
        self._permit(account)
        contract = self.contract(symbol)
        detailed, rules = self._connection.conids.rules(contract.conid)
        if detailed.symbol != contract.symbol:
            raise ContractError(
                f"{symbol} was found as {contract.symbol}, but contract {contract.conid} is {detailed.symbol};"
                " nothing was sent."
            )
        return Terms(
            account=account,
            contract=detailed,
            rules=rules,
            entry_tif=Tif(self._settings.entry_tif),
            exit_tif=Tif(self._settings.exit_tif),
            outside_rth=self._settings.outside_rth,
            allow_fractional=self._settings.allow_fractional and self._may_hold_fractions(account),
        )

    def _may_hold_fractions(self, account: str) -> bool:
        known = self._connection.session.accounts().properties.get(account)
        return known is not None and known.supports_fractions is True

    def sizing_price(self, symbol: str) -> Decimal:
        """The last price, if sizes and percentages may be computed from it.

        Raises:
            InvalidOrder: It is delayed, frozen, halted, the prior close or missing; it names
                IBKR's code and the setting that allows it.
        """
        contract = self.contract(symbol)
        quote = self._connection.market_data.quote(contract.conid)
        why = quote.why_not_tradable()
        if why is None and quote.last is not None:
            return quote.last
        shown = quote.display_price()
        if self._settings.allow_delayed_prices and shown is not None:
            return shown.price
        raise InvalidOrder(
            f"the price of {symbol} cannot be used for sizes or percentages: {why}; nothing was sent.",
            remedy="Subscribe to its market data, or set allow_delayed_prices."
            if shown is not None
            else "Subscribe to its market data, or give quantity and prices.",
        )

    # Entries ------------------------------------------------------------------------------

    def place(
        self,
        symbol: str,
        *,
        side: Side,
        order_type: OrderType,
        quantity: Decimal,
        tif: Tif | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        trailing: Decimal | None = None,
        trailing_unit: TrailingUnit | None = None,
        exact: bool = True,
    ) -> Placed:
        """Place one entry.

        Args:
            symbol: What to trade.
            side: The order's own side.
            order_type: Any of the six.
            quantity: Shares or contracts.
            tif: How long it stands; ``entry_tif`` of the settings if unset.
            limit_price: In the contract's currency.
            stop_price: In the contract's currency.
            trailing: The distance of a trailing stop.
            trailing_unit: Whether that is money or percent.
            exact: Refuse what would have to be rounded; otherwise round as the settings' page
                says.

        Raises:
            InvalidOrder: It breaks the contract's rules; nothing was sent.
            OrderRejected: IBKR refused; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        terms = self.terms(symbol)
        self._check_short(terms, side, quantity)
        ticket = order_builder.single(
            terms,
            side=side,
            order_type=order_type,
            quantity_asked=quantity,
            coid=self._connection.own.new_coid(),
            limit=limit_price,
            stop=stop_price,
            trailing=trailing,
            trailing_unit=trailing_unit,
            tif=tif,
        )
        if exact:
            _unchanged(ticket, quantity, limit_price, stop_price)
        return self._submit((ticket,))

    def bracket(
        self,
        symbol: str,
        *,
        side: Side,
        order_type: OrderType,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        take_profit: Decimal | None = None,
        stop_loss: Decimal | None = None,
        trailing_percent: Decimal | None = None,
    ) -> Placed:
        """Place an entry with its exits in one submission; an exit can never open a position.

        Raises:
            InvalidOrder: A leg is on the wrong side or breaks a rule; nothing was sent.
            OrderRejected: IBKR refused, or a leg was refused and the entry was cancelled.
            PartlyPlaced: The entry filled before its missing leg was noticed.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        terms = self.terms(symbol)
        self._check_short(terms, side, quantity)
        entry = order_builder.single(
            terms,
            side=side,
            order_type=order_type,
            quantity_asked=quantity,
            coid=self._connection.own.new_coid(),
            limit=limit_price,
            stop=stop_price,
        )
        reference = None
        if order_type is OrderType.MARKET:
            shown = self._connection.market_data.quote(terms.contract.conid).display_price()
            reference = shown.price if shown is not None else None
        tickets = order_builder.bracket(
            terms,
            entry,
            reference=reference,
            take_profit=take_profit,
            stop_loss=stop_loss,
            trailing_percent=trailing_percent,
        )
        return self._submit(tuple(tickets))

    # Exits --------------------------------------------------------------------------------

    def stop_loss(
        self,
        symbol: str,
        *,
        side: Side,
        quantity: Decimal,
        stop_price: Decimal,
        limit_price: Decimal | None = None,
    ) -> Placed:
        """Protect a position, or our working entry, by a stop; ``side`` is the stop's own."""
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.stop_exit(
                mandate.terms, side=side, size=size, stop=stop_price, limit=limit_price, coid=coid
            )

        return self._connection.exits.protect(mandate, side, self._size(mandate, quantity), build)

    def take_profit(self, symbol: str, *, side: Side, quantity: Decimal, price: Decimal) -> Placed:
        """Give a position, or our working entry, a target; ``side`` is the target's own."""
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.target_exit(mandate.terms, side=side, size=size, target=price, coid=coid)

        return self._connection.exits.protect(mandate, side, self._size(mandate, quantity), build)

    def trailing_stop(self, symbol: str, *, side: Side, quantity: Decimal, percent: Decimal) -> Placed:
        """Protect a position, or our working entry, by a trailing stop; 1.5 is 1.5 percent."""
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.trailing_exit(
                mandate.terms, side=side, size=size, percent=percent, coid=coid
            )

        return self._connection.exits.protect(mandate, side, self._size(mandate, quantity), build)

    def oco(
        self, symbol: str, *, side: Side, quantity: Decimal, take_profit: Decimal, stop_loss: Decimal
    ) -> Placed:
        """Protect a position by a target and a stop of which one cancels the other."""
        mandate = self._mandate(symbol)
        coids = self._connection.own.new_coid(), self._connection.own.new_coid()

        def build(size: Decimal) -> tuple[Ticket, Ticket]:
            target = order_builder.target_exit(
                mandate.terms, side=side, size=size, target=take_profit, coid=coids[0]
            )
            stop = order_builder.stop_exit(mandate.terms, side=side, size=size, stop=stop_loss, coid=coids[1])
            if (target.limit_price or 0) * side.opposite.sign <= (stop.stop_price or 0) * side.opposite.sign:
                raise InvalidOrder(
                    "the target and the stop are on the wrong sides of each other; nothing was sent."
                )
            return target, stop

        return self._connection.exits.pair(mandate, side, self._size(mandate, quantity), build)

    def close(self, symbol: str, quantity: Decimal | None = None) -> Closed:
        """Close a position, wholly or in part; its own direction decides the side."""
        mandate = self._mandate(symbol)
        size = None if quantity is None else self._size(mandate, quantity)
        return self._connection.exits.close(mandate, size)

    # Orders that stand --------------------------------------------------------------------

    def live(self) -> tuple[Order, ...]:
        """All orders of the day in this account, working or over, whoever placed them."""
        account = self.account()
        return tuple(order for order in self._connection.reads.live() if order.account in {"", account})

    def fills(self) -> tuple[Fill, ...]:
        """The fills of the last days in this account."""
        account = self.account()
        return tuple(fill for fill in self._connection.reads.fills() if fill.account in {"", account})

    def status(self, order_id: object) -> Order | None:
        """One order as it stands; ``None`` where IBKR does not give it."""
        return self._connection.reads.status(checked_id(order_id))

    def find(self, coid: str) -> Order | None:
        """Look an order up by its cOID in live orders and trades."""
        return self._connection.reads.find(coid)

    def modify(
        self,
        order_id: object,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
    ) -> Order:
        """Change an order that this process placed; what is not named stays as it is.

        Raises:
            InvalidOrder: The order is not known to this process; nothing was sent.
            OrderRejected: IBKR refused; the order stands as it was.
            OrderOutcomeUnknown: Nobody can tell which version stands.
        """
        order_id = checked_id(order_id)
        self._permit(self.account())
        ticket = self._connection.own.ticket(order_id)
        if ticket is None:
            raise InvalidOrder(
                f"order {order_id} was not placed here, so its ticket is not known; nothing was sent."
            )
        changed = attrs.evolve(
            ticket,
            quantity=ticket.quantity if quantity is None else quantity,
            limit_price=ticket.limit_price if limit_price is None else limit_price,
            stop_price=ticket.stop_price if stop_price is None else stop_price,
        )
        return self._connection.changes.modify(
            order_id, changed, replies=self._replies, deadline=self._deadline(), reducing=False
        )

    def cancel(self, order_id: object) -> Order:
        """Cancel an order of ours and see how it ended.

        Raises:
            InvalidOrder: It is no order id, or the order is not ours; nothing was sent.
            OrderRejected: IBKR refused, or knows no such order.
            OrderOutcomeUnknown: Nobody can tell whether it still works.
        """
        order_id = checked_id(order_id)
        over = self._connection.own.ended(order_id)
        if over is not None:
            return over
        account = self.account()
        if self._connection.own.ticket(order_id) is None:
            live = self._connection.reads.live()
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
        order = self._connection.changes.cancel(
            order_id, account=account, replies=self._replies, deadline=self._deadline()
        )
        self._connection.own.remember_end(order)
        return order

    def working(self, symbol: str) -> tuple[Order, ...]:
        """Our working orders on one contract; other people's are not in it."""
        conid = self.contract(symbol).conid
        return self._connection.holdings.ours(self.live(), self.account(), conid)

    def wait_for(self, order_id: object, *, timeout: float) -> Order:
        """Look at an order until it is over; return it as it was seen last."""
        order_id = checked_id(order_id)
        until = self._connection.clock.monotonic() + timeout
        order = self._connection.watch.until(order_id, lambda seen: seen.state.is_over, until)
        if order is None:
            raise OrderRejected(f"the status of order {order_id} cannot be read.")
        return order

    def seen(self, order_id: str) -> Order | None:
        """Look at an order once or twice, so that a fill that came at once is told."""
        until = self._connection.clock.monotonic() + sum(LOOKS[:3])
        return self._connection.watch.until(order_id, lambda order: order.state.is_over, until)

    # Common -------------------------------------------------------------------------------

    def _submit(self, tickets: Sequence[Ticket]) -> Placed:
        return self._connection.desk.place(
            Submission(
                tickets=tuple(tickets),
                replies=self._replies,
                deadline=self._deadline(),
                wait_for_outcome=self._settings.unknown_deadline,
            )
        )

    def _mandate(self, symbol: str) -> Mandate:
        return Mandate(
            terms=self.terms(symbol),
            replies=self._replies,
            order_deadline=self._settings.order_deadline,
            unknown_deadline=self._settings.unknown_deadline,
        )

    def _size(self, mandate: Mandate, quantity: Decimal) -> Decimal:
        return order_builder.quantity(mandate.terms, quantity)

    def _deadline(self) -> float:
        return self._connection.clock.monotonic() + self._settings.order_deadline

    def _check_short(self, terms: Terms, side: Side, quantity: Decimal) -> None:
        if side is Side.BUY or self._settings.allow_short:
            return
        held = self._connection.holdings.quantity(terms.account, terms.contract.conid)
        if quantity > held:
            raise InvalidOrder(
                f"selling {quantity:f} {terms.contract.symbol} with {held:f} held would open a short position;"
                " nothing was sent.",
                remedy="Set allow_short to allow that.",
            )


def _unchanged(ticket: Ticket, quantity: Decimal, limit: Decimal | None, stop: Decimal | None) -> None:
    for name, asked, got in (
        ("quantity", quantity, ticket.quantity),
        ("limit price", limit, ticket.limit_price),
        ("stop price", stop, ticket.stop_price),
    ):
        if asked is not None and got is not None and asked != got:
            raise InvalidOrder(
                f"the {name} {asked:f} is not one that the contract trades; the next is {got:f}. Nothing was sent."
            )
