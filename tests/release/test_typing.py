"""Types as those see them who have installed the package."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from clean import ROOT, run

from docs_pages import blocks

pytestmark = pytest.mark.xdist_group("core")
CONSUMER = Path(__file__).with_name("consumer.py")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def check(python: Path, folder: Path, programs: Iterable[Path] = (CONSUMER,)):
    """Have programs checked in a folder of its own, where nothing of the checkout is found."""
    named = [Path(shutil.copy(program, folder)).name for program in programs]
    return run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", folder / "cache"),
        *("--python-executable", python, *named),
        cwd=folder,
    )


def test_a_strict_program_is_checked_against_what_is_installed(environment, tmp_path):
    """What is right passes, and each of its wrong lines is found: ``py.typed`` is there and says the truth."""
    done = check(environment(), tmp_path)

    assert (done.stdout, done.returncode) == ("Success: no issues found in 1 source file\n", 0)


def test_what_people_copy_passes_a_strict_check(environment, tmp_path):
    """Examples and blocks of the documentation are the beginnings of programs, some of them strict ones."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for block in blocks("python"):
        name = f"{re.sub(r'[^a-z0-9]+', '_', block.page.lower())}_{block.line}.py"
        (pages / name).write_text(block.code, "utf-8")
    programs = [*EXAMPLES, *sorted(pages.iterdir())]

    done = check(environment(), tmp_path, programs)

    assert len(programs) > len(EXAMPLES) > 10
    assert (done.stdout, done.returncode) == (
        f"Success: no issues found in {len(programs)} source files\n",
        0,
    )


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
