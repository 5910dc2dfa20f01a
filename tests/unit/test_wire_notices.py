"""Notices, whose keys are one or two letters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from witnesses import recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import notices

recorded = recorded_in("fyi")


def test_a_count_is_a_number_or_an_error():
    """None unread and nothing known are not the same."""
    assert notices.read_unread({"BN": 0}) == 0
    with pytest.raises(UnexpectedAnswer):
        notices.read_unread({"status": "waiting for reply"})


def test_a_notice_is_plain_text_whatever_it_was():
    """HTML of others is shown to nobody, and the time is a text with a fraction."""
    row = {
        "R": 0,
        "D": "1710847062.0",
        "MS": "FYI",
        "MD": "<html><b>Sell</b> &amp; run\x1b[31m</html>",
        "ID": "20",
        "FC": "PF",
    }

    (found,) = notices.read_notices([row])

    assert found.body == "Sell & run [31m"
    assert (found.at, found.is_read) == (datetime(2024, 3, 19, 11, 17, 42, tzinfo=UTC), False)
    assert "Sell" not in repr(found)


def test_a_long_notice_is_read_whole():
    (found,) = notices.read_notices([{"ID": "1", "MD": "word " * 2000}])

    assert len(found.body) == 9999


@pytest.mark.parametrize("body", [None, "", 5])
def test_a_notice_without_words_has_none(body):
    (found,) = notices.read_notices([{"ID": "1", "MD": body}])

    assert found.body is None


def test_a_notice_without_its_id_is_an_error():
    with pytest.raises(UnexpectedAnswer):
        notices.read_notices([{"MS": "x"}])


def test_a_kind_that_cannot_be_chosen_says_so():
    """One has no switch at all, and what has no code is no kind."""
    found = notices.read_kinds([{"FC": "BA", "H": 1, "A": 0, "FN": "Borrow"}, {"FC": "NS", "H": 0}, {}])

    assert [(one.code, one.is_enabled, one.disclaimer_read) for one in found] == [
        ("BA", False, True),
        ("NS", None, False),
    ]


def test_devices_are_read_and_their_ids_are_in_no_repr():
    """Whoever has one could have notices sent there."""
    found = notices.read_delivery(
        {"E": [{"NM": "iPhone", "I": "apn://secret", "UI": "apn://x", "A": 1}, {}], "M": 1}
    )

    assert [(one.device_id, one.is_enabled) for one in found.devices] == [("apn://secret", True)]
    assert found.by_email is True
    assert "apn" not in repr(found) + str(found.devices)


@pytest.mark.parametrize(("content", "yes"), [({"V": 1}, True), ({"V": 0}, False), ({}, False), ([], False)])
def test_a_change_is_confirmed_by_its_one_letter(content, yes):
    assert notices.is_accepted(content) is yes


@pytest.mark.recorded
def test_recorded_notices():
    assert notices.read_unread(recorded("conduit-GET-unread-count.json")) == 0
    assert len(notices.read_notices(recorded("ibkrdotnet-fyi-notifications-trimmed.json"))) == 2
    assert [one.code for one in notices.read_kinds(recorded("conduit-GET-settings.json"))] == [
        "BA",
        "OE",
        "EA",
    ]
    assert notices.read_disclaimer(recorded("conduit-GET-disclaimer.json")).startswith("This communication")
    assert len(notices.read_delivery(recorded("conduit-GET-delivery-options.json")).devices) == 1
    assert notices.is_accepted(recorded("conduit-PUT-mark-notification-read.json"))
