"""Whatever JSON comes where accounts are read: a value, or one of the library's own errors."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from witnesses import any_json

from ibkr_adapter.errors import IBKRError
from ibkr_adapter.wire import (
    advisers,
    alerts,
    allocation,
    balances,
    catalogue,
    forecast,
    notices,
    performance,
    watchlists,
)
from thoroughly import ALL

EXAMPLES = 150 if ALL else 15
WORDS = (
    "accounts data items allocations long conid legs id dates nav included instruments user_lists order_id"
    " conditions ID E name categories markets users entity rpnl transactions bondFilters schedules contracts total DU1"
)
KEYS = st.sampled_from(WORDS.split())
ANY = any_json(KEYS, widest=(3, 4), leaves=12)
READERS = [
    lambda content: balances.read_figures(content, "GET /x"),
    lambda content: balances.read_market_values(content, "GET /x"),
    allocation.read_allocation,
    allocation.read_analysis,
    allocation.read_combos,
    allocation.read_found_accounts,
    allocation.read_owners,
    lambda content: performance.read_performance(content, "1M").table().records(),
    lambda content: performance.read_all_periods(content).table().records(),
    performance.read_transactions,
    alerts.read_alerts,
    alerts.read_alert,
    watchlists.read_watchlists,
    watchlists.read_watchlist,
    notices.read_unread,
    notices.read_kinds,
    notices.read_disclaimer,
    notices.read_delivery,
    notices.read_notices,
    advisers.read_sub_accounts,
    advisers.read_groups,
    advisers.read_group,
    forecast.read_categories,
    forecast.read_market,
    forecast.read_details,
    forecast.read_event_rules,
    forecast.read_event_hours,
    catalogue.read_listed_shares,
    catalogue.read_bond_filters,
    catalogue.read_venues,
    catalogue.read_login,
]


@pytest.mark.parametrize("read", READERS)
@settings(max_examples=EXAMPLES)
@given(content=ANY)
def test_any_answer_is_a_value_or_an_error_of_ours(read, content):
    """A host that handles IBKRError has handled them all."""
    with contextlib.suppress(IBKRError):
        read(content)
