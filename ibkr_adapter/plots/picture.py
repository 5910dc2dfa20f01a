"""The figure that all plots are drawn on; the one room that imports matplotlib when it is loaded.

It belongs to nobody but its caller: pyplot's list of open figures does not know it, so nothing has
to be closed and no window is opened.
"""

from __future__ import annotations

import io

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

__all__ = ["AutoDateLocator", "ConciseDateFormatter", "FuncFormatter", "MaxNLocator", "Picture", "date2num"]


class Picture(Figure):
    """A figure that a notebook shows although pyplot has not made it."""

    def _repr_png_(self) -> bytes:
        written = io.BytesIO()
        self.savefig(written, format="png", dpi=100)
        return written.getvalue()
