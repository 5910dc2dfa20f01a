"""Find Java and the downloaded gateway, and say what is wrong with either."""

from __future__ import annotations

import os
import re
from pathlib import Path

import attrs

from ibkr_adapter.errors import ConfigurationError

from . import configuration
from .configuration import Configuration
from .machine import Machine

DOWNLOAD = "https://download2.interactivebrokers.com/portal/clientportal.gw.zip"
JAR = Path("dist") / "ibgroup.web.core.iblink.router.clientportal.gw.jar"
MAIN = "ibgroup.web.core.clientportal.gw.GatewayStart"
# Java 8 from update 192 on.
OLDEST = (8, 192)
_VERSION = re.compile(r'version "(?P<version>[^"]+)"')


@attrs.frozen(kw_only=True)
class Java:
    """A Java that is new enough, and how it calls itself."""

    path: Path
    version: str


@attrs.frozen(kw_only=True)
class Installation:
    """All that it takes to start a gateway."""

    java: Java
    folder: Path
    configuration: Configuration

    @property
    def address(self) -> str:
        """Where it answers."""
        scheme = "https" if self.configuration.ssl else "http"
        return f"{scheme}://localhost:{self.configuration.port}"

    @property
    def command(self) -> tuple[str, ...]:
        """What starts it, in its folder; bin/run.sh does the same."""
        path = os.pathsep.join(["root", str(JAR), str(Path("build") / "lib" / "runtime" / "*")])
        return (
            str(self.java.path),
            "-server",
            "-Dvertx.disableDnsResolver=true",
            "-Djava.net.preferIPv4Stack=true",
            "-Dvertx.logger-delegate-factory-class-name=io.vertx.core.logging.SLF4JLogDelegateFactory",
            "-Dnologback.statusListenerClass=ch.qos.logback.core.status.OnConsoleStatusListener",
            "-cp",
            path,
            MAIN,
            "--conf",
            # It looks from the folder of the configuration.
            "../root/conf.yaml",
        )


def find(machine: Machine, *, java: Path | None, folder: Path | None) -> Installation:
    """Find both, the named ones or the likeliest.

    Raises:
        ConfigurationError: One of them is missing or of no use; nothing was started.
    """
    place = _folder(machine, folder)
    return Installation(java=_java(machine, java), folder=place, configuration=configuration.read(place))


def _folder(machine: Machine, named: Path | None) -> Path:
    places = [named.expanduser()] if named is not None else machine.folders()
    for place in places:
        if (place / configuration.PLACE).is_file() and (place / JAR).is_file():
            return place.resolve()
    where = str(named) if named is not None else "here, at home, in Downloads or in /opt"
    raise ConfigurationError(
        f"there is no Client Portal Gateway ({where}); nothing was started.",
        remedy=f"Download {DOWNLOAD}, unpack it into a folder clientportal.gw, and name that with --folder.",
    )


def _java(machine: Machine, named: Path | None) -> Java:
    places = [named.expanduser()] if named is not None else machine.javas()
    reasons = []
    for place in places:
        try:
            said = machine.java_says(place)
        except OSError as failure:
            reasons.append(f"{place} cannot be run: {failure.strerror or failure}")
            continue
        found = _VERSION.search(said)
        if found is None:
            reasons.append(f"{place} does not say which version it is")
        elif _numbers(found["version"]) < OLDEST:
            reasons.append(f"{place} is version {found['version']}, which is too old")
        else:
            return Java(path=place.absolute(), version=found["version"])
    why = f": {'; '.join(reasons)}" if reasons else ""
    raise ConfigurationError(
        f"the gateway needs Java 8 (update 192) or newer, and none was found{why}; nothing was started.",
        remedy="Install one (such as OpenJDK 17 from https://adoptium.net), or name it with --java.",
    )


def _numbers(version: str) -> tuple[int, int]:
    """The main version and, of Java 8, its update: ``1.8.0_202`` is 8 and 202, ``17.0.1`` is 17."""
    parts = [int(part) for part in re.findall(r"[0-9]+", version)]
    if parts[:1] == [1]:
        return (parts[1] if len(parts) > 1 else 0), (parts[3] if len(parts) > 3 else 0)  # noqa: PLR2004
    main = parts[0] if parts else 0
    return main, 0
