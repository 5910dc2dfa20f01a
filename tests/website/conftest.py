from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("looks", "webdriver")

from looks import DESK, PHONE  # noqa: E402  (its assertions are told in full)
from webdriver import Browser, browser, served  # noqa: E402  (same)


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


@pytest.fixture(scope="module", params=[PHONE, DESK], ids=["phone", "desk"])
def window(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A phone, and a screen on a desk."""
    with browser(width=request.param, height=740 if request.param == PHONE else 900) as opened:
        yield opened
