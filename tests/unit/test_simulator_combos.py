"""Combinations: how they are written, what they cost, what they leave behind."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_client import AAPL, ACCOUNT, ORDERS, Broker, ticket

from ibkr_adapter.simulator import futures_calendar, hours, option_ladders
from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.combos import SPREAD_CONIDS, combination, leg_prices
from ibkr_adapter.simulator.ladder_table import BY_CLASS
from ibkr_adapter.simulator.options import Options
from ibkr_adapter.simulator.prices import Prices

SPY, QQQ, NESN = 756733, 320227571, 900000009
PAIR = f"28812380;;;{SPY}/1,{QQQ}/-1"
OPERATOR = {"manualIndicator": False, "extOperator": "desk"}


def strike(key, level, right, day=date(2026, 12, 18)):
    return option_ladders.contract(BY_CLASS[key], day, Decimal(level), right).conid


CONDOR = "28812380;;;" + ",".join(
    f"{conid}/{ratio}"
    for conid, ratio in (
        (strike("SPX", 6400, "P"), 1),
        (strike("SPX", 6450, "P"), -1),
        (strike("SPX", 6650, "C"), -1),
        (strike("SPX", 6700, "C"), 1),
    )
)
FRONT, NEXT = (one.conid for one in futures_calendar.listed(futures_calendar.PRODUCTS[0], hours.START)[:2])


@pytest.fixture
def broker():
    return Broker(questions=False, first_reads_empty=False).ready()


def combo(conidex, **changes):
    return ticket(
        **{"conid": None, "conidex": conidex, "orderType": "MKT", "price": None, "quantity": 1} | changes
    )


def filled(broker, conidex, **changes):
    reply = broker.place(combo(conidex, **changes))
    assert reply.body[0].get("order_id", "-1") != "-1", reply.body
    broker.wait(2)
    return broker.ledger["orders"][-1]


def refused(broker, conidex, **changes):
    body = broker.place(combo(conidex, **changes)).body
    assert broker.ledger["orders"] == []
    return body["error"]


def test_a_pair_of_shares_is_two_positions(broker):
    """Bought and sold, at prices that make up the net price exactly."""
    order = filled(broker, PAIR)

    legs = broker.ledger["executions"]
    assert [(one["conid"], one["side"]) for one in legs] == [(SPY, "BUY"), (QQQ, "SELL")]
    assert Decimal(str(legs[0]["price"])) - Decimal(str(legs[1]["price"])) == Decimal(
        str(order["average_price"])
    )
    assert (broker.position(SPY), broker.position(QQQ)) == (1.0, -1.0)
    # Each side of the market was crossed: a cent each.
    assert order["average_price"] == pytest.approx(71.22)


def test_money_is_that_of_the_net_price(broker):
    """Less a fee for each leg."""
    order = filled(broker, PAIR, quantity=7)

    account = broker.ledger["accounts"][0]
    assert account["cash"]["USD"] == pytest.approx(1_000_000 - 7 * order["average_price"] - 2.0)


def test_a_credit_is_a_negative_price(broker):
    """A condor brings money; the limit may be below nothing."""
    order = filled(broker, CONDOR, orderType="LMT", price=-5.0, quantity=3)

    assert order["average_price"] < -5
    brought = -order["average_price"] * 300
    fees = 4 * 3 * 0.65
    assert broker.ledger["accounts"][0]["cash"]["USD"] == pytest.approx(1_000_000 + brought - fees)


def test_a_limit_out_of_reach_waits(broker):
    """Also one of nothing at all."""
    broker.place(combo(CONDOR, orderType="LMT", price=-300.0, cOID="far"))
    broker.place(combo(CONDOR, orderType="LMT", price=0, cOID="free", side="SELL"))
    broker.wait(5)

    assert broker.order("far")["status"] == "Submitted"
    assert broker.order("free")["status"] == "Submitted"
    assert broker.order("free")["limit"] == 0.0


def test_a_calendar_of_futures_is_in_points_and_says_who_places_it(broker):
    """Fifty dollars a point; the legs are US futures."""
    conidex = f"28812380;;;{NEXT}/1,{FRONT}/-1"
    anonymous = refused(broker, conidex)
    order = filled(broker, conidex, **OPERATOR)

    assert "manualIndicator" in anonymous
    assert order["average_price"] % 0.25 == 0
    assert 30 < order["average_price"] < 70
    assert (broker.position(NEXT), broker.position(FRONT)) == (1.0, -1.0)


def test_shares_and_options_are_priced_by_the_share(broker):
    """A hundred shares against one call."""
    call = strike("AAPL", 165, "C")
    order = filled(broker, f"28812380;;;{AAPL}/100,{call}/-1")

    assert 150 < order["average_price"] < 165
    assert (broker.position(AAPL), broker.position(call)) == (100.0, -1.0)


def test_ratios_multiply_the_quantity(broker):
    """Three times two and three times minus three."""
    filled(broker, f"28812380;;;{SPY}/2,{QQQ}/-3", quantity=3)

    assert (broker.position(SPY), broker.position(QQQ)) == (6.0, -9.0)


def test_selling_a_combination_turns_every_leg_round(broker):
    """And closes what was bought."""
    filled(broker, PAIR)
    filled(broker, PAIR, side="SELL")

    assert (broker.position(SPY), broker.position(QQQ)) == (0.0, 0.0)
    assert broker.get(f"/portfolio/{ACCOUNT}/combo/positions").body == []


def test_a_combination_that_is_held_is_listed_with_its_legs(broker):
    """Leg conids are text, position conids numbers; its mirror image counts against it."""
    filled(broker, PAIR, quantity=2)
    row = broker.get(f"/portfolio/{ACCOUNT}/combo/positions").body[0]
    filled(broker, f"28812380;;;{SPY}/-1,{QQQ}/1", quantity=2)

    assert row["description"] == f"1*{SPY}-1*{QQQ}"
    assert row["legs"] == [{"conid": str(SPY), "ratio": 1}, {"conid": str(QQQ), "ratio": -1}]
    assert [(one["conid"], one["position"]) for one in row["positions"]] == [(SPY, 2.0), (QQQ, -2.0)]
    assert row["name"].startswith("CP.CP")
    assert broker.get(f"/portfolio/{ACCOUNT}/combo/positions").body == []


def test_rows_tell_the_combination_and_trades_the_legs(broker):
    """The text comes back as it was sent."""
    filled(broker, PAIR, cOID="mine")

    row = broker.get("/iserver/account/orders").body["orders"][0]
    trades = broker.get("/iserver/account/trades").body
    assert (row["conidex"], row["secType"], row["order_ref"]) == (PAIR, "BAG", "mine")
    assert row["conid"] == 28812380
    assert {(one["conid"], one["conidEx"], one["order_ref"]) for one in trades} == {
        (SPY, str(SPY), "mine"),
        (QQQ, str(QQQ), "mine"),
    }


def test_there_is_a_spread_conid_for_thirteen_currencies_and_none_for_euros():
    """As published."""
    assert len(SPREAD_CONIDS) == len(set(SPREAD_CONIDS.values())) == 13
    assert "EUR" not in SPREAD_CONIDS.values()
    assert SPREAD_CONIDS[28812380] == "USD"


@pytest.mark.parametrize(
    ("conidex", "words"),
    [
        (f"28812381;;;{SPY}/1,{QQQ}/-1", "unknown spread conid 28812381"),
        (f";;;{SPY}/1,{QQQ}/-1", "unknown spread conid"),
        (f"61227087;;;{SPY}/1,{QQQ}/-1", "a leg is not in CHF"),
        (f"28812380;;;{SPY}/1,{NESN}/-1", "a leg is not in USD"),
        (f"28812380;;;{SPY}/1", "two different legs"),
        (f"28812380;;;{SPY}/1,{SPY}/-1", "two different legs"),
        ("28812380;;;", "is not a conid and a whole ratio"),
        (f"28812380;;;{SPY}/0.5,{QQQ}/-1", "is not a conid and a whole ratio"),
        (f"28812380;;;{SPY},{QQQ}/-1", "is not a conid and a whole ratio"),
        (f"28812380;;;{SPY}/0,{QQQ}/-1", "a ratio is nothing"),
        (f"28812380;;;{SPY}/2,{QQQ}/-2", "common factor"),
        (f"28812380;;;{SPY}/1,999/-1", "leg 999 cannot be traded"),
        (f"28812380;;;{SPY}/1,416904/-1", "leg 416904 cannot be traded"),
        (f"28812380;;;{SPY}/1,12087792/-1", "leg 12087792 cannot be traded"),
        (f"28812380@CME;;;{SPY}/1,{QQQ}/-1", "not traded at CME"),
        (f"28812380;;;{SPY}/1,584891614/-1", "has expired"),
    ],
)
def test_a_combination_that_means_nothing_is_refused(broker, conidex, words):
    """With status 200 and nothing entered."""
    assert words in refused(broker, conidex)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"orderType": "STP", "price": 70.0}, "Invalid order type"),
        ({"tif": "OPG"}, "Invalid time in force"),
        ({"quantity": None, "cashQty": 1000}, "Invalid order size fields"),
    ],
)
def test_combinations_are_market_and_limit_orders(broker, changes, words):
    """Sized by quantity."""
    assert words in refused(broker, PAIR, **changes)


def test_a_net_price_is_on_the_finest_tick_of_its_legs(broker):
    """And may be fractional only so far."""
    body = broker.place(combo(PAIR, orderType="LMT", price=70.005)).body

    assert "minimum variation of 0.01" in body[0]["text"]


def test_another_currency_needs_its_exchange():
    """The spread conid alone is for dollars only."""
    find = Catalogue().find
    other = attrs_evolved(find(NESN), 900000300)

    def look(conid):
        return other if conid == other.conid else find(conid)

    made = combination(f"61227087@EBS;;;{NESN}/1,{other.conid}/-1", look)
    assert (made.currency, made.exchange, made.conid) == ("CHF", "EBS", 61227087)
    with pytest.raises(Exception, match="CHF needs an exchange"):
        combination(f"61227087;;;{NESN}/1,{other.conid}/-1", look)


def attrs_evolved(instrument, conid):
    import attrs

    return attrs.evolve(instrument, conid=conid)


def test_a_combination_trades_when_all_its_legs_do(broker):
    """Shares trade before the opening, options do not; futures by night."""
    broker.jump(hours=22)

    assert "outside regular trading hours" in refused(
        broker, f"28812380;;;{AAPL}/100,{strike('AAPL', 165, 'C')}/-1"
    )
    assert filled(broker, f"28812380;;;{NEXT}/1,{FRONT}/-1", **OPERATOR)["status"] == "Filled"


def test_a_combination_ties_up_what_its_legs_do():
    """Each as if it stood alone."""
    broker = Broker(questions=False, cash=10_000.0).ready()

    assert "INITIAL MARGIN" in refused(broker, CONDOR)


def test_a_preview_of_a_combination_adds_its_legs_up(broker):
    """One amount, the fees of all legs."""
    body = broker.post(f"{ORDERS}/whatif", {"orders": [combo(PAIR, orderType="LMT", price=71.0)]}).body

    assert body["amount"]["amount"] == "71 USD (1 Contracts)"
    assert body["amount"]["commission"] == "2 USD"


ratios = st.integers(-4, 4).filter(bool)


@given(ratios, ratios, st.integers(-50_000, 50_000))
def test_leg_prices_make_up_the_net_price(first, second, cents):
    """To the last digit that is kept."""
    if abs(first) == abs(second) != 1 or (first % 2 == 0 and second % 2 == 0):
        return
    made = combination(f"28812380;;;{SPY}/{first},{QQQ}/{second}", Catalogue().find)
    prices = Prices(7, Options(), hours.START)
    net = Decimal(cents) / 100

    found = leg_prices(made, net, hours.START, prices.top)

    total = sum(leg.share(price) for leg, price in zip(made.legs, found, strict=True))
    assert abs(total - net) < Decimal("0.0000001")
