"""An exchange object whose calls that change something are written down before they are made.

Knows which of its methods can change what stands at the broker. What is written, and for whom, is for
:mod:`.book`; reads pass through.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ibkr_adapter.model.sizing import Sizing
from ibkr_adapter.settings import Settings

from .book import Entry, Step
from .carrying import Exchange

CLOSE = "close_position"


class Noted:
    """Passes calls on; ``done`` are those that came back, ``failed`` the one that raised."""

    def __init__(self, exchange: Exchange, entry: Entry) -> None:
        self._exchange = exchange
        self._entry = entry
        self.done: list[Step] = []
        self.failed: Step | None = None
        self.host_symbol = exchange.host_symbol
        self.sizing_price = exchange.sizing_price
        self.sizing: Callable[[str], Sizing] = exchange.sizing
        self.smallest_size = exchange.smallest_size
        self.get_position = exchange.get_position
        self.get_positions = exchange.get_positions
        self.get_open_orders = exchange.get_open_orders
        self.find_order = exchange.find_order

    @property
    def settings(self) -> Settings:
        """The exchange's own."""
        return self._exchange.settings

    def place_market_order(
        self, symbol: str, side: str, quantity: Decimal, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Send a market order."""
        about = {"symbol": symbol, "side": side, "quantity": quantity, "coid": coid}
        return self._make(
            Step(call="place_market_order", arguments=about),
            lambda: self._exchange.place_market_order(symbol, side, quantity, coid=coid),
        )

    def place_limit_order(
        self, symbol: str, side: str, quantity: Decimal, price: Decimal, *, coid: str | None = None
    ) -> dict[str, Any]:
        """Send a limit order."""
        about = {"symbol": symbol, "side": side, "quantity": quantity, "price": price, "coid": coid}
        return self._make(
            Step(call="place_limit_order", arguments=about),
            lambda: self._exchange.place_limit_order(symbol, side, quantity, price, coid=coid),
        )

    def place_stop_order(
        self,
        symbol: str,
        side: str,
        quantity: Decimal,
        stop_price: Decimal,
        limit_price: Decimal | None = None,
        *,
        coid: str | None = None,
    ) -> dict[str, Any]:
        """Send a stop or stop-limit entry."""
        about = {
            "symbol": symbol,
            "side": side,
            "quantity": quantity,
            "stop_price": stop_price,
            "limit_price": limit_price,
            "coid": coid,
        }
        return self._make(
            Step(call="place_stop_order", arguments=about),
            lambda: self._exchange.place_stop_order(
                symbol, side, quantity, stop_price, limit_price, coid=coid
            ),
        )

    def place_bracket_order(
        self,
        symbol: str,
        side: str,
        order_type: str,
        quantity: Decimal,
        price: Decimal | None = None,
        **exits: Any,
    ) -> dict[str, Any]:
        """Send an entry with its exits as one submission."""
        about = {
            "symbol": symbol,
            "side": side,
            "order_type": order_type,
            "quantity": quantity,
            "price": price,
        }
        return self._make(
            Step(call="place_bracket_order", arguments=about | exits),
            lambda: self._exchange.place_bracket_order(symbol, side, order_type, quantity, price, **exits),
        )

    def close_position(self, symbol: str, side: str, quantity: Decimal | None) -> dict[str, Any]:
        """Close a part of a position, or with ``None`` whatever is there when it looks."""
        about = {"symbol": symbol, "side": side, "quantity": quantity}
        return self._make(
            Step(call=CLOSE, arguments=about), lambda: self._exchange.close_position(symbol, side, quantity)
        )

    def _make(self, step: Step, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        self._entry.sending(step.call, step.arguments)
        self.failed = step
        answer = call()
        self.failed = None
        self.done.append(step)
        self._entry.heard(answer)
        return answer
