"""Previews place nothing; sweeps go on after a failure and touch nobody else's."""

from __future__ import annotations

from decimal import Decimal

import pytest
from scripted import ACCOUNT, Floor, contract, option
from worlds import AAPL, MSFT

from ibkr_adapter.errors import ApiError, ContractError, GuardrailRefused, IBKRError, InvalidOrder
from ibkr_adapter.model.order import OrderState, OrderType, Side
from ibkr_adapter.model.preview import Shift

WHATIF = "POST /iserver/account/{accountId}/orders/whatif"
PLACE = "POST /iserver/account/{accountId}/orders"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"
PAIR = [("AAPL", 1), ("MSFT", -1)]


def limit(ibkr, price="164.50", quantity=12, **about):
    return ibkr.orders.preview(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        limit_price=Decimal(price),
        **about,
    )


def foreign(world, price=180, quantity=5, conid=AAPL, side="SELL"):
    (order_id,) = world.gateway.place_foreign(
        {"conid": conid, "side": side, "orderType": "LMT", "price": price, "quantity": quantity, "tif": "GTC"}
    )
    return order_id


# Previews -------------------------------------------------------------------------------------


def test_a_preview_tells_cost_and_margin_and_places_nothing(world, ibkr):
    preview = limit(ibkr)

    assert (preview.amount, preview.currency, preview.quantity) == (Decimal(1974), "USD", 12)
    assert (preview.commission, preview.total) == (1, Decimal(1975))
    assert preview.position == Shift(current=Decimal(0), change=Decimal(12), after=Decimal(12))
    assert preview.initial_margin.change > 0
    assert preview.would_be_taken
    assert world.orders() == []
    assert world.count(PLACE) == 0


def test_a_preview_asks_for_prices_first_so_that_it_does_not_warn(world, ibkr):
    """IBKR calls it blind trading otherwise."""
    assert limit(ibkr).warnings == ()

    sent = [path for _, path, _ in world.doorway.sent]
    assert sent.index("/iserver/marketdata/snapshot") < sent.index(
        f"/iserver/account/{ACCOUNT}/orders/whatif"
    )


def test_a_preview_uses_up_no_client_order_id_and_no_entry(world):
    """Nor do the kill switch, hours and limits stand in its way: it is a question."""
    ibkr = world.exchange(guardrails={"read_only": True, "max_quantity": 1, "orders_per_minute": 1})
    ibkr.orders.kill("a test")
    world.gateway.advance(12 * 3600)

    for _ in range(2):
        ibkr.orders.preview("AAPL", side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(12))

    assert [body for _, path, body in world.doorway.sent if path.endswith("whatif") and b"cOID" in body] == []


def test_a_preview_is_refused_where_the_order_would_be(world, ibkr):
    with pytest.raises(InvalidOrder, match="not one that the contract trades"):
        limit(ibkr, "164.501")
    assert limit(ibkr, "164.509", exact=False).amount == Decimal(1974)

    assert world.count(WHATIF) == 1


def test_a_combination_is_previewed_with_the_prices_of_its_legs(world, ibkr):
    preview = ibkr.orders.preview_combo(PAIR, side=Side.BUY, quantity=Decimal(1), limit_price=Decimal(-140))

    assert preview.commission > 0
    assert preview.warnings == () or preview.warnings[0].code == "21"
    conids = [query for _, path, query in world.doorway.sent if path.endswith("snapshot")]
    assert conids
    assert world.orders() == []


@pytest.fixture
def floor(tmp_path):
    made = Floor(tmp_path, contract(756733, "SPY"), option(1, 600, "C"), option(2, 610, "C"))
    made.broker.prices = {756733: 600.0}
    yield made
    made.close()


def answering(floor, status, body):
    """Have the scripted broker answer previews."""
    plain = floor.broker.answer

    def answer(method, path, query, content):
        return (status, body) if path.endswith("/whatif") else plain(method, path, query, content)

    floor.broker.answer = answer


def test_a_no_in_a_good_answer_is_the_answer(floor):
    answering(floor, 200, {"error": "No trading permissions."})

    preview = floor.exchange().orders.preview(
        "SPY", side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1)
    )

    assert (preview.refusal, preview.would_be_taken, preview.amount) == (
        "No trading permissions.",
        False,
        None,
    )


def test_a_preview_that_fails_says_nothing_of_the_order(floor):
    answering(floor, 400, {"error": "conid is not valid"})

    with pytest.raises(ApiError, match="conid is not valid"):
        floor.exchange().orders.preview(
            "SPY", side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1)
        )


def test_without_prices_a_preview_is_asked_for_all_the_same(floor):
    """It warns by itself then."""
    answering(
        floor, 200, [{"amount": {"amount": "2 USD (0.0067 Shares)"}, "warn": "21/Blind.", "equity": None}]
    )
    plain = floor.broker.answer
    floor.broker.answer = lambda method, path, query, content: (
        (500, {"error": "no market data"})
        if path.endswith("snapshot")
        else plain(method, path, query, content)
    )

    preview = floor.exchange().orders.preview(
        "SPY", side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1)
    )

    assert (preview.quantity, preview.warnings[0].code) == (Decimal("0.0067"), "21")
    assert preview.equity == Shift()


def test_a_preview_of_a_combination_sends_its_text_and_nothing_else(floor):
    answering(floor, 200, {"error": None, "amount": {}})

    floor.exchange().orders.preview_combo(
        [("conid:1", 1), ("conid:2", -1)], side=Side.BUY, quantity=Decimal(1), limit_price=Decimal("1.20")
    )

    (ticket,) = floor.broker.calls("POST", "/whatif")[0]["orders"]
    assert ticket["conidex"] == "28812380;;;1/1,2/-1"
    assert "conid" not in ticket
    asked = {query["conids"] for query in floor.broker.calls("GET", "/snapshot")}
    assert asked == {"1,2"}


# Cancelling all -------------------------------------------------------------------------------


def test_cancel_all_ends_ours_everywhere_and_leaves_the_rest(world, ibkr):
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    ibkr.place_bracket_order("MSFT", "buy", "limit", 1, 300, take_profit_price=320, stop_loss_price=280)
    other = foreign(world)

    ended = ibkr.orders.cancel_all()

    assert len(ended) == 4
    assert all(one.is_over and one.failure is None for one in ended)
    assert {one.order.state for one in ended} == {OrderState.CANCELLED}
    assert [row["order_id"] for row in world.working()] == [other]


def test_children_go_with_their_parent_and_are_seen_to(world, ibkr):
    """Cancelling them again would fail."""
    ibkr.place_bracket_order("AAPL", "buy", "limit", 1, 162, take_profit_price=175, stop_loss_price=155)

    ended = ibkr.orders.cancel_all("AAPL")

    assert world.count(CANCEL) == 1
    assert [one.is_over for one in ended] == [True, True, True]


def test_cancel_all_of_a_symbol_takes_combinations_with_it_along(world, ibkr):
    ibkr.orders.place_combo(PAIR, side=Side.BUY, quantity=Decimal(1), limit_price=Decimal(-150))
    ibkr.place_limit_order("MSFT", "buy", 1, 300)

    ended = ibkr.orders.cancel_all("AAPL")

    assert len(ended) == 1
    assert len(world.working()) == 1


def test_cancel_all_of_the_account_ends_everybodys(world, ibkr):
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    foreign(world)

    assert len(ibkr.orders.cancel_all(scope="account")) == 2
    assert world.working() == []


def test_one_cancel_that_fails_keeps_no_other(world, ibkr):
    first = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    second = ibkr.place_limit_order("MSFT", "buy", 1, 300)["orderId"]
    world.arm("F13", CANCEL, times=1)

    ended = ibkr.orders.cancel_all()

    failed = [one for one in ended if not one.is_over]
    assert len(failed) == 1
    assert isinstance(failed[0].failure, IBKRError)
    assert {one.order_id for one in ended} == {first, second}
    assert [str(row["order_id"]) for row in world.working()] == [failed[0].order_id]


def test_an_order_that_fills_on_the_way_is_told_as_filled(world, ibkr):
    order_id = ibkr.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    world.doorway.before[f"DELETE /iserver/account/{ACCOUNT}/order/{order_id}"] = lambda: world.gateway.fill(
        order_id
    )

    (ended,) = ibkr.orders.cancel_all()

    assert ended.order.state is OrderState.FILLED
    assert ended.is_over


def test_with_nothing_to_cancel_nothing_is_sent(world, ibkr):
    assert ibkr.orders.cancel_all() == []
    assert world.count(CANCEL) == 0


@pytest.mark.parametrize("sweep", ["cancel_all", "flatten"])
def test_another_scope_is_refused(world, ibkr, sweep):
    with pytest.raises(InvalidOrder, match="'mine' is neither own nor account"):
        getattr(ibkr.orders, sweep)(scope="mine")
    with pytest.raises(GuardrailRefused, match="read_only"):
        getattr(world.exchange(guardrails={"read_only": True}).orders, sweep)()

    assert world.doorway.sent == []


# Flattening -----------------------------------------------------------------------------------


def test_flatten_ends_our_orders_and_sells_what_we_bought(world, ibkr):
    """Not what was there before, and not the orders of others."""
    world.gateway.seed_position(AAPL, Decimal(7))
    world.gateway.seed_position(MSFT, Decimal(3))
    ibkr.place_bracket_order("AAPL", "buy", "market", 10, take_profit_price=175, stop_loss_price=155)
    ibkr.place_market_order("AAPL", "sell", 4)
    other = foreign(world)

    flat = ibkr.orders.flatten()

    (closed,) = flat.positions
    assert (closed.held, closed.own, closed.left) == (13, 6, 7)
    assert closed.order.state is OrderState.FILLED
    assert flat.is_done
    assert (world.position(), world.position(MSFT)) == (7, 3)
    assert [row["order_id"] for row in world.working()] == [other]


def test_what_others_bought_today_is_theirs(world, ibkr):
    """Their fills stand in the same list."""
    ibkr.place_market_order("AAPL", "buy", 2)
    world.gateway.fill(str(foreign(world, 150, 3, side="BUY")))
    world.gateway.fill(str(foreign(world, 250, 4, conid=MSFT, side="BUY")))

    flat = ibkr.orders.flatten()

    assert [(one.conid, one.held, one.own) for one in flat.positions] == [(AAPL, 5, 2)]
    assert (world.position(), world.position(MSFT)) == (3, 4)


def test_flatten_covers_a_short_position_of_ours(world, ibkr):
    ibkr.place_market_order("AAPL", "sell", 5)

    flat = ibkr.orders.flatten("AAPL")

    assert (flat.positions[0].held, flat.positions[0].own) == (-5, -5)
    assert world.position() == 0


def test_what_somebody_else_sold_is_not_sold_again(world, ibkr):
    """Never more than is held, and nothing where our fills come to the other side."""
    ibkr.place_market_order("AAPL", "buy", 10)
    world.gateway.fill(str(foreign(world, quantity=8)))
    ibkr.place_market_order("MSFT", "sell", 5)
    world.gateway.seed_position(MSFT, Decimal(20))
    theirs = world.position(MSFT)

    flat = ibkr.orders.flatten()

    assert [(one.conid, one.held, one.own) for one in flat.positions] == [(AAPL, 2, 2)]
    assert world.position() == 0
    assert world.position(MSFT) == theirs > 0


def test_fills_of_exits_count_although_they_carry_no_id_of_ours(world, ibkr):
    """Also after a restart."""
    legs = ibkr.place_bracket_order("AAPL", "buy", "market", 10, take_profit_price=175, stop_loss_price=155)
    world.gateway.seed_position(AAPL, Decimal(3))
    world.gateway.fill(legs["stopLossOrder"]["orderId"], Decimal(4))
    ibkr.close()

    flat = world.exchange().orders.flatten()

    assert (flat.positions[0].held, flat.positions[0].own) == (9, 6)
    assert world.position() == 3


def test_flatten_of_the_account_closes_everything(world, ibkr):
    world.gateway.seed_position(AAPL, Decimal(7))
    world.gateway.seed_position(MSFT, Decimal(-3))
    foreign(world)

    flat = ibkr.orders.flatten(scope="account")

    assert flat.is_done
    assert len(flat.positions) == 2
    assert (world.position(), world.position(MSFT)) == (0, 0)
    assert world.working() == []


def test_flatten_of_a_symbol_leaves_the_others(world, ibkr):
    ibkr.place_market_order("AAPL", "buy", 1)
    ibkr.place_market_order("MSFT", "buy", 1)

    ibkr.orders.flatten("AAPL")

    assert (world.position(), world.position(MSFT)) == (0, 1)


def test_a_position_that_cannot_be_closed_keeps_no_other(world, ibkr):
    """An expired contract is reported, and the rest goes on."""
    world.gateway.seed_position(649180678, Decimal(1))
    world.gateway.seed_position(AAPL, Decimal(7))

    flat = ibkr.orders.flatten(scope="account")

    failed = [one for one in flat.positions if one.failure is not None]
    assert [(one.conid, one.is_over) for one in failed] == [(649180678, False)]
    assert isinstance(failed[0].failure, ContractError)
    assert not flat.is_done
    assert world.position() == 0


def test_where_positions_cannot_be_read_the_cancels_are_still_told(world, ibkr):
    ibkr.place_limit_order("AAPL", "buy", 1, 162)
    world.arm("F11", "GET /portfolio2/{accountId}/positions", times=20)

    flat = ibkr.orders.flatten()

    assert isinstance(flat.failure, IBKRError)
    assert [one.is_over for one in flat.orders] == [True]
    assert not flat.is_done


def test_the_kill_switch_stops_no_sweep(world, ibkr):
    ibkr.place_bracket_order("AAPL", "buy", "market", 10, take_profit_price=175, stop_loss_price=155)
    ibkr.orders.kill("enough")

    assert ibkr.orders.flatten().is_done
    assert (world.position(), world.working()) == (0, [])


def test_a_rehearsed_sweep_ends_nothing(world, ibkr):
    ibkr.place_bracket_order("AAPL", "buy", "market", 10, take_profit_price=175, stop_loss_price=155)

    flat = world.exchange(guardrails={"dry_run": True}).orders.flatten()

    assert {one.order.dry_run for one in flat.orders} == {True}
    assert flat.positions[0].placed.unsent[-1].body["orders"][0]["quantity"] == 10
    assert not flat.is_done
    assert (world.position(), len(world.working())) == (10, 2)
