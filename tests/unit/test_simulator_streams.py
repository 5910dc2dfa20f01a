"""A stream's life in the simulator: getting in, the first frames, keep-alives, the session, the end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from simulator_client import ACCOUNT, Broker, ticket
from stream_client import Listener

from ibkr_adapter.simulator.streams import StreamRefusedError

SESSION = "/iserver/auth/ssodh/init"


@pytest.fixture
def broker():
    return Broker().ready()


@pytest.fixture
def stream(broker):
    return Listener(broker).opened()


# Getting in.


def test_a_local_gateway_streams_without_a_cookie(broker):
    """As the published samples do."""
    stream = Listener(broker)
    broker.wait(1)

    assert stream.new()[0] == {"topic": "system", "success": "simulated", "isFT": False, "isPaper": True}


@pytest.mark.parametrize("shape", ["{}", '{{"session":"{}"}}'])
def test_the_session_cookie_is_bare_or_json(broker, shape):
    """Clients send both."""
    broker.gateway.set_options({"stream_cookie": "wanted"})
    session = broker.get("/tickle").body["session"]

    stream = Listener(broker, cookies={"x": "y", "api": shape.format(session)})

    assert stream.socket.phase == "opening"


@pytest.mark.parametrize("cookies", [{}, {"api": "0123"}, {"api": "[1]"}])
def test_without_a_usable_cookie_the_session_is_asked_for(broker, cookies):
    """And only the right one is an answer; anything else is dropped."""
    broker.gateway.set_options({"stream_cookie": "wanted"})
    session = broker.get("/tickle").body["session"]
    stream = Listener(broker, cookies=cookies)

    asked = stream.after(30).new()
    stream.write("tic", "[]", '{"session":"other"}').after(2)
    unmoved = stream.new()
    stream.write(f'{{"session":"{session}"}}').after(1)

    assert (asked, unmoved) == ([{"message": "waiting for session"}], [])
    assert stream.new()[0]["success"] == "simulated"
    assert broker.ledger["streams"][0]["dropped"] == 3


def test_what_is_written_too_early_is_dropped_in_silence(broker):
    """Before system.success nothing is heard, whatever it is."""
    stream = Listener(broker).write("tic", "sor+{}", "nonsense")

    topics = [one["topic"] for one in stream.after(1).new()]

    assert topics == ["system", "act", "sts"]
    assert stream.after(2).new() == []
    assert broker.ledger["streams"][0]["dropped"] == 3


def test_an_upgrade_is_one_and_a_plain_get_is_not(broker):
    """Guess: 400."""
    assert broker.get("/ws").status == 400


def test_without_a_login_a_stream_is_closed_with_1000():
    """Close codes tell nothing."""
    stream = Listener(Broker(logged_in=False))

    assert stream.new() == []
    assert stream.socket.closed == 1000


# The first frames and the session.


def test_the_first_frames_tell_user_accounts_and_status(broker, stream):
    """The account list is that of the endpoint."""
    listed = broker.get("/iserver/accounts").body
    again = Listener(broker).after(1).new()

    assert again[1] == {"topic": "act", "args": listed}
    assert again[2] == {"topic": "sts", "args": {"authenticated": True}}


def test_without_a_brokerage_session_there_are_no_accounts():
    """The stream opens all the same."""
    stream = Listener(Broker())

    assert stream.after(1).new()[1:] == [{"topic": "sts", "args": {"authenticated": False}}]


def test_a_lost_session_is_told_in_partial_frames(broker, stream):
    """One field each: those that are not there say nothing."""
    broker.gateway.change_session("rival")

    assert [one["args"] for one in stream.of("sts")] == [{"authenticated": False}, {"competing": True}]


def test_a_session_that_is_back_is_told_whole(broker, stream):
    """All fields in one frame."""
    broker.gateway.change_session("drop")
    stream.new()
    broker.ready()

    (frame,) = stream.of("sts")

    assert frame["args"]["authenticated"] is True
    assert set(frame["args"]) >= {"competing", "message", "fail", "connected", "username", "serverName"}


def test_accounts_are_told_again_when_they_change(broker, stream):
    """A new account, and another choice; each whole."""
    broker.gateway.set_options({"accounts": ["DU7"]})
    opened = stream.of("act")
    broker.post("/iserver/account", {"acctId": "DU7"})
    chosen = stream.of("act")

    assert opened[0]["args"]["accounts"] == [ACCOUNT, "DU7"]
    assert chosen[0]["args"]["selectedAccount"] == "DU7"


# Keeping alive.


def test_a_heart_beats_every_ten_seconds(stream):
    """In milliseconds of the market's clock; after a jump once."""
    early = stream.after(9.5).new()
    beat = stream.after(0.5).new()
    jumped = stream.after(100).of("system")

    start = int(datetime(2026, 11, 24, 15, 0, 11, tzinfo=UTC).timestamp() * 1000)
    assert early == []
    assert beat == [{"topic": "system", "hb": start}]
    assert jumped == [{"topic": "system", "hb": start + 100_000}]


def test_tic_is_answered_with_the_outer_session(broker, stream):
    """The fields of sso/validate."""
    validated = broker.get("/sso/validate").body

    assert stream.write("tic").new() == [{"topic": "tic", **validated}]


def test_the_old_keep_alive_is_answered_by_itself(stream):
    """Literal text, which is no JSON."""
    assert stream.write("ech+hb").new() == [b"ech+hb"]


def test_keep_alives_do_not_keep_the_brokerage_session(broker, stream):
    """Only requests do."""
    for _ in range(40):
        stream.write("tic").after(10)

    assert {"authenticated": False} in [one["args"] for one in stream.of("sts")]


# Grammar.


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("xyz+1", "Topic unknown 'xyz'"),
        ('{"session":"1"}', "Topic unknown '{\"s'"),
        ("", "Topic unknown 'null'"),
        (b"\xff\xfe", "Topic unknown 'null'"),
    ],
)
def test_an_unknown_topic_is_the_first_three_letters(broker, stream, written, told):
    """The session sent to a stream that has one reads like a topic."""
    assert stream.write(written).new() == [{"topic": "error", "error": told}]
    assert broker.ledger["streams"][0]["unknown"] == 1


@pytest.mark.parametrize("written", ["sor", "sor+{}", "sor{}", "sor+{nonsense", 'sor+["x"]'])
def test_arguments_may_be_absent_or_wrong(broker, stream, written):
    """Wrongly given parameters are ignored."""
    stream.write(written)
    broker.place(ticket())

    assert len(stream.of("sor")) == 1


# Everybody.


def test_bulletins_and_notes_are_arrays(broker, stream):
    """Documented as objects."""
    broker.post("/simulator/streams", {"action": "bulletin", "text": "To all traders"})
    broker.post("/simulator/streams", {"action": "note", "text": "About you", "title": "Warning"})

    bulletin, note = stream.new()

    assert bulletin["topic"] == "blt"
    assert isinstance(bulletin["args"][0].pop("id"), int)
    assert bulletin["args"] == [{"exchanges": None, "message": "To all traders"}]
    assert note == {
        "topic": "ntf",
        "args": [{"id": "2", "text": "About you", "title": "Warning", "url": None}],
    }


def test_a_prompt_comes_by_itself_and_is_answered_by_request(broker, stream):
    """The answer is plain text, and the ledger has what was answered."""
    broker.gateway.set_options({"prompts_by_stream": True})
    placed = broker.place(ticket(cOID="a")).body[0]
    (prompt,) = stream.of("ntf")[0]["args"]

    reply = broker.post(
        "/iserver/notification",
        {"orderId": prompt["orderId"], "reqId": prompt["reqId"], "text": prompt["options"][0]},
    )

    assert (str(prompt["orderId"]), prompt["messageId"]) == (placed["order_id"], "p12")
    assert (prompt["prompt"], prompt["type"], prompt["dismissable"]) == (True, "M", [])
    assert (reply.status, reply.body) == (200, b"Success")
    assert broker.ledger["prompts"][0]["answer"] == "Use on this order"


def test_a_stream_without_a_brokerage_session_hears_nobody(broker, stream):
    """Bulletins and notes need one."""
    broker.gateway.change_session("drop")
    stream.new()

    assert broker.post("/simulator/streams", {"action": "bulletin", "text": "x"}).body == {"heard": 0}
    assert stream.new() == []


# The end.


@pytest.mark.parametrize(("action", "code"), [("drop", 1006), ("close", 1000)])
def test_the_control_room_ends_streams(broker, stream, action, code):
    """Abruptly, or with a code."""
    assert broker.post("/simulator/streams", {"action": action}).body == {"ended": 1}
    assert stream.socket.closed == code
    assert stream.write("tic").new() == []


def test_the_control_room_silences_streams(broker, stream):
    """For a time, and then what was kept back comes; or for ever."""
    broker.post("/simulator/streams", {"action": "silence", "seconds": 15})
    silent = stream.write("tic").after(10).new()
    late = stream.after(6).new()
    broker.post("/simulator/streams", {"action": "silence"})

    assert silent == []
    assert [one["topic"] for one in late] == ["tic", "system"]
    assert stream.write("tic").after(3600).new() == []
    assert stream.socket.closed is None


def test_the_control_room_sends_anything(broker, stream):
    """Bytes that are no text, and text that is no JSON."""
    broker.post("/simulator/streams", {"action": "send", "hex": "99ff"})
    broker.post("/simulator/streams", {"action": "send", "text": "<html>", "as_text": True})

    frames = stream.socket.take()

    assert [(one.payload, one.text) for one in frames] == [(b"\x99\xff", False), (b"<html>", True)]


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"action": "dance"},
        {"action": "drop", "code": 1},
        {"action": "close", "code": 1006},
        {"action": "close", "code": 12},
        {"action": "silence", "seconds": "long"},
        {"action": "silence", "seconds": -1},
        {"action": "send", "hex": "zz"},
        {"action": "bulletin"},
        {"action": "prompt", "text": "?"},
        {"action": "prompt", "order_id": 1, "text": "?", "options": []},
    ],
)
def test_a_wish_that_makes_no_sense_is_turned_down(broker, wish):
    """With a sentence."""
    reply = broker.post("/simulator/streams", wish)

    assert (reply.status, len(reply.body["error"]) > 10) == (400, True)


def test_streams_are_listed_also_when_they_have_ended(broker, stream):
    """With what they were subscribed to and how much went each way."""
    stream.write("sor+{}").after(1)
    stream.socket.hang_up()
    Listener(broker)

    ended, fresh = broker.get("/simulator/streams").body

    assert (ended["phase"], ended["closed"], ended["received"]) == ("closed", 1000, 1)
    assert (fresh["number"], fresh["phase"], fresh["subscriptions"]) == (2, "opening", [])


@pytest.mark.parametrize("way", ["restart", "reset"])
def test_a_new_program_has_none_of_the_old_streams(broker, stream, way):
    """They end abruptly; a new world is a new program, too."""
    if way == "reset":
        broker.gateway.reset()
    else:
        broker.gateway.change_session("restart")
        stream.new()

    assert stream.socket.closed == 1006


def test_a_logout_closes_streams(broker, stream):
    """With the code that tells nothing."""
    broker.post("/logout")

    assert stream.new() == []
    assert stream.socket.closed == 1000


def test_a_client_that_reads_nothing_is_let_go(broker, stream):
    """Before its frames fill the memory."""
    broker.gateway.set_options({"stream_backlog": 3})

    stream.write("tic", "tic", "tic", "tic")

    assert (stream.socket.closed, stream.new()) == (1006, [])


def test_an_upgrade_that_meets_a_fault_is_answered_like_any_call(broker):
    """The handshake is a request."""
    broker.gateway.arm({"fault": "F10", "on": "GET /ws"})

    with pytest.raises(StreamRefusedError, match="status 503") as refused:
        broker.gateway.open_stream()

    assert refused.value.answer.status == 503
