"""What a login reaches the world through, scripted: a transport that answers from a list."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.dialogue import Dialogue
from ibkr_adapter.throttle import Throttle
from ibkr_adapter.transport import Answer
from ibkr_adapter.turns import Turns

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def answer(body: Any = None, status: int = 200, **headers: str) -> Answer:
    told = {"content-type": "application/json", **{name.replace("_", "-"): v for name, v in headers.items()}}
    text = b"" if body is None else json.dumps(body).encode()
    return Answer(status=status, headers=told, body=text)


def dated(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


class Script:
    """Answers calls in their order; an exception is raised, a function is called with the call."""

    def __init__(self, *answers: Any) -> None:
        self.answers: list[Any] = list(answers)
        self.sent: list[dict[str, Any]] = []

    def prepare(self, url: str) -> None:
        """Nothing to load."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: float,
        changes_state: bool,
        on_open: Callable[[], None] | None = None,
    ) -> Answer:
        call = {"method": method, "url": url, "headers": dict(headers), "body": body}
        self.sent.append(call)
        if not self.answers:
            raise AssertionError(f"nobody expected {method} {url}")
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(found):
            found = found(call)
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Nothing to close."""


class World:
    """A clock that jumps, one line to wait in, and a scripted transport."""

    def __init__(self, *answers: Any) -> None:
        self.clock = ManualClock(START, jump=True)
        self.dialogue = Dialogue(self.clock)
        self.turns = Turns(throttle=Throttle(self.clock, per_second=100), dialogue=self.dialogue)
        self.transport = Script(*answers)

    @property
    def doors(self) -> dict[str, Any]:
        return {"clock": self.clock, "transport": self.transport, "turns": self.turns}

    def soon(self, seconds: float = 15.0) -> float:
        return self.clock.monotonic() + seconds
