"""A price is traded on only if it is of this moment, and shown with where it comes from."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.model.market import Availability, PriceSource, Quote, ShownPrice, Timeline

D = Decimal


def quote(code="RpB", **fields):
    availability = Availability(code=code) if code is not None else None
    return Quote(**{"conid": 265598, "last": D("168.42"), "availability": availability} | fields)


@pytest.mark.parametrize(
    ("code", "timeline", "real_time", "cannot_come"),
    [
        ("RpB", Timeline.REAL_TIME, True, False),
        ("RPB", Timeline.REAL_TIME, True, False),
        ("R", Timeline.REAL_TIME, True, False),
        ("pR", Timeline.REAL_TIME, True, False),
        ("Rd", Timeline.REAL_TIME, True, False),
        ("RiB", Timeline.REAL_TIME, False, False),
        ("RD", Timeline.REAL_TIME, False, False),
        ("DPB", Timeline.DELAYED, False, False),
        ("Dd", Timeline.DELAYED, False, False),
        ("ZB", Timeline.FROZEN, False, False),
        ("YB", Timeline.FROZEN_DELAYED, False, False),
        ("N", Timeline.NOT_SUBSCRIBED, False, True),
        ("O", Timeline.NOT_ACKNOWLEDGED, False, True),
        ("S", Timeline.UNKNOWN, False, False),
        ("dpB", Timeline.UNKNOWN, False, False),
        ("?", Timeline.UNKNOWN, False, False),
        ("", Timeline.UNKNOWN, False, False),
    ],
)
def test_letters_are_a_set_in_which_one_tells_the_age(code, timeline, real_time, cannot_come):
    """Two-letter codes have the book in second place, and a small d is not delayed."""
    availability = Availability(code=code)

    assert availability.timeline is timeline
    assert availability.real_time is real_time
    assert availability.cannot_come is cannot_come
    assert availability.letters == set(code)
    assert availability.incomplete is ("i" in code)


def test_a_real_time_price_of_a_trading_market_is_traded_on():
    found = quote()

    assert found.why_not_tradable() is None
    assert found.tradable_price() == D("168.42")


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (quote(None), "6509"),
        (quote("DPB"), "delayed"),
        (quote("ZB"), "frozen"),
        (quote("YB"), "delayed and frozen"),
        (quote("N"), "not subscribed"),
        (quote("O"), "Client Portal"),
        (quote("S"), "unknown age"),
        (quote("RiB"), "in parts"),
        (quote(halted=True), "prefix H"),
        (quote(last_is_close=True), "prefix C"),
        (quote(last=None), "no last price"),
        (quote(last=D(0)), "0"),
        (quote(last=D(-1)), "-1"),
    ],
)
def test_any_other_price_is_not_and_the_reason_names_the_mark(found, named):
    """The host's user must find out which subscription or mark stands in the way."""
    reason = found.why_not_tradable()

    assert named in reason
    assert found.availability is None or repr(found.availability.code) in reason
    assert found.tradable_price() is None


@given(
    code=st.text(max_size=4) | st.none(),
    halted=st.booleans(),
    close=st.booleans(),
    last=st.none() | st.decimals(),
)
def test_no_mark_but_real_time_alone_lets_a_price_be_traded_on(code, halted, close, last):
    if last is not None and last.is_nan():
        last = None

    found = quote(code, halted=halted, last_is_close=close, last=last)

    if found.tradable_price() is not None:
        assert "R" in code
        assert not set(code) & set("DZYNOi")
        assert not halted
        assert not close
        assert last > 0
    assert (found.tradable_price() is None) is (found.why_not_tradable() is not None)


@pytest.mark.parametrize(
    ("fields", "price", "source"),
    [
        ({}, "168.42", PriceSource.LAST),
        ({"last_is_close": True}, "168.42", PriceSource.CLOSE),
        ({"last": None, "mark": D("168.4"), "bid": D(1), "ask": D(3)}, "168.4", PriceSource.MARK),
        ({"last": D(0), "bid": D("40.70"), "ask": D("41.11")}, "40.905", PriceSource.MIDDLE),
        ({"last": None, "bid": D("40.70"), "prior_close": D(40)}, "40", PriceSource.CLOSE),
        ({"last": None, "bid": D(0), "ask": D(41), "prior_close": D(40)}, "40", PriceSource.CLOSE),
        ({"last": None, "close": D(39)}, "39", PriceSource.CLOSE),
    ],
)
def test_the_best_price_is_shown_with_where_it_comes_from(fields, price, source):
    """A closed market has no last price, and zero is nobody's price."""
    assert quote(**fields).display_price() == ShownPrice(price=D(price), source=source)


def test_without_any_price_none_is_shown():
    """Never zero: a host would divide by it or buy for it."""
    assert quote(last=None).display_price() is None
    assert quote(last=D(0), bid=D(0), ask=D(0)).display_price() is None
