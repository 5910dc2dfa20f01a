"""Event contracts: found by category and market, told by conid."""

from __future__ import annotations

import pytest
from simulator_client import Broker


@pytest.fixture
def broker():
    return Broker()


def markets(broker):
    tree = broker.get("/forecast/category/tree").body["categories"]
    return [market for one in tree.values() for market in one.get("markets", [])]


def contracts(broker, market):
    return broker.get("/forecast/contract/market", underlyingConid=market["conid"]).body["contracts"]


def test_every_branch_of_the_tree_leads_to_a_market(broker):
    """A category stands below another, or at the top."""
    tree = broker.get("/forecast/category/tree").body["categories"]

    parents = {one["parent_id"] for one in tree.values() if "parent_id" in one}
    assert parents <= tree.keys()
    assert all("markets" in one or key in parents for key, one in tree.items())


def test_each_strike_has_a_yes_and_a_no(broker):
    """Told alike but for the side; all conids differ."""
    rows = [row for market in markets(broker) for row in contracts(broker, market)]

    pairs = {}
    for row in rows:
        key = (row["underlying_conid"], row["strike"], row["expiry_label"])
        pairs.setdefault(key, []).append(row["side"])
    assert all(sides == ["Y", "N"] for sides in pairs.values())
    assert len({row["conid"] for row in rows}) == len(rows) == 20


def test_either_side_is_told_with_its_twin(broker):
    """The same question, and both conids."""
    yes, no = contracts(broker, markets(broker)[0])[:2]

    one, other = (broker.get("/forecast/contract/details", conid=row["conid"]).body for row in (yes, no))

    assert (one.pop("side"), other.pop("side")) == ("Y", "N")
    assert one == other
    assert (one["conid_yes"], one["conid_no"]) == (yes["conid"], no["conid"])
    assert (one["strike"], one["expiration"], one["measured_period"]) == (20.0, "20270101", "Dec31'26")


def test_a_contract_keeps_its_conid_into_the_next_year(broker):
    """And those of the year that is over are gone."""
    market = markets(broker)[0]
    before = {row["conid"]: row["expiry_label"] for row in contracts(broker, market)}
    broker.jump(days=60)

    after = {row["conid"]: row["expiry_label"] for row in contracts(broker, market)}

    assert {conid: year for conid, year in before.items() if year == "2027"}.items() <= after.items()
    gone = next(conid for conid, year in before.items() if year == "2026")
    assert broker.get("/forecast/contract/details", conid=gone).status == 503


def test_rules_and_hours_are_told_by_conid(broker):
    """Moments in seconds, figures as texts; seven days."""
    conid = contracts(broker, markets(broker)[1])[0]["conid"]

    rules = broker.get("/forecast/contract/rules", conid=conid).body
    schedule = broker.get("/forecast/contract/schedules", conid=conid).body

    assert (rules["threshold"], rules["payout"]) == ("3.25", "$1.00")
    assert rules["payout_time"] > rules["release_time"] == rules["last_trade_time"] == 1798822800
    assert len(schedule["trading_schedules"]) == 7


def test_what_is_missing_is_400_and_what_is_unknown_503(broker):
    """Of markets and of contracts."""
    market = markets(broker)[0]["conid"]
    path = "/forecast/contract/market"

    assert broker.get(path).status == broker.get("/forecast/contract/rules", conid="x").status == 400
    assert broker.get(path, underlyingConid=1).status == 503
    assert broker.get(path, underlyingConid=market, exchange="CME").status == 503
    assert broker.get("/forecast/contract/schedules", conid=1).status == 503
