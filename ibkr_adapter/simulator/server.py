"""Run the simulated broker on a port: one thread, one certificate, one start and one stop.

Knows the life of the server: the port that is taken before the thread begins, so that a taken one is
an error of the caller's; the certificate and its folder; the thread and its end; the process that
is nothing but a simulator. Conversations with clients are in :mod:`.reception`, the broker in
:mod:`.gateway`.

Time here is socket time, which no test can move: the thread is not announced to the injected
clock, because it waits for clients and would seem busy for ever.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import TYPE_CHECKING, Self, TextIO

from ibkr_adapter.clock import Clock, SystemClock

from .certificate import Certificate, Wardrobe
from .doorstep import listen_at
from .edge import Edge
from .reception import Broker, Reception

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

log = logging.getLogger(__name__)

THREAD_NAME = "ibkr-simulator"
API_ROOT = "/v1/api"

# A loop that does not run by then never will.
_START_SECONDS = 10.0


class SimulatorServer:
    """A simulated broker on a port; a context manager, and startable again after a stop.

    With ``tls`` the port speaks http and https alike. With ``direct`` it behaves like IBKR's own host,
    which wants a user agent. ``port`` 0 takes a free one at each start. ``clock`` dates the
    answers and the certificate; ``seed`` makes the edge's cookies repeatable.
    """

    def __init__(
        self,
        gateway: Broker,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: bool = False,
        direct: bool = False,
        clock: Clock | None = None,
        seed: int = 7,
    ) -> None:
        self._gateway = gateway
        self._host = host
        self._wanted_port = port
        self._tls = tls
        self._clock = clock or SystemClock()
        self._edge = Edge(
            clock=self._clock,
            random=Random(seed),  # noqa: S311 - repeatable cookies are wanted, they guard nothing
            direct=direct,
        )
        self._port: int | None = None
        self._certificate: Certificate | None = None
        self._reception: Reception | None = None
        self._leavings = ExitStack()
        self._turn = threading.Lock()

    @property
    def port(self) -> int:
        """The port that is listened on.

        Raises:
            RuntimeError: The server is not started.
        """
        if self._port is None:
            raise RuntimeError("the simulator is not started")
        return self._port

    @property
    def url(self) -> str:
        """The root of the API, for the setting ``base_url``.

        Raises:
            RuntimeError: The server is not started.
        """
        # Nobody can call a wildcard address; loopback is always among those that it stands for.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104 - a comparison
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{API_ROOT}"

    @property
    def ca_file(self) -> Path | None:
        """The certificate in PEM while a server with TLS runs."""
        return self._certificate.ca_file if self._certificate else None

    @property
    def tls_fingerprint(self) -> str | None:
        """SHA-256 of the certificate in 64 hex digits while a server with TLS runs."""
        return self._certificate.fingerprint if self._certificate else None

    def start(self) -> str:
        """Listen and answer from now on, in a daemon thread.

        Returns:
            The root of the API; a started server answers it again.

        Raises:
            OSError: The port is taken or the address is not this machine's; nothing was started.
        """
        with self._turn:
            if self._reception is None:
                self._open()
            return self.url

    def stop(self) -> None:
        """End every connection, free the port and join the thread; more than once does nothing."""
        with self._turn:
            if self._reception is not None:
                self._reception.stop()
            # The thread first: the folder and the port are its until it has ended.
            self._leavings.close()
            self._reception = self._certificate = self._port = None

    def refuse(self, seconds: float = 0.0) -> None:
        """Let nobody in for so many seconds (0 takes the fault's default); idle connections end.

        When this returns, the port refuses. Connections that are in the middle of a call go on.

        Raises:
            RuntimeError: The server is not started.
        """
        with self._turn:
            if self._reception is None:
                raise RuntimeError("the simulator is not started")
            self._reception.refuse_from_outside(seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open(self) -> None:
        with ExitStack() as undo:
            # In the caller's thread, so that a port that is taken is the caller's error.
            listener = listen_at(self._host, self._wanted_port)
            undo.callback(listener.close)
            wardrobe = self._dress(undo) if self._tls else None
            reception = Reception(self._gateway, self._edge, listener, wardrobe)
            port = listener.getsockname()[1]
            thread = threading.Thread(target=reception.run, name=THREAD_NAME, daemon=True)
            thread.start()
            if not reception.ready.wait(_START_SECONDS):
                raise RuntimeError("the simulator's loop did not start")
            undo.callback(thread.join)
            self._leavings = undo.pop_all()
        self._certificate = wardrobe.own if wardrobe else None
        self._reception, self._port = reception, port
        log.info("simulator listens at %s", self.url)

    def _dress(self, undo: ExitStack) -> Wardrobe:
        folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="ibkr-simulator-"))
        return Wardrobe(Path(folder), now=self._clock.now(), host=self._host)


def run(
    gateway: Broker,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: bool = False,
    direct: bool = False,
    ready: TextIO | None = None,
    extra: Mapping[str, object] | None = None,
) -> None:
    """Serve in the foreground until SIGTERM or SIGINT; for a process's main thread only.

    When connections are accepted, one line of JSON goes to ``ready`` (standard output unless given):
    ``ready``, ``url``, ``account``, ``pid``, with TLS ``ca_file`` and ``tls_fingerprint``, and what
    ``extra`` adds. Nothing else is written there; the log goes to standard error.

    Raises:
        OSError: The port is taken or the address is not this machine's.
    """
    # This is the process's own entry, so it may say where logs go, unless somebody has before.
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # A simple queue may be fed from a signal handler; setting an event there can deadlock.
    signals: SimpleQueue[int] = SimpleQueue()
    with ExitStack() as undo:
        for number in (signal.SIGTERM, signal.SIGINT):
            undo.callback(signal.signal, number, signal.signal(number, lambda which, _: signals.put(which)))
        server = undo.enter_context(SimulatorServer(gateway, host=host, port=port, tls=tls, direct=direct))
        line: dict[str, object] = {
            "ready": True,
            "url": server.url,
            "account": gateway.account,
            "pid": os.getpid(),
            **(extra or {}),
        }
        if tls:
            line |= {"ca_file": str(server.ca_file), "tls_fingerprint": server.tls_fingerprint}
        stream = ready or sys.stdout
        stream.write(json.dumps(line) + "\n")
        stream.flush()
        log.info("simulator stops on signal %d", signals.get())
