"""The notebooks as web pages, looked at in a real browser: sound, readable on a phone, and alone in the world."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from looks import IN_A_BROWSER, look
from webdriver import served

pytestmark = IN_A_BROWSER

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="session")
def pages() -> Iterator[str]:
    """Where the notebooks are served, after they were run."""
    folder = os.environ.get("IBKR_TESTS_PAGES")
    if folder is None:
        pytest.skip("the notebooks are not here as pages: `make docs` writes them and runs these tests")
    with served(Path(folder).resolve()) as url:
        yield url


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_sound_and_readable(pages, window, name):
    """No errors in the console, no word to others, no reading sideways, no tiny letters."""
    look(window, f"{pages}{name}.html", name)
