"""The two archives hold what they must, nothing else, and are the same whoever builds them."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from clean import ROOT, run
from packaging.requirements import Requirement

import ibkr_adapter

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
VERSION = ibkr_adapter.__version__
ABOUT = f"ibkr_adapter-{VERSION}.dist-info"
MIB = 1 << 20
# A block of letters after the line, so that programs that only know the line are let through.
KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*(PRIVATE KEY|CERTIFICATE|PARAMETERS)-----\s+[A-Za-z0-9+/=]{40}")


def tracked(folder: str = ".") -> set[str]:
    """The files of the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: what belongs to the repository cannot be told")
    done = subprocess.run(  # noqa: S603  (git itself)
        ["git", "-C", str(ROOT), "ls-files", "-z", "--", folder],  # noqa: S607  (wherever it lies)
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}


def contents(archive: Path) -> dict[str, bytes]:
    """What is in an archive, by its name there."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            return {name: opened.read(name) for name in opened.namelist()}
    with tarfile.open(archive) as packed:
        files = {each.name.partition("/")[2]: packed.extractfile(each) for each in packed if each.isfile()}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_the_wheel_is_the_same_from_the_checkout_and_from_the_source_archive(wheel, tmp_path):
    """It was built from the archive, which therefore lacks nothing; byte for byte, so anybody can build it."""
    done = run(
        *(sys.executable, "-m", "build", "--quiet", "--wheel", "--no-isolation"),
        *("--outdir", tmp_path, ROOT),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 0, done.stderr
    assert [each.name for each in tmp_path.iterdir()] == [wheel.name]
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_source_archive_is_the_repository(sdist):
    """Whoever has it can run every check; what the repository does not know is not given away."""
    archive = contents(sdist)

    assert archive.keys() - tracked() == {"PKG-INFO"}
    assert tracked() - archive.keys() == set()
    assert [name for name in tracked() if archive[name] != (ROOT / name).read_bytes()] == []


def test_the_wheel_is_the_package_and_nothing_else(wheel):
    """What is installed is what is tested in the checkout, so its tests speak for the wheel as well."""
    archive = contents(wheel)
    forced = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    placed = {
        name.replace(source, target, 1): name for source, target in forced.items() for name in tracked(source)
    }
    code = {name: name for name in tracked("ibkr_adapter")}

    assert {name.partition("/")[0] for name in archive} == {"ibkr_adapter", ABOUT}
    assert {name for name in archive if name.startswith("ibkr_adapter/")} == code.keys() | placed.keys()
    assert [
        name for name, source in {**code, **placed}.items() if archive[name] != (ROOT / source).read_bytes()
    ] == []
    assert {name.partition("/")[2] for name in archive if name.startswith(ABOUT)} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "licenses/LICENSE",
    }
    assert "ibkr_adapter/py.typed" in archive


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_no_archive_holds_a_key_or_a_state(kind, request):
    """What is published stays published."""
    archive = contents(request.getfixturevalue(kind))
    odd = {".pem", ".key", ".crt", ".p12", ".env", ".sqlite3", ".log", ".pyc", ".part"}

    assert [name for name in archive if Path(name).suffix in odd] == []
    assert [name for name, content in archive.items() if KEY.search(content)] == []


@pytest.mark.parametrize(("kind", "most"), [("wheel", 2 * MIB), ("sdist", 4 * MIB)])
def test_no_archive_is_larger_than_it_was_meant_to_be(kind, most, request):
    """A recording or a built page that slips in is seen here first."""
    assert 100_000 < request.getfixturevalue(kind).stat().st_size < most


def test_the_registry_would_take_both_and_show_the_readme(wheel, sdist):
    """A page that cannot be rendered is found out after it is too late."""
    done = run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)

    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


def test_the_wheel_says_what_the_project_says(wheel):
    """Installers read this, nobody else does."""
    archive = contents(wheel)
    about = email.message_from_bytes(archive[f"{ABOUT}/METADATA"])
    wanted = [Requirement(each) for each in about.get_all("Requires-Dist")]
    always = {str(each) for each in wanted if "extra" not in str(each.marker)}

    assert (about["Name"], about["Version"], about["Requires-Python"]) == ("ibkr-adapter", VERSION, ">=3.11")
    assert (about["License-Expression"], about.get_all("License-File")) == ("MIT", ["LICENSE"])
    assert set(about.get_all("Classifier")) == set(PROJECT["project"]["classifiers"])
    assert set(about.get_all("Provides-Extra")) == PROJECT["project"]["optional-dependencies"].keys()
    assert always == {str(Requirement(each)) for each in PROJECT["project"]["dependencies"]}
    assert b"Tag: py3-none-any" in archive[f"{ABOUT}/WHEEL"]
