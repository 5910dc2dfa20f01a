"""An advisor's groups, presets and models."""

from __future__ import annotations

from decimal import Decimal

import pytest
from simulator_client import AAPL, ACCOUNT, Broker

FIRST, SECOND = "DU7654321", "DU7654322"
ROOT = "/iserver/account/allocation"
GROUP = {"name": "halves", "default_method": "E", "accounts": [{"name": FIRST}, {"name": SECOND}]}
MODEL = {
    "reqID": 1,
    "model": "Growth",
    "desc": "Mostly shares",
    "isStatic": True,
    "positionTargets": [{"conid": AAPL, "target": 0.75}, {"conid": 999999999, "target": 0.15}],
    "cashTargets": [{"ccy": "USD", "target": 0.1}],
}


@pytest.fixture
def broker():
    return Broker(advisor=True, accounts=[FIRST, SECOND]).ready()


def groups(broker):
    return broker.get(f"{ROOT}/group").body["data"]


def fa(broker, path, **body):
    return broker.post(f"/fa/{path}", {"reqID": 7} | body)


@pytest.fixture
def invested(broker):
    broker.post("/fa/model/save", MODEL)
    rows = [{"account": FIRST, "amount": 1000}, {"account": SECOND, "amount": 500.5}]
    fa(broker, "model/invest-divest", model="Growth", accountList=rows)
    return broker


def test_others_have_none_of_it():
    """503; and the account list tells who is an advisor."""
    other = Broker(accounts=[FIRST]).ready()

    assert (other.get(f"{ROOT}/group").status, fa(other, "model/list").status) == (503, 503)
    assert other.get("/iserver/accounts").body["groups"] == []
    assert other.get("/portfolio/accounts").body[0]["faclient"] is False


def test_an_advisors_list_has_all_accounts_together_and_every_group(broker):
    """As if they were accounts, though they have no properties."""
    broker.post(f"{ROOT}/group", GROUP)

    body = broker.get("/iserver/accounts").body

    assert body["accounts"] == [ACCOUNT, FIRST, SECOND, "All", "halves"]
    assert body["groups"] == ["All", "halves"]
    assert body["aliases"]["All"] == "All"
    assert list(body["acctProps"]) == [ACCOUNT, FIRST, SECOND]
    assert (body["allowFeatures"]["allowFA"], body["acctProps"][FIRST]["hasChildAccounts"]) == (True, True)
    told = broker.get("/portfolio/accounts").body
    assert [one["faclient"] for one in told] == [True, False, False]


def test_accounts_are_told_with_what_the_methods_go_by(broker):
    """Two figures, both as texts, of all accounts but the advisor's own."""
    broker.gateway.seed_position(AAPL, Decimal(100), account=FIRST)

    rows = broker.get(f"{ROOT}/accounts").body["accounts"]

    assert [one["name"] for one in rows] == [FIRST, SECOND]
    assert {one["key"]: one["value"] for one in rows[0]["data"]} == {
        "NetLiquidation": "1016500.00",
        "AvailableEquity": "1012375.00",
    }


def test_a_group_is_made_told_renamed_and_deleted(broker):
    """Amounts are told where the method has any."""
    made = broker.post(f"{ROOT}/group", GROUP).body
    shares = GROUP | {
        "name": "shares",
        "default_method": "S",
        "accounts": [{"name": FIRST, "amount": 4}, {"name": SECOND, "amount": 1}],
    }
    broker.call("PUT", f"{ROOT}/group", shares | {"prev_name": "halves"})
    told = broker.post(f"{ROOT}/group/single", {"name": "shares"}).body
    listed = groups(broker)
    back = broker.call("PUT", f"{ROOT}/group", GROUP | {"previous_name": "shares"})
    plain = broker.post(f"{ROOT}/group/single", {"name": "halves"}).body
    gone = broker.post(f"{ROOT}/group/delete", {"name": "halves"}).body

    assert made == gone == back.body == {"success": True}
    assert told["accounts"] == [{"name": FIRST, "amount": 4.0}, {"name": SECOND, "amount": 1.0}]
    assert listed == [{"allocation_method": "S", "size": 2, "name": "shares"}]
    assert plain == GROUP
    assert groups(broker) == []


def test_a_group_is_changed_under_its_own_name(broker):
    """Without a name before."""
    broker.post(f"{ROOT}/group", GROUP)

    changed = broker.call("PUT", f"{ROOT}/group", GROUP | {"accounts": [{"name": FIRST}]})

    assert changed.body == {"success": True}
    assert groups(broker)[0]["size"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "halves"},
        {"default_method": "X"},
        {"accounts": []},
        {"accounts": [{"name": ACCOUNT}]},
        {"accounts": ["x"]},
        {"default_method": "P"},
        {"default_method": "P", "accounts": [{"name": FIRST, "amount": True}]},
    ],
)
def test_a_group_that_makes_no_sense_is_refused(broker, changes):
    """A name that is there, an unknown method or account, an amount that is missing."""
    broker.post(f"{ROOT}/group", GROUP)

    reply = broker.post(f"{ROOT}/group", GROUP | {"name": "new"} | changes)

    assert reply.status == 500
    assert len(groups(broker)) == 1


def test_a_group_that_is_not_there_is_refused(broker):
    """Wherever it is named; and no group takes the name of another."""
    broker.post(f"{ROOT}/group", GROUP)
    broker.post(f"{ROOT}/group", GROUP | {"name": "new"})

    replies = [
        broker.call("PUT", f"{ROOT}/group", GROUP | {"name": "none"}),
        broker.call("PUT", f"{ROOT}/group", GROUP | {"prev_name": "new"}),
        broker.post(f"{ROOT}/group/single", {"name": "none"}),
        broker.post(f"{ROOT}/group/delete", {}),
        broker.post(f"{ROOT}/group/delete", []),
    ]

    assert [one.status for one in replies] == [500] * 5
    assert len(groups(broker)) == 2


def test_presets_are_changed_all_or_none(broker):
    """An unknown one, or one of another type, leaves the others alone."""
    before = broker.get(f"{ROOT}/presets").body
    changed = broker.post(f"{ROOT}/presets", {"default_method_for_all": "N", "strict_credit_check": True})
    bad = [
        broker.post(f"{ROOT}/presets", {"strict_credit_check": False} | one)
        for one in ({"colour": True}, {"group_proportional_allocation": 1}, {"default_method_for_all": "A"})
    ]

    after = broker.get(f"{ROOT}/presets").body
    assert (before["default_method_for_all"], changed.body) == ("AvailableEquity", {"success": True})
    assert [one.status for one in bad] == [500] * 3
    assert (after["default_method_for_all"], after["strict_credit_check"]) == ("N", True)


# Models.


def test_a_model_is_saved_and_told(broker):
    """Targets as texts; a contract that nobody lists has no name."""
    saved = broker.post("/fa/model/save", MODEL).body
    listed = fa(broker, "model/list").body
    told = fa(broker, "model/positions", model="Growth").body

    assert saved == {"reqID": 1, "success": True}
    assert (listed["masterAccount"], listed["reqID"], len(listed["models"])) == (ACCOUNT, 7, 1)
    assert [(one["instrument"], one["trgt"]) for one in told["positionList"]] == [
        ("AAPL", "0.75"),
        ("None", "0.15"),
    ]
    assert told["cash"][0]["trgt"] == "0.1"
    assert fa(broker, "model/summary", model="Growth").body["isStatic"] is True


def test_money_goes_into_a_model_when_it_is_submitted(invested):
    """The number of the request comes back as text once, and the money stays cash."""
    asked = fa(
        invested, "model/invest-divest", model="Growth", accountList=[{"account": FIRST, "amount": 1000}]
    )
    before = fa(invested, "model/summary", model="Growth").body
    submitted = fa(invested, "model/submit-transfers").body
    after = fa(invested, "model/summary", model="Growth").body
    told = fa(invested, "model/positions", model="Growth").body

    assert asked.body == {"reqID": "7", "subscriptionKey": "2", "subscriptionStatus": 0}
    assert (before["nlv"], before["numAccounts"]) == ("0", 0)
    assert submitted == {"reqID": 7, "success": True}
    assert (after["nlv"], after["numAccounts"]) == ("1500.5", 2)
    assert (told["nlv"], told["cash"][0]["mv"], told["positionList"][0]["position"]) == (
        1500.5,
        "1500.5",
        "0",
    )


def test_money_comes_out_of_a_model_again(invested):
    """An account with nothing left in it is not invested."""
    fa(invested, "model/submit-transfers")
    fa(invested, "model/invest-divest", model="Growth", accountList=[{"account": FIRST, "amount": -1000}])
    invested.post("/fa/model/save", MODEL | {"desc": "Other targets"})

    fa(invested, "model/submit-transfers")

    told = fa(invested, "model/summary", model="Growth").body
    assert (told["nlv"], told["numAccounts"], told["desc"]) == ("500.5", 1, "Other targets")


def test_who_is_invested_is_told_with_a_row_of_sums(invested):
    """The sum's alias is the word None."""
    invested.post("/fa/model/save", MODEL | {"model": "Other"})
    fa(invested, "model/invest-divest", model="Other", accountList=[{"account": FIRST, "amount": 50}])
    fa(invested, "model/submit-transfers")

    details = fa(invested, "model/accounts-details", model="Growth").body
    positions = fa(invested, "model/invest-divest-positions", model="Growth").body

    assert [(one["account"], one["nlv"], one["indCash"]) for one in details["accountInfoList"]] == [
        (FIRST, "1000", "998950"),
        (SECOND, "500.5", "999499.5"),
        ("TOTAL", "1500.5", "1998449.5"),
    ]
    assert details["accountInfoList"][-1]["alias"] == "None"
    first = positions["accountList"][0]
    assert (first["accountModelNlv"], first["accountOtherModelsNlv"], first["nlv"]) == (
        "1000",
        "50",
        "1000000",
    )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("model/summary", {"model": "None"}),
        ("model/list", {"reqID": "x"}),
        ("model/save", {"model": "", "positionTargets": []}),
        ("model/save", {"model": "New", "positionTargets": [{"conid": "x", "target": 1}]}),
        ("model/save", {"model": "New", "positionTargets": ["x"]}),
        ("model/invest-divest", {"model": "Growth", "accountList": []}),
        ("model/invest-divest", {"model": "Growth", "accountList": [{"account": "U1", "amount": 1}]}),
        ("model/invest-divest", {"model": "Growth", "accountList": [{"account": FIRST}]}),
    ],
)
def test_what_makes_no_sense_of_a_model_is_refused(invested, path, body):
    """500, and nothing is kept."""
    assert fa(invested, path, **body).status == 500
    assert [one["model"] for one in fa(invested, "model/list").body["models"]] == ["Growth"]


def test_presets_of_transfers_are_kept(broker):
    """What is unknown, or of another type, is ignored."""
    saved = fa(broker, "fa-preset/save", keepModelOpen=True, cashQtyEstimateFactor="x", colour=1).body

    told = fa(broker, "fa-preset/get").body
    assert saved == {"error": "None", "success": True, "reqID": 7, "subscriptionStatus": 1}
    assert (told["keepModelOpen"], told["cashQtyEstimateFactor"], "colour" in told) == (True, 25, False)
    assert broker.post("/fa/fa-preset/get", []).status == 500
