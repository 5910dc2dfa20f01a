"""The page of the commands says what the commands say of themselves: names, options, exit codes."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path

import pytest
import typer

from ibkr_adapter.cli import INTERRUPTED, WRONG_USAGE, codes
from ibkr_adapter.cli.commands import app
from ibkr_adapter.cli.doctor.steps import Stage

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
if not PAGE.is_file():
    pytest.skip(
        "the documentation is not here: these are the tests of a built wheel", allow_module_level=True
    )
TEXT = PAGE.read_text("utf-8")
PAGES = [PAGE.parents[1] / "README.md", PAGE.parents[1] / "SECURITY.md", *sorted(PAGE.parent.rglob("*.md"))]
# What people are told to type, on every page.
TYPED = sorted(
    {
        found[1].partition(" #")[0].strip()
        for page in PAGES
        for found in re.finditer(r"^ *\$ (?:\S*/)?ibkr-adapter (.+)$", page.read_text("utf-8"), re.MULTILINE)
    }
)


@functools.cache
def application() -> typer.core.TyperGroup:
    return typer.main.get_command(app)


def commands() -> dict[str, typer.core.TyperCommand]:
    found = {}
    for name, command in application().commands.items():
        if hasattr(command, "commands"):
            found |= {f"{name} {below}": each for below, each in command.commands.items()}
        else:
            found[name] = command
    return found


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `([^`]+)`[^|]* \| (.+) \|$", text, re.MULTILINE))


def test_every_command_has_its_row_and_every_row_its_command():
    """Nobody uses what nobody can find, or finds what is not there."""
    table = TEXT.partition("## Exit codes")[0]

    assert rows(table).keys() == commands().keys()


def test_every_option_that_the_page_names_is_one():
    """A renamed option must not live on in the documentation."""
    known = {"--help", "--install-completion", "--version"} | {
        option
        for command in commands().values()
        for each in command.params
        for option in (*each.opts, *each.secondary_opts)
    }

    assert set(re.findall(r"--[a-z][a-z-]*", TEXT)) - known == set()


def test_every_exit_code_has_its_row():
    """They are promises."""
    table = TEXT.partition("## Exit codes")[2].partition("## Orders")[0]
    told = {"0", str(codes.FAILED), str(WRONG_USAGE), str(codes.UNKNOWN)}
    told |= {str(codes.PARTLY), str(codes.UNCONFIRMED), str(INTERRUPTED), str(min(Stage).value)}

    assert rows(table).keys() == told
    assert f"`{max(Stage).value}`" in table


def test_every_stage_of_the_doctor_has_its_row():
    """The code is what a program sees first."""
    found = dict(re.findall(r"^\| `(\d\d)` \| ([^|]+) \|", TEXT.partition("## doctor")[2], re.MULTILINE))

    assert found == {str(stage.value): stage.title for stage in Stage}


@pytest.mark.parametrize("name", commands())
def test_every_command_explains_itself(name):
    """Its help is a success, and each of its options says what it is for."""
    command = commands()[name]
    told = command.get_help(typer.Context(command, info_name=name))
    unexplained = [
        each.name
        for each in commands()[name].params
        if not getattr(each, "help", None) and each.name != "help"
    ]

    assert "Usage:" in told
    assert unexplained == []


@pytest.mark.parametrize(
    "name", [name for name in commands() if name not in {"demo", "simulator", "bridge", "oauth1a authorize"}]
)
def test_json_is_everywhere(name):
    """What a person can see a program can read."""
    options = {option for each in commands()[name].params for option in each.opts}

    assert "--json" in options
    assert "--simulated" in options or name in {"oauth1a keys", "gateway"}


@pytest.mark.parametrize("line", TYPED)
def test_what_people_are_told_to_type_is_understood(line):
    """A page that is wrong in its first lines is not read on."""
    words = shlex.split(line)
    command = application()
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]

    assert command.make_context("told", words) is not None


def test_the_first_steps_are_on_the_pages():
    """Otherwise the test above would be content with nothing."""
    assert {"gateway", "doctor", "status", "quote AAPL MSFT", "buy AAPL 1"} <= set(TYPED)
