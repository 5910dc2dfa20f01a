"""The text of a combination goes out and comes back, and no spread contract is ever guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import ConfigurationError, InvalidOrder
from ibkr_adapter.wire.combos import (
    SPREAD_CONIDS,
    Conidex,
    read_conidex,
    spread_conid,
    write_conidex,
)

CONIDS = st.integers(1, 2_147_483_646)
LEGS = st.lists(st.tuples(CONIDS, st.integers(-999, 999).filter(bool)), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("conid", "exchange", "legs", "text"),
    [
        (28812380, None, [(756733, 1), (320227571, -1)], "28812380;;;756733/1,320227571/-1"),
        (28812380, None, [(497222760, 1), (495512552, -1)], "28812380;;;497222760/1,495512552/-1"),
        (58666491, "SMART", [(1, 3), (2, -2)], "58666491@SMART;;;1/3,2/-2"),
    ],
)
def test_a_combination_is_written_as_published(conid, exchange, legs, text):
    """The dollar's contract stands alone, every other has its exchange behind it."""
    assert write_conidex(conid, exchange, legs) == text


@given(conid=CONIDS, exchange=st.none() | st.from_regex(r"\A[A-Z0-9.]{1,20}\Z"), legs=LEGS)
def test_what_is_written_is_read_back(conid, exchange, legs):
    """Lookups and closes rest on the legs that a row brings back."""
    assert read_conidex(write_conidex(conid, exchange, legs)) == Conidex(
        spread_conid=conid, exchange=exchange, legs=tuple(legs)
    )


def test_a_ratio_may_come_back_with_its_sign():
    assert read_conidex(" 28812380;;;1/+1,2/-3 ").legs == ((1, 1), (2, -3))


@pytest.mark.parametrize(
    "written",
    [
        None,
        5,
        "",
        "265598",
        "265598@ARCA",
        "28812380;;;",
        "28812380;;;1",
        "28812380;;;1/1,",
        "x;;;1/1",
        "1;;2/1",
    ],
)
def test_a_single_contract_is_no_combination(written):
    """Most rows name one."""
    assert read_conidex(written) is None


@pytest.mark.parametrize("exchange", ["", "smart", "A B", "X;;;1/1", "A" * 21])
def test_what_is_no_exchange_never_gets_into_the_text(exchange):
    with pytest.raises(InvalidOrder, match="is no exchange; nothing was sent"):
        write_conidex(1, exchange, [(1, 1)])


def test_every_published_currency_has_its_own_contract():
    assert len(SPREAD_CONIDS) == len(set(SPREAD_CONIDS.values())) == 13
    assert spread_conid("USD", {}) == 28812380
    assert spread_conid("AUD", {}) == 61227077


def test_the_euro_has_none_and_that_of_the_australian_dollar_is_not_taken_for_it():
    """It is told so in more than one place."""
    with pytest.raises(
        InvalidOrder, match=r"no spread contract for EUR \(61227077.* is that of AUD\)"
    ) as refused:
        spread_conid("EUR", {})

    assert "spread_conids" in refused.value.remedy
    with pytest.raises(ConfigurationError, match="gives 61227077 for EUR, which is that of AUD"):
        spread_conid("EUR", {"EUR": 61227077})


def test_settings_add_to_the_table_and_go_before_it():
    assert spread_conid("EUR", {"EUR": 12345}) == 12345
    assert spread_conid("USD", {"USD": 54321}) == 54321
    assert spread_conid("AUD", {"AUD": 61227077}) == 61227077


def test_other_currencies_are_refused_without_the_story():
    with pytest.raises(InvalidOrder, match="publishes no spread contract for NOK, so"):
        spread_conid("NOK", {})
