"""The wheel on each Python that is here: installed fresh, tried as a person does, and given the tests.

The tests are those of the source archive, so they find no code but the installed one. What a Python changes
shows in any of them, so every twentieth is enough: what is in the wheel is the checkout's own (``test_archives.py``),
which gets them all. ``IBKR_TESTS_ALL=1 make packages`` gives them all to each Python.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from clean import ROOT, run

from interpreters import claimed, found

EVERY = 20
DEVELOPMENT = ("--group", f"{ROOT / 'pyproject.toml'}:dev")


@pytest.fixture
def python(version, environment) -> Path:
    """A clean environment of that Python."""
    return environment("simulator", "cli", version=version, also=DEVELOPMENT)


def test_the_demonstration_runs_from_the_wheel(version, python, tmp_path):
    """What a newcomer sees first, by the command that was installed."""
    done = run(python.with_name("ibkr-adapter"), "demo", "--json", cwd=tmp_path)
    said = run(python, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["webhooks"]) == 4
    assert said.stdout.strip() == version


def test_the_wheel_is_found_by_what_it_is_registered_as(version, python):
    """By the command, as a module, and as an exchange among others."""
    program = (
        "from importlib.metadata import entry_points as e; print([p.load().name for p in e(group='{}')])"
    )

    command = run(python.with_name("ibkr-adapter"), "--version")
    module = run(python, "-I", "-m", "ibkr_adapter", "--version")
    exchanges = run(python, "-I", "-c", program.format("ibkr_adapter.exchanges"))

    assert command.stdout.startswith("ibkr-adapter ")
    assert module.stdout == command.stdout
    assert exchanges.stdout.strip() == "['ibkr']"


def test_the_tests_of_the_source_archive_pass_on_the_wheel(version, python, unpacked):
    """With warnings as errors, so what a later Python takes away is noticed."""
    share = {"IBKR_TESTS_ALL": "1"} if "IBKR_TESTS_ALL" in os.environ else {"IBKR_TESTS_EVERY": str(EVERY)}
    done = run(
        *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"),
        cwd=unpacked,
        env={"PATH": os.environ["PATH"], "HOME": str(unpacked), **share},
        timeout=900,
    )

    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


@pytest.mark.parametrize("absent", [each for each in claimed() if each not in found()] or [None])
def test_a_python_that_is_not_here_finds_all_that_it_needs(absent, wheel, tmp_path):
    """Nothing can be run on it, but that there are wheels of everything for it can be seen."""
    if absent is None:
        pytest.skip("every Python that the project claims is here")
    done = run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
        *("--python-version", absent, "--only-binary=:all:", "--target", tmp_path, f"{wheel}[all]"),
    )

    assert done.returncode == 0, done.stderr
