"""Faults of streams: which frame they strike, and what leaves instead, before or after it."""

from __future__ import annotations

import json

import pytest
from simulator_client import AAPL, Broker, ticket
from stream_client import Listener


@pytest.fixture
def broker():
    return Broker().ready()


@pytest.fixture
def stream(broker):
    return Listener(broker).opened()


def arm(broker, fault, on, **wishes):
    reply = broker.post("/simulator/faults", {"fault": fault, "on": on, **wishes})
    assert reply.status == 200, reply.body


def consumed(broker):
    return [one["consumed"] for one in broker.ledger["faults"]]


@pytest.mark.parametrize(("variant", "code"), [("drop", 1006), ("close", 1000)])
def test_a_line_ends_with_the_frame_it_was_armed_for(broker, stream, variant, code):
    """Others leave before it; it does not."""
    arm(broker, "F29", "hb", variant=variant)

    frames = stream.write("tic").new() + stream.after(10).write("tic").new()

    assert [one["topic"] for one in frames] == ["tic"]
    assert (stream.socket.closed, consumed(broker)) == (code, [1])


def test_the_code_of_the_end_may_be_chosen(broker, stream):
    """Close codes carry nothing, but a client has to bear them."""
    arm(broker, "F29", "tic", variant="close", status=1012)
    stream.write("tic").new()

    assert stream.socket.closed == 1012


@pytest.mark.parametrize(("seconds", "late"), [(20, 2), (None, 0)])
def test_a_half_open_line_says_nothing_more(broker, stream, seconds, late):
    """For some time, or for ever; it stays open, and what was kept back may come."""
    arm(broker, "F29", "tic", variant="half_open", **({} if seconds is None else {"seconds": seconds}))
    silent = stream.write("tic").new() + stream.after(9).new()
    after = stream.after(15).new()

    assert silent == []
    assert len(after) == late
    assert stream.socket.closed is None


@pytest.mark.parametrize(
    ("variant", "wishes", "before"),
    [
        ("garbage", {}, b"<html><body>Service temporarily unavailable</body></html>"),
        ("garbage", {"body": "ech+hb"}, b"ech+hb"),
        ("error", {"body": "No data."}, {"topic": "error", "error": "No data."}),
        ("unauthenticated", {}, {"topic": "sts", "args": {"authenticated": False}}),
    ],
)
def test_something_else_leaves_before_the_frame(broker, stream, variant, wishes, before):
    """The frame follows."""
    arm(broker, "F29", "tic", variant=variant, **wishes)

    told, frame = stream.write("tic").new()

    assert told == before
    assert frame["topic"] == "tic"
    assert len(stream.write("tic").new()) == 1


def test_a_frame_may_hold_a_byte_that_is_no_text(broker, stream):
    """Read with replacement it is JSON."""
    arm(broker, "F29", "hb", variant="invalid")
    arm(broker, "F29", "tic", variant="invalid")
    stream.after(10).write("tic").new()

    beat, answer = stream.raw[-2:]
    assert b"\x99" in beat
    with pytest.raises(UnicodeDecodeError):
        answer.decode()
    assert json.loads(answer.decode(errors="replace"))["topic"] == "tic"


def test_words_without_a_text_take_a_bad_byte_too(broker, stream):
    """Whatever leaves."""
    arm(broker, "F29", "tic", variant="invalid")

    assert stream.write("ech+hb").new() == [b"ech+hb\x99"]


def test_a_frame_may_be_text(broker, stream):
    """Clients take both."""
    arm(broker, "F29", "tic", variant="text")
    stream.write("tic")

    assert [one.text for one in stream.socket.take()] == [True]


def test_a_frame_may_be_huge(broker, stream):
    """A megabyte unless told."""
    arm(broker, "F29", "tic", variant="huge")
    arm(broker, "F29", "tic", variant="huge", count=10)

    stream.write("tic", "tic").new()

    assert [len(one) > 1_000_000 for one in stream.raw[-4:]] == [True, False, False, False]


def test_a_frame_comes_twice(broker, stream):
    """The same."""
    arm(broker, "F30", "tic", times=2)

    frames = stream.write("tic", "tic", "tic").new()

    assert len(frames) == 5
    assert consumed(broker) == [2]


def test_two_frames_change_places(broker, stream):
    """The first comes after the second of its topic, not of another."""
    stream.write("sor+{}")
    arm(broker, "F30", "sor", variant="reorder")
    broker.place(ticket(cOID="a"))
    alone = stream.write("tic").new()
    broker.place(ticket(cOID="b"))

    rows = [row["order_ref"] for frame in stream.of("sor") for row in frame["args"]]

    assert [one["topic"] for one in alone] == ["tic"]
    assert rows == ["b", "a"]


@pytest.mark.parametrize(("variant", "seconds"), [("reorder", 2), ("delay", 5)])
def test_a_frame_that_is_kept_back_comes_in_the_end(broker, stream, variant, seconds):
    """Nothing is lost."""
    arm(broker, "F30", "tic", variant=variant)
    early = stream.write("tic").new() + stream.after(seconds - 0.1).new()

    assert early == []
    assert [one["topic"] for one in stream.after(0.1).new()] == ["tic"]


def test_what_was_kept_back_for_a_line_that_ended_is_lost(broker, stream):
    """Another stream does not hear it."""
    arm(broker, "F30", "tic", variant="delay")
    stream.write("tic").new()
    stream.socket.hang_up()
    other = Listener(broker).opened()

    assert len(other.write("tic").after(6).of("tic")) == 1


@pytest.mark.parametrize("topic", ["sor", "smd"])
def test_an_update_may_say_nothing(broker, stream, topic):
    """Ids of an order; of quotes not even the contract."""
    stream.write("sor+{}", f'smd+{AAPL}+{{"fields":["31"]}}').new()
    arm(broker, "F30", topic, variant="empty")
    broker.place(ticket())

    frames = [one for one in stream.after(0.5).new() if one["topic"].startswith(topic)]

    if topic == "sor":
        assert set(frames[0]["args"][0]) == {"acct", "conidex", "conid", "orderId", "isEventTrading"}
        assert "status" in frames[1]["args"][0]
    else:
        assert frames[0] == {"topic": f"smd+{AAPL}"}
        assert frames[1]["31"] == "165.00"


def test_quotes_end_in_silence(broker, stream):
    """As if they had become old; asked for again they come."""
    stream.write(f'smd+{AAPL}+{{"fields":["31"]}}').after(0.5).new()
    arm(broker, "F31", "smd")
    for price in (166, 167):
        broker.price(AAPL, price)
        stream.after(1)
    silent = stream.new()
    (again,) = stream.write(f'smd+{AAPL}+{{"fields":["31"]}}').after(0.5).of(f"smd+{AAPL}")

    assert silent == []
    assert again["31"] == "167.00"


def test_a_burst_comes_at_once(broker, stream):
    """For clients that are slow."""
    stream.write(f'smd+{AAPL}+{{"fields":["31"]}}')
    arm(broker, "F32", "smd", count=500)

    assert len(stream.after(0.5).of(f"smd+{AAPL}")) == 500


def test_a_streams_fault_strikes_no_request(broker, stream):
    """Not even one for everything."""
    arm(broker, "F29", "*")

    assert broker.get("/iserver/accounts").status == 200
    assert consumed(broker) == [0]
    stream.write("tic").new()
    assert consumed(broker) == [1]
