"""What is called by hand arrives as the address that was looked at, or is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from worlds import World

from ibkr_adapter.errors import ConfigurationError, InvalidOrder, InvalidRequest

DIGITS = 10**5000
ACCOUNT = "/iserver/account/DU1234567"


@pytest.mark.parametrize(
    "path",
    [
        f"{ACCOUNT}/order/../order/-1",
        f"{ACCOUNT}/order/x/%2e%2e/-1",
        f"{ACCOUNT}/./order/-1",
        f"{ACCOUNT}//order/-1",
        f"{ACCOUNT}/order/-1#/x",
        f"{ACCOUNT}/order%2F-1",
        f"{ACCOUNT}/order%5c-1",
        f"{ACCOUNT}/order;x/-1",
        f"{ACCOUNT}/%6frder/-1",
        f"{ACCOUNT}/order/-1\r\n",
        f"{ACCOUNT}\\order/-1",
        f"{ACCOUNT}/alert/x/../0",
        "/../../logout",
        "",
        None,
        7,
        "/iserver/\ud800",
    ],
)
def test_a_path_that_would_arrive_as_another_one_is_refused(world, ibkr, path):
    """Each of them cancelled everything, or deleted every alert, by the time it had arrived."""
    with pytest.raises((InvalidRequest, InvalidOrder), match="nothing was sent"):
        ibkr.request("DELETE", path)

    assert [sent for sent in world.doorway.sent if sent[0] == "DELETE"] == []


def test_a_path_may_encode_what_it_likes(ibkr):
    assert ibkr.request("get", "/%69server/accounts/") == ibkr.request("GET", "iserver/accounts")


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "GET /x HTTP/1.1\r\n"},
        {"method": None},
        {"params": "a=b"},
        {"params": {"a": "\ud800"}},
        {"params": {"a": DIGITS}},
        {"json": {"a": float("nan")}},
        {"json": {"a": Decimal(1)}},
        {"json": b"x"},
    ],
)
def test_a_call_that_cannot_be_written_is_refused(world, ibkr, asked):
    with pytest.raises(InvalidRequest, match="nothing was sent"):
        ibkr.request(**({"method": "POST", "path": "/iserver/watchlist"} | asked))

    assert not [path for _, path, _ in world.doorway.sent if path == "/iserver/watchlist"]


LIVE_ORDERS = [
    ("POST", "/iserver/account/U1234567/orders"),
    ("POST", "/iserver/account/U1234567/order/1370093238"),
    ("POST", "/iserver/account/U1234567/order"),
    ("POST", "/iserver/v2/account/U1234567/orders"),
    ("POST", "/fa/model/invest-divest"),
]


@pytest.mark.parametrize(("method", "path"), LIVE_ORDERS)
@pytest.mark.parametrize("environment", [None, "paper"])
def test_no_order_reaches_a_live_account_by_hand_unless_a_person_wrote_that_it_may(
    tmp_path, method, path, environment
):
    world = World(tmp_path, account="U1234567")
    ibkr = world.exchange(environment=environment)

    with pytest.raises(ConfigurationError, match="LIVE account"):
        ibkr.request(method, path, json={"orders": []})

    assert [sent for verb, sent, _ in world.doorway.sent if verb == "POST" and sent == path] == []
    world.close()


def test_with_production_written_orders_by_hand_reach_a_live_account(tmp_path):
    world = World(tmp_path, account="U1234567")
    ibkr = world.exchange(environment="production")
    ticket = {"acctId": "U1234567", "conid": 265598, "orderType": "LMT", "price": 164, "side": "BUY"}

    ibkr.request(*LIVE_ORDERS[0], json={"orders": [ticket | {"quantity": 1, "tif": "DAY"}]})

    assert world.count("POST /iserver/account/{accountId}/orders") == 1
    world.close()
