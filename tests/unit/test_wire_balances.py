"""The tables of texts that the brokerage session has for balances, in every form that was seen."""

from __future__ import annotations

from decimal import Decimal

import pytest
from witnesses import documented, recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import balances

recorded = recorded_in("accounts")
WHERE = "GET /iserver/account/{accountId}/summary/balances"


def figures(content):
    return {(row.segment, row.name): row for row in balances.read_figures(content, WHERE)}


def test_an_amount_is_taken_apart_from_its_currency():
    """A text for the eye becomes a number that adds up."""
    (figure,) = figures({"total": {"cash": "-401,693 USD"}}).values()

    assert (figure.amount, figure.currency, figure.text) == (Decimal(-401693), "USD", "-401,693 USD")


@pytest.mark.parametrize("word", ["n/a", "Unlimited", "@ 16:00:00"])
def test_a_word_is_kept_and_is_no_amount(word):
    """Unlimited day trades are not 0 of them."""
    (figure,) = figures({"total": {"day_trades_left": word}}).values()

    assert (figure.amount, figure.currency, figure.text) == (None, None, word)


def test_a_bare_number_has_no_currency():
    """The leverage is a ratio."""
    (figure,) = figures({"securities": {"leverage": "1.01"}}).values()

    assert (figure.amount, figure.currency) == (Decimal("1.01"), None)


@pytest.mark.parametrize("nothing", [None, "", [], {"a": 1}])
def test_what_is_no_text_is_missing(nothing):
    """Never 0."""
    (figure,) = figures({"total": {"cash": nothing}}).values()

    assert (figure.amount, figure.text) == (None, "")


def test_a_json_number_is_shown_as_it_came():
    (figure,) = figures({"total": {"cash": 5}}).values()

    assert (figure.amount, figure.text) == (Decimal(5), "5")


def test_market_values_have_the_currency_of_their_segment():
    """The sum of all is in the base currency and is told apart from it."""
    found = balances.read_market_values(
        {
            "EUR": {"stock": "194", "Exchange Rate": "1.092525"},
            "Total (in USD)": {"stock": "30,615"},
        },
        WHERE,
    )

    assert [(row.segment, row.name, row.amount, row.currency) for row in found] == [
        ("EUR", "stock", Decimal(194), "EUR"),
        ("EUR", "Exchange Rate", Decimal("1.092525"), None),
        ("total", "stock", Decimal(30615), "USD"),
    ]


@pytest.mark.parametrize("broken", [[], "x", {"total": "5"}])
def test_what_is_no_table_is_an_error(broken):
    with pytest.raises(UnexpectedAnswer):
        balances.read_figures(broken, WHERE)


@pytest.mark.recorded
def test_recorded_and_documented_tables_are_read_whole():
    """Every key of every example, and each amount with the currency behind it."""
    tables = [
        recorded("conduit-GET-account-summary-available-funds.json"),
        *documented("GET_iserver_account_accountId_summary_margins.json").values(),
        *documented("GET_iserver_account_accountId_summary_available_funds.json").values(),
        *documented("GET_iserver_account_accountId_summary_balances.json").values(),
    ]

    for table in tables:
        found = figures(table)
        assert len(found) == sum(len(part) for part in table.values())
        assert all(row.amount is not None for row in found.values() if row.text.endswith(" USD"))


@pytest.mark.recorded
def test_recorded_market_values():
    found = balances.read_market_values(recorded("conduit-GET-account-summary-market-value.json"), WHERE)

    assert {row.currency for row in found} == {"USD"}
    assert found[0].amount == Decimal(971870)
