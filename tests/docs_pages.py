"""The pages of the documentation and the blocks of code in them, for the tests that hold them true.

A block is run, or says in its first line, where readers see it, why it is not.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]

OFFLINE = "# runs offline"
NOT_RUN = "# not run by the tests: "
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)


@attrs.frozen(kw_only=True)
class Block:
    """One fenced block; ``line`` is where it begins on its page."""

    page: str
    line: int
    language: str
    code: str

    @property
    def name(self) -> str:
        """What a failing test shows."""
        return f"{self.page}:{self.line}"

    @property
    def is_offline(self) -> bool:
        """Whether it is a whole program that needs nothing but this package."""
        return self.language == "python" and self.code.startswith(OFFLINE)

    @property
    def reason(self) -> str | None:
        """Why nobody runs it, in its own words."""
        first = self.code.partition("\n")[0]
        return first.removeprefix(NOT_RUN) if first.startswith(NOT_RUN) else None

    @property
    def commands(self) -> list[str]:
        """What is typed behind the prompts of a console block, without remarks."""
        typed = [line for line in self.code.splitlines() if line.startswith("$ ")]
        return [re.sub(r"\s+# .*$", "", line.removeprefix("$ ")) for line in typed]


def blocks(*languages: str) -> list[Block]:
    """Every block of every page in one of these languages, or in any."""
    return [
        Block(
            page=page.relative_to(DOCS if DOCS in page.parents else ROOT).as_posix(),
            line=page.read_text("utf-8")[: block.start()].count("\n") + 1,
            language=block["language"],
            code=textwrap.dedent(block["code"]),
        )
        for page in PAGES
        for block in _BLOCK.finditer(page.read_text("utf-8"))
        if not languages or block["language"] in languages
    ]
