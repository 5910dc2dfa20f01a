"""Contracts: every shape of the service, and no guess about what is traded."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import any_json, documented, recorded_in

from ibkr_adapter.errors import ApiError, UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.ticks import TickStep
from ibkr_adapter.wire import contracts
from thoroughly import examples

recorded = recorded_in("contracts")
CENTS = TickStep(lower_edge=Decimal(0), increment=Decimal("0.01"))
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
READERS = [contracts.read_secdef, contracts.read_contract_info]
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
ANY_JSON = any_json(KEYS, widest=(3, 5), leaves=15)


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


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [5, True, "no", [5], [None], {"secdef": 5, "rules": 5}])
def test_other_shapes_are_refused(read, content):
    """An answer that nobody knows is said to be one, with its endpoint."""
    with pytest.raises(UnexpectedAnswer) as raised:
        read(content)

    assert raised.value.endpoint.startswith("GET /")


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=examples(100))
@given(content=ANY_JSON)
def test_no_answer_makes_a_reader_fall_over(read, content):
    """Whatever comes, it is read or refused in the library's own words."""
    with contextlib.suppress(ApiError):
        read(content)
