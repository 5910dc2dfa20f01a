"""Groups of advisers as they are written and read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from witnesses import documented

from ibkr_adapter.errors import InvalidRequest, UnexpectedAnswer
from ibkr_adapter.model.adviser import Group, Member, Method
from ibkr_adapter.wire import advisers

TWO = (Member(account_id="U1"), Member(account_id="U2"))
SIZED = (Member(account_id="U1", amount=Decimal(4)), Member(account_id="U2", amount=Decimal("1.5")))


def test_a_group_is_written_with_its_amounts():
    """As numbers, because those of the documents are."""
    body = advisers.group_body(Group(name="g", method=Method.SHARES, members=SIZED), "old")

    assert body == {
        "name": "g",
        "prev_name": "old",
        "default_method": "S",
        "accounts": [{"name": "U1", "amount": 4}, {"name": "U2", "amount": 1.5}],
    }
    assert advisers.group_body(Group(name="g", method=Method.EQUAL, members=TWO))["accounts"][0] == {
        "name": "U1"
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"members": ()},
        {"method": "Z"},
        {"method": None},
        {"method": Method.SHARES},
        {"members": SIZED},
        {"members": (*TWO, SIZED[0])},
        {"method": Method.RATIO, "members": (*TWO, SIZED[0])},
    ],
)
def test_a_group_that_could_not_be_allocated_by_is_refused(wrong):
    """Amounts for all where the method divides by them, for none where it does not."""
    group = Group(**{"name": "g", "method": Method.EQUAL, "members": TWO, **wrong})

    with pytest.raises(InvalidRequest, match="nothing was sent"):
        group.check()


def test_a_whole_group_passes():
    Group(name="g", method=Method.EQUAL, members=TWO).check()
    Group(name="g", method=Method.PERCENTAGE, members=SIZED).check()


def test_an_unknown_method_is_kept():
    """A word that only describes may be unknown."""
    found = advisers.read_group(
        {"name": "g", "default_method": "Q", "accounts": [{"name": "U1", "amount": "5"}]}
    )

    assert (found.method, found.members[0].amount) == ("Q", Decimal(5))
    assert advisers.read_groups({"data": [{"name": "g"}]})[0].method is None


@pytest.mark.parametrize("read", [advisers.read_sub_accounts, advisers.read_groups, advisers.read_group])
@pytest.mark.parametrize("broken", [[], "x", {"accounts": [{}], "data": [{}]}])
def test_what_lacks_its_name_is_an_error(read, broken):
    with pytest.raises(UnexpectedAnswer):
        read(broken)


@pytest.mark.parametrize(("content", "yes"), [({"success": True}, True), ({}, False), ([], False)])
def test_a_change_is_confirmed_by_success(content, yes):
    assert advisers.is_done(content) is yes


@pytest.mark.recorded
def test_documented_groups():
    (accounts,) = documented("GET_iserver_account_allocation_accounts.json").values()
    (groups,) = documented("GET_iserver_account_allocation_group.json").values()

    assert advisers.read_sub_accounts(accounts)[0].net_liquidation == Decimal("230013224.04")
    assert [one.method for one in advisers.read_groups(groups)] == [Method.EQUAL, Method.NET_LIQUIDATION]
