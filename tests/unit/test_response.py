"""Whatever a server sends becomes a Deciphered, and the words of an error are found."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.wire.response import LONGEST_TEXT, Deciphered, Form, decipher, plain

JSON = "application/json;charset=utf-8"
RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "errors"

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Login</title></head><body><form></form></body></html>"


def read(body, *, status=200, content_type=JSON):
    return decipher(status, content_type, body if isinstance(body, bytes) else json.dumps(body).encode())


@given(
    status=st.integers(),
    content_type=st.none()
    | st.sampled_from([JSON, "text/html; charset=ISO-8859-1", "text/plain"])
    | st.text(),
    body=st.binary()
    | st.text().map(str.encode)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda part: (
            st.lists(part) | st.dictionaries(st.sampled_from(["error", "success", "message", "x"]), part)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
@example(status=200, content_type=JSON, body=b"[" * 200_000)
@example(status=200, content_type=JSON, body=b'{"a":' * 100_000)
@example(status=200, content_type=JSON, body=b"9" * 10_000)
@example(status=200, content_type=JSON, body=b"1e99999999999999999999")
@example(status=500, content_type=JSON, body=b'{"error": "\\ud800"}')
@example(status=200, content_type="text/html;charset=hex", body=b"\xff<title>\xff")
def test_any_answer_is_deciphered(status, content_type, body):
    """Nothing a server sends may surface as an exception of a parser."""
    answer = decipher(status, content_type, body)

    assert isinstance(answer, Deciphered)
    assert answer.status == status
    assert len(answer.error or "") <= LONGEST_TEXT
    assert len(answer.excerpt) <= LONGEST_TEXT
    # Predicates are asked of every answer, so they hold for every answer, too.
    told = (answer.failed, answer.login_page, answer.no_bridge, answer.accounts_first)
    assert all(isinstance(one, bool) for one in (*told, answer.no_session, answer.maintenance))
    assert isinstance(answer.held_elsewhere, bool)


@given(st.text())
def test_what_people_are_shown_can_be_printed_on_one_line(text):
    """Terminal codes and halves of character pairs must reach neither log nor screen."""
    shown = plain(text)

    assert len(shown) <= LONGEST_TEXT
    assert all(character.isprintable() or ord(character) > 0xA0 for character in shown)
    shown.encode()


def test_fractions_are_decimals():
    """Prices lose cents as floats."""
    answer = read(b'{"price": 170.1, "size": 3}')

    assert answer.form is Form.JSON
    assert answer.content == {"price": Decimal("170.1"), "size": 3}
    assert isinstance(answer.content["price"], Decimal)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_makes_an_answer_unreadable(constant):
    """A comparison with NaN is false both ways, which turns a guard off silently."""
    answer = read(f'{{"price": {constant}}}'.encode())

    assert answer.form is Form.UNREADABLE
    assert answer.content is None


@pytest.mark.parametrize(
    "content_type", ["text/html", "text/plain;charset=utf-8", None, "application/problem+json"]
)
def test_json_is_json_whatever_it_is_called(content_type):
    """The gateway labels some of its JSON as text."""
    answer = read({"order_id": "1"}, content_type=content_type)

    assert answer.form is Form.JSON
    assert answer.content == {"order_id": "1"}


def test_a_bare_json_string_is_json():
    """A notification is acknowledged by a quoted sentence."""
    answer = read(b'"Request was submitted"', content_type="text/plain")

    assert answer.form is Form.JSON
    assert answer.content == "Request was submitted"
    assert not answer.failed


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf", b"\0"])
@pytest.mark.parametrize("status", [200, 401])
def test_nothing_is_empty(body, status):
    """A 401 usually has no body, and is not a broken JSON for that."""
    answer = read(body, status=status)

    assert answer.form is Form.EMPTY
    assert answer.content is None
    assert answer.error is None
    assert answer.failed is (status == 401)


@pytest.mark.parametrize("body", [b'{"order_id": "1"', b'[{"id": 1}, ', b"{'a': 1}"])
@pytest.mark.parametrize("content_type", [JSON, "text/plain", "text/html", None])
def test_half_an_object_is_unreadable(body, content_type):
    """It must not pass for a text answer after an order."""
    answer = read(body, content_type=content_type)

    assert answer.form is Form.UNREADABLE
    assert answer.excerpt


def test_words_called_json_are_unreadable():
    """What promises JSON and is none has no meaning that could be trusted."""
    assert read(b"accepted").form is Form.UNREADABLE


def test_words_are_text():
    """Some answers are plain words."""
    answer = read(b"Request was submitted", content_type="text/html")

    assert answer.form is Form.TEXT
    assert answer.content == "Request was submitted"
    assert not answer.failed
    assert not answer.login_page


def test_a_refusal_in_plain_words_is_the_error():
    """The edge answers in words."""
    answer = read(b"Access <b>denied</b>", status=403, content_type="text/plain")

    assert answer.error == "Access denied"
    assert answer.failed


def test_bytes_that_are_no_text_are_unreadable():
    """A stray binary body is not an answer in words."""
    assert read(b"\xff\xfe\xfa\x00\x81", content_type="application/octet-stream").form is Form.UNREADABLE


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'\xef\xbb\xbf{"name": "Nestl\xc3\xa9"}', JSON),
        ('{"name": "Nestlé"}'.encode("utf-16"), JSON),
        ('{"name": "Nestlé"}'.encode("utf-32"), JSON),
        (b'{"name": "Nestl\xe9"}', "application/json; charset=ISO-8859-1"),
    ],
)
def test_the_encoding_is_found(body, content_type):
    """Marks and old character sets are understood."""
    assert read(body, content_type=content_type).content == {"name": "Nestlé"}


def test_a_stray_byte_does_not_lose_an_acknowledgement():
    """The order id around a damaged company name is worth more than the name."""
    answer = read(b'{"order_id": "77", "text": "Nestl\xe9"}')

    assert answer.content == {"order_id": "77", "text": "Nestl\ufffd"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"error": "Order couldn't be submitted"}, "Order couldn't be submitted"),
        (400, {"error": "Bad Request: no bridge", "statusCode": 400}, "Bad Request: no bridge"),
        (200, {"error": {"message": "too many"}}, "too many"),
        (200, {"error": {"why": "too many", "code": 5}}, "too many"),
        (200, {"error": ["one", 2, "three"]}, "one, three"),
        (200, {"error": True}, "IBKR answered with an error that has no text"),
        (200, {"error": 5}, "IBKR answered with an error that has no text"),
        (200, {"success": False, "text": "no such alert"}, "no such alert"),
        (200, {"success": False}, "IBKR answered success: false"),
        (200, {"message": "not found", "statusCode": 404}, "not found"),
        (200, {"statusCode": "503"}, "IBKR answered statusCode 503"),
        (401, {"error": "invalid_client", "error_description": "no key"}, "invalid_client: no key"),
        (401, {"type": "/simple", "title": "Unauthorized", "detail": "expired"}, "Unauthorized: expired"),
        (200, {"type": "/simple", "title": "Unauthorized", "status": 401}, "Unauthorized"),
        (401, {"type": "/simple", "title": ""}, "/simple"),
        (423, {"status": "waiting for reply", "n": 1}, "waiting for reply"),
        (500, {"n": 1}, None),
        (500, ["x"], None),
        (500, "went wrong", "went wrong"),
        (500, "", None),
        (400, {"error": "<b>bad</b>\n price &lt; 5"}, "bad price < 5"),
    ],
)
def test_the_errors_words_are_found(status, body, error):
    """They stand in a different place for nearly every part of the API."""
    assert read(body, status=status).error == error


def test_problem_json_is_understood_by_its_type():
    """The OAuth 2.0 host writes RFC 9457, sometimes with a title alone."""
    answer = read({"title": "Bad"}, status=400, content_type="application/problem+json")

    assert answer.error == "Bad"


@pytest.mark.parametrize(
    "body",
    [
        {"error": None},
        {"error": ""},
        {"error": False},
        {"success": "Account already set"},
        {"success": True},
        {"success": None},
        {"success": ""},
        {"statusCode": 200, "message": "fine"},
        {"statusCode": True},
        {"id": "1", "message": ["Are you sure?"], "messageIds": ["o163"]},
        {"title": "News", "detail": "of the day"},
        {"status": "Filled"},
        [{"error": "of one order"}],
        "Request was submitted",
    ],
)
def test_a_good_answer_has_no_error(body):
    """Questions, lists and notes are not refusals of the whole call."""
    answer = read(body)

    assert answer.error is None
    assert not answer.failed


@pytest.mark.parametrize(
    ("status", "is_login"), [(200, True), (302, True), (401, True), (403, False), (404, False), (503, False)]
)
def test_a_page_instead_of_json_means_that_nobody_is_logged_in(status, is_login):
    """But a page that explains a failure is no login page."""
    answer = read(LOGIN_PAGE, status=status, content_type="text/html")

    assert answer.form is Form.HTML
    assert answer.login_page is is_login
    assert answer.error == "Login"
    assert answer.content is None


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_the_way_to_a_page_is_as_good_as_the_page(status):
    """It is never followed, and most servers send no body along."""
    assert read(b"", status=status, content_type=None).login_page


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (b"<html><h1>Resource <!-- -->not found</h1></html>", "Resource"),
        (b"<title> </title><h2>Gone</h2>", "Gone"),
        (b"<?xml version='1.0'?><p>x</p>", None),
        (b"down <p>for maintenance</p>", None),
    ],
)
def test_a_page_is_told_by_its_headline(page, error):
    """People search for the headline, and some pages have none."""
    answer = read(page, status=404, content_type="text/html")

    assert answer.form is Form.HTML
    assert answer.error == error


def test_a_page_called_json_is_a_page():
    """A gateway labels its login page after what was asked for."""
    answer = read(LOGIN_PAGE)

    assert answer.form is Form.HTML
    assert answer.login_page


@pytest.mark.parametrize(
    ("status", "body", "predicate"),
    [
        (400, {"error": "Bad Request: no bridge", "statusCode": 400}, "no_bridge"),
        (400, {"error": "Init session first", "statusCode": 400}, "no_bridge"),
        (401, {"message": "User is not authenticated"}, "no_bridge"),
        (400, {"error": "Bad Request: Please query /accounts first", "statusCode": 400}, "accounts_first"),
        (200, {"error": "no session"}, "no_session"),
        (200, {"error": "Trading TWS session is connected from a different IP address"}, "held_elsewhere"),
        (500, {"error": "xcredserv comm failed during getEvents due to Connection refused"}, "maintenance"),
    ],
)
def test_known_words_are_recognised(status, body, predicate):
    """Each of them asks for a different remedy, and for one only."""
    answer = read(body, status=status)

    kinds = ("no_bridge", "accounts_first", "no_session", "held_elsewhere", "maintenance", "login_page")
    assert [kind for kind in kinds if getattr(answer, kind)] == [predicate]


def test_words_in_a_page_without_a_headline_are_recognised():
    """The nightly page of the edge has its words in the text only."""
    answer = read(b"<p>The system is down for maintenance</p>", status=503, content_type="text/html")

    assert answer.maintenance


def test_good_answers_are_not_searched_for_words():
    """A contract may be called anything."""
    answer = read(b"no bridge too far", content_type="text/plain")

    assert not answer.no_bridge


def test_margin_is_not_maintenance():
    """An order refused for its maintenance margin must not look like a nightly restart."""
    assert not read({"error": "below the maintenance margin"}).maintenance


def test_scripts_are_not_shown():
    """A page's programs are no words for people."""
    shown = plain("<script>var a = '<b>';</script>now<style>p {}</style> then<script>if (a < b) never ends")

    assert shown == "now then"


def test_a_tag_made_by_unescaping_is_removed():
    """What was escaped twice must not come out as markup."""
    assert plain("a &lt;script&gt; b") == "a b"


def test_long_texts_are_cut_visibly():
    """A reader must see that there was more."""
    shown = plain("word " * 1000)

    assert len(shown) <= LONGEST_TEXT
    assert shown.endswith("…")


@pytest.mark.parametrize("part", [b"<script>", b"<script", b"<a", b"<title>", b"&lt;", b"<title><"])
def test_hostile_markup_takes_no_time(part):
    """Patterns that look back and forth would hang a bot for minutes."""
    started = time.perf_counter()

    read(part * (4_000_000 // len(part)), status=500, content_type="text/html")

    assert time.perf_counter() - started < 2


def test_contents_are_not_in_the_repr():
    """Answers hold session ids and balances."""
    assert "hush" not in repr(read({"session": "hush-hush"}))


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not beside the checkout")
def test_recorded_errors_are_told():
    """Every error body that was seen at the real service has words or a status for them."""
    envelopes = [json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))]
    seen = [envelope for envelope in envelopes if "body" in envelope]

    answers = [read(envelope["body"], status=envelope["status"]) for envelope in seen]

    assert len(answers) >= 10
    for envelope, answer in zip(seen, answers, strict=True):
        assert answer.form is Form.JSON
        words = envelope["body"].get("error") or envelope["body"].get("status")
        assert answer.error == words
        assert answer.failed is (words is not None)
