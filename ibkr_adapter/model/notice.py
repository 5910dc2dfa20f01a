"""Notices to the user, which IBKR calls FYI: what came, what is wished for, and where it goes.

Codes of kinds are open: IBKR uses more than it documents.

Source: Web API reference, "FYIs and Notifications", and recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
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
    "id": attrgetter("notice_id"),
    "code": attrgetter("code"),
    "at": attrgetter("at"),
    "read": attrgetter("is_read"),
    "title": attrgetter("title"),
}
KIND_COLUMNS: Mapping[str, Callable[[NoticeKind], Any]] = {
    "code": attrgetter("code"),
    "name": attrgetter("name"),
    "enabled": attrgetter("is_enabled"),
    "disclaimer read": attrgetter("disclaimer_read"),
    "description": attrgetter("description"),
}
DEVICE_COLUMNS: Mapping[str, Callable[[Device], Any]] = {
    "name": attrgetter("name"),
    "enabled": attrgetter("is_enabled"),
}
