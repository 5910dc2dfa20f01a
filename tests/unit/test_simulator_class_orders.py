"""Orders for options, futures and what else is no share: sizes, fields, money."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_client import AAPL, ACCOUNT, ORDERS, Broker, ticket

from ibkr_adapter.simulator import charges, futures_calendar, hours, option_ladders
from ibkr_adapter.simulator.account import Account, standing
from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.currencies import RATES
from ibkr_adapter.simulator.ladder_table import BY_CLASS

ES, SPX, BOND, FUND, SAP = 515416632, 416904, 900000203, 900000121, 900000019
CALL = option_ladders.contract(BY_CLASS["AAPL"], date(2026, 12, 18), Decimal(165), "C")
PUT = option_ladders.contract(BY_CLASS["AAPL"], date(2026, 12, 18), Decimal(165), "P")
WARRANT = option_ladders.contract(BY_CLASS["IBM warrants"], date(2026, 12, 18), Decimal(190), "C")
FUTURE_OPTION = option_ladders.contract(BY_CLASS["EW"], date(2026, 12, 31), Decimal(6600), "C")
OPERATOR = {"manualIndicator": False, "extOperator": "desk"}
MARKET = {"orderType": "MKT", "price": None}


@pytest.fixture
def broker():
    return Broker(questions=False, first_reads_empty=False).ready()


def trade(broker, conid, side="BUY", quantity=1, **changes):
    """A market order that is filled; the execution."""
    reply = broker.place(ticket(conid=conid, side=side, quantity=quantity, **MARKET | changes))
    assert "order_id" in reply.body[0], reply.body
    broker.wait(2)
    return broker.ledger["executions"][-1]


def refused(broker, **changes):
    """The words of a refusal; nothing was entered."""
    before = len(broker.ledger["orders"])
    body = broker.place(ticket(**changes)).body
    assert len(broker.ledger["orders"]) == before
    return body["error"] if isinstance(body, dict) else body[0]["text"]


def sums(broker):
    return broker.ledger["accounts"][0]


# Options.


def test_an_option_costs_a_hundred_times_its_price(broker):
    """Cash, cost and fee; a position row tells both averages."""
    done = trade(broker, CALL.conid, quantity=2)

    price = Decimal(str(done["price"]))
    spent = price * 200 + Decimal("1.30")
    row = broker.get(f"/portfolio2/{ACCOUNT}/positions").body[0]
    assert sums(broker)["cash"]["USD"] == float(1_000_000 - spent)
    assert row["avgCost"] == float(spent / 2)
    assert row["avgPrice"] == float(spent / 200)
    assert row["description"] == "AAPL   DEC2026 165 C [AAPL  261218C00165000 100]"
    assert row["secType"] == "OPT"


def test_a_sold_option_brings_its_premium_and_ties_up_more(broker):
    """Buying power falls although cash rises."""
    before = sums(broker)

    done = trade(broker, PUT.conid, side="SELL", quantity=10)

    after = sums(broker)
    premium = done["price"] * 1000
    assert after["cash"]["USD"] == pytest.approx(before["cash"]["USD"] + premium - 6.5)
    # Fifteen per cent of a thousand shares, and the premium.
    assert after["buying_power"] == pytest.approx(before["buying_power"] - 4 * (24_750 + premium), rel=0.01)
    assert broker.position(PUT.conid) == -10


def test_an_option_needs_its_whole_price(broker):
    """Shares are lent on, options are not."""
    broker.gateway.set_options({"buying_power": 5000.0})

    assert "NOT ACCEPTED" in refused(broker, conid=CALL.conid, **MARKET | {"quantity": 3})
    assert "order_id" in broker.place(ticket(conid=AAPL, quantity=30)).body[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"orderType": "MIDPRICE", "price": None}, "Invalid order type"),
        ({"orderType": "MOC", "price": None}, "Invalid order type"),
        ({"tif": "OPG", "price": 4.0}, "Invalid time in force"),
        ({"tif": "OVT", "price": 4.0}, "Invalid time in force"),
        ({"outsideRTH": True, "price": 4.0}, "Outside Regular Trading Hours"),
        ({"price": 4.03}, "does not conform to the minimum variation of 0.05"),
        ({"quantity": 0.5, "price": 4.0}, "does not conform to the minimum variation of 1"),
        ({"quantity": None, "cashQty": 1000, "price": 4.0}, "Invalid order size fields"),
    ],
)
def test_what_an_options_rules_do_not_list_is_refused(broker, changes, words):
    """Types, times, sessions, ticks, fractions, money."""
    assert words in refused(broker, conid=CALL.conid, **changes)


def test_an_option_trades_in_regular_hours_only(broker):
    """A limit order of the evening waits for the morning."""
    broker.jump(hours=8)
    broker.place(ticket(conid=CALL.conid, price=90.0, tif="GTC", cOID="late"))
    broker.wait(10)
    evening = broker.order("late")["status"]
    broker.gateway.advance(16 * 3600)

    assert evening == "PreSubmitted"
    assert broker.order("late")["status"] == "Filled"


def test_an_order_ends_with_its_contract(broker):
    """Good till cancelled is no longer than the option itself."""
    week = option_ladders.contract(BY_CLASS["AAPL"], date(2026, 11, 27), Decimal(150), "C")
    broker.place(ticket(conid=week.conid, price=0.05, tif="GTC", cOID="dies"))

    broker.gateway.advance(4 * 86400)

    assert broker.order("dies")["status"] == "Cancelled"
    assert broker.order("dies")["reason"] == "Cancelled by System: order expired"


# Futures.


def test_a_future_costs_nothing_but_its_fee(broker):
    """Its gain is equity at once and cash when it is closed; fifty dollars a point."""
    bought = trade(broker, ES, **OPERATOR)
    cash = sums(broker)["cash"]["USD"]
    broker.price(SPX, 6658.40)
    world = broker.gateway.world
    last = world.last(futures_calendar.find(ES))
    net = sums(broker)["net_liquidation"]
    sold = trade(broker, ES, side="SELL", **OPERATOR)

    gain = (sold["price"] - bought["price"]) * 50
    assert cash == 999_997.75
    assert net == pytest.approx(999_997.75 + float(last) * 50 - bought["price"] * 50)
    assert sums(broker)["cash"]["USD"] == 1_000_000 + gain - 4.5
    assert sums(broker)["realised"] == gain - 4.5
    assert gain > 4900


def test_a_futures_value_has_its_heading_and_its_notional_none(broker):
    """The ledger shows what it has gained; the position row shows the contract's worth."""
    broker.get("/portfolio/accounts")
    bought = trade(broker, ES, **OPERATOR)
    broker.price(ES, bought["price"] + 10)
    row = broker.get(f"/portfolio2/{ACCOUNT}/positions").body[0]
    ledger = broker.get(f"/portfolio/{ACCOUNT}/ledger").body["USD"]

    assert row["marketValue"] == (bought["price"] + 10) * 50
    assert ledger["futuremarketvalue"] == ledger["futuresonlypnl"] == 500.0
    assert ledger["netliquidationvalue"] == ledger["cashbalance"] + 500.0
    assert ledger["stockmarketvalue"] == 0.0


@pytest.mark.parametrize(
    ("wanted", "given", "missing"),
    [
        ("both", {}, "manualIndicator"),
        ("both", {"manualIndicator": True}, "extOperator"),
        ("both", {"extOperator": "desk"}, "manualIndicator"),
        ("indicator", {"extOperator": "desk"}, "manualIndicator"),
        ("indicator", {"manualIndicator": False}, None),
        ("none", {}, None),
        ("both", OPERATOR, None),
    ],
)
@pytest.mark.parametrize("conid", [ES, FUTURE_OPTION.conid])
def test_us_futures_say_who_places_them(conid, wanted, given, missing):
    """In orders, previews, changes and, as query parameters, cancels."""
    broker = Broker(questions=False, us_futures_fields="none").ready()
    row = ticket(conid=conid, price=50.0, tif="GTC")
    working = broker.place(row).body[0]["order_id"]
    path = f"/iserver/account/{ACCOUNT}/order/{working}"
    broker.gateway.set_options({"us_futures_fields": wanted})

    replies = [
        broker.place(row | given),
        broker.post(f"{ORDERS}/whatif", {"orders": [row | given]}),
        broker.post(path, row | given | {"price": 51.0}),
        broker.delete(path, **given),
    ]

    errors = [reply.body.get("error") if isinstance(reply.body, dict) else None for reply in replies]
    if missing is None:
        assert errors == [None] * 4
    else:
        assert errors == [f"Order rejected: {missing} is required for US futures products."] * 4


def test_shares_need_no_operator(broker):
    """Nor do options on them."""
    assert "order_id" in broker.place(ticket(conid=CALL.conid, price=1.0)).body[0]


@pytest.mark.parametrize(("conid", "venue"), [(AAPL, "ISLAND"), (SAP, "IBIS"), (ES, "CME")])
def test_a_contract_trades_where_it_is_listed(broker, conid, venue):
    """American shares at any of their venues, others at home."""
    trade(broker, conid, quantity=10 if conid != ES else 1, **OPERATOR if conid == ES else {})

    filled = broker.get("/iserver/account/trades").body[0]

    assert filled["exchange"] == venue
    assert filled["order_description"].endswith(f" on {venue}")


def test_a_future_trades_by_night_without_asking_for_it(broker):
    """A market order at three in the morning."""
    broker.jump(hours=17)

    assert trade(broker, ES, **OPERATOR)["quantity"] == 1.0
    assert "outside regular trading hours" in refused(broker, **MARKET)


@pytest.mark.parametrize(("price", "fits"), [(6500.25, True), (6500.20, False), (6500.5, True)])
def test_a_futures_price_is_on_its_tick(broker, price, fits):
    """A quarter of a point."""
    body = broker.place(ticket(conid=ES, price=price, **OPERATOR)).body

    assert (body[0]["order_id"] != "-1") is fits


def test_a_future_ties_up_a_part_of_its_notional(broker):
    """One contract of six times a hundred thousand dollars does not fit a small account."""
    small = Broker(questions=False, cash=20_000.0).ready()

    assert "INITIAL MARGIN" in refused(small, conid=ES, **MARKET, **OPERATOR)
    before = sums(broker)["buying_power"]
    trade(broker, ES, **OPERATOR)
    tied = (before - sums(broker)["buying_power"]) / 4
    assert 20_000 < tied < 26_000


# What cannot be traded.


def test_an_index_cannot_be_ordered(broker):
    """Nor a product, nor a placeholder."""
    assert refused(broker, conid=SPX) == "This instrument cannot be traded."
    assert refused(broker, conid=11004968) == "This instrument cannot be traded."
    assert refused(broker, conid=2147483647) == "Invalid conid: 2147483647"
    assert refused(broker, conid=-1) == "Invalid conid: -1"


@pytest.mark.parametrize("conid", [649180678, 584891614])
def test_an_expired_contract_cannot_be_ordered(broker, conid):
    """It is still known."""
    assert "has expired" in refused(broker, conid=conid, **OPERATOR)


def test_an_unknown_venue_is_refused(broker):
    """The legal ones are in the details of the contract."""
    assert "NYMEX" in refused(broker, conid=None, conidex=f"{ES}@NYMEX", **OPERATOR)
    assert "order_id" in broker.place(ticket(conid=None, conidex=f"{AAPL}@ARCA")).body[0]


@pytest.mark.parametrize(("conid", "quantity", "fits"), [(900000017, 100, True), (900000017, 1, False)])
def test_lots_are_whole(broker, conid, quantity, fits):
    """In the words of the recorded refusal."""
    body = broker.place(ticket(conid=conid, quantity=quantity, price=612.4)).body

    if fits:
        assert body[0]["order_status"] == "PreSubmitted"
    else:
        assert "The size, 1, does not conform to the minimum variation of 100" in body[0]["text"]


# The other classes.


def test_a_bond_is_ten_times_its_price(broker):
    """Percent of a thousand."""
    done = trade(broker, BOND, quantity=5)

    assert sums(broker)["cash"]["USD"] == pytest.approx(1_000_000 - done["price"] * 50 - 5)


def test_a_fund_is_bought_for_money(broker):
    """At the market, in fractions, no other way."""
    done = trade(broker, FUND, quantity=None, cashQty=3000)

    assert done["quantity"] == 4.949
    assert "Invalid order type" in refused(broker, conid=FUND)


def test_a_warrant_is_paid_in_its_own_currency(broker):
    """A tenth of an option, in euros."""
    done = trade(broker, WARRANT.conid, quantity=1000)

    spent = done["price"] * 100 + 1.0 if done["price"] < 1 else done["price"] * 100 + 5
    assert sums(broker)["cash"]["EUR"] == pytest.approx(-spent, abs=5)
    assert broker.get(f"/portfolio2/{ACCOUNT}/positions").body[0]["currency"] == "EUR"


@pytest.mark.parametrize(
    ("conid", "heading", "row", "extra"),
    [
        (CALL.conid, "stockoptionmarketvalue", "options", {}),
        (FUTURE_OPTION.conid, "futureoptionmarketvalue", "future_options", OPERATOR),
        (BOND, "corporatebondsmarketvalue", "bonds", {}),
        (FUND, "funds", "funds", {"quantity": None, "cashQty": 1000}),
        (
            479624278,
            "cryptocurrencyvalue",
            "Cryptocurrency",
            {"quantity": None, "cashQty": 1000, "tif": "IOC"},
        ),
    ],
)
def test_each_class_has_a_heading_in_the_sums(broker, conid, heading, row, extra):
    """In the ledger and in the summary by market value; the parts make up the whole."""
    broker.get("/portfolio/accounts")
    trade(broker, conid, **extra)
    ledger = broker.get(f"/portfolio/{ACCOUNT}/ledger").body["USD"]
    summary = broker.get(f"/iserver/account/{ACCOUNT}/summary/market_value").body["USD"]
    allocation = broker.get(f"/portfolio/{ACCOUNT}/allocation").body["assetClass"]["long"]

    assert ledger[heading] > 0
    assert ledger["netliquidationvalue"] == pytest.approx(ledger["cashbalance"] + ledger[heading])
    assert float(summary[row].replace(",", "")) == pytest.approx(ledger[heading], abs=0.5)
    assert ledger[heading] in allocation.values()


def test_a_preview_multiplies(broker):
    """Contracts, not shares."""
    body = broker.post(f"{ORDERS}/whatif", {"orders": [ticket(conid=CALL.conid, price=4.0, quantity=2)]}).body

    assert body["amount"] == {
        "amount": "800 USD (2 Contracts)",
        "commission": "1.30 USD",
        "total": "801.30 USD",
    }


def test_large_contracts_draw_the_value_question_and_futures_do_not():
    """What is paid counts, with its multiplier."""
    broker = Broker(us_futures_fields="none").ready()

    asked = broker.place(ticket(conid=CALL.conid, price=5.0, quantity=400)).body[0]
    future = broker.place(ticket(conid=ES, price=6500.0)).body[0]

    assert "o451" in asked["messageIds"] or "o163" in asked["messageIds"]
    assert "order_id" in future


def test_a_live_row_describes_the_contract(broker):
    """A second line, and the venue."""
    broker.place(ticket(conid=CALL.conid, price=1.0))
    broker.wait(1)

    row = broker.get("/iserver/account/orders").body["orders"][0]
    status = broker.get(f"/iserver/account/order/status/{row['orderId']}").body

    assert (row["description1"], row["description2"]) == ("AAPL", "DEC 18 '26 165 Call")
    assert (row["secType"], row["exchange"]) == ("OPT", "AMEX")
    assert status["contract_description_2"] == "DEC 18 '26 165 Call"


# Money that adds up.

INSTRUMENTS = [
    Catalogue().find(one)
    for one in (AAPL, CALL.conid, ES, BOND, 479624278, WARRANT.conid, FUTURE_OPTION.conid)
]
fills = st.lists(
    st.tuples(
        st.sampled_from(INSTRUMENTS),
        st.integers(-40, 40).filter(bool).map(Decimal),
        st.integers(100, 50_000).map(lambda n: Decimal(n) / 100),
    ),
    max_size=30,
)


@given(fills, st.integers(100, 50_000))
def test_cash_positions_and_profit_add_up_for_every_class(history, last):
    """What was there, plus all profit, is what is there: exactly, whatever was paid for and what not."""
    start = datetime(2026, 11, 24, 15, tzinfo=UTC)
    account = Account(account_id="DU1", cash={"USD": Decimal(100_000)}, opened=start)
    account.seed(INSTRUMENTS[2], Decimal(2), Decimal("12.25"))
    account.seed(INSTRUMENTS[1], Decimal(3), Decimal("4.10"))
    price = Decimal(last) / 100

    for instrument, signed, at in history:
        account.book_fill(instrument, signed, at, charges.fee(instrument, abs(signed), at))

    total = standing(account, lambda _: price)
    began = sum(RATES[one] * amount for one, amount in account.start.items())
    assert began + total.realised + total.unrealised == pytest.approx(total.net, abs=Decimal("1e-15"))
    for position in account.positions.values():
        assert position.quantity or not (position.cost or position.entered)


def test_what_stands_at_the_end_of_a_contract_keeps_its_last_value(broker):
    """No exercise and no delivery: a position in the past is worth what was left."""
    week = option_ladders.contract(BY_CLASS["AAPL"], date(2026, 11, 27), Decimal(160), "C")
    trade(broker, week.conid)
    broker.price(AAPL, 168)

    broker.gateway.advance(7 * 86400)
    broker.price(AAPL, 300)

    last = broker.gateway.world.last(week)
    assert last == Decimal("8.00")
    assert broker.gateway.world.now - hours.START > timedelta(days=5)
