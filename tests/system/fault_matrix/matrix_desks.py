"""The calls beside orders, as users reach them: accounts, alerts, lists, notices, and what is for everybody."""

from __future__ import annotations

import attrs
from matrix_rows import Row, act, change, read

from ibkr_adapter.advisers import Advisers
from ibkr_adapter.alerts import Alerts
from ibkr_adapter.catalogue import Catalogue
from ibkr_adapter.forecasts import Forecasts
from ibkr_adapter.model.alert import Condition, NewAlert
from ibkr_adapter.notifications import Notifications
from ibkr_adapter.portfolio_desk import PortfolioDesk
from ibkr_adapter.watchlists import Watchlists

AAPL = 265598
ALERT = NewAlert(name="A", message="fell", conditions=[Condition(operator="<=", value=5, conid=AAPL)])


def an_alert(x):
    return x.alerts.create(ALERT)


def a_list(x):
    return x.watchlists.create("mine", [AAPL])


def a_notice(x):
    return x.notifications.list()[0].notice_id


def a_device(x):
    x.notifications.add_device("phone", "apn://1")
    return "apn://1"


PORTFOLIO: dict[str, Row] = {
    "accounts": read(lambda x, _: x.portfolio.accounts(), cold=True),
    "choose": read(lambda x, _: x.portfolio.choose(), cold=True),
    "subaccounts": read(lambda x, _: x.portfolio.subaccounts()),
    "meta": read(lambda x, _: x.portfolio.meta()),
    "owners": read(lambda x, _: x.portfolio.owners()),
    "selected": read(lambda x, _: x.portfolio.selected(), cold=True),
    "positions": read(lambda x, _: x.portfolio.positions(), held=10),
    "position": read(lambda x, _: x.portfolio.position("AAPL"), held=10),
    "paged": read(lambda x, _: x.portfolio.paged(), held=10),
    "position_details": read(lambda x, _: x.portfolio.position_details("AAPL"), held=10),
    "everywhere": read(lambda x, _: x.portfolio.everywhere("AAPL"), held=10),
    "combos": read(lambda x, _: x.portfolio.combos(), held=10),
    "invalidate": read(lambda x, _: x.portfolio.invalidate()),
    "ledger": read(lambda x, _: x.portfolio.ledger()),
    "summary": read(lambda x, _: x.portfolio.summary()),
    "brokerage_summary": read(lambda x, _: x.portfolio.brokerage_summary()),
    "available_funds": read(lambda x, _: x.portfolio.available_funds()),
    "balances": read(lambda x, _: x.portfolio.balances()),
    "margins": read(lambda x, _: x.portfolio.margins()),
    "market_values": read(lambda x, _: x.portfolio.market_values()),
    "allocation": read(lambda x, _: x.portfolio.allocation(), held=10),
    "weights": read(lambda x, _: x.portfolio.weights(), held=10),
    "profit": read(lambda x, _: x.portfolio.profit(), held=10),
    "performance": read(lambda x, _: x.portfolio.performance("1M")),
    "all_periods": read(lambda x, _: x.portfolio.all_periods()),
    "transactions": read(lambda x, _: x.portfolio.transactions("AAPL")),
}
ALERTS: dict[str, Row] = {
    "list": read(lambda x, _: x.alerts.list(), first=an_alert),
    "get": read(lambda x, alert: x.alerts.get(alert), first=an_alert),
    "mobile": read(lambda x, _: x.alerts.mobile()),
    "create": change("POST /iserver/account/{accountId}/alert", lambda x, _: x.alerts.create(ALERT)),
    "modify": change(
        "POST /iserver/account/{accountId}/alert",
        lambda x, alert: x.alerts.modify(alert, ALERT),
        first=an_alert,
    ),
    "activate": change(
        "POST /iserver/account/{accountId}/alert/activate",
        lambda x, alert: x.alerts.activate(alert),
        first=an_alert,
    ),
    "deactivate": change(
        "POST /iserver/account/{accountId}/alert/activate",
        lambda x, alert: x.alerts.deactivate(alert),
        first=an_alert,
    ),
    "delete": change(
        "DELETE /iserver/account/{accountId}/alert/{alertId}",
        lambda x, alert: x.alerts.delete(alert),
        first=an_alert,
    ),
}
WATCHLISTS: dict[str, Row] = {
    "list": read(lambda x, _: x.watchlists.list(), first=a_list),
    "get": read(lambda x, found: x.watchlists.get(found), first=a_list),
    "create": change(
        "POST /iserver/watchlist", lambda x, _: x.watchlists.create("mine", ["AAPL"], watchlist_id=77)
    ),
    "delete": change("DELETE /iserver/watchlist", lambda x, found: x.watchlists.delete(found), first=a_list),
}
NOTIFICATIONS: dict[str, Row] = {
    "unread": read(lambda x, _: x.notifications.unread()),
    "list": read(lambda x, _: x.notifications.list()),
    "kinds": read(lambda x, _: x.notifications.kinds()),
    "disclaimer": read(lambda x, _: x.notifications.disclaimer("BA")),
    "delivery": read(lambda x, _: x.notifications.delivery()),
    "mark_read": change(
        "PUT /fyi/notifications/{notificationId}",
        lambda x, notice: x.notifications.mark_read(notice),
        first=a_notice,
    ),
    "enable": change("POST /fyi/settings/{typecode}", lambda x, _: x.notifications.enable("BA")),
    "disable": change("POST /fyi/settings/{typecode}", lambda x, _: x.notifications.disable("BA")),
    "accept_disclaimer": change(
        "PUT /fyi/disclaimer/{typecode}", lambda x, _: x.notifications.accept_disclaimer("BA")
    ),
    "by_email": change(
        "PUT /fyi/deliveryoptions/email", lambda x, _: x.notifications.by_email(enabled=False)
    ),
    "add_device": change(
        "POST /fyi/deliveryoptions/device", lambda x, _: x.notifications.add_device("phone", "apn://1")
    ),
    "remove_device": change(
        "DELETE /fyi/deliveryoptions/{deviceId}",
        lambda x, device: x.notifications.remove_device(device),
        first=a_device,
    ),
    "answer_prompt": change(
        "POST /iserver/notification",
        lambda x, order: x.notifications.answer_prompt(order, "29043", "Yes"),
        resting=True,
    ),
}
FORECASTS: dict[str, Row] = {"categories": read(lambda x, _: x.forecasts.categories())}
CATALOGUE: dict[str, Row] = {
    "shares": read(lambda x, _: x.catalogue.shares("NASDAQ")),
    "venues": read(lambda x, _: x.catalogue.venues("AAPL")),
    "order_rules": read(lambda x, _: x.catalogue.order_rules("AAPL")),
    "rate": read(lambda x, _: x.catalogue.rate("EUR", "USD")),
    "pair": read(lambda x, _: x.catalogue.pair("EUR", "USD")),
    "validate": read(lambda x, _: x.catalogue.validate()),
    # Doing it twice is doing it once, so it is repeated.
    "reset_suppressed": act(lambda x, _: x.catalogue.reset_suppressed(), most=0),
}
_DESKS: dict[str, tuple[type, dict[str, Row]]] = {
    "portfolio.": (PortfolioDesk, PORTFOLIO),
    "alerts.": (Alerts, ALERTS),
    "watchlists.": (Watchlists, WATCHLISTS),
    "notifications.": (Notifications, NOTIFICATIONS),
    "advisers.": (Advisers, {}),
    "forecasts.": (Forecasts, FORECASTS),
    "catalogue.": (Catalogue, CATALOGUE),
}
OTHER_DESKS: dict[str, tuple[type, dict[str, Row]]] = {
    prefix: (made, {name: attrs.evolve(row, beside=True) for name, row in rows.items()})
    for prefix, (made, rows) in _DESKS.items()
}
_ADVISERS = "for a login of an adviser; test_other_desks has its answers"
_EVENTS = "needs an event contract; test_other_desks has its answers"
# What has no row, and why.
NO_ROWS: dict[str, str] = {
    "portfolio.switch": "sends nothing with one account; test_several_accounts breaks it",
    "portfolio.find_accounts": "for a login that selects accounts by search; test_portfolio_desk has it",
    "portfolio.set_dynamic_account": "for a login that selects accounts by search; test_portfolio_desk has it",
    **{
        f"advisers.{name}": _ADVISERS
        for name in ("add", "delete", "group", "groups", "modify", "sub_accounts")
    },
    **{f"forecasts.{name}": _EVENTS for name in ("details", "hours", "market", "rules")},
    "catalogue.bond_filters": "needs an issuer of bonds; test_other_desks has it",
    "catalogue.logout": "closes the connection; test_other_desks has it",
}
