"""Every belief about IBKR says how sure it is, who says so and of when, and no source is named that is not listed."""

from __future__ import annotations

import re

import pytest

from docs_pages import DOCS
from ibkr_adapter.cli.check.facts import facts

if not DOCS.is_dir():
    pytest.skip(
        "the documentation is not here: these are the tests of a built wheel", allow_module_level=True
    )

PAGE = (DOCS / "ibkr-facts.md").read_text("utf-8")
HEAD = ["fact", "sure", "source", "date"]
WORDS = ("documented", "recorded", "computed", "recomputed", "reported", "contradict", "unknown", "guess")
# Of these nobody says anything, so there is nobody to name.
UNSAID = ("unknown", "guess")
NEVER = "read 2026-11"
GUESSED = "2026-11"
# Of contradictions: the list only grows, unless a source is withdrawn.
MOST_SEEN = 61


def listed() -> dict[str, str]:
    """The sources by their tag, with the month of each."""
    return dict(
        re.findall(r"^- `([A-Z0-9.-]+)` \(([^)]+)\): ", PAGE.partition("## Sources")[2], re.MULTILINE)
    )


def rows() -> list[list[str]]:
    """The cells of every row of every table."""
    found = []
    for line in PAGE.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            found.append(cells)
    return found


SOURCES = listed()
HEADS = [row for row in rows() if row[0] == "fact"]
ROWS = [row for row in rows() if row[0] != "fact"]
CONTRADICTIONS = re.findall(
    r"^- \*\*(.+?)\*\*: (.+); or (.+?)\. \*Here:\* (.+)\.$",
    PAGE.partition("## Contradictions")[2].partition("## Sources")[0],
    re.MULTILINE,
)


def newest(tags: list[str]) -> str:
    """The month of the newest of these sources."""
    dated = [SOURCES[tag] for tag in tags if SOURCES[tag] != "undated"]
    return max(dated) if dated else NEVER


def tags_in(text: str) -> set[str]:
    return {tag for tag in SOURCES if re.search(rf"(?<![\w-]){re.escape(tag)}(?![\w-])", text)}


def test_every_table_has_the_same_columns():
    """A table of another kind would be read by `check` and by nobody here."""
    assert len(HEADS) >= 15
    assert [head for head in HEADS if head[:4] != HEAD or len(head) != 5] == []
    assert len(ROWS) + len(re.findall(r"^\d+\. ", PAGE, re.MULTILINE)) == len(facts())


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0][:50]) for row in ROWS])
def test_a_fact_says_how_sure_it_is_who_says_so_and_when(row):
    """Whoever doubts it must be able to look it up; the date is that of the newest source, by the list."""
    fact, sure, source, date, does = row

    assert fact
    assert does
    assert any(word in sure for word in WORDS), sure
    tags = source.split(", ")
    if tags == ["none"]:
        assert any(word in sure for word in UNSAID)
        assert not any(word in sure for word in ("documented", "recorded", "reported"))
        assert date == GUESSED
    else:
        assert set(tags) - SOURCES.keys() == set()
        assert date == newest(tags)
        assert "contradict" not in sure or len(tags) > 1


def test_every_source_says_what_it_is_and_bears_a_date_or_says_that_it_has_none():
    """A tag alone is no source; where it lies is a link, or the sentence why there is none."""
    texts = dict(re.findall(r"^- `([A-Z0-9.-]+)` \([^)]+\): (.+)$", PAGE, re.MULTILINE))
    bare = {"DEMOS", "TWS"}  # beside the one above; in no single place

    assert [d for d in SOURCES.values() if not re.fullmatch(r"20\d\d-\d\d|undated", d)] == []
    assert [
        tag
        for tag, text in texts.items()
        if "](https://" not in text and "found" not in text and "copy" not in text and tag not in bare
    ] == []


def test_no_source_is_listed_that_nothing_rests_on():
    """The list is for looking things up."""
    cited = {tag for row in ROWS for tag in row[2].split(", ")}
    cited |= {tag for about, one, other, _ in CONTRADICTIONS for tag in tags_in(f"{about} {one} {other}")}

    assert SOURCES.keys() - cited == set()


def test_every_contradiction_names_two_sides_and_what_is_done():
    """One side without a name is gossip."""
    lines = [
        line
        for line in PAGE.partition("## Contradictions")[2].partition("## Sources")[0].splitlines()
        if line.startswith("- ")
    ]

    assert len(CONTRADICTIONS) == len(lines) >= MOST_SEEN
    for about, one, other, does in CONTRADICTIONS:
        assert does, about
        if not (tags_in(one) and tags_in(other)):
            # Two places of one document.
            assert re.search(r"\bits\b|the one in", f"{one} {other}"), about


def test_a_fact_on_which_sources_differ_is_in_the_list_of_contradictions():
    """The list claims to have all of them."""
    kinds = [row for row in ROWS if "contradict" in row[1]]

    assert len(kinds) <= len(CONTRADICTIONS)
    for row in kinds:
        tags = set(row[2].split(", "))
        assert any(len(tags & tags_in(f"{one} {other}")) >= 2 for _, one, other, _ in CONTRADICTIONS), row[0]


def test_guesses_that_both_rest_on_say_so_above_their_list():
    """They are numbered, and have no columns."""
    section = PAGE.partition("## On which the adapter and its simulator both rest")[2].partition("\n## ")[0]

    assert "sure *guess*" in section
    assert f"date {GUESSED}" in section
