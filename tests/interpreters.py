"""Find the Pythons of this machine that a release can be tried on.

Which ones count is what ``pyproject.toml`` claims. Looked at are those that ``IBKR_TESTS_PYTHONS`` names, the
one that asks, what is on the path, and what pyenv and uv have put elsewhere. A name proves nothing:
a shim may stand for a Python that is not there, and Debian's may lack what a virtual environment
needs. So each is run and says itself what it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = "IBKR_TESTS_PYTHONS"
PATIENCE = 30.0
_CLAIM = re.compile(r"Programming Language :: Python :: (3\.\d+)")
_ASKED = (
    "import ensurepip, json, sqlite3, ssl, sys, venv;"
    "print(json.dumps(['.'.join(map(str, sys.version_info[:2])), sys.implementation.name]))"
)


def claimed(project: Path = ROOT / "pyproject.toml") -> list[str]:
    """The versions that the project says it works with, oldest first."""
    classifiers = tomllib.loads(project.read_text("utf-8"))["project"]["classifiers"]
    return [found[1] for each in classifiers if (found := _CLAIM.fullmatch(each))]


def version_of(python: Path) -> str | None:
    """What it says that it is, or ``None``: it does not run, or cannot make an environment."""
    done = _said([str(python), "-I", "-c", _ASKED])
    if done is None:
        return None
    version, kind = json.loads(done)
    return version if kind == "cpython" else None


def places(versions: Iterable[str], environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Where a Python may be; the first ones are the ones to prefer."""
    yield from map(Path, filter(None, environ.get(NAMED, "").split(os.pathsep)))
    yield Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    folders = [Path(each) for each in environ.get("PATH", "").split(os.pathsep) if each]
    for version in versions:
        for folder in folders:
            yield folder / f"python{version}"
        yield from _pyenv(version)
        yield from _uv(version)


def found(
    versions: Iterable[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    ask: Callable[[Path], str | None] = version_of,
) -> dict[str, Path]:
    """One Python of each version that is here, by its version."""
    wanted = list(claimed() if versions is None else versions)
    here: dict[str, Path] = {}
    for place in places(wanted, environ):
        named = place.name.removeprefix("python")
        # One that is named by its version need not be run to know that it is not wanted.
        if named in here or not place.exists():
            continue
        version = ask(place)
        if version in wanted:
            here.setdefault(version, place)
    return {version: here[version] for version in wanted if version in here}


def _pyenv(version: str) -> Iterator[Path]:
    root = _said(["pyenv", "root"]) if shutil.which("pyenv") else None
    if root is not None:
        yield from sorted(Path(root, "versions").glob(f"{version}.*/bin/python{version}"), reverse=True)


def _uv(version: str) -> Iterator[Path]:
    told = _said(["uv", "python", "find", "--no-python-downloads", version]) if shutil.which("uv") else None
    if told is not None:
        yield Path(told)


def _said(command: list[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  (interpreters of this machine, asked who they are)
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 and done.stdout.strip() else None


def main() -> None:
    """Say which are here, and which are not."""
    here = found()
    for version in claimed():
        sys.stdout.write(f"{version}\t{here.get(version, 'not on this machine')}\n")


if __name__ == "__main__":
    main()
