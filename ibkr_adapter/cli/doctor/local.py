"""What is on this machine: Python, the package, settings and their origin, keys, the state folder, pacing."""

from __future__ import annotations

import os
import platform
import stat
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

from ibkr_adapter.auth import keys as key_reader
from ibkr_adapter.cli.printing import as_json
from ibkr_adapter.doors import Doors, throttle_of
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.setting_readers import AuthMethod, names_a_place
from ibkr_adapter.settings import KILL_SWITCH, PREFIX, Settings, name_of
from ibkr_adapter.state import distrust, state_directory

from .steps import Stage, Step, failed, note, ok

OLDEST = (3, 11)
_NEEDED = {
    AuthMethod.GATEWAY: (),
    AuthMethod.OAUTH1A: (
        "consumer_key",
        "access_token",
        "access_token_secret",
        "signature_key",
        "encryption_key",
        "dh_prime",
    ),
    AuthMethod.OAUTH2: ("client_id", "client_key_id", "private_key", "credential", "ip_address"),
}
_SIMULATED = frozenset({"base_url", "tls_fingerprint", "state_dir"})
_RSA = ("signature_key", "encryption_key", "private_key")


def package(version: tuple[int, ...] = sys.version_info[:3]) -> Step:
    """Which Python runs, and whether what the package needs is installed."""
    python = ".".join(map(str, version))
    if version < OLDEST:
        return failed(
            Stage.PACKAGE,
            f"Python {python} is too old.",
            f"Install Python {OLDEST[0]}.{OLDEST[1]} or newer, and the package in it.",
        )
    try:
        installed = metadata.version("ibkr-adapter")
    except metadata.PackageNotFoundError:
        installed = "not installed, run from its folder"
    place = str(Path(sys.modules["ibkr_adapter"].__file__ or "").parent)
    return ok(
        Stage.PACKAGE,
        f"Python {python} on {platform.system()}, ibkr-adapter {installed}",
        python=python,
        package=installed,
        place=place,
    )


def settings(found: Settings, environ: Mapping[str, str], *, pinned: bool, simulated: bool) -> Step:
    """Which settings count, and where each comes from; what is secret is only said to be there."""
    written = _written(environ)
    rows: dict[str, dict[str, Any]] = {}
    for field in attrs.fields(Settings):
        value = getattr(found, field.name)
        origin = "derived" if field.default is None and value is not None else "default"
        if simulated:
            origin = "the simulated broker" if field.name in _SIMULATED else "default"
        elif field.name in written:
            origin = written[field.name]
        elif field.name == "tls_fingerprint" and pinned:
            origin = "the pin of ibkr-adapter gateway"
        rows[field.name] = {"value": _shown(field, value), "from": origin}
    # What was chosen; a default is no news.
    told = ", ".join(
        f"{name}={row['value']} ({row['from']})"
        for name, row in rows.items()
        if row["from"] not in {"default", "derived"}
    )
    return ok(
        Stage.SETTINGS,
        f"{found.auth_method} at {found.base_url}; {told or 'all are defaults'}",
        settings=rows,
    )


def _written(environ: Mapping[str, str]) -> dict[str, str]:
    """Which variable sets which setting."""
    return {
        name_of(key.removeprefix(PREFIX).lower()): key
        for key, value in environ.items()
        if key.startswith(PREFIX) and value.strip() and key != KILL_SWITCH
    }


def _shown(field: attrs.Attribute[Any], value: Any) -> Any:
    if field.metadata.get("secret"):
        if value is None:
            return None
        return value if field.metadata.get("key") and names_a_place(value) else "hidden"
    return as_json(value)


def keys(found: Settings) -> Step:
    """Whether the login's keys are there, readable by their owner alone, and of a kind that IBKR takes."""
    needed = _NEEDED[found.auth_method]
    if not needed:
        return ok(Stage.KEYS, "a gateway needs none")
    missing = [name for name in needed if not getattr(found, name)]
    if missing:
        return failed(
            Stage.KEYS,
            f"{', '.join(missing)} is missing."
            if len(missing) == 1
            else f"{', '.join(missing)} are missing.",
            f"Set {PREFIX}{missing[0].upper()}; docs/authentication.md says how each is had.",
        )
    try:
        for name in needed:
            _check(name, found)
    except ConfigurationError as wrong:
        return failed(Stage.KEYS, wrong.message, wrong.remedy)
    modes = {name: mode for name in needed if (mode := _mode(getattr(found, name))) is not None}
    told = ", ".join(f"{name} {mode}" for name, mode in modes.items()) or "given as text"
    return ok(Stage.KEYS, f"all of {found.auth_method} are there and of the right kind; {told}", modes=modes)


def _check(name: str, found: Settings) -> None:
    value = getattr(found, name)
    if name in _RSA:
        key_reader.private_key(value, name)
    elif name == "dh_prime":
        key_reader.dh_prime(value, name, generator=found.dh_generator)
    elif name == "access_token_secret":
        key_reader.plain_secret(value, name)


def _mode(value: str) -> str | None:
    if not names_a_place(value):
        return None
    try:
        return f"{stat.S_IMODE(Path(value).expanduser().stat().st_mode):04o}"
    except OSError:
        return None


def state_folder(found: Settings) -> Step:
    """Whether the folder of the journal can be trusted and written; it is not made here."""
    folder = state_directory(found.state_dir, os.environ)
    remedy = (
        "Name another folder in IBKR_ADAPTER_STATE_DIR, or correct this one; without it no order goes out."
    )
    try:
        seen = folder.stat()
    except FileNotFoundError:
        return note(Stage.STATE_FOLDER, f"{folder} is not there yet; the first call makes it.")
    except OSError as failure:
        return failed(Stage.STATE_FOLDER, f"{folder}: {failure.strerror}.", remedy)
    if not stat.S_ISDIR(seen.st_mode):
        return failed(Stage.STATE_FOLDER, f"{folder} is no folder.", remedy)
    why = distrust(seen, os.geteuid()) if os.name == "posix" else None
    if why is None and not os.access(folder, os.W_OK | os.X_OK):
        why = "it cannot be written"
    if why is not None:
        return failed(Stage.STATE_FOLDER, f"{folder}: {why}.", remedy)
    files = sorted(path.name for path in folder.glob("*.sqlite3"))
    at_work = len(list(folder.glob("*.alive")))
    told = f"{folder}, mode {stat.S_IMODE(seen.st_mode):04o}, {', '.join(files) or 'empty'}"
    return ok(Stage.STATE_FOLDER, told, folder=str(folder), files=files, alive_files=at_work)


def pacing(found: Settings, doors: Doors) -> Step:
    """Whether IBKR has shut something out, by the book that all processes of this machine keep."""
    book = state_directory(found.state_dir, os.environ) / "pacing.sqlite3"
    if not doors.shared or not book.exists():
        return ok(Stage.PACING, "no request was counted yet")
    throttle = throttle_of(found, doors)
    try:
        state = throttle.state()
    finally:
        throttle.close()
    closed = {name: round(left) for name, left in state.closed.items()}
    if state.boxed_for > 0:
        return failed(
            Stage.PACING,
            f"IBKR has put this address in its penalty box; all stops for {state.boxed_for:.0f} s more.",
            "Wait. Then lower requests_per_second, and look what else calls from this address.",
            boxed_for=round(state.boxed_for),
            closed=closed,
        )
    if closed:
        listed = ", ".join(f"{name} for {left} s" for name, left in closed.items())
        return note(
            Stage.PACING,
            f"IBKR refused some paths lately: {listed}.",
            "They open by themselves.",
            closed=closed,
        )
    return ok(Stage.PACING, f"{state.rate:g} requests a second, nothing closed", rate=state.rate, closed={})
