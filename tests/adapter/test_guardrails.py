"""Guardrails: what adds to risk is refused before it leaves, what reduces it never is."""

from __future__ import annotations

import inspect
from decimal import Decimal

import attrs
import pytest
from worlds import AAPL, MSFT, World

from crowd import at_once
from ibkr_adapter.errors import ConfigurationError, GuardrailRefused, IBKRError, InvalidOrder
from ibkr_adapter.model.order import OrderType, Side, TrailingUnit
from ibkr_adapter.simulator.door import Request
from ibkr_adapter.sweeps import Desk

PLACE = "POST /iserver/account/{accountId}/orders"
MODIFY = "POST /iserver/account/{accountId}/order/{orderId}"
CANCEL = "DELETE /iserver/account/{accountId}/order/{orderId}"
PAIR = [{"symbol": "AAPL", "ratio": 1}, {"symbol": "MSFT", "ratio": -1}]


# Each rule so tight that no entry gets past it.


def throw(world, tmp_path):
    world.exchange().orders.kill("a test")
    return {}


def touch(world, tmp_path):
    (tmp_path / "stop").touch()
    return {"kill_switch_file": str(tmp_path / "stop")}


def write(world, tmp_path):
    world.environ["IBKR_ADAPTER_KILL_SWITCH"] = "1"
    return {}


def lose(world, tmp_path):
    world.exchange().place_market_order("MSFT", "buy", 100)
    world.gateway.set_price(MSFT, Decimal(250))
    return {"daily_loss": 1000}


def crowd(world, tmp_path):
    world.exchange().place_limit_order("MSFT", "buy", 1, 300)
    return {"orders_per_minute": 1}


RULES = {
    "max_quantity": lambda world, tmp_path: {"max_quantity": "0.5"},
    "max_notional": lambda world, tmp_path: {"max_notional": 1},
    "price_collar": lambda world, tmp_path: {"price_collar": "0.0001"},
    "orders_per_minute": crowd,
    "daily_loss": lose,
    "allowed_accounts": lambda world, tmp_path: {"allowed_accounts": ["DU9999999"]},
    "allowed_symbols": lambda world, tmp_path: {"allowed_symbols": ["IBM"]},
    "kill_switch by call": throw,
    "kill_switch by file": touch,
    "kill_switch by environment": write,
}
LIMIT_ENTRIES = {
    "limit": lambda ibkr: ibkr.place_limit_order("AAPL", "buy", 2, "164.50"),
    "short": lambda ibkr: ibkr.place_limit_order("AAPL", "sell", 20, "165.50"),
    "stop": lambda ibkr: ibkr.place_stop_order("AAPL", "buy", 2, 166),
    "bracket": lambda ibkr: ibkr.place_bracket_order(
        "AAPL", "buy", "limit", 2, "164.50", take_profit_price=170, stop_loss_price=160
    ),
    "bracket that would close": lambda ibkr: ibkr.place_bracket_order(
        "AAPL", "sell", "limit", 2, "165.50", take_profit_price=160, stop_loss_price=170
    ),
    "otoco": lambda ibkr: ibkr.place_otoco_order("AAPL", "buy", 2, "limit", "164.50", 170, 160),
    "combination": lambda ibkr: ibkr.place_combo_order(PAIR, "buy", 1, "-139.50"),
    "conversion": lambda ibkr: ibkr.orders.convert(Decimal(1000), "EUR", "USD", limit_price=Decimal("1.09")),
}
MARKET_ENTRIES = {
    "market": lambda ibkr: ibkr.place_market_order("AAPL", "buy", 2),
    "market combination": lambda ibkr: ibkr.place_combo_order(PAIR, "buy", 1),
    "market conversion": lambda ibkr: ibkr.orders.convert(Decimal(1000), "USD", "EUR"),
    "trailing": lambda ibkr: ibkr.orders.place(
        "AAPL",
        side=Side.BUY,
        order_type=OrderType.TRAIL,
        quantity=Decimal(2),
        trailing=Decimal(1),
        trailing_unit=TrailingUnit.PERCENT,
    ),
}


CASES = [
    (rule, entry)
    for rule in RULES
    for entry in (*LIMIT_ENTRIES, *MARKET_ENTRIES)
    # A market order has no price that a collar could hold.
    if not (rule == "price_collar" and entry in MARKET_ENTRIES)
]


def tightened(world, tmp_path, rule):
    return world.exchange(guardrails=RULES[rule](world, tmp_path))


def held(world, quantity=10):
    world.gateway.seed_position(AAPL, Decimal(quantity))


@pytest.mark.parametrize(("rule", "entry"), CASES)
def test_every_rule_refuses_every_entry_before_it_leaves(world, tmp_path, rule, entry):
    """By its name, with the limit, and nothing reaches the broker."""
    held(world)
    ibkr = tightened(world, tmp_path, rule)
    before = world.count(PLACE)

    with pytest.raises(GuardrailRefused, match=f"guardrail {rule.split()[0]}: .*nothing was sent") as refused:
        (LIMIT_ENTRIES | MARKET_ENTRIES)[entry](ibkr)

    assert refused.value.rule == rule.split()[0]
    assert refused.value.figure is not None
    assert world.count(PLACE) == before


# What reduces ---------------------------------------------------------------------------------


def bracket(world):
    """A position with both exits, and an entry that works."""
    free = world.exchange()
    legs = free.place_bracket_order("AAPL", "buy", "market", 10, take_profit_price=175, stop_loss_price=155)
    return free, legs


def reducing_cancel(world, ibkr, legs):
    assert ibkr.cancel_order("AAPL", legs["stopLossOrder"]["orderId"])["status"] == "canceled"


def reducing_cancel_all(world, ibkr, legs):
    assert {row["status"] for row in ibkr.cancel_all_orders("AAPL")} == {"canceled"}


def reducing_close(world, ibkr, legs):
    ibkr.close_position("AAPL")
    assert world.position() == 0


def reducing_close_part(world, ibkr, legs):
    ibkr.close_position("AAPL", "SELL", 4)
    assert world.position() == 6


def reducing_exit_moved(world, ibkr, legs):
    order = ibkr.orders.modify(legs["stopLossOrder"]["orderId"], stop_price=Decimal(150))
    assert order.stop_price == 150


def reducing_exit_smaller(world, ibkr, legs):
    assert ibkr.orders.modify(legs["stopLossOrder"]["orderId"], quantity=Decimal(4)).quantity == 4


def reducing_sweep_of_orders(world, ibkr, legs):
    assert all(one.is_over for one in ibkr.orders.cancel_all("AAPL"))


def reducing_sweep_of_positions(world, ibkr, legs):
    assert ibkr.orders.flatten("AAPL").is_done
    assert world.position() == 0


def reducing_hand_cancel(world, ibkr, legs):
    ibkr.request("DELETE", f"/iserver/account/DU1234567/order/{legs['stopLossOrder']['orderId']}")


WITH_EXITS = {
    "cancel": reducing_cancel,
    "cancel all": reducing_cancel_all,
    "close": reducing_close,
    "close a part": reducing_close_part,
    "an exit moved": reducing_exit_moved,
    "an exit made smaller": reducing_exit_smaller,
    "a sweep of orders": reducing_sweep_of_orders,
    "a sweep of positions": reducing_sweep_of_positions,
    "a cancel by hand": reducing_hand_cancel,
}
UNPROTECTED = {
    "stop": lambda ibkr: ibkr.place_stop_loss("AAPL", "SELL", 10, 155),
    "stop limit": lambda ibkr: ibkr.place_stop_loss("AAPL", "SELL", 10, 155, 154),
    "more than is held": lambda ibkr: ibkr.place_stop_loss("AAPL", "SELL", 500, 155),
    "target": lambda ibkr: ibkr.place_take_profit("AAPL", "SELL", 10, 175),
    "trailing stop": lambda ibkr: ibkr.place_trailing_stop("AAPL", "SELL", 10, 2),
    "pair": lambda ibkr: ibkr.place_oco_order("AAPL", "SELL", 10, 175, 155),
    "close": lambda ibkr: ibkr.close_position("AAPL"),
    "a sale at the market": lambda ibkr: ibkr.place_market_order("AAPL", "sell", 10),
    "a sale at a limit": lambda ibkr: ibkr.place_limit_order("AAPL", "sell", 6, "164.50"),
    "a sale at a stop": lambda ibkr: ibkr.place_stop_order("AAPL", "sell", 6, "163"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("what", WITH_EXITS)
def test_no_rule_refuses_a_cancel_a_close_or_a_change_of_an_exit(world, tmp_path, rule, what):
    _, legs = bracket(world)
    ibkr = tightened(world, tmp_path, rule)

    WITH_EXITS[what](world, ibkr, legs)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("what", UNPROTECTED)
def test_no_rule_refuses_an_exit_or_a_sale_of_what_is_held(world, tmp_path, rule, what):
    held(world)
    ibkr = tightened(world, tmp_path, rule)
    before = world.count(PLACE)

    UNPROTECTED[what](ibkr)

    assert world.count(PLACE) == before + 1


# Where reducing ends --------------------------------------------------------------------------


def test_many_small_sales_of_the_same_shares_are_no_close(world):
    """Each of them by itself reduces; together they would open a short position."""
    held(world)
    ibkr = world.exchange(guardrails={"max_quantity": 5})

    ibkr.place_limit_order("AAPL", "sell", 10, "165.50")
    with pytest.raises(GuardrailRefused, match="max_quantity"):
        ibkr.place_limit_order("AAPL", "sell", 10, "165.60")

    assert len(world.working()) == 1


def test_orders_of_others_count_among_what_would_sell_a_position(world):
    held(world)
    world.gateway.place_foreign(
        {"conid": AAPL, "side": "SELL", "orderType": "LMT", "price": 180, "quantity": 5, "tif": "GTC"}
    )
    ibkr = world.exchange(guardrails={"max_quantity": 5})

    with pytest.raises(GuardrailRefused):
        ibkr.place_market_order("AAPL", "sell", 6)
    ibkr.place_market_order("AAPL", "sell", 5)

    assert world.position() == 5


def test_sleeping_exits_of_an_entry_do_not_count_against_a_sale(world):
    """They wake with shares of their own."""
    held(world)
    ibkr = world.exchange(guardrails={"max_quantity": 5})
    ibkr.place_bracket_order("AAPL", "buy", "limit", 5, 162, take_profit_price=170, stop_loss_price=150)

    ibkr.place_market_order("AAPL", "sell", 10)

    assert world.position() == 0


def test_a_pair_of_exits_counts_once_and_may_be_moved(world):
    """One cancels the other, and a change of one is no further sale."""
    held(world)
    ibkr = world.exchange(guardrails={"max_quantity": 5})
    ack = ibkr.place_oco_order("AAPL", "SELL", 10, 175, 155)

    assert ibkr.orders.modify(ack["stopLossOrderId"], stop_price=Decimal(150)).stop_price == 150
    with pytest.raises(GuardrailRefused):
        ibkr.orders.modify(ack["stopLossOrderId"], quantity=Decimal(11))


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_refuses_to_move_an_exit_of_an_entry_that_has_not_filled(world, tmp_path, rule):
    """There is no position yet that it would reduce, and yet it can open none."""
    free = world.exchange()
    legs = free.place_bracket_order(
        "AAPL", "buy", "limit", 5, 162, take_profit_price=170, stop_loss_price=150
    )
    ibkr = tightened(world, tmp_path, rule)

    moved = ibkr.orders.modify(legs["stopLossOrder"]["orderId"], stop_price=Decimal(152))

    assert moved.stop_price == 152


def test_a_combination_reduces_only_where_each_of_its_legs_does(world):
    held(world)
    world.gateway.seed_position(MSFT, Decimal(-10))
    ibkr = world.exchange(guardrails={"max_quantity": 5})

    ibkr.place_combo_order(PAIR, "sell", 10)
    with pytest.raises(GuardrailRefused):
        ibkr.place_combo_order(PAIR, "sell", 10)

    assert (world.position(), world.position(MSFT)) == (0, 0)


def test_where_the_position_cannot_be_read_an_entry_is_an_entry(world):
    """A sale that nobody can tell from a short one is held against the limits."""
    held(world)
    ibkr = world.exchange(guardrails={"max_quantity": 5})
    ibkr.contracts.resolve("AAPL")
    world.arm("F11", "GET /portfolio2/{accountId}/positions", times=20)

    with pytest.raises(GuardrailRefused):
        ibkr.place_market_order("AAPL", "sell", 10)

    assert world.orders() == []


# Each rule's own figures ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rails", "passes", "breaks"),
    [
        ({"max_quantity": 5}, lambda x: x.place_limit_order("AAPL", "buy", "5.9", 164), 6),
        ({"max_notional": 1640}, lambda x: x.place_limit_order("AAPL", "buy", 10, "164.009"), 11),
        ({"price_collar": 1}, lambda x: x.place_limit_order("AAPL", "buy", 11, "163.36"), None),
    ],
)
def test_what_counts_is_the_ticket_after_rounding(world, rails, passes, breaks):
    world.gateway.set_price(AAPL, Decimal(165))
    ibkr = world.exchange(guardrails=rails)

    passes(ibkr)
    with pytest.raises(GuardrailRefused):
        ibkr.place_limit_order("AAPL", "buy", breaks or 11, "164" if breaks else "163.34")

    assert len(world.orders()) == 1


def test_a_multiplier_counts(world):
    """One future on an index is fifty times its price."""
    last = Decimal(world.exchange().get_ticker("FUT:ES")["lastPrice"])
    ibkr = world.exchange(guardrails={"max_notional": last * 50 - 1})

    with pytest.raises(GuardrailRefused, match="US dollars") as refused:
        ibkr.orders.place("FUT:ES", side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1))

    assert refused.value.figure == last * 50
    assert refused.value.limit == last * 50 - 1


def test_other_currencies_are_worth_what_they_are_in_dollars(world):
    """A conversion is counted in the currency that it is paid in."""
    ibkr = world.exchange(guardrails={"max_notional": 1000}, answer_messages="o10223")

    ibkr.orders.convert(Decimal(1000), "USD", "EUR")
    with pytest.raises(GuardrailRefused):
        ibkr.orders.convert(Decimal("1000.01"), "USD", "EUR")
    with pytest.raises(GuardrailRefused) as refused:
        ibkr.orders.convert(Decimal(1100), "USD", "CAD", limit_price=Decimal("1.39"))

    # 1529 Canadian dollars are about eleven hundred of the others.
    assert 1000 < refused.value.figure < 1200


def test_a_missing_price_refuses_and_says_so(tmp_path):
    from worlds import World

    world = World(tmp_path, availability={"*": "DPB"})
    ibkr = world.exchange(guardrails={"max_notional": 10**9}, answer_messages="o354")
    collared = world.exchange(guardrails={"price_collar": 99}, allow_delayed_prices=True)

    with pytest.raises(
        GuardrailRefused, match="max_notional: the price of AAPL cannot be used: it is delayed"
    ):
        ibkr.place_market_order("AAPL", "buy", 1)
    with pytest.raises(GuardrailRefused, match="price_collar: the price of AAPL cannot be used"):
        collared.place_limit_order("AAPL", "buy", 1, 164)
    # A buyer's limit bounds what he pays, and sizes may be computed from what settings allow.
    ibkr.place_limit_order("AAPL", "buy", 1, 164)
    world.exchange(
        guardrails={"max_notional": 10**9}, allow_delayed_prices=True, answer_messages="o354"
    ).place_market_order("AAPL", "buy", 1)

    assert len(world.orders()) == 2
    world.close()


@pytest.mark.parametrize(
    ("rail", "read"),
    [
        ("max_notional", "GET /iserver/marketdata/snapshot"),
        ("price_collar", "GET /iserver/marketdata/snapshot"),
        ("daily_loss", "GET /iserver/account/pnl/partitioned"),
        ("max_notional", "GET /iserver/exchangerate"),
    ],
)
def test_a_figure_that_cannot_be_read_refuses(world, rail, read):
    """Nobody knows then whether the limit holds."""
    symbol, price = ("AAPL", "164.50") if "exchangerate" not in read else ("CASH:USD.CAD", "1.38")
    ibkr = world.exchange(guardrails={rail: 10**6})
    ibkr.contracts.resolve(symbol)
    world.arm("F11", read, times=50)

    with pytest.raises(GuardrailRefused, match=rf"{rail}: .*nothing was sent") as refused:
        ibkr.place_limit_order(symbol, "sell", 20_000, price)

    assert refused.value.figure is None
    assert refused.value.limit == 10**6
    assert world.orders() == []


def test_allowed_symbols_are_contracts_and_not_spellings(world):
    """A conid, a listing and a name may mean the same; an option on it is another contract."""
    ibkr = world.exchange(guardrails={"allowed_symbols": ["NOSUCHTHING", f"conid:{AAPL}", "MSFT"]})

    ibkr.place_limit_order("NASDAQ:AAPL", "buy", 1, 164)
    ibkr.place_combo_order(PAIR, "buy", 1)
    with pytest.raises(GuardrailRefused, match=r"IBM .*NOSUCHTHING") as refused:
        ibkr.place_limit_order("IBM", "buy", 1, 100)
    with pytest.raises(GuardrailRefused, match="QQQ"):
        ibkr.place_combo_order([("AAPL", 1), ("QQQ", -1)], "buy", 1)

    assert refused.value.figure == "IBM"


def test_entries_are_counted_over_all_objects_and_come_free_after_a_minute(world):
    """Also those of objects that count nothing; exits are none."""
    free, bound = world.exchange(), world.exchange(guardrails={"orders_per_minute": 2})
    free.place_market_order("AAPL", "buy", 1)
    bound.place_bracket_order("AAPL", "buy", "limit", 1, 164, take_profit_price=170, stop_loss_price=150)

    with pytest.raises(GuardrailRefused, match="2 entries have left") as refused:
        bound.place_market_order("AAPL", "buy", 1)
    assert refused.value.repeatable
    bound.close_position("AAPL")
    world.clock.advance(60)
    bound.place_market_order("AAPL", "buy", 1)

    assert (refused.value.figure, refused.value.limit) == (2, 2)


def test_the_loss_is_read_once_in_five_seconds(world):
    ibkr = world.exchange(guardrails={"daily_loss": 1000})
    read = "GET /iserver/account/pnl/partitioned"
    ibkr.place_limit_order("AAPL", "buy", 1, 164)
    before = world.count(read)

    ibkr.place_limit_order("AAPL", "buy", 1, 164)
    assert world.count(read) - before <= 1
    world.clock.advance(6)
    ibkr.place_limit_order("AAPL", "buy", 1, 164)

    assert world.ledger()["pacing_breaches"] == []


def test_a_modification_is_held_against_the_limits_as_a_whole(world):
    """Or a strategy would enter small and grow."""
    ibkr = world.exchange(guardrails={"max_quantity": 5, "price_collar": 2})
    order_id = ibkr.place_limit_order("AAPL", "buy", 5, 164)["orderId"]

    with pytest.raises(GuardrailRefused, match="max_quantity"):
        ibkr.orders.modify(order_id, quantity=Decimal(6))
    with pytest.raises(GuardrailRefused, match="price_collar"):
        ibkr.orders.modify(order_id, limit_price=Decimal(150))
    assert world.count(MODIFY) == 0
    ibkr.orders.kill("stop")
    assert ibkr.orders.modify(order_id, quantity=Decimal(4)).quantity == 4
    with pytest.raises(GuardrailRefused, match="kill_switch"):
        ibkr.orders.modify(order_id, limit_price=Decimal("164.10"))


def test_the_changed_legs_of_a_combination_are_held_against_the_limits(world):
    ibkr = world.exchange(guardrails={"max_quantity": 5})
    order_id = ibkr.place_combo_order(PAIR, "buy", 2, -145)["orderId"]

    with pytest.raises(GuardrailRefused, match="max_quantity"):
        ibkr.orders.modify(order_id, quantity=Decimal(6))

    assert world.count(MODIFY) == 0


def test_a_size_in_money_counts_as_what_it_buys(world):
    """At the last price, for quantity; by itself, for worth."""
    world.gateway.set_price(AAPL, Decimal(100))

    def buy(rails, cash):
        ibkr = world.exchange(guardrails=rails, answer_messages="o10223", decline_messages="")
        return ibkr.orders.place(
            "AAPL", side=Side.BUY, order_type=OrderType.MARKET, cash_quantity=Decimal(cash)
        )

    buy({"max_quantity": 6}, 600)
    buy({"max_notional": 600}, 600)
    with pytest.raises(GuardrailRefused, match=r"max_quantity: 6\.0001") as refused:
        buy({"max_quantity": 6}, "600.01")
    with pytest.raises(GuardrailRefused, match=r"max_notional: the order is worth 600\.01"):
        buy({"max_notional": 600}, "600.01")

    assert refused.value.figure == Decimal("6.0001")


def test_two_entries_at_once_do_not_both_get_past_the_count(world):
    """The second one leaves while the first is still being checked."""
    ibkr = world.exchange(guardrails={"orders_per_minute": 1, "max_notional": 10**6})
    other = world.exchange()
    other.place_limit_order("MSFT", "buy", 1, 300)
    world.clock.advance(60)
    placed = []

    def meanwhile():
        if not placed:
            placed.append(True)
            other.place_limit_order("MSFT", "buy", 1, 300)

    world.doorway.after["GET /iserver/marketdata/snapshot"] = meanwhile
    with pytest.raises(GuardrailRefused, match="orders_per_minute: 1 entries"):
        ibkr.place_market_order("AAPL", "buy", 1)

    assert placed
    assert world.position() == 0


def test_a_profit_that_is_not_told_refuses(world):
    """Empty, as the service answers while it collects it, is not zero."""
    ibkr = world.exchange(guardrails={"daily_loss": 1000})
    plain = world.doorway.gateway.handle

    class Silent:
        def handle(self, request):
            answer = plain(request)
            if request.path.endswith("pnl/partitioned"):
                return attrs.evolve(answer, body=b'{"upnl": {}}')
            return answer

    world.doorway.gateway = Silent()
    with pytest.raises(GuardrailRefused, match="daily_loss: today's profit of DU1234567 cannot be read"):
        ibkr.place_limit_order("AAPL", "buy", 1, 164)

    assert world.orders() == []


# The kill switch ------------------------------------------------------------------------------


def test_no_two_sales_of_the_same_shares_get_past_it_at_once(world):
    """Each of them only reduces what is held, and together they would open a position."""
    ibkr = world.exchange()
    ibkr.place_market_order("AAPL", "buy", 10)
    ibkr.orders.kill("a test")
    refused = []

    def sell():
        try:
            ibkr.place_market_order("AAPL", "sell", 10)
        except (GuardrailRefused, InvalidOrder) as refusal:
            refused.append(refusal)

    at_once(world, sell, sell, sell)

    assert world.position() == 0
    assert len(refused) == 2


def test_the_switch_by_call_is_for_all_objects_and_outlives_them(world):
    """Hosts make and throw away objects by the minute."""
    first, second = world.exchange(), world.exchange()
    first.orders.kill("out of bounds")
    assert "out of bounds" in second.orders.stopped

    first.close()
    second.close()
    third = world.exchange()
    with pytest.raises(GuardrailRefused, match=r"kill_switch.*out of bounds"):
        third.place_market_order("AAPL", "buy", 1)

    assert third.orders.revive() is None
    third.place_market_order("AAPL", "buy", 1)


def test_a_revival_says_what_still_stops_entries(world):
    ibkr = world.exchange()
    ibkr.orders.kill("both")
    world.environ["IBKR_ADAPTER_KILL_SWITCH"] = "maintenance"

    assert "IBKR_ADAPTER_KILL_SWITCH=maintenance" in ibkr.orders.revive()
    del world.environ["IBKR_ADAPTER_KILL_SWITCH"]
    assert ibkr.orders.stopped is None


# Off ------------------------------------------------------------------------------------------


def test_guardrails_that_are_off_cost_no_request(world):
    """And one that needs no figures costs none either, while it holds."""
    paths = []
    for rails in ({}, {"max_quantity": 50, "orders_per_minute": 50, "allowed_accounts": ["DU1234567"]}):
        ibkr = world.exchange(guardrails=rails)
        ibkr.place_limit_order("AAPL", "buy", 1, 164)
        before = len(world.doorway.sent)
        ibkr.place_limit_order("AAPL", "buy", 1, 164)
        paths.append([path for _, path, _ in world.doorway.sent[before:]])

    assert paths[0] == paths[1]


# Only reading, and dry runs -------------------------------------------------------------------

# Every method that changes something, with a position of ten and one working order.
CHANGING = {
    **LIMIT_ENTRIES,
    **MARKET_ENTRIES,
    **UNPROTECTED,
    "close a part": lambda ibkr: ibkr.close_position("AAPL", "SELL", 4),
    "modify": lambda ibkr: ibkr.orders.modify(working(ibkr), quantity=Decimal(1)),
    "cancel": lambda ibkr: ibkr.cancel_order("MSFT", working(ibkr)),
    "cancel all": lambda ibkr: ibkr.cancel_all_orders("MSFT"),
    "sweep of orders": lambda ibkr: ibkr.orders.cancel_all()[0].order,
    "sweep of positions": lambda ibkr: ibkr.orders.flatten(scope="account").positions[0].placed,
}
# What changes nothing at the broker, and what only looks.
READING = {
    "account", "algos", "combo", "contract", "check_request", "fills", "find", "kill", "live", "revive", "preview", "preview_combo", "schedule",
    "seen", "sizing", "sizing_price", "smallest_size", "status", "stopped", "terms", "wait_for", "working",
    "track", "unsettled",
}  # fmt: skip
TRIED = {
    "place", "bracket", "place_combo", "convert", "stop_loss", "take_profit", "trailing_stop", "oco", "close", "modify",
    "cancel", "cancel_all", "flatten",
}  # fmt: skip


def booked(world):
    """All that a change would have moved; a state moves on by itself."""
    rows = [
        {name: row[name] for name in ("order_id", "quantity", "filled", "limit", "stop")}
        for row in world.orders()
    ]
    return rows, len(world.working()), [world.count(call) for call in (PLACE, MODIFY, CANCEL)]


def working(ibkr):
    return next(order["orderId"] for order in ibkr.get_open_orders("MSFT"))


def test_no_method_of_the_desk_is_forgotten_here():
    """One that is added must be tried below, or be known to read only."""
    public = {name for name, _ in inspect.getmembers(Desk) if not name.startswith("_")}

    assert public == READING | TRIED


@pytest.mark.parametrize("what", CHANGING)
def test_an_object_that_only_reads_changes_nothing(world, what):
    held(world)
    world.exchange().place_limit_order("MSFT", "buy", 2, 300)
    ibkr = world.exchange(guardrails={"read_only": True, "dry_run": True})
    before = booked(world)

    with pytest.raises(GuardrailRefused, match="guardrail read_only"):
        CHANGING[what](ibkr)

    assert booked(world) == before


@pytest.mark.parametrize("what", CHANGING)
def test_a_dry_run_answers_what_would_have_been_sent_and_sends_nothing(world, what):
    held(world)
    world.exchange().place_limit_order("MSFT", "buy", 2, 300)
    ibkr = world.exchange(guardrails={"dry_run": True})
    before = booked(world)

    answer = CHANGING[what](ibkr)

    assert booked(world) == before
    answer = answer[0] if isinstance(answer, list) else answer
    if isinstance(answer, dict):
        answer = answer.get("entryOrder", answer)
        assert answer["status"] == "dry_run"
    else:
        assert answer.dry_run


def test_a_dry_run_shows_the_very_request(world):
    """The same ticket that would have left, and no order id, because there is no order."""
    entry = world.exchange(guardrails={"dry_run": True}).place_bracket_order(
        "AAPL", "buy", "limit", "10.7", "164.509", take_profit_price=170, stop_loss_price=150
    )

    assert {leg["orderId"] for leg in entry.values()} == {None}
    assert {leg["status"] for leg in entry.values()} == {"dry_run"}
    (request,) = entry["entryOrder"]["unsent"]
    assert (request["method"], request["path"]) == ("POST", "/iserver/account/DU1234567/orders")
    tickets = request["body"]["orders"]
    assert [ticket["quantity"] for ticket in tickets] == [10, 10, 10]
    assert [ticket["price"] for ticket in tickets] == [164.5, 170, 150]
    assert entry["entryOrder"]["clientOrderId"] == tickets[0]["cOID"] == tickets[1]["parentId"]


def test_a_rehearsed_close_names_the_cancels_before_it(world):
    _, legs = bracket(world)

    ack = world.exchange(guardrails={"dry_run": True}).close_position("AAPL")

    sent = [(request["method"], request["path"].rpartition("/")[2]) for request in ack["unsent"]]
    exits = {legs["stopLossOrder"]["orderId"], legs["takeProfitOrder"]["orderId"]}
    assert {name for method, name in sent if method == "DELETE"} == exits
    assert sent[-1] == ("POST", "orders")
    assert ack["unsent"][-1]["body"]["orders"][0]["quantity"] == 10


def test_a_rehearsed_close_of_a_part_names_the_changes_before_it(world):
    bracket(world)

    ack = world.exchange(guardrails={"dry_run": True}).close_position("AAPL", "SELL", 4)

    assert [request["body"].get("quantity") for request in ack["unsent"][:-1]] == [6, 6]
    assert ack["quantity"] == 4
    assert world.count(MODIFY) == 0


def test_an_exit_that_would_hang_on_an_entry_is_rehearsed(world):
    world.exchange().place_limit_order("AAPL", "buy", 5, 162)

    ack = world.exchange(guardrails={"dry_run": True}).place_stop_loss("AAPL", "SELL", 5, 155)

    assert ack["unsent"][0]["body"]["orders"][0]["parentId"].startswith("ibka-")
    assert world.count(PLACE) == 1


def test_a_dry_run_refuses_what_would_be_refused(world):
    """Rules and limits hold as ever, and what is rehearsed uses up nobody's entries."""
    ibkr = world.exchange(guardrails={"dry_run": True, "max_quantity": 5, "orders_per_minute": 1})

    with pytest.raises(GuardrailRefused, match="max_quantity"):
        ibkr.place_market_order("AAPL", "buy", 6)
    with pytest.raises(InvalidOrder, match="above 0"):
        ibkr.place_limit_order("AAPL", "buy", 1, 0)
    ibkr.place_market_order("AAPL", "buy", 1)
    with pytest.raises(GuardrailRefused, match="orders_per_minute"):
        ibkr.place_market_order("AAPL", "buy", 1)
    world.exchange(guardrails={"orders_per_minute": 1}).place_market_order("AAPL", "buy", 1)

    assert world.position() == 1


def test_a_cancel_of_an_order_that_is_over_is_told_as_it_is(world):
    order_id = world.exchange().place_market_order("AAPL", "buy", 1)["orderId"]

    answer = world.exchange(guardrails={"dry_run": True}).cancel_order("AAPL", order_id)

    assert answer["status"] == "filled"


def test_a_dry_run_leaves_a_bracket_alone_that_a_dead_process_left_without_its_stop(world):
    """Putting that right is an order, and what is only rehearsed sends none."""
    before = world.exchange()
    before.place_bracket_order("AAPL", "buy", "market", 3, stop_loss_price=161)
    (stop,) = world.working()
    other = before.place_limit_order("AAPL", "buy", 1, 162)["orderId"]
    world.gateway.handle(
        Request(method="DELETE", path=f"/v1/api/iserver/account/DU1234567/order/{stop['order_id']}")
    )
    before.orders._connection._placed().write(
        "UPDATE entry SET ended = NULL, step = 'sending' WHERE about LIKE '%STP%'"
    )
    before.close()
    world.clock.sleep(10)
    placed = world.orders()

    order = world.exchange(guardrails={"dry_run": True}).orders.modify(other, quantity=Decimal(2))

    assert order.dry_run
    assert world.orders() == placed
    world.exchange().orders.modify(other, quantity=Decimal(2))
    assert len(world.orders()) == len(placed) + 1


def test_a_rehearsed_reversal_waits_for_nothing(world):
    """The position it would have closed is never gone."""
    from ibkr_adapter.host.executor import TradeExecutor

    held(world)
    executor = TradeExecutor(world.exchange(guardrails={"dry_run": True}), clock=world.clock)
    before = world.clock.monotonic()

    result = executor.execute_webhook(
        {"symbol": "AAPL", "action": "sell", "quantity": 3, "orderType": "market"}
    )

    assert (result["status"], result["dryRun"], result["orderId"]) == ("dry_run", True, None)
    assert world.clock.monotonic() - before < 30
    assert world.orders() == []


# Calls by hand --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rails", "rule"),
    [
        ({"read_only": True}, "read_only"),
        ({"dry_run": True}, "dry_run"),
        ({"max_quantity": 5}, "max_quantity"),
        ({"kill_switch_file": "/"}, "kill_switch"),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/iserver/account/DU1234567/orders",
        "/iserver/account/DU1234567/order/1370093238",
        "/iserver/v2/account/DU1234567/orders",
    ],
)
def test_no_order_goes_past_the_guardrails_by_hand(world, rails, rule, path):
    """Nobody reads what is in it."""
    ibkr = world.exchange(guardrails=rails)

    with pytest.raises(GuardrailRefused, match=f"guardrail {rule}") as refused:
        ibkr.request("POST", path, json={"orders": []})

    assert refused.value.rule == rule
    assert all(method != "POST" or "orders" not in sent for method, sent, _ in world.doorway.sent)


@pytest.mark.parametrize("rule", ["read_only", "dry_run"])
@pytest.mark.parametrize("path", ["/iserver/questions/suppress", "/iserver/questions/suppress/reset"])
def test_who_may_change_nothing_does_not_decide_what_ibkr_asks(world, rule, path):
    """A question that is suppressed is a yes for every order of the session."""
    ibkr = world.exchange(guardrails={rule: True}).open()
    before = len(world.doorway.sent)

    with pytest.raises(GuardrailRefused, match=f"guardrail {rule}"):
        ibkr.request("POST", path, json={"messageIds": ["o163"]})

    assert len(world.doorway.sent) == before


@pytest.mark.parametrize("rule", ["read_only", "dry_run"])
def test_who_may_change_nothing_switches_no_account_by_hand(tmp_path, rule):
    world = World(tmp_path, accounts=["DU7654321"])
    ibkr = world.exchange(guardrails={rule: True}, account_id="DU1234567").open()

    with pytest.raises(GuardrailRefused, match=f"guardrail {rule}"):
        ibkr.portfolio.switch("DU7654321")

    assert world.count("POST /iserver/account") == 0
    world.close()


def test_calls_by_hand_that_place_nothing_go_on(world):
    ibkr = world.exchange(guardrails={"max_quantity": 5})

    assert "orders" in ibkr.request("GET", "/iserver/account/orders")
    with pytest.raises(IBKRError) as refused:
        ibkr.request("POST", "/iserver/watchlist", json={})

    assert not isinstance(refused.value, GuardrailRefused)


def test_a_misspelt_guardrail_is_refused_before_anything_is_opened(world):
    with pytest.raises(ConfigurationError, match="did you mean max_quantity"):
        world.exchange(guardrails={"maxQuantty": 5})

    assert world.doorway.sent == []
