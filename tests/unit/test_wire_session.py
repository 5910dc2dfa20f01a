"""What IBKR says of its sessions is read as it is meant, and silence is not readiness."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.wire.session import SessionStatus, init_body, read_status, read_tickle

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "recorded" / "session"
recorded = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout"
)

UP = {
    "authenticated": True,
    "established": True,
    "competing": False,
    "connected": True,
    "message": "",
    "fail": "",
}


def body(name):
    return json.loads((RECORDED / f"{name}.json").read_text())["body"]


def test_a_session_that_is_up_is_ready():
    """All four words must agree."""
    status = read_status(UP)

    assert status == SessionStatus(connected=True, authenticated=True, established=True, competing=False)
    assert status.ready


@pytest.mark.parametrize(
    ("changed", "ready"),
    [
        ({"established": False}, False),
        ({"authenticated": False}, False),
        ({"competing": True}, False),
        ({"connected": False}, True),
        ({"established": None}, True),
        ({"established": "true"}, True),
    ],
)
def test_ready_means_that_brokerage_calls_are_answered(changed, ready):
    """Before ``established`` the data calls answer with silence; old servers leave it out."""
    status = read_status(UP | changed)

    assert status is not None
    assert status.ready is ready


def test_a_server_without_established_counts_as_its_authentication():
    """Servers of 2023 do not send it."""
    old = {key: value for key, value in UP.items() if key != "established"}

    assert [read_status(old | {"authenticated": one}).established for one in (True, False)] == [True, False]


def test_a_dead_session_says_why():
    """The half-dead form was seen live: connected, not authenticated, and a reason under ``fail``."""
    status = read_status(
        {
            "authenticated": False,
            "competing": False,
            "connected": True,
            "message": " waiting ",
            "serverInfo": {"serverName": None, "serverVersion": None},
            "fail": "Force compete capability must be used together with compete flag",
        }
    )

    assert status is not None
    assert not status.ready
    assert status.connected
    assert status.message == "waiting Force compete capability must be used together with compete flag"


def test_a_logged_out_session_is_read():
    """The documented form of a session that timed out has no ``established`` and no message."""
    status = read_status({"authenticated": False, "competing": False, "connected": False, "MAC": "98:B2"})

    assert status == SessionStatus(connected=False, authenticated=False, established=False, competing=False)


@pytest.mark.parametrize(
    "content", [None, [], "x", {}, {"authenticated": None}, {"authenticated": "true"}, {"error": "x"}]
)
def test_what_is_no_status_is_none(content):
    """A status that is guessed would open or close a session."""
    assert read_status(content) is None


@pytest.mark.parametrize("hmds", [{"error": "no bridge"}, {"authStatus": {"authenticated": True}}])
def test_a_tickle_carries_the_status_and_the_streams_id(hmds):
    """An error of the historical service is its normal state and says nothing of ours."""
    tickle = read_tickle({"session": "abc123def456", "hmds": hmds, "iserver": {"authStatus": UP}})

    assert tickle is not None
    assert tickle.session == "abc123def456"
    assert tickle.status is not None
    assert tickle.status.ready


def test_the_streams_id_is_not_shown():
    """It is the cookie of the stream."""
    tickle = read_tickle({"session": "abc123def456"})

    assert "abc123def456" not in repr(tickle)


@pytest.mark.parametrize("error", ["no session", "failed to process request", None])
def test_a_tickle_with_an_error_means_that_the_outer_session_is_gone(error):
    """It comes with a 200."""
    assert read_tickle({"error": error, "session": "abc"}) is None


@pytest.mark.parametrize("content", [None, [], "x", 5])
def test_what_is_no_tickle_is_none(content):
    """A login page says nothing either."""
    assert read_tickle(content) is None


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"session": ""},
        {"session": 5},
        {"iserver": None},
        {"iserver": {}},
        {"iserver": {"authStatus": "up"}},
    ],
)
def test_a_tickle_may_say_nothing(content):
    """Then nothing is known: no session id, no status."""
    tickle = read_tickle(content)

    assert tickle is not None
    assert tickle.session is None
    assert tickle.status is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(
                st.sampled_from([*UP, "session", "iserver", "authStatus", "error"]), part, max_size=6
            )
        ),
    )
)
def test_only_a_plain_yes_makes_a_session_ready(content):
    """Whatever comes back: nothing but ``true`` is a yes."""
    status = read_status(content)
    read_tickle(content)

    if status is not None and status.ready:
        assert content["authenticated"] is True
        assert content.get("established") is not False
        assert content.get("competing") is not True


def test_a_session_is_asked_for_publicly():
    """``publish`` false is answered with an error, and ``compete`` takes another login's session."""
    assert [init_body(compete=compete) for compete in (False, True)] == [
        {"publish": True, "compete": False},
        {"publish": True, "compete": True},
    ]


@pytest.mark.recorded
@recorded
@pytest.mark.parametrize("name", ["conduit-GET-auth-status", "conduit-POST-ssodh-init", "ibind-auth_status"])
def test_recorded_statuses_are_ready(name):
    """Two generations of servers; the older one has no ``established``."""
    status = read_status(body(name))

    assert status is not None
    assert status.ready
    assert status.connected
    assert status.message == ""


@pytest.mark.recorded
@recorded
def test_a_recorded_tickle_is_ready():
    """It says "no bridge" of the historical service, and that does not matter."""
    tickle = read_tickle(body("conduit-POST-tickle"))

    assert tickle is not None
    assert tickle.session == "abc123def456"
    assert tickle.status is not None
    assert tickle.status.ready


@pytest.mark.recorded
@recorded
@pytest.mark.parametrize("name", ["conduit-POST-suppress", "conduit-POST-suppress-reset"])
def test_recorded_suppressions_are_no_status(name):
    """``{"status": "submitted"}`` proves nothing of a session."""
    assert read_status(body(name)) is None
