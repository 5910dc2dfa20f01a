"""The host's exchange object: its words in, its shapes out.

Free to make and to throw away: the constructor assigns, and equal credentials share one
connection. Every method takes what hosts send (numbers as texts, sides in any case) and raises
nothing but :class:`~ibkr_adapter.errors.IBKRError`.

Source: the host's base class and its callers; docs/host.md has the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibkr_adapter import shapes, words
from ibkr_adapter.errors import ApiError, OrderRejected, UnexpectedAnswer
from ibkr_adapter.linked import Linked
from ibkr_adapter.model.order import STOP_LOSS, TAKE_PROFIT, Order, OrderType, Placed

if TYPE_CHECKING:
    from ibkr_adapter.model.account import Position
    from ibkr_adapter.model.market import Quote
    from ibkr_adapter.model.query import ContractQuery
    from ibkr_adapter.model.sizing import Sizing


class IBKRExchange(Linked):
    """Interactive Brokers behind the host's contract.

    Prices are in the contract's currency, quantities in shares or contracts, sides the real side
    of the order. Amounts may be numbers or texts.
    """

    # Balances and positions ---------------------------------------------------------------

    def get_balance(self) -> list[dict[str, Any]]:
        """One row per currency, the base currency first: cash available and net liquidation."""
        account = self._account()
        return shapes.balance(tuple(self.portfolio.ledger(account)), self.portfolio.summary(account))

    def get_available_margin(self) -> float:
        """The account's buying power in its base currency."""
        summary = self.portfolio.summary(self._account())
        power = summary.buying_power if summary.buying_power is not None else summary.available_funds
        if power is None:
            raise UnexpectedAnswer("IBKR does not say what this account may buy.")
        return float(power)

    def get_balance_summary(self) -> dict[str, Any]:
        """What a dashboard shows of an account, in its base currency."""
        account = self.portfolio.choose(self.settings.account_id)
        summary = self.portfolio.summary(account.account_id)
        positions = self.portfolio.positions(account.account_id)
        gains = [found.unrealised for found in positions]
        base = summary.currency or account.currency
        single = all(found.currency == base for found in positions) and None not in gains
        paper = account.account_id.startswith(("DU", "DF", "DI"))
        return {
            "success": summary.net_liquidation is not None,
            "exchange": "Interactive Brokers",
            "balance": shapes.number(summary.net_liquidation),
            "availableBalance": shapes.number(summary.available_funds),
            "equity": shapes.number(summary.net_liquidation),
            "buyingPower": shapes.number(summary.buying_power),
            # Gains in several currencies have no sum without rates.
            "totalUnrealizedPnl": shapes.number(sum((gain for gain in gains if gain is not None), Decimal(0)))
            if single
            else None,
            "currency": base,
            "accountId": account.account_id,
            "accountType": "paper" if paper else "live",
        }

    def get_positions(self) -> list[dict[str, Any]]:
        """All positions that are not flat."""
        return [
            shapes.position(found, self.contracts.written(found.conid, found.symbol, found.sec_type))
            for found in self._held()
        ]

    def get_position(self, symbol: str) -> dict[str, Any] | None:
        """One position, or ``None`` when flat."""
        conid = self._conid(symbol)
        found = next((held for held in self._held() if held.conid == conid), None)
        return shapes.position(found, symbol) if found is not None else None

    def has_open_position(self, symbol: str) -> bool:
        """Whether there is a position in ``symbol``."""
        mirror, conid = self._mirror(), self._conid(symbol)
        if mirror is not None:
            return mirror.holds(conid)
        return self.portfolio.position(conid) is not None

    # Prices -------------------------------------------------------------------------------

    def get_ticker(self, symbol: str) -> dict[str, Any]:
        """The price of ``symbol`` as texts; it raises where there is none and never says 0."""
        quote, price = self._price(symbol)
        return shapes.ticker(quote, price, symbol)

    def fetch_ticker(self, symbol: str) -> dict[str, Any]:
        """The price of ``symbol`` as numbers, under the field's common names."""
        quote, price = self._price(symbol)
        volume = quote.volume
        return {
            "symbol": symbol,
            "last": shapes.number(price),
            "close": shapes.number(price),
            "bid": shapes.number(quote.bid),
            "ask": shapes.number(quote.ask),
            "baseVolume": shapes.number(volume),
            "quoteVolume": shapes.number(volume * price) if volume is not None else None,
        }

    def sizing_price(self, symbol: str) -> Decimal:
        """The last price, if sizes may be computed from it; else it raises and says why not."""
        return self.orders.sizing_price(symbol)

    def sizing(self, symbol: str) -> Sizing:
        """What turns US dollars into a quantity: multiplier, currency, and the smallest size."""
        return self.orders.sizing(symbol)

    def smallest_size(self, symbol: str) -> Decimal:
        """The smallest quantity that trades: one, except in crypto and where fractions are allowed."""
        return self.orders.smallest_size(symbol)

    def host_symbol(self, query: ContractQuery) -> str:
        """A symbol of at most twenty characters for the one contract that fits; it raises where several do."""
        return self.contracts.name_of(self.contracts.resolve(query, for_trading=False))

    # Entries ------------------------------------------------------------------------------

    def place_market_order(
        self, symbol: str, side: str, quantity: Any, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Buy or sell at the market; the quantity is floored to what the contract trades.

        ``coid`` is your own client order id, here and for the other entries: the same order under the
        same one is looked up, and not sent twice.
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
        """Buy or sell at a limit; it is snapped to the passive side."""
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
        """Enter when the market reaches a price; with ``limit_price`` at no worse than that."""
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
        """Place a bracket in another host's words; the answer is the entry's, with both exits' ids."""
        trailing = (options or {}).get("trailingStop", (options or {}).get("trailing_stop"))
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
        """Protect a position, or our working entry, by a stop; ``side`` is the stop's own side."""
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
        """Give a position, or our working entry, a target; ``side`` is the target's own side."""
        placed = self.orders.take_profit(
            symbol,
            side=words.side(side),
            quantity=words.number(quantity, "quantity"),
            price=words.number(take_profit_price, "take-profit price"),
        )
        return self._exit(placed, symbol, TAKE_PROFIT)

    def place_trailing_stop(self, symbol: str, side: str, quantity: Any, percent: Any) -> dict[str, Any]:
        """Protect by a trailing stop; 1.5 is 1.5 percent."""
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
        """Protect a position by a target and a stop of which one cancels the other."""
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
            return self._acknowledge(closed.placed, symbol, look=True)
        by = closed.filled_meanwhile[-1] if closed.filled_meanwhile else None
        return {
            "orderId": by.order_id if by is not None else None,
            "status": "filled",
            "symbol": symbol,
            "side": closed.side.value,
            "quantity": 0,
            "message": "An exit of ours closed the position meanwhile; nothing was sent.",
        }

    # Orders that stand --------------------------------------------------------------------

    def cancel_order(self, symbol: str | None, order_id: Any) -> dict[str, Any]:  # noqa: ARG002  (the id is enough)
        """Cancel an order of ours; the status says how it really ended."""
        order = self.orders.cancel(order_id)
        return {
            "orderId": order.order_id,
            "status": shapes.status(order),
            "filledQuantity": shapes.number(order.filled),
        }

    def cancel_all_orders(self, symbol: str) -> list[dict[str, Any]]:
        """Cancel every working order of ours on ``symbol``, entries before their exits."""
        working = sorted(self.orders.working(symbol), key=lambda order: order.parent_id is not None)
        done = []
        for order in working:
            seen = self.orders.status(order.order_id)
            if seen is not None and seen.state.is_over:
                done.append({"orderId": seen.order_id, "status": shapes.status(seen)})
            else:
                done.append(self.cancel_order(symbol, order.order_id))
        return done

    def get_order(self, symbol: str | None, order_id: Any) -> dict[str, Any]:
        """One order as it stands."""
        order = self.orders.status(order_id)
        if order is None:
            raise OrderRejected(f"IBKR does not give the status of order {order_id}.")
        return shapes.order(order, symbol or self._spelling(order.conid, order.symbol))

    def get_open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """The orders that work, whoever placed them."""
        return self._listed(symbol, [order for order in self._ordered() if order.state.may_fill])

    def get_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """All orders of the day."""
        return self._listed(symbol, self._ordered())

    def get_all_orders(self, symbol: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The latest orders of the day, at most ``limit``."""
        return self.get_orders(symbol)[: int(limit) if limit is not None else None]

    def get_trade_history(self, symbol: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The fills of the last days, newest first."""
        conid = self._conid(symbol) if symbol else None
        fills = [fill for fill in self.orders.fills() if conid in {None, fill.conid}]
        fills.sort(key=lambda fill: fill.time.timestamp() if fill.time is not None else 0.0, reverse=True)
        return [
            shapes.fill(fill, symbol or self._spelling(fill.conid, fill.symbol))
            for fill in fills[: int(limit) if limit is not None else None]
        ]

    def find_order(self, coid: str) -> dict[str, Any] | None:
        """Look an order up by its cOID; ``None`` is "not listed now", after fresh reads."""
        order = self.orders.find(coid)
        return shapes.order(order, self._spelling(order.conid, order.symbol)) if order is not None else None

    def wait_for(self, order_id: Any, *, timeout: float = 30.0) -> dict[str, Any]:
        """Look at an order until it is over or ``timeout`` seconds have passed."""
        order = self.orders.wait_for(order_id, timeout=timeout)
        return shapes.order(order, self._spelling(order.conid, order.symbol))

    # Common -------------------------------------------------------------------------------

    def _account(self) -> str:
        return self.portfolio.choose(self.settings.account_id).account_id

    def _held(self) -> tuple[Position, ...]:
        """All positions, from the stream where it keeps them."""
        mirror = self._mirror()
        return tuple(self.portfolio.positions()) if mirror is None else mirror.positions()

    def _ordered(self) -> list[Order]:
        """All orders of the day, from the stream where it keeps them; what ends orders reads for itself."""
        mirror = self._mirror()
        if mirror is None:
            return list(self.orders.live())
        return [order for order in mirror.orders() if order.account in {"", mirror.account_id}]

    def _conid(self, symbol: str) -> int:
        # Whatever expired can still be held, ordered upon and looked at; nothing is traded here.
        return self.contracts.resolve(symbol, for_trading=False).conid

    def _spelling(self, conid: int, symbol: str) -> str:
        return self.contracts.written(conid, symbol)

    def _price(self, symbol: str) -> tuple[Quote, Decimal]:
        quote = self.market_data.quote(self._conid(symbol))
        shown = quote.display_price()
        if shown is None or shown.price <= 0:
            raise ApiError(
                f"IBKR has no price for {symbol}: {quote.why_not_tradable()}.",
                remedy="Check its market data subscription.",
                repeatable=True,
            )
        return quote, shown.price

    def _listed(self, symbol: str | None, orders: list[Order]) -> list[dict[str, Any]]:
        conid = self._conid(symbol) if symbol else None
        return [
            shapes.order(order, symbol or self._spelling(order.conid, order.symbol))
            for order in orders
            if conid is None or order.moves(conid)
        ]

    def _acknowledge(self, placed: Placed, symbol: str, *, look: bool = False) -> dict[str, Any]:
        seen = self.orders.seen(placed.entry.order_id) if look and not placed.dry_run else None
        ack = shapes.acknowledgement(placed.entry, symbol, placed.coid, seen)
        return ack | shapes.unsent(placed.unsent)

    def _exit(self, placed: Placed, symbol: str, name: str) -> dict[str, Any]:
        leg = placed.leg(name) or placed.entry
        return shapes.acknowledgement(leg, symbol, leg.ticket.coid) | shapes.unsent(placed.unsent)


def _ids(target: dict[str, Any] | None, stop: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "takeProfitOrderId": target["orderId"] if target is not None else None,
        "stopLossOrderId": stop["orderId"] if stop is not None else None,
    }
