"""No secret is shown: neither one that was remembered nor what merely looks like one."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter import redact as room
from ibkr_adapter.redact import MASK, SHORTEST, redact, remember

secrets = st.text(alphabet="abcdefXYZ0123456789+/=_-", min_size=SHORTEST, max_size=40)


@contextmanager
def forgetting():
    """What is remembered in a test must not be masked in others."""
    before = dict(room._remembered)
    room._remembered.clear()
    try:
        yield
    finally:
        room._remembered.clear()
        room._remembered.update(before)


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20), times=st.integers(1, 3))
@example(secret="a.b+c*(d", before="", after="", times=1)
def test_a_remembered_secret_is_masked_wherever_it_stands(secret, before, after, times):
    """In the middle of words as well."""
    with forgetting():
        remember(secret)

        shown = redact(f"{before}{secret}{after}" * times)

    assert secret not in shown
    assert MASK in shown


@given(secret=secrets, more=secrets)
def test_a_secret_inside_another_is_no_reason_to_show_the_rest(secret, more):
    """The longer one goes first."""
    with forgetting():
        remember(secret)
        remember(secret + more)

        assert redact(f"<{secret}{more}>") == f"<{MASK}>"


def test_the_margins_of_a_secret_do_not_matter():
    """Files end in a line break, headers do not."""
    with forgetting():
        remember("  canary-1\n")

        assert redact("x canary-1 y") == f"x {MASK} y"


@pytest.mark.parametrize("value", [None, "", "short", "     a     "])
def test_nothing_and_next_to_nothing_is_not_remembered(value):
    """A value of three letters would be found inside ordinary words."""
    with forgetting():
        remember(value)

        assert redact("a short text") == "a short text"


def test_the_oldest_secrets_are_forgotten_first():
    """Tokens are renewed for weeks in one process; what was named again counts as new."""
    with forgetting():
        remember("canary-first")
        remember("canary-second")
        for number in range(room._MOST - 2):
            remember(f"token-{number:06}")
        remember("canary-first")
        remember("canary-third")

        shown = redact("canary-first canary-second canary-third")

        assert shown == f"{MASK} canary-second {MASK}"
        assert len(room._remembered) == room._MOST


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("k -----BEGIN RSA PRIVATE KEY-----\nab\ncd\n-----END RSA PRIVATE KEY----- e", f"k {MASK} e"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", MASK),
        ("Authorization: Bearer abc.def", f"Authorization: {MASK}"),
        ("sent bearer abcdef123 twice", f"sent bearer {MASK} twice"),
        ("jwt eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln end", f"jwt {MASK} end"),
        ('{"access_token": "abcdef", "x": 1}', f'{{"access_token": "{MASK}", "x": 1}}'),
        ("oauth_signature='abc%3D', realm", f"oauth_signature='{MASK}', realm"),
        ("oauth_token_secret=abcdef&x=1", f"oauth_token_secret={MASK}&x=1"),
        ("access_token_secret: abcdef", f"access_token_secret: {MASK}"),
        ("webhookSecret=abcdef", f"webhookSecret={MASK}"),
        ('"secret": "your-secret"', f'"secret": "{MASK}"'),
        ("Set-Cookie: x-sess-uuid=0.abc; secure", f"Set-Cookie: {MASK}"),
        ("a\ncookie: JSESSIONID=abc", f"a\ncookie: {MASK}"),
        ('{"session":"bd842d05aaaa"}', f'{{"session":"{MASK}"}}'),
        ('{"sessionId":"bd842d05aaaa"}', f'{{"sessionId":"{MASK}"}}'),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, shown):
    """Even if nobody remembered it."""
    with forgetting():
        assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "order 123456789 was filled at 170.12",
        "the brokerage session is down",
        "please log in at https://localhost:5000",
        "a secretary",
        "",
    ],
)
def test_ordinary_words_stay(text):
    """A message in which all is masked helps nobody."""
    with forgetting():
        assert redact(text) == text


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing_more(text):
    """Errors wrap errors."""
    with forgetting():
        once = redact(text)

        assert redact(once) == once


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_masks_although_a_thread_of_its_parent_was_at_it():
    """It hung in its first error or line of a log, for nobody gave the lock back."""
    taken, forks, left = threading.Event(), threading.Event(), threading.Event()

    def mask():
        with room._lock:
            taken.set()
            forks.wait(10)
        left.set()

    other = threading.Thread(target=mask)
    other.start()
    taken.wait(10)
    os.register_at_fork(before=forks.set)

    child = os.fork()
    if child == 0:
        # The runner of tests has this signal, too.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(2)
        os._exit(0 if redact("Bearer abcdefgh") == f"Bearer {MASK}" else 1)
    other.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert left.is_set()
