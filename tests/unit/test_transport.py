"""One call is one request, and its error tells whether the broker can have acted on it.

The servers here break their answers on purpose, and their own log is the judge: wherever it holds
the request, the transport must not say that nothing was sent.
"""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import attrs
import pytest
from certificates import gateway, signed_for
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import OK_BODY, RawServer, after_a_good_one, answer, serve_well

from ibkr_adapter.clock import ManualClock, SystemClock
from ibkr_adapter.errors import ConfigurationError, IBKRError, NotSent, OutcomeUnknown, TransportError
from ibkr_adapter.tls import Trust
from ibkr_adapter.transport import Answer, RequestsTransport
from ibkr_adapter.transport.call import Call, LineBroken, current, current_call
from ibkr_adapter.transport.failures import Server, explain
from ibkr_adapter.transport.unpacking import MOST_BYTES, Undecodable, unpack
from thoroughly import examples

ORDERS = "/v1/api/iserver/account/DU1234567/orders?token=hush-hush-hush"
TICKET = b'{"orders":[{"conid":265598}]}'
SILENCE = 0.2
PINNED = Trust(fingerprint=gateway().fingerprint)


class Caller:
    """A transport with a short time-out, and calls in few words."""

    def __init__(self, trust=PINNED, *, clock=None, read_timeout=SILENCE, pool_size=8):
        self.clock = clock or SystemClock()
        self.transport = RequestsTransport(
            self.clock, trust=trust, user_agent="bot/1", read_timeout=read_timeout, pool_size=pool_size
        )

    def call(self, method, url, *, body=None, headers=None, seconds=5.0, changes_state=True):
        return self.transport.send(
            method,
            url,
            headers=headers or {},
            body=body,
            deadline=self.clock.monotonic() + seconds,
            changes_state=changes_state,
        )

    def get(self, url, **about):
        return self.call("GET", url, changes_state=False, **about)

    def post(self, url, body=TICKET, **about):
        return self.call("POST", url, body=body, **about)


@pytest.fixture
def caller():
    made = Caller()
    yield made
    made.transport.close()


def server_for(scheme, script, **options):
    return RawServer(script, tls=gateway().context if scheme == "https" else None, **options)


@pytest.fixture(params=["http", "https"])
def scheme(request):
    return request.param


def texts_of(error):
    """Everything that a log, a traceback or a collector of errors could print."""
    shown = []
    while error is not None:
        shown += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


# --- What is carried -----------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_opens_lines_of_its_own(scheme, caller):
    """On the parent's, each would read what was answered to the other; and the parent keeps its own."""
    with server_for(scheme, serve_well) as server:
        caller.get(server.url())
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = int(caller.get(server.url()).body != OK_BODY)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        again = caller.get(server.url())
        lines = server.accepted

    assert os.waitstatus_to_exitcode(status) == 0
    assert again.body == OK_BODY
    assert lines == 2


def test_an_answer_comes_back_whole(scheme, caller):
    """Whatever its status: what a refusal means is for others."""

    def script(talk):
        talk.read_request()
        talk.send(
            answer(b'{"error":"no bridge"}', status="400 Bad Request", headers="X-Response-Time: 7ms\r\n")
        )

    with server_for(scheme, script) as server:
        came = caller.get(server.url())

    assert came.status == 400
    assert came.body == b'{"error":"no bridge"}'
    assert came.headers["x-response-time"] == "7ms"
    assert came.headers["content-type"] == "application/json"


def test_a_request_carries_what_the_edge_demands(caller):
    """Without a User-Agent it answers 403, and without a length 411."""
    with server_for("http", serve_well) as server:
        caller.get(server.url("/v1/api/a?b=c%20d#fragment"), headers={"Authorization": "OAuth x"})
        caller.post(server.url(), body=None)
        caller.post(server.url())
        caller.call("DELETE", server.url())
        read, empty, full, delete = server.booked
        host = f"127.0.0.1:{server.port}"

    assert read.target == "/v1/api/a?b=c%20d"
    assert read.headers == {
        "host": host,
        "user-agent": "bot/1",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "connection": "keep-alive",
        "authorization": "OAuth x",
    }
    assert empty.headers["content-length"] == "0"
    assert full.headers["content-length"] == str(len(TICKET))
    assert full.body == TICKET
    assert "content-length" not in delete.headers


def test_a_caller_cannot_spoil_the_framing(caller):
    """A wrong length would make half a ticket of the next one's head."""
    meddling = {
        "content-length": "3",
        "Transfer-Encoding": "chunked",
        "HOST": "evil",
        "Connection": "close",
        "Accept-Encoding": "br",
        "accept": "application/json",
        "USER-AGENT": "other",
    }

    with server_for("http", serve_well) as server:
        caller.post(server.url(), headers=meddling)
        caller.post(server.url())
        first, second = server.booked

    assert first.body == second.body == TICKET
    assert "transfer-encoding" not in first.headers
    assert first.headers["host"].startswith("127.0.0.1")
    assert first.headers["connection"] == "keep-alive"
    assert first.headers["accept-encoding"] == "gzip, deflate"
    assert first.headers["accept"] == "application/json"
    assert first.headers["user-agent"] == "other"


def test_calls_share_a_line(scheme, caller):
    """A TLS handshake for each call would cost more than the call."""
    with server_for(scheme, serve_well) as server:
        for _ in range(3):
            caller.get(server.url())
            caller.post(server.url())
        assert server.accepted == 1


def test_an_address_without_a_path_asks_for_the_root(caller):
    """As every client does."""
    with server_for("http", serve_well) as server:
        caller.get(server.url(""))

        assert server.booked[0].target == "/"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(OK_BODY)),
        ("X-GZIP", gzip.compress(OK_BODY[:5]) + gzip.compress(OK_BODY[5:]) + b"\0\0"),
        ("deflate", zlib.compress(OK_BODY)),
        ("deflate", zlib.compress(OK_BODY)[2:-4]),
        ("identity", OK_BODY),
    ],
    # The bytes hold the time of packing, and a test's name must be the same in every process.
    ids=["gzip", "gzip in members", "deflate", "raw deflate", "identity"],
)
def test_a_packed_answer_is_unpacked(caller, encoding, packed):
    """The transport asked for it, so nobody above has to know."""

    def script(talk):
        talk.read_request()
        talk.send(answer(packed, headers=f"Content-Encoding: {encoding}\r\n"))

    with server_for("http", script) as server:
        assert caller.post(server.url()).body == OK_BODY


def test_an_answer_in_chunks_is_put_together(scheme, caller):
    """Large answers come that way, and the line stays in use."""

    def script(talk):
        for _ in range(2):
            talk.read_request()
            talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in (OK_BODY[:4], OK_BODY[4:]):
                talk.send(b"%x\r\n%s\r\n" % (len(part), part))
            talk.send(b"0\r\n\r\n")

    with server_for(scheme, script) as server:
        assert caller.post(server.url()).body == OK_BODY
        assert caller.post(server.url()).body == OK_BODY
        assert server.accepted == 1


def test_a_large_answer_is_read_in_good_time(caller):
    """A list of all contracts is megabytes."""
    body = b"x" * 8_000_000

    def script(talk):
        while talk.read_request() is not None:
            talk.send(answer(body))

    with server_for("http", script) as server:
        started = time.perf_counter()
        assert caller.get(server.url()).body == body
        assert time.perf_counter() - started < 2


@pytest.mark.parametrize("head", ["204 No Content\r\n", "401 Unauthorized\r\nContent-Length: 0\r\n"])
def test_an_answer_may_be_empty(caller, head):
    """A 401 usually is."""

    def script(talk):
        while talk.read_request() is not None:
            talk.send(f"HTTP/1.1 {head}\r\n".encode())

    with server_for("http", script) as server:
        assert caller.get(server.url()).body == b""
        assert caller.get(server.url()).body == b""
        assert server.accepted == 1


def test_many_threads_get_their_own_answers(scheme):
    """Answers that change places would be orders that change places."""
    caller = Caller(read_timeout=5)
    wrong = []

    def echo(talk):
        while (request := talk.read_request()) is not None:
            talk.send(answer(request.target.encode() + request.body, headers="Set-Cookie: a=b; Path=/\r\n"))

    def work(name):
        for number in range(25):
            body = b"-%d" % number
            came = caller.post(server.url(f"/{name}/{number}"), body=body, seconds=20)
            if came.body != f"/{name}/{number}".encode() + body:
                wrong.append(came.body)

    with server_for(scheme, echo) as server:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        caller.transport.close()
        assert len(server.booked) == 200

    assert wrong == []


def test_closing_closes_every_line_and_a_later_call_opens_one(scheme, caller):
    """Nothing may stay open after a bot has said goodbye."""
    with server_for(scheme, serve_well) as server:
        caller.get(server.url())

        caller.transport.close()

        waited = time.monotonic() + 2
        while server.ended < 1 and time.monotonic() < waited:
            time.sleep(0.01)
        assert server.ended == 1
        assert caller.get(server.url()).status == 200
        assert server.accepted == 2


def test_a_call_that_meets_a_closing_transport_has_sent_nothing(caller):
    """Its pool is gone between finding and using it."""
    with server_for("http", serve_well) as server:
        caller.get(server.url())
        caller.transport._lines.close()

        with pytest.raises(NotSent):
            caller.post(server.url())
        assert server.posts == []


def test_servers_have_lines_of_their_own(caller):
    """The login of OAuth and the API are two."""
    with server_for("https", serve_well) as one, server_for("https", serve_well) as other:
        for server in (one, other, one):
            caller.get(server.url())

        assert (one.accepted, other.accepted) == (1, 1)
        assert (len(one.booked), len(other.booked)) == (2, 1)


def test_preparing_sends_nothing(scheme, caller):
    """It loads the libraries before a call is given its slot, and opens no line."""
    with server_for(scheme, serve_well) as server:
        caller.transport.prepare(server.url())
        assert server.accepted == 0

        assert caller.get(server.url()).status == 200


def test_closing_what_was_never_opened_is_nothing():
    """A program may end before its first call."""
    Caller().transport.close()


def test_a_call_that_is_under_way_while_the_transport_closes_is_finished(caller):
    """And its line is closed then."""
    asked, closed = threading.Event(), threading.Event()

    def script(talk):
        talk.read_request()
        asked.set()
        closed.wait(5)
        talk.send(answer())
        assert talk.read_request() is None

    def close():
        asked.wait(5)
        caller.transport.close()
        closed.set()

    with server_for("http", script) as server:
        closer = threading.Thread(target=close)
        closer.start()
        assert caller.post(server.url(), seconds=5).status == 200
        closer.join(5)


def test_an_answer_keeps_its_contents_out_of_its_repr():
    """They are session ids and balances."""
    assert "hush" not in repr(Answer(status=200, headers={"x": "hush"}, body=b"hush"))


def test_nothing_heavy_is_loaded_before_the_first_call():
    """Importing the library must stay cheap."""
    program = """
import sys
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.tls import Trust
from ibkr_adapter.transport import RequestsTransport
RequestsTransport(SystemClock(), trust=Trust(), user_agent="x").close()
print([name for name in ("requests", "urllib3", "ssl", "socket", "http.client") if name in sys.modules])
"""

    told = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


# --- Redirects and repetition --------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(caller, status):
    """It would post again, or take the session elsewhere."""

    def script(talk):
        while talk.read_request() is not None:
            talk.send(answer(b"", status=f"{status} Moved", headers="Location: /elsewhere\r\n"))

    with server_for("http", script) as server:
        assert caller.get(server.url()).status == status
        with pytest.raises(OutcomeUnknown) as lost:
            caller.post(server.url())
        assert lost.value.status == status
        assert len(server.posts) == 1
        assert {request.target for request in server.booked} == {"/v1/api/tickle"}


@pytest.mark.parametrize("status", ["413 Too Large", "429 Too Many", "503 Service Unavailable"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
def test_a_plea_to_come_back_later_is_handed_up(caller, method, status):
    """Retries below us would wait and repeat, DELETE and PUT too."""

    def script(talk):
        while talk.read_request() is not None:
            talk.send(answer(status=status, headers="Retry-After: 0\r\n"))

    with server_for("http", script) as server:
        assert caller.call(method, server.url()).status == int(status[:3])
        assert len(server.booked) == 1


# --- Broken answers ------------------------------------------------------------------------------


def says(raw, *, stays=False):
    def fault(talk):
        talk.read_request()
        talk.send(raw)
        if stays:
            talk.wait_for_close()

    return fault


def headed(headers, body=OK_BODY):
    return f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}\r\n".encode() + body


def reset_after_head(talk):
    talk.read_head()
    talk.reset()


def reset_after_booking(talk):
    talk.read_request()
    talk.reset()


def close_after_booking(talk):
    talk.read_request()


def silence(talk):
    talk.read_request()
    talk.wait_for_close()


def trickle(talk):
    talk.read_request()
    for byte in answer(b"x" * 500):
        talk.send(bytes([byte]))
        time.sleep(0.05)


def endless_headers(talk):
    talk.read_request()
    talk.send(b"HTTP/1.1 200 OK\r\n")
    while not talk.server.stopping.wait(0.05):
        talk.send(b"X: " + b"y" * 100)


def garbage_below_tls(talk):
    talk.read_request()
    talk.send_below_tls(b"this is no TLS record at all, is it?")
    talk.wait_for_close()


PACKED = gzip.compress(OK_BODY * 50)
BROKEN = {
    "reset after the head": reset_after_head,
    "reset after booking": reset_after_booking,
    "closed after booking": close_after_booking,
    "bytes below TLS": garbage_below_tls,
    "short body": says(headed("Content-Length: 50\r\n")),
    "cut chunk": says(headed("Transfer-Encoding: chunked\r\n", b"20\r\nabc")),
    "no last chunk": says(headed("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n")),
    "cut last chunk": says(headed("Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n")),
    "chunk size that is none": says(headed("Transfer-Encoding: chunked\r\n", b"zz\r\nabc\r\n")),
    "cut body without a length": says(headed("", OK_BODY[:-1])),
    "cut list without a length": says(headed("", b'[{"order_id":"1"},{"order_id":"2"}')),
    "cut body without a length, promised to end": says(headed("Connection: close\r\n", OK_BODY[:-1])),
    "text without a length": says(headed("", b"Success")),
    "nothing without a length": says(headed("", b"")),
    "packed chunks": says(headed("Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n")),
    "cut gzip": says(answer(PACKED[:-12], headers="Content-Encoding: gzip\r\n"), stays=True),
    "gzip and more": says(answer(PACKED + b"more", headers="Content-Encoding: gzip\r\n"), stays=True),
    "not gzip": says(answer(headers="Content-Encoding: gzip\r\n"), stays=True),
    "not deflate": says(answer(headers="Content-Encoding: deflate\r\n"), stays=True),
    "unknown encoding": says(answer(headers="Content-Encoding: br\r\n"), stays=True),
    "endless encodings": says(answer(headers=f"Content-Encoding: {'gzip,' * 9}gzip\r\n"), stays=True),
    "garbage status": says(b"LUNCH 200 OK\r\n\r\n"),
    "status beyond numbers": says(b"HTTP/1.1 2x0 OK\r\n\r\n"),
    "other protocol": says(b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "too many headers": says(headed("X: y\r\n" * 200 + "Content-Length: 11\r\n")),
    "too long a header": says(headed(f"X: {'y' * 70_000}\r\nContent-Length: 11\r\n")),
    "header without a colon": says(headed("nonsense\r\nContent-Length: 11\r\n"), stays=True),
    "line without a colon": says(headed("Content-Length: 11\r\nnonsense\r\n"), stays=True),
    "two lengths": says(headed("Content-Length: 11\r\nContent-Length: 5\r\n"), stays=True),
    "one length twice": says(headed("Content-Length: 11\r\nContent-Length: 11\r\n"), stays=True),
    "two lengths in a line": says(headed("Content-Length: 11, 5\r\n"), stays=True),
    "length that is no number": says(headed("Content-Length: 1_1\r\n"), stays=True),
    "negative length": says(headed("Content-Length: -11\r\n"), stays=True),
    "length and chunks": says(
        headed("Content-Length: 11\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), stays=True
    ),
    "length beyond reason": says(headed("Content-Length: 99999999999\r\n"), stays=True),
    "half a head": says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
    "half a status": says(b"HTTP/1.1 20"),
    "silence": silence,
    "silence in the head": says(b"HTTP/1.1 200 OK\r\n", stays=True),
    "silence in the body": says(headed("Content-Length: 50\r\n"), stays=True),
    "a byte now and then": trickle,
    "endless headers": endless_headers,
    "early hints": says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(), stays=True),
    "continue": says(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(), stays=True),
    "switching": says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", stays=True),
}


# Answers that go on for ever are ended by the deadline, the others end by themselves or in silence.
ENDLESS = {"a byte now and then", "endless headers"}
CELLS = [
    (scheme, method, fault)
    for scheme in ("http", "https")
    for method in ("POST", "DELETE", "GET")
    for fault in BROKEN
    if scheme == "https" or fault != "bytes below TLS"
]


@pytest.mark.parametrize(("scheme", "method", "fault"), CELLS)
def test_a_broken_answer_leaves_the_outcome_unknown(caller, scheme, method, fault):
    """The server's log is the judge: what it holds was sent, and what was sent is sent once."""
    with server_for(scheme, after_a_good_one(BROKEN[fault])) as server:
        caller.get(server.url())
        started = time.monotonic()
        with pytest.raises(TransportError) as lost:
            caller.call(
                method,
                server.url(ORDERS),
                body=TICKET if method == "POST" else None,
                seconds=0.3 if fault in ENDLESS else 3,
                changes_state=method != "GET",
            )
        took = time.monotonic() - started
        again = caller.post(server.url(), body=b"{}")
        arrived = [request for request in server.booked if request.target == ORDERS]
        lines = server.accepted

    # Only a reset that crosses the body may find it unsent; a full body never is.
    assert isinstance(lost.value, OutcomeUnknown) or (fault == "reset after the head" and not arrived)
    assert len(arrived) <= 1
    assert again.body == OK_BODY
    assert lines == 2
    assert took < 1.5
    assert "hush" not in texts_of(lost.value)
    assert lost.value.endpoint == f"{method} {urlsplit(ORDERS).path}"


def test_the_status_of_an_unusable_answer_is_told(caller):
    """A 401 that closes the line means something even so."""
    closing = says(b"HTTP/1.1 401 Unauthorized\r\n\r\n")

    with server_for("http", closing) as server, pytest.raises(OutcomeUnknown) as lost:
        caller.post(server.url())

    assert lost.value.status == 401
    assert "do not send it again" in str(lost.value)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    "body", [OK_BODY, b' [{"order_id": "1"}]\r\n', gzip.compress(OK_BODY)], ids=["object", "list", "packed"]
)
def test_a_body_without_a_length_that_shows_its_end_is_taken(scheme, caller, version, body):
    """HTTP allows it, and small servers answer so: the line's end is the body's."""
    packed = "Content-Encoding: gzip\r\n" if body[:2] == b"\x1f\x8b" else ""
    script = says(f"HTTP/{version} 200 OK\r\n{packed}\r\n".encode() + body)

    with server_for(scheme, script) as server:
        answers = [caller.post(server.url()), caller.get(server.url())]
        lines = server.accepted

    assert {answer.body for answer in answers} == {OK_BODY if packed else body}
    assert lines == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b""), (503, b"busy"), (200, b"<html>Log in</HTML>\n"), (403, b"<html>Access Denied")],
)
def test_a_read_needs_no_more_of_an_answer_without_a_length(caller, status, body):
    """What was refused is clear from the status, and a page is none of what was asked for."""
    with server_for("http", says(f"HTTP/1.0 {status} X\r\n\r\n".encode() + body)) as server:
        answer = caller.get(server.url())
        with pytest.raises(OutcomeUnknown):
            caller.post(server.url())

    assert (answer.status, answer.body) == (status, body)


def test_an_answer_that_promises_too_much_is_not_even_begun(caller):
    """What is not wanted is not waited for."""
    promising = says(headed(f"Content-Length: {MOST_BYTES + 1}\r\n"), stays=True)

    with server_for("http", promising) as server, pytest.raises(OutcomeUnknown, match="too large"):
        caller.get(server.url())


def test_the_deadline_ends_a_silence_that_would_be_allowed(scheme):
    """It is total, and the shorter of the two counts."""
    caller = Caller(read_timeout=5)

    with server_for(scheme, silence) as server:
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            caller.post(server.url(), seconds=0.3)
        took = time.monotonic() - started

    assert 0.25 < took < 1


def test_an_unforeseen_value_error_after_sending_is_no_matter_of_configuration(caller):
    """That nothing was sent is said only where the record says so."""

    class Carrier:
        def carry(self, *_, **__):
            current_call().offer(1)
            current_call().took(3)
            raise ValueError("hush-hush-hush")

    with server_for("http", serve_well) as server:
        caller.get(server.url())
        start, origin = next(iter(caller.transport._origins.items()))
        caller.transport._origins[start] = attrs.evolve(origin, lines=Carrier())

        with pytest.raises(OutcomeUnknown) as lost:
            caller.post(server.url())

    assert "hush" not in texts_of(lost.value)


def test_too_large_a_body_in_chunks_is_given_up():
    """Memory is bounded, whatever a server sends."""
    caller = Caller(read_timeout=5)

    def script(talk):
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MOST_BYTES // 4_000_000 + 2):
            talk.send(b"%x\r\n%s\r\n" % (4_000_000, b"x" * 4_000_000))

    with server_for("http", script) as server, pytest.raises(OutcomeUnknown, match="too large"):
        caller.get(server.url(), seconds=20)


def test_a_second_answer_that_nobody_asked_for_ends_the_line(scheme, caller):
    """The call after it would take it for its own."""

    def script(talk):
        if talk.server.accepted > 1:
            serve_well(talk)
            return
        talk.read_request()
        talk.send(answer() + answer(b'{"not":"yours"}')[:20])
        talk.read_request()

    with server_for(scheme, script) as server:
        assert caller.post(server.url()).body == OK_BODY
        assert caller.post(server.url()).body == OK_BODY
        assert server.accepted == 2


def test_a_body_after_a_204_ends_the_line(caller):
    """Its bytes would be read as the next answer's status."""

    def script(talk):
        if talk.server.accepted > 1:
            serve_well(talk)
            return
        talk.read_request()
        talk.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 11\r\n\r\n" + OK_BODY)
        talk.read_request()

    with server_for("http", script) as server:
        caller.post(server.url())
        assert caller.post(server.url()).body == OK_BODY


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"HTTP/1.1 200 OK\r\n",
                b"HTTP/1.1 ",
                b"Content-Length: 3\r\n",
                b"Content-Type: multipart/mixed\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Content-Encoding: gzip\r\n",
                b"Set-Cookie: a=b; Expires=x; Max-Age=--5\r\n",
                b"\r\n",
                b"3\r\nabc\r\n",
                b"0\r\n\r\n",
                b"abc",
                b" folded\r\n",
                b":\r\n",
            ]
        )
        | st.binary(max_size=20),
        max_size=12,
    )
)
def test_no_bytes_make_anything_but_an_answer_or_a_transport_error(parts):
    """Whatever comes after an order, the caller is told in the library's own errors."""
    GARBAGE[0] = b"".join(parts)
    caller = Caller(Trust())

    try:
        came = caller.post(GARBAGE_SERVER[0].url(), seconds=2)
    except OutcomeUnknown:
        came = None
    finally:
        caller.transport.close()

    assert came is None or isinstance(came, Answer)


GARBAGE = [b""]
GARBAGE_SERVER = []


@pytest.fixture(scope="module", autouse=True)
def _garbage_server():
    """Hypothesis runs its examples inside one call, so the server outlives them all."""

    def script(talk):
        talk.read_request()
        talk.send(GARBAGE[0])

    with RawServer(script) as server:
        GARBAGE_SERVER.append(server)
        yield


# --- What never left -----------------------------------------------------------------------------


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_listening_is_told_at_once(scheme, caller, host):
    """With cause and remedy, in at most three lines."""
    started = time.monotonic()

    with pytest.raises(NotSent) as lost:
        caller.post(f"{scheme}://{host}:{free_port()}{ORDERS}")
    with pytest.raises(NotSent) as fragment:
        caller.post(f"{scheme}://{host}:{free_port()}/v1/api#hush")

    assert time.monotonic() - started < 1
    assert lost.value.repeatable
    assert str(lost.value).count("\n") <= 2
    assert "Nothing listens" in str(lost.value)
    assert "Start the gateway" in str(lost.value)
    assert "hush" not in texts_of(lost.value)
    assert isinstance(lost.value.__cause__, ConnectionRefusedError)
    assert fragment.value.endpoint == "POST /v1/api"


def test_a_connection_that_nobody_accepts_is_given_up(scheme, caller):
    """A firewall that drops packets looks like this."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # The queue of a listener that accepts nothing is full after these.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        with pytest.raises(NotSent, match="cannot be reached"):
            caller.post(f"{scheme}://127.0.0.1:{port}/", seconds=0.3)
        took = time.monotonic() - started
        for one in waiting:
            one.close()

    assert 0.25 < took < 0.8


def close_on_accept(talk):
    """Say nothing at all."""


def reset_on_accept(talk):
    talk.reset()


def speak_plain(talk):
    talk.send(answer())


@pytest.mark.parametrize("fault", ["close", "reset", "plain http", "silence", "cut hello"])
def test_a_handshake_that_breaks_has_sent_nothing(caller, fault):
    """The library raises a read time-out or an SSL error for it, as it does for lost answers."""
    scripts = {
        "close": close_on_accept,
        "reset": reset_on_accept,
        "plain http": speak_plain,
        "silence": lambda talk: talk.wait_for_close(),
        "cut hello": lambda talk: talk.send(b"\x16\x03\x03\x00\x7a\x02"),
    }

    with server_for("https", scripts[fault], greets=False) as server:
        started = time.monotonic()
        # A reset may be there before the handshake begins, which has the other text.
        text = r"handshake|cannot be reached" if fault == "reset" else "handshake"
        with pytest.raises(NotSent, match=text) as lost:
            caller.post(server.url(ORDERS), seconds=0.4)
        took = time.monotonic() - started
        assert server.booked == []

    assert took < 0.8
    assert "hush" not in texts_of(lost.value)


def test_a_deadline_that_has_passed_sends_nothing(caller):
    """The caller has given the order up already."""
    with server_for("http", serve_well) as server:
        with pytest.raises(NotSent, match="No time was left"):
            caller.post(server.url(), seconds=0)
        assert server.accepted == 0


def test_a_line_that_was_closed_before_the_call_is_replaced(scheme, caller):
    """Servers close idle lines all the time, and no byte has left by then."""

    def script(talk):
        talk.read_request()
        talk.send(answer())

    with server_for(scheme, script) as server:
        caller.get(server.url())
        waited = time.monotonic() + 2
        while server.ended < 1 and time.monotonic() < waited:
            time.sleep(0.01)

        assert caller.post(server.url()).body == OK_BODY
        assert len(server.posts) == 1
        assert server.accepted == 2


@pytest.mark.parametrize(("changes_state", "lines"), [(True, 2), (False, 1)])
def test_a_quiet_line_is_not_trusted_with_what_changes_state(scheme, changes_state, lines):
    """A box in between may have forgotten it, and then nobody knows what became of the order."""
    clock = ManualClock(datetime(2026, 11, 24, tzinfo=UTC))
    caller = Caller(clock=clock)

    with server_for(scheme, serve_well) as server:
        caller.get(server.url())
        clock.advance(20.5)
        caller.call("POST", server.url(), body=b"{}", changes_state=changes_state)
        accepted = server.accepted
        caller.transport.close()

    assert accepted == lines


def test_a_line_that_was_used_lately_is_trusted():
    """Twenty seconds are allowed."""
    clock = ManualClock(datetime(2026, 11, 24, tzinfo=UTC))
    caller = Caller(clock=clock)

    with server_for("http", serve_well) as server:
        for _ in range(3):
            caller.post(server.url())
            clock.advance(19)
        caller.transport.close()
        assert server.accepted == 1


class FakeSocket:
    """A socket whose kernel takes what it is told to, and then fails."""

    def __init__(self, *takes):
        self.takes = list(takes)
        self.closed = False

    def send(self, sent):
        take = self.takes.pop(0)
        if isinstance(take, OSError):
            raise take
        return min(take, len(sent))

    def settimeout(self, seconds):
        assert seconds is None or seconds > 0

    def close(self):
        self.closed = True


def sent_through(takes, *, method="POST", body=TICKET):
    from ibkr_adapter.transport.lines import PlainLine

    call = Call(
        clock=SystemClock(),
        deadline=time.monotonic() + 5,
        silence=None,
        changes_state=True,
        body_size=len(body or b""),
    )
    line = PlainLine("127.0.0.1", 1)
    line.sock = FakeSocket(*takes)
    current.call = call
    try:
        with pytest.raises(LineBroken) as broken:
            line.request(method, "/", body=body, headers={"Content-Length": str(len(body or b""))})
    finally:
        current.call = None
    return call, broken.value


@pytest.mark.parametrize(
    ("takes", "body", "acted_on"),
    [
        ((ConnectionResetError(),), TICKET, False),
        ((BrokenPipeError(),), None, False),
        ((10, BrokenPipeError()), TICKET, False),
        ((9999, BrokenPipeError()), TICKET, False),
        ((9999, ConnectionResetError()), TICKET, False),
        ((9999, 1, BrokenPipeError()), TICKET, True),
        ((9999, len(TICKET) - 1, BrokenPipeError()), TICKET, True),
        ((10, BrokenPipeError()), None, True),
        ((9999, TimeoutError()), TICKET, False),
        ((9999, ssl.SSLEOFError()), TICKET, False),
    ],
)
def test_what_the_kernel_took_decides(takes, body, acted_on):
    """A head without the body that it promises is nothing to act on; any more might be."""
    call, broken = sent_through(takes, body=body)
    error = explain(
        broken,
        call=call,
        server=Server(scheme="http", host="localhost", port=1),
        method="POST",
        path="/",
        trust=Trust(),
    )

    assert call.may_have_been_acted_on is acted_on
    assert type(error) is (OutcomeUnknown if acted_on else NotSent)


def test_a_line_used_outside_a_call_refuses():
    """Without a record nobody could tell what left."""
    with pytest.raises(LineBroken):
        current_call()


@pytest.mark.parametrize(
    ("host", "cause", "told"),
    [
        ("api.ibkr.com", socket.gaierror(-2, "Name or service not known"), "cannot be resolved"),
        ("api.ibkr.com", ConnectionRefusedError(), "Check the network"),
        ("::1", ConnectionRefusedError(), "Nothing listens at [::1]:443"),
        ("api.ibkr.com", OSError(113, "No route to host"), "failed before the request had left"),
    ],
)
def test_the_cause_is_told_in_words(host, cause, told):
    """People act on the message."""
    call = Call(
        clock=SystemClock(), deadline=time.monotonic() + 5, silence=None, changes_state=True, body_size=2
    )
    server = Server(scheme="https", host=host, port=443)

    error = explain(LineBroken("x", cause), call=call, server=server, method="GET", path="/", trust=Trust())

    assert isinstance(error, NotSent)
    assert told in str(error)


# --- Addresses and headers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "localhost:5000/v1/api",
        "ftp://localhost/v1",
        "https:///v1/api",
        "https://localhost:x/",
        "https://localhost:99999/",
        "https://[::1/",
        "https://user:hush-hush-hush@localhost/",
        "http://localhost?hush-hush-hush",
        "https://localhost:1/with space",
        "https://localhost:1/line\r\nHost: hush",
        "https://localhost:1/é",
        "http://api.ibkr.com/v1/api",
        f"https://{'a' * 70}.invalid/",
    ],
)
def test_an_address_that_cannot_be_called_is_a_matter_of_configuration(caller, url):
    """Nothing is sent, and the session never goes over plain http beyond this machine."""
    with pytest.raises(ConfigurationError) as refused:
        caller.get(url)

    assert "hush" not in texts_of(refused.value)


@pytest.mark.parametrize("value", ["hush-hush-hush\r\nX: y", "hush-hush-hush \u20ac"])
def test_a_header_that_cannot_be_sent_is_told_without_its_value(scheme, caller, value):
    """A key with a line break in it is a common mistake, and a secret."""
    with server_for(scheme, serve_well) as server:
        with pytest.raises(ConfigurationError, match="characters that HTTP does not allow") as refused:
            caller.post(server.url(), headers={"Authorization": value})
        assert caller.post(server.url()).status == 200
        assert len(server.booked) == 1

    assert "hush" not in texts_of(refused.value)


# --- Trust ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trust",
    [PINNED, Trust(ca_file=gateway().ca_file), Trust(verify=False), Trust(fingerprint=gateway().fingerprint)],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_gateway_is_reached_when_it_is_trusted(trust, host):
    """By its fingerprint, by its own certificate as the bundle, or by choice on this machine."""
    caller = Caller(trust)

    with server_for("https", serve_well) as server:
        assert caller.post(server.url(host=host)).status == 200
        caller.transport.close()


@pytest.mark.parametrize(
    "trust", [Trust(), Trust(fingerprint="ab" * 32), Trust(ca_file=signed_for("a.b").ca_file)]
)
def test_a_gateway_that_is_not_trusted_receives_no_header(trust):
    """The error says which certificate came, and which settings would trust it."""
    caller = Caller(trust)

    with server_for("https", serve_well) as server:
        with pytest.raises(ConfigurationError) as refused:
            caller.post(server.url(ORDERS), headers={"Authorization": "hush-hush-hush"})
        assert server.booked == []
        text = str(refused.value)
        assert f"127.0.0.1:{server.port}" in text

    assert gateway().fingerprint in text
    assert "tls_fingerprint" in text
    assert "ca_file" in text
    assert "nothing was sent" in text
    assert "hush" not in texts_of(refused.value)
    assert text.count("\n") == 0


def test_a_certificate_for_another_host_is_not_trusted():
    """A neighbour under the same authority is not the gateway."""
    caller = Caller(Trust(ca_file=signed_for("elsewhere.example").ca_file))

    with RawServer(serve_well, tls=signed_for("elsewhere.example").context) as server:
        with pytest.raises(ConfigurationError, match="another host name"):
            caller.post(server.url())
        assert server.booked == []


def test_an_untrusted_server_elsewhere_is_not_asked_again():
    """Its fingerprint would be that of whoever stands in between."""
    call = Call(
        clock=SystemClock(), deadline=time.monotonic() + 5, silence=None, changes_state=True, body_size=2
    )
    broken = LineBroken("x", ssl.SSLCertVerificationError("unable to get local issuer certificate"))
    server = Server(scheme="https", host="api.ibkr.com", port=443)

    error = explain(broken, call=call, server=server, method="GET", path="/", trust=Trust())

    assert isinstance(error, ConfigurationError)
    assert "fingerprint is" not in str(error)
    assert "ca_file" in str(error)


@pytest.mark.parametrize(("seconds", "seen"), [(5, True), (-1, False)])
def test_looking_at_a_certificate_ends_with_the_call(seconds, seen):
    """The deadline is total."""
    broken = LineBroken("x", ssl.SSLCertVerificationError("self-signed certificate"))

    with server_for("https", serve_well) as server:
        call = Call(
            clock=SystemClock(),
            deadline=time.monotonic() + seconds,
            silence=None,
            changes_state=True,
            body_size=2,
        )
        there = Server(scheme="https", host="127.0.0.1", port=server.port)
        error = explain(broken, call=call, server=there, method="GET", path="/", trust=Trust())

    assert ("fingerprint is" in str(error)) is seen


def test_urllib3_checks_the_pin_once_more():
    """Two locks on the one door that money goes through."""
    from ibkr_adapter.transport.adapter import Lines

    judged = Lines.judged_by(ssl.create_default_context(), PINNED)

    assert judged["assert_fingerprint"] == gateway().fingerprint


def test_verification_is_never_off_elsewhere():
    """And nothing is asked of the network to find that out."""
    with pytest.raises(ConfigurationError, match="verify_tls is off"):
        Caller(Trust(verify=False)).get("https://api.ibkr.com/v1/api/tickle")


def test_the_environment_has_no_say(monkeypatch, tmp_path):
    """A bundle or a proxy named there would take a call past the pin, even for loopback."""
    with server_for("https", serve_well) as server, RawServer(serve_well) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, gateway().ca_file)
        netrc = tmp_path / "netrc"
        netrc.write_text("default login hush password hush\n")
        monkeypatch.setenv("NETRC", str(netrc))

        with pytest.raises(ConfigurationError):
            Caller(Trust()).get(server.url())
        with pytest.raises(ConfigurationError):
            Caller(Trust(fingerprint="ab" * 32)).get(server.url())
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, "/does/not/exist")
        trusting = Caller()
        assert trusting.get(server.url()).status == 200
        trusting.transport.close()

        assert proxy.accepted == 0
        assert "authorization" not in server.booked[0].headers


# --- Cookies on the line -------------------------------------------------------------------------


def test_cookies_come_back_where_they_belong(scheme, caller):
    """The edge binds a session to a server by one, and a login's are for the login only."""

    def script(talk):
        while talk.read_request() is not None:
            talk.send(
                answer(
                    headers="Set-Cookie: route=1a2b3c4d; Path=/\r\nSet-Cookie: sso=hush-hush-hush; Path=/sso\r\n"
                    "Set-Cookie: tls=only-over-tls; Path=/; Secure\r\n"
                )
            )

    with server_for(scheme, script) as server:
        first = caller.get(server.url())
        caller.get(server.url())
        caller.get(server.url("/sso/validate"), headers={"cookie": "mine=1"})
        _, api, sso = server.booked

    tls = ["tls=only-over-tls"] if scheme == "https" else []
    assert "set-cookie" not in first.headers
    assert api.headers["cookie"].split("; ") == ["route=1a2b3c4d", *tls]
    assert sso.headers["cookie"].split("; ") == ["sso=hush-hush-hush", "route=1a2b3c4d", *tls, "mine=1"]


# --- Unpacking -----------------------------------------------------------------------------------


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_what_was_packed_is_unpacked(content, encoding):
    """And an end that is missing is noticed, wherever it is missing."""
    packed = gzip.compress(content) if encoding == "gzip" else zlib.compress(content)

    assert unpack(packed, encoding) == content
    if encoding == "gzip":
        for size in range(1, len(packed)):
            with pytest.raises(Undecodable):
                unpack(packed[:size], encoding)


def test_a_small_body_does_not_unpack_into_all_memory():
    """A kilobyte can hold a gigabyte."""
    with pytest.raises(Undecodable, match="too large"):
        unpack(gzip.compress(b"\0" * (MOST_BYTES + 1)), "gzip")


def test_every_error_of_the_transport_is_one_of_the_librarys():
    """A caller who handles IBKRError has handled them all."""
    assert issubclass(NotSent, IBKRError)
    assert issubclass(OutcomeUnknown, IBKRError)
