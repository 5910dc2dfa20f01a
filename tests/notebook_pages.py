"""Run the notebooks, write them as web pages, or tidy their sources.

    python -m tests.notebook_pages build/notebooks   # runs all of them, one page each
    python -m tests.notebook_pages --tidy            # after working on them in Jupyter

A source is tidy when it holds what a person wrote and nothing else: no outputs, no counts, no metadata of
machines, and ids that stay as they are when cells come and go.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.held_up import was_held_up

# What reads and runs notebooks takes seconds to load, and is loaded by those who do.
if TYPE_CHECKING:
    from nbclient.exceptions import CellExecutionError
    from nbformat import NotebookNode

FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"
# Seconds that one cell may take.
PATIENCE = 90
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
ID = re.compile(r"c\d\d")
# A page loads nothing from elsewhere, and a wide table does not widen it.
PAGE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
main { max-width: 60rem; margin: 0 auto; overflow-x: hidden; }
.jp-OutputArea-output, .jp-RenderedHTMLCommon, .highlight { overflow-x: auto; }
.jp-OutputArea-output img { max-width: 100%; height: auto; }
@media (max-width: 40rem) { .jp-OutputArea-output img { max-width: none; width: 46rem; } }
.jp-InputPrompt, .jp-OutputPrompt { display: none; }
</style>
{%- endblock -%}
"""


def sources() -> list[Path]:
    """The notebooks in their order."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    """Read a notebook as it lies there."""
    import nbformat

    return nbformat.reads(path.read_text("utf-8"), as_version=4)


def tidy(book: NotebookNode) -> NotebookNode:
    """Take out what machines wrote; cells that have a name of ours keep it."""
    import nbformat

    book = nbformat.from_dict(book)
    taken = {cell.get("id", "") for cell in book.cells}
    free = (name for number in range(1, 100) if (name := f"c{number:02}") not in taken)
    for cell in book.cells:
        if not ID.fullmatch(cell.get("id", "")):
            cell["id"] = next(free)
        cell["metadata"] = {}
        cell["source"] = cell["source"].rstrip("\n")
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    book["metadata"], book["nbformat"], book["nbformat_minor"] = METADATA, 4, 5
    return book


def written(book: NotebookNode) -> str:
    """A notebook as it is written into its file."""
    import nbformat

    return nbformat.writes(book, version=nbformat.NO_CONVERT) + "\n"


async def run(book: NotebookNode, environ: Mapping[str, str] | None = None) -> NotebookNode:
    """Run a notebook to its end, as Jupyter does, away from the checkout and without the user's settings.

    Raises:
        CellExecutionError: A cell failed; it says which and how.
    """
    import nbformat
    from nbclient import NotebookClient

    clean = {name: value for name, value in os.environ.items() if not name.startswith("IBKR_ADAPTER_")}
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        client = NotebookClient(
            nbformat.from_dict(book),
            timeout=PATIENCE,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],
            record_timing=False,
        )
        own = {"IPYTHONDIR": folder, "PYTHONUTF8": "1"}
        return await client.async_execute(env={**clean, **own, **(environ or {})})


def run_together(books: Mapping[str, NotebookNode]) -> dict[str, NotebookNode | CellExecutionError]:
    """Run some notebooks beside each other, because most of their time they wait; a failure is an answer, too."""
    from nbclient.exceptions import CellExecutionError

    async def each(book: NotebookNode) -> NotebookNode | CellExecutionError:
        for _ in range(2):
            try:
                return await run(book)
            except CellExecutionError as error:
                failure = error
                if not was_held_up(str(error)):
                    break
        return failure

    async def all_of_them() -> list[NotebookNode | CellExecutionError]:
        return await asyncio.gather(*map(each, books.values()))

    return dict(zip(books, asyncio.run(all_of_them()), strict=True))


def page(book: NotebookNode, title: str) -> str:
    """A notebook as a web page that stands alone."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_loaders=[DictLoader({"page": PAGE})], template_file="page")
    body, _ = exporter.from_notebook_node(book, {"metadata": {"name": title}})
    return body


def put(book: NotebookNode, target: Path) -> None:
    """Write a notebook as a web page into a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page(book, title(book)), "utf-8")


def title(book: NotebookNode) -> str:
    """The heading that a notebook begins with."""
    return book.cells[0]["source"].splitlines()[0].removeprefix("# ")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    asked = argparse.ArgumentParser(description="Run the notebooks and write them as web pages.")
    asked.add_argument("folder", type=Path, nargs="?", default=Path("build/notebooks"))
    asked.add_argument("--tidy", action="store_true", help="tidy the sources, run nothing")
    given = asked.parse_args(arguments)
    books = {path: read(path) for path in sources()}
    if given.tidy:
        for path, book in books.items():
            path.write_text(written(tidy(book)), "utf-8")
        return
    for path, done in run_together(books).items():
        if isinstance(done, Exception):
            raise done
        put(done, given.folder / f"{path.stem}.html")


if __name__ == "__main__":
    main()
