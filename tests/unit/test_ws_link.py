"""The one door to WebSockets, against a server on a real socket."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pytest
from certificates import gateway

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.tls import Trust
from ibkr_adapter.ws_link import LineLost, dialer
from stream_server import BINARY, CLOSE, PING, PONG, TEXT, StreamServer, frame, until

PATIENCE = 5.0
SECRET = "oauth_token=never-to-be-shown"
dial = dialer(SystemClock(), Trust(), "test agent")


def wait_for_goodbye(talk):
    for _ in talk.texts():
        pass


def gather(link, count):
    frames = []
    until = time.monotonic() + PATIENCE
    while len(frames) < count and time.monotonic() < until:
        frames += link.receive(0.2)
    return frames


def fill(link):
    for _ in range(200):
        link.send("x" * 200_000)


def served(script, **about):
    return StreamServer(script, **about)


def test_a_line_carries_headers_both_kinds_of_frames_and_texts():
    """IBKR's frames are binary, ours are texts; the cookie ties the stream to its session."""
    heard = []

    def script(talk):
        talk.send_raw(frame(b'{"a":1}') + frame(b'{"b":2}', TEXT))
        heard.extend(talk.texts())

    with served(script) as server:
        link = dial(server.url, {"Cookie": "api=abc"}, PATIENCE)
        frames = gather(link, 2)
        link.send("smd+1+{}")
        until(lambda: heard, PATIENCE)
        link.close()
        talk = server.talks[0]

    assert frames == [b'{"a":1}', b'{"b":2}']
    assert (talk.header("Cookie"), talk.header("User-Agent")) == ("api=abc", "test agent")
    assert talk.target == "/v1/api/ws"
    assert heard == ["smd+1+{}"]


def test_frames_in_pieces_and_of_any_length_come_whole():
    """`act` has several kilobytes, and a million bytes have been seen to be possible."""
    long = b"x" * 1_000_000

    def script(talk):
        sent = frame(b"one ", final=False) + frame(b"two", 0) + frame(long) + frame(b"end")
        for start in range(20):
            talk.send_raw(sent[start : start + 1])
        talk.send_raw(sent[20:])
        wait_for_goodbye(talk)

    with served(script) as server:
        link = dial(server.url, {}, PATIENCE)
        frames = gather(link, 3)
        link.close()

    assert frames == [b"one two", long, b"end"]


def test_frames_of_all_kinds_come_in_their_order_wherever_the_line_cuts_them():
    """Plain frames are read by another way than pings, pieces and long ones; none may overtake another."""
    said = [b"", b"7", b"x" * 125, b"x" * 126, b"y" * 65_535, b"z" * 65_536, b"end"] * 30

    def script(talk):
        sent = b""
        for number, content in enumerate(said):
            sent += frame(b"ping", PING) if number % 5 == 0 else b""
            pieces = frame(content[:1], final=False) + frame(content[1:], 0)
            sent += pieces if number % 3 == 0 else frame(content)
        for start in range(0, len(sent), 9973):
            talk.send_raw(sent[start : start + 9973])
        wait_for_goodbye(talk)

    with served(script) as server:
        link = dial(server.url, {}, PATIENCE)
        frames = gather(link, len(said))
        link.close()

    assert frames == said


def test_a_frame_may_be_cut_anywhere_between_two_reads():
    """What is left of it lies at the beginning of the next read, and looks like a frame of its own."""
    sent = frame(b"\x82\x02" * 70) + frame(b"end")
    cuts = [1, 2, 3, 4, 5, 60, len(sent) - 4, len(sent) - 3]

    def script(talk):
        for cut in cuts:
            talk.send_raw(sent[:cut])
            talk.read()
            talk.send_raw(sent[cut:])
            talk.read()
        wait_for_goodbye(talk)

    with served(script) as server:
        link = dial(server.url, {}, PATIENCE)
        found = []
        for _ in cuts:
            first = list(link.receive(0.05))
            link.send("go on")
            found.append(first + gather(link, 2 - len(first)))
            link.send("next")
        link.close()

    assert found == [[b"\x82\x02" * 70, b"end"]] * len(cuts)


def test_bytes_that_are_no_utf_8_are_handed_over():
    """They occur in texts, and the library would break the line for them."""

    def script(talk):
        talk.send_raw(frame(b"\x99", TEXT))
        wait_for_goodbye(talk)

    with served(script) as server:
        link = dial(server.url, {}, PATIENCE)

        assert gather(link, 1) == [b"\x99"]
        link.close()


def test_a_ping_is_answered():
    heard = []

    def script(talk):
        talk.send_raw(frame(b"are you there", PING))
        heard.append(talk.read())
        talk.send(1)
        wait_for_goodbye(talk)

    with served(script) as server:
        link = dial(server.url, {}, PATIENCE)
        gather(link, 1)
        link.close()

    assert heard == [(PONG, b"are you there")]


def test_waiting_ends_with_its_time_and_with_a_wake():
    """The stream's thread waits here for frames and for its consumers' wishes."""
    with served(wait_for_goodbye) as server:
        link = dial(server.url, {}, PATIENCE)
        started = time.monotonic()
        nothing = link.receive(0.05)
        in_time = time.monotonic() - started
        threading.Timer(0.05, link.wake).start()
        woken = link.receive(PATIENCE)
        by_wake = time.monotonic() - started
        link.close()

    assert (nothing, woken) == ([], [])
    assert 0.04 < in_time < by_wake < PATIENCE


def test_a_wake_before_the_wait_is_not_lost():
    with served(wait_for_goodbye) as server:
        link = dial(server.url, {}, PATIENCE)
        link.wake()
        started = time.monotonic()
        link.receive(PATIENCE)
        link.close()

    assert time.monotonic() - started < PATIENCE / 2


@pytest.mark.parametrize("how", ["closes", "resets", "says goodbye", "breaks the protocol"])
def test_what_came_before_the_end_is_told_and_then_the_end(how):
    """An order's last frame may be the last of the line."""

    def script(talk):
        talk.send(1)
        time.sleep(0.05)
        if how == "resets":
            talk.reset()
        elif how == "says goodbye":
            talk.send_raw(frame(b"\x03\xe8", CLOSE))
            wait_for_goodbye(talk)
        elif how == "breaks the protocol":
            talk.send_raw(bytes([0x80 | 0x70 | BINARY, 0]))
            wait_for_goodbye(talk)
        else:
            talk.line.close()

    with served(script) as server:
        link = dial(server.url, {}, PATIENCE)

        assert gather(link, 1) == [b"1"]
        for _ in range(2):
            with pytest.raises(LineLost):
                gather(link, 1)
        link.close()


def test_a_line_that_is_gone_takes_nothing():
    with served(lambda talk: talk.reset()) as server:
        link = dial(server.url, {}, PATIENCE)
        with pytest.raises(LineLost):
            gather(link, 1)

        for _ in range(2):
            # The first one may still be taken by the kernel.
            with contextlib.suppress(LineLost):
                link.send("tic")
        with pytest.raises(LineLost):
            link.send("tic")
        link.close()


REFUSAL = b"HTTP/1.1 401 Unauthorized\r\nSet-Cookie: session=very-secret\r\nContent-Length: 6\r\n\r\nsecret"


def test_a_refused_handshake_tells_its_status_and_no_secret():
    """The library's own text has the headers and the body of the answer in it."""
    with (
        served(wait_for_goodbye, answer=lambda head: REFUSAL) as server,
        pytest.raises(LineLost) as refused,
    ):
        dial(f"{server.url}?{SECRET}", {}, PATIENCE)

    assert refused.value.status == 401
    assert "secret" not in f"{refused.value} {refused.value.__cause__}"
    assert "never" not in str(refused.value)


def test_a_redirect_is_not_followed():
    """The address has a token in it, which is for nobody else."""
    with served(wait_for_goodbye) as other:
        elsewhere = f"HTTP/1.1 302 Found\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        with (
            served(wait_for_goodbye, answer=lambda head: elsewhere) as server,
            pytest.raises(LineLost),
        ):
            dial(server.url, {}, PATIENCE)

        assert other.talks == []


def test_opening_has_one_deadline_for_all_of_it():
    """A byte at a time never ends, as far as a socket's own time-out is concerned."""

    def drip(head):
        time.sleep(0.6)
        return b"HTTP/1.1 101 Switching Protocols\r\n"

    with served(wait_for_goodbye, answer=drip) as server:
        started = time.monotonic()
        with pytest.raises(LineLost):
            dial(server.url, {}, 0.3)

    assert time.monotonic() - started < 2


def test_nobody_at_the_door_is_a_lost_line():
    with served(wait_for_goodbye) as server:
        port = server.port

    with pytest.raises(LineLost, match=str(port)):
        dial(f"ws://127.0.0.1:{port}/v1/api/ws?{SECRET}", {}, PATIENCE)


def test_proxies_of_the_environment_are_left_alone(monkeypatch):
    """They would have the token, past the pin, even for this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    with served(wait_for_goodbye) as server:
        dial(server.url, {}, PATIENCE).close()

        assert len(server.talks) == 1
    assert os.environ["http_proxy"]


def test_the_pinned_certificate_carries_frames_both_ways():
    """As a gateway's does, which is self-signed; many frames, because TLS has buffers of its own."""
    heard = []

    def script(talk):
        talk.send(*range(5000))
        heard.extend(talk.texts())

    with served(script, tls=gateway().context) as server:
        link = dialer(SystemClock(), Trust(fingerprint=gateway().fingerprint), "test")(
            server.url, {}, PATIENCE
        )
        frames = gather(link, 5000)
        link.send("tic")
        until(lambda: heard, PATIENCE)
        link.close()

    assert frames == [str(number).encode() for number in range(5000)]
    assert heard == ["tic"]


def test_another_certificate_stops_the_stream_before_its_address_leaves():
    """The address has the token in it."""
    with served(wait_for_goodbye, tls=gateway().context) as server:
        with pytest.raises(LineLost, match="not trusted") as refused:
            dialer(SystemClock(), Trust(fingerprint="ab" * 32), "test")(server.url, {}, PATIENCE)

        assert refused.value.untrusted
        assert server.talks == []


def test_a_server_that_never_shakes_hands_is_given_up_in_time():
    """Its socket accepts, and TLS never begins."""
    with served(wait_for_goodbye) as server:
        url = server.url.replace("ws:", "wss:")
        started = time.monotonic()
        with pytest.raises(LineLost):
            dialer(SystemClock(), Trust(fingerprint="ab" * 32), "test")(url, {}, 0.3)

    assert time.monotonic() - started < 2


def test_a_peer_that_takes_nothing_is_given_up(monkeypatch):
    """Half-open lines take megabytes, and then nothing for ever."""
    monkeypatch.setattr("ibkr_adapter.ws_link.SEND_WITHIN", 0.1)
    stop = threading.Event()

    with served(lambda talk: stop.wait(PATIENCE)) as server:
        link = dial(server.url, {}, PATIENCE)
        with pytest.raises(LineLost):
            fill(link)
        stop.set()
        link.close()


def test_a_frame_longer_than_any_of_ibkrs_ends_the_line(monkeypatch):
    """Its length is a promise to fill the memory."""

    def script(talk):
        talk.send_raw(b"\x82\x7f" + (1 << 40).to_bytes(8, "big") + b"x")
        wait_for_goodbye(talk)

    with served(script) as server:
        link = dial(server.url, {}, PATIENCE)
        with pytest.raises(LineLost, match="longer"):
            gather(link, 1)
        link.close()
