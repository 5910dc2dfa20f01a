"""Tables: lists for programs, tables for eyes, and nothing in a name is markup."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import sys
from datetime import date
from decimal import Decimal

import pytest

import ibkr_adapter.model
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.listing import FutureListing, front, listed, nearest, nearest_days
from ibkr_adapter.model.market import Availability, Quote
from ibkr_adapter.model.optionrow import OptionRow
from ibkr_adapter.model.shown import doubt_of
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


def test_all_columns_can_be_pickled():
    """A table goes to another process with what reads its columns; a lambda cannot."""
    modules = [
        importlib.import_module(f"ibkr_adapter.model.{found.name}")
        for found in pkgutil.iter_modules(ibkr_adapter.model.__path__)
    ]
    declared = [
        (name, value)
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("COLUMNS")
    ]

    assert len(declared) > 20
    for name, columns in declared:
        assert list(pickle.loads(pickle.dumps(columns))) == list(columns), name  # noqa: S301  (our own bytes)


def test_a_table_shows_itself_in_letters():
    """What is missing is neither nothing nor no."""
    table = Table(ROWS, COLUMNS, title="Prices")

    assert str(table).splitlines() == [
        "Prices",
        "name   price",
        "one    1.50",
        "two    –",  # noqa: RUF001  (an en dash)
        "three  2026-12-18",
        "four   yes",
        "five   no",
    ]
    assert repr(table) == "<Prices: 5 rows of name, price>"
    assert repr(Table([], COLUMNS)) == "<Table: 0 rows of name, price>"


def test_figures_stand_below_each_other():
    """On the right, by an attribute too, because pages without styles keep those."""
    table = Table([("one", Decimal("1.50")), ("two", None), ("three", Decimal(100))], COLUMNS)

    shown = table._repr_html_()

    assert str(table).splitlines() == ["name   price", "one     1.50", "two        –", "three    100"]  # noqa: RUF001
    assert '<th align="right" style="text-align:right;white-space:nowrap">price</th>' in shown
    assert '<td align="right" style="text-align:right;white-space:nowrap">1.50</td>' in shown
    assert '<td align="left" style="text-align:left;white-space:nowrap">one</td>' in shown


def test_a_table_shows_itself_in_a_notebook_and_escapes_all():
    """Names of companies come from elsewhere, and so do names of columns and what is wrong."""
    table = Table([("<script>&", 7)], COLUMNS | {"<i>": lambda row: ["<b>"]}, title="a<b\x1b[31m")

    shown = table._repr_html_()

    assert [word for word in ("<script>", "<i>", "<b>", "\x1b") if word in shown] == []
    assert "&lt;script&gt;&amp;" in shown
    assert ">a&lt;b [31m</caption>" in shown
    assert "\x1b" not in str(table)
    assert "<caption" not in Table([], COLUMNS)._repr_html_()


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


# What is not of this moment ----------------------------------------------------------------

QUOTE_COLUMNS = {"conid": lambda quote: quote.conid, "last": lambda quote: quote.last}


def quote(conid, code="RpB", **fields):
    availability = None if code is None else Availability(code=code)
    return Quote(conid=conid, last=Decimal(5), availability=availability, **fields)


def test_rows_that_are_not_of_this_moment_are_marked_in_words_and_in_style():
    """A delayed price looks like any other, also where no colour is."""
    rows = [
        quote(1),
        quote(2, "DPB"),
        quote(3, None),
        quote(4, halted=True),
        quote(5, last_is_close=True),
        quote(6, "DPB"),
    ]
    table = Table(rows, QUOTE_COLUMNS)

    shown = table._repr_html_()

    assert str(table).splitlines() == [
        "conid  last",
        "    1     5",
        "  2 †     5",
        "  3 †     5",
        "  4 †     5",
        "  5 †     5",
        "  6 †     5",
        "† 2 of 6: delayed by 15 to 20 minutes",
        "† 1 of 6: of unknown age",
        "† 1 of 6: trading is halted",
        "† 1 of 6: the last price is the prior close",
    ]
    assert shown.count("font-style:italic") == 2 * 5 + 4
    assert "† 2 of 6: delayed by 15 to 20 minutes</strong>" in shown


def test_a_table_of_this_moment_has_no_mark():
    table = Table([quote(1)], QUOTE_COLUMNS)

    assert "†" not in str(table)
    assert "italic" not in table._repr_html_()
    assert str(Table([quote(1, "DPB")], {})).splitlines()[-1] == "† 1 of 1: delayed by 15 to 20 minutes"


def test_options_are_as_old_as_what_they_are_on():
    contract = Contract(conid=1, symbol="AAPL", sec_type=SecType.OPTION)
    fresh = OptionRow(contract=contract, quote=quote(1), underlying=quote(2))
    old = OptionRow(contract=contract, quote=quote(1), underlying=quote(2, "DPB"))
    halted = OptionRow(contract=contract, quote=quote(1, halted=True))

    assert [doubt_of(row) for row in (fresh, old, halted)] == [
        None,
        "real time, underlying delayed by 15 to 20 minutes",
        "trading is halted",
    ]


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
