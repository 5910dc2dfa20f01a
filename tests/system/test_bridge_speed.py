"""What the bridge adds to a call over a pipe, held loosely: the benchmark has the figures, this has what would spoil them."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from benchmarks.bridge import Pipe, measured

# Milliseconds. A pause, or a wait for the other side to confirm, would take far more; a machine that is busy with
# something else does not, in the quickest tenth. Behind a login that hangs a call would wait for fifteen seconds.
AT_MOST, CROWD_AT_MOST = 10.0, 14_000.0


def test_a_call_costs_next_to_nothing_and_waits_for_nobodys_login(tmp_path):
    """Fifty at once, while twenty calls of another user hang at a broker that never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1/api"

        found = measured(Pipe, {"base_url": address, "state_dir": str(tmp_path)}, rounds=100, crowds=3)

    assert found.tenth < AT_MOST
    assert found.running > 0
    assert max(found.alone, found.beside) < CROWD_AT_MOST
