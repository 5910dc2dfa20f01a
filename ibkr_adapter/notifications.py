"""Notices to the user (FYI): read them, choose which come and where to; and answer a server's prompt.

A cold service answers 423 and wants to be asked again. Choosing is sent once.

Source: Web API reference, "FYIs and Notifications"; docs/portfolio.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ibkr_adapter.account_desk import AccountDesk, check_switch, unknown
from ibkr_adapter.errors import ApiError, InvalidRequest, quoted
from ibkr_adapter.model.kinds import is_listed, is_text, is_whole
from ibkr_adapter.model.notice import KIND_COLUMNS, NOTICE_COLUMNS, Delivery, Notice, NoticeKind
from ibkr_adapter.model.table import Table
from ibkr_adapter.own_orders import checked_id
from ibkr_adapter.wire import endpoints, notices
from ibkr_adapter.wire.endpoints import Endpoint

# IBKR's own limit of a page, and how many pages are read at most.
PAGE = 10
MOST_PAGES = 100
# A service that is not ready is asked again after so long (seconds), so often.
_NOT_READY = 423
PAUSE = 2.0
MOST_TRIES = 3
_CODE = re.compile(r"[A-Z0-9]{1,8}")


class Notifications(AccountDesk):
    """The user's notices; they belong to no account."""

    def unread(self) -> int:
        """How many notices are not read yet; IBKR wants this asked once in five minutes at most."""
        return notices.read_unread(self._patient(endpoints.FYI_UNREAD))

    def list(
        self, most: int = PAGE, *, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> Table[Notice]:
        """The latest notices, ten a page.

        Args:
            most: How many; pages are read until there are as many, or no more.
            include: Only these kinds.
            exclude: All but these.
        """
        query: dict[str, Any] = {"max": PAGE}
        for name, codes in (("include", _codes(include)), ("exclude", _codes(exclude))):
            if codes:
                query[name] = ",".join(codes)
        if not (is_whole(most) and int(most) > 0) or len(query) > 2:  # noqa: PLR2004  (the page, and one of the two)
            raise InvalidRequest("at least one notice, and either include or exclude; nothing was sent.")
        found: dict[str, Notice] = {}
        for _ in range(MOST_PAGES):
            page = notices.read_notices(self._patient(endpoints.FYI_NOTIFICATIONS, query=query, empty=[]))
            fresh = [notice for notice in page if notice.notice_id not in found]
            found.update((notice.notice_id, notice) for notice in fresh)
            if len(found) >= most or len(page) < PAGE or not fresh:
                break
            query["id"] = page[-1].notice_id
        return Table(list(found.values())[:most], NOTICE_COLUMNS, title="notices")

    def mark_read(self, notice_id: str) -> None:
        """Mark a notice as read."""
        wanted = notice_id.strip() if is_text(notice_id) else "0"
        if wanted == "0":
            raise InvalidRequest(f"{quoted(notice_id)} is no notice's id; nothing was sent.")
        self._accept(
            endpoints.FYI_NOTIFICATION_READ,
            f"marking notice {wanted:.40} as read",
            "ibkr.notifications.list()",
            path={"notificationId": wanted},
        )

    # Kinds --------------------------------------------------------------------------------

    def kinds(self) -> Table[NoticeKind]:
        """The kinds of notices, and which are wished for."""
        content = self._patient(endpoints.FYI_SETTINGS, empty=[])
        return Table(notices.read_kinds(content), KIND_COLUMNS, title="kinds of notices")

    def enable(self, code: str) -> None:
        """Wish for a kind of notice. IBKR says yes to codes that it does not know."""
        self._wish(code, enabled=True)

    def disable(self, code: str) -> None:
        """Wish for a kind of notice no longer."""
        self._wish(code, enabled=False)

    def _wish(self, code: str, *, enabled: bool) -> None:
        known = _code(code)
        self._accept(
            endpoints.FYI_SET,
            f"switching notices {known} {'on' if enabled else 'off'}",
            "ibkr.notifications.kinds()",
            path={"typecode": known},
            body={"enabled": enabled},
        )

    def disclaimer(self, code: str) -> str | None:
        """What must be read before a kind of notice is used; ``None`` where there is nothing."""
        return notices.read_disclaimer(
            self._patient(endpoints.FYI_DISCLAIMER, path={"typecode": _code(code)})
        )

    def accept_disclaimer(self, code: str) -> None:
        """Say that a disclaimer was read."""
        known = _code(code)
        self._accept(
            endpoints.FYI_DISCLAIMER_READ,
            f"marking the disclaimer of {known} as read",
            "ibkr.notifications.kinds()",
            path={"typecode": known},
        )

    # Delivery -----------------------------------------------------------------------------

    def delivery(self) -> Delivery:
        """Where notices go: devices, and whether by email."""
        return notices.read_delivery(self._patient(endpoints.FYI_DELIVERY))

    def by_email(self, *, enabled: bool) -> None:
        """Have notices sent by email, or no longer."""
        check_switch(enabled, "enabled")
        self._accept(
            endpoints.FYI_DELIVERY_EMAIL,
            f"switching notices by email {'on' if enabled else 'off'}",
            "ibkr.notifications.delivery()",
            query={"enabled": enabled},
        )

    def add_device(
        self, name: str, device_id: str, *, shown_as: str | None = None, enabled: bool = True
    ) -> None:
        """Have notices go to a device, too."""
        if not is_text(name) or not is_text(device_id):
            raise InvalidRequest("a device needs a name and an id; nothing was sent.")
        check_switch(enabled, "enabled")
        self._accept(
            endpoints.FYI_DELIVERY_DEVICE,
            f"adding the device {name:.40}",
            "ibkr.notifications.delivery()",
            body={
                "deviceName": name,
                "deviceId": device_id,
                "uiName": shown_as or name,
                "enabled": enabled,
            },
        )

    def remove_device(self, device_id: str) -> None:
        """Have notices go to a device no longer; IBKR confirms it with silence.

        Raises:
            ApiError: There is no such device.
        """
        if not is_text(device_id):
            raise InvalidRequest("a device needs an id; nothing was sent.")
        self._change(
            endpoints.FYI_DELIVERY_DELETE,
            what="removing a device",
            look="ibkr.notifications.delivery()",
            path={"deviceId": device_id},
            silent=True,
        )

    # Prompts ------------------------------------------------------------------------------

    def answer_prompt(self, order_id: str | int, request_id: str, text: str) -> None:
        """Answer a prompt about an order that came over the stream (``ntf``).

        It may let the order through, so it is sent once, and what became of the order is seen by its status.

        Args:
            order_id: The order that it is about.
            request_id: The prompt's own id.
            text: One of the answers that it offers, such as ``Yes``.
        """
        number = int(checked_id(order_id))
        if not is_text(request_id) or not is_text(text):
            raise InvalidRequest("a prompt is answered by its id and one of its options; nothing was sent.")
        self._change(
            endpoints.NOTIFICATION,
            what=f"the answer to a prompt about order {number}",
            look=f"ibkr.orders.status({number})",
            body={"orderId": number, "reqId": request_id, "text": text},
            silent=True,
        )

    def _patient(self, endpoint: Endpoint, **about: Any) -> Any:
        for _ in range(MOST_TRIES - 1):
            try:
                return self._session.read(endpoint, **about)
            except ApiError as refusal:
                if refusal.status != _NOT_READY:
                    raise
            self._connection.clock.sleep(PAUSE)
        return self._session.read(endpoint, **about)

    def _accept(
        self,
        endpoint: Endpoint,
        what: str,
        look: str,
        *,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> None:
        content = self._change(endpoint, what=what, look=look, path=path, query=query, body=body)
        if not notices.is_accepted(content):
            raise unknown(endpoint, what, look)


def _codes(codes: object) -> list[str]:
    # The letters of one code would be codes of their own.
    if not is_listed(codes):
        raise InvalidRequest(
            f"{quoted(codes)} is no list of kinds of notices; nothing was sent.",
            remedy='Write ["FF"] for one.',
        )
    return [_code(code) for code in codes]


def _code(code: str) -> str:
    known = code.strip().upper() if is_text(code) else ""
    if not _CODE.fullmatch(known):
        raise InvalidRequest(
            f"{quoted(code, 20)} is no code of a kind of notice; nothing was sent.",
            remedy="Take it from ibkr.notifications.kinds().",
        )
    return known
