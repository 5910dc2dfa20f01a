"""The FYI endpoints: notices, the topics they are about, and where they are sent.

A service behind the others, which says 423 until it has been asked once by a login. Nearly
anything is accepted, topics and notices that do not exist too; only a device that nobody knows is
a page with 404.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.digits import whole
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.fyi import NoticeBoard
from ibkr_adapter.simulator.routes import Call, Route, delete, get, post, put
from ibkr_adapter.simulator.world import World

_MOST = 10
_EDIT_MS, _MARK_MS = 10, 5
_LOCKED = 423
_WAITING = {"status": "waiting for reply"}


class FyiEndpoints:
    """Serve the notices of one world's user."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._board = NoticeBoard()
        self._counted: datetime | None = None

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        return [
            get("/fyi/unreadnumber", self._warmed(self.unread)),
            get("/fyi/settings", self.settings),
            post("/fyi/settings/{typecode}", self.switch),
            get("/fyi/disclaimer/{typecode}", self.disclaimer),
            put("/fyi/disclaimer/{typecode}", self.disclaimer_read),
            get("/fyi/deliveryoptions", self.delivery),
            put("/fyi/deliveryoptions/email", self.email),
            post("/fyi/deliveryoptions/device", self.device),
            delete("/fyi/deliveryoptions/{deviceId}", self.forget_device),
            get("/fyi/notifications", self._warmed(self.notices)),
            get("/fyi/notifications/more", self._warmed(self.notices)),
            put("/fyi/notifications/{notificationId}", self.read),
        ]

    def _warmed(self, serve: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        """Let the first call of a login go away empty-handed."""

        def served(call: Call) -> Answer:
            warm = self._world.sessions.outer_warm
            if self._world.options.first_reads_empty and "fyi" not in warm:
                warm.add("fyi")
                return self._waiting(self._world.options.fyi_cold)
            self._board.fill_up(self._world.options.notices, self._world.now)
            return serve(call)

        return served

    @staticmethod
    def _waiting(status: int) -> Answer:
        return answers.unavailable() if status != _LOCKED else answers.json_answer(_WAITING, status)

    # Topics.

    def settings(self, _: Call) -> Answer:
        """All topics with their switches."""
        return answers.json_answer(self._board.settings())

    def switch(self, call: Call) -> Answer:
        """Want a topic or not."""
        body = call.json()
        wanted = body.get("enabled") if isinstance(body, dict) else None
        if not isinstance(wanted, bool):
            return answers.missing("enabled")
        self._board.switch(call.parts["typecode"], on=wanted)
        return _accepted()

    def disclaimer(self, call: Call) -> Answer:
        """The disclaimer of a topic."""
        return answers.json_answer(self._board.disclaimer(call.parts["typecode"]))

    def disclaimer_read(self, call: Call) -> Answer:
        """Mark a disclaimer as read."""
        self._board.unread_disclaimers.discard(call.parts["typecode"])
        return _accepted()

    # Where notices are sent.

    def delivery(self, _: Call) -> Answer:
        """The devices, and whether mail is sent."""
        body = {"E": list(self._board.devices.values()), "M": int(self._board.by_email)}
        return answers.json_answer(body)

    def email(self, call: Call) -> Answer:
        """Send mail or not."""
        wanted = call.query.get("enabled", "").lower()
        if wanted not in {"true", "false"}:
            return answers.missing("enabled")
        self._board.by_email = wanted == "true"
        return _accepted()

    def device(self, call: Call) -> Answer:
        """Register a device, or change one."""
        body = call.json()
        identity = body.get("deviceId") if isinstance(body, dict) else None
        if not isinstance(identity, str) or not identity:
            return answers.missing("deviceId")
        self._board.devices[identity] = {
            "NM": str(body.get("deviceName", "")),
            "I": identity,
            "UI": str(body.get("uiName", identity)),
            "A": int(body.get("enabled") is True),
        }
        return _accepted()

    def forget_device(self, call: Call) -> Answer:
        """Delete a device; the answer has no body."""
        if self._board.devices.pop(call.parts["deviceId"], None) is None:
            return answers.not_found()
        return Answer()

    # Notices.

    def unread(self, _: Call) -> Answer:
        """How many notices were not read; by the documents nobody should ask often."""
        now, pause = self._world.now, timedelta(seconds=self._world.options.unread_interval)
        if self._counted is not None and now - self._counted < pause:
            return self._waiting(_LOCKED)
        self._counted = now
        return answers.json_answer({"BN": self._board.unread})

    def notices(self, call: Call) -> Answer:
        """At most ten notices, of some topics, behind a certain one."""
        query = call.query
        count = whole(query.get("max", str(_MOST)))
        if count is None:
            return answers.missing("max")
        include, exclude = (_words(query.get(one, "")) for one in ("include", "exclude"))
        found = self._board.listed(min(count, _MOST), include, exclude, query.get("id"))
        return answers.json_answer([one.as_json() for one in found])

    def read(self, call: Call) -> Answer:
        """Mark a notice as read; one that does not exist is marked, too."""
        identity = call.parts["notificationId"]
        self._board.mark(identity)
        return answers.json_answer({"V": 1, "T": _MARK_MS, "P": {"R": 1, "ID": identity}})


def _accepted() -> Answer:
    body: dict[str, Any] = {"V": 1, "T": _EDIT_MS}
    return answers.json_answer(body)


def _words(text: str) -> set[str]:
    return {one for one in text.split(",") if one}
