"""Processes, ports and the browser of this machine: the door of ``ibkr-adapter gateway``."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ibkr_adapter.tls import seen_fingerprint

HOST = "localhost"
_SECONDS = 10.0
_TAIL = 16_384


class Running(Protocol):
    """A process that was started here."""

    pid: int

    def ended(self) -> int | None:
        """Its exit code, or ``None`` while it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class _Process:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        # The handle keeps the number from being given to another process.
        self._process = process
        self.pid = process.pid

    def ended(self) -> int | None:
        return self._process.poll()

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class Machine:
    """What is found on this machine and started on it."""

    def javas(self) -> list[Path]:
        """Where Java may be, the likeliest first."""
        name = "java.exe" if os.name == "nt" else "java"
        home = os.environ.get("JAVA_HOME")
        on_path = shutil.which("java")
        places = [Path(home) / "bin" / name if home else None, Path(on_path) if on_path else None]
        usual = [*Path("/usr/lib/jvm").glob(f"*/bin/{name}")]
        usual += Path("/Library/Java/JavaVirtualMachines").glob(f"*/Contents/Home/bin/{name}")
        return [place for place in [*places, *sorted(usual, reverse=True)] if place and place.is_file()]

    def folders(self) -> list[Path]:
        """Where the gateway may have been unpacked, the likeliest first."""
        near = [Path.cwd(), Path.home(), Path.home() / "Downloads", Path("/opt")]
        return [
            place / name for place in near for name in ("clientportal.gw", ".") if (place / name).is_dir()
        ]

    def java_says(self, java: Path) -> str:
        """What ``java -version`` prints.

        Raises:
            OSError: It cannot be run, or does not end.
        """
        try:
            told = subprocess.run(  # noqa: S603  (a path that was found or named by the user)
                [str(java), "-version"], capture_output=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise OSError("it does not end") from None
        return (told.stderr + told.stdout).decode("utf-8", errors="replace")

    def start(self, command: Sequence[str], folder: Path, log: Path) -> Running:
        """Start a process apart from this terminal, whose words go to ``log``.

        Raises:
            OSError: It cannot be started, or the log cannot be written.
        """
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # What it prints is its own affair; nobody else shall read it.
        number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            process = subprocess.Popen(  # noqa: S603  (a path that was found or named by the user)
                list(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=number,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for this command, which then stops it in order.
                start_new_session=True,
            )
        finally:
            os.close(number)
        return _Process(process)

    def tail(self, log: Path) -> str:
        """The end of what a process has printed."""
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - _TAIL))
                return file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""

    def listens(self, port: int) -> bool:
        """Whether somebody accepts connections."""
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
        except OSError:
            return False
        return True

    def fingerprint(self, port: int) -> str | None:
        """The certificate that is shown there; ``None`` where no TLS is spoken."""
        return seen_fingerprint(HOST, port, _SECONDS)

    def browse(self, url: str) -> bool:
        """Open a page for a person, and tell whether there was a browser."""
        try:
            return webbrowser.open(url)
        except webbrowser.Error:
            return False
