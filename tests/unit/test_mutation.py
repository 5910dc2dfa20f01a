"""The tool that breaks rooms on purpose breaks them, and says truly what was noticed."""

from __future__ import annotations

import pytest

from mutation import GUARDS, PACKAGE, ROOT, mutants, sample, survivors

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
