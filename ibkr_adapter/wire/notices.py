"""Speak of notices (FYI), whose keys are abbreviated to one or two letters.

When to ask, and what is waited for, is for :mod:`ibkr_adapter.notifications`.

Source: Web API reference, "FYIs and Notifications", and recorded answers; held by
``tests/unit/test_wire_notices.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.notice import DEVICE_COLUMNS, Delivery, Device, Notice, NoticeKind
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import numbers
from ibkr_adapter.wire.response import plain
from ibkr_adapter.wire.rows import mapping, rows

UNREAD = "GET /fyi/unreadnumber"
SETTINGS = "GET /fyi/settings"
DISCLAIMER = "GET /fyi/disclaimer/{typecode}"
DELIVERY = "GET /fyi/deliveryoptions"
NOTICES = "GET /fyi/notifications"

LONGEST_BODY = 20_000


def read_unread(content: Any) -> int:
    """Read how many are not read yet."""
    count = numbers.integer(mapping(content, UNREAD, "the count of notices").get("BN"))
    if count is None:
        raise UnexpectedAnswer("the count of notices came without a number.", endpoint=UNREAD)
    return count


def read_kinds(content: Any) -> tuple[NoticeKind, ...]:
    """Read the kinds of notices and whether they are wished for."""
    return tuple(
        NoticeKind(
            code=code,
            name=numbers.text(row.get("FN")),
            description=numbers.text(row.get("FD")),
            is_enabled=numbers.flag(row.get("A")),
            disclaimer_read=numbers.flag(row.get("H")),
        )
        for row in rows(content, SETTINGS, "the kinds of notices")
        if (code := numbers.text(row.get("FC"))) is not None
    )


def read_disclaimer(content: Any) -> str | None:
    """Read the text that must be read before a kind of notice is used; some kinds have none."""
    return _long(mapping(content, DISCLAIMER, "the disclaimer").get("DT"))


def read_delivery(content: Any) -> Delivery:
    """Read where notices go."""
    body = mapping(content, DELIVERY, "the delivery options")
    devices = [
        Device(
            device_id=device_id,
            name=numbers.text(row.get("NM")),
            shown_as=numbers.text(row.get("UI")),
            is_enabled=numbers.flag(row.get("A")),
        )
        for row in rows(body.get("E") or [], DELIVERY, "the devices")
        if (device_id := numbers.text(row.get("I"))) is not None
    ]
    return Delivery(
        devices=Table(devices, DEVICE_COLUMNS, title="devices"), by_email=numbers.flag(body.get("M"))
    )


def read_notices(content: Any) -> tuple[Notice, ...]:
    """Read a page of notices."""
    return tuple(_notice(row) for row in rows(content, NOTICES, "the notices"))


def _notice(row: Mapping[str, Any]) -> Notice:
    notice_id = numbers.text(row.get("ID"))
    if notice_id is None:
        raise UnexpectedAnswer("a notice came without its id.", endpoint=NOTICES)
    return Notice(
        notice_id=notice_id,
        code=numbers.text(row.get("FC")),
        title=numbers.text(row.get("MS")),
        body=_long(row.get("MD")),
        # Seconds as a text, with a fraction.
        at=numbers.moment(row.get("D")),
        is_read=numbers.flag(row.get("R")),
    )


def _long(value: Any) -> str | None:
    """Read a long text, HTML or not, as plain words."""
    return plain(value, LONGEST_BODY) or None if isinstance(value, str) else None


def is_accepted(content: Any) -> bool:
    """Whether the answer to a change says that it was taken (V is 1)."""
    return isinstance(content, Mapping) and numbers.flag(content.get("V")) is True
