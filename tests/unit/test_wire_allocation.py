"""What a whole is made up of, and who owns it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from witnesses import documented, recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import allocation

recorded = recorded_in(".")
LEGS = [{"conid": "708474422", "ratio": 1}, {"conid": "710225103", "ratio": -1}]


def test_each_view_and_side_has_its_shares():
    """Names are free texts, and a short side is no negative long one."""
    found = allocation.read_allocation(
        {
            "assetClass": {"long": {"STK": 30613.4, "CASH": 5}, "short": {"OPT": -7}},
            "sector": {"long": {"Others": None}},
        }
    )

    assert [(one.view, one.side, one.name, one.value) for one in found] == [
        ("assetClass", "long", "STK", Decimal("30613.4")),
        ("assetClass", "long", "CASH", Decimal(5)),
        ("assetClass", "short", "OPT", Decimal(-7)),
        ("sector", "long", "Others", None),
    ]


def test_the_analyst_adds_weights():
    """A weight is a fraction of the whole."""
    items = [
        {"id": "STK", "name": "Stocks", "nav": 14469.08, "weight": 0.181},
        {"id": "X", "nav": None},
        {},
    ]

    found = allocation.read_analysis({"allocations": {"ASSET_CLASS": {"long": {"items": items}}}})

    assert (found[0].name, found[0].key, found[0].weight) == ("Stocks", "STK", Decimal("0.181"))
    assert (found[1].name, found[1].value) == ("X", None)
    assert (found[2].name, found[2].key) == ("", None)


def test_an_allocation_of_nothing_is_empty():
    assert allocation.read_analysis({}) == ()
    assert allocation.read_analysis({"allocations": {"SECTOR": {"short": {}}}}) == ()


@pytest.mark.parametrize("broken", [[], {"assetClass": []}, {"assetClass": {"long": [1]}}])
def test_what_is_no_allocation_is_an_error(broken):
    with pytest.raises(UnexpectedAnswer):
        allocation.read_allocation(broken)


def test_a_combination_has_its_legs_and_their_positions():
    """A leg's contract id is a text, a position's a number, and a null the word None."""
    row = {"acctId": "U1", "conid": 708474422, "position": 0.0, "assetClass": "OPT", "name": "None"}

    (combo,) = allocation.read_combos(
        [{"name": "CP.1", "description": "None", "legs": LEGS, "positions": [row]}]
    )

    assert [(leg.conid, leg.ratio) for leg in combo.legs] == [
        (708474422, Decimal(1)),
        (710225103, Decimal(-1)),
    ]
    assert (combo.name, combo.description, combo.positions[0].quantity) == ("CP.1", None, Decimal(0))


def test_a_combination_may_come_with_nothing_but_its_name():
    (combo,) = allocation.read_combos([{"name": "CP.1"}])

    assert (combo.legs, combo.positions) == ((), ())


@pytest.mark.parametrize("leg", [{"conid": "1"}, {"ratio": 1}, {"conid": 0, "ratio": 1}])
def test_half_a_leg_is_an_error(leg):
    """Whoever reads combinations may be about to close one."""
    with pytest.raises(UnexpectedAnswer, match="leg"):
        allocation.read_combos([{"legs": [leg]}])


def test_a_found_account_without_its_id_is_none():
    found = allocation.read_found_accounts(
        {"matchedAccounts": [{"accountId": "U1", "alias": "mine", "allocationId": "U1"}, {"alias": "x"}]}
    )

    assert [(one.account_id, one.alias) for one in found] == [("U1", "mine")]


def test_owners_are_in_no_repr_and_their_birthday_is_not_kept():
    """It is people's own, and a repr ends in logs."""
    entity = {
        "firstName": "Jane",
        "lastName": "Doe",
        "entityName": "Ms. Jane Doe",
        "dateOfBirth": "1990-01-15",
    }
    body = {
        "accountId": "U1",
        "users": [{"roleId": "OWNER", "hasRightCodeInd": True, "userName": "jane01", "entity": entity}],
        "applicant": {"signatures": ["Jane Doe", 5]},
    }

    found = allocation.read_owners(body)

    assert (found.users[0].first_name, found.users[0].has_rights) == ("Jane", True)
    assert found.signatures == ("Jane Doe",)
    assert not any(word in repr(found) for word in ("Jane", "Doe", "jane01", "1990"))
    assert "1990" not in str(found.users[0].__getstate__())


@pytest.mark.parametrize("body", [{}, {"applicant": {"signatures": "x"}}, {"users": [{"entity": 5}]}])
def test_owners_without_names_are_no_error(body):
    found = allocation.read_owners(body)

    assert found.signatures == ()
    assert all(user.first_name is None for user in found.users)


@pytest.mark.recorded
def test_recorded_allocations():
    """The same account in both shapes."""
    plain = allocation.read_allocation(recorded("portfolio/conduit-GET-portfolio-allocation.json"))
    weighed = allocation.read_analysis(recorded("pa/ibkrdotnet-pa-allocation.json"))

    assert {one.view for one in plain} == {"assetClass", "sector", "group"}
    assert sum(one.weight for one in weighed if one.view == "ASSET_CLASS") == 1
    assert (
        allocation.read_combos(recorded("portfolio/conduit-GET-portfolio-combo-positions-empty.json")) == ()
    )


@pytest.mark.recorded
def test_recorded_owners_and_documented_allocation():
    owners = allocation.read_owners(recorded("accounts/conduit-GET-signatures-and-owners.json"))
    (example,) = documented("GET_portfolio_accountId_allocation.json").values()

    assert owners.users[0].entity_type == "INDIVIDUAL"
    assert allocation.read_allocation(example)
