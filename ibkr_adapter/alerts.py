"""Alerts of an account: list, read, make, change, switch on and off, delete.

An id of 0 is IBKR's word for all alerts of the account: it never leaves. Making and deleting are
sent once; where the answer is lost the list tells whether it was done.

Source: Web API reference, "Alerts"; docs/portfolio.md.
"""

from __future__ import annotations

from ibkr_adapter.account_desk import AccountDesk, unknown
from ibkr_adapter.errors import InvalidRequest, quoted
from ibkr_adapter.model.alert import ALERT_COLUMNS, Alert, AlertDetails, NewAlert
from ibkr_adapter.model.kinds import positive_id
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import alerts, endpoints
from ibkr_adapter.wire.endpoints import Endpoint

_LOOK = "ibkr.alerts.list()"


class Alerts(AccountDesk):
    """The alerts of one account; ``account`` is that of the settings where it is not given."""

    def list(self, account: str | None = None) -> Table[Alert]:
        """All alerts of an account."""
        content = self._session.read(endpoints.ALERTS, path={"accountId": self._named(account)}, empty=[])
        return Table(alerts.read_alerts(content), ALERT_COLUMNS, title="alerts")

    def get(self, alert_id: int) -> AlertDetails:
        """One alert with its conditions.

        Raises:
            InvalidRequest: It is no id of an alert; nothing was sent.
            ApiError: There is no such alert.
        """
        content = self._session.read(
            endpoints.ALERT, path={"alertId": checked_alert(alert_id)}, query={"type": "Q"}
        )
        return alerts.read_alert(content)

    def mobile(self) -> AlertDetails:
        """The alert that every user has, for the mobile application; its id is another one at every read."""
        return alerts.read_alert(self._session.read(endpoints.ALERT_MTA), endpoints.ALERT_MTA.name)

    def create(self, alert: NewAlert, account: str | None = None) -> int:
        """Make an alert and return its id.

        Raises:
            ApiError: IBKR said no (on some paper accounts with 403); there is no such alert.
            OutcomeUnknown: The answer was lost; the list tells whether it is there.
        """
        _check(alert)
        return self._put(alert, None, f"making alert {alert.name!r:.60}", account)

    def modify(self, alert_id: int, alert: NewAlert, account: str | None = None) -> int:
        """Put another alert in the place of one; its name cannot change.

        Raises:
            InvalidRequest: It is no id of an alert; nothing was sent.
            ApiError: IBKR said no; the alert stands as it was.
            OutcomeUnknown: The answer was lost.
        """
        number = checked_alert(alert_id)
        _check(alert)
        return self._put(alert, number, f"changing alert {number}", account)

    def activate(self, alert_id: int, account: str | None = None) -> None:
        """Switch an alert on."""
        self._switch(alert_id, account, on=True)

    def deactivate(self, alert_id: int, account: str | None = None) -> None:
        """Switch an alert off; it stays in the list."""
        self._switch(alert_id, account, on=False)

    def delete(self, alert_id: int, account: str | None = None) -> None:
        """Delete one alert.

        Raises:
            InvalidRequest: It is no id of an alert: 0 would delete them all; nothing was sent.
            ApiError: IBKR said no; the alert stands.
            OutcomeUnknown: The answer was lost, or is 503, by which IBKR also says that there is no such alert.
        """
        number = checked_alert(alert_id)
        what = f"deleting alert {number}"
        path = {"accountId": self._named(account), "alertId": number}
        content = self._change(endpoints.ALERT_DELETE, what=what, look=_LOOK, path=path, body={})
        self._confirm(endpoints.ALERT_DELETE, content, what)

    def _put(self, alert: NewAlert, alert_id: int | None, what: str, account: str | None) -> int:
        endpoint = endpoints.ALERT_CREATE
        content = self._change(
            endpoint,
            what=what,
            look=_LOOK,
            path={"accountId": self._named(account)},
            body=alerts.alert_body(alert, alert_id),
        )
        self._confirm(endpoint, content, what)
        made = alerts.read_id(content)
        if made is None:
            raise unknown(endpoint, what, _LOOK)
        return made

    def _switch(self, alert_id: int, account: str | None, *, on: bool) -> None:
        number = checked_alert(alert_id)
        what = f"switching alert {number} {'on' if on else 'off'}"
        content = self._change(
            endpoints.ALERT_ACTIVATE,
            what=what,
            look=_LOOK,
            path={"accountId": self._named(account)},
            body={"alertId": number, "alertActive": int(on)},
        )
        self._confirm(endpoints.ALERT_ACTIVATE, content, what)

    @staticmethod
    def _confirm(endpoint: Endpoint, content: object, what: str) -> None:
        if not alerts.is_confirmed(content):
            raise unknown(endpoint, what, _LOOK)


def _check(alert: object) -> None:
    if not isinstance(alert, NewAlert):
        raise InvalidRequest(
            f"{quoted(alert)} is no NewAlert; nothing was sent.",
            remedy="Make one by NewAlert(name=..., message=..., conditions=[...]).",
        )


def checked_alert(alert_id: object) -> int:
    """Return an alert's id that may leave; IBKR deletes *every* alert for the id 0.

    Raises:
        InvalidRequest: It is no positive whole number; nothing was sent.
    """
    number = positive_id(alert_id, _LONGEST_ID)
    if not number:
        raise InvalidRequest(
            f"{quoted(alert_id)} is no alert's id; IBKR takes 0 for all alerts; nothing was sent.",
            remedy=f"Take it from {_LOOK}.",
        )
    return number


_LONGEST_ID = 20
