"""A stream over real sockets whose server dies under load."""

from __future__ import annotations

from stream_restarts import survive
from thoroughly import ALL

# All twenty with IBKR_TESTS_ALL; python -m tests.benchmarks.streaming has them too.
RESTARTS = 20 if ALL else 2


def test_nothing_is_lost_or_told_twice_however_often_the_server_dies():
    """Orders and trades go on while nobody can hear of them, and end as they are booked."""
    wrong, gaps, trades = survive(RESTARTS)

    assert wrong == []
    assert gaps == RESTARTS
    assert trades > 20
