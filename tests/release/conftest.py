"""What a release is made of, and clean environments to try it in; ``make packages`` builds it first.

Run by ``make packages`` alone, because it builds, and installs from the registry: everything else of pytest
passes this folder by.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from clean import ROOT, run

from interpreters import found

ENVIRONMENTS = ROOT / "build" / "release"
PIP = (sys.executable, "-m", "pip")

collect_ignore_glob = [] if "IBKR_TESTS_RELEASE" in os.environ else ["test_*.py"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each Python of this machine, the environments of one by one worker."""
    if "version" in metafunc.fixturenames:
        metafunc.parametrize(
            "version", [pytest.param(each, marks=pytest.mark.xdist_group(each)) for each in found()]
        )


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The wheel that would be published."""
    (built,) = (ROOT / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="session")
def sdist() -> Path:
    """The source archive that would be published."""
    (built,) = (ROOT / "dist").glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked, without the package: tests there can only find what is installed."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    shutil.rmtree(root / "ibkr_adapter")
    return root


@pytest.fixture(scope="session")
def environment(wheel: Path) -> Callable[..., Path]:
    """Make a clean environment with the wheel and return its Python; one that is there already is taken.

    Tests of one environment belong to one worker (``xdist_group``), which makes it; the lock is for one that is asked for besides.
    """
    pythons = found()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()

    def make(*extras: str, version: str | None = None, also: tuple[str, ...] = ()) -> Path:
        folder = ENVIRONMENTS / "-".join(
            [version or "own", *(extras or ("core",)), *(["more"] if also else [])]
        )
        python, finished = folder / "bin" / "python", folder / "finished"
        ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
        # Workers are processes; whoever comes second finds it made.
        with folder.with_name(f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not finished.is_file() or finished.read_text("utf-8") != digest:
                base = pythons[version] if version else Path(sys.executable)
                wanted = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
                for command in (
                    (base, "-I", "-m", "venv", "--clear", "--without-pip", folder),
                    # Compiled is what is used, when it is used: most of pandas and matplotlib is not.
                    (*PIP, "--python", python, "install", "--quiet", "--no-compile", wanted, *also),
                ):
                    done = run(*command)
                    assert done.returncode == 0, done.stderr
                finished.write_text(digest, "utf-8")
        return python

    return make
