"""Tables: lists for programs, tables for eyes, and nothing in a name is markup."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal

import pytest

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.model.listing import FutureListing, front, listed, nearest, nearest_days
from ibkr_adapter.model.table import MOST_SHOWN, Table

COLUMNS = {"name": lambda row: row[0], "price": lambda row: row[1]}
ROWS = [
    ("one", Decimal("1.50")),
    ("two", None),
    ("three", date(2026, 12, 18)),
    ("four", True),
    ("five", False),
]


def test_a_table_is_a_list():
    table = Table(ROWS, COLUMNS)

    assert len(table) == 5
    assert table[0] == ROWS[0]
    assert list(table) == ROWS
    assert table == ROWS
    assert table == Table(ROWS, COLUMNS)
    assert table != Table([], COLUMNS)
    assert table != 5
    assert hash(table) == hash(Table(ROWS, COLUMNS))
    assert table[1:3] == ROWS[1:3]
    assert table.where(lambda row: row[0] == "two") == [ROWS[1]]


def test_a_table_shows_itself_in_letters():
    table = Table(ROWS, COLUMNS, title="Prices")

    assert str(table).splitlines() == [
        "Prices",
        "name   price",
        "one    1.50",
        "two",
        "three  2026-12-18",
        "four   yes",
        "five",
    ]
    assert repr(table) == "<Prices: 5 rows of name, price>"
    assert repr(Table([], COLUMNS)) == "<Table: 0 rows of name, price>"


def test_a_table_shows_itself_in_a_notebook_and_escapes_all():
    """Names of companies come from elsewhere."""
    table = Table([("<script>&", 7)], COLUMNS, title="a<b")

    shown = table._repr_html_()

    assert "<script>" not in shown
    assert "&lt;script&gt;&amp;" in shown
    assert "<caption>a&lt;b</caption>" in shown
    assert "<caption>" not in Table([], COLUMNS)._repr_html_()


def test_a_long_table_is_cut_for_eyes_only():
    table = Table([(str(number), number) for number in range(MOST_SHOWN + 3)], COLUMNS)

    assert table._repr_html_().endswith("<p>and 3 more</p>")
    assert str(table).endswith("and 3 more")
    assert len(table.records()) == MOST_SHOWN + 3


def test_a_table_becomes_a_frame():
    """Figures as floats, because pandas calculates with them; exactly where asked."""
    pytest.importorskip("pandas")
    table = Table(ROWS[:1], COLUMNS)

    assert table.to_frame()["price"].tolist() == [1.5]
    assert table.to_frame(exact=True)["price"].tolist() == [Decimal("1.50")]
    assert list(Table([], COLUMNS).to_frame().columns) == ["name", "price"]


def test_without_pandas_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ConfigurationError, match=r"ibkr-adapter\[pandas\]"):
        Table(ROWS, COLUMNS).to_frame()


# The front month -------------------------------------------------------------------------


def future(conid, expires, **days):
    return FutureListing(conid=conid, symbol="ES", expires=expires, **days)


DEC = future(1, date(2026, 12, 18), last_trading_day=date(2026, 12, 17))
MAR = future(2, date(2027, 3, 19))
CUT = future(3, date(2026, 12, 18), long_cutoff=date(2026, 11, 27), short_cutoff=date(2026, 12, 1))


@pytest.mark.parametrize(
    ("listings", "today", "in_front"),
    [
        ([MAR, DEC], date(2026, 11, 24), [1]),
        ([MAR, DEC], date(2026, 12, 16), [1]),
        ([MAR, DEC], date(2026, 12, 17), [2]),
        ([MAR, CUT], date(2026, 11, 26), [3]),
        ([MAR, CUT], date(2026, 11, 27), [2]),
        ([DEC, CUT, MAR], date(2026, 11, 24), [1, 3]),
        ([DEC], date(2026, 12, 17), []),
        ([], date(2026, 12, 17), []),
    ],
)
def test_the_front_month_is_the_first_that_has_not_reached_its_roll_day(listings, today, in_front):
    """From a cut-off on IBKR may close the position, so nothing is opened there by itself."""
    assert [listing.conid for listing in front(listings, today)] == in_front


def test_what_has_ended_is_not_listed():
    assert [one.conid for one in listed([MAR, DEC], date(2026, 12, 17))] == [1, 2]
    assert [one.conid for one in listed([MAR, DEC], date(2026, 12, 18))] == [2]


def test_what_comes_near_is_offered_in_order():
    strikes = [Decimal(number) for number in (150, 160, 170, 180, 190, 200)]

    assert nearest(Decimal(172), strikes) == strikes[1:5]
    assert nearest(Decimal(1000), strikes, 2) == strikes[4:]
    assert nearest_days(date(2026, 12, 17), [date(2026, 12, 18), date(2027, 3, 19)], 1) == [
        date(2026, 12, 18)
    ]
