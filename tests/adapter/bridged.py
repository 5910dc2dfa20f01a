"""A client of the bridge in the same thread: frames in, answers out, on the world's clock."""

from __future__ import annotations

import itertools
import json
from typing import Any

from ibkr_adapter.host.bridge.dispatcher import Bridge
from ibkr_adapter.host.bridge.waiting import Client


class BridgeError(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        self.code = error["code"]
        self.data = error["data"]
        super().__init__(error["message"])

    @property
    def type(self) -> str:
        return str(self.data["type"])


class Talk:
    """One client, over no transport at all."""

    def __init__(self, bridge: Bridge, clock: Any, *, greeted: bool = True, pushes: bool = False) -> None:
        self.bridge = bridge
        self.clock = clock
        self.answers: dict[Any, dict[str, Any]] = {}
        self.notices: list[dict[str, Any]] = []
        self._flag = clock.flag()
        self._numbers = itertools.count(1)
        self.client = Client(self._got, greeted=greeted, pushes=pushes)

    def _got(self, raw: bytes) -> None:
        assert b"\n" not in raw
        frame = json.loads(raw)
        if "method" in frame:
            self.notices.append(frame)
        else:
            assert frame["id"] is None or frame["id"] not in self.answers, "answered twice"
            self.answers[frame["id"]] = frame
        self._flag.set()

    def raw(self, text: str | bytes) -> None:
        self.bridge.take(self.client, text.encode() if isinstance(text, str) else text)

    def send(self, method: str, /, **params: Any) -> int:
        """Send one call; :meth:`answer` waits for what comes of it."""
        number = next(self._numbers)
        self.raw(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        return number

    def answer(self, number: int) -> Any:
        self.until(lambda: number in self.answers)
        frame = self.answers[number]
        if "error" in frame:
            raise BridgeError(frame["error"])
        return frame["result"]

    def until(self, done: Any) -> None:
        """Wait on the world's clock; ten virtual minutes are for ever."""
        end = self.clock.monotonic() + 600
        while not done():
            assert self.clock.monotonic() < end, "it never came"
            self._flag.clear()
            if not done():
                self._flag.wait(end - self.clock.monotonic())

    def ask(self, method: str, /, **params: Any) -> Any:
        return self.answer(self.send(method, **params))


class Session:
    """One session of a :class:`Talk`; methods are called by their names in the other language."""

    def __init__(self, talk: Talk, config: dict[str, Any] | None, user: str | None = None) -> None:
        self.talk = talk
        self.name = talk.ask("session.open", config=config, user=user)["session"]

    def send(self, method: str, *args: Any, key: str | None = None, **more: Any) -> int:
        params = {"session": self.name, "method": method, "args": list(args), **more}
        return self.talk.send("session.call", **params, **({"key": key} if key else {}))

    def call(self, method: str, *args: Any, key: str | None = None, **more: Any) -> Any:
        return self.talk.answer(self.send(method, *args, key=key, **more))
