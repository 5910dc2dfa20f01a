"""Read the gateway's conf.yaml, and change the port and the allowed addresses in it when asked.

Only the lines in question are touched; everything else, comments included, stays as it is. The file as
it was is kept beside it. Nothing here understands YAML beyond what IBKR's file looks like, so what
does not look like it is refused and never guessed at.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from ibkr_adapter.errors import ConfigurationError

PLACE = Path("root") / "conf.yaml"
KEPT = "conf.yaml.before"
# What the gateway compares with: an address, or its beginning with a star.
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|([0-9]{1,3}\.){1,3}\*|[0-9a-fA-F:]*:[0-9a-fA-F:]*")
_PORT = re.compile(r"^(?P<head>listenPort:[ \t]*)(?P<value>[0-9]+)", re.MULTILINE)
_SSL = re.compile(r"^listenSsl:[ \t]*(true|false)", re.MULTILINE)
_ALLOW = re.compile(
    r"^(?P<pad>[ \t]+)allow:[ \t]*\r?\n(?P<rows>(?:[ \t]+-[ \t]*\S+[ \t]*\r?(?:\n|\Z))*)", re.MULTILINE
)
_ROW = re.compile(r"-[ \t]*(\S+)")
_HIGHEST_PORT = 65535


@attrs.frozen(kw_only=True)
class Configuration:
    """What of conf.yaml matters here."""

    port: int
    ssl: bool
    allowed: tuple[str, ...]

    def lets_in(self, address: str) -> bool:
        """Whether an address is allowed, as the gateway compares."""
        return any(
            address == rule or (rule.endswith("*") and address.startswith(rule[:-1])) for rule in self.allowed
        )


def read(folder: Path) -> Configuration:
    """Read the file of a gateway's folder.

    Raises:
        ConfigurationError: It cannot be read, or does not look like IBKR's.
    """
    return _understood(_text(folder), folder)


def write(folder: Path, *, port: int | None, allow: Sequence[str]) -> Configuration:
    """Set the port, and add addresses to those that are allowed; the file as it was is kept.

    Raises:
        ConfigurationError: It cannot be read or written, or an address is none; nothing was changed.
    """
    text = _text(folder)
    before = _understood(text, folder)
    for address in allow:
        if not _ADDRESS.fullmatch(address):
            raise ConfigurationError(
                f"{address!r:.40} is no address that conf.yaml could allow; nothing was changed.",
                remedy="Write an address such as 192.168.1.7, or the beginning of some, such as 192.168.*.",
            )
    if port is not None:
        if not 0 < port <= _HIGHEST_PORT:
            raise ConfigurationError(f"{port} is no port; nothing was changed.")
        text = _PORT.sub(lambda found: f"{found['head']}{port}", text, count=1)
    new = [address for address in dict.fromkeys(allow) if address not in before.allowed]
    if new:
        text = _ALLOW.sub(lambda found: _longer(found, new), text, count=1)
    after = _understood(text, folder)
    if after != before:
        _replace(folder / PLACE, text)
    return after


def _longer(found: re.Match[str], new: Sequence[str]) -> str:
    rows = found["rows"]
    pad = re.match(r"[ \t]*", rows)
    indent = pad[0] if pad and pad[0] else f"{found['pad']}  "
    if rows and not rows.endswith("\n"):
        rows += "\n"
    head = found[0][: len(found[0]) - len(found["rows"])]
    return head + rows + "".join(f"{indent}- {address}\n" for address in new)


def _understood(text: str, folder: Path) -> Configuration:
    port, ssl, allow = _PORT.search(text), _SSL.search(text), _ALLOW.search(text)
    if port is None or ssl is None or allow is None:
        missing = [
            name
            for name, found in (("listenPort", port), ("listenSsl", ssl), ("ips.allow", allow))
            if found is None
        ]
        raise ConfigurationError(
            f"{folder / PLACE} has no {' and no '.join(missing)} where IBKR's file has it; nothing was changed.",
            remedy="Put back the file of the download, and change it again.",
        )
    return Configuration(
        port=int(port["value"]), ssl=ssl[1] == "true", allowed=tuple(_ROW.findall(allow["rows"]))
    )


def _text(folder: Path) -> str:
    try:
        # Line ends stay what they are.
        return (folder / PLACE).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        reason = getattr(failure, "strerror", None) or "it is no text"
        raise ConfigurationError(
            f"{folder / PLACE} cannot be read: {reason}.",
            remedy="Name the folder into which clientportal.gw.zip was unpacked with --folder.",
        ) from None


def _replace(file: Path, text: str) -> None:
    try:
        shutil.copy2(file, file.with_name(KEPT))
        number, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
        with os.fdopen(number, "wb") as fresh:
            fresh.write(text.encode())
        shutil.copymode(file, name)
        Path(name).replace(file)
    except OSError as failure:
        raise ConfigurationError(f"{file} cannot be written: {failure.strerror}.") from None
