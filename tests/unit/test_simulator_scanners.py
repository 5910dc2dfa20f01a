"""Scanners of the simulator, and the snapshot that costs money."""

from __future__ import annotations

import pytest
from simulator_client import AAPL, MSFT, Broker, recorded

RUN = "/iserver/scanner/run"
PARAMETERS = "/iserver/scanner/params"
OLD = "/hmds/scanner/run"


@pytest.fixture
def broker():
    return Broker().ready()


def scan(broker, code="TOP_PERC_GAIN", instrument="STK", location="STK.US.MAJOR", **more):
    wish = {"instrument": instrument, "location": location, "type": code, **more}
    return broker.post(RUN, wish)


def symbols(reply):
    return [one["symbol"] for one in reply.body["contracts"]]


def test_ranks_follow_the_prices(broker):
    """The last gainer is the first loser, and a price that jumps leads."""
    broker.price(AAPL, 200)
    gainers, losers = (symbols(scan(broker, one)) for one in ("TOP_PERC_GAIN", "TOP_PERC_LOSE"))

    assert gainers[0] == "AAPL"
    assert len(gainers) == 50
    assert losers[0] not in gainers[:5]
    broker.price(AAPL, 100)
    assert symbols(scan(broker, "TOP_PERC_LOSE"))[0] == "AAPL"


def test_a_rank_agrees_with_the_snapshot(broker):
    """The change of tag 83 falls from row to row."""
    rows = scan(broker).body["contracts"][:10]
    conids = ",".join(one["conidex"] for one in rows)
    broker.get("/iserver/marketdata/snapshot", conids=conids, fields="83")
    broker.wait(0.5)
    shown = broker.get("/iserver/marketdata/snapshot", conids=conids, fields="83").body

    changes = [float(one["83"].rstrip("%")) for one in shown]
    assert changes == sorted(changes, reverse=True)


@pytest.mark.parametrize(
    "code", ["MOST_ACTIVE", "MOST_ACTIVE_USD", "TOP_TRADE_COUNT", "TOP_PRICE_RANGE", "HIGH_OPEN_GAP"]
)
def test_every_scan_that_is_listed_runs(broker, code):
    """With its column in the first row only."""
    listed = broker.get(PARAMETERS).body["scan_type_list"]
    reply = scan(broker, code)

    assert code in [one["code"] for one in listed]
    columns = [one.get("column_name") for one in reply.body["contracts"]]
    assert columns == [reply.body["scan_data_column_name"], *[None] * (len(columns) - 1)]
    assert not any("scan_data" in one for one in reply.body["contracts"])


def test_filters_leave_some_out(broker):
    """Values that are none, and names that nobody knows, let everything pass."""
    every = symbols(scan(broker))
    filters = [
        {"code": "priceAbove", "value": 150},
        {"code": "priceBelow", "value": "180"},
        {"code": "volumeAbove", "value": None},
        {"code": "volumeBelow", "value": "many"},
        {"code": "priceBelow", "value": "NaN"},
        {"code": "moodAbove", "value": 3},
        "nonsense",
    ]
    some = symbols(scan(broker, filter=filters))

    assert "AAPL" in some
    assert "MSFT" not in some
    assert len(some) < len(every)
    assert symbols(scan(broker, filter=[])) == every


def test_places_and_kinds_leave_some_out(broker):
    """Listing venue, funds, foreign shares."""
    nasdaq = scan(broker, location="STK.NASDAQ").body["contracts"]
    funds = symbols(scan(broker, instrument="ETF.EQ.US", location="ETF.EQ.US.MAJOR"))
    europe = scan(broker, instrument="STOCK.EU", location="STK.EU").body["contracts"]

    assert {one["listing_exchange"] for one in nasdaq} == {"NASDAQ.NMS"}
    assert "SPY" in funds
    assert len(europe) > 1


@pytest.mark.parametrize(
    "wish", [{"code": "INVALID"}, {"location": "MOON"}, {"instrument": "SHIP"}, {"location": "STK.EU"}]
)
def test_what_nobody_knows_is_500(broker, wish):
    """Recorded for an unknown type."""
    assert scan(broker, **wish).status == 500
    assert broker.post(RUN, []).status == 500


def test_nothing_that_fits_is_an_empty_list(broker):
    """With the column all the same."""
    reply = scan(broker, filter=[{"code": "priceAbove", "value": 10**9}])

    assert reply.body == {"contracts": [], "scan_data_column_name": "Chg%"}


def test_scans_are_paced():
    """One a second, the parameters one in a quarter of an hour."""
    broker = Broker(pacing=True).ready()
    first, second = scan(broker), scan(broker)

    assert (first.status, second.status) == (200, 429)


# The older scan.


def old(broker, **changes):
    wish = {"instrument": "STK", "locations": "STK.US", "scanCode": "MOST_ACTIVE", "filters": [], **changes}
    return broker.post(OLD, {key: value for key, value in wish.items() if value is not None})


def test_the_older_scan_tells_numbers_only(broker):
    """After its bridge was opened."""
    closed = old(broker)
    broker.post("/hmds/auth/init", {})
    body = old(broker, maxItems=5, filters=[{"priceBelow": 200}]).body

    assert closed.status == 404
    assert (body["size"], len(body["Contracts"]["Contract"])) == ("5", 5)
    assert int(body["total"]) > 5
    assert set(body["Contracts"]["Contract"][0]) == {"inScanTime", "contractID"}


def test_the_older_scan_has_to_bring_filters(broker):
    """Be they none."""
    broker.get("/hmds/auth/init")

    assert old(broker, filters=None).status == 400
    assert old(broker, scanCode="INVALID").status == 500
    assert old(broker, maxItems="all").status == 200


# Regulatory snapshots.


def test_a_regulatory_snapshot_is_counted(broker):
    """It costs a cent; numbers and texts differ from those of a snapshot."""
    body = broker.get("/md/regsnapshot", conid=AAPL).body

    assert (body["31"], body["84"], body["86"]) == ("165.00", "164.99", "165.01")
    assert all(isinstance(body[tag], int) for tag in ("85", "88", "7059"))
    assert broker.ledger["regulatory_snapshots"] == 1


@pytest.mark.parametrize("conid", [12087792, 7, "abc"])
def test_only_us_shares_have_one(broker, conid):
    """And nothing is charged for what is not there."""
    assert broker.get("/md/regsnapshot", conid=conid).status == 400
    assert broker.ledger["regulatory_snapshots"] == 0


def test_they_may_not_be_for_sale(broker):
    """As a paper account has seen."""
    broker.gateway.set_options({"regulatory_snapshots": False})

    assert broker.get("/md/regsnapshot", conid=MSFT).status == 400


@pytest.mark.recorded
def test_answers_have_the_recorded_keys(broker):
    """Rows of a live scan, its parameters, and the documented regulatory snapshot."""
    theirs = recorded("scanner/ibkrdotnet-scanner-run.json")
    parameters = recorded("scanner/ibkrdotnet-scanner-params-trimmed.json")
    ours, listed = scan(broker).body, broker.get(PARAMETERS).body

    for mine, their in zip(ours["contracts"], theirs["contracts"], strict=False):
        assert set(mine) == set(their)
    assert set(ours) == set(theirs)
    for name, rows in parameters.items():
        assert set(rows[0]) <= {key for row in listed[name] for key in row}
    snapshot = recorded("market-data/oa220-regsnapshot.json")
    mine = broker.get("/md/regsnapshot", conid=AAPL).body
    assert {key: type(value) for key, value in mine.items()} == {
        key: type(value) for key, value in snapshot.items()
    }


@pytest.mark.recorded
def test_the_older_scan_has_the_documented_keys(broker):
    """It was never seen live."""
    broker.post("/hmds/auth/init", {})

    assert set(old(broker).body) == set(recorded("scanner/conduit-POST-hmds-scanner.json"))
