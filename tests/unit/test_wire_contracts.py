"""Contracts and searches: every shape of the service, and no guess about what is traded."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibkr_adapter.errors import ApiError, UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.ticks import TickStep
from ibkr_adapter.wire import contracts

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"
CENTS = TickStep(lower_edge=Decimal(0), increment=Decimal("0.01"))
STOCKS = {
    "AAPL": [
        {
            "name": "APPLE INC",
            "assetClass": "STK",
            "contracts": [
                {"conid": 265598, "exchange": "NASDAQ", "isUS": True},
                {"conid": 38708077, "exchange": "MEXI", "isUS": False},
            ],
        },
        {"name": "APPLE &amp; CO-CDR", "contracts": [{"conid": 532640894, "exchange": "TSE"}]},
    ]
}
INFO = {
    "con_id": 685302909,
    "symbol": "IBM",
    "instrument_type": "OPT",
    "currency": "USD",
    "company_name": "INTL BUSINESS MACHINES CORP",
    "exchange": "SMART",
    "local_symbol": "IBM   240315C00187500",
    "multiplier": "100",
    "strike": "187.5",
    "right": "CALL",
    "maturity_date": "20240315",
    "underlying_con_id": 8314,
    "trading_class": "IBM",
    "valid_exchanges": "SMART,AMEX,",
}
READERS = [
    lambda content: contracts.read_stocks(content, "AAPL"),
    contracts.read_secdef,
    contracts.read_contract_info,
    contracts.read_search,
]
KEYS = st.sampled_from(
    [
        "AAPL",
        "contracts",
        "secdef",
        "rules",
        "orderTypes",
        "tifTypes",
        "incrementRules",
        "schedules",
        "conid",
        "exchange",
        "sections",
        "liquid_hours",
        "exchange_time_zone",
        "increment",
        "error",
        "secType",
        "symbol",
    ]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


def recorded(name: str) -> object:
    """Read the body of a recorded answer as the library would, with exact fractions."""
    path = RECORDED / "contracts" / name
    if not path.exists():
        pytest.skip(f"no recorded answers beside the checkout ({name})")
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)["body"]


def documented(name: str) -> dict[str, object]:
    """Read IBKR's own examples of one operation."""
    path = RECORDED / "documented-examples" / name
    if not path.exists():
        pytest.skip(f"no documented examples beside the checkout ({name})")
    return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)["responses"]["200"]


# Stocks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "tried"),
    [
        ("BRK.B", ("BRK B", "BRK.B")),
        ("BRK-B", ("BRK B", "BRK-B")),
        ("BRK/B", ("BRK B", "BRK/B")),
        ("BRK B", ("BRK B",)),
        ("AAPL", ("AAPL",)),
        ("700", ("700",)),
        ("A.B.C", ("A.B.C",)),
    ],
)
def test_class_shares_are_tried_with_a_space(written, tried):
    """IBKR knows no other spelling, and people write every other."""
    assert contracts.class_share_spellings(written) == tried


def test_every_listing_of_every_company_is_a_candidate():
    """A name is ambiguous on two levels, and both are shown."""
    found = contracts.read_stocks(STOCKS, "AAPL")

    assert [(one.conid, one.exchange, one.is_us, one.name) for one in found] == [
        (265598, "NASDAQ", True, "APPLE INC"),
        (38708077, "MEXI", False, "APPLE INC"),
        (532640894, "TSE", None, "APPLE & CO-CDR"),
    ]
    assert found[0].write == "265598@SMART"


@pytest.mark.parametrize("content", [{}, {"ZZZZ": []}, {"ZZZZ": None}])
def test_an_unknown_symbol_has_no_listing(content):
    """It is answered with 200 and nothing in it."""
    assert contracts.read_stocks(content, "ZZZZ") == ()


@pytest.mark.parametrize(
    "listing",
    [{}, {"conid": 5}, {"exchange": "NYSE"}, {"conid": 2147483647, "exchange": "NYSE"}, "NYSE", None],
)
def test_a_listing_that_cannot_be_read_is_never_skipped(listing):
    """Without it the other one might look like the only one."""
    content = {"AAPL": [{"contracts": [{"conid": 265598, "exchange": "NASDAQ"}, listing]}]}

    with pytest.raises(UnexpectedAnswer, match="nothing was sent"):
        contracts.read_stocks(content, "AAPL")


@pytest.mark.recorded
def test_recorded_and_documented_stocks():
    """Several companies, several exchanges, conids as numbers."""
    apple = contracts.read_stocks(recorded("conduit-GET-trsrv-stocks.json"), "AAPL")
    ibm = contracts.read_stocks(documented("GET_trsrv_stocks.json")["ibm"], "IBM")

    assert [one.conid for one in apple if one.is_us] == [265598]
    assert [(one.conid, one.exchange) for one in ibm if one.is_us] == [(8314, "NYSE")]


# Definitions and details -----------------------------------------------------------------


def test_a_definition_has_the_tick_table():
    """Zeros and the text "0" stand for "none"; the table is put in order."""
    row = {
        "conid": 756733,
        "ticker": "SPY",
        "assetClass": "STK",
        "currency": "USD",
        "name": "SPDR S&amp;P 500",
        "listingExchange": "ARCA",
        "type": "ETF",
        "isUS": True,
        "strike": "0",
        "multiplier": Decimal("0.0"),
        "undConid": 0,
        "putOrCall": None,
        "allExchanges": "AMEX,NYSE",
        "incrementRules": [
            {"lowerEdge": Decimal("1.0"), "increment": Decimal("0.01")},
            {"lowerEdge": Decimal("0.0"), "increment": Decimal("0.0001")},
        ],
    }

    (found,) = contracts.read_secdef({"secdef": [row]})

    assert (found.conid, found.symbol, found.exchange, found.con_type) == (756733, "SPY", "ARCA", "ETF")
    assert (found.multiplier, found.strike, found.right, found.underlying_conid) == (
        Decimal(1),
        None,
        None,
        None,
    )
    assert [step.increment for step in found.ticks] == [Decimal("0.0001"), Decimal("0.01")]
    assert (found.name, found.valid_exchanges, found.is_us) == ("SPDR S&P 500", ("AMEX", "NYSE"), True)


@pytest.mark.parametrize(("written", "meant"), [(True, True), (False, False), (None, None)])
def test_a_definition_says_whether_it_is_american(written, meant):
    """Silence is not yes."""
    row = {"conid": 5, "ticker": "A", "assetClass": "STK", "isUS": written}

    assert contracts.read_secdef({"secdef": [row]})[0].is_us is meant


def test_a_contract_in_detail():
    """Its id has another name here, its strike is a text and its right a word."""
    found = contracts.read_contract_info(INFO)

    assert (found.conid, found.sec_type, found.multiplier) == (685302909, SecType.OPTION, Decimal(100))
    assert (found.strike, found.right, found.expiry) == (Decimal("187.5"), "C", "20240315")
    assert (found.underlying_conid, found.local_symbol) == (8314, "IBM 240315C00187500")
    assert found.valid_exchanges == ("SMART", "AMEX")


@pytest.mark.parametrize("right", [None, "?", Decimal("0.0"), ""])
def test_a_stock_has_no_right(right):
    """IBKR marks that in several ways."""
    assert contracts.read_contract_info(INFO | {"right": right}).right is None


@pytest.mark.parametrize(
    "broken", [{"con_id": None}, {"symbol": ""}, {"instrument_type": "NEW"}, {"multiplier": "-1"}]
)
def test_a_contract_that_is_not_fully_known_is_no_contract(broken):
    """It would be traded next."""
    with pytest.raises(UnexpectedAnswer, match="nothing was sent"):
        contracts.read_contract_info(INFO | broken)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("name", "conid", "symbol"),
    [
        ("conduit-GET-contract-info.json", 756733, "SPY"),
        ("conduit-GET-contract-info-and-rules.json", 265598, "AAPL"),
    ],
)
def test_recorded_contracts(name, conid, symbol):
    """With and without rules beside them."""
    found = contracts.read_contract_info(recorded(name))

    assert (found.conid, found.symbol, found.sec_type, found.currency) == (
        conid,
        symbol,
        SecType.STOCK,
        "USD",
    )


@pytest.mark.recorded
@pytest.mark.parametrize(
    "name", ["GET_iserver_contract_conid_info.json", "GET_iserver_contract_conid_info-and-rules.json"]
)
def test_documented_contracts(name):
    """Every example of the document is read."""
    found = [contracts.read_contract_info(example) for example in documented(name).values()]

    assert SecType.STOCK in {contract.sec_type for contract in found}


@pytest.mark.recorded
def test_recorded_and_documented_definitions():
    """Both have no derivative in them; the document's has the tick table."""
    (spy,) = contracts.read_secdef(recorded("conduit-GET-trsrv-secdef.json"))
    (ibm, *_) = contracts.read_secdef(documented("GET_trsrv_secdef.json")["response"])

    assert (spy.symbol, spy.exchange, spy.multiplier) == ("SPY", "ARCA", Decimal(1))
    assert (ibm.symbol, ibm.ticks) == ("IBM", (CENTS,))


# Search ----------------------------------------------------------------------------------


def test_a_search_shows_what_there_is_under_a_name():
    """Ids are texts, lists end in a separator, and an issuer has a placeholder for an id."""
    found = contracts.read_search(
        [
            {
                "conid": "756733",
                "companyName": "SPDR",
                "symbol": "SPY",
                "description": "ARCA",
                "opt": "20240315;20240322",
                "sections": [
                    {"secType": "STK", "exchange": "MEXI;"},
                    {"secType": "OPT", "months": "APR26;MAY26"},
                    {"secType": "CFD", "conid": "134770228"},
                    {"secType": "BRANDNEW"},
                ],
            },
            {"conid": "2147483647", "companyHeader": "Corporate Fixed Income", "companyName": None},
        ]
    )

    assert (found[0].conid, found[0].symbol, found[0].exchange) == (756733, "SPY", "ARCA")
    assert found[0].expiries == ("20240315", "20240322")
    assert [section.sec_type for section in found[0].sections] == [
        SecType.STOCK,
        SecType.OPTION,
        SecType.CFD,
        SecType.UNKNOWN,
    ]
    assert found[0].sections[0].exchanges == ("MEXI",)
    assert found[0].sections[1].months == ("APR26", "MAY26")
    assert found[0].sections[2].conid == 134770228
    assert (found[1].conid, found[1].symbol, found[1].name) == (None, None, "Corporate Fixed Income")


@pytest.mark.parametrize("content", [None, "", [], {}, {"error": "No symbol found"}])
def test_nothing_found_is_no_error(content):
    """It is answered in several ways, all with 200."""
    assert contracts.read_search(content) == ()


@pytest.mark.recorded
def test_recorded_and_documented_searches():
    """Stocks of several countries, and the row of a bond issuer."""
    apple = contracts.read_search(recorded("conduit-POST-secdef-search.json"))
    spy = contracts.read_search(recorded("conduit-GET-secdef-search.json"))
    ibm = contracts.read_search(documented("GET_iserver_secdef_search.json")["found"])

    assert [(hit.conid, hit.exchange) for hit in apple] == [(265598, "NASDAQ"), (38708077, "MEXI")]
    assert spy[0].symbol == "SPY"
    assert [hit.conid for hit in ibm] == [8314, 41645598, None]


# Shapes nobody knows ---------------------------------------------------------------------


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [5, True, "no", [5], [None], {"AAPL": 5, "secdef": 5, "rules": 5}])
def test_other_shapes_are_refused(read, content):
    """An answer that nobody knows is said to be one, with its endpoint."""
    with pytest.raises(UnexpectedAnswer) as raised:
        read(content)

    assert raised.value.endpoint.startswith("GET /")


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=100)
@given(content=ANY_JSON)
def test_no_answer_makes_a_reader_fall_over(read, content):
    """Whatever comes, it is read or refused in the library's own words."""
    with contextlib.suppress(ApiError):
        read(content)
