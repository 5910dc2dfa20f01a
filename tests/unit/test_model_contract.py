"""A contract cannot exist without an id, and a kind that nobody knows hides nothing."""

from __future__ import annotations

import pickle
from decimal import Decimal

import attrs
import pytest

from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.instrument import Candidate
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.model.ticks import TickStep

D = Decimal
CENTS = (TickStep(lower_edge=D(0), increment=D("0.01")),)


def test_an_unknown_kind_of_instrument_stops_nothing():
    """A new asset class must not hide the positions that are listed with it."""
    assert SecType("STK") is SecType.STOCK
    assert SecType(" stk ") is SecType.STOCK
    assert SecType("XYZ") is SecType(None) is SecType(10**6000) is SecType.UNKNOWN
    assert SecType.STOCK == "STK"


def test_a_candidate_says_what_to_write_to_mean_it():
    """A form with a colon would be cut by hosts, and bare digits could be a ticker."""
    candidate = Candidate(conid=273982664, symbol="AAPL", name="APPLE INC", exchange="EBS")

    assert candidate.write == candidate.for_host == "273982664@SMART"
    assert attrs.evolve(candidate, spelling="@ES").for_host == "@ES"
    named = attrs.evolve(candidate, spelling="STK:ES")
    assert (named.write, named.for_host) == ("STK:ES", "273982664@SMART")


@pytest.mark.parametrize("change", [{"conid": 0}, {"conid": -1}, {"multiplier": D(0)}])
def test_a_contract_cannot_exist_without_an_id_or_worth_nothing(change):
    """A conid of -1 means all orders to some endpoints."""
    given_parts = {"conid": 265598, "symbol": "AAPL", "sec_type": SecType.STOCK} | change

    with pytest.raises(ValueError, match="must be > 0"):
        Contract(**given_parts)


def test_values_are_frozen_and_survive_a_pickle():
    """Other processes and caches keep what was read, and nobody changes it."""
    contract = Contract(conid=265598, symbol="AAPL", sec_type=SecType.STOCK, ticks=CENTS)
    rules = Rules(conid=265598, ticks=CENTS)

    assert pickle.loads(pickle.dumps((contract, rules))) == (contract, rules)  # noqa: S301  (our own bytes)
    assert len({contract, rules}) == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        contract.conid = 1
