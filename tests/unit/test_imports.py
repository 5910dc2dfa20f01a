"""Naming the exchange costs little: what is heavy is loaded when it is first used."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = [
    "requests",
    "urllib3",
    "jwt",
    "cryptography",
    "websocket",
    "cachetools",
    "tenacity",
    "sqlite3",
    "aiohttp",
]


def test_importing_the_exchange_loads_no_heavy_library():
    """A host with thirty exchanges imports them all; a test of this very process would prove nothing."""
    program = (
        "import json, sys; from ibkr_adapter import IBKRExchange;"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )

    ran = subprocess.run(  # noqa: S603  (our own interpreter)
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert json.loads(ran.stdout) == []
    assert ran.stderr == ""


def test_importing_the_exchange_loads_no_room_that_only_calls_need():
    """Finding instruments is much code, and a host may never ask."""
    program = (
        "import sys; from ibkr_adapter import IBKRExchange;"
        "print([name for name in sys.modules if name.startswith("
        "('ibkr_adapter.discovery', 'ibkr_adapter.conids', 'ibkr_adapter.model.names', 'pandas'))])"
    )

    ran = subprocess.run(  # noqa: S603  (our own interpreter)
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.strip() == "[]"
