"""History of any span: put together of pages, whole or said not to be, the same after an interruption."""

from __future__ import annotations

import re
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from archive import AAPL, NEW_YORK, Vault
from worlds import World

from crowd import together
from ibkr_adapter.errors import (
    ApiError,
    ConfigurationError,
    InvalidRequest,
    MarketDataError,
    NoMarketData,
    Throttled,
    UnexpectedAnswer,
)
from ibkr_adapter.model.bars import BarSource, GapKind
from thoroughly import ALL

# A month of one-minute bars takes some seconds, one of five minutes tells the same.
BAR, STEP = ("1min", 60) if ALL else ("5min", 300)
FORTNIGHT = {"bar": BAR, "since": "2026-11-09", "until": "2026-11-24"}
MONTH = {"bar": BAR, "since": "2026-10-24", "until": "2026-11-24"}


@pytest.fixture
def vault(tmp_path):
    made = Vault(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def broker(vault):
    return vault.broker


@pytest.fixture
def ibkr(vault):
    return vault.exchange()


def new_york(day, hour=0, minute=0):
    return datetime(*day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


# Pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_sessions", [False, True])
def test_a_month_of_minutes_is_all_there(ibkr, broker, by_sessions):
    """However IBKR counts a day, and although the clocks change in it."""
    broker.by_sessions = by_sessions

    bars = ibkr.market_data.history(AAPL, **MONTH)

    there = broker.bars(new_york((2026, 10, 24)), new_york((2026, 11, 24)), STEP)
    assert [bar.begins for bar in bars] == there
    assert {bars.local(bar).hour for bar in bars} == set(range(9, 16))
    assert {bar.begins.hour for bar in bars} == set(range(13, 21))
    assert (bars.report.gaps, bars.report.overlaps, bars.report.complete) == ((), (), True)


def test_no_request_asks_for_more_than_an_answer_holds(ibkr, broker):
    """Which end of a longer answer is cut off is not known, so none is asked for."""
    broker.most = 10_000

    ibkr.market_data.history(AAPL, bar="1min", since="3d")
    ibkr.market_data.history(AAPL, bar="1d", since="5y")
    ibkr.market_data.history(AAPL, bar="1h", since="3m", outside_rth=True)

    longest = 0
    for query in broker.asked:
        status, answer = broker._history(query)
        longest = max(longest, len(answer["data"]) if status == 200 else 0)
    assert 300 < longest <= 1000


def test_every_request_says_what_it_wants(ibkr, broker):
    """IBKR's documents differ in the defaults, and a period that is none is answered all the same."""
    ibkr.market_data.history(AAPL, bar="1d", since="2026-11-01", source="midpoint", exchange="NASDAQ")

    assert broker.asked[0] == {
        "conid": str(AAPL),
        "period": "2y",
        "bar": "1d",
        "outsideRth": "false",
        "startTime": "20261124-15:00:00",
        "direction": "-1",
        "source": "Midpoint",
        "exchange": "NASDAQ",
    }


def test_prices_are_as_they_came_and_volumes_are_multiplied(ibkr, broker):
    bars = ibkr.market_data.history(AAPL, bar="1min", since="2026-11-23", until="2026-11-24")

    row = broker.row(bars[7].begins)
    assert [bars[7].open, bars[7].high, bars[7].low, bars[7].close] == [
        Decimal(str(row[key])) for key in "ohlc"
    ]
    assert bars[7].volume == Decimal(str(row["v"])) * 40
    assert bars.report.volume_certain


@pytest.mark.parametrize("source", [BarSource.MIDPOINT, BarSource.BID_ASK])
def test_what_is_not_traded_has_no_volume(ibkr, source):
    """IBKR writes 0 there, which would be a figure."""
    bars = ibkr.market_data.history(AAPL, bar="1h", since="5d", source=source)

    assert {bar.volume for bar in bars} == {None}


def test_volumes_that_are_no_whole_shares_are_called_uncertain(ibkr, broker):
    """The factor was 1 for years although volumes had been divided by a hundred."""
    broker.about = {"volumeFactor": 1}

    bars = ibkr.market_data.history(AAPL, bar="1h", since="5d")

    assert not bars.report.volume_certain
    assert "volumes uncertain" in repr(bars)


def test_delayed_prices_are_marked(ibkr, broker):
    broker.about = {"mktDataDelay": 900, "mdAvailability": "D"}

    bars = ibkr.market_data.history(AAPL, bar="1h", since="5d")

    assert bars.report.delay == 900
    assert "delayed by 900 s" in str(bars)


# Ends ------------------------------------------------------------------------------------


def test_a_bar_that_runs_is_left_out(vault, ibkr):
    """At 10:00 the bar of 09:30 has not ended if it lasts an hour, and has if it lasts half of one."""
    hours = ibkr.market_data.history(AAPL, bar="1h", since="5d")
    halves = ibkr.market_data.history(AAPL, bar="30min", since="5d")

    assert hours[-1].begins == new_york((2026, 11, 23), 15, 30)
    assert halves[-1].begins == new_york((2026, 11, 24), 9, 30)


def test_todays_bar_is_left_out_until_the_session_is_over(vault, ibkr):
    """And is there in the evening, not only a day after it began."""
    midday = ibkr.market_data.history(AAPL, bar="1d", since="10d")
    vault.clock.sleep(6.5 * 3600)
    evening = ibkr.market_data.history(AAPL, bar="1d", since="10d")

    assert (midday[-1].begins.day, evening[-1].begins.day) == (23, 24)


def test_a_span_ends_where_it_was_to_end(ibkr):
    bars = ibkr.market_data.history(
        AAPL, bar="30min", since="2026-11-20T10:00-05:00", until="2026-11-20T12:15-05:00"
    )

    assert [bars.local(bar).strftime("%H:%M") for bar in bars] == ["10:00", "10:30", "11:00", "11:30"]


def test_nothing_is_asked_beyond_the_beginning(ibkr, broker):
    """The first bar begins where the span does, so nothing is left to ask for."""
    broker.by_sessions = True

    bars = ibkr.market_data.history(
        AAPL, bar="5min", since="2026-11-20T09:30-05:00", until="2026-11-20T12:00-05:00"
    )

    assert (len(bars), len(broker.asked)) == (30, 1)


def test_what_ibkr_does_not_have_is_no_reason_to_ask_for_ever(ibkr, broker):
    """A share that is listed since last week: the rest of the span is said to be missing."""
    broker.listed_since = new_york((2026, 11, 16))

    bars = ibkr.market_data.history(AAPL, bar="30min", since="1y")

    assert bars[0].begins == new_york((2026, 11, 16), 9, 30)
    assert not bars.report.complete
    assert "nothing older at IBKR" in repr(bars)
    assert len(broker.asked) < 10


def test_no_bar_at_all_is_told(ibkr, broker):
    broker.listed_since = new_york((2027, 1, 1))

    with pytest.raises(NoMarketData, match="no bars of 1h for AAPL between 2026-11-19 15:00"):
        ibkr.market_data.history("AAPL", bar="1h", since="5d")


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"bar": "7min"}, "no bars of '7min'"),
        ({"source": "Ask"}, "not made of 'Ask'"),
        (
            {"since": "2026-11-20", "until": "2026-11-20"},
            "would begin at 2026-11-20 05:00 and end at 2026-11-20 05:00",
        ),
        ({"since": "2027-01-01"}, "would begin at 2027-01-01 05:00"),
        ({"since": "5d", "until": "10d", "bar": "x"}, "no bars of 'x'"),
        ({"since": "soon"}, "no moment and no period"),
    ],
)
def test_what_makes_no_sense_is_not_asked(ibkr, broker, wish, words):
    """IBKR answers an impossible period with 200."""
    with pytest.raises(InvalidRequest, match=words) as refusal:
        ibkr.market_data.history(AAPL, **wish)

    assert re.search("nothing was sent|no bar was asked for", str(refusal.value))
    assert broker.asked == []


# Gaps and doubts -------------------------------------------------------------------------


def test_gaps_are_told_by_their_kind(ibkr, broker):
    """A holiday, an hour that is not there, an afternoon that is not there."""
    broker.holidays = {date(2026, 11, 11)}
    broker.missing = {
        *broker.bars(new_york((2026, 11, 12), 11), new_york((2026, 11, 12), 12), 300),
        *broker.bars(new_york((2026, 11, 13), 13), new_york((2026, 11, 13), 17), 300),
    }

    bars = ibkr.market_data.history(AAPL, bar="5min", since="2026-11-02", until="2026-11-24")

    assert [(gap.begins, gap.ends, gap.kind) for gap in bars.report.gaps] == [
        (new_york((2026, 11, 11), 9, 30), new_york((2026, 11, 11), 16), GapKind.SESSION),
        (new_york((2026, 11, 12), 11), new_york((2026, 11, 12), 12), GapKind.INSIDE),
        (new_york((2026, 11, 13), 13), new_york((2026, 11, 13), 16), GapKind.EDGE),
    ]


def test_without_hours_no_gap_is_told(ibkr, broker):
    """Nobody can tell a night from a loss then."""
    broker.hours = {"exchange_time_zone": "US/Eastern", "schedules": {}}

    bars = ibkr.market_data.history(AAPL, bar="1min", since="2026-11-20", until="2026-11-24")

    assert bars.report.gaps is None
    assert "hours not known" in repr(bars)
    assert [bar.begins for bar in bars] == broker.bars(new_york((2026, 11, 20)), new_york((2026, 11, 24)), 60)


def test_an_answer_that_lacks_its_newest_half_is_asked_for_again(ibkr, broker):
    """IBKR's own count shows it; the walk would go on behind it and never come back."""

    def cut(answer, number):
        status, body = answer
        return (status, {**body, "data": body["data"][: len(body["data"]) // 2]}) if number == 2 else answer

    broker.change = cut
    bars = ibkr.market_data.history(AAPL, bar="5min", since="10d")

    assert bars.report.gaps == ()
    assert bars.report.doubtful == ()


def test_an_answer_that_stays_short_is_believed_and_told(ibkr, broker):
    """It may be how IBKR counts, and must not end the work."""
    broker.change = lambda answer, number: (answer[0], {**answer[1], "points": 5000})

    bars = ibkr.market_data.history(AAPL, bar="1h", since="5d")

    assert bars.report.doubtful != ()
    assert "perhaps cut" in repr(bars)


@pytest.mark.parametrize("again", [(500, {"error": "No data."}), None], ids=["nothing", "less"])
def test_asking_again_loses_no_bar_that_had_come(ibkr, broker, again):
    """The second answer may be the worse one of the two."""

    def cut(answer, number):
        status, body = answer
        if number == 1:
            return status, {**body, "points": 5000}
        if number == 2:
            return again or (status, {**body, "data": body["data"][:3]})
        return answer

    broker.change = cut
    bars = ibkr.market_data.history(AAPL, bar="5min", since="2026-11-16", until="2026-11-21")

    assert len(bars) == 5 * 78
    assert bars.report.gaps == ()


def test_nothing_is_believed_only_when_it_comes_twice(ibkr, broker):
    """One slip in the middle would be a hole of a day."""
    broker.before = lambda number: (500, {"error": "No data."}) if number == 3 else None

    bars = ibkr.market_data.history(AAPL, bar="5min", since="2026-11-16", until="2026-11-21")

    assert len(bars) == 5 * 78


def test_a_bar_that_came_twice_and_differs_is_told(ibkr, broker):
    """What the page of its own time says is kept."""

    def one_more(answer, number):
        status, body = answer
        if number != 2 or status != 200:
            return answer
        edge = broker.row(new_york((2026, 11, 20), 9, 30)) | {"v": 1}
        return status, {**body, "data": [*body["data"], edge]}

    broker.change = one_more
    bars = ibkr.market_data.history(AAPL, bar="5min", since="2026-11-19", until="2026-11-21")

    ((overlap,), edge) = (bars.report.overlaps, new_york((2026, 11, 20), 9, 30))
    assert overlap.other.volume == 40
    assert [bar for bar in bars if bar.begins == edge] == [overlap.kept]


def test_bars_that_run_into_each_other_are_told(ibkr, broker):
    """Both are shown; which one counts is not for us to say."""

    def one_more(answer, number):
        status, body = answer
        early = broker.row(new_york((2026, 11, 20), 10)) | {"t": body["data"][-2]["t"] + 60_000}
        return status, {**body, "data": [*body["data"], early]}

    broker.change = one_more
    bars = ibkr.market_data.history(AAPL, bar="1h", since="2026-11-19", until="2026-11-20T12:00-05:00")

    ((overlap,),) = (bars.report.overlaps,)
    assert overlap.other.begins - overlap.kept.begins == timedelta(minutes=1)
    assert {overlap.kept, overlap.other} <= set(bars)


def test_hours_that_cannot_be_read_stop_nothing(ibkr, broker):
    """The bars are the same; only what is missing cannot be told."""
    whole = broker.answer
    broker.answer = lambda method, path, query, content: (
        (500, {"error": "no schedule"})
        if path == "/contract/trading-schedule"
        else whole(method, path, query, content)
    )

    bars = ibkr.market_data.history(AAPL, bar="1h", since="2026-11-23", until="2026-11-24")

    assert (len(bars), bars.report.gaps, bars.zone) == (7, None, None)


# Refusals --------------------------------------------------------------------------------


def test_a_refusal_for_pacing_is_waited_out(vault, ibkr, broker):
    """It closes history for a minute, and a download of an hour must not end by it."""
    broker.before = lambda number: (429, {"error": "slow down"}) if number == 2 else None
    before = vault.clock.monotonic()

    bars = ibkr.market_data.history(AAPL, bar="5min", since="2026-11-16", until="2026-11-21")

    assert len(bars) == 5 * 78
    assert 60 <= vault.clock.monotonic() - before < 90


def test_a_refusal_that_is_repeated_is_told(ibkr, broker):
    """Who goes on asking after that may be shut out by IBKR altogether."""
    broker.before = lambda number: (429, {"error": "slow down"})

    with pytest.raises(Throttled) as refusal:
        ibkr.market_data.history(AAPL, bar="5min", since="5d")

    assert len(broker.asked) == 2
    assert refusal.value.retry_at == pytest.approx(900, abs=5)


def test_any_other_no_is_raised(ibkr, broker):
    broker.before = lambda number: (500, {"error": "Chart data unavailable"})

    with pytest.raises(ApiError, match="Chart data unavailable"):
        ibkr.market_data.history(AAPL, bar="5min", since="5d")


def test_a_strange_answer_is_not_guessed_at(ibkr, broker):
    broker.before = lambda number: (200, {"data": "none"})

    with pytest.raises(UnexpectedAnswer, match="unknown shape"):
        ibkr.market_data.history(AAPL, bar="5min", since="5d")


@pytest.mark.parametrize("variant", ["no_data", "partial", "cut"])
def test_one_fault_loses_no_bar(tmp_path, variant):
    """A refusal, an answer without its first half, one without its last."""
    world = World(tmp_path)
    desk = world.exchange().market_data
    span = {"bar": "5min", "since": "2026-10-13", "until": "2026-10-17"}
    calm = desk.history("AAPL", **span)
    world.arm("F28", "GET /iserver/marketdata/history", variant=variant)

    bars = desk.history("AAPL", **span)

    assert world.ledger()["faults"][-1]["consumed"] == 1
    assert (list(bars), str(bars.report)) == (list(calm), "0 gaps")
    world.close()


def test_no_more_than_four_are_under_way(vault, broker):
    """IBKR refuses the sixth, and at times the fifth."""
    desk = vault.exchange().market_data
    desk.history(AAPL, bar="1d", since="5d")
    under_way, most = [0], [0]

    def before(number):
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        vault.clock.sleep(2.0)
        under_way[0] -= 1

    broker.before = before
    found = together(vault, lambda: len(desk.history(AAPL, bar="1d", since="30d")), count=7)

    assert most == [4]
    assert found == [21] * 7


# Files -----------------------------------------------------------------------------------


class Stopped(BaseException):
    """Somebody pulls the plug."""


def stop_at(*numbers):
    def before(number):
        if number in numbers:
            raise Stopped

    return before


def test_a_download_is_a_file_with_every_bar(ibkr, tmp_path):
    target = tmp_path / "aapl.csv"

    bars = ibkr.market_data.download(AAPL, target, **MONTH)

    lines = target.read_text().splitlines()
    assert lines[0] == "begins,open,high,low,close,volume"
    assert lines[1].split(",")[0] == bars[0].begins.isoformat()
    assert len(lines) == len(bars) + 1
    assert [path.name for path in tmp_path.glob("aapl*")] == ["aapl.csv"]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"] if ALL else ["csv", "parquet"])
def test_an_interrupted_month_is_the_same_file(tmp_path, ending):
    """Broken off at several points by hand, by IBKR and in the middle of writing a page."""
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    span = MONTH if ALL else FORTNIGHT
    calm = Vault(tmp_path / "calm")
    calm.exchange().market_data.download(AAPL, tmp_path / f"calm.{ending}", **span)
    torn = Vault(tmp_path / "torn")
    target = tmp_path / f"torn.{ending}"
    part = tmp_path / f"torn.{ending}.part"

    asked = 0
    for stop in (1, 2, 5, 4, 3):
        torn.broker.before = stop_at(asked + stop)
        with pytest.raises(Stopped):
            torn.exchange().market_data.download(AAPL, target, **span)
        asked = len(torn.broker.asked)
        # The last page that was written did not reach the disk whole.
        part.write_bytes(part.read_bytes()[:-stop])
        torn.clock.sleep(3600.0 * stop)
    torn.broker.before = lambda number: (
        (500, {"error": "Chart data unavailable"}) if number == asked + 3 else None
    )
    with pytest.raises(ApiError):
        torn.exchange().market_data.download(AAPL, target, **span)
    bars = torn.exchange().market_data.download(AAPL, target, **span)

    assert target.read_bytes() == (tmp_path / f"calm.{ending}").read_bytes()
    assert bars.report.gaps == ()
    # No page that was on disk was asked for again.
    assert len(torn.broker.asked) <= len(calm.broker.asked) + 12
    calm.close()
    torn.close()


def test_no_limit_is_broken_over_all_interruptions(tmp_path):
    """The simulated broker measures what reaches it."""
    world = World(tmp_path / "state")
    target = tmp_path / "aapl.csv"
    for count in (2, 3, 4, None):
        left = [count]

        def before(left=left):
            if left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise Stopped

        world.doorway.before = {"GET /iserver/marketdata/history": before}
        try:
            world.exchange().market_data.download(
                "AAPL", target, bar=BAR, since="30d" if ALL else "17d", until="2026-10-24"
            )
        except Stopped:
            assert not target.exists()

    assert len(target.read_text().splitlines()) > (8000 if ALL else 800)
    assert world.ledger()["pacing_breaches"] == []
    world.close()


def test_what_counts_back_counts_from_the_first_run(vault, ibkr, broker, tmp_path):
    """Else the file would have another beginning with each interruption."""
    target = tmp_path / "aapl.csv"
    broker.before = stop_at(2)
    with pytest.raises(Stopped):
        ibkr.market_data.download(AAPL, target, bar="5min", since="5d")
    vault.clock.sleep(24 * 3600)

    bars = ibkr.market_data.download(AAPL, target, bar="5min", since="5d")

    assert bars[-1].begins == new_york((2026, 11, 24), 9, 55)
    assert bars[0].begins == new_york((2026, 11, 19), 10)


def test_another_wish_does_not_go_on_with_what_is_there(ibkr, broker, tmp_path):
    target = tmp_path / "aapl.csv"
    broker.before = stop_at(2)
    with pytest.raises(Stopped):
        ibkr.market_data.download(AAPL, target, bar="5min", since="5d")
    asked = len(broker.asked)

    with pytest.raises(
        InvalidRequest, match="unfinished download of bars 5min and not 1min, since 5d and not 3d"
    ):
        ibkr.market_data.download(AAPL, target, bar="1min", since="3d")

    assert len(broker.asked) == asked


@pytest.mark.parametrize(
    "content", [b"no json\n", b"{}\n", b'{"download-1":{},"wish":{}}\n', b'{"download-1":[1],"wish":5}\n']
)
def test_a_damaged_file_is_not_built_upon(ibkr, broker, tmp_path, content):
    (tmp_path / "aapl.csv.part").write_bytes(content)

    with pytest.raises(InvalidRequest, match=r"no unfinished download, or damaged.*Delete it"):
        ibkr.market_data.download(AAPL, tmp_path / "aapl.csv", bar="5min", since="5d")

    assert broker.asked == []
    assert (tmp_path / "aapl.csv.part").read_bytes() == content


def test_a_file_that_is_there_is_kept(ibkr, broker, tmp_path):
    target = tmp_path / "aapl.csv"
    target.write_text("mine")

    with pytest.raises(InvalidRequest, match="is there already"):
        ibkr.market_data.download(AAPL, target, bar="1d", since="5d")
    assert (target.read_text(), broker.asked) == ("mine", [])

    ibkr.market_data.download(AAPL, target, bar="1d", since="5d", replace=True)
    assert target.read_text().startswith("begins,")


def test_an_unknown_ending_is_refused_before_anything_is_asked(ibkr, broker, tmp_path):
    with pytest.raises(InvalidRequest, match=r"'\.xlsx'.*\.csv, \.jsonl, \.parquet"):
        ibkr.market_data.download(AAPL, tmp_path / "aapl.xlsx", since="5d")

    assert broker.asked == []


def test_two_processes_do_not_write_one_file(ibkr, broker, tmp_path):
    """The second one is told, and asks for nothing."""
    target = tmp_path / "aapl.csv"
    refused = []

    def second(number):
        with pytest.raises(MarketDataError, match="another process writes") as refusal:
            ibkr.market_data.download(AAPL, target, bar="1d", since="5d")
        refused.append(refusal)

    broker.before = second
    ibkr.market_data.download(AAPL, target, bar="1d", since="5d")

    assert len(refused) == len(broker.asked) == 1


def test_a_folder_that_is_not_there_is_named(ibkr, broker, tmp_path):
    with pytest.raises(MarketDataError, match=r"nowhere.*cannot be written: No such file"):
        ibkr.market_data.download(AAPL, tmp_path / "nowhere" / "aapl.csv", since="5d")

    assert broker.asked == []


def test_nothing_found_leaves_nothing_behind(ibkr, broker, tmp_path):
    """Tomorrow there may be something, and the span begins anew then."""
    broker.listed_since = new_york((2027, 1, 1))

    with pytest.raises(NoMarketData):
        ibkr.market_data.download(AAPL, tmp_path / "aapl.csv", bar="1h", since="5d")

    assert list(tmp_path.glob("aapl*")) == []


def test_jsonl_has_exact_figures_and_null(ibkr, tmp_path):
    target = tmp_path / "aapl.jsonl"

    bars = ibkr.market_data.download(AAPL, target, bar="1h", since="3d", source="midpoint")

    first = target.read_text().splitlines()[0]
    assert first == (
        f'{{"begins":"{bars[0].begins.isoformat()}","open":{bars[0].open},"high":{bars[0].high},'
        f'"low":{bars[0].low},"close":{bars[0].close},"volume":null}}'
    )


def test_parquet_says_what_it_holds(ibkr, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    target = tmp_path / "aapl.parquet"

    bars = ibkr.market_data.download(AAPL, target, bar="1h", since="3d")

    table = parquet.read_table(target)
    assert table.column_names == ["begins", "open", "high", "low", "close", "volume"]
    assert [Decimal(repr(price)) for price in table["close"].to_pylist()] == [bar.close for bar in bars]
    assert table["begins"].to_pylist() == [bar.begins for bar in bars]
    assert b'"conid": 265598' in table.schema.metadata[b"ibkr_adapter"]


# Progress --------------------------------------------------------------------------------


def test_progress_is_told_in_days(ibkr, broker, tmp_path):
    """After an interruption it begins where it stopped."""
    told = []
    target = tmp_path / "aapl.csv"
    broker.before = stop_at(3)
    with pytest.raises(Stopped):
        ibkr.market_data.download(
            AAPL,
            target,
            bar="5min",
            since="2026-11-16",
            until="2026-11-21",
            progress=lambda *days: told.append(days),
        )
    assert told == [(1, 5), (2, 5)]

    told.clear()
    ibkr.market_data.download(
        AAPL,
        target,
        bar="5min",
        since="2026-11-16",
        until="2026-11-21",
        progress=lambda *days: told.append(days),
    )
    assert told[0] == (2, 5)
    assert told[-1] == (5, 5)


def test_a_bar_is_drawn_where_tqdm_is_there(ibkr, capsys):
    pytest.importorskip("tqdm")

    ibkr.market_data.history("AAPL", bar="1h", since="10d", progress=True)

    assert "AAPL: 100%" in capsys.readouterr().err


def test_a_bar_that_cannot_be_drawn_is_told_before_anything_is_asked(ibkr, broker, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)

    with pytest.raises(ConfigurationError, match=r"ibkr-adapter\[notebook\]"):
        ibkr.market_data.history("AAPL", bar="1h", since="10d", progress=True)

    assert broker.asked == []


def test_parquet_without_its_library_is_told_before_anything_is_asked(ibkr, broker, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(ConfigurationError, match=r"ibkr-adapter\[pandas\].*csv"):
        ibkr.market_data.download(AAPL, tmp_path / "aapl.parquet", since="5d")

    assert broker.asked == []
