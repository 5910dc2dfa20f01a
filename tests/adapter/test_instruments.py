"""Every instrument by name: what is found, what it costs, and what is never guessed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from catalogue import Library

from ibkr_adapter.errors import AmbiguousContract, ApiError, ContractError, ContractNotFound, UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.query import ContractQuery

SEARCH, STRIKES, INFO = (f"GET /iserver/secdef/{word}" for word in ("search", "strikes", "info"))
FUTURES, LISTINGS = "GET /trsrv/futures", "GET /trsrv/stocks"


@pytest.fixture
def library(tmp_path):
    made = Library(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ibkr(library):
    return library.exchange()


@pytest.fixture
def broker(library):
    return library.broker


FOUND = {
    "AAPL": (265598, SecType.STOCK),
    "NASDAQ:AAPL": (265598, SecType.STOCK),
    "MEXI:AAPL": (38708077, SecType.STOCK),
    "AAPL@MEXI": (38708077, SecType.STOCK),
    "BRK.B": (72063691, SecType.STOCK),
    "AMEX:SPY": (756733, SecType.STOCK),
    "STK:ES": (8894, SecType.STOCK),
    "NYSE:ES": (8894, SecType.STOCK),
    "LINK": (63, SecType.STOCK),
    "US0378331005": (265598, SecType.STOCK),
    "conid:265598": (265598, SecType.STOCK),
    "265598@SMART": (265598, SecType.STOCK),
    "AAPL 2027-01-15 220 C": (70002, SecType.OPTION),
    "AAPL270115P00220000": (71002, SecType.OPTION),
    "AAPL 2027-01-08 220 C": (72000, SecType.OPTION),
    "SPXW261218C05000000": (74001, SecType.OPTION),
    "SPX261218C05000000": (74000, SecType.OPTION),
    "BRKB270115C00500000": (75000, SecType.OPTION),
    "BRK.B 2027-01-15 500 C": (75000, SecType.OPTION),
    "TWO 2027-01-15 10 C": (78000, SecType.OPTION),
    "FOP:ES 2026-12-18 5000 C": (76000, SecType.FUTURE_OPTION),
    "ESZ6 C4900": (76001, SecType.FUTURE_OPTION),
    "ES 2026-12-18 60 C": (77000, SecType.OPTION),
    "ES 2026-11-27 5000 C": (76003, SecType.FUTURE_OPTION),
    "WAR:SAP 2026-12-18 200 P": (79001, SecType.WARRANT),
    "ESZ6": (515416632, SecType.FUTURE),
    "ES 2026-12": (515416632, SecType.FUTURE),
    "ES 2026-12-18": (515416632, SecType.FUTURE),
    "@ES": (515416632, SecType.FUTURE),
    "ES1!": (515416632, SecType.FUTURE),
    "FUT:ES": (515416632, SecType.FUTURE),
    "CME:ESH7": (649180678, SecType.FUTURE),
    "CLF7": (1001, SecType.FUTURE),
    "CLG7": (1002, SecType.FUTURE),
    "@CL": (1001, SecType.FUTURE),
    "@BTC": (4001, SecType.FUTURE),
    "EUR.USD": (12087792, SecType.FOREX),
    "EURUSD": (12087792, SecType.FOREX),
    "ETH.USD": (495759171, SecType.CRYPTO),
    "BTC.USD@PAXOS": (479624278, SecType.CRYPTO),
    "IND:SPX": (416904, SecType.INDEX),
    "FUND:VTSAX": (8001, SecType.FUND),
    "CFD:AAPL": (118239, SecType.CFD),
    "BOND:IBM 2028-12 3.5": (9001, SecType.BOND),
    "BOND:IBM 2030-06-01": (9003, SecType.BOND),
}


@pytest.mark.parametrize(("name", "found"), FOUND.items(), ids=list(FOUND))
def test_a_name_finds_its_contract_and_costs_nothing_again(library, ibkr, broker, name, found):
    """Also after a restart, and the caller's own spelling is given back."""
    contract = ibkr.contracts.resolve(name)
    before = len(broker.calls)

    assert (contract.conid, contract.sec_type) == found
    assert ibkr.contracts.resolve(name) == contract
    assert len(broker.calls) == before
    assert ibkr.contracts.written(contract.conid, contract.symbol) == name
    again = library.restart()
    assert again.contracts.written(contract.conid, contract.symbol) == name
    assert again.contracts.resolve(name).conid == contract.conid
    assert broker.asked() == []


COSTS = {
    "AAPL": 1,
    "265598@SMART": 1,
    "ESZ6": 2,
    "@ES": 2,
    "CLF7": 3,
    "AAPL 2027-01-15 220 C": 3,
    "SPXW261218C05000000": 3,
    "BRKB270115C00500000": 4,
    "FOP:ES 2026-12-18 5000 C": 3,
    "EUR.USD": 2,
    "BTC.USD@PAXOS": 2,
    "IND:SPX": 2,
    "BOND:IBM 2028-12 3.5": 2,
}


@pytest.mark.parametrize(("name", "requests"), COSTS.items(), ids=list(COSTS))
def test_a_cold_name_costs_what_the_documentation_says(ibkr, broker, name, requests):
    ibkr.contracts.resolve(name)

    assert len(broker.asked()) == requests


def test_programs_ask_by_query(ibkr):
    """The same rooms, without a spelling to give back."""
    option = ibkr.contracts.resolve(ContractQuery.option("AAPL", date(2027, 1, 15), 220, "call"))
    stock = ibkr.contracts.resolve(ContractQuery.stock("AAPL", currency="MXN"))

    assert (option.conid, stock.conid) == (70002, 38708077)
    assert ibkr.contracts.written(70002, "AAPL") == "AAPL270115C00220000"
    assert ibkr.contracts.written(38708077, "AAPL") == "38708077@SMART"
    assert ibkr.contracts.name_of(option) == "AAPL270115C00220000"


def test_a_contract_is_complete_enough_to_trade_by(ibkr):
    option = ibkr.contracts.resolve("AAPL 2027-01-15 220 C")
    future = ibkr.contracts.resolve("CLF7")

    assert (option.multiplier, option.currency, option.underlying_conid) == (Decimal(100), "USD", 265598)
    assert (future.multiplier, future.exchange, future.expiry, future.contract_month) == (
        Decimal(1000),
        "NYMEX",
        "20261221",
        "202701",
    )


# Ambiguity -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "write", "host"),
    [
        ("ES", ["STK:ES", "@ES", "FUT:ES"], ["8894@SMART", "@ES", "515416632@SMART"]),
        (
            "BTC",
            ["STK:BTC", "@BTC", "FUT:BTC", "BTC.USD@PAXOS", "BTC.USD@ZEROHASH"],
            ["7777@SMART", "@BTC", "4001@SMART", "BTC.USD@PAXOS", "BTC.USD@ZEROHASH"],
        ),
        ("GOLD", ["81@SMART", "82@SMART"], ["81@SMART", "82@SMART"]),
        ("SAP", ["91@SMART", "92@SMART"], ["91@SMART", "92@SMART"]),
        ("BTC.USD", ["BTC.USD@PAXOS", "BTC.USD@ZEROHASH"], ["BTC.USD@PAXOS", "BTC.USD@ZEROHASH"]),
        (
            "SPX 2026-12-18 5000 C",
            ["SPX261218C05000000", "SPXW261218C05000000"],
            ["SPX261218C05000000", "SPXW261218C05000000"],
        ),
        ("SI 2026-12", ["2001@SMART", "2002@SMART"], ["2001@SMART", "2002@SMART"]),
        ("BOND:IBM 2028-12", ["9001@SMART", "9002@SMART"], ["9001@SMART", "9002@SMART"]),
        (
            "ES 2026-12-18 5000 C",
            ["OPT:ES 2026-12-18 5000 C", "FOP:ES 2026-12-18 5000 C"],
            ["77001@SMART", "76000@SMART"],
        ),
        ("AAPL JAN27 220 C", ["AAPL270115C00220000", "AAPL270108C00220000"], None),
        ("IND:TWIN", ["13@SMART", "14@SMART"], None),
    ],
)
def test_what_fits_several_lists_what_to_write_for_each(ibkr, broker, name, write, host):
    """In words and as candidates, and each form means what it is written beside."""
    with pytest.raises(AmbiguousContract) as refused:
        ibkr.contracts.resolve(name)

    candidates = refused.value.candidates
    assert [found.write for found in candidates] == write
    assert host is None or [found.for_host for found in candidates] == host
    for found in candidates:
        assert found.write in str(refused.value)
        broker.infos.setdefault(found.conid, {**broker.infos[265598], "con_id": found.conid})
    assert not any("order" in call for call in broker.calls)


def test_each_spelling_of_a_candidate_means_it(ibkr):
    with pytest.raises(AmbiguousContract) as refused:
        ibkr.contracts.resolve("ES")

    for found in refused.value.candidates:
        assert ibkr.contracts.resolve(found.write).conid == found.conid
        assert ibkr.contracts.resolve(found.for_host).conid == found.conid


def test_an_ambiguous_stock_is_shown_with_its_currency(ibkr, broker):
    with pytest.raises(AmbiguousContract) as refused:
        ibkr.contracts.resolve("SAP")

    assert [found.currency for found in refused.value.candidates] == ["EUR", "EUR"]
    assert "91@SMART (SAP SE, IBIS, EUR)" in str(refused.value)
    broker.refused["GET /trsrv/secdef"] = (400, {"error": "no"})
    with pytest.raises(AmbiguousContract, match="GOLD"):
        ibkr.contracts.resolve("GOLD")


def test_find_lists_what_resolve_refuses_to_choose_from(ibkr):
    assert [found.conid for found in ibkr.contracts.find("GOLD")] == [81, 82]
    assert [found.write for found in ibkr.contracts.find("AAPL")] == ["AAPL"]
    assert ">BARRICK</td>" in ibkr.contracts.find("GOLD")._repr_html_()


def test_a_coin_is_found_where_this_login_may_trade_it(ibkr, broker):
    broker.tradable[541686651] = ["DU999"]

    assert ibkr.contracts.resolve("BTC.USD").conid == 479624278


def test_an_ordinary_stock_is_never_asked_about_futures_or_coins(ibkr, broker):
    """That is what the table of known products is for."""
    ibkr.contracts.resolve("AAPL")

    assert broker.asked() == [LISTINGS]


# Not found -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said", "remedy"),
    [
        ("ZZZZ", "no stock", ""),
        ("FWB:AAPL", "not listed on FWB", "NASDAQ"),
        ("DE0007164600", "no stock under", "symbol"),
        ("AAPL 2027-01-15 225 C", "no strike 225", "210, 220, 230"),
        ("AAPL 2027-01-14 220 C", "does not exist on 2027-01-14", "2027-01-08, 2027-01-15"),
        ("AAPL 2027-02-15 220 C", "nothing on AAPL in 2027-02", "2026-12, 2027-01"),
        ("AAPL 2024-03-15 187.5 C", "expired on 2024-03-15", "2026-12, 2027-01"),
        ("AAPL 2027-01-15 220 C XXX", "no contract", "AAPL"),
        ("ZZZZ 2027-01-15 220 C", "no option on ZZZZ", ""),
        ("WAR:AAPL 2027-01-15 220 C", "no warrant on AAPL", ""),
        ("ES 2026-12-18 7 C", "no strike 7", "60"),
        ("ES 2026-11", "is not listed", "ES 2026-12-18"),
        ("ESU6", "has expired", "ES 2026-12-18"),
        ("ES 2026-09-18", "has expired", "@ES"),
        ("ES 2026-12-17", "is not listed", "ES 2026-12-18"),
        ("MUTE 2026-12", "does not say which months", "MUTE 2026-12-18"),
        ("FUT:ZZZZ", "no future", ""),
        ("NYMEX:ESZ6", "not traded on NYMEX", "CME"),
        ("USD.EUR", "EUR.USD, not USD.EUR", "EUR.USD"),
        ("EUR.JPY", "no pair", ""),
        ("GBP.SEK", "no pair", ""),
        ("CRYPTO:ZZZZ", "no cryptocurrency", ""),
        ("BTC.EUR@PAXOS", "not traded in EUR", "USD"),
        ("BTC.USD@COINBASE", "not listed on COINBASE", "PAXOS"),
        ("IND:ZZZZ", "no index", ""),
        ("IND:SPX@EUREX", "no index", ""),
        ("BOND:ZZZZ", "no issuer", ""),
        ("BOND:MANY", "9 issuers", "Issuer 0"),
        ("BOND:IBM 2029-01", "no bond", "3.5 %"),
        ("conid:424242", "no contract 424242", ""),
        ("265598@TSE", "does not trade on TSE", "NASDAQ"),
        ("OPT:265598@SMART", "a stock, not an option", "265598@SMART"),
        ("72000@SMART", "", ""),
        ("66@SMART", "expired on 2024-03-15", ""),
    ],
)
def test_what_is_not_there_says_what_would_have_worked(ibkr, broker, name, said, remedy):
    """Nothing is sent to the order endpoints, and no other contract is put in its place."""
    if not said:
        assert ibkr.contracts.resolve(name).conid == int(name.partition("@")[0])
        return

    with pytest.raises(ContractNotFound, match=said) as refused:
        ibkr.contracts.resolve(name)

    assert remedy in refused.value.remedy
    assert "nothing was sent" in str(refused.value)
    assert not any("order" in call for call in broker.calls)


def test_near_names_are_offered(ibkr):
    with pytest.raises(ContractNotFound) as typo:
        ibkr.contracts.resolve("APLE")
    with pytest.raises(ContractNotFound) as index:
        ibkr.contracts.resolve("STK:VIX")
    with pytest.raises(ContractNotFound) as turned:
        ibkr.contracts.resolve("USD.EUR")
    with pytest.raises(ContractNotFound) as future:
        ibkr.contracts.resolve("ES 2026-11")

    assert typo.value.near == ("APPL",)
    assert index.value.near == ("IND:VIX",)
    assert turned.value.near == ("EUR.USD",)
    assert future.value.near[0] == "ES 2026-12-18"


def test_a_product_that_is_no_stock_is_told_as_what_it_is(ibkr):
    with pytest.raises(ContractNotFound) as refused:
        ibkr.contracts.resolve("CL")

    assert refused.value.near == ("@CL", "FUT:CL")


def test_a_conid_of_another_contract_than_asked_for_is_refused(ibkr, broker):
    broker.infos[5] = broker.infos[265598]

    with pytest.raises(ContractError, match="contract 265598 for 5"):
        ibkr.contracts.resolve("conid:5")


def test_a_derivative_of_another_kind_than_asked_for_is_refused(ibkr, broker):
    """Whatever a room finds is compared with what was meant once more."""
    broker.infos[515416632] = broker.infos[515416632] | {"instrument_type": "IND"}

    with pytest.raises(ContractNotFound, match="an index, not a future"):
        ibkr.contracts.resolve("@ES")


def test_an_underlying_on_two_exchanges_is_narrowed_or_asked_about(ibkr, broker):
    with pytest.raises(AmbiguousContract) as refused:
        ibkr.contracts.resolve("SAP 2026-12-18 200 C")

    assert [found.write for found in refused.value.candidates] == [
        "IBIS:SAP 2026-12-18 200 C",
        "FWB:SAP 2026-12-18 200 C",
    ]
    with pytest.raises(ContractNotFound, match="strike 200"):
        ibkr.contracts.resolve("IBIS:SAP 2026-12-18 200 C")
    asked = dict(zip(broker.calls, broker.queries, strict=True))
    assert asked[STRIKES]["exchange"] == "DTB"


def test_a_routing_exchange_is_noted_where_the_contract_trades_there(ibkr):
    contract = ibkr.contracts.resolve("265598@ARCA")

    assert (contract.conid, contract.route) == (265598, "ARCA")
    assert ibkr.contracts.resolve("265598@SMART").route is None


def test_an_option_exchange_narrows_where_to_ask(ibkr, broker):
    """The word may be the underlying's exchange or the options' own."""
    assert ibkr.contracts.resolve("AAPL 2027-01-15 220 C@CBOE").conid == 70002
    assert ibkr.contracts.resolve("NASDAQ:AAPL 2027-01-15 210 C").conid == 70001

    exchanges = [
        query.get("exchange")
        for call, query in zip(broker.calls, broker.queries, strict=True)
        if call == STRIKES
    ]
    assert exchanges == ["CBOE", None]


def test_a_cfd_is_that_of_the_american_share(ibkr, broker):
    broker.infos[622] = broker.infos[118239] | {"con_id": 622, "symbol": "TWO"}
    row = broker.searches["TWO", None][0]
    broker.searches["TWO", None][0] = row | {
        "sections": [*row["sections"], {"secType": "CFD", "conid": "622"}]
    }

    assert ibkr.contracts.resolve("CFD:TWO").conid == 622


def test_a_stock_that_is_not_traded_in_a_currency_says_in_which_it_is(ibkr):
    with pytest.raises(ContractNotFound, match="not traded in EUR") as refused:
        ibkr.contracts.resolve(ContractQuery.stock("AAPL", currency="EUR"))

    assert "MXN, USD" in refused.value.remedy


def test_what_only_looks_like_a_coin_is_none(ibkr, broker):
    """A row of another symbol, and one without the kind."""
    rows = broker.searches["ETH", "CRYPTO"]
    broker.searches["ETH", "CRYPTO"] = [
        *rows,
        {**rows[0], "conid": "5", "symbol": "ETHW"},
        {**rows[0], "conid": "6", "sections": [{"secType": "STK"}]},
    ]

    assert ibkr.contracts.resolve("ETH.USD").conid == 495759171


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("GET /iserver/currency/pairs", "EUR.USD"),
        ("GET /iserver/contract/265598/info-and-rules", "265598@SMART"),
    ],
)
def test_a_refusal_that_is_no_answer_is_passed_on(ibkr, broker, call, name):
    """It says nothing about whether the contract exists."""
    broker.refused[call] = (500, {"error": "java.lang.NullPointerException"})

    with pytest.raises(ApiError, match="NullPointer"):
        ibkr.contracts.resolve(name)


def test_a_hint_is_not_worth_an_error_of_its_own(ibkr, broker):
    broker.refused[SEARCH] = (500, {"error": "java.lang.NullPointerException"})

    with pytest.raises(ContractNotFound, match="ZZZZ") as refused:
        ibkr.contracts.resolve("ZZZZ")

    assert refused.value.near == ()


def test_months_far_from_the_one_asked_for_are_not_asked_about(ibkr, broker):
    """Each look costs a request, so it ends somewhere."""
    broker.futures["ES"] = [
        {**broker.futures["ES"][0], "conid": 90000 + day, "expirationDate": 20261200 + day, "ltd": None}
        for day in range(1, 13)
    ]
    for row in broker.futures["ES"]:
        broker.infos[row["conid"]] = broker.infos[515416632] | {"con_id": row["conid"]}
    broker.futures["ES"].append({**broker.futures["ES"][0], "conid": 1, "expirationDate": 20270115})

    with pytest.raises(ContractNotFound, match="not listed"):
        ibkr.contracts.resolve("ES 2026-11")

    assert len(broker.asked()) == 13


# In the account --------------------------------------------------------------------------


def test_positions_are_called_by_what_means_them(library, ibkr, broker):
    """A close goes by that name: an option is never called by its underlying's symbol.

    Nor is a listing abroad called by a symbol that means the one in the US.
    """
    row = {"position": 1.0, "currency": "USD", "avgCost": 5801.0, "avgPrice": 58.01, "secType": "OPT"}
    broker.refused["GET /portfolio/accounts"] = (200, [{"accountId": "DU1234567"}])
    broker.refused["GET /portfolio2/DU1234567/positions"] = (
        200,
        [
            row | {"conid": "70002", "description": "AAPL"},
            row | {"conid": "71002", "description": "AAPL"},
            row | {"conid": "66", "description": "AAPL"},
            row | {"conid": "265598", "description": "AAPL", "secType": "STK"},
            row | {"conid": "38708077", "description": "AAPL", "secType": "STK", "currency": "MXN"},
        ],
    )
    ibkr.contracts.resolve("AAPL270115C00220000")

    held = ibkr.get_positions()

    assert [found["symbol"] for found in held] == [
        "AAPL270115C00220000",
        "AAPL270115P00220000",
        "66@SMART",
        "AAPL",
        "38708077@SMART",
    ]
    assert held[0]["notional"] is None
    assert [ibkr.get_position(found["symbol"])["symbol"] for found in held] == [f["symbol"] for f in held]


def test_orders_of_others_are_called_by_what_means_them(ibkr, broker):
    """Somebody's option order in another program is none on the share."""
    row = {"acct": "DU1234567", "side": "BUY", "status": "Submitted", "ticker": "AAPL", "totalSize": 1}
    row |= {"orderType": "Limit", "price": "1", "remainingQuantity": 1.0, "filledQuantity": 0.0}
    broker.refused["GET /iserver/account/orders"] = (
        200,
        {
            "orders": [
                row | {"orderId": 1, "conid": 66, "secType": "OPT"},
                row | {"orderId": 2, "conid": 265598, "secType": "STK"},
                row | {"orderId": 3, "conid": 265598},
            ],
            "snapshot": True,
        },
    )

    assert [found["symbol"] for found in ibkr.get_open_orders()] == ["66@SMART", "AAPL", "AAPL"]


def test_fills_of_others_are_called_by_what_means_them(ibkr, broker):
    row = {"symbol": "AAPL", "side": "B", "size": 1.0, "price": "2.5", "account": "DU1234567"}
    broker.refused["GET /iserver/account/trades"] = (
        200,
        [
            row | {"execution_id": "1", "conid": 66, "sec_type": "OPT", "trade_time_r": 1795000002000},
            row | {"execution_id": "2", "conid": 265598, "sec_type": "STK", "trade_time_r": 1795000001000},
        ],
    )

    assert [found["symbol"] for found in ibkr.get_trade_history()] == ["66@SMART", "AAPL"]


# Expiry ----------------------------------------------------------------------------------


def test_what_has_expired_since_it_was_found_is_not_traded(library, ibkr):
    """A name in memory, a name on disk, an id: none of them is a way round."""
    names = ["AAPL 2026-12-18 200 C", "ESZ6", "73000@SMART", "515416632@SMART"]
    for name in names:
        ibkr.contracts.resolve(name)
    library.clock.advance(26 * 24 * 3600)

    for exchange in (ibkr, library.restart()):
        for name in names:
            with pytest.raises(ContractNotFound, match="expired"):
                exchange.contracts.resolve(name)


def test_a_position_in_what_has_expired_can_still_be_read_by_its_name(library, ibkr):
    """Until it is settled it stands in the account."""
    ibkr.contracts.resolve("AAPL 2026-12-18 200 C")
    library.clock.advance(26 * 24 * 3600)
    again = library.restart()

    assert again.contracts.resolve("AAPL 2026-12-18 200 C", for_trading=False).conid == 73000
    assert again.contracts.resolve("66@SMART", for_trading=False).conid == 66
    assert again.contracts.resolve("67@SMART", for_trading=False).expiry == "20240315"
    assert again.contracts.written(73000, "AAPL") == "AAPL 2026-12-18 200 C"
    with pytest.raises(ContractNotFound):
        again.contracts.resolve("66@SMART")


def test_an_id_that_nobody_knows_is_not_found_for_reading_either(ibkr, broker):
    broker.refused["GET /trsrv/secdef"] = (400, {"error": "no"})

    with pytest.raises(ContractNotFound, match="no contract 424242"):
        ibkr.contracts.resolve("424242@SMART", for_trading=False)


def test_the_front_month_rolls_on_the_day_that_the_chain_shows(library, ibkr):
    """From then on the old contract is called by its own name, because @ES means another one."""
    (row,) = ibkr.contracts.futures_chain("ES").where(lambda row: row.front)
    assert (row.conid, row.rolls_on) == (515416632, date(2026, 12, 17))
    assert ibkr.contracts.resolve("@ES").conid == 515416632
    library.clock.advance(22 * 24 * 3600)
    assert ibkr.contracts.resolve("@ES").conid == 515416632
    library.clock.advance(24 * 3600)

    assert ibkr.contracts.resolve("@ES").conid == 649180678
    assert ibkr.contracts.written(649180678, "ES") == "@ES"
    assert ibkr.contracts.written(515416632, "ES") == "ES 2026-12-18"


# Spelling --------------------------------------------------------------------------------


def test_reading_does_not_change_the_spelling_that_trading_used(ibkr):
    """Hosts compare names letter by letter."""
    ibkr.contracts.resolve("NASDAQ:AAPL")
    ibkr.contracts.resolve("aapl", for_trading=False)
    assert ibkr.contracts.written(265598, "AAPL") == "NASDAQ:AAPL"

    ibkr.contracts.resolve("aapl")

    assert ibkr.contracts.written(265598, "AAPL") == "aapl"


@pytest.mark.parametrize(
    ("symbol", "sec_type", "named"),
    [
        ("MSFT", SecType.STOCK, "MSFT"),
        ("MSFT", None, "MSFT"),
        ("ES", SecType.STOCK, "4711@SMART"),
        ("BTC", SecType.STOCK, "4711@SMART"),
        ("AAPL", SecType.OPTION, "4711@SMART"),
    ],
)
def test_a_contract_that_nobody_wrote_has_a_name_of_its_own(ibkr, symbol, sec_type, named):
    """An option must not be called by its underlying's symbol: a close would sell the shares."""
    assert ibkr.contracts.written(4711, symbol, sec_type) == named


def test_a_contract_that_was_seen_has_its_proper_name(ibkr):
    ibkr.contracts.option_chain("AAPL", expiries="2026-12")

    assert ibkr.contracts.written(73000, "AAPL") == "AAPL261218C00200000"


# Searching -------------------------------------------------------------------------------


def test_a_search_is_a_table(ibkr):
    hits = ibkr.contracts.search("AAPL")

    assert [(found.conid, found.kinds) for found in hits] == [(38708077, "STK"), (265598, "STK OPT CFD")]
    assert len(ibkr.contracts.search("SPX", "IND")) == 1
    assert list(ibkr.contracts.search("ZZZZ")) == []
    with pytest.raises(ContractNotFound, match="no symbol"):
        ibkr.contracts.search("A\x00B")


def test_an_answer_that_nobody_knows_is_no_contract(ibkr, broker):
    broker.refused[FUTURES] = (200, {"ES": [{"conid": 5}]})

    with pytest.raises(UnexpectedAnswer):
        ibkr.contracts.resolve("@ES")
