"""Accounts, positions and balances are read in every shape IBKR sends, and never guessed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import any_json, documented, recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.wire import balances, portfolio
from thoroughly import examples

recorded = recorded_in(".")

COLD = {
    "acctId": "U1234567",
    "conid": 320227571,
    "contractDesc": "QQQ",
    "position": Decimal("3.0"),
    "mktPrice": Decimal("584.6799927"),
    "mktValue": Decimal("1754.04"),
    "currency": "USD",
    "avgCost": Decimal("584.31333335"),
    "avgPrice": Decimal("584.31333335"),
    "realizedPnl": Decimal("0.0"),
    "unrealizedPnl": Decimal("1.1"),
    "multiplier": None,
    "strike": Decimal("0.0"),
    "assetClass": "STK",
    "model": "",
}
NEAR = {
    "position": Decimal("-3.0"),
    "conid": "320227571",
    "avgCost": None,
    "avgPrice": Decimal("584.25"),
    "currency": "USD",
    "description": "QQQ",
    "marketPrice": Decimal("584.5"),
    "marketValue": Decimal("-1753.5"),
    "realizedPnl": Decimal("0.0"),
    "secType": "STK",
    "timestamp": 1775169611,
    "unrealizedPnl": Decimal("-0.75"),
    "assetClass": "STK",
    "model": "",
}
READERS = [
    portfolio.read_accounts,
    portfolio.read_portfolio_accounts,
    portfolio.read_positions,
    lambda content: portfolio.read_positions2(content, "U1"),
    portfolio.read_positions_by_conid,
    portfolio.read_ledger,
    portfolio.read_summary,
    balances.read_account_summary,
    portfolio.read_pnl,
]
ANY_JSON = any_json(st.text(max_size=8), widest=(4, 4), leaves=12)


# Accounts of the brokerage session -------------------------------------------------------


def test_no_brokerage_session_means_no_accounts():
    """An empty object is how a session that is not up answers; it is no error."""
    found = portfolio.read_accounts({})

    assert (found.accounts, found.selected, found.is_paper) == ((), None, None)


def test_an_advisers_groups_are_no_accounts():
    """Nobody can place an order in "All" by mistake."""
    found = portfolio.read_accounts(
        {"accounts": ["All", "DU1", "mine", "DU2"], "groups": ["All", "mine"], "isPaper": True}
    )

    assert found.accounts == ("DU1", "DU2")
    assert found.groups == ("All", "mine")


def test_what_an_account_supports_is_told_or_unknown():
    """Unknown is not no: a caller may ask the rules instead."""
    found = portfolio.read_accounts(
        {
            "accounts": ["DU1", "DU2", "DU3"],
            "acctProps": {
                "DU1": {"supportsFractions": True, "supportsCashQty": False},
                "DU2": {},
                "DU3": None,
            },
        }
    )

    assert found.properties["DU1"].supports_fractions is True
    assert found.properties["DU1"].supports_cash_qty is False
    assert found.properties["DU2"].supports_fractions is None
    assert "DU3" not in found.properties


def test_properties_that_are_no_object_tell_nothing():
    """They are descriptive; the accounts themselves still count."""
    found = portfolio.read_accounts({"accounts": ["DU1"], "acctProps": []})

    assert found.accounts == ("DU1",)
    assert not found.properties


@pytest.mark.parametrize(
    ("written", "meant"), [(True, True), ("false", False), (None, None), ("maybe", None)]
)
def test_paper_is_never_assumed(written, meant):
    """A live account must not pass for a paper one because a flag is missing."""
    assert portfolio.read_accounts({"accounts": ["U1"], "isPaper": written}).is_paper is meant


@pytest.mark.recorded
def test_recorded_brokerage_accounts():
    """The paper account that was recorded trades fractions."""
    found = portfolio.read_accounts(recorded("accounts/conduit-GET-iserver-accounts.json"))

    assert found.accounts == (found.selected,) == ("U1234567",)
    assert found.is_paper is True
    assert found.properties["U1234567"].supports_fractions is True


# Accounts of the outer session -----------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "is_paper"),
    [
        ({"accountId": "DU1", "type": "INDIVIDUAL"}, True),
        ({"accountId": "DF1"}, True),
        ({"accountId": "U1", "type": "DEMO"}, True),
        ({"accountId": "U1", "type": "INDIVIDUAL"}, False),
        ({"accountId": "U1"}, None),
    ],
)
def test_paper_is_told_by_id_or_type(row, is_paper):
    """Where neither tells, nobody knows, and that is said."""
    assert portfolio.read_portfolio_accounts([row])[0].is_paper is is_paper


def test_twins_of_accounts_are_left_out():
    """The C ledger repeats its account; an account that merely ends in C stays."""
    found = portfolio.read_portfolio_accounts([{"id": "U1"}, {"id": "U1C"}, {"id": "U2C"}])

    assert [account.account_id for account in found] == ["U1", "U2C"]


def test_a_page_of_subaccounts_is_read_like_the_list():
    """Brokers with many accounts answer in pages."""
    page = {
        "metadata": {"total": 1},
        "subaccounts": [{"id": "U1", "accountAlias": "None", "currency": "CHF"}],
    }

    found = portfolio.read_portfolio_accounts(page)

    assert (found[0].account_id, found[0].alias, found[0].currency) == ("U1", None, "CHF")


def test_an_account_without_id_is_an_error():
    """It cannot be traded in, and leaving it out could make another the only one."""
    with pytest.raises(UnexpectedAnswer, match="without its id"):
        portfolio.read_portfolio_accounts([{"currency": "USD"}])


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "is_paper"),
    [
        ("conduit-GET-portfolio-accounts.json", True),
        ("conduit-GET-portfolio-subaccounts.json", True),
        ("conduit-GET-subaccounts2.json", True),
        ("ibind-accounts.json", True),
        ("cn-accounts-live.json", False),
    ],
)
def test_recorded_accounts(name, is_paper):
    """Paper and live accounts differ by their type alone once ids are replaced."""
    found = portfolio.read_portfolio_accounts(recorded(f"portfolio/{name}"))

    assert [(account.account_id, account.currency, account.is_paper) for account in found] == [
        ("U1234567", "USD", is_paper)
    ]


# Positions -------------------------------------------------------------------------------


def test_a_cold_row_is_a_position():
    """Prices are exact, a missing multiplier is 1 and an empty model is none."""
    (found,) = portfolio.read_positions([COLD])

    assert (found.account_id, found.conid, found.symbol, found.sec_type) == (
        "U1234567",
        320227571,
        "QQQ",
        SecType.STOCK,
    )
    assert (found.quantity, found.market_price, found.unrealised) == (
        Decimal(3),
        Decimal("584.6799927"),
        Decimal("1.1"),
    )
    assert (found.multiplier, found.model) == (Decimal(1), None)


def test_a_warm_row_names_its_ticker_and_multiplier():
    """An option's description is long; its ticker is the underlying's."""
    row = COLD | {
        "contractDesc": "SPY    JAN2025 440 C [SPY   250117C00440000 100]",
        "ticker": "SPY",
        "assetClass": "OPT",
        "multiplier": Decimal("100.0"),
        "chineseName": "&#x7F8E;",
    }

    (found,) = portfolio.read_positions([row])

    assert (found.symbol, found.sec_type, found.multiplier) == ("SPY", SecType.OPTION, Decimal(100))
    assert found.description == "SPY JAN2025 440 C [SPY 250117C00440000 100]"


def test_a_near_real_time_row_has_its_conid_as_text():
    """It names no account, so the one that was asked for is its own; short is negative."""
    (found,) = portfolio.read_positions2([NEAR], "DU1")

    assert (found.account_id, found.conid, found.quantity) == ("DU1", 320227571, Decimal(-3))
    assert (found.average_price, found.average_cost) == (Decimal("584.25"), None)
    assert (found.market_price, found.market_value) == (Decimal("584.5"), Decimal("-1753.5"))
    assert found.at == datetime(2026, 4, 2, 22, 40, 11, tzinfo=UTC)


@pytest.mark.parametrize("names", [("mktPrice", "mktValue"), ("marketPrice", "marketValue")])
def test_both_spellings_of_market_figures_are_read(names):
    """The table and the example of IBKR's own documents disagree."""
    row = {"conid": 8314, "position": 1, names[0]: Decimal("2.5"), names[1]: Decimal("2.50")}

    (found,) = portfolio.read_positions2([row], "DU1")

    assert (found.market_price, found.market_value) == (Decimal("2.5"), Decimal("2.50"))


@pytest.mark.parametrize(
    ("sec_type", "written", "price", "cost", "meant"),
    [
        ("OPT", None, "58.010401", "5801.0401", 100),
        ("FUT", Decimal("0.0"), "5000.123457", "250006.1728", 50),
        ("OPT", Decimal(10), "58.0", "5800.0", 10),
        ("OPT", None, None, "5800.0", 1),
        ("OPT", None, "0.0", "0.0", 1),
        ("OPT", None, "10", "37", 1),
        ("OPT", None, "10", "3", 1),
        ("OPT", None, "10", "-1000", 1),
        ("STK", Decimal("0.0"), "1", "100", 1),
        ("CRYPTO", Decimal(-1), "27608.34921045", "27608.34921045", 1),
    ],
)
def test_a_missing_multiplier_follows_from_cost_and_price(sec_type, written, price, cost, meant):
    """The cost includes it and the price does not; for stocks there is none, whatever they say."""
    row = COLD | {"assetClass": sec_type, "multiplier": written, "avgPrice": price, "avgCost": cost}

    assert portfolio.read_positions([row])[0].multiplier == meant


def test_flat_rows_come_only_when_asked_for():
    """A closed position stays listed for a while and is none."""
    rows = [COLD, COLD | {"conid": 8314, "position": Decimal("0.0")}]

    assert [found.conid for found in portfolio.read_positions(rows)] == [320227571]
    assert [found.conid for found in portfolio.read_positions(rows, include_flat=True)] == [320227571, 8314]


@pytest.mark.parametrize("lost", ["conid", "position", "acctId"])
@pytest.mark.parametrize("left", [None, "", "None", [], {}])
def test_a_position_without_what_identifies_it_is_an_error(lost, left):
    """Never a zero, and never left out: the caller may be about to close everything."""
    with pytest.raises(UnexpectedAnswer, match="none was guessed") as raised:
        portfolio.read_positions([COLD, COLD | {lost: left}])

    assert raised.value.endpoint == "GET /portfolio/{accountId}/positions/{pageId}"


def test_a_near_real_time_position_without_quantity_is_an_error():
    """The error names the call that sent it."""
    with pytest.raises(UnexpectedAnswer) as raised:
        portfolio.read_positions2([NEAR | {"position": None}], "DU1")

    assert raised.value.endpoint == "GET /portfolio2/{accountId}/positions"


def test_a_name_nobody_gave_is_the_conid():
    """A position is not lost for lack of a name, nor for a kind that is new."""
    (found,) = portfolio.read_positions2([{"conid": 5, "position": "2", "secType": "NEW"}], "DU1")

    assert (found.symbol, found.description, found.sec_type) == ("5", None, SecType.UNKNOWN)


def test_one_contract_in_all_accounts_counts_twins_once():
    """The twin repeats the same position; adding it would double what a close sells."""
    content = {"U1": [COLD | {"acctId": "U1"}], "U1C": [COLD | {"acctId": "U1C"}], "U2": []}

    found = portfolio.read_positions_by_conid(content)

    assert [(position.account_id, position.quantity) for position in found] == [("U1", Decimal(3))]


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "conid", "quantity"),
    [
        ("conduit-GET-portfolio-positions-page0.json", 320227571, 3),
        ("conduit-GET-portfolio-position-by-conid.json", 756733, 44),
    ],
)
def test_recorded_positions(name, conid, quantity):
    """Cold rows and warm rows are the same position."""
    (found,) = portfolio.read_positions(recorded(f"portfolio/{name}"))

    assert (found.conid, found.quantity, found.multiplier) == (conid, quantity, 1)


def test_a_derivative_is_told_apart_by_its_day_strike_and_right():
    """The warm shape has them, the near real time one does not."""
    warm = COLD | {
        "contractDesc": "SPY    JAN2025 440 C [SPY   250117C00440000 100]",
        "assetClass": "OPT",
        "expiry": "20250117",
        "putOrCall": "C",
        "strike": "440",
        "multiplier": Decimal("100.0"),
        "undConid": 756733,
    }

    (found,) = portfolio.read_positions([warm])
    (stock,) = portfolio.read_positions([COLD | {"undConid": 0, "putOrCall": "?", "expiry": "soon"}])
    (near,) = portfolio.read_positions2([NEAR | {"secType": "OPT", "assetClass": "OPT"}], "U1")

    assert (found.sec_type, found.expiry, found.strike, found.right) == (
        SecType.OPTION,
        "20250117",
        Decimal(440),
        "C",
    )
    assert (found.multiplier, found.underlying_conid) == (Decimal(100), 756733)
    for other in (stock, near):
        assert (other.expiry, other.strike, other.right, other.underlying_conid) == (None, None, None, None)


@pytest.mark.recorded
def test_the_documented_positions_hold_a_coin_an_option_and_a_share():
    """Three classes in one page."""
    page = documented("GET_portfolio_accountId_positions_pageId.json")["positions"]

    found = {position.conid: position for position in portfolio.read_positions(page)}

    assert found[479624278].sec_type is SecType.CRYPTO
    assert (found[584891614].expiry, found[584891614].right, found[584891614].multiplier) == (
        "20250117",
        "C",
        Decimal(100),
    )


@pytest.mark.recorded
def test_recorded_pages_past_the_end_are_empty():
    """That is how the last page is told."""
    assert portfolio.read_positions(recorded("portfolio/conduit-GET-portfolio-positions-empty.json")) == ()


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "conids"),
    [
        ("conduit-GET-portfolio2-positions.json", None),
        ("ibkrdotnet-uncached-positions.json", [265598]),
    ],
)
def test_recorded_near_real_time_positions(name, conids):
    """Ids as texts in the recording, as numbers in the document; costs may be null."""
    found = portfolio.read_positions2(recorded(f"portfolio/{name}"), "U1234567")

    assert found
    assert all(position.market_price for position in found)
    assert conids is None or [position.conid for position in found] == conids


@pytest.mark.recorded
def test_recorded_positions_by_conid_count_once():
    """The recording has the account and its twin."""
    content = recorded("portfolio/conduit-GET-portfolio-positions-by-conid.json")

    found = portfolio.read_positions_by_conid(content)

    assert set(content) == {"U1234567", "U1234567C"}
    assert [(position.account_id, position.quantity) for position in found] == [("U1234567", Decimal(44))]


@pytest.mark.recorded
def test_documented_positions_of_every_kind():
    """Crypto to eight decimals, options with their multiplier, stocks without one."""
    rows = documented("GET_portfolio_accountId_positions_pageId.json")["positions"]

    found = {position.sec_type: position for position in portfolio.read_positions(rows, include_flat=True)}

    assert found[SecType.CRYPTO].quantity == Decimal("0.00365831")
    assert found[SecType.OPTION].multiplier == 100
    assert found[SecType.STOCK].multiplier == 1


# Ledger ----------------------------------------------------------------------------------


def test_the_sum_of_the_ledger_comes_last_and_apart():
    """It repeats everything in the base currency."""
    rows = portfolio.read_ledger(
        {
            "BASE": {"cashbalance": 3},
            "USD": {"cashbalance": 1, "exchangerate": 1},
            "EUR": {"cashbalance": None},
        }
    )

    assert [(row.currency, row.cash, row.is_base) for row in rows] == [
        ("USD", Decimal(1), False),
        ("EUR", None, False),
        ("BASE", Decimal(3), True),
    ]


@pytest.mark.parametrize("content", [{}, {"USD": 5}])
def test_a_ledger_without_rows_is_no_ledger(content):
    """No cash and not knowing lead to different decisions."""
    with pytest.raises(UnexpectedAnswer):
        portfolio.read_ledger(content)


@pytest.mark.recorded
def test_recorded_ledger():
    """Times are in seconds here."""
    rows = portfolio.read_ledger(recorded("portfolio/conduit-GET-portfolio-ledger.json"))

    assert [row.currency for row in rows] == ["USD", "BASE"]
    assert rows[0].cash == Decimal("971869.6")
    assert rows[0].at == datetime(2026, 4, 2, 22, 40, 6, tzinfo=UTC)


@pytest.mark.recorded
def test_documented_ledger_in_two_currencies():
    """The rate of the base currency is a whole number, that of the other a fraction."""
    rows = portfolio.read_ledger(documented("GET_portfolio_accountId_ledger.json")["success"])

    assert {row.currency: row.exchange_rate for row in rows}["AUD"] == Decimal("0.650378")


# Summaries -------------------------------------------------------------------------------


def test_figures_are_amounts_and_words_are_values():
    """A word comes with an amount of 0, and a figure that does not apply is missing."""
    found = portfolio.read_summary(
        {
            "accountcode": {"amount": Decimal("0.0"), "value": "DU1", "currency": None},
            "netliquidation": {
                "amount": Decimal("1005165.5"),
                "value": "1005165.5",
                "currency": "USD",
                "timestamp": 1712156105000,
            },
            "totalcashvalue": {"amount": Decimal("0.0"), "value": None, "currency": "USD"},
            "cushion": {"amount": Decimal("0.0"), "value": "0.994598"},
            "buyingpower": {"amount": Decimal("5.0"), "isNull": True},
            "availablefunds": {"amount": None, "value": None},
        }
    )

    assert (found.account_id, found.currency) == ("DU1", "USD")
    assert found.net_liquidation == Decimal("1005165.5")
    assert found.total_cash == 0
    assert found.cushion == Decimal("0.994598")
    assert (found.buying_power, found.available_funds, found.initial_margin) == (None, None, None)
    assert found.at == datetime(2024, 4, 3, 14, 55, 5, tzinfo=UTC)
    assert found.raw["accountcode"] == "DU1"


@pytest.mark.parametrize("value", [["1.0"], {"of": 1}, True, ""], ids=repr)
def test_a_word_of_the_summary_that_cannot_be_read_is_missing_and_not_the_zero_beside_it(value):
    found = portfolio.read_summary(
        {"netliquidation": {"amount": 5}, "cushion": {"amount": 0.0, "value": value, "isNull": False}}
    )

    assert found.cushion is None
    assert found.raw["cushion"] is None


def test_every_figure_of_the_summary_has_its_own_key():
    """Buying power taken for available funds would size orders on margin."""
    keys = {
        "netliquidation": "net_liquidation",
        "availablefunds": "available_funds",
        "buyingpower": "buying_power",
        "totalcashvalue": "total_cash",
        "excessliquidity": "excess_liquidity",
        "equitywithloanvalue": "equity_with_loan",
        "initmarginreq": "initial_margin",
        "maintmarginreq": "maintenance_margin",
        "cushion": "cushion",
    }

    found = portfolio.read_summary({key: {"amount": place} for place, key in enumerate(keys, 1)})

    assert [getattr(found, name) for name in keys.values()] == list(range(1, 10))


def test_every_figure_of_the_ledger_has_its_own_key():
    """Cash that is not settled yet is not the same cash."""
    keys = {
        "cashbalance": "cash",
        "settledcash": "settled_cash",
        "netliquidationvalue": "net_liquidation",
        "stockmarketvalue": "stock_value",
        "unrealizedpnl": "unrealised",
        "realizedpnl": "realised",
        "interest": "interest",
        "dividends": "dividends",
        "exchangerate": "exchange_rate",
    }

    (found,) = portfolio.read_ledger({"USD": {key: place for place, key in enumerate(keys, 1)}})

    assert [getattr(found, name) for name in keys.values()] == list(range(1, 10))


def test_every_figure_of_the_account_summary_has_its_own_key():
    """The brokerage session's summary spells them in its own way."""
    keys = {
        "netLiquidationValue": "net_liquidation",
        "availableFunds": "available_funds",
        "buyingPower": "buying_power",
        "totalCashValue": "total_cash",
        "excessLiquidity": "excess_liquidity",
        "equityWithLoanValue": "equity_with_loan",
        "initialMargin": "initial_margin",
        "maintenanceMargin": "maintenance_margin",
    }

    found = balances.read_account_summary({key: place for place, key in enumerate(keys, 1)})

    assert [getattr(found, name) for name in keys.values()] == list(range(1, 9))


def test_every_figure_of_the_profit_has_its_own_key():
    """They come under two letters each."""
    (found,) = portfolio.read_pnl({"upnl": {"U1.Core": {"dpl": 1, "upl": 2, "nl": 3, "el": 4, "mv": 5}}})

    figures = (
        found.daily,
        found.unrealised,
        found.net_liquidation,
        found.excess_liquidity,
        found.market_value,
    )
    assert figures == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("content", [{}, {"netliquidation": 5}])
def test_a_summary_without_cells_is_no_summary(content):
    """An empty one is how a call out of order is answered; no balance is read into it."""
    with pytest.raises(UnexpectedAnswer):
        portfolio.read_summary(content)


def test_a_summary_without_its_worth_has_none():
    """Missing stays missing, with the currency and the time."""
    found = portfolio.read_summary({"cushion": {"amount": 0, "value": "1"}})

    assert (found.net_liquidation, found.currency, found.at, found.account_id) == (None, None, None, None)


@pytest.mark.recorded
def test_recorded_summary():
    """Values repeat the figures as texts, and times are in seconds."""
    found = portfolio.read_summary(recorded("portfolio/conduit-GET-portfolio-summary.json"))

    assert (found.account_id, found.currency) == ("U1234567", "USD")
    assert (found.net_liquidation, found.buying_power) == (Decimal("1005165.5"), Decimal("3984328.97"))


@pytest.mark.recorded
def test_documented_summary_is_read_to_the_last_key():
    """All of its keys are in raw, and every named figure is there."""
    (content,) = documented("GET_portfolio_accountId_summary.json").values()

    found = portfolio.read_summary(content)

    assert len(found.raw) == len(content) > 100
    assert None not in (
        found.net_liquidation,
        found.available_funds,
        found.buying_power,
        found.total_cash,
        found.excess_liquidity,
        found.equity_with_loan,
        found.initial_margin,
        found.maintenance_margin,
        found.cushion,
    )


def test_the_total_of_cash_balances_names_the_base_currency():
    """It is no currency of its own and must not be added to the others."""
    found = balances.read_account_summary(
        {
            "netLiquidationValue": Decimal(10),
            "status": "",
            "cashBalances": [
                {"currency": "EUR", "balance": Decimal(194)},
                {"currency": "Total (in USD)", "balance": Decimal(210)},
            ],
        },
        "DU1",
    )

    assert (found.account_id, found.currency, found.net_liquidation) == ("DU1", "USD", Decimal(10))
    assert found.raw == {"netLiquidationValue": Decimal(10), "status": None, "cashBalances.EUR": Decimal(194)}


def test_an_account_summary_without_its_worth_is_none():
    """Any object could pass for one otherwise."""
    with pytest.raises(UnexpectedAnswer, match="net liquidation"):
        balances.read_account_summary({"error": "no"})


@pytest.mark.recorded
def test_recorded_account_summary():
    """It is in whole units; the cash by currency is in raw."""
    found = balances.read_account_summary(recorded("accounts/conduit-GET-account-summary.json"))

    assert (found.net_liquidation, found.buying_power) == (Decimal(1005254), Decimal(3979324))
    assert found.raw["cashBalances.USD"] == Decimal(971870)


@pytest.mark.recorded
def test_documented_account_summary():
    """Cash may be negative, and the row of the sum is no currency."""
    found = balances.read_account_summary(documented("GET_iserver_account_accountId_summary.json")["success"])

    assert (found.currency, found.total_cash) == ("USD", Decimal(-401846))
    assert not any("Total" in key for key in found.raw)


# Profit ----------------------------------------------------------------------------------


def test_profit_is_by_account_and_model():
    """The part behind the first point is the model, points in it included."""
    found = portfolio.read_pnl(
        {"upnl": {"U1.Core": {"dpl": Decimal("-12.5"), "mv": 7}, "U1.a.b": {}, "U2": {}}}
    )

    assert [(row.account_id, row.model, row.daily, row.market_value) for row in found] == [
        ("U1", "Core", Decimal("-12.5"), Decimal(7)),
        ("U1", "a.b", None, None),
        ("U2", "Core", None, None),
    ]


@pytest.mark.parametrize("content", [{}, {"upnl": {}}])
def test_profit_may_be_empty_at_first(content):
    """IBKR is still collecting it; the caller asks again."""
    assert portfolio.read_pnl(content) == ()


@pytest.mark.recorded
def test_recorded_and_documented_profit():
    """Empty on a first call, one row later."""
    assert portfolio.read_pnl(recorded("portfolio/conduit-GET-iserver-account-pnl-partitioned.json")) == ()

    (row,) = portfolio.read_pnl(documented("GET_iserver_account_pnl_partitioned.json")["success"])

    assert (row.account_id, row.daily, row.net_liquidation) == ("U1234567", Decimal(-12510), Decimal(1290000))


# Shapes nobody knows ---------------------------------------------------------------------


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [None, "no", 5, True, [5], ["x"]])
def test_other_shapes_are_refused(read, content):
    """An answer that nobody knows is said to be one, with its endpoint."""
    with pytest.raises(UnexpectedAnswer) as raised:
        read(content)

    assert raised.value.endpoint.startswith("GET /")


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=examples(40))
@given(content=ANY_JSON)
def test_no_answer_makes_a_reader_fall_over(read, content):
    """Whatever comes, it is read or refused in the library's own words."""
    with contextlib.suppress(UnexpectedAnswer):
        read(content)
