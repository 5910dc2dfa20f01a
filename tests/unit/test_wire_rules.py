"""Rules, hours and algorithms: every shape of the service, and silence is not permission."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import any_json, documented, recorded_in

from ibkr_adapter.errors import ApiError, UnexpectedAnswer
from ibkr_adapter.model.ticks import TickStep
from ibkr_adapter.wire import rules
from thoroughly import examples

recorded = recorded_in("contracts")
CENTS = TickStep(lower_edge=Decimal(0), increment=Decimal("0.01"))
INFO = {"con_id": 265598, "symbol": "AAPL", "instrument_type": "STK"}
RULES = {
    "canTradeAcctIds": ["DU1"],
    "error": None,
    "orderTypes": [
        "limit",
        "market",
        "stop",
        "stop_limit",
        "trailing_stop",
        "trailing_stop_limit",
        "mit",
        "odd",
    ],
    "orderTypesOutside": ["limit", "stop_limit"],
    "fraqTypes": ["limit", "market"],
    "cqtTypes": ["market"],
    "sizeIncrement": 100,
    "tifTypes": ["IOC/MARKET,LIMIT,MKT_PROTECT,a", "GTC/o,a", "OPG/LIMIT", "DAY"],
    "limitPrice": Decimal("198.22"),
    "stopprice": Decimal("198.23"),
    "fraqInt": 4,
    "overnightEligible": True,
    "negativeCapable": False,
    "priceMagnifier": None,
    "ibAlgoTypes": ["limit"],
    "incrementRules": [
        {"lowerEdge": Decimal("1.0"), "increment": Decimal("0.01")},
        {"lowerEdge": Decimal("0.0"), "increment": Decimal("0.0001")},
    ],
    "increment": Decimal("0.01"),
    "incrementDigits": 2,
}
READERS = [
    lambda content: rules.read_rules(content, 265598),
    rules.read_trading_schedule,
    rules.read_algos,
]
KEYS = st.sampled_from(
    [
        "rules",
        "orderTypes",
        "tifTypes",
        "incrementRules",
        "schedules",
        "algos",
        "parameters",
        "id",
        "liquid_hours",
        "exchange_time_zone",
        "increment",
        "error",
    ]
)
ANY_JSON = any_json(KEYS, widest=(3, 5), leaves=15)


# Rules -----------------------------------------------------------------------------------


def test_rules_speak_the_vocabulary_of_tickets():
    """Words of the rules are never sent in an order."""
    found = rules.read_rules(RULES, 265598)

    assert found.order_types == {"LMT", "MKT", "STP", "STOP_LIMIT", "TRAIL", "TRAILLMT", "MIT", "ODD"}
    assert found.order_types_outside == {"LMT", "STOP_LIMIT"}
    assert (found.fraction_types, found.cash_types) == ({"LMT", "MKT"}, {"MKT"})
    assert (found.fraction_digits, found.size_increment) == (4, Decimal(100))
    assert (found.default_limit, found.default_stop) == (Decimal("198.22"), Decimal("198.23"))
    assert (found.can_trade_accounts, found.overnight, found.negative_prices) == ({"DU1"}, True, False)
    assert (found.price_magnifier, found.increment_digits) == (None, 2)
    assert found.algo_types == {"LMT"}
    assert [(step.lower_edge, step.increment) for step in found.ticks] == [
        (Decimal(0), Decimal("0.0001")),
        (Decimal(1), Decimal("0.01")),
    ]


def test_times_in_force_are_small_grammars():
    """Capitals restrict the types, ``o`` allows outside hours, ``a`` allows algorithms."""
    tifs = rules.read_rules(RULES, 265598).tifs

    assert set(tifs) == {"IOC", "GTC", "OPG", "DAY"}
    assert tifs["IOC"].order_types == {"MKT", "LMT", "MKT_PROTECT"}
    assert (tifs["IOC"].outside, tifs["IOC"].algos) == (False, True)
    assert (tifs["GTC"].order_types, tifs["GTC"].outside, tifs["GTC"].algos) == (None, True, True)
    assert tifs["OPG"].order_types == {"LMT"}
    assert (tifs["DAY"].order_types, tifs["DAY"].outside, tifs["DAY"].algos) == (None, False, False)


@pytest.mark.parametrize("wrapped", [RULES, {"rules": RULES}, {"rules": [RULES]}, INFO | {"rules": RULES}])
def test_rules_are_found_wherever_they_stand(wrapped):
    """Alone, in an object, in a list of one, or beside the contract."""
    assert rules.read_rules(wrapped, 265598) == rules.read_rules(RULES, 265598)


def test_the_stop_price_has_two_spellings():
    """The wire and the document disagree."""
    written = {key: value for key, value in RULES.items() if key != "stopprice"} | {"stopPrice": 5}

    assert rules.read_rules(written, 265598).default_stop == 5


@pytest.mark.parametrize(("written", "meant"), [(100, Decimal(100)), (0, None), (-1, None), ("x", None)])
def test_a_magnifier_of_nothing_is_none(written, meant):
    """A price would be divided by it."""
    assert rules.read_rules(RULES | {"priceMagnifier": written}, 265598).price_magnifier == meant


@pytest.mark.parametrize(
    ("change", "digits"),
    [({"fraqTypes": []}, None), ({"fraqInt": 0}, None), ({"fraqInt": None}, None), ({"fraqInt": 2}, 2)],
)
def test_fractions_need_types_and_digits(change, digits):
    """Either alone is no permission."""
    assert rules.read_rules(RULES | change, 265598).fraction_digits == digits


@pytest.mark.parametrize(
    ("change", "ticks"),
    [
        ({"incrementRules": None}, (CENTS,)),
        ({"incrementRules": []}, (CENTS,)),
        ({"incrementRules": None, "increment": None}, ()),
        ({"incrementRules": None, "increment": 0}, ()),
    ],
)
def test_one_increment_stands_for_a_missing_table(change, ticks):
    """Short answers have only that; without either no price can be placed."""
    assert rules.read_rules(RULES | change, 265598).ticks == ticks


@pytest.mark.parametrize(
    ("written", "meant"), [(None, None), ([], frozenset()), (["DU1"], frozenset({"DU1"}))]
)
def test_no_permission_and_no_word_on_it_differ(written, meant):
    """An empty list is nobody, a missing one is silence."""
    assert rules.read_rules(RULES | {"canTradeAcctIds": written}, 265598).can_trade_accounts == meant


def test_an_error_inside_the_rules_is_ibkrs_no():
    """It comes with status 200; its words go on."""
    with pytest.raises(ApiError, match="not available") as raised:
        rules.read_rules(RULES | {"error": "not available"}, 265598)

    assert type(raised.value) is ApiError
    assert raised.value.text == "not available"


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"rules": []},
        {"rules": [RULES, RULES]},
        {"canTradeAcctIds": ["DU1"]},
        RULES | {"orderTypes": "limit"},
        RULES | {"tifTypes": [5]},
        RULES | {"incrementRules": [{"lowerEdge": 0}]},
        RULES | {"incrementRules": [{"increment": 1}]},
        RULES | {"incrementRules": [{"lowerEdge": -1, "increment": 1}]},
        RULES | {"incrementRules": [{"lowerEdge": 0, "increment": 0}]},
        RULES | {"incrementRules": 5},
    ],
)
def test_rules_that_cannot_be_read_are_no_rules(broken):
    """An order would be checked against them next."""
    with pytest.raises(UnexpectedAnswer, match="nothing was sent"):
        rules.read_rules(broken, 265598)


@pytest.mark.recorded
@pytest.mark.parametrize(
    "name", ["conduit-POST-contract-rules.json", "conduit-GET-contract-info-and-rules.json"]
)
def test_recorded_rules(name):
    """The size increment is 40 or 100 for shares that trade one by one: it is only kept."""
    found = rules.read_rules(recorded(name), 265598)

    assert {"LMT", "MKT", "STP", "STOP_LIMIT", "MIDPRICE"} == found.order_types
    assert found.size_increment in {Decimal(40), Decimal(100)}
    assert found.ticks == (CENTS,)


@pytest.mark.recorded
def test_documented_rules():
    """The full example, with its tick table and four decimals for fractions."""
    found = rules.read_rules(documented("POST_iserver_contract_rules.json")["success"], 8314)

    assert {"MKT", "TRAIL", "TRAILLMT", "MOC", "LOC"} <= found.order_types
    assert {"DAY", "GTC", "IOC", "OPG"} <= found.tifs.keys()
    assert found.fraction_digits == 4
    assert found.can_trade_accounts is not None


# Hours -----------------------------------------------------------------------------------


def test_hours_are_moments_in_order():
    """Epoch seconds become aware times, whatever order the days come in."""
    found = rules.read_trading_schedule(
        {
            "exchange_time_zone": "US/Eastern",
            "schedules": {
                "20260406": {"liquid_hours": [{"opening": 1775482200, "closing": 1775505600}]},
                "20260402": {
                    "liquid_hours": [{"opening": 1775136600, "closing": 1775160000}],
                    "extended_hours": [{"opening": 1775116800, "closing": 1775174400}],
                },
            },
        }
    )

    assert found.zone == "US/Eastern"
    assert [hours.opens for hours in found.regular] == [
        datetime(2026, 4, 2, 13, 30, tzinfo=UTC),
        datetime(2026, 4, 6, 13, 30, tzinfo=UTC),
    ]
    assert [hours.closes for hours in found.extended] == [datetime(2026, 4, 3, 0, 0, tzinfo=UTC)]


@pytest.mark.parametrize(
    "content",
    [
        {"schedules": {}},
        {"exchange_time_zone": "US/Eastern"},
        {"exchange_time_zone": "US/Eastern", "schedules": {"20260402": 5}},
        {"exchange_time_zone": "US/Eastern", "schedules": {"20260402": {"liquid_hours": [{"opening": 1}]}}},
    ],
)
def test_a_schedule_with_holes_is_refused(content):
    """It decides whether a market order waits until tomorrow."""
    with pytest.raises(UnexpectedAnswer):
        rules.read_trading_schedule(content)


@pytest.mark.recorded
def test_recorded_and_documented_schedules():
    """Good Friday is simply not there."""
    stock = rules.read_trading_schedule(recorded("conduit-GET-trading-schedule.json"))
    other = rules.read_trading_schedule(documented("GET_contract_trading-schedule.json")["success"])

    friday = datetime(2026, 4, 3, 15, tzinfo=UTC)
    assert not stock.is_open(friday)
    assert stock.next_open(friday) == datetime(2026, 4, 6, 13, 30, tzinfo=UTC)
    assert other.zone == "US/Central"
    assert other.regular


# Algorithms ------------------------------------------------------------------------------

ADAPTIVE = {
    "name": "Adaptive",
    "id": "Adaptive",
    "description": "Patient &amp; fast",
    "parameters": [
        {
            "guiRank": 1,
            "defaultValue": "Normal",
            "name": "Adaptive order priority/urgency",
            "id": "adaptivePriority",
            "legalStrings": ["Urgent", "Normal", "Patient"],
            "required": "true",
            "valueClassName": "String",
        },
        {"id": "maxPctVol", "minValue": Decimal("0.01"), "maxValue": 50, "valueClassName": "Double"},
        {"id": "allowPastEndTime", "defaultValue": False, "required": False},
        {"id": "size", "defaultValue": 5},
    ],
}


def test_algorithms_have_their_parameters_with_bounds_and_choices():
    """``required`` is a text here and a boolean there; defaults have three types."""
    (found,) = rules.read_algos({"algos": [ADAPTIVE]})

    assert (found.algo_id, found.name, found.description) == ("Adaptive", "Adaptive", "Patient & fast")
    priority, volume, late, size = found.parameters
    assert (priority.parameter_id, priority.kind, priority.required) == ("adaptivePriority", "String", True)
    assert (priority.choices, priority.default) == (("Urgent", "Normal", "Patient"), "Normal")
    assert (volume.minimum, volume.maximum, volume.required) == (Decimal("0.01"), Decimal(50), False)
    assert (late.default, size.default, volume.default) == (False, Decimal(5), None)
    assert priority.rank == 1


@pytest.mark.parametrize(
    ("row", "parameters"), [({"id": "Vwap"}, None), ({"id": "Vwap", "parameters": []}, ())]
)
def test_parameters_that_did_not_come_are_not_parameters_that_are_not_there(row, parameters):
    """The first answer of a session lacks them; asking again is for who reads."""
    (found,) = rules.read_algos({"algos": [row]})

    assert (found.parameters, found.name) == (parameters, "Vwap")


@pytest.mark.parametrize("content", [{}, {"algos": None}, {"algos": []}])
def test_a_contract_may_take_no_algorithm(content):
    assert rules.read_algos(content) == ()


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"id": ""},
        {"id": "A", "parameters": [{}]},
        {"id": "A", "parameters": 5},
        {"id": "A", "parameters": [{"id": "b", "legalStrings": "x"}]},
    ],
)
def test_an_algorithm_that_cannot_be_read_is_refused(row):
    """A parameter left out could be one that is required."""
    with pytest.raises(UnexpectedAnswer) as raised:
        rules.read_algos({"algos": [row]})

    assert raised.value.endpoint == rules.ALGOS


@pytest.mark.recorded
def test_recorded_and_documented_algorithms():
    """With parameters, and without: the documented first answer."""
    found = rules.read_algos(recorded("conduit-GET-contract-algos.json"))
    cold = rules.read_algos(documented("GET_iserver_contract_conid_algos.json")["success"])

    assert [algo.algo_id for algo in found] == ["Adaptive", "Vwap", "Twap"]
    assert found[0].parameters[0].choices == ("Urgent", "Normal", "Patient")
    assert {algo.parameters for algo in cold} == {None}


# Shapes nobody knows ---------------------------------------------------------------------


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [5, True, "no", [5], [None], {"rules": 5, "schedules": 5, "algos": 5}])
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
