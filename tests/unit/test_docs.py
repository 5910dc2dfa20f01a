"""The documentation says what the code does: its tables are complete and its programs run."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import attrs
import pytest

from ibkr_adapter import IBKRExchange, Settings, errors
from ibkr_adapter.host import executor, fields
from ibkr_adapter.host.limits import RiskLimits
from ibkr_adapter.host.metadata import exchange_metadata
from ibkr_adapter.simulator.faults import VARIANTS
from ibkr_adapter.simulator.options import Options
from ibkr_adapter.wire import oauth1a, oauth2

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if not DOCS.is_dir():
    pytest.skip(
        "the documentation is not here: these are the tests of a built wheel", allow_module_level=True
    )

PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
RUNS = "# runs offline"
PATIENCE = 60.0
# What the simulated broker's meter answers where this machine held a request up on its way.
HELD_UP = ("for its pacing", "Too Many Requests")
BLOCK = re.compile(r"^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Every Python block of every page, with a name to find it by."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for block in BLOCK.finditer(text):
            line = text[: block.start()].count("\n") + 1
            found.append((f"{page.name}:{line}", textwrap.dedent(block["code"])))
    return found


BLOCKS = blocks()
OFFLINE = [(name, code) for name, code in BLOCKS if code.startswith(RUNS)]


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


@pytest.mark.parametrize(("name", "code"), OFFLINE, ids=[name for name, _ in OFFLINE])
def test_a_block_that_says_so_runs_offline(name, code, tmp_path):
    """In a process of its own, as somebody who copies it would."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("IBKR_ADAPTER_")}
    script = tmp_path / "block.py"
    script.write_text(code, "utf-8")

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own documentation
            [sys.executable, str(script)],
            env={**clean, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    done = run()
    if done.returncode and any(words in done.stdout + done.stderr for words in HELD_UP):
        done = run()

    assert done.returncode == 0, f"{name}\n{done.stderr}"
    assert done.stdout.strip()


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
