"""Orders and fills are read back as they stand; what is not known of one is not made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.order import Fill, Order, OrderState, OrderType, Side, Tif, TrailingUnit
from ibkr_adapter.wire.order_rows import (
    LIVE,
    STATUS,
    TRADES,
    read_live_orders,
    read_order_status,
    read_trades,
)
from ibkr_adapter.wire.response import decipher

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "orders"
recorded = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout"
)

ROW = {
    "acct": "U1234567",
    "account": "U1234567",
    "conidex": "756733",
    "conid": 756733,
    "orderId": 473740665,
    "sizeAndFills": "3/2",
    "orderDesc": "Sell 5 SPY Limit, Day",
    "ticker": "SPY",
    "remainingQuantity": Decimal("2.0"),
    "filledQuantity": Decimal("3.0"),
    "totalSize": Decimal("5.0"),
    "status": "Submitted",
    "order_ccp_status": "Submitted",
    "avgPrice": "647.09",
    "origOrderType": "LIMIT",
    "lastExecutionTime": "260401234047",
    "orderType": "Limit",
    "price": "647.00",
    "timeInForce": "CLOSE",
    "lastExecutionTime_r": 1775086847000,
    "side": "SELL",
    "order_ref": "ibka-1",
    "parentId": 46184813,
    "ocaGroupId": "46184813",
    "outsideRTH": True,
}
STATE = {
    "order_id": 1799796559,
    "conidex": "265598",
    "conid": 265598,
    "symbol": "AAPL",
    "side": "S",
    "size": "2.0",
    "total_size": "5.0",
    "account": "U1234567",
    "order_type": "STOP_LIMIT",
    "limit_price": "139.50",
    "stop_price": "140.00",
    "cum_fill": "3.0",
    "order_status": "Submitted",
    "order_ccp_status": "1",
    "tif": "GTC",
    "outside_rth": False,
    "average_price": "139.60",
    "order_time": "231211180049",
    "oca_group_id": "46184813",
}
TRADE = {
    "execution_id": "0000e0d5.6576fd38.01.01",
    "symbol": "AAPL",
    "side": "S",
    "trade_time": "20231211-18:00:49",
    "trade_time_r": 1702317649000,
    "size": Decimal("5.0"),
    "price": "192.26",
    "order_ref": "Order123",
    "exchange": "ISLAND",
    "commission": "1.01",
    "net_amount": Decimal("961.3"),
    "account": "U1234567",
    "conid": 265598,
    "conidEx": "265598",
    "order_id": 17437897932,
    "sec_type": "STK",
}


def live(**changed):
    (order,) = read_live_orders({"orders": [ROW | changed], "snapshot": True}).orders
    return order


def status(**changed):
    return read_order_status(STATE | changed, "1799796559")


def trade(**changed):
    (fill,) = read_trades([TRADE | changed])
    return fill


def without(row, *keys):
    return {key: value for key, value in row.items() if key not in keys}


# Live orders -----------------------------------------------------------------------------------


def test_a_live_order_is_read():
    """The quantities come from the floats; ``sizeAndFills`` is prose."""
    assert live() == Order(
        order_id="473740665",
        account="U1234567",
        conid=756733,
        symbol="SPY",
        side=Side.SELL,
        order_type=OrderType.LIMIT,
        type_text="Limit",
        state=OrderState.SUBMITTED,
        quantity=Decimal(5),
        filled=Decimal(3),
        remaining=Decimal(2),
        tif=Tif.DAY,
        limit_price=Decimal("647.00"),
        average_price=Decimal("647.09"),
        coid="ibka-1",
        parent_id="46184813",
        oca_group="46184813",
        outside_rth=True,
        updated=datetime(2026, 4, 1, 23, 40, 47, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("content", "count", "valid"),
    [
        ({"orders": [], "snapshot": False}, 0, False),
        ({"orders": []}, 0, True),
        ({"orders": [], "snapshot": True}, 0, True),
        ({"orders": [], "snapshot": "true"}, 0, False),
        ({"orders": [], "snapshot": None}, 0, False),
        ({"orders": [ROW], "snapshot": False}, 1, True),
        ({"orders": [ROW], "snapshot": True}, 1, True),
        ([ROW], 1, True),
        ([], 0, True),
    ],
)
def test_empty_means_none_in_a_snapshot_or_where_nothing_is_said_of_one(content, count, valid):
    """The first read of a session is empty whatever stands; rows without a snapshot do count."""
    found = read_live_orders(content)

    assert (len(found.orders), found.valid) == (count, valid)


@pytest.mark.parametrize("content", [None, {}, {"orders": None}, {"orders": {}}, "x", {"error": "no bridge"}])
def test_live_orders_in_another_shape_are_an_error(content):
    """Read as "none", they would let an order be sent twice."""
    with pytest.raises(UnexpectedAnswer, match="nothing is known") as refused:
        read_live_orders(content)

    assert refused.value.endpoint == LIVE


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"orderId": None}, "has no order id"),
        ({"orderId": True}, "has no order id"),
        ({"orderId": " "}, "has no order id"),
        ({"side": "HOLD"}, "unknown side"),
        ({"side": None}, "unknown side"),
        ({"status": "Sumbitted"}, "state nobody knows"),
        ({"status": None}, "state nobody knows"),
        ({"status": ["Filled"]}, "state nobody knows"),
        ({"status": "Filled?"}, "state nobody knows"),
        ({"status": ""}, "state nobody knows"),
        ({"conid": None}, "without a contract id"),
        ({"conid": 2147483647}, "without a contract id"),
        ({"totalSize": None, "filledQuantity": None}, "without its quantities"),
        ({"remainingQuantity": "", "filledQuantity": None}, "without its quantities"),
    ],
)
def test_a_row_that_lacks_what_counts_is_an_error(changed, words):
    """A guessed side, state or size moves money the wrong way."""
    with pytest.raises(UnexpectedAnswer, match=words) as refused:
        live(**changed)

    assert refused.value.endpoint == LIVE


def test_a_row_that_is_no_object_is_an_error():
    """It may have been an order."""
    with pytest.raises(UnexpectedAnswer, match="no object"):
        read_live_orders([ROW, None])


@pytest.mark.parametrize("side", ["ASSN", "exer", "X", "N", "EXPIRED"])
def test_what_nobody_ordered_is_left_out(side):
    """Assignments and expiries stand among the orders and cannot be cancelled."""
    found = read_live_orders({"orders": [ROW | {"side": side}, ROW], "snapshot": True})

    assert [order.side for order in found.orders] == [Side.SELL]
    assert read_trades([TRADE | {"side": side}]) == ()


@pytest.mark.parametrize(
    ("word", "side"),
    [
        ("BUY", Side.BUY),
        ("B", Side.BUY),
        ("BOT", Side.BUY),
        ("S", Side.SELL),
        ("SLD", Side.SELL),
        ("sell", Side.SELL),
    ],
)
def test_sides_are_read_in_every_spelling(word, side):
    """Each endpoint has its own."""
    assert live(side=word).side is status(side=word).side is trade(side=word).side is side


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *((state.value, state) for state in OrderState),
        ("Pre Submitted", OrderState.PRE_SUBMITTED),
        ("pre_submitted", OrderState.PRE_SUBMITTED),
        ("ApiCancelled", OrderState.CANCELLED),
        ("Canceled", OrderState.CANCELLED),
    ],
)
def test_states_are_read_in_every_spelling(word, state):
    """Filters and rows spell them differently."""
    assert live(status=word).state is status(order_status=word).state is state


@pytest.mark.parametrize(
    ("original", "shown", "kind"),
    [
        ("LIMIT", "Limit", OrderType.LIMIT),
        ("MARKET", "Market", OrderType.MARKET),
        ("STOP", "Stop", OrderType.STOP),
        (None, "Stop Limit", OrderType.STOP_LIMIT),
        (None, "STP LMT", OrderType.STOP_LIMIT),
        ("STOP_LIMIT", "", OrderType.STOP_LIMIT),
        ("TRAIL", "Trailing Stop", OrderType.TRAIL),
        ("TRAILLMT", None, OrderType.TRAIL_LIMIT),
        ("MIDPRICE", "MidPrice", None),
        (None, None, None),
        ("?", "Limit", OrderType.LIMIT),
    ],
)
def test_types_are_read_and_unknown_ones_tolerated(original, shown, kind):
    """A type is a description: an order of another client must not hide ours."""
    assert live(origOrderType=original, orderType=shown).order_type is kind


@pytest.mark.parametrize(
    ("kind", "changed", "limit", "stop"),
    [
        ("STOP", {"price": "140.00"}, None, "140.00"),
        ("STOP", {"price": "", "auxPrice": "140.00"}, None, "140.00"),
        ("STOP", {"price": "141", "stop_price": Decimal(140)}, None, "140"),
        ("STOP_LIMIT", {"price": "139", "auxPrice": "140"}, "139", "140"),
        ("LIMIT", {"price": 372}, "372", None),
        ("LIMIT", {"price": "372", "auxPrice": "0.00"}, "372", None),
        ("LIMIT", {"price": "372", "auxPrice": "372"}, "372", None),
        ("MARKET", {"price": ""}, None, None),
        ("MARKET", {"price": "0.0"}, None, None),
        ("TRAIL", {"price": "140", "auxPrice": "138"}, None, "138"),
        ("MIDPRICE", {"price": "140", "auxPrice": "138"}, "140", "138"),
    ],
)
def test_an_order_has_the_prices_of_its_type(kind, changed, limit, stop):
    """Rows repeat one price in the place of the other; a ticket made of that would be refused."""
    order = live(origOrderType=kind, orderType=None, **changed)

    assert (order.limit_price, order.stop_price) == (
        limit and Decimal(limit),
        stop and Decimal(stop),
    )


@pytest.mark.parametrize(
    ("total", "filled", "remaining", "sizes"),
    [
        ("5", "3", "2", (5, 3, 2)),
        (None, "3", "2", (5, 3, 2)),
        ("5", None, "2", (5, 3, 2)),
        ("5", "3", None, (5, 3, 2)),
        ("5", 0, "5", (5, 0, 5)),
    ],
)
def test_one_missing_quantity_follows_from_the_others(total, filled, remaining, sizes):
    """Two of three say all; less says nothing."""
    order = live(totalSize=total, filledQuantity=filled, remainingQuantity=remaining)

    assert (order.quantity, order.filled, order.remaining) == sizes


def test_nothing_filled_has_no_average():
    """A zero there is no price."""
    assert live(filledQuantity=0, avgPrice="0").average_price is None
    assert live(filledQuantity=0, avgPrice="647").average_price is None
    assert live(avgPrice="").average_price is None
    assert live(avgPrice=["647"]).average_price is None
    assert status(average_price="", avg_fill_price="139.61").average_price == Decimal("139.61")


@pytest.mark.parametrize(
    ("changed", "distance", "unit"),
    [
        ({"trailingAmt": "2.5", "trailingType": "%"}, Decimal("2.5"), TrailingUnit.PERCENT),
        ({"trailingAmt": 50, "trailingType": "amt"}, Decimal(50), TrailingUnit.AMOUNT),
        ({"trailingType": "points"}, None, None),
        ({}, None, None),
    ],
)
def test_a_trailing_distance_is_read_where_it_is_given(changed, distance, unit):
    """A modification must repeat it."""
    order = live(origOrderType="TRAIL", **changed)

    assert (order.trailing, order.trailing_unit) == (distance, unit)


def test_what_merely_describes_may_be_missing():
    """Orders of other clients carry no cOID, children of ours neither."""
    row = {
        "order_id": "5",
        "conid": "756733",
        "totalSize": "1",
        "filledQuantity": "0",
        "status": "Cancelled",
        "side": "B",
        "description1": "SPY <b>",
        "account": "DU1",
        "outsideRTH": "yes",
        "timeInForce": "AUC",
        "lastExecutionTime": "260401234047",
        "order_cancellation_by_system_reason": "Cancelled by System: order expired",
    }

    (order,) = read_live_orders([row]).orders

    assert (order.order_id, order.account, order.symbol) == ("5", "DU1", "SPY")
    assert (order.coid, order.parent_id, order.oca_group, order.order_type) == (None, None, None, None)
    assert (order.tif, order.outside_rth, order.limit_price, order.type_text) == (None, None, None, "")
    assert order.reason == "Cancelled by System: order expired"
    assert order.updated == datetime(2026, 4, 1, 23, 40, 47, tzinfo=UTC)


# Order status ----------------------------------------------------------------------------------


def test_an_order_status_is_read():
    """``size`` is what remains, and every number is a text."""
    assert status() == Order(
        order_id="1799796559",
        account="U1234567",
        conid=265598,
        symbol="AAPL",
        side=Side.SELL,
        order_type=OrderType.STOP_LIMIT,
        type_text="STOP_LIMIT",
        state=OrderState.SUBMITTED,
        quantity=Decimal(5),
        filled=Decimal(3),
        remaining=Decimal(2),
        tif=Tif.GTC,
        limit_price=Decimal("139.50"),
        stop_price=Decimal("140.00"),
        average_price=Decimal("139.60"),
        oca_group="46184813",
        outside_rth=False,
        updated=datetime(2023, 12, 11, 18, 0, 49, tzinfo=UTC),
    )


def test_an_order_status_has_other_names_on_other_servers():
    """Fallbacks, the documented names first."""
    row = without(STATE, "cum_fill", "size", "order_id", "symbol", "account", "average_price", "limit_price")
    other = row | {
        "orderId": "1799796559",
        "filled_quantity": "3.0",
        "remaining_quantity": "2.0",
        "contract_description_1": "AAPL",
        "order_clearing_account": "U1234567",
        "avg_fill_price": "139.60",
        "price": "139.50",
        "trailing_amount": "1",
        "trailing_amount_unit": "amt",
        "parent_id": 5,
    }

    order = read_order_status(other, "1799796559")

    assert (order.filled, order.remaining, order.average_price) == (3, 2, Decimal("139.60"))
    assert (order.limit_price, order.stop_price) == (Decimal("139.50"), Decimal("140.00"))
    assert (order.symbol, order.account, order.parent_id) == ("AAPL", "U1234567", "5")
    assert (order.trailing, order.trailing_unit) == (1, TrailingUnit.AMOUNT)


def test_an_order_status_may_come_under_its_id():
    """One server wraps it so."""
    wrapped = {"5": STATE, "1799796559": STATE}

    assert read_order_status(wrapped, "1799796559") == status()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "unknown shape"),
        ([STATE], "unknown shape"),
        ({}, "came for order None"),
        (STATE | {"order_id": 5}, "came for order 5"),
        (STATE | {"side": "X"}, "unknown side"),
        (without(STATE, "side"), "unknown side"),
        (STATE | {"order_status": "Working"}, "state nobody knows"),
        (STATE | {"conid": 0}, "without a contract id"),
        (without(STATE, "size", "cum_fill"), "without its quantities"),
    ],
)
def test_an_order_status_that_lacks_what_counts_is_an_error(content, words):
    """The status of another order is the worst of all answers."""
    with pytest.raises(UnexpectedAnswer, match=words) as refused:
        read_order_status(content, "1799796559")

    assert refused.value.endpoint == STATUS


# Trades ----------------------------------------------------------------------------------------


def test_a_fill_is_read():
    """Prices are texts, sizes numbers, and order ids wider than 32 bits."""
    assert trade() == Fill(
        execution_id="0000e0d5.6576fd38.01.01",
        order_id="17437897932",
        coid="Order123",
        account="U1234567",
        conid=265598,
        symbol="AAPL",
        side=Side.SELL,
        quantity=Decimal(5),
        price=Decimal("192.26"),
        commission=Decimal("1.01"),
        time=datetime(2023, 12, 11, 18, 0, 49, tzinfo=UTC),
        exchange="ISLAND",
        sec_type=SecType.STOCK,
    )


def test_a_fill_may_lack_what_describes_it():
    """One recording has nothing but what counts; a missing commission is no zero."""
    row = {key: TRADE[key] for key in ("execution_id", "side", "size", "price", "conid", "trade_time")}

    (fill,) = read_trades([row | {"size": "-5", "accountCode": "DU1"}])

    assert (fill.order_id, fill.coid, fill.commission, fill.exchange) == (None, None, None, "")
    assert (fill.quantity, fill.account) == (5, "DU1")
    assert fill.time == datetime(2023, 12, 11, 18, 0, 49, tzinfo=UTC)


def test_a_fill_counts_once():
    """Fills are repeated; a correction has an execution id of its own."""
    corrected = TRADE | {"execution_id": "0000e0d5.6576fd38.01.02", "price": "192.25"}

    fills = read_trades([TRADE, TRADE, corrected])

    assert [fill.price for fill in fills] == [Decimal("192.26"), Decimal("192.25")]


@pytest.mark.parametrize("content", [None, {}, {"trades": []}, "x"])
def test_trades_in_another_shape_are_an_error(content):
    """Read as "none", they would prove an order absent."""
    with pytest.raises(UnexpectedAnswer, match="nothing is known") as refused:
        read_trades(content)

    assert refused.value.endpoint == TRADES


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, "no object"),
        (without(TRADE, "execution_id"), "no fill was guessed"),
        (TRADE | {"size": "N/A"}, "no fill was guessed"),
        (TRADE | {"price": ""}, "no fill was guessed"),
        (TRADE | {"side": "?"}, "no fill was guessed"),
        (TRADE | {"conid": None}, "without a contract id"),
    ],
)
def test_a_fill_that_lacks_what_counts_is_an_error(row, words):
    """Half a fill makes a wrong position."""
    with pytest.raises(UnexpectedAnswer, match=words):
        read_trades([row])


# Laws ------------------------------------------------------------------------------------------

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["1", "5.0", "BUY", "S", "X", "Filled", "Submitted", "LIMIT", "TRAIL", "%", "260401234047"]
    )
)
anything = st.recursive(
    leaves,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=6,
)


def variations(row):
    """The row with some of its values replaced by anything, and others left out."""
    return st.tuples(
        st.dictionaries(
            st.sampled_from([*row, "auxPrice", "trailingAmt", "avg_fill_price"]), anything, max_size=6
        ),
        st.sets(st.sampled_from(list(row)), max_size=3),
    ).map(lambda pair: without(row | pair[0], *pair[1]))


@given(
    anything
    | st.lists(variations(ROW), max_size=3)
    | st.fixed_dictionaries({"orders": st.lists(variations(ROW))})
)
@example([ROW | {"avgPrice": {}}])
@example([ROW | {"avgPrice": []}])
def test_live_orders_are_read_or_refused(content):
    """The one error that a caller expects, and no order with a size or a state that was not there."""
    try:
        found = read_live_orders(content)
    except UnexpectedAnswer:
        return

    for order in found.orders:
        assert order.state in OrderState
        assert order.conid > 0
        assert order.order_id
        assert order.limit_price != 0
        assert order.average_price is None or order.filled


@given(anything | variations(STATE))
@example(STATE | {"average_price": []})
def test_an_order_status_is_read_or_refused(content):
    """As above; and it is the one that was asked for."""
    try:
        order = read_order_status(content, "1799796559")
    except UnexpectedAnswer:
        return

    assert order.order_id == "1799796559"


@given(anything | st.lists(variations(TRADE), max_size=3))
def test_trades_are_read_or_refused(content):
    """As above; a fill is positive."""
    try:
        fills = read_trades(content)
    except UnexpectedAnswer:
        return

    assert len({fill.execution_id for fill in fills}) == len(fills)
    assert all(fill.quantity >= 0 and fill.side in Side for fill in fills)


# Recorded --------------------------------------------------------------------------------------


def body(name):
    found = json.loads((RECORDED / f"{name}.json").read_text())["body"]
    return decipher(200, "application/json", json.dumps(found).encode()).content


@pytest.mark.recorded
@recorded
def test_recorded_live_orders_are_read():
    """Two generations of clients and servers: an object with rows, and a bare list."""
    filled = read_live_orders(body("conduit-GET-live-orders"))
    empty = read_live_orders(body("conduit-GET-live-orders-empty"))
    working = read_live_orders(body("ibind-live_orders"))

    (order,) = filled.orders
    assert filled.valid
    assert (order.state, order.quantity, order.average_price) == (OrderState.FILLED, 1, Decimal("647.09"))
    assert (order.order_type, order.limit_price, order.tif) == (OrderType.MARKET, None, Tif.DAY)
    assert (empty.orders, empty.valid) == ((), False)
    assert working.orders[0].coid == "240103-SPY-1-BUY-L@457-bxv8"
    assert {order.limit_price for order in working.orders} >= {Decimal("457.00")}


@pytest.mark.recorded
@recorded
@pytest.mark.parametrize(
    ("name", "order_id", "state", "average"),
    [
        ("conduit-GET-order-status", "473740665", OrderState.FILLED, "647.09"),
        ("ibkrdotnet-order-status-trimmed", "245323648", OrderState.FILLED, "317.56"),
        ("ibind-order_status", "1210386759", OrderState.PRE_SUBMITTED, None),
        ("ibind-order_status", "1210386726", None, None),
    ],
)
def test_recorded_statuses_are_read(name, order_id, state, average):
    """Three servers, three sets of names."""
    order = read_order_status(body(name), order_id)

    assert order.order_id == order_id
    assert state is None or order.state is state
    assert order.average_price == (average and Decimal(average))
    assert order.quantity == order.filled + order.remaining == 1


@pytest.mark.recorded
@recorded
def test_recorded_trades_are_read():
    """The poorest row of all still makes a fill."""
    (fill,) = read_trades(body("conduit-GET-trades"))

    assert (fill.side, fill.quantity, fill.price) == (Side.BUY, 1, Decimal("647.09"))
    assert (fill.coid, fill.time, fill.commission) == ("Order123", None, None)
    assert read_trades(body("conduit-GET-trades-empty")) == ()


# Combinations ----------------------------------------------------------------------------------

PAIR = "28812380;;;756733/1,320227571/-1"


@pytest.mark.parametrize(
    ("changed", "conid"),
    [
        ({"conidex": PAIR, "conid": None, "secType": "BAG"}, 28812380),
        ({"conidex": PAIR, "conid": -1}, 28812380),
        ({"conidex": PAIR, "conid": 2147483647}, 28812380),
        ({"conidex": PAIR, "conid": 987654}, 987654),
        ({"conidex": None, "conidEx": PAIR, "conid": None}, None),
    ],
)
def test_a_combination_is_read_by_its_legs(changed, conid):
    """Its row may have no contract id, and must not make the whole list unreadable."""
    if conid is None:
        row = without(ROW | changed, "conidex")
        (order,) = read_live_orders({"orders": [row], "snapshot": True}).orders
        conid = 28812380
    else:
        order = live(**changed)

    assert (order.conid, order.sec_type, order.conidex) == (conid, SecType.COMBO, PAIR)
    assert order.legs == ((756733, 1), (320227571, -1))


def test_a_single_contract_has_no_legs():
    assert (live(secType="FUT").sec_type, live().legs, live().conidex) == (SecType.FUTURE, (), None)
    assert status(sec_type="FOP").sec_type is SecType.FUTURE_OPTION
    assert status(conidex=PAIR, conid=None).legs == ((756733, 1), (320227571, -1))


def test_a_row_that_names_nothing_is_an_error():
    with pytest.raises(UnexpectedAnswer, match="without a contract id"):
        live(conid=None, conidex="265598@ARCA")
