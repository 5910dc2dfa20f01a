"""Snapshots: the right tag for each field, and nothing read into what did not come."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.market import Timeline
from ibkr_adapter.wire import fields, marketdata
from thoroughly import examples

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"
QUOTE = fields.FIELD_SETS["quote"]
ROW = {
    "6119": "q1",
    "6509": "RpB",
    "_updated": 1712596911593,
    "conid": 265598,
    "conidEx": "265598",
    "server_id": "q1",
    "31": "168.42",
    "7059": "100",
    "84": "168.41",
    "85": "600",
    "86": "168.42",
    "88": "1,300",
}


def recorded(name: str) -> object:
    """Read the body of a recorded answer as the library would, with exact fractions."""
    path = RECORDED / "market-data" / name
    if not path.exists():
        pytest.skip(f"no recorded answers beside the checkout ({name})")
    content = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return content.get("body", content)


def read(row: dict[str, object], names: tuple[str, ...] = QUOTE):
    """Read one row as a quote."""
    (quote,) = marketdata.read_snapshot([row], names)
    return quote


# Tags ------------------------------------------------------------------------------------


def test_the_sizes_are_not_mixed_up():
    """Two pairs are commonly swapped: 85 is the ask's size, and 7059 is no volume."""
    tags = fields.TAGS

    assert (tags["bid"], tags["bid_size"], tags["ask"], tags["ask_size"]) == ("84", "88", "86", "85")
    assert (tags["last"], tags["last_size"], tags["volume"]) == ("31", "7059", "87")


def test_no_two_fields_share_a_tag():
    """A name says one thing, and a tag too."""
    assert len(set(fields.TAGS.values())) == len(fields.TAGS) == 119


@pytest.mark.recorded
def test_every_documented_tag_has_a_name():
    """The list was put together from four of IBKR's own."""
    listed = {field["tag"] for field in recorded("field_tags.json")["fields"]}

    assert set(fields.TAGS.values()) == listed


@pytest.mark.parametrize("name", list(fields.FIELD_SETS))
def test_every_set_of_fields_asks_how_fresh_it_is(name):
    """Prices without tag 6509 could not be trusted."""
    names = fields.FIELD_SETS[name]

    assert "availability" in names
    assert set(names) <= fields.TAGS.keys()


# Asking ----------------------------------------------------------------------------------


def test_a_wish_is_cut_into_calls_that_ibkr_takes():
    """A hundred contracts and fifty fields at most; every pair is asked for once."""
    names = list(fields.TAGS)[:60]

    calls = list(marketdata.snapshot_params(range(1, 251), names))

    asked = {
        (conid, tag)
        for call in calls
        for conid in call["conids"].split(",")
        for tag in call["fields"].split(",")
    }
    assert len(calls) == 6
    assert max(call["conids"].count(",") for call in calls) == 99
    assert max(call["fields"].count(",") for call in calls) == 49
    assert len(asked) == 250 * 60


def test_a_contract_named_twice_is_asked_for_once():
    """Each open contract takes one of the user's market data lines."""
    (call,) = marketdata.snapshot_params([8314, 265598, 8314], ["last", "ask_size"])

    assert call == {"conids": "8314,265598", "fields": "31,85"}


# Rows ------------------------------------------------------------------------------------


def test_a_row_becomes_a_quote():
    """Thousands have commas; times are of the delivery."""
    quote = read(ROW)

    assert (quote.conid, quote.last, quote.last_size) == (265598, Decimal("168.42"), Decimal(100))
    assert (quote.bid, quote.bid_size) == (Decimal("168.41"), Decimal(1300))
    assert (quote.ask, quote.ask_size) == (Decimal("168.42"), Decimal(600))
    assert quote.updated == datetime(2024, 4, 8, 17, 21, 51, 593000, tzinfo=UTC)
    assert quote.availability is not None
    assert quote.availability.timeline is Timeline.REAL_TIME
    assert quote.tradable_price() == Decimal("168.42")


@pytest.mark.parametrize(
    "name",
    [
        "last",
        "bid",
        "ask",
        "last_size",
        "bid_size",
        "ask_size",
        "open",
        "high",
        "low",
        "close",
        "prior_close",
        "mark",
        "change",
        "change_percent",
    ],
)
def test_each_attribute_comes_from_its_own_tag(name):
    """One field alone in the row fills one attribute alone in the quote."""
    quote = read({"conid": 1, fields.TAGS[name]: "7.5"}, (name,))

    filled = {one for one in fields.TAGS if getattr(quote, one, None) == Decimal("7.5")}
    assert filled == {name}
    assert (quote.missing, quote.others) == (frozenset(), {})


def test_what_did_not_come_is_named():
    """An absent tag, an empty text and a mark for "none" are all no value."""
    quote = read({"conid": 1, "6509": "Dd", "84": "", "86": "N/A", "85": "1,236"})

    assert quote.missing == set(QUOTE) - {"ask_size", "availability"}
    assert (quote.bid, quote.ask, quote.last) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "last", "is_close", "halted"),
    [
        ("168.42", "168.42", False, False),
        ("C168.42", "168.42", True, False),
        ("H168.42", "168.42", False, True),
        ("C1,168.42", "1168.42", True, False),
        ("H", None, False, True),
        ("C", None, True, False),
        ("X168.42", None, False, False),
        ("CH168.42", None, True, False),
        ("", None, False, False),
        (Decimal("168.42"), "168.42", False, False),
        (None, None, False, False),
    ],
)
def test_the_letter_before_a_last_price_is_told_apart(written, last, is_close, halted):
    """A prior close or a halt must not be traded on; a letter nobody knows makes it no price."""
    quote = read(ROW | {"31": written})

    assert quote.last == (None if last is None else Decimal(last))
    assert (quote.last_is_close, quote.halted) == (is_close, halted)
    assert ("last" in quote.missing) is (last is None)


def test_prefixed_prices_are_not_traded_on():
    """They look like real-time prices but for one letter."""
    assert read(ROW | {"31": "C168.42"}).tradable_price() is None
    assert read(ROW | {"31": "H168.42"}).tradable_price() is None


@pytest.mark.parametrize(
    ("row", "volume"),
    [
        ({"87": "25.5M", "87_raw": Decimal("25500000.0"), "7762": "25512345"}, 25512345),
        ({"87": "25.5M", "87_raw": Decimal("25500001.0")}, 25500001),
        ({"87": "25.5M"}, 25500000),
        ({"87": "221.521K"}, 221521),
        ({"7059": "100"}, None),
    ],
)
def test_the_volume_is_the_most_exact_one(row, volume):
    """The text is rounded for the eye, and the last size is no volume."""
    quote = read({"conid": 1} | row)

    assert quote.volume == volume


@pytest.mark.parametrize("written", ["0.54%", "+0.54", Decimal("0.54"), 0.54])
def test_a_percentage_is_read_however_it_is_written(written):
    """The same tag comes as text with and without its sign, and as a number."""
    assert read({"conid": 1, "83": written}).change_percent == Decimal("0.54")


def test_fields_without_an_attribute_come_by_name():
    """Figures as decimals, words as texts, and nothing for an empty one."""
    row = {"conid": 1, "7308": "0.512", "7280": "Computers", "55": "", "7058": None, "6070": "STK", "201": 7}

    quote = read(row, ("delta", "industry", "symbol"))

    assert quote.others == {
        "delta": Decimal("0.512"),
        "industry": "Computers",
        "sec_type": "STK",
        "right": "7",
    }
    assert quote.missing == {"symbol"}


def test_a_yes_or_no_is_no_word():
    """Words are texts or numbers; anything else has no value."""
    assert read({"conid": 1, "7280": True}).others == {}


def test_the_exchange_that_was_asked_for_comes_back():
    """A row may name its contract only with the exchange behind it."""
    quote = read({"conidEx": "265598@ARCA", "31": "1"})

    assert (quote.conid, quote.exchange) == (265598, "ARCA")
    assert read(ROW).exchange is None


def test_a_row_that_names_no_contract_says_nothing():
    """Its prices could be anyone's."""
    assert marketdata.read_snapshot([{"31": "168.42"}, {"conidEx": 5, "conid": None}], QUOTE) == []


@pytest.mark.parametrize(
    ("row", "bare"),
    [
        ({"conid": 8894, "conidEx": "8894"}, True),
        ({"conid": 8894, "conidEx": "8894", "server_id": "q1", "6119": "q1", "_updated": 1}, True),
        ({"conid": 8894, "6509": "DPB"}, False),
        ({"conid": 8894, "31": ""}, False),
    ],
)
def test_a_first_answer_has_no_field(row, bare):
    """It only says that the stream was opened: asking again is worth while."""
    assert marketdata.is_preflight(row) is bare


def test_nothing_came_for_a_contract():
    """It is a quote all the same, with everything missing."""
    quote = marketdata.quote_of(5, {}, ("last", "availability"))

    assert (quote.conid, quote.missing) == (5, {"last", "availability"})
    assert quote.why_not_tradable() is not None


@pytest.mark.parametrize("content", [None, {}, "no", [5], [None]])
def test_other_shapes_are_refused(content):
    """No price is guessed from them."""
    with pytest.raises(UnexpectedAnswer, match="no price was guessed"):
        marketdata.read_snapshot(content, QUOTE)


@settings(max_examples=examples(200))
@given(
    row=st.dictionaries(
        st.sampled_from([*fields.TAGS.values(), "conid", "conidEx", "_updated", "87_raw", "x"]),
        st.none() | st.booleans() | st.integers() | st.decimals() | st.text() | st.just([]) | st.just("C1"),
    )
)
def test_no_row_makes_the_reader_fall_over(row):
    """Whatever comes, every field that was asked for is there or missing."""
    with contextlib.suppress(UnexpectedAnswer):
        for quote in marketdata.read_snapshot([row], QUOTE):
            assert ("last" in quote.missing) is (quote.last is None)
            assert ("volume" in quote.missing) is (quote.volume is None)


# Recorded --------------------------------------------------------------------------------


@pytest.mark.recorded
def test_recorded_first_and_second_answers():
    """The first opens the stream, the second has delayed prices that nobody should size from."""
    first = recorded("fin-snapshot-preflight-ko.json")
    second = recorded("fin-snapshot-second-ko.json")

    (quote,) = marketdata.read_snapshot(second, ("last", "volume"))

    assert marketdata.is_preflight(first[0])
    assert marketdata.read_snapshot(first, ("last", "volume"))[0].missing == {"last", "volume"}
    assert (quote.last, quote.volume, quote.missing) == (Decimal("91.66"), Decimal(11900000), frozenset())
    assert quote.tradable_price() is None
    assert "DPB" in (quote.why_not_tradable() or "")


@pytest.mark.recorded
def test_documented_snapshot_of_two_contracts():
    """Each row has what it has."""
    quotes = marketdata.read_snapshot(recorded("ibdoc-snapshot-two-conids.json"), QUOTE)

    assert {quote.conid: quote.last for quote in quotes} == {
        265598: Decimal("168.42"),
        8314: Decimal("189.60"),
    }
    assert quotes[0].bid_size == 1300
    assert quotes[1].bid is None


def test_a_quote_can_be_hashed():
    """It is a frozen value; what is missing has to be frozen, too."""
    quote = read({"conid": 1, "31": "165.00"})

    assert isinstance(quote.missing, frozenset)
    assert hash(quote) == hash(read({"conid": 1, "31": "165.00"}))


@pytest.mark.recorded
def test_a_snapshot_with_an_unknown_letter_is_not_traded_on():
    """The code "S" tells no age that is documented for snapshots."""
    (quote,) = marketdata.read_snapshot(recorded("conduit-GET-snapshot.json"), QUOTE)

    assert (quote.volume, quote.change_percent) == (Decimal(50000000), Decimal("0.54"))
    assert quote.tradable_price() is None


@pytest.mark.recorded
def test_documented_regulatory_snapshot():
    """It is one row with numbers for sizes and without tag 6509."""
    quote = marketdata.quote_of(265598, recorded("oa220-regsnapshot.json"), ("last", "bid", "ask"))

    assert quote is not None
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (
        Decimal("174.58"),
        Decimal(1),
        Decimal("174.59"),
        Decimal(3),
    )
    assert (quote.last_size, quote.volume) == (Decimal(2), None)
