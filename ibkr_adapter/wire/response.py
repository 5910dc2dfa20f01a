"""Tell what an answer is, whatever IBKR, its edge or a gateway in between made of it.

Status, content type and body decide together: IBKR sends refusals inside a 200, JSON under
``text/html``, its login page where JSON was due, and nothing at all with a 401. Here bytes become
a :class:`Deciphered`, always, with the error's words wherever they stood; what a word means for
the call is for :mod:`ibkr_adapter.client`, the shapes of good answers are for the other rooms of
:mod:`ibkr_adapter.wire`.

Shapes: recorded error bodies (JSON with ``error`` and ``statusCode``, problem+json of RFC 9457 from
the OAuth 2.0 host, HTML from the edge), held by ``tests/unit/test_response.py``.
"""

from __future__ import annotations

import codecs
import html
import json
import re
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import attrs

# What people are shown of a text.
LONGEST_TEXT = 500
# What is looked at to find it: markup may be many times longer than its words.
_LONGEST_MARKUP = 50_000

_FAILED = 400
_REDIRECTED = 300
_UNAUTHORISED = 401

_NO_BRIDGE = ("no bridge", "init session first", "not authenticated")
_ACCOUNTS_FIRST = ("query /accounts first",)
_ELSEWHERE = ("connected from a different ip",)
# "Maintenance" alone would find "maintenance margin" in the refusal of an order.
_MAINTENANCE = (
    "xcredserv",
    "under maintenance",
    "system maintenance",
    "server maintenance",
    "scheduled maintenance",
    "maintenance window",
    "down for maintenance",
)


class Form(StrEnum):
    """What the body is, by its own looks and what was said about it."""

    JSON = "json"
    TEXT = "text"
    EMPTY = "empty"
    HTML = "html"
    UNREADABLE = "unreadable"


@attrs.frozen(kw_only=True)
class Deciphered:
    """An answer, read as far as that goes without knowing what was asked.

    ``content`` is the parsed JSON, in which fractions are :class:`~decimal.Decimal`, or the whole
    text; ``None`` where there is neither. ``error`` is the text of the error, if there is one, and
    ``excerpt`` what a person may be shown of a body that is not JSON; both are at most
    :data:`LONGEST_TEXT` characters without markup. ``rests_for`` is how many seconds the endpoint is
    left alone after a 429, which is for those to say who pace the calls.
    """

    status: int
    form: Form
    content: Any = attrs.field(default=None, repr=False)
    error: str | None = None
    excerpt: str = ""
    rests_for: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether IBKR says no, by status or inside a 200."""
        return self.status >= _FAILED or self.error is not None

    @property
    def login_page(self) -> bool:
        """Whether a page for people came, or the way to one, where an answer for programs was due: nobody is logged in."""
        if _REDIRECTED <= self.status < _FAILED:
            return True
        return self.form is Form.HTML and (self.status < _FAILED or self.status == _UNAUTHORISED)

    @property
    def no_bridge(self) -> bool:
        """Whether there is no brokerage session."""
        return self._says(_NO_BRIDGE)

    @property
    def accounts_first(self) -> bool:
        """Whether the accounts must be asked for before this call."""
        return self._says(_ACCOUNTS_FIRST)

    @property
    def no_session(self) -> bool:
        """Whether not even the outer session is there, which a tickle says inside a 200."""
        return (self.error or "").casefold().strip(" .") == "no session"

    @property
    def held_elsewhere(self) -> bool:
        """Whether the brokerage session is another login's."""
        return self._says(_ELSEWHERE)

    @property
    def maintenance(self) -> bool:
        """Whether the words are those of a service that is down for a while."""
        return self._says(_MAINTENANCE)

    def _says(self, words: tuple[str, ...]) -> bool:
        if self.error is None and self.status < _FAILED:
            return False
        said = (self.error or self.excerpt).casefold()
        return any(word in said for word in words)


def decipher(status: int, content_type: str | None, body: bytes) -> Deciphered:
    """Read an answer; nothing that a server can send makes this fail."""
    told = (content_type or "").casefold()
    text, intact = _text(body, told)
    if not text:
        return Deciphered(status=status, form=Form.EMPTY)
    if "json" in told or text[0] in '{["':
        try:
            content = _DECODER.decode(text)
        except (ValueError, InvalidOperation, RecursionError):
            # Half an object is not a text, whatever it is called.
            intact = intact and text[0] not in "{[" and "json" not in told
        else:
            error = _error_in(content, status, told)
            return Deciphered(status=status, form=Form.JSON, content=content, error=error)
    excerpt = plain(text)
    if _MARKUP.match(text) or ("html" in told and _TAG.search(text[:_LONGEST_MARKUP])):
        return Deciphered(status=status, form=Form.HTML, error=_title(text) or None, excerpt=excerpt)
    if not intact:
        return Deciphered(status=status, form=Form.UNREADABLE, excerpt=excerpt)
    error = (excerpt or None) if status >= _FAILED else None
    return Deciphered(status=status, form=Form.TEXT, content=text, error=error, excerpt=excerpt)


def plain(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return ``text`` as a person may read it on one line: no markup, no control characters.

    Cut to ``longest`` characters, with an ellipsis where something was left out.
    """
    shown = text[:_LONGEST_MARKUP]
    shown = _SCRIPT.sub(" ", shown)
    shown = html.unescape(_TAG.sub(" ", shown))
    # Unescaping may have made a tag of what was a picture of one.
    shown = _TAG.sub(" ", shown)
    shown = " ".join(_UNSHOWABLE.sub(" ", shown).split())
    if len(shown) > longest:
        shown = shown[: longest - 1].rstrip() + "…"
    return shown


# Only what can be a tag, because refusals say "price < 5".
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_MARKUP = re.compile(r"<[a-zA-Z!?]")
_SCRIPT = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_HEADLINES = tuple(
    re.compile(rf"<{tag}\b[^<>]*>([^<]{{1,2000}})", re.IGNORECASE) for tag in ("title", "h1", "h2")
)
# Control and formatting characters (some turn the reading direction round), and halves of pairs.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no amount of anything")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # The longer marks first: UTF-32's begins like UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLANK = "\ufeff\0 \t\r\n"
_OLD_CHARSETS = ("iso-8859-1", "latin-1", "latin1", "windows-1252")


def _text(body: bytes, told: str) -> tuple[str, bool]:
    """Return the body's text, and whether every byte of it was one."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            text = body.decode(encoding, errors="replace")
            return text.strip(_BLANK), "\ufffd" not in text
    try:
        return body.decode("utf-8").strip(_BLANK), True
    except UnicodeDecodeError:
        old = any(charset in told for charset in _OLD_CHARSETS)
        # One stray byte in a company's name must not lose the acknowledgement around it.
        return body.decode("cp1252" if old else "utf-8", errors="replace").strip(_BLANK), old


def _title(text: str) -> str:
    for headline in _HEADLINES:
        found = headline.search(text[:_LONGEST_MARKUP])
        if found and (title := plain(found[1])):
            return title
    return ""


def _error_in(content: Any, status: int, told: str) -> str | None:
    if isinstance(content, dict):
        words = _error_of(content, status, told)
        if words is None and status >= _FAILED:
            # Such as {"status": "waiting for reply"}: better any words than none.
            words = ", ".join(value for value in content.values() if value and isinstance(value, str))
        return plain(words) or None if words else None
    if isinstance(content, str) and status >= _FAILED:
        return plain(content) or None
    return None


def _error_of(answer: dict[str, Any], status: int, told: str) -> str | None:
    if answer.get("error"):
        # A bare number or an object without a text is an error too.
        words = _words(answer["error"]) or "IBKR answered with an error that has no text"
        # OAuth's errors are a code and, beside it, what it means.
        more = _words(answer.get("error_description"))
        return f"{words}: {more}" if more else words
    problem = "problem" in told or ("title" in answer and ("type" in answer or "detail" in answer))
    if problem and (status >= _FAILED or _is_failure(answer.get("status"))):
        title, detail = _words(answer.get("title")), _words(answer.get("detail"))
        if title or detail:
            return ": ".join(part for part in (title, detail) if part)
    if answer.get("success") is False:
        return _message(answer) or "IBKR answered success: false"
    if _is_failure(answer.get("statusCode")):
        return _message(answer) or f"IBKR answered statusCode {answer['statusCode']}"
    return None


def _message(answer: dict[str, Any]) -> str:
    for key in ("message", "errorMessage", "failure", "text", "reason", "detail"):
        words = _words(answer.get(key))
        if words:
            return words
    return ""


def _words(value: Any) -> str:
    """Return the text of what stands under a key for an error; nothing where it says "none"."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return _message(value) or ", ".join(part for part in value.values() if isinstance(part, str))
    if isinstance(value, list):
        return ", ".join(part for part in value if isinstance(part, str))
    return ""


def _is_failure(code: Any) -> bool:
    """Tell whether a status inside a body is one; IBKR writes it as a number and as a text."""
    if isinstance(code, str) and re.fullmatch(r"[0-9]{3}", code):
        code = int(code)
    return isinstance(code, int) and code >= _FAILED
