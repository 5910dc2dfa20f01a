"""The simulator's sockets: life, conversations and every way of breaking a connection.

A stand-in broker notes what reached it, so that "processed" and "never arrived" are counted, not
guessed. Lines are raw sockets with the TLS engine on top, because the ssl module hides whether the
other side reset a connection or ended it.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import http.client
import io
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.simulator.door import Answer, WireFault, WireFaultKind
from ibkr_adapter.simulator.doorstep import Doorstep, listen_at
from ibkr_adapter.simulator.server import THREAD_NAME, SimulatorServer, run

K = WireFaultKind
PATIENCE = 0.2
JSON = (("Content-Type", "application/json"),)
BODY = b'{"order_id":"1234567","order_status":"Submitted"}'
POST = b"POST /v1/api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
GET = b"GET /v1/api/tickle HTTP/1.1\r\nHost: x\r\n\r\n"


class StandIn:
    """A broker that answers the same to everybody and notes who asked."""

    account = "DU7654321"

    def __init__(self):
        self.seen = []
        self.answer = Answer(headers=JSON, body=BODY)
        self.faults = []
        self.early = []

    def greet(self):
        return None

    def peek(self, method, path):
        return self.early.pop(0) if self.early else None

    def handle(self, request):
        self.seen.append(request)
        if request.path.endswith("/echo"):
            return Answer(headers=JSON, body=request.body)
        if self.faults:
            fault = self.faults.pop(0)
            return Answer(headers=JSON, body=self.answer.body, wire=fault)
        return self.answer


class Line:
    """One connection, plain or TLS, that tells how it ended."""

    def __init__(self, port, ca_file=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 2)
        self.engine = None
        if ca_file:
            context = ssl.create_default_context(cafile=ca_file)
            context.verify_flags |= ssl.VERIFY_X509_STRICT
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.engine = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
            self._turn(self.engine.do_handshake)

    def say(self, words):
        if self.engine:
            self._turn(self.engine.write, words)
        else:
            self.socket.sendall(words)

    def hear(self):
        """The next bytes; empty at an orderly end."""
        return self._turn(self.engine.read, 65536) if self.engine else self.socket.recv(65536)

    def hear_out(self, patience=2):
        """All that comes, and how it ended: closed, reset or silent."""
        self.socket.settimeout(patience)
        heard = b""
        while True:
            try:
                more = self.hear()
            except TimeoutError:
                return heard, "silent"
            except ConnectionResetError:
                return heard, "reset"
            if not more:
                return heard, "closed"
            heard += more

    def close(self):
        self.socket.close()

    def _turn(self, step, *args):
        while True:
            try:
                result = step(*args)
            except ssl.SSLWantReadError:
                self._flush()
                if arrived := self.socket.recv(65536):
                    self.incoming.write(arrived)
                else:
                    self.incoming.write_eof()
            except ssl.SSLZeroReturnError:
                return b""
            else:
                self._flush()
                return result

    def _flush(self):
        if self.outgoing.pending:
            self.socket.sendall(self.outgoing.read())


@pytest.fixture
def broker():
    return StandIn()


@pytest.fixture(params=["http", "https"])
def server(request, broker):
    with SimulatorServer(broker, tls=request.param == "https") as server:
        yield server


@pytest.fixture
def plain(broker):
    with SimulatorServer(broker) as server:
        yield server


@pytest.fixture
def line(server):
    with closing(Line(server.port, server.ca_file)) as line:
        yield line


def call(server, method="GET", path="/v1/api/tickle", body=None, headers=None):
    """Make one call on a connection of its own and answer the response with its body."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=2)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except ConnectionRefusedError:
        return True
    return False


def wait_until(condition):
    deadline = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in three seconds"
        time.sleep(0.005)


# Conversations


def test_a_request_reaches_the_broker_as_it_was_sent(line, server, broker):
    """Raw path, decoded query in order, lower-case header names, untouched body."""
    line.say(
        b"POST /v1/api/a%20b/orders?x=1&y=%2B&x=&z HTTP/1.1\r\nHost: h\r\nX-Two: a\r\nx-two: b\r\n"
        b"Cookie: a=1\r\nCookie: b=2\r\nContent-Length: 6\r\n\r\n{\xff\x00\r\n}"
    )
    line.hear()

    (seen,) = broker.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/api/a%20b/orders", b"{\xff\x00\r\n}")
    assert seen.query == (("x", "1"), ("y", "+"), ("x", ""), ("z", ""))
    assert (seen.headers["x-two"], seen.headers["cookie"]) == ("a, b", "a=1; b=2")
    assert (seen.client, seen.secure) == ("127.0.0.1", server.url.startswith("https"))


def test_an_answer_leaves_with_status_headers_and_length(line, broker):
    """A body keeps its type, an empty one is not given one, and both say how long they are."""
    broker.answer = Answer(status=401)

    line.say(POST)
    empty = line.hear()
    broker.answer = Answer(headers=(("Content-Type", "application/problem+json"),), body=b"{}")
    line.say(POST)
    full = line.hear()

    assert empty.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"Content-Length: 0\r\n" in empty
    assert b"Content-Type" not in empty
    assert full.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/problem+json\r\n")
    assert b"Content-Length: 2\r\n" in full
    assert full.endswith(b"\r\n\r\n{}")


def test_pipelined_requests_are_answered_in_order(line, broker):
    """One connection is one conversation: the order of a ticket and its reply must hold."""
    requests = [
        b"POST /v1/api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n#%d" % n for n in range(5)
    ]

    line.say(b"".join(requests))
    heard, _ = line.hear_out(PATIENCE)

    assert [request.body for request in broker.seen] == [b"#0", b"#1", b"#2", b"#3", b"#4"]
    assert [heard.find(b"#%d" % n) > 0 for n in range(5)] == [True] * 5
    assert sorted(range(5), key=lambda n: heard.find(b"#%d" % n)) == [0, 1, 2, 3, 4]


def test_eight_threads_get_each_their_own_answers(plain, broker):
    """Connections run beside each other and never mix."""

    def talk(name):
        with closing(http.client.HTTPConnection("127.0.0.1", plain.port, timeout=5)) as connection:
            answers = []
            for number in range(40):
                connection.request("POST", "/v1/api/echo", f"{name}-{number}")
                answers.append(connection.getresponse().read().decode())
            return answers == [f"{name}-{number}" for number in range(40)]

    with ThreadPoolExecutor(8) as pool:
        right = list(pool.map(talk, range(8)))

    assert right == [True] * 8
    assert len(broker.seen) == 320


def test_silence_on_one_connection_does_not_hold_up_another(plain, broker):
    """A fault belongs to one call; the rest of the broker goes on."""
    broker.faults = [WireFault(kind=K.SILENCE, seconds=30)]
    with closing(Line(plain.port)) as slow:
        slow.say(POST)
        wait_until(lambda: broker.seen)

        response, body = call(plain)

    assert (response.status, body) == (200, BODY)


def test_a_client_that_leaves_inside_its_body_has_asked_nothing(plain, broker, caplog):
    """Half a ticket must not be processed, and is no accident of the server's."""
    with closing(Line(plain.port)) as line:
        line.say(b"POST /v1/api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        time.sleep(0.02)
    call(plain)

    assert [request.method for request in broker.seen] == ["GET"]
    assert "Traceback" not in caplog.text


def test_a_fault_of_the_broker_is_a_logged_500(plain, broker, caplog):
    """A mistake in the simulator shows itself instead of hanging the client."""
    broker.handle = lambda request: 1 / 0

    response, _ = call(plain)

    assert response.status == 500
    assert "ZeroDivisionError" in caplog.text


def test_a_request_line_may_name_the_host(plain, broker):
    """Clients behind a proxy setting write the whole address."""
    with closing(Line(plain.port)) as line:
        line.say(b"GET http://h:1/v1/api/tickle?a=1 HTTP/1.1\r\nHost: h\r\n\r\n")
        line.hear()

    assert (broker.seen[0].path, broker.seen[0].query) == ("/v1/api/tickle", (("a", "1"),))


def test_the_date_is_the_clocks(broker):
    """Clock skew is read off this header, so it follows the clock that was given."""
    clock = ManualClock(datetime(2026, 11, 24, 15, 0, tzinfo=UTC))
    with SimulatorServer(broker, clock=clock) as server:
        response, _ = call(server)

    assert response.headers["Date"] == "Tue, 24 Nov 2026 15:00:00 GMT"


def test_the_affinity_cookie_is_set_until_it_comes_back(plain):
    """Clients must keep one jar per session; the first answer starts it."""
    first, _ = call(plain)
    cookie, *flags = first.headers["Set-Cookie"].split("; ")
    second, _ = call(plain, headers={"Cookie": cookie})
    control, _ = call(plain, path="/simulator/ledger")

    assert cookie.startswith("x-sess-uuid=0.")
    assert flags == ["secure", "HttpOnly"]
    assert second.headers["Set-Cookie"] is None
    assert control.headers["Set-Cookie"] is None


def test_long_bodies_are_compressed_for_who_can_read_them(plain, broker):
    """Positions and chains are long; a client that says nothing gets them plain."""
    long = json.dumps(list(range(600))).encode()
    broker.answer = Answer(headers=JSON, body=long)

    response, packed = call(plain, headers={"Accept-Encoding": "gzip, deflate"})
    _, raw = call(plain)

    assert response.headers["Content-Encoding"] == "gzip"
    assert int(response.headers["Content-Length"]) == len(packed) < len(long)
    assert gzip.decompress(packed) == raw == long


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"411 Length Required"),
        (b"\r\n", b"411 Length Required"),
        (b"Content-Length: 1000001\r\n\r\n", b"413 Request Entity Too Large"),
    ],
)
def test_the_edge_refuses_unsuitable_bodies(line, broker, head, status):
    """The broker hears nothing of them, and the connection ends."""
    line.say(b"POST /v1/api/orders HTTP/1.1\r\nHost: x\r\n" + head)

    assert line.hear().startswith(b"HTTP/1.1 " + status)
    assert broker.seen == []


def test_a_body_that_is_not_packed_as_it_says_is_refused(plain, broker, caplog):
    """It is the client's mistake, not the server's."""
    packed = {"Content-Encoding": "gzip"}

    response, _ = call(plain, "POST", "/v1/api/iserver/reply/1", b"{}", packed)

    assert (response.status, broker.seen) == (400, [])
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "head", [b"GET /%b HTTP/1.1\r\n\r\n" % (b"a" * 9000), b"\0\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_answered_and_not_told_as_an_accident(plain, caplog, head):
    """The log tells mistakes of the simulator, not of its clients."""
    with closing(Line(plain.port)) as line:
        line.say(GET + head)
        heard, _ = line.hear_out()

    assert b" 400 Bad Request" in heard
    assert "Traceback" not in caplog.text


def test_header_bytes_that_are_no_text_can_be_written_and_compared(line, broker):
    """A broken signature is a wrong one, and no accident."""
    line.say(b'GET /v1/api/tickle HTTP/1.1\r\nHost: x\r\nAuthorization: OAuth a="\xff"\r\n\r\n')
    line.hear()

    assert broker.seen[0].headers["authorization"] == 'OAuth a="\ufffd"'


def test_the_control_room_takes_what_curl_sends(plain, broker):
    """`curl -X POST` sends no length at all; only the broker's edge minds."""
    with closing(Line(plain.port)) as line:
        line.say(b"POST /simulator/reset HTTP/1.1\r\nHost: x\r\n\r\n")

        assert line.hear().startswith(b"HTTP/1.1 200 OK")


def test_a_direct_host_wants_a_user_agent(broker):
    """The edge of IBKR's own hosts answers 403 in HTML without one."""
    with SimulatorServer(broker, direct=True) as server:
        nameless, page = call(server)
        named, _ = call(server, headers={"User-Agent": "tests"})

    assert (nameless.status, nameless.headers["Content-Type"]) == (403, "text/html")
    assert b"Access Denied" in page
    assert named.status == 200
    assert len(broker.seen) == 1


# Broken connections


@pytest.mark.parametrize("early", [True, False])
def test_reset_unread_ends_in_a_reset_and_processes_nothing(line, broker, early):
    """F02: with the head alone sent, the line is reset although the body never came."""
    fault = WireFault(kind=K.RESET_UNREAD)
    (broker.early if early else broker.faults).append(fault)

    line.say(POST.removesuffix(b"{}") if early else POST)

    assert line.hear_out() == (b"", "reset")
    assert len(broker.seen) == (0 if early else 1)


@pytest.mark.parametrize(("kind", "ending"), [(K.RESET_ANSWERED, "reset"), (K.CLOSE_ANSWERED, "closed")])
def test_a_lost_answer_was_processed(line, broker, kind, ending):
    """F03: not a byte of the answer leaves; the order is booked all the same."""
    broker.faults = [WireFault(kind=kind)]

    line.say(POST)

    assert line.hear_out() == (b"", ending)
    assert len(broker.seen) == 1


def test_silence_processes_at_once_and_answers_late(line, broker):
    """F04: the client's time-out finds an order that stands; the line is not broken."""
    broker.faults = [WireFault(kind=K.SILENCE, seconds=0.3)]

    line.say(POST)
    early, _ = line.hear_out(0.05)
    processed = len(broker.seen)
    line.socket.settimeout(2)
    late = line.hear()

    assert (early, processed) == (b"", 1)
    assert late.endswith(BODY)


HALF = BODY[: len(BODY) // 2]


@pytest.mark.parametrize(
    ("kind", "framing"),
    [
        (K.TRUNCATE, b"Content-Length: %d\r\n\r\n" % len(BODY)),
        (K.CUT_CHUNK, b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(BODY)),
        (K.CUT_UNFRAMED, b"Connection: close\r\n\r\n"),
    ],
)
def test_cut_bodies_promise_and_stop(line, broker, kind, framing):
    """F16: a good head, half of the body, an orderly end."""
    broker.faults = [WireFault(kind=kind)]

    line.say(POST)
    heard, ending = line.hear_out()

    assert heard.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: ")
    assert heard.endswith(framing + HALF)
    assert ending == "closed"
    assert len(broker.seen) == 1


def test_even_an_empty_body_can_be_truncated(line, broker):
    """A promise of one byte, so that the client has something to miss."""
    broker.answer = Answer()
    broker.faults = [WireFault(kind=K.TRUNCATE)]

    line.say(POST)

    assert line.hear_out()[0].endswith(b"Content-Length: 1\r\n\r\n")


def test_a_broken_gzip_has_an_honest_length_and_no_end(line, broker):
    """F16: decoders that do not look for the end of the stream take it for the whole."""
    broker.faults = [WireFault(kind=K.BROKEN_GZIP)]

    line.say(POST)
    head, _, body = line.hear_out(PATIENCE)[0].partition(b"\r\n\r\n")

    assert b"Content-Encoding: gzip" in head
    assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert gzip.compress(BODY, mtime=0).startswith(body)
    with pytest.raises(EOFError):
        gzip.decompress(body)


def test_a_trickle_comes_byte_by_byte(line, broker):
    """F17: each read is quick, the whole is not."""
    broker.faults = [WireFault(kind=K.TRICKLE, seconds=0.001)]
    started = time.monotonic()

    line.say(POST)
    first = line.hear()
    heard, ending = line.hear_out()
    took = time.monotonic() - started

    assert len(first) <= 3
    assert (first + heard).endswith(b"Connection: close\r\n\r\n" + BODY)
    assert ending == "closed"
    assert took > 0.001 * len(first + heard)


def test_endless_headers_do_not_end(line, broker):
    """F17: neither an empty line nor an end of the connection comes."""
    broker.faults = [WireFault(kind=K.ENDLESS_HEADERS, seconds=0.001)]
    line.socket.settimeout(1)

    line.say(POST)
    heard = b""
    while heard.count(b"\r\nX-More-") < 150:
        heard += line.hear()

    assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\n\r\n" not in heard


def test_http_client_gives_up_endless_headers(plain, broker):
    """The standard library counts to a hundred; others have to be stopped by a deadline."""
    broker.faults = [WireFault(kind=K.ENDLESS_HEADERS, seconds=0.0001)]

    with pytest.raises(http.client.HTTPException, match="more than 100 headers"):
        call(plain)


@pytest.mark.parametrize("kind", [K.TRICKLE, K.ENDLESS_HEADERS])
def test_slow_faults_end_when_the_client_leaves(plain, broker, kind):
    """Nothing is written for nobody: to its own end either would take ten seconds and more."""
    broker.faults = [WireFault(kind=kind, seconds=0.05)]
    with closing(Line(plain.port)) as line:
        line.say(POST)
        line.hear()

    wait_until(lambda: plain._reception._busy == set())


def test_early_hints_come_before_the_answer(line, broker):
    """A client that takes 103 for the answer is shifted by one from then on."""
    broker.faults = [WireFault(kind=K.EARLY_HINTS)]

    line.say(POST)
    heard, ending = line.hear_out(PATIENCE)

    assert heard.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"\r\n\r\nHTTP/1.1 200 OK\r\n" in heard
    assert heard.endswith(BODY)
    assert ending == "silent"


def test_a_garbage_status_is_none(plain, broker):
    """A line that does not even begin like HTTP, on an order that was processed."""
    broker.faults = [WireFault(kind=K.GARBAGE_STATUS)]

    with pytest.raises(http.client.BadStatusLine):
        call(plain)

    assert len(broker.seen) == 1


def test_after_a_mild_fault_the_line_is_still_good(line, broker):
    """Late, hinted and badly packed answers are framed well: the next call finds its own answer."""
    for fault in (WireFault(kind=K.SILENCE, seconds=0.01), WireFault(kind=K.BROKEN_GZIP)):
        broker.faults = [fault]
        line.say(POST)
        line.hear()
    line.say(GET)

    assert line.hear().endswith(BODY)


# Refusing


def test_refuse_resets_the_call_and_then_lets_nobody_in(line, server, broker):
    """F01, found by a call: it is unread, the port shuts, and opens again by itself."""
    broker.early = [WireFault(kind=K.REFUSE, seconds=0.5)]

    line.say(POST)
    ending = line.hear_out()

    assert ending == (b"", "reset")
    assert refuses(server.port)
    assert broker.seen == []
    wait_until(lambda: not refuses(server.port))


def test_refuse_noted_on_an_answer_is_the_same(line, server, broker):
    """A broker that finds the fault only when asked does not lose it."""
    broker.faults = [WireFault(kind=K.REFUSE, seconds=30)]

    line.say(POST)

    assert line.hear_out() == (b"", "reset")
    assert refuses(server.port)


def test_the_control_room_answers_well_before_the_port_shuts(plain, broker):
    """Arming F01 for whoever calls next: from the answer on, their first packet is refused."""
    broker.faults = [WireFault(kind=K.REFUSE, seconds=30)]

    response, body = call(plain, "POST", "/simulator/faults", "{}")

    assert (response.status, body) == (200, BODY)
    assert response.headers["Connection"] == "close"
    assert refuses(plain.port)


def test_refusing_ends_idle_lines_and_spares_busy_ones(server, broker):
    """Idle, and silent since it came: both end. A call under way gets its answer."""
    broker.faults = [WireFault(kind=K.SILENCE, seconds=0.1)]
    with (
        closing(Line(server.port, server.ca_file)) as busy,
        closing(Line(server.port, server.ca_file)) as idle,
        closing(Line(server.port)) as dumb,
    ):
        busy.say(POST)
        wait_until(lambda: broker.seen)
        idle.say(GET)
        idle.hear()

        server.refuse(30)

        assert refuses(server.port)
        assert idle.hear_out() == (b"", "closed")
        assert dumb.hear_out() == (b"", "closed")
        assert busy.hear().endswith(BODY)


def test_a_second_refusal_starts_the_time_anew(plain):
    """Two faults in a row are one absence, as long as the later says."""
    plain.refuse(0.1)
    plain.refuse(30)
    time.sleep(0.2)
    still_away = refuses(plain.port)
    plain.refuse(0.05)
    wait_until(lambda: not refuses(plain.port))

    assert still_away
    assert call(plain)[0].status == 200


# TLS


def test_with_tls_the_port_speaks_http_too(broker):
    """The first byte tells which: one port, as the design wants it."""
    with SimulatorServer(broker, tls=True) as server:
        response, _ = call(server)

        assert server.url == f"https://127.0.0.1:{server.port}/v1/api"
    assert response.status == 200
    assert broker.seen[0].secure is False


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_the_certificate_is_its_own_authority_for_loopback(broker, name):
    """Strict verification passes by ``ca_file``, and the fingerprint is the certificate's."""
    with SimulatorServer(broker, tls=True) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(("127.0.0.1", server.port), 2) as raw,
            context.wrap_socket(raw, server_hostname=name) as line,
        ):
            shown = line.getpeercert(binary_form=True)

        assert server.tls_fingerprint == hashlib.sha256(shown).hexdigest()


def test_the_key_is_never_left_behind(broker):
    """The folder is private, holds the certificate only, and goes with the server."""
    server = SimulatorServer(broker, tls=True)
    server.start()
    folder = server.ca_file.parent
    kept = [path.name for path in folder.iterdir()]
    mode = stat.S_IMODE(folder.stat().st_mode)

    server.stop()

    assert (kept, mode) == (["gateway.pem"], 0o700)
    assert not folder.exists()
    assert (server.ca_file, server.tls_fingerprint) == (None, None)


def test_a_client_that_does_not_trust_us_harms_nobody(broker):
    """A failed handshake is the client's affair; the next one succeeds."""
    with SimulatorServer(broker, tls=True) as server:
        with (
            socket.create_connection(("127.0.0.1", server.port), 2) as raw,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
        with closing(Line(server.port, server.ca_file)) as line:
            line.say(GET)

            assert line.hear().endswith(BODY)


def test_a_tls_hello_without_tls_is_a_bad_request(plain, broker):
    """The client sees at once that nobody speaks TLS here; nothing hangs."""
    with (
        socket.create_connection(("127.0.0.1", plain.port), 2) as raw,
        pytest.raises(ssl.SSLError, match=r"(?i)wrong.version|record layer"),
    ):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")

    assert broker.seen == []


# Life


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def threads():
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def test_construction_only_assigns(broker):
    """No port, no thread, no file before the start."""
    server = SimulatorServer(broker, tls=True)

    assert threads() == []
    assert (server.ca_file, server.tls_fingerprint) == (None, None)
    for ask in (lambda: server.url, lambda: server.port, server.refuse):
        with pytest.raises(RuntimeError, match="not started"):
            ask()


def test_start_and_stop_may_be_repeated(broker):
    """Each is idempotent, and a stopped server can be started again."""
    server = SimulatorServer(broker)
    server.stop()

    first = server.start()
    again = server.start()
    alive = threads()
    server.stop()
    server.stop()

    assert first == again
    assert len(alive) == 1
    assert alive[0].daemon
    assert threads() == []
    with server:
        assert call(server)[0].status == 200


def test_two_threads_may_stop_at_once(broker):
    """The test's own clean-up and the program's may cross."""
    server = SimulatorServer(broker)
    server.start()

    with ThreadPoolExecutor(4) as pool:
        stopped = list(pool.map(lambda _: server.stop(), range(4)))

    assert stopped == [None] * 4
    assert threads() == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open descriptors are counted through /proc")
def test_stop_leaves_no_thread_socket_or_file(broker):
    """Also with lines that are idle, dumb, unread, slow or half said."""
    before = descriptors()
    server = SimulatorServer(broker, tls=True)
    server.start()
    lines = [Line(server.port, server.ca_file if n % 2 else None) for n in range(6)]
    broker.faults = [WireFault(kind=K.SILENCE, seconds=60), WireFault(kind=K.TRICKLE, seconds=60)]
    lines[1].say(POST)
    lines[2].say(POST)
    wait_until(lambda: len(broker.seen) == 2)
    lines[3].say(POST.removesuffix(b"{}"))
    lines[4].say(GET)
    lines[4].hear()
    started = time.monotonic()

    server.stop()
    took = time.monotonic() - started
    endings = [line.hear_out()[1] for line in lines]
    for line in lines:
        line.close()

    assert took < 2
    assert "silent" not in endings
    assert threads() == []
    assert descriptors() == before


@pytest.mark.parametrize("kind", [K.SILENCE, K.TRICKLE, K.ENDLESS_HEADERS])
def test_stop_does_not_wait_for_slow_faults(broker, kind):
    """All pending faults end with the server, whatever time they still have."""
    broker.faults = [WireFault(kind=kind, seconds=60)]
    server = SimulatorServer(broker)
    server.start()
    with closing(Line(server.port)) as line:
        line.say(POST)
        wait_until(lambda: broker.seen)
        started = time.monotonic()

        server.stop()

        assert time.monotonic() - started < 1
        assert line.hear_out()[1] in ("closed", "reset")


def test_stop_while_refusing(broker):
    """A server that is away is stopped as well, and its port is free."""
    server = SimulatorServer(broker)
    server.start()
    port = server.port
    server.refuse(30)

    server.stop()

    with closing(listen_at("127.0.0.1", port)):
        assert threads() == []


def test_a_taken_port_is_said_by_name(broker):
    """The caller is told which port, and nothing is left half started."""
    with closing(listen_at("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = SimulatorServer(broker, port=port, tls=True)

        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port}") as refused:
            server.start()

    assert refused.value.errno == errno.EADDRINUSE
    assert threads() == []
    assert server.ca_file is None


@pytest.mark.parametrize(("host", "called"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])  # noqa: S104 - not bound
def test_a_wildcard_address_is_called_by_loopback(broker, host, called):
    """The address in the ready line must be one that can be called."""
    server = SimulatorServer(broker, host=host)
    server._port = 5000  # as if it were started: nobody outside shall be let in by a test

    assert server.url == f"http://{called}:5000/v1/api"


class Stumbling(socket.socket):
    """A listening socket whose first accept fails."""

    stumble = None

    def accept(self):
        if self.stumble:
            error, self.stumble = self.stumble, None
            raise error
        return super().accept()


@pytest.mark.parametrize(
    ("stumble", "said"),
    [(OSError(errno.EMFILE, "Too many open files"), "Too many open files"), (BlockingIOError(), "")],
)
def test_a_failed_accept_does_not_deafen_the_server(caplog, stumble, said):
    """Having no descriptors for a moment, or a caller that is gone already, ends nothing."""
    listener = Stumbling()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setblocking(False)
    listener.bind(("127.0.0.1", 0))
    listener.stumble = stumble

    async def scenario():
        greeted = asyncio.Event()

        class Greeted(asyncio.Protocol):
            def connection_made(self, transport):
                greeted.set()

        doorstep = Doorstep(listener, Greeted)
        listener.listen()
        with socket.create_connection(listener.getsockname(), 2) as caller:
            doorstep.open()
            caller.sendall(b"x")
            await greeted.wait()
            await doorstep.shut()
            await doorstep.shut()
            await doorstep.close()

    asyncio.run(asyncio.wait_for(scenario(), 3))

    assert ("could not be let in" in caplog.text) == bool(said)
    assert said in caplog.text


# The command's process


class SignallingStream(io.StringIO):
    """A stream that sends this process a signal as soon as the ready line is out."""

    def flush(self):
        os.kill(os.getpid(), signal.SIGTERM)


def test_run_without_tls_names_no_certificate(broker):
    """A key that means nothing is not in the line."""
    stream = SignallingStream()

    run(broker, ready=stream)

    assert sorted(json.loads(stream.getvalue())) == ["account", "pid", "ready", "url"]


def test_run_prints_one_ready_line_and_ends_on_a_signal(broker):
    """The signal handlers of before are back afterwards."""
    stream = SignallingStream()
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    run(broker, tls=True, ready=stream, extra={"credentials": {}})

    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert (line["ready"], line["account"], line["pid"]) == (True, "DU7654321", os.getpid())
    assert line["url"].startswith("https://127.0.0.1:")
    assert line["ca_file"].endswith(".pem")
    assert len(bytes.fromhex(line["tls_fingerprint"])) == 32
    assert line["credentials"] == {}
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert threads() == []


PROGRAM = """
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.server import run

class Broker:
    account = "DU1"
    def greet(self): return None
    def peek(self, method, path): return None
    def handle(self, request): return Answer(body=b"{}")

run(Broker())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_with_code_0(number):
    """Standard output holds the ready line and nothing else; the log is on standard error."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        ready = json.loads(process.stdout.readline())
        port = int(ready["url"].split(":")[2].split("/")[0])
        with closing(Line(port)) as line:
            line.say(GET)
            heard = line.hear()
        process.send_signal(number)
        rest, log = process.communicate(timeout=10)
    finally:
        process.kill()

    assert heard.endswith(b"{}")
    assert (ready["pid"], rest, process.returncode) == (process.pid, "", 0)
    assert f"stops on signal {number.value}" in log


def test_the_wing_itself_costs_no_web_server():
    """Only who serves pays for aiohttp."""
    words = "import sys, ibkr_adapter.simulator as s; sys.exit('aiohttp' in sys.modules)"

    ended = subprocess.run(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-c", words], cwd=Path(__file__).parents[2], check=False
    )

    assert ended.returncode == 0
