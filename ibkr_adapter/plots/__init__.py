"""Pictures of what the library tells: price history, option chains, profit, price ladders.

Each function takes values as they came and returns a matplotlib ``Figure`` that draws itself in a
notebook and is saved with ``figure.savefig("name.png")``. None opens a window, and none touches
pyplot. matplotlib, the extra ``plot``, is loaded by the first picture.
"""

from ibkr_adapter.plots.depth import plot_depth
from ibkr_adapter.plots.history import plot_history
from ibkr_adapter.plots.options import plot_chain, plot_smile
from ibkr_adapter.plots.profit import plot_profit

__all__ = ["plot_chain", "plot_depth", "plot_history", "plot_profit", "plot_smile"]
