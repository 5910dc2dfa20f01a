"""Notices to the user, which IBKR calls FYI: what came, what is wished for, and where it goes.

Codes of kinds are open: IBKR uses more than it documents.

Source: Web API reference, "FYIs and Notifications", and recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from ibkr_adapter.model.shown import Shown
from ibkr_adapter.model.table import Table


@attrs.frozen(kw_only=True)
class Notice(Shown):
    """A notice; ``body`` is plain text, what was HTML in it is gone."""

    notice_id: str
    code: str | None = None
    title: str | None = None
    body: str | None = attrs.field(default=None, repr=False)
    at: datetime | None = None
    is_read: bool | None = None


@attrs.frozen(kw_only=True)
class NoticeKind(Shown):
    """A kind of notice, and whether it is wished for; ``None`` where that cannot be chosen."""

    code: str
    name: str | None = None
    description: str | None = None
    is_enabled: bool | None = None
    disclaimer_read: bool | None = None


@attrs.frozen(kw_only=True)
class Device(Shown):
    """A device to which notices go. Its id lets others send to it, so it is in no repr."""

    device_id: str = attrs.field(repr=False)
    name: str | None = None
    shown_as: str | None = attrs.field(default=None, repr=False)
    is_enabled: bool | None = None


@attrs.frozen(kw_only=True)
class Delivery(Shown):
    """Where notices go."""

    devices: Table[Device]
    by_email: bool | None = None


NOTICE_COLUMNS: Mapping[str, Callable[[Notice], Any]] = {
    "id": lambda row: row.notice_id,
    "code": lambda row: row.code,
    "at": lambda row: row.at,
    "read": lambda row: row.is_read,
    "title": lambda row: row.title,
}
KIND_COLUMNS: Mapping[str, Callable[[NoticeKind], Any]] = {
    "code": lambda row: row.code,
    "name": lambda row: row.name,
    "enabled": lambda row: row.is_enabled,
    "disclaimer read": lambda row: row.disclaimer_read,
    "description": lambda row: row.description,
}
DEVICE_COLUMNS: Mapping[str, Callable[[Device], Any]] = {
    "name": lambda row: row.name,
    "enabled": lambda row: row.is_enabled,
}
