"""The host reads exactly these dictionaries: names, types and words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter import shapes
from ibkr_adapter.model.account import AccountSummary, LedgerRow, Position
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.market import Availability, Quote
from ibkr_adapter.model.order import (
    Fill,
    Leg,
    Order,
    OrderState,
    OrderType,
    Side,
    Ticket,
    Tif,
    TrailingUnit,
)

AT = datetime(2026, 3, 26, 14, 30, tzinfo=UTC)


def order(state=OrderState.SUBMITTED, **changed):
    plain = {
        "order_id": "123",
        "account": "DU1",
        "conid": 1,
        "symbol": "AAPL",
        "side": Side.SELL,
        "order_type": OrderType.LIMIT,
        "type_text": "Limit",
        "state": state,
        "quantity": Decimal(5),
        "filled": Decimal(0),
        "remaining": Decimal(5),
        "tif": Tif.GTC,
    }
    return Order(**plain | changed)


def leg(order_type=OrderType.LIMIT, **prices):
    ticket = Ticket(
        account="DU1",
        conid=1,
        side=Side.BUY,
        order_type=order_type,
        quantity=Decimal(5),
        tif=Tif.DAY,
        coid="ibka-1",
        **prices or {"limit_price": Decimal("150.25")},
    )
    return Leg(name="entry", order_id="123", ticket=ticket, state=OrderState.PRE_SUBMITTED)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("170.10", "170.1"),
        ("5", "5"),
        ("5.00", "5"),
        ("-5", "-5"),
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("100", "100"),
    ],
)
def test_a_decimal_text_has_neither_exponent_nor_idle_zeros(value, written):
    """Hosts compare such texts."""
    assert shapes.text(Decimal(value)) == written


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_a_text_is_worth_what_it_was(value):
    """No digit is lost on the way."""
    assert Decimal(shapes.text(value)) == value


@pytest.mark.parametrize(
    ("value", "written"), [(None, "null"), ("5.0", "5"), ("5.25", "5.25"), ("-1E+2", "-100")]
)
def test_a_number_is_a_json_number(value, written):
    """And a missing one stays missing."""
    assert json.dumps(shapes.number(None if value is None else Decimal(value))) == written


@pytest.mark.parametrize(
    ("word", "side"),
    [
        ("buy", Side.BUY),
        (" BUY ", Side.BUY),
        ("Long", Side.BUY),
        ("sell", Side.SELL),
        ("SHORT", Side.SELL),
        ("hold", None),
        ("", None),
        (None, None),
        (1, None),
    ],
)
def test_a_side_is_read_in_any_case(word, side):
    """One caller of the host writes it in lower case."""
    assert shapes.side_of(word) is side


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (OrderState.PENDING_SUBMIT, "pending"),
        (OrderState.PRE_SUBMITTED, "open"),
        (OrderState.SUBMITTED, "open"),
        (OrderState.FILLED, "filled"),
        (OrderState.PENDING_CANCEL, "pending"),
        (OrderState.PRE_CANCELLED, "pending"),
        (OrderState.CANCELLED, "canceled"),
        (OrderState.INACTIVE, "rejected"),
        (OrderState.WARN_STATE, "pending"),
        (OrderState.FAILED, "rejected"),
    ],
)
def test_every_state_has_a_word_that_the_host_knows(state, word):
    """An unknown word would hide an order from the host's guards."""
    assert shapes.status(order(state)) == word


@pytest.mark.parametrize(
    ("state", "filled", "reason", "word"),
    [
        (OrderState.SUBMITTED, 2, "", "partially_filled"),
        (OrderState.PRE_SUBMITTED, 2, "", "partially_filled"),
        (OrderState.SUBMITTED, 5, "", "open"),
        (OrderState.PENDING_CANCEL, 2, "", "pending"),
        (OrderState.CANCELLED, 2, "", "canceled"),
        (OrderState.CANCELLED, 0, "Cancelled by System: order Expired", "expired"),
        (OrderState.SUBMITTED, 0, "expired", "open"),
    ],
)
def test_fills_and_reasons_refine_the_word(state, filled, reason, word):
    """IBKR has no word of its own for a partial fill or an expiry."""
    assert shapes.status(order(state, filled=Decimal(filled), reason=reason)) == word


def test_the_balance_begins_with_the_base_currency():
    """The host takes the first row; the account's own figures stand there."""
    summary = AccountSummary(currency="EUR", available_funds=Decimal("900.5"), net_liquidation=Decimal(1000))
    ledger = tuple(
        LedgerRow(currency=currency, cash=cash, net_liquidation=Decimal(7))
        for currency, cash in (("BASE", Decimal(1)), ("EUR", Decimal(2)), ("USD", Decimal(3)), ("GBP", None))
    )

    rows = shapes.balance(ledger, summary)

    assert rows == [
        {"asset": "EUR", "availableBalance": 900.5, "balance": 1000},
        {"asset": "USD", "availableBalance": 3, "balance": 7},
        {"asset": "GBP", "availableBalance": None, "balance": 7},
    ]


def test_a_balance_without_a_currency_is_in_dollars():
    """The account's summary does not always name it; a missing figure is no zero."""
    assert shapes.balance((), AccountSummary(currency=None)) == [
        {"asset": "USD", "availableBalance": None, "balance": None}
    ]


def position(**changed):
    plain = {
        "account_id": "DU1",
        "conid": 265598,
        "symbol": "AAPL",
        "sec_type": SecType.STOCK,
        "currency": "USD",
        "quantity": Decimal(-5),
        "average_price": Decimal("170.12"),
        "market_price": Decimal("171.23"),
        "market_value": Decimal("-856.15"),
        "unrealised": Decimal("-5.55"),
    }
    return Position(**plain | changed)


def test_a_position_is_signed_and_has_no_unsigned_quantity():
    """A guard of the host reads ``quantity`` before ``positionAmt`` and takes its sign."""
    assert shapes.position(position(), "AAPL") == {
        "symbol": "AAPL",
        "positionAmt": "-5",
        "entryPrice": 170.12,
        "markPrice": 171.23,
        "unRealizedProfit": -5.55,
        "unrealizedProfit": -5.55,
        "notional": -856.15,
        "positionSide": "BOTH",
        "leverage": 1,
    }


@pytest.mark.parametrize(
    ("changed", "notional"),
    [
        ({"market_value": None}, -856.15),
        ({"market_value": None, "multiplier": Decimal(50)}, -42807.5),
        ({"market_value": None, "market_price": None}, None),
    ],
)
def test_a_missing_value_follows_from_price_and_size(changed, notional):
    """With the multiplier, which the host would forget."""
    assert shapes.position(position(**changed), "AAPL")["notional"] == notional


def quote(**changed):
    return Quote(**{"conid": 265598} | changed)


def test_a_ticker_is_made_of_texts():
    """The host parses them; a bid of nothing is missing, not zero."""
    shown = shapes.ticker(quote(bid=Decimal("171.20"), volume=Decimal(1_300_000)), Decimal("171.230"), "AAPL")

    assert (shown["symbol"], shown["lastPrice"], shown["price"]) == ("AAPL", "171.23", "171.23")
    assert (shown["bid"], shown["ask"], shown["volume"]) == ("171.2", None, 1_300_000)
    assert (shown["code"], shown["realTime"]) == (None, False)


@pytest.mark.parametrize(
    ("order_type", "prices", "word"),
    [
        (OrderType.LIMIT, {"limit_price": Decimal("150.25")}, "limit"),
        (OrderType.STOP, {"stop_price": Decimal(140)}, "stop"),
        (OrderType.STOP_LIMIT, {"limit_price": Decimal(139), "stop_price": Decimal(140)}, "stop_limit"),
        (
            OrderType.TRAIL,
            {"trailing": Decimal("1.5"), "trailing_unit": TrailingUnit.PERCENT},
            "trailing_stop",
        ),
    ],
)
def test_an_acknowledgement_tells_what_was_really_sent(order_type, prices, word):
    """Floored quantities and snapped prices, not what was asked for."""
    ack = shapes.acknowledgement(leg(order_type, **prices), "AAPL", "ibka-1")

    assert ack == {
        "orderId": "123",
        "status": "open",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": 5,
        "type": word,
        "price": shapes.number(prices.get("limit_price")),
        "stopPrice": shapes.number(prices.get("stop_price")),
        "clientOrderId": "ibka-1",
        **({"trailingPercent": 1.5} if order_type is OrderType.TRAIL else {}),
    }


def test_an_acknowledgement_tells_what_was_seen_since():
    """A market order has often filled by the time it is answered; a child has no cOID."""
    filled = order(OrderState.FILLED, filled=Decimal(5), average_price=Decimal("150.20"))

    ack = shapes.acknowledgement(leg(), "AAPL", None, filled)
    fresh = shapes.acknowledgement(leg(), "AAPL", None, order())

    assert (ack["status"], ack["avgPrice"]) == ("filled", 150.2)
    assert "clientOrderId" not in ack
    assert "avgPrice" not in fresh


def test_an_order_is_written_out():
    """Three spellings of the id, because three callers read it under three names."""
    found = order(
        filled=Decimal(2),
        remaining=Decimal(3),
        limit_price=Decimal("180.50"),
        average_price=Decimal("180.5"),
        coid="ibka-1",
        updated=AT,
    )

    assert shapes.order(found, "AAPL") == {
        "id": "123",
        "orderId": "123",
        "order_id": "123",
        "clientOrderId": "ibka-1",
        "symbol": "AAPL",
        "side": "sell",
        "type": "limit",
        "orderType": "limit",
        "status": "partially_filled",
        "quantity": 5,
        "filledQuantity": 2,
        "remainingQuantity": 3,
        "price": 180.5,
        "stopPrice": None,
        "avgFillPrice": 180.5,
        "createTime": "2026-03-26T14:30:00Z",
        "updateTime": "2026-03-26T14:30:00Z",
        "class": None,
        "parentId": None,
    }


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, None),
        ({"parent_id": "122", "oca_group": "122"}, "bracket"),
        ({"oca_group": "oco-122"}, "oco"),
    ],
)
def test_an_order_tells_what_it_belongs_to(changed, word):
    """Children of a bracket are a group as well."""
    assert shapes.order(order(**changed), "AAPL")["class"] == word


def test_an_order_of_an_unknown_type_keeps_its_own_word():
    """It was placed elsewhere and is shown, not hidden."""
    shown = shapes.order(order(order_type=None, type_text="Mid Price"), "AAPL")

    assert (shown["type"], shown["createTime"]) == ("mid_price", None)


def fill(**changed):
    plain = {
        "execution_id": "e.01",
        "order_id": "123",
        "coid": None,
        "account": "DU1",
        "conid": 1,
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": Decimal("5.0"),
        "price": Decimal("170.25"),
        "commission": Decimal("-1.01"),
        "time": AT,
    }
    return Fill(**plain | changed)


def test_a_fill_is_written_out():
    """Its commission is never negative, its time in two forms."""
    assert shapes.fill(fill(), "AAPL") == {
        "id": "e.01",
        "orderId": "123",
        "symbol": "AAPL",
        "side": "BUY",
        "qty": "5",
        "quantity": 5,
        "price": 170.25,
        "commission": 1.01,
        "commissionAsset": "USD",
        "time": "2026-03-26T14:30:00Z",
        "timestamp": 1774535400000,
        "realizedPnl": None,
        "isMaker": False,
    }


def test_a_fill_that_lacks_its_time_and_commission_says_so():
    """Nothing is put in their places."""
    shown = shapes.fill(fill(time=None, commission=None), "AAPL")

    assert (shown["time"], shown["timestamp"], shown["commission"]) == (None, None, None)


def test_everything_written_is_json():
    """The bridge sends these dictionaries to another language."""
    written = [
        shapes.position(position(), "AAPL"),
        shapes.ticker(quote(availability=Availability(code="RpB")), Decimal(5), "AAPL"),
        shapes.acknowledgement(leg(), "AAPL", None),
        shapes.order(order(), "AAPL"),
        shapes.fill(fill(), "AAPL"),
    ]

    assert json.loads(json.dumps(written, allow_nan=False)) == written
