"""The desks beside trading, of which one world has one each.

Who an account is, what it was worth, what its user wants to be told, and how an advisor splits
things: none of them sends an order, and none knows another.
"""

from __future__ import annotations

from ibkr_adapter.simulator.routes import Route
from ibkr_adapter.simulator.serve_alerts import AlertEndpoints
from ibkr_adapter.simulator.serve_allocation import AllocationEndpoints
from ibkr_adapter.simulator.serve_forecasts import ForecastEndpoints
from ibkr_adapter.simulator.serve_fyi import FyiEndpoints
from ibkr_adapter.simulator.serve_models import ModelEndpoints
from ibkr_adapter.simulator.serve_people import PeopleEndpoints
from ibkr_adapter.simulator.serve_performance import PerformanceEndpoints
from ibkr_adapter.simulator.serve_watchlists import WatchlistEndpoints
from ibkr_adapter.simulator.world import World

_DESKS = (
    PeopleEndpoints,
    PerformanceEndpoints,
    AlertEndpoints,
    WatchlistEndpoints,
    FyiEndpoints,
    AllocationEndpoints,
    ModelEndpoints,
    ForecastEndpoints,
)


def routes_beside_trading(world: World) -> list[Route]:
    """The endpoints of all of them, for one world."""
    return [route for desk in _DESKS for route in desk(world).routes()]
