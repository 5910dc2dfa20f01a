"""What IBKR tells its users about: the topics, the notices, the devices.

A topic may have a disclaimer that was not read yet (``H``) and a switch (``A``), which some lack.
The topics and which of them lack what are those of a live answer; their sentences are our own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import attrs

_TOPICS = {
    "M8": "M871 trades",
    "OI": "Option income",
    "AA": "Account activity",
    "T2": "Assignment realizing long-term gains",
    "BA": "Borrow availability",
    "BR": "Borrow rates",
    "CA": "Comparable algorithm",
    "EH": "Exchange holidays",
    "NS": "",
    "NP": "New products",
    "TD": "Deprecation notice",
    "CB": "Missing cost basis",
    "MF": "Mutual funds",
    "DL": "Options about to be lost",
    "OE": "Options about to expire",
    "PS": "Platform suggestions",
    "PF": "Portfolio",
    "PT": "Position transfer",
    "PC": "Price changes",
    "SP": "Splits",
    "SG": "Short-term gains turning long-term",
    "SL": "Stock loans",
    "MS": "Milestones",
    "TO": "Takeovers",
    "TP": "Third parties",
    "EA": "Upcoming earnings",
    "DA": "Dividends",
    "SE": "Suspension on economic events",
    "SM": "System messages",
    "UA": "User alerts",
}
_WITHOUT_SWITCH = frozenset({"NS", "DL", "SM", "UA", "DA", "SE"})
_OFF = frozenset({"TP"})
_WITH_DISCLAIMER = frozenset({"BA"})
_WITH_EXTRA = frozenset({"DA", "SE"})
_NAMELESS = "NS"
_DISCLAIMER = "This is information and no advice to trade."
_NOTICE_TOPICS = ("PF", "EA", "OE", "BA")


@attrs.define(kw_only=True, eq=False)
class Notice:
    """One message to the user."""

    identity: str
    topic: str
    moment: datetime
    read: bool = False

    def as_json(self) -> dict[str, Any]:
        """A row of the list; the moment is a text that ends in ``.0``."""
        return {
            "R": int(self.read),
            "D": f"{int(self.moment.timestamp())}.0",
            "MS": f"FYI: {_TOPICS[self.topic]}",
            "MD": f"<html>Something happened: {_TOPICS[self.topic]}.</html>",
            "ID": self.identity,
            "HT": 0,
            "FC": self.topic,
        }


class NoticeBoard:
    """The notices, switches and devices of one user."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.switches = {one: one not in _OFF for one in _TOPICS if one not in _WITHOUT_SWITCH}
        self.unread_disclaimers = set(_WITH_DISCLAIMER)
        self.devices: dict[str, dict[str, Any]] = {}
        self.by_email = True

    def fill_up(self, count: int, now: datetime) -> None:
        """Have at least so many notices; the newest is a minute old, each one before it an hour more."""
        for number in range(len(self.notices), count):
            moment = now - timedelta(minutes=1, hours=number)
            topic = _NOTICE_TOPICS[number % len(_NOTICE_TOPICS)]
            identity = f"{moment:%Y%m%d}{90_000_000 - number}"
            self.notices.append(Notice(identity=identity, topic=topic, moment=moment, read=number % 2 == 1))

    def settings(self) -> list[dict[str, Any]]:
        """One row a topic."""
        return [self._setting(topic) for topic in _TOPICS]

    def _setting(self, topic: str) -> dict[str, Any]:
        row: dict[str, Any] = {"FC": topic, "H": int(topic in self.unread_disclaimers)}
        if topic == _NAMELESS:
            return row
        if topic in self.switches:
            row["A"] = int(self.switches[topic])
        row |= {"FD": f"Notify me of this: {_TOPICS[topic]}.", "FN": _TOPICS[topic]}
        return row | ({"SS": 0} if topic in _WITH_EXTRA else {})

    def switch(self, topic: str, *, on: bool) -> None:
        """Want a topic or not; one that has no switch, or does not exist, stays as it was."""
        if topic in self.switches:
            self.switches[topic] = on

    def disclaimer(self, topic: str) -> dict[str, str]:
        """The disclaimer of a topic, also of one that does not exist."""
        return {"FC": topic, "DT": _DISCLAIMER}

    def listed(
        self, count: int, include: set[str], exclude: set[str], behind: str | None = None
    ) -> list[Notice]:
        """Notices of some topics, newest first; those behind a certain one when it is told."""
        found = [
            one for one in self.notices if (not include or one.topic in include) and one.topic not in exclude
        ]
        if behind is not None:
            found = [one for one in found if one.identity < behind]
        return found[:count]

    @property
    def unread(self) -> int:
        """How many were not read yet."""
        return sum(not one.read for one in self.notices)

    def mark(self, identity: str) -> None:
        """Mark a notice as read, if there is one."""
        for one in self.notices:
            one.read = one.read or one.identity == identity
