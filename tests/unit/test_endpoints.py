"""The table of endpoints: complete, true to the published limits, and safe to build paths from."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.wire import endpoints
from ibkr_adapter.wire.endpoints import ENDPOINTS, find

COVERAGE = Path(__file__).parents[3] / "shared" / "facts" / "trading-endpoints-coverage.json"
MARK = re.compile(r"\{(\w+)\}")
FIXED_WORDS = {part for each in ENDPOINTS for part in each.template.split("/") if not part.startswith("{")}

# Every sign that means something in an address, and some that must survive being encoded.
SIGNS = "aZ09-_~.:/?#[]@!$&'()*+,;=%{} \\\"\n\x00éЖ雪😀"
values = st.text(SIGNS, min_size=1, max_size=12).filter(lambda text: text not in FIXED_WORDS | {".", ".."})


def _marks(endpoint):
    return MARK.findall(endpoint.template)


@given(st.data())
def test_a_path_leads_back_to_the_endpoint_that_made_it(data):
    """Whatever stands in a value, it stays one segment: no call can slip into another endpoint."""
    endpoint = data.draw(st.sampled_from(ENDPOINTS))
    path = endpoint.path(**{mark: data.draw(values) for mark in _marks(endpoint)})

    found = find(endpoint.method, path)

    assert found is endpoint
    assert path.count("/") == endpoint.template.count("/")


@given(st.data())
def test_what_was_filled_in_can_be_taken_out_again(data):
    """A path that a caller wrote by hand is taken apart and filled anew before it is sent."""
    endpoint = data.draw(st.sampled_from(ENDPOINTS))
    filled = {mark: data.draw(values) for mark in _marks(endpoint)}

    assert endpoints.values(endpoint, endpoint.path(**filled) + "?force=true") == filled


def test_a_value_is_encoded_to_the_last_sign():
    """A slash, a question mark or a percent sign in an id would change the address."""
    path = endpoints.CANCEL_ORDER.path(accountId="DU 1/2?a=%", orderId=987654321)

    assert path == "/iserver/account/DU%201%2F2%3Fa%3D%25/order/987654321"


def test_a_template_without_parts_is_its_own_path():
    assert endpoints.TICKLE.path() == "/tickle"


@pytest.mark.parametrize(
    "given_values", [{}, {"accountId": "DU1"}, {"orderId": 1, "accountId": "DU1", "page": 0}]
)
def test_a_missing_or_unknown_part_is_refused(given_values):
    """A half-filled address could meet another endpoint."""
    with pytest.raises(ValueError, match="takes accountId, orderId, not"):
        endpoints.CANCEL_ORDER.path(**given_values)


@pytest.mark.parametrize("value", ["", ".", "..", None, True, 1.5])
def test_a_value_that_is_no_segment_is_refused(value):
    """Dots are normalised away on the road, None becomes a word, and an empty id a shorter path."""
    with pytest.raises(ValueError, match="accountId"):
        endpoints.PLACE_ORDERS.path(accountId=value)


def test_a_name_shows_the_verb_and_the_template():
    assert endpoints.PLACE_ORDERS.name == "POST /iserver/account/{accountId}/orders"


def test_no_endpoint_is_listed_twice():
    counted = Counter(each.name for each in ENDPOINTS)

    assert [name for name, times in counted.items() if times > 1] == []


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/iserver/account/orders", endpoints.LIVE_ORDERS),
        ("POST", "/iserver/account/orders/MyGroup", endpoints.PLACE_ORDERS_FOR_GROUP),
        ("POST", "/iserver/account/DU1234567/orders", endpoints.PLACE_ORDERS),
        ("POST", "/iserver/account/DU1234567/orders/whatif", endpoints.WHATIF),
        ("POST", "/iserver/account/DU1234567/order/whatif", endpoints.WHATIF_ORDER),
        ("POST", "/iserver/account/DU1234567/order/17", endpoints.MODIFY_ORDER),
        ("delete", "/iserver/account/DU1234567/order/17", endpoints.CANCEL_ORDER),
        ("GET", "/iserver/account/order/status/17", endpoints.ORDER_STATUS),
        ("GET", "/portfolio/positions/265598", endpoints.POSITIONS_OF_CONID),
        ("GET", "/portfolio/DU1234567/positions/0", endpoints.POSITIONS),
        ("POST", "/portfolio/DU1234567/positions/invalidate", endpoints.INVALIDATE_POSITIONS),
        ("GET", "/fyi/notifications/more?id=3", endpoints.FYI_NOTIFICATIONS_MORE),
        ("PUT", "/fyi/deliveryoptions/email?enabled=true", endpoints.FYI_DELIVERY_EMAIL),
        ("GET", "iserver/accounts/", endpoints.ACCOUNTS),
    ],
)
def test_fixed_words_win_over_variable_parts(method, path, expected):
    """Several templates fit these paths; the server takes the one with the fixed word."""
    assert find(method, path) is expected


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_an_unknown_address_counts_as_a_change_unless_it_is_read(method):
    """What nobody listed may place orders for all we know, so it is never repeated."""
    unknown = find(method, "/iserver/new/order-machine?now=1")
    read = find("get", "/new/reading")

    assert unknown.changes_state
    assert unknown.brokerage
    assert unknown.name == f"{method} /iserver/new/order-machine"
    assert (unknown.window, unknown.concurrent) == (None, None)
    assert (read.changes_state, read.brokerage, read.path()) == (False, False, "/new/reading")


def test_a_listed_address_under_another_verb_keeps_its_limits():
    """The meter counts addresses, and reading a page that only acts is not known to be harmless."""
    status, tickle, logout = (find("GET", path) for path in ("/iserver/auth/status", "/tickle", "/logout"))

    assert (status.method, status.changes_state, status.brokerage) == ("GET", False, False)
    assert (tickle.window, tickle.paced_as) == ((1, 1.0), endpoints.TICKLE)
    assert status.paced_as is None
    assert logout.changes_state
    assert find("PUT", "/tickle").changes_state


def test_an_empty_segment_fits_no_variable_part():
    """An account id that went missing must not look like an account."""
    assert find("POST", "/iserver/account//orders").template == "/iserver/account//orders"


def test_everything_that_could_act_twice_is_a_change():
    """These calls are read from the table one by one: a wrong entry would be repeated with money."""
    harmless = {each.name for each in ENDPOINTS if each.method != "GET" and not each.changes_state}

    assert harmless == {
        "POST /tickle",
        "POST /iserver/auth/status",
        "POST /iserver/auth/ssodh/init",
        "POST /iserver/questions/suppress",
        "POST /iserver/questions/suppress/reset",
        "POST /oauth/live_session_token",
        "POST /portfolio/allocation",
        "POST /portfolio/{accountId}/positions/invalidate",
        "POST /pa/performance",
        "POST /pa/allperiods",
        "POST /pa/transactions",
        "POST /pa/allocation",
        "POST /pa/summary",
        "POST /iserver/marketdata/unsubscribe",
        "POST /hmds/auth/init",
        "POST /iserver/scanner/run",
        "POST /hmds/scanner/run",
        "POST /iserver/secdef/search",
        "POST /iserver/contract/rules",
        "POST /trsrv/secdef",
        "POST /iserver/account/{accountId}/orders/whatif",
        "POST /iserver/account/{accountId}/order/whatif",
        "POST /iserver/account/allocation/group/single",
        "POST /fa/model/list",
        "POST /fa/model/positions",
        "POST /fa/model/summary",
        "POST /fa/model/accounts-details",
        "POST /fa/model/invest-divest-positions",
        "POST /fa/fa-preset/get",
    }
    assert [each.name for each in ENDPOINTS if each.method == "GET" and each.changes_state] == [
        "GET /md/regsnapshot"
    ]


def test_the_limits_are_those_that_were_published():
    """Per-endpoint pacing of the documentation; history stays one below its five at once."""
    windows = {
        each.name: each.window for each in ENDPOINTS if each.window and not each.template.startswith("/fyi")
    }

    assert windows == {
        "GET /iserver/marketdata/snapshot": (10, 1.0),
        "GET /iserver/scanner/params": (1, 900.0),
        "POST /iserver/scanner/run": (1, 1.0),
        "GET /iserver/account/trades": (1, 5.0),
        "GET /iserver/account/orders": (1, 5.0),
        "GET /iserver/account/pnl/partitioned": (1, 5.0),
        "GET /portfolio/accounts": (1, 5.0),
        "GET /portfolio/subaccounts": (1, 5.0),
        "POST /pa/performance": (1, 900.0),
        "POST /pa/summary": (1, 900.0),
        "POST /pa/transactions": (1, 900.0),
        "POST /pa/allperiods": (1, 900.0),
        "POST /pa/allocation": (1, 900.0),
        "POST /tickle": (1, 1.0),
        "GET /sso/validate": (1, 60.0),
    }
    assert {each.window for each in ENDPOINTS if each.template.startswith("/fyi")} == {(1, 1.0)}
    assert [(each.name, each.concurrent) for each in ENDPOINTS if each.concurrent] == [
        ("GET /iserver/marketdata/history", 4)
    ]


def test_the_brokerage_session_is_needed_below_iserver_only():
    """And not by the calls that open it, or it could never be opened."""
    outer = {
        each.template for each in ENDPOINTS if each.template.startswith("/iserver") and not each.brokerage
    }
    inner = {each.template.split("/")[1] for each in ENDPOINTS if each.brokerage}

    assert outer == {"/iserver/auth/status", "/iserver/auth/ssodh/init", "/iserver/reauthenticate"}
    assert inner == {"iserver"}


@pytest.mark.recorded
def test_every_operation_of_the_published_list_is_in_the_table():
    """132 operations over all versions; the ten of the trial without a brokerage session are gone."""
    if not COVERAGE.exists():
        pytest.skip("the list of published operations does not lie beside this checkout")
    operations = json.loads(COVERAGE.read_text())["operations"]
    published = {
        f"{each['method']} {each['path'].partition('?')[0]}" for each in operations if " " not in each["path"]
    }

    ours = {each.name for each in ENDPOINTS}

    assert published - ours == set()
    assert ours - published == {"POST /gw/api/v1/sso-sessions", "GET /iserver/auth/status"}
