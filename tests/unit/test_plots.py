"""Plots: what is drawn of the library's own values, what is said of it, and what is never drawn."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ibkr_adapter.errors import ConfigurationError, InvalidRequest
from ibkr_adapter.model.account import PnlRow
from ibkr_adapter.model.bars import Bar, Bars, BarSize, Gap, GapKind, Overlap, Report
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.market import Availability, Quote
from ibkr_adapter.model.optionrow import OPTION_ROW_COLUMNS, OptionRow
from ibkr_adapter.model.performance import (
    REALISED_COLUMNS,
    TRANSACTION_COLUMNS,
    Measure,
    Performance,
    Point,
    Realised,
    Series,
    Transactions,
)
from ibkr_adapter.model.stream import Bar as LiveBar
from ibkr_adapter.model.stream import DepthEvent, DepthRow, Dropped, PnlEvent
from ibkr_adapter.model.stream import Gap as StreamGap
from ibkr_adapter.model.table import Table
from ibkr_adapter.plots import plot_chain, plot_depth, plot_history, plot_profit, plot_smile
from ibkr_adapter.plots.history import MOST_CANDLES

START = datetime(2026, 11, 24, 14, 30, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"
# A formula that matplotlib cannot read, tags, a line's end, and a hidden label's first letter.
EVIL = "_$\\frac{<script>$\n\x1b[31m"


def bars(count=4, *, volume=Decimal(100), report=None, size=BarSize.MINUTES_5, title="AAPL", zone=None):
    rows = [
        Bar(
            START + number * size.length,
            Decimal(100 + number),
            Decimal(103 + number),
            Decimal(99 + number),
            Decimal(100 + number + (-1) ** number),
            volume,
        )
        for number in range(count)
    ]
    return Bars(rows, conid=1, size=size, report=report, title=title, zone=zone)


def title(figure):
    return figure.axes[0].get_title(loc="left")


def texts(axes):
    return [text.get_text() for text in axes.texts]


def entries(axes):
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def drawn(figure):
    """Draw it as a notebook does."""
    return figure._repr_png_()


# All of them ------------------------------------------------------------------------------


def test_a_plot_draws_itself_and_leaves_pyplot_alone():
    """A figure that pyplot knows has to be closed, and may open a window."""
    figure = plot_history(bars())

    assert drawn(figure).startswith(PNG)
    assert "matplotlib.pyplot" not in sys.modules


def test_matplotlib_is_loaded_by_the_first_plot():
    """A bot that never draws does not wait for it."""
    program = "import sys, ibkr_adapter.plots; print('matplotlib' in sys.modules, 'numpy' in sys.modules)"

    ran = subprocess.run(  # noqa: S603  (our own interpreter)
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.split() == ["False", "False"]


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "ibkr_adapter.plots.picture", raising=False)
    monkeypatch.delattr("ibkr_adapter.plots.picture", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ConfigurationError, match=r"ibkr-adapter\[plot\]"):
        plot_history(bars())


def test_names_are_letters_and_not_formulas():
    """Names come from elsewhere, and matplotlib would fail on half a formula, or leave the line out."""
    row = option(100, "C")
    evil = OptionRow(contract=Contract(conid=1, symbol=EVIL, sec_type=SecType.OPTION, **DUE), quote=row.quote)
    figures = [
        plot_history(bars(title=EVIL), entry=101, currency=EVIL),
        plot_chain([evil], currency=EVIL),
        plot_smile([evil]),
        plot_depth([DepthRow(row=0, price=Decimal(1), bid_size=Decimal(1))], title=EVIL),
        plot_profit(Series(name=EVIL, measure=Measure.VALUE, currency=EVIL), title=EVIL),
        plot_profit([profit(0, 1, account=EVIL)]),
        plot_profit(realised((date(2026, 11, 2), Decimal(1), EVIL))),
    ]

    for figure in figures:
        figure.draw_without_rendering()
    assert all("\x1b" not in title(figure) for figure in figures)
    assert title(figures[0]).startswith("_$\\frac{<script>$")


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: plot_history(bars(0)), "there is not one bar"),
        (lambda: plot_chain([]), "no bid and no ask came"),
        (lambda: plot_smile([]), "no implied volatility came"),
        (lambda: plot_depth([]), "nobody bids or offers"),
        (lambda: plot_profit([]), "no profit was told"),
        (lambda: plot_profit(Performance(period="1M")), "no figure came"),
        (lambda: plot_profit(realised()), "nothing was realised"),
    ],
)
def test_where_nothing_came_the_plot_says_so(draw, said):
    """An empty frame looks like a price of nothing."""
    figure = draw()

    assert said in texts(figure.axes[0])


# History ----------------------------------------------------------------------------------


def test_history_is_drawn_with_its_levels_and_its_volume():
    figure = plot_history(bars(), entry=Decimal("101.50"), stop="98", target=120.5, currency="USD")
    prices, volume = figure.axes

    assert title(figure) == "AAPL: 4 bars of 5min, Last"
    assert entries(prices) == ["entry 101.50", "stop 98", "target 120.5"]
    assert [line.get_ydata()[0] for line in prices.lines] == [101.5, 98, 120.5]
    lowest, highest = prices.get_ylim()
    assert (lowest < 98, highest > 120.5) == (True, True)
    assert prices.get_ylabel() == "price (USD)"
    assert [bar.get_height() for bar in volume.patches] == [100.0] * 4
    assert volume.yaxis.get_major_formatter()(23_000_000, 0) == "23,000,000"
    assert prices.yaxis.get_major_formatter().get_useOffset() is False
    assert volume.get_ylabel() == "volume (shares or contracts)"


def test_a_candle_stands_between_open_and_close():
    figure = plot_history(bars(2, volume=None))
    (prices,) = figure.axes

    # The first one rises from 100 to 101, the second falls from 101 to 100.
    assert [(bar.get_y(), bar.get_height()) for bar in prices.patches] == [(100.0, 1.0), (100.0, 1.0)]
    assert [line.get_segments()[0].tolist() for line in prices.collections] == [
        [[0.0, 99.0], [0.0, 103.0]],
        [[1.0, 100.0], [1.0, 104.0]],
    ]


def test_what_is_missing_leaves_room_and_is_never_nothing():
    """A bar that is not there, and a price that did not come, are no prices of 0."""
    step = BarSize.MINUTES_5.length
    gaps = (
        Gap(START + 4 * step, START + 6 * step, GapKind.INSIDE),
        Gap(START + 100 * step, START + 178 * step, GapKind.SESSION),
    )
    live = [
        LiveBar(start=START, open=None, high=Decimal(2), low=None, close=None, volume=Decimal(7)),
        LiveBar(
            start=START + step,
            open=Decimal(1),
            high=Decimal(2),
            low=Decimal(1),
            close=Decimal(2),
            volume=None,
        ),
    ]

    with_gaps = plot_history(bars(report=Report(gaps=gaps)))
    of_stream = plot_history(live)

    # Four bars, two that are missing and a session of which nobody misses the bars: the seventh place.
    assert title(with_gaps).splitlines()[1] == "2 gaps"
    assert len(with_gaps.axes[0].patches) == 4
    assert with_gaps.axes[0].get_xlim() == (-1, 7)
    assert title(of_stream) == "bars"
    assert [bar.get_y() for bar in of_stream.axes[0].patches] == [1.0]
    assert math.isnan(of_stream.axes[1].patches[1].get_height())


def test_many_bars_are_a_line_with_their_range():
    figure = plot_history(bars(MOST_CANDLES + 1, volume=None))
    (prices,) = figure.axes

    assert prices.patches[:] == []
    assert len(prices.lines[0].get_ydata()) == MOST_CANDLES + 1


def test_the_axis_tells_moments_by_the_clock_it_names():
    """Half past two in UTC is half past nine in New York."""
    local = plot_history(bars(zone="America/New_York"))
    elsewhere = plot_history(bars(zone="America/New_York"), zone="Asia/Tokyo")
    daily = plot_history(bars(size=BarSize.DAY))
    written = local.axes[-1].xaxis.get_major_formatter()

    assert local.axes[-1].get_xlabel() == "beginning of the bar, time zone America/New_York"
    assert written(0, 0) == "2026-11-24\n09:30"
    assert (written(0.5, 0), written(-1, 0), written(4, 0)) == ("", "", "")
    assert elsewhere.axes[-1].xaxis.get_major_formatter()(0, 0) == "2026-11-24\n23:30"
    assert daily.axes[-1].get_xlabel() == "beginning of the bar, time zone UTC"
    assert daily.axes[-1].xaxis.get_major_formatter()(1, 0) == "2026-11-25"


def test_days_are_told_apart_by_the_clock_of_the_axis():
    """Midnight in UTC is in the middle of New York's evening; between many days there is no line."""
    hours = bars(11, size=BarSize.HOUR, volume=None)
    many = bars(50 * 24, size=BarSize.HOUR, volume=None)

    assert plot_history(hours).axes[0].lines[0].get_xdata() == [9.5, 9.5]
    assert plot_history(hours, zone="America/New_York").axes[0].lines[:] == []
    assert len(plot_history(many).axes[0].lines) == 1


def test_what_must_be_known_of_the_bars_is_in_the_title():
    """A delayed price looks like any other."""
    bar = bars(1)[0]
    doubtful = Report(
        delay=900,
        gaps=(),
        overlaps=(Overlap(bar, bar),),
        complete=False,
        doubtful=(START,),
        volume_certain=False,
    )

    figure = plot_history(bars(report=doubtful), title="Mine")

    assert title(figure).splitlines() == [
        "Mine",
        "DELAYED by 900 s, 1 overlaps, nothing older at IBKR, 1 answers perhaps cut, volumes uncertain",
    ]


@pytest.mark.parametrize("level", ["much", "nan", "inf", True])
def test_a_level_that_is_no_price_is_refused(level):
    """A stop that is not drawn where somebody thinks it is would be looked past."""
    with pytest.raises(InvalidRequest, match="stop is a price"):
        plot_history(bars(), stop=level)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd"])
def test_a_time_zone_that_nobody_knows_is_refused(zone):
    with pytest.raises(InvalidRequest, match="no time zone"):
        plot_history(bars(), zone=zone)


# Options ----------------------------------------------------------------------------------

DUE = {"expiry": "20270115", "strike": Decimal(100), "right": "C", "currency": "USD"}
LIVE = Availability(code="RpB")


def option(strike, right, *, expiry="20270115", code="RpB", bid=Decimal(1), ask=Decimal(2), **others):
    return OptionRow(
        contract=Contract(
            conid=1,
            symbol="AAPL",
            sec_type=SecType.OPTION,
            strike=Decimal(strike),
            right=right,
            expiry=expiry,
            currency="USD",
        ),
        quote=Quote(conid=1, bid=bid, ask=ask, availability=Availability(code=code), others=others),
        underlying=Quote(conid=2, last=Decimal("101.5"), availability=LIVE),
    )


def test_a_chain_is_drawn_from_bid_to_ask_by_strike():
    rows = [
        option(105, "C", option_open_interest=Decimal(7)),
        option(100, "C", bid=None, option_open_interest=Decimal(5)),
        option(100, "P", ask=None),
        option(100, "C", expiry="20270219"),
    ]
    table = Table(rows, OPTION_ROW_COLUMNS)

    figure = plot_chain(table)
    prices, opened = figure.axes
    calls = prices.lines[0]

    assert title(figure) == "options on AAPL, 2027-01-15, the first of 2 expiries"
    assert entries(prices) == ["calls, bid", "calls, ask", "puts, bid", "puts, ask", "underlying 101.5"]
    assert calls.get_xdata().tolist() == [100, 105]
    assert math.isnan(calls.get_ydata()[0])
    assert calls.get_ydata()[1] == 1
    assert prices.get_ylabel() == "bid to ask (USD)"
    assert opened.get_xlabel() == "strike (USD)"
    assert opened.get_ylabel() == "open interest (contracts)"
    assert [bar.get_height() for bar in opened.patches][:2] == [5, 7]
    assert math.isnan(opened.patches[2].get_height())


def test_a_day_of_a_chain_is_chosen_or_refused():
    rows = [option(100, "C"), option(100, "P", expiry="20270219")]

    assert title(plot_chain(rows, expiry=date(2027, 2, 19))) == "options on AAPL, 2027-02-19"
    with pytest.raises(InvalidRequest, match=r"no options of 2027-03-19.*2027-01-15, 2027-02-19"):
        plot_chain(rows, expiry=date(2027, 3, 19))


def test_how_fresh_a_chain_is_stands_in_its_title():
    """Prices of the close on Friday are drawn like any others."""
    rows = [option(100, "C"), option(105, "C", code="DPB"), option(110, "C", code="DPB")]

    assert (
        title(plot_chain(rows)).splitlines()[1] == "2 of 3 delayed by 15 to 20 minutes, underlying real time"
    )
    assert title(plot_smile(rows[:1])).splitlines() == ["options on AAPL, implied volatility by strike"]


def test_a_smile_has_a_line_for_each_expiry_and_right():
    rows = [
        option(100, "C", implied_volatility=Decimal("21.5")),
        option(105, "C"),
        option(110, "C", implied_volatility=Decimal("23.5")),
        option(100, "P", implied_volatility=Decimal("24.5")),
        option(100, "P", expiry="20270219", implied_volatility=Decimal("20.5")),
    ]

    figure = plot_smile(rows)
    (axes,) = figure.axes
    calls = axes.lines[0].get_ydata().tolist()

    assert entries(axes) == ["2027-01-15 calls", "2027-01-15 puts", "2027-02-19 puts", "underlying 101.5"]
    assert (calls[0], math.isnan(calls[1]), calls[2]) == (21.5, True, 23.5)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("strike (USD)", "implied volatility (% a year)")


# Profit -----------------------------------------------------------------------------------


def series(measure, *values, name="DU1", start=None, frequency="D"):
    days = ["20261102", "20261103", "20261104"] if frequency == "D" else ["202609", "202610", "2026"]
    points = tuple(Point(day=day, value=value) for day, value in zip(days, values, strict=False))
    return Series(
        name=name, measure=measure, points=points, frequency=frequency, currency="EUR", start_value=start
    )


def realised(*rows):
    found = [
        Realised(day=day, account_id="DU1", conid=1, amount=amount, currency=currency)
        for day, amount, currency in rows
    ]
    return Transactions(
        currency="USD",
        begins=None,
        ends=None,
        rows=Table([], TRANSACTION_COLUMNS),
        realised=Table(found, REALISED_COLUMNS),
    )


def profit(seconds, daily, *, account="DU1"):
    row = PnlRow(account_id=account, model="Core", daily=None if daily is None else Decimal(daily))
    return PnlEvent(at=START + timedelta(seconds=seconds), profit=row)


def test_performance_is_a_change_of_value_and_a_return():
    """Fractions become percent, and what was there before is no profit."""
    told = Performance(
        period="1M",
        method="TWR",
        series=(
            series(Measure.PERIODIC, Decimal("0.01")),
            series(Measure.CUMULATIVE, Decimal("0.01"), None, Decimal("0.025")),
            series(Measure.VALUE, Decimal(1010), None, Decimal(1025), start=Decimal(1000)),
        ),
    )

    figure = plot_profit(told)
    value, returned = figure.axes
    # It is no doubt, so it is not in the colour of one.
    assert figure.axes[0]._left_title.get_color() == "black"
    changes = value.lines[0].get_ydata().tolist()

    assert title(figure).splitlines() == [
        "performance 1M, TWR",
        "deposits and withdrawals are in the change of value",
    ]
    assert (changes[0], math.isnan(changes[1]), changes[2]) == (10, True, 25)
    assert value.get_ylabel() == "change of value (EUR)"
    assert returned.lines[0].get_ydata()[2] == pytest.approx(2.5)
    assert returned.get_ylabel() == "cumulative return (%)"
    assert returned.get_xlabel() == "day of the account's statements"


def test_a_series_alone_is_drawn_from_its_first_value_on():
    figure = plot_profit(series(Measure.VALUE, None, Decimal(1000), Decimal(990)))
    values = figure.axes[0].lines[0].get_ydata().tolist()

    assert (math.isnan(values[0]), values[1:]) == (True, [0, -10])


def test_returns_of_months_are_bars():
    """A day that nobody can read is left out."""
    figure = plot_profit(
        series(Measure.PERIODIC, Decimal("0.01"), Decimal("-0.02"), Decimal(9), frequency="M")
    )
    (axes,) = figure.axes

    assert title(figure) == "return of the period"
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([1, -2])


def test_several_accounts_are_several_lines():
    told = Performance(
        period="1M",
        series=(series(Measure.CUMULATIVE, Decimal(0)), series(Measure.CUMULATIVE, Decimal(1), name="DU2")),
    )

    assert entries(plot_profit(told).axes[0]) == ["account DU1", "account DU2"]


def test_what_was_realised_is_summed_up_by_currency():
    """Dollars and euros are never one sum, and what has no amount is not taken for nothing."""
    told = realised(
        (date(2026, 11, 3), Decimal(-4), "USD"),
        (date(2026, 11, 2), Decimal(10), None),
        (date(2026, 11, 4), Decimal(7), "EUR"),
        (date(2026, 11, 5), None, "USD"),
        (None, Decimal(1), "USD"),
    )

    figure = plot_profit(told)
    (axes,) = figure.axes

    assert [line.get_ydata().tolist() for line in axes.lines[:2]] == [[10, 6], [7]]
    assert entries(axes) == ["in USD", "in EUR"]
    assert title(figure).splitlines()[1] == "2 without day or amount are not in the sum"


def test_profit_of_a_stream_is_broken_where_the_stream_was():
    gap = StreamGap(
        at=START + timedelta(seconds=3),
        since=START + timedelta(seconds=1),
        until=START + timedelta(seconds=3),
    )
    events = [profit(0, 5), profit(1, None), gap, profit(4, 9), Dropped(at=START, count=1)]

    figure = plot_profit(events, zone="America/New_York", currency="USD")
    (axes,) = figure.axes
    values = axes.lines[0].get_ydata().tolist()

    assert [value if value == value else None for value in values] == [5, None, None, 9]  # noqa: PLR0124  (NaN)
    assert title(figure).splitlines() == ["profit today", "1 gaps in the stream"]
    assert axes.get_xlabel() == "time, time zone America/New_York"
    assert axes.get_ylabel() == "profit today (USD)"


# Depth ------------------------------------------------------------------------------------


def test_depth_is_drawn_by_price_and_summed_up_from_the_best_on():
    rows = (
        DepthRow(row=0, price=Decimal("100.2"), ask_size=Decimal(3)),
        DepthRow(row=1, price=Decimal("100.1"), ask_size=Decimal(2), is_last=True),
        DepthRow(row=2, price=Decimal("100.0"), bid_size=Decimal(5)),
        DepthRow(row=3, price=Decimal("99.9"), bid_size=Decimal(4)),
        DepthRow(row=4, price=None, bid_size=Decimal(9)),
    )
    event = DepthEvent(at=START, conid=265598, account_id="DU1234567", rows=rows)

    figure = plot_depth(event, currency="USD", zone="America/New_York")
    (axes,) = figure.axes

    assert title(figure).splitlines() == [
        "price ladder of contract 265598, 2026-11-24 09:30:00 America/New_York",
        "1 rows without a price",
    ]
    assert [bar.get_height() for bar in axes.patches] == [5, 4, 2, 3]
    assert [line.get_ydata().tolist() for line in axes.lines[:2]] == [[5, 9], [2, 5]]
    assert "last 100.1" in entries(axes)
    assert "DU1234567" not in title(figure)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("price (USD)", "size (shares or contracts)")
