from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import World

from ibkr_adapter.exchange import IBKRExchange


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ibkr(world: World) -> IBKRExchange:
    return world.exchange()
