"""What a host asks of any exchange: the methods, their shapes, their promises.

An adapter need not derive from anything: it has these methods. Amounts come as numbers or texts, sides in any
case, and every failure is an exception whose text a person can read. Making the object costs nothing and
asks nobody. :mod:`.testing` holds an adapter to it.

Source: the host's base class and its callers; docs/host.md has the contract in words.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class BaseExchange(Protocol):
    """An account at a broker, in the host's words."""

    @property
    def exchange_name(self) -> str:
        """The name under which the host knows it, in small letters."""

    def get_exchange_name(self) -> str:
        """The same."""

    def get_balance(self) -> list[dict[str, Any]]:
        """``{"asset", "availableBalance", "balance"}`` for each currency, the base currency first."""

    def get_available_margin(self) -> float:
        """What the account may still buy for, finite."""

    def get_positions(self) -> list[dict[str, Any]]:
        """All positions that are not flat."""

    def get_position(self, symbol: str) -> dict[str, Any] | None:
        """``{"symbol", "positionAmt", "entryPrice", ...}``, the size signed; ``None`` when flat."""

    def has_open_position(self, symbol: str) -> bool:
        """Whether there is one."""

    def get_ticker(self, symbol: str) -> dict[str, Any]:
        """``{"symbol", "lastPrice", "price"}``, decimal texts above 0; it raises where there is no price."""

    def place_market_order(self, symbol: str, side: str, quantity: Any) -> dict[str, Any]:
        """An acknowledgement with ``orderId``; ``side`` is the order's own, here and below."""

    def place_limit_order(self, symbol: str, side: str, quantity: Any, price: Any) -> dict[str, Any]:
        """The same; ``price`` may be a text."""

    def place_stop_loss(self, symbol: str, side: str, quantity: Any, stop_price: Any) -> dict[str, Any]:
        """The same; it never opens a position."""

    def place_take_profit(
        self, symbol: str, side: str, quantity: Any, take_profit_price: Any
    ) -> dict[str, Any]:
        """The same; it never opens a position."""

    def close_position(self, symbol: str, side: str, quantity: Any) -> dict[str, Any]:
        """Close at the market, never more than there is; it raises when flat."""

    def cancel_order(self, symbol: str | None, order_id: Any) -> dict[str, Any]:
        """``{"orderId", "status"}``; it raises where there is no such order."""

    def get_order(self, symbol: str | None, order_id: Any) -> dict[str, Any]:
        """An order as it stands."""

    def close(self) -> None:
        """Let go of what it holds; the user stays logged in."""
