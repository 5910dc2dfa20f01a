"""Alerts, watchlists, notices, groups, event contracts and lists: what leaves, and what is told of a lost answer."""

from __future__ import annotations

from decimal import Decimal

import pytest
from answers import AAPL, MSFT, SECOND, Desk, Page, Turns
from scripted import ACCOUNT

from ibkr_adapter.errors import (
    ApiError,
    BrokerageUnavailable,
    ContractNotFound,
    GuardrailRefused,
    InvalidOrder,
    InvalidRequest,
    OutcomeUnknown,
)
from ibkr_adapter.model.adviser import Group, Member, Method
from ibkr_adapter.model.alert import Condition, NewAlert
from ibkr_adapter.model.order import Side

ALERT = NewAlert(name="AAPL", message="fell", conditions=[Condition(operator="<=", value=5, conid=AAPL)])
GROUP = Group(name="g", method=Method.EQUAL, members=(Member(account_id=ACCOUNT),))
MADE = {"order_id": 7, "success": True, "text": "Submitted"}
YES = {"V": 1, "T": 10}
ALERTS = f"/iserver/account/{ACCOUNT}/alert"
LISTS = {"data": {"user_lists": [{"id": "1234", "name": "Test"}]}}


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def book(desk):
    return desk.book.book


# Every change: once, guarded, told as it is ----------------------------------------------

CHANGES = {
    f"POST {ALERTS}": (lambda x: x.alerts.create(ALERT), MADE, "ibkr.alerts.list()"),
    f"POST {ALERTS} ": (lambda x: x.alerts.modify(7, ALERT), MADE, "ibkr.alerts.list()"),
    f"POST {ALERTS}/activate": (lambda x: x.alerts.activate(7), MADE, "ibkr.alerts.list()"),
    f"POST {ALERTS}/activate ": (lambda x: x.alerts.deactivate(7), MADE, "ibkr.alerts.list()"),
    f"DELETE {ALERTS}/7": (lambda x: x.alerts.delete(7), MADE, "ibkr.alerts.list()"),
    "POST /iserver/watchlist": (
        lambda x: x.watchlists.create("mine", [AAPL], watchlist_id=5),
        {"id": "5"},
        "ibkr.watchlists.list()",
    ),
    "DELETE /iserver/watchlist": (
        lambda x: x.watchlists.delete(5),
        {"data": {"deleted": "5"}},
        "ibkr.watchlists.list()",
    ),
    "PUT /fyi/notifications/20": (
        lambda x: x.notifications.mark_read("20"),
        YES,
        "ibkr.notifications.list()",
    ),
    "POST /fyi/settings/BA": (lambda x: x.notifications.enable("ba"), YES, "ibkr.notifications.kinds()"),
    "POST /fyi/settings/BA ": (lambda x: x.notifications.disable("BA"), YES, "ibkr.notifications.kinds()"),
    "PUT /fyi/disclaimer/BA": (
        lambda x: x.notifications.accept_disclaimer("BA"),
        YES,
        "ibkr.notifications.kinds()",
    ),
    "PUT /fyi/deliveryoptions/email": (
        lambda x: x.notifications.by_email(enabled=False),
        YES,
        "ibkr.notifications.delivery()",
    ),
    "POST /fyi/deliveryoptions/device": (
        lambda x: x.notifications.add_device("phone", "apn://1"),
        YES,
        "ibkr.notifications.delivery()",
    ),
    "DELETE /fyi/deliveryoptions/apn://1": (
        lambda x: x.notifications.remove_device("apn://1"),
        Page(200, text=""),
        "ibkr.notifications.delivery()",
    ),
    "POST /iserver/notification": (
        lambda x: x.notifications.answer_prompt(9, "12345", "Yes"),
        Page(200, text="Success", kind="text/plain"),
        "ibkr.orders.status(9)",
    ),
    "POST /iserver/account/allocation/group": (
        lambda x: x.advisers.add(GROUP),
        {"success": True},
        "ibkr.advisers.groups()",
    ),
    "PUT /iserver/account/allocation/group": (
        lambda x: x.advisers.modify(GROUP, previous="old"),
        {"success": True},
        "ibkr.advisers.groups()",
    ),
    "POST /iserver/account/allocation/group/delete": (
        lambda x: x.advisers.delete("g"),
        {"success": True},
        "ibkr.advisers.groups()",
    ),
}
# IBKR confirms these with silence or a word, so that there is nothing to miss.
SILENT = {"DELETE /fyi/deliveryoptions/apn://1", "POST /iserver/notification"}


@pytest.fixture(params=CHANGES)
def change(request, book):
    book["GET /iserver/watchlists"] = LISTS
    call, yes, look = CHANGES[request.param]
    return request.param.strip(), call, yes, look


def test_a_change_is_sent_once_and_done(desk, book, change):
    name, call, yes, _ = change
    book[name] = yes

    call(desk.exchange())

    assert desk.book.count(name) == 1


@pytest.mark.parametrize(
    "lost",
    [
        OutcomeUnknown("the line was cut"),
        Page(503, {"error": "busy", "statusCode": 503}),
        Page(500, {"error": "java.lang.Exception: request failed"}),
        Page(502, text="<html>Bad gateway</html>"),
        Page(504, {}),
        Page(401, text=""),
        Page(423, {"status": "waiting for reply"}),
        Page(429, {"error": "slow down"}),
        Page(200, text="<html>login</html>"),
        Page(200, text='{"order_id": 7, "succ', kind="application/json"),
    ],
    ids=["cut", "503", "500", "502", "504", "401", "423", "429", "login", "half"],
)
def test_a_lost_answer_is_unknown_and_says_where_to_look(desk, book, change, lost):
    """It is never sent again by itself, and never called refused."""
    name, call, _, look = change
    book[name] = lost

    with pytest.raises(OutcomeUnknown, match="no answer says") as unknown:
        call(desk.exchange())

    assert look in unknown.value.remedy
    assert desk.book.count(name) == 1


@pytest.mark.parametrize(
    "no", [Page(400, {"error": "no such thing"}), Page(403, {}), Page(404, text="<html>not found</html>")]
)
def test_a_refusal_says_that_nothing_was_changed(desk, book, change, no):
    name, call, _, _ = change
    book[name] = no

    with pytest.raises(ApiError, match="nothing was changed"):
        call(desk.exchange())

    assert desk.book.count(name) == 1


def test_a_refusal_inside_a_good_answer_is_one(desk, book, change):
    name, call, _, _ = change
    book[name] = {"success": False, "text": "not today"}

    with pytest.raises(ApiError, match="not today"):
        call(desk.exchange())


def test_an_answer_without_a_confirmation_is_unknown(desk, book, change):
    name, call, _, look = change
    if name in SILENT:
        pytest.skip("confirmed by silence")
    book[name] = {"hello": "world"}

    with pytest.raises(OutcomeUnknown) as unknown:
        call(desk.exchange())

    assert look in unknown.value.remedy


@pytest.mark.parametrize("rule", ["read_only", "dry_run"])
def test_who_may_change_nothing_sends_nothing(desk, book, change, rule):
    name, call, yes, _ = change
    book[name] = yes

    with pytest.raises(GuardrailRefused, match=rule):
        call(desk.exchange(guardrails={rule: True}))

    assert desk.book.count(name) == 0


# Alerts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, "0", -1, "", "x", True, None, 1.5, "\u0661", "9" * 21])
@pytest.mark.parametrize("method", ["delete", "activate", "deactivate", "get"])
def test_an_id_by_which_ibkr_means_all_alerts_never_leaves(desk, method, wrong):
    """Deleting 0 deletes every alert of the account."""
    with pytest.raises(InvalidRequest, match="all alerts; nothing was sent"):
        getattr(desk.exchange().alerts, method)(wrong)
    with pytest.raises(InvalidRequest):
        desk.exchange().alerts.modify(wrong, ALERT)

    assert not any("alert" in path for _, path, _ in desk.book.sent)


@pytest.mark.parametrize("number", ["0", "00", "-1"])
def test_nor_does_it_by_hand(desk, number):
    with pytest.raises(InvalidRequest, match="all alerts"):
        desk.exchange().request("DELETE", f"{ALERTS}/{number}", json={})

    assert not any("alert" in path for _, path, _ in desk.book.sent)


def test_one_alert_is_deleted_by_hand(desk, book):
    book[f"DELETE {ALERTS}/7"] = MADE

    assert desk.exchange().request("DELETE", f"{ALERTS}/7", json={}) == MADE


def test_alerts_are_listed_and_read(desk, book):
    row = {"order_id": 7, "alert_name": "AAPL", "alert_active": 1}
    book[f"GET {ALERTS}s"] = [row]
    book["GET /iserver/account/alert/7"] = row
    book["GET /iserver/account/mta"] = {"order_id": 8, "tool_id": 5}
    alerts = desk.exchange().alerts

    assert alerts.list().records()[0]["name"] == "AAPL"
    assert alerts.get("7").is_active is True
    assert desk.book.last("GET /iserver/account/alert/7") == "type=Q"
    assert alerts.mobile().tool_id == 5


def test_an_alert_that_is_not_there_is_an_error(desk, book):
    """IBKR says so inside a 200."""
    book["GET /iserver/account/alert/1"] = {"error": "Alert with order ID=1 not found."}

    with pytest.raises(ApiError, match="not found"):
        desk.exchange().alerts.get(1)


def test_an_alert_is_made_for_the_account_that_is_named(desk, book):
    """With an id it changes that one."""
    desk.book.accounts.append(SECOND)
    book[f"POST /iserver/account/{SECOND}/alert"] = MADE
    alerts = desk.exchange(account_id=ACCOUNT).alerts

    assert alerts.create(ALERT, SECOND) == 7
    assert "orderId" not in desk.book.last(f"POST /iserver/account/{SECOND}/alert")
    assert alerts.modify(9, ALERT, SECOND) == 7
    assert desk.book.last(f"POST /iserver/account/{SECOND}/alert")["orderId"] == 9


def test_an_alert_that_was_made_without_an_id_is_unknown(desk, book):
    book[f"POST {ALERTS}"] = {"success": True, "order_id": None}

    with pytest.raises(OutcomeUnknown):
        desk.exchange().alerts.create(ALERT)


def test_switching_says_which_way(desk, book):
    book[f"POST {ALERTS}/activate"] = MADE
    alerts = desk.exchange().alerts

    alerts.activate(7)
    assert desk.book.last(f"POST {ALERTS}/activate") == {"alertId": 7, "alertActive": 1}
    alerts.deactivate(7)
    assert desk.book.last(f"POST {ALERTS}/activate") == {"alertId": 7, "alertActive": 0}


# Watchlists ------------------------------------------------------------------------------


def test_watchlists_are_listed_and_read(desk, book):
    """The first answer of a session has the contract ids alone."""
    book["GET /iserver/watchlists"] = LISTS
    row = {"conid": AAPL, "ticker": "AAPL"}
    book["GET /iserver/watchlist"] = Turns(
        {"id": "1234", "instruments": [{"C": str(AAPL)}]}, {"id": "1234", "instruments": [row]}
    )
    watchlists = desk.exchange().watchlists

    assert watchlists.list().records()[0]["id"] == "1234"
    assert desk.book.last("GET /iserver/watchlists") == "SC=USER_WATCHLIST"
    assert watchlists.get(1234).rows[0].symbol == "AAPL"
    assert watchlists.get("1234").name is None
    assert desk.book.count("GET /iserver/watchlist") == 3
    watchlists.list(system=True)
    assert desk.book.last("GET /iserver/watchlists") == ""


def test_a_list_that_is_there_is_not_written_over(desk, book):
    """IBKR would do it and say nothing."""
    book["GET /iserver/watchlists"] = LISTS
    book["POST /iserver/watchlist"] = {"id": "1234"}
    watchlists = desk.exchange().watchlists

    with pytest.raises(InvalidRequest, match="written over; nothing was sent"):
        watchlists.create("other", [AAPL], watchlist_id=1234)
    assert desk.book.count("POST /iserver/watchlist") == 0
    assert watchlists.create("other", [AAPL], watchlist_id=1234, replace=True) == "1234"


def test_a_new_list_has_an_id_that_no_other_has(desk, book):
    """By the clock, and one further where that is taken."""
    now = str(int(desk.clock.now().timestamp() * 1000))
    book["GET /iserver/watchlists"] = Turns(
        {"data": {}}, {"data": {"user_lists": [{"id": now}], "system_lists": [{"id": str(int(now) + 1)}]}}
    )
    book["POST /iserver/watchlist"] = lambda content: {"id": content["id"]}
    desk.book.listings["MSFT"] = MSFT
    watchlists = desk.exchange().watchlists

    first = watchlists.create(" mine ", ["MSFT", MSFT, AAPL])

    assert desk.book.last("POST /iserver/watchlist") == {
        "id": first,
        "name": "mine",
        "rows": [{"C": MSFT}, {"C": AAPL}],
    }
    assert int(first) >= int(now)


def test_a_taken_id_is_passed_over(desk, book):
    """Two lists may be made in one moment."""
    taken: list[str] = []

    def make(content):
        taken.append(content["id"])
        return {"id": content["id"]}

    now = int(desk.clock.now().timestamp() * 1000)
    near = [{"id": str(now + step)} for step in range(6_000)]
    book["GET /iserver/watchlists"] = {"data": {"user_lists": near}}
    book["POST /iserver/watchlist"] = make

    desk.exchange().watchlists.create("mine", [])

    assert taken == [str(now + 6_000)]


@pytest.mark.parametrize("wrong", ["abc", "", 0, True, None, "1.5", "1" * 19])
def test_what_is_no_id_of_a_list_never_leaves(desk, wrong):
    """IBKR answers it with 503, as if the service were down."""
    watchlists = desk.exchange().watchlists

    with pytest.raises(InvalidRequest, match="is a number; nothing was sent"):
        watchlists.delete(wrong)
    with pytest.raises(InvalidRequest):
        watchlists.get(wrong)

    assert not any("watchlist" in path for _, path, _ in desk.book.sent)


def test_lists_with_negative_ids_are_deleted_too(desk, book):
    book["DELETE /iserver/watchlist"] = {"data": {"deleted": "-5"}}

    desk.exchange().watchlists.delete(-5)

    assert desk.book.last("DELETE /iserver/watchlist") == "id=-5"


@pytest.mark.parametrize(("name", "contracts"), [(" ", [AAPL]), ("mine", "AAPL")])
def test_a_list_without_a_name_or_of_one_text_is_refused(desk, name, contracts):
    with pytest.raises(InvalidRequest, match="nothing was sent"):
        desk.exchange().watchlists.create(name, contracts)


def test_a_list_with_an_unknown_name_is_not_made(desk, book):
    """Half a list is no list."""
    with pytest.raises(ContractNotFound):
        desk.exchange().watchlists.create("mine", [AAPL, "NOSUCH"])

    assert desk.book.count("POST /iserver/watchlist") == 0


# Notices ---------------------------------------------------------------------------------


def notice(number):
    return {"ID": str(number), "MS": "FYI", "FC": "PF", "D": "1710847062.0", "R": 0}


def test_notices_are_read_by_page(desk, book):
    """Ten a page, each asked for after the last of the one before."""
    book["GET /fyi/notifications"] = Turns(
        [notice(number) for number in range(1, 11)], [notice(number) for number in range(11, 14)]
    )
    notifications = desk.exchange().notifications

    assert [one.notice_id for one in notifications.list(12)] == [str(number) for number in range(1, 13)]
    assert desk.book.last("GET /fyi/notifications") == "max=10&id=10"


def test_a_page_that_repeats_itself_ends_the_list(desk, book):
    book["GET /fyi/notifications"] = [notice(number) for number in range(10)]

    assert len(desk.exchange().notifications.list(50)) == 10
    assert desk.book.count("GET /fyi/notifications") == 2


def test_notices_have_an_end_whatever_comes(desk, book):
    """Bounded, as all is."""
    numbers = iter(range(10**6))
    book["GET /fyi/notifications"] = lambda _: [notice(next(numbers)) for _ in range(10)]

    assert len(desk.exchange().notifications.list(5000)) == 1000


def test_kinds_are_included_or_excluded(desk, book):
    book["GET /fyi/notifications"] = []
    notifications = desk.exchange().notifications

    notifications.list(include=["pf", "BA"])
    assert desk.book.last("GET /fyi/notifications") == "max=10&include=PF,BA"
    notifications.list(exclude=["PF"])
    assert desk.book.last("GET /fyi/notifications") == "max=10&exclude=PF"
    for wrong in ({"most": 0}, {"include": ["A"], "exclude": ["B"]}, {"include": ["../x"]}):
        with pytest.raises(InvalidRequest, match="nothing was sent"):
            notifications.list(**wrong)


def test_a_cold_service_is_asked_again_a_few_times(desk, book):
    """It answers 423 and means: not yet."""
    cold = Page(423, {"status": "waiting for reply"})
    book["GET /fyi/unreadnumber"] = Turns(cold, {"BN": 4})
    notifications = desk.exchange().notifications

    assert notifications.unread() == 4
    book["GET /fyi/unreadnumber"] = cold
    with pytest.raises(ApiError, match="waiting for reply"):
        notifications.unread()
    assert desk.book.count("GET /fyi/unreadnumber") == 2 + 3


def test_another_refusal_is_told_at_once(desk, book):
    book["GET /fyi/settings"] = Page(500, {"error": "no"})

    with pytest.raises(ApiError):
        desk.exchange().notifications.kinds()

    assert desk.book.count("GET /fyi/settings") == 1


def test_kinds_disclaimers_and_delivery_are_read(desk, book):
    book["GET /fyi/settings"] = [{"FC": "BA", "A": 1, "FN": "Borrow"}]
    book["GET /fyi/disclaimer/BA"] = {"FC": "BA", "DT": "Read this"}
    book["GET /fyi/deliveryoptions"] = {"E": [{"NM": "phone", "I": "apn://1", "A": 1}], "M": 0}
    notifications = desk.exchange().notifications

    assert notifications.kinds().records()[0]["enabled"] is True
    assert notifications.disclaimer("BA") == "Read this"
    assert notifications.delivery().devices.records() == [{"name": "phone", "enabled": True}]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.mark_read("0"),
        lambda x: x.mark_read(" "),
        lambda x: x.enable(""),
        lambda x: x.add_device(" ", "apn://1"),
        lambda x: x.remove_device(" "),
        lambda x: x.answer_prompt(9, "", "Yes"),
        lambda x: x.answer_prompt(9, "1", " "),
    ],
)
def test_what_makes_no_sense_is_refused(desk, call):
    with pytest.raises(InvalidRequest, match="nothing was sent"):
        call(desk.exchange().notifications)


@pytest.mark.parametrize("order_id", [-1, 0, "x"])
def test_a_prompt_about_no_order_is_not_answered(desk, order_id):
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        desk.exchange().notifications.answer_prompt(order_id, "1", "Yes")


def test_what_is_sent_to_notices_is_as_documented(desk, book):
    book["POST /fyi/deliveryoptions/device"] = book["POST /fyi/settings/BA"] = YES
    book["PUT /fyi/deliveryoptions/email"] = YES
    book["POST /iserver/notification"] = Page(200, text="Success", kind="text/plain")
    notifications = desk.exchange().notifications

    notifications.add_device("phone", "apn://1")
    notifications.disable("ba")
    notifications.by_email(enabled=True)
    notifications.answer_prompt("9", "12345", "Yes")

    assert desk.book.last("POST /fyi/deliveryoptions/device") == {
        "deviceName": "phone",
        "deviceId": "apn://1",
        "uiName": "phone",
        "enabled": True,
    }
    assert desk.book.last("POST /fyi/settings/BA") == {"enabled": False}
    assert desk.book.last("PUT /fyi/deliveryoptions/email") == "enabled=true"
    assert desk.book.last("POST /iserver/notification") == {"orderId": 9, "reqId": "12345", "text": "Yes"}


# Groups, event contracts, lists ----------------------------------------------------------


def test_groups_are_listed_and_read(desk, book):
    book["GET /iserver/account/allocation/accounts"] = {
        "accounts": [{"name": "U1", "data": [{"key": "NetLiquidation", "value": "5.25"}]}]
    }
    book["GET /iserver/account/allocation/group"] = {
        "data": [{"name": "g", "allocation_method": "E", "size": 2}]
    }
    book["POST /iserver/account/allocation/group/single"] = {
        "name": "g",
        "default_method": "E",
        "accounts": [],
    }
    advisers = desk.exchange().advisers

    assert advisers.sub_accounts().records()[0]["net liquidation"] == Decimal("5.25")
    assert advisers.groups().records()[0]["size"] == 2
    assert advisers.group(" g ").method is Method.EQUAL
    assert desk.book.last("POST /iserver/account/allocation/group/single") == {"name": "g"}
    for wrong in (" ", None):
        with pytest.raises(InvalidRequest, match="no group's name"):
            advisers.group(wrong)
    with pytest.raises(InvalidRequest, match="members"):
        advisers.add(Group(name="g", method=Method.EQUAL))


def test_a_group_can_be_given_another_name(desk, book):
    book["PUT /iserver/account/allocation/group"] = {"success": True}
    advisers = desk.exchange().advisers

    advisers.modify(GROUP)
    assert "prev_name" not in desk.book.last("PUT /iserver/account/allocation/group")
    advisers.modify(GROUP, previous="old")
    assert desk.book.last("PUT /iserver/account/allocation/group")["prev_name"] == "old"


def test_event_contracts_are_found_from_category_to_hours(desk, book):
    market = {"conid": 5, "name": "CO2"}
    book["GET /forecast/category/tree"] = {"categories": {"g": {"name": "Climate", "markets": [market]}}}
    book["GET /forecast/contract/market"] = {"contracts": [{"conid": 6, "side": "Y"}]}
    book["GET /forecast/contract/details"] = {"conid_yes": 6, "conid_no": 7}
    book["GET /forecast/contract/rules"] = {"source_agency": "EIA"}
    book["GET /forecast/contract/schedules"] = {
        "timezone": "US/Central",
        "trading_schedules": [{"day_of_week": "Sunday", "trading_times": [{"open": "12:00 AM"}]}],
    }
    forecasts = desk.exchange().forecasts

    assert forecasts.categories().records()[0]["markets"] == 1
    assert forecasts.market(5).rows.records()[0]["side"] == "Y"
    forecasts.market(5, "FORECASTX")
    assert desk.book.last("GET /forecast/contract/market") == "underlyingConid=5&exchange=FORECASTX"
    assert (forecasts.details(6).no, forecasts.rules(6).agency) == (7, "EIA")
    assert forecasts.hours(6).records()[0]["day"] == "Sunday"
    for wrong in (0, True, "6"):
        with pytest.raises(InvalidRequest, match="nothing was sent"):
            forecasts.details(wrong)


def test_lists_calendars_and_rules_are_read(desk, book):
    book["GET /trsrv/all-conids"] = [{"conid": 5, "ticker": "ADI"}]
    book["GET /iserver/secdef/bond-filters"] = {"bondFilters": [{"options": [{"value": "USD"}]}]}
    book["GET /trsrv/secdef/schedule"] = [
        {"schedules": [{"tradingScheduleDate": "20000103", "tradingtimes": [{"openingTime": "0930"}]}]}
    ]
    book["POST /iserver/contract/rules"] = {"orderTypes": ["limit"], "increment": 0.01}
    catalogue = desk.exchange().catalogue

    assert catalogue.shares("NMS").records()[0]["symbol"] == "ADI"
    assert catalogue.bond_filters("e1").records()[0]["value"] == "USD"
    assert catalogue.venues("IBM", exchange="NYSE").records()[0]["opens"] == "0930"
    assert desk.book.last("GET /trsrv/secdef/schedule") == "assetClass=STK&symbol=IBM&exchange=NYSE"
    catalogue.venues("IBM")
    assert desk.book.last("GET /trsrv/secdef/schedule") == "assetClass=STK&symbol=IBM"
    assert catalogue.order_rules(AAPL, Side.SELL).increment == Decimal("0.01")
    assert desk.book.last("POST /iserver/contract/rules") == {"conid": AAPL, "isBuy": False}
    with pytest.raises(InvalidRequest, match="calendar"):
        catalogue.venues("IBM", "CASH")
    with pytest.raises(InvalidRequest, match="no exchange"):
        catalogue.shares(" ")


def test_rates_and_pairs_are_those_of_the_session(desk):
    catalogue = desk.exchange().catalogue

    assert catalogue.rate("eur", "usd") == Decimal("1.1")
    assert catalogue.pair("usd", "eur").symbol == "EUR.USD"


def test_questions_can_be_asked_for_again(desk, book):
    book["POST /iserver/questions/suppress/reset"] = {"status": "submitted"}

    desk.exchange().catalogue.reset_suppressed()
    for rule in ("read_only", "dry_run"):
        with pytest.raises(GuardrailRefused, match=rule):
            desk.exchange(guardrails={rule: True}).catalogue.reset_suppressed()

    assert desk.book.count("POST /iserver/questions/suppress/reset") == 1


# The login -------------------------------------------------------------------------------


def test_the_login_is_validated(desk, book):
    book["GET /sso/validate"] = {"RESULT": True, "EXPIRES": 5}

    assert desk.exchange().catalogue.validate().is_valid is True


def test_a_logout_ends_the_connection(desk, book):
    """Nothing logs in again behind the back of who logged out."""
    book["POST /logout"] = {"status": True}
    ibkr = desk.exchange()

    ibkr.catalogue.logout()

    with pytest.raises(BrokerageUnavailable, match="was closed"):
        ibkr.get_open_orders()


def test_a_lost_logout_ends_it_as_well(desk, book):
    book["POST /logout"] = OutcomeUnknown("cut")
    ibkr = desk.exchange()

    with pytest.raises(OutcomeUnknown):
        ibkr.catalogue.logout()
    with pytest.raises(BrokerageUnavailable, match="was closed"):
        ibkr.get_open_orders()
    assert desk.book.count("POST /logout") == 1


@pytest.mark.parametrize("rule", ["read_only", "dry_run"])
def test_who_may_change_nothing_stays_logged_in(desk, rule):
    ibkr = desk.exchange(guardrails={rule: True})

    with pytest.raises(GuardrailRefused):
        ibkr.catalogue.logout()

    assert ibkr.get_open_orders() == []


def test_a_desk_goes_with_its_connection(desk, book):
    """What was closed is made anew with the next call."""
    book[f"GET {ALERTS}s"] = []
    ibkr = desk.exchange()

    first = ibkr.alerts
    assert ibkr.alerts is first
    ibkr.close()

    assert ibkr.alerts is not first
    assert len(ibkr.alerts.list()) == 0
