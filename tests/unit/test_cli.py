"""The command line: exit codes, one message, nothing else on standard output."""

from __future__ import annotations

import io
import socket
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from ibkr_adapter import cli
from ibkr_adapter.cli.codes import exit_codes
from ibkr_adapter.cli.commands import app
from ibkr_adapter.cli.demo import Effort
from ibkr_adapter.cli.payloads import IN_CHECKOUT, SHIPPED, example_webhooks
from ibkr_adapter.cli.screen import WIDE, Screen, cell, plain
from ibkr_adapter.client import Call
from ibkr_adapter.errors import ConfigurationError, InvalidOrder

ROOT = Path(__file__).parents[2]
ORDERS = "POST /iserver/account/{accountId}/orders"
REPLY = "POST /iserver/reply/{replyId}"
STATUS = "GET /iserver/account/order/status/{orderId}"


def run(*words: str):
    return CliRunner().invoke(app, list(words))


# Being called -----------------------------------------------------------------------------


def test_help_names_the_commands():
    """It is where people begin, and it is a success."""
    told = run("--help")

    assert told.exit_code == 0
    assert {"demo", "simulator"} <= set(told.stdout.split())


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("demo", "--nonsense"),
        ("demo", "nonsense"),
        ("simulator", "--auth", "password"),
        ("simulator", "--port", "65536"),
        ("simulator", "--port", "-1"),
        ("simulator", "--seed", "x"),
        ("simulator", "--tick", "0"),
    ],
)
def test_wrong_usage_ends_with_two_and_prints_nothing(words):
    """A program that reads standard output must not find a help page there."""
    told = run(*words)

    assert told.exit_code == 2
    assert told.stdout == ""
    assert told.stderr


@pytest.mark.parametrize(
    ("error", "code"), [(InvalidOrder("no such thing."), 1), (ConfigurationError("no such setting."), 2)]
)
def test_an_error_is_one_message_and_an_exit_code(error, code, capsys):
    """What failed is 1, what could not be begun is 2; neither is a traceback."""
    with pytest.raises(typer.Exit) as left, exit_codes():
        raise error

    shown = capsys.readouterr()
    assert left.value.exit_code == code
    assert (shown.out, shown.err) == ("", f"ibkr-adapter: {error}\n")


def test_a_message_cannot_act_on_the_terminal(capsys):
    """A broker's words end up in it; line ends stay."""
    with pytest.raises(typer.Exit), exit_codes():
        raise InvalidOrder("one\n\x1b[2Jtwo\x07")

    assert capsys.readouterr().err == "ibkr-adapter: one\ntwo \n"


def test_a_success_is_no_exit():
    """The command goes on to print what it found."""
    with exit_codes():
        done = True

    assert done


def test_a_bug_stays_a_bug():
    """Hidden behind a message it would never be found."""
    with pytest.raises(ZeroDivisionError), exit_codes():
        _ = 1 // 0


def test_a_shell_completes_commands():
    """What ``--install-completion`` sets up asks the program itself."""
    asked = {"_IBKR_ADAPTER_COMPLETE": "complete_bash", "COMP_WORDS": "ibkr-adapter fl", "COMP_CWORD": "1"}

    told = CliRunner().invoke(app, [], prog_name="ibkr-adapter", env=asked)

    assert told.stdout.split() == ["flatten"]


def test_the_command_runs_the_application(monkeypatch, capsys):
    """The entry point of the installed script."""
    monkeypatch.setattr(sys, "argv", ["ibkr-adapter", "--help"])

    with pytest.raises(SystemExit) as left:
        cli.main()

    assert left.value.code == 0
    assert "Usage: ibkr-adapter" in capsys.readouterr().out


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_a_missing_extra_is_named_with_its_remedy(library, monkeypatch, capsys):
    """The library is complete without it, so nobody is surprised that it may be absent."""
    # What is loaded already would be found without its parent.
    ours = {"ibkr_adapter.cli.commands", "ibkr_adapter.cli.screen"}
    for name in [name for name in sys.modules if name in ours or name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(SystemExit) as left:
        cli.main()

    shown = capsys.readouterr()
    assert (left.value.code, shown.out) == (2, "")
    assert library in shown.err
    assert "pip install 'ibkr-adapter[cli,simulator]'" in shown.err


def test_an_interruption_while_it_loads_is_no_traceback(monkeypatch, capsys):
    """A person who has mistyped ends it at once; later on the commands see to it."""

    class Interrupted:
        def find_spec(self, name, *_):
            if name == "ibkr_adapter.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "ibkr_adapter.cli.commands")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])

    with pytest.raises(SystemExit) as left:
        cli.main()

    assert left.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_another_missing_library_is_a_bug(monkeypatch):
    """Telling people to install an extra would not help them."""
    monkeypatch.delitem(sys.modules, "ibkr_adapter.cli.commands")
    monkeypatch.setitem(sys.modules, "ibkr_adapter.setting_readers", None)

    with pytest.raises(ModuleNotFoundError, match="setting_readers"):
        cli.main()


# The simulator ----------------------------------------------------------------------------


@pytest.fixture
def no_aiohttp(monkeypatch):
    for name in ("server", "reception", "doorstep"):
        monkeypatch.delitem(sys.modules, f"ibkr_adapter.simulator.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)


def test_the_simulator_without_its_extra_says_so(no_aiohttp):
    """One line, with the command that helps."""
    told = run("simulator")

    assert told.exit_code == 2
    assert told.stdout == ""
    assert "pip install 'ibkr-adapter[simulator]'" in told.stderr


def test_the_demonstration_without_the_simulators_extra_says_so(no_aiohttp):
    """In both shapes; a program finds nothing on standard output."""
    told = run("demo", "--json")

    assert told.exit_code == 2
    assert told.stdout == ""
    assert "pip install 'ibkr-adapter[simulator]'" in told.stderr


def test_a_taken_port_is_a_failure_with_a_reason():
    """The port is named, because it may have been chosen long ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        told = run("simulator", "--port", str(port))

    assert told.exit_code == 1
    assert f"port {port}" in told.stderr
    assert told.stdout == ""


# The payloads -----------------------------------------------------------------------------


def test_the_examples_are_found_in_their_order():
    """The demonstration tells one story."""
    assert [payload.name[:2] for payload in example_webhooks()] == ["1_", "2_", "3_", "4_"]


def test_a_wheel_looks_beside_itself_first(tmp_path):
    """A folder called examples beside an installed package is somebody else's."""
    shipped, beside = tmp_path / "shipped", tmp_path / "examples"
    for folder, action in ((shipped, "buy"), (beside, "sell")):
        folder.mkdir()
        (folder / "1.json").write_text(f'{{"action": "{action}"}}', encoding="utf-8")

    (payload,) = example_webhooks((shipped, beside))

    assert payload.fields() == {"action": "buy"}


def test_missing_examples_are_a_broken_installation(tmp_path):
    """The message says where they were looked for."""
    with pytest.raises(ConfigurationError, match="nowhere"):
        example_webhooks((tmp_path / "nowhere", tmp_path))


def test_the_wheel_ships_the_examples():
    """One source: the build copies the checkout's files to where the wheel looks."""
    if SHIPPED.is_dir():
        assert len(list(SHIPPED.glob("*.json"))) == 4
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    places = {(ROOT / source).resolve(): (ROOT / target).resolve() for source, target in included.items()}
    assert places[IN_CHECKOUT.resolve()] == SHIPPED.resolve()


# What is shown ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "plain text, \N{LATIN SMALL LETTER U WITH DIAERESIS}",
            "plain text, \N{LATIN SMALL LETTER U WITH DIAERESIS}",
        ),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]8;;http://x\x1b\\link", "alink"),
        ("a\x1bPq\x1b\\b", "ab"),
        ("a\x1b]never ends", "a"),
        ("a\x1bcb", "ab"),
        ("ends in\x1b", "ends in"),
        ("two\nlines\tand\x00more", "two lines and more"),
        ("right\N{RIGHT-TO-LEFT OVERRIDE}left", "right left"),
        (7, "7"),
    ],
)
def test_a_text_loses_what_a_terminal_acts_on(text, shown):
    """Colours are harmless; titles, links and cursor moves can hide what was said."""
    assert plain(text) == shown


@given(st.text() | st.text("\x1b[]PX^_\\;0m\x07\x9b\x9c\x9d\x90ab\n"))
def test_whatever_is_shown_is_printable(text):
    """The law behind the examples."""
    assert plain(text).isprintable()
    assert plain(text, lines=True).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "price", "-"),
        (None, "word", "-"),
        (165, "price", "165.00"),
        (161.7, "price", "161.70"),
        (0.0001, "price", "0.0001"),
        (1234567.5, "price", "1,234,567.50"),
        (-3, "price", "-3.00"),
        (100, "count", "100"),
        ("-1200", "count", "-1,200"),
        (2.5, "count", "2.5"),
        (Decimal("1E+2"), "count", "100"),
        ("1370093247", "word", "1370093247"),
        (True, "count", "True"),
        ("many", "count", "many"),
        (float("nan"), "price", "nan"),
        (float("inf"), "price", "inf"),
        ("\x1b[1mx", "word", "x"),
    ],
)
def test_a_cell_shows_no_digit_less_than_there_is(value, kind, shown):
    """A price has cents, an order id no thousands, and nothing is a dash and never 0."""
    assert cell(value, kind) == shown


@pytest.mark.parametrize(("terminal", "width"), [(True, 60), (False, WIDE)])
def test_only_a_terminal_squeezes_tables(terminal, width):
    """Nobody looks at the width of a file or a pipe."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=60)

    Screen(console)

    assert console.width == width


@pytest.mark.parametrize(
    ("asked", "until", "afterwards"),
    [
        ([], 0, 0),
        ([STATUS, STATUS], 2, 0),
        ([STATUS, ORDERS, STATUS], 2, 1),
        ([ORDERS, REPLY, REPLY, STATUS, STATUS], 3, 2),
    ],
)
def test_the_last_word_of_the_dialogue_is_the_acknowledgement(asked, until, afterwards):
    """An order with questions is acknowledged by the answer to the last reply."""
    calls = [Call(endpoint=name, path="/", status=200, seconds=0.0) for name in asked]

    assert Effort.of(calls) == Effort(until_acknowledged=until, afterwards=afterwards)
