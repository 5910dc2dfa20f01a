"""Carry one stream over a WebSocket.

Knows the connection only: what the client writes goes to the stream, what the stream has to say
leaves in binary frames, and the end of one is the end of the other, in order or abruptly.
Answering pings is the library's. With :mod:`.reception` the only room that knows ``aiohttp``.

The stream wakes its carrier when something happens; time alone wakes nobody, so it is asked every
so often whether something is due.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from .breakage import reset
from .door import ABRUPT, Answer, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED_EVERY = 0.05  # seconds
_LARGEST_FRAME = 1_000_000


async def carry(
    request: web.BaseRequest, line: asyncio.Transport, answer: Answer, stream: Wire
) -> web.StreamResponse:
    """Be the stream's carrier until one of the two ends."""
    socket = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST_FRAME)
    socket.headers.extend(answer.headers)
    await socket.prepare(request)
    news = asyncio.Event()
    stream.wake = _from_any_thread(news)
    writer = asyncio.create_task(_write(socket, line, stream, news))
    try:
        async for message in socket:
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                stream.send(message.data)
    finally:
        stream.hang_up()
        writer.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await writer
    return socket


def _from_any_thread(news: asyncio.Event) -> Callable[[], None]:
    loop = asyncio.get_running_loop()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(news.set)

    return wake


async def _write(
    socket: web.WebSocketResponse, line: asyncio.Transport, stream: Wire, news: asyncio.Event
) -> None:
    while True:
        for one in stream.take():
            if one.text:
                await socket.send_frame(one.payload, WSMsgType.TEXT)
            else:
                await socket.send_bytes(one.payload)
        if stream.closed is not None:
            break
        news.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), ASKED_EVERY)
    if stream.closed == ABRUPT:
        reset(line)
    else:
        await socket.close(code=stream.closed)
