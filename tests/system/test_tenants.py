"""Users of one process share threads and files, and nobody's trouble is another one's."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from thoroughly import ALL

sys.path.append(str(Path(__file__).parents[1]))
from benchmarks.tenants import TROUBLES, run

# A thousand take some minutes, and are for the benchmark.
USERS = 100 if ALL else 12
EVERY = 20 if len(TROUBLES) * 20 < USERS else 2


@pytest.mark.timeout(900)
def test_all_kinds_of_trouble_touch_nobody_else(tmp_path, caplog):
    """The others log in, trade, are kept alive, go idle without being logged out, come back and close."""
    # A record that is kept keeps the error in it, and that the frames of the session it met.
    caplog.set_level(logging.CRITICAL, logger="ibkr_adapter")

    report = run(USERS, str(tmp_path), first_port=40_000, every=EVERY)

    assert report.wrong == []
    assert report.opened == USERS - report.troubled
    assert report.troubled >= len(TROUBLES)
    assert report.threads <= 3
    assert (report.open_when_idle, report.connections_left, report.logouts) == (0, 0, 0)
