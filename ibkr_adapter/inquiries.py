"""What a host asks of its exchange object: money, positions, prices, and orders as they stand.

Nothing here changes anything at the broker. Which mirror of the stream answers without a request,
where there is one, is decided here too; what orders and cancels is for :mod:`ibkr_adapter.exchange`.

Source: the host's base class and its callers; docs/host.md has the contract.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ibkr_adapter import shapes, words
from ibkr_adapter.errors import ApiError, OrderRejected, UnexpectedAnswer
from ibkr_adapter.linked import Linked
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.order import Fill, Order

if TYPE_CHECKING:
    from ibkr_adapter.model.account import Position
    from ibkr_adapter.model.market import Quote
    from ibkr_adapter.model.query import ContractQuery
    from ibkr_adapter.model.sizing import Sizing


class Inquiries(Linked):
    """The questions of the host's contract."""

    # Balances and positions ---------------------------------------------------------------

    def get_balance(self) -> list[dict[str, Any]]:
        """One row per currency, the base currency first: cash available and net liquidation.

        Raises:
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        account = self._account()
        return shapes.balance(tuple(self.portfolio.ledger(account)), self.portfolio.summary(account))

    def get_available_margin(self) -> float:
        """The account's buying power in its base currency.

        Raises:
            UnexpectedAnswer: IBKR does not say it.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        summary = self.portfolio.summary(self._account())
        power = summary.buying_power if summary.buying_power is not None else summary.available_funds
        if power is None:
            raise UnexpectedAnswer("IBKR does not say what this account may buy.")
        return float(power)

    def get_balance_summary(self) -> dict[str, Any]:
        """What a dashboard shows of an account, in its base currency.

        Raises:
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
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
        """All positions that are not flat.

        Raises:
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return [
            shapes.position(
                found, self.contracts.written(found.conid, found.symbol, found.sec_type, found.currency)
            )
            for found in self._held()
        ]

    def get_position(self, symbol: str) -> dict[str, Any] | None:
        """One position, or ``None`` when flat.

        Raises:
            ContractError: ``symbol`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        conid = self._conid(symbol)
        found = next((held for held in self._held() if held.conid == conid), None)
        return shapes.position(found, symbol) if found is not None else None

    def has_open_position(self, symbol: str) -> bool:
        """Whether there is a position in ``symbol``.

        Raises:
            ContractError: ``symbol`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        mirror, conid = self._mirror(), self._conid(symbol)
        if mirror is not None:
            return mirror.holds(conid)
        return self.portfolio.position(conid) is not None

    # Prices -------------------------------------------------------------------------------

    def get_ticker(self, symbol: str) -> dict[str, Any]:
        """The price of ``symbol`` as texts; it raises where there is none and never says 0.

        Raises:
            ContractError: ``symbol`` fits no contract, or several.
            ApiError: IBKR has no price for it.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        quote, price = self._price(symbol)
        return shapes.ticker(quote, price, symbol)

    def fetch_ticker(self, symbol: str) -> dict[str, Any]:
        """The price of ``symbol`` as numbers, under the field's common names.

        Raises:
            IBKRError: As :meth:`get_ticker` does.
        """
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

    # Orders as they stand ------------------------------------------------------------------

    def get_order(self, symbol: str | None, order_id: Any) -> dict[str, Any]:
        """One order as it stands.

        Raises:
            InvalidOrder: It is no order id; nothing was asked.
            OrderRejected: IBKR does not give its status, which does not prove that it is not there.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        order = self.orders.status(order_id)
        if order is None:
            raise OrderRejected(f"IBKR does not give the status of order {order_id}.")
        return shapes.order(order, symbol if isinstance(symbol, str) and symbol else self._spelling(order))

    def get_open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """The orders that work, whoever placed them.

        Raises:
            ContractError: ``symbol`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._listed(symbol, working=True)

    def get_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """All orders of the day.

        Raises:
            ContractError: ``symbol`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        return self._listed(symbol)

    def get_all_orders(self, symbol: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The latest orders of the day, at most ``limit``.

        Raises:
            InvalidRequest: ``limit`` is no number of rows; nothing was asked.
            ContractError: ``symbol`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        most = words.most(limit)
        return self.get_orders(symbol)[:most]

    def get_trade_history(self, symbol: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The fills of the last days, newest first.

        Raises:
            InvalidRequest: ``limit`` is no number of rows; nothing was asked.
            ContractError: ``symbol`` fits no contract, or several.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        most = words.most(limit)
        conid = self._only(symbol)
        fills = [fill for fill in self.orders.fills() if conid in {None, fill.conid}]
        fills.sort(key=lambda fill: fill.time.timestamp() if fill.time is not None else 0.0, reverse=True)
        return [
            shapes.fill(fill, self._spelling(fill) if symbol is None else symbol) for fill in fills[:most]
        ]

    def find_order(self, coid: str) -> dict[str, Any] | None:
        """Look an order up by its cOID; ``None`` is "not listed now", after fresh reads."""
        order = self.orders.find(coid)
        return shapes.order(order, self._spelling(order)) if order is not None else None

    def wait_for(self, order_id: Any, *, timeout: float = 30.0) -> dict[str, Any]:
        """Look at an order until it is over or ``timeout`` seconds have passed.

        Raises:
            InvalidOrder: It is no order id, or the time is none; nothing was asked.
            OrderRejected: Its status cannot be read; it may be working all the same.
            IBKRError: IBKR could not be asked, or said no; nothing is known then.
        """
        order = self.orders.wait_for(order_id, timeout=timeout)
        return shapes.order(order, self._spelling(order))

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

    def _spelling(self, found: Order | Fill) -> str:
        # A combination has no contract of its own that its name could mean.
        nameless = found.sec_type in {SecType.UNKNOWN, SecType.COMBO}
        return self.contracts.written(found.conid, found.symbol, None if nameless else found.sec_type)

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

    def _only(self, symbol: str | None) -> int | None:
        """The contract that a list is about; ``None`` alone means all: what is empty is a slip, and no symbol."""
        return None if symbol is None else self._conid(symbol)

    def _listed(self, symbol: str | None, *, working: bool = False) -> list[dict[str, Any]]:
        conid = self._only(symbol)
        return [
            shapes.order(order, self._spelling(order) if symbol is None else symbol)
            for order in self._ordered()
            if (order.state.may_fill or not working) and (conid is None or order.moves(conid))
        ]
