"""History as IBKR writes it: factors where they belong, and no bar that was not sent."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import any_json, documented, recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.bars import BarSize, BarSource
from ibkr_adapter.wire.history import history_query, is_empty, read_history

recorded = recorded_in("market-data")
BAR = {"o": Decimal("307.58"), "c": Decimal("310.03"), "h": Decimal("311.49"), "l": Decimal("305.74")}
ANSWER = {
    "priceFactor": 100,
    "high": "31149/847829.15/36000",
    "low": "30574/700773.675/1440",
    "volumeFactor": 40,
    "mktDataDelay": 0,
    "data": [{**BAR, "v": Decimal("700773.675"), "t": 1787059800000}],
    "points": 0,
}


def test_a_wish_names_everything_and_counts_backwards():
    query = history_query(
        265598, period="1d", size=BarSize.MINUTE, until=datetime(2026, 9, 17, 20, tzinfo=UTC), exchange="NYSE"
    )

    assert query == {
        "conid": 265598,
        "period": "1d",
        "bar": "1min",
        "outsideRth": False,
        "startTime": "20260917-20:00:00",
        "direction": -1,
        "source": "Last",
        "exchange": "NYSE",
    }


def test_prices_are_real_and_volumes_are_not():
    """The price factor belongs to two texts beside the bars and to nothing else."""
    (bar,) = read_history(ANSWER).bars

    assert bar.begins == datetime(2026, 8, 18, 13, 30, tzinfo=UTC)
    assert (bar.open, bar.high, bar.low, bar.close) == (BAR["o"], BAR["h"], BAR["l"], BAR["c"])
    assert bar.volume == Decimal(28030947)


@pytest.mark.parametrize("source", [BarSource.MIDPOINT, BarSource.BID_ASK])
def test_a_zero_where_nothing_is_traded_is_no_volume(source):
    row = {**ANSWER["data"][0], "v": 0}

    assert read_history({**ANSWER, "data": [row]}, source).bars[0].volume is None


@pytest.mark.parametrize(
    ("change", "whole"),
    [
        ({}, True),
        ({"volumeFactor": 1}, False),
        ({"volumeFactor": None}, False),
        ({"volumeFactor": 100}, False),
    ],
)
def test_the_factor_is_doubted_where_shares_would_be_broken(change, whole):
    answer = {**ANSWER, **change}
    if change.get("volumeFactor") == 100:
        answer["data"] = [{**ANSWER["data"][0], "v": Decimal("1.005"), "t": 1787059800000}]

    assert read_history(answer).whole_volumes is whole


@pytest.mark.parametrize(
    ("change", "cut"),
    [
        ({}, False),
        ({"points": 1}, True),
        ({"points": None}, False),
        ({"high": "31150/1/0"}, False),
        ({"high": "31151/1/0"}, True),
        ({"low": "30573/1/0"}, False),
        ({"low": "30572/1/0"}, True),
        ({"low": "30572/1/0", "priceFactor": 0}, False),
        ({"high": None, "low": 5}, False),
        ({"data": [], "points": 0}, False),
        ({"data": [], "points": 3}, True),
    ],
)
def test_a_cut_answer_is_seen(change, cut):
    """By the count, which is one less than the bars, and by prices that no bar has."""
    assert read_history({**ANSWER, **change}).cut is cut


def test_bars_come_out_in_order():
    later = {**ANSWER["data"][0], "t": 1787059860000}

    bars = read_history({**ANSWER, "data": [later, ANSWER["data"][0]]}).bars

    assert [bar.begins.minute for bar in bars] == [30, 31]


@pytest.mark.parametrize("answer", [None, [], {}, {"data": None}, {"data": {}}, "x"])
def test_another_shape_is_not_guessed_at(answer):
    with pytest.raises(UnexpectedAnswer, match="unknown shape"):
        read_history(answer)


@pytest.mark.parametrize("gone", ["o", "h", "l", "c", "t"])
def test_a_bar_without_a_price_or_a_time_is_none(gone):
    row = {key: value for key, value in ANSWER["data"][0].items() if key != gone}

    with pytest.raises(UnexpectedAnswer, match="lacks its time or a price"):
        read_history({**ANSWER, "data": [row]})


def test_a_bar_without_a_volume_is_one():
    row = {key: value for key, value in ANSWER["data"][0].items() if key != "v"}

    assert read_history({**ANSWER, "data": [row]}).bars[0].volume is None


@pytest.mark.parametrize(
    ("text", "empty"),
    [("No data.", True), ("Chart data: no data of this type", True), ("Server busy", False), ("", False)],
)
def test_nothing_is_told_from_failure(text, empty):
    assert is_empty(text) is empty


@settings(max_examples=50)
@given(
    any_json(
        st.sampled_from(["data", "t", "o", "h", "l", "c", "v", "points", "high"]), widest=(3, 6), leaves=20
    )
)
def test_no_answer_breaks_the_reader(answer):
    with contextlib.suppress(UnexpectedAnswer):
        read_history(answer)


@pytest.mark.recorded
def test_recorded_answers_are_read():
    """Eleven shares, factors of 100 to 10,000, delays in seconds: the highest price is that of a bar."""
    answers = recorded("ibind-history.json")

    for name, answer in answers.items():
        page = read_history(answer)
        high = Decimal(answer["high"].partition("/")[0]) / answer["priceFactor"]
        assert (len(page.bars), page.cut) == (len(answer["data"]), False), name
        assert high == max(bar.high for bar in page.bars)
    assert {read_history(answer).delay for answer in answers.values()} == {0, 900}


@pytest.mark.recorded
def test_a_recorded_volume_is_whole_shares():
    """17219.125 times 40."""
    page = read_history(recorded("conduit-GET-history.json"))

    assert page.bars[0].volume == 688_765
    assert page.whole_volumes


@pytest.mark.recorded
def test_documented_examples_are_read():
    """Of bid and ask the highest ask is the high, and there is no volume."""
    examples = documented("GET_iserver_marketdata_history.json")
    pages = {name: read_history(example) for name, example in examples.items()}

    assert all(page.bars for page in pages.values())
    spreads = pages["iserverHistoryBidAskSuccessExample"].bars
    assert all(bar.low <= min(bar.open, bar.close) for bar in spreads)
