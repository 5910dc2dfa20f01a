"""The documentation says what the code does: its tables are complete and its programs run."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from docs_pages import blocks
from ibkr_adapter import IBKRExchange, Settings, errors
from ibkr_adapter.host import executor, fields
from ibkr_adapter.host.limits import RiskLimits
from ibkr_adapter.host.metadata import exchange_metadata
from ibkr_adapter.portfolio_desk import PortfolioDesk
from ibkr_adapter.simulator.faults import VARIANTS
from ibkr_adapter.simulator.options import Options
from ibkr_adapter.trading import Trading
from ibkr_adapter.wire import oauth1a, oauth2
from tests.held_up import was_held_up
from thoroughly import ALL, quick_share

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if not DOCS.is_dir():
    pytest.skip(
        "the documentation is not here: these are the tests of a built wheel", allow_module_level=True
    )

PATIENCE = 600.0
# So many whole programs run at a time, because they mostly wait for their turn at the broker; and so many in a quick run.
AT_ONCE = 4
FEW = 4

BLOCKS = [(block.name, block.code) for block in blocks("python")]
OFFLINE = [(block.name, block.code) for block in blocks("python") if block.is_offline]


def rows(page: str) -> dict[str, list[str]]:
    """The table rows of a page by the code words of their first cell; cells without their ticks."""
    found: dict[str, list[str]] = {}
    for line in (DOCS / page).read_text("utf-8").splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            for word in re.findall(r"`([^`]+)`", cells[0]):
                found[word] = cells
    return found


def public_methods(kind: type) -> set[str]:
    return {
        name
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and (callable(member) or isinstance(member, property))
    }


def test_every_setting_is_in_its_table():
    """A setting that nobody can read about is not used, or used wrongly."""
    assert {field.name for field in attrs.fields(Settings)} - rows("settings.md").keys() == set()


def test_every_row_of_the_settings_is_a_setting():
    """What is taken out of the code goes out of the table."""
    assert rows("settings.md").keys() - {field.name for field in attrs.fields(Settings)} == set()


@pytest.mark.parametrize("field", attrs.fields(Settings), ids=lambda field: field.name)
def test_a_setting_belongs_to_what_its_row_says(field):
    """Who shares a connection must know which settings have to agree."""
    is_login = field.metadata.get("login") or (
        field.metadata.get("secret") and field.name != "webhook_secret"
    )
    belongs = "connection" if field.metadata.get("connection") else "login" if is_login else "object"
    if field.name == "auth_method":
        belongs = "login"  # part of the key by itself

    assert rows("settings.md")[field.name][-1].startswith(belongs)


@pytest.mark.parametrize("field", attrs.fields(Settings), ids=lambda field: field.name)
def test_a_settings_default_is_that_of_its_row(field):
    """Defaults that are derived are described in words; the others must be the figure itself."""
    default = rows("settings.md")[field.name][-2].strip("`")
    value = field.default

    if value in (None, ()) or isinstance(value, attrs.Factory):
        assert not re.fullmatch(r"[0-9.]+|True|False", default)
    elif isinstance(value, float):
        assert float(default) == value
    else:
        assert default == str(value)


def test_every_error_is_in_its_table():
    """Each needs its meaning, what is true at the broker, and what to do."""
    kinds = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.IBKRError)
    }
    table = rows("errors.md")

    assert kinds - table.keys() == set()
    assert [name for name in kinds if len(table[name]) != 4 or not all(table[name])] == []


def test_every_option_of_the_simulator_is_in_its_table():
    assert {field.name for field in attrs.fields(Options)} - rows("simulator.md").keys() == set()


@pytest.mark.parametrize("field", attrs.fields(Options), ids=lambda field: field.name)
def test_an_options_default_is_that_of_its_row(field):
    default = rows("simulator.md")[field.name][1].strip("`")
    written = {True: "true", False: "false", None: "null"}

    if isinstance(field.default, attrs.Factory):
        assert default.startswith(("none", "all"))
    elif isinstance(field.default, bool) or field.default is None:
        assert default == written[field.default]
    elif isinstance(field.default, str):
        assert default == f'"{field.default}"'
    else:
        assert float(default) == field.default


@pytest.mark.parametrize("fault", VARIANTS)
def test_every_fault_has_its_variants_in_their_order(fault):
    """The first is the default."""
    assert re.findall(r"`([^`]+)`", rows("simulator.md")[fault][1]) == list(VARIANTS[fault])


def test_no_fault_is_documented_that_cannot_be_armed():
    assert {word for word in rows("simulator.md") if re.fullmatch(r"F\d\d", word)} == set(VARIANTS)


def test_every_method_for_hosts_is_documented():
    """The host's contract is what hosts are written against."""
    text = (DOCS / "host.md").read_text("utf-8") + (DOCS / "quickstart.md").read_text("utf-8")
    text += "".join(
        (DOCS / page).read_text("utf-8")
        for page in ("orders.md", "streaming.md", "session.md", "simulator.md", "settings.md")
    )
    own = {"on_call", "orders", "portfolio", "contracts", "market_data"}  # in the reference
    own |= {"alerts", "watchlists", "notifications", "advisers", "forecasts", "catalogue"}  # in portfolio.md

    missing = [name for name in public_methods(IBKRExchange) - own if not re.search(rf"\b{name}\b", text)]

    assert missing == []


ASKED_FIRST = re.compile(r"(place|cancel|close|get(?!_exchange_name)|has|fetch)_\w+|wait_for")
EXITS = ("stop_loss", "take_profit", "trailing_stop", "oco", "close")
READS = ("accounts", "summary", "ledger", "positions", "position", "allocation", "profit")


@pytest.mark.parametrize(
    "method",
    [
        *(method for name, method in inspect.getmembers(IBKRExchange) if ASKED_FIRST.fullmatch(name)),
        *(getattr(Trading, name) for name in ("place", "bracket", "cancel", *EXITS)),
        *(getattr(PortfolioDesk, name) for name in READS),
    ],
    ids=lambda method: method.__qualname__,
)
def test_what_everybody_calls_says_what_it_raises(method):
    """And of each error what is true then."""
    _, found, raised = inspect.getdoc(method).partition("Raises:\n")

    assert found
    told = dict(re.findall(r"^    (\w+): (\S.*)$", raised, re.MULTILINE))
    assert told
    assert [name for name in told if not issubclass(getattr(errors, name), errors.IBKRError)] == []


def test_every_desk_is_in_the_reference():
    """A desk that is not there has methods that nobody finds."""
    page = (DOCS / "reference.md").read_text("utf-8")
    desks = {
        str(member.fget.__annotations__["return"])
        for _, member in inspect.getmembers(IBKRExchange)
        if isinstance(member, property)
    }
    classes = {desk for desk in desks if re.fullmatch(r"[A-Z]\w+", desk)} - {"Settings"}

    assert len(classes) >= 12
    assert [desk for desk in sorted(classes) if not re.search(rf"^::: .+\.{desk}$", page, re.MULTILINE)] == []


def test_every_value_that_a_desk_speaks_of_is_in_the_reference():
    """The page of values has the modules that methods name in what they take and answer."""
    pages = "".join((DOCS / page).read_text("utf-8") for page in ("reference.md", "values.md"))
    desks = re.findall(r"^::: (ibkr_adapter\.[a-z_.]+)\.([A-Z]\w+)$", pages, re.MULTILINE)
    named = set()
    for module, name in desks:
        room = importlib.import_module(module)
        for _, method in inspect.getmembers(getattr(room, name), inspect.isfunction):
            if not method.__name__.startswith("_"):
                named |= set(re.findall(r"\b[A-Z]\w+", " ".join(map(str, method.__annotations__.values()))))
    values = {
        kind.__module__
        for path in sorted((ROOT / "ibkr_adapter" / "model").glob("*.py"))
        for word, kind in vars(importlib.import_module(f"ibkr_adapter.model.{path.stem}")).items()
        if word in named and getattr(kind, "__module__", "").startswith("ibkr_adapter.model.")
    }

    assert len(values) > 15
    assert [module for module in sorted(values) if f"::: {module}" not in pages] == []


def test_every_page_for_one_task_is_short_and_listed():
    """Who has a task looks through one list, and reads one page; the rest is a link."""
    folder = DOCS / "howto"
    tasks = {page.name: page.read_text("utf-8") for page in folder.glob("*.md") if page.name != "index.md"}
    listed = re.findall(r"^\| \[.+?\]\((\w+\.md)\)", (folder / "index.md").read_text("utf-8"), re.MULTILINE)

    assert sorted(listed) == sorted(tasks)
    assert [name for name, text in tasks.items() if len(text.splitlines()) > 70] == []
    assert [name for name, text in tasks.items() if "\nMore: [" not in text and name != "report.md"] == []


def test_every_limit_of_a_user_is_documented():
    assert {field.name for field in attrs.fields(RiskLimits)} - rows("host.md").keys() == set()


def test_the_page_of_exchanges_has_what_a_hosts_own_page_asks_for():
    """Its recipe names the row of the table and the headings of a section."""
    text = (DOCS / "EXCHANGES.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)

    assert headings[1:] == [
        exchange_metadata()["name"],
        "Configuration",
        "Details",
        "Notes",
        "Webhook examples",
        "Special considerations",
    ]
    assert "| Interactive Brokers | Stocks, options, futures, forex, crypto, bonds | `ibkr`" in text
    assert all(f"`{name}`" in text for name in executor.EXCHANGE_NAMES)


def test_every_field_of_a_webhook_is_documented():
    named = set(rows("host.md")) | set(
        re.findall(r"`([^`]+)`", " ".join(c[1] for c in rows("host.md").values()))
    )

    assert {spelling for spellings in fields.SPELLINGS.values() for spelling in spellings} - named == set()
    assert all(name in (DOCS / "host.md").read_text("utf-8") for name in executor.EXCHANGE_NAMES)


@pytest.mark.parametrize(("name", "code"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_every_python_block_compiles(name, code):
    compile(code, name, "exec")


def test_the_readme_shows_a_short_program_that_runs_offline():
    programs = [code for name, code in OFFLINE if name.startswith("README.md")]

    assert len(programs) == 1
    assert len([line for line in programs[0].splitlines()[1:] if line.strip()]) <= 10


def run_offline(programs: dict[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    """Run whole programs as somebody who copies them would: a process each, in a folder of its own."""
    folder.mkdir()
    names = {f"block{number:03}": name for number, name in enumerate(programs)}
    for file, name in names.items():
        (folder / f"{file}.py").write_text(programs[name], "utf-8")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("IBKR_ADAPTER_")}
    done = subprocess.run(  # noqa: S603 - our own documentation
        [sys.executable, str(ROOT / "tests" / "offline_blocks.py"), str(folder), str(AT_ONCE)],
        env={**clean, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return {names[file]: told for file, told in json.loads(done.stdout).items()}


@pytest.mark.timeout(PATIENCE)
def test_every_block_that_says_so_runs_offline(tmp_path):
    """It ends well, and says something. What this machine held up on its way is tried once more."""
    few = len(OFFLINE) if ALL else FEW
    programs = {
        name: code for place, (name, code) in enumerate(OFFLINE) if quick_share(place, len(OFFLINE), few)
    }

    told = run_offline(programs, tmp_path / "first")
    held_up = {
        name: programs[name]
        for name, end in told.items()
        if end["code"] and was_held_up(end["out"] + end["err"])
    }
    if held_up:
        told |= run_offline(held_up, tmp_path / "second")

    assert len(told) == few
    assert {name: end["err"] for name, end in told.items() if end["code"]} == {}
    assert [name for name, end in told.items() if not end["out"].strip()] == []


def test_a_block_that_fails_is_told(tmp_path):
    """Otherwise the test of all of them is content with anything."""
    ends = {"print(1)": 0, "raise SystemExit('no')": 1, "1 / 0": 1, "import os; os._exit(3)": 3}

    told = run_offline({code: code for code in ends}, tmp_path / "room")

    assert {code: end["code"] for code, end in told.items()} == ends


def spoken() -> str:
    """Every text of the package, with a blank where something is filled in."""
    texts = []
    for path in sorted(Path(errors.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
                texts.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_every_refusal_of_a_login_is_in_its_table_with_its_exact_text():
    """Somebody who meets it searches for the words on the screen."""
    page = (DOCS / "authentication.md").read_text("utf-8")
    cells = re.findall(r"^\| (OAuth [12]\.0a?, .+? at the step)", page, re.MULTILINE)
    told = {("OAuth 1.0a" if "1.0a" in cell else "OAuth 2.0", cell.split(", ")[1][:-12]) for cell in cells}
    known = {("OAuth 1.0a", reason.value) for reason in oauth1a.Refusal}
    known |= {("OAuth 2.0", reason.value) for reason in oauth2.Refusal}

    assert told == known


def test_no_error_of_a_login_is_quoted_that_nobody_raises():
    """What is changed in the code is changed on the page."""
    page = (DOCS / "authentication.md").read_text("utf-8").partition("## OAuth 1.0a")[2]
    quoted = [
        row
        for row in re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE)
        if not row.startswith(("OAuth ", "the error", "---"))
    ]
    # IBKR's own words, which are handed on.
    theirs = {"failed to generate sso dh token"}
    texts = spoken()

    assert len(quoted) >= 5
    assert [row for row in quoted if row not in texts and row not in theirs] == []
