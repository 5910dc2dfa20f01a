"""How a stream's frames are written and read.

A client writes plain text, ``TOPIC+TARGET+{JSON}``; the service writes one JSON object a frame,
in *binary* frames, and some numbers in E notation. What is asked and told in them is for the
topics; when, for :mod:`.stream_socket`.

Guesses: the envelope of an error (its texts are recorded), and that what cannot be parsed as
arguments counts as none.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.simulator.door import Frame

if TYPE_CHECKING:
    from ibkr_adapter.simulator.world import World

_TOPIC_LENGTH = 3
# The second for brackets within brackets without end.
_UNREADABLE = (ValueError, RecursionError)
# A number of eight digits and more before the point, where it is a value of JSON.
_LONG = re.compile(r"(?<=[:\[,] )(-?)(\d)(\d{7,})\.(\d+)(?=[,}\]])")


@attrs.frozen(kw_only=True)
class Wish:
    """What a client has written: a topic of three letters, its targets and its arguments."""

    topic: str
    targets: tuple[str, ...] = ()
    arguments: dict[str, Any] = attrs.field(factory=dict)

    @property
    def target(self) -> str:
        """The first target, or nothing."""
        return self.targets[0] if self.targets else ""

    @property
    def key(self) -> str:
        """The topic that answers bear: with everything but the arguments."""
        return "+".join((self.topic, *self.targets))

    def texts(self, name: str) -> list[str]:
        """A list of texts among the arguments; anything else is ignored."""
        given = self.arguments.get(name)
        return [str(one) for one in given] if isinstance(given, list) else []


def read(written: str | bytes) -> Wish | None:
    """Read what a client has written; nothing when no topic can be found in it."""
    if isinstance(written, bytes):
        try:
            written = written.decode()
        except UnicodeDecodeError:
            return None
    text = written.strip()
    if len(text) < _TOPIC_LENGTH:
        return None
    # The first three letters are taken for a topic, whatever they are.
    topic, rest = text[:_TOPIC_LENGTH], text[_TOPIC_LENGTH:]
    head, brace, _ = rest.partition("{")
    targets = tuple(one for one in head.split("+") if one)
    return Wish(topic=topic, targets=targets, arguments=_arguments(rest[len(head) :]) if brace else {})


def session_in(written: str | bytes) -> str | None:
    """The session id, if this is a client's answer to the question for it."""
    try:
        body = json.loads(written)
    except _UNREADABLE:
        return None
    session = body.get("session") if isinstance(body, dict) else None
    return session if isinstance(session, str) else None


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except _UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def frame(body: dict[str, Any], *, topic: str | None = None) -> Frame:
    """Write one object as the service does; ``topic`` is what faults know the frame by."""
    name = str(body.get("topic", "")) if topic is None else topic
    return Frame(payload=json.dumps(body, separators=(",", ":")).encode(), topic=name)


def frame_in_java(body: dict[str, Any]) -> Frame:
    """The same, with long numbers as Java prints them: ``2.0201311791131118E8``."""
    text = _LONG.sub(_with_exponent, json.dumps(body))
    return Frame(payload=text.encode(), topic=str(body.get("topic", "")))


def _with_exponent(found: re.Match[str]) -> str:
    sign, first, more, behind = found.groups()
    digits = f"{more}{behind}".rstrip("0") or "0"
    return f"{sign}{first}.{digits}E{len(more)}"


def unknown(topic: str | None) -> Frame:
    """The error about a topic nobody knows."""
    return frame({"topic": "error", "error": f"Topic unknown '{'null' if topic is None else topic}'"})


class Pace:
    """When something that moves with the prices is worth a look, and when a frame may follow."""

    def __init__(self, world: World, first: datetime) -> None:
        self._world = world
        self._may = first
        self._look = first
        self._times_set = -1

    def is_due(self, now: datetime) -> bool:
        """Tell whether to look: some time after the last look, or when a price was set by hand."""
        prices, options = self._world.prices, self._world.options
        if now < self._may or (now < self._look and self._times_set == prices.times_set):
            return False
        self._times_set = prices.times_set
        self._look = now + timedelta(seconds=options.quote_interval)
        return True

    def sent(self, now: datetime, least: float = 0.0) -> None:
        """Say that a frame was sent; the next one may follow some time later."""
        self._may = now + timedelta(seconds=max(least, self._world.options.quote_interval))


class Feed:
    """One subscription of one stream: what it owes its client.

    ``of_brokerage`` says that it dies, silently, with the brokerage session in which it was opened.
    """

    of_brokerage = True

    def watch(self, moment: datetime) -> None:
        """Note what has just happened in the book."""

    def look(self, now: datetime) -> list[Frame]:
        """What is to be sent now, and is not asked for again."""
        raise NotImplementedError

    def close(self) -> list[Frame]:
        """End it; answer what is said about that, which is mostly nothing."""
        return []
