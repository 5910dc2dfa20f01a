"""Previews: prose into figures, and nothing guessed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.model.preview import Notice, Preview, Shift
from ibkr_adapter.wire.whatif import read_whatif

RECORDED = Path(__file__).parents[2].parent / "shared" / "recorded"
DOCUMENTED = {
    "amount": {"amount": "1,977.60 USD (10 Shares)", "commission": "1 USD", "total": "1,978.60 USD"},
    "equity": {"current": "123,456", "change": "-1", "after": "123,455"},
    "initial": {"current": "1000", "change": "652", "after": "1652"},
    "maintenance": {"current": "900", "change": '590""', "after": "1490"},
    "position": {"current": "20", "change": "10", "after": "30"},
    "warn": "21/You are trying to submit an order without having market data. \nIB strongly recommends against it.",
    "error": None,
}
# After the answer that a cash account was given.
CASH = {
    "amount": {"amount": "2 USD (0.0067 Shares)", "commission": "0.02 USD", "total": "2.02 USD"},
    "initial": None,
    "equity": None,
    "warn": "21/<b>Careful</b>",
    "warns": ["21/<b>Careful</b>", "7/And more", 5],
    "data": [{"N": "CURRENT_FUNDS", "V": ["100"]}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["amount", "equity", "initial", "position", "warn", "warns", "error", "total"])


def shift(*figures):
    current, change, after = (Decimal(figure) for figure in figures)
    return Shift(current=current, change=change, after=after)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_documented_answer_is_read(wrapped):
    """Commas, units and the size in brackets; also as a list of one, and with a broken figure."""
    preview = read_whatif([DOCUMENTED] if wrapped else DOCUMENTED)

    assert (preview.amount, preview.currency, preview.quantity) == (Decimal("1977.60"), "USD", 10)
    assert (preview.commission, preview.commission_currency) == (1, "USD")
    assert (preview.total, preview.total_currency) == (Decimal("1978.60"), "USD")
    assert preview.equity == shift(123456, -1, 123455)
    assert preview.initial_margin == shift(1000, 652, 1652)
    assert preview.maintenance_margin == shift(900, 590, 1490)
    assert preview.position == shift(20, 10, 30)
    assert [notice.code for notice in preview.warnings] == ["21"]
    assert preview.warnings[0].text.endswith("market data. IB strongly recommends against it.")
    assert preview.would_be_taken


def test_what_did_not_come_is_missing_and_not_nothing():
    """A cash account has no margin."""
    preview = read_whatif(CASH)

    assert preview.initial_margin == preview.maintenance_margin == preview.position == Shift()
    assert preview.initial_margin.change is None
    assert (preview.quantity, preview.commission) == (Decimal("0.0067"), Decimal("0.02"))
    assert preview.warnings == (Notice(code="21", text="Careful"), Notice(code="7", text="And more"))


def test_a_refusal_is_told_with_whatever_else_came():
    preview = read_whatif({"error": "You have no trading permissions.", "amount": {"amount": "5 ... 7 USD"}})

    assert preview == Preview(refusal="You have no trading permissions.")
    assert not preview.would_be_taken


def test_a_warning_without_a_number_is_one():
    assert read_whatif({"warn": "The price exceeds 3%...", "warns": "more"}).warnings == (
        Notice(text="The price exceeds 3%..."),
        Notice(text="more"),
    )


@pytest.mark.parametrize("content", [None, [], [{}, {}], {}, "x", 5, {"order_id": "1"}, [5]])
def test_something_else_is_no_preview(content):
    with pytest.raises(UnexpectedAnswer, match="nothing was placed"):
        read_whatif(content)


@given(st.dictionaries(KEYS, JSON, max_size=5) | JSON)
def test_no_answer_brings_anything_but_a_preview_or_our_own_error(content):
    try:
        preview = read_whatif(content)
    except UnexpectedAnswer:
        return

    assert isinstance(preview, Preview)


@given(st.dictionaries(st.sampled_from(["amount", "commission", "total"]), JSON, max_size=3))
def test_no_sum_of_money_is_guessed(sums):
    preview = read_whatif({"amount": sums})

    assert all(figure is None or figure.is_finite() for figure in (preview.amount, preview.total))


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded answers beside the checkout")
def test_the_recorded_answer_is_read():
    """What a paper account was answered: no position in it, and a warning without a number."""
    found = json.loads((RECORDED / "orders" / "conduit-POST-whatif-order.json").read_text())

    preview = read_whatif(found["body"])

    assert (preview.amount, preview.quantity, preview.commission) == (1, 1, Decimal("0.01"))
    assert preview.equity == shift(1006413, 163, 1006576)
    assert preview.position == Shift()
    assert preview.warnings[0].code is None
    assert preview.would_be_taken


@pytest.mark.recorded
@pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded answers beside the checkout")
def test_the_example_of_the_interface_description_is_read():
    name = "POST_iserver_account_accountId_orders_whatif.json"
    found = json.loads((RECORDED / "documented-examples" / name).read_text())

    preview = read_whatif(found["responses"]["200"]["orderPreview"])

    assert preview.maintenance_margin == shift(900, 590, 1490)
    assert preview.warnings[0].code == "21"
