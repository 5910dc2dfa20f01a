"""Listen on one port and find out what each caller speaks.

Knows sockets up to the first byte: a TLS hello begins with 0x16, a request line never does, so
the first byte is looked at without being taken and http, https and later their WebSockets share
one port. Also knows how to be away: the port stays ours, and callers are refused; and every way in
which a TLS handshake can go wrong (F36). What is said on a connection is for the protocol that it is
handed to, :mod:`.server`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .door import HelloFault, HelloKind

if TYPE_CHECKING:
    import ssl

    from .certificate import Wardrobe

log = logging.getLogger(__name__)

BACKLOG = 128

_TLS_HELLO = b"\x16"
# A fatal alert: protocol version.
_NO_SUCH_VERSION = bytes((0x15, 3, 1, 0, 2, 2, 70))
_HELLO_SIZE = 65_536
_RUDE = frozenset({HelloKind.RESET, HelloKind.SILENCE, HelloKind.CLOSE, HelloKind.OLD_VERSION})
_HANDSHAKE_SECONDS = 10.0
# How long a TLS line that we close may wait for the client's own farewell.
_FAREWELL_SECONDS = 0.5
# Rest after a failed accept (no descriptors left, say), so that the loop does not spin.
_STUMBLE_SECONDS = 0.05
# A broken-off TLS transport needs several turns of the loop until its socket is closed.
_TURNS_TO_CLOSE = 5


def listen_at(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 takes a free one.

    Raises:
        OSError: The address is not ours to listen on, most often because the port is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = _bound(family, address)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from error
    listener.listen(BACKLOG)
    return listener


class Doorstep:
    """The listening socket of a running loop, and the connections that came through it."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        wardrobe: Wardrobe | None = None,
        greet: Callable[[], HelloFault | None] = lambda: None,
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._wardrobe = wardrobe
        self._greet_broker = greet
        self._is_open = False
        self._resting: asyncio.TimerHandle | None = None
        self._greeting: set[asyncio.Task[bool]] = set()
        self._lines: WeakSet[asyncio.Transport] = WeakSet()

    def open(self) -> None:
        """Let callers in, for the first time or again after :meth:`shut`."""
        if not self._is_open:
            self._is_open = True
            self._listener.listen(BACKLOG)
            self._watch()

    async def shut(self) -> None:
        """Refuse callers and drop those who have not said anything yet; keep the port."""
        if not self._is_open:
            return
        self._look_away()
        family, address = self._listener.family, self._listener.getsockname()
        self._listener.close()
        # A socket that is bound but does not listen refuses callers and holds the port meanwhile.
        self._listener = _bound(family, address)
        await self._end_greetings()

    async def close(self) -> None:
        """Stop listening and break off every connection that is still there."""
        self._look_away()
        self._listener.close()
        await self._end_greetings()
        for line in list(self._lines):
            line.abort()
        for _ in range(_TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    def _watch(self) -> None:
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _look_away(self) -> None:
        self._is_open = False
        asyncio.get_running_loop().remove_reader(self._listener)
        if self._resting:
            self._resting.cancel()

    def _accept(self) -> None:
        try:
            caller, _ = self._listener.accept()
        except BlockingIOError:  # the caller has left already
            return
        except OSError as error:
            log.warning("a caller could not be let in: %s", error)
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._listener)
            self._resting = loop.call_later(_STUMBLE_SECONDS, self._watch)
            return
        task = asyncio.create_task(self._greet(caller))
        # The loop itself holds tasks weakly: without this a greeting could vanish half way.
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)
        # Not in the task: one that is cancelled before its first step never comes to its end.
        task.add_done_callback(lambda ended: _close_unless_handed_over(ended, caller))

    async def _greet(self, caller: socket.socket) -> bool:
        try:
            caller.setblocking(False)
            first = await _first_byte(caller)
            if not first:
                return False
            context = None
            if first == _TLS_HELLO and self._wardrobe is not None:
                fault = self._greet_broker()
                if fault is not None and fault.kind in _RUDE:
                    return await _be_rude(fault, caller)
                context = self._shown(self._wardrobe, fault)
            self._lines.add(await self._hand_over(caller, context))
        except OSError as error:
            # A caller that hangs up, or does not trust us, is no trouble of ours.
            log.debug("a caller left before the first request: %s", error)
            return False
        return True

    async def _end_greetings(self) -> None:
        greeting = list(self._greeting)
        for task in greeting:
            task.cancel()
        await asyncio.gather(*greeting, return_exceptions=True)

    @staticmethod
    def _shown(wardrobe: Wardrobe, fault: HelloFault | None) -> ssl.SSLContext | None:
        if fault is None:
            return wardrobe.own.context
        return None if fault.kind is HelloKind.PLAIN else wardrobe.wrong(fault.kind.value).context

    async def _hand_over(self, caller: socket.socket, context: ssl.SSLContext | None) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        if context is not None:
            line, _ = await loop.connect_accepted_socket(
                self._protocol,
                caller,
                ssl=context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=_FAREWELL_SECONDS,
            )
        else:
            # Without a certificate a TLS hello is just a bad request line, and is answered so in plain text.
            line, _ = await loop.connect_accepted_socket(self._protocol, caller)
        return line


def _bound(family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if os.name == "posix":  # elsewhere the option would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


async def _first_byte(caller: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(caller, note)
    try:
        await arrived
    finally:
        loop.remove_reader(caller)
    return caller.recv(1, socket.MSG_PEEK)


async def _be_rude(fault: HelloFault, caller: socket.socket) -> bool:
    """Answer a TLS hello with nothing good; the line is never handed over."""
    loop = asyncio.get_running_loop()
    # Closing a socket with something unread in it would be a reset, whatever was wanted.
    await loop.sock_recv(caller, _HELLO_SIZE)
    if fault.kind is HelloKind.RESET:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif fault.kind is HelloKind.OLD_VERSION:
        await loop.sock_sendall(caller, _NO_SUCH_VERSION)
    elif fault.kind is HelloKind.SILENCE:
        with contextlib.suppress(TimeoutError):
            # Until the client has enough and leaves, which is read as nothing.
            await asyncio.wait_for(loop.sock_recv(caller, _HELLO_SIZE), fault.seconds)
    return False


def _close_unless_handed_over(greeting: asyncio.Task[bool], caller: socket.socket) -> None:
    if greeting.cancelled() or not greeting.result():
        caller.close()
