"""Values, returns and transactions in the shapes of the Portfolio Analyst."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from witnesses import recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.performance import Measure, Performance, Point, Series
from ibkr_adapter.wire import performance

recorded = recorded_in("pa")
DAYS = ["20260810", "20260908"]


def one_period(**parts):
    return {"included": ["DU1"], "pm": "TWR", **parts}


def test_a_value_belongs_to_its_day():
    """And the first is counted from what stood before it."""
    nav = {
        "freq": "D",
        "dates": DAYS,
        "data": [
            {
                "id": "DU1",
                "baseCurrency": "USD",
                "startNAV": {"date": "20260807", "val": 81030.25},
                "navs": [81100.5, 79933],
            }
        ],
    }

    found = performance.read_performance(one_period(nav=nav), "1M").of(Measure.VALUE)

    assert [(point.date, point.value) for point in found.points] == [
        (date(2026, 8, 10), Decimal("81100.5")),
        (date(2026, 9, 8), Decimal(79933)),
    ]
    assert (found.start_day, found.start_value) == ("20260807", Decimal("81030.25"))


def test_returns_by_month_have_no_day():
    """A month is no date that anybody could mistake for one."""
    parts = {"tpps": {"freq": "M", "dates": ["202608"], "data": [{"id": "DU1", "returns": [-0.011]}]}}

    found = performance.read_performance(one_period(**parts), "1M")

    assert found.of(Measure.PERIODIC).points == (Point(day="202608", value=Decimal("-0.011")),)
    assert found.of(Measure.PERIODIC).points[0].date is None
    assert found.of(Measure.CUMULATIVE) is None


@pytest.mark.parametrize(
    ("days", "values"),
    [
        (DAYS, [1]),
        (["20260810"], [1, 2]),
        ("x", [1]),
        (DAYS, {"a": 1}),
        (["202613"], [1]),
        (["20269999"], [1]),
        ([None], [1]),
    ],
)
def test_a_series_whose_days_do_not_fit_is_an_error(days, values):
    """One value on the wrong day falsifies all that follow."""
    parts = {"cps": {"dates": days, "data": [{"returns": values}]}}

    with pytest.raises(UnexpectedAnswer):
        performance.read_performance(one_period(**parts), "1M")


def test_a_missing_value_stays_missing():
    parts = {"cps": {"dates": ["20260810"], "data": [{"returns": ["n/a"]}]}, "nav": [], "tpps": {}}

    (series,) = performance.read_performance(one_period(**parts), "1M").series

    assert series.points == (Point(day="20260810", value=None),)


def test_every_account_and_period_is_found_under_its_key():
    """The account ids are keys beside the others."""
    period = {
        "freq": "D",
        "startNAV": {"date": "20260907", "val": 5},
        "dates": ["20260908"],
        "nav": [6],
        "cps": [0.2],
    }
    about = {
        "periods": ["1D", "7D", "1Y"],
        "baseCurrency": "USD",
        "lastSuccessfulUpdate": "2026-09-08 22:40:19",
    }
    body = {
        "pm": "TWR",
        "included": ["DU1", "DU2"],
        "view": ["DU1", "DU3", 5],
        "DU1": {"1D": period, "7D": {}, **about},
        "DU2": {"1D": {"dates": ["20260908"], "cps": [0.5]}},
        "DU3": "?",
    }

    found = performance.read_all_periods(body)

    assert [(one.period, one.accounts) for one in found] == [("1D", ("DU1",)), ("1D", ("DU2",))]
    assert found.updated == "2026-09-08 22:40:19"
    assert found.of("1D", "DU2").of(Measure.CUMULATIVE).points[0].value == Decimal("0.5")
    assert found.of("1D").of(Measure.VALUE).currency == "USD"
    assert found.of("1D", "DU9") is None
    assert len(found.table()) == 3


def test_a_table_has_every_point():
    """Which is what a data frame is made of."""
    series = Series(name="DU1", measure=Measure.VALUE, points=(Point(day="20260908", value=Decimal(6)),))

    table = Performance(period="1D", series=(series,)).table()

    assert table.records() == [
        {"period": "1D", "account": "DU1", "measure": "value", "day": "20260908", "value": Decimal(6)}
    ]


def test_transactions_are_read_by_their_raw_day_and_realised_profit_by_its_sign():
    """The printed day has a zone, and the side says long where it should say gain."""
    trade = {
        "date": "Wed Nov 05 00:00:00 EST 2025",
        "rawDate": "20251105",
        "cur": "USD",
        "fxRate": 1.0,
        "pr": 267.71,
        "qty": 10.0,
        "acctid": "DU1",
        "amt": -2677.1,
        "conid": 265598,
        "type": "Buy",
        "desc": "APPLE INC",
    }
    gain = {
        "cur": "USD",
        "date": "20260908",
        "side": "L",
        "positionSide": "long",
        "acctid": "DU1",
        "amt": "92.71",
        "conid": "265598",
    }
    body = {
        "rpnl": {"data": [gain], "amt": "113.61"},
        "currency": "USD",
        "from": 1757289600000,
        "transactions": [trade, {"rawDate": "20260512", "type": "Payment In Lieu", "amt": 2.7}],
    }

    found = performance.read_transactions(body)

    assert (found.rows[0].day, found.rows[0].amount, found.rows[0].price) == (
        date(2025, 11, 5),
        Decimal("-2677.1"),
        Decimal("267.71"),
    )
    assert (found.rows[1].price, found.rows[1].quantity, found.rows[1].conid) == (None, None, None)
    assert (found.realised[0].amount, found.realised[0].position_side) == (Decimal("92.71"), "long")
    assert found.realised_sum == Decimal("113.61")
    assert (found.begins, found.ends) == (datetime(2025, 9, 8, tzinfo=UTC), None)
    assert len(found.rows.records()) == 2
    assert found.realised.records()[0]["amount"] == Decimal("92.71")


def test_no_transactions_are_none():
    found = performance.read_transactions({"rpnl": []})

    assert (len(found.rows), found.realised_sum) == (0, None)


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["conduit-POST-pa-performance", "ibkrdotnet-pa-performance-trimmed"])
def test_recorded_performance(name):
    found = performance.read_performance(recorded(f"{name}.json"), "1M")

    assert {series.measure for series in found.series} == set(Measure)
    assert found.method == "TWR"
    assert found.of(Measure.VALUE).start_value > 0


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["conduit-POST-pa-allperiods", "ibkrdotnet-pa-allperiods-trimmed"])
def test_recorded_periods(name):
    """Also one that lacks its list of periods."""
    found = performance.read_all_periods(recorded(f"{name}.json"))

    assert {one.period for one in found} == {"1D", "7D"}


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["conduit-POST-pa-transactions", "ibkrdotnet-pa-transactions-trimmed"])
def test_recorded_transactions(name):
    found = performance.read_transactions(recorded(f"{name}.json"))

    assert all(row.day is not None and row.amount is not None for row in found.rows)
    assert found.realised_sum is not None
