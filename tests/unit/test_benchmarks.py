"""The benchmarks can be started: nothing else runs them, and they use rooms that move."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
# Runs in an environment of its own, where the client that is compared is installed.
ELSEWHERE = {"__init__", "faults_ibind"}
NAMES = sorted({path.stem for path in FOLDER.glob("*.py")} - ELSEWHERE)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_finds_all_that_it_measures(name):
    """Importing one does nothing, so it costs nothing to look."""
    assert importlib.import_module(f"tests.benchmarks.{name}").__doc__


def test_there_are_benchmarks():
    assert len(NAMES) >= 8
