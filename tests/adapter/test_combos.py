"""Several legs leave as one order, or nothing does; and no close is surprised by one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from scripted import Floor, contract, option

from ibkr_adapter.errors import (
    AmbiguousContract,
    ConfigurationError,
    ContractError,
    ContractNotFound,
    InvalidOrder,
    MarketClosed,
    OrderRejected,
)
from ibkr_adapter.model.combo import Combo, ComboLeg, Shape, calendar, iron_condor, vertical
from ibkr_adapter.model.order import OrderType, Side, Tif

SPY, QQQ = 756733, 320227571
PUT_380, PUT_390, CALL_410, CALL_420 = 11, 12, 13, 14
SAP, SIE, VOD, BP = 21, 22, 23, 24
PAIR = "28812380;;;756733/1,320227571/-1"
# From 04:00 to 20:00 in New York.
TWO_DAYS = {
    day: {"liquid_hours": [{"opening": opening, "closing": opening + 57600}]}
    for day, opening in (("20261124", 1795510800), ("20261125", 1795597200))
}


@pytest.fixture
def floor(tmp_path):
    made = Floor(
        tmp_path,
        contract(SPY, "SPY"),
        contract(QQQ, "QQQ"),
        option(PUT_380, 380, "PUT"),
        option(PUT_390, 390, "PUT"),
        option(CALL_410, 410, "CALL"),
        option(CALL_420, 420, "CALL"),
        option(15, 410, "CALL", expiry="20270115"),
        option(16, 410, "CALL", expiry="20261120"),
        contract(SAP, "SAP", currency="EUR", valid_exchanges="IBIS"),
        contract(SIE, "SIE", currency="EUR", valid_exchanges="IBIS"),
        contract(VOD, "VOD", currency="GBP", valid_exchanges="SMART,LSE"),
        contract(BP, "BP", currency="GBP", valid_exchanges="LSE,SMART"),
    )
    yield made
    made.close()


def pair(*changes):
    return [{"symbol": "SPY", "ratio": 1}, {"symbol": "QQQ", "ratio": -1}, *changes]


# What leaves -------------------------------------------------------------------------------------


def test_legs_by_name_become_one_order(floor):
    ack = floor.exchange().place_combo_order(pair(), "buy", 3, "-50.25")

    (ticket,) = floor.broker.tickets
    assert ticket == {
        "acctId": "DU1234567",
        "conidex": PAIR,
        "orderType": "LMT",
        "side": "BUY",
        "quantity": 3,
        "tif": "DAY",
        "price": -50.25,
        "cOID": "ibka-00000001",
    }
    assert ack["orderId"] == "1370093239"
    assert (ack["symbol"], ack["conidex"], ack["quantity"]) == ("+1 SPY, -1 QQQ", PAIR, 3)
    assert ack["legs"][1] == {"symbol": "QQQ", "conid": QQQ, "ratio": -1}


@pytest.mark.parametrize(
    "legs",
    [
        [("SPY", 1), ("QQQ", -1)],
        [("SPY", 1), (QQQ, -1)],
        [{"conid": SPY, "ratio": "1"}, {"conid": str(QQQ), "side": "sell"}],
        [{"symbol": "SPY", "side": "BUY", "ratio": 1}, ("conid:320227571", "-1")],
        [ComboLeg(contract="SPY"), ComboLeg(contract=QQQ, ratio=-1)],
    ],
)
def test_legs_may_be_written_in_several_ways(floor, legs):
    floor.exchange().place_combo_order(legs, "buy", 1, 1)

    assert floor.broker.tickets[0]["conidex"] == PAIR


@pytest.mark.parametrize(
    ("side", "price", "sent"),
    [("buy", "0", 0), ("sell", "-0.001", 0), ("buy", "-0.001", -0.01), ("sell", "4.131", 4.14)],
)
def test_a_net_price_may_be_zero_or_negative_and_snaps_to_the_passive_side(floor, side, price, sent):
    """A buyer pays no more and is paid no less than was asked."""
    ack = floor.exchange().place_combo_order(pair(), side, 1, price)

    assert floor.broker.tickets[0]["price"] == ack["price"] == sent


def test_ratios_are_reduced_and_mean_the_same(floor):
    """Two of 1:-1 at half the price are one of 2:-2."""
    floor.exchange().place_combo_order([("SPY", 4), ("QQQ", -2)], "buy", 5, 30)

    (ticket,) = floor.broker.tickets
    assert ticket["conidex"] == "28812380;;;756733/2,320227571/-1"
    assert (ticket["quantity"], ticket["price"]) == (10, 15)


def test_the_typed_desk_reduces_ratios_too_and_prices_each(floor):
    legs = [ComboLeg(contract=SPY, ratio=2), ComboLeg(contract=QQQ, ratio=-2)]

    floor.exchange().orders.place_combo(
        legs, side=Side.SELL, quantity=Decimal(5), limit_price=Decimal("3.00")
    )

    (ticket,) = floor.broker.tickets
    assert (ticket["conidex"], ticket["quantity"], ticket["price"]) == (PAIR, 10, 1.5)


@pytest.mark.parametrize("both", [True, False])
def test_outside_hours_all_legs_must_allow_it(floor, both):
    floor.broker.contracts[SPY]["rules"]["orderTypesOutside"] = ["limit"]
    floor.broker.contracts[QQQ]["rules"]["orderTypesOutside"] = ["limit"] if both else []

    floor.exchange(outside_rth=True).place_combo_order(pair(), "buy", 1, 1)

    assert ("outsideRTH" in floor.broker.tickets[0]) is both


def test_a_combination_is_put_together_without_sending_anything(floor):
    ibkr = floor.exchange()

    combo = ibkr.orders.combo(iron_condor(PUT_380, PUT_390, CALL_410, CALL_420))
    ibkr.orders.place_combo(
        combo, side=Side.BUY, quantity=Decimal(2), limit_price=Decimal("-1.20"), tif="gtc"
    )

    assert isinstance(combo, Combo)
    assert (combo.shape, combo.currency, combo.factor) == (Shape.IRON_CONDOR, "USD", 1)
    assert combo.conidex == "28812380;;;11/1,12/-1,13/-1,14/1"
    assert combo.text.startswith("+1 SPY 20261218PUT380, -1 ")
    (ticket,) = floor.broker.tickets
    assert (ticket["conidex"], ticket["price"], ticket["tif"]) == (combo.conidex, -1.2, "GTC")


def test_other_currencies_name_an_exchange(floor):
    """The one that all legs have in common, or the one that is asked for."""
    ibkr = floor.exchange()

    assert ibkr.orders.combo([ComboLeg(contract=VOD), ComboLeg(contract=BP)]).conidex == (
        "58666491@SMART;;;23/1,24/1"
    )
    assert (
        "@LSE;;;"
        in ibkr.orders.combo([ComboLeg(contract=VOD), ComboLeg(contract=BP)], exchange="lse").conidex
    )


def test_settings_supply_what_ibkr_does_not_publish(floor):
    legs = [ComboLeg(contract=SAP), ComboLeg(contract=SIE, ratio=-1)]

    assert floor.exchange(spread_conids={"eur": 777}).orders.combo(legs).conidex == "777@IBIS;;;21/1,22/-1"
    with pytest.raises(ConfigurationError, match="that of AUD"):
        floor.exchange(spread_conids={"EUR": 61227077}).orders.combo(legs)


def test_a_market_combination_is_looked_at_once(floor):
    ack = floor.exchange().place_combo_order(vertical(CALL_410, CALL_420), "sell", 1)

    (ticket,) = floor.broker.tickets
    assert (ticket["orderType"], ticket["side"], "price" in ticket) == ("MKT", "SELL", False)
    assert ack["status"] == "filled"


# What does not leave -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("legs", "words"),
    [
        ([("SPY", 1)], "at least two legs, not 1"),
        ([], "at least two legs, not 0"),
        ([("SPY", 1), (SPY, -1)], r"SPY \(contract 756733\) is a leg twice"),
        ([("SPY", 1), ("QQQ", 0)], "the ratio 0 of QQQ is no ratio"),
        ([("SPY", 1), ("QQQ", "1.5")], "is no whole number"),
        ([("SPY", 1), ("QQQ", True)], "is no whole number"),
        ([("SPY", 1), (VOD, -1)], r"are in one currency.*SPY in USD, VOD in GBP"),
        ([(SAP, 1), (SIE, -1)], r"no spread contract for EUR \(61227077"),
        (vertical(CALL_410, PUT_380), "this is no vertical: its legs are a call, a put"),
        (calendar(15, CALL_410), "this is no calendar: its first leg does not expire before"),
        ("SPY", "no legs of a combination"),
        ({"symbol": "SPY"}, "no legs of a combination"),
        (5, "no legs of a combination"),
        (["SPY", "QQQ"], "is no leg of a combination"),
        ([("SPY", 1, 2), ("QQQ", 1)], "is no leg of a combination"),
        ([(None, 1), ("QQQ", 1)], "names no leg"),
        ([{"symbol": "SPY", "conid": 5}, ("QQQ", 1)], "either a symbol or a conid"),
        ([{"ratio": 1}, ("QQQ", 1)], "either a symbol or a conid"),
        ([{"conid": "x"}, ("QQQ", 1)], "is no contract id"),
        ([{"symbol": "SPY", "qty": 1}, ("QQQ", 1)], "a leg has qty, which is not known"),
        ([{"symbol": "SPY", "ratio": -1, "side": "sell"}, ("QQQ", 1)], "a side or a negative ratio"),
        ([{"symbol": "SPY", "side": "up"}, ("QQQ", 1)], "is no side"),
    ],
)
def test_what_is_no_combination_is_refused_and_nothing_is_sent(floor, legs, words):
    with pytest.raises(InvalidOrder, match=words) as refused:
        floor.exchange().place_combo_order(legs, "buy", 1, 1)

    assert "nothing was sent" in str(refused.value).lower()
    assert floor.broker.tickets == []


@pytest.mark.parametrize(
    ("quantity", "price"), [(0, 1), ("0.5", 1), ("-1", 1), (1, "NaN"), (1, "x"), (1, True), ("Infinity", 1)]
)
def test_senseless_numbers_are_refused(floor, quantity, price):
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        floor.exchange().place_combo_order(pair(), "buy", quantity, price)

    assert floor.broker.tickets == []


def test_a_leg_must_be_one_contract_that_still_trades(floor):
    ibkr = floor.exchange()

    with pytest.raises(ContractNotFound):
        ibkr.place_combo_order([("SPY", 1), ("NOPE", -1)], "buy", 1, 1)
    with pytest.raises(ContractError, match="expired on 2026-11-20"):
        ibkr.place_combo_order([(16, 1), (CALL_420, -1)], "buy", 1, 1)
    floor.broker.listings["ABC"] = SPY
    two = [{"conid": 1, "exchange": "NYSE", "isUS": True}, {"conid": 2, "exchange": "AMEX", "isUS": True}]
    plain = floor.broker.answer

    def twice(method, path, query, content):
        if path == "/trsrv/stocks" and query["symbols"] == "ABC":
            return 200, {"ABC": [{"name": "ABC", "contracts": two}]}
        return plain(method, path, query, content)

    floor.broker.answer = twice
    with pytest.raises(AmbiguousContract):
        ibkr.place_combo_order([("SPY", 1), ("ABC", -1)], "buy", 1, 1)

    assert floor.broker.tickets == []


def test_every_leg_keeps_its_own_rules(floor):
    floor.broker.contracts[QQQ]["rules"]["orderTypes"] = ["limit"]
    ibkr = floor.exchange()

    with pytest.raises(InvalidOrder, match="QQQ does not take orders of type MKT"):
        ibkr.place_combo_order(pair(), "buy", 1)
    with pytest.raises(InvalidOrder, match="does not take the time in force FOK"):
        ibkr.orders.place_combo(
            [ComboLeg(contract=SPY), ComboLeg(contract=QQQ)], side=Side.BUY, quantity=Decimal(1), tif="FOK"
        )

    assert floor.broker.tickets == []


@pytest.mark.parametrize(
    ("quantity", "price"),
    [(Decimal("1.5"), None), (Decimal(1), Decimal("1.005")), (Decimal(1), Decimal("NaN"))],
)
def test_the_typed_desk_refuses_what_it_would_have_to_round(floor, quantity, price):
    with pytest.raises(InvalidOrder, match="othing was sent"):
        floor.exchange().orders.place_combo(
            [ComboLeg(contract=SPY), ComboLeg(contract=QQQ)],
            side=Side.BUY,
            quantity=quantity,
            limit_price=price,
        )

    assert floor.broker.tickets == []


@pytest.mark.parametrize("exchanges", ["", "LSE,CHIX"])
def test_without_a_common_exchange_one_must_be_named(floor, exchanges):
    floor.broker.contracts[VOD]["valid_exchanges"] = exchanges
    floor.broker.contracts[BP]["valid_exchanges"] = "LSE,CHIX"
    ibkr = floor.exchange()
    legs = [ComboLeg(contract=VOD), ComboLeg(contract=BP, ratio=-1)]

    with pytest.raises(InvalidOrder, match="its legs share") as refused:
        ibkr.orders.combo(legs)

    assert refused.value.remedy == "Name the exchange."
    assert "@LSE;;;" in ibkr.orders.combo(legs, exchange="LSE").conidex


def test_a_combination_itself_and_legs_without_currency_are_no_legs(floor):
    ibkr = floor.exchange()
    floor.broker.contracts[31] = contract(31, "BAGGY", "BAG")
    for conid in (SPY, QQQ):
        floor.broker.contracts[conid]["currency"] = None

    with pytest.raises(InvalidOrder, match="BAGGY is a combination itself"):
        ibkr.place_combo_order([(31, 1), (VOD, 1)], "buy", 1, 1)
    with pytest.raises(InvalidOrder, match="are in one currency"):
        ibkr.place_combo_order([(SPY, 1), (QQQ, 1)], "buy", 1, 1)


def test_a_combination_takes_no_bracket(floor):
    """Its exits would be on what no position shows."""
    ibkr = floor.exchange()
    combo = ibkr.orders.combo(vertical(CALL_410, CALL_420))

    for what in (combo, vertical(CALL_410, CALL_420), pair()):
        with pytest.raises(InvalidOrder, match="no bracket, exits or close of its own") as refused:
            ibkr.place_bracket_order(what, "buy", "limit", 1, 1, stop_loss_price="0.5")
        assert "place_combo_order" in refused.value.remedy
    with pytest.raises(InvalidOrder, match="no bracket, exits or close"):
        ibkr.close_position(combo)

    assert floor.broker.tickets == []


def test_short_legs_need_the_setting(floor):
    """Selling what is not held opens a short position, in a combination too."""
    ibkr = floor.exchange(allow_short=False)
    floor.broker.positions = {QQQ: 5}

    with pytest.raises(InvalidOrder, match="selling 6 QQQ with 5 held would open a short position"):
        ibkr.place_combo_order(pair(), "buy", 6, 1)
    ibkr.place_combo_order(pair(), "buy", 5, 1)

    assert len(floor.broker.tickets) == 1


def test_a_market_combination_waits_for_all_its_legs(floor):
    floor.broker.hours = {"exchange_time_zone": "US/Eastern", "schedules": TWO_DAYS}
    ibkr = floor.exchange()
    floor.clock.advance(11 * 3600)

    with pytest.raises(MarketClosed, match="SPY does not trade now"):
        ibkr.place_combo_order(pair(), "buy", 1)
    floor.broker.positions = {SPY: -2.0, QQQ: 2.0}
    ibkr.place_combo_order(pair(), "buy", 2)
    with pytest.raises(MarketClosed):
        ibkr.place_combo_order(pair(), "buy", 3)

    assert [ticket["quantity"] for ticket in floor.broker.tickets] == [2]


# What stands -------------------------------------------------------------------------------------


def test_a_combination_is_found_by_its_coid_and_listed_under_its_legs(floor):
    """Its row has no contract id of its own, and breaks no list."""
    ibkr = floor.exchange()
    ack = ibkr.place_combo_order(pair(), "buy", 1, 5)

    found = ibkr.find_order(ack["clientOrderId"])

    assert found["conidex"] == PAIR
    assert [order["orderId"] for order in ibkr.get_open_orders("QQQ")] == [ack["orderId"]]
    assert ibkr.get_open_orders("VOD") == []
    (order,) = ibkr.orders.live()
    assert order.legs == ((SPY, 1), (QQQ, -1))
    assert (order.moves(SPY), order.moves(QQQ), order.moves(5)) == (1, -1, 0)


def test_a_combination_can_be_modified_and_cancelled(floor):
    ibkr = floor.exchange()
    ack = ibkr.place_combo_order(pair(), "buy", 1, 5)

    ibkr.orders.modify(ack["orderId"], limit_price=Decimal("-2.5"))
    done = ibkr.cancel_order(None, ack["orderId"])

    (body,) = floor.broker.calls("POST", f"/order/{ack['orderId']}")
    assert (body["conidex"], body["price"], "conid" in body) == (PAIR, -2.5, False)
    assert done["status"] == "canceled"


def test_closing_a_leg_ends_our_combination_first(floor):
    """It would fill afterwards and open the leg again."""
    ibkr = floor.exchange()
    floor.broker.positions = {SPY: 5.0}
    ack = ibkr.place_combo_order(pair(), "sell", 5, 5)

    closed = ibkr.close_position("SPY")

    assert ibkr.get_order(None, ack["orderId"])["status"] == "canceled"
    assert closed["quantity"] == 5
    assert floor.broker.tickets[-1]["conid"] == SPY


def test_what_a_combination_filled_meanwhile_is_counted_by_its_ratio(floor):
    """Three of 2:-1 sold six of the first leg while they were being cancelled."""
    ibkr = floor.exchange()
    floor.broker.positions = {SPY: 10.0}
    ack = ibkr.place_combo_order([("SPY", 2), ("QQQ", -1)], "sell", 3, 5)
    plain = floor.broker.answer

    def crossing(method, path, query, content):
        if method == "DELETE":
            floor.broker.rows[0] |= {"status": "Filled", "filledQuantity": 3, "remainingQuantity": 0}
            floor.broker.positions[SPY] = 4.0
            return 200, {"msg": "Request was submitted", "order_id": int(ack["orderId"])}
        return plain(method, path, query, content)

    floor.broker.answer = crossing
    before = len(floor.broker.calls("GET", "/portfolio2"))
    closed = ibkr.close_position("SPY")

    assert closed["quantity"] == 4
    # The position is what the fills make it, so nobody waits for another figure.
    assert len(floor.broker.calls("GET", "/portfolio2")) - before == 2


def test_a_part_is_not_closed_while_a_combination_could_sell_more_than_remains(floor):
    ibkr = floor.exchange()
    floor.broker.positions = {SPY: 5.0}
    ibkr.place_combo_order(pair(), "sell", 5, 5)

    with pytest.raises(OrderRejected, match="trades in this contract, too, and more than would remain"):
        ibkr.close_position("SPY", "sell", 2)
    ibkr.place_stop_loss("SPY", "sell", 5, 300)

    assert [ticket["orderType"] for ticket in floor.broker.tickets] == ["LMT", "STP"]


def test_a_combination_that_was_placed_before_a_restart_is_still_ours(floor, tmp_path):
    ack = floor.exchange().place_combo_order(pair(), "buy", 1, 5)
    other = Floor(tmp_path)
    other.broker.contracts, other.broker.rows = floor.broker.contracts, floor.broker.rows
    other.broker.listings = floor.broker.listings

    done = other.exchange().cancel_all_orders("QQQ")

    other.close()
    assert done == [{"orderId": ack["orderId"], "status": "canceled", "filledQuantity": 0}]


def test_a_lost_answer_to_a_combination_is_looked_up(floor):
    """By its cOID, like any other order's."""
    ibkr = floor.exchange()
    plain = floor.broker.answer

    def losing(method, path, query, content):
        answer = plain(method, path, query, content)
        return (
            (503, {"error": "Service Unavailable"})
            if path.endswith("/orders") and method == "POST"
            else answer
        )

    floor.broker.answer = losing
    ack = ibkr.place_combo_order(pair(), "buy", 1, 5)

    assert ack["orderId"] == "1370093239"
    assert len(floor.broker.tickets) == 1


def test_an_ordinary_order_is_no_combination(floor):
    floor.exchange().orders.place(
        "SPY",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        limit_price=Decimal(400),
        tif=Tif.DAY,
    )

    assert floor.broker.tickets[0]["conid"] == SPY
    assert "conidex" not in floor.broker.tickets[0]
