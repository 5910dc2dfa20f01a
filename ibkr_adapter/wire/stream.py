"""Speak the stream: read its frames, and write what subscribes and what ends that.

A frame is one JSON object, in a binary or a text frame alike, now and then with bytes that are no
UTF-8. What is no JSON at all (``ech+hb``) says no more than that somebody is there. Written is
plain text, ``topic+target+{arguments}``; before IBKR has said ``system`` ``success`` it drops
whatever is written, and says nothing of it. When to write what is for
:mod:`ibkr_adapter.streaming`, what the rows mean for :mod:`ibkr_adapter.wire.stream_rows`.

Source: Web API reference, "WebSockets", and frames recorded from accounts; docs/ibkr-facts.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from ibkr_adapter.wire import numbers

TIC = "tic"
# What IBKR takes as sources of live bars.
FROM_TRADES = "trades"
SOURCES = (FROM_TRADES, "midpoint", "bid_ask", "bid", "ask")


def read_frame(frame: bytes | str) -> Mapping[str, Any] | None:
    """Read a frame as an object; ``None`` where it is none."""
    try:
        content = json.loads(frame if isinstance(frame, str) else frame.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def topic_of(content: Mapping[str, Any]) -> str:
    """Return the whole topic of a frame, such as ``smd+265598``; empty where it has none."""
    topic = content.get("topic")
    return topic if isinstance(topic, str) else ""


# The session of the stream ----------------------------------------------------------------


@attrs.frozen(kw_only=True)
class StreamStatus:
    """What an ``sts`` frame says; ``None`` where this one says nothing of it."""

    authenticated: bool | None = None
    competing: bool | None = None

    @property
    def lost(self) -> bool:
        """Whether it says that the brokerage session is gone."""
        return self.authenticated is False or self.competing is True


def has_begun(content: Mapping[str, Any]) -> bool:
    """Whether IBKR says that the stream may be written to."""
    return content.get("topic") == "system" and content.get("success") is not None


def waits_for_session(content: Mapping[str, Any]) -> bool:
    """Whether IBKR asks for the session's id; it takes the answer for a topic anywhere else."""
    said = content.get("message")
    return "topic" not in content and isinstance(said, str) and said.strip().lower() == "waiting for session"


def session_answer(session: str) -> str:
    """Write the answer to that; it has a secret in it."""
    return json.dumps({"session": session}, separators=(",", ":"))


def read_status(content: Mapping[str, Any]) -> StreamStatus:
    """Read an ``sts`` frame, which has only what changed."""
    said = content.get("args")
    said = said if isinstance(said, Mapping) else {}
    return StreamStatus(
        authenticated=numbers.flag(said.get("authenticated")), competing=numbers.flag(said.get("competing"))
    )


def refusal_of(content: Mapping[str, Any]) -> str | None:
    """What IBKR refuses in a frame, in its words; ``None`` where it refuses nothing."""
    said = content.get("error")
    if not said and content.get("topic") != "error":
        return None
    said = said or content.get("message") or content.get("args") or ""
    return numbers.text(said if isinstance(said, str) else json.dumps(said)) or "without a word"


# What subscribes, and what ends it -----------------------------------------------------------


def _topic(*parts: str, arguments: Mapping[str, Any]) -> str:
    return "+".join((*parts, json.dumps(arguments, separators=(",", ":"))))


def quotes(target: str, tags: Iterable[str]) -> str:
    """Subscribe to a contract's fields; ``target`` is a contract id, or one with its exchange."""
    return _topic("smd", target, arguments={"fields": list(tags)})


def no_quotes(target: str) -> str:
    """End it; IBKR says nothing to that."""
    return _topic("umd", target, arguments={})


def bars(conid: int, *, period: str, bar: str, outside_rth: bool, source: str) -> str:
    """Subscribe to live bars, in the order of values in which they come back."""
    arguments = {
        "period": period,
        "bar": bar,
        "outsideRth": outside_rth,
        "source": source,
        "format": "%o/%c/%h/%l/%v",
    }
    return _topic("smh", str(conid), arguments=arguments)


def server_id_of(content: Mapping[str, Any]) -> str | None:
    """The server's own name for a place of history."""
    return numbers.text(content.get("serverId", content.get("server_id")))


def no_bars(server_id: str) -> str:
    """Free a slot of history, by the id that the server gave it."""
    return f"umh+{server_id}"


def depth(account_id: str, conid: int, exchange: str | None) -> str:
    """Subscribe to a price ladder; an account has one."""
    return "+".join(("sbd", account_id, str(conid), *([exchange] if exchange else [])))


def no_depth(account_id: str) -> str:
    """End an account's ladder."""
    return f"ubd+{account_id}"


ORDERS = "sor+{}"
NO_ORDERS = "uor+{}"
NO_TRADES = "utr"
PROFIT = "spl+{}"
NO_PROFIT = "upl+{}"


def trades(days: int) -> str:
    """Subscribe to executions, those of the last days first."""
    return _topic("str", arguments={"realtimeUpdatesOnly": False, "days": days})


def summary(account_id: str, keys: Sequence[str] = ()) -> str:
    """Subscribe to an account's summary; all of it where no keys are named."""
    return _topic("ssd", account_id, arguments={"keys": list(keys)} if keys else {})


def no_summary(account_id: str) -> str:
    """End it."""
    return _topic("usd", account_id, arguments={})


def ledger(account_id: str) -> str:
    """Subscribe to an account's cash in every currency."""
    return _topic("sld", account_id, arguments={})


def no_ledger(account_id: str) -> str:
    """End it."""
    return _topic("uld", account_id, arguments={})
