"""``history --plot``: what is drawn, and what is seen before anything is asked for."""

from __future__ import annotations

import sys

import pytest
from terminals import Shell

HISTORY = "GET /iserver/marketdata/history"
WORDS = ("history", "AAPL", "--span", "3d", "--bar", "1h")


@pytest.fixture
def shell(world, tmp_path):
    return Shell(world, tmp_path)


def test_history_is_drawn_into_a_file(shell, tmp_path):
    """With its levels; the same call draws it anew the next day."""
    picture = tmp_path / "aapl.svg"
    picture.write_text("yesterday's")

    told = shell.json(*WORDS, "--plot", str(picture), "--entry", "165", "--stop", "160.5")
    drawn = shell.run(*WORDS, "--plot", str(tmp_path / "aapl.PNG"))

    assert (told["plot"], told["bars"] > 3) == (str(picture), True)
    assert "<svg" in picture.read_text("utf-8")
    assert (drawn.exit_code, drawn.stdout) == (0, "")
    assert "gaps" in drawn.stderr
    assert (tmp_path / "aapl.PNG").read_bytes().startswith(b"\x89PNG")


def test_it_is_kept_and_drawn_at_once(shell, tmp_path):
    told = shell.json(*WORDS, "--save", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.pdf"))

    assert told["file"].endswith("a.csv")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--plot", "aapl.txt"), 2, r"one of .png, .svg, .pdf"),
        (("--plot", "aapl.png", "--target", "much"), 1, "target is a price"),
        (("--entry", "165"), 2, "Add --plot FILE"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_anything_is_asked_for(shell, world, words, code, said):
    told = shell.run(*WORDS, *words)

    assert (told.exit_code, told.stdout) == (code, "")
    assert said in told.stderr
    assert world.count(HISTORY) == 0


def test_without_matplotlib_it_says_what_to_install_before_anything_is_asked_for(shell, world, monkeypatch):
    monkeypatch.delitem(sys.modules, "ibkr_adapter.plots.picture", raising=False)
    monkeypatch.delattr("ibkr_adapter.plots.picture", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    told = shell.run(*WORDS, "--plot", "aapl.png")

    assert told.exit_code == 2
    assert "ibkr-adapter[plot]" in told.stderr
    assert world.count(HISTORY) == 0


def test_a_file_that_cannot_be_written_is_told(shell, tmp_path):
    told = shell.run(*WORDS, "--plot", str(tmp_path / "nowhere" / "aapl.png"))

    assert told.exit_code == 1
    assert "cannot be written: No such file or directory" in told.stderr
