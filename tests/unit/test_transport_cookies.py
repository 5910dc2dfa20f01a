"""A cookie goes where its server said, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.redact import redact
from ibkr_adapter.transport.cookies import Cookies

API = "/v1/api/tickle"


@pytest.fixture
def clock():
    return ManualClock(datetime(2026, 11, 24, 12, tzinfo=UTC))


@pytest.fixture
def jar(clock):
    return Cookies(clock)


def keep(jar, *lines, host="api.ibkr.com", path=API, secure=True):
    jar.keep(lines, host=host, path=path, secure=secure)


def header(jar, *, host="api.ibkr.com", path=API, secure=True):
    return jar.header(host=host, path=path, secure=secure)


@given(st.lists(st.text()), st.sampled_from(["localhost", "api.ibkr.com", "127.0.0.1", "::1"]))
def test_no_line_breaks_the_jar(lines, host):
    """It is filled after an order was answered; nothing may go wrong there."""
    jar = Cookies(ManualClock(datetime(2026, 11, 24, tzinfo=UTC)))

    jar.keep(lines, host=host, path=API, secure=True)

    shown = jar.header(host=host, path=API, secure=True)
    assert shown.isascii()
    assert "\n" not in shown
    assert "\r" not in shown


@pytest.mark.parametrize("host", ["api.ibkr.com", "localhost", "127.0.0.1", "::1"])
def test_a_cookie_comes_back_to_its_server(jar, host):
    """A gateway on this machine sets cookies as the real host does."""
    keep(jar, "x-sess-uuid=0.1a2b; secure; HttpOnly; Path=/", host=host)

    assert header(jar, host=host) == "x-sess-uuid=0.1a2b"
    assert header(jar, host=host) == "x-sess-uuid=0.1a2b"
    assert header(jar, host="elsewhere.com") == ""


@pytest.mark.parametrize(
    ("where", "path", "goes"),
    [
        ("/", "/anything", True),
        ("/sso", "/sso", True),
        ("/sso", "/sso/validate", True),
        ("/sso/", "/sso/validate", True),
        ("/sso", "/ssodh", False),
        ("/sso/", "/sso", False),
        ("/sso", API, False),
        ("relative", "/v1/api/orders", True),
        ("", "/v1/other", False),
    ],
)
def test_a_path_limits_a_cookie(jar, where, path, goes):
    """Login cookies are for the login; without a path it is the folder that was asked."""
    keep(jar, f"a=1; Path={where}")

    assert (header(jar, path=path) == "a=1") is goes


def test_a_cookie_set_at_the_root_without_a_path_goes_everywhere(jar):
    """The folder of the root is the root."""
    keep(jar, "a=1", path="/login")

    assert header(jar) == "a=1"


@pytest.mark.parametrize(
    ("domain", "host", "goes"),
    [
        ("ibkr.com", "api.ibkr.com", True),
        (".ibkr.com", "www.ibkr.com", True),
        ("ibkr.com", "ibkr.com", True),
        ("ibkr.com", "notibkr.com", False),
        ("api.ibkr.com", "www.ibkr.com", False),
    ],
)
def test_a_domain_widens_a_cookie(jar, domain, host, goes):
    """To the hosts under it, and to no other that ends alike."""
    keep(jar, f"a=1; Domain={domain}; Path=/")

    assert (header(jar, host=host) == "a=1") is goes


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("com", "api.ibkr.com"),
        ("example.com", "api.ibkr.com"),
        ("sub.api.ibkr.com", "api.ibkr.com"),
        ("0.0.1", "127.0.0.1"),
        ("ibkr.com", "localhost"),
    ],
)
def test_a_foreign_domain_is_not_taken(jar, domain, host):
    """A server sets cookies for itself and what it belongs to."""
    keep(jar, f"a=1; Domain={domain}; Path=/", host=host)

    assert header(jar, host=host) == header(jar, host=domain) == ""


def test_a_cookie_for_its_own_host_alone_stays_there(jar):
    """Without a domain it is for one host only."""
    keep(jar, "a=1; Path=/", host="ibkr.com")

    assert header(jar, host="api.ibkr.com") == ""


def test_a_secure_cookie_never_leaves_in_plain(jar):
    """And a plain line cannot set or replace one."""
    keep(jar, "a=1; Secure; Path=/", "b=2; Path=/")
    keep(jar, "a=9; Secure; Path=/", secure=False)

    assert header(jar, secure=False) == "b=2"
    assert header(jar) == "a=1; b=2"


@pytest.mark.parametrize(
    "ending", ["Max-Age=60", "Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Expires=Tue, 24 Nov 2026 12:01:00 GMT",
               "Expires=Tue, 24-Nov-2026 12:01:00 GMT", "Expires=Tue, 24 Nov 2026 12:01:00 -0000"]
)  # fmt: skip
def test_a_cookie_ends_when_its_server_said(clock, jar, ending):
    """Even if nothing else changes in the jar; age counts before a date."""
    keep(jar, f"a=1; Path=/; {ending}", "b=2; Path=/")

    before = header(jar)
    clock.advance(60)

    assert before == "a=1; b=2"
    assert header(jar) == "b=2"


@pytest.mark.parametrize(
    "ending", ["Max-Age=99999999999999999999", "Expires=whenever", "Max-Age=soon", "Max-Age=-"]
)
def test_an_end_that_cannot_be_read_is_none(clock, jar, ending):
    """The session cookie is worth more than its date."""
    keep(jar, f"a=1; Path=/; {ending}")

    clock.advance(3600)

    assert header(jar) == "a=1"


@pytest.mark.parametrize("ending", ["Max-Age=0", "Max-Age=-1", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_cookie_can_be_taken_back(jar, ending):
    """Logging out does that."""
    keep(jar, "a=1; Path=/")

    keep(jar, f"a=gone; Path=/; {ending}")

    assert header(jar) == ""


def test_a_cookie_is_replaced_by_its_successor(jar):
    """Two of one name would leave the choice to the server."""
    keep(jar, "a=1; Path=/")
    before = header(jar)
    keep(jar, "a=2; Path=/")

    assert (before, header(jar)) == ("a=1", "a=2")


def test_the_more_exact_path_comes_first(jar):
    """Servers read the first of two with one name."""
    keep(jar, "a=wide; Path=/", "a=near; Path=/v1")

    assert header(jar) == "a=near; a=wide"


@pytest.mark.parametrize("line", ["", "novalue", "=x", "a=b\r\nX: y", "a=\u20ac", "a=\x00"])
def test_what_is_no_cookie_is_not_kept(jar, line):
    """Least of all what would break the request it goes into."""
    keep(jar, line)

    assert header(jar) == ""


def test_the_jar_is_bounded(jar):
    """Weeks of order ids in paths, or a server gone mad, must not fill the memory."""
    keep(jar, *(f"c{number}=1; Path=/" for number in range(150)))
    for number in range(250):
        header(jar, path=f"/v1/api/iserver/account/order/{number}")

    kept = header(jar).split("; ")
    assert len(kept) == 100
    assert kept[-1] == "c149=1"
    assert len(jar._headers) <= 100


def test_values_are_hidden_from_logs(jar):
    """A session cookie is a credential."""
    keep(jar, "x-sess-uuid=0.kqzw77.1764; Path=/")

    assert "kqzw77" not in redact("the edge set 0.kqzw77.1764 today")
    assert "kqzw77" not in repr(list(jar._kept.values()))
