from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import LOGINS, World

from ibkr_adapter.exchange import IBKRExchange
from thoroughly import ALL, leave_out


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a module that says ``EVERY_LOGIN`` over all three logins."""
    if getattr(metafunc.module, "EVERY_LOGIN", False) and "login" in metafunc.fixturenames:
        metafunc.parametrize("login", LOGINS, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take a tenth of a module that says ``SAMPLED`` over the OAuth logins, unless all is asked for."""
    if ALL:
        return
    left, count = [], 0
    for item in sorted(items, key=lambda item: item.nodeid):
        login = getattr(item, "callspec", None) and item.callspec.params.get("login")
        if getattr(item.module, "SAMPLED", False) and login not in {None, "gateway"}:  # type: ignore[attr-defined]
            count += 1
            if count % 10:
                left.append(item)
    leave_out(config, items, left)


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
