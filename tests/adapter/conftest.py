from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import LOGINS, World

from ibkr_adapter.exchange import IBKRExchange


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a module that says ``EVERY_LOGIN`` over all three logins."""
    if getattr(metafunc.module, "EVERY_LOGIN", False) and "login" in metafunc.fixturenames:
        metafunc.parametrize("login", LOGINS, indirect=True)


@pytest.fixture
def login(request: pytest.FixtureRequest) -> str:
    """The gateway's, where a module does not ask for all three (see above)."""
    return str(getattr(request, "param", "gateway"))


@pytest.fixture
def world(tmp_path: Path, login: str) -> Iterator[World]:
    made = World(tmp_path, login)
    yield made
    made.close()


@pytest.fixture
def ibkr(world: World) -> IBKRExchange:
    return world.exchange()
