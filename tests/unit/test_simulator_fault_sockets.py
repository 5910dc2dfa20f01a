"""What arrives at a raw client when a fault of the wire or of TLS is armed by name.

Over the real server and a real broker: the fault is armed through the control room, in plain http, and
what was booked and consumed is read there too.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import struct
import time
from contextlib import closing

import pytest
from simulator_client import ACCOUNT, PLACE, Broker, ticket

from ibkr_adapter.simulator.server import SimulatorServer

PATH = f"/v1/api/iserver/account/{ACCOUNT}/orders"
ORDER = json.dumps({"orders": [ticket()]}).encode()
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ORDER)}\r\n\r\n".encode()
TICKLE = b"GET /v1/api/tickle HTTP/1.1\r\nHost: x\r\n\r\n"
# A machine that is busy must not make silence of what is only slow.
PATIENCE = 3.0


@pytest.fixture
def broker():
    return Broker(first_reads_empty=False).ready()


@pytest.fixture
def server(broker):
    with SimulatorServer(broker.gateway, tls=True) as server:
        yield server


def control(server, method, path, body=None):
    """Ask the control room, in plain http on the port that speaks https too."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as line:
        line.request(method, f"/simulator/{path}", None if body is None else json.dumps(body))
        answer = line.getresponse()
        assert answer.status == 200
        return json.loads(answer.read())


def arm(server, fault, on=None, **wishes):
    control(server, "POST", "faults", {"fault": fault, **({"on": on} if on else {}), **wishes})


def told(server):
    """How many orders are booked, and what was consumed."""
    ledger = control(server, "GET", "ledger")
    return len(ledger["orders"]), [one["consumed"] for one in ledger["faults"]]


def dial(server):
    return closing(socket.create_connection(("127.0.0.1", server.port), PATIENCE))


def hear(line, patience=PATIENCE):
    """All that comes, and how it ended: closed, reset or silent."""
    line.settimeout(patience)
    heard = b""
    while True:
        try:
            more = line.recv(65536)
        except TimeoutError:
            return heard, "silent"
        except ConnectionResetError:
            return heard, "reset"
        if not more:
            return heard, "closed"
        heard += more


def hear_until(line, wanted):
    """The bytes up to those that are wanted."""
    line.settimeout(PATIENCE)
    heard = b""
    while wanted not in heard:
        more = line.recv(65536)
        assert more, f"the line ended after {heard!r}"
        heard += more
    return heard


@pytest.mark.parametrize(
    ("variant", "patience", "ending"),
    [("reset", PATIENCE, "reset"), ("close", PATIENCE, "closed"), ("half_open", 0.3, "silent")],
)
def test_nothing_is_processed_before_the_body_is_read(server, variant, patience, ending):
    """F02: the head alone meets it. A line left open says nothing, whatever is still sent."""
    arm(server, "F02", PLACE, variant=variant)
    with dial(server) as line:
        line.sendall(HEAD)

        assert hear(line, patience) == (b"", ending)
        assert told(server) == (0, [1])


def test_a_held_line_ends_after_its_seconds(server):
    """F02 and F04: nobody has to wait two minutes for the end."""
    for fault in ("F02", "F04"):
        arm(server, fault, PLACE, variant="half_open", seconds=0.05)
        with dial(server) as line:
            line.sendall(HEAD + ORDER)
            heard, ending = hear(line)

        assert heard == b""
        assert ending in {"closed", "reset"}


def test_an_answer_may_never_come_on_a_line_that_stays_open(server):
    """F04: booked; the client's patience decides."""
    arm(server, "F04", PLACE, variant="half_open")
    with dial(server) as line:
        line.sendall(HEAD + ORDER)

        assert hear(line, 0.3) == (b"", "silent")
        assert told(server) == (1, [1])


def test_a_late_answer_ends_its_line(server):
    """F04: it is whole, and no second call is answered there."""
    arm(server, "F04", PLACE, variant="late", seconds=0.05)
    with dial(server) as line:
        line.sendall(HEAD + ORDER)
        heard, ending = hear(line)

    assert b"Connection: close" in heard
    assert b'"order_status"' in heard
    assert ending == "closed"


def test_a_late_answer_goes_out_to_a_client_that_has_hung_up(server):
    """F04: the client is through with writing; what is sent to it now still arrives."""
    arm(server, "F04", PLACE, variant="late", seconds=0.2)
    with dial(server) as line:
        line.sendall(HEAD + ORDER)
        time.sleep(0.02)
        line.shutdown(socket.SHUT_WR)
        heard, _ = hear(line)

    assert b'"order_status"' in heard
    assert told(server) == (1, [1])


@pytest.mark.parametrize(
    ("fault", "variant", "ending", "token"),
    [
        ("F16", "not_gzip", "silent", b"Content-Encoding: gzip\r\n"),
        ("F16", "two_lengths", "closed", b"\r\nContent-Length: "),
        ("F16", "garbage_chunk", "closed", b"\r\n\r\n%zz?\r\n"),
        ("F17", "garbage_header", "closed", b"\x00\xff no header at all\r\n: nameless\r\n\r\n"),
        ("F17", "half_body", "silent", b"Content-Length: "),
    ],
)
def test_a_booked_order_may_be_answered_by_what_nobody_can_read(server, fault, variant, ending, token):
    """F16 and F17: each is booked once, whatever the client makes of the bytes."""
    arm(server, fault, PLACE, variant=variant)
    with dial(server) as line:
        line.sendall(HEAD + ORDER)
        heard, ended = hear(line, 0.5)

        assert heard.startswith(b"HTTP/1.1 200 OK\r\n")
        assert token in heard
        assert ended == ending
        assert told(server) == (1, [1])


def test_two_lengths_differ_and_half_a_body_is_less_than_promised(server):
    """Else a lenient client would not even notice."""
    arm(server, "F16", PLACE, variant="two_lengths")
    arm(server, "F17", PLACE, variant="half_body", seconds=0.01)
    heads = []
    for number in range(2):
        order = json.dumps({"orders": [ticket(cOID=str(number))]}).encode()
        with dial(server) as line:
            line.sendall(HEAD.replace(b"%d\r\n" % len(ORDER), b"%d\r\n" % len(order)) + order)
            heads.append(hear(line)[0].partition(b"\r\n\r\n"))

    lengths = [
        [int(one.split(b": ")[1]) for one in head.split(b"\r\n") if one.startswith(b"Content-Length")]
        for head, _, _ in heads
    ]
    assert len(set(lengths[0])) == 2
    assert lengths[1][0] > len(heads[1][2])


def test_plain_text_may_be_called_gzip(server):
    """The length is honest, the coding is not."""
    arm(server, "F16", PLACE, variant="not_gzip")
    with dial(server) as line:
        line.sendall(HEAD + ORDER)
        body = hear(line, 0.5)[0].partition(b"\r\n\r\n")[2]

    assert b'"order_status"' in body
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(body)


def test_an_answer_to_nothing_shifts_the_next_ones(server):
    """F16: the line lives on, and who reads one answer per call reads the wrong one."""
    arm(server, "F16", "GET /tickle", variant="surplus")
    with dial(server) as line:
        line.sendall(TICKLE)
        first = hear_until(line, b"\r\n\r\n{}")
        line.sendall(TICKLE)
        second = hear_until(line, b'"session"')

    assert first.count(b"HTTP/1.1 200 OK") == 2
    assert first.endswith(b"Content-Length: 2\r\n\r\n{}")
    assert second.count(b"HTTP/1.1 200 OK") == 1


def test_a_body_may_have_no_end(server):
    """F17: chunk after chunk; only a deadline or a limit of the client's helps."""
    arm(server, "F17", PLACE, variant="endless_body", seconds=0.001)
    with dial(server) as line:
        line.sendall(HEAD + ORDER)
        heard = b""
        while heard.count(b"\r\n40\r\n") < 50:
            heard += line.recv(65536)

    assert b"Transfer-Encoding: chunked" in heard
    assert b"\r\n0\r\n" not in heard
    assert told(server) == (1, [1])


# TLS


def shake(server, *, name="localhost"):
    """Shake hands as a client that trusts the server's own certificate; answer the line."""
    context = ssl.create_default_context(cafile=server.ca_file)
    raw = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    try:
        return context.wrap_socket(raw, server_hostname=name)
    except OSError:
        raw.close()
        raise


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("expired", "certificate has expired"),
        ("wrong_host", "Hostname mismatch"),
        ("self_signed", "self-signed certificate|self signed certificate"),
        ("plain", "WRONG_VERSION_NUMBER|wrong version number|RECORD_LAYER_FAILURE"),
        ("old_version", "TLSV1_ALERT_PROTOCOL_VERSION|tlsv1 alert protocol version"),
        ("close", "UNEXPECTED_EOF|EOF occurred"),
    ],
)
def test_a_handshake_fails_in_just_the_way_that_was_armed(server, variant, words):
    """F36: one thing is wrong; the control room answers meanwhile, and the next line is good."""
    arm(server, "F36", variant=variant)

    with pytest.raises(ssl.SSLError, match=words):
        shake(server)

    assert told(server) == (0, [1])
    with closing(shake(server)) as line:
        line.sendall(TICKLE)
        assert line.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("variant", ["expired", "wrong_host", "self_signed"])
def test_a_wrong_certificate_never_has_the_pinned_fingerprint(server, variant):
    """Who pins looks at nothing else."""
    arm(server, "F36", variant=variant)
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with dial(server) as raw, blind.wrap_socket(raw) as line:
        shown = line.getpeercert(binary_form=True)

    own = ssl.PEM_cert_to_DER_cert(server.ca_file.read_text())
    assert shown != own


def test_a_handshake_may_be_reset(server):
    """F36: after the hello was read."""
    arm(server, "F36", variant="reset")

    with pytest.raises(ConnectionResetError):
        shake(server)

    assert told(server) == (0, [1])


def test_a_handshake_may_meet_silence(server):
    """F36: the line stays open until its seconds are over; nothing is said."""
    arm(server, "F36", variant="silence", seconds=0.3)
    hello = ssl.MemoryBIO()
    engine = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        engine.do_handshake()
    with dial(server) as line:
        line.sendall(hello.read())
        early = hear(line, 0.1)
        late = hear(line)

    assert early == (b"", "silent")
    assert late == (b"", "closed")


def test_a_handshake_takes_no_endpoint(broker):
    """There is none yet; the two variants that strike calls take one."""
    refused = broker.post("/simulator/faults", {"fault": "F36", "variant": "reset", "on": PLACE})
    armed = broker.post("/simulator/faults", {"fault": "F36", "variant": "redirect", "on": PLACE})

    assert (refused.status, "before there is an endpoint" in refused.body["error"]) == (400, True)
    assert armed.status == 200


def test_a_plain_line_meets_no_handshake(server):
    """So an armed one is not consumed by it, and calls are none of its business."""
    arm(server, "F36", variant="reset")
    with dial(server) as line:
        line.sendall(TICKLE)
        heard = line.recv(65536)

    assert heard.startswith(b"HTTP/1.1 200 OK")
    assert told(server) == (0, [0])


@pytest.mark.parametrize("status", [302, 307])
def test_a_call_may_be_sent_to_plain_http(server, status):
    """F36: to the very same port, which would answer; nothing is processed."""
    arm(server, "F36", PLACE, variant="redirect", status=status)
    with closing(shake(server)) as line:
        line.sendall(HEAD.replace(b"orders HTTP", b"orders?a=%2B HTTP") + ORDER)
        heard = line.recv(65536)

    assert heard.startswith(b"HTTP/1.1 %d " % status)
    assert f"Location: http://127.0.0.1:{server.port}{PATH}?a=%2B\r\n".encode() in heard
    assert told(server) == (0, [1])


def test_bytes_below_tls_come_after_booking(server):
    """F36: the client's library calls that a fault of TLS, and it is an order that stands."""
    arm(server, "F36", PLACE, variant="below_tls")
    with closing(shake(server)) as line:
        line.sendall(HEAD + ORDER)

        with pytest.raises(ssl.SSLError):
            line.recv(65536)
    assert told(server) == (1, [1])


def test_the_server_stops_under_silent_handshakes(broker):
    """And under lines that are held."""
    server = SimulatorServer(broker.gateway, tls=True)
    server.start()
    arm(server, "F36", variant="silence")
    arm(server, "F04", PLACE, variant="half_open")
    with dial(server) as mute, dial(server) as held:
        mute.sendall(struct.pack("!BHH", 0x16, 0x0301, 200) + bytes(200))
        held.sendall(HEAD + ORDER)
        hear(held, 0.1)
        started = time.monotonic()

        server.stop()

        assert time.monotonic() - started < 2
        assert hear(mute)[1] != "silent"
