"""Walk a newcomer's path and time each step: clone, demonstration, own script, notebook, first failed logins.

Run it with ``python -m tests.newcomer``, on a machine that has git, make and a Python, and reaches a package
registry. All happens in a new folder with a home of its own; what the pages tell people to type is taken
from the pages of the clone. Nothing is tried twice: a step that fails, or takes two minutes, ends
the walk.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).parents[1]
LIMIT = 120.0
PREFIX = "IBKR_ADAPTER_"
NOTEBOOK = Path("examples/notebooks/01_first_steps.ipynb")
_BLOCK = re.compile(r"^```python\n(# runs offline\n.*?)^```", re.MULTILINE | re.DOTALL)
_HIDDEN = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")


class StumbleError(Exception):
    """A newcomer would stand still here."""


@attrs.frozen(kw_only=True)
class Ground:
    """Where commands run: a folder, a home, and no settings but those given."""

    folder: Path
    home: Path

    def run(
        self, *command: object, settings: Mapping[str, object] | None = None, ends: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command once.

        Raises:
            StumbleError: It ends otherwise than said, or takes too long.
        """
        words = list(map(str, command))
        try:
            done = subprocess.run(  # noqa: S603  (what the pages say)
                words,
                cwd=self.folder,
                env=self.environ(settings),
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise StumbleError(f"{' '.join(words)} took more than {LIMIT:.0f} s") from late
        if ends is not None and done.returncode != ends:
            raise StumbleError(
                f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def environ(self, settings: Mapping[str, object] | None = None) -> dict[str, str]:
        """What the commands find set."""
        clean = {
            name: value
            for name, value in os.environ.items()
            if name not in _HIDDEN and not name.startswith(("IBKR_", "PYTEST_"))
        }
        told = {f"{PREFIX}{name.upper()}": str(value) for name, value in (settings or {}).items()}
        return {**clean, "HOME": str(self.home), "PYTHONUTF8": "1", **told}


# First steps ------------------------------------------------------------------------------


def first_programs(checkout: Path) -> list[str]:
    """The programs that the first pages show, in the order in which they are read."""
    found = [
        textwrap.dedent(block)
        for page in ("README.md", "docs/quickstart.md")
        for block in _BLOCK.findall((checkout / page).read_text("utf-8"))
    ]
    if len(found) < 2:
        raise StumbleError("the first pages show no programs")
    return found


def demonstration(ground: Ground) -> str:
    """The first command of the README."""
    told = ground.run("make", "demo", f"PYTHON={_base()}").stdout
    if told.count("filled: ") != 4:
        raise StumbleError(f"the demonstration did not carry out four webhooks:\n{told}")
    return "four webhooks carried out"


def own_script(ground: Ground, python: Path) -> str:
    """What the pages show, copied into files."""
    said = []
    for number, program in enumerate(first_programs(ground.folder)):
        script = ground.home / f"first_{number}.py"
        script.write_text(program, "utf-8")
        said += ground.run(python, script).stdout.strip().splitlines()
    return said[0]


def notebook(ground: Ground, python: Path) -> str:
    """The first notebook, run from its first cell to its last."""
    # The editor is the newcomer's own; nbclient stands for it.
    ground.run(python, "-m", "pip", "install", "--quiet", "-e", ".[notebook,plot]", "nbclient")
    out = ground.home / "ran.ipynb"
    program = (
        "import nbclient, nbformat, sys; book = nbformat.read(sys.argv[1], 4);"
        "nbclient.NotebookClient(book, timeout=60, kernel_name='python3').execute();"
        "nbformat.write(book, sys.argv[2])"
    )
    ground.run(python, "-c", program, NOTEBOOK, out)
    cells = [each for each in json.loads(out.read_text("utf-8"))["cells"] if each["cell_type"] == "code"]
    shown = [each for each in cells if each["outputs"]]
    return f"{len(cells)} cells run, {len(shown)} of them show something"


# First failed logins ----------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Explanation:
    """What was said about a login that failed, and what it must say."""

    title: str
    said: str
    cause: str
    remedy: str
    truth: str = "nothing was sent"

    def gaps(self) -> list[str]:
        """What a newcomer is not told."""
        wanted = {"cause": self.cause, "truth": self.truth, "remedy": self.remedy}
        missing = [name for name, words in wanted.items() if words not in self.said]
        if "Traceback" in self.said or len(self.said.strip().splitlines()) > 3:
            missing.append("brevity")
        return missing


def nobody_there(ground: Ground, command: Sequence[object]) -> Explanation:
    """Ask where nothing listens."""
    failed = ground.run(*command, "status", settings={"base_url": "https://localhost:1/v1/api"}, ends=1)
    return Explanation(
        title="no gateway runs",
        said=failed.stderr,
        cause="Nothing listens at localhost:1",
        remedy="Start the gateway",
    )


def unknown_certificate(ground: Ground, command: Sequence[object]) -> Explanation:
    """Meet a certificate that nobody has vouched for; then set the fingerprint that the message shows."""
    with _simulator(ground, command, "--tls") as ready:
        settings = {"base_url": ready["url"]}
        failed = ground.run(*command, "status", settings=settings, ends=2)
        shown = re.search(r"\b[0-9a-f]{64}\b", failed.stderr)
        if shown is None:
            raise StumbleError(f"the certificate's fingerprint is not told:\n{failed.stderr}")
        _works(ground.run(*command, "status", settings={**settings, "tls_fingerprint": shown[0]}))
    return Explanation(
        title="a certificate that nobody has vouched for",
        said=failed.stderr,
        cause="certificate that is not trusted",
        remedy="set tls_fingerprint to it",
    )


def wrong_key(ground: Ground, command: Sequence[object]) -> Explanation:
    """Sign with a key that is not the registered one; then with that one."""
    with _simulator(ground, command, "--auth", "oauth2") as ready:
        settings = {**ready["credentials"], "base_url": ready["url"]}
        key = rsa.generate_private_key(65537, 3072).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        other = ground.home / "other.pem"
        other.touch(0o600)
        other.write_bytes(key)
        failed = ground.run(*command, "status", settings={**settings, "private_key": other}, ends=1)
        if any(line in failed.stderr for line in key.decode().splitlines()):
            raise StumbleError("the message shows the key")
        _works(ground.run(*command, "status", settings=settings))
    return Explanation(
        title="OAuth 2.0 with a key that is not the registered one",
        said=failed.stderr,
        cause="refused at the step access token",
        remedy="Check client_id, client_key_id and private_key",
    )


def _works(done: subprocess.CompletedProcess[str]) -> None:
    if "PAPER" not in done.stdout:
        raise StumbleError(f"the remedy did not help:\n{done.stdout}{done.stderr}")


# The three usual ways to fail. After each, what the message says is done, and that must be all that it takes.
FAILURES = (nobody_there, unknown_certificate, wrong_key)


@contextmanager
def _simulator(ground: Ground, command: Sequence[object], *words: str) -> Iterator[dict[str, Any]]:
    with subprocess.Popen(  # noqa: S603  (our own command)
        [*map(str, command), "simulator", *words],
        cwd=ground.folder,
        env=ground.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as running:
        try:
            assert running.stdout is not None
            yield json.loads(running.stdout.readline())
        finally:
            running.send_signal(signal.SIGTERM)


def explained(explanations: Iterable[Explanation]) -> str:
    """Say how many failures explained themselves.

    Raises:
        StumbleError: One of them did not.
    """
    told = list(explanations)
    for each in told:
        if each.gaps():
            raise StumbleError(f"{each.title}: {', '.join(each.gaps())} is missing in\n{each.said}")
    return f"{len(told)} failures, each with cause, state and remedy"


# The walk ---------------------------------------------------------------------------------


def walk(folder: Path, show: Callable[[str, float, str], None]) -> None:
    """Take every step in its order, and show each with its time."""
    home, clone = folder / "home", folder / "ibkr-adapter"
    home.mkdir()
    python = clone / ".venv" / "bin" / "python"
    before, inside = Ground(folder=folder, home=home), Ground(folder=clone, home=home)
    steps: list[tuple[str, Callable[[], str]]] = [
        ("clone", lambda: before.run("git", "clone", "--quiet", ROOT, clone).stderr or "done"),
        ("`make demo`", lambda: demonstration(inside)),
        ("first own script", lambda: own_script(inside, python)),
        ("first notebook", lambda: notebook(inside, python)),
        (
            "first failed logins",
            lambda: explained(fail(inside, [python.with_name("ibkr-adapter")]) for fail in FAILURES),
        ),
    ]
    for name, step in steps:
        if name == "first notebook" and not (clone / NOTEBOOK).is_file():
            show(name, 0.0, f"left out: there is no {NOTEBOOK} yet")
            continue
        began = time.monotonic()
        said = step()
        took = time.monotonic() - began
        show(name, took, said)
        if took > LIMIT:
            raise StumbleError(f"{name} took {took:.0f} s")


def _base() -> Path:
    return Path(sys.base_prefix) / "bin" / "python3"


def main() -> int:
    """Walk, and print the steps as a table."""
    sys.stdout.write("| step | seconds | what came of it |\n| --- | --- | --- |\n")

    def show(name: str, seconds: float, said: str) -> None:
        sys.stdout.write(f"| {name} | {seconds:.1f} | {said} |\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
        try:
            walk(Path(folder), show)
        except StumbleError as stumble:
            sys.stderr.write(f"{stumble}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
