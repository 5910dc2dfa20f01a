"""Bars: their sizes in IBKR's words, and tables that say what is wrong with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs
import pytest

from ibkr_adapter.errors import InvalidRequest
from ibkr_adapter.model.bars import Bar, Bars, BarSize, BarSource, Gap, GapKind, Overlap, Report, page_period

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
BAR = Bar(NOON, Decimal("1.10"), Decimal(2), Decimal(1), Decimal("1.5"), Decimal(300))


@pytest.mark.parametrize(
    ("word", "size"),
    [
        ("1min", BarSize.MINUTE),
        ("1 min", BarSize.MINUTE),
        ("5 mins", BarSize.MINUTES_5),
        ("1 hour", BarSize.HOUR),
        ("4hrs", BarSize.HOURS_4),
        ("1D", BarSize.DAY),
        ("day", BarSize.DAY),
        ("1 week", BarSize.WEEK),
        ("1m", BarSize.MONTH),
        ("1 month", BarSize.MONTH),
        (BarSize.MINUTES_2, BarSize.MINUTES_2),
    ],
)
def test_sizes_are_read_as_people_write_them(word, size):
    """A small m is a month, as it is for IBKR."""
    assert BarSize.of(word) is size


@pytest.mark.parametrize("word", ["7min", "1M", "1s", "", "min1", "2d", "1y"])
def test_other_sizes_are_refused_with_those_there_are(word):
    """1M is a month to some and a minute to others."""
    with pytest.raises(InvalidRequest, match="It has 1min, 2min"):
        BarSize.of(word)


def test_lengths_are_those_of_the_words():
    assert BarSize.MINUTES_15.seconds == 900
    assert BarSize.HOURS_8.length == timedelta(hours=8)
    assert BarSize.MONTH.length == timedelta(days=31)
    assert [size for size in BarSize if not size.intraday] == [BarSize.DAY, BarSize.WEEK, BarSize.MONTH]


@pytest.mark.parametrize(
    ("size", "hours", "word"),
    [
        ("1min", 6.5, "1d"),
        ("1min", 16, "1d"),
        ("1min", 24, "8h"),
        ("5min", 24, "1d"),
        ("10min", 16, "1w"),
        ("10min", 24, "1d"),
        ("1h", 24, "1m"),
        ("2h", 6.5, "3m"),
        ("4h", 6.5, "6m"),
        ("8h", 24, "6m"),
        ("1d", 24, "2y"),
        ("1w", 24, "15y"),
        ("1m", 24, "15y"),
    ],
)
def test_a_period_is_as_long_as_ibkr_and_a_thousand_bars_allow(size, hours, word):
    assert page_period(BarSize.of(size), hours * 3600)[0] == word


def test_no_period_has_more_than_a_thousand_bars():
    for size in BarSize:
        for hours in range(1, 25):
            _, step = page_period(size, hours * 3600.0)
            days = step.total_seconds() / 86_400
            most = days * hours * 3600 / size.seconds if size.intraday else step / size.length
            assert most <= 1000


def test_sources_are_read_in_any_case():
    assert (BarSource.of("last"), BarSource.of("BID_ASK"), BarSource.of("trades")) == (
        BarSource.LAST,
        BarSource.BID_ASK,
        BarSource.LAST,
    )
    with pytest.raises(InvalidRequest, match="Last, Midpoint, Bid_Ask"):
        BarSource.of("Bid")


def test_bars_are_a_table_that_says_what_is_wrong():
    """In letters, in a notebook and for programs."""
    report = Report(
        delay=900,
        gaps=(Gap(NOON, NOON + timedelta(hours=1), GapKind.INSIDE),),
        overlaps=(Overlap(BAR, BAR),),
        complete=False,
        doubtful=(NOON,),
        volume_certain=False,
    )
    told = "1 gaps, 1 overlaps, delayed by 900 s, nothing older at IBKR, 1 answers perhaps cut, volumes uncertain"

    bars = Bars([BAR], conid=1, size=BarSize.HOUR, report=report, title="<AAPL>")

    assert repr(bars) == f"<<AAPL>: 1 bars of 1h, {told}>"
    assert str(bars).splitlines()[-1] == f"1 bars of 1h, {told}"
    assert "&lt;AAPL&gt;" in bars._repr_html_()
    assert told in bars._repr_html_()
    assert bars[0] == BAR
    assert bars.records()[0]["open"] == Decimal("1.10")


def test_a_part_of_bars_is_bars_with_the_gaps_that_are_in_it():
    """The last twenty are as delayed as all of them, and miss what is missing among them only."""
    hours = [attrs.evolve(BAR, begins=NOON + timedelta(hours=number)) for number in (0, 1, 3, 6)]
    early = Gap(NOON + timedelta(hours=2), NOON + timedelta(hours=3), GapKind.INSIDE)
    late = Gap(NOON + timedelta(hours=4), NOON + timedelta(hours=6), GapKind.INSIDE)
    bars = Bars(
        hours, conid=1, size=BarSize.HOUR, zone="Asia/Tokyo", report=Report(delay=900, gaps=(early, late))
    )

    part = bars[-2:]

    assert isinstance(part, Bars)
    assert (part.size, part.zone, part.report) == (
        BarSize.HOUR,
        "Asia/Tokyo",
        Report(delay=900, gaps=(late,)),
    )
    assert bars.where(lambda bar: bar.begins > hours[-1].begins).report.gaps == ()
    assert Bars(hours, conid=1, size=BarSize.HOUR)[1:].report.gaps is None


def test_bars_without_hours_say_so():
    assert repr(Bars([], conid=1, size=BarSize.DAY)) == "<Bars: 0 bars of 1d, hours not known>"


def test_a_frame_has_the_exchanges_time():
    """Half past nine is half past nine, in summer and in winter."""
    pytest.importorskip("pandas")
    summer, winter = datetime(2026, 7, 1, 13, 30, tzinfo=UTC), datetime(2026, 12, 1, 14, 30, tzinfo=UTC)
    rows = [Bar(moment, *[Decimal("1.5")] * 4, None) for moment in (summer, winter)]

    bars = Bars(rows, conid=1, size=BarSize.DAY, zone="America/New_York")
    frame = bars.to_frame()

    assert [(moment.hour, moment.minute) for moment in frame.index] == [(9, 30), (9, 30)]
    assert frame["close"].tolist() == [1.5, 1.5]
    assert frame["volume"].isna().all()
    assert bars.to_frame(exact=True)["close"].tolist() == [Decimal("1.5")] * 2
    assert str(bars.to_frame(zone="UTC").index.tz) == "UTC"
    assert len(Bars([], conid=1, size=BarSize.DAY).to_frame()) == 0
    assert bars.local(rows[0]).hour == 9
