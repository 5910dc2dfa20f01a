"""Watchlists as they are written and read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from witnesses import recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import watchlists

recorded = recorded_in("watchlists")


def test_a_list_is_written_with_its_contracts():
    assert watchlists.watchlist_body("1234", "Test", [8314]) == {
        "id": "1234",
        "name": "Test",
        "rows": [{"C": 8314}],
    }


def test_the_users_lists_and_ibkrs_own_are_told_apart():
    """Nobody deletes one of IBKR's by mistake."""
    own = {"id": "1234", "name": "Test", "modified": 1702581306000, "read_only": False, "type": "watchlist"}

    found = watchlists.read_watchlists({"data": {"user_lists": [own], "system_lists": [{"id": -5}]}})

    assert [(one.watchlist_id, one.is_system) for one in found] == [("1234", False), ("-5", True)]
    assert found[0].modified == datetime(2023, 12, 14, 19, 15, 6, tzinfo=UTC)


def test_blank_rows_are_left_out():
    """And the first answer of a session has the contract id alone."""
    rows = [{"H": ""}, {"C": "8314"}, {"ST": "STK", "conid": 756733, "ticker": "SPY", "name": "SPDR"}]

    found = watchlists.read_watchlist({"id": "1234", "name": "Test", "instruments": rows})

    assert [(row.conid, row.symbol, row.asset_class) for row in found.rows] == [
        (8314, None, None),
        (756733, "SPY", "STK"),
    ]
    assert found.rows.title == "Test"


@pytest.mark.parametrize("broken", [[], {}, {"data": []}, {"data": {"user_lists": [{"name": "x"}]}}])
def test_what_is_no_list_of_lists_is_an_error(broken):
    with pytest.raises(UnexpectedAnswer):
        watchlists.read_watchlists(broken)


@pytest.mark.parametrize("broken", [[], {}, {"id": "1", "instruments": [5]}])
def test_what_is_no_watchlist_is_an_error(broken):
    with pytest.raises(UnexpectedAnswer):
        watchlists.read_watchlist(broken)


@pytest.mark.parametrize(
    ("content", "made", "deleted"),
    [
        ({"id": "1"}, "1", None),
        ({"data": {"deleted": "1"}}, None, "1"),
        ({"data": []}, None, None),
        ("x", None, None),
    ],
)
def test_a_change_names_what_it_changed(content, made, deleted):
    assert (watchlists.read_made(content), watchlists.read_deleted(content)) == (made, deleted)


@pytest.mark.recorded
def test_recorded_watchlists():
    (named,) = watchlists.read_watchlists(recorded("conduit-GET-watchlists.json"))
    found = watchlists.read_watchlist(recorded("conduit-GET-watchlist-by-id.json"))

    assert (named.watchlist_id, named.name) == ("99999", "Capture Test")
    assert [(row.conid, row.symbol) for row in found.rows] == [(756733, "SPY")]
    assert watchlists.read_made(recorded("conduit-POST-create-watchlist.json")) == "99999"
    assert watchlists.read_deleted(recorded("conduit-DELETE-watchlist.json")) == "99999"
