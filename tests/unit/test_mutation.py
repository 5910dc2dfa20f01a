"""The tool that breaks rooms on purpose breaks them, and says truly what was noticed."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

from mutant_runs import loaded, swaps
from mutation import ALIKE, GUARDS, PACKAGE, ROOT, forked, mutants, names, sample, survivors

ROOM = '''
import attrs

@attrs.frozen(kw_only=True)
class Least:
    limit: int = 3

def fits(size, limit, log) -> int | None:
    """Say 1 if 2."""
    if size < limit and not log:
        raise ValueError(f"{size + 1}")
    return size - 1
'''


def test_conditions_results_and_refusals_are_changed():
    """These are what a test that only runs the code does not notice."""
    found = {(one.before, one.after) for one in mutants(ROOM)}

    assert {
        ("size < limit", "size <= limit"),
        ("size < limit and (not log)", "size < limit or not log"),
        ("not log", "log"),
        ("size - 1", "size + 1"),
        ("return size - 1", "return None"),
        ("3", "4"),
    } <= found


def test_words_and_decorators_are_left_alone():
    """A change that no caller can meet would be counted as a missing test."""
    found = mutants(ROOM)

    assert not [one for one in found if one.before in {"True", "size + 1", "2", "int | None"}]


def test_a_sample_follows_from_its_seed():
    """A survivor can be met again."""
    found = mutants(ROOM)

    assert sample(found, 3, seed=1) == sample(found, 3, seed=1)
    assert len(sample(found, 3, seed=1)) == 3
    assert sample(found, None, seed=1) == found


def test_what_the_tests_let_through_is_told_and_the_room_restored(tmp_path):
    room = tmp_path / "room.py"
    room.write_text(ROOM, "utf-8")
    said: list[str] = []

    left = survivors(room, mutants(ROOM), lambda: "size <= limit" not in room.read_text("utf-8"), said.append)

    assert ("size < limit", "size <= limit") not in {(one.before, one.after) for one in left}
    assert len(left) == len(mutants(ROOM)) - 1 == len(said)
    assert room.read_text("utf-8") == ROOM


def put(folder, text=ROOM):
    room = folder / "room.py"
    room.write_text(text, "utf-8")
    return room


def imported(room):
    spec = importlib.util.spec_from_file_location("room", room)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one(before, after):
    return next(found for found in mutants(ROOM) if (found.before, found.after) == (before, after))


def test_a_change_inside_a_function_is_put_into_what_is_loaded(tmp_path):
    """A process with all tests loaded serves every mutant."""
    room = put(tmp_path)
    module = imported(room)

    for function, code in swaps(room, one("size - 1", "size + 1").source, loaded(room)):
        function.__code__ = code

    assert module.fits(5, 3, None) == 6


def test_a_change_that_takes_effect_at_import_is_not(tmp_path):
    room = put(tmp_path)
    module = imported(room)

    assert swaps(room, one("3", "4").source, loaded(room)) is None
    assert module.Least().limit == 3


def test_a_mutant_knows_the_lines_of_its_statement():
    """Tests that do not reach them cannot notice it."""
    head, whole = one("not log", "log"), one("return size - 1", "return None")

    assert (head.first, head.last) == (10, 10)
    assert (whole.first, whole.last) == (12, 12)


TESTS = """
from room import Least, fits

def test_others():
    assert Least().limit == 3

def test_fits():
    assert fits(5, 3, None) == 4
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_forks_of_one_process_tell_what_the_tests_let_through(tmp_path):
    """What is not reached is let through, and what takes effect at import is for another process."""
    room = put(tmp_path)
    (tmp_path / "tests").mkdir()
    for name in ("mutant_runs.py", "thoroughly.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    (tmp_path / "test_room.py").write_text(TESTS, "utf-8")
    taken = [one("size - 1", "size + 1"), one("not log", "log"), one("3", "4")]
    said: list[str] = []

    left, elsewhere = forked(tmp_path, room, taken, ["test_room.py"], said.append)

    assert (left, elsewhere) == ([taken[1]], [taken[2]])
    assert said == ["  room.py:10: not log -> log\n"]


def test_tests_that_fail_by_themselves_prove_nothing(tmp_path):
    room = tmp_path / "room.py"
    room.write_text(ROOM, "utf-8")

    with pytest.raises(SystemExit, match="without any change"):
        survivors(room, mutants(ROOM), lambda: False, str)


@pytest.mark.parametrize("room", GUARDS)
def test_every_room_and_its_guards_are_there(room):
    """A path that is gone would make a room look well guarded."""
    if not (ROOT / PACKAGE / room).exists():
        pytest.skip("the code is not beside the tests: these are those of a built wheel")

    assert [test for test in GUARDS[room] if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("room", ALIKE)
def test_what_is_called_alike_is_a_change_that_would_be_made(room):
    """A line that was rewritten since must be looked at again."""
    path = ROOT / PACKAGE / room
    if not path.exists():
        pytest.skip("the code is not beside the tests: these are those of a built wheel")

    changes = names(path.read_text("utf-8"))

    assert [change for change in ALIKE[room] if change not in changes] == []


def test_the_names_of_mutants_are_those_of_the_mutants():
    assert names(ROOM) == {(one.text, one.change) for one in mutants(ROOM)}
