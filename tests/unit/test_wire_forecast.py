"""Event contracts as they are read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from witnesses import documented

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import forecast

MARKET = {
    "name": "Drought",
    "symbol": "USDR",
    "exchange": "FORECASTX",
    "conid": 732764712,
    "product_conid": 732764717,
}


def test_a_category_names_the_one_above_it():
    """The tree comes flat, and the documents have a null in it."""
    tree = {
        "categories": {
            "g1": {"name": "Climate"},
            "...": None,
            "g2": {"name": "US", "parent_id": "g1", "markets": [MARKET]},
        }
    }

    found = forecast.read_categories(tree)

    assert [(one.key, one.parent) for one in found] == [("g1", None), ("g2", "g1")]
    assert (found[1].markets[0].conid, found[1].markets[0].category) == (732764712, "g2")


def test_both_sides_of_a_level_are_contracts():
    rows = [
        {"conid": 1, "side": "Y", "expiration": "20260430", "strike": 4700.0},
        {"conid": 2, "side": "N", "expiration": "20260430", "strike": 4700.0},
    ]

    found = forecast.read_market({"market_name": "CO2", "payout": 1.0, "contracts": rows})

    assert [(one.conid, one.side, one.expiry) for one in found.rows] == [
        (1, "Y", date(2026, 4, 30)),
        (2, "N", date(2026, 4, 30)),
    ]
    assert found.payout == Decimal(1)


def test_hours_are_rows_by_day():
    times = [{"open": "12:00 AM", "close": "4:00 PM"}, {"open": "4:15 PM", "close": "11:59 PM"}]

    found = forecast.read_event_hours(
        {
            "timezone": "US/Central",
            "trading_schedules": [{"day_of_week": "Saturday", "trading_times": times}, {}],
        }
    )

    assert [(one.day, one.opens, one.closes) for one in found] == [
        ("Saturday", "12:00 AM", "4:00 PM"),
        ("Saturday", "4:15 PM", "11:59 PM"),
    ]


@pytest.mark.parametrize(
    ("read", "broken"),
    [
        (forecast.read_categories, {}),
        (forecast.read_categories, {"categories": {"g": {"markets": [{}]}}}),
        (forecast.read_market, {"contracts": [{}]}),
        (forecast.read_details, []),
        (forecast.read_event_rules, []),
        (forecast.read_event_hours, []),
    ],
)
def test_what_lacks_its_contract_or_its_shape_is_an_error(read, broken):
    with pytest.raises(UnexpectedAnswer):
        read(broken)


@pytest.mark.recorded
def test_documented_event_contracts():
    (tree,) = documented("GET_forecast_category_tree.json").values()
    (market,) = documented("GET_forecast_contract_market.json").values()
    (details,) = documented("GET_forecast_contract_details.json").values()
    (rules,) = documented("GET_forecast_contract_rules.json").values()
    (hours,) = documented("GET_forecast_contract_schedules.json").values()

    assert any(one.markets for one in forecast.read_categories(tree))
    assert len(forecast.read_market(market).rows) >= 2
    assert forecast.read_details(details).yes == 805953033
    assert forecast.read_event_rules(rules).last_trade.year == 2036
    assert forecast.read_event_hours(hours)[0].zone == "US/Central"
