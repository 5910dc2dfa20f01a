"""The notebooks run to their end on the simulated broker, show what they promise, and are kept tidy."""

from __future__ import annotations

import ast
import asyncio
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

import notebook_pages
from ibkr_adapter import errors
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer
from thoroughly import ALL

if TYPE_CHECKING:
    from nbclient.exceptions import CellExecutionError
    from nbformat import NotebookNode

# What a handler may name beside our own errors.
OTHERS = {"KeyboardInterrupt"}


@attrs.frozen
class Shown:
    """What must have come out by a notebook's end: at least so many tables and pictures, and these words.

    ``logs`` is whether the library's log, or a bar of progress, is part of it.
    """

    tables: int
    pictures: int
    words: tuple[str, ...]
    logs: bool = False


EXPECTED = {
    "01_first_steps": Shown(
        3, 0, ("† 1 of 3: delayed by 15 to 20 minutes", "SELL 10 filled", "left: None", "no stock APPL")
    ),
    "02_contracts": Shown(2, 0, ("GOLD fits 2 contracts", "Write @ES", "opens next at 2026-11-27 14:30")),
    "03_orders_and_brackets": Shown(
        3,
        1,
        ("total 1646 USD", "the entry is filled", "guardrail max_notional", "position: None working: []"),
    ),
    "04_combos": Shown(2, 0, ("IBKR calls it 28812380;;;", "this is no vertical", "held: []")),
    "05_option_chain": Shown(3, 2, ("nearest to a delta of 0.25: AAPL2612", "0 lines held")),
    "06_history_and_charts": Shown(
        2, 2, ("0 gaps", "broken off; there is torn.csv.part", "the same file? True"), logs=True
    ),
    "07_streaming": Shown(1, 1, ("TradeEvent", "nothing was heard for"), logs=True),
    "08_portfolio_and_profit": Shown(9, 1, ("by TWR", "may be asked again in 15 minutes")),
    "09_webhooks": Shown(
        1, 0, ("repeated: True the same order: True", "held: 12", "did you mean", "closed SELL 12 filled")
    ),
    "10_failures_and_recovery": Shown(
        3,
        0,
        (
            "found after 5 seconds",
            "nobody can tell whether order",
            "unsettled now: ()",
            "sent to the broker: 2 orders",
            "may be sent again: True",
            "everything stops for",
            "-> the session is competing",
            "may be repeated: True",
        ),
        logs=True,
    ),
}


@cache
def books() -> dict[str, NotebookNode]:
    return {path.stem: notebook_pages.read(path) for path in notebook_pages.sources()}


def outputs(book: NotebookNode) -> Iterator[NotebookNode]:
    for cell in book.cells:
        yield from cell.get("outputs", [])


def code(book: NotebookNode) -> list[str]:
    return [cell["source"] for cell in book.cells if cell["cell_type"] == "code"]


def missing(done: NotebookNode | CellExecutionError, promised: Shown) -> list[str]:
    """What a notebook that was run lacks of what it was to show."""
    if isinstance(done, Exception):
        return [str(done)]
    shown = list(outputs(done))
    rich = [output.get("data", {}) for output in shown]
    said = [output for output in shown if output["output_type"] == "stream"]
    text = "".join(output["text"] for output in said) + str(rich)
    tables = sum("<table" in data.get("text/html", "") for data in rich)
    pictures = sum("image/png" in data for data in rich)
    logged = "" if promised.logs else "".join(output["text"] for output in said if output["name"] == "stderr")
    return [
        *(f"the words {words}" for words in promised.words if words not in text),
        *([f"{promised.tables - tables} tables"] if tables < promised.tables else []),
        *([f"{promised.pictures - pictures} pictures"] if pictures < promised.pictures else []),
        *([f"silence, but there was {logged}"] if logged else []),
    ]


def test_every_notebook_has_its_claims():
    """One that nobody wrote a claim for would only be seen not to crash."""
    assert books().keys() == EXPECTED.keys()
    assert len(books()) >= 10


@pytest.mark.timeout(400)
@pytest.mark.parametrize("place", range(2), ids=("odd", "even"))
def test_notebooks_show_what_they_promise(place):
    """Run as Jupyter runs them: kernels of their own, real sockets, and nothing unexpected on standard error.

    One process runs half of them beside each other: they wait for their turns at the broker most of the
    time. A quick run has two.
    """
    names = list(EXPECTED)[place::2]
    chosen = names if ALL else names[:1]

    done = notebook_pages.run_together({name: books()[name] for name in chosen})

    lacking = {name: found for name in chosen if (found := missing(done[name], EXPECTED[name]))}
    assert not lacking, "\n".join(f"{name}: {'; '.join(found)}" for name, found in lacking.items())
    # Running them takes longest, so whoever wants to look at them afterwards gets them from here.
    if folder := os.environ.get("IBKR_TESTS_PAGES_INTO"):
        for name in chosen:
            notebook_pages.put(done[name], Path(folder, f"{name}.html"))


@pytest.mark.skipif(not ALL, reason="the same notebook as above, so once is enough for a quick run")
def test_the_first_notebook_runs_through_a_gateway_as_it_says(tmp_path):
    """What it says to write for a real account is written here, and a simulated gateway answers."""
    book = notebook_pages.tidy(books()["01_first_steps"])
    for cell in book.cells:
        if cell["cell_type"] == "code":
            cell["source"] = re.sub(
                r"IBKRExchange\.simulated\(.*\)", "IBKRExchange.from_env()", cell["source"]
            )
    server = SimulatorServer(Gateway(SystemClock()))
    server.start()
    settings = {"IBKR_ADAPTER_BASE_URL": server.url, "IBKR_ADAPTER_STATE_DIR": str(tmp_path)}
    try:
        done = asyncio.run(notebook_pages.run(book, settings))
    finally:
        server.stop()

    assert "left: None" in str(list(outputs(done)))
    assert list(tmp_path.iterdir())


def test_a_page_loads_nothing_from_elsewhere():
    """Whoever looks at it offline sees all of it."""
    html = notebook_pages.page(books()["01_first_steps"], "First steps")

    assert "<title>First steps</title>" in html
    assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"' >]+""", html) == []
    assert "cdnjs" not in html


def test_sources_hold_what_a_person_wrote_and_nothing_else():
    """No outputs, counts or metadata of machines, so that a change can be read; `--tidy` makes it so."""
    untidy = [
        path.name
        for path in notebook_pages.sources()
        if path.read_text("utf-8") != notebook_pages.written(notebook_pages.tidy(notebook_pages.read(path)))
    ]

    assert untidy == []


def test_tidying_keeps_the_names_of_cells_and_takes_out_what_ran():
    """Ids that changed with every run would make each change unreadable."""
    book = notebook_pages.tidy(books()["01_first_steps"])
    fresh = {"cell_type": "code", "id": "8f3a1b2c", "metadata": {"trusted": True}, "source": "1\n"}
    fresh |= {"execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}
    before = [cell["id"] for cell in book.cells]
    book.cells.insert(1, fresh)
    book["metadata"]["language_info"] = {"name": "python", "version": "3.11.7"}

    tidied = notebook_pages.tidy(book)

    ids = [cell["id"] for cell in tidied.cells]
    assert ids[:1] + ids[2:] == before
    assert notebook_pages.ID.fullmatch(ids[1])
    assert len(set(ids)) == len(ids)
    new = tidied.cells[1]
    assert (new["outputs"], new["execution_count"], new["metadata"], new["source"]) == ([], None, {}, "1")
    assert tidied["metadata"] == notebook_pages.METADATA


@pytest.mark.parametrize("name", EXPECTED)
def test_a_notebook_begins_with_what_it_shows_and_how_to_use_an_account(name):
    """And warns of what only a simulated broker does, and of what trades."""
    opening = books()[name].cells[0]["source"]
    body = "\n".join(code(books()[name]))

    assert opening.startswith("# ")
    assert "What this shows:" in opening
    assert "**With your own paper account" in opening
    assert "IBKRExchange.from_env()" in opening
    assert ".simulator" not in body or "ibkr.simulator" in opening or "cannot be run as it is" in opening


def test_every_cell_of_code_is_explained():
    """In plain words, right above it."""
    bare = [
        f"{name} {after['id']}"
        for name, book in books().items()
        for before, after in zip(book.cells, book.cells[1:], strict=False)
        if after["cell_type"] == "code" and before["cell_type"] != "markdown"
    ]

    assert bare == []


def test_no_cell_hides_an_error():
    """A handler names an error of the library and tells of it."""
    hidden = []
    for name, book in books().items():
        for source in code(book):
            tree = ast.parse(source)
            hidden += [name for word in ("%%capture", "suppress(", "ignore") if word in source]
            for handler in (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)):
                kinds = {
                    node.id for node in ast.walk(handler.type or ast.Pass()) if isinstance(node, ast.Name)
                }
                ours = {kind for kind in kinds if issubclass(getattr(errors, kind, object), errors.IBKRError)}
                tells = any(isinstance(node, ast.Call | ast.Return) for node in ast.walk(handler))
                hidden += [name] if not kinds or kinds - ours - OTHERS or not tells else []

    assert hidden == []


def test_notebooks_and_scripts_are_listed_beside_each_other():
    """Who looks for a topic finds both in one table."""
    folder = notebook_pages.FOLDER.parent
    page = (folder / "README.md").read_text("utf-8")
    files = [path.name for path in (*folder.glob("[0-9]*.py"), *notebook_pages.sources())]

    assert [name for name in files if name not in page] == []
    assert [link for link in re.findall(r"\]\(([^)#]+)\)", page) if not (folder / Path(link)).exists()] == []
