"""What the package says of itself: one version, whose change is told, and extras that exist."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib import metadata, resources
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

import ibkr_adapter
from ibkr_adapter.cli.commands import app

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE)

changelog = pytest.mark.skipif(
    not (ROOT / "CHANGELOG.md").is_file(), reason="the changelog is not here: these are a wheel's tests"
)


# One version ------------------------------------------------------------------------------


def test_the_version_stands_in_one_place():
    """Two places disagree one day; the build takes it out of the package."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["version"]

    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert build == {"path": "ibkr_adapter/__init__.py"}


def test_the_command_says_its_version():
    """The first thing that a report of a fault needs."""
    told = CliRunner().invoke(app, ["--version"])

    assert (told.exit_code, told.stdout) == (0, f"ibkr-adapter {ibkr_adapter.__version__}\n")


def test_what_is_installed_has_the_version_of_the_code():
    """Hosts and SBOMs read the metadata, programs the attribute."""
    assert metadata.version("ibkr-adapter") == ibkr_adapter.__version__


@changelog
def test_the_changelog_tells_of_this_version():
    """A version without its changes is one that nobody dares to take."""
    found = list(HEADING.finditer((ROOT / "CHANGELOG.md").read_text("utf-8")))
    released = [each for each in found if each["date"]]
    days = [date.fromisoformat(each["date"]) for each in released]

    assert found[0]["version"] == "Unreleased"
    assert released[0]["version"] == ibkr_adapter.__version__
    assert [each["version"] for each in found if not each["date"]] == ["Unreleased"]
    assert days == sorted(days, reverse=True)


@changelog
def test_the_readme_speaks_of_this_version():
    found = re.findall(r"In this version \((\d+\.\d+\.\d+)", (ROOT / "README.md").read_text("utf-8"))

    assert found == [ibkr_adapter.__version__]


# Types ------------------------------------------------------------------------------------


def test_type_checkers_are_told_that_there_are_types():
    """Without the marker all of it is ``Any`` to whoever uses it."""
    assert resources.files("ibkr_adapter").joinpath("py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["classifiers"]


# Extras -----------------------------------------------------------------------------------


def test_all_means_every_extra():
    """Who asks for all does not look for what was forgotten."""
    (everything,) = EXTRAS["all"]
    meant = Requirement(everything)

    assert meant.name == PROJECT["name"]
    assert meant.extras == EXTRAS.keys() - {"all"}


def test_an_extra_that_a_message_names_exists():
    """The remedy is copied into a shell; pip only warns about an extra that is none."""
    named = set()
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    for path in [*Path(ibkr_adapter.__file__).parent.rglob("*.py"), *filter(Path.is_file, pages)]:
        for found in re.findall(r"(?:ibkr-adapter|'\.|\"\.)\[([a-z0-9,-]+)\]", path.read_text("utf-8")):
            named |= set(found.split(","))

    assert {"simulator", "cli", "keyring", "pandas"} <= named
    assert named - EXTRAS.keys() == set()


def test_every_version_of_python_that_is_claimed_may_be_installed_on():
    """The oldest one is that of ``requires-python``, and none is left out in between."""
    claims = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if ":: Python :: 3." in each]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    minors = [int(each.partition(".")[2]) for each in claims]

    assert claims[0] == oldest
    assert minors == list(range(minors[0], minors[-1] + 1))
