"""Naming the exchange costs little: what is heavy is loaded when it is first used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import ibkr_adapter
from ibkr_adapter import IBKRExchange, errors

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


def test_a_command_begins_before_anything_is_loaded():
    """What it says of an interruption while it loads can only be said by what is there already."""
    program = (
        "import sys; import ibkr_adapter.cli;"
        "print([name for name in sys.modules if name.startswith('ibkr_adapter')])"
    )

    ran = subprocess.run(  # noqa: S603  (our own interpreter)
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.strip() == "['ibkr_adapter', 'ibkr_adapter.cli']"


def test_rooms_are_found_by_their_package():
    """Whoever wrote ``import ibkr_adapter`` goes on from there; what is not there is named."""
    assert ibkr_adapter.IBKRExchange is IBKRExchange
    assert ibkr_adapter.errors is errors
    assert {"IBKRExchange", "Settings", "__version__"} <= set(dir(ibkr_adapter))
    for name in ("no_such_room", "_no_such_room"):
        with pytest.raises(AttributeError, match=name):
            getattr(ibkr_adapter, name)


def test_a_room_that_misses_something_says_what(monkeypatch):
    """That must not look as if the room were not there."""
    monkeypatch.delitem(sys.modules, "ibkr_adapter.tls", raising=False)
    monkeypatch.delattr(ibkr_adapter, "tls", raising=False)
    monkeypatch.setitem(sys.modules, "attrs", None)

    with pytest.raises(ModuleNotFoundError, match="attrs"):
        _ = ibkr_adapter.tls


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
