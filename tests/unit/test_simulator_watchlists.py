"""Watchlists: overwritten without a word, and errors that look like an outage."""

from __future__ import annotations

import pytest
from simulator_client import AAPL, Broker, recorded

LIST = "/iserver/watchlist"
LISTS = "/iserver/watchlists"
SPY = 756733


@pytest.fixture
def broker():
    return Broker().ready()


def create(broker, identity="1234", name="Test", rows=({"C": AAPL}, {"H": ""})):
    return broker.post(LIST, {"id": identity, "name": name, "rows": list(rows)})


def names(broker):
    rows = broker.get(LISTS, SC="USER_WATCHLIST").body["data"]["user_lists"]
    return {one["id"]: one["name"] for one in rows}


@pytest.mark.recorded
def test_lists_are_told_as_recorded(broker):
    """Created, listed, read twice and deleted: the recorded keys and types."""
    made = create(broker, "99999", "Capture Test", [{"C": SPY}]).body
    listed = broker.get(LISTS, SC="USER_WATCHLIST").body
    broker.get(LIST, id="99999")
    warm = broker.get(LIST, id="99999").body
    deleted = broker.delete(LIST, id="99999").body

    def shape(value):
        if isinstance(value, dict):
            return {key: shape(one) for key, one in value.items()}
        return [shape(one) for one in value] if isinstance(value, list) else type(value).__name__

    for ours, name in (
        (made, "POST-create-watchlist"),
        (listed, "GET-watchlists"),
        (warm, "GET-watchlist-by-id"),
        (deleted, "DELETE-watchlist"),
    ):
        assert shape(ours) == shape(recorded(f"watchlists/conduit-{name}.json")), name


def test_the_first_read_of_a_list_has_no_contract_data(broker):
    """The second has; a blank row stays one, a conid that is none has no name."""
    create(broker, rows=[{"C": AAPL}, {"H": ""}, {"C": "999999999"}, 7])

    first, second = (broker.get(LIST, id="1234").body["instruments"] for _ in range(2))

    assert first[0] == {"C": str(AAPL), "conid": AAPL, "name": "APPLE INC"}
    assert (second[0]["ST"], second[0]["ticker"], second[0]["fullName"]) == ("STK", "AAPL", "AAPL")
    assert second[1:] == [{"H": ""}, {"C": "999999999", "conid": 999999999, "name": ""}, {"H": ""}]


def test_an_id_that_is_there_is_overwritten_without_a_word(broker):
    """The answer is that of a new list."""
    create(broker)
    broker.wait(1)

    again = create(broker, name="Other", rows=[])

    assert (again.status, again.body["instruments"]) == (200, [])
    assert names(broker) == {"1234": "Other"}
    assert broker.get(LIST, id="1234").body["instruments"] == []


def test_lists_outlive_a_session(broker):
    """They are the user's; negative ids occur."""
    create(broker, "-7")

    broker.jump(hours=1)

    assert names(broker) == {"-7": "Test"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"id": "88888", "rows": []}, 503),
        ({"id": "not_a_number", "name": "Bad", "rows": []}, 503),
        ({"id": 88888, "name": "Bad", "rows": []}, 503),
        ({"id": "88881", "name": "No rows"}, 200),
        ({"id": "88882", "name": "Bad rows", "rows": [{"C": 0}]}, 200),
    ],
)
def test_what_is_wrong_is_503_though_the_service_is_there(broker, body, status):
    """But an empty body is 400, and rows are never wrong."""
    reply = broker.post(LIST, body)

    assert reply.status == status
    assert names(broker) == ({body["id"]: body["name"]} if status == 200 else {})


def test_a_list_that_is_not_there_is_503(broker):
    """Where a list of nothing would be kinder; without an id it is 400."""
    assert broker.get(LIST, id="77777777").status == 503
    assert broker.get(LIST).status == 400


def test_deleting_what_is_not_there_succeeds_in_a_session_that_has_seen_the_lists(broker):
    """In a cold one it is 503, and only the first time."""
    cold = [broker.delete(LIST, id="77777777").status for _ in range(2)]
    broker.jump(hours=1)
    broker.get(LISTS)
    warm = broker.delete(LIST, id="77777777")

    assert cold == [503, 200]
    assert (warm.status, warm.body["data"]) == (200, {"deleted": "77777777"})


def test_a_list_is_deleted_by_the_query_alone(broker):
    """A body with the id deletes nothing."""
    create(broker)

    by_body = broker.call("DELETE", LIST, {"id": "1234"})
    still = names(broker)
    by_query = broker.delete(LIST, id="1234")

    assert (by_body.status, still) == (400, {"1234": "Test"})
    assert (by_query.status, names(broker)) == (200, {})


def test_visits_are_counted_by_session(broker):
    """As text, and anew in the next session; lists of the system come unless they are not wanted."""
    first = [broker.get(LISTS).body for _ in range(2)]
    broker.jump(hours=1)
    second = broker.get(LISTS, SC="USER_WATCHLIST").body

    assert [one["MID"] for one in (*first, second)] == ["1", "2", "1"]
    assert ("system_lists" in first[0]["data"], "system_lists" in second["data"]) == (True, False)
