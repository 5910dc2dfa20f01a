"""FYI: a service behind the others that accepts nearly anything."""

from __future__ import annotations

import json

import pytest
from simulator_client import RECORDED, Broker, recorded

DEVICE = {"deviceName": "iPhone", "deviceId": "apn://a b", "uiName": "My phone", "enabled": True}


@pytest.fixture
def broker():
    return Broker(first_reads_empty=False)


def put(broker, path, **query):
    return broker.call("PUT", path, {}, **query)


def setting(broker, topic):
    return next(one for one in broker.get("/fyi/settings").body if one["FC"] == topic)


def test_it_says_423_until_a_login_has_asked_once():
    """Whichever of its notices is asked for first."""
    broker = Broker()

    cold = broker.get("/fyi/unreadnumber")
    warm = broker.get("/fyi/notifications", max=10)

    assert (cold.status, cold.body) == (423, {"status": "waiting for reply"})
    assert (warm.status, len(warm.body)) == (200, 3)
    broker.gateway.change_session("login")
    assert broker.get("/fyi/notifications", max=10).status == 423


def test_a_cold_service_may_look_as_if_it_were_away():
    """503 has been seen as well."""
    cold = Broker(fyi_cold=503).get("/fyi/unreadnumber")

    assert (cold.status, cold.body["statusCode"]) == (503, 503)


def test_the_count_is_not_to_be_asked_for_often(broker):
    """Once in five minutes, the documents say; the list may be."""
    broker.gateway.set_options({"unread_interval": 300})

    first, second = (broker.get("/fyi/unreadnumber").status for _ in range(2))
    listed = broker.get("/fyi/notifications", max=10).status
    broker.wait(300)

    assert (first, second, listed) == (200, 423, 200)
    assert broker.get("/fyi/unreadnumber").status == 200


def test_notices_come_newest_first_and_at_most_ten(broker):
    """The next page is behind the id of the last; the older path does the same."""
    broker.gateway.set_options({"notices": 12})

    first = broker.get("/fyi/notifications", max=50).body
    behind = first[-1]["ID"]
    second = broker.get("/fyi/notifications", max=10, id=behind).body
    more = broker.get("/fyi/notifications/more", id=behind).body

    identities = [one["ID"] for one in first + second]
    assert [len(first), len(second)] == [10, 2]
    assert identities == sorted(identities, reverse=True)
    assert more == second
    assert broker.get("/fyi/notifications", max="x").status == 400


def test_notices_are_of_topics(broker):
    """Some alone, or all but some; the moment is a text of seconds."""
    broker.gateway.set_options({"notices": 8})

    only = broker.get("/fyi/notifications", max=10, include="PF,EA").body
    without = broker.get("/fyi/notifications", max=10, exclude="PF,EA").body

    assert {one["FC"] for one in only} == {"PF", "EA"}
    assert {one["FC"] for one in without} == {"OE", "BA"}
    assert only[0]["D"].endswith(".0")


def test_a_notice_is_read_once(broker):
    """The count of unread ones goes down by one; an id that does not exist is marked, too."""
    unread = broker.get("/fyi/unreadnumber").body
    identity = next(one["ID"] for one in broker.get("/fyi/notifications", max=10).body if one["R"] == 0)

    marked = [put(broker, f"/fyi/notifications/{identity}").body for _ in range(2)]
    unknown = put(broker, "/fyi/notifications/0")

    assert unread == {"BN": 2}
    assert marked == [{"V": 1, "T": 5, "P": {"R": 1, "ID": identity}}] * 2
    assert (unknown.status, broker.get("/fyi/unreadnumber").body) == (200, {"BN": 1})


@pytest.mark.recorded
def test_topics_and_what_they_lack_are_those_of_a_live_answer(broker):
    """Thirty of them, one without a name, six without a switch."""
    recorded("alerts/ibkrdotnet-mta.json")  # skips where there are none
    theirs = json.loads((RECORDED / "fyi/typecodes-live-2026.json").read_text())

    rows = {one["FC"]: one for one in broker.get("/fyi/settings").body}

    assert list(rows) == theirs["codes"]
    assert rows["NS"].keys() == {"FC", "H"}
    without = {code for code, one in rows.items() if "A" not in one}
    assert without == {one[:2] for one in theirs["without_A_field"]}
    assert [code for code, one in rows.items() if one.get("A") == 0] == theirs["A_zero"]
    assert [code for code, one in rows.items() if "SS" in one] == theirs["SS_present_on"]


def test_a_topic_is_switched(broker):
    """One that does not exist, or has no switch, is accepted as well."""
    replies = [
        broker.post(f"/fyi/settings/{topic}", {"enabled": False}) for topic in ("BA", "SM", "NONEXISTENT")
    ]
    missing = broker.post("/fyi/settings/BA", {"enabled": "no"})

    assert [(one.status, one.body) for one in replies] == [(200, {"V": 1, "T": 10})] * 3
    assert (setting(broker, "BA")["A"], "A" in setting(broker, "SM")) == (0, False)
    assert missing.status == 400


def test_a_disclaimer_is_read(broker):
    """``H`` tells whether there is one to read."""
    before = setting(broker, "BA")["H"]
    text = broker.get("/fyi/disclaimer/BA").body

    done = put(broker, "/fyi/disclaimer/BA").body

    assert (text["FC"], done) == ("BA", {"V": 1, "T": 10})
    assert (before, setting(broker, "BA")["H"]) == (1, 0)
    assert broker.get("/fyi/disclaimer/NONEXISTENT").status == 200


def test_devices_come_and_go(broker):
    """An id with signs in it is quoted in the path; one that nobody knows is a page with 404."""
    accepted = broker.post("/fyi/deliveryoptions/device", DEVICE).body
    there = broker.get("/fyi/deliveryoptions").body
    gone = broker.delete("/fyi/deliveryoptions/apn%3A%2F%2Fa%20b")
    unknown = broker.delete("/fyi/deliveryoptions/NONEXISTENT99")

    assert accepted == {"V": 1, "T": 10}
    assert there == {"E": [{"NM": "iPhone", "I": "apn://a b", "UI": "My phone", "A": 1}], "M": 1}
    assert (gone.status, gone.answer.body) == (200, b"")
    assert (unknown.status, unknown.answer.body[:6]) == (404, b"<html>")
    assert broker.get("/fyi/deliveryoptions").body["E"] == []
    assert broker.post("/fyi/deliveryoptions/device", {"deviceName": "x"}).status == 400


def test_mail_is_switched_by_the_query(broker):
    """A word that is neither is refused."""
    off = put(broker, "/fyi/deliveryoptions/email", enabled="false").body
    told = broker.get("/fyi/deliveryoptions").body["M"]
    put(broker, "/fyi/deliveryoptions/email", enabled="True")

    assert (off, told) == ({"V": 1, "T": 10}, 0)
    assert broker.get("/fyi/deliveryoptions").body["M"] == 1
    assert put(broker, "/fyi/deliveryoptions/email", enabled="x").status == 400
