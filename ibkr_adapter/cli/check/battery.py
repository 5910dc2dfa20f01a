"""Do what a trader could do, with one share, and leave nothing behind.

A share in which the account has a position or a working order is refused, because ending what was done
here would end that, too. A step that fails is told and the next one taken; in the end everything
that was placed here is cancelled, and the share sold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import ConfigurationError, IBKRError, MarketClosed, OrderError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.order import OrderType, Side
from ibkr_adapter.terms import PAPER_PREFIXES
from ibkr_adapter.wire.portfolio import read_accounts

ONE = Decimal(1)
# How far from the market an order rests: near enough not to be asked about, too far to fill at once.
REST, AWAY = Decimal("0.98"), Decimal("1.02")
FILLED_WITHIN = 20.0


@attrs.frozen(kw_only=True)
class Done:
    """One step: what was tried, and why it failed or was left out."""

    step: str
    failure: str = ""
    left_out: str = ""


def demand_paper(ibkr: IBKRExchange) -> str:
    """See that the account is a paper account, by what IBKR says of it now and by its number.

    Raises:
        ConfigurationError: It is not, or nobody can tell; nothing was placed.
    """
    account = ibkr.portfolio.choose(ibkr.settings.account_id)
    # Asked afresh: what the session said when it was opened may be of another login's.
    now = read_accounts(ibkr.request("GET", "/iserver/accounts"))
    is_paper = account.is_paper is True and account.account_id.startswith(PAPER_PREFIXES)
    if not is_paper or now.is_paper is False or account.account_id not in now.accounts:
        raise ConfigurationError(
            f"{account.account_id} is a LIVE account, or nobody can tell; nothing was placed.",
            remedy="Log in with a paper user name.",
        )
    return account.account_id


class Battery:
    """The steps on one share."""

    def __init__(self, ibkr: IBKRExchange, symbol: str) -> None:
        self._ibkr = ibkr
        self._symbol = symbol
        self._placed: list[str] = []
        self._last = Decimal(0)
        self._held = False

    def run(self) -> Iterator[Done]:
        """Take every step; whatever happens, what was placed is ended.

        Raises:
            ConfigurationError: It is no paper account, or the share is in use; nothing was placed.
        """
        self._demand_unused()
        try:
            for step, action in self._steps():
                try:
                    yield Done(step=step, left_out=action() or "")
                except IBKRError as failure:
                    yield Done(step=step, failure=failure.message)
        finally:
            ended = self._end()
        yield ended

    def _demand_unused(self) -> None:
        ibkr = self._ibkr
        if ibkr.has_open_position(self._symbol) or ibkr.get_open_orders(self._symbol):
            raise ConfigurationError(
                f"the account has a position or working orders in {self._symbol}; nothing was placed.",
                remedy="Name another share with --symbol.",
            )

    def _steps(self) -> list[tuple[str, Callable[[], str | None]]]:
        return [
            ("tickle", lambda: self._read("POST", "/tickle")),
            ("account", self._account),
            ("price", self._price),
            ("preview", self._preview),
            ("resting limit order", self._limit),
            ("resting stop-limit order", self._stop_limit),
            ("bracket at the market", self._bracket),
            ("cancel of an order that is gone", self._cancel_again),
        ]

    def _read(self, method: str, path: str) -> None:
        self._ibkr.request(method, path)

    def _account(self) -> None:
        self._ibkr.get_balance()
        self._ibkr.get_positions()
        self._ibkr.portfolio.profit()

    def _price(self) -> None:
        conid = self._ibkr.contracts.resolve(self._symbol).conid
        shown = self._ibkr.market_data.quote(conid).display_price()
        if shown is None:
            raise OrderError(f"there is no price of {self._symbol}.")
        self._last = shown.price

    def _preview(self) -> None:
        self._ibkr.orders.preview(
            self._symbol, side=Side.BUY, order_type=OrderType.LIMIT, quantity=ONE, **self._at(REST)
        )

    def _limit(self) -> None:
        self._rest(OrderType.LIMIT, **self._at(REST))

    def _stop_limit(self) -> None:
        price = self._at(AWAY)["limit_price"]
        self._rest(OrderType.STOP_LIMIT, limit_price=price, stop_price=price, exact=False)

    def _rest(self, order_type: OrderType, **prices: Any) -> None:
        """Place an order of one share that rests, read it back, and cancel it."""
        # Looked at again right before each order: a login can change under our feet.
        demand_paper(self._ibkr)
        desk = self._ibkr.orders
        placed = desk.place(self._symbol, side=Side.BUY, order_type=order_type, quantity=ONE, **prices)
        self._placed.append(placed.entry.order_id)
        desk.live()
        desk.find(placed.coid)
        desk.cancel(placed.entry.order_id)

    def _bracket(self) -> str | None:
        demand_paper(self._ibkr)
        self._held = True
        try:
            legs = self._ibkr.place_bracket_order(
                self._symbol,
                "buy",
                "market",
                ONE,
                take_profit_price=self._last * Decimal("1.1"),
                stop_loss_price=self._last * Decimal("0.9"),
            )
        except MarketClosed as closed:
            self._held = False
            return closed.message
        self._placed += [leg["orderId"] for leg in legs.values() if leg is not None]
        self._ibkr.wait_for(legs["entryOrder"]["orderId"], timeout=FILLED_WITHIN)
        self._ibkr.orders.live()
        self._ibkr.get_trade_history(self._symbol)
        self._ibkr.get_positions()
        return None

    def _cancel_again(self) -> str | None:
        if not self._placed:
            return "no order was placed"
        with suppress(OrderError):
            self._ibkr.cancel_order(self._symbol, self._placed[0])
        return None

    def _at(self, part: Decimal) -> dict[str, Any]:
        if not self._last:
            raise OrderError(f"without a price of {self._symbol} nothing is placed.")
        return {"limit_price": self._last * part, "exact": False}

    def _end(self) -> Done:
        """Cancel what still works of ours here, and sell the share."""
        failures = []
        for order_id in self._placed:
            try:
                order = self._ibkr.orders.status(order_id)
                if order is not None and order.state.may_fill:
                    self._ibkr.cancel_order(self._symbol, order_id)
            except IBKRError as failure:
                failures.append(failure.message)
        if self._held:
            try:
                if self._ibkr.has_open_position(self._symbol):
                    self._ibkr.close_position(self._symbol, quantity=ONE)
            except IBKRError as failure:
                failures.append(failure.message)
        return Done(step="leaving nothing behind", failure=" ".join(failures))
