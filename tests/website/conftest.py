from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from webdriver import served


@pytest.fixture(scope="session")
def site() -> Path:
    """The built documentation."""
    told = os.environ.get("IBKR_TESTS_SITE")
    if told is None:
        pytest.skip("there is no built site here: `make docs` builds one and runs these tests on it")
    return Path(told).resolve()


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    with served(site) as url:
        yield url
