"""Balances and positions keep apart what is nothing and what is unknown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ibkr_adapter.model.account import Account, AccountSummary, LedgerRow, PnlRow, Position
from ibkr_adapter.model.contract import SecType

D = Decimal


def position(**fields):
    parts = {"account_id": "DU1", "conid": 265598, "symbol": "AAPL", "sec_type": SecType.STOCK}
    return Position(**parts | {"quantity": D(3), "currency": "USD"} | fields)


@pytest.mark.parametrize(
    ("quantity", "flat"), [("3", False), ("-0.0001", False), ("0", True), ("0.0000", True)]
)
def test_a_position_is_flat_only_at_exactly_nothing(quantity, flat):
    """A fraction of a coin is still a position to close."""
    assert position(quantity=D(quantity)).is_flat is flat


@pytest.mark.parametrize("fields", [{"conid": 0}, {"conid": -1}, {"multiplier": D(0)}])
def test_a_position_cannot_exist_without_a_contract_or_worth_nothing(fields):
    with pytest.raises(ValueError, match="must be > 0"):
        position(**fields)


def test_the_sum_of_a_ledger_is_told_from_its_rows():
    """Whoever adds it to the others doubles the cash."""
    assert LedgerRow(currency="BASE").is_base
    assert not LedgerRow(currency="USD").is_base


def test_what_was_not_sent_is_none():
    """Unknown cash is not no cash, and an account not known to be paper may be live."""
    assert Account(account_id="U1").is_paper is None
    assert LedgerRow(currency="USD").cash is None
    assert AccountSummary(currency=None).available_funds is None
    assert PnlRow(account_id="U1", model="Core").daily is None
    assert position().market_price is None


def test_a_summary_does_not_print_all_it_has():
    """Its raw keys are a hundred lines, and name the account."""
    assert "U7654321" not in repr(AccountSummary(currency="USD", raw={"accountcode": "U7654321"}))
