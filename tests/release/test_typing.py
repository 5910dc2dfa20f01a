"""Types as those see them who have installed the package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from clean import run

pytestmark = pytest.mark.xdist_group("core")
CONSUMER = Path(__file__).with_name("consumer.py")


def check(python: Path, folder: Path):
    """Have a program checked in a folder of its own, where nothing of the checkout is found."""
    shutil.copy(CONSUMER, folder)
    return run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", folder / "cache"),
        *("--python-executable", python, CONSUMER.name),
        cwd=folder,
    )


def test_a_strict_program_is_checked_against_what_is_installed(environment, tmp_path):
    """What is right passes, and each of its wrong lines is found: ``py.typed`` is there and says the truth."""
    done = check(environment(), tmp_path)

    assert (done.stdout, done.returncode) == ("Success: no issues found in 1 source file\n", 0)


def test_the_check_would_notice_that_types_are_missing(environment, tmp_path):
    """The marker gone, the same program fails: the check above rests on it."""
    python = environment()
    marker = next(python.parents[1].rglob("ibkr_adapter/py.typed"))
    away = marker.with_name("away")
    marker.rename(away)
    try:
        done = check(python, tmp_path)
    finally:
        away.rename(marker)

    assert done.returncode == 1
    assert "py.typed" in done.stdout
