"""Rates and pairs: a missing rate is not 1, and a pair has one direction."""

from __future__ import annotations

from decimal import Decimal

import pytest
from witnesses import recorded_in

from ibkr_adapter.errors import UnexpectedAnswer
from ibkr_adapter.wire import forex

recorded = recorded_in("contracts")
EUR_USD = {"symbol": "EUR.USD", "conid": 12087792, "ccyPair": "EUR"}


def test_a_rate_is_read():
    assert forex.read_rate({"rate": Decimal("0.86656614")}) == Decimal("0.86656614")


@pytest.mark.parametrize(
    "content", [None, [], 5, {}, {"rate": None}, {"rate": 0}, {"rate": -1}, {"rate": "NaN"}]
)
def test_a_rate_that_did_not_come_is_never_guessed(content):
    """A size in dollars would be computed with it."""
    with pytest.raises(UnexpectedAnswer, match="none was guessed") as raised:
        forex.read_rate(content)

    assert raised.value.endpoint == forex.RATE


def test_a_pair_says_what_is_bought_and_what_pays():
    """The key under which it is listed may be either of the two."""
    (pair,) = forex.read_pairs({"EUR": [EUR_USD]})

    assert (pair.conid, pair.base, pair.quote, pair.symbol) == (12087792, "EUR", "USD", "EUR.USD")
    assert forex.read_pairs({"EUR": [EUR_USD], "USD": [EUR_USD]}) == (pair,)


@pytest.mark.parametrize("row", [{}, {"symbol": "GOLD", "conid": 5}, {"symbol": "EUR.USD"}])
def test_what_is_no_pair_is_left_out(row):
    """Another product in the list is not what anybody converts."""
    assert forex.read_pairs({"USD": [row, EUR_USD]})[0].symbol == "EUR.USD"


@pytest.mark.parametrize("content", [None, [], 5, {"USD": 5}, {"USD": [5]}])
def test_other_shapes_are_refused(content):
    with pytest.raises(UnexpectedAnswer) as raised:
        forex.read_pairs(content)

    assert raised.value.endpoint == forex.PAIRS


@pytest.mark.recorded
def test_recorded_rate_and_pairs():
    pairs = {
        pair.symbol: pair.conid for pair in forex.read_pairs(recorded("conduit-GET-currency-pairs.json"))
    }

    assert forex.read_rate(recorded("conduit-GET-exchangerate.json")) == Decimal("0.86656614")
    assert pairs["EUR.USD"] == 12087792
    assert pairs["USD.JPY"] == 15016059
