"""The lines themselves: urllib3's connections, with a record of what left.

A connection here makes connecting explicit, counts what the kernel took of each request, and
reads answers as :mod:`.answer` does. Everything that fails in it leaves as
:class:`.call.LineBroken`, whereupon urllib3 closes the line; what that means for the caller is
for :mod:`.failures`.

Imported at the first call only, because urllib3 loads slowly. Held by
``tests/unit/test_transport.py``, where raw socket servers break their answers in every known way
and their own log tells what they took.
"""

from __future__ import annotations

import http.client
import socket
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from ibkr_adapter.transport.answer import WholeAnswer, reason_of, system_error
from ibkr_adapter.transport.call import Call, LineBroken, current_call

# Between a gateway and IBKR sit boxes that forget a quiet line without telling; what is sent on
# such a line is lost, and whether it was lost cannot be told.
IDLE_TOO_LONG = 20.0


class PlainLine(HTTPConnection):
    """A connection that keeps the record of its calls; plain HTTP, for this machine."""

    response_class = WholeAnswer
    _last: Call | None = None

    def connect(self) -> None:
        """Open the line, within what the call may still take."""
        call = current_call()
        call.connecting = True
        try:
            super().connect()
        except OSError as error:
            raise LineBroken(reason_of(error), error) from None
        call.connecting = call.shaking_hands = False

    def request(self, *args: Any, **options: Any) -> None:
        """Send one request, on a line that is open and has nothing of an earlier call on it."""
        call = current_call()
        if self.sock is not None and not self._is_fit_for(call):
            self.close()
        if self.sock is None:
            self.connect()
            if call.on_open is not None:
                call.on_open()
        self._last = call
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        """Hand bytes to the kernel, and note how many it took."""
        call = current_call()
        call.offer(len(data))
        sock = cast("socket.socket", self.sock)
        unsent = memoryview(data)
        try:
            while unsent:
                sock.settimeout(call.left())
                taken = sock.send(unsent)
                call.took(taken)
                unsent = unsent[taken:]
        except OSError as error:
            raise LineBroken(reason_of(error), error) from None

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3 itself
        """Read status and headers of the answer."""
        try:
            return super().getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise LineBroken(reason_of(error), system_error(error)) from None

    def _is_fit_for(self, call: Call) -> bool:
        last = self._last
        if last is None:
            return True
        return not last.leftovers and not (call.changes_state and call.idle_since(last) > IDLE_TOO_LONG)

    def _new_conn(self) -> socket.socket:
        # urllib3 gives every address of a name the whole time-out, one after another.
        call = current_call()
        found = socket.getaddrinfo(self._dns_host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        failure: OSError = OSError("the name has no address")
        for tried, (family, kind, protocol, _, address) in enumerate(found):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(call.left() / (len(found) - tried))
                sock.connect(address)
                sock.settimeout(call.left())
            except OSError as error:
                sock.close()
                failure = error
            else:
                call.shaking_hands = True
                return sock
        raise failure


class TlsLine(PlainLine, HTTPSConnection):
    """The same over TLS, to a peer that the context has judged."""

    def connect(self) -> None:
        """Open the line and shake hands."""
        super().connect()
        # Our context is the judge; where verification was switched off for this machine, urllib3
        # would complain at every call.
        self.is_verified = True


class PlainPool(HTTPConnectionPool):
    """Plain lines to one server."""

    ConnectionCls = PlainLine


class TlsPool(HTTPSConnectionPool):
    """TLS lines to one server."""

    ConnectionCls = TlsLine
