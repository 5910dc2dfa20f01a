"""Listings, searches, strikes and pairs: every shape of the service, and no row left out."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import any_json, documented, recorded_in

from ibkr_adapter.errors import ApiError, UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.wire import contracts, discovery
from thoroughly import examples

recorded = recorded_in("contracts")
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
READERS = [
    lambda content: discovery.read_stocks(content, "AAPL"),
    lambda content: discovery.read_futures(content, "ES"),
    discovery.read_search,
    discovery.read_strikes,
    discovery.read_secdef_info,
    discovery.read_pairs,
]
KEYS = st.sampled_from(
    [
        "AAPL",
        "ES",
        "USD",
        "contracts",
        "conid",
        "exchange",
        "sections",
        "secType",
        "symbol",
        "issuers",
        "id",
        "call",
        "put",
        "strike",
        "expirationDate",
        "maturityDate",
        "coupon",
        "multiplier",
        "months",
        "error",
    ]
)
ANY_JSON = any_json(KEYS, widest=(3, 5), leaves=15)
# After the example of the documents: a weekly put on a stock.
PUT = {
    "conid": 667629330,
    "symbol": "AAPL",
    "secType": "OPT",
    "exchange": "SMART",
    "listingExchange": None,
    "right": "P",
    "strike": Decimal("195.0"),
    "currency": "USD",
    "cusip": None,
    "coupon": "No Coupon",
    "desc1": "AAPL",
    "desc2": "JAN 05 '24 195 Put",
    "maturityDate": "20240105",
    "multiplier": "100",
    "tradingClass": "AAPL",
    "validExchanges": "SMART,AMEX,CBOE,",
    "showPrips": True,
}


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
    assert discovery.class_share_spellings(written) == tried


def test_every_listing_of_every_company_is_a_candidate():
    """A name is ambiguous on two levels, and both are shown."""
    found = discovery.read_stocks(STOCKS, "AAPL")

    assert [(one.conid, one.exchange, one.is_us, one.name) for one in found] == [
        (265598, "NASDAQ", True, "APPLE INC"),
        (38708077, "MEXI", False, "APPLE INC"),
        (532640894, "TSE", None, "APPLE & CO-CDR"),
    ]
    assert found[0].write == "265598@SMART"


@pytest.mark.parametrize("content", [{}, {"ZZZZ": []}, {"ZZZZ": None}])
def test_an_unknown_symbol_has_no_listing(content):
    """It is answered with 200 and nothing in it."""
    assert discovery.read_stocks(content, "ZZZZ") == ()


@pytest.mark.parametrize(
    "listing",
    [{}, {"conid": 5}, {"exchange": "NYSE"}, {"conid": 2147483647, "exchange": "NYSE"}, "NYSE", None],
)
def test_a_listing_that_cannot_be_read_is_never_skipped(listing):
    """Without it the other one might look like the only one."""
    content = {"AAPL": [{"contracts": [{"conid": 265598, "exchange": "NASDAQ"}, listing]}]}

    with pytest.raises(UnexpectedAnswer, match="nothing was sent"):
        discovery.read_stocks(content, "AAPL")


@pytest.mark.recorded
def test_recorded_and_documented_stocks():
    """Several companies, several exchanges, conids as numbers."""
    apple = discovery.read_stocks(recorded("conduit-GET-trsrv-stocks.json"), "AAPL")
    ibm = discovery.read_stocks(documented("GET_trsrv_stocks.json")["ibm"], "IBM")

    assert [one.conid for one in apple if one.is_us] == [265598]
    assert [(one.conid, one.exchange) for one in ibm if one.is_us] == [(8314, "NYSE")]


# Search ----------------------------------------------------------------------------------


def test_a_search_shows_what_there_is_under_a_name():
    """Ids are texts, lists end in a separator, and an issuer has a placeholder for an id."""
    found = discovery.read_search(
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
            {
                "conid": "2147483647",
                "companyHeader": "Corporate Fixed Income",
                "companyName": None,
                "issuers": [{"id": "e1400789", "name": "IBM Corp"}, {"id": "e5"}, {"name": "nobody"}],
                "sections": [{"secType": "BOND"}],
            },
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
    assert found[1].issuers == (("e1400789", "IBM Corp"), ("e5", "e5"))
    assert found[0].section(SecType.OPTION).months == ("APR26", "MAY26")
    assert found[0].section(SecType.FUND) is None
    assert found[0].kinds == "STK OPT CFD"


@pytest.mark.parametrize("content", [None, "", [], {}, {"error": "No symbol found"}])
def test_nothing_found_is_no_error(content):
    """It is answered in several ways, all with 200."""
    assert discovery.read_search(content) == ()


@pytest.mark.recorded
def test_recorded_and_documented_searches():
    """Stocks of several countries, and the row of a bond issuer."""
    apple = discovery.read_search(recorded("conduit-POST-secdef-search.json"))
    spy = discovery.read_search(recorded("conduit-GET-secdef-search.json"))
    ibm = discovery.read_search(documented("GET_iserver_secdef_search.json")["found"])

    assert [(hit.conid, hit.exchange) for hit in apple] == [(265598, "NASDAQ"), (38708077, "MEXI")]
    assert spy[0].symbol == "SPY"
    assert [hit.conid for hit in ibm] == [8314, 41645598, None]


# Futures ---------------------------------------------------------------------------------


def test_futures_have_their_days_as_numbers():
    """Cut-offs may be missing; nothing is sorted here."""
    content = {
        "ES": [
            {"symbol": "ES", "conid": 515416632, "underlyingConid": 11004968, "expirationDate": 20261218}
            | {"ltd": 20261217, "shortFuturesCutOff": 20261216, "longFuturesCutOff": "20261215"},
            {"conid": 649180678, "expirationDate": "20260618", "ltd": None},
        ]
    }

    first, second = discovery.read_futures(content, "ES")

    assert (first.conid, first.underlying_conid, first.expires) == (515416632, 11004968, date(2026, 12, 18))
    assert (first.last_day, first.rolls_on) == (date(2026, 12, 17), date(2026, 12, 15))
    assert (second.symbol, second.last_day, second.rolls_on) == ("ES", date(2026, 6, 18), date(2026, 6, 18))


@pytest.mark.parametrize("content", [{}, {"ES": []}, {"ES": None}])
def test_an_unknown_product_has_no_future(content):
    """It is answered with 200."""
    assert discovery.read_futures(content, "ES") == ()


@pytest.mark.parametrize(
    "row", [{}, {"conid": 5}, {"expirationDate": 20261218}, {"conid": 5, "expirationDate": 7}]
)
def test_a_future_without_its_day_is_refused(row):
    """The next one would be taken for the front month."""
    with pytest.raises(UnexpectedAnswer, match="nothing was sent"):
        discovery.read_futures({"ES": [row]}, "ES")


@pytest.mark.recorded
def test_recorded_and_documented_futures():
    """Both list the later one first."""
    live = discovery.read_futures(recorded("conduit-GET-trsrv-futures.json"), "ES")
    documents = discovery.read_futures(documented("GET_trsrv_futures.json")["futures"], "ES")

    assert [row.conid for row in live] == [515416632, 649180678]
    assert live[0].rolls_on == date(2026, 12, 17)
    assert [row.expires.year for row in documents] == [2024, 2025]


# Derivatives -----------------------------------------------------------------------------


def test_strikes_are_numbers_or_texts():
    """One document has them as texts."""
    found = discovery.read_strikes({"call": [Decimal("190.0"), "185"], "put": ["187.50", "185"]})

    assert found.calls == (Decimal(185), Decimal(190))
    assert found.both == (Decimal(185), Decimal("187.5"), Decimal(190))


@pytest.mark.parametrize("content", [{}, {"call": [], "put": []}, {"call": None}])
def test_no_strikes_are_no_error(content):
    """Out of order, or a month that does not exist: the answer is the same."""
    assert discovery.read_strikes(content).both == ()


@pytest.mark.parametrize("broken", [{"call": 5}, {"call": [None]}, {"put": ["none"]}])
def test_strikes_that_cannot_be_read_are_refused(broken):
    """The nearest one would be offered from what is left."""
    with pytest.raises(UnexpectedAnswer, match="nothing was sent"):
        discovery.read_strikes(broken)


def test_a_derivative_is_read_with_all_that_tells_it_apart():
    """The right is a letter here and a word elsewhere."""
    (found,) = discovery.read_secdef_info([PUT])

    assert (found.conid, found.sec_type, found.symbol, found.right) == (
        667629330,
        SecType.OPTION,
        "AAPL",
        "P",
    )
    assert (found.strike, found.expiry, found.multiplier) == (Decimal(195), "20240105", Decimal(100))
    assert (found.trading_class, found.currency, found.exchange) == ("AAPL", "USD", "SMART")
    assert found.valid_exchanges == ("SMART", "AMEX", "CBOE")
    assert found.name == "AAPL JAN 05 '24 195 Put"
    assert found.coupon is None


def test_a_bond_has_a_coupon_and_no_strike():
    """Its coupon is a text."""
    row = PUT | {"secType": "BOND", "coupon": "3.5%", "cusip": "459200JZ5", "strike": 0, "right": "?"}

    (found,) = discovery.read_secdef_info([row | {"multiplier": None, "maturityDate": None}])

    assert (found.coupon, found.cusip, found.strike, found.right, found.expiry) == (
        Decimal("3.5"),
        "459200JZ5",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("content", [[], {}])
def test_no_contract_is_no_error(content):
    """A strike that has none on that day is answered so."""
    assert discovery.read_secdef_info(content) == ()


@pytest.mark.recorded
def test_recorded_and_documented_derivatives():
    """The plain contract comes alone and in other words."""
    strikes = discovery.read_strikes(recorded("conduit-GET-secdef-strikes.json"))
    (ibm,) = discovery.read_secdef_info(
        documented("GET_iserver_secdef_info.json")["infoBy-symbol-exchange-conid"]
    )

    assert strikes.both[0] == 50
    assert (ibm.conid, ibm.symbol, ibm.sec_type, ibm.exchange, ibm.name) == (
        8314,
        "IBM",
        SecType.STOCK,
        "NYSE",
        "INTL BUSINESS MACHINES CORP",
    )
    assert (ibm.strike, ibm.right, ibm.expiry) == (None, None, None)


@pytest.mark.recorded
def test_the_documented_option_in_detail_has_its_days():
    """The words of the document and its own example disagree on what expiry_full is."""
    found = contracts.read_contract_info(
        documented("GET_iserver_contract_conid_info.json")["opt-contract-info"]
    )

    assert (found.expiry, found.contract_month, found.right) == ("20240315", "202403", "C")


@pytest.mark.parametrize(
    ("months", "meant"),
    [
        ({"contract_month": "202612"}, "202612"),
        ({"contract_month": 202612}, "202612"),
        ({"contract_month": None, "expiry_full": "202612"}, "202612"),
        ({"contract_month": "202613"}, None),
        ({"expiry_full": "20261218"}, None),
    ],
)
def test_the_contract_month_is_a_month_or_nothing(months, meant):
    """Crude oil for December ends in November, so it is never made from the day."""
    row = {"con_id": 5, "symbol": "CL", "instrument_type": "FUT"} | months

    assert contracts.read_contract_info(row).contract_month == meant


# Pairs -----------------------------------------------------------------------------------


def test_pairs_are_read_under_whatever_currency_they_come():
    content = {"USD": [{"symbol": "EUR.USD", "conid": 12087792, "ccyPair": "EUR"}], "EUR": None}

    assert [(pair.symbol, pair.conid) for pair in discovery.read_pairs(content)] == [("EUR.USD", 12087792)]


@pytest.mark.parametrize("row", [{}, {"symbol": "EUR.USD"}, {"conid": 5}])
def test_a_pair_without_its_id_is_refused(row):
    with pytest.raises(UnexpectedAnswer, match="nothing was sent"):
        discovery.read_pairs({"USD": [row]})


@pytest.mark.recorded
def test_recorded_and_documented_pairs():
    live = discovery.read_pairs(recorded("conduit-GET-currency-pairs.json"))
    documents = discovery.read_pairs(documented("GET_iserver_currency_pairs.json")["USD"])

    assert "EUR.USD" in {pair.symbol for pair in live}
    assert "USD.SGD" in {pair.symbol for pair in documents}


# Shapes nobody knows ---------------------------------------------------------------------


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [5, True, "no", [5], [None], {"AAPL": 5, "ES": 5, "call": 5}])
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
