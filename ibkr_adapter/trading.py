"""Trade for one account under one set of policies; values in, values out.

This is what ``ibkr.orders`` offers to programs and notebooks, and what :mod:`ibkr_adapter.exchange`
puts into the host's words. Here is what closes and protects; it is never held up by trading hours.
Entering is for :mod:`ibkr_adapter.entries`, on what terms for :mod:`ibkr_adapter.terms`.
"""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter import measures, order_builder, typed
from ibkr_adapter.closes import Closed
from ibkr_adapter.entries import Entries
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.mandates import Mandate
from ibkr_adapter.model.order import OrderType, Placed, Side, Ticket
from ibkr_adapter.model.query import ContractQuery


class Trading(Entries):
    """Places, changes and reads orders of one account."""

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
        """Protect a position, or our working entry, by a stop; ``side`` is the stop's own.

        Raises:
            InvalidOrder: There is nothing to protect on that side, all of it is protected already, or a rule
                is broken; no new exit was sent.
            ContractError: ``symbol`` fits no contract, or several; nothing was sent.
            OrderRejected: IBKR refused, or it was not seen to hang on the entry and was cancelled.
            QuestionRefused: IBKR asked what the policy does not allow; the exit does not stand.
            PartlyPlaced: It, or an exit that it was to be paired with, does not stand as it should; it says
                what does.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
            IBKRError: Any other; no new exit stands, but one that it was to be paired with may have been
                ended.
        """
        typed.side(side)
        typed.amounts(quantity=quantity, stop_price=stop_price)
        typed.optional_amounts(limit_price=limit_price)
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.stop_exit(
                mandate.terms, side=side, size=size, stop=stop_price, limit=limit_price, coid=coid
            )

        kind = OrderType.STOP if limit_price is None else OrderType.STOP_LIMIT
        return self._ways().exits.protect(mandate, side, self._size(mandate, quantity, kind), build)

    def take_profit(self, symbol: str, *, side: Side, quantity: Decimal, price: Decimal) -> Placed:
        """Give a position, or our working entry, a target; ``side`` is the target's own.

        Raises:
            IBKRError: As :meth:`stop_loss` does.
        """
        typed.side(side)
        typed.amounts(quantity=quantity, price=price)
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.target_exit(mandate.terms, side=side, size=size, target=price, coid=coid)

        size = self._size(mandate, quantity, OrderType.LIMIT)
        return self._ways().exits.protect(mandate, side, size, build)

    def trailing_stop(self, symbol: str, *, side: Side, quantity: Decimal, percent: Decimal) -> Placed:
        """Protect a position, or our working entry, by a trailing stop; 1.5 is 1.5 percent.

        Raises:
            IBKRError: As :meth:`stop_loss` does.
        """
        typed.side(side)
        typed.amounts(quantity=quantity, percent=percent)
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.trailing_exit(
                mandate.terms, side=side, size=size, percent=percent, coid=coid
            )

        size = self._size(mandate, quantity, OrderType.TRAIL)
        return self._ways().exits.protect(mandate, side, size, build)

    def oco(
        self, symbol: str, *, side: Side, quantity: Decimal, take_profit: Decimal, stop_loss: Decimal
    ) -> Placed:
        """Protect a position by a target and a stop of which one cancels the other.

        Raises:
            InvalidOrder: There is no position on that side that is to be protected, or a rule is broken; no
                new exit was sent.
            ContractError: ``symbol`` fits no contract, or several; nothing was sent.
            PartlyPlaced: Only the stop stands, or not even that, or our other exits could not be ended; it
                says which.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
            IBKRError: Any other; neither stands, but exits that they were to replace may have been ended.
        """
        typed.side(side)
        typed.amounts(quantity=quantity, take_profit=take_profit, stop_loss=stop_loss)
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

        size = self._size(mandate, quantity, OrderType.STOP)
        return self._ways().exits.pair(mandate, side, size, build)

    def close(self, symbol: str, quantity: Decimal | None = None) -> Closed:
        """Close a position, wholly or in part; its own direction decides the side.

        Raises:
            InvalidOrder: There is no position, or this object may only read; nothing was sent.
            ContractError: ``symbol`` fits no contract, or several; nothing was sent.
            PartlyPlaced: Our own orders could not be ended; nothing was sent to close, and it says which
                still work.
            OrderRejected: IBKR refused, or an exit of ours cannot be made smaller; the position stands.
            QuestionRefused: IBKR asked what the policy does not allow; the position stands.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
            IBKRError: Any other; nothing is working to close it, but our own orders may have been ended.
        """
        typed.optional_amounts(quantity=quantity)
        mandate = self._mandate(symbol)
        size = None if quantity is None else self._size(mandate, quantity, OrderType.MARKET)
        return self._ways().exits.close(mandate, size)

    def _mandate(self, symbol: str | ContractQuery) -> Mandate:
        self._guard.check_writable("an exit")
        return Mandate(
            terms=self.terms(symbol),
            replies=self._replies,
            order_deadline=self._settings.order_deadline,
            unknown_deadline=self._settings.unknown_deadline,
        )

    def _size(self, mandate: Mandate, quantity: Decimal, order_type: OrderType) -> Decimal:
        return measures.quantity(mandate.terms, quantity, order_type)
