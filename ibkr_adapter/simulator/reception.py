"""Hold the conversations of the simulated broker with its clients.

Knows HTTP connections: it turns bytes into a :class:`~.door.Request`, asks the broker, and lets the
:class:`~.door.Answer` leave well or, when a fault is noted on it, badly. Requests of one connection
are answered in order, connections beside each other; the broker is asked in the loop itself,
because it answers at once. What is answered is the broker's (:mod:`.gateway`), what a fault looks
like :mod:`.breakage`'s, ports and first bytes :mod:`.doorstep`'s, the habits of the web servers on
the way :mod:`.edge`'s, and the thread :mod:`.server`'s. The only room that knows ``aiohttp``.

How a refused connection (F01) can be had: a server can only refuse whom it has not let in, so
the call that *finds* the fault has a connection already and is reset unread; from then on, for the
fault's seconds, nobody is let in and idle connections are closed. For a call that is refused
from its first packet, shut the port beforehand: :meth:`.server.SimulatorServer.refuse`, or the note
on an answer of the control room, which itself arrives well.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, urlsplit

import attrs
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .breakage import duration, hold, inflict, reset
from .door import Answer, HelloFault, Request, WireFault, WireFaultKind
from .doorstep import Doorstep
from .edge import CONTROL_ROOM, Edge, compress, unreadable
from .stream_door import carry

if TYPE_CHECKING:
    import socket

    from .certificate import Wardrobe

log = logging.getLogger(__name__)


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether a line of the log is news; what a client has written wrong is answered, and no accident."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


log.addFilter(_is_ours)

# How long a request that is being answered may still take when the server stops.
_GRACE_SECONDS = 0.2

_UNREAD = frozenset(
    {
        WireFaultKind.RESET_UNREAD,
        WireFaultKind.CLOSE_UNREAD,
        WireFaultKind.HALF_OPEN_UNREAD,
        WireFaultKind.REFUSE,
    }
)


class Broker(Protocol):
    """What the server asks of the simulated broker; all calls are quick and thread-safe."""

    account: str

    def greet(self) -> HelloFault | None:
        """Take the fault, if one is armed, that strikes a TLS handshake."""

    def peek(self, method: str, path: str) -> WireFault | None:
        """Take the fault, if one is armed, that strikes before this call's body is read."""

    def handle(self, request: Request) -> Answer:
        """Process one request."""


class Reception:
    """The inside of a running server: everything here but three calls happens in its loop."""

    def __init__(
        self, gateway: Broker, edge: Edge, listener: socket.socket, wardrobe: Wardrobe | None = None
    ) -> None:
        self.ready = threading.Event()
        self._gateway = gateway
        self._edge = edge
        self._listener = listener
        self._wardrobe = wardrobe
        self._busy: set[object] = set()
        self._reopening: asyncio.TimerHandle | None = None

    def run(self) -> None:
        """Serve until :meth:`stop`; the thread's whole life."""
        # Looking at a first byte needs a loop that watches descriptors, which is not every
        # platform's default.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._serve())

    def stop(self) -> None:
        """End the loop, from another thread."""
        self._loop.call_soon_threadsafe(self._stopped.set_result, None)

    def refuse_from_outside(self, seconds: float) -> None:
        """Shut the port, from another thread, and return when it is shut."""
        fault = WireFault(kind=WireFaultKind.REFUSE, seconds=seconds)
        asyncio.run_coroutine_threadsafe(self._refuse(fault), self._loop).result()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._http = web.Server(self._answer, logger=log, access_log=None)
        self._doorstep = Doorstep(self._listener, self._http, self._wardrobe, self._gateway.greet)
        self._doorstep.open()
        self.ready.set()
        await self._stopped
        if self._reopening:
            self._reopening.cancel()
        self._drop_idle()
        await self._http.shutdown(_GRACE_SECONDS)
        await self._doorstep.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            return await self._converse(request)
        finally:
            self._busy.discard(request.protocol)

    async def _converse(self, request: web.BaseRequest) -> web.StreamResponse:
        line = request.transport
        if line is None:  # gone before it was looked at
            return _hang_up(request)
        path, raw_query = _split(request.raw_path)
        early = self._gateway.peek(request.method, path)
        if early is not None:
            return await self._drop_unread(request, line, early)
        arrived = Request(
            method=request.method,
            path=path,
            query=tuple(parse_qsl(raw_query, keep_blank_values=True)),
            raw_query=raw_query,
            headers=_folded(request),
            client=request.remote or "",
            local=_local(line),
            secure=request.secure,
        )
        refused = self._edge.refusal(arrived)
        if refused is not None:
            return _response(self._edge.dress(arrived, refused), last=True)
        try:
            arrived = attrs.evolve(arrived, body=await request.read())
        except OSError:  # the client left in the middle of its body: nothing was asked
            return _hang_up(request)
        except web.RequestPayloadError:  # it is not compressed as it is said to be
            return _response(self._edge.dress(arrived, unreadable()), last=True)
        answer = self._edge.dress(arrived, self._gateway.handle(arrived))
        log.debug("%s %s -> %d %s", arrived.method, path, answer.status, answer.wire or "")
        return await self._deliver(request, line, arrived, answer)

    async def _deliver(
        self, request: web.BaseRequest, line: asyncio.Transport, arrived: Request, answer: Answer
    ) -> web.StreamResponse:
        fault = answer.wire
        if answer.stream is not None and fault is None:
            return await carry(request, line, answer, answer.stream)
        if fault is None:
            return _response(compress(arrived, answer))
        if fault.kind not in _UNREAD:
            left = await inflict(fault, answer, line, self._pause)
            return _hang_up(request) if left is None else _response(compress(arrived, left))
        if not arrived.path.startswith(CONTROL_ROOM) or fault.kind is not WireFaultKind.REFUSE:
            return await self._drop_unread(request, line, fault)
        # The control room says how it went before the port shuts; see the module's docstring.
        await self._refuse(fault)
        return _response(compress(arrived, answer), last=True)

    async def _drop_unread(
        self, request: web.BaseRequest, line: asyncio.Transport, fault: WireFault
    ) -> web.StreamResponse:
        if fault.kind is WireFaultKind.REFUSE:
            # Before the reset: a quick client calls again at once, and must find the port shut.
            await self._refuse(fault)
        if fault.kind is WireFaultKind.HALF_OPEN_UNREAD:
            await hold(line, self._pause, duration(fault))
        elif fault.kind is not WireFaultKind.CLOSE_UNREAD:
            reset(line)
        return _hang_up(request)

    async def _refuse(self, fault: WireFault) -> None:
        await self._doorstep.shut()
        self._drop_idle()
        if self._reopening:
            self._reopening.cancel()
        self._reopening = self._loop.call_later(duration(fault), self._doorstep.open)

    def _drop_idle(self) -> None:
        for connection in self._http.connections:
            if connection not in self._busy:
                connection.force_close()

    async def _pause(self, seconds: float) -> bool:
        done, _ = await asyncio.wait({self._stopped}, timeout=seconds)
        return not done


def _local(line: asyncio.Transport) -> str:
    host, port = line.get_extra_info("sockname")[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _split(target: str) -> tuple[str, str]:
    if not target.startswith("/"):  # a proxy's form of request line names the host as well
        parts = urlsplit(target)
        target = f"{parts.path}?{parts.query}"
    path, _, query = target.partition("?")
    return path, query


def _folded(request: web.BaseRequest) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        # Bytes that are no UTF-8 arrive as halves of characters, which nobody could write or compare.
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # noqa: PLW2901
        between = "; " if lower == "cookie" else ", "
        headers[lower] = f"{headers[lower]}{between}{value}" if lower in headers else value
    return headers


def _response(answer: Answer, *, last: bool = False) -> web.Response:
    response = web.Response(
        status=answer.status, headers=(*answer.headers, ("Server", "ibkr-simulator")), body=answer.body
    )
    if last:
        response.force_close()
    return response


def _hang_up(request: web.BaseRequest) -> web.Response:
    # With its line gone the response finds nowhere to go, which aiohttp takes for a lost client.
    request.protocol.force_close()
    return web.Response()
