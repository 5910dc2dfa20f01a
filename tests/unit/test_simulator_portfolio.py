"""Portfolio and account endpoints: caches, types and sums."""

from __future__ import annotations

from decimal import Decimal

import pytest
from simulator_client import AAPL, ACCOUNT, MSFT, Broker, ticket

ONE = f"/portfolio/{ACCOUNT}"
FRESH = f"/portfolio2/{ACCOUNT}/positions"


@pytest.fixture
def broker():
    broker = Broker().ready()
    broker.get("/portfolio/accounts")
    return broker


def buy(broker, quantity=10, conid=AAPL):
    broker.place(ticket(orderType="MKT", price=None, quantity=quantity, conid=conid))
    broker.wait(1)


def test_the_portfolio_is_silent_until_the_accounts_were_asked():
    """Silently empty, not an error."""
    broker = Broker()
    broker.gateway.seed_position(AAPL, Decimal(5))
    cold = [broker.get(f"{ONE}/{path}").body for path in ("positions/0", "summary", "ledger")]
    broker.get("/portfolio/subaccounts")

    assert cold == [[], {}, {}]
    assert len(broker.get(f"{ONE}/positions/0").body) == 1


@pytest.mark.parametrize(
    "path",
    ["meta", "summary", "ledger", "allocation", "positions/0", "combo/positions", f"position/{AAPL}"],
)
def test_an_unknown_account_is_401_with_no_body(broker, path):
    """Which does not mean that the session died."""
    reply = broker.get(f"/portfolio/INVALID999/{path}")

    assert (reply.status, reply.answer.body) == (401, b"")
    assert broker.get("/portfolio2/INVALID999/positions").status == 401
    assert broker.post("/portfolio/INVALID999/positions/invalidate").status == 401


def test_the_paged_view_is_cached_until_it_is_invalidated(broker):
    """The near real-time list is not."""
    broker.get(f"{ONE}/positions/0")
    buy(broker)
    stale, fresh = broker.get(f"{ONE}/positions/0").body, broker.get(FRESH).body
    dropped = broker.post(f"{ONE}/positions/invalidate", {})
    warm = broker.get(f"{ONE}/positions/0").body

    assert stale == []
    assert (fresh[0]["conid"], fresh[0]["position"]) == (str(AAPL), 10.0)
    assert dropped.body == {"message": "success"}
    assert (warm[0]["conid"], warm[0]["position"]) == (AAPL, 10.0)


def test_the_cache_grows_old(broker):
    """Half a minute."""
    broker.get(f"{ONE}/positions/0")
    buy(broker)
    broker.wait(30)

    assert len(broker.get(f"{ONE}/positions/0").body) == 1


def test_cold_rows_have_a_number_where_warm_ones_have_text(broker):
    """Strike and multiplier change their type with the second read."""
    buy(broker)
    cold = broker.get(f"{ONE}/positions/0").body[0]
    broker.post(f"{ONE}/positions/invalidate", {})
    warm = broker.get(f"{ONE}/positions/0").body[0]

    assert (cold["strike"], cold["multiplier"]) == (0.0, None)
    assert (warm["strike"], warm["multiplier"], warm["ticker"]) == ("0", 0.0, "AAPL")


def test_pages_have_a_hundred_rows():
    """A page past the end is empty; sorting is stable over pages."""
    broker = Broker(filler_positions=250)
    broker.get("/portfolio/accounts")
    pages = [broker.get(f"{ONE}/positions/{page}", sort="conid", direction="d").body for page in range(4)]

    conids = [row["conid"] for page in pages for row in page]
    assert [len(page) for page in pages] == [100, 100, 50, 0]
    assert conids == sorted(conids, reverse=True)
    assert broker.get(f"{ONE}/positions/x").status == 400


def test_one_contract_of_one_account_or_of_all(broker):
    """Nothing held is an empty list; a conid of letters is 400."""
    buy(broker)

    assert broker.get(f"{ONE}/position/{AAPL}").body[0]["position"] == 10.0
    assert broker.get(f"{ONE}/position/{MSFT}").body == []
    assert broker.get(f"/portfolio/positions/{AAPL}").body[ACCOUNT][0]["conid"] == AAPL
    assert broker.get(f"/portfolio/positions/{MSFT}").body == {ACCOUNT: []}
    assert broker.get(f"{ONE}/position/abc").body == {"error": "Bad Request", "statusCode": 400}
    assert broker.get("/portfolio/positions/abc").status == 400


def test_a_closed_position_stays_as_a_row_of_nothing(broker):
    """Rows with position 0.0 occur."""
    buy(broker)
    broker.place(ticket(side="SELL", orderType="MKT", price=None, quantity=10))
    broker.wait(1)

    assert broker.get(FRESH).body[0]["position"] == 0.0


def test_all_views_agree_to_the_cent(broker):
    """Ledger, summary and profit are one book."""
    buy(broker)
    broker.price(AAPL, 170)
    broker.get("/iserver/account/pnl/partitioned")

    ledger = broker.get(f"{ONE}/ledger").body
    summary = broker.get(f"{ONE}/summary").body
    profit = broker.get("/iserver/account/pnl/partitioned").body["upnl"][f"{ACCOUNT}.Core"]

    assert ledger["USD"]["cashbalance"] == 998348.9
    assert ledger["BASE"]["netliquidationvalue"] == 1000048.9
    assert summary["netliquidation"]["amount"] == 1000048.9 == profit["nl"]
    assert ledger["USD"]["unrealizedpnl"] == 48.9 == profit["upl"]
    assert summary["accountcode"]["value"] == ACCOUNT
    assert summary["buyingpower"]["amount"] == 4 * (1000048.9 - 425)


def test_foreign_positions_have_a_currency_row(broker):
    """BASE is the sum in dollars."""
    broker.gateway.seed_position(900000009, Decimal(10), price=Decimal(70))

    ledger = broker.get(f"{ONE}/ledger").body
    values = broker.get(f"/iserver/account/{ACCOUNT}/summary/market_value").body

    assert ledger["CHF"]["stockmarketvalue"] == 798.4
    assert ledger["CHF"]["exchangerate"] == 1.241
    assert ledger["BASE"]["stockmarketvalue"] == 990.81
    assert (values["CHF"]["stock"], values["CHF"]["unrealized_pnl"]) == ("798", "98")


def test_allocation_tells_long_and_short(broker):
    """The same shape for one account and for several."""
    broker.gateway.seed_position(AAPL, Decimal(10))
    broker.gateway.seed_position(MSFT, Decimal(-1))

    one = broker.get(f"{ONE}/allocation").body
    several = broker.post("/portfolio/allocation", {"acctIds": [ACCOUNT]}).body

    assert one == several
    assert one["assetClass"] == {"long": {"STK": 1650.0, "CASH": 1000000.0}, "short": {"STK": -305.0}}


def test_accounts_are_listed_in_three_ways():
    """A plain list, and pages of twenty with their numbers."""
    broker = Broker(accounts=[f"DU{number}" for number in range(1000, 1024)])

    plain = broker.get("/portfolio/subaccounts2").body
    pages = [broker.get("/portfolio/subaccounts2", page=page).body for page in range(3)]

    assert len(plain) == 25 == len(broker.get("/portfolio/accounts").body)
    assert [len(pages[0]["subaccounts"]), len(pages[1]["subaccounts"]), pages[2]] == [20, 5, []]
    assert pages[1]["metadata"] == {"total": 25, "pageSize": 20, "pageNum": 1}
    assert broker.get(f"{ONE}/meta").body["brokerageAccess"] is False


def test_switching_the_account_answers_another_key_when_nothing_changes():
    """Set, already set, unknown, missing: four different answers."""
    broker = Broker(accounts=["DU7654321"]).ready()

    assert broker.post("/iserver/account", {"acctId": "DU7654321"}).body == {
        "set": True,
        "acctId": "DU7654321",
    }
    assert broker.post("/iserver/account", {"acctId": "DU7654321"}).body == {"success": "Account already set"}
    unknown = broker.post("/iserver/account", {"acctId": "INVALID999"})
    assert (unknown.status, unknown.body) == (500, {"error": "Invalid account ID"})
    assert broker.post("/iserver/account", {}).status == 400
    assert broker.get("/iserver/accounts").body["selectedAccount"] == "DU7654321"


@pytest.mark.parametrize("account", ["DU1234567", "U1234567"])
def test_the_account_list_tells_paper_from_live(account):
    """The flag, not the name, is what to go by."""
    body = Broker(account=account).ready().get("/iserver/accounts").body

    assert (body["accounts"], body["isPaper"]) == ([account], account.startswith("D"))


def test_partitioned_profit_is_empty_on_the_first_read(broker):
    """Then it has a row a model."""
    assert broker.get("/iserver/account/pnl/partitioned").body == {"upnl": {}}
    assert list(broker.get("/iserver/account/pnl/partitioned").body["upnl"]) == [f"{ACCOUNT}.Core"]


def test_the_iserver_summary_has_whole_numbers_and_its_branches_have_texts(broker):
    """The misspelt key of the margins is IBKR's."""
    root = f"/iserver/account/{ACCOUNT}/summary"
    buy(broker)

    summary = broker.get(root).body
    assert (summary["netLiquidationValue"], summary["securitiesGVP"]) == (999999.0, 1650.0)
    assert summary["cashBalances"][-1]["currency"] == "Total (in USD)"
    funds = broker.get(f"{root}/available_funds").body
    assert funds["total"]["buying_power"] == "3,998,346 USD"
    assert funds["securities"]["leverage"] == "0.00"
    assert broker.get(f"{root}/balances").body["total"]["cash"] == "998,349 USD"
    margins = broker.get(f"{root}/margins").body
    assert margins["total"]["projected_liquidity_inital_margin"] == "413 USD"
    assert margins["commodities"]["current_initial"] == "0 USD"


def test_an_unknown_account_under_iserver_is_400(broker):
    """Where the portfolio says 401."""
    reply = broker.get("/iserver/account/INVALID999/summary")

    assert reply.body == {"error": "Bad Request: accountId is not valid: INVALID999", "statusCode": 400}


def test_dynamic_accounts_are_not_for_us(broker):
    """A client error dressed as 503, and one as 401."""
    assert broker.get("/iserver/account/search/DU").status == 503
    assert broker.post("/iserver/dynaccount", {"acctId": ACCOUNT}).status == 401


def test_combinations_are_none(broker):
    """As recorded."""
    assert broker.get(f"{ONE}/combo/positions").body == []
