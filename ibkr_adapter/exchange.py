"""The host's exchange object: its words in, its shapes out.

Free to make and to throw away: the constructor assigns, and equal credentials share one
connection. Every method takes what hosts send (numbers as texts, sides in any case) and raises
nothing but :class:`~ibkr_adapter.errors.IBKRError`. What it only asks is in
:mod:`ibkr_adapter.inquiries`.

Source: the host's base class and its callers; docs/host.md has the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibkr_adapter import shapes, words
from ibkr_adapter.errors import IBKRError, OrderRejected
from ibkr_adapter.inquiries import Inquiries
from ibkr_adapter.model.order import STOP_LOSS, TAKE_PROFIT, Order, OrderType, Placed
from ibkr_adapter.submissions import lives, rejected


class IBKRExchange(Inquiries):
    """Interactive Brokers behind the host's contract.

    Prices are in the contract's currency, quantities in shares or contracts, sides the real side
    of the order. Amounts may be numbers or texts.
    """

    # Entries ------------------------------------------------------------------------------

    def place_market_order(
        self, symbol: str, side: str, quantity: Any, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Buy or sell at the market; the quantity is floored to what the contract trades.

        ``coid`` is your own client order id, here and for the other entries: the same order under the
        same one is looked up, and not sent twice.

        Raises:
            InvalidOrder: It makes no sense, or a rule, a guardrail or a closed market stands in the way;
                nothing was sent.
            ContractError: ``symbol`` fits no contract, or several; nothing was sent.
            OrderRejected: IBKR refused in its words; nothing is working.
            QuestionRefused: IBKR asked what the policy does not allow; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
            IBKRError: Any other, such as a session that is down; nothing is working.
        """
        placed = self.orders.place(
            symbol,
            side=words.side(side),
            order_type=OrderType.MARKET,
            quantity=words.number(quantity, "quantity"),
            exact=False,
            coid=coid,
        )
        return self._acknowledge(placed, symbol, look=True)

    def place_limit_order(
        self, symbol: str, side: str, quantity: Any, price: Any, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Buy or sell at a limit; it is snapped to the passive side.

        Raises:
            InvalidOrder: It makes no sense, or a rule or a guardrail stands in the way; nothing was sent.
            ContractError: ``symbol`` fits no contract, or several; nothing was sent.
            OrderRejected: IBKR refused in its words; nothing is working.
            QuestionRefused: IBKR asked what the policy does not allow; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
            IBKRError: Any other, such as a session that is down; nothing is working.
        """
        placed = self.orders.place(
            symbol,
            side=words.side(side),
            order_type=OrderType.LIMIT,
            quantity=words.number(quantity, "quantity"),
            limit_price=words.number(price, "price"),
            exact=False,
            coid=coid,
        )
        return self._acknowledge(placed, symbol)

    def place_stop_order(
        self,
        symbol: str,
        side: str,
        quantity: Any,
        stop_price: Any,
        limit_price: Any = None,
        *,
        coid: str | None = None,
    ) -> dict[str, Any]:
        """Enter when the market reaches a price; with ``limit_price`` at no worse than that.

        Raises:
            IBKRError: As :meth:`place_limit_order` does.
        """
        limit = words.optional(limit_price, "limit price")
        placed = self.orders.place(
            symbol,
            side=words.side(side),
            order_type=OrderType.STOP if limit is None else OrderType.STOP_LIMIT,
            quantity=words.number(quantity, "quantity"),
            stop_price=words.number(stop_price, "stop price"),
            limit_price=limit,
            exact=False,
            coid=coid,
        )
        return self._acknowledge(placed, symbol)

    def place_bracket_order(
        self,
        symbol: str,
        side: str,
        order_type: str,
        quantity: Any,
        price: Any = None,
        *,
        take_profit_price: Any = None,
        stop_loss_price: Any = None,
        trailing_percent: Any = None,
        stop_price: Any = None,
        coid: str | None = None,
    ) -> dict[str, Any]:
        """Place an entry with its exits in one submission.

        Blocks until IBKR has acknowledged or refused every leg and each was seen by its status.

        Args:
            symbol: What to trade.
            side: The entry's side.
            order_type: ``market``, ``limit``, ``stop`` or ``stop_limit``.
            quantity: Shares or contracts; floored to what the contract trades.
            price: The entry's limit; for a stop entry its trigger.
            take_profit_price: The target.
            stop_loss_price: The stop.
            trailing_percent: A trailing stop's distance instead of the stop; 1.5 is 1.5 percent.
            stop_price: The trigger of a ``stop_limit`` entry.
            coid: Your own client order id of the entry.

        Returns:
            ``{"entryOrder", "takeProfitOrder", "stopLossOrder"}``, each an acknowledgement or ``None``.

        Raises:
            InvalidOrder: It makes no sense or breaks a rule; nothing was sent.
            OrderRejected: IBKR refused in its words; nothing is working.
            QuestionRefused: IBKR asked what the policy does not allow; nothing is working.
            PartlyPlaced: Some legs stand; it says which.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        kind = words.order_type(order_type)
        limit, stop = words.entry_prices(
            kind, words.optional(price, "price"), words.optional(stop_price, "stop price")
        )
        placed = self.orders.bracket(
            symbol,
            side=words.side(side),
            order_type=kind,
            quantity=words.number(quantity, "quantity"),
            limit_price=limit,
            stop_price=stop,
            take_profit=words.optional(take_profit_price, "take-profit price"),
            stop_loss=words.optional(stop_loss_price, "stop-loss price"),
            trailing_percent=words.optional(trailing_percent, "trailing percentage"),
            coid=coid,
        )
        acks = {leg.name: shapes.acknowledgement(leg, symbol, None) for leg in placed.legs[1:]}
        return {
            "entryOrder": self._acknowledge(placed, symbol, look=kind is OrderType.MARKET),
            "takeProfitOrder": acks.get(TAKE_PROFIT),
            "stopLossOrder": acks.get(STOP_LOSS),
        }

    def place_otoco_order(
        self,
        symbol: str,
        side: str,
        quantity: Any,
        entry_type: str,
        entry_price: Any = None,
        take_profit: Any = None,
        stop_loss: Any = None,
        options: Mapping[str, Any] | None = None,
        *,
        coid: str | None = None,
    ) -> dict[str, Any]:
        """Place a bracket in another host's words; the answer is the entry's, with both exits' ids.

        Raises:
            IBKRError: As :meth:`place_bracket_order` does.
        """
        trailing = words.trailing(options)
        legs = self.place_bracket_order(
            symbol,
            side,
            entry_type,
            quantity,
            entry_price,
            take_profit_price=take_profit,
            stop_loss_price=stop_loss if trailing is None else None,
            trailing_percent=trailing,
            coid=coid,
        )
        entry: dict[str, Any] = legs["entryOrder"]
        return entry | _ids(legs["takeProfitOrder"], legs["stopLossOrder"])

    def place_combo_order(
        self, legs: Any, side: str, quantity: Any, price: Any = None, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Order several legs as one: all of them or none.

        Args:
            legs: At least two, each ``{"symbol" or "conid", "ratio"}`` (a negative ratio is sold when the
                combination is bought; ``"side"`` may stand for the sign), or a spread with a name.
            side: ``buy`` trades the legs as written, ``sell`` turns each of them round.
            quantity: How many combinations, whole ones.
            price: What a buyer pays for one, net of all legs and negative where the buyer is paid; at
                the market if unset.
            coid: Your own client order id of the entry.

        Returns:
            The acknowledgement, with ``legs`` and ``conidex``. Once it has filled the legs are positions
            of their own: :meth:`close_position` closes one of them, the opposite order all.

        Raises:
            InvalidOrder: It is no combination that can be ordered; nothing was sent.
            ContractError: A leg fits no contract, or several; nothing was sent.
            OrderRejected: IBKR refused in its words; nothing is working.
            QuestionRefused: IBKR asked what the policy does not allow; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        combo = self.orders.combo(words.legs(legs))
        placed = self.orders.place_combo(
            combo,
            side=words.side(side),
            quantity=words.number(quantity, "quantity") * combo.factor,
            limit_price=None if price is None else words.signed(price, "price") / combo.factor,
            exact=False,
            coid=coid,
        )
        found = [
            {"symbol": part.contract.symbol, "conid": part.contract.conid, "ratio": part.ratio}
            for part in combo.parts
        ]
        ack = self._acknowledge(placed, combo.text, look=price is None)
        return ack | {"conidex": combo.conidex, "legs": found}

    # Exits --------------------------------------------------------------------------------

    def place_stop_loss(
        self, symbol: str, side: str, quantity: Any, stop_price: Any, limit_price: Any = None
    ) -> dict[str, Any]:
        """Protect a position, or our working entry, by a stop; ``side`` is the stop's own side.

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
        placed = self.orders.stop_loss(
            symbol,
            side=words.side(side),
            quantity=words.number(quantity, "quantity"),
            stop_price=words.number(stop_price, "stop price"),
            limit_price=words.optional(limit_price, "limit price"),
        )
        return self._exit(placed, symbol, STOP_LOSS)

    def place_take_profit(
        self, symbol: str, side: str, quantity: Any, take_profit_price: Any
    ) -> dict[str, Any]:
        """Give a position, or our working entry, a target; ``side`` is the target's own side.

        Raises:
            IBKRError: As :meth:`place_stop_loss` does.
        """
        placed = self.orders.take_profit(
            symbol,
            side=words.side(side),
            quantity=words.number(quantity, "quantity"),
            price=words.number(take_profit_price, "take-profit price"),
        )
        return self._exit(placed, symbol, TAKE_PROFIT)

    def place_trailing_stop(self, symbol: str, side: str, quantity: Any, percent: Any) -> dict[str, Any]:
        """Protect by a trailing stop; 1.5 is 1.5 percent.

        Raises:
            IBKRError: As :meth:`place_stop_loss` does.
        """
        placed = self.orders.trailing_stop(
            symbol,
            side=words.side(side),
            quantity=words.number(quantity, "quantity"),
            percent=words.number(percent, "trailing percentage"),
        )
        return self._exit(placed, symbol, STOP_LOSS)

    def place_oco_order(
        self,
        symbol: str,
        side: str,
        quantity: Any,
        take_profit: Any,
        stop_loss: Any,
        options: Mapping[str, Any] | None = None,  # noqa: ARG002  (the host's signature)
    ) -> dict[str, Any]:
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
        placed = self.orders.oco(
            symbol,
            side=words.side(side),
            quantity=words.number(quantity, "quantity"),
            take_profit=words.number(take_profit, "take-profit price"),
            stop_loss=words.number(stop_loss, "stop-loss price"),
        )
        stop = self._exit(placed, symbol, STOP_LOSS)
        return stop | _ids(self._exit(placed, symbol, TAKE_PROFIT), stop)

    def close_position(self, symbol: str, side: str | None = None, quantity: Any = None) -> dict[str, Any]:  # noqa: ARG002  (the position decides)
        """Close a position, wholly or in part, and never more than there is.

        Args:
            symbol: What to close.
            side: The host's idea of the side; the position's own direction decides.
            quantity: How much; all of it if unset or more than is held.

        Returns:
            The closing order; where our own exit had closed the position on the way, that one.

        Raises:
            InvalidOrder: There is no position; nothing was sent.
            PartlyPlaced: Our own orders could not be ended; nothing was sent to close.
            OrderRejected: IBKR refused; the position stands.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        closed = self.orders.close(symbol, words.optional(quantity, "quantity"))
        if closed.placed is not None:
            try:
                return self._acknowledge(closed.placed, symbol, look=True)
            except OrderRejected as refusal:
                if closed.before:
                    refusal.tell_also(closed.before)
                raise
        by = closed.filled_meanwhile[-1] if closed.filled_meanwhile else None
        return {
            "orderId": by.order_id if by is not None else None,
            "status": "filled",
            "symbol": symbol,
            "side": closed.side.value,
            "quantity": 0,
            "message": "An exit of ours closed the position meanwhile; nothing was sent.",
        }

    # Ends ----------------------------------------------------------------------------------

    def cancel_order(self, symbol: str | None, order_id: Any) -> dict[str, Any]:  # noqa: ARG002  (the id is enough)
        """Cancel an order of ours; the status says how it really ended.

        Raises:
            InvalidOrder: It is no order id, the order is not ours, or this object may only read; nothing was
                sent.
            OrderRejected: IBKR refused, or knows no such order; one that works goes on.
            OrderOutcomeUnknown: Nobody can tell whether it still works; treat it as working.
            IBKRError: Any other; the order stands as it was.
        """
        return _ended(self.orders.cancel(order_id))

    def cancel_all_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Cancel every working order of ours on ``symbol``, entries before their exits.

        One that cannot be ended does not keep the others; the first such failure is raised after all.

        Raises:
            ContractError: ``symbol`` fits no contract, or several; nothing was sent.
            IBKRError: The orders could not be read, and nothing was sent; or one could not be ended, as of
                :meth:`cancel_order`, and all others were tried.
        """
        working = sorted(self.orders.working(symbol), key=lambda order: order.parent_id is not None)
        done = []
        failures = []
        for order in working:
            try:
                seen = self.orders.status(order.order_id)
                if seen is None or not seen.state.is_over:
                    seen = self.orders.cancel(order.order_id)
                done.append(_ended(seen))
            except IBKRError as failure:
                failures.append(failure)
        if failures:
            raise failures[0]
        return done

    # Acknowledgements ----------------------------------------------------------------------

    def _acknowledge(self, placed: Placed, symbol: str, *, look: bool = False) -> dict[str, Any]:
        seen = self.orders.seen(placed.entry.order_id) if look and not placed.dry_run else None
        if seen is not None and len(placed.legs) == 1 and not lives(seen) and seen.filled == 0:
            # It was acknowledged and refused after that, which hosts would take for an order that stands.
            raise rejected(f"order {seen.order_id} is {seen.state}. {seen.reason}")
        ack = shapes.acknowledgement(placed.entry, symbol, placed.coid, seen)
        return ack | shapes.unsent(placed.unsent)

    def _exit(self, placed: Placed, symbol: str, name: str) -> dict[str, Any]:
        leg = placed.leg(name) or placed.entry
        return shapes.acknowledgement(leg, symbol, leg.ticket.coid) | shapes.unsent(placed.unsent)


def _ended(order: Order) -> dict[str, Any]:
    return {
        "orderId": order.order_id,
        "status": shapes.status(order),
        "filledQuantity": shapes.number(order.filled),
    }


def _ids(target: dict[str, Any] | None, stop: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "takeProfitOrderId": target["orderId"] if target is not None else None,
        "stopLossOrderId": stop["orderId"] if stop is not None else None,
    }
