"""What is noted of a session's account: by one for all, and never believed when in doubt."""

from __future__ import annotations

import logging
import os
import stat

import pytest

from ibkr_adapter.board import Board, Note


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "gateway-1.account"


def test_a_board_of_one_process_needs_no_file():
    board = Board()
    board.write("DU1")
    board.write(None)

    assert board.read() == Note(None, 2)


def test_nothing_is_known_at_first(path):
    assert Board(path).read() == Note(None, 0)


def test_another_process_reads_what_one_has_written(path):
    mine, theirs = Board(path), Board(path)
    mine.write("DU1111111")

    assert theirs.read() == Note("DU1111111", 1)
    theirs.write("DU2")
    assert mine.read() == Note("DU2", 2)


def test_a_change_that_was_taken_back_is_seen(path):
    """Who looks before and after would believe that nothing was changed between."""
    board = Board(path)
    board.write("DU1")
    before = board.read()
    board.write("DU2")
    board.write("DU1")

    assert board.read().account == before.account
    assert board.read() != before


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"DU1", b"x DU1", b"7", b"7 -\n"])
def test_what_cannot_be_read_is_not_known(path, content):
    path.parent.mkdir()
    path.write_bytes(content)

    assert Board(path).read().account is None


@pytest.mark.skipif(os.name != "posix", reason="modes are of these systems")
def test_nobody_else_may_read_the_account(path):
    Board(path).write("DU1")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_used_is_told_once_and_done_without(path, caplog):
    path.mkdir(parents=True)
    board = Board(path)
    with caplog.at_level(logging.WARNING):
        board.write("DU1")
        board.write("DU2")

        assert board.read() == Note("DU2", 2)
    assert len(caplog.records) == 1
    assert "do not see each other's selections" in caplog.text
