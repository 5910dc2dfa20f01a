"""Portfolio answers in their rarer forms, and profit over more than a day."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from simulator_client import AAPL, ACCOUNT, MSFT, Broker, recorded, ticket

from ibkr_adapter.simulator import nav_history, option_ladders
from ibkr_adapter.simulator.ladder_table import BY_CLASS
from ibkr_adapter.simulator.pacing import TABLE
from thoroughly import ALL

ONE = f"/portfolio/{ACCOUNT}"
EVERYWHERE = f"/portfolio/positions/{AAPL}"
CALL = option_ladders.contract(BY_CLASS["AAPL"], date(2026, 12, 18), Decimal(165), "C").conid
COURSE = (
    {"conid": AAPL},
    {"conid": 900000009},
    {"conid": 515416632, "manualIndicator": True, "extOperator": "me"},
    {"conid": CALL},
    {"conid": 12087792, "orderType": "LMT", "price": Decimal("1.15")},
    {"conid": 479624278, "orderType": "LMT", "price": Decimal(90_000), "tif": "IOC"},
    {
        "conid": None,
        "conidex": "28812380;;;756733/1,320227571/-1",
        "orderType": "LMT",
        "price": Decimal(70),
    },
)
PNL = "/iserver/account/pnl/partitioned"


def opened(**options):
    broker = Broker(**options).ready()
    broker.get("/portfolio/accounts")
    return broker


def buy(broker, quantity=10, conid=AAPL, **changes):
    broker.place(ticket(orderType="MKT", price=None, quantity=quantity, conid=conid, **changes))
    broker.wait(1)


def test_one_position_has_its_contract_data_from_the_second_call_on():
    """The first call has only the portfolio's half of the row."""
    broker = opened()
    broker.gateway.seed_position(AAPL, Decimal(5))

    cold, warm = (broker.get(f"{ONE}/position/{AAPL}").body[0] for _ in range(2))

    assert (cold["strike"], "ticker" in cold) == (0.0, False)
    assert (warm["strike"], warm["ticker"]) == ("0", "AAPL")


def test_pages_have_contract_data_at_once_for_those_who_wait():
    """Also where rows without it are in the cache."""
    broker = opened()
    broker.gateway.seed_position(MSFT, Decimal(5))
    broker.gateway.seed_position(AAPL, Decimal(5))
    page = f"{ONE}/positions/0"

    cold = broker.get(page).body
    waited = broker.get(page, waitForSecDef="true").body
    again = broker.get(page).body

    assert ["ticker" in row for row in (*cold, *waited, *again)] == [False] * 2 + [True] * 4
    assert [one["ticker"] for one in broker.get(page, sort="name").body] == ["AAPL", "MSFT"]


def test_a_twin_account_tells_the_same_position_again():
    """Under the id with a C behind it, as recorded; adding both up doubles the position."""
    broker = opened(twin_account=True)
    broker.gateway.seed_position(AAPL, Decimal(5))

    body = broker.get(EVERYWHERE).body

    assert {key: rows[0]["position"] for key, rows in body.items()} == {ACCOUNT: 5.0, f"{ACCOUNT}C": 5.0}
    assert body[f"{ACCOUNT}C"][0]["acctId"] == f"{ACCOUNT}C"
    assert broker.get(f"/portfolio/positions/{MSFT}").body == {ACCOUNT: []}


@pytest.mark.recorded
def test_the_twin_is_told_as_recorded():
    """The same keys in both rows."""
    theirs = recorded("portfolio/conduit-GET-portfolio-positions-by-conid.json")
    broker = opened(twin_account=True, account="U1234567")
    broker.gateway.seed_position(AAPL, Decimal(44))

    ours = broker.get(EVERYWHERE).body

    assert ours.keys() == theirs.keys()
    assert ours["U1234567C"][0].keys() == theirs["U1234567C"][0].keys()


def test_pages_that_nobody_sorted_do_not_fit_together():
    """Some rows come twice, some never; with a sort they fit."""
    broker = opened(filler_positions=250, stable_pages=False)

    def conids(**query):
        pages = [broker.get(f"{ONE}/positions/{page}", **query).body for page in range(4)]
        return [row["conid"] for page in pages for row in page]

    assert len(conids()) == 250 > len(set(conids()))
    assert len(set(conids(sort="conid"))) == 250


def test_rows_are_those_of_the_model_that_was_asked_for():
    """Nothing belongs to a model here, so any name finds nothing."""
    broker = opened()
    broker.gateway.seed_position(AAPL, Decimal(5))

    assert len(broker.get(f"{ONE}/positions/0", model="").body) == 1
    assert broker.get(f"{ONE}/positions/0", model="Growth").body == []
    assert broker.get(f"/portfolio2/{ACCOUNT}/positions", model="Growth").body == []


@pytest.mark.parametrize(
    ("sort", "column"),
    [("marketValue", "marketValue"), ("mktValue", "marketValue"), ("position", "position")],
)
def test_the_near_real_time_list_can_be_sorted(sort, column):
    """By either name of a column; unknown ones leave the order as it is."""
    broker = opened()
    broker.gateway.seed_position(AAPL, Decimal(5))
    broker.gateway.seed_position(MSFT, Decimal(9))

    def columns(**query):
        return [one[column] for one in broker.get(f"/portfolio2/{ACCOUNT}/positions", **query).body]

    assert columns(sort=sort, direction="d") == sorted(columns(), reverse=True)
    assert columns(sort=sort) == sorted(columns())
    assert columns(sort="colour", direction="d") == columns()


def test_the_summary_of_the_documents_counts_in_milliseconds():
    """And has no text beside a sum of money."""
    live = opened().get(f"{ONE}/summary").body
    documented = opened(summary_style="documented").get(f"{ONE}/summary").body

    assert documented.keys() == live.keys()
    assert documented["cushion"]["timestamp"] == live["cushion"]["timestamp"] * 1000
    assert (live["netliquidation"]["value"], documented["netliquidation"]["value"]) == ("1000000.0", None)
    assert documented["accountcode"]["value"] == ACCOUNT


def test_combinations_may_say_none_in_words():
    """One example of the documents has the word where others have null."""
    calls = {"conidex": "28812380;;;756733/1,320227571/-1", "quantity": 1, "orderType": "LMT", "price": 900}
    told = {}
    for as_text in (False, True):
        broker = opened(none_as_text=as_text)
        broker.place(ticket(conid=None, **calls))
        broker.wait(5)
        told[as_text] = broker.get(f"{ONE}/combo/positions").body

    assert told[False][0]["positions"][0]["exchs"] is None
    assert told[True][0]["positions"][0]["exchs"] == "None"
    assert told[True][0]["legs"] == told[False][0]["legs"]


# Who stands behind an account.


def test_owners_are_told_with_their_date_of_birth():
    """An unknown account is 401 with no body, as under the portfolio."""
    broker = opened()

    body = broker.get(f"/acesws/{ACCOUNT}/signatures-and-owners").body
    unknown = broker.get("/acesws/INVALID999/signatures-and-owners")

    assert (body["accountId"], body["users"][0]["roleId"]) == (ACCOUNT, "OWNER")
    assert body["users"][0]["entity"]["dateOfBirth"] == "1990-01-15"
    assert (unknown.status, unknown.answer.body) == (401, b"")


@pytest.mark.recorded
def test_owners_are_told_as_recorded():
    """The same keys, down to the entity."""
    theirs = recorded("accounts/conduit-GET-signatures-and-owners.json")

    ours = opened().get(f"/acesws/{ACCOUNT}/signatures-and-owners").body

    assert ours.keys() == theirs.keys()
    assert ours["users"][0]["entity"].keys() == theirs["users"][0]["entity"].keys()


def test_dynamic_accounts_are_found_and_set_with_the_right_to():
    """Setting the one that is set answers the same again, unlike the ordinary choice."""
    broker = opened(dynamic_accounts=True, accounts=["DU1999999", "DU7654321"])

    found = broker.get("/iserver/account/search/DU1").body
    answered = [broker.post("/iserver/dynaccount", {"acctId": "DU7654321"}).body for _ in range(2)]

    assert [one["accountId"] for one in found["matchedAccounts"]] == [ACCOUNT, "DU1999999"]
    assert found["pattern"] == "DU1"
    assert answered == [{"set": True, "acctId": "DU7654321"}] * 2
    told = broker.get("/iserver/accounts").body
    assert (told["selectedAccount"], told["allowFeatures"]["allowDynAccount"]) == ("DU7654321", True)


# Without a brokerage session.


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{ONE}/summary", None),
        (f"/acesws/{ACCOUNT}/signatures-and-owners", None),
        ("/pa/performance", {"acctIds": [ACCOUNT], "period": "1D"}),
        ("/pa/allocation", {"acctIds": [ACCOUNT]}),
        ("/fyi/settings", None),
    ],
)
def test_reading_needs_a_login_alone(path, body):
    """Portfolio, its analyst and FYI answer while another login has the brokerage session."""
    broker = Broker()
    broker.gateway.change_session("rival")

    told = broker.post(path, body) if body else broker.get(path)
    broker.gateway.change_session("logout")

    assert told.status == 200
    assert (broker.post(path, body) if body else broker.get(path)).status == 401


@pytest.mark.parametrize(
    "path",
    [f"/iserver/account/{ACCOUNT}/alerts", "/iserver/account/mta", "/iserver/watchlists"],
)
def test_what_is_under_iserver_needs_the_brokerage_session(path):
    """400 without one."""
    assert Broker().get(path).body == {"error": "Bad Request: no bridge", "statusCode": 400}


def test_what_has_a_limit_is_served():
    """But for a deprecated one, and what others serve."""
    routes = Broker().gateway.routes
    elsewhere = {"GET /iserver/scanner/params", "POST /iserver/scanner/run"}

    assert {name for name in TABLE if not routes.knows(name)} <= elsewhere | {"POST /pa/summary"}


# Profit over more than a day.


def test_the_daily_profit_begins_anew_at_midnight():
    """On the second day only what changed since midnight counts."""
    broker = opened(first_reads_empty=False)
    buy(broker, quantity=100)
    broker.price(AAPL, 170)
    first = broker.get(PNL).body["upnl"][f"{ACCOUNT}.Core"]
    broker.jump(days=1)
    overnight = broker.get(PNL).body["upnl"][f"{ACCOUNT}.Core"]
    broker.price(AAPL, 169)
    second = broker.get(PNL).body["upnl"][f"{ACCOUNT}.Core"]

    assert first["dpl"] == first["upl"] == 498.0
    assert overnight["dpl"] == 0.0
    assert (second["dpl"], second["upl"]) == (-100.0, 398.0)


@pytest.mark.parametrize("seed", range(40) if ALL else [1, 2])
def test_what_an_account_was_worth_is_what_it_said_then(seed):
    """Looking back over any course of trades finds the values that were told.

    Shares at home and abroad, futures, options, a pair, a coin and a combination, both ways, with positions
    from before.
    """
    broker = opened(walk=0.004, filler_positions=2, cash=50_000_000.0, questions=False, virtual_pairs=True)
    draw = random.Random(seed)
    broker.gateway.seed_position(MSFT, Decimal(7))
    world = broker.gateway.world
    moments, told = [], []
    for _ in range(12):
        row = {"orderType": "MKT", "price": None, "quantity": draw.randint(1, 9)} | draw.choice(COURSE)
        ids = broker.gateway.place_foreign(ticket(**row, side=draw.choice(["BUY", "SELL"])))
        broker.gateway.fill(str(ids[0]))
        broker.wait(draw.randint(1, 900))
        if draw.random() < 0.2:
            broker.gateway.advance(86_400)
        moments.append(world.now)
        told.append(world.standing(ACCOUNT).net)
        broker.wait(1)  # what is filled at a moment counts at it

    assert len(broker.ledger["executions"]) >= 12
    # A rate that never ends leaves something in the last of 28 digits.
    apart = [a - b for a, b in zip(nav_history.worths(world, ACCOUNT, moments), told, strict=True)]
    assert max(map(abs, apart)) < Decimal("1e-15")


def test_a_fill_counts_from_its_own_moment():
    """Its commission is gone then, and was not a moment before."""
    broker = opened()
    buy(broker, quantity=10)
    broker.wait(60)
    world = broker.gateway.world
    filled = world.book.executions[0].moment

    before, at = nav_history.worths(world, ACCOUNT, [filled - timedelta(microseconds=1), filled])

    assert (before, at) == (Decimal(1_000_000), Decimal("999998.90"))


def test_an_evening_is_not_later_than_now():
    """The day that lasts ends now."""
    now = datetime(2026, 11, 24, 15, tzinfo=UTC)

    assert nav_history.evening(now.date(), now) == now
    assert nav_history.evening(now.date() - timedelta(days=1), now) == datetime(2026, 11, 24, 5, tzinfo=UTC)
