"""Lists of shares, filters of bonds, calendars of venues, the login."""

from __future__ import annotations

from datetime import date

import pytest
from witnesses import documented, recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import catalogue

recorded = recorded_in("contracts")


def test_a_share_without_its_contract_is_an_error():
    """What cannot be ordered is in no list of what can."""
    assert (
        catalogue.read_listed_shares([{"ticker": "BMO", "conid": 5094, "exchange": "NYSE"}])[0].conid == 5094
    )
    with pytest.raises(UnexpectedAnswer):
        catalogue.read_listed_shares([{"ticker": "BMO"}])


def test_a_filter_has_a_row_for_each_value():
    body = {
        "bondFilters": [
            {"displayText": "Currency", "columnId": 5, "options": [{"value": "EUR"}, {"text": "?"}]}
        ]
    }

    (found,) = catalogue.read_bond_filters(body)

    assert (found.name, found.column, found.value, found.text) == ("Currency", 5, "EUR", None)


def test_a_venues_day_has_a_row_for_each_stretch():
    """Sessions are the regular hours of some answers, the mark of others; a day that is none is left out."""
    days = [
        {
            "tradingScheduleDate": "20000103",
            "sessions": [{"openingTime": "0930", "closingTime": "1600", "prop": "LIQUID"}],
            "tradingtimes": [{"openingTime": "0400", "closingTime": "2000"}],
        },
        {"tradingScheduleDate": "never"},
    ]

    found = catalogue.read_venues([{"exchange": "NYSE", "timezone": "America/New_York", "schedules": days}])

    assert [(row.opens, row.closes, row.is_liquid) for row in found] == [
        ("0400", "2000", False),
        ("0930", "1600", True),
    ]
    assert {row.day for row in found} == {date(2000, 1, 3)}


def test_a_login_is_read_without_what_names_its_user():
    """Number and address of the user are not kept, the names are in no repr."""
    body = {
        "USER_ID": 123456789,
        "USER_NAME": "user1234",
        "RESULT": True,
        "IP": "12.34.56.78",
        "EXPIRES": 415890,
    }

    found = catalogue.read_login(body)

    assert (found.is_valid, found.expires_in, found.user_name) == (True, 415890, "user1234")
    assert not any(word in repr(found) for word in ("user1234", "123456789", "12.34"))
    assert catalogue.read_login({}).is_valid is False


@pytest.mark.parametrize(
    "read",
    [catalogue.read_listed_shares, catalogue.read_bond_filters, catalogue.read_venues, catalogue.read_login],
)
def test_what_has_another_shape_is_an_error(read):
    with pytest.raises(UnexpectedAnswer):
        read("x")


@pytest.mark.recorded
def test_recorded_lists():
    shares = catalogue.read_listed_shares(recorded("conduit-GET-trsrv-all-conids.json"))
    filters = catalogue.read_bond_filters(recorded("conduit-GET-bond-filters.json"))
    venues = catalogue.read_venues(documented("GET_trsrv_secdef_schedule.json")["ibm-nyse"])

    assert (shares[0].symbol, filters[-1].value) == ("ADI", "USD")
    assert any(row.is_liquid for row in venues)
