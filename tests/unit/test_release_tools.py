"""The tools of a release: which Pythons are here, and which licences are taken."""

from __future__ import annotations

import os

import pytest

import interpreters
from licences import Found, complaints


def place(folder, *names):
    for name in names:
        (folder / name).touch()
    return {"PATH": str(folder)}


def test_a_name_on_the_path_is_no_python_until_it_has_run(tmp_path):
    """A shim stands for what may not be there."""
    environ = place(tmp_path, "python3.11", "python3.12")

    here = interpreters.found(
        ["3.11", "3.12"], environ, lambda python: "3.11" if python == tmp_path / "python3.11" else None
    )

    assert here.get("3.11") == tmp_path / "python3.11"
    assert "3.12" not in here


def test_a_python_counts_as_what_it_says_that_it_is(tmp_path):
    """Whatever its file is called; one that the project does not claim counts for nothing."""
    environ = place(tmp_path, "python3.12", "mine", "old")
    environ[interpreters.NAMED] = os.pathsep.join([str(tmp_path / "mine"), str(tmp_path / "old")])
    said = {"mine": "3.13", "old": "3.9", "python3.12": "3.12"}

    here = interpreters.found(
        ["3.12", "3.13"], environ, lambda python: said[python.name] if python.parent == tmp_path else None
    )

    assert here == {"3.12": tmp_path / "python3.12", "3.13": tmp_path / "mine"}


def test_what_cannot_be_run_is_no_python(tmp_path):
    (tmp_path / "python3.12").write_text("#!/bin/sh\necho no such version >&2\nexit 127\n")
    (tmp_path / "python3.12").chmod(0o755)

    assert interpreters.version_of(tmp_path / "python3.12") is None
    assert interpreters.version_of(tmp_path / "absent") is None


@pytest.mark.parametrize("licence", ["MIT", "Apache-2.0 AND MIT", "GPL-3.0-only OR BSD-3-Clause", "MPL-2.0"])
def test_a_licence_is_taken_if_all_parts_of_one_choice_are(licence):
    assert complaints([Found(name="some", version="1", licence=licence)]) == []


@pytest.mark.parametrize(
    ("licence", "why"),
    [
        ("GPL-3.0-only", "GPL-3.0-only is not one that we take"),
        ("MIT AND AGPL-3.0-only", "is not one that we take"),
        ("(MIT OR GPL-2.0-only) AND MIT", "is not one that we take"),
        ("License :: Other/Proprietary License", "is not one that we take"),
        (None, "it does not say its licence"),
    ],
)
def test_a_licence_that_nobody_has_looked_at_is_a_complaint(licence, why):
    """One that is not understood is not waved through."""
    (told,) = complaints([Found(name="some", version="1", licence=licence)])

    assert told.startswith("some 1: ")
    assert told.endswith(why)
