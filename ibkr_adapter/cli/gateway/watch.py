"""From the start of a gateway to a session that is up, and on: what happens is told as events.

It starts one process and stops that one, and no other. A gateway that runs already is used as it is and
left running. The brokerage session is opened like a program opens it, and the connection's own keeper
keeps it alive; when the gateway dies it is started again, a few times.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from ibkr_adapter.cli.pins import Pins
from ibkr_adapter.cli.reach import AGREED, Terminal
from ibkr_adapter.connection import Connection
from ibkr_adapter.connections import shared
from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import ConfigurationError, IBKRError, Throttled, TransportError
from ibkr_adapter.redact import redact
from ibkr_adapter.session import SessionState
from ibkr_adapter.settings import PREFIX, Settings
from ibkr_adapter.wire import endpoints
from ibkr_adapter.wire.session import read_status, tells_login

from .installation import Installation
from .machine import Machine, Running

# Seconds.
START_WITHIN = 60.0
STOP_WITHIN = 10.0
LOOK_EVERY = 3.0
# After so long without a login, people are told what may be wrong with the page.
SPINNING = 120.0
PAUSE = 5.0
MOST_STARTS = 5
# Having run for so long, it may be started as often again.
STEADY = 600.0
_FORBIDDEN, _BROKEN = 403, 500
_SHOWN_LINES = 8

_EXPLAINED: tuple[tuple[str, str, str], ...] = (
    (
        r"address already in use|bindexception",
        "its port is taken by another program",
        "End that one, or take another port (on macOS 5000 is AirPlay's): ibkr-adapter gateway --port 5001 --write",
    ),
    (
        r"unsupportedclassversion|unsupported major",
        "this Java is too old for it",
        "Install a newer one, or name it with --java.",
    ),
    (
        r"could not find or load main class|classnotfound|noclassdeffound",
        "the download is incomplete",
        "Unpack clientportal.gw.zip again.",
    ),
    (
        r"yaml|while parsing",
        "its conf.yaml cannot be read",
        "Put back the file of the download; conf.yaml.before is the one before the last change.",
    ),
    (r"keystore|\.jks", "its certificate cannot be opened", "See sslCert and sslPwd in conf.yaml."),
)


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened, for people and, with ``facts``, for programs."""

    name: str
    told: str
    remedy: str = ""
    facts: dict[str, Any] = attrs.field(factory=dict)


Tell = Callable[[Event], None]


class Watch:
    """One gateway from start to stop."""

    def __init__(
        self,
        installation: Installation,
        *,
        settings: Settings,
        doors: Doors,
        machine: Machine,
        pins: Pins,
        log: Path,
        terminal: Terminal,
        tell: Tell,
        browser: bool = True,
    ) -> None:
        self._installation = installation
        self._settings = settings
        self._doors = doors
        self._clock = doors.clock
        self._machine = machine
        self._pins = pins
        self._log = log
        self._terminal = terminal
        self._tell = tell
        self._browser = browser
        self._running: Running | None = None
        self._connection: Connection | None = None
        self._said: set[str] = set()
        self._starts = 0
        self._started = 0.0

    def run(self) -> None:
        """Start it, and stay with it until an interrupt; the process that was started is stopped then.

        Raises:
            ConfigurationError: A person must change something; the gateway was stopped again.
            TransportError: It did not start, or died too often.
        """
        try:
            self._come_up()
            while True:
                self._watch()
                self._start_again()
        finally:
            self._leave()

    # Up -----------------------------------------------------------------------------------

    def _come_up(self) -> None:
        port = self._installation.configuration.port
        if self._machine.listens(port):
            self._adopt(port)
        else:
            self._start()
            self._trust(port, ask=False)
        self._connect()

    def _adopt(self, port: int) -> None:
        """Use what listens already, if it is a gateway that somebody knows."""
        if self._installation.configuration.ssl and self._machine.fingerprint(port) is None:
            raise ConfigurationError(
                f"port {port} is taken by a program that is no gateway; nothing was started.",
                remedy=_EXPLAINED[0][2],
            )
        self._tell(
            Event(
                name="found",
                told=f"a gateway runs already at port {port}; it is used, and not stopped in the end",
                facts={"port": port},
            )
        )
        self._trust(port, ask=True)

    def _start(self) -> None:
        """Start it and wait until it accepts connections."""
        found = self._installation
        self._starts += 1
        self._started = self._clock.monotonic()
        try:
            self._running = self._machine.start(found.command, found.folder, self._log)
        except OSError as failure:
            raise ConfigurationError(
                f"{found.java.path} cannot be started: {failure.strerror or failure}."
            ) from None
        self._tell(
            Event(
                name="started",
                told=f"the gateway starts as process {self._running.pid}; what it prints is in {self._log}",
                facts={"pid": self._running.pid, "log": str(self._log)},
            )
        )
        while not self._machine.listens(found.configuration.port):
            if self._running.ended() is not None:
                raise self._death()
            if self._clock.monotonic() - self._started > START_WITHIN:
                raise TransportError(
                    f"the gateway does not accept connections after {START_WITHIN:.0f} seconds.",
                    remedy=f"Look into {self._log}.",
                )
            self._clock.sleep(0.25)

    def _death(self) -> IBKRError:
        """Explain why it ended by what it printed last."""
        running = self._running
        code = None if running is None else running.ended()
        self._running = None
        said = self._machine.tail(self._log)
        for pattern, what, remedy in _EXPLAINED:
            if re.search(pattern, said, re.IGNORECASE):
                return ConfigurationError(f"the gateway ended: {what}.", remedy=remedy)
        last = "\n".join(said.strip().splitlines()[-_SHOWN_LINES:])
        return TransportError(
            f"the gateway ended with code {code}. It printed last:\n{redact(last) or '(nothing)'}\n",
            remedy=f"All of it is in {self._log}.",
        )

    def _trust(self, port: int, *, ask: bool) -> None:
        """Pin its certificate when it is first met, after it was shown; another one is refused."""
        if not self._installation.configuration.ssl:
            return
        seen = self._machine.fingerprint(port)
        if seen is None:
            raise TransportError(
                "the gateway does not complete a TLS handshake.", remedy=f"Look into {self._log}."
            )
        known = self._settings.tls_fingerprint
        if known == seen or self._settings.ca_file is not None:
            return
        if known is not None:
            raise ConfigurationError(
                f"the gateway shows another certificate than the pinned one: its SHA-256 is {seen}.",
                remedy=f"If you gave it a new one, remove its line from {self._pins.path}, or correct"
                f" {PREFIX}TLS_FINGERPRINT; if not, somebody stands in between.",
            )
        self._tell(
            Event(
                name="certificate",
                told=f"its certificate has the SHA-256 {seen}",
                facts={"fingerprint": seen},
            )
        )
        if ask:
            self._ask_about(seen)
        self._pins.keep(self._settings.base_url, seen)
        self._tell(
            Event(
                name="pinned",
                told="commands trust it from now on; programs do with this setting",
                remedy=f"export {PREFIX}TLS_FINGERPRINT={seen}",
                facts={"fingerprint": seen, "file": str(self._pins.path)},
            )
        )
        self._settings = attrs.evolve(self._settings, tls_fingerprint=seen)

    def _ask_about(self, seen: str) -> None:
        """Have a person say that what runs there is theirs: it was not started here."""
        is_theirs = self._terminal.is_there() and (
            self._terminal.ask(f"Is that your gateway? Type {AGREED} to pin it: ") == AGREED
        )
        if not is_theirs:
            raise ConfigurationError(
                "nobody said that this certificate is the gateway's, so nothing was sent to it.",
                remedy=f"If it is: export {PREFIX}TLS_FINGERPRINT={seen}",
            )

    def _connect(self) -> None:
        self._connection = shared.connect(self._settings, self._doors, user=None, holder=self)

    # With it ------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Stay until the gateway ends; the session is brought up whenever somebody is logged in."""
        connection = self._connection
        assert connection is not None  # noqa: S101  (it was connected to above)
        self._said.clear()
        since = self._clock.monotonic()
        while self._running is None or self._running.ended() is None:
            if connection.session.state is SessionState.READY:
                # The keeper looks after it; a loss shows in the state.
                since = self._clock.monotonic()
            elif (logged_in := self._is_logged_in(connection)) is True:
                self._open(connection)
            elif logged_in is False:
                self._ask_for_login(waited=self._clock.monotonic() - since)
            self._clock.sleep(LOOK_EVERY)

    def _is_logged_in(self, connection: Connection) -> bool | None:
        """Ask the gateway; ``None`` where it cannot tell now."""
        try:
            answer = connection.client.call(
                endpoints.AUTH_STATUS, deadline=self._clock.monotonic() + STOP_WITHIN
            )
        except TransportError as failure:
            self._once("silent", f"the gateway does not answer: {failure.message}", failure.remedy)
            return None
        if answer.status == _FORBIDDEN:
            raise ConfigurationError(
                "the gateway denies this address (403).",
                remedy="Add it: ibkr-adapter gateway --allow 127.0.0.1 --write. If it is allowed, IBKR's own"
                " servers deny the address of this machine, as they do for some cloud hosts.",
            )
        if answer.status >= _BROKEN:
            self._once(
                "unavailable",
                f"IBKR does not answer behind the gateway (HTTP {answer.status})",
                "At night and on Saturday evenings that is maintenance; it is looked at again.",
            )
            return None
        status = read_status(answer.content)
        return status is not None and (status.connected or self._is_kept_alive(connection))

    def _is_kept_alive(self, connection: Connection) -> bool:
        """Ask whether there is a login, which a status that is not connected does not tell."""
        try:
            answer = connection.client.call(endpoints.TICKLE, deadline=self._clock.monotonic() + STOP_WITHIN)
        except (TransportError, Throttled):
            return False
        return tells_login(answer.content)

    def _ask_for_login(self, *, waited: float) -> None:
        page = self._installation.address
        if self._once("login", f"log in at {page}", "Use a paper user name to begin with.", page=page):
            opened = self._browser and self._machine.browse(page)
            if self._browser and not opened:
                self._once("browser", "there is no browser here", f"Open {page} on this machine.")
        if waited > SPINNING:
            self._once(
                "waiting",
                "nobody is logged in yet",
                "If the page only spins, the password was never sent: reload it, switch off what blocks scripts,"
                " or use a private window. After 'Client login succeeds' this goes on by itself.",
            )

    def _open(self, connection: Connection) -> None:
        try:
            connection.session.ensure(self._clock.monotonic() + START_WITHIN)
            accounts = connection.session.accounts()
        except IBKRError as failure:
            self._once(type(failure).__name__, failure.message, failure.remedy)
            return
        self._said.clear()
        self._tell(
            Event(
                name="ready",
                told=f"the session is up at {self._settings.base_url}; Ctrl-C stops the gateway",
                remedy="See which account it is: ibkr-adapter status",
                facts={"url": self._settings.base_url, "accounts": list(accounts.accounts)},
            )
        )

    def _once(self, name: str, told: str, remedy: str = "", **facts: Any) -> bool:
        """Tell something that may be found again and again."""
        if name in self._said:
            return False
        self._said.add(name)
        self._tell(Event(name=name, told=told, remedy=remedy, facts=facts))
        return True

    # Down ---------------------------------------------------------------------------------

    def _start_again(self) -> None:
        death = self._death()
        if isinstance(death, ConfigurationError):
            raise death
        if self._clock.monotonic() - self._started > STEADY:
            self._starts = 0
        if self._starts >= MOST_STARTS:
            raise death
        self._tell(Event(name="ended", told=death.message, remedy=f"It is started again in {PAUSE:.0f} s."))
        self._clock.sleep(PAUSE * self._starts)
        self._start()
        self._trust(self._installation.configuration.port, ask=False)
        if self._connection is not None:
            self._connection.session.lose(self._connection.session.epoch, "the gateway was started again")

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            shared.release(connection, self)
        running, self._running = self._running, None
        if running is None or running.ended() is not None:
            return
        running.terminate()
        until = self._clock.monotonic() + STOP_WITHIN
        while running.ended() is None and self._clock.monotonic() < until:
            self._clock.sleep(0.1)
        if running.ended() is None:
            running.kill()
        self._tell(Event(name="stopped", told="the gateway was stopped", facts={"pid": running.pid}))
