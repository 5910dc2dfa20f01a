"""The command ``ibkr-adapter gateway``: what is typed, and the events as they are shown."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ibkr_adapter.cli.codes import exit_codes
from ibkr_adapter.cli.printing import paper
from ibkr_adapter.cli.reach import AsJson, Reach
from ibkr_adapter.cli.screen import plain
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.setting_readers import AuthMethod
from ibkr_adapter.settings import PREFIX, Settings
from ibkr_adapter.state import state_directory

from . import configuration, installation
from .installation import Installation
from .machine import Machine
from .watch import Event, Watch

LOG = "gateway.log"


def gateway(
    context: typer.Context,
    *,
    folder: Annotated[Path | None, typer.Option(help="Where clientportal.gw.zip was unpacked.")] = None,
    java: Annotated[Path | None, typer.Option(help="The java to run it with.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; with --write it is set in conf.yaml.")] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="With --write: an address to let in; may be repeated.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Change conf.yaml; else it is only read.")] = False,
    look: Annotated[
        bool, typer.Option("--look", help="Find and check all of it, and start nothing.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open the login page.")] = True,
    as_json: AsJson = False,
) -> None:
    """Start the Client Portal Gateway, wait for your login, and keep the session up until Ctrl-C.

    It never asks for a password: you log in on IBKR's own page.
    """
    reach = Reach.of(context)
    machine = reach.machine or Machine()

    def tell(event: Event) -> None:
        _show(event, as_json=as_json)

    with exit_codes():
        found = installation.find(machine, java=java, folder=folder)
        found = _configured(found, port=port, allow=allow or [], write=write)
        tell(_about(found))
        if look:
            return
        settings = _settings(reach, found)
        watch = Watch(
            found,
            settings=settings,
            doors=reach.doors,
            machine=machine,
            pins=reach.pins(settings),
            log=state_directory(settings.state_dir, reach.variables) / LOG,
            terminal=reach.terminal,
            tell=tell,
            browser=browser,
        )
        with suppress(KeyboardInterrupt), _ended_by_signal():
            watch.run()


def _configured(found: Installation, *, port: int | None, allow: list[str], write: bool) -> Installation:
    conf = found.configuration
    changes = (port is not None and port != conf.port) or any(each not in conf.allowed for each in allow)
    if not changes:
        return found
    if not write:
        raise ConfigurationError(
            f"conf.yaml says port {conf.port} and lets in {', '.join(conf.allowed)}; nothing was changed or started.",
            remedy="Add --write to have it changed.",
        )
    return attrs.evolve(found, configuration=configuration.write(found.folder, port=port, allow=allow))


def _settings(reach: Reach, found: Installation) -> Settings:
    """Those of the environment, at the gateway's own address."""
    settings = Settings.from_env(
        reach.environ,
        overridden={"base_url": f"{found.address}/v1/api", "auth_method": AuthMethod.GATEWAY.value},
    )
    if settings.tls_fingerprint is None and settings.ca_file is None:
        pin = reach.pins(settings).of(settings.base_url)
        settings = attrs.evolve(settings, tls_fingerprint=pin)
    return settings


def _about(found: Installation) -> Event:
    conf = found.configuration
    remedy = ""
    if not conf.lets_in("127.0.0.1"):
        remedy = "This machine itself is not let in: add --allow 127.0.0.1 --write."
    elif f"{found.address}/v1/api" != "https://localhost:5000/v1/api":
        remedy = f"export {PREFIX}BASE_URL={found.address}/v1/api"
    return Event(
        name="configuration",
        told=f"gateway in {found.folder}, Java {found.java.version} ({found.java.path}), {found.address},"
        f" lets in {', '.join(conf.allowed) or 'nobody'}",
        remedy=remedy,
        facts={
            "folder": str(found.folder),
            "java": str(found.java.path),
            "java_version": found.java.version,
            "url": f"{found.address}/v1/api",
            "allowed": list(conf.allowed),
        },
    )


def _show(event: Event, *, as_json: bool) -> None:
    if as_json:
        line = {"event": event.name, "told": event.told, "remedy": event.remedy, **event.facts}
        typer.echo(json.dumps(line))
        return
    console = paper()
    console.print(plain(event.told, lines=True), soft_wrap=True)
    if event.remedy:
        console.print(plain(f"    -> {event.remedy}"), soft_wrap=True)


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Let SIGTERM end the watch like Ctrl-C, so that the gateway is stopped by both."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
