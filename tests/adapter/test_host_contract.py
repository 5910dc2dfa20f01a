"""Adapters are held to the host's contract, and what breaks it is named."""

from __future__ import annotations

import pytest

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.host.contract import BaseExchange
from ibkr_adapter.host.testing import check_exchange


def check(world, kind=IBKRExchange):
    def factory():
        found = world.exchange()
        found.__class__ = kind
        return found

    return check_exchange(factory, settle=lambda: world.pass_time(2))


def test_our_own_adapter_conforms_and_leaves_nothing_behind(world):
    assert check(world) == []
    assert world.position() == 0
    assert world.working() == []
    assert isinstance(world.exchange(), BaseExchange)


class Flipped(IBKRExchange):
    """Turns the side of a target round, as some adapters do."""

    def place_take_profit(self, symbol, side, quantity, take_profit_price):
        return super().place_limit_order(symbol, "BUY", quantity, "163.00")


class Zero(IBKRExchange):
    def get_ticker(self, symbol):
        return {"symbol": symbol, "lastPrice": "0", "price": "0"}


class Numeric(IBKRExchange):
    def get_ticker(self, symbol):
        found = super().get_ticker(symbol)
        return found | {"lastPrice": float(found["lastPrice"])}


class Unsigned(IBKRExchange):
    def get_position(self, symbol):
        found = super().get_position(symbol)
        return found and {"symbol": symbol, "size": 1, "side": "long", "entryPrice": 1}


class Nameless(IBKRExchange):
    def _acknowledge(self, *args, **keywords):
        return super()._acknowledge(*args, **keywords) | {"status": None}


class Flat(IBKRExchange):
    def close_position(self, symbol, side, quantity=None):
        return {"orderId": "1", "status": "filled"}


class Shouting(IBKRExchange):
    exchange_name = "IBKR"


class Endless(IBKRExchange):
    def get_available_margin(self):
        return float("inf")


class Tupled(IBKRExchange):
    def get_balance(self):
        return {"USD": 1}


class Uncancelled(IBKRExchange):
    def cancel_order(self, symbol, order_id):
        return super().cancel_order(symbol, order_id) | {"status": "ok"}


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        (Flipped, "place_take_profit sends the side that it was given"),
        (Zero, "no price is an error, never 0"),
        (Numeric, "get_ticker answers lastPrice and price as decimal texts above 0"),
        (Unsigned, "after a buy positionAmt is the signed size"),
        (Nameless, "place_market_order answers orderId and status"),
        (Flat, "closing what is flat is an error"),
        (Shouting, "it has one name, in small letters"),
        (Endless, "get_available_margin answers a finite number"),
        (Tupled, "get_balance answers a list of rows"),
        (Uncancelled, "cancel_order answers orderId and canceled"),
    ],
)
def test_what_breaks_the_contract_is_named(world, kind, claim):
    """Each of these was seen in an adapter of some host's."""
    assert any(broken.startswith(claim) for broken in check(world, kind))


def test_an_adapter_without_a_method_is_told_which(world):
    class Half:
        exchange_name = "half"

        def get_exchange_name(self):
            return "half"

    (broken,) = check_exchange(Half)

    assert "place_market_order" in broken
    assert "close" in broken


def test_a_check_does_not_touch_a_position_that_is_there(world):
    world.exchange().place_market_order("AAPL", "BUY", 1)
    world.pass_time(2)

    with pytest.raises(ConfigurationError, match="there is a position in AAPL"):
        check(world)

    assert world.position() == 1
