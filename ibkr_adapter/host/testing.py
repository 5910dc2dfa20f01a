"""Hold an adapter to the host's contract: any adapter, on a paper account or a simulator.

:func:`check_exchange` **trades**: it buys, protects, closes, and leaves an order of its own working for a
moment. What it says of an adapter is a list of broken claims, so that an adapter's own test is one line::

    assert check_exchange(lambda: MyExchange(PAPER)) == []

Each claim is one that a host relies on and some adapter of a host's was seen to break.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from ibkr_adapter.errors import ConfigurationError

from .contract import BaseExchange

_CENT = Decimal("0.01")
# Far enough from the market not to fill at once, near enough not to be asked about.
_AWAY = Decimal("0.98")


def check_exchange(
    factory: Callable[[], BaseExchange],
    *,
    symbol: str = "AAPL",
    quantity: int = 1,
    settle: Callable[[], None] | None = None,
    refusals: type[Exception] | tuple[type[Exception], ...] = Exception,
) -> list[str]:
    """Run an adapter through the contract and return the claims that it breaks; none is conformance.

    Args:
        factory: Makes an exchange object; it is called more than once, as hosts do.
        symbol: What to trade; the account must be flat in it and have no orders on it.
        quantity: How much of it.
        settle: Called after an order that is to fill, to let the broker fill it.
        refusals: What the adapter raises where the contract wants an error.

    Raises:
        ConfigurationError: The account has a position in ``symbol`` already; nothing was sent.
        Exception: Whatever the adapter raises where the contract wants an answer.
    """
    exchange = factory()
    if not isinstance(exchange, BaseExchange):
        lacking = [name for name in _METHODS if not callable(getattr(exchange, name, None))]
        return [f"it has the methods of the contract: {', '.join(lacking)} missing"]
    if exchange.get_position(symbol) is not None:
        raise ConfigurationError(
            f"there is a position in {symbol}, which a check would close; nothing was sent.",
            remedy="Check with another symbol, or on another account.",
        )
    check = _Check(exchange, symbol, quantity, settle or _nothing, refusals)
    try:
        broken = list(check.reads())
        if check.last is not None:
            broken += [claim for part in (check.entry, check.life) for claim in part()]
        again = factory()
        if again.get_exchange_name() != exchange.get_exchange_name():
            broken.append("two objects have one name")
        again.close()
    finally:
        exchange.close()
    return broken


_METHODS = tuple(name for name in vars(BaseExchange) if not name.startswith("_") and name != "exchange_name")


class _Check:
    """The claims, in an order in which they may be tried; each yields what it finds broken."""

    def __init__(
        self,
        exchange: BaseExchange,
        symbol: str,
        quantity: int,
        settle: Callable[[], None],
        refusals: type[Exception] | tuple[type[Exception], ...],
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._quantity = quantity
        self._settle = settle
        self._refusals = refusals
        # Without a price nothing is traded.
        self.last: Decimal | None = None

    @property
    def _price(self) -> Decimal:
        return Decimal(1) if self.last is None else self.last

    def reads(self) -> Iterator[str]:
        """What is read while the account is flat."""
        exchange, symbol = self._exchange, self._symbol
        name = exchange.get_exchange_name()
        yield from _unless(
            name == exchange.exchange_name == name.lower().strip() != "", "it has one name, in small letters"
        )
        rows: Any = exchange.get_balance()
        yield from _unless(
            isinstance(rows, list)
            and len(rows) > 0
            and all({"asset", "availableBalance", "balance"} <= row.keys() for row in rows),
            "get_balance answers a list of rows with asset, availableBalance and balance",
        )
        margin: Any = exchange.get_available_margin()
        yield from _unless(
            isinstance(margin, (int, float)) and not isinstance(margin, bool) and math.isfinite(margin),
            "get_available_margin answers a finite number",
        )
        yield from _unless(
            exchange.has_open_position(symbol) is False, "has_open_position is False when flat"
        )
        ticker = exchange.get_ticker(symbol)
        last = _decimal(ticker.get("lastPrice")) if isinstance(ticker.get("lastPrice"), str) else None
        yield from _unless(
            last is not None and last > 0 and _decimal(ticker.get("price")) == last,
            "get_ticker answers lastPrice and price as decimal texts above 0",
        )
        self.last = last if last is not None and last > 0 else None
        yield from _unless(ticker.get("symbol") == symbol, "symbols are echoed as they were written")
        unknown = "NOSUCHTHING"
        yield from _unless(
            self._raises(lambda: exchange.get_ticker(unknown)), "no price is an error, never 0"
        )
        yield from _unless(
            self._raises(lambda: exchange.place_market_order(symbol, "BUY", 0)), "a quantity of 0 is an error"
        )
        yield from _unless(
            self._raises(lambda: exchange.close_position(symbol, "SELL", self._quantity)),
            "closing what is flat is an error",
        )
        yield from _unless(
            self._raises(
                lambda: exchange.place_stop_loss(symbol, "SELL", self._quantity, self._price * _AWAY)
            ),
            "an exit with nothing to protect is an error",
        )

    def entry(self) -> Iterator[str]:
        """An order that works and is cancelled."""
        exchange, symbol = self._exchange, self._symbol
        price = (self._price * _AWAY).quantize(_CENT, ROUND_DOWN)
        ack = exchange.place_limit_order(symbol, "buy", str(self._quantity), str(price))
        yield from _acknowledged(ack, "place_limit_order")
        order = exchange.get_order(symbol, ack.get("orderId"))
        yield from _unless(
            str(order.get("orderId", order.get("id"))) == str(ack.get("orderId"))
            and order.get("side") == "buy"
            and order.get("type") == "limit",
            "get_order answers orderId, side and type of the order, in small letters",
        )
        gone = exchange.cancel_order(symbol, ack.get("orderId"))
        yield from _unless(
            gone.get("status") == "canceled" and str(gone.get("orderId")) == str(ack.get("orderId")),
            "cancel_order answers orderId and canceled",
        )
        yield from _unless(
            self._raises(lambda: exchange.cancel_order(symbol, "oco_sl")),
            "cancelling a made-up id is an error",
        )

    def life(self) -> Iterator[str]:
        """A position, its exits and its end."""
        exchange, symbol, size = self._exchange, self._symbol, self._quantity
        yield from _acknowledged(exchange.place_market_order(symbol, "BUY", size), "place_market_order")
        self._settle()
        yield from self._held("a buy", size)
        stop = exchange.place_stop_loss(symbol, "SELL", size, (self._price * _AWAY).quantize(_CENT))
        yield from _acknowledged(stop, "place_stop_loss")
        target = exchange.place_take_profit(symbol, "SELL", size, (self._price / _AWAY).quantize(_CENT))
        yield from _acknowledged(target, "place_take_profit")
        self._settle()
        for name, ack in (("place_stop_loss", stop), ("place_take_profit", target)):
            yield from _unless(
                str(ack.get("side", "SELL")).upper() == "SELL", f"{name} sends the side that it was given"
            )
        yield from self._held("exits", size)
        ack = exchange.close_position(symbol, "SELL", size * 5)
        yield from _acknowledged(ack, "close_position")
        self._settle()
        left = exchange.get_position(symbol)
        yield from _unless(left is None, "close_position closes what there is and no more")
        yield from _unless(
            all(row.get("symbol") != symbol for row in exchange.get_positions()),
            "get_positions leaves flat ones out",
        )
        if left is not None:
            # Whatever the check has opened it ends.
            exchange.close_position(symbol, "SELL", abs(_decimal(left.get("positionAmt")) or size))

    def _raises(self, call: Callable[[], Any]) -> bool:
        try:
            call()
        except self._refusals:
            return True
        return False

    def _held(self, what: str, size: int) -> Iterator[str]:
        found = self._exchange.get_position(self._symbol)
        if found is None:
            yield f"after {what} get_position answers the position"
            return
        amount = found.get("positionAmt")
        yield from _unless(
            isinstance(amount, str) and _decimal(amount) == size,
            f"after {what} positionAmt is the signed size",
        )
        yield from _unless(found.get("symbol") == self._symbol, "positions have the symbol as it was written")
        yield from _unless((_decimal(found.get("entryPrice")) or 0) > 0, "entryPrice is the price of one")


def _acknowledged(ack: Any, method: str) -> Iterator[str]:
    yield from _unless(
        isinstance(ack, dict) and bool(ack.get("orderId")) and bool(ack.get("status")),
        f"{method} answers orderId and status",
    )


def _unless(holds: bool, claim: str) -> Iterator[str]:  # noqa: FBT001  (a claim and whether it holds)
    if not holds:
        yield claim


def _decimal(value: Any) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _nothing() -> None:
    """Wait for nothing."""
