"""What stands in front of the simulated broker: refusals, dress, compression; and faults in bytes."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from random import Random

import pytest
from cryptography import x509

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.simulator.breakage import (
    DEFAULT_SECONDS,
    LONGEST_SECONDS,
    MOST_PIECES,
    duration,
    half_gzip,
    inflict,
    whole,
)
from ibkr_adapter.simulator.certificate import Wardrobe
from ibkr_adapter.simulator.door import Answer, Request, WireFault, WireFaultKind
from ibkr_adapter.simulator.edge import COMPRESS_ABOVE, LARGEST_BODY, Edge, compress

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def make_edge(*, direct=False):
    return Edge(clock=ManualClock(NOW), random=Random(7), direct=direct)


def post(path="/v1/api/tickle", **headers):
    return Request(
        method="POST", path=path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize(
    ("request_", "direct", "status"),
    [
        (post(content_length="2"), False, None),
        (post(), False, 411),
        (post(content_length="2", transfer_encoding="chunked"), False, 411),
        (Request(method="GET", path="/v1/api/tickle"), False, None),
        (Request(method="DELETE", path="/v1/api/x"), False, None),
        (post(content_length=str(LARGEST_BODY)), False, None),
        (post(content_length=str(LARGEST_BODY + 1)), False, 413),
        (post(content_length="2"), True, 403),
        (post(content_length="2", user_agent=""), True, 403),
        (post(content_length="2", user_agent="x"), True, None),
        (post("/simulator/reset"), True, None),
    ],
)
def test_the_edge_refuses_by_the_head_alone(request_, direct, status):
    """What the broker never hears of, and what it does."""
    refused = make_edge(direct=direct).refusal(request_)

    assert (refused and refused.status) == status
    assert refused is None or refused.headers == (("Content-Type", "text/html"),)


def test_the_same_seed_sets_the_same_cookies():
    """A run can be repeated to the byte."""
    first = make_edge().dress(post(), Answer())
    second = make_edge().dress(post(), Answer())

    assert first == second
    assert first.headers[0] == ("Date", "Tue, 24 Nov 2026 15:00:00 GMT")
    assert f".{int(NOW.timestamp())}." in first.headers[1][1]


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("deflate", False),
        ("", False),
    ],
)
def test_only_who_takes_gzip_gets_it(accepts, packed):
    """A weight of nought is a no."""
    answer = Answer(body=b"x" * (COMPRESS_ABOVE + 1))

    compressed = compress(post(accept_encoding=accepts), answer)

    assert (compressed != answer) == packed
    assert (("Content-Encoding", "gzip") in compressed.headers) == packed


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"x" * COMPRESS_ABOVE),
        Answer(headers=(("content-encoding", "br"),), body=b"x" * 5000),
    ],
)
def test_short_or_encoded_bodies_stay_as_they_are(answer):
    """Compressing twice would make the body unreadable."""
    assert compress(post(accept_encoding="gzip"), answer) == answer


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0, DEFAULT_SECONDS[WireFaultKind.SILENCE]), (3.0, 3.0), (1e9, LONGEST_SECONDS)],
)
def test_a_faults_time_is_its_own_bounded_or_the_default(seconds, expected):
    """No fault can hold a test for ever."""
    assert duration(WireFault(kind=WireFaultKind.SILENCE, seconds=seconds)) == expected


def test_a_fault_that_takes_no_time_has_none():
    """Zero is the default of all kinds that happen at once."""
    assert duration(WireFault(kind=WireFaultKind.TRUNCATE)) == 0.0


class UnreadLine:
    """A connection whose client reads nothing: what is written stays in the buffer."""

    def __init__(self):
        self.buffer = b""

    def write(self, words):
        self.buffer += words

    def get_write_buffer_size(self):
        return len(self.buffer)

    def is_closing(self):
        return False


def test_endless_headers_are_bounded_in_lines_and_in_memory():
    """A client that never reads costs little and is let go some time."""
    waits = []

    async def pause(seconds):
        waits.append(seconds)
        return True

    line = UnreadLine()
    fault = WireFault(kind=WireFaultKind.ENDLESS_HEADERS)
    left = asyncio.run(inflict(fault, Answer(), line, pause))

    assert left is None
    assert waits == [DEFAULT_SECONDS[WireFaultKind.ENDLESS_HEADERS]] * MOST_PIECES
    assert 60_000 < len(line.buffer) < 70_000


def test_a_whole_answer_is_framed_for_the_last_time():
    """What is written by hand must still be HTTP."""
    answer = Answer(status=503, headers=(("Content-Type", "text/html"),), body=b"off")

    assert whole(answer) == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\noff"
    )


def test_half_a_gzip_keeps_the_other_headers():
    """Only the encoding is added, so the body still says what it would be."""
    answer = half_gzip(Answer(headers=(("Content-Type", "a/b"),), body=b"{}"))

    assert answer.headers == (("Content-Type", "a/b"), ("Content-Encoding", "gzip"))


def test_a_certificate_is_valid_around_the_time_it_was_made(tmp_path):
    """A day back for slow clocks, and good for the name that the server was given."""
    made = Wardrobe(tmp_path, now=NOW, host="simulator.test").own
    certificate = x509.load_pem_x509_certificate(made.ca_file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "simulator.test"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert isinstance(made.context, ssl.SSLContext)
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.pem"]
