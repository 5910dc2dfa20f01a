"""Read the questions that IBKR asks before an order counts.

A question's message id alone does not say what is asked: for four ids IBKR's own table and a
real account contradict each other (o10151 with o10164, o10153 with o10223). So a question has a
:class:`Topic` only where id *and* text agree on it; everything else is ``UNKNOWN``. Whether a
question may be answered is for :mod:`ibkr_adapter.replies`.

Source: the message table of IBKR's Web API reference, "Suppressible Message IDs", and the texts
observed on accounts; docs/ibkr-facts.md has the contradictions.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import attrs


class Topic(StrEnum):
    """What a question is about."""

    STOP_RISK = "stop order risk"
    MARKET_RISK = "market order risk"
    CAP_PRICE = "cap price"
    CASH_QUANTITY = "cash quantity"
    PRICE_LIMIT = "price limit"
    NO_MARKET_DATA = "no market data"
    TICK_LIMIT = "tick size limit"
    SIZE_LIMIT = "size limit"
    IMMEDIATE_FILL = "immediate fill"
    VALUE_LIMIT = "value limit"
    ILLIQUID = "limited liquidity"
    CLOSE_FIRST = "cancel open orders first"
    CANCEL = "cancel"
    UNKNOWN = "unknown"


# Topic, the ids under which it was seen or documented, and what its text must and must not say.
_KNOWN: tuple[tuple[Topic, frozenset[str], re.Pattern[str], re.Pattern[str] | None], ...] = (
    (
        Topic.STOP_RISK,
        frozenset({"o10331", "o10152"}),
        re.compile(r"submit a stop order.*risks|stop (?:variant )?orders?\b.*(?:confirmation|risk)"),
        re.compile(r"cash quantity|monetary value|exceeds|market data"),
    ),
    (
        Topic.CASH_QUANTITY,
        frozenset({"o10151", "o10153", "o10164", "o10223"}),
        re.compile(r"cash quantity|monetary value"),
        None,
    ),
    (
        Topic.CAP_PRICE,
        frozenset({"o10153", "o10223"}),
        re.compile(r"\bcap\b.*fair and orderly market|mandatory cap price|cap price.*confirm"),
        re.compile(r"cash quantity|monetary value|exceeds|market data"),
    ),
    (
        Topic.MARKET_RISK,
        frozenset({"o10151", "o10164"}),
        re.compile(r"market orders?\b.*(?:confirm|risk)|(?:confirm|risk)\w*.*\bmarket orders?\b"),
        re.compile(r"cash quantity|monetary value|exceeds|crypto|market data"),
    ),
    (
        Topic.PRICE_LIMIT,
        frozenset({"o163"}),
        re.compile(r"price exceeds.*percentage (?:constraint|limit)"),
        None,
    ),
    (Topic.NO_MARKET_DATA, frozenset({"o354"}), re.compile(r"without market data"), None),
    (Topic.TICK_LIMIT, frozenset({"o382"}), re.compile(r"tick size limit"), None),
    (Topic.SIZE_LIMIT, frozenset({"o383"}), re.compile(r"size exceeds.*size limit"), None),
    (
        Topic.IMMEDIATE_FILL,
        frozenset({"o403"}),
        re.compile(r"most likely trigger and fill immediately"),
        re.compile(r"exceeds"),
    ),
    (
        Topic.VALUE_LIMIT,
        frozenset({"o451"}),
        re.compile(r"value (?:estimate )?.*exceeds.*total value limit"),
        None,
    ),
    (Topic.ILLIQUID, frozenset({"o10336"}), re.compile(r"limited liquidity"), None),
)


@attrs.frozen(kw_only=True)
class Message:
    """One text of a question with the id it came under; ``words`` is the text for people."""

    message_id: str
    words: str
    topic: Topic


@attrs.frozen(kw_only=True)
class Question:
    """What IBKR asks before it goes on; confirming ``reply_id`` confirms every message in it."""

    reply_id: str
    messages: tuple[Message, ...]
    options: tuple[str, ...] = ()

    @property
    def message_ids(self) -> tuple[str, ...]:
        """The ids of its messages, in their order."""
        return tuple(message.message_id for message in self.messages)

    @property
    def words(self) -> str:
        """All that is asked, for people."""
        return " / ".join(message.words for message in self.messages)


@attrs.frozen(kw_only=True)
class Prompt:
    """A question about one order that is answered by a notification, not by a reply."""

    order_id: str
    request_id: str
    message_id: str
    words: str
    options: tuple[str, ...]


def words_of(text: str, limit: int = 600) -> str:
    """Strip markup, control characters and runs of white space from what IBKR wrote."""
    bare = html.unescape(re.sub(r"<[^<>]{0,200}>", " ", text))
    bare = re.sub(r"<[^<>]{0,200}>", " ", bare)
    bare = "".join(character if character.isprintable() else " " for character in bare)
    bare = re.sub(r"\s+", " ", bare).strip()
    return bare if len(bare) <= limit else f"{bare[: limit - 1]}…"


def topic_of(message_id: str, text: str) -> Topic:
    """Tell what a message is about, if its id and its text agree on that."""
    said = words_of(text, limit=10_000).lower()
    for topic, ids, must, must_not in _KNOWN:
        if message_id in ids and must.search(said) and not (must_not and must_not.search(said)):
            return topic
    return Topic.UNKNOWN


def read_question(element: Any) -> Question | None:
    """Read one element of an answer as a question, or return ``None`` if it is none."""
    if not isinstance(element, Mapping):
        return None
    reply_id, texts = element.get("id"), element.get("message")
    if not isinstance(reply_id, str) or not reply_id.strip() or texts is None:
        return None
    texts = _texts(texts)
    ids = _texts(element.get("messageIds"))
    if len(ids) != len(texts):
        # Nobody can tell which id belongs to which text, so no text may count as known.
        ids = [ids[index] if index < len(ids) else "" for index in range(max(len(texts), len(ids)))]
        texts = [texts[index] if index < len(texts) else "" for index in range(len(ids))]
        known = False
    else:
        known = True
    return Question(
        reply_id=reply_id,
        messages=tuple(
            Message(
                message_id=words_of(message_id, 40),
                words=words_of(text),
                topic=topic_of(message_id, text) if known else Topic.UNKNOWN,
            )
            for message_id, text in zip(ids, texts, strict=True)
        ),
        options=tuple(_texts(element.get("messageOptions"))),
    )


def read_prompt(content: Any) -> Prompt | None:
    """Read an answer as a prompt, or return ``None`` if it is none."""
    if not isinstance(content, Mapping):
        return None
    order_id, request_id = content.get("orderId"), content.get("reqId")
    if not _is_id(order_id) or not _is_id(request_id):
        return None
    return Prompt(
        order_id=str(order_id).strip(),
        request_id=str(request_id).strip(),
        message_id=str(content.get("messageId", "")),
        words=words_of(str(content.get("text", ""))),
        options=tuple(_texts(content.get("options"))),
    )


def reply_body(*, confirmed: bool) -> dict[str, bool]:
    """Say yes or no; IBKR takes a JSON boolean only."""
    return {"confirmed": confirmed}


def suppress_body(message_ids: Iterable[str]) -> dict[str, list[str]]:
    """Name the complete list: a later list probably replaces an earlier one."""
    return {"messageIds": list(message_ids)}


def _is_id(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and bool(str(value).strip())


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)):
        return [part if isinstance(part, str) else str(part) for part in value]
    return []
