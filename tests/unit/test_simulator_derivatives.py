"""Dated contracts: when they expire, what they are worth, what their rules are."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_client import AAPL, Broker

from ibkr_adapter.simulator import expiries, futures_calendar, hours, option_ladders, other_listings, pricing
from ibkr_adapter.simulator.calendars import calendar_of
from ibkr_adapter.simulator.catalogue import Catalogue
from ibkr_adapter.simulator.ladder_table import BY_CLASS, LADDERS

START = hours.START.astimezone(UTC)
ES_DECEMBER, ES_JUNE, SPY_CALL = 515416632, 649180678, 584891614
ES = futures_calendar.BY_CONID[11004968]
YEAR = timedelta(days=365)


@pytest.fixture
def broker():
    return Broker().ready()


def option(key="AAPL", day=date(2026, 12, 18), strike="165", right="C"):
    return option_ladders.contract(BY_CLASS[key], day, Decimal(strike), right)


def values(broker, conid, fields, reads=3):
    """The row of a snapshot after several reads."""
    for _ in range(reads):
        row = broker.get("/iserver/marketdata/snapshot", conids=conid, fields=fields).body[0]
        broker.wait(1)
    return row


# Dates.


@given(st.integers(0, 600))
def test_there_are_always_contracts_ahead(days):
    """On any day: six expiries of each option class, four of each future."""
    now = START + timedelta(days=days)

    for ladder in LADDERS[:7]:
        dates = option_ladders.listed_dates(ladder, now)
        assert len(dates) >= 6
        assert dates[0] >= hours.local_day(now)
    for product in futures_calendar.PRODUCTS:
        assert len(futures_calendar.listed(product, now)) >= 4
        assert not any(one.is_over(now) for one in futures_calendar.listed(product, now))


def test_weeks_end_on_a_trading_day():
    """Christmas and New Year's Day are Fridays; the day before stands for them."""
    dates = option_ladders.listed_dates(BY_CLASS["SPY"], START)

    assert dates[:7] == [
        date(2026, 11, 27),
        date(2026, 12, 4),
        date(2026, 12, 11),
        date(2026, 12, 18),
        date(2026, 12, 24),
        date(2026, 12, 31),
        date(2027, 1, 8),
    ]


@pytest.mark.parametrize(
    ("key", "clock", "first"),
    [
        ("SPY", "2026-11-27 12:59", date(2026, 11, 27)),
        ("SPY", "2026-11-27 13:00", date(2026, 12, 4)),
        ("SPX", "2026-12-17 15:59", date(2026, 12, 18)),
        ("SPX", "2026-12-18 09:00", date(2027, 1, 15)),
    ],
)
def test_a_date_is_listed_until_its_last_moment(key, clock, first):
    """The short Friday ends at one; what is settled in the morning ended the evening before."""
    now = datetime.fromisoformat(clock).replace(tzinfo=hours.NEW_YORK)

    assert option_ladders.listed_dates(BY_CLASS[key], now)[0] == first


@pytest.mark.parametrize(
    ("conid", "expiry", "last_day"),
    [
        (ES_DECEMBER, date(2026, 12, 18), date(2026, 12, 17)),
        (ES_JUNE, date(2026, 6, 18), date(2026, 6, 18)),
        (495512557, date(2024, 12, 20), date(2024, 12, 19)),
        (495512563, date(2025, 12, 19), date(2025, 12, 18)),
    ],
)
def test_recorded_futures_have_the_recorded_dates(conid, expiry, last_day):
    """The third Friday and the day before; a holiday moves the first onto the second."""
    future = futures_calendar.find(conid)

    assert (future.expiry, future.last_day) == (expiry, last_day)


def test_futures_are_listed_in_no_order_and_with_numbers_for_dates(broker):
    """Several products at once; oil has every month; unknown symbols have an empty list."""
    body = broker.get("/trsrv/futures", symbols="ES,CL,NQ,MES,ZZZZ").body
    expiring = [row["expirationDate"] for row in body["CL"]]

    assert expiring != sorted(expiring)
    assert len(expiring) == 6
    assert {row["underlyingConid"] for row in body["ES"]} == {11004968}
    assert next(row for row in body["ES"] if row["conid"] == ES_DECEMBER)["ltd"] == 20261217
    assert body["ZZZZ"] == []
    assert broker.get("/trsrv/futures", symbols="ES", exchange="NYMEX").body == {"ES": []}
    assert broker.get("/trsrv/futures").status == 400


def test_an_expired_contract_is_unlisted_but_found(broker):
    """By conid: its definition and its details; it has no quotes and no bars."""
    listed = [row["conid"] for row in broker.get("/trsrv/futures", symbols="ES").body["ES"]]
    rows = broker.get("/trsrv/secdef", conids=f"{ES_JUNE},{SPY_CALL}").body["secdef"]

    assert ES_JUNE not in listed
    assert [row["expiry"] for row in rows] == ["20260618", "20250117"]
    assert broker.get(f"/iserver/contract/{ES_JUNE}/info").body["local_symbol"] == "ESM6"
    assert "31" not in values(broker, ES_JUNE, "31")
    assert broker.get("/iserver/marketdata/history", conid=SPY_CALL, period="1d").status == 500


def test_time_takes_contracts_off_the_list(broker):
    """The front month ends on the day before the third Friday; the next takes its place."""
    broker.jump(days=24)
    listed = broker.get("/trsrv/futures", symbols="ES").body["ES"]

    assert ES_DECEMBER not in [row["conid"] for row in listed]
    assert len(listed) == 5


# Conids.

ladders = st.sampled_from(LADDERS)


@given(ladders, st.integers(0, 400), st.data())
def test_every_listed_contract_is_found_by_its_conid(ladder, days, data):
    """Conids are arithmetic: nothing is kept, and no two are the same."""
    now = START + timedelta(days=days)
    day = data.draw(st.sampled_from(option_ladders.listed_dates(ladder, now)))
    strike = data.draw(st.sampled_from(sorted(option_ladders.strikes(ladder, day))))
    right = data.draw(st.sampled_from("CP"))
    contract = option_ladders.contract(ladder, day, strike, right)

    assert Catalogue().find(contract.conid) == contract
    assert 1_200_000_000 <= contract.conid < 2**31 - 1


@given(st.integers(1_000_000_000, 2**31 - 2))
def test_a_number_between_the_contracts_is_none(conid):
    """What is found has the conid that was asked for."""
    found = Catalogue().find(conid)

    assert found is None or found.conid == conid


@pytest.mark.parametrize("conid", [-1, 0, 1_100_000_001, 1_100_050_000, 1_199_999_999, 2147483647])
def test_placeholders_are_no_contracts(conid):
    """Nor are months that a product does not have."""
    assert Catalogue().find(conid) is None


# Names.


def test_an_option_is_called_in_the_documented_ways(broker):
    """One contract, five spellings."""
    info = broker.get(f"/iserver/contract/{SPY_CALL}/info").body
    row = broker.get("/trsrv/secdef", conids=SPY_CALL).body["secdef"][0]

    assert info["local_symbol"] == "SPY   250117C00440000"
    assert info["text"] == "JAN 17 '25 440 Call"
    assert (info["right"], info["strike"], info["contract_month"]) == ("CALL", "440", "202501")
    assert (row["fullName"], row["putOrCall"], row["strike"]) == ("SPY Jan17'25 440 Call", "C", "440")
    assert (row["undConid"], row["undSym"], row["multiplier"]) == (756733, "SPY", 100.0)


@pytest.mark.parametrize(
    ("conid", "local", "kind"),
    [
        (685302909, "IBM   240315C00187500", "OPT"),
        (732160324, "EWZ4 C4975", "FOP"),
        (ES_DECEMBER, "ESZ6", "FUT"),
        (12087792, "EUR.USD", "CASH"),
        (479624278, "BTC.USD", "CRYPTO"),
        (900000203, "IBKR 4.25 12/15/28", "BOND"),
    ],
)
def test_every_class_has_its_local_symbol(broker, conid, local, kind):
    """Strike and right are there for options only."""
    info = broker.get(f"/iserver/contract/{conid}/info").body

    assert (info["local_symbol"], info["instrument_type"]) == (local, kind)
    assert ("strike" in info) is (kind in {"OPT", "FOP"})


# Worth.


@pytest.mark.parametrize("key", ["AAPL", "SPY", "SPXW"])
@given(st.integers(0, 6), st.floats(0.8, 1.2))
def test_calls_and_puts_are_in_parity(key, week, moneyness):
    """A call less a put is the forward less the strike, discounted."""
    ladder = BY_CLASS[key]
    day = option_ladders.listed_dates(ladder, START)[week]
    spot = float(ladder.anchor)
    strike = Decimal(str(round(spot * moneyness, 2)))
    call, put = (option_ladders.contract(ladder, day, strike, right) for right in "CP")
    years = pricing.years_left(call, START)

    gap = pricing.option_price(call, spot, START) - pricing.option_price(put, spot, START)

    assert gap == pytest.approx(spot - float(strike) * math.exp(-pricing.RATE * years), abs=1e-6)


@given(st.floats(0.85, 1.15), st.sampled_from("CP"))
def test_sensitivities_are_the_slopes_of_the_price(moneyness, right):
    """Delta for the spot, theta for a day, with their signs."""
    contract = option(right=right, strike=str(round(165 * moneyness, 2)))
    up, down = (pricing.option_price(contract, 165 + step, START) for step in (0.01, -0.01))

    found = pricing.greeks(contract, 165, START)

    # The volatility leans with the spot, which the slope sees and the formula does not.
    assert found.delta == pytest.approx((up - down) / 0.02, abs=0.05)
    assert (found.delta > 0) is (right == "C")
    assert found.gamma > 0
    assert found.vega > 0
    assert found.theta < 0.01


def test_an_option_that_has_ended_is_worth_what_is_left():
    """Nothing, or the difference."""
    after = option().ends + timedelta(days=1)

    assert pricing.option_price(option(), 170.0, after) == 5.0
    assert pricing.option_price(option(right="P"), 170.0, after) == 0.0
    assert pricing.greeks(option(), 170.0, after).delta == 0.0


def test_derivatives_follow_what_they_are_derived_from(broker):
    """A share goes up: its calls too, its puts down."""
    call, put = option().conid, option(right="P").conid
    before = [float(values(broker, one, "31")["31"]) for one in (call, put)]

    broker.price(AAPL, 175)

    after = [float(values(broker, one, "31", reads=1)["31"]) for one in (call, put)]
    assert after[0] > before[0] + 5
    assert after[1] < before[1] - 1


def test_a_future_lies_above_its_index_and_later_ones_higher(broker):
    """By the cost of carry."""
    index = float(values(broker, 416904, "31")["31"])

    prices = [
        float(values(broker, one.conid, "31")["31"])
        for one in futures_calendar.listed(ES, broker.gateway.world.now)
    ]

    assert index < prices[0]
    assert prices == sorted(prices)
    assert all(price % 0.25 == 0 for price in prices)


def test_a_future_moves_by_night_and_its_index_does_not():
    """The index stands still while its exchange is closed."""
    broker = Broker(walk=0.01).ready()
    prices = broker.gateway.world.prices
    night = START + timedelta(hours=17)
    index, future = other_listings.SPX, futures_calendar.find(ES_DECEMBER)
    moments = [night + timedelta(minutes=minute) for minute in range(0, 60, 5)]

    assert len({prices.last(index, one) for one in moments}) == 1
    assert len({prices.last(future, one) for one in moments}) > 3


def test_a_pinned_derivative_stands_still_until_it_is_let_go(broker):
    """Then it keeps its distance from the model."""
    conid = option().conid
    broker.price(conid, 9)
    broker.price(AAPL, 170)
    pinned = float(values(broker, conid, "31")["31"])
    broker.gateway.set_price(conid, Decimal(9), walk=True)
    broker.wait(1)
    broker.price(AAPL, 175)

    assert pinned == 9.0
    assert float(values(broker, conid, "31", reads=1)["31"]) > 11


# Quotes.


def test_sensitivities_come_after_several_reads(broker):
    """The price is there one read earlier."""
    conid = option().conid
    rows = []
    for _ in range(3):
        rows.append(broker.get("/iserver/marketdata/snapshot", conids=conid, fields="31,7308,7633").body[0])
        broker.wait(1)

    assert ["31" in row for row in rows] == [False, True, True]
    assert ["7308" in row for row in rows] == [False, False, True]
    assert 0.4 < float(rows[2]["7308"]) < 0.7
    assert rows[2]["7633"].endswith("%")


def test_an_option_row_tells_what_it_is(broker):
    """Underlying, right, dates, description."""
    row = values(broker, option().conid, "55,201,6070,6072,6073,6457,7220")

    assert row["6457"] == AAPL
    assert (row["201"], row["6070"], row["6072"], row["6073"]) == ("C", "OPT", "DEC26", "20261218")
    assert row["55"] == f"AAPL {row['7220']}" == "AAPL DEC 18 '26 165 Call"


def test_an_index_has_a_level_and_no_market(broker):
    """And says that it cannot be traded."""
    row = values(broker, 416904, "31,84,85,86,87,88,7184,7308")

    assert row["31"] == "6558.40"
    assert row["7184"] == "0"
    assert not {"84", "85", "86", "87", "88", "7308"} & row.keys()


@pytest.mark.parametrize(
    ("conid", "last", "places"),
    [(12087792, "1.15400", 5), (15016059, "156.250", 3), (479624278, "91240.50", 2)],
)
def test_prices_have_the_digits_of_their_tick(broker, conid, last, places):
    """Half a tenth of a pip for most pairs."""
    row = values(broker, conid, "31,84,86")

    assert row["31"] == last
    assert {len(row[tag].partition(".")[2]) for tag in ("31", "84", "86")} == {places}


def test_bars_of_the_night_belong_to_futures(broker):
    """All hours of a day but one; an option has seven hours, a pair no volume."""
    futures = broker.get(
        "/iserver/marketdata/history", conid=ES_DECEMBER, period="3d", bar="1h", outsideRth="true"
    ).body
    options = broker.get("/iserver/marketdata/history", conid=option().conid, period="2d", bar="1h").body
    pair = broker.get("/iserver/marketdata/history", conid=12087792, period="1d", bar="1h").body

    night = {datetime.fromtimestamp(bar["t"] / 1000, UTC).hour for bar in futures["data"]}
    assert night == set(range(24)) - {22}
    assert {datetime.fromtimestamp(bar["t"] / 1000, UTC).hour for bar in options["data"]} <= set(
        range(14, 21)
    )
    assert {bar["v"] for bar in pair["data"]} == {0}


# Hours.


@pytest.mark.parametrize(
    ("conid", "clock", "is_open"),
    [
        (ES_DECEMBER, "2026-11-24 03:00", True),
        (ES_DECEMBER, "2026-11-24 17:30", False),
        (ES_DECEMBER, "2026-11-24 18:00", True),
        (ES_DECEMBER, "2026-11-28 12:00", False),
        (ES_DECEMBER, "2026-11-29 18:30", True),
        (12087792, "2026-11-26 12:00", True),
        (12087792, "2026-11-27 17:00", False),
        (12087792, "2026-11-29 17:00", False),
        (12087792, "2026-11-29 17:15", True),
        (479624278, "2026-11-28 12:00", True),
        (479624278, "2026-12-25 23:30", True),
        (416904, "2026-11-24 09:00", False),
        (416904, "2026-11-24 09:30", True),
        (AAPL, "2026-11-24 09:00", False),
        (900000203, "2026-11-27 13:00", False),
    ],
)
def test_each_class_keeps_its_hours(conid, clock, is_open):
    """Futures nearly round the clock, currencies from Sunday to Friday, coins always; New York time."""
    moment = datetime.fromisoformat(clock).replace(tzinfo=hours.NEW_YORK).astimezone(UTC)

    assert calendar_of(Catalogue().find(conid)).is_open(moment) is is_open


@pytest.mark.parametrize("conid", [ES_DECEMBER, 12087792, 479624278, 416904])
@given(offset=st.integers(0, 300 * 86400))
def test_trading_begins_and_ends_at_boundaries_only(conid, offset):
    """For every class, as for shares; the last price is never from the future."""
    calendar = calendar_of(Catalogue().find(conid))
    moment = START + timedelta(seconds=offset)
    boundary = calendar.next_boundary(moment)

    assert boundary > moment
    assert calendar.is_open(moment) is calendar.is_open(boundary - timedelta(seconds=1))
    assert calendar.last_traded(moment) <= moment
    assert calendar.previous_close(moment) < moment
    assert calendar.day_end(moment, outside=False) > moment


def test_the_schedule_of_a_future_is_the_documented_one(broker):
    """Chicago: from five in the evening to four, busy from half past eight; short before Christmas."""
    broker.jump(days=27)
    body = broker.get("/contract/trading-schedule", conid=futures_calendar.listed(ES, START)[1].conid).body

    assert body["exchange_time_zone"] == "US/Central"
    eve = body["schedules"]["20261224"]
    assert "20261225" not in body["schedules"]
    assert eve["liquid_hours"][0]["closing"] - eve["liquid_hours"][0]["opening"] == 3.75 * 3600
    full = body["schedules"]["20261222"]
    assert full["extended_hours"][0]["closing"] - full["extended_hours"][0]["opening"] == 23 * 3600
    assert full["liquid_hours"][0]["closing"] - full["liquid_hours"][0]["opening"] == 7.5 * 3600


@pytest.mark.parametrize(
    ("asset_class", "symbol", "opening", "zone"),
    [
        ("FUT", "ES", "1700", "America/Chicago"),
        ("OPT", "SPX", "0930", "America/New_York"),
        ("SWP", "EUR.USD", "1715", "America/New_York"),
        ("FND", "VFIAX", "0930", "America/New_York"),
    ],
)
def test_the_old_schedule_knows_other_classes(broker, asset_class, symbol, opening, zone):
    """A Monday stands for all Mondays."""
    body = broker.get("/trsrv/secdef/schedule", assetClass=asset_class, symbol=symbol).body[0]

    monday = next(row for row in body["schedules"] if row["tradingScheduleDate"] == "20000103")
    assert (monday["tradingtimes"][0]["openingTime"], body["timezone"]) == (opening, zone)


# Rules.


def rules(broker, conid):
    return broker.post("/iserver/contract/rules", {"conid": conid, "isBuy": True}).body


def test_the_rules_of_an_option_are_the_documented_ones(broker):
    """No fractions, no money sizes, nothing outside hours, no opening and no closing orders."""
    found = rules(broker, option("IBM").conid)

    assert found["orderTypes"] == [
        "limit",
        "market",
        "stop",
        "stop_limit",
        "mit",
        "lit",
        "trailing_stop",
        "trailing_stop_limit",
        "relative",
    ]
    assert found["fraqTypes"] == found["cqtTypes"] == found["orderTypesOutside"] == []
    assert (found["sizeIncrement"], found["fraqInt"], found["cashQtyIncr"]) == (1, 0, None)
    assert found["tifTypes"][1:] == ["GTC/o,a", "GTD/o,a", "DAY/o,a"]
    assert found["incrementRules"] == [{"lowerEdge": 0.0, "increment": 0.01}]


@pytest.mark.parametrize(
    ("conid", "ticks"),
    [
        (ES_DECEMBER, [(0.0, 0.25)]),
        (option("AAPL").conid, [(0.0, 0.01), (3.0, 0.05)]),
        (option("SPX", strike="6550").conid, [(0.0, 0.05), (3.0, 0.1)]),
        (option("EW", day=date(2026, 12, 31), strike="6600").conid, [(0.0, 0.05), (10.0, 0.25)]),
        (12087792, [(0.0, 0.00005)]),
        (15016059, [(0.0, 0.005)]),
        (479624278, [(0.0, 0.25)]),
        (futures_calendar.listed(futures_calendar.PRODUCTS[3], START)[0].conid, [(0.0, 0.01)]),
    ],
)
def test_each_class_has_its_ticks(broker, conid, ticks):
    """By price where the class has several."""
    found = rules(broker, conid)["incrementRules"]

    assert [(row["lowerEdge"], row["increment"]) for row in found] == ticks


@pytest.mark.parametrize(
    ("conid", "types", "tifs", "cash", "size"),
    [
        (479624278, ["limit", "market"], ["IOC/MARKET,LIMIT", "PAX/LIMIT"], ["limit", "market"], 8),
        (900000121, ["market"], ["DAY/MARKET"], ["market"], 3),
        (416904, [], [], [], 0),
        (900000203, ["limit", "market"], ["IOC/MARKET,LIMIT", "GTC/", "DAY/"], [], 0),
    ],
)
def test_coins_funds_and_indices_have_rules_of_their_own(broker, conid, types, tifs, cash, size):
    """An index may not be traded by anybody."""
    found = rules(broker, conid)

    assert (found["orderTypes"], found["tifTypes"]) == (types, tifs)
    assert (found["cqtTypes"], found["fraqInt"]) == (cash, size)
    assert found["canTradeAcctIds"] == ([] if not types else ["DU1234567"])


@pytest.mark.parametrize(("conid", "any_"), [(ES_DECEMBER, True), (12087792, False), (479624278, False)])
def test_algorithms_are_for_what_the_rules_say(broker, conid, any_):
    """None for pairs and coins."""
    broker.get(f"/iserver/contract/{conid}/algos")

    offered = broker.get(f"/iserver/contract/{conid}/algos").body["algos"]

    assert bool(offered) is any_ is rules(broker, conid)["algoEligible"]


def test_futures_come_in_their_sizes():
    """Money a point: 50, 5, 20, and a thousand barrels."""
    sizes = {one.of.symbol: one.multiplier for one in futures_calendar.PRODUCTS}

    assert sizes == {"ES": 50, "MES": 5, "NQ": 20, "CL": 1000}


def test_months_are_written_both_ways():
    """And nothing else is a month."""
    assert expiries.month_code(date(2027, 1, 15)) == "JAN27"
    assert expiries.parse_month("JAN27") == date(2027, 1, 1)
    assert expiries.parse_month("JAN2") is expiries.parse_month("JANxx") is None
