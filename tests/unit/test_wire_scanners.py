"""Scanners as IBKR writes them: lists with holes, and results without their figures."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import any_json, recorded_in

from ibkr_adapter.errors import InvalidRequest, UnexpectedAnswer
from ibkr_adapter.model.contract import SecType
from ibkr_adapter.model.scan import FilterType
from ibkr_adapter.wire.scanners import read_parameters, read_scan, scan_body

recorded = recorded_in("scanner")
PARAMETERS = {
    "scan_type_list": [
        {"display_name": "Top % Gainers", "code": "TOP_PERC_GAIN", "instruments": ["STK", "FUT.US"]},
        {"display_name": "Halted", "code": "HALTED"},
        {"display_name": "nameless"},
        "x",
    ],
    "instrument_list": [
        {"display_name": "US Stocks", "type": "STK", "filters": ["priceAbove"]},
        {"display_name": "US Futures", "type": "FUT.US"},
        {"type": "IND.EU"},
    ],
    "filter_list": [
        {"group": "x", "display_name": "Price Above", "code": "priceAbove", "type": "non-range"},
        {"display_name": "Change %", "code": "changePerc", "type": "range"},
        {"display_name": "Halted", "code": "haltedIs", "type": "combo", "combo_values": [{"default": True}]},
        {"code": "new", "type": "of another kind"},
    ],
    "location_tree": [
        {
            "display_name": "US Stocks",
            "type": "STK",
            "locations": [{"display_name": "Listed/NASDAQ", "type": "STK.US.MAJOR", "locations": None}],
        },
        {"display_name": "US Futures", "type": "FUT.US", "locations": [{"type": "FUT.GLOBEX"}]},
    ],
}
ROW = {
    "server_id": "0",
    "column_name": "Chg%",
    "symbol": "PDSB",
    "conidex": "357194949",
    "con_id": 357194949,
    "company_name": "PDS BIOTECHNOLOGY CORP",
    "contract_description_1": "PDSB",
    "listing_exchange": "NASDAQ.SCM",
    "sec_type": "STK",
}


@pytest.fixture
def parameters():
    return read_parameters(PARAMETERS)


def test_the_lists_are_read_with_their_holes(parameters):
    assert [(scan.code, scan.instruments) for scan in parameters.scans] == [
        ("TOP_PERC_GAIN", ("STK", "FUT.US")),
        ("HALTED", ()),
    ]
    assert [each.code for each in parameters.instruments] == ["STK", "FUT.US", "IND.EU"]
    assert [(each.code, each.kind) for each in parameters.filters] == [
        ("priceAbove", FilterType.FIGURE),
        ("changePerc", FilterType.RANGE),
        ("haltedIs", FilterType.CHOICE),
        ("new", FilterType.UNKNOWN),
    ]
    assert [(each.code, each.above) for each in parameters.locations] == [
        ("STK", ""),
        ("STK.US.MAJOR", "STK"),
        ("FUT.US", ""),
        ("FUT.GLOBEX", "FUT.US"),
    ]


@pytest.mark.parametrize(
    ("instrument", "location", "filters"),
    [
        ("STK", "STK.US.MAJOR", {"priceAbove": Decimal(5), "haltedIs": "yes", "new": "x"}),
        (
            "STK",
            "STK",
            {"changePercAbove": Decimal(2), "changePercBelow": Decimal(9), "changePerc": Decimal(1)},
        ),
        ("FUT.US", "FUT.GLOBEX", {}),
    ],
)
def test_what_the_lists_have_passes(parameters, instrument, location, filters):
    parameters.check("TOP_PERC_GAIN", instrument, location, filters)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (("TOP_PERC_GAINS", "STK", "STK", {}), "no scan 'TOP_PERC_GAINS'.*Perhaps TOP_PERC_GAIN"),
        (("top % gainers", "STK", "STK", {}), "Perhaps TOP_PERC_GAIN"),
        (("qqqq", "STK", "STK", {}), "scanner_parameters"),
        (("TOP_PERC_GAIN", "STKS", "STK", {}), "no class of instruments 'STKS'.*Perhaps STK"),
        (("TOP_PERC_GAIN", "IND.EU", "STK", {}), "no scan for IND.EU.*STK, FUT.US"),
        (("TOP_PERC_GAIN", "STK", "STK.US.MINOR", {}), "no location 'STK.US.MINOR'.*STK.US.MAJOR"),
        (("TOP_PERC_GAIN", "STK", "FUT.GLOBEX", {}), "no place of STK.*STK, STK.US.MAJOR"),
        (("TOP_PERC_GAIN", "STK", "STK", {"priceAbov": Decimal(5)}), "no filter 'priceAbov'.*priceAbove"),
        (("TOP_PERC_GAIN", "STK", "STK", {"priceAbove": "dear"}), "takes a figure and not 'dear'"),
    ],
)
def test_what_the_lists_do_not_have_is_refused_with_what_comes_near(parameters, wish, words):
    """IBKR answers it with a 500 that says nothing."""
    with pytest.raises(InvalidRequest, match=words) as refusal:
        parameters.check(*wish)

    assert "nothing was sent" in str(refusal.value)


def test_a_class_that_the_tree_does_not_name_is_left_to_ibkr(parameters):
    parameters.check("HALTED", "IND.EU", "STK.US.MAJOR", {})


def test_a_tree_that_calls_the_class_by_a_longer_name_fits():
    """STK.US in one recording is STK in another."""
    tree = [{"type": "STK.US", "locations": [{"type": "STK.US.MAJOR"}]}]

    read_parameters({**PARAMETERS, "location_tree": tree}).check("HALTED", "STK", "STK.US.MAJOR", {})


def test_figures_are_sent_as_numbers():
    assert scan_body("HOT", "STK", "STK.US", {"a": Decimal(5), "b": Decimal("1.5"), "c": "x"}) == {
        "instrument": "STK",
        "location": "STK.US",
        "type": "HOT",
        "filter": [{"code": "a", "value": 5}, {"code": "b", "value": 1.5}, {"code": "c", "value": "x"}],
    }


def test_rows_are_read_in_their_order():
    """The figure that ranks is missing on every recorded row, and documented as a text."""
    second = {"server_id": "1", "conidex": "4065@NYSE", "con_id": 4065, "scan_data": "221.521K"}
    nobody = {"server_id": "2", "symbol": "X"}
    unranked = {"con_id": 7}

    column, rows = read_scan(
        {"contracts": [second, ROW, nobody, 5, unranked], "scan_data_column_name": "Chg%"}
    )

    assert column == "Chg%"
    assert [row.conid for row in rows] == [357194949, 4065, 7]
    assert (rows[0].symbol, rows[0].exchange, rows[0].sec_type) == ("PDSB", "NASDAQ.SCM", SecType.STOCK)
    assert [row.value for row in rows[:2]] == [None, Decimal(221521)]


@pytest.mark.parametrize("answer", [None, [], {}, {"contracts": None}, "x"])
def test_another_shape_is_not_guessed_at(answer):
    with pytest.raises(UnexpectedAnswer):
        read_scan(answer)
    if not isinstance(answer, dict):
        with pytest.raises(UnexpectedAnswer):
            read_parameters(answer)


@settings(max_examples=50)
@given(
    any_json(
        st.sampled_from([*PARAMETERS, *ROW, "contracts", "type", "code", "locations"]),
        widest=(3, 6),
        leaves=20,
    )
)
def test_no_answer_breaks_the_readers(answer):
    for read in (read_parameters, read_scan):
        with contextlib.suppress(UnexpectedAnswer):
            read(answer)


@pytest.mark.recorded
@pytest.mark.parametrize(
    "name",
    [
        "areed-scanner-params.json",
        "conduit-GET-scanner-params.json",
        "conduit-md-GET-scanner-params.json",
        "ibkrdotnet-scanner-params-trimmed.json",
    ],
)
def test_recorded_lists_are_read(name):
    parameters = read_parameters(recorded(name))

    assert parameters.scans
    assert FilterType.UNKNOWN not in {each.kind for each in parameters.filters}
    parameters.check(
        parameters.scans[0].code, "STK", "STK.US.MAJOR", {parameters.filters[0].code: Decimal(1)}
    )


@pytest.mark.recorded
@pytest.mark.parametrize(
    "name", ["areed-scanner-run.json", "conduit-POST-scanner-run.json", "ibkrdotnet-scanner-run.json"]
)
def test_recorded_results_are_read(name):
    column, rows = read_scan(recorded(name))

    assert [row.rank for row in rows] == list(range(len(rows)))
    assert all(row.symbol and row.sec_type is SecType.STOCK for row in rows)
    assert column in {"Chg%", None}
